"""JSON into X12: what `claimwire x12 read` prints, or documents alone, into interchanges.

The JSON is an object, a list of objects, an object a line, or what `read --json` prints. Each object says `transactionType` and `documents` (or one
`document`), and may say `interchange` and `group` as `read` does; options go before what it says. Objects that follow each
other with the same sender, receiver and usage share an interchange, those of one type a group. What `read` found in interchanges, groups and
sets of their own, which their control numbers tell, goes into such again; those numbers, dates and times are not used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from gateway.world import SystemWorld
from gateway.x12_files import Unreadable
from x12.discreet import Discreet
from x12.documents.acknowledgements import InterchangeAcknowledgement
from x12.documents.binding import Document
from x12.documents.lenient import decode
from x12.finding import Finding
from x12.syntax import InterchangeHeader
from x12.transactions import KINDS, Parcel, Sealed, write

__all__ = ["PLACEHOLDERS", "TYPES", "Given", "Made", "interchanges"]

_TA1 = "TA1"
TYPES = (*KINDS, _TA1)
# Who sends and receives in a test where nobody said it.
PLACEHOLDERS = ("SENDER", "RECEIVER")


class Given(msgspec.Struct, frozen=True):
    """What the caller says of the envelopes; "" leaves it to the JSON, and then to the usual: ZZ, a test, placeholders."""

    type: str = ""
    sender: str = ""
    sender_qualifier: str = ""
    receiver: str = ""
    receiver_qualifier: str = ""
    usage: str = ""
    control_number: int = 1
    reference: str = ""
    gap: str = "\n"


class Made(Discreet):
    """The interchanges of one source, all or none, and what is wrong. `anonymous`: somebody's id is a placeholder. `renewed`: the JSON told
    control numbers, and what is written has others.
    """

    texts: list[str]
    findings: list[Finding]
    anonymous: bool = False
    renewed: bool = False

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


class _Envelope(msgspec.Struct, frozen=True):
    """What decides which interchange something goes into."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    usage: str


# What tells an interchange, or a group, from another one of the same parties, as far as the JSON says it.
_Origin = tuple[str, ...]


class _Load(Discreet):
    """An interchange on its way; `groups` says where each of its parcels is from."""

    envelope: _Envelope
    origin: _Origin
    groups: list[_Origin] = msgspec.field(default_factory=list[_Origin])
    parcels: list[Parcel] = msgspec.field(default_factory=list[Parcel])
    acknowledgements: list[InterchangeAcknowledgement] = msgspec.field(default_factory=list[InterchangeAcknowledgement])


def interchanges(data: bytes, given: Given) -> Made:
    """The interchanges that JSON asks for. Unreadable where it is no JSON; anything else that is wrong is a finding with its path."""
    findings: list[Finding] = []
    loads: list[_Load] = []
    for path, entry in _entries(data):
        _load(path, entry, given, loads, findings)
    if not loads and not findings:
        raise Unreadable("holds nothing to write: an object with transactionType and documents is expected")
    made = Made(
        [], findings, any(_is_anonymous(load.envelope) for load in loads), any(any(load.origin) for load in loads)
    )
    now = SystemWorld().now()
    for number, load in enumerate(loads, given.control_number):
        sealed = _sealed(load, number, f"{now:%y%m%d}", f"{now:%H%M}", given.gap)
        made.findings += sealed.findings
        made.texts.append(sealed.text)
    if not made.accepted:
        made.texts = []
    return made


def _sealed(load: _Load, number: int, date: str, time: str, gap: str) -> Sealed:
    envelope = load.envelope
    header = InterchangeHeader(
        envelope.sender_qualifier,
        envelope.sender,
        envelope.receiver_qualifier,
        envelope.receiver,
        date,
        time,
        number,
        envelope.usage,
    )
    for index, parcel in enumerate(load.parcels, 1):
        parcel.control_number = number + index - 1
        parcel.reference = parcel.reference or f"{date}{time}{number}{index}"
    return write(load.parcels, header, acknowledgements=load.acknowledgements, gap=gap)


def _entries(data: bytes) -> Iterator[tuple[str, Any]]:
    """(path, object) of everything that is asked for."""
    try:
        whole = msgspec.json.decode(data)
        if isinstance(whole, dict) and "interchanges" in whole:
            yield from _nested(cast("dict[str, Any]", whole))
            return
        yield from (_numbered(cast("list[Any]", whole)) if isinstance(whole, list) else [("", whole)])
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        lines = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("is no JSON: send an object, a list of objects, or one object a line, in UTF-8") from None
    yield from _numbered(lines)


def _numbered(entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each entry with its path."""
    for index, entry in enumerate(entries):
        yield f"[{index}]", entry


def _nested(said: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The sets and acknowledgements of a file as `read --json` tells them, each with its envelope."""
    for n, interchange in enumerate(_listed(said, "interchanges")):
        for k, answer in enumerate(_listed(interchange, "acknowledgements")):
            entry = {"transactionType": _TA1, "interchange": interchange, "document": answer}
            yield f"interchanges[{n}].acknowledgements[{k}]", entry
        for g, group in enumerate(_listed(interchange, "groups")):
            for t, transaction in enumerate(_listed(group, "transactions")):
                entry = {**transaction, "interchange": interchange, "group": group}
                yield f"interchanges[{n}].groups[{g}].transactions[{t}]", entry


def _listed(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = said.get(name)
    listed = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("dict[str, Any]", item) for item in listed if isinstance(item, dict)]


def _load(path: str, entry: Any, given: Given, loads: list[_Load], findings: list[Finding]) -> None:
    """Put what an object asks for to the interchange it belongs to."""
    if not isinstance(entry, dict):
        findings.append(_wrong(path, "must be an object"))
        return
    said = cast("dict[str, Any]", entry)
    kind_name = said.get("transactionType") or given.type
    prefix = f"{path}." if path else ""
    if kind_name not in TYPES:
        listed = ", ".join(TYPES)
        findings.append(_wrong(f"{prefix}transactionType", f"must be one of {listed}, or be said with --type"))
        return
    bodies = _bodies(said, prefix)
    kind: type[Document] = InterchangeAcknowledgement if kind_name == _TA1 else KINDS[kind_name].type
    documents: list[tuple[str, Document]] = []
    for place, body in bodies:
        document, wrong = decode(kind, msgspec.json.encode(body))
        findings += [msgspec.structs.replace(f, path=f"{place}.{f.path}" if f.path else place) for f in wrong]
        if document is not None:
            documents.append((place, document))
    if not bodies:
        findings.append(_wrong(f"{prefix}documents", "says nothing to write"))
    _take(kind_name, documents, said, given, loads)


def _bodies(said: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """The documents of an object, which is one itself where it names none."""
    if "document" in said:
        return [(f"{prefix}document", said["document"])]
    if "documents" in said:
        found = said["documents"]
        listed = cast("list[Any]", found) if isinstance(found, list) else [found]
        return [(f"{prefix}documents[{index}]", body) for index, body in enumerate(listed)]
    return [(prefix.rstrip("."), {k: v for k, v in said.items() if k != "transactionType"})]


def _take(
    kind_name: str, documents: Sequence[tuple[str, Document]], said: dict[str, Any], given: Given, loads: list[_Load]
) -> None:
    envelope, origin = _envelope(said, given), _origin(said, "interchange")
    if not loads or (loads[-1].envelope, loads[-1].origin) != (envelope, origin):
        loads.append(_Load(envelope, origin))
    load = loads[-1]
    if kind_name == _TA1:
        load.acknowledgements += [d for _, d in documents if isinstance(d, InterchangeAcknowledgement)]
        return
    kind, group, from_group = KINDS[kind_name], _part(said, "group"), _origin(said, "group")
    sender, receiver = (given.sender or _text(group, "sender"), given.receiver or _text(group, "receiver"))
    last = load.parcels[-1] if load.parcels else None
    parties = (sender, receiver, from_group)
    if last is None or last.kind is not kind or (last.sender, last.receiver, load.groups[-1]) != parties:
        last = Parcel([], kind, sender, receiver, reference=given.reference)
        load.parcels.append(last)
        load.groups.append(from_group)
    if any(from_group) and last.documents:
        last.begins.append(len(last.documents))
    last.documents += [document for _, document in documents]
    last.paths += [place for place, _ in documents]


def _origin(said: dict[str, Any], name: str) -> _Origin:
    """Where an object says that it is from: the numbers and the time of this part of its envelope."""
    part = _part(said, name)
    told = tuple(_text(part, key) for key in ("controlNumber", "date", "time"))
    return (_text(said, "file"), *told) if any(told) else ()


def _envelope(said: dict[str, Any], given: Given) -> _Envelope:
    outer = _part(said, "interchange")
    return _Envelope(
        given.sender_qualifier or _text(outer, "senderQualifier") or "ZZ",
        given.sender or _text(outer, "sender") or PLACEHOLDERS[0],
        given.receiver_qualifier or _text(outer, "receiverQualifier") or "ZZ",
        given.receiver or _text(outer, "receiver") or PLACEHOLDERS[1],
        given.usage or _text(outer, "usage") or "T",
    )


def _is_anonymous(envelope: _Envelope) -> bool:
    return envelope.sender == PLACEHOLDERS[0] or envelope.receiver == PLACEHOLDERS[1]


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(said: dict[str, Any], name: str) -> str:
    found = said.get(name)
    return found.strip() if isinstance(found, str) else ""


def _wrong(path: str, message: str) -> Finding:
    name = path or "The JSON"
    return Finding(1, "file", "", f"{name} {message}.", path=path or None)

"""Claims of real files go into JSON and come back as X12: which segments differ, and by which rule each of them may.

A transaction set of claims is read into documents, these go through JSON text, and one interchange is written of them, which
is read again. What was received and what was written must be equal, segment by segment and in order, after the rules of
`NORMALISATIONS` were applied to what was received: each is something that the dialect cannot say, or that belongs to an envelope.
Segments are compared in canonical separators, since the writer chooses its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import msgspec

from tests.corpus.listed import Entry, entries, received
from x12.documents.binding import Document
from x12.envelope import TransactionSet, read
from x12.syntax import CANONICAL, InterchangeHeader, translate
from x12.transactions import Kind, Parcel, documents_of, kind_of, write

__all__ = ["CLAIM_KINDS", "NORMALISATIONS", "Normalisation", "Rewritten", "rewritten"]

CLAIM_KINDS = ("837P", "837I", "837D")
# Loops and segments as the guide has them, which a claim must have kept to be called clean: syntax, guide and sums.
_LEVELS = (1, 2, 3)
_E = CANONICAL.element
_SENT = InterchangeHeader("ZZ", "SENDER", "ZZ", "RECEIVER", "260102", "0304", 1, "T")
_Segments = list[list[str]]


class Normalisation(NamedTuple):
    """One way in which what is written may differ from what was read: `rule` makes it of the received segments."""

    name: str
    why: str
    rule: Callable[[_Segments], _Segments]


class Rewritten(NamedTuple):
    """One transaction set of a file, there and back. `used` names the normalisations that changed a segment of it."""

    entry: Entry
    kind: Kind
    control_number: str
    claims: int
    expected: _Segments
    written: _Segments
    used: tuple[str, ...]
    refused: tuple[str, ...]


# --- the rules -------------------------------------------------------------------------------------------------------


def _sent_anew(segments: _Segments) -> _Segments:
    head, begin, last = segments[0], segments[1], segments[-1]
    begin = [*begin[:3], "1", f"20{_SENT.date}", _SENT.time, *begin[6:]]
    return [[*head[:2], "0001", *head[3:]], begin, *segments[2:-1], [*last[:2], "0001"]]


def _one_edition(segments: _Segments) -> _Segments:
    editions = {"005010X222A2": "005010X222A1", "005010X223A3": "005010X223A2", "005010X224A3": "005010X224A2"}
    head = segments[0]
    return [[*head[:3], editions.get(head[3], head[3])], *segments[1:]]


def _payer_id(segments: _Segments) -> _Segments:
    inside_claim = False
    made: _Segments = []
    for row in segments:
        inside_claim = row[0] == "CLM" or (inside_claim and row[0] != "HL")
        planned = row[:2] == ["NM1", "PR"] and row[8:9] == ["XV"] and not inside_claim
        made.append([*row[:8], "PI", *row[9:]] if planned else row)
    return made


def _levels_shared(segments: _Segments) -> _Segments:
    """A level that says word for word what the one before it says is left out; the others are counted anew."""
    kept: _Segments = []
    parts = _parts(segments)
    before: dict[str, _Segments] = {}
    for part in parts:
        kind = part[0][3] if part[0][0] == "HL" else ""
        said = [row if row[0] != "HL" else ["HL", row[3]] for row in part]
        if kind and before.get(kind) == said:
            continue
        if kind:
            # Below another level the same words are about somebody else.
            before = {k: v for k, v in before.items() if k < kind}
            before[kind] = said
        kept += part
    return _counted(kept)


def _parts(segments: _Segments) -> Iterator[_Segments]:
    """The header, then each level without its claims, then each claim."""
    start = 0
    for index, row in enumerate(segments):
        if row[0] in ("HL", "CLM", "SE") and index:
            yield segments[start:index]
            start = index
    yield segments[start:]


def _counted(segments: _Segments) -> _Segments:
    numbers = {"20": "", "22": "", "23": ""}
    above = {"22": "20", "23": "22"}
    kinds = [row[3] for row in segments if row[0] == "HL"]
    made: _Segments = []
    count = 0
    for row in segments:
        if row[0] == "HL":
            count += 1
            numbers[row[3]] = str(count)
            child = "1" if count < len(kinds) and kinds[count] > row[3] else "0"
            made.append(["HL", str(count), numbers.get(above.get(row[3], ""), ""), row[3], child])
        else:
            made.append(row)
    return [*made[:-1], ["SE", str(len(made)), made[-1][2]]]


NORMALISATIONS = (
    Normalisation(
        "sending",
        "ST02, SE02, BHT03, BHT04 and BHT05 number and date a sending, and say nothing of a claim: what is sent anew has its own.",
        _sent_anew,
    ),
    Normalisation(
        "edition",
        "ST03 of a later errata (X222A2, X223A3, X224A3) becomes the edition that HIPAA adopted (75 FR 62684): its loops, "
        "segments and codes are the same.",
        _one_edition,
    ),
    Normalisation(
        "payer id",
        "XV in NM108 of loop 2010BB becomes PI. It announces a national health plan id, which nobody ever had to send and "
        "which is withdrawn since 2019 (84 FR 57621); the dialect has one `tradingPartnerServiceId` and no word for which it is.",
        _payer_id,
    ),
    Normalisation(
        "shared levels",
        "A subscriber or patient who is said again, word for word, directly after himself is said once, with all the claims "
        "below: HL01, HL02, HL04 and SE01 are counted accordingly.",
        _levels_shared,
    ),
)


# --- there and back --------------------------------------------------------------------------------------------------


@cache
def rewritten() -> tuple[Rewritten, ...]:
    """Every transaction set of claims of the corpus in which syntax, guide and sums are right, there and back."""
    sets = ((e, s) for e in entries() for i in received(e, _LEVELS) for s in i.sets)
    return tuple(
        _there_and_back(entry, one, kind)
        for entry, one in sets
        if (kind := kind_of(one)) is not None and kind.name in CLAIM_KINDS and one.accepted
    )


def _there_and_back(entry: Entry, one: TransactionSet, kind: Kind) -> Rewritten:
    expected = _rows([translate(raw, one.delimiters, CANONICAL) for raw in one.segments])
    used: list[str] = []
    for normalisation in NORMALISATIONS:
        after = normalisation.rule(expected)
        if after != expected:
            used.append(normalisation.name)
        expected = after
    claims = [_through_json(document) for document in documents_of(one)]
    sealed = write([Parcel(claims, kind)], _SENT)
    again = list(chain.from_iterable(i.sets for i in read(sealed.text.encode("latin-1"), levels=())))
    written = [translate(raw, s.delimiters, CANONICAL) for s in again for raw in s.segments]
    return Rewritten(
        entry,
        kind,
        one.control_number,
        len(claims),
        expected,
        _rows(written),
        tuple(used),
        tuple(f.message for f in sealed.findings if f.severity == "error"),
    )


def _through_json(document: Document) -> Document:
    return msgspec.json.decode(msgspec.json.encode(document), type=type(document))


def _rows(segments: Sequence[str]) -> _Segments:
    return [raw.split(_E) for raw in segments]

"""A second opinion: pyx12 judges the same file, and what the two say is compared, place by place.

pyx12 (BSD) is an extra, `claimwire[oracle]`. Where it differs, the guide decides; what is known to be a fault of pyx12, or a
choice that docs/guides.md gives reasons for, is named. Nothing of the file's content is told here; but pyx12 tells its log,
`pyx12`, what it could not read, values and all: whoever asks it silences that.

Sources: pyx12 4.0, found by running it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from x12.envelope import Interchange, read
from x12.finding import Finding

__all__ = ["DIFFERENCES", "Absent", "Disagreement", "SecondOpinion", "second_opinion"]


class Absent(ImportError):
    """pyx12 is not installed."""

    def __init__(self) -> None:
        super().__init__("pyx12 is not installed: install claimwire[oracle] to ask it for a second opinion")


class Disagreement(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One thing that only one of the two finds.

    `by` is `claimwire` or `pyx12`; `transaction` counts the sets of the file from 1, 0 for an envelope; `place` is a segment
    or an element; `reason` says why, where that is known.
    """

    by: str
    transaction: int
    place: str
    code: str
    position: int = 0
    message: str = ""
    reason: str = ""


class SecondOpinion(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What came of asking. `accepted` is pyx12's verdict, None where it gave none, for the reason in `broke`."""

    accepted: bool | None
    agreed: int = 0
    disagreements: list[Disagreement] = msgspec.field(default_factory=list[Disagreement])
    broke: str = ""


_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{1,2}(?:\d\d(?:-\d+)?)?\Z")
_Place = tuple[int, str, str]

_NEWER = "its list of claim status codes is older"
_ENTITY = "the guide's entities of the first composite hold for the others too; it has a list of its own there"
_PROVIDER = "2000C, 2200C and 2000D are situational: a receiver or a provider may be rejected without what is beneath"
# GS08's guide -> (place, code) -> why pyx12 finds fault there and we do not.
DIFFERENCES: Mapping[str, Mapping[tuple[str, str], str]] = {
    "005010X222A1": {
        ("BHT06", "7"): "it lacks 31, a subrogation demand",
        ("NM108", "1"): "the subscriber's number is required of persons only",
        ("NM109", "1"): "the subscriber's number is required of persons only",
        ("PWK02", "7"): "it takes one PWK of the line for the other: both have CT, and PWK02 decides",
        ("REF02", "7"): "it wants nine digits of a social security number, which the guide does not",
    },
    "005010X223A2": {("N403", "7"): "it wants nine digits, of foreign codes too; the tables know no formats"},
    "005010X221A1": {("PLB", "4"): "PLB may repeat, in its map too; it counts a loop for each"},
    "005010X214": {
        ("HL", "3"): _PROVIDER,
        ("TRN", "3"): _PROVIDER,
        ("STC", "3"): _PROVIDER,
        ("HL04", "7"): _PROVIDER,
        ("REF", "5"): "REF of 2200C may stand three times",
        ("STC", "5"): "STC of a service line may repeat",
        ("STC02", "1"): "STC02 of a service line is not used",
        ("STC12", "10"): "STC12 of a service line may be there, as in a claim",
        **{(f"STC{n}-{c}", "7"): _NEWER for n in ("01", "10", "11") for c in (1, 2)},
        ("STC10-3", "7"): _ENTITY,
        ("STC11-3", "7"): _ENTITY,
    },
    "005010X231A1": {
        ("IK402", "6"): "others name a composite by its own number, C001, and are read; it wants digits",
        ("CTX", "5"): "several CTX may stand behind one IK3 or IK4",
    },
}
_ALIASES = {
    "005010X222": "005010X222A1",
    "005010X222A2": "005010X222A1",
    "005010X223A3": "005010X223A2",
    "005010X231": "005010X231A1",
}
# Its messages when it breaks off, by what they begin with.
_BROKE = (
    ("Map not found", "it has no guide for this GS08, and gives no verdict then"),
    ("Map file not found", "it has no guide for this GS08, and gives no verdict then"),
    ("Either segment or map", "it ends reading without a verdict at what it does not expect"),
)
_OTHERWISE = "it raises on this content instead of reporting it"
# It judges at the first two levels, and of the fifth some lists of its own.
_LEVEL_MAX = 2
# What it finds nothing of: codes of ours, and why.
_BLIND = {
    "I10": "it reports what is not used under other codes, or not at all",
    "12": "it never splits at the repetition separator",
    "8": "it passes dates of periods, empty segments and empty elements at the end",
}
_WARNED = "we warn of empty elements at the end and accept them"
_LOST = "where the beginning of a loop is missing it does not find its way into the loop; here the walk goes on inside"
# Its own codes -> (place, code) of the 999 for the same; "" is the place it said.
_TRANSLATED = {"HL1": ("HL01", "7"), "HL2": ("HL02", "7"), "LX": ("LX01", "7"), "10": ("", "I10")}


def second_opinion(data: bytes) -> SecondOpinion:
    """Ask pyx12 about a file and compare, at the levels that it judges. Absent when pyx12 is not installed; never raises on content."""
    document = _asked(data)
    ours = read(data)
    if isinstance(document, str):
        return SecondOpinion(None, broke=document)
    accepted, told = document
    theirs = list(_theirs(told))
    mine = list(_mine(ours))
    guides = _guides(ours)
    disagreements = list(_compared(mine, theirs, guides))
    agreed = len(mine) - sum(d.by == "claimwire" for d in disagreements)
    return SecondOpinion(accepted, agreed, disagreements)


def _asked(data: bytes) -> tuple[bool, Any] | str:
    """pyx12's verdict and its findings; why it broke off where it did."""
    try:
        from pyx12.params import params  # pyright: ignore[reportMissingTypeStubs]
        from pyx12.x12n_document import x12n_document  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise Absent from None
    told = io.StringIO()
    try:
        accepted = x12n_document(params(), io.StringIO(data.decode("latin-1")), None, None, fd_json=told)
        return bool(accepted), msgspec.json.decode(told.getvalue() or "{}")
    except Exception as error:
        said = str(error)
        reason = next((why for start, why in _BROKE if said.startswith(start)), _OTHERWISE)
        return f"pyx12 broke off ({type(error).__name__}): {reason}."


# --- both as places ------------------------------------------------------------------------------------------------


class _Said(msgspec.Struct, frozen=True):
    place: _Place
    position: int
    message: str


def _theirs(document: Any) -> Iterator[_Said]:
    number = 0
    for interchange in document.get("interchanges", ()):
        for group in interchange["groups"]:
            for one in group["transactions"]:
                number += 1
                yield from _codes(one["errors"], number, "", 0)
                for segment in one["segments"]:
                    position = segment["seg_count"]
                    yield from _codes(segment["errors"], number, segment["seg_id"], position)
                    for element in segment.get("elements", ()):
                        place = f"{segment['seg_id']}{element['ele_pos']:02d}"
                        place += f"-{element['subele_pos']}" if element["subele_pos"] else ""
                        yield from _codes(element["errors"], number, place, position)


def _codes(errors: Sequence[Any], number: int, place: str, position: int) -> Iterator[_Said]:
    # Its messages quote values; ours say what a code means.
    for error in errors:
        code = str(error["err_cde"])
        where, code = _TRANSLATED.get(code, ("", code))
        # What is called a segment there may be anything that stands in the file.
        named = where or (place if not place or _SEGMENT.match(place) else "?")
        yield _Said((number, named, _segment_code(place, code)), position, "")


def _segment_code(place: str, code: str) -> str:
    """A segment that is not expected and one that is not known have one code here: the two draw that line differently."""
    return "2" if place and code == "1" and not place[-2:].isdigit() and "-" not in place else code


def _mine(interchanges: Sequence[Interchange]) -> Iterator[_Said]:
    number = 0
    for interchange in interchanges:
        for one in interchange.sets:
            number += 1
            for finding in one.findings:
                if finding.severity == "error" and finding.level <= _LEVEL_MAX:
                    place = _place(finding)
                    code = _segment_code(place, finding.code) if finding.scope == "segment" else finding.code
                    yield _Said((number, place, code), finding.position or 0, finding.message)


def _place(finding: Finding) -> str:
    if finding.scope == "set":
        return ""
    name = finding.segment or ""
    if finding.element:
        name += f"{finding.element:02d}" + (f"-{finding.component}" if finding.component else "")
    return name


def _guides(interchanges: Sequence[Interchange]) -> list[str]:
    return [s.group.version if s.group else "" for i in interchanges for s in i.sets]


def _compared(mine: Sequence[_Said], theirs: Sequence[_Said], guides: Sequence[str]) -> Iterator[Disagreement]:
    """What only one of them says, as often as it says it more than the other; positions are not compared, they count differently."""
    lost = {s.place[0] for s in mine if s.place[2] == "3"}
    for by, said, other in (("claimwire", mine, theirs), ("pyx12", theirs, mine)):
        left = Counter(s.place for s in other)
        for one in said:
            if left[one.place] > 0:
                left[one.place] -= 1
                continue
            number, place, code = one.place
            guide = guides[number - 1] if number <= len(guides) else ""
            known = DIFFERENCES.get(_ALIASES.get(guide, guide), {})
            reason = (
                _BLIND.get(code, "")
                if by == "claimwire"
                else _WARNED
                if code == "SEG1"
                else known.get((place, code), "")
            )
            if by == "pyx12" and code == "2" and not reason and number in lost:
                reason = _LOST
            yield Disagreement(by, number, place, code, one.position, one.message, reason)

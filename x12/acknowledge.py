"""Writes the TA1 and the 999 for a received interchange out of its findings, whatever they are.

What a sender wrote comes back to it only where it fits the acknowledgement's own element; what does not fit is replaced by
zeros or left out, so that what is written here is always valid, whatever was received.

Sources: X12.5 (TA1), 005010X231A1 (999: IK3, IK4, CTX, IK5, AK9).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from x12 import codes
from x12.elements import period_is_valid
from x12.envelope import Group, Interchange, TransactionSet
from x12.finding import Finding
from x12.syntax import (
    CANONICAL,
    InterchangeHeader,
    choose_delimiters,
    interchange_header,
    join,
    translate,
    unwritable_character,
)

__all__ = ["FINDINGS_MAX", "acknowledgement", "answer_999", "answer_ta1", "sealed"]

_E, _C = CANONICAL.element, CANONICAL.component
_CONVENTION = "005010X231A1"
_CODES_MAX = 5
# A ruined file is told its first errors; more would help nobody.
FINDINGS_MAX = 5_000
# Acknowledgements (997, 999) are not acknowledged.
_ACKNOWLEDGING = "FA"
# What stands for a date and a time of the sender that are none.
_NO_DATE, _NO_TIME = "000101", "0000"
# IK303 names a loop only where LS and LE bound it.
_BOUNDED = {"2120C": "2120", "2120D": "2120"}
# Business unit identifiers of the 999: which segment of a set names the unit that a finding is about.
_UNITS = {
    "837": ("CLM", 1, "CLM01"),
    "270": ("TRN", 2, "TRN02"),
    "271": ("TRN", 2, "TRN02"),
    "276": ("TRN", 2, "TRN02"),
    "277": ("TRN", 2, "TRN02"),
}
_UNIT_MAX = 35


def _echo(value: str, shortest: int, longest: int, otherwise: str = "") -> str:
    """A value of the sender where it fits the element that carries it back."""
    value = value.strip()
    fits = shortest <= len(value) <= longest and unwritable_character(value) is None
    return value if fits else otherwise


def _line(*elements: str) -> str:
    return _E.join(elements).rstrip(_E)


def answer_ta1(interchange: Interchange) -> str:
    """The TA1 segment (canonical separators): A accepted, R rejected with the first note code."""
    number, date, time = (interchange.elements[i].strip() for i in (12, 8, 9))
    number = number.zfill(9) if number.isascii() and number.isdigit() and len(number) <= 9 else "0" * 9
    date = date if period_is_valid("D6", date) else _NO_DATE
    time = time if period_is_valid("TM", time) else _NO_TIME
    if interchange.accepted:
        return _line("TA1", number, date, time, "A", "000")
    notes = (f.code for f in interchange.findings if f.severity == "error" and f.scope == "interchange")
    note = next((n for n in notes if n in codes.table("interchange_note")), "024")
    return _line("TA1", number, date, time, "R", note)


def answer_999(group: Group, control_number: str = "0001") -> list[str]:
    """The segments of a 999 for one functional group, ST to SE, with canonical separators."""
    number = _echo(group.control_number, 1, 9)
    lines = [
        _line("ST", "999", control_number, _CONVENTION),
        _line(
            "AK1",
            _echo(group.functional_id, 2, 2, "XX"),
            number if number.isdigit() else "0",
            _echo(group.version, 1, 12, "000000"),
        ),
    ]
    # A wrong count or trailer too: sets may be missing, and what is refused must not be told accepted.
    refused = not group.accepted
    accepted = 0
    for received in group.sets:
        lines.append(
            _line("AK2", _echo(received.set_id, 3, 3, "000"), _set_number(received), _echo(received.convention, 1, 35))
        )
        lines += _set_errors(received)
        good = received.accepted and not refused
        accepted += good
        lines.append(_line("IK5", "A" if good else "R", *_set_codes(received)))
    lines.append(_group_trailer(group, accepted, refused))
    lines.append(_line("SE", str(len(lines) + 1), control_number))
    return lines


def _group_trailer(group: Group, accepted: int, refused: bool) -> str:
    """AK9: R for a group that is refused or of which no set was accepted, P where some were, A where all were."""
    count = len(group.sets)
    if refused or (count and not accepted):
        status = "R"
    elif accepted < count:
        status = "P"
    else:
        status = "A"
    said = _known((f.code for f in group.findings if f.severity == "error"), "group_error")
    included = count if group.declared_sets is None else min(group.declared_sets, 999_999)
    return _line("AK9", status, str(included), str(count), str(accepted), *said)


def _known(said: Iterable[str], table: str) -> list[str]:
    """The first few different codes of those that the acknowledgement's list has."""
    return [c for c in dict.fromkeys(said) if c in codes.table(table)][:_CODES_MAX]


def _set_number(received: TransactionSet) -> str:
    """ST02 as AK202 can carry it: a short number filled with zeros, a long one cut."""
    return _echo(received.control_number.strip()[:9].rjust(4, "0"), 4, 9, "0000")


def _set_codes(received: TransactionSet) -> list[str]:
    said = [f.code for f in received.findings if f.severity == "error" and f.scope == "set"]
    inside = [f for f in received.findings if f.severity == "error" and f.scope in ("segment", "element")]
    if inside:
        said.append("I5" if all(f.level > 1 for f in inside) else "5")
    return _known(said, "set_error")


def _set_errors(received: TransactionSet) -> Iterator[str]:
    """IK3 with its CTX, and IK4, in the order of the segments."""
    wrong = [f for f in received.findings if f.severity == "error" and f.scope in ("segment", "element") and f.position]
    wrong = sorted(wrong[:FINDINGS_MAX], key=lambda f: (f.position or 0, f.scope == "element"))
    units = _Units(received)
    open_position = 0
    for finding in wrong:
        position = finding.position or 0
        if finding.scope == "segment" or open_position != position:
            code = finding.code if finding.scope == "segment" else "8"
            code = code if code in codes.table("segment_error") else "8"
            yield _line("IK3", _segment_id(finding), str(position), _BOUNDED.get(finding.loop or "", ""), code)
            yield from units.context(position)
            open_position = position if finding.scope == "element" else 0
        if finding.element and finding.code in codes.table("element_error"):
            place = [str(finding.element), str(finding.component or ""), str(finding.repeat or "")]
            yield _line("IK4", _C.join(place).rstrip(_C), _echo(finding.data or "", 1, 4), finding.code)


def _segment_id(finding: Finding) -> str:
    name = finding.segment or ""
    return name if 2 <= len(name) <= 3 and name.isascii() and name.isalnum() else "ZZZ"


class _Units:
    """Goes through a set once and knows the business unit (its claim, its trace number) that each place belongs to."""

    def __init__(self, received: TransactionSet) -> None:
        self.received = received
        self.at = 0
        self.unit = ""

    def context(self, position: int) -> Iterator[str]:
        """The CTX for a position, not before that of the call before; nothing where the position belongs to no unit."""
        kind = _UNITS.get(self.received.set_id)
        if kind is None:
            return
        segment_id, element, name = kind
        separator = self.received.delimiters.element
        opening, above = segment_id + separator, (f"HL{separator}", f"ST{separator}")
        segments = self.received.segments
        for index in range(self.at, min(position, len(segments))):
            raw = segments[index]
            if raw.startswith(opening):
                parts = raw.split(separator)
                self.unit = _echo(parts[element][:_UNIT_MAX], 1, _UNIT_MAX) if element < len(parts) else ""
            elif raw.startswith(above):
                self.unit = ""
        self.at = max(self.at, position)
        if self.unit:
            yield _line("CTX", f"{name}{_C}{self.unit}")


def acknowledgement(
    interchange: Interchange, header: InterchangeHeader, group_control_number: int, *, gap: str = ""
) -> str:
    """One interchange that answers a received one: its TA1 right after the ISA, then one 999 for each group received.

    `header` is addressed to the sender; its date and time also stamp the groups. The TA1 is there when ISA14 asked for it or
    when the interchange is refused; a refused interchange gets no 999, and acknowledgements get none either. "" where
    nothing is to be answered: no ISA was received, or only acknowledgements that nobody asked to acknowledge.
    """
    body: list[str] = []
    refused = not interchange.accepted
    only_notes = bool(interchange.acknowledgements) and not interchange.groups
    if (refused or interchange.elements[13] == "1") and any(interchange.elements) and not only_notes:
        body.append(answer_ta1(interchange))
    groups = [] if refused else [g for g in interchange.groups if g.functional_id != _ACKNOWLEDGING]
    for index, group in enumerate(groups):
        number = str(group_control_number + index)
        sender, receiver = (
            _echo(group.elements[2], 2, 15, header.sender),
            _echo(group.elements[1], 2, 15, header.receiver),
        )
        body.append(_line("GS", "FA", sender, receiver, f"20{header.date}", header.time, number, "X", _CONVENTION))
        body += answer_999(group)
        body.append(_line("GE", "1", number))
    if not body:
        return ""
    body.append(_line("IEA", str(len(groups)), f"{header.control_number:09d}"))
    return sealed(body, header, gap)


def sealed(body: Sequence[str], header: InterchangeHeader, gap: str = "") -> str:
    """Canonical segments behind an ISA, with delimiters that occur in none of their data."""
    text = CANONICAL.segment.join(body)
    delimiters = choose_delimiters(text + header.sender + header.receiver)
    return (
        interchange_header(header, delimiters)
        + gap
        + join(translate(text, CANONICAL, delimiters).split(delimiters.segment), delimiters, gap)
    )

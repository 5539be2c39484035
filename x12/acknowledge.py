"""Writes the TA1 and the 999 for a received interchange out of its findings, whatever they are.

Sources: X12.5 (TA1), 005010X231A1 (999: IK3, IK4, CTX, IK5, AK9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

__all__ = ["acknowledgement", "answer_999", "answer_ta1"]

_E, _C = CANONICAL.element, CANONICAL.component
_CONVENTION = "005010X231A1"
_CODES_MAX = 5
_FINDINGS_MAX = 5_000
# IK303 names a loop only where LS and LE bound it.
_BOUNDED = {"2120C": "2120", "2120D": "2120"}
# Business unit identifiers of the 999: which segment of a set names the unit that a finding is about.
_UNITS = {
    "837": ("CLM", 1, "CLM01"),
    "270": ("TRN", 2, "TRN02"),
    "276": ("TRN", 2, "TRN02"),
    "277": ("TRN", 2, "TRN02"),
}


def _safe(value: str) -> str:
    """A value of the sender that goes back to it; what X12 cannot carry is left out."""
    return "" if unwritable_character(value) else value


def _line(*elements: str) -> str:
    return _E.join(elements).rstrip(_E)


def answer_ta1(interchange: Interchange) -> str:
    """The TA1 segment (canonical separators): A accepted, R rejected with the first note code."""
    errors = [f for f in interchange.findings if f.severity == "error" and f.scope == "interchange"]
    number, date, time = (_safe(interchange.elements[i]) for i in (12, 8, 9))
    return _line("TA1", number, date, time, "R" if errors else "A", errors[0].code if errors else "000")


def answer_999(group: Group, control_number: str = "0001") -> list[str]:
    """The segments of a 999 for one functional group, ST to SE, with canonical separators."""
    lines = [_line("ST", "999", control_number, _CONVENTION)]
    lines.append(
        _line("AK1", _safe(group.functional_id) or "XX", _safe(group.control_number) or "0", _safe(group.version))
    )
    refused = any(f.severity == "error" and f.code not in ("4", "5") for f in group.findings)
    accepted = 0
    for received in group.sets:
        lines.append(
            _line(
                "AK2",
                _safe(received.set_id) or "000",
                _safe(received.control_number) or "0000",
                _safe(received.convention),
            )
        )
        lines += _set_errors(received)
        good = received.accepted and not refused
        accepted += good
        lines.append(_line("IK5", "A" if good else "R", *_set_codes(received)))
    status = (
        "R"
        if refused or (group.sets and not accepted)
        else "A"
        if accepted == len(group.sets) and group.accepted
        else "P"
        if accepted < len(group.sets)
        else "E"
    )
    codes = list(dict.fromkeys(f.code for f in group.findings if f.severity == "error" and f.code))[:_CODES_MAX]
    count = str(len(group.sets))
    lines.append(_line("AK9", status, count, count, str(accepted), *codes))
    lines.append(_line("SE", str(len(lines) + 1), control_number))
    return lines


def _set_codes(received: TransactionSet) -> list[str]:
    codes = [f.code for f in received.findings if f.severity == "error" and f.scope == "set"]
    inside = [f for f in received.findings if f.severity == "error" and f.scope in ("segment", "element")]
    if inside:
        codes.append("I5" if all(f.level > 1 for f in inside) else "5")
    return list(dict.fromkeys(codes))[:_CODES_MAX]


def _set_errors(received: TransactionSet) -> Iterator[str]:
    """IK3 with its CTX, and IK4, in the order of the segments."""
    wrong = [f for f in received.findings if f.severity == "error" and f.scope in ("segment", "element") and f.position]
    wrong = sorted(wrong[:_FINDINGS_MAX], key=lambda f: (f.position or 0, f.scope == "element"))
    open_position = 0
    for finding in wrong:
        position = finding.position or 0
        if finding.scope == "segment" or open_position != position:
            yield _line(
                "IK3",
                _segment_id(finding),
                str(position),
                _BOUNDED.get(finding.loop or "", ""),
                finding.code if finding.scope == "segment" else "8",
            )
            yield from _context(received, position)
            open_position = position if finding.scope == "element" else 0
        if finding.scope == "element":
            place = [str(finding.element), str(finding.component or ""), str(finding.repeat or "")]
            yield _line("IK4", _C.join(place).rstrip(_C), finding.data or "", finding.code)


def _segment_id(finding: Finding) -> str:
    name = finding.segment or ""
    return name if 2 <= len(name) <= 3 and name.isalnum() else "ZZZ"


def _context(received: TransactionSet, position: int) -> Iterator[str]:
    """The business unit (CTX) that a segment belongs to: its claim or its trace number."""
    unit = _UNITS.get(received.set_id)
    if unit is None:
        return
    segment_id, element, name = unit
    prefix = segment_id + received.delimiters.element
    for raw in reversed(received.segments[:position]):
        if raw.startswith(prefix):
            parts = raw.split(received.delimiters.element)
            value = _safe(parts[element]) if element < len(parts) else ""
            if value:
                yield _line("CTX", f"{name}{_C}{value[:35]}")
            return
        if raw.startswith(("HL" + received.delimiters.element, "ST" + received.delimiters.element)):
            return


def acknowledgement(
    interchange: Interchange, header: InterchangeHeader, group_control_number: int, *, gap: str = ""
) -> str:
    """One interchange that answers a received one: its TA1 right after the ISA, then one 999 for each group received.

    `header` is addressed to the sender; its date and time also stamp the groups. The TA1 is there when ISA14 asked for it or
    when the interchange is refused; a refused interchange gets no 999.
    """
    body: list[str] = []
    refused = not interchange.accepted
    if refused or interchange.elements[13] == "1":
        body.append(answer_ta1(interchange))
    groups = [] if refused else interchange.groups
    for index, group in enumerate(groups):
        number = str(group_control_number + index)
        sender, receiver = _safe(group.elements[2]) or header.sender, _safe(group.elements[1]) or header.receiver
        body.append(_line("GS", "FA", sender, receiver, f"20{header.date}", header.time, number, "X", _CONVENTION))
        body += answer_999(group)
        body.append(_line("GE", "1", number))
    body.append(_line("IEA", str(len(groups)), f"{header.control_number:09d}"))
    return sealed(body, header, gap)


def sealed(body: Sequence[str], header: InterchangeHeader, gap: str = "") -> str:
    """Canonical segments behind an ISA, with delimiters that occur in none of their data."""
    text = CANONICAL.segment.join(body)
    delimiters = choose_delimiters(text)
    return (
        interchange_header(header, delimiters)
        + gap
        + join(translate(text, CANONICAL, delimiters).split(delimiters.segment), delimiters, gap)
    )

"""What is wrong with the headers of an interchange and of its groups, and with the acknowledgements (TA1) in it, by themselves.

Sources: X12.5 (interchange control structures), X12.6 (GS), 005010X231A1 (codes of TA105, of which 024 names an invalid GS).
"""

from __future__ import annotations

from collections.abc import Sequence

from x12 import guides
from x12.elements import judge_segment, period_is_valid, time_is_valid
from x12.finding import Finding, Severity
from x12.syntax import Delimiters, number_of

__all__ = ["ID_QUALIFIERS", "interchange_finding", "judge_gs", "judge_isa", "judge_ta1"]

# What ISA05 and ISA07 may say of the ids behind them.
ID_QUALIFIERS = ("01", "14", "20", "27", "28", "29", "30", "33", "ZZ")
# ISA element -> (TA105 code, allowed values, what to do).
_ISA_CODES: dict[int, tuple[str, tuple[str, ...], str]] = {
    1: ("010", ("00", "03"), "send 00 or 03"),
    3: ("012", ("00", "01"), "send 00 or 01"),
    5: ("005", ID_QUALIFIERS, "send a sender id qualifier of the guides, such as ZZ or 30"),
    7: ("007", ID_QUALIFIERS, "send a receiver id qualifier of the guides, such as ZZ or 30"),
    12: ("017", ("00501",), "send version 00501"),
    14: ("019", ("0", "1"), "send 0 or 1"),
    15: ("020", ("T", "P"), "send T for test or P for production"),
}


def interchange_finding(
    code: str, segment: str, message: str, element: int | None = None, severity: Severity = "error"
) -> Finding:
    """A finding about an interchange, with its code of TA105."""
    return Finding(1, "interchange", code, message, severity, segment=segment or None, element=element)


def judge_isa(elements: Sequence[str], delimiters: Delimiters) -> list[Finding]:
    """What is wrong with an ISA whose elements these are, ISA01 at index 0."""
    found = [
        interchange_finding(code, "ISA", f"ISA{position:02d} has a value that is not allowed: {advice}.", position)
        for position, (code, allowed, advice) in _ISA_CODES.items()
        if elements[position - 1] not in allowed
    ]
    for position, code, name in ((6, "006", "sender"), (8, "008", "receiver")):
        if not elements[position - 1].strip():
            found.append(interchange_finding(code, "ISA", f"ISA{position:02d} must name the {name}.", position))
    if not delimiters.repetition and (elements[10].isalnum() or elements[10].isspace()):
        message = "ISA11 must declare the repetition separator, such as ^: without it no element can repeat."
        found.append(interchange_finding("024", "ISA", message, 11, "warning"))
    if not period_is_valid("D6", elements[8]):
        found.append(interchange_finding("014", "ISA", "ISA09 must be a date as YYMMDD.", 9))
    if not period_is_valid("TM", elements[9]):
        found.append(interchange_finding("015", "ISA", "ISA10 must be a time as HHMM.", 10))
    if number_of(elements[12]) is None or len(elements[12]) != 9:
        found.append(interchange_finding("018", "ISA", "ISA13 must be a number of nine digits.", 13))
    return found


def judge_gs(elements: Sequence[str]) -> list[Finding]:
    """What is wrong with a GS, GS01 at index 0; but for GS01, GS06 and GS08, which have codes of their own in a 999 (IK502, AK905)."""
    sender, receiver, day, time, agency = (elements[k] for k in (1, 2, 3, 4, 6))
    wrong = (
        (2, not 2 <= len(sender.rstrip()) <= 15, "must name the sender in 2 to 15 characters"),
        (3, not 2 <= len(receiver.rstrip()) <= 15, "must name the receiver in 2 to 15 characters"),
        (4, not period_is_valid("D8", day), "must be a date as CCYYMMDD"),
        (5, not time_is_valid(time), "must be a time as HHMM, HHMMSS, HHMMSSD or HHMMSSDD"),
        (7, agency != "X", "must be X"),
    )
    return [interchange_finding("024", "GS", f"GS{at:02d} {told}.", at) for at, is_wrong, told in wrong if is_wrong]


def judge_ta1(raw: str, delimiters: Delimiters, *, late: bool) -> list[Finding]:
    """What is wrong with a TA1; `late` tells that it stands behind a group."""
    segment = next(s for s in guides.load("00501", "ISA").segments if s.id == "TA1")
    found = [
        interchange_finding("024", "TA1", wrong.message, wrong.element, wrong.severity)
        for wrong in judge_segment(segment, raw, delimiters, 1)
    ]
    if late:
        message = "A TA1 stands right behind the ISA, before any GS."
        found.append(interchange_finding("024", "TA1", message, None, "warning"))
    return found

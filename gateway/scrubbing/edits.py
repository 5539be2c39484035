"""The edits for claims of all three kinds: what payers reject claims for, and what neither guide nor code list tells.

What a guide states is a rule of `x12.situations`, what adds up one of `x12.balancing`, and what a code may be is on a list: none of
it is here a second time.

Sources: 005010X222A1, X223A2 and X224A2 as the tables of x12/guides have them (NM109 of 2010AA, SV102, SV203, SV302, DTP); X12's
interpretation 2499 and a clearinghouse's published edit for all three kinds (no charge below zero, and so no count); public guides to field 6 of the
UB-04 (a statement ends by today). X12's interpretation 1301 lets a provider that cannot have an NPI be known by its tax number alone where its payer needs no more. Neither
stands in a claim, and what is missing is nearly always an NPI: so CW117 refuses it, and only warns where the payer's data say so
(`warns_of`; docs/why.md). Which frequencies are for other claims than hospitals': docs/why.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

import msgspec

from gateway.scrubbing.looks import Days, Look

__all__ = ["EDITS", "Edit", "Fault"]


_DIGITS_MAX = 10
_PLACE_OF_SERVICE = "B"
# CLM05-3. What is not of this form is the list's to tell.
_OF_BILLS, _CORRECTED = re.compile(r"[0-9A-Z](?<![1678])", re.ASCII), "6"


class Fault(NamedTuple):
    """What an edit finds: the place, and what is wrong there. `path` is the field of the dialect where the place has none by itself."""

    position: int
    loop: str
    segment: str
    element: int
    message: str
    path: str | None = None


# What finds faults in a claim on a day (CCYYMMDD).
Check = Callable[[Look, str], Iterator[Fault]]


class Edit(msgspec.Struct, frozen=True):
    """One rule. `level` is its SNIP level, `code` what a 999 says of its element (IK403)."""

    id: str
    level: int
    code: str
    check: Check
    severity: str = "error"
    severity_in_test: str = "error"
    since: date = date(2012, 1, 1)
    until: date | None = None
    shadow: bool = False


def _dated(days: Days, message: str) -> Fault:
    return Fault(days.position, days.loop, "DTP", 3, message)


def _future(of: Look, today: str) -> Iterator[Fault]:
    for days in of.days:
        if days.last > today or days.first > today:
            yield _dated(days, "The day of service lies in the future: correct it, or send the claim after it.")


def _before_birth(of: Look, _: str) -> Iterator[Fault]:
    born = of.born if len(of.born) == 8 and of.born.isdigit() else ""
    for days in of.days:
        if days.first and days.first < born:
            yield _dated(days, "The service lies before the patient's date of birth: correct one of them.")


def _billing_npi(of: Look, _: str) -> Iterator[Fault]:
    if not of.billing_known:
        message = (
            "No number says who bills: send the billing provider's NPI; or, for one that cannot have an NPI, the payer's own"
            " number for it (REF*G2 or REF*LU in loop 2010BB) or its license or UPIN (REF*0B or REF*1G in loop 2010AA)."
        )
        yield Fault(of.billing_position, "2010AA", "NM1", 9, message, "billing.npi")


def _line_charges(of: Look, _: str) -> Iterator[Fault]:
    for line in of.lines:
        if line.charge is not None and line.charge < 0:
            message = (
                "The charge of a line is not less than zero: correct it; a void has the charges of the claim it voids."
            )
            yield Fault(line.position, "2400", line.segment, line.element, message)


def _line_counts(of: Look, _: str) -> Iterator[Fault]:
    for line in of.lines:
        if line.count is not None and line.count < 0:
            message = (
                "The count of a service is not less than zero: correct it; a void has the counts of the claim it voids."
            )
            yield Fault(line.position, "2400", line.segment, line.count_element, message)


def _cents(of: Look, _: str) -> Iterator[Fault]:
    """Of a monetary amount the guides have ten digits, two of them cents (B.1.1.3.1.2; X12's interpretation 1526)."""
    for amount in of.inexact:
        # That it is no number, or has more than ten digits, is the guide's to tell.
        digits = amount.text.removeprefix("-").replace(".", "", 1)
        if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX:
            message = "An amount has at most eight digits before the point and two behind it: correct it."
            yield Fault(amount.position, amount.loop, amount.segment, amount.element, message)


def _frequency(of: Look, message: str) -> Fault:
    return Fault(of.position, "2300", "CLM", 5, message, "claimInformation.claimFrequencyCode")


def _of_bills(of: Look, _: str) -> Iterator[Fault]:
    """Where a place of service is told, and no type of bill, the NUBC's other frequencies mean nothing."""
    if of.place_qualifier == _PLACE_OF_SERVICE and _OF_BILLS.fullmatch(of.frequency):
        yield _frequency(
            of, "This frequency is one of hospitals' bills: send 1 (original), 7 (replacement) or 8 (void)."
        )


def _corrected(of: Look, _: str) -> Iterator[Fault]:
    if of.place_qualifier == _PLACE_OF_SERVICE and of.frequency == _CORRECTED:
        yield _frequency(of, "Few payers take frequency 6 (corrected): send 7 (replacement), unless this one wants 6.")


def _statement(of: Look, today: str) -> Iterator[Fault]:
    days = of.statement
    if days is not None and (days.last > today or days.first > today):
        yield _dated(days, "The statement ends in the future: correct it, or send the claim after it.")


# An id keeps its meaning for ever; a rule that changes gets a new one. CW101 to CW103, CW106 to CW110 and CW112 to CW114 were what
# lists, sums and rules say now; CW111 took no license for a number.
EDITS: tuple[Edit, ...] = (
    Edit("CW104", 4, "8", _future),
    Edit("CW105", 4, "8", _before_birth),
    Edit("CW115", 4, "I12", _line_charges),
    Edit("CW116", 4, "8", _statement),
    Edit("CW117", 4, "I9", _billing_npi),
    Edit("CW118", 4, "I12", _line_counts),
    Edit("CW119", 4, "I12", _cents),
    Edit("CW120", 4, "7", _of_bills),
    Edit("CW121", 4, "7", _corrected, severity="warning", severity_in_test="warning"),
)

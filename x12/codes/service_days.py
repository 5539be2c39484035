"""Codes that must be good on the day of service: held until their claim ends, since its dates may stand behind them.

A code of a service line is judged by the line's dates, or the claim's where the line tells none; a code of the claim by all of
them. It is good where it is good on one of its days. Without a date nothing is held against it.

Sources: 005010X222A1, X223A2 and X224A2 (DTP of 2300 and 2400), 005010X221A1 (DTM of 2100 and 2110, CLP02).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from x12.codes.lists import Lists, Reason
from x12.guides import Segment

__all__ = ["CLAIMS", "Service", "Teller", "teller"]

# The loop of a claim in each set that has dates of service.
CLAIMS = {"837": "2300", "835": "2100"}
# Where a claim and its lines tell dates of service, and by which qualifiers.
_DATES = {
    ("837", "2300", "DTP"): frozenset({"434", "472"}),
    ("837", "2400", "DTP"): frozenset({"472"}),
    ("835", "2100", "DTM"): frozenset({"232", "233"}),
    ("835", "2110", "DTM"): frozenset({"150", "151", "472"}),
}
_REVERSAL = "22"
# 5010 came into use in 2011: what was good then and has not ended since need not wait for a day.
_EARLIEST, _LATEST = "20110101", "99991231"


class _Debt(NamedTuple):
    held: Any
    name: str
    value: str
    loop: int


class Teller(NamedTuple):
    """What a segment tells of days of service: `take` is called with its text and where its loop began.

    `line` is the same of a clean segment, as source, that names `service`, `{at}` (where the loop began) and `{text}`: that of one
    element, or of the segment where `element` is 0.
    """

    take: Callable[[Service, str, int], None]
    line: str
    element: int = 0


class Service:
    """The codes that a claim holds until its dates are known, and the dates it has told. `loop` is where the open loop began.

    `repeats` says that reasons are not of this day: an 837 repeats those of an earlier payer, a reversal those it reverses.
    """

    __slots__ = ("_debts", "_lists", "_separator", "repeats", "told")

    def __init__(self, set_id: str, lists: Lists, separator: str) -> None:
        self._lists = lists
        self._separator = separator
        self._debts: list[_Debt] = []
        # Loops and raw segments of dates: most claims hold nothing, and then nobody takes them apart.
        self.told: list[tuple[int, str]] = []
        self.repeats = set_id == "837"

    def hold(self, name: str, value: str, loop: int, held: Any) -> bool:
        """Keep a code that is not good on every day, with whatever is needed to tell of it; whether it is one."""
        if self.is_certain(name, value):
            return False
        self._debts.append(_Debt(held, name, value, loop))
        return True

    def is_certain(self, name: str, value: str) -> bool:
        """Whether a code is good on every day that a service can have."""
        check = self._lists.check
        return check(name, value, _EARLIEST) is None and check(name, value, _LATEST) is None

    def settle(self) -> Iterable[tuple[Any, Reason]]:
        """The claim ends: which of its codes were good on none of their days."""
        debts, told = self._debts, self.told
        if told:
            self.told = []
        if not debts:
            return ()
        self._debts = []
        return self._overdue(debts, told)

    def _overdue(self, debts: Iterable[_Debt], told: Iterable[tuple[int, str]]) -> Iterator[tuple[Any, Reason]]:
        dates = [(loop, day) for loop, raw in told for day in self._days(raw)]
        for held, name, value, loop in debts:
            days = [day for at, day in dates if at == loop] or [day for _, day in dates]
            said: dict[Reason | None, None] = dict.fromkeys(self._lists.check(name, value, day) for day in days)
            reason = next(iter(said), None)
            if reason is not None and None not in said:
                yield held, reason

    def _days(self, raw: str) -> list[str]:
        """The days of a DTP or DTM: one, or the first and the last."""
        row = raw.split(self._separator)
        element = 3 if row[0] == "DTP" else 2
        period = row[element] if len(row) > element else ""
        return [day for day in period.split("-") if len(day) == 8 and day.isdigit()]


def teller(segment: Segment, set_id: str, separator: str) -> Teller | None:
    """What a segment at this place tells of days of service; None where it tells nothing."""
    place = (set_id, segment.loop.id, segment.id)
    if place == ("835", "2100", "CLP"):

        def payment(service: Service, raw: str, loop: int) -> None:
            service.repeats = raw.split(separator, 3)[2:3] == [_REVERSAL]

        return Teller(payment, f"service.repeats = {{text}} == {_REVERSAL!r}", 2)
    codes = segment.qualifier.codes if segment.qualifier is not None else None
    if not codes or _DATES.get(place, frozenset()).isdisjoint(codes):
        return None

    def date(service: Service, raw: str, loop: int) -> None:
        service.told.append((loop, raw))

    return Teller(date, "service.told.append(({at}, {text}))")

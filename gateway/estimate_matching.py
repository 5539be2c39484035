"""Which statements of a 271 are about one line of an estimate: certainly, possibly, or not at all.

Pure. The rules are M1 to M6 of docs/benefits.md: each element of an EB narrows it; the narrowest that fits holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from gateway.benefit_statements import PLAN, Statement
from x12.documents.binding import Flat

__all__ = ["PLAN_WIDE", "Chosen", "Place", "choose", "fitting"]

PLAN_WIDE, _SERVICE, _PROCEDURE = 0, 1, 2
Network = Literal["in", "out"]
_CODES: dict[Network, str] = {"in": "Y", "out": "N"}
_BOTH, _NOT_TOLD = "W", "U"
# Who is covered by them is known of the patient: the person, and the family that the person belongs to.
_LEVELS = frozenset({None, "IND", "FAM"})
# A payer, plan or sponsor that is named beside a benefit does not narrow it; a provider does.
_NOT_NARROWING = frozenset({"Payer", "Plan Sponsor", "Primary Payer", "Secondary Payer", "Tertiary Payer"})
_SHARES = frozenset("ABCG")


class Place(Flat, frozen=True, kw_only=True):
    """What is known of one line: all that an EB can be narrowed by. `age` is the patient's, in years, on the day."""

    service_type: str | None
    procedure: str | None
    modifiers: frozenset[str]
    network: Network
    place_of_service: str | None
    day: str
    age: int | None


class Fit(NamedTuple):
    """One statement that is about a line: how narrow it is, and why that is not certain."""

    statement: Statement
    scope: int
    rank: tuple[int, int, int]
    doubts: frozenset[str]


class Chosen(NamedTuple):
    """The narrowest statements about a line; `possible` ones may be about it, for the reasons in `doubts`."""

    scope: int
    certain: tuple[Statement, ...]
    possible: tuple[Statement, ...]
    doubts: frozenset[str]

    @property
    def all(self) -> tuple[Statement, ...]:
        return self.certain + self.possible


def fitting(said: Iterable[Statement], codes: str, place: Place) -> list[Fit]:
    """Every statement with one of these EB01 that is, or may be, about a line."""
    return [fit for s in said if s.code and s.code in codes and (fit := _fit(s, place)) is not None]


def choose(fits: Sequence[Fit]) -> Chosen:
    """The narrowest of them (M6): the best that are certain, and those as narrow or narrower that are possible."""
    certain = [f for f in fits if not f.doubts]
    best = max(((f.scope, f.rank) for f in certain), default=(PLAN_WIDE, (0, 0, 0)))
    chosen = [f for f in certain if (f.scope, f.rank) == best]
    possible = [f for f in fits if f.doubts and (f.scope, f.rank) >= best]
    doubts = frozenset[str]().union(*(f.doubts for f in possible))
    scope = best[0] if chosen else max((f.scope for f in possible), default=PLAN_WIDE)
    return Chosen(scope, tuple(f.statement for f in chosen), tuple(f.statement for f in possible), doubts)


def _fit(s: Statement, place: Place) -> Fit | None:
    scope = _scope(s, place)
    if scope is None or not _network_fits(s, place) or not _time_fits(s, place):
        return None
    if s.places and place.place_of_service is not None and place.place_of_service not in s.places:
        return None
    doubts = set(_doubts(s, place))
    if s.code in "AB" and scope == PLAN_WIDE:
        doubts.add("planWide")
    exact = int(s.network == _CODES[place.network])
    aged = int(s.oldest is not None or s.youngest is not None)
    return Fit(s, scope, (exact * 2 + int(s.network == _BOTH), int(bool(s.places)), aged), frozenset(doubts))


def _scope(s: Statement, place: Place) -> int | None:
    """How narrow a statement is: procedure, service type or plan (M1, M2); None where it is about another one."""
    if s.procedure is not None:
        if not _procedure_fits(s, place):
            return None
        if s.service_types and place.service_type is not None and place.service_type not in s.service_types:
            return None
        return _PROCEDURE
    if place.service_type is not None and place.service_type in s.service_types:
        return _SERVICE
    return PLAN_WIDE if not s.service_types or PLAN in s.service_types else None


def _procedure_fits(s: Statement, place: Place) -> bool:
    told, asked = s.procedure, place.procedure
    if told is None or told.procedure_code is None or asked is None:
        return False
    first, last = told.procedure_code.upper(), (told.product_or_service_id or told.procedure_code).upper()
    same_kind = len(first) == len(asked) == len(last)
    inside = first <= asked <= last if same_kind else asked == first
    return inside and {m.upper() for m in told.procedure_modifiers or ()} <= place.modifiers


def _network_fits(s: Statement, place: Place) -> bool:
    return s.network in (None, _BOTH, _NOT_TOLD, _CODES[place.network])


def _time_fits(s: Statement, place: Place) -> bool:
    if (s.since is not None and place.day < s.since) or (s.until is not None and place.day > s.until):
        return False
    if place.age is None:
        return True
    return not (
        (s.oldest is not None and Decimal(place.age) > s.oldest)
        or (s.youngest is not None and Decimal(place.age) < s.youngest)
    )


def _doubts(s: Statement, place: Place) -> Iterable[str]:
    """What narrows a statement and cannot be settled for the line (M4)."""
    if s.network == _NOT_TOLD:
        yield "network"
    if s.places and place.place_of_service is None:
        yield "placeOfService"
    if place.age is None and (s.oldest is not None or s.youngest is not None):
        yield "age"
    if s.code in _SHARES and (s.unit is not None or s.quantity is not None):
        yield "quantity"
    if s.injuries:
        yield "injury"
    if s.diagnoses:
        yield "diagnosis"
    if s.deliveries and s.code in _SHARES:
        yield "delivery"
    if any(e.entity_identifier not in _NOT_NARROWING for e in s.entities):
        yield "provider"
    if s.level not in _LEVELS:
        yield "coverageLevel"

"""Checks the external code values of a guide's segments against the lists, where they stand: SNIP level 5.

What was found good is remembered for each place and day, so that a value is looked up once and not a million times.

Sources: the guides' code sources; the lists' own rules (`x12.codes.lists`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from x12.codes.lists import Lists, Reason, list_for
from x12.finding import Finding
from x12.guides import Component, Element, Segment
from x12.syntax import Delimiters

if TYPE_CHECKING:
    from x12.walk import Walk

__all__ = ["CodePlace", "Known", "Memory", "Row", "checking", "places_of", "settle"]

# How many good values are remembered for one place before all are forgotten.
_VALUES_MAX = 4096
# Values that are remembered are codes; what is longer is looked at each time.
_LENGTH_MAX = 64
# How many days are remembered: a file has one.
_DAYS_MAX = 16
_QUALIFIER, _IDENTIFIER = "66", "67"
# Element 66 says with XX that element 67 is a National Provider Identifier (45 CFR 162.406).
_NPI = {"XX": "npi"}
# Which component of a composite says what list a value is of, where it is not the first.
_QUALIFIED_BY = {"facility_type": 2, "claim_status": 4}
# Whose states the list has: where a country is named that is none of them, N402 is not judged.
_STATES_OF = ("", "US", "CA")
# No code of the guide (IK403 7) or not of the form that its list has (I12).
_CODES: dict[Reason, str] = {"form": "I12", "check digit": "I12"}

# What depends on the day alone.
_BY_DAY: frozenset[Reason | None] = frozenset({"ended", "not yet"})

Row = Callable[["Walk", list[str], bool], None]


class Known(dict[int | tuple[int, str], set[str]]):
    """The values that are good at a place, by its number, and by its number and the list that its qualifier chose.

    `chosen` has for each proof of a loop the sets that it asks, so that it finds them at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chosen: dict[int, tuple[set[str], ...]] = {}

    def __missing__(self, place: int | tuple[int, str]) -> set[str]:
        good = self[place] = set()
        return good


_numbers = count()


@lru_cache(1024)
def _number(kind: tuple[object, ...]) -> int:
    """A number for the kind of a place: places of one kind, such as the twelve of an HI, find the same values good."""
    return next(_numbers)


class Memory:
    """What was found good, by day and place; `of` gives the sets of a day, one for each place."""

    def __init__(self) -> None:
        self._days: dict[str, Known] = {}

    def of(self, day: str) -> Known:
        """The sets of a day (CCYYMMDD, "" for none), by the number of the place and the list that its qualifier chose."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= _DAYS_MAX:
                self._days.clear()
            known = self._days[day] = Known()
        return known


class _Coded(NamedTuple):
    """A value at a place and the list it belongs to."""

    part: Component
    component: int | None
    repeat: int | None
    list: str
    value: str


class CodePlace:
    """One element of a segment that has external codes, itself or in its components."""

    def __init__(self, segment: Segment, element: Element, delimiters: Delimiters, lists: Lists) -> None:
        self.segment = segment
        self.element = element
        self.delimiters = delimiters
        self.lists = lists
        before = segment.elements[element.position - 2] if element.position > 1 else None
        self.behind_qualifier = bool(before and before.data.number == _QUALIFIER and element.data.number == _IDENTIFIER)
        # The list depends on the element before it: without one, there is nothing to look up.
        self.chosen_by_before = self.behind_qualifier or (
            element.external is not None and list_for(element.external) is None
        )
        self.repeats = element.repeat > 1 and bool(delimiters.repetition)
        parts = tuple((c.position, c.external) for c in element.components if c.external and c.usage != "N")
        own = (self.behind_qualifier, element.external, bool(element.components), self.repeats)
        self.number = _number((*own, parts, delimiters.component, delimiters.repetition))

    def list_of(self, qualifier: str) -> str | None:
        """The list of the element's own value."""
        if self.behind_qualifier:
            return _NPI.get(qualifier)
        return list_for(self.element.external or "", qualifier)

    @property
    def only(self) -> str | None:
        """The one code of the element before with which there is something to look up; None where there is no such one."""
        return next(iter(_NPI)) if self.behind_qualifier else None

    def good(self, known: Known) -> set[str]:
        """The values that are known to be good here; where the element before chooses the list, behind `only`."""
        return known[self.number, _NPI[self.only]] if self.only else known[self.number]

    def admits(self, walk: Walk, before: str, text: str | None, good: set[str]) -> bool:
        """Whether a value is good whatever else the claim says, behind what stands before it; it is remembered then."""
        for coded in self.coded(before, text or ""):
            dated, service, value = self.lists.dated(coded.list), walk.service, coded.value.rstrip(" ")
            if self.lists.check(coded.list, value, walk.day if dated == "production" else "") is not None:
                return False
            if dated == "service" and service is not None and not service.is_certain(coded.list, value):
                return False
        if text and len(text) <= _LENGTH_MAX:
            if len(good) >= _VALUES_MAX:
                good.clear()
            good.add(text)
        return True

    def passes(self, walk: Walk, before: str | None, text: str | None) -> bool:
        """`admits` where what stands before chooses the list."""
        if not text or (name := self.list_of(before or "")) is None:
            return True
        good = walk.known[self.number, name]
        return text in good or self.admits(walk, before or "", text, good)

    def lines(self) -> list[str]:
        """The source that asks for the value of a clean segment."""
        at, number = self.element.position, self.number
        good, place = f"walk.known[{number}]", f"place{at}"
        if self.only:
            asked = f"size > {at} and row[{at - 1}] == {self.only!r}"
            good = f"walk.known[{number}, {_NPI[self.only]!r}]"
        elif self.chosen_by_before:
            asked = f"size > {at} and (name := {place}.list_of(row[{at - 1}]))"
            good = f"walk.known[{number}, name]"
        elif self.element.usage == "R":
            return [f"if row[{at}] not in {good}: {place}.look(walk, row, row[{at}], {good})"]
        else:
            asked = f"size > {at} and row[{at}]"
        return [f"if {asked} and row[{at}] not in {good}: {place}.look(walk, row, row[{at}], {good})"]

    def coded(self, before: str, text: str) -> list[_Coded]:
        """The values at this place that belong to a list, behind what stands before it."""
        element, found = self.element, list[_Coded]()
        texts = text.split(self.delimiters.repetition) if self.repeats else [text]
        for index, one in enumerate(texts, 1):
            repeat = index if len(texts) > 1 else None
            if not element.components:
                name = self.list_of(before)
                if name is not None and one:
                    found.append(_Coded(element, None, repeat, name, one))
                continue
            parts = [*one.split(self.delimiters.component), ""]
            for component in element.components[: len(parts) - 1]:
                value = parts[component.position - 1]
                if value and component.external and component.usage != "N":
                    at = _QUALIFIED_BY.get(component.external, 1)
                    name = list_for(component.external, parts[at - 1] if at <= len(parts) else "")
                    if name is not None:
                        found.append(_Coded(component, component.position, repeat, name, value))
        return found

    def look(self, walk: Walk, row: Sequence[str], text: str, good: set[str]) -> None:
        """A value that is not known to be good."""
        element, fine = self.element, True
        if element.external == "state" and row[0] == "N4" and (row[4:5] or [""])[0] not in _STATES_OF:
            return
        if element.position in walk.faulted:
            return
        for coded in self.coded(row[element.position - 1], text):
            name, value = coded.list, coded.value.rstrip(" ")
            dated, service = self.lists.dated(name), walk.service
            reason = self.lists.check(name, value, walk.day if dated == "production" else "")
            if reason in _BY_DAY and service is not None and service.repeats:
                fine = False
            elif reason is not None:
                fine = False
                self.find(walk, coded, reason, walk.position)
            elif dated == "service" and service is not None:
                fine = not service.hold(name, value, walk.begun, (self, coded, walk.position)) and fine
        if fine and len(text) <= _LENGTH_MAX:
            if len(good) >= _VALUES_MAX:
                good.clear()
            good.add(text)

    def find(self, walk: Walk, coded: _Coded, reason: Reason, position: int) -> None:
        """Word what is wrong with a value of the segment at this position."""
        segment, element, part = self.segment, self.element, coded.part
        place = f"{segment.id}{element.position:02d}" + (f"-{coded.component}" if coded.component else "")
        walk.found(
            Finding(
                5,
                "element",
                _CODES.get(reason, "7"),
                f"{place} {part.name} {self.lists.message(coded.list, reason)}.",
                self.lists.severity(coded.list, reason, walk.usage),
                segment.loop.id,
                segment.id,
                position,
                element.position,
                coded.component,
                coded.repeat,
                part.data.number,
            )
        )


def settle(walk: Walk) -> None:
    """A claim ends: tell of the codes that were good on none of its days of service."""
    if walk.service is not None:
        for (place, coded, position), reason in walk.service.settle():
            place.find(walk, coded, reason, position)


def places_of(segment: Segment, delimiters: Delimiters, lists: Lists) -> list[CodePlace]:
    """The elements of a segment at a place of a guide that have external codes."""
    places = [CodePlace(segment, e, delimiters, lists) for e in segment.elements if e.usage != "N"]
    return [
        p
        for p in places
        if p.behind_qualifier or p.element.external or any(c.external and c.usage != "N" for c in p.element.components)
    ]


def checking(places: Sequence[CodePlace]) -> Row:
    """What checks the codes at some places of a segment, its elements at hand, that may have anything in it."""
    plain = [(p.element.position, p.number, p) for p in places if not p.chosen_by_before]
    chosen = [(p.element.position, p.number, p) for p in places if p.chosen_by_before]

    def check(walk: Walk, row: list[str], clean: bool) -> None:
        size, known = len(row), walk.known
        for element, number, place in plain:
            if element >= size:
                break
            text = row[element]
            if text:
                good = known[number]
                if text not in good:
                    place.look(walk, row, text, good)
        for element, number, place in chosen:
            if element < size and (name := place.list_of(row[element - 1])):
                good = known[number, name]
                if row[element] not in good:
                    place.look(walk, row, row[element], good)

    return check

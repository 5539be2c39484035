"""Level 5 for one segment: which of its elements hold external codes, and what is wrong with them on a day.

`code_judge` is made once for a segment of a guide, its delimiters and some lists, and called for every such segment of a file;
where nothing is wrong it splits the segment once and looks each code up. `code_findings` words what it tells.

Sources: the guides' qualifiers (which list an element is from), 005010X231A1 (IK403 7 code value, I12 pattern).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from x12.codes.forms import list_for
from x12.codes.lists import Lists, Reason
from x12.finding import Finding
from x12.guides import Component, Segment
from x12.syntax import Delimiters

__all__ = ["Days", "Fault", "code_findings", "code_judge", "code_places"]


class Days(NamedTuple):
    """The days codes must be good on, CCYYMMDD, by what `Lists.dated` says; "" where one is not known."""

    service: str = ""
    production: str = ""


class CodePlace(NamedTuple):
    """An element or component with an external list; `lists` are its possible lists by qualifier, "" for any other."""

    element: int
    component: int | None
    repeats: bool
    qualifier: tuple[int, int | None] | None
    lists: Mapping[str, str]
    part: Component


class Fault(NamedTuple):
    """One value that is wrong: where it stands, which list it is not on, and how."""

    place: CodePlace
    repeat: int | None
    list: str
    reason: Reason


def _qualifier(
    segment: Segment, element: int, component: int | None
) -> tuple[tuple[int, int | None], Component] | None:
    """The coded place that says which list a place is from: within its composite, else the element before, else the first."""
    if component is not None:
        parts = segment.elements[element - 1].components
        order = (*reversed(parts[: component - 1]), *parts[component:])
        found = next((p for p in order if p.codes), None)
        if found is not None:
            return (element, found.position), found
    for other in (segment.elements[element - 2] if element > 1 else None, segment.elements[0]):
        if other is not None and other.codes and other.position != element:
            return (other.position, None), other
    return None


@lru_cache(8192)
def code_places(segment: Segment) -> tuple[CodePlace, ...]:
    """The elements and components of a guide's segment that have an external list which is known."""
    found: list[CodePlace] = []
    for element in segment.elements:
        parts: tuple[Component, ...] = element.components or (element,)
        for part in parts:
            if part.external is None:
                continue
            component = part.position if element.components else None
            chosen = _qualifier(segment, element.position, component)
            by = {"": list_for(part.external)}
            if chosen is not None:
                by |= {code: list_for(part.external, code) for code in chosen[1].codes or ()}
            lists = {code: name for code, name in by.items() if name is not None}
            if lists:
                where = chosen[0] if chosen is not None and len(set(by.values())) > 1 else None
                found.append(CodePlace(element.position, component, element.repeat > 1, where, lists, part))
    return tuple(found)


# A list's own words on a value, the day it looks at (an index of `Days`, None for no day), and its name.
_Listed = tuple[Callable[[str, str], Reason | None], int | None, str]


def code_judge(segment: Segment, delimiters: Delimiters, lists: Lists) -> Callable[[str, Days], list[Fault]] | None:
    """A function from the raw segment and the days to what is wrong with its codes; None where it has none to judge.

    What an element says is remembered while it is clean: codes are few, and come again and again.
    """
    elements: dict[int, list[CodePlace]] = {}
    for place in code_places(segment):
        elements.setdefault(place.element, []).append(place)
    if not elements:
        return None
    steps = tuple(_step(places, delimiters, lists) for places in elements.values())
    separator = delimiters.element
    memory: dict[Days, tuple[set[str], ...]] = {}

    def judge(raw: str, days: Days) -> list[Fault]:
        values = raw.split(separator)
        count = len(values)
        faults: list[Fault] = []
        clean = memory.get(days)
        if clean is None:
            if len(memory) >= _DAYS_MAX:
                memory.clear()
            clean = memory[days] = tuple(set[str]() for _ in steps)
        for (position, outside, look), known in zip(steps, clean, strict=True):
            if position < count and (text := values[position]):
                said = values[outside] if outside else ""
                key = text + separator + said if outside else text
                if key in known:
                    continue
                found = look(text, said, days)
                if found:
                    faults += found
                elif len(known) < _CLEAN_MAX:
                    known.add(key)
        return faults

    return judge


# What is remembered is bounded: a file may hold any number of days and codes.
_DAYS_MAX = 64
_CLEAN_MAX = 4096


def _step(
    places: list[CodePlace], delimiters: Delimiters, lists: Lists
) -> tuple[int, int, Callable[[str, str, Days], list[Fault]]]:
    """(element, element of the qualifier outside or 0, what is wrong with the element's text) for the places of one element."""
    days = {name: index for index, name in enumerate(Days._fields)}
    listed: list[tuple[CodePlace, dict[str, _Listed]]] = [
        (p, {code: (lists.checker(n), days.get(lists.dated(n)), n) for code, n in p.lists.items()}) for p in places
    ]
    element = places[0].element
    outside = next((p.qualifier[0] for p in places if p.qualifier and p.qualifier[1] is None), 0)
    component, repetition = delimiters.component, delimiters.repetition
    repeats = places[0].repeats and bool(repetition)

    def look(text: str, said: str, on: Days) -> list[Fault]:
        faults: list[Fault] = []
        texts = text.split(repetition) if repeats else [text]
        for number, one in enumerate(texts, 1):
            parts = one.split(component)
            for place, checks in listed:
                at = (place.component or 1) - 1
                if at >= len(parts) or not (value := parts[at]):
                    continue
                chosen = checks.get(_qualified(place, parts, said)) or checks.get("")
                if chosen is None:
                    continue
                check, day, name = chosen
                # Spaces behind a value are level 1's affair.
                reason = check(value.rstrip(" "), on[day] if day is not None else "")
                if reason is not None:
                    faults.append(Fault(place, number if len(texts) > 1 else None, name, reason))
        return faults

    return element, outside, look


def _qualified(place: CodePlace, parts: list[str], said: str) -> str:
    """What the qualifier of a place says: a component beside it, or an element outside."""
    if place.qualifier is None:
        return ""
    component = place.qualifier[1]
    if component is None:
        return said
    return parts[component - 1] if component <= len(parts) else ""


def code_findings(
    segment: Segment, faults: list[Fault], position: int, lists: Lists, usage: str = "P"
) -> list[Finding]:
    """The faults of a segment as findings; `usage` is ISA15."""
    found: list[Finding] = []
    for place, repeat, name, reason in faults:
        shown = f"{segment.id}{place.element:02d}" + (f"-{place.component}" if place.component else "")
        found.append(
            Finding(
                5,
                "element",
                "I12" if reason in ("form", "check digit") else "7",
                f"{shown} {place.part.name} {lists.message(name, reason)}.",
                lists.severity(name, reason, usage),
                segment.loop.id,
                segment.id,
                position,
                place.element,
                place.component,
                repeat,
                place.part.data.number,
            )
        )
    return found

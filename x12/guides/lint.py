"""The guide linter: what in a table contradicts itself, or leaves open which place a segment is meant for.

The walk finds a segment's place by its id, its qualifier (the first element, HL03 of a level) and what came before. Where two
places answer to the same id and qualifier, one of them is taken, and the remark says which. Such places are in the guides
themselves; all others are mistakes of a table, or of a companion guide that patches one.

Source: the places that stupidedi's linter looks for, X12.6 (syntax notes, lengths).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from x12.guides import Component, Element, Guide, Loop, Note, Segment, Standard, standard

__all__ = ["Kind", "Remark", "ambiguities", "contradictions", "lint"]

Kind = Literal[
    "second element",
    "hidden",
    "rest",
    "inner",
    "code",
    "length",
    "repeat",
    "usage",
    "note",
    "period",
    "opener",
    "list",
]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a table leaves open or says wrong. `place` is written as the guides do: `2400 PWK`, `2300 CLM05-1`."""

    kind: Kind
    place: str
    message: str


def lint(guide: Guide, dictionary: Standard | None = None, lists: Collection[str] | None = None) -> list[Remark]:
    """Everything remarkable in a table; `lists` are the external code lists that are known, None where any may be named."""
    return [*ambiguities(guide), *contradictions(guide, dictionary, lists)]


# --- what cannot be told apart ------------------------------------------------------------------------------------------


def ambiguities(guide: Guide) -> list[Remark]:
    """Places that answer to one id and qualifier, each pair once, however often its loop stands in the guide."""
    found = (r for loop in guide.loops() for r in (*_siblings(loop), *_outwards(loop)))
    return list(dict.fromkeys(found))


def _siblings(loop: Loop) -> Iterator[Remark]:
    for number, one in enumerate(loop.children):
        # The segment that opens this loop stands for another repeat of it, which is the matter of `_outwards`.
        for other in loop.children[number + 1 :] if number or loop.parent is None else ():
            here, there = _first(one), _first(other)
            shared = _shared(here, there)
            if shared is not None:
                together = one.position == other.position and type(one) is type(other)
                yield _pair(loop, here, there, shared, together)


def _pair(loop: Loop, here: Segment, there: Segment, shared: frozenset[str], together: bool) -> Remark:
    place, codes = f"{loop.id} {here.id}", " ".join(sorted(shared))
    if (here.qualifier is None) != (there.qualifier is None):
        rest, named = (here, there) if here.qualifier is None else (there, here)
        return Remark("rest", place, f"{rest.name} takes every {here.id} that {named.name} does not name.")
    element = _deciding(here, there) if together and shared else 0
    if element:
        return Remark(
            "second element", place, f"{codes} may be {here.name} or {there.name}: {here.id}{element:02d} decides."
        )
    return Remark(
        "hidden", place, f"{codes or 'any'} is always {here.name}: {there.name} can only be reached from behind it."
    )


def _outwards(loop: Loop) -> Iterator[Remark]:
    """What stands in a loop and could as well stand after it, or begin it or one around it again: the inner place is taken."""
    branch, outer = loop, loop.parent
    while outer is not None:
        for child in outer.children:
            if child.position < branch.position or (child is branch and branch.repeat == 1):
                continue
            for inner in loop.children[1:]:
                here, there = _first(inner), _first(child)
                shared = _shared(here, there)
                if shared is not None and here is not there:
                    codes = " ".join(sorted(shared)) or "any"
                    yield Remark(
                        "inner",
                        f"{loop.id} {here.id}",
                        f"{codes} is {here.loop.id} {here.name} here, never {there.loop.id} {there.name} of {outer.id}.",
                    )
        branch, outer = outer, outer.parent


def _first(child: Segment | Loop) -> Segment:
    return child.first if isinstance(child, Loop) else child


def _shared(here: Segment, there: Segment) -> frozenset[str] | None:
    """The codes that both answer to, none where one of them takes any; None where they can be told apart."""
    if here.id != there.id:
        return None
    mine, theirs = here.qualifier, there.qualifier
    if mine is None or theirs is None:
        return frozenset()
    return ((mine.codes or frozenset()) & (theirs.codes or frozenset())) or None


def _deciding(here: Segment, there: Segment) -> int:
    """The first further element that both must have with codes of their own; 0 where there is none."""
    for one, other in zip(here.elements, there.elements, strict=True):
        if one.usage == other.usage == "R" and one.codes and other.codes and not one.codes & other.codes:
            return one.position
    return 0


# --- what contradicts itself --------------------------------------------------------------------------------------------


def contradictions(
    guide: Guide, dictionary: Standard | None = None, lists: Collection[str] | None = None
) -> list[Remark]:
    """What no transaction set can keep, or what says nothing: none of it belongs into a table."""
    found: list[Remark] = []
    for loop in guide.loops():
        found += _loop(loop)
    uses = (dictionary or standard()).segments
    for segment in guide.segments:
        place = f"{segment.loop.id} {segment.id}"
        found += _usage(place, segment)
        found += _notes(place, segment.notes, segment.elements)
        found += _periods(place, segment.elements)
        for element, use in zip(segment.elements, uses[segment.id][0], strict=True):
            named = f"{place}{element.position:02d}"
            if element.usage != "N" and element.repeat > use.repeat:
                found.append(Remark("repeat", named, f"repeats {element.repeat} times, in the standard {use.repeat}."))
            if element.usage == "N":
                continue
            found += _values(named, element, lists)
            if element.components:
                found += _notes(named, element.notes, element.components)
                found += _periods(named, element.components)
            for component in element.components:
                found += _values(f"{named}-{component.position}", component, lists)
    return list(dict.fromkeys(found))


def _loop(loop: Loop) -> Iterator[Remark]:
    head = loop.children[0] if loop.children else None
    if not isinstance(head, Segment):
        yield Remark("opener", loop.id, "begins with no segment, so that nobody can tell where it begins.")
    elif (head.usage, head.repeat) != ("N" if loop.usage == "N" else "R", 1):
        yield Remark(
            "opener", loop.id, f"begins with {head.id} {head.usage} {head.repeat}: where the loop is, it is once."
        )
    for thing in (loop, *(c for c in loop.children if isinstance(c, Segment))):
        if thing.repeat < 1:
            yield Remark("repeat", f"{loop.id} {thing.name}", "may never occur: its usage says that.")


def _usage(place: str, segment: Segment) -> Iterator[Remark]:
    if segment.usage != "N" and all(e.usage == "N" for e in segment.elements):
        yield Remark("usage", place, "is used, but none of its elements is.")
    for element in segment.elements:
        named = f"{place}{element.position:02d}"
        used = [c.position for c in element.components if c.usage != "N"]
        if element.usage == "N" and used:
            yield Remark("usage", f"{named}-{used[0]}", "is used inside an element that is not.")
        required = any(c.usage == "R" for c in element.components) or any(
            note.kind == "R" and set(note.positions) & set(used) for note in element.notes
        )
        if element.components and element.usage != "N" and not required:
            yield Remark("usage", named, "requires none of its components: it could be there and say nothing.")


def _values(place: str, part: Component, lists: Collection[str] | None) -> Iterator[Remark]:
    if part.usage == "N" or (isinstance(part, Element) and part.components):
        return
    if not part.data.min <= part.min <= part.max <= part.data.max:
        yield Remark(
            "length", place, f"has lengths {part.min}/{part.max}, in the standard {part.data.min}/{part.data.max}."
        )
    for code in sorted(part.codes or ()):
        if not part.min <= len(code) <= part.max:
            yield Remark(
                "code", place, f"has a code of {len(code)} characters, which its lengths {part.min}/{part.max} forbid."
            )
    if part.codes is not None and not part.codes:
        yield Remark("code", place, "has a list of codes with nothing on it.")
    if part.external is not None and lists is not None and part.external not in lists:
        yield Remark("list", place, f"names the list {part.external}, which nobody knows.")


def _periods(place: str, parts: Sequence[Component]) -> Iterator[Remark]:
    for before, part in pairwise((None, *parts)):
        dated = part is not None and part.data.number == "1251" and part.usage != "N"
        if dated and (before is None or before.data.number != "1250" or not before.codes):
            yield Remark("period", place, "has a date whose format no qualifier before it names.")


def _notes(place: str, notes: Iterable[Note], parts: Iterable[Component]) -> Iterator[Remark]:
    usage = {part.position: part.usage for part in parts}
    for note in notes:
        first, others = note.positions[0], note.positions[1:]
        required = [p for p in note.positions if usage[p] == "R"]
        unused = [p for p in note.positions if usage[p] == "N"]
        broken = {
            "P": bool(required and unused),
            "C": usage[first] == "R" and any(usage[p] == "N" for p in others),
            "E": len(required) > 1,
            "R": len(unused) == len(note.positions) and any(u != "N" for u in usage.values()),
            "L": usage[first] == "R" and all(usage[p] == "N" for p in others),
        }
        if broken[note.kind]:
            positions = "".join(f"{p:02d}" for p in note.positions)
            yield Remark("note", place, f"can never keep the syntax note {note.kind}{positions}.")

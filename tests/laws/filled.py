"""Valid documents out of chance: every field of a type gets a value that the guide allows at the field's place.

How many of the optional fields are filled is the caller's choice (`richness`, 0 to 1). What one segment needs (required
elements, syntax notes, repeats) is kept; what several segments need together is the caller's affair.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, TypeVar

from x12.documents.binding import Bound, Document, Place, Plan, plan_of
from x12.guides import Component, Guide, Loop, Segment

D = TypeVar("D", bound=Document)
Leaf = tuple[tuple[str, ...], Bound]
# Some of what many files use as delimiters is data here; one of each kind stays free.
TEXT = string.ascii_letters + string.digits + "*:^>-.,'&()/#+=$"
_PERSONAL = ("first_name", "middle_name", "suffix")
_IN_SEGMENT = ("part", "inside", "segments", "rows", "nowhere", "meaning")


class Filler:
    """Fills documents of one guide from a seed."""

    def __init__(self, guide: Guide, seed: int, richness: float) -> None:
        self.guide = guide
        self.random = Random(seed)
        self.richness = richness

    def maybe(self) -> bool:
        return self.random.random() < self.richness

    def document(self, cls: type[D], loop_id: str) -> D:
        """A document of a type that is bound to a loop."""
        return self.built(plan_of(cls), self.guide.loop(loop_id), None)

    def built(self, plan: Plan, loop: Loop, row: tuple[Segment, Place, int] | None) -> Any:
        """A document bound to a loop; with `row`, one bound to a segment, or to its elements after an offset."""
        values: dict[tuple[str, ...], Any] = {}
        groups: dict[int, tuple[Segment, int, dict[tuple[str, ...], list[Leaf]]]] = {}
        for names, field in leaves(plan):
            place = field.spec.place
            kind = field.spec.kind
            if kind == "inside":
                self.inside(field, names, loop, values)
            elif place is not None and kind not in _IN_SEGMENT:
                segment = row[0] if row else self.segment(place, loop)
                offset = row[2] if row else 0
                found = groups.setdefault(segment.index, (segment, offset, {}))
                found[2].setdefault(place.qualifiers, []).append((names, field))
            elif kind in ("segments", "rows") and place is not None:
                segment = self.segment(place, loop)
                most = min(segment.repeat, 3)
                count = self.random.randint(1, most) if segment.usage == "R" or self.maybe() else 0
                item = self.item if kind == "segments" else self.items
                items = [item(field, loop, (segment, place, 0)) for _ in range(count)]
                if items:
                    values[names] = items
        for segment, offset, choices in groups.values():
            self.fill(segment, offset, list(choices.values()), loop, values, always=row is not None)
        return assembled(plan, values)

    def inside(self, field: Bound, names: tuple[str, ...], loop: Loop, values: dict[tuple[str, ...], Any]) -> None:
        assert field.plan is not None
        inner = next((c for c in loop.children if isinstance(c, Loop) and c.id in field.spec.loops), None)
        inner = inner or self.guide.loop(field.spec.loops[0])
        if inner.usage != "R" and not self.maybe():
            return
        if field.many:
            count = self.random.randint(1, min(inner.repeat, 2))
            values[names] = [self.built(field.plan, inner, None) for _ in range(count)]
        else:
            made = self.built(field.plan, inner, None)
            if made != field.plan.cls():
                values[names] = made

    def item(self, field: Bound, loop: Loop, row: tuple[Segment, Place, int]) -> Any:
        if field.plan is not None:
            return self.built(field.plan, loop, row)
        segment, place, _ = row
        return self.value(part_at(segment, place.element, place.component))

    def items(self, field: Bound, loop: Loop, row: tuple[Segment, Place, int]) -> list[Any]:
        """What one segment holds of a list of lists."""
        segment, place, _ = row
        room = range(place.element, field.spec.last + 1)
        chosen = room[: self.random.randint(1, len(room) if self.maybe() else 1)]
        if field.plan is None:
            return [self.value(part_at(segment, e, 2)) for e in chosen]
        return [self.built(field.plan, loop, (segment, place, e - 1)) for e in chosen]

    def segment(self, place: Place, loop: Loop) -> Segment:
        where = self.guide.loop(place.loops[0]) if place.loops else loop
        same = [c for c in where.children if isinstance(c, Segment) and c.id == place.segment]
        # The second of two places with one qualifier (837P PWK of 2400) is the one that some condition asks for.
        for element, component, allowed in place.conditions:
            named = [s for s in same if set(allowed.split("|")) & (part_at(s, element, component).codes or set())]
            same = named or same
        if place.qualifiers:
            return next(s for s in same if s.qualifier and place.qualifiers[0] in (s.qualifier.codes or ()))
        return same[0]

    def fill(
        self,
        segment: Segment,
        offset: int,
        choices: list[list[Leaf]],
        loop: Loop,
        values: dict[tuple[str, ...], Any],
        *,
        always: bool,
    ) -> None:
        """Values for the fields of one place of the guide; `choices` differ in their qualifiers."""
        self.random.shuffle(choices)
        least = 1 if segment.usage == "R" or always else 0
        chosen = [c for i, c in enumerate(choices) if i < least or self.maybe()][: segment.repeat]
        for fields in chosen:
            fields = self.one_name(fields)
            contacts = [f for f in fields if f[1].spec.kind == "contact"]
            others = [f for f in fields if f[1].spec.kind != "contact"]
            for names, field in self.kept(segment, offset, others):
                value = self.field(segment, offset, field, loop)
                if value is not None:
                    values[names] = value
            further = [c for c in contacts[1:] if self.maybe()]
            self.random.shuffle(further)
            for names, _ in contacts[:1] + further[: 2 if segment.repeat == 1 else None]:
                values[names] = self.characters(string.digits, 5, 10)

    def one_name(self, fields: list[Leaf]) -> list[Leaf]:
        """A person or an organization, where the fields have both."""
        kinds = {v for _, f in fields for e, _, v in conditions(f) if e == 2 and v in ("1", "2")}
        if kinds != {"1", "2"}:
            return fields
        kind = self.random.choice(("1", "2"))
        fields = [f for f in fields if not any(e == 2 and v != kind for e, _, v in conditions(f[1]))]
        return fields if kind == "1" else [f for f in fields if f[0][-1] not in _PERSONAL]

    def kept(self, segment: Segment, offset: int, fields: list[Leaf]) -> list[Leaf]:
        """Required elements and some others, so that the syntax notes hold."""
        by_element: dict[int, list[Leaf]] = {}
        for leaf in fields:
            place = leaf[1].spec.place
            assert place is not None
            by_element.setdefault(place.element + offset, []).append(leaf)
        whole = {e for e in by_element if segment.elements[e - 1].usage == "R" or self.maybe()}
        for note in segment.notes:
            free = [e for e in note.positions if e in by_element]
            present = [e for e in note.positions if e in whole]
            if note.kind == "E":
                whole -= set(present[1:])
            elif note.kind == "R" and not present:
                whole |= set(free[:1])
            elif (note.kind == "P" and present) or (note.kind == "C" and note.positions[0] in whole):
                whole |= set(free)
            elif note.kind == "L" and note.positions[0] in whole and len(present) == 1:
                whole |= set(free[:2])
        kept: list[Leaf] = []
        for element in sorted(whole):
            for leaf in by_element[element]:
                place = leaf[1].spec.place
                assert place is not None
                part = part_at(segment, element, place.component)
                first = leaf[1].spec.kind in ("start", "groups")
                if leaf[1].spec.kind == "end":
                    begins = (other[1].spec for other in by_element[element] if other[1].spec.kind == "start")
                    if any(s.value and s.place == place for s in begins) or self.maybe():
                        kept.append(leaf)
                elif not place.component or part.usage == "R" or first or self.maybe():
                    kept.append(leaf)
        return kept

    def field(self, segment: Segment, offset: int, field: Bound, loop: Loop) -> Any:
        spec, place = field.spec, field.spec.place
        assert place is not None
        element = place.element + offset
        part = part_at(segment, element, place.component)
        match spec.kind:
            case "flag":
                return True
            case "yes or no":
                return self.maybe()
            case "start" | "end":
                return self.day()
            case "period":
                return self.day()
            case "each":
                first = place.component or element
                room = range(first, spec.last + 1)
                parts = [part_at(segment, element, n) if place.component else part_at(segment, n, 0) for n in room]
                return [self.value(p) for p in parts[: self.random.randint(1, len(parts))]]
            case "composites":
                room = range(element, spec.last + 1)
                return [self.value(part_at(segment, e, 2)) for e in room[: self.random.randint(1, len(room))]]
            case "groups":
                if field.plan is None:
                    room = spec.starts[: self.random.randint(1, len(spec.starts))]
                    return [self.value(part_at(segment, e, 0)) for e in room]
                starts = list(spec.starts or range(element, spec.last + 1, spec.size))
                count = self.random.randint(1, len(starts) if self.maybe() else 1)
                return [self.built(field.plan, loop, (segment, place, s - 1)) for s in starts[:count]]
            case _:
                if field.integer:
                    return self.random.randint(1, 999)
                if any(v == "TM" for _, _, v in place.written):
                    return f"{self.random.randrange(24):02d}{self.random.randrange(60):02d}"
                mine = next((v for e, c, v in place.conditions if (e, c) == (place.element, place.component)), None)
                return self.random.choice(mine.split("|")) if mine else self.value(part)

    def value(self, part: Component) -> str:
        least, most = part.min, part.max
        if part.codes:
            return self.random.choice(sorted(part.codes))
        kind = part.data.type
        if kind == "DT" or part.data.number == "1251":
            return self.day()
        if kind == "R":
            whole = self.characters(string.digits, 1, min(most, 6)).lstrip("0") or "0"
            return f"{whole}.{self.random.randint(1, 9)}" if self.maybe() and most > len(whole) else whole
        if kind.startswith("N"):
            return str(self.random.randint(1, 10 ** min(most, 6) - 1))
        if kind == "ID" or part.external:
            return self.characters(string.ascii_uppercase + string.digits, least, most)
        return self.characters(TEXT, least, most)

    def day(self) -> str:
        return f"{date(1950, 1, 1) + timedelta(self.random.randrange(33_000)):%Y%m%d}"

    def characters(self, alphabet: str, least: int, most: int) -> str:
        size = most if self.random.random() < 0.05 else self.random.randint(least, max(least, min(most, 9)))
        return "".join(self.random.choices(alphabet, k=size))


def conditions(field: Bound) -> Sequence[tuple[int, int, str]]:
    return field.spec.place.conditions if field.spec.place is not None else ()


def part_at(segment: Segment, element: int, component: int) -> Component:
    whole = segment.elements[element - 1]
    return whole.components[component - 1] if component else whole


def leaves(plan: Plan, names: tuple[str, ...] = ()) -> list[Leaf]:
    """The fields of a type and of the structs that are parts of it, each with its attributes."""
    found: list[Leaf] = []
    for field in plan.fields:
        if field.spec.kind == "part" and field.plan is not None:
            found += leaves(field.plan, (*names, field.name))
        else:
            found.append(((*names, field.name), field))
    return found


def assembled(plan: Plan, values: dict[tuple[str, ...], Any]) -> Any:
    """The document of a plan with its parts, of which those without a value are absent."""
    made: dict[str, Any] = {names[0]: value for names, value in values.items() if len(names) == 1}
    for field in plan.fields:
        if field.spec.kind == "part" and field.plan is not None:
            inner = {names[1:]: value for names, value in values.items() if names[0] == field.name}
            if inner:
                made[field.name] = assembled(field.plan, inner)
    return plan.cls(**made)

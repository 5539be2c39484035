"""Writes typed documents as segments of a guide: the other direction of `x12.documents.binding`.

Fields go to their places in draft loops; the guide gives the order, the hierarchical levels and every element that only
one code can fill. What comes out is walked like anything received, and each finding is given the field it comes from.

X12 has no escape character: a value that X12 cannot carry is refused with its field's path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, cast

import msgspec

from x12.discreet import Discreet
from x12.documents.binding import Bound, Document, Place, Plan, parse_place, plan_of
from x12.finding import Finding
from x12.guides import Component, Guide, Loop, Segment
from x12.syntax import CANONICAL, unwritable_character
from x12.walk import Walk, compiled

__all__ = ["DraftLoop", "Writer", "Written", "places"]


_ANY_NUMBER = re.compile(r"\[\d+\]")
# Lists whose items share a segment.
_LISTED = ("groups", "rows")
# CCYYMMDDHHMM
_MOMENT_LENGTH = 12


class _DraftSegment:
    """A segment being written: values by (element, component, repetition), and the fields they came from."""

    __slots__ = ("id", "paths", "qualifiers", "values")

    def __init__(self, segment_id: str, qualifiers: tuple[str, ...]) -> None:
        self.id = segment_id
        self.qualifiers = qualifiers
        self.values: dict[tuple[int, int, int], str] = {}
        self.paths: dict[tuple[int, int, int], tuple[str, str]] = {}

    def has(self, element: int) -> bool:
        return any(e == element for e, _, _ in self.values)

    def pair(self) -> int:
        """Of a PER, the first element of a free pair of qualifier and number; 0 when there is none."""
        return next((i for i in (3, 5, 7) if (i, 0, 0) not in self.values), 0)

    def text(self) -> str:
        """The segment with canonical separators."""
        values = self.values
        if not values:
            return self.id
        parts = [self.id, *[""] * max(values)[0]]
        parted: dict[int, dict[int, dict[int, str]]] = {}
        for (element, component, repetition), value in values.items():
            if component or repetition:
                parted.setdefault(element, {}).setdefault(repetition, {})[component] = value
            else:
                parts[element] = value
        for element, repetitions in parted.items():
            if parts[element]:
                repetitions.setdefault(0, {})[0] = parts[element]
            parts[element] = CANONICAL.repetition.join(_composite(c) for _, c in sorted(repetitions.items()))
        return CANONICAL.element.join(parts)


def _composite(components: Mapping[int, str]) -> str:
    """One repetition: the whole element where that is what was written, else its components."""
    whole = components.get(0)
    if whole is not None:
        return whole
    return CANONICAL.component.join(components.get(c, "") for c in range(1, max(components) + 1))


class DraftLoop:
    """A loop being written. `path` is the JSON path of the struct that fills it."""

    __slots__ = ("_single", "children", "loop", "parent", "path", "segments")

    def __init__(self, loop: Loop, parent: DraftLoop | None, path: str) -> None:
        self.loop = loop
        self.parent = parent
        self.path = path
        self.segments: list[_DraftSegment] = []
        self.children: list[DraftLoop] = []
        self._single: dict[tuple[str, tuple[str, ...]], _DraftSegment] = {}

    def segment(self, segment_id: str, qualifiers: tuple[str, ...] = ()) -> _DraftSegment:
        """The one segment with this id and qualifier, begun if need be."""
        key = (segment_id, qualifiers)
        found = self._single.get(key)
        if found is None:
            found = self._single[key] = self.another(segment_id, qualifiers)
        return found

    def another(self, segment_id: str, qualifiers: tuple[str, ...] = ()) -> _DraftSegment:
        made = _DraftSegment(segment_id, qualifiers)
        self.segments.append(made)
        return made

    def with_room(self, first: _DraftSegment) -> _DraftSegment:
        """This PER, or another one after it, with room for one more communication number."""
        same = (s for s in self.segments if s.id == first.id and s.qualifiers == first.qualifiers)
        return next((s for s in same if s.pair()), None) or self.another(first.id, first.qualifiers)

    def put(self, place: str, value: str) -> None:
        """Write a constant, such as a date of the header."""
        where = parse_place(place)
        self.segment(where.segment, where.qualifiers).values[where.element, where.component, 0] = value

    def add(self, loop_id: str, path: str = "") -> DraftLoop:
        """One more occurrence of a loop directly inside; KeyError when the guide has none."""
        made = DraftLoop(_inner(self.loop)[loop_id], self, path or self.path)
        self.children.append(made)
        return made

    def near(self, loop_ids: Sequence[str], path: str = "") -> DraftLoop:
        """The nearest loop in scope with one of these ids (this one, inside, beside or above), begun if the guide has it there."""
        here: DraftLoop | None = self
        while here is not None:
            if here.loop.id in loop_ids:
                return here
            possible = [loop_id for loop_id in _inner(here.loop) if loop_id in loop_ids]
            if possible:
                begun = next((c for c in here.children if c.loop.id in possible), None)
                return begun or here.add(possible[0], path)
            here = here.parent
        raise KeyError("|".join(loop_ids))


@cache
def _inner(loop: Loop) -> dict[str, Loop]:
    """The loops directly inside, by id."""
    return {c.id: c for c in loop.children if isinstance(c, Loop)}


class Written(Discreet):
    """A transaction set as segments with CANONICAL separators, and what is wrong with it, each finding with its field path."""

    segments: list[str]
    findings: list[Finding]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


class Writer:
    """Writes documents into one transaction set of a guide.

    Fill `root` (and the loops under it) with `write`, then `finish` gives the segments, judged. The caller adds what no
    document carries (BHT, levels without fields) with `put` and `add`.
    """

    def __init__(self, guide: Guide, control_number: str = "0001") -> None:
        self.guide = guide
        self.root = DraftLoop(guide.root, None, "")
        self.control_number = control_number
        self.findings: list[Finding] = []
        self._plans: dict[tuple[Plan, str, str], None] = {}

    def write(self, document: Document, loop: DraftLoop, path: str = "") -> None:
        """Write a document's fields, `loop` being the one that its type is bound to; `path` is its own JSON path."""
        plan = plan_of(type(document))
        self._plans[plan, loop.loop.id, _ANY_NUMBER.sub("[]", path)] = None
        self._fields(plan, document, loop, f"{path}." if path else "")

    def _fields(self, plan: Plan, document: Document, loop: DraftLoop, prefix: str) -> None:
        for field, value in zip(plan.fields, plan.values(document), strict=True):
            if value is None and not field.spec.default:
                continue
            kind = field.spec.kind
            if _absent(value, kind):
                if field.spec.default:
                    place = _placed(field)
                    where = loop.near(place.loops) if place.loops else loop
                    self._default(field, where.segment(place.segment, place.qualifiers), 0)
            elif kind == "at":
                place = _placed(field)
                where = loop.near(place.loops) if place.loops else loop
                self._place(field, value, where.segment(place.segment, place.qualifiers), prefix, 0)
            elif kind == "part":
                assert field.plan is not None
                self._fields(field.plan, cast("Document", value), loop, f"{prefix}{field.json}.")
            elif kind == "inside":
                self._inside(field, value, loop, prefix)
            elif kind == "segments":
                self._segments(field, value, loop, prefix)
            elif kind == "rows":
                self._rows(field, value, loop, prefix)
            elif kind == "nowhere":
                self._unsent(f"{prefix}{field.json}")
            elif kind != "meaning":
                place = _placed(field)
                where = loop.near(place.loops) if place.loops else loop
                segment = where.segment(place.segment, place.qualifiers)
                if kind == "contact":
                    segment = where.with_room(segment)
                self._place(field, value, segment, prefix, 0)

    def _inside(self, field: Bound, value: Any, loop: DraftLoop, prefix: str) -> None:
        plan = field.plan
        assert plan is not None
        path = prefix + field.json
        if not field.many:
            self._fields(plan, value, loop.near(field.spec.loops, path), f"{path}.")
            return
        loop_id = next(i for i in _inner(loop.loop) if i in field.spec.loops)
        for index, item in enumerate(value):
            self._fields(plan, item, loop.add(loop_id, f"{path}[{index}]"), f"{path}[{index}].")

    def _segments(self, field: Bound, value: Any, loop: DraftLoop, prefix: str) -> None:
        place = _placed(field)
        where = loop.near(place.loops) if place.loops else loop
        for index, item in enumerate(value):
            segment = where.another(place.segment, place.qualifiers)
            path = f"{prefix}{field.json}[{index}]"
            self._conditions(segment, place, 0)
            if field.plan is None:
                self._put(segment, place.element, place.component, 0, item, ("", path))
            else:
                self._row(field.plan, item, segment, f"{path}.", 0)

    def _rows(self, field: Bound, value: Any, loop: DraftLoop, prefix: str) -> None:
        place = _placed(field)
        where = loop.near(place.loops) if place.loops else loop
        for index, items in enumerate(value):
            segment = where.another(place.segment, place.qualifiers)
            one = field._replace(json=f"{field.json}[{index}]")
            if field.plan is None:
                self._composites(one, items, segment, place.element, prefix)
            else:
                self._groups(one, items, segment, place, prefix)

    def _row(self, plan: Plan, document: Document, segment: _DraftSegment, prefix: str, offset: int) -> None:
        """Fields of a struct bound to one segment, or to a group of its elements after `offset`."""
        for field, value in zip(plan.fields, plan.values(document), strict=True):
            if value is None and not field.spec.default:
                continue
            kind = field.spec.kind
            if _absent(value, kind) or kind == "meaning":
                if field.spec.default:
                    self._default(field, segment, offset)
            elif kind == "part":
                assert field.plan is not None
                self._row(field.plan, cast("Document", value), segment, f"{prefix}{field.json}.", offset)
            elif kind == "nowhere":
                self._unsent(f"{prefix}{field.json}")
            else:
                self._place(field, value, segment, prefix, offset)

    def _conditions(
        self, segment: _DraftSegment, place: Place, offset: int, path: tuple[str, str] | None = None
    ) -> None:
        """What a field's place asks for beside it, such as the qualifier of its identifier: that field is to blame for it."""
        for element, component, value in place.written:
            key = (element + offset, component, 0)
            segment.values.setdefault(key, value)
            if path is not None:
                segment.paths.setdefault(key, path)

    def _place(self, field: Bound, value: Any, segment: _DraftSegment, prefix: str, offset: int) -> None:
        spec, place = field.spec, _placed(field)
        element, path = place.element + offset, (prefix, field.json)
        if place.written:
            self._conditions(segment, place, offset, path)
        match spec.kind:
            case "at":
                self._put(segment, element, place.component, 0, str(value) if field.integer else value, path)
            case "binary":
                if value:
                    segment.values |= {(element - 1, 0, 0): str(len(value)), (element, 0, 0): value.decode("latin-1")}
                    segment.paths |= {(element - 1, 0, 0): path, (element, 0, 0): path}
            case "coded":
                code = next((c for c, words in (spec.table or {}).items() if words == value), value)
                self._put(segment, element, place.component, 0, code, path)
            case "flag":
                self._put(segment, element, place.component, 0, spec.value, path)
            case "yes or no":
                self._put(segment, element, place.component, 0, "Y" if value else "N", path)
            case "composites":
                self._composites(field, value, segment, element, prefix)
            case "period":
                self._put(segment, element, place.component, 0, value, path)
                segment.values[_before(element, place.component)] = (
                    "RD8" if "-" in value else "DT" if len(value) == _MOMENT_LENGTH else "D8"
                )
            case "start":
                self._put(segment, element, place.component, 0, value, path)
                segment.values.setdefault(_before(element, place.component), "D8")
            case "end":
                begun = segment.values.get((element, place.component, 0), "")
                segment.paths.pop((element, place.component, 0), None)
                self._put(segment, element, place.component, 0, f"{begun}-{value}", path)
                segment.values[_before(element, place.component)] = "RD8"
            case "contact":
                free = segment.pair()
                if free:
                    segment.values[free, 0, 0] = spec.value
                    self._put(segment, free + 1, 0, 0, value, path)
                else:
                    self._refuse("12", "does not fit: a PER holds three communication numbers", path)
            case "each":
                self._each(field, value, segment, element, prefix)
            case "repeats":
                for index, item in enumerate(value):
                    self._put(segment, element, place.component, index, item, (prefix, f"{field.json}[{index}]"))
            case "groups":
                self._groups(field, value, segment, place, prefix)
            case _:
                raise AssertionError(spec.kind)

    def _default(self, field: Bound, segment: _DraftSegment, offset: int) -> None:
        place = _placed(field)
        self._conditions(segment, place, offset)
        segment.values.setdefault((place.element + offset, place.component, 0), field.spec.default)

    def _each(self, field: Bound, value: Sequence[str], segment: _DraftSegment, element: int, prefix: str) -> None:
        place = _placed(field)
        first = place.component or element
        for index, item in enumerate(value):
            path = (prefix, f"{field.json}[{index}]")
            if first + index > field.spec.last:
                self._refuse("3", f"does not fit: there is room for {field.spec.last - first + 1}", path)
            elif place.component:
                self._put(segment, element, first + index, 0, item, path)
            else:
                self._put(segment, first + index, 0, 0, item, path)

    def _composites(
        self, field: Bound, value: Sequence[str], segment: _DraftSegment, element: int, prefix: str
    ) -> None:
        spec = field.spec
        for index, item in enumerate(value):
            path = (prefix, f"{field.json}[{index}]")
            if element + index > spec.last:
                self._refuse("3", f"does not fit: there is room for {spec.last - element + 1}", path)
            else:
                segment.values[element + index, 1, 0] = spec.codes[min(index, len(spec.codes) - 1)]
                self._put(segment, element + index, 2, 0, item, path)

    def _groups(self, field: Bound, value: Sequence[Any], segment: _DraftSegment, place: Place, prefix: str) -> None:
        spec, plan = field.spec, field.plan
        starts = spec.starts or range(place.element, spec.last + 1, spec.size)
        for index, item in enumerate(value):
            if index >= len(starts):
                self._refuse("3", "does not fit: the segment has no room for more", (prefix, f"{field.json}[{index}]"))
            elif plan is None:
                self._put(segment, starts[index], 0, 0, item, (prefix, f"{field.json}[{index}]"))
            else:
                self._row(plan, item, segment, f"{prefix}{field.json}[{index}].", starts[index] - 1)

    def _put(
        self, segment: _DraftSegment, element: int, component: int, repetition: int, value: str, path: tuple[str, str]
    ) -> None:
        value = value.strip()
        if not value:
            return
        bad = unwritable_character(value)
        if bad is not None:
            self._refuse(
                "6", f"contains {bad}, which X12 cannot carry: use letters, digits and punctuation of ASCII", path
            )
            return
        key = (element, component, repetition)
        if key in segment.paths and segment.values[key] != value:
            self._refuse("10", f"cannot be sent beside {''.join(segment.paths[key])}: X12 has one place for both", path)
            return
        segment.values[key] = value
        segment.paths[key] = path

    def _unsent(self, path: str) -> None:
        message = f"{path} has no place in {self.guide.set_id} {self.guide.id}: it was not sent."
        self.findings.append(Finding(2, "element", "I10", message, "warning", path=path))

    def _refuse(self, code: str, message: str, path: tuple[str, str]) -> None:
        joined = "".join(path)
        self.findings.append(Finding(1, "element", code, f"{joined} {message}.", path=joined))

    def finish(self) -> Written:
        """The segments from ST to SE, in the guide's order, with their findings."""
        self.root.put("ST02", self.control_number)
        lines: list[Line] = []
        self._emit(self.root, lines, _Levels(), 0)
        texts = [text for text, _, _ in lines]
        e = CANONICAL.element
        texts.append(f"SE{e}{len(texts) + 1}{e}{self.control_number}")
        walk = Walk(compiled(self.guide, CANONICAL))
        walk.feed(texts)
        walk.end()
        found: list[Finding] = []
        if walk.findings:
            index = _index(tuple(self._plans))
            found = [msgspec.structs.replace(f, path=_path_of(f, lines, index, self.guide)) for f in walk.findings]
        return Written(texts, self.findings + found)

    def _emit(self, draft: DraftLoop, lines: list[Line], levels: _Levels, parent_level: int) -> None:
        """Give the segments of a loop, and of the loops inside it, in the guide's order."""
        first = draft.loop.children[0]
        if isinstance(first, Segment) and not any(s.id == first.id and _fits(first, s) for s in draft.segments):
            draft.segments.insert(0, _DraftSegment(first.id, ()))
        items: list[tuple[int, int, _DraftSegment | DraftLoop, Segment | None]] = []
        for number, segment in enumerate(draft.segments):
            place = _guide_segment(draft.loop, segment)
            items.append((place.order if place else len(draft.loop.children), number, segment, place))
        items += [(child.loop.order, number, child, None) for number, child in enumerate(draft.children)]
        items.sort(key=itemgetter(0, 1))
        level = parent_level
        for _, _, item, place in items:
            if isinstance(item, DraftLoop):
                self._emit(item, lines, levels, level)
                continue
            if item.id == "HL":
                level = levels.next()
                item.values |= {(1, 0, 0): str(level)}
                if parent_level:
                    item.values[2, 0, 0] = str(parent_level)
                if place is not None and place.elements[3].usage != "N":
                    item.values[4, 0, 0] = "1" if any(c.loop.first.id == "HL" for c in draft.children) else "0"
            elif item.id == "LX" and not item.has(1) and draft.parent is not None:
                item.values[1, 0, 0] = str([c for c in draft.parent.children if c.loop is draft.loop].index(draft) + 1)
            if place is not None:
                _fill(place, item)
            lines.append((item.text(), item, draft))


@lru_cache(256)
def _index(plans: tuple[tuple[Plan, str, str], ...]) -> _Index:
    """Everything that is bound, by place: `_bound_places` of the documents that were written."""
    index: _Index = {}
    for plan, loop_id, prefix in plans:
        for key, path, qualifiers in _bound_places(plan.cls, loop_id, f"{prefix}." if prefix else ""):
            index.setdefault(key, []).append((path, qualifiers))
    return index


def _absent(value: Any, kind: str) -> bool:
    """Whether nothing is to be written: null, an empty text, or false where only true has a code."""
    return value is None or value == "" or (value is False and kind != "yes or no")


class _Levels:
    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count


def _placed(field: Bound) -> Place:
    assert field.spec.place is not None
    return field.spec.place


def _before(element: int, component: int) -> tuple[int, int, int]:
    """The place of the 1250 in front of a 1251."""
    return (element, component - 1, 0) if component else (element - 1, 0, 0)


def _value_of(draft: _DraftSegment, segment: Segment) -> str | None:
    element = 3 if segment.id == "HL" else 1
    component = 1 if segment.elements[element - 1].components else 0
    return draft.values.get((element, component, 0)) or (draft.qualifiers[0] if draft.qualifiers else None)


def _fits(segment: Segment, draft: _DraftSegment) -> bool:
    qualifier = segment.qualifier
    if qualifier is None:
        return True
    value = _value_of(draft, segment)
    return value is None or value in (qualifier.codes or ())


@cache
def _same(loop: Loop, segment_id: str) -> tuple[dict[str, Segment], Segment | None, Segment | None, Segment | None]:
    """The segments of a loop with one id: by the codes of their qualifier, the first one with a qualifier, without, and at all."""
    same = [c for c in loop.children if isinstance(c, Segment) and c.id == segment_id]
    qualified = [s for s in same if s.qualifier is not None]
    by_code = {code: s for s in reversed(qualified) for code in (s.qualifier.codes if s.qualifier else None) or ()}
    bare = next((s for s in same if s.qualifier is None), None)
    return by_code, qualified[0] if qualified else None, bare, same[0] if same else None


def _guide_segment(loop: Loop, draft: _DraftSegment) -> Segment | None:
    """The place of a draft in its loop: the one whose codes name its qualifier, else the first with its id."""
    by_code, qualified, bare, any_one = _same(loop, draft.id)
    value = _value_of(draft, qualified) if qualified is not None else None
    return (qualified if value is None else by_code.get(value)) or bare or any_one


def _only(part: Component) -> str | None:
    return next(iter(part.codes)) if part.codes and len(part.codes) == 1 and part.external is None else None


Constant = tuple[tuple[int, int, int], str]


@cache
def _constants(segment: Segment) -> tuple[tuple[int, int, int], list[Constant], list[tuple[int, bool, list[Constant]]]]:
    """Where a segment's qualifier stands, what only one code can fill, and the same for composites: (element, required, components)."""
    qualifier = (
        (3, 0, 0) if segment.id == "HL" else (1, 1 if segment.elements and segment.elements[0].components else 0, 0)
    )
    simple: list[Constant] = []
    composites: list[tuple[int, bool, list[Constant]]] = []
    for element in segment.elements:
        position = element.position
        if element.components:
            parts = [
                ((position, c.position, 0), only) for c in element.components if c.usage == "R" and (only := _only(c))
            ]
            if parts:
                composites.append((position, element.usage == "R", parts))
        elif element.usage == "R" and (only := _only(element)):
            simple.append(((position, 0, 0), only))
    return qualifier, simple, composites


def _fill(segment: Segment, draft: _DraftSegment) -> None:
    """Add what only one code can fill: the qualifier that was asked for, and required elements with a single code."""
    qualifier, simple, composites = _constants(segment)
    values = draft.values
    if len(draft.qualifiers) == 1:
        values.setdefault(qualifier, draft.qualifiers[0])
    for key, code in simple:
        values.setdefault(key, code)
    for position, required, parts in composites:
        if (required or draft.has(position)) and (position, 0, 0) not in values:
            for key, code in parts:
                values.setdefault(key, code)


# (loop, segment, element, component) -> JSON path, list positions as `[]`, and qualifiers. Less exact keys have 0 and "".
_Key = tuple[str, str, int, int]
_Index = dict[_Key, list[tuple[str, tuple[str, ...]]]]


@cache
def _bound_places(cls: type[Document], loop_id: str, prefix: str) -> list[tuple[_Key, str, tuple[str, ...]]]:
    """What a type binds, under its own place, its element's, its segment's and its loop's."""
    found: list[tuple[_Key, str, tuple[str, ...]]] = []
    for path, place in places(cls, loop_id, prefix, spread=True):
        for loop in place.loops:
            exact = (loop, place.segment, place.element, place.component)
            whole = [(loop, place.segment, place.element, 0)] if place.component else []
            keys = (exact, *whole, (loop, place.segment, 0, 0), (loop, "", 0, 0))
            found += [(key, path, place.qualifiers) for key in keys]
    return found


def places(cls: type[Document], loop_id: str, prefix: str = "", *, spread: bool = False) -> Iterator[tuple[str, Place]]:
    """Every bound path of a document type with its place, `loop_id` being the loop that the type is bound to.

    With `spread`, a list whose items stand in one segment gives each item's place, else the first item's.
    """
    for field in plan_of(cls).fields:
        spec, path = field.spec, prefix + field.json + ("[]" if field.spec.kind == "rows" else "")
        many = "[]" if field.many else ""
        if spec.kind == "part" and field.plan is not None:
            yield from places(field.plan.cls, loop_id, f"{path}.", spread=spread)
        elif spec.kind == "inside" and field.plan is not None:
            for loop in spec.loops:
                yield from places(field.plan.cls, loop, f"{path}{many}.", spread=spread)
        elif spec.place is not None:
            place = spec.place._replace(loops=spec.place.loops or (loop_id,))
            if field.plan is None:
                yield from _item_places(field, path, place) if spread else [(path + many, place)]
            else:
                starts = (
                    (spec.starts or range(place.element, spec.last + 1, spec.size)) if spec.kind in _LISTED else (1,)
                )
                for index, start in enumerate(starts if spread else starts[:1]):
                    item = f"{path}[{index}]." if spread and spec.kind in _LISTED else f"{path}{many}."
                    for inner, at_place in places(field.plan.cls, loop_id, item, spread=spread):
                        yield inner, _within(place, at_place, start - 1)


def _within(segment: Place, inner: Place, offset: int) -> Place:
    """The place, in a segment of a list, of what a struct of that list binds."""
    return segment._replace(
        element=inner.element + offset,
        component=inner.component,
        conditions=inner.conditions,
        written=inner.written,
    )


def _item_places(field: Bound, path: str, place: Place) -> Iterator[tuple[str, Place]]:
    """The places of the items of a list of strings in one segment; of any other field its own."""
    match field.spec.kind:
        case "each" if place.component:
            for index in range(field.spec.last - place.component + 1):
                yield f"{path}[{index}]", place._replace(component=place.component + index)
        case "each":
            for index in range(field.spec.last - place.element + 1):
                yield f"{path}[{index}]", place._replace(element=place.element + index)
        case "groups":
            for index, start in enumerate(field.spec.starts):
                yield f"{path}[{index}]", place._replace(element=start)
        case "composites" | "rows":
            for index in range(field.spec.last - place.element + 1):
                yield f"{path}[{index}]", place._replace(element=place.element + index, component=2)
        case _:
            yield f"{path}[]" if field.many else path, place


Line = tuple[str, _DraftSegment, DraftLoop]


def _path_of(finding: Finding, lines: Sequence[Line], index: _Index, guide: Guide) -> str | None:
    """The JSON path of a finding: the field its element was written from, or the field that would fill the missing place."""
    if finding.position is None:
        return None
    at_line = min(finding.position, len(lines)) - 1
    loop, segment = finding.loop or "", finding.segment or ""
    context = _context(lines, at_line, loop)
    around = index.get((loop, segment, 0, 0)) or index.get((loop, "", 0, 0))
    if finding.element is None:
        if finding.scope == "segment" and finding.code == "3":
            return _filled(_missing(guide.loop(loop), segment, index, context), context) or None
        own = lines[at_line][1]
        if own.id == segment and own.paths:
            return "".join(next(iter(own.paths.values())))
        return _filled(_chosen(around, context), context) or None
    element, component = finding.element, finding.component or 0
    paths = lines[at_line][1].paths
    exact = paths.get((element, component, (finding.repeat or 1) - 1))
    if exact is not None:
        return "".join(exact)
    same = next((p for (e, _, _), p in paths.items() if e == element), None)
    bound = index.get((loop, segment, element, component)) or index.get((loop, segment, element, 0)) or []
    asked = set(lines[at_line][1].qualifiers)
    bound = [b for b in bound if asked.intersection(b[1])] or bound
    if not bound and same is not None:
        return "".join(same)
    beside = same or next(iter(paths.values()), None)
    return _filled(_chosen(bound or around, context), "".join(beside) if beside else context) or None


def _chosen(candidates: Sequence[tuple[str, tuple[str, ...]]] | None, context: str) -> str:
    """The path of a field of the struct that fills the loop, of one that stands once, else the first; the context without any."""
    paths = [path for path, _ in candidates or ()]
    within = _ANY_NUMBER.sub("[]", context) + "."
    paths = [p for p in paths if p.startswith(within)] or paths
    return next((p for p in paths if "[]" not in p), paths[0] if paths else context)


def _missing(loop: Loop, segment_id: str, index: _Index, context: str) -> str:
    """The path that would fill what is missing: a loop's struct, or the first field of a required segment."""
    inside = index.get((loop.id, "", 0, 0), [])
    if inside and loop.parent is not None and loop.first.id == segment_id:
        return _chosen(inside, context).rpartition(".")[0].removesuffix("[]")
    required = [s for s in loop.children if isinstance(s, Segment) and s.id == segment_id and s.usage == "R"]
    codes = {code for s in required if s.qualifier is not None for code in s.qualifier.codes or ()}
    found = index.get((loop.id, segment_id, 0, 0), [])
    return _chosen([f for f in found if codes.intersection(f[1])] or found or inside, context)


def _context(lines: Sequence[Line], at_line: int, loop_id: str) -> str:
    """The JSON path of the loop at a line, or of the nearest one before it that is, or contains, the loop looked for."""
    for number in range(at_line, -1, -1):
        draft: DraftLoop | None = lines[number][2]
        while draft is not None:
            if draft.loop.id == loop_id or any(isinstance(c, Loop) and c.id == loop_id for c in draft.loop.children):
                return draft.path
            draft = draft.parent
    return ""


def _filled(pattern: str, context: str) -> str:
    """List positions of a pattern taken from the context's path where it is the same list, else 0."""
    numbers = re.findall(r"\[(\d+)\]", context)
    out, used = "", 0
    for part in pattern.split("[]"):
        if out:
            number = numbers[used] if used < len(numbers) else "0"
            out += f"[{number}]"
            used += 1
        out += part
    return out

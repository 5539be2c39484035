"""Writes typed documents as segments of a guide: the other direction of `x12.documents.binding`.

Fields go to their places in draft loops; the guide gives the order, the hierarchical levels and every element that only
one code can fill. What comes out is walked like anything received, and each finding is given the field it comes from.

X12 has no escape character: a value that X12 cannot carry is refused with its field's path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from x12.documents.binding import Bound, Document, Place, Plan, parse_place, plan_of
from x12.finding import Finding
from x12.guides import Component, Element, Guide, Loop, Segment
from x12.syntax import CANONICAL, unwritable_character
from x12.walk import Walk, compiled

__all__ = ["DraftLoop", "Writer", "Written", "places"]


_ANY_NUMBER = re.compile(r"\[\d+\]")


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
        if not self.values:
            return self.id
        shape: dict[int, dict[int, dict[int, str]]] = {}
        for (element, component, repetition), value in self.values.items():
            shape.setdefault(element, {}).setdefault(repetition, {})[component] = value
        parts: list[str] = [self.id]
        for element in range(1, max(shape) + 1):
            said: list[str] = []
            for _, components in sorted(shape.get(element, {}).items()):
                if 0 in components:
                    said.append(components[0])
                else:
                    said.append(CANONICAL.component.join(components.get(c, "") for c in range(1, max(components) + 1)))
            parts.append(CANONICAL.repetition.join(said))
        return CANONICAL.element.join(parts)


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
        for child in self.loop.children:
            if isinstance(child, Loop) and child.id == loop_id:
                made = DraftLoop(child, self, path or self.path)
                self.children.append(made)
                return made
        raise KeyError(loop_id)

    def near(self, loop_ids: Sequence[str], path: str = "") -> DraftLoop:
        """The nearest loop in scope with one of these ids (this one, inside, beside or above), begun if the guide has it there."""
        here: DraftLoop | None = self
        while here is not None:
            if here.loop.id in loop_ids:
                return here
            for child in here.children:
                if child.loop.id in loop_ids:
                    return child
            for child in here.loop.children:
                if isinstance(child, Loop) and child.id in loop_ids:
                    return here.add(child.id, path)
            here = here.parent
        raise KeyError("|".join(loop_ids))


class Written(msgspec.Struct):
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
        for field in plan.fields:
            value = getattr(document, field.name)
            kind = field.spec.kind
            if value is None or value == "" or (value is False and kind != "yes or no"):
                if field.spec.default:
                    place = _placed(field)
                    self._default(
                        field,
                        (loop.near(place.loops) if place.loops else loop).segment(place.segment, place.qualifiers),
                        0,
                    )
                continue
            if kind == "part":
                assert field.plan is not None
                self._fields(field.plan, value, loop, f"{prefix}{field.json}.")
            elif kind == "inside":
                self._inside(field, value, loop, prefix)
            elif kind == "segments":
                self._segments(field, value, loop, prefix)
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
        loop_id = next(c.id for c in loop.loop.children if isinstance(c, Loop) and c.id in field.spec.loops)
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

    def _row(self, plan: Plan, document: Document, segment: _DraftSegment, prefix: str, offset: int) -> None:
        """Fields of a struct bound to one segment, or to a group of its elements after `offset`."""
        for field in plan.fields:
            value, kind = getattr(document, field.name), field.spec.kind
            if value is None or value == "" or (value is False and kind != "yes or no") or kind == "meaning":
                if field.spec.default:
                    self._default(field, segment, offset)
                continue
            if kind == "part":
                assert field.plan is not None
                self._row(field.plan, value, segment, f"{prefix}{field.json}.", offset)
            elif kind == "nowhere":
                self._unsent(f"{prefix}{field.json}")
            else:
                self._place(field, value, segment, prefix, offset)

    def _conditions(self, segment: _DraftSegment, place: Place, offset: int) -> None:
        for element, component, value in place.written:
            segment.values.setdefault((element + offset, component, 0), value)

    def _place(self, field: Bound, value: Any, segment: _DraftSegment, prefix: str, offset: int) -> None:
        spec, place = field.spec, _placed(field)
        self._conditions(segment, place, offset)
        element, path = place.element + offset, (prefix, field.json)
        match spec.kind:
            case "at":
                self._put(segment, element, place.component, 0, str(value) if field.integer else value, path)
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
                segment.values[_before(element, place.component)] = "RD8" if "-" in value else "D8"
            case "start":
                self._put(segment, element, place.component, 0, value, path)
                segment.values.setdefault(_before(element, place.component), "D8")
            case "end":
                begun = segment.values.get((element, place.component, 0), "")
                self._put(segment, element, place.component, 0, f"{begun}-{value}", path)
                segment.values[_before(element, place.component)] = "RD8"
            case "contact":
                free = segment.pair()
                segment.values[free, 0, 0] = spec.value
                self._put(segment, free + 1, 0, 0, value, path)
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

    def _composites(self, field: Bound, value: Sequence[str], segment: _DraftSegment, element: int, prefix: str) -> None:
        spec = field.spec
        for index, item in enumerate(value):
            path = (prefix, f"{field.json}[{index}]")
            if element + index > spec.last:
                self._refuse("3", f"does not fit: there is room for {spec.last - element + 1}", path)
            else:
                segment.values[element + index, 1, 0] = spec.codes[min(index, len(spec.codes) - 1)]
                self._put(segment, element + index, 2, 0, item, path)

    def _groups(
        self, field: Bound, value: Sequence[Document], segment: _DraftSegment, place: Place, prefix: str
    ) -> None:
        spec, plan = field.spec, field.plan
        assert plan is not None
        starts = spec.starts or range(place.element, spec.last + 1, spec.size)
        for index, item in enumerate(value):
            if index >= len(starts):
                self._refuse("3", "does not fit: the segment has no room for more", (prefix, f"{field.json}[{index}]"))
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
        segment.values[element, component, repetition] = value
        segment.paths[element, component, repetition] = path

    def _unsent(self, path: str) -> None:
        message = f"{path} has no place in {self.guide.set_id} {self.guide.id}: it was not sent."
        self.findings.append(Finding(2, "element", "I10", message, "warning", path=path))

    def _refuse(self, code: str, message: str, path: tuple[str, str]) -> None:
        joined = "".join(path)
        self.findings.append(Finding(1, "element", code, f"{joined} {message}.", path=joined))

    def finish(self) -> Written:
        """The segments from ST to SE, in the guide's order, with their findings."""
        self.root.put("ST02", self.control_number)
        lines = list(self._emit(self.root, _Levels()))
        texts = [text for text, _, _ in lines]
        e = CANONICAL.element
        texts.append(f"SE{e}{len(texts) + 1}{e}{self.control_number}")
        walk = Walk(compiled(self.guide, CANONICAL))
        walk.feed(texts)
        walk.end()
        index = self._index()
        found = [msgspec.structs.replace(f, path=_path_of(f, lines, index)) for f in walk.findings]
        return Written(texts, self.findings + found)

    def _emit(
        self, draft: DraftLoop, levels: _Levels, parent_level: int = 0
    ) -> Iterator[tuple[str, _DraftSegment, DraftLoop]]:
        first = draft.loop.children[0]
        if isinstance(first, Segment) and not any(s.id == first.id and _fits(first, s) for s in draft.segments):
            draft.segments.insert(0, _DraftSegment(first.id, ()))
        items: list[tuple[int, int, _DraftSegment | DraftLoop, Segment | None]] = []
        for number, segment in enumerate(draft.segments):
            place = _guide_segment(draft.loop, segment)
            items.append((place.order if place else len(draft.loop.children), number, segment, place))
        items += [(child.loop.order, number, child, None) for number, child in enumerate(draft.children)]
        items.sort(key=lambda item: (item[0], item[1]))
        level = parent_level
        for _, _, item, place in items:
            if isinstance(item, DraftLoop):
                yield from self._emit(item, levels, level)
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
            yield item.text(), item, draft

    def _index(self) -> dict[tuple[str, str, int, int], list[str]]:
        """(loop, segment, element, component) -> the JSON paths bound there, list positions as `[]`."""
        index: dict[tuple[str, str, int, int], list[str]] = {}
        for plan, loop_id, prefix in self._plans:
            for path, place in places(plan.cls, loop_id, f"{prefix}." if prefix else ""):
                for loop in place.loops:
                    for key in (
                        (loop, place.segment, place.element, place.component),
                        (loop, place.segment, 0, 0),
                        (loop, "", 0, 0),
                    ):
                        index.setdefault(key, []).append(path)
        return index


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


def _guide_segment(loop: Loop, draft: _DraftSegment) -> Segment | None:
    """The place of a draft in its loop: the one whose codes name its qualifier, else the first with its id."""
    same = [c for c in loop.children if isinstance(c, Segment) and c.id == draft.id]
    return (
        next((s for s in same if s.qualifier is not None and _fits(s, draft)), None)
        or next((s for s in same if s.qualifier is None), None)
        or (same[0] if same else None)
    )


def _only(part: Component) -> str | None:
    return next(iter(part.codes)) if part.codes and len(part.codes) == 1 and part.external is None else None


def _fill(segment: Segment, draft: _DraftSegment) -> None:
    """Add what only one code can fill: the qualifier that was asked for, and required elements with a single code."""
    if len(draft.qualifiers) == 1:
        element = 3 if segment.id == "HL" else 1
        component = 1 if segment.elements[element - 1].components else 0
        draft.values.setdefault((element, component, 0), draft.qualifiers[0])
    for element in segment.elements:
        _fill_element(element, draft)


def _fill_element(element: Element, draft: _DraftSegment) -> None:
    if not element.components:
        only = _only(element)
        if element.usage == "R" and only is not None:
            draft.values.setdefault((element.position, 0, 0), only)
        return
    if element.usage == "R" or draft.has(element.position):
        for component in element.components:
            only = _only(component)
            if component.usage == "R" and only is not None and (element.position, 0, 0) not in draft.values:
                draft.values.setdefault((element.position, component.position, 0), only)


def places(cls: type[Document], loop_id: str, prefix: str = "") -> Iterator[tuple[str, Place]]:
    """Every bound path of a document type with its place, `loop_id` being the loop that the type is bound to."""
    for field in plan_of(cls).fields:
        spec, path = field.spec, prefix + field.json
        many = "[]" if field.many else ""
        if spec.kind == "part" and field.plan is not None:
            yield from places(field.plan.cls, loop_id, f"{path}.")
        elif spec.kind == "inside" and field.plan is not None:
            for loop in spec.loops:
                yield from places(field.plan.cls, loop, f"{path}{many}.")
        elif spec.place is not None:
            place = spec.place._replace(loops=spec.place.loops or (loop_id,))
            if field.plan is None:
                yield path + many, place
            else:
                for inner, at_place in places(field.plan.cls, loop_id, f"{path}{many}."):
                    offset = place.element - 1 if spec.kind == "groups" else 0
                    yield (
                        inner,
                        at_place._replace(
                            loops=place.loops,
                            segment=place.segment,
                            element=at_place.element + offset,
                            qualifiers=place.qualifiers,
                        ),
                    )


Line = tuple[str, _DraftSegment, DraftLoop]


def _path_of(
    finding: Finding, lines: Sequence[Line], index: Mapping[tuple[str, str, int, int], list[str]]
) -> str | None:
    """The JSON path of a finding: the field its element was written from, or the field that would fill the missing place."""
    if finding.position is None:
        return None
    at_line = min(finding.position, len(lines)) - 1
    if finding.element is not None:
        paths = lines[at_line][1].paths
        wanted = (finding.element, finding.component or 0, (finding.repeat or 1) - 1)
        exact = paths.get(wanted) or next((p for (e, _, _), p in paths.items() if e == finding.element), None)
        if exact is not None:
            return "".join(exact)
    loop, segment = finding.loop or "", finding.segment or ""
    element, component = finding.element or 0, finding.component or 0
    keys = ((loop, segment, element, component), (loop, segment, element, 0), (loop, segment, 0, 0), (loop, "", 0, 0))
    candidates: list[str] = next((index[k] for k in keys if k in index), [])
    context = _context(lines, at_line, loop)
    chosen = next((c for c in candidates if "[]" not in c), candidates[0] if candidates else context)
    return _filled(chosen, context) or None


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

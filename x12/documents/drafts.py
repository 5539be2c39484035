"""Drafts of segments and loops: where a document's fields are put before the guide gives them their order.

What the guide knows of a loop (which segments it has, what tells them apart, what only one code can fill) is looked up once
for each loop of a guide, and what is left for each segment written is little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter

from x12.documents.binding import parse_place
from x12.guides import Component, Loop, Segment
from x12.syntax import CANONICAL

__all__ = ["DraftLoop", "DraftSegment", "Line", "Way", "lines_of", "way"]

# The loops between a loop and another one: how many up, then which of these inside; none for the loop itself.
Way = tuple[int, tuple[str, ...]]
# A segment as text, its draft, and the loop that it stands in.
Line = tuple[str, "DraftSegment", "DraftLoop"]
_NOTHING: Mapping[tuple[int, int], str] = {}
_ORDER = itemgetter(0, 1)


class DraftSegment:
    """A segment being written: its elements, the components and repetitions of those that have any, and the fields they came from.

    `paths` is by (element, component, repetition): a prefix and the name of the field, which together are its JSON path.
    """

    __slots__ = ("elements", "id", "parted", "paths", "qualifiers")

    def __init__(self, segment_id: str, qualifiers: tuple[str, ...] = ()) -> None:
        self.id = segment_id
        self.qualifiers = qualifiers
        self.elements = [segment_id]
        # Element -> (repetition, component) -> value.
        self.parted: dict[int, dict[tuple[int, int], str]] = {}
        self.paths: dict[tuple[int, int, int], tuple[str, str]] = {}

    def get(self, element: int, component: int = 0, repetition: int = 0) -> str:
        """The value at a place; empty where there is none. Component 0 is the whole element."""
        if component or repetition:
            return self.parted.get(element, _NOTHING).get((repetition, component), "")
        return self.elements[element] if element < len(self.elements) else ""

    def has(self, element: int) -> bool:
        """Whether an element has any value, whole or in parts."""
        return element in self.parted or (element < len(self.elements) and self.elements[element] != "")

    def set(self, element: int, component: int, repetition: int, value: str) -> None:
        """Write a value, over what may be there."""
        elements = self.elements
        if element >= len(elements):
            elements += [""] * (element + 1 - len(elements))
        if component or repetition:
            self.parted.setdefault(element, {})[repetition, component] = value
        else:
            elements[element] = value

    def fill(self, element: int, component: int, value: str) -> None:
        """Write a value where there is none."""
        if not self.get(element, component):
            self.set(element, component, 0, value)

    def pair(self) -> int:
        """Of a PER, the first element of a free pair of qualifier and number; 0 when there is none."""
        return next((i for i in (3, 5, 7) if not self.get(i)), 0)

    def text(self) -> str:
        """The segment with canonical separators."""
        elements = self.elements
        if self.parted:
            elements = elements.copy()
            for element, parts in self.parted.items():
                elements[element] = _composed(elements[element], parts)
        return CANONICAL.element.join(elements)


def _composed(whole: str, parts: Mapping[tuple[int, int], str]) -> str:
    """All repetitions of an element; `whole` is the first one where it is not in components."""
    repetitions: dict[int, dict[int, str]] = {}
    for (repetition, component), value in parts.items():
        repetitions.setdefault(repetition, {})[component] = value
    if whole:
        repetitions.setdefault(0, {})[0] = whole
    return CANONICAL.repetition.join(_composite(c) for _, c in sorted(repetitions.items()))


def _composite(components: Mapping[int, str]) -> str:
    """One repetition: the whole element where that is what was written, else its components."""
    whole = components.get(0)
    if whole is not None:
        return whole
    return CANONICAL.component.join([components.get(c, "") for c in range(1, max(components) + 1)])


class DraftLoop:
    """A loop being written. `path` is the JSON path of the struct that fills it, `single` its segments by id and qualifiers."""

    __slots__ = ("_first", "children", "loop", "parent", "path", "segments", "single")

    def __init__(self, loop: Loop, parent: DraftLoop | None = None, path: str = "") -> None:
        self.loop = loop
        self.parent = parent
        self.path = path
        self.segments: list[DraftSegment] = []
        self.children: list[DraftLoop] = []
        self.single: dict[tuple[str, tuple[str, ...]], DraftSegment] = {}
        # Of the loops inside, the first one by the ids that it was looked for under.
        self._first: dict[tuple[str, ...], DraftLoop] = {}

    def segment(self, segment_id: str, qualifiers: tuple[str, ...] = ()) -> DraftSegment:
        """The one segment with this id and qualifier, begun if need be."""
        key = (segment_id, qualifiers)
        found = self.single.get(key)
        if found is None:
            found = self.single[key] = self.another(segment_id, qualifiers)
        return found

    def another(self, segment_id: str, qualifiers: tuple[str, ...] = ()) -> DraftSegment:
        made = DraftSegment(segment_id, qualifiers)
        self.segments.append(made)
        return made

    def with_room(self, first: DraftSegment) -> DraftSegment:
        """This PER, or another one after it, with room for one more communication number."""
        same = (s for s in self.segments if s.id == first.id and s.qualifiers == first.qualifiers)
        return next((s for s in same if s.pair()), None) or self.another(first.id, first.qualifiers)

    def put(self, place: str, value: str) -> None:
        """Write a constant, such as a date of the header."""
        where = parse_place(place)
        self.segment(where.segment, where.qualifiers).set(where.element, where.component, 0, value)

    def add(self, loop_id: str, path: str = "") -> DraftLoop:
        """One more occurrence of a loop directly inside; KeyError when the guide has none."""
        made = DraftLoop(_outline(self.loop).inner[loop_id], self, path or self.path)
        self.children.append(made)
        return made

    def near(self, loop_ids: Sequence[str], path: str = "") -> DraftLoop:
        """The nearest loop in scope with one of these ids (this one, inside, beside or above), begun if the guide has it there."""
        return self.along(way(self.loop, tuple(loop_ids)), path)

    def along(self, way: Way, path: str = "") -> DraftLoop:
        """The loop at the end of a way from this one, begun if need be."""
        ups, inside = way
        here = self
        for _ in range(ups):
            assert here.parent is not None
            here = here.parent
        if not inside:
            return here
        begun = here._first.get(inside)
        if begun is None:
            begun = next((c for c in here.children if c.loop.id in inside), None) or here.add(inside[0], path)
            here._first[inside] = begun
        return begun


@cache
def way(loop: Loop, loop_ids: tuple[str, ...]) -> Way:
    """The way from a loop to the nearest one in scope with one of these ids; KeyError when there is none."""
    here: Loop | None = loop
    ups = 0
    while here is not None:
        if here.id in loop_ids:
            return ups, ()
        inside = tuple(loop_id for loop_id in _outline(here).inner if loop_id in loop_ids)
        if inside:
            return ups, inside
        here, ups = here.parent, ups + 1
    raise KeyError("|".join(loop_ids))


# --- what a guide knows of a loop ------------------------------------------------------------------------------------


class _Filling:
    """What can be filled in at a place of a guide: its qualifier, and what only one code can be."""

    __slots__ = ("composites", "qualifier", "simple")

    def __init__(self, segment: Segment) -> None:
        first = 3 if segment.id == "HL" else 1
        parted = first <= len(segment.elements) and segment.elements[first - 1].components
        self.qualifier = (first, 1 if parted else 0)
        self.simple: list[tuple[int, str]] = []
        # (element, whether it is required, its components with one code)
        self.composites: list[tuple[int, bool, list[tuple[int, str]]]] = []
        for element in segment.elements:
            if element.components:
                only = [(c.position, code) for c in element.components if c.usage == "R" and (code := _only(c))]
                if only:
                    self.composites.append((element.position, element.usage == "R", only))
            elif element.usage == "R" and (code := _only(element)):
                self.simple.append((element.position, code))

    def fill(self, draft: DraftSegment) -> None:
        """Add the qualifier that was asked for, and required elements with a single code."""
        if len(draft.qualifiers) == 1:
            draft.fill(*self.qualifier, draft.qualifiers[0])
        elements = draft.elements
        for element, code in self.simple:
            if element >= len(elements) or not elements[element]:
                draft.set(element, 0, 0, code)
        for element, required, parts in self.composites:
            if (required or draft.has(element)) and not draft.get(element):
                for component, code in parts:
                    draft.fill(element, component, code)


def _only(part: Component) -> str | None:
    return next(iter(part.codes)) if part.codes and len(part.codes) == 1 and part.external is None else None


class _Same:
    """The segments of a loop with one id: by the codes of their qualifiers, and the first one of each kind."""

    __slots__ = ("by_code", "otherwise", "qualified", "qualifier")

    def __init__(self, same: Sequence[Segment]) -> None:
        qualified = [s for s in same if s.qualifier is not None]
        self.by_code = {c: s for s in reversed(qualified) for c in (s.qualifier.codes if s.qualifier else None) or ()}
        self.qualified = qualified[0] if qualified else None
        # A qualifier that names none of them, or a segment that has none.
        self.otherwise = next((s for s in same if s.qualifier is None), same[0])
        self.qualifier = _Filling(same[0]).qualifier

    def place(self, draft: DraftSegment) -> Segment:
        """The place of a draft: the one whose codes name its qualifier, else the first with its id."""
        if self.qualified is None:
            return self.otherwise
        value = draft.get(*self.qualifier) or (draft.qualifiers[0] if draft.qualifiers else None)
        return self.qualified if value is None else self.by_code.get(value, self.otherwise)


class _Outline:
    """A loop of a guide as writing needs it."""

    __slots__ = ("filling", "first", "inner", "last", "same")

    def __init__(self, loop: Loop) -> None:
        own = [c for c in loop.children if isinstance(c, Segment)]
        self.first = own[0] if own and own[0] is loop.children[0] else None
        self.inner = {c.id: c for c in loop.children if isinstance(c, Loop)}
        self.same = {s.id: _Same([o for o in own if o.id == s.id]) for s in own}
        self.filling = {s.index: _Filling(s) for s in own}
        self.last = len(loop.children)

    def begun(self, drafts: Iterable[DraftSegment]) -> bool:
        """Whether one of these begins the loop."""
        first = self.first
        if first is None:
            return True
        same = self.same[first.id]
        codes = first.qualifier.codes or () if first.qualifier is not None else None
        for draft in drafts:
            if draft.id == first.id:
                value = draft.get(*same.qualifier) or (draft.qualifiers[0] if draft.qualifiers else None)
                if codes is None or value is None or value in codes:
                    return True
        return False


@cache
def _outline(loop: Loop) -> _Outline:
    return _Outline(loop)


# --- the guide's order -----------------------------------------------------------------------------------------------


def lines_of(root: DraftLoop) -> list[Line]:
    """The segments of a loop and of the loops inside it, in the guide's order, each level and line with its number."""
    lines: list[Line] = []
    _lines(root, lines, [0], 0, 1)
    return lines


# Its order in the guide, which of its kind it is, the draft, and its place where it is a segment.
_Item = tuple[int, int, DraftSegment | DraftLoop, Segment | None]


def _lines(draft: DraftLoop, lines: list[Line], levels: list[int], parent_level: int, number: int) -> None:
    """`levels` counts the hierarchical levels so far, `number` is which of its kind in the loop around this one is."""
    outline = _outline(draft.loop)
    items: list[_Item] = []
    begun = False
    for index, segment in enumerate(draft.segments):
        same = outline.same.get(segment.id)
        place = same.place(segment) if same is not None else None
        begun = begun or place is outline.first
        items.append((place.order if place is not None else outline.last, index, segment, place))
    if not begun and not outline.begun(draft.segments):
        assert outline.first is not None
        items.append((outline.first.order, -1, DraftSegment(outline.first.id), outline.first))
    items += [(child.loop.order, index, child, None) for index, child in enumerate(draft.children)]
    items.sort(key=_ORDER)
    level = parent_level
    numbers: dict[str, int] = {}
    for _, _, item, place in items:
        if isinstance(item, DraftSegment):
            if item.id == "HL":
                level = levels[0] = levels[0] + 1
                _number_level(item, place, level, parent_level, draft)
            elif item.id == "LX" and draft.parent is not None:
                item.fill(1, 0, str(number))
            if place is not None:
                outline.filling[place.index].fill(item)
            lines.append((item.text(), item, draft))
        else:
            loop_id = item.loop.id
            numbers[loop_id] = numbers.get(loop_id, 0) + 1
            _lines(item, lines, levels, level, numbers[loop_id])


def _number_level(segment: DraftSegment, place: Segment | None, level: int, above: int, draft: DraftLoop) -> None:
    segment.set(1, 0, 0, str(level))
    if above:
        segment.set(2, 0, 0, str(above))
    if place is not None and place.elements[3].usage != "N":
        segment.set(4, 0, 0, "1" if any(c.loop.first.id == "HL" for c in draft.children) else "0")

"""Implementation guides as tables: what may stand where in a transaction set.

Two kinds of text files lie in this folder. `005010.standard` holds what the X12 standard says of every segment: its
elements with their types and lengths, its composites, its syntax notes. A `*.guide` file holds what one implementation
guide says on top: loops, segments, their order, usage and repeats, and for each element its usage, industry name and
code values. An element that a guide's segment does not list is not used.

A guide file reads like the guide's own listing, one line an element:

    guide 005010X279A1 270 HS  Eligibility, Coverage or Benefit Inquiry
    0100 ST R 1  Transaction Set Header
      01 R  Transaction Set Identifier Code = 270
    loop 2000A R >1  Information Source Level
      0100 HL R 1  Information Source Level
        03 R  Hierarchical Level Code = 20

A segment line is `position id usage max-use  name`, a loop line `loop id usage repeat  name`, an element line
`number usage [xREPEAT] [min/max]  name [= codes | = @list | = <external list>]`, with `NN-M` for component M of composite
NN. Indentation nests. Usage is R(equired), S(ituational) or N(ot used). A guide line may name several editions that one
table serves (`guide 005010X222A1,005010X222A2 837 HC  ...`). Where two tables share edition and set, a line behind the
guide line says which element tells them apart, and its codes: `chosen BHT02 = 11`.
Segments of one loop that share a position may stand in any order among themselves. In a code `_` stands for a space.
Positions are the guide's own. Where they begin again (a new table, an HL loop inside another) loading adds 10000, so that
among the children of one loop they never go back.

Sources: see docs/guides.md, which also lists where open sources disagree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from x12 import packaged

__all__ = [
    "Choice",
    "Component",
    "Element",
    "Guide",
    "GuideError",
    "Loop",
    "Narrowed",
    "Note",
    "Segment",
    "available",
    "file_of",
    "files_of",
    "load",
    "parse",
    "patch",
    "patched",
    "standard",
]

UNBOUNDED = 1 << 30
_STANDARD = "005010.standard"


class GuideError(ValueError):
    """A table is wrong: names the file and the line."""


# What holds no loop cannot be part of a cycle: the garbage collector need not look at it (`gc=False`).
class Data(msgspec.Struct, frozen=True, gc=False):
    """A data element of the standard: its reference number, type and lengths."""

    number: str
    type: str
    min: int
    max: int
    name: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """A syntax note: P all or none, R at least one, E at most one, C first needs the rest, L first needs one of the rest."""

    kind: str
    positions: tuple[int, ...]


class Use(msgspec.Struct, frozen=True, gc=False):
    """One element of a standard segment or composite: a data element or a composite, and how often it repeats."""

    number: str
    repeat: int


class Standard(msgspec.Struct):
    """The dictionary of one X12 release."""

    data: dict[str, Data] = msgspec.field(default_factory=dict[str, Data])
    composites: dict[str, tuple[tuple[Use, ...], tuple[Note, ...], str]] = msgspec.field(
        default_factory=dict[str, tuple[tuple[Use, ...], tuple[Note, ...], str]]
    )
    segments: dict[str, tuple[tuple[Use, ...], tuple[Note, ...], str]] = msgspec.field(
        default_factory=dict[str, tuple[tuple[Use, ...], tuple[Note, ...], str]]
    )
    codes: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])


class Narrowed(msgspec.Struct, frozen=True):
    """What the guide says of a place that a companion guide narrowed, and who wants it so: the payer, and why if it says."""

    before: Any
    by: str


class Component(msgspec.Struct, eq=False, gc=False):
    """A simple element, or a component of a composite, as one guide uses it."""

    position: int
    data: Data
    usage: str
    name: str
    min: int
    max: int
    repeat: int = 1
    codes: frozenset[str] | None = None
    external: str | None = None
    narrowed: Narrowed | None = None


class Element(Component, eq=False, gc=False):
    """An element of a segment. A composite has `components`; its own `data` then only names it."""

    components: tuple[Component, ...] = ()
    notes: tuple[Note, ...] = ()


class Segment(msgspec.Struct, eq=False):
    """One segment at one position of a guide. `index` numbers the guide's segments in reading order."""

    id: str
    position: int
    usage: str
    repeat: int
    name: str
    elements: tuple[Element, ...]
    notes: tuple[Note, ...]
    loop: Loop
    index: int = -1
    order: int = -1
    narrowed: Narrowed | None = None

    @property
    def opens(self) -> bool:
        """Whether this segment begins its loop."""
        return self.loop.parent is not None and self.loop.children[0] is self

    @property
    def qualifier(self) -> Component | None:
        """The coded element that tells this segment from others with the same id: HL03, or the first element or component.

        A companion guide changes what is right at a place, not which place it is: its narrower codes do not count here.
        """
        elements = self.elements
        first = elements[2] if self.id == "HL" else elements[0] if elements else None
        if first is not None and first.components:
            first = first.components[0]
        if first is not None and first.narrowed is not None:
            first = first.narrowed.before
        return first if first is not None and first.codes and first.usage == "R" else None

    def __repr__(self) -> str:
        return f"<{self.loop.id} {self.id} {self.name}>"


class Loop(msgspec.Struct, eq=False):
    """A loop of a guide; the transaction set itself is the loop without a parent.

    `alone`: the id of its first segment stands nowhere else in the guide, so that the id by itself names the loop.
    """

    id: str
    usage: str
    repeat: int
    name: str
    parent: Loop | None = None
    children: list[Segment | Loop] = msgspec.field(default_factory=list["Segment | Loop"])
    order: int = -1
    base: int = 0
    alone: bool = False
    narrowed: Narrowed | None = None

    @property
    def position(self) -> int:
        return self.children[0].position

    @property
    def first(self) -> Segment:
        child = self.children[0]
        return child if isinstance(child, Segment) else child.first

    def __repr__(self) -> str:
        return f"<loop {self.id} {self.name}>"


class Choice(msgspec.Struct, frozen=True):
    """What tells a table from others of its edition: an element of the segment that follows ST, and its codes here."""

    segment: str
    element: int
    codes: frozenset[str]


class Guide(msgspec.Struct, eq=False):
    """One implementation guide: `id` and `editions` as in GS08, `set_id` as in ST01, `group_id` as in GS01.

    `chosen` is set where the edition has more than one table for the set; `companions` are the names of the companion guides
    that patched it.
    """

    id: str
    editions: tuple[str, ...]
    set_id: str
    group_id: str
    name: str
    root: Loop
    segments: tuple[Segment, ...] = ()
    chosen: Choice | None = None
    companions: tuple[str, ...] = ()

    def loops(self, loop: Loop | None = None) -> Iterator[Loop]:
        loop = loop or self.root
        yield loop
        for child in loop.children:
            if isinstance(child, Loop):
                yield from self.loops(child)

    def loop(self, loop_id: str) -> Loop:
        """The loop with this id; KeyError when the guide has none."""
        for loop in self.loops():
            if loop.id == loop_id:
                return loop
        raise KeyError(loop_id)


def _number(text: str) -> int:
    return UNBOUNDED if text == ">1" else int(text)


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """(line number, indent, content), comments and blank lines dropped, a line ending in a backslash joined to the next."""
    held, start, depth = "", 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not held:
            start, depth = number, len(line) - len(line.lstrip(" "))
        held = held + bare if held else bare
        if held.endswith("\\"):
            held = held[:-1].rstrip() + " "
            continue
        if held and not held.startswith("#"):
            yield start, depth, held
        held = ""


_NOTE = re.compile(r"([PRECL])((?:\d\d)+)")


def _uses(words: list[str]) -> tuple[tuple[Use, ...], tuple[Note, ...]]:
    uses: list[Use] = []
    notes: list[Note] = []
    for word in words:
        match = _NOTE.fullmatch(word)
        if match:
            digits = match[2]
            notes.append(Note(match[1], tuple(int(digits[i : i + 2]) for i in range(0, len(digits), 2))))
        else:
            number, _, repeat = word.partition("x")
            uses.append(Use(number, _number(repeat) if repeat else 1))
    return tuple(uses), tuple(notes)


def _read_standard(text: str, source: str) -> Standard:
    found = Standard()
    for number, _, line in _lines(text):
        kind, _, rest = line.partition(" ")
        head, _, name = rest.strip().partition("  ")
        words = head.split()
        name = name.strip()
        if kind == "element" and len(words) == 3 and "/" in words[2]:
            low, _, high = words[2].partition("/")
            found.data[words[0]] = Data(words[0], words[1], int(low), int(high), name)
        elif kind in ("composite", "segment") and len(words) > 1:
            uses, notes = _uses(words[1:])
            (found.composites if kind == "composite" else found.segments)[words[0]] = (uses, notes, name)
        elif kind == "codes":
            key, _, values = rest.partition("=")
            found.codes[key.strip()] = tuple(values.split())
        else:
            raise GuideError(f"{source}:{number}: not a line of a standard: {line[:60]!r}")
    return found


@cache
def standard() -> Standard:
    """The dictionary of the release, from this folder."""
    return _read_standard(packaged.text(__name__, _STANDARD), _STANDARD)


_SEGMENT = re.compile(r"(\d{4}) ([A-Z][A-Z0-9]{1,2}) ([RSN]) (>1|\d+)  (.+)")
_LOOP = re.compile(r"loop (\S+) ([RSN]) (>1|\d+)  (.+)")
_AGAIN = re.compile(r"again (\S+) ([RSN]) (>1|\d+)  (.+)")
# What `available` looks for in each table.
_TITLE = re.compile(r"^guide (\S+) (\S+) .*\n(?:chosen \S+ = (.+))?", re.MULTILINE)
_CHOSEN = re.compile(r"chosen ([A-Z][A-Z0-9]{1,2})(\d\d) = (.+)")
_ELEMENT = re.compile(r"(\d\d)(?:-(\d+))? ([RSN])(?: x(>1|\d+))?(?: (\d+)/(\d+))?  (.*)")


class _Parser:
    def __init__(self, source: str, dictionary: Standard) -> None:
        self.source = source
        self.standard = dictionary
        self.segments: list[Segment] = []
        self.guide: Guide | None = None
        self.lists: dict[str, tuple[str, ...]] = dict(dictionary.codes)
        self.unused: dict[str, tuple[Element, ...]] = {}

    def fail(self, line: int, message: str) -> GuideError:
        return GuideError(f"{self.source}:{line}: {message}")

    def parse(self, text: str) -> Guide:
        stack: list[tuple[int, Loop]] = []
        pending: tuple[int, Segment, dict[tuple[int, int], re.Match[str]]] | None = None
        for number, indent, line in _lines(text):
            if pending and line[:2].isdigit() and (element := _ELEMENT.fullmatch(line)):
                pending[2][int(element[1]), int(element[2] or 0)] = element
                continue
            if line.startswith("guide "):
                head, _, name = line.partition("  ")
                _, editions, set_id, group_id = head.split()
                root = Loop(set_id, "R", 1, name.strip())
                accepted = tuple(editions.split(","))
                self.guide = Guide(accepted[0], accepted, set_id, group_id, name.strip(), root)
                stack = [(-1, root)]
                continue
            if line.startswith("codes "):
                key, _, values = line[6:].partition("=")
                self.lists[key.strip()] = tuple(values.split())
                continue
            if self.guide is None:
                raise self.fail(number, "the first line must name the guide")
            if line.startswith("chosen ") and (match := _CHOSEN.fullmatch(line)):
                self.guide.chosen = Choice(match[1], int(match[2]), frozenset(match[3].split()))
                continue
            if pending:
                self._finish(*pending)
                pending = None
            while stack[-1][0] >= indent:
                stack.pop()
            parent = stack[-1][1]
            if match := _LOOP.fullmatch(line):
                loop = Loop(match[1], match[2], _number(match[3]), match[4].strip(), parent, order=len(parent.children))
                parent.children.append(loop)
                stack.append((indent, loop))
            elif match := _AGAIN.fullmatch(line):
                self._again(number, match, parent)
            elif match := _SEGMENT.fullmatch(line):
                if match[2] not in self.standard.segments:
                    raise self.fail(number, f"segment {match[2]} is not in the standard")
                segment = Segment(
                    match[2],
                    self._place(parent, int(match[1])),
                    match[3],
                    _number(match[4]),
                    match[5].strip(),
                    (),
                    (),
                    parent,
                    len(self.segments),
                    len(parent.children),
                )
                self.segments.append(segment)
                parent.children.append(segment)
                pending = (number, segment, {})
            else:
                raise self.fail(number, f"not a line of a guide: {line[:60]!r}")
        if pending:
            self._finish(*pending)
        if self.guide is None:
            raise self.fail(1, "the file is empty")
        self.guide.segments = tuple(self.segments)
        stands = Counter(segment.id for segment in self.segments)
        for loop in self.guide.loops():
            loop.alone = stands[loop.first.id] == 1
        return self.guide

    def _place(self, loop: Loop, printed: int) -> int:
        """A printed position, raised where it would stand before the child that precedes it; a loop stands where it begins."""
        opens = loop.parent is not None and not loop.children
        owner = loop.parent if opens and loop.parent else loop
        before = owner.children[: -1 if opens else None]
        while before and owner.base + printed < before[-1].position:
            owner.base += 10000
        if opens:
            loop.base = owner.base
        return owner.base + printed

    def _again(self, line: int, match: re.Match[str], parent: Loop) -> None:
        """A loop that was listed before stands here too, with a usage and repeat of its own."""
        assert self.guide is not None
        listed = [loop for loop in self.guide.loops() if loop.id == match[1]]
        if not listed:
            raise self.fail(line, f"loop {match[1]} was not listed before")

        def copy(source: Loop, into: Loop) -> Loop:
            made = Loop(source.id, source.usage, source.repeat, source.name, into, order=len(into.children))
            into.children.append(made)
            for child in source.children:
                if isinstance(child, Loop):
                    copy(child, made)
                    continue
                place = self._place(made, child.position % 10000)
                segment = replace(child, position=place, loop=made, index=len(self.segments), order=len(made.children))
                self.segments.append(segment)
                made.children.append(segment)
            return made

        loop = copy(listed[-1], parent)
        loop.usage, loop.repeat, loop.name = match[2], _number(match[3]), match[4].strip()

    def _codes(self, line: int, text: str) -> tuple[frozenset[str] | None, str | None]:
        codes: list[str] = []
        external: str | None = None
        for word in text.split():
            if word.startswith("<"):
                external = word.strip("<>")
            elif word.startswith("@"):
                if word[1:] not in self.lists:
                    raise self.fail(line, f"no code list {word}")
                codes += self.lists[word[1:]]
            else:
                codes.append(word.replace("_", " "))
        return frozenset(codes) if codes else None, external

    def _data(self, line: int, number: str) -> Data:
        data = self.standard.data.get(number)
        if data is None:
            raise self.fail(line, f"data element {number} is not in the standard")
        return data

    def _unused_elements(self, line: int, segment_id: str) -> tuple[Element, ...]:
        """The elements of a segment as they are where a guide does not list them. Elements are replaced, never changed."""
        found = self.unused.get(segment_id)
        if found is None:
            uses, _, _ = self.standard.segments[segment_id]
            made = [self._unused_element(line, position, use) for position, use in enumerate(uses, 1)]
            found = self.unused[segment_id] = tuple(made)
        return found

    def _unused_element(self, line: int, position: int, use: Use) -> Element:
        composite = self.standard.composites.get(use.number)
        if composite is None:
            data = self._data(line, use.number)
            return Element(position, data, "N", data.name, data.min, data.max, use.repeat)
        inner, notes, name = composite
        parts: list[Component] = []
        for number, part in enumerate(inner, 1):
            data = self._data(line, part.number)
            parts.append(Component(number, data, "N", data.name, data.min, data.max, part.repeat))
        return Element(
            position, Data(use.number, "C", 0, 0, name), "N", name, 0, 0, 1, components=tuple(parts), notes=notes
        )

    def _listed(self, line: int, part: Component, match: re.Match[str]) -> tuple[Any, ...]:
        """What the line says, in the order of the fields of a component."""
        _, _, usage, repeat, low, high, said = match.groups()
        name, _, codes = said.partition(" = ")
        data = part.data
        least, most = (int(low), int(high)) if low else (data.min, data.max)
        values = self._codes(line, codes) if codes else (None, None)
        return part.position, data, usage, name.strip(), least, most, _number(repeat) if repeat else 1, *values

    def _finish(self, line: int, segment: Segment, given: dict[tuple[int, int], re.Match[str]]) -> None:
        elements = list(self._unused_elements(line, segment.id))
        components: dict[int, list[Component]] = {}
        wrong: list[str] = []
        for (position, number), match in given.items():
            element = elements[position - 1] if 0 < position <= len(elements) else None
            if element is None or number > len(element.components):
                wrong.append(f"{segment.id}{position:02d}" + (f"-{number}" if number else ""))
            elif number:
                parts = components.setdefault(position, list(element.components))
                parts[number - 1] = Component(*self._listed(line, parts[number - 1], match))
            elif element.components:
                repeat = _number(match[4]) if match[4] else 1
                elements[position - 1] = replace(
                    element, usage=match[3], name=match[7].partition(" = ")[0].strip(), repeat=repeat
                )
            else:
                elements[position - 1] = Element(*self._listed(line, element, match))
        if wrong:
            raise self.fail(line, f"{', '.join(wrong)}: the standard has no such element")
        for position, parts in components.items():
            elements[position - 1] = replace(elements[position - 1], components=tuple(parts))
        segment.elements = tuple(elements)
        segment.notes = self.standard.segments[segment.id][1]


def parse(text: str, source: str = "<guide>", dictionary: Standard | None = None) -> Guide:
    """Read one guide's table; GuideError names the line that is wrong."""
    return _Parser(source, dictionary or standard()).parse(text)


def patch(guide: Guide, text: str, source: str = "<companion>") -> Guide:
    """The guide as one payer wants it: a new guide, patched as `x12.guides.companions` describes. GuideError names the line.

    The same patch on the same guide is the same guide again, so that it is compiled once.
    """
    from x12.guides import companions

    return companions.apply(guide, text, source)


def patched(guide: Guide, texts: Sequence[str]) -> Guide:
    """The guide with those of the patches that are for it, in order; GuideError as for `patch`."""
    if texts:
        from x12.guides import companions

        for text in texts:
            guide = companions.apply(guide, text) if companions.is_for(guide, text) else guide
    return guide


@cache
def available() -> dict[tuple[str, ...], str]:
    """What `load` takes -> file name, for every table in this folder, accepted editions included.

    The key is (GS08, ST01); where several tables share both, also (GS08, ST01, code) for each code that chooses one, and the
    pair alone leads to the first of them.
    """
    found: dict[tuple[str, ...], str] = {}
    for name in packaged.names(__name__, ".guide"):
        head = _TITLE.search(packaged.text(__name__, name))
        if head is None:
            raise GuideError(f"{name}: no line names the guide")
        editions, set_id, chosen = head.groups("")
        for edition in editions.split(","):
            found.setdefault((edition, set_id), name)
            for code in chosen.split():
                found[edition, set_id, code] = name
    return found


def load(guide_id: str, set_id: str, chosen: str = "") -> Guide:
    """The table of a guide by GS08 and ST01; KeyError when this folder has none.

    Where several tables share both, `chosen` is the value of the element that tells them apart (`Guide.chosen`); one that no
    table names leads to the first of them.
    """
    tables = available()
    return _load(tables.get((guide_id, set_id, chosen)) or tables[guide_id, set_id])


@cache
def _load(name: str) -> Guide:
    return packaged.kept(__name__, name, files_of(name), lambda: parse(packaged.text(__name__, name), name))


def files_of(name: str) -> list[tuple[str, str]]:
    """What the guide of a file of this folder is made out of, as `packaged.kept` takes it."""
    return [(__name__, file) for file in (name, _STANDARD, "__init__.py")]


def file_of(guide: Guide) -> str | None:
    """The file of this folder that a guide was read from; None where it was read from elsewhere, or patched."""
    tables = available()
    chosen = min(guide.chosen.codes) if guide.chosen else ""
    name = tables.get((guide.id, guide.set_id, chosen)) or tables.get((guide.id, guide.set_id))
    return name if name is not None and _load(name) is guide else None

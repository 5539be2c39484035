"""Walks the segments of a transaction set along a guide: which place each segment has, and what is wrong with it.

A guide is compiled once for each set of delimiters. Every segment of the guide becomes a node with one regular
expression; a match proves the segment clean (elements, lengths, codes, dates, composites, repeats and syntax notes).
From node to node leads a table of steps, filled as it is needed and keyed by segment id and qualifier. Only a segment
that does not match, or that has no step, takes the slow road that words the finding. The guide's loops are frames on a
stack; each frame remembers as bits which of its children it has seen.

Sources: X12.6 (data element types, syntax notes), 005010X231A1 (codes of IK304 and IK403).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import final

from x12 import guides
from x12.elements import judge_segment
from x12.finding import Finding
from x12.guides import UNBOUNDED, Guide, Loop, Segment
from x12.patterns import never, segment_pattern
from x12.syntax import BINARY, STANDARD, Delimiters, number_of, split_segment

__all__ = ["Instance", "Node", "Table", "Walk", "compiled", "tree"]

_ENVELOPE = frozenset(("ISA", "GS", "ST", "GE", "IEA", "TA1"))


class Node:
    """One segment of a guide, compiled for one set of delimiters."""

    __slots__ = ("bit", "loop", "match", "next", "opens", "plain", "prefix", "segment", "special")

    def __init__(self, segment: Segment, delimiters: Delimiters) -> None:
        self.segment = segment
        self.loop = segment.loop
        self.opens = segment.opens
        self.bit = 1 << segment.order
        self.prefix = segment.id + delimiters.element
        self.plain = segment_pattern(segment, delimiters)
        self.special = _SPECIAL.get(segment.id)
        self.match = never if self.special else self.plain
        self.next: dict[str, Step | _ByValue] = {}

    def __repr__(self) -> str:
        return repr(self.segment)


class Step:
    """How to get from one node to the next: loops to leave, bits that must have been seen, loops to enter."""

    __slots__ = ("bit", "child", "limited", "moves", "must", "node", "opens", "ups")

    def __init__(self, node: Node, ups: int, must: int, child: Segment | Loop, inside: tuple[Loop, ...] = ()) -> None:
        self.node = node
        self.ups = ups
        self.must = must
        self.child = child
        self.bit = 1 << child.order
        self.limited = self.bit if child.repeat < UNBOUNDED else 0
        # The loops to enter, outermost first: one, or more where the segments that begin the outer ones are missing.
        self.opens = inside or ((child,) if isinstance(child, Loop) else ())
        self.moves = bool(ups) or bool(self.opens)


@final
class _ByValue(dict[str, Step]):
    """Steps told apart by the qualifier: element `element`, its first component where `composite`."""

    __slots__ = ("composite", "element", "plain")

    def __init__(self, element: int, composite: bool) -> None:
        super().__init__()
        self.element = element
        self.composite = composite
        self.plain = element == 1 and not composite


def _required(loop: Loop, before: int | None = None) -> int:
    """Bits of the children that must be present, all or only those that stand before a position."""
    mask = 0
    for child in loop.children:
        if child.usage == "R" and (before is None or child.position < before):
            mask |= 1 << child.order
    return mask


class Table:
    """A guide compiled for one set of delimiters."""

    def __init__(self, guide: Guide, delimiters: Delimiters) -> None:
        self.guide = guide
        self.delimiters = delimiters
        self.nodes: dict[int, Node] = {}
        self.ids = frozenset(s.id for s in guide.segments)
        self.required = {id(loop): _required(loop) for loop in guide.loops()}
        self.start = self.node(guide.segments[0])
        self.qualifiers = {
            s.id: (3 if s.id == "HL" else 1, bool(s.elements and s.elements[0].components))
            for s in guide.segments
            if s.qualifier
        }

    def node(self, segment: Segment) -> Node:
        node = self.nodes.get(segment.index)
        if node is None:
            node = self.nodes[segment.index] = Node(segment, self.delimiters)
        return node

    def value(self, segment_id: str, raw: str) -> str | None:
        """The qualifier's value in a raw segment, or None when this id has no qualifier."""
        where = self.qualifiers.get(segment_id)
        return None if where is None else self.qualifier(raw, *where)

    def qualifier(self, raw: str, element: int, composite: bool) -> str:
        parts = raw.split(self.delimiters.element, element + 1)
        value = parts[element] if len(parts) > element else ""
        if composite:
            value = value.split(self.delimiters.component, 1)[0]
            value = value.split(self.delimiters.repetition, 1)[0] if self.delimiters.repetition else value
        return value

    def find(self, here: Node, segment_id: str, value: str | None, raw: str) -> tuple[Step | None, bool]:
        """The step from `here` to the next place where this segment may stand, searching forwards and outwards.

        The second value tells whether id and qualifier alone decided, so that the step may be remembered for them.
        """
        loop: Loop = here.loop
        after = here.segment.position
        ups = 0
        while True:
            found = _candidates(loop, after, segment_id, value)
            if found:
                child = found[0]
                if len(found) > 1:
                    # Two places with one qualifier (837 PWK of 2400): the one that finds nothing wrong is meant.
                    child = next((c for c in found if self.node(_first(c)).plain(raw) is not None), child)
                return self._step(loop, child, ups), len(found) == 1
            if loop.parent is None:
                return None, False
            after, loop, ups = loop.position, loop.parent, ups + 1

    def _step(self, loop: Loop, child: Segment | Loop, ups: int) -> Step:
        return Step(self.node(_first(child)), ups, _required(loop, child.position), child)

    def leap(self, here: Node, segment_id: str, raw: str) -> Step | None:
        """The step into a loop that lies inside others which were not begun: their first segments are missing."""
        value = self.value(segment_id, raw)
        loop: Loop = here.loop
        after = here.segment.position
        ups = 0
        while True:
            for child in loop.children:
                if isinstance(child, Loop) and child.position >= after and (path := _path_to(child, segment_id, value)):
                    return Step(self.node(path[-1].first), ups, _required(loop, child.position), child, path)
            if loop.parent is None:
                return None
            after, loop, ups = loop.position, loop.parent, ups + 1

    def step(self, here: Node, raw: str) -> Step | None:
        """Find and remember the step for a raw segment; None when it has no place after `here`."""
        segment_id = raw.split(self.delimiters.element, 1)[0]
        if segment_id not in self.ids:
            return None
        value = self.value(segment_id, raw)
        step, certain = self.find(here, segment_id, value, raw)
        if step is None:
            return None
        key = (segment_id + self.delimiters.element)[:3]
        if value is None:
            here.next[key] = step
            return step
        table = here.next.get(key)
        if not isinstance(table, _ByValue):
            table = here.next[key] = _ByValue(*self.qualifiers[segment_id])
        # A value that no code list names must not fill the table: a hostile file would grow it without end.
        qualifier = step.node.segment.qualifier
        if certain and qualifier is not None and value in (qualifier.codes or ()):
            table[value] = step
        return step


def _first(child: Segment | Loop) -> Segment:
    return child.first if isinstance(child, Loop) else child


def _candidates(loop: Loop, after: int, segment_id: str, value: str | None) -> list[Segment | Loop]:
    """The children of a loop, not before a position, that this segment may fill or open; those whose codes name the value first."""
    named: list[Segment | Loop] = []
    unnamed: list[Segment | Loop] = []
    others: list[Segment | Loop] = []
    for child in loop.children:
        segment = _first(child)
        # The segment that begins this very loop would begin another one, which is the parent's affair.
        if child.position < after or segment.id != segment_id or (child is segment and segment.opens):
            continue
        qualifier = segment.qualifier
        if qualifier is None:
            unnamed.append(child)
        elif value in (qualifier.codes or ()):
            named.append(child)
        elif isinstance(child, Segment) or child.alone:
            others.append(child)
    if named:
        return [c for c in named if c.position == named[0].position and type(c) is type(named[0])]
    # An unknown qualifier still has a place where only one segment of this id can stand: then the code is what is wrong.
    return unnamed[:1] or (others if len(others) == 1 else [])


def _path_to(loop: Loop, segment_id: str, value: str | None) -> tuple[Loop, ...]:
    """The loops from this one down to one inside it that the segment begins; () where there is none."""
    for child in loop.children:
        if not isinstance(child, Loop):
            continue
        qualifier = child.first.qualifier
        if child.first.id == segment_id and (qualifier is None or value in (qualifier.codes or ())):
            return (loop, child)
        if path := _path_to(child, segment_id, value):
            return (loop, *path)
    return ()


# --- what a pattern cannot say: numbering and counts ---------------------------------------------------------------


def _judge_hl(walk: Walk, node: Node, raw: str) -> bool:
    """HL01 counts the levels from 1; HL02 names the level above that is open (any guide with an HL, X12.5 HL notes)."""
    walk.levels += 1
    parts = raw.split(walk.delimiters.element)
    number = parts[1] if len(parts) > 1 else ""
    parent = parts[2] if len(parts) > 2 else ""
    loop = node.loop
    walk.open_levels[id(loop)] = number
    if number != str(walk.levels):
        walk.find_element(
            node, 1, "7", f"HL01 must count the hierarchical levels of the transaction set: {walk.levels} is next."
        )
    above = walk.open_levels.get(id(loop.parent))
    if above is not None and parent and parent != above:
        walk.find_element(node, 2, "7", "HL02 must name the HL01 of the level above that is open here.")
    return node.plain(raw) is not None


def _judge_lx(walk: Walk, node: Node, raw: str) -> bool:
    """LX01 counts a claim's service lines from 1 (837 guides, loop 2400)."""
    if walk.table.guide.set_id == "837":
        walk.lines += 1
        if raw != f"{node.prefix}{walk.lines}":
            walk.find_element(node, 1, "7", f"LX01 must count the service lines of the claim: {walk.lines} is next.")
    return node.plain(raw) is not None


def _judge_clm(walk: Walk, node: Node, raw: str) -> bool:
    walk.lines = 0
    return node.plain(raw) is not None


def _judge_se(walk: Walk, node: Node, raw: str) -> bool:
    """SE01 counts the segments with ST and SE; SE02 repeats ST02 (X12.6)."""
    walk.ended = True
    parts = raw.split(walk.delimiters.element)
    count, number = (*parts[1:3], "", "")[:2]
    if number_of(count) != walk.position:
        walk.find_set("4", f"SE01 must be the number of segments from ST to SE: {walk.position} were received.")
    if number != walk.control_number:
        walk.find_set("3", "SE02 must repeat the control number in ST02.")
    return node.plain(raw) is not None


def _judge_bin(walk: Walk, node: Node, raw: str) -> bool:
    """BIN01 is the number of bytes in BIN02 (X12.6, data elements 784 and 785)."""
    parts = split_segment(raw, walk.delimiters)
    if len(parts) > 2 and parts[1].isascii() and parts[1].isdigit() and int(parts[1]) != len(parts[2]):
        message = f"BIN01 must be the number of bytes in BIN02: {len(parts[2])} were received."
        walk.find_element(node, 1, "7", message)
    return node.plain(raw) is not None


_SPECIAL: dict[str, Callable[[Walk, Node, str], bool]] = {
    "HL": _judge_hl,
    "LX": _judge_lx,
    "BIN": _judge_bin,
    "CLM": _judge_clm,
    "SE": _judge_se,
}


@lru_cache(64)
def compiled(guide: Guide, delimiters: Delimiters = STANDARD) -> Table:
    """The guide compiled for these delimiters; kept for the next file."""
    return Table(guide, delimiters)


class _Frame:
    """An open loop below the innermost: what it has seen so far."""

    __slots__ = ("counts", "loop", "seen")

    def __init__(self, loop: Loop, seen: int, counts: dict[int, int] | None) -> None:
        self.loop = loop
        self.seen = seen
        self.counts = counts


class Walk:
    """Walks one transaction set, from ST to SE, in as many pieces as it arrives in.

    `nodes` gets one entry a segment (None where the segment has no place), `findings` what is wrong. `ended` is True after
    the SE; `position` is the number of segments so far.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.delimiters = table.delimiters
        self.findings: list[Finding] = []
        self.nodes: list[Node | None] = []
        self.position: int = 0
        self.ended: bool = False
        self.control_number = ""
        self.levels = 0
        self.lines = 0
        self.open_levels: dict[int, str] = {}
        self._here: Node = table.start
        self._loop: Loop = table.guide.root
        self._seen: int = 0
        self._counts: dict[int, int] | None = None
        self._stack: list[_Frame] = []

    def feed(self, segments: Sequence[str], start: int = 0) -> int:
        """Walk segments from `start`; gives the index after the last one taken: past the SE, or at a foreign ISA, GS, ST, GE, IEA."""
        if self.ended:
            return start
        if not self.position and start < len(segments):
            self._begin(segments[start])
            start += 1
        element, place = self.delimiters.element, self.nodes.append
        here, seen = self._here, self._seen
        offset = self.position + 1 - start
        for index in range(start, len(segments)):
            raw = segments[index]
            step = here.next.get(raw[:3])
            if type(step) is _ByValue:
                plain = step.plain and element in raw
                step = step.get(raw.split(element, 2)[1]) if plain else self._by_value(step, raw)
            if step is None or step.node.match(raw) is None:
                self._here, self._seen, self.position = here, seen, offset + index
                self._detour(step, raw)
                if self.ended:
                    return self.position - offset + 1
                here, seen = self._here, self._seen
                continue
            here = step.node
            place(here)
            if step.moves or step.must & ~seen or seen & step.limited:
                self._seen, self.position = seen, offset + index
                self._take(step)
                seen = self._seen
            else:
                seen |= step.bit
        self._here, self._seen, self.position = here, seen, offset + len(segments) - 1
        return len(segments)

    def _take(self, step: Step) -> None:
        """Go a step: leave loops, see that nothing was left out or came too often, enter a loop."""
        if step.ups:
            self._leave(step.ups)
        if step.must & ~self._seen:
            self._missing(self._loop, step.must & ~self._seen)
        if self._seen & step.limited:
            self._again(step)
        self._seen |= step.bit
        if step.opens:
            for loop in step.opens:
                self._stack.append(_Frame(self._loop, self._seen, self._counts))
                # Of a loop that is only passed through, its first segment stays unseen, and is found missing.
                self._loop, self._seen, self._counts = loop, 0, None
                if loop is not step.node.loop:
                    self._seen = 1 << step.opens[step.opens.index(loop) + 1].order
            self._seen = step.node.bit

    def _detour(self, step: Step | None, raw: str) -> None:
        """A segment without a known step, or one that its pattern does not prove clean."""
        segment_id = raw.split(self.delimiters.element, 1)[0]
        if step is None:
            step = self.table.step(self._here, raw)
        if step is None or step.node.segment.id != segment_id:
            self._unplaced(segment_id, raw)
            return
        node = self._here = step.node
        self.nodes.append(node)
        self._take(step)
        if node.match(raw) is None:
            self._judge(node, raw)
        if self.ended:
            self._close()

    def end(self) -> None:
        """The set stops here although no SE came."""
        if not self.ended:
            self.ended = True
            self.find_set("2", "The transaction set has no SE trailer.")
            self._close()

    def _begin(self, raw: str) -> None:
        node = self.table.start
        self.position = 1
        self._seen = node.bit
        self.nodes.append(node)
        parts = raw.split(self.delimiters.element)
        self.control_number = parts[2] if len(parts) > 2 else ""
        if node.match(raw) is None:
            self._judge(node, raw)

    def _by_value(self, steps: _ByValue, raw: str) -> Step | None:
        return steps.get(self.table.qualifier(raw, steps.element, steps.composite))

    def _unplaced(self, segment_id: str, raw: str) -> None:
        """A segment that has no place after the one before."""
        if segment_id in _ENVELOPE and segment_id not in self.table.ids - {"ST"}:
            self.position -= 1
            self.end()
            return
        earlier = self._earlier(segment_id, raw)
        leap = None if earlier is not None else self.table.leap(self._here, segment_id, raw)
        if leap is not None:
            self._here = leap.node
            self.nodes.append(leap.node)
            self._take(leap)
            self._judge(leap.node, raw)
            return
        self.nodes.append(earlier)
        if earlier is not None:
            self._seen |= earlier.bit
            self.find_segment("7", f"{segment_id} stands after segments that it must precede.", earlier.segment)
            self._judge(earlier, raw)
        else:
            # A level counts wherever it stands, or every level behind it would be out of count too.
            self.levels += segment_id == "HL"
            self._nowhere(segment_id)

    def _nowhere(self, segment_id: str) -> None:
        if segment_id in self.table.ids:
            message = f"{segment_id} with this qualifier has no place in or after loop {self._loop.id}."
            self.find_segment("2", message, segment_id)
        elif segment_id in guides.standard().segments:
            message = f"{segment_id} is not part of {self.table.guide.set_id} {self.table.guide.id}."
            self.find_segment("6", message, segment_id)
        else:
            shown = segment_id if segment_id.isalnum() and len(segment_id) <= 3 else None
            known = (
                "The segment id is not one of X12." if shown else "Here stands something that is not a segment of X12."
            )
            self.find_segment("1", known, shown)

    def _earlier(self, segment_id: str, raw: str) -> Node | None:
        """The place of a segment that comes too late, within the open loop."""
        value = self.table.value(segment_id, raw)
        for child in self._loop.children:
            if (
                isinstance(child, Segment)
                and child.id == segment_id
                and not child.opens
                and child.position < self._here.segment.position
            ):
                codes = child.qualifier.codes if child.qualifier else None
                if codes is None or value in codes:
                    return self.table.node(child)
        return None

    def _leave(self, ups: int) -> None:
        for _ in range(ups):
            gone = self.table.required[id(self._loop)] & ~self._seen
            if gone:
                self._missing(self._loop, gone)
            frame = self._stack.pop()
            self._loop, self._seen, self._counts = frame.loop, frame.seen, frame.counts

    def _close(self) -> None:
        self._leave(len(self._stack))
        gone = self.table.required[id(self._loop)] & ~self._seen
        last = self._loop.children[-1]
        self._missing(self._loop, gone & ~(1 << last.order))

    def _missing(self, loop: Loop, gone: int) -> None:
        self._seen |= gone
        for child in loop.children:
            if gone >> child.order & 1:
                first = child.first if isinstance(child, Loop) else child
                what = f"Loop {child.id} ({child.name})" if isinstance(child, Loop) else f"{child.id} ({child.name})"
                self.find_segment("3", f"{what} is required in loop {loop.id} and missing before this place.", first)

    def _again(self, step: Step) -> None:
        counts = self._counts
        if counts is None:
            counts = self._counts = {}
        count = counts[step.bit] = counts.get(step.bit, 1) + 1
        child = step.child
        if count > child.repeat:
            if isinstance(child, Loop):
                self.find_segment(
                    "4",
                    f"Loop {child.id} ({child.name}) may occur {child.repeat} times; this is one more.",
                    step.node.segment,
                )
            else:
                self.find_segment(
                    "5", f"{child.id} ({child.name}) may occur {child.repeat} times here; this is one more.", child
                )

    def _judge(self, node: Node, raw: str) -> None:
        """The slow road: find out what is wrong, if anything."""
        if node.special is not None and node.special(self, node, raw):
            return
        segment = node.segment
        if segment.usage == "N":
            self.find_segment("I4", f"{segment.id} ({segment.name}) is not used in this guide.", segment)
        self.findings += judge_segment(segment, raw, self.delimiters, self.position)

    def find_set(self, code: str, message: str) -> None:
        self.findings.append(Finding(1, "set", code, message, position=self.position))

    def find_segment(self, code: str, message: str, segment: Segment | str | None) -> None:
        loop = segment.loop.id if isinstance(segment, Segment) else self._loop.id
        name = segment.id if isinstance(segment, Segment) else segment
        level = 1 if code in ("1", "6") else 2
        self.findings.append(Finding(level, "segment", code, message, loop=loop, segment=name, position=self.position))

    def find_element(self, node: Node, element: int, code: str, message: str) -> None:
        segment = node.segment
        data = segment.elements[element - 1].data.number
        self.findings.append(
            Finding(
                2,
                "element",
                code,
                message,
                loop=segment.loop.id,
                segment=segment.id,
                position=self.position,
                element=element,
                data=data,
            )
        )


class Instance:
    """One occurrence of a loop: its segments with their places in the guide, and the loops inside, both in order.

    `positions` are those of its segments in the transaction set, ST being 1 (IK302).
    """

    __slots__ = ("_rows", "children", "delimiters", "loop", "parent", "positions", "segments")

    def __init__(self, loop: Loop, parent: Instance | None, delimiters: Delimiters) -> None:
        self.loop = loop
        self.parent = parent
        self.delimiters = delimiters
        self.segments: list[tuple[Segment, str]] = []
        self.positions: list[int] = []
        self.children: list[Instance] = []
        self._rows: dict[str, list[list[str]]] | None = None

    def rows(self) -> dict[str, list[list[str]]]:
        """The loop's own segments by id, each split into its elements with the id at index 0."""
        rows = self._rows
        if rows is None:
            rows = self._rows = {}
            element = self.delimiters.element
            for segment, raw in self.segments:
                row = raw.split(element) if segment.id != BINARY else split_segment(raw, self.delimiters)
                rows.setdefault(segment.id, []).append(row)
        return rows

    def inside(self, *loop_ids: str) -> list[Instance]:
        """The loops with one of these ids directly inside."""
        return [c for c in self.children if c.loop.id in loop_ids]

    def near(self, *loop_ids: str) -> Instance | None:
        """The nearest loop in scope with one of these ids: this one, one directly inside, or beside or above it."""
        here: Instance | None = self
        while here is not None:
            if here.loop.id in loop_ids:
                return here
            for child in here.children:
                if child.loop.id in loop_ids:
                    return child
            here = here.parent
        return None

    def all(self, *loop_ids: str) -> Iterator[Instance]:
        """Every loop with one of these ids at any depth, in file order."""
        for child in self.children:
            if child.loop.id in loop_ids:
                yield child
            yield from child.all(*loop_ids)


def tree(guide: Guide, nodes: Sequence[Node | None], segments: Sequence[str], delimiters: Delimiters) -> Instance:
    """The loops of a walked transaction set; segments without a place are left out."""
    root = Instance(guide.root, None, delimiters)
    stack = [root]
    for position, (node, raw) in enumerate(zip(nodes, segments, strict=False), 1):
        if node is None:
            continue
        loop = node.loop.parent if node.opens else node.loop
        if stack[-1].loop is not loop:
            _go_to(loop or guide.root, stack)
        if node.opens:
            _enter(node.loop, stack)
        here = stack[-1]
        here.segments.append((node.segment, raw))
        here.positions.append(position)
    return root


def _enter(loop: Loop, stack: list[Instance]) -> None:
    instance = Instance(loop, stack[-1], stack[-1].delimiters)
    stack[-1].children.append(instance)
    stack.append(instance)


def _go_to(loop: Loop, stack: list[Instance]) -> None:
    """Leave loops until this one is innermost; where the walk leapt over the beginning of outer ones, they are made."""
    depth = next((i for i in range(len(stack) - 1, -1, -1) if stack[i].loop is loop), None)
    if depth is not None:
        del stack[depth + 1 :]
        return
    # Only the transaction set has no parent, and it is always open.
    assert loop.parent is not None
    _go_to(loop.parent, stack)
    _enter(loop, stack)

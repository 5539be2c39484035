"""The loops of a walked transaction set as a tree: every occurrence of a loop with its segments, in file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from x12.guides import Guide, Loop, Segment
from x12.syntax import BINARY, Delimiters, split_segment
from x12.table import Node

__all__ = ["Instance", "tree"]


class _Lines:
    """What all the loops of a set lie in: its segments, their places, and their positions where those are not 1, 2, 3, ...

    `loops` are the ids of all loops in it, `entered` those of the loops so far.
    """

    __slots__ = ("entered", "loops", "nodes", "positions", "segments")

    def __init__(
        self, nodes: Sequence[Node | None], segments: Sequence[str], positions: Sequence[int] | None = None
    ) -> None:
        self.nodes = nodes
        self.segments = segments
        self.positions = positions
        self.loops: frozenset[str] = frozenset()
        self.entered: set[str] = set()


_NO_LINES = _Lines((), ())


class Instance:
    """One occurrence of a loop: its segments with their places in the guide, and the loops inside, both in order.

    A set may have a hundred thousand loops, so one holds no more than where in the set its segments are.
    """

    __slots__ = ("_end", "_firsts", "_further", "_lines", "_rows", "_start", "children", "delimiters", "loop", "parent")

    def __init__(self, loop: Loop, parent: Instance | None, delimiters: Delimiters, lines: _Lines = _NO_LINES) -> None:
        self.loop = loop
        self.parent = parent
        self.delimiters = delimiters
        self.children: Sequence[Instance] = ()
        self._lines = lines
        self._start = self._end = 0
        # Where its segments do not stand together: behind the first run of them, the others.
        self._further: list[tuple[int, int]] | None = None
        self._rows: dict[str, list[list[str]]] | None = None
        # The first loops inside by their ids, once they were asked for.
        self._firsts: dict[str, Instance] | None = None

    def raws(self) -> Sequence[str]:
        """Its segments as they came."""
        if self._further is None:
            return self._lines.segments[self._start : self._end]
        return [raw for run in self._runs() for raw in self._lines.segments[run]]

    @property
    def loops(self) -> frozenset[str]:
        """The ids of all loops in the transaction set."""
        return self._lines.loops

    @property
    def places(self) -> list[Segment]:
        """The places of its segments in the guide."""
        nodes = cast("Sequence[Node]", self._lines.nodes)
        return [node.segment for run in self._runs() for node in nodes[run]]

    @property
    def segments(self) -> list[tuple[Segment, str]]:
        """Its segments, each with its place in the guide before it."""
        return list(zip(self.places, self.raws(), strict=True))

    @property
    def positions(self) -> Sequence[int]:
        """The positions of its segments in the transaction set, ST being 1 (IK302)."""
        known = self._lines.positions
        if known is None and self._further is None:
            return range(self._start + 1, self._end + 1)
        every = range(1, len(self._lines.segments) + 1) if known is None else known
        return [position for run in self._runs() for position in every[run]]

    def _runs(self) -> list[slice]:
        return [slice(self._start, self._end), *(slice(*run) for run in self._further or ())]

    def _add(self, start: int, end: int) -> None:
        """A run of its segments."""
        if self._start == self._end:
            self._start, self._end = start, end
        elif self._end == start:
            self._end = end
        else:
            self._further = [*(self._further or ()), (start, end)]

    def with_first(self, segment_id: str) -> Instance:
        """The same loop with nothing inside, and of its segments with this id only the first."""
        made = Instance(self.loop, self.parent, self.delimiters, self._lines)
        there = False
        for index in (index for run in self._runs() for index in range(run.start, run.stop)):
            node = self._lines.nodes[index]
            named = node is not None and node.segment.id == segment_id
            if not (named and there):
                made._add(index, index + 1)
            there = there or named
        return made

    def rows(self) -> dict[str, list[list[str]]]:
        """The loop's own segments by id, each split into its elements with the id at index 0."""
        rows = self._rows
        if rows is None:
            rows = self._rows = {}
            element = self.delimiters.element
            for raw in self.raws():
                row = split_segment(raw, self.delimiters) if raw.startswith(BINARY) else raw.split(element)
                rows.setdefault(row[0], []).append(row)
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
            found = here.first(loop_ids)
            if found is not None:
                return found
            here = here.parent
        return None

    def first(self, loop_ids: Sequence[str]) -> Instance | None:
        """The first loop with one of these ids directly inside."""
        if not self.children:
            return None
        firsts = self._firsts
        if firsts is None:
            firsts = self._firsts = {child.loop.id: child for child in reversed(self.children)}
        if len(loop_ids) == 1:
            return firsts.get(loop_ids[0])
        found = [firsts[loop_id] for loop_id in loop_ids if loop_id in firsts]
        return min(found, key=self.children.index) if len(found) > 1 else next(iter(found), None)

    def all(self, *loop_ids: str) -> Iterator[Instance]:
        """Every loop with one of these ids at any depth, in file order."""
        for child in self.children:
            if child.loop.id in loop_ids:
                yield child
            yield from child.all(*loop_ids)


def tree(
    guide: Guide,
    nodes: Sequence[Node | None],
    segments: Sequence[str],
    delimiters: Delimiters,
    positions: Sequence[int] | None = None,
) -> Instance:
    """The loops of a walked transaction set; segments without a place are left out.

    `positions` are those of the segments, where they are not all the set has. What is given must not change while the tree is used.
    """
    lines = _Lines(nodes, segments, positions)
    here = root = Instance(guide.root, None, delimiters, lines)
    loop, begun = here.loop, 0
    lines.entered.add(loop.id)
    for index, node in enumerate(nodes):
        # Most segments stand in the loop of the one before.
        if node is not None and node.stays_in is loop:
            continue
        if begun < index:
            here._add(begun, index)  # pyright: ignore[reportPrivateUsage]
        begun = index
        if node is None:
            begun += 1
        else:
            loop = node.loop
            here = _entered(loop, here) if node.opens else _going(loop, here)
    if begun < len(nodes):
        here._add(begun, len(nodes))  # pyright: ignore[reportPrivateUsage]
    lines.loops = frozenset(lines.entered)
    return root


def _entered(loop: Loop, here: Instance) -> Instance:
    """A new occurrence of a loop, where its parent is open or can be."""
    outer = loop.parent
    above: Instance | None = here
    while above is not None and above.loop is not outer:
        above = above.parent
    if above is None:
        assert outer is not None
        above = _going(outer, here)
    lines = here._lines  # pyright: ignore[reportPrivateUsage]
    lines.entered.add(loop.id)
    made = Instance(loop, above, here.delimiters, lines)
    if above.children:
        cast("list[Instance]", above.children).append(made)
    else:
        above.children = [made]
    return made


def _going(loop: Loop, here: Instance) -> Instance:
    """Leave loops until this one is innermost; where the walk leapt over the beginning of outer ones, they are made."""
    above: Instance | None = here
    while above is not None:
        if above.loop is loop:
            return above
        above = above.parent
    return _entered(loop, here)

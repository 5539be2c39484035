"""The loops of a walked transaction set as a tree: every occurrence of a loop with its segments, in file order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from x12.guides import Guide, Loop, Segment
from x12.syntax import BINARY, Delimiters, split_segment
from x12.table import Node

__all__ = ["Instance", "tree"]


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


def tree(
    guide: Guide,
    nodes: Sequence[Node | None],
    segments: Sequence[str],
    delimiters: Delimiters,
    positions: Iterable[int] | None = None,
) -> Instance:
    """The loops of a walked transaction set; segments without a place are left out.

    `positions` are those of the segments, where they are not all the set has.
    """
    root = Instance(guide.root, None, delimiters)
    stack = [root]
    for position, node, raw in zip(count(1) if positions is None else positions, nodes, segments, strict=False):
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

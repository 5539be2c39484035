"""Words the situational rules that a set broke: the walk tells which and where, the tree what they are about.

While walking only bits are kept, so what a finding says of places is looked up afterwards, in the tree of what is still at hand:
the whole set where it is kept, else the piece at hand with the heads of the loops that were open before it.

Sources: those of `x12.situations`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from x12.finding import Finding
from x12.guides import UNBOUNDED, Guide, Loop
from x12.situations.language import Statement
from x12.situations.tree import finding
from x12.syntax import Delimiters
from x12.table import Node
from x12.tree import Instance, tree

__all__ = ["Broken", "Past", "worded"]

# A rule that an occurrence of a loop broke, and the position where that began.
Broken = tuple[Statement, Loop, int]
# A claim is some hundred segments; of what is longer, beginning and end stay.
_SEGMENTS_MAX = 10_000


class Past:
    """The segments of a set that later findings may be about: their positions, places and texts."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.nodes: list[Node | None] = []
        self.segments: list[str] = []

    def add(self, first: int, nodes: Sequence[Node | None], segments: Sequence[str]) -> None:
        """The next piece, whose first segment has this position."""
        self.positions += range(first, first + len(nodes))
        self.nodes += nodes
        self.segments += segments

    def keep(self, open_loops: Sequence[tuple[Loop, int]]) -> None:
        """Forget what no open loop needs: of one that has begun an inner loop without bound, all behind its head.

        `open_loops` are the loops that are open, outermost first, with the positions where they began.
        """
        kept: list[int] = []
        starts = [bisect_left(self.positions, begun) for _, begun in open_loops]
        for (start, end), (loop, _), inner in zip(
            zip(starts, [*starts[1:], len(self.positions)], strict=True),
            open_loops,
            [*(inner for inner, _ in open_loops[1:]), None],
            strict=True,
        ):
            head = self._head(loop, start, end) if inner is not None and inner.repeat >= UNBOUNDED else end
            kept += range(start, head)
        if len(kept) > _SEGMENTS_MAX:
            kept = kept[: _SEGMENTS_MAX // 2] + kept[-_SEGMENTS_MAX // 2 :]
        self.positions = [self.positions[i] for i in kept]
        self.nodes = [self.nodes[i] for i in kept]
        self.segments = [self.segments[i] for i in kept]

    def _head(self, loop: Loop, start: int, end: int) -> int:
        """Where the first inner loop without bound begins."""
        for index in range(start, end):
            node = self.nodes[index]
            if node is not None and node.opens and node.loop.parent is loop and node.loop.repeat >= UNBOUNDED:
                return index
        return end


def worded(broken: Sequence[Broken], past: Past, guide: Guide, delimiters: Delimiters) -> Iterator[Finding]:
    """The findings of the rules that were broken, in the order they are given."""
    instances = dict(_by_beginning(tree(guide, past.nodes, past.segments, delimiters, past.positions)))
    for statement, loop, begun in broken:
        instance = instances.get((id(loop), begun))
        yield finding(statement, instance) if instance is not None else _at(statement, begun)


def _by_beginning(root: Instance) -> Iterator[tuple[tuple[int, int], Instance]]:
    stack: list[Instance] = [root]
    while stack:
        instance = stack.pop()
        beginning = instance
        while not beginning.positions and beginning.children:
            beginning = beginning.children[0]
        yield (id(instance.loop), beginning.positions[0] if beginning.positions else 1), instance
        stack += instance.children


def _at(statement: Statement, position: int) -> Finding:
    """A finding whose loop is not at hand any more: at its beginning."""
    rule = statement.rule
    return Finding(
        rule.level, "segment", "I6", rule.message, rule.severity, rule.loop, rule.segment, position, rule=rule.id
    )

"""The stages of walks between two proved loops, and the ways from one to the next (see `x12.ways`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from x12.proofs import Passage
    from x12.table import Close, Node, Scope, Step
    from x12.walk import Walk

__all__ = ["Mark", "Open", "Stage", "Stages", "Way"]

# An open loop as far as it decides what comes: its scope, and `seen`, `missed`, `facts`, `around` as a walk has them.
Open = tuple["Scope", int, int, int, int]
# Of an open loop what does not: where it began, how often its inner loops came, and the texts that are compared in it.
Mark = tuple[int, "dict[int, int] | None", dict[int, str]]
# How many stages and what follows them are remembered before all are forgotten.
MEMORY_ENTRIES = 2048


class Stage:
    """Where a walk stands behind a passage: the place of the last segment and the loops that are open, outermost first."""

    __slots__ = ("here", "next", "open", "sure", "ways")

    def __init__(self, here: Node, loops: tuple[Open, ...]) -> None:
        self.here = here
        self.next = here.next
        self.open = loops
        self.ways: dict[Step, Way] = {}
        # Those that the beginning of a segment alone may tell: where the proof of the loop matches, it is that way.
        self.sure: dict[str, Way] = {}


class Way:
    """A step from a stage into a loop, of which nothing is found but by sums, codes, texts and counting.

    `depth` loops stay open around the one that is entered, which is then at the stage `entered`. `closes` is what is done as the others end,
    `compares` what compares the texts of those at these depths. Where `bit` is not 0 it is how the inner loop is counted in the outer one,
    which may have `repeat` of it. `copies` tells whether the loop compares texts of its own, `free` that neither texts nor counts are to be
    asked, `reach` how deep the innermost loop is of which anything is. `behind` are the stages after passages.
    """

    __slots__ = (
        "around",
        "around_it",
        "behind",
        "bit",
        "closes",
        "compares",
        "copies",
        "depth",
        "entered",
        "free",
        "reach",
        "repeat",
        "scope",
        "step",
    )

    def __init__(self, stage: Stage, step: Step, entered: Stage) -> None:
        self.step = step
        self.scope = step.node.scope
        self.depth = depth = len(entered.open) - 1
        self.around_it = depth - 1
        left = range(len(stage.open) - 1, depth - 1, -1)
        scopes = [(at, stage.open[at][0]) for at in left]
        self.closes: list[Close] = [scope.close for _, scope in scopes if scope.close is not None]
        self.compares = [(at, scope.compare) for at, scope in scopes if scope.compare is not None]
        self.reach = max(depth - 1, *(at for at, _ in self.compares)) if self.compares else depth - 1
        self.bit = stage.open[depth - 1][1] & step.limited
        self.repeat = step.child.repeat
        self.free = not self.bit and not self.compares
        scope, *_, self.around = entered.open[-1]
        self.copies = scope.compares
        self.entered = entered
        self.behind: dict[Passage, Stage] = {}


class Stages:
    """The stages of a table that were met."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Stage] = {}
        self._entries = 0

    def of(self, walk: Walk) -> Stage:
        """The stage at which a walk stands."""
        loops = [(f[0], f[1], f[3], f[4], f[5]) for f in walk.stack]
        loops.append((walk.scope, walk.seen, walk.missed, walk.facts, walk.around))
        key = (walk.here, *loops)
        stage = self._known.get(key)
        if stage is None:
            self.learned()
            stage = self._known[key] = Stage(walk.here, tuple(loops))
        return stage

    def learned(self) -> None:
        """One thing more is remembered."""
        self._entries += 1
        if self._entries >= MEMORY_ENTRIES:
            self._known.clear()
            self._entries = 0

"""What is judged beyond syntax and guide (SNIP levels 3 to 7), put together for one guide and bound to its places.

Sources: those of `x12.balancing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from x12.balancing import LEDGERS
from x12.guides import Loop, Segment

if TYPE_CHECKING:
    from x12.table import Act, Close, Table
    from x12.walk import Walk

__all__ = ["LEVELS", "Judgement", "judgement"]

# The SNIP levels that are judged where nobody says otherwise; level 7 takes a companion guide.
LEVELS = frozenset(range(1, 7))


@dataclass(frozen=True)
class Judgement:
    """Which levels are judged, and by what."""

    levels: frozenset[int] = LEVELS

    def act(self, segment: Segment, table: Table) -> Act | None:
        """What the segments at this place mean for the sums; None where they mean nothing."""
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        name = ledger and ledger.entries.get((segment.loop.id, segment.id))
        if not name:
            return None
        enter: Callable[[Any, list[str], int, bool], None] = getattr(ledger, name)
        separator = table.delimiters.element

        def act(walk: Walk, raw: str, clean: bool) -> None:
            enter(walk.sums, raw.split(separator), walk.position, clean)

        return act

    def close(self, loop: Loop, table: Table) -> Close | None:
        """What is added up when an occurrence of this loop ends."""
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        name = ledger and ledger.closings.get(loop.id)
        if not name:
            return None
        close: Callable[[Any], None] = getattr(ledger, name)
        return lambda walk: close(walk.sums)

    def begin(self, walk: Walk) -> None:
        """A transaction set begins: nothing is added up yet."""
        ledger = LEDGERS.get(walk.table.guide.set_id) if 3 in self.levels else None
        walk.sums = ledger and ledger(walk.found)


def judgement(levels: Iterable[int] = LEVELS) -> Judgement:
    """The judgement of these levels; equal ones share their compiled guides."""
    return Judgement(frozenset(levels))

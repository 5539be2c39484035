"""What is judged beyond syntax and guide (SNIP levels 3 to 7), put together for one guide and bound to its places.

Sources: those of `x12.balancing`, `x12.codes.lists` and `x12.situations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from x12.balancing import LEDGERS
from x12.codes.checking import Memory, Row, checks_of
from x12.codes.lists import Lists, shipped
from x12.guides import Loop, Segment

if TYPE_CHECKING:
    from x12.table import Act, Close, Table
    from x12.walk import Walk

__all__ = ["LEVELS", "Judgement"]

# The SNIP levels that are judged where nobody says otherwise; level 7 takes a companion guide.
LEVELS = frozenset(range(1, 7))


@dataclass(frozen=True)
class Judgement:
    """Which levels are judged, and by what."""

    levels: frozenset[int] = LEVELS
    lists: Lists = field(default_factory=shipped)
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def act(self, segment: Segment, table: Table) -> Act | None:
        """What the segments at this place mean for sums and lists; None where they mean nothing."""
        rows = [row for row in (self._entry(segment, table), self._checks(segment, table)) if row is not None]
        separator = table.delimiters.element
        if not rows:
            return None
        if len(rows) == 1:
            only = rows[0]

            def alone(walk: Walk, raw: str, clean: bool) -> None:
                only(walk, raw.split(separator), clean)

            return alone
        one, other = rows

        def both(walk: Walk, raw: str, clean: bool) -> None:
            row = raw.split(separator)
            one(walk, row, clean)
            other(walk, row, clean)

        return both

    def _entry(self, segment: Segment, table: Table) -> Row | None:
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        name = ledger and ledger.entries.get((segment.loop.id, segment.id))
        if not name:
            return None
        enter: Callable[[Any, list[str], int, bool], None] = getattr(ledger, name)
        return lambda walk, row, clean: enter(walk.sums, row, walk.position, clean)

    def _checks(self, segment: Segment, table: Table) -> Row | None:
        return checks_of(segment, table.delimiters, self.lists) if 5 in self.levels else None

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
        walk.known = self.memory.of(walk.day)

"""What is judged beyond syntax and guide (SNIP levels 3 to 7), put together for one guide and bound to its places.

Sources: those of `x12.balancing`, `x12.codes.lists` and `x12.situations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from x12.balancing import LEDGERS
from x12.codes.checking import Memory, Row, checks_of, settle
from x12.codes.lists import Lists, shipped
from x12.codes.service_days import CLAIMS, Service, teller
from x12.guides import Guide, Loop, Segment
from x12.situations import Situations, situations
from x12.syntax import Delimiters

if TYPE_CHECKING:
    from x12.table import Act, Close, Table
    from x12.walk import Walk

__all__ = ["LEVELS", "Judgement"]

# The SNIP levels that are judged where nobody says otherwise; at level 7 there is nothing without a companion guide.
LEVELS = frozenset(range(1, 8))
# Those that rules are for: situations, products, payers.
_SITUATED = frozenset((4, 6, 7))
# Segments that come with the same text again and again: what a whole one tells is remembered too.
_REPEATED = frozenset(("DTM", "DTP", "EB", "PRV"))
_REMEMBERED = (
    "told = known.get(raw)",
    "if told is None:",
    " told = facts(raw.split(separator))",
    " if len(known) >= 8192: known.clear()",
    " if len(raw) <= 80: known[raw] = told",
    "walk.facts |= told",
)


@dataclass(frozen=True)
class Judgement:
    """Which levels are judged, and by what."""

    levels: frozenset[int] = LEVELS
    lists: Lists = field(default_factory=shipped)
    # Texts of payers' own rules, in the language of `x12.situations`.
    payer: tuple[str, ...] = ()
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def act(self, segment: Segment, table: Table) -> Act | None:
        """What the segments at this place mean for sums, lists and rules; None where they mean nothing."""
        return _in_turn(self._days(segment, table), self._parts(segment, table))

    def _parts(self, segment: Segment, table: Table) -> Act | None:
        """Sums, lists and rules.

        Each segment is split once for all of them. The function is written as source: a remittance calls it for most of its segments.
        """
        situated, index = table.situated, segment.index
        facts = situated.watched.get(index) if situated is not None else None
        kept = situated is not None and index in situated.kept
        entry, check = self._entry(segment, table), self._checks(segment, table)
        lines = ["walk.texts[index] = raw"] if kept else []
        lines += ["row = raw.split(separator)"] if facts or entry or check else []
        lines += ["walk.facts |= facts(row)"] if facts else []
        lines += ["check(walk, row, clean)"] if check else []
        lines += ["entry(walk.sums, row, walk.position, clean)"] if entry else []
        if not lines:
            return None
        if facts and not entry and not check and segment.id in _REPEATED:
            lines = [*lines[:-2], *_REMEMBERED]
        known: dict[str, Any] = {
            "index": index,
            "separator": table.delimiters.element,
            "facts": facts,
            "check": check,
            "entry": entry,
            "known": {},
        }
        exec("\n ".join(["def act(walk, raw, clean):", *lines]), known)  # noqa: S102 - names and lines of our own
        return known["act"]

    def _entry(self, segment: Segment, table: Table) -> Callable[[Any, list[str], int, bool], None] | None:
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        name = ledger and ledger.entries.get((segment.loop.id, segment.id))
        if not name:
            return None
        return getattr(ledger, name)

    def _checks(self, segment: Segment, table: Table) -> Row | None:
        return checks_of(segment, table.delimiters, self.lists) if 5 in self.levels else None

    def _days(self, segment: Segment, table: Table) -> Act | None:
        tell = teller(segment, table.guide.set_id, table.delimiters.element) if 5 in self.levels else None
        if tell is None:
            return None

        def days(walk: Walk, raw: str, clean: bool) -> None:
            if walk.service is not None:
                tell(walk.service, raw, walk.begun)

        return days

    def close(self, loop: Loop, table: Table) -> Close | None:
        """What is added up, and which codes are asked, when an occurrence of this loop ends."""
        codes = settle if 5 in self.levels and loop.id == CLAIMS.get(table.guide.set_id) else None
        sums = self._sums(loop, table)
        if sums is None or codes is None:
            return sums or codes

        def close(walk: Walk) -> None:
            sums(walk)
            codes(walk)

        return close

    def situations(self, guide: Guide, delimiters: Delimiters) -> Situations | None:
        """The rules of the guide, where their levels are judged."""
        if self.levels.isdisjoint(_SITUATED):
            return None
        found = situations(guide, delimiters, self.payer, self.levels & _SITUATED)
        return found if found.statements else None

    def _sums(self, loop: Loop, table: Table) -> Close | None:
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
        set_id, separator = walk.table.guide.set_id, walk.delimiters.element
        walk.service = Service(set_id, self.lists, separator) if 5 in self.levels and set_id in CLAIMS else None


def _in_turn(one: Act | None, other: Act | None) -> Act | None:
    if one is None or other is None:
        return one or other

    def act(walk: Walk, raw: str, clean: bool) -> None:
        one(walk, raw, clean)
        other(walk, raw, clean)

    return act

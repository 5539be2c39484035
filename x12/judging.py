"""What is judged beyond syntax and guide (SNIP levels 3 to 7), put together for one guide and bound to its places.

Sources: those of `x12.balancing`, `x12.codes.lists` and `x12.situations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from x12.balancing import LEDGERS
from x12.codes.checking import Checks, Memory, checks_of, settle
from x12.codes.lists import Lists, shipped
from x12.codes.service_days import CLAIMS, Service, teller
from x12.guides import Guide, Loop, Segment
from x12.situations import Situations, situations
from x12.situations.facts import Watcher
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
        """What the segments at this place mean for sums, lists and rules; None where they mean nothing.

        Each segment is split once for all of them, and of one that was proved clean only what can differ is looked at. The
        function is written as source: most of a file's segments go through one.
        """
        situated, index = table.situated, segment.index
        facts = situated.watched.get(index) if situated is not None else None
        kept = situated.kept.get(index) if situated is not None else None
        entry, checks, tell = self._entry(segment, table), self._checks(segment, table), self._days(segment, table)
        lines = ["if walk.service is not None: tell(walk.service, raw, walk.begun)"] if tell else []
        if facts and not entry and not checks and kept is None and segment.id in _REPEATED:
            lines += _REMEMBERED
        elif facts or entry or checks or kept is not None:
            lines += ["row = raw.split(separator)", "size = len(row)"]
        if kept is not None:
            lines += [f"if size > {kept}: walk.texts[{index}] = raw", f"elif walk.texts: walk.texts.pop({index}, None)"]
        if len(lines) > 1 and "size = len(row)" in lines and (facts or checks):
            lines += ["if clean:"]
            lines += [f" {line}" for line in (*_facts(facts, segment), *(checks.lines if checks else ()))]
            lines += ["else:"]
            lines += [" walk.facts |= facts(row)"] if facts else []
            lines += [" check(walk, row, clean)"] if checks else []
        lines += ["entry(walk.sums, row, walk.position, clean)"] if entry else []
        if not lines:
            return None
        names: dict[str, Any] = {
            "separator": table.delimiters.element,
            "facts": facts,
            "told_by": facts.known.get if facts else None,
            "padding": [""] * facts.size if facts else None,
            "check": checks and checks.check,
            "entry": entry,
            "tell": tell,
            "known": {},
        }
        names |= checks.names if checks else {}
        exec("\n ".join(["def act(walk, raw, clean):", *lines]), names)  # noqa: S102 - names and lines of our own
        return names["act"]

    def _entry(self, segment: Segment, table: Table) -> Callable[[Any, list[str], int, bool], None] | None:
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        name = ledger and ledger.entries.get((segment.loop.id, segment.id))
        if not name:
            return None
        return getattr(ledger, name)

    def _checks(self, segment: Segment, table: Table) -> Checks | None:
        return checks_of(segment, table.delimiters, self.lists) if 5 in self.levels else None

    def _days(self, segment: Segment, table: Table) -> Callable[[Service, str, int], None] | None:
        return teller(segment, table.guide.set_id, table.delimiters.element) if 5 in self.levels else None

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


def _facts(facts: Watcher | None, segment: Segment) -> list[str]:
    """The source that adds the facts of a segment that was proved clean."""
    if facts is None:
        return []
    always = max((e.position for e in segment.elements if e.usage == "R"), default=0)
    key = facts.key
    # What is not sent is empty.
    lines = [f"whole = row if size >= {facts.size} else row + padding"] if facts.size > always + 1 else []
    lines += [f"key = {key.replace('row[', 'whole[') if lines else key}"]
    return [*lines, "told = told_by(key)", "walk.facts |= facts.keep(key, row) if told is None else told"]

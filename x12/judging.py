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
from x12.table import Written

if TYPE_CHECKING:
    from x12.table import Close, Table
    from x12.walk import Walk

__all__ = ["LEVELS", "Judgement"]

# The SNIP levels that are judged where nobody says otherwise; at level 7 there is nothing without a companion guide.
LEVELS = frozenset(range(1, 8))
# Those that rules are for: situations, products, payers.
_SITUATED = frozenset((4, 6, 7))
# Segments that come with the same text again and again: what a whole one tells is remembered too.
_REPEATED = frozenset(("DTM", "DTP", "EB", "PRV"))
_REMEMBERED = (
    "told = known{0}.get(raw)",
    "if told is None:",
    " told = facts{0}(raw.split(separator))",
    " if len(known{0}) >= 8192: known{0}.clear()",
    " if len(raw) <= 80: known{0}[raw] = told",
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

    def act(self, segment: Segment, table: Table) -> Written | None:
        """What the segments at this place mean for sums, lists and rules; None where they mean nothing.

        Each segment is split once for all of them, and of one that was proved clean only what can differ is looked at. It is written
        as source: most of a file's segments go through it.
        """
        situated, at = table.situated, segment.index
        facts = situated.watched.get(at) if situated is not None else None
        kept = situated.kept.get(at) if situated is not None else None
        entry, checks, tell = self._entry(segment, table), self._checks(segment, table), self._days(segment, table)
        head = [f"if walk.service is not None: tell{at}(walk.service, raw, walk.begun)"] if tell else []
        clean: list[str] = []
        faulted: list[str] = []
        if facts and not entry and not checks and kept is None and segment.id in _REPEATED:
            head += [line.format(at) for line in _REMEMBERED]
        elif facts or entry or checks or kept is not None:
            head += ["row = raw.split(separator)", "size = len(row)"]
            clean += _facts(facts, segment) if facts else []
            faulted += [f"walk.facts |= facts{at}.faulted(row)"] if facts else []
        if kept is not None:
            head += [f"if size > {kept}: walk.texts[{at}] = raw", f"elif walk.texts: walk.texts.pop({at}, None)"]
        if checks:
            clean += checks.lines
            faulted += [f"check{at}(walk, row, False)"]
        if entry:
            clean += [f"entry{at}(walk.sums, row, walk.position, True)"]
            faulted += [f"entry{at}(walk.sums, row, walk.position, False)"]
        if not head:
            return None
        names: dict[str, Any] = {"separator": table.delimiters.element, f"known{at}": {}}
        names |= {f"entry{at}": entry, f"tell{at}": tell}
        names |= {f"check{at}": checks.check, **checks.names} if checks else {}
        names |= {f"facts{at}": facts, f"told_by{at}": facts.known.get} if facts else {}
        names |= {f"padding{at}": [""] * facts.size} if facts else {}
        lines = [*head]
        if clean:
            lines += ["if clean:", *(f" {line}" for line in clean), "else:", *(f" {line}" for line in faulted)]
        made = dict(names)
        exec("\n ".join(["def act(walk, raw, clean):", *lines]), made)  # noqa: S102 - names and lines of our own
        return Written(made["act"], (*head, *clean), names)

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


def _facts(facts: Watcher, segment: Segment) -> list[str]:
    """The source that adds the facts of a segment that was proved clean."""
    always = max((e.position for e in segment.elements if e.usage == "R"), default=0)
    key, at = facts.key, segment.index
    # What is not sent is empty.
    lines = [f"whole = row if size >= {facts.size} else row + padding{at}"] if facts.size > always + 1 else []
    lines += [f"key = {key.replace('row[', 'whole[') if lines else key}"]
    return [*lines, f"told = told_by{at}(key)", f"walk.facts |= facts{at}.keep(key, row) if told is None else told"]

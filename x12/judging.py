"""What is judged beyond syntax and guide (SNIP levels 3 to 7), put together for one guide and bound to its places.

Sources: those of `x12.balancing`, `x12.codes.lists` and `x12.situations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from x12.balancing import LEDGERS, Entry
from x12.codes.checking import Memory, checking, places_of, settle
from x12.codes.lists import Lists, shipped
from x12.codes.service_days import CLAIMS, Service, teller
from x12.guides import Guide, Loop, Segment
from x12.situations import Situations, situations
from x12.situations.facts import Watcher
from x12.syntax import Delimiters
from x12.table import Meaning

if TYPE_CHECKING:
    from x12.finding import Finding
    from x12.table import Act, Close, Node, Table
    from x12.walk import Walk

__all__ = ["LEVELS", "Judgement", "Manner", "judgement_of"]

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

    def meaning(self, segment: Segment, table: Table) -> Meaning:
        """What the segments at this place mean for sums, lists and rules."""
        situated, at = table.situated, segment.index
        return Meaning(
            situated.watched.get(at) if situated is not None else None,
            situated.kept.get(at) if situated is not None else None,
            places_of(segment, table.delimiters, self.lists) if 5 in self.levels else [],
            self._entry(segment, table),
            teller(segment, table.guide.set_id, table.delimiters.element) if 5 in self.levels else None,
        )

    def act(self, segment: Segment, table: Table) -> Act | None:
        """What to do with each segment at this place; None where it means nothing.

        Each segment is split once for all of it, and of one that was proved clean only what can differ is looked at. It is written
        as source: most of a file's segments go through it, or through a proof (`x12.proofs`) that does the same.
        """
        meaning, at = self.meaning(segment, table), segment.index
        facts, kept, places, entry, tell = meaning
        lines = ["if walk.service is not None: tell(walk.service, raw, walk.begun)"] if tell else []
        clean: list[str] = []
        faulted: list[str] = []
        if facts and not entry and not places and kept is None and segment.id in _REPEATED:
            lines += _REMEMBERED
        elif facts or entry or places or kept is not None:
            lines += ["row = raw.split(separator)", "size = len(row)"]
            clean += _facts(facts, segment) if facts else []
            faulted += ["walk.facts |= facts.faulted(row)"] if facts else []
        if kept is not None:
            lines += [f"if size > {kept}: walk.texts[{at}] = raw", f"elif walk.texts: walk.texts.pop({at}, None)"]
        if places:
            clean += [line for place in places for line in place.lines()]
            faulted += ["check(walk, row, False)"]
        if entry:
            texts = "".join(f", row[{e}] if size > {e} else ''" for e in entry.elements)
            lines += [f"walk.sums.{entry.method}(walk.position, clean{texts})"]
        if not lines:
            return None
        names: dict[str, Any] = {
            "separator": table.delimiters.element,
            "known": {},
            "tell": tell and tell.take,
            "facts": facts,
        }
        names |= {"check": checking(places), **{f"place{p.element.position}": p for p in places}} if places else {}
        names |= {"told_by": facts.known.get, "padding": [""] * facts.size} if facts else {}
        if clean:
            lines += ["if clean:", *(f" {line}" for line in clean), "else:", *(f" {line}" for line in faulted)]
        exec("\n ".join(["def act(walk, raw, clean):", *lines]), names)  # noqa: S102 - names and lines of our own
        return names["act"]

    def _entry(self, segment: Segment, table: Table) -> Entry | None:
        ledger = LEDGERS.get(table.guide.set_id) if 3 in self.levels else None
        return ledger and ledger.entries.get((segment.loop.id, segment.id))

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
    # What is not sent is empty.
    lines = [f"whole = row if size >= {facts.size} else row + padding"] if facts.size > always + 1 else []
    lines += [f"key = {facts.key.replace('row[', 'whole[') if lines else facts.key}"]
    return [*lines, "told = told_by(key)", "walk.facts |= facts.keep(key, row) if told is None else told"]


class Manner(NamedTuple):
    """How a set is judged as it is written: by what, on which day (CCYYMMDD) and for which ISA15.

    `patches` are those of companion guides. `further` finds what is the caller's own, out of the places and the segments of the
    whole set; its findings are given their fields as all others are.
    """

    judgement: Judgement
    day: str = ""
    usage: str = "P"
    patches: tuple[str, ...] = ()
    further: Callable[[Sequence[Node | None], Sequence[str]], Iterable[Finding]] | None = None


def judgement_of(
    levels: Iterable[int] = LEVELS, lists: Lists | None = None, companions: Sequence[str] = ()
) -> tuple[Judgement, tuple[str, ...]]:
    """What judges at these levels, and the companions among `companions` that are patches: the others are rules of payers."""
    rules = tuple(text for text in companions if _has_rules(text))
    patches = tuple(text for text in companions if text not in rules)
    return _judgement(frozenset(levels), lists or shipped(), rules), patches


@lru_cache(32)
def _judgement(levels: frozenset[int], lists: Lists, payer: tuple[str, ...]) -> Judgement:
    return Judgement(levels, lists, payer)


def _has_rules(companion: str) -> bool:
    return any(line.startswith("rules ") for line in companion.split("\n"))

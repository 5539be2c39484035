"""Situational rules compiled for the walk: what a segment says becomes bits of one number, and bits decide the rules.

While a set is walked nothing is kept of a segment but its bits. When a loop ends, the bits of its own segments, of its
children that are there (the walk knows those anyway), of the loops that ended inside it and of the loops around it say which
rules it breaks, and that answer is remembered: most claims are like the claim before.

The walk does this, for each open loop (`frame`):

    a segment came      frame.facts |= watched[segment.index](elements)
    a loop is entered   child.around = (frame.around | frame.facts | presence(frame)) & ~facts_of(child loop).own
    a loop ends         facts = frame.facts | presence(frame);  broken(facts | frame.around);  outer.facts |= facts

where presence(frame) is `(frame.seen << base) & presence`. A loop that no rule knows passes `around` on unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec.structs import replace

from x12.guides import Guide, Loop, Segment
from x12.situations.language import ANY_ELEMENT, COMPARISONS, PRESENT, Place, Rule, Side, Statement, Term, Test
from x12.situations.tree import POINTERS, breaks_alone, is_local, outer_groups
from x12.syntax import Delimiters

__all__ = ["LoopFacts", "Part", "Situations", "Watcher"]

# How many answers are remembered before all are forgotten: claims have few kinds, hostile files as many as they like.
MEMORY_ENTRIES = 2048
# Longer segments are read each time.
MEMORY_LENGTH = 160


class _Reader(NamedTuple):
    """How one fact is read from a segment: its bit, the test, and the terms that tell which elements decide it."""

    bit: int
    holds: Callable[[list[str]], bool]
    reads: tuple[Term, ...]


class _Decision(NamedTuple):
    """A rule over facts: each group of `when` has a term that holds, and the consequence fails."""

    statement: Statement
    when: tuple[tuple[tuple[int, bool], ...], ...]
    needs: int
    forbids: int
    pairs: tuple[tuple[int, int], ...]

    def is_broken(self, facts: int) -> bool:
        if not all(any(bool(facts & mask) is not negated for mask, negated in group) for group in self.when):
            return False
        if self.pairs:
            return any(facts & one and not facts & other for one, other in self.pairs)
        return not facts & self.needs if self.needs else bool(facts & self.forbids)

    @property
    def bits(self) -> int:
        masks = [mask for group in self.when for mask, _ in group] + [bit for pair in self.pairs for bit in pair]
        found = self.needs | self.forbids
        for mask in masks:
            found |= mask
        return found


class LoopFacts:
    """What one loop knows, and which of its rules its facts break.

    `(seen << base) & presence` are the facts "this child is there", `seen` being the walk's bits by child order; `own` are
    all bits of this loop and of loops inside it, `inherits` those of other loops that its rules look at. `relevant` are the bits
    that decide, and `known` the answers so far by those.
    """

    __slots__ = ("_decisions", "base", "inherits", "known", "own", "presence", "relevant")

    def __init__(self, base: int, presence: int, own: int, decisions: Sequence[_Decision]) -> None:
        self.base = base
        self.presence = presence
        self.own = own
        self._decisions = tuple(decisions)
        self.relevant = 0
        for decision in decisions:
            self.relevant |= decision.bits
        self.inherits = self.relevant & ~own
        self.known: dict[int, tuple[Rule, ...]] = {}

    def broken(self, facts: int) -> tuple[Rule, ...]:
        """The rules that a loop with these facts breaks; remembered."""
        facts &= self.relevant
        found = self.known.get(facts)
        if found is None:
            found = tuple(d.statement.rule for d in self._decisions if d.is_broken(facts))
            if len(self.known) >= MEMORY_ENTRIES:
                self.known.clear()
            self.known[facts] = found
        return found


class _Comparison(NamedTuple):
    """A rule over the texts of single segments, by their index in the guide."""

    statement: Statement
    left: tuple[Side, tuple[int, ...]]
    right: tuple[Side, tuple[int, ...]]
    when: tuple[tuple[tuple[Term, tuple[int, ...]], ...], ...]


class Situations:
    """The rules of a guide, compiled for one set of delimiters.

    `watched`: Segment.index -> from its elements to their fact bits. `kept`: Segment.index whose raw text must be at hand when a loop
    that compares ends -> the element without which nobody looks at it.
    """

    def __init__(self, guide: Guide, delimiters: Delimiters, statements: Sequence[Statement]) -> None:
        self.guide = guide
        self.statements: Mapping[Rule, Statement] = {s.rule: s for s in statements}
        self.watched: Mapping[int, Watcher]
        self.kept: Mapping[int, int]
        self._delimiters = delimiters
        compiler = _Compiler(guide, delimiters, statements)
        self.watched = compiler.watched
        self._loops = compiler.loops
        self._comparisons = {loop: made for loop in guide.loops() if (made := _comparisons(loop, statements))}
        self.kept = _kept(c for made in self._comparisons.values() for c in made)

    def loop(self, loop: Loop) -> LoopFacts | None:
        """The facts of a loop; None where no rule looks at it, from inside or outside."""
        return self._loops.get(loop.id)

    def compare(self, loop: Loop) -> Callable[[Mapping[int, str]], tuple[Rule, ...]] | None:
        """What tells the rules that the texts in scope (by Segment.index) break when this loop ends; None where none compares."""
        made = self._comparisons.get(loop)
        if made is None:
            return None
        delimiters = self._delimiters
        separator = delimiters.element
        # The side that is further back in its segment is the one that is seldom there.
        scarce = [
            (c, *max(((s.place.element or 0, i) for s, i in (c.left, c.right)), key=lambda at: at[0])) for c in made
        ]

        decisive = frozenset(index for _, _, indices in scarce for index in indices)

        def judge(texts: Mapping[int, str]) -> tuple[Rule, ...]:
            found: tuple[Rule, ...] = ()
            if decisive.isdisjoint(texts):
                return found
            for comparison, element, indices in scarce:
                for index in indices:
                    raw = texts.get(index)
                    if raw is not None and raw.count(separator) >= element:
                        break
                else:
                    continue
                if _is_out_of_order(comparison, texts, delimiters):
                    found += (comparison.statement.rule,)
            return found

        return judge


# --- comparisons ---------------------------------------------------------------------------------------------------


def _comparisons(loop: Loop, statements: Sequence[Statement]) -> tuple[_Comparison, ...]:
    found: list[_Comparison] = []
    for statement in statements:
        if statement.order and statement.loop == loop.id:
            left, _, right = statement.order
            when = tuple(tuple((t, _indices(loop, t.place)) for t in group) for group in statement.when)
            found.append(
                _Comparison(statement, (left, _indices(loop, left.place)), (right, _indices(loop, right.place)), when)
            )
    return tuple(found)


def _kept(comparisons: Iterable[_Comparison]) -> dict[int, int]:
    kept: dict[int, int] = {}
    for comparison in comparisons:
        (left, ones), (right, others) = comparison.left, comparison.right
        sides = [(left.place.element or 0, ones), (right.place.element or 0, others)]
        if ones == others and len(ones) == 1:
            # Two elements of one segment: it takes both.
            sides = [(max(at for at, _ in sides), ones)]
        sides += [(term.place.element or 0, indices) for group in comparison.when for term, indices in group]
        for at, indices in sides:
            for index in indices:
                kept[index] = min(kept.get(index, at), max(at, 0))
    return kept


def _indices(loop: Loop, place: Place) -> tuple[int, ...]:
    """Segment.index of a place as seen from one loop: in itself, around it, or beside it."""
    here: Loop | None = loop
    while here is not None:
        for inner in _within(here):
            if inner.id == place.loop:
                children = (inner.children[order] for loop_id, order in place.children if loop_id == place.loop)
                return tuple(child.index for child in children if isinstance(child, Segment))
        here = here.parent
    return ()


def _within(loop: Loop) -> Iterable[Loop]:
    yield loop
    for child in loop.children:
        if isinstance(child, Loop):
            yield from _within(child)


def _text(place: Place, indices: Sequence[int], texts: Mapping[int, str], delimiters: Delimiters) -> list[str] | None:
    for index in indices:
        raw = texts.get(index)
        if raw is not None:
            row = raw.split(delimiters.element)
            if Term(place, PRESENT).of_segment(row, delimiters.component, delimiters.repetition):
                return row
    return None


def _is_out_of_order(comparison: _Comparison, texts: Mapping[int, str], delimiters: Delimiters) -> bool:
    values: list[str] = []
    for side, indices in (comparison.left, comparison.right):
        row = _text(side.place, indices, texts, delimiters)
        if row is None:
            return False
        values.append(side.value(row, delimiters.component, delimiters.repetition))
    for group in comparison.when:
        if not any(_text_holds(term, indices, texts, delimiters) for term, indices in group):
            return False
    return bool(values[0] and values[1]) and comparison.statement.is_out_of_order(*values)


def _text_holds(term: Term, indices: Sequence[int], texts: Mapping[int, str], delimiters: Delimiters) -> bool:
    rows = (texts[index].split(delimiters.element) for index in indices if index in texts)
    found = any(term.of_segment(row, delimiters.component, delimiters.repetition) for row in rows)
    return found is not term.negated


# --- compiling -----------------------------------------------------------------------------------------------------


class _Compiler:
    """Numbers the facts of a guide's rules, and makes what finds them."""

    def __init__(self, guide: Guide, delimiters: Delimiters, statements: Sequence[Statement]) -> None:
        self.delimiters = delimiters
        self.listed: dict[str, Loop] = {}
        for loop in guide.loops():
            self.listed.setdefault(loop.id, loop)
        self.bits = 0
        self.values: dict[object, int] = {}
        self.owned: dict[str, int] = {}
        self.readers: dict[tuple[str, int], list[_Reader]] = {}
        # Presence bits are counted by child order; they are laid out after all rules are known.
        self.present: dict[str, set[int]] = {}
        for statement in statements:
            if not statement.order:
                for term in self._terms(statement):
                    self._note_presence(term)
        self.bases = self._lay_out()
        decisions: dict[str, list[_Decision]] = {}
        for statement in statements:
            if not statement.order:
                decisions.setdefault(statement.loop, []).append(self._decide(statement))
        self.watched = self._watchers(guide)
        self.loops = self._facts(guide, decisions)

    @staticmethod
    def _terms(statement: Statement) -> list[Term]:
        if statement.each is not None:
            return [term for group in outer_groups(statement) for term in group]
        return [*(t for group in statement.when for t in group), *statement.needs, *statement.forbids]

    @staticmethod
    def _is_presence(term: Term) -> bool:
        """Whether the walk's own bits answer: a child is there or not."""
        return term.place.element is None and term.place.whole

    def _note_presence(self, term: Term) -> None:
        if self._is_presence(term):
            for loop_id, order in term.place.children:
                self.present.setdefault(loop_id, set()).add(order)

    def _lay_out(self) -> dict[str, int]:
        bases: dict[str, int] = {}
        for loop_id in self.present:
            bases[loop_id] = self.bits
            self.bits += len(self.listed[loop_id].children)
        return bases

    def _bit(self, loop_id: str) -> int:
        bit = 1 << self.bits
        self.bits += 1
        self.owned[loop_id] = self.owned.get(loop_id, 0) | bit
        return bit

    def _mask(self, term: Term) -> int:
        if self._is_presence(term):
            mask = 0
            for loop_id, order in term.place.children:
                mask |= 1 << (self.bases[loop_id] + order)
            return mask
        key = (term.place, term.test)
        bit = self.values.get(key)
        if bit is None:
            bit = self.values[key] = self._bit(term.place.loop)
            component, repetition = self.delimiters.component, self.delimiters.repetition
            self._read(term.place, bit, lambda row: term.of_segment(row, component, repetition), (term,))
        return bit

    def _read(self, where: Place, bit: int, holds: Callable[[list[str]], bool], reads: tuple[Term, ...]) -> None:
        for child in where.children:
            self.readers.setdefault(child, []).append(_Reader(bit, holds, reads))

    def _decide(self, statement: Statement) -> _Decision:
        if statement.each is not None:
            return self._decide_each(statement, statement.each)
        when = tuple(tuple((self._mask(t), t.negated) for t in group) for group in statement.when)
        needs = forbids = 0
        for term in statement.needs:
            needs |= self._mask(term)
        for term in statement.forbids:
            forbids |= self._mask(term)
        return _Decision(statement, when, needs, forbids, self._pairs(statement))

    def _decide_each(self, statement: Statement, each: Place) -> _Decision:
        """A segment that breaks the rule by itself is one fact; the conditions that other segments decide come on top."""
        bit = self._bit(each.loop)
        component, repetition = self.delimiters.component, self.delimiters.repetition
        local = [t for group in statement.when for t in group if is_local(statement, t)]
        whole = each.whole
        at = 3 if each.segment == "HL" else 1
        codes, composite = each.qualifiers, each.composite

        def breaks(row: list[str]) -> bool:
            if not whole:
                value = row[at] if len(row) > at else ""
                value = value.split(repetition, 1)[0] if composite and repetition else value
                if (value.split(component, 1)[0] if composite else value) not in codes:
                    return False
            return breaks_alone(statement, row, component, repetition)

        self._read(each, bit, breaks, (Term(each, PRESENT), *local, *statement.needs, *statement.forbids))
        when = tuple(tuple((self._mask(t), t.negated) for t in group) for group in outer_groups(statement))
        return _Decision(statement, when, 0, bit, ())

    def _pairs(self, statement: Statement) -> tuple[tuple[int, int], ...]:
        """A fact for each pointer, and one for each place it may point at."""
        if statement.points is None:
            return ()
        source, target = statement.points
        return tuple((self._points(source, number), self._target(target, number)) for number in sorted(POINTERS))

    def _points(self, place: Place, number: str) -> int:
        key = (place, number)
        if key not in self.values:
            self.values[key] = bit = self._bit(place.loop)
            component, at = self.delimiters.component, place.element or 0
            said = Term(place, Test("in"))
            self._read(place, bit, lambda row: len(row) > at and number in row[at].split(component), (said,))
        return self.values[key]

    def _target(self, place: Place, number: str) -> int:
        key = (place, int(number))
        if key not in self.values:
            self.values[key] = bit = self._bit(place.loop)
            at = int(number)
            term = Term(place, PRESENT)
            component, repetition = self.delimiters.component, self.delimiters.repetition

            def there(row: list[str]) -> bool:
                return len(row) > at and bool(row[at]) and term.of_segment(row, component, repetition)

            self._read(place, bit, there, (term, Term(replace(place, element=ANY_ELEMENT), PRESENT)))
        return self.values[key]

    def _watchers(self, guide: Guide) -> dict[int, Watcher]:
        return {
            segment.index: Watcher(readers, segment)
            for segment in guide.segments
            if (readers := self.readers.get((segment.loop.id, segment.order)))
        }

    def _facts(self, guide: Guide, decisions: Mapping[str, Sequence[_Decision]]) -> dict[str, LoopFacts]:
        def own(loop: Loop) -> int:
            mask = self.owned.get(loop.id, 0)
            if loop.id in self.bases:
                mask |= ((1 << len(loop.children)) - 1) << self.bases[loop.id]
            for child in loop.children:
                if isinstance(child, Loop):
                    mask |= own(child)
            return mask

        found: dict[str, LoopFacts] = {}
        for loop_id, loop in self.listed.items():
            mask = own(loop)
            if not mask and loop_id not in decisions:
                continue
            base = self.bases.get(loop_id, 0)
            presence = 0
            for order in self.present.get(loop_id, ()):
                presence |= 1 << (base + order)
            found[loop_id] = LoopFacts(base, presence, mask, decisions.get(loop_id, ()))
        return found


class Watcher:
    """From a segment's elements to its bits.

    `key` is the source of what of them decides the bits, of a segment `row` that was proved clean: its values, or only which
    elements are there or what sign they have; `parts` says the same by element. `size` is how many elements, with the segment's
    id, that looks at. `keep` remembers the bits of such a key in `known`; `faulted` tells those of any segment, remembered by what
    decides them in `known_faulted`.
    """

    __slots__ = ("_faulted_key", "_parts", "_readers", "key", "known", "known_faulted", "parts", "size")

    def __init__(self, readers: Sequence[_Reader], segment: Segment) -> None:
        self._readers = tuple(readers)
        self.known: dict[object, int] = {}
        self.known_faulted: dict[object, int] = {}
        self._parts = _parts(readers, segment)
        self.key, self.size = _key(self._parts, segment)
        self.parts = _unsettled(self._parts, segment)
        self._faulted_key: Callable[[list[str]], object] | None = None

    def __call__(self, row: list[str]) -> int:
        facts = 0
        for reader in self._readers:
            if reader.holds(row):
                facts |= reader.bit
        return facts

    def keep(self, key: object, row: list[str]) -> int:
        """The bits of a segment, remembered unless it is long."""
        return self._keep(self.known, key, row)

    def faulted(self, row: list[str]) -> int:
        """The bits of a segment that may have anything in it."""
        if self._faulted_key is None:
            self._faulted_key = _faulted_key(self._parts)
        key = self._faulted_key(row)
        facts = self.known_faulted.get(key)
        return self._keep(self.known_faulted, key, row) if facts is None else facts

    def _keep(self, known: dict[object, int], key: object, row: list[str]) -> int:
        facts = self(row)
        if sum(map(len, row)) <= MEMORY_LENGTH:
            if len(known) >= MEMORY_ENTRIES:
                known.clear()
            known[key] = facts
        return facts


# How much of an element decides a test, as source: all of it, whether it is there, or what a comparison with zero sees of it.
_ALL = "row[{0}]"
_THERE = "row[{0}] != ''"
_SIGN = "(row[{0}] and ('0' if not row[{0}].strip('-0.') else '-' if row[{0}][0] == '-' else '+'))"


def _part(test: Test, place: Place, segment: Segment) -> str:
    if place.component is None and not place.repeats:
        if test == PRESENT:
            return _THERE
        # Of what was proved to be a number without exponent, the characters tell.
        kind = segment.elements[(place.element or 1) - 1].data.type
        if test.text == "0" and test.kind in COMPARISONS and (kind == "R" or kind[:1] == "N"):
            return _SIGN
    return _ALL


def _sign(text: str) -> str:
    """What a comparison with zero sees of a number; what is not a plain number stands for itself."""
    bare = text.replace(".", "", 1)
    if bare.isdecimal():
        return "+" if bare.strip("0") else "0"
    if bare[:1] == "-" and bare[1:].isdecimal():
        return "-" if bare[1:].strip("0") else "0"
    return text


class _Parts(NamedTuple):
    """What decides a segment's bits: of some elements how much, and whether which of all are there or everything matters."""

    chosen: list[tuple[int, str]]
    pattern: bool
    everything: bool


def _parts(readers: Sequence[_Reader], segment: Segment) -> _Parts:
    parts: dict[int, str] = {}
    pattern = False
    for reader in readers:
        for place, test in ((term.place, term.test) for term in reader.reads):
            if not place.whole:
                parts[3 if place.segment == "HL" else 1] = _ALL
            if place.element == ANY_ELEMENT:
                if test.kind not in ("present", "gapless") or place.component:
                    return _Parts([], False, True)
                pattern = True
            elif place.element is not None:
                part = _part(test, place, segment)
                known = parts.setdefault(place.element, part)
                # A sign tells whether something is there as well; else two tests see the whole together.
                parts[place.element] = part if known is part else _ALL if _ALL in (known, part) else _SIGN
    return _Parts(sorted(parts.items()), pattern, False)


def _faulted_key(parts: _Parts) -> Callable[[list[str]], object]:
    if parts.everything:
        return tuple
    padding = [""] * (max((at for at, _ in parts.chosen), default=0) + 1)
    there = [at for at, part in parts.chosen if part is _THERE]
    whole = [at for at, part in parts.chosen if part is _ALL]
    signed = [at for at, part in parts.chosen if part is _SIGN]

    def key_of(row: list[str]) -> object:
        padded = row + padding
        key: list[object] = [padded[at] for at in whole]
        key += [padded[at] != "" for at in there]
        key += [_sign(padded[at]) for at in signed]
        return tuple(key), tuple(map(bool, row)) if parts.pattern else None

    return key_of


def _key(parts: _Parts, segment: Segment) -> tuple[str, int]:
    """What of a clean segment's elements decides its bits, and how many elements that takes."""
    if parts.everything:
        return "tuple(row)", 0
    # What the guide settles by itself decides nothing.
    chosen = [(at, part) for at, part in parts.chosen if not _is_settled(segment, at, part)]
    said = [part.format(at) for at, part in chosen]
    if parts.pattern:
        said.append("tuple(map(bool, row))")
    if not said:
        return "''", 0
    return said[0] if len(said) == 1 else f"({', '.join(said)})", max((at for at, _ in chosen), default=-1) + 1


# All of an element, whether it is there, or its sign where it is there.
Part = Literal["text", "there", "sign"]


def _unsettled(parts: _Parts, segment: Segment) -> tuple[tuple[int, Part], ...]:
    """The parts of a clean segment's elements that decide its bits."""
    if parts.everything:
        return tuple((e.position, "text") for e in segment.elements)
    found: dict[tuple[int, Part], None] = {}
    for at, part in parts.chosen:
        if not _is_settled(segment, at, part):
            found[at, "text" if part is _ALL else "sign" if part is _SIGN else "there"] = None
            if part is _SIGN and segment.elements[at - 1].usage != "R":
                found[at, "there"] = None
    if parts.pattern:
        found |= dict.fromkeys((e.position, "there") for e in segment.elements if e.usage != "R")
    return tuple(found)


def _is_settled(segment: Segment, at: int, part: str) -> bool:
    """Whether an element of a clean segment cannot but say the same each time."""
    element = segment.elements[at - 1]
    if element.usage != "R" or element.components or element.repeat > 1:
        return element.usage == "R" and part is _THERE
    return part is _THERE or (element.codes is not None and len(element.codes) == 1)

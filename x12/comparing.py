"""How two files of X12 differ, by what they say: sets and claims are matched by their numbers, then loops, segments, elements.

Delimiters, line breaks and the order of claims do not matter; a value that differs is told with its name, and masked like
anywhere else (`x12.masking`) unless `reveal` is set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple, TypeVar

from x12.discreet import Discreet
from x12.envelope import Group, Interchange, TransactionSet
from x12.explaining import SegmentReader, control_segment, standard_segment
from x12.guides import Segment
from x12.syntax import Delimiters, split_segment
from x12.transactions import kind_of
from x12.tree import Instance

__all__ = ["Difference", "File", "difference", "file_difference"]

T = TypeVar("T")
Kind = Literal["added", "removed", "changed"]

# What numbers and stamps a file and says nothing of its content: segment -> elements; an empty set is the whole segment.
_ENVELOPE: dict[str, frozenset[int]] = {
    "ISA": frozenset((9, 10, 13)),
    "GS": frozenset((4, 5, 6)),
    "ST": frozenset((2,)),
    "BHT": frozenset((3, 4, 5)),
    "SE": frozenset(),
}
# Segment that begins a loop -> element that says which one it is, among those of its kind.
_NUMBERED = {"CLM": 1, "CLP": 1, "TRN": 2}
_ALIGNED_MAX = 4_000


class Difference(Discreet, rename="camel"):
    """One difference. `where` leads from the set to the loop; `place` is the element, or the segment or loop as a whole.

    `position_before` and `position_after` count the segments of the set from 1, 0 where there is none.
    """

    kind: Kind
    where: str
    place: str
    name: str
    before: str = ""
    after: str = ""
    position_before: int = 0
    position_after: int = 0


class File(NamedTuple):
    """Interchanges that were read, and their sets in order, which may be a sequence that fetches one when it is asked for."""

    interchanges: Sequence[Interchange]
    sets: Sequence[TransactionSet]


def difference(
    before: Sequence[Interchange], after: Sequence[Interchange], *, ignore_envelope: bool = False, reveal: bool = False
) -> Iterator[Difference]:
    """Every difference between two files that were read, in the order of the first, what was added last.

    With `ignore_envelope`, times and numbers of the envelopes, of ST, BHT and SE are not compared.
    """
    files = [File(interchanges, [s for i in interchanges for s in i.sets]) for interchanges in (before, after)]
    return file_difference(files[0], files[1], ignore_envelope=ignore_envelope, reveal=reveal)


def file_difference(
    before: File, after: File, *, ignore_envelope: bool = False, reveal: bool = False
) -> Iterator[Difference]:
    """The same of files whose sets need not be in memory: two of them are looked at at a time."""
    told = _Comparison(ignore_envelope, reveal)
    for one, other in _in_order(before.interchanges, after.interchanges):
        yield from told.interchanges(one, other)
    for index, number in _matched_sets([_Key.of(s) for s in before.sets], [_Key.of(s) for s in after.sets]):
        yield from told.sets(
            before.sets[index] if index is not None else None, after.sets[number] if number is not None else None
        )


# --- matching ------------------------------------------------------------------------------------------------------


def _in_order(before: Sequence[T], after: Sequence[T]) -> list[tuple[T | None, T | None]]:
    length = max(len(before), len(after))
    return [(before[n] if n < len(before) else None, after[n] if n < len(after) else None) for n in range(length)]


def _matched(
    before: Sequence[T], after: Sequence[T], key: Callable[[T], Hashable], *, rest: Callable[[T], Hashable] | None
) -> list[tuple[T | None, T | None]]:
    """Pairs with the same key, in order; those left over by their `rest` key where there is one; at last the unpaired."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for index in range(len(after) - 1, -1, -1):
        waiting[key(after[index])].append(index)
    chosen: list[int | None] = [found.pop() if (found := waiting.get(key(one))) else None for one in before]
    taken = {c for c in chosen if c is not None}
    if rest is not None:
        again: dict[Hashable, list[int]] = defaultdict(list)
        for index in range(len(after) - 1, -1, -1):
            if index not in taken:
                again[rest(after[index])].append(index)
        for number, one in enumerate(before):
            if chosen[number] is None and (found := again.get(rest(one))):
                chosen[number] = found.pop()
        taken = {c for c in chosen if c is not None}
    pairs: list[tuple[T | None, T | None]] = [
        (one, after[c] if c is not None else None) for one, c in zip(before, chosen, strict=True)
    ]
    return pairs + [(None, other) for index, other in enumerate(after) if index not in taken]


class _Key(NamedTuple):
    """What a set is known by: the name of its kind, its control number, the numbers of claims and traces in it."""

    name: str
    control_number: str
    numbers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, one: TransactionSet) -> _Key:
        return cls(_name(one), one.control_number, tuple(_numbers(one)))


def _matched_sets(before: Sequence[_Key], after: Sequence[_Key]) -> list[tuple[int | None, int | None]]:
    """Sets of one kind that have a claim or trace number in common, then those with one control number, then in order."""
    owners = {(key.name, n): i for i, key in reversed(list(enumerate(after))) for n in key.numbers}
    pairs: list[tuple[int | None, int | None]] = []
    left: list[int] = []
    taken: set[int] = set()
    for index, key in enumerate(before):
        found = next((o for n in key.numbers if (o := owners.get((key.name, n))) is not None and o not in taken), None)
        if found is None:
            left.append(index)
        else:
            taken.add(found)
            pairs.append((index, found))
    rest = [index for index in range(len(after)) if index not in taken]
    unmatched = _matched(
        [(index, before[index]) for index in left],
        [(index, after[index]) for index in rest],
        lambda found: (found[1].name, found[1].control_number),
        rest=lambda found: found[1].name,
    )
    return pairs + [(one and one[0], other and other[0]) for one, other in unmatched]


def _numbers(one: TransactionSet) -> Iterator[tuple[str, str]]:
    """The numbers of claims and traces in a set, each behind the id of its segment."""
    separator = one.delimiters.element
    for raw in one.segments:
        element = _NUMBERED.get(raw[:3])
        if element is not None:
            row = raw.split(separator)
            if element < len(row):
                yield row[0], row[element]


def _name(one: TransactionSet) -> str:
    kind = kind_of(one)
    return kind.name if kind is not None else one.set_id


def _identity(loop: Instance) -> tuple[str, str]:
    """What tells a loop from the others of its kind beside it."""
    if not loop.segments:
        return loop.loop.id, ""
    segment, raw = loop.segments[0]
    row = raw.split(loop.delimiters.element)
    if segment.id in _NUMBERED:
        element = _NUMBERED[segment.id]
        return loop.loop.id, row[element] if element < len(row) else ""
    if segment.id == "HL":
        for child in loop.children:
            name = next(iter(child.rows().get("NM1", ())), ())
            if len(name) > 3:
                return loop.loop.id, name[9] if len(name) > 9 else " ".join(name[3:5])
    return loop.loop.id, _qualifier(segment, row)


def _is_numbered(loop: Instance) -> bool:
    return bool(loop.segments) and loop.segments[0][0].id in _NUMBERED


def _qualifier(segment: Segment, row: Sequence[str]) -> str:
    """The value that tells a segment from others of its id; "" where its place says it all."""
    number = 3 if segment.id == "HL" else 1
    return row[number] if segment.qualifier is not None and number < len(row) else ""


# --- comparing -----------------------------------------------------------------------------------------------------


class _Comparison:
    def __init__(self, ignore_envelope: bool, reveal: bool) -> None:
        self.ignored = _ENVELOPE if ignore_envelope else {}
        self.reveal = reveal

    def interchanges(self, one: Interchange | None, other: Interchange | None) -> Iterator[Difference]:
        if one is None or other is None:
            present = one or other
            sets = len(present.sets) if present is not None else 0
            counted = "1 transaction set" if sets == 1 else f"{sets} transaction sets"
            yield Difference("removed" if one else "added", "", "ISA", f"Interchange with {counted}")
            return
        where = "Interchange"
        yield from self.control("ISA", one, one.elements, other, other.elements, where)
        for a, b in _in_order(one.acknowledgements, other.acknowledgements):
            yield from self.control("TA1", one, a, other, b, where)
        for a, b in _in_order(one.groups, other.groups):
            yield from self.groups(one, a, other, b)

    def groups(self, one: Interchange, a: Group | None, other: Interchange, b: Group | None) -> Iterator[Difference]:
        yield from self.control(
            "GS", one, a.elements if a else None, other, b.elements if b else None, "Functional group"
        )

    def control(
        self,
        segment_id: str,
        one: Interchange,
        a: Sequence[str] | None,
        other: Interchange,
        b: Sequence[str] | None,
        where: str,
    ) -> Iterator[Difference]:
        segment = control_segment(segment_id)
        if a is None or b is None:
            yield Difference("added" if a is None else "removed", where, segment_id, segment.name)
            return
        # The delimiters that an ISA declares are not content.
        rows = [[segment_id, *(v.strip() for v in row)] for row in (a, b)]
        if segment_id == "ISA":
            rows = [[*row[:11], "", *row[12:16]] for row in rows]
        yield from self.elements(segment, rows[0], rows[1], one.delimiters, other.delimiters, where, 0, 0)

    def sets(self, one: TransactionSet | None, other: TransactionSet | None) -> Iterator[Difference]:
        if one is None or other is None:
            present = one or other
            assert present is not None
            yield Difference(
                "removed" if other is None else "added",
                self.label(present),
                "ST",
                f"Transaction set of {len(present.segments)} segments",
            )
            return
        where = self.label(one)
        placed: list[set[int]] = [set(), set()]
        found: list[Difference] = []
        if one.guide is not None and one.guide is other.guide:
            roots = one.tree(), other.tree()
            for root, positions in zip(roots, placed, strict=True):
                positions.update(p for loop in (root, *root.all(*_all_loops(root))) for p in loop.positions)
            found += self.loops(roots[0], roots[1], where, where)
        found += self.unplaced(one, placed[0], other, placed[1], where)
        yield from sorted(found, key=lambda d: d.position_before or d.position_after)

    def label(self, one: TransactionSet) -> str:
        number = one.control_number if self.reveal or one.control_number.isdigit() else ""
        known = _name(one) if kind_of(one) is not None or one.set_id.isdigit() else "Set"
        return f"{known} {number}".strip()

    def loops(self, one: Instance, other: Instance, where: str, path: str) -> Iterator[Difference]:
        """Two matched loops: their own segments, then the loops inside. `where` is the path with the loop's name at its end."""
        pairs = _matched(
            list(zip(one.segments, one.positions, strict=True)),
            list(zip(other.segments, other.positions, strict=True)),
            _SegmentKey(one.delimiters, other.delimiters),
            rest=lambda found: found[0][0].index,
        )
        for a, b in pairs:
            (segment, raw_a), position_a = a or ((None, ""), 0)
            (segment_b, raw_b), position_b = b or ((None, ""), 0)
            known = segment or segment_b
            assert known is not None
            yield from self.segments(
                known, one, raw_a if a else None, other, raw_b if b else None, where, position_a, position_b
            )
        children = _matched(
            one.children, other.children, _identity, rest=lambda c: None if _is_numbered(c) else c.loop.id
        )
        counts: dict[str, int] = defaultdict(int)
        for a, b in children:
            present = a or b
            assert present is not None
            counts[present.loop.id] += 1
            number = f"[{counts[present.loop.id]}]" if present.loop.repeat > 1 else ""
            step = f"{path} > {present.loop.id}{number}"
            inside = f"{step} {present.loop.name}"
            if a is not None and b is not None and (not _is_numbered(a) or _identity(a) == _identity(b)):
                yield from self.loops(a, b, inside, step)
                continue
            if a is not None:
                yield self.whole(a, "removed", inside)
            if b is not None:
                yield self.whole(b, "added", inside)

    def whole(self, loop: Instance, kind: Kind, where: str) -> Difference:
        size = _size(loop)
        first = next((p for one in (loop, *loop.all(*_all_loops(loop))) for p in one.positions), 0)
        before, after = (first, 0) if kind == "removed" else (0, first)
        return Difference(kind, where, loop.loop.id, f"{loop.loop.name}, {size} segments", "", "", before, after)

    def segments(
        self,
        segment: Segment,
        one: Instance,
        a: str | None,
        other: Instance,
        b: str | None,
        where: str,
        position_a: int,
        position_b: int,
    ) -> Iterator[Difference]:
        ignored = self.ignored.get(segment.id)
        if ignored is not None and not ignored:
            return
        if a is None or b is None:
            present, loop = (b, other) if a is None else (a, one)
            assert present is not None
            line = SegmentReader(loop.delimiters, self.reveal).line(segment, present, 0, [])
            said = line.raw
            kind: Kind = "added" if a is None else "removed"
            before, after = ("", said) if a is None else (said, "")
            yield Difference(kind, where, segment.id, segment.name, before, after, position_a, position_b)
            return
        rows = split_segment(a, one.delimiters), split_segment(b, other.delimiters)
        yield from self.elements(
            segment, rows[0], rows[1], one.delimiters, other.delimiters, where, position_a, position_b
        )

    def elements(
        self,
        segment: Segment,
        a: Sequence[str],
        b: Sequence[str],
        delimiters_a: Delimiters,
        delimiters_b: Delimiters,
        where: str,
        position_a: int,
        position_b: int,
    ) -> Iterator[Difference]:
        """Two segments of one kind, element by element, composites by component."""
        ignored = self.ignored.get(segment.id, frozenset())
        readers = SegmentReader(delimiters_a, self.reveal), SegmentReader(delimiters_b, self.reveal)
        for number in range(1, max(len(a), len(b))):
            if number in ignored:
                continue
            texts = a[number] if number < len(a) else "", b[number] if number < len(b) else ""
            parted = [_parted(t, r.delimiters) for t, r in zip(texts, readers, strict=True)]
            if parted[0] == parted[1]:
                continue
            shown = [_shown(segment, number, t, row, r) for t, row, r in zip(texts, (a, b), readers, strict=True)]
            name = segment.elements[number - 1].name if number <= len(segment.elements) else "Unknown element"
            kind: Kind = "added" if not texts[0] else "removed" if not texts[1] else "changed"
            composite = number <= len(segment.elements) and bool(segment.elements[number - 1].components)
            if composite and len(parted[0]) <= 1 and len(parted[1]) <= 1 and kind == "changed":
                pairs = [dict(s) for s in shown]
                for place in dict.fromkeys((*pairs[0], *pairs[1])):
                    component = int(place.rpartition("-")[2])
                    values = [_at(p, component) for p in parted]
                    if values[0] != values[1]:
                        inner = segment.elements[number - 1].components
                        title = inner[component - 1].name if component <= len(inner) else name
                        before, after = (p.get(place, "") for p in pairs)
                        yield Difference("changed", where, place, title, before, after, position_a, position_b)
                continue
            before, after = (", ".join(text for _, text in s) for s in shown)
            place = f"{segment.id}{number:02d}"
            yield Difference(kind, where, place, name, before, after, position_a, position_b)

    def unplaced(
        self, one: TransactionSet, placed_a: set[int], other: TransactionSet, placed_b: set[int], where: str
    ) -> Iterator[Difference]:
        """Segments without a place in a guide, compared as lines of text are."""
        sides = [
            [
                (n, tuple(split_segment(raw, s.delimiters)), raw)
                for n, raw in enumerate(s.segments, 1)
                if n not in placed
            ]
            for s, placed in ((one, placed_a), (other, placed_b))
        ]
        keys = [[row for _, row, _ in side] for side in sides]
        for a0, a1, b0, b1 in _changes(keys[0], keys[1]):
            for a, b in _matched(sides[0][a0:a1], sides[1][b0:b1], lambda found: found[1][0], rest=None):
                if a is not None and b is not None and a[1][0] == b[1][0] and (segment := standard_segment(a[1][0])):
                    yield from self.elements(segment, a[1], b[1], one.delimiters, other.delimiters, where, a[0], b[0])
                    continue
                for side, found, kind in ((one, a, "removed"), (other, b, "added")):
                    if found is not None:
                        line = SegmentReader(side.delimiters, self.reveal).unplaced(found[2], 0, [])
                        before, after = (line.raw, "") if kind == "removed" else ("", line.raw)
                        positions = (found[0], 0) if kind == "removed" else (0, found[0])
                        yield Difference(kind, where, line.id, line.name, before, after, *positions)  # pyright: ignore[reportArgumentType]


class _SegmentKey:
    """Tells segments of one loop apart: by their place in the guide and the value of their qualifier."""

    def __init__(self, one: Delimiters, other: Delimiters) -> None:
        self.delimiters = one, other

    def __call__(self, found: tuple[tuple[Segment, str], int]) -> Hashable:
        segment, raw = found[0]
        one, other = self.delimiters
        own = one if raw.startswith(segment.id + one.element) else other
        value = _qualifier(segment, raw.split(own.element, 4))
        return segment.index, value.split(own.repetition)[0].split(own.component)[0] if own.repetition else value


def _changes(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[tuple[int, int, int, int]]:
    """Ranges that differ. Long lists are compared position by position: aligning takes the square of their length."""
    if max(len(a), len(b)) > _ALIGNED_MAX:
        for index in range(max(len(a), len(b))):
            if a[index : index + 1] != b[index : index + 1]:
                yield index, min(index + 1, len(a)), index, min(index + 1, len(b))
        return
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            yield a0, a1, b0, b1


def _all_loops(loop: Instance) -> tuple[str, ...]:
    """The ids of all loops inside a loop, at any depth."""
    found: dict[str, None] = {}
    stack = list(loop.children)
    while stack:
        one = stack.pop()
        found[one.loop.id] = None
        stack += one.children
    return tuple(found)


def _size(loop: Instance) -> int:
    return len(loop.segments) + sum(_size(child) for child in loop.children)


def _parted(text: str, delimiters: Delimiters) -> list[list[str]]:
    """Repetitions and their components, without empty ones at the end."""
    repeats = text.split(delimiters.repetition) if delimiters.repetition else [text]
    parts = [r.rstrip(delimiters.component).split(delimiters.component) for r in repeats]
    return [] if parts == [[""]] else parts


def _at(parted: Sequence[Sequence[str]], component: int) -> str:
    first = parted[0] if parted else ()
    return first[component - 1] if component <= len(first) else ""


def _shown(
    segment: Segment, number: int, text: str, row: Sequence[str], reader: SegmentReader
) -> list[tuple[str, str]]:
    """(place, readable value) of each value of an element."""
    if number > len(segment.elements):
        values = [reader.foreign(segment.id, number, text)] if text else []
    else:
        values = reader.element(segment, segment.elements[number - 1], text, row)
    return [(v.place, f"{v.text} {v.meaning}".strip()) for v in values]

"""Which element of X12 decides which JSON path: found by changing the elements of a transaction set one by one.

An element is given another value that the guide allows at its place; the path whose value becomes that value, or the words for it,
is the one that reads it. For what we also write, the changed JSON is written again: the set must be the changed set, segment by
segment, so that path and place belong together in both directions. Nothing here looks at the bindings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from tests.laws.filled import part_at
from x12 import codes
from x12.documents.writing import Written
from x12.guides import Component, Guide, Loop, Segment
from x12.syntax import CANONICAL
from x12.table import Node
from x12.tree import Instance, tree
from x12.walk import Walk, compiled

__all__ = ["LISTS", "Place", "Subject", "Sweep", "flat", "pattern", "where"]

LISTS = {
    "claim_adjustment_reason": "adjustment_reason",
    "claim_status": "claim_status",
    "claim_status_category": "claim_status_category",
    "country": "country",
    "currency": "currency",
    "facility_type": "place_of_service",
    "place_of_service": "place_of_service",
    "remark": "remark",
    "remittance_advice_remark": "remark",
    "state": "state",
}
# Segments whose codes choose the path of what else is in them.
_CHOSEN = frozenset(
    ["AMT", "CRC", "DTM", "DTP", "HI", "INS", "LQ", "MPI", "N1", "NM1", "NTE", "PER", "PRV", "QTY", "RDM", "REF"]
)
# Codes that are tried until a path changes: not every code of a guide has words.
_TRIES = 3


class Place(NamedTuple):
    """Where a value stands: loop, segment, the code that chooses the segment where several share its id, element, component."""

    loop: str
    segment: str
    qualifier: str
    element: int
    component: int

    def __str__(self) -> str:
        chosen = f"[{self.qualifier}]" if self.qualifier else ""
        component = f"-{self.component}" if self.component else ""
        return f"{self.loop} {self.segment}{chosen}{self.element:02d}{component}"


@dataclass(frozen=True)
class Subject:
    """A message that is a transaction set: how a rich one is made of a seed, read into JSON, and written out of it."""

    table: str
    guide: Guide
    make: Callable[[int], Written]
    read: Callable[[Instance], Any]
    write: Callable[[Any], Written] | None = None
    prefix: str = ""


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON value under its path, list positions as numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from flat(inner, f"{path}.{key}" if path else str(key))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from flat(inner, f"{path}[{index}]")
    else:
        yield path, value


def pattern(path: str) -> str:
    """A path as the tables write it, of one of several documents its own."""
    return re.sub(r"\[\d+\]", "[]", path).removeprefix("[].")


class _Item(NamedTuple):
    """One element (or component) of one segment, to be changed."""

    at: int
    raw: str
    element: int
    component: int
    value: str
    part: Component
    place: Place
    key: tuple[object, ...]


class Sweep:
    """What changing the elements of a subject's transaction sets shows.

    `places` has each path's places, in the order met; `both` the paths whose changed value was also written to where it came
    from; `refused` why a changed value was not, the last reason of each path; `seen` every path that was filled.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.places: dict[str, dict[Place, None]] = {}
        self.both: set[str] = set()
        self.refused: dict[str, str] = {}
        self.seen: set[str] = set()
        self._done: set[tuple[object, ...]] = set()
        self._tried: Counter[str] = Counter()
        self._nodes: list[Node | None] = []

    def over(self, seeds: Sequence[int]) -> Sweep:
        """Sweep over the sets of these seeds."""
        for seed in seeds:
            self._set(self.subject.make(seed).segments)
        return self

    def _set(self, segments: Sequence[str]) -> None:
        walk = Walk(compiled(self.subject.guide, CANONICAL))
        walk.feed(segments)
        walk.end()
        self._nodes = walk.nodes
        before = dict(flat(self._read(segments)))
        filled = {pattern(p) for p in before}
        self.seen |= filled
        items = list(self._items(segments))
        unique = {item: token for number, item in enumerate(items) for token in _unique(item, number)}
        self._together(segments, before, unique)
        coded = [item for item in items if item not in unique]
        for item in coded:
            if item.key not in self._done:
                self._done.add(item.key)
                self._alone(segments, before, item)
        left = [p for p in filled if p not in self.places and not self._tried[p]]
        if left:
            # A code that was changed before, where it decided nothing yet.
            self._tried.update(left)
            for item in coded:
                self._alone(segments, before, item)

    def _read(self, segments: Sequence[str]) -> Any:
        return self.subject.read(tree(self.subject.guide, self._nodes, segments, CANONICAL))

    def _items(self, segments: Sequence[str]) -> Iterator[_Item]:
        """Every element of the set; its key is what is changed alone but once: the place and the codes that stand beside it."""
        for index, (node, raw) in enumerate(zip(self._nodes, segments, strict=False)):
            if node is None or node.segment.id in ("SE", "HL"):
                continue
            for element, component, value in _values(raw):
                whole = node.segment.elements[element - 1] if element <= len(node.segment.elements) else None
                if whole is None or (component and component > len(whole.components)):
                    continue
                part = part_at(node.segment, element, component or int(bool(whole.components)))
                key = (node.segment.index, element, component, _codes_beside(node.segment, raw, element, component))
                place = _place(node.loop, node.segment, raw, element, component)
                yield _Item(index, raw, element, component, value, part, place, key)

    def _together(self, segments: Sequence[str], before: dict[str, Any], unique: dict[_Item, str]) -> None:
        """Every value that can be told from all others is changed at once."""
        changed = [*segments]
        for item, token in unique.items():
            changed[item.at] = _changed(changed[item.at], item.element, item.component, token)
        told = self._read(changed)
        after = dict(flat(told))
        by_token = {part: item for item, token in unique.items() for part in token.split("-")}
        hits: dict[_Item, list[str]] = {}
        for path, value in after.items():
            for part in str(value).split("-") if path in before and before[path] != value else ():
                if (item := by_token.get(part)) is not None:
                    hits.setdefault(item, []).append(path)
        for item, paths in hits.items():
            self._hit(item, paths)
        if self.subject.write is None:
            return
        written = self.subject.write(told)
        same = len(written.segments) == len(changed) and written.accepted
        for item, paths in hits.items():
            if same and written.segments[item.at] == changed[item.at]:
                self._wrote(paths)
            elif not self.both.issuperset(map(pattern, paths)):
                self._alone(segments, before, item)

    def _alone(self, segments: Sequence[str], before: dict[str, Any], item: _Item) -> None:
        """One value is changed, to a few others, until a path shows it."""
        shown = 0
        for other in _others(item):
            changed = [*segments]
            changed[item.at] = _changed(item.raw, item.element, item.component, other)
            told = self._read(changed)
            paths = _decided(before, dict(flat(told)), item, other)
            self._hit(item, paths)
            self._write(paths, told, changed, item.at)
            shown += bool(paths)
            if shown >= (2 if item.part.codes or item.part.external else 1) and "-" not in item.value:
                break

    def _hit(self, item: _Item, paths: Sequence[str]) -> None:
        for path in paths:
            self.places.setdefault(pattern(path), {})[item.place] = None

    def _wrote(self, paths: Sequence[str]) -> None:
        for path in map(pattern, paths):
            self.both.add(path)
            self.refused.pop(path, None)

    def _write(self, hit: Sequence[str], told: Any, changed: Sequence[str], index: int) -> None:
        if self.subject.write is None or all(pattern(p) in self.both for p in hit):
            return
        written = self.subject.write(told)
        expected = [s.rstrip(CANONICAL.element) for s in changed]
        without = [*expected[:index], *expected[index + 1 :]]
        if written.accepted and written.segments[:-1] in (expected[:-1], without[:-1]):
            self._wrote(hit)
            return
        errors = [f"{f.path}: {f.message}" for f in written.findings if f.severity == "error"]
        differ = [(a, b) for a, b in zip(expected, written.segments, strict=False) if a != b][:1]
        for path in map(pattern, hit):
            if path not in self.both:
                self.refused[path] = "; ".join(errors[:2]) or f"written otherwise: {differ}"


def where(guide: Guide, segments: Sequence[str], value: str) -> Place | None:
    """The first place of a value, or of a period that has it, in a set."""
    walk = Walk(compiled(guide, CANONICAL))
    walk.feed(segments)
    walk.end()
    for node, raw in zip(walk.nodes, segments, strict=False):
        for element, component, found in _values(raw) if node is not None else ():
            if node is not None and value in (found, *found.split("-")):
                return _place(node.loop, node.segment, raw, element, component)
    return None


def _codes_beside(segment: Segment, raw: str, element: int, component: int) -> tuple[str, ...]:
    """The codes of a segment that choose which path its other elements are read into."""
    if segment.id not in _CHOSEN:
        return ()
    coded = (
        (value, part_at(segment, e, c).codes or ())
        for e, c, value in _values(raw)
        if (e, c) != (element, component) and e <= min(8, len(segment.elements))
    )
    return tuple(value for value, allowed in coded if len(allowed) > 1)[:3]


def _decided(before: dict[str, Any], after: dict[str, Any], item: _Item, other: str) -> list[str]:
    """The paths that a changed element decides: those that tell its new value, or other words than before."""
    changed = [p for p, v in before.items() if p in after and after[p] != v]
    if before.keys() == after.keys():
        return changed
    if changed or other:
        # Its code chooses which path is filled: what only moved from another one is not decided here.
        if item.element > 1 and len({pattern(p) for p in changed}) == 1:
            return changed
        moved = {str(v) for p, v in before.items() if after.get(p) != v}
        return [p for p in changed if _told(after[p], other) or str(after[p]) not in moved]
    gone = [p for p in before if p not in after]
    hit = [p for p in gone if before[p] == item.value or isinstance(before[p], bool)]
    # Words for the code; what stands beside it goes with a code that chooses its path.
    beside = {v for _, _, v in _values(item.raw)}
    words = [p for p in gone if p not in hit and before[p] not in beside]
    return hit + (words if len({pattern(p) for p in words}) == 1 else [])


def _unique(item: _Item, number: int) -> Iterator[str]:
    """A value that nothing else in the set has, where the guide leaves room for one."""
    part, day = item.part, f"{date(1900, 1, 1) + timedelta(days=2 * number):%Y%m%d}"
    listed = part.data.number == "1271" and item.value.isdigit()
    checked = part.external is not None and (part.external in LISTS or part.external == "npi")
    if part.codes or checked or listed or part.data.type == "B" or item.place.segment == "LX":
        return
    if part.data.type == "DT" or part.data.number == "1251":
        if re.fullmatch(r"\d{8}", item.value):
            yield day
        elif re.fullmatch(r"\d{8}-\d{8}", item.value):
            yield f"{day}-{date(2100, 1, 1) + timedelta(days=2 * number):%Y%m%d}"
    elif part.data.type in ("AN", "ID") and part.max >= 5:
        yield f"Q{number:04d}".ljust(part.min, "Q")
    elif part.data.type in ("R", "N0", "N2") and part.max >= 5:
        yield str(10_000 + number)


def _told(value: Any, other: str) -> bool:
    return isinstance(value, bool) or (len(other) > 0 and other in str(value))


def _values(raw: str) -> Iterator[tuple[int, int, str]]:
    """(element, component, value) of what stands in a segment; of a repeated element its first occurrence."""
    for element, whole in enumerate(raw.split(CANONICAL.element)[1:], 1):
        first = whole.split(CANONICAL.repetition)[0]
        parts = first.split(CANONICAL.component)
        for component, value in enumerate(parts, 1):
            if value:
                yield element, component if len(parts) > 1 else 0, value


def _changed(raw: str, element: int, component: int, other: str) -> str:
    row = raw.split(CANONICAL.element)
    first, *further = row[element].split(CANONICAL.repetition)
    parts = first.split(CANONICAL.component)
    parts[max(component - 1, 0)] = other
    row[element] = CANONICAL.repetition.join([CANONICAL.component.join(parts), *further])
    return CANONICAL.element.join(row)


def _place(loop: Loop, segment: Segment, raw: str, element: int, component: int) -> Place:
    same = [c for c in loop.children if isinstance(c, Segment) and c.id == segment.id]
    mark = segment.qualifier
    named = mark is not None and element > 1 and (len(same) > 1 or len(mark.codes or ()) > 1)
    row = raw.split(CANONICAL.element)
    code = row[1].split(CANONICAL.component)[0] if named and segment.id not in ("NM1", "SBR") else ""
    whole = segment.elements[element - 1]
    return Place(loop.id, segment.id, code, element, component or int(bool(whole.components)))


def _others(item: _Item) -> Iterator[str]:
    """Other values that the guide allows where this one stands."""
    part, value = item.part, item.value
    if part.codes:
        others = sorted(part.codes - {value})
        # What can be but one code can only be left out, or be what the guide does not allow.
        yield from others[:_TRIES] if others else ["", "2"] if value == "1" else [""]
    elif part.external in LISTS:
        yield from [c for c in codes.table(LISTS[part.external]) if c != value and len(c) >= part.min][:_TRIES]
    elif part.data.number == "1271":
        yield "12"
        yield "Q7Q"
    elif re.fullmatch(r"\d{8}-\d{8}", value):
        first, _, last = value.partition("-")
        yield f"18000229-{last}" if first != "18000229" else f"18000301-{last}"
        yield f"{first}-29991231"
    elif re.fullmatch(r"\d{8}", value) and (part.data.type == "DT" or part.data.number == "1251"):
        yield "20240229" if value != "20240229" else "20240301"
    elif re.fullmatch(r"\d{12}", value) and part.data.number == "1251":
        yield "202402291234"
    elif part.data.type == "TM" or (re.fullmatch(r"\d{4}", value) and part.data.number == "1251"):
        yield "1234" if value != "1234" else "1235"
    elif part.data.type == "R" or part.data.type.startswith("N"):
        yield "7" if value != "7" else "8"
    else:
        size = max(part.min, min(part.max, 5))
        yield ("Q7" * size)[:size] if value != ("Q7" * size)[:size] else ("7Q" * size)[:size]

"""Cases of the situational rules as data: a clean synthetic base, what breaks one rule in it, and what mends that.

The files in `situations/` hold bases (`*.bases`) and cases (`*.cases`); a case may be tried on several bases:

    base person 005010X222A1 837
      ST*837*0001*005010X222A1
      ...
    P-2300-001 person
      fail 2300 CLM11 = AA:::OR
      pass + 2300 DTP*439*D8*20260105

`fail` lines edit the base, `pass` lines edit what came out of that. An edit is `LOOP SEGMENTNN[-M][*QUALIFIER] = value`,
`+ LOOP segment` (which goes where the guide wants it) or `- LOOP SEGMENT[*QUALIFIER]` or `- loop LOOP`; `LOOP#2` is the second
one. SE01 follows. `|` in a value stands for nothing but itself: the delimiters are the standard's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from x12 import guides
from x12.guides import Guide, Segment
from x12.syntax import STANDARD
from x12.walk import Instance, Walk, compiled, tree

__all__ = ["Case", "all_cases", "walked"]

FOLDER = Path(__file__).parent / "situations"
_EDIT = re.compile(
    r"(?P<loop>\w+)(?:#(?P<nth>\d+))? (?P<segment>[A-Z][A-Z0-9]{1,2}?)(?P<element>\d\d)(?:-(?P<component>\d+))?"
    r"(?:\*(?P<qualifier>\w+))? =(?: (?P<value>.*))?"
)


@dataclass(eq=False)
class Case:
    """One rule's case: the segments that break it and those that do not."""

    rule: str
    guide: Guide
    base: list[str]
    line: str
    fail: list[str] = field(default_factory=list[str])
    mend: list[str] = field(default_factory=list[str])

    def broken(self) -> list[str]:
        return _edited(self.base, self.fail, self.guide)

    def mended(self) -> list[str]:
        return _edited(self.broken(), self.mend, self.guide)


def all_cases() -> Iterator[Case]:
    bases: dict[str, tuple[Guide, list[str]]] = {}
    for path in [*sorted(FOLDER.glob("*.bases")), *sorted(FOLDER.glob("*.cases"))]:
        yield from _read(path, bases)


def _read(path: Path, bases: dict[str, tuple[Guide, list[str]]]) -> Iterator[Case]:
    open_base: list[str] | None = None
    cases: list[Case] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if line.startswith("  "):
            if not cases:
                assert open_base is not None, f"{path.name}:{number}"
                open_base.append(bare)
            for case in cases:
                word, _, edit = bare.partition(" ")
                {"fail": case.fail, "pass": case.mend}[word].append(edit)
            continue
        yield from cases
        words, cases = bare.split(), []
        if words[0] == "base":
            bases[words[1]] = guides.load(words[2], words[3]), (open_base := [])
        else:
            cases = [Case(words[0], *bases[name], f"{path.name}:{number}") for name in words[1:]]
    yield from cases


def walked(guide: Guide, segments: list[str]) -> tuple[Walk, Instance]:
    """The walk of these segments and their tree."""
    walk = Walk(compiled(guide, STANDARD))
    walk.feed(segments)
    walk.end()
    return walk, tree(guide, walk.nodes, segments, STANDARD)


def _edited(segments: list[str], edits: list[str], guide: Guide) -> list[str]:
    segments = list(segments)
    for edit in edits:
        root = walked(guide, segments)[1]
        if edit.startswith("+ "):
            where, _, raw = edit[2:].partition(" ")
            segments.insert(_place(guide, root, where, raw), raw)
        elif edit.startswith("- loop "):
            found = _instance(root, edit[7:])
            first, last = _extent(found)
            del segments[first - 1 : last]
        elif edit.startswith("- "):
            where, _, what = edit[2:].partition(" ")
            del segments[_segment(root, where, *what.partition("*")[::2]) - 1]
        else:
            _set(segments, root, edit)
        head, _, number = segments[-1].split("*", 2)
        segments[-1] = f"{head}*{len(segments)}*{number}"
    return segments


def _instance(root: Instance, where: str) -> Instance:
    loop_id, _, nth = where.partition("#")
    found = [root] if root.loop.id == loop_id else list(root.all(loop_id))
    assert len(found) >= int(nth or 1), f"the base has no loop {where}"
    return found[int(nth or 1) - 1]


def _extent(instance: Instance) -> tuple[int, int]:
    inner = [_extent(child) for child in instance.children]
    return (
        min([*instance.positions, *(first for first, _ in inner)]),
        max([*instance.positions, *(last for _, last in inner)]),
    )


def _segment(root: Instance, where: str, segment_id: str, qualifier: str) -> int:
    instance = _instance(root, where)
    for (segment, raw), position in zip(instance.segments, instance.positions, strict=True):
        first = raw.split("*")[1].split(":")[0]
        if segment.id == segment_id and (not qualifier or first == qualifier):
            return position
    raise AssertionError(f"{where} has no {segment_id}*{qualifier}")


def _set(segments: list[str], root: Instance, edit: str) -> None:
    match = _EDIT.fullmatch(edit)
    assert match, f"not an edit: {edit}"
    where = match["loop"] + (f"#{match['nth']}" if match["nth"] else "")
    index = _segment(root, where, match["segment"], match["qualifier"] or "") - 1
    row, at = segments[index].split("*"), int(match["element"])
    row += [""] * (at + 1 - len(row))
    if match["component"]:
        parts, k = row[at].split(":"), int(match["component"]) - 1
        parts += [""] * (k + 1 - len(parts))
        parts[k] = match["value"] or ""
        row[at] = ":".join(parts).rstrip(":")
    else:
        row[at] = match["value"] or ""
    segments[index] = "*".join(row).rstrip("*")


def _place(guide: Guide, root: Instance, where: str, raw: str) -> int:
    """The index where a new segment goes: behind all of its loop that stands before it in the guide."""
    loop_id, _, nth = where.partition("#")
    segment_id, first = raw.split("*")[0], raw.split("*")[1].split(":")[0]
    for loop in guide.loops():
        if loop.id != loop_id:
            continue
        for child in loop.children:
            if isinstance(child, Segment) and child.id == segment_id and _takes(child, first, raw):
                inside, order = (loop.parent, loop.order) if child.opens else (loop, child.order)
                assert inside is not None
                holders = [i for i in [root, *root.all(inside.id)] if i.loop is inside]
                if holders:
                    nth_holder = int(nth or 1) - 1 if not child.opens else 0
                    return _behind(holders[nth_holder], order)
    raise AssertionError(f"loop {where} has no place for {segment_id}*{first}")


def _takes(child: Segment, first: str, raw: str) -> bool:
    qualifier = child.qualifier
    if qualifier is None or child.id == "HL":
        return True
    if child.id == "PWK" and qualifier.codes and len(qualifier.codes) == 1:
        return raw.split("*")[2] in (child.elements[1].codes or ())
    return first in (qualifier.codes or ())


def _behind(instance: Instance, order: int) -> int:
    ends = [p for (s, _), p in zip(instance.segments, instance.positions, strict=True) if s.order <= order]
    ends += [_extent(child)[1] for child in instance.children if child.loop.order <= order]
    return max(ends)

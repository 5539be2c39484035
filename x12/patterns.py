"""One regular expression for each segment of a guide; a match proves the segment clean.

The pattern covers presence, lengths, codes, character sets, dates, composites, repetition and syntax notes. It may fail
on something clean (29 February, odd number forms), never match something wrong: what fails is judged by `x12.elements`.
No part of a pattern needs what another would give back: values are possessive, which takes half the time, and what may be absent
is a choice between it and nothing, which takes less than a repeat does.

Sources: X12.6 (data element types, syntax notes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from x12.guides import UNBOUNDED, Component, Element, Note, Segment
from x12.syntax import Delimiters

__all__ = ["element_pattern", "never", "segment_pattern", "segment_source"]

_DATE = (
    "(?>19|20)[0-9][0-9](?>(?>0[13578]|1[02])(?>0[1-9]|[12][0-9]|3[01])"
    "|(?>0[469]|11)(?>0[1-9]|[12][0-9]|30)|02(?>0[1-9]|1[0-9]|2[0-8]))"
)
_HOUR_MINUTE = "(?>[01][0-9]|2[0-3])[0-5][0-9]"
_TIME = _HOUR_MINUTE + "(?>[0-5][0-9](?:[0-9]{1,2}+|)|)"
# What the patterns of numbers and periods take for part of a value: as delimiters of an odd file they prove nothing.
_IN_NUMBERS = frozenset(".-")
# Formats of element 1250 that have a fixed width in front (for the look-behind) and a shape we can prove.
_PERIODS = {
    "D8": _DATE,
    "RD8": f"{_DATE}-{_DATE}",
    "DT": _DATE + _HOUR_MINUTE,
    "TM": _HOUR_MINUTE,
}


def never(_: str) -> object:
    """The pattern that nothing matches."""
    return None


@lru_cache(64)
def _characters(delimiters: Delimiters) -> tuple[str, str]:
    """The X12 basic and extended character sets (printable ASCII) without the delimiters, and those that may end a value.

    As the insides of classes, in ranges: a class of single characters takes many times as long to compile.
    """
    kept = [c for c in range(0x20, 0x7F) if chr(c) not in delimiters]
    return _ranges(kept), _ranges([c for c in kept if chr(c) != " "])


def _ranges(characters: Iterable[int]) -> str:
    found: list[list[int]] = []
    for character in characters:
        if found and character == found[-1][1] + 1:
            found[-1][1] = character
        else:
            found.append([character, character])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in found)


def _value(part: Component, delimiters: Delimiters, before: Component | None, separator: str) -> str | None:
    """A pattern that only clean, present values match; None when none can be given and the slow road must judge."""
    low, high, kind = max(part.min, 1), part.max, part.data.type
    if part.codes and not part.external:
        fit = sorted((c for c in part.codes if part.min <= len(c) <= high), key=lambda c: (-len(c), c))
        return "(?>" + "|".join(map(re.escape, fit)) + ")" if fit else None
    if part.data.number == "1251":
        if before is None or before.data.number != "1250":
            return None
        e = re.escape(separator)
        formats = [f"(?<={e}{code}{e}){_PERIODS[code]}" for code in sorted(before.codes or ()) if code in _PERIODS]
        return "(?:" + "|".join(formats) + ")" if formats else None
    if kind in ("AN", "ID"):
        inside, ending = _characters(delimiters)
        return f"[{inside}]{{{low},{high}}}+(?<! )" if high > 1 else f"[{ending}]"
    if kind == "R":
        fraction = min(4, high - 1)
        whole = high - fraction
        if low > 1 or fraction < 1:
            return None
        return rf"-?+(?>[0-9]{{1,{whole}}}+(?:\.[0-9]{{1,{fraction}}}+|)|\.[0-9]{{1,{high}}}+)"
    if kind.startswith("N"):
        return rf"-?+[0-9]{{{low},{high}}}+"
    if kind == "DT":
        return _DATE if high == 8 else "[0-9][0-9](?>0[1-9]|1[0-2])(?>0[1-9]|1[0-9]|2[0-8])"
    if kind == "TM":
        return _TIME if high >= 8 else _HOUR_MINUTE
    return None


def _sequence(
    parts: Sequence[tuple[str, bool]],
    separator: str,
    marks: Mapping[int, str] | None = None,
    end: tuple[int, str] = (0, ""),
) -> str:
    """Patterns of consecutive places with separators in front; places at the end that may be absent need none.

    `marks` are what stands behind the separator of some places, by their index; `end` is one of them, and what stands behind all from it
    on where any of them is there. No separator ends it.
    """
    tail, optional, closed = "", True, True
    for index in range(len(parts) - 1, -1, -1):
        pattern, required = parts[index]
        start = separator + marks.get(index, "") if marks else separator
        here = pattern if required else f"(?:{pattern}|)" if pattern else ""
        if not tail and pattern:
            closed = required
        behind = end[1] if index == end[0] else ""
        if required:
            tail, optional = start + here + tail + behind, False
        elif optional:
            tail = f"(?:{start}{here}{tail}{behind}|)" if pattern or tail else ""
        else:
            tail = start + here + tail + behind
    return tail if closed else f"{tail}(?<!{separator})"


def _noted(notes: Sequence[Note], usable: Sequence[int]) -> tuple[list[Note], set[int]]:
    """The syntax notes that the guide's usages do not settle by themselves, and the positions they watch."""
    kept = [n for n in notes if any(p in usable for p in n.positions)]
    return kept, {p for n in kept for p in n.positions}


def _assertions(notes: Sequence[Note], names: dict[int, str], always: frozenset[int]) -> str:
    """Conditions at the end of a pattern: they fail it where a syntax note is broken."""
    fail = "(?!)"

    def present(position: int, yes: str, no: str) -> str:
        if position in always:
            return yes
        return f"(?({names[position]}){yes}|{no})" if position in names else no

    out = ""
    for note in notes:
        first, rest = note.positions[0], note.positions[1:]
        if note.kind == "P":
            every, none = "", ""
            for position in rest:
                every += present(position, "", fail)
                none += present(position, fail, "")
            out += present(first, every, none)
        elif note.kind == "C":
            out += present(first, "".join(present(p, "", fail) for p in rest), "")
        elif note.kind in ("L", "R"):
            some = fail
            for position in reversed(rest if note.kind == "L" else note.positions):
                some = present(position, "", some)
            out += present(first, some, "") if note.kind == "L" else some
        elif note.kind == "E":
            for index, position in enumerate(note.positions):
                out += present(position, "".join(present(p, fail, "") for p in note.positions[index + 1 :]), "")
    return out


def _composite(element: Element, delimiters: Delimiters, prefix: str) -> str | None:
    separator = re.escape(delimiters.component)
    usable = [c.position for c in element.components if c.usage != "N"]
    notes, watched = _noted(element.notes, usable)
    names: dict[int, str] = {}
    parts: list[tuple[str, bool]] = []
    before: Component | None = None
    for component in element.components:
        pattern = "" if component.usage == "N" else _value(component, delimiters, before, delimiters.component)
        if pattern is None:
            return None
        if pattern and component.position in watched and component.usage != "R":
            names[component.position] = f"{prefix}_{component.position}"
            pattern = f"(?P<{names[component.position]}>{pattern})"
        parts.append((pattern, component.usage == "R"))
        before = component
    (first, required), rest = parts[0], parts[1:]
    head = first if required else f"(?:{first}|)" if first else ""
    always = frozenset(c.position for c in element.components if c.usage == "R")
    body = head + _sequence(rest, separator) + _assertions(notes, names, always)
    any_required = any(r for _, r in parts)
    return body if any_required else f"(?=[^{re.escape(delimiters.element)}])" + body


def _told(pattern: str, name: str, asked: Collection[str]) -> str:
    """The pattern of an element with groups for what is asked of it (see `segment_source`)."""
    if "text" in asked:
        pattern = f"(?P<t{name}>{pattern})"
    if "there" in asked:
        pattern += f"(?P<h{name}>)"
    if "sign" in asked:
        pattern = f"(?=(?:-(?P<m{name}>)|)[0.]*+(?:[1-9](?P<z{name}>)|)){pattern}"
    return pattern


def segment_source(
    segment: Segment, delimiters: Delimiters, prefix: str = "", asked: Mapping[int, Collection[str]] | None = None
) -> str | None:
    """The pattern that only clean segments match, its groups named with `prefix`; None where nothing can be proved.

    `asked` says of elements, by position, what is to be told of them when they are there: their "text" in group `tP_N` (P the
    prefix, N the position), that they are "there" by an empty group `hP_N`, the "sign" of a number by two empty groups: `mP_N`
    where it begins with a minus, `zP_N` where it is not zero; and that the segment has "reached" it, there or not, by `fP_N`.
    """
    if segment.usage == "N" or not _IN_NUMBERS.isdisjoint(delimiters):
        return None
    separator = re.escape(delimiters.element)
    usable = [e.position for e in segment.elements if e.usage != "N"]
    notes, watched = _noted(segment.notes, usable)
    names: dict[int, str] = {}
    parts: list[tuple[str, bool]] = []
    before: Element | None = None
    for element in segment.elements:
        if element.usage == "N":
            pattern: str | None = ""
        elif element.components:
            pattern = None if element.repeat > 1 else _composite(element, delimiters, f"{prefix}c{element.position}")
        else:
            pattern = _value(element, delimiters, before, delimiters.element)
            if pattern and element.repeat > 1 and delimiters.repetition:
                again = "" if element.repeat >= UNBOUNDED else str(element.repeat - 1)
                pattern = f"{pattern}(?:{re.escape(delimiters.repetition)}{pattern}){{0,{again}}}"
        if pattern is None:
            if element.usage == "R":
                return None
            pattern = "(?!)"
        wanted = (asked or {}).get(element.position, ())
        if pattern and element.position in watched and element.usage != "R":
            names[element.position] = (
                f"t{prefix}_{element.position}" if "text" in wanted else f"{prefix}e{element.position}"
            )
            pattern = pattern if "text" in wanted else f"(?P<{names[element.position]}>{pattern})"
        if pattern and wanted:
            pattern = _told(pattern, f"{prefix}_{element.position}", wanted)
        parts.append((pattern, element.usage == "R"))
        before = element
    always = frozenset(e.position for e in segment.elements if e.usage == "R")
    conditions = _assertions(notes, names, always)
    reached = {e - 1: f"(?P<f{prefix}_{e}>)" for e, what in (asked or {}).items() if "reached" in what}
    if not always.isdisjoint(watched) or any(note.kind == "R" for note in notes):
        return re.escape(segment.id) + _sequence(parts, separator, reached) + conditions
    # As long as nothing is there of what they are about, they hold.
    return re.escape(segment.id) + _sequence(parts, separator, reached, (min(watched, default=1) - 1, conditions))


@lru_cache(8192)
def element_pattern(element: Element, delimiters: Delimiters) -> Callable[[str], object]:
    """`fullmatch` of the pattern that only clean texts of a used element match; nothing where that hangs on another element."""
    source = _composite(element, delimiters, "c") if element.components else _value(element, delimiters, None, "")
    if source is None or element.repeat > 1 or not _IN_NUMBERS.isdisjoint(delimiters):
        return never
    return re.compile(source).fullmatch


@lru_cache(8192)
def segment_pattern(segment: Segment, delimiters: Delimiters) -> Callable[[str], object]:
    """`fullmatch` of the pattern that only clean segments match."""
    source = segment_source(segment, delimiters)
    return never if source is None else re.compile(source).fullmatch

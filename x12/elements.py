"""The slow road of the walk: what exactly is wrong with the elements of one segment.

Sources: X12.6 (data element types, repetition, composites, syntax notes), 005010X231A1 (codes of IK403).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from x12.finding import Finding, Severity
from x12.guides import Component, Element, Note, Segment
from x12.patterns import element_pattern
from x12.syntax import BINARY, Delimiters, split_segment

__all__ = ["judge_segment", "period_is_valid", "time_is_valid"]

_DECIMAL = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
_INTEGER = re.compile(r"-?\d+")
_TIME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d{1,2})?)?")
_HOUR_MINUTE = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_MESSAGES = {
    "1": "is required here and missing",
    "3": "has no place: the segment has fewer elements",
    "4": "is shorter than {min}",
    "5": "is longer than {max}",
    "6": "contains a character outside the X12 basic and extended character sets",
    "7": "is not one of the codes that the guide allows here{codes}",
    "8": "is not a valid date or date range in the format its qualifier names",
    "9": "is not a valid time",
    "12": "repeats more than {repeat}",
    "13": "has more components than its composite",
    "I10": "is not used in this guide: leave it empty",
}


# What senders part components by, whatever their ISA16 says.
_SEPARATING = ":><^|\\"
# What is measured in characters; a number in digits, without sign and point (X12.6).
_TEXTUAL = frozenset(("AN", "ID", "DT", "TM", "B", "C"))


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _is_date(text: str) -> bool:
    """CCYYMMDD of the Gregorian calendar from 1800 on, or YYMMDD."""
    if not (text.isascii() and text.isdigit()) or len(text) not in (6, 8):
        return False
    full = text if len(text) == 8 else "20" + text
    try:
        return date(int(full[:4]), int(full[4:6]), int(full[6:])).year >= 1800
    except ValueError:
        return False


def period_is_valid(qualifier: str, text: str) -> bool:
    """Whether element 1251 has the format that element 1250 names; an unknown format is not judged."""
    if qualifier == "D8":
        return len(text) == 8 and _is_date(text)
    if qualifier == "D6":
        return len(text) == 6 and _is_date(text)
    if qualifier in ("RD8", "RD6"):
        first, dash, last = text.partition("-")
        width = int(qualifier[2])
        return bool(dash) and len(first) == len(last) == width and _is_date(first) and _is_date(last)
    if qualifier == "DT":
        return len(text) == 12 and _is_date(text[:8]) and bool(_HOUR_MINUTE.fullmatch(text[8:]))
    if qualifier == "RDT":
        first, _, last = text.partition("-")
        return all(period_is_valid("DT", t) for t in (first, last))
    if qualifier == "TM":
        return bool(_HOUR_MINUTE.fullmatch(text))
    return True


def time_is_valid(text: str) -> bool:
    """Whether a text is a time of X12: HHMM, with seconds and their tenths or hundredths or without."""
    return bool(_TIME.fullmatch(text))


def _used(part: Component) -> bool:
    return part.usage != "N"


def _optional(part: Component) -> bool:
    return part.usage != "R"


def _takes(part: Component, text: str) -> bool:
    return part.codes is None or part.external is not None or text in part.codes


class _Judge:
    def __init__(self, segment: Segment, delimiters: Delimiters, position: int) -> None:
        self.segment = segment
        self.delimiters = delimiters
        self.position = position
        self.findings: list[Finding] = []

    def find(
        self,
        part: Component,
        code: str,
        element: int,
        component: int | None,
        repeat: int | None,
        message: str = "",
        severity: Severity = "error",
        allowed: Callable[[Component], bool] | None = None,
    ) -> None:
        """One more finding; `allowed` tells whether the guide would allow it, where a companion guide narrowed the place."""
        segment, narrowed = self.segment, part.narrowed
        place = f"{segment.id}{element:02d}" + (f"-{component}" if component else "")
        codes = f" ({', '.join(sorted(part.codes))})" if part.codes and len(part.codes) <= 12 else ""
        unit = "character" if part.data.type in _TEXTUAL else "digit"
        text = message or _MESSAGES[code].format(
            min=_counted(part.min, unit),
            max=_counted(part.max, unit),
            repeat=_counted(part.repeat, "time"),
            codes=codes,
        )
        level = 1 if code in ("3", "4", "5", "6", "8", "9", "12", "13") else 2
        if narrowed is not None and allowed is not None and allowed(narrowed.before):
            level, text = 7, f"{text} ({narrowed.by})"
        number = None if part.data.type == "C" and not part.data.number else part.data.number
        self.findings.append(
            Finding(
                level,
                "element",
                code,
                f"{place} {part.name} {text}.",
                severity,
                segment.loop.id,
                segment.id,
                self.position,
                element,
                component,
                repeat,
                number,
            )
        )

    def value(
        self, part: Component, text: str, qualifier: str | None, element: int, component: int | None, repeat: int | None
    ) -> None:
        """One present value of a simple element or component."""
        here = (element, component, repeat)
        delimiters = self.delimiters
        kind = part.data.type
        if kind == "B":
            return
        if delimiters.component in text:
            self.find(part, "13", *here, message="is a simple element but contains the component separator")
            return
        if delimiters.repetition and delimiters.repetition in text:
            self.find(part, "12", *here, message="does not repeat but contains the repetition separator")
            return
        if not (text.isascii() and text.isprintable()):
            self.find(part, "6", *here)
            return
        bare = text.rstrip(" ")
        if not bare:
            self.find(part, "6", *here, message="consists of spaces: send a value, or leave it empty")
            return
        if bare != text and len(bare) >= part.min:
            self.find(part, "6", *here, message="ends in spaces, which X12 leaves out", severity="warning")
            text = bare
        number = _DECIMAL if kind == "R" else _INTEGER if kind.startswith("N") else None
        if number is not None and not number.fullmatch(text):
            # What is no number has no length that could be wrong.
            if part.codes is not None and part.external is None:
                self.find(part, "7", *here, allowed=lambda guide: _takes(guide, text))
            else:
                self.find(part, "6", *here, message="is not a number in X12's form")
            return
        length = sum(c.isdigit() for c in text) if number is not None else len(text)
        if length > part.max:
            self.find(part, "5", *here, allowed=lambda guide: length <= guide.max)
        elif length < part.min:
            self.find(part, "4", *here, allowed=lambda guide: length >= guide.min)
        if part.codes is not None and part.external is None:
            if text not in part.codes:
                self.find(part, "7", *here, allowed=lambda guide: _takes(guide, text))
        elif kind == "DT" and not _is_date(text):
            self.find(part, "8", *here)
        elif kind == "TM" and not time_is_valid(text):
            self.find(part, "9", *here)
        elif part.data.number == "1251" and qualifier is not None and not period_is_valid(qualifier, text):
            self.find(part, "8", *here)

    def undivided(self, text: str) -> str:
        """What is said of components that are missing from a text which seems to part them by another character than ISA16 names; else ""."""
        if not any(c in text and c not in self.delimiters for c in _SEPARATING):
            return ""
        return f"{_MESSAGES['1']}: the one before it seems to hold all, parted by another character than ISA16 names"

    def composite(self, element: Element, text: str, repeat: int | None) -> None:
        parts = text.split(self.delimiters.component)
        if any(parts[len(element.components) :]):
            self.find(element, "13", element.position, len(element.components) + 1, repeat)
        elif not parts[-1]:
            message = "ends in empty components, whose separators X12 leaves out"
            self.find(element, "13", element.position, None, repeat, message, "warning")
        parts = parts[: len(element.components)]
        missing = self.undivided(text) if len(parts) == 1 else ""
        qualifier: str | None = None
        for component in element.components:
            value = parts[component.position - 1] if component.position <= len(parts) else ""
            if value:
                if component.usage == "N":
                    self.find(component, "I10", element.position, component.position, repeat, allowed=_used)
                else:
                    self.value(component, value, qualifier, element.position, component.position, repeat)
            elif component.usage == "R":
                here = (element.position, component.position, repeat)
                self.find(component, "1", *here, message=missing, allowed=_optional)
            qualifier = value if component.data.number == "1250" else qualifier
        self.notes(element.notes, parts, element.components, element.position)

    def element(self, element: Element, text: str, qualifier: str | None) -> None:
        separator = self.delimiters.repetition
        repeats = text.split(separator) if element.repeat > 1 and separator else [text]
        if len(repeats) > element.repeat:
            found = (element, "12", element.position, None, element.repeat + 1)
            self.find(*found, allowed=lambda guide: len(repeats) <= guide.repeat)
        for index, value in enumerate(repeats, 1):
            repeat = index if len(repeats) > 1 else None
            if index == len(repeats) > 1 and not value.strip(self.delimiters.component):
                message = "ends in an empty repetition, whose separator X12 leaves out"
                self.find(element, "12", element.position, None, repeat, message, "warning")
                continue
            if element.components:
                self.composite(element, value, repeat)
            elif value:
                self.value(element, value, qualifier, element.position, None, repeat)

    def notes(
        self, notes: Sequence[Note], parts: Sequence[str], places: Sequence[Component], element: int | None
    ) -> None:
        def there(position: int) -> bool:
            return position <= len(parts) and bool(parts[position - 1])

        def missing(position: int, message: str, code: str = "2") -> None:
            part = places[position - 1]
            self.find(part, code, element or position, position if element else None, None, message)

        name = f"{self.segment.id}{element:02d}-" if element else self.segment.id
        for note in notes:
            present = [p for p in note.positions if there(p)]
            absent = [p for p in note.positions if not there(p)]
            first = note.positions[0]
            listed = ", ".join(f"{name}{p}" if element else f"{name}{p:02d}" for p in note.positions)
            if note.kind == "P" and present and absent:
                missing(absent[0], f"must be present together with the others of {listed}")
            elif note.kind == "R" and not present:
                missing(first, f"is missing: at least one of {listed} must be present")
            elif note.kind == "E" and len(present) > 1:
                missing(present[1], f"must be absent: only one of {listed} may be present", "10")
            elif note.kind == "C" and there(first) and absent:
                missing(absent[0], f"must be present because {listed.split(', ')[0]} is")
            elif note.kind == "L" and there(first) and len(present) == 1:
                missing(
                    note.positions[1],
                    f"is missing: because {listed.split(', ')[0]} is present, one of {', '.join(listed.split(', ')[1:])} must be",
                )


def judge_segment(
    segment: Segment, raw: str, delimiters: Delimiters, position: int, *, often: bool = False
) -> list[Finding]:
    """Everything wrong with the elements of a segment at its place in a guide, at once; [] when it is clean.

    `often` says that many segments of this place are judged: then their elements have patterns, which take time to make.
    """
    judge = _Judge(segment, delimiters, position)
    parts = split_segment(raw, delimiters)[1:]
    empty = not any(parts)
    if empty:
        parts = []
    elif parts[-1].rstrip(delimiters.component) == "" and segment.id != BINARY:
        message = f"{segment.id} ends in empty elements, whose separators X12 leaves out."
        judge.findings.append(Finding(1, "segment", "8", message, "warning", segment.loop.id, segment.id, position))
    extra = parts[len(segment.elements) :]
    if any(extra):
        last = segment.elements[-1]
        judge.find(
            last, "3", len(segment.elements) + 1, None, None, "is followed by more elements than the segment has"
        )
    qualifier: str | None = None
    for element in segment.elements:
        text = parts[element.position - 1] if element.position <= len(parts) else ""
        blank = not text or (element.components and not text.strip(delimiters.component))
        if blank:
            if element.usage == "R":
                judge.find(element, "1", element.position, None, None, allowed=_optional)
        elif element.usage == "N":
            judge.find(element, "I10", element.position, None, None, allowed=_used)
        elif not often or element_pattern(element, delimiters)(text) is None:
            judge.element(element, text, qualifier)
        qualifier = text if element.data.number == "1250" else qualifier
    judge.notes(segment.notes, parts, segment.elements, None)
    if empty and not judge.findings:
        message = f"{segment.id} ({segment.name}) carries no data."
        judge.findings.append(Finding(1, "segment", "8", message, "error", segment.loop.id, segment.id, position))
    return judge.findings

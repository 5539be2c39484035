"""Business units: the claim or the inquiry that a place of a transaction set belongs to, as the CTX of a 999 names it.

A unit begins at the segment that carries its number and ends at the next level (HL) or unit. What stands above it, such as
the subscriber of a claim, belongs to no unit. The units of findings are noted while a set goes by, so that a 999 can be
written of a set whose segments nobody kept.

Source: 005010X231A1 (CTX, Business Unit Identifier), X12's interpretation 2293 (what is too long is cut to 35 characters, what
has characters that cannot be sent is not known).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from x12.finding import Finding
from x12.syntax import Delimiters, unwritable_character

__all__ = ["Units", "is_missing", "unit_place"]

# Set -> segment and element that hold the unit's number, and the 999's name for it.
_NUMBERED = {
    "837": ("CLM", 1, "CLM01"),
    "270": ("TRN", 2, "TRN02"),
    "271": ("TRN", 2, "TRN02"),
    "276": ("TRN", 2, "TRN02"),
    "277": ("TRN", 2, "TRN02"),
}
_UNIT_MAX = 35
# Required and missing: it is noticed at the segment that stands where it should, which may be another claim's first.
_MISSING = frozenset(("3", "I6", "I7", "I8"))


def is_missing(finding: Finding) -> bool:
    """Whether a finding says that a segment or a loop is not there: what it is about lies before its place."""
    return finding.scope == "segment" and finding.code in _MISSING


def unit_place(finding: Finding) -> int:
    """The position whose unit a finding is about."""
    position = finding.position or 0
    return position - 1 if is_missing(finding) else position


class Units:
    """Goes through a set once, in as many pieces as it comes in.

    `name` is the 999's word for the set's units, "" where it has none; `noted` has the unit of each place that was asked
    about, "" for one that belongs to none.
    """

    def __init__(self, set_id: str, delimiters: Delimiters) -> None:
        segment_id, self._element, self.name = _NUMBERED.get(set_id, ("", 0, ""))
        self._separator = delimiters.element
        self._opening = segment_id + self._separator
        self._closing = tuple(name + self._separator for name in ("HL", "ST", "SE"))
        self._unit = ""
        self.noted: dict[int, str] = {}

    def take(self, segments: Sequence[str], first: int, findings: Collection[Finding]) -> None:
        """The next piece of the set, whose first segment has this position, and the findings at places in it."""
        if not self.name:
            return
        last = first + len(segments) - 1
        for finding in findings:
            # Found when its claim ended, about a segment of the piece before: the unit that was open then.
            if (place := unit_place(finding)) < first:
                self.noted.setdefault(place, self._unit)
        wanted = sorted({p for f in findings for p in (unit_place(f), f.trigger_position or 0) if first <= p <= last})
        at = 0
        for place in wanted:
            self._pass_to(segments, at, place - first)
            at = place - first + 1
            self.noted[place] = self._unit
        self._pass_to(segments, at, len(segments) - 1)

    def _pass_to(self, segments: Sequence[str], start: int, last: int) -> None:
        """From one segment to another, of which the last that begins or ends a unit decides."""
        marks = (self._opening, *self._closing)
        for index in range(last, start - 1, -1):
            if segments[index].startswith(marks):
                self._pass(segments[index])
                return

    def _pass(self, raw: str) -> None:
        if raw.startswith(self._opening):
            parts = raw.split(self._separator, self._element + 1)
            number = parts[self._element].strip() if self._element < len(parts) else ""
            self._unit = number[:_UNIT_MAX].strip() if unwritable_character(number) is None else ""
        elif raw.startswith(self._closing):
            self._unit = ""

    def of(self, finding: Finding) -> str:
        """The unit of a finding; that of what made its rule apply, where that lies in one."""
        trigger = self.noted.get(finding.trigger_position or 0, "")
        return trigger or self.noted.get(unit_place(finding), "")

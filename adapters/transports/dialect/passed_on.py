"""What of a payer's file an upstream passes on is for us: everything but the acknowledgements of its own interchanges.

TA1, 999 and 997 name an interchange or a group by its control number alone. Those in a file that the payer sent to the upstream mean the
upstream's numbers; read as ours they would accept or refuse claims that nobody spoke of.
"""

from __future__ import annotations

from x12.syntax import runs

__all__ = ["without_acknowledgements"]

_ACKNOWLEDGING = "FA"


class _Interchange:
    """One interchange of a file: the segments that are kept, and whether any was left out."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.groups = 0
        self.is_short = False
        self._acknowledging = False

    def take(self, segment: str, element: str, terminator: str) -> None:
        row = segment.split(element)
        if row[0] == "GS":
            self._acknowledging = row[1:2] == [_ACKNOWLEDGING]
            self.groups += not self._acknowledging
        elif row[0] == "IEA":
            self._acknowledging = False
            if self.is_short:
                segment = element.join((row[0], str(self.groups), *row[2:]))
        if self._acknowledging or row[0] == "TA1":
            self.is_short = True
        else:
            self.kept.append(f"{segment}{terminator}")


def without_acknowledgements(content: bytes) -> bytes:
    """The file without TA1 and groups of 997 and 999: the very same bytes where it has none, empty where nothing else is in it."""
    found: list[_Interchange] = []
    for run in runs(content):
        if run.isa or not found:
            found.append(_Interchange())
        for segment in run.segments:
            found[-1].take(segment, run.delimiters.element, run.delimiters.segment)
    if not any(one.is_short for one in found):
        return content
    # What is left of one that only acknowledged is an envelope with nothing in it.
    kept = (one for one in found if one.groups or not one.is_short)
    return "".join(segment for one in kept for segment in one.kept).encode("latin-1")

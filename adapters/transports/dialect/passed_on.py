"""What of a payer's file an upstream passes on is for us: everything but the acknowledgements of its own interchanges.

TA1, 999 and 997 name an interchange or a group by its control number alone. Those in a file that the payer sent to the upstream mean the
upstream's numbers; read as ours they would accept or refuse claims that nobody spoke of.
"""

from __future__ import annotations

from collections.abc import Iterator

from x12.syntax import Run, runs

__all__ = ["without_acknowledgements"]

_ACKNOWLEDGING = "FA"


def without_acknowledgements(content: bytes) -> bytes:
    """The file without TA1 and groups of 997 and 999: the very same bytes where it has none, empty where nothing else is in it."""
    pieces = list(_pieces(content))
    if not any(dropped for _, dropped in pieces):
        return content
    if not any(not dropped and _is_group(piece) for piece, dropped in pieces):
        return b""
    groups = 0
    made: list[str] = []
    for piece, dropped in pieces:
        if dropped:
            continue
        _, element, terminator, segment = piece
        row = segment.split(element)
        groups = 0 if row[0] == "ISA" else groups + (row[0] == "GS")
        if row[0] == "IEA" and len(row) > 1:
            segment = element.join((row[0], str(groups), *row[2:]))
        made.append(f"{segment}{terminator}")
    return "".join(made).encode("latin-1")


def _is_group(piece: tuple[str, str, str, str]) -> bool:
    return piece[0] == "GS"


def _pieces(content: bytes) -> Iterator[tuple[tuple[str, str, str, str], bool]]:
    """Each segment as (its id, element separator, terminator, text), and whether it is of an acknowledgement."""
    acknowledging = False
    for run in runs(content):
        for segment in run.segments:
            row = segment.split(run.delimiters.element, 2)
            if row[0] == "GS":
                acknowledging = len(row) > 1 and row[1].strip() == _ACKNOWLEDGING
            elif row[0] in ("ISA", "IEA"):
                acknowledging = False
            yield _piece(run, row[0], segment), acknowledging or row[0] == "TA1"


def _piece(run: Run, segment_id: str, segment: str) -> tuple[str, str, str, str]:
    return segment_id, run.delimiters.element, run.delimiters.segment, segment

"""What a pattern cannot say: whether levels and service lines are numbered right, and binary data has the length it says.

Sources: X12.5 (notes on HL01 and HL02), 005010X222A1, X223A2 and X224A2 (LX01 of loop 2400), X12.6 (data elements 784 and 785).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from x12.guides import Segment
from x12.syntax import BINARY, Delimiters, split_segment

if TYPE_CHECKING:
    from x12.table import Act, Node, Table
    from x12.walk import Walk

__all__ = ["is_measured", "numbering"]


def is_measured(segment: Segment) -> bool:
    """Whether segments at a place are cut by a length: what a pattern of text says of them proves nothing."""
    return segment.id == BINARY


def numbering(node: Node, table: Table) -> Act | None:
    """How the segments at a node are numbered, or what begins their numbering again; None where they are not."""
    match node.segment.id:
        case "HL":
            return _levels(node, table.delimiters.element)
        case "LX" if table.guide.set_id == "837":
            return _lines(node)
        case "CLM":
            return _claim
        case _ if is_measured(node.segment):
            return _binary(node, table.delimiters)
        case _:
            return None


def _levels(node: Node, separator: str) -> Act:
    """HL01 counts the levels from 1; HL02 names the level above that is open (any guide with an HL)."""
    loop = node.loop
    here, above_here = id(loop), id(loop.parent)

    def act(walk: Walk, raw: str, clean: bool) -> None:
        walk.levels += 1
        parts = raw.split(separator, 3)
        number = parts[1] if len(parts) > 1 else ""
        parent = parts[2] if len(parts) > 2 else ""
        walk.open_levels[here] = number
        if number != str(walk.levels):
            walk.find_element(
                node, 1, "7", f"HL01 must count the hierarchical levels of the transaction set: {walk.levels} is next."
            )
        if parent and parent != walk.open_levels.get(above_here, parent):
            walk.find_element(node, 2, "7", "HL02 must name the HL01 of the level above that is open here.")

    return act


def _lines(node: Node) -> Act:
    """LX01 counts a claim's service lines from 1 (837 guides, loop 2400)."""
    prefix = node.prefix

    def act(walk: Walk, raw: str, clean: bool) -> None:
        walk.lines += 1
        if raw != f"{prefix}{walk.lines}":
            walk.find_element(node, 1, "7", f"LX01 must count the service lines of the claim: {walk.lines} is next.")

    return act


def _binary(node: Node, delimiters: Delimiters) -> Act:
    """BIN01 is the number of bytes in BIN02."""

    def act(walk: Walk, raw: str, clean: bool) -> None:
        parts = split_segment(raw, delimiters)
        if len(parts) > 2 and parts[1].isascii() and parts[1].isdigit() and int(parts[1]) != len(parts[2]):
            message = f"BIN01 must be the number of bytes in BIN02, which is {len(parts[2])}."
            walk.find_element(node, 1, "7", message)

    return act


def _claim(walk: Walk, raw: str, clean: bool) -> None:
    walk.lines = 0

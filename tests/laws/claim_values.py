"""What the laws of the claim documents share: JSON changed at a path, and segments of a claim compared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from x12.documents.writing import Written
from x12.guides import Guide
from x12.syntax import CANONICAL
from x12.walk import Instance, Walk, compiled, tree

__all__ = ["comparable", "leaves", "numbered", "own", "put", "upwards", "walked"]


def put(said: Any, names: list[str], value: Any) -> None:
    """Set a value inside objects and lists; objects on the way are made."""
    for name in names[:-1]:
        said = said[int(name)] if isinstance(said, list) else said.setdefault(name, {})  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    last = names[-1]
    said[int(last) if isinstance(said, list) else last] = value


def leaves(value: Any, path: str = "") -> list[str]:
    """The paths of a JSON value, list positions as `[]`."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in leaves(v, f"{path}.{k}" if path else k)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [p for v in value for p in leaves(v, f"{path}[]")]  # pyright: ignore[reportUnknownVariableType]
    return [path]


def own(loop: Instance, others: Sequence[str] = ()) -> list[str]:
    """The segments of a loop and of the loops inside it, but for these."""
    inside = (own(c) for c in loop.children if c.loop.id not in others)
    return [raw for _, raw in loop.segments] + [raw for one in inside for raw in one]


def upwards(claim: Instance) -> list[str]:
    """The segments of a claim (loop 2300) and of the levels that it hangs on, from the top."""
    levels = [claim]
    while levels[0].parent is not None:
        levels.insert(0, levels[0].parent)
    return [s for level in levels[:-1] for s in own(level, ("2000A", "2000B", "2000C", "2300"))] + own(claim)


def numbered(lines: Sequence[str]) -> list[str]:
    """HL segments in full for one billing provider and one subscriber."""
    whole = {"HL*20": "HL*1**20*1", "HL*22": "HL*2*1*22*0"}
    return [whole.get(s, s) for s in lines]


def comparable(lines: Sequence[str]) -> list[str]:
    """Segments without what writing sets anew: the header, the numbers of the lines, and the codes that the dialect has no field for."""
    kept = [s for s in lines if not s.startswith(("ST*", "BHT*"))]
    kept = [re.sub(r"^LX\*\d+", "LX", s) for s in kept]
    # The payer's identifier is written as PI, also where it came as XV; NM102 of a pay-to address is always 2.
    kept = [re.sub(r"^(NM1\*PR\*2\*[^*]*\*{5})XV", r"\1PI", s) for s in kept]
    return [re.sub(r"^NM1\*87\*1$", "NM1*87*2", s) for s in kept]


def walked(guide: Guide, written: Written) -> Instance:
    """The loops of what was written, walked along its guide."""
    walk = Walk(compiled(guide, CANONICAL))
    walk.feed(written.segments)
    walk.end()
    return tree(guide, walk.nodes, written.segments, CANONICAL)

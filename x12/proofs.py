"""One regular expression for the segments of a loop; a match proves them clean, in order, none missing, none too often.

Walking segment by segment costs more than the patterns themselves do. A loop that occurs often therefore gets one pattern out
of those of its own segments that the file has been seen to use, up to its first inner loop. What the pattern does not match, or
what follows it, is walked segment by segment as ever, so a proof changes how long judging takes and nothing else.

What a match means for the walk (which children were seen, how often, what each segment's act does) is a function written as
source, as `dataclasses` does it. Into the source go numbers and names of its own, nothing of the content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from x12.guides import UNBOUNDED, Loop, Segment
from x12.patterns import segment_pattern, segment_source
from x12.syntax import Delimiters

if TYPE_CHECKING:
    from x12.table import Node, Step, Table
    from x12.walk import Walk

__all__ = ["Proof", "prove"]

# (walk, match, step that enters the loop, nodes to add to) -> the last node; None where a run of segments is not clean.
Finish = Callable[["Walk", re.Match[str], "Step", "list[Node | None]"], "Node | None"]


class _Piece(NamedTuple):
    """The part of a proof that one segment of the guide fills. `run`: it may repeat; `loose`: each is still to be proved."""

    node: Node
    source: str
    required: bool
    run: bool
    loose: bool


class Proof:
    """`match` finds the segments at an offset of the file's text; `finish` brings the walk behind them.

    `known` is how many of the loop's segments it was made of.
    """

    __slots__ = ("finish", "known", "match")

    def __init__(self, pieces: Sequence[_Piece], delimiters: Delimiters) -> None:
        self.known = len(pieces)
        pattern = re.compile("".join(_source(piece, re.escape(delimiters.segment)) for piece in pieces))
        self.match = pattern.match
        self.finish = _finish(pieces, pattern, delimiters)


def prove(loop: Loop, table: Table, before: Proof | None = None) -> Proof | None:
    """The proof of a loop out of the segments met so far; None where it would hold one segment, or no more than the one before."""
    pieces = _pieces(loop, table)
    if len(pieces) < 2 or (before is not None and before.known >= len(pieces)):
        return before
    return Proof(pieces, table.delimiters)


def _pieces(loop: Loop, table: Table) -> list[_Piece]:
    pieces: list[_Piece] = []
    own = [child for child in loop.children if isinstance(child, Segment)]
    for child in loop.children:
        if isinstance(child, Loop):
            break
        node = table.nodes.get(child.index)
        if node is None:
            if child.usage == "R":
                break
            continue
        piece = None if any(_alike(child, other) for other in own if other is not child) else _piece(node, table)
        if piece is None:
            break
        pieces.append(piece)
    return pieces


def _alike(one: Segment, other: Segment) -> bool:
    """Whether a segment may fill either place, so that the walk has to decide."""
    if one.id != other.id:
        return False
    first, second = one.qualifier, other.qualifier
    if first is None or second is None:
        return True
    return not (first.codes or frozenset()).isdisjoint(second.codes or ())


def _piece(node: Node, table: Table) -> _Piece | None:
    segment, delimiters = node.segment, table.delimiters
    run = segment.repeat > 1 and not segment.opens
    source = segment_source(segment, delimiters, f"s{segment.index}")
    if source is None or segment.usage == "N":
        return None
    # In a repetition a named group keeps what an earlier round has matched, so that the syntax notes would look at that.
    loose = run and "(?P<" in source
    if loose:
        qualifier = segment.qualifier
        element, end = re.escape(delimiters.element), re.escape(delimiters.segment)
        source = re.escape(node.prefix)
        if qualifier is not None:
            if segment.elements[0] is not qualifier:
                return None
            source += "(?:" + "|".join(map(re.escape, sorted(qualifier.codes or ()))) + f")(?=[{element}{end}])"
        source += f"[^{end}]*"
    return _Piece(node, source, segment.opens or segment.usage == "R", run, loose)


def _source(piece: _Piece, terminator: str) -> str:
    """Every part is atomic: what was matched as one segment is never tried as another."""
    if piece.run:
        one = f"(?>{piece.source}{terminator})"
        repeat = piece.node.segment.repeat
        most = "" if repeat >= UNBOUNDED else str(repeat)
        return f"(?P<{_name(piece)}>{one}{{{int(piece.required)},{most}}}+)"
    return f"(?>(?P<{_name(piece)}>{piece.source}){terminator}){'' if piece.required else '?+'}"


def _name(piece: _Piece) -> str:
    return f"n{piece.node.segment.index}"


def _finish(pieces: Sequence[_Piece], pattern: re.Pattern[str], delimiters: Delimiters) -> Finish:
    known: dict[str, Any] = {"terminator": delimiters.segment}
    needed = [p for p in pieces if p.run or not p.required or p.node.act is not None]
    groups = [f"g{p.node.segment.index}" for p in needed]
    numbers = [str(pattern.groupindex[_name(p)]) for p in needed]
    body = [f"{', '.join(groups)} = match.group({', '.join(numbers)})"] if groups else []
    for piece in pieces:
        index = piece.node.segment.index
        known |= {
            f"node{index}": piece.node,
            f"act{index}": piece.node.act,
            f"proved{index}": segment_pattern(piece.node.segment, delimiters),
        }
        known |= piece.node.written.names if piece.node.written is not None else {}
        if piece.run:
            body += [f"r{index} = g{index}.split(terminator)[:-1] if g{index} else ()"]
        if piece.loose:
            body += [f"for raw in r{index}:", f" if proved{index}(raw) is None: return None"]
    seen = sum(p.node.bit for p in pieces if p.required)
    first = pieces[0].node.segment.index
    body += ["walk.take(step)", "at = walk.position", f"seen, here, counts = {seen}, node{first}, None"]
    for piece in pieces:
        body += _steps(piece, opens=piece is pieces[0])
    body += ["walk.position, walk.seen, walk.counts = at, seen, counts", "return here"]
    source = "\n ".join(["def finish(walk, match, step, nodes):", *body])
    exec(source, known)  # noqa: S102 - see above
    return known["finish"]


def _steps(piece: _Piece, opens: bool) -> list[str]:
    """The lines for one piece."""
    index, act = piece.node.segment.index, piece.node.act is not None
    written = piece.node.written
    acting = [f"act{index}(walk, raw, True)"] if written is None else written.lines
    if piece.run:
        # `finish` needs the number of a run's segments even where nothing is done with them.
        limited = piece.node.segment.repeat < UNBOUNDED
        lines = [f"if r{index}:", f" here = node{index}"]
        lines += [] if piece.required else [f" seen |= {piece.node.bit}"]
        lines += (
            [f" for raw in r{index}:", "  at += 1", "  walk.position = at", *(f"  {line}" for line in acting)]
            if act
            else []
        )
        lines += [] if act else [f" at += len(r{index})"]
        lines += [f" nodes += [node{index}] * len(r{index})"]
        if limited:
            count = f"if len(r{index}) > 1: counts = {{**(counts or {{}}), {piece.node.bit}: len(r{index})}}"
            lines += [f" {count}"]
        return lines
    lines = [] if opens else ["at += 1", f"here = node{index}"]
    lines += [f"nodes.append(node{index})"]
    lines += [] if piece.required else [f"seen |= {piece.node.bit}"]
    lines += [f"raw = g{index}", *([] if opens else ["walk.position = at"]), *acting] if act else []
    if piece.required:
        return lines
    return [f"if g{index} is not None:", *(f" {line}" for line in lines)]

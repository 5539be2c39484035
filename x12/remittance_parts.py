"""Takes a file of remittances apart: what each 835 says as a whole, and its claims a few at a time, in memory that does not grow.

A part is a small 835 of its own: the header of the set, the claims, and in the last part what follows them. So whatever reads an 835
reads a part. Claims keep their order; a part that begins inside a loop 2000 begins with the LX of that loop, without its totals.

Source: 005010X221A1 (loops 2000 and 2100, PLB).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from x12.envelope import TransactionSet, stream
from x12.finding import Finding
from x12.syntax import Delimiters, runs
from x12.tree import Instance

__all__ = ["RemittancePart", "RemittanceWhole", "parts", "surveyed"]

_ENVELOPE = ("ISA", "GS", "GE", "IEA", "ST", "TA1")
# The segments of a loop 2000 before its claims.
_DETAIL = ("LX", "TS3", "TS2")


class RemittanceWhole(NamedTuple):
    """What one 835 says as a whole: `head` is its tree without claims, `content` what tells it from others (its control number
    aside), `findings` those of its sums and of what they need, `dropped` how many more there are, where an error is among
    all of them, `ended` whether its SE is there.
    """

    head: Instance
    content: str
    claims: int
    findings: list[Finding]
    dropped: int
    ended: bool


class RemittancePart(NamedTuple):
    """Some claims of an 835: `number` counts the sets of the file from 0, `first` the claims of the set. `root` is a walked 835.

    `inside` tells that the part begins inside the loop 2000 in which the part before it ended.
    """

    number: int
    first: int
    claims: int
    root: Instance
    inside: bool
    last: bool


class _Open:
    """A set whose segments are going by."""

    def __init__(self, opening: list[str], first: str, delimiters: Delimiters) -> None:
        self.delimiters = delimiters
        self.opening = opening
        # ST and what follows it, to the first LX or CLP.
        self.head = [first]
        self.detail: list[str] = []
        self.lines: list[str] = []
        self.in_claims = self.inside = self.ended = False
        self.claims = self.first = 0

    def add(self, name: str, raw: str) -> None:
        if not self.in_claims and name not in ("LX", "CLP", "PLB", "SE"):
            self.head.append(raw)
            return
        self.in_claims = True
        if name in _DETAIL:
            self.detail = [raw] if name == "LX" else [*self.detail, raw]
        elif name == "CLP":
            self.claims += 1
        self.lines.append(raw)

    def tree(self, lines: list[str]) -> Instance | None:
        """A set with the header and these segments; None where there is no guide for it."""
        end = self.delimiters.segment
        closed = bool(lines) and lines[-1].startswith(f"SE{self.delimiters.element}")
        closing = [] if closed else [self.delimiters.element.join(("SE", "0", "0"))]
        text = end.join((*self.opening, *self.head, *lines, *closing)) + end
        # What is not ASCII was UTF-8, or is Latin-1: either is read as the same again, unless a delimiter is not ASCII either.
        plain = all(one.isascii() for one in self.delimiters)
        for one in stream(text.encode() if plain else text.encode("latin-1", "replace"), levels=()):
            if isinstance(one, TransactionSet) and one.guide is not None:
                return one.tree()
        return None

    def begin_part(self) -> None:
        """The next claim begins a part: where a loop 2000 is open, with its LX."""
        self.inside = True
        self.lines = self.detail[:1]
        self.first = self.claims


def _scanned(content: Iterable[bytes] | bytes) -> Iterator[tuple[_Open, str, str]]:
    """Each segment of each set, from ST on: the set, the segment's id, and the segment. After the last one, an empty id."""
    opening: list[str] = []
    open_set: _Open | None = None
    for run in runs(content):
        element = run.delimiters.element
        for raw in run.segments:
            name = raw.partition(element)[0]
            if name in _ENVELOPE:
                if open_set is not None:
                    yield open_set, "", ""
                    open_set = None
                if name in ("ISA", "GS"):
                    opening = [raw] if name == "ISA" else [*opening[:1], raw]
                elif name == "ST":
                    open_set = _Open(opening, raw, run.delimiters)
                    yield open_set, name, raw
            elif open_set is not None:
                open_set.ended = name == "SE"
                yield open_set, name, raw
                if name == "SE":
                    yield open_set, "", ""
                    open_set = None
    if open_set is not None:
        yield open_set, "", ""


def surveyed(content: Iterable[bytes] | bytes) -> list[RemittanceWhole] | None:
    """What the remittances of a file say as wholes, in file order; None for a file that holds anything else.

    The file is gone through twice: pieces of it must be something that gives them twice.
    """
    judged: list[TransactionSet] = []
    for one in stream(content, levels=(3,), keep=False):
        if isinstance(one, TransactionSet):
            if one.set_id != "835" or one.guide is None:
                return None
            judged.append(one)
        elif one.acknowledgements or not any(one.elements):
            return None
    found: list[RemittanceWhole] = []
    digest = hashlib.sha256()
    between = b""
    for one, name, raw in _scanned(content):
        if name == "ST":
            digest, between = hashlib.sha256(), b""
        elif name == "":
            head = one.tree([])
            if head is None or len(found) == len(judged):
                return None
            verdict = judged[len(found)]
            dropped = verdict.dropped if verdict.refused else 0
            whole = RemittanceWhole(head, digest.hexdigest(), one.claims, verdict.findings, dropped, one.ended)
            found.append(whole)
        elif name != "SE":
            digest.update(between + raw.encode())
            between = b"\n"
            one.add(name, raw)
            one.lines = []
    return found if len(found) == len(judged) else None


def parts(content: Iterable[bytes] | bytes, size: int, done: Mapping[int, int]) -> Iterator[RemittancePart]:
    """The claims of a file of remittances, at most `size` at a time, in file order. `done` has how many claims of each set to pass over.

    Each set ends with a part that is its `last`, if need be without claims.
    """
    number = -1
    skip = 0
    for one, name, raw in _scanned(content):
        if name == "ST":
            number += 1
            skip = done.get(number, 0)
        elif name == "":
            yield _part(number, one, last=True)
        else:
            if name == "CLP" and one.claims == skip > 0:
                one.begin_part()
            elif name == "CLP" and one.claims - one.first == size:
                yield _part(number, one, last=False)
                one.begin_part()
            one.add(name, raw)
            if one.claims <= skip > 0 and name not in ("PLB", "SE"):
                one.lines, one.first = [], one.claims


def _part(number: int, one: _Open, *, last: bool) -> RemittancePart:
    root = one.tree(one.lines)
    assert root is not None
    return RemittancePart(number, one.first, one.claims - one.first, root, one.inside, last)

"""Claims one after the other, whoever the patient is: of each its document and its raw segments.

Where an 837 hangs its claims (under the subscriber or under the dependent) and an 835 its payments (under a group) is hidden:
`document` has all that the levels above say of the claim, and `shared` their segments. Nothing is built for the whole set, so
that a set of thousands of claims costs the memory of one.

Sources: 005010X222A1, X223A2, X224A2 (loops 2000A to 2300), 005010X221A1 (loops 2000 and 2100).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from x12.discreet import Discreet
from x12.documents.binding import Document, read
from x12.envelope import TransactionSet
from x12.guides import Guide, Loop
from x12.table import Node
from x12.transactions import Kind, kind_of
from x12.tree import Instance, tree

if TYPE_CHECKING:
    from x12.documents.dental_claim import DentalClaim
    from x12.documents.institutional_claim import InstitutionalClaim
    from x12.documents.professional_claim import ProfessionalClaim
    from x12.documents.remittance_claim import ClaimPayment

__all__ = ["Claim", "claims"]

D = TypeVar("D", bound=Document)
# The position of a segment in its set (ST is 1), and the segment as received.
Line = tuple[int, str]
# ST01 -> the loop of a claim.
_CLAIM_LOOPS = {"837": "2300", "835": "2100"}
# A line with its place in the guide.
_Row = tuple[int, str, Node | None]


class Claim(Discreet, Generic[D]):
    """One claim of an 837, or one claim that an 835 pays: what it says, and the segments that say it, none left out.

    `own` are the segments from its CLM or CLP to the last one before the next claim or level; `shared` those before it of
    the set and of the levels that it hangs on, which other claims may have too. Both have segments without a place in the
    guide as well. `kind` is the set's, as `x12.transactions` names it.
    """

    kind: str
    document: D
    own: list[Line]
    shared: list[Line]

    @property
    def segments(self) -> list[str]:
        """Its own segments as received, with the delimiters of its interchange."""
        return [raw for _, raw in self.own]


if TYPE_CHECKING:
    AnyClaim = Claim[ProfessionalClaim] | Claim[InstitutionalClaim] | Claim[DentalClaim] | Claim[ClaimPayment]


def claims(received: TransactionSet) -> Iterator[AnyClaim]:
    """Each claim of an 837 or 835 in file order, read when it is asked for; a set of another kind has none.

    Never raises on content: in a faulty set claims are told as far as they can be understood. ValueError where the set's
    segments were not kept.
    """
    kind = kind_of(received)
    if kind is None or kind.set_id not in _CLAIM_LOOPS:
        return iter(())
    if not received.segments:
        raise ValueError("the segments of this transaction set were not kept")
    return _claims(received, kind)


class _Place(NamedTuple):
    """Where a loop lies: the loop of its claim, if it is in one, and how deep its level is."""

    claim: Loop | None
    depth: int


@cache
def _places(guide: Guide) -> dict[Loop, _Place]:
    claim_loop = _CLAIM_LOOPS[guide.set_id]
    levels: set[Loop] = set()
    for loop in guide.loops():
        if loop.id == claim_loop:
            above = loop.parent
            while above is not None:
                levels.add(above)
                above = above.parent
    places: dict[Loop, _Place] = {}
    for loop in guide.loops():
        above = places[loop.parent] if loop.parent is not None else _Place(None, -1)
        claim = loop if loop.id == claim_loop else above.claim
        places[loop] = _Place(claim, above.depth + (loop in levels))
    return places


def _claims(received: TransactionSet, kind: Kind) -> Iterator[AnyClaim]:
    assert received.guide is not None
    places = _places(received.guide)
    # The lines of each open level, and those of the open claim.
    levels: list[list[_Row]] = [[]]
    own: list[_Row] = []
    claim: Loop | None = None
    for position, (node, raw) in enumerate(zip(received.nodes, received.segments, strict=False), 1):
        row = (position, raw, node)
        if node is None:
            (own if claim is not None else levels[-1]).append(row)
            continue
        place = places[node.loop]
        begins = node.opens and node.loop is place.claim
        if claim is not None and (begins or place.claim is not claim):
            yield _record(received, kind, levels, own)
            own = []
        claim = place.claim
        if claim is not None:
            own.append(row)
            continue
        opens = node.opens and (node.loop.parent is None or places[node.loop.parent].depth < place.depth)
        del levels[place.depth + (not opens) :]
        while len(levels) <= place.depth:
            levels.append([])
        levels[place.depth].append(row)
    if claim is not None:
        yield _record(received, kind, levels, own)


def _record(received: TransactionSet, kind: Kind, levels: Sequence[list[_Row]], own: list[_Row]) -> AnyClaim:
    assert received.guide is not None
    shared = [row for level in levels for row in level]
    rows = [*shared, *own]
    root = tree(received.guide, [node for _, _, node in rows], [raw for _, raw, _ in rows], received.delimiters)
    return Claim(kind.name, _document(kind, root), [row[:2] for row in own], [row[:2] for row in shared])


def _document(kind: Kind, root: Instance) -> Any:
    """The document of the only claim of a tree."""
    if kind.set_id == "837":
        return kind.read_tree(root)[0]
    payment = import_module("x12.documents.remittance_claim").ClaimPayment
    return read(payment, next(root.all(_CLAIM_LOOPS[kind.set_id])))

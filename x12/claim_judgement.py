"""Judges an 837 claim by claim: what is wrong inside a claim rejects that claim, what is wrong above it whatever is below.

A finding lies in the innermost loop that its place is in. That something is missing is noticed where the next segment
stands, which may be in the next claim: it lies in the loop before that place. What has no place (a wrong count, a control
number) lies in the whole set. A level (HL) that the guide has no place for leaves open whose the claims behind it are, so they
are rejected with it.

Sources: 005010X222A1, X223A2, X224A2 (loops 2000A to 2400), 005010X231A1 (IK302).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from x12.claim_reasons import Reason
from x12.discreet import Discreet
from x12.envelope import TransactionSet
from x12.finding import Finding
from x12.guides import Guide
from x12.units import is_missing
from x12.walk import Instance

__all__ = ["ClaimJudgement", "Judgements", "judge_claims", "taken_in_parts"]

_CLAIMS = "837"
_CLAIM = "2300"


class ClaimJudgement(Discreet):
    """One claim and its findings: `own` are inside its loops, `above` in the levels that it hangs on or in the whole set.

    `positions` are those of its first and last segment, ST being 1.
    """

    claim: Instance
    positions: tuple[int, int]
    own: list[Finding]
    above: list[Finding]

    @property
    def findings(self) -> list[Finding]:
        return [*self.above, *self.own]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


class Judgements(Discreet):
    """The claims of one transaction set, in the order of `x12.batch.claims_of`, and where each finding lies.

    `at` has the findings of each loop occurrence, by its identity; `root` is the whole set. `reasons` are those that whoever refuses
    a claim gives for findings of his own, by their identity.
    """

    root: Instance
    claims: list[ClaimJudgement]
    at: dict[int, list[Finding]]
    reasons: dict[int, list[Reason]] = msgspec.field(default_factory=dict[int, "list[Reason]"])

    @property
    def accepted(self) -> list[ClaimJudgement]:
        return [claim for claim in self.claims if claim.accepted]

    @property
    def rejected(self) -> list[ClaimJudgement]:
        return [claim for claim in self.claims if not claim.accepted]

    def refuse(self, claim: ClaimJudgement, finding: Finding, reason: Reason) -> None:
        """Find something of the receiver's own in a claim, such as that it came before: the 277CA tells it, and no 999."""
        claim.own.append(finding)
        self.at.setdefault(id(claim.claim), []).append(finding)
        self.reasons[id(finding)] = [reason]

    def inside(self, instance: Instance) -> list[Finding]:
        """The findings of a loop and of all loops in it, in its order."""
        found = list(self.at.get(id(instance), ()))
        for child in instance.children:
            found += self.inside(child)
        return found


def judge_claims(received: TransactionSet) -> Judgements:
    """Every claim of a walked 837 with what is wrong with it. ValueError for a set without a guide or without segments."""
    root = received.tree()
    assert received.guide is not None
    owners = _owners(root, len(received.nodes))
    at: dict[int, list[Finding]] = {}
    for finding in received.findings:
        at.setdefault(id(_lies_in(finding, owners, received.guide)), []).append(finding)
    judged = Judgements(root, [], at)
    lost = list(_lost_levels(received))
    beside: dict[int, list[Finding]] = {}
    for claim in _claims(root):
        first, last = _first(claim), _last(claim)
        above: list[Finding] = []
        for level in _around(claim):
            if id(level) not in beside:
                beside[id(level)] = list(_beside(judged, level))
            above += beside[id(level)]
        above += [f for start, end, f in lost if start < first < end]
        judged.claims.append(ClaimJudgement(claim, (first, last), judged.inside(claim), above))
    return judged


def taken_in_parts(received: TransactionSet) -> bool:
    """Whether a transaction set is taken when claims are judged one by one: as a whole, or at least one claim of an 837.

    What is rejected a 277CA tells of (`x12.acknowledge_claims`); the 999 says E then (`x12.acknowledgement(taken=...)`).
    """
    if received.accepted or received.set_id != _CLAIMS or received.guide is None or not received.segments:
        return received.accepted
    return bool(judge_claims(received).accepted)


def _claims(root: Instance) -> Iterator[Instance]:
    """As `claims_of` goes: a subscriber's own claims, then those of each patient."""
    for billing in root.inside("2000A"):
        for subscriber in billing.inside("2000B"):
            for level in (subscriber, *subscriber.inside("2000C")):
                yield from level.inside(_CLAIM)


def _owners(root: Instance, count: int) -> list[Instance]:
    """The innermost loop at each position; a segment without a place belongs to the loop that was open."""
    owners: list[Instance | None] = [None] * (count + 2)
    stack = [root]
    while stack:
        here = stack.pop()
        for position in here.positions:
            owners[position] = here
        stack += here.children
    made: list[Instance] = []
    for owner in owners:
        made.append(owner or (made[-1] if made else root))
    return made


def _lies_in(finding: Finding, owners: list[Instance], guide: Guide) -> Instance:
    position = finding.position or 0
    if finding.scope not in ("segment", "element") or not 0 < position < len(owners):
        return owners[0]
    here = owners[position]
    if not is_missing(finding):
        return here
    for homes in _homes(guide).get(finding.loop or "", ()):
        for start in (owners[position - 1], here):
            found = next((i for i in _around(start, itself=True) if i.loop.id in homes), None)
            if found is not None:
                return found
    return owners[position - 1]


@cache
def _homes(guide: Guide) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Where what is missing in a loop belongs: in that loop, else in the one around it, where the loop itself is missing."""
    around: dict[str, set[str]] = {}
    for loop in guide.loops():
        around.setdefault(loop.id, set()).update((loop.parent.id,) if loop.parent is not None else ())
    return {name: (frozenset((name,)), frozenset(outer)) for name, outer in around.items()}


def _around(instance: Instance, *, itself: bool = False) -> Iterator[Instance]:
    here = instance if itself else instance.parent
    while here is not None:
        yield here
        here = here.parent


def _beside(judged: Judgements, level: Instance) -> Iterator[Finding]:
    """What is wrong with a level itself and its names, not with the levels and claims on it."""
    yield from judged.at.get(id(level), ())
    for child in level.children:
        if child.loop.id != _CLAIM and not child.loop.id.startswith("2000"):
            yield from judged.inside(child)


def _lost_levels(received: TransactionSet) -> Iterator[tuple[int, int, Finding]]:
    """HL segments without a place: their position, that of the next level that has one, and the finding."""
    opening = f"HL{received.delimiters.element}"
    pairs = list(zip(received.nodes, received.segments, strict=False))
    levels = [(p, node is not None) for p, (node, raw) in enumerate(pairs, 1) if raw.startswith(opening)]
    for index, (position, placed) in enumerate(levels):
        if not placed:
            end = next((p for p, good in levels[index + 1 :] if good), len(pairs) + 1)
            for finding in (f for f in received.findings if f.position == position and f.scope == "segment"):
                yield position, end, finding


def _first(instance: Instance) -> int:
    return min([*instance.positions[:1], *(_first(child) for child in instance.children)], default=0)


def _last(instance: Instance) -> int:
    return max([*instance.positions[-1:], *(_last(child) for child in instance.children)], default=0)

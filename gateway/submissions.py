"""Claims taken in: judged, given their number, and kept before the caller is told.

A claim is kept as a transaction set of its own in canonical separators; `steps.batch` puts such sets together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.claim_files import Repeated
from gateway.claim_judging import JudgedClaim, Treatment, judged_claim
from gateway.claim_kinds import AnyClaim, ClaimKind, addressed
from gateway.envelopes import claim_number, reference
from gateway.hours import leaves_at
from gateway.ledger import claim_list, payloads, repeats, search, transactions
from gateway.ledger.repeats import Content
from gateway.lifecycle import Repeated as WasRepeated
from gateway.payers import Payer, Route
from gateway.runtime import TENANT, Runtime
from gateway.world import dated, from_micros, to_micros
from observability import tracing
from queues import work
from queues.database import Transaction
from x12.batch import with_reference
from x12.discreet import Discreet
from x12.documents.parts import Header
from x12.finding import Finding
from x12.syntax import CANONICAL

__all__ = [
    "Submission",
    "allowance",
    "claim_of",
    "commit_claims",
    "further_findings",
    "marked",
    "prepare_claim",
    "repeated_before",
    "treatment_of",
    "usage_of",
]

# What stands for a party that is not known.
_NOBODY = "UNKNOWN"


class Submission(Discreet):
    """A claim on its way in: what it is kept as and can be found by, where it goes, and what it was let pass as a repetition of."""

    kind: ClaimKind
    transaction_id: str
    payer: Payer
    route: Route
    usage: Literal["T", "P"]
    claim: JudgedClaim
    repeats: Repeated | None = None
    allowed_by: Literal["caller", "payer"] = "payer"

    @property
    def claim_number(self) -> str:
        """The clearinghouse's own number (REF*D9), which the payer's acknowledgements are matched by."""
        return claim_number(self.transaction_id)


def usage_of(route: Route, asked: str | None) -> Literal["T", "P"]:
    """ISA15 of what a caller asks for on a way to a payer: production only where both say so, so that no test is ever paid."""
    return "P" if route.usage == "P" and asked != "T" else "T"


def treatment_of(runtime: Runtime, payer: Payer, route: Route, asked: str | None, named: str) -> Treatment:
    """How the claims of a payer are judged that `named` leads to."""
    known = named.strip().upper() in {name.upper() for name in (payer.id, *payer.aliases)}
    return Treatment(
        payer.id,
        # What the route takes any payer for is told apart by the payer that the claim names.
        payer.id if known else f"{payer.id}/{named}",
        usage_of(route, asked),
        frozenset(payer.warns_at),
        tuple(runtime.companions[name] for name in payer.companions),
        frozenset(payer.warns_of),
    )


async def prepare_claim(
    runtime: Runtime, payer: Payer, kind: ClaimKind, claim: AnyClaim, asked: str | None = None
) -> Submission:
    """A claim out of the dialect's JSON, judged, the envelope's parties filled in where the caller left them open.

    `asked` is the ISA15 that the caller wants.
    """
    route = runtime.directory.route(payer, asked or "P")
    transaction_id = runtime.world.new_id()
    filled = addressed(claim, payer.id, payer.name, route.sender_id, route.receiver_id)
    treatment = treatment_of(runtime, payer, route, asked, payer.id)
    judged = await _judged(runtime, kind, filled, reference(transaction_id), treatment)
    made = Submission(kind, transaction_id, payer, route, usage_of(route, asked), judged)
    if judged.accepted:
        judged.segments = with_reference(judged.segments, "D9", made.claim_number)
    return made


async def further_findings(runtime: Runtime, kind: ClaimKind, claim: AnyClaim) -> list[Finding]:
    """What else is wrong with a claim of which it is not known to whom, or as what, it goes: judged as any payer's, as a test."""
    filled = addressed(claim, _NOBODY, _NOBODY, _NOBODY, _NOBODY)
    judged = await _judged(runtime, kind, filled, _NOBODY, Treatment(_NOBODY, _NOBODY, "T"))
    return judged.findings


async def _judged(
    runtime: Runtime, kind: ClaimKind, filled: AnyClaim, number: str, treatment: Treatment
) -> JudgedClaim:
    header = Header("0001", number, *dated(runtime.world.micros()))
    today = runtime.world.now().date()
    told = msgspec.json.encode(filled)
    return await runtime.judges.call(judged_claim, kind.x12.name, told, header, today, treatment)


def _content(runtime: Runtime, made: Submission) -> Content | None:
    """What the claim is found again by; None where too little is told to compare it."""
    claim = made.claim
    if not claim.sameness:
        return None
    return Content.of(runtime.vault, TENANT, claim.sameness, claim.frequency, claim.original)


async def repeated_before(tx: Transaction, runtime: Runtime, claims: Sequence[Submission]) -> dict[str, str]:
    """Of claims that are the same as one before, in the ledger or among themselves: their id, and that of the one before."""
    found: dict[str, str] = {}
    here: list[tuple[str, Content]] = []
    by_hash: dict[bytes, list[int]] = {}
    for made in claims:
        content = _content(runtime, made)
        if content is None or made.payer.repeated_claims == "allow":
            continue
        same = by_hash.setdefault(content.hash, [])
        among = next((here[i][0] for i in reversed(same) if content.repeats(here[i][1])), None)
        before = among or await repeats.earlier(tx, TENANT, content)
        if before is not None:
            found[made.transaction_id] = before
        same.append(len(here))
        here.append((made.transaction_id, content))
    return found


async def commit_claims(tx: Transaction, runtime: Runtime, claims: Sequence[Submission]) -> None:
    """Keep claims and the work that sends them."""
    now, trace = runtime.world.micros(), tracing.current()
    kept: list[tuple[str, Content]] = []
    for made in claims:
        claim = made.claim
        content = CANONICAL.segment.join(claim.segments).encode()
        await payloads.store(tx, runtime.vault, TENANT, made.transaction_id, "claim", content, now)
        subject = transactions.Transaction(
            TENANT,
            made.transaction_id,
            "claim",
            "accepted",
            made.route.id,
            made.payer.id,
            made.usage,
            now,
            now,
            request_id=made.transaction_id,
            traceparent=trace,
            claim_kind=made.kind.x12.name,
        )
        repeats_one = made.repeats
        fact = WasRepeated(repeats_one.transaction_id, made.allowed_by) if repeats_one is not None else None
        await transactions.insert(tx, subject, fact)
        found_by: dict[search.Scope, str | None] = {
            "claim_number": made.claim_number,
            "patient_control_number": claim.number,
            "member_id": claim.member,
        }
        await search.add(tx, runtime.vault, TENANT, made.transaction_id, found_by)
        if claim.frequency in (repeats.REPLACEMENT, repeats.VOID):
            await _adopt(tx, runtime, made)
        same = _content(runtime, made)
        if same is not None:
            kept.append((made.transaction_id, same))
    await repeats.add(tx, TENANT, kept)
    for route in {made.route.id: made.route for made in claims}.values():
        run_at = to_micros(leaves_at(route.cut_offs, from_micros(now), route.batch_window_seconds))
        await work.enqueue(tx, TENANT, runtime.world.new_id(), "batch", route.id, now, run_at)


async def _adopt(tx: Transaction, runtime: Runtime, made: Submission) -> None:
    """Make a replacement one more submission of the claim that it replaces, where that is one of ours and no other can be meant."""
    numbers: tuple[tuple[search.Scope, str | None], ...] = (
        ("payer_control_number", made.claim.original),
        ("patient_control_number", made.claim.number),
    )
    for scope, number in numbers:
        found = await search.find(tx, runtime.vault, TENANT, scope, number) if number else []
        earlier = [await transactions.get(tx, TENANT, i) for i in found if i != made.transaction_id]
        # A payer's number is its own, and may be another claim's elsewhere.
        claims = {t.parent_id or t.transaction_id for t in earlier if t.kind == "claim" and t.payer_id == made.payer.id}
        if len(claims) == 1:
            await claim_list.adopt(tx, TENANT, made.transaction_id, claims.pop())
            return


async def claim_of(tx: Transaction, runtime: Runtime, subject: transactions.Transaction) -> list[str]:
    """The canonical segments that a claim is kept as."""
    content = await payloads.load(tx, runtime.vault, subject.tenant_id, subject.request_id or "")
    return content.decode().split(CANONICAL.segment)


def allowance(payer: Payer, allowed: bool) -> tuple[bool, Literal["caller", "payer"]]:
    """Whether a claim that repeats one is refused, and who lets it pass where it is not."""
    return payer.repeated_claims == "refuse" and not allowed, "caller" if allowed else "payer"


def marked(found: Mapping[str, str], claims: Sequence[Submission], allowed: bool) -> dict[str, Repeated]:
    """The claims that repeat one, by their ids, each refused or let pass as its payer and its caller want it."""
    return {
        made.transaction_id: Repeated(found[made.transaction_id], allowance(made.payer, allowed)[0])
        for made in claims
        if made.transaction_id in found
    }

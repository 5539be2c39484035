"""Claims taken in: judged against guide and edits, given their number, and kept before the caller is told.

A claim is kept as a transaction set of its own in canonical separators; `steps.batch` puts such sets together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from gateway.claim_kinds import CLAIM_KINDS, AnyClaim, ClaimKind, addressed
from gateway.envelopes import claim_number, reference
from gateway.hours import leaves_at
from gateway.ledger import claim_list, payloads, search, transactions
from gateway.payers import Payer, Route
from gateway.runtime import TENANT, Runtime
from gateway.scrubbing import scrub
from gateway.world import dated, from_micros, to_micros
from observability import tracing
from queues import work
from queues.database import Transaction
from x12.batch import with_reference
from x12.discreet import Discreet
from x12.documents.parts import Header
from x12.finding import Finding
from x12.syntax import CANONICAL

__all__ = ["Submission", "claim_of", "commit_claims", "prepare_claim", "prepare_segments", "replaces"]


class Submission(Discreet):
    """A claim on its way in: what it is kept as, what is wrong with it, and what it can be found by."""

    kind: ClaimKind
    transaction_id: str
    claim_number: str
    payer: Payer
    route: Route
    segments: list[str]
    claim: AnyClaim
    findings: list[Finding]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)

    @property
    def patient_control_number(self) -> str | None:
        information = self.claim.claim_information
        return information.patient_control_number if information is not None else None


def _today(runtime: Runtime) -> date:
    return runtime.world.now().date()


def judged_claim(kind: str, told: bytes, header: Header, today: date, usage: str) -> tuple[list[str], list[Finding]]:
    """The segments of a claim in JSON, and everything that guide and edits find wrong with it. `kind` is 837P, 837I or 837D."""
    claim = msgspec.json.decode(told, type=CLAIM_KINDS[kind].type)
    written = CLAIM_KINDS[kind].x12.write(claim, header)
    return written.segments, [*written.findings, *scrub(claim, today, usage)]


async def prepare_claim(runtime: Runtime, payer: Payer, kind: ClaimKind, claim: AnyClaim) -> Submission:
    """A claim out of the dialect's JSON, the envelope's parties filled in where the caller left them open."""
    route = runtime.directory.route(payer)
    transaction_id = runtime.world.new_id()
    filled = addressed(claim, payer.id, payer.name, route.sender_id, route.receiver_id)
    header = Header("0001", reference(transaction_id), *dated(runtime.world.micros()))
    segments, findings = await runtime.judges.call(
        judged_claim, kind.x12.name, msgspec.json.encode(filled), header, _today(runtime), route.usage
    )
    return _submission(runtime, transaction_id, payer, kind, segments, claim, findings)


def prepare_segments(
    runtime: Runtime, payer: Payer, kind: ClaimKind, segments: list[str], claim: AnyClaim
) -> Submission:
    """A claim out of clean X12: its canonical segments with what they read as."""
    findings = scrub(claim, _today(runtime), runtime.directory.route(payer).usage)
    return _submission(runtime, runtime.world.new_id(), payer, kind, segments, claim, findings)


def _submission(
    runtime: Runtime,
    transaction_id: str,
    payer: Payer,
    kind: ClaimKind,
    segments: list[str],
    claim: AnyClaim,
    findings: list[Finding],
) -> Submission:
    number, route = claim_number(transaction_id), runtime.directory.route(payer)
    made = Submission(kind, transaction_id, number, payer, route, segments, claim, findings)
    if made.accepted:
        # The clearinghouse's own number (REF*D9) is what the payer's acknowledgements are matched by.
        made.segments = with_reference(segments, "D9", number)
    return made


async def commit_claims(tx: Transaction, runtime: Runtime, claims: Sequence[Submission]) -> None:
    """Keep claims and the work that sends them."""
    now, trace = runtime.world.micros(), tracing.current()
    for made in claims:
        content = CANONICAL.segment.join(made.segments).encode()
        await payloads.store(tx, runtime.vault, TENANT, made.transaction_id, "claim", content, now)
        subject = transactions.Transaction(
            TENANT,
            made.transaction_id,
            "claim",
            "accepted",
            made.route.id,
            made.payer.id,
            made.route.usage,
            now,
            now,
            request_id=made.transaction_id,
            traceparent=trace,
        )
        await transactions.insert(tx, subject)
        subscriber = made.claim.subscriber
        member_id = subscriber.member_id if subscriber else None
        found_by: dict[search.Scope, str | None] = {
            "claim_number": made.claim_number,
            "patient_control_number": made.patient_control_number,
            "member_id": member_id,
        }
        await search.add(tx, runtime.vault, TENANT, made.transaction_id, found_by)
        if replaces(made.claim):
            await _adopt(tx, runtime, made)
    for route in {made.route.id: made.route for made in claims}.values():
        run_at = to_micros(leaves_at(route.cut_offs, from_micros(now), route.batch_window_seconds))
        await work.enqueue(tx, TENANT, runtime.world.new_id(), "batch", route.id, now, run_at)


def replaces(claim: AnyClaim) -> bool:
    """Whether a claim replaces or cancels an earlier one (CLM05-3)."""
    information = claim.claim_information
    return information is not None and information.claim_frequency_code in ("7", "8")


async def _adopt(tx: Transaction, runtime: Runtime, made: Submission) -> None:
    """Make a replacement one more submission of the claim that it replaces, where that is one of ours and no other can be meant."""
    information = made.claim.claim_information
    supplement = information.claim_supplemental_information if information is not None else None
    numbers: tuple[tuple[search.Scope, str | None], ...] = (
        ("payer_control_number", supplement.claim_control_number if supplement is not None else None),
        ("patient_control_number", made.patient_control_number),
    )
    for scope, number in numbers:
        found = await search.find(tx, runtime.vault, TENANT, scope, number) if number else []
        earlier = [await transactions.get(tx, TENANT, i) for i in found if i != made.transaction_id]
        claims = {t.parent_id or t.transaction_id for t in earlier if t.kind == "claim"}
        if len(claims) == 1:
            await claim_list.adopt(tx, TENANT, made.transaction_id, claims.pop())
            return


async def claim_of(tx: Transaction, runtime: Runtime, subject: transactions.Transaction) -> list[str]:
    """The canonical segments that a claim is kept as."""
    content = await payloads.load(tx, runtime.vault, subject.tenant_id, subject.request_id or "")
    return content.decode().split(CANONICAL.segment)

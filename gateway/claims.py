"""The intake of claims: from JSON or raw X12 to what is kept, and to what the caller is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.claim_kinds import AnyClaim, ClaimKind, kind_for, line_number, lines_of, read_claims
from gateway.ledger import inbound
from gateway.messages import (
    ClaimMeta,
    ClaimPayer,
    ClaimReference,
    ClaimResponse,
    LineReference,
    error_items,
)
from gateway.payers import UnknownPayer
from gateway.replies import Reply, envelope_findings
from gateway.runtime import TENANT, Runtime
from gateway.submissions import Submission, commit_claims, prepare_claim, prepare_segments
from gateway.world import dated
from observability import tracing
from queues.database import Transaction
from x12.acknowledge import acknowledgement, addressed
from x12.batch import claims_of
from x12.documents.lenient import decode
from x12.envelope import Interchange, TransactionSet, read
from x12.finding import Finding
from x12.syntax import CANONICAL, choose_delimiters, reserved_findings, translate

__all__ = ["Claims", "Duplicate", "Intake"]

_SUCCESS, _ERROR = "SUCCESS", "ERROR"


@dataclass
class Intake:
    """Claims that came in together: those that are good, everything wrong with the rest, and the reply so far."""

    submissions: list[Submission]
    findings: list[Finding]
    reply: Reply
    # The interchanges they came in, where they came as X12: the very same again is a duplicate, not new claims.
    received: list[Interchange] = field(default_factory=list[Interchange])

    @property
    def accepted(self) -> bool:
        return bool(self.submissions)


class Duplicate(Exception):
    """An interchange that was submitted before; nothing of the file may be kept."""

    def __init__(self, interchange: Interchange) -> None:
        super().__init__("the interchange was submitted before")
        self.interchange = interchange


class Claims:
    """Judges claims and takes them in."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def prepare(self, kind: ClaimKind, body: bytes) -> Intake:
        """One claim out of the dialect's JSON, judged by guide and edits, every finding at once with its field path."""
        claim, findings = decode(kind.type, body)
        if claim is None:
            return self._refused(findings, None, None)
        try:
            payer = self.runtime.directory.find(claim.trading_partner_service_id or "", f"{kind.name}_claim")
        except UnknownPayer as error:
            path = "tradingPartnerServiceId"
            return self._refused([Finding(1, "element", "79", f"{path}: {error}.", path=path)], claim, None)
        made = await prepare_claim(self.runtime, payer, kind, claim)
        if not made.accepted:
            return self._refused(made.findings, claim, made)
        return Intake([made], made.findings, self._accepted([made], made.findings, None))

    def prepare_x12(self, kind: ClaimKind, content: bytes) -> Intake:
        """Every claim of this kind in a file, those of good sets apart from those of bad ones and of other kinds."""
        # A set is refused for its syntax and against its guide; the rest is judged claim by claim.
        received = read(content, levels=(1, 2))
        findings = envelope_findings(received)
        for one in (s for i in received for s in i.sets):
            if kind_for(one) is not kind:
                # Their 999 must not say that they were taken.
                one.findings.insert(0, _elsewhere(kind, kind_for(one)))
        acknowledged = self.acknowledgement(received)
        if findings or not any(i.sets for i in received):
            findings = findings or [Finding(1, "file", "", "Here is no X12: send an interchange that begins with ISA.")]
            return self._refused(findings, None, None, acknowledged)
        good: list[Submission] = []
        for one in (s for i in received for s in i.sets):
            if kind_for(one) is not kind:
                findings.append(one.findings[0])
            elif not one.accepted:
                findings += [f for f in one.findings if f.severity == "error"]
            else:
                good += self._claims(kind, one, findings)
        if not good:
            return self._refused(findings, None, None, acknowledged)
        return Intake(good, findings, self._accepted(good, findings, acknowledged), received)

    def _claims(self, kind: ClaimKind, received: TransactionSet, findings: list[Finding]) -> list[Submission]:
        """The claims of a good set, those that the edits fault aside."""
        root = received.tree()
        good: list[Submission] = []
        for segments, claim in zip(claims_of(received), read_claims(kind, root), strict=True):
            try:
                payer = self.runtime.directory.for_x12(claim.trading_partner_service_id or "", f"{kind.name}_claim")
            except UnknownPayer as error:
                findings.append(
                    Finding(1, "element", "79", f"2010BB NM109: {error}.", loop="2010BB", segment="NM1", element=9)
                )
                continue
            made = prepare_segments(self.runtime, payer, kind, segments, claim)
            made.findings += reserved_findings(made.segments)
            findings += made.findings
            if made.accepted:
                good.append(made)
        return good

    async def take(self, tx: Transaction, intake: Intake) -> Reply:
        """Keep the claims; the reply is true once this transaction is. Duplicate when the file came before."""
        now = self.runtime.world.micros()
        for one in intake.received:
            content = _digest(one)
            name = f"{one.elements[4]}|{one.sender}|{one.control_number}|{content}"
            key = self.runtime.vault.index(TENANT, "submitted", name)
            if await inbound.claim_effect(tx, TENANT, "submitted", key, content, "", now) is not None:
                raise Duplicate(one)
        await commit_claims(tx, self.runtime, intake.submissions)
        return intake.reply

    def acknowledgement(self, received: Sequence[Interchange]) -> str | None:
        """TA1 and 999 for what came in, one interchange for each received one; None for what was none at all."""
        date, hour = dated(self.runtime.world.micros())
        answers: list[str] = []
        for number, one in enumerate((i for i in received if i.elements[5]), 1):
            answers.append(acknowledgement(one, addressed(one, date[2:], hour, number), number))
        return "".join(answers) or None

    def duplicate(self, interchange: Interchange) -> Reply:
        """What a file is told whose very interchange came before: nothing of it is taken again (TA1 025)."""
        message = (
            "This interchange was submitted before, with the same sender, ISA13 and content: nothing was taken again."
        )
        finding = Finding(1, "interchange", "025", message, segment="ISA", element=13)
        interchange.findings.append(finding)
        return self._refused([finding], None, None, self.acknowledgement([interchange])).reply

    def _refused(
        self,
        findings: Sequence[Finding],
        claim: AnyClaim | None,
        made: Submission | None,
        acknowledged: str | None = None,
    ) -> Intake:
        response = ClaimResponse(
            status=_ERROR,
            control_number=claim.control_number if claim else None,
            trading_partner_service_id=claim.trading_partner_service_id if claim and made else None,
            meta=ClaimMeta(trace_id=tracing.current_trace_id() or None),
            edit_status=_ERROR,
            errors=error_items(findings),
            warnings=error_items(findings, "warning"),
            http_status_code="400 BAD_REQUEST",
            x12=acknowledged,
        )
        return Intake([], list(findings), Reply(400, msgspec.json.encode(response)))

    def _accepted(self, good: Sequence[Submission], findings: Sequence[Finding], acknowledged: str | None) -> Reply:
        first = good[0]
        references = [self._reference(made) for made in good]
        response = ClaimResponse(
            status=_SUCCESS,
            control_number=first.claim.control_number or first.claim_number,
            trading_partner_service_id=first.payer.id,
            claim_reference=references[0],
            claim_references=references if acknowledged is not None else None,
            meta=ClaimMeta(
                trace_id=first.transaction_id,
                application_mode="production" if first.route.usage == "P" else "test",
                submitter_id=first.route.sender_id,
            ),
            edit_status=_SUCCESS,
            payer=ClaimPayer(payer_name=first.payer.name, payer_id=first.payer.id, payer_id_too=first.payer.id),
            errors=error_items(findings),
            warnings=error_items(findings, "warning"),
            http_status_code="200 OK",
            x12=acknowledged or self._preview(first),
        )
        return Reply(200, msgspec.json.encode(response), first.transaction_id)

    def _preview(self, made: Submission) -> str:
        """The transaction set that the claim is kept as, readable; its envelope is built when it is sent."""
        text = CANONICAL.segment.join(made.segments) + CANONICAL.segment
        return translate(text, CANONICAL, choose_delimiters(text))

    def _reference(self, made: Submission) -> ClaimReference:
        return ClaimReference(
            correlation_id=made.transaction_id,
            submitter_id=made.route.sender_id,
            customer_claim_number=made.transaction_id,
            patient_control_number=made.patient_control_number,
            time_of_response=self.runtime.world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            claim_type=made.kind.claim_type,
            format_version="5010",
            rhclaim_number=made.claim_number,
            payer_id=made.payer.id,
            payer_id_too=made.payer.id,
            service_lines=[LineReference(line_item_control_number=line_number(one)) for one in lines_of(made.claim)]
            or None,
        )


def _elsewhere(kind: ClaimKind, other: ClaimKind | None) -> Finding:
    """What is said of a transaction set that this path does not take: which does, or what is taken here."""
    if other is None:
        message = f"Send 837 transaction sets of {kind.x12.guide_id} here: these are {kind.name} claims."
    else:
        message = (
            f"Here are {other.name} claims ({other.x12.guide_id}), and this path takes {kind.name} claims"
            f" ({kind.x12.guide_id}): send them to {other.path}/raw-x12-submission."
        )
    return Finding(1, "set", "1", message)


def _digest(interchange: Interchange) -> str:
    lines = (s for one in interchange.sets for s in one.segments)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

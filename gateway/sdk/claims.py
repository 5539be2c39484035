"""What the official SDK asks of claims: submit and validate a CMS-1500, list, read, and tell what happened.

A submission is a transaction; a claim is its first submission, and those that replace or cancel it are submissions of the same
claim. What is told of a claim is read from the X12 that is kept, so it is the same for claims that came in any other way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from gateway.claim_files import REPEATED_CLAIM, Repeated, repetition
from gateway.claim_kinds import DENTAL, INSTITUTIONAL, PROFESSIONAL, AnyClaim, convention_of, kept_claim, span_of
from gateway.claim_reports import OURSELVES, Addressed, EditReport, edit_report
from gateway.claims import CameBefore
from gateway.identities import part_of, ulid
from gateway.ledger import claim_list, payloads, search, transactions
from gateway.ledger.claim_list import ListedClaim, Payment
from gateway.ledger.transactions import Event
from gateway.lifecycle import ClaimAcknowledged, Posted
from gateway.payers import UnknownPayer
from gateway.runtime import TENANT, Runtime
from gateway.sdk import records
from gateway.sdk.claim_form import claim_of_form, form_of_claim, told_of_form
from gateway.sdk.parts import SdkPartialPersonName
from gateway.sdk.translation import iso_day
from gateway.sdk.words import PAYMENT_STATUS
from gateway.submissions import Submission, allowance, claim_of, commit_claims, prepare_claim, repeated_before
from gateway.views import moment
from gateway.world import dated
from gateway.x12_answers import Answering
from queues import numbers
from queues.database import Transaction
from x12.discreet import Discreet
from x12.documents.professional_claim import ProfessionalClaim
from x12.finding import Finding
from x12.syntax import CANONICAL

__all__ = ["ClaimFilter", "SdkClaims", "payer_code"]

# Of the control numbers of our own reports.
_SERIES = "reports"
_TYPES = {PROFESSIONAL.name: "PROFESSIONAL", INSTITUTIONAL.name: "INSTITUTIONAL", DENTAL.name: "DENTAL"}


class ClaimFilter(msgspec.Struct, frozen=True):
    """Which claims are asked for. Times are microseconds."""

    statuses: list[str] = []
    patient_control_numbers: list[str] | None = None
    after: int | None = None
    before: int | None = None


class Facts(msgspec.Struct, frozen=True):
    """What a list tells of a claim."""

    type: str
    patient_control_number: str
    charge: str
    patient: SdkPartialPersonName | None = None
    dates: records.ServiceDates | None = None

    def __repr__(self) -> str:
        return "<Facts>"


class Moment(msgspec.Struct, frozen=True):
    """A place in a timeline, newest first."""

    at: int
    submission: int
    sequence: int


class Weighed(Discreet):
    """A submission, the transaction that it is the same as, and where it is rejected the report that says why, under this id."""

    made: Submission
    before: str | None
    report_id: str | None = None
    report: EditReport | None = None


def money(text: str | None) -> str:
    """An amount with two places; 0.00 for what is none."""
    try:
        return f"{Decimal(text or '0'):.2f}"
    except InvalidOperation:
        return "0.00"


def _facts(claim: AnyClaim, kind: str) -> Facts:
    information = claim.claim_information
    patient = claim.dependent or claim.subscriber
    name = (
        SdkPartialPersonName(
            first_name=patient.first_name,
            middle_name=patient.middle_name,
            last_name=patient.last_name,
            suffix=patient.suffix,
        )
        if patient is not None
        else None
    )
    first, last = (iso_day(day) for day in span_of(claim))
    return Facts(
        _TYPES[kind],
        (information.patient_control_number if information else None) or "",
        money(information.claim_charge_amount if information else None),
        name if name != SdkPartialPersonName() else None,
        records.ServiceDates(start=first, end=last if last != first else None) if first else None,
    )


def facts_of(kept: Sequence[str]) -> list[Facts]:
    """What a list tells of claims, out of the text that each is kept as. Pure: for judges."""
    found: list[Facts] = []
    for text in kept:
        segments = text.split(CANONICAL.segment)
        convention = convention_of(segments)
        kinds = (PROFESSIONAL, INSTITUTIONAL, DENTAL)
        kind = next(k for k in kinds if k.x12.guide_id[:10] == convention[:10])
        found.append(_facts(kept_claim(segments), kind.name))
    return found


def payer_code(runtime: Runtime, payer_id: str) -> str | None:
    """The `stediPayerId` of a payer, the `stediId` of the directory; None where the payer is there no more."""
    payer = runtime.directory.payers.get(payer_id)
    return payer.hosted_id if payer is not None else None


def _fact_of(status: str) -> str:
    """A0 and A1 say received, A2 accepted."""
    return {"A0": "RECEIVED", "A1": "RECEIVED", "A2": "ACCEPTED"}.get(status.partition(":")[0], "INVALID")


def acknowledged(event: Event) -> str | None:
    """What an event says of a claim before adjudication; None where it says nothing of it."""
    data = event.data
    if event.kind == "refused" or (event.kind == "acknowledged" and not data.get("accepted")):
        return "REJECTED"
    if event.kind != "claimAcknowledged":
        return None
    if not data.get("accepted"):
        return "REJECTED"
    said = [_fact_of(status) for status in data.get("statuses") or ()]
    return next((one for one in ("ACCEPTED", "RECEIVED") if one in said), "INVALID")


class SdkClaims:
    """Claims for clients of the official SDK."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- submitting -----------------------------------------------------------------------------------------------

    async def prepare(self, body: bytes) -> tuple[Submission | None, list[Finding]]:
        """A submission out of a CMS-1500, or why it is none: everything that is no claim at all, under paths in the form."""
        said, findings = claim_of_form(body)
        if said is None:
            return None, findings
        claim = msgspec.convert(said, ProfessionalClaim)
        try:
            payer = self.runtime.directory.find(claim.trading_partner_service_id or "")
        except UnknownPayer as error:
            return None, [Finding(1, "element", "79", f"payer.id: {error}.", path="payer.id")]
        made = await prepare_claim(self.runtime, payer, PROFESSIONAL, claim)
        wrong = [f for f in made.claim.findings if f.severity == "error" and f.level in (1, 2)]
        return (None if wrong else made), [told(f) for f in wrong]

    async def weighed(self, made: Submission, *, allowed: bool, kept: bool = True) -> Weighed:
        """The submission with what came before it, which the caller may want `allowed`; with a report where it is rejected and `kept`."""
        runtime, claim = self.runtime, made.claim
        before = (await runtime.database.read(lambda tx: repeated_before(tx, runtime, [made]))).get(made.transaction_id)
        claim.findings, made.repeats = [f for f in claim.findings if f.rule != REPEATED_CLAIM], None
        if before is not None:
            refused, made.allowed_by = allowance(made.payer, allowed)
            repeated = Repeated(before, refused)
            made.repeats = None if refused else repeated
            claim.findings.append(repetition(repeated))
        report_id = None if claim.accepted or not kept else runtime.world.new_id()
        return Weighed(made, before, report_id, await self._report(made, report_id) if report_id else None)

    async def _report(self, made: Submission, report_id: str) -> EditReport:
        """The 277CA that says why a submission is rejected."""
        runtime, route = self.runtime, made.route
        number = await runtime.database.write(lambda tx: numbers.mint(tx, TENANT, _SERIES))
        addressed = Addressed(route.sender_qualifier, route.sender_id, made.usage, number, report_id)
        answering = Answering(*dated(runtime.world.micros()))
        claim, guide_id = made.claim, made.kind.x12.guide_id
        return await runtime.judges.call(
            edit_report, claim.segments, claim.findings, made.claim_number, guide_id, addressed, answering
        )

    def faults(self, made: Submission) -> list[records.EditFault]:
        """What edits find wrong with a claim that could be read."""
        errors = (told(f) for f in made.claim.findings if f.severity == "error")
        return [records.EditFault(description=f.message) for f in errors]

    async def take(self, tx: Transaction, weighed: Weighed) -> records.Taken:
        """Keep a submission: on its way, or as rejected with a report; CameBefore where another claim came before it meanwhile."""
        runtime, made = self.runtime, weighed.made
        found = await repeated_before(tx, runtime, [made])
        if found.get(made.transaction_id) != weighed.before:
            raise CameBefore(found, [])
        await commit_claims(tx, runtime, [made])
        subject = await transactions.get(tx, TENANT, made.transaction_id)
        if weighed.report is not None:
            await self._rejected(tx, subject, weighed.report_id or "", weighed.report)
        return records.Taken(
            claim_id=ulid("clm_", subject.parent_id or subject.transaction_id),
            submission_id=ulid("sbm_", subject.transaction_id),
            errors=self.faults(made) or None,
        )

    async def _rejected(
        self, tx: Transaction, subject: transactions.Transaction, report_id: str, report: EditReport
    ) -> None:
        """Keep the report beside the claim that it is about, as one that a payer sent: the mailbox and polling show both."""
        runtime, now = self.runtime, self.runtime.world.micros()
        profile, content_id = runtime.profile(subject.payer_id), runtime.world.new_id()
        await payloads.store(tx, runtime.vault, TENANT, content_id, "report", report.content, now)
        await payloads.store(tx, runtime.vault, TENANT, report_id, "answer", report.answer, now)
        told = transactions.Transaction(
            TENANT, report_id, "claim_report", "stored", subject.route_id, subject.payer_id, subject.usage, now, now,
            request_id=content_id, answer_id=report_id, traceparent=subject.traceparent,
        )  # fmt: skip
        await transactions.insert(tx, told)
        await transactions.apply(tx, told, Posted(1, 0), profile, now)
        rejected = ClaimAcknowledged(False, report.statuses, report_id, "clearinghouse")
        await transactions.apply(tx, subject, rejected, profile, now)

    async def submission(self, submission_id: str) -> dict[str, Any] | None:
        """A professional submission as a CMS-1500; None where there is no such one."""

        async def body(tx: Transaction) -> tuple[transactions.Transaction, list[str]] | None:
            try:
                subject = await transactions.get(tx, TENANT, submission_id)
            except transactions.Unknown:
                return None
            return (subject, await claim_of(tx, self.runtime, subject)) if subject.kind == "claim" else None

        found = await self.runtime.database.read(body)
        if found is None:
            return None
        subject, segments = found
        claim = kept_claim(segments)
        if not isinstance(claim, ProfessionalClaim):
            return None
        told: dict[str, Any] = {
            "claimId": ulid("clm_", subject.parent_id or subject.transaction_id),
            "submissionId": ulid("sbm_", subject.transaction_id),
            "processedAt": moment(subject.created_at),
            "data": form_of_claim(claim),
        }
        code = payer_code(self.runtime, subject.payer_id)
        return told | ({"stediPayerId": code} if code else {})

    # --- reading --------------------------------------------------------------------------------------------------

    async def _facts(self, kept: Sequence[str]) -> list[Facts]:
        return await self.runtime.judges.call(facts_of, list(kept)) if kept else []

    async def _kept(self, tx: Transaction, subject: transactions.Transaction) -> str:
        return (await payloads.load(tx, self.runtime.vault, TENANT, subject.request_id or "")).decode()

    async def list(
        self, asked: ClaimFilter, before: int | None, limit: int
    ) -> tuple[list[records.ClaimSummary], int | None]:
        """Claims, newest first, behind a position; and where the next page begins, if there is one."""
        runtime = self.runtime

        async def body(tx: Transaction) -> list[ListedClaim]:
            among: list[str] | None = None
            if asked.patient_control_numbers is not None:
                found = [
                    await search.find(tx, runtime.vault, TENANT, "patient_control_number", number)
                    for number in asked.patient_control_numbers
                ]
                among = [one for ids in found for one in ids]
                if not among:
                    return []
            return await claim_list.page(
                tx, TENANT, before, limit + 1, asked.statuses, among, asked.after, asked.before
            )

        listed = await runtime.database.read(body)
        summaries = await self._summaries(listed[:limit])
        return summaries, listed[limit - 1].position if len(listed) > limit else None

    async def claim(self, claim_id: str) -> records.ClaimSummary | None:
        """One claim; None where there is no such one."""
        listed = await self.runtime.database.read(lambda tx: claim_list.newest(tx, TENANT, claim_id))
        return (await self._summaries([listed]))[0] if listed is not None else None

    async def _summaries(self, listed: Sequence[ListedClaim]) -> list[records.ClaimSummary]:
        async def body(tx: Transaction) -> list[tuple[transactions.Transaction, str, dict[int, Payment]]]:
            return [await self._told(tx, one.submission_id) for one in listed]

        found = await self.runtime.database.read(body)
        facts = await self._facts([kept for _, kept, _ in found])
        return [
            self._summary(one, subject, fact, paid)
            for one, (subject, _, paid), fact in zip(listed, found, facts, strict=True)
        ]

    async def _told(
        self, tx: Transaction, submission_id: str
    ) -> tuple[transactions.Transaction, str, dict[int, Payment]]:
        subject = await transactions.get(tx, TENANT, submission_id)
        paid = await claim_list.payments(tx, self.runtime.vault, TENANT, submission_id)
        return subject, await self._kept(tx, subject), paid

    def _summary(
        self, listed: ListedClaim, subject: transactions.Transaction, facts: Facts, paid: dict[int, Payment]
    ) -> records.ClaimSummary:
        total = f"{sum((Decimal(p.paid) for p in paid.values()), Decimal(0)):.2f}"
        return records.ClaimSummary(
            id=ulid("clm_", listed.claim_id),
            stedi_payer_id=payer_code(self.runtime, subject.payer_id),
            patient_control_number=facts.patient_control_number,
            patient_name=facts.patient,
            status=listed.status,
            status_reported_by="CLEARINGHOUSE" if listed.by_clearinghouse else "PAYER",
            type=facts.type,
            total_claim_charge_amount=facts.charge,
            total_claim_paid_amount=total if paid else None,
            dates_of_service=facts.dates,
            submitted_at=moment(subject.created_at) or "",
        )

    # --- the timeline -----------------------------------------------------------------------------------------------

    async def timeline(
        self, claim_id: str, before: Moment | None, limit: int
    ) -> tuple[list[records.TimelineItem], Moment | None] | None:
        """What happened to a claim, newest first, behind a place; None where there is no such claim."""

        async def body(tx: Transaction) -> list[tuple[Moment, Callable[[Facts], records.TimelineItem], str]] | None:
            found = await claim_list.submissions(tx, TENANT, claim_id)
            if not found:
                return None
            told = [one for n, subject in enumerate(found) for one in await self._happened(tx, n, subject)]
            return sorted(told, key=lambda one: (one[0].at, one[0].submission, one[0].sequence), reverse=True)

        told = await self.runtime.database.read(body)
        if told is None:
            return None
        behind = [one for one in told if before is None or _place(one[0]) < _place(before)]
        page = behind[:limit]
        texts = list(dict.fromkeys(kept for _, _, kept in page))
        facts = dict(zip(texts, await self._facts(texts), strict=True))
        items = [make(facts[kept]) for _, make, kept in page]
        return items, page[-1][0] if len(behind) > limit else None

    async def _happened(
        self, tx: Transaction, number: int, subject: transactions.Transaction
    ) -> list[tuple[Moment, Callable[[Facts], records.TimelineItem], str]]:
        """The items of one submission, each made when what the claim says is known."""
        kept = await self._kept(tx, subject)
        paid = await claim_list.payments(tx, self.runtime.vault, TENANT, subject.transaction_id)
        told: list[tuple[Moment, Callable[[Facts], records.TimelineItem], str]] = [
            (Moment(subject.created_at, number, 0), lambda facts: self._submitted(subject, facts), kept)
        ]
        for event in await transactions.events(tx, TENANT, subject.transaction_id):
            item = await self._item(tx, subject, event, paid.get(event.sequence))
            if item is not None:
                told.append((Moment(event.at, number, event.sequence), lambda _, item=item: item, kept))
        return told

    def _submitted(self, subject: transactions.Transaction, facts: Facts) -> records.TimelineItem:
        summary = records.SubmissionSummary(
            id=ulid("sbm_", subject.transaction_id),
            stedi_payer_id=payer_code(self.runtime, subject.payer_id),
            patient_control_number=facts.patient_control_number,
            patient_name=facts.patient,
            total_claim_charge_amount=facts.charge,
            dates_of_service=facts.dates,
            processed_at=moment(subject.created_at) or "",
        )
        return msgspec.convert(
            {f"{facts.type.lower()}ClaimSubmission": msgspec.to_builtins(summary)}, records.TimelineItem
        )

    async def _item(
        self, tx: Transaction, subject: transactions.Transaction, event: Event, payment: Payment | None
    ) -> records.TimelineItem | None:
        at = moment(event.at) or ""
        status = acknowledged(event)
        if status is not None:
            by, name = await self._source(tx, subject, event)
            return records.TimelineItem(
                claim_acknowledgment=records.AcknowledgmentSummary(
                    id=part_of("ack_", subject.transaction_id, event.sequence, event.at),
                    status=status,
                    reported_by=by,
                    source_name=name,
                    processed_at=at,
                )
            )
        if payment is None:
            return None
        return records.TimelineItem(
            claim_payment_information=records.PaymentSummary(
                id=part_of("clp_", subject.transaction_id, event.sequence, event.at),
                status_code=PAYMENT_STATUS.back.get(payment.status, "PROCESSED_AS_PRIMARY"),
                total_claim_charge_amount=payment.charge,
                claim_payment_amount=payment.paid,
                patient_responsibility_amount=payment.patient_responsibility,
                check_or_eft_trace_number=payment.trace_number or None,
                processed_at=at,
            )
        )

    async def _source(self, tx: Transaction, subject: transactions.Transaction, event: Event) -> tuple[str, str]:
        """Who said it, and the name that the 277CA has for them."""
        by = "CLEARINGHOUSE" if event.data.get("source") == "clearinghouse" else "PAYER"
        report_id = event.data.get("reportId")
        if report_id:
            report = await transactions.get(tx, TENANT, report_id)
            content = await payloads.load(tx, self.runtime.vault, TENANT, report.answer_id or "")
            names = (payer.get("organizationName") for payer in _payers(msgspec.json.decode(content)))
            return by, next((name for name in names if name), subject.payer_id)
        if by == "CLEARINGHOUSE":
            return by, OURSELVES
        payer = self.runtime.directory.payers.get(subject.payer_id)
        return by, payer.name if payer is not None else subject.payer_id


def _payers(report: Any) -> list[dict[str, Any]]:
    return [payer for one in report.get("transactions") or () for payer in one.get("payers") or ()]


def _place(moment: Moment) -> tuple[int, int, int]:
    return moment.at, moment.submission, moment.sequence


def told(finding: Finding) -> Finding:
    """A finding of the dialect's claim in the names of the CMS-1500."""
    path, message = told_of_form(finding)
    return msgspec.structs.replace(finding, path=path, message=message)

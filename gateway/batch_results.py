"""What can be seen of batches of eligibility checks: how far each has come, where each check stands, the results as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.batch_messages import (
    BatchItem,
    BatchItemInfo,
    BatchItemPage,
    BatchList,
    BatchResultPage,
    BatchStatus,
    CheckInfo,
    CheckRefused,
    RetryRules,
    RetryRuleView,
    RetryStanding,
)
from gateway.inquiries import meta_of
from gateway.ledger import checks, payloads
from gateway.ledger.checks import Batch, Check, Counts
from gateway.messages import ErrorItem
from gateway.payers import Payer
from gateway.retry_rules import DEFAULTS, rule_for
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from queues.database import Transaction
from x12 import codes
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import decode
from x12.documents.parts import AAAError

__all__ = ["RESULTS", "STATES", "BatchResults"]

RESULTS = ("ACTIVE", "INACTIVE", "INVESTIGATE", "FAILED")
# The dialect's word -> ours. What waits or has been started is told apart by whether it was asked before.
STATES: Mapping[str, tuple[str, ...]] = {
    "PENDING": ("stored",),
    "VALIDATED": ("waiting",),
    "VALIDATION_FAILED": ("invalid",),
    "STARTED": ("started",),
    "RETRYING": ("waiting", "started"),
    "COMPLETED": ("completed",),
    "COMPLETED_WITH_ERRORS": ("failed", "cancelled"),
}
_CANCELLED = ErrorItem(
    code="80",
    description="The batch was cancelled before this check was answered.",
    followup_action="Resubmission Allowed",
)


class _Told(msgspec.Struct):
    """What of an answer is told with its check."""

    errors: list[msgspec.Raw] | None = None


def _state(check: Check) -> str:
    """Where a check stands, in the dialect's word."""
    # The attempt under way counts already.
    if check.state in ("waiting", "started") and check.tried > (1 if check.state == "started" else 0):
        return "RETRYING"
    return next(word for word, ours in STATES.items() if check.state in ours)


class BatchResults:
    """Views of batches."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def status(self, batch_id: str) -> BatchStatus | None:
        """How far a batch has come; None when there is none with this id."""

        async def body(tx: Transaction) -> BatchStatus | None:
            found = await checks.batch(tx, TENANT, batch_id)
            return _status(found, await checks.counts(tx, TENANT, batch_id)) if found is not None else None

        return await self.runtime.database.read(body)

    async def listed(self, before: int, limit: int) -> BatchList:
        """Batches that were taken before a time (microseconds), newest first."""

        async def body(tx: Transaction) -> BatchList:
            found = await checks.batches(tx, TENANT, before, limit)
            items = [_status(b, await checks.counts(tx, TENANT, b.batch_id)) for b in found]
            return BatchList(items=items, next_page_token=str(found[-1].created_at) if len(found) == limit else None)

        return await self.runtime.database.read(body)

    async def items(
        self, batch_id: str, after: int, limit: int, states: Sequence[str] = (), results: Sequence[str] = ()
    ) -> BatchItemPage | None:
        """Checks of a batch behind an index, whatever has become of them; None when there is no such batch."""
        ours = sorted({one for word in states for one in STATES[word]})

        async def body(tx: Transaction) -> tuple[list[tuple[Check, bytes, bytes | None]], str | None] | None:
            if await checks.batch(tx, TENANT, batch_id) is None:
                return None
            wanted: list[Check] = []
            behind, more = after, True
            while more and len(wanted) < limit:
                page = await checks.of_batch(tx, TENANT, batch_id, behind, limit, ours, results)
                more = len(page) == limit
                behind = page[-1].ordinal if page else behind
                wanted += [c for c in page if not states or _state(c) in states]
            token = str(wanted[limit - 1].ordinal) if len(wanted) >= limit else None
            return [(c, *await self._kept(tx, c)) for c in wanted[:limit]], token

        found = await self.runtime.database.read(body)
        if found is None:
            return None
        return BatchItemPage(items=[_item(*one) for one in found[0]], next_page_token=found[1])

    async def _kept(self, tx: Transaction, check: Check) -> tuple[bytes, bytes | None]:
        """The question and, where there is one, the result of a check."""
        vault = self.runtime.vault
        told = await payloads.load(tx, vault, TENANT, check.check_id)
        answer = await payloads.load(tx, vault, TENANT, check.answer_id) if check.answer_id is not None else None
        return told, answer

    async def results(self, after: int, limit: int, batch_id: str | None, since: int) -> BatchResultPage:
        """Results behind a position, in the order in which they came; of one batch, and later than `since`, where named."""

        async def body(tx: Transaction) -> list[tuple[Check, bytes, bytes | None]]:
            ended = await checks.ended_after(tx, TENANT, after, limit, batch_id, since)
            return [(c, *await self._kept(tx, c)) for c in ended]

        found = await self.runtime.database.read(body)
        token = str(found[-1][0].position) if found else None
        return BatchResultPage(
            items=[_result(c, told, a, self._usage(c)) for c, told, a in found], next_page_token=token
        )

    def _usage(self, check: Check) -> str | None:
        """Whether a check's route is for tests, where it is configured still."""
        route = self.runtime.directory.routes.get(check.route_id)
        return route.usage if route is not None else None

    def retry_rules(self, payer: Payer | None) -> RetryRules:
        """Which rejections are asked again, when and until when, with a payer or with all that have no rules of their own."""
        own = payer.eligibility_retries if payer is not None else ()
        views: list[RetryRuleView] = []
        for code, words in codes.table("reject_reason").items():
            rule = rule_for(own, code)
            source = "default" if rule is None or rule in DEFAULTS else "payer"
            if rule is None or rule.hours == 0:
                only = None if rule is not None else ["P"]
                views.append(
                    RetryRuleView(
                        code=code,
                        description=words,
                        asked_again=False,
                        only_if_followup_action=only,
                        source=source,
                    )
                )
                continue
            views.append(
                RetryRuleView(
                    code=code,
                    description=words,
                    asked_again=True,
                    only_if_followup_action=list(rule.only_if) or None,
                    first_after_minutes=rule.first_minutes,
                    at_most_every_minutes=max(rule.first_minutes, rule.longest_minutes),
                    until_hours=rule.hours,
                    source=source,
                )
            )
        return RetryRules(payer_id=payer.id if payer is not None else None, rules=views, otherwise=_OTHERWISE)


_OTHERWISE = (
    "A check is asked again only where each of its rejections allows that. Follow-up action P has it asked again whatever the code; "
    "S and Y have it wait for the payer's own answer. The batch's maxRetryHours ends it all. A payer that cannot be reached "
    "is tried again after one minute, then after twice as long, up to 15 minutes; a question without an answer after 2 minutes, likewise."
)


def _status(batch: Batch, counts: Counts) -> BatchStatus:
    open_, started = counts.of("stored", "waiting"), counts.of("started")
    wrong = counts.of("failed", "invalid", "cancelled")
    if open_ or started:
        begun = counts.of("started", "completed", "failed", "cancelled") or counts.untried < counts.of("waiting")
        status = "IN_PROGRESS" if begun else "VALIDATED"
    else:
        status = "COMPLETED_WITH_ERRORS" if wrong else "COMPLETED"
    return BatchStatus(
        id=batch.batch_id,
        name=batch.name,
        batch_type="ELIGIBILITY",
        source="API",
        status=status,
        created_at=moment(batch.created_at) or "",
        updated_at=moment(max(batch.updated_at, counts.updated_at)) or "",
        total_count=counts.total,
        validated_count=counts.untried,
        validation_failed_count=counts.of("invalid"),
        in_progress_count=open_ + started - counts.untried,
        success_count=counts.of("completed"),
        error_count=counts.of("failed"),
        cancelled_count=counts.of("cancelled"),
        max_retry_hours=batch.retry_hours,
        cancelled=True if batch.state == "cancelled" else None,
    )


def _item(check: Check, told: bytes, answer: bytes | None) -> BatchItem:
    asked = decode(EligibilityRequest, told)[0] or EligibilityRequest()
    said = msgspec.json.decode(answer, type=_Told) if answer is not None else _Told()
    completed = check.state == "completed"
    rejections = [msgspec.json.decode(e, type=AAAError) for e in said.errors or ()] if completed else []
    errors = [msgspec.json.decode(e, type=ErrorItem) for e in said.errors or ()] if not completed else None
    provider = asked.provider
    who = [provider.organization_name, provider.last_name] if provider is not None else []
    retry = RetryStanding(
        asked_count=check.asked,
        reason=check.reason or None,
        next_at=moment(check.due_at) if check.tried else None,
        until=moment(check.until),
    )
    info = CheckInfo(
        id=check.check_id,
        payer_id=check.payer_id or asked.trading_partner_service_id,
        submitter_transaction_identifier=asked.submitter_transaction_identifier,
        eligibility_check_result=check.result,
        aaa_errors=rejections,
        errors=[_CANCELLED] if check.state == "cancelled" else errors,
        provider_name=next((name for name in who if name), None),
        provider_npi=provider.npi if provider is not None else None,
        retry=retry if check.tried else None,
    )
    return BatchItem(
        batch_id=check.batch_id,
        index=check.ordinal,
        request_id=check.check_id,
        state=_state(check),
        created_at=moment(check.created_at) or "",
        updated_at=moment(check.updated_at) or "",
        additional_info=BatchItemInfo(eligibility=info),
    )


def _result(check: Check, told: bytes, answer: bytes | None, usage: str | None) -> dict[str, Any]:
    """The payer's answer, or why there is none, with what tells whose it is."""
    if answer is None:
        refused = CheckRefused(
            id=check.check_id,
            meta=meta_of(check.check_id, usage, check.route_id),
            status="ERROR",
            trading_partner_service_id=check.payer_id,
            errors=[_CANCELLED],
        )
        answer = msgspec.json.encode(refused)
    found = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
    asked = decode(EligibilityRequest, told)[0] or EligibilityRequest()
    found["batchId"] = msgspec.Raw(msgspec.json.encode(check.batch_id))
    if asked.submitter_transaction_identifier is not None:
        name = msgspec.json.encode(asked.submitter_transaction_identifier)
        found["submitterTransactionIdentifier"] = msgspec.Raw(name)
    return found  # pyright: ignore[reportReturnType]

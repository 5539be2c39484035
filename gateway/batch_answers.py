"""What becomes of a check of a batch: answered, to be asked again, or given up. Runs within the caller's transaction.

The worker that asked and the one that reads a late answer share these functions, so that a check ends the same way
whoever brings its answer home.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.batch_messages import CheckRefused
from gateway.inquiries import Answer, commit_answer, meta_of
from gateway.ledger import checks, payloads, transactions
from gateway.ledger.checks import Check
from gateway.lifecycle import Answered, GivenUp, WillAskAgain
from gateway.messages import ErrorItem
from gateway.retry_rules import RetryPlan, plan
from gateway.runtime import Runtime
from gateway.views import moment
from queues import work
from queues.database import Transaction
from queues.work import SECOND

__all__ = ["ask_again", "fail", "take_answer", "wait", "wake_feed", "window_end"]

_HOUR = 3_600 * SECOND


def window_end(check: Check, hours: float, now: int) -> int:
    """Until when a check may be asked: its window begins with the first attempt."""
    return (check.first_tried_at or now) + round(hours * _HOUR)


async def wake_feed(tx: Transaction, runtime: Runtime, tenant_id: str, route_id: str, now: int, due_at: int) -> None:
    """Have the route's checks looked at, at that time at the latest."""
    await work.enqueue(tx, tenant_id, runtime.world.new_id(), "check_feed", route_id, now, due_at)


async def wait(tx: Transaction, runtime: Runtime, check: Check, due_at: int, reason: str) -> bool:
    """Put a check back until a time; of a batch that was cancelled meanwhile it is at its end, and False.

    The route's others are not looked at before: what sends a check back here may be a route that is shut to them too.
    """
    now = runtime.world.micros()
    waits = await _put_back(tx, check, due_at, reason, now)
    await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, due_at if waits else now)
    return waits


async def _put_back(tx: Transaction, check: Check, due_at: int, reason: str, now: int) -> bool:
    batch = await checks.batch(tx, check.tenant_id, check.batch_id)
    check.reason = reason
    if batch is not None and batch.state == "cancelled":
        await checks.end(tx, check, "cancelled", now)
        return False
    check.state, check.due_at = "waiting", due_at
    await checks.change(tx, check, now)
    return True


async def ask_again(
    tx: Transaction, runtime: Runtime, check: Check, due_at: int, until: int, reason: str, codes: Sequence[str] = ()
) -> None:
    """Put a check back: it is asked again at `due_at`, or given up there where that is its end. Told in its story.

    Its place is free, and the route's others are looked at now; that look sees when this one is due.
    """
    check.until = until
    now = runtime.world.micros()
    waits = await _put_back(tx, check, due_at, reason, now)
    await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, now)
    if waits and check.interchange_id is not None:
        subject = await transactions.get(tx, check.tenant_id, check.check_id)
        at, end = moment(due_at) or "", moment(until) or ""
        fact = WillAskAgain(reason, check.asked, at, end, list(codes))
        await transactions.apply(tx, subject, fact, runtime.profile(check.payer_id), now, check.interchange_id)


async def take_answer(
    tx: Transaction,
    runtime: Runtime,
    subject: transactions.Transaction,
    answer: Answer,
    interchange_id: str | None,
    inbound_id: str | None,
) -> None:
    """An answer has come to a question that may have been a check's: it ends the check, or plans the next question.

    One that comes after the check was given up is its result all the same.
    """
    check = await checks.get(tx, subject.tenant_id, subject.transaction_id) if subject.parent_id is not None else None
    if check is None:
        await commit_answer(tx, runtime, subject, answer, interchange_id, inbound_id)
        return
    now = runtime.world.micros()
    batch = await checks.batch(tx, check.tenant_id, check.batch_id)
    if check.state not in checks.ENDED and batch is not None and batch.state == "open":
        decided = _plan(runtime, check, answer, batch.retry_hours)
        until = window_end(check, decided.until_hours, now)
        due_at = until if decided.wait_seconds is None else now + round(decided.wait_seconds * SECOND)
        if decided.kind != "final" and due_at <= until and now < until:
            check.inbound_id = inbound_id
            codes = [r.code for r in answer.rejections]
            await ask_again(tx, runtime, check, due_at, until, decided.reason, codes)
            return
    await commit_answer(tx, runtime, subject, answer, interchange_id, inbound_id)
    if check.state == "completed":
        return
    check.answer_id, check.result, check.reason = subject.answer_id, answer.coverage, ""
    await checks.end(tx, check, "completed", now)
    await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, now)


def _plan(runtime: Runtime, check: Check, answer: Answer, window_hours: float) -> RetryPlan:
    if not isinstance(answer.fact, Answered):
        return RetryPlan("final", "the payer refused the question")
    payer = runtime.directory.payers.get(check.payer_id)
    rules = payer.eligibility_retries if payer is not None else ()
    return plan(rules, answer.rejections, max(check.asked, 1), window_hours)


async def fail(
    tx: Transaction, runtime: Runtime, check: Check, errors: Sequence[ErrorItem], reason: str, state: str = "failed"
) -> None:
    """End a check without the payer's answer: its result says why. A question that is out stays in doubt, and is noted as given up."""
    now = runtime.world.micros()
    check.answer_id, check.result, check.reason = runtime.world.new_id(), "FAILED", reason
    route = runtime.directory.routes.get(check.route_id)
    refused = CheckRefused(
        id=check.check_id,
        meta=meta_of(check.check_id, route.usage if route is not None else None, check.route_id),
        status="ERROR",
        trading_partner_service_id=check.payer_id,
        errors=list(errors),
    )
    body = msgspec.json.encode(refused)
    await payloads.store(tx, runtime.vault, check.tenant_id, check.answer_id, "answer", body, now)
    await checks.end(tx, check, state, now)
    await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, now)
    if check.interchange_id is not None:
        subject = await transactions.get(tx, check.tenant_id, check.check_id)
        fact = GivenUp(reason, check.asked)
        await transactions.apply(tx, subject, fact, runtime.profile(check.payer_id), now, check.interchange_id)

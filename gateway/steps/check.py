"""Asks the question of one check of a batch: the first time built and committed to, then the very same bytes again.

A question changes nothing at the payer and may be repeated, not sooner than CAQH CORE allows. One whose way is down goes over another,
as long as no payer can have it yet. A check that was cut off while
its question was out is asked again like one whose answer was lost; one whose answer came in another way is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from opentelemetry.trace import SpanKind

from adapters.protocol import Delivered as PayerHasIt
from adapters.protocol import InDoubt, NotSent, Outcome, Refused, Replied
from gateway.batch_answers import ask_again, fail, take_answer, wait, wake_feed, window_end
from gateway.inquiries import Answer, answer_of, carry_over, commit_answer, commit_inquiry, meta_of, prepare_eligibility
from gateway.ledger import checks, inbound, interchanges, payloads, transactions
from gateway.ledger.checks import Batch, Check
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import Delivered, Doubted
from gateway.lifecycle import Refused as WasRefused
from gateway.messages import error_items, not_answered
from gateway.payers import Payer, Route
from gateway.retry_rules import repeat_seconds
from gateway.runtime import Runtime
from gateway.steps.send import apply_to_members, attempt, outbound_of
from gateway.steps.waiting import written
from gateway.ways import down_until, over, way_to
from observability import log, tracing
from queues import work
from queues.database import DatabaseError, Transaction
from queues.work import SECOND, LeaseLost, Work
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import decode
from x12.envelope import read
from x12.finding import Finding
from x12.syntax import CANONICAL

__all__ = ["run"]

_LOG = log.get("gateway.check")
# A payer that cannot be reached is tried again: doubling from the first wait to the longest.
_UNREACHED_SECONDS = 60.0
_UNREACHED_SECONDS_MAX = 15 * 60.0
# A check holds no place of the worker: it may stand in line for a while.
_PATIENCE_SECONDS = 30.0
_ANSWERED = frozenset(("answered", "rejected"))


@dataclass(frozen=True)
class _Loaded:
    """A check, and what was committed to for it, if it was asked before."""

    check: Check
    batch: Batch
    request: bytes
    subject: transactions.Transaction | None
    interchange: Interchange | None
    content: bytes

    @property
    def until(self) -> int:
        return window_end(self.check, self.batch.retry_hours, self.check.updated_at)


@dataclass(frozen=True)
class _Asked:
    """A question that leaves now."""

    check: Check
    batch: Batch
    route: Route
    interchange: Interchange
    content: bytes
    trace_numbers: list[str]


async def run(runtime: Runtime, item: Work) -> None:
    """Ask the check that the work names, unless it has ended; an error of ours puts it back and stops none of the others."""
    try:
        loaded = await runtime.database.read(lambda tx: _load(tx, runtime, item))
        if loaded is None:
            await runtime.database.write(lambda tx: work.finish(tx, item))
            return
        route_id = loaded.check.route_id
        with tracing.span(
            "check", loaded.batch.traceparent, SpanKind.CLIENT, route_id=route_id, transaction_id=item.subject
        ):
            await _one(runtime, item, loaded)
    except (LeaseLost, DatabaseError):
        raise
    except Exception as error:
        _LOG.error("check failed", transaction_id=item.subject, exc_info=error)
        reason = f"an error here: {type(error).__name__}"
        await runtime.database.write(lambda tx: _put_back(tx, runtime, item, reason))
    runtime.wake.set()


async def _load(tx: Transaction, runtime: Runtime, item: Work) -> _Loaded | None:
    tenant_id = item.tenant_id
    check = await checks.get(tx, tenant_id, item.subject)
    batch = await checks.batch(tx, tenant_id, check.batch_id) if check is not None else None
    if check is None or batch is None or check.state != "started":
        return None
    request = await payloads.load(tx, runtime.vault, tenant_id, check.check_id)
    if check.interchange_id is None:
        return _Loaded(check, batch, request, None, None, b"")
    subject = await transactions.get(tx, tenant_id, check.check_id)
    interchange = await interchanges.get(tx, tenant_id, check.interchange_id)
    content = await payloads.load(tx, runtime.vault, tenant_id, check.interchange_id)
    return _Loaded(check, batch, request, subject, interchange, content)


async def _one(runtime: Runtime, item: Work, loaded: _Loaded) -> None:
    check, now = loaded.check, runtime.world.micros()
    if loaded.subject is not None and loaded.subject.state in _ANSWERED:
        await runtime.database.write(lambda tx: _answered_elsewhere(tx, runtime, item, loaded))
        return
    if check.until is not None and now >= check.until:
        await _give_up(runtime, item, loaded)
        return
    earliest = (check.asked_at or 0) + round(repeat_seconds(check.asked) * SECOND) if check.asked else now
    if earliest > now:
        # The process ended while the question was out: its answer may be lost, and asking at once is not allowed.
        reason = "in doubt: the answer did not come home"
        await runtime.database.write(lambda tx: _release(tx, runtime, item, check, earliest, loaded.until, reason))
        return
    route = runtime.directory.routes.get(check.route_id)
    if route is None:
        await runtime.database.write(lambda tx: _put_back(tx, runtime, item, "the route is not configured"))
        return
    async with over(runtime, route, check.check_id, _PATIENCE_SECONDS) as shut:
        if shut is not None:
            # Maintenance, and a payer that asks for a pause, end by themselves: they are waited for.
            other = await _way_around(runtime, check, route) if await down_until(runtime, route) else None
            await runtime.database.write(lambda tx: _not_now(tx, runtime, item, check, shut, other))
            return
        asked = await _ask(runtime, item, loaded)
        if asked is None:
            return
        outcome = await attempt(runtime, asked.route, outbound_of(asked.interchange, asked.content))
    answer: Answer | None = None
    other = None
    if isinstance(outcome, NotSent) and outcome.about != "interchange" and outcome.retry_after_seconds is None:
        other = await _way_around(runtime, check, route)
    if isinstance(outcome, Replied):
        meta = meta_of(check.check_id, asked.route.usage, asked.route.id)
        answer = await runtime.judges.call(
            answer_of, "eligibility", meta, outcome.payload, asked.trace_numbers, loaded.request
        )
    # Forgotten, it would be asked for once more.
    await written(runtime, lambda tx: _record(tx, runtime, item, asked, outcome, answer, other))


async def _way_around(runtime: Runtime, check: Check, route: Route) -> Route | None:
    """Another way than its own for a check that no payer can have yet; None where there is none."""
    payer = runtime.directory.payers.get(check.payer_id)
    if payer is None or check.asked:
        return None
    return await way_to(runtime, payer, route.usage, "270", beside=(route.id,))


async def _move(tx: Transaction, runtime: Runtime, check: Check, other: Route) -> None:
    """Let a check wait for its turn on another way."""
    now = runtime.world.micros()
    # The body may run again, and changes its check.
    moving = msgspec.structs.replace(check, route_id=other.id)
    await wait(tx, runtime, moving, now, "its route is down: it goes over another")
    await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, now)


async def _not_now(
    tx: Transaction, runtime: Runtime, item: Work, check: Check, shut: NotSent, other: Route | None
) -> None:
    """Nothing may go over the way now: the check comes back when it may. It was not tried, so its window has not begun."""
    await work.finish(tx, item)
    if other is not None:
        await _move(tx, runtime, check, other)
        return
    now = runtime.world.micros()
    await wait(tx, runtime, check, now + round(max(shut.retry_after_seconds or 0.0, 0.05) * SECOND), shut.reason)


async def _ask(runtime: Runtime, item: Work, loaded: _Loaded) -> _Asked | None:
    """Commit to the question, or to one more attempt; None where it cannot be asked, and that is committed."""
    check = loaded.check
    payer = runtime.directory.payers.get(check.payer_id)
    route = runtime.directory.routes.get(check.route_id)
    if payer is None or route is None:
        await runtime.database.write(
            lambda tx: _put_back(tx, runtime, item, "the payer or its route is not configured")
        )
        return None
    if loaded.interchange is None or loaded.interchange.route_id != route.id:
        return await _ask_first(runtime, item, loaded, payer, route)
    interchange = loaded.interchange
    counted = await runtime.database.write(lambda tx: _begin(tx, runtime, item, check, interchange))
    return _Asked(counted, loaded.batch, route, interchange, loaded.content, _trace_numbers(loaded.content))


def _trace_numbers(content: bytes) -> list[str]:
    rows = (s.split(CANONICAL.element) for i in read(content, levels=()) for one in i.sets for s in one.segments)
    return [row[2] for row in rows if row[0] == "TRN" and len(row) > 2]


async def _ask_first(runtime: Runtime, item: Work, loaded: _Loaded, payer: Payer, route: Route) -> _Asked | None:
    """Commit to the first question over a route; what was built for another one never leaves."""
    check, batch, before = loaded.check, loaded.batch, loaded.interchange
    request, _ = decode(EligibilityRequest, loaded.request)
    assert request is not None  # It was judged when it was taken.
    prepared, written = await prepare_eligibility(runtime, payer, request, check.check_id)
    if not written.accepted:
        # What has changed since then is the payer's data, or this program.
        await runtime.database.write(lambda tx: _refuse(tx, runtime, item, check, written.findings))
        return None
    prepared.parent_id, prepared.route = batch.batch_id, route

    async def commit(tx: Transaction) -> tuple[Check, Interchange, bytes]:
        await work.guard(tx, item)
        if before is None:
            made, content = await commit_inquiry(tx, runtime, prepared, None, hold_seconds=None)
        else:
            made, content = await carry_over(tx, runtime, prepared, before, "its route is down", hold_seconds=None)
        return await _count(tx, runtime, check, made.interchange_id), made, content

    counted, made, content = await runtime.database.write(commit)
    return _Asked(counted, batch, prepared.route, made, content, prepared.asked)


async def _count(tx: Transaction, runtime: Runtime, check: Check, interchange_id: str) -> Check:
    """Before the first byte: from here on the question may have been asked. The check as it stands then; a body may run again."""
    now = runtime.world.micros()
    counted = msgspec.structs.replace(
        check,
        tried=check.tried + 1,
        asked=check.asked + 1,
        asked_at=now,
        first_tried_at=check.first_tried_at or now,
        interchange_id=interchange_id,
    )
    await checks.change(tx, counted, now)
    return counted


async def _begin(tx: Transaction, runtime: Runtime, item: Work, check: Check, interchange: Interchange) -> Check:
    await work.guard(tx, item)
    await interchanges.record_attempt(tx, interchange, runtime.world.micros())
    return await _count(tx, runtime, check, interchange.interchange_id)


async def _refuse(tx: Transaction, runtime: Runtime, item: Work, check: Check, findings: list[Finding]) -> None:
    await work.finish(tx, item)
    await fail(tx, runtime, check, error_items(findings) or (), "the question cannot be written")


async def _answered_elsewhere(tx: Transaction, runtime: Runtime, item: Work, loaded: _Loaded) -> None:
    """Its transaction has come to an end by an acknowledgement that rejects it, collected from the payer."""
    await work.finish(tx, item)
    check = loaded.check
    told = not_answered("79", "The payer did not accept the inquiry.", check.route_id)
    await fail(tx, runtime, check, [told], "the payer did not accept the inquiry")


async def _release(
    tx: Transaction, runtime: Runtime, item: Work, check: Check, due_at: int, until: int, reason: str
) -> None:
    await work.finish(tx, item)
    await ask_again(tx, runtime, check, min(due_at, until), until, reason)


async def _put_back(tx: Transaction, runtime: Runtime, item: Work, reason: str) -> None:
    """Something here is wrong: the check waits, longer each time, until its window ends."""
    await work.finish(tx, item)
    check = await checks.get(tx, item.tenant_id, item.subject)
    batch = await checks.batch(tx, item.tenant_id, check.batch_id) if check is not None else None
    if check is None or batch is None or check.state != "started":
        return
    now = runtime.world.micros()
    check.tried, check.first_tried_at = check.tried + 1, check.first_tried_at or now
    until = window_end(check, batch.retry_hours, now)
    await ask_again(tx, runtime, check, min(_unreached(runtime, check, 0.0), until), until, reason)


def _unreached(runtime: Runtime, check: Check, at_least_seconds: float) -> int:
    seconds = min(_UNREACHED_SECONDS * 2 ** min(max(check.tried - 1, 0), 10), _UNREACHED_SECONDS_MAX)
    seconds = max(seconds, at_least_seconds) * (1 + runtime.world.random() / 4)
    return runtime.world.micros() + round(seconds * SECOND)


async def _give_up(runtime: Runtime, item: Work, loaded: _Loaded) -> None:
    """The window has ended: the last rejection is the answer; without one, the result says that none came."""
    check, subject = loaded.check, loaded.subject
    answer: Answer | None = None
    inbound_id = check.inbound_id
    if subject is not None and inbound_id is not None:
        content = await runtime.database.read(lambda tx: payloads.load(tx, runtime.vault, item.tenant_id, inbound_id))
        meta = meta_of(check.check_id, subject.usage, subject.route_id)
        numbers = _trace_numbers(loaded.content)
        answer = await runtime.judges.call(answer_of, "eligibility", meta, content, numbers, loaded.request)

    async def commit(tx: Transaction) -> None:
        await work.finish(tx, item)
        if answer is not None and loaded.subject is not None:
            # The body may run again, and changes its transaction.
            subject = msgspec.structs.replace(loaded.subject)
            await commit_answer(tx, runtime, subject, answer, check.interchange_id, inbound_id)
            check.answer_id, check.result = subject.answer_id, answer.coverage
            check.reason = "still rejected when its time for retries ended"
            now = runtime.world.micros()
            await checks.end(tx, check, "completed", now)
            await wake_feed(tx, runtime, check.tenant_id, check.route_id, now, now)
            return
        told = not_answered("42", "The payer did not answer within the time for retries.", check.route_id)
        await fail(tx, runtime, check, [told], "no answer within the time for retries")

    await runtime.database.write(commit)


async def _record(
    tx: Transaction,
    runtime: Runtime,
    item: Work,
    asked: _Asked,
    outcome: Outcome,
    answer: Answer | None,
    other: Route | None,
) -> None:
    """Commit what an attempt came to, with everything that follows from it; `other` is where what did not leave may go."""
    # The body may run again, and changes its check.
    asked = replace(asked, check=msgspec.structs.replace(asked.check))
    check, interchange = asked.check, asked.interchange
    until = window_end(check, asked.batch.retry_hours, runtime.world.micros())
    match outcome:
        case Replied(payload=content):
            await _heard(tx, runtime, item, asked, content, answer)
        case PayerHasIt():
            await work.finish(tx, item)
            await interchanges.set_state(tx, interchange, "confirmed")
            await apply_to_members(tx, runtime, interchange, Delivered())
            await ask_again(tx, runtime, check, until, until, "the payer answers later")
        case Refused(code=code):
            await work.finish(tx, item)
            await interchanges.set_state(tx, interchange, "rejected", outcome.reason)
            await apply_to_members(tx, runtime, interchange, WasRefused(code, outcome.reason))
            told = not_answered("79", "The payer refused the inquiry.", check.route_id)
            await fail(tx, runtime, check, [told], outcome.reason)
        case NotSent(retry_after_seconds=wait):
            check.asked -= 1
            await interchanges.set_state(tx, interchange, "intent", outcome.reason)
            if other is not None:
                await work.finish(tx, item)
                await _move(tx, runtime, check, other)
                return
            due_at = _unreached(runtime, check, wait or 0.0)
            await _release(tx, runtime, item, check, due_at, until, f"not reached: {outcome.reason}")
        case InDoubt():
            await _doubted(tx, runtime, item, asked, outcome.reason)


async def _doubted(tx: Transaction, runtime: Runtime, item: Work, asked: _Asked, reason: str) -> None:
    """The answer may come yet; until then the question may be repeated, in its time."""
    check = asked.check
    await interchanges.set_state(tx, asked.interchange, "in_doubt", reason)
    await apply_to_members(tx, runtime, asked.interchange, Doubted(reason))
    now = runtime.world.micros()
    wait = max(repeat_seconds(check.asked), min(60.0 * 2 ** min(check.asked, 10), _UNREACHED_SECONDS_MAX))
    due_at = now + round(wait * SECOND)
    await _release(
        tx, runtime, item, check, due_at, window_end(check, asked.batch.retry_hours, now), f"in doubt: {reason}"
    )


async def _heard(
    tx: Transaction, runtime: Runtime, item: Work, asked: _Asked, content: bytes, answer: Answer | None
) -> None:
    """Keep the payer's bytes, then what they say."""
    now, check = runtime.world.micros(), asked.check
    subject = await transactions.get(tx, item.tenant_id, check.check_id)
    state = "stored" if answer is None else "applied"
    file, new = await inbound.store(
        tx,
        runtime.vault,
        item.tenant_id,
        asked.route.id,
        runtime.world.new_id(),
        content,
        now,
        subject.traceparent,
        state,
    )
    if answer is None:
        if new:
            await work.enqueue(tx, item.tenant_id, file.inbound_id, "apply", file.inbound_id, now)
        await _doubted(tx, runtime, item, asked, "the reply holds no answer")
        return
    await work.finish(tx, item)
    await interchanges.set_state(tx, asked.interchange, "confirmed")
    await take_answer(tx, runtime, subject, answer, asked.interchange.interchange_id, file.inbound_id)

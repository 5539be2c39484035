"""Asks about claims that have been silent for too long: a 276 each, once per date, however often this runs.

Asking and moving the claim's date commit together, so that no crash, clock or second worker can ask twice for one date. A
payer that finds nothing is asked with wider dates the next time; a payer without 276 leaves the claim to a person.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from gateway.asking import prepare_about
from gateway.claim_kinds import AnyClaim, kept_claim, span_of
from gateway.clock import doubted_until, old_by
from gateway.inquiries import Prepared, commit_inquiry
from gateway.ledger import idempotency, transactions
from gateway.lifecycle import FollowUpAsked, FollowUpLeftToPerson
from gateway.payers import Payer
from gateway.runtime import Runtime
from gateway.submissions import claim_of
from gateway.ways import way_to
from observability import log, tracing
from queues import work
from queues.database import DatabaseError, Transaction
from queues.work import SECOND, LeaseLost, Work

__all__ = ["run"]

_LOG = log.get("gateway.follow_up")
_PAGE, _TOGETHER = 128, 32
_WIDER = timedelta(days=30)
_LONGEST_SECONDS = 24 * 3600


async def run(runtime: Runtime, item: Work) -> None:
    """Ask about a page of due claims, then come back for the next page or at the next date, in a day at the latest.

    Coming by daily, it also drops the idempotency keys that are kept no longer.
    """
    doubted = await runtime.database.read(lambda tx: doubted_until(tx, runtime))
    if doubted is not None:
        await runtime.database.write(lambda tx: work.postpone(tx, item, doubted, "the clock leapt ahead"))
        return
    due = await runtime.database.read(lambda tx: _due(tx, runtime, item))
    for first in range(0, len(due), _TOGETHER):
        # Those that are asked about together share a sync.
        together = due[first : first + _TOGETHER]
        asking = [_traced(runtime, item, subject, turns) for turns, subject in enumerate(together)]
        for failed in await asyncio.gather(*asking, return_exceptions=True):
            if failed is not None:
                raise failed
    await runtime.database.write(lambda tx: _forget_keys(tx, runtime))
    await runtime.database.write(lambda tx: _again(tx, runtime, item, more=len(due) == _PAGE))
    runtime.wake.set()


async def _forget_keys(tx: Transaction, runtime: Runtime) -> None:
    before = await old_by(tx, runtime, idempotency.KEEP_MICROSECONDS)
    if before is not None:
        await idempotency.forget_older(tx, before)


async def _due(tx: Transaction, runtime: Runtime, item: Work) -> list[transactions.Transaction]:
    return await transactions.due_for_follow_up(tx, item.tenant_id, runtime.world.micros(), _PAGE)


async def _traced(runtime: Runtime, item: Work, subject: transactions.Transaction, turns: int) -> None:
    # One question is written in each turn of the loop: other callers have theirs in between.
    for _ in range(turns):
        await asyncio.sleep(0)
    with tracing.span(
        "follow_up", subject.traceparent, transaction_id=subject.transaction_id, payer_id=subject.payer_id
    ):
        try:
            await _ask(runtime, item, subject)
        except (LeaseLost, DatabaseError):
            raise
        except Exception as error:
            # One claim that cannot be read must not keep the others from being asked about.
            _LOG.error("follow-up failed", transaction_id=subject.transaction_id, exc_info=error)
            why: tuple[str, date | None] = "the claim cannot be read: see the log", None
            await runtime.database.write(lambda tx: _commit(tx, runtime, item, subject, None, why))


async def _ask(runtime: Runtime, item: Work, subject: transactions.Transaction) -> None:
    payer = runtime.directory.payers.get(subject.payer_id)
    segments = await runtime.database.read(lambda tx: claim_of(tx, runtime, subject))
    asked_before = await runtime.database.read(lambda tx: _asked(tx, subject))
    prepared: Prepared | None = None
    why: tuple[str, date | None] = "the payer is not configured", None
    if payer is not None:
        prepared, why = _weighed(runtime, payer, subject, segments, asked_before)
        if prepared is not None:
            prepared.route = await way_to(runtime, payer, subject.usage, "276") or prepared.route
    await runtime.database.write(lambda tx: _commit(tx, runtime, item, subject, prepared, why))


def _weighed(
    runtime: Runtime, payer: Payer, subject: transactions.Transaction, segments: list[str], asked_before: int
) -> tuple[Prepared | None, tuple[str, date | None]]:
    """The question about a claim; or why there is none, and by which day a person must act where that is near."""
    claim = kept_claim(segments)
    ends, today = _filing_ends(payer, claim), runtime.world.now().date()
    if ends is not None and ends - today <= timedelta(days=payer.timely_filing_notice_days):
        # Its payer may never have had it: a claim that comes too late is not paid, whatever a 277 says by then.
        left = (ends - today).days
        return None, ("the time for filing is over" if left < 0 else "the time for filing ends soon", ends)
    prepared, reason = prepare_about(runtime, payer, subject, claim, _WIDER * asked_before)
    return prepared, (reason, None)


def _filing_ends(payer: Payer, claim: AnyClaim) -> date | None:
    """The last day on which a claim may come to its payer; None where the payer or the claim says none."""
    _, last = span_of(claim)
    if payer.timely_filing_days is None or not last:
        return None
    try:
        return date(int(last[:4]), int(last[4:6]), int(last[6:])) + timedelta(days=payer.timely_filing_days)
    except ValueError:
        return None


async def _asked(tx: Transaction, subject: transactions.Transaction) -> int:
    events = await transactions.events(tx, subject.tenant_id, subject.transaction_id)
    return sum(e.kind == "followUpAsked" for e in events)


async def _commit(
    tx: Transaction,
    runtime: Runtime,
    item: Work,
    subject: transactions.Transaction,
    prepared: Prepared | None,
    why: tuple[str, date | None],
) -> None:
    await work.guard(tx, item)
    now = runtime.world.micros()
    current = await transactions.get(tx, subject.tenant_id, subject.transaction_id)
    if current.follow_up_at is None or current.follow_up_at > now:
        return
    profile = runtime.profile(subject.payer_id)
    if prepared is None:
        reason, act_by = why
        left = FollowUpLeftToPerson(reason, act_by.isoformat() if act_by is not None else None)
        await transactions.apply(tx, current, left, profile, now)
        _LOG.warning("follow-up left to a person", transaction_id=subject.transaction_id, payer_id=subject.payer_id)
        return
    await commit_inquiry(tx, runtime, prepared, b"", hold_seconds=0, claimed=False)
    asked = FollowUpAsked(prepared.transaction_id)
    await transactions.apply(tx, current, asked, profile, now, prepared.interchange_id)
    _LOG.info("claim followed up", transaction_id=subject.transaction_id, payer_id=subject.payer_id)


async def _again(tx: Transaction, runtime: Runtime, item: Work, *, more: bool) -> None:
    now = runtime.world.micros()
    await work.finish(tx, item)
    next_at = now if more else await transactions.next_follow_up(tx, item.tenant_id)
    latest = now + _LONGEST_SECONDS * SECOND
    run_at = latest if next_at is None else min(max(next_at, now), latest)
    await work.enqueue(tx, item.tenant_id, runtime.world.new_id(), "follow_up", item.tenant_id, now, run_at)

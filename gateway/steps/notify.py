"""Tells a destination of what has changed: signed, again after a failure, until ten tries in 75 hours have failed.

One piece of work is all that waits for one destination, so that a receiver that hangs holds one place of the worker and
no other destination up. What was delivered without our noting it is delivered again, under the same id.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

import aiohttp

from gateway import webhooks
from gateway.ledger import destinations, notices
from gateway.ledger.destinations import Destination
from gateway.ledger.notices import Delivery, Notice
from gateway.runtime import TENANT, Runtime
from gateway.webhooks import DELAYS_SECONDS, Attempt
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["CONCURRENCY", "CONCURRENCY_MAX", "account_of", "run"]

_LOG = log.get("gateway.notify")
CONCURRENCY = 5
CONCURRENCY_MAX = 20


@dataclass(frozen=True)
class _Batch:
    """What goes to a destination now."""

    destination: Destination
    secrets: list[str]
    told: list[tuple[Delivery, Notice]]


def account_of(tenant_id: str) -> str:
    """The tenant as notices name it: a UUID (RFC 9562, version 8) of its id."""
    digits = hashlib.sha256(f"claimwire tenant {tenant_id}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


async def run(runtime: Runtime, item: Work) -> None:
    """Send what is due to the destination that the work names, and come back for the rest."""
    batch = await runtime.database.read(lambda tx: _load(tx, runtime, item))
    if batch is None:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    attempts: list[Attempt] = []
    if batch.told:
        async with webhooks.open_webhooks(runtime.config.webhook_reach) as session:
            attempts = await asyncio.gather(*(_attempt(runtime, session, batch, notice) for _, notice in batch.told))
    outcomes = [(delivery, attempt) for (delivery, _), attempt in zip(batch.told, attempts, strict=True)]
    await runtime.database.write(lambda tx: _record(tx, runtime, item, batch.destination, outcomes))


async def _load(tx: Transaction, runtime: Runtime, item: Work) -> _Batch | None:
    destination = await destinations.get(tx, item.tenant_id, item.subject)
    if destination is None or destination.status != "ENABLED":
        return None
    now = runtime.world.micros()
    secrets = await destinations.secrets_of(tx, runtime.vault, item.tenant_id, item.subject, now)
    ready, _ = await notices.due(tx, item.tenant_id, item.subject, now, destination.concurrency or CONCURRENCY)
    found = [(delivery, await notices.get(tx, item.tenant_id, delivery.event_id)) for delivery in ready]
    return _Batch(destination, secrets, [(delivery, notice) for delivery, notice in found if notice is not None])


async def _attempt(runtime: Runtime, session: aiohttp.ClientSession, batch: _Batch, notice: Notice) -> Attempt:
    body = webhooks.encoded(webhooks.payload_of(notice, account_of(TENANT)))
    event_id, timestamp = f"evt_{notice.event_id}", runtime.world.micros() // SECOND
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": webhooks.signatures(batch.secrets, event_id, timestamp, body),
    }
    return await webhooks.post(session, batch.destination.url, body, headers, runtime.config.webhook_reach)


async def _record(
    tx: Transaction, runtime: Runtime, item: Work, destination: Destination, outcomes: list[tuple[Delivery, Attempt]]
) -> None:
    """Note what every attempt came to, and go on when the next is due; who is gone or was tried in vain gets nothing more."""
    now = runtime.world.micros()
    for delivery, attempt in outcomes:
        state, due_at = "delivered", now
        if attempt.gone or (not attempt.delivered and delivery.attempts >= len(DELAYS_SECONDS)):
            state = "failed"
            await destinations.disable(tx, TENANT, destination.destination_id, attempt.reason, now)
            _LOG.warning("destination disabled", destination_id=destination.destination_id, reason=attempt.reason)
        elif not attempt.delivered:
            state = "pending"
            wait = max(
                DELAYS_SECONDS[delivery.attempts] * (1 + runtime.world.random() / 10), attempt.retry_after_seconds
            )
            due_at = now + round(wait * SECOND)
        else:
            await destinations.delivered(tx, TENANT, destination.destination_id, now)
        await notices.settle(tx, TENANT, delivery, state, due_at, attempt.reason, now)
        runtime.metrics.webhooks(state).inc()
    ready, next_at = await notices.due(tx, item.tenant_id, item.subject, now, 1)
    when = now if ready else next_at
    if when is None:
        await work.finish(tx, item)
    else:
        await work.postpone(tx, item, when, "more is waiting")

"""Starts the checks of batches that are due on a route, a few at a time, so that they hold up neither the payer nor callers."""

from __future__ import annotations

from gateway.ledger import checks
from gateway.runtime import Runtime
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["run"]

# Checks on their way at once: on one route, and on all of them. They wait for payers, and take no place of other work.
ROUTE_CHECKS_MAX = 8
CHECKS_MAX = 64


async def run(runtime: Runtime, item: Work) -> None:
    """Put into the queue what there is room for on the route that the work names; come back when the next one is due."""
    if await runtime.database.write(lambda tx: _feed(tx, runtime, item)):
        runtime.wake.set()


async def _feed(tx: Transaction, runtime: Runtime, item: Work) -> bool:
    now, tenant_id, route_id = runtime.world.micros(), item.tenant_id, item.subject
    running = await checks.started(tx, tenant_id)
    room = min(ROUTE_CHECKS_MAX - running.get(route_id, 0), CHECKS_MAX - sum(running.values()))
    taken = await checks.take_due(tx, tenant_id, route_id, now, room) if room > 0 else []
    for check_id in taken:
        await work.enqueue(tx, tenant_id, runtime.world.new_id(), "check", check_id, now)
    await work.finish(tx, item)
    due_at = await checks.next_due(tx, tenant_id, route_id)
    if due_at is not None and due_at <= now:
        # One of ours that ends, or waits for its next turn, looks here again; where none is on its way, the places are others', and free soon.
        due_at = None if taken or running.get(route_id) else now + SECOND
    if due_at is not None:
        await work.enqueue(tx, tenant_id, runtime.world.new_id(), "check_feed", route_id, now, due_at)
    return bool(taken)

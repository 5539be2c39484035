"""Going over a route: not while it is closed, not faster nor with more at once than its payer bears."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.protocol import NotSent
from gateway.hours import closed_until
from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from queues import lanes
from queues.database import Transaction
from queues.work import SECOND

__all__ = ["over"]

# A place outlives the deadline of its call by so much, so that a dead process does not keep it, nor a slow one lose it.
_ROOM_SECONDS = 30.0


@asynccontextmanager
async def over(runtime: Runtime, route: Route, holder: str, patience_seconds: float) -> AsyncGenerator[NotSent | None]:
    """A place on the way for as long as the context lasts; or why there is none within the patience, and when to come again."""
    world = runtime.world
    opens = closed_until(route.maintenance, world.now()) if route.maintenance else None
    if opens is not None:
        yield NotSent("closed for maintenance", (opens - world.now()).total_seconds())
        return
    limits = lanes.Limits(route.requests_per_second, route.burst, route.concurrent)
    if not limits.any:
        yield None
        return
    refused = await _enter(runtime, route, holder, limits, patience_seconds)
    if refused is not None:
        yield refused
        return
    try:
        yield None
    finally:
        if limits.concurrent is not None:
            await runtime.database.write(lambda tx: lanes.leave(tx, TENANT, route.id, holder))


async def _enter(
    runtime: Runtime, route: Route, holder: str, limits: lanes.Limits, patience_seconds: float
) -> NotSent | None:
    world = runtime.world
    hold = round((route.deadline_seconds + _ROOM_SECONDS) * SECOND)
    last = world.micros() + round(patience_seconds * SECOND)

    async def ask(tx: Transaction) -> lanes.Entry:
        now = world.micros()
        return await lanes.enter(tx, TENANT, route.id, holder, limits, now, max(last - now, 0), hold)

    while True:
        entry = await runtime.database.write(ask)
        wait = max(entry.at - world.micros(), 0) / SECOND
        if not entry.entered and entry.at > last:
            return NotSent("the route is at its payer's limit", wait)
        await world.sleep(wait)
        if entry.entered:
            return None

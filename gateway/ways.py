"""Going over a route: not while it is closed or its circuit open, not faster nor with more at once than its payer bears.

What comes of each attempt is felt here: failures open the circuit, a payer that asks to be left alone is. Where a payer has several ways,
what may move takes the first that is well.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from adapters.protocol import Delivered, InDoubt, NotSent, Outcome, Refused, Replied
from gateway.hours import closed_until
from gateway.payers import Payer, Route
from gateway.runtime import TENANT, Runtime
from observability import log
from queues import circuits, lanes, work
from queues.circuits import Circuit, Health
from queues.database import DatabaseError, Transaction
from queues.work import SECOND

__all__ = ["SHUT", "down_until", "feel", "heard_of", "over", "way_to"]

_LOG = log.get("gateway.ways")
_PAUSED, _TRIED, _OPEN = "the route is paused", "the route's circuit is tried by another", "the route's circuit is open"
# For these reasons work waits that may go on as soon as a route is well again.
SHUT = (_PAUSED, _TRIED, _OPEN, "the route is down")
# A place outlives the deadline of its call by so much, so that a dead process does not keep it, nor a slow one lose it.
_ROOM_SECONDS = 30.0
# Who finds another trying a lane looks again so soon.
_PROBED_LOOK_SECONDS = 1.0


@asynccontextmanager
async def over(runtime: Runtime, route: Route, holder: str, patience_seconds: float) -> AsyncGenerator[NotSent | None]:
    """A place on the way for as long as the context lasts; or why there is none within the patience, and when to come again."""
    world = runtime.world
    opens = closed_until(route.maintenance, world.now()) if route.maintenance else None
    if opens is not None:
        yield NotSent("closed for maintenance", (opens - world.now()).total_seconds())
        return
    refused, trying = await _shut(runtime, route)
    if refused is not None or trying:
        # The one who tries a lane comes as rarely as no limit asks for.
        yield refused
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
            await _left(runtime, route, holder)


async def _left(runtime: Runtime, route: Route, holder: str) -> None:
    """Give a place back. Where the database takes nothing now it ends by itself: what the payer answered is not lost over that."""
    try:
        await runtime.database.write(lambda tx: lanes.leave(tx, TENANT, route.id, holder))
    except DatabaseError as error:
        _LOG.error("a place cannot be given back", route_id=route.id, exc_info=error)


async def _shut(runtime: Runtime, route: Route) -> tuple[NotSent | None, bool]:
    """Why nobody may go at this moment, None where one may; and whether this is the one who tries the lane."""
    world = runtime.world
    standing = await runtime.database.read(lambda tx: circuits.health(tx, TENANT, route.id))
    until = standing.shut_until(world.micros())
    trying = until is None and standing.open_until > 0
    if trying:
        hold = round((route.deadline_seconds + _ROOM_SECONDS) * SECOND)
        until = await runtime.database.write(
            lambda tx: circuits.pass_through(tx, TENANT, route.id, world.micros(), hold)
        )
    return (None, trying) if until is None else (_refusal(standing, until, world.micros()), False)


def _refusal(standing: Health, until: int, now: int) -> NotSent:
    state, wait = standing.state(now), (until - now) / SECOND
    if state == "paused":
        # A person may end it at any time.
        return NotSent(_PAUSED, min(wait, 60.0) if standing.paused_by else wait)
    if state == "half-open":
        return NotSent(_TRIED, min(wait, _PROBED_LOOK_SECONDS))
    return NotSent(_OPEN, wait)


async def feel(runtime: Runtime, route: Route, outcome: Outcome) -> None:
    """Let the lane know what came of an attempt. Where the database is away it does not: what came of it matters more."""
    try:
        await _felt(runtime, route, outcome)
    except DatabaseError as error:
        _LOG.error("how the route is cannot be written down", route_id=route.id, exc_info=error)


async def _felt(runtime: Runtime, route: Route, outcome: Outcome) -> None:
    match outcome:
        case Replied() | Delivered() | Refused():
            standing = await runtime.database.read(lambda tx: circuits.health(tx, TENANT, route.id))
            if standing.failures:
                await runtime.database.write(lambda tx: _well(tx, runtime, route))
                runtime.wake.set()
                _LOG.info("circuit closed", route_id=route.id)
        case NotSent(about="interchange"):
            # It says nothing of the payer, which has answered.
            await _felt(runtime, route, Delivered())
        case NotSent(retry_after_seconds=wait, reason=reason) if wait is not None:
            await runtime.database.write(lambda tx: _pause(tx, runtime, route, wait, reason))
        case NotSent(reason=reason) | InDoubt(reason=reason):
            standing = await runtime.database.write(lambda tx: _failed(tx, runtime, route, reason))
            if standing.open_until:
                _LOG.warning("circuit open", route_id=route.id, attempt=standing.failures)


async def heard_of(tx: Transaction, runtime: Runtime, route: Route) -> None:
    """The payer answered something else, such as a collection: who waits for the circuit may try at once."""
    now = runtime.world.micros()
    if await circuits.sign(tx, TENANT, route.id, now):
        await work.hasten(tx, SHUT, now)


async def _well(tx: Transaction, runtime: Runtime, route: Route) -> None:
    """The circuit closes; what waited for that goes on, at the route's rate."""
    now = runtime.world.micros()
    await circuits.well(tx, TENANT, route.id, now)
    await work.hasten(tx, SHUT, now)


async def _failed(tx: Transaction, runtime: Runtime, route: Route, reason: str) -> Health:
    longest = max(route.circuit_seconds, route.circuit_seconds_max)
    circuit = Circuit(route.circuit_failures, round(route.circuit_seconds * SECOND), round(longest * SECOND))
    now, chance = runtime.world.micros(), runtime.world.random()
    return await circuits.failed(tx, TENANT, route.id, now, circuit, reason, chance)


async def _pause(tx: Transaction, runtime: Runtime, route: Route, seconds: float, reason: str) -> None:
    now = runtime.world.micros()
    await circuits.pause(tx, TENANT, route.id, now, now + round(seconds * SECOND), reason)


async def way_to(
    runtime: Runtime, payer: Payer, usage: str, set_id: str, *, beside: Collection[str] = ()
) -> Route | None:
    """The first way to a payer that takes such a transaction set (ST01) and is not shut, other than those `beside`; None where there is none.

    The only way that a payer has is not looked at.
    """
    ways = runtime.directory.ways(payer, usage)
    if len(ways) == 1:
        # There is nothing to choose: whether it is shut shows when it is taken.
        return None if ways[0].id in beside else ways[0]
    for route in ways:
        can = runtime.can(route)
        if route.id not in beside and set_id in can.real_time | can.batch and await _lets_through(runtime, route):
            return route
    return None


async def _lets_through(runtime: Runtime, route: Route) -> bool:
    """Whether something that comes now would be let through, if perhaps in its turn."""
    if route.maintenance and closed_until(route.maintenance, runtime.world.now()) is not None:
        return False
    standing = await runtime.database.read(lambda tx: circuits.health(tx, TENANT, route.id))
    return standing.shut_until(runtime.world.micros()) is None


async def down_until(runtime: Runtime, route: Route) -> int | None:
    """Until when a route is down: its circuit is open, or a person paused it; None where it is not, or may be tried.

    Maintenance, and a payer that asks for a pause, are no reason to go elsewhere: they end by themselves, as was said.
    """
    standing, now = (
        await runtime.database.read(lambda tx: circuits.health(tx, TENANT, route.id)),
        runtime.world.micros(),
    )
    return standing.shut_until(now) if standing.open_until > now or standing.paused_by else None


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

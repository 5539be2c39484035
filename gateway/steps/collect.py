"""Fetches what a payer has for us: stored with its hash first, settled at the payer only after that."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

import msgspec
from opentelemetry.trace import SpanKind

from adapters.protocol import Inbound
from adapters.registry import UnknownAdapter
from gateway.ledger import inbound
from gateway.ledger.inbound import InboundFile
from gateway.payers import Route
from gateway.runtime import Runtime
from gateway.steps.acknowledging import acknowledgement
from gateway.steps.waiting import later
from gateway.ways import heard_of
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["run"]

_LOG = log.get("gateway.collect")


async def run(runtime: Runtime, item: Work) -> None:
    """Collect from the route that the work names, then come back after its interval."""
    route = runtime.directory.routes.get(item.subject)
    if route is None:
        # Another node may have it, or will have it again.
        when = later(runtime, item, 60)
        await runtime.database.write(lambda tx: work.postpone(tx, item, when, "the route is not configured"))
        return
    try:
        collects = runtime.adapter(route).capabilities.collects
    except UnknownAdapter as error:
        _LOG.error("adapter cannot be used", route_id=route.id, adapter=route.adapter, reason=str(error))
        when = later(runtime, item, 60)
        await runtime.database.write(lambda tx: work.postpone(tx, item, when, "the adapter cannot be loaded"))
        return
    if not collects:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    # Payers that are away keep a collection until its deadline: all of them together take half of the places.
    with runtime.places.one("collect", runtime.places.total // 2) as has_place:
        if not has_place:
            again = runtime.world.micros() + round(SECOND * (1 + runtime.world.random()))
            await runtime.database.write(lambda tx: work.postpone(tx, item, again, "other collections are under way"))
            return
        await _collect(runtime, item, route)


async def _collect(runtime: Runtime, item: Work, route: Route) -> None:
    adapter = runtime.adapter(route)
    context = msgspec.structs.replace(
        runtime.adapter_context(route), acknowledgement=partial(acknowledgement, runtime, route)
    )
    reason = ""
    try:
        with tracing.span("collect", None, SpanKind.CLIENT, route_id=route.id):
            # Closed whatever happens, and with it the connection that an adapter keeps for a collection.
            async with aclosing(adapter.collect(context)) as collecting:
                async for received in collecting:
                    file, new = await runtime.database.write(
                        lambda tx, received=received: _store(tx, runtime, item, route, received)
                    )
                    runtime.metrics.inbound(route.id, "new" if new else "repeated").inc()
                    runtime.wake.set()
                    try:
                        await adapter.settle(received, context)
                    except Exception as error:
                        # It is stored here: a payer that will not let go of one file must not hold up those behind it.
                        reason = f"settling failed: {type(error).__name__}"
                        _LOG.warning("settle failed", route_id=route.id, inbound_id=file.inbound_id, exc_info=error)
                        continue
                    await runtime.database.write(
                        lambda tx, file=file: inbound.settled(tx, file, runtime.world.micros())
                    )
    except Exception as error:
        reason = f"collecting failed: {type(error).__name__}"
        _LOG.warning("collect failed", route_id=route.id, exc_info=error)
    await runtime.database.write(lambda tx: _again(tx, runtime, item, route, reason))


async def _store(
    tx: Transaction, runtime: Runtime, item: Work, route: Route, received: Inbound
) -> tuple[InboundFile, bool]:
    now = runtime.world.micros()
    file, new = await inbound.store(
        tx, runtime.vault, item.tenant_id, route.id, runtime.world.new_id(), received.payload, now, tracing.current()
    )
    if new:
        await work.enqueue(tx, item.tenant_id, file.inbound_id, "apply", file.inbound_id, now)
    return file, new


async def _again(tx: Transaction, runtime: Runtime, item: Work, route: Route, reason: str) -> None:
    """A success begins the count of attempts anew; a failure waits longer each time."""
    if reason:
        await work.postpone(tx, item, later(runtime, item, min(route.poll_seconds, 1.0)), reason)
        return
    await heard_of(tx, runtime, route)
    now = runtime.world.micros()
    await work.finish(tx, item)
    await work.enqueue(
        tx, item.tenant_id, runtime.world.new_id(), "collect", route.id, now, now + round(route.poll_seconds * SECOND)
    )

"""Sends an interchange: the bytes that were committed to, once, and again only where that cannot double anything.

Before the first byte an attempt is recorded; a sending that ends without an outcome, or in doubt, is settled by evidence:
the payer's own word (probe), an acknowledgement that arrives, an identical resend where the payer recognises it, a person.
Inquiries (270, 276) change nothing at the payer and may simply be repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from msgspec import structs
from opentelemetry.trace import SpanKind

from adapters.protocol import Delivered as PayerHasIt
from adapters.protocol import InDoubt, NotSent, Outbound, Outcome, Refused, Replied
from adapters.registry import UnknownAdapter
from gateway.ledger import idempotency, interchanges, payloads
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import Delivered, Doubted, GivenUp, Held
from gateway.lifecycle import Refused as WasRefused
from gateway.payers import Route
from gateway.retry_rules import repeat_seconds
from gateway.runtime import Runtime
from gateway.steps.rerouting import left_behind, moved
from gateway.steps.settling import SETTLED, apply_to_members, doubt, has_lapsed, hold, keep, may_send_again, settle
from gateway.steps.waiting import later, written
from gateway.ways import feel, over
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, LeaseLost, Work

__all__ = ["apply_to_members", "attempt", "outbound_of", "run"]

_LOG = log.get("gateway.send")
# Whoever asked has long asked otherwise.
_INQUIRY_SPAN = 24 * 3600 * SECOND
# Longer than this a place of the worker is not held for a place on the way.
_PATIENCE_SECONDS = 0.5
# From when an attempt is recorded its first byte leaves within this, or not at all; and an adapter is past its deadline by so much at most.
# The lease is kept for longer than all of it: who takes the work over then knows that nobody is sending any more.
_START_SECONDS, _OVERTIME_SECONDS = 30.0, 10.0
# How soon a route that has its share of the places looks again.
_CROWDED_SECONDS = 2.0


@dataclass(frozen=True)
class _Loaded:
    interchange: Interchange
    payload: bytes
    route: Route


async def run(runtime: Runtime, item: Work) -> None:
    """Send the interchange that the work names, or settle what became of it."""
    loaded = await runtime.database.read(lambda tx: _load(tx, runtime, item))
    if loaded is None:
        if await left_behind(runtime, item):
            return
        await runtime.database.write(lambda tx: _give_up(tx, runtime, item))
        return
    interchange, route = loaded.interchange, loaded.route
    # One that a clock dated a day ahead or more is no younger than that.
    if interchange.set_id != "837" and abs(runtime.world.micros() - interchange.created_at) > _INQUIRY_SPAN:
        await runtime.database.write(lambda tx: _ask_no_more(tx, runtime, item, interchange))
        return
    with runtime.places.one(route.id, runtime.places.total // 4) as has_place:
        if has_place:
            await _sent(runtime, item, loaded)
            return
    # A slow payer has its share of the worker: the rest is for the others.
    wait = NotSent("the route has its share of the worker", _CROWDED_SECONDS * (1 + runtime.world.random()))
    await runtime.database.write(lambda tx: _wait(tx, runtime, item, wait))


async def _sent(runtime: Runtime, item: Work, loaded: _Loaded) -> None:
    """Send an interchange, or find out what became of it before."""
    interchange, route = loaded.interchange, loaded.route
    outbound = outbound_of(interchange, loaded.payload)
    with tracing.span(
        "send",
        interchange.traceparent,
        SpanKind.CLIENT,
        route_id=route.id,
        set_id=interchange.set_id,
        interchange_id=interchange.interchange_id,
    ):
        doubtful = interchange.state in ("on_wire", "in_doubt") or await has_lapsed(runtime, interchange, route)
        if doubtful and interchange.set_id == "837":
            if not await may_send_again(runtime, item, interchange, route, outbound):
                return
            loaded = replace(loaded, interchange=structs.replace(interchange, state="safe_to_resend"))
        async with over(runtime, route, interchange.interchange_id, _PATIENCE_SECONDS) as shut:
            if shut is not None:
                if not await moved(runtime, item, interchange, route):
                    await runtime.database.write(lambda tx: _wait(tx, runtime, item, shut))
                return
            begun = runtime.world.monotonic()
            if not await runtime.database.write(lambda tx: _begin(tx, runtime, item, interchange, route)):
                return
            if runtime.world.monotonic() - begun > _START_SECONDS:
                # As where the whole machine stood still. It counts as an attempt that nobody knows the end of.
                raise LeaseLost("the attempt was recorded too long ago to be made")
            outcome = await attempt(runtime, route, outbound)
        # Forgotten, it would leave the interchange in doubt.
        await written(runtime, lambda tx: _record(tx, runtime, item, loaded, outcome))
    runtime.wake.set()


async def _wait(tx: Transaction, runtime: Runtime, item: Work, shut: NotSent) -> None:
    """Nothing may go over the way now: come back when it may."""
    run_at = runtime.world.micros() + round(max(shut.retry_after_seconds or 0.0, 0.01) * SECOND)
    await work.postpone(tx, item, run_at, shut.reason)


async def _ask_no_more(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange) -> None:
    """An inquiry that nobody answered for a day is asked no more; its key is free. An answer that comes yet is taken."""
    reason = "no answer within a day"
    await settle(tx, runtime, item, interchange, "held", GivenUp(reason, interchange.attempts))
    for member in await interchanges.members(tx, interchange.tenant_id, interchange.interchange_id):
        await idempotency.release(tx, interchange.tenant_id, member.transaction_id)


async def attempt(runtime: Runtime, route: Route, outbound: Outbound) -> Outcome:
    """One delivery attempt; an adapter that raises has left us in doubt."""
    started = runtime.world.monotonic()
    try:
        async with asyncio.timeout(route.deadline_seconds + _OVERTIME_SECONDS):
            outcome = await runtime.adapter(route).send(outbound, runtime.adapter_context(route))
    except UnknownAdapter as error:
        # Nothing of it was called: a package that is gone puts no claim in doubt.
        _LOG.error("adapter cannot be used", route_id=route.id, adapter=route.adapter, reason=str(error))
        outcome = NotSent("the adapter cannot be loaded")
    except Exception as error:
        _LOG.warning("adapter raised", route_id=route.id, adapter=route.adapter, exc_info=error)
        outcome = InDoubt(type(error).__name__)
    runtime.metrics.outcomes(route.id, outbound.set_id, type(outcome).__name__).inc()
    runtime.metrics.delivery_seconds(route.id, outbound.set_id).observe(runtime.world.monotonic() - started)
    await feel(runtime, route, outcome)
    return outcome


def outbound_of(interchange: Interchange, payload: bytes) -> Outbound:
    """The frozen interchange as adapters get it."""
    return Outbound(
        interchange.interchange_id, interchange.set_id, f"{interchange.control_number:09d}", payload, interchange.sha256
    )


async def _load(tx: Transaction, runtime: Runtime, item: Work) -> _Loaded | None:
    interchange = await interchanges.get(tx, item.tenant_id, item.subject)
    if interchange is None or interchange.state in SETTLED or interchange.route_id not in runtime.directory.routes:
        return None
    payload = await payloads.load(tx, runtime.vault, item.tenant_id, interchange.payload_id)
    return _Loaded(interchange, payload, runtime.directory.routes[interchange.route_id])


async def _give_up(tx: Transaction, runtime: Runtime, item: Work) -> None:
    """Nothing to send any more, or a route that is no longer configured: then it waits, visibly, for its route."""
    interchange = await interchanges.get(tx, item.tenant_id, item.subject)
    if interchange is None or interchange.state in SETTLED:
        await work.finish(tx, item)
    else:
        await work.postpone(tx, item, later(runtime, item, 60), interchanges.NO_ROUTE)


async def _begin(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, route: Route) -> bool:
    """Record the attempt that follows; False, and nothing follows, where an answer has settled it since it was looked at."""
    current = await interchanges.get(tx, interchange.tenant_id, interchange.interchange_id)
    if current is None or current.state in SETTLED:
        await work.finish(tx, item)
        return False
    now = runtime.world.micros()
    seconds = _START_SECONDS + route.deadline_seconds + 2 * _OVERTIME_SECONDS
    await work.renew(tx, item, now, seconds, await runtime.lease_clock(tx))
    await interchanges.record_attempt(tx, interchange, now)
    return True


async def _record(tx: Transaction, runtime: Runtime, item: Work, loaded: _Loaded, outcome: Outcome) -> None:
    """Commit what an attempt came to, with everything that follows from it."""
    await work.guard(tx, item)
    interchange = loaded.interchange
    current = await interchanges.get(tx, interchange.tenant_id, interchange.interchange_id)
    if current is None or current.state in SETTLED:
        # An answer about it came in while it was under way: whatever this attempt looked like, that is what is true.
        await work.finish(tx, item)
        if isinstance(outcome, (Replied, InDoubt)) and outcome.payload:
            await keep(tx, runtime, interchange, outcome.payload)
        return
    match outcome:
        case PayerHasIt():
            await settle(tx, runtime, item, interchange, "confirmed", Delivered())
        case Replied(payload=payload):
            await settle(tx, runtime, item, interchange, "confirmed", Delivered("reply"))
            await keep(tx, runtime, interchange, payload)
        case Refused(code=code):
            if interchange.set_id == "837" and interchange.copies:
                held = Held("a copy was refused, which says nothing of the one before it")
                await hold(tx, runtime, item, interchange, held)
            else:
                await settle(tx, runtime, item, interchange, "rejected", WasRefused(code, outcome.reason))
        case NotSent():
            wait = outcome.retry_after_seconds or 0.0
            state = "safe_to_resend" if interchange.state == "safe_to_resend" else "intent"
            await interchanges.not_sent(tx, interchange, state, outcome.reason)
            await work.postpone(tx, item, later(runtime, item, wait), outcome.reason)
        case InDoubt(payload=payload):
            if payload:
                await keep(tx, runtime, interchange, payload)
            wait = 0.0
            if interchange.set_id == "837":
                await doubt(tx, runtime, interchange, outcome.reason)
            else:
                await interchanges.set_state(tx, interchange, "in_doubt", outcome.reason)
                if interchange.state != "in_doubt":
                    await apply_to_members(tx, runtime, interchange, Doubted(outcome.reason))
                wait = repeat_seconds(interchange.attempts + 1)
            await work.postpone(tx, item, later(runtime, item, wait), "in doubt")

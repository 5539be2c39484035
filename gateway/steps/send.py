"""Sends an interchange: the bytes that were committed to, once, and again only where that cannot double anything.

Before the first byte an attempt is recorded; a sending that ends without an outcome, or in doubt, is settled by evidence:
the payer's own word (probe), an acknowledgement that arrives, an identical resend where the payer recognises it, a person.
Inquiries (270, 276) change nothing at the payer and may simply be repeated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from adapters.protocol import Delivered as PayerHasIt
from adapters.protocol import InDoubt, NotSent, Outbound, Outcome, Refused, Replied
from gateway.ledger import idempotency, inbound, interchanges, payloads, transactions
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import KEEP, Delivered, Doubted, Fact, GivenUp, Held
from gateway.lifecycle import Refused as WasRefused
from gateway.payers import Route
from gateway.retry_rules import repeat_seconds
from gateway.runtime import Runtime
from gateway.steps.waiting import later
from gateway.ways import over
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["apply_to_members", "attempt", "outbound_of", "run"]

_LOG = log.get("gateway.send")
# The payer's word may take a moment to be true; after this many questions a person is asked instead.
_PROBES_MAX = 6
# Whoever asked has long asked otherwise.
_INQUIRY_SPAN = 24 * 3600 * SECOND
# Longer than this a place of the worker is not held for a place on the way.
_PATIENCE_SECONDS = 0.5
_SETTLED = frozenset(("confirmed", "rejected", "held"))


@dataclass(frozen=True)
class _Loaded:
    interchange: Interchange
    payload: bytes
    route: Route


async def run(runtime: Runtime, item: Work) -> None:
    """Send the interchange that the work names, or settle what became of it."""
    loaded = await runtime.database.read(lambda tx: _load(tx, runtime, item))
    if loaded is None:
        await runtime.database.write(lambda tx: _give_up(tx, runtime, item))
        return
    interchange, route = loaded.interchange, loaded.route
    if interchange.set_id != "837" and runtime.world.micros() > interchange.created_at + _INQUIRY_SPAN:
        await runtime.database.write(lambda tx: _ask_no_more(tx, runtime, item, interchange))
        return
    outbound = outbound_of(interchange, loaded.payload)
    with tracing.span(
        "send",
        interchange.traceparent,
        SpanKind.CLIENT,
        route_id=route.id,
        set_id=interchange.set_id,
        interchange_id=interchange.interchange_id,
    ):
        begun_before = interchange.attempts > 0 and interchange.state in ("on_wire", "in_doubt")
        if begun_before and interchange.set_id == "837" and not await _may_send_again(runtime, item, loaded, outbound):
            return
        async with over(runtime, route, interchange.interchange_id, _PATIENCE_SECONDS) as shut:
            if shut is not None:
                await runtime.database.write(lambda tx: _wait(tx, runtime, item, shut))
                return
            await runtime.database.write(lambda tx: _begin(tx, runtime, item, interchange))
            outcome = await attempt(runtime, route, outbound)
        await runtime.database.write(lambda tx: _record(tx, runtime, item, loaded, outcome))
    runtime.wake.set()


async def _wait(tx: Transaction, runtime: Runtime, item: Work, shut: NotSent) -> None:
    """Nothing may go over the way now: come back when it may."""
    run_at = runtime.world.micros() + round(max(shut.retry_after_seconds or 0.0, 0.01) * SECOND)
    await work.postpone(tx, item, run_at, shut.reason)


async def _ask_no_more(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange) -> None:
    """An inquiry that nobody answered for a day is asked no more; its key is free. An answer that comes yet is taken."""
    reason = "no answer within a day"
    await _settle(tx, runtime, item, interchange, "held", GivenUp(reason, interchange.attempts))
    for member in await interchanges.members(tx, interchange.tenant_id, interchange.interchange_id):
        await idempotency.release(tx, interchange.tenant_id, member.transaction_id)


async def attempt(runtime: Runtime, route: Route, outbound: Outbound) -> Outcome:
    """One delivery attempt; an adapter that raises has left us in doubt."""
    started = runtime.world.monotonic()
    try:
        outcome = await runtime.adapter(route).send(outbound, runtime.adapter_context(route))
    except Exception as error:
        _LOG.warning("adapter raised", route_id=route.id, adapter=route.adapter, exc_info=error)
        outcome = InDoubt(type(error).__name__)
    runtime.metrics.outcomes(route.id, outbound.set_id, type(outcome).__name__).inc()
    runtime.metrics.delivery_seconds(route.id, outbound.set_id).observe(runtime.world.monotonic() - started)
    return outcome


def outbound_of(interchange: Interchange, payload: bytes) -> Outbound:
    """The frozen interchange as adapters get it."""
    return Outbound(
        interchange.interchange_id, interchange.set_id, f"{interchange.control_number:09d}", payload, interchange.sha256
    )


async def _load(tx: Transaction, runtime: Runtime, item: Work) -> _Loaded | None:
    interchange = await interchanges.get(tx, item.tenant_id, item.subject)
    if interchange is None or interchange.state in _SETTLED or interchange.route_id not in runtime.directory.routes:
        return None
    payload = await payloads.load(tx, runtime.vault, item.tenant_id, interchange.payload_id)
    return _Loaded(interchange, payload, runtime.directory.routes[interchange.route_id])


async def _give_up(tx: Transaction, runtime: Runtime, item: Work) -> None:
    """Nothing to send any more, or a route that is no longer configured: then it waits, visibly, for its route."""
    interchange = await interchanges.get(tx, item.tenant_id, item.subject)
    if interchange is None or interchange.state in _SETTLED:
        await work.finish(tx, item)
    else:
        await work.postpone(tx, item, later(runtime, item, 60), "the route of this interchange is not configured")


async def _begin(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange) -> None:
    await work.guard(tx, item)
    await interchanges.record_attempt(tx, interchange, runtime.world.micros())


async def _may_send_again(runtime: Runtime, item: Work, loaded: _Loaded, outbound: Outbound) -> bool:
    """Whether claims whose sending is in doubt may leave once more; if not, what is known is committed here."""
    route, interchange = loaded.route, loaded.interchange
    adapter = runtime.adapter(route)
    evidence = (
        await adapter.probe(outbound, runtime.adapter_context(route)) if adapter.capabilities.probes else "unknown"
    )
    _LOG.info("doubt probed", interchange_id=interchange.interchange_id, route_id=route.id, evidence=evidence)
    if evidence == "absent" or (evidence == "unknown" and route.duplicates != "none"):
        return True
    if evidence == "received":
        fact: Fact = Delivered("probe")
        await runtime.database.write(lambda tx: _settle(tx, runtime, item, interchange, "confirmed", fact))
    elif item.attempts < _PROBES_MAX:
        await runtime.database.write(
            lambda tx: work.postpone(tx, item, later(runtime, item), "in doubt: asking the payer")
        )
    else:
        held = Held("the payer cannot say whether it has the interchange")
        await runtime.database.write(lambda tx: _settle(tx, runtime, item, interchange, "held", held))
        _LOG.warning("interchange held", interchange_id=interchange.interchange_id, route_id=route.id)
    return False


async def _settle(
    tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, state: str, fact: Fact
) -> None:
    await work.finish(tx, item)
    await interchanges.set_state(tx, interchange, state)
    await apply_to_members(tx, runtime, interchange, fact)


async def _record(tx: Transaction, runtime: Runtime, item: Work, loaded: _Loaded, outcome: Outcome) -> None:
    """Commit what an attempt came to, with everything that follows from it."""
    interchange = loaded.interchange
    match outcome:
        case PayerHasIt():
            await _settle(tx, runtime, item, interchange, "confirmed", Delivered())
        case Replied(payload=payload):
            await _settle(tx, runtime, item, interchange, "confirmed", Delivered("reply"))
            await _keep(tx, runtime, interchange, payload)
        case Refused(code=code):
            await _settle(tx, runtime, item, interchange, "rejected", WasRefused(code, outcome.reason))
        case NotSent():
            wait = outcome.retry_after_seconds or 0.0
            await interchanges.set_state(tx, interchange, "intent", outcome.reason)
            await work.postpone(tx, item, later(runtime, item, wait), outcome.reason)
        case InDoubt(payload=payload):
            if payload:
                await _keep(tx, runtime, interchange, payload)
            await interchanges.set_state(tx, interchange, "in_doubt", outcome.reason)
            if interchange.state != "in_doubt":
                await apply_to_members(tx, runtime, interchange, Doubted(outcome.reason))
            wait = 0.0 if interchange.set_id == "837" else repeat_seconds(interchange.attempts + 1)
            await work.postpone(tx, item, later(runtime, item, wait), "in doubt")


async def _keep(tx: Transaction, runtime: Runtime, interchange: Interchange, payload: bytes) -> None:
    """Keep what a payer answered, and have it read."""
    now = runtime.world.micros()
    file, new = await inbound.store(
        tx,
        runtime.vault,
        interchange.tenant_id,
        interchange.route_id,
        runtime.world.new_id(),
        payload,
        now,
        interchange.traceparent,
    )
    if new:
        await work.enqueue(tx, interchange.tenant_id, file.inbound_id, "apply", file.inbound_id, now)


async def apply_to_members(
    tx: Transaction,
    runtime: Runtime,
    interchange: Interchange,
    fact: Fact,
    control_number: str | None = None,
    inbound_id: str | None = None,
) -> int:
    """Let a fact happen to every transaction in an interchange, or in one of its transaction sets; how many there are."""
    now = runtime.world.micros()
    held = await transactions.of_interchange(tx, interchange.tenant_id, interchange.interchange_id, control_number)
    for traceparent in {subject.traceparent for subject in held}:
        tracing.link(traceparent)
    facts = [(subject, fact) for subject in held]
    changes = await transactions.apply_all(tx, facts, runtime.profile, now, interchange.interchange_id, inbound_id)
    for kind, count in Counter(subject.kind for subject in held).items():
        runtime.metrics.facts(kind, type(fact).__name__).inc(count)
    due = [c.follow_up_at for c in changes if c.follow_up_at is not None and c.follow_up_at != KEEP]
    if due:
        await work.enqueue(
            tx, interchange.tenant_id, runtime.world.new_id(), "follow_up", interchange.tenant_id, now, min(due)
        )
    return len(held)

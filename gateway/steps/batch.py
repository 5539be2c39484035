"""Gathers a route's accepted claims into one interchange and commits to it, claims, numbers, bytes and all."""

from __future__ import annotations

from gateway.envelopes import commit_interchange, reference
from gateway.ledger import payloads, transactions
from gateway.ledger.interchanges import Member
from gateway.lifecycle import Built
from gateway.payers import Route
from gateway.runtime import Runtime
from gateway.steps.waiting import later
from gateway.world import dated
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work
from x12.batch import assemble
from x12.syntax import CANONICAL

__all__ = ["CLAIM_GROUP", "run"]

_LOG = log.get("gateway.batch")
# GS01 and GS08 of professional claims.
CLAIM_GROUP = ("HC", "005010X222A1")
Assembled = list[tuple[list[str], list[int]]]


async def run(runtime: Runtime, item: Work) -> None:
    """Build one interchange out of what waits on the route that the work names."""
    route = runtime.directory.routes.get(item.subject)
    if route is None:
        when = later(runtime, item, 60)
        await runtime.database.write(lambda tx: work.postpone(tx, item, when, "the route is not configured"))
        return
    claims, texts = await runtime.database.read(lambda tx: _load(tx, runtime, item, route))
    if not claims:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    interchange_id = runtime.world.new_id()
    date, hour = dated(runtime.world.micros())
    sets = assemble([text.split(CANONICAL.segment) for text in texts], reference(interchange_id), date, hour)
    traces = {claim.traceparent for claim in claims}
    # One caller's interchange goes on in the caller's trace; where there are more, each is linked.
    above = next(iter(traces)) if len(traces) == 1 else None
    with tracing.span("batch", above, route_id=route.id, claims=len(claims), interchange_id=interchange_id):
        for traceparent in traces:
            tracing.link(traceparent)
        await runtime.database.write(lambda tx: _commit(tx, runtime, item, route, interchange_id, claims, sets))
        _LOG.info(
            "interchange built", interchange_id=interchange_id, route_id=route.id, claims=len(claims), sets=len(sets)
        )
    runtime.wake.set()


async def _load(
    tx: Transaction, runtime: Runtime, item: Work, route: Route
) -> tuple[list[transactions.Transaction], list[str]]:
    claims = await transactions.waiting_claims(tx, item.tenant_id, route.id, route.batch_claims_max)
    texts = [(await payloads.load(tx, runtime.vault, item.tenant_id, c.request_id or "")).decode() for c in claims]
    return claims, texts


async def _commit(
    tx: Transaction,
    runtime: Runtime,
    item: Work,
    route: Route,
    interchange_id: str,
    claims: list[transactions.Transaction],
    sets: Assembled,
) -> None:
    now = runtime.world.micros()
    held: list[Member] = []
    for segments, indexes in sets:
        control_number = segments[0].split(CANONICAL.element)[2]
        held += [Member(control_number, ordinal, claims[index].transaction_id) for ordinal, index in enumerate(indexes)]
    made, _ = await commit_interchange(
        tx,
        runtime,
        item.tenant_id,
        interchange_id,
        route,
        CLAIM_GROUP,
        [s for s, _ in sets],
        held,
        now,
        tracing.current(),
    )
    subjects = {claim.transaction_id: claim for claim in claims}
    built = [(subjects[m.transaction_id], Built(made.control_number, m.control_number)) for m in held]
    await transactions.apply_all(tx, built, runtime.profile, now, interchange_id)
    await work.enqueue(tx, item.tenant_id, interchange_id, "send", interchange_id, now)
    if len(claims) < route.batch_claims_max:
        await work.finish(tx, item)
    else:
        await work.postpone(tx, item, now + SECOND // 100, "more claims are waiting")

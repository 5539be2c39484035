"""Gathers a route's accepted claims into interchanges, one for each guide that they follow, and commits to them whole.

A functional group has the claims of one guide only (GS08), and its number is that of its interchange, by which its 999 is known. Tests
(ISA15 T) leave in interchanges of their own, and so does each claim that may have left before a backup was restored: in doubt, not sent.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.claim_kinds import convention_of
from gateway.envelopes import commit_interchange, reference
from gateway.ledger import payloads, restorations, transactions
from gateway.ledger.evidence import RESTORED
from gateway.ledger.interchanges import Member
from gateway.lifecycle import Built
from gateway.payers import Route
from gateway.runtime import Runtime
from gateway.steps.rerouting import elsewhere, movable
from gateway.steps.settling import doubt
from gateway.steps.waiting import later
from gateway.ways import SHUT, down_until
from gateway.world import dated
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work
from x12.batch import assemble
from x12.syntax import CANONICAL

__all__ = ["run"]

_LOG = log.get("gateway.batch")
# GS01 of claims of any kind.
_CLAIMS = "HC"
# A route that is down is looked at again so soon, if it is not said to be down for less.
_LOOK_SECONDS = 60
# Claims of a route that is gone that are looked at together.
_LEFT_BEHIND = 500


class _Gathered(NamedTuple):
    """An interchange to be: its claims, which follow one edition of one guide and are all tests or none, and its sets with the
    places of theirs.
    """

    interchange_id: str
    convention: str
    usage: str
    claims: list[transactions.Transaction]
    in_doubt: bool
    sets: list[tuple[list[str], list[int]]]


async def run(runtime: Runtime, item: Work) -> None:
    """Build one interchange out of what waits on the route that the work names."""
    route = runtime.directory.routes.get(item.subject)
    if route is None:
        await _left_behind(runtime, item)
        return
    down = await down_until(runtime, route)
    if down is not None:
        await _wait_or_move(runtime, item, route, down)
        return
    claims, texts, doubted = await runtime.database.read(lambda tx: _load(tx, runtime, item, route))
    if not claims:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    gathered = _gather(runtime, claims, [text.split(CANONICAL.segment) for text in texts], doubted)
    traces = {claim.traceparent for claim in claims}
    # One caller's interchange goes on in the caller's trace; where there are more, each is linked.
    above = next(iter(traces)) if len(traces) == 1 else None
    ids = [one.interchange_id for one in gathered]
    with tracing.span("batch", above, route_id=route.id, claims=len(claims), interchange_id=ids[0]):
        for traceparent in traces:
            tracing.link(traceparent)
        await runtime.database.write(lambda tx: _commit(tx, runtime, item, route, gathered, len(claims)))
        for one in gathered:
            _LOG.info(
                "interchange built",
                interchange_id=one.interchange_id,
                route_id=route.id,
                claims=len(one.claims),
                sets=len(one.sets),
            )
    runtime.wake.set()


async def _wait_or_move(runtime: Runtime, item: Work, route: Route, until: int) -> None:
    """The route is down: claims that have another way take it, the others wait, in no interchange, for this one."""
    waiting, moving, others = await movable(runtime, item.tenant_id, route.id, route.batch_claims_max)

    async def commit(tx: Transaction) -> None:
        await work.guard(tx, item)
        await elsewhere(tx, runtime, moving, others)
        if len(moving) == waiting < route.batch_claims_max:
            await work.finish(tx, item)
        else:
            # A pause of a person's may end at any time.
            run_at = min(until, runtime.world.micros() + _LOOK_SECONDS * SECOND) if not moving else 0
            await work.postpone(tx, item, max(run_at, runtime.world.micros() + SECOND // 100), SHUT[-1])

    await runtime.database.write(commit)
    runtime.wake.set()


async def _left_behind(runtime: Runtime, item: Work) -> None:
    """The route is not configured any more: claims whose payer has another way take it, the others wait, visibly, for this one."""
    _, moving, others = await movable(runtime, item.tenant_id, item.subject, _LEFT_BEHIND)

    async def commit(tx: Transaction) -> None:
        await work.guard(tx, item)
        await elsewhere(tx, runtime, moving, others)
        when = runtime.world.micros() + SECOND // 100 if moving else later(runtime, item, _LOOK_SECONDS)
        await work.postpone(tx, item, when, "the route is not configured")

    await runtime.database.write(commit)
    runtime.wake.set()


def _gather(
    runtime: Runtime, claims: list[transactions.Transaction], segments: list[list[str]], doubted: frozenset[str]
) -> list[_Gathered]:
    """The claims by the guide that they follow, in the order in which the first of each came; those in doubt each alone."""
    date, hour = dated(runtime.world.micros())
    places: dict[tuple[str, str, str | None], list[int]] = {}
    for place, (claim, lines) in enumerate(zip(claims, segments, strict=True)):
        alone = claim.transaction_id if claim.transaction_id in doubted else None
        places.setdefault((convention_of(lines), claim.usage, alone), []).append(place)
    gathered: list[_Gathered] = []
    for (convention, usage, alone), mine in places.items():
        interchange_id = runtime.world.new_id()
        sets = assemble([segments[place] for place in mine], reference(interchange_id), date, hour)
        carried = [claims[place] for place in mine]
        gathered.append(_Gathered(interchange_id, convention, usage, carried, alone is not None, sets))
    return gathered


async def _load(
    tx: Transaction, runtime: Runtime, item: Work, route: Route
) -> tuple[list[transactions.Transaction], list[str], frozenset[str]]:
    claims = await transactions.waiting_claims(tx, item.tenant_id, route.id, route.batch_claims_max)
    texts = [(await payloads.load(tx, runtime.vault, item.tenant_id, c.request_id or "")).decode() for c in claims]
    return claims, texts, await restorations.claims_in_doubt(tx, item.tenant_id)


async def _commit(
    tx: Transaction, runtime: Runtime, item: Work, route: Route, gathered: list[_Gathered], claims: int
) -> None:
    # Claims that were read under a lease that has passed on may be in another interchange by now.
    await work.guard(tx, item)
    now = runtime.world.micros()
    for one in gathered:
        await _commit_one(tx, runtime, item, route, one, now)
    if claims < route.batch_claims_max:
        await work.finish(tx, item)
    else:
        await work.postpone(tx, item, now + SECOND // 100, "more claims are waiting")


async def _commit_one(tx: Transaction, runtime: Runtime, item: Work, route: Route, one: _Gathered, now: int) -> None:
    held: list[Member] = []
    for segments, indexes in one.sets:
        control_number = segments[0].split(CANONICAL.element)[2]
        held += [Member(control_number, ordinal, one.claims[i].transaction_id) for ordinal, i in enumerate(indexes)]
    made, _ = await commit_interchange(
        tx,
        runtime,
        item.tenant_id,
        one.interchange_id,
        route,
        (_CLAIMS, one.convention),
        [s for s, _ in one.sets],
        held,
        now,
        tracing.current(),
        usage=one.usage,
    )
    # Copies: what is written here may be written once more, where the database undid it.
    subjects = {claim.transaction_id: msgspec.structs.replace(claim) for claim in one.claims}
    built = [(subjects[m.transaction_id], Built(made.control_number, m.control_number)) for m in held]
    await transactions.apply_all(tx, built, runtime.profile, now, one.interchange_id)
    if one.in_doubt:
        await restorations.now_in_interchanges(tx, item.tenant_id, list(subjects))
        await doubt(tx, runtime, made, restorations.REASON, RESTORED)
    await work.enqueue(tx, item.tenant_id, one.interchange_id, "send", one.interchange_id, now)

"""Claims whose way is down go over another one, as long as nothing of them can have left on the first.

A claim that waits for its interchange may move; one in an interchange of which no byte ever left moves with it, and that interchange is
never sent. What is on the wire, in doubt, or was ever so, stays where it is. So it is where a way is not configured any more.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger import interchanges, restorations, transactions
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import Rerouted
from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from gateway.ways import down_until, way_to
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import Work

__all__ = ["elsewhere", "left_behind", "movable", "moved"]

_LOG = log.get("gateway.rerouting")


async def _others_of(runtime: Runtime, claims: Sequence[transactions.Transaction], route_id: str) -> dict[str, Route]:
    """The ways that claims may take instead of a route, by their transaction ids; those that have none are left out."""
    ways: dict[tuple[str, str], Route | None] = {}
    found: dict[str, Route] = {}
    for claim in claims:
        payer = runtime.directory.payers.get(claim.payer_id)
        if payer is None:
            continue
        key = (claim.payer_id, claim.usage)
        if key not in ways:
            ways[key] = await way_to(runtime, payer, claim.usage, "837", beside=(route_id,))
        if (other := ways[key]) is not None:
            found[claim.transaction_id] = other
    return found


async def movable(
    runtime: Runtime, tenant_id: str, route_id: str, limit: int
) -> tuple[int, list[transactions.Transaction], dict[str, Route]]:
    """Of the claims that wait on a route, so many at most: how many they are, which of them may move, and where to.

    What a restored backup leaves in doubt stays.
    """
    waiting = await runtime.database.read(lambda tx: transactions.waiting_claims(tx, tenant_id, route_id, limit))
    doubted = await runtime.database.read(lambda tx: restorations.claims_in_doubt(tx, tenant_id))
    others = await _others_of(runtime, [c for c in waiting if c.transaction_id not in doubted], route_id)
    return len(waiting), [claim for claim in waiting if claim.transaction_id in others], others


async def elsewhere(
    tx: Transaction, runtime: Runtime, claims: Sequence[transactions.Transaction], others: dict[str, Route]
) -> None:
    """Let claims wait for their interchanges on other ways."""
    now = runtime.world.micros()
    moving = [(claim, Rerouted(others[claim.transaction_id].id)) for claim in claims]
    await transactions.apply_all(tx, moving, runtime.profile, now)
    for other in {route.id: route for route in others.values()}.values():
        ids = [claim.transaction_id for claim in claims if others[claim.transaction_id] == other]
        await transactions.reroute(tx, TENANT, ids, other.id)
        await work.enqueue(tx, TENANT, runtime.world.new_id(), "batch", other.id, now)
        _LOG.warning("claims rerouted", route_id=other.id, claims=len(ids))


async def moved(runtime: Runtime, item: Work, interchange: Interchange, route: Route) -> bool:
    """Whether the claims of an interchange that cannot leave now went elsewhere: all of them, or none."""
    if not _never_left(interchange) or await down_until(runtime, route) is None:
        return False
    return await _moved(runtime, item, interchange, "never sent: its route is down")


async def left_behind(runtime: Runtime, item: Work) -> bool:
    """Whether the claims of an interchange whose route is not configured any more went elsewhere: all of them, or none."""
    interchange = await runtime.database.read(lambda tx: interchanges.get(tx, item.tenant_id, item.subject))
    if interchange is None or interchange.route_id in runtime.directory.routes or not _never_left(interchange):
        return False
    return await _moved(runtime, item, interchange, "never sent: its route is not configured")


def _never_left(interchange: Interchange) -> bool:
    """Whether it has claims, and no byte of it can be at the payer."""
    return interchange.set_id == "837" and interchange.state == "intent" and not interchange.copies


async def _moved(runtime: Runtime, item: Work, interchange: Interchange, why: str) -> bool:
    tenant_id, interchange_id = interchange.tenant_id, interchange.interchange_id
    claims = await runtime.database.read(lambda tx: transactions.of_interchange(tx, tenant_id, interchange_id))
    others = await _others_of(runtime, claims, interchange.route_id)
    if len(others) < len(claims):
        return False

    async def commit(tx: Transaction) -> bool:
        await work.guard(tx, item)
        current = await interchanges.get(tx, tenant_id, interchange_id)
        # Nothing of it may have left, at the moment at which that is settled.
        if current is None or not _never_left(current):
            return False
        await work.finish(tx, item)
        await interchanges.set_state(tx, current, "released", why)
        fresh = await transactions.of_interchange(tx, tenant_id, interchange_id)
        await elsewhere(tx, runtime, fresh, others)
        return True

    done = await runtime.database.write(commit)
    runtime.wake.set()
    return done

"""Looks once a minute for what a person should know: claims on which a payer is silent, doubts, routes that are down, work given up.

Alarms are made out of what the ledger says, so that a crash, a second worker or a restart raises none twice and forgets none. A claim that
is silent beyond its payer's time is told so once for each rung of its ladder, and is asked about at once.
"""

from __future__ import annotations

from collections import Counter

from gateway.clock import DOUBTED_SECONDS, doubted_until
from gateway.ledger import alarms, dates, inbound, interchanges, signs, transactions
from gateway.ledger.alarms import Cause
from gateway.ledger.signs import BLOCKED, CERTIFICATE, DISK
from gateway.lifecycle import RUNGS, Overdue, Rung
from gateway.payers import Payer
from gateway.runtime import TENANT, Runtime
from gateway.steps.waiting import LONGEST_SECONDS
from observability import log
from queues import circuits, clock, work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["run"]

_LOG = log.get("gateway.watch")
_EVERY_SECONDS = 60
_PAGE = 500
# Of an index alone: a few milliseconds.
_COUNTED = 10_000
# A route that is down for less is no reason to wake anybody.
_DOWN_SECONDS = 300
# Alarms that come together are written about together.
_GATHER_SECONDS = 30


async def run(runtime: Runtime, item: Work) -> None:
    """Tell claims that are silent, make the alarms those that have a cause, and come back in a minute."""
    doubted = await runtime.database.read(lambda tx: doubted_until(tx, runtime))
    for payer in list(runtime.directory.payers.values()) if doubted is None else ():
        # The highest rung first: who is silent there is told so once, and not of each below.
        for rung, span in reversed(payer.expects.clocks):
            while await _told(runtime, item, payer, rung, span):
                pass
    silent = await _overdue(runtime)
    await runtime.database.write(lambda tx: _alarms(tx, runtime, item, silent))
    runtime.wake.set()


async def _told(runtime: Runtime, item: Work, payer: Payer, rung: Rung, span: int) -> bool:
    """Tell a page of claims, or of inquiries, that nothing was said on this rung; whether there may be more. Mostly there is none, and nothing to commit."""

    async def silent(tx: Transaction, now: int, limit: int) -> list[transactions.Transaction]:
        return await transactions.silent(tx, TENANT, payer.id, rung, now - span, limit)

    async def tell(tx: Transaction) -> int:
        await work.guard(tx, item)
        now = runtime.world.micros()
        found = await silent(tx, now, _PAGE)
        asked = await transactions.asked(tx, TENANT, [one.transaction_id for one in found])
        asks = rung not in ("277", "835")
        facts = [(one, Overdue(rung, asks=asks and one.transaction_id not in asked)) for one in found]
        changes = await transactions.apply_all(tx, facts, runtime.profile, now)
        if any(change.follow_up_at == now for change in changes):
            await work.enqueue(tx, TENANT, runtime.world.new_id(), "follow_up", TENANT, now)
        return len(found)

    if not await runtime.database.read(lambda tx: silent(tx, runtime.world.micros(), 1)):
        return False
    count = await runtime.database.write(tell)
    _LOG.warning("payer silent", payer_id=payer.id, set_id=rung, count=count)
    return count == _PAGE


async def _overdue(runtime: Runtime) -> list[tuple[str, Rung, int]]:
    """(payer, rung, number) of claims on which a payer is silent beyond its time, counted in pages: others have their turn in between."""
    found: list[tuple[str, Rung, int]] = []
    at: tuple[str, str] = "", ""
    read = runtime.database.read
    while (place := await read(lambda tx, at=at: transactions.overdue_after(tx, TENANT, *at))) is not None:
        total, last = 0, ""
        while last is not None:
            count, last = await read(
                lambda tx, last=last, place=place: transactions.count_overdue(tx, TENANT, *place, last, _COUNTED)
            )
            total += count
            await runtime.world.sleep(0)
        # Answers may have come for all of them between two looks.
        if total:
            found.append((*place, total))
        at = place
    return found


async def _alarms(tx: Transaction, runtime: Runtime, item: Work, silent: list[tuple[str, Rung, int]]) -> None:
    await work.finish(tx, item)
    now = runtime.world.micros()
    causes: dict[str, list[Cause]] = {f"silent {rung}": [] for rung in RUNGS}
    for payer_id, rung, count in silent:
        causes[f"silent {rung}"].append(Cause(payer_id, count, payer_id=payer_id))
    causes |= {"in doubt": [], "number taken": []}
    for route_id, number_taken, count in await interchanges.undecided(tx, TENANT, now):
        causes["number taken" if number_taken else "in doubt"].append(Cause(route_id, count, route_id=route_id))
    causes["unmatched"] = [
        Cause(route_id, count, route_id=route_id) for route_id, count in await inbound.waiting(tx, TENANT)
    ]
    causes["route down"] = [
        Cause(one.lane, one.failures, route_id=one.lane, detail=one.reason)
        for one in await circuits.unwell(tx, TENANT)
        if one.open_until and one.since <= now - _DOWN_SECONDS * SECOND
    ]
    causes["route gone"] = await _stranded(tx, runtime)
    causes["clock"] = await _jumped(tx, runtime)
    causes |= {kind: [] for kind in (BLOCKED, CERTIFICATE, DISK)}
    for sign in await signs.standing(tx, TENANT, now):
        causes[sign.kind].append(Cause(sign.subject, sign.count, route_id=sign.route_id, detail=sign.detail))
    causes["work buried"] = [Cause(kind, count, detail=kind) for kind, count in await work.buried(tx, TENANT)]
    new = False
    for kind, found in causes.items():
        for raised in await alarms.refresh(tx, TENANT, kind, found, now, runtime.world.new_id):
            new = True
            _LOG.warning(
                "alarm",
                kind=kind,
                count=raised.count,
                payer_id=raised.payer_id or None,
                route_id=raised.route_id or None,
            )
    if runtime.config.mail is not None and await alarms.to_mail(tx, TENANT, 1):
        # Mail that was not taken keeps its own pace: a server that is asked too often, as with a wrong password, shuts its door.
        run_at = now + round((_GATHER_SECONDS if new else LONGEST_SECONDS) * SECOND)
        await work.enqueue(tx, TENANT, runtime.world.new_id(), "mail", TENANT, now, run_at)
    again = now + _EVERY_SECONDS * SECOND
    await work.enqueue(tx, TENANT, runtime.world.new_id(), "watch", TENANT, now, again)


async def _stranded(tx: Transaction, runtime: Runtime) -> list[Cause]:
    """What waits for routes that are not configured any more."""
    counts: Counter[str] = Counter()
    for ledger in (transactions.waiting_on, interchanges.stranded, inbound.stranded):
        for route_id, count in await ledger(tx, TENANT):
            if route_id not in runtime.directory.routes:
                counts[route_id] += count
    return [Cause(route_id, count, route_id=route_id) for route_id, count in sorted(counts.items())]


async def _jumped(tx: Transaction, runtime: Runtime) -> list[Cause]:
    """A jump of the clock within the hour, or after one interchanges whose dates are still to come."""
    kept, now = await clock.standing(tx, TENANT), runtime.world.micros()
    if kept is None or not kept.jump:
        return []
    written = await dates.written_ahead(tx, TENANT, now) if kept.jump < 0 else 0
    if not written and now - runtime.world.ahead >= kept.jumped_at + DOUBTED_SECONDS * SECOND:
        return []
    how = "back" if kept.jump < 0 else "ahead"
    return [Cause("clock", written, detail=f"{how} by {round(abs(kept.jump) / SECOND)} seconds")]

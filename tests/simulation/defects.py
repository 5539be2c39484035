"""Defects that gateways of this kind have had, planted one at a time: the simulator must find each.

Each puts something wrong into the gateway, an adapter or the database, as a person might write it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from adapters.protocol import Context, Delivered, Evidence, Inbound, InDoubt, NotSent, Outbound, Outcome
from gateway import clock, lifecycle, matching, runtime, worker
from gateway.ledger import idempotency, inbound, transactions
from gateway.lifecycle import KEEP
from gateway.lifecycle import Delivered as WasDelivered
from gateway.simulation.machine import StoredHere
from gateway.simulation.payers import SimulatedAdapter
from gateway.steps import apply, batch, collect, follow_up, send, settling
from queues import work
from queues.database import SQLite, Transaction, Unique
from queues.work import Work

__all__ = ["DEFECTS", "Defect", "sends_again_when_in_doubt"]

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


# --- sending ---


def sends_again_when_in_doubt(patch: Patch) -> None:
    """What may have left is sent once more, whatever the payer's rule."""

    async def always(*_: object) -> bool:
        return True

    patch.setattr(send, "may_send_again", always)


def mints_a_number_for_each_attempt(patch: Patch) -> None:
    """The most common of all: a retry is built anew."""
    frozen = send.outbound_of

    def anew(interchange: Any, payload: bytes) -> Outbound:
        outbound = frozen(interchange, payload)
        if not interchange.attempts:
            return outbound
        number = f"{interchange.control_number + 100_000_000 * interchange.attempts:09d}"
        content = payload.replace(outbound.control_number.encode(), number.encode())
        return msgspec.structs.replace(outbound, control_number=number, payload=content)

    patch.setattr(send, "outbound_of", anew)


def marks_before_it_sends(patch: Patch) -> None:
    """The payer is said to have it before the first byte leaves."""
    begin = vars(send)["_begin"]

    async def marked(tx: Transaction, of: Any, item: Work, interchange: Any, route: Any) -> bool:
        begun: bool = await begin(tx, of, item, interchange, route)
        if interchange.set_id == "837":
            await send.interchanges.set_state(tx, interchange, "confirmed")
            await send.apply_to_members(tx, of, interchange, WasDelivered())
        return begun

    patch.setattr(send, "_begin", marked)


def sends_before_it_marks(patch: Patch) -> None:
    """The attempt is not recorded before the first byte leaves."""

    async def unmarked(tx: Transaction, of: Any, item: Work, *_: object) -> bool:
        await work.guard(tx, item)
        return True

    patch.setattr(send, "_begin", unmarked)


def takes_a_cut_for_not_sent(patch: Patch) -> None:
    """An adapter that calls every lost connection a failure to connect."""
    deliver = SimulatedAdapter.send

    async def wrong(self: SimulatedAdapter, outbound: Outbound, context: Context) -> Outcome:
        outcome = await deliver(self, outbound, context)
        return NotSent(outcome.reason) if isinstance(outcome, InDoubt) else outcome

    patch.setattr(SimulatedAdapter, "send", wrong)


def takes_any_page_for_a_receipt(patch: Patch) -> None:
    """An adapter that looks at the status of an answer alone."""
    deliver = SimulatedAdapter.send

    async def wrong(self: SimulatedAdapter, outbound: Outbound, context: Context) -> Outcome:
        outcome = await deliver(self, outbound, context)
        return Delivered() if isinstance(outcome, InDoubt) and outcome.payload else outcome

    patch.setattr(SimulatedAdapter, "send", wrong)


def takes_no_word_for_absent(patch: Patch) -> None:
    """A probe that could not be made is taken for the payer's word."""
    probe = SimulatedAdapter.probe

    async def wrong(self: SimulatedAdapter, outbound: Outbound, context: Context) -> Evidence:
        word = await probe(self, outbound, context)
        return "absent" if word == "unknown" else word

    patch.setattr(SimulatedAdapter, "probe", wrong)


def believes_absent_at_once(patch: Patch) -> None:
    """A payer that is still taking it in is believed that it has nothing."""

    def never(*_: object) -> float:
        return 0.0

    patch.setattr(settling, "_too_early", never)


def builds_a_claim_twice(patch: Patch) -> None:
    """Claims that are gathered stay gathered for the next interchange, where a page came to its end just now."""
    waiting = transactions.waiting_claims
    before: dict[str, list[transactions.Transaction]] = {}

    async def again(tx: Transaction, tenant_id: str, route_id: str, limit: int) -> list[transactions.Transaction]:
        found = await waiting(tx, tenant_id, route_id, limit)
        last, before[route_id] = before.get(route_id, []), found
        known = {claim.transaction_id for claim in found}
        return found + [claim for claim in last if found and claim.transaction_id not in known]

    patch.setattr(transactions, "waiting_claims", again)


# --- work ---


def has_no_fence(patch: Patch) -> None:
    """Whoever had a lease may finish, postpone and go on, whoever has it now."""

    async def nothing(*_: object) -> None:
        return

    def unfenced(do: Any) -> Any:
        async def done(tx: Transaction, item: Work, *rest: Any, **more: Any) -> None:
            row = await tx.row(
                "SELECT fence FROM work WHERE tenant_id = $1 AND work_id = $2", item.tenant_id, item.work_id
            )
            if row is not None:
                await do(tx, msgspec.structs.replace(item, fence=row[0]), *rest, **more)

        return done

    patch.setattr(work, "guard", nothing)
    for name in ("finish", "postpone", "renew", "bury"):
        patch.setattr(work, name, unfenced(getattr(work, name)))


def queues_after_the_commit(patch: Patch) -> None:
    """The work that a change causes is put into the queue once the change is committed."""
    enqueue = work.enqueue

    async def later(tx: Transaction, tenant_id: str, work_id: str, kind: str, *rest: Any) -> None:
        frame = inspect.currentframe()
        of = None
        while frame is not None and of is None:
            of, frame = frame.f_locals.get("runtime"), frame.f_back
        if kind not in ("send", "apply") or of is None:
            await enqueue(tx, tenant_id, work_id, kind, *rest)
            return
        database = of.database

        async def put(other: Transaction) -> None:
            await enqueue(other, tenant_id, work_id, kind, *rest)

        tx.after_commit(lambda: _tasks.append(asyncio.ensure_future(database.write(put))))

    for module in (batch, collect, settling):
        patch.setattr(module.work, "enqueue", later)


# A task that nobody holds may be gone before it is done.
_tasks: list[asyncio.Task[Any]] = []


def gives_up_while_the_disk_is_full(patch: Patch) -> None:
    """As the worker did, until the simulator found it: a full disk counts as a failure of the work. Few are enough here, as no disk is full for long."""
    patch.setattr(worker, "DatabaseFull", Unique)
    patch.setattr(worker, "ATTEMPTS_MAX", 3)


def keeps_leases_of_the_dead(patch: Patch) -> None:
    """A lease has no end."""
    lease = work.lease

    async def forever(tx: Transaction, database: Any, owner: str, now: int, seconds: float, *rest: Any) -> list[Work]:
        return await lease(tx, database, owner, now, seconds * 1_000_000, *rest)

    async def nothing(*_: object) -> None:
        return

    patch.setattr(work, "lease", forever)
    patch.setattr(work, "renew", nothing)
    patch.setattr(runtime, "release_all", nothing)


# --- what comes in ---


def settles_before_it_stores(patch: Patch) -> None:
    """An adapter that removes each file as it reads it."""
    collecting = SimulatedAdapter.collect

    async def eager(self: SimulatedAdapter, context: Context) -> AsyncGenerator[Inbound, None]:
        async for one in collecting(self, context):
            try:
                await self.settle(one, context)
            except ConnectionError:
                continue
            yield one

    patch.setattr(SimulatedAdapter, "collect", eager)


def applies_what_came_before(patch: Patch) -> None:
    """Neither files nor remittances are known again."""
    store = inbound.store

    async def anew(*args: Any, **more: Any) -> Any:
        file, new = await store(*args, **more)
        if not new:
            await inbound.set_state(args[0], file, "stored")
        return file, True

    async def ours(*_: object) -> None:
        return None

    patch.setattr(inbound, "store", anew)
    patch.setattr(inbound, "claim_effect", ours)


def posts_to_any_claim_with_the_number(patch: Patch) -> None:
    """As the gateway did, until the simulator found it: a payer's number is looked up among all payers' claims."""

    def anybody(*_: object) -> bool:
        return True

    patch.setattr(matching.Peer, "speaks_of", anybody)


def lets_go_of_what_matches_nothing(patch: Patch) -> None:
    """Every other file is taken for applied without being read."""
    run = apply.run
    seen: Counter[str] = Counter()

    async def careless(of: Any, item: Work) -> None:
        seen["file"] += 1
        if seen["file"] % 9:
            await run(of, item)
        else:
            await of.database.write(partial(work.finish, work=item))

    patch.setitem(worker.STEPS, "apply", careless)


# --- what follows ---


def moves_backwards(patch: Patch) -> None:
    """The latest fact is right, whatever came before."""
    move = vars(lifecycle)["_move"]

    def latest(standing: Any, target: str | None) -> tuple[str | None, bool]:
        if target is not None and target in lifecycle.LADDERS[standing.kind] and target != standing.state:
            return target, False
        return move(standing, target)

    patch.setattr(lifecycle, "_move", latest)


def never_follows_up(patch: Patch) -> None:
    """A claim that was sent has no date at which its payer is asked."""

    def never(*_: object) -> int:
        return KEEP

    patch.setattr(lifecycle, "_follow_up", never)


def sweeps_without_a_lease(patch: Patch) -> None:
    """Two workers look for claims that are due at the same time, and each asks about what it found."""
    run, commit = follow_up.run, vars(follow_up)["_commit"]

    async def twice(of: Any, item: Work) -> None:
        await asyncio.gather(run(of, item), run(of, item), return_exceptions=True)

    async def careless(tx: Transaction, of: Any, item: Work, subject: Any, *rest: Any) -> None:
        await tx.execute(
            "UPDATE transactions SET follow_up_at = $1 WHERE tenant_id = $2 AND transaction_id = $3",
            subject.follow_up_at,
            subject.tenant_id,
            subject.transaction_id,
        )
        await commit(tx, of, item, subject, *rest)

    patch.setitem(worker.STEPS, "follow_up", twice)
    patch.setattr(follow_up, "_commit", careless)


def forgets_keys(patch: Patch) -> None:
    """A caller who asks again with the same key is taken for another."""

    async def unknown(*_: object) -> None:
        return None

    patch.setattr(idempotency, "recall", unknown)
    patch.setattr(idempotency, "begin", unknown)


def keeps_dates_after_a_jump(patch: Patch) -> None:
    """A clock that was years ahead and is right again leaves its dates behind."""

    async def nothing(*_: object, **__: object) -> int:
        return 0

    patch.setattr(clock.work, "pull_back", nothing)
    patch.setattr(clock.dates, "pull_back", nothing)


# --- the database ---


def syncs_less(patch: Patch) -> None:
    """The system may keep a commit for itself until it likes."""
    say = vars(SQLite)["_say"]

    def lazy(self: Any, sql: str) -> None:
        if sql.startswith("BEGIN"):
            say(self, "PRAGMA synchronous=NORMAL")
        say(self, sql)

    patch.setattr(StoredHere, "_say", lazy, raising=False)


def tells_before_it_is_kept(patch: Patch) -> None:
    """One commit in a hundred is told and not made."""
    say = vars(SQLite)["_say"]

    def undone(self: Any, sql: str) -> None:
        say(self, "ROLLBACK" if sql == "COMMIT" and self._machine.fate.random.random() < 0.01 else sql)

    patch.setattr(StoredHere, "_say", undone, raising=False)


def counts_outside_of_the_transaction(patch: Patch) -> None:
    """As an object does that a body changes, and that is not as it was when the body runs again."""
    times: dict[str, int] = {}
    events = vars(transactions)["_event"]

    def counted(subject: Any, *said: Any) -> Any:
        key = subject.transaction_id
        times[key] = times.get(key, 0) + 1
        made = events(subject, *said)
        return (*made[:2], times[key], *made[3:])

    patch.setattr(transactions, "_event", counted)


def says_a_name(patch: Patch) -> None:
    """A log line has what a file says."""
    commit = vars(apply)["_apply"]

    async def told(tx: Transaction, of: Any, item: Work, file: Any, payload: bytes, *rest: Any) -> Any:
        vars(apply)["_LOG"].info("file read", reason=payload.decode())
        return await commit(tx, of, item, file, payload, *rest)

    patch.setattr(apply, "_apply", told)


DEFECTS: tuple[Defect, ...] = (
    sends_again_when_in_doubt,
    mints_a_number_for_each_attempt,
    marks_before_it_sends,
    sends_before_it_marks,
    takes_a_cut_for_not_sent,
    takes_any_page_for_a_receipt,
    takes_no_word_for_absent,
    believes_absent_at_once,
    builds_a_claim_twice,
    has_no_fence,
    queues_after_the_commit,
    gives_up_while_the_disk_is_full,
    keeps_leases_of_the_dead,
    settles_before_it_stores,
    applies_what_came_before,
    posts_to_any_claim_with_the_number,
    lets_go_of_what_matches_nothing,
    moves_backwards,
    never_follows_up,
    sweeps_without_a_lease,
    forgets_keys,
    keeps_dates_after_a_jump,
    syncs_less,
    tells_before_it_is_kept,
    counts_outside_of_the_transaction,
    says_a_name,
)

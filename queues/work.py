"""Durable work: enqueued in the caller's transaction, leased by one worker at a time, finished under a fence.

Every function takes the caller's transaction, so that what a piece of work did and the work being done commit together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from queues.database import Database, Transaction

__all__ = [
    "LeaseLost",
    "Work",
    "buried",
    "bury",
    "discard",
    "due_by",
    "enqueue",
    "finish",
    "guard",
    "hasten",
    "lease",
    "lease_clock",
    "next_run_at",
    "postpone",
    "pull_back",
    "pull_back_leases",
    "release",
    "renew",
    "revive",
]

SECOND = 1_000_000
_COLUMNS = "tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, fence, owner, failures"


class LeaseLost(Exception):
    """Another worker has this work now: nothing of what was done may be committed."""


class Work(msgspec.Struct, frozen=True):
    """A leased piece of work. `attempts` counts the leases so far, this one included; `fence` proves that it is still ours; `failures` counts
    how often in a row it was put back as `failed`.
    """

    tenant_id: str
    work_id: str
    kind: str
    subject: str
    data: dict[str, Any]
    created_at: int
    run_at: int
    attempts: int
    fence: int
    owner: str
    failures: int


def _work(row: tuple[Any, ...]) -> Work:
    tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, fence, owner, failures = row
    return Work(
        tenant_id,
        work_id,
        kind,
        subject,
        msgspec.json.decode(data),
        created_at,
        run_at,
        attempts,
        fence,
        owner,
        failures,
    )


async def enqueue(
    tx: Transaction,
    tenant_id: str,
    work_id: str,
    kind: str,
    subject: str,
    now: int,
    run_at: int | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Add work, due at `run_at` (default: now). Where the same kind and subject waits already, it stays that, due at the earlier date.

    Work that is leased at this moment runs again after it has finished, so that what this transaction adds is not overlooked.
    """
    due = now if run_at is None else run_at
    tx.announce()
    await tx.execute(
        "INSERT INTO work (tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, fence) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)"
        " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET"
        " run_at = CASE WHEN work.owner IS NULL AND $7 < work.run_at THEN $7 ELSE work.run_at END,"
        " again_at = CASE WHEN work.owner IS NULL THEN NULL WHEN work.again_at < $7 THEN work.again_at ELSE $7 END",
        tenant_id,
        work_id,
        kind,
        subject,
        msgspec.json.encode(data).decode() if data else "{}",
        now,
        due,
    )


async def lease_clock(tx: Transaction, database: Database, monotonic: float) -> int:
    """The time by which leases end (microseconds): the server's, which no node's clock moves; of a database that one process has, its `monotonic` one."""
    if not database.server_clock:
        return round(monotonic * SECOND)
    row = await tx.row(f"SELECT {database.server_clock}")
    assert row is not None
    return row[0]


async def lease(
    tx: Transaction,
    database: Database,
    owner: str,
    now: int,
    seconds: float,
    limit: int,
    kinds: tuple[str, ...] = (),
    clock: int | None = None,
) -> list[Work]:
    """Take up to `limit` due pieces of work, earliest first, for `seconds`; those whose lease has passed are due again.

    Whether one has passed is said by the `lease_clock` (by itself `now`): who holds it may be sending, whatever a clock that leapt says.
    """
    clock, span = now if clock is None else clock, round(seconds * SECOND)
    kind = f" AND kind IN ({', '.join(f'${7 + i}' for i in range(len(kinds)))})" if kinds else ""
    due = (
        "SELECT tenant_id, work_id FROM work WHERE run_at <= $3 AND (owner IS NULL OR lease_until <= $6) AND buried_at IS NULL"
        f"{kind} ORDER BY run_at LIMIT $4 {database.skip_locked}"
    )
    # Looked up once: PostgreSQL may run a subquery again for each row, and lock others then.
    rows = await tx.fetch(
        f"WITH due AS MATERIALIZED ({due}) UPDATE work SET owner = $1, lease_until = $5, run_at = $2, attempts = attempts + 1, fence = fence + 1"
        f" WHERE (tenant_id, work_id) IN (SELECT tenant_id, work_id FROM due) RETURNING {_COLUMNS}",
        owner,
        now + span,
        now,
        limit,
        clock + span,
        clock,
        *kinds,
    )
    return [_work(row) for row in rows]


async def guard(tx: Transaction, work: Work) -> None:
    """Raise LeaseLost, and so undo the caller's transaction, unless this lease is still the latest."""
    row = await tx.row(
        "SELECT 1 FROM work WHERE tenant_id = $1 AND work_id = $2 AND fence = $3 AND buried_at IS NULL",
        work.tenant_id,
        work.work_id,
        work.fence,
    )
    if row is None:
        raise LeaseLost(f"{work.kind} {work.work_id}: the lease has passed to another worker")


async def renew(tx: Transaction, work: Work, now: int, seconds: float, clock: int | None = None) -> None:
    """Keep the lease for `seconds` more, and for as long as it was kept before, by the `lease_clock`; LeaseLost when it is gone."""
    clock = now if clock is None else clock
    changed = await tx.execute(
        "UPDATE work SET lease_until = CASE WHEN lease_until > $1 THEN lease_until ELSE $1 END,"
        " run_at = $5 + CASE WHEN lease_until > $1 THEN lease_until ELSE $1 END"
        " WHERE tenant_id = $2 AND work_id = $3 AND fence = $4 AND buried_at IS NULL",
        clock + round(seconds * SECOND),
        work.tenant_id,
        work.work_id,
        work.fence,
        now - clock,
    )
    if not changed:
        raise LeaseLost(f"{work.kind} {work.work_id}: the lease has passed to another worker")


async def finish(tx: Transaction, work: Work) -> None:
    """The work is done, in this transaction; it runs again if it was enqueued meanwhile. LeaseLost when the lease is gone."""
    key = (work.tenant_id, work.work_id, work.fence)
    if await tx.execute(
        "DELETE FROM work WHERE tenant_id = $1 AND work_id = $2 AND fence = $3 AND again_at IS NULL", *key
    ):
        return
    changed = await tx.execute(
        "UPDATE work SET run_at = again_at, again_at = NULL, attempts = 0, failures = 0, owner = NULL, lease_until = NULL, reason = NULL WHERE tenant_id = $1 AND work_id = $2 AND fence = $3",
        *key,
    )
    if not changed:
        raise LeaseLost(f"{work.kind} {work.work_id}: the lease has passed to another worker")


async def release(tx: Transaction, now: int) -> int:
    """Make all leased work due now; how many. Only for whoever has the database alone: those who held the leases are gone."""
    return await tx.execute(
        "UPDATE work SET run_at = $1, owner = NULL, lease_until = NULL, fence = fence + 1 WHERE owner IS NOT NULL", now
    )


async def postpone(tx: Transaction, work: Work, run_at: int, reason: str = "", *, failed: bool = False) -> None:
    """Try again at `run_at`; the attempts stay counted, and so are failures in a row. LeaseLost when the lease is gone."""
    changed = await tx.execute(
        "UPDATE work SET run_at = CASE WHEN again_at < $1 THEN again_at ELSE $1 END, again_at = NULL, owner = NULL, lease_until = NULL, reason = $2, failures = $6 WHERE tenant_id = $3 AND work_id = $4 AND fence = $5 AND buried_at IS NULL",
        run_at,
        reason,
        work.tenant_id,
        work.work_id,
        work.fence,
        work.failures + 1 if failed else 0,
    )
    if not changed:
        raise LeaseLost(f"{work.kind} {work.work_id}: the lease has passed to another worker")


async def hasten(tx: Transaction, reasons: Sequence[str], now: int) -> int:
    """Make work due now that was postponed for one of these reasons; how much."""
    places = ", ".join(f"${n}" for n in range(2, len(reasons) + 2))
    return await tx.execute(
        f"UPDATE work SET run_at = $1 WHERE owner IS NULL AND buried_at IS NULL AND run_at > $1 AND reason IN ({places})",
        now,
        *reasons,
    )


async def pull_back(tx: Transaction, now: int, beyond: int) -> int:
    """The clock went back to `now`: all that waits for later than `beyond` is due, and decides anew when it goes on; how much."""
    return await tx.execute(
        "UPDATE work SET run_at = $1 WHERE run_at > $2 AND owner IS NULL AND buried_at IS NULL", now, beyond
    )


async def pull_back_leases(tx: Transaction, now: int, longest: int, clock: int | None = None) -> int:
    """The clock went back to `now`, or the `lease_clock` did: no lease lasts for longer than so many microseconds from now on, and what
    is to be done once more afterwards is due then; how many would have waited for longer.
    """
    ends, looked_at = (now if clock is None else clock) + longest, now + longest
    return await tx.execute(
        "UPDATE work SET run_at = CASE WHEN run_at > $1 THEN $1 ELSE run_at END, lease_until = CASE WHEN lease_until > $2 THEN $2 ELSE lease_until END,"
        " again_at = CASE WHEN again_at > $3 THEN $3 ELSE again_at END WHERE owner IS NOT NULL AND (run_at > $1 OR lease_until > $2 OR again_at > $3)",
        looked_at,
        ends,
        now,
    )


async def bury(tx: Transaction, work: Work, now: int, reason: str) -> None:
    """Set aside for a person: never leased again until revived. `reason` says what to do, without data of a patient."""
    changed = await tx.execute(
        "UPDATE work SET buried_at = $1, reason = $2, owner = NULL, lease_until = NULL WHERE tenant_id = $3 AND work_id = $4 AND fence = $5",
        now,
        reason,
        work.tenant_id,
        work.work_id,
        work.fence,
    )
    if not changed:
        raise LeaseLost(f"{work.kind} {work.work_id}: the lease has passed to another worker")


async def buried(tx: Transaction, tenant_id: str) -> list[tuple[str, int]]:
    """(kind, number) of work that was set aside for a person."""
    rows = await tx.fetch(
        "SELECT kind, count(*) FROM work WHERE tenant_id = $1 AND buried_at IS NOT NULL GROUP BY kind ORDER BY kind",
        tenant_id,
    )
    return [(row[0], row[1]) for row in rows]


async def revive(tx: Transaction, tenant_id: str, work_id: str, now: int) -> bool:
    """Put buried work back, due now; False when there is no such work."""
    return bool(
        await tx.execute(
            "UPDATE work SET buried_at = NULL, reason = NULL, run_at = $1, attempts = 0, failures = 0 WHERE tenant_id = $2 AND work_id = $3 AND buried_at IS NOT NULL",
            now,
            tenant_id,
            work_id,
        )
    )


async def next_run_at(tx: Transaction) -> int | None:
    """When the earliest work is due, in microseconds; None when there is none."""
    row = await tx.row("SELECT min(run_at) FROM work WHERE buried_at IS NULL")
    return row[0] if row else None


async def due_by(tx: Transaction, kind: str, run_at: int) -> bool:
    """Whether work of a kind is leased, or due by that time, in microseconds."""
    sql = "SELECT 1 FROM work WHERE buried_at IS NULL AND kind = $1 AND (run_at <= $2 OR owner IS NOT NULL) LIMIT 1"
    return bool(await tx.row(sql, kind, run_at))


async def discard(tx: Transaction, tenant_id: str, kind: str, subject: str) -> bool:
    """Drop work that has become needless; a worker that holds it loses its lease. False when there is none."""
    return bool(
        await tx.execute(
            "DELETE FROM work WHERE tenant_id = $1 AND kind = $2 AND subject = $3", tenant_id, kind, subject
        )
    )

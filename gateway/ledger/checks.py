"""Batches of eligibility checks, and where each check stands.

A check is `stored` (its batch is still being taken), `waiting` (until `due_at`), `started` (work for it is in the queue), or has
ended: `completed` (the payer answered), `failed` (nobody did, or the question could not be asked), `invalid`, `cancelled`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queues.database import Row, Transaction, Value

__all__ = [
    "ENDED",
    "Batch",
    "Check",
    "Counts",
    "batch",
    "batches",
    "cancel",
    "change",
    "counts",
    "end",
    "ended_after",
    "forget_unfinished",
    "get",
    "insert",
    "insert_batch",
    "next_due",
    "of_batch",
    "open_batch",
    "started",
    "take_due",
]

ENDED = ("completed", "failed", "invalid", "cancelled")


class Batch(msgspec.Struct, frozen=True):
    """A batch. `state` is receiving, open or cancelled; times are microseconds."""

    tenant_id: str
    batch_id: str
    name: str
    state: str
    retry_hours: int
    traceparent: str
    created_at: int
    updated_at: int


class Check(msgspec.Struct):
    """One check. `asked` counts the questions that may have reached the payer, `tried` all attempts; `until` ends its retries."""

    tenant_id: str
    check_id: str
    batch_id: str
    ordinal: int
    payer_id: str
    route_id: str
    state: str
    created_at: int
    updated_at: int
    result: str | None = None
    reason: str = ""
    asked: int = 0
    tried: int = 0
    due_at: int | None = None
    first_tried_at: int | None = None
    asked_at: int | None = None
    until: int | None = None
    interchange_id: str | None = None
    inbound_id: str | None = None
    answer_id: str | None = None
    position: int | None = None


class Counts(msgspec.Struct, frozen=True):
    """How many checks of a batch stand where. `updated_at` is when one of them last moved."""

    by_state: dict[str, int]
    untried: int
    updated_at: int

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    def of(self, *states: str) -> int:
        """How many are in one of these states."""
        return sum(self.by_state.get(state, 0) for state in states)


_BATCH_FIELDS = Batch.__struct_fields__
_BATCH_COLUMNS = ", ".join(_BATCH_FIELDS)
_FIELDS = Check.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_PLACES = ", ".join(f"${n}" for n in range(1, len(_FIELDS) + 1))
_SELECT = f"SELECT {_COLUMNS} FROM checks"
# What changes in the life of a check, in the order of `_changed`.
_MOVING = ("route_id", "state", "result", "reason", "asked", "tried", "due_at", "first_tried_at", "asked_at", "until", "interchange_id", "inbound_id", "answer_id", "updated_at")  # fmt: skip
_UPDATE = (
    f"UPDATE checks SET {', '.join(f'{name} = ${n}' for n, name in enumerate(_MOVING, 1))}"
    f" WHERE tenant_id = ${len(_MOVING) + 1} AND check_id = ${len(_MOVING) + 2}"
)
_NEXT_POSITION = "(SELECT coalesce(max(position), 0) + 1 FROM checks WHERE tenant_id = $1)"


def _batch(row: Row) -> Batch:
    return Batch(**dict(zip(_BATCH_FIELDS, row, strict=True)))


def _check(row: Row) -> Check:
    return Check(**dict(zip(_FIELDS, row, strict=True)))


async def insert_batch(tx: Transaction, made: Batch) -> None:
    """Begin a batch. Unique when another one has its name."""
    places = ", ".join(f"${n}" for n in range(1, len(_BATCH_FIELDS) + 1))
    await tx.execute(f"INSERT INTO check_batches ({_BATCH_COLUMNS}) VALUES ({places})", *msgspec.structs.astuple(made))


async def insert(tx: Transaction, made: Sequence[Check]) -> None:
    """Add checks to a batch that is being received."""
    await tx.many(f"INSERT INTO checks ({_COLUMNS}) VALUES ({_PLACES})", [msgspec.structs.astuple(m) for m in made])


async def open_batch(tx: Transaction, tenant_id: str, batch_id: str, now: int) -> list[str]:
    """The batch is whole: its checks wait to be asked, and those that never will are ended. The routes that have work now."""
    await tx.execute(
        "UPDATE check_batches SET state = 'open', updated_at = $1 WHERE tenant_id = $2 AND batch_id = $3",
        now,
        tenant_id,
        batch_id,
    )
    await tx.execute(
        "UPDATE checks SET state = 'waiting', due_at = $3 WHERE tenant_id = $1 AND batch_id = $2 AND state = 'stored'",
        tenant_id,
        batch_id,
        now,
    )
    await _number(tx, tenant_id, batch_id)
    rows = await tx.fetch(
        "SELECT DISTINCT route_id FROM checks WHERE tenant_id = $1 AND batch_id = $2 AND state = 'waiting'",
        tenant_id,
        batch_id,
    )
    return [row[0] for row in rows]


async def _number(tx: Transaction, tenant_id: str, batch_id: str) -> None:
    """Give the ended checks of a batch that have no position theirs, in their order, behind all others."""
    base = await tx.row(f"SELECT {_NEXT_POSITION}", tenant_id)
    assert base is not None
    await tx.execute(
        "UPDATE checks SET position = $3 + ordinal WHERE tenant_id = $1 AND batch_id = $2 AND position IS NULL"
        " AND state IN ('completed', 'failed', 'invalid', 'cancelled')",
        tenant_id,
        batch_id,
        base[0],
    )


async def cancel(tx: Transaction, tenant_id: str, batch_id: str, now: int) -> int:
    """End what is not on its way to the payer now; how many checks that were. The others come home. A batch that has ended stays as it is."""
    await tx.execute(
        "UPDATE check_batches SET state = 'cancelled', updated_at = $1 WHERE tenant_id = $2 AND batch_id = $3 AND state = 'open'"
        " AND EXISTS (SELECT 1 FROM checks WHERE tenant_id = $2 AND batch_id = $3 AND state IN ('waiting', 'started'))",
        now,
        tenant_id,
        batch_id,
    )
    ended = await tx.execute(
        "UPDATE checks SET state = 'cancelled', due_at = NULL, updated_at = $3 WHERE tenant_id = $1 AND batch_id = $2 AND state = 'waiting'",
        tenant_id,
        batch_id,
        now,
    )
    await _number(tx, tenant_id, batch_id)
    return ended


async def forget_unfinished(tx: Transaction, begun_by: int) -> list[tuple[str, str]]:
    """Drop batches that were begun by then and never taken whole, with their checks and questions: nobody was told of them.

    (tenant, batch id) of each.
    """
    rows = await tx.fetch(
        "SELECT tenant_id, batch_id FROM check_batches WHERE state = 'receiving' AND created_at <= $1", begun_by
    )
    for tenant_id, batch_id in rows:
        await forget(tx, tenant_id, batch_id)
    return [(row[0], row[1]) for row in rows]


async def forget(tx: Transaction, tenant_id: str, batch_id: str) -> None:
    """Drop one batch that was not taken whole."""
    await tx.execute(
        "DELETE FROM payloads WHERE tenant_id = $1 AND payload_id IN (SELECT check_id FROM checks WHERE tenant_id = $1 AND batch_id = $2)",
        tenant_id,
        batch_id,
    )
    await tx.execute("DELETE FROM checks WHERE tenant_id = $1 AND batch_id = $2", tenant_id, batch_id)
    await tx.execute("DELETE FROM check_batches WHERE tenant_id = $1 AND batch_id = $2", tenant_id, batch_id)


async def batch(tx: Transaction, tenant_id: str, batch_id: str) -> Batch | None:
    """One batch that was taken; None when there is none with this id."""
    row = await tx.row(
        f"SELECT {_BATCH_COLUMNS} FROM check_batches WHERE tenant_id = $1 AND batch_id = $2 AND state <> 'receiving'",
        tenant_id,
        batch_id,
    )
    return _batch(row) if row else None


async def batches(tx: Transaction, tenant_id: str, before: int, limit: int) -> list[Batch]:
    """Batches that were taken before a time, newest first."""
    rows = await tx.fetch(
        f"SELECT {_BATCH_COLUMNS} FROM check_batches WHERE tenant_id = $1 AND created_at < $2 AND state <> 'receiving'"
        " ORDER BY created_at DESC LIMIT $3",
        tenant_id,
        before,
        limit,
    )
    return [_batch(row) for row in rows]


async def counts(tx: Transaction, tenant_id: str, batch_id: str) -> Counts:
    """How far a batch has come."""
    rows = await tx.fetch(
        "SELECT state, count(*), sum(CASE WHEN tried = 0 THEN 1 ELSE 0 END), max(updated_at) FROM checks"
        " WHERE tenant_id = $1 AND batch_id = $2 GROUP BY state",
        tenant_id,
        batch_id,
    )
    untried = sum(row[2] for row in rows if row[0] == "waiting")
    return Counts({row[0]: row[1] for row in rows}, untried, max((row[3] for row in rows), default=0))


async def get(tx: Transaction, tenant_id: str, check_id: str) -> Check | None:
    """One check; None when there is none with this id."""
    row = await tx.row(f"{_SELECT} WHERE tenant_id = $1 AND check_id = $2", tenant_id, check_id)
    return _check(row) if row else None


async def of_batch(
    tx: Transaction,
    tenant_id: str,
    batch_id: str,
    after: int,
    limit: int,
    states: Sequence[str] = (),
    results: Sequence[str] = (),
) -> list[Check]:
    """Checks of a batch behind an ordinal, in their order; of these states and results, where any are named."""
    values: list[Value] = [tenant_id, batch_id, after, limit, *states, *results]
    named = ", ".join(f"${n}" for n in range(5, 5 + len(states)))
    ended = ", ".join(f"${n}" for n in range(5 + len(states), 5 + len(states) + len(results)))
    only = (f" AND state IN ({named})" if len(states) else "") + (f" AND result IN ({ended})" if len(results) else "")
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND batch_id = $2 AND ordinal > $3{only} ORDER BY ordinal LIMIT $4", *values
    )
    return [_check(row) for row in rows]


async def ended_after(
    tx: Transaction, tenant_id: str, position: int, limit: int, batch_id: str | None = None, since: int = 0
) -> list[Check]:
    """Checks that have ended, behind a position, in the order in which they did; of one batch, and later than `since`, where named."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND position > $2 AND (batch_id = $3 OR $3 IS NULL) AND updated_at > $4"
        " ORDER BY position LIMIT $5",
        tenant_id,
        position,
        batch_id,
        since,
        limit,
    )
    return [_check(row) for row in rows]


def _changed(check: Check) -> tuple[Value, ...]:
    return (*(getattr(check, name) for name in _MOVING), check.tenant_id, check.check_id)


async def change(tx: Transaction, check: Check, now: int) -> None:
    """Keep where a check stands now."""
    check.updated_at = now
    await tx.execute(_UPDATE, *_changed(check))


async def end(tx: Transaction, check: Check, state: str, now: int) -> None:
    """A check has come to its end: it stands behind all that ended before, also when it had ended otherwise already."""
    check.state, check.due_at = state, None
    await change(tx, check, now)
    await tx.execute(
        f"UPDATE checks SET position = {_NEXT_POSITION} WHERE tenant_id = $1 AND check_id = $2",
        check.tenant_id,
        check.check_id,
    )


async def started(tx: Transaction, tenant_id: str) -> dict[str, int]:
    """How many checks are in the queue, by route."""
    rows = await tx.fetch(
        "SELECT route_id, count(*) FROM checks WHERE tenant_id = $1 AND state = 'started' GROUP BY route_id", tenant_id
    )
    return {row[0]: row[1] for row in rows}


async def take_due(tx: Transaction, tenant_id: str, route_id: str, now: int, limit: int) -> list[str]:
    """Start up to `limit` checks of a route that are due, longest due first; their ids."""
    rows = await tx.fetch(
        "UPDATE checks SET state = 'started', due_at = NULL WHERE tenant_id = $1 AND check_id IN"
        " (SELECT check_id FROM checks WHERE tenant_id = $1 AND route_id = $2 AND state = 'waiting' AND due_at <= $3"
        " ORDER BY due_at LIMIT $4) RETURNING check_id",
        tenant_id,
        route_id,
        now,
        limit,
    )
    # Ids are ordered by time: those of one batch by their place in it.
    return sorted(row[0] for row in rows)


async def next_due(tx: Transaction, tenant_id: str, route_id: str) -> int | None:
    """When the next check of a route is due; None when none waits."""
    row = await tx.row(
        "SELECT min(due_at) FROM checks WHERE tenant_id = $1 AND route_id = $2 AND state = 'waiting'",
        tenant_id,
        route_id,
    )
    return row[0] if row else None

"""Lanes: how much goes over one way at once and in time, held by rows that all processes on one database share.

The rate is the generic cell rate algorithm: one number a lane, the time at which all that was let through is paid back. Who
is let through is given a moment, now or soon, and nobody else gets it; so a burst of callers leaves at the rate, in order.
Concurrency is a row for each who is under way; that of a process that died ends by itself.
"""

from __future__ import annotations

import msgspec

from queues.database import Transaction

__all__ = ["Entry", "Limits", "enter", "leave", "pull_back", "release"]

_SECOND = 1_000_000
# How soon a full lane is worth another look.
_FULL_LOOK = _SECOND // 20


class Limits(msgspec.Struct, frozen=True):
    """So many a second on average, `burst` of them at once after a quiet time, so many under way together; None is no limit."""

    per_second: float | None = None
    burst: int = 1
    concurrent: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.per_second is not None or self.concurrent is not None


class Entry(msgspec.Struct, frozen=True):
    """Whether one may go. `at` is the moment that is one's own, or else, not entered, the earliest at which to ask again."""

    entered: bool
    at: int


async def enter(
    tx: Transaction,
    tenant_id: str,
    lane: str,
    holder: str,
    limits: Limits,
    now: int,
    patience: int,
    hold: int,
) -> Entry:
    """Ask for a place, for `hold` from its moment on, no later than `patience` from now. Times and spans are microseconds.

    Who enters under a name that is on the lane keeps its one place.
    """
    if limits.concurrent is not None:
        await tx.execute(
            "DELETE FROM lane_holds WHERE tenant_id = $1 AND lane = $2 AND until <= $3", tenant_id, lane, now
        )
        row = await tx.row(
            "SELECT count(*) FROM lane_holds WHERE tenant_id = $1 AND lane = $2 AND holder <> $3",
            tenant_id,
            lane,
            holder,
        )
        if row is not None and row[0] >= limits.concurrent:
            return Entry(False, now + _FULL_LOOK)
    at = now
    if limits.per_second is not None:
        interval = round(_SECOND / limits.per_second)
        row = await tx.row("SELECT paid_at FROM lanes WHERE tenant_id = $1 AND lane = $2", tenant_id, lane)
        paid_at = max(row[0] if row is not None else 0, now)
        at = max(now, paid_at - (limits.burst - 1) * interval)
        if at - now > patience:
            return Entry(False, at)
        await tx.execute(
            "INSERT INTO lanes (tenant_id, lane, paid_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (tenant_id, lane) DO UPDATE SET paid_at = excluded.paid_at",
            tenant_id,
            lane,
            paid_at + interval,
        )
    if limits.concurrent is not None:
        await tx.execute(
            "INSERT INTO lane_holds (tenant_id, lane, holder, until) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (tenant_id, lane, holder) DO UPDATE SET until = excluded.until",
            tenant_id,
            lane,
            holder,
            at + hold,
        )
    return Entry(True, at)


async def leave(tx: Transaction, tenant_id: str, lane: str, holder: str) -> None:
    """Give a place back."""
    await tx.execute(
        "DELETE FROM lane_holds WHERE tenant_id = $1 AND lane = $2 AND holder = $3", tenant_id, lane, holder
    )


async def release(tx: Transaction) -> int:
    """Give all places back; how many. Only for whoever has the database alone: those who held them are gone."""
    return await tx.execute("DELETE FROM lane_holds")


async def pull_back(tx: Transaction, now: int, longest: int) -> None:
    """The clock went back to `now`: no lane owes time that was never let through, no place is held for longer than `longest`."""
    await tx.execute("UPDATE lanes SET paid_at = $1 WHERE paid_at > $1", now)
    await tx.execute("UPDATE lane_holds SET until = $1 WHERE until > $1", now + longest)

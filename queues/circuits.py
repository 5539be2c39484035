"""Circuits and pauses of lanes: after failures in a row nothing is tried for a while, then by one at a time, over all processes.

A lane on which all is well has no row, and costs one read. Failures while the circuit is open count for nothing: they were under way
before. Times and spans are microseconds.

Source: M. Nygard, Release It! (circuit breaker: closed, open, half-open).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from queues.database import Transaction

__all__ = [
    "FOREVER",
    "Circuit",
    "Health",
    "failed",
    "health",
    "pass_through",
    "pause",
    "pull_back",
    "release",
    "resume",
    "sign",
    "unwell",
    "well",
]

# The end of a pause that a person ends.
FOREVER = 1 << 62


class Circuit(msgspec.Struct, frozen=True):
    """After `failures` in a row the circuit opens for `wait`, and for twice as long after each probe that fails, up to `longest`."""

    failures: int
    wait: int
    longest: int


class Health(msgspec.Struct, frozen=True):
    """How a lane stands. `since` is its first failure, or when it was paused; `paused_by` a person, or nobody where the payer asked for it."""

    lane: str
    failures: int = 0
    since: int = 0
    open_until: int = 0
    probe_until: int = 0
    pause_until: int = 0
    reason: str = ""
    paused_by: str = ""

    def state(self, now: int) -> Literal["closed", "open", "half-open", "paused"]:
        """In one word."""
        if self.pause_until > now:
            return "paused"
        if self.open_until == 0:
            return "closed"
        return "open" if self.open_until > now else "half-open"

    def shut_until(self, now: int) -> int | None:
        """Until when nobody may go; None where somebody may, if only one to try it."""
        if self.pause_until > now:
            return self.pause_until
        if self.open_until > now:
            return self.open_until
        return self.probe_until if self.open_until and self.probe_until > now else None


_FIELDS = Health.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)


async def health(tx: Transaction, tenant_id: str, lane: str) -> Health:
    """How a lane stands."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM lane_health WHERE tenant_id = $1 AND lane = $2", tenant_id, lane)
    return Health(*row) if row else Health(lane)


async def unwell(tx: Transaction, tenant_id: str) -> list[Health]:
    """The lanes on which something is not well, by name."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM lane_health WHERE tenant_id = $1 ORDER BY lane", tenant_id)
    return [Health(*row) for row in rows]


async def pass_through(tx: Transaction, tenant_id: str, lane: str, now: int, hold: int) -> int | None:
    """None where one may go; else when to ask again. On a lane that is to be tried, this is the one who tries, for `hold` at most."""
    standing = await health(tx, tenant_id, lane)
    shut = standing.shut_until(now)
    if shut is None and standing.open_until:
        await tx.execute(
            "UPDATE lane_health SET probe_until = $1 WHERE tenant_id = $2 AND lane = $3", now + hold, tenant_id, lane
        )
    return shut


async def well(tx: Transaction, tenant_id: str, lane: str, now: int) -> None:
    """An attempt was answered: the circuit closes, and failures count anew. A pause stays."""
    key = (tenant_id, lane)
    await tx.execute("DELETE FROM lane_health WHERE tenant_id = $1 AND lane = $2 AND pause_until <= $3", *key, now)
    await tx.execute(
        "UPDATE lane_health SET failures = 0, open_until = 0, probe_until = 0 WHERE tenant_id = $1 AND lane = $2", *key
    )


async def sign(tx: Transaction, tenant_id: str, lane: str, now: int) -> bool:
    """The peer was heard of: where the circuit is open, one may try it now; False where it is not."""
    return bool(
        await tx.execute(
            "UPDATE lane_health SET open_until = $1 WHERE tenant_id = $2 AND lane = $3 AND open_until > $1",
            now,
            tenant_id,
            lane,
        )
    )


async def failed(
    tx: Transaction, tenant_id: str, lane: str, now: int, circuit: Circuit, reason: str, chance: float
) -> Health:
    """An attempt failed for what the peer is like; how the lane stands then. `chance` in [0, 1) spreads the wait by up to a quarter."""
    before = await health(tx, tenant_id, lane)
    if before.open_until > now:
        return before
    failures = before.failures + 1
    open_until = 0
    if failures >= circuit.failures:
        wait = min(circuit.wait * 2 ** min(failures - circuit.failures, 30), circuit.longest)
        open_until = now + round(wait * (1 + chance / 4))
    after = Health(lane, failures, before.since or now, open_until, 0, before.pause_until, reason, before.paused_by)
    await _put(tx, tenant_id, after)
    return after


async def pause(tx: Transaction, tenant_id: str, lane: str, now: int, until: int, reason: str, by: str = "") -> Health:
    """Let nobody go until then. A pause that a person made is changed by a person only, and of others the longest holds."""
    before = await health(tx, tenant_id, lane)
    if not by and before.pause_until > now and (before.paused_by or before.pause_until >= until):
        return before
    after = msgspec.structs.replace(
        before, since=before.since or now, pause_until=until, probe_until=0, reason=reason, paused_by=by
    )
    await _put(tx, tenant_id, after)
    return after


async def resume(tx: Transaction, tenant_id: str, lane: str) -> bool:
    """End a pause and close the circuit; False where all was well."""
    return bool(await tx.execute("DELETE FROM lane_health WHERE tenant_id = $1 AND lane = $2", tenant_id, lane))


async def release(tx: Transaction) -> int:
    """Nobody tries a lane now; how many were tried. Only for whoever has the database alone: those who did are gone."""
    return await tx.execute("UPDATE lane_health SET probe_until = 0 WHERE probe_until > 0")


async def pull_back(tx: Transaction, now: int) -> None:
    """The clock went back to `now`: each lane may be tried, but for those that a person paused."""
    await tx.execute("UPDATE lane_health SET since = $1 WHERE since > $1", now)
    await tx.execute("UPDATE lane_health SET open_until = $1 WHERE open_until > $1", now)
    await tx.execute("UPDATE lane_health SET probe_until = 0 WHERE probe_until > $1", now)
    await tx.execute("UPDATE lane_health SET pause_until = $1 WHERE pause_until > $1 AND paused_by = ''", now)


async def _put(tx: Transaction, tenant_id: str, standing: Health) -> None:
    changes = ", ".join(f"{name} = excluded.{name}" for name in _FIELDS[1:])
    await tx.execute(
        f"INSERT INTO lane_health (tenant_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        f" ON CONFLICT (tenant_id, lane) DO UPDATE SET {changes}",
        tenant_id,
        *msgspec.structs.astuple(standing),
    )

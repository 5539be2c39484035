"""Whether the clock jumped: each look is kept, so that a jump shows over restarts and to all processes on one database.

Times and spans are microseconds of the machine's clock.
"""

from __future__ import annotations

import msgspec

from queues.database import Transaction

__all__ = ["Clock", "look", "standing"]


class Clock(msgspec.Struct, frozen=True):
    """The latest look, and when the last jump was found (0: none), by how much: back where negative."""

    seen_at: int
    jumped_at: int = 0
    jump: int = 0


async def standing(tx: Transaction, tenant_id: str) -> Clock | None:
    """What is kept; None before the first look."""
    row = await tx.row("SELECT seen_at, jumped_at, jump FROM clock WHERE tenant_id = $1", tenant_id)
    return Clock(*row) if row else None


async def look(tx: Transaction, tenant_id: str, now: int, back: int, ahead: int) -> int:
    """Keep this look; how far the clock lies from the look before where that is more than so far back or ahead, else 0.

    What passed while nobody looked is as good as a jump ahead: `ahead` is longer than a service is ever down.
    """
    before = await standing(tx, tenant_id) or Clock(now)
    moved = now - before.seen_at
    if -back <= moved <= ahead:
        moved = 0
    kept = Clock(now, now, moved) if moved else msgspec.structs.replace(before, seen_at=now)
    await tx.execute(
        "INSERT INTO clock (tenant_id, seen_at, jumped_at, jump) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (tenant_id) DO UPDATE SET seen_at = excluded.seen_at, jumped_at = excluded.jumped_at, jump = excluded.jump",
        tenant_id,
        *msgspec.structs.astuple(kept),
    )
    return moved

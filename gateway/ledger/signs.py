"""What a process noticed that is not in the ledger: a loop that stood still, a disk that is nearly full, a certificate that ends."""

from __future__ import annotations

import msgspec

from queues.database import Transaction

__all__ = ["BLOCKED", "CERTIFICATE", "DISK", "Sign", "pull_back", "see", "standing"]

# Kinds of signs, each an alarm of that name.
BLOCKED, CERTIFICATE, DISK = "loop blocked", "certificate", "disk"


# For how long a sign holds at most: one that is still so is noticed again before.
_LONGEST = {BLOCKED: 3600, CERTIFICATE: 26 * 3600, DISK: 120}


class Sign(msgspec.Struct, frozen=True):
    """What was noticed of a subject (a key of ours), and until when (microseconds) that holds unless it is noticed again."""

    kind: str
    subject: str
    detail: str
    until: int
    count: int = 1
    route_id: str = ""


_FIELDS = Sign.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)


async def see(tx: Transaction, tenant_id: str, sign: Sign) -> None:
    """Keep a sign; a newer one of its kind and subject takes its place."""
    await tx.execute(
        f"INSERT INTO signs (tenant_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET"
        " detail = excluded.detail, until = excluded.until, count = excluded.count, route_id = excluded.route_id",
        tenant_id,
        *msgspec.structs.astuple(sign),
    )


async def standing(tx: Transaction, tenant_id: str, now: int) -> list[Sign]:
    """The signs that hold at this time. Those that do not are forgotten."""
    await tx.execute("DELETE FROM signs WHERE tenant_id = $1 AND until <= $2", tenant_id, now)
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM signs WHERE tenant_id = $1 ORDER BY kind, subject", tenant_id)
    return [Sign(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


async def pull_back(tx: Transaction, tenant_id: str, now: int) -> None:
    """The clock went back to `now`: no sign holds for longer than its kind does."""
    for kind, seconds in _LONGEST.items():
        until = now + seconds * 1_000_000
        await tx.execute(
            "UPDATE signs SET until = $1 WHERE tenant_id = $2 AND kind = $3 AND until > $1", until, tenant_id, kind
        )

"""That this ledger was brought back from a backup, and which claims may have left since in interchanges that are not known here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queues.database import Transaction

__all__ = ["REASON", "Restoration", "claims_in_doubt", "doubt_accepted", "insert", "latest", "now_in_interchanges"]

REASON = "a backup was restored: what was sent after it was made is not known"


class Restoration(msgspec.Struct, frozen=True):
    """A restoration: times in microseconds, how far control numbers were moved, and how many interchanges, and claims in none, it put in doubt."""

    restored_at: int
    made_at: int
    numbers_ahead: int
    interchanges: int
    claims: int


_FIELDS = ", ".join(Restoration.__struct_fields__)


async def insert(tx: Transaction, tenant_id: str, made: Restoration) -> None:
    """Keep that it was done."""
    await tx.execute(
        f"INSERT INTO restorations (tenant_id, {_FIELDS}) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        *msgspec.structs.astuple(made),
    )


async def latest(tx: Transaction, tenant_id: str) -> Restoration | None:
    """The last restoration; None where there was none."""
    row = await tx.row(
        f"SELECT {_FIELDS} FROM restorations WHERE tenant_id = $1 ORDER BY restored_at DESC LIMIT 1", tenant_id
    )
    return Restoration(*row) if row else None


async def doubt_accepted(tx: Transaction, tenant_id: str) -> int:
    """Mark every claim that is in no interchange yet as one that may have left in an interchange not known here; how many."""
    return await tx.execute(
        "INSERT INTO restored_claims (tenant_id, transaction_id) SELECT tenant_id, transaction_id FROM transactions"
        " WHERE tenant_id = $1 AND kind = 'claim' AND state = 'accepted' ON CONFLICT DO NOTHING",
        tenant_id,
    )


async def claims_in_doubt(tx: Transaction, tenant_id: str) -> frozenset[str]:
    """The claims so marked."""
    rows = await tx.fetch("SELECT transaction_id FROM restored_claims WHERE tenant_id = $1", tenant_id)
    return frozenset(row[0] for row in rows)


async def now_in_interchanges(tx: Transaction, tenant_id: str, transaction_ids: Sequence[str]) -> None:
    """Claims so marked went into interchanges: from here on it is those that are in doubt."""
    await tx.many(
        "DELETE FROM restored_claims WHERE tenant_id = $1 AND transaction_id = $2",
        [(tenant_id, transaction_id) for transaction_id in transaction_ids],
    )

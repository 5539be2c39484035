"""The mailbox of older clients: which reports still lie in it. Taking one out changes the list only; the ledger keeps them all."""

from __future__ import annotations

from gateway.ledger import transactions
from gateway.ledger.transactions import Transaction
from queues.database import Transaction as Tx

__all__ = ["lying", "remove"]

_REPORTS = ("claim_report", "remittance")


async def lying(tx: Tx, tenant_id: str, limit: int) -> list[Transaction]:
    """Reports and remittances that nobody has taken out, newest first."""
    rows = await tx.fetch(
        "SELECT transaction_id FROM transactions t WHERE tenant_id = $1 AND kind IN ('claim_report', 'remittance')"
        " AND NOT EXISTS (SELECT 1 FROM mailbox_removals r WHERE r.tenant_id = t.tenant_id AND r.transaction_id = t.transaction_id)"
        " ORDER BY position DESC LIMIT $2",
        tenant_id,
        limit,
    )
    return [await transactions.get(tx, tenant_id, row[0]) for row in rows]


async def remove(tx: Tx, tenant_id: str, transaction_id: str, now: int) -> bool:
    """Take a report out, also one that was taken out before; False where there is no such report."""
    try:
        found = await transactions.get(tx, tenant_id, transaction_id)
    except transactions.Unknown:
        return False
    if found.kind not in _REPORTS:
        return False
    await tx.execute(
        "INSERT INTO mailbox_removals (tenant_id, transaction_id, removed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant_id,
        transaction_id,
        now,
    )
    return True

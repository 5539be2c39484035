"""Finding transactions by the numbers that appear on them, kept as keyed hashes only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["Scope", "add", "find"]

Scope = Literal[
    "claim_number", "patient_control_number", "payer_control_number", "upstream_number", "trace_number", "member_id"
]


async def add(
    tx: Transaction, vault: Vault, tenant_id: str, transaction_id: str, values: Mapping[Scope, str | None]
) -> None:
    """Let a transaction be found by values; an absent one adds nothing."""
    keys = [
        (tenant_id, scope, vault.index(tenant_id, scope, value), transaction_id)
        for scope, value in values.items()
        if value and value.strip()
    ]
    await tx.many(
        "INSERT INTO search_keys (tenant_id, scope, hash, transaction_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        keys,
    )


async def find(tx: Transaction, vault: Vault, tenant_id: str, scope: Scope, value: str) -> list[str]:
    """Ids of the transactions that have this value, newest first."""
    rows = await tx.fetch(
        "SELECT transaction_id FROM search_keys WHERE tenant_id = $1 AND scope = $2 AND hash = $3 ORDER BY transaction_id DESC",
        tenant_id,
        scope,
        vault.index(tenant_id, scope, value),
    )
    return [row[0] for row in rows]

"""Payloads: X12 and JSON as sent and received, sealed."""

from __future__ import annotations

from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["PayloadMissing", "load", "size", "store"]


class PayloadMissing(LookupError):
    """There is no such payload, or it was purged."""


async def store(
    tx: Transaction, vault: Vault, tenant_id: str, payload_id: str, kind: str, content: bytes, now: int
) -> None:
    """Seal and keep content under a new id."""
    sealed = vault.seal(tenant_id, payload_id, kind, content)
    await tx.execute(
        "INSERT INTO payloads (tenant_id, payload_id, kind, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        payload_id,
        kind,
        sealed,
        now,
    )


async def size(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str) -> int | None:
    """How many bytes the content of a payload has, without opening it; None where it is not kept."""
    row = await tx.row(
        "SELECT length(sealed) FROM payloads WHERE tenant_id = $1 AND payload_id = $2", tenant_id, payload_id
    )
    return vault.opened_bytes(row[0]) if row else None


async def load(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str) -> bytes:
    """The content of a payload; PayloadMissing or SealBroken when it cannot be had."""
    row = await tx.row(
        "SELECT kind, sealed FROM payloads WHERE tenant_id = $1 AND payload_id = $2", tenant_id, payload_id
    )
    if row is None:
        raise PayloadMissing(f"payload {payload_id} is not kept")
    return vault.unseal(tenant_id, payload_id, row[0], bytes(row[1]))

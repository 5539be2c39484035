"""Payloads: X12 and JSON as sent and received, sealed.

A long one is kept in parts, each sealed under its place among them, so that sealing, keeping and opening it need little memory
beside it, and a part that is missing or moved does not open.
"""

from __future__ import annotations

from io import BytesIO

from gateway.ledger.vault import SealBroken, Vault
from queues.database import Transaction

__all__ = ["PART_BYTES", "PayloadMissing", "load", "store"]


PART_BYTES = 4 << 20
# Where the number of the key stands otherwise, of which none is 0: who does not know of parts finds no key, and takes nothing for the whole.
_IN_PARTS = bytes(4)


class PayloadMissing(LookupError):
    """There is no such payload, or it was purged."""


async def store(
    tx: Transaction, vault: Vault, tenant_id: str, payload_id: str, kind: str, content: bytes, now: int
) -> None:
    """Seal and keep content under a new id."""
    count = -(-len(content) // PART_BYTES)
    if count <= 1:
        sealed = vault.seal(tenant_id, payload_id, kind, content)
    else:
        sealed = _IN_PARTS + vault.seal(tenant_id, payload_id, kind, str(count).encode())
        for part in range(count):
            piece = content[part * PART_BYTES : (part + 1) * PART_BYTES]
            await tx.execute(
                "INSERT INTO payload_parts (tenant_id, payload_id, part, sealed) VALUES ($1, $2, $3, $4)",
                tenant_id,
                payload_id,
                part,
                vault.seal(tenant_id, _name(payload_id, part), kind, piece),
            )
    await tx.execute(
        "INSERT INTO payloads (tenant_id, payload_id, kind, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        payload_id,
        kind,
        sealed,
        now,
    )


async def load(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str) -> bytes:
    """The content of a payload; PayloadMissing or SealBroken when it cannot be had."""
    row = await tx.row(
        "SELECT kind, sealed FROM payloads WHERE tenant_id = $1 AND payload_id = $2", tenant_id, payload_id
    )
    if row is None:
        raise PayloadMissing(f"payload {payload_id} is not kept")
    kind, sealed = row[0], bytes(row[1])
    if not sealed.startswith(_IN_PARTS):
        return vault.unseal(tenant_id, payload_id, kind, sealed)
    count = int(vault.unseal(tenant_id, payload_id, kind, sealed[len(_IN_PARTS) :]))
    whole = BytesIO()
    for part in range(count):
        row = await tx.row(
            "SELECT sealed FROM payload_parts WHERE tenant_id = $1 AND payload_id = $2 AND part = $3",
            tenant_id,
            payload_id,
            part,
        )
        if row is None:
            raise SealBroken(f"payload {payload_id}: a part of it is gone")
        whole.write(vault.unseal(tenant_id, _name(payload_id, part), kind, bytes(row[0])))
    return whole.getvalue()


def _name(payload_id: str, part: int) -> str:
    return f"{payload_id}/{part}"

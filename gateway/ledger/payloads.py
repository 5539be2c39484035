"""Payloads: X12 and JSON as sent and received, sealed.

A long one is kept in parts, each sealed under its place among them, so that sealing, keeping and opening it need little memory
beside it, and a part that is missing or moved does not open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO

from gateway.ledger.vault import SealBroken, Vault
from queues.database import Database, Transaction

__all__ = ["PART_BYTES", "PayloadMissing", "Pieces", "beginning", "load", "pieces", "store"]


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
    kind, count, content = await _opened(tx, vault, tenant_id, payload_id)
    if not count:
        return content
    whole = BytesIO()
    for part in range(count):
        whole.write(await _part(tx, vault, tenant_id, payload_id, kind, part))
    return whole.getvalue()


async def beginning(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str) -> tuple[bytes, int]:
    """The content of a payload, of a long one its first part, and how long the whole is; raises as `load` does."""
    kind, count, content = await _opened(tx, vault, tenant_id, payload_id)
    if not count:
        return content, len(content)
    last = len(await _part(tx, vault, tenant_id, payload_id, kind, count - 1))
    return await _part(tx, vault, tenant_id, payload_id, kind, 0), (count - 1) * PART_BYTES + last


async def pieces(tx: Transaction, database: Database, vault: Vault, tenant_id: str, payload_id: str) -> bytes | Pieces:
    """The content of a payload, of a long one as what gives it in pieces; raises as `load` does."""
    kind, count, content = await _opened(tx, vault, tenant_id, payload_id)
    return Pieces(database, vault, tenant_id, payload_id, kind, count) if count else content


class Pieces:
    """A long payload, part by part and as often as wanted, for a thread beside the loop: each part is read when it is asked for."""

    def __init__(
        self, database: Database, vault: Vault, tenant_id: str, payload_id: str, kind: str, count: int
    ) -> None:
        self._database = database
        self._vault = vault
        self._named = tenant_id, payload_id, kind
        self._count = count
        self._loop = asyncio.get_running_loop()

    def __iter__(self) -> Iterator[bytes]:
        for part in range(self._count):
            yield asyncio.run_coroutine_threadsafe(self._read(part), self._loop).result()

    async def _read(self, part: int) -> bytes:
        return await self._database.read(lambda tx: _part(tx, self._vault, *self._named, part))


async def _opened(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str) -> tuple[str, int, bytes]:
    """Kind, number of parts, and the content where that is 0."""
    row = await tx.row(
        "SELECT kind, sealed FROM payloads WHERE tenant_id = $1 AND payload_id = $2", tenant_id, payload_id
    )
    if row is None:
        raise PayloadMissing(f"payload {payload_id} is not kept")
    kind, sealed = row[0], bytes(row[1])
    if sealed.startswith(_IN_PARTS):
        return kind, int(vault.unseal(tenant_id, payload_id, kind, sealed[len(_IN_PARTS) :])), b""
    return kind, 0, vault.unseal(tenant_id, payload_id, kind, sealed)


async def _part(tx: Transaction, vault: Vault, tenant_id: str, payload_id: str, kind: str, part: int) -> bytes:
    row = await tx.row(
        "SELECT sealed FROM payload_parts WHERE tenant_id = $1 AND payload_id = $2 AND part = $3",
        tenant_id,
        payload_id,
        part,
    )
    if row is None:
        raise SealBroken(f"payload {payload_id}: a part of it is gone")
    return vault.unseal(tenant_id, _name(payload_id, part), kind, bytes(row[0]))


def _name(payload_id: str, part: int) -> str:
    return f"{payload_id}/{part}"

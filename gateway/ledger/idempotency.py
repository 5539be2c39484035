"""Idempotency-Key: the same key and body get the first answer again, whatever happened in between."""

from __future__ import annotations

import hashlib

import msgspec

from queues.database import Transaction

__all__ = ["KEEP_MICROSECONDS", "Remembered", "answer", "answer_for", "begin", "forget_older", "recall", "release"]

# Hosted services keep a key for a day; a retry after a long weekend must still find it.
KEEP_MICROSECONDS = 30 * 24 * 3600 * 1_000_000


class Remembered(msgspec.Struct, frozen=True):
    """What is known of a key: whether the body is the same, and the answer once there is one."""

    same_body: bool
    transaction_id: str | None
    status: int | None
    payload_id: str | None


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


async def begin(
    tx: Transaction, tenant_id: str, operation: str, key: str, body: bytes, transaction_id: str | None, now: int
) -> Remembered | None:
    """Take a key: None when it is new and now ours, else what is remembered of it."""
    row = await tx.row(
        "INSERT INTO idempotency_keys (tenant_id, operation, key_hash, body_hash, transaction_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        tenant_id,
        operation,
        _hash(key.encode()),
        _hash(body),
        transaction_id,
        now,
    )
    if row is not None:
        return None
    return await recall(tx, tenant_id, operation, key, body)


async def recall(tx: Transaction, tenant_id: str, operation: str, key: str, body: bytes) -> Remembered | None:
    """What is remembered of a key; None when nothing is."""
    row = await tx.row(
        "SELECT body_hash, transaction_id, status, payload_id FROM idempotency_keys WHERE tenant_id = $1 AND operation = $2 AND key_hash = $3",
        tenant_id,
        operation,
        _hash(key.encode()),
    )
    return Remembered(bytes(row[0]) == _hash(body), *row[1:]) if row else None


async def answer(tx: Transaction, tenant_id: str, operation: str, key: str, status: int, payload_id: str) -> None:
    """Remember the answer that was given to a key."""
    await tx.execute(
        "UPDATE idempotency_keys SET status = $1, payload_id = $2"
        " WHERE tenant_id = $3 AND operation = $4 AND key_hash = $5",
        status,
        payload_id,
        tenant_id,
        operation,
        _hash(key.encode()),
    )


async def answer_for(tx: Transaction, tenant_id: str, transaction_id: str, status: int, payload_id: str) -> None:
    """Remember the answer that was given for a transaction, whatever key asked for it."""
    await tx.execute(
        "UPDATE idempotency_keys SET status = $1, payload_id = $2"
        " WHERE tenant_id = $3 AND transaction_id = $4 AND status IS NULL",
        status,
        payload_id,
        tenant_id,
        transaction_id,
    )


async def release(tx: Transaction, tenant_id: str, transaction_id: str) -> None:
    """Forget the key under which a transaction was asked for, as long as it has had no answer."""
    await tx.execute(
        "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND transaction_id = $2 AND status IS NULL",
        tenant_id,
        transaction_id,
    )


async def forget_older(tx: Transaction, before: int) -> int:
    """Drop keys that were taken before a time; how many."""
    return await tx.execute("DELETE FROM idempotency_keys WHERE created_at < $1", before)

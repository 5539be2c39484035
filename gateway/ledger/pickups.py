"""Files that callers retrieve one by one: what each key was handed and what it confirmed. The files themselves stay.

A file is new to a key until the key has said that it has it, so that one that was lost on its way is handed out again. The mark
of a key only saves looking: everything behind it (positions are numbered in the order of the commits) the key has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Literal, NamedTuple

import msgspec

from gateway.ledger import payloads
from gateway.ledger.vault import Vault
from queues.database import Row, Transaction

__all__ = [
    "Acknowledgement",
    "File",
    "Handed",
    "Wanted",
    "acknowledge",
    "acknowledgement",
    "acknowledgement_of",
    "by_name",
    "confirm",
    "hand_out",
    "oldest_new",
    "open_of",
]

# The acknowledgements of batches; reports about claims, remittances, or both as they came.
Wanted = Literal["acknowledgements", "claim_report", "remittance", "results"]
# No message of CORE confirms an acknowledgement: one that was handed out and not confirmed is let go after so long.
_LET_GO_MICROSECONDS = 24 * 3600 * 1_000_000

_MARK = "coalesce((SELECT position FROM pickup_marks WHERE tenant_id = $1 AND key_id = $2 AND wanted = $3), 0)"
_RESULT = """SELECT t.request_id, t.kind, t.position FROM transactions t
    LEFT JOIN pickups p ON p.tenant_id = t.tenant_id AND p.key_id = $2 AND p.file_id = t.request_id
    WHERE t.tenant_id = $1 AND t.kind IN ('claim_report', 'remittance') AND t.request_id IS NOT NULL
    AND ($3 = 'results' OR t.kind = $3) AND p.confirmed_at IS NULL"""
_OLDEST_RESULT = f"{_RESULT} AND t.position > {_MARK} ORDER BY t.position LIMIT 1"
_ACKNOWLEDGED = """FROM core_acknowledgements a
    LEFT JOIN pickups p ON p.tenant_id = a.tenant_id AND p.key_id = $2 AND p.file_id = a.file_id
    WHERE a.tenant_id = $1 AND p.confirmed_at IS NULL AND coalesce(p.handed_at, $4) >= $4"""
# What was never handed out comes first: who confirms nothing gets all of them, too.
_NEXT_ACKNOWLEDGEMENT = f"""SELECT a.file_id, 'acknowledgements', a.position {_ACKNOWLEDGED} AND a.position > {_MARK}
    ORDER BY coalesce(p.times, 0), a.position LIMIT 1"""
_FIRST_ACKNOWLEDGEMENT = f"SELECT a.position {_ACKNOWLEDGED} AND a.position > {_MARK} ORDER BY a.position LIMIT 1"
_LAST: dict[bool, str] = {
    True: "SELECT max(position) FROM core_acknowledgements WHERE tenant_id = $1",
    False: "SELECT max(position) FROM transactions WHERE tenant_id = $1 AND kind IN ('claim_report', 'remittance')",
}
_KEEP_MARK = """INSERT INTO pickup_marks (tenant_id, key_id, wanted, position) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id, key_id, wanted) DO UPDATE SET position = excluded.position
    WHERE pickup_marks.position < excluded.position"""
_HANDED = "SELECT file_id, payload_type, groups, confirmed_at FROM pickups WHERE tenant_id = $1 AND key_id = $2"


class File(NamedTuple):
    """A file that a key has not confirmed, and its kind: "acknowledgements", "claim_report" or "remittance"."""

    file_id: str
    kind: str


class Handed(NamedTuple):
    """A file that was handed out to a key, under which PayloadType, the groups in it as a 999 names them ("HP 17"), and whether the key has it."""

    file_id: str
    payload_type: str
    groups: Collection[str]
    confirmed: bool = False


class Acknowledgement(msgspec.Struct, frozen=True):
    """What answers a batch: the PayloadID under which it was submitted, and the X12."""

    payload_id: str
    x12: str

    def __repr__(self) -> str:
        return "<Acknowledgement>"


async def acknowledge(
    tx: Transaction, vault: Vault, tenant_id: str, file_id: str, told: Acknowledgement, now: int
) -> None:
    """Keep the answer to a batch as a file to retrieve."""
    await payloads.store(tx, vault, tenant_id, file_id, "acknowledgement", msgspec.json.encode(told), now)
    await tx.execute(
        "INSERT INTO core_acknowledgements (tenant_id, file_id, name, position, created_at) VALUES ($1, $2, $3,"
        " (SELECT coalesce(max(position), 0) + 1 FROM core_acknowledgements WHERE tenant_id = $1), $4)",
        tenant_id,
        file_id,
        _name(told.payload_id),
        now,
    )


async def acknowledgement(tx: Transaction, vault: Vault, tenant_id: str, file_id: str) -> Acknowledgement:
    """What an acknowledgement says; PayloadMissing where it is none."""
    return msgspec.json.decode(await payloads.load(tx, vault, tenant_id, file_id), type=Acknowledgement)


async def acknowledgement_of(tx: Transaction, tenant_id: str, payload_id: str) -> str | None:
    """The file that answers the batch with this PayloadID; None where there is none."""
    row = await tx.row(
        "SELECT file_id FROM core_acknowledgements WHERE tenant_id = $1 AND name = $2 ORDER BY position LIMIT 1",
        tenant_id,
        _name(payload_id),
    )
    return row[0] if row else None


async def oldest_new(tx: Transaction, tenant_id: str, key_id: str, wanted: Wanted, now: int) -> File | None:
    """The oldest file that a key has not confirmed; None where it has all. Moves the key's mark, so `tx` must be one that writes."""
    if wanted == "acknowledgements":
        since = now - _LET_GO_MICROSECONDS
        found = await tx.row(_NEXT_ACKNOWLEDGEMENT, tenant_id, key_id, wanted, since)
        first = await tx.row(_FIRST_ACKNOWLEDGEMENT, tenant_id, key_id, wanted, since) if found else None
    else:
        found = first = await tx.row(_OLDEST_RESULT, tenant_id, key_id, wanted)
    if first is None:
        last = await tx.row(_LAST[wanted == "acknowledgements"], tenant_id)
        done = (last[0] if last else None) or 0
    else:
        done = first[-1] - 1
    await tx.execute(_KEEP_MARK, tenant_id, key_id, wanted, done)
    return File(found[0], found[1]) if found else None


def _name(payload_id: str) -> bytes:
    """A PayloadID as it is looked for: in any case of its letters, whatever a client wrote there."""
    return hashlib.sha256(payload_id.strip().lower().encode()).digest()


async def hand_out(tx: Transaction, tenant_id: str, key_id: str, payload_id: str, handed: Handed, now: int) -> None:
    """Note that a file goes to a key under a PayloadID, once more or for the first time."""
    await tx.execute(
        "INSERT INTO pickups (tenant_id, key_id, file_id, name, payload_type, groups, handed_at, times)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (tenant_id, key_id, file_id)"
        " DO UPDATE SET name = excluded.name, times = pickups.times + 1",
        tenant_id,
        key_id,
        handed.file_id,
        _name(payload_id),
        handed.payload_type,
        ",".join(handed.groups),
        now,
    )


def _handed(row: Row) -> Handed:
    return Handed(row[0], row[1], row[2].split(","), row[3] is not None)


async def by_name(tx: Transaction, tenant_id: str, key_id: str, payload_id: str) -> list[Handed]:
    """The files that went to a key under a PayloadID, confirmed or not."""
    rows = await tx.fetch(f"{_HANDED} AND name = $3 ORDER BY file_id", tenant_id, key_id, _name(payload_id))
    return [_handed(row) for row in rows]


async def open_of(tx: Transaction, tenant_id: str, key_id: str) -> list[Handed]:
    """The files that went to a key and were not confirmed."""
    rows = await tx.fetch(f"{_HANDED} AND confirmed_at IS NULL ORDER BY handed_at DESC LIMIT 1000", tenant_id, key_id)
    return [_handed(row) for row in rows]


async def confirm(tx: Transaction, tenant_id: str, key_id: str, file_id: str, now: int) -> None:
    """A key has this file; said again it changes nothing."""
    await tx.execute(
        "UPDATE pickups SET confirmed_at = $4 WHERE tenant_id = $1 AND key_id = $2 AND file_id = $3 AND confirmed_at IS NULL",
        tenant_id,
        key_id,
        file_id,
        now,
    )

"""Files from payers: stored with their hash before they are read, and effects that may happen once."""

from __future__ import annotations

import hashlib

import msgspec

from gateway.ledger import payloads
from gateway.ledger.vault import Vault
from queues.database import Row, Transaction

__all__ = [
    "NO_ROUTE",
    "InboundFile",
    "claim_effect",
    "get",
    "handled",
    "set_state",
    "settled",
    "store",
    "stranded",
    "to_handle",
    "waiting",
]

# Why the reading of one waits.
NO_ROUTE = "the route of this file is not configured"


class InboundFile(msgspec.Struct, frozen=True):
    """A file as received. `state` is stored, applied, unmatched or quarantined."""

    tenant_id: str
    inbound_id: str
    route_id: str
    sha256: str
    payload_id: str
    bytes: int
    state: str
    reason: str
    times_seen: int
    received_at: int
    settled_at: int | None
    traceparent: str
    handled_at: int | None = None
    handled_by: str | None = None
    note_id: str | None = None


_FIELDS = InboundFile.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_STORE = (
    f"INSERT INTO inbound_files ({_COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, len(_FIELDS) + 1))})"
    " ON CONFLICT (tenant_id, route_id, sha256) DO UPDATE SET times_seen = inbound_files.times_seen + 1"
    f" RETURNING {_COLUMNS}"
)


def _file(row: Row) -> InboundFile:
    return InboundFile(**dict(zip(_FIELDS, row, strict=True)))


async def store(
    tx: Transaction,
    vault: Vault,
    tenant_id: str,
    route_id: str,
    inbound_id: str,
    content: bytes,
    now: int,
    traceparent: str,
    state: str = "stored",
) -> tuple[InboundFile, bool]:
    """Keep what a payer gave, once; the file and whether it is new, then with this state. The same bytes again only count."""
    digest = hashlib.sha256(content).hexdigest()
    made = InboundFile(
        tenant_id, inbound_id, route_id, digest, inbound_id, len(content), state, "", 1, now, None, traceparent
    )
    rows = await tx.fetch(_STORE, *msgspec.structs.astuple(made))
    kept = _file(rows[0])
    new = kept.inbound_id == inbound_id
    if new:
        await payloads.store(tx, vault, tenant_id, inbound_id, "inbound", content, now)
    return kept, new


async def get(tx: Transaction, tenant_id: str, inbound_id: str) -> InboundFile | None:
    """One file; None when there is none with this id."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM inbound_files WHERE tenant_id = $1 AND inbound_id = $2", tenant_id, inbound_id
    )
    return _file(row) if row else None


async def set_state(tx: Transaction, file: InboundFile, state: str, reason: str = "") -> None:
    """What became of a file; `reason` is in words of ours."""
    await tx.execute(
        "UPDATE inbound_files SET state = $1, reason = $2 WHERE tenant_id = $3 AND inbound_id = $4",
        state,
        reason,
        file.tenant_id,
        file.inbound_id,
    )


async def settled(tx: Transaction, file: InboundFile, now: int) -> None:
    """The payer knows that we have it."""
    await tx.execute(
        "UPDATE inbound_files SET settled_at = $1 WHERE tenant_id = $2 AND inbound_id = $3",
        now,
        file.tenant_id,
        file.inbound_id,
    )


async def waiting(tx: Transaction, tenant_id: str) -> list[tuple[str, int]]:
    """(route, number) of files that match nothing or contradict themselves, and that nobody has looked after."""
    rows = await tx.fetch(
        "SELECT route_id, count(*) FROM inbound_files WHERE tenant_id = $1 AND state IN ('unmatched', 'quarantined')"
        " AND handled_at IS NULL GROUP BY route_id ORDER BY route_id",
        tenant_id,
    )
    return [(row[0], row[1]) for row in rows]


async def stranded(tx: Transaction, tenant_id: str) -> list[tuple[str, int]]:
    """(route, number) of files that wait for a route that was not configured when it was last looked at."""
    rows = await tx.fetch(
        "SELECT f.route_id, count(*) FROM work w JOIN inbound_files f ON f.tenant_id = w.tenant_id AND f.inbound_id = w.subject"
        " WHERE w.tenant_id = $1 AND w.kind IN ('apply', 'post') AND w.reason = $2 GROUP BY f.route_id",
        tenant_id,
        NO_ROUTE,
    )
    return [(row[0], row[1]) for row in rows]


async def to_handle(
    tx: Transaction, tenant_id: str, after: tuple[int, str], limit: int, *, handled: bool
) -> list[InboundFile]:
    """Files that match nothing or contradict themselves, oldest first, behind a time of receipt and an id; looked after or not yet."""
    which = "IS NOT NULL" if handled else "IS NULL"
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM inbound_files WHERE tenant_id = $1 AND state IN ('unmatched', 'quarantined') AND handled_at {which}"
        " AND (received_at > $2 OR (received_at = $2 AND inbound_id > $3)) ORDER BY received_at, inbound_id LIMIT $4",
        tenant_id,
        after[0],
        after[1],
        limit,
    )
    return [_file(row) for row in rows]


async def handled(tx: Transaction, file: InboundFile, by: str, note_id: str, now: int) -> None:
    """A person has looked after a file; what they said of it is sealed under that id."""
    await tx.execute(
        "UPDATE inbound_files SET handled_at = $1, handled_by = $2, note_id = $3 WHERE tenant_id = $4 AND inbound_id = $5",
        now,
        by,
        note_id,
        file.tenant_id,
        file.inbound_id,
    )


async def has_happened(tx: Transaction, tenant_id: str, effect: str, subject: bytes) -> bool:
    """Whether an effect that may happen once has happened."""
    sql = "SELECT 1 FROM effects WHERE tenant_id = $1 AND effect = $2 AND subject = $3"
    return await tx.row(sql, tenant_id, effect, subject) is not None


async def claim_effect(
    tx: Transaction, tenant_id: str, effect: str, subject: bytes, content: str, inbound_id: str, now: int
) -> str | None:
    """Take the right to an effect that may happen once: None when it is ours, else the content it first happened with."""
    row = await tx.row(
        "INSERT INTO effects (tenant_id, effect, subject, content, inbound_id, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1",
        tenant_id,
        effect,
        subject,
        content,
        inbound_id,
        now,
    )
    if row is not None:
        return None
    before = await tx.row(
        "SELECT content FROM effects WHERE tenant_id = $1 AND effect = $2 AND subject = $3", tenant_id, effect, subject
    )
    return before[0] if before else ""

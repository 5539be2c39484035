"""Where callers want to be told of changes: addresses, the kinds they want, and sealed secrets that sign what they get."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence

import msgspec

from gateway.ledger.vault import Vault
from queues.database import Transaction as Tx
from queues.database import Value

__all__ = [
    "DESTINATIONS_MAX",
    "Destination",
    "count",
    "create",
    "delete",
    "delivered",
    "disable",
    "get",
    "page",
    "rotate",
    "secrets_of",
    "update",
]

DESTINATIONS_MAX = 50
_SECRET_BYTES = 32
_KIND = "signing secret"


class Destination(msgspec.Struct):
    """Somebody who is told. Times are microseconds; `reason` says why we disabled it."""

    destination_id: str
    position: int
    name: str
    description: str
    event_types: list[str]
    url: str
    concurrency: int | None
    status: str
    reason: str
    created_at: int
    updated_at: int
    delivered_at: int | None
    previous_until: int | None
    deleted_at: int | None


_FIELDS = Destination.__struct_fields__
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM destinations"


def _destination(row: Sequence[Value]) -> Destination:
    values = dict(zip(_FIELDS, row, strict=True))
    values["event_types"] = msgspec.json.decode(str(values["event_types"]))
    return msgspec.convert(values, Destination)


def _new_secret(vault: Vault, tenant_id: str, destination_id: str) -> tuple[str, bytes]:
    secret = "whsec_" + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()
    return secret, vault.seal(tenant_id, destination_id, _KIND, secret.encode())


async def count(tx: Tx, tenant_id: str) -> int:
    """How many destinations there are."""
    row = await tx.row("SELECT count(*) FROM destinations WHERE tenant_id = $1 AND deleted_at IS NULL", tenant_id)
    return row[0] if row else 0


async def create(tx: Tx, vault: Vault, tenant_id: str, made: Destination) -> str:
    """Keep a new destination; its secret."""
    secret, sealed = _new_secret(vault, tenant_id, made.destination_id)
    await tx.execute(
        "INSERT INTO destinations (tenant_id, destination_id, position, name, description, event_types, url, concurrency, status,"
        " reason, secret, created_at, updated_at) VALUES ($1, $2,"
        " (SELECT coalesce(max(position), 0) + 1 FROM destinations WHERE tenant_id = $1), $3, $4, $5, $6, $7, $8, '', $9, $10, $10)",
        tenant_id,
        made.destination_id,
        made.name,
        made.description,
        msgspec.json.encode(made.event_types).decode(),
        made.url,
        made.concurrency,
        made.status,
        sealed,
        made.created_at,
    )
    return secret


async def get(tx: Tx, tenant_id: str, destination_id: str, *, deleted: bool = False) -> Destination | None:
    """One destination, one that was deleted only where `deleted`; None where there is none."""
    row = await tx.row(f"{_SELECT} WHERE tenant_id = $1 AND destination_id = $2", tenant_id, destination_id)
    found = None if row is None else _destination(row)
    return found if found is not None and (deleted or found.deleted_at is None) else None


async def page(
    tx: Tx, tenant_id: str, after: int, limit: int, status: str | None, event_type: str | None
) -> list[Destination]:
    """Destinations behind a position, oldest first, of a status and that want a kind."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND deleted_at IS NULL AND position > $2"
        " AND (status = $3 OR $3 IS NULL) AND (event_types LIKE $4 OR $4 IS NULL) ORDER BY position LIMIT $5",
        tenant_id,
        after,
        status,
        None if event_type is None else f'%"{event_type}"%',
        limit,
    )
    return [_destination(row) for row in rows]


async def update(tx: Tx, tenant_id: str, changed: Destination, now: int) -> None:
    """Keep what was changed of a destination."""
    await tx.execute(
        "UPDATE destinations SET name = $1, description = $2, event_types = $3, url = $4, concurrency = $5, status = $6,"
        " reason = $7, updated_at = $8 WHERE tenant_id = $9 AND destination_id = $10",
        changed.name,
        changed.description,
        msgspec.json.encode(changed.event_types).decode(),
        changed.url,
        changed.concurrency,
        changed.status,
        changed.reason,
        now,
        tenant_id,
        changed.destination_id,
    )


async def disable(tx: Tx, tenant_id: str, destination_id: str, reason: str, now: int) -> None:
    """Send nothing more to a destination until somebody enables it."""
    await tx.execute(
        "UPDATE destinations SET status = 'DISABLED', reason = $1, updated_at = $2 WHERE tenant_id = $3 AND destination_id = $4",
        reason,
        now,
        tenant_id,
        destination_id,
    )


async def delivered(tx: Tx, tenant_id: str, destination_id: str, now: int) -> None:
    """Note that a destination has taken something."""
    await tx.execute(
        "UPDATE destinations SET delivered_at = $1 WHERE tenant_id = $2 AND destination_id = $3",
        now,
        tenant_id,
        destination_id,
    )


async def delete(tx: Tx, tenant_id: str, destination_id: str, now: int) -> None:
    """Forget a destination: its secrets, and what waits for it."""
    await tx.execute(
        "UPDATE destinations SET deleted_at = coalesce(deleted_at, $1), status = 'DISABLED', previous_secret = NULL,"
        " previous_until = NULL, updated_at = $1 WHERE tenant_id = $2 AND destination_id = $3",
        now,
        tenant_id,
        destination_id,
    )
    await tx.execute(
        "DELETE FROM deliveries WHERE tenant_id = $1 AND destination_id = $2 AND state = 'pending'",
        tenant_id,
        destination_id,
    )


async def secrets_of(tx: Tx, vault: Vault, tenant_id: str, destination_id: str, now: int) -> list[str]:
    """What a destination's deliveries are signed with: its secret, and the one before as long as that holds."""
    row = await tx.row(
        "SELECT secret, previous_secret, previous_until FROM destinations WHERE tenant_id = $1 AND destination_id = $2",
        tenant_id,
        destination_id,
    )
    if row is None:
        return []
    sealed = [row[0], *([row[1]] if row[1] is not None and (row[2] or 0) > now else [])]
    return [vault.unseal(tenant_id, destination_id, _KIND, bytes(one)).decode() for one in sealed]


async def rotate(tx: Tx, vault: Vault, tenant_id: str, destination_id: str, until: int, now: int) -> str:
    """A new secret; the one before holds until that time."""
    secret, sealed = _new_secret(vault, tenant_id, destination_id)
    await tx.execute(
        "UPDATE destinations SET previous_until = $1,"
        " previous_secret = CASE WHEN CAST($1 AS BIGINT) IS NULL THEN NULL ELSE secret END, secret = $3, updated_at = $2 WHERE tenant_id = $4 AND destination_id = $5",
        until if until > now else None,
        now,
        sealed,
        tenant_id,
        destination_id,
    )
    return secret

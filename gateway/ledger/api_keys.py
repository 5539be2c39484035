"""Keys of callers: `cw_<key id>_<secret>`, of which only a keyed hash of the secret is kept."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

import msgspec

from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["SCOPES", "ApiKey", "create", "keys_of", "resolve", "revoke"]

SCOPES = ("eligibility:write", "claims:write", "claims:read", "raw:read", "ops:write")
PREFIX = "cw"


class ApiKey(msgspec.Struct, frozen=True):
    """A caller. Times are microseconds."""

    tenant_id: str
    key_id: str
    name: str
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None
    revoked_at: int | None


def _key(row: tuple[str, str, str, str, int, int | None, int | None]) -> ApiKey:
    return ApiKey(row[0], row[1], row[2], frozenset(row[3].split()), *row[4:])


_COLUMNS = "tenant_id, key_id, name, scopes, created_at, expires_at, revoked_at"


async def create(
    tx: Transaction,
    vault: Vault,
    tenant_id: str,
    name: str,
    scopes: Iterable[str],
    now: int,
    expires_at: int | None = None,
) -> tuple[str, ApiKey]:
    """A new key: the token, which is told this once, and the record. ValueError names a scope that does not exist."""
    wanted = frozenset(scopes)
    unknown = wanted - set(SCOPES)
    if unknown:
        raise ValueError(f"no scope is called {', '.join(sorted(unknown))}: there are {', '.join(SCOPES)}")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    made = ApiKey(tenant_id, key_id, name, wanted, now, expires_at, None)
    await tx.execute(
        "INSERT INTO api_keys (tenant_id, key_id, secret_hash, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        key_id,
        vault.secret_hash(key_id, secret),
        name,
        " ".join(sorted(wanted)),
        now,
        expires_at,
    )
    return f"{PREFIX}_{key_id}_{secret}", made


async def resolve(tx: Transaction, vault: Vault, token: str, now: int) -> ApiKey | None:
    """The caller that a token belongs to; None when it is wrong, revoked or expired."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    row = await tx.row(f"SELECT {_COLUMNS}, secret_hash FROM api_keys WHERE key_id = $1", key_id)
    expected = bytes(row[7]) if row else b""
    if not hmac.compare_digest(expected, vault.secret_hash(key_id, secret)) or row is None or prefix != PREFIX:
        return None
    key = _key(row[:7])
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    return key


async def keys_of(tx: Transaction, tenant_id: str) -> list[ApiKey]:
    """A tenant's keys, oldest first."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM api_keys WHERE tenant_id = $1 ORDER BY created_at", tenant_id)
    return [_key(row) for row in rows]  # pyright: ignore[reportArgumentType]


async def revoke(tx: Transaction, tenant_id: str, key_id: str, now: int) -> bool:
    """End a key at once; False when there is none or it has ended."""
    return bool(
        await tx.execute(
            "UPDATE api_keys SET revoked_at = $1 WHERE tenant_id = $2 AND key_id = $3 AND revoked_at IS NULL",
            now,
            tenant_id,
            key_id,
        )
    )

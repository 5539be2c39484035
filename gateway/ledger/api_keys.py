"""Keys of callers: `cw_<key id>_<secret>`, of which only a keyed hash of the secret is kept."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

import msgspec

from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["SCOPES", "ApiKey", "create", "issue_token", "keys_of", "of_id", "resolve", "revoke"]

SCOPES = ("eligibility:write", "claims:write", "claims:read", "raw:read", "ops:write")
PREFIX = "cw"
# Tokens are not kept: they say whose they are and until when, under a keyed hash. They end with their key.
TOKEN_PREFIX = "cwt"  # noqa: S105 - what tokens begin with


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
    """The caller that a key or a token of limited life belongs to; None when it is wrong, revoked or expired."""
    prefix, _, rest = token.partition("_")
    if prefix == TOKEN_PREFIX:
        return await _resolve_token(tx, vault, rest, now)
    key_id, _, secret = rest.partition("_")
    row = await tx.row(f"SELECT {_COLUMNS}, secret_hash FROM api_keys WHERE key_id = $1", key_id)
    expected = bytes(row[7]) if row else b""
    if not hmac.compare_digest(expected, vault.secret_hash(key_id, secret)) or row is None or prefix != PREFIX:
        return None
    key = _key(row[:7])
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    return key


async def of_id(tx: Transaction, tenant_id: str, key_id: str, now: int) -> ApiKey | None:
    """The caller with this key id, for whoever is known in another way; None when there is none, or it is revoked or expired."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM api_keys WHERE tenant_id = $1 AND key_id = $2", tenant_id, key_id)
    key = _key(row) if row is not None else None  # pyright: ignore[reportArgumentType]
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    return key


def issue_token(vault: Vault, key: ApiKey, scopes: Iterable[str], expires_at: int) -> str:
    """A token for a caller with some of its scopes, good until a time (microseconds) or until its key ends."""
    held = sum(1 << SCOPES.index(scope) for scope in frozenset(scopes) & key.scopes)
    said = f"{key.key_id}_{expires_at:x}_{held:x}"
    return f"{TOKEN_PREFIX}_{said}_{vault.secret_hash(TOKEN_PREFIX, said).hex()}"


async def _resolve_token(tx: Transaction, vault: Vault, rest: str, now: int) -> ApiKey | None:
    said, _, mac = rest.rpartition("_")
    if not hmac.compare_digest(vault.secret_hash(TOKEN_PREFIX, said).hex().encode(), mac.encode()):
        return None
    key_id, until, held = said.split("_")
    row = await tx.row(f"SELECT {_COLUMNS} FROM api_keys WHERE key_id = $1", key_id)
    if row is None:
        return None
    key, expires_at = _key(row), int(until, 16)  # pyright: ignore[reportArgumentType]
    ends = min(expires_at, expires_at if key.expires_at is None else key.expires_at)
    if key.revoked_at is not None or ends <= now:
        return None
    scopes = frozenset(scope for bit, scope in enumerate(SCOPES) if int(held, 16) >> bit & 1)
    return msgspec.structs.replace(key, scopes=key.scopes & scopes, expires_at=ends)


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

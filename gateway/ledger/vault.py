"""Seals payloads, and hashes what must be found again without being readable.

A payload is sealed with AES-256-GCM under its tenant's data key; the data key is sealed under the master key. The
associated data names tenant, payload and kind, so that sealed bytes moved to another row do not open. Numbers and names are
looked up by HMAC-SHA256 under a key of the tenant's own.

Sources: NIST SP 800-38D (GCM, 96-bit nonces), RFC 5869 (HKDF).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from queues.database import Transaction

__all__ = ["SealBroken", "Vault", "master_key_from"]

_NONCE = 12
_NUMBER = 4
# What AES-GCM adds behind the content.
_TAG = 16
_KEY = 32


class SealBroken(Exception):
    """Sealed bytes do not open: they were changed, moved to another row, or their key is gone."""


def master_key_from(path: Path) -> bytes:
    """The master key in a file of 32 bytes; a new one is made, readable by its owner only, where there is no file."""
    if not path.exists():
        # Under another name first: a crash in between must not leave a key that is none.
        made = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
        with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(os.urandom(_KEY))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Never over a key that another process made meanwhile: what that one sealed would open for nobody.
            os.link(made, path)
        except FileExistsError:
            pass
        except OSError:
            # A file system without links.
            made.rename(path)
        finally:
            made.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    key = path.read_bytes()
    if len(key) != _KEY:
        raise ValueError(f"the master key in {path.name} must be {_KEY} bytes")
    return key


class Vault:
    """The data keys of the tenants that are in use, opened."""

    def __init__(self, master: bytes) -> None:
        self._master = AESGCM(_derived(master, b"data keys"))
        self._index_root = _derived(master, b"search keys")
        self._pepper = _derived(master, b"api keys")
        self._data: dict[str, dict[int, AESGCM]] = {}
        self._newest: dict[str, int] = {}
        self._index: dict[str, bytes] = {}

    async def open(self, tx: Transaction, tenant_id: str, now: int) -> None:
        """Make a tenant's data keys ready, with a first one for a tenant that has none."""
        rows = await tx.fetch(
            "SELECT key_number, sealed FROM data_keys WHERE tenant_id = $1 ORDER BY key_number", tenant_id
        )
        if not rows:
            rows = [(1, self._sealed_key(tenant_id, 1, os.urandom(_KEY)))]
            await tx.execute(
                "INSERT INTO data_keys (tenant_id, key_number, sealed, created_at) VALUES ($1, 1, $2, $3)",
                tenant_id,
                rows[0][1],
                now,
            )
        self._data[tenant_id] = {
            number: AESGCM(self._opened_key(tenant_id, number, bytes(sealed))) for number, sealed in rows
        }
        self._newest[tenant_id] = rows[-1][0]
        self._index[tenant_id] = _derived(self._index_root, tenant_id.encode())

    def seal(self, tenant_id: str, payload_id: str, kind: str, content: bytes) -> bytes:
        """Key number, nonce and sealed content."""
        number = self._newest[tenant_id]
        nonce = os.urandom(_NONCE)
        return (
            number.to_bytes(_NUMBER, "big")
            + nonce
            + self._data[tenant_id][number].encrypt(nonce, content, _aad(tenant_id, payload_id, kind))
        )

    @staticmethod
    def opened_bytes(sealed_bytes: int) -> int:
        """How long content is that takes so many bytes sealed."""
        return sealed_bytes - _NUMBER - _NONCE - _TAG

    def unseal(self, tenant_id: str, payload_id: str, kind: str, sealed: bytes) -> bytes:
        """The content; SealBroken when the bytes, their place or their key is not the one they were sealed with."""
        number, nonce = int.from_bytes(sealed[:_NUMBER], "big"), sealed[_NUMBER : _NUMBER + _NONCE]
        key = self._data[tenant_id].get(number)
        if key is None:
            raise SealBroken(f"payload {payload_id}: its data key is gone")
        try:
            return key.decrypt(nonce, sealed[_NUMBER + _NONCE :], _aad(tenant_id, payload_id, kind))
        except InvalidTag:
            raise SealBroken(f"payload {payload_id}: the sealed bytes were changed or moved") from None

    def index(self, tenant_id: str, scope: str, value: str) -> bytes:
        """What a value is looked up by: the same for the same tenant, scope and value (case and outer spaces aside)."""
        return hmac.digest(self._index[tenant_id], f"{scope}\0{value.strip().upper()}".encode(), hashlib.sha256)

    def secret_hash(self, key_id: str, secret: str) -> bytes:
        """What an API key's secret is compared by."""
        return hmac.digest(self._pepper, f"{key_id}\0{secret}".encode(), hashlib.sha256)

    def _sealed_key(self, tenant_id: str, number: int, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._master.encrypt(nonce, key, _aad(tenant_id, str(number), "data key"))

    def _opened_key(self, tenant_id: str, number: int, sealed: bytes) -> bytes:
        try:
            return self._master.decrypt(sealed[:_NONCE], sealed[_NONCE:], _aad(tenant_id, str(number), "data key"))
        except InvalidTag:
            raise SealBroken("the master key is not the one that this data folder was made with") from None


def _aad(tenant_id: str, payload_id: str, kind: str) -> bytes:
    return f"{tenant_id}\0{payload_id}\0{kind}".encode()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY, None, b"claimwire " + purpose).derive(key)

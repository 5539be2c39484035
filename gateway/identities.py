"""Ids as the official SDK has them: `clm_`, `sbm_`, `ack_` and `clp_` before 26 characters of Crockford's base 32, `ec_` before a UUID.

A transaction's id is a UUID of version 7 and a ULID the same 128 bits written otherwise, so each follows from the other.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["event_of", "part_of", "ulid", "uuid_of"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(r"(?:[a-z]{3}_)?([0-7][0-9A-HJKMNP-TV-Z]{25})")
_UUID = re.compile(r"(?:[a-z]{2,5}_)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def ulid(prefix: str, uuid: str) -> str:
    """The id of a transaction with a prefix such as `clm_`."""
    value = int(uuid.replace("-", ""), 16)
    return prefix + "".join(_DIGITS[value >> shift & 31] for shift in range(125, -1, -5))


def uuid_of(text: str) -> str | None:
    """The transaction's id that is meant, with or without a prefix, as ULID or as UUID; None where it is neither."""
    found = _ULID.fullmatch(text)
    if found is not None:
        value = 0
        for digit in found[1]:
            value = value << 5 | _DIGITS.index(digit)
        return _hyphened(f"{value:032x}")
    plain = _UUID.fullmatch(text)
    return plain[1] if plain is not None else None


def _hyphened(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def event_of(transaction_id: str, sequence: int, at: int) -> str:
    """A UUID (RFC 9562, version 8) for an event of a transaction: its time in milliseconds, and what both numbers hash to."""
    tail = int.from_bytes(hashlib.sha256(f"{transaction_id}/{sequence}".encode()).digest()[:10], "big")
    value = (at // 1000) << 80 | 8 << 76 | (tail >> 62 & 0xFFF) << 64 | 2 << 62 | tail & (1 << 62) - 1
    return _hyphened(f"{value:032x}")


def part_of(prefix: str, transaction_id: str, sequence: int, at: int) -> str:
    """The ULID, with its prefix, of what an event of a transaction tells: an acknowledgement, a payment."""
    return ulid(prefix, event_of(transaction_id, sequence, at))

"""Which claims are the same one: kept as keyed hashes, so that a claim that comes again is found whatever way it comes.

A claim that was rejected counts for nothing, nor does one that was voided since. A replacement or a void is another claim than the one
it names; it is only the same as one of its own kind that names the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["REPLACEMENT", "VOID", "Content", "add", "earlier"]

REPLACEMENT, VOID = "7", "8"
_AMENDING = (REPLACEMENT, VOID)


class Content(msgspec.Struct, frozen=True):
    """What a claim is found again by. `hash` and `original` are keyed hashes, the latter None but for replacements and voids."""

    hash: bytes
    frequency: str
    original: bytes | None

    @classmethod
    def of(cls, vault: Vault, tenant_id: str, sameness: str, frequency: str, original: str) -> Content:
        """Of what is equal for equal claims, CLM05-3 and REF*F8."""
        amended = vault.index(tenant_id, "original", original) if frequency in _AMENDING else None
        return cls(vault.index(tenant_id, "claim", sameness), frequency, amended)

    @property
    def amends(self) -> bool:
        return self.frequency in _AMENDING

    def repeats(self, other: Content) -> bool:
        """Whether this claim asks for what the other one has asked for."""
        if self.amends:
            return (self.hash, self.frequency, self.original) == (other.hash, other.frequency, other.original)
        return self.hash == other.hash and other.frequency != VOID


async def earlier(tx: Transaction, tenant_id: str, content: Content) -> str | None:
    """The newest transaction with a claim that this one repeats; None where there is none that counts."""
    rows = await tx.fetch(
        "SELECT c.transaction_id, c.frequency, c.original, t.state FROM claim_contents c"
        " JOIN transactions t ON t.tenant_id = c.tenant_id AND t.transaction_id = c.transaction_id"
        " WHERE c.tenant_id = $1 AND c.hash = $2 ORDER BY c.ordinal",
        tenant_id,
        content.hash,
    )
    found: str | None = None
    for transaction_id, frequency, original, state in rows:
        if state == "rejected":
            continue
        other = Content(content.hash, frequency, bytes(original) if original is not None else None)
        if content.repeats(other):
            found = transaction_id
        elif frequency == VOID:
            # What was asked for before is taken back.
            found = None
    return found


async def add(tx: Transaction, tenant_id: str, claims: Sequence[tuple[str, Content]]) -> None:
    """Keep what claims ask for, by the ids of their transactions. Unique where somebody else did so at the same time."""
    await tx.many(
        "INSERT INTO claim_contents (tenant_id, hash, ordinal, transaction_id, frequency, original) VALUES ($1, $2,"
        " (SELECT coalesce(max(ordinal), 0) + 1 FROM claim_contents WHERE tenant_id = $1 AND hash = $2), $3, $4, $5)",
        [(tenant_id, c.hash, transaction_id, c.frequency, c.original) for transaction_id, c in claims],
    )

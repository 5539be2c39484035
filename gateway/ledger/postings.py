"""How far remittances are posted whose claims are too many for one commit: kept with each commit that posts some of them.

It stays when all is posted: it tells which set of the file an advice is.
"""

from __future__ import annotations

import msgspec

from queues.database import Transaction

__all__ = ["Posting", "Standing", "begin", "get", "keep"]


class Standing(msgspec.Struct, rename="camel"):
    """One 835 of a file: the transaction of its own that it has, how many of its claims are posted or passed over, and what that came to.

    Without an advice nothing of it is posted: it came before, or does not balance.
    """

    advice_id: str | None
    claims: int = 0
    matched: int = 0
    unmatched: int = 0
    ended: bool = False


class Posting(msgspec.Struct, rename="camel"):
    """A file of remittances that is being posted, its sets in order. `faults` are in words of ours."""

    remittances: list[Standing]
    faults: list[str]

    @property
    def ended(self) -> bool:
        """Whether all of it is posted that is to be."""
        return all(one.ended for one in self.remittances)

    def number(self, advice_id: str) -> int | None:
        """Which set of the file an advice is, from 0."""
        return next((n for n, one in enumerate(self.remittances) if one.advice_id == advice_id), None)

    def done(self) -> dict[int, int]:
        """How many claims of each set need no more posting, by the number of the set."""
        return {number: one.claims for number, one in enumerate(self.remittances)}


async def begin(tx: Transaction, tenant_id: str, inbound_id: str, posting: Posting) -> None:
    """Keep that a file is being posted from here on."""
    await tx.execute(
        "INSERT INTO postings (tenant_id, inbound_id, progress) VALUES ($1, $2, $3)",
        tenant_id,
        inbound_id,
        msgspec.json.encode(posting).decode(),
    )


async def get(tx: Transaction, tenant_id: str, inbound_id: str) -> Posting | None:
    """How far a file is posted; None for one that is not being posted."""
    row = await tx.row("SELECT progress FROM postings WHERE tenant_id = $1 AND inbound_id = $2", tenant_id, inbound_id)
    return msgspec.json.decode(row[0], type=Posting) if row is not None else None


async def keep(tx: Transaction, tenant_id: str, inbound_id: str, posting: Posting) -> None:
    """Keep how far it is posted now."""
    await tx.execute(
        "UPDATE postings SET progress = $1 WHERE tenant_id = $2 AND inbound_id = $3",
        msgspec.json.encode(posting).decode(),
        tenant_id,
        inbound_id,
    )

"""Claims as a list: where each stands in words of callers, and which submissions belong to one claim.

A claim's id is that of its first submission; what replaces or cancels it is a further submission of the same claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.ledger import transactions
from gateway.ledger.transactions import Transaction
from gateway.ledger.vault import Vault
from queues.database import Transaction as Tx
from queues.database import Value

__all__ = ["STATUSES", "ListedClaim", "Payment", "adopt", "keep_payment", "newest", "page", "payments", "submissions"]

STATUSES = ("SUBMITTED", "RECEIVED", "ACCEPTED", "REJECTED", "PROCESSED", "DENIED", "UNKNOWN")
# The last thing that an acknowledgement or a status answer said of a claim.
_SAID = (
    "(SELECT e.data FROM events e WHERE e.tenant_id = t.tenant_id AND e.transaction_id = t.transaction_id"
    " AND e.kind IN ('claimAcknowledged', 'statusReported') ORDER BY e.sequence DESC LIMIT 1)"
)
# A0 and A1 say received, A2 accepted into adjudication; F2 is a denial that no remittance has told yet.
_STATUS = (
    "CASE WHEN state = 'rejected' THEN 'REJECTED'"
    " WHEN state = 'remitted' AND outcome = 'denied' THEN 'DENIED'"
    " WHEN state = 'remitted' THEN 'PROCESSED'"
    " WHEN state = 'finalized' AND said LIKE '%\"F2%' THEN 'DENIED'"
    " WHEN state = 'finalized' THEN 'PROCESSED'"
    " WHEN state = 'pending' THEN 'ACCEPTED'"
    " WHEN state = 'received' AND said LIKE '%\"A2%' THEN 'ACCEPTED'"
    " WHEN state = 'received' AND (said LIKE '%\"A0%' OR said LIKE '%\"A1%') THEN 'RECEIVED'"
    " WHEN state = 'received' THEN 'UNKNOWN' ELSE 'SUBMITTED' END"
)
_LAST = (
    "NOT EXISTS (SELECT 1 FROM transactions n WHERE n.tenant_id = t.tenant_id AND n.kind = 'claim'"
    " AND n.parent_id = coalesce(t.parent_id, t.transaction_id) AND n.position > t.position)"
)
_CLAIMS = f"SELECT t.*, {_SAID} AS said FROM transactions t WHERE t.tenant_id = $1 AND t.kind = 'claim' AND {_LAST}"
_COLUMNS = f"transaction_id, coalesce(parent_id, transaction_id), position, {_STATUS} AS status, coalesce(said, '')"
_WANTED = f"($2 = '' OR $2 LIKE '%,' || {_STATUS} || ',%')"
_PAGE = (
    f"SELECT {_COLUMNS} FROM ({_CLAIMS} AND t.position < $3 AND t.created_at > $4 AND t.created_at < $5) AS listed"
    f" WHERE {_WANTED} ORDER BY position DESC LIMIT $6"
)
_ONE = (
    f"SELECT {_COLUMNS} FROM ({_CLAIMS} AND t.transaction_id = $6 AND t.position < $3 AND t.created_at > $4"
    f" AND t.created_at < $5) AS listed WHERE {_WANTED}"
)
_EVER = (1 << 63) - 1


class ListedClaim(msgspec.Struct, frozen=True):
    """One claim: its id, its newest submission, its place in the list, its status, and whether a clearinghouse said so."""

    submission_id: str
    claim_id: str
    position: int
    status: str
    by_clearinghouse: bool


def _listed(row: tuple[str, str, int, str, str]) -> ListedClaim:
    said = '"source":"clearinghouse"' in row[4] and row[3] in ("REJECTED", "RECEIVED", "ACCEPTED")
    return ListedClaim(row[0], row[1], row[2], row[3], said or row[3] == "SUBMITTED")


async def page(
    tx: Tx,
    tenant_id: str,
    before: int | None,
    limit: int,
    statuses: Sequence[str] = (),
    among: Sequence[str] | None = None,
    after_time: int | None = None,
    before_time: int | None = None,
) -> list[ListedClaim]:
    """Claims, newest submission first, behind a position; of some statuses, among some submissions, submitted between two times."""
    wanted = f",{','.join(statuses)}," if statuses else ""
    asked: tuple[Value, ...] = (
        tenant_id,
        wanted,
        _EVER if before is None else before,
        -1 if after_time is None else after_time,
        _EVER if before_time is None else before_time,
    )
    if among is None:
        rows = await tx.fetch(_PAGE, *asked, limit)
    else:
        rows = [row for one in dict.fromkeys(among) for row in await tx.fetch(_ONE, *asked, one)]
        rows = sorted(rows, key=lambda row: row[2], reverse=True)[:limit]
    return [_listed(row) for row in rows]  # pyright: ignore[reportArgumentType]


async def submissions(tx: Tx, tenant_id: str, claim_id: str) -> list[Transaction]:
    """All submissions of a claim, oldest first; none where there is no such claim."""
    try:
        first = await transactions.get(tx, tenant_id, claim_id)
    except transactions.Unknown:
        return []
    if first.kind != "claim" or first.parent_id is not None:
        return []
    rows = await tx.fetch(
        "SELECT transaction_id FROM transactions WHERE tenant_id = $1 AND kind = 'claim' AND parent_id = $2 ORDER BY position",
        tenant_id,
        claim_id,
    )
    return [first, *[await transactions.get(tx, tenant_id, row[0]) for row in rows]]


async def newest(tx: Tx, tenant_id: str, claim_id: str) -> ListedClaim | None:
    """A claim as it is listed; None where there is no such claim."""
    found = await submissions(tx, tenant_id, claim_id)
    if not found:
        return None
    listed = await page(tx, tenant_id, None, 1, among=[found[-1].transaction_id])
    return listed[0] if listed else None


async def adopt(tx: Tx, tenant_id: str, transaction_id: str, earlier_id: str) -> None:
    """Make a submission one more of the claim that an earlier submission belongs to."""
    earlier = await transactions.get(tx, tenant_id, earlier_id)
    await tx.execute(
        "UPDATE transactions SET parent_id = $1 WHERE tenant_id = $2 AND transaction_id = $3 AND kind = 'claim'",
        earlier.parent_id or earlier.transaction_id,
        tenant_id,
        transaction_id,
    )


# --- what was paid --------------------------------------------------------------------------------------------------


class Payment(msgspec.Struct, frozen=True, rename="camel"):
    """What one remittance says of a claim: CLP02, CLP03, CLP04, CLP05 and TRN02."""

    status: str
    charge: str
    paid: str
    patient_responsibility: str
    trace_number: str

    def __repr__(self) -> str:
        return "<Payment>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return []


_KIND = "claim payment"


def _name(transaction_id: str, sequence: int) -> str:
    return f"{transaction_id}/{sequence}"


async def keep_payment(tx: Tx, vault: Vault, claim: Transaction, payment: Payment) -> None:
    """Keep what the event that a claim has just had says of money."""
    sealed = vault.seal(
        claim.tenant_id, _name(claim.transaction_id, claim.version), _KIND, msgspec.json.encode(payment)
    )
    await tx.execute(
        "INSERT INTO claim_payments (tenant_id, transaction_id, sequence, sealed) VALUES ($1, $2, $3, $4)",
        claim.tenant_id,
        claim.transaction_id,
        claim.version,
        sealed,
    )


async def payments(tx: Tx, vault: Vault, tenant_id: str, transaction_id: str) -> dict[int, Payment]:
    """What remittances said of a submission, by the sequence of its events."""
    rows = await tx.fetch(
        "SELECT sequence, sealed FROM claim_payments WHERE tenant_id = $1 AND transaction_id = $2",
        tenant_id,
        transaction_id,
    )
    return {
        row[0]: msgspec.json.decode(
            vault.unseal(tenant_id, _name(transaction_id, row[0]), _KIND, bytes(row[1])), type=Payment
        )
        for row in rows
    }

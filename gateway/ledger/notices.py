"""Notices: that a transaction has come into a state. An id and a kind, no data: whoever is told asks for the rest.

A notice is written in the commit that changes the state, with a delivery for each destination that wants its kind. Its id
follows from the transaction and the sequence of its event, so the same change is one notice however often it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from gateway.identities import event_of
from gateway.lifecycle import LADDERS
from queues import work
from queues.database import Transaction as Tx

if TYPE_CHECKING:
    # That module calls this one.
    from gateway.ledger.transactions import Transaction

__all__ = ["EVENT_TYPES", "Delivery", "Notice", "due", "get", "notice_all", "page", "settle", "wake"]

# What a caller does itself, and what only says that we are at work, is no news.
_UNTOLD = ("accepted", "built", "stored")
_FALLEN = {"claim": ("rejected",), "eligibility": ("rejected",), "claim_status": ("rejected",)}
EVENT_TYPES: tuple[str, ...] = tuple(
    f"{kind}.{state}"
    for kind, ladder in LADDERS.items()
    for state in (*ladder, *_FALLEN.get(kind, ("quarantined",)))
    if state not in _UNTOLD
)
Status = Literal["PENDING", "DELIVERED", "FAILED"]


class Notice(msgspec.Struct, frozen=True):
    """A change as it is told. `first_id` is the claim's first submission, or the transaction itself."""

    event_id: str
    position: int
    event_type: str
    transaction_id: str
    first_id: str
    usage: str
    created_at: int
    status: Status = "DELIVERED"


class Delivery(msgspec.Struct, frozen=True):
    """One notice on its way to one destination."""

    destination_id: str
    event_id: str
    attempts: int


async def notice_all(tx: Tx, changed: Sequence[Transaction], now: int) -> None:
    """Write down that transactions have come into the state they are in, and for whom that is news."""
    told = [subject for subject in changed if subject.state not in _UNTOLD]
    if not told:
        return
    tenant_id = told[0].tenant_id
    wanting = await tx.fetch(
        "SELECT destination_id, event_types FROM destinations"
        " WHERE tenant_id = $1 AND status = 'ENABLED' AND deleted_at IS NULL",
        tenant_id,
    )
    for subject in told:
        event_id, event_type = event_of(subject.transaction_id, subject.version, now), f"{subject.kind}.{subject.state}"
        await tx.execute(
            "INSERT INTO notices (tenant_id, event_id, position, event_type, transaction_id, first_id, usage, created_at)"
            " VALUES ($1, $2, (SELECT coalesce(max(position), 0) + 1 FROM notices WHERE tenant_id = $1), $3, $4, $5, $6, $7)",
            tenant_id,
            event_id,
            event_type,
            subject.transaction_id,
            subject.parent_id or subject.transaction_id if subject.kind == "claim" else subject.transaction_id,
            subject.usage,
            now,
        )
        for destination_id, types in wanting:
            if event_type in msgspec.json.decode(types):
                await _send(tx, tenant_id, destination_id, event_id, now)


async def _send(tx: Tx, tenant_id: str, destination_id: str, event_id: str, now: int) -> None:
    await tx.execute(
        "INSERT INTO deliveries (tenant_id, destination_id, event_id, state, attempts, due_at, reason, updated_at)"
        " VALUES ($1, $2, $3, 'pending', 0, $4, '', $4)",
        tenant_id,
        destination_id,
        event_id,
        now,
    )
    await work.enqueue(tx, tenant_id, f"{event_id}/{destination_id}", "notify", destination_id, now)


async def wake(tx: Tx, tenant_id: str, destination_id: str, work_id: str, now: int) -> None:
    """Go on with what waits for a destination that is enabled again."""
    await work.enqueue(tx, tenant_id, work_id, "notify", destination_id, now)


_STATUS = (
    "CASE WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.tenant_id = n.tenant_id AND d.event_id = n.event_id"
    " AND d.state = 'pending') THEN 'PENDING'"
    " WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.tenant_id = n.tenant_id AND d.event_id = n.event_id"
    " AND d.state = 'failed') THEN 'FAILED' ELSE 'DELIVERED' END"
)
_TOLD = (
    "SELECT event_id, position, event_type, transaction_id, first_id, usage, created_at, status FROM"
    f" (SELECT n.*, {_STATUS} AS status FROM notices n WHERE n.tenant_id = $1"
)
_ONE = f"{_TOLD} AND n.event_id = $2) AS told"
_PAGE = (
    f"{_TOLD} AND n.position < $2 AND n.created_at >= $3 AND n.created_at < $4 AND ($5 = '' OR n.event_type = $5)"
    " AND ($6 = '' OR n.event_id = $6)) AS told WHERE $7 = '' OR $7 LIKE '%,' || status || ',%'"
    " ORDER BY position DESC LIMIT $8"
)
_EVER = (1 << 63) - 1


async def get(tx: Tx, tenant_id: str, event_id: str) -> Notice | None:
    """One notice; None where there is none with this id."""
    row = await tx.row(_ONE, tenant_id, event_id)
    return None if row is None else Notice(*row)


async def page(
    tx: Tx,
    tenant_id: str,
    before: int | None,
    limit: int,
    statuses: Sequence[str] = (),
    event_type: str = "",
    event_id: str = "",
    since: int = 0,
    until: int = _EVER,
) -> list[Notice]:
    """Notices, newest first, behind a position, of the time from `since` to before `until`."""
    wanted = f",{','.join(statuses)}," if statuses else ""
    rows = await tx.fetch(
        _PAGE, tenant_id, _EVER if before is None else before, since, until, event_type, event_id, wanted, limit
    )
    return [Notice(*row) for row in rows]


# --- on the way -----------------------------------------------------------------------------------------------------


async def due(tx: Tx, tenant_id: str, destination_id: str, now: int, limit: int) -> tuple[list[Delivery], int | None]:
    """Deliveries to a destination that are due, oldest first; and when the next one is, if none is left due."""
    rows = await tx.fetch(
        "SELECT destination_id, event_id, attempts, due_at FROM deliveries WHERE tenant_id = $1 AND destination_id = $2"
        " AND state = 'pending' ORDER BY due_at, event_id LIMIT $3",
        tenant_id,
        destination_id,
        limit + 1,
    )
    ready = [Delivery(*row[:3]) for row in rows if row[3] <= now]
    return ready[:limit], min((row[3] for row in rows[min(len(ready), limit) :]), default=None)


async def settle(tx: Tx, tenant_id: str, delivery: Delivery, state: str, due_at: int, reason: str, now: int) -> None:
    """Note what an attempt came to: `delivered`, `failed`, or `pending` until `due_at`."""
    await tx.execute(
        "UPDATE deliveries SET state = $1, attempts = $2, due_at = $3, reason = $4, updated_at = $5"
        " WHERE tenant_id = $6 AND destination_id = $7 AND event_id = $8",
        state,
        delivery.attempts + 1,
        due_at,
        reason,
        now,
        tenant_id,
        delivery.destination_id,
        delivery.event_id,
    )

"""Interchanges we built: numbers, bytes, hash and destination are committed before the first byte leaves, and never change."""

from __future__ import annotations

import msgspec

from queues.database import Row, Transaction

__all__ = [
    "Interchange",
    "Member",
    "by_number",
    "get",
    "insert",
    "members",
    "of_transaction",
    "record_attempt",
    "set_state",
]


class Interchange(msgspec.Struct, frozen=True):
    """An outbound interchange. `series` is sender, receiver and usage; `state` is intent, on_wire, in_doubt, confirmed, rejected or held."""

    tenant_id: str
    interchange_id: str
    route_id: str
    series: str
    control_number: int
    set_id: str
    state: str
    payload_id: str
    sha256: str
    bytes: int
    created_at: int
    attempts: int = 0
    reason: str = ""
    sent_at: int | None = None
    traceparent: str = ""


class Member(msgspec.Struct, frozen=True):
    """A transaction in a transaction set of an interchange."""

    control_number: str
    ordinal: int
    transaction_id: str


_FIELDS = Interchange.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_PLACES = ", ".join(f"${n}" for n in range(1, len(_FIELDS) + 1))


def _interchange(row: Row) -> Interchange:
    return Interchange(**dict(zip(_FIELDS, row, strict=True)))


async def insert(tx: Transaction, made: Interchange, held: list[Member]) -> None:
    """Commit to an interchange and its members. Unique when the control number was used before in the series."""
    await tx.execute(f"INSERT INTO interchanges ({_COLUMNS}) VALUES ({_PLACES})", *msgspec.structs.astuple(made))
    await tx.many(
        "INSERT INTO members (tenant_id, interchange_id, control_number, ordinal, transaction_id) VALUES ($1, $2, $3, $4, $5)",
        [(made.tenant_id, made.interchange_id, m.control_number, m.ordinal, m.transaction_id) for m in held],
    )


async def get(tx: Transaction, tenant_id: str, interchange_id: str) -> Interchange | None:
    """One interchange; None when there is none with this id."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM interchanges WHERE tenant_id = $1 AND interchange_id = $2", tenant_id, interchange_id
    )
    return _interchange(row) if row else None


async def by_number(tx: Transaction, tenant_id: str, series: str, control_number: int) -> Interchange | None:
    """The interchange that had this number of a series."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM interchanges WHERE tenant_id = $1 AND series = $2 AND control_number = $3",
        tenant_id,
        series,
        control_number,
    )
    return _interchange(row) if row else None


async def members(tx: Transaction, tenant_id: str, interchange_id: str) -> list[Member]:
    """What an interchange carries."""
    rows = await tx.fetch(
        "SELECT control_number, ordinal, transaction_id FROM members WHERE tenant_id = $1 AND interchange_id = $2 ORDER BY control_number, ordinal",
        tenant_id,
        interchange_id,
    )
    return [Member(*row) for row in rows]


async def of_transaction(tx: Transaction, tenant_id: str, transaction_id: str) -> list[Interchange]:
    """The interchanges that carried a transaction, oldest first."""
    columns = ", ".join(f"i.{name}" for name in _FIELDS)
    rows = await tx.fetch(
        f"SELECT {columns} FROM members m JOIN interchanges i ON i.tenant_id = m.tenant_id AND i.interchange_id = m.interchange_id"
        " WHERE m.tenant_id = $1 AND m.transaction_id = $2 ORDER BY i.created_at",
        tenant_id,
        transaction_id,
    )
    return [_interchange(row) for row in rows]


async def record_attempt(tx: Transaction, made: Interchange, now: int) -> None:
    """Before the first byte: from here on the payer may have it."""
    await tx.execute(
        "UPDATE interchanges SET state = 'on_wire', attempts = attempts + 1, sent_at = coalesce(sent_at, $1) WHERE tenant_id = $2 AND interchange_id = $3",
        now,
        made.tenant_id,
        made.interchange_id,
    )


async def set_state(tx: Transaction, made: Interchange, state: str, reason: str = "") -> None:
    """Where the sending stands; bytes and numbers stay as they are."""
    await tx.execute(
        "UPDATE interchanges SET state = $1, reason = $2 WHERE tenant_id = $3 AND interchange_id = $4",
        state,
        reason,
        made.tenant_id,
        made.interchange_id,
    )

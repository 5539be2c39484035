"""Interchanges we built: numbers, bytes, hash and destination are committed before the first byte leaves, and never change."""

from __future__ import annotations

import msgspec

from queues.database import Row, Transaction

__all__ = [
    "NO_ROUTE",
    "NUMBER_TAKEN",
    "Interchange",
    "Member",
    "by_number",
    "decide_by",
    "doubt",
    "get",
    "in_doubt",
    "insert",
    "may_have_left",
    "members",
    "not_sent",
    "of_transaction",
    "record_attempt",
    "set_state",
    "stranded",
    "undecided",
    "unsettled",
]


# Why an interchange is held whose control number its payer had before.
NUMBER_TAKEN = "TA1 025 to an interchange that was sent once"
# Why the sending of one waits.
NO_ROUTE = "the route of this interchange is not configured"


class Interchange(msgspec.Struct, frozen=True):
    """An outbound interchange. `series` is sender, receiver and usage.

    `state` is intent, on_wire, in_doubt, safe_to_resend, held, or for good confirmed, rejected or released: a person let its claims go
    into another one. `copies` counts the attempts that may have reached the payer, `sent_at` is when the first of them was made.
    """

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
    copies: int = 0
    doubted_at: int | None = None
    decide_by: int | None = None


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
    """The interchanges that carried a transaction, oldest first: those that it was released from before the one it is in, whatever clocks said."""
    columns = ", ".join(f"i.{name}" for name in _FIELDS)
    rows = await tx.fetch(
        f"SELECT {columns} FROM members m JOIN interchanges i ON i.tenant_id = m.tenant_id AND i.interchange_id = m.interchange_id"
        " WHERE m.tenant_id = $1 AND m.transaction_id = $2 ORDER BY CASE WHEN i.state = 'released' THEN 0 ELSE 1 END, i.created_at",
        tenant_id,
        transaction_id,
    )
    return [_interchange(row) for row in rows]


async def record_attempt(tx: Transaction, made: Interchange, now: int) -> None:
    """Before the first byte: from here on the payer may have it."""
    await tx.execute(
        "UPDATE interchanges SET state = 'on_wire', attempts = attempts + 1, copies = copies + 1, sent_at = coalesce(sent_at, $1)"
        " WHERE tenant_id = $2 AND interchange_id = $3",
        now,
        made.tenant_id,
        made.interchange_id,
    )


async def not_sent(tx: Transaction, made: Interchange, state: str, reason: str) -> None:
    """The attempt that was recorded last did not leave: back to where it stood, with a copy less that the payer may have."""
    await tx.execute(
        "UPDATE interchanges SET state = $1, reason = $2, copies = copies - 1, sent_at = CASE WHEN copies > 1 THEN sent_at END"
        " WHERE tenant_id = $3 AND interchange_id = $4",
        state,
        reason,
        made.tenant_id,
        made.interchange_id,
    )


async def may_have_left(tx: Transaction, made: Interchange, at: int) -> None:
    """An attempt that is not known here may have been made after that time: it counts as one."""
    await tx.execute(
        "UPDATE interchanges SET attempts = attempts + 1, copies = copies + 1, sent_at = coalesce(sent_at, $1)"
        " WHERE tenant_id = $2 AND interchange_id = $3",
        at,
        made.tenant_id,
        made.interchange_id,
    )


async def unsettled(tx: Transaction, tenant_id: str, set_id: str) -> list[Interchange]:
    """Interchanges of which it is not settled whether the payer has them, those not yet sent among them, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM interchanges WHERE tenant_id = $1 AND set_id = $2"
        " AND state IN ('intent', 'on_wire', 'in_doubt', 'safe_to_resend', 'held') ORDER BY created_at, interchange_id",
        tenant_id,
        set_id,
    )
    return [_interchange(row) for row in rows]


async def doubt(tx: Transaction, made: Interchange, state: str, reason: str, now: int, decide_at: int) -> None:
    """Nobody knows whether the payer has it: in_doubt, or held where nothing more is tried. The first time counts."""
    await tx.execute(
        "UPDATE interchanges SET state = $1, reason = $2, doubted_at = coalesce(doubted_at, $3), decide_by = coalesce(decide_by, $4)"
        " WHERE tenant_id = $5 AND interchange_id = $6",
        state,
        reason,
        now,
        decide_at,
        made.tenant_id,
        made.interchange_id,
    )


async def decide_by(tx: Transaction, made: Interchange, at: int) -> None:
    """Until when a person will wait."""
    await tx.execute(
        "UPDATE interchanges SET decide_by = $1 WHERE tenant_id = $2 AND interchange_id = $3",
        at,
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


async def undecided(tx: Transaction, tenant_id: str, now: int) -> list[tuple[str, bool, int]]:
    """(route, whether `NUMBER_TAKEN` is why, number) of interchanges of claims that a person should have decided on by now."""
    rows = await tx.fetch(
        "SELECT route_id, reason = $3, count(*) FROM interchanges WHERE tenant_id = $1 AND set_id = '837' AND state IN ('in_doubt', 'held')"
        " AND decide_by <= $2 GROUP BY route_id, reason = $3 ORDER BY route_id, reason = $3",
        tenant_id,
        now,
        NUMBER_TAKEN,
    )
    return [(row[0], bool(row[1]), row[2]) for row in rows]


async def in_doubt(
    tx: Transaction, tenant_id: str, after: tuple[int, str], limit: int
) -> list[tuple[Interchange, int]]:
    """Interchanges of claims of which nobody knows whether the payer has them, each with how many claims, longest in doubt first.

    `after` is the time and id of the last one of the page before.
    """
    rows = await tx.fetch(
        f"SELECT {_COLUMNS}, (SELECT count(*) FROM members m WHERE m.tenant_id = i.tenant_id AND m.interchange_id = i.interchange_id)"
        " FROM interchanges i WHERE tenant_id = $1 AND set_id = '837' AND state IN ('in_doubt', 'held')"
        " AND (doubted_at > $2 OR (doubted_at = $2 AND interchange_id > $3)) ORDER BY doubted_at, interchange_id LIMIT $4",
        tenant_id,
        after[0],
        after[1],
        limit,
    )
    return [(_interchange(row[:-1]), row[-1]) for row in rows]


async def stranded(tx: Transaction, tenant_id: str) -> list[tuple[str, int]]:
    """(route, number) of interchanges that wait for a route that was not configured when it was last looked at."""
    rows = await tx.fetch(
        "SELECT i.route_id, count(*) FROM work w JOIN interchanges i ON i.tenant_id = w.tenant_id AND i.interchange_id = w.subject"
        " WHERE w.tenant_id = $1 AND w.kind = 'send' AND w.reason = $2 GROUP BY i.route_id",
        tenant_id,
        NO_ROUTE,
    )
    return [(row[0], row[1]) for row in rows]

"""Alarms: what a person should look at, each open once for its kind and subject, closed when its cause is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from queues.database import Row, Transaction

__all__ = ["Alarm", "Cause", "acknowledge", "get", "mailed", "page", "refresh", "to_mail"]


class Cause(msgspec.Struct, frozen=True):
    """Why an alarm is raised: what it is about (`subject`, a key of ours), and how many things are so. Nothing of a patient."""

    subject: str
    count: int
    payer_id: str = ""
    route_id: str = ""
    detail: str = ""


class Alarm(msgspec.Struct, frozen=True):
    """An alarm as it is kept."""

    tenant_id: str
    alarm_id: str
    kind: str
    subject: str
    payer_id: str
    route_id: str
    detail: str
    count: int
    raised_at: int
    closed_at: int | None = None
    mailed_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None


_FIELDS = Alarm.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_INSERT = f"INSERT INTO alarms ({_COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, len(_FIELDS) + 1))})"


def _alarm(row: Row) -> Alarm:
    return Alarm(**dict(zip(_FIELDS, row, strict=True)))


async def refresh(
    tx: Transaction, tenant_id: str, kind: str, causes: Iterable[Cause], now: int, new_id: Callable[[], str]
) -> list[Alarm]:
    """Make the open alarms of a kind those of these causes: new ones raised, others counted again, those without a cause closed.

    Those that were raised now.
    """
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM alarms WHERE tenant_id = $1 AND kind = $2 AND closed_at IS NULL", tenant_id, kind
    )
    before = {one.subject: one for one in map(_alarm, rows)}
    raised: list[Alarm] = []
    for cause in causes:
        known = before.pop(cause.subject, None)
        if known is None:
            made = Alarm(
                tenant_id,
                new_id(),
                kind,
                cause.subject,
                cause.payer_id,
                cause.route_id,
                cause.detail,
                cause.count,
                now,
            )
            await tx.execute(_INSERT, *msgspec.structs.astuple(made))
            raised.append(made)
        elif (known.count, known.detail) != (cause.count, cause.detail):
            await tx.execute(
                "UPDATE alarms SET count = $1, detail = $2 WHERE tenant_id = $3 AND alarm_id = $4",
                cause.count,
                cause.detail,
                tenant_id,
                known.alarm_id,
            )
    for gone in before.values():
        await tx.execute(
            "UPDATE alarms SET closed_at = $1 WHERE tenant_id = $2 AND alarm_id = $3", now, tenant_id, gone.alarm_id
        )
    return raised


async def get(tx: Transaction, tenant_id: str, alarm_id: str) -> Alarm | None:
    """One alarm; None when there is none with this id."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM alarms WHERE tenant_id = $1 AND alarm_id = $2", tenant_id, alarm_id)
    return _alarm(row) if row else None


async def page(
    tx: Transaction, tenant_id: str, after: tuple[int, str], limit: int, *, closed: bool = False
) -> list[Alarm]:
    """Open alarms, or those that were closed, oldest first, behind a time and an id."""
    which = "IS NOT NULL" if closed else "IS NULL"
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM alarms WHERE tenant_id = $1 AND closed_at {which}"
        " AND (raised_at > $2 OR (raised_at = $2 AND alarm_id > $3)) ORDER BY raised_at, alarm_id LIMIT $4",
        tenant_id,
        after[0],
        after[1],
        limit,
    )
    return [_alarm(row) for row in rows]


async def acknowledge(tx: Transaction, alarm: Alarm, by: str, now: int) -> None:
    """A person has seen it; the first time counts. It stays open until its cause is gone."""
    await tx.execute(
        "UPDATE alarms SET acknowledged_at = $1, acknowledged_by = $2"
        " WHERE tenant_id = $3 AND alarm_id = $4 AND acknowledged_at IS NULL",
        now,
        by,
        alarm.tenant_id,
        alarm.alarm_id,
    )


async def to_mail(tx: Transaction, tenant_id: str, limit: int) -> list[Alarm]:
    """Open alarms that nobody was written about, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM alarms WHERE tenant_id = $1 AND closed_at IS NULL AND mailed_at IS NULL"
        " AND acknowledged_at IS NULL ORDER BY raised_at, alarm_id LIMIT $2",
        tenant_id,
        limit,
    )
    return [_alarm(row) for row in rows]


async def mailed(tx: Transaction, alarms: Iterable[Alarm], now: int) -> None:
    """A mail about these was taken by the server."""
    await tx.many(
        "UPDATE alarms SET mailed_at = $1 WHERE tenant_id = $2 AND alarm_id = $3",
        [(now, one.tenant_id, one.alarm_id) for one in alarms],
    )

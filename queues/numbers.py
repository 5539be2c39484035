"""Control numbers: taken in blocks inside the transaction that uses them, never twice, never back.

A series is whatever must not see one number twice, such as one sender, receiver and usage (ISA13). Gaps are allowed,
reuse is not. Source: X12.5 (ISA13 identifies an interchange between two partners); ../docs/why.md for the wrap.
"""

from __future__ import annotations

from queues.database import Transaction

__all__ = ["CONTROL_NUMBER_MAX", "GUARD", "NumbersUsedUp", "advance", "mint", "skip"]

CONTROL_NUMBER_MAX = 999_999_999
# How many numbers are left out where some may have been used that are not known here: more than one sender uses between two backups.
GUARD = 10_000
# A row for series that were never used: where they begin, once that is not at 1.
_TO_COME = ""


class NumbersUsedUp(Exception):
    """The series has no free number left; an operator must decide where it may begin again."""


async def mint(tx: Transaction, tenant_id: str, series: str, count: int = 1) -> int:
    """Take `count` consecutive numbers of a series, at least 1; the first of them. NumbersUsedUp past 999,999,999."""
    rows = await tx.fetch(
        "INSERT INTO numbers (tenant_id, series, next) VALUES ($1, $2, $3 + coalesce((SELECT next FROM numbers WHERE tenant_id = $1 AND series = $4), 1))"
        " ON CONFLICT (tenant_id, series) DO UPDATE SET next = numbers.next + $3 RETURNING next",
        tenant_id,
        series,
        count,
        _TO_COME,
    )
    first = rows[0][0] - count
    if first + count - 1 > CONTROL_NUMBER_MAX:
        raise NumbersUsedUp(f"series {series}: no control number is left below {CONTROL_NUMBER_MAX + 1}")
    return first


async def advance(tx: Transaction, tenant_id: str, series: str, past: int) -> None:
    """Take no number of a series any more that is not greater than `past`: the other side has seen those."""
    await tx.execute(
        "INSERT INTO numbers (tenant_id, series, next) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, series) DO UPDATE SET"
        " next = CASE WHEN numbers.next < excluded.next THEN excluded.next ELSE numbers.next END",
        tenant_id,
        series,
        past + 1,
    )


async def skip(tx: Transaction, tenant_id: str, count: int) -> None:
    """Leave out the next `count` numbers of every series, also of those that are still to come.

    NumbersUsedUp where a series has not so many left; then none was left out.
    """
    known = dict(await tx.fetch("SELECT series, next FROM numbers WHERE tenant_id = $1", tenant_id))
    for series, following in {_TO_COME: 1, **known}.items():
        if following + count > CONTROL_NUMBER_MAX:
            raise NumbersUsedUp(f"series {series}: it has fewer than {count} numbers left")
        await advance(tx, tenant_id, series, following - 1 + count)

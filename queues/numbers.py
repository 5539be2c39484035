"""Control numbers: taken in blocks inside the transaction that uses them, never twice, never back.

A series is whatever must not see one number twice, such as one sender, receiver and usage (ISA13). Gaps are allowed,
reuse is not. Source: X12.5 (ISA13 identifies an interchange between two partners); ../docs/why.md for the wrap.
"""

from __future__ import annotations

from queues.database import Transaction

__all__ = ["CONTROL_NUMBER_MAX", "NumbersUsedUp", "advance", "mint"]

CONTROL_NUMBER_MAX = 999_999_999


class NumbersUsedUp(Exception):
    """The series has no free number left; an operator must decide where it may begin again."""


async def mint(tx: Transaction, tenant_id: str, series: str, count: int = 1) -> int:
    """Take `count` consecutive numbers of a series, at least 1; the first of them. NumbersUsedUp past 999,999,999."""
    rows = await tx.fetch(
        "INSERT INTO numbers (tenant_id, series, next) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, series) DO UPDATE SET next = numbers.next + $4 RETURNING next",
        tenant_id,
        series,
        1 + count,
        count,
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

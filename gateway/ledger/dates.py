"""The ledger's future dates after the clock went back: none lies further ahead than what it waits for may take.

What happened keeps the times that it was written down with.
"""

from __future__ import annotations

from collections.abc import Mapping

from queues.database import Transaction

__all__ = ["pull_back", "written_ahead"]


async def pull_back(
    tx: Transaction,
    tenant_id: str,
    now: int,
    follow_up: Mapping[str, int],
    *,
    longest_follow_up: int,
    longest_wait: int,
    decide_by: int,
) -> int:
    """Pull what lies too far ahead of `now` to its bound; how many claims got another date. Spans are microseconds.

    `follow_up` is the longest time between two questions about a claim by payer, `longest_follow_up` that of any; `longest_wait`
    that between two tries of a check or a delivery; `decide_by` when a person should have decided on a doubt that began now.
    """
    moved = 0
    for payer_id, span in follow_up.items():
        moved += await tx.execute(
            "UPDATE transactions SET follow_up_at = $1 WHERE tenant_id = $2 AND payer_id = $3 AND follow_up_at > $1",
            now + span,
            tenant_id,
            payer_id,
        )
    moved += await tx.execute(
        "UPDATE transactions SET follow_up_at = $1 WHERE tenant_id = $2 AND follow_up_at > $1",
        now + longest_follow_up,
        tenant_id,
    )
    # The clocks of the ladder count from here: a payer is silent once its time has passed since the clock is right.
    await tx.execute(
        "UPDATE transactions SET sent_at = $1 WHERE tenant_id = $2 AND kind = 'claim' AND sent_at > $1", now, tenant_id
    )
    await tx.execute(
        "UPDATE interchanges SET decide_by = $1 WHERE tenant_id = $2 AND decide_by > $1", decide_by, tenant_id
    )
    await tx.execute(
        "UPDATE checks SET due_at = $1 WHERE tenant_id = $2 AND state = 'waiting' AND due_at > $1",
        now + longest_wait,
        tenant_id,
    )
    await tx.execute(
        "UPDATE deliveries SET due_at = $1 WHERE tenant_id = $2 AND state = 'pending' AND due_at > $1",
        now + longest_wait,
        tenant_id,
    )
    # One from a time to come would be kept until then.
    await tx.execute(
        "UPDATE idempotency_keys SET created_at = $1 WHERE tenant_id = $2 AND created_at > $1", now, tenant_id
    )
    return moved


async def written_ahead(tx: Transaction, tenant_id: str, now: int) -> int:
    """How many interchanges of ours bear dates (ISA09, GS04, BHT04) that are still to come."""
    row = await tx.row("SELECT count(*) FROM interchanges WHERE tenant_id = $1 AND created_at > $2", tenant_id, now)
    return row[0] if row else 0

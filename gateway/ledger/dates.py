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
    jump: int,
    follow_up: Mapping[str, int],
    *,
    longest_follow_up: int,
    longest_wait: int,
    decide_by: int,
) -> int:
    """Pull what lies too far ahead of `now` to its bound; how many claims got another date. Spans are microseconds.

    `jump` is by how much the clock went, 0 where that is not known. `follow_up` is the longest time between two questions about a claim by
    payer, `longest_follow_up` that of any; `longest_wait` that between two tries of a check or a delivery; `decide_by` when a person should
    have decided on a doubt that began now.
    """
    back = min(jump, 0)
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
        "UPDATE transactions SET sent_at = $1 WHERE tenant_id = $2 AND (kind = 'claim' OR kind = 'claim_status') AND sent_at > $1",
        now,
        tenant_id,
    )
    # How long ago it was that the first copy may have arrived: a payer's promise to know copies ends, and must not end later for that.
    await tx.execute(
        "UPDATE interchanges SET sent_at = CASE WHEN sent_at + $2 > $1 THEN $1 ELSE sent_at + $2 END WHERE tenant_id = $3 AND set_id = '837'"
        " AND sent_at IS NOT NULL AND state IN ('intent', 'on_wire', 'in_doubt', 'safe_to_resend', 'held')",
        now,
        back,
        tenant_id,
    )
    await tx.execute(
        "UPDATE interchanges SET decide_by = $1 WHERE tenant_id = $2 AND decide_by > $1", decide_by, tenant_id
    )
    await _tries(tx, tenant_id, now, back, longest_wait)
    # One from a time to come would be kept until then.
    await tx.execute(
        "UPDATE idempotency_keys SET created_at = $1 WHERE tenant_id = $2 AND created_at > $1", now, tenant_id
    )
    return moved


# What waits for a later time waits for as long as it would have, `longest` at most; what was due before is due.
_DUE = "CASE WHEN due_at + $3 < $1 THEN $1 WHEN due_at + $3 > $4 THEN $4 ELSE due_at + $3 END"


async def _tries(tx: Transaction, tenant_id: str, now: int, back: int, longest: int) -> None:
    """The next tries of checks and deliveries, and when a check was asked last, from which its next question is counted."""
    bounds = (now, tenant_id, back, now + longest)
    await tx.execute(
        f"UPDATE checks SET due_at = {_DUE} WHERE tenant_id = $2 AND state = 'waiting' AND due_at > $1", *bounds
    )
    await tx.execute(
        f"UPDATE deliveries SET due_at = {_DUE} WHERE tenant_id = $2 AND state = 'pending' AND due_at > $1", *bounds
    )
    await tx.execute(
        "UPDATE checks SET asked_at = CASE WHEN asked_at > $1 THEN $1 ELSE asked_at END,"
        " first_tried_at = CASE WHEN first_tried_at > $1 THEN $1 ELSE first_tried_at END, until = CASE WHEN until > $3 THEN $3 ELSE until END"
        " WHERE tenant_id = $2 AND state IN ('waiting', 'started') AND (asked_at > $1 OR first_tried_at > $1 OR until > $3)",
        now,
        tenant_id,
        now + longest,
    )


async def written_ahead(tx: Transaction, tenant_id: str, now: int) -> int:
    """How many interchanges of ours bear dates (ISA09, GS04, BHT04) that are still to come."""
    row = await tx.row("SELECT count(*) FROM interchanges WHERE tenant_id = $1 AND created_at > $2", tenant_id, now)
    return row[0] if row else 0

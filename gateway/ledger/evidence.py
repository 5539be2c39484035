"""What is known of whether a payer has an interchange: attempts without a clear end, questions, answers, and words of persons."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from queues.database import Transaction

__all__ = ["RESTORED", "Evidence", "add", "looks", "of", "restored"]

# The source that says that a backup was restored: the payer may have got more than is known here.
RESTORED = "restore"

# More than this is the same again: the newest tell what is known.
_KNOWN_MAX = 200


class Evidence(msgspec.Struct, frozen=True):
    """One thing known. `source` is delivery, probe, rule, question, person, restore, or the answer that it was: TA1, 999, 277CA, 277, 835.

    `says` is received, absent, unknown, asked, or what a person decided; `detail` is in words of ours, `note_id` seals the person's.
    """

    at: int
    source: str
    says: str
    detail: str = ""
    decided_by: str = ""
    note_id: str | None = None


async def add(tx: Transaction, tenant_id: str, interchange_id: str, known: Evidence) -> None:
    """Keep one thing more, after all that was known."""
    await tx.execute(
        "INSERT INTO evidence (tenant_id, interchange_id, sequence, at, source, says, detail, decided_by, note_id) VALUES ($1, $2,"
        " (SELECT coalesce(max(sequence), 0) + 1 FROM evidence WHERE tenant_id = $1 AND interchange_id = $2),"
        " $3, $4, $5, $6, $7, $8)",
        tenant_id,
        interchange_id,
        known.at,
        known.source,
        known.says,
        known.detail,
        known.decided_by,
        known.note_id,
    )


async def of(tx: Transaction, tenant_id: str, interchange_id: str) -> list[Evidence]:
    """What is known of an interchange, oldest first; of very much the newest."""
    rows = await tx.fetch(
        "SELECT at, source, says, detail, decided_by, note_id FROM evidence WHERE tenant_id = $1 AND interchange_id = $2"
        " ORDER BY sequence DESC LIMIT $3",
        tenant_id,
        interchange_id,
        _KNOWN_MAX,
    )
    return [Evidence(*row) for row in reversed(rows)]


def looks(known: Sequence[Evidence]) -> int:
    """How often it was tried to find out since the last attempt, or since a person last decided."""
    count = 0
    for one in reversed(known):
        if one.source in ("delivery", "person", RESTORED):
            break
        count += one.source == "probe"
    return count


def restored(known: Sequence[Evidence]) -> bool:
    """Whether a backup was restored since a person last decided: its claims may be at the payer under a number not known here."""
    for one in reversed(known):
        if one.source == "person" and one.says != "keep_waiting":
            return False
        if one.source == RESTORED:
            return True
    return False

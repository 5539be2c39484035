"""Looks whether a ledger is true to itself: each rule finds the rows that could not be so if nothing was ever lost.

For backups, which are good only if what they hold is, and for whoever is in doubt about a data folder. Nothing is changed.
"""

from __future__ import annotations

import hashlib

import msgspec

from gateway.ledger import payloads
from gateway.ledger.payloads import PayloadMissing
from gateway.ledger.vault import SealBroken, Vault
from queues.database import Transaction

__all__ = ["TABLES", "Fault", "counted", "faults", "numbers_next", "unsealed"]

_SHOWN_MAX = 5
_PAGE = 200


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """A rule that is broken, by how many rows, and the ids of some of them."""

    rule: str
    rows: int
    examples: list[str]


# What backups count, so that one that lacks rows shows.
TABLES = (
    "transactions",
    "events",
    "interchanges",
    "members",
    "payloads",
    "inbound_files",
    "effects",
    "idempotency_keys",
    "claim_payments",
    "checks",
    "notices",
    "evidence",
    "work",
)

_NOT_SETTLED = "('confirmed', 'rejected', 'held', 'released')"
# A rule in words, and the ids that break it.
_RULES: tuple[tuple[str, str], ...] = (
    (
        "a transaction has as many events as its version says, from 1 on",
        (
            "SELECT t.transaction_id FROM transactions t LEFT JOIN (SELECT tenant_id, transaction_id, count(*) AS n, max(sequence) AS last"
            " FROM events GROUP BY tenant_id, transaction_id) e ON e.tenant_id = t.tenant_id AND e.transaction_id = t.transaction_id"
            " WHERE e.n IS NULL OR e.n <> t.version OR e.last <> t.version"
        ),
    ),
    (
        "what a transaction asked and was answered is kept",
        (
            "SELECT t.transaction_id FROM transactions t WHERE (t.kind = 'claim' AND NOT EXISTS (SELECT 1 FROM payloads p"
            " WHERE p.tenant_id = t.tenant_id AND p.payload_id = t.request_id)) OR (t.answer_id IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM payloads p WHERE p.tenant_id = t.tenant_id AND p.payload_id = t.answer_id))"
        ),
    ),
    (
        "the bytes of an interchange are kept",
        (
            "SELECT i.interchange_id FROM interchanges i WHERE NOT EXISTS (SELECT 1 FROM payloads p WHERE p.tenant_id = i.tenant_id"
            " AND p.payload_id = i.payload_id)"
        ),
    ),
    (
        "the bytes of a file from a payer are kept",
        (
            "SELECT f.inbound_id FROM inbound_files f WHERE NOT EXISTS (SELECT 1 FROM payloads p WHERE p.tenant_id = f.tenant_id"
            " AND p.payload_id = f.payload_id)"
        ),
    ),
    (
        "an interchange carries transactions that there are",
        (
            "SELECT m.interchange_id FROM members m WHERE NOT EXISTS (SELECT 1 FROM interchanges i WHERE i.tenant_id = m.tenant_id"
            " AND i.interchange_id = m.interchange_id) OR NOT EXISTS (SELECT 1 FROM transactions t WHERE t.tenant_id = m.tenant_id"
            " AND t.transaction_id = m.transaction_id)"
        ),
    ),
    (
        "a claim is in one interchange that may be at a payer, at most",
        (
            "SELECT m.transaction_id FROM members m JOIN interchanges i ON i.tenant_id = m.tenant_id AND i.interchange_id = m.interchange_id"
            " WHERE i.set_id = '837' AND i.state NOT IN ('rejected', 'released') GROUP BY m.tenant_id, m.transaction_id HAVING count(*) > 1"
        ),
    ),
    (
        "claims that are not sent yet have work that sends them",
        (
            f"SELECT i.interchange_id FROM interchanges i WHERE i.set_id = '837' AND i.state NOT IN {_NOT_SETTLED} AND NOT EXISTS"
            " (SELECT 1 FROM work w WHERE w.tenant_id = i.tenant_id AND w.kind = 'send' AND w.subject = i.interchange_id)"
        ),
    ),
    (
        "claims in no interchange yet have work that builds one",
        (
            "SELECT t.transaction_id FROM transactions t WHERE t.kind = 'claim' AND t.state = 'accepted' AND NOT EXISTS"
            " (SELECT 1 FROM work w WHERE w.tenant_id = t.tenant_id AND w.kind = 'batch' AND w.subject = t.route_id)"
        ),
    ),
    (
        "a file from a payer that is not read yet has work that reads it",
        (
            "SELECT f.inbound_id FROM inbound_files f WHERE f.state = 'stored' AND NOT EXISTS (SELECT 1 FROM work w"
            " WHERE w.tenant_id = f.tenant_id AND w.kind IN ('apply', 'post') AND w.subject = f.inbound_id)"
        ),
    ),
    (
        "a claim that was sent and is not at its end has a date at which it is asked about",
        (
            "SELECT t.transaction_id FROM transactions t WHERE t.kind = 'claim' AND t.follow_up_at IS NULL"
            " AND t.worklist IS NULL AND t.state IN ('sent', 'acknowledged', 'received', 'pending')"
        ),
    ),
    (
        "no control number is taken that the series could give again",
        (
            "SELECT i.interchange_id FROM interchanges i LEFT JOIN numbers n ON n.tenant_id = i.tenant_id AND n.series = i.series"
            " WHERE n.next IS NULL OR i.control_number >= n.next"
        ),
    ),
)


async def faults(tx: Transaction) -> list[Fault]:
    """Every rule that is broken; nothing where all holds."""
    found: list[Fault] = []
    for rule, sql in _RULES:
        ids = [row[0] for row in await tx.fetch(sql)]
        if ids:
            found.append(Fault(rule, len(ids), ids[:_SHOWN_MAX]))
    return found


async def unsealed(tx: Transaction, vault: Vault, tenant_id: str) -> tuple[int, list[Fault]]:
    """Open every payload of a tenant, and compare what was sent and received with its SHA-256; how many, and what is wrong."""
    digests = dict(
        await tx.fetch(
            "SELECT payload_id, sha256 FROM interchanges WHERE tenant_id = $1"
            " UNION ALL SELECT payload_id, sha256 FROM inbound_files WHERE tenant_id = $1",
            tenant_id,
        )
    )
    opened, broken, other, after = 0, list[str](), list[str](), ""
    while True:
        page = await tx.fetch(
            "SELECT payload_id FROM payloads WHERE tenant_id = $1 AND payload_id > $2 ORDER BY payload_id LIMIT $3",
            tenant_id,
            after,
            _PAGE,
        )
        if not page:
            break
        for (payload_id,) in page:
            try:
                content = await payloads.load(tx, vault, tenant_id, payload_id)
            except (SealBroken, PayloadMissing):
                broken.append(payload_id)
                continue
            opened += 1
            digest = digests.get(payload_id)
            if digest is not None and hashlib.sha256(content).hexdigest() != digest:
                other.append(payload_id)
        after = page[-1][0]
    told = (("a payload opens with its key", broken), ("what was sent and received is as its SHA-256 says", other))
    return opened, [Fault(rule, len(ids), ids[:_SHOWN_MAX]) for rule, ids in told if ids]


async def counted(tx: Transaction) -> dict[str, int]:
    """How many rows each table has."""
    counts: dict[str, int] = {}
    for table in TABLES:
        row = await tx.row(f"SELECT count(*) FROM {table}")
        counts[table] = row[0] if row else 0
    return counts


async def numbers_next(tx: Transaction) -> dict[str, int]:
    """The next free control number of each series."""
    return dict(await tx.fetch("SELECT series, next FROM numbers ORDER BY series"))

"""What was in force of each payer, and when: versions of its data, of which one is open at most."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from gateway.ledger import payloads
from gateway.ledger.vault import Vault
from queues.database import Transaction

__all__ = ["InForce", "Version", "latest_of", "of_payer", "record"]


class InForce(msgspec.Struct, frozen=True):
    """A payer's data as it holds now: where it is from, and what it says, as JSON."""

    source: str
    content: bytes


class Version(msgspec.Struct, frozen=True):
    """One version. `until` is None while it holds; times are microseconds."""

    tenant_id: str
    version_id: str
    payer_id: str
    source: str
    sha256: str
    payload_id: str
    since: int
    until: int | None


_COLUMNS = ", ".join(Version.__struct_fields__)


async def record(
    tx: Transaction, vault: Vault, tenant_id: str, held: Mapping[str, InForce], now: int, new_id: Mapping[str, str]
) -> int:
    """Let what holds now follow what held before, by payer id; how many payers changed. `new_id` has an id for each payer."""
    rows = await tx.fetch(
        "SELECT payer_id, version_id, sha256, source FROM payer_versions WHERE tenant_id = $1 AND until IS NULL",
        tenant_id,
    )
    before = {row[0]: (row[1], row[2], row[3]) for row in rows}
    changed = 0
    for payer_id, (version_id, sha256, source) in before.items():
        one = held.get(payer_id)
        if one is None or (hashlib.sha256(one.content).hexdigest(), one.source) != (sha256, source):
            changed += 1
            await tx.execute(
                "UPDATE payer_versions SET until = $1 WHERE tenant_id = $2 AND version_id = $3",
                now,
                tenant_id,
                version_id,
            )
    for payer_id, one in held.items():
        sha256 = hashlib.sha256(one.content).hexdigest()
        if payer_id in before and before[payer_id][1:] == (sha256, one.source):
            continue
        changed += payer_id not in before
        version_id = new_id[payer_id]
        await payloads.store(tx, vault, tenant_id, version_id, "payer", one.content, now)
        await tx.execute(
            "INSERT INTO payer_versions (tenant_id, version_id, payer_id, source, sha256, payload_id, since)"
            " VALUES ($1, $2, $3, $4, $5, $2, $6)",
            tenant_id,
            version_id,
            payer_id,
            one.source,
            sha256,
            now,
        )
    return changed


async def of_payer(tx: Transaction, tenant_id: str, payer_id: str) -> list[Version]:
    """The versions of a payer, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payer_versions WHERE tenant_id = $1 AND payer_id = $2 ORDER BY since, version_id",
        tenant_id,
        payer_id,
    )
    return [Version(*row) for row in rows]


async def latest_of(tx: Transaction, vault: Vault, tenant_id: str, source: str) -> bytes | None:
    """What a source said when it last held; None where it never did."""
    row = await tx.row(
        "SELECT payload_id FROM payer_versions WHERE tenant_id = $1 AND source = $2 ORDER BY since DESC, version_id DESC LIMIT 1",
        tenant_id,
        source,
    )
    return None if row is None else await payloads.load(tx, vault, tenant_id, row[0])

"""Whose rows a statement asks for: each names its tenant, but for those that look after the whole installation.

So tables can be distributed by the tenant (docs/scale.md): a statement that names it is answered by one node of theirs.
"""

from __future__ import annotations

import re

__all__ = ["TABLES", "WHOLE", "is_of_a_tenant"]

# Tables of an installation, not of a tenant.
_COMMON = frozenset(("migration", "moved", "commits", "sqlite_master", "sqlite_schema", "due"))
TABLES = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(\w+)")
# Statements about all tenants -> why.
WHOLE: tuple[tuple[str, str], ...] = (
    (r"^SELECT min\(run_at\) FROM work ", "a worker does the work of all tenants: each node of theirs is asked for its own"),
    (r"^SELECT 1 FROM work WHERE buried_at IS NULL AND kind", "whether work of a kind is due, of any tenant"),
    (r"^UPDATE work SET run_at = .*owner IS (NOT )?NULL", "leases of the dead, a clock that jumped, a route that is well again"),
    (r"^UPDATE lane(s|_health|_holds) SET ", "a clock that jumped, probes of the dead"),
    (r"^DELETE FROM lane_holds$", "places of the dead"),
    (r"^SELECT .* FROM api_keys WHERE key_id = ", "whose a key is, is what is asked"),
    (r"^SELECT kind, (state, count|buried_at IS NULL)", "metrics of the whole installation"),
    (r"^DELETE FROM idempotency_keys WHERE created_at < ", "what is kept no longer, of any tenant"),
    (r"^SELECT count\(\*\) FROM \w+$", "what a backup or a move has of each table"),
    (r"^SELECT .* FROM (transactions|interchanges|work|inbound_files|numbers|events|checks|check_batches|members|payloads) ?", "the audit of a whole ledger"),
)  # fmt: skip


def is_of_a_tenant(sql: str) -> bool:
    """Whether a statement names its tenant, or touches nothing that is a tenant's."""
    return "tenant_id" in sql or not set(TABLES.findall(sql)) - _COMMON

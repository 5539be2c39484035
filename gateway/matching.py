"""Which claim of ours a payer means: by our number, its own, or the patient's account, and never by one that the others contradict.

A payer's number is unique at that payer only, so that only claims which the file's route can speak for are looked at; and where a file
names two numbers that are those of two claims, nothing is guessed: that is for a person.

Sources: 005010X221A1 (CLP01, CLP07), 005010X214 and 005010X212 (REF*1K, REF*D9, REF*EJ and TRN02 of loop 2200D).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gateway.ledger import search, transactions
from gateway.payers import Directory, Route
from gateway.runtime import Runtime
from queues.database import Transaction

__all__ = ["Named", "claim_meant", "speaks_for"]

_CANDIDATES_MAX = 20
# No payer has a claim that did not leave yet.
_UNSENT = "accepted"


class Named(msgspec.Struct, frozen=True):
    """The numbers by which a payer names a claim; an absent one is empty."""

    claim_number: str = ""
    payer_control_number: str = ""
    patient_control_number: str = ""


def speaks_for(directory: Directory, route: Route) -> frozenset[str]:
    """The payers that a route is a way to; none where it is nobody's, such as one over which files are only collected."""
    return frozenset(payer.id for payer in directory.payers.values() if route.id in payer.routes)


async def claim_meant(
    tx: Transaction,
    runtime: Runtime,
    route: Route,
    payers: Collection[str],
    tenant_id: str,
    named: Named,
    *,
    not_in: Collection[str] = (),
) -> transactions.Transaction | None:
    """The one claim, in none of the states `not_in`, that a file of this route means, or None. `payers` is what `speaks_for` says."""

    async def found(scope: search.Scope, value: str) -> dict[str, transactions.Transaction]:
        ids = await search.find(tx, runtime.vault, tenant_id, scope, value) if value.strip() else []
        claims = [await transactions.get(tx, tenant_id, i) for i in ids[:_CANDIDATES_MAX]]
        return {c.transaction_id: c for c in claims if c.kind == "claim" and _speaks(route, payers, c)}

    by_ours = await found("claim_number", named.claim_number)
    if len(by_ours) == 1:
        return next(iter(by_ours.values()))
    by_payer = await found("payer_control_number", named.payer_control_number)
    by_patient = await found("patient_control_number", named.patient_control_number)
    # A payer may have shortened the patient's number, or send 0: then its own number says it.
    both = by_payer.keys() & by_patient.keys() if by_payer and by_patient else by_payer.keys() | by_patient.keys()
    meant = [by_payer.get(i) or by_patient[i] for i in both]
    alive = [c for c in meant if c.transaction_id in by_payer or c.state not in (_UNSENT, *not_in)]
    return alive[0] if len(alive) == 1 else None


def _speaks(route: Route, payers: Collection[str], claim: transactions.Transaction) -> bool:
    return not payers or claim.route_id == route.id or claim.payer_id in payers

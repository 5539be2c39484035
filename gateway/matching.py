"""Which claim of ours a payer means: by our number, its own, or the patient's account, and never by one that the others contradict.

Our own number is nobody else's. A payer's number and a patient's account are only looked for among the claims of those who speak where the
file came from; so is the number that a clearinghouse between gave a claim (REF*D9 where it is not ours). Where a file names two numbers that are those of two claims, nothing is guessed: that is for a person.

Sources: 005010X221A1 (CLP01, CLP07), 005010X214 and 005010X212 (REF*1K, REF*D9, REF*EJ and TRN02 of loop 2200D).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gateway.ledger import search, transactions
from gateway.payers import Directory, Route
from gateway.runtime import Runtime
from queues.database import Transaction

__all__ = ["Named", "Peer", "claim_meant", "peer_of"]

_CANDIDATES_MAX = 20
# No payer has a claim that did not leave yet.
_UNSENT = "accepted"


class Named(msgspec.Struct, frozen=True):
    """The numbers by which a payer names a claim; an absent one is empty."""

    claim_number: str = ""
    payer_control_number: str = ""
    patient_control_number: str = ""


class Peer(msgspec.Struct, frozen=True):
    """Where a file came from: the routes that lead there, and the payers that have one of them. Without payers it may speak of any claim."""

    routes: frozenset[str]
    payers: frozenset[str]

    def speaks_of(self, claim: transactions.Transaction) -> bool:
        """Whether a claim may be meant."""
        return not self.payers or claim.route_id in self.routes or claim.payer_id in self.payers


def peer_of(directory: Directory, route: Route) -> Peer:
    """Who is at the other end of a route: routes with the same adapter and settings lead to the same mailbox."""
    routes = frozenset(
        one.id for one in directory.routes.values() if (one.adapter, one.settings) == (route.adapter, route.settings)
    )
    payers = frozenset(payer.id for payer in directory.payers.values() if not routes.isdisjoint(payer.routes))
    return Peer(routes, payers)


async def claim_meant(
    tx: Transaction,
    runtime: Runtime,
    peer: Peer,
    tenant_id: str,
    named: Named,
    *,
    not_in: Collection[str] = (),
    among: Collection[str] = (),
) -> transactions.Transaction | None:
    """The one claim that a file from a peer means, or None. By the patient's account none is meant that is in one of the states `not_in`.

    Where several are, it is the one of them `among` those that the file is about, or that has this number at the clearinghouse between.
    """

    async def found(scope: search.Scope, value: str) -> dict[str, transactions.Transaction]:
        ids = await search.find(tx, runtime.vault, tenant_id, scope, value) if value.strip() else []
        claims = [await transactions.get(tx, tenant_id, i) for i in ids[:_CANDIDATES_MAX]]
        return {c.transaction_id: c for c in claims if c.kind == "claim"}

    by_ours = await found("claim_number", named.claim_number)
    if len(by_ours) == 1:
        return next(iter(by_ours.values()))
    by_payer = _spoken_of(peer, await found("payer_control_number", named.payer_control_number))
    by_patient = _spoken_of(peer, await found("patient_control_number", named.patient_control_number))
    # A payer may have shortened the patient's account, or send 0: then its own number says it.
    both = by_payer.keys() & by_patient.keys() if by_payer and by_patient else by_payer.keys() | by_patient.keys()
    meant = [by_payer.get(i) or by_patient[i] for i in both]
    alive = [c for c in meant if c.transaction_id in by_payer or c.state not in (_UNSENT, *not_in)]
    if len(alive) > 1:
        by_upstream = await found("upstream_number", named.claim_number)
        alive = [c for c in alive if c.transaction_id in among or c.transaction_id in by_upstream]
    return alive[0] if len(alive) == 1 else None


def _spoken_of(peer: Peer, claims: dict[str, transactions.Transaction]) -> dict[str, transactions.Transaction]:
    return {i: claim for i, claim in claims.items() if peer.speaks_of(claim)}

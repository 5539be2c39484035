"""Remittances: what an 835 says of each claim, and what that comes to.

Sources: 005010X221A1 (CLP, SVC, TRN, BPR), CAQH CORE 370 (reassociation by TRN02, TRN03 and BPR02).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Literal

from gateway.ledger.claim_list import Payment
from x12.documents.binding import Flat
from x12.walk import Instance

__all__ = ["PaidClaim", "outcome_of", "paid_claims", "paid_on", "payment_key", "payment_of"]

Outcome = Literal["paid", "partly_paid", "denied", "reversed", "predetermined"]
_DENIED = "4"
_REVERSED = "22"
_PREDETERMINED = "25"


class PaidClaim(Flat, frozen=True):
    """One claim of a remittance (loop 2100): numbers, CLP02, charge, payment and CLP05, and charge and payment of its lines."""

    patient_control_number: str
    payer_control_number: str
    status: str
    charge: Decimal
    paid: Decimal
    patient_responsibility: Decimal = Decimal(0)
    lines: tuple[tuple[Decimal, Decimal], ...] = ()


def _amount(row: list[str], element: int) -> Decimal:
    try:
        return Decimal(row[element]) if element < len(row) and row[element] else Decimal(0)
    except InvalidOperation:
        return Decimal(0)


def _text(row: list[str], element: int) -> str:
    return row[element] if element < len(row) else ""


def _first(loop: Instance, segment_id: str) -> list[str]:
    rows = loop.rows().get(segment_id)
    return rows[0] if rows else []


def paid_claims(root: Instance) -> Iterator[PaidClaim]:
    """Every claim of a walked 835, in file order."""
    for loop in root.all("2100"):
        row = _first(loop, "CLP")
        services = [r for line in loop.inside("2110") for r in line.rows().get("SVC", ())]
        yield PaidClaim(
            _text(row, 1),
            _text(row, 7),
            _text(row, 2),
            _amount(row, 3),
            _amount(row, 4),
            _amount(row, 5),
            tuple((_amount(r, 2), _amount(r, 3)) for r in services),
        )


def outcome_of(claim: PaidClaim) -> Outcome:
    """What a remittance comes to for its claim: by CLP02, and partly paid where a charged line got nothing."""
    if claim.status == _REVERSED:
        return "reversed"
    if claim.status == _DENIED:
        return "denied"
    if claim.status == _PREDETERMINED:
        return "predetermined"
    unpaid = [charge for charge, paid in claim.lines if charge > 0 and paid == 0]
    return "partly_paid" if claim.paid > 0 and unpaid else "paid"


def payment_key(root: Instance) -> str:
    """What makes a payment the same payment: TRN03, TRN02, BPR16, BPR02 and the payee (N104 of 1000B)."""
    payment, trace = _first(root, "BPR"), _first(root, "TRN")
    payee = _first(next(iter(root.inside("1000B")), root), "N1")
    return "|".join((_text(trace, 3), _text(trace, 2), _text(payment, 16), _text(payment, 2), _text(payee, 4)))


def paid_on(root: Instance) -> str:
    """The day of a walked 835: BPR16, CCYYMMDD."""
    return _text(_first(root, "BPR"), 16)


def payment_of(root: Instance, claim: PaidClaim) -> Payment:
    """What a walked 835 says of one of its claims, as it is kept with the claim."""
    return Payment(
        claim.status,
        f"{claim.charge:.2f}",
        f"{claim.paid:.2f}",
        f"{claim.patient_responsibility:.2f}",
        _text(_first(root, "TRN"), 2),
    )

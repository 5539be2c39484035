"""What the sandbox payer does with claims: takes them in, pays them when their day has come, and says where they stand.

Everything here reads and changes `State`: callers hold a transaction open. Envelopes are the affair of `payer`.

Sources: 005010X222A1 (CLM05-3, REF*F8), 005010X221A1 (1.10.2.8 reversals, 1.10.2.12 balance forward), 005010X212 (STC).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from adapters.sandbox.adjudication import adjudicated, paid_amount, reversed_payment
from adapters.sandbox.answers import Judged, Standing, remittance
from adapters.sandbox.intake import Batch, Submitted, fingerprint, money
from adapters.sandbox.scenarios import REJECTIONS, ClaimScript, Verdict, claim_script, draw, member_script
from adapters.sandbox.state import ClaimRow, State, moment
from x12.documents.claim_status import ClaimStatusRequest, Encounter, RequestDependent
from x12.documents.parts import Header
from x12.documents.remittance_claim import ClaimPayment

__all__ = ["PENDED_DAYS", "SILENT_DAYS", "Address", "Claims", "Payment"]

_DAY = timedelta(days=1)
# When the money comes: after the claim, after a claim that is pended, after the first question about a silent one.
PENDED_DAYS, SILENT_DAYS = 15, 5
_ZERO, _CENT = Decimal(0), Decimal("0.01")
# Of a payment, what the payee is charged for the way in which it is paid (PLB AH).
_FEE = Decimal("0.02")
# STC01 as it is kept: category, status, entity.
_TAKEN, _PENDED, _PAID, _DENIED, _DUPLICATE = "P1:20", "P2:46", "F1:65", "F2:585", "F2:54"
_REVISED, _VOIDED, _NOT_FOUND, _NO_MEMBER, _NO_SYSTEM = "F3:101", "F4:686", "A4:35", "D0:33", "E1:484"
_ORIGINAL_UNKNOWN = Verdict("A7", "464", "", "THE ORIGINAL CLAIM IS NOT KNOWN OR WAS REPLACED BEFORE")


class Address(msgspec.Struct, array_like=True, frozen=True):
    """Who sent claims, and therefore gets what is said of them: ISA05 to ISA08, GS02, GS03 and ISA15, as received."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    group_sender: str
    group_receiver: str
    usage: str


class _Payee(msgspec.Struct, array_like=True, frozen=True):
    """What one payment is for: claims of one provider to one payer, sent by one sender."""

    address: Address
    number: str
    tax_id: str
    payer: str


class Payment(msgspec.Struct, frozen=True):
    """One 835: its segments, who gets it, and when it was made."""

    address: Address
    segments: list[str]
    made_at: datetime


class Claims:
    """The claims of the payer, in its state."""

    def __init__(self, state: State) -> None:
        self._state = state

    # --- taking in ---

    def take(self, batch: Batch, address: Address, now: datetime) -> list[Judged]:
        """Keep the claims of one 837; those that a 277CA is to tell of."""
        return [j for claim, verdict in batch.claims if (j := self._take(claim, verdict, address, now)) is not None]

    def _take(self, claim: Submitted, verdict: Verdict | None, address: Address, now: datetime) -> Judged | None:
        script = claim_script(claim.patient_control_number, claim.subscriber.number, self._state.pins)
        verdict = verdict or _scripted(claim, script)
        payee = _Payee(address, claim.payee_number, claim.tax_id, claim.payer.number or claim.payer.last_name)
        original = None
        if verdict is None and (claim.replaces or claim.voids):
            original = self._original(claim)
            verdict = None if original is not None else _ORIGINAL_UNKNOWN
        same = fingerprint(claim)
        duplicate = verdict is None and same is not None and any(_stands(r) for r in self._state.same_claims(same))
        row = ClaimRow(
            claim_key=claim.key,
            clearinghouse_number=claim.clearinghouse_number or None,
            patient_control_number=claim.patient_control_number,
            member_id=claim.subscriber.number,
            fingerprint=same,
            duplicate=int(duplicate),
            script=script,
            state="rejected",
            payee=msgspec.json.encode(payee).decode(),
            received_at=now.timestamp(),
            due_at=None,
            pay_day=None,
            replaces=original.id if original is not None else None,
            claim=msgspec.json.encode(claim),
        )
        if verdict is None:
            _open(row, script, now)
        else:
            row.status = f"{verdict.category}:{verdict.status}:{verdict.entity}".rstrip(":")
        row.id = self._state.add_claim(row)
        if original is not None and row.state != "lost":
            self._replace(original, row, claim, now)
        if row.state in ("silent", "lost"):
            return None
        return Judged(claim, self._number(row), verdict, script == "RECEIVED")

    def _number(self, row: ClaimRow) -> str:
        """The payer's number of a claim."""
        return f"SBX{self._state.tag}{row.id:07d}"

    def _numbered(self, number: str) -> ClaimRow | None:
        """The claim with a number of the payer's."""
        prefix = f"SBX{self._state.tag}"
        digits = number.removeprefix(prefix)
        if not number.startswith(prefix) or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
            return None
        return self._state.claim(int(digits))

    def _original(self, claim: Submitted) -> ClaimRow | None:
        """The claim that a replacement or a void is about; None where it does not stand, or is another provider's."""
        row = self._numbered(claim.original_number)
        if row is None or not _stands(row) or row.state == "lost":
            return None
        of = _claim(row)
        return row if of.payee_number == claim.payee_number and not of.voids else None

    def _replace(self, original: ClaimRow, row: ClaimRow, claim: Submitted, now: datetime) -> None:
        """What was not yet paid never will be; what was is taken back in the payment that the replacement is for."""
        status = _VOIDED if claim.voids else _REVISED
        self._state.change_claim(original.id, replaced_by=row.id)
        if original.state == "final":
            return
        self._state.change_claim(original.id, state="withdrawn", status=status, final_at=now.timestamp())
        if claim.voids:
            self._state.change_claim(row.id, state="final", status=_VOIDED, final_at=now.timestamp(), paid="0")

    # --- paying ---

    def payments(self, now: datetime) -> Iterator[Payment]:
        """Make the payments that are due, oldest day first: one for each payee and day."""
        for payee, pay_day in sorted(self._state.payments_due(now), key=lambda due: due[1]):
            rows = self._state.claims_to_pay(payee, pay_day)
            made_at = moment(min(row.due_at for row in rows if row.due_at is not None))
            yield self._pay(payee, rows, made_at)

    def _pay(self, payee: str, rows: list[ClaimRow], made_at: datetime) -> Payment:
        address = msgspec.json.decode(payee, type=_Payee).address
        trace = f"SBX{self._state.tag}{self._state.number():07d}"
        payments: list[ClaimPayment] = []
        for row in rows:
            payments += self._settle(row, trace, made_at)
        total, owed = sum(map(paid_amount, payments), _ZERO), Decimal(self._state.owed(payee))
        amount = max(total - owed, _ZERO)
        recovered = total - amount
        fee = min(amount, self._fee(rows, payments))
        if recovered:
            self._state.set_owed(payee, money(owed - recovered))
        header = Header("0001", trace, f"{made_at:%Y%m%d}", f"{made_at:%H%M}")
        segments = remittance(_claim(rows[0]), payments, amount - fee, recovered, fee, trace, header, address.sender)
        return Payment(address, segments, made_at)

    def _fee(self, rows: list[ClaimRow], payments: list[ClaimPayment]) -> Decimal:
        """What is withheld for the way of paying, as of a card: a share of what the claims get that are scripted so."""
        bearing = {
            row.patient_control_number
            for row in rows
            if not row.duplicate and claim_script(row.patient_control_number, row.member_id, self._state.pins) == "FEE"
        }
        paid = [
            paid_amount(payment)
            for payment in payments
            if payment.claim_payment_info is not None and payment.claim_payment_info.patient_control_number in bearing
        ]
        return (max(sum(paid, _ZERO), _ZERO) * _FEE).quantize(_CENT, ROUND_HALF_UP)

    def _settle(self, row: ClaimRow, trace: str, made_at: datetime) -> list[ClaimPayment]:
        """Close a claim; what the 835 says of it, the reversal of the one that it replaces first."""
        claim = _claim(row)
        said: list[ClaimPayment] = []
        original = self._state.claim(row.replaces) if row.replaces is not None else None
        if original is not None and original.payment is not None:
            said.append(reversed_payment(msgspec.json.decode(original.payment, type=ClaimPayment)))
            self._state.change_claim(original.id, status=_VOIDED if claim.voids else _REVISED)
        closed = {"state": "final", "final_at": made_at.timestamp(), "trace": trace}
        if claim.voids:
            self._state.change_claim(row.id, **closed, status=_VOIDED, paid="0")
            return said
        received = f"{moment(row.received_at):%Y%m%d}"
        script = claim_script(row.patient_control_number, row.member_id, self._state.pins)
        payment = adjudicated(claim, script, self._number(row), received, duplicate=bool(row.duplicate))
        paid = paid_amount(payment)
        denied = payment.claim_payment_info is not None and payment.claim_payment_info.claim_status_code == "4"
        status = (_DUPLICATE if row.duplicate else _DENIED) if denied else _PAID
        kept = msgspec.json.encode(payment)
        self._state.change_claim(row.id, **closed, status=status, paid=money(paid), payment=kept)
        return [*said, payment]

    # --- telling ---

    def is_silent(self, request: ClaimStatusRequest) -> bool:
        """Whether answering this question changes something: the claim has been silent until now."""
        row = self._asked_for(request)
        return row is not None and row.state == "silent"

    def standing(self, request: ClaimStatusRequest, now: datetime) -> Standing:
        """What a 277 says to one question. A silent claim is found by it, and will be paid."""
        member = member_script(_member_id(request), self._state.pins)
        if member == "DOWN":
            return _coded(_NO_SYSTEM)
        if member == "NOTFOUND":
            return _coded(_NO_MEMBER)
        row = self._asked_for(request)
        if row is None:
            return _coded(_NOT_FOUND)
        if row.state == "silent":
            row.state, row.status = "open", _TAKEN
            _due(row, now + SILENT_DAYS * _DAY)
            self._state.change_claim(row.id, state=row.state, status=row.status, due_at=row.due_at, pay_day=row.pay_day)
        claim = _claim(row)
        standing = _coded(row.status)
        final = moment(row.final_at) if row.final_at is not None else None
        standing.effective = f"{final or moment(row.received_at):%Y%m%d}"
        standing.number = self._number(row) if row.state != "rejected" else ""
        standing.patient_control_number = row.patient_control_number
        standing.clearinghouse_number = row.clearinghouse_number or ""
        standing.bill_type = claim.hospital.bill_type
        standing.charge, standing.days = money(claim.charge), claim.days
        if final is not None:
            standing.finalized = f"{final:%Y%m%d}"
            if row.trace is not None:
                standing.remitted, standing.trace = standing.finalized, row.trace
            standing.paid = row.paid or "0"
        return standing

    def _asked_for(self, request: ClaimStatusRequest) -> ClaimRow | None:
        """The claim that is meant: by the payer's number, the clearinghouse's, or the patient's with the member id, and of this patient."""
        encounter = request.encounter or Encounter()
        found: list[ClaimRow] = []
        if encounter.trading_partner_claim_number:
            row = self._numbered(encounter.trading_partner_claim_number)
            found = [row] if row is not None else []
        if not found and encounter.clearing_house_claim_number:
            found = self._state.claims_numbered(encounter.clearing_house_claim_number)
        if not found and encounter.patient_account_number:
            found = self._state.claims_of_patient(encounter.patient_account_number, _member_id(request))
        found = [row for row in found if row.state != "lost" and _is_about(_claim(row), request.dependent)]
        # Of several the one that counts: not a duplicate, not one that was replaced, the latest.
        return max(found, key=lambda row: (_stands(row) and not row.duplicate, row.id), default=None)


def _scripted(claim: Submitted, script: ClaimScript) -> Verdict | None:
    """The rejection that a script asks for."""
    if script == "REJECT":
        return REJECTIONS[draw("reject", claim.patient_control_number) % len(REJECTIONS)]
    if script == "NOTFOUND":
        return next(v for v in REJECTIONS if v.status == "164")
    return None


def _open(row: ClaimRow, script: ClaimScript, now: datetime) -> None:
    """What becomes of a claim that is taken. A duplicate is denied like any other: its script does not matter."""
    row.state, row.status = "open", _TAKEN
    if row.duplicate or script not in ("LOST", "SILENT", "PENDED"):
        _due(row, now + _DAY)
    elif script == "PENDED":
        row.status = _PENDED
        _due(row, now + PENDED_DAYS * _DAY)
    else:
        row.state, row.status = ("lost", _NOT_FOUND) if script == "LOST" else ("silent", _TAKEN)


def _due(row: ClaimRow, at: datetime) -> None:
    row.due_at, row.pay_day = at.timestamp(), f"{at:%Y%m%d}"


def _stands(row: ClaimRow) -> bool:
    """Whether a claim counts: taken, and neither withdrawn nor replaced."""
    return row.state not in ("rejected", "withdrawn") and row.replaced_by is None


def _claim(row: ClaimRow) -> Submitted:
    return msgspec.json.decode(row.claim, type=Submitted)


def _is_about(claim: Submitted, dependent: RequestDependent | None) -> bool:
    """Whether a claim is for the patient that is asked about: the subscriber, or the dependent of this name."""
    patient = claim.patient
    if patient is None or dependent is None:
        return patient is dependent
    asked = ((dependent.last_name, patient.last_name), (dependent.first_name, patient.first_name))
    return all(name is None or name.casefold() == known.casefold() for name, known in asked)


def _member_id(request: ClaimStatusRequest) -> str:
    return (request.subscriber.member_id if request.subscriber is not None else None) or ""


def _coded(status: str) -> Standing:
    category, code, entity = (*status.split(":"), "", "")[:3]
    return Standing(category, code, entity)

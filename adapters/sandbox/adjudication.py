"""What the sandbox payer pays for a claim, line by line, so that every sum of the 835 adds up.

A line is paid its allowed amount, which is a share of the charge; what is above is a contractual adjustment (CO-45), and
the patient's share (PR-1, PR-2, PR-3) comes off the rest. Denied lines get one adjustment for the whole charge.

Source: 005010X221A1 (1.10.2 balancing, 1.10.2.7 predeterminations as X12's interpretation 1941 tells them, 1.10.2.8 reversals).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from adapters.sandbox.intake import Line, Party, Submitted, money
from adapters.sandbox.scenarios import BY_CONTRACT, DENIALS, DUPLICATES, INACTIVE, UNBUNDLED, ClaimScript, Denial, draw
from x12.documents.remittance_claim import (
    Adjustment,
    ClaimAmounts,
    ClaimIdentification,
    ClaimPayment,
    ClaimPaymentInfo,
    InpatientAdjudication,
    LineAmounts,
    OutpatientAdjudication,
    PatientName,
    RemarkCode,
    RenderingProvider,
    ServiceLine,
    ServicePayment,
    SubscriberName,
)

__all__ = ["adjudicated", "paid_amount", "reversed_payment"]

_CENT = Decimal("0.01")
_ZERO = Decimal(0)
# Of the charge, how many hundredths are allowed: from, and how many steps up.
_ALLOWED_LEAST, _ALLOWED_SPREAD = 60, 31
_COPAY, _DEDUCTIBLE, _COINSURANCE = Decimal(25), Decimal(100), Decimal("0.2")
_PROCESSED = {"P": "1", "S": "2", "T": "3"}
_DENIED, _REVERSED, _PREDETERMINED = "4", "22", "25"
# What would be paid of a predetermination: CAS01 and CAS02.
_ANTICIPATED = ("OA", "101")
_MAY_APPEAL = "MA01"
# SBR09 of the claim -> CLP06, where it is another code.
_FILING = {"CI": "12", "BL": "12", "FI": "ZZ", "11": "ZZ", "": "ZZ"}
_ADJUSTMENTS_MAX = 6


class _Decided(msgspec.Struct):
    """One line: what is allowed and paid, why the rest is not (CAS01, CAS02, amount), and a remark."""

    line: Line
    allowed: Decimal
    paid: Decimal
    adjustments: list[tuple[str, str, Decimal]]
    remark: str = ""


def adjudicated(claim: Submitted, script: ClaimScript, number: str, received: str, *, duplicate: bool) -> ClaimPayment:
    """The claim as an 835 reports it (loop 2100). `number` is the payer's own, `received` the day it came (CCYYMMDD)."""
    denial = _denial(claim, script, duplicate)
    lines = [_denied(line, denial) for line in claim.lines] if denial is not None else _paid(claim, script)
    if claim.predetermines:
        for one in lines:
            _anticipate(one)
    shares = [a for d in lines for g, _, a in d.adjustments if g == "PR"]
    return _payment(claim, number, received, lines, sum(shares, _ZERO), denied=denial is not None)


def _denial(claim: Submitted, script: ClaimScript, duplicate: bool) -> Denial | None:
    if duplicate:
        return DUPLICATES[draw("duplicate", claim.patient_control_number) % len(DUPLICATES)]
    if script == "INACTIVE":
        return INACTIVE
    if script == "DENIED":
        return DENIALS[draw("denial", claim.patient_control_number) % len(DENIALS)]
    return None


def _denied(line: Line, denial: Denial) -> _Decided:
    adjustments = [(denial.group, denial.reason, line.charge)] if line.charge else []
    return _Decided(line, _ZERO, _ZERO, adjustments, denial.remark)


def _paid(claim: Submitted, script: ClaimScript) -> list[_Decided]:
    """Every line at its allowed amount, less what the script takes away."""
    hundredths = _ALLOWED_LEAST + draw("allowed", claim.patient_control_number) % _ALLOWED_SPREAD
    decided: list[_Decided] = []
    for line in claim.lines:
        allowed = (line.charge * hundredths / 100).quantize(_CENT, ROUND_HALF_UP)
        above = line.charge - allowed
        by_contract = [("CO", "45", above)] if above else []
        decided.append(_Decided(line, allowed, allowed, by_contract, BY_CONTRACT if above else ""))
    if script == "PARTLY":
        _deny_one(claim, decided)
    else:
        _share(decided, script)
    return decided


def _deny_one(claim: Submitted, decided: list[_Decided]) -> None:
    """The last line that costs something is not paid; of a claim with one such line, half of it."""
    charged = [index for index, d in enumerate(decided) if d.line.charge > 0]
    if len(charged) > 1:
        denial = UNBUNDLED[draw("partly", claim.patient_control_number) % len(UNBUNDLED)]
        decided[charged[-1]] = _denied(decided[charged[-1]].line, denial)
    elif charged:
        one = decided[charged[0]]
        half = (one.allowed / 2).quantize(_CENT, ROUND_HALF_UP)
        one.paid -= half
        one.adjustments.append(("CO", "119", half))
        one.remark = "N640"


def _share(decided: list[_Decided], script: ClaimScript) -> None:
    """What the patient has to pay: a deductible, a coinsurance or a copayment, never more than half of a line."""
    left = {"COPAY": _COPAY, "DEDUCT": _DEDUCTIBLE}.get(script, _ZERO)
    reason = {"COPAY": "3", "DEDUCT": "1"}.get(script, "2")
    for one in decided:
        most = (one.allowed / 2).quantize(_CENT, ROUND_HALF_UP)
        share = (one.allowed * _COINSURANCE).quantize(_CENT, ROUND_HALF_UP) if script == "COINS" else min(left, most)
        if share > 0:
            left -= share
            one.paid -= share
            one.adjustments.append(("PR", reason, share))


def _anticipate(one: _Decided) -> None:
    """Nothing is paid of a predetermination: what would be is an adjustment."""
    if one.paid:
        one.adjustments.append((*_ANTICIPATED, one.paid))
        one.paid = _ZERO


# --- as the 835 says it --------------------------------------------------------------------------------------------


def _payment(
    claim: Submitted, number: str, received: str, lines: list[_Decided], share: Decimal, *, denied: bool
) -> ClaimPayment:
    first, last = claim.days
    allowed = sum((d.allowed for d in lines), _ZERO)
    # The claim's charge is what its lines add up to: those that do not were not taken.
    charge = sum((d.line.charge for d in lines), _ZERO) if lines else claim.charge
    remark = _MAY_APPEAL if denied and not claim.is_dental else None
    payment = ClaimPayment(
        claim_received_date=received,
        claim_statement_period_start=first or None,
        claim_statement_period_end=last if last != first else None,
        claim_payment_info=ClaimPaymentInfo(
            patient_control_number=claim.patient_control_number,
            claim_status_code=_status(claim, denied=denied),
            total_claim_charge_amount=money(charge),
            claim_payment_amount=money(sum((d.paid for d in lines), _ZERO)),
            patient_responsibility_amount=money(share) if share > 0 else None,
            claim_filing_indicator_code=_FILING.get(claim.filing, claim.filing),
            payer_claim_control_number=number,
            facility_type_code=claim.facility or None,
            claim_frequency_code=claim.frequency or None,
            diagnosis_related_group_drg_code=claim.hospital.related_group or None,
        ),
        patient_name=_patient(claim),
        subscriber=_insured(claim.subscriber) if claim.patient is not None else None,
        rendering_provider=_rendering(claim.rendering),
        inpatient_adjudication=_inpatient(claim, remark) if claim.hospital.is_stay else None,
        outpatient_adjudication=OutpatientAdjudication(claim_payment_remark_code1=remark)
        if remark and not claim.hospital.is_stay
        else None,
        claim_supplemental_information=ClaimAmounts(coverage_amount=money(allowed)) if allowed else None,
        service_lines=[_service(d) for d in lines] or None,
    )
    if claim.replaces:
        payment.other_claim_related_identification = ClaimIdentification(
            original_reference_number=claim.original_number
        )
    return payment


def _status(claim: Submitted, *, denied: bool) -> str:
    """CLP02."""
    if denied:
        return _DENIED
    return _PREDETERMINED if claim.predetermines else _PROCESSED.get(claim.responsibility, "1")


def _inpatient(claim: Submitted, remark: str | None) -> InpatientAdjudication:
    """MIA of a stay: the covered days, none of a denied one."""
    days = "0" if remark else claim.hospital.covered_days
    return InpatientAdjudication(covered_days_or_visits_count=days, claim_payment_remark_code1=remark)


def _patient(claim: Submitted) -> PatientName:
    person = claim.patient or claim.subscriber
    return PatientName(
        last_name=person.last_name or None,
        first_name=person.first_name or None,
        middle_name=person.middle_name or None,
        suffix=person.suffix or None,
        member_id=claim.subscriber.number or None,
    )


def _insured(person: Party) -> SubscriberName:
    if not person.is_person:
        return SubscriberName(organization_name=person.last_name or None, member_id=person.number or None)
    return SubscriberName(
        last_name=person.last_name or None,
        first_name=person.first_name or None,
        middle_name=person.middle_name or None,
        suffix=person.suffix or None,
        member_id=person.number or None,
    )


def _rendering(provider: Party | None) -> RenderingProvider | None:
    if provider is None or not provider.number:
        return None
    if not provider.is_person:
        return RenderingProvider(organization_name=provider.last_name, npi=provider.number)
    return RenderingProvider(
        last_name=provider.last_name,
        first_name=provider.first_name or None,
        middle_name=provider.middle_name or None,
        npi=provider.number,
    )


def _service(decided: _Decided) -> ServiceLine:
    line = decided.line
    first, last = line.days
    one_day = first == last
    return ServiceLine(
        service_date=first if first and one_day else None,
        service_start_date=None if one_day else first,
        service_end_date=None if one_day else last,
        line_item_control_number=line.number or None,
        service_payment_information=ServicePayment(
            # A line of a hospital may have a revenue code alone: then that is the procedure.
            product_or_service_id_qualifier=line.qualifier or "NU",
            adjudicated_procedure_code=line.procedure or line.revenue_code,
            adjudicated_procedure_modifier_codes=list(line.modifiers) or None,
            line_item_charge_amount=money(line.charge),
            line_item_provider_payment_amount=money(decided.paid),
            national_uniform_billing_committee_revenue_code=line.revenue_code if line.procedure else None,
            units_of_service_paid_count=line.units or None,
        ),
        service_adjustments=_adjustments(decided.adjustments) or None,
        service_supplemental_amounts=LineAmounts(allowed_actual=money(decided.allowed)) if decided.allowed else None,
        health_care_check_remark_codes=[RemarkCode(code_list_qualifier_code="HE", remark_code=decided.remark)]
        if decided.remark
        else None,
    )


def _adjustments(reasons: Sequence[tuple[str, str, Decimal]]) -> list[Adjustment]:
    """One CAS a group."""
    made: list[Adjustment] = []
    for group in dict.fromkeys(g for g, _, _ in reasons):
        adjustment = Adjustment(claim_adjustment_group_code=group)
        for index, (_, reason, amount) in enumerate((r for r in reasons if r[0] == group), 1):
            setattr(adjustment, f"adjustment_reason_code{index}", reason)
            setattr(adjustment, f"adjustment_amount{index}", money(amount))
        made.append(adjustment)
    return made


# --- taking back ---------------------------------------------------------------------------------------------------


def paid_amount(payment: ClaimPayment) -> Decimal:
    """CLP04."""
    information = payment.claim_payment_info
    return Decimal(information.claim_payment_amount or "0") if information is not None else _ZERO


def reversed_payment(payment: ClaimPayment) -> ClaimPayment:
    """The same payment taken back: CLP02 22, and every amount with the other sign."""
    replace = msgspec.structs.replace
    information = payment.claim_payment_info or ClaimPaymentInfo()
    return replace(
        payment,
        claim_payment_info=replace(
            information,
            claim_status_code=_REVERSED,
            total_claim_charge_amount=_negative(information.total_claim_charge_amount),
            claim_payment_amount=_negative(information.claim_payment_amount),
            patient_responsibility_amount=None,
        ),
        claim_supplemental_information=None,
        service_lines=[_reversed_line(line) for line in payment.service_lines or ()] or None,
    )


def _negative(amount: str | None) -> str:
    return money(-Decimal(amount or "0"))


def _reversed_line(line: ServiceLine) -> ServiceLine:
    replace = msgspec.structs.replace
    service = line.service_payment_information or ServicePayment()
    return replace(
        line,
        service_payment_information=replace(
            service,
            line_item_charge_amount=_negative(service.line_item_charge_amount),
            line_item_provider_payment_amount=_negative(service.line_item_provider_payment_amount),
        ),
        service_adjustments=[_reversed_adjustment(a) for a in line.service_adjustments or ()] or None,
        service_supplemental_amounts=None,
    )


def _reversed_adjustment(adjustment: Adjustment) -> Adjustment:
    numbers = range(1, _ADJUSTMENTS_MAX + 1)
    amounts = {n: getattr(adjustment, n) for n in (f"adjustment_amount{i}" for i in numbers)}
    return msgspec.structs.replace(adjustment, **{n: _negative(a) for n, a in amounts.items() if a})

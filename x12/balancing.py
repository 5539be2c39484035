"""Do the amounts of a transaction set add up? SNIP level 3, for remittances (835) and claims (837).

Works on the tree of a walked transaction set; what the walk could not place is not in it. Money is Decimal and exact. An
equation of which a required amount is missing or is not a number is not judged here: the walk has found that already. No
finding tells an amount.

Sources: 005010X221A1 section 1.10.2.1 (835); 005010X222A1, X223A2 and X224A2 section 1.4.4 and X12's interpretations
1115 and 1294 (837).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from x12.finding import Finding, Severity
from x12.walk import Instance

__all__ = ["balance_835", "balance_837"]

_ZERO = Decimal(0)
# Eighteen digits: X12's longest amount, and what Decimal adds without rounding.
_AMOUNT = re.compile(r"-?(?:\d{1,18}|(?=[\d.]{2,19}\Z)(?:\d+\.\d*|\.\d+))", re.ASCII)
# The amounts of a CAS; those of a PLB, in the pairs of reason and amount.
_CAS_AMOUNTS = (3, 6, 9, 12, 15, 18)
_PLB_AMOUNTS = (4, 6, 8, 10, 12, 14)
_PREDETERMINATION = "25"
# The charge of a service line: professional, institutional, dental.
_LINE_CHARGES = {"SV1": 2, "SV2": 3, "SV3": 2}
_PATTERN_CODE = "I12"
_MONETARY_AMOUNT = "782"


def _amount(row: Sequence[str], element: int) -> Decimal | None:
    """The amount at an element, or None where there is none that can be read."""
    text = row[element] if element < len(row) else ""
    return Decimal(text) if _AMOUNT.fullmatch(text) else None


def _sum(rows: Sequence[Sequence[str]], elements: Sequence[int]) -> Decimal | None:
    """The sum of the amounts at these elements that are there, or None where one cannot be read."""
    total = _ZERO
    for row in rows:
        for element in elements:
            if element >= len(row):
                break
            if row[element]:
                amount = _amount(row, element)
                if amount is None:
                    return None
                total += amount
    return total


def _rows(instance: Instance, segment_id: str, first: str = "") -> list[list[str]]:
    """The loop's own segments with this id (and first element), split."""
    separator = instance.delimiters.element
    rows = [raw.split(separator) for segment, raw in instance.segments if segment.id == segment_id]
    return [row for row in rows if row[1:2] == [first]] if first else rows


def _first(instance: Instance, segment_id: str) -> Sequence[str]:
    """The first such segment; empty where it is missing, as the first segment of a loop in a faulty set may be."""
    return next(iter(_rows(instance, segment_id)), ())


def _total(parts: Sequence[Decimal | None]) -> Decimal | None:
    """The sum, or None where a part is unknown."""
    known = [part for part in parts if part is not None]
    return sum(known, _ZERO) if len(known) == len(parts) else None


def _differ(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and one != other


def _minus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _finding(
    instance: Instance,
    segment_id: str,
    element: int,
    message: str,
    first: str = "",
    severity: Severity = "error",
) -> Finding:
    """What does not balance, at the element that the equation is solved for."""
    separator = instance.delimiters.element
    wanted = f"{segment_id}{separator}{first}"
    index = next(i for i, (_, raw) in enumerate(instance.segments) if raw.startswith(wanted))
    return Finding(
        3,
        "element",
        _PATTERN_CODE,
        message,
        severity,
        loop=instance.loop.id,
        segment=segment_id,
        position=instance.positions[index],
        element=element,
        data=_MONETARY_AMOUNT,
    )


# --- remittances ---------------------------------------------------------------------------------------------------


def balance_835(root: Instance) -> list[Finding]:
    """What does not balance in a walked 835: each service line, each claim, then the payment.

    Reversals (negative amounts) and predeterminations follow the same equations; a predetermination pays nothing.
    """
    findings: list[Finding] = []
    paid = [_claim_paid(claim, findings) for claim in root.all("2100")]
    for payment in _rows(root, "BPR"):
        amount = _amount(payment, 2)
        # A debit takes the amount from the payee.
        amount = -amount if amount is not None and payment[3:4] == ["D"] else amount
        if _differ(amount, _minus(_total(paid), _sum(_rows(root, "PLB"), _PLB_AMOUNTS))):
            message = (
                "BPR02 must be the sum of all claim payments (CLP04) less the sum of all provider adjustments (PLB)."
            )
            findings.append(_finding(root, "BPR", 2, message))
        break
    return findings


def _claim_paid(claim: Instance, findings: list[Finding]) -> Decimal | None:
    """CLP04, after the claim and its lines were judged."""
    row = _first(claim, "CLP")
    charge, paid = _amount(row, 3), _amount(row, 4)
    adjusted = [_line_adjusted(line, findings) for line in claim.children]
    adjusted.append(_sum(_rows(claim, "CAS"), _CAS_AMOUNTS))
    if _differ(paid, _minus(charge, _total(adjusted))):
        message = "CLP04 must be the charge (CLP03) less all adjustments (CAS) of the claim and its service lines."
        findings.append(_finding(claim, "CLP", 4, message))
    if paid and row[2:3] == [_PREDETERMINATION]:
        message = (
            "CLP04 must be zero in a predetermination (CLP02 25): what would be paid is an adjustment with reason 101."
        )
        findings.append(_finding(claim, "CLP", 4, message))
    return paid


def _line_adjusted(line: Instance, findings: list[Finding]) -> Decimal | None:
    """The sum of a line's adjustments, after the line was judged."""
    row = _first(line, "SVC")
    adjusted = _sum(_rows(line, "CAS"), _CAS_AMOUNTS)
    if _differ(_amount(row, 3), _minus(_amount(row, 2), adjusted)):
        message = "SVC03 must be the line's charge (SVC02) less its adjustments (CAS)."
        findings.append(_finding(line, "SVC", 3, message))
    return adjusted


# --- claims --------------------------------------------------------------------------------------------------------


def balance_837(root: Instance) -> list[Finding]:
    """What does not balance in the claims of a walked 837: the charges, then what each other payer paid and adjusted.

    A payer that adjudicated the claim as a whole, without lines, is only warned about: the guides ask for no balance there.
    """
    findings: list[Finding] = []
    for claim in root.all("2300"):
        charge = _amount(_first(claim, "CLM"), 2)
        lines = claim.inside("2400")
        if lines and _differ(charge, _total([_line_charge(line) for line in lines])):
            findings.append(_finding(claim, "CLM", 2, "CLM02 must be the sum of the charges of its service lines."))
        for payer in claim.inside("2320"):
            _balance_payer(payer, charge, lines, findings)
    return findings


def _line_charge(line: Instance) -> Decimal | None:
    for segment_id, element in _LINE_CHARGES.items():
        for row in _rows(line, segment_id):
            return _amount(row, element)
    return None


def _balance_payer(payer: Instance, charge: Decimal | None, lines: Sequence[Instance], findings: list[Finding]) -> None:
    """One other payer (loop 2320): its lines (2430), then AMT*D."""
    payments: list[Decimal | None] = []
    number = next((row[9] for loop in payer.inside("2330B") for row in _rows(loop, "NM1") if len(row) > 9), "")
    for line in lines:
        decided = [loop for loop in line.inside("2430") if _rows(loop, "SVD", number)] if number else []
        if decided:
            payments.append(_line_payment(line, decided, findings))
    paid = next((_amount(row, 2) for row in _rows(payer, "AMT", "D")), None)
    adjusted = _sum(_rows(payer, "CAS"), _CAS_AMOUNTS)
    if payments:
        if _differ(paid, _minus(_total(payments), adjusted)):
            message = (
                "AMT02 (payer paid amount) must be the sum of this payer's line payments (SVD02) less its claim level"
                " adjustments (CAS)."
            )
            findings.append(_finding(payer, "AMT", 2, message, "D"))
    elif _rows(payer, "CAS") and _differ(paid, _minus(charge, adjusted)):
        message = "AMT02 (payer paid amount) is not the charge (CLM02) less this payer's adjustments (CAS)."
        findings.append(_finding(payer, "AMT", 2, message, "D", "warning"))


def _line_payment(line: Instance, decided: Sequence[Instance], findings: list[Finding]) -> Decimal | None:
    """What one payer paid for a line, all its adjudications (2430) together, after they were judged."""
    paid = _total([_amount(row, 2) for loop in decided for row in _rows(loop, "SVD")])
    adjusted = _total([_sum(_rows(loop, "CAS"), _CAS_AMOUNTS) for loop in decided])
    if _differ(paid, _minus(_line_charge(line), adjusted)):
        message = "SVD02 must be the line's charge less this payer's adjustments (CAS) of the line."
        findings.append(_finding(decided[0], "SVD", 2, message))
    return paid

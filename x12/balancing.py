"""Do the amounts of a transaction set add up? SNIP level 3, for remittances (835) and claims (837).

The amounts are added up as the segments go by, so that nothing of a set has to be kept for it. Money is Decimal and exact; an
amount that is required and missing, or is no number, is not a number (NaN) here too, and so is every sum with it: such an
equation is not judged, the walk has found the amount already. No finding tells an amount.

Sources: 005010X221A1 section 1.10.2.1 (835); 005010X222A1, X223A2 and X224A2 section 1.4.4 and X12's interpretations
1115 and 1294 (837); the guides' note at 2430 SVD01, which payer decided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, NamedTuple

import msgspec

from x12.finding import Finding, Severity
from x12.tree import Instance

__all__ = ["LEDGERS", "ClaimLedger", "Entry", "Ledger", "RemittanceLedger", "balance_835", "balance_837"]

_ZERO = Decimal(0)
_UNKNOWN = Decimal("NaN")
# Eighteen digits: X12's longest amount, and what Decimal adds without rounding.
_AMOUNT = re.compile(r"-?(?:\d{1,18}|(?=[\d.]{2,19}\Z)(?:\d+\.\d*|\.\d+))", re.ASCII)
_PREDETERMINATION, _REVERSAL = "25", "22"
# What stands at an element: "" or None where nothing does.
Text = str | None
# What stands for the amounts of a claim, or of a line, before it tells them: its position, charge and payment, and of the claim its
# status and what the patient owes.
_NO_CLAIM: tuple[int, Decimal, Decimal, Text, Text] = (0, _UNKNOWN, _UNKNOWN, "", "")
_NO_LINE = (0, _UNKNOWN, _UNKNOWN)
# The amounts of a CAS.
_ADJUSTMENTS = (3, 6, 9, 12, 15, 18)
# Whose adjustments are the patient's.
_PATIENT = "PR"
# As source: see `ClaimLedger.service`.
_SERVICE = ("if sums.line_charge.is_nan(): sums.line_charge = Decimal({0})",)
_PATTERN_CODE = "I12"
_MONETARY_AMOUNT = "782"
_IDENTIFICATION_CODE = "67"
_ORDER_CODE = "1138"
# Of several payers it may be unknown in which order they pay.
_UNKNOWN_ORDER = "U"

Found = Callable[[Finding], None]


def _amount(text: Text, clean: bool) -> Decimal:
    """The amount that an element tells; NaN where there is none that can be read."""
    if clean:
        return Decimal(text) if text else _UNKNOWN
    return Decimal(text) if text and _AMOUNT.fullmatch(text) else _UNKNOWN


def _total(texts: Sequence[Text], clean: bool) -> Decimal:
    """The sum of the amounts that are there."""
    total = _ZERO
    for text in texts:
        if text:
            total += Decimal(text) if clean or _AMOUNT.fullmatch(text) else _UNKNOWN
    return total


def _differ(one: Decimal, other: Decimal) -> bool:
    """Whether both are known and not the same."""
    difference = one - other
    return bool(difference) and not difference.is_nan()


class Entry(NamedTuple):
    """How a segment is entered: the method to call, and the elements that it takes.

    `lines` are what the method does with the first `near` of them where these are clean and there, and no others are, as source that names
    `sums`, `{at}` (the position), `{0}`, `{1}` and so on. Behind those stand `kept` more that are taken as they stand, there or not.
    """

    method: str
    elements: tuple[int, ...] = ()
    near: int = 0
    lines: tuple[str, ...] = ()
    kept: int = 0


class Ledger:
    """The sums of one transaction set; `found` takes what does not balance.

    The methods in `entries` take a segment's position, whether it was proved clean, and what stands at its elements; those in
    `closings` are called when an occurrence of the loop ends.
    """

    # (loop, segment) -> how to enter it, and loop -> name of the method to call.
    entries: ClassVar[Mapping[tuple[str, str], Entry]]
    closings: ClassVar[Mapping[str, str]]

    def __init__(self, found: Found) -> None:
        self.found = found

    def tell(
        self,
        place: tuple[str, str, int],
        position: int,
        message: str,
        severity: Severity = "error",
        data: str = _MONETARY_AMOUNT,
    ) -> None:
        """What does not balance, at the element that the equation is solved for; `data` is that of this element."""
        loop, segment, element = place
        self.found(
            Finding(
                3,
                "element",
                _PATTERN_CODE,
                message,
                severity,
                loop=loop,
                segment=segment,
                position=position,
                element=element,
                data=data,
            )
        )


# --- remittances ---------------------------------------------------------------------------------------------------


def _adjusts(total: str) -> tuple[str, ...]:
    """One adjustment, as source: see `RemittanceLedger.claim_cas`."""
    owes = f'if {{0}} == "{_PATIENT}": sums.owed += adjusted'
    return "adjusted = Decimal({1})", f"sums.{total} += adjusted", owes


class RemittanceLedger(Ledger):
    """Each service line, each claim, then the payment of an 835.

    Reversals (negative amounts) and predeterminations follow the same equations; a predetermination pays nothing. What the patient
    owes (CLP05) is the sum of the adjustments that say so, but of a reversal; it is no part of the balance, so it only warns.
    """

    def __init__(self, found: Found) -> None:
        super().__init__(found)
        self.payment: tuple[Decimal, int] | None = None
        self.paid_by_claims = self.provider_adjustments = _ZERO
        self.begin_claim()
        self.begin_line()

    def begin_claim(self) -> None:
        """As long as no CLP tells the claim's amounts, they are not known."""
        self.claim = _NO_CLAIM
        self.adjusted = self.owed = _ZERO

    def begin_line(self) -> None:
        """As long as no SVC tells the line's amounts, they are not known."""
        self.line = _NO_LINE
        self.line_adjusted = _ZERO

    def bpr(self, position: int, clean: bool, amount: Text, flag: Text) -> None:
        """The first payment is the set's. A debit takes the amount from the payee."""
        if self.payment is None:
            paid = _amount(amount, clean)
            self.payment = -paid if flag == "D" else paid, position

    def plb(self, position: int, clean: bool, *amounts: Text) -> None:
        """Pairs of a reason and an amount."""
        self.provider_adjustments += _total(amounts, clean)

    def clp(self, position: int, clean: bool, status: Text, charge: Text, paid: Text, owed: Text = None) -> None:
        """What a claim charged and was paid, and what the patient owes."""
        self.claim = position, _amount(charge, clean), _amount(paid, clean), status, owed

    def claim_cas(self, position: int, clean: bool, group: Text, *amounts: Text) -> None:
        """Adjustments of the claim as a whole."""
        adjusted = _total(amounts, clean)
        self.adjusted += adjusted
        if group == _PATIENT:
            self.owed += adjusted

    def svc(self, position: int, clean: bool, charge: Text, paid: Text) -> None:
        """What a service line charged and was paid."""
        self.line = position, _amount(charge, clean), _amount(paid, clean)

    def line_cas(self, position: int, clean: bool, group: Text, *amounts: Text) -> None:
        """Adjustments of the line."""
        adjusted = _total(amounts, clean)
        self.line_adjusted += adjusted
        if group == _PATIENT:
            self.owed += adjusted

    def close_line(self) -> None:
        """Charge less adjustments is what was paid."""
        position, charge, paid = self.line
        adjusted = self.line_adjusted
        expected = charge - adjusted
        # What is not known is not equal either.
        if expected != paid and _differ(expected, paid):
            message = "SVC03 must be the line's charge (SVC02) less its adjustments (CAS)."
            self.tell(("2110", "SVC", 3), position, message)
        self.adjusted += adjusted
        self.line, self.line_adjusted = _NO_LINE, _ZERO

    def close_claim(self) -> None:
        """Charge less all adjustments is what was paid."""
        position, charge, paid, status, owed = self.claim
        place, expected = ("2100", "CLP", 4), charge - self.adjusted
        if expected != paid and _differ(expected, paid):
            message = "CLP04 must be the charge (CLP03) less all adjustments (CAS) of the claim and its service lines."
            self.tell(place, position, message)
        if status == _PREDETERMINATION and paid and not paid.is_nan():
            message = (
                "CLP04 must be zero in a predetermination (CLP02 25): what would be paid is an adjustment with reason"
                " 101."
            )
            self.tell(place, position, message)
        # Where no adjustment says it at all, a rule tells (R-2100-008). As a rule both are written alike.
        differ = self.owed and status != _REVERSAL and owed != str(self.owed)
        if differ and _differ(_amount(owed, clean=False) if owed else _ZERO, self.owed):
            message = "CLP05 is not the sum of the adjustments that the patient owes (CAS*PR) of the claim and its service lines."
            self.tell(("2100", "CLP", 5), position, message, "warning")
        self.paid_by_claims += paid
        self.claim, self.adjusted, self.owed = _NO_CLAIM, _ZERO, _ZERO

    def close_set(self) -> None:
        """All claims less all provider adjustments are the payment."""
        if self.payment is not None:
            amount, position = self.payment
            if _differ(amount, self.paid_by_claims - self.provider_adjustments):
                message = (
                    "BPR02 must be the sum of all claim payments (CLP04) less the sum of all provider adjustments"
                    " (PLB)."
                )
                self.tell(("835", "BPR", 2), position, message)

    entries: ClassVar = {
        ("835", "BPR"): Entry("bpr", (2, 3)),
        ("835", "PLB"): Entry("plb", (4, 6, 8, 10, 12, 14)),
        ("2100", "CLP"): Entry(
            "clp", (2, 3, 4, 5), 3, ("sums.claim = {at}, Decimal({1}), Decimal({2}), {0}, {3}",), kept=1
        ),
        ("2100", "CAS"): Entry("claim_cas", (1, *_ADJUSTMENTS), 2, _adjusts("adjusted")),
        ("2110", "SVC"): Entry("svc", (2, 3), 2, ("sums.line = {at}, Decimal({0}), Decimal({1})",)),
        ("2110", "CAS"): Entry("line_cas", (1, *_ADJUSTMENTS), 2, _adjusts("line_adjusted")),
    }
    closings: ClassVar = {"2110": "close_line", "2100": "close_claim", "835": "close_set"}


# --- claims --------------------------------------------------------------------------------------------------------


class _Payer(msgspec.Struct):
    """One other payer (loop 2320): who, what it paid (AMT*D) and adjusted at the level of the claim."""

    number: str = ""
    order: str = ""
    paid: Decimal = _UNKNOWN
    position: int = 0
    adjusted: Decimal = _ZERO
    adjusts: bool = False


class _Decided(msgspec.Struct):
    """What one payer decided for a line, all its adjudications (2430) together."""

    paid: Decimal = _ZERO
    adjusted: Decimal = _ZERO
    position: int = 0


class ClaimLedger(Ledger):
    """The charges of each claim of an 837, then what each other payer paid and adjusted.

    No two other payers have one place in the order (SBR01): the guides' note at 2320; that of the destination is a rule (C-2320-002).
    A payer that adjudicated the claim as a whole, without lines, is only warned about: the guides ask for no balance there.
    What was decided for a line belongs to the payer whose number (2330B NM109) SVD01 repeats. Of payers with one number it cannot
    be told whose it is, and their lines are not judged.
    """

    def __init__(self, found: Found) -> None:
        super().__init__(found)
        self.begin_claim()

    def begin_claim(self) -> None:
        """As long as no CLM tells the claim's charge, it is not known."""
        self.charge, self.position = _UNKNOWN, 0
        self.lines, self.line_charges = 0, _ZERO
        self.payers: list[_Payer] = []
        # Payer -> the sum of what it paid for lines, and the positions of lines that do not balance.
        self.line_payments: dict[str, Decimal] = {}
        self.unbalanced: list[tuple[str, int]] = []
        # Who decided lines, and where.
        self.deciders: list[tuple[str, int]] = []
        self.begin_line()

    def begin_line(self) -> None:
        """As long as no SV1, SV2 or SV3 tells the line's charge, it is not known."""
        self.line_charge = _UNKNOWN
        self.decided: dict[str, _Decided] = {}
        self.deciding: _Decided | None = None

    def clm(self, position: int, clean: bool, charge: Text) -> None:
        """What a claim charges."""
        self.charge, self.position = _amount(charge, clean), position

    def service(self, position: int, clean: bool, charge: Text) -> None:
        """What a service line charges; the first one tells it."""
        if self.line_charge.is_nan():
            self.line_charge = _amount(charge, clean)

    def payer(self) -> _Payer:
        """The open 2320; one whose SBR is missing begins with what is there of it."""
        if not self.payers:
            self.payers.append(_Payer())
        return self.payers[-1]

    def sbr(self, position: int, clean: bool, order: Text) -> None:
        """Another payer begins, whose place in the order is its own."""
        if order and order != _UNKNOWN_ORDER and any(order == payer.order for payer in self.payers):
            message = "Two other payers of the claim have the same place in the order (SBR01): give each its own."
            self.tell(("2320", "SBR", 1), position, message, data=_ORDER_CODE)
        self.payers.append(_Payer(order=order or ""))

    def payer_cas(self, position: int, clean: bool, *amounts: Text) -> None:
        """What the payer adjusted at the level of the claim."""
        payer = self.payer()
        payer.adjusted, payer.adjusts = payer.adjusted + _total(amounts, clean), True

    def payer_amt(self, position: int, clean: bool, kind: Text, amount: Text) -> None:
        """What the payer paid (AMT*D)."""
        payer = self.payer()
        if kind == "D" and not payer.position:
            payer.paid, payer.position = _amount(amount, clean), position

    def payer_nm1(self, position: int, clean: bool, number: Text) -> None:
        """Which payer it is."""
        payer = self.payer()
        payer.number = payer.number or number or ""

    def svd(self, position: int, clean: bool, number: Text, amount: Text) -> None:
        """What a payer paid for the line."""
        decided = self.decided.get(number or "")
        if decided is None:
            decided = self.decided[number or ""] = _Decided(position=position)
        decided.paid += _amount(amount, clean)
        self.deciding = decided

    def line_cas(self, position: int, clean: bool, *amounts: Text) -> None:
        """What that payer adjusted."""
        if self.deciding is not None:
            self.deciding.adjusted += _total(amounts, clean)

    def close_decision(self) -> None:
        """An adjudication (2430) ends."""
        self.deciding = None

    def close_line(self) -> None:
        """A line's charge is part of the claim's, and what a payer paid for it is the charge less its adjustments."""
        self.lines += 1
        self.line_charges += self.line_charge
        for number, decided in self.decided.items():
            self.deciders.append((number, decided.position))
            self.line_payments[number] = self.line_payments.get(number, _ZERO) + decided.paid
            if _differ(decided.paid, self.line_charge - decided.adjusted):
                self.unbalanced.append((number, decided.position))
        self.begin_line()

    def close_claim(self) -> None:
        """The claim's charge is the sum of its lines; each payer's payment follows from the lines or from the charge."""
        if self.lines and _differ(self.charge, self.line_charges):
            message = "CLM02 must be the sum of the charges of its service lines."
            self.tell(("2300", "CLM", 2), self.position, message)
        numbers = [payer.number for payer in self.payers]
        # Where a payer has no number, the walk has found that, and any line may be its.
        unnamed = (
            [at for who, at in self.deciders if who and who not in numbers] if self.payers and all(numbers) else []
        )
        for position in unnamed:
            message = (
                "SVD01 names no payer of the claim: send the number that the payer has in NM109 of its loop 2330B."
            )
            self.tell(("2430", "SVD", 1), position, message, data=_IDENTIFICATION_CODE)
        for payer in self.payers:
            self._balance(payer, shared=numbers.count(payer.number) > 1, whole=not unnamed)
        self.begin_claim()

    def _balance(self, payer: _Payer, *, shared: bool, whole: bool) -> None:
        """One payer. `shared` tells that another one has its number, `whole` that no line may be its without naming it."""
        lines = payer.number in self.line_payments
        if shared and lines:
            return
        for number, position in self.unbalanced:
            if number and number == payer.number:
                message = "SVD02 must be the line's charge less this payer's adjustments (CAS) of the line."
                self.tell(("2430", "SVD", 2), position, message)
        place = ("2320", "AMT", 2)
        if payer.number and lines:
            if _differ(payer.paid, self.line_payments[payer.number] - payer.adjusted):
                message = (
                    "AMT02 (payer paid amount) must be the sum of this payer's line payments (SVD02) less its claim"
                    " level adjustments (CAS)."
                )
                self.tell(place, payer.position, message)
        elif whole and payer.adjusts and _differ(payer.paid, self.charge - payer.adjusted):
            message = "AMT02 (payer paid amount) is not the charge (CLM02) less this payer's adjustments (CAS)."
            self.tell(place, payer.position, message, "warning")

    entries: ClassVar = {
        ("2300", "CLM"): Entry("clm", (2,), 1, ("sums.charge, sums.position = Decimal({0}), {at}",)),
        ("2400", "SV1"): Entry("service", (2,), 1, _SERVICE),
        ("2400", "SV2"): Entry("service", (3,), 1, _SERVICE),
        ("2400", "SV3"): Entry("service", (2,), 1, _SERVICE),
        ("2320", "SBR"): Entry("sbr", (1,)),
        ("2320", "CAS"): Entry("payer_cas", _ADJUSTMENTS),
        ("2320", "AMT"): Entry("payer_amt", (1, 2)),
        ("2330B", "NM1"): Entry("payer_nm1", (9,)),
        ("2430", "SVD"): Entry("svd", (1, 2)),
        ("2430", "CAS"): Entry("line_cas", _ADJUSTMENTS),
    }
    closings: ClassVar = {
        "2430": "close_decision",
        "2400": "close_line",
        "2300": "close_claim",
    }


LEDGERS: Mapping[str, type[Ledger]] = {"835": RemittanceLedger, "837": ClaimLedger}


# --- sets that were walked before ----------------------------------------------------------------------------------


def _balance(root: Instance, kind: type[Ledger]) -> list[Finding]:
    findings: list[Finding] = []
    ledger = kind(findings.append)
    entries, closings, separator = kind.entries, kind.closings, root.delimiters.element

    def enter(instance: Instance) -> None:
        loop = instance.loop.id
        for (segment, raw), position in zip(instance.segments, instance.positions, strict=True):
            entry = entries.get((loop, segment.id))
            if entry is not None:
                row = raw.split(separator)
                texts = [row[at] if at < len(row) else "" for at in entry.elements]
                getattr(ledger, entry.method)(position, False, *texts)
        for child in instance.children:
            enter(child)
        if loop in closings:
            getattr(ledger, closings[loop])()

    enter(root)
    return findings


def balance_835(root: Instance) -> list[Finding]:
    """What does not balance in a walked 835: each service line, each claim, then the payment."""
    return _balance(root, RemittanceLedger)


def balance_837(root: Instance) -> list[Finding]:
    """What does not balance in the claims of a walked 837: the charges, then what each other payer paid and adjusted."""
    return _balance(root, ClaimLedger)

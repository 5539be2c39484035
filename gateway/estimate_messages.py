"""What an estimate is asked with and answered with in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.benefits import BenefitSource
from x12.documents.binding import Document, Text

__all__ = [
    "Estimate",
    "EstimateBound",
    "EstimateLine",
    "EstimateNote",
    "EstimateRequest",
    "EstimateStep",
    "EstimatedLine",
    "note",
]

Basis = Literal["exact", "range", "unknown"]


class EstimateLine(Document):
    """One procedure of a visit. Either amount is for the whole line, all its units. A day is that of the visit: see `EstimateRequest`."""

    procedure_code: Text = None
    procedure_modifiers: list[str] | None = None
    service_type_code: Text = None
    charge_amount: Text = None
    allowed_amount: Text = None
    units: Text = None
    network: Text = None
    place_of_service_code: Text = None
    service_date: Text = None


class EstimateRequest(Document):
    """The lines of one visit, and its day (CCYYMMDD, here or at the lines, as claims have it; without it today)."""

    lines: list[EstimateLine] | None = None
    service_date: Text = None


class EstimateStep(Document):
    """One step of a calculation: `deductible`, `copay`, `coinsurance`, `outOfPocketMaximum` (what it takes off) or `notCovered`."""

    kind: str
    amount: str
    sources: list[BenefitSource]


class EstimateBound(Document):
    """The least or the most that may be owed, and how it comes about."""

    amount: str
    steps: list[EstimateStep]


class EstimateNote(Document):
    """Something that is not known, was assumed, or must be looked at by a person."""

    code: str
    description: str
    sources: list[BenefitSource] | None = None
    message: Text = None

    @property
    def assumed(self) -> bool:
        """Whether it is a rule's assumption rather than something unknown."""
        return self.code in _ASSUMED


class EstimatedLine(Document):
    """What the patient will owe for one line: `amount` where it is exact, else between `lowest` and `highest`, else neither."""

    line_number: int
    basis: Basis
    amount: Text = None
    steps: list[EstimateStep] | None = None
    lowest: EstimateBound | None = None
    highest: EstimateBound | None = None
    unknown: list[EstimateNote] | None = None
    assumptions: list[EstimateNote] | None = None
    conditions: list[EstimateNote] | None = None


class Estimate(Document):
    """What the patient will owe for a visit. `low` alone, on basis `unknown`, is the least for the lines that are known."""

    basis: Basis
    lines: list[EstimatedLine]
    transaction_id: Text = None
    amount: Text = None
    low: Text = None
    high: Text = None
    conditions: list[EstimateNote] | None = None


# Code -> what it says. Those of `_ASSUMED` are assumptions of a rule, the last ones conditions, all others are not known.
_NOTES = {
    "age": "The benefit is for an age, and the patient's is not known.",
    "allowedAmount": "What the plan allows is not known; it is taken to be at most the charge.",
    "authorization": "The payer wants an authorization or certification for this.",
    "chargeAmount": "The plan does not pay, and the charge is not known.",
    "contradiction": "The payer says it in two ways.",
    "copayAndCoinsurance": "The payer names a copay and a coinsurance, and does not say whether both are owed or one of them.",
    "costContainment": "The payer names a cost containment amount and does not say whether it was met.",
    "coverage": "The payer does not say that this service is covered.",
    "coverageLevel": "The benefit is for some of the family, and whether the patient is one of them is not known.",
    "deductible": "What remains of the deductible is not known.",
    "deductibleBeforeCopay": "The payer does not say whether the deductible of the plan comes before this copay.",
    "delivery": "The benefit is limited by how often the service is delivered.",
    "diagnosis": "The benefit is for a diagnosis.",
    "exclusion": "The payer names an exclusion for this service.",
    "injury": "The benefit is for an injury or a part of the body.",
    "limitation": "The payer names a limit, and whether it was reached is not known.",
    "message": "The payer adds words that only a person can judge.",
    "network": "Whether it is in or out of the network is not known.",
    "noCoinsurance": "The payer names a copay and no coinsurance: none is assumed.",
    "noCopay": "The payer names a coinsurance and no copay: none is assumed.",
    "otherPayer": "The payer names another payer: what that one pays is not taken off.",
    "outOfPocketRemaining": "What is left to the out-of-pocket maximum is not known.",
    "placeOfService": "The benefit is for a place of service, and the line does not name one.",
    "planWide": "The payer names this share for the plan, not for this service.",
    "provider": "The benefit is for the provider that the payer names.",
    "quantity": "The benefit is for a number of days or services.",
    "serviceDate": "The day of service lies outside the days for which the payer tells of this coverage.",
    "share": "The payer names neither a copay nor a coinsurance for this service.",
    "spendDown": "The payer names a spend-down amount and does not say whether it was met.",
}
_ASSUMED = frozenset({"noCoinsurance", "noCopay"})


def note(code: str, sources: Sequence[BenefitSource], message: str | None = None) -> EstimateNote:
    """A note with the words for its code."""
    return EstimateNote(code=code, description=_NOTES[code], sources=list(sources) or None, message=message)

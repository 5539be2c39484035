"""What each EB of a 271 says, as values that can be compared: whom, what, where, over which time and how much.

Nothing is combined or chosen here: docs/benefits.md has the rules, `gateway/benefits.py` and `gateway/estimates.py` follow
them. Sources: 005010X279A1, loops 2110C and 2110D, and X12's answers to requests for interpretation, named in that page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from x12 import codes
from x12.documents.binding import Flat
from x12.documents.eligibility import (
    AdditionalInformation,
    Benefit,
    BenefitDates,
    BenefitIdentifiers,
    BenefitProcedure,
    Dates,
    EligibilityResponse,
    RelatedEntity,
    ServiceDelivery,
)

__all__ = [
    "ACTIVE",
    "INACTIVE",
    "PLAN",
    "Statement",
    "begins",
    "ends",
    "statements",
    "words",
]

PLAN = "30"
ACTIVE, INACTIVE = frozenset("12345"), frozenset("678")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")
_PLACE_OF_SERVICE = "ZZ"
_OLDEST, _YOUNGEST = "S7", "S8"
# EB01 whose EB09 and EB10 narrow the benefit, where those of all others are what the benefit is.
_NARROWED_BY_QUANTITY = frozenset("ABCG")
_ONE = Decimal(1)


class Statement(Flat, frozen=True, kw_only=True):
    """One EB and what follows it.

    `benefit` is its index in benefitsInformation, `segment` the position of its EB in the transaction set (ST is 1), None
    where the 271 is not at hand. `amount`, `percent` (0 to 1) and `quantity` are None where the payer gave none, or none that
    is a number of that kind (`unreadable`). `since` and `until` (CCYYMMDD) narrow it; all its dates are in `dates`.
    """

    benefit: int
    segment: int | None
    code: str
    level: str | None
    service_types: tuple[str, ...]
    insurance_type: str | None
    plan: str | None
    period: str | None
    amount: Decimal | None
    percent: Decimal | None
    unit: str | None
    quantity: Decimal | None
    authorization: str | None
    network: str | None
    procedure: BenefitProcedure | None
    places: tuple[str, ...]
    oldest: Decimal | None
    youngest: Decimal | None
    injuries: tuple[AdditionalInformation, ...]
    diagnoses: tuple[str, ...]
    deliveries: tuple[ServiceDelivery, ...]
    entities: tuple[RelatedEntity, ...]
    identifiers: BenefitIdentifiers | None
    dates: BenefitDates | None
    since: str | None
    until: str | None
    messages: tuple[str, ...]
    unreadable: bool

    @property
    def plan_wide(self) -> bool:
        """Whether it is about the plan as a whole: service type 30, or neither a service type nor a procedure."""
        return PLAN in self.service_types or (not self.service_types and self.procedure is None)


def words(table: str, code: str | None) -> str | None:
    """What a code means; None where there is none or the list does not have it."""
    return codes.table(table).get(code) if code else None


def statements(response: EligibilityResponse, positions: Sequence[int | None] = ()) -> list[Statement]:
    """What each benefit of a response says, in order. `positions` are those of its EBs, where they are known."""
    found = response.benefits_information or []
    places: Sequence[int | None] = positions if len(positions) == len(found) else [None] * len(found)
    return [_statement(benefit, index, place) for index, (benefit, place) in enumerate(zip(found, places, strict=True))]


def _number(text: str | None) -> Decimal | None:
    """A number that is not negative; None for anything else."""
    return Decimal(text) if text and _NUMBER.fullmatch(text) else None


def _statement(benefit: Benefit, index: int, position: int | None) -> Statement:
    code, further = benefit.code or "", benefit.eligibility_additional_information_list or []
    deliveries = tuple(benefit.benefits_service_delivery or ())
    unit, quantity = benefit.quantity_qualifier_code, _number(benefit.benefit_quantity)
    period, age = benefit.time_qualifier_code, unit in (_OLDEST, _YOUNGEST)
    if code == "F" and quantity is None and len(deliveries) == 1:
        # HSD01 and HSD02 say the same as EB09 and EB10, over the time that HSD05 names.
        unit, quantity = deliveries[0].quantity_qualifier_code, _number(deliveries[0].quantity)
        period = period or deliveries[0].time_period_qualifier_code
        deliveries = () if not _further(deliveries[0]) else deliveries
    percent, amount = _number(benefit.benefit_percent), _number(benefit.benefit_amount)
    given = (
        (benefit.benefit_amount, amount),
        (benefit.benefit_percent, percent if percent is None or percent <= _ONE else None),
        (benefit.benefit_quantity, quantity),
    )
    procedure, dates = benefit.composite_medical_procedure_identifier, benefit.benefits_date_information
    return Statement(
        benefit=index,
        segment=position,
        code=code,
        level=benefit.coverage_level_code,
        service_types=tuple(dict.fromkeys(benefit.service_type_codes or ())),
        insurance_type=benefit.insurance_type_code,
        plan=benefit.plan_coverage,
        period=period,
        amount=amount,
        percent=given[1][1],
        unit=None if age else unit,
        quantity=None if age else quantity,
        authorization=benefit.auth_or_cert_indicator,
        network=benefit.in_plan_network_indicator_code,
        procedure=procedure if procedure is not None and procedure.procedure_code else None,
        places=_sorted(i.industry_code for i in further if i.code_list_qualifier_code == _PLACE_OF_SERVICE),
        oldest=quantity if unit == _OLDEST else None,
        youngest=quantity if unit == _YOUNGEST else None,
        injuries=tuple(i for i in further if i.code_list_qualifier_code != _PLACE_OF_SERVICE),
        diagnoses=tuple(procedure.diagnosis_code_pointer or ()) if procedure is not None else (),
        deliveries=deliveries,
        entities=tuple(benefit.benefits_related_entities or ()),
        identifiers=benefit.benefits_additional_information,
        dates=dates,
        since=max(begins(dates), default=None),
        until=min(ends(dates), default=None),
        messages=tuple(m.description for m in benefit.additional_information or () if m.description),
        unreadable=any(text and value is None for text, value in given),
    )


def _further(delivery: ServiceDelivery) -> bool:
    """Whether an HSD says more than a quantity and its time period."""
    told = (
        delivery.unit_for_measurement_qualifier_code,
        delivery.sample_selection_modulus,
        delivery.num_of_periods,
        delivery.delivery_or_calendar_pattern_qualifier_code,
        delivery.delivery_pattern_time_qualifier_code,
    )
    return any(told)


def _sorted(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({v for v in values if v}))


def _range(text: str | None) -> tuple[str, str] | None:
    """The two days of a period (RD8); None for a single day, which only says for when the payer looked."""
    first, _, last = (text or "").partition("-")
    return (first, last) if len(first) == len(last) == 8 else None


def begins(dates: Dates | None, *kinds: str) -> set[str]:
    """The days (CCYYMMDD) on which something begins, of these kinds of dates or of all that can."""
    return _edges(dates, kinds, 0)


def ends(dates: Dates | None, *kinds: str) -> set[str]:
    """The last days (CCYYMMDD) of something, of these kinds of dates or of all that can."""
    return _edges(dates, kinds, 1)


# Kind -> the fields of a period of it, and of its first and of its last day.
_KINDS = {
    "eligibility": ("eligibility", "eligibility_begin", "eligibility_end"),
    "plan": ("plan", "plan_begin", "plan_end"),
    "benefit": ("benefit", "benefit_begin", "benefit_end"),
    "policy": ("", "policy_effective", "policy_expiration"),
    "service": ("service", "", ""),
    "period": ("", "period_start", "period_end"),
}


def _edges(dates: Dates | None, kinds: Sequence[str], edge: int) -> set[str]:
    found: set[str] = set()
    for kind in kinds or _KINDS:
        fields = _KINDS[kind]
        both = _range(getattr(dates, fields[0], None)) if fields[0] else None
        one: str | None = getattr(dates, fields[1 + edge], None) if fields[1 + edge] else None
        found.update(v for v in (both[edge] if both else None, one) if v and len(v) == 8)
    return found

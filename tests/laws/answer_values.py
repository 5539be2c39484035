"""Eligibility answers (271) out of chance: any field that the guide has room for, for a subscriber, a dependent or nobody."""

from __future__ import annotations

from copy import copy
from typing import Any

from tests.laws.review_values import ReviewFiller
from tests.laws.test_remittance import OneOfEach
from x12 import codes, guides
from x12.documents.binding import Place, Plan
from x12.documents.eligibility import (
    Benefit,
    BenefitDates,
    DatedEvent,
    Dates,
    EligibilityResponse,
    PlanInformation,
    ResponsePayer,
    ResponsePerson,
    ResponseProvider,
    ServiceDelivery,
)
from x12.documents.parts import AAAError, located
from x12.guides import Loop, Segment

__all__ = ["answer", "rejections"]

GUIDE = guides.load("005010X279A1", "271")
_KINDS = codes.table("entity_type")
# What a patient's loop says is told by these of a person's names too.
_SHARED = ("plan_number", "plan_description", "group_number", "group_description", "plan_network_id_number")


class AnswerFiller(ReviewFiller, OneOfEach):
    """Fills only what the guide has room for at a loop: one type serves subscribers, dependents and benefits."""

    def built(self, plan: Plan, loop: Loop, row: tuple[Segment, Place, int] | None) -> Any:
        return super().built(plan if row else self.possible(plan, loop), loop, row)

    def possible(self, plan: Plan, loop: Loop) -> Plan:
        made = copy(plan)
        made.fields = []
        for field in plan.fields:
            place = field.spec.place
            if field.spec.kind == "part" and field.plan is not None:
                field = field._replace(plan=self.possible(field.plan, loop))
            elif place is not None and not any(self.has(s, place) for s in self.where(place, loop).children):
                continue
            made.fields.append(field)
        return made

    def where(self, place: Place, loop: Loop) -> Loop:
        return self.guide.loop(place.loops[0]) if place.loops else loop

    def has(self, child: Segment | Loop, place: Place) -> bool:
        if not isinstance(child, Segment) or child.id != place.segment:
            return False
        return not place.qualifiers or bool(child.qualifier and place.qualifiers[0] in (child.qualifier.codes or ()))


def answer(seed: int, richness: float) -> EligibilityResponse:
    """A valid answer; what reading tells of it besides is there too."""
    filler = AnswerFiller(GUIDE, seed, richness)
    made = filler.document(EligibilityResponse, "2000C")
    made.payer = made.payer or filler.document(ResponsePayer, "2100A")
    if filler.random.random() < 0.15:
        return _nobody(filler, made)
    made.provider = made.provider or filler.document(ResponseProvider, "2100B")
    made.subscriber = made.subscriber or filler.document(ResponsePerson, "2100C")
    dependent = filler.random.random() < 0.4
    if dependent:
        made.dependents = [filler.document(ResponsePerson, "2100D")]
    person = made.dependents[0] if made.dependents else made.subscriber
    _plan(filler, made, person, "2100D" if dependent else "2100C")
    loop_id = "2110D" if dependent else "2110C"
    count = filler.random.randint(0, 3)
    made.benefits_information = [_benefit(filler, loop_id) for _ in range(count)] or None
    return _consistent(filler, made)


def rejections(made: EligibilityResponse) -> list[AAAError]:
    """Every rejection that stands somewhere in an answer."""
    return [error for part, _ in _rejecting(made) for error in part.aaa_errors or ()]


def _rejecting(made: EligibilityResponse) -> list[tuple[Any, str]]:
    """What has rejections, each with its loop."""
    benefits = [(benefit, "2110D" if made.dependents else "2110C") for benefit in made.benefits_information or ()]
    dependents = [(dependent, "2100D") for dependent in made.dependents or ()]
    named = [(made.payer, "2100A"), (made.provider, "2100B"), (made.subscriber, "2100C")]
    return [(part, loop_id) for part, loop_id in [*named, *dependents, *benefits] if part is not None]


def _nobody(filler: AnswerFiller, made: EligibilityResponse) -> EligibilityResponse:
    """An answer about no patient: the payer rejects the whole, with the provider or without."""
    made.subscriber = made.subscriber_trace_numbers = None
    return _consistent(filler, made)


def _plan(filler: AnswerFiller, made: EligibilityResponse, person: ResponsePerson, loop_id: str) -> None:
    """The plan's identifiers and dates stand in the patient's loop; some of the identifiers are told as the person's too."""
    plan = filler.document(PlanInformation, loop_id)
    for name in _SHARED:
        setattr(person, name, getattr(plan, name))
    person.plan_network_description = plan.plan_network_id_description
    person.ssn = plan.social_security_number
    dates = filler.document(Dates, loop_id)
    made.plan_information = plan if plan != PlanInformation() else None
    made.plan_date_information = dates if dates != Dates() else None


def _benefit(filler: AnswerFiller, loop_id: str) -> Benefit:
    made = filler.document(Benefit, loop_id)
    # A segment that says nothing cannot be written.
    made.benefits_service_delivery = [d for d in made.benefits_service_delivery or () if d != ServiceDelivery()] or None
    made.benefits_related_entity = next(iter(made.benefits_related_entities or ()), None)
    for information in made.eligibility_additional_information_list or ():
        # III01 and III02 go together.
        if not (information.code_list_qualifier_code and information.industry_code):
            information.code_list_qualifier_code, information.industry_code = "ZZ", "11"
    made.eligibility_additional_information = next(iter(made.eligibility_additional_information_list or ()), None)
    loops = "2120" if made.benefits_related_entities else None
    made.header_loop_identifier_code = made.trailer_loop_identifier_code = loops
    dates = made.benefits_date_information
    if dates is not None:
        _events(filler, dates)
        made.benefits_date_information = dates if dates != BenefitDates() else None
    return made


def _events(filler: AnswerFiller, dates: BenefitDates) -> None:
    """Several admissions or discharges stand in a list, and the first of them under its own name; there is room for twenty dates."""
    for one, several in (("admission", "admissions"), ("discharge", "discharges")):
        listed = [_event(filler) for _ in getattr(dates, several) or ()]
        setattr(dates, several, listed if len(listed) > 1 else None)
        if len(listed) > 1:
            first = listed[0]
            setattr(dates, one, first.date or f"{first.start_date}-{first.end_date}")
    single = [name for name in Dates.__struct_fields__ if getattr(dates, name) and not getattr(dates, f"{name}s", None)]
    for name in single[14:]:
        setattr(dates, name, None)


def _event(filler: AnswerFiller) -> DatedEvent:
    first, last = sorted((filler.day(), filler.day()))
    return DatedEvent(date=first) if filler.maybe() else DatedEvent(start_date=first, end_date=last)


def _consistent(filler: AnswerFiller, made: EligibilityResponse) -> EligibilityResponse:
    """Rejections with their places, kinds in words, the period of military service in the form that is told."""
    for part, loop_id in _rejecting(made):
        part.aaa_errors = located(part.aaa_errors, loop_id) if part.aaa_errors else None
        if getattr(part, "entity_type", None):
            part.entity_type = _KINDS.get(part.entity_type, part.entity_type)
        if isinstance(part, ResponsePerson):
            first, last = sorted((filler.day(), filler.day()))
            form = part.date_time_period_format_qualifier
            part.date_time_period = first if form == "D8" else None
            part.start_date_time_period, part.end_date_time_period = (first, last) if form == "RD8" else (None, None)
    return made

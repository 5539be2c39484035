"""Eligibility at the sandbox payer: who is asked about, what they are covered for, and what is wrong with the question.

Sources: 005010X279A1 (AAA by loop, EB), CAQH CORE 260 (patient's share for each service type asked about, base and remaining
deductible, a generic answer to what is not supported) and CORE 258 (which AAA for which mistake).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from adapters.sandbox.answers import PAYER_ID, PAYER_NAME
from adapters.sandbox.scenarios import (
    DEPENDENTS,
    GENERAL_SERVICES,
    PLANS,
    SERVICES,
    WRONGDOB_BORN,
    MemberScript,
    Pins,
    Plan,
    Service,
    draw,
    member_script,
    npi,
)
from adapters.sandbox.scripted_benefits import PLAN_NAME, scripted_benefits
from x12.codes.lists import npi_is_valid
from x12.documents.eligibility import (
    Benefit,
    BenefitDates,
    BenefitProcedure,
    Dates,
    EligibilityResponse,
    Message,
    PlanInformation,
    RelatedEntity,
    ResponsePayer,
    ResponsePerson,
    ResponseProvider,
    write_response,
)
from x12.documents.eligibility_request import (
    EligibilityRequest,
    RequestDependent,
    RequestPerson,
    RequestProcedure,
    patients,
    read_requests,
)
from x12.documents.parts import AAAError, Address, Contact, Contacts, Header
from x12.syntax import CANONICAL
from x12.walk import Instance

__all__ = ["answers"]

_E = CANONICAL.element
_GENERIC = "30"
_YEAR, _REMAINING = "23", "29"
_IN, _OUT = "Y", "N"
# One member in so many has another insurance, too.
_OTHER_PAYER_EVERY = 5
_CORRECT, _RESUBMIT = "C", "R"


class _Question(msgspec.Struct):
    """One patient of a 270: what is asked, and by whom (the NM1 of loop 2100B)."""

    request: EligibilityRequest
    provider: list[str]
    traces: list[str]
    dependent: RequestDependent | None
    member_id: str
    script: MemberScript | None


def answers(root: Instance, today: date, header: Header, pins: Pins) -> list[list[str]]:
    """A 271 for each patient of a walked 270, in order: canonical segments, ST02 counting from the header's."""
    made: list[list[str]] = []
    for number, question in enumerate(_questions(root, pins), int(header.control_number)):
        reference = question.request.submitter_transaction_identifier or header.reference
        own = msgspec.structs.replace(header, control_number=f"{number:04d}", reference=reference)
        made.append(_traced(write_response(_answer(question, today), own).segments, question.traces))
    return made


def _questions(root: Instance, pins: Pins) -> Iterator[_Question]:
    for request, (subscriber, dependent) in zip(read_requests(root), patients(root), strict=True):
        asking = subscriber.near("2100B")
        rows = asking.rows().get("NM1") if asking is not None else None
        row = rows[0] if rows else ["NM1", "1P", "2"]
        traces = (dependent or subscriber).rows().get("TRN", ())
        person = request.subscriber
        member_id = (person.member_id if person is not None else None) or ""
        yield _Question(
            request,
            [*row, *[""] * (10 - len(row))],
            [_E.join(("TRN", "2", *trace[2:])) for trace in traces],
            request.dependents[0] if request.dependents else None,
            member_id,
            member_script(member_id, pins),
        )


def _traced(segments: list[str], traces: Sequence[str]) -> list[str]:
    """The 271 with the trace numbers of the question behind the HL of its patient, where it has come to a patient."""
    place = next((i for i in range(len(segments) - 1, 0, -1) if segments[i].startswith(f"HL{_E}")), 0)
    if not traces or segments[place].split(_E)[3] not in ("22", "23"):
        return segments
    lines = [*segments[: place + 1], *traces, *segments[place + 1 :]]
    trailer = lines[-1].split(_E)
    lines[-1] = _E.join((trailer[0], str(len(lines)), trailer[2]))
    return lines


# --- whether there is an answer --------------------------------------------------------------------------------------


def _answer(question: _Question, today: date) -> EligibilityResponse:
    request, row = question.request, question.provider
    response = EligibilityResponse(
        payer=ResponsePayer(
            entity_identifier="PR",
            entity_type="2",
            name=request.trading_partner_name or PAYER_NAME,
            payor_identification=request.trading_partner_service_id or PAYER_ID,
        )
    )
    if question.script == "DOWN":
        assert response.payer is not None
        response.payer.aaa_errors = _rejected("42", _RESUBMIT)
        return response
    response.provider = _provider(row)
    wrong = _provider_fault(question)
    if wrong:
        response.provider.aaa_errors = _rejected(wrong, _CORRECT)
        return response
    response.subscriber = subscriber = _person(request.subscriber or RequestPerson())
    subscriber.entity_identifier = "IL"
    subscriber.member_id = question.member_id or None
    wrong = _subscriber_fault(question)
    if wrong:
        subscriber.aaa_errors = _rejected(wrong, _CORRECT)
        return response
    subscriber.member_id = question.member_id or _member_id(subscriber)
    patient = subscriber
    if question.dependent is not None:
        patient = _person(question.dependent)
        patient.entity_identifier = "03"
        response.dependents = [patient]
        wrong = _dependent_fault(question)
        if wrong:
            patient.aaa_errors = _rejected(wrong, _CORRECT)
            return response
        patient.insured_indicator = "N"
        patient.relation_to_subscriber_code = _relationship(question.dependent)
    _cover(response, question, patient, subscriber.member_id, today)
    return response


def _rejected(code: str, action: str) -> list[AAAError]:
    return [AAAError(code=code, followup_action=action)]


def _provider(row: Sequence[str]) -> ResponseProvider:
    provider = ResponseProvider(entity_identifier=row[1], entity_type=row[2])
    if row[2] == "1":
        provider.provider_name, provider.provider_first_name = row[3] or None, row[4] or None
        provider.middle_name, provider.suffix = row[5] or None, row[7] or None
    else:
        provider.provider_org_name = row[3] or None
    field = {
        "24": "employers_id",
        "34": "ssn",
        "FI": "federal_taxpayers_id_number",
        "PI": "payor_identification",
        "PP": "pharmacy_processor_number",
        "SV": "service_provider_number",
        "XV": "services_plan_id",
        "XX": "npi",
    }.get(row[8])
    if field is not None:
        setattr(provider, field, row[9] or None)
    return provider


def _provider_fault(question: _Question) -> str:
    row = question.provider
    if row[8] == "XX" and not npi_is_valid(row[9]):
        return "43"
    return {"BADPROVIDER": "51", "WRONGNPI": "43"}.get(question.script or "", "")


def _subscriber_fault(question: _Question) -> str:
    person = question.request.subscriber or RequestPerson()
    if not question.member_id and not (person.last_name and person.date_of_birth):
        return "72"
    if question.script == "NOTFOUND":
        return "75"
    if question.script == "WRONGDOB" and question.dependent is None:
        if not person.date_of_birth:
            return "58"
        if person.date_of_birth != WRONGDOB_BORN:
            return "71"
    return ""


def _dependent_fault(question: _Question) -> str:
    """Only DEPENDENT members have dependents that are known; of all others anybody may be one."""
    asked = question.dependent
    if asked is None or question.script != "DEPENDENT":
        return ""
    known = next((d for d in DEPENDENTS if d.first_name == (asked.first_name or "").strip().upper()), None)
    if known is None:
        return "77"
    return "71" if asked.date_of_birth not in (None, known.date_of_birth) else ""


def _relationship(asked: RequestDependent) -> str:
    known = next((d for d in DEPENDENTS if d.first_name == (asked.first_name or "").strip().upper()), None)
    return asked.individual_relationship_code or (known.relationship if known is not None else "19")


def _person(asked: RequestPerson) -> ResponsePerson:
    return ResponsePerson(
        entity_type="1",
        last_name=asked.last_name,
        first_name=asked.first_name,
        middle_name=asked.middle_name,
        suffix=asked.suffix,
        date_of_birth=asked.date_of_birth,
        gender=asked.gender,
        address=msgspec.convert(asked.address, Address | None, from_attributes=True),
    )


def _member_id(person: ResponsePerson) -> str:
    """The number of a member who was found by name and date of birth."""
    drawn = draw("member", person.last_name or "", person.first_name or "", person.date_of_birth or "")
    return f"SBX{drawn % 10**9:09d}"


# --- what is covered -----------------------------------------------------------------------------------------------


class _Coverage(msgspec.Struct):
    """A member's plan, as it stands: how much of deductible and out-of-pocket maximum is left, in hundredths."""

    plan: Plan
    rank: int
    left: int
    seed: int


def _cover(
    response: EligibilityResponse, question: _Question, patient: ResponsePerson, member_id: str, today: date
) -> None:
    """Fill in plan, dates and benefits of a member who was found."""
    seed = draw("plan", member_id.upper())
    rank = seed % len(PLANS)
    coverage = _Coverage(PLANS[rank], rank, seed // 7 % 101, seed)
    encounter = question.request.encounter
    asked_for = (encounter.date_of_service or encounter.beginning_date_of_service) if encounter is not None else None
    year = int(asked_for[:4]) if asked_for else today.year
    patient.group_number, patient.group_description = coverage.plan.group_number, "SANDBOX EMPLOYER GROUP"
    response.plan_information = PlanInformation(plan_number=f"SBX{year}{rank + 1}", plan_description=coverage.plan.name)
    if question.script == "INACTIVE":
        ended = date(today.year, 1, 1) - timedelta(days=1)
        response.plan_date_information = Dates(plan_begin=f"{ended.year}0101", plan_end=f"{ended:%Y%m%d}")
        response.benefits_information = [_plan_benefit("6", coverage.plan)]
        return
    response.plan_date_information = Dates(plan=f"{year}0101-{year}1231", eligibility_begin=f"{year}0101")
    if question.script == "BENEFITS":
        response.plan_information.plan_description = PLAN_NAME
        response.benefits_information = scripted_benefits(year)
        return
    procedures: list[RequestProcedure] = []
    types: list[str] = []
    if encounter is not None:
        types = list(dict.fromkeys(encounter.service_type_codes or ()))
        procedures = [p for p in (encounter, *(encounter.medical_procedures or ())) if p.procedure_code]
    supported = [t for t in types if t in SERVICES]
    if procedures and not types:
        services: Sequence[str] = ()
    else:
        # What is not supported is answered in general, as CORE asks for.
        services = GENERAL_SERVICES if _GENERIC in types or not supported else ()
    if question.script == "MANYTYPES":
        supported = list(SERVICES)
    services = list(dict.fromkeys((*supported, *services)))
    response.benefits_information = [
        _plan_benefit("1", coverage.plan),
        *_active(services),
        *_deductibles(coverage),
        *(b for code in services for b in _shares(coverage, code, SERVICES[code], brief=code not in supported)),
        *(_procedure(coverage, p) for p in procedures),
        *_others(coverage, year),
    ]
    if question.script == "MANYTYPES":
        response.benefits_information = _together(response.benefits_information)


def _together(benefits: Sequence[Benefit]) -> list[Benefit]:
    """Benefits that differ in nothing but their service types as one with all of these, as many as one EB03 may repeat."""
    alike: dict[bytes, Benefit] = {}
    for benefit in benefits:
        types = benefit.service_type_codes
        same = msgspec.json.encode(msgspec.structs.replace(benefit, service_type_codes=None))
        first = alike.setdefault(same, benefit)
        if first is not benefit and first.service_type_codes and types:
            first.service_type_codes = list(dict.fromkeys((*first.service_type_codes, *types)))
    return list(alike.values())


def _plan_benefit(code: str, plan: Plan) -> Benefit:
    return Benefit(
        code=code,
        coverage_level_code="FAM",
        service_type_codes=[_GENERIC],
        insurance_type_code=plan.insurance_type,
        plan_coverage=plan.name,
    )


def _active(services: Sequence[str]) -> Iterator[Benefit]:
    covered = [s for s in services if SERVICES[s].covered]
    not_covered = [s for s in services if not SERVICES[s].covered]
    if covered:
        yield Benefit(code="1", service_type_codes=covered)
    if not_covered:
        yield Benefit(code="I", service_type_codes=not_covered)


def _amounts(
    code: str, amounts: tuple[int, int], network: str, left: int | None, message: str | None = None
) -> Iterator[Benefit]:
    """Individual and family amount for the year, and what is left of each where that is known."""
    for level, amount in zip(("IND", "FAM"), amounts, strict=True):
        for period, value in ((_YEAR, amount), (_REMAINING, None if left is None else amount * left // 100)):
            if value is not None:
                yield Benefit(
                    code=code,
                    coverage_level_code=level,
                    service_type_codes=[_GENERIC],
                    time_qualifier_code=period,
                    benefit_amount=str(value),
                    in_plan_network_indicator_code=network,
                    additional_information=[Message(description=message)] if message and period == _YEAR else None,
                )


def _deductibles(coverage: _Coverage) -> Iterator[Benefit]:
    plan, left = coverage.plan, coverage.left
    yield from _amounts("C", plan.deductible, _IN, left, "DEDUCTIBLE DOES NOT APPLY TO PREVENTIVE CARE")
    yield from _amounts("C", plan.deductible_out, _OUT, None)
    yield from _amounts("G", plan.out_of_pocket, _IN, left)
    yield from _amounts("G", plan.out_of_pocket_out, _OUT, None)


def _percent(value: Decimal) -> str:
    return format(value, "f")


def _shares(coverage: _Coverage, code: str, service: Service, *, brief: bool) -> Iterator[Benefit]:
    """Copayment or coinsurance for one service type, its limit of visits; `brief` for one that was not asked for itself."""
    plan = coverage.plan
    if not service.covered:
        return
    authorization = "Y" if service.authorization else "N"
    if service.copay is not None:
        yield Benefit(
            code="B",
            coverage_level_code="IND",
            service_type_codes=[code],
            time_qualifier_code="27",
            benefit_amount=str(service.copay[coverage.rank]),
            auth_or_cert_indicator=authorization,
            in_plan_network_indicator_code=_IN,
        )
    else:
        yield Benefit(
            code="A",
            coverage_level_code="IND",
            service_type_codes=[code],
            benefit_percent=_percent(plan.coinsurance),
            auth_or_cert_indicator=authorization,
            in_plan_network_indicator_code=_IN,
        )
    if brief:
        return
    yield Benefit(
        code="A",
        coverage_level_code="IND",
        service_type_codes=[code],
        benefit_percent=_percent(plan.coinsurance_out),
        auth_or_cert_indicator=authorization,
        in_plan_network_indicator_code=_OUT,
    )
    if service.visits:
        yield from _visits(coverage, code, service.visits)


def _visits(coverage: _Coverage, code: str, visits: int) -> Iterator[Benefit]:
    left = visits - coverage.seed // 11 % (visits + 1)
    for period, count in ((_YEAR, visits), (_REMAINING, left)):
        yield Benefit(
            code="F",
            coverage_level_code="IND",
            service_type_codes=[code],
            time_qualifier_code=period,
            quantity_qualifier_code="VS",
            benefit_quantity=str(count),
            in_plan_network_indicator_code=_IN,
        )


def _procedure(coverage: _Coverage, asked: RequestProcedure) -> Benefit:
    return Benefit(
        code="A",
        coverage_level_code="IND",
        benefit_percent=_percent(coverage.plan.coinsurance),
        in_plan_network_indicator_code=_IN,
        composite_medical_procedure_identifier=BenefitProcedure(
            product_or_service_id_qualifier_code=asked.product_or_service_id_qualifier or "HC",
            procedure_code=asked.procedure_code,
            procedure_modifiers=asked.procedure_modifiers,
        ),
    )


def _others(coverage: _Coverage, year: int) -> Iterator[Benefit]:
    """The primary care provider, where the plan has one, and another payer, where the member has one."""
    if coverage.plan.primary_care:
        yield Benefit(
            code="L",
            service_type_codes=[_GENERIC],
            benefits_date_information=BenefitDates(primary_care_provider=f"{year}0101"),
            benefits_related_entities=[
                RelatedEntity(
                    entity_identifier="P3",
                    entity_type="1",
                    entity_name="GREENE",
                    entity_firstname="PAT",
                    entity_identification="XX",
                    entity_identification_value=npi(coverage.seed),
                    contact_information=Contacts(
                        contacts=[Contact(communication_mode="TE", communication_number="5555550111")]
                    ),
                )
            ],
        )
    if coverage.seed // 13 % _OTHER_PAYER_EVERY == 0:
        yield Benefit(
            code="R",
            coverage_level_code="IND",
            service_type_codes=[_GENERIC],
            insurance_type_code="C1",
            benefits_date_information=BenefitDates(coordination_of_benefits=f"{year}0101"),
            benefits_related_entities=[
                RelatedEntity(
                    entity_identifier="SEP",
                    entity_type="2",
                    entity_name="OTHER SANDBOX PLAN",
                    entity_identification="PI",
                    entity_identification_value="SBXOTHER",
                )
            ],
        )

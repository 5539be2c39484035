"""A 271 in the dialect's JSON as the official SDK reads it: benefits by plan and kind, one for each service, words for codes.

Rules: a plan's name is an EB05 that stands with a coverage status (EB01 1 to 8). A benefit belongs to the plan that it names; one
that names none belongs to the only plan there is, and where there are several, to one without a name. An EB about several services
(EB03) is told once for each. A benefit that lacks the amount or percentage that its kind must have, or has what it cannot, stands
under `invalidEntries` with the reason.

Source: 005010X279A1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.sdk import words
from gateway.sdk.translation import Codec, Row, Table, every, iso_day, worded
from x12 import codes
from x12.documents.eligibility import (
    Benefit,
    BenefitProcedure,
    Dates,
    EligibilityResponse,
    RelatedEntity,
    ServiceDelivery,
)
from x12.documents.parts import Contacts

__all__ = ["AskedPayer", "answer_of_response"]


class AskedPayer(NamedTuple):
    """The payer as this gateway knows it."""

    id: str
    name: str


# --- what one row says ----------------------------------------------------------------------------------------------------

_PERSON, _ORGANIZATION = codes.table("entity_type")["1"], codes.table("entity_type")["2"]
_ENTITIES = {said: code for code, said in reversed(list(codes.table("entity").items()))}
_ADDRESS = {
    "addressLine1": "address1",
    "addressLine2": "address2",
    "city": "city",
    "state": "state",
    "postalCode": "postalCode",
    "country": "countryCode",
    "countrySubdivision": "countrySubDivisionCode",
}


def _role(table: words.Words) -> Codec:
    """NM101 in the dialect's words; what has no word stays a code."""

    def here(said: Any) -> str:
        code = _ENTITIES.get(said, str(said))
        return table.back.get(code, code)

    return Codec(str, here)


_DAY = Codec(str, iso_day)
_PAYER_ROLE, _ASKER_ROLE, _ENTITY_ROLE = map(_role, (words.PAYER_ROLE, words.ASKER_ROLE, words.ENTITY_ROLE))
_ROLE = worded(words.PROVIDER_ROLE)


def _number(value: Any) -> int | None:
    return int(value) if str(value).isascii() and str(value).isdigit() else None


_NUMBER = Codec(str, _number)


def _parties() -> Iterator[Row]:
    yield Row("payer.type", "payer.entityIdentifier", _PAYER_ROLE)
    yield Row("payer.name.organization", "payer.name")
    for here, there in (("lastName", "lastName"), ("firstName", "firstName"), ("middleName", "middleName")):
        yield Row(f"payer.name.person.{here}", f"payer.{there}", beside={"payer.entityType": _PERSON})
    for here, there in (
        ("ein", "employersId"),
        ("etin", "etin"),
        ("tin", "federalTaxpayersIdNumber"),
        ("naicId", "naic"),
        ("identification", "payorIdentification"),
    ):
        yield Row(f"payer.{here}", f"payer.{there}")
    yield Row("provider.type", "provider.entityIdentifier", _ASKER_ROLE)
    yield Row("provider.name.organization", "provider.providerOrgName")
    for here, there in (
        ("lastName", "providerName"),
        ("firstName", "providerFirstName"),
        ("middleName", "middleName"),
        ("suffix", "suffix"),
    ):
        yield Row(f"provider.name.person.{here}", f"provider.{there}", beside={"provider.entityType": _PERSON})
    for here, there in (
        ("ein", "employersId"),
        ("ssn", "ssn"),
        ("tin", "federalTaxpayersIdNumber"),
        ("pharmacyProcessorNumber", "pharmacyProcessorNumber"),
        ("serviceProviderNumber", "serviceProviderNumber"),
        ("npi", "npi"),
        ("provider.reference", "referenceIdentification"),
    ):
        yield Row(f"provider.{here}", f"provider.{there}")
    yield Row("provider.provider.code", "provider.providerCode", _ROLE)
    yield from _address("provider", "provider")


def _address(here: str, there: str) -> Iterator[Row]:
    for mine, theirs in _ADDRESS.items():
        yield Row(f"{here}.address.{mine}", f"{there}.address.{theirs}")


_PATIENT_NUMBERS = {
    "plan.number": "planNumber",
    "plan.name": "planDescription",
    "group.number": "groupNumber",
    "group.name": "groupDescription",
    "planNetwork.number": "planNetworkIdNumber",
    "planNetwork.name": "planNetworkIdDescription",
    "groupOrPolicyNumber": "policyNumber",
    "memberId": "memberId",
    "familyUnitNumber": "familyUnitNumber",
    "classOfContractCode": "classOfContractCode",
    "contractNumber": "contractNumber",
    "medicalRecordId": "medicalRecordIdentificationNumber",
    "patientAccountNumber": "patientAccountNumber",
    "mbi": "hicNumber",
    "identificationCardSerialNumber": "idCardSerialNumber",
    "identityCardNumber": "idCardNumber",
    "issueNumber": "issueNumber",
    "insurancePolicyNumber": "insurancePolicyNumber",
    "medicaidRecipientId": "medicaidRecipientIdNumber",
    "priorIdentifierNumber": "priorIdNumber",
    "ssn": "socialSecurityNumber",
    "agencyClaimNumber": "agencyClaimNumber",
}


def _person(here: str, there: str) -> Iterator[Row]:
    for name in ("lastName", "firstName", "middleName", "suffix"):
        yield Row(f"{here}.name.person.{name}", f"{there}.{name}", beside={f"{there}.entityType": _PERSON})
    yield Row(f"{here}.dateOfBirth", f"{there}.dateOfBirth", _DAY)
    yield Row(f"{here}.gender", f"{there}.gender", worded(words.ANSWERED_GENDER))
    yield Row(f"{here}.birthSequenceNumber", f"{there}.birthSequenceNumber", _NUMBER)
    yield Row(f"{here}.provider.code", f"{there}.responseProvider.providerCode", _ROLE)
    yield Row(f"{here}.provider.reference", f"{there}.responseProvider.referenceIdentification")
    yield from _address(here, there)


def _numbers(here: str, there: str, **more: str) -> Iterator[Row]:
    for mine, theirs in {**_PATIENT_NUMBERS, **more}.items():
        yield Row(f"{here}.additionalInformation.{mine}", f"{there}.{theirs}")


def _rest() -> Iterator[Row]:
    yield Row("eligibilitySearchId", "eligibilitySearchId")
    yield Row("x12", "x12")
    for name in ("traceId", "outboundTraceId"):
        yield Row(f"meta.{name}", f"meta.{name}")
    trace, theirs = "meta.subscriberTraceNumbers[]", "subscriberTraceNumbers[]"
    yield Row(f"{trace}.type", f"{theirs}.traceTypeCode", worded(words.TRACE))
    for name in ("referenceIdentification", "originatingCompanyIdentifier", "secondaryReferenceIdentification"):
        yield Row(f"{trace}.{name}", f"{theirs}.{name}")
    for name in ("code", "description"):
        yield Row(f"warnings[].{name}", f"warnings[].{name}")
    for name in ("code", "description", "followupAction", "possibleResolutions"):
        yield Row(f"errors[].{name}", f"errors[].{name}")


_TABLE = Table(
    [
        *_parties(),
        *_person("subscriber", "subscriber"),
        Row("subscriber.memberId", "subscriber.memberId"),
        *_person("dependent", "dependents[0]"),
        Row(
            "dependent.relationToSubscriber",
            "dependents[0].relationToSubscriberCode",
            worded(words.ANSWERED_RELATIONSHIP),
        ),
        *_rest(),
    ]
)
# The plan's numbers are the patient's: the dependent's where there is one.
_OF_SUBSCRIBER = Table([*_numbers("subscriber", "planInformation", caseNumber="caseNumber")])
_OF_DEPENDENT = Table([*_numbers("dependent", "planInformation", eligibilityCategory="eligibilityCategory")])
_OF_BENEFIT = Table(
    [
        Row(here, there)
        for here, there in {
            "plan.number": "planNumber",
            "plan.name": "planDescription",
            "group.number": "groupNumber",
            "group.name": "groupDescription",
            "groupOrPolicyNumber": "policyNumber",
            "memberId": "memberId",
            "familyUnitNumber": "familyUnitNumber",
            "referralNumber": "referralNumber",
            "alternativeListId": "alternativeListId",
            "coverageListId": "coverageListId",
            "mbi": "hicNumber",
            "drugFormularyNumber": "drugFormularyNumber",
            "priorAuthNumber": "priorAuthorizationNumber",
            "insurancePolicyNumber": "insurancePolicyNumber",
            "medicalAssistanceCategory": "medicalAssistanceCategory",
            "medicaidRecipientId": "medicaidRecipientIdNumber",
        }.items()
    ]
)


# --- days -----------------------------------------------------------------------------------------------------------------

# Days here -> fields of the dialect's dates: the one that may be a period, its beginning, its end.
_Days = Mapping[str, tuple[str | None, str | None, str | None]]
_BOTH: _Days = {
    "discharge": ("discharge", None, None),
    "plan": ("plan", "plan_begin", "plan_end"),
    "eligibility": ("eligibility", "eligibility_begin", "eligibility_end"),
    "added": ("added", None, None),
    "admission": ("admission", None, None),
    "service": ("service", None, None),
    "dateOfLastUpdate": ("date_of_last_update", None, None),
    "status": ("status", None, None),
}
_PATIENT_DAYS: _Days = {
    **_BOTH,
    "issue": ("issue", None, None),
    "effectiveDateOfChange": ("effective_date_of_change", None, None),
    "cobra": (None, "cobra_begin", "cobra_end"),
    "premiumPaidToDate": (None, "premium_paid_to_date_begin", "premium_paid_to_date_end"),
    "enrollment": ("enrollment", None, None),
    "dateOfDeath": ("date_of_death", None, None),
    "certification": ("certification", None, None),
    "policy": (None, "policy_effective", "policy_expiration"),
}
_BENEFIT_DAYS: _Days = {
    **_BOTH,
    "period": (None, "period_start", "period_end"),
    "completion": ("completion", None, None),
    "coordinationOfBenefits": ("coordination_of_benefits", None, None),
    "benefit": ("benefit", "benefit_begin", "benefit_end"),
    "primaryCareProvider": ("primary_care_provider", None, None),
    "latestVisit": ("latest_visit_or_consultation", None, None),
}


def _days(dates: Dates | None, names: _Days) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for here, fields in names.items():
        whole, begin, end = (getattr(dates, name, None) if name else None for name in fields)
        since, _, until = (whole or "").partition("-")
        days = {"start": iso_day(begin or since), "end": iso_day(end or until)}
        days = {name: day for name, day in days.items() if day}
        if days:
            told[here] = days
    return told


# --- benefits -------------------------------------------------------------------------------------------------------------

_KINDS = {
    **dict.fromkeys("12345678", "statuses"),
    "A": "coInsurance",
    "B": "coPayment",
    "C": "deductible",
    "CB": "coverageBasis",
    "D": "benefitDescription",
    "E": "exclusions",
    "F": "limitations",
    "G": "outOfPocket",
    "H": "unlimited",
    "I": "nonCovered",
    "J": "costContainment",
    "K": "reserve",
    "L": "primaryCareProvider",
    "M": "preExistingCondition",
    "MC": "managedCareCoordinator",
    "N": "servicesRestrictedToFollowingProvider",
    "O": "notDeemedMedicalNecessity",
    "P": "benefitDisclaimer",
    "Q": "secondSurgicalOpinionRequired",
    "R": "otherOrAdditionalPayer",
    "S": "priorYearsHistory",
    "T": "cardReportedStolen",
    "U": "contactFollowingEntityForInformation",
    "V": "cannotProcess",
    "W": "otherSourceOfData",
    "X": "healthCareFacility",
    "Y": "spendDown",
}
_IN_MONEY = frozenset("BCGJY")
_REASONS = {
    "MISSING_AMOUNT": "A benefit of this kind is an amount, and there is none.",
    "MISSING_PERCENT": "A benefit of this kind is a percentage, and there is none.",
    "UNEXPECTED_AMOUNT": "A benefit of this kind is a percentage, and there is an amount.",
    "UNEXPECTED_PERCENT": "A benefit of this kind is an amount, and there is a percentage.",
}
_AGES = {"S7": "ageMaximum", "S8": "ageMinimum"}
_ENTITY_NUMBERS = {
    "24": "ein",
    "34": "ssn",
    "46": "etin",
    "FA": "facilityId",
    "FI": "tin",
    "MI": "memberId",
    "NI": "naicId",
    "PI": "payerId",
    "PP": "pharmacyProcessorNumber",
    "SV": "serviceProviderNumber",
    "XX": "npi",
}
_CONTACTS = {"TE": "phoneNumbers", "WP": "phoneNumbers", "HP": "phoneNumbers", "EM": "emails", "FX": "faxNumbers", "ED": "ediNumbers", "UR": "urls"}  # fmt: skip
_MODES = {said: code for code, said in codes.table("communication").items()}


def _said(table: words.Words, code: str | None) -> str | None:
    return table.back.get(code or "")


def _kept(**values: Any) -> dict[str, Any]:
    """What is not empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _system(qualifier: str | None, code: str) -> str | None:
    """HC is both levels of HCPCS, of which the first is CPT: its codes begin with a digit."""
    if qualifier in ("HC", "CJ"):
        return "CPT" if code[:1].isdigit() or qualifier == "CJ" else "HCPCS"
    return _said(words.CODE_SYSTEM, qualifier)


def _services(benefit: Benefit) -> list[dict[str, Any]]:
    names = codes.table("service_type")
    found = [_kept(value=c, definition=names.get(c), system="STC") for c in benefit.service_type_codes or ()]
    procedure = benefit.composite_medical_procedure_identifier or BenefitProcedure()
    code = procedure.procedure_code
    if code:
        qualifier = procedure.product_or_service_id_qualifier_code
        until = procedure.product_or_service_id
        system = _system(qualifier, code)
        span = {"start": {"value": code}, "end": {"value": until}} if until else None
        found.append(_kept(value=None if span else code, system=system, range=span))
    return found or [{}]


def _delivery(hsd: ServiceDelivery) -> dict[str, Any]:
    return _kept(
        quantity=_kept(value=hsd.quantity, qualifier=_said(words.DELIVERED_QUANTITY, hsd.quantity_qualifier_code)),
        period=_kept(
            value=_number(hsd.num_of_periods), qualifier=_said(words.DELIVERY_PERIOD, hsd.time_period_qualifier_code)
        ),
        frequency=_kept(
            value=hsd.sample_selection_modulus,
            qualifier=_said(words.DELIVERY_FREQUENCY, hsd.unit_for_measurement_qualifier_code),
        ),
        delivery=_kept(
            schedule=_said(words.DELIVERY_SCHEDULE, hsd.delivery_or_calendar_pattern_qualifier_code),
            pattern=_said(words.DELIVERY_PATTERN, hsd.delivery_pattern_time_qualifier_code),
        ),
    )


def _limits(benefit: Benefit) -> list[dict[str, Any]]:
    age = _AGES.get(benefit.quantity_qualifier_code or "")
    years = _number(benefit.benefit_quantity)
    limits: list[dict[str, Any]] = [{age: years}] if age and years is not None else []
    return limits + [{"delivery": told} for hsd in benefit.benefits_service_delivery or () if (told := _delivery(hsd))]


def _contacts(contacts: Contacts | None) -> list[dict[str, Any]]:
    if contacts is None:
        return []
    told: dict[str, Any] = _kept(name=contacts.name)
    for contact in contacts.contacts or ():
        kind = _CONTACTS.get(_MODES.get(contact.communication_mode or "", ""))
        if kind and contact.communication_number:
            told.setdefault(kind, []).append(contact.communication_number)
    return [told] if told else []


def _entity(entity: RelatedEntity) -> dict[str, Any]:
    person = _kept(
        lastName=entity.entity_name,
        firstName=entity.entity_firstname,
        middleName=entity.entity_middlename,
        suffix=entity.entity_suffix,
    )
    is_person = entity.entity_type == _PERSON
    named = _kept(person=person) if is_person else _kept(organization=entity.entity_name)
    number = _ENTITY_NUMBERS.get(entity.entity_identification or "")
    address: dict[str, Any] = msgspec.to_builtins(entity.address) if entity.address is not None else {}
    provider = entity.provider_information
    told = _kept(
        name=named,
        relationship=_said(words.ENTITY_RELATIONSHIP, entity.entity_relationship),
        address={here: address[there] for here, there in _ADDRESS.items() if address.get(there)},
        contacts=_contacts(entity.contact_information),
        provider=_kept(
            code=_said(words.PROVIDER_ROLE, provider.provider_code), reference=provider.reference_identification
        )
        if provider is not None
        else None,
    )
    if number and entity.entity_identification_value:
        told[number] = entity.entity_identification_value
    return {"type": _ENTITY_ROLE.back(entity.entity_identifier or ""), **told}


def _told(benefit: Benefit, plan: str | None, diagnoses: Sequence[str]) -> dict[str, Any]:
    """What an EB says, but for its service."""
    numbers = benefit.benefits_additional_information
    pointers = (benefit.composite_medical_procedure_identifier or BenefitProcedure()).diagnosis_code_pointer or ()
    pointed = [int(p) for p in pointers if p.isascii() and p.isdigit()]
    listed = [{"value": diagnoses[n - 1]} for n in pointed if 0 < n <= len(diagnoses)]
    age = (benefit.quantity_qualifier_code or "") in _AGES
    return _kept(
        coverageLevel=_said(words.COVERAGE_LEVEL, benefit.coverage_level_code) or "INDIVIDUAL",
        status=_said(words.COVERAGE_STATUS, benefit.code),
        insuranceType=_said(words.PLAN_TYPE, benefit.insurance_type_code),
        network=_kept(
            indicator=_said(words.NETWORK, benefit.in_plan_network_indicator_code),
            id=numbers.plan_network_id_number if numbers else None,
            description=numbers.plan_network_description if numbers else None,
        ),
        priorAuthIndicator=_said(words.AUTHORIZATION, benefit.auth_or_cert_indicator),
        messages=[m.description for m in benefit.additional_information or () if m.description],
        serviceLimits=_limits(benefit),
        dates=_days(benefit.benefits_date_information, _BENEFIT_DAYS),
        relatedEntities=[_entity(e) for e in benefit.benefits_related_entities or ()],
        placesOfService=[
            _kept(code=i.industry_code, name=i.industry)
            for i in benefit.eligibility_additional_information_list or ()
            if i.code_list_qualifier_code == "ZZ"
        ],
        additionalInformation=_OF_BENEFIT.here(msgspec.to_builtins(numbers)) if numbers is not None else None,
        planCoverageDescription=benefit.plan_coverage if benefit.plan_coverage != plan else None,
        diagnosis={"codeSystem": "ICD-10-CM", "codes": listed} if listed else None,
        timePeriod=_said(words.TIME_PERIOD, benefit.time_qualifier_code),
        amount=benefit.benefit_amount,
        percent=benefit.benefit_percent,
        quantity=_kept(value=benefit.benefit_quantity, qualifier=_said(words.QUANTITY, benefit.quantity_qualifier_code))
        if not age
        else None,
    )


def _faults(benefit: Benefit) -> list[str]:
    """Why a benefit cannot stand with those of its kind."""
    if benefit.code == "A":
        found = [("MISSING_PERCENT", benefit.benefit_percent is None), ("UNEXPECTED_AMOUNT", benefit.benefit_amount)]
    elif benefit.code in _IN_MONEY:
        found = [("MISSING_AMOUNT", benefit.benefit_amount is None), ("UNEXPECTED_PERCENT", benefit.benefit_percent)]
    else:
        return []
    return [reason for reason, wrong in found if wrong]


def _plans(benefits: Sequence[Benefit], diagnoses: Sequence[str]) -> list[dict[str, Any]]:
    names = [b.plan_coverage for b in benefits if _KINDS.get(b.code or "") == "statuses" and b.plan_coverage]
    plans = list(dict.fromkeys(names))
    only = plans[0] if len(plans) == 1 else None
    told: dict[str | None, dict[str, Any]] = {name: {} for name in plans}
    for benefit in benefits:
        kind = _KINDS.get(benefit.code or "")
        if kind is None:
            continue
        plan = benefit.plan_coverage if benefit.plan_coverage in plans else only
        into = told.setdefault(plan, {})
        said, faults = _told(benefit, plan, diagnoses), _faults(benefit)
        if faults:
            said["invalidReasons"] = [{"code": f, "description": _REASONS[f]} for f in faults]
            into = into.setdefault("invalidEntries", {})
        for service in _services(benefit):
            into.setdefault(kind, []).append({**said, "service": service} if service else said)
    return [_kept(name=name) | {"benefits": found} for name, found in told.items()]


# --- the whole ------------------------------------------------------------------------------------------------------------


def _complete(answer: dict[str, Any], response: EligibilityResponse) -> None:
    """What is not a value at a place: how the payer has the patient, and who can be called."""
    dependent = next(iter(response.dependents or ()), None)
    for name, person in (("subscriber", response.subscriber), ("dependent", dependent)):
        if person is None:
            continue
        told: dict[str, Any] = answer.setdefault(name, {})
        if name == "dependent":
            told.setdefault("name", {"person": {}})
        if person.maintenance_type_code:
            other = person.maintenance_type_code == "001" and person.maintenance_reason_code == "25"
            told["maintenance"] = {"indicator": "PAYER_INDICATED" if other else "NONE"}
    patient: dict[str, Any] = answer.setdefault("dependent" if dependent is not None else "subscriber", {})
    days = _days(response.plan_date_information, _PATIENT_DAYS)
    if days:
        patient["dates"] = days
    contacts = _contacts(response.payer.contact_information) if response.payer is not None else []
    if contacts:
        answer["payer"]["contacts"] = contacts


def answer_of_response(body: bytes, payer: AskedPayer) -> dict[str, Any]:
    """The SDK's answer out of the dialect's, which is JSON."""
    response = msgspec.json.decode(body, type=EligibilityResponse)
    said: dict[str, Any] = msgspec.to_builtins(response)
    answer = _TABLE.here(said)
    numbers = (_OF_DEPENDENT if response.dependents else _OF_SUBSCRIBER).here(said)
    for name, told in numbers.items():
        answer.setdefault(name, {}).update(told)
    _complete(answer, response)
    for error, theirs in zip(every(answer, "errors[]"), response.errors or (), strict=False):
        place = (theirs.location or "").removeprefix("Loop ")
        error["location"] = _said(words.PLACE_OF_FAULT, place) or "ENVELOPE"
        for name in ("code", "description", "followupAction"):
            error.setdefault(name, "")
    person = next(iter(response.dependents or ()), None) or response.subscriber
    diagnoses = [d.diagnosis_code or "" for d in (person.health_care_diagnosis_codes if person else None) or ()]
    plans = _plans(response.benefits_information or (), diagnoses)
    if plans:
        answer["plans"] = plans
    answer["payer"] = {"type": "PAYER", "name": {"organization": payer.name}, **(answer.get("payer") or {})}
    if not answer.get("subscriber"):
        answer.pop("subscriber", None)
    return {"x12": "", **answer, "id": f"ec_{response.id}", "payerId": payer.id}

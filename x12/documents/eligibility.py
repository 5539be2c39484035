"""Eligibility responses (271) as the dialect's JSON, both ways.

Source: 005010X279A1; names and words: the dialect's `eligibility-response`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, TypeVar

import msgspec

from x12 import codes, guides
from x12.documents.binding import (
    Document,
    Text,
    at,
    by_hand,
    coded,
    each,
    end_of,
    groups,
    inside,
    meaning,
    period,
    read,
    repeats,
    segments,
    start_of,
)
from x12.documents.eligibility_request import GUIDE_ID, patients
from x12.documents.parts import AAAError, Address, Contacts, Diagnosis, Header, located
from x12.documents.writing import DraftLoop, Writer, Written
from x12.walk import Instance

__all__ = [
    "Benefit",
    "EligibilityResponse",
    "benefit_positions",
    "read_responses",
    "write_response",
]

D = TypeVar("D", bound=Document)
_ENTITY = codes.table("entity")
_ENTITY_TYPE = codes.table("entity_type")
_RELATIONSHIP = codes.table("relationship")
_PERSON = _ENTITY_TYPE["1"]
_ACTIVE_OR_NOT = frozenset("12345678")


class Identifiers(Document):
    """REF segments of loops 2100C and 2100D as names."""

    state_license_number: Annotated[Text, at("REF[0B]02")] = None
    plan_number: Annotated[Text, at("REF[18]02")] = None
    plan_description: Annotated[Text, at("REF[18]03")] = None
    medicare_provider_number: Annotated[Text, at("REF[1C]02")] = None
    medicaid_provider_number: Annotated[Text, at("REF[1D]02")] = None
    facility_id_number: Annotated[Text, at("REF[1J]02")] = None
    policy_number: Annotated[Text, at("REF[1L]02")] = None
    member_id: Annotated[Text, at("REF[1W]02")] = None
    case_number: Annotated[Text, at("REF[3H]02")] = None
    family_unit_number: Annotated[Text, at("REF[49]02")] = None
    personal_identification_number: Annotated[Text, at("REF[4A]02")] = None
    group_number: Annotated[Text, at("REF[6P]02")] = None
    group_description: Annotated[Text, at("REF[6P]03")] = None
    referral_number: Annotated[Text, at("REF[9F]02")] = None
    alternative_list_id: Annotated[Text, at("REF[ALS]02")] = None
    class_of_contract_code: Annotated[Text, at("REF[CE]02")] = None
    coverage_list_id: Annotated[Text, at("REF[CLI]02")] = None
    contract_number: Annotated[Text, at("REF[CT]02")] = None
    medical_record_identification_number: Annotated[Text, at("REF[EA]02")] = None
    patient_account_number: Annotated[Text, at("REF[EJ]02")] = None
    electronic_device_pin: Annotated[Text, at("REF[EL]02")] = None
    submitter_identification_number: Annotated[Text, at("REF[EO]02")] = None
    hic_number: Annotated[Text, at("REF[F6]02")] = None
    drug_formulary_number: Annotated[Text, at("REF[FO]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    id_card_serial_number: Annotated[Text, at("REF[GH]02")] = None
    id_card_number: Annotated[Text, at("REF[HJ]02")] = None
    centers_for_medicare_and_medicaid_services_npi: Annotated[Text, at("REF[HPI]02")] = msgspec.field(
        default=None, name="centersForMedicareAndMedicaidServicesNPI"
    )
    issue_number: Annotated[Text, at("REF[IF]02")] = None
    insurance_policy_number: Annotated[Text, at("REF[IG]02")] = None
    user_identification: Annotated[Text, at("REF[JD]02")] = None
    medical_assistance_category: Annotated[Text, at("REF[M7]02")] = None
    eligibility_category: Annotated[Text, at("REF[MRC]02")] = None
    plan_network_id_number: Annotated[Text, at("REF[N6]02")] = None
    facility_network_identification_number: Annotated[Text, at("REF[N7]02")] = None
    medicaid_recipient_id_number: Annotated[Text, at("REF[NQ]02")] = None
    prior_id_number: Annotated[Text, at("REF[Q4]02")] = None
    social_security_number: Annotated[Text, at("REF[SY]02")] = None
    federal_taxpayers_identification_number: Annotated[Text, at("REF[TJ]02")] = None
    agency_claim_number: Annotated[Text, at("REF[Y4]02")] = None


class PlanInformation(Identifiers):
    """The plan's identifiers: REF of the patient's loop 2100C or 2100D; what other loops say is added."""

    provider_plan_network_id_number: Annotated[Text, at("REF[N5]02")] = None
    plan_network_id_description: Annotated[Text, at("REF[N6]03")] = None


class BenefitIdentifiers(Identifiers):
    """The identifiers of one benefit: REF of loop 2110C or 2110D. The later service spells one of them differently."""

    plan_network_description: Annotated[Text, at("REF[N6]03")] = None
    medicaid_recepient_id_number: Text = None


class Dates(Document):
    """DTP segments as names; a period is `CCYYMMDD-CCYYMMDD`."""

    discharge: Annotated[Text, period("DTP[096]03")] = None
    issue: Annotated[Text, period("DTP[102]03")] = None
    effective_date_of_change: Annotated[Text, period("DTP[152]03")] = None
    period_start: Annotated[Text, period("DTP[193]03")] = None
    period_end: Annotated[Text, period("DTP[194]03")] = None
    completion: Annotated[Text, period("DTP[198]03")] = None
    coordination_of_benefits: Annotated[Text, period("DTP[290]03")] = None
    plan: Annotated[Text, period("DTP[291]03")] = None
    benefit: Annotated[Text, period("DTP[292]03")] = None
    primary_care_provider: Annotated[Text, period("DTP[295]03")] = None
    latest_visit_or_consultation: Annotated[Text, period("DTP[304]03")] = None
    eligibility: Annotated[Text, period("DTP[307]03")] = None
    added: Annotated[Text, period("DTP[318]03")] = None
    cobra_begin: Annotated[Text, period("DTP[340]03")] = None
    cobra_end: Annotated[Text, period("DTP[341]03")] = None
    premium_paid_to_date_begin: Annotated[Text, period("DTP[342]03")] = None
    premium_paid_to_date_end: Annotated[Text, period("DTP[343]03")] = None
    plan_begin: Annotated[Text, period("DTP[346]03")] = None
    plan_end: Annotated[Text, period("DTP[347]03")] = None
    benefit_begin: Annotated[Text, period("DTP[348]03")] = None
    benefit_end: Annotated[Text, period("DTP[349]03")] = None
    eligibility_begin: Annotated[Text, period("DTP[356]03")] = None
    eligibility_end: Annotated[Text, period("DTP[357]03")] = None
    enrollment: Annotated[Text, period("DTP[382]03")] = None
    admission: Annotated[Text, period("DTP[435]03")] = None
    date_of_death: Annotated[Text, period("DTP[442]03")] = None
    certification: Annotated[Text, period("DTP[458]03")] = None
    service: Annotated[Text, period("DTP[472]03")] = None
    policy_effective: Annotated[Text, period("DTP[539]03")] = None
    policy_expiration: Annotated[Text, period("DTP[540]03")] = None
    date_of_last_update: Annotated[Text, period("DTP[636]03")] = None
    status: Annotated[Text, period("DTP[771]03")] = None


# What only the loop of who asked (2100B) or those of benefits (2110C, 2110D) have room for; the dialect tells it with the plan's.
# What the patient's loop has room for too (contract, prior and social security number) is the patient's alone.
_OF_RECEIVER = (
    "state_license_number", "medicare_provider_number", "medicaid_provider_number", "facility_id_number",
    "personal_identification_number", "electronic_device_pin", "submitter_identification_number",
    "centers_for_medicare_and_medicaid_services_npi", "user_identification", "provider_plan_network_id_number",
    "facility_network_identification_number", "federal_taxpayers_identification_number",
)  # fmt: skip
_OF_BENEFITS = (
    "referral_number", "alternative_list_id", "coverage_list_id", "drug_formulary_number", "prior_authorization_number",
    "medical_assistance_category",
)  # fmt: skip
_DATES_OF_BENEFITS = (
    "period_start", "period_end", "completion", "coordination_of_benefits", "benefit", "primary_care_provider",
    "latest_visit_or_consultation", "benefit_begin", "benefit_end",
)  # fmt: skip


class DatedEvent(Document):
    """One of several admissions or discharges: a date or a period."""

    date: Annotated[Text, at("DTP03 DTP02=D8")] = None
    start_date: Annotated[Text, start_of("DTP03 DTP02=RD8")] = None
    end_date: Annotated[Text, end_of("DTP03 DTP02=RD8")] = None


class BenefitDates(Dates):
    """The dates of one benefit: DTP of loop 2110C or 2110D. The dialect writes one of the names differently here."""

    premium_paid_to_date_begin: Annotated[Text, period("DTP[342]03")] = msgspec.field(
        default=None, name="premiumPaidtoDateBegin"
    )
    admissions: Annotated[list[DatedEvent] | None, segments("DTP[435]")] = None
    discharges: Annotated[list[DatedEvent] | None, segments("DTP[096]")] = None


class Name(Document):
    """A named entity: NM1 with the dialect's words for its part and kind."""

    entity_identifier: Annotated[Text, coded("NM101", _ENTITY)] = None
    entity_type: Annotated[Text, coded("NM102", _ENTITY_TYPE)] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None


class ResponsePayer(Name):
    """The payer: loop 2100A, with the rejections of 2000A and 2100A."""

    name: Annotated[Text, at("NM103 NM102=2")] = None
    employers_id: Annotated[Text, at("NM109 NM108=24")] = None
    etin: Annotated[Text, at("NM109 NM108=46")] = None
    federal_taxpayers_id_number: Annotated[Text, at("NM109 NM108=FI")] = None
    naic: Annotated[Text, at("NM109 NM108=NI")] = None
    payor_identification: Annotated[Text, at("NM109 NM108=PI")] = None
    centers_for_medicare_and_medicaid_plan_id: Annotated[Text, at("NM109 NM108=XV")] = None
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    contact_information: Contacts | None = None
    aaa_errors: Annotated[list[AAAError] | None, segments("AAA")] = msgspec.field(default=None, name="aaaErrors")


class ResponseProvider(Document):
    """Who asked, as the payer has it: loop 2100B."""

    entity_identifier: Annotated[Text, coded("NM101", _ENTITY)] = None
    entity_type: Annotated[Text, coded("NM102", _ENTITY_TYPE)] = None
    provider_org_name: Annotated[Text, at("NM103 NM102=2")] = None
    provider_name: Annotated[Text, at("NM103 NM102=1")] = None
    provider_first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    employers_id: Annotated[Text, at("NM109 NM108=24")] = None
    ssn: Annotated[Text, at("NM109 NM108=34")] = None
    federal_taxpayers_id_number: Annotated[Text, at("NM109 NM108=FI")] = None
    payor_identification: Annotated[Text, at("NM109 NM108=PI")] = None
    pharmacy_processor_number: Annotated[Text, at("NM109 NM108=PP")] = None
    service_provider_number: Annotated[Text, at("NM109 NM108=SV")] = None
    services_plan_id: Annotated[Text, at("NM109 NM108=XV")] = msgspec.field(default=None, name="servicesPlanID")
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    provider_code: Annotated[Text, at("PRV01")] = None
    reference_identification: Annotated[Text, at("PRV03 PRV02~PXC")] = None
    address: Address | None = None
    aaa_errors: Annotated[list[AAAError] | None, segments("AAA")] = msgspec.field(default=None, name="aaaErrors")


class PatientProvider(Document):
    """A provider the payer connects with the patient: PRV of loop 2100C or 2100D."""

    provider_code: Annotated[Text, at("PRV01")] = None
    reference_identification: Annotated[Text, at("PRV03 PRV02~PXC")] = None


class ResponsePerson(Name):
    """The subscriber or a dependent, as the payer has them: loop 2100C or 2100D."""

    entity_identifier: Annotated[Text, coded("NM101", _ENTITY)] = None
    member_id: Annotated[Text, at("NM109 NM108=MI")] = None
    unique_health_identifier: Annotated[Text, at("NM109 NM108=II")] = None
    plan_number: Annotated[Text, at("REF[18]02")] = None
    plan_description: Annotated[Text, at("REF[18]03")] = None
    group_number: Annotated[Text, at("REF[6P]02")] = None
    group_description: Annotated[Text, at("REF[6P]03")] = None
    plan_network_id_number: Annotated[Text, at("REF[N6]02")] = None
    plan_network_description: Annotated[Text, at("REF[N6]03")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None
    address: Address | None = None
    aaa_errors: Annotated[list[AAAError] | None, segments("AAA")] = msgspec.field(default=None, name="aaaErrors")
    response_provider: PatientProvider | None = None
    date_of_birth: Annotated[Text, at("DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("DMG03")] = None
    all_aaa_errors: list[AAAError] | None = msgspec.field(default=None, name="allAAAErrors")
    insured_indicator: Annotated[Text, at("INS01")] = None
    relation_to_subscriber_code: Annotated[Text, at("INS02")] = None
    relation_to_subscriber: Annotated[Text, meaning("INS02", _RELATIONSHIP)] = None
    maintenance_type_code: Annotated[Text, at("INS03")] = None
    maintenance_reason_code: Annotated[Text, at("INS04")] = None
    birth_sequence_number: Annotated[Text, at("INS17")] = None
    health_care_diagnosis_codes: Annotated[list[Diagnosis] | None, groups("HI01", 1, 8)] = None
    information_status_code: Annotated[Text, at("MPI01")] = None
    employment_status_code: Annotated[Text, at("MPI02")] = None
    government_service_affiliation_code: Annotated[Text, at("MPI03")] = None
    description: Annotated[Text, at("MPI04")] = None
    military_service_rank_code: Annotated[Text, at("MPI05")] = None
    date_time_period_format_qualifier: Annotated[Text, at("MPI06")] = None
    date_time_period: Annotated[Text, at("MPI07 MPI06=D8")] = None
    start_date_time_period: Annotated[Text, start_of("MPI07 MPI06=RD8")] = None
    end_date_time_period: Annotated[Text, end_of("MPI07 MPI06=RD8")] = None


class TraceNumber(Document):
    """TRN of level 2000C or 2000D."""

    trace_type_code: Annotated[Text, at("TRN01")] = None
    trace_type: Annotated[Text, meaning("TRN01", codes.table("trace_type"))] = None
    reference_identification: Annotated[Text, at("TRN02")] = None
    originating_company_identifier: Annotated[Text, at("TRN03")] = None
    secondary_reference_identification: Annotated[Text, at("TRN04")] = None


class BenefitProcedure(Document):
    """The procedure a benefit is for: EB13 and EB14. The qualifier has two spellings, one of each service."""

    product_or_service_id_qualifier_code: Annotated[Text, at("EB13-1")] = msgspec.field(
        default=None, name="productOrServiceIdQualifierCode"
    )
    product_or_service_id_qualifier: Annotated[Text, meaning("EB13-1", codes.table("procedure_qualifier"))] = None
    qualifier_code_of_service: Text = msgspec.field(default=None, name="productOrServiceIDQualifierCode")
    qualifier_of_service: Text = msgspec.field(default=None, name="productOrServiceIDQualifier")
    procedure_code: Annotated[Text, at("EB13-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("EB13-3", 6)] = None
    product_or_service_id: Annotated[Text, at("EB13-8")] = msgspec.field(default=None, name="productOrServiceID")
    diagnosis_code_pointer: Annotated[list[str] | None, each("EB14-1", 4)] = None


class ServiceDelivery(Document):
    """How often a service is covered: HSD."""

    quantity_qualifier_code: Annotated[Text, at("HSD01")] = None
    quantity_qualifier: Annotated[Text, meaning("HSD01", codes.table("benefit_quantity"))] = None
    quantity: Annotated[Text, at("HSD02")] = None
    unit_for_measurement_qualifier_code: Annotated[Text, at("HSD03")] = None
    unit_for_measurement_qualifier: Annotated[Text, meaning("HSD03", codes.table("frequency_unit"))] = None
    unit_for_measurement_code: Annotated[Text, meaning("HSD03", codes.table("frequency_unit"))] = None
    sample_selection_modulus: Annotated[Text, at("HSD04")] = None
    time_period_qualifier_code: Annotated[Text, at("HSD05")] = None
    time_period_qualifier: Annotated[Text, meaning("HSD05", codes.table("time_period"))] = None
    num_of_periods: Annotated[Text, at("HSD06")] = None
    delivery_or_calendar_pattern_qualifier_code: Annotated[Text, at("HSD07")] = None
    delivery_or_calendar_pattern_qualifier: Annotated[Text, meaning("HSD07", codes.table("delivery_pattern"))] = None
    delivery_or_calendar_pattern_code: Annotated[Text, meaning("HSD07", codes.table("delivery_pattern"))] = None
    delivery_pattern_time_qualifier_code: Annotated[Text, at("HSD08")] = None
    delivery_pattern_time_qualifier: Annotated[Text, meaning("HSD08", codes.table("delivery_time"))] = None
    delivery_pattern_time_code: Annotated[Text, meaning("HSD08", codes.table("delivery_time"))] = None


class Message(Document):
    """MSG."""

    description: Annotated[Text, at("MSG01")] = None


class AdditionalInformation(Document):
    """III of loop 2115C or 2115D: place of service, nature of injury."""

    code_list_qualifier_code: Annotated[Text, at("III01")] = None
    code_list_qualifier: Annotated[Text, meaning("III01", codes.table("injury_code_list"))] = None
    industry_code: Annotated[Text, at("III02")] = None
    industry: Annotated[Text, meaning("III02", codes.table("place_of_service"))] = None
    code_category: Annotated[Text, at("III03")] = None
    injured_body_part_name: Annotated[Text, at("III04")] = None


class RelatedEntity(Document):
    """Another entity that a benefit involves, such as another payer or the primary care provider: loop 2120C or 2120D."""

    entity_identifier: Annotated[Text, coded("NM101", _ENTITY)] = None
    entity_type: Annotated[Text, coded("NM102", _ENTITY_TYPE)] = None
    entity_name: Annotated[Text, at("NM103")] = None
    entity_firstname: Annotated[Text, at("NM104")] = None
    entity_middlename: Annotated[Text, at("NM105")] = None
    entity_suffix: Annotated[Text, at("NM107")] = None
    entity_identification: Annotated[Text, at("NM108")] = None
    entity_identification_value: Annotated[Text, at("NM109")] = None
    entity_relationship: Annotated[Text, at("NM110")] = None
    address: Address | None = None
    contact_information: Contacts | None = None
    provider_information: PatientProvider | None = None


class Benefit(Document):
    """One EB and what follows it: loop 2110C or 2110D."""

    code: Annotated[Text, at("EB01")] = None
    name: Annotated[Text, meaning("EB01", codes.table("benefit"))] = None
    coverage_level_code: Annotated[Text, at("EB02")] = None
    coverage_level: Annotated[Text, meaning("EB02", codes.table("coverage_level"))] = None
    service_type_codes: Annotated[list[str] | None, repeats("EB03")] = None
    service_types: Annotated[list[str] | None, meaning("EB03", codes.table("service_type"))] = None
    insurance_type_code: Annotated[Text, at("EB04")] = None
    insurance_type: Annotated[Text, meaning("EB04", codes.table("insurance_type"))] = None
    plan_coverage: Annotated[Text, at("EB05")] = None
    time_qualifier_code: Annotated[Text, at("EB06")] = None
    time_qualifier: Annotated[Text, meaning("EB06", codes.table("time_period"))] = None
    benefit_amount: Annotated[Text, at("EB07")] = None
    benefit_percent: Annotated[Text, at("EB08")] = None
    quantity_qualifier_code: Annotated[Text, at("EB09")] = None
    quantity_qualifier: Annotated[Text, meaning("EB09", codes.table("benefit_quantity"))] = None
    benefit_quantity: Annotated[Text, at("EB10")] = None
    auth_or_cert_indicator: Annotated[Text, at("EB11")] = None
    in_plan_network_indicator_code: Annotated[Text, at("EB12")] = None
    in_plan_network_indicator: Annotated[Text, meaning("EB12", codes.table("network_indicator"))] = None
    composite_medical_procedure_identifier: BenefitProcedure | None = None
    benefits_service_delivery: Annotated[list[ServiceDelivery] | None, segments("HSD")] = None
    benefits_additional_information: BenefitIdentifiers | None = None
    benefits_date_information: BenefitDates | None = None
    aaa_errors: Annotated[list[AAAError] | None, segments("AAA")] = msgspec.field(default=None, name="aaaErrors")
    additional_information: Annotated[list[Message] | None, segments("MSG")] = None
    eligibility_additional_information: Annotated[AdditionalInformation | None, by_hand()] = None
    eligibility_additional_information_list: Annotated[list[AdditionalInformation] | None, inside("2115C", "2115D")] = (
        None
    )
    header_loop_identifier_code: Annotated[Text, at("LS01")] = None
    trailer_loop_identifier_code: Annotated[Text, at("LE01")] = None
    benefits_related_entity: Annotated[RelatedEntity | None, by_hand()] = None
    benefits_related_entities: Annotated[list[RelatedEntity] | None, inside("2120C", "2120D")] = None


class PlanStatus(Document):
    """An EB that says whether there is coverage (EB01 1 to 8)."""

    status_code: Text = None
    status: Text = None
    plan_details: Text = None
    service_type_codes: list[str] | None = None
    service_type_code: list[str] | None = None


class Warned(Document):
    """Something the caller should know."""

    code: Text = None
    description: Text = None


class Meta(Document):
    """Where an answer came from."""

    sender_id: Text = None
    submitter_id: Text = None
    biller_id: Text = None
    application_mode: Text = None
    trace_id: Text = None
    outbound_trace_id: Annotated[Text, at("271 BHT03")] = None


class EligibilityResponse(Document):
    """A 271 about one patient."""

    meta: Annotated[Meta | None, by_hand()] = None
    id: Text = None
    control_number: Text = None
    reassociation_key: Text = None
    trading_partner_service_id: Text = None
    provider: Annotated[ResponseProvider | None, inside("2100B")] = None
    subscriber: Annotated[ResponsePerson | None, inside("2100C")] = None
    dependents: list[ResponsePerson] | None = None
    subscriber_trace_numbers: Annotated[list[TraceNumber] | None, segments("2000C TRN")] = None
    payer: Annotated[ResponsePayer | None, inside("2100A")] = None
    plan_information: Annotated[PlanInformation | None, by_hand()] = None
    plan_date_information: Annotated[Dates | None, by_hand()] = None
    plan_status: list[PlanStatus] | None = None
    benefits_information: list[Benefit] | None = None
    errors: list[AAAError] | None = None
    warnings: list[Warned] | None = None
    status: Text = None
    eligibility_search_id: Text = None
    transaction_set_acknowledgement: Text = None
    implementation_transaction_set_syntax_error: Text = None
    x12: Text = None


def _status(benefit: Benefit) -> PlanStatus | None:
    if benefit.code not in _ACTIVE_OR_NOT:
        return None
    return PlanStatus(
        status_code=benefit.code,
        status=benefit.name,
        plan_details=benefit.plan_coverage,
        service_type_codes=benefit.service_type_codes,
        service_type_code=benefit.service_type_codes,
    )


def _errors(response: EligibilityResponse, source: Instance | None) -> list[AAAError]:
    """Every rejection in the answer, each with the loop it stands in."""
    found: list[AAAError] = []
    level = located(read(_Rejected, source).aaa_errors or [], "2000A") if source is not None else []
    found += level
    places = (
        (response.payer, "2100A"),
        (response.provider, "2100B"),
        (response.subscriber, "2100C"),
        *((d, "2100D") for d in response.dependents or ()),
        *((b, "2110D" if response.dependents else "2110C") for b in response.benefits_information or ()),
    )
    for part, loop_id in places:
        if part is not None and part.aaa_errors:
            found += [e for e in located(part.aaa_errors, loop_id) if e not in found]
    if level:
        # The dialect has one place for what is wrong with the payer.
        payer = response.payer = response.payer or ResponsePayer()
        payer.aaa_errors = [*level, *(payer.aaa_errors or ())]
    return found


class _Rejected(Document):
    aaa_errors: Annotated[list[AAAError] | None, segments("AAA")] = None


def read_responses(root: Instance) -> list[EligibilityResponse]:
    """The answers of a walked 271, one for each patient; one without a patient where the payer rejected the whole."""
    levels: list[tuple[Instance, Instance | None]] = list(patients(root))
    if not levels:
        levels = [(next(root.all("2000B"), None) or next(root.all("2000A"), None) or root, None)]
    return [_read_response(subscriber, dependent) for subscriber, dependent in levels]


def benefit_positions(root: Instance) -> list[list[int | None]]:
    """Where the EBs of a walked 271 stand in their transaction set, ST being 1: a list for each of `read_responses`."""
    levels = list(patients(root))
    return [[_position(loop) for loop in (d or s).all("2110C", "2110D")] for s, d in levels] or [[]]


def _position(loop: Instance) -> int | None:
    places = zip(loop.segments, loop.positions, strict=True)
    return next((position for (segment, _), position in places if segment.id == "EB"), None)


def _read_response(subscriber: Instance, dependent: Instance | None) -> EligibilityResponse:
    response = read(EligibilityResponse, subscriber)
    patient = dependent or subscriber
    person = patient.near("2100D") if dependent is not None else patient.near("2100C")
    if person is not None and dependent is not None:
        response.dependents = [read(ResponsePerson, person)]
    response.benefits_information = [read(Benefit, loop) for loop in patient.all("2110C", "2110D")] or None
    plan, dates = (read(PlanInformation, person), read(Dates, person)) if person else (PlanInformation(), Dates())
    _told_elsewhere(plan, dates, subscriber.near("2100B"), response.benefits_information or ())
    response.plan_information = plan if plan != PlanInformation() else None
    response.plan_date_information = dates if dates != Dates() else None
    for benefit in response.benefits_information or ():
        _single_dates(benefit.benefits_date_information)
        _spelt_twice(benefit)
        benefit.benefits_related_entity = next(iter(benefit.benefits_related_entities or ()), None)
        benefit.eligibility_additional_information = next(
            iter(benefit.eligibility_additional_information_list or ()), None
        )
    response.plan_status = [s for b in response.benefits_information or () if (s := _status(b))] or None
    response.errors = _errors(response, subscriber.near("2000A")) or None
    patients_own = response.dependents[0] if response.dependents else response.subscriber
    if patients_own is not None:
        told = [*(patients_own.aaa_errors or ())]
        told += [e for b in response.benefits_information or () for e in b.aaa_errors or () if e not in told]
        patients_own.all_aaa_errors = told or None
    if response.payer is not None:
        response.trading_partner_service_id = response.payer.payor_identification
    return response


def _told_elsewhere(
    plan: PlanInformation, dates: Dates, receiver: Instance | None, benefits: Sequence[Benefit]
) -> None:
    """Add to the plan what the receiver's REFs say, and what all benefits that say it agree on."""
    if receiver is not None and (said := read(PlanInformation, receiver)) != PlanInformation():
        for name in _OF_RECEIVER:
            if getattr(plan, name) is None:
                setattr(plan, name, getattr(said, name))
    _agreed(plan, _OF_BENEFITS, [b.benefits_additional_information for b in benefits])
    _agreed(dates, _DATES_OF_BENEFITS, [b.benefits_date_information for b in benefits])


def _agreed(into: Document, names: Sequence[str], parts: Sequence[Document | None]) -> None:
    """Fill what is absent and what all parts that tell it tell alike."""
    for name, value in _told_alike(names, parts):
        if getattr(into, name) is None:
            setattr(into, name, value)


def _told_alike(names: Sequence[str], parts: Sequence[Document | None]) -> Iterator[tuple[str, str]]:
    told = [p for p in parts if p is not None]
    for name in names if told else ():
        values = {v for p in told if (v := getattr(p, name)) is not None}
        if len(values) == 1:
            yield name, values.pop()


def _spelt_twice(benefit: Benefit) -> None:
    """What the two services spell differently stands under both names."""
    procedure, identifiers = benefit.composite_medical_procedure_identifier, benefit.benefits_additional_information
    if procedure is not None:
        procedure.qualifier_code_of_service = procedure.product_or_service_id_qualifier_code
        procedure.qualifier_of_service = procedure.product_or_service_id_qualifier
    if identifiers is not None:
        identifiers.medicaid_recepient_id_number = identifiers.medicaid_recipient_id_number


def _single_dates(dates: BenefitDates | None) -> None:
    """The lists are for several admissions or discharges; one stands under its own name."""
    if dates is not None:
        dates.admissions = dates.admissions if len(dates.admissions or ()) > 1 else None
        dates.discharges = dates.discharges if len(dates.discharges or ()) > 1 else None


def _listed_dates(benefit: Benefit) -> Benefit:
    """A benefit whose lists of dates are written instead of their first date."""
    dates = benefit.benefits_date_information
    if dates is None or not (dates.admissions or dates.discharges):
        return benefit
    singles = {n: None for n in ("admission", "discharge") if getattr(dates, f"{n}s")}
    return msgspec.structs.replace(benefit, benefits_date_information=msgspec.structs.replace(dates, **singles))


def write_response(response: EligibilityResponse, header: Header) -> Written:
    """A 271 about one patient. Fields that only say in words what a code says are not written."""
    writer = Writer(guides.load(GUIDE_ID, "271"), header.control_number)
    header.put(writer.root, "0022", "11")
    for place, value in (("ST03", GUIDE_ID), ("BHT03", header.reference)):
        writer.root.put(place, value)
    level = writer.root.near(["2000A"])
    if response.subscriber is None:
        level = level.near(["2000B"]) if response.provider else level
        writer.write(msgspec.structs.replace(response, subscriber_trace_numbers=None), level)
        return writer.finish()
    level = level.near(["2000B"]).near(["2000C"])
    person = level.near(["2100C"], "subscriber")
    writer.write(response, level)
    if response.dependents:
        dependent = person.near(["2000D"])
        person = dependent.near(["2100D"], "dependents[0]")
        writer.write(response.dependents[0], person, "dependents[0]")
    _write_plan(writer, response, person)
    for index, benefit in enumerate(response.benefits_information or ()):
        path = f"benefitsInformation[{index}]"
        loop = person.add("2110D" if response.dependents else "2110C", path)
        writer.write(_listed_dates(benefit), loop, path)
        if benefit.benefits_related_entities:
            loop.put("LS01", "2120")
            loop.put("LE01", "2120")
    return writer.finish()


def _write_plan(writer: Writer, response: EligibilityResponse, person: DraftLoop) -> None:
    """The plan's identifiers and dates: with the patient, or with who asked; what the benefits say is written with them."""
    benefits = response.benefits_information or ()
    plan, dates = response.plan_information, response.plan_date_information
    if plan is not None:
        own = _without(plan, _OF_BENEFITS, [b.benefits_additional_information for b in benefits])
        receivers = PlanInformation(**{name: getattr(own, name) for name in _OF_RECEIVER})
        if receivers != PlanInformation():
            writer.write(receivers, person.near(["2100B"]), "planInformation")
        writer.write(msgspec.structs.replace(own, **dict.fromkeys(_OF_RECEIVER)), person, "planInformation")
    if dates is not None:
        own_dates = _without(dates, _DATES_OF_BENEFITS, [b.benefits_date_information for b in benefits])
        writer.write(own_dates, person, "planDateInformation")


def _without(part: D, names: Sequence[str], parts: Sequence[Document | None]) -> D:
    """A copy without the fields that only repeat what these parts say alike."""
    repeated = {name: None for name, value in _told_alike(names, parts) if getattr(part, name) == value}
    return msgspec.structs.replace(part, **repeated)

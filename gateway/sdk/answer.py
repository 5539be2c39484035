"""The answer to an eligibility check as the official SDK reads it.

Only names and shapes of the interface are recorded here; `check_answer` says which part of a 271 each is from. The SDK has a
type for every kind of benefit; they are one here, since they differ in what must be there and not in names.
Source: the operation `CreateEligibilityCheck` of the SDK.
"""

from __future__ import annotations

from typing import Annotated

from gateway.sdk.parts import (
    SdkDateRange,
    SdkPartialAddress,
    SdkPartialName,
    SdkPartialPersonName,
    SdkProviderNumbers,
    SdkProviderRole,
)
from gateway.sdk.words import (
    ANSWERED_GENDER,
    ANSWERED_RELATIONSHIP,
    AUTHORIZATION,
    CODE_SYSTEM,
    COVERAGE_LEVEL,
    COVERAGE_STATUS,
    DELIVERED_QUANTITY,
    DELIVERY_FREQUENCY,
    DELIVERY_PATTERN,
    DELIVERY_PERIOD,
    DELIVERY_SCHEDULE,
    DIAGNOSIS_SYSTEM,
    ENTITY_RELATIONSHIP,
    INVALID_REASON,
    MAINTENANCE,
    NETWORK,
    PLACE_OF_FAULT,
    PLAN_TYPE,
    QUANTITY,
    TIME_PERIOD,
    TRACE,
    word,
)
from x12.documents.binding import Document, Text
from x12.documents.lenient import OneOf

__all__ = ["CheckAnswer"]


class AnswerSubscriberTraceNumber(Document):
    """TRN of the answer."""

    type: Annotated[Text, word(TRACE)] = None
    reference_identification: Text = None
    originating_company_identifier: Text = None
    secondary_reference_identification: Text = None


class AnswerMeta(Document):
    """Where the answer came from."""

    trace_id: Text = None
    outbound_trace_id: Text = None
    subscriber_trace_numbers: list[AnswerSubscriberTraceNumber] | None = None


class AnswerWarning(Document):
    """Something the caller should know."""

    code: Text = None
    description: Text = None


class AnswerContact(Document):
    """How somebody can be reached: PER."""

    name: Text = None
    phone_numbers: list[str] | None = None
    emails: list[str] | None = None
    fax_numbers: list[str] | None = None
    edi_numbers: list[str] | None = None
    urls: list[str] | None = None


class AnswerPayer(Document):
    """The payer: loop 2100A."""

    type: str

    name: SdkPartialName | None = None
    contacts: list[AnswerContact] | None = None
    ein: Text = None
    etin: Text = None
    tin: Text = None
    naic_id: Text = None
    identification: Text = None


class AnswerProvider(Document):
    """Who asked, as the payer has it: loop 2100B."""

    type: str

    name: SdkPartialName | None = None
    address: SdkPartialAddress | None = None
    provider: SdkProviderRole | None = None
    tin: Text = None
    ssn: Text = None
    ein: Text = None
    pharmacy_processor_number: Text = None
    service_provider_number: Text = None
    npi: Text = None
    additional_information: SdkProviderNumbers | None = None


class AnswerPatientAttributeDateRanges(Document):
    """Days of a patient: DTP of loop 2100C or 2100D."""

    discharge: SdkDateRange | None = None
    issue: SdkDateRange | None = None
    effective_date_of_change: SdkDateRange | None = None
    plan: SdkDateRange | None = None
    eligibility: SdkDateRange | None = None
    added: SdkDateRange | None = None
    cobra: SdkDateRange | None = None
    premium_paid_to_date: SdkDateRange | None = None
    enrollment: SdkDateRange | None = None
    admission: SdkDateRange | None = None
    date_of_death: SdkDateRange | None = None
    certification: SdkDateRange | None = None
    service: SdkDateRange | None = None
    policy: SdkDateRange | None = None
    date_of_last_update: SdkDateRange | None = None
    status: SdkDateRange | None = None


class AnswerMaintenance(Document):
    """Whether the payer has the patient otherwise than was asked: INS03 and INS04."""

    indicator: Annotated[Text, word(MAINTENANCE)] = None


class AnswerAdditionalInformationWithName(Document):
    """A number, and whose."""

    number: str

    name: Text = None


class AnswerSubscriberAdditionalInformation(Document):
    """More numbers of the subscriber: REF."""

    plan: AnswerAdditionalInformationWithName | None = None
    group: AnswerAdditionalInformationWithName | None = None
    plan_network: AnswerAdditionalInformationWithName | None = None
    group_or_policy_number: Text = None
    member_id: Text = None
    family_unit_number: Text = None
    class_of_contract_code: Text = None
    contract_number: Text = None
    medical_record_id: Text = None
    patient_account_number: Text = None
    mbi: Text = None
    identification_card_serial_number: Text = None
    identity_card_number: Text = None
    issue_number: Text = None
    insurance_policy_number: Text = None
    medicaid_recipient_id: Text = None
    prior_identifier_number: Text = None
    ssn: Text = None
    agency_claim_number: Text = None
    case_number: Text = None


class AnswerSubscriber(Document):
    """The subscriber as the payer has it: loop 2100C."""

    address: SdkPartialAddress | None = None
    provider: SdkProviderRole | None = None
    dates: AnswerPatientAttributeDateRanges | None = None
    date_of_birth: Text = None
    gender: Annotated[Text, word(ANSWERED_GENDER)] = None
    birth_sequence_number: int | None = None
    maintenance: AnswerMaintenance | None = None
    name: SdkPartialName | None = None
    additional_information: AnswerSubscriberAdditionalInformation | None = None
    member_id: Text = None


class AnswerQualifiedPersonName(Document):
    """A person."""

    person: SdkPartialPersonName


class AnswerDependentAdditionalInformation(Document):
    """More numbers of a dependent: REF."""

    plan: AnswerAdditionalInformationWithName | None = None
    group: AnswerAdditionalInformationWithName | None = None
    plan_network: AnswerAdditionalInformationWithName | None = None
    group_or_policy_number: Text = None
    member_id: Text = None
    family_unit_number: Text = None
    class_of_contract_code: Text = None
    contract_number: Text = None
    medical_record_id: Text = None
    patient_account_number: Text = None
    mbi: Text = None
    identification_card_serial_number: Text = None
    identity_card_number: Text = None
    issue_number: Text = None
    insurance_policy_number: Text = None
    medicaid_recipient_id: Text = None
    prior_identifier_number: Text = None
    ssn: Text = None
    agency_claim_number: Text = None
    eligibility_category: Text = None


class AnswerDependent(Document):
    """The dependent as the payer has it: loop 2100D."""

    name: AnswerQualifiedPersonName

    address: SdkPartialAddress | None = None
    provider: SdkProviderRole | None = None
    dates: AnswerPatientAttributeDateRanges | None = None
    date_of_birth: Text = None
    gender: Annotated[Text, word(ANSWERED_GENDER)] = None
    birth_sequence_number: int | None = None
    maintenance: AnswerMaintenance | None = None
    relation_to_subscriber: Annotated[Text, word(ANSWERED_RELATIONSHIP)] = None
    additional_information: AnswerDependentAdditionalInformation | None = None


class AnswerNetwork(Document):
    """Inside or outside which network: EB12."""

    indicator: Annotated[Text, word(NETWORK)] = None
    id: Text = None
    description: Text = None


class AnswerServiceCode(Document):
    """A code of a range."""

    value: str

    definition: Text = None


class AnswerServiceCodeRange(Document):
    """From a code to a code: EB13."""

    start: AnswerServiceCode
    end: AnswerServiceCode


class AnswerServiceOrProcedure(Document):
    """What a benefit is for: one of EB03, or EB13."""

    value: Text = None
    definition: Text = None
    system: Annotated[Text, word(CODE_SYSTEM)] = None
    range: AnswerServiceCodeRange | None = None


class AnswerServiceDeliveryLimitQuantity(Document):
    """How much: HSD01 and HSD02."""

    value: Text = None
    qualifier: Annotated[Text, word(DELIVERED_QUANTITY)] = None


class AnswerServiceDeliveryLimitPeriod(Document):
    """Over what time: HSD05 and HSD06."""

    value: int | None = None
    qualifier: Annotated[Text, word(DELIVERY_PERIOD)] = None


class AnswerServiceDeliveryLimitFrequency(Document):
    """How often: HSD03 and HSD04."""

    value: Text = None
    qualifier: Annotated[Text, word(DELIVERY_FREQUENCY)] = None


class AnswerServiceDeliveryLimitDelivery(Document):
    """On which days, and when: HSD07 and HSD08."""

    schedule: Annotated[Text, word(DELIVERY_SCHEDULE)] = None
    pattern: Annotated[Text, word(DELIVERY_PATTERN)] = None


class AnswerServiceDeliveryLimit(Document):
    """How often a service is covered: HSD."""

    quantity: AnswerServiceDeliveryLimitQuantity | None = None
    period: AnswerServiceDeliveryLimitPeriod | None = None
    frequency: AnswerServiceDeliveryLimitFrequency | None = None
    delivery: AnswerServiceDeliveryLimitDelivery | None = None


class AnswerServiceLimit(OneOf):
    """A limit of age or of delivery."""

    age_maximum: int | None = None
    age_minimum: int | None = None
    delivery: AnswerServiceDeliveryLimit | None = None


class AnswerBenefitDays(Document):
    """Days of a benefit: DTP of loop 2110C or 2110D."""

    discharge: SdkDateRange | None = None
    period: SdkDateRange | None = None
    completion: SdkDateRange | None = None
    coordination_of_benefits: SdkDateRange | None = None
    plan: SdkDateRange | None = None
    benefit: SdkDateRange | None = None
    primary_care_provider: SdkDateRange | None = None
    latest_visit: SdkDateRange | None = None
    added: SdkDateRange | None = None
    eligibility: SdkDateRange | None = None
    admission: SdkDateRange | None = None
    service: SdkDateRange | None = None
    date_of_last_update: SdkDateRange | None = None
    status: SdkDateRange | None = None


class AnswerRelatedEntity(Document):
    """Somebody a benefit involves: loop 2120C or 2120D."""

    type: str

    name: SdkPartialName | None = None
    relationship: Annotated[Text, word(ENTITY_RELATIONSHIP)] = None
    address: SdkPartialAddress | None = None
    provider: SdkProviderRole | None = None
    contacts: list[AnswerContact] | None = None
    ein: Text = None
    ssn: Text = None
    etin: Text = None
    facility_id: Text = None
    tin: Text = None
    member_id: Text = None
    naic_id: Text = None
    payer_id: Text = None
    pharmacy_processor_number: Text = None
    service_provider_number: Text = None
    npi: Text = None


class AnswerPlaceOfService(Document):
    """Where: III."""

    code: Text = None
    name: Text = None


class AnswerBenefitNumbers(Document):
    """Numbers of a benefit: REF."""

    plan: AnswerAdditionalInformationWithName | None = None
    group: AnswerAdditionalInformationWithName | None = None
    group_or_policy_number: Text = None
    member_id: Text = None
    family_unit_number: Text = None
    referral_number: Text = None
    alternative_list_id: Text = None
    coverage_list_id: Text = None
    mbi: Text = None
    drug_formulary_number: Text = None
    prior_auth_number: Text = None
    insurance_policy_number: Text = None
    medical_assistance_category: Text = None
    medicaid_recipient_id: Text = None


class AnswerDiagnosisCode(Document):
    """A diagnosis."""

    value: str

    definition: Text = None


class AnswerDiagnosis(Document):
    """Which diagnoses a benefit is for: EB14."""

    code_system: Annotated[str, word(DIAGNOSIS_SYSTEM)]
    codes: list[AnswerDiagnosisCode]


class AnswerQuantity(Document):
    """How many of what: EB09 and EB10."""

    value: Text = None
    qualifier: Annotated[Text, word(QUANTITY)] = None


class AnswerInvalidEntryReason(Document):
    """Why a benefit is set aside."""

    code: Annotated[str, word(INVALID_REASON)]
    description: str


class AnswerBenefit(Document):
    """An EB, for one of its services. A status has a `status`, what is set aside its `invalid_reasons`."""

    coverage_level: Annotated[str, word(COVERAGE_LEVEL)]

    insurance_type: Annotated[Text, word(PLAN_TYPE)] = None
    network: AnswerNetwork | None = None
    prior_auth_indicator: Annotated[Text, word(AUTHORIZATION)] = None
    service: AnswerServiceOrProcedure | None = None
    messages: list[str] | None = None
    service_limits: list[AnswerServiceLimit] | None = None
    dates: AnswerBenefitDays | None = None
    related_entities: list[AnswerRelatedEntity] | None = None
    places_of_service: list[AnswerPlaceOfService] | None = None
    additional_information: AnswerBenefitNumbers | None = None
    plan_coverage_description: Text = None
    diagnosis: AnswerDiagnosis | None = None
    time_period: Annotated[Text, word(TIME_PERIOD)] = None
    amount: Text = None
    percent: Text = None
    quantity: AnswerQuantity | None = None
    status: Annotated[Text, word(COVERAGE_STATUS)] = None
    invalid_reasons: list[AnswerInvalidEntryReason] | None = None


class AnswerInvalidEntries(Document):
    """Benefits that lack what their kind must have, or have what it cannot."""

    co_insurance: list[AnswerBenefit] | None = None
    co_payment: list[AnswerBenefit] | None = None
    deductible: list[AnswerBenefit] | None = None
    out_of_pocket: list[AnswerBenefit] | None = None
    cost_containment: list[AnswerBenefit] | None = None
    spend_down: list[AnswerBenefit] | None = None
    limitations: list[AnswerBenefit] | None = None


class AnswerBenefits(Document):
    """The benefits of a plan, by kind (EB01)."""

    statuses: list[AnswerBenefit] | None = None
    co_insurance: list[AnswerBenefit] | None = None
    co_payment: list[AnswerBenefit] | None = None
    deductible: list[AnswerBenefit] | None = None
    out_of_pocket: list[AnswerBenefit] | None = None
    cost_containment: list[AnswerBenefit] | None = None
    spend_down: list[AnswerBenefit] | None = None
    limitations: list[AnswerBenefit] | None = None
    coverage_basis: list[AnswerBenefit] | None = None
    benefit_description: list[AnswerBenefit] | None = None
    exclusions: list[AnswerBenefit] | None = None
    unlimited: list[AnswerBenefit] | None = None
    non_covered: list[AnswerBenefit] | None = None
    reserve: list[AnswerBenefit] | None = None
    primary_care_provider: list[AnswerBenefit] | None = None
    pre_existing_condition: list[AnswerBenefit] | None = None
    managed_care_coordinator: list[AnswerBenefit] | None = None
    services_restricted_to_following_provider: list[AnswerBenefit] | None = None
    not_deemed_medical_necessity: list[AnswerBenefit] | None = None
    benefit_disclaimer: list[AnswerBenefit] | None = None
    second_surgical_opinion_required: list[AnswerBenefit] | None = None
    other_or_additional_payer: list[AnswerBenefit] | None = None
    prior_years_history: list[AnswerBenefit] | None = None
    card_reported_stolen: list[AnswerBenefit] | None = None
    contact_following_entity_for_information: list[AnswerBenefit] | None = None
    cannot_process: list[AnswerBenefit] | None = None
    other_source_of_data: list[AnswerBenefit] | None = None
    health_care_facility: list[AnswerBenefit] | None = None
    invalid_entries: AnswerInvalidEntries | None = None


class AnswerPlan(Document):
    """A plan: the benefits under one name."""

    benefits: AnswerBenefits

    name: Text = None


class AnswerResponseError(Document):
    """A rejection by the payer: AAA."""

    code: str
    description: str
    followup_action: str
    location: Annotated[str, word(PLACE_OF_FAULT)]

    possible_resolutions: Text = None


class CheckAnswer(Document):
    """What the payer said."""

    id: str
    x12: str
    payer: AnswerPayer
    meta: AnswerMeta | None = None
    payer_id: Text = None
    eligibility_search_id: Text = None
    warnings: list[AnswerWarning] | None = None
    provider: AnswerProvider | None = None
    subscriber: AnswerSubscriber | None = None
    dependent: AnswerDependent | None = None
    plans: list[AnswerPlan] | None = None
    errors: list[AnswerResponseError] | None = None

"""The professional claim as the official SDK has it: the boxes of the CMS-1500, in JSON.

Only names and shapes of the interface are recorded here; `claim_form` says where each field stands in the dialect's claim.
Source: the operations `CreateProfessionalClaimSubmission`, `ValidateProfessionalClaimSubmission` and
`GetProfessionalClaimSubmission` of the SDK; the boxes: the CMS-1500 of the National Uniform Claim Committee (02/12).
"""

from __future__ import annotations

from typing import Annotated

from gateway.sdk.parts import (
    SdkDateRange,
    SdkName,
    SdkPersonName,
)
from gateway.sdk.words import (
    ACCEPTS_ASSIGNMENT,
    ASSIGNMENT_OF_BENEFITS,
    DRUG_UNIT,
    EPSDT,
    FILING,
    GENDER,
    INSURANCE_TYPE,
    MEDICARE_SECONDARY,
    ONLY_PRIMARY,
    OTHER_RELATIONSHIP,
    PURCHASED_FROM,
    PURPOSE,
    RELATIONSHIP,
    RELEASE,
    REPORT_TYPE,
    RESPONSIBILITY,
    RESUBMISSION,
    SIGNATURE,
    TRANSMISSION,
    word,
)
from x12.documents.binding import Document, Text
from x12.documents.lenient import OneOf

__all__ = ["ClaimForm"]


class FormNamedOrganization(OneOf):
    """An organization."""

    organization: Text = None


class FormAddress(Document):
    """An address of claims."""

    address_line1: str
    city: str

    address_line2: Text = None
    state: Text = None
    postal_code: Text = None


class FormPayer(Document):
    """Whom the claim goes to."""

    id: str

    name: FormNamedOrganization | None = None
    address: FormAddress | None = None
    receiver_id: Text = None


class FormContact(Document):
    """Who can be asked, and how."""

    name: Text = None
    phone_number: Text = None
    phone_extension: Text = None
    email: Text = None
    fax_number: Text = None


class FormSubmitter(Document):
    """Who sends the claim."""

    name: SdkName

    contact: FormContact | None = None
    etin: Text = None


class FormInsured(Document):
    """Whose policy it is, boxes 1, 4, 7 and 11."""

    insurance_type: Annotated[str, word(INSURANCE_TYPE)]
    name: SdkName
    payment_responsibility_level_code: Annotated[str, word(ONLY_PRIMARY)]

    member_id: Text = None
    address: FormAddress | None = None
    policy_or_group_number: Text = None
    date_of_birth: Text = None
    gender: Annotated[Text, word(GENDER)] = None
    ssn: Text = None
    property_casualty_claim_number: Text = None
    plan_name: Text = None


class FormNamedPerson(OneOf):
    """A person."""

    person: SdkPersonName | None = None


class FormPatient(Document):
    """Who was treated, where that is not the insured, boxes 2, 3, 5 and 6."""

    name: FormNamedPerson
    date_of_birth: str
    gender: Annotated[str, word(GENDER)]
    address: FormAddress
    relationship_to_insured: Annotated[str, word(RELATIONSHIP)]


class FormAuthorization(Document):
    """Signatures and assignments, boxes 12, 13, 27 and 31."""

    patient_releases_medical_info: Annotated[str, word(RELEASE)]
    insured_authorizes_assignment: Annotated[str, word(ASSIGNMENT_OF_BENEFITS)]
    provider_accepts_assignment: Annotated[str, word(ACCEPTS_ASSIGNMENT)]
    provider_signature: Annotated[str, word(SIGNATURE)]


class FormPatientCondition(Document):
    """What the condition is related to, box 10."""

    is_employment_related: bool | None = None
    is_auto_accident_related: bool | None = None
    is_other_accident_related: bool | None = None
    auto_accident_state: Text = None


class FormClinicalDates(Document):
    """Days of the illness, boxes 14 to 16 and 18."""

    onset_of_current_illness: Text = None
    last_menstrual_period: Text = None
    initial_treatment: Text = None
    last_seen: Text = None
    acute_manifestation_of_chronic_condition: Text = None
    accident: Text = None
    last_xray: Text = None
    prescription: Text = None
    assumed_care: Text = None
    relinquished_care: Text = None
    first_visit_or_consultation: Text = None
    repricer_received: Text = None
    last_worked: Text = None
    returned_to_work: Text = None
    unable_to_work: SdkDateRange | None = None
    hospitalization: SdkDateRange | None = None


class FormReferringProviderIdentifiers(Document):
    """Numbers of who referred or ordered."""

    npi: Text = None
    state_license_number: Text = None
    commercial_number: Text = None


class FormReferringProvider(Document):
    """Who referred the patient, box 17, or ordered the service of a line."""

    name: FormNamedPerson

    identifiers: FormReferringProviderIdentifiers | None = None


class FormSupervisingProviderIdentifiers(Document):
    """Numbers of who supervised, or of where the service was done."""

    npi: Text = None
    state_license_number: Text = None
    commercial_number: Text = None
    location_number: Text = None


class FormSupervisingProvider(Document):
    """Who supervised, box 17."""

    name: FormNamedPerson

    identifiers: FormSupervisingProviderIdentifiers | None = None


class FormClaimNote(OneOf):
    """A note of one kind, box 19."""

    additional_information: Text = None
    certification_narrative: Text = None
    goals_rehabilitation_or_discharge_plans: Text = None
    diagnosis_description: Text = None
    third_party_organization: Text = None


class FormAttachment(Document):
    """Paperwork, box 19: what it is, how it comes, and its number."""

    report_type_code: Annotated[str, word(REPORT_TYPE)]
    transmission_code: Annotated[str, word(TRANSMISSION)]

    attachment_control_number: Text = None
    attachment_id: Text = None


class FormResubmission(Document):
    """That an earlier claim is replaced or cancelled, box 22."""

    code: Annotated[Text, word(RESUBMISSION)] = None
    original_reference_number: Text = None


class FormReferenceNumbers(Document):
    """Numbers that the payer gave, box 23."""

    prior_authorization: Text = None
    referral: Text = None
    clia: Text = None
    mammography_certification: Text = None


class FormEncounter(Document):
    """The visit, boxes 10 and 14 to 23."""

    primary_diagnosis_code: str

    primary_place_of_service: Text = None
    additional_diagnosis_codes: list[str] | None = None
    patient_condition: FormPatientCondition | None = None
    claim_codes: list[str] | None = None
    epsdt_referral_codes: list[Annotated[str, word(EPSDT)]] | None = None
    clinical_dates: FormClinicalDates | None = None
    referring_provider: FormReferringProvider | None = None
    prior_referring_provider: FormReferringProvider | None = None
    supervising_provider: FormSupervisingProvider | None = None
    claim_note: FormClaimNote | None = None
    attachments: list[FormAttachment] | None = None
    resubmission: FormResubmission | None = None
    reference_numbers: FormReferenceNumbers | None = None


class FormTaxId(OneOf):
    """The tax number, box 25."""

    ssn: Text = None
    ein: Text = None


class FormServiceFacility(Document):
    """Where it was, box 32."""

    name: FormNamedOrganization
    address: FormAddress

    identifiers: FormSupervisingProviderIdentifiers | None = None


class FormBillingProviderIdentifiers(Document):
    """Numbers of who bills or renders."""

    npi: Text = None
    state_license_number: Text = None
    taxonomy_code: Text = None
    location_number: Text = None
    commercial_number: Text = None


class FormBillingProvider(Document):
    """Who bills, box 33."""

    name: SdkName
    address: FormAddress

    contact: FormContact | None = None
    identifiers: FormBillingProviderIdentifiers | None = None


class FormBilling(Document):
    """Who bills how much, boxes 25 to 33."""

    tax_id: FormTaxId
    patient_control_number: str
    total_charge: str
    billing_provider: FormBillingProvider

    amount_paid: Text = None
    service_facility: FormServiceFacility | None = None


class FormProcedureCode(Document):
    """What was done, box 24d."""

    code: str

    modifiers: list[str] | None = None


class FormRenderingProvider(Document):
    """Who gave the service, box 24j."""

    name: SdkName

    identifiers: FormBillingProviderIdentifiers | None = None


class FormPurchasedServiceProviderIdentifiers(Document):
    """The number of whom it was bought from."""

    npi: str


class FormPurchasedServiceProvider(Document):
    """Whom a service was bought from."""

    entity_type: Annotated[str, word(PURCHASED_FROM)]
    identifiers: FormPurchasedServiceProviderIdentifiers


class FormPurchasedService(Document):
    """A service that was bought, box 20."""

    charge_amount: str
    provider: FormPurchasedServiceProvider


class FormDrugNumber(OneOf):
    """The number of a prescription, or of the parts of a compound."""

    link_sequence_number: Text = None
    pharmacy_prescription_number: Text = None


class FormDrugIdentification(Document):
    """A drug of a line."""

    national_drug_code: str
    unit_count: str
    unit_of_measure: Annotated[str, word(DRUG_UNIT)]

    association_number: FormDrugNumber | None = None
    original_ndc: Text = None


class FormLineAuthorization(Document):
    """A prior authorization of a line, and of which payer."""

    prior_authorization_number: str

    other_payer_primary_id: Text = None


class FormServiceLine(Document):
    """A row of box 24."""

    dates_of_service: SdkDateRange
    procedure_code: FormProcedureCode
    diagnosis_codes: list[str]
    line_item_charge_amount: str
    units: str

    place_of_service: Text = None
    is_emergency: bool | None = None
    is_epsdt_related: bool | None = None
    is_family_planning: bool | None = None
    rendering_provider: FormRenderingProvider | None = None
    ordering_provider: FormReferringProvider | None = None
    purchased_service: FormPurchasedService | None = None
    line_item_control_number: Text = None
    drug_identification: FormDrugIdentification | None = None
    narrative_for_unspecified_code: Text = None
    attachments: list[FormAttachment] | None = None
    prior_authorizations: list[FormLineAuthorization] | None = None


class FormOtherPayerId(OneOf):
    """The number of another payer, of one kind."""

    payer_id: Text = None
    cms_plan_id: Text = None


class FormOtherPayer(Document):
    """Another payer."""

    name: FormNamedOrganization
    id: FormOtherPayerId


class FormOtherInsuredAuthorization(Document):
    """Signatures and assignments to another payer."""

    insured_authorizes_assignment: Annotated[str, word(ASSIGNMENT_OF_BENEFITS)]
    patient_releases_medical_info: Annotated[str, word(RELEASE)]

    provider_generated_patient_signature: bool | None = None


class FormOtherInsured(Document):
    """Another policy that covers the patient, box 9."""

    name: SdkName
    member_id: str
    responsibility_level: Annotated[str, word(RESPONSIBILITY)]
    relationship_to_insured: Annotated[str, word(OTHER_RELATIONSHIP)]
    claim_filing_indicator: Annotated[str, word(FILING)]
    other_payer: FormOtherPayer
    authorization: FormOtherInsuredAuthorization

    address: FormAddress | None = None
    policy_or_group_number: Text = None
    plan_name: Text = None
    ssn: Text = None
    medicare_secondary_insurance_type: Annotated[Text, word(MEDICARE_SECONDARY)] = None


class ClaimForm(Document):
    """A CMS-1500 in JSON."""

    purpose: Annotated[str, word(PURPOSE)]
    payer: FormPayer
    submitter: FormSubmitter
    insured: FormInsured
    authorization: FormAuthorization
    encounter: FormEncounter
    billing: FormBilling
    service_lines: list[FormServiceLine]
    patient: FormPatient | None = None
    other_insured: list[FormOtherInsured] | None = None

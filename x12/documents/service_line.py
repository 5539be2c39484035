"""A service line of the professional claim: loop 2400 of 005010X222A1 and the loops inside it."""

from __future__ import annotations

from typing import Annotated, Protocol

from x12.documents.binding import (
    Document,
    Text,
    at,
    each,
    end_of,
    inside,
    nowhere,
    segments,
    start_of,
    yes_no,
)
from x12.documents.claim_parts import (
    Adjustment,
    ContactInformation,
    DropOffLocation,
    LineIdentifier,
    Provider,
    ReportInformation,
    one_name,
)
from x12.documents.parts import PostalAddress, Renamed
from x12.documents.writing import DraftLoop

__all__ = [
    "AmbulanceCertification",
    "AmbulanceTransport",
    "Contract",
    "LineAdjudication",
    "LineOrderingProvider",
    "LineRenderingProvider",
    "LineSupervisingProvider",
    "Pricing",
    "PriorAuthorization",
    "ServiceLine",
    "complete_line",
    "list_identifiers",
    "normalise_line",
]

# PWK02 of the certificate of medical necessity, and of all other paperwork: PWK01 does not tell them apart.
_CERTIFICATE = "AB|AD|AF|AG|NS"
_PAPERWORK = "AA|BM|EL|EM|FT|FX"
# The names that the dialect has for a provider's REF, and REF01.
_NAMED_IDENTIFIERS = {
    "state_license_number": ("stateLicenseNumber", "0B"),
    "provider_upin_number": ("providerUpinNumber", "1G"),
    "commercial_number": ("commercialNumber", "G2"),
    "location_number": ("locationNumber", "LU"),
}
_PROVIDERS = {
    "rendering_provider": "renderingProvider",
    "purchased_service_provider": "purchasedServiceProvider",
    "supervising_provider": "supervisingProvider",
    "ordering_provider": "orderingProvider",
    "referring_provider": "referringProvider",
}


# --- what claim and line have alike --------------------------------------------------------------------------------


class AmbulanceTransport(Document):
    """CR1."""

    patient_weight_in_pounds: Annotated[Text, at("CR102 CR101~LB")] = None
    ambulance_transport_reason_code: Annotated[Text, at("CR104")] = None
    transport_distance_in_miles: Annotated[Text, at("CR106 CR105~DH")] = None
    round_trip_purpose_description: Annotated[Text, at("CR109")] = None
    stretcher_purpose_description: Annotated[Text, at("CR110")] = None


class AmbulanceCertification(Document):
    """CRC*07."""

    certification_condition_indicator: Annotated[Text, at("CRC02")] = None
    condition_codes: Annotated[list[str] | None, each("CRC03", 7)] = None


class Contract(Document):
    """CN1."""

    contract_type_code: Annotated[Text, at("CN101")] = None
    contract_amount: Annotated[Text, at("CN102")] = None
    contract_percentage: Annotated[Text, at("CN103")] = None
    contract_code: Annotated[Text, at("CN104")] = None
    terms_discount_percentage: Annotated[Text, at("CN105")] = None
    contract_version_identifier: Annotated[Text, at("CN106")] = None


class Pricing(Document):
    """HCP."""

    pricing_methodology_code: Annotated[Text, at("HCP01")] = None
    repriced_allowed_amount: Annotated[Text, at("HCP02")] = None
    repriced_saving_amount: Annotated[Text, at("HCP03")] = None
    repricing_organization_identifier: Annotated[Text, at("HCP04")] = None
    repricing_per_diem_or_flat_rate_amount: Annotated[Text, at("HCP05")] = None
    repriced_approved_ambulatory_patient_group_code: Annotated[Text, at("HCP06")] = None
    repriced_approved_ambulatory_patient_group_amount: Annotated[Text, at("HCP07")] = None
    reject_reason_code: Annotated[Text, at("HCP13")] = None
    policy_compliance_code: Annotated[Text, at("HCP14")] = None
    exception_code: Annotated[Text, at("HCP15")] = None


# --- loop 2400 -----------------------------------------------------------------------------------------------------


class DiagnosisPointers(Document):
    """SV107: which of the claim's diagnoses, counted from 1."""

    diagnosis_code_pointers: Annotated[list[str] | None, each("SV107-1", 4)] = None


class ProfessionalService(Document):
    """SV1."""

    procedure_identifier: Annotated[Text, at("SV101-1")] = None
    procedure_code: Annotated[Text, at("SV101-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV101-3", 6)] = None
    description: Annotated[Text, at("SV101-7")] = None
    line_item_charge_amount: Annotated[Text, at("SV102")] = None
    measurement_unit: Annotated[Text, at("SV103")] = None
    service_unit_count: Annotated[Text, at("SV104")] = None
    place_of_service_code: Annotated[Text, at("SV105")] = None
    composite_diagnosis_code_pointers: DiagnosisPointers | None = None
    emergency_indicator: Annotated[Text, at("SV109")] = None
    epsdt_indicator: Annotated[Text, at("SV111")] = None
    family_planning_indicator: Annotated[Text, at("SV112")] = None
    copay_status_code: Annotated[Text, at("SV115")] = None


class EquipmentService(Document):
    """SV5; its procedure (SV501) is the one of SV1."""

    days: Annotated[Text, at("SV503")] = None
    rental_price: Annotated[Text, at("SV504")] = None
    purchase_price: Annotated[Text, at("SV505")] = None
    frequency_code: Annotated[Text, at("SV506")] = None


class EquipmentCertificate(Document):
    """The PWK that says how the certificate of medical necessity comes."""

    attachment_transmission_code: Annotated[Text, at(f"PWK[CT]02 PWK02={_CERTIFICATE}")] = None


class EquipmentCertification(Document):
    """CR3."""

    certification_type_code: Annotated[Text, at("CR301")] = None
    durable_medical_equipment_duration_in_months: Annotated[Text, at("CR303")] = None


class EquipmentCondition(Document):
    """CRC*09."""

    certification_condition_indicator: Annotated[Text, at("CRC[09]02")] = None
    condition_indicator: Annotated[Text, at("CRC[09]03")] = None
    condition_indicator_code: Annotated[Text, at("CRC[09]04")] = None


class LineDates(Document):
    """DTP of a line but for its service date."""

    prescription_date: Annotated[Text, at("DTP[471]03 DTP02~D8")] = None
    certification_revision_or_recertification_date: Annotated[Text, at("DTP[607]03 DTP02~D8")] = None
    begin_therapy_date: Annotated[Text, at("DTP[463]03 DTP02~D8")] = None
    last_certification_date: Annotated[Text, at("DTP[461]03 DTP02~D8")] = None
    treatment_or_therapy_date: Annotated[Text, at("DTP[304]03 DTP02~D8")] = None
    hemoglobin_test_date: Annotated[Text, at("DTP[738]03 DTP02~D8")] = None
    serum_creatine_test_date: Annotated[Text, at("DTP[739]03 DTP02~D8")] = None
    shipped_date: Annotated[Text, at("DTP[011]03 DTP02~D8")] = None
    last_x_ray_date: Annotated[Text, at("DTP[455]03 DTP02~D8")] = None
    initial_treatment_date: Annotated[Text, at("DTP[454]03 DTP02~D8")] = None


class TestResult(Document):
    """MEA."""

    measurement_reference_identification_code: Annotated[Text, at("MEA01")] = None
    measurement_qualifier: Annotated[Text, at("MEA02")] = None
    test_results: Annotated[Text, at("MEA03")] = None


class PriorAuthorization(Document):
    """REF*G1."""

    prior_authorization_or_referral_number: Annotated[Text, at("REF02")] = None
    other_payer_primary_identifier: Annotated[Text, at("REF04-2 REF04-1~2U")] = None


class LineReferences(Document):
    """REF of a line."""

    repriced_line_item_reference_number: Annotated[Text, at("REF[9B]02")] = None
    adjusted_repriced_line_item_reference_number: Annotated[Text, at("REF[9D]02")] = None
    prior_authorization: Annotated[list[PriorAuthorization] | None, segments("REF[G1]")] = None
    mammography_certification_number: Annotated[Text, at("REF[EW]02")] = None
    clinical_laboratory_improvement_amendment_number: Annotated[Text, at("REF[X4]02")] = None
    referring_clia_number: Annotated[Text, at("REF[F4]02")] = None
    immunization_batch_number: Annotated[Text, at("REF[BT]02")] = None
    referral_number: Annotated[list[str] | None, segments("REF[9F]02")] = None


class PurchasedService(Document):
    """PS1."""

    purchased_service_provider_identifier: Annotated[Text, at("PS101")] = None
    purchased_service_charge_amount: Annotated[Text, at("PS102")] = None


class Drug(Document):
    """Loop 2410."""

    service_id_qualifier: Annotated[Text, at("LIN02")] = None
    national_drug_code: Annotated[Text, at("LIN03")] = None
    national_drug_unit_count: Annotated[Text, at("CTP04")] = None
    measurement_unit_code: Annotated[Text, at("CTP05-1")] = None
    link_sequence_number: Annotated[Text, at("REF[VY]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None


class LineProvider(Provider):
    """A provider of a line. Its identifiers are a list, in which another payer may be named; the single names join the list.

    `other_identifier` names the payer of the single names.
    """

    state_license_number: Text = None
    provider_upin_number: Text = None
    commercial_number: Text = None
    location_number: Text = None
    other_identifier: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[list[LineIdentifier] | None, segments("REF")] = None


class LineRenderingProvider(LineProvider):
    """Loop 2420A."""

    taxonomy_code: Annotated[Text, at("PRV[PE]03 PRV02~PXC")] = None


class LinePricing(Pricing):
    """HCP of a line, with the service that was approved."""

    service_id_qualifier: Annotated[Text, at("HCP09")] = None
    repriced_approved_hcpcs_code: Annotated[Text, at("HCP10")] = None
    measurement_unit: Annotated[Text, at("HCP11")] = None
    repriced_approved_service_unit_count: Annotated[Text, at("HCP12")] = None


class LinePurchasedServiceProvider(LineProvider):
    """Loop 2420B: its name is not sent, only whether it is an organization."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    location_number: Annotated[Text, nowhere()] = None
    organization_name: Text = None
    last_name: Text = None
    first_name: Text = None
    middle_name: Text = None
    suffix: Text = None


class LineSupervisingProvider(LineProvider):
    """Loop 2420D: a person."""

    organization_name: Annotated[Text, nowhere()] = None
    last_name: Annotated[Text, at("NM103")] = None


class LineReferringProvider(LineSupervisingProvider):
    """Loop 2420F: a person."""

    location_number: Annotated[Text, nowhere()] = None


class LineOrderingProvider(LineReferringProvider):
    """Loop 2420E: a person."""

    address: PostalAddress | None = None
    contact_information: ContactInformation | None = None


class LineFacility(Document):
    """Loop 2420C: where the service was given, if not where the claim says."""

    organization_name: Annotated[Text, at("NM103")] = None
    npi: Annotated[Text, at("NM109 NM108~XX")] = None
    address: PostalAddress | None = None
    phone_name: Annotated[Text, nowhere()] = None
    phone_number: Annotated[Text, nowhere()] = None
    phone_extension: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[list[LineIdentifier] | None, segments("REF")] = None


class LineAdjudication(Document):
    """Loop 2430: what another payer decided about the line."""

    other_payer_primary_identifier: Annotated[Text, at("SVD01")] = None
    service_line_paid_amount: Annotated[Text, at("SVD02")] = None
    service_id_qualifier: Annotated[Text, at("SVD03-1")] = None
    procedure_code: Annotated[Text, at("SVD03-2")] = None
    procedure_modifier: Annotated[list[str] | None, each("SVD03-3", 6)] = None
    procedure_code_description: Annotated[Text, at("SVD03-7")] = None
    paid_service_unit_count: Annotated[Text, at("SVD05")] = None
    bundled_or_unbundled_line_number: Annotated[Text, at("SVD06")] = None
    claim_adjustment_information: Annotated[list[Adjustment] | None, segments("CAS")] = None
    adjudication_or_payment_date: Annotated[Text, at("DTP[573]03 DTP02~D8")] = None
    remaining_patient_liability: Annotated[Text, at("AMT[EAF]02")] = None


class SupportingDocumentation(Document):
    """FRM: the answer to one question of a form."""

    question_number: Annotated[Text, at("FRM01")] = None
    question_response_code: Annotated[Text, at("FRM02")] = None
    question_response: Annotated[Text, at("FRM03")] = None
    question_response_as_date: Annotated[Text, at("FRM04")] = None
    question_response_as_percent: Annotated[Text, at("FRM05")] = None


class Form(Document):
    """Loop 2440."""

    form_type_code: Annotated[Text, at("LQ01")] = None
    form_identifier: Annotated[Text, at("LQ02")] = None
    supporting_documentation: Annotated[list[SupportingDocumentation] | None, segments("FRM")] = None


class ServiceLine(Document):
    """Loop 2400."""

    assigned_number: Annotated[Text, at("LX01")] = None
    professional_service: ProfessionalService | None = None
    durable_medical_equipment_service: EquipmentService | None = None
    service_line_supplemental_information: Annotated[
        list[ReportInformation] | None, segments(f"PWK PWK02={_PAPERWORK}")
    ] = None
    durable_medical_equipment_certificate_of_medical_necessity: EquipmentCertificate | None = None
    ambulance_transport_information: AmbulanceTransport | None = None
    durable_medical_equipment_certification: EquipmentCertification | None = None
    ambulance_certification: Annotated[list[AmbulanceCertification] | None, segments("CRC[07]")] = None
    hospice_employee_indicator: Annotated[bool | None, yes_no("CRC[70]02")] = None
    condition_indicator_durable_medical_equipment: EquipmentCondition | None = None
    service_date: Annotated[Text, start_of("DTP[472]03")] = None
    service_date_end: Annotated[Text, end_of("DTP[472]03", since="serviceDate")] = None
    service_line_date_information: LineDates | None = None
    ambulance_patient_count: Annotated[int | None, at("QTY[PT]02")] = None
    obstetric_anesthesia_additional_units: Annotated[int | None, at("QTY[FL]02")] = None
    test_results: Annotated[list[TestResult] | None, segments("MEA")] = None
    contract_information: Contract | None = None
    service_line_reference_information: LineReferences | None = None
    provider_control_number: Annotated[Text, at("REF[6R]02")] = None
    sales_tax_amount: Annotated[Text, at("AMT[T]02")] = None
    postage_tax_amount: Annotated[Text, at("AMT[F4]02")] = None
    file_information: Annotated[list[str] | None, segments("K301")] = None
    additional_notes: Annotated[Text, at("NTE[ADD]02")] = None
    goal_rehab_or_discharge_plans: Annotated[Text, at("NTE[DCP]02")] = None
    third_party_organization_notes: Annotated[Text, at("NTE[TPO]02")] = None
    purchased_service_information: PurchasedService | None = None
    line_pricing_repricing_information: LinePricing | None = None
    drug_identification: Annotated[Drug | None, inside("2410")] = None
    rendering_provider: Annotated[LineRenderingProvider | None, inside("2420A")] = None
    purchased_service_provider: Annotated[LinePurchasedServiceProvider | None, inside("2420B")] = None
    service_facility_location: Annotated[LineFacility | None, inside("2420C")] = None
    supervising_provider: Annotated[LineSupervisingProvider | None, inside("2420D")] = None
    ordering_provider: Annotated[LineOrderingProvider | None, inside("2420E")] = None
    referring_provider: Annotated[LineReferringProvider | None, inside("2420F")] = None
    ambulance_pick_up_location: Annotated[PostalAddress | None, inside("2420G")] = None
    ambulance_drop_off_location: Annotated[DropOffLocation | None, inside("2420H")] = None
    line_adjudication_information: Annotated[list[LineAdjudication] | None, inside("2430")] = None
    form_identification: Annotated[list[Form] | None, inside("2440")] = None


def normalise_line(line: ServiceLine, number: int, renamed: Renamed) -> None:
    """Bring a line, the one with this number counted from 1, into the one form that reading gives."""
    line.assigned_number = line.assigned_number or str(number)
    service = line.professional_service
    if service is not None:
        service.procedure_identifier = service.procedure_identifier or "HC"
    for name, json in _PROVIDERS.items():
        provider: LineProvider | None = getattr(line, name)
        if provider is not None:
            provider.provider_type = None
            one_name(provider)
            if isinstance(provider, LinePurchasedServiceProvider):
                _name_kind(provider)
            list_identifiers(provider, f"claimInformation.serviceLines[{number - 1}].{json}", renamed)


def _name_kind(provider: LinePurchasedServiceProvider) -> None:
    """Of the name only its kind is sent."""
    kind = "1" if provider.last_name else "2"
    provider.entity_type_qualifier = provider.entity_type_qualifier or kind
    provider.organization_name = provider.last_name = provider.first_name = None
    provider.middle_name = provider.suffix = None


class _Identified(Protocol):
    other_identifier: Text
    secondary_identifier: list[LineIdentifier] | None


def list_identifiers(provider: _Identified, path: str, renamed: Renamed) -> None:
    """The identifiers that have names of their own join the list, under the caller's `path` of the provider."""
    names = {n: said for n, said in _NAMED_IDENTIFIERS.items() if getattr(provider, n, None) is not None}
    if isinstance(provider, (LinePurchasedServiceProvider, LineReferringProvider)):
        names.pop("location_number", None)
    if not names:
        return
    listed = provider.secondary_identifier = provider.secondary_identifier or []
    for name, (json, qualifier) in names.items():
        value: str = getattr(provider, name)
        setattr(provider, name, None)
        if not any(i.qualifier == qualifier and i.identifier == value for i in listed):
            for part in ("qualifier", "identifier"):
                renamed[f"{path}.secondaryIdentifier[{len(listed)}].{part}"] = f"{path}.{json}"
            listed.append(
                LineIdentifier(qualifier=qualifier, identifier=value, other_identifier=provider.other_identifier)
            )
    provider.other_identifier = None


def complete_line(line: ServiceLine, loop: DraftLoop) -> None:
    """Write what a line's places leave open: the procedure of SV5."""
    service = line.professional_service
    if line.durable_medical_equipment_service is not None and service is not None and service.procedure_code:
        loop.put("SV501-2", service.procedure_code)

"""A service line of the institutional claim: loop 2400 of 005010X223A2 and the loops inside it.

Names: the dialect's `institutional-claim-request`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from x12.documents.binding import Document, Text, at, by_hand, each, end_of, inside, nowhere, segments, start_of
from x12.documents.claim_parts import AdjustmentDetail, LineIdentifier, ReportInformation
from x12.documents.institutional_parts import Aliases, InstitutionalAdjustment, Person

__all__ = ["InstitutionalLine", "LinePricing", "Pricing", "normalise_line"]

# The names that the dialect has for a provider's REF, and REF01.
_NAMED_IDENTIFIERS = {
    "state_license_number": ("stateLicenseNumber", "0B"),
    "provider_upin_number": ("providerUpinNumber", "1G"),
    "commercial_number": ("commercialNumber", "G2"),
    "location_number": ("locationNumber", "LU"),
}
_PROVIDERS = {
    "operating_physician": "operatingPhysician",
    "other_operating_physician": "otherOperatingPhysician",
    "rendering_provider": "renderingProvider",
    "referring_provider": "referringProvider",
}


class InstitutionalService(Document):
    """SV2."""

    service_line_revenue_code: Annotated[Text, at("SV201")] = None
    procedure_identifier: Annotated[Text, at("SV202-1")] = None
    procedure_code: Annotated[Text, at("SV202-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV202-3", 6)] = None
    description: Annotated[Text, at("SV202-7")] = None
    line_item_charge_amount: Annotated[Text, at("SV203")] = None
    measurement_unit: Annotated[Text, at("SV204")] = None
    service_unit_count: Annotated[Text, at("SV205")] = None
    non_covered_charge_amount: Annotated[Text, at("SV207")] = None


class LineDates(Document):
    """Other names of `service_date` and `service_date_end`."""

    service_date: Annotated[Text, nowhere()] = None
    begin_service_date: Annotated[Text, nowhere()] = None
    end_service_date: Annotated[Text, nowhere()] = None


class LineReferences(Document):
    """Other names of the line's own numbers."""

    provider_control_number: Annotated[Text, nowhere()] = None
    repriced_line_item_ref_number: Annotated[Text, nowhere()] = None
    adjusted_repriced_line_item_ref_number: Annotated[Text, nowhere()] = None


class LineSupplement(Document):
    """Paperwork under an older name, and numbers that the guide has for whole claims only."""

    report_information: Annotated[ReportInformation | None, by_hand()] = None
    report_informations: Annotated[list[ReportInformation] | None, by_hand()] = None
    adjusted_repriced_claim_ref_number: Annotated[Text, nowhere()] = None
    auto_accident_state: Annotated[Text, nowhere()] = None
    claim_control_number: Annotated[Text, nowhere()] = None
    claim_number: Annotated[Text, nowhere()] = None
    demo_project_identifier: Annotated[Text, nowhere()] = None
    investigational_device_exemption_number: Annotated[Text, nowhere()] = None
    medical_record_number: Annotated[Text, nowhere()] = None
    peer_review_authorization_number: Annotated[Text, nowhere()] = None
    prior_authorization_number: Annotated[Text, nowhere()] = None
    referral_number: Annotated[Text, nowhere()] = None
    repriced_claim_number: Annotated[Text, nowhere()] = None
    service_authorization_exception_code: Annotated[Text, nowhere()] = None


class Pricing(Document):
    """HCP of a claim; the service that was approved has room on lines only."""

    pricing_methodology_code: Annotated[Text, at("HCP01")] = None
    repriced_allowed_amount: Annotated[Text, at("HCP02")] = None
    repriced_saving_amount: Annotated[Text, at("HCP03")] = None
    repriced_org_identifier: Annotated[Text, at("HCP04")] = None
    repriced_per_diem: Annotated[Text, at("HCP05")] = None
    repriced_approved_drg_code: Annotated[Text, at("HCP06")] = msgspec.field(
        default=None, name="repricedApprovedDRGCode"
    )
    repriced_approved_amount: Annotated[Text, at("HCP07")] = None
    repriced_approved_revenue_code: Annotated[Text, at("HCP08")] = None
    product_or_service_id_qualifier: Annotated[Text, nowhere()] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    repriced_approved_hcpcs_code: Annotated[Text, nowhere()] = msgspec.field(
        default=None, name="repricedApprovedHCPCSCode"
    )
    repriced_approved_service_unit_code: Annotated[Text, at("HCP11")] = None
    repriced_approved_service_unit_count: Annotated[Text, at("HCP12")] = None
    reject_reason_code: Annotated[Text, at("HCP13")] = None
    policy_compliance_code: Annotated[Text, at("HCP14")] = None
    exception_code: Annotated[Text, at("HCP15")] = None


class LinePricing(Pricing):
    """HCP of a line."""

    product_or_service_id_qualifier: Annotated[Text, at("HCP09")] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    repriced_approved_hcpcs_code: Annotated[Text, at("HCP10")] = msgspec.field(
        default=None, name="repricedApprovedHCPCSCode"
    )


class PricingAsBefore(Document):
    """HCP of a line under its older names, which are those of the professional claim."""

    pricing_methodology_code: Annotated[Text, nowhere()] = None
    repriced_allowed_amount: Annotated[Text, nowhere()] = None
    repriced_saving_amount: Annotated[Text, nowhere()] = None
    repriced_organization_identifier: Annotated[Text, nowhere()] = None
    flat_rate_amount: Annotated[Text, nowhere()] = None
    apg_code: Annotated[Text, nowhere()] = None
    apg_amount: Annotated[Text, nowhere()] = None
    service_id_qualifier: Annotated[Text, nowhere()] = None
    repriced_approved_hcpcs_code: Annotated[Text, nowhere()] = msgspec.field(
        default=None, name="repricedApprovedHCPCSCode"
    )
    measurement_unit_code: Annotated[Text, nowhere()] = None
    repriced_approved_service_unit_count: Annotated[Text, nowhere()] = None
    reject_reason_code: Annotated[Text, nowhere()] = None
    policy_compliance_code: Annotated[Text, nowhere()] = None
    exception_code: Annotated[Text, nowhere()] = None


_PRICING = {
    "repriced_organization_identifier": "repriced_org_identifier",
    "flat_rate_amount": "repriced_per_diem",
    "apg_code": "repriced_approved_drg_code",
    "apg_amount": "repriced_approved_amount",
    "service_id_qualifier": "product_or_service_id_qualifier",
    "measurement_unit_code": "repriced_approved_service_unit_code",
}


class InstitutionalDrug(Document):
    """Loop 2410."""

    national_drug_code: Annotated[Text, at("LIN03 LIN02~N4")] = None
    national_drug_unit_count: Annotated[Text, at("CTP04")] = None
    measurement_unit_code: Annotated[Text, at("CTP05-1")] = None
    link_sequence_number: Annotated[Text, at("REF[VY]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None


class LineProvider(Person):
    """Loops 2420A to 2420C. Its identifiers are a list, in which another payer may be named; the single names join it."""

    state_license_number: Text = None
    provider_upin_number: Text = None
    commercial_number: Text = None
    location_number: Text = None
    identification_qualifier_code: Annotated[Text, nowhere()] = None
    reference_identification: Annotated[list[LineIdentifier] | None, segments("REF")] = None


class LineReferring(LineProvider):
    """Loop 2420D."""

    location_number: Annotated[Text, nowhere()] = None


class InstitutionalAdjudication(Document):
    """Loop 2430: what another payer decided about the line."""

    other_payer_primary_identifier: Annotated[Text, at("SVD01")] = None
    service_line_paid_amount: Annotated[Text, at("SVD02")] = None
    product_or_service_id_qualifier: Annotated[Text, at("SVD03-1")] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    procedure_code: Annotated[Text, at("SVD03-2")] = None
    procedure_modifier: Annotated[list[str] | None, each("SVD03-3", 6)] = None
    procedure_code_description: Annotated[Text, at("SVD03-7")] = None
    service_line_revenue_code: Annotated[Text, at("SVD04")] = None
    paid_service_unit_count: Annotated[Text, at("SVD05")] = None
    bundled_line_number: Annotated[Text, at("SVD06")] = None
    line_adjustment: Annotated[list[InstitutionalAdjustment] | None, segments("CAS")] = None
    adjudication_or_payment_date: Annotated[Text, at("DTP[573]03 DTP02~D8")] = None
    remaining_patient_liability: Annotated[Text, at("AMT[EAF]02")] = None


class OneAdjustment(Document):
    """A CAS under its older name."""

    adjustment_group_code: Text = None
    claim_adjustment_details: list[AdjustmentDetail] | None = None


class AdjudicationAsBefore(Document):
    """One other payer's decision under its older names, which are those of the professional claim."""

    other_payer_primary_identifier: Text = None
    service_line_paid_amount: Text = None
    service_id_qualifier: Text = None
    procedure_code: Text = None
    procedure_modifiers: list[str] | None = None
    procedure_code_description: Text = None
    paid_service_unit_count: Text = None
    bundled_or_unbundled_line_number: Text = None
    claim_adjustment: OneAdjustment | None = None
    claim_paid_date: Text = None
    remaining_patient_liability: Text = None


_ADJUDICATION = {
    "service_id_qualifier": "product_or_service_id_qualifier",
    "procedure_modifiers": "procedure_modifier",
    "bundled_or_unbundled_line_number": "bundled_line_number",
    "claim_paid_date": "adjudication_or_payment_date",
}


class InstitutionalLine(Document):
    """Loop 2400. Of what the dialect can say in several ways, the fields with places are the ones that reading fills."""

    assigned_number: Annotated[Text, at("LX01")] = None
    institutional_service: InstitutionalService | None = None
    service_line_supplemental_informations: Annotated[list[ReportInformation] | None, segments("PWK")] = None
    service_line_supplemental_information: Annotated[ReportInformation | None, by_hand()] = None
    line_supplement_information: LineSupplement | None = None
    service_date: Annotated[Text, start_of("DTP[472]03")] = None
    service_date_end: Annotated[Text, end_of("DTP[472]03", since="serviceDate")] = None
    service_line_date_information: LineDates | None = None
    line_item_control_number: Annotated[Text, at("REF[6R]02")] = None
    repriced_line_item_reference_number: Annotated[Text, at("REF[9B]02")] = None
    adjusted_repriced_line_item_reference_number: Annotated[Text, at("REF[9D]02")] = None
    service_line_reference_information: LineReferences | None = None
    description: Annotated[Text, nowhere()] = None
    service_tax_amount: Annotated[Text, at("AMT[GT]02")] = None
    facility_tax_amount: Annotated[Text, at("AMT[N8]02")] = None
    third_party_organization_notes: Annotated[Text, at("NTE[TPO]02")] = None
    line_note_text: Annotated[Text, nowhere()] = None
    line_repricing_information: LinePricing | None = None
    line_pricing_information: PricingAsBefore | None = None
    drug_identification: Annotated[InstitutionalDrug | None, inside("2410")] = None
    operating_physician: Annotated[LineProvider | None, inside("2420A")] = None
    other_operating_physician: Annotated[LineProvider | None, inside("2420B")] = None
    rendering_provider: Annotated[LineProvider | None, inside("2420C")] = None
    referring_provider: Annotated[LineReferring | None, inside("2420D")] = None
    line_adjudication_information: Annotated[list[InstitutionalAdjudication] | None, inside("2430")] = None
    line_adjustment_information: Annotated[AdjudicationAsBefore | None, by_hand()] = None


# --- one way to say it -----------------------------------------------------------------------------------------------


def _with_report(
    listed: list[ReportInformation] | None, path: str, one: ReportInformation | None, written: str, aliases: Aliases
) -> list[ReportInformation] | None:
    """The paperwork with one more, which a caller named `written`, unless it is there already."""
    if one is None or one in (listed or ()):
        return listed
    listed = listed or []
    aliases.renamed[f"{path}[{len(listed)}]"] = written
    listed.append(one)
    return listed


def normalise_line(line: InstitutionalLine, number: int, aliases: Aliases) -> None:
    """Bring a line, the one with this number counted from 1, into the one form that reading gives."""
    path = f"claimInformation.serviceLines[{number - 1}]"
    line.assigned_number = line.assigned_number or str(number)
    service = line.institutional_service
    if service is not None and service.procedure_code:
        service.procedure_identifier = service.procedure_identifier or "HC"
    _normalise_paperwork(line, path, aliases)
    _normalise_numbers(line, path, aliases)
    _normalise_pricing(line, path, aliases)
    _normalise_adjudication(line, path, aliases)
    for name, json in _PROVIDERS.items():
        provider: LineProvider | None = getattr(line, name)
        if provider is not None:
            provider.provider_type = None
            _list_identifiers(provider, f"{path}.{json}", aliases)


def _normalise_paperwork(line: InstitutionalLine, path: str, aliases: Aliases) -> None:
    listed, into = line.service_line_supplemental_informations, f"{path}.serviceLineSupplementalInformations"
    supplement, older = line.line_supplement_information, f"{path}.lineSupplementInformation"
    one = line.service_line_supplemental_information
    listed = _with_report(listed, into, one, f"{path}.serviceLineSupplementalInformation", aliases)
    line.service_line_supplemental_information = None
    if supplement is not None:
        listed = _with_report(listed, into, supplement.report_information, f"{older}.reportInformation", aliases)
        for index, report in enumerate(supplement.report_informations or ()):
            listed = _with_report(listed, into, report, f"{older}.reportInformations[{index}]", aliases)
        supplement.report_information = supplement.report_informations = None
        if supplement == LineSupplement():
            line.line_supplement_information = None
    line.service_line_supplemental_informations = listed


def _normalise_numbers(line: InstitutionalLine, path: str, aliases: Aliases) -> None:
    dates, numbers = line.service_line_date_information, line.service_line_reference_information
    if dates is not None:
        older = f"{path}.serviceLineDateInformation"
        for name, into in (
            ("service_date", "service_date"),
            ("begin_service_date", "service_date"),
            ("end_service_date", "service_date_end"),
        ):
            aliases.move(dates, name, older, line, into, path)
        if dates == LineDates():
            line.service_line_date_information = None
    if numbers is not None:
        older = f"{path}.serviceLineReferenceInformation"
        for name, into in (
            ("provider_control_number", "line_item_control_number"),
            ("repriced_line_item_ref_number", "repriced_line_item_reference_number"),
            ("adjusted_repriced_line_item_ref_number", "adjusted_repriced_line_item_reference_number"),
        ):
            aliases.move(numbers, name, older, line, into, path)
        if numbers == LineReferences():
            line.service_line_reference_information = None
    aliases.move(line, "line_note_text", path, line, "third_party_organization_notes", path)


def _normalise_pricing(line: InstitutionalLine, path: str, aliases: Aliases) -> None:
    older = line.line_pricing_information
    if older is None:
        return
    pricing = line.line_repricing_information = line.line_repricing_information or LinePricing()
    for name in older.__struct_fields__:
        into = _PRICING.get(name, name)
        aliases.move(older, name, f"{path}.linePricingInformation", pricing, into, f"{path}.lineRepricingInformation")
    if older == PricingAsBefore():
        line.line_pricing_information = None


def _normalise_adjudication(line: InstitutionalLine, path: str, aliases: Aliases) -> None:
    older, service = line.line_adjustment_information, line.institutional_service
    if older is not None:
        listed = line.line_adjudication_information = line.line_adjudication_information or []
        made, into = InstitutionalAdjudication(), f"{path}.lineAdjudicationInformation[{len(listed)}]"
        written = f"{path}.lineAdjustmentInformation"
        if older.claim_adjustment is not None:
            one = older.claim_adjustment
            made.line_adjustment = [
                InstitutionalAdjustment(
                    adjustment_group_code=one.adjustment_group_code,
                    claim_adjustment_details=one.claim_adjustment_details,
                )
            ]
            aliases.renamed[f"{into}.lineAdjustment[0]"] = f"{written}.claimAdjustment"
        for name in older.__struct_fields__:
            if name != "claim_adjustment":
                aliases.move(older, name, written, made, _ADJUDICATION.get(name, name), into)
        aliases.renamed[into] = written
        listed.append(made)
        line.line_adjustment_information = None
    for decided in line.line_adjudication_information or ():
        if service is not None:
            decided.service_line_revenue_code = decided.service_line_revenue_code or service.service_line_revenue_code
        if decided.procedure_code:
            decided.product_or_service_id_qualifier = decided.product_or_service_id_qualifier or "HC"


def _list_identifiers(provider: LineProvider, path: str, aliases: Aliases) -> None:
    """The identifiers that have names of their own, and the one with a qualifier, join the list."""
    said = [
        (name, json, qualifier, getattr(provider, name))
        for name, (json, qualifier) in _NAMED_IDENTIFIERS.items()
        if qualifier != "LU" or not isinstance(provider, LineReferring)
    ]
    qualifier = provider.secondary_identification_qualifier_code or provider.identification_qualifier_code
    said.append(("secondary_identifier", "secondaryIdentifier", qualifier or "", provider.secondary_identifier))
    provider.secondary_identification_qualifier_code = provider.identification_qualifier_code = None
    for name, json, kind, value in said:
        if value is None:
            continue
        listed = provider.reference_identification = provider.reference_identification or []
        setattr(provider, name, None)
        if not any(i.qualifier == kind and i.identifier == value for i in listed):
            for part in ("qualifier", "identifier"):
                aliases.renamed[f"{path}.referenceIdentification[{len(listed)}].{part}"] = f"{path}.{json}"
            listed.append(LineIdentifier(qualifier=kind or None, identifier=value))

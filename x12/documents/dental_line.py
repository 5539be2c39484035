"""A service line of the dental claim: loop 2400 of 005010X224A2 and the loops inside it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from x12.documents.binding import Document, Text, at, each, inside, nowhere, segments
from x12.documents.claim_parts import LineIdentifier, one_name
from x12.documents.parts import PostalAddress, Renamed
from x12.documents.service_line import (
    Contract,
    LineAdjudication,
    LineRenderingProvider,
    LineSupervisingProvider,
    Pricing,
    PriorAuthorization,
    list_identifiers,
)

__all__ = ["DentalLine", "normalise_line"]


class DiagnosisPointers(Document):
    """SV311: which of the claim's diagnoses, counted from 1."""

    diagnosis_code_pointers: Annotated[list[str] | None, each("SV311-1", 4)] = None


class DentalService(Document):
    """SV3; the procedure is one of the ADA's (AD)."""

    procedure_code: Annotated[Text, at("SV301-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV301-3", 6)] = None
    description: Annotated[Text, at("SV301-7")] = None
    line_item_charge_amount: Annotated[Text, at("SV302")] = None
    place_of_service_code: Annotated[Text, at("SV303")] = None
    oral_cavity_designation: Annotated[list[str] | None, each("SV304-1", 5)] = None
    prosthesis_crown_or_inlay_code: Annotated[Text, at("SV305")] = None
    procedure_count: Annotated[int | None, at("SV306")] = None
    composite_diagnosis_code_pointers: DiagnosisPointers | None = None


class Tooth(Document):
    """TOO: a tooth that was treated, and its surfaces."""

    tooth_code: Annotated[Text, at("TOO02")] = None
    tooth_surface_codes: Annotated[list[str] | None, each("TOO03-1", 5)] = None


class LineDates(Document):
    """DTP of a line but for its service date. A prior placement is known (441) or estimated (139): the guide has room for one."""

    prior_placement_date: Annotated[Text, at("DTP[441]03 DTP02~D8")] = None
    estimated_prior_placement_date: Annotated[Text, at("DTP[139]03 DTP02~D8")] = None
    appliance_date: Annotated[Text, at("DTP[452]03 DTP02~D8")] = None
    replacement_date: Annotated[Text, at("DTP[446]03 DTP02~D8")] = None
    treatment_start_date: Annotated[Text, at("DTP[196]03 DTP02~D8")] = None
    treatment_completion_date: Annotated[Text, at("DTP[198]03 DTP02~D8")] = None


class Predetermination(Document):
    """REF*G3: what a payer determined before the treatment; the payer is named where it is not the claim's."""

    predetermination_of_benefits: Annotated[Text, at("REF02")] = None
    other_payer_primary_identifier: Annotated[Text, at("REF04-2 REF04-1~2U")] = None


class LineReferences(Document):
    """REF of a line."""

    predetermination_of_benefits: Annotated[list[Predetermination] | None, segments("REF[G3]")] = None
    prior_authorization: Annotated[list[PriorAuthorization] | None, segments("REF[G1]")] = None
    repriced_line_item_reference_number: Annotated[Text, at("REF[9A]02")] = None
    adjusted_repriced_line_item_reference_number: Annotated[Text, at("REF[9C]02")] = None
    referral_number: Annotated[list[str] | None, segments("REF[9F]02")] = None


class DentalPricing(Pricing):
    """HCP of a line, with the service that was approved."""

    repriced_approved_ambulatory_patient_group_code: Annotated[Text, nowhere()] = None
    repriced_approved_ambulatory_patient_group_amount: Annotated[Text, nowhere()] = None
    service_id_qualifier: Annotated[Text, at("HCP09")] = None
    repriced_approved_hcpcs_code: Annotated[Text, at("HCP10")] = msgspec.field(
        default=None, name="repricedApprovedHCPCSCode"
    )
    measurement_unit_code: Annotated[Text, at("HCP11")] = None
    repriced_approved_service_unit_count: Annotated[int | None, at("HCP12")] = None


class LineAssistantSurgeon(LineSupervisingProvider):
    """Loop 2420B: a person."""

    taxonomy_code: Annotated[Text, at("PRV[AS]03 PRV02~PXC")] = None


class LineFacility(Document):
    """Loop 2420D: where the service was given, if not where the claim says. The single numbers join the list."""

    organization_name: Annotated[Text, at("NM103")] = None
    npi: Annotated[Text, at("NM109 NM108~XX")] = None
    address: PostalAddress | None = None
    provider_upin_number: Text = None
    commercial_number: Text = None
    location_number: Text = None
    other_identifier: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[list[LineIdentifier] | None, segments("REF")] = None


class DentalLine(Document):
    """Loop 2400."""

    assigned_number: Annotated[Text, at("LX01")] = None
    dental_service: DentalService | None = None
    teeth_information: Annotated[list[Tooth] | None, segments("TOO")] = None
    service_date: Annotated[Text, at("DTP[472]03 DTP02~D8")] = None
    service_line_date_information: LineDates | None = None
    contract_information: Contract | None = None
    service_line_reference_information: LineReferences | None = None
    provider_control_number: Annotated[Text, at("REF[6R]02")] = None
    sales_tax_amount: Annotated[Text, at("AMT[T]02")] = None
    postage_tax_amount: Annotated[Text, nowhere()] = None
    file_information: Annotated[list[str] | None, segments("K301")] = None
    line_pricing_repricing_information: DentalPricing | None = None
    rendering_provider: Annotated[LineRenderingProvider | None, inside("2420A")] = None
    assistant_surgeon: Annotated[LineAssistantSurgeon | None, inside("2420B")] = None
    supervising_provider: Annotated[LineSupervisingProvider | None, inside("2420C")] = None
    service_facility_location: Annotated[LineFacility | None, inside("2420D")] = None
    line_adjudication_information: Annotated[list[LineAdjudication] | None, inside("2430")] = None


def normalise_line(line: DentalLine, number: int, renamed: Renamed) -> None:
    """Bring a line, the one with this number counted from 1, into the one form that reading gives."""
    line.assigned_number = line.assigned_number or str(number)
    path = f"claimInformation.serviceLines[{number - 1}]"
    people = (
        ("renderingProvider", line.rendering_provider),
        ("assistantSurgeon", line.assistant_surgeon),
        ("supervisingProvider", line.supervising_provider),
    )
    for name, provider in people:
        if provider is not None:
            provider.provider_type = None
            one_name(provider)
            list_identifiers(provider, f"{path}.{name}", renamed)
    if line.service_facility_location is not None:
        list_identifiers(line.service_facility_location, f"{path}.serviceFacilityLocation", renamed)

"""What the institutional claim has of its own: parties, other payers, and how what the dialect says twice becomes one.

Sources: 005010X223A2; names: the dialect's `institutional-claim-request`. What all claims share is in `claim_parts`.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec

from x12.documents.binding import Document, Text, at, groups, inside, nowhere, segments, spread
from x12.documents.claim_parts import (
    AdjustmentDetail,
    BillingProvider,
    ContactInformation,
    Dependent,
    Identifier,
    MedicareOutpatientAdjudication,
    OtherPayerName,
    PhoneContact,
    Provider,
    Subscriber,
)
from x12.documents.parts import PostalAddress, Renamed

__all__ = [
    "Aliases",
    "Attending",
    "Facility",
    "InstitutionalAdjustment",
    "InstitutionalBilling",
    "InstitutionalDependent",
    "InstitutionalOtherSubscriber",
    "InstitutionalProvider",
    "InstitutionalReceiver",
    "InstitutionalSubmitter",
    "InstitutionalSubscriber",
    "Operating",
    "PayToAddress",
    "PayToPlanName",
    "Person",
    "Referring",
    "WithLocation",
    "name_identifier",
    "normalise_other",
]


# --- one way to say it -----------------------------------------------------------------------------------------------


@cache
def _json_names(cls: type[Document]) -> dict[str, str]:
    return {f.name: f.encode_name for f in msgspec.structs.fields(cls)}


def _path(path: str, document: Document, name: str) -> str:
    json = _json_names(type(document))[name]
    return f"{path}.{json}" if path else json


class Aliases:
    """Moves what is said under another name to the field that reading fills, and remembers the caller's path."""

    def __init__(self, renamed: Renamed) -> None:
        self.renamed = renamed

    def move(
        self, source: Document, name: str, source_path: str, target: Document, into: str, target_path: str
    ) -> None:
        """Move a value, unless its field is filled: then it stays, and writing tells that it was not sent."""
        value = getattr(source, name)
        if value is None or getattr(target, into) not in (None, value):
            return
        if getattr(target, into) is None:
            setattr(target, into, value)
            written = self.renamed.get(source_path, source_path)
            self.renamed[_path(target_path, target, into)] = _path(written, source, name)
        setattr(source, name, None)


# REF01 -> the field that has a name of its own.
_NAMED = {
    "0B": "state_license_number",
    "1G": "provider_upin_number",
    "G2": "commercial_number",
    "LU": "location_number",
}


def name_identifier(
    party: InstitutionalProvider | InstitutionalBilling | Facility, path: str, aliases: Aliases
) -> None:
    """Give `secondaryIdentifier` the name that its qualifier stands for."""
    kinds = [
        n for n in ("secondary_identification_qualifier_code", "identification_qualifier_code") if hasattr(party, n)
    ]
    qualifier = next((q for n in kinds if (q := getattr(party, n))), "")
    into = _NAMED.get(qualifier)
    if into is not None and hasattr(party, into):
        aliases.move(party, "secondary_identifier", path, party, into, path)
    if party.secondary_identifier is None:
        for name in kinds:
            setattr(party, name, None)


# --- who sends, who receives, who is paid ----------------------------------------------------------------------------


class InstitutionalSubmitter(Document):
    """Loop 1000A."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    tax_id: Annotated[Text, at("NM109 NM108~46")] = None
    contact_information: ContactInformation | None = None


class InstitutionalReceiver(Document):
    """Loop 1000B. `tax_id` is another name of `receiver_id`."""

    organization_name: Annotated[Text, at("NM103")] = None
    receiver_id: Annotated[Text, at("NM109 NM108~46")] = None
    tax_id: Annotated[Text, nowhere()] = None


class PayToAddress(Document):
    """Loop 2010AB."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    address: PostalAddress | None = None


class PayToPlanName(Document):
    """Loop 2010AC: a plan to pay instead of the billing provider."""

    organization_name: Annotated[Text, at("NM103")] = None
    identification_code_qualifier: Annotated[Text, at("NM108")] = None
    identification_code: Annotated[Text, at("NM109")] = None
    address: PostalAddress | None = None
    payer_identification_number: Annotated[Text, at("REF[2U]02")] = None
    claim_office_number: Annotated[Text, at("REF[FY]02")] = None
    naic: Annotated[Text, at("REF[NF]02")] = None
    tax_id: Annotated[Text, at("REF[EI]02")] = None


class InstitutionalSubscriber(Subscriber):
    """Loop 2010BA, SBR of loop 2000B."""

    member_id: Annotated[Text, at("NM109 NM108=MI")] = None
    standard_health_id: Annotated[Text, at("NM109 NM108=II")] = None
    insurance_type_code: Annotated[Text, nowhere()] = None
    contact_information: Annotated[PhoneContact | None, nowhere()] = None


class InstitutionalDependent(Dependent):
    """Loop 2010CA, PAT of loop 2000C."""

    contact_information: Annotated[PhoneContact | None, nowhere()] = None


# --- providers -------------------------------------------------------------------------------------------------------


class InstitutionalProvider(Provider):
    """What the dialect says of any provider. `secondary_identifier` joins the identifiers that have names of their own."""

    secondary_identification_qualifier_code: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[Text, nowhere()] = None


class InstitutionalBilling(BillingProvider):
    """Loop 2010AA, PRV and CUR of loop 2000A: an organization, with its tax number only.

    The numbers that the payer gave it are in `BillingAtPayer`.
    """

    organization_name: Annotated[Text, at("NM103")] = None
    last_name: Annotated[Text, nowhere()] = None
    first_name: Annotated[Text, nowhere()] = None
    middle_name: Annotated[Text, nowhere()] = None
    suffix: Annotated[Text, nowhere()] = None
    ssn: Annotated[Text, nowhere()] = None
    state_license_number: Annotated[Text, nowhere()] = None
    provider_upin_number: Annotated[Text, nowhere()] = None
    secondary_identification_qualifier_code: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[Text, nowhere()] = None


class Person(InstitutionalProvider):
    """A provider whose loop has room for persons only."""

    organization_name: Annotated[Text, nowhere()] = None
    last_name: Annotated[Text, at("NM103")] = None


class Referring(Person):
    """Loop 2310F."""


class WithLocation(Person):
    """Loop 2310D, and what the loops of attending and operating physicians have alike."""

    location_number: Annotated[Text, at("REF[LU]02")] = None


class Attending(WithLocation):
    """Loop 2310A."""

    taxonomy_code: Annotated[Text, at("PRV[AT]03 PRV02~PXC")] = None


class Operating(WithLocation):
    """Loops 2310B and 2310C."""

    identification_qualifier_code: Annotated[Text, nowhere()] = None


class Facility(Document):
    """Loop 2310E: where the service was given."""

    organization_name: Annotated[Text, at("NM103")] = None
    identification_code: Annotated[Text, at("NM109 NM108~XX")] = None
    address: PostalAddress | None = None
    state_license_number: Annotated[Text, at("REF[0B]02")] = None
    commercial_number: Annotated[Text, at("REF[G2]02")] = None
    location_number: Annotated[Text, at("REF[LU]02")] = None
    secondary_identification_qualifier_code: Annotated[Text, nowhere()] = None
    secondary_identifier: Annotated[Text, nowhere()] = None


# --- other payers ----------------------------------------------------------------------------------------------------


class InstitutionalAdjustment(Document):
    """CAS: why a payer paid another amount than was charged."""

    adjustment_group_code: Annotated[Text, at("CAS01")] = None
    claim_adjustment_details: Annotated[list[AdjustmentDetail] | None, groups("CAS02", 3, 19)] = None


class InpatientAdjudication(Document):
    """MIA. The dialect calls two amounts by almost one name: the one with small letters is MIA09."""

    covered_days_or_visits_count: Annotated[Text, at("MIA01")] = None
    lifetime_psychiatric_days_count: Annotated[Text, at("MIA03")] = None
    claim_drg_amount: Annotated[Text, at("MIA04")] = msgspec.field(default=None, name="claimDRGAmount")
    claim_payment_remark_code: Annotated[list[str] | None, spread("MIA05", 20, 21, 22, 23)] = None
    claim_disproportionate_share_amount: Annotated[Text, at("MIA06")] = None
    claim_msp_pass_through_amount: Annotated[Text, at("MIA07")] = None
    claim_pps_capital_amount: Annotated[Text, at("MIA08")] = None
    pps_capital_hsp_drg_amount: Annotated[Text, at("MIA09")] = None
    capital_hspdrg_amount: Annotated[Text, at("MIA10")] = msgspec.field(default=None, name="capitalHSPDRGAmount")
    pps_capital_dsh_drg_amount: Annotated[Text, at("MIA11")] = None
    old_capital_amount: Annotated[Text, at("MIA12")] = None
    pps_capital_ime_amount: Annotated[Text, at("MIA13")] = None
    pps_operating_hospital_specific_drg_amount: Annotated[Text, at("MIA14")] = None
    cost_report_day_count: Annotated[Text, at("MIA15")] = None
    pps_operating_federal_specific_drg_amount: Annotated[Text, at("MIA16")] = None
    claim_pps_capital_outlier_ammount: Annotated[Text, at("MIA17")] = None
    claim_indirect_teaching_amount: Annotated[Text, at("MIA18")] = None
    non_payable_professional_component_billed_amount: Annotated[Text, at("MIA19")] = None
    capital_exception_amount: Annotated[Text, at("MIA24")] = None


class InsuredName(Document):
    """Loop 2330A. `first_name` is another name of `other_insured_first_name`."""

    other_insured_qualifier: Annotated[Text, at("NM102")] = None
    other_insured_last_name: Annotated[Text, at("NM103")] = None
    other_insured_first_name: Annotated[Text, at("NM104")] = None
    other_insured_middle_name: Annotated[Text, at("NM105")] = None
    other_insured_suffix: Annotated[Text, at("NM107")] = None
    other_insured_identifier_type_code: Annotated[Text, at("NM108")] = None
    other_insured_identifier: Annotated[Text, at("NM109")] = None
    address: PostalAddress | None = None
    other_insured_additional_identifier: Annotated[list[str] | None, segments("REF[SY]02")] = None
    first_name: Annotated[Text, nowhere()] = None


class OtherPayerAttending(Document):
    """Loop 2330C."""

    other_payer_attending_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerOperating(Document):
    """Loop 2330D."""

    other_payer_operating_physician_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerOtherOperating(Document):
    """Loop 2330E."""

    other_payer_other_operating_physician_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerFacility(Document):
    """Loop 2330F."""

    other_payer_service_facility_location_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerRendering(Document):
    """Loop 2330G."""

    other_payer_rendering_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerReferring(Document):
    """Loop 2330H."""

    other_payer_referring_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerBilling(Document):
    """Loop 2330I."""

    other_payer_billing_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class InstitutionalOtherSubscriber(Document):
    """Loop 2320: another insurance of the patient, and what it paid. SBR03 is the group number, else a policy number."""

    payment_responsibility_level_code: Annotated[Text, at("SBR01")] = None
    individual_relationship_code: Annotated[Text, at("SBR02")] = None
    group_number: Annotated[Text, at("SBR03")] = None
    policy_number: Annotated[Text, nowhere()] = None
    other_insured_group_name: Annotated[Text, at("SBR04")] = None
    claim_filing_indicator_code: Annotated[Text, at("SBR09")] = None
    claim_level_adjustments: Annotated[list[InstitutionalAdjustment] | None, segments("CAS")] = None
    payer_paid_amount: Annotated[Text, at("AMT[D]02")] = None
    remaining_patient_liability: Annotated[Text, at("AMT[EAF]02")] = None
    non_covered_charge_amount: Annotated[Text, at("AMT[A8]02")] = None
    benefits_assignment_certification_indicator: Annotated[Text, at("OI03")] = None
    release_of_information_code: Annotated[Text, at("OI06")] = None
    medicare_inpatient_adjudication: InpatientAdjudication | None = None
    medicare_outpatient_adjudication: MedicareOutpatientAdjudication | None = None
    other_subscriber_name: Annotated[InsuredName | None, inside("2330A")] = None
    other_payer_name: Annotated[OtherPayerName | None, inside("2330B")] = None
    other_payer_attending_provider: Annotated[OtherPayerAttending | None, inside("2330C")] = None
    other_payer_operating_physician: Annotated[OtherPayerOperating | None, inside("2330D")] = None
    other_payer_other_operating_physician: Annotated[OtherPayerOtherOperating | None, inside("2330E")] = None
    other_payer_service_facility_location: Annotated[OtherPayerFacility | None, inside("2330F")] = None
    other_payer_rendering_provider: Annotated[OtherPayerRendering | None, inside("2330G")] = None
    other_payer_referring_provider: Annotated[OtherPayerReferring | None, inside("2330H")] = None
    other_payer_billing_provider: Annotated[OtherPayerBilling | None, inside("2330I")] = None


def normalise_other(other: InstitutionalOtherSubscriber, path: str, aliases: Aliases) -> None:
    """Bring another insurance into the one form that reading gives."""
    aliases.move(other, "policy_number", path, other, "group_number", path)
    name, payer = other.other_subscriber_name, other.other_payer_name
    name_path = f"{path}.otherSubscriberName"
    if name is not None:
        aliases.move(name, "first_name", name_path, name, "other_insured_first_name", name_path)
    misplaced = payer.other_insured_additional_identifier if payer is not None else None
    if payer is None or name is None or misplaced is None:
        return
    listed = name.other_insured_additional_identifier = name.other_insured_additional_identifier or []
    if misplaced not in listed:
        aliases.renamed[f"{name_path}.otherInsuredAdditionalIdentifier[{len(listed)}]"] = (
            f"{path}.otherPayerName.otherInsuredAdditionalIdentifier"
        )
        listed.append(misplaced)
    payer.other_insured_additional_identifier = None

"""What the claims (837) share: parties, the subscriber and the dependent, other payers, adjustments, and how the dialect's
several ways to say the same become one.

Sources: 005010X222A1 (and 005010X223A2, 005010X224A2 where a struct serves them); names: the dialect's claim requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Protocol, TypeVar

from x12.documents.binding import (
    Document,
    Text,
    at,
    contact,
    each,
    flag,
    groups,
    inside,
    nowhere,
    read,
    segments,
)
from x12.documents.parts import Header, PostalAddress, Renamed
from x12.documents.writing import DraftLoop, Writer
from x12.finding import Finding
from x12.walk import Instance

__all__ = [
    "Adjustment",
    "AdjustmentDetail",
    "BillingAtPayer",
    "BillingProvider",
    "ContactInformation",
    "Dependent",
    "DropOffLocation",
    "Identifier",
    "LineIdentifier",
    "MedicareOutpatientAdjudication",
    "OrderingProvider",
    "OtherCoverage",
    "OtherPayerBillingProvider",
    "OtherPayerName",
    "OtherPayerReferringProvider",
    "OtherPayerRenderingProvider",
    "OtherPayerServiceFacility",
    "OtherPayerSupervisingProvider",
    "OtherSubscriber",
    "OtherSubscriberName",
    "PayToPlan",
    "PayerIdentifiers",
    "PhoneContact",
    "Provider",
    "Receiver",
    "ReferringProvider",
    "RenderingProvider",
    "ReportInformation",
    "ServiceFacility",
    "Submitter",
    "Subscriber",
    "SupervisingProvider",
    "assign_providers",
    "complete_parties",
    "list_file_information",
    "list_report",
    "normalise_billing",
    "normalise_subscriber",
    "one_name",
    "open_claim",
    "provider_as",
    "read_billing_at_payer",
    "unassigned_findings",
    "write_billing_at_payer",
]

# --- contacts and identifiers --------------------------------------------------------------------------------------


class ContactInformation(Document):
    """PER: whom to reach and how; the telephone comes first, its extension after it."""

    name: Annotated[Text, at("PER02")] = None
    phone_number: Annotated[Text, contact("PER", "TE")] = None
    phone_extension: Annotated[Text, contact("PER", "EX")] = None
    fax_number: Annotated[Text, contact("PER", "FX")] = None
    email: Annotated[Text, contact("PER", "EM")] = None


class PhoneContact(ContactInformation):
    """PER of a patient: a telephone only."""

    fax_number: Annotated[Text, nowhere()] = None
    email: Annotated[Text, nowhere()] = None


class Identifier(Document):
    """One REF: what kind of identifier, and the identifier."""

    qualifier: Annotated[Text, at("REF01")] = None
    identifier: Annotated[Text, at("REF02")] = None
    other_identifier: Annotated[Text, nowhere()] = None


class LineIdentifier(Identifier):
    """One REF of a service line's provider; `other_identifier` names the other payer that gave it."""

    other_identifier: Annotated[Text, at("REF04-2 REF04-1~2U")] = None


class ReportInformation(Document):
    """PWK: paperwork that supports the claim and how it comes."""

    attachment_report_type_code: Annotated[Text, at("PWK01")] = None
    attachment_transmission_code: Annotated[Text, at("PWK02")] = None
    attachment_control_number: Annotated[Text, at("PWK06 PWK05~AC")] = None
    attachment_id: Annotated[
        Text,
        nowhere("names an attachment, and none is kept here: send it yourself and give its attachmentControlNumber"),
    ] = None


class AdjustmentDetail(Document):
    """Three elements of a CAS."""

    adjustment_reason_code: Annotated[Text, at("@01")] = None
    adjustment_amount: Annotated[Text, at("@02")] = None
    adjustment_quantity: Annotated[Text, at("@03")] = None


class Adjustment(Document):
    """CAS: why a payer paid another amount than was charged."""

    adjustment_group_code: Annotated[Text, at("CAS01")] = None
    adjustment_details: Annotated[list[AdjustmentDetail] | None, groups("CAS02", 3, 19)] = None


# --- who sends and receives ----------------------------------------------------------------------------------------


class Submitter(Document):
    """Loop 1000A."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    submitter_identification: Annotated[Text, at("NM109 NM108~46")] = None
    contact_information: ContactInformation | None = None


class Receiver(Document):
    """Loop 1000B."""

    organization_name: Annotated[Text, at("NM103")] = None
    receiver_id: Annotated[Text, at("NM109 NM108~46")] = None


class PayerIdentifiers(Document):
    """More identifiers of the payer: REF of loop 2010BB."""

    payer_identification_number: Annotated[Text, at("REF[2U]02")] = None
    employer_identification_number: Annotated[Text, at("REF[EI]02")] = None
    claim_office_number: Annotated[Text, at("REF[FY]02")] = None
    naic: Annotated[Text, at("REF[NF]02")] = None


class PayToPlan(Document):
    """Loop 2010AC: a plan to pay instead of the billing provider."""

    organization_name: Annotated[Text, at("NM103")] = None
    primary_identifier_type_code: Annotated[Text, at("NM108")] = None
    primary_identifier: Annotated[Text, at("NM109")] = None
    address: PostalAddress | None = None
    secondary_identifier_type_code: Annotated[Text, at("REF[2U,FY,NF]01")] = None
    secondary_identifier: Annotated[Text, at("REF[2U,FY,NF]02")] = None
    tax_identification_number: Annotated[Text, at("REF[EI]02")] = None


# --- providers -----------------------------------------------------------------------------------------------------


class Provider(Document):
    """What the dialect says of any provider; the subclasses say where their loop has room for it."""

    provider_type: Text = None
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    npi: Annotated[Text, at("NM109 NM108~XX")] = None
    taxonomy_code: Annotated[Text, nowhere()] = None
    state_license_number: Annotated[Text, at("REF[0B]02")] = None
    provider_upin_number: Annotated[Text, at("REF[1G]02")] = None
    commercial_number: Annotated[Text, at("REF[G2]02")] = None
    location_number: Annotated[Text, nowhere()] = None
    address: Annotated[PostalAddress | None, nowhere()] = None
    contact_information: Annotated[ContactInformation | None, nowhere()] = None
    employer_id: Annotated[Text, nowhere()] = None
    ssn: Annotated[Text, nowhere()] = None
    employer_identification_number: Annotated[Text, nowhere()] = None
    payer_identification_number: Annotated[Text, nowhere()] = None
    claim_office_number: Annotated[Text, nowhere()] = None
    naic: Annotated[Text, nowhere()] = None


class BillingProvider(Provider):
    """Loop 2010AA, PRV and CUR of loop 2000A; the numbers that the payer gave this provider are in `BillingAtPayer`."""

    currency_code: Annotated[Text, at("2000A CUR02")] = None
    taxonomy_code: Annotated[Text, at("2000A PRV[BI]03 PRV02~PXC")] = None
    commercial_number: Text = None
    location_number: Text = None
    address: PostalAddress | None = None
    contact_information: ContactInformation | None = None
    employer_id: Annotated[Text, at("REF[EI]02")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None


class BillingAtPayer(Document):
    """What the payer calls the billing provider: REF of loop 2010BB."""

    commercial_number: Annotated[Text, at("2010BB REF[G2]02")] = None
    location_number: Annotated[Text, at("2010BB REF[LU]02")] = None


class RenderingProvider(Provider):
    """Loop 2310B."""

    taxonomy_code: Annotated[Text, at("PRV[PE]03 PRV02~PXC")] = None
    location_number: Annotated[Text, at("REF[LU]02")] = None


class ReferringProvider(Provider):
    """Loop 2310A: a person."""

    organization_name: Annotated[Text, nowhere()] = None
    last_name: Annotated[Text, at("NM103")] = None


class SupervisingProvider(ReferringProvider):
    """Loop 2310D: a person."""

    location_number: Annotated[Text, at("REF[LU]02")] = None


class OrderingProvider(ReferringProvider):
    """Loop 2420E, which only service lines have: a person."""

    address: PostalAddress | None = None
    contact_information: ContactInformation | None = None


class DropOffLocation(PostalAddress):
    """Loop 2310F or 2420H."""

    name: Annotated[Text, at("NM103")] = None


class ServiceFacility(Document):
    """Loop 2310C: where the service was given."""

    organization_name: Annotated[Text, at("NM103")] = None
    npi: Annotated[Text, at("NM109 NM108~XX")] = None
    address: PostalAddress | None = None
    phone_name: Annotated[Text, at("PER02")] = None
    phone_number: Annotated[Text, contact("PER", "TE")] = None
    phone_extension: Annotated[Text, contact("PER", "EX")] = None
    secondary_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


# --- who was treated -----------------------------------------------------------------------------------------------


class _Person(Document):
    """What subscriber and dependent have in common."""

    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    address: PostalAddress | None = None
    date_of_birth: Annotated[Text, at("DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("DMG03")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None
    contact_information: PhoneContact | None = None


class Subscriber(_Person):
    """Loop 2010BA, SBR of loop 2000B. SBR03 is the group number; a policy number takes its place where there is none."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    member_id: Annotated[Text, at("NM109 NM108~MI")] = None
    payment_responsibility_level_code: Annotated[Text, at("2000B SBR01")] = None
    group_number: Annotated[Text, at("2000B SBR03")] = None
    policy_number: Annotated[Text, nowhere()] = None
    subscriber_group_name: Annotated[Text, at("2000B SBR04")] = None
    insurance_type_code: Annotated[Text, at("2000B SBR05")] = None


class Dependent(_Person):
    """Loop 2010CA, PAT of loop 2000C."""

    member_id: Annotated[Text, at("REF[1W]02")] = None
    relationship_to_subscriber_code: Annotated[Text, at("2000C PAT01")] = None


# --- other payers --------------------------------------------------------------------------------------------------


class OtherSubscriberName(Document):
    """Loop 2330A."""

    other_insured_qualifier: Annotated[Text, at("NM102")] = None
    other_insured_last_name: Annotated[Text, at("NM103")] = None
    other_insured_first_name: Annotated[Text, at("NM104")] = None
    other_insured_middle_name: Annotated[Text, at("NM105")] = None
    other_insured_name_suffix: Annotated[Text, at("NM107")] = None
    other_insured_identifier_type_code: Annotated[Text, at("NM108")] = None
    other_insured_identifier: Annotated[Text, at("NM109")] = None
    other_insured_address: PostalAddress | None = None
    other_insured_additional_identifier: Annotated[Text, at("REF[SY]02")] = None


class OtherPayerName(Document):
    """Loop 2330B. `other_insured_additional_identifier` belongs to `OtherSubscriberName`; older clients send it here."""

    other_payer_organization_name: Annotated[Text, at("NM103")] = None
    other_payer_identifier_type_code: Annotated[Text, at("NM108")] = None
    other_payer_identifier: Annotated[Text, at("NM109")] = None
    other_payer_address: PostalAddress | None = None
    other_payer_adjudication_or_payment_date: Annotated[Text, at("DTP[573]03 DTP02~D8")] = None
    other_payer_secondary_identifier: Annotated[list[Identifier] | None, segments("REF[2U,EI,FY,NF]")] = None
    other_payer_prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    other_payer_prior_authorization_or_referral_number: Annotated[Text, at("REF[9F]02")] = None
    other_payer_claim_adjustment_indicator: Annotated[bool | None, flag("REF[T4]02")] = None
    other_payer_claim_control_number: Annotated[Text, at("REF[F8]02")] = None
    other_insured_additional_identifier: Annotated[Text, nowhere()] = None


class OtherPayerReferringProvider(Document):
    """Loop 2330C."""

    other_payer_referring_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerRenderingProvider(Document):
    """Loop 2330D."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    other_payer_rendering_provider_secondary_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerServiceFacility(Document):
    """Loop 2330E."""

    other_payer_service_facility_location_secondary_identifier: Annotated[list[Identifier] | None, segments("REF")] = (
        None
    )


class OtherPayerSupervisingProvider(Document):
    """Loop 2330F."""

    other_payer_supervising_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class OtherPayerBillingProvider(Document):
    """Loop 2330G."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    other_payer_billing_provider_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class MedicareOutpatientAdjudication(Document):
    """MOA."""

    reimbursement_rate: Annotated[Text, at("MOA01")] = None
    hcpcs_payable_amount: Annotated[Text, at("MOA02")] = None
    claim_payment_remark_code: Annotated[list[str] | None, each("MOA03", 7)] = None
    end_stage_renal_disease_payment_amount: Annotated[Text, at("MOA08")] = None
    non_payable_professional_component_billed_amount: Annotated[Text, at("MOA09")] = None


class OtherCoverage(Document):
    """Loop 2320 without MOA and the loops inside it: another insurance of the patient, and what it paid."""

    payment_responsibility_level_code: Annotated[Text, at("SBR01")] = None
    individual_relationship_code: Annotated[Text, at("SBR02")] = None
    insurance_group_or_policy_number: Annotated[Text, at("SBR03")] = None
    other_insured_group_name: Annotated[Text, at("SBR04")] = None
    insurance_type_code: Annotated[Text, at("SBR05")] = None
    claim_filing_indicator_code: Annotated[Text, at("SBR09")] = None
    claim_level_adjustments: Annotated[list[Adjustment] | None, segments("CAS")] = None
    payer_paid_amount: Annotated[Text, at("AMT[D]02")] = None
    non_covered_charge_amount: Annotated[Text, at("AMT[A8]02")] = None
    remaining_patient_liability: Annotated[Text, at("AMT[EAF]02")] = None
    benefits_assignment_certification_indicator: Annotated[Text, at("OI03")] = None
    patient_signature_generated_for_patient: Annotated[bool | None, flag("OI04", "P")] = None
    release_of_information_code: Annotated[Text, at("OI06")] = None


class OtherSubscriber(OtherCoverage):
    """Loop 2320 of a professional claim."""

    medicare_outpatient_adjudication: MedicareOutpatientAdjudication | None = None
    other_subscriber_name: Annotated[OtherSubscriberName | None, inside("2330A")] = None
    other_payer_name: Annotated[OtherPayerName | None, inside("2330B")] = None
    other_payer_referring_provider: Annotated[list[OtherPayerReferringProvider] | None, inside("2330C")] = None
    other_payer_rendering_provider: Annotated[list[OtherPayerRenderingProvider] | None, inside("2330D")] = None
    other_payer_service_facility_location: Annotated[list[OtherPayerServiceFacility] | None, inside("2330E")] = None
    other_payer_supervising_provider: Annotated[list[OtherPayerSupervisingProvider] | None, inside("2330F")] = None
    other_payer_billing_provider: Annotated[list[OtherPayerBillingProvider] | None, inside("2330G")] = None


# --- one way to say it ---------------------------------------------------------------------------------------------


class _Named(Protocol):
    organization_name: Text
    last_name: Text
    first_name: Text
    middle_name: Text


P = TypeVar("P", bound=Provider)


def provider_as(cls: type[P], provider: Provider) -> P:
    """The same provider in another role."""
    shared = (name for name in provider.__struct_fields__ if name in cls.__struct_fields__)
    return cls(**{name: getattr(provider, name) for name in shared})


def one_name(party: _Named | None) -> None:
    """Whoever has an organization's name is an organization: the names of a person give way (NM102 can say but one)."""
    if party is not None and party.organization_name:
        party.last_name = party.first_name = party.middle_name = None
        if isinstance(party, (Provider, Subscriber)):
            party.suffix = None


def assign_providers(
    claim: Document, providers: Sequence[P], roles: Mapping[str, tuple[str, type[Provider]]], renamed: Renamed
) -> list[P] | None:
    """Give each entry of a `providers` list its role's field of the claim, unless the field is filled; the rest is returned.

    `roles` maps the word of a providerType without `Provider`, in small letters, to field and type.
    """
    rest: list[P] = []
    for index, provider in enumerate(providers):
        word = (provider.provider_type or "").lower().removesuffix("provider")
        field, cls = roles.get(word, ("", None))
        if cls is not None and getattr(claim, field) is None:
            setattr(claim, field, provider_as(cls, provider))
            renamed[field] = f"providers[{index}]"
        else:
            renamed[f"providers[{len(rest)}]"] = f"providers[{index}]"
            rest.append(provider)
    return rest or None


def unassigned_findings(providers: Sequence[Provider], roles: Iterable[str]) -> Iterator[Finding]:
    """A finding for each entry of `providers` that nothing says what to do with: leaving it out would change the claim."""
    for index in range(len(providers)):
        path = f"providers[{index}].providerType"
        message = f"{path} is not {', '.join(roles)}, or that provider is given already."
        yield Finding(2, "element", "7", message, path=path)


class _Claim(Protocol):
    billing: BillingProvider | None
    trading_partner_secondary_identifiers: PayerIdentifiers | None


def normalise_billing(claim: _Claim, renamed: Renamed) -> None:
    """The payer's numbers, which older clients put among the billing provider's, go to the payer.

    `employerIdentificationNumber` is the provider's own tax number where no other one is given.
    """
    billing = claim.billing
    if billing is None:
        return
    written = renamed.get("billing", "billing")
    if billing.employer_identification_number and billing.employer_id in (None, billing.employer_identification_number):
        if not billing.employer_id and not billing.ssn:
            billing.employer_id = billing.employer_identification_number
            renamed["billing.employerId"] = f"{written}.employerIdentificationNumber"
        if billing.employer_id:
            billing.employer_identification_number = None
    payer = claim.trading_partner_secondary_identifiers or PayerIdentifiers()
    for name, json in _PAYER_IDENTIFIERS.items():
        value = getattr(billing, name)
        if value and getattr(payer, name) in (None, value):
            setattr(payer, name, value)
            setattr(billing, name, None)
            renamed[f"tradingPartnerSecondaryIdentifiers.{json}"] = f"{written}.{json}"
            claim.trading_partner_secondary_identifiers = payer


_PAYER_IDENTIFIERS = {
    "payer_identification_number": "payerIdentificationNumber",
    "employer_identification_number": "employerIdentificationNumber",
    "claim_office_number": "claimOfficeNumber",
    "naic": "naic",
}


def normalise_subscriber(subscriber: Subscriber | None, renamed: Renamed) -> None:
    """The payer is the first one unless something else is said; a policy number stands in for a group number."""
    if subscriber is None:
        return
    subscriber.payment_responsibility_level_code = subscriber.payment_responsibility_level_code or "P"
    if subscriber.policy_number and subscriber.group_number in (None, subscriber.policy_number):
        subscriber.group_number, subscriber.policy_number = subscriber.policy_number, None
        renamed["subscriber.groupNumber"] = "subscriber.policyNumber"


class _Filed(Protocol):
    file_information: Text
    file_information_list: list[str] | None


def list_file_information(information: _Filed, renamed: Renamed) -> None:
    """One `fileInformation` joins the list."""
    if information.file_information:
        listed = information.file_information_list = information.file_information_list or []
        if information.file_information not in listed:
            renamed[f"claimInformation.fileInformationList[{len(listed)}]"] = "claimInformation.fileInformation"
            listed.append(information.file_information)
        information.file_information = None


class _Reported(Protocol):
    report_information: ReportInformation | None
    report_informations: list[ReportInformation] | None


def list_report(supplement: _Reported | None, renamed: Renamed) -> None:
    """One `reportInformation` joins the list."""
    if supplement is None or supplement.report_information is None:
        return
    listed = supplement.report_informations = supplement.report_informations or []
    if supplement.report_information not in listed:
        prefix = "claimInformation.claimSupplementalInformation"
        renamed[f"{prefix}.reportInformations[{len(listed)}]"] = f"{prefix}.reportInformation"
        listed.append(supplement.report_information)
    supplement.report_information = None


# --- between a document and its loop -------------------------------------------------------------------------------

# NM101 of a referring provider: the one who referred, then the primary care provider.
_REFERRING = ("DN", "P3")
_REFERRING_LOOPS = ("2310A", "2330C", "2420F")


class _Billed(Protocol):
    billing: BillingProvider | None


def read_billing_at_payer(claim: _Billed, loop: Instance) -> None:
    """Give the billing provider the numbers that the payer has for it."""
    at_payer = read(BillingAtPayer, loop)
    if at_payer.commercial_number or at_payer.location_number:
        claim.billing = claim.billing or BillingProvider()
        claim.billing.commercial_number = at_payer.commercial_number
        claim.billing.location_number = at_payer.location_number


def write_billing_at_payer(writer: Writer, claim: _Billed, loop: DraftLoop) -> None:
    """Write those numbers."""
    billing = claim.billing
    if billing is not None:
        numbers = BillingAtPayer(commercial_number=billing.commercial_number, location_number=billing.location_number)
        writer.write(numbers, loop, "billing")


def open_claim(writer: Writer, header: Header, guide_id: str, *, for_dependent: bool) -> DraftLoop:
    """The levels above a claim, and loop 2300 under the subscriber or under the dependent."""
    root = writer.root
    header.put(root, "0019", "00")
    for place, value in (("ST03", guide_id), ("BHT03", header.reference)):
        root.put(place, value)
    billing = root.near(["2000A"])
    billing.near(["2010AA"], "billing")
    level = billing.near(["2000B"])
    level.near(["2010BA"], "subscriber")
    level.near(["2010BB"])
    if for_dependent:
        level = level.near(["2000C"], "dependent")
        level.near(["2010CA"], "dependent")
    else:
        level.put("SBR02", "18")
    return level.add("2300", "claimInformation")


def complete_parties(loop: DraftLoop, *, pay_to: bool) -> None:
    """Codes of parties that no field carries: NM102 of a pay-to address, NM101 of referring providers."""
    if pay_to:
        loop.near(["2010AB"]).put("NM102", "2")
    for scope in (loop, *loop.children):
        for number, referring in enumerate(c for c in scope.children if c.loop.id in _REFERRING_LOOPS):
            referring.put("NM101", _REFERRING[min(number, 1)])

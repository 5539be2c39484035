"""The dental claim (837D) as the dialect's JSON, both ways.

As the professional claim, it is one flat document that hides whether the patient is the subscriber or a dependent. Reading
gives one canonical form; `normalised` brings what a caller says into that form, and writing does so by itself.

Source: 005010X224A2; names: the dialect's `dental-claim-request`.
"""

from __future__ import annotations

from typing import Annotated

from x12 import guides
from x12.documents.binding import (
    Document,
    Text,
    at,
    by_hand,
    each,
    flag,
    groups,
    inside,
    nowhere,
    period,
    read,
    segments,
    without_blanks,
)
from x12.documents.claim_parts import (
    BillingProvider,
    Dependent,
    Identifier,
    MedicareOutpatientAdjudication,
    OtherCoverage,
    OtherPayerBillingProvider,
    OtherPayerName,
    OtherPayerReferringProvider,
    OtherPayerRenderingProvider,
    OtherPayerServiceFacility,
    OtherPayerSupervisingProvider,
    OtherSubscriberName,
    PayerIdentifiers,
    PayToPlan,
    PhoneContact,
    Receiver,
    ReferringProvider,
    RenderingProvider,
    ReportInformation,
    ServiceFacility,
    Submitter,
    Subscriber,
    SupervisingProvider,
    complete_parties,
    list_file_information,
    list_report,
    normalise_billing,
    normalise_subscriber,
    one_name,
    open_claim,
    read_billing_at_payer,
    write_billing_at_payer,
)
from x12.documents.dental_line import DentalLine, normalise_line
from x12.documents.parts import Diagnosis, Header, PostalAddress, Renamed, renamed_findings
from x12.documents.service_line import Contract, Pricing
from x12.documents.writing import Writer, Written
from x12.judging import Manner
from x12.walk import Instance

__all__ = ["DentalClaim", "DentalClaimInformation", "normalised", "read_claims", "write_claim"]

GUIDE_ID = "005010X224A2"


# --- parties -------------------------------------------------------------------------------------------------------


class DentalSubscriber(Subscriber):
    """Loop 2010BA, SBR of loop 2000B."""

    contact_information: Annotated[PhoneContact | None, nowhere()] = None


class DentalDependent(Dependent):
    """Loop 2010CA, PAT of loop 2000C."""

    contact_information: Annotated[PhoneContact | None, nowhere()] = None


class DentalReferringProvider(ReferringProvider):
    """Loop 2310A: a person."""

    taxonomy_code: Annotated[Text, at("PRV[RF]03 PRV02~PXC")] = None


class AssistantSurgeon(SupervisingProvider):
    """Loop 2310D: a person."""

    taxonomy_code: Annotated[Text, at("PRV[AS]03 PRV02~PXC")] = None


class DentalFacility(ServiceFacility):
    """Loop 2310C: where the service was given."""

    phone_name: Annotated[Text, nowhere()] = None
    phone_number: Annotated[Text, nowhere()] = None
    phone_extension: Annotated[Text, nowhere()] = None


# --- other payers --------------------------------------------------------------------------------------------------


class DentalOtherSubscriberName(OtherSubscriberName):
    """Loop 2330A. One `other_insured_additional_identifier`, as the medical claims have it, joins the list."""

    other_insured_additional_identifier: Text = None
    other_insured_additional_identifiers: Annotated[list[str] | None, segments("REF[SY]02")] = None


class DentalOtherPayerName(OtherPayerName):
    """Loop 2330B."""

    other_payer_predetermination_identification: Annotated[Text, at("REF[G3]02")] = None


class OtherPayerAssistantSurgeon(Document):
    """Loop 2330H."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    other_payer_assistant_surgeon_identifier: Annotated[list[Identifier] | None, segments("REF")] = None


class DentalOutpatientAdjudication(MedicareOutpatientAdjudication):
    """MOA."""

    end_stage_renal_disease_payment_amount: Annotated[Text, nowhere()] = None


class DentalOtherSubscriber(OtherCoverage):
    """Loop 2320: another insurance of the patient, and what it paid."""

    patient_signature_generated_for_patient: Annotated[bool | None, nowhere()] = None
    medicare_outpatient_adjudication: DentalOutpatientAdjudication | None = None
    other_subscriber_name: Annotated[DentalOtherSubscriberName | None, inside("2330A")] = None
    other_payer_name: Annotated[DentalOtherPayerName | None, inside("2330B")] = None
    other_payer_referring_provider: Annotated[list[OtherPayerReferringProvider] | None, inside("2330C")] = None
    other_payer_rendering_provider: Annotated[list[OtherPayerRenderingProvider] | None, inside("2330D")] = None
    other_payer_supervising_provider: Annotated[list[OtherPayerSupervisingProvider] | None, inside("2330E")] = None
    other_payer_billing_provider: Annotated[list[OtherPayerBillingProvider] | None, inside("2330F")] = None
    other_payer_service_facility_location: Annotated[list[OtherPayerServiceFacility] | None, inside("2330G")] = None
    other_payer_assistant_surgeon: Annotated[OtherPayerAssistantSurgeon | None, inside("2330H")] = None


# --- the claim -----------------------------------------------------------------------------------------------------


class DentalDates(Document):
    """DTP of a claim. The service date may be a period: CCYYMMDD-CCYYMMDD."""

    accident_date: Annotated[Text, at("DTP[439]03 DTP02~D8")] = None
    appliance_placement_date: Annotated[Text, at("DTP[452]03 DTP02~D8")] = None
    service_date: Annotated[Text, period("DTP[472]03")] = None
    repricer_received_date: Annotated[Text, at("DTP[050]03 DTP02~D8")] = None


class OrthodonticTreatment(Document):
    """DN1."""

    months_count: Annotated[int | None, at("DN101")] = None
    months_remaining: Annotated[int | None, at("DN102")] = None
    treatment_indicator: Annotated[Text, at("DN104")] = None


class ToothStatus(Document):
    """DN2: a tooth that is missing or to be extracted."""

    tooth_number: Annotated[Text, at("DN201")] = None
    tooth_status_code: Annotated[Text, at("DN202")] = None


class DentalSupplement(Document):
    """REF and PWK of a claim. One `report_information` joins the list."""

    report_information: Annotated[ReportInformation | None, by_hand()] = None
    report_informations: Annotated[list[ReportInformation] | None, segments("PWK")] = None
    predetermination_of_benefits_identifier: Annotated[Text, at("REF[G3]02")] = None
    service_authorization_exception_code: Annotated[Text, at("REF[4N]02")] = None
    claim_control_number: Annotated[Text, at("REF[F8]02")] = None
    referral_number: Annotated[Text, at("REF[9F]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    repriced_claim_number: Annotated[Text, at("REF[9A]02")] = None
    adjusted_repriced_claim_number: Annotated[Text, at("REF[9C]02")] = None
    claim_number: Annotated[Text, at("REF[D9]02")] = None


class DentalClaimInformation(Document):
    """Loop 2300, and what the levels above say of this claim."""

    claim_filing_code: Annotated[Text, at("2000B SBR09")] = None
    property_casualty_claim_number: Annotated[Text, at("2010CA|2010BA REF[Y4]02")] = None
    patient_control_number: Annotated[Text, at("CLM01")] = None
    claim_charge_amount: Annotated[Text, at("CLM02")] = None
    place_of_service_code: Annotated[Text, at("CLM05-1")] = None
    claim_frequency_code: Annotated[Text, at("CLM05-3")] = None
    signature_indicator: Annotated[Text, at("CLM06")] = None
    plan_participation_code: Annotated[Text, at("CLM07")] = None
    benefits_assignment_certification_indicator: Annotated[Text, at("CLM08")] = None
    release_information_code: Annotated[Text, at("CLM09")] = None
    related_causes_code: Annotated[list[str] | None, each("CLM11-1", 2)] = None
    auto_accident_state_code: Annotated[Text, at("CLM11-4")] = None
    auto_accident_country_code: Annotated[Text, at("CLM11-5")] = None
    special_program_code: Annotated[Text, at("CLM12")] = None
    predetermination_of_benefits: Annotated[bool | None, flag("CLM19", "PB")] = None
    delay_reason_code: Annotated[Text, at("CLM20")] = None
    claim_date_information: DentalDates | None = None
    orthodontic_total_months_of_treatment: OrthodonticTreatment | None = None
    tooth_status: Annotated[list[ToothStatus] | None, segments("DN2")] = None
    claim_supplemental_information: DentalSupplement | None = None
    claim_contract_information: Contract | None = None
    patient_amount_paid: Annotated[Text, at("AMT[F5]02")] = None
    file_information: Text = None
    file_information_list: Annotated[list[str] | None, segments("K301")] = None
    claim_notes: Annotated[list[str] | None, segments("NTE[ADD]02")] = None
    health_care_code_information: Annotated[list[Diagnosis] | None, groups("HI[ABK,BK,TQ]01", 1, 4)] = None
    claim_pricing_repricing_information: Pricing | None = None
    service_facility_location: Annotated[DentalFacility | None, inside("2310C")] = None
    other_subscriber_information: Annotated[list[DentalOtherSubscriber] | None, inside("2320")] = None
    service_lines: Annotated[list[DentalLine] | None, inside("2400")] = None


class DentalClaim(Document):
    """One claim of an 837D: bound to loop 2300. `control_number` and `usage_indicator` are the envelope's affair."""

    control_number: Text = None
    usage_indicator: Text = None
    trading_partner_service_id: Annotated[Text, at("2010BB NM109 NM108~PI")] = None
    trading_partner_name: Annotated[Text, at("2010BB NM103")] = None
    trading_partner_secondary_identifiers: Annotated[PayerIdentifiers | None, inside("2010BB")] = None
    payer_address: Annotated[PostalAddress | None, inside("2010BB")] = None
    claim_identifier: Annotated[Text, at("837 BHT06")] = None
    submitter: Annotated[Submitter | None, inside("1000A")] = None
    receiver: Annotated[Receiver | None, inside("1000B")] = None
    billing: Annotated[BillingProvider | None, inside("2010AA")] = None
    pay_to_address: Annotated[PostalAddress | None, inside("2010AB")] = None
    pay_to_plan: Annotated[PayToPlan | None, inside("2010AC")] = None
    subscriber: Annotated[DentalSubscriber | None, inside("2010BA")] = None
    dependent: Annotated[DentalDependent | None, inside("2010CA")] = None
    referring: Annotated[DentalReferringProvider | None, inside("2310A")] = None
    rendering: Annotated[RenderingProvider | None, inside("2310B")] = None
    assistant_surgeon: Annotated[AssistantSurgeon | None, inside("2310D")] = None
    supervising: Annotated[SupervisingProvider | None, inside("2310E")] = None
    claim_information: DentalClaimInformation | None = None


# --- reading -------------------------------------------------------------------------------------------------------


def read_claims(root: Instance) -> list[DentalClaim]:
    """The claims of a walked 837D in file order, each in the canonical form."""
    return [_read_claim(loop) for loop in root.all("2300")]


def _read_claim(loop: Instance) -> DentalClaim:
    claim = read(DentalClaim, loop)
    read_billing_at_payer(claim, loop)
    return claim


# --- one way to say it ---------------------------------------------------------------------------------------------


def normalised(claim: DentalClaim) -> DentalClaim:
    """The claim in the one form that reading gives; the argument stays as it is.

    Blank fields go, single items join their lists, codes lose their dots, and what a biller leaves to the clearinghouse
    gets its usual value: CH, P, ABK and ABF, and the numbers of the lines.
    """
    return _canonical(claim)[0]


def _canonical(claim: DentalClaim) -> tuple[DentalClaim, Renamed]:
    made, renamed = without_blanks(claim) or DentalClaim(), Renamed()
    made.claim_identifier = made.claim_identifier or "CH"
    for provider in (made.billing, made.rendering, made.referring, made.assistant_surgeon, made.supervising):
        if provider is not None:
            provider.provider_type = None
            one_name(provider)
    for party in (made.submitter, made.subscriber):
        one_name(party)
    normalise_billing(made, renamed)
    normalise_subscriber(made.subscriber, renamed)
    plan = made.pay_to_plan
    if plan is not None and plan.primary_identifier:
        plan.primary_identifier_type_code = plan.primary_identifier_type_code or "PI"
    if made.claim_information is not None:
        _normalise_information(made.claim_information, renamed)
    return made, renamed


def _normalise_information(information: DentalClaimInformation, renamed: Renamed) -> None:
    list_file_information(information, renamed)
    list_report(information.claim_supplemental_information, renamed)
    for index, diagnosis in enumerate(information.health_care_code_information or ()):
        diagnosis.diagnosis_type_code = diagnosis.diagnosis_type_code or ("ABF" if index else "ABK")
        diagnosis.diagnosis_code = (diagnosis.diagnosis_code or "").replace(".", "") or None
    for index, other in enumerate(information.other_subscriber_information or ()):
        _normalise_other(other, f"claimInformation.otherSubscriberInformation[{index}]", renamed)
    for index, line in enumerate(information.service_lines or ()):
        normalise_line(line, index + 1, renamed)


def _normalise_other(other: DentalOtherSubscriber, path: str, renamed: Renamed) -> None:
    """The insured's further identifier joins the list, also where it stands with the payer; 2330D holds persons only."""
    for rendering in other.other_payer_rendering_provider or ():
        rendering.entity_type_qualifier = rendering.entity_type_qualifier or "1"
    name, payer = other.other_subscriber_name, other.other_payer_name
    if name is None:
        return
    for party, said in ((name, "otherSubscriberName"), (payer, "otherPayerName")):
        identifier = party.other_insured_additional_identifier if party is not None else None
        if party is None or identifier is None:
            continue
        party.other_insured_additional_identifier = None
        listed = name.other_insured_additional_identifiers = name.other_insured_additional_identifiers or []
        if identifier not in listed:
            renamed[f"{path}.otherSubscriberName.otherInsuredAdditionalIdentifiers[{len(listed)}]"] = (
                f"{path}.{said}.otherInsuredAdditionalIdentifier"
            )
            listed.append(identifier)


# --- writing -------------------------------------------------------------------------------------------------------


def write_claim(claim: DentalClaim, header: Header, manner: Manner | None = None) -> Written:
    """A transaction set with this one claim, normalised, and what is wrong with it under the caller's own field paths.

    It is judged against syntax and guide, or in a manner.
    """
    made, renamed = _canonical(claim)
    writer = Writer(guides.load(GUIDE_ID, "837"), header.control_number)
    loop = open_claim(writer, header, GUIDE_ID, for_dependent=made.dependent is not None)
    write_billing_at_payer(writer, made, loop)
    writer.write(made, loop)
    complete_parties(loop, pay_to=made.pay_to_address is not None)
    written = writer.finish(manner)
    return Written(written.segments, renamed_findings(written.findings, renamed))

"""The professional claim (837P) as the dialect's JSON, both ways.

A claim is one flat document: it hides whether the patient is the subscriber or a dependent, and carries its own submitter,
receiver, billing provider, subscriber and payer. Reading gives one canonical form; `normalised` brings what a caller says
into that form, and writing does so by itself.

Source: 005010X222A1; names: the dialect's `professional-claim-request`.
"""

from __future__ import annotations

from typing import Annotated

from x12 import guides
from x12.documents.binding import (
    Document,
    Text,
    at,
    by_hand,
    composites,
    each,
    end_of,
    flag,
    groups,
    inside,
    read,
    segments,
    start_of,
    without_blanks,
)
from x12.documents.claim_parts import (
    BillingProvider,
    Dependent,
    DropOffLocation,
    OrderingProvider,
    OtherSubscriber,
    PayerIdentifiers,
    PayToPlan,
    Provider,
    Receiver,
    ReferringProvider,
    RenderingProvider,
    ReportInformation,
    ServiceFacility,
    Submitter,
    Subscriber,
    SupervisingProvider,
    assign_providers,
    complete_parties,
    list_file_information,
    list_report,
    normalise_billing,
    normalise_subscriber,
    one_name,
    open_claim,
    provider_as,
    read_billing_at_payer,
    unassigned_findings,
    write_billing_at_payer,
)
from x12.documents.parts import Diagnosis, Header, PostalAddress, Renamed, renamed_findings
from x12.documents.service_line import (
    AmbulanceCertification,
    AmbulanceTransport,
    Contract,
    LineOrderingProvider,
    Pricing,
    ServiceLine,
    complete_line,
    normalise_line,
)
from x12.documents.writing import DraftLoop, Writer, Written
from x12.judging import Manner
from x12.walk import Instance

__all__ = ["ClaimInformation", "ProfessionalClaim", "normalised", "read_claims", "write_claim"]

GUIDE_ID = "005010X222A1"
_ROLES: dict[str, tuple[str, type[Provider]]] = {
    "billing": ("billing", BillingProvider),
    "rendering": ("rendering", RenderingProvider),
    "referring": ("referring", ReferringProvider),
    "supervising": ("supervising", SupervisingProvider),
    "ordering": ("ordering", OrderingProvider),
}


class VisionCondition(Document):
    """CRC*E1, E2, E3."""

    code_category: Annotated[Text, at("CRC01")] = None
    certification_condition_indicator: Annotated[Text, at("CRC02")] = None
    condition_codes: Annotated[list[str] | None, each("CRC03", 7)] = None


class EpsdtReferral(Document):
    """CRC*ZZ."""

    certification_condition_code_applies_indicator: Annotated[Text, at("CRC[ZZ]02")] = None
    condition_codes: Annotated[list[str] | None, each("CRC[ZZ]03", 5)] = None


class ConditionInformation(Document):
    """HI*BG."""

    condition_codes: Annotated[list[str] | None, composites("HI01", 12, "BG")] = None


class ClaimDates(Document):
    """DTP of a claim. One disability date alone has another qualifier than both: `OneDisabilityDate`."""

    symptom_date: Annotated[Text, at("DTP[431]03 DTP02~D8")] = None
    initial_treatment_date: Annotated[Text, at("DTP[454]03 DTP02~D8")] = None
    last_seen_date: Annotated[Text, at("DTP[304]03 DTP02~D8")] = None
    acute_manifestation_date: Annotated[Text, at("DTP[453]03 DTP02~D8")] = None
    accident_date: Annotated[Text, at("DTP[439]03 DTP02~D8")] = None
    last_menstrual_period_date: Annotated[Text, at("DTP[484]03 DTP02~D8")] = None
    last_x_ray_date: Annotated[Text, at("DTP[455]03 DTP02~D8")] = None
    hearing_and_vision_prescription_date: Annotated[Text, at("DTP[471]03 DTP02~D8")] = None
    disability_begin_date: Annotated[Text, start_of("DTP[314]03")] = None
    disability_end_date: Annotated[Text, end_of("DTP[314]03")] = None
    last_worked_date: Annotated[Text, at("DTP[297]03 DTP02~D8")] = None
    authorized_return_to_work_date: Annotated[Text, at("DTP[296]03 DTP02~D8")] = None
    admission_date: Annotated[Text, at("DTP[435]03 DTP02~D8")] = None
    discharge_date: Annotated[Text, at("DTP[096]03 DTP02~D8")] = None
    assumed_and_relinquished_care_begin_date: Annotated[Text, at("DTP[090]03 DTP02~D8")] = None
    assumed_and_relinquished_care_end_date: Annotated[Text, at("DTP[091]03 DTP02~D8")] = None
    first_contact_date: Annotated[Text, at("DTP[444]03 DTP02~D8")] = None
    repricer_received_date: Annotated[Text, at("DTP[050]03 DTP02~D8")] = None


class OneDisabilityDate(Document):
    """The disability date that stands alone: it began, or it ended."""

    disability_begin_date: Annotated[Text, at("DTP[360]03 DTP02~D8")] = None
    disability_end_date: Annotated[Text, at("DTP[361]03 DTP02~D8")] = None


class ClaimSupplement(Document):
    """REF and PWK of a claim. One `report_information` joins the list."""

    report_information: Annotated[ReportInformation | None, by_hand()] = None
    report_informations: Annotated[list[ReportInformation] | None, segments("PWK")] = None
    service_authorization_exception_code: Annotated[Text, at("REF[4N]02")] = None
    medicare_crossover_reference_id: Annotated[Text, at("REF[F5]02")] = None
    mammography_certification_number: Annotated[Text, at("REF[EW]02")] = None
    referral_number: Annotated[Text, at("REF[9F]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    claim_control_number: Annotated[Text, at("REF[F8]02")] = None
    clia_number: Annotated[Text, at("REF[X4]02")] = None
    repriced_claim_number: Annotated[Text, at("REF[9A]02")] = None
    adjusted_repriced_claim_number: Annotated[Text, at("REF[9C]02")] = None
    investigational_device_exemption_number: Annotated[Text, at("REF[LX]02")] = None
    claim_number: Annotated[Text, at("REF[D9]02")] = None
    medical_record_number: Annotated[Text, at("REF[EA]02")] = None
    demo_project_identifier: Annotated[Text, at("REF[P4]02")] = None
    care_plan_oversight_number: Annotated[Text, at("REF[1J]02")] = None


class ClaimNote(Document):
    """NTE: the guide has room for one of them."""

    additional_information: Annotated[Text, at("NTE[ADD]02")] = None
    certification_narrative: Annotated[Text, at("NTE[CER]02")] = None
    goal_rehab_or_discharge_plans: Annotated[Text, at("NTE[DCP]02")] = None
    diagnosis_description: Annotated[Text, at("NTE[DGN]02")] = None
    third_part_org_notes: Annotated[Text, at("NTE[TPO]02")] = None


class SpinalManipulation(Document):
    """CR2."""

    patient_condition_code: Annotated[Text, at("CR208")] = None
    patient_condition_description1: Annotated[Text, at("CR210")] = None
    patient_condition_description2: Annotated[Text, at("CR211")] = None


class ClaimInformation(Document):
    """Loop 2300, and what the levels above say of this claim."""

    claim_filing_code: Annotated[Text, at("2000B SBR09")] = None
    death_date: Annotated[Text, at("2000C|2000B PAT06 PAT05~D8")] = None
    patient_weight: Annotated[Text, at("2000C|2000B PAT08 PAT07~01")] = None
    pregnancy_indicator: Annotated[Text, at("2000C|2000B PAT09")] = None
    property_casualty_claim_number: Annotated[Text, at("2010CA|2010BA REF[Y4]02")] = None
    patient_control_number: Annotated[Text, at("CLM01")] = None
    claim_charge_amount: Annotated[Text, at("CLM02")] = None
    place_of_service_code: Annotated[Text, at("CLM05-1")] = None
    claim_frequency_code: Annotated[Text, at("CLM05-3")] = None
    signature_indicator: Annotated[Text, at("CLM06")] = None
    plan_participation_code: Annotated[Text, at("CLM07")] = None
    benefits_assignment_certification_indicator: Annotated[Text, at("CLM08")] = None
    release_information_code: Annotated[Text, at("CLM09")] = None
    patient_signature_source_code: Annotated[bool | None, flag("CLM10", "P")] = None
    related_causes_code: Annotated[list[str] | None, each("CLM11-1", 2)] = None
    auto_accident_state_code: Annotated[Text, at("CLM11-4")] = None
    auto_accident_country_code: Annotated[Text, at("CLM11-5")] = None
    special_program_code: Annotated[Text, at("CLM12")] = None
    delay_reason_code: Annotated[Text, at("CLM20")] = None
    claim_date_information: ClaimDates | None = None
    claim_supplemental_information: ClaimSupplement | None = None
    claim_contract_information: Contract | None = None
    patient_amount_paid: Annotated[Text, at("AMT[F5]02")] = None
    file_information: Text = None
    file_information_list: Annotated[list[str] | None, segments("K301")] = None
    claim_note: ClaimNote | None = None
    ambulance_transport_information: AmbulanceTransport | None = None
    spinal_manipulation_service_information: SpinalManipulation | None = None
    ambulance_certification: Annotated[list[AmbulanceCertification] | None, segments("CRC[07]")] = None
    patient_condition_information_vision: Annotated[list[VisionCondition] | None, segments("CRC[E1,E2,E3]")] = None
    homebound_indicator: Annotated[bool | None, flag("CRC[75]02")] = None
    epsdt_referral: EpsdtReferral | None = None
    health_care_code_information: Annotated[list[Diagnosis] | None, groups("HI[ABK,BK]01", 1, 12)] = None
    anesthesia_related_surgical_procedure: Annotated[list[str] | None, composites("HI[BP]01", 2, "BP", "BO")] = None
    condition_information: Annotated[list[ConditionInformation] | None, segments("HI[BG]")] = None
    claim_pricing_repricing_information: Pricing | None = None
    service_facility_location: Annotated[ServiceFacility | None, inside("2310C")] = None
    ambulance_pick_up_location: Annotated[PostalAddress | None, inside("2310E")] = None
    ambulance_drop_off_location: Annotated[DropOffLocation | None, inside("2310F")] = None
    other_subscriber_information: Annotated[list[OtherSubscriber] | None, inside("2320")] = None
    service_lines: Annotated[list[ServiceLine] | None, inside("2400")] = None


class ProfessionalClaim(Document):
    """One claim of an 837P: bound to loop 2300. `control_number` and `usage_indicator` are the envelope's affair.

    `providers` is another way to name the providers, told apart by their type; `ordering` one to name that of all lines.
    `prior_referring` is the second loop 2310A, who referred first; the dialect has no name for it, the official SDK has.
    """

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
    subscriber: Annotated[Subscriber | None, inside("2010BA")] = None
    dependent: Annotated[Dependent | None, inside("2010CA")] = None
    referring: Annotated[ReferringProvider | None, inside("2310A")] = None
    prior_referring: Annotated[ReferringProvider | None, by_hand()] = None
    rendering: Annotated[RenderingProvider | None, inside("2310B")] = None
    supervising: Annotated[SupervisingProvider | None, inside("2310D")] = None
    ordering: Annotated[OrderingProvider | None, by_hand()] = None
    providers: Annotated[list[Provider] | None, by_hand()] = None
    claim_information: ClaimInformation | None = None


# --- reading -------------------------------------------------------------------------------------------------------


def read_claims(root: Instance) -> list[ProfessionalClaim]:
    """The claims of a walked 837P in file order, each in the canonical form."""
    return [_read_claim(loop) for loop in root.all("2300")]


def _read_claim(loop: Instance) -> ProfessionalClaim:
    claim = read(ProfessionalClaim, loop)
    read_billing_at_payer(claim, loop)
    for prior in list(loop.inside("2310A"))[1:]:
        claim.prior_referring = read(ReferringProvider, prior)
    alone = read(OneDisabilityDate, loop)
    if alone.disability_begin_date or alone.disability_end_date:
        information = claim.claim_information = claim.claim_information or ClaimInformation()
        dates = information.claim_date_information = information.claim_date_information or ClaimDates()
        dates.disability_begin_date = dates.disability_begin_date or alone.disability_begin_date
        dates.disability_end_date = dates.disability_end_date or alone.disability_end_date
    return claim


# --- one way to say it ---------------------------------------------------------------------------------------------


def normalised(claim: ProfessionalClaim) -> ProfessionalClaim:
    """The claim in the one form that reading gives; the argument stays as it is.

    Blank fields go, providers get their places, codes lose their dots, and what a biller leaves to the clearinghouse gets
    its usual value: CH, P, HC, ABK and ABF, and the numbers of the lines.
    """
    return _canonical(claim)[0]


def _canonical(claim: ProfessionalClaim) -> tuple[ProfessionalClaim, Renamed]:
    made, renamed = without_blanks(claim) or ProfessionalClaim(), Renamed()
    made.claim_identifier = made.claim_identifier or "CH"
    if made.providers:
        made.providers = assign_providers(made, made.providers, _ROLES, renamed)
    _normalise_parties(made, renamed)
    if made.claim_information is not None:
        _normalise_information(made.claim_information, renamed)
    if made.ordering is not None:
        _order_lines(made, made.ordering, renamed)
    return made, renamed


def _normalise_parties(claim: ProfessionalClaim, renamed: Renamed) -> None:
    providers = (
        claim.billing,
        claim.rendering,
        claim.referring,
        claim.prior_referring,
        claim.supervising,
        claim.ordering,
    )
    for provider in providers:
        if provider is not None:
            provider.provider_type = None
            one_name(provider)
    for party in (claim.submitter, claim.subscriber):
        one_name(party)
    normalise_billing(claim, renamed)
    normalise_subscriber(claim.subscriber, renamed)
    plan = claim.pay_to_plan
    if plan is not None and plan.primary_identifier:
        plan.primary_identifier_type_code = plan.primary_identifier_type_code or "PI"


def _normalise_information(information: ClaimInformation, renamed: Renamed) -> None:
    list_file_information(information, renamed)
    list_report(information.claim_supplemental_information, renamed)
    for index, diagnosis in enumerate(information.health_care_code_information or ()):
        diagnosis.diagnosis_type_code = diagnosis.diagnosis_type_code or ("ABF" if index else "ABK")
        diagnosis.diagnosis_code = (diagnosis.diagnosis_code or "").replace(".", "") or None
    for index, other in enumerate(information.other_subscriber_information or ()):
        _normalise_other(other, f"claimInformation.otherSubscriberInformation[{index}]", renamed)
    for index, line in enumerate(information.service_lines or ()):
        normalise_line(line, index + 1, renamed)


def _normalise_other(other: OtherSubscriber, path: str, renamed: Renamed) -> None:
    name, payer = other.other_subscriber_name, other.other_payer_name
    misplaced = payer.other_insured_additional_identifier if payer is not None else None
    if payer is None or name is None or misplaced is None:
        return
    if name.other_insured_additional_identifier in (None, misplaced):
        name.other_insured_additional_identifier, payer.other_insured_additional_identifier = misplaced, None
        renamed[f"{path}.otherSubscriberName.otherInsuredAdditionalIdentifier"] = (
            f"{path}.otherPayerName.otherInsuredAdditionalIdentifier"
        )


def _order_lines(claim: ProfessionalClaim, ordering: OrderingProvider, renamed: Renamed) -> None:
    """Only lines have an ordering provider (2420E): the claim's is that of every line without one."""
    lines = (claim.claim_information.service_lines if claim.claim_information else None) or []
    for index, line in enumerate(lines):
        if line.ordering_provider is None:
            line.ordering_provider = provider_as(LineOrderingProvider, ordering)
            normalise_line(line, index + 1, Renamed())
            renamed[f"claimInformation.serviceLines[{index}].orderingProvider"] = renamed.get("ordering", "ordering")
    if lines:
        claim.ordering = None


# --- writing -------------------------------------------------------------------------------------------------------


def write_claim(claim: ProfessionalClaim, header: Header, manner: Manner | None = None) -> Written:
    """A transaction set with this one claim, normalised, and what is wrong with it under the caller's own field paths.

    It is judged against syntax and guide, or in a manner.
    """
    made, renamed = _canonical(claim)
    writer = Writer(guides.load(GUIDE_ID, "837"), header.control_number)
    loop = open_claim(writer, header, GUIDE_ID, for_dependent=made.dependent is not None)
    _write_parts(writer, made, loop)
    writer.write(made, loop)
    if made.prior_referring is not None:
        writer.write(made.prior_referring, loop.add("2310A", "priorReferring"), "priorReferring")
    _complete(made, loop)
    written = writer.finish(manner)
    found = [*unassigned_findings(made.providers or (), _ROLES), *written.findings]
    return Written(written.segments, renamed_findings(found, renamed))


def _write_parts(writer: Writer, claim: ProfessionalClaim, loop: DraftLoop) -> None:
    """What one struct of the dialect says in two places of the guide."""
    information = claim.claim_information
    write_billing_at_payer(writer, claim, loop)
    dates = information.claim_date_information if information is not None else None
    if dates is not None and not (dates.disability_begin_date and dates.disability_end_date):
        alone = OneDisabilityDate(
            disability_begin_date=dates.disability_begin_date, disability_end_date=dates.disability_end_date
        )
        dates.disability_begin_date = dates.disability_end_date = None
        writer.write(alone, loop, "claimInformation.claimDateInformation")


def _complete(claim: ProfessionalClaim, loop: DraftLoop) -> None:
    """Codes that follow from the document and that no field of it carries."""
    complete_parties(loop, pay_to=claim.pay_to_address is not None)
    lines = (claim.claim_information.service_lines if claim.claim_information else None) or []
    for line, draft in zip(lines, (c for c in loop.children if c.loop.id == "2400"), strict=True):
        complete_line(line, draft)

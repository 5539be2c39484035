"""The institutional claim (837I) as the dialect's JSON, both ways.

As the professional claim it is one flat document, which hides whether the patient is the subscriber or a dependent.
Reading gives one canonical form; `normalised` brings what a caller says into that form, and writing does so by itself.

Source: 005010X223A2; names: the dialect's `institutional-claim-request`.
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
    end_of,
    groups,
    inside,
    nowhere,
    period,
    read,
    rows,
    segments,
    start_of,
    without_blanks,
)
from x12.documents.claim_parts import (
    BillingAtPayer,
    PayerIdentifiers,
    Provider,
    ReportInformation,
    assign_providers,
    list_report,
    normalise_subscriber,
    one_name,
    open_claim,
    unassigned_findings,
)
from x12.documents.institutional_line import InstitutionalLine, Pricing, normalise_line
from x12.documents.institutional_parts import (
    Aliases,
    Attending,
    Facility,
    InstitutionalBilling,
    InstitutionalDependent,
    InstitutionalOtherSubscriber,
    InstitutionalProvider,
    InstitutionalReceiver,
    InstitutionalSubmitter,
    InstitutionalSubscriber,
    Operating,
    PayToAddress,
    PayToPlanName,
    Referring,
    WithLocation,
    name_identifier,
    normalise_other,
)
from x12.documents.parts import Header, PostalAddress, Renamed, renamed_findings
from x12.documents.service_line import Contract
from x12.documents.writing import Writer, Written
from x12.judging import Manner
from x12.walk import Instance

__all__ = ["InstitutionalClaim", "InstitutionalInformation", "normalised", "read_claims", "write_claim"]

GUIDE_ID = "005010X223A2"
_ROLES: dict[str, tuple[str, type[Provider]]] = {
    "billing": ("billing", InstitutionalBilling),
    "attending": ("attending", Attending),
    "operatingphysician": ("operating_physician", Operating),
    "otheroperatingphysician": ("other_operating_physician", Operating),
    "rendering": ("rendering", WithLocation),
    "referring": ("referring", Referring),
}
_PARTIES = {
    "billing": "billing",
    "attending": "attending",
    "operating_physician": "operatingPhysician",
    "other_operating_physician": "otherOperatingPhysician",
    "rendering": "rendering",
    "referring": "referring",
}
_INFORMATION = "claimInformation"


# --- codes of the claim (HI) -----------------------------------------------------------------------------------------


class PrincipalDiagnosis(Document):
    """HI*ABK, BK."""

    qualifier_code: Annotated[Text, at("HI[ABK,BK]01-1")] = None
    principal_diagnosis_code: Annotated[Text, at("HI[ABK,BK]01-2")] = None
    present_on_admission_indicator: Annotated[Text, at("HI[ABK,BK]01-9")] = None


class AdmittingDiagnosis(Document):
    """HI*ABJ, BJ."""

    qualifier_code: Annotated[Text, at("HI[ABJ,BJ]01-1")] = None
    admitting_diagnosis_code: Annotated[Text, at("HI[ABJ,BJ]01-2")] = None


class VisitReason(Document):
    """One composite of HI*APR, PR."""

    qualifier_code: Annotated[Text, at("@01-1")] = None
    patient_reason_for_visit_code: Annotated[Text, at("@01-2")] = None


class ExternalCause(Document):
    """One composite of HI*ABN, BN."""

    qualifier_code: Annotated[Text, at("@01-1")] = None
    external_cause_of_injury: Annotated[Text, at("@01-2")] = None
    present_on_admission_indicator: Annotated[Text, at("@01-9")] = None


class DiagnosisRelatedGroup(Document):
    """HI*DR."""

    drug_related_group_code: Annotated[Text, at("HI[DR]01-2")] = None


class OtherDiagnosis(Document):
    """One composite of HI*ABF, BF."""

    qualifier_code: Annotated[Text, at("@01-1")] = None
    other_diagnosis_code: Annotated[Text, at("@01-2")] = None
    present_on_admission_indicator: Annotated[Text, at("@01-9")] = None


class PrincipalProcedure(Document):
    """HI*BBR, BR, CAH."""

    qualifier_code: Annotated[Text, at("HI[BBR,BR,CAH]01-1")] = None
    principal_procedure_code: Annotated[Text, at("HI[BBR,BR,CAH]01-2")] = None
    principal_procedure_date: Annotated[Text, at("HI[BBR,BR,CAH]01-4 HI01-3~D8")] = None


class OtherProcedure(Document):
    """One composite of HI*BBQ, BQ."""

    qualifier_code: Annotated[Text, at("@01-1")] = None
    other_procedure_code: Annotated[Text, at("@01-2")] = None
    other_procedure_date: Annotated[Text, at("@01-4 @01-3~D8")] = None


class OccurrenceSpan(Document):
    """One composite of HI*BI."""

    occurrence_span_code: Annotated[Text, at("@01-2")] = None
    occurrence_span_code_start_date: Annotated[Text, start_of("@01-4", until="occurrenceSpanCodeEndDate")] = None
    occurrence_span_code_end_date: Annotated[Text, end_of("@01-4", since="occurrenceSpanCodeStartDate")] = None


class Occurrence(Document):
    """One composite of HI*BH."""

    occurrence_span_code: Annotated[Text, at("@01-2")] = None
    occurrence_span_code_date: Annotated[Text, at("@01-4 @01-3~D8")] = None


class ValueInformation(Document):
    """One composite of HI*BE."""

    value_code: Annotated[Text, at("@01-2")] = None
    value_code_amount: Annotated[Text, at("@01-5")] = None


class Condition(Document):
    """One composite of HI*BG."""

    condition_code: Annotated[Text, at("@01-2")] = None


# --- loop 2300 -------------------------------------------------------------------------------------------------------


class ClaimCodes(Document):
    """CL1."""

    admission_type_code: Annotated[Text, at("CL101")] = None
    admission_source_code: Annotated[Text, at("CL102")] = None
    patient_status_code: Annotated[Text, at("CL103")] = None


class ClaimDates(Document):
    """DTP of a claim: the hour of discharge is HHMM, the admission a date or CCYYMMDDHHMM."""

    discharge_hour: Annotated[Text, at("DTP[096]03 DTP02~TM")] = None
    statement_begin_date: Annotated[Text, start_of("DTP[434]03", until="statementEndDate")] = None
    statement_end_date: Annotated[Text, end_of("DTP[434]03", since="statementBeginDate")] = None
    admission_date_and_hour: Annotated[Text, period("DTP[435]03")] = None
    repricer_received_date: Annotated[Text, at("DTP[050]03 DTP02~D8")] = None


class ClaimSupplement(Document):
    """REF and PWK of a claim. One `report_information` joins the list."""

    report_information: Annotated[ReportInformation | None, by_hand()] = None
    report_informations: Annotated[list[ReportInformation] | None, segments("PWK")] = None
    service_authorization_exception_code: Annotated[Text, at("REF[4N]02")] = None
    referral_number: Annotated[Text, at("REF[9F]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    claim_control_number: Annotated[Text, at("REF[F8]02")] = None
    repriced_claim_number: Annotated[Text, at("REF[9A]02")] = None
    adjusted_repriced_claim_ref_number: Annotated[Text, at("REF[9C]02")] = None
    investigational_device_exemption_number: Annotated[Text, at("REF[LX]02")] = None
    claim_number: Annotated[Text, at("REF[D9]02")] = None
    auto_accident_state: Annotated[Text, at("REF[LU]02")] = None
    medical_record_number: Annotated[Text, at("REF[EA]02")] = None
    demo_project_identifier: Annotated[Text, at("REF[P4]02")] = None
    peer_review_authorization_number: Annotated[Text, at("REF[G4]02")] = None


class ClaimNotes(Document):
    """NTE of a claim, by what they are about. `additional_information` is the billing note."""

    additional_information: Annotated[list[str] | None, nowhere()] = None
    allergies: Annotated[list[str] | None, segments("NTE[ALG]02")] = None
    goal_rehab_or_discharge_plans: Annotated[list[str] | None, segments("NTE[DCP]02")] = None
    diagnosis_description: Annotated[list[str] | None, segments("NTE[DGN]02")] = None
    dme: Annotated[list[str] | None, segments("NTE[DME]02")] = None
    medications: Annotated[list[str] | None, segments("NTE[MED]02")] = None
    nutritional_requirments: Annotated[list[str] | None, segments("NTE[NTR]02")] = None
    orders_for_discip_lines_and_treatments: Annotated[list[str] | None, segments("NTE[ODT]02")] = None
    functional_limits_or_reason_homebound: Annotated[list[str] | None, segments("NTE[RHB]02")] = None
    reasons_patient_leaves_home: Annotated[list[str] | None, segments("NTE[RLH]02")] = None
    times_and_reasons_patient_not_at_home: Annotated[list[str] | None, segments("NTE[RNH]02")] = None
    unusual_home_or_social_env: Annotated[list[str] | None, segments("NTE[SET]02")] = None
    safety_measures: Annotated[list[str] | None, segments("NTE[SFM]02")] = None
    supplemental_plan_of_treatment: Annotated[list[str] | None, segments("NTE[SPT]02")] = None
    updated_information: Annotated[list[str] | None, segments("NTE[UPI]02")] = None


class Epsdt(Document):
    """CRC*ZZ."""

    certification_condition_code_applies_indicator: Annotated[Text, at("CRC[ZZ]02")] = None
    condition_codes: Annotated[list[str] | None, each("CRC[ZZ]03", 5)] = None


class InstitutionalInformation(Document):
    """Loop 2300, and what the levels above say of this claim.

    The dialect has one `other_subscriber_information`; `further_other_subscriber_information` are those of a claim that has more.
    """

    claim_filing_code: Annotated[Text, at("2000B SBR09")] = None
    property_casualty_claim_number: Annotated[Text, at("2010CA|2010BA REF[Y4]02")] = None
    patient_control_number: Annotated[Text, at("CLM01")] = None
    claim_charge_amount: Annotated[Text, at("CLM02")] = None
    place_of_service_code: Annotated[Text, at("CLM05-1")] = None
    claim_frequency_code: Annotated[Text, at("CLM05-3")] = None
    signature_indicator: Annotated[Text, nowhere()] = None
    plan_participation_code: Annotated[Text, at("CLM07")] = None
    benefits_assignment_certification_indicator: Annotated[Text, at("CLM08")] = None
    release_information_code: Annotated[Text, at("CLM09")] = None
    delay_reason_code: Annotated[Text, at("CLM20")] = None
    patient_weight: Annotated[Text, nowhere()] = None
    claim_date_information: ClaimDates | None = None
    claim_code_information: ClaimCodes | None = None
    claim_supplemental_information: ClaimSupplement | None = None
    claim_contract_information: Contract | None = None
    patient_estimated_amount_due: Annotated[Text, at("AMT[F3]02")] = None
    patient_amount_paid: Annotated[Text, nowhere()] = None
    file_information: Annotated[list[str] | None, segments("K301")] = None
    claim_notes: ClaimNotes | None = None
    billing_note: Annotated[Text, at("NTE[ADD]02")] = None
    epsdt_referral: Epsdt | None = None
    condition_codes: Annotated[list[str] | None, nowhere()] = None
    principal_diagnosis: PrincipalDiagnosis | None = None
    admitting_diagnosis: AdmittingDiagnosis | None = None
    patient_reason_for_visits: Annotated[list[VisitReason] | None, groups("HI[APR,PR]01", 1, 3)] = None
    external_cause_of_injuries: Annotated[list[ExternalCause] | None, groups("HI[ABN,BN]01", 1, 12)] = None
    diagnosis_related_group_information: DiagnosisRelatedGroup | None = None
    other_diagnosis_information_list: Annotated[list[list[OtherDiagnosis]] | None, rows("HI[ABF,BF]01", 12)] = None
    principal_procedure_information: PrincipalProcedure | None = None
    other_procedure_information_list: Annotated[list[list[OtherProcedure]] | None, rows("HI[BBQ,BQ]01", 12)] = None
    occurrence_span_informations: Annotated[list[list[OccurrenceSpan]] | None, rows("HI[BI]01", 12)] = None
    occurrence_information_list: Annotated[list[list[Occurrence]] | None, rows("HI[BH]01", 12)] = None
    value_information_list: Annotated[list[list[ValueInformation]] | None, rows("HI[BE]01", 12)] = None
    condition_codes_list: Annotated[list[list[Condition]] | None, rows("HI[BG]01", 12)] = None
    treatment_code_information_list: Annotated[list[list[str]] | None, rows("HI[TC]01", 12, "TC")] = None
    claim_pricing_information: Pricing | None = None
    service_facility_location: Annotated[Facility | None, inside("2310E")] = None
    other_subscriber_information: Annotated[InstitutionalOtherSubscriber | None, inside("2320")] = None
    further_other_subscriber_information: Annotated[list[InstitutionalOtherSubscriber] | None, inside("2320")] = None
    service_lines: Annotated[list[InstitutionalLine] | None, inside("2400")] = None


class InstitutionalClaim(Document):
    """One claim of an 837I: bound to loop 2300. `control_number` and `usage_indicator` are the envelope's affair.

    `providers` is another way to name the providers, told apart by their type.
    """

    control_number: Text = None
    usage_indicator: Text = None
    trading_partner_service_id: Annotated[Text, at("2010BB NM109 NM108~PI")] = None
    trading_partner_name: Annotated[Text, at("2010BB NM103")] = None
    trading_partner_secondary_identifiers: Annotated[PayerIdentifiers | None, inside("2010BB")] = None
    payer_address: Annotated[PostalAddress | None, inside("2010BB")] = None
    claim_identifier: Annotated[Text, at("837 BHT06")] = None
    submitter: Annotated[InstitutionalSubmitter | None, inside("1000A")] = None
    receiver: Annotated[InstitutionalReceiver | None, inside("1000B")] = None
    billing: Annotated[InstitutionalBilling | None, inside("2010AA")] = None
    billing_pay_to_address_name: Annotated[PayToAddress | None, inside("2010AB")] = None
    billing_pay_to_plan_name: Annotated[PayToPlanName | None, inside("2010AC")] = None
    subscriber: Annotated[InstitutionalSubscriber | None, inside("2010BA")] = None
    dependent: Annotated[InstitutionalDependent | None, inside("2010CA")] = None
    attending: Annotated[Attending | None, inside("2310A")] = None
    operating_physician: Annotated[Operating | None, inside("2310B")] = None
    other_operating_physician: Annotated[Operating | None, inside("2310C")] = None
    rendering: Annotated[WithLocation | None, inside("2310D")] = None
    referring: Annotated[Referring | None, inside("2310F")] = None
    providers: Annotated[list[InstitutionalProvider] | None, by_hand()] = None
    claim_information: InstitutionalInformation | None = None


# --- reading ---------------------------------------------------------------------------------------------------------


def read_claims(root: Instance) -> list[InstitutionalClaim]:
    """The claims of a walked 837I in file order, each in the canonical form."""
    return [read_claim(loop) for loop in root.all("2300")]


def read_claim(loop: Instance) -> InstitutionalClaim:
    """The claim of one loop 2300, in the canonical form."""
    claim = read(InstitutionalClaim, loop)
    at_payer = read(BillingAtPayer, loop)
    if at_payer.commercial_number or at_payer.location_number:
        claim.billing = claim.billing or InstitutionalBilling()
        claim.billing.commercial_number = at_payer.commercial_number
        claim.billing.location_number = at_payer.location_number
    information = claim.claim_information
    if information is not None and information.further_other_subscriber_information:
        # Both bindings find the first loop 2320.
        information.further_other_subscriber_information = information.further_other_subscriber_information[1:] or None
    return claim


# --- one way to say it -----------------------------------------------------------------------------------------------


def normalised(claim: InstitutionalClaim) -> InstitutionalClaim:
    """The claim in the one form that reading gives; the argument stays as it is.

    Blank fields go, providers and numbers get their places, codes lose their dots, and what a biller leaves to the
    clearinghouse gets its usual value: CH, P, HC, the ICD-10 qualifiers, the numbers of the lines.
    """
    return _canonical(claim)[0]


def _canonical(claim: InstitutionalClaim) -> tuple[InstitutionalClaim, Renamed]:
    made, renamed = without_blanks(claim) or InstitutionalClaim(), Renamed()
    aliases = Aliases(renamed)
    made.claim_identifier = made.claim_identifier or "CH"
    if made.providers:
        made.providers = assign_providers(made, made.providers, _ROLES, renamed)
    _normalise_parties(made, aliases)
    if made.claim_information is not None:
        _normalise_information(made.claim_information, aliases)
    return made, renamed


def _normalise_parties(claim: InstitutionalClaim, aliases: Aliases) -> None:
    for name, path in _PARTIES.items():
        provider: InstitutionalProvider | InstitutionalBilling | None = getattr(claim, name)
        if provider is not None:
            provider.provider_type = None
            name_identifier(provider, path, aliases)
    for party in (claim.submitter, claim.subscriber):
        one_name(party)
    if claim.submitter is not None and claim.submitter.organization_name:
        claim.submitter.last_name = claim.submitter.first_name = claim.submitter.middle_name = None
    if claim.receiver is not None:
        aliases.move(claim.receiver, "tax_id", "receiver", claim.receiver, "receiver_id", "receiver")
    address, plan = claim.billing_pay_to_address_name, claim.billing_pay_to_plan_name
    if address is not None:
        address.entity_type_qualifier = address.entity_type_qualifier or "2"
    if plan is not None and plan.identification_code:
        plan.identification_code_qualifier = plan.identification_code_qualifier or "PI"
    normalise_subscriber(claim.subscriber, aliases.renamed)


def _normalise_information(information: InstitutionalInformation, aliases: Aliases) -> None:
    _normalise_notes(information, aliases)
    _normalise_codes(information)
    list_report(information.claim_supplemental_information, aliases.renamed)
    if information.service_facility_location is not None:
        name_identifier(information.service_facility_location, f"{_INFORMATION}.serviceFacilityLocation", aliases)
    _normalise_others(information, aliases)
    for index, line in enumerate(information.service_lines or ()):
        normalise_line(line, index + 1, aliases)


def _normalise_notes(information: InstitutionalInformation, aliases: Aliases) -> None:
    """The guide has one note of additional information, the billing note, and one list of EPSDT conditions."""
    notes = information.claim_notes
    if notes is not None and notes.additional_information:
        first = notes.additional_information[0]
        if information.billing_note in (None, first):
            if information.billing_note is None:
                aliases.renamed[f"{_INFORMATION}.billingNote"] = f"{_INFORMATION}.claimNotes.additionalInformation[0]"
            information.billing_note = first
            notes.additional_information = notes.additional_information[1:] or None
        if notes == ClaimNotes():
            information.claim_notes = None
    if information.condition_codes:
        referral = information.epsdt_referral = information.epsdt_referral or Epsdt()
        path = f"{_INFORMATION}.epsdtReferral"
        aliases.move(information, "condition_codes", _INFORMATION, referral, "condition_codes", path)


def _normalise_codes(information: InstitutionalInformation) -> None:
    """Diagnoses and procedures get the qualifier of ICD-10 where they have none, and lose their dots."""
    _code(information.principal_diagnosis, "principal_diagnosis_code", "ABK")
    _code(information.admitting_diagnosis, "admitting_diagnosis_code", "ABJ")
    _code(information.principal_procedure_information, "principal_procedure_code", "BBR")
    for reason in information.patient_reason_for_visits or ():
        _code(reason, "patient_reason_for_visit_code", "APR")
    for cause in information.external_cause_of_injuries or ():
        _code(cause, "external_cause_of_injury", "ABN")
    for listed in information.other_diagnosis_information_list or ():
        for diagnosis in listed:
            _code(diagnosis, "other_diagnosis_code", "ABF")
    for listed in information.other_procedure_information_list or ():
        for procedure in listed:
            _code(procedure, "other_procedure_code", "BBQ")


_Coded = (
    PrincipalDiagnosis
    | AdmittingDiagnosis
    | VisitReason
    | ExternalCause
    | OtherDiagnosis
    | PrincipalProcedure
    | OtherProcedure
)


def _code(of: _Coded | None, name: str, qualifier: str) -> None:
    if of is None:
        return
    of.qualifier_code = of.qualifier_code or qualifier
    setattr(of, name, (getattr(of, name) or "").replace(".", "") or None)


def _normalise_others(information: InstitutionalInformation, aliases: Aliases) -> None:
    further = f"{_INFORMATION}.furtherOtherSubscriberInformation"
    if information.other_subscriber_information is None and information.further_other_subscriber_information:
        first, *rest = information.further_other_subscriber_information
        information.other_subscriber_information = first
        information.further_other_subscriber_information = rest or None
        for index in range(len(rest)):
            aliases.renamed[f"{further}[{index}]"] = f"{further}[{index + 1}]"
        aliases.renamed[f"{_INFORMATION}.otherSubscriberInformation"] = f"{further}[0]"
    if information.other_subscriber_information is not None:
        normalise_other(information.other_subscriber_information, f"{_INFORMATION}.otherSubscriberInformation", aliases)
    for index, other in enumerate(information.further_other_subscriber_information or ()):
        normalise_other(other, f"{further}[{index}]", aliases)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_claim(claim: InstitutionalClaim, header: Header, manner: Manner | None = None) -> Written:
    """A transaction set with this one claim, normalised, and what is wrong with it under the caller's own field paths.

    It is judged against syntax and guide, or in a manner.
    """
    made, renamed = _canonical(claim)
    writer = Writer(guides.load(GUIDE_ID, "837"), header.control_number)
    loop = open_claim(writer, header, GUIDE_ID, for_dependent=made.dependent is not None)
    if made.billing is not None:
        numbers = BillingAtPayer(
            commercial_number=made.billing.commercial_number, location_number=made.billing.location_number
        )
        writer.write(numbers, loop, "billing")
    writer.write(made, loop)
    written = writer.finish(manner)
    found = [*unassigned_findings(made.providers or (), _ROLES), *written.findings]
    return Written(written.segments, renamed_findings(found, renamed))

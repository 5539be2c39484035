"""Eligibility requests (270) as the dialect's JSON, both ways.

Source: 005010X279A1; names and words: the dialect's `eligibility-request`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Annotated

import msgspec

from x12 import guides
from x12.documents.binding import (
    Document,
    Text,
    at,
    by_hand,
    coded,
    each,
    end_of,
    groups,
    inside,
    nowhere,
    read,
    repeats,
    start_of,
)
from x12.documents.parts import Diagnosis, Header, PostalAddress, Renamed, renamed_findings
from x12.documents.writing import DraftLoop, Writer, Written, told_once
from x12.walk import Instance

__all__ = [
    "GUIDE_ID",
    "EligibilityRequest",
    "Encounter",
    "RequestDependent",
    "RequestPerson",
    "RequestProcedure",
    "RequestSubscriber",
    "patients",
    "read_requests",
    "write_request",
]

GUIDE_ID = "005010X279A1"
# The dialect's words for whoever asks, and NM101.
_PROVIDER_TYPE = {
    "1P": "provider",
    "PR": "payer",
    "2B": "third-party administrator",
    "36": "employer",
    "80": "hospital",
    "FA": "facility",
    "GP": "gateway provider",
    "P5": "plan sponsor",
}
_GENERIC_SERVICE = "30"


class RequestAddress(PostalAddress):
    """An address of a question: its N4 has no N406."""

    location_identifier: Annotated[Text, nowhere()] = None


class InformationReceiver(Document):
    """More identifiers of who asks, and their address: loop 2100B, REF, N3 and N4. A `contact_number` is the contract's."""

    state_licence_number: Annotated[Text, at("REF[0B]02")] = None
    information_receiver_additional_identifier_state: Annotated[Text, at("REF[0B]03")] = None
    medicare_provider_number: Annotated[Text, at("REF[1C]02")] = None
    medicaid_provider_number: Annotated[Text, at("REF[1D]02")] = None
    facility_id_number: Annotated[Text, at("REF[1J]02")] = None
    contract_number: Annotated[Text, at("REF[CT]02")] = None
    contact_number: Annotated[Text, nowhere()] = None
    device_pin_number: Annotated[Text, at("REF[EL]02")] = None
    submitter_id_number: Annotated[Text, at("REF[EO]02")] = None
    national_provider_identifier: Annotated[Text, at("REF[HPI]02")] = None
    provider_plan_network_id_number: Annotated[Text, at("REF[N5]02")] = None
    facility_network_id_number: Annotated[Text, at("REF[N7]02")] = None
    prior_identifier_number: Annotated[Text, at("REF[Q4]02")] = None
    social_security_number: Annotated[Text, at("REF[SY]02")] = None
    federal_taxpayer_identification_number: Annotated[Text, at("REF[TJ]02")] = None
    address: RequestAddress | None = None


class RequestProvider(Document):
    """Who asks: loop 2100B. The identifiers and the address that `informationReceiverName` has too are its."""

    provider_type: Annotated[Text, coded("NM101", _PROVIDER_TYPE, default="1P")] = None
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104 NM102=1")] = None
    employers_id: Annotated[Text, at("NM109 NM108=24")] = None
    ssn: Annotated[Text, at("NM109 NM108=34")] = None
    tax_id: Annotated[Text, at("NM109 NM108=FI")] = None
    payor_id: Annotated[Text, at("NM109 NM108=PI")] = None
    pharmacy_processor_number: Annotated[Text, at("NM109 NM108=PP")] = None
    service_provider_number: Annotated[Text, at("NM109 NM108=SV")] = None
    services_plan_id: Annotated[Text, at("NM109 NM108=XV")] = msgspec.field(default=None, name="servicesPlanID")
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    provider_code: Annotated[Text, at("PRV01")] = None
    reference_identification: Annotated[Text, at("PRV03 PRV02~PXC")] = None
    state_licence_number: Annotated[Text, nowhere()] = None
    information_receiver_additional_identifier_state: Annotated[Text, nowhere()] = None
    medicare_provider_number: Annotated[Text, nowhere()] = None
    medicaid_provider_number: Annotated[Text, nowhere()] = None
    facility_id_number: Annotated[Text, nowhere()] = None
    contact_number: Annotated[Text, nowhere()] = None
    contract_number: Annotated[Text, nowhere()] = None
    device_pin_number: Annotated[Text, nowhere()] = None
    submitter_id_number: Annotated[Text, nowhere()] = None
    provider_plan_network_id_number: Annotated[Text, nowhere()] = None
    facility_network_id_number: Annotated[Text, nowhere()] = None
    prior_identifier_number: Annotated[Text, nowhere()] = None
    address: Annotated[RequestAddress | None, nowhere()] = None


class RequestIdentification(Document):
    """More identifiers of the patient: REF of loop 2100C or 2100D."""

    plan_number: Annotated[Text, at("REF[18]02")] = None
    policy_number: Annotated[Text, at("REF[1L]02")] = None
    member_identification_number: Annotated[Text, at("REF[1W]02")] = None
    contract_number: Annotated[Text, at("REF[CT]02")] = None
    medical_record_identification_number: Annotated[Text, at("REF[EA]02")] = None
    patient_account_number: Annotated[Text, at("REF[EJ]02")] = None
    health_insurance_claim_number: Annotated[Text, at("REF[F6]02")] = None
    identification_card_serial_number: Annotated[Text, at("REF[GH]02")] = None
    insurance_policy_number: Annotated[Text, at("REF[IG]02")] = None
    plan_network_identification_number: Annotated[Text, at("REF[N6]02")] = None
    agency_claim_number: Annotated[Text, at("REF[Y4]02")] = None


class PlanDates(Document):
    """The day or period that is asked about, where each EQ tells it: DTP*291 of loop 2110C or 2110D."""

    plan_issue_date: Annotated[Text, at("DTP[291]03 DTP02=D8")] = None
    beginning_plan_issue_date: Annotated[Text, start_of("DTP[291]03 DTP02=RD8", until="endPlanIssueDate")] = None
    end_plan_issue_date: Annotated[Text, end_of("DTP[291]03 DTP02=RD8", since="beginningPlanIssueDate")] = None


class SpendDown(PlanDates):
    """What only a subscriber is asked about: EQ03 and AMT of loop 2110C."""

    coverage_level_code: Annotated[Text, at("EQ03")] = None
    spend_down_amount: Annotated[Text, at("AMT[R]02")] = None
    spend_down_total_billed_amount: Annotated[Text, at("AMT[PB]02")] = None


class NotAsked(Document):
    """What says of a subscriber how to ask, where the question is about a dependent."""

    plan_issue_date: Annotated[Text, nowhere()] = None
    beginning_plan_issue_date: Annotated[Text, nowhere()] = None
    end_plan_issue_date: Annotated[Text, nowhere()] = None
    coverage_level_code: Annotated[Text, nowhere()] = None
    spend_down_amount: Annotated[Text, nowhere()] = None
    spend_down_total_billed_amount: Annotated[Text, nowhere()] = None


class RequestPerson(Document):
    """What subscriber and dependent have in common: loop 2100C or 2100D, and `PlanDates`."""

    last_name: Annotated[Text, at("NM103")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    additional_identification: RequestIdentification | None = None
    group_number: Annotated[Text, at("REF[6P]02")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None
    id_card: Annotated[Text, at("REF[HJ]02")] = None
    address: RequestAddress | None = None
    provider_code: Annotated[Text, at("PRV01")] = None
    reference_identification_qualifier: Annotated[Text, at("PRV02")] = None
    provider_identifier: Annotated[Text, at("PRV03")] = None
    date_of_birth: Annotated[Text, at("DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("DMG03")] = None
    health_care_code_information: Annotated[list[Diagnosis] | None, groups("HI01", 1, 8)] = None
    id_card_issue_date: Annotated[Text, at("DTP[102]03 DTP02=D8")] = None
    beginning_card_issue_date: Annotated[Text, start_of("DTP[102]03 DTP02=RD8", until="endCardIssueDate")] = None
    end_card_issue_date: Annotated[Text, end_of("DTP[102]03 DTP02=RD8", since="beginningCardIssueDate")] = None
    plan_issue_date: Text = None
    beginning_plan_issue_date: Text = None
    end_plan_issue_date: Text = None


class RequestSubscriber(RequestPerson):
    """Loop 2100C, and `SpendDown`."""

    member_id: Annotated[Text, at("NM109 NM102~1 NM108~MI")] = None
    case_number: Annotated[Text, at("REF[3H]02")] = None
    medicaid_recipient_identification_number: Annotated[Text, at("REF[NQ]02")] = None
    birth_sequence_number: Annotated[Text, at("INS17 INS01~Y INS02~18")] = None
    coverage_level_code: Text = None
    spend_down_amount: Text = None
    spend_down_total_billed_amount: Text = None


class RequestDependent(RequestPerson):
    """Loop 2100D. A `member_id` is its REF*1W: the NM1 of a dependent has no number."""

    member_id: Annotated[Text, nowhere()] = None
    eligibility_category: Annotated[Text, at("REF[MRC]02")] = None
    issue_number: Annotated[Text, at("REF[IF]02")] = None
    individual_relationship_code: Annotated[Text, at("INS02 INS01~N")] = None
    birth_sequence_number: Annotated[Text, at("INS17 INS01~N")] = None


class RequestProcedure(Document):
    """One procedure asked about: EQ02 and EQ05."""

    product_or_service_id_qualifier: Annotated[Text, at("EQ02-1")] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    procedure_code: Annotated[Text, at("EQ02-2 EQ02-1~HC")] = None
    procedure_modifiers: Annotated[list[str] | None, each("EQ02-3", 6)] = None
    diagnosis_code_pointer: Annotated[list[str] | None, each("EQ05-1", 4)] = None


class Encounter(RequestProcedure):
    """What is asked, and for when: the first EQ of loop 2110C or 2110D, its III and REF, and DTP*291 of the patient."""

    service_type_codes: Annotated[list[str] | None, repeats("EQ01")] = None
    industry_code: Annotated[Text, at("III02 III01~ZZ")] = None
    reference_identification_qualifier: Annotated[Text, at("REF[9F,G1]01")] = None
    prior_authorization_or_referral_number: Annotated[Text, at("REF[9F,G1]02")] = None
    date_of_service: Annotated[Text, at("2100C|2100D DTP[291]03 DTP02=D8")] = None
    beginning_date_of_service: Annotated[
        Text, start_of("2100C|2100D DTP[291]03 DTP02=RD8", until="endDateOfService")
    ] = None
    end_date_of_service: Annotated[Text, end_of("2100C|2100D DTP[291]03 DTP02=RD8", since="beginningDateOfService")] = (
        None
    )
    medical_procedures: list[RequestProcedure] | None = None


class EligibilityRequest(Document):
    """A 270 for one patient: the subscriber, or the one dependent that is named."""

    control_number: Text = None
    submitter_transaction_identifier: Annotated[Text, at("270 BHT03")] = None
    trading_partner_service_id: Annotated[Text, at("2100A NM109 NM108~PI")] = None
    trading_partner_name: Annotated[Text, at("2100A NM103 NM101~PR NM102~2")] = None
    provider: Annotated[RequestProvider | None, inside("2100B")] = None
    information_receiver_name: Annotated[InformationReceiver | None, inside("2100B")] = None
    portal_username: Annotated[Text, at("2100B REF[JD]02")] = None
    portal_password: Annotated[Text, at("2100B REF[4A]02")] = None
    subscriber: Annotated[RequestSubscriber | None, inside("2100C")] = None
    dependents: list[RequestDependent] | None = None
    encounter: Annotated[Encounter | None, by_hand()] = None
    external_patient_id: Text = None
    eligibility_search_id: Text = None


def patients(root: Instance) -> Iterator[tuple[Instance, Instance | None]]:
    """(subscriber level, dependent level) of each patient of a 270 or 271."""
    for subscriber in root.all("2000C"):
        dependents = list(subscriber.all("2000D"))
        for dependent in dependents:
            yield subscriber, dependent
        if not dependents:
            yield subscriber, None


def read_requests(root: Instance) -> list[EligibilityRequest]:
    """The requests of a walked 270, one for each patient asked about."""
    found: list[EligibilityRequest] = []
    for subscriber, dependent in patients(root):
        request = read(EligibilityRequest, subscriber)
        asked = list((dependent or subscriber).all("2110C", "2110D"))
        patient: RequestPerson | None = request.subscriber
        if dependent is not None and (person := dependent.near("2100D")):
            patient = read(RequestDependent, person)
            request.dependents = [patient]
        if asked:
            request.encounter = _read_encounter(asked)
            if patient is not None:
                _put(patient, read(_asking(patient), asked[0]))
        found.append(request)
    return found


def _asking(patient: RequestPerson) -> type[PlanDates]:
    return SpendDown if isinstance(patient, RequestSubscriber) else PlanDates


def _put(into: Document, values: Document) -> None:
    """Set the fields that both have."""
    for name in into.__struct_fields__:
        if name in values.__struct_fields__:
            setattr(into, name, getattr(values, name))


def _read_encounter(asked: list[Instance]) -> Encounter:
    """One encounter out of all the EQs of a patient: its service types together, further procedures as a list."""
    encounter, *others = (read(Encounter, loop) for loop in asked)
    types = [t for e in (encounter, *others) for t in e.service_type_codes or ()]
    encounter.service_type_codes = types or None
    procedures = [
        RequestProcedure(**{f: getattr(e, f) for f in RequestProcedure.__struct_fields__})
        for e in others
        if e.procedure_code
    ]
    encounter.medical_procedures = procedures or None
    return encounter


_SHARED = tuple(n for n in InformationReceiver.__struct_fields__ if n in RequestProvider.__struct_fields__)
_BESIDE_NPI = (("tax_id", "federal_taxpayer_identification_number"), ("ssn", "social_security_number"))


def _canonical(request: EligibilityRequest) -> tuple[EligibilityRequest, Renamed]:
    """The question in the form that reading gives, and where the caller wrote what has moved.

    What is said twice and differently stays where it has no place, and is told of.
    """
    renamed = Renamed()
    provider, receiver = copy(request.provider), copy(request.information_receiver_name) or InformationReceiver()
    _move(receiver, "contact_number", receiver, "contract_number", "informationReceiverName", renamed)
    if provider is not None:
        _move(provider, "contact_number", receiver, "contract_number", "provider", renamed)
        for name in _SHARED:
            _move(provider, name, receiver, name, "provider", renamed)
        if provider.npi is not None:
            # NM109 is the NPI's: these have a place of their own beside it.
            for name, field in _BESIDE_NPI:
                _move(provider, name, receiver, field, "provider", renamed)
    made = msgspec.structs.replace(request, provider=provider, information_receiver_name=receiver)
    if request.dependents:
        dependent = copy(request.dependents[0])
        identification = copy(dependent.additional_identification) or RequestIdentification()
        _move(dependent, "member_id", identification, "member_identification_number", "dependents[0]", renamed)
        dependent.additional_identification = identification
        made.dependents = [dependent, *request.dependents[1:]]
    return made, renamed


_MOVED = {
    "informationReceiverName": "informationReceiverName",
    "provider": "informationReceiverName",
    "dependents[0]": "dependents[0].additionalIdentification",
}


def _move(source: Document, name: str, into: Document, field: str, said: str, renamed: Renamed) -> None:
    value = getattr(source, name)
    if value is not None and getattr(into, field) in (None, value):
        setattr(into, field, value)
        setattr(source, name, None)
        json = {f.name: f.encode_name for f in msgspec.structs.fields(type(source))}
        target = {f.name: f.encode_name for f in msgspec.structs.fields(type(into))}
        renamed[f"{_MOVED[said]}.{target[field]}"] = f"{said}.{json[name]}"


def write_request(request: EligibilityRequest, header: Header, trace: tuple[str, str]) -> Written:
    """A 270 with one patient. `trace` is TRN02 and TRN03: our trace number and the id of whoever assigned it."""
    made, renamed = _canonical(request)
    writer = Writer(guides.load(GUIDE_ID, "270"), header.control_number)
    header.put(writer.root, "0022", "13")
    if made.submitter_transaction_identifier is None:
        writer.root.put("BHT03", header.reference)
    level = writer.root.near(["2000A"]).near(["2000B"])
    if made.provider is None:
        # So that what a provider must tell is asked for, and not only that there must be one.
        made.provider = RequestProvider()
        level.near(["2100B"], "provider").put("NM101", "1P")
    if made.provider.employers_id is None:
        # It is the first of those that may stand at NM109: a provider without any is asked for the one that nearly all have.
        renamed["provider.employersId"] = "provider.npi"
    level = level.near(["2000C"])
    # Who is asked about is a person, also where no name or number is known of them.
    level.near(["2100C"], "subscriber").put("NM102", "1")
    writer.write(made, level)
    patient, name, asks, path = level, "2100C", "2110C", "subscriber"
    if made.dependents:
        patient, name, asks, path = level.near(["2100C"]).near(["2000D"]), "2100D", "2110D", "dependents[0]"
        writer.write(made.dependents[0], patient.near([name], path), path)
        for index in range(1, len(made.dependents)):
            writer.refuse(
                "3", "does not fit: a check is about one patient, so ask about each", ("dependents", f"[{index}]")
            )
    for number, value in ((2, trace[0]), (3, trace[1])):
        patient.put(f"TRN{number:02d}", value)
    patient.put("TRN01", "1")
    loops = _write_asked(writer, made.encounter or Encounter(), patient.near([name]), asks)
    _write_asking(writer, made, loops, path)
    written = writer.finish()
    return Written(written.segments, told_once(renamed_findings(written.findings, renamed)))


def _write_asked(writer: Writer, encounter: Encounter, person: DraftLoop, asks: str) -> list[DraftLoop]:
    """An EQ for the encounter, and one for each further procedure."""
    first = person.add(asks, "encounter")
    writer.write(encounter, first, "encounter")
    if not (encounter.service_type_codes or encounter.procedure_code):
        first.put("EQ01", _GENERIC_SERVICE)
    loops = [first]
    for index, procedure in enumerate(encounter.medical_procedures or ()):
        path = f"encounter.medicalProcedures[{index}]"
        loops.append(person.add(asks, path))
        writer.write(procedure, loops[-1], path)
    return loops


def _write_asking(writer: Writer, request: EligibilityRequest, loops: Sequence[DraftLoop], path: str) -> None:
    """What the patient says of how each EQ is asked; what a subscriber says of it who is not asked about has no place."""
    subscriber = request.subscriber
    if request.dependents and subscriber is not None:
        said = NotAsked()
        _put(said, subscriber)
        writer.write(said, loops[0], "subscriber")
    patient = request.dependents[0] if request.dependents else subscriber
    if patient is not None:
        asking = _asking(patient)()
        _put(asking, patient)
        for loop in loops:
            writer.write(asking, loop, path)

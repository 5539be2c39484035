"""Claim reports: a claim acknowledgement (277CA), or the claim status a payer sends (277), as the dialect's JSON, and flat.

A report is one item of the dialect's `transactions[]`. Both transaction sets are read into the one shape, as the dialect
does; the 277CA is what is written. What its guide carries and the dialect has no name for has a name of ours (listed in
docs/dialect-coverage/report-277.md).

Sources: 005010X214, 005010X212; names and words: the dialect's `report-277`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from x12 import codes, guides
from x12.documents.binding import (
    Document,
    Flat,
    Text,
    at,
    each,
    end_of,
    groups,
    inside,
    meaning,
    read,
    segments,
    spread,
    start_of,
)
from x12.documents.parts import Header
from x12.documents.standing import StatusCode, accepts, amount, day, days, found, patients, reference, status_codes
from x12.documents.writing import DraftLoop, Writer, Written
from x12.walk import Instance

__all__ = [
    "BatchVerdict",
    "ClaimReport",
    "ClaimVerdict",
    "batch_verdicts",
    "claim_verdicts",
    "read_claim_report",
    "write_claim_report",
]

GUIDE_ID = "005010X214"
_ENTITY = codes.table("entity")
_ACTION = codes.table("status_action")
_ACKNOWLEDGEMENT = "0085"
_CLAIM_LOOPS = ("2200D", "2200E")


# --- what is said of a claim, a line or a batch ----------------------------------------------------------------------


class StatusDetail(Document):
    """One composite of an STC: STC01, STC10 or STC11. With `RX` the status code is one of NCPDP, without words."""

    health_care_claim_status_category_code: Annotated[Text, at("@01-1")] = None
    health_care_claim_status_category_code_value: Annotated[
        Text, meaning("@01-1", codes.table("claim_status_category"))
    ] = None
    status_code: Annotated[Text, at("@01-2")] = None
    status_code_value: Annotated[Text, meaning("@01-2", codes.table("claim_status"))] = None
    entity_identifier_code: Annotated[Text, at("@01-3")] = None
    entity_identifier_code_value: Annotated[Text, meaning("@01-3", _ENTITY)] = None
    national_council_for_prescription_drug_programs_reject_payment_codes: Annotated[Text, at("@01-4")] = None

    def __post_init__(self) -> None:
        if self.national_council_for_prescription_drug_programs_reject_payment_codes:
            self.status_code_value = None


class _Action(Document):
    status_information_action_code: Annotated[Text, at("STC03")] = None
    status_information_action_code_value: Annotated[Text, meaning("STC03", _ACTION)] = None


class ProviderClaimStatus(_Action):
    """An STC of loop 2200B: what is said of everything that one receiver sent."""

    status_information_effective_date: Annotated[Text, at("STC02")] = None
    total_submitted_charges: Annotated[Text, at("STC04")] = None
    provider_statuses: Annotated[list[StatusDetail] | None, spread("STC01", 10, 11)] = None


class ServiceProviderClaimStatus(_Action):
    """An STC of loop 2200C: what is said of all claims of one provider."""

    status_information_effective_date: Annotated[Text, at("STC02")] = None
    total_submitted_charges: Annotated[Text, at("STC04")] = None
    service_provider_statuses: Annotated[list[StatusDetail] | None, spread("STC01", 10, 11)] = None


class InformationClaimStatus(_Action):
    """An STC of a claim. `message` is what older clients call `status_message`."""

    status_information_effective_date: Annotated[Text, at("STC02")] = None
    total_claim_charge_amount: Annotated[Text, at("STC04")] = None
    claim_payment_amount: Annotated[Text, at("STC05")] = None
    adjudicated_finalized_date: Annotated[Text, at("STC06")] = None
    remittance_date: Annotated[Text, at("STC08")] = None
    remittance_trace_number: Annotated[Text, at("STC09")] = None
    information_statuses: Annotated[list[StatusDetail] | None, spread("STC01", 10, 11)] = None
    message: Annotated[Text, at("STC12")] = None
    status_message: Annotated[Text, at("STC12")] = None


class ServiceClaimStatus(_Action):
    """An STC of a service line."""

    effective_date: Annotated[Text, at("STC02")] = None
    service_statuses: Annotated[list[StatusDetail] | None, spread("STC01", 10, 11)] = None
    status_message: Annotated[Text, at("STC12")] = None


# --- claims and patients -------------------------------------------------------------------------------------------


class ClaimStatus(Document):
    """A claim's identifiers and statuses: loop 2200D or 2200E."""

    referenced_transaction_trace_number: Annotated[Text, at("TRN02")] = None
    information_claim_statuses: Annotated[list[InformationClaimStatus] | None, segments("STC")] = None
    trading_partner_claim_number: Annotated[Text, at("REF[1K]02")] = None
    bill_type_identifier: Annotated[Text, at("REF[BLT]02")] = None
    patient_account_number: Annotated[Text, at("REF[EJ]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None
    voucher_identifier: Annotated[Text, at("REF[VV]02")] = None
    clearinghouse_trace_number: Annotated[Text, at("REF[D9]02")] = None
    claim_service_date: Annotated[Text, at("DTP[472]03 DTP02=D8")] = None
    claim_service_begin_date: Annotated[Text, start_of("DTP[472]03 DTP02=RD8")] = None
    claim_service_end_date: Annotated[Text, end_of("DTP[472]03 DTP02=RD8")] = None


class ReportService(Document):
    """SVC of a service line."""

    service_id_qualifier_code: Annotated[Text, at("SVC01-1")] = None
    service_id_qualifier_code_value: Annotated[Text, meaning("SVC01-1", codes.table("service_id_qualifier"))] = None
    procedure_code: Annotated[Text, at("SVC01-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SVC01-3", 6)] = None
    charge_amount: Annotated[Text, at("SVC02")] = None
    amount_paid: Annotated[Text, at("SVC03")] = None
    revenue_code: Annotated[Text, at("SVC04")] = None
    submitted_units: Annotated[Text, at("SVC07")] = None


class ServiceLine(Document):
    """A service line and its statuses: loop 2220D or 2220E."""

    service: ReportService | None = None
    service_claim_statuses: Annotated[list[ServiceClaimStatus] | None, segments("STC")] = None
    line_item_control_number: Annotated[Text, at("REF[FJ]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None
    service_line_date: Annotated[Text, at("DTP[472]03 DTP02=D8")] = None
    begin_service_line_date: Annotated[Text, start_of("DTP[472]03 DTP02=RD8")] = None
    end_service_line_date: Annotated[Text, end_of("DTP[472]03 DTP02=RD8")] = None


class ReportClaim(Document):
    """One claim of a patient, bound to its loop 2200D or 2200E."""

    claim_status: Annotated[ClaimStatus | None, inside(*_CLAIM_LOOPS)] = None
    service_lines: Annotated[list[ServiceLine] | None, inside("2220D", "2220E")] = None


class ReportDependent(Document):
    """The dependent of a 277: loop 2100E."""

    last_name: Annotated[Text, at("NM103 NM102~1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None


class ReportSubscriber(Document):
    """The subscriber of a 277, the patient of a 277CA: loop 2100D."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    member_id: Annotated[Text, at("NM109 NM108=MI")] = None
    employer_identification_number: Annotated[Text, at("NM109 NM108=24")] = None
    standard_unique_health_identifier_for_each_individual_in_the_united_states: Annotated[
        Text, at("NM109 NM108=II")
    ] = None


class PatientClaimStatusDetail(Document):
    """One patient and the claims reported on."""

    subscriber: Annotated[ReportSubscriber | None, inside("2100D")] = None
    dependent: Annotated[ReportDependent | None, inside("2100E")] = None
    claims: list[ReportClaim] | None = None


# --- provider, receiver, source ------------------------------------------------------------------------------------


class ReportServiceProvider(Document):
    """The provider whose claims they are: loop 2100C."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104 NM102=1")] = None
    middle_name: Annotated[Text, at("NM105 NM102=1")] = None
    suffix: Annotated[Text, at("NM107 NM102=1")] = None
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    tin: Annotated[Text, at("NM109 NM108=FI")] = None
    spn: Annotated[Text, at("NM109 NM108=SV")] = None


class SecondaryIdentifier(Document):
    """One more identifier of a billing provider: REF of loop 2200C."""

    qualifier: Annotated[Text, at("REF01")] = None
    identifier: Annotated[Text, at("REF02")] = None


class ClaimStatusDetail(Document):
    """One provider's claims: level 2000C."""

    service_provider: Annotated[ReportServiceProvider | None, inside("2100C")] = None
    provider_of_service_information_trace_identifier: Annotated[Text, at("2200C TRN02")] = msgspec.field(
        default=None, name="providerOFServiceInformationTraceIdentifier"
    )
    service_provider_claim_statuses: Annotated[list[ServiceProviderClaimStatus] | None, segments("2200C STC")] = None
    secondary_identifiers: Annotated[list[SecondaryIdentifier] | None, segments("2200C REF")] = None
    total_accepted_quantity: Annotated[Text, at("2200C QTY[QA]02")] = None
    total_rejected_quantity: Annotated[Text, at("2200C QTY[QC]02")] = None
    total_accepted_amount: Annotated[Text, at("2200C AMT[YU]02")] = None
    total_rejected_amount: Annotated[Text, at("2200C AMT[YY]02")] = None
    patient_claim_status_details: list[PatientClaimStatusDetail] | None = None


class ReportReceiver(Document):
    """Who sent the claims: loop 2100B."""

    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104 NM102=1")] = None
    middle_name: Annotated[Text, at("NM105 NM102=1")] = None
    etin: Annotated[Text, at("NM109 NM108~46")] = None


class ClaimStatusTransaction(Document):
    """What is said to one receiver: level 2000B."""

    provider: Annotated[ReportReceiver | None, inside("2100B")] = None
    claim_transaction_batch_number: Annotated[Text, at("2200B TRN02")] = None
    provider_claim_statuses: Annotated[list[ProviderClaimStatus] | None, segments("2200B STC")] = None
    total_accepted_quantity: Annotated[Text, at("2200B QTY[90]02")] = None
    total_rejected_quantity: Annotated[Text, at("2200B QTY[AA]02")] = None
    total_accepted_amount: Annotated[Text, at("2200B AMT[YU]02")] = None
    total_rejected_amount: Annotated[Text, at("2200B AMT[YY]02")] = None
    claim_status_details: list[ClaimStatusDetail] | None = None


class ContactMethod(Document):
    """One communication number of a PER."""

    phone: Annotated[Text, at("@02 @01=TE")] = None
    phone_extension: Annotated[Text, at("@02 @01=EX")] = None
    fax: Annotated[Text, at("@02 @01=FX")] = None
    email: Annotated[Text, at("@02 @01=EM")] = None
    electronic_data_inter_change_access_number: Annotated[Text, at("@02 @01=ED")] = None


class PayerContactInformation(Document):
    """PER of loop 2100A of a 277."""

    contact_name: Annotated[Text, at("2100A PER02")] = None
    contact_methods: Annotated[list[ContactMethod] | None, groups("2100A PER03", 2, 8)] = None


class ReportPayer(Document):
    """Who reports, a payer or a clearinghouse: level 2000A."""

    entity_identifier_code: Annotated[Text, at("2100A NM101")] = None
    entity_identifier_code_value: Annotated[Text, meaning("2100A NM101", _ENTITY)] = None
    organization_name: Annotated[Text, at("2100A NM103")] = None
    payer_identification: Annotated[Text, at("2100A NM109 NM108=PI")] = None
    centers_for_medicare_and_medicaid_service_plan_id: Annotated[Text, at("2100A NM109 NM108=XV")] = None
    etin: Annotated[Text, at("2100A NM109 NM108=46")] = None
    federal_taxpayer_identification_number: Annotated[Text, at("2100A NM109 NM108=FI")] = None
    payer_contact_information: PayerContactInformation | None = None
    transmission_receipt_control_identifier: Annotated[Text, at("2200A TRN02")] = None
    receipt_date: Annotated[Text, at("2200A DTP[050]03")] = None
    process_date: Annotated[Text, at("2200A DTP[009]03")] = None
    claim_status_transactions: list[ClaimStatusTransaction] | None = None


class ClaimReport(Document):
    """One transaction set: an item of the dialect's `transactions[]`."""

    id: Text = None
    control_number: Annotated[Text, at("277 ST02")] = None
    reference_identification: Annotated[Text, at("277 BHT03")] = None
    transaction_set_creation_date: Annotated[Text, at("277 BHT04")] = None
    transaction_set_creation_time: Annotated[Text, at("277 BHT05")] = None
    payers: list[ReportPayer] | None = None


# --- both ways -----------------------------------------------------------------------------------------------------


def read_claim_report(root: Instance) -> ClaimReport:
    """The report that a walked 277CA, or a 277, holds."""
    report = read(ClaimReport, root)
    acknowledges = _acknowledges(root)
    report.payers = []
    for source in root.inside("2000A"):
        payer = read(ReportPayer, source)
        payer.claim_status_transactions = []
        for receiver in source.inside("2000B"):
            said = read(ClaimStatusTransaction, receiver)
            said.claim_status_details = []
            for provider in receiver.inside("2000C"):
                detail = read(ClaimStatusDetail, provider)
                detail.patient_claim_status_details = [
                    _read_patient(patient, acknowledges) for patient in patients(provider)
                ] or None
                said.claim_status_details.append(detail)
            said.claim_status_details = said.claim_status_details or None
            payer.claim_status_transactions.append(said)
        payer.claim_status_transactions = payer.claim_status_transactions or None
        report.payers.append(payer)
    report.payers = report.payers or None
    return report


def _acknowledges(root: Instance) -> bool:
    """Whether the set is a claim acknowledgement (277CA), whose claims are known by their patient control number."""
    return found(root, "BHT", 1) == _ACKNOWLEDGEMENT


def _read_patient(level: Instance, acknowledges: bool) -> PatientClaimStatusDetail:
    detail = read(PatientClaimStatusDetail, level)
    detail.claims = [read(ReportClaim, loop) for loop in level.inside(*_CLAIM_LOOPS)] or None
    for claim in detail.claims or ():
        status = claim.claim_status
        if acknowledges and status is not None and status.patient_account_number is None:
            status.patient_account_number = status.referenced_transaction_trace_number
    return detail


def write_claim_report(report: ClaimReport, header: Header) -> Written:
    """A 277CA. ST02 is the header's; BHT03 to BHT05 are the header's where the report leaves them out."""
    writer = Writer(guides.load(GUIDE_ID, "277"), header.control_number)
    header.put(writer.root, _ACKNOWLEDGEMENT, "08")
    writer.root.put("BHT03", header.reference)
    writer.write(msgspec.structs.replace(report, control_number=None), writer.root)
    for index, payer in enumerate(report.payers or ()):
        path = f"payers[{index}]"
        source = writer.root.add("2000A", path)
        writer.write(payer, source, path)
        for number, said in enumerate(payer.claim_status_transactions or ()):
            _write_receiver(writer, said, source, f"{path}.claimStatusTransactions[{number}]")
    return writer.finish()


def _write_receiver(writer: Writer, said: ClaimStatusTransaction, source: DraftLoop, path: str) -> None:
    receiver = source.add("2000B", path)
    writer.write(said, receiver, path)
    for index, detail in enumerate(said.claim_status_details or ()):
        place = f"{path}.claimStatusDetails[{index}]"
        provider = receiver.add("2000C", place)
        writer.write(detail, provider, place)
        for number, patient in enumerate(detail.patient_claim_status_details or ()):
            _write_patient(writer, patient, provider, f"{place}.patientClaimStatusDetails[{number}]")


def _write_patient(writer: Writer, detail: PatientClaimStatusDetail, provider: DraftLoop, path: str) -> None:
    """The patient of a 277CA is the dependent where there is one, known by the subscriber's member id."""
    patient = provider.add("2000D", path)
    subscriber, dependent = detail.subscriber, detail.dependent
    if dependent is None:
        writer.write(msgspec.structs.replace(detail, dependent=None), patient, path)
    else:
        member = subscriber.member_id if subscriber is not None else None
        names = {n: getattr(dependent, n) for n in ReportDependent.__struct_fields__}
        writer.write(ReportSubscriber(**names, member_id=member), patient.add("2100D", path), f"{path}.dependent")
    for index, claim in enumerate(detail.claims or ()):
        place = f"{path}.claims[{index}]"
        writer.write(_known(claim), patient.add("2200D", place), place)


def _known(claim: ReportClaim) -> ReportClaim:
    """A claim whose patient control number stands where a 277CA has it, in TRN02."""
    status = claim.claim_status
    if status is None or status.patient_account_number is None:
        return claim
    number = status.referenced_transaction_trace_number or status.patient_account_number
    if number != status.patient_account_number:
        return claim
    known = msgspec.structs.replace(status, referenced_transaction_trace_number=number, patient_account_number=None)
    return msgspec.structs.replace(claim, claim_status=known)


# --- flat ----------------------------------------------------------------------------------------------------------


class ClaimVerdict(Flat, frozen=True):
    """What a 277CA says of one claim.

    `accepted` is None where neither codes nor actions accept or reject. `rejected_above` names the loop (2200B, 2200C)
    that rejects everything beneath, this claim too; `accepted` is False then, whatever the claim's own STC says.
    """

    patient_control_number: str
    accepted: bool | None
    codes: tuple[StatusCode, ...]
    actions: tuple[str, ...] = ()
    rejected_above: Literal["2200B", "2200C"] | None = None
    payer_claim_control_number: str = ""
    clearinghouse_trace_number: str = ""
    batch_number: str = ""
    effective_date: date | None = None
    total_charge: Decimal | None = None
    service_from: date | None = None
    service_to: date | None = None
    messages: tuple[str, ...] = ()


class BatchVerdict(Flat, frozen=True):
    """What a 277CA says of all that one receiver sent (2200B), or of all claims of one provider in it (2200C).

    `batch_number` is the BHT03 of the claims (2200B TRN02), `source_trace_number` the source's own (2200A TRN02),
    `provider_identifier` NM109 of the provider. A rejection holds for every claim of the batch or of the provider, also
    where the report names none of them, and a rejected batch rejects its providers. `claims` counts the claims it names.
    """

    level: Literal["2200B", "2200C"]
    accepted: bool | None
    codes: tuple[StatusCode, ...]
    actions: tuple[str, ...] = ()
    batch_number: str = ""
    source_identifier: str = ""
    source_trace_number: str = ""
    received: date | None = None
    processed: date | None = None
    effective_date: date | None = None
    total_charge: Decimal | None = None
    provider_identifier: str = ""
    accepted_quantity: Decimal | None = None
    rejected_quantity: Decimal | None = None
    accepted_amount: Decimal | None = None
    rejected_amount: Decimal | None = None
    claims: int = 0


# Loop -> QTY01 of its accepted and rejected totals.
_QUANTITIES = {"2200B": ("90", "AA"), "2200C": ("QA", "QC")}


def _actions(loop: Instance) -> tuple[str, ...]:
    return tuple(row[3] for row in loop.rows().get("STC", ()) if len(row) > 3 and row[3])


def _said(level: Instance, loop_id: str) -> tuple[tuple[StatusCode, ...], tuple[str, ...]]:
    """Codes and actions of a level's own trace loop."""
    loop = next(iter(level.inside(loop_id)), None)
    return (tuple(status_codes(loop)), _actions(loop)) if loop is not None else ((), ())


def claim_verdicts(root: Instance) -> list[ClaimVerdict]:
    """What a walked 277CA says of each claim it names, in file order. What it says of whole batches: `batch_verdicts`."""
    verdicts: list[ClaimVerdict] = []
    for receiver in root.all("2000B"):
        refused = accepts(*_said(receiver, "2200B")) is False
        batch = next((found(loop, "TRN", 2) for loop in receiver.inside("2200B")), "")
        for provider in receiver.inside("2000C"):
            above: Literal["2200B", "2200C"] | None = "2200B" if refused else None
            if above is None and accepts(*_said(provider, "2200C")) is False:
                above = "2200C"
            verdicts += [_verdict(loop, batch, above) for loop in provider.all(*_CLAIM_LOOPS)]
    return verdicts


def _verdict(loop: Instance, batch: str, above: Literal["2200B", "2200C"] | None) -> ClaimVerdict:
    said, actions = list(status_codes(loop)), list(_actions(loop))
    for line in loop.inside("2220D", "2220E"):
        said += status_codes(line, reference(line, "FJ"))
        actions += _actions(line)
    first, last = days(loop, "472")
    return ClaimVerdict(
        patient_control_number=reference(loop, "EJ") or found(loop, "TRN", 2),
        accepted=False if above else accepts(said, actions),
        codes=tuple(said),
        actions=tuple(actions),
        rejected_above=above,
        payer_claim_control_number=reference(loop, "1K"),
        clearinghouse_trace_number=reference(loop, "D9"),
        batch_number=batch,
        effective_date=day(found(loop, "STC", 2)),
        total_charge=amount(found(loop, "STC", 4)),
        service_from=first,
        service_to=last,
        messages=tuple(row[12] for row in loop.rows().get("STC", ()) if len(row) > 12 and row[12]),
    )


def batch_verdicts(root: Instance) -> list[BatchVerdict]:
    """What a walked 277CA says of each receiver's batch and, below it, of each provider, whether it names claims or not."""
    verdicts: list[BatchVerdict] = []
    for source in root.inside("2000A"):
        for receiver in source.inside("2000B"):
            verdicts.append(_batch(source, receiver, receiver, "2200B"))
            verdicts += [_batch(source, receiver, p, "2200C") for p in receiver.inside("2000C")]
    return verdicts


def _batch(source: Instance, receiver: Instance, level: Instance, loop_id: Literal["2200B", "2200C"]) -> BatchVerdict:
    empty = Instance(level.loop, None, level.delimiters)
    own, asked, sent = (
        next(iter(of.inside(name)), empty) for of, name in ((level, loop_id), (receiver, "2200B"), (source, "2200A"))
    )
    said, actions = tuple(status_codes(own)), _actions(own)
    accepted, rejected = _QUANTITIES[loop_id]
    refused = loop_id == "2200C" and accepts(*_said(receiver, "2200B")) is False
    return BatchVerdict(
        level=loop_id,
        accepted=False if refused else accepts(said, actions),
        codes=said,
        actions=actions,
        batch_number=found(asked, "TRN", 2),
        source_identifier=next((found(name, "NM1", 9) for name in source.inside("2100A")), ""),
        source_trace_number=found(sent, "TRN", 2),
        received=days(sent, "050")[0],
        processed=days(sent, "009")[0],
        effective_date=day(found(own, "STC", 2)),
        total_charge=amount(found(own, "STC", 4)),
        provider_identifier=next((found(name, "NM1", 9) for name in level.inside("2100C")), ""),
        accepted_quantity=amount(found(own, "QTY", 2, accepted)),
        rejected_quantity=amount(found(own, "QTY", 2, rejected)),
        accepted_amount=amount(found(own, "AMT", 2, "YU")),
        rejected_amount=amount(found(own, "AMT", 2, "YY")),
        claims=sum(1 for _ in level.all(*_CLAIM_LOOPS)),
    )

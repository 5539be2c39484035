"""Laws of claim reports: a 277CA is written and read without loss, and a rejection at any level reaches every claim beneath."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from tests import synthetic
from tests.laws.cases import cases
from tests.laws.status_values import (
    HEADER,
    QUALIFIERS,
    Draw,
    amount,
    category,
    choice,
    corpus_sets,
    day,
    entities,
    header_of,
    modifiers,
    mutated,
    paths,
    plain,
    received,
    seeds,
    status,
    text,
    translated,
    tree_of,
    two_days,
    without_words,
)
from x12 import codes
from x12.documents.claim_acknowledgement import (
    ClaimReport,
    ClaimStatus,
    ClaimStatusDetail,
    ClaimStatusTransaction,
    InformationClaimStatus,
    PatientClaimStatusDetail,
    PayerContactInformation,
    ProviderClaimStatus,
    ReportClaim,
    ReportDependent,
    ReportPayer,
    ReportReceiver,
    ReportService,
    ReportServiceProvider,
    ReportSubscriber,
    SecondaryIdentifier,
    ServiceClaimStatus,
    ServiceLine,
    ServiceProviderClaimStatus,
    StatusDetail,
    batch_verdicts,
    claim_verdicts,
    read_claim_report,
    write_claim_report,
)
from x12.documents.standing import StatusCode
from x12.envelope import read
from x12.walk import Instance

GUIDE = "005010X214"
ENTITIES = {loop: entities(GUIDE, loop) for loop in ("2200B", "2200C", "2200D")}
ACTIONS = ("U", "WQ")


# --- reports out of chance ------------------------------------------------------------------------------------------


def names(draw: Draw, suffix: bool = True) -> dict[str, Any]:
    return {
        "last_name": draw(text(60)),
        "first_name": draw.maybe(text(35)),
        "middle_name": draw.maybe(text(25)),
    } | ({"suffix": draw.maybe(text(10))} if suffix else {})


def said(draw: Draw, loop: str) -> list[StatusDetail]:
    """One to three codes of an STC."""
    return [
        StatusDetail(
            health_care_claim_status_category_code=draw(category),
            status_code=draw(status),
            entity_identifier_code=draw.maybe(choice(ENTITIES[loop])),
        )
        for _ in range(draw.random.randint(1, 3))
    ]


def dates(draw: Draw, one: str, first: str, last: str) -> dict[str, str]:
    """A single date under its own name, or a period under two."""
    return {one: draw(day)} if draw.flag() else dict(zip((first, last), draw(two_days), strict=True))


def information(draw: Draw) -> InformationClaimStatus:
    message = draw.maybe(text(200))
    return InformationClaimStatus(
        status_information_effective_date=draw(day),
        status_information_action_code=draw.one(ACTIONS),
        total_claim_charge_amount=draw(amount),
        information_statuses=said(draw, "2200D"),
        message=message,
        status_message=message,
    )


def line(draw: Draw) -> ServiceLine:
    return ServiceLine(
        service=ReportService(
            service_id_qualifier_code=draw.one(QUALIFIERS),
            procedure_code=draw(text(48)),
            procedure_modifiers=draw.maybe(modifiers),
            charge_amount=draw(amount),
            revenue_code=draw.maybe(text(48)),
            submitted_units=draw.maybe(amount),
        ),
        service_claim_statuses=[
            ServiceClaimStatus(
                status_information_action_code="U",
                service_statuses=said(draw, "2200D"),
                status_message=draw.maybe(text(200)),
            )
            for _ in range(draw.random.randint(1, 2))
        ],
        line_item_control_number=draw(text(50)),
        pharmacy_prescription_number=draw.maybe(text(50)),
        **(dates(draw, "service_line_date", "begin_service_line_date", "end_service_line_date") if draw.flag() else {}),
    )


def claim(draw: Draw) -> ReportClaim:
    number = draw(text(50))
    return ReportClaim(
        claim_status=ClaimStatus(
            referenced_transaction_trace_number=number,
            patient_account_number=number,
            information_claim_statuses=draw.several(information, 1, 2),
            trading_partner_claim_number=draw.maybe(text(50)),
            bill_type_identifier=draw.maybe(text(50)),
            clearinghouse_trace_number=draw.maybe(text(50)),
            **dates(draw, "claim_service_date", "claim_service_begin_date", "claim_service_end_date"),
        ),
        service_lines=draw.several(line, 0, 2) or None,
    )


def patient(draw: Draw) -> PatientClaimStatusDetail:
    who = names(draw)
    if draw.flag():
        person = ReportSubscriber(**who, member_id=draw(text(80, 2)))
    else:
        number = draw(text(80, 2))
        person = ReportSubscriber(
            **who, standard_unique_health_identifier_for_each_individual_in_the_united_states=number
        )
    return PatientClaimStatusDetail(subscriber=person, claims=draw.several(claim, 1, 2))


def totals(draw: Draw) -> dict[str, Any]:
    return {
        "total_accepted_quantity": draw.maybe(amount),
        "total_rejected_quantity": draw.maybe(amount),
        "total_accepted_amount": draw.maybe(amount),
        "total_rejected_amount": draw.maybe(amount),
    }


def provider(draw: Draw) -> ClaimStatusDetail:
    who = names(draw) if draw.flag() else {"organization_name": draw(text(60))}
    made = ClaimStatusDetail(
        service_provider=ReportServiceProvider(**who, **{draw.one(("npi", "tin")): draw(text(80, 2))}),
        patient_claim_status_details=draw.several(patient, 0, 2) or None,
    )
    if draw.flag():
        made = msgspec.structs.replace(
            made,
            provider_of_service_information_trace_identifier=draw(text(50)),
            service_provider_claim_statuses=[
                ServiceProviderClaimStatus(
                    status_information_action_code=draw.one(ACTIONS),
                    total_submitted_charges=draw(amount),
                    service_provider_statuses=said(draw, "2200C"),
                )
                for _ in range(draw.random.randint(0, 2))
            ]
            or None,
            secondary_identifiers=[
                SecondaryIdentifier(qualifier=draw.one(("0B", "1G", "G2", "LU", "SY", "TJ")), identifier=draw(text(50)))
                for _ in range(draw.random.randint(0, 3))
            ]
            or None,
            **totals(draw),
        )
    return made


def receiver_status(draw: Draw) -> ProviderClaimStatus:
    return ProviderClaimStatus(
        status_information_effective_date=draw(day),
        status_information_action_code=draw.one(ACTIONS),
        total_submitted_charges=draw(amount),
        provider_statuses=said(draw, "2200B"),
    )


def report(draw: Draw) -> ClaimReport:
    who = names(draw, suffix=False) if draw.flag() else {"organization_name": draw(text(60))}
    told = ClaimStatusTransaction(
        provider=ReportReceiver(**who, etin=draw(text(80, 2))),
        claim_transaction_batch_number=draw(text(50)),
        provider_claim_statuses=draw.several(receiver_status, 1, 2),
        claim_status_details=draw.several(provider, 0, 2) or None,
        **totals(draw),
    )
    identifiers = (
        "payer_identification",
        "centers_for_medicare_and_medicaid_service_plan_id",
        "etin",
        "federal_taxpayer_identification_number",
    )
    source = ReportPayer(
        entity_identifier_code=draw.one(("AY", "PR")),
        organization_name=draw(text(60)),
        transmission_receipt_control_identifier=draw(text(50)),
        receipt_date=draw(day),
        process_date=draw(day),
        claim_status_transactions=[told],
    )
    setattr(source, draw.one(identifiers), draw(text(80, 2)))
    return ClaimReport(
        control_number=HEADER.control_number,
        reference_identification=draw(text(30)),
        transaction_set_creation_date=draw(day),
        transaction_set_creation_time="1530",
        payers=[source],
    )


# --- there and back -------------------------------------------------------------------------------------------------


@settings(max_examples=cases(600), deadline=None)
@given(seeds)
def test_a_report_that_is_written_is_read_back(seed: int) -> None:
    written = report(Draw(seed))
    tree = received(write_claim_report(written, HEADER), "HN", GUIDE).tree()
    back = read_claim_report(tree)
    assert without_words(written) == without_words(back)
    assert back == read_claim_report(received(write_claim_report(back, HEADER), "HN", GUIDE).tree())
    told = sum(path.endswith("healthCareClaimStatusCategoryCode") for path in paths(written))
    flat = [code for v in (*claim_verdicts(tree), *batch_verdicts(tree)) for code in v.codes]
    assert told == len(flat)


def test_each_acknowledgement_of_the_corpus_comes_out_as_it_went_in() -> None:
    for name, one in corpus_sets("277CA"):
        document = msgspec.json.decode(msgspec.json.encode(read_claim_report(one.tree())), type=ClaimReport)
        written = write_claim_report(document, header_of(one))
        assert [] == written.findings, name
        assert plain(one.segments, one) == plain(written.segments), name


def test_an_acknowledgement_of_many_claims_comes_out_as_it_went_in() -> None:
    one = read(synthetic.acknowledgement_277ca(40).encode())[0].sets[0]
    document = read_claim_report(one.tree())
    assert one.segments == translated(write_claim_report(document, header_of(one)).segments)
    verdicts = claim_verdicts(one.tree())
    assert (40, True) == (len(verdicts), all(v.accepted for v in verdicts))


# --- what a report says ---------------------------------------------------------------------------------------------

HEAD = [
    "ST*277*0001*005010X214",
    "BHT*0085*08*REPORT1*20260105*0930*TH",
    "HL*1**20*1",
    "NM1*AY*2*CLEARERS*****46*CLR00",
    "TRN*1*SOURCE1",
    "DTP*050*D8*20260104",
    "DTP*009*D8*20260105",
]
RECEIVER = [
    "HL*2*1*21*1",
    "NM1*41*2*BILLERS*****46*S1",
    "TRN*2*BATCH1",
    "STC*A1:19:PR*20260105*WQ*300",
    "QTY*90*1",
    "QTY*AA*1",
    "AMT*YU*100",
    "AMT*YY*200",
]
PROVIDER = ["HL*3*2*19*1", "NM1*85*2*DOCTORS*****XX*1760854442"]
CLAIM = [
    "HL*4*3*PT",
    "NM1*QC*1*ONE*ANN****MI*M1",
    "TRN*2*PCN1",
    "STC*A2:20:PR*20260105*WQ*100",
    "REF*1K*ICN1",
    "REF*D9*CLR1",
    "DTP*472*RD8*20260101-20260102",
]
REJECTED = [
    "HL*5*3*PT",
    "NM1*QC*1*TWO*BOB****MI*M2",
    "TRN*2*PCN2",
    "STC*A7:562:85*20260105*U*200******A6:128:85*A8:496:41*BILLING NPI UNKNOWN",
    "REF*D9*CLR2",
    "DTP*472*D8*20260103",
]
WHOLE = [*HEAD, *RECEIVER, *PROVIDER, *CLAIM, *REJECTED]


def tree(*segments: str) -> Instance:
    return tree_of([*segments, f"SE*{len(segments) + 1}*0001"], "HN", GUIDE)


def test_each_claim_has_its_verdict_numbers_and_codes() -> None:
    good, bad = claim_verdicts(tree(*WHOLE))
    assert (True, "PCN1", "ICN1", "CLR1", "BATCH1", Decimal(100), date(2026, 1, 1), date(2026, 1, 2)) == (
        good.accepted,
        good.patient_control_number,
        good.payer_claim_control_number,
        good.clearinghouse_trace_number,
        good.batch_number,
        good.total_charge,
        good.service_from,
        good.service_to,
    )
    assert (False, "PCN2", "", ("U",), None, ("BILLING NPI UNKNOWN",), date(2026, 1, 3)) == (
        bad.accepted,
        bad.patient_control_number,
        bad.payer_claim_control_number,
        bad.actions,
        bad.rejected_above,
        bad.messages,
        bad.service_to,
    )
    assert (StatusCode("A7", "562", "85"), StatusCode("A6", "128", "85"), StatusCode("A8", "496", "41")) == bad.codes
    assert "Acknowledgement/Rejected for invalid information: Entity's NPI (Billing Provider)" == bad.codes[0].words


def test_a_batch_has_its_totals() -> None:
    batch, provider_of = batch_verdicts(tree(*WHOLE))
    assert ("2200B", True, "BATCH1", "SOURCE1", "CLR00", 2) == (
        batch.level,
        batch.accepted,
        batch.batch_number,
        batch.source_trace_number,
        batch.source_identifier,
        batch.claims,
    )
    assert (date(2026, 1, 4), date(2026, 1, 5)) == (batch.received, batch.processed)
    assert tuple(map(Decimal, (300, 1, 1, 100, 200))) == (
        batch.total_charge,
        batch.accepted_quantity,
        batch.rejected_quantity,
        batch.accepted_amount,
        batch.rejected_amount,
    )
    assert ("2200C", None, "1760854442", 2) == (
        provider_of.level,
        provider_of.accepted,
        provider_of.provider_identifier,
        provider_of.claims,
    )


def test_a_batch_that_is_rejected_without_its_claims_is_told() -> None:
    refused = [line if not line.startswith("STC") else "STC*A3:746:41*20260105*U*300" for line in RECEIVER[1:4]]
    root = tree(*HEAD, "HL*2*1*21*0", *refused)
    assert [] == claim_verdicts(root)
    assert [(False, "BATCH1", (StatusCode("A3", "746", "41"),), 0)] == [
        (b.accepted, b.batch_number, b.codes, b.claims) for b in batch_verdicts(root)
    ]


@pytest.mark.parametrize(
    ("level", "status_line"), [("2200B", "STC*A3:24:41*20260105*U*300"), ("2200C", "STC*A8:496:85**U*300")]
)
def test_a_rejection_above_rejects_every_claim_beneath(level: str, status_line: str) -> None:
    receiver = [*RECEIVER[:3], status_line, *RECEIVER[4:]] if level == "2200B" else RECEIVER
    detail = [*PROVIDER, "TRN*1*0", status_line] if level == "2200C" else PROVIDER
    root = tree(*HEAD, *receiver, *detail, *CLAIM)
    assert [(False, level)] == [(v.accepted, v.rejected_above) for v in claim_verdicts(root)]
    assert (level == "2200C", False) == tuple(b.accepted for b in batch_verdicts(root))


@pytest.mark.parametrize(
    ("status_line", "accepted"),
    [
        ("STC*A0:16:PR*20260105*WQ*1", True),
        ("STC*A2:20*20260105**1", True),
        ("STC*P1:20*20260105**1", True),
        ("STC*A4:35*20260105*WQ*1", False),
        ("STC*A7:562:85*20260105*WQ*1", False),
        ("STC*A2:20*20260105*U*1", False),
        ("STC*A2:20*20260105*WQ*1******A6:128:85", False),
        ("STC*E1:689:ZZ*20260105**1", None),
        ("STC*:*20260105", None),
    ],
)
def test_a_rejection_by_code_or_by_action_outweighs_an_acceptance(status_line: str, accepted: bool | None) -> None:
    (verdict,) = claim_verdicts(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM[:3], status_line, *CLAIM[4:]))
    assert accepted is verdict.accepted


def test_a_line_that_is_rejected_rejects_its_claim() -> None:
    lines = ["SVC*HC:99213*100*****1", "STC*A7:454**U", "REF*FJ*LINE1"]
    (verdict,) = claim_verdicts(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM, *lines))
    assert (False, StatusCode("A7", "454", line="LINE1")) == (verdict.accepted, verdict.codes[-1])


def test_codes_are_told_in_words() -> None:
    document = read_claim_report(tree(*WHOLE))
    told = paths(document)
    place = ".payers[0].claimStatusTransactions[0].claimStatusDetails[0].patientClaimStatusDetails[1].claims[0]"
    status_place = f"{place}.claimStatus.informationClaimStatuses[0]"
    assert ("Reject", "BILLING NPI UNKNOWN", "BILLING NPI UNKNOWN", "PCN2", "Clearinghouse") == (
        told[f"{status_place}.statusInformationActionCodeValue"],
        told[f"{status_place}.statusMessage"],
        told[f"{status_place}.message"],
        told[f"{place}.claimStatus.patientAccountNumber"],
        told[".payers[0].entityIdentifierCodeValue"],
    )
    assert ("A6", codes.table("claim_status")["128"], "Billing Provider") == (
        told[f"{status_place}.informationStatuses[1].healthCareClaimStatusCategoryCode"],
        told[f"{status_place}.informationStatuses[1].statusCodeValue"],
        told[f"{status_place}.informationStatuses[1].entityIdentifierCodeValue"],
    )


STATUS_277 = [
    "ST*277*0001*005010X212",
    "BHT*0010*08*REF1*20260105*0930*DG",
    "HL*1**20*1",
    "NM1*PR*2*A PAYER*****PI*9496",
    "PER*IC*HELP*TE*8005550100*EX*12*EM*A@B.EXAMPLE",
    "HL*2*1*21*1",
    "NM1*41*2*BILLERS*****46*0123456789",
    "HL*3*2*19*1",
    "NM1*1P*2*DOCTORS*****XX*1760854442",
    "HL*4*3*22*1",
    "NM1*IL*1*ONE*ANN****MI*M1",
    "HL*5*4*23",
    "NM1*QC*1*ONE*BOB",
    "TRN*2*TRACE1",
    "STC*F1:65*20260104**100*80*20260103**20260104*CHECK1",
    "REF*EJ*PCN1",
    "REF*VV*VOUCHER1",
    "DTP*472*D8*20260101",
    "SE*19*0001",
]


def test_a_status_answer_is_read_as_a_report() -> None:
    document = read_claim_report(tree_of(STATUS_277, "HN", "005010X212"))
    told = paths(document)
    detail = ".payers[0].claimStatusTransactions[0].claimStatusDetails[0].patientClaimStatusDetails[0]"
    claim_place = f"{detail}.claims[0].claimStatus"
    assert ("M1", "BOB", "TRACE1", "PCN1", "VOUCHER1", "80", "CHECK1") == (
        told[f"{detail}.subscriber.memberId"],
        told[f"{detail}.dependent.firstName"],
        told[f"{claim_place}.referencedTransactionTraceNumber"],
        told[f"{claim_place}.patientAccountNumber"],
        told[f"{claim_place}.voucherIdentifier"],
        told[f"{claim_place}.informationClaimStatuses[0].claimPaymentAmount"],
        told[f"{claim_place}.informationClaimStatuses[0].remittanceTraceNumber"],
    )
    contact = ".payers[0].payerContactInformation"
    assert ("HELP", "8005550100", "12", "A@B.EXAMPLE") == (
        told[f"{contact}.contactName"],
        told[f"{contact}.contactMethods[0].phone"],
        told[f"{contact}.contactMethods[1].phoneExtension"],
        told[f"{contact}.contactMethods[2].email"],
    )


def test_the_patient_of_a_written_acknowledgement_is_the_dependent() -> None:
    written = read_claim_report(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM))
    detail = details(written)[0]
    detail.dependent = ReportDependent(last_name="ONE", first_name="BOB")
    lines = translated(write_claim_report(written, HEADER).segments)
    assert "NM1*QC*1*ONE*BOB****MI*M1" in lines
    assert not any("ANN" in line for line in lines)


def details(document: ClaimReport) -> Sequence[PatientClaimStatusDetail]:
    said_to = ((document.payers or [])[0].claim_status_transactions or [])[0]
    return (said_to.claim_status_details or [])[0].patient_claim_status_details or ()


def test_what_is_missing_or_has_no_place_is_told_by_its_field() -> None:
    written = read_claim_report(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM))
    written.transaction_set_creation_date = None
    assert [] == write_claim_report(written, HEADER).findings
    claim_of = (details(written)[0].claims or [])[0].claim_status
    assert claim_of is not None
    claim_of.voucher_identifier = "V1"
    claim_of.patient_account_number = "OTHER"
    claim_of.claim_service_begin_date = claim_of.claim_service_end_date = None
    (written.payers or [])[0].receipt_date = "2026-01-04"
    place = (
        "payers[0].claimStatusTransactions[0].claimStatusDetails[0].patientClaimStatusDetails[0].claims[0].claimStatus"
    )
    found = {f.path for f in write_claim_report(written, HEADER).findings}
    assert {f"{place}.voucherIdentifier", f"{place}.patientAccountNumber", "payers[0].receiptDate"} <= found
    assert {f"{place}.claimServiceDate"} == found - {
        f"{place}.voucherIdentifier",
        f"{place}.patientAccountNumber",
        "payers[0].receiptDate",
    }


def test_what_only_a_status_answer_has_is_refused_by_its_field() -> None:
    lines = ["SVC*HC:99213*100*****1", "STC*A7:454**U", "REF*FJ*LINE1"]
    written = read_claim_report(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM, *lines))
    source = (written.payers or [])[0]
    source.payer_contact_information = PayerContactInformation(contact_name="HELP", contact_methods=[])
    detail = ((source.claim_status_transactions or [])[0].claim_status_details or [])[0]
    assert detail.service_provider is not None
    detail.service_provider.npi, detail.service_provider.spn = None, "SPN1"
    told = ServiceProviderClaimStatus(
        status_information_effective_date="20260105",
        status_information_action_code="WQ",
        total_submitted_charges="1",
        service_provider_statuses=[StatusDetail(health_care_claim_status_category_code="A1", status_code="20")],
    )
    detail.service_provider_claim_statuses = [told]
    detail.provider_of_service_information_trace_identifier = "0"
    (patient_of,) = detail.patient_claim_status_details or []
    assert patient_of.subscriber is not None
    patient_of.subscriber.member_id, patient_of.subscriber.employer_identification_number = None, "123456789"
    (claim_of,) = patient_of.claims or []
    assert claim_of.claim_status is not None
    claim_of.claim_status.voucher_identifier = claim_of.claim_status.pharmacy_prescription_number = "V1"
    (said_of,) = claim_of.claim_status.information_claim_statuses or []
    said_of.claim_payment_amount, said_of.adjudicated_finalized_date = "1", "20260101"
    said_of.remittance_date, said_of.remittance_trace_number = "20260101", "CHECK1"
    (code_of,) = said_of.information_statuses or []
    code_of.national_council_for_prescription_drug_programs_reject_payment_codes = "RX"
    (line_of,) = claim_of.service_lines or []
    assert line_of.service is not None
    line_of.service.amount_paid = "1"
    (line_status,) = line_of.service_claim_statuses or []
    line_status.effective_date = "20260105"
    found = {str(f.path) for f in write_claim_report(written, HEADER).findings}
    refused = (
        "contactName",
        "spn",
        "serviceProviderClaimStatuses[0].statusInformationEffectiveDate",
        "employerIdentificationNumber",
        "voucherIdentifier",
        "claimStatus.pharmacyPrescriptionNumber",
        "claimPaymentAmount",
        "adjudicatedFinalizedDate",
        "remittanceDate",
        "remittanceTraceNumber",
        "nationalCouncilForPrescriptionDrugProgramsRejectPaymentCodes",
        "amountPaid",
        "serviceClaimStatuses[0].effectiveDate",
    )
    assert len(refused) == len(found)
    assert [] == [name for name in refused if not any(path.endswith(name) for path in found)]


def test_a_claim_without_its_own_number_is_known_by_the_patient_account_number() -> None:
    written = read_claim_report(tree(*HEAD, *RECEIVER, *PROVIDER, *CLAIM))
    claim_of = (details(written)[0].claims or [])[0].claim_status
    assert claim_of is not None
    claim_of.referenced_transaction_trace_number = None
    assert "TRN*2*PCN1" in translated(write_claim_report(written, HEADER).segments)


@settings(max_examples=cases(800), deadline=None)
@given(seeds)
def test_reading_never_raises(seed: int) -> None:
    draw = Draw(seed)
    segments, version = draw.one((([*WHOLE, f"SE*{len(WHOLE) + 1}*0001"], GUIDE), (STATUS_277, "005010X212")))
    root = tree_of(mutated(draw, segments), "HN", version)
    document = read_claim_report(root)
    assert document == msgspec.json.decode(msgspec.json.encode(document), type=ClaimReport)
    assert all(v.accepted in (True, False, None) for v in (*claim_verdicts(root), *batch_verdicts(root)))

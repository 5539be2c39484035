"""Files of other people are read: valid ones without a finding that the document does not list, and into whole documents."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeVar

import msgspec
import pytest

from tests.corpus import report
from tests.corpus.listed import DOCUMENT, Entry, content, findings, invalid, received, valid
from x12.documents import dental_claim
from x12.documents.binding import Document
from x12.documents.claim_acknowledgement import ReportClaim, claim_verdicts, read_claim_report
from x12.documents.claim_status import claim_statuses, read_status_requests, read_status_responses
from x12.documents.eligibility import read_responses
from x12.documents.eligibility_request import read_requests
from x12.documents.institutional_claim import read_claims as read_institutional_claims
from x12.documents.professional_claim import read_claims
from x12.documents.remittance import Remittance, read_remittance
from x12.documents.remittance_claim import ClaimPayment
from x12.documents.services_review import (
    RequestedEvent,
    RequestedService,
    ReviewedEvent,
    ReviewedService,
    ServicesReviewRequest,
    ServicesReviewResponse,
)
from x12.envelope import TransactionSet
from x12.transactions import documents_of

D = TypeVar("D", bound=Document)
EVERYTHING = valid("270", "271", "276", "277", "277CA", "278", "835", "837D", "837I", "837P")
INVALID = invalid()
# Says 005010X217, and has a level 23 and a PT where that guide has the patient event.
_OTHER_LEVELS = "278/mjkubba__edi278-demo-005010X217.edi"
# Files with one fault in the envelope whose source names the code that a TA1, an AK9 or an IK5 reports it with.
_CODES = ("pyx12file_test_GE_id", "pyx12file_test_IEA_count", "pyx12file_test_SE_", "pyx12file_test_missing_IEA")


def name(entry: Entry) -> str:
    return entry.file


def sets(entry: Entry) -> Iterator[TransactionSet]:
    for interchange in received(entry):
        yield from interchange.sets


def column(one: TransactionSet, segment_id: str, element: int, first: str = "") -> list[str]:
    """An element of every segment with this id (and first element) of a set, taken from the raw text."""
    rows = [s.split(one.delimiters.element) for s in one.segments]
    rows = [r for r in rows if r[0] == segment_id and (not first or r[1] == first)]
    return [r[element] if element < len(r) else "" for r in rows]


def kept(document: D) -> D:
    """The document, after JSON gave it back as it was."""
    again = msgspec.json.decode(msgspec.json.encode(document), type=type(document))
    assert document == again
    return document


# --- findings --------------------------------------------------------------------------------------------------------


def test_the_document_is_what_the_run_comes_to() -> None:
    assert report.render() == DOCUMENT.read_text("utf-8"), "run python -m tests.corpus.report, and read what it changed"


def test_every_disagreement_with_a_source_or_with_pyx12_is_explained() -> None:
    assert [] == [line for line in report.render().splitlines() if report.UNEXPLAINED in line]


def test_the_fault_of_every_file_that_is_wrong_on_purpose_is_named() -> None:
    assert [] == report.missed()


def test_no_reason_speaks_of_what_is_not_there() -> None:
    assert [] == report.idle()


@pytest.mark.parametrize("entry", EVERYTHING, ids=name)
def test_no_transaction_set_of_a_file_is_lost(entry: Entry) -> None:
    read = list(sets(entry))
    assert entry.transactions == len(read)
    assert [] == [one.set_id for one in read if one.guide is None]


@pytest.mark.parametrize("entry", [e for e in INVALID if e.file.partition("/")[2].startswith(_CODES)], ids=name)
def test_a_wrong_envelope_gets_the_code_that_its_source_expects(entry: Entry) -> None:
    assert entry.expected is not None
    assert set(entry.expected["pyx12_error_code"]) <= {f.code for f in findings(received(entry))}


def test_every_file_without_a_fault_is_written_as_it_was_read() -> None:
    clean = [v.entry for v in report.verdicts() if v.accepted]
    assert len(clean) > 80
    for entry in clean:
        text = "".join(i.text() for i in received(entry))
        assert (entry.file, content(entry)) == (entry.file, text.encode("latin-1"))


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", valid("837I", "837P"), ids=name)
def test_a_claim_file_is_read_into_its_claims(entry: Entry) -> None:
    institutional = entry.transaction == "837I"
    read_all = read_institutional_claims if institutional else read_claims
    claims = [kept(c) for one in sets(entry) for c in read_all(one.tree())]
    assert entry.claims == len(claims)
    infos = [c.claim_information for c in claims if c.claim_information is not None]
    for number, read in ((1, [i.patient_control_number for i in infos]), (2, [i.claim_charge_amount for i in infos])):
        assert [v for one in sets(entry) for v in column(one, "CLM", number)] == read
    lines = sum(len(column(one, "SV2" if institutional else "SV1", 1)) for one in sets(entry))
    assert lines == sum(len(i.service_lines or ()) for i in infos)
    assert [True] * len(claims) == [bool(c.subscriber and (c.subscriber.last_name)) for c in claims]


@pytest.mark.parametrize("entry", valid("837D"), ids=name)
def test_a_dental_file_is_read_into_its_claims(entry: Entry) -> None:
    claims = [kept(c) for one in sets(entry) for c in dental_claim.read_claims(one.tree())]
    assert entry.claims == len(claims)
    infos = [c.claim_information for c in claims if c.claim_information is not None]
    for number, read in ((1, [i.patient_control_number for i in infos]), (2, [i.claim_charge_amount for i in infos])):
        assert [v for one in sets(entry) for v in column(one, "CLM", number)] == read
    lines = [each for i in infos for each in i.service_lines or ()]
    charges = [each.dental_service.line_item_charge_amount for each in lines if each.dental_service is not None]
    assert [v for one in sets(entry) for v in column(one, "SV3", 2)] == charges
    teeth = [tooth.tooth_code for each in lines for tooth in each.teeth_information or ()]
    assert [v for one in sets(entry) for v in column(one, "TOO", 2)] == teeth
    assert [True] * len(claims) == [bool(c.subscriber and c.subscriber.last_name) for c in claims]


@pytest.mark.parametrize("entry", valid("270"), ids=name)
def test_an_eligibility_request_is_read_into_its_questions(entry: Entry) -> None:
    for one in sets(entry):
        requests = [kept(r) for r in read_requests(one.tree())]
        patients = len(column(one, "HL", 3)) - len([h for h in column(one, "HL", 3) if h in ("20", "21")])
        assert 1 <= len(requests) <= patients
        asked = {r.subscriber.last_name or "" for r in requests if r.subscriber is not None}
        assert set(column(one, "NM1", 3, "IL")) == asked


@pytest.mark.parametrize("entry", valid("271"), ids=name)
def test_an_eligibility_response_is_read_into_an_answer_for_each_patient(entry: Entry) -> None:
    for one in sets(entry):
        responses = [kept(r) for r in read_responses(one.tree())]
        people = [r.subscriber for r in responses if r.subscriber is not None]
        assert set(column(one, "NM1", 3, "IL")) == {p.last_name for p in people if p.last_name}
        assert set(column(one, "NM1", 9, "IL")) - {""} == {p.member_id for p in people if p.member_id}
        assert len(column(one, "EB", 1)) == sum(len(r.benefits_information or ()) for r in responses)
        # A payer says what is covered, or why it cannot.
        assert [True] * len(responses) == [bool(r.benefits_information or r.errors) for r in responses]
        codes = {e.code for r in responses for e in r.errors or ()}
        assert set(column(one, "AAA", 3)) == codes


@pytest.mark.parametrize("entry", valid("276"), ids=name)
def test_a_status_request_is_read_into_its_questions(entry: Entry) -> None:
    for one in sets(entry):
        requests = [kept(r) for r in read_status_requests(one.tree())]
        assert len(column(one, "TRN", 2)) == len(requests)
        members = [r.subscriber.member_id for r in requests if r.subscriber is not None]
        assert set(column(one, "NM1", 9, "IL")) == set(members)


@pytest.mark.parametrize("entry", valid("277"), ids=name)
def test_a_status_response_is_read_into_the_standing_of_each_claim(entry: Entry) -> None:
    for one in sets(entry):
        root = one.tree()
        responses = [kept(r) for r in read_status_responses(root)]
        claims = [c.claim_status for r in responses for c in r.claims or () if c.claim_status is not None]
        told = [s.status_category_code for s in claims]
        above = [
            s
            for r in responses
            for s in (*(r.provider_claim_statuses or ()), *(r.service_provider_claim_statuses or ()))
        ]
        assert [True] * len(responses) == [bool(r.claims or r.error_response) for r in responses]
        states = claim_statuses(root)
        assert len(told) == len([s for s in states if s.level == "claim"])
        said = {code.partition(one.delimiters.component)[0] for code in column(one, "STC", 1)}
        assert {*told, *(s.status_category_code for s in above)} <= said
        traces = {s.tracking_number for s in claims}
        traces |= {r.claim_transaction_batch_number for r in responses}
        traces |= {r.provider_of_service_information_trace_identifier for r in responses}
        assert set(column(one, "TRN", 2)) == traces - {None}


@pytest.mark.parametrize("entry", valid("277CA"), ids=name)
def test_a_claim_acknowledgement_is_read_into_a_verdict_on_each_claim(entry: Entry) -> None:
    for one in sets(entry):
        root = one.tree()
        report = kept(read_claim_report(root))
        receivers = [t for p in report.payers or () for t in p.claim_status_transactions or ()]
        details = [d for t in receivers for d in t.claim_status_details or ()]
        patients = [p for d in details for p in d.patient_claim_status_details or ()]
        claims: list[ReportClaim] = [c for p in patients for c in p.claims or ()]
        verdicts = claim_verdicts(root)
        assert len(verdicts) == len(claims)
        accepted = entry.file.endswith("accepted.txt")
        assert [accepted] * len(verdicts) == [v.accepted for v in verdicts]
        assert verdicts
        names = [p.subscriber.last_name for p in patients if p.subscriber is not None]
        assert column(one, "NM1", 3, "QC") == names


@pytest.mark.parametrize("entry", [e for e in valid("278") if e.file != _OTHER_LEVELS], ids=name)
def test_a_services_review_is_read_into_its_event_and_services(entry: Entry) -> None:
    for one in sets(entry):
        reviews = [kept(r) for r in documents_of(one)]
        assert column(one, "HL", 3).count("EV") == len(reviews)
        for review in reviews:
            assert isinstance(review, (ServicesReviewRequest, ServicesReviewResponse))
            assert isinstance(review, ServicesReviewResponse) == (column(one, "BHT", 2) == ["11"])
            event = review.patient_event
            assert event is not None
            assert column(one, "HL", 3).count("SS") == len(event.services or ())
            parts: list[RequestedService | ReviewedService | RequestedEvent | ReviewedEvent] = [
                event,
                *(event.services or ()),
            ]
            decisions = [p.decision for p in parts if isinstance(p, (ReviewedEvent, ReviewedService))]
            assert column(one, "HCR", 1) == [d.action_code for d in decisions if d is not None]
            assert review.subscriber is not None
            assert column(one, "NM1", 3, "IL") == [review.subscriber.last_name]
            trace_numbers = [t.trace_number for p in parts for t in p.trace_numbers or ()]
            assert set(trace_numbers) <= set(column(one, "TRN", 2))


def payments(remittance: Remittance) -> list[ClaimPayment]:
    return [p for d in remittance.detail_info or () for p in d.payment_info or ()]


@pytest.mark.parametrize("entry", valid("835"), ids=name)
def test_a_remittance_is_read_into_a_payment_for_each_claim(entry: Entry) -> None:
    remittances = [(one, kept(read_remittance(one.tree()))) for one in sets(entry)]
    assert entry.claims == sum(len(payments(r)) for _, r in remittances)
    for one, remittance in remittances:
        financial = remittance.financial_information
        assert financial is not None
        assert column(one, "BPR", 2) == [financial.total_actual_provider_payment_amount]
        infos = [p.claim_payment_info for p in payments(remittance) if p.claim_payment_info is not None]
        assert column(one, "CLP", 1) == [i.patient_control_number for i in infos]
        assert column(one, "CLP", 3) == [i.total_claim_charge_amount for i in infos]
        assert sum(map(Decimal, column(one, "CLP", 4))) == sum(Decimal(i.claim_payment_amount or 0) for i in infos)
        people = [p.patient_name.last_name for p in payments(remittance) if p.patient_name is not None]
        assert column(one, "NM1", 3, "QC") == people
        assert column(one, "N1", 2, "PR") == [remittance.payer.name if remittance.payer else None]
        lines = sum(len(p.service_lines or ()) for p in payments(remittance))
        assert len(column(one, "SVC", 1)) == lines

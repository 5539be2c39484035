"""Laws of the services review: what is written is read back, what is read is written back, and nothing makes reading fail."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.cases import cases
from tests.laws.review_values import request, response, returned, unworded
from tests.laws.status_values import (
    HEADER,
    Draw,
    corpus_sets,
    header_of,
    mutated,
    plain,
    seeds,
    set_of,
    translated,
)
from x12.documents.lenient import decode
from x12.documents.services_review import (
    AnsweredSubscriber,
    RequestValidation,
    ReviewDecision,
    ReviewedEvent,
    ServicesReviewRequest,
    ServicesReviewResponse,
    read_review_responses,
    write_review,
    write_review_response,
)
from x12.transactions import documents_of, kind_of

GUIDE = "005010X217"
richness = st.floats(0, 1)
# HL02 of these names the service before, not the event.
_WRONG_PARENT = ("stupidedi__10X217_request-for-non-emergency-transportation.edi",)


@settings(max_examples=cases(150), deadline=None)
@given(seeds, richness)
def test_a_request_that_is_written_is_read_back(seed: int, filled: float) -> None:
    asking = request(seed, filled)
    back = documents_of(returned(asking))
    assert [asking] == [unworded(one) for one in back]
    assert back == documents_of(returned(back[0]))


@settings(max_examples=cases(150), deadline=None)
@given(seeds, richness)
def test_a_response_that_is_written_is_read_back(seed: int, filled: float) -> None:
    answer = response(seed, filled)
    back = documents_of(returned(answer))
    assert [answer] == [unworded(one) for one in back]
    assert back == documents_of(returned(back[0]))


@settings(max_examples=cases(50), deadline=None)
@given(seeds)
def test_json_keeps_a_review(seed: int) -> None:
    for one in (request(seed, 0.5), response(seed, 0.5)):
        assert (one, []) == decode(type(one), msgspec.json.encode(one))


@settings(max_examples=cases(100), deadline=None)
@given(seeds)
def test_nothing_received_makes_reading_fail(seed: int) -> None:
    draw = Draw(seed)
    made = returned(draw.one((request, response))(seed, 0.7))
    one = set_of(mutated(draw, translated(made.segments, made.delimiters)), "HI", GUIDE)
    for document in documents_of(one):
        assert document == msgspec.json.decode(msgspec.json.encode(document), type=type(document))


def test_each_review_of_the_corpus_comes_out_as_it_went_in() -> None:
    for name, one in corpus_sets("278"):
        kind = kind_of(one)
        assert kind is not None, name
        (document,) = documents_of(one)
        again = msgspec.json.decode(msgspec.json.encode(document), type=type(document))
        written = kind.write(again, header_of(one))
        assert [] == [f for f in written.findings if f.severity == "error"], name
        assert plain(one.segments[:-1], one) == plain(written.segments), name


def test_the_kind_is_what_bht02_says() -> None:
    asked, answered = returned(request(1, 0.5)), returned(response(1, 0.5))
    assert ["278-request", "278-response"] == [k.name for k in map(kind_of, (asked, answered)) if k is not None]
    assert [ServicesReviewRequest, ServicesReviewResponse] == [type(documents_of(s)[0]) for s in (asked, answered)]


@pytest.mark.parametrize("keep", ["2000A", "2000B", "2000C", "2000E"])
def test_a_rejection_stands_where_the_request_broke_off(keep: str) -> None:
    whole = response(3, 1)
    made = ServicesReviewResponse(
        control_number="0001",
        submitter_transaction_identifier="R1",
        utilization_management_organization=whole.utilization_management_organization,
    )
    why = [RequestValidation(valid_request_indicator="N", code="42", followup_action="Please Correct and Resubmit")]
    if keep == "2000A":
        made.request_validations = why
    else:
        made.requester = whole.requester
        assert made.requester is not None
        made.requester.request_validations = None
    if keep == "2000B" and made.requester is not None:
        made.requester.request_validations = [msgspec.structs.replace(why[0], code="43")]
    if keep in ("2000C", "2000E"):
        made.subscriber = AnsweredSubscriber(last_name="DOE", member_id="W1")
    if keep == "2000C" and made.subscriber is not None:
        made.subscriber.request_validations = [msgspec.structs.replace(why[0], code="75")]
    if keep == "2000E":
        made.patient_event = ReviewedEvent(request_validations=[msgspec.structs.replace(why[0], code="33")])
        made.patient_event.request_category_code = "HS"
        made.patient_event.certification_type_code = "I"
    one = returned(made)
    levels = [line.split("*")[1] for line in plain(one.segments, one) if line.startswith("HL*")]
    assert ["20", "21", "22", "EV"][: ["2000A", "2000B", "2000C", "2000E"].index(keep) + 1] == levels
    assert [made] == [unworded(d) for d in documents_of(one)]


def test_words_are_told_and_not_written() -> None:
    answer = response(2, 0.2)
    answer.patient_event = ReviewedEvent(
        request_category_code="HS",
        certification_type_code="I",
        service_type_code="3",
        decision=ReviewDecision(action_code="A6", action="anything", review_identification_number="AUTH1"),
    )
    (back,) = read_review_responses(returned(answer).tree())
    assert back.patient_event is not None
    assert back.patient_event.decision is not None
    assert ("certified with changes", "Consultation") == (
        back.patient_event.decision.action,
        back.patient_event.service_type,
    )


def test_what_is_wrong_is_told_by_its_field() -> None:
    asking = request(5, 0.4)
    asking.subscriber = None
    asking.dependent = None
    assert {"subscriber"} == {str(f.path).partition(".")[0] for f in write_review(asking, HEADER).findings}
    asking = request(5, 0.4)
    assert asking.patient_event is not None
    asking.patient_event.event_date = "20261301"
    asking.patient_event.message_text = "\u2028"
    paths = {f.path for f in write_review(asking, HEADER).findings}
    assert {"patientEvent.eventDate", "patientEvent.messageText"} <= paths
    assert asking.requester is not None
    asking.transaction_set_purpose_code = "99"
    assert "transactionSetPurposeCode" in {f.path for f in write_review(asking, HEADER).findings}


def test_several_events_are_several_documents() -> None:
    first, second = response(7, 0.2), response(7, 0.2)
    first.dependent = second.dependent = None
    first.patient_event = second.patient_event = ReviewedEvent(
        request_category_code="HS", certification_type_code="I", decision=ReviewDecision(action_code="A1")
    )
    lines = plain(write_review_response(first, HEADER).segments)
    start = lines.index("HL*EV")
    numbered = ["HL*1**20*1", "HL*2*1*21*1", "HL*3*2*22*1", "HL*4*3*EV*0", "HL*5*3*EV*0"]
    whole = [numbered.pop(0) if line.startswith("HL*") else line for line in [*lines, *lines[start:]]]
    one = set_of([*whole, f"SE*{len(whole) + 1}*0001"], "HI", GUIDE)
    assert [first, second] == [unworded(d) for d in documents_of(one)]

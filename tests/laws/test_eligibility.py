"""Laws of eligibility: what is written is read back, what is read is written back, hostile values change no structure."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.laws import answer_values
from tests.laws.cases import cases
from tests.laws.filled import Filler
from tests.laws.review_values import unworded
from tests.laws.status_values import HEADER, received, seeds
from tests.laws.test_remittance import OneOfEach
from x12 import guides
from x12.documents.eligibility import EligibilityResponse, read_responses, write_response
from x12.documents.eligibility_request import (
    EligibilityRequest,
    Encounter,
    RequestAddress,
    RequestDependent,
    RequestPerson,
    RequestProcedure,
    RequestProvider,
    RequestSubscriber,
    read_requests,
    write_request,
)
from x12.documents.writing import Written
from x12.envelope import read

ASKED = guides.load("005010X279A1", "270")
TRACE = ("TRACE20260105", "9CLAIMWIRE")
RICHNESS = st.sampled_from((0.0, 0.1, 0.3, 0.7))


def request(seed: int, richness: float) -> EligibilityRequest:
    """A valid question about a subscriber, or about a dependent."""
    filler = OneOfEach(ASKED, seed, richness)
    random = Random(seed)
    made = filler.document(EligibilityRequest, "2000C")
    made.submitter_transaction_identifier = "REF1"
    if random.random() < 0.5:
        made.dependents = [filler.document(RequestDependent, "2100D")]
    made.subscriber = made.subscriber or RequestSubscriber()
    for person in (made.subscriber, *(made.dependents or ())):
        whole_dates(person, random)
        no_location(person.address)
    if made.subscriber == RequestSubscriber():
        made.subscriber.member_id = "MEM1"
    made.provider = made.provider or RequestProvider(organization_name="ALDER FAMILY PRACTICE", npi="1999996667")
    made.provider.provider_type = "provider"
    receiver = made.information_receiver_name
    if receiver is not None:
        # There is room for nine REFs, the portal's two among them.
        if random.random() < 0.8:
            made.portal_username = made.portal_password = None
        else:
            made.information_receiver_name = None
        no_location(receiver.address)
    made.encounter = encounter(random, filler, "2110D" if made.dependents else "2110C")
    asked_for(made, random)
    return made


def asked_for(made: EligibilityRequest, random: Random) -> None:
    """The patient's day or period of the plan; what only a subscriber is asked about."""
    patient = made.dependents[0] if made.dependents else made.subscriber
    assert patient is not None
    if random.random() < 0.3:
        patient.plan_issue_date = "20260102"
    elif random.random() < 0.3:
        patient.beginning_plan_issue_date, patient.end_plan_issue_date = "20260102", "20260131"
    if isinstance(patient, RequestSubscriber) and random.random() < 0.5:
        patient.coverage_level_code = "FAM"
        patient.spend_down_amount, patient.spend_down_total_billed_amount = "120.5", "80"


def whole_dates(person: RequestPerson, random: Random) -> None:
    """The card was issued on a day, or in a period that has both ends."""
    person.id_card_issue_date = person.beginning_card_issue_date = person.end_card_issue_date = None
    if random.random() < 0.3:
        person.id_card_issue_date = "20250131"
    elif random.random() < 0.3:
        person.beginning_card_issue_date, person.end_card_issue_date = "20250101", "20250131"
    told = person.health_care_code_information
    person.health_care_code_information = [d for d in told or () if d.diagnosis_code and d.diagnosis_type_code] or None


def no_location(address: RequestAddress | None) -> None:
    """N405 and N406 have no place in the 270."""
    if address is not None:
        address.location_identifier = None


def encounter(random: Random, filler: Filler, loop_id: str) -> Encounter:
    """What is asked: kinds of service, or one procedure and further ones."""
    made = filler.document(Encounter, loop_id)
    for name in RequestProcedure.__struct_fields__:
        setattr(made, name, None)
    made.service_type_codes = made.medical_procedures = None
    if random.random() < 0.6:
        made.service_type_codes = random.sample(("30", "98", "UC", "47", "1"), random.randint(1, 3))
    else:
        one, *others = (
            RequestProcedure(product_or_service_id_qualifier="HC", procedure_code=code, procedure_modifiers=modifiers)
            for code, modifiers in random.sample(
                (("99213", None), ("97110", ["GP"]), ("J1100", ["JA", "59"])), random.randint(1, 3)
            )
        )
        one.diagnosis_code_pointer = random.choice((None, ["1"], ["1", "2"]))
        for other in others:
            other.diagnosis_code_pointer = random.choice((None, ["2"]))
        for name in RequestProcedure.__struct_fields__:
            setattr(made, name, getattr(one, name))
        made.medical_procedures = others or None
    made.date_of_service = made.beginning_date_of_service = made.end_date_of_service = None
    if random.random() < 0.5:
        made.date_of_service = "20260105"
    elif random.random() < 0.5:
        made.beginning_date_of_service, made.end_date_of_service = "20260101", "20260131"
    return made


def write(made: EligibilityRequest) -> Written:
    return write_request(made, HEADER, TRACE)


def again(written: Written) -> EligibilityRequest:
    return read_requests(received(written, "HS", "005010X279A1").tree())[0]


@given(seeds, RICHNESS)
@settings(max_examples=cases(300), deadline=None)
def test_a_question_that_is_written_is_read_back(seed: int, richness: float) -> None:
    made = request(seed, richness)
    assert made == again(write(made))


def asked_about(**changes: Any) -> EligibilityRequest:
    """A plain question as JSON, with more of it at the top."""
    said: dict[str, Any] = {
        "tradingPartnerServiceId": "SANDBOX",
        "tradingPartnerName": "PLAN",
        "provider": {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667"},
        "subscriber": {"memberId": "MEM1", "lastName": "ABARA", "firstName": "ADA"},
    }
    return msgspec.convert({**said, **changes}, EligibilityRequest)


def test_what_a_provider_says_of_itself_is_the_receivers_and_a_finding_names_what_the_caller_wrote() -> None:
    numbers = {
        "medicareProviderNumber": "MC1",
        "address": {"address1": "7 BIRCH ST", "city": "PORTLAND", "state": "OR"},
    }
    provider = {"organizationName": "ALDER", "npi": "1999996667"}
    said = asked_about(provider={**provider, **numbers, "contactNumber": "CT1"})
    meant = asked_about(provider=provider, informationReceiverName={**numbers, "contractNumber": "CT1"})
    assert write(meant).segments == write(said).segments
    assert [] == write(said).findings
    wrong = asked_about(provider={**provider, "medicareProviderNumber": "X" * 60})
    assert ["provider.medicareProviderNumber"] == [f.path for f in write(wrong).findings]
    twice = asked_about(provider={**provider, **numbers}, informationReceiverName={"medicareProviderNumber": "MC2"})
    assert [("provider.medicareProviderNumber", "warning")] == [(f.path, f.severity) for f in write(twice).findings]


@pytest.mark.parametrize("provider", [None, {}])
def test_what_a_provider_that_is_not_told_must_tell_is_asked_for_by_its_fields(provider: dict[str, Any] | None) -> None:
    found = write(asked_about(provider=provider)).findings
    assert {"provider.organizationName", "provider.npi"} == {f.path for f in found}
    unnumbered = write(asked_about(provider={"organizationName": "ALDER"})).findings
    assert {("provider.npi", 8), ("provider.npi", 9)} == {(f.path, f.element) for f in unnumbered}
    unnamed = write(asked_about(provider={"npi": "1999996667"})).findings
    assert {("provider.organizationName", 2), ("provider.organizationName", 3)} == {
        (f.path, f.element) for f in unnamed
    }


def test_what_x12_cannot_carry_is_told_once_and_not_as_missing_too() -> None:
    found = write(asked_about(provider={"organizationName": "ALDER~", "npi": "1999\u00d696667"})).findings
    assert [("provider.npi", "6"), ("provider.organizationName", "6")] == sorted((f.path or "", f.code) for f in found)


def test_a_tax_number_beside_an_npi_has_its_own_place_and_any_other_is_refused() -> None:
    provider = {"organizationName": "ALDER", "npi": "1999996667"}
    said = write(asked_about(provider={**provider, "taxId": "930000000", "ssn": "900000001"}))
    assert [] == said.findings
    receiver = again(said).information_receiver_name
    assert receiver is not None
    assert ("930000000", "900000001") == (
        receiver.federal_taxpayer_identification_number,
        receiver.social_security_number,
    )
    told = again(said).provider
    assert told is not None
    assert ("1999996667", None, None) == (told.npi, told.tax_id, told.ssn)
    alone = again(write(asked_about(provider={"organizationName": "ALDER", "taxId": "930000000"}))).provider
    assert alone is not None
    assert "930000000" == alone.tax_id
    found = write(asked_about(provider={**provider, "employersId": "930000000"})).findings
    assert [("provider.npi", "error")] == [(f.path, f.severity) for f in found]


def test_a_dependents_member_id_is_a_number_of_its_own() -> None:
    child = {"lastName": "ABARA", "firstName": "BEN", "memberId": "MEM1-02"}
    told = again(write(asked_about(dependents=[child])))
    assert told.dependents
    assert told.dependents[0].additional_identification is not None
    assert "MEM1-02" == told.dependents[0].additional_identification.member_identification_number


def test_a_second_dependent_is_refused_and_not_dropped() -> None:
    children = [{"lastName": "ABARA", "firstName": name} for name in ("BEN", "CY", "DEE")]
    made = write(asked_about(dependents=children))
    assert ["dependents[1]", "dependents[2]"] == [f.path for f in made.findings]
    assert not made.accepted


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"encounter": {"beginningDateOfService": "20260101"}}, "encounter.endDateOfService"),
        ({"encounter": {"endDateOfService": "20260101"}}, "encounter.beginningDateOfService"),
        ({"subscriber": {"lastName": "ABARA", "beginningCardIssueDate": "20260101"}}, "subscriber.endCardIssueDate"),
        ({"dependents": [{"endPlanIssueDate": "20260101"}]}, "dependents[0].beginningPlanIssueDate"),
    ],
)
def test_the_day_that_a_period_lacks_is_named(said: dict[str, Any], missing: str) -> None:
    assert [missing] == [f.path for f in write(asked_about(**said)).findings]


def test_what_is_asked_of_a_subscriber_is_not_asked_of_a_dependent() -> None:
    subscriber = {"memberId": "MEM1", "lastName": "ABARA", "firstName": "ADA", "spendDownAmount": "10"}
    made = write(asked_about(subscriber=subscriber, dependents=[{"lastName": "ABARA", "firstName": "BEN"}]))
    assert [("subscriber.spendDownAmount", "warning")] == [(f.path, f.severity) for f in made.findings]
    assert made.accepted
    dated = {**subscriber, "planIssueDate": "20260102"}
    procedures = {"procedureCode": "99213", "medicalProcedures": [{"procedureCode": "97110"}]}
    asked = write(asked_about(subscriber=dated, encounter=procedures))
    assert 2 == sum(s.startswith("DTP") for s in asked.segments)
    assert 2 == sum(s.startswith("AMT") for s in asked.segments)


def test_a_person_without_a_number_may_be_asked_about() -> None:
    subscriber = RequestSubscriber(first_name="ADA", last_name="ABARA", date_of_birth="19800229")
    provider = RequestProvider(organization_name="ALDER FAMILY PRACTICE", npi="1999996667")
    asked = EligibilityRequest(
        trading_partner_service_id="SANDBOX", trading_partner_name="PLAN", provider=provider, subscriber=subscriber
    )
    assert subscriber == again(write(asked)).subscriber


@given(seeds, st.text(max_size=12))
@settings(max_examples=cases(200), deadline=None)
def test_hostile_values_never_change_the_structure_of_a_question(seed: int, hostile: str) -> None:
    made = request(seed, 0.3)
    assert made.subscriber is not None
    before = [s.split("\x1d", 1)[0] for s in write(made).segments]
    made.subscriber.last_name = f"X{hostile}Y"
    after = write(made)
    if after.accepted:
        assert before == [s.split("\x1d", 1)[0] for s in after.segments]
        told = again(after).subscriber
        assert told is not None
        assert made.subscriber.last_name == told.last_name
    else:
        assert {"subscriber.lastName"} == {f.path for f in after.findings if f.severity == "error"}


def told(text: str) -> list[EligibilityResponse]:
    return [r for i in read(text.encode(), levels=(1, 2)) for s in i.sets for r in read_responses(s.tree())]


def answer(seed: int) -> str:
    """A 271 with segments of it left out, doubled or moved, so that answers of many shapes are read."""
    random = Random(seed)
    *segments, _ = synthetic.responses_271(1, seed=seed % 50).split("~")
    start = next(i for i, s in enumerate(segments) if s.startswith("HL*"))
    end = next(i for i, s in enumerate(segments) if s.startswith("SE*"))
    for _ in range(random.randint(0, 4)):
        at = random.randrange(start, end)
        if random.random() < 0.5:
            del segments[at]
            end -= 1
        else:
            segments.insert(random.randrange(start, end), segments[at])
            end += 1
    return "~".join(segments) + "~"


@given(seeds)
@settings(max_examples=cases(500), deadline=None)
def test_an_answer_that_was_read_is_written_and_read_as_the_same(seed: int) -> None:
    for made in told(answer(seed)):
        written = write_response(made, HEADER)
        if not written.accepted:
            continue
        (again_told,) = read_responses(received(written, "HB", "005010X279A1").tree())
        assert written.segments == write_response(again_told, HEADER).segments
        assert msgspec.json.encode(again_told) == msgspec.json.encode(
            read_responses(received(write_response(again_told, HEADER), "HB", "005010X279A1").tree())[0]
        )


def test_many_of_the_answers_are_such_that_they_can_be_written() -> None:
    made = [a for seed in range(60) for a in told(answer(seed))]
    assert len(made) // 4 < sum(write_response(a, HEADER).accepted for a in made)


def lost(made: Any, back: Any, path: str = "") -> Iterator[str]:
    """The paths of what was made and is not there again; a list has as many items as before."""
    if isinstance(made, dict) and isinstance(back, dict):
        for key, value in cast("dict[str, Any]", made).items():
            yield from lost(value, cast("dict[str, Any]", back).get(key), f"{path}.{key}")
    elif (
        isinstance(made, list)
        and isinstance(back, list)
        and len(cast("list[Any]", made)) == len(cast("list[Any]", back))
    ):
        for index, (one, other) in enumerate(zip(cast("list[Any]", made), cast("list[Any]", back), strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif made != back:
        yield path


@given(seeds, st.sampled_from((0.1, 0.3, 0.7, 1.0)))
@settings(max_examples=cases(200), deadline=None)
def test_an_answer_that_is_written_is_read_back(seed: int, richness: float) -> None:
    """Any answer, made as a document; what follows from other fields is told by reading, beside what was made."""
    made = answer_values.answer(seed, richness)
    (back,) = read_responses(received(write_response(made, HEADER), "HB", "005010X279A1").tree())
    assert [] == list(lost(msgspec.to_builtins(unworded(made)), msgspec.to_builtins(unworded(back))))
    assert {e.location for e in answer_values.rejections(made)} == {e.location for e in back.errors or ()}
    assert all(error in (back.errors or ()) for error in answer_values.rejections(back))
    assert made.payer is None or made.payer.payor_identification == back.trading_partner_service_id
    active = [b.code for b in made.benefits_information or () if b.code in tuple("12345678")]
    assert active == [status.status_code for status in back.plan_status or ()]

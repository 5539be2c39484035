"""Laws of claim status: what is written is read back, what is read is written back, and nothing received makes reading fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

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
    period,
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
from x12.documents.claim_status import (
    Claim,
    ClaimLevelStatus,
    ClaimStatus,
    ClaimStatusRequest,
    ClaimStatusResponse,
    Encounter,
    PayerContact,
    Person,
    Provider,
    RequestDependent,
    RequestLine,
    RequestSubscriber,
    ResponsePayer,
    Service,
    ServiceDetail,
    Status,
    Subscriber,
    claim_statuses,
    read_status_requests,
    read_status_responses,
    write_status_request,
    write_status_response,
)
from x12.documents.standing import StatusCode, patients
from x12.walk import Instance

GUIDE = "005010X212"
CLAIM_ENTITIES = entities(GUIDE, "2200D")


# --- documents out of chance ----------------------------------------------------------------------------------------


def organization_or_person(draw: Draw) -> dict[str, Any]:
    if draw.flag():
        return {"organization_name": draw(text(60))}
    return {
        "last_name": draw(text(60)),
        "first_name": draw.maybe(text(35)),
        "middle_name": draw.maybe(text(25)),
    }


def providers(draw: Draw) -> list[Provider]:
    """One who asks and one or two who gave the service, as they are read."""
    asks = Provider(provider_type="BillingProvider", etin=draw(text(80, 2)), **organization_or_person(draw))
    made = [asks]
    for names in draw.several(organization_or_person, 1, 2):
        suffix = draw.maybe(text(10)) if "last_name" in names else None
        number, kind = draw(text(80, 2)), draw.one(("npi", "spn", "tin"))
        numbers = {"tin": number, "tax_id": number} if kind == "tin" else {kind: number}
        made.append(Provider(provider_type="ServiceProvider", suffix=suffix, **names, **numbers))
    return made


def person_fields(draw: Draw) -> dict[str, Any]:
    return {
        "last_name": draw(text(60)),
        "first_name": draw.maybe(text(35)),
        "middle_name": draw.maybe(text(25)),
        "suffix": draw.maybe(text(10)),
    }


def request_line(draw: Draw) -> RequestLine:
    first, last = draw(two_days)
    return RequestLine(
        product_or_service_id_qualifier=draw.one(QUALIFIERS),
        procedure_code=draw(text(48)),
        procedure_modifiers=draw.maybe(modifiers),
        line_item_charge_amount=draw(amount),
        revenue_code=draw.maybe(text(48)),
        units_of_service_count=draw.maybe(amount),
        line_item_control_number=draw.maybe(text(50)),
        service_line_date=first,
        service_line_end_date=last if draw.flag() else None,
    )


def request(draw: Draw) -> ClaimStatusRequest:
    born = draw.maybe(day)
    subscriber = RequestSubscriber(
        **person_fields(draw),
        member_id=draw(text(80, 2)),
        date_of_birth=born,
        gender=draw.maybe(choice("MF")) if born else None,
    )
    dependent = None
    if draw.flag():
        dependent = RequestDependent(**person_fields(draw), date_of_birth=draw(day), gender=draw.maybe(choice("MF")))
    (dependent or subscriber).group_number = draw.maybe(text(50))
    first, last = draw(two_days)
    begin = first if draw.flag() else None
    encounter = Encounter(
        tracking_number=draw(text(50)),
        trading_partner_claim_number=draw.maybe(text(50)),
        billing_type=draw.maybe(text(50)),
        location_identifier=draw.maybe(text(50)),
        patient_account_number=draw.maybe(text(50)),
        pharmacy_prescription_number=draw.maybe(text(50)),
        clearing_house_claim_number=draw.maybe(text(50)),
        submitted_amount=draw.maybe(amount),
        beginning_date_of_service=begin,
        end_date_of_service=last if begin and draw.flag() else None,
    )
    lines = draw.several(request_line, 0, 3)
    return ClaimStatusRequest(
        trading_partner_service_id=draw(text(80, 2)),
        trading_partner_name=draw(text(60)),
        providers=draw(providers),
        subscriber=subscriber,
        dependent=dependent,
        encounter=encounter,
        service_line_information=lines[0] if len(lines) == 1 else None,
        service_lines_information=lines if len(lines) > 1 else None,
    )


def code_fields(draw: Draw, entity: Sequence[str], pharmacy: bool = True) -> dict[str, Any]:
    """One to three codes of an STC, each with or without an entity, some of them pharmacy codes."""
    fields: dict[str, Any] = {}
    for prefix in ("", "secondary_", "tertiary_")[: draw.random.randint(1, 3)]:
        fields[f"{prefix}status_category_code"] = draw(category)
        fields[f"{prefix}status_code"] = draw(status)
        fields[f"{prefix}entity_code"] = draw.maybe(choice(entity))
        if pharmacy and draw.random.random() < 0.2:
            fields[f"{prefix}national_council_for_prescription_drug_programs_reject_payment_codes"] = "RX"
    return fields


def claim_level(draw: Draw) -> dict[str, Any]:
    return code_fields(draw, CLAIM_ENTITIES) | {
        "effective_date": draw(day),
        "submitted_amount": draw.maybe(amount),
        "amount_paid": draw.maybe(amount),
        "paid_date": draw.maybe(day),
        "check_issue_date": draw.maybe(day),
        "check_number": draw.maybe(text(16)),
    }


def line_status(draw: Draw) -> Status:
    return Status(effective_date=draw(day), **code_fields(draw, CLAIM_ENTITIES))


def service_detail(draw: Draw) -> ServiceDetail:
    return ServiceDetail(
        service=Service(
            service_id_qualifier_code=draw.one(QUALIFIERS),
            procedure_id=draw(text(48)),
            procedure_modifiers=draw.maybe(modifiers),
            submitted_amount=draw(amount),
            amount_paid=draw(amount),
            revenue_code=draw.maybe(text(48)),
            submitted_units=draw(amount),
        ),
        status=draw.several(line_status, 1, 2),
        line_item_control_number=draw.maybe(text(50)),
        service_line_date=draw(period),
    )


def claim(draw: Draw) -> Claim:
    return Claim(
        claim_status=ClaimStatus(
            **draw(claim_level),
            tracking_number=draw(text(50)),
            trading_partner_claim_number=draw.maybe(text(50)),
            bill_type_identifier=draw.maybe(text(50)),
            patient_account_number=draw.maybe(text(50)),
            pharmacy_prescription_number=draw.maybe(text(50)),
            voucher_identifier=draw.maybe(text(50)),
            clearing_house_claim_number=draw.maybe(text(50)),
            claim_service_date=draw.maybe(period),
        ),
        further_claim_statuses=[ClaimLevelStatus(**f) for f in draw.several(claim_level, 0, 2)] or None,
        service_details=draw.several(service_detail, 0, 2) or None,
    )


def payer(draw: Draw) -> ResponsePayer:
    kind = draw.one(("payer_identification", "centers_for_medicare_and_medicaid_service_plan_id"))
    contact = None
    if draw.flag():
        contact = PayerContact(name=draw.maybe(text(60)), phone=draw(text(30)))
        names = ("phone_extension", "fax", "email", "electronic_data_inter_change_access_number")
        for name in draw.random.sample(names, draw.random.randint(0, 2)):
            setattr(contact, name, draw(text(30)))
    return ResponsePayer(organization_name=draw(text(60)), contact_information=contact, **{kind: draw(text(80, 2))})


def response(draw: Draw) -> ClaimStatusResponse:
    who = draw(payer)
    made = ClaimStatusResponse(
        trading_partner_service_id=who.payer_identification or who.centers_for_medicare_and_medicaid_service_plan_id,
        payer=who,
        providers=draw(providers),
    )
    where = draw.one(("claim", "claim", "claim", "provider", "receiver"))
    if where == "claim":
        made.subscriber = Subscriber(**person_fields(draw), member_id=draw(text(80, 2)))
        made.dependent = Person(**person_fields(draw)) if draw.flag() else None
        made.claims = draw.several(claim, 1, 3)
    elif where == "provider":
        made.provider_of_service_information_trace_identifier = draw(text(50))
        fields = code_fields(draw, entities(GUIDE, "2200C"), pharmacy=False)
        made.service_provider_claim_statuses = [Status(effective_date=draw(day), **fields)]
    else:
        made.providers = (made.providers or [])[:1]
        made.claim_transaction_batch_number = draw(text(50))
        fields = code_fields(draw, entities(GUIDE, "2200B"), pharmacy=False)
        made.provider_claim_statuses = [Status(effective_date=draw(day), **fields)]
    return made


# --- there and back -------------------------------------------------------------------------------------------------


@settings(max_examples=cases(800), deadline=None)
@given(seeds)
def test_a_request_that_is_written_is_read_back(seed: int) -> None:
    asking = request(Draw(seed))
    tree = received(write_status_request(asking, HEADER, ""), "HR", GUIDE).tree()
    assert [asking] == read_status_requests(tree)


@settings(max_examples=cases(600), deadline=None)
@given(seeds)
def test_an_answer_that_is_written_is_read_back(seed: int) -> None:
    answer = response(Draw(seed))
    tree = received(write_status_response(answer, HEADER), "HN", GUIDE).tree()
    back = read_status_responses(tree)
    assert [without_words(answer)] == [without_words(r, ".errorResponse") for r in back]
    again = received(write_status_response(back[0], HEADER), "HN", GUIDE).tree()
    assert back == read_status_responses(again)
    told = sum(path.endswith(("statusCategoryCode", "StatusCategoryCode")) for path in paths(answer))
    assert told == len([code for state in claim_statuses(tree) for code in state.codes])


def levels(scope: Instance) -> list[Instance]:
    """The way from the top down to a loop."""
    way: list[Instance] = []
    here: Instance | None = scope
    while here is not None:
        way.insert(0, here)
        here = here.parent
    return way


def sliced(way: list[Instance], whole: bool) -> list[str]:
    """The segments on the way down to a loop, with the names and traces of each level; all claims of the last level if `whole`."""
    here, rest = way[0], way[1:]
    lines = [raw for _, raw in here.segments]
    for child in here.children:
        if child.loop.first.id == "HL" or child.loop.id in ("2200D", "2200E"):
            if rest and child is rest[0]:
                lines += sliced(rest, whole)
            elif not rest and whole and child.loop.id in ("2200D", "2200E"):
                lines += everything(child)
        else:
            lines += everything(child)
    return lines


def everything(loop: Instance) -> list[str]:
    return [raw for _, raw in loop.segments] + [line for child in loop.children for line in everything(child)]


def test_each_request_of_the_corpus_comes_out_as_it_went_in() -> None:
    for name, one in corpus_sets("276"):
        tree = one.tree()
        scopes = [claim for patient in patients(tree) for claim in patient.inside("2200D", "2200E")]
        requests_read = read_status_requests(tree)
        assert len(scopes) == len(requests_read) > 0, name
        for scope, request in zip(scopes, requests_read, strict=True):
            again = msgspec.json.decode(msgspec.json.encode(request), type=ClaimStatusRequest)
            written = write_status_request(again, header_of(one), "")
            assert [] == written.findings, name
            assert plain(sliced(levels(scope), False), one) == plain(written.segments), name


def test_each_answer_of_the_corpus_comes_out_as_it_went_in() -> None:
    for name, one in corpus_sets("277"):
        tree = one.tree()
        scopes = [*patients(tree), *(p for p in tree.all("2000C") if not p.inside("2000D"))]
        scopes += [r for r in tree.all("2000B") if not r.inside("2000C")]
        answers = read_status_responses(tree)
        assert len(scopes) == len(answers) > 0, name
        expected = [plain(sliced(levels(scope), True), one) for scope in scopes]
        again = [msgspec.json.decode(msgspec.json.encode(a), type=ClaimStatusResponse) for a in answers]
        written = [write_status_response(a, header_of(one)) for a in again]
        assert [] == [f for w in written for f in w.findings], name
        assert sorted(expected) == sorted(plain(w.segments) for w in written), name


# --- what particular fields mean ------------------------------------------------------------------------------------


def asked() -> ClaimStatusRequest:
    return ClaimStatusRequest(
        trading_partner_service_id="9496",
        trading_partner_name="A PAYER",
        providers=[
            Provider(provider_type="BillingProvider", organization_name="BILLERS", tax_id="0123456789"),
            Provider(provider_type="ServiceProvider", organization_name="DOCTORS", npi="1760854442"),
        ],
        subscriber=RequestSubscriber(last_name="ONE", first_name="ANN", member_id="M1", date_of_birth="19800102"),
        encounter=Encounter(tracking_number="MINE", beginning_date_of_service="20260101"),
    )


def findings(request: ClaimStatusRequest) -> set[str | None]:
    return {f.path for f in write_status_request(request, HEADER, "T1").findings}


def lines_of(request: ClaimStatusRequest, trace: str = "T1") -> list[str]:
    return plain(write_status_request(request, HEADER, trace).segments)


def test_the_trace_takes_the_place_of_the_tracking_number() -> None:
    assert "TRN*1*T1" in lines_of(asked())
    assert "TRN*1*MINE" in lines_of(asked(), "")


def test_any_identifier_of_who_asks_is_an_etin() -> None:
    assert "NM1*41*2*BILLERS*****46*0123456789" in lines_of(asked())
    request = asked()
    request.providers = [Provider(provider_type="BillingProvider", organization_name="B", npi="1760854442")]
    assert ["NM1*41*2*B*****46*1760854442", "NM1*1P*2*B*****XX*1760854442"] == [
        line for line in lines_of(request) if line.startswith(("NM1*41", "NM1*1P"))
    ]


@pytest.mark.parametrize("kind", [None, "BillingProvider", "ServiceProvider"])
def test_a_provider_without_a_number_is_asked_for_its_npi(kind: str | None) -> None:
    request = asked()
    request.providers = [Provider(provider_type=kind, organization_name="B")]
    found = write_status_request(request, HEADER, "T1").findings
    assert {"providers[0].npi"} == {f.path for f in found}


def test_a_group_number_stands_in_the_claim() -> None:
    request = asked()
    assert request.subscriber is not None
    request.subscriber.group_number = "G1"
    assert "REF*6P*G1" in lines_of(request)
    request.dependent = RequestDependent(last_name="ONE", first_name="BOB", date_of_birth="20100102")
    assert 1 == lines_of(request).count("REF*6P*G1")
    request.dependent.group_number = "G2"
    assert ["REF*6P*G2"] == [line for line in lines_of(request) if line.startswith("REF*6P")]


def test_one_service_line_under_both_names_is_written_once() -> None:
    line = RequestLine(
        product_or_service_id_qualifier="HC",
        procedure_code="99213",
        line_item_charge_amount="1",
        service_line_date="20260101",
    )
    other = msgspec.structs.replace(line, procedure_code="99214")
    request = asked()
    request.service_line_information, request.service_lines_information = line, [line, other]
    assert ["SVC*HC:99213*1", "SVC*HC:99214*1"] == [text for text in lines_of(request) if text.startswith("SVC")]
    request.service_lines_information = [other]
    assert ["SVC*HC:99213*1", "SVC*HC:99214*1"] == [text for text in lines_of(request) if text.startswith("SVC")]


def test_what_is_missing_or_wrong_is_told_by_its_field() -> None:
    assert set() == findings(asked())
    request = asked()
    assert request.subscriber is not None
    request.subscriber.member_id = None
    assert "subscriber.memberId" in findings(request)
    request.subscriber = None
    assert all(path and path.startswith("subscriber") for path in findings(request))
    request = asked()
    request.dependent = RequestDependent(last_name="ONE")
    assert {"dependent.dateOfBirth"} == findings(request)
    request = asked()
    request.encounter = Encounter(submitted_amount="12,50", beginning_date_of_service="20261301")
    assert {"encounter.submittedAmount", "encounter.beginningDateOfService"} == findings(request)
    request.encounter = Encounter(end_date_of_service="20260105")
    assert {"encounter.beginningDateOfService"} == findings(request)
    request = asked()
    request.providers = [Provider(provider_type="Payer", organization_name="X", npi="1760854442")]
    assert {"providers[0].providerType"} == findings(request)
    request.providers = None
    assert all(path and path.startswith("providers[0]") for path in findings(request))
    request = asked()
    request.service_lines_information = [RequestLine(procedure_code="1"), RequestLine(procedure_code="2")]
    assert {"serviceLinesInformation[0].procedureCode", "serviceLinesInformation[1].procedureCode"} == (
        findings(request)
    )


ANSWER = [
    "ST*277*0001*005010X212",
    "BHT*0010*08*ANSWER1*20260105*0930*DG",
    "HL*1**20*1",
    "NM1*PR*2*A PAYER*****PI*9496",
    "HL*2*1*21*1",
    "NM1*41*2*BILLERS*****46*0123456789",
    "HL*3*2*19*1",
    "NM1*1P*2*DOCTORS*****XX*1760854442",
    "HL*4*3*22*0",
    "NM1*IL*1*ONE*ANN****MI*M1",
    "TRN*2*T1",
    "STC*F1:65*20260104**100*80*20260103**20260104*CHECK1",
    "STC*F2:88:QC*20260105********P3:317:1P",
    "STC*F2:70::RX*20260105",
    "REF*1K*ICN1",
    "REF*EJ*PCN1",
    "REF*D9*CLR1",
    "DTP*472*RD8*20260101-20260102",
    "SVC*HC:99213*100*80****1",
    "STC*F1:65*20260104",
    "REF*FJ*LINE1",
    "DTP*472*D8*20260101",
    "SE*23*0001",
]


def test_several_statuses_of_a_claim_are_not_mixed() -> None:
    (response,) = read_status_responses(tree_of(ANSWER, "HN", GUIDE))
    (claim,) = response.claims or []
    first, further = claim.claim_status, claim.further_claim_statuses or []
    assert first is not None
    assert ("F1", "65", None, "80", None) == (
        first.status_category_code,
        first.status_code,
        first.entity_code,
        first.amount_paid,
        first.secondary_status_code,
    )
    assert [("F2", "Patient", "Patient's medical records", None), ("F2", None, None, "RX")] == [
        (
            s.status_category_code,
            s.entity,
            s.secondary_status_code_value,
            s.national_council_for_prescription_drug_programs_reject_payment_codes,
        )
        for s in further
    ]
    assert [None] == [s.status_code_value for s in further[1:]]


def test_the_flat_answer_has_every_code_amount_and_date() -> None:
    (state,) = claim_statuses(tree_of(ANSWER, "HN", GUIDE))
    assert ("claim", "T1", "ICN1", "PCN1", "CLR1", "CHECK1") == (
        state.level,
        state.trace_number,
        state.payer_claim_control_number,
        state.patient_control_number,
        state.clearinghouse_trace_number,
        state.payment_trace_number,
    )
    assert (Decimal(100), Decimal(80)) == (state.total_charge, state.paid_amount)
    assert (date(2026, 1, 4), date(2026, 1, 3), date(2026, 1, 4), date(2026, 1, 1), date(2026, 1, 2)) == (
        state.effective_date,
        state.finalized_date,
        state.paid_date,
        state.service_from,
        state.service_to,
    )
    assert (
        StatusCode("F1", "65"),
        StatusCode("F2", "88", "QC"),
        StatusCode("P3", "317", "1P"),
        StatusCode("F2", "70", "", pharmacy=True),
        StatusCode("F1", "65", line="LINE1"),
    ) == state.codes
    assert not state.final
    assert "Finalized/Denial: 70" == state.codes[3].words
    assert "Pending/Information requested from the provider: Patient's medical records (Provider)" == (
        state.codes[2].words
    )


def test_a_request_refused_above_the_patient_is_an_answer() -> None:
    refused = [*ANSWER[:4], "HL*2*1*21*0", ANSWER[5], "TRN*2*REQUEST1", "STC*E0:24:41*20260105", "SE*9*0001"]
    tree = tree_of(refused, "HN", GUIDE)
    (response,) = read_status_responses(tree)
    assert (None, "9496") == (response.claims, response.trading_partner_service_id)
    assert response.error_response is not None
    (error,) = response.error_response.errors or []
    assert ("E0", "24", "Loop 2200B", "Please Correct and Resubmit", codes.table("claim_status")["24"]) == (
        error.code,
        error.value,
        error.location,
        error.followup_action,
        error.description,
    )
    (state,) = claim_statuses(tree)
    assert ("receiver", "REQUEST1", True, False) == (state.level, state.trace_number, state.unanswered, state.final)
    assert plain(refused) == plain(
        write_status_response(response, msgspec.structs.replace(HEADER, reference="ANSWER1")).segments
    )


def test_a_claim_that_was_not_found_is_an_answer_too() -> None:
    lines = [line if not line.startswith("STC*F1:65*20260104**") else "STC*D0:35*20260105" for line in ANSWER]
    lines = [line for line in lines if not line.startswith(("STC*F2", "SVC", "STC*F1", "REF", "DTP"))]
    tree = tree_of(lines, "HN", GUIDE)
    (response,) = read_status_responses(tree)
    assert None is response.error_response
    (state,) = claim_statuses(tree)
    assert (True, False) == (state.unanswered, state.final)
    (claim,) = response.claims or []
    assert claim.claim_status is not None
    assert codes.table("claim_status_category")["D0"] == claim.claim_status.status_category_code_value


@settings(max_examples=cases(800), deadline=None)
@given(seeds)
def test_reading_never_raises(seed: int) -> None:
    draw = Draw(seed)
    group, segments = draw.one((("HN", ANSWER), ("HR", translated(write_status_request(asked(), HEADER, "").segments))))
    tree = tree_of(mutated(draw, segments), group, GUIDE)
    for document in (*read_status_requests(tree), *read_status_responses(tree)):
        assert document == msgspec.json.decode(msgspec.json.encode(document), type=type(document))
    assert all(state.level in ("receiver", "provider", "claim") for state in claim_statuses(tree))

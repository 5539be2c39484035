"""Files of other people go in through the API as they are, and come out the other end, by work and the clock only."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import x12
from gateway.claim_kinds import CLAIM_KINDS, AnyClaim, read_claims
from tests.corpus.listed import Entry, content, faulted, received, valid
from tests.flows.service import NETWORK, Answer, Client, in_process, until
from x12.documents.acknowledgements import read_999
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.documents.claim_status import ClaimStatusResponse, read_status_requests
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import read_requests

CLAIMS = f"{NETWORK}/professionalclaims/v3/raw-x12-submission"
FAULTED = faulted("837P", "837I", "837D", "276")
# Every claim is told of by these before the sandbox payer's day is over, and by the last one after it.
_STORY = ["accepted", "built", "delivered", "acknowledged", "acknowledged", "claimAcknowledged", "remitted"]


def errors(answer: Answer) -> Counter[str]:
    """Place and code of everything that an answer finds wrong, as docs/corpus.md writes them."""
    return Counter(f"{e['location']} {e['code']}" for e in answer.json.get("errors") or ())


def accepted_by(acknowledgement: str) -> list[bool | None]:
    """What the groups of a 999 were told."""
    sets = [s for i in x12.read(acknowledgement.encode()) for s in i.sets if s.set_id == "999"]
    return [read_999(s.tree()).accepted for s in sets]


def claims_in(entry: Entry) -> list[AnyClaim]:
    """The claims of a file, in its order."""
    kind = CLAIM_KINDS[entry.transaction]
    return [c for i in received(entry) for s in i.sets for c in read_claims(kind, s.tree())]


def numbered(claim: AnyClaim) -> tuple[str, str]:
    """The patient control number of a claim, and its charge."""
    information = claim.claim_information
    assert information is not None
    return information.patient_control_number or "", information.claim_charge_amount or ""


@pytest.mark.parametrize("kind", CLAIM_KINDS)
async def test_every_claim_of_a_valid_file_comes_out_with_a_999_a_277ca_and_an_835(tmp_path: Path, kind: str) -> None:
    async with in_process(tmp_path) as (client, _):
        taken: dict[str, AnyClaim] = {}
        for entry in valid(kind):
            answer = await client.post(f"{CLAIM_KINDS[kind].path}/raw-x12-submission", content(entry))
            if entry.file not in FAULTED:
                taken |= took(entry, answer)
        assert taken
        assert len(taken) == sum(e.claims for e in valid(kind) if e.file not in FAULTED)
        for transaction_id in taken:
            await until(client, transaction_id, "received")
        await client.forward(2)
        for transaction_id, claim in taken.items():
            told = await until(client, transaction_id, "remitted")
            # Of two claims that are the same one, the second is denied as its duplicate.
            assert told["outcome"] in ("paid", "denied", "predetermined")
            await came_out(client, transaction_id, claim)


def took(entry: Entry, answer: Answer) -> dict[str, AnyClaim]:
    """The claims of a file that was taken, by their transactions."""
    assert (entry.file, 200) == (entry.file, answer.status)
    assert [True] == accepted_by(answer.json["x12"])
    assert "errors" not in answer.json
    references = answer.json["claimReferences"]
    claims = claims_in(entry)
    assert entry.claims == len(references) == len(answer.json["claimResults"])
    assert {CLAIM_KINDS[entry.transaction].claim_type} == {r["claimType"] for r in references}
    assert [numbered(c)[0] for c in claims] == [r["patientControlNumber"] for r in references]
    told = [v for i in x12.read(answer.json["x12ClaimAcknowledgement"].encode()) for s in i.sets for v in verdicts(s)]
    assert Counter((numbered(c)[0], True) for c in claims) == Counter(told)
    return {r["correlationId"]: claim for r, claim in zip(references, claims, strict=True)}


def verdicts(received: x12.TransactionSet) -> list[tuple[str, bool | None]]:
    """What a 277CA says of each claim, by its patient control number."""
    # A provider is named by the number that it sent, whatever is wrong with it.
    assert [] == [f for f in received.findings if f.level != 5]
    return [(v.patient_control_number, v.accepted) for v in claim_verdicts(received.tree())]


async def came_out(client: Client, transaction_id: str, claim: AnyClaim) -> None:
    """The claim's own story, and what its 277CA and its 835 say of it."""
    trace = await client.trace(transaction_id)
    # Of two claims that are the same one, the second is let pass by the sandbox payer, which is told.
    assert _STORY == [e["kind"] for e in trace["events"] if e["kind"] != "repeated"]
    assert ["TA1", "999"] == [e["data"]["by"] for e in trace["events"] if e["kind"] == "acknowledged"]
    assert [True, True] == [e["data"]["accepted"] for e in trace["events"] if e["kind"] == "acknowledged"]
    report = (await client.get(f"{NETWORK}/reports/v2/{transaction_id}/277")).json
    payers = [p for t in report["transactions"] for p in t["payers"]]
    details = [d for p in payers for t in p["claimStatusTransactions"] for d in t["claimStatusDetails"]]
    statuses = [c["claimStatus"] for d in details for p in d["patientClaimStatusDetails"] for c in p["claims"]]
    number, charge = numbered(claim)
    assert number in [s["referencedTransactionTraceNumber"] for s in statuses]
    remittance = (await client.get(f"{NETWORK}/reports/v2/{transaction_id}/835")).json
    paid = [
        p["claimPaymentInfo"] for t in remittance["transactions"] for d in t["detailInfo"] for p in d["paymentInfo"]
    ]
    charges = [Decimal(p["totalClaimChargeAmount"]) for p in paid if p["patientControlNumber"] == number]
    assert Decimal(charge) in charges


async def test_a_file_that_the_reader_faults_is_refused_with_what_it_finds(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claims = [(f"{k.path}/raw-x12-submission", name) for name, k in CLAIM_KINDS.items()]
        for path, folder in (*claims, (f"{NETWORK}/claimstatus/v2/raw-x12", "276")):
            faulty = [e for e in valid(folder) if e.file in FAULTED]
            assert faulty
            for entry in faulty:
                answer = await client.post(path, content(entry))
                assert (entry.file, 400, FAULTED[entry.file]) == (entry.file, answer.status, errors(answer))
                assert [False] == accepted_by(answer.json["x12"])


async def test_the_same_file_again_is_refused_as_a_duplicate_interchange(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        entry = next(e for e in valid("837P") if e.file not in FAULTED)
        assert 200 == (await client.post(CLAIMS, content(entry))).status
        again = await client.post(CLAIMS, content(entry))
        assert (400, Counter({"ISA13 025": 1})) == (again.status, errors(again))
        refused = [t for i in x12.read(again.json["x12"].encode()) for t in i.acknowledgements]
        assert [("R", "025")] == [t[3:5] for t in refused]


def answers(answer: Answer, kind: type[Any], sets: int) -> list[Any]:
    """The documents of an answer: one for a question, a list for each set of several, in a list for several sets."""
    told: list[Any] = []
    for one in answer.json if sets > 1 else [answer.json]:
        told += one if isinstance(one, list) else [one]
    return [msgspec.convert(d, kind) for d in told]


async def test_every_valid_eligibility_request_gets_its_271(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for entry in valid("270"):
            sets = [s for i in received(entry) for s in i.sets]
            asked = [r for s in sets for r in read_requests(s.tree())]
            answer = await client.post(f"{NETWORK}/eligibility/v3/raw-x12", content(entry))
            assert (entry.file, 200) == (entry.file, answer.status)
            told: list[EligibilityResponse] = answers(answer, EligibilityResponse, len(sets))
            assert len(asked) == len(told)
            for one in told:
                assert "ST*271*" in (one.x12 or "")
                assert one.benefits_information or one.errors
            members = {r.subscriber.member_id for r in asked if r.subscriber is not None}
            assert members == {r.subscriber.member_id for r in told if r.subscriber is not None}


async def test_every_valid_status_request_gets_its_277(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for entry in (e for e in valid("276") if e.file not in FAULTED):
            sets = [s for i in received(entry) for s in i.sets]
            asked = [r for s in sets for r in read_status_requests(s.tree())]
            answer = await client.post(f"{NETWORK}/claimstatus/v2/raw-x12", content(entry))
            assert (entry.file, 200) == (entry.file, answer.status)
            told: list[ClaimStatusResponse] = answers(answer, ClaimStatusResponse, len(sets))
            assert len(asked) == len(told)
            assert [True] * len(told) == ["ST*277*" in (one.x12 or "") for one in told]
            claims = [c.claim_status for one in told for c in one.claims or () if c.claim_status is not None]
            # The sandbox payer never heard of these claims.
            assert [("A4", "35")] * len(asked) == [(c.status_category_code, c.status_code) for c in claims]
            traces = {t for s in sets for t in trace_numbers(s)}
            assert traces == {c.tracking_number for c in claims}


def trace_numbers(one: x12.TransactionSet) -> list[str]:
    rows = [s.split(one.delimiters.element) for s in one.segments]
    return [r[2] for r in rows if r[0] == "TRN"]

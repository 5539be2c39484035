"""A file of claims is taken in parts: each claim by itself, told of in JSON and in a 277CA, while the 999 speaks of whole sets."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gateway.claim_files import judged_file, surveyed
from gateway.claim_judging import Treatment
from gateway.judges import make_ready
from gateway.x12_answers import Answering
from tests import synthetic
from tests.flows.service import Answer, in_process, until
from tests.flows.test_claim_kinds import KINDS
from x12.documents.acknowledgements import GroupAcknowledgement, read_999
from x12.documents.claim_acknowledgement import ClaimVerdict, claim_verdicts
from x12.envelope import TransactionSet, read

PATH = f"{KINDS['professional'].path}/raw-x12-submission"


def sets_of(text: str, set_id: str) -> list[TransactionSet]:
    """The sets of an answer in X12, with which nothing is wrong."""
    received = read(text.encode())
    assert [] == [f for i in received for f in (*i.findings, *(f for g in i.groups for f in g.findings))]
    sets = [s for i in received for s in i.sets if s.set_id == set_id]
    assert [] == [f for s in sets for f in s.findings]
    return sets


def said_999(answer: Answer) -> list[GroupAcknowledgement]:
    return [read_999(s.tree()) for s in sets_of(answer.json["x12"], "999")]


def verdicts(answer: Answer) -> dict[str, ClaimVerdict]:
    """The 277CA of an answer, by patient control number."""
    sets = sets_of(answer.json["x12ClaimAcknowledgement"], "277")
    return {v.patient_control_number: v for s in sets for v in claim_verdicts(s.tree())}


def charged(text: str, number: str, charge: str) -> str:
    """A file with another charge for one claim: its lines no longer add up to it."""
    changed = re.sub(rf"CLM\*{number}\*[\d.]+", f"CLM*{number}*{charge}", text, count=1)
    assert text != changed
    return changed


@pytest.mark.parametrize("name", KINDS)
async def test_of_a_batch_the_good_claims_are_taken_and_each_is_told_of(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    text = charged(charged(kind.x12(40), "PCN00000007", "1"), "PCN00000021", "1")
    async with in_process(tmp_path) as (client, _):
        validated = await client.post(f"{kind.path}/raw-x12-validation", text.encode())
        answer = await client.post(f"{kind.path}/raw-x12-submission", text.encode())
        for told in (validated, answer):
            assert (200, "SUCCESS") == (told.status, told.json["status"])
            results = told.json["claimResults"]
            assert [f"PCN{n:08d}" for n in range(40)] == [r["patientControlNumber"] for r in results]
            refused = [r for r in results if r["status"] == "REJECTED"]
            assert ["PCN00000007", "PCN00000021"] == [r["patientControlNumber"] for r in refused]
            assert [["2300 CLM02"]] * 2 == [[e["location"] for e in r["errors"]] for r in refused]
            assert [e["position"] for e in told.json["errors"]] == [r["errors"][0]["position"] for r in refused]
            # The set is taken, and what is wrong in it is noted.
            assert [(True, ["E"])] == [(s.accepted, [one.code for one in s.sets or ()]) for s in said_999(told)]
            by_number = verdicts(told)
            assert {n for n, v in by_number.items() if v.accepted is False} == {"PCN00000007", "PCN00000021"}
            assert 40 == len(by_number)
        taken = {
            r["patientControlNumber"]: r["correlationId"] for r in answer.json["claimResults"] if "correlationId" in r
        }
        assert 38 == len(taken)
        assert [] == [r for r in validated.json["claimResults"] if "correlationId" in r]
        # The 277CA calls each claim what its payer will hear it called.
        assert set(taken.values()) == {r["correlationId"] for r in answer.json["claimReferences"]}
        numbers = {r["patientControlNumber"]: r["rhclaimNumber"] for r in answer.json["claimReferences"]}
        told_numbers = {n: v.clearinghouse_trace_number for n, v in verdicts(answer).items()}
        assert numbers == {n: told_numbers[n] for n in numbers}
        for transaction_id in taken.values():
            told_claim = await until(client, transaction_id, "received")
            assert name == told_claim["claimType"]
        # The same file again is the same interchange.
        again = await client.post(f"{kind.path}/raw-x12-submission", text.encode())
        assert (400, ["025"]) == (again.status, [e["code"] for e in again.json["errors"]])
        validated = await client.post(f"{kind.path}/raw-x12-validation", text.encode())
        assert (400, ["025"]) == (validated.status, [e["code"] for e in validated.json["errors"]])


async def test_what_is_wrong_above_claims_refuses_them_and_no_others(tmp_path: Path) -> None:
    """Two billing providers; the address of the second one lacks its city."""
    text = synthetic.claims_837p(60)
    first, second = text.split("NM1*85*2*SYNTHETIC CLINIC 1*", 1)
    text = f"{first}NM1*85*2*SYNTHETIC CLINIC 1*{second.replace('N4*PORTLAND*OR*972010000', 'N4**OR*972010000', 1)}"
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(PATH, text.encode())
        assert 200 == answer.status
        statuses = [r["status"] for r in answer.json["claimResults"]]
        assert ["ACCEPTED"] * 50 + ["REJECTED"] * 10 == statuses
        assert {"2010AA N401"} == {e["location"] for e in answer.json["errors"]}
        # It is told once for the file, and with each claim that it refuses.
        assert 1 == len({e["position"] for e in answer.json["errors"]})
        assert [True] * 10 == [bool(r.get("errors")) for r in answer.json["claimResults"][50:]]


async def test_a_set_of_which_no_claim_is_left_is_rejected_by_its_999_and_holds_up_no_other(tmp_path: Path) -> None:
    bad = charged(synthetic.claims_837p(1, seed=5), "PCN00000000", "1")
    good = synthetic.claims_837p(1, seed=6)
    body = re.search(r"ST\*.*?SE\*\d+\*0001~", good)
    assert body is not None
    second = body[0].replace("*0001", "*0002")
    text = bad.replace("GE*1*1", "GE*2*1").replace("~GE*", f"~{second}GE*")
    async with in_process(tmp_path) as (client, _):
        alone = await client.post(PATH, bad.encode())
        assert (400, "ERROR", False) == (alone.status, alone.json["status"], "x12ClaimAcknowledgement" in alone.json)
        assert ["REJECTED"] == [r["status"] for r in alone.json["claimResults"]]
        answer = await client.post(PATH, text.encode())
        assert 200 == answer.status, answer.body
        (said,) = said_999(answer)
        assert ["R", "A"] == [one.code for one in said.sets or ()]
        assert ["REJECTED", "ACCEPTED"] == [r["status"] for r in answer.json["claimResults"]]
        assert 1 == len(sets_of(answer.json["x12ClaimAcknowledgement"], "277"))


async def test_a_refused_interchange_takes_its_claims_with_it_and_no_others(tmp_path: Path) -> None:
    good, bad = synthetic.claims_837p(2, seed=8), synthetic.claims_837p(2, seed=9).replace("*00501*", "*00401*")
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(PATH, (bad + good).encode())
        assert 200 == answer.status, answer.body
        assert ["017"] == [e["code"] for e in answer.json["errors"]]
        assert 2 == len(answer.json["claimReferences"]) == len(answer.json["claimResults"])


async def test_edits_speak_of_segments_where_claims_came_as_x12(tmp_path: Path) -> None:
    text = synthetic.claims_837p(2).replace("DTP*472*D8*2025", "DTP*472*D8*2099", 1)
    assert "2099" in text
    position = next(n for n, s in enumerate(text.split("~")[2:], 1) if "D8*2099" in s)
    async with in_process(tmp_path) as (client, _):
        # For another payer it is an example; for the sandbox payer itself it is refused.
        for payer, statuses in (("SYNTH", ["ACCEPTED"] * 2), ("SANDBOX", ["REJECTED", "ACCEPTED"])):
            answer = await client.post(
                PATH.replace("submission", "validation"), text.replace("*PI*SYNTH~", f"*PI*{payer}~").encode()
            )
            assert statuses == [r["status"] for r in answer.json["claimResults"]]
            told = answer.json["warnings" if payer == "SYNTH" else "errors"]
            assert [("CW104", "2400 DTP03", position, None)] == [
                (e["code"], e["location"], e["position"], e.get("field")) for e in told
            ]


def one_bad_of(count: int) -> str:
    return charged(synthetic.claims_837p(count), f"PCN{count // 2:08d}", "1")


@pytest.mark.one_engine
def test_f43_of_five_thousand_claims_one_bad_one_stops_nobody() -> None:
    """In the function that judges; the flow above keeps what it gives."""
    make_ready()
    content = one_bad_of(5_000).encode()
    survey = surveyed(content)
    assert ({"SYNTH"}, 5_000) == survey
    ids = [f"00000000-0000-7000-8000-{n:012x}" for n in range(survey.claims)]
    treatments = {"SYNTH": Treatment("SYNTH", "SYNTH")}
    judged = judged_file("837P", content, treatments, Answering("20260105", "0930"), date(2026, 1, 5), ids, {})
    assert {True: 4_999, False: 1} == Counter(one.accepted for one in judged.claims)
    assert ["PCN00002500"] == [one.claim.number for one in judged.claims if not one.accepted]
    told = [v for s in sets_of(judged.report, "277") for v in claim_verdicts(s.tree())]
    assert {True: 4_999, False: 1} == Counter(v.accepted for v in told)
    assert ids == [one.transaction_id for one in judged.claims]

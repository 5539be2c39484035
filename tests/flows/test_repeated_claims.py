"""The same claim again, under another key or on another way: refused or told, as its payer wants it, and never by accident twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.config import Config
from gateway.payers import Payer
from tests import synthetic
from tests.flows.sdk_bodies import small_form
from tests.flows.service import NETWORK, Answer, Client, claim_body, dental_body, in_process, institutional_body, until
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.envelope import read

SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"
VALIDATION = f"{NETWORK}/professionalclaims/v3/validation"
X12 = f"{NETWORK}/professionalclaims/v3/raw-x12-submission"
_HEADER = "X_Allow_Repeated_Claim"
ORIGINAL = "PAYERS-NUMBER-1"


def of(policy: Literal["refuse", "warn", "allow"]) -> Config:
    """The sandbox payer's twin, which treats repeated claims like this."""
    return Config(
        payers=[
            Payer(id="BIRCH", name="BIRCH HEALTH PLAN", routes=["sandbox"], aliases=["BHP"], repeated_claims=policy)
        ]
    )


def claim(number: str, made: Any = claim_body, **changes: str) -> dict[str, Any]:
    """A claim of one member to that payer, whatever it is called."""
    body = made(number)
    body["tradingPartnerServiceId"] = "BIRCH"
    body["subscriber"]["memberId"] = "MEMBER1"
    body["claimInformation"].update(changes)
    return body


def amending(number: str, frequency: str, original: str = ORIGINAL, charge: str = "120") -> dict[str, Any]:
    """A replacement or a void of a claim."""
    body = claim(number, claimFrequencyCode=frequency, claimChargeAmount=charge)
    body["claimInformation"]["serviceLines"][0]["professionalService"]["lineItemChargeAmount"] = charge
    body["claimInformation"]["claimSupplementalInformation"] = {"claimControlNumber": original}
    return body


def taken(answer: Answer) -> str:
    assert 200 == answer.status, answer.body
    return answer.json["claimReference"]["correlationId"]


def refused(answer: Answer, before: str) -> None:
    """It says that it is a possible duplicate, of which transaction, and how to send it all the same."""
    assert (409, "ERROR", "409 CONFLICT") == (answer.status, answer.json["status"], answer.json["httpStatusCode"])
    (error,) = answer.json["errors"]
    assert "CW201" == error["code"]
    assert f"Possible duplicate: the same claim was submitted before as transaction {before}" in error["description"]
    assert "X-Allow-Repeated-Claim: true" in error["description"]


async def kept(client: Client) -> int:
    return sum(
        i["x12"]["metadata"]["transaction"]["transactionSetIdentifier"] == "837"
        for i in (await client.get("/2023-08-01/polling/transactions")).json["items"]
    )


async def happened(client: Client, transaction_id: str) -> list[dict[str, Any]]:
    return [e["data"] for e in (await client.trace(transaction_id))["events"] if e["kind"] == "repeated"]


@pytest.mark.parametrize("made", [claim_body, institutional_body, dental_body])
async def test_f42_the_same_claim_under_another_key_and_number_is_refused(tmp_path: Path, made: Any) -> None:
    paths = {
        claim_body: "/medicalnetwork/professionalclaims/v3",
        institutional_body: "/medicalnetwork/institutionalclaims/v1",
        dental_body: "/dental-claims",
    }
    path = f"{paths[made]}/submission"
    async with in_process(tmp_path, of("refuse")) as (client, _):
        first = taken(await client.post(path, claim("PAID-1", made), Idempotency_Key="1"))
        refused(await client.post(path, claim("PAID-1", made), Idempotency_Key="2"), first)
        refused(await client.post(path, claim("PAID-2", made)), first)
        refused(await client.post(f"{paths[made]}/validation", claim("PAID-2", made)), first)
        # The same key is the same request.
        again = await client.post(path, claim("PAID-1", made), Idempotency_Key="1")
        assert (200, "true") == (again.status, again.headers["Idempotency-Replayed"])
        assert 1 == await kept(client)
        # What was refused has not spent its key.
        assert first != taken(await client.post(path, claim("PAID-2", made), Idempotency_Key="2", **{_HEADER: "true"}))
        assert 2 == await kept(client)
    async with in_process(tmp_path, of("refuse")) as (client, _):
        assert 409 == (await client.post(path, claim("PAID-3", made))).status


async def test_what_is_another_claim_is_taken(tmp_path: Path) -> None:
    def changed(**changes: Any) -> dict[str, Any]:
        body = claim("PAID-1")
        for path, value in changes.items():
            here: Any = body
            *above, last = path.split("__")
            for name in above:
                here = here[int(name)] if name.isdigit() else here[name]
            here[last] = value
        return body

    line = "claimInformation__serviceLines__0"
    service = f"{line}__professionalService"
    others = [
        changed(subscriber__memberId="MEMBER2"),
        changed(**{f"{line}__serviceDate": "20251203"}),
        changed(**{f"{service}__procedureCode": "99214"}),
        changed(**{f"{service}__procedureModifiers": ["25"]}),
        changed(**{f"{service}__serviceUnitCount": "2"}),
        changed(**{f"{service}__lineItemChargeAmount": "121", "claimInformation__claimChargeAmount": "121"}),
        changed(billing__npi=synthetic.npi(100_000_000)),
        changed(rendering={"npi": synthetic.npi(100_000_001), "lastName": "BRANDT", "firstName": "BRUNO"}),
        changed(tradingPartnerServiceId="SANDBOX"),
    ]
    # Twins have one member number.
    for name in ("BEA", "CLEO"):
        twin = claim("PAID-1")
        person = {**twin["subscriber"], "firstName": name, "relationshipToSubscriberCode": "19"}
        twin["dependent"] = {
            k: person[k]
            for k in ("firstName", "lastName", "gender", "dateOfBirth", "address", "relationshipToSubscriberCode")
        }
        others.append(twin)
    async with in_process(tmp_path, of("refuse")) as (client, _):
        assert len(others) + 1 == len(
            {taken(await client.post(SUBMISSION, body)) for body in (claim("PAID-1"), *others)}
        )
        for body in others:
            if body["tradingPartnerServiceId"] == "BIRCH":
                assert 409 == (await client.post(SUBMISSION, body)).status
        # The same amount, written otherwise, and another name of the same payer, change nothing.
        for body in (changed(claimInformation__claimChargeAmount="120.00"), changed(tradingPartnerServiceId="BHP")):
            assert 409 == (await client.post(SUBMISSION, body)).status


async def test_replacements_and_voids_are_what_they_say(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        first = taken(await client.post(SUBMISSION, claim("PAID-1")))
        without = await client.post(SUBMISSION, claim("PAID-1", claimFrequencyCode="7"))
        assert (400, ["C-2300-001"]) == (without.status, [e["code"] for e in without.json["errors"]])
        replaced = taken(await client.post(SUBMISSION, amending("PAID-1", "7")))
        refused(await client.post(SUBMISSION, amending("PAID-1", "7")), replaced)
        taken(await client.post(SUBMISSION, amending("PAID-1", "7", charge="90")))
        taken(await client.post(SUBMISSION, amending("PAID-1", "7", original="ANOTHER")))
        third = taken(await client.post(SUBMISSION, amending("PAID-1", "7", "THIRD")))
        refused(await client.post(SUBMISSION, claim("PAID-9")), third)
        voided = taken(await client.post(SUBMISSION, amending("PAID-1", "8")))
        refused(await client.post(SUBMISSION, amending("PAID-1", "8")), voided)
        # What was taken back may be asked for again, once.
        anew = taken(await client.post(SUBMISSION, claim("PAID-2")))
        refused(await client.post(SUBMISSION, claim("PAID-3")), anew)
        assert first != anew


async def test_a_claim_that_was_rejected_counts_for_nothing(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        rejected = taken(await client.post(SUBMISSION, claim("REJECT-1")))
        refused(await client.post(SUBMISSION, claim("PAID-1")), rejected)
        await until(client, rejected, "rejected")
        assert 200 == (await client.post(VALIDATION, claim("PAID-1"))).status
        corrected = taken(await client.post(SUBMISSION, claim("PAID-1")))
        refused(await client.post(SUBMISSION, claim("PAID-2")), corrected)


async def test_who_lets_a_repeated_claim_pass_stands_in_its_trace(tmp_path: Path) -> None:
    async with in_process(tmp_path / "refuse", of("refuse")) as (client, _):
        first = taken(await client.post(SUBMISSION, claim("PAID-1")))
        answer = await client.post(SUBMISSION, claim("PAID-2"), **{_HEADER: "true"})
        assert [{"of": first, "allowedBy": "caller"}] == await happened(client, taken(answer))
        assert ["CW201"] == [w["code"] for w in answer.json["warnings"]]
        assert first in answer.json["warnings"][0]["description"]
        assert [] == await happened(client, first)
        assert 409 == (await client.post(SUBMISSION, claim("PAID-3"), **{_HEADER: "no"})).status
    async with in_process(tmp_path / "warn", of("warn")) as (client, _):
        first = taken(await client.post(SUBMISSION, claim("PAID-1")))
        answer = await client.post(SUBMISSION, claim("PAID-2"))
        assert [{"of": first, "allowedBy": "payer"}] == await happened(client, taken(answer))
        assert ["CW201"] == [w["code"] for w in answer.json["warnings"]]
        assert ["CW201"] == [w["code"] for w in (await client.post(VALIDATION, claim("PAID-3"))).json["warnings"]]
    async with in_process(tmp_path / "allow", of("allow")) as (client, _):
        taken(await client.post(SUBMISSION, claim("PAID-1")))
        answer = await client.post(SUBMISSION, claim("PAID-2"))
        assert [] == await happened(client, taken(answer))
        assert "warnings" not in answer.json


async def test_of_fifty_at_once_one_is_taken(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        posts = [client.post(SUBMISSION, claim(f"PAID-{n}"), Idempotency_Key=f"key-{n}") for n in range(50)]
        answers = await asyncio.gather(*posts)
        (first,) = [a for a in answers if a.status == 200]
        for answer in answers:
            if answer is not first:
                refused(answer, taken(first))
        assert 1 == await kept(client)


def file_of(*seeds: int, number: int = 1) -> str:
    """Claims to that payer, two of each seed; the same seed gives the same ones."""
    bodies: list[list[str]] = []
    for seed in seeds:
        segments = synthetic.claims_837p(2, seed=seed).replace("*PI*SYNTH~", "*PI*BIRCH~").split("~")
        body = segments[2:-4]
        bodies.append(["ST*837*{ST02}*005010X222A1", *(s.replace("PCN", f"S{seed}N{len(bodies)}") for s in body[1:])])
    return synthetic.interchange("HC", "005010X222A1", bodies, number)


async def test_within_a_file_and_between_files_and_json_the_same_claim_is_found(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        answer = await client.post(X12, file_of(1, 2, 1).encode())
        assert 200 == answer.status, answer.body
        results = answer.json["claimResults"]
        assert ["ACCEPTED"] * 4 + ["REJECTED"] * 2 == [r["status"] for r in results]
        assert [results[0]["correlationId"], results[1]["correlationId"]] == [r["duplicateOf"] for r in results[4:]]
        # The 999 has nothing against them; the 277CA says that they are duplicates.
        assert "AK9*A*3*3*3" in answer.json["x12"]
        (report,) = read(answer.json["x12ClaimAcknowledgement"].encode())
        told = [v for s in report.sets for v in claim_verdicts(s.tree())]
        assert [True] * 4 + [False] * 2 == [v.accepted for v in told]
        assert {("A3", "54")} == {(c.category, c.status) for v in told if v.accepted is False for c in v.codes}
        # Nothing but duplicates: 409, and nothing is kept.
        again = await client.post(X12, file_of(2, number=2).encode())
        assert (409, ["CW201"] * 2) == (again.status, [e["code"] for e in again.json["errors"]])
        validated = await client.post(X12.replace("submission", "validation"), file_of(2, number=2).encode())
        assert 409 == validated.status
        assert 4 == await kept(client)
        # A duplicate and a new one.
        mixed = await client.post(X12, file_of(2, 3, number=3).encode())
        assert (200, ["REJECTED"] * 2 + ["ACCEPTED"] * 2) == (
            mixed.status,
            [r["status"] for r in mixed.json["claimResults"]],
        )
        allowed = await client.post(X12, file_of(2, number=4).encode(), **{_HEADER: "true"})
        assert 200 == allowed.status
        (one, _) = allowed.json["claimResults"]
        assert [{"of": results[2]["correlationId"], "allowedBy": "caller"}] == await happened(
            client, one["correlationId"]
        )


async def test_a_claim_in_json_and_the_same_in_x12_are_one(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        first = await client.post(SUBMISSION, claim("PAID-1"))
        body = first.json["x12"].rstrip("~").split("~")[:-1]
        element = body[0][2]
        segments = [s.replace(element, "*") for s in body if not s.startswith(f"REF{element}D9{element}")]
        segments[0] = "ST*837*{ST02}*005010X222A1"
        same = synthetic.interchange("HC", "005010X222A1", [segments])
        answer = await client.post(X12, same.encode())
        assert 409 == answer.status, answer.body
        assert [taken(first)] == [r["duplicateOf"] for r in answer.json["claimResults"]]


async def test_a_claim_of_long_ago_is_remembered(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        first = taken(await client.post(SUBMISSION, claim("SILENT-1")))
        await client.forward(400)
        refused(await client.post(SUBMISSION, claim("SILENT-2")), first)


FORMS = "/2025-03-07/professional-claim-submissions"


def form() -> dict[str, Any]:
    made = small_form("PAID-8")
    made["payer"]["id"] = "BIRCH"
    return made


async def test_a_form_that_repeats_a_claim_is_told_as_a_duplicate_unless_its_caller_knows(tmp_path: Path) -> None:
    async with in_process(tmp_path, of("refuse")) as (client, _):
        first = await client.post(FORMS, form())
        assert (201, None) == (first.status, first.json.get("errors"))
        judged = await client.post(f"{FORMS}/validate", form())
        known = await client.post(f"{FORMS}/validate", form(), X_Allow_Repeated_Claim="true")
        assert (1, None) == (len(judged.json["errors"]), known.json.get("errors"))
        again = await client.post(FORMS, form())
        assert judged.json["errors"] == again.json["errors"]
        assert first.headers["X-Transaction-Id"] in again.json["errors"][0]["description"]
        report = await client.get(f"{NETWORK}/reports/v2/{again.headers['X-Transaction-Id']}/277")
        file = await client.get(f"{NETWORK}/reports/v2/{report.json['meta']['transactionId']}")
        ((told,),) = (i.sets for i in read(file.body))
        (verdict,) = claim_verdicts(told.tree())
        assert [("A3", "54")] == [(c.category, c.status) for c in verdict.codes]
        allowed = await client.post(FORMS, form(), X_Allow_Repeated_Claim="true")
        assert (201, None) == (allowed.status, allowed.json.get("errors"))

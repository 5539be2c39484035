"""One Claimwire is the upstream of another, over real sockets: everything travels whole through both, and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from tests.flows.service import (
    NETWORK,
    claim_body,
    dental_body,
    eligibility_body,
    institutional_body,
    until,
)
from tests.flows.upstream import PAYER, STRANGER, upstream

PROFESSIONAL = f"{NETWORK}/professionalclaims/v3/submission"
INSTITUTIONAL = f"{NETWORK}/institutionalclaims/v1/submission"
DENTAL = "/dental-claims/submission"


async def test_a_question_gets_the_payers_own_answer_through_both(tmp_path: Path) -> None:
    async with upstream(tmp_path) as on:
        body = eligibility_body() | {"tradingPartnerServiceId": PAYER}
        here = await on.client.post(f"{NETWORK}/eligibility/v3", body)
        assert 200 == here.status, here.body
        assert "1" == here.json["benefitsInformation"][0]["code"]
        ((set_id, above),) = await on.sets_above()
        assert "271" == set_id
        answer = await on.above.get(f"/v1/transactions/{above}/answer")
        assert answer.json["x12"] == here.json["x12"]


async def test_a_question_whose_payer_is_slow_is_answered_later_and_asked_once(tmp_path: Path) -> None:
    async with upstream(tmp_path, answer_seconds=0.3) as on:
        await on.weather(latencySeconds=1.0)
        body = eligibility_body() | {"tradingPartnerServiceId": PAYER}
        answer = await on.client.post(f"{NETWORK}/eligibility/v3", body)
        assert 202 == answer.status, answer.body
        ((_, above),) = await on.sets_above()
        await until(on.above, above, "answered")
        on.passes(120)
        question = answer.headers["X-Transaction-Id"]
        await until(on.client, question, "answered")
        told = await on.client.get(f"/v1/transactions/{question}/answer")
        assert "1" == told.json["benefitsInformation"][0]["code"]
        # The second time it was the same request under the same key, and the upstream asked nobody again.
        first, second = on.wire.posted
        assert first == second
        assert 1 == len(await on.sets_above())
        # Nothing is left for a person to look into.
        assert [] == (await on.client.get("/v1/unmatched")).json["items"]


async def test_a_rejection_of_the_payers_is_an_answer_through_both(tmp_path: Path) -> None:
    async with upstream(tmp_path) as on:
        body = eligibility_body("SANDBOX-NOTFOUND-1") | {"tradingPartnerServiceId": PAYER}
        answer = await on.client.post(f"{NETWORK}/eligibility/v3", body)
        assert 200 == answer.status
        assert answer.json["errors"], answer.json


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PROFESSIONAL, claim_body("PAID-1")),
        (INSTITUTIONAL, institutional_body("PAID-2")),
        (DENTAL, dental_body("PAID-3")),
    ],
    ids=["professional", "institutional", "dental"],
)
async def test_a_claim_its_acknowledgements_and_its_remittance_travel_whole_through_both(
    tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    async with upstream(tmp_path) as on:
        claim = await on.submitted(path, body)
        await until(on.client, claim, "received", "pending", "finalized")
        await until(on.above, await on.claim_above(), "received", "pending", "finalized")
        await on.above.forward(5)
        await until(on.client, claim, "remitted")
        told = [e["kind"] for e in (await on.client.trace(claim))["events"]]
        # The upstream's 999 and 277CA in its answer, the payer's 277CA and 835 out of its mailbox.
        assert ["accepted", "built", "delivered"] == told[:3]
        assert "acknowledged" in told
        assert told.count("claimAcknowledged") >= 2, told
        assert "remitted" == told[-1]
        for number, prefix in (("277", "X3"), ("835", "R5")):
            names = [n for n in (await on.client.get(f"{NETWORK}/reports/v2")).json["reports"] if n.startswith(prefix)]
            files = [(await on.client.get(f"{NETWORK}/reports/v2/{name}")).body for name in names]
            report = await on.client.get(f"{NETWORK}/reports/v2/{claim}/{number}")
            assert 200 == report.status
            (above,) = [transaction_id for set_id, transaction_id in await on.sets_above() if set_id == number]
            assert (await on.above.get(f"{NETWORK}/reports/v2/{prefix}{above}")).body in files
        # What was taken is out of the upstream's mailbox.
        assert [] == (await on.above.get(f"{NETWORK}/reports/v2")).json["reports"]
        assert [1] == list((await on.seen()).values())


async def test_reports_come_by_polling_as_well_and_change_nothing_when_they_come_again(tmp_path: Path) -> None:
    async with upstream(tmp_path, reports="polling") as on:
        claim = await on.submitted(PROFESSIONAL, claim_body("PAID-1"))
        await until(on.client, claim, "received", "pending", "finalized")
        await until(on.above, await on.claim_above(), "received", "pending", "finalized")
        await on.above.forward(5)
        await until(on.client, claim, "remitted")
        before = (await on.client.trace(claim))["events"]
        await on.comes_again()
        assert before == (await on.client.trace(claim))["events"]
        # The mailbox is as it was.
        assert 2 == len((await on.above.get(f"{NETWORK}/reports/v2")).json["reports"])


async def test_the_upstream_gets_the_committed_bytes_under_the_id_of_the_interchange(tmp_path: Path) -> None:
    async with upstream(tmp_path) as on:
        claim = await on.submitted(PROFESSIONAL, claim_body("PAID-1"))
        await until(on.client, claim, "received", "pending", "finalized")
        (interchange,) = await on.carried(claim)
        (posted,) = on.wire.submissions
        assert interchange.interchange_id == posted.key
        sent = (await on.client.trace(claim))["interchanges"][0]["segments"]
        assert "".join(sent) == msgspec.json.decode(posted.body)["x12"]


async def test_a_claim_that_the_upstream_refuses_is_rejected_here_for_its_reason(tmp_path: Path) -> None:
    async with upstream(tmp_path) as on:
        directory = on.there.runtime.directory
        directory.routes["sandbox"] = msgspec.structs.replace(directory.routes["sandbox"], takes_any_payer=False)
        claim = await on.submitted(PROFESSIONAL, claim_body("PAID-1"), STRANGER)
        await until(on.client, claim, "rejected")
        events = (await on.client.trace(claim))["events"]
        (refused,) = [
            e for e in events if e["kind"] in ("acknowledged", "claimAcknowledged") and not e["data"]["accepted"]
        ]
        assert ("999", ["5"]) == (refused["data"]["by"], refused["data"]["codes"])
        assert [] == await on.sets_above()


async def test_claims_with_one_patient_control_number_are_told_apart_by_what_the_upstream_calls_them(
    tmp_path: Path,
) -> None:
    async with upstream(tmp_path) as on:
        claims: list[str] = []
        for charge in ("120", "130"):
            claims.append(await on.submitted(PROFESSIONAL, claim_body("PAID-1", charge=charge)))
            await until(on.client, claims[-1], "received", "pending", "finalized")
        await on.above.forward(5)
        for claim in claims:
            await until(on.client, claim, "remitted")
        assert [] == (await on.client.get("/v1/unmatched")).json["items"]
        assert ["120.00", "130.00"] == [charge for claim in claims for charge in await on.charges(claim)]
        assert {1} == set((await on.seen()).values())


async def test_a_question_about_a_claim_is_answered_through_both(tmp_path: Path) -> None:
    async with upstream(tmp_path) as on:
        claim = await on.submitted(PROFESSIONAL, claim_body("PAID-1"))
        await until(on.client, claim, "received", "pending", "finalized")
        body = {
            "tradingPartnerServiceId": PAYER,
            "providers": [
                {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667", "providerType": "BillingProvider"}
            ],
            "subscriber": {
                "memberId": "MPAID-1",
                "firstName": "ADA",
                "lastName": "ABARA",
                "dateOfBirth": "19800229",
                "gender": "F",
            },
            "encounter": {
                "patientAccountNumber": "PAID-1",
                "beginningDateOfService": "20251202",
                "endDateOfService": "20251202",
                "submittedAmount": "120",
            },
        }
        answer = await on.client.post(f"{NETWORK}/claimstatus/v2", body)
        assert 200 == answer.status, answer.body
        assert "PAID-1" == answer.json["claims"][0]["claimStatus"]["patientAccountNumber"]


@pytest.mark.parametrize("status", [True, False], ids=["the payer can be asked", "the payer cannot be asked"])
@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_submission_whose_answer_is_cut_off_reaches_the_payer_once(
    tmp_path: Path, cut: Literal["before", "after"], status: bool
) -> None:
    async with upstream(tmp_path, status=status) as on:
        if not status:
            # Long enough for the request to come again before anything is heard of the payer.
            directory = on.there.runtime.directory
            directory.routes["sandbox"] = msgspec.structs.replace(directory.routes["sandbox"], batch_window_seconds=4.0)
        on.wire.cuts.append(cut)
        claim = await on.submitted(PROFESSIONAL, claim_body("PAID-1"))
        await until(on.client, claim, "received", "pending", "finalized")
        await until(on.above, await on.claim_above(), "received", "pending", "finalized")
        await on.above.forward(5)
        await until(on.client, claim, "remitted")
        assert "doubted" in [e["kind"] for e in (await on.client.trace(claim))["events"]]
        # Where it was not found otherwise, the same request went once more: the same bytes under the same key.
        assert 1 == len({(one.path, one.key, one.body) for one in on.wire.submissions})
        assert cut == "after" or len(on.wire.submissions) == 2
        assert status or len(on.wire.submissions) == 2
        sets = [set_id for set_id, _ in await on.sets_above()]
        assert (1, 1) == (sets.count("837"), sets.count("835"))
        assert [1] == list((await on.seen()).values())

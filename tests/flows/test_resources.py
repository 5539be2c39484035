"""The newer shapes without the SDK: what a claim is over several submissions, what edits reject, what filters and cursors give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.identities import uuid_of
from tests.flows.sdk_bodies import check, small_form
from tests.flows.service import Client, claim_body, in_process, until

SUBMISSIONS, CLAIMS = "/2025-03-07/professional-claim-submissions", "/2025-03-07/claims"


async def submitted(client: Client, form: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.post(SUBMISSIONS, form, **headers)
    assert 201 == answer.status, answer.body
    return answer.json


async def test_a_replacement_is_one_more_submission_of_its_claim(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        first = await submitted(client, small_form("PAID-1"))
        await until(client, uuid_of(first["submissionId"]) or "", "received")
        form = small_form("PAID-1", "130.00")
        form["encounter"]["resubmission"] = {"code": "REPLACEMENT_OF_PRIOR_CLAIM", "originalReferenceNumber": "X"}
        second = await submitted(client, form)
        assert first["claimId"] == second["claimId"]
        assert first["submissionId"] != second["submissionId"]
        claim = (await client.get(f"{CLAIMS}/{first['claimId']}")).json
        assert "130.00" == claim["totalClaimChargeAmount"]
        assert [claim] == (await client.get(CLAIMS)).json["items"]
        told = (await client.get(f"{CLAIMS}/{first['claimId']}/timeline")).json["items"]
        ids = [i["professionalClaimSubmission"]["id"] for i in told if "professionalClaimSubmission" in i]
        assert [second["submissionId"], first["submissionId"]] == ids


async def test_a_claim_that_edits_reject_is_kept_and_never_sent(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        form = small_form("PAID-1")
        form["serviceLines"][0]["lineItemChargeAmount"] = "1.00"
        judged = await client.post(f"{SUBMISSIONS}/validate", form)
        told = await submitted(client, form)
        assert judged.json["errors"] == told["errors"]
        claim = (await client.get(f"{CLAIMS}/{told['claimId']}")).json
        assert ("REJECTED", "CLEARINGHOUSE") == (claim["status"], claim["statusReportedBy"])
        (item, _) = (await client.get(f"{CLAIMS}/{told['claimId']}/timeline")).json["items"]
        said = item["claimAcknowledgment"]
        assert ("REJECTED", "CLEARINGHOUSE", "CLAIMWIRE") == (said["status"], said["reportedBy"], said["sourceName"])
        await client.forward(20)
        trace = await client.trace(uuid_of(told["submissionId"]) or "")
        assert [] == trace["interchanges"]


async def test_claims_of_any_road_are_listed_page_by_page(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for number in range(3):
            await client.submit(claim_body(f"PAID-{number}"))
        pages: list[str] = []
        token = ""
        while True:
            page = (await client.get(f"{CLAIMS}?pageSize=1{token}")).json
            pages += [one["patientControlNumber"] for one in page["items"]]
            if "nextPageToken" not in page:
                break
            token = f"&pageToken={page['nextPageToken']}"
        assert ["PAID-2", "PAID-1", "PAID-0"] == pages
        payer = (await client.get("/2024-04-01/payer/SANDBOX")).json
        listed = (await client.get(CLAIMS)).json["items"]
        assert {payer["stediId"]} == {one["stediPayerId"] for one in listed}
        found = await client.get(f"{CLAIMS}?patientControlNumbers=PAID-0&patientControlNumbers=PAID-2&status=SUBMITTED")
        assert ["PAID-2", "PAID-0"] == [one["patientControlNumber"] for one in found.json["items"]]
        for query in ("status=NONE", "pageSize=0", "pageToken=x", "submittedAfter=yesterday"):
            wrong = await client.get(f"{CLAIMS}?{query}")
            assert (400, "InvalidRequestException") == (wrong.status, wrong.headers["x-amzn-errortype"])
            assert [f"/{query.partition('=')[0]}"] == [e["path"] for e in wrong.json["errors"]]


async def test_an_answer_in_words_has_the_values_of_the_271(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.post("/2026-06-01/eligibility-check", check("SANDBOX-BENEFITS-1"))
        assert 200 == answer.status
        (plan,) = answer.json["plans"]
        limits = [b["quantity"] for b in plan["benefits"]["limitations"] if b["service"]["value"] == "33"]
        assert [{"value": "20", "qualifier": "VISITS"}, {"value": "12", "qualifier": "VISITS"}] == limits
        shares = {
            b["service"]["value"]: b["percent"]
            for b in plan["benefits"]["coInsurance"]
            if b["network"] == {"indicator": "IN_NETWORK"}
        }
        assert {"4": "0.2", "5": "0.2", "62": "0.2", "99396": "0"} == shares
        wrong = await client.post(
            "/2026-06-01/eligibility-check", {**check(), "encounter": {"services": [{"system": "X", "value": "1"}]}}
        )
        assert ["/encounter/services/0/system"] == [e["path"] for e in wrong.json["errors"]]

"""The story by itself: from a request over HTTP to the payer over a socket and back, moved on by work and the clock only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests import synthetic
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, in_process, until


def claims_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims of a 277CA in JSON."""
    payers = [p for t in report["transactions"] for p in t["payers"]]
    details = [d for p in payers for t in p["claimStatusTransactions"] for d in t["claimStatusDetails"]]
    return [c for d in details for patient in d["patientClaimStatusDetails"] for c in patient["claims"]]


def kinds(trace: dict[str, Any]) -> list[str]:
    return [e["kind"] for e in trace["events"]]


@pytest.mark.parametrize(
    ("member", "coverage", "errors"),
    [
        ("SANDBOX-ACTIVE", "Active Coverage", []),
        ("SANDBOX-INACTIVE", "Inactive", []),
        ("SANDBOX-NOTFOUND", None, ["75"]),
    ],
)
async def test_an_eligibility_request_is_answered_by_the_payer(
    tmp_path: Path, member: str, coverage: str | None, errors: list[str]
) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body(member))
        assert 200 == answer.status
        told = answer.json
        assert coverage == next((s["status"] for s in told.get("planStatus", [])), None)
        assert errors == [e["code"] for e in told.get("errors", [])]
        trace = await client.trace(answer.headers["X-Transaction-Id"])
        assert ["accepted", "built", "answered"] == kinds(trace)
        assert ["out", "in"] == [i["direction"] for i in trace["interchanges"]]
        asked = trace["interchanges"][0]["segments"]
        assert [f"NM1*IL*1*ABARA*ADA****MI*{member}~"] == [s for s in asked if s.startswith("NM1*IL")]
        assert told["controlNumber"] == trace["interchanges"][1]["controlNumber"]
        own = {"controlNumber": "112233445"}
        again = (await client.post(f"{NETWORK}/eligibility/v3", eligibility_body(member) | own)).json
        assert ("112233445", "112233445") == (again["controlNumber"], again["reassociationKey"])


async def test_a_claim_goes_the_whole_way_and_each_of_its_facts_is_a_transaction(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        paid = await client.submit(claim_body("PAID-1"))
        rejected = await client.submit(claim_body("REJECT-2", "BRANDT"))
        denied = await client.submit(claim_body("DENIED-3", "CASTILLO"))
        await until(client, paid, "received")
        await until(client, denied, "received")
        assert "rejected" == (await until(client, rejected, "rejected"))["state"]
        await client.forward(2)
        assert "paid" == (await until(client, paid, "remitted"))["outcome"]
        assert "denied" == (await until(client, denied, "remitted"))["outcome"]

        trace = await client.trace(paid)
        first, *said, last = kinds(trace)[2:]
        assert ["accepted", "built", "delivered", "remitted"] == [*kinds(trace)[:2], first, last]
        # Two places may read the payer's files at once.
        assert ["acknowledged", "acknowledged", "claimAcknowledged"] == sorted(said)
        # One 837 out; TA1 and 999, 277CA and 835 in.
        assert ["out", "in", "in", "in"] == [i["direction"] for i in trace["interchanges"]]
        assert all(i["controlNumber"] for i in trace["interchanges"])
        report = (await client.get(f"{NETWORK}/reports/v2/{paid}/277")).json
        acknowledged = [c["claimStatus"]["patientAccountNumber"] for c in claims_of(report)]
        assert "PAID-1" in acknowledged
        remittance = (await client.get(f"{NETWORK}/reports/v2/{paid}/835")).json
        payments = [p for t in remittance["transactions"] for d in t["detailInfo"] for p in d["paymentInfo"]]
        mine = [p for p in payments if p["claimPaymentInfo"]["patientControlNumber"] == "PAID-1"]
        assert ["120"] == [p["claimPaymentInfo"]["totalClaimChargeAmount"] for p in mine]
        assert ["1"] == [p["claimPaymentInfo"]["claimStatusCode"] for p in mine]
        await polled_in_order(client, {paid, rejected, denied})


async def test_days_that_pass_right_after_a_submission_pass_after_it_was_sent(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        paid = await client.submit(claim_body("PAID-1"))
        await client.forward(3)
        assert "paid" == (await until(client, paid, "remitted"))["outcome"]
        at = {e["kind"]: e["at"][:10] for e in (await client.trace(paid))["events"]}
        assert at["accepted"] == at["delivered"] < at["remitted"]


async def polled_in_order(client: Client, claims: set[str]) -> None:
    """Every transaction comes once, page by page, claims before their reports before their remittances."""
    seen: list[dict[str, Any]] = []
    token = "0"
    while True:
        page = (await client.get(f"/2023-08-01/polling/transactions?pageToken={token}&pageSize=2")).json
        seen += page["items"]
        token = page["nextPageToken"]
        if not page["items"]:
            break
    assert len(seen) == len({i["transactionId"] for i in seen})
    assert claims == {i["transactionId"] for i in seen} & claims
    sets = [i["x12"]["metadata"]["transaction"]["transactionSetIdentifier"] for i in seen]
    assert "837" == sets[0]
    assert {"837", "277", "835"} == set(sets)
    assert "835" == sets[-1]
    names = (await client.get(f"{NETWORK}/reports/v2")).json["reports"]
    assert {"X3", "R5"} == {n[:2] for n in names}
    raw = await client.get(f"{NETWORK}/reports/v2/{names[0]}")
    assert raw.body.startswith(b"ISA")


async def test_a_silent_claim_is_asked_about_at_day_fourteen_and_not_before(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        silent = await client.submit(claim_body("SILENT-1"))
        await until(client, silent, "acknowledged")
        await client.forward(13)
        await client.get("/readyz")
        assert "followUpAsked" not in kinds(await client.trace(silent))
        await client.forward(1.1)
        await until(client, silent, "pending")
        trace = await client.trace(silent)
        assert 1 == kinds(trace).count("followUpAsked")
        await client.forward(6)
        assert "paid" == (await until(client, silent, "remitted"))["outcome"]


async def test_a_lost_claim_is_found_lost_by_the_follow_up_and_asked_about_again(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        lost = await client.submit(claim_body("LOST-1"))
        await until(client, lost, "acknowledged")
        for times in (1, 2):
            await client.forward(14.1)
            await reported(client, lost, times)
        trace = await client.trace(lost)
        assert 2 == kinds(trace).count("followUpAsked")
        assert ["A4", "A4"] == [e["data"]["category"] for e in trace["events"] if e["kind"] == "statusReported"]
        asked = [s for i in trace["interchanges"] for s in i["segments"] if s.startswith("DTP*472")]
        # First the day of service, then a month before and after.
        assert "DTP*472*D8*20251202~" in asked
        assert "DTP*472*RD8*20251102-20260101~" in asked


async def reported(client: Client, claim: str, times: int) -> None:
    """Wait until the payer has told the claim's status so often."""
    async with asyncio.timeout(30):
        while kinds(await client.trace(claim)).count("statusReported") < times:  # noqa: ASYNC110 - over HTTP there is nothing to wait on
            await asyncio.sleep(0.05)


async def test_raw_claims_become_a_transaction_each_and_leave_acknowledged(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        content = synthetic.claims_837p(5).encode()
        answer = await client.post(f"{NETWORK}/professionalclaims/v3/raw-x12-submission", content)
        assert 200 == answer.status, answer.body
        told = answer.json
        assert 5 == len(told["claimReferences"])
        assert "IK5*A" in told["x12"]
        for reference in told["claimReferences"]:
            await until(client, reference["correlationId"], "received", "rejected")


async def test_a_status_inquiry_is_answered_by_the_payer(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        paid = await client.submit(claim_body("PENDED-1"))
        await until(client, paid, "received")
        number = (await client.trace(paid))["interchanges"][0]["segments"]
        mine = next(s for s in number if s.startswith("REF*D9")).rstrip("~").split("*")[2]
        body = {
            "tradingPartnerServiceId": "SANDBOX",
            "providers": [
                {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667", "providerType": "BillingProvider"}
            ],
            "subscriber": {
                "memberId": "MPENDED-1",
                "firstName": "ADA",
                "lastName": "ABARA",
                "dateOfBirth": "19800229",
                "gender": "F",
            },
            "encounter": {
                "beginningDateOfService": "20251201",
                "endDateOfService": "20251203",
                "submittedAmount": "120",
                "clearingHouseClaimNumber": mine,
            },
        }
        answer = await client.post(f"{NETWORK}/claimstatus/v2", body)
        assert 200 == answer.status, answer.body
        assert ["P2"] == [c["claimStatus"]["statusCategoryCode"] for c in answer.json["claims"]]

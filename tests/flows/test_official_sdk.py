"""The official SDK, unchanged, against `claimwire serve --sandbox`: all of its operations, and values that are right.

It needs Python 3.12 or later (`official_sdk` says where it looks), and says so where there is none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.identities import uuid_of
from gateway.ledger.notices import EVENT_TYPES
from tests.flows.official_sdk import Sdk, no_python, open_sdk
from tests.flows.receiver import Receiver, receiving
from tests.flows.sdk_bodies import check, full_form, small_form
from tests.flows.service import Client, Process, free_port, until

pytestmark = [pytest.mark.one_engine, pytest.mark.skipif(bool(no_python()), reason=no_python())]


class Up(NamedTuple):
    """A service in a process of its own, and the SDK pointed at it."""

    client: Client
    sdk: Sdk
    receiver: Receiver


@pytest.fixture
async def up(tmp_path: Path) -> AsyncGenerator[Up]:
    port, settings = free_port(), tmp_path / "claimwire.toml"
    settings.write_text('webhook_networks = ["127.0.0.0/8"]\n')
    arguments = ["serve", "--sandbox", "--config", str(settings), "--data", str(tmp_path / "data"), "--port", str(port)]
    process, url = Process(arguments, tmp_path / "log"), f"http://127.0.0.1:{port}"
    await process.start()
    client = await process.ready(url, tmp_path / "data")
    try:
        async with receiving() as receiver, open_sdk(url, client.key or "") as sdk:
            yield Up(client, sdk, receiver)
    finally:
        await client.close()
        assert 0 == await process.stop()


async def test_all_operations_of_the_sdk_do_what_they_say(up: Up) -> None:
    there_are = set(await up.sdk.call("operations"))
    assert 16 == len(there_are)
    await _eligibility(up.sdk)
    destination = await _destination(up)
    submission_id = await _claim(up)
    await _events(up, destination, submission_id)
    await _ends(up.sdk, destination)
    assert there_are | {"operations"} == up.sdk.asked


async def _eligibility(sdk: Sdk) -> None:
    answer = await sdk.call("create_eligibility_check", **check("SANDBOX-BENEFITS-1"))
    assert answer["id"].startswith("ec_")
    assert answer["x12"].startswith("ISA*")
    assert ("SANDBOX", "PAYER") == (answer["payer_id"], answer["payer"]["type"])
    assert "SANDBOX HEALTH PLAN" in str(answer["payer"]["name"])
    assert ("SANDBOX-BENEFITS-1", "1980-02-29") == (
        answer["subscriber"]["member_id"],
        answer["subscriber"]["date_of_birth"],
    )
    (plan,) = answer["plans"]
    benefits = plan["benefits"]
    assert "SCRIPTED PPO" == plan["name"]
    assert {"ACTIVE_COVERAGE"} == {status["status"] for status in benefits["statuses"]}
    remaining = [d["amount"] for d in benefits["deductible"] if d.get("time_period") == "REMAINING"]
    assert ["300", "2100"] == remaining
    copay = next(c for c in benefits["co_payment"] if c["service"]["value"] == "98")
    assert ("25", "VISIT", "IN_NETWORK") == (copay["amount"], copay["time_period"], copay["network"]["indicator"])
    other = benefits["other_or_additional_payer"][0]["related_entities"][0]
    assert ("SECONDARY_PAYER", "SBXOTHER") == (other["type"], other["payer_id"])

    refused = await sdk.call("create_eligibility_check", **check("SANDBOX-NOTFOUND"))
    (error,) = refused["errors"]
    assert ("75", "SUBSCRIBER") == (error["code"], error["location"])
    assert error["followup_action"]

    wrong = await sdk.fail("create_eligibility_check", **(check() | {"payerId": "NOBODY"}))
    assert ("InvalidRequestException", ["/payerId"]) == (wrong["error"], [e["path"] for e in wrong["errors"]])


async def _destination(up: Up) -> dict[str, Any]:
    made = await up.sdk.call(
        "create_event_destination",
        name="billing",
        eventTypes=["claim.received", "claim.remitted"],
        destinationUrl=up.receiver.url,
        concurrencyLimit=3,
    )
    assert ("billing", "", "ENABLED", 3) == (
        made["name"],
        made["description"],
        made["status"],
        made["concurrency_limit"],
    )
    assert 32 == len(base64.b64decode(made["signing_secret"].removeprefix("whsec_")))
    wrong = await up.sdk.fail(
        "create_event_destination", name="x", eventTypes=["none"], destinationUrl="https://[::1]/x"
    )
    assert {"/eventTypes/0", "/destinationUrl"} == {e["path"] for e in wrong["errors"]}
    return made


async def _claim(up: Up) -> str:
    sdk = up.sdk
    form = small_form("PAID-SDK1", "142.50")
    assert {} == await sdk.call("validate_professional_claim_submission", **form)
    taken = await sdk.call("create_professional_claim_submission", **form, idempotencyKey="visit-1")
    assert taken == await sdk.call("create_professional_claim_submission", **form, idempotencyKey="visit-1")
    other = await sdk.fail("create_professional_claim_submission", **small_form("OTHER"), idempotencyKey="visit-1")
    assert "InvalidRequestException" == other["error"]
    assert "clm_" == taken["claim_id"][:4]

    kept = await sdk.call("get_professional_claim_submission", id=taken["submission_id"])
    assert (taken["claim_id"], "CWSBX") == (kept["claim_id"], kept["stedi_payer_id"])
    assert "PAID-SDK1" == kept["data"]["billing"]["patient_control_number"]
    assert "1980-02-29" == kept["data"]["insured"]["date_of_birth"]

    fresh = await sdk.call("get_claim", id=taken["claim_id"])
    assert ("SUBMITTED", "CLEARINGHOUSE", "142.50") == (
        fresh["status"],
        fresh["status_reported_by"],
        fresh["total_claim_charge_amount"],
    )
    submission_id = uuid_of(taken["submission_id"]) or ""
    await until(up.client, submission_id, "received")
    assert "ACCEPTED" == (await sdk.call("get_claim", id=taken["claim_id"]))["status"]
    await up.client.forward(5)
    await until(up.client, submission_id, "remitted")
    paid = await sdk.call("get_claim", id=taken["claim_id"])
    assert ("PROCESSED", "PAYER", "PROFESSIONAL") == (paid["status"], paid["status_reported_by"], paid["type"])
    report = (await up.client.get(f"/medicalnetwork/reports/v2/{submission_id}/835")).json
    payment = report["transactions"][0]["detailInfo"][0]["paymentInfo"][0]["claimPaymentInfo"]
    assert float(payment["claimPaymentAmount"]) == float(paid["total_claim_paid_amount"])

    await _timeline(sdk, taken, paid)
    page = await sdk.call("list_claims", status=["PROCESSED"], patientControlNumbers=["PAID-SDK1"])
    assert [paid] == page["items"]
    assert {"items": []} == await sdk.call("list_claims", submittedAfter="2126-01-01T00:00:00Z")
    return taken["submission_id"]


async def _timeline(sdk: Sdk, taken: dict[str, Any], paid: dict[str, Any]) -> None:
    told: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = await sdk.call("get_claim_timeline", id=taken["claim_id"], pageSize=1, **token)
        told += page["items"]
        if "next_page_token" not in page:
            break
        token = {"pageToken": page["next_page_token"]}
    assert (await sdk.call("get_claim_timeline", id=taken["claim_id"]))["items"] == told
    names = [next(iter(item)).removeprefix("ClaimTimelineEvent") for item in told]
    assert ["ClaimPaymentInformation", "ClaimAcknowledgment", "ProfessionalClaimSubmission"] == names
    payment, acknowledgment, submission = (next(iter(item.values())) for item in told)
    assert ("PROCESSED_AS_PRIMARY", paid["total_claim_paid_amount"]) == (
        payment["status_code"],
        payment["claim_payment_amount"],
    )
    assert payment["check_or_eft_trace_number"]
    assert ("ACCEPTED", "PAYER", "SANDBOX HEALTH PLAN") == (
        acknowledgment["status"],
        acknowledgment["reported_by"],
        acknowledgment["source_name"],
    )
    assert (taken["submission_id"], "PAID-SDK1", "142.50") == (
        submission["id"],
        submission["patient_control_number"],
        submission["total_claim_charge_amount"],
    )


async def _events(up: Up, destination: dict[str, Any], submission_id: str) -> None:
    """What the destination got is what the SDK reads, and is signed with the secret it was given."""
    got = await up.receiver.wait_for(2)
    assert ["claim.received", "claim.remitted"] == [msgspec.json.decode(one.body)["type"] for one in got]
    key = base64.b64decode(destination["signing_secret"].removeprefix("whsec_"))
    for one in got:
        name, time = one.headers["webhook-id"], one.headers["webhook-timestamp"]
        expected = hmac.digest(key, f"{name}.{time}.".encode() + one.body, hashlib.sha256)
        assert f"v1,{base64.b64encode(expected).decode()}" == one.headers["webhook-signature"]
        event = await up.sdk.call("get_event_destination_event", eventId=name)
        (payload,) = event["event_payload"].values()
        body = msgspec.json.decode(one.body)
        assert body["resource"] == payload["resource"]
        assert submission_id in [r["id"] for r in payload["related_resources"]]
        assert b"ABARA" not in one.body
    listed = await up.sdk.call("list_event_destination_events", eventType="claim.remitted", status=["DELIVERED"])
    assert [got[1].headers["webhook-id"]] == [event["id"] for event in listed["items"]]
    span = ["gt:2000-01-01T00:00:00Z", "lt:2001-01-01T00:00:00Z"]
    assert {"items": []} == await up.sdk.call("list_event_destination_events", created=span)
    assert {e["event_type"] for e in (await up.sdk.call("list_event_destination_events"))["items"]} <= set(EVENT_TYPES)
    told = await up.sdk.call("get_event_destination", destinationId=destination["id"])
    assert told["last_delivery_time"]


async def _ends(sdk: Sdk, destination: dict[str, Any]) -> None:
    where = {"destinationId": destination["id"]}
    secret = await sdk.call("get_event_destination_secret", **where)
    assert {"signing_secret": destination["signing_secret"]} == secret
    rotated = await sdk.call("rotate_event_destination_secret", **where, previousSecretExpiryHours=1)
    assert secret["signing_secret"] != rotated["signing_secret"]
    assert rotated == await sdk.call("get_event_destination_secret", **where)
    assert "ConflictException" == (await sdk.fail("rotate_event_destination_secret", **where))["error"]
    changed = await sdk.call("update_event_destination", **where, name="other", status="DISABLED")
    assert ("other", "DISABLED", destination["event_types"]) == (
        changed["name"],
        changed["status"],
        changed["event_types"],
    )
    listed = await sdk.call("list_event_destinations", status="DISABLED", eventType="claim.remitted")
    assert [destination["id"]] == [one["id"] for one in listed["items"]]
    assert {} == await sdk.call("delete_event_destination", **where)
    assert {} == await sdk.call("delete_event_destination", **where)
    assert "NotFoundException" == (await sdk.fail("get_event_destination", **where))["error"]
    assert {"items": []} == await sdk.call("list_event_destinations")


async def test_everything_on_the_form_goes_through_the_sdk_and_back(up: Up) -> None:
    form = full_form("PAID-SDK2")
    del form["encounter"]["resubmission"]
    taken = await up.sdk.call("create_professional_claim_submission", **form)
    kept = await up.client.get(f"/2025-03-07/professional-claim-submissions/{taken['submission_id']}")
    back = kept.json["data"]
    # The parties of the envelope are the gateway's affair, and edits have their say in `errors`.
    back["payer"].pop("receiverId")
    back["submitter"]["etin"] = form["submitter"]["etin"]
    assert form == back
    assert "clm_" == (await up.sdk.call("get_claim", id=taken["claim_id"]))["id"][:4]


async def test_every_error_that_the_sdk_knows_is_raised_as_its_type(up: Up) -> None:
    sdk = up.sdk
    nothing = "clm_01K6XFP3TZ8RA9X84963NMW40N"
    assert "NotFoundException" == (await sdk.fail("get_claim", id=nothing))["error"]
    assert "NotFoundException" == (await sdk.fail("get_claim_timeline", id=nothing))["error"]
    assert "NotFoundException" == (await sdk.fail("get_professional_claim_submission", id="sbm_none"))["error"]
    nowhere = "dst_550e8400-e29b-41d4-a716-446655440000"
    for operation in ("get_event_destination", "get_event_destination_secret", "rotate_event_destination_secret"):
        assert "NotFoundException" == (await sdk.fail(operation, destinationId=nowhere))["error"]
    assert "NotFoundException" == (await sdk.fail("delete_event_destination", destinationId=nowhere))["error"]
    async with open_sdk(up.client.url, "cw_wrong") as stranger:
        assert "AuthenticationFailedException" == (await stranger.fail("list_claims"))["error"]
    wrong = await sdk.fail("list_claims", pageSize=501)
    assert ("InvalidRequestException", "/pageSize") == (wrong["error"], wrong["errors"][0]["path"])
    rejected = small_form("PCN1")
    rejected["serviceLines"][0]["lineItemChargeAmount"] = "1.00"
    told = await sdk.call("create_professional_claim_submission", **rejected)
    assert told["errors"]
    assert "REJECTED" == (await sdk.call("get_claim", id=told["claim_id"]))["status"]


def test_the_driver_is_no_part_of_the_product() -> None:
    """The SDK is found by its name in its own process: nothing here imports it."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("stedi")

"""Idempotency-Key: one key and one body are one transaction with one answer, however often and however fast they come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

import gateway.api
from gateway.api.server import OPERATIONS as SERVED
from gateway.config import Config
from gateway.serving import Running
from tests import synthetic
from tests.flows.sdk_bodies import check as official_check
from tests.flows.sdk_bodies import small_form
from tests.flows.service import (
    NETWORK,
    Answer,
    Client,
    claim_body,
    dental_body,
    eligibility_body,
    in_process,
    institutional_body,
    until,
)

CONCURRENT = 50
# Dental claims have a dated prefix of their own.
_DENTAL = "/2024-04-01/dental-claims"


def status_body(number: str) -> dict[str, Any]:
    return {
        "tradingPartnerServiceId": "SANDBOX",
        "providers": [
            {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667", "providerType": "BillingProvider"}
        ],
        "subscriber": {"memberId": "M1", "firstName": "ADA", "lastName": "ABARA", "dateOfBirth": "19800229"},
        "encounter": {
            "beginningDateOfService": "20251202",
            "endDateOfService": "20251202",
            "patientAccountNumber": number,
        },
    }


def question(member: str) -> bytes:
    """A 270 about a member."""
    body = [
        "ST*270*{ST02}*005010X279A1",
        "BHT*0022*13*QUESTION1*20260105*0930",
        *("HL*1**20*1", "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX"),
        *("HL*2*1*21*1", f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{synthetic.npi(100_000_000)}"),
        *(
            "HL*3*2*22*0",
            f"TRN*1*TRACE{member}*9CLAIMWIRE",
            f"NM1*IL*1*ABARA*ADA****MI*{member}",
            "DMG*D8*19800229",
            "EQ*30",
        ),
    ]
    return synthetic.interchange("HS", "005010X279A1", [body]).encode()


def inquiry(number: str) -> bytes:
    """A 276 about a claim."""
    example = (Path(gateway.api.__path__[0]) / "examples" / "276.x12").read_text("ascii")
    return example.replace("PAID-1001", number).replace("TRACE102", f"TRACE{number}").encode()


@dataclass(frozen=True)
class Operation:
    """An operation that takes a key: its path, and a body of its own for each number."""

    path: str
    body: Callable[[int], Any]
    claims: int


OPERATIONS = {
    "eligibility": Operation(f"{NETWORK}/eligibility/v3", lambda n: eligibility_body(f"ACTIVE{n}"), 0),
    "eligibility x12": Operation(f"{NETWORK}/eligibility/v3/raw-x12", lambda n: question(f"ACTIVE{n}"), 0),
    "claim status": Operation(f"{NETWORK}/claimstatus/v2", lambda n: status_body(f"PAID-{n}"), 0),
    "claim status x12": Operation(f"{NETWORK}/claimstatus/v2/raw-x12", lambda n: inquiry(f"PAID-{n}"), 0),
    "claim": Operation(f"{NETWORK}/professionalclaims/v3/submission", lambda n: claim_body(f"PAID-{n}"), 1),
    "claims x12": Operation(
        f"{NETWORK}/professionalclaims/v3/raw-x12-submission", lambda n: synthetic.claims_837p(3, seed=n).encode(), 3
    ),
    "institutional claim": Operation(
        f"{NETWORK}/institutionalclaims/v1/submission", lambda n: institutional_body(f"PAID-{n}"), 1
    ),
    "institutional claims x12": Operation(
        f"{NETWORK}/institutionalclaims/v1/raw-x12-submission",
        lambda n: synthetic.claims_837i(3, seed=n).encode(),
        3,
    ),
    "dental claim": Operation(f"{_DENTAL}/submission", lambda n: dental_body(f"PAID-{n}"), 1),
    "dental claims x12": Operation(
        f"{_DENTAL}/raw-x12-submission", lambda n: synthetic.claims_837d(3, seed=n).encode(), 3
    ),
}
INQUIRIES = ("eligibility", "eligibility x12", "claim status", "claim status x12")


async def kept(client: Client) -> int:
    """How many transactions that callers began the service has; acknowledgements that came meanwhile are none."""
    text = (await client.get("/metrics")).body.decode()
    kinds = r'^claimwire_transactions\{kind="(?:eligibility|claim_status|claim)",.*\} (\S+)$'
    return int(sum(float(v) for v in re.findall(kinds, text, re.MULTILINE)))


async def payer(up: Running, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the sandbox payer itself."""
    assert up.sandbox is not None
    headers = {"Authorization": f"Bearer {up.sandbox.token}"}
    async with aiohttp.ClientSession(up.sandbox.url, headers=headers) as session:
        call = session.get(path) if body is None else session.post(path, json=body)
        async with call as response:
            assert 200 == response.status
            return await response.json()


def same(first: Answer, again: Answer) -> None:
    """A repetition gets the first answer to the byte, and is told that it is one."""
    assert (first.status, first.body) == (again.status, again.body)
    assert "true" == again.headers["Idempotency-Replayed"]
    assert first.headers["X-Transaction-Id"] == again.headers["X-Transaction-Id"]


def refusal(answer: Answer) -> dict[str, str]:
    (error,) = answer.json["errors"]
    assert "ERROR" == answer.json["status"]
    assert "Idempotency-Key" == error["field"]
    return error


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_same_request_gets_the_first_answer_again_and_another_body_is_refused(
    tmp_path: Path, name: str
) -> None:
    operation = OPERATIONS[name]
    body, other = operation.body(1), operation.body(2)
    async with in_process(tmp_path) as (client, up):
        first = await client.post(operation.path, body, Idempotency_Key="key-1")
        assert 200 == first.status, first.body
        assert "Idempotency-Replayed" not in first.headers
        count = await kept(client)
        shorter = operation.path.removeprefix("/2024-04-01").removeprefix("/change")
        for path in (operation.path, f"{operation.path}/", shorter):
            same(first, await client.post(path, body, Idempotency_Key="key-1"))
        answer = await client.post(operation.path, other, Idempotency_Key="key-1")
        assert (422, "422") == (answer.status, refusal(answer)["code"])
        assert count == await kept(client)
        # Another key, another transaction; the same raw file is the one exception, and it says so.
        answer = await client.post(operation.path, body, Idempotency_Key="key-2")
        if name.endswith("claims x12"):
            assert (400, "025") == (answer.status, answer.json["errors"][0]["code"])
        else:
            assert (200, False) == (answer.status, "Idempotency-Replayed" in answer.headers)
            assert first.headers["X-Transaction-Id"] != answer.headers["X-Transaction-Id"]
        if operation.claims:
            await until(client, first.headers["X-Transaction-Id"], "received")
            seen = await payer(up, "/seen")
            number = first.json["claimReference"]["rhclaimNumber"]
            assert 1 == seen["claims"][number]
            assert {1} == set(seen["claims"].values())
    async with in_process(tmp_path) as (client, _):
        # The service forgot nothing while it was down.
        same(first, await client.post(operation.path, body, Idempotency_Key="key-1"))
        answer = await client.post(operation.path, other, Idempotency_Key="key-1")
        assert 422 == answer.status


async def test_a_key_belongs_to_its_operation_and_is_not_spent_by_what_was_refused(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for name, operation in OPERATIONS.items():
            bad = {"tradingPartnerServiceId": "NOBODY"} if "x12" not in name else b"ISA*no"
            answer = await client.post(operation.path, bad, Idempotency_Key="one key")
            assert (name, 400) == (name, answer.status)
        answers = [await client.post(o.path, o.body(1), Idempotency_Key="one key") for o in OPERATIONS.values()]
        assert [200] * len(OPERATIONS) == [a.status for a in answers]
        assert len(OPERATIONS) == len({a.headers["X-Transaction-Id"] for a in answers})
        assert not [a for a in answers if "Idempotency-Replayed" in a.headers]


async def test_while_the_payer_is_asked_a_repetition_is_told_to_wait(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        await payer(up, "/weather", {"next": ["slow"] * len(INQUIRIES)})
        asked = [OPERATIONS[name] for name in INQUIRIES]
        under_way = [asyncio.create_task(client.post(o.path, o.body(1), Idempotency_Key="key")) for o in asked]
        while await kept(client) < len(asked):  # noqa: ASYNC110 - over HTTP there is nothing to wait on
            await asyncio.sleep(0)
        for operation, first_answer in zip(asked, under_way, strict=True):
            early = await client.post(operation.path, operation.body(1), Idempotency_Key="key")
            assert (409, "409") == (early.status, refusal(early)["code"])
            assert int(early.headers["Retry-After"]) >= 1
            other = await client.post(operation.path, operation.body(2), Idempotency_Key="key")
            assert (422, "422") == (other.status, refusal(other)["code"])
            assert not first_answer.done()
        for operation, first_answer in zip(asked, under_way, strict=True):
            first = await first_answer
            assert 200 == first.status, first.body
            same(first, await client.post(operation.path, operation.body(1), Idempotency_Key="key"))
        assert len(asked) == await kept(client)


async def test_a_key_is_free_again_when_the_payer_could_not_be_reached(tmp_path: Path) -> None:
    async with in_process(tmp_path, Config(answer_seconds=0.5)) as (client, up):
        for name in INQUIRIES:
            operation = OPERATIONS[name]
            await payer(up, "/weather", {"next": ["refuse-503"]})
            away = await client.post(operation.path, operation.body(1), Idempotency_Key="key")
            assert (name, 503) == (name, away.status)
            assert 1 <= int(away.headers["Retry-After"])
            # The payer asked to be left alone for a second.
            assert 200 == (await client.post("/v1/lanes/sandbox/resume", {})).status
            again = await client.post(operation.path, operation.body(1), Idempotency_Key="key")
            assert (name, 200) == (name, again.status), again.body
            same(again, await client.post(operation.path, operation.body(1), Idempotency_Key="key"))


@pytest.mark.parametrize("name", OPERATIONS)
async def test_f41_fifty_at_once_with_one_key_are_one_transaction(tmp_path: Path, name: str) -> None:
    operation = OPERATIONS[name]
    body = operation.body(1)
    async with in_process(tmp_path) as (client, up):
        posts = (client.post(operation.path, body, Idempotency_Key="key") for _ in range(CONCURRENT))
        answers = await asyncio.gather(*posts)
        taken = [a for a in answers if "Idempotency-Replayed" not in a.headers and a.status == 200]
        assert 1 == len(taken), sorted(a.status for a in answers)
        for answer in answers:
            if answer.status == 409:
                refusal(answer)
            elif answer is not taken[0]:
                same(taken[0], answer)
        if operation.claims:
            assert [200] * CONCURRENT == [a.status for a in answers]
            await until(client, taken[0].headers["X-Transaction-Id"], "received")
            seen = await payer(up, "/seen")
            assert (operation.claims, {1}) == (len(seen["claims"]), set(seen["claims"].values()))
        assert (operation.claims or 1) == await kept(client)
        same(taken[0], await client.post(operation.path, body, Idempotency_Key="key"))


async def test_without_a_key_each_request_is_one_of_its_own(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        operation = OPERATIONS["eligibility"]
        answers = [await client.post(operation.path, operation.body(1)) for _ in range(2)]
        assert [200, 200] == [a.status for a in answers]
        assert 2 == len({a.headers["X-Transaction-Id"] for a in answers})


# What persons decide is tried, with its key, where there is something to decide.
ELSEWHERE = {
    "decideInDoubt",
    "handleUnmatched",
    "stopFollowUp",
    "resumeFollowUp",
    "finishWorklistItem",
    "acknowledgeAlarm",
    "moveClock",
}
DESTINATIONS, FORMS = "/2026-02-01/destinations", "/2025-03-07/professional-claim-submissions"
HOOK = {"name": "B", "eventTypes": ["claim.remitted"], "destinationUrl": "https://billing.example.com/hook"}


@dataclass(frozen=True)
class Write:
    """A write beside those above: what is sent, and what the same key is refused with, where that can be."""

    method: str
    path: str
    body: Any = None
    other: Any = None


async def _writes(client: Client, name: str) -> dict[str, Write]:
    """Every further operation that takes a key, with things that are there for it. `name` is of a report."""
    made = [(await client.post(DESTINATIONS, HOOK)).json["id"] for _ in range(2)]
    check = {**eligibility_body("SANDBOX-ACTIVE-1"), "submitterTransactionIdentifier": "V1"}
    batches = "/2024-04-01/eligibility-manager/batch-eligibility"
    batch = (await client.post(batches, {"items": [check]})).json["batchId"]
    hook = f"{DESTINATIONS}/{made[0]}"
    lane = "/v1/lanes/sandbox"
    return {
        "createEligibilityCheck": Write(
            "POST", "/2026-06-01/eligibility-check", official_check(), official_check("M2")
        ),
        "createProfessionalClaimSubmission": Write("POST", FORMS, small_form("PAID-71"), small_form("PAID-72")),
        "checkEligibilityBatch": Write("POST", batches, {"items": [check]}, {"name": "X", "items": [check]}),
        "cancelBatch": Write("POST", f"/v1/eligibility-batches/{batch}/cancel"),
        "removeReport": Write("DELETE", f"{NETWORK}/reports/v2/{name}"),
        "createEventDestination": Write("POST", DESTINATIONS, HOOK, {**HOOK, "name": "C"}),
        "updateEventDestination": Write("POST", hook, {"name": "D"}, {"name": "E"}),
        "rotateEventDestinationSecret": Write(
            "POST", f"{hook}/secret/rotate", {"previousSecretExpiryHours": 0}, {"previousSecretExpiryHours": 1}
        ),
        "deleteEventDestination": Write("DELETE", f"{DESTINATIONS}/{made[1]}"),
        "pauseLane": Write("POST", f"{lane}/pause", {"minutes": 1}, {"minutes": 2}),
        "resumeLane": Write("POST", f"{lane}/resume"),
    }


async def test_every_other_write_has_one_answer_for_a_key(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(claim_body("PAID-70"))
        await until(client, claim, "received")
        (name,) = (await client.get(f"{NETWORK}/reports/v2")).json["reports"]
        writes = await _writes(client, name)
        paths = {o.path for o in OPERATIONS.values()}
        further = {o.id for o in SERVED if o.writes and not paths & set(o.paths)}
        assert set(writes) | ELSEWHERE - {"moveClock"} == further
        first = {one: await _written(client, write, write.body) for one, write in writes.items()}
        assert {200, 201, 204} == {a.status for a in first.values()}
    async with in_process(tmp_path) as (client, _):
        for one, write in writes.items():
            again = await _written(client, write, write.body)
            assert (one, first[one].status, first[one].body) == (one, again.status, again.body)
            if write.other is not None:
                assert (one, 422) == (one, (await _written(client, write, write.other)).status)
        other = await client.call("DELETE", f"{NETWORK}/reports/v2/{claim}", Idempotency_Key="key")
        assert 422 == other.status


async def _written(client: Client, write: Write, body: Any) -> Answer:
    content = b"" if body is None else msgspec.json.encode(body)
    kind = {} if body is None else {"Content_Type": "application/json"}
    return await client.call(write.method, write.path, content, Idempotency_Key="key", **kind)

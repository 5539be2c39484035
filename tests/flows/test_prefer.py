"""Prefer (RFC 7240): callers that would rather be answered later, or wait no longer than so; the work goes on, also over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.preferences import Patience, patience_of
from gateway.replies import Reply
from gateway.serving import Running
from tests.flows.service import NETWORK, Client, Process, eligibility_body, free_port, in_process, until, until_true

ELIGIBILITY = f"{NETWORK}/eligibility/v3"
STATUS = f"{NETWORK}/claimstatus/v2"


def status_body() -> dict[str, Any]:
    provider = {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667", "providerType": "BillingProvider"}
    return {
        "tradingPartnerServiceId": "SANDBOX",
        "providers": [provider],
        "subscriber": {"memberId": "M1", "firstName": "ADA", "lastName": "ABARA", "dateOfBirth": "19800229"},
        "encounter": {"beginningDateOfService": "20251202", "endDateOfService": "20251202"},
    }


async def weather(up: Running, *faults: str) -> None:
    assert up.sandbox is not None
    head = {"Authorization": f"Bearer {up.sandbox.token}"}
    async with (
        aiohttp.ClientSession(up.sandbox.url) as session,
        session.post("/weather", json={"next": list(faults)}, headers=head) as response,
    ):
        assert 200 == response.status


@pytest.mark.parametrize(("path", "body"), [(ELIGIBILITY, eligibility_body()), (STATUS, status_body())])
async def test_who_would_rather_be_answered_later_gets_202_and_then_the_answer(
    tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    async with in_process(tmp_path) as (client, up):
        await weather(up, "slow")
        later = await client.post(path, body, Prefer="respond-async", Idempotency_Key="later")
        assert (202, "respond-async") == (later.status, later.headers["Preference-Applied"])
        transaction_id = later.json["transactionId"]
        assert f"/v1/transactions/{transaction_id}" == later.headers["Location"]
        assert 404 == (await client.get(f"/v1/transactions/{transaction_id}/answer")).status
        await until(client, transaction_id, "answered")
        answer = await client.get(f"/v1/transactions/{transaction_id}/answer")
        again = await client.post(path, body, Idempotency_Key="later")
        assert (200, answer.body) == (again.status, again.body)


async def test_a_caller_waits_no_longer_than_it_says(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        await weather(up, "slow", "slow")
        short = await client.post(ELIGIBILITY, eligibility_body("SANDBOX-ACTIVE-1"), Prefer="wait=0")
        assert (202, "wait=0") == (short.status, short.headers["Preference-Applied"])
        long = await client.post(ELIGIBILITY, eligibility_body("SANDBOX-ACTIVE-2"), Prefer="respond-async, wait=15")
        assert (200, "wait=15") == (long.status, long.headers["Preference-Applied"])
        await until(client, short.json["transactionId"], "answered")


async def test_a_payer_that_cannot_be_reached_is_asked_later_for_who_does_not_wait(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        runtime = up.runtime
        route = runtime.directory.routes["sandbox"]
        url = route.settings["url"]
        route.settings["url"] = f"http://127.0.0.1:{free_port()}"
        at_once = await client.post(ELIGIBILITY, eligibility_body(), Prefer="respond-async")
        assert 202 == at_once.status
        transaction_id = at_once.json["transactionId"]

        async def to_be_sent_later() -> bool:
            return "intent" in [i["state"] for i in (await client.trace(transaction_id))["interchanges"]]

        await until_true(to_be_sent_later)
        route.settings["url"] = url
        await client.forward(10 / 1440)
        await until(client, transaction_id, "answered")


async def test_what_nobody_answers_for_a_day_is_asked_no_more_and_its_key_is_free(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        await weather(up, *["fail-500"] * 200)
        later = await client.post(ELIGIBILITY, eligibility_body(), Prefer="respond-async", Idempotency_Key="k")
        transaction_id = later.json["transactionId"]
        await until(client, transaction_id, "in_doubt")
        assert 409 == (await client.post(ELIGIBILITY, eligibility_body(), Idempotency_Key="k")).status
        await client.forward(1.01)

        async def is_given_up() -> bool:
            return "givenUp" in [e["kind"] for e in (await client.trace(transaction_id))["events"]]

        await until_true(is_given_up)
        assert "in_doubt" == (await client.transaction(transaction_id))["state"]
        await weather(up)
        assert 200 == (await client.post(ELIGIBILITY, eligibility_body(), Idempotency_Key="k")).status


@pytest.mark.one_engine
async def test_what_was_promised_for_later_is_answered_after_kill_9(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], tmp_path / "log")
    await process.start()
    client: Client = await process.ready(f"http://127.0.0.1:{port}", data)
    later = await client.post(ELIGIBILITY, eligibility_body(), Prefer="respond-async")
    await process.kill()
    await client.close()
    assert 202 == later.status
    await process.start()
    client = await process.ready(f"http://127.0.0.1:{port}", data)
    try:
        await client.forward(5 / 1440)
        await until(client, later.json["transactionId"], "answered")
    finally:
        await client.close()
        await process.stop()


def test_preferences_are_read_as_the_rfc_writes_them() -> None:
    assert Patience(True, 10) == patience_of(['Respond-Async , wait="10"', "handling=lenient"])
    assert Patience() == patience_of(["return=minimal", "wait=soon", ""])
    assert Patience(False, 3) == patience_of(["wait=3, wait=9; x=1"])
    assert (0.0, 5.0, 20.0, 20.0) == (
        Patience(True).waits(20),
        Patience(True, 5).waits(20),
        Patience(False, 100).waits(20),
        Patience().waits(20),
    )
    assert {} == Patience(True).applied(Reply(200, b"")).headers

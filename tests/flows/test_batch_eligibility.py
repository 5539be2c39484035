"""Batches of eligibility checks over real sockets: taken whole or not at all, asked once each, told as they come."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.protocol import Adapter, Context, Evidence, Inbound, InDoubt, Outbound, Outcome, Replied
from gateway.ledger import checks, idempotency, inbound, payloads
from gateway.payers import Directory
from gateway.retry_rules import RetryRule
from gateway.runtime import TENANT
from gateway.serving import Running
from gateway.steps.check_feed import ROUTE_CHECKS_MAX
from queues import work
from queues.database import Transaction
from tests.flows.service import Answer, Client, Process, eligibility_body, free_port, in_process, until, until_true

MANAGED = "/2024-04-01/eligibility-manager"
PATIENCE_SECONDS = 60.0


def check(number: int, member: str = "SANDBOX-ACTIVE", **changed: Any) -> dict[str, Any]:
    """One check of a batch, about a member of the sandbox payer."""
    return {"submitterTransactionIdentifier": f"VISIT-{number}", **eligibility_body(f"{member}-{number}"), **changed}


async def submit(client: Client, items: list[dict[str, Any]], **settings: Any) -> Answer:
    headers = settings.pop("headers", {})
    return await client.post(f"{MANAGED}/batch-eligibility", {"items": items, **settings}, **headers)


async def taken(client: Client, items: list[dict[str, Any]], **settings: Any) -> str:
    """Submit a batch that must be taken; its id."""
    answer = await submit(client, items, **settings)
    assert 200 == answer.status, answer.body
    return answer.json["batchId"]


async def status(client: Client, batch_id: str) -> dict[str, Any]:
    answer = await client.get(f"{MANAGED}/batch/{batch_id}")
    assert 200 == answer.status, answer.body
    return answer.json


async def done(client: Client, batch_id: str) -> dict[str, Any]:
    """Wait until a batch has come to its end."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = await status(client, batch_id)
        if found["status"].startswith("COMPLETED"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def polled(client: Client, query: str = "", size: int = 7) -> list[dict[str, Any]]:
    """Every result, page by page."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = (await client.get(f"{MANAGED}/polling/batch-eligibility?pageSize={size}{query}{token}")).json
        found += page["items"]
        if "nextPageToken" not in page:
            return found
        token = f"&pageToken={page['nextPageToken']}"


async def items(client: Client, batch_id: str, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{MANAGED}/batch/{batch_id}/items?pageSize=1000{query}")
    assert 200 == answer.status, answer.body
    return answer.json["items"]


async def test_every_check_of_a_batch_is_answered_once_and_told_with_its_identifier(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        members = ["SANDBOX-ACTIVE", "SANDBOX-INACTIVE", "SANDBOX-NOTFOUND", "SANDBOX-ACTIVE"]
        batch_id = await taken(client, [check(n, members[n % 4]) for n in range(40)], name="monthly-1")
        found = await done(client, batch_id)
        assert ("COMPLETED", 40, 40, 0) == (
            found["status"],
            found["totalCount"],
            found["successCount"],
            found["errorCount"],
        )
        results = await polled(client, f"&batchId={batch_id}")
        assert [f"VISIT-{n}" for n in range(40)] == sorted(
            (r["submitterTransactionIdentifier"] for r in results), key=lambda i: int(i[6:])
        )
        assert {batch_id} == {r["batchId"] for r in results}
        by_visit = {r["submitterTransactionIdentifier"]: r for r in results}
        assert "75" == by_visit["VISIT-2"]["errors"][0]["code"]
        assert "1" == by_visit["VISIT-0"]["planStatus"][0]["statusCode"]
        told = await items(client, batch_id)
        assert list(range(40)) == [i["index"] for i in told]
        results_by_index = [i["additionalInfo"]["eligibility"]["eligibilityCheckResult"] for i in told[:4]]
        assert ["ACTIVE", "INACTIVE", "FAILED", "ACTIVE"] == results_by_index
        failed = await items(client, batch_id, "&eligibilityCheckResult=FAILED&state=COMPLETED")
        assert [n for n in range(40) if n % 4 == 2] == [i["index"] for i in failed]
        assert "75" == failed[0]["additionalInfo"]["eligibility"]["aaaErrors"][0]["code"]
        story = await client.trace(told[0]["additionalInfo"]["eligibility"]["id"])
        assert ["accepted", "built", "answered"] == [e["kind"] for e in story["events"]]
        assert batch_id == story["transaction"]["parentId"]
        assert up.sandbox is not None


async def test_a_wrong_check_refuses_the_batch_and_every_fault_is_told_by_its_index(tmp_path: Path) -> None:
    wrong = check(2)
    wrong["subscriber"] = {"memberId": "X" * 200, "dateOfBirth": 19800229, "firstName": ["ADA"]}
    unnamed, twice = check(3), check(0)
    del unnamed["submitterTransactionIdentifier"]
    bad_date = check(5)
    bad_date["subscriber"]["dateOfBirth"] = "19800230"
    batch = [check(0), check(1), wrong, unnamed, twice, bad_date]
    async with in_process(tmp_path) as (client, up):
        refused = await submit(client, batch)
        assert 400 == refused.status
        fields = [e["field"] for e in refused.json["errors"]]
        assert "items[2].subscriber.firstName" in fields
        assert "items[3].submitterTransactionIdentifier" in fields
        assert "items[4].submitterTransactionIdentifier" in fields
        assert "items[5].subscriber.dateOfBirth" in fields
        assert {2, 3, 4, 5} == {int(f[6]) for f in fields}
        assert [] == (await client.get("/v1/eligibility-batches")).json["items"]
        # The same with leave to go on: the good ones are asked, and the others' results say why they were not.
        went_on = await submit(client, batch, headers={"Prefer": "handling=lenient"})
        assert (200, "handling=lenient") == (went_on.status, went_on.headers["Preference-Applied"])
        assert 4 == went_on.json["validationFailedCount"]
        assert set(fields) == {e["field"] for e in went_on.json["errors"]}
        found = await done(client, went_on.json["batchId"])
        assert ("COMPLETED_WITH_ERRORS", 2, 4) == (
            found["status"],
            found["successCount"],
            found["validationFailedCount"],
        )
        told = await items(client, went_on.json["batchId"], "&state=VALIDATION_FAILED")
        assert [2, 3, 4, 5] == [i["index"] for i in told]
        assert told[3]["additionalInfo"]["eligibility"]["errors"][0]["field"] == "items[5].subscriber.dateOfBirth"
        assert 6 == len(await polled(client))
        assert up.sandbox is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"items": 7}', None),
        (b"{}", "items"),
        (b'{"items": []}', "items"),
        (b'{"items": [7]}', "items[0]"),
        (b'{"items": [null]}', "items[0]"),
        (b'{"items": [{"submitterTransactionIdentifier": "1"}], "name": "a b"}', "name"),
        (b'{"items": [{"submitterTransactionIdentifier": "1"}], "maxRetryHours": 7}', "maxRetryHours"),
        (b'{"items": [{"submitterTransactionIdentifier": "1"}], "maxRetryHours": "x"}', "maxRetryHours"),
        (b'{"items": [{"submitterTransactionIdentifier": "1"}], "maxRetryHours": 1e400}', "maxRetryHours"),
        (b'{"items": [{"submitterTransactionIdentifier": "1"}], "items": [{}]}', "items"),
        (b'{"name": "a", "items": [{"submitterTransactionIdentifier": "1"}], "nam\\u0065": "b"}', "name"),
        (b'{"items": [' + b",".join([b"{}"] * 10_001) + b"]}", "items"),
    ],
)
async def test_a_batch_that_is_none_is_refused_and_the_field_is_named(
    tmp_path: Path, body: bytes, field: str | None
) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.call("POST", f"{MANAGED}/batch-eligibility", body, Content_Type="application/json")
        assert 400 == answer.status, answer.body
        assert field is None or field in [e.get("field") for e in answer.json["errors"]]


async def test_a_payer_that_is_not_configured_fails_its_checks_alone(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        batch_id = await taken(client, [check(0), check(1, tradingPartnerServiceId="NOBODY"), check(2)])
        found = await done(client, batch_id)
        assert ("COMPLETED_WITH_ERRORS", 2, 1) == (found["status"], found["successCount"], found["errorCount"])
        results = {r["submitterTransactionIdentifier"]: r for r in await polled(client)}
        assert ("ERROR", "79") == (results["VISIT-1"]["status"], results["VISIT-1"]["errors"][0]["code"])
        assert ["test", None, "test"] == [results[f"VISIT-{n}"]["meta"].get("applicationMode") for n in range(3)]


@pytest.mark.parametrize("payer_id", [None, "", " ", "X" * 81, "SAND\x00BOX", "SANDBOX~", "SANDB\u00d6X"])
async def test_a_check_that_names_what_can_be_no_payer_is_wrong_as_any_other(
    tmp_path: Path, payer_id: str | None
) -> None:
    async with in_process(tmp_path) as (client, _):
        batch = [check(0), check(1, tradingPartnerServiceId=payer_id)]
        refused = await submit(client, batch)
        assert (400, ["items[1].tradingPartnerServiceId"]) == (
            refused.status,
            [e["field"] for e in refused.json["errors"]],
        )
        assert not payer_id or payer_id.strip() == "" or payer_id.encode() not in refused.body
        lenient = await submit(client, batch, headers={"Prefer": "handling=lenient"})
        assert (200, 1) == (lenient.status, lenient.json["validationFailedCount"])
        # One that some payer could have fails its check alone.
        assert 200 == (await submit(client, [check(0, tradingPartnerServiceId="X" * 80)])).status


async def test_a_key_and_a_body_are_one_batch_and_names_are_given_once(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        batch = [check(n) for n in range(5)]
        key = {"Idempotency-Key": "batch-1"}
        answers = await asyncio.gather(*(submit(client, batch, name="one", headers=key) for _ in range(20)))
        assert {200, 409} >= {a.status for a in answers}
        replayed = await submit(client, batch, name="one", headers=key)
        assert (200, "true") == (replayed.status, replayed.headers["Idempotency-Replayed"])
        assert 1 == len({a.json["batchId"] for a in (*answers, replayed) if a.status == 200})
        assert 422 == (await submit(client, batch[:4], name="one", headers=key)).status
        other = await submit(client, batch, name="one")
        assert (409, "name") == (other.status, other.json["errors"][0]["field"])
        listed = (await client.get("/v1/eligibility-batches")).json["items"]
        assert ["one"] == [b["name"] for b in listed]
        await done(client, listed[0]["id"])
        assert 5 == len(await polled(client))


async def test_polling_goes_on_where_it_ended_and_from_a_time_on(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        first = await taken(client, [check(n) for n in range(3)])
        await done(client, first)
        page = (await client.get(f"{MANAGED}/polling/batch-eligibility?pageSize=200")).json
        between = up.runtime.world.now().isoformat().replace("+00:00", "Z")
        second = await taken(client, [check(n) for n in range(4)])
        await done(client, second)
        further = (await client.get(f"{MANAGED}/polling/batch-eligibility?pageToken={page['nextPageToken']}")).json
        assert ({second}, 4) == ({r["batchId"] for r in further["items"]}, len(further["items"]))
        assert {second} == {r["batchId"] for r in await polled(client, f"&startDateTime={between}")}
        assert 3 == len(await polled(client, f"&batchId={first}"))
        for query in ("pageSize=0", "pageSize=201", "pageToken=x", "startDateTime=yesterday"):
            answer = await client.get(f"{MANAGED}/polling/batch-eligibility?{query}")
            assert (400, query.partition("=")[0]) == (answer.status, answer.json["errors"][0]["field"])
        for query in ("state=DONE", "eligibilityCheckResult=YES", "pageSize=1001"):
            answer = await client.get(f"{MANAGED}/batch/{first}/items?{query}")
            assert (400, query.partition("=")[0]) == (answer.status, answer.json["errors"][0]["field"])
        for path in (f"{MANAGED}/batch/nobody", f"{MANAGED}/batch/nobody/items"):
            assert 404 == (await client.get(path)).status


class Moody:
    """The sandbox's adapter, which lets the payer be down for the first questions about each member."""

    def __init__(self, inner: Adapter, down: int) -> None:
        self.inner = inner
        self.name = inner.name
        self.manifest = inner.manifest
        self.capabilities = inner.capabilities
        self.down = down
        self.asked: dict[str, list[bytes]] = {}

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        asked = self.asked.setdefault(outbound.idempotency_key, [])
        asked.append(outbound.payload)
        if len(asked) <= self.down:
            # The payer holds a key to its bytes.
            key, payload = (
                f"{outbound.idempotency_key}-down",
                outbound.payload.replace(b"SANDBOX-ACTIVE", b"SANDBOX-DOWN"),
            )
            outbound = msgspec.structs.replace(outbound, idempotency_key=key, payload=payload)
        return await self.inner.send(outbound, context)

    def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        return self.inner.collect(context)

    async def settle(self, inbound: Inbound, context: Context) -> None:
        await self.inner.settle(inbound, context)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return await self.inner.probe(outbound, context)


def moody(up: Running, down: int) -> Moody:
    route = up.runtime.directory.routes["sandbox"]
    made = Moody(up.runtime.adapter(route), down)
    up.runtime.use("sandbox", made)
    return made


async def settled(client: Client, batch_id: str) -> list[dict[str, Any]]:
    """The checks, once none of them is on its way or due."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        now = (await client.post("/v1/sandbox/clock", {"seconds": 0})).json["now"]
        found = await items(client, batch_id)
        if all(i["state"] in _ENDED or (i["state"] == "RETRYING" and _next_at(i) > now) for i in found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("checks do not settle")


_ENDED = ("COMPLETED", "COMPLETED_WITH_ERRORS", "VALIDATION_FAILED")


def _next_at(item: dict[str, Any]) -> str:
    return item["additionalInfo"]["eligibility"]["retry"].get("nextAt", "")


async def test_a_payer_that_is_down_is_asked_again_with_the_same_bytes_until_it_answers(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=2)
        batch_id = await taken(client, [check(n) for n in range(6)])
        told = await settled(client, batch_id)
        assert {"RETRYING"} == {i["state"] for i in told}
        retry = told[0]["additionalInfo"]["eligibility"]["retry"]
        assert (1, "AAA 42 R") == (retry["askedCount"], retry["reason"])
        assert retry["nextAt"] < retry["until"]
        # Not before its time.
        await client.forward(1 / 1440)
        assert {1} == {len(asked) for asked in payer.asked.values()}
        await client.forward(8 / 1440)
        assert {"RETRYING"} == {i["state"] for i in await settled(client, batch_id)}
        await client.forward(20 / 1440)
        found = await done(client, batch_id)
        assert ("COMPLETED", 6) == (found["status"], found["successCount"])
        assert {3} == {len(asked) for asked in payer.asked.values()}
        assert {1} == {len(set(asked)) for asked in payer.asked.values()}
        results = await polled(client)
        assert (6, {"1"}) == (len(results), {r["planStatus"][0]["statusCode"] for r in results})
        story = await client.trace(told[0]["additionalInfo"]["eligibility"]["id"])
        kinds = [e["kind"] for e in story["events"]]
        assert ["accepted", "built", "willAskAgain", "willAskAgain", "answered"] == kinds
        said = story["events"][2]["data"]
        assert ("AAA 42 R", ["42"], 1) == (said["reason"], said["codes"], said["asked"])
        assert (1, 3) == (len([i for i in story["interchanges"] if i["direction"] == "out"]),
                          story["interchanges"][0]["attempts"])  # fmt: skip


async def test_the_window_ends_with_the_payers_last_word(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=99)
        batch_id = await taken(client, [check(0)], maxRetryHours=8)
        for _ in range(40):
            await settled(client, batch_id)
            if (await status(client, batch_id))["status"].startswith("COMPLETED"):
                break
            await client.forward(20 / 1440)
        found = await done(client, batch_id)
        assert 1 == found["successCount"]
        (result,) = await polled(client)
        assert "42" == result["errors"][0]["code"]
        # 5, 10, 20, 40 and then 60 minutes apart, for eight hours.
        assert 9 <= len(next(iter(payer.asked.values()))) <= 13


async def test_what_must_be_corrected_is_not_asked_again(tmp_path: Path) -> None:
    members = ("SANDBOX-NOTFOUND", "SANDBOX-BADPROVIDER", "SANDBOX-WRONGDOB")
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=0)
        batch_id = await taken(client, [check(n, m) for n, m in enumerate(members)])
        found = await done(client, batch_id)
        assert 3 == found["successCount"]
        assert [1, 1, 1] == [len(asked) for asked in payer.asked.values()]
        codes = {r["errors"][0]["code"] for r in await polled(client)}
        assert {"75", "51", "71"} == codes


async def test_a_payer_says_by_itself_what_is_asked_again_and_both_are_told(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=99)
        directory = up.runtime.directory
        own = [RetryRule(codes=["42"], hours=0), RetryRule(codes=["75"], first_minutes=3, longest_minutes=3, hours=1)]
        sandbox = msgspec.structs.replace(directory.payers["SANDBOX"], eligibility_retries=own)
        up.runtime.directory = Directory([sandbox], directory.routes.values())
        batch_id = await taken(client, [check(0), check(1, "SANDBOX-NOTFOUND")])
        told = await settled(client, batch_id)
        assert ["COMPLETED", "RETRYING"] == [i["state"] for i in told]
        assert 2 == len(payer.asked)
        rules = {r["code"]: r for r in (await client.get("/v1/eligibility-retry-rules?payerId=CWSBX")).json["rules"]}
        assert (False, "payer") == (rules["42"]["askedAgain"], rules["42"]["source"])
        assert (True, 3, 1) == (rules["75"]["askedAgain"], rules["75"]["firstAfterMinutes"], rules["75"]["untilHours"])
        assert (True, "default") == (rules["80"]["askedAgain"], rules["80"]["source"])
        common = {r["code"]: r for r in (await client.get("/v1/eligibility-retry-rules")).json["rules"]}
        assert {"42", "79", "80"} == {c for c, r in common.items() if r["askedAgain"]}
        assert ["P"] == common["72"]["onlyIfFollowupAction"]
        assert 404 == (await client.get("/v1/eligibility-retry-rules?payerId=NOBODY")).status


async def test_a_cancelled_batch_asks_no_more_and_tells_what_became_of_it(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=99)
        batch_id = await taken(client, [check(n) for n in range(5)])
        await settled(client, batch_id)
        ended = await client.call("POST", f"/v1/eligibility-batches/{batch_id}/cancel")
        assert (200, 5, 0) == (ended.status, ended.json["cancelledCount"], ended.json["inProgressCount"])
        assert ended.json["cancelled"]
        await client.forward(1)
        found = await done(client, batch_id)
        assert ("COMPLETED_WITH_ERRORS", 5, True) == (found["status"], found["cancelledCount"], found["cancelled"])
        assert {1} == {len(asked) for asked in payer.asked.values()}
        results = await polled(client)
        assert (5, {"80"}) == (len(results), {r["errors"][0]["code"] for r in results})
        # The route is for tests, and a result that nobody was asked for is no other.
        assert {"test"} == {r["meta"]["applicationMode"] for r in results}
        again = await client.call("POST", f"/v1/eligibility-batches/{batch_id}/cancel")
        assert 5 == again.json["cancelledCount"]
        assert 404 == (await client.call("POST", "/v1/eligibility-batches/nobody/cancel")).status


async def test_a_batch_that_has_ended_is_not_cancelled_any_more(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        finished = await taken(client, [check(1)])
        before = await done(client, finished)
        nobody = await taken(client, [{**check(2), "tradingPartnerServiceId": "NOBODY"}])
        for batch_id, status in ((finished, "COMPLETED"), (nobody, "COMPLETED_WITH_ERRORS")):
            ended = await client.call("POST", f"/v1/eligibility-batches/{batch_id}/cancel")
            assert (200, False, 0, 0) == (
                ended.status,
                ended.json["cancelled"],
                ended.json["cancelledCount"],
                ended.json["inProgressCount"],
            )
            found = await done(client, batch_id)
            assert (status, 0, False) == (found["status"], found["cancelledCount"], "cancelled" in found)
        assert before == await done(client, finished)


async def test_a_check_that_was_on_its_way_when_its_batch_was_cancelled_is_asked_no_more(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer, asked, go = moody(up, down=0), asyncio.Event(), asyncio.Event()
        sent: list[Outbound] = []

        async def lose(outbound: Outbound, context: Context) -> Outcome:
            sent.append(outbound)
            asked.set()
            await go.wait()
            return InDoubt("the line was cut")

        vars(payer)["send"] = lose
        batch_id = await taken(client, [check(0)])
        await asked.wait()
        ended = await client.call("POST", f"/v1/eligibility-batches/{batch_id}/cancel")
        assert (0, 1) == (ended.json["cancelledCount"], ended.json["inProgressCount"])
        go.set()
        found = await done(client, batch_id)
        assert ("COMPLETED_WITH_ERRORS", 1) == (found["status"], found["cancelledCount"])
        await client.forward(1)
        assert 1 == len(sent)


async def test_checks_that_are_to_be_asked_again_hold_up_no_other(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        later = [check(n, "SANDBOX-DOWN") for n in range(ROUTE_CHECKS_MAX)]
        batch_id = await taken(client, [*later, *(check(100 + n) for n in range(ROUTE_CHECKS_MAX))])
        # Nobody moves the clock.
        told = await settled(client, batch_id)
        assert ["RETRYING"] * ROUTE_CHECKS_MAX + ["COMPLETED"] * ROUTE_CHECKS_MAX == [i["state"] for i in told]


async def test_lost_answers_and_shut_doors_lose_no_check_and_double_no_question(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=0)
        assert up.sandbox is not None
        weather = ["refuse-503", "cut", "drop", "html", "fail-500", "refuse-429", *["ok"] * 6]
        async with aiohttp.ClientSession(up.sandbox.url) as session:
            head = {"Authorization": f"Bearer {up.sandbox.token}"}
            async with session.post("/weather", json={"next": weather}, headers=head) as response:
                assert 200 == response.status
        batch_id = await taken(client, [check(n) for n in range(12)])
        told = await settled(client, batch_id)
        assert 6 == sum(i["state"] == "RETRYING" for i in told)
        assert {0, 1} == {
            i["additionalInfo"]["eligibility"]["retry"]["askedCount"] for i in told if i["state"] == "RETRYING"
        }
        await client.forward(10 / 1440)
        found = await done(client, batch_id)
        assert ("COMPLETED", 12) == (found["status"], found["successCount"])
        assert [1] * 6 + [2] * 6 == sorted(len(asked) for asked in payer.asked.values())
        assert {1} == {len(set(asked)) for asked in payer.asked.values()}


async def test_an_answer_that_comes_after_all_was_given_up_is_the_result(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        payer = moody(up, down=0)
        held: list[bytes] = []

        async def swallow(outbound: Outbound, context: Context) -> Outcome:
            reply = await payer.inner.send(outbound, context)
            assert isinstance(reply, Replied)
            held.append(reply.payload)
            return InDoubt("the line was cut")

        vars(payer)["send"] = swallow
        batch_id = await taken(client, [check(0)])
        for _ in range(60):
            if (await status(client, batch_id))["status"].startswith("COMPLETED"):
                break
            await settled(client, batch_id)
            await client.forward(15 / 1440)
        found = await done(client, batch_id)
        assert (0, 1) == (found["successCount"], found["errorCount"])
        (told,) = await items(client, batch_id)
        assert ("COMPLETED_WITH_ERRORS", "42") == (
            told["state"],
            told["additionalInfo"]["eligibility"]["errors"][0]["code"],
        )
        check_id = told["additionalInfo"]["eligibility"]["id"]
        assert "in_doubt" == (await client.transaction(check_id))["state"]
        runtime, now = up.runtime, up.runtime.world.micros()

        async def arrive(tx: Transaction) -> None:
            file, _ = await inbound.store(
                tx, runtime.vault, TENANT, "sandbox", runtime.world.new_id(), held[0], now, ""
            )
            await work.enqueue(tx, TENANT, file.inbound_id, "apply", file.inbound_id, now)

        await runtime.database.write(arrive)
        runtime.wake.set()
        await until(client, check_id, "answered")
        results = await polled(client)
        assert "1" == results[-1]["planStatus"][0]["statusCode"]
        found = await status(client, batch_id)
        assert (1, 0) == (found["successCount"], found["errorCount"])


@pytest.mark.embedded
async def test_a_batch_that_was_not_taken_whole_is_gone_at_the_next_start(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        runtime, now = up.runtime, up.runtime.world.micros()
        made = checks.Batch(TENANT, "half", "half", "receiving", 8, "", now, now)
        stored = checks.Check(TENANT, "check", "half", 0, "SANDBOX", "sandbox", "stored", now, now)

        async def half(tx: Transaction) -> None:
            assert None is await idempotency.begin(tx, TENANT, "batch eligibility", "key", b"{}", "half", now)
            await checks.insert_batch(tx, made)
            await checks.insert(tx, [stored])
            await payloads.store(tx, runtime.vault, TENANT, "check", "request", b"{}", now)

        await runtime.database.write(half)
        assert 404 == (await client.get(f"{MANAGED}/batch/half")).status
    async with in_process(tmp_path) as (client, up):
        left = await up.runtime.database.read(lambda tx: tx.fetch("SELECT check_id FROM checks"))
        assert [] == left
        batch_id = await taken(client, [check(0)], name="half", headers={"Idempotency-Key": "key"})
        await done(client, batch_id)


@pytest.mark.one_engine
async def test_kill_9_in_the_middle_loses_no_check_and_asks_none_twice_without_need(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    arguments = ["serve", "--sandbox", "--data", str(data), "--port", str(port)]
    process = Process(arguments, tmp_path / "log")
    count, kills = 80, 1
    await process.start()
    client = await process.ready(f"http://127.0.0.1:{port}", data)
    batch_id = await taken(client, [check(n) for n in range(count)], headers={"Idempotency-Key": "once"})
    for kill in range(kills):

        async def far_enough(client: Client = client, third: int = kill + 1) -> bool:
            return (await status(client, batch_id))["successCount"] >= third * count // 3

        await until_true(far_enough)
        await client.close()
        await process.kill()
        await process.start()
        client = await process.ready(f"http://127.0.0.1:{port}", data)
    replayed = await submit(client, [check(n) for n in range(count)], headers={"Idempotency-Key": "once"})
    assert (200, batch_id) == (replayed.status, replayed.json["batchId"])
    told = await settled(client, batch_id)
    in_doubt = [i for i in told if i["state"] == "RETRYING"]
    assert len(in_doubt) <= 8 * kills
    assert count - len(in_doubt) == sum(i["state"] == "COMPLETED" for i in told)
    await client.forward(4 / 1440)
    found = await done(client, batch_id)
    assert ("COMPLETED", count) == (found["status"], found["successCount"])
    results = await polled(client, size=200)
    assert count == len({r["submitterTransactionIdentifier"] for r in results}) == len(results)
    asked = [i["additionalInfo"]["eligibility"]["retry"]["askedCount"] for i in await items(client, batch_id)]
    assert sum(asked) <= count + len(in_doubt)
    await client.close()
    await process.stop()


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_ten_thousand_checks_come_home_in_flat_memory(tmp_path: Path) -> None:
    count = 10_000
    async with in_process(tmp_path) as (client, _):
        body = msgspec.json.encode({"items": [check(n) for n in range(count)]})
        answer = await client.call("POST", f"{MANAGED}/batch-eligibility", body, Content_Type="application/json")
        batch_id, taken_at, sizes = answer.json["batchId"], _resident_megabytes(), list[float]()
        while not (found := await status(client, batch_id))["status"].startswith("COMPLETED"):
            sizes.append(_resident_megabytes())
            await asyncio.sleep(2)
        assert count == found["successCount"]
        # The caches of the database fill in the beginning.
        assert max(sizes[len(sizes) // 3 :]) < sizes[len(sizes) // 3] + 30
        assert max(sizes) < taken_at + 120
        assert count == len({r["submitterTransactionIdentifier"] for r in await polled(client, size=200)})


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)

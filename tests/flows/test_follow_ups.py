"""Open claims are chased: what is asked about next is seen, what asking cannot do is on a person's list in time, and a person's word holds."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.steps import follow_up
from queues import work
from queues.database import Transaction
from tests.flows.contract import Contract
from tests.flows.doubtful import Doubtful, doubtful, functional, ta1
from tests.flows.service import claim_body, until

DAY = 86_400.0


async def swept(payer: Doubtful, days: float = 0.0) -> None:
    """Days pass, and the sweep has looked since."""
    runtime = payer.up.runtime
    payer.passes(days * DAY + 1)
    async with asyncio.timeout(30):
        while await runtime.database.read(lambda tx: work.due_by(tx, "follow_up", runtime.world.micros())):
            await runtime.world.sleep(0.02)


async def seen(payer: Doubtful, path: str = "") -> Any:
    return (await payer.client.get(f"/v1/follow-ups{path}")).json


def payer_says(payer: Doubtful, **data: Any) -> None:
    directory = payer.up.runtime.directory
    directory.payers["SANDBOX"] = msgspec.structs.replace(directory.payers["SANDBOX"], **data)


def served(body: dict[str, Any], days_ago: int) -> dict[str, Any]:
    """A claim whose service was so many days ago."""
    day = datetime.now(UTC) - timedelta(days=days_ago)
    body["claimInformation"]["serviceLines"][0]["serviceDate"] = f"{day:%Y%m%d}"
    return body


async def test_what_is_due_is_seen_before_it_is_asked_and_asked_once(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")
        assert {"due": 0, "dueSoon": 0, "asked": 0, "worklist": 0} == await seen(payer)
        assert [] == (await seen(payer, "/due"))["items"]
        (soon,) = (await seen(payer, "/due?days=15"))["items"]
        assert (claim, "SANDBOX", "sent") == (soon["transactionId"], soon["payerId"], soon["state"])
        await swept(payer, 7.5)
        assert 1 == (await seen(payer))["dueSoon"]
        await swept(payer, 7)
        await until(payer.client, claim, "pending")
        for _ in range(3):
            await swept(payer)
        assert 1 == (await payer.story(claim)).count("followUpAsked")
        contract = Contract((await payer.client.get("/openapi.json")).json)
        for name, path in (("countFollowUps", ""), ("listFollowUps", "/due?days=30"), ("listWorklist", "/worklist")):
            answer = await payer.client.get(f"/v1/follow-ups{path}")
            assert (200, []) == (answer.status, contract.faults(contract.operation(name), answer))
        assert 400 == (await payer.client.get("/v1/follow-ups/due?days=never")).status


async def test_others_have_their_turn_while_many_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, written = 0, list[int]()
    prepared = follow_up.prepare_about

    def preparing(*of: Any) -> Any:
        written.append(turns)
        return prepared(*of)

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(follow_up, "prepare_about", preparing)
    async with doubtful(tmp_path, status=True) as payer:
        claims = await asyncio.gather(*(payer.client.submit(claim_body(f"SILENT-{n}")) for n in range(12)))
        for claim in claims:
            await until(payer.client, claim, "sent")
        other = asyncio.create_task(another())
        await swept(payer, 14.5)
        other.cancel()
        # Where reading takes a while, as over a socket, two may come to their turn at once.
        assert 12 == len(written)
        assert max(written.count(turn) for turn in written) < 4


async def test_f39_a_claim_that_cannot_be_read_any_more_is_a_persons_and_keeps_no_other_from_being_asked_about(
    tmp_path: Path,
) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        claims = [await payer.client.submit(claim_body(f"SILENT-{n}")) for n in range(3)]
        for claim in claims:
            await until(payer.client, claim, "sent")
        broken = claims[0]

        async def flip(tx: Transaction) -> int:
            return await tx.execute(
                "UPDATE payloads SET sealed = (SELECT sealed FROM payloads other WHERE other.payload_id <> payloads.payload_id LIMIT 1)"
                " WHERE payload_id = (SELECT request_id FROM transactions WHERE transaction_id = $1)",
                broken,
            )

        assert 1 == await payer.up.runtime.database.write(flip)
        await swept(payer, 14.5)
        for claim in claims[1:]:
            await until(payer.client, claim, "pending")
        (item,) = (await seen(payer, "/worklist"))["items"]
        assert (broken, "the claim cannot be read: see the log") == (item["transactionId"], item["reason"])


async def test_a_payer_that_takes_no_276_leaves_claims_on_the_worklist(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        await swept(payer, 14.5)
        (item,) = (await seen(payer, "/worklist"))["items"]
        assert (claim, "the payer takes no status inquiries: call it") == (item["transactionId"], item["reason"])
        assert "daysLeft" not in item
        assert item["followUpAt"]


async def test_a_claim_whose_time_for_filing_ends_is_a_persons_with_the_days_left(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        payer_says(payer, timely_filing_days=90, timely_filing_notice_days=30)
        late = await payer.client.submit(served(claim_body("SILENT-1"), 70))
        early = await payer.client.submit(served(claim_body("SILENT-2"), 10))
        for claim in (late, early):
            await until(payer.client, claim, "sent")
        await swept(payer, 14.5)
        await until(payer.client, early, "pending")
        (item,) = (await seen(payer, "/worklist"))["items"]
        assert (late, "the time for filing ends soon") == (item["transactionId"], item["reason"])
        assert 4 <= item["daysLeft"] <= 6
        # It is not asked about any more: what a 277 says does not help it.
        assert "followUpAt" not in item
        assert "followUpAsked" not in await payer.story(late)
        # Nor does it leave the list by itself.
        await swept(payer, 14)
        assert [late] == [i["transactionId"] for i in (await seen(payer, "/worklist"))["items"]]


async def test_a_denied_claim_is_a_persons_until_the_appeal_is_made(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True, collects=True) as payer:
        payer_says(payer, appeal_days=60)
        denied, paid = [await payer.client.submit(claim_body(number)) for number in ("DENIED-1", "PAID-1")]
        await payer.client.forward(3)
        for claim in (denied, paid):
            await until(payer.client, claim, "remitted")
        (item,) = (await seen(payer, "/worklist"))["items"]
        assert (denied, "it was denied: an appeal must be made in time") == (item["transactionId"], item["reason"])
        # From the day of the remittance, which is in the past when it is read.
        assert 56 <= item["daysLeft"] <= 60
        assert 1 == (await seen(payer, ""))["worklist"]
        # Words that come late, on a lower rung, are no answer to a denial.
        built = await payer.interchange(denied)
        for told in (ta1(built, "A", number=77), functional(built, {"0001": "A"}, number=78)):
            await payer.arrives(told)
        assert "acknowledged" == (await payer.story(denied))[-1]
        await swept(payer, 30)
        (later,) = (await seen(payer, "/worklist"))["items"]
        assert (item["actBy"], item["daysLeft"] - 30) == (later["actBy"], later["daysLeft"])
        contract = Contract((await payer.client.get("/openapi.json")).json)
        operation, path = contract.operation("finishWorklistItem"), f"/v1/follow-ups/{denied}/done"
        (sample,) = operation.samples()
        for _ in range(2):
            done = await payer.client.post(path, sample.value, Idempotency_Key="k")
            assert (200, []) == (done.status, contract.faults(operation, done))
        assert [] == (await seen(payer, "/worklist"))["items"]
        assert 1 == (await payer.story(denied)).count("worklistDone")
        again = await payer.client.post(path, sample.value)
        assert (409, []) == (again.status, contract.faults(operation, again))
        assert 400 == (await payer.client.post(path, {})).status
        assert 404 == (await payer.client.post("/v1/follow-ups/none/done", sample.value)).status


async def test_a_claim_that_is_still_open_is_not_done(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        await swept(payer, 14.5)
        assert 1 == len((await seen(payer, "/worklist"))["items"])
        refused = await payer.client.post(f"/v1/follow-ups/{claim}/done", {"why": "called"})
        assert 409 == refused.status
        assert b"resume it" in refused.body
        assert 1 == len((await seen(payer, "/worklist"))["items"])


async def test_without_a_time_for_appeals_a_denied_claim_is_at_its_end(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True, collects=True) as payer:
        claim = await payer.client.submit(claim_body("DENIED-1"))
        await payer.client.forward(3)
        await until(payer.client, claim, "remitted")
        assert [] == (await seen(payer, "/worklist"))["items"]


async def test_a_person_stops_and_resumes_a_claim(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")
        contract = Contract((await payer.client.get("/openapi.json")).json)
        operation = contract.operation("stopFollowUp")
        (sample,) = operation.samples()
        path = f"/v1/follow-ups/{claim}"
        for _ in range(2):
            stopped = await payer.client.post(f"{path}/stop", sample.value, Idempotency_Key="k")
            assert (200, []) == (stopped.status, contract.faults(operation, stopped))
        assert 1 == (await payer.story(claim)).count("followUpStopped")
        await swept(payer, 30)
        assert "followUpAsked" not in await payer.story(claim)
        (item,) = (await seen(payer, "/worklist"))["items"]
        assert "a person looks after it" == item["reason"]
        resumed = await payer.client.post(f"{path}/resume", {})
        assert (200, []) == (resumed.status, contract.faults(contract.operation("resumeFollowUp"), resumed))
        await until(payer.client, claim, "pending")
        assert [] == (await seen(payer, "/worklist"))["items"]
        assert 400 == (await payer.client.post(f"{path}/stop", {})).status
        assert 404 == (await payer.client.post("/v1/follow-ups/none/resume", {})).status


async def test_a_claim_at_its_end_is_followed_up_no_more(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True, collects=True) as payer:
        claim = await payer.client.submit(claim_body("REJECT-1"))
        await until(payer.client, claim, "rejected")
        assert 409 == (await payer.client.post(f"/v1/follow-ups/{claim}/stop", {"why": "called"})).status


@pytest.mark.embedded
async def test_the_commands(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")

        async def run(*words: str, code: int = 0) -> Any:
            command = ["follow-up", *words, "--data", str(tmp_path), "--json"]
            done = await asyncio.to_thread(lambda: CliRunner().invoke(app, command))
            assert code == done.exit_code, done.output
            return json.loads(done.output) if code == 0 else None

        assert {"due": 0, "dueSoon": 0, "asked": 0, "worklist": 0} == await run("show")
        assert [claim] == [i["transactionId"] for i in (await run("due", "--days", "15"))["items"]]
        assert [] == (await run("run", "--dry-run"))["items"]
        assert "a person looks after it" == (await run("stop", claim, "--why", "called", "--by", "ADA"))["reason"]
        assert [claim] == [i["transactionId"] for i in (await run("worklist"))["items"]]
        await run("resume", claim)
        payer.up.runtime.wake.set()
        await until(payer.client, claim, "pending")
        assert [] == (await run("worklist"))["items"]
        assert [] == (await run("run"))["items"]
        await run("stop", "none", "--why", "x", code=2)
        await run("done", claim, "--why", "x", code=2)

        # What is no terminal gets each claim on a line, its id whole.
        words = ["follow-up", "due", "--days", "60", "--data", str(tmp_path)]
        told = await asyncio.to_thread(lambda: CliRunner().invoke(app, words))
        assert any(line.startswith(claim) and "SANDBOX" in line for line in told.output.splitlines()), told.output

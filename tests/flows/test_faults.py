"""Faults that are nobody else's subject, by their numbers (docs/faults.md)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.protocol import Context, Outbound, Outcome
from adapters.transports.rest import RawX12
from gateway import serving, worker
from gateway.config import Config
from gateway.inquiries import TAKE_OVER_SECONDS
from gateway.ledger import interchanges
from gateway.payers import Directory
from gateway.runtime import TENANT
from queues import work
from queues.circuits import FOREVER
from queues.database import Transaction
from tests import synthetic
from tests.flows.doubtful import Doubtful, doubtful, functional
from tests.flows.service import NETWORK, Client, Process, claim_body, eligibility_body, free_port, in_process, until
from tests.flows.test_alarms import alarms, looked
from tests.flows.test_follow_ups import swept
from tests.flows.test_in_doubt import file_state, sent

ELIGIBILITY = f"{NETWORK}/eligibility/v3"
LEAVES_SECONDS = 45
GONE = interchanges.NO_ROUTE


@pytest.mark.parametrize("listed", ["both", "the rejected one"])
@pytest.mark.parametrize(("group", "good", "bad"), [("P", "A", "R"), ("P", "E", "M"), ("E", "A", "R")])
async def test_f25_a_999_that_rejects_one_set_of_several_rejects_its_claims_and_no_other(
    tmp_path: Path, group: str, good: str, bad: str, listed: str
) -> None:
    async with doubtful(tmp_path, window_seconds=60.0) as payer:
        # Two receivers are two sets of one interchange; either has claims.
        bodies = [claim_body(f"PAID-{n}") for n in range(4)]
        for body in bodies[:2]:
            body["receiver"]["organizationName"] = "SANDBOX OTHER PLAN"
        claims = await asyncio.gather(*(payer.client.submit(body) for body in bodies))
        payer.passes(61)
        interchange = await payer.interchange(claims[0], "confirmed")
        held = await payer.up.runtime.database.read(
            lambda tx: interchanges.members(tx, TENANT, interchange.interchange_id)
        )
        sets: dict[str, list[str]] = {}
        for member in held:
            sets.setdefault(member.control_number, []).append(member.transaction_id)
        assert (sorted(claims), [2, 2]) == (sorted(c for one in sets.values() for c in one), [*map(len, sets.values())])
        rejected, other = max(sets), min(sets)
        verdicts = {other: good, rejected: bad} if listed == "both" else {rejected: bad}
        inbound_id = await payer.arrives(functional(interchange, verdicts, group=group, included=2))
        assert "applied" == await file_state(payer, inbound_id)
        # A partial acceptance of the group says nothing of a set that it does not list.
        spoken = listed == "both" or group == "E"
        for number, state in ((rejected, "rejected"), (other, "acknowledged" if spoken else "sent")):
            for claim in sets[number]:
                found = await payer.client.transaction(claim)
                assert (state, False) == (found["state"], found.get("conflict", False))
        # The word on the others comes late, and moves none of those that were rejected.
        if not spoken:
            await payer.arrives(functional(interchange, {other: good}, group=group, included=2, number=3))
        assert ["acknowledged"] * 2 == [(await payer.client.transaction(c))["state"] for c in sets[other]]
        assert ["rejected"] * 2 == [(await payer.client.transaction(c))["state"] for c in sets[rejected]]


@pytest.mark.parametrize("wrong", ["BPR02", "PLB"])
async def test_f27_a_remittance_that_does_not_balance_is_quarantined_and_pays_nothing(
    tmp_path: Path, wrong: str
) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        content = remittance("PAID-1")
        if wrong == "BPR02":
            paid = content.split("BPR*I*", 1)[1].split("*", 1)[0]
            content = content.replace(f"BPR*I*{paid}*", "BPR*I*1*", 1)
        else:
            content = with_segment(content, "PLB*1999999984*20261231*CS*-25")
        assert "quarantined" == await file_state(payer, await payer.arrives(content))
        assert "sent" == (await payer.client.transaction(claim))["state"]


async def test_f28_another_content_under_the_same_trace_number_is_not_posted_over_the_first(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        first, second = await sent(payer, "PAID-1", "PAID-2")
        assert "quarantined" != await file_state(payer, await payer.arrives(remittance("PAID-1")))
        assert "remitted" == (await payer.client.transaction(first))["state"]
        other = await payer.arrives(remittance("PAID-2"))
        assert "quarantined" == await file_state(payer, other)
        assert "sent" == (await payer.client.transaction(second))["state"]
        # The very same payment once more is a repetition, and counts for nothing.
        again = await payer.arrives(remittance("PAID-1").replace("*000000001*0*", "*000000009*0*"))
        assert "quarantined" != await file_state(payer, again)
        assert 1 == (await payer.story(first)).count("remitted")


def remittance(patient_control_number: str) -> str:
    """A balanced 835 of one claim."""
    return synthetic.remittance_835(1).replace("PCN00000000", patient_control_number)


def with_segment(content: str, segment: str) -> str:
    """A set with a segment more before its SE, which counts it."""
    before, after = content.split("SE*", 1)
    count, rest = after.split("*", 1)
    return f"{before}{segment}~SE*{int(count) + 1}*{rest}"


async def test_f30_a_sweep_that_falls_in_an_outage_is_done_late_and_once(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")
        # The payer is away on the day; its outage lasts beyond it.
        await payer.weather(*["refuse-503"] * 6)
        await swept(payer, 14.5)
        await swept(payer, 0.5)
        assert 1 == (await payer.story(claim)).count("followUpAsked")
        await payer.weather()
        payer.passes(3_600)
        await until(payer.client, claim, "pending")
        await swept(payer, 1)
        assert 1 == (await payer.story(claim)).count("followUpAsked")
        await swept(payer, 14)
        assert 2 == (await payer.story(claim)).count("followUpAsked")


async def _gone(payer: Doubtful) -> list[dict[str, Any]]:
    """What is told of routes that are not configured, once the watch has looked."""
    await looked(payer)
    return [one for one in await alarms(payer.client) if "route gone" == one["kind"]]


async def test_f47_work_of_a_route_that_is_gone_is_held_visibly_and_leaves_when_it_is_back(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("refuse-503", "refuse-503")
        claim = await payer.client.submit(claim_body("PAID-1"))
        built = await payer.interchange(claim, "intent")
        there = payer.up.runtime.directory
        payer.up.runtime.directory = Directory()

        async def held(tx: Transaction) -> bool:
            return bool(
                await tx.row("SELECT 1 FROM work WHERE subject = $1 AND reason = $2", built.interchange_id, GONE)
            )

        async with asyncio.timeout(30):
            while not await payer.up.runtime.database.read(held):
                await payer.passes_at_rest(600)
                await payer.up.runtime.world.sleep(0.05)
        # Claims that came in between are told of, too.
        (alarm,) = await _gone(payer)
        assert ("sandbox", 1) == (alarm["routeId"], alarm["count"])
        await payer.weather()
        payer.up.runtime.directory = there
        await payer.passes_at_rest(3_600)
        await until(payer.client, claim, "sent")
        after = await payer.interchange(claim)
        assert (built.interchange_id, built.sha256, 1) == (after.interchange_id, after.sha256, after.copies)


@pytest.mark.parametrize("built", [True, False], ids=["in an interchange", "in none yet"])
async def test_f47_claims_of_which_nothing_left_take_the_way_that_their_payer_has_instead(
    tmp_path: Path, built: bool
) -> None:
    async with doubtful(tmp_path, window_seconds=0.1 if built else 600.0) as payer:
        runtime = payer.up.runtime
        await payer.weather(*["refuse-503"] * 100)
        claim = await payer.client.submit(claim_body("PAID-1"))
        before = await payer.interchange(claim, "intent") if built else None
        route = msgspec.structs.replace(runtime.directory.routes["sandbox"], id="renamed", batch_window_seconds=0.1)
        renamed = msgspec.structs.replace(runtime.directory.payers["SANDBOX"], routes=["renamed"])
        runtime.directory = Directory([renamed], [route])
        # What is under way when the route is gone still knows it.
        await payer.passes_at_rest(3_600)
        await payer.passes_at_rest(60)
        await payer.weather()
        await payer.passes_at_rest(3_600)
        await until(payer.client, claim, "sent")
        assert 1 == (await payer.seen())["interchanges"]
        after = await payer.interchange(claim, "confirmed")
        assert "renamed" == after.route_id
        assert before is None or before.interchange_id != after.interchange_id
        assert "rerouted" in await payer.story(claim)
        assert [] == await _gone(payer)


@pytest.mark.one_engine
async def test_f48_a_service_that_is_told_to_leave_ends_what_it_began_and_leaves_no_doubt(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], tmp_path / "log")
    await process.start()
    client: Client = await process.ready(f"http://127.0.0.1:{port}", data)
    claims = [await client.submit(claim_body(f"PAID-{n}")) for n in range(20)]
    asked = [asyncio.create_task(client.post(ELIGIBILITY, eligibility_body())) for _ in range(100)]
    # All of them are there before it is told.
    async with asyncio.timeout(LEAVES_SECONDS):
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert 0 == await process.stop()
    answers = (
        [task.result().status for task in asked if task.exception() is None]
        if all(task.done() for task in asked)
        else []
    )
    assert 100 == len(answers)
    assert set(answers) <= {200, 202}
    await client.close()
    await process.start()
    client = await process.ready(f"http://127.0.0.1:{port}", data)
    try:
        for claim in claims:
            await until(client, claim, "received", "remitted")
            assert "doubted" not in [event["kind"] for event in (await client.trace(claim))["events"]]
    finally:
        await client.close()
        await process.stop()


class _Slow(RawX12):
    """A payer that takes questions and does not come to an answer."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        await asyncio.sleep(3600)
        raise AssertionError


async def test_f48_a_payer_that_does_not_answer_keeps_no_service_from_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "DRAIN_SECONDS", 0.5)
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.5)
    async with asyncio.timeout(None) as leaving:
        async with in_process(tmp_path, Config(answer_seconds=0.1)) as (client, up):
            up.runtime.use("sandbox", _Slow("sandbox", "slow"))
            told = await client.post(ELIGIBILITY, eligibility_body())
            assert 202 == told.status
            # Half of what it would take to wait for the payer.
            leaving.reschedule(asyncio.get_running_loop().time() + TAKE_OVER_SECONDS / 2)
    # The next start asks again.
    async with in_process(tmp_path) as (_, up):
        assert await up.runtime.database.read(lambda tx: work.due_by(tx, "send", FOREVER))

"""F31: the machine's clock runs ten years ahead, and back: nobody is asked for it, nothing waits for years, a person is told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway import clock
from gateway.ledger import transactions
from gateway.runtime import TENANT
from gateway.serving import Running
from gateway.world import MICROSECOND, from_micros
from queues import work
from queues.database import Transaction
from tests.flows.doubtful import Doubtful, doubtful
from tests.flows.service import claim_body, in_process, until

YEARS = 10 * 365 * 86_400.0
HOUR, DAY = 3600.0, 86_400.0


class Machine:
    """The machine's clock, which may jump; its monotonic one does not."""

    def __init__(self) -> None:
        self.jumped = 0.0

    def time_ns(self) -> int:
        return time.time_ns() + round(self.jumped * 1e9)

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr("gateway.world.time", made)
    return made


async def looks(up: Running, *kinds: str) -> None:
    """The service looks at its clock, and has done what is due then."""
    runtime = up.runtime
    await clock.look(runtime)
    runtime.wake.set()

    async def due(tx: Transaction) -> bool:
        now = runtime.world.micros()
        return any([await work.due_by(tx, kind, now) for kind in kinds])

    async with asyncio.timeout(30):
        while await runtime.database.read(due):
            await runtime.world.sleep(0.02)


async def latest_work(up: Running) -> int:
    async def latest(tx: Transaction) -> int:
        row = await tx.row("SELECT coalesce(max(run_at), 0) FROM work WHERE buried_at IS NULL")
        assert row is not None
        return row[0]

    return await up.runtime.database.read(latest)


async def alarm_says(payer: Doubtful) -> list[str]:
    items = (await payer.client.get("/v1/alarms")).json["items"]
    return [one["says"] for one in items if "clock" == one["kind"]]


async def date_of(payer: Doubtful, claim: str) -> int:
    found = await payer.up.runtime.database.read(lambda tx: transactions.get(tx, TENANT, claim))
    assert found.follow_up_at is not None
    return found.follow_up_at


async def test_f31_a_leap_ahead_asks_nobody_for_an_hour_and_the_way_back_leaves_no_date_in_the_years_to_come(
    tmp_path: Path, machine: Machine
) -> None:
    async with doubtful(tmp_path, status=True, collects=True) as payer:
        runtime = payer.up.runtime
        before = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, before, "sent", "acknowledged")
        machine.jumped = YEARS
        await looks(payer.up, "watch", "follow_up")
        assert "followUpAsked" not in await payer.story(before)
        assert ["the machine's clock went ahead by" in says for says in await alarm_says(payer)] == [True]
        # Nobody sets it right: claims are asked about after the hour, also one that was sent in the wrong year.
        meanwhile = await payer.client.submit(claim_body("SILENT-2"))
        await until(payer.client, meanwhile, "sent", "acknowledged")
        machine.jumped += HOUR + 1
        await looks(payer.up, "watch", "follow_up")
        assert 1 == (await payer.story(before)).count("followUpAsked")
        assert await latest_work(payer.up) > runtime.world.micros() - HOUR * MICROSECOND
        machine.jumped = 0.0
        await looks(payer.up, "watch", "follow_up", "collect", "batch")
        (said,) = await alarm_says(payer)
        assert "the machine's clock went back by" in said
        assert not said.endswith(": 0")
        now = runtime.world.micros()
        assert await latest_work(payer.up) <= now + DAY * MICROSECOND
        for claim in (before, meanwhile):
            assert from_micros(await date_of(payer, claim)) <= from_micros(now + round(14 * DAY * MICROSECOND))
        # Life goes on: claims leave, what the payer has is collected, and day 14 comes once.
        after = await payer.client.submit(claim_body("PAID-3"))
        await until(payer.client, after, "received")
        payer.passes(14 * DAY + 60)
        await looks(payer.up, "watch", "follow_up")
        assert 2 == (await payer.story(before)).count("followUpAsked")
        assert 1 == (await payer.story(meanwhile)).count("followUpAsked")


async def test_f31_a_clock_that_went_back_while_the_service_was_down_is_mended_at_its_start(
    tmp_path: Path, machine: Machine
) -> None:
    machine.jumped = 3 * DAY
    async with in_process(tmp_path) as (client, up):
        claim = await client.submit(claim_body("SILENT-1"))
        await until(client, claim, "acknowledged")
        assert await latest_work(up) > up.runtime.world.micros()
    machine.jumped = 0.0
    async with in_process(tmp_path) as (client, up):
        await looks(up, "watch", "follow_up")
        now = up.runtime.world.micros()
        assert await latest_work(up) <= now + DAY * MICROSECOND
        found = await up.runtime.database.read(lambda tx: transactions.get(tx, TENANT, claim))
        assert found.follow_up_at is not None
        assert found.follow_up_at <= now + 14 * DAY * MICROSECOND
        assert found.sent_at is not None
        assert found.sent_at <= now


async def test_f31_a_blip_between_two_looks_is_known_by_the_work_that_it_left(tmp_path: Path, machine: Machine) -> None:
    async with in_process(tmp_path) as (_, up):
        await looks(up, "watch")
        machine.jumped = YEARS
        up.runtime.wake.set()
        async with asyncio.timeout(30):
            while await latest_work(up) < up.runtime.world.micros():
                await up.runtime.world.sleep(0.02)
        machine.jumped = 0.0
        await looks(up, "watch", "follow_up")
        assert await latest_work(up) <= up.runtime.world.micros() + DAY * MICROSECOND

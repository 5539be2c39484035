"""F30 and F31: the machine's clock runs ten years ahead, and back, or by an hour or a second, as clocks are changed: a claim is asked about
once for each date, nothing waits for years, nothing is dropped for an age that it has not, a person is told.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.protocol import Context, Evidence, Outbound, Outcome
from gateway import clock
from gateway.config import Config
from gateway.ledger import interchanges, transactions
from gateway.runtime import TENANT, open_runtime
from gateway.serving import Running
from gateway.world import MICROSECOND, from_micros, to_micros
from queues import work
from queues.database import Transaction
from queues.postgres import PostgreSQL
from tests.flows.doubtful import Doubtful, Quiet, doubtful
from tests.flows.service import claim_body, in_process, until, until_true

YEARS = 10 * 365 * 86_400.0
HOUR, DAY = 3600.0, 86_400.0


class Machine:
    """The clock by which the service goes, which may jump: the machine's or, where there is one, that of the database's server, which is followed.
    The monotonic one does not.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._server = patch, PostgreSQL.server_clock
        self._jumped = 0.0

    @property
    def jumped(self) -> float:
        return self._jumped

    @jumped.setter
    def jumped(self, seconds: float) -> None:
        self._jumped = seconds
        self._patch.setattr(PostgreSQL, "server_clock", f"({self._server} + {round(seconds * MICROSECOND)})")

    def time_ns(self) -> int:
        return time.time_ns() + round(self.jumped * 1e9)

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(monkeypatch)
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


class Slow(Quiet):
    """An adapter whose first bytes take their time; until they are there its payer says that it has nothing."""

    def __init__(self) -> None:
        super().__init__(probes=True, collects=False)
        self.begun = self.probed = 0
        self.goes_on = asyncio.Event()

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        self.begun += 1
        if self.begun == 1:
            await self.goes_on.wait()
        return await super().send(outbound, context)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        self.probed += 1
        return "absent"


async def test_f31_a_leap_ahead_ends_no_lease_and_what_is_being_sent_is_not_sent_beside_it(
    tmp_path: Path, machine: Machine
) -> None:
    async with doubtful(tmp_path, probes=True) as payer:
        slow = Slow()
        payer.up.runtime.use("sandbox", slow)
        first = await payer.client.submit(claim_body("PAID-1"))
        await payer.interchange(first, "on_wire")
        for leap in (DAY, 2 * DAY):
            machine.jumped = leap
            payer.up.runtime.wake.set()
            # What comes later is done, in its turn behind what is due.
            await until(payer.client, await payer.client.submit(claim_body(f"PAID-{leap:.0f}")), "sent")
        assert (3, 0) == (slow.begun, slow.probed)
        slow.goes_on.set()
        await until(payer.client, first, "sent")
        assert (1, "confirmed") == ((await payer.interchange(first)).copies, (await payer.interchange(first)).state)
        assert "doubted" not in await payer.story(first)


async def test_f31_a_clock_set_back_a_day_prolongs_no_payers_promise_to_know_copies(
    tmp_path: Path, machine: Machine
) -> None:
    async with doubtful(tmp_path, duplicates="isa13", duplicates_hours=24) as payer:
        await payer.weather("cut", *["refuse-429"] * 30)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await payer.interchange(claim, "safe_to_resend", copies=1)
        machine.jumped = -DAY
        await clock.look(payer.up.runtime)
        # The day and an hour that have passed since are an hour by the clock.
        await payer.passes_at_rest(25 * HOUR)

        async def settled() -> bool:
            await payer.passes_at_rest(60)
            return (await payer.interchange(claim)).state in ("held", "confirmed")

        await payer.weather()
        await until_true(settled)
        assert ("held", 1) == ((await payer.interchange(claim)).state, (await payer.interchange(claim)).copies)
        assert 1 == (await payer.seen())["interchanges"]


LATER = {
    "deliveries": (
        (
            "INSERT INTO deliveries (tenant_id, destination_id, event_id, state, attempts, due_at, reason, updated_at)"
            " VALUES ($2, 'd', 'e', 'pending', 1, $1 + 5000000, '', $1)"
        ),
        "SELECT due_at FROM deliveries WHERE tenant_id = $1",
        5.0,
    ),
    "checks": (
        (
            "INSERT INTO checks (tenant_id, check_id, batch_id, ordinal, payer_id, route_id, state, reason, asked, tried, due_at, first_tried_at,"
            " asked_at, until, created_at, updated_at) VALUES ($2, 'c', 'b', 1, 'P', 'R', 'waiting', '', 1, 1, $1 + 300000000, $1, $1, $1, $1, $1)"
        ),
        "SELECT due_at FROM checks WHERE tenant_id = $1",
        300.0,
    ),
    "when a check was asked": ("", "SELECT asked_at FROM checks WHERE tenant_id = $1", 0.0),
    "a full disk": (
        "INSERT INTO signs (tenant_id, kind, subject, route_id, detail, count, until) VALUES ($2, 'disk', 'disk', '', '', 1, $1 + 120000000)",
        "SELECT until FROM signs WHERE tenant_id = $1",
        120.0,
    ),
    "what is done once more": (
        (
            "INSERT INTO work (tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, fence, owner, lease_until, again_at)"
            " VALUES ($2, 'w', 'batch', 'x', '{}', $1, $1 + 60000000, 1, 1, 'me', $1 + 60000000, $1 + 1000000)"
        ),
        "SELECT again_at FROM work WHERE tenant_id = $1",
        1.0,
    ),
    "questions": (
        (
            "INSERT INTO transactions (tenant_id, transaction_id, position, kind, state, conflict, version, route_id, payer_id, usage, traceparent,"
            " created_at, updated_at, sent_at) VALUES ($2, 't', 1, 'claim_status', 'sent', 0, 1, 'R', 'P', 'T', '', $1, $1, $1)"
        ),
        "SELECT sent_at FROM transactions WHERE tenant_id = $1",
        0.0,
    ),
}


async def test_f31_what_waits_for_moments_does_not_wait_for_a_day_when_the_clock_is_set_back_by_one(
    tmp_path: Path, machine: Machine
) -> None:
    runtime = await open_runtime(Config(), tmp_path)
    try:
        await clock.look(runtime)
        for insert, _, _ in LATER.values():
            if insert:
                now = runtime.world.micros()
                await runtime.database.write(lambda tx, sql=insert, at=now: tx.execute(sql, at, TENANT))
        machine.jumped = -DAY
        await clock.look(runtime)
        now = runtime.world.micros()
        for what, (_, sql, seconds) in LATER.items():
            row = await runtime.database.read(lambda tx, sql=sql: tx.row(sql, TENANT))
            assert row is not None
            # What passed since the last look is not told from the jump.
            assert row[0] <= now + (seconds + 60) * MICROSECOND, what
    finally:
        await runtime.close()


async def test_the_interchange_that_a_claim_is_in_is_not_one_that_it_was_released_from_whatever_the_clock_said(
    tmp_path: Path, machine: Machine
) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        await payer.weather("drop")
        claim = await payer.client.submit(claim_body("PAID-1"))
        first = await payer.interchange(claim, "in_doubt", "held")
        machine.jumped = -DAY
        await clock.look(payer.up.runtime)
        await payer.decide(first.interchange_id, "rebuild")

        async def is_sent() -> bool:
            tenant_id = first.tenant_id
            carried = await payer.up.runtime.database.read(lambda tx: interchanges.of_transaction(tx, tenant_id, claim))
            return [first.interchange_id] != [one.interchange_id for one in carried] and carried[
                -1
            ].state == "confirmed"

        await until_true(is_sent)
        assert first.interchange_id != (await payer.interchange(claim)).interchange_id


# --- F30 --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def new_york() -> Iterator[None]:
    """The machine's own zone changes its clocks."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def sets(machine: Machine, moment: int) -> None:
    """The machine's clock says this (microseconds)."""
    machine.jumped += (moment - machine.time_ns() // 1000) / MICROSECOND


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("change", "by"),
    [
        ("2027-03-14T07:00:00", HOUR),
        ("2027-11-07T06:00:00", -HOUR),
        ("2028-02-29T00:00:00", DAY),
        ("2028-12-31T23:59:59", -1.0),
    ],
    ids=["clocks go forward", "clocks go back", "leap day", "leap second"],
)
async def test_f30_a_date_that_falls_on_a_change_of_clocks_is_asked_for_once(
    tmp_path: Path, machine: Machine, change: str, by: float
) -> None:
    day_14 = to_micros(datetime.fromisoformat(change).replace(tzinfo=UTC))
    sets(machine, day_14 - round(14 * DAY * MICROSECOND))
    async with doubtful(tmp_path, status=True) as payer:
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")
        due = await date_of(payer, claim)
        # Fourteen times 24 hours, whatever is done to clocks on the wall meanwhile.
        assert day_14 <= due < day_14 + HOUR * MICROSECOND

        async def asked(moment: int) -> int:
            sets(machine, moment)
            await looks(payer.up, "follow_up")
            return (await payer.story(claim)).count("followUpAsked")

        for day in (6, 12):
            assert 0 == await asked(due - round((14 - day) * DAY * MICROSECOND))
        assert 0 == await asked(due - 60 * MICROSECOND)
        assert 1 == await asked(due)
        # As a machine has it whose clock follows what is on the wall, and that lives through the moment again.
        step = round(by * MICROSECOND)
        for moment in (due + step, due - abs(step), due - MICROSECOND, due, due + abs(step)):
            assert 1 == await asked(moment)
        again = await date_of(payer, claim)
        assert due + 13 * DAY * MICROSECOND <= again <= due + 15 * DAY * MICROSECOND
        for day in (6, 12):
            assert 1 == await asked(due + round(day * DAY * MICROSECOND))
        assert 2 == await asked(again)


async def test_f30_a_leap_that_nobody_has_looked_at_yet_asks_nobody(tmp_path: Path, machine: Machine) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        runtime = payer.up.runtime
        claim = await payer.client.submit(claim_body("SILENT-1"))
        await until(payer.client, claim, "sent")

        async def doubts(tx: Transaction) -> bool:
            row = await tx.row("SELECT 1 FROM work WHERE kind = 'follow_up' AND reason = 'the clock leapt ahead'")
            return row is not None

        machine.jumped = YEARS
        runtime.wake.set()
        async with asyncio.timeout(30):
            while not await runtime.database.read(doubts):
                await runtime.world.sleep(0.02)
        machine.jumped = 0.0
        await looks(payer.up, "follow_up", "watch")
        assert {"followUpAsked", "overdue"}.isdisjoint(await payer.story(claim))
        payer.passes(14 * DAY + 60)
        await looks(payer.up, "follow_up")
        assert 1 == (await payer.story(claim)).count("followUpAsked")


async def test_f30_idempotency_keys_are_kept_for_their_time_whatever_the_clock_says(
    tmp_path: Path, machine: Machine
) -> None:
    async with doubtful(tmp_path) as payer:

        async def submitted(key: str) -> str:
            return await payer.client.submit(claim_body(key), Idempotency_Key=key)

        first = await submitted("PAID-1")
        # The leap is believed after an hour, and again in the other year.
        for jumped in (YEARS, YEARS + HOUR + 1, 2 * YEARS, 2 * YEARS + HOUR + 1):
            machine.jumped = jumped
            await looks(payer.up, "follow_up")
            assert first == await submitted("PAID-1")
        meanwhile = await submitted("PAID-2")
        machine.jumped = 0.0
        for day in range(0, 30, 6):
            machine.jumped = day * DAY
            await looks(payer.up, "follow_up")
            assert [first, meanwhile] == [await submitted(key) for key in ("PAID-1", "PAID-2")]
        # And they do end.
        for day in range(30, 80, 6):
            machine.jumped = day * DAY
            await looks(payer.up, "follow_up")
        assert 0 == await keys(payer)


async def keys(payer: Doubtful) -> int:
    """How many keys are kept."""
    sql = "SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1"
    row = await payer.up.runtime.database.read(lambda tx: tx.row(sql, TENANT))
    assert row is not None
    return row[0]

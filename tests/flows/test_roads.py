"""Routes that are down: what may move takes the next road, what may not waits, and nothing travels on two."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from adapters.protocol import Context, Outbound, Outcome
from adapters.sandbox.server import SandboxServer, start
from adapters.transports.rest import RawX12
from gateway.cli import app
from gateway.config import Config, load
from gateway.ledger import interchanges
from gateway.ledger.interchanges import Interchange
from gateway.payers import Payer, Route
from gateway.runtime import TENANT, open_runtime
from gateway.serving import Running
from queues import work
from tests.flows.contract import Contract
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, free_port, in_process, until, until_true
from tests.flows.test_access import key_with
from tests.flows.test_batch_eligibility import check, done, settled, taken

ELIGIBILITY = f"{NETWORK}/eligibility/v3"


def route(name: str, url: str, **changes: Any) -> Route:
    told: dict[str, Any] = {
        "batch_window_seconds": 0.05,
        "poll_seconds": 0.2,
        "duplicates": "none",
        "deadline_seconds": 5.0,
        "circuit_failures": 2,
        "circuit_seconds": 60.0,
    }
    return Route(
        id=name,
        adapter="sandbox",
        usage="T",
        sender_id="CLAIMWIRE",
        receiver_id=name,
        settings={"url": url},
        **told | changes,
    )


@dataclass
class Roads:
    """A service with a payer that has two roads, each with a sandbox payer of its own at its end."""

    client: Client
    up: Running
    first: SandboxServer | None
    second: SandboxServer
    port: int

    async def at(self, server: SandboxServer | None) -> int:
        """How many claims arrived at the end of a road."""
        assert server is not None
        payer = Client(server.url, None)
        seen = (await payer.get("/seen")).json
        await payer.close()
        return sum(seen["claims"].values())

    async def weather(self, **weather: Any) -> None:
        assert self.first is not None
        payer = Client(self.first.url, None)
        assert 200 == (await payer.post("/weather", weather)).status
        await payer.close()

    async def lane(self, name: str = "FIRST") -> dict[str, Any]:
        return next(i for i in (await self.client.get("/v1/lanes")).json["items"] if i["routeId"] == name)

    async def is_shut(self) -> bool:
        """Whether the first road's circuit is open and nothing is being sent over it, nor about to be."""
        runtime = self.up.runtime
        sending = await runtime.database.read(lambda tx: work.due_by(tx, "send", runtime.world.micros()))
        return not sending and "open" == (await self.lane())["state"]

    async def tried(self, name: str) -> float:
        """How many deliveries were attempted over a route."""
        text = (await self.client.get("/metrics")).body.decode()
        lines = [line for line in text.splitlines() if line.startswith("claimwire_deliveries_total") and name in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def carried(self, claim: str) -> list[Interchange]:
        return await self.up.runtime.database.read(lambda tx: interchanges.of_transaction(tx, TENANT, claim))

    async def check(self) -> Any:
        return await self.client.post(ELIGIBILITY, eligibility_body() | {"tradingPartnerServiceId": "TWOWAYS"})

    async def submit(self, number: str) -> str:
        return await self.client.submit(claim_body(number) | {"tradingPartnerServiceId": "TWOWAYS"})


@asynccontextmanager
async def roads(folder: Path, *, dead: bool, ways: int = 2, **changes: Any) -> AsyncGenerator[Roads]:
    """`dead` says that nobody listens at the end of the first road."""
    first = None if dead else await start(folder / "first.db")
    second = await start(folder / "second.db")
    port = first.port if first is not None else free_port()
    url = f"http://127.0.0.1:{port}"
    names = ["FIRST", "SECOND"][:ways]
    config = Config(
        routes=[route("FIRST", url, **changes), route("SECOND", second.url)],
        payers=[Payer(id="TWOWAYS", name="TWOWAYS HEALTH PLAN", routes=names, repeated_claims="allow")],
    )
    made: Roads | None = None
    try:
        async with in_process(folder / "data", config) as (client, up):
            made = Roads(client, up, first, second, port)
            yield made
    finally:
        # A test may have begun another one in its place.
        for server in (first, second, made.first if made is not None else None):
            if server is not None:
                await server.close()


# --- questions ---


async def test_f09_with_the_first_road_down_a_question_is_answered_over_the_second(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True) as on:
        answers = [await on.check() for _ in range(6)]
        for answer in answers:
            assert 200 == answer.status, answer.body
            assert "1" == answer.json["benefitsInformation"][0]["code"]
        # Its circuit is open after two failures, and it is tried no more.
        assert (2, 6) == (await on.tried("FIRST"), await on.tried("SECOND"))
        lane = await on.lane()
        assert ("open", 2) == (lane["state"], lane["failures"])
        assert lane["reason"]
        assert lane["until"] > lane["since"]
        story = await on.client.trace(answers[-1].headers["X-Transaction-Id"])
        assert "SECOND" == story["transaction"]["routeId"]
        text = (await on.client.get("/metrics")).body.decode()
        assert 'claimwire_lanes_shut{route_id="FIRST",state="open"} 1.0' in text


async def test_f09_a_first_road_that_swallows_connections_leaves_time_for_the_second(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True, deadline_seconds=2.0) as on:
        with socket.socket() as deaf:
            # A queue of one that nobody takes from: what comes then gets no answer to its SYN.
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            deaf.bind(("127.0.0.1", on.port))
            deaf.listen(0)
            with socket.create_connection(deaf.getsockname()), socket.socket() as another:
                another.setblocking(False)
                another.connect_ex(deaf.getsockname())
                answer = await on.check()
        assert 200 == answer.status, answer.body
        assert (1, 1) == (await on.tried("FIRST"), await on.tried("SECOND"))
        assert "SECOND" == (await on.client.trace(answer.headers["X-Transaction-Id"]))["transaction"]["routeId"]


async def test_the_story_of_a_question_says_that_it_went_another_way(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True) as on:
        answer = await on.check()
        events = (await on.client.trace(answer.headers["X-Transaction-Id"]))["events"]
        assert ["accepted", "built", "rerouted", "built", "answered"] == [e["kind"] for e in events]
        assert {"route": "SECOND"} == events[2]["data"]


async def test_a_question_with_one_road_that_is_down_gets_503_at_once_when_its_circuit_is_open(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True, ways=1) as on:
        answers = [await on.check() for _ in range(3)]
        assert {503} == {answer.status for answer in answers}
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 75
        assert 2 == await on.tried("FIRST")


async def test_the_checks_of_a_batch_go_over_the_second_road_where_the_first_is_down(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True) as on:
        to_it = {"tradingPartnerServiceId": "TWOWAYS"}
        batch_id = await taken(on.client, [check(n, **to_it) for n in range(12)])
        found = await done(on.client, batch_id)
        assert ("COMPLETED", 12) == (found["status"], found["successCount"])
        assert 12 == await on.tried("SECOND")
        # The circuit opens after two failures: as many were tried as began before it did, and no one more than once.
        assert 2 <= await on.tried("FIRST") <= 12
        stories = [[e["kind"] for e in (await on.client.trace(one))["events"]] for one in await checks_of(on, batch_id)]
        assert {2} == {story.count("built") for story in stories if "rerouted" in story}
        assert {1} == {story.count("answered") for story in stories}
        # What comes while the circuit is open is never built for the first.
        last = await taken(on.client, [check(99, **to_it)])
        await done(on.client, last)
        (story,) = [[e["kind"] for e in (await on.client.trace(one))["events"]] for one in await checks_of(on, last)]
        assert 0 == story.count("rerouted")


async def test_a_check_in_doubt_on_the_first_road_stays_there(tmp_path: Path) -> None:
    # An answered collection would let one try the road again.
    async with roads(tmp_path, dead=False, poll_seconds=3600.0) as on:
        await on.weather(next=["cut", "cut"])
        to_it = {"tradingPartnerServiceId": "TWOWAYS"}
        batch_id = await taken(on.client, [check(n, **to_it) for n in range(2)])
        await settled(on.client, batch_id)
        assert "open" == (await on.lane())["state"]
        await on.client.forward(30 / 1440)
        found = await done(on.client, batch_id)
        assert ("COMPLETED", 2) == (found["status"], found["successCount"])
        assert 0 == await on.tried("SECOND")


async def checks_of(on: Roads, batch_id: str) -> list[str]:
    """The ids of the checks of a batch."""
    found = await on.up.runtime.database.read(
        lambda tx: tx.fetch("SELECT check_id FROM checks WHERE tenant_id = $1 AND batch_id = $2", TENANT, batch_id)
    )
    return [row[0] for row in found]


# --- claims ---


async def test_claims_of_which_nothing_has_left_go_over_the_next_road_and_arrive_once(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=True) as on:
        claims = [await on.submit(f"PAID-{n}") for n in range(4)]
        for claim in claims:
            await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert 4 == await on.at(on.second)
        for claim in claims:
            carried = await on.carried(claim)
            assert "SECOND" == carried[-1].route_id
            assert {("FIRST", "released", 0)} >= {(i.route_id, i.state, i.copies) for i in carried[:-1]}
            assert "SECOND" == (await on.client.transaction(claim))["routeId"]
        story = [e["kind"] for e in (await on.client.trace(claims[0]))["events"]]
        assert 1 == story.count("rerouted")
        assert 1 == story.count("delivered")
        # What comes now goes the other way without having been built for the first.
        last = await on.submit("PAID-9")
        await until(on.client, last, "received", "pending", "finalized", "remitted")
        assert ["SECOND"] == [i.route_id for i in await on.carried(last)]


async def test_a_claim_in_doubt_on_the_first_road_stays_there(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False, poll_seconds=3600.0) as on:
        await on.weather(next=["cut"])
        claim = await on.submit("PAID-1")
        await until(on.client, claim, "in_doubt", "held", "sent")
        await on.weather(outageSeconds=10_000)
        for _ in range(3):
            await on.check()
        assert "open" == (await on.lane())["state"]
        moved = await on.submit("PAID-2")
        await until(on.client, moved, "received", "pending", "finalized", "remitted")
        await asyncio.sleep(0.5)
        assert ["FIRST"] == [i.route_id for i in await on.carried(claim)]
        assert (1, 1) == (await on.at(on.first), await on.at(on.second))


async def test_f11_with_no_other_road_claims_are_held_and_drain_at_the_payers_rate(tmp_path: Path) -> None:
    rate = 20.0
    async with roads(
        tmp_path,
        dead=True,
        ways=1,
        batch_claims_max=1,
        requests_per_second=rate,
        circuit_seconds=0.5,
        circuit_seconds_max=0.5,
    ) as on:
        claims = [await on.submit(f"PAID-{n}") for n in range(25)]
        for _ in range(200):
            if (await on.lane())["state"] == "closed":
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)
        tried = await on.tried("FIRST")
        # Those that opened the circuit, then one at a time.
        assert tried <= 10
        on.first = await start(tmp_path / "first.db", port=on.port)
        for claim in claims:
            await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert 25 == await on.at(on.first)
        # One more, where the road was tried between our looking and the payer's coming back.
        assert await on.tried("FIRST") - tried in (25, 26)
        carried = [i for claim in claims for i in await on.carried(claim)]
        sent = [i.sent_at for i in carried if i.sent_at is not None]
        # In no second more than the rate allows, one that tried the road aside, and what the clock's coarseness hides.
        most = max(sum(at <= other < at + 1_000_000 for other in sent) for at in sent)
        assert most <= rate + 3
        assert "closed" == (await on.lane())["state"]


async def test_f11_after_an_outage_of_three_days_what_waited_drains_at_the_payers_rate_without_a_burst(
    tmp_path: Path,
) -> None:
    rate, claims_sent = 20.0, 30
    async with roads(tmp_path, dead=True, ways=1, batch_claims_max=1, requests_per_second=rate) as on:
        claims = [await on.submit(f"PAID-{n}") for n in range(claims_sent)]
        tried = 0.0

        async def is_tried_and_shut() -> bool:
            # What was under way when it was opened is tried as well.
            return await on.tried("FIRST") > tried and await on.is_shut()

        for _ in range(6):
            before = tried
            await until_true(is_tried_and_shut)
            tried = await on.tried("FIRST")
            # Those that opened it at first; half a day later one tries it, and no claim comes with it.
            assert tried - before <= (8 if not before else 2)
            await on.client.forward(0.5)
        on.first = await start(tmp_path / "first.db", port=on.port)
        await on.first.forward(timedelta(days=3))
        # The circuit's wait, a quarter of an hour and what chance adds, passes too.
        await on.client.forward(20 / 1440)
        for claim in claims:
            await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert claims_sent == await on.at(on.first)
        carried = [i for claim in claims for i in await on.carried(claim)]
        assert [("FIRST", 1)] * claims_sent == [(i.route_id, i.copies) for i in carried]
        sent = [i.sent_at for i in carried if i.sent_at is not None]
        most = max(sum(at <= other < at + 1_000_000 for other in sent) for at in sent)
        assert most <= rate + 3
        # At most a tenth more than one attempt each, and what tried the road meanwhile.
        assert await on.tried("FIRST") - tried <= 1.1 * claims_sent


@pytest.mark.one_engine
async def test_f12_a_payer_that_comes_and_goes_sees_a_tenth_more_attempts_than_claims_at_most(tmp_path: Path) -> None:
    """Twice it is gone while half of a hundred claims wait, and for longer than one look at it takes."""
    names: list[str] = []
    async with roads(tmp_path, dead=False, ways=1, batch_claims_max=1, requests_per_second=100.0, concurrent=2) as on:
        for turn in range(2):
            names += await asyncio.gather(*(on.submit(f"PAID-{turn}-{n}") for n in range(100)))

            async def half_have_come(most: int = len(names) - 50) -> bool:
                return await on.at(on.first) >= most

            await until_true(half_have_come)
            assert on.first is not None
            await on.first.close()
            for _ in range(2):
                await until_true(on.is_shut)
                # Past the circuit's wait, twice as long the second time, and what chance adds to it.
                await on.client.forward(160 / 86_400)
            on.first = await start(tmp_path / "first.db", port=on.port)
            await on.client.forward(310 / 86_400)
            for name in names[-100:]:
                await until(on.client, name, "received", "pending", "finalized", "remitted")
        assert len(names) == await on.at(on.first)
        assert await on.tried("FIRST") <= 1.1 * len(names)


async def test_f08_a_payer_that_asks_for_a_pause_gets_it_and_no_failure_is_counted(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False, ways=1) as on:
        await on.weather(next=["refuse-429"] * 1)
        claim = await on.submit("PAID-1")
        await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert 1 == await on.at(on.first)
        assert 2 == await on.tried("FIRST")
        assert 0 == (await on.lane())["failures"]


class Broken(RawX12):
    """Raises, as an adapter with an error does."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        raise RuntimeError("an error of the adapter's")


async def test_f46_an_adapter_that_raises_opens_its_own_circuit_and_no_other(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False, ways=1) as on:
        directory = on.up.runtime.directory
        on.up.runtime.use("broken", Broken("broken", "an adapter that raises"))
        directory.routes["FIRST"] = msgspec.structs.replace(directory.routes["FIRST"], adapter="broken")
        for _ in range(3):
            assert (await on.check()).status in (202, 503)
        # It collects well, so that it may be tried again at once.
        assert (await on.lane())["state"] in ("open", "half-open")
        assert 2 <= (await on.lane())["failures"]
        assert 200 == (await on.client.post(ELIGIBILITY, eligibility_body())).status
        assert "closed" == (await on.lane("sandbox"))["state"]


async def test_f46_a_payer_that_hangs_leaves_places_of_the_worker_to_the_others(tmp_path: Path) -> None:
    async with roads(
        tmp_path,
        dead=False,
        ways=1,
        batch_claims_max=1,
        circuit_failures=1_000,
        deadline_seconds=8.0,
        poll_seconds=3600.0,
    ) as on:
        await on.weather(next=["hang"] * 100)
        slow = [await on.submit(f"PAID-{n}") for n in range(40)]
        await asyncio.sleep(1.0)
        # Every place that one payer may have is taken by an attempt that hangs.
        quick = [await on.client.submit(claim_body(f"PAID-Q{n}")) for n in range(3)]
        for claim in quick:
            await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert {"built", "accepted"} >= {(await on.client.transaction(claim))["state"] for claim in slow}
        states = [i.state for claim in slow for i in await on.carried(claim)]
        assert 4 <= states.count("on_wire") <= 12


# --- by hand ---


async def test_a_person_pauses_a_route_and_resumes_it(tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False, ways=1) as on:
        contract = Contract((await on.client.get("/openapi.json")).json)
        # The example of the document runs; then until somebody resumes it.
        operation = contract.operation("pauseLane")
        (sample,) = operation.samples()
        told = await on.client.post("/v1/lanes/FIRST/pause", sample.value, Idempotency_Key="k")
        assert (200, []) == (told.status, contract.faults(operation, told))
        assert "until" in told.json
        paused = await on.client.post("/v1/lanes/FIRST/pause", {})
        assert (200, "paused") == (paused.status, paused.json["state"])
        assert "until" not in paused.json
        claim = await on.submit("PAID-1")
        await asyncio.sleep(0.5)
        assert "accepted" == (await on.client.transaction(claim))["state"]
        assert 503 == (await on.check()).status
        resumed = await on.client.post("/v1/lanes/FIRST/resume", {})
        assert (200, []) == (resumed.status, contract.faults(contract.operation("resumeLane"), resumed))
        await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert 200 == (await on.check()).status
        assert "closed" == (await on.lane())["state"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/lanes/NONE/pause", {}, 404),
        ("/v1/lanes/NONE/resume", {}, 404),
        ("/v1/lanes/FIRST/pause", {"minutes": 0}, 400),
        ("/v1/lanes/FIRST/pause", {"minutes": "long"}, 400),
    ],
)
async def test_a_pause_that_cannot_be_is_refused(tmp_path: Path, path: str, body: dict[str, Any], status: int) -> None:
    async with roads(tmp_path, dead=False) as on:
        assert status == (await on.client.post(path, body)).status
        token, _ = await key_with(on.up.runtime, ["claims:read"])
        reader = Client(on.up.url, token)
        assert 200 == (await reader.get("/v1/lanes")).status
        assert 403 == (await reader.post("/v1/lanes/FIRST/pause", {})).status
        await reader.close()


def test_the_commands(tmp_path: Path) -> None:
    config = tmp_path / "claimwire.toml"
    config.write_text(
        '[[routes]]\nid = "one"\nadapter = "rest"\nusage = "T"\nsender_id = "A"\nreceiver_id = "B"\n'
        '[[payers]]\nid = "ONE"\nname = "ONE"\nroutes = ["one"]\n'
    )

    async def begun() -> None:
        runtime = await open_runtime(load(config), tmp_path / "claimwire-data")
        await runtime.close()

    asyncio.run(begun())

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["lanes", *words, "--config", str(config)])
        assert code == done.exit_code, done.output
        return done.output

    assert "closed" in run("list")
    assert "until it is resumed" in run("pause", "one", "--by", "ADA")
    (item,) = msgspec.json.decode(run("list", "--json"))["items"]
    assert ("paused", "ADA", ["ONE"]) == (item["state"], item["pausedBy"], item["payerIds"])
    assert "it goes on" in run("resume", "one")
    assert "closed" in run("list")
    run("pause", "none", code=2)

"""F38: a disk that is full or read-only, a database server that is away: new work is refused, reading goes on, nothing is lost.

Full is a small tmpfs with nothing left, read-only an ext4 in a file that turns so at an error: real file systems both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from adapters.protocol import Context, Outbound, Outcome
from gateway.config import Config, DatabaseServer
from gateway.serving import Running
from tests.engines import Server
from tests.flows.doubtful import Doubtful, Quiet
from tests.flows.mounts import errs, filled, image, mounted
from tests.flows.service import NETWORK, Answer, Client, claim_body, eligibility_body, in_process, until, until_true

ELIGIBILITY, CLAIMS = f"{NETWORK}/eligibility/v3", f"{NETWORK}/professionalclaims/v3/submission"
PAUSE = "/v1/lanes/sandbox/pause"
MANAGED = "/2024-04-01/eligibility-manager"


def linked(disk: Path, payer: Path) -> None:
    """A data folder whose sandbox payer's database lies elsewhere."""
    disk.mkdir(exist_ok=True)
    if not (disk / payer.name).is_symlink():
        (disk / payer.name).symlink_to(payer)


@asynccontextmanager
async def served(disk: Path, elsewhere: Path, reserve: int = 0) -> AsyncGenerator[tuple[Client, Running]]:
    """A service whose data is on this disk; its sandbox payer, another's machine, keeps its own elsewhere."""
    linked(disk, elsewhere / "sandbox.db")
    async with in_process(disk, Config(disk_reserve_bytes=reserve)) as (client, up):
        yield client, up


def put_off(answer: Answer) -> None:
    """A refusal that says that nothing was taken, and when to come again."""
    assert 503 == answer.status, (answer.status, answer.body)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    text = answer.body.decode()
    assert "nothing was taken" in text
    assert "ABARA" not in text


async def refused_until_full(client: Client, claims: list[str]) -> None:
    """Submit until one is refused: the database may have some room of its own left."""
    for number in range(2_000):
        answer = await client.post(CLAIMS, claim_body(f"PAID-{len(claims)}-{number}"))
        if answer.status != 200:
            put_off(answer)
            assert "ERROR" == answer.json["status"]
            return
        claims.append(answer.json["claimReference"]["correlationId"])
    raise AssertionError("the disk is not full")


async def refuses_but_reads(client: Client, claim: str) -> None:
    """What writes is refused in the shape of its path, what reads is answered."""
    asked = await client.post(ELIGIBILITY, eligibility_body())
    put_off(asked)
    assert "ERROR" == asked.json["status"]
    put_off(made := await client.post(PAUSE, {"minutes": 5}))
    assert "application/problem+json" == made.headers["Content-Type"]
    assert 200 == (await client.get("/healthz")).status
    assert claim == (await client.transaction(claim))["transactionId"]
    assert 200 == (await client.get("/v1/lanes")).status
    assert 200 == (await client.get("/metrics")).status
    assert 200 == (await client.post(f"{NETWORK}/professionalclaims/v3/validation", claim_body("PAID-V"))).status


async def goes_on(client: Client, claims: list[str]) -> None:
    """All that was acknowledged comes to its end, and new work is taken, without anybody's doing."""
    for _ in range(1_200):
        if (await client.get("/readyz")).status == 200:
            break
        await asyncio.sleep(0.05)
    claims.append(await client.submit(claim_body("PAID-AFTER")))
    for claim in claims:
        await until(client, claim, "received", "accepted_by_payer", "remitted")


async def each_once(payer: Doubtful, claims: list[str]) -> None:
    """The payer has each claim once."""
    seen = (await payer.seen())["claims"]
    assert (len(claims), {1}) == (len(seen), set(seen.values()))


@pytest.mark.embedded
async def test_f38_a_full_disk_refuses_new_work_reads_on_and_goes_on_by_itself(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=12m", "tmpfs") as disk:
        async with served(disk, tmp_path) as (client, up):
            claims = [await client.submit(claim_body("PAID-1"))]
            await until(client, claims[0], "received", "remitted")
            emptied = filled(disk)
            await refused_until_full(client, claims)
            await refuses_but_reads(client, claims[-1])
            emptied()
            await goes_on(client, claims)
            await each_once(Doubtful(client, up), claims)


@pytest.mark.embedded
async def test_f38_the_last_of_the_room_is_for_what_was_taken(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=48m", "tmpfs") as disk:
        async with served(disk, tmp_path, reserve=16 << 20) as (client, up):
            payer = Doubtful(client, up)
            assert 200 == (await client.get("/readyz")).status
            claims = [await client.submit(claim_body(f"PAID-{n}")) for n in range(20)]
            emptied = filled(disk, leaving=12 << 20)
            payer.passes(0)
            await asyncio.sleep(1.1)
            await refused_until_full(client, claims)
            assert 503 == (await client.get("/readyz")).status
            for claim in claims:
                await until(client, claim, "received", "remitted")
            assert 200 == (await client.post(PAUSE, {"minutes": 5})).status
            assert 200 == (await client.post("/v1/lanes/sandbox/resume", {})).status
            emptied()
            await goes_on(client, claims)
            await each_once(payer, claims)


class Filling(Quiet):
    """The sandbox payer, which says nothing afterwards; while it answers, the gateway's disk is filled, and for a second after that."""

    def __init__(self, disk: Path) -> None:
        super().__init__(probes=False, collects=False)
        self.disk = disk
        self.filled = 0

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        if outbound.set_id == "837":
            # A log that is begun anew has room of its own: it is given back first.
            database: Any = apsw.Connection(str(self.disk / "claimwire.db"))
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            database.close()
            emptied = filled(self.disk)
            self.filled += 1
            asyncio.get_running_loop().call_later(1, emptied)
        return outcome


@pytest.mark.embedded
async def test_f38_a_payers_answer_to_a_full_disk_is_written_when_there_is_room_and_leaves_no_doubt(
    tmp_path: Path,
) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=12m", "tmpfs") as disk:
        async with served(disk, tmp_path) as (client, up):
            adapter = Filling(disk)
            up.runtime.use("sandbox", adapter)
            routes = up.runtime.directory.routes
            routes["sandbox"] = msgspec.structs.replace(routes["sandbox"], duplicates="none")
            claim = await client.submit(claim_body("PAID-1"))
            await until(client, claim, "sent", "in_doubt", "held")
            assert 1 == adapter.filled
            assert "doubted" not in (kinds := await Doubtful(client, up).story(claim)), kinds
            await each_once(Doubtful(client, up), [claim])


@pytest.mark.embedded
async def test_f38_a_disk_that_turns_read_only_loses_nothing_that_was_told(tmp_path: Path) -> None:
    disk_image, claims = image(tmp_path / "image", 64 << 20), list[str]()
    with mounted(tmp_path / "disk", "-o", "loop,errors=remount-ro", str(disk_image)) as disk:
        async with served(disk / "data", tmp_path) as (client, _):
            claims += [await client.submit(claim_body(f"PAID-{n}")) for n in range(5)]
            errs(disk)
            await refused_until_full(client, claims)
            assert 503 == (await client.get("/readyz")).status
            await refuses_but_reads(client, claims[-1])
    with mounted(tmp_path / "disk", "-o", "loop", str(disk_image)) as disk:
        async with served(disk / "data", tmp_path) as (client, up):
            await goes_on(client, claims)
            await each_once(Doubtful(client, up), claims)


async def test_f38_postgresql_gone_for_a_while_is_told_and_waited_for(tmp_path: Path) -> None:
    server = Server()
    try:
        config = Config(database=DatabaseServer(url=server.fresh()))
        async with in_process(tmp_path, config) as (client, up):
            claims = [await client.submit(claim_body(f"PAID-{n}")) for n in range(3)]
            await asyncio.to_thread(server.kill)
            refused = await asyncio.gather(
                client.post(CLAIMS, claim_body("PAID-AWAY")),
                client.post(ELIGIBILITY, eligibility_body()),
                client.post(PAUSE, {"minutes": 5}),
            )
            for answer in refused:
                put_off(answer)
            assert [True, True, False] == ["ERROR" == answer.json["status"] for answer in refused]
            assert 200 == (await client.get("/healthz")).status
            assert 503 == (await client.get("/readyz")).status
            await asyncio.to_thread(server.start_again)
            await goes_on(client, claims)
            await each_once(Doubtful(client, up), claims)
    finally:
        server.remove()


class Downing(Quiet):
    """The sandbox payer, which says nothing afterwards; while it answers, the gateway's database server is killed, and is away for some seconds."""

    def __init__(self, server: Server) -> None:
        super().__init__(probes=False, collects=False)
        self.server = server
        self.asked: list[str] = []
        self.back = asyncio.Event()
        self._starting: list[asyncio.Task[None]] = []

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        self.asked.append(outbound.set_id)
        await asyncio.to_thread(self.server.kill)
        self._starting.append(asyncio.create_task(self._start_again()))
        return outcome

    async def _start_again(self) -> None:
        # Longer than a transaction is tried.
        await asyncio.sleep(6)
        await asyncio.to_thread(self.server.start_again)
        self.back.set()


@asynccontextmanager
async def answered_to_nobody(folder: Path) -> AsyncGenerator[tuple[Client, Running, Downing]]:
    """A service whose PostgreSQL is away when its payer has answered, on a route with a place for one."""
    server = Server()
    try:
        async with in_process(folder, Config(database=DatabaseServer(url=server.fresh()))) as (client, up):
            adapter = Downing(server)
            up.runtime.use("sandbox", adapter)
            routes = up.runtime.directory.routes
            routes["sandbox"] = msgspec.structs.replace(routes["sandbox"], duplicates="none", concurrent=1)
            yield client, up, adapter
    finally:
        server.remove()


async def test_f38_a_payers_answer_to_a_postgresql_that_is_away_leaves_no_doubt(tmp_path: Path) -> None:
    async with answered_to_nobody(tmp_path) as (client, up, adapter):
        claim = await client.submit(claim_body("PAID-1"))
        await adapter.back.wait()
        await until(client, claim, "sent", "in_doubt", "held")
        assert "doubted" not in (kinds := await Doubtful(client, up).story(claim)), kinds
        assert ["837"] == adapter.asked
        await each_once(Doubtful(client, up), [claim])


async def test_f38_the_answer_to_a_question_comes_home_once_postgresql_is_back(tmp_path: Path) -> None:
    async with answered_to_nobody(tmp_path) as (client, _, adapter):
        told = await client.post(ELIGIBILITY, eligibility_body())
        assert 200 == told.status, told.body
        assert ["270"] == adapter.asked


async def test_f38_the_answer_to_a_check_of_a_batch_comes_home_once_postgresql_is_back(tmp_path: Path) -> None:
    async with answered_to_nobody(tmp_path) as (client, _, adapter):
        made = await client.post(
            f"{MANAGED}/batch-eligibility", {"items": [{**eligibility_body(), "submitterTransactionIdentifier": "ONE"}]}
        )
        assert 200 == made.status, made.body
        await until_true(lambda: has_ended(client, made.json["batchId"]))
        assert ["270"] == adapter.asked


async def has_ended(client: Client, batch_id: str) -> bool:
    answer = await client.get(f"{MANAGED}/batch/{batch_id}")
    return answer.status == 200 and answer.json["status"].startswith("COMPLETED")

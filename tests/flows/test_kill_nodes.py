"""Two nodes on one PostgreSQL, and kill -9 of either and of the server itself: no claim is lost or doubled, no answer is forgotten.

The campaign of `tests.flows.test_kill`, but who is not killed goes on: a `claimwire serve` and a `claimwire worker`, each with a share of the work. The
server syncs, and is started again after it was killed; its nodes wait for it and live. `CLAIMWIRE_CAMPAIGN` and `CLAIMWIRE_SEED` as there.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

import pytest

from gateway.config import Config, DatabaseServer
from gateway.runtime import open_runtime
from gateway.serving import sandbox_key
from gateway.worker import LEASE_SECONDS
from tests.engines import Server, postgresql_missing
from tests.flows.service import PATIENCE_SECONDS, Client, Process, free_port, until_true
from tests.flows.test_kill import (
    Campaign,
    Kill,
    answers,
    campaigns,
    claims_of,
    each_is_counted_once,
    lived_through,
    no_answer_is_forgotten,
    planned,
    the_ledger_is_whole,
)

Victim = Literal["serve", "worker", "postgres"]
CLAIMS, KILLS = 450, 9
# What a node that died had leased, another takes once the lease has passed.
PATIENCE = PATIENCE_SECONDS + 2 * LEASE_SECONDS
# The sandbox payer as `serve --sandbox-url` knows it, for a worker, which has no such option.
_CONFIG = """
judges = 0

[database]
url = "{url}"

[[routes]]
id = "sandbox"
adapter = "sandbox"
usage = "T"
sender_id = "CLAIMWIRE"
receiver_id = "SANDBOX"
settings = {{ url = "{payer}" }}
batch_window_seconds = 0.5
poll_seconds = 1.0
duplicates = "isa13"
takes_any_payer = true

[[payers]]
id = "SANDBOX"
name = "SANDBOX HEALTH PLAN"
routes = ["sandbox"]
aliases = ["CWSBX"]
repeated_claims = "warn"
expects = {{ acknowledgement_hours = 0, claim_acknowledgement_hours = 0, remittance_days = 0 }}
"""


@dataclass
class Nodes(Campaign):
    """A campaign of two nodes and their server, each of which is killed in its turn."""

    worker: Process = field(kw_only=True)
    server: Server = field(kw_only=True)
    database: str = field(kw_only=True)
    victims: list[Victim] = field(kw_only=True)

    async def up(self) -> None:
        """Start the node that is down; who lives on is not started again."""
        if not self.worker.runs:
            before = self._told_working()
            await self.worker.start()
            await until_true(lambda: self._works_since(before), PATIENCE)
        if not self.process.runs:
            await self.process.start()
        await (await self.process.ready(self.gateway.url, self.data)).close()

    def _told_working(self) -> int:
        """How often the worker said that it works."""
        return self.worker.log.read_text().count('"event": "working"') if self.worker.log.exists() else 0

    async def _works_since(self, before: int) -> bool:
        return self._told_working() > before

    async def strike(self, kill: Kill) -> None:
        """Kill whose turn it is at the moment that is planned."""
        victim = self.victims[self.kills]
        await self.at_payer("/weather", {"next": kill.weather})
        await self.up()
        if kill.day_passes:
            await self.day_passes()
        if kill.aim == "wire":
            before = (await self.at_payer("/seen"))["interchanges"]
            await until_true(lambda: self.posted_since(before), PATIENCE)
        await asyncio.sleep(kill.seconds)
        cut_off = self.cut_off
        if victim == "postgres":
            self.server.kill()
            await asyncio.to_thread(self.server.start_again)
            # Both have lost their connections, and neither its life.
            assert (self.process.runs, self.worker.runs) == (True, True)
        else:
            await (self.process if victim == "serve" else self.worker).kill()
        left = self.remains(self.rows)
        self.struck(f"{victim}, {kill.aim} + {kill.seconds:.2f} s", left, self.cut_off - cut_off)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the server says, by a way of its own; numbers as such."""
        lines = self.server.sql(sql, self.database).splitlines()
        return [tuple(int(one) if one.isdigit() else one for one in line.split("|")) for line in lines]

    def log_tail(self) -> str:
        return (
            f"{super().log_tail()}\nThe worker's ends with:\n{self.worker.log.read_text('utf-8', 'replace')[-6_000:]}"
        )


@asynccontextmanager
async def nodes(folder: Path, seed: int, claims: dict[str, bytes], victims: list[Victim]) -> AsyncGenerator[Nodes]:
    """Server, payer and both nodes, each a process of its own. A failure tells all it knows."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    server = Server(fsync="on")
    payer_port, port = free_port(), free_port()
    payer_url, url = f"http://127.0.0.1:{payer_port}", f"http://127.0.0.1:{port}"
    database = "nodes"
    server.sql(f"CREATE DATABASE {database}")
    config = folder / "claimwire.toml"
    config.write_text(_CONFIG.format(url=server.url(database), payer=payer_url), "ascii")
    data = folder / "gateway"
    common = ["--config", str(config), "--data"]
    payer_process = Process(
        ["sandbox", "--data", str(folder / "payer"), "--port", str(payer_port)], folder / "payer.log", **compiled
    )
    process = Process(["serve", *common, str(data), "--port", str(port)], folder / "gateway.log", **compiled)
    worker = Process(["worker", *common, str(folder / "worker")], folder / "worker.log", **compiled)
    payer = Client(payer_url, None)
    clients = [payer]
    try:
        await payer_process.start()
        runtime = await open_runtime(Config(database=DatabaseServer(url=server.url(database))), data)
        token = await sandbox_key(runtime, data)
        await runtime.close()
        (folder / "worker").mkdir()
        shutil.copy(data / "master.key", folder / "worker")
        clients.append(Client(url, token))
        await until_true(lambda: answers(payer))
        made = Nodes(
            folder, seed, claims, payer, clients[-1], process,
            worker=worker, server=server, database=database, victims=victims, patience_seconds=PATIENCE,
        )  # fmt: skip
        try:
            yield made
        except BaseException:
            print(f"The campaign of seed {seed} failed; the log of `serve` ends with:\n{made.log_tail()}")
            raise
    finally:
        for client in clients:
            await client.close()
        for one in (process, worker, payer_process):
            if one.runs:
                await one.kill()
        server.remove()


@pytest.mark.campaign
@pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
@pytest.mark.parametrize(("seed", "claims", "kills"), campaigns(CLAIMS, KILLS))
async def test_f01_two_nodes_and_their_server_may_be_killed_at_any_moment(
    tmp_path: Path, seed: int, claims: int, kills: int
) -> None:
    print(f"seed {seed}: {claims} claims, {kills} kills")
    began, random = time.monotonic(), Random(seed)
    plan = planned(random, kills)
    all_victims = get_args(Victim)
    victims = [all_victims[n % len(all_victims)] for n in range(kills)]
    random.shuffle(victims)
    async with nodes(tmp_path, seed, claims_of(random, claims), victims) as run:
        await lived_through(run, plan, random)
        assert kills == run.kills
        await run.come_to_rest()
        found = await no_answer_is_forgotten(run)
        await each_is_counted_once(run, found)
        assert (0, 0) == (await run.process.stop(), await run.worker.stop())
        figures = the_ledger_is_whole(run.rows, len(run.claims))
        print(f"seed {seed}: {time.monotonic() - began:.0f} s; kills by what they hit {dict(run.hits)}; {figures}")
        # Kills that hit nothing would prove nothing.
        for name in ("claims waiting", "interchanges on the wire", "pieces of work under way"):
            assert 0 < run.hits[name], name
        assert 0 < figures["sent more than once"]

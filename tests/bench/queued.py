"""What much that waits costs: a sweep over a million open claims of which fifty thousand are due, and a start with a hundred thousand queued.

`python -m tests.bench.queued sweep OPEN DUE` and `python -m tests.bench.queued start CLAIMS` print the figures of one run. The claims are one real claim,
copied by the database under other ids; those that are asked about are each read, written into a 276 and committed to.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.runtime import TENANT, Runtime, open_runtime
from gateway.serving import running, sandbox_key
from gateway.steps import follow_up
from observability import log
from queues.database import Transaction
from queues.work import SECOND
from tests.bench.lanes import upstream_process
from tests.bench.ledger import any_due, config_for, leased, memory_now
from tests.bench.processes import ROOT, peak_megabytes
from tests.flows.service import Client, claim_body, until

__all__ = ["START_BAR_SECONDS", "SWEEP_MEGABYTES", "Started", "Swept", "started", "swept"]

SWEEP_MEGABYTES, START_BAR_SECONDS = 150.0, 5.0
_DAY = 86_400 * SECOND
# What a claim is before it is batched.
_AS_ACCEPTED = {"state": "'accepted'", "sent_at": "NULL", "follow_up_at": "NULL"}


class Swept(msgspec.Struct):
    """Seconds until all that is due was asked about, and megabytes above what opening the ledger took."""

    seconds: float
    megabytes: float


class Started(msgspec.Struct):
    """Seconds from the start of the process until the first interchange was at the payer."""

    seconds: float


async def _original(config: Config, folder: Path) -> str:
    """One claim that was sent."""
    async with running(config, folder) as up:
        client = Client(up.url, await sandbox_key(up.runtime, folder))
        claim = await client.submit(claim_body("PAID-1") | {"tradingPartnerServiceId": "GOOD"})
        await until(client, claim, "sent")
        await client.close()
    return claim


async def _copied(runtime: Runtime, claim: str, times: int, changes: dict[str, str]) -> None:
    """Copies of a claim, its payload and its story being the original's; `changes` are columns as SQL of `n`."""

    async def body(tx: Transaction) -> None:
        names = [str(row[1]) for row in await tx.fetch("PRAGMA table_info(transactions)")]
        given = {"transaction_id": "printf('copy-%08d', n)", "position": "position + n", **changes}
        told = ", ".join(given.get(name, name) for name in names)
        await tx.execute(
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < $2)"
            f" INSERT INTO transactions ({', '.join(names)}) SELECT {told} FROM transactions, series WHERE transaction_id = $1",
            claim,
            times,
        )
        await tx.execute("ANALYZE")

    await runtime.database.write(body)


async def _swept(folder: Path, open_claims: int, due: int) -> Swept:
    log.configure("ERROR")
    with upstream_process("0") as url:
        config = config_for(url)
        claim = await _original(config, folder)
        runtime = await open_runtime(config, folder)
        try:
            now = runtime.world.micros()
            when = f"CASE WHEN n <= {due} THEN {now - 1} ELSE {now} + {_DAY} + n END"
            await _copied(runtime, claim, open_claims, {"follow_up_at": when})
            before, began = memory_now(), time.perf_counter()
            while await runtime.database.read(lambda tx: any_due(tx, now)):
                await follow_up.run(runtime, await leased(runtime, "follow_up", TENANT))
            seconds = time.perf_counter() - began
            rows = await runtime.database.read(
                lambda tx: tx.fetch("SELECT count(*) FROM interchanges WHERE set_id = '276'")
            )
            assert rows[0][0] == due
            return Swept(seconds, peak_megabytes() - before)
        finally:
            await runtime.close()


async def _started(folder: Path, claims: int) -> Started:
    log.configure("ERROR")
    # When each interchange was at the payer.
    arrivals: asyncio.Queue[float] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        await request.read()
        if request.method == "GET":
            # Nothing to collect.
            return web.json_response([])
        arrivals.put_nowait(time.perf_counter())
        return web.json_response({"reference": "taken"}, status=202)

    payer = web.Application(client_max_size=1 << 30)
    payer.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(payer, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    config = config_for(f"http://127.0.0.1:{runner.addresses[0][1]}")
    claim = await _original(config, folder)
    await arrivals.get()
    runtime = await open_runtime(config, folder)
    await _copied(runtime, claim, claims, _AS_ACCEPTED)
    await runtime.close()
    (folder / "bench.toml").write_text(_toml(config), "utf-8")
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else is to run meanwhile
        [sys.executable, "-m", "gateway", "serve", "--config", str(folder / "bench.toml"), "--data", str(folder), "--port", "0"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    try:
        at = await asyncio.wait_for(arrivals.get(), 120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        await runner.cleanup()
    return Started(at - began)


def _toml(config: Config) -> str:
    route = config.routes[0]
    settings = ", ".join(f'{key} = "{value}"' for key, value in route.settings.items())
    return (
        "judges = 0\n\n"
        f'[[routes]]\nid = "{route.id}"\nadapter = "{route.adapter}"\nusage = "{route.usage}"\nsender_id = "{route.sender_id}"\n'
        f'receiver_id = "{route.receiver_id}"\nsettings = {{ {settings} }}\nbatch_claims_max = {route.batch_claims_max}\n\n'
        f'[[payers]]\nid = "GOOD"\nname = "GOOD HEALTH PLAN"\nroutes = ["{route.id}"]\n'
    )


def swept(open_claims: int, due: int) -> Swept:
    """The figures of a sweep, in a process of its own."""
    return msgspec.json.decode(_result("sweep", str(open_claims), str(due)), type=Swept)


def started(claims: int) -> Started:
    """The figure of a start, in a process of its own."""
    return msgspec.json.decode(_result("start", str(claims)), type=Started)


def _result(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.bench.queued", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main(kind: str, *numbers: str) -> None:
    """One run of a kind."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        run = _swept if kind == "sweep" else _started
        print(msgspec.json.encode(asyncio.run(run(Path(name), *(int(n) for n in numbers)))).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

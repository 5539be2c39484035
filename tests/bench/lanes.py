"""What one payer costs the others: checks a second over a good route, alone and beside a route that is dead and one that is slow.

Every payer is another process. Load is below what the machine can do, so that what is measured is who waits for whom.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from gateway.config import Config
from gateway.payers import Payer, Route
from gateway.serving import running, sandbox_key
from observability import log
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, free_port

__all__ = ["ISOLATION_BAR", "isolation", "rest_route", "upstream_process"]

ISOLATION_BAR = 0.95
_GOOD_SECONDS, _SLOW_SECONDS = "0.05", "10"
_AT_ONCE, _OTHERS_PER_SECOND = 4, 10


@contextmanager
def upstream_process(seconds: str) -> Generator[str]:
    """A payer in a process of its own that takes so many seconds; its URL."""
    command = [sys.executable, "-m", "tests.bench.servers", "upstream", seconds]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def rest_route(name: str, url: str) -> Route:
    """A route to such a payer; each claim leaves in an interchange of its own."""
    return Route(
        id=name, adapter="rest", usage="T", sender_id="CLAIMWIRE", receiver_id=name, settings={"url": url},
        batch_window_seconds=0.1, batch_claims_max=1, poll_seconds=3_600.0, deadline_seconds=5.0,
    )  # fmt: skip


async def _checks(client: Client, seconds: float) -> float:
    """Checks a second that the good payer answers."""
    done, started = 0, time.perf_counter()

    async def again() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            answer = await client.post(
                f"{NETWORK}/eligibility/v3", eligibility_body() | {"tradingPartnerServiceId": "GOOD"}
            )
            assert 200 == answer.status
            done += 1

    await asyncio.gather(*(again() for _ in range(_AT_ONCE)))
    return done / (time.perf_counter() - started)


async def _others(client: Client, number: list[int]) -> None:
    """Checks and claims for the payers that are dead and slow, so many a second, whatever becomes of them."""
    under_way: set[asyncio.Task[object]] = set()
    try:
        while True:
            for payer in ("DEAD", "SLOW"):
                number[0] += 1
                claim = claim_body(f"PAID-{number[0]}") | {"tradingPartnerServiceId": payer}
                check = eligibility_body() | {"tradingPartnerServiceId": payer}
                path, body = (
                    ("eligibility/v3", check) if number[0] % 4 < 2 else ("professionalclaims/v3/submission", claim)
                )
                task = asyncio.create_task(client.post(f"{NETWORK}/{path}", body))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(1 / _OTHERS_PER_SECOND)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _measured(folder: Path, good: str, slow: str, rounds: int, seconds: float) -> tuple[float, float]:
    dead = f"http://127.0.0.1:{free_port()}"
    names = {"GOOD": good, "SLOW": slow, "DEAD": dead}
    config = Config(
        port=0,
        answer_seconds=6,
        routes=[rest_route(name, url) for name, url in names.items()],
        payers=[Payer(id=n, name=f"{n} HEALTH PLAN", routes=[n], repeated_claims="allow") for n in names],
    )
    alone: list[float] = []
    beside: list[float] = []
    async with running(config, folder) as up:
        client, number = Client(up.url, await sandbox_key(up.runtime, folder)), [0]
        await _checks(client, seconds / 2)
        for _ in range(rounds):
            alone.append(await _checks(client, seconds))
            others = asyncio.create_task(_others(client, number))
            await asyncio.sleep(seconds / 4)
            beside.append(await _checks(client, seconds))
            others.cancel()
            await asyncio.gather(others, return_exceptions=True)
        await client.close()
    return median(beside), median(alone)


def isolation(rounds: int, seconds: float) -> tuple[float, float]:
    """Checks a second over a good route beside a dead and a slow one, and alone."""
    # Failures of the dead one are warnings: told as tracebacks on a terminal they would be most of the work.
    log.configure("ERROR")
    with (
        tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name,
        upstream_process(_GOOD_SECONDS) as good,
        upstream_process(_SLOW_SECONDS) as slow,
    ):
        return asyncio.run(_measured(Path(name), good, slow, rounds, seconds))

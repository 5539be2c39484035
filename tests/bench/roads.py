"""What a transport costs: CORE over SOAP against bare aiohttp posting the same bytes, SFTP against bare asyncssh writing them.

The payer is another process in both cases: an aiohttp server that answers the same bytes each time, and a real OpenSSH server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import aiohttp
import asyncssh
from aiohttp import web

from adapters import registry
from adapters.contract.samples import answer, outbound
from adapters.protocol import Context, Delivered, Replied
from adapters.transports.core import soap
from adapters.transports.core.envelope import Envelope, payload_id, payload_type_of, stamp
from adapters.transports.session import open_session
from tests.contract.peers import SftpPeer, openssh, ssh_key

__all__ = ["core", "sftp"]

CORE_BAR, SFTP_BAR = 0.4, 0.8
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_AT_ONCE = 8


def _envelope(payload: bytes, is_answer: bool) -> Envelope:
    return Envelope(
        kind="question",
        payload_type="X12_271_Response_005010X279A1" if is_answer else payload_type_of(payload),
        payload_id=payload_id(outbound("270").idempotency_key),
        time_stamp=stamp(NOW),
        sender_id="ALDERFP",
        receiver_id="SANDBOX",
        payload=payload,
        error_code="Success",
    )


async def _serve() -> None:
    """Answer every message with the same 271; the first line on standard output is the port."""
    wire = soap.write(_envelope(answer(), is_answer=True), is_answer=True)

    async def answered(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=wire.body, headers=wire.headers)

    app = web.Application()
    app.router.add_post("/core", answered)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def _per_second(one: Callable[[], Awaitable[object]], seconds: float) -> float:
    """How often something can be done a second, some of it at once."""
    done = 0
    started = time.perf_counter()

    async def again() -> None:
        nonlocal done
        while time.perf_counter() - started < seconds:
            await one()
            done += 1

    await asyncio.gather(*(again() for _ in range(_AT_ONCE)))
    return done / (time.perf_counter() - started)


async def _core(port: int, rounds: int, seconds: float) -> tuple[float, float]:
    adapter, out, url = registry.load("core"), outbound("270"), f"http://127.0.0.1:{port}/core"
    login = ("ALDERFP", "hush-hush")
    wire = soap.write(_envelope(out.payload, is_answer=False), login=login)
    async with open_session() as session, aiohttp.ClientSession() as bare:
        told = {"url": url, "sender_id": "ALDERFP", "receiver_id": "SANDBOX"}
        context = Context(told, {"user": login[0], "password": login[1]}, session, lambda: NOW, 20)

        async def ours() -> None:
            assert isinstance(await adapter.send(out, context), Replied)

        async def peer() -> None:
            async with bare.post(url, data=wire.body, headers=wire.headers) as response:
                assert await response.read()

        measured = [(await _per_second(ours, seconds), await _per_second(peer, seconds)) for _ in range(rounds)]
    return median(m[0] for m in measured), median(m[1] for m in measured)


def core(rounds: int, seconds: float) -> tuple[float, float]:
    """Round trips a second: the adapter's, and those of bare aiohttp with the same bytes."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.roads"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            return asyncio.run(_core(int(server.stdout.readline()), rounds, seconds))
        finally:
            server.terminate()


async def _sftp(port: int, folder: Path, batch: bytes, times: int) -> tuple[float, float]:
    adapter, peer = registry.load("sftp"), SftpPeer(port, folder)
    told = peer.settings("127.0.0.1", port)
    ours: list[float] = []
    bare: list[float] = []
    async with open_session() as session:
        context = Context(told, peer.secrets, session, lambda: NOW, 120)
        for number in range(1, times + 1):
            out = outbound("837", batch, number)
            started = time.perf_counter()
            assert isinstance(await adapter.send(out, context), Delivered)
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            async with (
                asyncssh.connect(
                    "127.0.0.1", port, username=told["user"], client_keys=[ssh_key("client")], agent_path=None, config=None,
                    known_hosts=([ssh_key("host").convert_to_public()], [], []),
                ) as connection,
                connection.start_sftp_client() as client,
                client.open(f"{told['upload']}/bare-{number}", "wb") as file,
            ):  # fmt: skip
                await file.write(batch)
            bare.append(time.perf_counter() - started)
    return 1 / median(ours), 1 / median(bare)


def sftp(batch: bytes, times: int) -> tuple[float, float]:
    """Batches a second: uploaded whole, measured and renamed by the adapter, and merely written by bare asyncssh."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        folder = Path(name)
        (folder / "sshd").mkdir()
        with openssh(folder / "sshd") as port:
            return asyncio.run(_sftp(port, folder / "payer", batch, times))


if __name__ == "__main__":
    asyncio.run(_serve())

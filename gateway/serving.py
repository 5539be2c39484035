"""Runs the service: API, worker and, where wanted, its own sandbox payer, in one process, until a signal says to leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from aiohttp import web

from adapters.sandbox.server import SandboxServer, start
from gateway import care
from gateway.api.certificates import PLAIN, server_tls
from gateway.api.server import application
from gateway.config import Config
from gateway.disk import Disk
from gateway.judges import count_for, make_ready
from gateway.ledger import api_keys
from gateway.payer_folder import PayerFolder
from gateway.payers import Expects, Payer, Route
from gateway.runtime import TENANT, Runtime, open_runtime
from gateway.service import Service
from gateway.worker import DRAIN_SECONDS, Worker
from gateway.world import SystemWorld
from observability import log, tracing
from queues.database import Transaction, Unreachable
from queues.work import SECOND, due_by

__all__ = ["LEAVES_SECONDS", "SANDBOX_KEY_FILE", "SHUTDOWN_SECONDS", "Running", "running", "sandbox_key", "serve"]

_LOG = log.get("gateway.serving")
SANDBOX_KEY_FILE = "sandbox.key"
# A service that is told to leave is gone within this, and lets go of what it stands on in the last of it (`DRAIN_SECONDS`).
LEAVES_SECONDS = 30.0
# Requests under way have this time to come in whole, and as much again to be answered.
SHUTDOWN_SECONDS = 12.5
# So long what is left of a refused body is thrown away as it comes: a caller that is still sending would not see the answer otherwise.
LINGER_SECONDS = 2.0
# So long a connection may be without a request whose head is whole, from its beginning or its last answer on: the server's own default is an
# hour, and whoever holds connections needs no key. Proxies keep idle ones for 60 s.
IDLE_SECONDS = 75.0
# For so long a database that cannot be reached is asked again at the start: longer than a server takes to start.
_REACHED_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_IDLE_AT_MOST = timedelta(seconds=60)
# Longer than the sandbox route's batch window.
_SOON = 2 * SECOND


@dataclass(frozen=True)
class Running:
    """A service that is up: where it listens, and its parts."""

    url: str
    runtime: Runtime
    service: Service
    worker: Worker
    sandbox: SandboxServer | None

    async def move_clock(self, by: timedelta) -> None:
        """Move the clock ahead, the sandbox payer's first, once nothing is under way that it could cut short."""
        assert self.sandbox is not None
        await self._sent()
        await self.service.idle(self.worker.under_way, _IDLE_AT_MOST)
        await self.sandbox.forward(by)
        world = self.runtime.world
        assert isinstance(world, SystemWorld)
        world.forward(by)
        self.runtime.wake.set()

    async def _sent(self) -> None:
        """What waits for its batch leaves before the days pass: else it would reach the payer days late."""
        runtime, until = self.runtime, self.runtime.world.monotonic() + _IDLE_AT_MOST.total_seconds()

        async def waits(tx: Transaction) -> bool:
            soon = runtime.world.micros() + _SOON
            return await due_by(tx, "batch", soon) or await due_by(tx, "send", soon)

        while await runtime.database.read(waits) and runtime.world.monotonic() < until:
            await runtime.world.sleep(0.02)


def with_sandbox(config: Config, url: str, token: str) -> Config:
    """The configuration with the sandbox payer and the route to it."""
    route = Route(
        id="sandbox",
        adapter="sandbox",
        usage="T",
        sender_id="CLAIMWIRE",
        receiver_id="SANDBOX",
        settings={"url": url},
        secrets={"token": token},
        batch_window_seconds=0.5,
        poll_seconds=1.0,
        duplicates="isa13",
        takes_any_payer=True,
    )
    # Who tries things out sends the same example again and again: it is told, and the payer denies it as the duplicate that it is.
    payer = Payer(
        id="SANDBOX",
        name="SANDBOX HEALTH PLAN",
        routes=["sandbox"],
        aliases=["CWSBX"],
        repeated_claims="warn",
        # Its scripts are silent on purpose, until the follow-up asks.
        expects=Expects(acknowledgement_hours=0, claim_acknowledgement_hours=0, remittance_days=0),
    )
    return msgspec.structs.replace(config, payers=[*config.payers, payer], routes=[*config.routes, route])


class _Left(Exception):
    """A signal said to leave before there was anything to serve from."""


async def _grounded(config: Config, data: Path, world: SystemWorld) -> tuple[Runtime, PayerFolder]:
    """What a process stands on: its database, and the payers that are files."""
    runtime = await open_runtime(config, data, world)
    try:
        if config.database is None:
            runtime.disk = Disk(data, config.disk_reserve_bytes, world.monotonic)
        folder = PayerFolder(runtime, data)
        await folder.look()
    except BaseException:
        await runtime.close()
        raise
    return runtime, folder


async def _reached(config: Config, data: Path, world: SystemWorld, left: asyncio.Event) -> tuple[Runtime, PayerFolder]:
    """What a process stands on, once its database can be reached. Unreachable where it never can, _Left where a signal comes first."""
    until = world.monotonic() + _REACHED_SECONDS
    while True:
        leaving = asyncio.create_task(left.wait())
        opening = asyncio.create_task(_grounded(config, data, world))
        await asyncio.wait((leaving, opening), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.wait((opening,))
            if not opening.cancelled() and opening.exception() is None:
                await opening.result()[0].close()
            raise _Left
        try:
            return await opening
        except Unreachable as error:
            if world.monotonic() > until:
                raise
            _LOG.warning("the database cannot be reached yet", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(left.wait(), _PAUSE_SECONDS)


@asynccontextmanager
async def running(
    config: Config,
    data: Path,
    *,
    sandbox: bool = False,
    sandbox_url: str | None = None,
    left: asyncio.Event | None = None,
) -> AsyncGenerator[Running]:
    """The whole service for as long as the context lasts. `sandbox_url` names a sandbox payer that runs elsewhere.

    A database that cannot be reached is waited for, for a minute or until `left` is set; then Unreachable.
    """
    payer: SandboxServer | None = None
    world = SystemWorld()
    async with contextlib.AsyncExitStack() as stack:
        if sandbox:
            await world.offload(lambda: data.mkdir(mode=0o700, parents=True, exist_ok=True))
            payer = await start(data / "sandbox.db")
            stack.push_async_callback(payer.close)
            world.forward(payer.offset)
        url = payer.url if payer is not None else sandbox_url
        if url is not None:
            config = with_sandbox(config, url, payer.token if payer is not None else "")
        runtime, folder = await _reached(config, data, world, left or asyncio.Event())
        stack.push_async_callback(runtime.close)
        service, worker = Service(runtime), Worker(runtime)
        made: list[Running] = []

        async def clock(by: timedelta) -> None:
            await made[0].move_clock(by)

        told = config.tls
        tls = await world.offload(lambda: server_tls(told)) if told is not None else PLAIN
        app = application(runtime, service, clock if payer is not None else None, tls.key_ids)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            lingering_time=LINGER_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        site = web.TCPSite(runner, config.host, config.port, ssl_context=tls.context)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.append(Running(f"{tls.scheme}://{host}:{port}", runtime, service, worker, payer))
        task = asyncio.create_task(worker.run(), name="worker")
        beside = _beside(runtime, folder, data)
        try:
            yield made[0]
        finally:
            # First no new requests, then what is under way, then the ground it stands on.
            until = runtime.world.monotonic() + DRAIN_SECONDS
            runtime.leaving.set()
            for one in beside:
                one.cancel()
            await runner.cleanup()
            await service.close(until - runtime.world.monotonic())
            await task


async def sandbox_key(runtime: Runtime, data: Path) -> str:
    """The key for trying things out, made on the first start and kept readable by its owner only."""
    path = data / SANDBOX_KEY_FILE

    def read() -> str:
        return path.read_text("ascii").strip() if path.exists() else ""

    token = await runtime.world.offload(read)
    if token:
        return token

    async def create(tx: Transaction) -> str:
        made, _ = await api_keys.create(tx, runtime.vault, TENANT, "sandbox", api_keys.SCOPES, runtime.world.micros())
        return made

    token = await runtime.database.write(create)

    def write() -> None:
        path.touch(mode=0o600)
        path.write_text(token + "\n", "ascii")

    await runtime.world.offload(write)
    return token


def _leave_taken() -> asyncio.Event:
    """Set once a signal says to leave."""
    left = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, left.set)
    return left


def _beside(runtime: Runtime, folder: PayerFolder, data: Path) -> list[asyncio.Task[None]]:
    """What a process does beside its work, until it is cancelled."""
    return [
        asyncio.create_task(folder.watch(), name="payers"),
        asyncio.create_task(care.keep(runtime, data), name="care"),
    ]


async def work(config: Config, data: Path) -> None:
    """Do what is due until SIGTERM or SIGINT, beside other nodes on one database; then drain and leave."""
    make_ready()
    tracing.export()
    left = _leave_taken()
    try:
        runtime, folder = await _reached(config, data, SystemWorld(), left)
    except _Left:
        return
    try:
        runtime.judges.start(count_for(os.cpu_count()) if config.judges is None else config.judges)
        task = asyncio.create_task(Worker(runtime).run(), name="worker")
        beside = _beside(runtime, folder, data)
        _LOG.info("working")
        leaving = asyncio.create_task(left.wait())
        await asyncio.wait((leaving, task), return_when=asyncio.FIRST_COMPLETED)
        _LOG.info("leaving")
        runtime.leaving.set()
        for one in (leaving, *beside):
            one.cancel()
        await task
    finally:
        await runtime.close()


async def serve(config: Config, data: Path, *, sandbox: bool, sandbox_url: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then drain and leave."""
    make_ready()
    tracing.export()
    left = _leave_taken()
    with contextlib.suppress(_Left):
        await _serve(config, data, left, sandbox=sandbox, sandbox_url=sandbox_url)


async def _serve(config: Config, data: Path, left: asyncio.Event, *, sandbox: bool, sandbox_url: str | None) -> None:
    async with running(config, data, sandbox=sandbox, sandbox_url=sandbox_url, left=left) as up:
        up.runtime.judges.start(count_for(os.cpu_count()) if config.judges is None else config.judges)
        lines = [f"Claimwire listens on {up.url} (docs: {up.url}/docs)"]
        if sandbox or sandbox_url:
            key = await sandbox_key(up.runtime, data)
            lines.append(f"Key for trying things out: {key}")
        print("\n".join(lines), flush=True)  # noqa: T201 - what the person who started it reads
        _LOG.info("serving", address=up.url)
        await left.wait()
        _LOG.info("leaving")

"""A gateway that counts the points at which it could die, and dies at one: a process of its own, by a SIGKILL that it sends itself.

A real process was chosen, not one that is abandoned within the tests' own: what dies with it is then what dies with a process (sockets, the
database's connection with its transaction, threads, locks on files), and nothing of it can go on by mistake. It costs little:
`multiprocessing`'s fork server has all modules and compiled guides in memory, and a life begins with a fork of that.

Points are before and after each COMMIT, before each read, before and after each call of an adapter, after each write to a payer's socket within
one, before and after each sleep, wait and thread of `World`, and wherever a task of the gateway waits and goes on. What counts them is put
around the service by this module alone; the service knows nothing of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio import selector_events
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from contextvars import Context as Variables
from contextvars import ContextVar
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from adapters.protocol import Adapter, Context, Evidence, Inbound, Outbound, Outcome
from gateway import serving
from gateway.config import Config
from gateway.payers import Route
from gateway.runtime import DATABASE_FILE, Runtime, open_runtime
from gateway.simulation.machine import awaited, place
from gateway.world import SystemWorld
from observability import log
from queues import postgres
from queues.database import Body, Database, GroupCommit, SQLite, Waiting
from queues.postgres import PostgreSQL

__all__ = ["AWAITS", "Point", "Seen", "Spec", "live"]

T = TypeVar("T")
# What an adapter is doing for us.
_CALL: ContextVar[str] = ContextVar("call", default="")
_PLACE: ContextVar[str] = ContextVar("place", default="")
_IDLE_AT_MOST = timedelta(seconds=10)
_BEGUN_SECONDS = 0.05
_NOWHERE = "the caller"
AWAITS = ("going on at", "waiting at")


class Point(NamedTuple):
    """A place in the code, and when there, in which phase of a life; the `nth` time that it is passed in that phase.

    Without `when` it is the `nth` of all that are passed in the phase.
    """

    phase: str
    when: str
    where: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.phase}: {self.when} {self.where} ({self.nth})"


# How often each point was passed, and how many were.
Seen = dict[tuple[str, str, str], int]


class Spec(NamedTuple):
    """What a process needs to live: `ports` are the payers'; it dies at the first of `dies_at`, and counts where there are none."""

    config: Config
    data: Path
    log: Path
    ahead: timedelta
    phase: str
    ports: frozenset[int]
    dies_at: frozenset[Point]


class _Fate:
    """Counts, and strikes."""

    def __init__(self, spec: Spec) -> None:
        self.phase = spec.phase
        self.ports = spec.ports
        self.seen: Counter[tuple[str, str, str]] = Counter()
        self._dies_at = spec.dies_at
        # Whether awaits are points: looking for where each task waits takes time.
        self.awaits = not spec.dies_at or any(one.when in ("", *AWAITS) for one in spec.dies_at)

    def passes(self, when: str, where: str) -> None:
        """A point. It may be the last."""
        here, any_here = (self.phase, when, where), (self.phase, "", "")
        self.seen[here] += 1
        self.seen[any_here] += 1
        for point in (Point(*here, self.seen[here]), Point(*any_here, self.seen[any_here])):
            if point in self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)


# --- the world and the database -------------------------------------------------------------------------------------------


class _World(SystemWorld):
    """The real one, counted."""

    def __init__(self, fate: _Fate, ahead: timedelta) -> None:
        super().__init__(ahead)
        self._fate = fate
        self._lead(ahead)

    def forward(self, by: timedelta) -> None:
        super().forward(by)
        self._lead(by)

    def _lead(self, by: timedelta) -> None:
        """The server's clock, by which leases of who died end, is ahead as well."""
        _PostgreSQL.server_clock += f" + {by // timedelta(microseconds=1)}"

    def follow(self, said: int, asked: float, heard: float) -> int:
        """It is ahead by so much already."""
        return 0

    async def sleep(self, seconds: float) -> None:
        where = place()
        self._fate.passes("before the sleep of", where)
        await super().sleep(seconds)
        self._fate.passes("after the sleep of", where)

    async def wait(self, event: asyncio.Event, until: int | None) -> None:
        where = place()
        self._fate.passes("before the wait of", where)
        await super().wait(event, until)
        self._fate.passes("after the wait of", where)

    async def offload(self, call: Callable[[], T]) -> T:
        where = place()
        self._fate.passes("before the thread of", where)
        value = await super().offload(call)
        self._fate.passes("after the thread of", where)
        return value


class _Disk:
    """The thread that commits, with a point before each COMMIT and one after it, whose answer nobody has."""

    def __init__(self, database: _SQLite, syncer: Any) -> None:
        self._database = database
        self._syncer = syncer

    def ask(self, call: Callable[[], None]) -> asyncio.Future[None]:
        places = self._database.places

        def committed() -> None:
            self._database.about("before the commit of", places)
            call()
            self._database.about("after the commit of", places)

        return self._syncer.ask(committed)

    def close(self) -> None:
        self._syncer.close()


class _Counted(GroupCommit):
    """What both engines count in the same way."""

    fate: ClassVar[_Fate]
    places: Sequence[str] = ()

    def about(self, when: str, places: Sequence[str]) -> None:
        """A point of each of those that share a COMMIT."""
        for where in places:
            self.fate.passes(when, where)

    async def write(self, body: Body[T]) -> T:
        _PLACE.set(place())
        return await super().write(body)

    async def _commit(self, batch: list[Waiting]) -> None:
        self.places = [context.get(_PLACE, "") for _, _, context in batch]
        await super()._commit(batch)


class _SQLite(_Counted, SQLite):
    def __init__(self, path: Path, *, exclusive: bool) -> None:
        super().__init__(path, exclusive=exclusive)
        disk: Any = _Disk(self, self._syncer)
        self._syncer = disk

    async def read(self, body: Body[T]) -> T:
        self.fate.passes("before the read of", place())
        return await super().read(body)


class _PostgreSQL(_Counted, PostgreSQL):
    async def read(self, body: Body[T]) -> T:
        self.fate.passes("before the read of", place())
        return await super().read(body)


async def _opened(config: Config, data: Path, *, exclusive: bool) -> Database:
    if config.database is None:
        return _SQLite(data / DATABASE_FILE, exclusive=exclusive)
    made = await _PostgreSQL.open(config.database.url, config.database.readers)
    assert isinstance(made, _PostgreSQL)
    module: Any = postgres
    committed = module._committed

    async def counted(*told: Any) -> bool:
        places = made.places
        made.about("before the commit of", places)
        clear = await committed(*told)
        made.about("after the commit of", places)
        return clear

    module._committed = counted
    return made


# --- adapters, and the bytes they write -----------------------------------------------------------------------------------


class _Adapter:
    """An adapter, counted."""

    def __init__(self, adapter: Adapter, fate: _Fate) -> None:
        self._adapter, self._fate = adapter, fate
        self.name, self.capabilities, self.manifest = adapter.name, adapter.capabilities, adapter.manifest

    async def _called(self, what: str, call: Awaitable[T]) -> T:
        self._fate.passes("before", what)
        token = _CALL.set(what)
        try:
            value = await call
        finally:
            _CALL.reset(token)
        self._fate.passes("after", what)
        return value

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        return await self._called(f"send {outbound.set_id}", self._adapter.send(outbound, context))

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        async with aclosing(self._adapter.collect(context)) as collecting:
            # Each step is a call: what the gateway does with a file between them is none of the adapter's doing.
            while (inbound := await self._called("collect", anext(collecting, None))) is not None:
                yield inbound

    async def settle(self, inbound: Inbound, context: Context) -> None:
        await self._called("settle", self._adapter.settle(inbound, context))

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return await self._called("probe", self._adapter.probe(outbound, context))


def _count_adapters(fate: _Fate) -> None:
    plain = Runtime.adapter

    def adapter(self: Runtime, route: Route) -> Adapter:
        return _Adapter(plain(self, route), fate)

    Runtime.adapter = adapter


def _count_bytes(fate: _Fate) -> None:
    """A point after each write to a payer's socket: the system has the bytes."""
    transport: Any = vars(selector_events)["_SelectorSocketTransport"]
    plain = transport.write

    def write(self: Any, data: Any) -> None:
        plain(self, data)
        peer = self.get_extra_info("peername")
        if isinstance(peer, tuple) and peer[1] in fate.ports and (call := _CALL.get()):
            fate.passes("with bytes gone of", call)

    transport.write = write


# --- tasks ----------------------------------------------------------------------------------------------------------------


class _Steps(Coroutine[Any, Any, Any]):
    """A task's coroutine, with a point wherever code of the gateway goes on, and wherever it waits."""

    def __init__(self, coroutine: Any, fate: _Fate) -> None:
        self._coroutine, self._fate = coroutine, fate

    def _passes(self, when: str) -> None:
        if (where := awaited(self._coroutine)) != _NOWHERE:
            self._fate.passes(when, where)

    def send(self, value: Any, /) -> Any:
        self._passes(AWAITS[0])
        yielded = self._coroutine.send(value)
        self._passes(AWAITS[1])
        return yielded

    def throw(self, *raised: Any) -> Any:
        return self._coroutine.throw(*raised)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("only tasks run it")


# --- the life -------------------------------------------------------------------------------------------------------------


def live(spec: Spec, told: Connection) -> None:
    """Serve, and do what is told over the connection, until killed.

    Told are a phase by its name, a timedelta that passes, and None to be told what was seen; each is answered.
    """
    fate = _Fate(spec)
    errors = os.open(spec.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(errors, 2)
    log.configure("INFO")
    _Counted.fate = fate
    world = _World(fate, spec.ahead)

    async def counted(config: Config, data: Path, world: SystemWorld) -> Runtime:
        return await open_runtime(config, data, world, opened=_opened)

    module: Any = serving
    module.SystemWorld, module.open_runtime = lambda: world, counted
    _count_adapters(fate)
    _count_bytes(fate)

    def new_task(
        loop: asyncio.AbstractEventLoop, coroutine: Any, context: Variables | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(_Steps(coroutine, fate), loop=loop, context=context)

    with asyncio.Runner() as runner:
        if fate.awaits:
            runner.get_loop().set_task_factory(new_task)  # pyright: ignore[reportArgumentType]
        runner.run(_lived(spec, told, fate, world))


async def _lived(spec: Spec, told: Connection, fate: _Fate, world: SystemWorld) -> None:
    moving: list[asyncio.Task[None]] = []
    async with serving.running(spec.config, spec.data) as up:

        async def forward(by: timedelta) -> None:
            # As the sandbox's own clock is moved: what is under way is not to lose its lease over it.
            await up.service.idle(up.worker.under_way, _IDLE_AT_MOST)
            world.forward(by)
            up.runtime.wake.set()
            told.send(by)

        def heard() -> None:
            try:
                said = told.recv()
            except EOFError:
                # Whoever started it is gone.
                os.kill(os.getpid(), signal.SIGKILL)
                raise
            match said:
                case str(phase):
                    fate.phase = phase
                    told.send(phase)
                case timedelta() as passes:
                    moving.append(asyncio.create_task(forward(passes)))
                case _:
                    told.send(dict(fate.seen))

        asyncio.get_running_loop().add_reader(told.fileno(), heard)
        # What runs beside has begun by then: its beginning is of the phase in which the process starts.
        await asyncio.sleep(_BEGUN_SECONDS)
        told.send(up.url)
        await asyncio.Event().wait()

"""A simulated machine that the gateway runs on: it dies at any commit or call, and starts again on what the disk has.

Where the power goes, all machines on the disk die, and the disk forgets what was not synced.

A kill takes effect at once: from then on the dead machine's database and network do nothing, whatever its tasks still try. Then these
are cancelled, and what Python does on their way out reaches nobody.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, TypeVar

import apsw

from gateway.config import Config
from gateway.runtime import DATABASE_FILE, Runtime, open_runtime
from gateway.service import Service
from gateway.simulation.disk import PowerDisk
from gateway.simulation.world import Clock, SimulatedWorld
from gateway.worker import Worker
from queues.database import Body, DatabaseError, Done, SQLite, driven

__all__ = ["Fate", "Killed", "Machine", "Rehearsing", "awaited", "new_task", "place"]

T = TypeVar("T")
_PLACE: ContextVar[str] = ContextVar("place", default="")
# Whose a task is: those that it makes are the same machine's.
_MINE: ContextVar[Machine | None] = ContextVar("mine", default=None)


class Killed(asyncio.CancelledError):
    """What a dead machine's tasks are told of whatever they try."""


def place() -> str:
    """Where in the gateway's code something is asked from: module and line of the nearest frame that is not plumbing."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if _is_ours(name):
            return f"{name.removeprefix('gateway.')}:{frame.f_lineno}"
        frame = frame.f_back
    return "the caller"


@dataclass
class Fate:
    """When machines die, and what else befalls disks. `kill_at` counts down the points that are passed; None lets them live."""

    random: Random
    tell: Callable[[str], None]
    disk: PowerDisk
    kill_at: int | None = None
    # One place at which to die, "before" or "after" an effect or "at" an await, the first time that it is passed.
    kill_place: tuple[str, str] | None = None
    # Whether each await counts as a point, too.
    awaits: bool = False
    # The share of commits whose answer comes after minutes, of those that are asked for from places that begin so.
    stalls: float = 0.0
    stalls_in: str = ""
    seen: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    faults: Counter[str] = field(default_factory=Counter[str])

    def strikes(self, where: str, when: str) -> bool:
        """Whether a machine dies at this point."""
        self.seen[where, when] += 1
        if self.kill_place == (where, when):
            self.kill_place = None
            return True
        if self.kill_at is None:
            return False
        self.kill_at -= 1
        if self.kill_at <= 0:
            self.kill_at = None
            return True
        return False

    def stalled(self, places: Sequence[str]) -> float:
        """For how many seconds a commit's answer is kept by a system that stands still."""
        if not any(place.startswith(self.stalls_in) for place in places) or self.random.random() >= self.stalls:
            return 0.0
        self.faults["stalled"] += 1
        seconds = self.random.choice((20.0, 45.0, 100.0, 400.0))
        self.tell(f"the disk keeps an answer for {seconds:.0f} s")
        return seconds


class _Disk:
    """Commits at once, in the loop's own thread; what a commit came to is told a little later, or never."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.places: Sequence[str] = ()

    def ask(self, call: Callable[[], None]) -> asyncio.Future[None]:
        machine = self.machine
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if machine.dead or self._strikes("before"):
            machine.kill(f"before the commit of {', '.join(self.places)}")
            raise Killed
        try:
            call()
        except apsw.Error:
            if machine.dead:
                raise Killed from None
            raise
        machine.committed(self.places)
        if self._strikes("after"):
            machine.kill(f"after the commit of {', '.join(self.places)}")
            return future
        seconds = machine.fate.random.choice((0.0, 0.001, 0.02)) + machine.fate.stalled(self.places)
        asyncio.get_running_loop().call_later(seconds, lambda: future.done() or future.set_result(None))
        return future

    def _strikes(self, when: str) -> bool:
        # Each place counts, also behind one at which the machine dies.
        struck = [self.machine.fate.strikes(where, when) for where in self.places]
        return any(struck)

    def close(self) -> None: ...


class _Copier:
    """Copies the log at once, in the loop's own thread."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def ask(self, call: Callable[[], None]) -> None:
        call()
        if self._machine.dead:
            raise Killed

    def close(self) -> None: ...


class Rehearsing(SQLite):
    """The embedded database, on which each body runs twice, the first time for nothing.

    So PostgreSQL may have to, and can only undo what was written: what else a body changed outside shows here.
    """

    def _one(self, body: Body[Any], future: asyncio.Future[Any], kept: bool) -> Done:
        self._say("SAVEPOINT first")
        with suppress(Exception):
            driven(body(self._statements()))
        # An error may have undone the whole of it.
        if self._writer.in_transaction:
            self._say("ROLLBACK TO first")
            self._say("RELEASE first")
        else:
            self._say("BEGIN IMMEDIATE")
        return super()._one(body, future, kept)


class StoredHere(Rehearsing):
    """The embedded database on a simulated machine's disk. Its log is copied as seldom as elsewhere: a short one would never fill the disk."""

    def __init__(self, path: Path, machine: Machine, *, exclusive: bool) -> None:
        self._machine = machine
        super().__init__(path, exclusive=exclusive, vfs=machine.fate.disk.name)
        self._syncer.close()
        disk: Any = _Disk(machine)
        self._syncer = disk
        self._disk = disk
        assert self._copier is not None
        self._copier.close()
        copier: Any = _Copier(machine)
        self._copier = copier

    async def write(self, body: Body[T]) -> T:
        if self._machine.dead:
            raise Killed
        _PLACE.set(place())
        return await super().write(body)

    async def read(self, body: Body[T]) -> T:
        if self._machine.dead:
            raise Killed
        return await super().read(body)

    async def _commit(self, batch: list[tuple[Body[Any], asyncio.Future[Any], Context]]) -> None:
        self._disk.places = [context.get(_PLACE, "") for _, _, context in batch]
        await super()._commit(batch)

    def drop(self) -> None:
        """The machine is dead: what is open closes, and nothing is written."""
        self._closed = True
        for connection in self._connections:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._let_go()


def new_task(loop: asyncio.AbstractEventLoop, coroutine: Any, context: Context | None = None) -> asyncio.Task[Any]:
    """The loop's way to make tasks: each dies with the machine whose it is."""
    machine = (context or copy_context()).get(_MINE)
    if machine is not None and machine.fate.awaits:
        coroutine = _Steps(coroutine, machine)
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
    if machine is not None:
        machine.adopt(task)
    return task


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine of a machine's, each step of which is a point at which the machine may die."""

    def __init__(self, coroutine: Any, machine: Machine) -> None:
        self._coroutine = coroutine
        self._machine = machine

    def send(self, value: Any, /) -> Any:
        if not self._machine.dead:
            try:
                self._machine.passes(awaited(self._coroutine), "at")
            except Killed as killed:
                return self._coroutine.throw(killed)
        return self._coroutine.send(value)

    def throw(self, *raised: Any) -> Any:
        return self._coroutine.throw(*raised)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("only tasks run it")


def awaited(coroutine: Any) -> str:
    """Where a coroutine waits: module and line of the innermost await of ours."""
    found = "the caller"
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            # What wraps a coroutine, as asyncio's own do, is not looked through.
            break
        name = str(frame.f_globals.get("__name__", ""))
        if _is_ours(name):
            found = f"{name.removeprefix('gateway.')}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return found


def _is_ours(name: str) -> bool:
    return name.startswith(("gateway.", "adapters.")) and not name.startswith("gateway.simulation")


class Machine:
    """One node. `start` begins a life, `kill` ends it at once, `buried` waits until nothing of it is left."""

    def __init__(
        self,
        name: str,
        folder: Path,
        config: Config,
        clock: Clock,
        fate: Fate,
        fit_out: Callable[[Machine, Runtime], None],
        committed: Callable[[Machine, Sequence[str]], None],
        *,
        alone: bool,
    ) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.clock = clock
        self.fate = fate
        self.dead = True
        self.alone = alone
        self._fit_out = fit_out
        self._committed = committed
        # In the order in which they were made.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._death: asyncio.Future[None] | None = None
        self._database: StoredHere | None = None
        self.runtime: Runtime | None = None
        self.service: Service | None = None
        self.worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """A new life on what the disk has. Returns when it serves, or has died before."""
        self.dead, self._death = False, asyncio.get_running_loop().create_future()
        self.fate.tell(f"{self.name} starts")
        beginning = self.spawn(self._live())
        # What a dead machine waits for never comes.
        await asyncio.wait([beginning, self._death], return_when=asyncio.FIRST_COMPLETED)
        if beginning.done() and not beginning.cancelled() and (error := beginning.exception()) is not None:
            if not isinstance(error, DatabaseError):
                raise error
            self.kill("at its start, for the database cannot write")

    async def _live(self) -> None:
        world = SimulatedWorld(self.clock, Random(self.fate.random.getrandbits(64)))  # noqa: S311 - a seed's chance is no secret

        async def opened(_: Config, data: Path, *, exclusive: bool) -> SQLite:
            self._database = StoredHere(data / DATABASE_FILE, self, exclusive=exclusive)
            return self._database

        runtime = await open_runtime(self.config, self.folder, world, exclusive=self.alone, opened=opened)
        self._fit_out(self, runtime)
        self.runtime, self.service = runtime, Service(runtime)
        self.worker = self.spawn(Worker(runtime).run())

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that dies with the machine."""
        context = copy_context()
        context.run(_MINE.set, self)
        return asyncio.get_running_loop().create_task(coroutine, context=context)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """A task that one of this machine's made."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def committed(self, places: Sequence[str]) -> None:
        self._committed(self, places)

    def passes(self, where: str, when: str) -> None:
        """A point before or after something that reaches outside; Killed where the machine dies there, or has."""
        if self.dead:
            raise Killed
        if self.fate.strikes(where, when):
            self.kill(f"{when} {where}")
            raise Killed

    def kill(self, where: str) -> None:
        """Dead from now on."""
        if not self.dead:
            self.dead = True
            self.fate.faults["killed"] += 1
            self.fate.tell(f"{self.name} is killed {where}")
            if self._death is not None and not self._death.done():
                self._death.set_result(None)

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs, and it has no file open."""
        return self.dead and not self._tasks and self._database is None

    async def buried(self) -> None:
        """Nothing of the dead machine runs any more."""
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        self._tasks.clear()
        database, self._database = self._database, None
        if database is not None:
            database.drop()
        if self.runtime is not None:
            await self.runtime.session.close()
        self.runtime = self.service = self.worker = None

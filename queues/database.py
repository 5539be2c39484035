"""One database for ledger and queue, so that a state change and the work it causes commit together.

Callers write `async def body(tx)` functions that await nothing but `tx`, and hand them to `Database.write` or `.read`. The
embedded database runs bodies on the event loop's thread, one after the other, and syncs many of them with one COMMIT in a
thread of its own: a result is returned only after that COMMIT is on disk. `queues.postgres` is the other engine. Statements use `$1`, `$2` placeholders, times are integer microseconds UTC, ids are text: what PostgreSQL and SQLite both take.

Sources: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous (FULL syncs the WAL at every commit).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import apsw

__all__ = [
    "Database",
    "DatabaseError",
    "DatabaseFull",
    "Done",
    "GroupCommit",
    "InUse",
    "Migration",
    "OutcomeUnknown",
    "SQLite",
    "Transaction",
    "Unique",
    "Unreachable",
    "Value",
    "Waiting",
    "driven",
    "migrated",
    "migrations_in",
    "translated",
]

T = TypeVar("T")
Value = str | int | float | bytes | None
Row = tuple[Any, ...]

_BATCH_MAX = 512
_BUSY_MILLISECONDS = 5_000
# Search keys are spread over their whole index: its pages must stay at hand.
_CACHE_KIBIBYTES = 32 << 10


class DatabaseError(Exception):
    """The database could not do what was asked; nothing of the transaction is kept."""


class DatabaseFull(DatabaseError):
    """No space, read-only, or an I/O error: new work must be refused."""


class Unreachable(DatabaseError):
    """The database cannot be reached now, or takes nobody: it starts, stops, or is full. Later it may be well."""


class OutcomeUnknown(DatabaseError):
    """Nobody can say now whether the transaction was kept."""


class Unique(DatabaseError):
    """A unique key is taken already."""


class InUse(DatabaseError):
    """Another process serves from this data folder."""


class Transaction(Protocol):
    """What a body may await. All or nothing of a body is committed."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """All rows of a statement."""
        ...

    async def row(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run a statement once for each row of values."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once the transaction is durable; not at all when it fails."""
        ...

    def announce(self) -> None:
        """Tell those who listen that there is work, once the transaction is durable."""
        ...


Body = Callable[[Transaction], Coroutine[Any, Any, T]]


class Database(Protocol):
    """A place for transactions. `skip_locked` is the clause that keeps two workers off one row, where the engine has it; `server_clock` what
    gives the time of its server (microseconds), where there is one.
    """

    skip_locked: str
    server_clock: str

    def write(self, body: Body[T]) -> Awaitable[T]:
        """Ask for a body to be run, at once; awaited, what it came to, when its changes are durable. Raises what the body raised, after undoing it.

        Whoever awaits many needs no task for each. Bodies run one after the other, whoever else writes. One may run more than once, each
        time on what is committed by then: it changes nothing in memory that it did not make itself.
        """
        ...

    async def read(self, body: Body[T]) -> T:
        """Run a body that changes nothing, on what is committed."""
        ...

    async def migrate(self, migrations: Sequence[Migration]) -> list[str]:
        """Apply those not yet applied, in order; their names."""
        ...

    def listen(self, call: Callable[[], None]) -> None:
        """Call this whenever work was announced: by this process, and by others where the engine carries the word."""
        ...

    async def warnings(self, now: int) -> list[str]:
        """What of the engine's settings may lose what was told committed, each in a sentence. `now` is our clock, in microseconds."""
        ...

    async def close(self) -> None: ...


class Migration(tuple[str, str]):
    """(name, SQL). Names are applied in their order and never change once released."""

    __slots__ = ()


def migrations_in(folder: Path, component: str) -> list[Migration]:
    """The numbered `NNNN_name.sql` files of a folder."""
    files = sorted(p for p in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", p.name))
    return [Migration((f"{component}/{p.stem}", p.read_text("utf-8"))) for p in files]


async def migrated(
    tx: Transaction, migrations: Sequence[Migration], rendered: Callable[[str], str] = lambda sql: sql
) -> list[str]:
    """Apply those not yet applied, in order, each as the engine takes it (`rendered`); their names."""
    await tx.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY)")
    done = {row[0] for row in await tx.fetch("SELECT name FROM migration")}
    new = [m for m in migrations if m[0] not in done]
    for name, sql in new:
        await tx.execute(rendered(sql))
        await tx.execute("INSERT INTO migration (name) VALUES ($1)", name)
    return [name for name, _ in new]


def translated(error: apsw.Error) -> DatabaseError:
    """What an error of SQLite means to callers."""
    if isinstance(error, apsw.ConstraintError):
        return Unique("a unique key is taken already")
    if isinstance(error, (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)):
        return DatabaseFull(f"the database cannot write: {type(error).__name__}")
    return DatabaseError(f"{type(error).__name__}: {error}")


@cache
def _numbered(sql: str) -> str:
    """A statement with SQLite's `?1` for `$1`: SQLite takes `$1` for a name, and values bound by number come as they are."""
    return re.sub(r"\$(\d+)", r"?\1", sql)


# A body, who waits for it, and the context it was asked in.
Waiting = tuple[Body[Any], asyncio.Future[Any], Context]
# What a body came to: who waits for it, its value or its error, and the transaction that it saw.
Done = tuple[asyncio.Future[Any], Any, BaseException | None, "_Statements"]


class _Statements:
    """A transaction on one SQLite connection, by its one cursor. Its coroutines never suspend."""

    __slots__ = ("_connection", "_cursor", "announced", "callbacks")

    def __init__(self, connection: Any, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self.callbacks: Sequence[Callable[[], None]] = ()
        self.announced = False

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return self._cursor.execute(_numbered(sql), values).fetchall()

    async def row(self, sql: str, *values: Value) -> Row | None:
        rows = self._cursor.execute(_numbered(sql), values).fetchall()
        return rows[0] if rows else None

    async def execute(self, sql: str, *values: Value) -> int:
        self._cursor.execute(_numbered(sql), values).fetchall()
        return self._connection.changes()

    async def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        self._cursor.executemany(_numbered(sql), rows).fetchall()

    def after_commit(self, call: Callable[[], None]) -> None:
        self.callbacks = (*self.callbacks, call)

    def announce(self) -> None:
        self.announced = True


def driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that never suspends comes to. DatabaseError where it does: a body may await nothing but its transaction."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise DatabaseError("a transaction body awaited something other than its transaction")


class _Syncer:
    """One thread that waits for the disk. An executor would do, at twice the cost of a short COMMIT.

    It is woken over a pipe: who writes to one gives up the interpreter's lock meanwhile, and so the thread begins at once. A queue's
    lock is let go with that lock held: the thread woke for nothing, slept, and woke again when the loop had come to its rest.
    """

    def __init__(self, name: str) -> None:
        self._asked: deque[tuple[asyncio.Future[None], Callable[[], None]]] = deque()
        self._woken, self._waking = os.pipe()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, call: Callable[[], None]) -> asyncio.Future[None]:
        """Begin a call in the thread; what it comes to."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((future, call))
        os.write(self._waking, b"\0")
        return future

    def close(self) -> None:
        """End the thread once it has done what it was asked. Again is the same as once."""
        if self._thread.is_alive():
            os.close(self._waking)
            self._thread.join()
            os.close(self._woken)

    def _run(self) -> None:
        while os.read(self._woken, 1):
            future, call = self._asked.popleft()
            error: BaseException | None = None
            try:
                call()
            except BaseException as raised:
                error = raised
            # A loop that is closed has nobody waiting.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_settle, future, error)


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if not future.done():
        future.set_result(None) if error is None else future.set_exception(error)


class GroupCommit(ABC):
    """Takes bodies from callers, and commits those that ask about the same time together, so many at most."""

    def __init__(self, bodies_max: int) -> None:
        self._bodies_max = bodies_max
        self._waiting: list[Waiting] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False
        # Whether bodies have savepoints: after a batch in which one failed, until one in which none did.
        self._apart = False

    def write(self, body: Body[T]) -> Awaitable[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(DatabaseError("the database is closed"))
            return future
        # A body runs among those of other callers: what belongs to its own, such as the open span, comes with it.
        self._waiting.append((body, future, copy_context()))
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush())
        return future

    async def _at_rest(self) -> None:
        """Until nothing waits to be committed."""
        # One that was cancelled before it began did not say that it ended.
        while self._flushing is not None and not self._flushing.done():
            await asyncio.wait([self._flushing])

    async def _flush(self) -> None:
        try:
            while self._waiting:
                # Callers that are about to ask, such as those whose answers the last COMMIT freed, share this one: a turn of
                # the loop is shorter than a sync.
                gathered = 0
                while gathered < len(self._waiting) < self._bodies_max:
                    gathered = len(self._waiting)
                    await asyncio.sleep(0)
                batch, self._waiting = self._waiting[: self._bodies_max], self._waiting[self._bodies_max :]
                await self._commit(batch)
        finally:
            self._flushing = None

    @abstractmethod
    async def _commit(self, batch: list[Waiting]) -> None:
        """Run the bodies of a batch, commit them, and tell their callers."""


class SQLite(GroupCommit):
    """The embedded database: one file in a folder, one writer, WAL, synchronous=FULL, group commit.

    `exclusive` takes the folder's lock, so that a second server on it is refused. A path of None is a private database in
    memory, for tests.
    """

    skip_locked = ""
    server_clock = ""
    # The log is copied into the database, beside the commits, whenever it has grown by so many pages; at so many a COMMIT copies what is
    # left itself, and the log begins anew.
    copied_after: ClassVar[int] = 1_000
    log_pages_max: ClassVar[int] = 4_000

    def __init__(self, path: Path | None, *, exclusive: bool = False, vfs: str | None = None) -> None:
        super().__init__(_BATCH_MAX)
        self._lock: int | None = _lock(path) if path is not None and exclusive else None
        name = str(path) if path is not None else ":memory:"
        self._connections: list[Any] = []
        try:
            self._writer: Any = self._opened(name, vfs)
            self._writer.execute("PRAGMA journal_mode=WAL").fetchall()
            self._writer.execute("PRAGMA synchronous=FULL").fetchall()
            self._writer.execute("PRAGMA foreign_keys=ON").fetchall()
            self._reader: Any = (
                self._writer if path is None else self._opened(name, vfs, flags=apsw.SQLITE_OPEN_READONLY)
            )
            self._copying: Any = self._writer if path is None else self._opened(name, vfs)
        except apsw.Error as error:
            self._let_go()
            raise translated(error) from error
        # Statements run one after the other, each to its end: one cursor for each connection is enough.
        self._writing: Any = self._writer.cursor()
        self._reading: Any = self._reader.cursor()
        self._syncer = _Syncer("claimwire-commit")
        self._copier = None if path is None else _Syncer("claimwire-checkpoint")
        # How many pages the log has, and had when it was last copied.
        self._log_pages = self._copied_pages = 0
        self._writer.set_wal_hook(self._logged)
        self._listeners: list[Callable[[], None]] = []

    async def read(self, body: Body[T]) -> T:
        if self._reader is self._writer:
            await self._at_rest()
        try:
            return driven(body(_Statements(self._reader, self._reading)))
        except apsw.Error as error:
            raise translated(error) from error

    async def migrate(self, migrations: Sequence[Migration]) -> list[str]:
        return await self.write(lambda tx: migrated(tx, migrations))

    def listen(self, call: Callable[[], None]) -> None:
        self._listeners.append(call)

    async def warnings(self, now: int) -> list[str]:
        return []  # They are ours to make.

    async def close(self) -> None:
        await self._at_rest()
        self._closed = True
        self._syncer.close()
        if self._copier is not None:
            self._copier.close()
        self._let_go()

    def _let_go(self) -> None:
        while self._connections:
            # A disk that fails at the last checkpoint loses nothing: the log stays, and is read at the next start.
            with suppress(apsw.Error):
                self._connections.pop().close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _opened(self, name: str, vfs: str | None, **how: Any) -> Any:
        connection: Any = apsw.Connection(name, vfs=vfs, **how)
        self._connections.append(connection)
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        # Plans that do not depend on bound values: otherwise SQLite prepares a statement anew each time that one is bound.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}").fetchall()
        # Bodies have savepoints: what they would be undone from need not go to a file.
        connection.execute("PRAGMA temp_store=MEMORY").fetchall()
        return connection

    async def _commit(self, batch: list[Waiting]) -> None:
        """Run the bodies of a batch, sync them with one COMMIT, then tell their callers."""
        results: list[Done] = []
        try:
            self._say("BEGIN IMMEDIATE")
            results = self._in_turn(batch)
            await self._syncer.ask(lambda: self._say("COMMIT"))
        except BaseException as error:
            if self._writer.in_transaction:
                self._say("ROLLBACK")
            failure = translated(error) if isinstance(error, apsw.Error) else error
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(
                        failure if isinstance(failure, Exception) else DatabaseError("the commit was interrupted")
                    )
            if not isinstance(error, apsw.Error):
                raise
            return
        announced = False
        for future, value, error, statements in results:
            if error is None:
                announced = announced or statements.announced
                for call in statements.callbacks:
                    call()
            if not future.done():
                future.set_exception(error) if error is not None else future.set_result(value)
        if announced:
            for call in self._listeners:
                call()
        self._copy_log()

    def _logged(self, writer: Any, _: str, pages: int) -> int:
        """A COMMIT is in the log, which has so many pages now."""
        self._log_pages = pages
        if pages >= self.log_pages_max:
            _copied(writer)
        return apsw.SQLITE_OK

    def _copy_log(self) -> None:
        """Have the log copied where it has grown enough: a COMMIT that did it, as SQLite has it, would keep all others waiting."""
        if self._log_pages < self._copied_pages:
            self._copied_pages = 0
        if self._copier is not None and self._log_pages - self._copied_pages >= self.copied_after:
            self._copied_pages = self._log_pages
            self._copier.ask(lambda: _copied(self._copying))

    def _in_turn(self, batch: list[Waiting]) -> list[Done]:
        """What the bodies of a batch come to, one after the other; again from the first, each with a savepoint, where one fails."""
        results: list[Done] = []
        if not self._apart:
            for body, future, context in batch:
                done = context.run(self._one, body, future, False)
                results.append(done)
                if done[2] is not None:
                    break
            else:
                return results
            if len(batch) == 1:
                return results
            results.clear()
        kept = False
        for body, future, context in batch:
            results.append(context.run(self._one, body, future, kept))
            kept = kept or results[-1][2] is None
        self._apart = any(error is not None for _, _, error, _ in results)
        return results

    def _one(self, body: Body[Any], future: asyncio.Future[Any], kept: bool) -> Done:
        """Run a body. `kept` says that the transaction holds what other bodies did: then this one has a savepoint to go back to."""
        statements = self._statements()
        if kept:
            self._say("SAVEPOINT body")
        try:
            value = driven(body(statements))
        except Exception as error:
            if not self._writer.in_transaction:
                raise  # The engine undid the whole batch: nothing of it may be reported as done.
            for undo in ("ROLLBACK TO body", "RELEASE body") if kept else ("ROLLBACK", "BEGIN IMMEDIATE"):
                self._say(undo)
            return future, None, translated(error) if isinstance(error, apsw.Error) else error, statements
        if kept:
            self._say("RELEASE body")
        return future, value, None, statements

    def _statements(self) -> _Statements:
        return _Statements(self._writer, self._writing)

    def _say(self, sql: str) -> None:
        self._writing.execute(sql).fetchall()


def _copied(connection: Any) -> None:
    """Copy what the log has into the database. Where the disk does not let us, it stays in the log: the next time is soon."""
    with suppress(apsw.Error):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _lock(path: Path) -> int:
    """The advisory lock beside the database; held until the process ends, however it ends."""
    handle = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise InUse(f"another process serves from {path.parent}: stop it first, or use another data folder") from None
    return handle

"""PostgreSQL as the database of any number of nodes: the contract of `queues.database`, kept on asyncpg.

Those who write come one after the other here, too: each COMMIT holds the bodies of many callers of a node, and has the one lock of
all writers from its first statement on. So a body that is right on the embedded database is right here, positions follow the order of
the commits, and nothing fails for want of serialization. A node that hangs with the lock is cut off by the server.

A COMMIT whose answer is lost is settled by the row that its transaction wrote: who has the lock after it sees whether that is there.
So is one of which the server warns: where a standby is waited for, it breaks off the waiting and says COMMIT all the same.

Sources: postgresql.org/docs/current/explicit-locking.html (advisory locks; each statement of READ COMMITTED sees what was committed
before it), errcodes-appendix.html, sql-notify.html, runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT.
"""

from __future__ import annotations

import asyncio
import re
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context, copy_context
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from queues.database import (
    Body,
    DatabaseError,
    DatabaseFull,
    GroupCommit,
    Migration,
    OutcomeUnknown,
    Row,
    Transaction,
    Unique,
    Unreachable,
    Value,
    Waiting,
    migrated,
)

__all__ = ["PostgreSQL"]

T = TypeVar("T")
_pg: Any = asyncpg

# Bodies in one COMMIT: past 64 savepoints PostgreSQL keeps them on disk.
_BATCH_MAX = 64
_CHANNEL = "claimwire_work"
# "claimwir" in ASCII: advisory locks are numbers that all who share a database agree on.
_LOCK = 0x636C61696D776972
_TRIES = 8
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.05, 1.0
# For how long it is asked, once a second, what became of a COMMIT: longer than a server takes to start again.
_OUTCOME_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
# A statement of ours that takes longer has lost its server.
_STATEMENT_SECONDS = 30.0
_SKEW_MICROSECONDS = 2_000_000
_MICROSECONDS = 1_000_000
_SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    # A node that is frozen, or gone without a word, must not keep the others from writing.
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "20000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Each node's latest COMMIT, told from all others.
_COMMITS = (
    "CREATE TABLE IF NOT EXISTS commits (node TEXT PRIMARY KEY, commit_id TEXT NOT NULL, at TIMESTAMPTZ NOT NULL)"
)
_LOST = (
    _pg.PostgresConnectionError,
    _pg.InterfaceError,
    # So asyncpg ends when a connection breaks between two answers, and when no host takes writes.
    _pg.InternalClientError,
    OSError,
    TimeoutError,
)
# SQLSTATE of what may be well when done again: serialization failure and deadlock, no connection left, starting and shutting down,
# cut off in a transaction, no lock, another server's turn (read only).
_READ_ONLY = "25006"
_AGAIN = frozenset(
    {"40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "55P03", _READ_ONLY}
)
# Of these, what says that the server takes nobody now.
_NOBODY_NOW = frozenset({"53300", "57P01", "57P02", "57P03"})
_FULL = frozenset({"53100", "53200", "58030", _READ_ONLY})
# Class 01: a COMMIT that stands, but not as it was asked for.
_WARNING = "01"
_UNDONE = (_pg.TransactionRollbackError, _pg.IntegrityConstraintViolationError)


class _Again(Exception):
    """Nothing of the transaction was kept; it may be well when done again."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _passes(error: BaseException) -> bool:
    """Whether it may be well when done again. Plans made before the tables changed are made anew then."""
    return isinstance(error, (*_LOST, _pg.InvalidCachedStatementError)) or _sqlstate(error) in _AGAIN


def _translated(error: BaseException) -> DatabaseError:
    """What an error means to callers. Messages of PostgreSQL are left out: they may quote values."""
    code = _sqlstate(error)
    if isinstance(error, _pg.UniqueViolationError):
        return Unique("a unique key is taken already")
    if code in _FULL:
        return DatabaseFull(f"the database cannot write: {type(error).__name__}")
    if isinstance(error, _LOST) or code in _NOBODY_NOW:
        return Unreachable(f"the database cannot be reached: {type(error).__name__}")
    return DatabaseError(f"{type(error).__name__}{f' ({code})' if code else ''}")


# --- bodies -----------------------------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    """A statement that a body waits for."""

    how: Literal["fetch", "execute", "many"]
    sql: str
    values: Sequence[Any]

    async def answer(self, connection: Any) -> Any:
        """What it comes to on a connection."""
        match self.how:
            case "fetch":
                return [tuple(row) for row in await connection.fetch(self.sql, *self.values)]
            case "execute":
                # The tag says how many rows last: UPDATE 3, INSERT 0 1.
                count = (await connection.execute(self.sql, *self.values)).rpartition(" ")[2]
                return int(count) if count.isdigit() else 0
            case "many":
                return await connection.executemany(self.sql, self.values)


@types.coroutine
def _ask(how: Literal["fetch", "execute", "many"], sql: str, values: Sequence[Any]) -> Generator[_Asked, Any, Any]:
    return (yield _Asked(how, sql, values))


class _Statements:
    """A transaction as bodies see it: each statement is handed to whoever drives the body."""

    __slots__ = ("announced", "callbacks")

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self.announced = False

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return await _ask("fetch", sql, values)

    async def row(self, sql: str, *values: Value) -> Row | None:
        rows: list[Row] = await _ask("fetch", sql, values)
        return rows[0] if rows else None

    async def execute(self, sql: str, *values: Value) -> int:
        return await _ask("execute", sql, values)

    async def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        if values := list(rows):
            await _ask("many", sql, values)

    def after_commit(self, call: Callable[[], None]) -> None:
        self.callbacks.append(call)

    def announce(self) -> None:
        self.announced = True


async def _drive(connection: Any, coroutine: Coroutine[Any, Any, T], context: Context) -> T:
    """Run a body to its end on a connection; _Again where the connection, or the whole transaction, is lost for it."""
    answer: Any = None
    failure: DatabaseError | None = None
    while True:
        try:
            go_on: Callable[[Any], Any] = coroutine.send if failure is None else coroutine.throw
            asked = context.run(go_on, answer if failure is None else failure)
        except StopIteration as stop:
            return stop.value
        if not isinstance(asked, _Asked):
            coroutine.close()
            raise DatabaseError("a transaction body awaited something other than its transaction")
        answer, failure = None, None
        try:
            answer = await asked.answer(connection)
        except (*_LOST, _pg.PostgresError) as error:
            # asyncpg says so, too, where a statement does not fit its values: then the connection lives.
            misused = isinstance(error, _pg.InterfaceError) and not connection.is_closed()
            if _passes(error) and not misused:
                coroutine.close()
                raise _Again(error) from None
            failure = DatabaseError(f"a statement that cannot be: {error}") if misused else _translated(error)


# A body, who waits for it, and the context it was asked in.
# What a body came to: its value or its error, and what it wanted done after the COMMIT.
_Done = tuple[Any, "BaseException | None", _Statements]


class PostgreSQL(GroupCommit):
    """A PostgreSQL database behind a URL; `open` makes one. Several hosts may be named: the one that takes writes is found, and stayed with.

    A node has one connection that writes, up to `readers` that read, and one that listens.
    """

    skip_locked = "FOR UPDATE SKIP LOCKED"
    server_clock = "(extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT"

    def __init__(self, url: str, readers: int = 4) -> None:
        super().__init__(_BATCH_MAX)
        self._url = url
        # A URL of each host, the one that was connected to last before the others.
        self._hosts: list[str] = []
        self._node = uuid4().hex
        # By which the server's own tools tell who is connected, too.
        self._name = f"claimwire-{self._node[:12]}"
        self._settings = {"application_name": self._name, **_SETTINGS}
        self._readers = asyncio.Semaphore(readers)
        self._idle: list[Any] = []
        self._writer: Any = None
        self._hearing: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, url: str, readers: int = 4) -> PostgreSQL:
        """Connect, and make ready what transactions need. DatabaseError when there is no such database, or none that takes writes."""
        made = cls(url, readers)

        async def ready(tx: Transaction) -> None:
            await tx.execute(_COMMITS)
            # Of nodes that are long gone.
            await tx.execute("DELETE FROM commits WHERE at < now() - interval '30 days'")

        try:
            await made.alone(ready)
        except BaseException:
            await made.close()
            raise
        return made

    async def read(self, body: Body[T]) -> T:
        context = copy_context()

        async def once() -> T:
            async with self._reading() as connection:
                value = await _drive(connection, context.run(body, _Statements()), context)
                await connection.execute("COMMIT")
                return value

        return await _persist(once)

    async def migrate(self, migrations: Sequence[Migration]) -> list[str]:
        return await self.alone(lambda tx: migrated(tx, migrations, _rendered))

    def listen(self, call: Callable[[], None]) -> None:
        self._listeners.append(call)
        if self._hearing is None:
            self._hearing = asyncio.get_running_loop().create_task(self._hear(), name="database listener")

    async def warnings(self, now: int) -> list[str]:
        """What of the server's settings may lose what was told committed, each in a sentence that says what to do.

        So, too, where its clock is far from ours, which says `now` in microseconds.
        """

        async def body(tx: Transaction) -> Row | None:
            return await tx.row(
                "SELECT current_setting('fsync'), current_setting('full_page_writes'), (SELECT reset_val FROM pg_settings"
                " WHERE name = 'synchronous_commit'), current_setting('synchronous_standby_names'),"
                " (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT"
            )

        row = await self.read(body)
        assert row is not None
        fsync, pages, commit, standbys, clock = row
        return _told(fsync, pages, commit, standbys, clock - now)

    async def others(self) -> int:
        """How many others (nodes, commands) are connected to the database."""
        sql = (
            "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'claimwire%' AND application_name <> $1"
        )
        row = await self.read(lambda tx: tx.row(sql, self._name))
        return row[0] if row else 0

    async def close(self) -> None:
        await self._at_rest()
        self._closed = True
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])
        for connection in (self._writer, *self._idle):
            await _end(connection)
        self._writer, self._idle = None, []

    # --- connections --------------------------------------------------------------------------------------------------

    async def _connect(self, statement_seconds: float | None = _STATEMENT_SECONDS) -> Any:
        """A new connection to the server that takes writes; _Again when there is none now."""
        failures: list[BaseException] = []
        try:
            self._hosts = self._hosts or _each_host(self._url)
            for host in list(self._hosts):
                try:
                    connection = await self._connect_to(host, statement_seconds)
                except (*_LOST, _pg.PostgresError) as error:
                    failures.append(error)
                    continue
                self._hosts.remove(host)
                self._hosts.insert(0, host)
                return connection
        except ValueError:
            raise DatabaseError("the URL of the database cannot be read: postgresql://user@host:5432/name") from None
        passing = [error for error in failures if _passes(error)]
        if passing:
            raise _Again(passing[0])
        raise _translated(failures[0])

    async def _connect_to(self, host: str, statement_seconds: float | None) -> Any:
        connection = await _pg.connect(
            host,
            # Each has its own time: one that is gone without a word must not take that of the others.
            timeout=_CONNECT_SECONDS,
            command_timeout=statement_seconds,
            # What the URL says of settings holds.
            server_settings={k: v for k, v in self._settings.items() if f"{k}=" not in self._url},
            target_session_attrs="read-write",
        )
        # Whatever the server's default is: what we tell durable is on its disk.
        try:
            await connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            )
        except BaseException:
            connection.terminate()
            raise
        return connection

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Any]:
        """A connection in a transaction that sees one moment of the database; closed where it is not left in good order."""
        async with self._readers:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                await _said(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield connection
            finally:
                with suppress(*_LOST, _pg.PostgresError):
                    if connection.is_in_transaction():
                        await connection.execute("ROLLBACK")
                if self._closed or connection.is_closed() or connection.is_in_transaction():
                    await _end(connection)
                else:
                    self._idle.append(connection)

    async def alone(self, body: Body[T]) -> T:
        """Run a body that may take long, on a connection of its own, with the lock of all writers."""

        async def once() -> T:
            connection = await self._connect(None)
            try:
                await _said(connection, f"SET lock_timeout = 0; BEGIN; SELECT pg_advisory_xact_lock({_LOCK})")
                value = await _drive(connection, body(_Statements()), copy_context())
                await _said(connection, "COMMIT")
                return value
            finally:
                await _end(connection)

        return await _persist(once)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _commit(self, batch: list[Waiting]) -> None:
        """Run the bodies of a batch, again where that helps, and tell their callers."""
        try:
            results = await _persist(lambda: self._attempt(batch))
        except BaseException as error:
            failure = error if isinstance(error, Exception) else DatabaseError("the commit was interrupted")
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(failure)
            if not isinstance(error, Exception):
                raise
            return
        for _, error, statements in results:
            if error is None:
                for call in statements.callbacks:
                    call()
        for (_, future, _), (value, error, _) in zip(batch, results, strict=True):
            if not future.done():
                future.set_exception(error) if error is not None else future.set_result(value)
        if any(error is None and statements.announced for _, error, statements in results):
            self._tell()

    async def _attempt(self, batch: list[Waiting]) -> list[_Done]:
        """One transaction with the bodies of a batch; what each came to. _Again where nothing of it was kept."""
        if self._writer is None or self._writer.is_closed():
            self._writer = await self._connect()
        connection, commit_id = self._writer, uuid4().hex
        begun = (
            f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK}); INSERT INTO commits (node, commit_id, at) VALUES ('{self._node}', '{commit_id}', now())"
            " ON CONFLICT (node) DO UPDATE SET commit_id = excluded.commit_id, at = excluded.at"
        )
        try:
            await _said(connection, begun)
            results = await self._in_turn(connection, batch, begun)
            kept = [statements for _, error, statements in results if error is None]
            if not kept:
                await _said(connection, "ROLLBACK")
                return results
        except BaseException as error:
            await self._drop(connection, error)
            raise
        notify = f"NOTIFY {_CHANNEL}; " if any(statements.announced for statements in kept) else ""
        try:
            clear = await _committed(connection, notify)
        except _UNDONE as error:
            await self._drop(connection, error)
            raise _Again(error) from None
        except BaseException as error:
            connection.terminate()
            if not isinstance(error, (*_LOST, _pg.PostgresError)):
                raise
            if not await self._was_kept(commit_id):
                raise _Again(error) from None
        else:
            if not clear and not await self._was_kept(commit_id):
                raise _Again(ConnectionError("the server warned of a COMMIT"))
        return results

    async def _in_turn(self, connection: Any, batch: list[Waiting], begun: str) -> list[_Done]:
        """What the bodies of a batch come to, one after the other; again from the first, each with a savepoint, where one fails."""
        results: list[_Done] = []
        if not self._apart:
            for body, _, context in batch:
                results.append(await self._one(connection, body, context, apart=False))
                if results[-1][1] is not None:
                    break
            else:
                return results
            if len(batch) == 1:
                return results
            results.clear()
            await _said(connection, f"ROLLBACK; {begun}")
        for body, _, context in batch:
            results.append(await self._one(connection, body, context, apart=len(batch) > 1))
        self._apart = any(error is not None for _, error, _ in results)
        return results

    async def _one(self, connection: Any, body: Body[Any], context: Context, *, apart: bool) -> _Done:
        """Run a body. `apart` says that there are others in the transaction: then this one has a savepoint to go back to."""
        statements = _Statements()
        if apart:
            await _said(connection, "SAVEPOINT body")
        try:
            value = await _drive(connection, context.run(body, statements), context)
        except _Again:
            raise
        except Exception as error:
            if apart:
                await _said(connection, "ROLLBACK TO SAVEPOINT body; RELEASE SAVEPOINT body")
            return None, error, statements
        if apart:
            await _said(connection, "RELEASE SAVEPOINT body")
        return value, None, statements

    async def _drop(self, connection: Any, cause: BaseException) -> None:
        """Leave a transaction that came to nothing, and with it a server that takes no writes any more."""
        try:
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except (*_LOST, _pg.PostgresError):
            connection.terminate()
        if isinstance(cause, _Again) and _sqlstate(cause.cause) == _READ_ONLY:
            connection.terminate()

    async def _was_kept(self, commit_id: str) -> bool:
        """Whether a COMMIT without a clear answer is one. Its transaction has ended once we have the lock it held."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _OUTCOME_SECONDS
        while True:
            with suppress(_Again):
                connection = await self._connect()
                try:
                    await _said(connection, f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})")
                    found = await connection.fetchval(
                        "UPDATE commits SET at = now() WHERE node = $1 RETURNING commit_id", self._node
                    )
                    # A standby that is waited for has all that came before, once it has this.
                    if await _committed(connection):
                        return found == commit_id
                except (*_LOST, _pg.PostgresError) as error:
                    if not _passes(error):
                        raise _translated(error) from None
                finally:
                    await _end(connection)
            if loop.time() >= until:
                raise OutcomeUnknown("whether a COMMIT was kept could not be found out")
            await asyncio.sleep(_PAUSE_SECONDS_MAX)

    # --- listening ----------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        for call in self._listeners:
            call()

    def _heard(self, _: Any, process_id: int, __: str, ___: object) -> None:
        # What this node announced it has heard of at the COMMIT.
        if self._writer is None or self._writer.is_closed() or process_id != self._writer.get_server_pid():
            self._tell()

    async def _hear(self) -> None:
        """Listen to what other nodes announce, for as long as the database is open."""
        while True:
            lost = asyncio.Event()
            connecting = asyncio.ensure_future(self._connect())
            try:
                connection = await asyncio.shield(connecting)
                connection.add_termination_listener(_setting(lost))
                await connection.add_listener(_CHANNEL, self._heard)
                # There may have been work while nobody listened.
                self._tell()
                await lost.wait()
            except (_Again, DatabaseError, *_LOST, _pg.PostgresError):
                pass
            finally:
                # A connection that is cut off while it is made would stay at the server, and nobody would know of it.
                with suppress(_Again, DatabaseError, *_LOST, _pg.PostgresError):
                    await _end(await connecting)
            await asyncio.sleep(_PAUSE_SECONDS_MAX)


# --- pieces -----------------------------------------------------------------------------------------------------------


async def _persist(once: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do it, and again where nothing was kept and that may help: a few seconds long, then DatabaseError."""
    tried, pause = 0, _PAUSE_SECONDS
    while True:
        try:
            return await once()
        except _Again as again:
            cause = again.cause
        except (*_LOST, _pg.PostgresError) as error:
            cause = error
        tried += 1
        if tried == _TRIES or not _passes(cause):
            raise _translated(cause) from None
        await asyncio.sleep(pause)
        pause = min(pause * 2, _PAUSE_SECONDS_MAX)


async def _said(connection: Any, sql: str) -> None:
    """Say something about the transaction itself."""
    try:
        await connection.execute(sql)
    except (*_LOST, _pg.PostgresError) as error:
        if _passes(error):
            raise _Again(error) from None
        raise _translated(error) from None


async def _committed(connection: Any, notify: str = "") -> bool:
    """Commit; whether the server has nothing to warn of. DatabaseError where it rolled back."""
    warned: list[str] = []

    def hear(_: Any, message: Any) -> None:
        if str(message.sqlstate or "").startswith(_WARNING):
            warned.append(message.sqlstate)

    connection.add_log_listener(hear)
    try:
        tag = await connection.execute(f"{notify}COMMIT")
    finally:
        connection.remove_log_listener(hear)
    if tag != "COMMIT":
        raise DatabaseError("the transaction was rolled back at its COMMIT")
    return not warned


def _each_host(url: str) -> list[str]:
    """The URL of each host that a URL names, in its order."""
    parts = urlsplit(url)
    who, at, hosts = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query))
    if "," in hosts:
        names = [(f"{who}{at}{host}", query) for host in hosts.split(",")]
    elif "," in query.get("host", "") and not hosts:
        named, ports = query["host"].split(","), query.get("port", "").split(",")
        given = ports if len(ports) == len(named) else ports[:1] * len(named)
        each = ({"host": host} | ({"port": port} if port else {}) for host, port in zip(named, given, strict=True))
        names = [(parts.netloc, query | one) for one in each]
    else:
        return [url]
    return [f"{parts.scheme}://{netloc}{parts.path}?{urlencode(said, safe='/')}" for netloc, said in names]


def _setting(event: asyncio.Event) -> Callable[[object], None]:
    return lambda _: event.set()


async def _end(connection: Any) -> None:
    """Close a connection, whatever state it is in."""
    if connection is None or connection.is_closed():
        return
    try:
        await connection.close(timeout=_CONNECT_SECONDS)
    except (*_LOST, _pg.PostgresError):
        connection.terminate()


def _rendered(sql: str) -> str:
    """A migration as PostgreSQL takes it: texts are ordered by their bytes, as on the embedded database and whatever the locale is."""
    return re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', sql)


def _told(fsync: str, pages: str, commit: str, standbys: str, skew: int) -> list[str]:
    """What is to be said of a server with these settings, whose clock is so many microseconds ahead of ours."""
    told: list[str] = []
    if fsync != "on" or pages != "on":
        told.append("fsync or full_page_writes is off: a power cut can destroy the database; turn both on")
    if commit == "off":
        told.append(
            "synchronous_commit is off: Claimwire turns it on for what it writes; turn it on for the whole server"
        )
    if not standbys.strip():
        told.append(
            "synchronous_standby_names is empty: what was committed last is lost with this server; name a standby on another machine"
        )
    elif commit in ("off", "local"):
        told.append(
            f"synchronous_commit is {commit}: a COMMIT does not wait for the standby, and what was committed last is lost at a"
            " failover; set it to on or remote_apply"
        )
    if abs(skew) > _SKEW_MICROSECONDS:
        told.append(
            f"the clock of this machine and that of the database are {abs(skew) / _MICROSECONDS:.0f} s apart: let both follow NTP"
        )
    return told

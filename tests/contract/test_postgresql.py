"""The bad days of PostgreSQL: lost answers, deadlocks, killed connections and servers, a node that hangs. Nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal, Self

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from gateway.world import SystemWorld
from queues import work
from queues.database import DatabaseError, Migration, Transaction
from queues.postgres import PostgreSQL
from tests.engines import Server, postgresql_missing, queue_migrations

pytestmark = pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
pg: Any = asyncpg
TABLE = Migration(("test/0001", "CREATE TABLE things (name TEXT, size BIGINT)"))


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[PostgreSQL]:
    database = await PostgreSQL.open(url)
    try:
        await database.migrate([TABLE])
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(postgresql: Server) -> AsyncIterator[PostgreSQL]:
    async with opened(postgresql.fresh()) as made:
        yield made


async def add(database: PostgreSQL, name: str) -> None:
    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", name)

    await database.write(body)


async def names(database: PostgreSQL) -> list[str]:
    return [row[0] for row in await database.read(lambda tx: tx.fetch("SELECT name FROM things ORDER BY name"))]


class Wire:
    """Stands between a node and the server; the next COMMIT after `plan` is set comes to grief."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.folder = Path(tempfile.mkdtemp(prefix="cw-"))
        self.plan: Literal["", "before", "after", "late"] = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self.held = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_unix_server(self._serve, str(self.folder / ".s.PGSQL.5432"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        (self.folder / ".s.PGSQL.5432").unlink(missing_ok=True)
        self.folder.rmdir()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        their_reader, their_writer = await asyncio.open_unix_connection(self._server.socket)
        back = asyncio.ensure_future(self._pass(their_reader, writer))
        try:
            while data := await reader.read(1 << 16):
                if b"COMMIT\0" in data and self.plan:
                    plan, self.plan = self.plan, ""
                    back.cancel()
                    if plan == "before":
                        return
                    if plan == "late":
                        # The node has hung up, and looks what became of it, before the server is told to commit.
                        writer.close()
                        await self.held.wait()
                    their_writer.write(data)
                    await their_reader.read(1 << 16)
                    return
                their_writer.write(data)
        finally:
            back.cancel()
            writer.close()
            their_writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize(("plan", "runs"), [("before", 2), ("after", 1), ("late", 1)])
async def test_f35_a_commit_whose_answer_is_lost_is_looked_up_and_never_done_twice(
    postgresql: Server, plan: Literal["before", "after", "late"], runs: int
) -> None:
    url = postgresql.fresh()
    async with Wire(postgresql) as wire, opened(f"{url.partition('?')[0]}?host={wire.folder}") as database:
        ran, told = list[int](), list[str]()

        async def body(tx: Transaction) -> str:
            ran.append(1)
            await tx.execute("INSERT INTO things (name) VALUES ($1)", "once")
            tx.after_commit(lambda: told.append("durable"))
            return "done"

        await add(database, "before")
        wire.plan = plan
        writing = asyncio.ensure_future(database.write(body))
        if plan == "late":
            # Whoever looks is waiting for the lock that the transaction still has.
            await asyncio.to_thread(
                postgresql.until, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            wire.held.set()
        assert "done" == await writing
        assert (runs, ["durable"]) == (len(ran), told)
        assert ["before", "once"] == await names(database)


async def test_f35_of_several_in_one_commit_all_are_told_what_they_came_to(postgresql: Server) -> None:
    url = postgresql.fresh()
    async with Wire(postgresql) as wire, opened(f"{url.partition('?')[0]}?host={wire.folder}") as database:

        async def broken(tx: Transaction) -> None:
            await tx.execute("INSERT INTO things (name) VALUES ($1)", "half")
            raise ValueError("on purpose")

        await add(database, "0")
        wire.plan = "after"
        came = await asyncio.gather(
            add(database, "1"), database.write(broken), add(database, "2"), return_exceptions=True
        )
        assert [None, ValueError, None] == [one if one is None else type(one) for one in came]
        assert ["0", "1", "2"] == await names(database)


async def test_f37_a_deadlock_is_done_again(postgresql: Server, database: PostgreSQL) -> None:
    for name in "ab":
        await add(database, name)
    other = await pg.connect(postgresql.url("test_0").replace("test_0", await _name(database)))
    runs: list[int] = []
    waiting = asyncio.Event()

    async def body(tx: Transaction) -> None:
        runs.append(1)
        await tx.execute("UPDATE things SET size = 1 WHERE name = 'a'")
        waiting.set()
        await tx.execute("UPDATE things SET size = 1 WHERE name = 'b'")

    async with other.transaction():
        # It is this node's transaction that is found to wait in a ring.
        await other.execute("SET LOCAL deadlock_timeout = '60s'")
        await other.execute("UPDATE things SET size = 2 WHERE name = 'b'")
        writing = asyncio.ensure_future(database.write(body))
        await waiting.wait()
        await other.execute("UPDATE things SET size = 2 WHERE name = 'a'")
    await writing
    await other.close()
    assert [1, 1] == runs
    rows = await database.read(lambda tx: tx.fetch("SELECT size FROM things"))
    assert [(1,), (1,)] == rows


async def _name(database: PostgreSQL) -> str:
    return (await database.read(lambda tx: tx.fetch("SELECT current_database()")))[0][0]


@pytest.mark.parametrize("code", ["40001", "40P01", "57P01", "55P03"])
async def test_f37_what_the_server_undid_is_done_again_and_nothing_of_the_first_time_is_kept(
    database: PostgreSQL, code: str
) -> None:
    runs: list[int] = []

    async def body(tx: Transaction) -> int:
        runs.append(1)
        await tx.execute("INSERT INTO things (name, size) VALUES ('x', $1)", len(runs))
        if len(runs) < 3:
            await tx.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
        return len(runs)

    _, three, _ = await asyncio.gather(add(database, "a"), database.write(body), add(database, "b"))
    assert 3 == three
    rows = await database.read(lambda tx: tx.fetch("SELECT name, size FROM things ORDER BY name"))
    assert [("a", None), ("b", None), ("x", 3)] == rows


async def test_f37_what_never_goes_well_ends_in_an_error_and_leaves_nothing(database: PostgreSQL) -> None:
    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ('x')")
        await tx.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    with pytest.raises(DatabaseError):
        await database.write(body)
    assert [] == await names(database)
    await add(database, "after")
    assert ["after"] == await names(database)


async def test_f37_a_server_with_no_connection_left_is_asked_again(postgresql: Server) -> None:
    url = postgresql.fresh()
    name = url.partition("@/")[2].partition("?")[0]
    postgresql.sql(f"CREATE ROLE narrow_{name} LOGIN CONNECTION LIMIT 1; ALTER DATABASE {name} OWNER TO narrow_{name}")
    narrow = url.replace("postgres@", f"narrow_{name}@")
    first = await pg.connect(narrow)
    opening = asyncio.ensure_future(PostgreSQL.open(narrow))
    await asyncio.sleep(0.2)
    assert not opening.done()
    await first.close()
    database = await opening
    await database.close()


async def test_connections_that_are_cut_off_cost_nothing_that_was_told(
    postgresql: Server, database: PostgreSQL
) -> None:
    chance, done = Random(1), list[str]()

    async def writer(one: int) -> None:
        for n in range(40):
            await add(database, f"{one}-{n}")
            done.append(f"{one}-{n}")

    async def cut() -> None:
        while len(done) < 300 and not any(one.done() for one in writing):
            await asyncio.sleep(chance.uniform(0, 0.02))
            await asyncio.to_thread(
                postgresql.sql,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'claimwire%'",
            )

    writing = [asyncio.ensure_future(writer(one)) for one in range(8)]
    await cut()
    await asyncio.gather(*writing)
    assert sorted(done) == await names(database)


async def test_a_server_that_is_killed_and_comes_back_has_what_was_told_and_nothing_twice() -> None:
    server = Server()
    try:
        async with opened(server.fresh()) as database:
            told, stop, enough = list[str](), asyncio.Event(), asyncio.Semaphore(0)

            async def writer(one: int) -> None:
                n = 0
                while not stop.is_set():
                    n += 1
                    try:
                        await add(database, f"{one}-{n}")
                    except DatabaseError:
                        continue
                    told.append(f"{one}-{n}")
                    enough.release()

            writing = [asyncio.ensure_future(writer(one)) for one in range(4)]
            for _ in range(3):
                for _ in range(50):
                    await enough.acquire()
                server.kill()
                await asyncio.to_thread(server.start_again)
            stop.set()
            await asyncio.gather(*writing)
            kept = await names(database)
            assert len(kept) == len(set(kept))
            assert set(told) <= set(kept)
    finally:
        server.remove()


async def test_while_there_is_no_server_work_is_refused_and_afterwards_it_goes_on() -> None:
    server = Server()
    try:
        async with opened(server.fresh()) as database:
            await add(database, "before")
            server.stop()
            with pytest.raises(DatabaseError):
                await add(database, "while")
            with pytest.raises(DatabaseError):
                await names(database)
            server.start()
            await add(database, "after")
            assert ["after", "before"] == await names(database)
    finally:
        server.remove()


HANGING = """
import asyncio, os, signal, sys
from queues.postgres import PostgreSQL

async def main(url):
    database = await PostgreSQL.open(url)
    runs = []
    async def body(tx):
        runs.append(1)
        await tx.execute("INSERT INTO things (name) VALUES ('hung')")
        if len(runs) == 1:
            print("hangs", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await tx.execute("UPDATE things SET size = 1 WHERE name = 'hung'")
    await database.write(body)
    await database.close()
    print(len(runs), flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_f32_a_node_that_hangs_with_the_lock_is_cut_off_and_does_it_again(postgresql: Server) -> None:
    url = f"{postgresql.fresh()}&idle_in_transaction_session_timeout=300"
    async with opened(url) as database:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HANGING, url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        assert b"hangs\n" == await child.stdout.readline()
        await add(database, "goes on")
        assert ["goes on"] == await names(database)
        os.kill(child.pid, signal.SIGCONT)
        out, _ = await child.communicate()
        assert (0, b"2\n") == (child.returncode, out)
        assert ["goes on", "hung"] == await names(database)


async def test_f31_a_node_whose_clock_is_wrong_takes_no_work_that_another_has(postgresql: Server) -> None:
    async with opened(postgresql.fresh()) as database:
        await database.migrate(queue_migrations())
        day, now = 86_400 * work.SECOND, SystemWorld().micros()

        async def taken(owner: str, ahead: int, seconds: float = 60.0) -> list[work.Work]:
            async def body(tx: Transaction) -> list[work.Work]:
                clock = await work.lease_clock(tx, database, 0.0)
                return await work.lease(tx, database, owner, now + ahead, seconds, 9, (), clock)

            return await database.write(body)

        async def renewed(tx: Transaction, item: work.Work, ahead: int) -> None:
            clock = await work.lease_clock(tx, database, 0.0)
            await work.renew(tx, item, now + ahead, 60, clock)

        await database.write(lambda tx: work.enqueue(tx, "t", "w", "kind", "a", now))
        (first,) = await taken("first", 0)
        assert [] == await taken("ahead", day)
        # Nor where the one that has it is ahead.
        await database.write(lambda tx: renewed(tx, first, day))
        assert [] == await taken("right", 0)
        assert [] == await taken("ahead", 2 * day)
        await database.write(lambda tx: work.postpone(tx, first, now))
        (short,) = await taken("died", 0, 0.0)
        assert "died" == short.owner
        (after,) = await taken("ahead", day)
        assert "ahead" == after.owner


async def test_a_reader_sees_one_moment_and_only_what_is_committed(postgresql: Server, database: PostgreSQL) -> None:
    holding = await pg.connect(postgresql.url(await _name(database)))
    seen: list[list[str]] = []
    async with holding.transaction():
        await holding.execute("INSERT INTO things (name) VALUES ('later')")
        seen.append(await names(database))
    seen.append(await names(database))
    await holding.close()
    assert [[], ["later"]] == seen


async def test_a_reader_cannot_change_anything(database: PostgreSQL) -> None:
    async def body(tx: Transaction) -> int:
        return await tx.execute("DELETE FROM things")

    with pytest.raises(DatabaseError):
        await database.read(body)


async def test_what_one_node_announces_the_others_hear(postgresql: Server, database: PostgreSQL) -> None:
    async with opened(postgresql.url(await _name(database))) as other:
        heard = asyncio.Event()
        other.listen(heard.set)
        # The first word is that it listens.
        assert await heard.wait()
        heard.clear()

        async def body(tx: Transaction) -> None:
            tx.announce()

        await database.write(body)
        assert await heard.wait()
        heard.clear()
        # It listens again after its connection was lost.
        postgresql.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN%' AND pid <> pg_backend_pid()"
        )
        assert await heard.wait()
        heard.clear()
        await database.write(body)
        assert await heard.wait()


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.002, 0.004, 0.008])
async def test_a_node_that_leaves_while_it_begins_to_listen_leaves_no_connection(
    postgresql: Server, seconds: float
) -> None:
    url = postgresql.fresh()
    database = await PostgreSQL.open(url)
    database.listen(lambda: None)
    await asyncio.sleep(seconds)
    await database.close()
    name = url.partition("@/")[2].partition("?")[0]
    # Refused where somebody is connected.
    assert "" == await asyncio.to_thread(postgresql.sql, f"DROP DATABASE {name}")


async def test_errors_do_not_tell_values(database: PostgreSQL) -> None:
    async def typed(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (size) VALUES ($1)", "SECRET")

    async def counted(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name, size) VALUES ($1, $2)", "SECRET")

    async def written(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "SECRET\0")

    for body in (typed, counted, written):
        with pytest.raises(DatabaseError) as raised:
            await database.write(body)
        told = raised.value
        while told is not None:
            assert "SECRET" not in str(told)
            told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


async def test_f36_settings_that_may_lose_something_are_told(postgresql: Server) -> None:
    url = postgresql.fresh()
    name = url.partition("@/")[2].partition("?")[0]
    async with opened(url) as database:
        first = " ".join(await database.warnings(SystemWorld().micros()))
    assert "fsync" in first
    assert "synchronous_standby_names is empty" in first
    assert "synchronous_commit" not in first
    assert "clock" not in first
    postgresql.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with opened(url) as database:
        told = " ".join(await database.warnings(SystemWorld().micros() - 3_600_000_000))
        assert "synchronous_commit is off" in told
        assert "3600 s apart" in told
        assert [("on",)] == await database.write(lambda tx: tx.fetch("SHOW synchronous_commit"))


@pytest.mark.parametrize("url", ["postgresql://nobody@/none?host=/nowhere", "postgresql://[", "mysql://x"])
async def test_a_database_that_is_not_there_is_said_so(url: str) -> None:
    with pytest.raises(DatabaseError):
        await PostgreSQL.open(url)


@pytest.fixture(autouse=True)
def _none_left(postgresql: Server) -> Iterator[None]:
    """No test leaves a connection open."""
    yield
    open_now = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'claimwire%'"
    assert "0" == postgresql.sql(f"SELECT pg_sleep(0.05); {open_now}").splitlines()[-1]

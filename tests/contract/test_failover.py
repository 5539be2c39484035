"""F36: two real servers of PostgreSQL, one following the other: what was told committed is there after a failover, and nothing else was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.config import Config, DatabaseServer
from gateway.world import SystemWorld
from queues.database import DatabaseError, Migration, Transaction
from queues.postgres import PostgreSQL
from tests.engines import Server, Standby, postgresql_missing
from tests.flows.doubtful import Doubtful
from tests.flows.service import NETWORK, Client, claim_body, in_process, until

pytestmark = pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
TABLE = Migration(("test/0001", "CREATE TABLE things (name TEXT, size BIGINT)"))
CLAIMS = f"{NETWORK}/professionalclaims/v3/submission"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def primary() -> Iterator[Server]:
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def standby(primary: Server) -> Iterator[Standby]:
    server = Standby(primary)
    yield server
    server.remove()


def either(primary: Server, standby: Server) -> str:
    """The URL that names both servers."""
    url = primary.fresh()
    return f"{url},{standby.folder}"


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[PostgreSQL]:
    database = await PostgreSQL.open(url)
    try:
        await database.migrate([TABLE])
        yield database
    finally:
        await database.close()


async def add(database: PostgreSQL, name: str) -> None:
    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", name)

    await database.write(body)


async def names(database: PostgreSQL) -> list[str]:
    return [row[0] for row in await database.read(lambda tx: tx.fetch("SELECT name FROM things ORDER BY name"))]


async def submitted(client: Client, number: int) -> str:
    """Submit a claim under its key until it is taken, as a careful caller does."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.post(CLAIMS, claim_body(f"PAID-{number}"), Idempotency_Key=f"key-{number}")
            if answer.status == 200:
                return answer.json["claimReference"]["correlationId"]
            assert answer.status in (409, 503), (answer.status, answer.body)
            await asyncio.sleep(0.1)


async def test_f36_a_failover_to_a_standby_that_is_waited_for_loses_nothing_and_sends_nothing_twice(
    primary: Server, standby: Standby, tmp_path: Path
) -> None:
    url = either(primary, standby)
    standby.waited_for()
    async with in_process(tmp_path, Config(database=DatabaseServer(url=url))) as (client, up):
        before = await asyncio.gather(*(submitted(client, n) for n in range(10)))
        during = [asyncio.create_task(submitted(client, n)) for n in range(10, 30)]
        await asyncio.sleep(0.02)
        await asyncio.to_thread(primary.kill)
        # Until one is promoted there is a server that answers, and takes no writes.
        with pytest.raises(DatabaseError):
            await PostgreSQL.open(f"{url.partition('?')[0]}?host={standby.folder}")
        assert "t" == standby.sql("SELECT pg_is_in_recovery()")
        await asyncio.to_thread(standby.promote)
        claims = [*before, *await asyncio.gather(*during)]
        # What was told taken before is what the same key answers now.
        assert claims == [await submitted(client, n) for n in range(30)]
        payer = Doubtful(client, up)
        # What was leased when the server went away goes on once its lease has passed.
        payer.passes(90)
        for claim in claims:
            await until(client, claim, "received", "remitted")
        seen = (await payer.seen())["claims"]
        assert (30, {1}) == (len(seen), set(seen.values()))


async def test_f36_a_node_finds_the_one_that_takes_writes_and_is_told_where_none_does(
    primary: Server, standby: Standby
) -> None:
    url = either(primary, standby)
    name = url.partition("@/")[2].partition("?")[0]
    await asyncio.to_thread(standby.until, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'")
    only = f"{url.partition('?')[0]}?host={standby.folder}"
    with pytest.raises(DatabaseError):
        await PostgreSQL.open(only)
    # Whatever their order.
    async with opened(f"{url.partition('?')[0]}?host={standby.folder},{primary.folder}") as database:
        await add(database, "one")
        standby.waited_for()
        await add(database, "two")
        await asyncio.to_thread(primary.stop, "immediate")
        with pytest.raises(DatabaseError):
            await add(database, "nobody takes it")
        await asyncio.to_thread(standby.promote)
        await add(database, "three")
        assert ["one", "three", "two"] == await names(database)


async def test_f36_a_standby_that_is_waited_for_is_none_to_warn_of(primary: Server, standby: Standby) -> None:
    async with opened(either(primary, standby)) as database:
        told = " ".join(await database.warnings(SystemWorld().micros()))
        assert "synchronous_standby_names is empty" in told
        standby.waited_for()
        told = " ".join(await database.warnings(SystemWorld().micros()))
        assert "standby" not in told


async def test_f36_a_server_that_is_gone_without_a_word_does_not_take_the_time_of_the_others(
    primary: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.postgres._CONNECT_SECONDS", 0.5)
    asked: list[asyncio.StreamWriter] = []

    async def says_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)

    # The path of a socket may not be long.
    with TemporaryDirectory(prefix="cw-") as deaf:
        silent = await asyncio.start_unix_server(says_nothing, f"{deaf}/.s.PGSQL.5432")
        url = primary.fresh()
        async with opened(f"{url.partition('?')[0]}?host={deaf},{primary.folder}") as database:
            await add(database, "one")
            assert ["one"] == await names(database)
            # It was asked once: the one that answered is stayed with.
            assert 1 == len(asked)
        for writer in asked:
            writer.close()
        silent.close()


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_f36_a_commit_that_the_standby_does_not_have_is_not_told_committed(
    primary: Server, standby: Standby, how: str
) -> None:
    async with opened(either(primary, standby)) as database:
        standby.waited_for()
        await add(database, "before")
        await asyncio.to_thread(standby.stop)
        writing = asyncio.ensure_future(add(database, "after"))
        for _ in range(3):
            # As a time limit for statements does, or a person who wonders what hangs: the server commits then, on this machine alone.
            await asyncio.to_thread(primary.until, WAITS)
            await asyncio.to_thread(
                primary.sql, f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
        await asyncio.to_thread(primary.until, WAITS)
        assert not writing.done()
        await asyncio.to_thread(standby.start)
        await writing
        await asyncio.to_thread(primary.kill)
        await asyncio.to_thread(standby.promote)
        assert ["after", "before"] == await names(database)


async def test_f36_what_became_of_a_commit_without_its_standby_is_said_not_to_be_known(
    primary: Server, standby: Standby, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.postgres._OUTCOME_SECONDS", 0.0)
    config = Config(database=DatabaseServer(url=either(primary, standby)))
    async with in_process(tmp_path, config) as (client, up):
        standby.waited_for()
        await asyncio.to_thread(standby.stop)
        asking = asyncio.ensure_future(client.post(CLAIMS, claim_body("PAID-1"), Idempotency_Key="key-1"))
        while not asking.done():
            await asyncio.to_thread(
                primary.sql, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
            await asyncio.sleep(0.05)
        answer = await asking
        assert (503, "ERROR") == (answer.status, answer.json["status"])
        assert b"not known" in answer.body
        await asyncio.to_thread(standby.start)
        claim = await submitted(client, 1)
        payer = Doubtful(client, up)
        payer.passes(90)
        await until(client, claim, "received", "remitted")
        seen = (await payer.seen())["claims"]
        assert [1] == list(seen.values())

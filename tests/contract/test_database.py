"""The contract of a database: what a body did is all there or not at all, and there once the caller is told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from queues.database import DatabaseError, InUse, Migration, SQLite, Transaction, Unique

TABLE = Migration(("test/0001", "CREATE TABLE things (name TEXT PRIMARY KEY, size BIGINT)"))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLite]:
    made = SQLite(tmp_path / "test.db")
    await made.migrate([TABLE])
    yield made
    await made.close()


async def add(database: SQLite, name: str, size: int = 0) -> None:
    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name, size) VALUES ($1, $2)", name, size)

    await database.write(body)


async def names(database: SQLite) -> list[str]:
    async def body(tx: Transaction) -> list[str]:
        return [row[0] for row in await tx.fetch("SELECT name FROM things ORDER BY name")]

    return await database.read(body)


async def test_a_body_that_raises_leaves_nothing_and_disturbs_no_other(database: SQLite) -> None:
    async def broken(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "half")
        raise ValueError("on purpose")

    results = await asyncio.gather(
        add(database, "a"), database.write(broken), add(database, "b"), add(database, "a"), return_exceptions=True
    )
    assert [None, "ValueError", None, "Unique"] == [r if r is None else type(r).__name__ for r in results]
    assert ["a", "b"] == await names(database)


async def test_a_taken_key_is_its_own_error(database: SQLite) -> None:
    await add(database, "a")
    with pytest.raises(Unique):
        await add(database, "a")


async def test_a_reader_sees_only_what_is_committed(database: SQLite) -> None:
    seen: list[list[str]] = []

    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "later")

    writing = asyncio.ensure_future(database.write(body))
    await asyncio.sleep(0)
    seen.append(await names(database))
    await writing
    seen.append(await names(database))
    assert [[], ["later"]] == seen


async def test_callbacks_run_after_the_commit_and_only_then(database: SQLite) -> None:
    called: list[str] = []

    async def good(tx: Transaction) -> None:
        tx.after_commit(lambda: called.append("good"))

    async def bad(tx: Transaction) -> None:
        tx.after_commit(lambda: called.append("bad"))
        raise ValueError

    await asyncio.gather(database.write(good), database.write(bad), return_exceptions=True)
    assert ["good"] == called


async def test_many_concurrent_writes_share_commits_and_all_last(database: SQLite, tmp_path: Path) -> None:
    await asyncio.gather(*(add(database, f"{n:04d}", n) for n in range(2000)))
    other: Any = apsw.Connection(str(tmp_path / "test.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert [(2000, 1_999_000)] == other.execute("SELECT count(*), sum(size) FROM things").fetchall()
    other.close()


async def test_a_body_may_await_nothing_but_its_transaction(database: SQLite) -> None:
    async def body(_: Transaction) -> None:
        await asyncio.sleep(0)

    with pytest.raises(DatabaseError):
        await database.write(body)


async def test_migrations_are_applied_once_and_in_order(database: SQLite) -> None:
    more = Migration(("test/0002", "ALTER TABLE things ADD COLUMN colour TEXT"))
    assert ["test/0002"] == await database.migrate([TABLE, more])
    assert [] == await database.migrate([TABLE, more])


async def test_settings_that_durability_rests_on(database: SQLite) -> None:
    async def body(tx: Transaction) -> list[object]:
        return [(await tx.fetch(f"PRAGMA {name}"))[0][0] for name in ("journal_mode", "synchronous")]

    assert ["wal", 2] == await database.write(body)
    assert (3, 51, 3) <= tuple(map(int, apsw.sqlite_lib_version().split(".")))


async def test_a_second_server_on_one_folder_is_refused(tmp_path: Path) -> None:
    first = SQLite(tmp_path / "one.db", exclusive=True)
    with pytest.raises(InUse):
        SQLite(tmp_path / "one.db", exclusive=True)
    await first.close()
    await SQLite(tmp_path / "one.db", exclusive=True).close()


def test_what_was_told_committed_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from queues.database import SQLite, Migration
async def main():
    database = SQLite(pathlib.Path({str(tmp_path / "killed.db")!r}))
    await database.migrate([Migration(("t", "CREATE TABLE things (name TEXT)"))])
    async def one(n):
        async def body(tx):
            await tx.execute("INSERT INTO things (name) VALUES ($1)", str(n))
        await database.write(body)
        print(n, flush=True)
    n = 0
    while True:
        await asyncio.gather(*(one(n + k) for k in range(20)))
        n += 20
asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    told = {int(process.stdout.readline()) for _ in range(300)}
    process.kill()
    told |= {int(line) for line in process.stdout.read().splitlines() if line.strip()}
    process.stdout.close()
    process.wait()
    connection: Any = apsw.Connection(str(tmp_path / "killed.db"))
    kept = {int(str(row[0])) for row in connection.execute("SELECT name FROM things")}
    connection.close()
    assert told <= kept


async def test_a_full_disk_refuses_and_keeps_what_was_there(database: SQLite) -> None:
    await add(database, "before")

    async def limit(tx: Transaction) -> None:
        pages = (await tx.fetch("PRAGMA page_count"))[0][0]
        await tx.fetch(f"PRAGMA max_page_count = {pages + 1}")

    await database.write(limit)
    with pytest.raises(DatabaseError):
        await asyncio.gather(*(add(database, "x" * 3000 + str(n)) for n in range(50)))
    assert "before" in await names(database)

"""The contract of a database: what a body did is all there or not at all, and there once the caller is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from queues.database import Database, DatabaseError, InUse, Migration, SQLite, Transaction, Unique
from tests.engines import Engine

TABLE = Migration(("test/0001", "CREATE TABLE things (name TEXT PRIMARY KEY, size BIGINT)"))


@pytest.fixture
async def database(engine: Engine) -> Database:
    return await engine.open([TABLE])


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SQLite]:
    made = SQLite(tmp_path / "test.db")
    await made.migrate([TABLE])
    yield made
    await made.close()


async def add(database: Database, name: str, size: int = 0) -> None:
    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name, size) VALUES ($1, $2)", name, size)

    await database.write(body)


async def names(database: Database) -> list[str]:
    async def body(tx: Transaction) -> list[str]:
        return [row[0] for row in await tx.fetch("SELECT name FROM things ORDER BY name")]

    return await database.read(body)


async def test_a_body_that_raises_leaves_nothing_and_disturbs_no_other(database: Database) -> None:
    async def broken(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "half")
        raise ValueError("on purpose")

    results = await asyncio.gather(
        add(database, "a"), database.write(broken), add(database, "b"), add(database, "a"), return_exceptions=True
    )
    assert [None, "ValueError", None, "Unique"] == [r if r is None else type(r).__name__ for r in results]
    assert ["a", "b"] == await names(database)


async def test_bodies_run_again_only_where_one_of_their_batch_fails(database: Database) -> None:
    ran: list[str] = []

    async def counted(tx: Transaction, name: str) -> None:
        ran.append(name)
        await tx.execute("INSERT INTO things (name) VALUES ($1)", name)

    async def batch(*given: str) -> list[str]:
        ran.clear()
        await asyncio.gather(
            *(database.write(lambda tx, name=name: counted(tx, name)) for name in given), return_exceptions=True
        )
        return sorted(ran)

    assert ["a", "b", "c"] == await batch("a", "b", "c")
    assert ["a", "a", "d", "d", "e"] == await batch("d", "a", "e")
    # Savepoints from now on, until all goes well.
    assert ["a", "f", "g"] == await batch("f", "a", "g")
    assert ["h", "i"] == await batch("h", "i")
    assert ["a", "a", "j", "j"] == await batch("j", "a")
    assert list("abcdefghij") == await names(database)


async def test_a_taken_key_is_its_own_error(database: Database) -> None:
    await add(database, "a")
    with pytest.raises(Unique):
        await add(database, "a")


async def test_a_reader_sees_only_what_is_committed(embedded: SQLite) -> None:
    seen: list[list[str]] = []

    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "later")

    writing = asyncio.ensure_future(embedded.write(body))
    await asyncio.sleep(0)
    seen.append(await names(embedded))
    await writing
    seen.append(await names(embedded))
    assert [[], ["later"]] == seen


async def test_callbacks_run_after_the_commit_and_only_then(database: Database) -> None:
    called: list[str] = []

    async def good(tx: Transaction) -> None:
        tx.after_commit(lambda: called.append("good"))

    async def bad(tx: Transaction) -> None:
        tx.after_commit(lambda: called.append("bad"))
        raise ValueError

    await asyncio.gather(database.write(good), database.write(bad), return_exceptions=True)
    assert ["good"] == called


async def test_many_concurrent_writes_share_commits_and_all_last(engine: Engine, database: Database) -> None:
    await asyncio.gather(*(add(database, f"{n:04d}", n) for n in range(2000)))
    other = await engine.open_again()
    rows = await other.read(lambda tx: tx.fetch("SELECT count(*), sum(size) FROM things"))
    assert [(2000, 1_999_000)] == rows


async def test_whoever_awaits_many_writes_needs_no_task_for_each(database: Database) -> None:
    async def body(tx: Transaction, name: str) -> str:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", name)
        return name

    before = asyncio.all_tasks()
    asked = [database.write(lambda tx, name=name: body(tx, name)) for name in "abcdefgh"]
    # One for them all commits.
    assert 1 == len(asyncio.all_tasks() - before)
    assert list("abcdefgh") == await asyncio.gather(*asked)
    assert list("abcdefgh") == await names(database)


async def test_a_write_whose_caller_gives_up_is_kept_or_not_and_disturbs_no_other(database: Database) -> None:
    given_up = asyncio.create_task(add(database, "given up"))
    others = [asyncio.create_task(add(database, name)) for name in "ab"]
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, *others, return_exceptions=True)
    assert given_up.cancelled()
    assert ["a", "b"] == [name for name in await names(database) if name != "given up"]


async def test_a_database_that_is_closed_says_so_to_whoever_awaits_it(engine: Engine, database: Database) -> None:
    await engine.close()
    asked = database.write(lambda tx: tx.fetch("SELECT 1"))
    with pytest.raises(DatabaseError):
        await asked


async def test_a_database_that_is_closed_leaves_no_file_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = open_files()
    made = SQLite(tmp_path / "test.db", exclusive=True)
    await made.migrate([TABLE])
    assert before < open_files()
    for _ in range(2):
        await made.close()
        assert before == open_files()


async def test_writers_of_two_connections_never_build_on_what_the_other_is_changing(
    engine: Engine, database: Database
) -> None:
    """What a body has read is so until it is committed: of 200 who each take the next number, no two take one."""
    other = await engine.open_again()

    async def body(tx: Transaction) -> int:
        row = await tx.row("SELECT coalesce(max(size), 0) + 1 FROM things")
        assert row is not None
        await tx.execute("INSERT INTO things (name, size) VALUES ($1, $2)", f"n{row[0]}", row[0])
        return row[0]

    taken = [await asyncio.gather(database.write(body), other.write(body)) for _ in range(100)]
    assert list(range(1, 201)) == sorted(number for pair in taken for number in pair)


async def test_work_that_is_announced_is_heard_of_once_it_is_durable(database: Database) -> None:
    heard: list[list[str]] = []
    come = asyncio.Event()
    database.listen(come.set)

    async def nothing(tx: Transaction) -> None:
        tx.announce()
        raise ValueError

    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO things (name) VALUES ($1)", "work")
        tx.announce()

    await asyncio.gather(database.write(nothing), return_exceptions=True)
    come.clear()
    await database.write(body)
    await come.wait()
    heard.append(await names(database))
    assert [["work"]] == heard


async def test_rows_are_tuples_and_values_come_back_as_they_were(database: Database) -> None:
    values = [("é\u2028", 1 << 62), ("", -1), ("'; DROP TABLE things; --", None)]

    async def body(tx: Transaction) -> list[tuple[Any, ...]]:
        await tx.many("INSERT INTO things (name, size) VALUES ($1, $2)", values)
        await tx.many("INSERT INTO things (name, size) VALUES ($1, $2)", [])
        return await tx.fetch("SELECT name, size FROM things")

    rows = await database.write(body)
    assert all(type(row) is tuple for row in rows)
    assert sorted(values) == sorted(rows)


async def test_changes_are_counted(database: Database) -> None:
    for name in "abc":
        await add(database, name)

    async def body(tx: Transaction) -> list[int]:
        return [
            await tx.execute("UPDATE things SET size = $1 WHERE name <> $2", 5, "a"),
            await tx.execute("INSERT INTO things (name) VALUES ($1) ON CONFLICT DO NOTHING", "a"),
            await tx.execute("DELETE FROM things WHERE name = $1", "none"),
        ]

    assert [2, 0, 0] == await database.write(body)


async def test_texts_are_ordered_by_their_bytes(database: Database) -> None:
    for name in ("b", "A", "a", "-", "ä", "B", "_"):
        await add(database, name)
    assert ["-", "A", "B", "_", "a", "b", "ä"] == await names(database)


async def test_a_body_may_await_nothing_but_its_transaction(database: Database) -> None:
    async def body(_: Transaction) -> None:
        await asyncio.sleep(0)

    with pytest.raises(DatabaseError):
        await database.write(body)


async def test_migrations_are_applied_once_and_in_order(database: Database) -> None:
    more = Migration(("test/0002", "ALTER TABLE things ADD COLUMN colour TEXT"))
    assert ["test/0002"] == await database.migrate([TABLE, more])
    assert [] == await database.migrate([TABLE, more])


async def test_settings_that_durability_rests_on(embedded: SQLite) -> None:
    async def body(tx: Transaction) -> list[object]:
        return [(await tx.fetch(f"PRAGMA {name}"))[0][0] for name in ("journal_mode", "synchronous")]

    assert ["wal", 2] == await embedded.write(body)
    assert (3, 51, 3) <= tuple(map(int, apsw.sqlite_lib_version().split(".")))


async def test_f33_a_second_server_on_one_folder_is_refused(tmp_path: Path) -> None:
    first = SQLite(tmp_path / "one.db", exclusive=True)
    with pytest.raises(InUse):
        SQLite(tmp_path / "one.db", exclusive=True)
    await first.close()
    await SQLite(tmp_path / "one.db", exclusive=True).close()


async def test_what_was_told_committed_survives_a_kill(engine: Engine, database: Database) -> None:
    program = f"""
import asyncio
from tests.engines import open_at
async def main():
    database = await open_at({engine.places[0]!r})
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
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    told = {int(await process.stdout.readline()) for _ in range(300)}
    process.kill()
    told |= {int(line) for line in (await process.stdout.read()).splitlines() if line.strip()}
    await process.wait()
    assert told <= set(map(int, await names(database)))


async def test_a_full_disk_refuses_and_keeps_what_was_there(embedded: SQLite) -> None:
    await add(embedded, "before")

    async def limit(tx: Transaction) -> None:
        pages = (await tx.fetch("PRAGMA page_count"))[0][0]
        await tx.fetch(f"PRAGMA max_page_count = {pages + 1}")

    await embedded.write(limit)
    with pytest.raises(DatabaseError):
        await asyncio.gather(*(add(embedded, "x" * 3000 + str(n)) for n in range(50)))
    assert "before" in await names(embedded)

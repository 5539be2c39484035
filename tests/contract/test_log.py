"""The log of the embedded database is copied beside the commits: none waits for it, and it does not grow without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from queues.database import SQLite, Transaction
from queues.snapshots import damages, snapshot

COPIED_PAGES, LOG_PAGES_MAX = 10, 40
_PAGE, _FRAME = 4_096, 4_120
_SLOW_SECONDS = 20


class _File(apsw.VFSFile):
    def __init__(self, disk: SlowDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._is_log = (name if isinstance(name, str) else name.filename()).endswith("-wal")

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if not self._is_log:
            self._disk.asked.set()
            assert self._disk.goes_on.wait(_SLOW_SECONDS)
            if self._disk.broken:
                raise apsw.IOError("the sync failed")
        super().xSync(flags)


class SlowDisk(apsw.VFS):
    """A disk that syncs a log at once, and a database when it is told to go on; never, where it is broken."""

    def __init__(self) -> None:
        self.name = "claimwire-slow"
        super().__init__(self.name, "")
        self.asked, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()
        self.broken = False

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(self, name, flags)


class Often(SQLite):
    copied_after, log_pages_max = COPIED_PAGES, LOG_PAGES_MAX


@pytest.fixture
def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture
async def embedded(tmp_path: Path, disk: SlowDisk) -> AsyncIterator[SQLite]:
    made = Often(tmp_path / "test.db", vfs=disk.name)
    await made.write(lambda tx: tx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filler BLOB)"))
    yield made
    disk.goes_on.set()
    await made.close()


async def add(embedded: SQLite, n: int) -> None:
    """A row of a page of its own."""

    async def body(tx: Transaction) -> None:
        await tx.execute("INSERT INTO t VALUES ($1, $2)", n, bytes(_PAGE))

    await embedded.write(body)


async def added_until_copied(embedded: SQLite, disk: SlowDisk) -> int:
    """Rows until the log is being copied, which goes on for as long as the disk is not told to; how many there are."""
    disk.goes_on.clear()
    done = 0
    while not disk.asked.is_set():
        await add(embedded, done)
        done += 1
    return done


async def rows(embedded: SQLite) -> int:
    return (await embedded.read(lambda tx: tx.fetch("SELECT count(*) FROM t")))[0][0]


async def test_no_commit_waits_for_the_log_to_be_copied(embedded: SQLite, disk: SlowDisk) -> None:
    done = await added_until_copied(embedded, disk)
    for n in range(COPIED_PAGES):
        async with asyncio.timeout(_SLOW_SECONDS / 2):
            await add(embedded, done + n)
    assert not disk.goes_on.is_set()
    assert done + COPIED_PAGES == await rows(embedded)


async def test_the_log_begins_anew_however_long_it_is_written_to(embedded: SQLite, tmp_path: Path) -> None:
    for n in range(10 * LOG_PAGES_MAX):
        await add(embedded, n)
    assert 10 * LOG_PAGES_MAX == await rows(embedded)
    assert (tmp_path / "test.db-wal").stat().st_size < 2 * LOG_PAGES_MAX * _FRAME
    # And is in the database, where another program reads it without the log.
    assert (tmp_path / "test.db").stat().st_size > 8 * LOG_PAGES_MAX * _PAGE


async def test_a_disk_that_cannot_take_a_copy_keeps_the_log(embedded: SQLite, disk: SlowDisk, tmp_path: Path) -> None:
    disk.broken = True
    for n in range(2 * LOG_PAGES_MAX):
        await add(embedded, n)
    assert 2 * LOG_PAGES_MAX == await rows(embedded)
    assert (tmp_path / "test.db-wal").stat().st_size > 2 * LOG_PAGES_MAX * _FRAME
    disk.broken = False
    # As soon as it can, the log begins anew.
    for n in range(LOG_PAGES_MAX):
        await add(embedded, 2 * LOG_PAGES_MAX + n)
    assert (tmp_path / "test.db").stat().st_size > 2 * LOG_PAGES_MAX * _PAGE


async def test_a_database_that_is_closed_while_its_log_is_copied_keeps_all(
    embedded: SQLite, disk: SlowDisk, tmp_path: Path
) -> None:
    done = await added_until_copied(embedded, disk)
    later = threading.Timer(0.05, disk.goes_on.set)
    later.start()
    await embedded.close()
    later.join()
    # Whoever closes it last copies what is left: nothing stays in a log.
    assert not (tmp_path / "test.db-wal").exists()
    again = SQLite(tmp_path / "test.db", vfs=disk.name)
    assert done == await rows(again)
    await again.close()


async def test_a_database_that_is_closed_on_a_broken_disk_keeps_its_log(
    embedded: SQLite, disk: SlowDisk, tmp_path: Path
) -> None:
    disk.broken = True
    for n in range(2 * COPIED_PAGES):
        await add(embedded, n)
    await embedded.close()
    disk.broken = False
    again = SQLite(tmp_path / "test.db", vfs=disk.name)
    assert 2 * COPIED_PAGES == await rows(again)
    await again.close()
    assert [] == damages(tmp_path / "test.db")


async def test_a_command_that_writes_beside_a_server_and_leaves_takes_nothing_along(
    embedded: SQLite, disk: SlowDisk, tmp_path: Path
) -> None:
    for n in range(0, 4 * LOG_PAGES_MAX, 2):
        await add(embedded, n)
        if n % LOG_PAGES_MAX == 0:
            beside = SQLite(tmp_path / "test.db", vfs=disk.name)
            await asyncio.gather(*(add(beside, n + 1_001 + k) for k in range(COPIED_PAGES)), add(embedded, n + 1))
            await beside.close()
    assert 2 * LOG_PAGES_MAX + 4 * (COPIED_PAGES + 1) == await rows(embedded)
    assert (tmp_path / "test.db-wal").stat().st_size < 3 * LOG_PAGES_MAX * _FRAME
    await embedded.close()
    assert [] == damages(tmp_path / "test.db")


async def test_a_copy_made_while_the_log_is_copied_is_of_one_moment(
    embedded: SQLite, disk: SlowDisk, tmp_path: Path
) -> None:
    done = await added_until_copied(embedded, disk)
    snapshot(tmp_path / "test.db", tmp_path / "copy.db")
    disk.goes_on.set()
    await add(embedded, done)
    assert [] == damages(tmp_path / "copy.db")
    copy = SQLite(tmp_path / "copy.db")
    assert done == await rows(copy)
    await copy.close()


async def test_a_database_in_memory_has_no_log_to_copy() -> None:
    database = Often(None)
    await database.write(lambda tx: tx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filler BLOB)"))
    for n in range(2 * COPIED_PAGES):
        await add(database, n)
    assert 2 * COPIED_PAGES == await rows(database)
    await database.close()
    await database.close()

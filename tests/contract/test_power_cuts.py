"""What the embedded database says is committed outlives the power, wherever it goes; a database that syncs less does not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from gateway.simulation.disk import PowerDisk
from queues.database import DatabaseError, SQLite, Transaction

CUTS = int(os.environ.get("CLAIMWIRE_CAMPAIGN", "200"))
WRITES_MAX = 40
_TABLE = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, filler BLOB)"


class LazySQLite(SQLite):
    """One that leaves it to the system when a commit reaches the disk."""

    def _say(self, sql: str) -> None:
        if sql.startswith("BEGIN"):
            super()._say("PRAGMA synchronous=NORMAL")
        super()._say(sql)


class OftenCopied(SQLite):
    """One whose log is copied every few commits, while others go on."""

    copied_after, log_pages_max = 5, 30


async def until_the_power_goes(path: Path, disk: PowerDisk, random: Random, kind: type[SQLite]) -> tuple[set[int], str]:
    """Fill a database until the power goes; what was told committed, and what the database is like afterwards."""
    kept: set[int] = set()
    try:
        database = kind(path, vfs=disk.name)
        try:
            await database.write(lambda tx: tx.execute(_TABLE))
            disk.cut_at = random.randint(1, 4 * WRITES_MAX)

            async def one(n: int) -> None:
                filler = random.randbytes(random.choice((10, 300, 9_000)))

                async def body(tx: Transaction) -> None:
                    await tx.execute("INSERT INTO t VALUES ($1, $2)", n, filler)

                await database.write(body)
                kept.add(n)

            for n in range(0, 3 * WRITES_MAX, 3):
                await asyncio.gather(*(one(n + k) for k in range(3)))
        finally:
            await database.close()
    except DatabaseError:
        pass
    disk.cut("at rest")
    disk.restore()
    after = SQLite(path, vfs=disk.name)
    await after.write(lambda tx: tx.execute(_TABLE))
    rows = await after.read(lambda tx: tx.fetch("SELECT n FROM t"))
    sound = await after.read(lambda tx: tx.fetch("PRAGMA integrity_check"))
    await after.close()
    return kept - {n for (n,) in rows}, str(sound[0][0])


async def lost_in_cuts(folder: Path, kind: type[SQLite], cuts: int) -> tuple[int, int]:
    """Of so many cuts: how many lost something that was told committed, and how many left a database that is not sound."""
    lost = broken = 0
    for seed in range(cuts):
        random = Random(seed)
        disk = PowerDisk(random, lambda _: None)
        missing, sound = await until_the_power_goes(folder / f"{seed}.db", disk, random, kind)
        disk.unregister()
        lost += bool(missing)
        broken += sound != "ok"
    return lost, broken


@pytest.mark.campaign
async def test_f39_nothing_that_was_told_committed_is_lost_in_power_cuts(tmp_path: Path) -> None:
    assert (0, 0) == await lost_in_cuts(tmp_path, SQLite, CUTS)


async def test_nothing_is_lost_either_where_the_log_is_copied_beside_the_commits(tmp_path: Path) -> None:
    assert (0, 0) == await lost_in_cuts(tmp_path, OftenCopied, CUTS // 4)


async def test_a_database_that_syncs_less_loses_commits_on_this_disk(tmp_path: Path) -> None:
    lost, _ = await lost_in_cuts(tmp_path, LazySQLite, 20)
    assert lost > 10

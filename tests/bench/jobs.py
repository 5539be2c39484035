"""Jobs a second on the embedded queue, against bare apsw that syncs as often: `python -m tests.bench.jobs ours JOBS` and `... bare JOBS ENQUEUED WORKED`.

A job is put in, leased and finished, each durably. Ours asks from many tasks at once, and says in how many commits that was done; bare apsw does the same
three statements a job, in as many commits, from one loop.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw
import msgspec

import queues
from queues import work
from queues.database import SQLite, migrations_in
from queues.work import SECOND
from tests.bench.processes import result_of

__all__ = ["JOBS_BAR", "Done", "compared"]

JOBS_BAR = 0.5
_TASKS = 64


class Done(msgspec.Struct):
    """Jobs a second, and in how many commits they were put in, and leased and finished."""

    per_second: float
    enqueued: int
    worked: int


class Counting(SQLite):
    """The embedded database, whose commits are counted."""

    commits = 0

    def _say(self, sql: str) -> None:
        self.commits += sql == "COMMIT"
        super()._say(sql)


async def _ours(folder: Path, jobs: int) -> Done:
    database = Counting(folder / "queue.db")
    await database.migrate(migrations_in(Path(next(iter(queues.__path__))) / "schema", "queues"))
    database.commits = 0
    began = time.perf_counter()

    async def put(first: int) -> None:
        for n in range(first, jobs, _TASKS):
            await database.write(lambda tx, n=n: work.enqueue(tx, "t", f"{n:08d}", "job", f"{n}", 0))

    await asyncio.gather(*(put(first) for first in range(_TASKS)))
    enqueued, done = database.commits, 0
    while taken := await database.write(lambda tx: work.lease(tx, database, "bench", SECOND, 60, _TASKS)):
        await asyncio.gather(*(database.write(lambda tx, item=item: work.finish(tx, item)) for item in taken))
        done += len(taken)
    seconds = time.perf_counter() - began
    assert done == jobs
    worked = database.commits - enqueued
    await database.close()
    return Done(jobs / seconds, enqueued, worked)


def _bare(folder: Path, jobs: int, enqueued: int, worked: int) -> Done:
    connection: Any = apsw.Connection(str(folder / "bare.db"))
    for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
        connection.execute(sql).fetchall()
    connection.execute("CREATE TABLE job (id TEXT PRIMARY KEY, run_at INTEGER, owner TEXT)").fetchall()
    connection.execute("CREATE INDEX due ON job (run_at)").fetchall()
    began = time.perf_counter()
    names = iter([f"{n:08d}" for n in range(jobs)])
    for size in _parts(jobs, enqueued):
        with connection:
            connection.executemany("INSERT INTO job VALUES (?, 0, NULL)", [(next(names),) for _ in range(size)])
    # One commit leases a part, the next finishes it.
    for size in _parts(jobs, max(1, worked // 2)):
        with connection:
            taken = connection.execute(
                "UPDATE job SET owner = 'bench', run_at = 60 WHERE id IN (SELECT id FROM job WHERE run_at <= 1 ORDER BY run_at LIMIT ?) RETURNING id",
                (size,),
            ).fetchall()
        with connection:
            connection.executemany("DELETE FROM job WHERE id = ?", taken)
    seconds = time.perf_counter() - began
    assert [(0,)] == connection.execute("SELECT count(*) FROM job").fetchall()
    connection.close()
    return Done(jobs / seconds, enqueued, worked)


def _parts(whole: int, parts: int) -> list[int]:
    return [(n + 1) * whole // parts - n * whole // parts for n in range(parts)]


def compared(jobs: int) -> tuple[float, float]:
    """Jobs a second, ours and bare apsw's in as many commits, each in a process of its own."""
    ours = msgspec.convert(result_of("jobs", "ours", str(jobs)), Done)
    peer = msgspec.convert(result_of("jobs", "bare", str(jobs), str(ours.enqueued), str(ours.worked)), Done)
    return ours.per_second, peer.per_second


def main(kind: str, *numbers: str) -> None:
    """One run of a kind."""
    given = [int(number) for number in numbers]
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        done = asyncio.run(_ours(Path(name), *given)) if kind == "ours" else _bare(Path(name), *given)
    print(msgspec.json.encode(done).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Jobs a second on PostgreSQL, against pgqueuer and procrastinate.

`python -m tests.bench.shared_jobs QUEUE URL JOBS` prints the jobs a second of one queue (`ours`, `pgqueuer`, `procrastinate`) on an empty database. All do the
same: many tasks at a time put one job in each, durably; then one worker does them, of whom none is to be lost or done twice. Each peer
has the settings with which it was the quickest here. The server syncs, as one must.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from queues import work
from queues.postgres import PostgreSQL
from queues.work import SECOND
from tests.bench.processes import result_of
from tests.engines import Server, queue_migrations

__all__ = ["JOBS_BAR", "PEERS", "jobs"]

JOBS_BAR = 1.0
PEERS = ("pgqueuer", "procrastinate")
_TASKS = 64
_CONNECTIONS = 4


class _Done(msgspec.Struct):
    jobs: int
    per_second: float


async def _put(jobs: int, one: Callable[[int], Awaitable[object]]) -> None:
    """Jobs put in by many tasks at a time."""

    async def some(first: int) -> None:
        for n in range(first, jobs, _TASKS):
            await one(n)

    await asyncio.gather(*(some(first) for first in range(_TASKS)))


async def _ours(url: str, jobs: int) -> _Done:
    database = await PostgreSQL.open(url)
    await database.migrate(queue_migrations())
    began, done = time.perf_counter(), 0
    await _put(jobs, lambda n: database.write(lambda tx: work.enqueue(tx, "t", f"{n:08d}", "job", f"{n}", 0)))
    while taken := await database.write(lambda tx: work.lease(tx, database, "bench", SECOND, 60, _TASKS)):
        await asyncio.gather(*(database.write(lambda tx, item=item: work.finish(tx, item)) for item in taken))
        done += len(taken)
    seconds = time.perf_counter() - began
    await database.close()
    return _Done(done, jobs / seconds)


async def _pgqueuer(url: str, jobs: int) -> _Done:
    from pgqueuer.db import AsyncpgPoolDriver
    from pgqueuer.models import Job
    from pgqueuer.qm import QueueManager
    from pgqueuer.queries import Queries
    from pgqueuer.types import QueueExecutionMode

    asyncpg: Any = importlib.import_module("asyncpg")
    done = 0
    async with asyncpg.create_pool(url, min_size=_CONNECTIONS, max_size=_CONNECTIONS) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        await queries.install()
        began = time.perf_counter()
        await _put(jobs, lambda n: queries.enqueue("job", str(n).encode()))
        worker = QueueManager(queries)

        @worker.entrypoint("job")
        async def _(job: Job) -> None:
            nonlocal done
            done += 1

        await worker.run(batch_size=_TASKS, mode=QueueExecutionMode.drain)
        return _Done(done, jobs / (time.perf_counter() - began))


async def _procrastinate(url: str, jobs: int) -> _Done:
    import procrastinate

    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=_CONNECTIONS, max_size=_CONNECTIONS)
    app, done = procrastinate.App(connector=connector), 0

    @app.task(name="job")
    async def job(n: int) -> None:
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = time.perf_counter()
        await _put(jobs, lambda n: job.defer_async(n=n))
        await app.run_worker_async(
            wait=False, concurrency=_TASKS, delete_jobs="always", install_signal_handlers=False, listen_notify=False
        )
        return _Done(done, jobs / (time.perf_counter() - began))


_QUEUES = {"ours": _ours, "pgqueuer": _pgqueuer, "procrastinate": _procrastinate}


def jobs(server: Server, queue: str, number: int) -> float:
    """Jobs a second of a queue, in a process and on a database of its own."""
    done = msgspec.convert(result_of("shared_jobs", queue, server.fresh(), str(number)), _Done)
    if done.jobs != number:
        raise RuntimeError(f"{queue} did {done.jobs} of {number} jobs")
    return done.per_second


def main(queue: str, url: str, number: str) -> None:
    """One run of a queue."""
    print(msgspec.json.encode(asyncio.run(_QUEUES[queue](url, int(number)))).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

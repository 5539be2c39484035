"""Lanes hold over all processes on one database: no rate is passed, no place is taken twice, none is lost for good."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path
from random import Random

import pytest

from queues import lanes
from queues.database import Database
from tests.engines import Engine

SECOND = 1_000_000
PROCESSES, ENTRIES, RATE = 4, 60, 500.0
CHILD = """
import asyncio, sys, time
from queues import lanes
from tests.engines import open_at

async def main(place, name, entries, rate):
    database = await open_at(place)
    for n in range(entries):
        now = time.time_ns() // 1000
        limits = lanes.Limits(rate)
        entry = await database.write(
            lambda tx: lanes.enter(tx, "default", "lane", f"{name}-{n}", limits, now, 10**12, 10**6)
        )
        print(entry.at, flush=True)
    await database.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
"""


@pytest.fixture
async def database(engine: Engine) -> Database:
    return await engine.open()


async def enter(
    database: Database, holder: str, limits: lanes.Limits, now: int, patience: int = 0, hold: int = SECOND
) -> lanes.Entry:
    return await database.write(lambda tx: lanes.enter(tx, "t", "lane", holder, limits, now, patience, hold))


async def test_four_processes_on_one_database_share_the_rate(engine: Engine) -> None:
    """Each moment is one process's alone, and any two are an interval apart: the rate holds exactly."""
    await engine.open()
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, engine.places[0], str(n), str(ENTRIES), str(RATE),
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        )
        for n in range(PROCESSES)
    ]  # fmt: skip
    told = await asyncio.gather(*(process.communicate() for process in running))
    assert [0] * PROCESSES == [process.returncode for process in running]
    moments = sorted(int(line) for out, _ in told for line in out.split())
    assert PROCESSES * ENTRIES == len(moments)
    interval = round(SECOND / RATE)
    assert interval <= min(b - a for a, b in itertools.pairwise(moments))


async def test_a_burst_goes_at_once_and_what_follows_at_the_rate(database: Database) -> None:
    limits = lanes.Limits(10.0, burst=3)
    entries = [await enter(database, str(n), limits, 0, patience=SECOND) for n in range(6)]
    assert [0, 0, 0, 100_000, 200_000, 300_000] == [e.at for e in entries]
    refused = await enter(database, "7", limits, 0, patience=0)
    assert (False, 400_000) == (refused.entered, refused.at)
    assert (await enter(database, "8", limits, 10 * SECOND)).at == 10 * SECOND


@pytest.mark.parametrize("seed", range(20))
async def test_in_any_span_no_more_go_than_rate_and_burst_allow(database: Database, seed: int) -> None:
    random = Random(seed)
    limits, now, moments = lanes.Limits(random.uniform(0.5, 50), random.randint(1, 5)), 0, list[int]()
    for n in range(200):
        now += random.randint(0, 2 * SECOND // 50)
        entry = await enter(database, str(n), limits, now, random.choice((0, SECOND // 10)))
        if entry.entered:
            assert now <= entry.at <= now + SECOND // 10
            moments.append(entry.at)
    assert limits.per_second is not None
    interval = round(SECOND / limits.per_second)
    for first in range(len(moments)):
        for last in range(first, len(moments)):
            assert last - first <= limits.burst + (moments[last] - moments[first]) / interval


async def test_places_are_given_back_kept_by_their_holder_and_freed_when_it_died(database: Database) -> None:
    limits = lanes.Limits(concurrent=2)
    assert [True, True, False] == [(await enter(database, name, limits, 0)).entered for name in "abc"]
    # Whoever holds a place keeps that one.
    assert (await enter(database, "a", limits, 0)).entered
    await database.write(lambda tx: lanes.leave(tx, "t", "lane", "a"))
    assert (await enter(database, "c", limits, 0)).entered
    assert not (await enter(database, "d", limits, SECOND - 1)).entered
    assert (await enter(database, "d", limits, SECOND)).entered

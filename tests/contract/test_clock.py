"""A jump of the clock shows to whoever looks next, and no lane, circuit or work waits for what it left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import queues
from queues import circuits, clock, lanes, work
from queues.circuits import Circuit
from queues.clock import Clock
from queues.database import SQLite, migrations_in
from queues.work import SECOND

YEAR = 365 * 86_400 * SECOND
BACK, AHEAD = 5 * SECOND, 7 * 86_400 * SECOND
NOW = 50 * YEAR
CIRCUIT = Circuit(failures=1, wait=30 * SECOND, longest=900 * SECOND)


@pytest.fixture
async def database() -> AsyncIterator[SQLite]:
    made = SQLite(None)
    await made.migrate(migrations_in(Path(next(iter(queues.__path__))) / "schema", "queues"))
    yield made
    await made.close()


async def look(database: SQLite, now: int) -> int:
    return await database.write(lambda tx: clock.look(tx, "t", now, BACK, AHEAD))


async def test_a_jump_is_told_once_and_kept(database: SQLite) -> None:
    assert None is await database.read(lambda tx: clock.standing(tx, "t"))
    assert 0 == await look(database, NOW)
    assert 0 == await look(database, NOW + 10 * SECOND)
    assert 0 == await look(database, NOW + 10 * SECOND - BACK)
    assert YEAR == await look(database, NOW + 5 * SECOND + YEAR)
    assert 0 == await look(database, NOW + 15 * SECOND + YEAR)
    assert Clock(NOW + 15 * SECOND + YEAR, NOW + 5 * SECOND + YEAR, YEAR) == await database.read(
        lambda tx: clock.standing(tx, "t")
    )
    assert -YEAR == await look(database, NOW + 15 * SECOND)
    assert 0 == await look(database, NOW + 25 * SECOND)
    assert Clock(NOW + 25 * SECOND, NOW + 15 * SECOND, -YEAR) == await database.read(lambda tx: clock.standing(tx, "t"))
    # Another tenant's look is its own.
    assert 0 == await database.write(lambda tx: clock.look(tx, "other", 1, BACK, AHEAD))


async def test_lanes_go_on_after_the_clock_went_back(database: SQLite) -> None:
    limits, hold = lanes.Limits(per_second=1.0, concurrent=1), 60 * SECOND

    async def enter(holder: str, now: int) -> lanes.Entry:
        return await database.write(lambda tx: lanes.enter(tx, "t", "lane", holder, limits, now, 0, hold))

    assert (await enter("one", NOW + YEAR)).entered
    assert not (await enter("two", NOW)).entered
    await database.write(lambda tx: lanes.pull_back(tx, NOW, hold))
    assert not (await enter("two", NOW + hold - 1)).entered
    assert (await enter("two", NOW + hold)).entered


async def test_who_has_the_database_alone_gives_back_the_places_and_probes_of_the_dead(database: SQLite) -> None:
    limits = lanes.Limits(concurrent=1)

    async def enter(holder: str) -> bool:
        entry = await database.write(lambda tx: lanes.enter(tx, "t", "lane", holder, limits, NOW, 0, YEAR))
        return entry.entered

    async def probe() -> bool:
        later = NOW + 40 * SECOND
        return None is await database.write(lambda tx: circuits.pass_through(tx, "t", "lane", later, YEAR))

    assert await enter("the dead")
    assert not await enter("the living")
    await database.write(lambda tx: circuits.failed(tx, "t", "lane", NOW, CIRCUIT, "refused", 0.0))
    assert await probe()
    assert not await probe()
    assert 1 == await database.write(lanes.release)
    assert 1 == await database.write(circuits.release)
    assert await enter("the living")
    assert await probe()


async def test_circuits_and_pauses_end_after_the_clock_went_back_but_for_a_persons(database: SQLite) -> None:
    then = NOW + YEAR
    await database.write(lambda tx: circuits.failed(tx, "t", "open", then, CIRCUIT, "refused", 0.0))
    await database.write(lambda tx: circuits.pause(tx, "t", "asked", then, then + SECOND, "429"))
    await database.write(lambda tx: circuits.pause(tx, "t", "person", then, circuits.FOREVER, "why", "ada"))
    await database.write(lambda tx: circuits.pull_back(tx, NOW))
    states = {one.lane: one.state(NOW) for one in await database.read(lambda tx: circuits.unwell(tx, "t"))}
    assert {"open": "half-open", "asked": "closed", "person": "paused"} == states


async def test_work_that_waits_beyond_all_measure_is_due_again(database: SQLite) -> None:
    for name, run_at in (("soon", NOW + SECOND), ("far", NOW + YEAR)):
        await database.write(lambda tx, name=name, at=run_at: work.enqueue(tx, "t", name, "kind", name, NOW, at))
    assert 1 == await database.write(lambda tx: work.pull_back(tx, NOW, NOW + AHEAD))
    (far,) = await database.write(lambda tx: work.lease(tx, database, "me", NOW, 60, 9))
    assert "far" == far.subject
    # What is leased is renewed by who has it.
    assert 1 == await database.write(lambda tx: work.pull_back(tx, NOW, NOW))
    (soon,) = await database.write(lambda tx: work.lease(tx, database, "me", NOW, 60, 9))
    assert "soon" == soon.subject


async def test_a_lease_that_was_taken_in_the_years_to_come_ends_after_the_longest_there_is(database: SQLite) -> None:
    longest = 600 * SECOND
    await database.write(lambda tx: work.enqueue(tx, "t", "w", "kind", "a", NOW, NOW))
    await database.write(lambda tx: work.lease(tx, database, "who died", NOW + YEAR, 60, 9))
    assert 1 == await database.write(lambda tx: work.pull_back_leases(tx, NOW, longest))
    assert [] == await database.write(lambda tx: work.lease(tx, database, "me", NOW + longest - 1, 60, 9))
    (taken,) = await database.write(lambda tx: work.lease(tx, database, "me", NOW + longest, 60, 9))
    # One within measure stays as it is.
    assert 0 == await database.write(lambda tx: work.pull_back_leases(tx, NOW + longest, longest))
    await database.write(lambda tx: work.finish(tx, taken))


@pytest.mark.parametrize("leap", [3600 * SECOND, YEAR], ids=["an hour", "a year"])
async def test_f30_of_two_who_hold_work_since_the_clock_leapt_one_finishes_it(database: SQLite, leap: int) -> None:
    await database.write(lambda tx: work.enqueue(tx, "t", "w", "kind", "a", NOW, NOW))
    (first,) = await database.write(lambda tx: work.lease(tx, database, "first", NOW, 60, 9))
    # A second that comes twice, as clocks have it at a leap second, ends no lease.
    assert [] == await database.write(lambda tx: work.lease(tx, database, "other", NOW - SECOND, 60, 9))
    assert [] == await database.write(lambda tx: work.lease(tx, database, "other", NOW + 59 * SECOND, 60, 9))
    (second,) = await database.write(lambda tx: work.lease(tx, database, "other", NOW + leap, 60, 9))
    for late in (work.guard, work.finish):
        with pytest.raises(work.LeaseLost):
            await database.write(lambda tx, late=late: late(tx, first))
    with pytest.raises(work.LeaseLost):
        await database.write(lambda tx: work.renew(tx, first, NOW + 60 * SECOND, 60))
    # The clock is set right: who has it keeps it, and no third comes in.
    await database.write(lambda tx: work.pull_back(tx, NOW, NOW))
    await database.write(lambda tx: work.pull_back_leases(tx, NOW, 600 * SECOND))
    assert [] == await database.write(lambda tx: work.lease(tx, database, "third", NOW + 61 * SECOND, 60, 9))
    await database.write(lambda tx: work.finish(tx, second))

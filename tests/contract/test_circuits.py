"""Circuits and pauses: what opens, closes and tries, over all who share a database."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from queues import circuits
from queues.circuits import FOREVER, Circuit, Health
from queues.database import Database
from tests.engines import Engine

SECOND = 1_000_000
CIRCUIT = Circuit(failures=5, wait=30 * SECOND, longest=900 * SECOND)


@pytest.fixture
async def database(engine: Engine) -> Database:
    return await engine.open()


async def fails(database: Database, now: int, times: int = 1, chance: float = 0.0) -> Health:
    standing = Health("lane")
    for _ in range(times):
        standing = await database.write(
            lambda tx: circuits.failed(tx, "t", "lane", now, CIRCUIT, "ConnectionRefused", chance)
        )
    return standing


async def well(database: Database, now: int) -> None:
    await database.write(lambda tx: circuits.well(tx, "t", "lane", now))


async def passes(database: Database, now: int, hold: int = 50 * SECOND) -> int | None:
    return await database.write(lambda tx: circuits.pass_through(tx, "t", "lane", now, hold))


async def test_a_circuit_opens_after_failures_in_a_row_and_not_after_as_many_in_all(database: Database) -> None:
    assert 0 == (await fails(database, 0, 4)).open_until
    await database.write(lambda tx: circuits.well(tx, "t", "lane", 0))
    assert [] == await database.read(lambda tx: circuits.unwell(tx, "t"))
    assert 0 == (await fails(database, 0, 4)).open_until
    assert None is await passes(database, 0)
    assert 30 * SECOND == (await fails(database, 0)).open_until
    assert 30 * SECOND == await passes(database, SECOND)


async def test_what_was_under_way_when_it_opened_does_not_open_it_for_longer(database: Database) -> None:
    first = await fails(database, 0, 5)
    assert first == await fails(database, SECOND, 20)


async def test_one_tries_it_then_and_its_failure_opens_it_for_twice_as_long(database: Database) -> None:
    await fails(database, 0, 5)
    at = 31 * SECOND
    tried = await asyncio.gather(*(passes(database, at) for _ in range(50)))
    assert [None] == [one for one in tried if one is None]
    assert {at + 50 * SECOND} == {one for one in tried if one is not None}
    # Who tried died: another may, once its time has passed.
    assert None is await passes(database, at + 51 * SECOND)
    waits: list[int] = []
    for _ in range(8):
        at += 1_000 * SECOND
        assert None is await passes(database, at)
        waits.append((await fails(database, at)).open_until - at)
    assert [60, 120, 240, 480, 900, 900, 900, 900] == [wait // SECOND for wait in waits]


async def test_a_sign_that_the_peer_is_back_lets_one_try_at_once(database: Database) -> None:
    await fails(database, 0, 5)
    await database.write(lambda tx: circuits.sign(tx, "t", "lane", SECOND))
    assert [None, 51 * SECOND] == [await passes(database, SECOND) for _ in range(2)]
    assert 61 * SECOND == (await fails(database, SECOND)).open_until


async def test_its_success_closes_it(database: Database) -> None:
    await fails(database, 0, 5)
    assert None is await passes(database, 31 * SECOND)
    await database.write(lambda tx: circuits.well(tx, "t", "lane", 32 * SECOND))
    assert {None} == {await passes(database, 32 * SECOND) for _ in range(3)}


async def test_the_wait_is_spread_by_chance(database: Database) -> None:
    assert 30 * SECOND < (await fails(database, 0, 5, 0.999)).open_until < 37.5 * SECOND


async def test_a_pause_of_the_payers_passes_and_the_longest_holds(database: Database) -> None:
    for until in (10, 60, 20):
        await database.write(lambda tx, u=until: circuits.pause(tx, "t", "lane", 0, u * SECOND, "HTTP 429"))
    assert 60 * SECOND == await passes(database, SECOND)
    standing = await database.read(lambda tx: circuits.health(tx, "t", "lane"))
    assert ("paused", 0) == (standing.state(SECOND), standing.failures)
    assert "closed" == standing.state(61 * SECOND)
    assert None is await passes(database, 61 * SECOND)


async def test_a_persons_pause_ends_by_a_persons_word_only(database: Database) -> None:
    await database.write(lambda tx: circuits.pause(tx, "t", "lane", 0, FOREVER, "a person paused it", "ADA"))
    await database.write(lambda tx: circuits.pause(tx, "t", "lane", 0, SECOND, "HTTP 429"))
    await database.write(lambda tx: circuits.well(tx, "t", "lane", 5 * SECOND))
    assert FOREVER == await passes(database, 10**15)
    assert await database.write(lambda tx: circuits.resume(tx, "t", "lane"))
    assert None is await passes(database, 1)
    assert not await database.write(lambda tx: circuits.resume(tx, "t", "lane"))


async def test_lanes_do_not_share_their_health(database: Database) -> None:
    await fails(database, 0, 5)
    assert None is await database.write(lambda tx: circuits.pass_through(tx, "t", "other", 0, SECOND))
    assert None is await database.write(lambda tx: circuits.pass_through(tx, "u", "lane", 0, SECOND))


@pytest.mark.parametrize("seed", range(5))
async def test_f12_a_payer_that_flaps_sees_a_tenth_more_attempts_than_transactions_at_most(
    database: Database, seed: int
) -> None:
    """Two hours of a transaction a second against a payer that is there for a minute or two, and away as long."""
    chance, attempts, done, waiting = Random(seed), 0, 0, 0
    up, turns_at = True, 60.0
    for second in range(7_200):
        waiting += 1
        if second >= turns_at:
            up, turns_at = not up, second + chance.uniform(60, 120)
        # What waits goes as soon as it may, up to so many a second.
        for _ in range(min(waiting, 10)):
            if await passes(database, second * SECOND) is not None:
                break
            attempts += 1
            if up:
                await well(database, second * SECOND)
                waiting, done = waiting - 1, done + 1
            else:
                await fails(database, second * SECOND, chance=chance.random())
    assert done + waiting == 7_200
    assert done > 4_000
    assert attempts <= 1.1 * done

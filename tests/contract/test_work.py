"""The contract of work: one worker at a time, nothing forgotten, nothing committed by a worker whose lease has passed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queues import numbers, work
from queues.database import Database, Transaction
from queues.work import SECOND, LeaseLost, Work
from tests.engines import Engine

T = TypeVar("T")


@pytest.fixture
async def database(engine: Engine) -> Database:
    return await engine.open()


async def put(database: Database, name: str, now: int = 0, run_at: int | None = None) -> None:
    await database.write(lambda tx: work.enqueue(tx, "t", f"id-{name}-{now}", "kind", name, now, run_at))


async def take(database: Database, now: int, seconds: float = 10, owner: str = "me", limit: int = 10) -> list[Work]:
    return await database.write(lambda tx: work.lease(tx, database, owner, now, seconds, limit))


async def do(database: Database, body: Callable[[Transaction], Awaitable[T]]) -> T:
    async def run(tx: Transaction) -> T:
        return await body(tx)

    return await database.write(run)


async def test_work_is_leased_when_due_and_by_one_at_a_time(database: Database) -> None:
    await put(database, "a", run_at=5 * SECOND)
    assert [] == await take(database, 4 * SECOND)
    assert ["a"] == [w.subject for w in await take(database, 5 * SECOND)]
    assert [] == await take(database, 6 * SECOND, owner="other")


async def test_released_work_is_due_at_once_and_whoever_held_it_cannot_commit(database: Database) -> None:
    await put(database, "a")
    await put(database, "later", run_at=5 * SECOND)
    held = (await take(database, 0, seconds=60))[0]
    assert 1 == await do(database, lambda tx: work.release(tx, SECOND))
    with pytest.raises(LeaseLost):
        await do(database, lambda tx: work.finish(tx, held))
    assert [("a", 2)] == [(w.subject, w.attempts) for w in await take(database, SECOND, owner="other")]


async def test_a_lease_that_has_passed_goes_to_another_and_the_first_cannot_commit(database: Database) -> None:
    await put(database, "a")
    first = (await take(database, 0, seconds=10))[0]
    second = (await take(database, 11 * SECOND, owner="other"))[0]
    assert (1, 2) == (first.attempts, second.attempts)
    for stale in (work.finish, work.guard):
        with pytest.raises(LeaseLost):
            await do(database, lambda tx, s=stale: s(tx, first))
    with pytest.raises(LeaseLost):
        await do(database, lambda tx: work.renew(tx, first, 0, 10))
    with pytest.raises(LeaseLost):
        await do(database, lambda tx: work.postpone(tx, first, 0))
    with pytest.raises(LeaseLost):
        await do(database, lambda tx: work.bury(tx, first, 0, "x"))
    await do(database, lambda tx: work.finish(tx, second))
    assert [] == await take(database, 100 * SECOND)


async def test_the_same_thing_waits_once_at_its_earliest_date(database: Database) -> None:
    for now, run_at in ((0, 10), (1, 5), (2, 20)):
        await put(database, "a", now, run_at * SECOND)
    assert [] == await take(database, 5 * SECOND - 1)
    assert ["id-a-0"] == [one.work_id for one in await take(database, 5 * SECOND)]


async def test_what_is_added_while_work_runs_is_not_overlooked(database: Database) -> None:
    await put(database, "a")
    item = (await take(database, 0))[0]
    await put(database, "a", 1)
    assert [] == await take(database, SECOND, owner="other")
    await do(database, lambda tx: work.finish(tx, item))
    assert ["a"] == [w.subject for w in await take(database, SECOND)]


async def test_buried_work_stays_until_it_is_revived(database: Database) -> None:
    await put(database, "a")
    item = (await take(database, 0))[0]
    await do(database, lambda tx: work.bury(tx, item, 1, "a person must look"))
    assert [] == await take(database, 1000 * SECOND)
    assert await do(database, lambda tx: work.revive(tx, "t", item.work_id, 2))
    assert 1 == len(await take(database, 1000 * SECOND))


async def test_a_renewed_lease_holds(database: Database) -> None:
    await put(database, "a")
    item = (await take(database, 0, seconds=10))[0]
    await do(database, lambda tx: work.renew(tx, item, 8 * SECOND, 10))
    assert [] == await take(database, 12 * SECOND, owner="other")


async def test_a_lease_that_is_renewed_is_kept_for_as_long_as_it_was_kept_before(database: Database) -> None:
    await put(database, "a")
    item = (await take(database, 0, seconds=10))[0]
    await do(database, lambda tx: work.renew(tx, item, 0, 100))
    await do(database, lambda tx: work.renew(tx, item, 1 * SECOND, 10))
    assert [] == await take(database, 99 * SECOND, owner="other")
    assert 1 == len(await take(database, 100 * SECOND, owner="other"))


async def test_kinds_can_be_chosen(database: Database) -> None:
    await put(database, "a")
    assert [] == await database.write(lambda tx: work.lease(tx, database, "me", 1, 10, 5, ("other",)))
    assert 1 == len(await database.write(lambda tx: work.lease(tx, database, "me", 1, 10, 5, ("other", "kind"))))


async def test_numbers_are_never_given_twice(database: Database) -> None:
    blocks = await asyncio.gather(
        *(database.write(lambda tx, n=n: numbers.mint(tx, "t", "isa", n % 5 + 1)) for n in range(200))
    )
    given_out = [b + k for n, b in enumerate(blocks) for k in range(n % 5 + 1)]
    assert list(range(1, len(given_out) + 1)) == sorted(given_out)


async def test_numbers_that_are_skipped_are_given_by_no_series_not_even_by_one_to_come(database: Database) -> None:
    assert 1 == await database.write(lambda tx: numbers.mint(tx, "t", "old", 3))
    await database.write(lambda tx: numbers.skip(tx, "t", 100))
    assert 104 == await database.write(lambda tx: numbers.mint(tx, "t", "old"))
    assert 101 == await database.write(lambda tx: numbers.mint(tx, "t", "new", 2))
    assert 103 == await database.write(lambda tx: numbers.mint(tx, "t", "new"))
    assert 1 == await database.write(lambda tx: numbers.mint(tx, "other", "new"))
    await database.write(lambda tx: numbers.skip(tx, "t", 100))
    assert 201 == await database.write(lambda tx: numbers.mint(tx, "t", "newer"))
    with pytest.raises(numbers.NumbersUsedUp):
        await database.write(lambda tx: numbers.skip(tx, "t", numbers.CONTROL_NUMBER_MAX - 150))
    assert 205 == await database.write(lambda tx: numbers.mint(tx, "t", "old"))


async def test_a_series_that_is_used_up_says_so(database: Database) -> None:
    async def last(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO numbers (tenant_id, series, next) VALUES ('t', 'x', $1)", numbers.CONTROL_NUMBER_MAX
        )

    await database.write(last)
    assert numbers.CONTROL_NUMBER_MAX == await database.write(lambda tx: numbers.mint(tx, "t", "x"))
    with pytest.raises(numbers.NumbersUsedUp):
        await database.write(lambda tx: numbers.mint(tx, "t", "x"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "take", "finish", "postpone", "lapse"])), max_size=25
    )
)
def test_no_history_loses_work_or_gives_it_to_two(engine: Engine, story: list[tuple[str, str]]) -> None:
    async def live() -> None:
        database = await engine.open()
        now, held, waiting = 0, dict[str, Work](), set[str]()
        # Whose lease nobody gave back, and what was put in again meanwhile: that runs once more.
        owned, again = set[str](), set[str]()
        for name, act in story:
            now += SECOND
            if act == "put":
                await put(database, name, now)
                (again if name in owned else waiting).add(name)
            elif act == "take":
                for item in await take(database, now, seconds=1000):
                    assert item.subject not in held
                    held[item.subject] = item
                    owned.add(item.subject)
                    waiting.discard(item.subject)
            elif act == "lapse":
                now += 2000 * SECOND
                waiting |= set(held)
                held.clear()
            elif name in held:
                item = held.pop(name)
                owned.discard(name)
                if act == "finish":
                    await do(database, lambda tx, i=item: work.finish(tx, i))
                else:
                    await do(database, lambda tx, i=item, n=now: work.postpone(tx, i, n))
                if act == "postpone" or name in again:
                    waiting.add(name)
                again.discard(name)
        last = await take(database, now + 10_000 * SECOND, limit=100)
        assert waiting | set(held) == {w.subject for w in last}
        await engine.close()

    asyncio.run(live())

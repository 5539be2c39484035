"""Nodes on one PostgreSQL database whose machines' clocks are ten minutes apart: they go by the server's, as one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.protocol import NotSent
from gateway import clock
from gateway.config import Config, DatabaseServer
from gateway.payers import Route
from gateway.runtime import TENANT, Runtime, open_runtime
from gateway.ways import feel, over
from gateway.world import MICROSECOND, SystemWorld
from queues import circuits, work
from queues import clock as looks
from queues.database import Transaction
from tests.engines import Server

APART = 600 * MICROSECOND
ROUTE = Route(
    id="birch",
    adapter="rest",
    usage="T",
    sender_id="ALDERFP",
    receiver_id="BIRCHHP",
    requests_per_second=10,
    burst=1,
    concurrent=1,
    circuit_failures=1,
)


class Off(SystemWorld):
    """A machine whose clock is wrong by so many microseconds."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by = by

    def machine(self) -> int:
        return super().machine() + self.by


@pytest.fixture
async def nodes(postgresql: Server, tmp_path: Path) -> AsyncIterator[list[Runtime]]:
    """One whose clock is ten minutes ahead, and one whose is right."""
    config = Config(database=DatabaseServer(url=postgresql.fresh()), routes=[ROUTE])
    async with AsyncExitStack() as stack:
        made: list[Runtime] = []
        for name, by in (("fast", APART), ("right", 0)):
            if made:
                (tmp_path / name).mkdir()
                shutil.copy(tmp_path / "fast" / "master.key", tmp_path / name)
            made.append(await open_runtime(config, tmp_path / name, Off(by)))
            stack.push_async_callback(made[-1].close)
        for node in made:
            await clock.look(node)
        yield made


async def test_f31_clocks_that_are_apart_are_no_jump_and_hasten_nothing(nodes: list[Runtime]) -> None:
    fast, right = nodes

    async def wait(tx: Transaction) -> None:
        now = fast.world.micros()
        await work.enqueue(tx, TENANT, fast.world.new_id(), "send", "later", now, now + APART // 2)

    async def due(tx: Transaction) -> int | None:
        return await work.next_run_at(tx)

    await fast.database.write(wait)
    before = await fast.database.read(due)
    for _ in range(3):
        for node in (fast, right):
            await clock.look(node)
    assert before == await right.database.read(due)
    kept = await right.database.read(lambda tx: looks.standing(tx, TENANT))
    assert kept is not None
    assert not kept.jump


async def test_f08_a_pause_that_a_payer_asked_one_node_for_holds_on_the_other_for_as_long(nodes: list[Runtime]) -> None:
    fast, right = nodes
    for asked, other in ((right, fast), (fast, right)):
        await feel(asked, ROUTE, NotSent("HTTP 429", 300.0))
        await clock.look(other)
        async with over(other, ROUTE, "one", 0.0) as shut:
            assert shut is not None
            assert shut.retry_after_seconds is not None
            assert 250 < shut.retry_after_seconds <= 301
        await asked.database.write(lambda tx: circuits.resume(tx, TENANT, ROUTE.id))


async def test_places_and_rates_are_shared_whatever_the_clocks_say(nodes: list[Runtime]) -> None:
    fast, right = nodes
    async with over(right, ROUTE, "one", 0.5) as shut:
        assert shut is None
        async with over(fast, ROUTE, "other", 0.0) as shut:
            assert shut is not None, "the place of the one who has it is taken by a clock that is ahead"
    async with over(fast, ROUTE, "other", 0.5) as shut:
        assert shut is None
    async with over(right, ROUTE, "one", 0.5) as shut:
        assert shut is None, "the lane is kept until the clock that is ahead is reached"


async def test_a_circuit_that_one_node_opened_opens_for_the_other_as_late(nodes: list[Runtime]) -> None:
    fast, right = nodes
    for asked, other in ((right, fast), (fast, right)):
        await feel(asked, ROUTE, NotSent("refused"))
        async with over(other, ROUTE, "one", 0.0) as shut:
            assert shut is not None
            assert shut.retry_after_seconds is not None
            assert shut.retry_after_seconds <= 40
        await asked.database.write(lambda tx: circuits.resume(tx, TENANT, ROUTE.id))


async def test_a_machines_clock_that_jumps_moves_nothing_on_postgresql(nodes: list[Runtime]) -> None:
    _, right = nodes
    world = right.world
    assert isinstance(world, Off)
    before = world.micros()
    world.by = -86_400 * MICROSECOND
    assert 0 <= world.micros() - before < APART
    await clock.look(right)
    assert 0 <= world.micros() - before < APART

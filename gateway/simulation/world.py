"""Time and chance of a simulated machine: all of it out of a seed and the loop's virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from gateway.simulation.loop import VirtualLoop
from gateway.world import MICROSECOND, from_micros, to_micros, uuid7

__all__ = ["BEGINS", "Clock", "SimulatedWorld"]

T = TypeVar("T")
BEGINS = to_micros(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))


@dataclass
class Clock:
    """The wall clock of all nodes: the loop's time, and by how many seconds it is wrong."""

    loop: VirtualLoop
    wrong_seconds: float = 0.0

    def true_micros(self) -> int:
        """What the clock should say, as the payers' do."""
        return BEGINS + round(self.loop.time() * MICROSECOND)

    def micros(self) -> int:
        return self.true_micros() + round(self.wrong_seconds * MICROSECOND)


class SimulatedWorld:
    """The world of one node in one life."""

    ahead = 0

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random

    def now(self) -> datetime:
        return from_micros(self.micros())

    def micros(self) -> int:
        return self._clock.micros()

    def monotonic(self) -> float:
        return self._clock.loop.time()

    def random(self) -> float:
        return self._random.random()

    def new_id(self) -> str:
        return uuid7(self.micros(), self._random.getrandbits(74))

    def follow(self, said: int, asked: float, heard: float) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, until: int | None) -> None:
        while not event.is_set():
            left = None if until is None else (until - self.micros()) / MICROSECOND
            if left is not None and left <= 0:
                return
            try:
                # A little more, so that a rounded time has come when it goes off.
                async with asyncio.timeout(None if left is None else left + 1e-5):
                    await event.wait()
            except TimeoutError:
                pass

    async def offload(self, call: Callable[[], T]) -> T:
        return call()

"""The only door to time, chance and threads, so that a simulated year can replay byte for byte from its seed."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Protocol, TypeVar

__all__ = ["MICROSECOND", "SystemWorld", "World", "dated", "from_micros", "to_micros", "uuid7"]

T = TypeVar("T")
MICROSECOND = 1_000_000
# Clocks that are nearer than this are one.
_NEAR = MICROSECOND // 10
_TAIL_BYTES = 10
_TAILS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, as the database keeps times. The moment must be aware."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The aware UTC time of a database value."""
    return _EPOCH + timedelta(microseconds=micros)


def dated(micros: int) -> tuple[str, str]:
    """A database value's UTC date (CCYYMMDD) and time (HHMM), as X12 writes them."""
    return _dated(micros // (60 * MICROSECOND))


@lru_cache(maxsize=64)
def _dated(minute: int) -> tuple[str, str]:
    moment = from_micros(minute * 60 * MICROSECOND)
    return f"{moment:%Y%m%d}", f"{moment:%H%M}"


def uuid7(micros: int, chance: int) -> str:
    """A UUID version 7 (RFC 9562, 5.7) of a time, with the lowest 74 bits of `chance` behind it."""
    value = micros // 1000 << 80 | 7 << 76 | (chance >> 62 & 0xFFF) << 64 | 2 << 62 | chance & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class World(Protocol):
    """Time, chance, identity and threads. `ahead` is by how many microseconds its clock is meant to run ahead of the machine's."""

    @property
    def ahead(self) -> int: ...

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def micros(self) -> int:
        """`now` as the database keeps it."""
        ...

    def monotonic(self) -> float:
        """Seconds, for measuring spans and deadlines."""
        ...

    def random(self) -> float:
        """In [0, 1): for jitter."""
        ...

    def new_id(self) -> str:
        """A UUID version 7 (RFC 9562): ordered by time, its tail not to be guessed."""
        ...

    def follow(self, said: int, asked: float, heard: float) -> int:
        """Go by another clock from now on, which said so (microseconds) at some moment between two of `monotonic`; by how much it is ahead of ours."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    async def wait(self, event: asyncio.Event, until: int | None) -> None:
        """Until the event is set or the clock has reached `until` (microseconds)."""
        ...

    async def offload(self, call: Callable[[], T]) -> T:
        """Run what would hold up the loop in a thread."""
        ...


class SystemWorld:
    """The real one. Its clock may run ahead of the machine's by an offset, so that the sandbox can live through weeks."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.ahead = offset // timedelta(microseconds=1)
        # A time of the clock that is followed, and when that was by the steady one: no jump of the machine's is seen in between.
        self._followed: tuple[int, float] | None = None
        self._jitter = Random(secrets.randbits(64))  # noqa: S311 - jitter is no secret
        self._moved = asyncio.Event()
        # Asking the system for chance costs more than an id: it is asked for many at once.
        self._tails: list[bytes] = []

    def now(self) -> datetime:
        return from_micros(self.micros())

    def micros(self) -> int:
        return self._clock() + self.ahead

    def machine(self) -> int:
        """The machine's own clock, in microseconds."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def _clock(self) -> int:
        if self._followed is None:
            return self.machine()
        said, heard = self._followed
        return said + round((time.monotonic() - heard) * MICROSECOND)

    def follow(self, said: int, asked: float, heard: float) -> int:
        span = round((heard - asked) * MICROSECOND)
        ours, theirs = self._clock(), said + span // 2
        off = theirs - ours
        if abs(off) <= span // 2 + _NEAR:
            # No further than the asking may have erred.
            self._followed = self._followed or (ours, time.monotonic())
            return 0
        self._followed = theirs, heard
        self._look_again()
        return off

    def random(self) -> float:
        return self._jitter.random()

    def new_id(self) -> str:
        if not self._tails:
            chance = os.urandom(_TAIL_BYTES * _TAILS)
            self._tails = [chance[at : at + _TAIL_BYTES] for at in range(0, len(chance), _TAIL_BYTES)]
        return uuid7(self.micros(), int.from_bytes(self._tails.pop(), "big"))

    def forward(self, by: timedelta) -> None:
        """Move the clock ahead; whoever waits for a time looks at it again."""
        self.ahead += by // timedelta(microseconds=1)
        self._look_again()

    def _look_again(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, until: int | None) -> None:
        while not event.is_set():
            left = None if until is None else (until - self.micros()) / MICROSECOND
            if left is not None and left <= 0:
                return
            waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._moved.wait())]
            try:
                await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    async def offload(self, call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)

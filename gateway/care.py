"""What a process notices of itself and of its surroundings while it runs: a loop that stands still, a disk that is nearly full.

An adapter or a step that does not give way holds up all the others: nothing is answered, no lease renewed. A thread looks on, and says where the loop
stands while it does; once it goes on, an alarm tells. Nothing is said but modules and lines.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from gateway.ledger import signs
from gateway.ledger.signs import BLOCKED, DISK, Sign
from gateway.runtime import TENANT, Runtime
from observability import log
from queues.database import DatabaseError
from queues.work import SECOND

__all__ = ["BLOCKED_SECONDS", "Watchdog", "free_enough", "keep", "look"]

_LOG = log.get("gateway.care")
# A loop that stands still for longer is a fault: callers have noticed.
BLOCKED_SECONDS = 2.0
_EVERY_SECONDS = 60.0
_HOUR = 3600 * SECOND
_OURS = ("gateway", "adapters", "x12", "queues", "observability")
# A database grows with its work: less than either is worth a look.
_FREE_SHARE, _FREE_BYTES, _FREE_ENOUGH = 0.05, 1 << 30, 10 << 30


class Watchdog:
    """Looks at a loop from a thread of its own. `stalls` are those that are over: for how many seconds, and where."""

    def __init__(self, blocked_seconds: float = BLOCKED_SECONDS) -> None:
        self._blocked_seconds = blocked_seconds
        self._beat_at = time.monotonic()
        self._ended = threading.Event()
        self._loop_thread = threading.get_ident()
        self._where = ""
        self.stalls: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._look, name="claimwire-watchdog", daemon=True)

    async def keep(self) -> None:
        """Beat until cancelled; the thread lives as long."""
        self._beat_at = time.monotonic()
        self._thread.start()
        try:
            while True:
                await asyncio.sleep(self._blocked_seconds / 8)
                now, where = time.monotonic(), self._where
                stood = now - self._beat_at
                self._beat_at, self._where = now, ""
                if where:
                    self.stalls.append((stood, where))
        finally:
            self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(self._blocked_seconds / 4):
            stands = time.monotonic() - self._beat_at
            if stands > self._blocked_seconds and not self._where:
                self._where = _place(sys._current_frames().get(self._loop_thread))  # pyright: ignore[reportPrivateUsage]
                _LOG.error("the loop stands still", where=self._where, duration_ms=round(stands * 1000))


def _place(frame: FrameType | None) -> str:
    """Module and line that a thread is at, and of ours those that it was called from, outermost last."""
    at: list[str] = []
    while frame is not None:
        name = str(frame.f_globals.get("__name__", "?"))
        if not at or name.split(".")[0] in _OURS:
            at.append(f"{name}:{frame.f_lineno}")
        frame = frame.f_back
    return ", ".join(at[:4]) or "unknown"


async def keep(runtime: Runtime, data: Path) -> None:
    """Look after the process until cancelled. `data` is the folder whose disk must have room."""
    dog = Watchdog()
    beating = asyncio.create_task(dog.keep(), name="watchdog")
    try:
        while True:
            try:
                await look(runtime, dog, data)
            except DatabaseError as error:
                _LOG.error("signs cannot be kept", exc_info=error)
            await runtime.world.sleep(_EVERY_SECONDS)
    finally:
        beating.cancel()


async def look(runtime: Runtime, dog: Watchdog, data: Path) -> None:
    """Keep a sign of what is not well now, and of each time that the loop stood still since the last look."""
    now = runtime.world.micros()
    found = [Sign(DISK, "disk", said, now + round(2 * _EVERY_SECONDS * SECOND)) for said in _disk(data)]
    if dog.stalls:
        longest, where = max(dog.stalls)
        runtime.metrics.loop_stalls.inc(len(dog.stalls))
        found.append(Sign(BLOCKED, where, f"{longest:.0f} seconds at {where}", now + _HOUR, len(dog.stalls)))
    for sign in found:
        await runtime.database.write(lambda tx, sign=sign: signs.see(tx, TENANT, sign))
    dog.stalls.clear()


def _disk(data: Path) -> list[str]:
    usage = shutil.disk_usage(data)
    if free_enough(usage.total, usage.free):
        return []
    return [f"{usage.free // (1 << 20)} MiB of {usage.total // (1 << 20)} MiB"]


def free_enough(total: int, free: int) -> bool:
    """Whether so many free bytes are enough on a disk of so many."""
    return free >= _FREE_BYTES and free >= min(total * _FREE_SHARE, _FREE_ENOUGH)

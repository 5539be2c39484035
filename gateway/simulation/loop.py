"""An event loop in virtual time: nothing waits, and the same seed runs the same way.

Time moves to the next timer when nothing is left to do, or by a leap, after which every timer that came due meanwhile goes off, late, as
after a machine that slept.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

__all__ = ["Stuck", "VirtualLoop"]

# A float of seconds after some months is coarser than the loop's own resolution: it would spin.
_RESOLUTION_SECONDS = 1e-6


class Stuck(Exception):
    """Nothing will ever happen again, and somebody waits."""


class _NoWaiting(selectors.BaseSelector):
    """Asks the system about nothing, and lets time pass instead of waiting."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return self._keys[number]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is ready, and no timer is set")
        if timeout > 0:
            self._loop.passes(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is seconds since it was made. No sockets, no threads, no signals."""

    def __init__(self) -> None:
        self._virtual_now = 0.0
        super().__init__(_NoWaiting(self))
        vars(self)["_clock_resolution"] = _RESOLUTION_SECONDS

    def time(self) -> float:
        return self._virtual_now

    def passes(self, seconds: float) -> None:
        """So many seconds pass at once; what was due within goes off after them."""
        self._virtual_now += seconds

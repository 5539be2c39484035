"""What befalls those who come to the sandbox payer, over whatever road: faults in turn, slowness, throttling, outages.

Pure but for two clocks: the payer's, by which outages last, and the machine's, by which requests are counted.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

__all__ = ["BEFORE", "Fault", "Forecast", "Weather"]

Fault = Literal["ok", "refuse-429", "refuse-503", "drop", "html", "fail-500", "hang", "cut", "slow"]
# Faults that come before anything is read; the others come after it was committed.
BEFORE: frozenset[Fault] = frozenset(("refuse-429", "refuse-503", "drop", "html"))
_YEAR_SECONDS = 31_622_400


class Forecast(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    """The weather to come: what befalls the next posts, in order; seconds that each answer takes longer; how many requests
    a second are let through; and for how long from now, by the payer's clock, nobody gets through at all.
    """

    next: Annotated[list[Fault], msgspec.Meta(max_length=10_000)] = []
    latency_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0
    per_second: Annotated[float, msgspec.Meta(gt=0, le=10_000)] | None = None
    outage_seconds: Annotated[float, msgspec.Meta(ge=0, le=_YEAR_SECONDS)] = 0


class Weather:
    """The weather as it is."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._next: deque[Fault] = deque()
        self._until: datetime | None = None
        self.latency_seconds = 0.0
        self._per_second: float | None = None
        # When the requests let through so far are paid for, at the rate.
        self._paid_at = 0.0

    def become(self, forecast: Forecast) -> None:
        """Another weather, all of it."""
        self._next = deque(forecast.next)
        self.latency_seconds = forecast.latency_seconds
        self._per_second, self._paid_at = forecast.per_second, 0.0
        lasts = timedelta(seconds=forecast.outage_seconds)
        self._until = self._now() + lasts if lasts else None

    @property
    def forecast(self) -> Forecast:
        """What is still to come of it."""
        left = max(self._until - self._now(), timedelta(0)) if self._until is not None else timedelta(0)
        return Forecast(list(self._next), self.latency_seconds, self._per_second, left.total_seconds())

    def outside(self) -> Fault:
        """What befalls anybody who comes now, whatever they want: ok, no connection in an outage, or one request too many."""
        if self._until is not None and self._now() < self._until:
            return "drop"
        if self._per_second is not None:
            now = self._monotonic()
            if self._paid_at > now:
                return "refuse-429"
            # A second's worth may come at once.
            self._paid_at = max(self._paid_at, now - max(1 - 1 / self._per_second, 0)) + 1 / self._per_second
        return "ok"

    def next(self) -> Fault:
        """What befalls the next post."""
        outside = self.outside()
        if outside != "ok":
            return outside
        return self._next.popleft() if self._next else "ok"

    def retry_after(self) -> int:
        """Whole seconds, at least one, after which there is room again."""
        return max(1, math.ceil(self._paid_at - self._monotonic())) if self._per_second is not None else 1

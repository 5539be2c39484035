"""How often somebody may be wrong about a secret: failures are counted for whoever asks and for whom they ask, in this process."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Guesses"]

FAILURES_MAX = 10
WINDOW_SECONDS = 60.0
_NAMES_MAX = 10_000


class Guesses:
    """Failures of the last minute, by name. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def wait_seconds(self, now: float, *names: str) -> int:
        """After how many whole seconds one of these may try again; 0 where it may now."""
        return max((self._wait(name, now) for name in names), default=0)

    def _wait(self, name: str, now: float) -> int:
        failures = self._failures.get(name)
        if failures is None:
            return 0
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        if len(failures) < FAILURES_MAX:
            return 0
        return max(1, math.ceil(failures[0] + WINDOW_SECONDS - now))

    def failed(self, now: float, *names: str) -> None:
        """Count a failure for each of these."""
        if len(self._failures) >= _NAMES_MAX:
            self._failures = {n: f for n, f in self._failures.items() if f and f[-1] > now - WINDOW_SECONDS}
        for name in names:
            if len(self._failures) < _NAMES_MAX or name in self._failures:
                self._failures.setdefault(name, deque(maxlen=FAILURES_MAX)).append(now)

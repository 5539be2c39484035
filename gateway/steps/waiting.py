"""How long to wait before trying again."""

from __future__ import annotations

from gateway.runtime import Runtime
from queues.work import SECOND, Work

__all__ = ["ATTEMPTS_MAX", "later"]

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 15 * 60.0
# Work that fails this often by an error of ours is set aside for a person.
ATTEMPTS_MAX = 12


def later(runtime: Runtime, item: Work, at_least_seconds: float = 0.0, longest_seconds: float = LONGEST_SECONDS) -> int:
    """When to try again: doubling with the attempts, up to a bound, spread by chance so that payers see no herd."""
    seconds = min(FIRST_SECONDS * 2 ** min(item.attempts - 1, 20), longest_seconds)
    seconds = max(seconds, at_least_seconds) * (1 + runtime.world.random() / 4)
    return runtime.world.micros() + round(seconds * SECOND)

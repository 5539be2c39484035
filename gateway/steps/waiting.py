"""How long to wait before trying again."""

from __future__ import annotations

from typing import TypeVar

from gateway.runtime import Runtime
from observability import log
from queues.database import Body, DatabaseError, Unique
from queues.work import SECOND, Work

__all__ = ["ATTEMPTS_MAX", "LONGEST_SECONDS", "later", "written"]

T = TypeVar("T")
_LOG = log.get("gateway.waiting")
_PAUSE_SECONDS = 0.5
# What goes on for longer is no bad day of the database's.
_PATIENCE_SECONDS = 900
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 15 * 60.0
# Work that fails this often by an error of ours is set aside for a person.
ATTEMPTS_MAX = 12


def later(runtime: Runtime, item: Work, at_least_seconds: float = 0.0, longest_seconds: float = LONGEST_SECONDS) -> int:
    """When to try again: doubling with the attempts, up to a bound, spread by chance so that payers see no herd."""
    seconds = min(FIRST_SECONDS * 2 ** min(item.attempts - 1, 20), longest_seconds)
    seconds = max(seconds, at_least_seconds) * (1 + runtime.world.random() / 4)
    return runtime.world.micros() + round(seconds * SECOND)


async def written(runtime: Runtime, body: Body[T]) -> T:
    """Write what is known now and would have to be found out again: a database that takes no writes is waited for.

    DatabaseError once the process leaves or after a quarter of an hour, LeaseLost when the work passed to another meanwhile.
    """
    told, until = False, runtime.world.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await runtime.database.write(body)
        except Unique:
            raise
        except DatabaseError as error:
            if runtime.leaving.is_set() or runtime.world.monotonic() > until:
                raise
            if not told:
                _LOG.error("an outcome waits for the database", exc_info=error)
            told = True
        await runtime.world.sleep(_PAUSE_SECONDS)

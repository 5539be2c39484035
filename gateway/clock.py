"""What follows when the machine's clock jumps: nothing waits for years that were a mistake, and none is asked about for them.

A clock that goes back leaves dates too far ahead behind: they are pulled to their bounds, and work looks anew. One that goes far ahead
makes each claim due at once: nobody is asked for an hour, within which it can be set right. Either is an alarm. What is dropped for its
age is not dropped for an age that a jump made.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.hours import next_business_day
from gateway.ledger import dates, signs
from gateway.lifecycle import Profile
from gateway.runtime import TENANT, Runtime
from gateway.world import MICROSECOND, from_micros, to_micros
from observability import log
from queues import circuits, clock, lanes, work
from queues.database import DatabaseError, Transaction

__all__ = ["DOUBTED_SECONDS", "LOOKED_AT_SECONDS", "doubted_until", "keep", "look", "old_by"]

_LOG = log.get("gateway.clock")
LOOKED_AT_SECONDS = 10.0
# What the network's time service corrects.
_BACK = 5 * MICROSECOND
# No installation is down for so long without somebody knowing.
_AHEAD = 7 * 24 * 3600 * MICROSECOND
# How long a clock that leapt ahead is not believed, and how long either jump is an alarm.
DOUBTED_SECONDS = 3600
# No work waits for longer than this.
_BEYOND_ALL = 31 * 24 * 3600 * MICROSECOND
# Between two tries of a check (`retry_rules`) or of a delivery (`webhooks`), with the share that chance adds.
_LONGEST_WAIT = 27 * 3600 * MICROSECOND
# A place on a lane, and the lease of what is sent, are held for the deadline of the call and a little more.
_LONGEST_HOLD = 600 * MICROSECOND


async def keep(runtime: Runtime) -> None:
    """Look at the clock until cancelled."""
    while True:
        await runtime.world.sleep(LOOKED_AT_SECONDS)
        try:
            await look(runtime)
        except DatabaseError as error:
            _LOG.error("the clock cannot be looked at", exc_info=error)


async def look(runtime: Runtime) -> None:
    """Compare the clock with the last look, and mend what a jump back has left. Nodes share the look, so they go by one clock first."""
    await runtime.follow_clock()
    jump, claims = await runtime.database.write(lambda tx: _look(tx, runtime))
    if jump:
        how = "back" if jump < 0 else "ahead"
        _LOG.error("the clock jumped", reason=f"{how} by {abs(jump) // MICROSECOND} seconds", claims=claims)
        runtime.wake.set()


async def _look(tx: Transaction, runtime: Runtime) -> tuple[int, int]:
    world = runtime.world
    now, claims = world.micros(), 0
    jump = await clock.look(tx, TENANT, now - world.ahead, _BACK, _AHEAD)
    # A jump that came and went between two looks is known by what it has left.
    if jump < 0 or await work.pull_back(tx, now, now + _BEYOND_ALL):
        await work.pull_back(tx, now, now)
        # Who holds one renews it; of one whose holder died, others would wait for years.
        await work.pull_back_leases(tx, now, _LONGEST_HOLD, await runtime.lease_clock(tx))
        await lanes.pull_back(tx, now, _LONGEST_HOLD)
        await circuits.pull_back(tx, now)
        await signs.pull_back(tx, TENANT, now)
        profiles = {payer_id: payer.profile for payer_id, payer in runtime.directory.payers.items()}
        spans = {payer_id: _span(profile) for payer_id, profile in profiles.items()}
        claims = await dates.pull_back(
            tx,
            TENANT,
            now,
            jump,
            spans,
            longest_follow_up=max((_span(Profile()), *spans.values())),
            longest_wait=_LONGEST_WAIT,
            decide_by=to_micros(next_business_day(from_micros(now))),
        )
    return jump, claims


def _span(profile: Profile) -> int:
    return max(profile.follow_up_after, profile.follow_up_every) // timedelta(microseconds=1)


async def doubted_until(tx: Transaction, runtime: Runtime) -> int | None:
    """Until when a clock that leapt ahead is not believed, also where it leapt since the last look; None where it is believed."""
    now, ahead = runtime.world.micros(), runtime.world.ahead
    kept = await clock.standing(tx, TENANT)
    if kept is None:
        return None
    if now - ahead - kept.seen_at > _AHEAD:
        return now + DOUBTED_SECONDS * MICROSECOND
    until = kept.jumped_at + ahead + DOUBTED_SECONDS * MICROSECOND
    return until if kept.jump > 0 and until > now else None


async def old_by(tx: Transaction, runtime: Runtime, kept_for: int) -> int | None:
    """By when what is `kept_for` microseconds old was written down, whatever the clock did since; None where a jump lets nobody say."""
    now, ahead = runtime.world.micros(), runtime.world.ahead
    # A leap that is no longer than this is not told from a time in which nobody looked.
    before = now - kept_for - _AHEAD
    kept = await clock.standing(tx, TENANT)
    if kept is None or now - ahead - kept.seen_at > _AHEAD:
        # It may have leapt since the last look, in the middle of the work that asks.
        return None
    return None if kept.jump and kept.jumped_at + ahead > before else before

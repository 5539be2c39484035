"""How a ledger goes on that was brought back from a backup: it does not know what came after, and says so.

Whatever could have left since is in doubt: it counts as sent by the payer's word, and is sent again by a person's only. Control numbers
that could have been used since are not used again.
"""

from __future__ import annotations

from gateway.ledger import interchanges, restorations
from gateway.ledger.evidence import RESTORED
from gateway.ledger.restorations import REASON, Restoration
from gateway.runtime import TENANT, Runtime, release_all
from gateway.steps.settling import doubt, know
from queues import numbers
from queues.database import Transaction
from queues.numbers import NumbersUsedUp

__all__ = ["NotRestored", "brought_back", "go_on"]


class NotRestored(Exception):
    """It cannot be said of a database that it was brought back: the message says why, and what to do."""


async def go_on(tx: Transaction, runtime: Runtime, made_at: int, numbers_ahead: int) -> Restoration:
    """Put in doubt what may have left since the backup was made (microseconds), and move every series ahead by so many numbers.

    NumbersUsedUp where a series has not so many left.
    """
    await numbers.skip(tx, TENANT, numbers_ahead)
    open_ones = await interchanges.unsettled(tx, TENANT, "837")
    for one in open_ones:
        if one.state == "held":
            await know(tx, runtime, one, RESTORED, "unknown", REASON)
            continue
        if one.state != "on_wire":
            await interchanges.may_have_left(tx, one, made_at)
        await doubt(tx, runtime, one, REASON, RESTORED)
    claims = await restorations.doubt_accepted(tx, TENANT)
    done = Restoration(runtime.world.micros(), made_at, numbers_ahead, len(open_ones), claims)
    await restorations.insert(tx, TENANT, done)
    return done


async def brought_back(runtime: Runtime, as_of: int, numbers_ahead: int) -> Restoration:
    """Let a database on a server go on that was brought back, by the server's tools, as it was at a time (microseconds).

    NotRestored where nodes are at work on it, which would have sent already what is to be put in doubt.
    """
    if runtime.config.database is None:
        raise NotRestored(
            "this installation is not on PostgreSQL: claimwire restore brings a data folder back, and does this by itself"
        )
    # Only now: who does not use a server need not have its driver.
    from queues.postgres import PostgreSQL

    database, now = runtime.database, runtime.world.micros()
    assert isinstance(database, PostgreSQL)
    if as_of > now:
        raise NotRestored("that time is to come: set the machine's clock, or name another")
    if others := await database.others():
        raise NotRestored(f"{others} nodes or commands are connected to this database: stop all of them first")
    await release_all(database, now)
    try:
        return await database.write(lambda tx: go_on(tx, runtime, as_of, numbers_ahead))
    except NumbersUsedUp as error:
        raise NotRestored(f"{error}: skip fewer, with --numbers-ahead") from error

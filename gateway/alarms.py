"""Alarms as people read them: what each kind means, what to do next, and who has seen it."""

from __future__ import annotations

from gateway.ledger import alarms
from gateway.ledger.alarms import Alarm
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from queues.database import Transaction
from x12.documents.binding import Document, Text

__all__ = ["KINDS", "AlarmPage", "AlarmView", "Alarms", "NoAlarm", "words"]

# Kind -> what is so, and what to do next. What stands in braces are fields of the alarm.
_WORDS: dict[str, tuple[str, str]] = {
    "silent TA1": (
        "{payer_id}: {count} claims without a TA1 in time",
        "Look whether files are collected (claimwire lanes list, claimwire unmatched list), then call the payer with the ISA13.",
    ),
    "silent 999": (
        "{payer_id}: {count} claims without a 999 in time",
        "Look whether files are collected (claimwire lanes list, claimwire unmatched list), then call the payer with the ISA13.",
    ),
    "silent 277CA": (
        "{payer_id}: {count} claims without a 277CA in time",
        "The payer is being asked by 276 where it takes that; else call it with what claimwire follow-up worklist shows.",
    ),
    "silent payer 277CA": (
        "{payer_id}: {count} claims that the payer itself has not acknowledged in time",
        "A clearinghouse may have taken them: ask it, with its own number of each claim, whether the payer has them.",
    ),
    "silent 277": (
        "{payer_id}: {count} questions about claims without a 277 in time",
        "The claims are asked about again at their next date. Look whether files are collected; call the payer about the claims that cannot wait.",
    ),
    "silent 835": (
        "{payer_id}: {count} claims without a remittance in time",
        "Read the last status of each claim, and call the payer before its time for appeals is over.",
    ),
    "in doubt": (
        "{route_id}: {count} interchanges in doubt since more than a business day",
        "Call the payer with the ISA13, then decide: claimwire in-doubt list, show, decide.",
    ),
    "number taken": (
        "{route_id}: {count} interchanges were sent once, and the payer had had their control numbers before",
        "Was a backup put in the place of the database? Nothing is sent again, and numbers go on ahead: ask the payer what it has, then decide (claimwire in-doubt list).",
    ),
    "unmatched": (
        "{route_id}: {count} files that match nothing or contradict themselves",
        "Look at them: claimwire unmatched list, show; say what was done: handled.",
    ),
    "route down": (
        "{route_id}: nothing leaves on this route ({detail})",
        "Look at claimwire lanes list. Work waits and goes on by itself; a certificate, a password or a network may need mending.",
    ),
    "route gone": (
        "{route_id}: {count} claims, interchanges and files wait for this route, which is not configured",
        "Put the route back into the configuration, under this id: they go on by themselves. An id of a route is never given to another.",
    ),
    "clock": (
        "the machine's clock went {detail}; interchanges that bear dates to come: {count}",
        "Look at the machine's time service. After a leap ahead no claim is asked about for an hour: set the clock right within it.",
    ),
    "certificate": (
        "{route_id}: {detail}",
        "Have it renewed before: afterwards nothing leaves on this route. Of the payer's, ask the payer.",
    ),
    "disk": (
        "the disk of the data folder is nearly full: {detail} are left",
        "Make room, or move the folder to a larger disk. Below disk_reserve_bytes new work is refused with 503; what was taken goes on, and nothing is lost.",
    ),
    "loop blocked": (
        "the service stood still {count} times, for up to {detail}",
        "Nothing was answered meanwhile. The module named last called what held it up: where that is an adapter, its author must mend it.",
    ),
    "work buried": (
        "{count} pieces of work of kind {detail} were given up after errors of ours",
        "Look for `step failed` in the log, and report it: nothing is lost, and it goes on once it is mended.",
    ),
}

KINDS = tuple(_WORDS)


def words(alarm: Alarm) -> tuple[str, str]:
    """What is so, and what to do next, in words without anything of a patient."""
    said, advice = _WORDS.get(alarm.kind, ("{kind}: {count}", ""))
    fields = {name: getattr(alarm, name) for name in ("kind", "payer_id", "route_id", "count", "detail")}
    return said.format(**fields), advice


class NoAlarm(LookupError):
    """There is no such alarm."""


class AlarmView(Document):
    """An alarm: what is so, what to do next, since when, and who has seen it."""

    alarm_id: str
    kind: str
    says: str
    advice: str
    count: int
    raised_at: str
    payer_id: Text = None
    route_id: Text = None
    closed_at: Text = None
    mailed_at: Text = None
    acknowledged_at: Text = None
    acknowledged_by: Text = None


class AlarmPage(Document):
    """Alarms, oldest first."""

    items: list[AlarmView]
    next_page_token: Text = None


class Alarms:
    """Reads alarms, and takes that a person has seen one."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def page(self, after: tuple[int, str] = (0, ""), limit: int = 100, *, closed: bool = False) -> AlarmPage:
        """Those that are open, or were; `after` is when the last one of the page before was raised, and its id."""
        found = await self.runtime.database.read(lambda tx: alarms.page(tx, TENANT, after, limit + 1, closed=closed))
        shown = found[:limit]
        token = f"{shown[-1].raised_at}.{shown[-1].alarm_id}" if len(found) > limit else None
        return AlarmPage(items=[_view(one) for one in shown], next_page_token=token)

    async def acknowledge(self, tx: Transaction, alarm_id: str, by: str) -> AlarmView:
        """A person has seen it, and looks after it. NoAlarm."""
        found = await alarms.get(tx, TENANT, alarm_id)
        if found is None:
            raise NoAlarm("there is no such alarm")
        await alarms.acknowledge(tx, found, by, self.runtime.world.micros())
        fresh = await alarms.get(tx, TENANT, alarm_id)
        assert fresh is not None
        return _view(fresh)


def _view(one: Alarm) -> AlarmView:
    said, advice = words(one)
    return AlarmView(
        alarm_id=one.alarm_id,
        kind=one.kind,
        says=said,
        advice=advice,
        count=one.count,
        raised_at=moment(one.raised_at) or "",
        payer_id=one.payer_id or None,
        route_id=one.route_id or None,
        closed_at=moment(one.closed_at),
        mailed_at=moment(one.mailed_at),
        acknowledged_at=moment(one.acknowledged_at),
        acknowledged_by=one.acknowledged_by,
    )

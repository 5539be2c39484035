"""Transactions and their events: where each stands, and everything that happened to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.ledger import notices
from gateway.lifecycle import (
    KEEP,
    RUNGS,
    Change,
    Fact,
    FollowUpAsked,
    FollowUpLeftToPerson,
    FollowUpResumed,
    FollowUpStopped,
    Overdue,
    Profile,
    Remitted,
    Rung,
    Standing,
    WorklistDone,
    decide,
    event_data,
    event_kind,
    heard,
    is_silent,
    number_of,
    rejecter,
    silent_states,
)
from gateway.world import to_micros
from queues.database import Row, Value
from queues.database import Transaction as Tx

__all__ = [
    "Event",
    "Transaction",
    "Unknown",
    "apply",
    "apply_all",
    "counts",
    "events",
    "get",
    "insert",
    "page",
    "reroute",
    "waiting_claims",
    "waiting_on",
]


class Unknown(LookupError):
    """The tenant has no such transaction."""


class Transaction(msgspec.Struct):
    """A row of the ledger: ids, codes and times only. What was asked and answered lies sealed under `request_id`, `answer_id`.

    `version` counts its events; `claim_kind` is 837P, 837I or 837D where it is a claim, `heard` the number of the highest rung on which
    something was said of it. `apply` keeps the object as current as the row.
    """

    tenant_id: str
    transaction_id: str
    kind: str
    state: str
    route_id: str
    payer_id: str
    usage: str
    created_at: int
    updated_at: int
    position: int = 0
    outcome: str | None = None
    conflict: bool = False
    version: int = 1
    parent_id: str | None = None
    request_id: str | None = None
    answer_id: str | None = None
    traceparent: str = ""
    sent_at: int | None = None
    follow_up_at: int | None = None
    claim_kind: str | None = None
    rejected_by: str | None = None
    overdue: Rung | None = None
    worklist: str | None = None
    act_by: int | None = None
    heard: int = 0

    @property
    def standing(self) -> Standing:
        return Standing(self.kind, self.state, self.outcome, self.follow_up_at, self.rejected_by)


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to a transaction."""

    sequence: int
    at: int
    kind: str
    data: dict[str, Any]
    interchange_id: str | None
    inbound_id: str | None
    traceparent: str


_FIELDS = Transaction.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_GIVEN = tuple(name for name in _FIELDS if name != "position")
_PLACES = ", ".join(f"${n}" for n in range(1, len(_GIVEN) + 1))
_POSITION = "(SELECT coalesce(max(position), 0) + 1 FROM transactions WHERE tenant_id = $1)"
_INSERT = f"INSERT INTO transactions ({', '.join(_GIVEN)}, position) VALUES ({_PLACES}, {_POSITION})"
_SELECT = f"SELECT {_COLUMNS} FROM transactions"


def _transaction(row: Row) -> Transaction:
    values = dict(zip(_FIELDS, row, strict=True))
    values["conflict"] = bool(values["conflict"])
    return Transaction(**values)


async def insert(
    tx: Tx,
    made: Transaction,
    fact: Fact | None = None,
    profile: Profile | None = None,
    interchange_id: str | None = None,
) -> None:
    """Add a transaction at the end of its tenant's order, with its first event, and with the fact it was made with."""
    happened = [_event(made, made.state, {}, made.created_at)]
    if fact is not None:
        _change(made, fact, profile or Profile(), made.created_at)
        happened.append(_event(made, event_kind(fact), event_data(fact), made.created_at, interchange_id))
    values = (getattr(made, name) for name in _GIVEN)
    await tx.execute(_INSERT, *(int(v) if isinstance(v, bool) else v for v in values))
    await tx.many(_INSERT_EVENT, happened)
    await notices.notice_all(tx, [made], made.created_at)


async def get(tx: Tx, tenant_id: str, transaction_id: str) -> Transaction:
    """One transaction; Unknown when the tenant has none with this id."""
    row = await tx.row(f"{_SELECT} WHERE tenant_id = $1 AND transaction_id = $2", tenant_id, transaction_id)
    if row is None:
        raise Unknown(f"there is no transaction {transaction_id}")
    return _transaction(row)


_INSERT_EVENT = (
    "INSERT INTO events (tenant_id, transaction_id, sequence, at, kind, data, interchange_id, inbound_id, traceparent)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)


def _event(
    subject: Transaction,
    kind: str,
    data: dict[str, Any],
    now: int,
    interchange_id: str | None = None,
    inbound_id: str | None = None,
    traceparent: str = "",
) -> tuple[Value, ...]:
    """The row of an event; its sequence is the version of the transaction that it made."""
    return (
        subject.tenant_id,
        subject.transaction_id,
        subject.version,
        now,
        kind,
        msgspec.json.encode(data).decode(),
        interchange_id,
        inbound_id,
        traceparent or subject.traceparent,
    )


def _change(subject: Transaction, fact: Fact, profile: Profile, now: int) -> Change:
    """Change a transaction in memory as `decide` says."""
    change = decide(subject.standing, fact, profile, now)
    subject.version += 1
    subject.updated_at = now
    subject.state = change.state or subject.state
    # Of a claim that a person lets go into another interchange, nothing that was said before counts.
    subject.heard = 0 if change.state == "accepted" else max(subject.heard, heard(fact))
    if isinstance(fact, Overdue):
        subject.overdue = fact.rung
    elif subject.overdue is not None and not is_silent(subject.state, subject.heard, subject.overdue):
        subject.overdue = None
    _list(subject, fact, profile, now)
    if change.state == "rejected":
        subject.rejected_by = rejecter(fact)
    subject.outcome = change.outcome or subject.outcome
    subject.conflict = change.conflict or subject.conflict
    if subject.state == "sent" and subject.sent_at is None:
        subject.sent_at = now
    if change.follow_up_at != KEEP:
        subject.follow_up_at = change.follow_up_at
    return change


# Why a denied claim is on the worklist.
_DENIED = "it was denied: an appeal must be made in time"


def _list(subject: Transaction, fact: Fact, profile: Profile, now: int) -> None:
    """Put a claim on the worklist of persons, or take it off."""
    match fact:
        case Remitted(outcome="denied", dated=dated) if (
            subject.state == "remitted" and profile.appeal_within is not None
        ):
            subject.worklist, subject.act_by = (
                _DENIED,
                _day(dated, now) + profile.appeal_within // timedelta(microseconds=1),
            )
        case FollowUpLeftToPerson(reason=reason, act_by=act_by):
            subject.worklist = reason
            subject.act_by = to_micros(datetime.fromisoformat(act_by).replace(tzinfo=UTC)) if act_by else None
        case FollowUpStopped():
            subject.worklist = "a person looks after it"
        case FollowUpResumed() | FollowUpAsked() | WorklistDone():
            subject.worklist = subject.act_by = None
        case Remitted() if subject.state == "remitted":
            subject.worklist = subject.act_by = None
        # What is said of a remitted claim later, such as by a 277, is no answer to a denial.
        case _ if subject.state in ("rejected", "finalized"):
            subject.worklist = subject.act_by = None
        case _:
            pass


def _day(dated: str, now: int) -> int:
    """The day that a remittance says it is of (CCYYMMDD), in microseconds; the present one where it says none or a later one."""
    try:
        return min(to_micros(datetime.strptime(dated, "%Y%m%d").replace(tzinfo=UTC)), now)
    except ValueError:
        return now


async def apply(
    tx: Tx,
    subject: Transaction,
    fact: Fact,
    profile: Profile,
    now: int,
    interchange_id: str | None = None,
    inbound_id: str | None = None,
    traceparent: str = "",
    answer_id: str | None = None,
) -> Change:
    """Let a fact happen to a transaction: keep it as an event and change what `decide` says.

    Unique when the subject was not current: somebody else's event has that sequence.
    """
    subject.answer_id = answer_id or subject.answer_id
    change, event = _happen(subject, fact, profile, now, interchange_id, inbound_id, traceparent)
    await tx.execute(_INSERT_EVENT, *event)
    await tx.execute(_UPDATE, *_changed(subject))
    if change.state is not None:
        await notices.notice_all(tx, [subject], now)
    return change


async def apply_all(
    tx: Tx,
    facts: Sequence[tuple[Transaction, Fact]],
    profile_of: Callable[[str], Profile],
    now: int,
    interchange_id: str | None = None,
    inbound_id: str | None = None,
) -> list[Change]:
    """`apply` for many transactions at once, each with its fact; `profile_of` gives the profile of a payer id."""
    happened = [_happen(s, f, profile_of(s.payer_id), now, interchange_id, inbound_id) for s, f in facts]
    await tx.many(_INSERT_EVENT, [event for _, event in happened])
    await tx.many(_UPDATE, [_changed(subject) for subject, _ in facts])
    changes = [change for change, _ in happened]
    moved = [subject for (subject, _), change in zip(facts, changes, strict=True) if change.state is not None]
    await notices.notice_all(tx, moved, now)
    return changes


_UPDATE = (
    "UPDATE transactions SET state = $1, outcome = $2, conflict = $3, version = $4, updated_at = $5, sent_at = $6, follow_up_at = $7,"
    " answer_id = $8, rejected_by = $9, overdue = $10, worklist = $11, act_by = $12, heard = $13"
    " WHERE tenant_id = $14 AND transaction_id = $15"
)


def _changed(subject: Transaction) -> tuple[Value, ...]:
    return (
        subject.state,
        subject.outcome,
        int(subject.conflict),
        subject.version,
        subject.updated_at,
        subject.sent_at,
        subject.follow_up_at,
        subject.answer_id,
        subject.rejected_by,
        subject.overdue,
        subject.worklist,
        subject.act_by,
        subject.heard,
        subject.tenant_id,
        subject.transaction_id,
    )


def _happen(
    subject: Transaction,
    fact: Fact,
    profile: Profile,
    now: int,
    interchange_id: str | None = None,
    inbound_id: str | None = None,
    traceparent: str = "",
) -> tuple[Change, tuple[Value, ...]]:
    """Change a transaction in memory; the change and the row of its event."""
    change = _change(subject, fact, profile, now)
    data = event_data(fact)
    if change.conflict:
        data["conflict"] = True
    return change, _event(subject, event_kind(fact), data, now, interchange_id, inbound_id, traceparent)


async def reroute(tx: Tx, tenant_id: str, transaction_ids: Sequence[str], route_id: str) -> None:
    """Let transactions go over another route."""
    await tx.many(
        "UPDATE transactions SET route_id = $1 WHERE tenant_id = $2 AND transaction_id = $3",
        [(route_id, tenant_id, transaction_id) for transaction_id in transaction_ids],
    )


async def events(tx: Tx, tenant_id: str, transaction_id: str) -> list[Event]:
    """A transaction's events, oldest first."""
    rows = await tx.fetch(
        "SELECT sequence, at, kind, data, interchange_id, inbound_id, traceparent FROM events WHERE tenant_id = $1 AND transaction_id = $2 ORDER BY sequence",
        tenant_id,
        transaction_id,
    )
    return [Event(row[0], row[1], row[2], msgspec.json.decode(row[3]), row[4], row[5], row[6]) for row in rows]


async def of_interchange(
    tx: Tx, tenant_id: str, interchange_id: str, control_number: str | None = None
) -> list[Transaction]:
    """The transactions that an interchange, or one transaction set of it, carries, in its order."""
    columns = ", ".join(f"t.{name}" for name in _FIELDS)
    one = "" if control_number is None else " AND m.control_number = $3"
    values = (tenant_id, interchange_id) if control_number is None else (tenant_id, interchange_id, control_number)
    rows = await tx.fetch(
        f"SELECT {columns} FROM members m JOIN transactions t ON t.tenant_id = m.tenant_id AND t.transaction_id = m.transaction_id"
        f" WHERE m.tenant_id = $1 AND m.interchange_id = $2{one} ORDER BY m.control_number, m.ordinal",
        *values,
    )
    return [_transaction(row) for row in rows]


async def page(tx: Tx, tenant_id: str, after: int, limit: int, since: int = -1) -> list[Transaction]:
    """Transactions behind a position and made later than a time, in the order they were committed."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND position > $2 AND created_at > $4 ORDER BY position LIMIT $3",
        tenant_id,
        after,
        limit,
        since,
    )
    return [_transaction(row) for row in rows]


async def last_position(tx: Tx, tenant_id: str) -> int:
    """The position of the transaction that was committed last; 0 where there is none."""
    row = await tx.row(
        "SELECT position FROM transactions WHERE tenant_id = $1 ORDER BY position DESC LIMIT 1", tenant_id
    )
    return row[0] if row else 0


async def position_at(tx: Tx, tenant_id: str, at: int) -> int:
    """The position of the last transaction that was made by a time, found by halving: times grow with positions, but for moments."""
    low, high = 0, await last_position(tx, tenant_id)
    while low < high:
        middle = (low + high) // 2
        row = await tx.row(
            "SELECT position, created_at FROM transactions WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT 1",
            tenant_id,
            middle,
        )
        assert row is not None
        if row[1] > at:
            high = middle
        else:
            low = row[0]
    return low


async def waiting_claims(tx: Tx, tenant_id: str, route_id: str, limit: int) -> list[Transaction]:
    """Accepted claims of a route that are in no interchange yet, oldest first."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND route_id = $2 AND state = 'accepted' AND kind = 'claim' ORDER BY position LIMIT $3",
        tenant_id,
        route_id,
        limit,
    )
    return [_transaction(row) for row in rows]


async def waiting_on(tx: Tx, tenant_id: str) -> list[tuple[str, int]]:
    """(route, number) of accepted claims that are in no interchange yet."""
    rows = await tx.fetch(
        "SELECT route_id, count(*) FROM transactions WHERE tenant_id = $1 AND state = 'accepted' AND kind = 'claim' GROUP BY route_id",
        tenant_id,
    )
    return [(row[0], row[1]) for row in rows]


async def due_for_follow_up(tx: Tx, tenant_id: str, now: int, limit: int) -> list[Transaction]:
    """Claims whose follow-up date has come, longest due first."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND follow_up_at IS NOT NULL AND follow_up_at <= $2 ORDER BY follow_up_at LIMIT $3",
        tenant_id,
        now,
        limit,
    )
    return [_transaction(row) for row in rows]


# As the index `silent_above` says it: a claim in a state that a word on a lower rung may have brought about.
_ABOVE = "((state = 'acknowledged' AND heard = 1) OR (state = 'received' AND heard IN (1, 2, 3)))"


def _silent_on(rung: Rung) -> str:
    """`is_silent` in SQL, of whoever waits: an inquiry for its 277, a claim for all else.

    For each state, and for each rung that may have been told before, a range of one index, of which the first are read. Who is silent on the rungs
    below one already is told of this one, too.
    """
    states, lifted = silent_states(rung)
    kind = "claim_status" if rung == "277" else "claim"
    wanted = [f"kind = '{kind}' AND state = '{state}'" for state in states]
    wanted += [f"{_ABOVE} AND state = '{lifted}' AND heard < {number_of(rung)}"] if lifted else []
    return " UNION ALL ".join(
        f"SELECT * FROM ({_SELECT} WHERE tenant_id = $1 AND payer_id = $2 AND {one} AND coalesce(overdue, '') = '{told}'"
        " AND sent_at <= $3 ORDER BY sent_at LIMIT $4) AS part"
        for one in wanted
        for told in ("", *RUNGS[: RUNGS.index(rung)])
    )


_SILENT = {rung: f"{_silent_on(rung)} LIMIT $4" for rung in RUNGS}


async def silent(tx: Tx, tenant_id: str, payer_id: str, rung: Rung, sent_by: int, limit: int) -> list[Transaction]:
    """Claims, on the 277 inquiries, that were sent to a payer by that time, of which nothing was said on a rung and that are not told so yet.

    Up to `limit`; no more than those are read, however many are told already.
    """
    rows = await tx.fetch(_SILENT[rung], tenant_id, payer_id, sent_by, limit)
    return [_transaction(row) for row in rows]


async def asked(tx: Tx, tenant_id: str, transaction_ids: Sequence[str]) -> set[str]:
    """Those of these claims that their payer was asked about."""
    found: set[str] = set()
    for transaction_id in transaction_ids:
        row = await tx.row(
            "SELECT 1 FROM events WHERE tenant_id = $1 AND transaction_id = $2 AND kind = 'followUpAsked' LIMIT 1",
            tenant_id,
            transaction_id,
        )
        if row is not None:
            found.add(transaction_id)
    return found


async def overdue_after(tx: Tx, tenant_id: str, payer_id: str, rung: str) -> tuple[str, Rung] | None:
    """The next payer and rung, behind these, on which it is silent beyond its time; None where there is no further one."""
    row = await tx.row(
        "SELECT payer_id, overdue FROM (SELECT payer_id, overdue FROM transactions WHERE tenant_id = $1 AND payer_id = $2 AND overdue > $3"
        " ORDER BY overdue LIMIT 1) AS same UNION ALL SELECT payer_id, overdue FROM (SELECT payer_id, overdue FROM transactions"
        " WHERE tenant_id = $1 AND payer_id > $2 AND overdue IS NOT NULL ORDER BY payer_id, overdue LIMIT 1) AS further LIMIT 1",
        tenant_id,
        payer_id,
        rung,
    )
    return (row[0], row[1]) if row else None


async def count_overdue(
    tx: Tx, tenant_id: str, payer_id: str, rung: Rung, after: str, limit: int
) -> tuple[int, str | None]:
    """How many claims a payer is silent on, on a rung: up to `limit` behind an id, and the last one's; None where there is none."""
    row = await tx.row(
        "SELECT count(*), max(transaction_id) FROM (SELECT transaction_id FROM transactions WHERE tenant_id = $1 AND payer_id = $2"
        " AND overdue = $3 AND transaction_id > $4 ORDER BY transaction_id LIMIT $5) AS part",
        tenant_id,
        payer_id,
        rung,
        after,
        limit,
    )
    return (row[0], row[1]) if row else (0, None)


async def follow_ups(tx: Tx, tenant_id: str, until: int, after: tuple[int, str], limit: int) -> list[Transaction]:
    """Claims that will be asked about by that time, soonest first, behind a time and an id."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND follow_up_at IS NOT NULL AND follow_up_at <= $2"
        " AND (follow_up_at > $3 OR (follow_up_at = $3 AND transaction_id > $4)) ORDER BY follow_up_at, transaction_id LIMIT $5",
        tenant_id,
        until,
        after[0],
        after[1],
        limit,
    )
    return [_transaction(row) for row in rows]


# Behind those that must be acted on by a day.
_NO_DAY = 1 << 60


async def worklist(tx: Tx, tenant_id: str, after: tuple[int, str], limit: int) -> list[Transaction]:
    """Claims that a person must act on, those with the nearest day first, behind a day (those without one come last) and an id."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND worklist IS NOT NULL AND (coalesce(act_by, $2) > $3"
        " OR (coalesce(act_by, $2) = $3 AND transaction_id > $4)) ORDER BY coalesce(act_by, $2), transaction_id LIMIT $5",
        tenant_id,
        _NO_DAY,
        after[0],
        after[1],
        limit,
    )
    return [_transaction(row) for row in rows]


def worklist_place(claim: Transaction) -> tuple[int, str]:
    """Behind which a page of the worklist begins."""
    return (claim.act_by if claim.act_by is not None else _NO_DAY), claim.transaction_id


async def follow_up_counts(tx: Tx, tenant_id: str, now: int, soon: int) -> tuple[int, int, int, int]:
    """How many claims are due now, are due by `soon`, are asked about and unanswered, and are on the worklist."""
    row = await tx.row(
        "SELECT (SELECT count(*) FROM transactions WHERE tenant_id = $1 AND follow_up_at IS NOT NULL AND follow_up_at <= $2),"
        " (SELECT count(*) FROM transactions WHERE tenant_id = $1 AND follow_up_at IS NOT NULL AND follow_up_at <= $3),"
        " (SELECT count(*) FROM transactions WHERE tenant_id = $1 AND kind = 'claim_status' AND parent_id IS NOT NULL"
        " AND state IN ('accepted', 'built', 'in_doubt', 'sent')),"
        " (SELECT count(*) FROM transactions WHERE tenant_id = $1 AND worklist IS NOT NULL)",
        tenant_id,
        now,
        soon,
    )
    assert row is not None
    return row[0], row[1], row[2], row[3]


async def next_follow_up(tx: Tx, tenant_id: str) -> int | None:
    """The earliest follow-up date of any claim."""
    row = await tx.row(
        "SELECT min(follow_up_at) FROM transactions WHERE tenant_id = $1 AND follow_up_at IS NOT NULL", tenant_id
    )
    return row[0] if row else None


async def counts(tx: Tx) -> list[tuple[str, str, int]]:
    """(kind, state, number) over all tenants, for metrics."""
    rows = await tx.fetch("SELECT kind, state, count(*) FROM transactions GROUP BY kind, state")
    return [(row[0], row[1], row[2]) for row in rows]


_OF_PAYERS = "kind IN ('claim_report', 'remittance')"


async def from_file(tx: Tx, tenant_id: str, inbound_id: str, kind: str) -> list[Transaction]:
    """The reports or remittances that a file from a payer held."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE tenant_id = $1 AND request_id = $2 AND {_OF_PAYERS} AND kind = $3 ORDER BY position",
        tenant_id,
        inbound_id,
        kind,
    )
    return [_transaction(row) for row in rows]

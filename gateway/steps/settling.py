"""Settles by evidence whether a payer has the claims that were sent to it; the order of the evidence is the law here.

First the payer's own word (probe), then an acknowledgement that arrives, then a 276 about one of the claims, then an identical resend
where the route says how its payer knows copies, else a person. Each thing that becomes known is kept, and committed with what follows.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from adapters.protocol import Evidence as Word
from adapters.protocol import Outbound
from gateway.asking import prepare_about
from gateway.claim_kinds import kept_claim
from gateway.hours import next_business_day
from gateway.inquiries import Prepared, commit_inquiry
from gateway.ledger import evidence, inbound, interchanges, transactions
from gateway.ledger.evidence import Evidence
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import KEEP, Delivered, DoubtAsked, Doubted, Fact, Held
from gateway.payers import Route
from gateway.runtime import Runtime
from gateway.steps.waiting import later
from gateway.submissions import claim_of
from gateway.world import from_micros, to_micros
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["SETTLED", "apply_to_members", "doubt", "has_lapsed", "hold", "keep", "know", "may_send_again", "settle"]

_LOG = log.get("gateway.settling")
SETTLED = frozenset(("confirmed", "rejected", "held", "released"))
# The payer's word may take a moment to be true; after this many questions a person is asked instead.
_LOOKS_MAX = 6
# Of so many interchanges it is remembered since when they are said to be absent; then they wait anew.
_ABSENT_MAX = 10_000


async def apply_to_members(
    tx: Transaction,
    runtime: Runtime,
    interchange: Interchange,
    fact: Fact,
    control_number: str | None = None,
    inbound_id: str | None = None,
) -> int:
    """Let a fact happen to every transaction in an interchange, or in one of its transaction sets; how many there are."""
    now = runtime.world.micros()
    held = await transactions.of_interchange(tx, interchange.tenant_id, interchange.interchange_id, control_number)
    for traceparent in {subject.traceparent for subject in held}:
        tracing.link(traceparent)
    facts = [(subject, fact) for subject in held]
    changes = await transactions.apply_all(tx, facts, runtime.profile, now, interchange.interchange_id, inbound_id)
    for kind, count in Counter(subject.kind for subject in held).items():
        tx.after_commit(partial(runtime.metrics.facts(kind, type(fact).__name__).inc, count))
    due = [c.follow_up_at for c in changes if c.follow_up_at is not None and c.follow_up_at != KEEP]
    if due:
        await work.enqueue(
            tx, interchange.tenant_id, runtime.world.new_id(), "follow_up", interchange.tenant_id, now, min(due)
        )
    return len(held)


async def know(
    tx: Transaction, runtime: Runtime, interchange: Interchange, source: str, says: str, detail: str = ""
) -> None:
    """Keep one thing more that is known of whether the payer has an interchange."""
    known = Evidence(runtime.world.micros(), source, says, detail)
    await evidence.add(tx, interchange.tenant_id, interchange.interchange_id, known)


async def keep(tx: Transaction, runtime: Runtime, interchange: Interchange, payload: bytes) -> None:
    """Keep what a payer answered, and have it read."""
    now, made_id = runtime.world.micros(), runtime.world.new_id()
    where = (interchange.tenant_id, interchange.route_id)
    file, new = await inbound.store(tx, runtime.vault, *where, made_id, payload, now, interchange.traceparent)
    if new:
        await work.enqueue(tx, interchange.tenant_id, file.inbound_id, "apply", file.inbound_id, now)


async def settle(
    tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, state: str, fact: Fact
) -> None:
    """End the sending, in one commit with what that says of every claim. An answer may have settled it before: then that holds."""
    await work.finish(tx, item)
    current = await interchanges.get(tx, interchange.tenant_id, interchange.interchange_id)
    if current is None or current.state in SETTLED:
        return
    await interchanges.set_state(tx, interchange, state)
    await apply_to_members(tx, runtime, interchange, fact)


def _decide_by(runtime: Runtime) -> int:
    return to_micros(next_business_day(from_micros(runtime.world.micros())))


async def doubt(
    tx: Transaction, runtime: Runtime, interchange: Interchange, reason: str, source: str = "delivery"
) -> None:
    """It is not known whether the payer has it, as when an attempt ended without an outcome; a person should decide by the next business day."""
    now = runtime.world.micros()
    await interchanges.doubt(tx, interchange, "in_doubt", reason, now, _decide_by(runtime))
    await know(tx, runtime, interchange, source, "unknown", reason)
    if interchange.doubted_at is None:
        await apply_to_members(tx, runtime, interchange, Doubted(reason))


async def hold(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, held: Held) -> None:
    """Nothing more is tried: a person decides, with the evidence before them."""
    await work.finish(tx, item)
    current = await interchanges.get(tx, interchange.tenant_id, interchange.interchange_id)
    if current is None or current.state in SETTLED:
        return
    now = runtime.world.micros()
    await interchanges.doubt(tx, interchange, "held", held.reason, now, _decide_by(runtime))
    await apply_to_members(tx, runtime, interchange, held)
    _LOG.warning("interchange held", interchange_id=interchange.interchange_id, route_id=interchange.route_id)


async def may_send_again(
    runtime: Runtime, item: Work, interchange: Interchange, route: Route, outbound: Outbound
) -> bool:
    """Whether claims whose sending is in doubt may leave once more; if not, what is known is committed here."""
    if interchange.state == "on_wire":
        # Whoever sent it did not live to say what became of it.
        await runtime.database.write(lambda tx: _interrupted(tx, runtime, item, interchange))
    known = await runtime.database.read(lambda tx: evidence.of(tx, item.tenant_id, interchange.interchange_id))
    looked = evidence.looks(known)
    # After a backup was restored, that this interchange is not there says nothing: its claims may have gone under another number.
    only_a_person = evidence.restored(known)
    word: Word = "unknown"
    if runtime.can(route).probes:
        word = await runtime.adapter(route).probe(outbound, runtime.adapter_context(route))
    _LOG.info("doubt probed", interchange_id=interchange.interchange_id, route_id=route.id, evidence=word)
    if word == "received":
        fact = Delivered("probe")
        await runtime.database.write(lambda tx: settle(tx, runtime, item, interchange, "confirmed", fact))
        return False
    if word == "absent" and not only_a_person:
        early = _too_early(runtime, interchange, route)
        if early:
            await runtime.database.write(lambda tx: _not_yet(tx, runtime, item, early))
            return False
        return await runtime.database.write(lambda tx: _allow(tx, runtime, item, interchange, "probe", "absent"))
    asking = None
    if not any(one.source == "question" for one in known):
        asking = await _prepare_question(runtime, interchange)
    if _knows_copies(runtime, interchange, route) and asking is None and not only_a_person:
        rule = f"duplicates: {route.duplicates}"
        return await runtime.database.write(lambda tx: _allow(tx, runtime, item, interchange, "rule", "unknown", rule))
    if looked + 1 < _LOOKS_MAX:
        await runtime.database.write(lambda tx: _look_again(tx, runtime, item, interchange, asking))
    else:
        held = Held("the payer cannot say whether it has the interchange")
        await runtime.database.write(lambda tx: hold(tx, runtime, item, interchange, held))
    return False


def _too_early(runtime: Runtime, interchange: Interchange, route: Route) -> float:
    """For how many seconds more the payer may be taking in what it does not have yet; 0 where it would know a copy.

    Counted by the steady clock from the first time that this process heard it of this attempt: a clock that leapt must not end it.
    """
    if _knows_copies(runtime, interchange, route):
        return 0.0
    first, now = runtime.first_absent, runtime.world.monotonic()
    if len(first) >= _ABSENT_MAX:
        first.clear()
    attempt = interchange.interchange_id, interchange.attempts
    return max(first.setdefault(attempt, now) + route.absent_seconds - now, 0.0)


def _knows_copies(runtime: Runtime, interchange: Interchange, route: Route) -> bool:
    """Whether the payer promised to know a copy of what was first sent then."""
    if route.duplicates == "none":
        return False
    if route.duplicates_hours is None or interchange.sent_at is None:
        return True
    return runtime.world.micros() < interchange.sent_at + round(route.duplicates_hours * 3600 * SECOND)


async def has_lapsed(runtime: Runtime, interchange: Interchange, route: Route) -> bool:
    """Whether what was to leave once more by the payer's promise has waited, as for a route that is down, for longer than that holds."""
    if interchange.state != "safe_to_resend" or not interchange.copies or _knows_copies(runtime, interchange, route):
        return False
    tenant_id, interchange_id = interchange.tenant_id, interchange.interchange_id
    known = await runtime.database.read(lambda tx: evidence.of(tx, tenant_id, interchange_id))
    # What let it leave: the rule, the payer's "absent", or a person.
    let = (one.source for one in reversed(known) if one.source in ("rule", "person") or one.says == "absent")
    return next(let, "") == "rule"


async def _interrupted(tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange) -> None:
    await work.guard(tx, item)
    await doubt(tx, runtime, interchange, "the sending was interrupted")


async def _not_yet(tx: Transaction, runtime: Runtime, item: Work, seconds: float) -> None:
    """The payer does not have it now: ask again when it would."""
    run_at = runtime.world.micros() + round(seconds * SECOND)
    await work.postpone(tx, item, run_at, "in doubt: the payer may still be taking it in")


async def _allow(
    tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, source: str, says: str, detail: str = ""
) -> bool:
    """The same bytes may leave once more; not where an answer has come meanwhile."""
    await work.guard(tx, item)
    current = await interchanges.get(tx, interchange.tenant_id, interchange.interchange_id)
    if current is None or current.state in SETTLED:
        await work.finish(tx, item)
        return False
    await interchanges.set_state(tx, interchange, "safe_to_resend", detail or source)
    await know(tx, runtime, interchange, source, says, detail)
    return True


async def _look_again(
    tx: Transaction, runtime: Runtime, item: Work, interchange: Interchange, asking: Prepared | None
) -> None:
    await know(tx, runtime, interchange, "probe", "unknown")
    if asking is not None:
        await commit_inquiry(tx, runtime, asking, b"", hold_seconds=0, claimed=False)
        subject = await transactions.get(tx, interchange.tenant_id, asking.parent_id or "")
        asked, now = DoubtAsked(asking.transaction_id), runtime.world.micros()
        await transactions.apply(tx, subject, asked, runtime.profile(subject.payer_id), now, asking.interchange_id)
        await know(tx, runtime, interchange, "question", "asked", asking.transaction_id)
    await work.postpone(tx, item, later(runtime, item), "in doubt: asking the payer")


async def _prepare_question(runtime: Runtime, interchange: Interchange) -> Prepared | None:
    """A 276 about a claim of an interchange, the first that can be asked about: a payer that knows one has them all."""
    tenant_id, interchange_id = interchange.tenant_id, interchange.interchange_id
    held = await runtime.database.read(lambda tx: interchanges.members(tx, tenant_id, interchange_id))
    if not held:
        return None
    first = held[0].transaction_id
    subject = await runtime.database.read(lambda tx: transactions.get(tx, tenant_id, first))
    payer = runtime.directory.payers.get(subject.payer_id)
    if payer is None:
        return None
    segments = await runtime.database.read(lambda tx: claim_of(tx, runtime, subject))
    prepared, _ = prepare_about(runtime, payer, subject, kept_claim(segments))
    return prepared

"""What waits for a person: interchanges of which nobody knows whether the payer has them, and files that match nothing.

An interchange in doubt is shown with all that is known of it; what a person decides, with who and why, is kept in the story of each of
its claims. The claims go into another interchange by such a decision only.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from gateway.free_text import unseen_character
from gateway.hours import next_business_day
from gateway.inbox_messages import (
    DoubtDecided,
    Handled,
    InDoubtDetail,
    InDoubtPage,
    InDoubtView,
    KnownThing,
    UnmatchedDetail,
    UnmatchedPage,
    UnmatchedView,
)
from gateway.ledger import evidence, inbound, interchanges, payloads
from gateway.ledger.evidence import Evidence
from gateway.ledger.inbound import InboundFile
from gateway.ledger.interchanges import Interchange
from gateway.ledger.payloads import Pieces
from gateway.lifecycle import Decided, Decision
from gateway.runtime import TENANT, Runtime
from gateway.steps.settling import apply_to_members
from gateway.views import moment
from gateway.world import from_micros, to_micros
from queues import work
from queues.database import Transaction
from x12.syntax import runs

__all__ = ["DECISIONS", "WHY_MAX", "Inboxes", "NotInDoubt", "NotThere", "decision_of", "reason"]

DECISIONS: tuple[Decision, ...] = get_args(Decision)
WHY_MAX = 1_000
_CLAIMS_SHOWN_MAX = 1_000
_ADVICE: dict[Decision, str] = {
    "confirmed": "the payer says that it has it: its claims count as sent",
    "resend": "the same bytes once more: where the payer has them already, it must know copies by {duplicates}",
    "rebuild": "the payer says that it has nothing of it: the claims go into a new interchange",
    "keep_waiting": "ask again on the next business day",
}


class NotThere(LookupError):
    """There is no such interchange, file or batch."""


class NotInDoubt(Exception):
    """There is nothing to decide any more, or not yet: the message says how it stands."""


def decision_of(text: str | None) -> Decision:
    """The decision of that name; ValueError names those that there are."""
    for decision in DECISIONS:
        if decision == text:
            return decision
    raise ValueError(f"decision must be one of {', '.join(DECISIONS)}")


def reason(text: str | None) -> str:
    """What a person says of a decision, trimmed; ValueError where it is nothing, too much, or not to be seen."""
    why = (text or "").strip()
    if not 1 <= len(why) <= WHY_MAX:
        raise ValueError(f"why must have 1 to {WHY_MAX} characters")
    if bad := unseen_character(why):
        raise ValueError(f"why contains {bad}, which nobody sees: leave it out")
    return why


class Inboxes:
    """Reads the inboxes, and takes what persons decide."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- in doubt ------------------------------------------------------------------------------------------------------

    async def in_doubt(self, after: tuple[int, str] = (0, ""), limit: int = 100) -> InDoubtPage:
        """Interchanges in doubt or held, longest first; `after` is when the last one of the page before came into doubt, and its id."""
        found = await self.runtime.database.read(lambda tx: interchanges.in_doubt(tx, TENANT, after, limit + 1))
        page = found[:limit]
        last = page[-1][0] if len(found) > limit else None
        token = f"{last.doubted_at}.{last.interchange_id}" if last is not None else None
        return InDoubtPage(items=[self._view(one, claims) for one, claims in page], next_page_token=token)

    def _view(self, one: Interchange, claims: int) -> InDoubtView:
        route = self.runtime.directory.routes.get(one.route_id)
        payers = [p.id for p in self.runtime.directory.payers.values() if one.route_id in p.routes]
        now = self.runtime.world.micros()
        return InDoubtView(
            interchange_id=one.interchange_id,
            state=one.state,
            reason=one.reason,
            route_id=one.route_id,
            payer_ids=payers,
            control_number=f"{one.control_number:09d}",
            claims=claims,
            since=moment(one.doubted_at) or "",
            decide_by=moment(one.decide_by) or "",
            overdue=one.decide_by is not None and one.decide_by <= now,
            attempts=one.attempts,
            copies=one.copies,
            duplicates=route.duplicates if route is not None else "none",
            sha256=one.sha256,
            bytes=one.bytes,
        )

    async def doubt(self, interchange_id: str) -> InDoubtDetail:
        """One interchange with its evidence, its claims, and what can be done; also after it was decided. NotThere when there is none."""

        async def body(tx: Transaction) -> InDoubtDetail:
            one = await interchanges.get(tx, TENANT, interchange_id)
            if one is None or one.set_id != "837" or one.doubted_at is None:
                raise NotThere("there is no such interchange")
            known = await evidence.of(tx, TENANT, interchange_id)
            held = list(dict.fromkeys(m.transaction_id for m in await interchanges.members(tx, TENANT, interchange_id)))
            view = self._view(one, len(held))
            open_to = DECISIONS if one.state in ("in_doubt", "held") else ()
            can = {d: _ADVICE[d].format(duplicates=view.duplicates.replace("_", " ")) for d in open_to}
            return InDoubtDetail(
                **msgspec.structs.asdict(view),
                evidence=[await self._known(tx, k) for k in known],
                transaction_ids=held[:_CLAIMS_SHOWN_MAX],
                can=can,
            )

        return await self.runtime.database.read(body)

    async def _known(self, tx: Transaction, known: Evidence) -> KnownThing:
        why = None
        if known.note_id is not None:
            why = (await payloads.load(tx, self.runtime.vault, TENANT, known.note_id)).decode()
        return KnownThing(
            at=moment(known.at) or "",
            source=known.source,
            says=known.says,
            detail=known.detail or None,
            by=known.decided_by or None,
            why=why,
        )

    async def decide(self, tx: Transaction, interchange_id: str, decision: Decision, by: str, why: str) -> DoubtDecided:
        """Let a person's decision happen. NotThere; NotInDoubt where it was settled meanwhile, or is being sent at this moment."""
        runtime, now = self.runtime, self.runtime.world.micros()
        one = await interchanges.get(tx, TENANT, interchange_id)
        if one is None or one.set_id != "837":
            raise NotThere("there is no such interchange")
        if one.state not in ("in_doubt", "held"):
            raise NotInDoubt(f"it is not in doubt: it is {one.state.replace('_', ' ')}")
        note_id = runtime.world.new_id()
        await payloads.store(tx, runtime.vault, TENANT, note_id, "note", why.encode(), now)
        await evidence.add(tx, TENANT, interchange_id, Evidence(now, "person", decision, "", by, note_id))
        claims = await apply_to_members(tx, runtime, one, Decided(decision, by, note_id))
        if decision == "keep_waiting":
            await interchanges.decide_by(tx, one, to_micros(next_business_day(from_micros(now))))
            return DoubtDecided(interchange_id=interchange_id, decision=decision, state=one.state, claims=claims)
        # Whoever is looking into it at this moment loses the lease, and with it what it was about to commit.
        await work.discard(tx, TENANT, "send", interchange_id)
        state = {"confirmed": "confirmed", "resend": "safe_to_resend", "rebuild": "released"}[decision]
        await interchanges.set_state(tx, one, state, "a person decided")
        if decision == "resend":
            await work.enqueue(tx, TENANT, runtime.world.new_id(), "send", interchange_id, now)
        elif decision == "rebuild":
            await work.enqueue(tx, TENANT, runtime.world.new_id(), "batch", one.route_id, now)
        return DoubtDecided(interchange_id=interchange_id, decision=decision, state=state, claims=claims)

    # --- files that match nothing ------------------------------------------------------------------------------------------

    async def unmatched(
        self, after: tuple[int, str] = (0, ""), limit: int = 100, *, handled: bool = False
    ) -> UnmatchedPage:
        """Files that match nothing or contradict themselves, oldest first; those that a person has looked after where `handled`."""
        found = await self.runtime.database.read(
            lambda tx: inbound.to_handle(tx, TENANT, after, limit + 1, handled=handled)
        )
        page = found[:limit]
        token = f"{page[-1].received_at}.{page[-1].inbound_id}" if len(found) > limit else None
        return UnmatchedPage(items=[_file(one) for one in page], next_page_token=token)

    async def file(self, inbound_id: str, *, reveal: bool) -> UnmatchedDetail:
        """One such file; with its raw segments where `reveal`. NotThere when there is none."""

        runtime = self.runtime

        async def body(tx: Transaction) -> tuple[InboundFile, bytes | Pieces, str | None]:
            one = await inbound.get(tx, TENANT, inbound_id)
            if one is None or one.state not in ("unmatched", "quarantined"):
                raise NotThere("there is no such file")
            why = None
            if one.note_id is not None:
                why = (await payloads.load(tx, runtime.vault, TENANT, one.note_id)).decode()
            return one, await payloads.pieces(tx, runtime.database, runtime.vault, TENANT, one.payload_id), why

        one, content, why = await runtime.database.read(body)
        sets, lines = await runtime.world.offload(lambda: _looked_over(content, reveal=reveal))
        return UnmatchedDetail(
            **msgspec.structs.asdict(_file(one)), sets=sets, why=why, segments=lines if reveal else None
        )

    async def handle(self, tx: Transaction, inbound_id: str, by: str, why: str) -> Handled:
        """A person has looked after a file. NotThere when there is none to look after; handled before, the first time counts."""
        runtime, now = self.runtime, self.runtime.world.micros()
        one = await inbound.get(tx, TENANT, inbound_id)
        if one is None or one.state not in ("unmatched", "quarantined"):
            raise NotThere("there is no such file")
        if one.handled_at is None:
            note_id = runtime.world.new_id()
            await payloads.store(tx, runtime.vault, TENANT, note_id, "note", why.encode(), now)
            await inbound.handled(tx, one, by, note_id, now)
            return Handled(inbound_id=inbound_id, handled_at=moment(now) or "", handled_by=by)
        return Handled(inbound_id=inbound_id, handled_at=moment(one.handled_at) or "", handled_by=one.handled_by or "")


def _looked_over(content: bytes | Pieces, *, reveal: bool) -> tuple[list[str], list[str]]:
    """What sets a file has, and its segments where they are wanted."""
    sets: list[str] = []
    lines: list[str] = []
    for run in runs(content):
        for raw in run.segments:
            if raw[:2] == "ST" and len(raw) > 3:
                name = raw.split(raw[2])[1]
                sets.append(name if name.isalnum() and len(name) == 3 else "unknown")
        if reveal:
            lines += (raw + run.delimiters.segment for raw in run.segments)
    return sets, lines


def _file(one: InboundFile) -> UnmatchedView:
    return UnmatchedView(
        inbound_id=one.inbound_id,
        state=one.state,
        reason=one.reason,
        route_id=one.route_id,
        received_at=moment(one.received_at) or "",
        times_seen=one.times_seen,
        sha256=one.sha256,
        bytes=one.bytes,
        handled_at=moment(one.handled_at),
        handled_by=one.handled_by,
    )

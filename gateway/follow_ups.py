"""The follow-up as people see it: which claims are asked about next, which a person must act on, and stopping and resuming one."""

from __future__ import annotations

from datetime import timedelta

from gateway.ledger import payloads, transactions
from gateway.ledger.transactions import Transaction as Claim
from gateway.lifecycle import OPEN, FollowUpResumed, FollowUpStopped, WorklistDone
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from gateway.world import from_micros
from queues import work
from queues.database import Transaction
from x12.documents.binding import Document, Text

__all__ = [
    "FollowUpBecause",
    "FollowUpCounts",
    "FollowUpPage",
    "FollowUpView",
    "FollowUps",
    "NoClaim",
    "NotListed",
    "NotOpen",
]

_SOON = timedelta(days=7)


class NoClaim(LookupError):
    """There is no such claim."""


class NotOpen(Exception):
    """The claim is at its end: nobody is asked about it any more."""


class NotListed(Exception):
    """Nothing is to be done about the claim by a person, or its payer is still to be asked."""


class FollowUpView(Document):
    """A claim: when its payer is asked about it, or why a person must act, by when, and how many days are left."""

    transaction_id: str
    payer_id: str
    state: str
    sent_at: Text = None
    follow_up_at: Text = None
    silent_on: Text = None
    reason: Text = None
    act_by: Text = None
    days_left: int | None = None


class FollowUpPage(Document):
    """Claims, the most urgent first."""

    items: list[FollowUpView]
    next_page_token: Text = None


class FollowUpCounts(Document):
    """How many claims are due to be asked about, will be within a week, are asked about and unanswered, and wait for a person."""

    due: int
    due_soon: int
    asked: int
    worklist: int


class FollowUpBecause(Document):
    """Why; it is kept sealed."""

    why: Text = None


class FollowUps:
    """Shows what is followed up, and takes what persons decide of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def counts(self) -> FollowUpCounts:
        """How much there is."""
        now = self.runtime.world.micros()
        soon = now + _SOON // timedelta(microseconds=1)
        found = await self.runtime.database.read(lambda tx: transactions.follow_up_counts(tx, TENANT, now, soon))
        return FollowUpCounts(*found)

    async def due(self, days: float = 0.0, after: tuple[int, str] = (0, ""), limit: int = 100) -> FollowUpPage:
        """Claims that are asked about within so many days, those that are due now first."""
        until = self.runtime.world.micros() + timedelta(days=days) // timedelta(microseconds=1)
        found = await self.runtime.database.read(
            lambda tx: transactions.follow_ups(tx, TENANT, until, after, limit + 1)
        )
        last = found[limit - 1] if len(found) > limit else None
        return self._page(found[:limit], f"{last.follow_up_at}.{last.transaction_id}" if last is not None else None)

    async def worklist(self, after: tuple[int, str] = (0, ""), limit: int = 100) -> FollowUpPage:
        """Claims that a person must act on, those with the nearest day first."""
        found = await self.runtime.database.read(lambda tx: transactions.worklist(tx, TENANT, after, limit + 1))
        token = None
        if len(found) > limit:
            place = transactions.worklist_place(found[limit - 1])
            token = f"{place[0]}.{place[1]}"
        return self._page(found[:limit], token)

    def _page(self, found: list[Claim], token: str | None) -> FollowUpPage:
        return FollowUpPage(items=[self._view(one) for one in found], next_page_token=token)

    def _view(self, one: Claim) -> FollowUpView:
        today = self.runtime.world.now().date()
        act_by = from_micros(one.act_by).date() if one.act_by is not None else None
        return FollowUpView(
            transaction_id=one.transaction_id,
            payer_id=one.payer_id,
            state=one.state,
            sent_at=moment(one.sent_at),
            follow_up_at=moment(one.follow_up_at),
            silent_on=one.overdue,
            reason=one.worklist,
            act_by=act_by.isoformat() if act_by is not None else None,
            days_left=(act_by - today).days if act_by is not None else None,
        )

    async def stop(self, tx: Transaction, transaction_id: str, by: str, why: str) -> FollowUpView:
        """A person looks after a claim: its payer is not asked until that is taken back. NoClaim, NotOpen."""
        runtime, now = self.runtime, self.runtime.world.micros()
        claim = await self._claim(tx, transaction_id)
        note_id = runtime.world.new_id()
        await payloads.store(tx, runtime.vault, TENANT, note_id, "note", why.encode(), now)
        fact = FollowUpStopped(by, note_id)
        await transactions.apply(tx, claim, fact, runtime.profile(claim.payer_id), now)
        return self._view(claim)

    async def resume(self, tx: Transaction, transaction_id: str, by: str) -> FollowUpView:
        """Have the payer asked about a claim, now. NoClaim, NotOpen."""
        runtime, now = self.runtime, self.runtime.world.micros()
        claim = await self._claim(tx, transaction_id)
        await transactions.apply(tx, claim, FollowUpResumed(by), runtime.profile(claim.payer_id), now)
        await self.run(tx)
        return self._view(claim)

    async def done(self, tx: Transaction, transaction_id: str, by: str, why: str) -> FollowUpView:
        """A person has done what was to be done about a claim at its end: it leaves the worklist. NoClaim, NotListed."""
        runtime, now = self.runtime, self.runtime.world.micros()
        claim = await self._known(tx, transaction_id)
        if claim.state in OPEN["claim"]:
            raise NotListed(f"it is {claim.state}: resume it, and its payer is asked")
        if claim.worklist is None:
            raise NotListed("it is not on the worklist")
        note_id = runtime.world.new_id()
        await payloads.store(tx, runtime.vault, TENANT, note_id, "note", why.encode(), now)
        await transactions.apply(tx, claim, WorklistDone(by, note_id), runtime.profile(claim.payer_id), now)
        return self._view(claim)

    async def run(self, tx: Transaction) -> None:
        """Have the sweep look now for what is due."""
        now = self.runtime.world.micros()
        await work.enqueue(tx, TENANT, self.runtime.world.new_id(), "follow_up", TENANT, now, now)

    async def _claim(self, tx: Transaction, transaction_id: str) -> Claim:
        claim = await self._known(tx, transaction_id)
        if claim.state not in OPEN["claim"] or claim.state == "accepted":
            raise NotOpen(f"it is {claim.state}: nobody is asked about it")
        return claim

    async def _known(self, tx: Transaction, transaction_id: str) -> Claim:
        try:
            claim = await transactions.get(tx, TENANT, transaction_id)
        except transactions.Unknown as error:
            raise NoClaim("there is no such claim") from error
        if claim.kind != "claim":
            raise NoClaim("there is no such claim")
        return claim

"""The heart: what may follow what in the life of a transaction. Pure, and the only place that changes a state.

A fact is something that happened (a delivery, an acknowledgement, a payment). `decide` looks it up in one table and says
the new state, if it moves, and when to ask about the claim next. States only move forward; a fact that is late or repeated
is kept as an event and moves nothing; one that contradicts the state marks a conflict for a person.

Sources: ../docs/why.md for the ladder; 005010X231A1 (IK5), 005010X214 and 005010X212 (claim status categories),
005010X221A1 (CLP02).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Literal, get_args

import msgspec

__all__ = [
    "RUNGS",
    "Acknowledged",
    "Answered",
    "Built",
    "Change",
    "ClaimAcknowledged",
    "Contradicted",
    "Decided",
    "Decision",
    "Delivered",
    "DoubtAsked",
    "Doubted",
    "Fact",
    "FollowUpAsked",
    "FollowUpLeftToPerson",
    "FollowUpResumed",
    "FollowUpStopped",
    "GivenUp",
    "Held",
    "NotSent",
    "NumberTaken",
    "Overdue",
    "Posted",
    "Profile",
    "Quarantined",
    "Refused",
    "Remitted",
    "Repeated",
    "Rerouted",
    "Rung",
    "Standing",
    "StatusReported",
    "WillAskAgain",
    "WorklistDone",
    "decide",
    "heard",
    "is_silent",
    "number_of",
    "rejecter",
    "silent_states",
]

Kind = Literal["eligibility", "claim_status", "claim", "claim_report", "remittance"]
# What is expected to be said of a claim that was sent, in its order. The first 277CA is whoever's, a clearinghouse's or the payer's; then the payer's own.
# The 277 is expected of an inquiry about it.
Rung = Literal["TA1", "999", "277CA", "payer 277CA", "277", "835"]
RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)
Decision = Literal["confirmed", "resend", "rebuild", "keep_waiting"]
KEEP: Final = -1
_MICROSECOND = timedelta(microseconds=1)


class Profile(msgspec.Struct, frozen=True):
    """What a payer says about itself that decisions need."""

    follow_up_after: timedelta = timedelta(days=14)
    follow_up_every: timedelta = timedelta(days=14)
    # From the day of a denial; None where the payer says none.
    appeal_within: timedelta | None = None


class Standing(msgspec.Struct, frozen=True):
    """Where a transaction stands. Times are microseconds. `rejected_by` is whose word ended it: TA1, 999, 277CA, 277 or transport."""

    kind: str
    state: str
    outcome: str | None = None
    follow_up_at: int | None = None
    rejected_by: str | None = None


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Something that happened. Its fields are codes, numbers of ours and counts: they go into the event, unsealed."""


class Built(Fact, frozen=True):
    """The transaction was put into an interchange: its identity at the payer is settled."""

    control_number: int
    set_control_number: str


class Repeated(Fact, frozen=True):
    """The claim is the same as one before (its transaction), and was let pass all the same: by its caller or by its payer's profile."""

    of: str
    allowed_by: Literal["caller", "payer"]


class Delivered(Fact, frozen=True):
    """The payer has the interchange; `evidence` says how we know."""

    evidence: str = "delivery"


class NotSent(Fact, frozen=True):
    """An attempt ended before a byte of the body left; it will be made again."""

    reason: str


class Doubted(Fact, frozen=True):
    """An attempt ended without our knowing whether the payer has it."""

    reason: str


class Held(Fact, frozen=True):
    """Nothing tells whether the payer has it, and sending again could double it: a person decides."""

    reason: str


class NumberTaken(Held, frozen=True):
    """The payer says that it had this interchange number before, of an interchange that was sent once: what it holds is not this one."""


class DoubtAsked(Fact, frozen=True):
    """Nobody knows whether the payer has the claim, and a 276 about it is on its way."""

    inquiry_id: str


class Decided(Fact, frozen=True):
    """A person decided what becomes of an interchange in doubt; what they said of it lies sealed under `note_id`.

    `rebuild` is the one fact that moves a claim back: the payer said that it has nothing, so the claim waits for its interchange again.
    """

    decision: Decision
    by: str
    note_id: str


class Rerouted(Fact, frozen=True):
    """The way to the payer is down, and nothing of this has left on it: it goes over another one (`route`).

    What was built for the way that is down never leaves; a claim waits for its interchange again.
    """

    route: str


class Contradicted(Fact, frozen=True):
    """What was heard cannot be true beside what a person decided."""

    reason: str


class Refused(Fact, frozen=True):
    """The payer refused to take it, for good."""

    code: str
    reason: str = ""


class Acknowledged(Fact, frozen=True):
    """A TA1 or a 999 about the interchange or the transaction set."""

    by: Literal["TA1", "999"]
    accepted: bool
    codes: list[str] = []


class ClaimAcknowledged(Fact, frozen=True):
    """A 277CA about the claim; `statuses` are category:status[:entity], `report_id` the transaction of the report.

    `source` says whose word it is, a payer's or a clearinghouse's, which we are for what our own edits reject.
    """

    accepted: bool
    statuses: list[str] = []
    report_id: str = ""
    source: Literal["payer", "clearinghouse"] = "payer"


class Overdue(Fact, frozen=True):
    """Nothing was said on this rung within its time; `asks` says that it is asked at once, for the first time."""

    rung: Rung
    asks: bool = False


class FollowUpAsked(Fact, frozen=True):
    """The claim was due and a 276 about it is on its way."""

    inquiry_id: str


class FollowUpLeftToPerson(Fact, frozen=True):
    """The claim was due, and a person must act: it cannot be asked about from here, or asking is not enough any more.

    `act_by` is the day by which (ISO 8601); where it is near, the payer is not asked again.
    """

    reason: str
    act_by: str | None = None


class FollowUpStopped(Fact, frozen=True):
    """A person looks after the claim, and the payer is not asked; what they said lies sealed under `note_id`."""

    by: str
    note_id: str


class FollowUpResumed(Fact, frozen=True):
    """A person lets the payer be asked again, at once."""

    by: str


class WorklistDone(Fact, frozen=True):
    """A person has done what a claim at its end was on the worklist for; what they said lies sealed under `note_id`."""

    by: str
    note_id: str


class StatusReported(Fact, frozen=True):
    """A 277 about the claim. `category` is its first claim status category code."""

    category: str
    statuses: list[str] = []


class Remitted(Fact, frozen=True):
    """An 835 about the claim. `status` is CLP02, `remittance_id` the transaction of the remittance, `dated` its day (BPR16)."""

    status: str
    outcome: Literal["paid", "partly_paid", "denied", "reversed", "predetermined"]
    remittance_id: str
    dated: str = ""


class Answered(Fact, frozen=True):
    """The payer answered an inquiry; `codes` are rejections (AAA03), if any."""

    codes: list[str] = []


class WillAskAgain(Fact, frozen=True):
    """An inquiry that may wait was rejected, or not answered, and is asked again: `at` and `until` in ISO 8601, `asked` times so far."""

    reason: str
    asked: int
    at: str
    until: str
    codes: list[str] = []


class GivenUp(Fact, frozen=True):
    """An inquiry that may wait was asked for as long as it may be, without an answer. One that comes later is still taken."""

    reason: str
    asked: int


class Posted(Fact, frozen=True):
    """A report or remittance was applied to the claims it names."""

    matched: int
    unmatched: int = 0


class Quarantined(Fact, frozen=True):
    """A report or remittance contradicts itself or what is known; nothing of it was applied."""

    codes: list[str]


class Change(msgspec.Struct, frozen=True):
    """What a fact comes to. `state` is None where it stays; `follow_up_at` KEEP where it stays, None where nothing is due."""

    state: str | None = None
    outcome: str | None = None
    conflict: bool = False
    follow_up_at: int | None = KEEP


# The ladder of a claim. A fact may lift a claim to any higher rung, never to a lower one.
_CLAIM = (
    "accepted",
    "built",
    "in_doubt",
    "held",
    "sent",
    "acknowledged",
    "received",
    "pending",
    "finalized",
    "remitted",
)
_INQUIRY = ("accepted", "built", "in_doubt", "held", "sent", "answered")
_ADVICE = ("stored", "posted")
LADDERS: Mapping[str, tuple[str, ...]] = {
    "claim": _CLAIM,
    "eligibility": _INQUIRY,
    "claim_status": _INQUIRY,
    "claim_report": _ADVICE,
    "remittance": _ADVICE,
}
# States outside the ladder: the highest rung from which a transaction may still fall into them.
_FALLS: Mapping[str, Mapping[str, str]] = {
    "rejected": {"claim": "received", "eligibility": "sent", "claim_status": "sent"},
    "quarantined": {"claim_report": "stored", "remittance": "stored"},
}
# From here a person may let a claim go into another interchange: no payer has said that it has it. An acknowledgement names a control
# number and no claim: where the payer had that number before, it was about another interchange.
_RELEASABLE = frozenset(("built", "in_doubt", "held", "sent", "acknowledged"))
OPEN: Mapping[str, frozenset[str]] = {
    "claim": frozenset(_CLAIM) - {"remitted"},
    "eligibility": frozenset(_INQUIRY) - {"answered"},
    "claim_status": frozenset(_INQUIRY) - {"answered"},
    "claim_report": frozenset({"stored"}),
    "remittance": frozenset({"stored"}),
}
# Claim status categories (277) by their first letter: what the payer's answer means for the claim.
_CATEGORIES: Mapping[str, str] = {"P": "pending", "F": "finalized", "R": "pending", "A": "received"}


def _status_target(fact: StatusReported) -> str | None:
    """A3 to A8 say that the claim is not in adjudication; D and E say nothing about the claim itself."""
    if fact.category in ("A3", "A4", "A5", "A6", "A7", "A8"):
        return None if fact.category in ("A4", "A5") else "rejected"
    return _CATEGORIES.get(fact.category[:1])


def _target(fact: Fact) -> str | None:
    """The state that a fact speaks for: the whole table."""
    match fact:
        case Built():
            return "built"
        case Delivered() | Decided(decision="confirmed"):
            return "sent"
        case Doubted():
            return "in_doubt"
        case Held():
            return "held"
        case Refused():
            return "rejected"
        case Acknowledged(accepted=accepted):
            return "acknowledged" if accepted else "rejected"
        case ClaimAcknowledged(accepted=accepted):
            return "received" if accepted else "rejected"
        case StatusReported():
            return _status_target(fact)
        case Remitted():
            return "remitted"
        case Answered():
            return "answered"
        case Posted():
            return "posted"
        case Quarantined():
            return "quarantined"
        case _:
            return None


def decide(standing: Standing, fact: Fact, profile: Profile, now: int) -> Change:
    """What a fact comes to for a transaction that stands so. Pure: the same arguments give the same change."""
    if isinstance(fact, Decided) and fact.decision == "rebuild":
        return Change("accepted", follow_up_at=None) if standing.state in _RELEASABLE else Change()
    if isinstance(fact, Rerouted):
        return Change("accepted") if standing.kind == "claim" and standing.state == "built" else Change()
    target = _target(fact)
    state, conflict = _move(standing, target)
    conflict = conflict or isinstance(fact, Contradicted)
    if isinstance(fact, NumberTaken) and state is None and standing.state != "held":
        # The payer has spoken of it otherwise.
        conflict = True
    outcome = fact.outcome if isinstance(fact, Remitted) else None
    if conflict and outcome is None:
        return Change(conflict=True)
    return Change(state, outcome, conflict, _follow_up(standing, state or standing.state, fact, profile, now))


# A rung -> the states in which it may still be waited for: those of a claim, of an inquiry that of the 277.
_WAITED_FOR: Mapping[Rung, tuple[str, ...]] = {
    "TA1": ("sent",),
    "999": ("sent", "acknowledged"),
    "277CA": ("sent", "acknowledged"),
    "payer 277CA": ("sent", "acknowledged", "received"),
    "277": ("sent",),
    "835": ("sent", "acknowledged", "received", "pending", "finalized"),
}


# The state into which a word on a lower rung may bring a claim, too: there `heard` tells. A node of the release before that writes none.
_LIFTED: Mapping[Rung, str] = {"999": "acknowledged", "payer 277CA": "received"}


def silent_states(rung: Rung) -> tuple[tuple[str, ...], str | None]:
    """The states in which nothing was said on a rung yet; and one in which that is so where something was said, but not on it."""
    lifted = _LIFTED.get(rung)
    return tuple(state for state in _WAITED_FOR[rung] if state != lifted), lifted


def is_silent(state: str, said: int, rung: Rung) -> bool:
    """Whether something is still waited for on a rung, where `said` is the number of the highest on which something was said."""
    states, lifted = silent_states(rung)
    return said < number_of(rung) and (state in states or (state == lifted and said > 0))


def number_of(rung: Rung) -> int:
    """The place of a rung in their order, from 1 on."""
    return RUNGS.index(rung) + 1


def heard(fact: Fact) -> int:
    """The number of the rung on which a fact speaks; 0 where it is none of the payer's."""
    match fact:
        case Acknowledged(by=by):
            return number_of(by)
        case ClaimAcknowledged(source=source):
            return number_of("payer 277CA" if source == "payer" else "277CA")
        case StatusReported():
            return number_of("277")
        case Remitted():
            return number_of("835")
        case _:
            return 0


def rejecter(fact: Fact) -> str:
    """Whose word a fact is that rejects."""
    match fact:
        case Acknowledged(by=by):
            return by
        case ClaimAcknowledged():
            return "277CA"
        case StatusReported():
            return "277"
        case _:
            return "transport"


def _move(standing: Standing, target: str | None) -> tuple[str | None, bool]:
    """(new state or None, conflict)."""
    ladder = LADDERS[standing.kind]
    here = standing.state
    if target is None or target == here:
        return None, False
    if target in _FALLS:
        limit = _FALLS[target].get(standing.kind)
        may_fall = limit is not None and here in ladder and ladder.index(here) <= ladder.index(limit)
        return (target, False) if may_fall else (None, True)
    if target not in ladder:
        return None, False
    if here not in ladder:
        # Who rejects a claim has read it: that its envelope was in order is no contradiction, and may be said later.
        if target == "acknowledged" and standing.rejected_by in ("277CA", "277"):
            return None, False
        # What was rejected or quarantined and is then spoken of as alive: both cannot be true.
        return None, "sent" not in ladder or ladder.index(target) > ladder.index("sent")
    return (target, False) if ladder.index(target) > ladder.index(here) else (None, False)


def _follow_up(standing: Standing, state: str, fact: Fact, profile: Profile, now: int) -> int | None:
    """When to ask about a claim next."""
    if standing.kind != "claim":
        return KEEP
    if state in ("rejected", "remitted", "finalized"):
        return None
    if isinstance(fact, (Delivered, Held, Decided)) and standing.follow_up_at is None:
        return now + profile.follow_up_after // _MICROSECOND
    if isinstance(fact, Overdue):
        return min(standing.follow_up_at, now) if fact.asks and standing.follow_up_at is not None else KEEP
    if isinstance(fact, FollowUpStopped) or (isinstance(fact, FollowUpLeftToPerson) and fact.act_by is not None):
        return None
    if isinstance(fact, FollowUpResumed):
        return now
    if isinstance(fact, (FollowUpAsked, FollowUpLeftToPerson)):
        return now + profile.follow_up_every // _MICROSECOND
    return KEEP


def event_data(fact: Fact) -> dict[str, Any]:
    """A fact as it is kept."""
    return msgspec.to_builtins(fact)


def event_kind(fact: Fact) -> str:
    """A fact's name, such as `claimAcknowledged`."""
    name = type(fact).__name__
    return name[0].lower() + name[1:]

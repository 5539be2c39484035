"""Messages of the inboxes of `/v1`: interchanges in doubt, files that match nothing, and what persons decide of them."""

from __future__ import annotations

from x12.documents.binding import Document, Text

__all__ = [
    "DoubtDecided",
    "DoubtDecision",
    "Handled",
    "HandledBecause",
    "InDoubtDetail",
    "InDoubtPage",
    "InDoubtView",
    "KnownThing",
    "UnmatchedDetail",
    "UnmatchedPage",
    "UnmatchedView",
]


class InDoubtView(Document):
    """An interchange of claims of which nobody knows whether the payer has it."""

    interchange_id: str
    state: str
    reason: str
    route_id: str
    payer_ids: list[str]
    control_number: str
    claims: int
    since: str
    decide_by: str
    overdue: bool
    attempts: int
    copies: int
    duplicates: str
    sha256: str
    bytes: int


class InDoubtPage(Document):
    """Interchanges in doubt or held, longest in doubt first."""

    items: list[InDoubtView]
    next_page_token: Text = None


class KnownThing(Document):
    """One thing that is known of whether the payer has it."""

    at: str
    source: str
    says: str
    detail: Text = None
    by: Text = None
    why: Text = None


class InDoubtDetail(InDoubtView, kw_only=True):
    """An interchange in doubt with all that is known of it, its claims, and what can be decided."""

    evidence: list[KnownThing]
    transaction_ids: list[str]
    can: dict[str, str]


class DoubtDecision(Document):
    """What a person decides of an interchange in doubt, and why."""

    decision: Text = None
    why: Text = None


class DoubtDecided(Document):
    """What was decided: how the interchange stands now, and for how many claims."""

    interchange_id: str
    decision: str
    state: str
    claims: int


class UnmatchedView(Document):
    """A file from a payer that matches nothing of ours, or contradicts itself."""

    inbound_id: str
    state: str
    reason: str
    route_id: str
    received_at: str
    times_seen: int
    sha256: str
    bytes: int
    handled_at: Text = None
    handled_by: Text = None


class UnmatchedPage(Document):
    """Files that match nothing or contradict themselves, oldest first."""

    items: list[UnmatchedView]
    next_page_token: Text = None


class UnmatchedDetail(UnmatchedView, kw_only=True):
    """Such a file with what kinds of transaction sets it holds; its segments for callers with raw:read."""

    sets: list[str]
    why: Text = None
    segments: list[str] | None = None


class HandledBecause(Document):
    """What a person did about a file."""

    why: Text = None


class Handled(Document):
    """A file that a person has looked after, when and who."""

    inbound_id: str
    handled_at: str
    handled_by: str

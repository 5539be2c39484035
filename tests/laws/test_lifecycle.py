"""Laws of the heart: states only move forward, nothing is decided twice, and every open claim has a date."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lifecycle import (
    KEEP,
    LADDERS,
    OPEN,
    Acknowledged,
    Answered,
    Built,
    ClaimAcknowledged,
    Contradicted,
    Decided,
    Delivered,
    DoubtAsked,
    Doubted,
    Fact,
    FollowUpAsked,
    Held,
    NotSent,
    NumberTaken,
    Posted,
    Profile,
    Quarantined,
    Refused,
    Remitted,
    Standing,
    StatusReported,
    decide,
    rejecter,
)

DAY = 86_400_000_000
NOW = 1_800_000_000_000_000
PROFILE = Profile()
CLAIM_FACTS: tuple[Fact, ...] = (
    Built(1, "0001"),
    Delivered(),
    NotSent("refused"),
    Doubted("reset"),
    Held("nobody knows"),
    Refused("400"),
    *(Acknowledged(by, good) for by in ("TA1", "999") for good in (True, False)),
    ClaimAcknowledged(True, ["A2:20"]),
    ClaimAcknowledged(False, ["A3:21"]),
    FollowUpAsked("x"),
    DoubtAsked("x"),
    NumberTaken("025"),
    Contradicted("both"),
    *(Decided(d, "ada", "n") for d in ("confirmed", "resend", "keep_waiting")),
    *(StatusReported(c) for c in ("A1", "A2", "A3", "A4", "P1", "F1", "F2", "R0", "D0", "E1", "")),
    Remitted("1", "paid", "r"),
    Remitted("4", "denied", "r"),
    Remitted("22", "reversed", "r"),
)
OTHER_FACTS: tuple[Fact, ...] = (Answered(), Posted(1), Quarantined(["x"]))
STATES = {kind: [*ladder, "rejected", "quarantined"] for kind, ladder in LADDERS.items()}
ACCEPTED_TA1, ACCEPTED_999 = Acknowledged("TA1", True), Acknowledged("999", True)
facts = st.sampled_from([*CLAIM_FACTS, *OTHER_FACTS])


def rank(kind: str, state: str) -> int:
    ladder = LADDERS[kind]
    return ladder.index(state) if state in ladder else len(ladder)


@pytest.mark.parametrize("kind", LADDERS)
def test_a_state_never_moves_back(kind: str) -> None:
    for state, fact in itertools.product(STATES[kind], [*CLAIM_FACTS, *OTHER_FACTS]):
        change = decide(Standing(kind, state), fact, PROFILE, NOW)
        if change.state is not None:
            assert rank(kind, change.state) > rank(kind, state), (state, fact)


def told(facts_in_order: Iterable[Fact]) -> tuple[str, str | None, bool]:
    """Where a claim that was sent ends up when it hears these: its state, its outcome, and whether something contradicted."""
    standing, conflict = Standing("claim", "sent"), False
    for fact in facts_in_order:
        change = decide(standing, fact, PROFILE, NOW)
        conflict = conflict or change.conflict
        state = change.state or standing.state
        by = rejecter(fact) if change.state == "rejected" else standing.rejected_by
        standing = Standing("claim", state, change.outcome or standing.outcome, rejected_by=by)
    return standing.state, standing.outcome, conflict


@pytest.mark.parametrize(
    ("heard", "ends"),
    [
        ((ACCEPTED_TA1, ACCEPTED_999, ClaimAcknowledged(False)), ("rejected", None, False)),
        ((ACCEPTED_TA1, ACCEPTED_999, StatusReported("A7")), ("rejected", None, False)),
        (
            (ACCEPTED_TA1, ACCEPTED_999, ClaimAcknowledged(True), StatusReported("P1"), Remitted("1", "paid", "r")),
            ("remitted", "paid", False),
        ),
    ],
)
def test_f20_answers_come_in_any_order_and_end_the_same(
    heard: tuple[Fact, ...], ends: tuple[str, str | None, bool]
) -> None:
    for order in itertools.permutations([*heard, heard[0]]):
        assert ends == told(order)


def test_f20_words_that_contradict_are_a_conflict_in_any_order() -> None:
    for heard in (
        (Acknowledged("TA1", False), ACCEPTED_999),
        (Acknowledged("999", False), ClaimAcknowledged(True)),
        (ClaimAcknowledged(False), Remitted("1", "paid", "r")),
    ):
        assert told(heard)[2]


@pytest.mark.parametrize("kind", LADDERS)
def test_what_was_rejected_stays_rejected_and_contradiction_is_a_conflict(kind: str) -> None:
    for fact in [*CLAIM_FACTS, *OTHER_FACTS]:
        change = decide(Standing(kind, "rejected"), fact, PROFILE, NOW)
        assert change.state is None
    assert decide(Standing("claim", "rejected"), ClaimAcknowledged(True), PROFILE, NOW).conflict
    assert decide(Standing("claim", "rejected"), Remitted("1", "paid", "r"), PROFILE, NOW).conflict
    assert decide(Standing("claim", "pending"), Acknowledged("TA1", False), PROFILE, NOW).conflict
    assert decide(Standing("claim", "remitted", "paid"), ClaimAcknowledged(False), PROFILE, NOW).conflict
    assert not decide(Standing("claim", "rejected"), ClaimAcknowledged(False), PROFILE, NOW).conflict


@given(st.lists(facts, max_size=12), st.data())
def test_a_repeated_fact_changes_nothing_more(story: list[Fact], data: st.DataObject) -> None:
    standing = Standing("claim", "accepted")
    for fact in story:
        change = decide(standing, fact, PROFILE, NOW)
        after = Standing(
            "claim",
            change.state or standing.state,
            change.outcome or standing.outcome,
            standing.follow_up_at if change.follow_up_at == KEEP else change.follow_up_at,
        )
        again = decide(after, fact, PROFILE, NOW)
        assert again.state is None, fact
        standing = after
    assert data is not None


@given(st.lists(st.sampled_from(CLAIM_FACTS), max_size=12))
def test_every_claim_that_a_payer_may_have_has_a_date_until_it_is_final(story: list[Fact]) -> None:
    standing = Standing("claim", "built")
    for fact in (Delivered(), *story):
        change = decide(standing, fact, PROFILE, NOW)
        date = standing.follow_up_at if change.follow_up_at == KEEP else change.follow_up_at
        standing = Standing("claim", change.state or standing.state, change.outcome, date)
        final = standing.state in ("rejected", "finalized", "remitted")
        assert (standing.follow_up_at is None) == final, (story, fact)


def test_the_follow_up_is_due_fourteen_days_after_the_delivery_and_again_after_each_question() -> None:
    delivered = decide(Standing("claim", "built"), Delivered(), PROFILE, NOW)
    assert NOW + 14 * DAY == delivered.follow_up_at
    asked = decide(Standing("claim", "sent", None, delivered.follow_up_at), FollowUpAsked("x"), PROFILE, NOW + 15 * DAY)
    assert NOW + 29 * DAY == asked.follow_up_at
    own = Profile(follow_up_after=timedelta(days=7), follow_up_every=timedelta(days=3))
    assert NOW + 7 * DAY == decide(Standing("claim", "built"), Delivered(), own, NOW).follow_up_at


def test_acknowledgements_may_come_in_any_order() -> None:
    story: list[Fact] = [
        Built(1, "1"),
        Delivered(),
        Acknowledged("999", True),
        ClaimAcknowledged(True),
        Remitted("1", "paid", "r"),
    ]
    for order in itertools.permutations(story):
        standing = Standing("claim", "accepted")
        for fact in order:
            change = decide(standing, fact, PROFILE, NOW)
            assert not change.conflict
            standing = Standing("claim", change.state or standing.state, change.outcome or standing.outcome)
        assert ("remitted", "paid") == (standing.state, standing.outcome)


def test_a_later_remittance_replaces_the_outcome() -> None:
    standing = Standing("claim", "remitted", "paid")
    assert "reversed" == decide(standing, Remitted("22", "reversed", "r"), PROFILE, NOW).outcome


def test_inquiries_are_answered_once_and_open_states_are_on_their_ladder() -> None:
    assert "answered" == decide(Standing("eligibility", "sent"), Answered(["75"]), PROFILE, NOW).state
    assert decide(Standing("eligibility", "answered"), Acknowledged("999", False), PROFILE, NOW).state is None
    for kind, states in OPEN.items():
        assert states < set(LADDERS[kind])


def test_only_a_persons_word_takes_a_claim_back_and_only_while_no_payer_has_spoken_of_it() -> None:
    released = Decided("rebuild", "ada", "n")
    for state in STATES["claim"]:
        change = decide(Standing("claim", state, None, NOW), released, PROFILE, NOW)
        # A 999 speaks of a number, and that may have been another interchange's.
        silent = state in ("built", "in_doubt", "held", "sent", "acknowledged")
        assert ("accepted" if silent else None, None if silent else KEEP) == (change.state, change.follow_up_at), state


def test_a_number_that_was_taken_holds_the_claim_or_contradicts_what_was_heard() -> None:
    assert "held" == decide(Standing("claim", "in_doubt"), NumberTaken("025"), PROFILE, NOW).state
    assert decide(Standing("claim", "sent"), NumberTaken("025"), PROFILE, NOW).conflict
    assert not decide(Standing("claim", "held"), NumberTaken("025"), PROFILE, NOW).conflict

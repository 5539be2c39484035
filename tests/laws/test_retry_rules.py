"""What follows a rejected check that may wait: laws of the rules, for every code and follow-up action of the lists."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from gateway.retry_rules import DEFAULTS, Rejection, RetryRule, plan, repeat_seconds, rule_for, unknown_codes
from x12 import codes

REASONS = list(codes.table("reject_reason"))
ACTIONS = dict(codes.table("follow_up"))
# CAQH CORE: a repeat not before 90 seconds, at most five in fifteen minutes.
SPACING_SECONDS, SPAN_SECONDS, REPEATS_MAX = 90, 900, 5


def asked_at(rules: list[RetryRule], code: str, count: int) -> list[float]:
    """When a question that is always rejected with a code is asked, in seconds from the first."""
    moments = [0.0]
    while len(moments) < count:
        planned = plan(rules, [Rejection(code)], len(moments), 24)
        assert planned.wait_seconds is not None
        moments.append(moments[-1] + planned.wait_seconds)
    return moments


@pytest.mark.parametrize("first", [3, 3.5, 5, 60])
def test_no_rule_repeats_a_question_sooner_or_more_often_than_core_allows(first: float) -> None:
    rule = RetryRule(codes=["42"], first_minutes=first, longest_minutes=3)
    moments = asked_at([rule], "42", 30)
    assert SPACING_SECONDS <= min(b - a for a, b in pairwise(moments))
    assert REPEATS_MAX >= max(sum(a < m < a + SPAN_SECONDS for m in moments) for a in moments)


def test_a_lost_answer_is_asked_for_again_no_sooner_and_no_more_often_either() -> None:
    moments = [0.0]
    for asked in range(1, 20):
        moments.append(moments[-1] + repeat_seconds(asked))
    assert SPACING_SECONDS <= min(b - a for a, b in pairwise(moments))
    assert REPEATS_MAX >= max(sum(a < m < a + SPAN_SECONDS for m in moments) for a in moments)


def test_waits_double_up_to_the_longest() -> None:
    moments = asked_at([], "42", 8)
    assert [5, 10, 20, 40, 60, 60, 60] == [(b - a) / 60 for a, b in pairwise(moments)]


@pytest.mark.parametrize(("code", "action"), list(product(REASONS, ["", *ACTIONS])))
def test_every_code_with_every_action_has_one_meaning(code: str, action: str) -> None:
    planned = plan((), [Rejection(code, ACTIONS.get(action, ""))], 1, 8)
    if action in ("S", "Y"):
        expected = "wait"
    elif code in ("42", "80") or action == "P" or (code, action) == ("79", "R"):
        expected = "ask"
    else:
        expected = "final"
    assert expected == planned.kind
    assert (planned.kind == "ask") == (planned.wait_seconds is not None)
    assert planned.until_hours == (0 if planned.kind == "final" else 8)
    assert planned.reason


def test_one_rejection_that_must_be_corrected_ends_it() -> None:
    assert "final" == plan((), [Rejection("42"), Rejection("72")], 1, 8).kind
    assert "wait" == plan((), [Rejection("42"), Rejection("80", ACTIONS["Y"])], 1, 8).kind
    assert "final" == plan((), [], 1, 8).kind


def test_the_payers_own_rule_comes_first_and_the_window_ends_every_rule() -> None:
    own = [RetryRule(codes=["42"], first_minutes=30, hours=2), RetryRule(codes=["80"], hours=0)]
    planned = plan(own, [Rejection("42")], 1, 8)
    assert (1800, 2) == (planned.wait_seconds, planned.until_hours)
    assert "final" == plan(own, [Rejection("80")], 1, 8).kind
    assert 8 == plan([RetryRule(codes=["42"], hours=24)], [Rejection("42")], 1, 8).until_hours
    assert rule_for(own, "79") in DEFAULTS


def test_codes_that_are_none_are_told() -> None:
    assert ["4Z", "Q"] == unknown_codes(RetryRule(codes=["42", "4Z"], only_if=["R", "Q"]))

"""When a rejected eligibility check is asked again by itself: which codes (AAA03), when, until when. Pure.

A check of a batch may wait, so a rejection that is about the moment and not about the question is no answer yet. What
somebody must correct first is never asked again: the same question would get the same answer. A payer may have rules of its
own in its data; the rest is `DEFAULTS`. Whatever a rule says, the same question is asked at most five times in 15 minutes.

Sources: 005010X279A1 (AAA03, AAA04); CAQH CORE connectivity (a repeat not before 90 seconds, at most 5 in 15 minutes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from x12 import codes

__all__ = [
    "DEFAULTS",
    "Rejection",
    "RetryPlan",
    "RetryRule",
    "plan",
    "repeat_seconds",
    "rule_for",
    "unknown_codes",
]

# Between the question and its first repeat, and between further ones: five repeats then fill 15 minutes.
_FIRST_REPEAT_SECONDS = 90.0
_NEXT_REPEATS_SECONDS = 180.0
_HOURS_MAX = 24
_FOLLOW_UP = {words: code for code, words in codes.table("follow_up").items()}
# AAA04: the payer goes on by itself, and asks not to be asked again.
_PAYER_GOES_ON = frozenset(("S", "Y"))
_RESEND_AS_IT_WAS = "P"
_MAY_RESEND = frozenset(("P", "R"))


class Rejection(msgspec.Struct, frozen=True):
    """One AAA of an answer: AAA03, and AAA04 in the dialect's words."""

    code: str
    followup_action: str = ""

    @property
    def follow_up(self) -> str:
        """AAA04, or nothing where it is none that we know."""
        return _FOLLOW_UP.get(self.followup_action, "")


class RetryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Codes that are asked again: after `first_minutes`, then twice as long each time up to `longest_minutes`, for `hours`.

    `hours` 0 means never. The window of the batch ends it too. `only_if` names follow-up codes (AAA04) of which one must stand there.
    """

    codes: Annotated[list[str], msgspec.Meta(min_length=1)]
    first_minutes: Annotated[float, msgspec.Meta(ge=3, le=1440)] = 5
    longest_minutes: Annotated[float, msgspec.Meta(ge=3, le=1440)] = 60
    hours: Annotated[float, msgspec.Meta(ge=0, le=_HOURS_MAX)] = _HOURS_MAX
    only_if: list[str] = []


# 79 is about our identification, and with some payers about an outage: it is repeated only where the payer says so.
DEFAULTS: tuple[RetryRule, ...] = (
    RetryRule(codes=["42", "80"]),
    RetryRule(codes=["79"], only_if=["P", "R"]),
)
_RESENT: RetryRule = RetryRule(codes=["*"], only_if=[_RESEND_AS_IT_WAS])


class RetryPlan(msgspec.Struct, frozen=True):
    """What follows a rejection. `wait_seconds` is how long until the next question: None where none follows.

    `until_hours` is how long after the first question this may go on. `reason` says why, in words of ours.
    """

    kind: Literal["ask", "wait", "final"]
    reason: str
    wait_seconds: float | None = None
    until_hours: float = 0.0


def unknown_codes(rule: RetryRule) -> list[str]:
    """What a rule names that is no reject reason and no follow-up action."""
    reasons, actions = codes.table("reject_reason"), codes.table("follow_up")
    return [c for c in rule.codes if c not in reasons] + [c for c in rule.only_if if c not in actions]


def repeat_seconds(asked: int) -> float:
    """How long the same question must not be repeated after it was asked so often."""
    return _FIRST_REPEAT_SECONDS if asked <= 1 else _NEXT_REPEATS_SECONDS


def rule_for(rules: Sequence[RetryRule], code: str) -> RetryRule | None:
    """The rule of a code: the payer's own, else the default; None where only the payer's word (AAA04 P) would do."""
    return next((r for r in (*rules, *DEFAULTS) if code in r.codes), None)


def plan(rules: Sequence[RetryRule], rejections: Sequence[Rejection], asked: int, window_hours: float) -> RetryPlan:
    """What follows an answer with these rejections, after the question was asked so often. Without a rejection it is final."""
    if not rejections:
        return RetryPlan("final", "the payer answered")
    plans = [_plan_one(rules, r, asked, window_hours) for r in rejections]
    # One that must be corrected makes all the others pointless; one that the payer works on keeps us from asking.
    for kind in ("final", "wait"):
        for one in plans:
            if one.kind == kind:
                return one
    return max(plans, key=lambda p: p.wait_seconds or 0.0)


def _plan_one(rules: Sequence[RetryRule], rejection: Rejection, asked: int, window_hours: float) -> RetryPlan:
    code, action = rejection.code, rejection.follow_up
    if action in _PAYER_GOES_ON:
        return RetryPlan("wait", f"AAA {code} {action}: the payer answers by itself", until_hours=window_hours)
    rule = rule_for(rules, code) or _RESENT
    if rule.hours == 0:
        return RetryPlan("final", f"AAA {code}: this payer's rule is not to ask again")
    if rule.only_if and action not in rule.only_if:
        wanted = " or ".join(rule.only_if)
        return RetryPlan("final", f"AAA {code}: asked again only with follow-up action {wanted}")
    wait = min(rule.first_minutes * 2 ** min(asked - 1, 20), max(rule.longest_minutes, rule.first_minutes)) * 60
    why = f"AAA {code} {action}".strip() if action in _MAY_RESEND else f"AAA {code}"
    return RetryPlan("ask", why, max(wait, repeat_seconds(asked)), min(rule.hours, window_hours))

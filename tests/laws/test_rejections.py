"""Rejections (AAA) are answers: for every code and follow-up action, in every loop, what happened and what to do, in words."""

from __future__ import annotations

from itertools import product

import pytest

from tests.laws.status_values import tree_of
from x12 import codes
from x12.documents.claim_status import read_status_responses
from x12.documents.eligibility import read_responses

REASONS, ACTIONS = codes.table("reject_reason"), codes.table("follow_up")
GUIDE = "005010X279A1"
# Loop -> the segments of a 271 with a rejection (`{aaa}`) there.
_SOURCE = ["HL*1**20*1", "NM1*PR*2*BIRCH HEALTH PLAN*****PI*BIRCH"]
_RECEIVER = ["HL*2*1*21*1", "NM1*1P*2*ALDER FAMILY PRACTICE*****XX*1999996667"]
_SUBSCRIBER = ["HL*3*2*22*0", "TRN*2*TRACE1*9CLAIMWIRE", "NM1*IL*1*ABARA*ADA****MI*M1"]
_DEPENDENT = ["HL*3*2*22*1", _SUBSCRIBER[2], "HL*4*3*23*0", "TRN*2*TRACE1*9CLAIMWIRE", "NM1*03*1*ABARA*SAM"]
LOOPS = {
    "2000A": ["HL*1**20*0", "{aaa}", _SOURCE[1]],
    "2100A": ["HL*1**20*0", _SOURCE[1], "{aaa}"],
    "2100B": [*_SOURCE, "HL*2*1*21*0", _RECEIVER[1], "{aaa}"],
    "2100C": [*_SOURCE, *_RECEIVER, *_SUBSCRIBER, "{aaa}"],
    "2100D": [*_SOURCE, *_RECEIVER, *_DEPENDENT, "{aaa}"],
    "2110C": [*_SOURCE, *_RECEIVER, *_SUBSCRIBER, "EB*V", "{aaa}"],
    "2110D": [*_SOURCE, *_RECEIVER, *_DEPENDENT, "EB*V", "{aaa}"],
}


def rejected(loop_id: str, *rejections: str) -> list[str]:
    """A 271 with rejections in a loop."""
    lines = ["ST*271*0001*005010X279A1", "BHT*0022*11*ANSWER1*20260105*0930"]
    for line in LOOPS[loop_id]:
        lines += rejections if line == "{aaa}" else [line]
    return [*lines, f"SE*{len(lines) + 1}*0001"]


@pytest.mark.parametrize("loop_id", LOOPS)
def test_every_rejection_is_told_with_what_to_do(loop_id: str) -> None:
    for code, action in product(REASONS, ACTIONS):
        (response,) = read_responses(tree_of(rejected(loop_id, f"AAA*N**{code}*{action}"), "HB", GUIDE))
        (error,) = response.errors or []
        assert ("AAA", code, REASONS[code], ACTIONS[action], f"Loop {loop_id}") == (
            error.field,
            error.code,
            error.description,
            error.followup_action,
            error.location,
        )
        assert error.possible_resolutions, code


def test_a_code_that_no_list_has_is_told_as_such_and_all_of_several() -> None:
    lines = rejected("2100C", "AAA*N**ZZ*C", "AAA*N**72*C", "AAA*N**73*C")
    (response,) = read_responses(tree_of(lines, "HB", GUIDE))
    errors = response.errors or []
    assert ["ZZ", "72", "73"] == [e.code for e in errors]
    assert all(e.description and e.possible_resolutions for e in errors)


@pytest.mark.parametrize("category", ["E0", "E1", "E2", "E3", "E4", "D0"])
def test_a_status_question_that_failed_says_what_to_do(category: str) -> None:
    lines = [
        "ST*277*0001*005010X212", "BHT*0010*08*ANSWER1*20260105*0930*DG", "HL*1**20*1", "NM1*PR*2*BIRCH*****PI*BIRCH",
        "HL*2*1*21*0", "NM1*41*2*ALDER*****46*ALDER", "TRN*2*ASKED1", f"STC*{category}:24:41*20260105", "SE*9*0001",
    ]  # fmt: skip
    (response,) = read_status_responses(tree_of(lines, "HN", "005010X212"))
    assert response.error_response is not None
    (error,) = response.error_response.errors or []
    assert (category, "STC", "Loop 2200B") == (error.code, error.field, error.location)
    assert error.description
    assert error.followup_action in ACTIONS.values()
    assert error.possible_resolutions

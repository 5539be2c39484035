"""The follow-ups of `/v1`: what is asked about next, what a person must act on, and what persons decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway.api.dialect import SUBMISSIONS
from gateway.api.inboxes import PAGED, by_of, committed, page_of, why_of
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import WrongParameter, number, problem_of
from gateway.api.refusals import Problem, problem
from gateway.follow_ups import FollowUpBecause, FollowUpCounts, FollowUpPage, FollowUps, FollowUpView
from gateway.messages import error_items
from gateway.replies import Reply
from queues.database import Transaction
from x12.documents.lenient import decode

__all__ = ["OPERATIONS"]

_PROBLEM = "application/problem+json"
# Claim, who says it, why.
_Act = Callable[[Transaction, str, str, str], Awaitable[FollowUpView]]


async def _counts(call: Call) -> Reply | web.Response:
    return Reply(200, msgspec.json.encode(await FollowUps(call.service.runtime).counts()))


async def _due(call: Call) -> Reply | web.Response:
    try:
        after, limit = page_of(call)
        days = number(call, "days", 0, 366, 0)
    except WrongParameter as error:
        return problem_of(error)
    return Reply(200, msgspec.json.encode(await FollowUps(call.service.runtime).due(days, after, limit)))


async def _worklist(call: Call) -> Reply | web.Response:
    try:
        after, limit = page_of(call)
    except WrongParameter as error:
        return problem_of(error)
    return Reply(200, msgspec.json.encode(await FollowUps(call.service.runtime).worklist(after, limit)))


async def _because(call: Call, operation: str, act: _Act) -> Reply | web.Response:
    """What a person says of a claim, and why."""
    said, findings = decode(FollowUpBecause, call.body)
    if said is None:
        return problem(400, "The request cannot be understood.", errors=error_items(findings))
    why = why_of(said.why)
    if isinstance(why, web.Response):
        return why
    claim = call.part("transactionId")
    return await committed(call, f"{operation} {claim}"[:200], lambda tx: act(tx, claim, by_of(call), why))


async def _stop(call: Call) -> Reply | web.Response:
    return await _because(call, "stop follow-up", FollowUps(call.service.runtime).stop)


async def _done(call: Call) -> Reply | web.Response:
    return await _because(call, "follow-up done", FollowUps(call.service.runtime).done)


async def _resume(call: Call) -> Reply | web.Response:
    claim, follow_ups = call.part("transactionId"), FollowUps(call.service.runtime)
    return await committed(
        call, f"resume follow-up {claim}"[:200], lambda tx: follow_ups.resume(tx, claim, by_of(call))
    )


_BAD = Outcome("The request cannot be understood.", Problem, _PROBLEM)
_NO = Outcome("There is no such claim.", Problem, _PROBLEM)
_ENDED = Outcome("The claim is at its end, or the Idempotency-Key is in use and unanswered.", Problem, _PROBLEM)
_NOTHING = Outcome(
    "The claim is not on the worklist, or still open, or the Idempotency-Key is in use and unanswered.",
    Problem,
    _PROBLEM,
)
_USED = Outcome("The Idempotency-Key was used with another body.", Problem, _PROBLEM)
_CLAIM = {"transactionId": "The transactionId of a claim."}
_FOUND = {"listFollowUps": "/items/0/transactionId", "listWorklist": "/items/0/transactionId"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "countFollowUps", "GET", ("/v1/follow-ups",), "How many open claims are asked about, and how many wait for a person.",
        "claims:read", _counts, {200: Outcome("The numbers.", FollowUpCounts)}, tag="follow-ups",
    ),
    Operation(
        "listFollowUps", "GET", ("/v1/follow-ups/due",), "Claims that their payers are asked about next, those that are due first.",
        "claims:read", _due, {200: Outcome("A page of them.", FollowUpPage), 400: _BAD},
        query={**PAGED, "days": "Within how many days, 0 to 366; 0, which is now, by itself."}, tag="follow-ups",
    ),
    Operation(
        "listWorklist", "GET", ("/v1/follow-ups/worklist",),
        "Claims that a person must act on: their payer takes no 276, their time for filing ends, they were denied, or a person looks after them.",
        "claims:read", _worklist, {200: Outcome("A page of them.", FollowUpPage), 400: _BAD}, query=PAGED, tag="follow-ups",
    ),
    Operation(
        "stopFollowUp", "POST", ("/v1/follow-ups/{transactionId}/stop",), "A person looks after a claim: its payer is not asked about it.",
        "ops:write", _stop, {200: Outcome("It is on the worklist.", FollowUpView), 400: _BAD, 404: _NO, 409: _ENDED, 422: _USED},
        FollowUpBecause, writes=True, path_words=_CLAIM, follows=SUBMISSIONS, found_in=_FOUND, tag="follow-ups", example={"why": "The payer was called and pays next week."},
    ),
    Operation(
        "resumeFollowUp", "POST", ("/v1/follow-ups/{transactionId}/resume",), "Have the payer asked about a claim now, and again at its interval.",
        "ops:write", _resume, {200: Outcome("It is asked about.", FollowUpView), 404: _NO, 409: _ENDED, 422: _USED},
        writes=True, path_words=_CLAIM, follows=SUBMISSIONS, found_in=_FOUND, tag="follow-ups",
    ),
    Operation(
        "finishWorklistItem", "POST", ("/v1/follow-ups/{transactionId}/done",),
        "A person has done what was to be done about a claim at its end, such as appealed: it leaves the worklist.",
        "ops:write", _done, {200: Outcome("It is on the worklist no more.", FollowUpView), 400: _BAD, 404: _NO, 409: _NOTHING, 422: _USED},
        FollowUpBecause, writes=True, path_words=_CLAIM, follows=SUBMISSIONS, found_in=_FOUND, tag="follow-ups", example={"why": "The appeal was sent today."},
    ),
)  # fmt: skip

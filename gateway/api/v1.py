"""`/v1`: what the dialect lacks. Errors are problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web

from gateway.api.benefit_examples import ESTIMATE_EXAMPLE, REQUEST_EXAMPLE, SUMMARY_EXAMPLE
from gateway.api.dialect import INQUIRIES, POLLED, SUBMISSIONS
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import WrongParameter, problem_of
from gateway.api.refusals import Problem, problem
from gateway.benefits import BenefitSummary
from gateway.coverage import Asked, ManyPatients, asked_of, estimate_of, summary_of
from gateway.estimate_messages import Estimate, EstimateRequest
from gateway.ledger.transactions import Unknown
from gateway.messages import ErrorItem, Trace, TransactionView, error_items
from gateway.replies import Reply
from gateway.world import dated
from x12.documents.binding import Document
from x12.documents.lenient import decode

__all__ = ["CLOCK", "OPERATIONS", "Clock", "Forward", "Problem", "problem"]


def _no_transaction() -> web.Response:
    return problem(404, "There is no such transaction.")


def _no_answer() -> web.Response:
    return problem(
        404, "There is no answer yet.", "Ask for the transaction to see where it stands.", {"Retry-After": "5"}
    )


async def _transaction(call: Call) -> Reply | web.Response:
    try:
        found = await call.views.transaction(call.part("transactionId"))
    except Unknown:
        return _no_transaction()
    return Reply(200, msgspec.json.encode(found), found.transaction_id)


async def _trace(call: Call) -> Reply | web.Response:
    try:
        found = await call.views.trace(call.part("transactionId"), raw="raw:read" in call.caller.scopes)
    except Unknown:
        return _no_transaction()
    return Reply(200, msgspec.json.encode(found), found.transaction.transaction_id)


async def _answer(call: Call) -> Reply | web.Response:
    try:
        found = await call.views.answer(call.part("transactionId"))
    except Unknown:
        return _no_transaction()
    if found is None:
        return _no_answer()
    if isinstance(found, bytes):
        return Reply(200, found, call.part("transactionId"))
    return web.Response(
        body=found, content_type="application/json", headers={"X-Transaction-Id": call.part("transactionId")}
    )


# --- benefits: what a kept 271 comes to -----------------------------------------------------------------------------------


async def _kept_answer(call: Call) -> bytes | web.Response:
    """The answer of the eligibility check in the path, or why there is none."""
    try:
        found = await call.views.eligibility_answer(call.part("transactionId"))
    except Unknown:
        return problem(404, "There is no such eligibility check.")
    return _no_answer() if found is None else found


def _patient(call: Call) -> int | web.Response | None:
    """The index of the patient that the caller means; None where the caller names none."""
    text = call.request.query.get("patient")
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 6):
        return problem_of(WrongParameter("patient", "a number: the first patient of the answer is 0"))
    return None if text is None else int(text)


async def _of_patient(
    call: Call, work: Callable[..., bytes | ManyPatients], *arguments: object
) -> Reply | web.Response:
    """Run a function on the kept answer of the check in the path, for the patient that the caller means."""
    answer, patient = await _kept_answer(call), _patient(call)
    if isinstance(answer, web.Response):
        return answer
    if isinstance(patient, web.Response):
        return patient
    transaction_id = call.part("transactionId")
    made = await call.service.runtime.judges.call(work, answer, transaction_id, patient, *arguments)
    if isinstance(made, ManyPatients):
        return problem(
            400, f"Name one of the {made.count} patients of this answer.", "Add ?patient=0 for the first, and so on."
        )
    return Reply(200, made, transaction_id)


async def _benefits(call: Call) -> Reply | web.Response:
    return await _of_patient(call, summary_of)


async def _estimate(call: Call) -> Reply | web.Response:
    asked = asked_of(call.body)
    if not isinstance(asked, Asked):
        return problem(400, "The estimate cannot be made from this request.", errors=error_items(asked))
    today, _ = dated(call.service.runtime.world.micros())
    return await _of_patient(call, estimate_of, asked, today)


class Forward(Document):
    """By how much to move the clock of the sandbox, and of this gateway, ahead."""

    days: float | None = None
    seconds: float | None = None


class Clock(Document):
    """The time it is here now."""

    now: str


_DAYS_MAX = 3660


class _TooFar(Exception):
    """The sandbox payer moves its clock no further."""


def _not_so_far(asked: Forward, text: str) -> web.Response:
    given = [name for name, value in (("days", asked.days), ("seconds", asked.seconds)) if value]
    return problem(400, text, errors=[ErrorItem(code="400", description=text, field=name) for name in given])


async def _clock(call: Call) -> Reply | web.Response:
    asked, findings = decode(Forward, call.body)
    if asked is None:
        return problem(400, "Send days or seconds as numbers.", errors=error_items(findings))
    try:
        by = timedelta(days=asked.days or 0, seconds=asked.seconds or 0)
    except OverflowError:
        by = timedelta(-1)
    if not timedelta(0) <= by <= timedelta(days=_DAYS_MAX):
        return _not_so_far(asked, f"The clock moves ahead by at most {_DAYS_MAX} days, and never back.")
    move_clock = call.move_clock
    if move_clock is None:
        return problem(404, "There is no sandbox here.")

    async def move() -> Reply:
        try:
            await move_clock(by)
        except ValueError:
            raise _TooFar from None
        return Reply(200, msgspec.json.encode(Clock(now=call.service.runtime.world.now().isoformat())))

    try:
        reply = await call.service.once("clock", call.key, call.body, move)
    except _TooFar:
        return _not_so_far(
            asked, "The clock is as far ahead of this machine's as it may be: begin anew with an empty data folder."
        )
    if reply.status == 422:
        return problem(422, "This Idempotency-Key was used with another body: use a new key.")
    return reply


_NO = Outcome("There is no such transaction.", Problem, "application/problem+json")
_BAD = Outcome("The request cannot be understood.", Problem, "application/problem+json")
_USED = Outcome("The Idempotency-Key was used with another body.", Problem, "application/problem+json")
_NO_CHECK = Outcome("There is no such eligibility check, or no answer to it yet.", Problem, "application/problem+json")
_BEGUN = (*INQUIRIES, *SUBMISSIONS, "createEligibilityCheck", "createProfessionalClaimSubmission")
_PATIENT = {"patient": "Which patient of an answer about several: 0 for the first. Needed only there."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "readTransaction", "GET", ("/v1/transactions/{transactionId}",), "Where a transaction stands.",
        "claims:read", _transaction, {200: Outcome("The transaction.", TransactionView), 404: _NO},
        follows=_BEGUN, found_in=POLLED,
    ),
    Operation(
        "traceTransaction", "GET", ("/v1/transactions/{transactionId}/trace",),
        "The whole story of a transaction; raw segments for callers with raw:read.",
        "claims:read", _trace, {200: Outcome("The story.", Trace), 404: _NO}, follows=_BEGUN, found_in=POLLED,
    ),
    Operation(
        "readAnswer", "GET", ("/v1/transactions/{transactionId}/answer",), "The answer or report of a transaction.",
        "claims:read", _answer, {200: Outcome("The answer, as it was given or would have been.", dict[str, Any]), 404: _NO},
        follows=INQUIRIES,
    ),
    Operation(
        "readBenefits", "GET", ("/v1/eligibility/{transactionId}/benefits",),
        "What the answer to an eligibility check says of coverage and the patient's share, each figure with its EB.",
        "claims:read", _benefits,
        {200: Outcome("The summary.", BenefitSummary, example=SUMMARY_EXAMPLE), 400: _BAD, 404: _NO_CHECK}, query=_PATIENT,
        follows=INQUIRIES[:2],
    ),
    Operation(
        "estimateShare", "POST", ("/v1/eligibility/{transactionId}/estimate",),
        "What the patient will owe for a visit: exactly, between two bounds, or not known. Nothing is kept.",
        "claims:read", _estimate,
        {200: Outcome("The estimate.", Estimate, example=ESTIMATE_EXAMPLE), 400: _BAD, 404: _NO_CHECK},
        EstimateRequest, query=_PATIENT, example=REQUEST_EXAMPLE, follows=INQUIRIES[:2],
    ),
)  # fmt: skip

# Only where the gateway runs with its own sandbox payer.
CLOCK = Operation(
    "moveClock", "POST", ("/v1/sandbox/clock",), "Move the clock of the sandbox and of this gateway ahead.",
    "ops:write", _clock, {200: Outcome("The time it is now.", Clock), 400: _BAD, 404: Outcome("There is no sandbox here.", Problem, "application/problem+json"), 422: _USED}, Forward, tag="sandbox",
    writes=True, example={"days": 3},
)  # fmt: skip

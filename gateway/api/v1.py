"""`/v1`: what the dialect lacks. Errors are problem details (RFC 9457)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web

from gateway.api.operations import Call, Operation, Outcome
from gateway.ledger.transactions import Unknown
from gateway.messages import Trace, TransactionView
from gateway.replies import Reply
from x12.documents.binding import Document

__all__ = ["CLOCK", "OPERATIONS", "Clock", "Forward", "Problem", "problem"]


class Problem(Document):
    """RFC 9457: what is wrong, for people and programs."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str | None = None


def problem(status: int, title: str, detail: str | None = None, headers: dict[str, str] | None = None) -> web.Response:
    """An answer that says why not."""
    body = msgspec.json.encode(Problem(title=title, status=status, detail=detail))
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


def _no_transaction() -> web.Response:
    return problem(404, "There is no such transaction.")


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
        return problem(
            404, "There is no answer yet.", "Ask for the transaction to see where it stands.", {"Retry-After": "5"}
        )
    return Reply(200, found, call.part("transactionId"))


class Forward(Document):
    """By how much to move the clock of the sandbox, and of this gateway, ahead."""

    days: float | None = None
    seconds: float | None = None


class Clock(Document):
    """The time it is here now."""

    now: str


_DAYS_MAX = 3660


async def _clock(call: Call) -> Reply | web.Response:
    try:
        asked = msgspec.json.decode(call.body, type=Forward)
        by = timedelta(days=asked.days or 0, seconds=asked.seconds or 0)
    except (msgspec.DecodeError, OverflowError, ValueError):
        return problem(400, "Send days or seconds as numbers.")
    if not timedelta(0) <= by <= timedelta(days=_DAYS_MAX):
        return problem(400, f"The clock moves ahead by at most {_DAYS_MAX} days, and never back.")
    if call.move_clock is None:
        return problem(404, "There is no sandbox here.")
    await call.move_clock(by)
    world = call.service.runtime.world
    return Reply(200, msgspec.json.encode(Clock(now=world.now().isoformat())))


_NO = Outcome("There is no such transaction.", Problem, "application/problem+json")
_BAD = Outcome("The request cannot be understood.", Problem, "application/problem+json")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "readTransaction", "GET", ("/v1/transactions/{transactionId}",), "Where a transaction stands.",
        "claims:read", _transaction, {200: Outcome("The transaction.", TransactionView), 404: _NO},
    ),
    Operation(
        "traceTransaction", "GET", ("/v1/transactions/{transactionId}/trace",),
        "The whole story of a transaction; raw segments for callers with raw:read.",
        "claims:read", _trace, {200: Outcome("The story.", Trace), 404: _NO},
    ),
    Operation(
        "readAnswer", "GET", ("/v1/transactions/{transactionId}/answer",), "The answer or report of a transaction.",
        "claims:read", _answer, {200: Outcome("The answer, as it was given or would have been.", dict[str, Any]), 404: _NO},
    ),
)  # fmt: skip

# Only where the gateway runs with its own sandbox payer.
CLOCK = Operation(
    "moveClock", "POST", ("/v1/sandbox/clock",), "Move the clock of the sandbox and of this gateway ahead.",
    "ops:write", _clock, {200: Outcome("The time it is now.", Clock), 400: _BAD}, Forward, tag="sandbox",
)  # fmt: skip

"""The operations of the official SDK on eligibility and claims. Its destinations and events are in `sdk_events`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.api.dialect import REPEATING
from gateway.api.operations import Call, Example, Operation, Outcome
from gateway.api.sdk_shape import INVALID, SDK, failure, invalid, not_found, shaped
from gateway.claims import CameBefore
from gateway.identities import uuid_of
from gateway.ledger.claim_list import STATUSES
from gateway.payers import UnknownPayer
from gateway.replies import Refusal, Reply
from gateway.sdk.answer import CheckAnswer
from gateway.sdk.check import Check
from gateway.sdk.check_answer import AskedPayer, answer_of_response
from gateway.sdk.check_question import question_of_check, told_of_check
from gateway.sdk.claims import ClaimFilter, Moment, SdkClaims, Weighed
from gateway.sdk.form import ClaimForm
from gateway.sdk.records import (
    ClaimPage,
    ClaimSummary,
    Failure,
    Judged,
    KeptSubmission,
    Taken,
    Timeline,
)
from gateway.world import to_micros
from queues.database import Transaction
from x12.finding import Finding

__all__ = ["OPERATIONS", "moment_of", "page_size", "page_token", "wrong"]

_TOKEN_MAX = 1024
_SUBMITTED = "sdk claim"


# --- what queries say -----------------------------------------------------------------------------------------------


def wrong(name: str, message: str) -> Finding:
    """A fault of a parameter."""
    return Finding(1, "element", "7", f"{name} {message}.", path=name)


def page_size(call: Call, default: int, most: int) -> int | Finding:
    """`pageSize`, or what is wrong with it."""
    text = call.request.query.get("pageSize", str(default))
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    return wrong("pageSize", f"must be a number from 1 to {most}")


def page_token(call: Call, parts: int = 1) -> tuple[int, ...] | Finding | None:
    """`pageToken`: numbers with dots between; None where there is none."""
    text = call.request.query.get("pageToken")
    if text is None:
        return None
    numbers = text.split(".") if len(text) <= _TOKEN_MAX else []
    if len(numbers) == parts and all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        return tuple(map(int, numbers))
    return wrong("pageToken", "must be the nextPageToken of the page before")


def moment_of(name: str, text: str | None) -> int | Finding | None:
    """A time in microseconds out of ISO 8601, which must say its zone."""
    if text is None:
        return None
    try:
        made = datetime.fromisoformat(text)
        if made.tzinfo is not None:
            return to_micros(made)
    except (ValueError, OverflowError):
        pass
    return wrong(name, "must be a time such as 2026-01-31T12:00:00Z")


def faults(*found: object) -> list[Finding]:
    """Those of several values that are findings."""
    return [one for one in found if isinstance(one, Finding)]


# --- eligibility ----------------------------------------------------------------------------------------------------


async def _check(call: Call) -> Reply:
    question, findings = question_of_check(call.body)
    if question is None:
        return invalid(findings)
    reply = await call.service.check_eligibility(msgspec.json.encode(question), call.key)
    if reply.status == 200 or (reply.status == 400 and reply.transaction_id is not None):
        try:
            payer = call.service.runtime.directory.find(str(question.get("tradingPartnerServiceId")))
        except UnknownPayer:
            return failure(400, "The payer is no longer configured.")
        asked = AskedPayer(payer.id, payer.name)
        body = await call.service.runtime.judges.call(_answered, reply.body, asked)
        return Reply(200, body, reply.transaction_id, reply.headers)
    return _refused(reply)


def _answered(body: bytes, payer: AskedPayer) -> bytes:
    return msgspec.json.encode(answer_of_response(body, payer))


def _refused(reply: Reply) -> Reply:
    """What else the dialect answers, as an error that the SDK has a type for."""
    said = msgspec.json.decode(reply.body)
    if reply.status == 202:
        message = f"The payer has not answered yet: ask again, or read transaction {reply.transaction_id}."
        return failure(503, message, headers=reply.headers)
    findings: list[Finding] = []
    for error in said.get("errors") or ():
        path, message = told_of_check(error.get("field"), error.get("description") or "")
        findings.append(Finding(1, "element", error.get("code") or "", message, path=path))
    if reply.status == 400:
        return invalid(findings)
    message = findings[0].message if findings else "The payer cannot be asked."
    return failure(503 if reply.status == 502 else reply.status, message, headers=reply.headers)


# --- claims ---------------------------------------------------------------------------------------------------------


def _claims(call: Call) -> SdkClaims:
    return SdkClaims(call.service.runtime)


async def taken(call: Call, operation: str, body: bytes, take: Callable[[Transaction], Awaitable[Reply]]) -> Reply:
    """A write under the caller's Idempotency-Key; one that is refused keeps nothing."""
    try:
        return shaped(await call.service.taking(operation, call.key, body, take))
    except Refusal as refusal:
        return refusal.reply


async def _submit(call: Call) -> Reply:
    before = await call.service.remembered(_SUBMITTED, call.key, call.body)
    if before is not None:
        return shaped(before)
    claims = _claims(call)
    made, findings = await claims.prepare(call.body)
    if made is None:
        return invalid(findings)

    while True:
        weighed = await claims.weighed(made, allowed=call.allows_repeated_claims)

        async def take(tx: Transaction, weighed: Weighed = weighed) -> Reply:
            told = await claims.take(tx, weighed)
            return Reply(201, msgspec.json.encode(told), weighed.made.transaction_id)

        try:
            reply = await taken(call, _SUBMITTED, call.body, take)
        except CameBefore:
            # The same request may have been taken meanwhile, and then has its answer.
            continue
        call.service.runtime.wake.set()
        return reply


async def _validate(call: Call) -> Reply:
    claims = _claims(call)
    made, findings = await claims.prepare(call.body)
    if made is None:
        return invalid(findings)
    await claims.weighed(made, allowed=call.allows_repeated_claims, kept=False)
    return Reply(200, msgspec.json.encode(Judged(errors=claims.faults(made) or None)))


async def _submission(call: Call) -> Reply:
    transaction_id = uuid_of(call.part("id"))
    found = await _claims(call).submission(transaction_id) if transaction_id else None
    if found is None:
        return not_found("professional claim submission")
    return Reply(200, msgspec.json.encode(found), transaction_id)


def _several(call: Call, name: str, most: int) -> list[str] | Finding | None:
    values = call.request.query.getall(name, [])
    if not values:
        return None
    return values if len(values) <= most else wrong(name, f"may be given at most {most} times")


def _asked(call: Call) -> ClaimFilter | list[Finding]:
    query = call.request.query
    statuses, numbers = _several(call, "status", 20), _several(call, "patientControlNumbers", 20)
    after = moment_of("submittedAfter", query.get("submittedAfter"))
    before = moment_of("submittedBefore", query.get("submittedBefore"))
    if isinstance(statuses, list) and not set(statuses) <= set(STATUSES):
        statuses = wrong("status", f"must be one of {', '.join(STATUSES)}")
    if (
        isinstance(statuses, Finding)
        or isinstance(numbers, Finding)
        or isinstance(after, Finding)
        or isinstance(before, Finding)
    ):
        return faults(statuses, numbers, after, before)
    return ClaimFilter(statuses or [], numbers, after, before)


async def _list(call: Call) -> Reply:
    asked, size, token = _asked(call), page_size(call, 100, 500), page_token(call)
    if isinstance(asked, list) or isinstance(size, Finding) or isinstance(token, Finding):
        return invalid([*(asked if isinstance(asked, list) else ()), *faults(size, token)])
    items, following = await _claims(call).list(asked, token[0] if token else None, size)
    page = ClaimPage(items=items, next_page_token=msgspec.UNSET if following is None else str(following))
    return Reply(200, msgspec.json.encode(page))


async def _claim(call: Call) -> Reply:
    claim_id = uuid_of(call.part("id"))
    found = await _claims(call).claim(claim_id) if claim_id else None
    return not_found("claim") if found is None else Reply(200, msgspec.json.encode(found), claim_id)


async def _timeline(call: Call) -> Reply:
    size, token = page_size(call, 100, 500), page_token(call, 3)
    if isinstance(size, Finding) or isinstance(token, Finding):
        return invalid(faults(size, token))
    claim_id = uuid_of(call.part("id"))
    found = await _claims(call).timeline(claim_id, Moment(*token) if token else None, size) if claim_id else None
    if found is None:
        return not_found("claim")
    items, last = found
    following = msgspec.UNSET if last is None else f"{last.at}.{last.submission}.{last.sequence}"
    return Reply(200, msgspec.json.encode(Timeline(items=items, next_page_token=following)), claim_id)


# --- the table ------------------------------------------------------------------------------------------------------

_CLAIMS = "/2025-03-07/claims"
_SUBMISSIONS = "/2025-03-07/professional-claim-submissions"
_PAGES = {"pageSize": "How many at most.", "pageToken": "The nextPageToken of the page before."}
_CLAIM_ID = {"id": "A claim: `clm_` and its ULID, or the id of its first transaction."}
_SUBMISSION_ID = {"id": "A submission: `sbm_` and its ULID, or the id of its transaction."}
_SUBMITS = ("createProfessionalClaimSubmission",)
_LISTED = {"listClaims": "/items/0/id"}
_NOTHING = Outcome("NotFoundException: there is no such claim.", Failure)
_BEFORE = Outcome("ConflictException: the Idempotency-Key is in use, and unanswered.", Failure)
_OTHER = Outcome("InvalidRequestException: the Idempotency-Key was used with another body.", Failure)


def operation(
    name: str,
    method: str,
    path: str | Sequence[str],
    summary: str,
    scope: str,
    handler: Callable[[Call], Awaitable[Any]],
    outcomes: dict[int, Outcome],
    **more: Any,
) -> Operation:
    """An operation whose errors have the SDK's shape."""
    paths = (path,) if isinstance(path, str) else tuple(path)
    common = {400: INVALID} if more.keys() & {"takes", "query", "writes"} else {}
    return Operation(name, method, paths, summary, scope, handler, {**common, **outcomes}, shape=SDK, **more)


OPERATIONS: tuple[Operation, ...] = (
    operation(
        "createEligibilityCheck", "POST", "/2026-06-01/eligibility-check", "Ask a payer, in the SDK's shape.",
        "eligibility:write", _check,
        {200: Outcome("The payer's answer, rejections included.", CheckAnswer), 409: _BEFORE, 422: _OTHER},
        takes=Check, writes=True, tag="eligibility", examples={"covered": Example("A member who is covered.", file="check.json")},
    ),
    operation(
        "createProfessionalClaimSubmission", "POST", _SUBMISSIONS, "Submit a professional claim as a CMS-1500.",
        "claims:write", _submit,
        {201: Outcome("Kept, and on its way unless it has errors.", Taken), 409: _BEFORE, 422: _OTHER},
        takes=ClaimForm, writes=True, headers=REPEATING, tag="claims",
        examples={
            "paid": Example("A claim that is paid.", status=201, file="cms1500.json"),
            "rejected": Example("One whose lines do not add up: kept, and not sent.", status=201, file="cms1500_wrong.json"),
        },
    ),
    operation(
        "validateProfessionalClaimSubmission", "POST", f"{_SUBMISSIONS}/validate", "Judge a CMS-1500 without sending it.",
        "claims:write", _validate, {200: Outcome("What edits find wrong.", Judged)}, takes=ClaimForm, headers=REPEATING, tag="claims",
        examples={"good": Example("A claim that could be submitted.", file="cms1500.json")},
    ),
    operation(
        "getProfessionalClaimSubmission", "GET", f"{_SUBMISSIONS}/{{id}}", "A professional submission as a CMS-1500.",
        "raw:read", _submission, {200: Outcome("The submission.", KeptSubmission), 404: _NOTHING}, tag="claims",
        path_words=_SUBMISSION_ID, follows=_SUBMITS,
    ),
    operation(
        "listClaims", "GET", _CLAIMS, "Claims, newest first.", "claims:read", _list,
        {200: Outcome("A page.", ClaimPage)},
        query={
            **_PAGES,
            "status": "A status, several times for several.",
            "patientControlNumbers": "A patient control number, several times for several.",
            "submittedAfter": "Only claims submitted after this time.",
            "submittedBefore": "Only claims submitted before this time.",
        }, tag="claims",
    ),
    operation(
        "getClaim", "GET", f"{_CLAIMS}/{{id}}", "A claim: where it stands, and its newest submission.",
        "claims:read", _claim, {200: Outcome("The claim.", ClaimSummary), 404: _NOTHING}, tag="claims",
        path_words=_CLAIM_ID, follows=_SUBMITS, found_in=_LISTED,
    ),
    operation(
        "getClaimTimeline", "GET", f"{_CLAIMS}/{{id}}/timeline", "What happened to a claim, newest first.",
        "claims:read", _timeline, {200: Outcome("A page.", Timeline), 404: _NOTHING}, query=_PAGES, tag="claims",
        path_words=_CLAIM_ID, follows=_SUBMITS, found_in=_LISTED,
    ),
)  # fmt: skip

"""Batch eligibility: the dialect's four paths, and in `/v1` what it lacks: listing, cancelling, the rules of asking again."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gateway.api.inboxes import committed
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import TOKEN_DIGITS, WrongParameter, number, problem_of, refused, since, token, words
from gateway.api.refusals import Problem, problem
from gateway.batch_eligibility import BatchEligibility
from gateway.batch_messages import (
    CHECKS_MAX,
    BatchCancelled,
    BatchItemPage,
    BatchList,
    BatchRequest,
    BatchResultPage,
    BatchStatus,
    BatchTaken,
    RetryRules,
)
from gateway.batch_results import RESULTS, STATES, BatchResults
from gateway.messages import ErrorItem, ErrorResponse
from gateway.payers import UnknownPayer
from gateway.preferences import preferences
from gateway.replies import Reply

__all__ = ["OPERATIONS"]

_SCOPE = "eligibility:write"
_PREFIXES = ("/2024-04-01", "")
_RESULTS_MAX, _ITEMS_MAX, _BATCHES_MAX = 200, 1_000, 100


def _paths(suffix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}/eligibility-manager{suffix}" for prefix in _PREFIXES)


def _no_batch() -> Reply:
    item = ErrorItem(code="404", description="There is no such batch.", field="batchId")
    return Reply(404, msgspec.json.encode(ErrorResponse(status="ERROR", errors=[item])))


async def _submit(call: Call) -> Reply:
    lenient = preferences(call.request.headers.getall("Prefer", [])).get("handling") == "lenient"
    reply = await BatchEligibility(call.service.runtime).submit(call.body, call.key, lenient=lenient)
    if lenient and reply.status == 200:
        return Reply(200, reply.body, reply.transaction_id, {**reply.headers, "Preference-Applied": "handling=lenient"})
    return reply


async def _results(call: Call) -> Reply:
    try:
        size = number(call, "pageSize", 1, _RESULTS_MAX, 10)
        after, behind = token(call, 0), since(call)
    except WrongParameter as error:
        return refused(error)
    batch_id = call.request.query.get("batchId")
    page = await BatchResults(call.service.runtime).results(after, size, batch_id, behind)
    return Reply(200, msgspec.json.encode(page))


async def _status(call: Call) -> Reply:
    found = await BatchResults(call.service.runtime).status(call.part("batchId"))
    return _no_batch() if found is None else Reply(200, msgspec.json.encode(found))


async def _items(call: Call) -> Reply:
    try:
        size, after = number(call, "pageSize", 1, _ITEMS_MAX, 100), token(call, -1)
        states = words(call, "state", STATES)
        results = words(call, "eligibilityCheckResult", RESULTS)
    except WrongParameter as error:
        return refused(error)
    found = await BatchResults(call.service.runtime).items(call.part("batchId"), after, size, states, results)
    return _no_batch() if found is None else Reply(200, msgspec.json.encode(found))


async def _list(call: Call) -> Reply | web.Response:
    try:
        size = number(call, "pageSize", 1, _BATCHES_MAX, 20)
        before = token(call, 10**TOKEN_DIGITS)
    except WrongParameter as error:
        return problem_of(error)
    return Reply(200, msgspec.json.encode(await BatchResults(call.service.runtime).listed(before, size)))


async def _cancel(call: Call) -> Reply | web.Response:
    batch_id, batches = call.part("batchId"), BatchEligibility(call.service.runtime)
    return await committed(call, f"cancel {batch_id}"[:200], lambda tx: batches.cancel(tx, batch_id))


async def _rules(call: Call) -> Reply | web.Response:
    directory, payer_id = call.service.runtime.directory, call.request.query.get("payerId")
    try:
        payer = directory.find(payer_id) if payer_id is not None else None
    except UnknownPayer as error:
        return problem(404, "There is no such payer.", str(error))
    return Reply(200, msgspec.json.encode(BatchResults(call.service.runtime).retry_rules(payer)))


_REFUSED = Outcome("What is wrong, all at once, with field paths.", ErrorResponse)
_TAKEN_NAME = Outcome("Another batch has this name, or the Idempotency-Key is in use and unanswered.", ErrorResponse)
_OTHER = Outcome("The Idempotency-Key was used with another body.", ErrorResponse)
_NO_BATCH = Outcome("There is no such batch.", ErrorResponse)
_NO_SUCH = Outcome("There is no such batch.", Problem, "application/problem+json")
_BAD = Outcome("The request cannot be understood.", Problem, "application/problem+json")
_BUSY = Outcome("The Idempotency-Key is in use and unanswered.", Problem, "application/problem+json")
_USED = Outcome("The Idempotency-Key was used with another body.", Problem, "application/problem+json")
_LENIENT = {"Prefer": "`handling=lenient` leaves out checks that are wrong, and tells them (RFC 7240)."}
_FROM = "The nextPageToken of the page before."
_CHECK = {
    "submitterTransactionIdentifier": "VISIT-1001",
    "tradingPartnerServiceId": "SANDBOX",
    "provider": {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667"},
    "subscriber": {
        "memberId": "SANDBOX-ACTIVE-1",
        "firstName": "ADA",
        "lastName": "ABARA",
        "dateOfBirth": "19800229",
    },
    "encounter": {"serviceTypeCodes": ["30"]},
}

_BATCH = ("checkEligibilityBatch",)
_LISTED = {"listBatches": "/items/0/id"}
_WORDS = {"batchId": "The batchId that submitting the batch was answered with."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "checkEligibilityBatch", "POST", _paths("/batch-eligibility"),
        f"Submit up to {CHECKS_MAX} eligibility checks that are asked in the background. One wrong check refuses them all; with "
        "`Prefer: handling=lenient` it is left out.",
        _SCOPE, _submit,
        {200: Outcome("Taken, durably.", BatchTaken), 400: _REFUSED, 409: _TAKEN_NAME, 422: _OTHER},
        BatchRequest, writes=True, headers=_LENIENT, tag="batch eligibility", example={"maxRetryHours": 8, "items": [_CHECK]}, large=True,
    ),
    Operation(
        "pollBatchEligibility", "GET", _paths("/polling/batch-eligibility"),
        "Results of batch checks as they come, in the order in which they came. The token of the last page goes on where it ended.",
        _SCOPE, _results, {200: Outcome("A page of results.", BatchResultPage), 400: _REFUSED},
        query={
            "batchId": "Results of this batch only.",
            "startDateTime": "Results later than this, ISO 8601.",
            "pageToken": _FROM,
            "pageSize": f"How many at most, 1 to {_RESULTS_MAX}; 10 by itself.",
        },
        tag="batch eligibility",
    ),
    Operation(
        "readBatchEligibility", "GET", _paths("/batch/{batchId}"), "How far a batch has come.",
        _SCOPE, _status, {200: Outcome("The batch.", BatchStatus), 404: _NO_BATCH}, tag="batch eligibility", follows=_BATCH, found_in=_LISTED,
        path_words=_WORDS,
    ),
    Operation(
        "listBatchEligibilityItems", "GET", _paths("/batch/{batchId}/items"),
        "Where each check of a batch stands: its state, what it came to, when it is asked again and until when.",
        _SCOPE, _items, {200: Outcome("A page of checks.", BatchItemPage), 400: _REFUSED, 404: _NO_BATCH},
        query={
            "state": f"Of these states only: {', '.join(STATES)}; several with commas.",
            "eligibilityCheckResult": f"Of these results only: {', '.join(RESULTS)}.",
            "pageToken": _FROM,
            "pageSize": f"How many at most, 1 to {_ITEMS_MAX}; 100 by itself.",
        },
        tag="batch eligibility", follows=_BATCH, found_in=_LISTED, path_words=_WORDS,
    ),
    Operation(
        "listBatches", "GET", ("/v1/eligibility-batches",), "Batches of eligibility checks, newest first.",
        _SCOPE, _list, {200: Outcome("A page of batches.", BatchList), 400: _BAD},
        query={"pageToken": _FROM, "pageSize": f"How many at most, 1 to {_BATCHES_MAX}; 20 by itself."},
        tag="batch eligibility",
    ),
    Operation(
        "cancelBatch", "POST", ("/v1/eligibility-batches/{batchId}/cancel",),
        "End the checks of a batch that are not on their way to a payer. Those that are come home.",
        _SCOPE, _cancel, {200: Outcome("What was ended.", BatchCancelled), 404: _NO_SUCH, 409: _BUSY, 422: _USED},
        tag="batch eligibility", writes=True, follows=_BATCH, found_in=_LISTED, path_words=_WORDS,
    ),
    Operation(
        "readRetryRules", "GET", ("/v1/eligibility-retry-rules",),
        "Which rejections (AAA03) of batch checks are asked again by themselves, when, and until when.",
        _SCOPE, _rules,
        {200: Outcome("A rule for each code.", RetryRules), 404: Outcome("There is no such payer.", Problem, "application/problem+json")},
        query={"payerId": "The rules of this payer, by id or alias."}, tag="batch eligibility",
    ),
)  # fmt: skip

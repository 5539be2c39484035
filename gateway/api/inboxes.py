"""The inboxes of `/v1`: interchanges in doubt and files that match nothing, and what persons decide of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway.alarms import NoAlarm
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import WrongParameter, number, problem_of
from gateway.api.refusals import Problem, problem
from gateway.follow_ups import NoClaim, NotListed, NotOpen
from gateway.inbox_messages import (
    DoubtDecided,
    DoubtDecision,
    Handled,
    HandledBecause,
    InDoubtDetail,
    InDoubtPage,
    UnmatchedDetail,
    UnmatchedPage,
)
from gateway.inboxes import Inboxes, NotInDoubt, NotThere, decision_of, reason
from gateway.lanes import NoRoute
from gateway.messages import ErrorItem, error_items
from gateway.replies import Reply
from queues.database import Transaction
from x12.documents.binding import Document
from x12.documents.lenient import decode

__all__ = ["OPERATIONS", "PAGED", "by_of", "committed", "page_of", "why_of"]

_PROBLEM = "application/problem+json"
_PAGE_MAX = 200
_TOKEN = re.compile(r"(\d{1,18})\.([0-9A-Za-z-]{1,64})")


class _Refused(Exception):
    """Undo the commit, and answer with this."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__("refused")
        self.answer = answer


def page_of(call: Call) -> tuple[tuple[int, str], int]:
    """Behind what the page begins, and how much it holds; WrongParameter."""
    text = call.request.query.get("pageToken")
    found = _TOKEN.fullmatch(text) if text is not None else None
    if text is not None and found is None:
        raise WrongParameter("pageToken", "the nextPageToken of the page before")
    after = (int(found[1]), found[2]) if found is not None else (0, "")
    return after, number(call, "pageSize", 1, _PAGE_MAX, 100)


def by_of(call: Call) -> str:
    """Who decides: the key by its id and its name."""
    return f"{call.caller.key_id} {call.caller.name}"[:200]


def why_of(text: str | None) -> str | web.Response:
    """What a person says of a decision, or the answer where it is nothing."""
    try:
        return reason(text)
    except ValueError as error:
        item = ErrorItem(code="400", description=f"{error}.", field="why")
        return problem(400, "Say why.", errors=[item])


async def committed(
    call: Call, operation: str, act: Callable[[Transaction], Awaitable[Document]]
) -> Reply | web.Response:
    """Run a commit under the caller's Idempotency-Key; what cannot be done is a problem."""

    async def take(tx: Transaction) -> Reply:
        try:
            made = await act(tx)
        except (NotThere, NoRoute, NoAlarm, NoClaim) as error:
            raise _Refused(problem(404, f"{str(error).capitalize()}.")) from error
        except (NotInDoubt, NotListed, NotOpen) as error:
            raise _Refused(problem(409, "There is nothing to decide.", f"{error}", {"Retry-After": "5"})) from error
        return Reply(200, msgspec.json.encode(made))

    try:
        reply = await call.service.taking(operation, call.key, call.body, take)
    except _Refused as refused:
        return refused.answer
    call.service.runtime.wake.set()
    if reply.status == 422:
        return problem(422, "This Idempotency-Key was used with another body: use a new key.")
    if reply.status == 409:
        return problem(409, "A request with this Idempotency-Key is under way: ask again.", None, {"Retry-After": "1"})
    return reply


async def _list_doubts(call: Call) -> Reply | web.Response:
    try:
        after, limit = page_of(call)
    except WrongParameter as error:
        return problem_of(error)
    return Reply(200, msgspec.json.encode(await Inboxes(call.service.runtime).in_doubt(after, limit)))


async def _read_doubt(call: Call) -> Reply | web.Response:
    try:
        found = await Inboxes(call.service.runtime).doubt(call.part("interchangeId"))
    except NotThere as error:
        return problem(404, f"{str(error).capitalize()}.")
    return Reply(200, msgspec.json.encode(found))


async def _decide(call: Call) -> Reply | web.Response:
    asked, findings = decode(DoubtDecision, call.body)
    if asked is None:
        return problem(400, "The decision cannot be understood.", errors=error_items(findings))
    try:
        decision = decision_of(asked.decision)
    except ValueError as error:
        item = ErrorItem(code="400", description=f"{error}.", field="decision")
        return problem(400, "The decision cannot be understood.", errors=[item])
    why = why_of(asked.why)
    if isinstance(why, web.Response):
        return why
    interchange_id, inboxes = call.part("interchangeId"), Inboxes(call.service.runtime)
    return await committed(
        call,
        f"decide {interchange_id}"[:200],
        lambda tx: inboxes.decide(tx, interchange_id, decision, by_of(call), why),
    )


async def _list_unmatched(call: Call) -> Reply | web.Response:
    try:
        after, limit = page_of(call)
    except WrongParameter as error:
        return problem_of(error)
    handled = call.request.query.get("handled", "false")
    if handled not in ("true", "false"):
        return problem_of(WrongParameter("handled", "true or false"))
    found = await Inboxes(call.service.runtime).unmatched(after, limit, handled=handled == "true")
    return Reply(200, msgspec.json.encode(found))


async def _read_unmatched(call: Call) -> Reply | web.Response:
    reveal = "raw:read" in call.caller.scopes
    try:
        found = await Inboxes(call.service.runtime).file(call.part("inboundId"), reveal=reveal)
    except NotThere as error:
        return problem(404, f"{str(error).capitalize()}.")
    return Reply(200, msgspec.json.encode(found))


async def _handle(call: Call) -> Reply | web.Response:
    asked, findings = decode(HandledBecause, call.body)
    if asked is None:
        return problem(400, "The request cannot be understood.", errors=error_items(findings))
    why = why_of(asked.why)
    if isinstance(why, web.Response):
        return why
    inbound_id, inboxes = call.part("inboundId"), Inboxes(call.service.runtime)
    return await committed(
        call, f"handle {inbound_id}"[:200], lambda tx: inboxes.handle(tx, inbound_id, by_of(call), why)
    )


_NO = Outcome("There is no such interchange.", Problem, _PROBLEM)
_NO_FILE = Outcome("There is no such file.", Problem, _PROBLEM)
_BAD = Outcome("The request cannot be understood.", Problem, _PROBLEM)
_USED = Outcome("The Idempotency-Key was used with another body.", Problem, _PROBLEM)
_SETTLED = Outcome("It is not in doubt any more, or the Idempotency-Key is in use and unanswered.", Problem, _PROBLEM)
_BUSY = Outcome("The Idempotency-Key is in use and unanswered.", Problem, _PROBLEM)
_DOUBT = {"interchangeId": "The interchangeId of an item of the list."}
_FILE = {"inboundId": "The inboundId of an item of the list."}
_DOUBTS = {"listInDoubt": "/items/0/interchangeId"}
_FILES = {"listUnmatched": "/items/0/inboundId"}
PAGED = {
    "pageToken": "The nextPageToken of the page before.",
    "pageSize": f"How many at most, 1 to {_PAGE_MAX}; 100 by itself.",
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "listInDoubt", "GET", ("/v1/in-doubt",),
        "Interchanges of claims of which nobody knows whether the payer has them.",
        "claims:read", _list_doubts, {200: Outcome("A page of them.", InDoubtPage), 400: _BAD}, query=PAGED, tag="inboxes",
    ),
    Operation(
        "readInDoubt", "GET", ("/v1/in-doubt/{interchangeId}",),
        "One of them: all that is known of it, its claims, and what can be decided.",
        "claims:read", _read_doubt, {200: Outcome("The interchange.", InDoubtDetail), 404: _NO}, path_words=_DOUBT, found_in=_DOUBTS, tag="inboxes",
    ),
    Operation(
        "decideInDoubt", "POST", ("/v1/in-doubt/{interchangeId}/decision",),
        "Decide what becomes of it: `confirmed` (the payer has it), `resend` (the same bytes), `rebuild` (the payer has nothing: the claims go "
        "into a new interchange) or `keep_waiting`. Who decided and why is kept in the story of each claim.",
        "ops:write", _decide, {200: Outcome("It is decided.", DoubtDecided), 400: _BAD, 404: _NO, 409: _SETTLED, 422: _USED},
        DoubtDecision, writes=True, path_words=_DOUBT, found_in=_DOUBTS, tag="inboxes",
        example={"decision": "keep_waiting", "why": "The payer looks into it and calls back."},
    ),
    Operation(
        "listUnmatched", "GET", ("/v1/unmatched",), "Files from payers that match nothing, or contradict themselves.",
        "claims:read", _list_unmatched, {200: Outcome("A page of them.", UnmatchedPage), 400: _BAD},
        query={**PAGED, "handled": "`true` for those that were looked after; `false` by itself."}, tag="inboxes",
    ),
    Operation(
        "readUnmatched", "GET", ("/v1/unmatched/{inboundId}",), "One of them; raw segments for callers with raw:read.",
        "claims:read", _read_unmatched, {200: Outcome("The file.", UnmatchedDetail), 404: _NO_FILE}, path_words=_FILE, found_in=_FILES, tag="inboxes",
    ),
    Operation(
        "handleUnmatched", "POST", ("/v1/unmatched/{inboundId}/handled",), "Say that a file was looked after, and how.",
        "ops:write", _handle, {200: Outcome("It is noted.", Handled), 400: _BAD, 404: _NO_FILE, 409: _BUSY, 422: _USED},
        HandledBecause, writes=True, path_words=_FILE, found_in=_FILES, tag="inboxes",
        example={"why": "An acknowledgement of claims that the practice sent by its old clearinghouse."},
    ),
)  # fmt: skip

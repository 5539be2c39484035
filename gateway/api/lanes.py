"""The lanes of `/v1`: how each route stands, and pausing one by hand."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gateway.api.inboxes import by_of, committed
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.refusals import Problem, problem
from gateway.lanes import LanePage, Lanes, LaneView, PauseRequest
from gateway.messages import ErrorItem, error_items
from gateway.replies import Reply
from x12.documents.lenient import decode

__all__ = ["OPERATIONS"]

_PROBLEM = "application/problem+json"
_MINUTES_MAX = 366 * 24 * 60


async def _list(call: Call) -> Reply | web.Response:
    return Reply(200, msgspec.json.encode(await Lanes(call.service.runtime).all()))


async def _pause(call: Call) -> Reply | web.Response:
    wanted, findings = decode(PauseRequest, call.body or b"{}")
    if wanted is None:
        return problem(400, "The request cannot be understood.", errors=error_items(findings))
    if wanted.minutes is not None and not 0 < wanted.minutes <= _MINUTES_MAX:
        text = f"minutes must be above 0, and {_MINUTES_MAX} at most."
        return problem(400, text, errors=[ErrorItem(code="400", description=text, field="minutes")])
    route_id, lanes, minutes = call.part("routeId"), Lanes(call.service.runtime), wanted.minutes
    return await committed(call, f"pause {route_id}"[:200], lambda tx: lanes.pause(tx, route_id, minutes, by_of(call)))


async def _resume(call: Call) -> Reply | web.Response:
    route_id, lanes = call.part("routeId"), Lanes(call.service.runtime)
    return await committed(call, f"resume {route_id}"[:200], lambda tx: lanes.resume(tx, route_id))


_NO = Outcome("There is no such route.", Problem, _PROBLEM)
_BAD = Outcome("The request cannot be understood.", Problem, _PROBLEM)
_USED = Outcome("The Idempotency-Key was used with another body.", Problem, _PROBLEM)
_BUSY = Outcome("The Idempotency-Key is in use and unanswered.", Problem, _PROBLEM)
_ROUTE = {"routeId": "The routeId of an item of the list."}
_LISTED = {"listLanes": "/items/0/routeId"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "listLanes", "GET", ("/v1/lanes",), "How each route stands: whether its circuit is open, or it is paused, since when and why.",
        "claims:read", _list, {200: Outcome("All routes.", LanePage)}, tag="lanes",
    ),
    Operation(
        "pauseLane", "POST", ("/v1/lanes/{routeId}/pause",), "Send nothing over a route for some minutes, or until it is resumed.",
        "ops:write", _pause, {200: Outcome("It is paused.", LaneView), 400: _BAD, 404: _NO, 409: _BUSY, 422: _USED},
        PauseRequest, writes=True, path_words=_ROUTE, found_in=_LISTED, tag="lanes", example={"minutes": 30},
        body_optional=True,
    ),
    Operation(
        "resumeLane", "POST", ("/v1/lanes/{routeId}/resume",), "End a pause, and close the circuit: what waits goes on.",
        "ops:write", _resume, {200: Outcome("It goes on.", LaneView), 404: _NO, 409: _BUSY, 422: _USED},
        writes=True, path_words=_ROUTE, found_in=_LISTED, tag="lanes",
    ),
)  # fmt: skip

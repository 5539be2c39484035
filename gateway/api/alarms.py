"""The alarms of `/v1`: what a person should look at, and that one has seen it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gateway.alarms import AlarmPage, Alarms, AlarmView
from gateway.api.inboxes import PAGED, by_of, committed, page_of
from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import WrongParameter, problem_of
from gateway.api.refusals import Problem
from gateway.replies import Reply

__all__ = ["OPERATIONS"]

_PROBLEM = "application/problem+json"


async def _list(call: Call) -> Reply | web.Response:
    closed = call.request.query.get("closed", "false")
    try:
        after, limit = page_of(call)
        if closed not in ("true", "false"):
            raise WrongParameter("closed", "true or false")
    except WrongParameter as error:
        return problem_of(error)
    page = await Alarms(call.service.runtime).page(after, limit, closed=closed == "true")
    return Reply(200, msgspec.json.encode(page))


async def _acknowledge(call: Call) -> Reply | web.Response:
    alarm_id, alarms = call.part("alarmId"), Alarms(call.service.runtime)
    return await committed(
        call, f"acknowledge {alarm_id}"[:200], lambda tx: alarms.acknowledge(tx, alarm_id, by_of(call))
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "listAlarms", "GET", ("/v1/alarms",), "What a person should look at, oldest first, each with what to do next.",
        "claims:read", _list,
        {200: Outcome("A page of them.", AlarmPage), 400: Outcome("The request cannot be understood.", Problem, _PROBLEM)},
        query={**PAGED, "closed": "`true` for those whose cause is gone; `false` by itself."}, tag="alarms",
    ),
    Operation(
        "acknowledgeAlarm", "POST", ("/v1/alarms/{alarmId}/acknowledged",),
        "Say that an alarm was seen. It closes by itself when its cause is gone.",
        "ops:write", _acknowledge,
        {
            200: Outcome("It is noted.", AlarmView), 404: Outcome("There is no such alarm.", Problem, _PROBLEM),
            409: Outcome("The Idempotency-Key is in use and unanswered.", Problem, _PROBLEM),
            422: Outcome("The Idempotency-Key was used with another body.", Problem, _PROBLEM),
        },
        writes=True, path_words={"alarmId": "The alarmId of an item of the list."}, tag="alarms",
        found_in={"listAlarms": "/items/0/alarmId"},
    ),
)  # fmt: skip

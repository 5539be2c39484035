"""The operations of the official SDK on destinations and events: where callers want to be told of changes, and what was told."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from aiohttp import web

from gateway import webhooks
from gateway.api.operations import Call, Example, Operation, Outcome
from gateway.api.sdk import moment_of, operation, page_size, page_token, taken, wrong
from gateway.api.sdk_shape import failure, invalid, not_found
from gateway.free_text import unseen_character
from gateway.identities import uuid_of
from gateway.ledger import destinations, notices
from gateway.ledger.destinations import Destination
from gateway.ledger.notices import EVENT_TYPES, Notice
from gateway.replies import Refusal, Reply
from gateway.runtime import TENANT, Runtime
from gateway.sdk.events import (
    DestinationPage,
    EventDetail,
    EventPage,
    EventSummary,
    MadeDestination,
    NewDestination,
    RotateSecret,
    SigningSecret,
    ToldDestination,
    UpdatedDestination,
)
from gateway.sdk.records import Failure
from gateway.steps.notify import CONCURRENCY_MAX, account_of
from gateway.views import moment
from queues.database import Transaction
from x12.documents.lenient import decode
from x12.finding import Finding

__all__ = ["OPERATIONS"]

_NAME_MAX, _DESCRIPTION_MAX = 255, 1024
_HOURS, _HOURS_MAX = 24, 720
_STATUSES = ("ENABLED", "DISABLED")
_DELIVERED = ("PENDING", "DELIVERED", "FAILED")
_MICROSECOND = timedelta(microseconds=1)
_EVER = (1 << 63) - 1


# --- destinations ---------------------------------------------------------------------------------------------------


def _told(one: Destination) -> ToldDestination:
    return ToldDestination(
        id=f"dst_{one.destination_id}",
        created_at=moment(one.created_at) or "",
        updated_at=moment(one.updated_at) or "",
        status=one.status,
        name=one.name,
        description=one.description,
        event_types=one.event_types,
        destination_url=one.url,
        last_delivery_time=moment(one.delivered_at) or msgspec.UNSET,
        concurrency_limit=one.concurrency or msgspec.UNSET,
    )


def _id(call: Call) -> str:
    """The destination that is meant; an id that none can have where the path holds no id."""
    return uuid_of(call.part("destinationId")) or ""


def _faults(asked: NewDestination | UpdatedDestination, runtime: Runtime) -> list[Finding]:
    """Everything wrong with what is said of a destination."""
    found: list[Finding] = []
    if asked.name is not None and not 1 <= len(asked.name) <= _NAME_MAX:
        found.append(wrong("name", f"must have 1 to {_NAME_MAX} characters"))
    if asked.description is not None and len(asked.description) > _DESCRIPTION_MAX:
        found.append(wrong("description", f"must have at most {_DESCRIPTION_MAX} characters"))
    for path, text in (("name", asked.name), ("description", asked.description)):
        bad = text and unseen_character(text)
        if bad:
            found.append(wrong(path, f"contains {bad}, which nobody sees: leave it out"))
    if asked.event_types is not None:
        found += _type_faults(asked.event_types)
    if asked.destination_url is not None:
        try:
            webhooks.check_url(asked.destination_url, runtime.config.webhook_reach)
        except webhooks.Refused as refused:
            found.append(wrong("destinationUrl", str(refused)))
    if asked.concurrency_limit is not None and not 1 <= asked.concurrency_limit <= CONCURRENCY_MAX:
        found.append(wrong("concurrencyLimit", f"must be from 1 to {CONCURRENCY_MAX}"))
    if asked.status is not None and asked.status not in _STATUSES:
        found.append(wrong("status", f"must be one of {', '.join(_STATUSES)}"))
    return found


def _type_faults(types: list[str]) -> list[Finding]:
    found = [
        wrong(f"eventTypes[{index}]", f"is none: there are {', '.join(EVENT_TYPES)}")
        for index, name in enumerate(types)
        if name not in EVENT_TYPES
    ]
    if not types:
        found.append(wrong("eventTypes", "must name at least one type"))
    elif len(set(types)) < len(types):
        found.append(wrong("eventTypes", "names a type twice"))
    return found


async def _create(call: Call) -> Reply:
    runtime = call.service.runtime
    asked, findings = decode(NewDestination, call.body)
    findings = findings if asked is None else _faults(asked, runtime)
    if asked is None or findings:
        return invalid(findings)

    async def take(tx: Transaction) -> Reply:
        if await destinations.count(tx, TENANT) >= destinations.DESTINATIONS_MAX:
            message = f"There are {destinations.DESTINATIONS_MAX} destinations, which is the most: delete one first."
            raise Refusal(failure(403, message, kind="EventDestinationsLimitExceededException"))
        now = runtime.world.micros()
        made = Destination(
            destination_id=runtime.world.new_id(),
            position=0,
            name=asked.name,
            description=asked.description or "",
            event_types=asked.event_types,
            url=asked.destination_url,
            concurrency=asked.concurrency_limit,
            status=asked.status or "ENABLED",
            reason="",
            created_at=now,
            updated_at=now,
            delivered_at=None,
            previous_until=None,
            deleted_at=None,
        )
        secret = await destinations.create(tx, runtime.vault, TENANT, made)
        fields = msgspec.structs.asdict(_told(made))
        return Reply(201, msgspec.json.encode(MadeDestination(**fields, signing_secret=secret)))

    return await taken(call, "destination", call.body, take)


async def _list(call: Call) -> Reply:
    size, token = page_size(call, 25, 100), page_token(call)
    status = call.request.query.get("status")
    checked = (
        None if status is None or status in _STATUSES else wrong("status", f"must be one of {', '.join(_STATUSES)}")
    )
    if isinstance(size, Finding) or isinstance(token, Finding) or checked is not None:
        return invalid([one for one in (size, token, checked) if isinstance(one, Finding)])
    kind = call.request.query.get("eventType")
    after = token[0] if token else 0
    found = await call.service.runtime.database.read(
        lambda tx: destinations.page(tx, TENANT, after, size + 1, status, kind)
    )
    following = str(found[size - 1].position) if len(found) > size else msgspec.UNSET
    return Reply(
        200, msgspec.json.encode(DestinationPage(items=[_told(d) for d in found[:size]], next_page_token=following))
    )


async def _get(call: Call) -> Reply:
    found = await call.service.runtime.database.read(lambda tx: destinations.get(tx, TENANT, _id(call)))
    return not_found("destination") if found is None else Reply(200, msgspec.json.encode(_told(found)))


def _bound(call: Call) -> bytes:
    """What an Idempotency-Key of a change is bound to: the destination and the body."""
    return f"{_id(call)}\n".encode() + call.body


async def _existing(tx: Transaction, call: Call) -> Destination:
    found = await destinations.get(tx, TENANT, _id(call))
    if found is None:
        raise Refusal(not_found("destination"))
    return found


async def _update(call: Call) -> Reply:
    runtime = call.service.runtime
    asked, findings = decode(UpdatedDestination, call.body or b"{}")
    findings = findings if asked is None else _faults(asked, runtime)
    if asked is None or findings:
        return invalid(findings)

    async def take(tx: Transaction) -> Reply:
        found, now = await _existing(tx, call), runtime.world.micros()
        names = {"destination_url": "url", "concurrency_limit": "concurrency"}
        changes = {names.get(n, n): v for n, v in msgspec.structs.asdict(asked).items() if v is not None}
        changed = msgspec.structs.replace(found, **changes, updated_at=now)
        if changed.status == "ENABLED":
            changed.reason = ""
            await notices.wake(tx, TENANT, found.destination_id, runtime.world.new_id(), now)
        await destinations.update(tx, TENANT, changed, now)
        return Reply(200, msgspec.json.encode(_told(changed)))

    reply = await taken(call, "destination update", _bound(call), take)
    runtime.wake.set()
    return reply


async def _delete(call: Call) -> Reply | web.Response:
    """Deleted twice is deleted once, with the same answer."""
    runtime = call.service.runtime

    async def take(tx: Transaction) -> Reply:
        found = await destinations.get(tx, TENANT, _id(call), deleted=True)
        if found is None:
            raise Refusal(not_found("destination"))
        await destinations.delete(tx, TENANT, found.destination_id, runtime.world.micros())
        return Reply(204, b"")

    reply = await taken(call, "destination deletion", _bound(call), take)
    return web.Response(status=204) if reply.status == 204 else reply


async def _secret(call: Call) -> Reply:
    runtime = call.service.runtime

    async def body(tx: Transaction) -> SigningSecret | None:
        found, now = await destinations.get(tx, TENANT, _id(call)), runtime.world.micros()
        if found is None:
            return None
        secrets = await destinations.secrets_of(tx, runtime.vault, TENANT, found.destination_id, now)
        until = found.previous_until if (found.previous_until or 0) > now else None
        return SigningSecret(signing_secret=secrets[0], previous_secret_expires_at=moment(until))

    told = await runtime.database.read(body)
    return not_found("destination") if told is None else Reply(200, msgspec.json.encode(told))


async def _rotate(call: Call) -> Reply:
    runtime = call.service.runtime
    asked, findings = decode(RotateSecret, call.body or b"{}")
    hours = (
        _HOURS if asked is None or asked.previous_secret_expiry_hours is None else asked.previous_secret_expiry_hours
    )
    if asked is not None and not 0 <= hours <= _HOURS_MAX:
        findings = [wrong("previousSecretExpiryHours", f"must be from 0 to {_HOURS_MAX}")]
    if findings:
        return invalid(findings)

    async def take(tx: Transaction) -> Reply:
        found, now = await _existing(tx, call), runtime.world.micros()
        if (found.previous_until or 0) > now:
            message = (
                f"The secret was rotated before, and the one before that holds until {moment(found.previous_until)}."
            )
            raise Refusal(failure(409, message))
        until = now + timedelta(hours=hours) // _MICROSECOND
        secret = await destinations.rotate(tx, runtime.vault, TENANT, found.destination_id, until, now)
        told = SigningSecret(signing_secret=secret, previous_secret_expires_at=moment(until) if hours else None)
        return Reply(200, msgspec.json.encode(told))

    return await taken(call, "destination secret", _bound(call), take)


# --- events ---------------------------------------------------------------------------------------------------------


def _event(notice: Notice) -> EventSummary:
    return EventSummary(
        id=f"evt_{notice.event_id}",
        status=notice.status,
        created_at=moment(notice.created_at) or "",
        event_type=notice.event_type,
    )


async def _events(call: Call) -> Reply:
    query = call.request.query
    size, token = page_size(call, 100, 1000), page_token(call)
    statuses = query.getall("status", [])
    findings = [one for one in (size, token) if isinstance(one, Finding)]
    if not set(statuses) <= set(_DELIVERED):
        findings.append(wrong("status", f"must be one of {', '.join(_DELIVERED)}"))
    since, until = 0, _EVER
    for text in query.getall("created", []):
        name, _, time = text.partition(":")
        at = moment_of("created", time)
        if name in ("gt", "gte") and isinstance(at, int):
            since = max(since, at + (name == "gt"))
        elif name in ("lt", "lte") and isinstance(at, int):
            until = min(until, at + (name == "lte"))
        else:
            findings.append(wrong("created", "must be gt:, gte:, lt: or lte: and a time such as 2026-01-31T12:00:00Z"))
    if findings or isinstance(size, Finding) or isinstance(token, Finding):
        return invalid(findings)
    asked, kind = query.get("eventId"), query.get("eventType", "")
    event_id = "" if asked is None else uuid_of(asked) or asked
    before = token[0] if token else None
    found = await call.service.runtime.database.read(
        lambda tx: notices.page(tx, TENANT, before, size + 1, statuses, kind, event_id, since, until)
    )
    following = str(found[size - 1].position) if len(found) > size else msgspec.UNSET
    page = EventPage(items=[_event(n) for n in found[:size]], next_page_token=following)
    return Reply(200, msgspec.json.encode(page))


async def _event_detail(call: Call) -> Reply:
    event_id = uuid_of(call.part("eventId")) or ""
    found = await call.service.runtime.database.read(lambda tx: notices.get(tx, TENANT, event_id))
    if found is None:
        return not_found("event")
    payload = {"v1Event": webhooks.payload_of(found, account_of(TENANT))}
    summary = msgspec.to_builtins(_event(found))
    return Reply(200, msgspec.json.encode({**summary, "eventPayload": payload}))


# --- the table ------------------------------------------------------------------------------------------------------

_DESTINATIONS, _EVENTS = "/2026-02-01/destinations", "/2026-02-01/events"
_ONE = f"{_DESTINATIONS}/{{destinationId}}"
_ID = {"destinationId": "A destination: `dst_` and its UUID."}
_MADE = {"createEventDestination": "/id", "listEventDestinations": "/items/0/id"}
_EXAMPLE = {
    "name": "Billing", "eventTypes": ["claim.rejected", "claim.remitted"], "destinationUrl": "https://billing.example.com/hook",
}  # fmt: skip
_NOTHING = Outcome("NotFoundException: there is no such destination.", Failure)
_NO_EVENT = Outcome("NotFoundException: there is no such event.", Failure)
_TAKEN = Outcome("ConflictException: the Idempotency-Key is in use, and unanswered.", Failure)
_OTHER = Outcome("InvalidRequestException: the Idempotency-Key was used with another body.", Failure)
_FULL = Outcome("EventDestinationsLimitExceededException or ForbiddenException.", Failure)
_HELD = Outcome("ConflictException: the secret before still holds, or the Idempotency-Key is in use.", Failure)
_CHANGED = {404: _NOTHING, 409: _TAKEN, 422: _OTHER}
_PAGES = {"pageSize": "How many at most.", "pageToken": "The nextPageToken of the page before."}

OPERATIONS: tuple[Operation, ...] = (
    operation(
        "createEventDestination", "POST", _DESTINATIONS, "Be told of changes at an address of yours.", "ops:write", _create,
        {201: Outcome("The destination and its secret.", MadeDestination), 403: _FULL, 409: _TAKEN, 422: _OTHER},
        takes=NewDestination, writes=True, tag="events", examples={"paid": Example("Payments.", _EXAMPLE, 201)},
    ),
    operation(
        "listEventDestinations", "GET", _DESTINATIONS, "Destinations, oldest first.", "claims:read", _list,
        {200: Outcome("A page.", DestinationPage)},
        query={**_PAGES, "status": "ENABLED or DISABLED.", "eventType": "Only those that want this type."}, tag="events",
    ),
    operation(
        "getEventDestination", "GET", _ONE, "One destination.", "claims:read", _get,
        {200: Outcome("The destination.", ToldDestination), 404: _NOTHING}, tag="events", path_words=_ID,
        found_in=_MADE,
    ),
    operation(
        "updateEventDestination", "POST", _ONE, "Change a destination; enabling it sends what waits.", "ops:write", _update,
        {200: Outcome("The destination.", ToldDestination), **_CHANGED}, takes=UpdatedDestination, writes=True, tag="events",
        path_words=_ID, found_in=_MADE, example={"status": "DISABLED"}, body_optional=True,
    ),
    operation(
        "deleteEventDestination", "DELETE", _ONE, "Delete a destination; deleted twice is deleted once.", "ops:write", _delete,
        {204: Outcome("It is gone."), **_CHANGED}, writes=True, tag="events", path_words=_ID, found_in=_MADE,
    ),
    operation(
        "getEventDestinationSecret", "GET", f"{_ONE}/secret", "What signs the deliveries.", "ops:write", _secret,
        {200: Outcome("The secret.", SigningSecret), 404: _NOTHING}, tag="events", path_words=_ID, found_in=_MADE,
    ),
    operation(
        "rotateEventDestinationSecret", "POST", f"{_ONE}/secret/rotate", "A new secret; the one before holds for a while.",
        "ops:write", _rotate,
        {200: Outcome("The new secret.", SigningSecret), **_CHANGED, 409: _HELD}, takes=RotateSecret, writes=True, tag="events",
        path_words=_ID, found_in=_MADE, example={"previousSecretExpiryHours": 1}, body_optional=True,
    ),
    operation(
        "listEventDestinationEvents", "GET", _EVENTS, "What has changed, newest first.", "claims:read", _events,
        {200: Outcome("A page.", EventPage)},
        query={
            **_PAGES, "eventId": "Only this one.", "status": "PENDING, DELIVERED or FAILED, several times for several.",
            "eventType": "Only this type.", "created": "gt:, gte:, lt: or lte: and a time, several times for a span.",
        }, tag="events",
    ),
    operation(
        "getEventDestinationEvent", "GET", f"{_EVENTS}/{{eventId}}", "One change, with the body that destinations get.",
        "claims:read", _event_detail, {200: Outcome("The event.", EventDetail), 404: _NO_EVENT}, tag="events",
        path_words={"eventId": "An event: `evt_` and its UUID, as `webhook-id` says."},
        found_in={"listEventDestinationEvents": "/items/0/id"},
    ),
)  # fmt: skip

"""Errors as the official SDK reads them: a type in the header `x-amzn-errortype`, a message, and JSON pointers to what is wrong.

`SDK` is how refusals around its operations look; `shaped` turns what the service replies in the dialect's shape into this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from gateway.api.operations import Outcome
from gateway.api.refusals import Shape
from gateway.messages import ErrorItem, ErrorResponse
from gateway.replies import Reply
from gateway.sdk.records import Failure, FailurePart
from gateway.sdk.translation import pointer
from x12.finding import Finding

__all__ = ["INVALID", "SDK", "failure", "invalid", "not_found", "shaped"]

_HEADER = "x-amzn-errortype"
_TYPES = {
    400: "InvalidRequestException",
    401: "AuthenticationFailedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    409: "ConflictException",
    413: "ContentTooLargeException",
    422: "InvalidRequestException",
    429: "TooManyRequestsException",
}
_UNFORESEEN = "InternalServerException"


def failure(
    status: int,
    message: str,
    findings: Sequence[Finding] = (),
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A request that was not done: why, and each part of it that is wrong."""
    parts = [FailurePart(message=f.message, path=pointer(f.path) if f.path else None) for f in findings]
    body = msgspec.json.encode(Failure(message=message, errors=parts or None))
    return Reply(status, body, None, {_HEADER: kind or _type_of(status), **(headers or {})})


def invalid(findings: Sequence[Finding]) -> Reply:
    """400, every fault at once."""
    return failure(400, "The request is not valid: see its errors.", findings)


def not_found(what: str) -> Reply:
    """404."""
    return failure(404, f"There is no such {what}.")


def shaped(reply: Reply) -> Reply:
    """An error of the dialect's in the shape of the SDK; everything else as it is."""
    if reply.status < 400 or _HEADER in reply.headers:
        return reply
    said = msgspec.json.decode(reply.body, type=ErrorResponse)
    parts = [
        FailurePart(message=e.description or "", path=pointer(e.field) if e.field else None) for e in said.errors or ()
    ]
    made = Failure(message=said.message or (parts[0].message if parts else ""), errors=parts or None)
    headers = {**reply.headers, _HEADER: _type_of(reply.status)}
    return Reply(reply.status, msgspec.json.encode(made), reply.transaction_id, headers)


def _refuse(
    status: int,
    title: str,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[ErrorItem] | None = None,
    limits: Sequence[str] = (),
) -> web.Response:
    """What is refused around an operation; the names of limits stand in its message."""
    hit = f" The limit is {', '.join(limits)}." if limits else ""
    parts = [FailurePart(message=e.description or "", path=pointer(e.field) if e.field else None) for e in errors or ()]
    made = Failure(message=(f"{title} {detail}" if detail else title) + hit, errors=parts or None)
    return web.Response(
        status=status,
        body=msgspec.json.encode(made),
        content_type="application/json",
        headers={**(headers or {}), _HEADER: _type_of(status)},
    )


def _type_of(status: int) -> str:
    return _TYPES.get(status, _UNFORESEEN)


# How everything around the SDK's operations is refused.
SDK = Shape(_refuse, Failure)
INVALID = Outcome("InvalidRequestException: what is wrong, all at once, with JSON pointers.", Failure)

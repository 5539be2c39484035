"""Answers that say why not, in the shape that the callers of a path expect: problem details, or the dialect's errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from aiohttp import web

from gateway.messages import ErrorItem, ErrorResponse
from x12.documents.binding import Document

__all__ = ["DIALECT", "PROBLEM", "QUOTA_EXCEEDED", "Problem", "Refuse", "Shape", "problem", "shape_of"]

PROBLEM_JSON = "application/problem+json"
# draft-ietf-httpapi-ratelimit-headers: the type of a problem whose `violated-policies` names limits.
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_UPON = {400: "Please Correct and Resubmit", 503: "Resubmission Allowed", 429: "Resubmission Allowed"}


class Problem(Document):
    """RFC 9457: what is wrong, for people and programs."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str | None = None
    errors: list[ErrorItem] | None = None
    violated_policies: list[str] | None = msgspec.field(default=None, name="violated-policies")


class Refuse(Protocol):
    """Makes an answer that says why not. `limits` are the names of the limits that were hit."""

    def __call__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: list[ErrorItem] | None = None,
        limits: Sequence[str] = (),
    ) -> web.Response: ...


@dataclass(frozen=True)
class Shape:
    """How refusals look on a path: what makes them, and what the API's description says of them."""

    refuse: Refuse
    type: Any
    content: str = "application/json"


def problem(
    status: int,
    title: str,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[ErrorItem] | None = None,
    limits: Sequence[str] = (),
) -> web.Response:
    """A refusal as problem details (RFC 9457), each wrong field of the request with its path in `errors`."""
    made = Problem(title=title, status=status, detail=detail, errors=errors)
    if limits:
        made.type, made.violated_policies = QUOTA_EXCEEDED, list(limits)
    return web.Response(status=status, body=msgspec.json.encode(made), content_type=PROBLEM_JSON, headers=headers)


def dialect(
    status: int,
    title: str,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[ErrorItem] | None = None,
    limits: Sequence[str] = (),
) -> web.Response:
    """A refusal in the dialect's shape. `message` is where clients of hosted clearinghouses look when nothing was judged."""
    text = f"{title} {detail}" if detail else title
    items = errors or [
        ErrorItem(
            code=str(status),
            description=text,
            followup_action=_UPON.get(status),
            location=", ".join(limits) or None,
        )
    ]
    body = msgspec.json.encode(ErrorResponse(status="ERROR", message=text, errors=items))
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


PROBLEM = Shape(problem, Problem, PROBLEM_JSON)
DIALECT = Shape(dialect, ErrorResponse)
# What hosted clearinghouses have under other prefixes than the medical network's is the dialect's too.
_DIALECT_PREFIXES = (
    "/medicalnetwork",
    "/change",
    "/dental-claims",
    "/20",
    "/apip",
    "/payers",
    "/payer/",
    "/eligibility-manager",
)


def shape_of(path: str) -> Shape:
    """How refusals look on a path, one that is served or not."""
    return DIALECT if path.startswith(_DIALECT_PREFIXES) else PROBLEM

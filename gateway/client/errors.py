"""What keeps an operation of `gateway.client` from its answer, read out of refusals of every shape that the API has."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from gateway.api.oauth import TokenError
from gateway.api.refusals import Problem
from gateway.messages import ErrorItem, ErrorResponse
from gateway.sdk.records import Failure

__all__ = [
    "ApiError",
    "ClaimwireError",
    "Conflict",
    "KeyReused",
    "LimitExceeded",
    "NoAccess",
    "NotFound",
    "Rejected",
    "ServiceFailed",
    "Unreachable",
    "failure_of",
    "read_as",
]

A = TypeVar("A", bound=msgspec.Struct)
# How the refusals of the official SDK's operations are told from others (gateway.api.sdk_shape).
_SDK_TYPE = "x-amzn-errortype"
_SDK_LIMIT = re.compile(r"The limit is ([\w, -]+)\.")


def read_as(body: bytes, kind: type[A]) -> A | None:
    """JSON as a struct; None where it is none of these."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class ClaimwireError(Exception):
    """Whatever keeps an operation from its answer."""


class Unreachable(ClaimwireError):
    """No answer came. A write may have been taken: the same call with the same `idempotency_key` finds out."""

    def __init__(self, reason: str, idempotency_key: str | None) -> None:
        super().__init__(f"no answer: {reason}")
        self.idempotency_key = idempotency_key


@dataclass
class ApiError(ClaimwireError):
    """An answer that says no. `findings` are what is wrong, each with its field path."""

    status: int
    message: str
    findings: list[ErrorItem] = field(default_factory=list[ErrorItem])
    transaction_id: str | None = None
    traceparent: str | None = None
    retry_after_seconds: float | None = None
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"


class Rejected(ApiError):
    """What was sent cannot be taken."""


class KeyReused(Rejected):
    """The Idempotency-Key was used with another body."""


class NoAccess(ApiError):
    """The key is not valid, or lacks the scope."""


class NotFound(ApiError):
    """There is no such thing, or not yet."""


class Conflict(ApiError):
    """Another request stands in the way."""


class LimitExceeded(ApiError):
    """The key has hit a limit."""

    @property
    def limits(self) -> list[str]:
        """Names of the limits, as `RateLimit-Policy` has them."""
        problem = read_as(self.body, Problem)
        told = problem.violated_policies if problem is not None else None
        if told or any(i.location for i in self.findings):
            return told or [i.location for i in self.findings if i.location]
        said = _SDK_LIMIT.search(self.message)
        return said[1].split(", ") if said is not None else []


class ServiceFailed(ApiError):
    """The service, or the payer behind it, did not do it."""


_ERRORS: dict[int, type[ApiError]] = {
    401: NoAccess, 403: NoAccess, 404: NotFound, 409: Conflict, 422: KeyReused, 429: LimitExceeded,
}  # fmt: skip


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """What an answer that says no comes to."""
    kind = _ERRORS.get(status, Rejected if status < 500 else ServiceFailed)
    message, findings = _told(headers, body)
    return kind(
        status,
        message or "; ".join(f.description or "" for f in findings) or "the request was refused",
        findings,
        headers.get("X-Transaction-Id"),
        headers.get("traceparent"),
        _retry_after(headers.get("Retry-After"), headers.get("Date")),
        body,
    )


def _told(headers: Mapping[str, str], body: bytes) -> tuple[str | None, list[ErrorItem]]:
    """Message and findings of a refusal: the official SDK's, problem details, a token's (RFC 6749), or the dialect's."""
    failed = read_as(body, Failure) if _SDK_TYPE in headers else None
    if failed is not None:
        return failed.message, [ErrorItem(description=p.message, field=p.path) for p in failed.errors or ()]
    problem = read_as(body, Problem)
    if problem is not None:
        title = f"{problem.title} {problem.detail}" if problem.detail else problem.title
        return title, list(problem.errors or ())
    no_token = read_as(body, TokenError)
    if no_token is not None:
        return ": ".join(t for t in (no_token.error, no_token.error_description) if t), []
    refused = read_as(body, ErrorResponse) or ErrorResponse()
    return refused.message, list(refused.errors or ())


def _retry_after(said: str | None, date: str | None) -> float | None:
    """Seconds to wait, told as such or as a date (RFC 9110, 10.2.3); None where nothing sensible was told."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        until = time.mktime(time.strptime(said, "%a, %d %b %Y %H:%M:%S GMT"))
        now = time.mktime(time.strptime(date or "", "%a, %d %b %Y %H:%M:%S GMT"))
    except (ValueError, OverflowError):
        return None
    return max(0.0, until - now)

"""A client of the API: every operation as a coroutine, with the structs that the service itself speaks.

    async with Client("http://127.0.0.1:8080", key=key) as claimwire:
        answer = await claimwire.check_eligibility(request)
        async for item in claimwire.transactions():
            ...

Requests are structs (`EligibilityRequest`, `ProfessionalClaim`, ...) or mappings with the JSON names; answers are structs. Each write
has an `Idempotency-Key`, one of its own unless the caller gives one, so that it can be sent again: after a broken connection, a 429, a
503, or a 409 that says the first is still under way, the very same request is sent again, with its key, after `Retry-After` or a
growing pause. What is no answer is raised:

    ClaimwireError
    +-- Unreachable         no answer came, although it was tried again
    +-- ApiError            an answer that says no: status, message, findings with their field paths, transaction
        +-- Rejected        400, 408, 413, 415, 422: what was sent
        |   +-- KeyReused   422: the Idempotency-Key was used with another body
        +-- NoAccess        401, 403: who was asking
        +-- NotFound        404: there is no such thing, or not yet
        +-- Conflict        409
        +-- LimitExceeded   429: with the names of the limits
        +-- ServiceFailed   5xx: the service, or the payer behind it
"""

from __future__ import annotations

from gateway.client.connection import Credentials
from gateway.client.dialect import DialectCalls
from gateway.client.errors import (
    ApiError,
    ClaimwireError,
    Conflict,
    KeyReused,
    LimitExceeded,
    NoAccess,
    NotFound,
    Rejected,
    ServiceFailed,
    Unreachable,
)
from gateway.client.sdk import SdkCalls
from gateway.client.v1 import V1Calls

__all__ = [
    "ApiError",
    "ClaimwireError",
    "Client",
    "Conflict",
    "Credentials",
    "KeyReused",
    "LimitExceeded",
    "NoAccess",
    "NotFound",
    "Rejected",
    "ServiceFailed",
    "Unreachable",
]


class Client(DialectCalls, SdkCalls, V1Calls):
    """A caller of one gateway, with a key or an OAuth2 client. Use it as a context, or `close` it.

    `tries` is how many times a request is sent at most; `timeout_seconds` is for each. A session of the caller's is left open.
    """

"""What an operation of the API is: data from which both the routes and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from gateway.ledger.api_keys import ApiKey
from gateway.replies import Reply
from gateway.service import Service
from gateway.views import Views

__all__ = ["Call", "Handler", "MoveClock", "Operation", "Outcome"]


# Moves the clock of the gateway and of its sandbox payer ahead.
MoveClock = Callable[[timedelta], Awaitable[None]]


@dataclass(frozen=True)
class Call:
    """One request, its caller known and its body read."""

    service: Service
    views: Views
    request: web.Request
    caller: ApiKey
    body: bytes = field(repr=False)
    move_clock: MoveClock | None = None

    @property
    def key(self) -> str | None:
        """The caller's Idempotency-Key."""
        return self.request.headers.get("Idempotency-Key")

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON rather than bare X12."""
        kind = self.request.content_type
        return kind not in ("application/edi-x12", "application/x12", "text/plain", "application/octet-stream")

    def part(self, name: str) -> str:
        """A parameter of the path."""
        return self.request.match_info[name]


Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True)
class Outcome:
    """One way an operation may answer. `type` is a struct, `str` for X12, or None for no body; `example` is one in JSON."""

    description: str
    type: Any = None
    content: str = "application/json"
    example: Any = None


@dataclass(frozen=True)
class Operation:
    """One operation: where it is, who may call it, what it takes (`example` is one in JSON), how it may answer, what runs."""

    id: str
    method: str
    paths: tuple[str, ...]
    summary: str
    scope: str | None
    handler: Handler
    outcomes: Mapping[int, Outcome]
    takes: Any = None
    takes_x12: bool = False
    writes: bool = False
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    tag: str = "v1"
    example: Any = None

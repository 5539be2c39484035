"""What an operation of the API is: data from which the routes, the OpenAPI document and the documentation are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib import resources
from typing import Any

import msgspec
from aiohttp import web

from gateway.api.refusals import Shape, shape_of
from gateway.ledger.api_keys import ApiKey
from gateway.preferences import Patience, patience_of
from gateway.replies import Reply
from gateway.service import Service
from gateway.views import Views

__all__ = ["X12_TYPES", "Call", "Example", "Handler", "MoveClock", "Operation", "Outcome", "is_json"]


# Moves the clock of the gateway and of its sandbox payer ahead; ValueError where that would be further than the sandbox goes.
MoveClock = Callable[[timedelta], Awaitable[None]]
# How callers mark bare X12; the first is what we answer with.
X12_TYPES = ("application/edi-x12", "application/x12", "text/plain", "application/octet-stream")
# The tags of the operations that payers are asked or told something by.
_WORK = ("eligibility", "batch eligibility", "claims", "claim status")
_JSON_TYPES = ("application/json", "text/json")


def is_json(media_type: str) -> bool:
    """Whether a media type, in lower case, is one of JSON."""
    return media_type in _JSON_TYPES or media_type.endswith("+json")


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
    def patience(self) -> Patience:
        """How long the caller waits."""
        return patience_of(self.request.headers.getall("Prefer", []))

    @property
    def allows_repeated_claims(self) -> bool:
        """Whether the caller says that a claim is to be taken although the very same one came before."""
        return self.request.headers.get("X-Allow-Repeated-Claim", "").strip().lower() == "true"

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON rather than bare X12."""
        return self.request.content_type not in X12_TYPES

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
class Example:
    """A request body that runs against the sandbox, and the status that it gets: JSON, or X12 where it is a text.

    `file` names one in the folder `examples` in its place, which is read when somebody first looks.
    """

    summary: str
    value: Any = None
    status: int = 200
    file: str | None = None

    @cached_property
    def body(self) -> Any:
        """The body: what JSON holds, or X12."""
        if self.file is None:
            return self.value
        text = resources.files("gateway.api").joinpath("examples", self.file).read_text("utf-8")
        return msgspec.json.decode(text) if self.file.endswith(".json") else text


@dataclass(frozen=True)
class Operation:
    """One operation: where it is, who may call it, what it takes (`example` is one in JSON), how it may answer, what runs.

    `examples` are further bodies by name. `follows` names operations whose transaction (`X-Transaction-Id`) is the parameter
    of this one's path, `found_in` those that tell that parameter in their answer, each with where (a JSON pointer); `path_words` what the
    parameters of its path are. `takes_also` are further media types of the body.
    `gives_tokens` tells the one that OAuth2 clients get their tokens from. `shape` is how refusals look; by default what is usual on its path.
    `scope` is what a key must have: nothing where it is empty, and no key at all where it is None. `large` says that its JSON holds many things and may be as large as a file,
    `body_optional` that a request without a body means something, too.
    """

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
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    tag: str = "v1"
    example: Any = None
    examples: Mapping[str, Example] = field(default_factory=dict[str, Example])
    follows: tuple[str, ...] = ()
    found_in: Mapping[str, str] = field(default_factory=dict[str, str])
    path_words: Mapping[str, str] = field(default_factory=dict[str, str])
    takes_also: tuple[str, ...] = ()
    gives_tokens: bool = False
    shape: Shape | None = None
    large: bool = False
    body_optional: bool = False

    @cached_property
    def brings_work(self) -> bool:
        """Whether a call leaves something new to be done: what looks after what is there goes on when that is refused."""
        return self.writes and self.tag in _WORK

    @cached_property
    def refusals(self) -> Shape:
        """How refusals look here."""
        return self.shape or shape_of(self.paths[0])

"""Raw X12 over HTTP(S): one POST an interchange, a receipt or an answer back, and an outbox to collect from.

The exchange is described in `adapters/rest/README.md`; what is common to all exchanges over HTTP is in
`adapters.transports.http`. Errors of collecting and settling are its ExchangeFailed and what is below it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from adapters import settings
from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    Manifest,
    NotSent,
    Outbound,
    Outcome,
    Replied,
)
from adapters.settings import HttpUrl, SettingsError
from adapters.transports import http
from adapters.transports.http import Answer, AnswerCut, AnswerTooLarge, ExchangeFailed, UnexpectedStatus
from adapters.transports.oauth import Credentials, credentials_of
from adapters.transports.session import read_answer
from adapters.transports.whole import is_whole

__all__ = ["RawX12", "RestSecrets", "RestSettings"]

T = TypeVar("T")

CONTENT_TYPE = "application/edi-x12"


class RestSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over this transport is told."""

    url: Annotated[HttpUrl, msgspec.Meta(description="the address that README.md's paths are added to")]
    token_url: Annotated[HttpUrl, msgspec.Meta(description="where OAuth tokens come from; without it `token` is used")] | None = None  # fmt: skip
    scope: Annotated[str, msgspec.Meta(description="the scope that OAuth tokens are asked for")] = ""
    credentials_in: Annotated[
        Literal["header", "body"],
        msgspec.Meta(description="where a request for a token has the client's id and secret"),
    ] = "header"


class RestSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over this transport must keep."""

    token: Annotated[str, msgspec.Meta(description="a bearer token")] = ""
    client_id: Annotated[str, msgspec.Meta(description="the client's id, for OAuth")] = ""
    client_secret: Annotated[str, msgspec.Meta(description="the client's secret, for OAuth")] = ""

    def __post_init__(self) -> None:
        if bool(self.client_id) != bool(self.client_secret):
            raise ValueError("client_id and client_secret: give both or neither")

    def __repr__(self) -> str:
        return "<RestSecrets>"


class _Receipt(msgspec.Struct):
    reference: str


class _Known(msgspec.Struct):
    received: bool


class _Listed(msgspec.Struct):
    reference: str
    name: str


class _Outbox(msgspec.Struct):
    files: list[_Listed]


class _Way(NamedTuple):
    """Where a route leads, and as whom."""

    url: str
    credentials: Credentials

    def to(self, *path: str) -> str:
        return "/".join((self.url.rstrip("/"), *(quote(p, safe="") for p in path)))


def _way(context: Context) -> _Way:
    told = settings.read(RestSettings, context.settings)
    return _Way(told.url, credentials_of(told, settings.read(RestSecrets, context.secrets)))


class RawX12:
    """The adapter over this transport."""

    capabilities = Capabilities(
        real_time=frozenset(("270", "276")), batch=frozenset(("837",)), collects=True, probes=True
    )

    def __init__(self, name: str, summary: str) -> None:
        self.name = name
        self.manifest = Manifest(summary=summary, owner="claimwire", settings=RestSettings, secrets=RestSecrets)

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            way = _way(context)
        except SettingsError as error:
            return NotSent(str(error))
        headers = {"Content-Type": CONTENT_TYPE, "Idempotency-Key": outbound.idempotency_key}
        answer = await http.post(context, way.to("x12"), outbound.payload, headers, credentials=way.credentials)
        return _outcome(answer, outbound, context) if isinstance(answer, Answer) else answer

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        outbox = await _outbox(context)
        failure: ExchangeFailed | None = None
        for listed in outbox.files:
            # One file that cannot be fetched does not keep the others there; the caller hears of it at the end.
            try:
                payload = await _exchange(context, "GET", "outbox", listed.reference, of=_file)
            except (AnswerCut, AnswerTooLarge, UnexpectedStatus) as error:
                failure = failure or error
                continue
            yield Inbound(listed.reference, listed.name, payload)
        if failure is not None:
            raise failure

    async def settle(self, inbound: Inbound, context: Context) -> None:
        await _exchange(context, "DELETE", "outbox", inbound.reference, of=_settled)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        try:
            return await _exchange(context, "GET", "x12", outbound.idempotency_key, of=_evidence)
        except ExchangeFailed:
            return "unknown"


async def _exchange(
    context: Context, method: str, *path: str, of: Callable[[aiohttp.ClientResponse], Awaitable[T]]
) -> T:
    try:
        way = _way(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None
    return await http.exchange(context, method, path[0], way.to(*path), of, credentials=way.credentials)


def _expect(response: aiohttp.ClientResponse, *allowed: int) -> None:
    if response.status not in allowed:
        raise UnexpectedStatus(f"HTTP {response.status} to {response.method}")


async def _outbox(context: Context) -> _Outbox:
    listing = await _exchange(context, "GET", "outbox", of=_whole)
    try:
        return msgspec.json.decode(listing, type=_Outbox)
    except ValueError:
        raise ExchangeFailed("the list of the outbox cannot be read") from None


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    _expect(response, 200)
    return await read_answer(response)


async def _file(response: aiohttp.ClientResponse) -> bytes:
    payload = await _whole(response)
    # Ended by the end of the connection: only the interchange itself can say whether all of it came (RFC 9112, 6.3).
    told = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if not told and payload.lstrip()[:3] == b"ISA" and not is_whole(payload):
        raise AnswerCut("no IEA", payload)
    return payload


async def _settled(response: aiohttp.ClientResponse) -> None:
    _expect(response, 200, 204, 404)


async def _evidence(response: aiohttp.ClientResponse) -> Evidence:
    # Any web server says 404; only this exchange says it with a body of its own.
    try:
        known = msgspec.json.decode(await read_answer(response), type=_Known)
    except ValueError:
        return "unknown"
    match response.status, known.received:
        case 200, True:
            return "received"
        case 404, False:
            return "absent"
        case _:
            return "unknown"


def _outcome(answer: Answer, outbound: Outbound, context: Context) -> Outcome:
    body = answer.body
    if answer.status == 200 and body.lstrip()[:3] == b"ISA":
        return Replied(body) if is_whole(body) else InDoubt("an interchange without its IEA", body)
    if answer.status == 202 and outbound.set_id in RawX12.capabilities.batch:
        try:
            return Delivered(msgspec.json.decode(body, type=_Receipt).reference)
        except ValueError:
            return InDoubt("the receipt cannot be read", body)
    return http.verdict(answer, context)

"""Raw X12 over HTTP(S): one POST an interchange, a receipt or an answer back, and an outbox to collect from.

The exchange is described in `adapters/rest/README.md`. What a failure means follows from one question: had a byte of the
body begun to leave? If not, nothing was sent; if so, and the answer does not settle it, the sending is in doubt.

Errors of collecting and settling:
    ExchangeFailed          the peer, the way to it, or the route's settings; never tells a payload, a secret or a URL
        AnswerTooLarge
        AnswerCut           `payload` is what had arrived
        UnexpectedStatus

Sources: RFC 9110 (status codes, Retry-After), RFC 9112 section 6.3 (how the length of an answer is known).
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    NotSent,
    Outbound,
    Outcome,
    Refused,
    Replied,
)
from adapters.transports.session import BodyProgress
from x12.syntax import runs

__all__ = ["AnswerCut", "AnswerTooLarge", "ExchangeFailed", "RawX12", "UnexpectedStatus", "retry_after_seconds"]

Answer = TypeVar("Answer")

CONTENT_TYPE = "application/edi-x12"
ANSWER_BYTES_MAX = 64 << 20
RETRY_AFTER_SECONDS_MAX = 24 * 3600
CREDENTIALS_RETRY_SECONDS = 60.0
_CONNECT_SECONDS_MAX = 10
_PIECE_BYTES = 64 << 10
# The peer does not know our credentials, or those of its proxy: it has not looked at the body.
_CREDENTIALS = frozenset((401, 403, 407))
# No verdict on the body: it came too slowly, it is being worked on under the same key, it came too early.
_UNCLEAR = frozenset((408, 409, 425))


class ExchangeFailed(Exception):
    """An exchange with the peer came to nothing; the message is safe to log."""


class AnswerTooLarge(ExchangeFailed):
    """The peer sent more than an answer may have."""

    def __init__(self) -> None:
        super().__init__(f"the answer has more than {ANSWER_BYTES_MAX} bytes")


class AnswerCut(ExchangeFailed):
    """The answer ended before its end. `payload` is what had arrived."""

    def __init__(self, why: str, payload: bytes) -> None:
        super().__init__(f"the answer was cut off: {why}")
        self.payload = payload


class UnexpectedStatus(ExchangeFailed):
    """The peer answered with a status that the exchange does not have."""


class _Receipt(msgspec.Struct):
    reference: str


class _Known(msgspec.Struct):
    received: bool


class _Listed(msgspec.Struct):
    reference: str
    name: str


class _Outbox(msgspec.Struct):
    files: list[_Listed]


def retry_after_seconds(header: str | None, context: Context) -> float | None:
    """What a Retry-After header asks for, seconds or date, between 0 and a day; None when it asks for nothing clear."""
    if not header:
        return None
    try:
        wanted = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        wanted = (moment - context.now()).total_seconds()
    return min(max(wanted, 0.0), float(RETRY_AFTER_SECONDS_MAX)) if wanted == wanted else None


class RawX12:
    """The adapter over this transport. Settings: `url`. Secrets: `token`, sent as a bearer token."""

    capabilities = Capabilities(
        real_time=frozenset(("270", "276")), batch=frozenset(("837",)), collects=True, probes=True
    )

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        progress = BodyProgress(context.session)
        headers = {"Content-Type": CONTENT_TYPE, "Idempotency-Key": outbound.idempotency_key, **_authorization(context)}
        try:
            async with context.session.post(
                _url(context, "x12"),
                data=_body(outbound.payload),
                headers=headers,
                timeout=_timeout(context),
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                body = await _read(response)
                return _outcome(response, body, outbound, context)
        except AnswerCut as cut:
            return InDoubt(str(cut), cut.payload)
        except ExchangeFailed as failure:
            return InDoubt(str(failure)) if progress.begun else NotSent(str(failure))
        # ValueError: a setting or a secret that no request can be made of.
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            reason = type(error).__name__
            return InDoubt(reason) if progress.begun else NotSent(reason)

    async def collect(self, context: Context) -> AsyncIterator[Inbound]:
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
    context: Context, method: str, *path: str, of: Callable[[aiohttp.ClientResponse], Awaitable[Answer]]
) -> Answer:
    """One request without a body and what is read of its answer; ExchangeFailed, whatever goes wrong on the way."""
    try:
        async with context.session.request(
            method,
            _url(context, *path),
            headers=_authorization(context),
            timeout=_timeout(context),
            allow_redirects=False,
        ) as response:
            return await of(response)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        # The client's own errors carry the request, its headers and so the token.
        raise ExchangeFailed(f"{method} {path[0]}: {type(error).__name__}") from None


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
    return await _read(response)


async def _file(response: aiohttp.ClientResponse) -> bytes:
    payload = await _whole(response)
    # Ended by the end of the connection: only the interchange itself can say whether all of it came (RFC 9112, 6.3).
    told = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if not told and payload.lstrip()[:3] == b"ISA" and not _is_whole(payload):
        raise AnswerCut("no IEA", payload)
    return payload


async def _settled(response: aiohttp.ClientResponse) -> None:
    _expect(response, 200, 204, 404)


async def _evidence(response: aiohttp.ClientResponse) -> Evidence:
    # Any web server says 404; only this exchange says it with a body of its own.
    try:
        known = msgspec.json.decode(await _read(response), type=_Known)
    except ValueError:
        return "unknown"
    match response.status, known.received:
        case 200, True:
            return "received"
        case 404, False:
            return "absent"
        case _:
            return "unknown"


def _url(context: Context, *path: str) -> str:
    url = context.settings.get("url", "")
    if not url:
        raise ExchangeFailed("the route has no setting url")
    return "/".join((url.rstrip("/"), *(quote(p, safe="") for p in path)))


def _body(payload: bytes) -> bytes | io.BytesIO:
    # A stream leaves in pieces, each when there is room: a large batch does not hold up the others.
    return io.BytesIO(payload) if len(payload) > _PIECE_BYTES else payload


def _authorization(context: Context) -> dict[str, str]:
    token = context.secrets.get("token")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _timeout(context: Context) -> aiohttp.ClientTimeout:
    connect = min(_CONNECT_SECONDS_MAX, context.deadline_seconds)
    return aiohttp.ClientTimeout(total=context.deadline_seconds, connect=connect)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > ANSWER_BYTES_MAX:
                raise AnswerTooLarge
            parts.append(part)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise AnswerCut(type(error).__name__, b"".join(parts)) from None
    return b"".join(parts)


def _is_whole(body: bytes) -> bool:
    """Whether each interchange in the body ends with its IEA, terminated or at least naming the ISA's number."""
    if _is_one(body):
        return True
    last, number = "", ""
    for run in runs(body):
        if not run.segments:
            continue
        element = run.delimiters.element
        if run.isa:
            if number and not last.startswith("IEA"):
                return False
            number = run.segments[0].split(element)[13]
        last = run.segments[-1]
        if run.cut and last.split(element)[2:3] != [number]:
            return False
    return bool(number) and last.startswith("IEA")


def _is_one(body: bytes) -> bool:
    """Whether the body is plainly one whole interchange, as nearly all are: found without cutting it into segments."""
    element, terminator = body[3:4], body[105:106]
    if not terminator or body.count(b"ISA" + element) != 1 or not (end := body.rstrip()).endswith(terminator):
        return False
    return body.startswith(b"ISA") and end[:-1].rpartition(terminator)[2].lstrip().startswith(b"IEA" + element)


def _outcome(response: aiohttp.ClientResponse, body: bytes, outbound: Outbound, context: Context) -> Outcome:
    status = response.status
    if status == 200 and body.lstrip()[:3] == b"ISA":
        return Replied(body) if _is_whole(body) else InDoubt("an interchange without its IEA", body)
    if status == 202 and outbound.set_id in RawX12.capabilities.batch:
        try:
            return Delivered(msgspec.json.decode(body, type=_Receipt).reference)
        except ValueError:
            return InDoubt("the receipt cannot be read", body)
    if status in (429, 503):
        wait = retry_after_seconds(response.headers.get("Retry-After"), context)
        # A peer that names a time has turned the request away; a bare 503 may come from half-way through it.
        if status == 429 or wait is not None:
            return NotSent(f"HTTP {status}", wait)
    if status in _CREDENTIALS:
        # Nothing changes until a person mends the route; asking faster locks accounts.
        return NotSent(f"HTTP {status}: credentials refused", CREDENTIALS_RETRY_SECONDS)
    if 300 <= status < 500 and status not in _UNCLEAR:
        return Refused(str(status), f"HTTP {status}")
    return InDoubt(f"HTTP {status}", body)

"""Raw X12 over HTTP(S): one POST an interchange, a receipt or an answer back, and an outbox to collect from.

The exchange is described in `adapters/rest/README.md`. What a failure means follows from one question: had a byte of the
body begun to leave? If not, nothing was sent; if so, and the answer does not settle it, the sending is in doubt.

Sources: RFC 9110 (status codes, Retry-After).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import parsedate_to_datetime
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

__all__ = ["RawX12", "retry_after_seconds"]

CONTENT_TYPE = "application/edi-x12"
ANSWER_BYTES_MAX = 64 << 20
RETRY_AFTER_SECONDS_MAX = 24 * 3600
_CONNECT_SECONDS_MAX = 10


class _Receipt(msgspec.Struct):
    reference: str


class _Listed(msgspec.Struct):
    reference: str
    name: str


class _Outbox(msgspec.Struct):
    files: list[_Listed]


class AnswerTooLarge(Exception):
    """The peer sent more than an answer may have."""


def retry_after_seconds(header: str | None, context: Context) -> float | None:
    """What a Retry-After header asks for, seconds or date, between 0 and a day; None when it asks for nothing clear."""
    if not header:
        return None
    try:
        wanted = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
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
        progress = BodyProgress()
        headers = {"Content-Type": CONTENT_TYPE, "Idempotency-Key": outbound.idempotency_key, **_authorization(context)}
        try:
            async with context.session.post(
                _url(context, "x12"),
                data=outbound.payload,
                headers=headers,
                timeout=_timeout(context),
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                body = await _read(response)
                return _outcome(response, body, outbound, context)
        except (TimeoutError, aiohttp.ClientError, OSError, AnswerTooLarge) as error:
            reason = type(error).__name__
            return InDoubt(reason) if progress.begun else NotSent(reason)

    async def collect(self, context: Context) -> AsyncIterator[Inbound]:
        outbox = msgspec.json.decode(await self._get(context, "outbox"), type=_Outbox)
        for listed in outbox.files:
            payload = await self._get(context, "outbox", listed.reference)
            yield Inbound(listed.reference, listed.name, payload)

    async def settle(self, inbound: Inbound, context: Context) -> None:
        url = _url(context, "outbox", inbound.reference)
        async with context.session.delete(url, headers=_authorization(context), timeout=_timeout(context)) as response:
            if response.status not in (200, 204, 404):
                response.raise_for_status()

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        url = _url(context, "x12", outbound.idempotency_key)
        try:
            async with context.session.get(url, headers=_authorization(context), timeout=_timeout(context)) as response:
                body = await _read(response)
        except (TimeoutError, aiohttp.ClientError, OSError, AnswerTooLarge):
            return "unknown"
        # Any web server says 404; only this exchange says it with a body of its own.
        if response.status == 404 and body.strip() == b'{"received":false}':
            return "absent"
        return "received" if response.status == 200 and body.strip() == b'{"received":true}' else "unknown"

    async def _get(self, context: Context, *path: str) -> bytes:
        url = _url(context, *path)
        async with context.session.get(url, headers=_authorization(context), timeout=_timeout(context)) as response:
            response.raise_for_status()
            return await _read(response)


def _url(context: Context, *path: str) -> str:
    return "/".join((context.settings["url"].rstrip("/"), *(quote(p, safe="") for p in path)))


def _authorization(context: Context) -> dict[str, str]:
    token = context.secrets.get("token")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _timeout(context: Context) -> aiohttp.ClientTimeout:
    connect = min(_CONNECT_SECONDS_MAX, context.deadline_seconds)
    return aiohttp.ClientTimeout(total=context.deadline_seconds, connect=connect)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            raise AnswerTooLarge
        parts.append(part)
    return b"".join(parts)


def _outcome(response: aiohttp.ClientResponse, body: bytes, outbound: Outbound, context: Context) -> Outcome:
    status = response.status
    if status == 200 and body.lstrip()[:3] == b"ISA":
        return Replied(body)
    if status == 202 and outbound.set_id in RawX12.capabilities.batch:
        try:
            return Delivered(msgspec.json.decode(body, type=_Receipt).reference)
        except msgspec.DecodeError:
            return InDoubt("the receipt cannot be read", body)
    if status in (429, 503):
        wait = retry_after_seconds(response.headers.get("Retry-After"), context)
        # A peer that names a time has turned the request away; a bare 503 may come from half-way through it.
        if status == 429 or wait is not None:
            return NotSent(f"HTTP {status}", wait)
    if 300 <= status < 500:
        return Refused(str(status), f"HTTP {status}")
    return InDoubt(f"HTTP {status}", body)

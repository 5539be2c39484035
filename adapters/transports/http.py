"""One HTTP exchange with a peer, and what its failing means: the part that every adapter over HTTP shares.

What a failure means follows from one question: had a byte of the body begun to leave? If not, nothing was sent; if so, and
the answer does not settle it, the sending is in doubt. `post` answers it for whatever can go wrong on the way, `verdict` for
the statuses that mean the same everywhere; what is left is the adapter's own.

Errors of everything that is no delivery:
    ExchangeFailed          the peer, the way to it, or the route's settings; never tells a payload, a secret or a URL
        AnswerTooLarge
        AnswerCut           `payload` is what had arrived
        UnexpectedStatus

Sources: RFC 9110 (status codes, Retry-After), RFC 9112 section 6.3 (how the length of an answer is known).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import msgspec

from adapters.protocol import Context, InDoubt, NotSent, Outcome, Refused
from adapters.transports.oauth import Credentials
from adapters.transports.session import ANSWER_BYTES_MAX, BodyProgress, read_answer
from adapters.transports.trouble import AnswerCut, AnswerTooLarge, ExchangeFailed, UnexpectedStatus

__all__ = [
    "ANSWER_BYTES_MAX",
    "CREDENTIALS_RETRY_SECONDS",
    "Answer",
    "AnswerCut",
    "AnswerTooLarge",
    "ExchangeFailed",
    "UnexpectedStatus",
    "exchange",
    "post",
    "read_answer",
    "retry_after_seconds",
    "verdict",
]

T = TypeVar("T")

RETRY_AFTER_SECONDS_MAX = 24 * 3600
CREDENTIALS_RETRY_SECONDS = 60.0
_CONNECT_SECONDS_MAX = 10
# The peer does not know our credentials, or those of its proxy: it has not looked at the body.
_CREDENTIALS = frozenset((401, 403, 407))
# No verdict on the body: it came too slowly, it is being worked on under the same key, it came too early.
_UNCLEAR = frozenset((408, 409, 425))
# ValueError: a setting or a secret that no request can be made of.
_ON_THE_WAY = (TimeoutError, aiohttp.ClientError, OSError, ValueError)


class Answer(msgspec.Struct, frozen=True):
    """What a peer answered, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Answer {self.status} {len(self.body)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status)]


async def post(
    context: Context,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    credentials: Credentials | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer | NotSent | InDoubt:
    """Deliver a body by one POST within the route's deadline; the answer, or what became of it where there is none.

    With OAuth credentials a 401 has the token fetched anew and the body sent once more: a peer that does not know the
    token has not looked at it. Nothing else is ever sent twice.
    """
    progress = BodyProgress(context.deadline_seconds)
    try:
        async with asyncio.timeout(context.deadline_seconds):
            answer = await _posted(context, url, body, headers, credentials, tls, progress)
            if answer.status == 401 and credentials is not None and credentials.forget(context):
                answer = await _posted(context, url, body, headers, credentials, tls, progress)
            return answer
    except AnswerCut as cut:
        return InDoubt(str(cut), cut.payload)
    except ExchangeFailed as failure:
        return InDoubt(str(failure)) if progress.begun else NotSent(str(failure))
    except _ON_THE_WAY as error:
        reason = type(error).__name__
        return InDoubt(reason) if progress.begun else NotSent(reason)
    finally:
        # No answer: past the deadline, or whoever sends was cancelled.
        progress.cut()


async def _posted(
    context: Context,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    credentials: Credentials | None,
    tls: ssl.SSLContext | None,
    progress: BodyProgress,
) -> Answer:
    if credentials is not None:
        headers = {**headers, **await credentials.headers(context)}
    async with context.session.post(
        url,
        data=progress.payload(body),
        headers=headers,
        timeout=_timeout(context.deadline_seconds),
        allow_redirects=False,
        ssl=tls if tls is not None else True,
    ) as response:
        progress.answered()
        # The peer has spoken before a cut; what is sent a second time begins anew.
        answer = Answer(response.status, response.headers, await read_answer(response))
    if answer.status == 401 and credentials is not None and credentials.renewable:
        progress.begun = False
    return answer


def verdict(answer: Answer, context: Context) -> Outcome:
    """What a status means that the adapter has no meaning of its own for; the body plays no part in it."""
    status = answer.status
    if status in (429, 503):
        wait = retry_after_seconds(answer.headers.get("Retry-After"), context)
        # A peer that names a time has turned the request away; a bare 503 may come from half-way through it.
        if status == 429 or wait is not None:
            return NotSent(f"HTTP {status}", wait)
    if status in _CREDENTIALS:
        # Nothing changes until a person mends the route; asking faster locks accounts.
        return NotSent(f"HTTP {status}: credentials refused", CREDENTIALS_RETRY_SECONDS)
    if 300 <= status < 500 and status not in _UNCLEAR:
        return Refused(str(status), f"HTTP {status}")
    return InDoubt(f"HTTP {status}", answer.body)


async def exchange(
    context: Context,
    method: str,
    what: str,
    url: str,
    of: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    *,
    credentials: Credentials | None = None,
    tls: ssl.SSLContext | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> T:
    """One request that delivers nothing, and what `of` reads of its answer; ExchangeFailed, whatever goes wrong.

    `what` names the request in messages, where a URL would tell too much.
    """
    try:
        async with asyncio.timeout(context.deadline_seconds):
            for last in (False, True):
                authorization = await credentials.headers(context) if credentials is not None else {}
                async with context.session.request(
                    method,
                    url,
                    data=body,
                    headers={**(headers or {}), **authorization},
                    timeout=_timeout(context.deadline_seconds),
                    allow_redirects=False,
                    ssl=tls if tls is not None else True,
                ) as response:
                    refused = response.status == 401 and credentials is not None and not last
                    if not (refused and credentials is not None and credentials.forget(context)):
                        return await of(response)
            raise AssertionError("a second answer is always read")
    except _ON_THE_WAY as error:
        # The client's own errors carry the request, its headers and so the token.
        raise ExchangeFailed(f"{method} {what}: {type(error).__name__}") from None


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


@lru_cache(256)
def _timeout(deadline_seconds: float) -> aiohttp.ClientTimeout:
    """Of connecting; the whole has its deadline around it."""
    return aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_SECONDS_MAX, deadline_seconds))

"""The HTTP session of all adapters, which knows of each request whether any byte of its body has begun to leave."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import aiohttp

from adapters.transports.trouble import AnswerCut, AnswerTooLarge

__all__ = ["ANSWER_BYTES_MAX", "BodyProgress", "open_session", "read_answer"]

ANSWER_BYTES_MAX = 64 << 20

_CONNECTIONS_MAX = 200
_CONNECTIONS_PER_HOST_MAX = 100


class BodyProgress:
    """Whether the body of a request has begun to leave. Give one as `trace_request_ctx`.

    A session that does not tell counts as one in which it has.
    """

    __slots__ = ("begun",)

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.begun = _TRACING not in session.trace_configs


async def _body_begins(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestChunkSentParams
) -> None:
    progress = context.trace_request_ctx
    if isinstance(progress, BodyProgress):
        progress.begun = True


_TRACING = aiohttp.TraceConfig()
_TRACING.on_request_chunk_sent.append(_body_begins)


def open_session(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A session without cookies, which asks for answers as they are (not compressed) and tells when a body begins.

    `tls` says whose certificates are believed, where that is not whom the machine believes.
    """
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS_MAX,
        limit_per_host=_CONNECTIONS_PER_HOST_MAX,
        ttl_dns_cache=60,
        ssl=tls if tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        trace_configs=[_TRACING],
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def read_answer(response: aiohttp.ClientResponse, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
    """The whole body of an answer; AnswerTooLarge or AnswerCut where there is none."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > bytes_max:
                raise AnswerTooLarge(bytes_max)
            parts.append(part)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise AnswerCut(type(error).__name__, b"".join(parts)) from None
    return b"".join(parts)

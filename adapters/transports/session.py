"""The HTTP session of all adapters, which knows of each request whether any byte of its body has begun to leave."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp

__all__ = ["BodyProgress", "open_session"]

_CONNECTIONS_MAX = 200
_CONNECTIONS_PER_HOST_MAX = 100


class BodyProgress:
    """Whether the body of a request has begun to leave. Give one as `trace_request_ctx`."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


async def _body_begins(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestChunkSentParams
) -> None:
    progress = context.trace_request_ctx
    if isinstance(progress, BodyProgress):
        progress.begun = True


def open_session() -> aiohttp.ClientSession:
    """A session that does not follow redirects' cookies, does not decompress by itself, and tells when a body begins."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_chunk_sent.append(_body_begins)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, limit_per_host=_CONNECTIONS_PER_HOST_MAX, ttl_dns_cache=60)
    return aiohttp.ClientSession(
        connector=connector, trace_configs=[tracing], cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )

"""The HTTP session of all adapters, bodies that know whether any byte of them has begun to leave, and answers read whole."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import struct

import aiohttp
from aiohttp import BytesIOPayload, BytesPayload, Payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_writer import StreamWriter

from adapters.transports.trouble import AnswerCut, AnswerTooLarge

__all__ = ["ANSWER_BYTES_MAX", "BodyProgress", "open_session", "read_answer"]

ANSWER_BYTES_MAX = 64 << 20

_PIECE_BYTES = 64 << 10
# What the system has for a peer that takes nothing is dropped after this: also of a process that stands still, or died.
_UNTAKEN_SECONDS = 60
# Closing drops what has not left, where it would else send on.
_NO_FAREWELL = struct.pack("ii", 1, 0)
_CONNECTIONS_MAX = 200
_CONNECTIONS_PER_HOST_MAX = 100


class BodyProgress:
    """Whether the body of a request has begun to leave, and the end of that: nothing of it leaves once nobody waits for what comes of it."""

    __slots__ = ("_transport", "_until", "begun")

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._until = asyncio.get_running_loop().time() + seconds
        self._transport: asyncio.WriteTransport | None = None

    def begins(self, writer: AbstractStreamWriter) -> None:
        """A byte of the body may leave from now on, by this way. TimeoutError past the deadline, which a process that stood still learns too late."""
        if asyncio.get_running_loop().time() >= self._until:
            raise TimeoutError
        self.begun = True
        if isinstance(writer, StreamWriter):
            self._transport = writer.transport

    def answered(self) -> None:
        """The peer answers: once it has, its connection is another request's."""
        self._transport = None

    def cut(self) -> None:
        """Drop what has not left. Closing a connection does not: the peer would have the whole body whenever it reads on."""
        if self._transport is None:
            return
        kept: socket.socket | None = self._transport.get_extra_info("socket")
        if kept is not None and kept.fileno() != -1:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_FAREWELL)
        self._transport.abort()

    def payload(self, content: bytes) -> Payload:
        """A body that tells here when it begins to leave. A large one leaves in pieces, each when there is room, and holds up no other."""
        return _Pieces(content, self) if len(content) > _PIECE_BYTES else _Whole(content, self)


class _Whole(BytesPayload):
    def __init__(self, content: bytes, progress: BodyProgress) -> None:
        super().__init__(content)
        self._progress = progress

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._progress.begins(writer)
        await super().write_with_length(writer, content_length)


class _Pieces(BytesIOPayload):
    def __init__(self, content: bytes, progress: BodyProgress) -> None:
        super().__init__(io.BytesIO(content))
        self._progress = progress

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._progress.begins(writer)
        await super().write_with_length(writer, content_length)


def open_session(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A session without cookies, which asks for answers as they are (not compressed).

    `tls` says whose certificates are believed, where that is not whom the machine believes.
    """
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS_MAX,
        limit_per_host=_CONNECTIONS_PER_HOST_MAX,
        ttl_dns_cache=60,
        socket_factory=_socket,
        ssl=tls if tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


def _socket(address: tuple[int, int, int, str, object]) -> socket.socket:
    """One that gives up on a peer that takes nothing, where the system can."""
    made = socket.socket(*address[:3])
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        made.setsockopt(socket.IPPROTO_TCP, option, _UNTAKEN_SECONDS * 1000)
    return made


async def read_answer(response: aiohttp.ClientResponse, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
    """The whole body of an answer; AnswerTooLarge or AnswerCut where there is none."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := await response.content.readany():
            size += len(part)
            if size > bytes_max:
                raise AnswerTooLarge(bytes_max)
            parts.append(part)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise AnswerCut(type(error).__name__, b"".join(parts)) from None
    return b"".join(parts)

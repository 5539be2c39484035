"""The road between an adapter and a payer that behaves: a TCP relay on which weather happens.

It knows bytes, and of HTTP just where a request ends; so the same cuts befall every transport. What has passed in either
direction is counted, and who has hung up is known: that is how a test sees that nothing was left open.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

__all__ = [
    "Road",
    "Traveller",
    "Weather",
    "answers",
    "clear",
    "cuts",
    "cuts_in_request",
    "drips",
    "floods",
    "garbles",
    "silence",
]

_BLOCK = 64 << 10


class Traveller(NamedTuple):
    """One connection: the adapter's end, and where the payer listens."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    road: Road


Weather = Callable[[Traveller], Awaitable[None]]


class Road:
    """Listens on `port` of 127.0.0.1 and leads to the payer's. `weather` is taken from the front; the last one stays.

    With `tls` it is the payer's end of TLS, and weather happens to what is sealed.
    """

    def __init__(self, to_port: int, *weather: Weather, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.weather = list(weather) or [clear]
        self.connections = 0
        self.requests = 0
        self.up_bytes = 0
        self.down_bytes = 0
        # Set once a connection has brought something that is not the beginning of an exchange alone.
        self.begun = asyncio.Event()
        self.quiet = asyncio.Event()
        self.quiet.set()
        self._to_port = to_port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def change(self, *weather: Weather) -> None:
        """Other weather from the next connection on."""
        self.weather = list(weather)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.quiet.clear()
        weather = self.weather.pop(0) if len(self.weather) > 1 else self.weather[0]
        task = asyncio.create_task(self._pass(weather, Traveller(reader, writer, self._to_port, self)))
        self._tasks.add(task)
        # Also where the task was cancelled before it began.
        task.add_done_callback(lambda done: self._gone(done, writer))

    def _gone(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        writer.close()
        self._tasks.discard(task)
        if not self._tasks:
            self.quiet.set()

    async def _pass(self, weather: Weather, traveller: Traveller) -> None:
        # Either end may hang up at any point: that is what these tests are about.
        with contextlib.suppress(OSError, EOFError):
            try:
                await weather(traveller)
            finally:
                traveller.writer.close()
                with contextlib.suppress(OSError):
                    await traveller.writer.wait_closed()


async def _relay(traveller: Traveller, up_max: int | None, down_max: int | None, pause_seconds: float = 0.0) -> None:
    """Both directions until one end is through; at most so many bytes, then both are cut off."""
    road = traveller.road
    reader, writer = await asyncio.open_connection("127.0.0.1", traveller.port)

    async def up() -> None:
        passed = 0
        while block := await traveller.reader.read(_BLOCK):
            road.begun.set()
            block = block if up_max is None else block[: up_max - passed]
            passed += len(block)
            road.up_bytes += len(block)
            writer.write(block)
            await writer.drain()
            if passed == up_max:
                # What was let through is to arrive before the cut does.
                await asyncio.sleep(0.02)
                traveller.writer.transport.abort()
                return
        writer.write_eof()

    async def down() -> None:
        passed = 0
        while block := await reader.read(1 if pause_seconds else _BLOCK):
            block = block if down_max is None else block[: down_max - passed]
            passed += len(block)
            road.down_bytes += len(block)
            traveller.writer.write(block)
            await traveller.writer.drain()
            if passed == down_max:
                traveller.writer.close()
                return
            if pause_seconds:
                await asyncio.sleep(pause_seconds)

    # The payer's hanging up ends it, and so does a cut; the adapter's end of sending alone does not.
    upwards, downwards = asyncio.ensure_future(up()), asyncio.ensure_future(down())
    try:
        await asyncio.wait((upwards, downwards), return_when=asyncio.FIRST_COMPLETED)
        if not downwards.done() and not traveller.writer.transport.is_closing():
            await downwards
    finally:
        writer.transport.abort()
        for task in (upwards, downwards):
            task.cancel()
        await asyncio.gather(upwards, downwards, return_exceptions=True)


async def clear(traveller: Traveller) -> None:
    """Everything passes."""
    await _relay(traveller, None, None)


def cuts(*, up: int | None = None, down: int | None = None) -> Weather:
    """Cut off when so many bytes have passed up to the payer, or down from it."""

    async def happens(traveller: Traveller) -> None:
        if up == 0:
            traveller.writer.transport.abort()
            return
        await _relay(traveller, up, down)

    return happens


def drips(seconds: float) -> Weather:
    """The payer's answer comes one byte at a time."""

    async def happens(traveller: Traveller) -> None:
        await _relay(traveller, None, None, seconds)

    return happens


async def silence(traveller: Traveller) -> None:
    """Everything is read, nothing passes, and nobody says a word."""
    while await traveller.reader.read(_BLOCK):
        traveller.road.begun.set()


def garbles(greeting: bytes) -> Weather:
    """What comes back is no such protocol."""

    async def happens(traveller: Traveller) -> None:
        traveller.writer.write(greeting)
        await traveller.writer.drain()
        await traveller.reader.read()

    return happens


# --- HTTP ---


async def _request(traveller: Traveller) -> bytes:
    """One whole request, as it came."""
    head = await traveller.reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    traveller.road.requests += 1
    traveller.road.begun.set()
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await traveller.reader.readuntil(b"\r\n")
        return head + body
    return head + await traveller.reader.readexactly(int(fields.get(b"content-length", b"0")))


async def _delivered(request: bytes, port: int) -> bytes:
    """The payer's answer to a request that passed whole: its head is enough to know that it is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def answers(status: int, body: bytes = b"", *headers: str, taken: bool = False, length: int | None = None) -> Weather:
    """Another answer than the payer's, to every request. With `taken` the payer has had it before."""

    async def happens(traveller: Traveller) -> None:
        while True:
            request = await _request(traveller)
            if taken:
                await _delivered(request, traveller.port)
            told = len(body) if length is None else length
            head = [f"HTTP/1.1 {status} Weather", *headers, f"Content-Length: {told}"]
            traveller.writer.write("".join(f"{line}\r\n" for line in (*head, "")).encode("latin-1") + body)
            await traveller.writer.drain()
            if told != len(body):
                return

    return happens


def floods(head: bytes, block: bytes) -> Weather:
    """An answer that never ends."""

    async def happens(traveller: Traveller) -> None:
        await _request(traveller)
        traveller.writer.write(head)
        while True:
            traveller.writer.write(block)
            await traveller.writer.drain()

    return happens


def cuts_in_request(*, body_bytes: int | None) -> Weather:
    """Cut off when so many bytes of a request's body have passed, or (None) when all have; the answer never passes."""

    async def happens(traveller: Traveller) -> None:
        if body_bytes is None:
            await _delivered(await _request(traveller), traveller.port)
        else:
            head = await traveller.reader.readuntil(b"\r\n\r\n")
            traveller.road.requests += 1
            part = await traveller.reader.readexactly(body_bytes)
            _, writer = await asyncio.open_connection("127.0.0.1", traveller.port)
            writer.write(head + part)
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        traveller.writer.transport.abort()

    return happens

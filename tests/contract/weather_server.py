"""A peer on a loopback socket that speaks just enough HTTP to misbehave on purpose: one piece of weather a request."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

__all__ = [
    "Connection",
    "Received",
    "Weather",
    "WeatherServer",
    "announces",
    "answers",
    "babbles",
    "cuts",
    "drips",
    "floods",
    "silence",
]


class Received(NamedTuple):
    """One request as it came. Header names are in lower case; `body` is what had arrived when the weather began."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, head: Sequence[str], body: bytes = b"") -> None:
        self.writer.write("".join(f"{line}\r\n" for line in (*head, "")).encode("latin-1") + body)
        await self.writer.drain()


class Weather(NamedTuple):
    """What happens once `body_bytes_max` bytes of a request's body are read (None: all of it). The connection ends after."""

    happens: Callable[[Connection], Awaitable[None]]
    body_bytes_max: int | None = None


def answers(status: int, body: bytes = b"", *headers: str, chunked: bool = False, bounded: bool = True) -> Weather:
    """A whole answer. Its length is told by Content-Length, by chunks, or (not `bounded`) by the end of the connection."""

    async def happens(connection: Connection) -> None:
        head = [f"HTTP/1.1 {status} Weather", "Connection: close", *headers]
        if chunked:
            head.append("Transfer-Encoding: chunked")
            await connection.say(head, f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        else:
            await connection.say([*head, f"Content-Length: {len(body)}"] if bounded else head, body)

    return Weather(happens)


def announces(length: int, body: bytes, status: int = 200) -> Weather:
    """An answer that ends before the length it announced."""
    return answers(status, body, f"Content-Length: {length}", bounded=False)


def cuts(body_bytes_max: int | None = None) -> Weather:
    """The connection is reset: before the end of the body, or after all of it."""

    async def happens(connection: Connection) -> None:
        connection.writer.transport.abort()

    return Weather(happens, body_bytes_max)


def silence() -> Weather:
    """The peer has read everything and never says a word."""

    async def happens(connection: Connection) -> None:
        await connection.reader.read()

    return Weather(happens)


def drips(body: bytes, seconds: float) -> Weather:
    """A good answer, one byte at a time with `seconds` between."""

    async def happens(connection: Connection) -> None:
        await connection.say(["HTTP/1.1 200 Weather", f"Content-Length: {len(body)}"])
        for at in range(len(body)):
            connection.writer.write(body[at : at + 1])
            await connection.writer.drain()
            await asyncio.sleep(seconds)

    return Weather(happens)


def babbles() -> Weather:
    """What comes back is no HTTP."""

    async def happens(connection: Connection) -> None:
        await connection.say(["220 mail.example ready"])

    return Weather(happens)


def floods(block: bytes) -> Weather:
    """An answer that has no end."""

    async def happens(connection: Connection) -> None:
        await connection.say(["HTTP/1.1 200 Weather", "Connection: close"])
        while True:
            connection.writer.write(block)
            await connection.writer.drain()

    return Weather(happens)


class WeatherServer:
    """Serves on 127.0.0.1 while entered. `weather` is taken from the front, one a request; the last one stays."""

    def __init__(self, *weather: Weather, tls: ssl.SSLContext | None = None) -> None:
        self.weather = list(weather)
        self.received: list[Received] = []
        self._tls = tls
        self._port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Connection(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection) -> None:
        # The caller may hang up at any point, and often does: that is its half of the weather.
        with contextlib.suppress(OSError, EOFError):
            try:
                head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                weather = self.weather.pop(0) if len(self.weather) > 1 else self.weather[0]
                request, *lines = head.rstrip().split("\r\n")
                method, path, _ = request.split(" ")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                length = int(headers.get("content-length", "0"))
                wanted = length if weather.body_bytes_max is None else min(length, weather.body_bytes_max)
                body = await connection.reader.readexactly(wanted)
                self.received.append(Received(method, path, headers, body))
                await weather.happens(connection)
            finally:
                connection.writer.close()
                await connection.writer.wait_closed()

"""The sandbox payer on a socket: raw X12 over HTTP, an outbox, a clock, and weather (README.md says how each behaves).

Sources: RFC 9110 (status codes, Retry-After), RFC 6750 (bearer token).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from adapters.sandbox.core import CoreFace
from adapters.sandbox.payer import Habits, KeyUsed, NotX12, Payer, Receipt
from adapters.sandbox.scenarios import Pin
from adapters.sandbox.weather import BEFORE, Fault, Forecast, Weather

if TYPE_CHECKING:
    from adapters.sandbox.files import FilesFace

__all__ = ["SandboxServer", "serve", "start"]

T = TypeVar("T")
_CORE = "/core"
_X12 = "application/edi-x12"
_BODY_BYTES_MAX = 64 << 20
_KEY_MAX = 255
_SLOW_SECONDS, _HANG_SECONDS = 1.0, 600.0
_SHUTDOWN_SECONDS = 2.0
_THREADS = 2
_PROXY_PAGE = "<!doctype html><title>Gateway</title><p>The requested page could not be shown."


class Forward(msgspec.Struct, rename="camel"):
    """By how much to move the clock."""

    forward_seconds: float


class Clock(msgspec.Struct, rename="camel"):
    """The time it is at the payer, and how far that is ahead of the machine's."""

    now: str
    offset_seconds: float


class Pins(msgspec.Struct, forbid_unknown_fields=True):
    """Scripts for members and claims by their identifiers; none takes all away."""

    pins: list[Pin]


class SandboxServer:
    """A sandbox payer that listens. `url` has no slash at its end; `token` is "" where none is asked for."""

    def __init__(self, payer: Payer, token: str) -> None:
        self.token = token
        self.url = ""
        self.port = 0
        self._payer = payer
        self._core = CoreFace(payer, token)
        self.weather = Weather(payer.now)
        # SFTP, where it is asked for.
        self.files: FilesFace | None = None
        self._closing = asyncio.Event()
        self._threads = ThreadPoolExecutor(_THREADS, "sandbox")
        self._runner: web.AppRunner | None = None

    @property
    def offset(self) -> timedelta:
        """How far the payer's clock runs ahead of the machine's."""
        return self._payer.offset

    async def forward(self, by: timedelta) -> None:
        """Move the payer's clock ahead; what is due by then is in the outbox when this returns. ValueError: README.md."""
        await self._call(self._payer.forward, by)

    async def listen(self, host: str, port: int) -> None:
        """Begin to serve; port 0 takes a free one."""
        app = web.Application(client_max_size=_BODY_BYTES_MAX, middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/x12", self._post),
                web.post(_CORE, self._post_core),
                web.get("/x12/{key}", self._probe),
                web.get("/outbox", self._list),
                web.get("/outbox/{reference}", self._file),
                web.delete("/outbox/{reference}", self._remove),
                web.get("/clock", self._clock),
                web.post("/clock", self._forward),
                web.get("/seen", self._seen),
                web.get("/weather", self._forecast),
                web.post("/weather", self._set_weather),
                web.get("/pins", self._pins),
                web.post("/pins", self._pin),
                web.get("/habits", self._habits),
                web.post("/habits", self._behave),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        self.port = address[1]
        self.url = f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{self.port}"

    async def listen_sftp(self, host: str, port: int) -> FilesFace:
        """Begin to serve SFTP, too; what is returned says the port and the host's key."""
        # Who has no use for it does not wait for what it needs.
        from adapters.sandbox.files import FilesFace

        self.files = FilesFace(self._payer, self.weather, self.token)
        await self.files.listen(host, port, self._call)
        return self.files

    async def close(self) -> None:
        """Leave: who is kept waiting is cut off, what is under way ends. Again is the same as once."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self.files is not None:
            await self.files.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        self._payer.close()

    async def _call(self, call: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *values)

    # --- every request ---

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Ask for the token, and say what is wrong in JSON."""
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        # CORE has its own way to say who somebody is.
        if self.token and request.path != _CORE and not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            return _error(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except web.HTTPException as error:
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return _error(error.status, error.reason.lower(), allow)

    # --- X12 ---

    async def _post(self, request: web.Request) -> web.StreamResponse:
        fault = await self._weathered()
        if fault in BEFORE:
            return await self._turned_away(request, fault)
        content = await request.read()
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > _KEY_MAX or not (key.isascii() and key.isprintable()):
            return _error(400, "the Idempotency-Key is not one: send up to 255 printable ASCII characters")
        try:
            taken = await self._call(self._payer.take, key, content)
        except NotX12:
            return _error(400, "this is no X12: send an interchange that begins with ISA")
        except KeyUsed:
            return _error(409, "the Idempotency-Key was used with other bytes")
        if fault != "ok":
            early = await self._struck(request, fault)
            if early is not None:
                return early
        if isinstance(taken, Receipt):
            return web.Response(status=202, body=msgspec.json.encode(taken), content_type="application/json")
        return web.Response(body=taken.content, content_type=_X12)

    async def _post_core(self, request: web.Request) -> web.StreamResponse:
        fault = await self._weathered()
        if fault in BEFORE:
            return await self._turned_away(request, fault)
        content_type = request.headers.get("Content-Type", "")
        said = await self._call(self._core.respond, content_type, await request.read())
        if fault != "ok":
            early = await self._struck(request, fault)
            if early is not None:
                return early
        return web.Response(status=said.status, body=said.body, headers=said.headers)

    async def _turned_away(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Nothing was taken."""
        if fault == "drop":
            return _hung_up(request)
        await request.read()
        if fault == "html":
            return web.Response(text=_PROXY_PAGE, content_type="text/html")
        status = 429 if fault == "refuse-429" else 503
        return _error(status, "come back later", {"Retry-After": str(self.weather.retry_after())})

    async def _struck(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """What was posted is committed; its answer may not get through."""
        if fault == "fail-500":
            return _error(500, "something went wrong after the commit")
        if fault == "cut":
            return _hung_up(request)
        patience = _SLOW_SECONDS if fault == "slow" else _HANG_SECONDS
        try:
            await asyncio.wait_for(self._closing.wait(), patience)
        except TimeoutError:
            if fault == "slow":
                return None
        return _hung_up(request)

    async def _probe(self, request: web.Request) -> web.StreamResponse:
        if (fault := await self._weathered(collecting=True)) != "ok":
            return await self._turned_away(request, fault)
        known = await self._call(self._payer.has, request.match_info["key"])
        return _json(b'{"received":true}') if known else _json(b'{"received":false}', 404)

    # --- outbox ---

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if (fault := await self._weathered(collecting=True)) != "ok":
            return await self._turned_away(request, fault)
        return _json(msgspec.json.encode({"files": await self._call(self._payer.files)}))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if (fault := await self._weathered(collecting=True)) != "ok":
            return await self._turned_away(request, fault)
        content = await self._call(self._payer.file, request.match_info["reference"])
        if content is None:
            return _error(404, "no such file")
        return web.Response(body=content, content_type=_X12)

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        if (fault := await self._weathered(collecting=True)) != "ok":
            return await self._turned_away(request, fault)
        await self._call(self._payer.remove, request.match_info["reference"])
        return web.Response(status=204)

    # --- clock, counts, weather ---

    async def _clock(self, _: web.Request) -> web.Response:
        now = self._payer.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        return _json(msgspec.json.encode(Clock(now, self.offset.total_seconds())))

    async def _forward(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Forward)
            await self.forward(timedelta(seconds=wanted.forward_seconds))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _error(400, 'send {"forwardSeconds": n}')
        except (ValueError, OverflowError):
            return _error(400, "the clock moves ahead only, by ten years at most")
        return await self._clock(request)

    async def _seen(self, _: web.Request) -> web.Response:
        return _json(msgspec.json.encode(await self._call(self._payer.seen)))

    async def _forecast(self, _: web.Request) -> web.Response:
        return _json(msgspec.json.encode(self.weather.forecast))

    async def _set_weather(self, request: web.Request) -> web.Response:
        wanted = await _told(request, Forecast)
        if isinstance(wanted, web.Response):
            return wanted
        self.weather.become(wanted)
        return await self._forecast(request)

    async def _weathered(self, *, collecting: bool = False) -> Fault:
        """What befalls this request, once the answer's delay is over; the next fault of the list only befalls what is posted."""
        fault = self.weather.outside() if collecting else self.weather.next()
        if self.weather.latency_seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self.weather.latency_seconds)
        return fault

    async def _pins(self, _: web.Request) -> web.Response:
        return _json(msgspec.json.encode(Pins(await self._call(self._payer.pins))))

    async def _pin(self, request: web.Request) -> web.Response:
        wanted = await _told(request, Pins)
        if isinstance(wanted, web.Response):
            return wanted
        return _json(msgspec.json.encode(Pins(await self._call(self._payer.pin, wanted.pins))))

    async def _habits(self, _: web.Request) -> web.Response:
        return _json(msgspec.json.encode(self._payer.habits))

    async def _behave(self, request: web.Request) -> web.Response:
        wanted = await _told(request, Habits)
        if isinstance(wanted, web.Response):
            return wanted
        await self._call(self._payer.behave, wanted)
        return await self._habits(request)


async def _told(request: web.Request, kind: type[T]) -> T | web.Response:
    """What a request says, or what is wrong with it. Nothing of a patient is in these requests: what is wrong is said in full."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _error(400, str(error))


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """Why not, without a word of what was sent."""
    body = msgspec.json.encode({"error": message})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _hung_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer: the one given here no longer leaves."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def start(path: Path, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> SandboxServer:
    """Start a sandbox payer that keeps its state in the file `path`. With a `token`, every request needs it."""
    payer = await asyncio.to_thread(Payer, path)
    server = SandboxServer(payer, token or "")
    try:
        await server.listen(host, port)
    except BaseException:
        await server.close()
        raise
    return server


async def serve(path: Path, host: str, port: int, sftp_port: int | None = None) -> None:
    """Run until SIGTERM or SIGINT, with a port for SFTP too where one is given; what is printed first says where it listens."""
    left = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, left.set)
    server = await start(path, host, port)
    try:
        lines = [f"The sandbox payer listens on {server.url}"]
        if sftp_port is not None:
            files = await server.listen_sftp(host, sftp_port)
            lines.append(f"SFTP: {host} port {files.port}, folders /inbound and /outbound, {files.host_key}")
        print("\n".join(lines), flush=True)  # noqa: T201 - what the person who started it reads
        await left.wait()
    finally:
        await server.close()

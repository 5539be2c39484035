"""Somebody who is told of changes: an HTTP server that keeps what it gets and answers as its test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

__all__ = ["Got", "Receiver", "receiving"]

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Got:
    """One request."""

    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """Where it listens, what it got, and how it answers: the n-th request by `answer(n)`."""

    url: str = ""
    got: list[Got] = field(default_factory=list[Got])
    answer: Callable[[int], Awaitable[web.StreamResponse]] | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(Got(request.headers.copy(), await request.read()))
        self._more.set()
        return web.Response() if self.answer is None else await self.answer(len(self.got))

    async def wait_for(self, count: int) -> list[Got]:
        """What it got, once that is so much."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.got) < count:
                await self._more.wait()
                self._more.clear()
        return self.got


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()

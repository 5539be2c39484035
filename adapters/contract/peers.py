"""What an author gives the contract: a payer that behaves, on a port of this machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

__all__ = ["HttpPeer", "Peer", "serving"]


class Peer(Protocol):
    """A payer that listens on `port` of 127.0.0.1, takes what it is sent and gives what it is offered."""

    port: int
    secrets: Mapping[str, str]

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        """The settings of a route that leads to this payer, were it at this host and port."""
        ...

    async def received(self) -> Sequence[bytes]:
        """Every interchange that it has taken, whole, in the order in which it came."""
        ...

    async def offer(self, name: str, payload: bytes) -> None:
        """Lay a file out for collecting. Never called where the adapter does not collect."""
        ...

    async def offered(self) -> int:
        """How many files lie there."""
        ...


class HttpPeer(ABC):
    """The part of a payer over HTTP that is always the same. Give `routes`; keep what comes in `taken` and `files`."""

    secrets: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.port = 0
        self.taken: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """The payer's paths."""

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {"url": f"http://{host}:{port}"}

    async def received(self) -> Sequence[bytes]:
        return list(self.taken.values())

    async def offer(self, name: str, payload: bytes) -> None:
        self.files[name] = payload

    async def offered(self) -> int:
        return len(self.files)


@asynccontextmanager
async def serving(peer: HttpPeer) -> AsyncGenerator[HttpPeer, None]:
    """The peer, listening on a free port while entered."""
    app = web.Application(client_max_size=64 << 20)
    app.add_routes(peer.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        peer.port = runner.addresses[0][1]
        yield peer
    finally:
        await runner.cleanup()

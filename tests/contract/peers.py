"""Payers that behave, for the contract of our own adapters: real servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from adapters.contract import HttpPeer
from adapters.contract.samples import answer
from adapters.sandbox.payer import Payer, Receipt, Reply
from adapters.sandbox.server import SandboxServer

__all__ = ["RestPeer", "SandboxPeer", "sandbox"]


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


class RestPeer(HttpPeer):
    """The exchange of `adapters/rest/README.md`, as its README says and no more."""

    secrets: Mapping[str, str] = {"token": "hush-hush"}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/x12", self._take),
            web.get("/x12/{key}", self._known),
            web.get("/outbox", self._list),
            web.get("/outbox/{name}", self._give),
            web.delete("/outbox/{name}", self._remove),
        ]

    async def _take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.secrets['token']}":
            return web.Response(status=401)
        body = await request.read()
        self.taken[request.headers["Idempotency-Key"]] = body
        if b"~ST*837" in body.replace(b"\r", b"").replace(b"\n", b""):
            return _json({"reference": "R-1"}, 202)
        return web.Response(body=answer(), content_type="application/edi-x12")

    async def _known(self, request: web.Request) -> web.Response:
        known = request.match_info["key"] in self.taken
        return _json({"received": known}, 200 if known else 404)

    async def _list(self, _: web.Request) -> web.Response:
        return _json({"files": [{"reference": name, "name": name} for name in self.files]})

    async def _give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]], content_type="application/edi-x12")

    async def _remove(self, request: web.Request) -> web.Response:
        self.files.pop(request.match_info["name"], None)
        return web.Response(status=204)


class _Remembering(Payer):
    """The sandbox payer, which keeps no copy of what it took but for the tests."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.taken: list[bytes] = []

    def take(self, key: str, content: bytes) -> Receipt | Reply:
        taken = super().take(key, content)
        self.taken.append(content)
        return taken


class SandboxPeer:
    """The sandbox payer on its own server."""

    secrets: Mapping[str, str] = {"token": "hush-hush"}

    def __init__(self, payer: _Remembering, server: SandboxServer) -> None:
        self.port = server.port
        self._payer = payer

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {"url": f"http://{host}:{port}"}

    async def received(self) -> Sequence[bytes]:
        return list(self._payer.taken)

    async def offer(self, name: str, payload: bytes) -> None:
        await asyncio.to_thread(self._payer.offer, name, payload)

    async def offered(self) -> int:
        return len(await asyncio.to_thread(self._payer.files))


class CorePeer(SandboxPeer):
    """The sandbox payer as CORE sees it."""

    secrets: Mapping[str, str] = {"user": "ALDERFP", "password": "hush-hush"}
    told: Mapping[str, str] = {}

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        ids = {"sender_id": "ALDERFP", "receiver_id": "SANDBOX", "settles": "all"}
        return {"url": f"http://{host}:{port}/core", **ids, **self.told}


class CoreMimePeer(CorePeer):
    """The same over MIME."""

    told: Mapping[str, str] = {"envelope": "mime"}


@asynccontextmanager
async def sandbox(folder: Path, face: type[SandboxPeer] = SandboxPeer) -> AsyncGenerator[SandboxPeer, None]:
    """A sandbox payer with its state in this folder."""
    payer = await asyncio.to_thread(_Remembering, folder / "sandbox.db")
    server = SandboxServer(payer, SandboxPeer.secrets["token"])
    try:
        await server.listen("127.0.0.1", 0)
        yield face(payer, server)
    finally:
        await server.close()

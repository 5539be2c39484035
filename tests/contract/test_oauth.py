"""OAuth client credentials: one token serves many exchanges, a 401 costs one refresh, and no secret is told."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from adapters import registry, settings
from adapters.contract import serving
from adapters.contract.samples import outbound
from adapters.contract.trips import NOW, leaks, shown
from adapters.protocol import Context, Delivered, Inbound, NotSent, Replied
from adapters.transports.rest import RestSecrets
from adapters.transports.session import open_session
from adapters.transports.trouble import ExchangeFailed
from tests.contract.peers import RestPeer

ADAPTER = registry.load("rest")
SECRETS = {"client_id": "alder practice", "client_secret": "hush+hush/now"}


class TokenPeer(RestPeer):
    """A payer whose tokens are numbered; `good` are those that it takes now."""

    def __init__(self) -> None:
        super().__init__()
        self.issued = 0
        self.posts = 0
        self.expires_in: float | None = 3600
        self.good: set[str] = set()
        self.forms: list[dict[str, list[str]]] = []
        self.logins: list[str] = []
        self.refuses_tokens: int | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        return [*super().routes(), web.post("/token", self._issue)]

    async def _issue(self, request: web.Request) -> web.Response:
        self.forms.append(parse_qs((await request.read()).decode()))
        scheme, _, login = request.headers.get("Authorization", "").partition(" ")
        self.logins.append(b64decode(login).decode() if scheme == "Basic" else "")
        if self.refuses_tokens is not None:
            return web.Response(status=self.refuses_tokens)
        self.issued += 1
        token = f"number-{self.issued}"
        self.good = {token}
        told = {"access_token": token, "token_type": "bearer"}
        return web.json_response(told if self.expires_in is None else {**told, "expires_in": self.expires_in})

    async def _take(self, request: web.Request) -> web.Response:
        self.posts += 1
        self.secrets = {"token": request.headers.get("Authorization", "").removeprefix("Bearer ")}
        return await super()._take(request) if self.secrets["token"] in self.good else web.Response(status=401)


class Clock:
    """The time it is for the adapter."""

    def __init__(self) -> None:
        self.at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@asynccontextmanager
async def route(peer: TokenPeer, clock: Clock | None = None, **more: str) -> AsyncGenerator[Context, None]:
    async with serving(peer), open_session() as session:
        url = f"http://127.0.0.1:{peer.port}"
        told = {"url": url, "token_url": f"{url}/token", **more}
        yield Context(told, SECRETS, session, (clock or Clock()).now, 5)


async def test_one_token_serves_many_exchanges_at_once_and_after_each_other() -> None:
    peer = TokenPeer()
    async with route(peer, scope="claims") as context:
        sent = await asyncio.gather(*(ADAPTER.send(outbound("270", number=n), context) for n in range(1, 9)))
        await ADAPTER.send(outbound("837", number=9), context)
    assert {Replied} == set(map(type, sent))
    assert 1 == peer.issued
    assert ["alder+practice:hush%2Bhush%2Fnow"] == peer.logins
    assert [{"grant_type": ["client_credentials"], "scope": ["claims"]}] == peer.forms


async def test_the_client_may_tell_itself_in_the_body() -> None:
    peer = TokenPeer()
    async with route(peer, credentials_in="body") as context:
        assert isinstance(await ADAPTER.send(outbound("837"), context), Delivered)
    assert [""] == peer.logins
    assert [["alder practice"], ["hush+hush/now"]] == [peer.forms[0][k] for k in ("client_id", "client_secret")]


async def test_a_token_is_fetched_anew_shortly_before_its_end() -> None:
    peer, clock = TokenPeer(), Clock()
    async with route(peer, clock) as context:
        for seconds, issued in ((0, 1), (3_500, 1), (3_580, 2), (3_600, 2)):
            clock.at = NOW + timedelta(seconds=seconds)
            assert isinstance(await ADAPTER.send(outbound("837"), context), Delivered)
            assert issued == peer.issued


@pytest.mark.parametrize("set_id", ["270", "837"])
async def test_a_401_costs_one_refresh_and_the_body_goes_once_more(set_id: str) -> None:
    peer = TokenPeer()
    async with route(peer) as context:
        await ADAPTER.send(outbound(set_id, number=1), context)
        peer.good = set()
        assert isinstance(await ADAPTER.send(outbound(set_id, number=2), context), (Delivered, Replied))
    assert (2, 3) == (peer.issued, peer.posts)


class LatePeer(TokenPeer):
    """Turns one of two requests down only when the other has its new token."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed = asyncio.Event()
        self.refused = 0

    async def _issue(self, request: web.Request) -> web.Response:
        issued = await super()._issue(request)
        if self.issued > 1:
            self.renewed.set()
        return issued

    async def _take(self, request: web.Request) -> web.Response:
        taken = await super()._take(request)
        if taken.status == 401:
            self.refused += 1
            if self.refused == 2:
                await self.renewed.wait()
        return taken


async def test_a_token_that_somebody_else_has_renewed_is_not_fetched_once_more() -> None:
    """Each token that is issued ends the one before, so that one refresh too many costs somebody a second 401."""
    peer = LatePeer()
    async with route(peer) as context:
        await ADAPTER.send(outbound("270", number=1), context)
        peer.good = set()
        sent = await asyncio.gather(*(ADAPTER.send(outbound("270", number=n), context) for n in (2, 3)))
    assert ({Replied}, 2, 2) == (set(map(type, sent)), peer.issued, peer.refused)


async def test_a_second_401_is_not_sent_and_waits_for_a_mend() -> None:
    peer = TokenPeer()
    peer._take = _refuse  # type: ignore[method-assign]
    async with route(peer) as context:
        outcome = await ADAPTER.send(outbound("837"), context)
        assert isinstance(outcome, NotSent)
        assert 60.0 == outcome.retry_after_seconds
    assert 2 == peer.issued


async def _refuse(_: web.Request) -> web.Response:
    return web.Response(status=401)


@pytest.mark.parametrize("status", [400, 401, 500, 302])
async def test_without_a_token_nothing_is_sent_and_no_secret_is_told(status: int) -> None:
    peer = TokenPeer()
    peer.refuses_tokens = status
    async with route(peer) as context:
        outcome = await ADAPTER.send(outbound("837"), context)
        assert NotSent(f"no token: HTTP {status}") == outcome
        with pytest.raises(ExchangeFailed) as failure:
            await ADAPTER.settle(Inbound("1", "1", b""), context)
        assert [] == leaks(f"{shown(outcome)} {shown(failure.value)} {shown(context)}", SECRETS)
    assert 0 == peer.posts


async def test_a_401_to_a_question_about_a_delivery_costs_one_refresh_too() -> None:
    peer = TokenPeer()
    async with route(peer) as context:
        await ADAPTER.send(outbound("837"), context)
        assert "received" == await ADAPTER.probe(outbound("837"), context)
        assert 1 == peer.issued


def test_half_of_the_credentials_is_a_fault_that_is_told() -> None:
    assert ["client_id and client_secret: give both or neither"] == settings.problems(RestSecrets, {"client_id": "a"})

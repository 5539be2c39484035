"""What the tests of the contract stand on: an adapter on its way to a payer, over a road with weather.

The one law behind most of them: an adapter never says `NotSent` of what the payer has, and never `Delivered` or `Replied` of
what it has not. Every cut is judged by that law, and those whose place leaves no doubt by the very outcome too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception
from typing import Any, ClassVar, NamedTuple, TypeVar

import pytest
from rich.pretty import pretty_repr

from adapters.contract import road as weather
from adapters.contract.impostors import Whom, trusting, whom
from adapters.contract.peers import Peer
from adapters.contract.road import Road, Weather
from adapters.contract.samples import CANARIES, outbound, question_or_claims
from adapters.protocol import (
    Adapter,
    Capabilities,
    Context,
    Delivered,
    Inbound,
    InDoubt,
    NotSent,
    Outbound,
    Outcome,
    Refused,
    Replied,
)
from adapters.transports.session import open_session

__all__ = [
    "CUTS",
    "CUT_OUTCOMES",
    "DAY",
    "NOW",
    "PATIENCE_SECONDS",
    "SECONDS",
    "SHORT_SECONDS",
    "Foundation",
    "Trip",
    "collected",
    "cut_off",
    "cut_off_within_tls",
    "cuts_of",
    "drained",
    "ended",
    "large_outbound",
    "leaks",
    "needs",
    "one_set",
    "refusing",
    "shown",
    "trip",
    "within_tls",
]

F = TypeVar("F", bound=Callable[..., Any])

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DAY = 24 * 3600.0
SHORT_SECONDS, SECONDS, PATIENCE_SECONDS = 0.4, 10.0, 2.0
_OUTCOMES = (Replied, Delivered, Refused, NotSent, InDoubt)
# Where a delivery may be cut off, in the order of the way; the names are those of the table in docs/adapters.md.
CUTS = (
    "before connecting",
    "in the handshake",
    "before the body",
    "within the body",
    "after the body",
    "within the answer",
)
_LARGE_BYTES = 200_000
# Within the certificate that a server shows.
_HELLO_BYTES = 300
# Name of a test -> what an adapter must be able to do for it.
_NEEDS: dict[str, str] = {}


def needs(capability: str) -> Callable[[F], F]:
    """A test for adapters with this capability, or on this wire ("http", "ssh")."""

    def mark(test: F) -> F:
        _NEEDS[f"{test.__qualname__}"] = capability
        return test

    return mark


class Trip(NamedTuple):
    """One adapter on its way to a payer that behaves, over a road with weather."""

    adapter: Adapter
    peer: Peer
    road: Road
    context: Context
    secrets: Mapping[str, str]

    def at(self, host: str, port: int, deadline_seconds: float = SECONDS) -> Context:
        """The same route, were the payer elsewhere."""
        told = self.peer.settings(host, port)
        return Context(told, self.secrets, self.context.session, lambda: NOW, deadline_seconds)

    def within(self, seconds: float) -> Context:
        """The same route with another deadline."""
        return Context(self.context.settings, self.secrets, self.context.session, lambda: NOW, seconds)

    async def send(self, out: Outbound, context: Context | None = None) -> Outcome:
        """One delivery; an outcome there must be, and soon after the deadline at the latest."""
        context = context or self.context
        async with asyncio.timeout(context.deadline_seconds + 1.0):
            outcome = await self.adapter.send(out, context)
        assert isinstance(outcome, _OUTCOMES)
        await self.honest(out, outcome)
        return outcome

    async def honest(self, out: Outbound, outcome: Outcome) -> None:
        """The law: what the payer has was not "not sent", what it has not was not delivered."""
        has = out.payload in [bytes(p) for p in await self.peer.received()]
        if isinstance(outcome, NotSent):
            assert not has, f"{outcome!r}, and the payer has it"
        if isinstance(outcome, (Delivered, Replied)):
            assert has, f"{outcome!r}, and the payer does not have it"


@asynccontextmanager
async def trip(
    adapter: Adapter, peer: Peer, *happens: Weather, deadline_seconds: float = SECONDS
) -> AsyncGenerator[Trip, None]:
    """A road of this weather to the peer, and the adapter on it."""
    async with Road(peer.port, *happens) as road, open_session() as session:
        told = Context(peer.settings("127.0.0.1", road.port), peer.secrets, session, lambda: NOW, deadline_seconds)
        yield Trip(adapter, peer, road, told, peer.secrets)


@asynccontextmanager
async def within_tls(
    adapter: Adapter, peer: Peer, *handshake: Weather, who: Whom = "the payer"
) -> AsyncGenerator[Trip, None]:
    """The same with TLS at the payer's end, for an adapter over HTTP: the weather of the road is within it, that of the handshake without."""
    async with (
        Road(peer.port, tls=whom(who)) as road,
        Road(road.port, *handshake) as outside,
        open_session(trusting()) as session,
    ):
        told = _over_tls(peer.settings("127.0.0.1", outside.port))
        yield Trip(adapter, peer, road, Context(told, peer.secrets, session, lambda: NOW, SECONDS), peer.secrets)


def _over_tls(told: Mapping[str, str]) -> dict[str, str]:
    return {key: value.replace("http://", "https://") for key, value in told.items()}


def shown(value: object) -> str:
    """Whatever a log, a console or a traceback would print of a value."""
    trace = "".join(format_exception(value)) if isinstance(value, BaseException) else ""
    return f"{value!r} {value!s} {pretty_repr(value)} {trace}"


def leaks(text: str, secrets: Mapping[str, str]) -> list[str]:
    """What of the samples or the secrets a text tells."""
    hidden = [
        line for value in secrets.values() for line in value.splitlines() if len(line) > 3 and "-----" not in line
    ]
    return [told for told in (*CANARIES, "ISA*", *hidden) if told in text]


def one_set(capabilities: Capabilities) -> str:
    """A set that the adapter sends, claims rather than questions."""
    return max(capabilities.batch | capabilities.real_time)


def _large(set_id: str, number: int) -> bytes:
    """A sample whose body is so long that a cut can lie within it; what it says does not matter any more."""
    plain = question_or_claims(set_id, number)
    head, middle, tail = plain.partition(b"SE*")
    return head + b"NTE*ADD*" + b"X" * _LARGE_BYTES + b"~" + middle + tail


def refusing() -> socket.socket:
    """A port that is bound and does not listen: nobody else takes it, and it refuses."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


async def _cut_http(on: Trip, place: str, out: Outbound) -> Outcome:
    if place == "in the handshake":
        on.road.change(weather.cuts(up=50))
        return await on.send(
            out, Context(_over_tls(on.context.settings), on.secrets, on.context.session, lambda: NOW, SECONDS)
        )
    cut = {
        "before the body": weather.cuts_in_request(body_bytes=0),
        "within the body": weather.cuts_in_request(body_bytes=1000),
        "after the body": weather.cuts_in_request(body_bytes=None),
        "within the answer": weather.cuts(down=40),
    }[place]
    on.road.change(cut)
    return await on.send(out)


async def _cut_ssh(on: Trip, place: str, out: Outbound) -> Outcome:
    """SSH is sealed, so places are found by counting what a clear road lets through, with a body and without."""
    counted: list[tuple[int, int]] = []
    first = 100 + 2 * CUTS.index(place)
    bare_payload, like_payload = question_or_claims(out.set_id, first), out.payload.replace(b"XX", b"YY")
    for number, payload in ((first, bare_payload), (first + 1, like_payload)):
        before = on.road.up_bytes, on.road.down_bytes
        assert isinstance(await on.send(outbound(out.set_id, payload, number)), (Delivered, Replied))
        counted.append((on.road.up_bytes - before[0], on.road.down_bytes - before[1]))
    (bare, down), (up, _) = counted
    cut = {
        "in the handshake": weather.cuts(up=200),
        "before the body": weather.cuts(up=bare // 2),
        "within the body": weather.cuts(up=up - _LARGE_BYTES // 2),
        "after the body": weather.cuts(up=up - 600),
        "within the answer": weather.cuts(down=down - 155),
    }[place]
    on.road.change(cut)
    return await on.send(out)


def large_outbound(adapter: Adapter, place: str) -> Outbound:
    """What `cut_off` sends there: another delivery for each place."""
    set_id, number = one_set(adapter.capabilities), 7 + CUTS.index(place)
    # Where the answer is what is cut, a short body keeps it where it was measured to be.
    return outbound(set_id, None if place == CUTS[-1] else _large(set_id, number), number)


async def cut_off(on: Trip, place: str) -> Outcome:
    """What a delivery comes to that is cut off at this place."""
    out = large_outbound(on.adapter, place)
    if place == "before connecting":
        with refusing() as nobody:
            return await on.send(out, on.at("127.0.0.1", nobody.getsockname()[1]))
    return await (_cut_http if on.adapter.manifest.wire == "http" else _cut_ssh)(on, place, out)


async def cut_off_within_tls(adapter: Adapter, peer: Peer, place: str) -> Outcome:
    """The same of a delivery over TLS: in its handshake half-way through what the payer says in it."""
    if place == "before connecting":
        async with trip(adapter, peer) as on:
            return await cut_off(on, place)
    handshake = place == "in the handshake"
    async with within_tls(adapter, peer, weather.cuts(down=_HELLO_BYTES) if handshake else weather.clear) as on:
        out = large_outbound(adapter, place)
        return await (on.send(out) if handshake else _cut_http(on, place, out))


async def cuts_of(adapter: Adapter, peer: Peer, *, tls: bool = False) -> dict[str, str]:
    """Place of the cut -> the outcome's name: a row of the table in docs/adapters.md."""
    found: dict[str, str] = {}
    for place in CUTS:
        if tls:
            found[place] = type(await cut_off_within_tls(adapter, peer, place)).__name__
            continue
        async with trip(adapter, peer) as on:
            found[place] = type(await cut_off(on, place)).__name__
    return found


_BEFORE, _AFTER = (NotSent,), (InDoubt,)
# A body that is short or buffered leaves before anybody can say that it has not.
CUT_OUTCOMES: dict[str, tuple[type, ...]] = {
    "before connecting": _BEFORE,
    "in the handshake": _BEFORE,
    "before the body": (NotSent, InDoubt),
    "within the body": _AFTER,
    "after the body": _AFTER,
    "within the answer": (InDoubt, Delivered),
}


class Foundation:
    """What the tests of an adapter stand on: which of them are chosen, and the adapter on its way to the payer.

    An author gives `adapter` and `peer`; each test of a class without `peer` fails with what is missing.
    """

    adapter: ClassVar[Adapter]
    pytestmark = pytest.mark.asyncio

    # Not abstract: pytest leaves abstract classes out without a word, and an adapter would seem to pass.
    def peer(self, folder: Path) -> AbstractAsyncContextManager[Peer]:
        """The payer that behaves, listening while entered, as the author gives it. `folder` is for whatever it keeps. TypeError without one."""
        raise TypeError(
            f"{type(self).__qualname__} has no `peer`: give the payer that behaves (docs/adding-a-payer.md says how)"
        )

    @pytest.fixture(autouse=True)
    def _chosen(self, request: pytest.FixtureRequest) -> None:
        """Leaves out what the adapter cannot do, and says why; a lack without a reason is a failure."""
        if type(self).peer is Foundation.peer:
            # Also for the tests that talk to nobody.
            self.peer(Path())
        manifest, capabilities = self.adapter.manifest, self.adapter.capabilities
        name = getattr(request.node, "originalname", request.node.name)
        if name in manifest.skips:
            pytest.skip(manifest.skips[name])
        capability = _NEEDS.get(request.function.__qualname__)
        if capability in ("http", "ssh"):
            if manifest.wire != capability:
                pytest.skip(f"its wire is {manifest.wire}")
        elif capability is not None and not getattr(capabilities, capability):
            assert capability in manifest.skips, f"no {capability}, and its manifest does not say why"
            pytest.skip(manifest.skips[capability])

    @asynccontextmanager
    async def on(
        self, folder: Path, *happens: Weather, deadline_seconds: float = SECONDS
    ) -> AsyncGenerator[Trip, None]:
        """The adapter on a road of this weather."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        async with (
            self.peer(folder) as peer,
            trip(self.adapter, peer, *happens, deadline_seconds=deadline_seconds) as on,
        ):
            yield on


async def collected(on: Trip) -> list[Inbound]:
    """Everything that a collection gives."""
    async with asyncio.timeout(SECONDS), aclosing(on.adapter.collect(on.context)) as collecting:
        return [one async for one in collecting]


async def drained(on: Trip) -> list[Inbound]:
    """Everything that a collection gives, each settled before the next is asked for, as the gateway does it."""
    got: list[Inbound] = []
    async with asyncio.timeout(SECONDS), aclosing(on.adapter.collect(on.context)) as collecting:
        async for one in collecting:
            await on.adapter.settle(one, on.context)
            got.append(one)
    return got


async def ended(tasks: set[asyncio.Task[Any]]) -> None:
    """Waits until what somebody else began has ended; a task of the road's own ends with its connection."""
    if tasks:
        await asyncio.wait(tasks)

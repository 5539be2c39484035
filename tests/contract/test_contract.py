"""The contract bites: each way in which an adapter may lie, leak or linger fails the test that is there for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.contract import AdapterContract, Peer, serving
from adapters.protocol import Capabilities, Context, Evidence, Inbound, InDoubt, Manifest, NotSent, Outbound, Outcome
from adapters.transports.rest import RawX12
from tests.contract.peers import RestPeer

pytest_plugins = ["pytester"]

Test = Callable[[AdapterContract, Path], Coroutine[Any, Any, None]]


class Honest(RawX12):
    """What the liars below are but for one thing."""

    def __init__(self) -> None:
        super().__init__("honest", "an adapter that keeps the contract")


class Optimist(Honest):
    """Takes every failure for one before the body."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        return NotSent(outcome.reason) if isinstance(outcome, InDoubt) else outcome


class Pessimist(Honest):
    """Takes every failure for one after the body."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        return InDoubt(outcome.reason) if isinstance(outcome, NotSent) else outcome


class Persistent(Honest):
    """Tries again by itself."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        first = await super().send(outbound, context)
        return await super().send(outbound, context) if isinstance(first, (InDoubt, NotSent)) else first


class Tidier(Honest):
    """Sends what it finds prettier."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        tidy = outbound.payload.replace(b"\r\n", b"")
        return await super().send(msgspec.structs.replace(outbound, payload=tidy), context)


class Patient(Honest):
    """Knows better than the deadline."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        return await super().send(outbound, msgspec.structs.replace(context, deadline_seconds=30.0))


class Undying(Honest):
    """Cannot be cancelled: goes on behind the caller's back."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        self.kept = asyncio.ensure_future(super().send(outbound, context))
        return await asyncio.shield(self.kept)


class Talkative(Honest):
    """Logs what it sends."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        logging.getLogger("talkative").debug("sending %s", outbound.payload[:400])
        return await super().send(outbound, context)


class Keeper(Honest):
    """Keeps a copy on disk."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        with Path("/dev/null").open("wb") as copy:  # noqa: ASYNC230 - what is wrong with it
            copy.write(outbound.payload)
        return await super().send(outbound, context)


class Wanderer(Honest):
    """Talks to somebody else too."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", 9)
            writer.close()
        except OSError:
            pass
        return await super().send(outbound, context)


class Follower(Honest):
    """Goes where a redirect leads."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            async with context.session.post(f"{context.settings['url']}/x12", data=outbound.payload) as response:
                return InDoubt(f"HTTP {response.status}")
        except aiohttp.ClientError:
            return InDoubt("failed")


class Credulous(Honest):
    """Talks to whoever listens there."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            async with context.session.post(
                f"{context.settings['url']}/x12", data=outbound.payload, ssl=False
            ) as response:
                return InDoubt(f"HTTP {response.status}")
        except aiohttp.ClientError:
            return NotSent("failed")


class Silencer(Honest):
    """Takes a collection that failed for one that came to its end."""

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        try:
            async for one in super().collect(context):
                yield one
        except Exception:
            return


class Halver(Honest):
    """Gives what had arrived of a file."""

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        async for one in super().collect(context):
            yield msgspec.structs.replace(one, payload=one.payload[:50])


class Remover(Honest):
    """Settles what nobody has stored yet."""

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        async for one in super().collect(context):
            await self.settle(one, context)
            yield one


class Believer(Honest):
    """Believes that the payer has everything."""

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return "received"


class Silent(Honest):
    """Lacks something, and does not say why."""

    capabilities = Capabilities(real_time=frozenset(("270",)), batch=frozenset(("837",)), probes=True)


class Stale(Honest):
    """Gives a reason for what it can do by now."""

    def __init__(self) -> None:
        super().__init__()
        self.manifest = Manifest(summary="x", owner="x", skips={"collects": "the payer has no outbox"})


@dataclass(frozen=True)
class Lie:
    """An adapter that lies, and the test that is to find it out."""

    adapter: type[Honest]
    test: Test


def _at(place: str) -> Test:
    return lambda contract, folder: contract.test_a_cut_comes_to_the_outcome_of_its_place(folder, place)


def _caught(contract: AdapterContract, folder: Path) -> Coroutine[Any, Any, None]:
    return contract.test_nothing_is_touched_outside_of_the_context(folder)


LIES: list[Lie] = [
    Lie(Optimist, _at("after the body")),
    Lie(Optimist, _at("within the body")),
    Lie(Optimist, lambda c, f: c.test_a_server_error_after_the_body_is_in_doubt(f, 500)),
    Lie(Optimist, lambda c, f: c.test_a_200_that_says_nothing_is_in_doubt(f, b"")),
    Lie(Pessimist, _at("before connecting")),
    Lie(Pessimist, _at("in the handshake")),
    Lie(
        Pessimist,
        lambda c, f: c.test_a_peer_that_names_a_time_is_left_alone_so_long_and_a_day_at_most(f, 429, "7", 7.0),
    ),
    Lie(Persistent, lambda c, f: c.test_a_delivery_that_failed_is_not_tried_again_by_the_adapter(f)),
    Lie(Tidier, lambda c, f: c.test_the_bytes_arrive_as_they_are_the_same_each_time(f)),
    Lie(Patient, lambda c, f: c.test_a_silent_peer_is_left_at_the_deadline(f)),
    Lie(Undying, lambda c, f: c.test_a_cancelled_delivery_leaves_nothing_open(f)),
    Lie(Keeper, _caught),
    Lie(Wanderer, _caught),
    Lie(Follower, lambda c, f: c.test_a_redirect_is_not_followed(f, 307)),
    Lie(Credulous, lambda c, f: c.test_somebody_with_another_certificate_gets_nothing(f, "another name")),
    Lie(Optimist, lambda c, f: c.test_a_cut_within_tls_comes_to_the_outcome_of_its_place(f, "within the body")),
    Lie(Pessimist, lambda c, f: c.test_a_cut_within_tls_comes_to_the_outcome_of_its_place(f, "in the handshake")),
    Lie(Silencer, lambda c, f: c.test_a_collection_that_is_cut_off_gives_no_half_of_a_file(f, 5)),
    Lie(Silencer, lambda c, f: c.test_a_payer_that_is_away_is_told_and_not_taken_for_an_empty_outbox(f)),
    Lie(Halver, lambda c, f: c.test_files_come_oldest_first_whole_and_stay_until_they_are_settled(f)),
    Lie(Remover, lambda c, f: c.test_files_come_oldest_first_whole_and_stay_until_they_are_settled(f)),
    Lie(Believer, lambda c, f: c.test_a_probe_says_what_the_payer_knows_and_never_raises(f)),
    Lie(Believer, lambda c, f: c.test_a_probe_after_a_cut_is_never_wrong(f, "within the body")),
    Lie(Stale, lambda c, f: c.test_its_manifest_is_whole_and_not_out_of_date()),
]


def contract_of(liar: Honest) -> AdapterContract:
    class Contract(AdapterContract):
        adapter = liar

        @asynccontextmanager
        async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
            async with serving(RestPeer()) as payer:
                yield payer

    return Contract()


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.adapter.__name__)
async def test_a_lie_is_caught(lie: Lie, tmp_path: Path) -> None:
    await lie.test(contract_of(Honest()), tmp_path)
    liar = lie.adapter()
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await lie.test(contract_of(liar), tmp_path)
    if isinstance(liar, Undying):
        liar.kept.cancel()


async def test_a_payload_in_a_log_is_caught(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError):
        await contract_of(Talkative()).test_no_log_no_message_and_no_repr_tells_a_payload_or_a_secret(tmp_path, caplog)


def test_a_lack_without_a_reason_fails_and_one_with_a_reason_is_skipped_with_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from contextlib import asynccontextmanager
        from adapters.contract import AdapterContract, serving
        from adapters.protocol import Capabilities, Manifest
        from adapters.transports.rest import RawX12
        from tests.contract.peers import RestPeer

        class Silent(RawX12):
            capabilities = Capabilities(batch=frozenset(("837",)))

        def made(**skips):
            adapter = Silent("silent", "x")
            adapter.manifest = Manifest(summary="x", owner="x", skips={"real_time": "no questions", **skips})
            return adapter

        class Rest(AdapterContract):
            @asynccontextmanager
            async def peer(self, folder):
                async with serving(RestPeer()) as payer:
                    yield payer

        class TestSilent(Rest):
            adapter = made(probes="nobody to ask")

        class TestTold(Rest):
            adapter = made(probes="nobody to ask", collects="no outbox")
        """
    )
    loop = "asyncio_default_fixture_loop_scope=function"
    told = pytester.runpytest_inprocess("-q", "-rs", "-k", "settling_twice", "-p", "no:cacheprovider", "-o", loop)
    outcomes = told.parseoutcomes()
    assert (1, 1) == (outcomes["errors"], outcomes["skipped"])
    told.stdout.fnmatch_lines(["*no outbox*"])


def test_a_contract_without_a_payer_says_what_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from adapters.contract import AdapterContract
        from adapters.transports.rest import RawX12

        class TestForgetful(AdapterContract):
            adapter = RawX12("forgetful", "x")
        """
    )
    loop = "asyncio_default_fixture_loop_scope=function"
    told = pytester.runpytest_inprocess("-q", "-k", "what_the_protocol_says", "-p", "no:cacheprovider", "-o", loop)
    assert {"errors": 1} == {k: v for k, v in told.parseoutcomes().items() if "warning" not in k and k != "deselected"}
    told.stdout.fnmatch_lines(["*TestForgetful has no `peer`*adding-a-payer.md*"])

"""The tests that every adapter passes. What a test is about is in its name; what the five outcomes mean, in the protocol.

The one law behind most of them: an adapter never says `NotSent` of what the payer has, and never `Delivered` or `Replied` of
what it has not. Every cut is judged by that law, and those whose place leaves no doubt by the very outcome too.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

import pytest

from adapters import settings
from adapters.contract import road as weather
from adapters.contract.guard import watching
from adapters.contract.http_suite import HttpContract
from adapters.contract.impostors import other_host
from adapters.contract.samples import offered, outbound, question_or_claims
from adapters.contract.trips import (
    CUT_OUTCOMES,
    CUTS,
    NOW,
    PATIENCE_SECONDS,
    SECONDS,
    SHORT_SECONDS,
    collected,
    cut_off,
    drained,
    ended,
    large_outbound,
    leaks,
    needs,
    one_set,
    refusing,
    shown,
    trip,
)
from adapters.protocol import Capabilities, Context, Delivered, Inbound, InDoubt, NotSent, Replied

__all__ = ["AdapterContract"]


class AdapterContract(HttpContract):
    """Derive one class an adapter, give `adapter` and `peer`, and pytest runs the contract over it."""

    # --- what it is ---

    async def test_it_is_what_the_protocol_says(self) -> None:
        made = self.adapter
        assert made.name.isidentifier()
        assert isinstance(made.capabilities, Capabilities)
        assert set() < made.capabilities.real_time | made.capabilities.batch <= {"270", "276", "837"}
        for method, parameters in (
            (made.send, ["outbound", "context"]),
            (made.settle, ["inbound", "context"]),
            (made.probe, ["outbound", "context"]),
        ):
            assert inspect.iscoroutinefunction(method)
            assert parameters == list(inspect.signature(method).parameters)
        assert inspect.isasyncgenfunction(made.collect)
        assert list(inspect.signature(made.collect).parameters) == ["context"]

    async def test_its_manifest_is_whole_and_not_out_of_date(self) -> None:
        manifest, capabilities = self.adapter.manifest, self.adapter.capabilities
        assert manifest.summary
        assert manifest.owner
        assert [
            s.name
            for kind in (manifest.settings, manifest.secrets)
            for s in settings.described(kind)
            if not s.description
        ] == []
        abilities = ("real_time", "batch", "collects", "probes")
        assert [] == [name for name in manifest.skips if not hasattr(type(self), name) and name not in abilities]
        assert [] == [name for name in abilities if name in manifest.skips and getattr(capabilities, name)]
        assert all(manifest.skips.values())

    async def test_its_settings_are_checked_and_every_fault_is_told_at_once(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            manifest = self.adapter.manifest
            assert [] == settings.problems(manifest.settings, on.context.settings)
            assert [] == settings.problems(manifest.secrets, on.secrets)
            required = [s.name for s in settings.described(manifest.settings) if s.required]
            told = settings.problems(manifest.settings, {"zzz_nothing": "1", "yyy_nothing": "2"})
            assert {"zzz_nothing", "yyy_nothing", *required} == {t.partition(":")[0] for t in told}

    async def test_a_route_without_its_settings_sends_nothing(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            bare = Context({}, on.secrets, on.context.session, lambda: NOW, SECONDS)
            required = [s.name for s in settings.described(self.adapter.manifest.settings) if s.required]
            if required:
                outcome = await on.send(outbound(one_set(self.adapter.capabilities)), bare)
                assert isinstance(outcome, NotSent)
                assert all(name in outcome.reason for name in required)

    # --- what arrives ---

    @needs("real_time")
    async def test_questions_are_answered_within_the_call(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            for number, set_id in enumerate(sorted(self.adapter.capabilities.real_time), 1):
                outcome = await on.send(outbound(set_id, number=number))
                assert isinstance(outcome, Replied)
                assert b"ISA" == outcome.payload.lstrip()[:3]

    @needs("batch")
    async def test_claims_are_delivered_once(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            for number, set_id in enumerate(sorted(self.adapter.capabilities.batch), 1):
                out = outbound(set_id, number=number)
                assert isinstance(await on.send(out), (Delivered, Replied))
                assert 1 == list(await on.peer.received()).count(out.payload)

    async def test_the_bytes_arrive_as_they_are_the_same_each_time(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            for number, payload in enumerate(self.payloads(), 1):
                out = outbound(one_set(self.adapter.capabilities), payload, number)
                for _ in range(2):
                    assert not isinstance(await on.send(out), (NotSent, InDoubt))
                assert payload in list(await on.peer.received())
                assert out.sha256 == sha256(payload).hexdigest()

    def payloads(self) -> Iterator[bytes]:
        """Samples whose bytes tempt somebody on the way to change them."""
        set_id = one_set(self.adapter.capabilities)
        yield question_or_claims(set_id, 1, "\r\n")
        yield question_or_claims(set_id, 2, "\n")
        yield question_or_claims(set_id, 3).replace(b"7 BIRCH ST", "7 BÖRCH & <S> ]]> ST".encode())
        yield question_or_claims(set_id, 4).rstrip(b"~") + b"~\r\n"

    # --- what a failure comes to ---

    @pytest.mark.parametrize("place", CUTS)
    async def test_a_cut_comes_to_the_outcome_of_its_place(self, tmp_path: Path, place: str) -> None:
        async with self.on(tmp_path) as on:
            assert isinstance(await cut_off(on, place), CUT_OUTCOMES[place])

    @pytest.mark.parametrize("tenth", range(10))
    async def test_wherever_it_is_cut_what_it_says_is_true(self, tmp_path: Path, tenth: int) -> None:
        """The law, at places that nobody chose: tenths of what passes on a clear road, up and down."""
        set_id = one_set(self.adapter.capabilities)
        async with self.on(tmp_path) as on:
            await on.send(outbound(set_id, number=50))
            up, down = on.road.up_bytes * tenth // 10, on.road.down_bytes * tenth // 10
        async with self.on(tmp_path, weather.cuts(up=up)) as on:
            await on.send(outbound(set_id, number=51))
        async with self.on(tmp_path, weather.cuts(down=max(down, 1))) as on:
            await on.send(outbound(set_id, number=52))

    async def test_a_name_that_does_not_resolve_is_not_sent(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            out = outbound(one_set(self.adapter.capabilities))
            assert isinstance(await on.send(out, on.at("payer.invalid", 9, 3.0)), NotSent)

    @needs("ssh")
    async def test_a_host_with_another_key_gets_nothing(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on, other_host() as (port, logins):
            assert isinstance(
                await on.send(outbound(one_set(self.adapter.capabilities)), on.at("127.0.0.1", port)), NotSent
            )
            assert [] == logins

    async def test_a_peer_of_another_protocol_gets_nothing_it_could_keep(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.garbles(b"220 mail.example ready\r\n")) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)), on.within(PATIENCE_SECONDS))
            assert isinstance(outcome, (NotSent, InDoubt))

    async def test_a_silent_peer_is_left_at_the_deadline(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.silence) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)), on.within(SHORT_SECONDS))
            assert isinstance(outcome, (NotSent, InDoubt))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await on.road.quiet.wait()

    async def test_an_answer_in_drops_ends_with_the_deadline(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.drips(0.05)) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)), on.within(SHORT_SECONDS))
            assert isinstance(outcome, (NotSent, InDoubt))

    async def test_a_delivery_that_failed_is_not_tried_again_by_the_adapter(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.cuts(up=100)) as on:
            await on.send(outbound(one_set(self.adapter.capabilities)))
            assert 1 == on.road.connections

    async def test_a_cancelled_delivery_leaves_nothing_open(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.silence) as on:
            before = asyncio.all_tasks()
            sending = asyncio.create_task(self.adapter.send(outbound(one_set(self.adapter.capabilities)), on.context))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await on.road.begun.wait()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                await on.road.quiet.wait()
                await ended(asyncio.all_tasks() - before)

    # --- evidence ---

    @needs("probes")
    async def test_a_probe_says_what_the_payer_knows_and_never_raises(self, tmp_path: Path) -> None:
        set_id = one_set(self.adapter.capabilities)
        async with self.on(tmp_path) as on:
            sent, never = outbound(set_id, number=11), outbound(set_id, number=12)
            assert isinstance(await on.send(sent), (Delivered, Replied))
            assert "received" == await self.adapter.probe(sent, on.context)
            assert await self.adapter.probe(never, on.context) in ("absent", "unknown")
            with refusing() as nobody:
                assert "unknown" == await self.adapter.probe(sent, on.at("127.0.0.1", nobody.getsockname()[1]))
            on.road.change(weather.silence)
            assert await self.adapter.probe(sent, on.within(SHORT_SECONDS)) in ("unknown", "received")

    @needs("probes")
    @pytest.mark.parametrize("place", ["within the body", "after the body", "within the answer"])
    async def test_a_probe_after_a_cut_is_never_wrong(self, tmp_path: Path, place: str) -> None:
        async with self.on(tmp_path) as on:
            await cut_off(on, place)
            on.road.change(weather.clear)
            out = large_outbound(self.adapter, place)
            evidence = await self.adapter.probe(out, on.context)
            has = out.payload in list(await on.peer.received())
            assert evidence in (("received", "unknown") if has else ("absent", "unknown"))

    # --- collecting ---

    @needs("collects")
    async def test_files_come_oldest_first_whole_and_stay_until_they_are_settled(self, tmp_path: Path) -> None:
        """Some payers list what they have, some give the next file only when they are told of the one before."""
        files = offered(3)
        async with self.on(tmp_path) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            for _ in range(2):
                got = [f.payload for f in await collected(on)]
                assert got
                assert list(files.values())[: len(got)] == got
                assert 3 == await on.peer.offered()
            await self.adapter.settle((await collected(on))[0], on.context)
            assert list(files.values())[1:] == [f.payload for f in await drained(on)]
            assert 0 == await on.peer.offered()

    @needs("collects")
    async def test_an_empty_outbox_gives_nothing(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            assert [] == await collected(on)

    @needs("collects")
    async def test_settling_twice_is_the_same_as_once(self, tmp_path: Path) -> None:
        files = offered(2)
        async with self.on(tmp_path) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            first = (await collected(on))[0]
            for _ in range(2):
                await self.adapter.settle(first, on.context)
            assert 1 == await on.peer.offered()
            assert list(files.values())[1:] == [f.payload for f in await drained(on)]
            await self.adapter.settle(first, on.context)

    @needs("collects")
    async def test_a_collection_may_be_abandoned_and_begun_again(self, tmp_path: Path) -> None:
        files = offered(3)
        async with self.on(tmp_path) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            async with asyncio.timeout(SECONDS), aclosing(self.adapter.collect(on.context)) as collecting:
                async for _ in collecting:
                    break
            # What a session keeps open for later is its own; what the adapter opened must go with the collection.
            await on.context.session.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await on.road.quiet.wait()
            async with trip(self.adapter, on.peer) as again:
                assert list(files.values()) == [f.payload for f in await drained(again)]

    @needs("collects")
    @pytest.mark.parametrize("tenth", range(1, 10, 2))
    async def test_a_collection_that_is_cut_off_gives_no_half_of_a_file(self, tmp_path: Path, tenth: int) -> None:
        files = offered(3)
        async with self.on(tmp_path) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            before = on.road.down_bytes
            await collected(on)
            down = (on.road.down_bytes - before) * tenth // 10
        async with self.on(tmp_path / "again", weather.cuts(down=max(down, 1)), weather.cuts(down=1)) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            got: list[Inbound] = []
            failure: Exception | None = None
            try:
                async with asyncio.timeout(SECONDS), aclosing(self.adapter.collect(on.context)) as collecting:
                    async for one in collecting:
                        got.append(one)  # noqa: PERF401 - what came before the cut counts
            except Exception as error:
                failure = error
            assert failure is not None, "a collection that was cut off looks like one that came to its end"
            assert list(files.values())[: len(got)] == [g.payload for g in got]
            assert [] == leaks(shown(failure), on.secrets)
            on.road.change(weather.clear)
            assert list(files.values()) == [f.payload for f in await drained(on)]

    @needs("collects")
    @pytest.mark.parametrize("happens", [weather.silence, weather.drips(0.2)], ids=["silence", "drops"])
    async def test_a_collection_from_a_peer_that_is_slow_ends_with_the_deadline(
        self, tmp_path: Path, happens: weather.Weather
    ) -> None:
        async with self.on(tmp_path, happens) as on:
            await on.peer.offer("001.x12", question_or_claims("270", 1))
            async with asyncio.timeout(SHORT_SECONDS + 1.0):
                with pytest.raises(Exception) as failure:  # noqa: PT011
                    async with aclosing(self.adapter.collect(on.within(SHORT_SECONDS))) as collecting:
                        await anext(collecting)
            assert not isinstance(failure.value, StopAsyncIteration)
            assert [] == leaks(shown(failure.value), on.secrets)

    @needs("collects")
    async def test_a_payer_that_is_away_is_told_and_not_taken_for_an_empty_outbox(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            with refusing() as nobody:
                away = on.at("127.0.0.1", nobody.getsockname()[1])
                with pytest.raises(Exception) as failure:  # noqa: PT011
                    async with aclosing(self.adapter.collect(away)) as collecting:
                        await anext(collecting)
                assert not isinstance(failure.value, StopAsyncIteration)
                assert [] == leaks(shown(failure.value), on.secrets)
                with pytest.raises(Exception) as unsettled:  # noqa: PT011
                    await self.adapter.settle(Inbound("1", "1", b""), away)
                assert [] == leaks(shown(unsettled.value), on.secrets)

    # --- what it touches and what it tells ---

    async def test_nothing_is_touched_outside_of_the_context(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            if self.adapter.capabilities.collects:
                await on.peer.offer("001.x12", question_or_claims("270", 1))
            with watching(on.road.port) as touched:
                out = outbound(one_set(self.adapter.capabilities))
                await self.adapter.send(out, on.context)
                if self.adapter.capabilities.probes:
                    await self.adapter.probe(out, on.context)
                if self.adapter.capabilities.collects:
                    await drained(on)
            assert [] == touched

    async def test_no_log_no_message_and_no_repr_tells_a_payload_or_a_secret(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        set_id = one_set(self.adapter.capabilities)
        told: list[object] = [self.adapter]
        with caplog.at_level(logging.DEBUG):
            for place in CUTS:
                async with self.on(tmp_path) as on:
                    told += [await cut_off(on, place), on.context]
            async with self.on(tmp_path) as on:
                told += [
                    await on.send(outbound(s, number=60 + n))
                    for n, s in enumerate(sorted(self.adapter.capabilities.batch | self.adapter.capabilities.real_time))
                ]
                told.append(outbound(set_id))
                secrets = on.secrets
        assert [] == leaks(" ".join(map(shown, told)), secrets)
        records = [r for r in caplog.records if not r.name.startswith("aiohttp.server")]
        assert [] == leaks(" ".join(f"{r.getMessage()} {r.exc_text or ''}" for r in records), secrets)

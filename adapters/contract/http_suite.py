"""The weather that only HTTP has: statuses, answers that are none, headers and bodies without end."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path

import pytest

from adapters.contract import road as weather
from adapters.contract.impostors import Whom
from adapters.contract.samples import answer, outbound
from adapters.contract.trips import (
    CUT_OUTCOMES,
    CUTS,
    DAY,
    NOW,
    SHORT_SECONDS,
    Foundation,
    cut_off_within_tls,
    needs,
    one_set,
    within_tls,
)
from adapters.protocol import Delivered, InDoubt, NotSent, Refused, Replied

__all__ = ["HttpContract"]

_PAGE = b"<!doctype html><title>Proxy</title><p>The requested page could not be shown."
_MEGABYTE = 1 << 20
_WHOLE = answer()


@cache
def _bomb() -> bytes:
    """Some kilobytes that unpack to 32 megabytes."""
    return gzip.compress(bytes(32 * _MEGABYTE))


class HttpContract(Foundation):
    """The tests of adapters whose manifest says `wire="http"`; part of AdapterContract."""

    @needs("http")
    @pytest.mark.parametrize("place", CUTS[1:])
    async def test_a_cut_within_tls_comes_to_the_outcome_of_its_place(self, tmp_path: Path, place: str) -> None:
        async with self.peer(tmp_path) as peer:
            assert isinstance(await cut_off_within_tls(self.adapter, peer, place), CUT_OUTCOMES[place])

    @needs("http")
    async def test_over_tls_the_payer_gets_what_it_gets_without(self, tmp_path: Path) -> None:
        async with self.peer(tmp_path) as peer, within_tls(self.adapter, peer) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), (Delivered, Replied))

    @needs("http")
    @pytest.mark.parametrize("who", ["another name", "an old certificate", "nobody we know"])
    async def test_somebody_with_another_certificate_gets_nothing(self, tmp_path: Path, who: Whom) -> None:
        async with self.peer(tmp_path) as peer, within_tls(self.adapter, peer, who=who) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), NotSent)
            assert (0, 0) == (on.road.up_bytes, on.road.requests)

    @needs("http")
    @pytest.mark.parametrize("status", [500, 502, 504])
    async def test_a_server_error_after_the_body_is_in_doubt(self, tmp_path: Path, status: int) -> None:
        async with self.on(tmp_path, weather.answers(status, _PAGE, taken=True)) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), InDoubt)

    @needs("http")
    @pytest.mark.parametrize(
        "body", [b"", _PAGE, b"\xff\xfe\x00", b"{}", _WHOLE[:40]], ids=["empty", "html", "garbage", "json", "cut"]
    )
    async def test_a_200_that_says_nothing_is_in_doubt(self, tmp_path: Path, body: bytes) -> None:
        async with self.on(tmp_path, weather.answers(200, body, taken=True)) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), InDoubt)

    @needs("http")
    @pytest.mark.parametrize("body", [b"", _PAGE, _WHOLE[:100]])
    async def test_an_answer_shorter_than_it_announced_is_in_doubt(self, tmp_path: Path, body: bytes) -> None:
        async with self.on(tmp_path, weather.answers(200, body, taken=True, length=len(body) + 50)) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), InDoubt)

    @needs("http")
    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused_credentials_are_asked_for_once_more_at_most_and_wait_for_a_mend(
        self, tmp_path: Path, status: int
    ) -> None:
        async with self.on(tmp_path, weather.answers(status)) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)))
            assert isinstance(outcome, NotSent)
            assert outcome.retry_after_seconds
            assert on.road.requests <= 2

    @needs("http")
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7.0),
            ("-5", 0.0),
            ("1000000000", DAY),
            (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120.0),
            (format_datetime(NOW + timedelta(days=9), usegmt=True), DAY),
        ],
    )
    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_peer_that_names_a_time_is_left_alone_so_long_and_a_day_at_most(
        self, tmp_path: Path, status: int, header: str, seconds: float
    ) -> None:
        async with self.on(tmp_path, weather.answers(status, b"", f"Retry-After: {header}")) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)))
            assert isinstance(outcome, NotSent)
            assert seconds == outcome.retry_after_seconds

    @needs("http")
    @pytest.mark.parametrize("status", [301, 302, 307])
    async def test_a_redirect_is_not_followed(self, tmp_path: Path, status: int) -> None:
        async with self.on(tmp_path) as elsewhere:
            location = f"Location: http://127.0.0.1:{elsewhere.road.port}/"
            async with self.on(tmp_path / "there", weather.answers(status, b"", location)) as on:
                assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), (Refused, InDoubt))
            assert 0 == elsewhere.road.connections

    @needs("http")
    async def test_headers_without_end_are_in_doubt_in_flat_memory(self, tmp_path: Path) -> None:
        endless = weather.floods(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"y" * 1000 + b"\r\n")
        async with self.on(tmp_path, endless) as on:
            tracemalloc.start()
            try:
                assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), InDoubt)
                assert tracemalloc.get_traced_memory()[1] < 8 * _MEGABYTE
            finally:
                tracemalloc.stop()

    @needs("http")
    async def test_an_answer_without_end_is_in_doubt(self, tmp_path: Path) -> None:
        endless = weather.floods(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"A" * _MEGABYTE)
        async with self.on(tmp_path, endless) as on:
            assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities)), on.within(30)), InDoubt)

    @needs("http")
    async def test_a_compressed_answer_is_not_unpacked_beyond_measure(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.answers(200, _bomb(), "Content-Encoding: gzip", taken=True)) as on:
            tracemalloc.start()
            try:
                assert isinstance(await on.send(outbound(one_set(self.adapter.capabilities))), InDoubt)
                assert tracemalloc.get_traced_memory()[1] < 8 * _MEGABYTE
            finally:
                tracemalloc.stop()

    @needs("http")
    async def test_a_peer_that_reads_and_never_answers_is_in_doubt(self, tmp_path: Path) -> None:
        async with self.on(tmp_path, weather.silence) as on:
            outcome = await on.send(outbound(one_set(self.adapter.capabilities)), on.within(SHORT_SECONDS))
            assert isinstance(outcome, InDoubt)

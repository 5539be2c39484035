"""What a process notices of itself and around it becomes an alarm: a loop that stands still, a disk nearly full, certificates that end."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from adapters.protocol import Context, Outbound, Outcome
from gateway import care
from gateway.care import Watchdog, free_enough
from gateway.payers import Route
from gateway.steps.certificates import notice
from tests.certificates import kept
from tests.flows.doubtful import Doubtful, Quiet, doubtful
from tests.flows.service import claim_body, until
from tests.flows.test_alarms import alarms, looked

GIB = 1 << 30


class Usage(NamedTuple):
    """What a disk has."""

    total: int
    used: int
    free: int


def nearly_full(_: Path) -> Usage:
    return Usage(100 * GIB, 99 * GIB, GIB // 2)


async def until_alarm(payer: Doubtful, kind: str) -> dict[str, Any]:
    """The alarm of a kind, once the watch has looked."""
    await looked(payer)
    (found,) = [one for one in await alarms(payer.client) if one["kind"] == kind]
    return found


class Holding(Quiet):
    """An adapter that does not give way."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        time.sleep(0.6)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().send(outbound, context)


async def test_f46_an_adapter_that_holds_up_the_loop_is_named_by_module_and_line(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        dog = Watchdog(blocked_seconds=0.2)
        beating = asyncio.create_task(dog.keep())
        payer.up.runtime.use("sandbox", Holding(probes=False, collects=False))
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        while not dog.stalls:  # noqa: ASYNC110 - a thread tells it
            await asyncio.sleep(0.01)
        beating.cancel()
        seconds, where = max(dog.stalls)
        assert 0.2 < seconds
        assert where.startswith(f"{__name__}:")
        assert "gateway.steps.send:" in where
        await care.look(payer.up.runtime, dog, tmp_path)
        alarm = await until_alarm(payer, "loop blocked")
        assert __name__ in alarm["says"]
        # It is told for an hour.
        await looked(payer, 1.1)
        assert "loop blocked" not in [one["kind"] for one in await alarms(payer.client)]


async def test_a_loop_that_runs_is_not_told(tmp_path: Path) -> None:
    dog = Watchdog(blocked_seconds=1.0)
    beating = asyncio.create_task(dog.keep())
    await asyncio.sleep(0.6)
    beating.cancel()
    assert [] == dog.stalls


@pytest.mark.parametrize(
    ("total", "free", "enough"),
    [
        (100 * GIB, 5 * GIB, True),
        (100 * GIB, 5 * GIB - 1, False),
        (10 * GIB, GIB, True),
        (10 * GIB, GIB - 1, False),
        # A large disk need not have a large part free.
        (10_000 * GIB, 10 * GIB, True),
    ],
)
def test_room_on_a_disk_is_enough_by_share_and_by_size(total: int, free: int, enough: bool) -> None:
    assert enough == free_enough(total, free)


async def test_a_disk_that_is_nearly_full_is_an_alarm_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with doubtful(tmp_path) as payer:
        monkeypatch.setattr(shutil, "disk_usage", nearly_full)
        await care.look(payer.up.runtime, Watchdog(), tmp_path)
        assert "512 MiB of 102400 MiB" in (await until_alarm(payer, "disk"))["says"]
        monkeypatch.undo()
        await looked(payer, 0.1)
        assert "disk" not in [one["kind"] for one in await alarms(payer.client)]


@pytest.mark.parametrize(("days", "expected"), [(31, None), (30, 30), (14.5, 30), (14, 14), (3.5, 14), (3, 3), (-1, 3)])
def test_f09_notice_of_a_certificates_end_is_due_thirty_fourteen_and_three_days_before(
    days: float, expected: int | None
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert expected == notice(now + timedelta(days=days), now)


async def test_f09_certificates_that_end_soon_are_alarms_theirs_and_ours(tmp_path: Path) -> None:
    _, authority = kept(tmp_path, "authority", None)
    theirs, _ = kept(tmp_path, "theirs", authority, days=10)
    ours, _ = kept(tmp_path, "ours", authority, days=25)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(theirs)

    async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with doubtful(tmp_path / "data") as payer:
        settings = {"url": f"https://127.0.0.1:{port}", "certificate": str(ours)}
        routes = payer.up.runtime.directory.routes
        routes["tls"] = msgspec.structs.replace(routes["sandbox"], id="tls", adapter="core", settings=settings)
        payer.passes(86_401)
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(30):
            while len(found) < 2:
                await looked(payer)
                found = [one for one in await alarms(payer.client) if one["kind"] == "certificate"]
        # A day has passed here meanwhile.
        said = sorted(one["says"] for one in found)
        ends = [(datetime.now(UTC) + timedelta(days=days)).date() for days in (25, 10)]
        assert [
            f"tls: our certificate ends on {ends[0]}",
            f"tls: the certificate of the payer ends on {ends[1]}",
        ] == said
        assert {"tls"} == {one["routeId"] for one in found}
        assert isinstance(routes["tls"], Route)
    server.close()

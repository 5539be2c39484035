"""The sandbox payer is one payer over all its roads: the same scripts, weather and habits over REST, CORE as SOAP and as MIME, and SFTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

import x12
from adapters import registry
from adapters.contract.samples import outbound
from adapters.protocol import Adapter, Context, Delivered, InDoubt, NotSent, Outbound, Replied
from adapters.sandbox.weather import Fault
from adapters.transports.core import mime, soap
from adapters.transports.core.envelope import Envelope, payload_id, stamp
from adapters.transports.session import open_session
from adapters.transports.trouble import ExchangeFailed
from tests.contract.test_sandbox import Practice, claims, eligibility, opened

ROADS = ("rest", "core soap", "core mime", "sftp")
ASKING = ROADS[:3]


class Way(NamedTuple):
    """A road to one payer."""

    practice: Practice
    adapter: Adapter
    context: Context

    def within(self, seconds: float) -> Context:
        return msgspec.structs.replace(self.context, deadline_seconds=seconds)

    async def taken(self) -> int:
        return sum((await self.practice.json("/seen"))["claims"].values())

    async def collected(self) -> list[str]:
        """The sets of each file that is collected and settled, as the gateway does it."""
        kinds: list[str] = []
        async for one in self.adapter.collect(self.context):
            await self.adapter.settle(one, self.context)
            kinds += [s.set_id for i in x12.read(one.payload) for g in i.groups for s in g.sets]
        return kinds


@asynccontextmanager
async def way(state: Path, road: str) -> AsyncGenerator[Way, None]:
    name = road.partition(" ")[0]
    async with opened(state) as practice, open_session() as session:
        told = {"url": practice.server.url}
        if name == "core":
            told = {"url": f"{practice.server.url}/core", "sender_id": "ALDERFP", "receiver_id": "SANDBOX"}
            told |= {"envelope": road.partition(" ")[2], "settles": "all"}
        if name == "sftp":
            files = await practice.server.listen_sftp("127.0.0.1", 0)
            told = {"host": "127.0.0.1", "port": str(files.port), "user": "alderfp", "host_keys": files.host_key}
            told |= {"upload": "/inbound", "download": "/outbound", "still_seconds": "0"}
        secrets = {"password": "any"} if name == "sftp" else {}
        context = Context(told, secrets, session, lambda: datetime.now(UTC), 10.0)
        yield Way(practice, registry.load(name), context)


def claim(number: str = "PAID-1", isa13: int = 1) -> Outbound:
    return msgspec.structs.replace(outbound("837", number=isa13), payload=claims(number, isa13=isa13))


def question(member: str) -> Outbound:
    return msgspec.structs.replace(outbound("270"), payload=eligibility(member))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


@pytest.mark.parametrize("road", ROADS)
async def test_a_claim_has_its_whole_story_over_each_road(state: Path, road: str) -> None:
    async with way(state, road) as on:
        await on.practice.json("/pins", {"pins": [{"patientControlNumber": "A-1", "script": "DENIED"}]})
        assert isinstance(await on.adapter.send(claim("A-1"), on.context), Delivered)
        assert ["999", "277"] == await on.collected()
        await on.practice.server.forward(timedelta(days=1))
        assert ["835"] == await on.collected()
        assert [] == await on.collected()


@pytest.mark.parametrize("road", ASKING)
async def test_a_pin_holds_for_questions_over_each_road(state: Path, road: str) -> None:
    async with way(state, road) as on:
        await on.practice.json("/pins", {"pins": [{"memberId": "W123", "script": "NOTFOUND"}]})
        answered = await on.adapter.send(question("W123"), on.context)
        assert isinstance(answered, Replied)
        assert b"AAA*N**75" in answered.payload


@pytest.mark.parametrize("road", ASKING)
@pytest.mark.parametrize(
    ("fault", "outcome", "taken"),
    [
        ("ok", Delivered, 1),
        ("refuse-429", NotSent, 0),
        ("refuse-503", NotSent, 0),
        ("html", InDoubt, 0),
        ("drop", InDoubt, 0),
        ("cut", InDoubt, 1),
        ("fail-500", InDoubt, 1),
        ("hang", InDoubt, 1),
        ("slow", Delivered, 1),
    ],
)
async def test_the_weather_befalls_each_road(
    state: Path, road: str, fault: Fault, outcome: type[object], taken: int
) -> None:
    async with way(state, road) as on:
        await on.practice.json("/weather", {"next": [fault]})
        context = on.within(0.5) if fault == "hang" else on.context
        assert isinstance(await on.adapter.send(claim(), context), outcome)
        assert taken == await on.taken()


@pytest.mark.parametrize("road", ROADS)
async def test_an_answer_is_as_late_as_it_is_asked_to_be(state: Path, road: str) -> None:
    async with way(state, road) as on:
        await on.practice.json("/weather", {"latencySeconds": 30})
        assert isinstance(await on.adapter.send(claim(), on.within(0.5)), (InDoubt, NotSent))
        await on.practice.json("/weather", {})
        assert isinstance(await on.adapter.send(claim("PAID-2", 2), on.context), Delivered)


@pytest.mark.parametrize("road", ROADS)
async def test_an_outage_and_a_rate_are_those_of_the_payer(state: Path, road: str) -> None:
    async with way(state, road) as on:
        await on.practice.json("/weather", {"outageSeconds": 60})
        assert isinstance(await on.adapter.send(claim(), on.context), (InDoubt, NotSent))
        with pytest.raises(ExchangeFailed):
            await on.collected()
        assert 0 == await on.taken()
        await on.practice.json("/weather", {"perSecond": 0.01})
        turned_away = [await on.adapter.send(claim(f"PAID-{n}", n), on.context) for n in (1, 2)]
        assert isinstance(turned_away[-1], NotSent)
        assert await on.taken() <= 1


@pytest.mark.parametrize("road", ROADS)
async def test_files_that_come_late_twice_or_with_other_delimiters_do_so_over_each_road(state: Path, road: str) -> None:
    async with way(state, road) as on:
        habits = {"delays": {"999": 60, "277CA": 3600}, "outbox": ["duplicate", "reverse"], "delimiters": "|^}~"}
        await on.practice.json("/habits", habits)
        assert isinstance(await on.adapter.send(claim(), on.context), Delivered)
        assert [] == await on.collected()
        await on.practice.server.forward(timedelta(seconds=61))
        assert {"999"} == set(await on.collected())
        await on.practice.server.forward(timedelta(hours=1))
        assert {"277"} == set(await on.collected())


@pytest.mark.parametrize("road", ["core soap", "core mime"])
async def test_an_acknowledgement_that_comes_late_is_had_by_the_submission_that_it_is_of(
    state: Path, road: str
) -> None:
    async with way(state, road) as on:
        await on.practice.json("/habits", {"delays": {"999": 60}})
        sent, other = claim(), claim("PAID-2", 2)
        for one in (other, sent):
            assert isinstance(await on.adapter.send(one, on.context), Delivered)
        # That it has none yet says nothing.
        assert "unknown" == await on.adapter.probe(sent, on.context)
        assert ("X12_005010_Response_NoBatchAckFile", b"") == await asked_for(on, sent)
        await on.practice.server.forward(timedelta(seconds=61))
        kind, of = await asked_for(on, sent)
        assert ("X12_999_Response_005010X231A1", b"000000001") == (kind, of)


async def asked_for(on: Way, sent: Outbound) -> tuple[str, bytes]:
    """The type of what a retrieval gets that names a submission, and ISA13 of the interchange that it answers."""
    asking = Envelope(
        kind="acknowledgement retrieval",
        payload_type="X12_999_RetrievalRequest_005010X231A1",
        payload_id=payload_id(sent.idempotency_key),
        time_stamp=stamp(datetime.now(UTC)),
        sender_id="ALDERFP",
        receiver_id="SANDBOX",
    )
    form = mime if on.context.settings["envelope"] == "mime" else soap
    wire = form.write(asking)
    async with on.context.session.post(on.context.settings["url"], data=wire.body, headers=wire.headers) as response:
        read = form.read(response.headers["Content-Type"], await response.read())
    assert not isinstance(read, soap.Fault)
    payload = read.envelope.payload or b""
    return read.envelope.payload_type, b"000000001" if b"AK1*HC*1*" in payload else payload[:0]

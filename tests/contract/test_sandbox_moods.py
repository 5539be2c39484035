"""How the sandbox payer is on request: pinned scripts, habits of its outbox, weather that lasts, over every road."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters.sandbox
import x12
from adapters import registry
from adapters.contract.samples import outbound
from adapters.protocol import Context, Delivered, InDoubt, NotSent
from adapters.sandbox.payer import Disorder, Habits, Kind
from adapters.sandbox.scenarios import CLAIM_SCRIPTS, MEMBER_SCRIPTS, Pin
from adapters.sandbox.weather import Fault, Forecast, Weather
from adapters.transports.trouble import ExchangeFailed
from tests.contract.test_sandbox import Practice, claims, coded, codes, eligibility, opened

DAY = timedelta(days=1)
README = (Path(adapters.sandbox.__file__).parent / "README.md").read_text("utf-8")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


# --- pins ---------------------------------------------------------------------------------------------------------------


async def test_a_pinned_member_meets_with_its_script_whatever_its_id_begins_with(state: Path) -> None:
    async with opened(state) as practice:
        assert set() == codes(await practice.coverage(eligibility("W123456789")))
        pins = [{"memberId": "w123456789 ", "script": "NOTFOUND"}, {"memberId": "INACTIVE-1", "script": "ACTIVE"}]
        assert 2 == len((await practice.json("/pins", {"pins": pins}))["pins"])
        assert {"75"} == codes(await practice.coverage(eligibility("W123456789")))
        active = await practice.coverage(eligibility("INACTIVE-1"))
        assert "1" == (active.benefits_information or [])[0].code
    # They outlive the process, until they are taken away.
    async with opened(state) as practice:
        assert {"75"} == codes(await practice.coverage(eligibility("W123456789")))
        assert {"pins": []} == await practice.json("/pins", {"pins": []})
        assert set() == codes(await practice.coverage(eligibility("W123456789")))


@pytest.mark.parametrize("pin", [{"patientControlNumber": "A-1"}, {"memberId": "MEM1"}])
async def test_a_pinned_claim_is_denied(state: Path, pin: dict[str, str]) -> None:
    async with opened(state) as practice:
        await practice.json("/pins", {"pins": [{**pin, "script": "DENIED"}]})
        await practice.submit(claims("A-1"))
        await practice.server.forward(DAY)
        (paid,) = await practice.remitted()
        assert "4" == paid.status
        assert "F2:585" == coded(await practice.standing("A-1"))


async def test_a_pin_goes_before_what_a_claim_is_called(state: Path) -> None:
    async with opened(state) as practice:
        pins = [{"patientControlNumber": "PAID-1", "script": "LOST"}, {"memberId": "MEM1", "script": "DENIED"}]
        await practice.json("/pins", {"pins": pins})
        await practice.submit(claims("PAID-1", "PAID-2"))
        await practice.server.forward(DAY)
        assert "A4:35" == coded(await practice.standing("PAID-1"))
        assert ["4"] == [paid.status for paid in await practice.remitted()]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"pins": [{"script": "PAID"}]}, "a pin is for"),
        ({"pins": [{"memberId": "A", "patientControlNumber": "B", "script": "PAID"}]}, "a pin is for"),
        ({"pins": [{"patientControlNumber": "A", "script": "WRONGDOB"}]}, "pin it to a memberId"),
        ({"pins": [{"memberId": "A", "script": "OTHER"}]}, "OTHER"),
        ({"pins": [{"memberId": "", "script": "PAID"}]}, "length"),
        ({"pin": []}, "pin"),
    ],
)
async def test_a_pin_that_is_none_is_refused_and_none_of_them_holds(
    state: Path, body: dict[str, object], word: str
) -> None:
    async with opened(state) as practice, practice.session.post("/pins", json=body) as response:
        assert 400 == response.status
        assert word in (await response.json())["error"]
        assert {"pins": []} == await practice.json("/pins")


def test_every_script_can_be_pinned() -> None:
    for script in (*MEMBER_SCRIPTS, *CLAIM_SCRIPTS):
        assert script == msgspec.json.decode(f'{{"memberId": "A", "script": "{script}"}}'.encode(), type=Pin).script


# --- habits --------------------------------------------------------------------------------------------------------------


async def test_files_come_as_late_as_they_are_asked_to(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/habits", {"delays": {"999": 60, "277CA": 3600}})
        await practice.submit(claims("PAID-1"))
        assert [] == await practice.names()
        await practice.server.forward(timedelta(seconds=61))
        assert ["999"] == await practice.names()
    async with opened(state) as practice:
        assert {"999": 60, "277CA": 3600} == (await practice.json("/habits"))["delays"]
        await practice.server.forward(timedelta(hours=1))
        assert ["999", "277CA"] == await practice.names()


async def test_an_outbox_in_disorder(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/habits", {"outbox": ["duplicate", "reverse", "garbage"]})
        await practice.submit(claims("PAID-1"))
        listed = (await practice.json("/outbox"))["files"]
        assert ["277CA"] * 3 + ["999"] * 3 == [f["name"].rpartition(".")[2] for f in listed]
        contents = [(await practice.get(f"/outbox/{f['reference']}"))[1] for f in listed]
        assert contents[0] == contents[1] != contents[3] == contents[4]
        for content in (contents[2], contents[5]):
            assert not [g for i in x12.read(content) for g in i.groups]
        assert 6 == len({f["reference"] for f in listed})


async def test_a_partial_file_is_whole_some_seconds_later(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/habits", {"outbox": ["partial"]})
        await practice.submit(claims("PAID-1"))
        (first, *_) = (await practice.json("/outbox"))["files"]
        half = (await practice.get(f"/outbox/{first['reference']}"))[1]
        whole = half
        for _ in range(100):
            if whole == half:
                await asyncio.sleep(0.1)
                whole = (await practice.get(f"/outbox/{first['reference']}"))[1]
        assert whole.startswith(half)
        assert whole.endswith(b"~") > half.endswith(b"~")


async def test_files_and_answers_have_the_delimiters_that_are_asked_for(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/habits", {"delimiters": "|^}~"})
        await practice.submit(claims("PAID-1"))
        for _, content in await practice.collect():
            assert b"|^}~" == content[3:4] + content[82:83] + content[104:106]
        answer = await practice.ask(eligibility("ACTIVE-1"))
        assert answer.startswith(b"ISA|")
        assert "1" == ((await practice.coverage(eligibility("ACTIVE-2"))).benefits_information or [])[0].code


@pytest.mark.parametrize(
    "body",
    [
        {"delays": {"999": -1}},
        {"delays": {"271": 5}},
        {"outbox": ["lost"]},
        {"delimiters": "||}~"},
        {"delimiters": "ABCD"},
        {"other": 1},
    ],
)
async def test_habits_that_are_none_are_refused(state: Path, body: dict[str, object]) -> None:
    async with opened(state) as practice, practice.session.post("/habits", json=body) as response:
        assert 400 == response.status
        assert Habits() == msgspec.convert(await practice.json("/habits"), Habits)


# --- weather that lasts ---------------------------------------------------------------------------------------------------


async def test_nobody_gets_through_an_outage_of_days_until_it_is_over_by_the_payers_clock(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/weather", {"outageSeconds": 3 * 86_400})
        for path in ("/outbox", "/outbox/x", "/x12/x"):
            with pytest.raises(aiohttp.ClientError):
                await practice.get(path)
        with pytest.raises(aiohttp.ClientError):
            await practice.session.delete("/outbox/x")
        with pytest.raises(aiohttp.ClientError):
            await practice.post(claims("PAID-1"))
        await practice.server.forward(timedelta(days=2, hours=23))
        with pytest.raises(aiohttp.ClientError):
            await practice.post(claims("PAID-1"))
        assert 0 < (await practice.json("/weather"))["outageSeconds"] <= 3600
        await practice.server.forward(timedelta(hours=1))
        await practice.submit(claims("PAID-1"))
        assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]


async def test_more_than_so_many_a_second_are_told_when_to_come_back(state: Path) -> None:
    async with opened(state) as practice:
        await practice.json("/weather", {"perSecond": 0.02})
        await practice.submit(claims("PAID-1"))
        async with practice.session.post("/x12", data=claims("PAID-2", isa13=2)) as response:
            assert 429 == response.status
            assert 40 < int(response.headers["Retry-After"]) <= 50
        async with practice.session.get("/outbox") as response:
            assert 429 == response.status
        await practice.json("/weather", {})
        await practice.submit(claims("PAID-2", isa13=2))


@given(
    rate=st.floats(0.01, 100),
    comings=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_a_rate_is_kept_over_any_span(rate: float, comings: list[float]) -> None:
    clock = 1_000.0
    weather = Weather(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda: clock)
    weather.become(Forecast(per_second=rate))
    through: list[float] = []
    for wait in comings:
        clock += wait
        if weather.outside() == "ok":
            through.append(clock)
        else:
            assert weather.retry_after() >= 1
    for first in range(len(through)):
        for last in range(first, len(through)):
            allowed = max(1.0, rate) + (through[last] - through[first]) * rate
            assert last - first + 1 <= allowed + 1e-6


@pytest.mark.parametrize("body", [{"next": ["rain"]}, {"perSecond": 0}, {"latencySeconds": -1}, {"outage": 5}])
async def test_weather_that_is_none_is_refused_and_changes_nothing(state: Path, body: dict[str, object]) -> None:
    async with opened(state) as practice:
        await practice.json("/weather", {"next": ["slow"]})
        async with practice.session.post("/weather", json=body) as response:
            assert 400 == response.status
        assert ["slow"] == (await practice.json("/weather"))["next"]


# --- the same over SFTP ---------------------------------------------------------------------------------------------------


async def over_sftp(practice: Practice) -> Context:
    """How the SFTP adapter reaches this payer."""
    files = await practice.server.listen_sftp("127.0.0.1", 0)
    told = {
        "host": "127.0.0.1",
        "port": str(files.port),
        "user": "alderfp",
        "host_keys": files.host_key,
        "upload": "/inbound",
        "download": "/outbound",
        "still_seconds": "0",
        "processed": "/inbound/processed/{name} /inbound/processed/{name}.error",
    }
    return Context(
        told, {"password": practice.server.token or "any"}, practice.session, lambda: datetime.now(UTC), 10.0
    )


SFTP = registry.load("sftp")


async def test_claims_go_up_and_answers_come_down(state: Path) -> None:
    async with opened(state, "secret") as practice:
        context = await over_sftp(practice)
        practice.session.headers["Authorization"] = "Bearer secret"
        claim = msgspec.structs.replace(outbound("837"), payload=claims("PAID-1"))
        assert isinstance(await SFTP.send(claim, context), Delivered)
        # The payer took it at once: it is where it puts such files, also after the process has ended.
        assert "received" == await SFTP.probe(claim, context)
        assert isinstance(await SFTP.send(claim, context), Delivered)
        assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]
        other = msgspec.structs.replace(claim, payload=claims("PAID-2"))
        assert isinstance(await SFTP.send(other, context), NotSent)
        await practice.server.forward(DAY)
        got = [one async for one in SFTP.collect(context)]
        assert ["999", "277CA", "835"] == [one.name.rpartition(".")[2] for one in got]
        for one in got:
            await SFTP.settle(one, context)
        assert [] == [one async for one in SFTP.collect(context)]
        assert [] == await practice.names()
        assert isinstance(await SFTP.send(claim, msgspec.structs.replace(context, secrets={"password": "x"})), NotSent)
    async with opened(state) as practice:
        context = await over_sftp(practice)
        assert "received" == await SFTP.probe(claim, context)


async def test_questions_in_a_file_are_answered_in_the_outbox_and_garbage_is_put_aside(state: Path) -> None:
    async with opened(state) as practice:
        context = await over_sftp(practice)
        question = msgspec.structs.replace(outbound("837"), payload=eligibility("ACTIVE-1"), control_number="000000007")
        assert isinstance(await SFTP.send(question, context), Delivered)
        assert ["271"] == await practice.names()
        garbage = msgspec.structs.replace(outbound("837"), payload=b"no X12 at all", control_number="000000008")
        assert isinstance(await SFTP.send(garbage, context), Delivered)
        assert "received" == await SFTP.probe(garbage, context)
        assert ["271"] == await practice.names()


@pytest.mark.parametrize(
    ("fault", "outcome", "taken"),
    [
        ("ok", Delivered, 1),
        ("refuse-429", NotSent, 0),
        ("refuse-503", NotSent, 0),
        ("html", NotSent, 0),
        ("drop", InDoubt, 0),
        ("cut", InDoubt, 1),
        ("fail-500", InDoubt, 1),
        ("hang", InDoubt, 1),
        ("slow", Delivered, 1),
    ],
)
async def test_the_weather_befalls_uploads_too(state: Path, fault: Fault, outcome: type[object], taken: int) -> None:
    async with opened(state) as practice:
        context = msgspec.structs.replace(await over_sftp(practice), deadline_seconds=1.0 if fault == "hang" else 10.0)
        await practice.json("/weather", {"next": [fault]})
        claim = msgspec.structs.replace(outbound("837"), payload=claims("PAID-1"))
        assert isinstance(await SFTP.send(claim, context), outcome)
        assert taken == sum((await practice.json("/seen"))["claims"].values())


async def test_an_outage_is_one_over_sftp_too(state: Path) -> None:
    async with opened(state) as practice:
        context = await over_sftp(practice)
        await practice.json("/weather", {"outageSeconds": 60})
        assert isinstance(await SFTP.send(outbound("837"), context), NotSent)
        with pytest.raises(ExchangeFailed):
            _ = [one async for one in SFTP.collect(context)]


# --- what is documented ---------------------------------------------------------------------------------------------------


def test_every_scenario_fault_and_habit_is_in_the_readme() -> None:
    words = (*MEMBER_SCRIPTS, *CLAIM_SCRIPTS, *get_args(Fault), *get_args(Disorder), *get_args(Kind))
    fields = [f.encode_name for kind in (Forecast, Habits, Pin) for f in msgspec.structs.fields(kind)]
    assert [] == [word for word in (*words, *fields) if f"`{word}`" not in README]

"""What a person should know is told once, with what to do next: in the log, over the API, by mail; and closes when its cause is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import Config, Mail
from gateway.ledger.alarms import Alarm
from gateway.payers import Expects
from gateway.runtime import TENANT
from gateway.serving import Running
from gateway.steps.mail import letter
from queues import work
from tests.flows.contract import Contract
from tests.flows.doubtful import Doubtful, Quiet, claim_acknowledgement, doubtful, functional, ta1
from tests.flows.service import Client, claim_body, free_port, in_process, until

HOUR = 3600.0


def expects(payer: Doubtful, **changes: float) -> None:
    """What the payer is expected to say, and when."""
    directory = payer.up.runtime.directory
    told = Expects(**{"acknowledgement_hours": 24, "claim_acknowledgement_hours": 48, "remittance_days": 45, **changes})
    directory.payers["SANDBOX"] = msgspec.structs.replace(directory.payers["SANDBOX"], expects=told)


async def looked(payer: Doubtful, hours: float = 0.0) -> None:
    """Time passes, and the watch has looked since."""
    runtime = payer.up.runtime
    await payer.passes_at_rest(hours * HOUR + 61, "mail")
    async with asyncio.timeout(30):
        while await runtime.database.read(lambda tx: work.due_by(tx, "watch", runtime.world.micros())):
            await runtime.world.sleep(0.02)


async def alarms(client: Client, query: str = "") -> list[dict[str, Any]]:
    return (await client.get(f"/v1/alarms{query}")).json["items"]


async def test_f29_silence_raises_one_alarm_for_all_claims_of_a_payer_and_asks_about_them(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True, window_seconds=0.1) as payer:
        expects(payer)
        claims = [await payer.client.submit(claim_body(f"PAID-{n}")) for n in range(3)]
        for claim in claims:
            await until(payer.client, claim, "sent")
        await looked(payer, 23)
        assert [] == await alarms(payer.client)
        await looked(payer, 1.1)
        (alarm,) = await alarms(payer.client)
        assert ("silent 999", 3, "SANDBOX") == (alarm["kind"], alarm["count"], alarm["payerId"])
        assert "3 claims" in alarm["says"]
        assert alarm["advice"]
        # Each claim is asked about at once: the payer has them, and says so.
        for claim in claims:
            await until(payer.client, claim, "pending", "received")
            story = await payer.story(claim)
            assert 1 == story.count("overdue")
            assert story.index("overdue") < story.index("followUpAsked")
            told = {one["rung"]: one["state"] for one in (await payer.client.trace(claim))["ladder"]}
            assert {"999": "said", "277CA": "said", "835": "awaited"} == told
        await looked(payer)
        assert [] == await alarms(payer.client)
        (closed,) = await alarms(payer.client, "?closed=true")
        assert alarm["alarmId"] == closed["alarmId"]
        assert closed["closedAt"]


async def test_many_silent_claims_are_told_and_counted_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.steps.watch._PAGE", 2)
    monkeypatch.setattr("gateway.steps.watch._COUNTED", 2)
    async with doubtful(tmp_path, window_seconds=0.1) as payer:
        expects(payer)
        claims = [await payer.client.submit(claim_body(f"PAID-{n}")) for n in range(5)]
        for claim in claims:
            await until(payer.client, claim, "sent")
        for hours, kind in ((25, "silent 999"), (24, "silent 277CA"), (45 * 24, "silent 835")):
            await looked(payer, hours)
            assert [(kind, 5)] == [(a["kind"], a["count"]) for a in await alarms(payer.client)]


async def test_each_rung_has_its_clock_and_a_late_answer_ends_the_alarm(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        expects(payer)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        interchange = await payer.interchange(claim, "confirmed")
        await looked(payer, 25)
        assert ["silent 999"] == [a["kind"] for a in await alarms(payer.client)]
        await payer.arrives(functional(interchange, {"0001": "A"}))
        await looked(payer)
        assert [] == await alarms(payer.client)
        await looked(payer, 24)
        assert ["silent 277CA"] == [a["kind"] for a in await alarms(payer.client)]
        # The payer cannot be asked by 276: that is told as well, and nothing is raised twice.
        await looked(payer, 24)
        assert ["silent 277CA"] == [a["kind"] for a in await alarms(payer.client)]
        assert "followUpLeftToPerson" in await payer.story(claim)
        await looked(payer, 45 * 24)
        assert ["silent 835"] == [a["kind"] for a in await alarms(payer.client)]
        assert ["999", "277CA", "835"] == [
            e["data"]["rung"] for e in (await payer.client.trace(claim))["events"] if e["kind"] == "overdue"
        ]


async def kinds(payer: Doubtful) -> list[str]:
    return [alarm["kind"] for alarm in await alarms(payer.client)]


async def test_a_ta1_and_both_claim_acknowledgements_have_clocks_of_their_own(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        expects(payer, interchange_acknowledgement_hours=1, payer_acknowledgement_hours=72)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        interchange = await payer.interchange(claim, "confirmed")
        await looked(payer, 1.1)
        assert ["silent TA1"] == await kinds(payer)
        await payer.arrives(ta1(interchange, "A"))
        await looked(payer)
        assert [] == await kinds(payer)
        # The envelope was in order: of the set nothing was said.
        await looked(payer, 24)
        assert ["silent 999"] == await kinds(payer)
        await payer.arrives(functional(interchange, {"0001": "A"}))
        await looked(payer)
        assert [] == await kinds(payer)
        await payer.arrives(claim_acknowledgement("PAID-1", "AY"))
        await looked(payer, 24)
        assert "received" == (await payer.client.transaction(claim))["state"]
        assert [] == await kinds(payer)
        await looked(payer, 24)
        assert ["silent payer 277CA"] == await kinds(payer)
        told = {one["rung"]: one["state"] for one in (await payer.client.trace(claim))["ladder"]}
        assert {"TA1": "said", "999": "said", "277CA": "said", "payer 277CA": "overdue", "835": "awaited"} == told
        await payer.arrives(claim_acknowledgement("PAID-1", "PR", 4))
        await looked(payer)
        assert [] == await kinds(payer)
        assert ["TA1", "999", "payer 277CA"] == [
            e["data"]["rung"] for e in (await payer.client.trace(claim))["events"] if e["kind"] == "overdue"
        ]


async def test_a_277_that_does_not_come_is_told_once_and_ends_with_it(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True) as payer:
        quiet = payer.up.runtime.adapter(payer.up.runtime.directory.routes["sandbox"])
        assert isinstance(quiet, Quiet)
        quiet.held_back = asyncio.Queue()
        expects(payer, acknowledgement_hours=0, claim_acknowledgement_hours=0, status_hours=48)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        await looked(payer, 14 * 24)
        reply = await asyncio.wait_for(quiet.held_back.get(), 30)
        events = (await payer.client.trace(claim))["events"]
        inquiry = next(e["data"]["inquiryId"] for e in events if e["kind"] == "followUpAsked")
        await until(payer.client, inquiry, "sent")
        await looked(payer, 47)
        assert [] == await kinds(payer)
        await looked(payer, 1.1)
        (alarm,) = await alarms(payer.client)
        assert ("silent 277", 1, "SANDBOX") == (alarm["kind"], alarm["count"], alarm["payerId"])
        assert 1 == (await payer.story(inquiry)).count("overdue")
        await payer.arrives(reply.decode())
        await until(payer.client, inquiry, "answered")
        await looked(payer)
        assert [] == await kinds(payer)


async def test_a_payer_that_is_expected_to_say_nothing_raises_nothing(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        expects(payer, acknowledgement_hours=0, claim_acknowledgement_hours=0, remittance_days=0)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "sent")
        await looked(payer, 300 * 24)
        assert [] == await alarms(payer.client)


async def test_a_doubt_that_nobody_decided_in_a_business_day_is_an_alarm(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("cut")
        claim = await payer.client.submit(claim_body("PAID-1"))
        doubted = await payer.interchange(claim, "in_doubt", "held")
        await looked(payer)
        assert [] == await alarms(payer.client)
        await looked(payer, 4 * 24)
        (alarm,) = await alarms(payer.client)
        assert ("in doubt", 1, "sandbox") == (alarm["kind"], alarm["count"], alarm["routeId"])
        await payer.decide(doubted.interchange_id, "confirmed")
        await looked(payer)
        assert [] == await alarms(payer.client)


async def test_f21_files_that_match_nothing_are_an_alarm_until_somebody_has_looked(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        claim = await payer.client.submit(claim_body("PAID-1"))
        stranger = msgspec.structs.replace(await payer.interchange(claim, "confirmed"), control_number=777)
        files = [await payer.arrives(ta1(stranger, "A", number=n)) for n in (1, 2)]
        await looked(payer)
        (alarm,) = await alarms(payer.client)
        assert ("unmatched", 2) == (alarm["kind"], alarm["count"])
        for inbound_id in files:
            await payer.client.post(f"/v1/unmatched/{inbound_id}/handled", {"why": "an old one"})
        await looked(payer)
        assert [] == await alarms(payer.client)


@pytest.mark.embedded
async def test_that_an_alarm_was_seen_is_kept(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        claim = await payer.client.submit(claim_body("PAID-1"))
        stranger = msgspec.structs.replace(await payer.interchange(claim, "confirmed"), control_number=777)
        await payer.arrives(ta1(stranger, "A"))
        await looked(payer)
        (alarm,) = await alarms(payer.client)
        contract = Contract((await payer.client.get("/openapi.json")).json)
        path = f"/v1/alarms/{alarm['alarmId']}/acknowledged"
        for _ in range(2):
            seen = await payer.client.post(path, {})
            assert (200, []) == (seen.status, contract.faults(contract.operation("acknowledgeAlarm"), seen))
            assert seen.json["acknowledgedBy"].endswith("sandbox")
        assert 404 == (await payer.client.post("/v1/alarms/none/acknowledged", {})).status
        assert 400 == (await payer.client.get("/v1/alarms?closed=perhaps")).status

        def run(*words: str) -> Any:
            done = CliRunner().invoke(app, ["alarms", *words, "--data", str(tmp_path), "--json"])
            assert 0 == done.exit_code, done.output
            return json.loads(done.output)

        (item,) = (await asyncio.to_thread(run, "list"))["items"]
        assert alarm["alarmId"] == item["alarmId"]
        assert (
            "sandbox" in (await asyncio.to_thread(run, "acknowledge", item["alarmId"], "--by", "ADA"))["acknowledgedBy"]
        )


# --- mail ---------------------------------------------------------------------------------------------------------------


class Post:
    """A mail server's box; it turns the first so many away, takes no one at first who is `greylisted`, and may hang up once it has taken one."""

    def __init__(self, turned_away: int = 0, greylisted: str = "", *, hangs_up: bool = False) -> None:
        self.turned_away, self.greylisted, self.hangs_up = turned_away, greylisted, hangs_up
        self.asked = 0
        self.got: list[Message] = []
        self.to: list[str] = []

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.greylisted:
            self.greylisted = ""
            return "451 come back later"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
        if self.hangs_up and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return "221 bye"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
        self.asked += 1
        if self.turned_away:
            self.turned_away -= 1
            return "451 come back later"
        content = envelope.content
        assert isinstance(content, bytes)
        self.got.append(message_from_bytes(content))
        self.to += envelope.rcpt_tos
        return "250 taken"


@pytest.fixture
def post() -> Post:
    return Post()


async def mailed(
    folder: Path,
    box: Post,
    act: Callable[[Client, Running], Awaitable[None]],
    there: bool = True,
    to: Sequence[str] = ("ops@practice.example",),
) -> None:
    """A service that writes to people over a real SMTP server on loopback."""
    port = free_port()
    server = Controller(box, hostname="127.0.0.1", port=port) if there else None
    if server is not None:
        server.start()
    mail = Mail(host="127.0.0.1", port=port, security="none", sender="claimwire@practice.example", to=list(to))
    try:
        async with in_process(folder, Config(mail=mail)) as (client, up):
            await act(client, up)
    finally:
        if server is not None:
            server.stop()


async def _alarmed(client: Client, up: Running, times: int = 2) -> None:
    """Two causes at once."""
    payer = Doubtful(client, up)
    claim = await client.submit(claim_body("PAID-1"))
    stranger = msgspec.structs.replace(await payer.interchange(claim, "confirmed"), control_number=777)
    await payer.arrives(ta1(stranger, "A"))
    await up.runtime.database.write(
        lambda tx: tx.execute(
            "INSERT INTO work (tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, fence, buried_at, reason)"
            " VALUES ($1, 'w', 'apply', 'x', '{}', 0, 0, 12, 1, 0, 'the step failed')",
            TENANT,
        )
    )
    for _ in range(times):
        await looked(payer)


async def test_alarms_are_written_about_together_and_once(tmp_path: Path, post: Post) -> None:
    async def act(client: Client, up: Running) -> None:
        await _alarmed(client, up)
        await Doubtful(client, up).passes_at_rest(60, "mail")
        # Time that passes before the mail is marked as sent would end the lease of whoever sends it.
        for _ in range(200):
            if not all("mailedAt" in one for one in await alarms(client)):
                await asyncio.sleep(0.05)
        for _ in range(3):
            await looked(Doubtful(client, up))
        assert {True} == {"mailedAt" in one for one in await alarms(client)}

    await mailed(tmp_path, post, act)
    (mail,) = post.got
    assert "Claimwire: 2 alarms" == mail["Subject"]
    assert ["ops@practice.example"] == post.to
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    text = body.decode()
    assert "files that match nothing" in text
    assert "claimwire unmatched list" in text
    assert "kind apply" in text
    for word in ("ABARA", "ADA", "19800229", "PAID-1"):
        assert word not in text


async def test_mail_that_is_not_taken_is_tried_again_and_holds_up_nothing(tmp_path: Path) -> None:
    box = Post(turned_away=2)

    async def act(client: Client, up: Running) -> None:
        await _alarmed(client, up)
        for _ in range(8):
            await Doubtful(client, up).passes_at_rest(120, "mail")
        # The last leap's mail, were there one more, has left too.
        await Doubtful(client, up).passes_at_rest(0, "mail")
        assert 1 == len(box.got)
        assert "received" == (await until(client, await client.submit(claim_body("PAID-2")), "received"))["state"]

    await mailed(tmp_path, box, act)


async def test_a_server_that_takes_no_mail_is_asked_at_its_pace_and_not_each_minute(tmp_path: Path) -> None:
    box = Post(turned_away=1_000)

    async def act(client: Client, up: Running) -> None:
        await _alarmed(client, up)
        for _ in range(59):
            await looked(Doubtful(client, up))
        # Doubling from a second to a quarter of an hour.
        assert 5 <= box.asked <= 20

    await mailed(tmp_path, box, act)


async def test_one_whom_the_server_does_not_take_for_now_is_written_to_later_and_the_others_once(
    tmp_path: Path,
) -> None:
    people = ("ops@practice.example", "night@practice.example")
    box = Post(greylisted=people[1], hangs_up=True)

    async def act(client: Client, up: Running) -> None:
        await _alarmed(client, up)
        for _ in range(8):
            await Doubtful(client, up).passes_at_rest(120, "mail")
            await looked(Doubtful(client, up))
        assert {True} == {"mailedAt" in one for one in await alarms(client)}

    await mailed(tmp_path, box, act, to=people)
    assert list(people) == box.to
    first, second = box.got
    assert first["Message-ID"] == second["Message-ID"]


async def test_without_a_mail_server_the_alarms_are_there_all_the_same(tmp_path: Path, post: Post) -> None:
    async def act(client: Client, up: Running) -> None:
        await _alarmed(client, up)
        Doubtful(client, up).passes(60)
        await asyncio.sleep(0.3)
        assert 2 == len(await alarms(client))
        assert {False} == {"mailedAt" in one for one in await alarms(client)}

    await mailed(tmp_path, post, act, there=False)


def test_a_letter_names_what_is_so_and_what_to_do() -> None:
    mail = Mail(host="h", sender="a@b.example", to=["c@d.example", "e@f.example"], password="hush-hush")
    one = Alarm("t", "1", "route down", "BIRCH", "", "BIRCH", "ClientConnectorError", 5, 0)
    made = letter(mail, [one], datetime(2026, 1, 5, 12, 0, tzinfo=UTC))
    assert "Claimwire: BIRCH: nothing leaves on this route (ClientConnectorError)" == made["Subject"]
    assert "c@d.example, e@f.example" == made["To"]
    assert "auto-generated" == made["Auto-Submitted"]
    assert "hush-hush" not in repr(mail) + made.as_string()


def test_a_letter_is_whole_and_can_be_written_whatever_an_adapter_says() -> None:
    mail = Mail(host="h", sender="Claimwire <a@b.example>", to=["c@d.example"])
    now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    one = Alarm("t", "1", "route down", "BIRCH", "", "BIRCH", "refused:\r\nBcc: x@y.example", 5, 0)
    made = letter(mail, [one], now)
    assert "Mon, 05 Jan 2026 12:00:00 +0000" == made["Date"]
    assert made["Message-ID"].endswith("@b.example>")
    assert made["Message-ID"] == letter(mail, [one], now)["Message-ID"]
    assert made["Message-ID"] != letter(mail, [one, msgspec.structs.replace(one, alarm_id="2")], now)["Message-ID"]
    assert "refused: Bcc: x@y.example" in made["Subject"]
    assert made["Bcc"] is None

"""Nobody knows whether the payer has it: settled by evidence, in its order, and at the end by a person whose word is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from adapters.protocol import Context, Evidence, InDoubt, Outbound, Outcome
from gateway.cli import app
from gateway.ledger import inbound, interchanges
from gateway.runtime import DATABASE_FILE, TENANT
from gateway.steps import send
from queues import numbers, work
from queues.database import Transaction
from tests.flows.contract import Contract
from tests.flows.doubtful import Doubtful, Quiet, doubtful, functional, ta1
from tests.flows.service import Client, claim_body, until, until_true
from tests.flows.test_access import key_with
from tests.flows.test_alarms import alarms, expects, looked


async def sent(payer: Doubtful, *patients: str) -> list[str]:
    """Claims that went out together, and of which the payer says nothing yet."""
    claims = list(await asyncio.gather(*(payer.client.submit(claim_body(patient)) for patient in patients)))
    for claim in claims:
        await until(payer.client, claim, "sent", "in_doubt")
    return claims


async def file_state(payer: Doubtful, inbound_id: str) -> str:
    file = await payer.up.runtime.database.read(lambda tx: inbound.get(tx, TENANT, inbound_id))
    assert file is not None
    return file.state


async def test_f03_what_was_on_the_wire_when_a_process_died_is_in_doubt_and_not_sent_again(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("cut")
        (claim,) = await sent(payer, "PAID-1")
        before = await payer.interchange(claim)

        # As a process leaves it that dies before it can say what became of its attempt.
        async def died(tx: Transaction) -> None:
            await interchanges.set_state(tx, before, "on_wire")

        await payer.up.runtime.database.write(died)
        payer.passes(20)
        after = await payer.interchange(claim, "in_doubt", "held")
        assert (1, 1) == (after.attempts, after.copies)
        assert 1 == (await payer.seen())["interchanges"]


class Endless(Quiet):
    """An adapter that does not keep its deadline."""

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        await super().send(outbound, context)
        return await asyncio.get_running_loop().create_future()


async def test_f46_an_adapter_that_does_not_come_back_is_cut_off_and_leaves_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_OVERTIME_SECONDS", 0.2)
    async with doubtful(tmp_path) as payer:
        routes = payer.up.runtime.directory.routes
        routes["sandbox"] = msgspec.structs.replace(routes["sandbox"], deadline_seconds=0.3)
        payer.up.runtime.use("sandbox", Endless(probes=False, collects=False))
        (claim,) = await sent(payer, "PAID-1")
        interchange = await payer.interchange(claim, "in_doubt")
        assert (1, "TimeoutError") == (interchange.attempts, interchange.reason)


class Unsure(Quiet):
    """A payer that says it has nothing, until its acknowledgement comes."""

    def __init__(self) -> None:
        super().__init__(probes=True, collects=False)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return "absent"


async def test_what_a_payer_acknowledges_while_the_same_bytes_wait_for_their_place_does_not_leave_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with doubtful(tmp_path, probes=True) as payer:
        payer.up.runtime.use("sandbox", Unsure())
        place = send.over

        @asynccontextmanager
        async def crowded(*arguments: Any) -> AsyncGenerator[Any]:
            async with place(*arguments) as shut:
                found = await payer.up.runtime.database.read(lambda tx: interchanges.get(tx, TENANT, arguments[2]))
                if found is not None and found.state == "safe_to_resend":
                    await payer.arrives(functional(found, {"0001": "A"}))
                yield shut

        monkeypatch.setattr(send, "over", crowded)
        await payer.weather("cut")
        claim = await payer.client.submit(claim_body("PAID-1"))
        await until(payer.client, claim, "acknowledged")
        await payer.passes_at_rest(0)
        settled = await payer.interchange(claim)
        assert ("confirmed", 1, 1) == (settled.state, settled.attempts, settled.copies)
        assert {"interchanges": 1, "duplicateInterchanges": 0}.items() <= (await payer.seen()).items()


class Late(Quiet):
    """A payer that takes in what it was given when nobody waits for its answer any more, and until then says that it has nothing."""

    def __init__(self) -> None:
        super().__init__(probes=True, collects=False)
        self.given: list[tuple[Outbound, Context]] = []
        self.taken = False
        # After how many attempts it was asked, each time.
        self.asked: list[int] = []

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        self.given.append((outbound, context))
        return InDoubt("no answer in time")

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        self.asked.append(len(self.given))
        return "received" if self.taken else "absent"

    async def take(self) -> None:
        for outbound, context in self.given:
            await super().send(outbound, context)
        self.taken = True


async def test_f05_what_a_payer_is_still_taking_in_is_not_sent_again_because_it_says_that_it_has_nothing(
    tmp_path: Path,
) -> None:
    # A clock that leaps does not end the wait.
    async with doubtful(tmp_path, absent_seconds=3600) as payer:
        late = Late()
        payer.up.runtime.use("sandbox", late)
        (claim,) = await sent(payer, "PAID-1")
        for _ in range(3):
            await payer.passes_at_rest(4000)
        assert ("in_doubt", 1) == ((await payer.interchange(claim)).state, len(late.given))
        await late.take()
        await payer.passes_at_rest(4000)
        settled = await payer.interchange(claim, "confirmed")
        assert (1, 1) == (settled.attempts, settled.copies)
        assert {"interchanges": 1, "duplicateInterchanges": 0}.items() <= (await payer.seen()).items()


async def test_what_a_payer_still_does_not_have_when_it_would_is_sent_again(tmp_path: Path) -> None:
    async with doubtful(tmp_path, absent_seconds=0.3) as payer:
        late = Late()
        payer.up.runtime.use("sandbox", late)
        (claim,) = await sent(payer, "PAID-1")
        await payer.interchange(claim, "in_doubt", copies=2)
        first, second = (outbound for outbound, _ in late.given)
        assert first == second


# As below: the steady clock is moved, by which leases end here.
@pytest.mark.embedded
async def test_what_a_payer_said_of_an_earlier_attempt_says_nothing_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with doubtful(tmp_path, absent_seconds=3600) as payer:
        late, world = Late(), payer.up.runtime.world
        payer.up.runtime.use("sandbox", late)
        (claim,) = await sent(payer, "PAID-1")
        doubted = await payer.interchange(claim, "in_doubt")

        async def asked_after(attempts: int) -> None:
            async def asked() -> bool:
                payer.passes(2)
                return attempts in late.asked

            await until_true(asked)
            await payer.passes_at_rest(0)

        await asked_after(1)
        monotonic = world.monotonic
        monkeypatch.setattr(world, "monotonic", lambda: monotonic() + 4000)
        await payer.decide(doubted.interchange_id, "resend")
        await payer.interchange(claim, "in_doubt", copies=2)
        await asked_after(2)
        assert ("in_doubt", 2) == ((await payer.interchange(claim)).state, len(late.given))


# Leases on a server end by its clock, which no test moves.
@pytest.mark.embedded
async def test_an_attempt_that_was_recorded_too_long_ago_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine stood still right before the first byte: another may have the lease by now, and have sent it."""
    async with doubtful(tmp_path, probes=True) as payer:
        world, begin = payer.up.runtime.world, vars(send)["_begin"]
        monotonic, still = world.monotonic, list[float]()

        async def stands_still(tx: Transaction, *arguments: Any) -> bool:
            if not still:
                tx.after_commit(lambda: still.append(3600.0))
            begun: bool = await begin(tx, *arguments)
            return begun

        monkeypatch.setattr(world, "monotonic", lambda: monotonic() + sum(still))
        monkeypatch.setattr(send, "_begin", stands_still)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await payer.interchange(claim, "on_wire")
        await payer.up.service.idle(payer.up.worker.under_way, timedelta(seconds=10))
        assert 0 == (await payer.seen())["interchanges"]
        async with asyncio.timeout(60):
            while (await payer.client.transaction(claim))["state"] in ("accepted", "built", "in_doubt"):
                payer.passes(30)
                await asyncio.sleep(0.1)
        assert 2 == (await payer.interchange(claim)).attempts
        assert {"interchanges": 1, "duplicateInterchanges": 0}.items() <= (await payer.seen()).items()


async def test_f04_a_payer_that_hangs_up_after_the_body_is_asked_and_then_left_to_a_person(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("cut")
        (claim,) = await sent(payer, "PAID-1")
        for _ in range(8):
            payer.passes(60)
            await asyncio.sleep(0.1)
        held = await payer.interchange(claim, "held")
        assert 1 == held.copies
        assert 1 == (await payer.seen())["interchanges"]
        (doubt,) = await payer.doubts()
        assert ("held", 1, "SANDBOX") == (doubt["state"], doubt["claims"], doubt["payerIds"][0])
        # From a weekday to the next one, over a weekend.
        assert doubt["since"] < doubt["decideBy"]


async def test_f05_an_acknowledgement_that_comes_late_settles_the_doubt_without_a_second_sending(
    tmp_path: Path,
) -> None:
    async with doubtful(tmp_path, duplicates="isa13", collects=True) as payer:
        await payer.weather("cut")
        (claim,) = await sent(payer, "PAID-1")
        await until(payer.client, claim, "received")
        assert "confirmed" == (await payer.interchange(claim)).state
        story = await payer.story(claim)
        assert story.index("doubted") < story.index("delivered")
        assert [] == await payer.doubts()


async def test_a_claim_that_the_payer_knows_by_276_proves_that_its_interchange_arrived(tmp_path: Path) -> None:
    async with doubtful(tmp_path, status=True, window_seconds=2) as payer:
        await payer.weather("cut")
        first, second = await sent(payer, "PAID-1", "PAID-2")
        confirmed = await payer.interchange(first, "confirmed")
        assert (1, "evidence: 277") == (confirmed.copies, confirmed.reason)
        # One was asked about, and speaks for all.
        assert 1 == sum([(await payer.story(claim)).count("doubtAsked") for claim in (first, second)])
        assert {"277"} == {
            e["data"]["evidence"]
            for claim in (first, second)
            for e in (await payer.client.trace(claim))["events"]
            if e["kind"] == "delivered"
        }


async def test_f23_a_duplicate_answer_to_a_copy_proves_that_the_first_arrived(tmp_path: Path) -> None:
    async with doubtful(tmp_path, duplicates="isa13") as payer:
        await payer.weather("cut", "cut", *["drop"] * 20)
        (claim,) = await sent(payer, "PAID-1")
        payer.passes(30)
        twice = await payer.interchange(claim, "in_doubt", copies=2)
        await payer.arrives(ta1(twice, "R", "025"))
        confirmed = await payer.interchange(claim, "confirmed")
        assert "evidence: TA1 025" == confirmed.reason
        assert "sent" == (await payer.client.transaction(claim))["state"]


async def test_within_the_time_that_a_payer_knows_copies_the_same_bytes_leave_again(tmp_path: Path) -> None:
    async with doubtful(tmp_path, duplicates="isa13", duplicates_hours=24) as payer:
        await payer.weather("cut")
        (claim,) = await sent(payer, "PAID-1")
        assert 2 == (await payer.interchange(claim, "confirmed")).attempts
        assert 1 == (await payer.seen())["interchanges"]


async def test_past_the_time_that_a_payer_knows_copies_nothing_leaves_again(tmp_path: Path) -> None:
    async with doubtful(tmp_path, duplicates="isa13", duplicates_hours=24) as payer:
        # It was allowed in time, and then the payer was away for longer than it remembers.
        await payer.weather("cut", *["refuse-429"] * 30)
        (claim,) = await sent(payer, "PAID-1")
        await payer.interchange(claim, "safe_to_resend", copies=1)
        await payer.passes_at_rest(25 * 3600)

        async def is_held() -> bool:
            await payer.passes_at_rest(60)
            return (await payer.interchange(claim)).state == "held"

        await until_true(is_held)
        assert 1 == (await payer.interchange(claim)).copies
        assert 1 == (await payer.seen())["interchanges"]


async def test_time_that_a_payer_was_away_before_it_could_have_anything_does_not_count(tmp_path: Path) -> None:
    async with doubtful(tmp_path, duplicates="isa13", duplicates_hours=24) as payer:
        await payer.weather(*["refuse-429"] * 30)
        claim = await payer.client.submit(claim_body("PAID-1"))
        await payer.interchange(claim, "intent")
        # What is under way when the weather changes would be cut, as one that began a day ago.
        await payer.passes_at_rest(25 * 3600)
        await payer.weather("cut")

        async def confirmed() -> bool:
            await payer.passes_at_rest(60)
            return (await payer.interchange(claim)).state == "confirmed"

        await until_true(confirmed)
        assert 2 == (await payer.interchange(claim)).copies


async def test_f24_a_number_that_the_payer_had_before_our_only_sending_is_held_and_passed_by(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        once = await payer.interchange(claim, "confirmed")
        await payer.arrives(ta1(once, "R", "025"))
        held = await payer.interchange(claim, "held")
        told = await payer.client.transaction(claim)
        assert (True, "sent") == (told["conflict"], told["state"])
        (doubt,) = await payer.doubts()
        assert doubt["overdue"]
        # A person is told what it is a sign of, and not the same thing as another doubt besides.
        await looked(payer)
        (alarm,) = await alarms(payer.client)
        assert ("number taken", 1, "sandbox") == (alarm["kind"], alarm["count"], alarm["routeId"])
        assert "backup" in alarm["advice"]
        # What the payer has seen under later numbers is not used either.
        free = await payer.up.runtime.database.write(lambda tx: numbers.mint(tx, TENANT, held.series))
        assert free == held.control_number + numbers.GUARD + 1
        # However long nobody decides, it is not sent again, and its claim goes in no other one.
        for _ in range(3):
            payer.passes(3 * 86_400)
            await looked(payer)
        assert ("held", 1) == ((await payer.interchange(claim)).state, (await payer.interchange(claim)).copies)
        assert (1, held.interchange_id) == (
            (await payer.seen())["interchanges"],
            (await payer.interchange(claim)).interchange_id,
        )
        # Nothing but a person's word lets the claim go on.
        await payer.decide(held.interchange_id, "rebuild")
        again = await payer.interchange(claim, "confirmed")
        assert again.control_number > free
        assert "decided" in await payer.story(claim)
        await looked(payer)
        assert [] == await alarms(payer.client)


@pytest.mark.embedded
async def test_f24_an_old_database_in_the_place_of_the_new_one_uses_no_number_twice_for_good(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        (first,) = await sent(payer, "PAID-1")
        before = await payer.interchange(first, "confirmed")
    old = (tmp_path / DATABASE_FILE).read_bytes()
    async with doubtful(tmp_path) as payer:
        lost = await payer.interchange((await sent(payer, "PAID-2"))[0], "confirmed")
        assert lost.control_number == before.control_number + 1
    (tmp_path / DATABASE_FILE).write_bytes(old)
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-3")
        sending = await payer.interchange(claim, "confirmed")
        assert lost.control_number == sending.control_number
        # The 999 of the interchange that nobody here knows any more is taken for this one's: a number says no more.
        await payer.arrives(functional(lost, {"0001": "A"}))
        assert "acknowledged" == (await payer.client.transaction(claim))["state"]
        # The payer says by itself that it had the number.
        await collecting(payer)
        held = await payer.interchange(claim, "held")
        assert 1 == held.copies
        await looked(payer)
        assert "number taken" in [alarm["kind"] for alarm in await alarms(payer.client)]
        # Others go on beyond all that may have been used.
        after = await payer.interchange((await sent(payer, "PAID-4"))[0], "confirmed")
        assert after.control_number == lost.control_number + numbers.GUARD + 1
        await payer.decide(held.interchange_id, "rebuild")
        again = await payer.interchange(claim, "confirmed")
        assert again.control_number > after.control_number
        assert [1] * 4 == list((await payer.seen())["claims"].values())


async def test_what_was_said_of_the_interchange_before_counts_for_nothing_in_the_next(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        expects(payer)
        (claim,) = await sent(payer, "PAID-1")
        first = await payer.interchange(claim, "confirmed")
        await payer.arrives(functional(first, {"0001": "A"}))
        assert ("999", "said") in await ladder(payer, claim)
        await payer.arrives(ta1(first, "R", "025"))
        await payer.decide((await payer.interchange(claim, "held")).interchange_id, "rebuild")
        await until(payer.client, claim, "sent")
        assert ("999", "awaited") in await ladder(payer, claim)


async def ladder(payer: Doubtful, claim: str) -> list[tuple[str, str]]:
    return [(one["rung"], one["state"]) for one in (await payer.client.trace(claim))["ladder"]]


async def collecting(payer: Doubtful) -> None:
    """The payer's files are collected from now on."""
    runtime = payer.up.runtime
    runtime.use("sandbox", Quiet(probes=False, collects=True))
    now = runtime.world.micros()
    await runtime.database.write(lambda tx: work.enqueue(tx, TENANT, runtime.world.new_id(), "collect", "sandbox", now))
    runtime.wake.set()


async def test_f19_f20_an_outbox_in_the_wrong_order_and_twice_comes_to_the_same(tmp_path: Path) -> None:
    async with doubtful(tmp_path, collects=True) as payer:
        assert payer.up.sandbox is not None
        at_payer = Client(payer.up.sandbox.url, None)
        assert 200 == (await at_payer.post("/habits", {"outbox": ["reverse", "duplicate", "garbage"]})).status
        await at_payer.close()
        claims = await asyncio.gather(*(payer.client.submit(claim_body(n)) for n in ("REJECT-1", "PAID-1")))
        for claim, state in zip(claims, ("rejected", "received"), strict=True):
            await until(payer.client, claim, state)
            async with asyncio.timeout(30):
                while "acknowledged" not in (story := await payer.story(claim)):
                    await payer.up.runtime.world.sleep(0.05)
            assert "conflict" not in await payer.client.transaction(claim)
            assert 1 == story.count("claimAcknowledged")


async def test_f22_an_interchange_refused_by_ta1_and_taken_by_999_is_a_conflict(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        interchange = await payer.interchange(claim, "confirmed")
        await payer.arrives(ta1(interchange, "R", "021"))
        assert "rejected" == (await payer.client.transaction(claim))["state"]
        await payer.arrives(functional(interchange, {"0001": "A"}))
        told = await payer.client.transaction(claim)
        assert ("rejected", True) == (told["state"], told["conflict"])


@pytest.mark.parametrize(
    ("verdicts", "included"), [({"0001": "A", "0099": "A"}, None), ({"0099": "R"}, None), ({"0001": "A"}, 7)]
)
async def test_f26_a_999_about_sets_that_were_never_sent_is_quarantined_whole(
    tmp_path: Path, verdicts: dict[str, str], included: int | None
) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        interchange = await payer.interchange(claim, "confirmed")
        inbound_id = await payer.arrives(functional(interchange, verdicts, included=included))
        assert "quarantined" == await file_state(payer, inbound_id)
        assert "sent" == (await payer.client.transaction(claim))["state"]


async def test_f21_an_answer_to_an_unknown_number_waits_in_the_inbox_until_a_person_has_looked(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        stranger = msgspec.structs.replace(await payer.interchange(claim), control_number=777)
        inbound_id = await payer.arrives(functional(stranger, {"0001": "A"}))
        (file,) = (await payer.client.get("/v1/unmatched")).json["items"]
        assert (inbound_id, "unmatched") == (file["inboundId"], file["state"])
        contract = Contract((await payer.client.get("/openapi.json")).json)
        runtime = payer.up.runtime
        token, _ = await key_with(runtime, ["claims:read"])
        blind = Client(payer.client.url, token)
        told = await blind.get(f"/v1/unmatched/{inbound_id}")
        await blind.close()
        assert ["999"] == told.json["sets"]
        assert "segments" not in told.json
        assert [] == contract.faults(contract.operation("readUnmatched"), told)
        assert "segments" in (await payer.client.get(f"/v1/unmatched/{inbound_id}")).json
        operation = contract.operation("handleUnmatched")
        (sample,) = operation.samples()
        for _ in range(2):
            done = await payer.client.post(f"/v1/unmatched/{inbound_id}/handled", sample.value, Idempotency_Key="k")
            assert (200, []) == (done.status, contract.faults(operation, done))
        assert [] == (await payer.client.get("/v1/unmatched")).json["items"]
        (file,) = (await payer.client.get("/v1/unmatched?handled=true")).json["items"]
        assert file["handledBy"].endswith("sandbox")


async def test_a_person_decides_with_all_that_is_known_before_them(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("drop")
        (claim,) = await sent(payer, "PAID-1")
        (doubt,) = await payer.doubts()
        found = await payer.client.get(f"/v1/in-doubt/{doubt['interchangeId']}")
        contract = Contract((await payer.client.get("/openapi.json")).json)
        assert [] == contract.faults(contract.operation("readInDoubt"), found)
        assert ("delivery", "unknown") == (found.json["evidence"][0]["source"], found.json["evidence"][0]["says"])
        assert {"confirmed", "resend", "rebuild", "keep_waiting"} == set(found.json["can"])
        assert [claim] == found.json["transactionIds"]

        # The example of the document runs; the same key decides once.
        operation = contract.operation("decideInDoubt")
        (sample,) = operation.samples()
        path = f"/v1/in-doubt/{doubt['interchangeId']}/decision"
        for _ in range(2):
            done = await payer.client.post(path, sample.value, Idempotency_Key="k")
            assert (200, []) == (done.status, contract.faults(operation, done))
        assert 1 == (await payer.story(claim)).count("decided")

        # The payer has nothing of it: the claim, and no copy of its interchange, goes out once more.
        first = await payer.interchange(claim)
        await payer.decide(first.interchange_id, "rebuild")
        second = await payer.interchange(claim, "confirmed")
        assert first.interchange_id != second.interchange_id
        assert first.control_number < second.control_number
        seen = await payer.seen()
        assert 1 == seen["interchanges"]
        said = await payer.decide(first.interchange_id, "resend", 409)
        assert "released" in said["detail"]
        known = (await payer.client.get(f"/v1/in-doubt/{first.interchange_id}")).json
        word = known["evidence"][-1]
        assert ("rebuild", "the payer was called") == (word["says"], word["why"])
        assert word["by"].endswith("sandbox")
        (decided,) = [
            e["data"]
            for e in (await payer.client.trace(claim))["events"]
            if e["kind"] == "decided" and e["data"]["decision"] == "rebuild"
        ]
        assert word["by"] == decided["by"]
        # What a person writes may name a patient: it is in no event.
        assert {"decision", "by", "noteId"} == set(decided)

        # The payer had it after all: that is a conflict, and not passed over.
        await payer.arrives(functional(first, {"0001": "A"}))
        assert (await payer.client.transaction(claim))["conflict"]


@pytest.mark.parametrize(("decision", "copies"), [("confirmed", 1), ("resend", 2)])
async def test_a_person_may_say_that_it_arrived_or_have_the_same_bytes_sent_again(
    tmp_path: Path, decision: str, copies: int
) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("drop")
        (claim,) = await sent(payer, "PAID-1")
        (doubt,) = await payer.doubts()
        await payer.decide(doubt["interchangeId"], decision)
        settled = await payer.interchange(claim, "confirmed")
        assert (doubt["interchangeId"], copies) == (settled.interchange_id, settled.copies)
        assert "sent" == (await until(payer.client, claim, "sent"))["state"]
        assert [] == await payer.doubts()
        await payer.decide(doubt["interchangeId"], decision, 409)
        await payer.decide("00000000-0000-7000-8000-000000000000", decision, 404)


@pytest.mark.embedded
async def test_the_command_line_shows_and_decides_the_same_beside_a_running_server(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        await payer.weather("drop")
        (claim,) = await sent(payer, "PAID-1")

        async def run(*arguments: str) -> Any:
            told = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--data", str(tmp_path), "--json"])
            assert 0 == told.exit_code, told.output
            return msgspec.json.decode(told.stdout)

        (listed,) = (await run("in-doubt", "list"))["items"]
        assert listed["interchangeId"] == (await payer.interchange(claim)).interchange_id
        shown = await run("in-doubt", "show", listed["interchangeId"])
        assert [claim] == shown["transactionIds"]
        done = await run("in-doubt", "decide", listed["interchangeId"], "confirmed", "--why", "called", "--by", "ADA")
        assert ("confirmed", 1) == (done["state"], done["claims"])
        assert [] == (await run("in-doubt", "list"))["items"]
        assert [] == (await run("unmatched", "list"))["items"]
        assert "sent" == (await payer.client.transaction(claim))["state"]

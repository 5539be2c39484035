"""Whatever is new over CORE: a retrieval that names nothing gives a key, one a call, the oldest file that it has not confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import registry
from adapters.contract.samples import question_or_claims
from adapters.protocol import Context
from adapters.transports.core import envelope as core
from adapters.transports.core.envelope import Envelope
from adapters.transports.session import open_session
from gateway.api.core import PATH
from gateway.ledger import api_keys, payloads, pickups
from gateway.ledger.pickups import Acknowledgement, Handed, Wanted
from gateway.ledger.transactions import Transaction as Subject
from gateway.ledger.transactions import insert
from gateway.ledger.vault import Vault
from gateway.runtime import TENANT, migrations
from gateway.serving import Running
from queues.database import Database
from tests.engines import Engine
from tests.flows.service import Client, until_true
from tests.flows.test_core_server import NOW, gateway, message, said, sets_of
from x12.envelope import read

ACKNOWLEDGEMENTS, REPORTS, REMITTANCES, ALL = (
    "X12_999_RetrievalRequest_005010X231A1",
    "X12_005010_Request_Batch_Results_277CA",
    "X12_835_Request_005010X221A1",
    "X12_005010_Request_BatchResultsMixed",
)
ACCEPTED = "X12_999_SubmissionRequest_005010X231A1"
DAY = 24 * 3600 * 1_000_000


class Caller:
    """A key that retrieves over CORE in one form."""

    def __init__(self, up: Running, key: str, form: str) -> None:
        self.up, self.key, self.form = up, key, form
        self.messages = 0

    async def submits(self, number: int, name: str) -> None:
        told = message("submission", question_or_claims("837", number), payload_id=name)
        assert core.RECEIPT == (await said(self.up, self.key, told, self.form)).payload_type

    async def new(self, payload_type: str, name: str = "") -> Envelope:
        kind = "acknowledgement retrieval" if payload_type == ACKNOWLEDGEMENTS else "results retrieval"
        told = message(kind, None, payload_type=payload_type, payload_id=name)
        return await said(self.up, self.key, told, self.form)

    async def confirms(self, name: str, payload: bytes | None = None) -> str:
        told = message("results acknowledgement", payload, payload_type=ACCEPTED, payload_id=name)
        return (await said(self.up, self.key, told, self.form)).error_code


async def second_key(up: Running) -> str:
    now = up.runtime.world.micros()
    token, _ = await up.runtime.database.write(
        lambda tx: api_keys.create(tx, up.runtime.vault, TENANT, "second", ["claims:read"], now, None)
    )
    return token


async def reports_are_in(up: Running, client: Client, count: int) -> None:
    """The payer has said its word of all claims."""

    async def holds() -> bool:
        return len((await client.get("/2024-04-01/change/medicalnetwork/reports/v2")).json["reports"]) == count

    up.runtime.wake.set()
    await until_true(holds)


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_acknowledgements_come_one_by_one_until_they_are_confirmed_also_after_a_restart(
    tmp_path: Path, form: str
) -> None:
    async with gateway(tmp_path) as (_, up, key):
        caller, other = Caller(up, key, form), Caller(up, await second_key(up), form)
        assert core.NO_ACKNOWLEDGEMENT == (await caller.new(ACKNOWLEDGEMENTS)).payload_type
        await caller.submits(1, "first")
        await caller.submits(2, "second")
        told = await caller.new(ACKNOWLEDGEMENTS)
        assert ("first", "X12_999_Response_005010X231A1", ["999"]) == (
            told.payload_id,
            told.payload_type,
            sets_of(told.payload),
        )
        # The rule has no message that confirms these, so that the next one comes all the same, and what was not confirmed comes again.
        assert "second" == (await caller.new(ACKNOWLEDGEMENTS)).payload_id
        again = await caller.new(ACKNOWLEDGEMENTS)
        assert ("first", told.payload) == (again.payload_id, again.payload)
        assert "Success" == await caller.confirms("first")
        assert "second" == (await caller.new(ACKNOWLEDGEMENTS, "a-message-of-its-own")).payload_id
    async with gateway(tmp_path) as (client, up, key):
        caller, other = Caller(up, key, form), Caller(up, other.key, form)
        assert "second" == (await caller.new(ACKNOWLEDGEMENTS)).payload_id
        # A submission's own is there as long as anybody asks for it, and another key has its own marks.
        assert told.payload == (await caller.new(ACKNOWLEDGEMENTS, "first")).payload
        assert "first" == (await other.new(ACKNOWLEDGEMENTS)).payload_id
        assert "Success" == await caller.confirms("SECOND")
        assert core.NO_ACKNOWLEDGEMENT == (await caller.new(ACKNOWLEDGEMENTS)).payload_type
        assert "second" == (await other.new(ACKNOWLEDGEMENTS)).payload_id
        await client.forward(2)
        # What nobody confirms is let go.
        assert core.NO_ACKNOWLEDGEMENT == (await other.new(ACKNOWLEDGEMENTS)).payload_type


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_results_come_oldest_first_and_the_same_again_until_they_are_confirmed(tmp_path: Path, form: str) -> None:
    async with gateway(tmp_path) as (client, up, key):
        caller = Caller(up, key, form)
        assert core.NO_RESULTS == (await caller.new(ALL)).payload_type
        for number in (1, 2):
            await caller.submits(number, f"batch-{number}")
            await client.forward(1)
            up.runtime.wake.set()
            await reports_are_in(up, client, 2 * number)
        first = await caller.new(REPORTS)
        assert ("X12_277CA_Response_005010X214", ["277"]) == (first.payload_type, sets_of(first.payload))
        again = await caller.new(ALL)
        assert (first.payload_id, first.payload) == (again.payload_id, again.payload)
        assert "PayloadIDIllegal" == await caller.confirms("nothing-of-ours")
        assert first.payload_id == (await caller.new(ALL)).payload_id
        # The PayloadID of the file confirms it.
        assert ["Success"] * 2 == [await caller.confirms(first.payload_id) for _ in range(2)]
        assert first.payload == (await caller.new(ALL, first.payload_id)).payload
        paid = await caller.new(ALL)
        assert ("X12_835_Response_005010X221A1", ["835"]) == (paid.payload_type, sets_of(paid.payload))
        assert paid.payload_id == (await caller.new(REMITTANCES)).payload_id
        # Who makes a PayloadID for each message is understood by the group that the 999 is about.
        (interchange,) = read(paid.payload or b"", levels=(1, 2))
        group = interchange.groups[0].elements
        accepted = question_or_claims("276").replace(
            b"BHT*0010*13*", f"AK1*{group[0]}*{group[5]}~AK9*A*1*1*1~X*".encode()
        )
        assert "PayloadIDIllegal" == await caller.confirms("new-1", accepted.replace(b"AK1*HP*", b"AK1*HP*9"))
        assert "Success" == await caller.confirms("new-2", accepted)
        second = await caller.new(ALL)
        assert (["277"], True) == (sets_of(second.payload), second.payload_id != first.payload_id)
        # Under the name of a submission its results are confirmed, too, whoever else has still to get them.
        assert second.payload != (await caller.new(REPORTS, "batch-2")).payload
        assert "Success" == await caller.confirms("batch-2")
        last = await caller.new(ALL)
        assert (["835"], "Success") == (sets_of(last.payload), await caller.confirms(last.payload_id))
        assert [core.NO_RESULTS] * 3 == [(await caller.new(t)).payload_type for t in (ALL, REPORTS, REMITTANCES)]
        assert first.payload_id == (await Caller(up, await second_key(up), form).new(ALL)).payload_id


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_the_ta1_of_an_interchange_that_is_refused_is_retrieved_under_its_own_payload_type(
    tmp_path: Path, form: str
) -> None:
    async with gateway(tmp_path) as (_, up, key):
        caller = Caller(up, key, form)
        refused = question_or_claims("837").replace(b"*00501*", b"*00401*", 1)
        told = message("submission", refused, payload_id="refused")
        assert core.RECEIPT == (await said(up, key, told, form)).payload_type
        # By name and as what is new; whoever asks by the type of a TA1, or by that of a 999, gets what answers the batch.
        for name in ("refused", ""):
            for asked in (ACKNOWLEDGEMENTS, "X12_TA1_RetrievalRequest_00501X231A1"):
                told = message("acknowledgement retrieval", None, payload_type=asked, payload_id=name)
                answered = await said(up, key, told, form)
                assert ("X12_TA1_Response_00501X231A1", "refused") == (answered.payload_type, answered.payload_id)
                (interchange,) = read(answered.payload or b"")
                assert ["R"] == [ta1[3] for ta1 in interchange.acknowledgements]
                assert [] == interchange.sets
        confirmed = message("results acknowledgement", None, payload_type=ACCEPTED, payload_id="refused")
        assert "Success" == (await said(up, key, confirmed, form)).error_code
        assert core.NO_ACKNOWLEDGEMENT == (await caller.new(ACKNOWLEDGEMENTS)).payload_type


async def test_another_claimwire_collects_and_settles_everything_once(tmp_path: Path) -> None:
    adapter = registry.load("core")
    async with gateway(tmp_path) as (client, up, key), open_session() as session:
        caller = Caller(up, key, "soap")
        await caller.submits(1, "first")
        await caller.submits(2, "second")
        await client.forward(1)
        await reports_are_in(up, client, 2)
        told = {"url": up.url + PATH, "sender_id": "ALDERFP", "receiver_id": "CLAIMWIRE", "settles": "all"}
        context = Context(told, {"user": "ALDERFP", "password": key}, session, lambda: NOW, 20)
        found: list[str] = []
        for _ in range(2):
            async for inbound in adapter.collect(context):
                found += sets_of(inbound.payload)
                await adapter.settle(inbound, context)
        assert ["277", "835", "999", "999"] == sorted(found)


# --- the ledger's part, on both engines ---


@pytest.fixture
async def database(engine: Engine) -> Database:
    return await engine.open(migrations())


async def test_marks_are_of_a_tenant_and_a_key(database: Database) -> None:
    vault = Vault(b"m" * 32)

    async def fill(tx: pickups.Transaction) -> None:
        for tenant in ("a", "b"):
            await vault.open(tx, tenant, 0)
            for number, kind in enumerate(("claim_report", "remittance", "claim_report")):
                file_id = f"{tenant}{number}"
                await payloads.store(tx, vault, tenant, file_id, "inbound", b"ISA", 0)
                subject = Subject(tenant, f"t{file_id}", kind, "received", "r", "p", "T", 0, 0, request_id=file_id)
                await insert(tx, subject)
            await pickups.acknowledge(tx, vault, tenant, f"{tenant}ack", Acknowledgement("one", "ISA"), 0)

    await database.write(fill)

    async def oldest(tenant: str, key: str, wanted: Wanted, now: int = 0) -> str | None:
        found = await database.write(lambda tx: pickups.oldest_new(tx, tenant, key, wanted, now))
        if found is not None:
            handed = Handed(found.file_id, found.kind, ())
            await database.write(lambda tx: pickups.hand_out(tx, tenant, key, found.file_id, handed, now))
        return found.file_id if found else None

    async def confirmed(tenant: str, key: str, file_id: str) -> None:
        await database.write(lambda tx: pickups.confirm(tx, tenant, key, file_id, 1))

    assert ["a0", "a0", "a1"] == [await oldest("a", "k", w) for w in ("results", "claim_report", "remittance")]
    # Out of order: the one between is still to come.
    await confirmed("a", "k", "a1")
    assert ["a0", None] == [await oldest("a", "k", w) for w in ("results", "remittance")]
    await confirmed("a", "k", "a0")
    assert ["a2", "a2"] == [await oldest("a", "k", w) for w in ("results", "claim_report")]
    assert ["a0", "b0", "b0"] == [await oldest(t, k, "results") for t, k in (("a", "l"), ("b", "k"), ("b", "l"))]
    await confirmed("a", "k", "a2")
    assert None is await oldest("a", "k", "results")
    assert ["aack", "aack", "back"] == [await oldest(t, "k", "acknowledgements") for t in ("a", "a", "b")]
    assert [None, "back"] == [
        await oldest("a", "k", "acknowledgements", DAY + 1),
        await oldest("b", "new", "acknowledgements", DAY + 1),
    ]

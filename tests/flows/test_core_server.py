"""Our own gateway over CORE: a client made by zeep asks, submits, and gets its acknowledgements; so does another Claimwire."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
import pytest
import zeep
import zeep.wsse.username

from adapters import registry
from adapters.contract.samples import outbound, question_or_claims
from adapters.protocol import Context, Delivered, InDoubt, NotSent, Refused, Replied
from adapters.transports.core import envelope as core
from adapters.transports.core import mime, soap
from adapters.transports.core.envelope import Envelope, payload_type_of, stamp
from adapters.transports.core.soap import Read
from adapters.transports.session import open_session
from gateway.api.core import PATH
from gateway.ledger import api_keys
from gateway.runtime import TENANT
from gateway.serving import Running
from tests.contract.core_wsdl import wsdl
from tests.flows.service import Client, in_process
from x12.envelope import read

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
ID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
QUESTION = question_or_claims("270").replace(b"XQ7730915", b"SANDBOX-ACTIVE-1")
CLAIMS = question_or_claims("837")


@asynccontextmanager
async def gateway(folder: Path) -> AsyncGenerator[tuple[Client, Running, str], None]:
    async with in_process(folder) as (client, up):
        yield client, up, (await asyncio.to_thread((folder / "sandbox.key").read_text)).strip()


def message(kind: core.Kind, payload: bytes | None, **changes: Any) -> Envelope:
    made = Envelope(
        kind=kind,
        payload_type=payload_type_of(payload or b"") or "X12_999_RetrievalRequest_005010X231A1",
        payload_id=ID,
        time_stamp=stamp(NOW),
        sender_id="ALDERFP",
        receiver_id="CLAIMWIRE",
        payload=payload,
    )
    return msgspec.structs.replace(made, **changes)


async def posted(up: Running, key: str, told: Envelope, form: str = "soap") -> tuple[int, Read | soap.Fault]:
    wire = mime.write(told, login=("ALDERFP", key)) if form == "mime" else soap.write(told, login=("ALDERFP", key))
    async with (
        aiohttp.ClientSession() as session,
        session.post(up.url + PATH, data=wire.body, headers=wire.headers) as response,
    ):
        body, content_type = await response.read(), response.headers["Content-Type"]
        reading = mime.read if content_type.startswith("multipart/form-data") else soap.read
        return response.status, reading(content_type, body)


async def said(up: Running, key: str, told: Envelope, form: str = "soap") -> Envelope:
    status, answered = await posted(up, key, told, form)
    assert 200 == status
    assert isinstance(answered, Read)
    return answered.envelope


def sets_of(payload: bytes | None) -> list[str]:
    return [s.set_id for i in read(payload or b"", levels=(1, 2)) for s in i.sets]


async def retrieved(up: Running, key: str, kind: core.Kind, payload_type: str) -> Envelope:
    """What a retrieval gets once it is there."""
    async with asyncio.timeout(30):
        while True:
            told = await said(up, key, message(kind, None, payload_type=payload_type))
            if told.payload:
                return told
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_a_question_is_answered_by_the_payers_own_answer_addressed_to_the_asker(
    tmp_path: Path, form: str
) -> None:
    async with gateway(tmp_path) as (_, up, key):
        told = await said(up, key, message("question", QUESTION), form)
    assert ("Success", "X12_271_Response_005010X279A1", ID) == (told.error_code, told.payload_type, told.payload_id)
    assert ["271"] == sets_of(told.payload)
    (interchange,) = read(told.payload or b"")
    assert ("SANDBOX", "ALDERFP") == (interchange.elements[5].strip(), interchange.elements[7].strip())
    assert ["SANDBOX", "ALDERFP"] == list(interchange.groups[0].elements[1:3])


async def test_a_question_about_a_claim_is_answered_by_the_payers_277(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        told = await said(up, key, message("question", question_or_claims("276")))
    assert ("Success", "X12_277_Response_005010X212") == (told.error_code, told.payload_type)
    assert ["277"] == sets_of(told.payload)


async def test_a_question_that_cannot_be_asked_is_answered_by_a_999(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        told = await said(up, key, message("question", QUESTION.replace(b"BHT*0022*13*", b"BHT*0022*99*")))
    assert ("Success", "X12_999_Response_005010X231A1") == (told.error_code, told.payload_type)
    assert ["999"] == sets_of(told.payload)


async def test_a_batch_is_durable_before_its_receipt_and_its_acknowledgements_are_retrieved(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (client, up, key):
        told = await said(up, key, message("submission", CLAIMS))
        assert ("Success", core.RECEIPT, ID) == (told.error_code, told.payload_type, told.payload_id)
        again = await said(up, key, message("submission", CLAIMS))
        assert ("Success", core.RECEIPT) == (again.error_code, again.payload_type)
        found = (await client.get("/2023-08-01/polling/transactions")).json["items"]
        claims = [i for i in found if i["x12"]["metadata"]["transaction"]["transactionSetIdentifier"] == "837"]
        assert 1 == len(claims)

        told = await retrieved(up, key, "acknowledgement retrieval", "X12_999_RetrievalRequest_005010X231A1")
        assert "X12_999_Response_005010X231A1" == told.payload_type
        assert ["999"] == sets_of(told.payload)
        up.runtime.wake.set()
        await client.forward(1)
        told = await retrieved(up, key, "acknowledgement retrieval", "X12_277CA_RetrievalRequest_005010X214")
        assert ["277"] == sets_of(told.payload)
        told = await retrieved(up, key, "results retrieval", "X12_005010_Request_BatchResultsMixed")
        assert "X12_277CA_Response_005010X214" == told.payload_type
        assert "ALDERFP" == read(told.payload or b"")[0].elements[7].strip()
        told = await said(up, key, message("results acknowledgement", None))
        assert "Success" == told.error_code


async def test_a_payload_id_that_comes_with_other_claims_takes_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        await said(up, key, message("submission", CLAIMS))
        other = CLAIMS.replace(b"P000000001", b"P000000002")
        told = await said(up, key, message("submission", other))
        assert "PayloadIDIllegal" == told.error_code


async def test_a_batch_that_is_refused_has_a_999_that_says_why(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        bad = CLAIMS.replace(b"CLM*", b"CLX*")
        assert "Success" == (await said(up, key, message("submission", bad))).error_code
        told = await retrieved(up, key, "acknowledgement retrieval", "X12_999_RetrievalRequest_005010X231A1")
        assert b"IK5*R" in (told.payload or b"")
        told = await said(up, key, message("results retrieval", None, payload_type="X12_835_Request_005010X221A1"))
        assert core.NO_RESULTS == told.payload_type


async def test_a_submission_that_nobody_made_has_no_acknowledgement(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        told = await said(up, key, message("acknowledgement retrieval", None))
        assert (core.NO_ACKNOWLEDGEMENT, None) == (told.payload_type, told.payload)


async def test_a_stranger_gets_nothing_and_a_key_does_what_its_scopes_allow(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, _key):
        for form, status, expected in (
            ("soap", 400, soap.Fault("Sender", "FailedAuthentication")),
            ("mime", 200, "UnAuthorized"),
        ):
            got, answered = await posted(up, "nobody", message("question", QUESTION), form)
            assert status == got
            assert expected == (answered.envelope.error_code if isinstance(answered, Read) else answered)
        now = up.runtime.world.micros()
        token, _ = await up.runtime.database.write(
            lambda tx: api_keys.create(tx, up.runtime.vault, TENANT, "narrow", ["claims:read"], now, None)
        )
        told = await said(up, token, message("submission", CLAIMS))
        assert ("UnAuthorized", True) == (told.error_code, "claims:write" in told.error_message)
        told = await said(up, token, message("question", QUESTION))
        assert "UnAuthorized" == told.error_code


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("question", CLAIMS, "PayloadTypeIllegal"),
        ("submission", QUESTION, "PayloadTypeIllegal"),
        ("submission", b"no X12", "PayloadTypeIllegal"),
        ("question", QUESTION.replace(b"*PI*SANDBOX~", b"*PI*NOBODY~"), "Success"),
    ],
)
async def test_what_cannot_be_taken_is_told_by_its_error_code(
    tmp_path: Path, kind: core.Kind, payload: bytes, code: str
) -> None:
    async with gateway(tmp_path) as (_, up, key):
        assert code == (await said(up, key, message(kind, payload))).error_code


async def test_a_client_made_from_the_wsdl_is_served(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (_, up, key):
        path = tmp_path / "core.wsdl"
        path.write_text(wsdl(up.url + PATH), "utf-8")
        login = zeep.wsse.username.UsernameToken("ALDERFP", key)
        client = await asyncio.to_thread(lambda: cast(Any, zeep.Client(str(path), wsse=login)))
        told = {
            "PayloadType": "X12_270_Request_005010X279A1", "ProcessingMode": "RealTime", "PayloadID": ID,
            "TimeStamp": stamp(NOW), "SenderID": "ALDERFP", "ReceiverID": "CLAIMWIRE", "CORERuleVersion": "2.2.0",
            "Payload": QUESTION.decode(),
        }  # fmt: skip
        answered = await asyncio.to_thread(lambda: client.service.RealTimeTransaction(**told))
        assert ("Success", "X12_271_Response_005010X279A1") == (answered.ErrorCode, answered.PayloadType)
        assert answered.Payload.startswith("ISA")
        told |= {
            "PayloadType": "X12_837_Request_005010X222A1", "ProcessingMode": "Batch", "PayloadID": ID.replace("f", "b"),
            "PayloadLength": len(CLAIMS), "CheckSum": hashlib.sha1(CLAIMS).hexdigest(), "Payload": CLAIMS,
        }  # fmt: skip
        answered = await asyncio.to_thread(lambda: client.service.BatchSubmitTransaction(**told))
        assert ("Success", core.RECEIPT) == (answered.ErrorCode, answered.PayloadType)
        asked = {k: v for k, v in told.items() if k not in ("PayloadLength", "CheckSum", "Payload")}
        asked["PayloadType"] = "X12_999_RetrievalRequest_005010X231A1"
        answered = await asyncio.to_thread(lambda: client.service.BatchSubmitAckRetrievalTransaction(**asked))
        assert ("Success", ["999"]) == (answered.ErrorCode, sets_of(answered.Payload))
        assert core.check_sum(answered.Payload) == answered.CheckSum
        asked["PayloadType"] = "X12_005010_Request_BatchResultsMixed"
        answered = await asyncio.to_thread(lambda: client.service.BatchResultsRetrievalTransaction(**asked))
        assert "Success" == answered.ErrorCode
        asked["PayloadType"] = "X12_999_SubmissionRequest_005010X231A1"
        answered = await asyncio.to_thread(lambda: client.service.BatchResultsAckSubmitTransaction(**asked))
        assert "Success" == answered.ErrorCode


async def test_another_claimwire_is_a_route(tmp_path: Path) -> None:
    """The sender's half of CORE against the receiver's, both our own: question, claims, probe."""
    adapter = registry.load("core")
    async with gateway(tmp_path) as (_, up, key), open_session() as session:
        told = {"url": up.url + PATH, "sender_id": "ALDERFP", "receiver_id": "CLAIMWIRE"}
        context = Context(told, {"user": "ALDERFP", "password": key}, session, lambda: NOW, 20)
        assert isinstance(await adapter.send(outbound("270", QUESTION), context), Replied)
        claims = outbound("837", number=2)
        assert "unknown" == await adapter.probe(claims, context)
        assert Delivered(claims.idempotency_key) == await adapter.send(claims, context)
        assert "received" == await adapter.probe(claims, context)
        wrong = msgspec.structs.replace(context, secrets={"user": "ALDERFP", "password": "nobody"})
        outcome = await adapter.send(outbound("837", number=3), wrong)
        assert isinstance(outcome, NotSent)
        assert not isinstance(outcome, (Refused, InDoubt))

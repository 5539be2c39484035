"""CAQH CORE on the wire: a client made by zeep from the WSDL, the dirty clients that are about, and hostile ones."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any, cast

import msgspec
import pytest
import zeep
import zeep.exceptions
import zeep.wsse.username
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree as _lxml  # pyright: ignore[reportMissingTypeStubs, reportAttributeAccessIssue, reportUnknownVariableType]

from adapters import registry
from adapters.contract import road as weather
from adapters.contract.samples import CANARIES, answer, outbound, question_or_claims
from adapters.contract.trips import Trip, leaks, shown, trip
from adapters.protocol import Delivered, InDoubt, NotSent, Refused, Replied
from adapters.transports.core import envelope as core
from adapters.transports.core import mime, multipart, server, soap, xml
from adapters.transports.core.envelope import Envelope, check_sum, kind_in_mime, payload_id, payload_type_of
from adapters.transports.core.multipart import NotMultipart
from adapters.transports.core.server import Request, Response
from adapters.transports.core.soap import Fault, NoMessage, Read, Unwritable
from adapters.transports.core.xml import NotXml
from tests.contract.core_wsdl import schema, wsdl
from tests.contract.peers import CorePeer, sandbox

ADAPTER = registry.load("core")
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
QUESTION, CLAIMS = question_or_claims("270"), question_or_claims("837")
ID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
NS = "http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd"
S12, S11 = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SOAP = "application/soap+xml; charset=utf-8"
LOGIN = ("ALDERFP", "hush-hush")


def envelope(kind: core.Kind = "question", payload: bytes | None = QUESTION, **changes: str) -> Envelope:
    made = Envelope(
        kind=kind,
        payload_type=payload_type_of(payload or b"") or "X12_999_RetrievalRequest_005010X231A1",
        payload_id=ID,
        time_stamp="2026-01-05T09:30:00Z",
        sender_id="ALDERFP",
        receiver_id="SANDBOX",
        processing_mode=core.MESSAGES[kind].mode,
        payload=payload,
    )
    return msgspec.structs.replace(made, **changes)


@asynccontextmanager
async def payer(folder: Path, *happens: weather.Weather) -> AsyncGenerator[Trip, None]:
    async with sandbox(folder, CorePeer) as peer, trip(ADAPTER, peer, *happens) as on:
        yield on


async def posted(on: Trip, content_type: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    """What the sandbox payer answers to these very bytes."""
    async with on.context.session.post(
        on.context.settings["url"], data=body, headers={"Content-Type": content_type, **headers}
    ) as response:
        return response.status, response.headers["Content-Type"], await response.read()


def understood(content_type: str, body: bytes) -> Read:
    read = (
        mime.read(content_type, body)
        if content_type.startswith("multipart/form-data")
        else soap.read(content_type, body)
    )
    assert isinstance(read, Read)
    return read


# --- a client that zeep makes ---


def generated(folder: Path, url: str) -> Any:
    path = folder / "core.wsdl"
    path.write_text(wsdl(url), "utf-8")
    return cast(Any, zeep.Client(str(path), wsse=zeep.wsse.username.UsernameToken(*LOGIN)))


def asked(payload: bytes | str | None, **changes: Any) -> dict[str, Any]:
    is_batch = not isinstance(payload, str)
    told: dict[str, Any] = {
        "PayloadType": "X12_837_Request_005010X222A1" if is_batch else "X12_270_Request_005010X279A1",
        "ProcessingMode": "Batch" if is_batch else "RealTime",
        "PayloadID": ID,
        "TimeStamp": "2026-01-05T09:30:00Z",
        "SenderID": "ALDERFP",
        "ReceiverID": "SANDBOX",
        "CORERuleVersion": "2.2.0",
    }
    if isinstance(payload, bytes):
        told |= {"PayloadLength": len(payload), "CheckSum": hashlib.sha1(payload).hexdigest()}
    if payload is not None:
        told["Payload"] = payload
    return told | changes


async def test_a_client_made_from_the_wsdl_gets_its_whole_story(tmp_path: Path) -> None:
    """Question, batch, its acknowledgement, the result, and the acknowledgement of the result."""
    async with payer(tmp_path) as on:
        client = await asyncio.to_thread(generated, tmp_path, on.context.settings["url"])

        async def call(name: str, told: dict[str, Any]) -> Any:
            return await asyncio.to_thread(getattr(client.service, name), **told)

        first = ID.replace("f", "a")
        said = await call("RealTimeTransaction", asked(QUESTION.decode(), PayloadID=first))
        assert ("Success", "X12_271_Response_005010X279A1") == (said.ErrorCode, said.PayloadType)
        assert ("SANDBOX", "ALDERFP", first) == (said.SenderID, said.ReceiverID, said.PayloadID)
        assert said.Payload.startswith("ISA")

        said = await call("BatchSubmitTransaction", asked(CLAIMS))
        assert ("Success", "X12_BatchReceiptConfirmation", ID) == (said.ErrorCode, said.PayloadType, said.PayloadID)

        retrieval = asked(None, PayloadType="X12_999_RetrievalRequest_005010X231A1")
        said = await call("BatchSubmitAckRetrievalTransaction", retrieval)
        assert "X12_999_Response_005010X231A1" == said.PayloadType
        assert (len(said.Payload), check_sum(said.Payload)) == (said.PayloadLength, said.CheckSum)

        wanted = asked(None, PayloadType="X12_005010_Request_BatchResultsMixed", PayloadID=ID.replace("f", "e"))
        said = await call("BatchResultsRetrievalTransaction", wanted)
        assert "X12_277CA_Response_005010X214" == said.PayloadType
        stored = asked(None, PayloadType="X12_999_SubmissionRequest_005010X231A1", PayloadID=said.PayloadID)
        assert "Success" == (await call("BatchResultsAckSubmitTransaction", stored)).ErrorCode
        said = await call("BatchResultsRetrievalTransaction", wanted)
        assert (core.NO_RESULTS, None) == (said.PayloadType, said.Payload)


async def test_a_client_made_from_the_wsdl_reads_our_faults_and_errors(tmp_path: Path) -> None:
    async with payer(tmp_path) as on:
        client = await asyncio.to_thread(generated, tmp_path, on.context.settings["url"])
        said = await asyncio.to_thread(
            client.service.RealTimeTransaction, **asked(QUESTION.decode(), CORERuleVersion="4.0.0")
        )
        assert ("VersionMismatch", "CoreEnvelopeError") == (said.ErrorCode, said.PayloadType)
        client.wsse = zeep.wsse.username.UsernameToken("ALDERFP", "wrong")
        with pytest.raises(cast(Any, zeep.exceptions).Fault, match="not known"):
            await asyncio.to_thread(client.service.RealTimeTransaction, **asked(QUESTION.decode()))


@pytest.mark.parametrize("kind", core.MESSAGES)
@pytest.mark.parametrize("is_answer", [False, True])
def test_what_we_write_is_valid_by_the_schema(kind: core.Kind, is_answer: bool) -> None:
    etree = cast(Any, _lxml)
    validator = etree.XMLSchema(etree.fromstring(schema()))
    payload = None if kind in ("acknowledgement retrieval", "results retrieval") and not is_answer else CLAIMS
    wire = soap.write(envelope(kind, payload, error_code="Success"), is_answer=is_answer, mtom=False, login=LOGIN)
    body = etree.fromstring(wire.body).find(f"{{{S12}}}Body")
    validator.assertValid(body[0])
    assert {None} == {etree.QName(child).namespace for child in body[0]}


# --- what goes in comes out ---

_X12 = st.text(st.sampled_from("A9~*:^<>&]'\"\r\n\t é€\u2028\U0001f600"), max_size=60)


@given(_X12, st.sampled_from(["1.1", "1.2"]))
def test_a_question_is_read_as_the_bytes_that_were_written(text: str, version: soap.Version) -> None:
    payload = b"ISA*00*" + text.encode() + b"~IEA*1*000000001~"
    wire = soap.write(envelope(payload=payload), version=version, login=LOGIN)
    read = understood(wire.headers["Content-Type"], wire.body)
    assert (payload, LOGIN, version) == (read.envelope.payload, (read.user, read.password), read.version)


@given(st.binary(max_size=500), st.sampled_from(["mtom", "base64", "mime"]))
def test_a_batch_is_read_as_the_bytes_that_were_written(content: bytes, way: str) -> None:
    payload = b"ISA*" + content
    told = envelope("submission", payload)
    wire = mime.write(told, login=LOGIN) if way == "mime" else soap.write(told, login=LOGIN, mtom=way == "mtom")
    read = understood(wire.headers["Content-Type"], wire.body)
    assert payload == read.envelope.payload
    assert (str(len(payload)), check_sum(payload)) == (read.envelope.payload_length, read.envelope.check_sum)


@pytest.mark.parametrize("payload", [b"ISA\x1c00", b"ISA*M\xdcLLER", b"ISA\x00"])
async def test_a_question_that_text_cannot_carry_is_refused_before_anything_leaves(
    tmp_path: Path, payload: bytes
) -> None:
    with pytest.raises(Unwritable):
        soap.write(envelope(payload=payload))
    async with payer(tmp_path) as on:
        content = QUESTION.replace(b"QUILLFEATHER", b"M\xdcLLER")
        assert isinstance(await ADAPTER.send(outbound("270", content), on.context), Refused)
        assert 0 == on.road.connections
        told = {**on.context.settings, "envelope": "mime"}
        assert isinstance(
            await ADAPTER.send(outbound("270", content), msgspec.structs.replace(on.context, settings=told)), Replied
        )


@pytest.mark.parametrize(
    ("key", "expected"),
    [(ID, ID), (ID.upper(), ID), ("visit-1001", str(payload_id("visit-1001"))), ("", payload_id(""))],
)
def test_the_payload_id_is_that_of_the_delivery_the_same_each_time(key: str, expected: str) -> None:
    assert expected == payload_id(key)
    assert 36 == len(payload_id(key))


@pytest.mark.parametrize(
    ("set_id", "expected"),
    [
        ("270", "X12_270_Request_005010X279A1"),
        ("276", "X12_276_Request_005010X212"),
        ("837", "X12_837_Request_005010X222A1"),
    ],
)
def test_the_payload_type_is_that_of_the_guide(set_id: str, expected: str) -> None:
    assert expected == payload_type_of(question_or_claims(set_id))
    assert expected == payload_type_of(question_or_claims(set_id, 1, "\r\n"))
    assert "" == payload_type_of(question_or_claims(set_id).replace(b"005010X", b"004010X"))
    assert "" == payload_type_of(b"ISA*00*")


@pytest.mark.parametrize(
    ("mode", "payload_type", "expected"),
    [
        ("RealTime", "X12_270_Request_005010X279A1", "question"),
        ("Batch", "X12_837_Request_005010X222A1", "submission"),
        ("Batch", "X12_005010_Request_BatchSubmissionMixed", "submission"),
        ("Batch", "X12_999_RetrievalRequest_005010X231A1", "acknowledgement retrieval"),
        ("Batch", "X12_TA1_RetrievalRequest_00501X231A1", "acknowledgement retrieval"),
        ("Batch", "X12_005010_Request_Acks", "acknowledgement retrieval"),
        ("Batch", "X12_005010_Request_BatchResultsMixed", "results retrieval"),
        ("Batch", "X12_005010_Request_Batch_Results_271", "results retrieval"),
        ("Batch", "X12_835_Request_005010X221A1", "results retrieval"),
        ("Batch", "X12_999_SubmissionRequest_005010X231A1", "results acknowledgement"),
    ],
)
def test_a_form_is_known_by_its_payload_type(mode: str, payload_type: str, expected: str) -> None:
    assert expected == kind_in_mime(mode, payload_type, expected == "submission")


# --- dirty clients ---


def document(
    payload: str,
    *,
    soap_namespace: str = S12,
    child: str = "",
    header: str | None = None,
    version: str = "2.2.0",
    stamp: str = "2026-01-05T09:30:00Z",
    identity: str = ID,
) -> bytes:
    """A question as some client writes it by hand."""
    login = (
        f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1"><w:UsernameToken><w:Username>{LOGIN[0]}</w:Username>'
        f"<w:Password>{LOGIN[1]}</w:Password></w:UsernameToken></w:Security>"
    )
    told = (
        ("PayloadType", "X12_270_Request_005010X279A1"), ("ProcessingMode", "RealTime"), ("PayloadID", identity),
        ("TimeStamp", stamp), ("SenderID", "ALDERFP"), ("ReceiverID", "SANDBOX"), ("CORERuleVersion", version),
        ("Payload", payload),
    )  # fmt: skip
    inner = "".join(f"\n   <{child}{name}>{said}</{child}{name}>" for name, said in told)
    return (
        f'<s:Envelope xmlns:s="{soap_namespace}" xmlns:cor="{NS}">\n <s:Header>{login if header is None else header}</s:Header>\n'
        f" <s:Body>\n  <cor:COREEnvelopeRealTimeRequest>{inner}\n  </cor:COREEnvelopeRealTimeRequest>\n </s:Body>\n</s:Envelope>\n"
    ).encode()


PLAIN = f"<![CDATA[{QUESTION.decode()}]]>"
ADDRESSING = (
    '<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">RealTimeTransaction</a:Action>'
    '<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:1</a:MessageID>'
)
TOKEN = document(PLAIN).decode().split("<s:Header>")[1].split("</s:Header>")[0]
LF_FORM = "\n".join(
    line
    for name, said in (
        ("PayloadType", "X12_270_Request_005010X279A1"), ("ProcessingMode", "RealTime"), ("PayloadID", ID),
        ("TimeStamp", "2026-01-05T09:30:00Z"), ("UserName", LOGIN[0]), ("Password", LOGIN[1]), ("SenderID", "ALDERFP"),
        ("ReceiverID", "SANDBOX"), ("CORERuleVersion", "2.2.0"), ("Payload", QUESTION.decode()),
    )
    for line in ("--form-1", f'Content-Disposition: form-data; name="{name}"', "", said)
).encode() + b"\n--form-1--\n"  # fmt: skip
SIMPLE = "application/soap+xml; charset=utf-8"

DIRTY: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "an action without quotes and a semicolon at the end": (
        "application/soap+xml; charset=utf-8;action=RealTimeTransaction;", document(PLAIN), {}),
    "an action in quotes": (f'{SIMPLE}; action="RealTimeTransaction"', document(PLAIN), {}),
    "a bare Action header": (SIMPLE, document(PLAIN), {"Action": "RealTimeTransaction"}),
    "a SOAPAction that is a long address": (
        SIMPLE, document(PLAIN), {"SOAPAction": '"http://www.caqh.org/SOAP/WSDL/CORETransactions/RealTimeTransactionRequest"'}),
    "a rule version with a v": (SIMPLE, document(PLAIN, version="v2.2.0"), {}),
    "a time stamp that is none": (SIMPLE, document(PLAIN, stamp="2026-01-05T09:30:123Z"), {}),
    "a payload id that is no uuid": (SIMPLE, document(PLAIN, identity="MOONLIT_1718000000"), {}),
    "blanks around the CDATA": (SIMPLE, document(f"\n      {PLAIN}\n   "), {}),
    "blanks within the CDATA": (SIMPLE, document(f"<![CDATA[\n {QUESTION.decode()}\n ]]>"), {}),
    "no CDATA at all": (SIMPLE, document(QUESTION.decode()), {}),
    "children with the prefix": (SIMPLE, document(PLAIN, child="cor:"), {}),
    "addressing headers": (SIMPLE, document(PLAIN, header=ADDRESSING + TOKEN), {}),
    "SOAP 1.1": ("text/xml; charset=utf-8", document(PLAIN, soap_namespace=S11), {"SOAPAction": "RealTimeTransaction"}),
    "a content type that is none of SOAP's": ("text/plain", document(PLAIN), {}),
    "an XML declaration after a line break": (
        SIMPLE, b'\n<?xml version="1.0" encoding="utf-8"?>\n' + document(PLAIN), {}),
    "utf-16": ("application/soap+xml; charset=utf-16", document(PLAIN).decode().encode("utf-16"), {}),
    "a form with bare line feeds and no quotes": ("multipart/form-data; boundary=form-1", LF_FORM, {}),
    "a form with its boundary in quotes": ('multipart/form-data; charset=utf-8; boundary="form-1"', LF_FORM, {}),
    "a form with CRLF": ("multipart/form-data; boundary=form-1", LF_FORM.replace(b"\n", b"\r\n"), {}),
    "a form whose names have no quotes": (
        "multipart/form-data; boundary=form-1", LF_FORM.replace(b'name="', b"name=").replace(b'"\n\n', b"\n\n"), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", DIRTY)
async def test_a_dirty_client_is_answered(tmp_path: Path, name: str) -> None:
    content_type, body, headers = DIRTY[name]
    async with payer(tmp_path) as on:
        status, answered, said = await posted(on, content_type, body, **headers)
        read = understood(answered, said)
        assert (200, "Success") == (status, read.envelope.error_code)
        assert (read.envelope.payload or b"").startswith(b"ISA")
        assert [QUESTION] == list(await on.peer.received())


async def test_the_form_is_answered_as_its_reader_wants_it(tmp_path: Path) -> None:
    """OpenEMR: the length of the body told, the boundary second in the content type and bare, names in quotes."""
    async with (
        payer(tmp_path) as on,
        on.context.session.post(
            on.context.settings["url"], data=LF_FORM, headers={"Content-Type": "multipart/form-data; boundary=form-1"}
        ) as response,
    ):
        body = await response.read()
        main, second = response.headers["Content-Type"].split(";")
        assert ("multipart/form-data", "boundary") == (main, second.strip().partition("=")[0])
        assert str(len(body)) == response.headers["Content-Length"]
        assert b'name="ErrorCode"\r\n\r\nSuccess\r\n' in body


async def test_no_security_header_is_enough_where_no_password_is_asked_for(tmp_path: Path) -> None:
    request = server.read_request(SIMPLE, document(PLAIN, header=""), NOW)
    assert isinstance(request, Request)
    assert ("", "") == (request.user, request.password)
    async with payer(tmp_path) as on:
        status, content_type, said = await posted(on, SIMPLE, document(PLAIN, header=""))
        assert 400 == status
        assert Fault("Sender", "FailedAuthentication") == soap.read(content_type, said)


# --- what is wrong is said in the order of the rule ---


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payload_type": ""}, "PayloadTypeRequired"),
        ({"payload_id": ""}, "PayloadIDRequired"),
        ({"sender_id": ""}, "SenderIDRequired"),
        ({"receiver_id": ""}, "ReceiverIDRequired"),
        ({"rule_version": ""}, "CORERuleVersionRequired"),
        ({"rule_version": "4.0.0"}, "VersionMismatch"),
        ({"processing_mode": "Batch"}, "ProcessingModeIllegal"),
        ({"sender_id": "A" * 51}, "SenderIDIllegal"),
        ({"payload": None}, "PayloadRequired"),
        ({"payload_length": "7"}, "PayloadLengthIllegal"),
        ({"check_sum": "00" * 20}, "CheckSumMismatched"),
        ({"payload_length": "7", "rule_version": "1"}, "VersionMismatch"),
    ],
)
def test_an_envelope_that_is_wrong_is_told_by_its_error_code(changes: dict[str, Any], code: str) -> None:
    told = core.wrong(msgspec.structs.replace(envelope(), **changes))
    assert told is not None
    assert code == told[0]


def test_a_check_sum_may_be_sha_1_or_sha_256_in_either_case() -> None:
    for told in (hashlib.sha1(CLAIMS).hexdigest(), hashlib.sha256(CLAIMS).hexdigest().upper()):
        assert core.wrong(envelope("submission", CLAIMS, check_sum=told)) is None


@pytest.mark.parametrize("form", ["soap", "mime"])
def test_a_wrong_envelope_is_answered_in_the_form_in_which_it_came(form: str) -> None:
    told = envelope(rule_version="4.0.0")
    wire = mime.write(told) if form == "mime" else soap.write(told)
    response = server.read_request(wire.headers["Content-Type"], wire.body, NOW)
    assert isinstance(response, Response)
    read = understood(response.headers["Content-Type"], response.body)
    assert (200, "VersionMismatch", core.ENVELOPE_ERROR) == (
        response.status, read.envelope.error_code, read.envelope.payload_type
    )  # fmt: skip


# --- what an answer means to the sender ---


def told(code: str, payload: bytes | None = None, kind: core.Kind = "submission") -> tuple[str, bytes]:
    wire = soap.write(envelope(kind, payload, error_code=code), is_answer=True)
    return wire.headers["Content-Type"], wire.body


def faulted(code: str, subcode: str = "", version: soap.Version = "1.2") -> tuple[str, bytes]:
    wire = soap.fault(version, "Sender" if code == "Sender" else "Receiver", f"about {CANARIES[0]}", subcode)
    return wire.headers["Content-Type"], wire.body


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (200, told("Success"), Delivered),
        (202, told("Success"), Delivered),
        (200, told("Success", answer()), Replied),
        (200, told("Success", answer()[:-20]), InDoubt),
        (200, told("PayloadTypeIllegal"), Refused),
        (200, told("SenderIDRequired"), Refused),
        (200, told("ReceiverIDNotUnderstood"), Refused),
        (200, told("VersionMismatch"), Refused),
        (200, told("Sender"), Refused),
        (200, told("UnAuthorized"), NotSent),
        (200, told("CheckSumMismatched"), NotSent),
        (200, told("Receiver"), InDoubt),
        (200, told(""), InDoubt),
        (200, told("SomethingNew"), InDoubt),
        (400, faulted("Sender"), Refused),
        (500, faulted("Sender"), InDoubt),
        (500, faulted("Receiver"), InDoubt),
        (200, faulted("Receiver"), InDoubt),
        (500, faulted("Sender", "FailedAuthentication"), NotSent),
        (500, faulted("Sender", "InvalidSecurity", "1.1"), NotSent),
        (500, faulted("Sender", "", "1.1"), InDoubt),
        (500, told("Success"), InDoubt),
        (404, told("Success"), Refused),
        (200, (SOAP, soap.write(envelope()).body), InDoubt),
    ],
)
async def test_an_answer_means_http_first_then_its_error_code_then_its_payload(
    tmp_path: Path, status: int, said: tuple[str, bytes], expected: type
) -> None:
    content_type, body = said
    async with payer(tmp_path, weather.answers(status, body, f"Content-Type: {content_type}")) as on:
        outcome = await ADAPTER.send(outbound("837"), on.context)
        assert isinstance(outcome, expected)
        assert [] == leaks(shown(outcome), on.secrets)


@pytest.mark.parametrize("changes", [{"payload": CLAIMS[:-20]}, {"error_code": "Receiver"}], ids=["no IEA", "an error"])
async def test_a_file_that_does_not_come_whole_is_told_and_not_given(tmp_path: Path, changes: dict[str, Any]) -> None:
    made = msgspec.structs.replace(envelope("results retrieval", answer(), error_code="Success"), **changes)
    wire = soap.write(made, is_answer=True)
    happens = weather.answers(200, wire.body, f"Content-Type: {wire.headers['Content-Type']}")
    async with payer(tmp_path, happens) as on:
        with pytest.raises(Exception, match="retrieving"):
            await anext(ADAPTER.collect(on.context))


async def test_a_file_whose_check_sum_does_not_match_is_not_given(tmp_path: Path) -> None:
    wire = soap.write(envelope("results retrieval", answer(), error_code="Success"), is_answer=True, mtom=False)
    body = wire.body.replace(check_sum(answer()).encode(), b"0" * 40)
    async with payer(tmp_path, weather.answers(200, body, f"Content-Type: {SOAP}")) as on:
        with pytest.raises(Exception, match="CheckSum"):
            await anext(ADAPTER.collect(on.context))


SAMPLES = Path(registry.__file__).parent / "core" / "samples"


@pytest.mark.parametrize("kind", ["question", "submission", "form"])
def test_the_samples_are_what_we_send(kind: str) -> None:
    """`samples/`: the head of the HTTP message above its body, as in `docs/adapters.md`."""
    head, _, body = (SAMPLES / f"{kind}.http").read_bytes().partition(b"\n\n")
    content_type = head.decode().partition("Content-Type: ")[2]
    request = server.read_request(content_type, body, NOW)
    assert isinstance(request, Request)
    told = envelope("submission", CLAIMS) if kind == "submission" else envelope()
    wire = mime.write(told, login=LOGIN) if kind == "form" else soap.write(told, login=LOGIN)
    assert (wire.headers["Content-Type"], wire.body) == (content_type, body)


# --- hostile peers ---

_LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (b, *([a] * 10)) for a, b in zip(b"abcdefgh", b"bcdefghi", strict=True)
) + b"]><x>&i;</x>"  # fmt: skip


def related(root: bytes, *parts: bytes, start: str = "root") -> tuple[str, bytes]:
    head = b'Content-Type: application/xop+xml; type="application/soap+xml"\r\nContent-ID: <root>\r\n\r\n'
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in (head + root, *parts)) + b"--b--\r\n"
    return f'multipart/related; boundary=b; start="<{start}>"', body


def batch(include: str) -> bytes:
    inner = "".join(
        f"<{n}>{s}</{n}>"
        for n, s in (("PayloadType", "X12_837_Request_005010X222A1"), ("ProcessingMode", "Batch"), ("PayloadID", ID))
    )
    return (
        f'<s:Envelope xmlns:s="{S12}"><s:Body><c:COREEnvelopeBatchSubmission xmlns:c="{NS}">{inner}<Payload>{include}</Payload>'
        "</c:COREEnvelopeBatchSubmission></s:Body></s:Envelope>"
    ).encode()


def hidden(encoding: str, declaration: str = "") -> bytes:
    """A document type that a look for its ASCII bytes does not find, and an entity of it between the fields."""
    said = document(PLAIN).decode().partition("?>")[2] or document(PLAIN).decode()
    said = said.replace("<PayloadType>", "&a;<PayloadType>")
    return f'{declaration}<!DOCTYPE x [<!ENTITY a "b">]>{said.strip()}'.encode(encoding)


def xop(href: str) -> str:
    return f'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="{href}"/>'


PAYLOAD_PART = b"Content-ID: <p>\r\n\r\nISA"
HOSTILE: dict[str, Callable[[], tuple[str, bytes]]] = {
    "a billion laughs": lambda: (SOAP, _LAUGHS),
    "a quadratic blow-up": lambda: (
        SOAP, b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 50_000 + b'">]><x>' + b"&a;" * 50_000 + b"</x>"),
    "an external entity": lambda: (
        SOAP, b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'),
    "an external entity over http": lambda: (
        SOAP, b'<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]><x>&a;</x>'),
    "an external document type": lambda: (SOAP, b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>'),
    "a parameter entity": lambda: (
        SOAP, b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]><x/>'),
    "a document type in utf-16": lambda: (SOAP, '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'.encode("utf-16")),
    "a document type in utf-32": lambda: (SOAP, hidden("utf-32")),
    "a document type in utf-32 that is declared": lambda: (SOAP, hidden("utf-32-be", '<?xml version="1.0" encoding="UCS-4BE"?>')),
    "a document type in ebcdic": lambda: (SOAP, hidden("cp037", '<?xml version="1.0" encoding="cp037"?>')),
    "a document type in utf-7": lambda: (
        SOAP, b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x [+ADwAIQ-ENTITY a "b">]><x>&a;</x>'),
    "an entity that nobody declared": lambda: (SOAP, document("&nothing;")),
    "depth": lambda: (SOAP, b"<a>" * 100_000),
    "attributes": lambda: (SOAP, b"<a " + b" ".join(b'a%d="1"' % n for n in range(10_000)) + b"/>"),
    "elements": lambda: (SOAP, b"<a>" + b"<b/>" * 100_000 + b"</a>"),
    "namespaces": lambda: (SOAP, b"<a " + b" ".join(b'xmlns:a%d="u%d"' % (n, n) for n in range(10_000)) + b"/>"),
    "size": lambda: (SOAP, b"<a>" + b"A" * (xml.BYTES_MAX + 1) + b"</a>"),
    "an include of a file": lambda: related(batch(xop("file:///etc/hostname")), PAYLOAD_PART),
    "an include over http": lambda: related(batch(xop("http://127.0.0.1:9/p")), PAYLOAD_PART),
    "an include of nothing": lambda: related(batch(xop("cid:other")), PAYLOAD_PART),
    "an include of a part that is there twice": lambda: related(batch(xop("cid:p")), PAYLOAD_PART, PAYLOAD_PART),
    "an include without a multipart": lambda: (SOAP, batch(xop("cid:p"))),
    "an include of the envelope itself": lambda: related(batch(xop("cid:root"))),
    "parts without end": lambda: related(batch(xop("cid:p")), *([b"A: b\r\n\r\n"] * 100_000)),
    "a part whose headers never end": lambda: related(batch(xop("cid:p")), b"A: " + b"b" * 1_000_000),
    "a multipart without its end": lambda: ("multipart/related; boundary=b", b"--b\r\n\r\n<a/>"),
    "a multipart without a boundary": lambda: ("multipart/related", b"--\r\n\r\n<a/>\r\n----"),
    "base64 that is none": lambda: (SOAP, batch("!!!!")),
    "a form with a field twice": lambda: (
        "multipart/form-data; boundary=form-1", LF_FORM.replace(b"SenderID", b"ReceiverID")),
    "a gzip": lambda: (SOAP, gzip.compress(bytes(1 << 20))),
    "nothing": lambda: (SOAP, b""),
    "a page": lambda: ("text/html", b"<!doctype html><title>x</title>"),
    "an include of XML": lambda: (
        SOAP, document('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>')),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_is_no_message_and_costs_little(name: str) -> None:
    content_type, body = HOSTILE[name]()
    tracemalloc.start()
    try:
        began = process_time()
        response = server.read_request(content_type, body, NOW)
        spent = process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(response, Response)
    refused = b"Fault" in response.body or 400 == response.status or b"PayloadRequired" in response.body
    assert refused, "taken for a message"
    assert spent < 1.0
    assert peak < 20 << 20


@given(
    st.binary(max_size=400),
    st.sampled_from([SOAP, "multipart/related; boundary=b", "multipart/form-data; boundary=b", ""]),
)
def test_whatever_comes_is_answered_and_never_raises(body: bytes, content_type: str) -> None:
    assert isinstance(server.read_request(content_type, body, NOW), (Request, Response))


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_parts_are_read_as_they_were_written(contents: list[bytes]) -> None:
    boundary = multipart.boundary_for(contents)
    parts = multipart.split(multipart.written([(("A: b",), c) for c in contents], boundary), boundary)
    assert contents == [p.body for p in parts]


def _message(body: bytes) -> object:
    return soap.read(SOAP, body)


def _parts(body: bytes) -> object:
    return multipart.split(body, "b")


@pytest.mark.parametrize("read", [xml.parse, _message, _parts])
def test_what_cannot_be_read_says_so_without_a_word_of_it(read: Callable[[bytes], Any]) -> None:
    with pytest.raises((NotXml, NoMessage, NotMultipart)) as error:
        read(CANARIES[0].encode())
    assert [] == leaks(shown(error.value), {})


async def test_a_certificate_that_cannot_be_read_sends_nothing(tmp_path: Path) -> None:
    async with payer(tmp_path) as on:
        told = {**on.context.settings, "certificate": str(tmp_path / "none.pem")}
        outcome = await ADAPTER.send(outbound("837"), msgspec.structs.replace(on.context, settings=told))
        assert isinstance(outcome, NotSent)
        assert "certificate" in outcome.reason
        assert 0 == on.road.connections


def test_base64_lines_of_old_clients_are_read() -> None:
    lines = base64.encodebytes(CLAIMS).decode()
    read = understood(SOAP, batch(lines))
    assert CLAIMS == read.envelope.payload

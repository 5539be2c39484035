"""The contract of raw X12 over HTTP: what each kind of failure means, on real sockets, and what every adapter is."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from traceback import format_exception

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.pretty import pretty_repr

import adapters
from adapters import registry
from adapters.contract.peers import serving
from adapters.protocol import (
    Adapter,
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    NotSent,
    Outbound,
    Outcome,
    Refused,
    Replied,
)
from adapters.transports import http as rest
from adapters.transports.rest import RawX12
from adapters.transports.session import BodyProgress, open_session
from adapters.transports.trouble import ExchangeFailed
from tests.contract.peers import RestPeer
from tests.contract.weather_server import (
    Weather,
    WeatherServer,
    announces,
    answers,
    babbles,
    cuts,
    drips,
    floods,
    silence,
)
from tests.synthetic import interchange

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
PATIENT, TOKEN, KEY = "LINDQVIST", "token-of-the-route", "0198b2c0-7d5e-7000-8000-000000000001"
DAY = 24 * 3600.0

INQUIRY = interchange("HS", "005010X279A1", [["BHT*0022*13*1*20260105*0930", f"NM1*IL*1*{PATIENT}*GRETA"]]).encode()
ANSWER = interchange("HB", "005010X279A1", [["BHT*0022*11*1*20260105*0930", f"NM1*IL*1*{PATIENT}*GRETA"]], 2).encode()
HTML = f"<html><body>Welcome, {PATIENT}</body></html>".encode()
RECEIPT = b'{"reference": "R-1"}'

adapter = RawX12("rest", "raw X12 over HTTPS")


def outbound(set_id: str = "837", payload: bytes = INQUIRY) -> Outbound:
    return Outbound(KEY, set_id, "000000001", payload, sha256(payload).hexdigest())


@asynccontextmanager
async def context(
    url: str, deadline_seconds: float = 5, secrets: Mapping[str, str] | None = None
) -> AsyncGenerator[Context, None]:
    async with open_session() as session:
        settings = {"url": url} if url else {}
        yield Context(
            settings, {"token": TOKEN} if secrets is None else secrets, session, lambda: NOW, deadline_seconds
        )


async def send(url: str, out: Outbound | None = None, deadline_seconds: float = 5) -> Outcome:
    async with context(url, deadline_seconds) as route:
        return await adapter.send(out or outbound(), route)


async def sent_into(weather: Weather, set_id: str = "837", deadline_seconds: float = 5) -> Outcome:
    async with WeatherServer(weather) as peer:
        return await send(peer.url, outbound(set_id), deadline_seconds)


@asynccontextmanager
async def raw_peer(greeting: bytes) -> AsyncGenerator[int, None]:
    """The port of a peer that says its greeting to whoever connects, and then only listens."""
    taken: list[asyncio.StreamWriter] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        writer.write(greeting)
        with suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(w.wait_closed() for w in taken), return_exceptions=True)


class _LateReader:
    """A payer that has no time: of a request it takes the beginning, and the rest when it is told to."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.got: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = len(await reader.read(1))
        await self.goes_on.wait()
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                size += len(piece)
        self.got.set_result(size)
        writer.close()


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS with a certificate for 127.0.0.1 that nobody else has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    return made


# Before a byte of the body: NotSent


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # Bound and not listening: nobody else takes the port, and it refuses.
        assert NotSent("ClientConnectorError") == await send(f"http://127.0.0.1:{free.getsockname()[1]}")


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    assert isinstance(await send("http://payer.invalid", deadline_seconds=2), NotSent)


async def test_tls_that_fails_is_not_sent() -> None:
    async with raw_peer(b"HTTP/1.1 400 this is no TLS\r\n\r\n") as port:
        assert NotSent("ClientConnectorSSLError") == await send(f"https://127.0.0.1:{port}")


async def test_a_certificate_that_nobody_we_trust_has_signed_is_not_sent(own_certificate: ssl.SSLContext) -> None:
    async with WeatherServer(answers(202, RECEIPT), tls=own_certificate) as peer:
        assert NotSent("ClientConnectorCertificateError") == await send(peer.url)
    assert [] == peer.received


async def test_a_peer_that_does_not_take_the_connection_in_time_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        try:
            outcome = await send(f"http://127.0.0.1:{full.getsockname()[1]}", deadline_seconds=0.3)
        finally:
            for one in waiting:
                one.close()
    assert isinstance(outcome, NotSent)
    assert "Timeout" in outcome.reason


async def test_a_tls_handshake_that_never_ends_is_not_sent() -> None:
    async with raw_peer(b"") as port:
        outcome = await send(f"https://127.0.0.1:{port}", deadline_seconds=0.3)
    assert isinstance(outcome, NotSent)
    assert "Timeout" in outcome.reason


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://127.0.0.1:99999", "http://" + "x" * 70])
async def test_a_route_without_a_usable_url_is_not_sent(url: str) -> None:
    outcome = await send(url)
    assert isinstance(outcome, NotSent)
    assert outcome.reason


async def test_a_token_that_no_header_can_carry_is_not_sent_and_not_told() -> None:
    async with WeatherServer(answers(202, RECEIPT)) as peer, context(peer.url, secrets={"token": "a\r\nb"}) as route:
        assert NotSent("ValueError") == await adapter.send(outbound(), route)
    assert [] == peer.received


# The peer says that it took nothing: NotSent


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_refused_credentials_are_not_sent_and_wait_for_a_mend(status: int) -> None:
    expected = NotSent(f"HTTP {status}: credentials refused", rest.CREDENTIALS_RETRY_SECONDS)
    assert expected == await sent_into(answers(status))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1000000000", DAY),
        ("1e400", DAY),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120.0),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), DAY),
    ],
)
async def test_a_peer_that_names_a_time_took_nothing_and_waits_a_day_at_most(
    status: int, header: str, seconds: float
) -> None:
    assert NotSent(f"HTTP {status}", seconds) == await sent_into(answers(status, b"", f"Retry-After: {header}"))


async def test_a_bare_429_took_nothing_as_the_exchange_promises() -> None:
    assert NotSent("HTTP 429") == await sent_into(answers(429))


@pytest.mark.parametrize("header", ["soon", "nan", "Mon, 04 Jan 2027 00:00:00 +99999999999999999999", "1 2 3"])
async def test_a_time_that_cannot_be_read_is_no_time(header: str) -> None:
    assert InDoubt("HTTP 503") == await sent_into(answers(503, b"", f"Retry-After: {header}"))
    assert NotSent("HTTP 429") == await sent_into(answers(429, b"", f"Retry-After: {header}"))


# After the first byte of the body, and no verdict: InDoubt


async def test_a_connection_cut_in_the_middle_of_the_body_is_in_doubt() -> None:
    async with WeatherServer(cuts(body_bytes_max=1000)) as peer:
        outcome = await send(peer.url, outbound(payload=b"S" * (8 << 20)))
    assert isinstance(outcome, InDoubt)
    assert 1000 == len(peer.received[0].body)


async def test_a_connection_cut_after_the_body_is_in_doubt() -> None:
    async with WeatherServer(cuts()) as peer:
        outcome = await send(peer.url)
    assert isinstance(outcome, InDoubt)
    assert [INQUIRY] == [r.body for r in peer.received]


async def test_an_answer_that_is_no_http_is_in_doubt() -> None:
    assert isinstance(await sent_into(babbles()), InDoubt)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 409, 425, 201, 204])
async def test_f07_a_status_that_is_no_verdict_is_in_doubt(status: int) -> None:
    assert InDoubt(f"HTTP {status}") == await sent_into(answers(status))


@pytest.mark.parametrize("set_id", ["270", "276", "837"])
@pytest.mark.parametrize("body", [b"", HTML, RECEIPT, b"IS", b"\xff\xfe"])
async def test_f06_a_200_that_is_no_interchange_is_in_doubt_and_kept(set_id: str, body: bytes) -> None:
    assert InDoubt("HTTP 200", body) == await sent_into(answers(200, body), set_id)


TAIL = ANSWER.index(b"IEA")


@pytest.mark.parametrize("end", [3, 50, 106, 107, 200, TAIL, TAIL + 3, TAIL + 4, len(ANSWER) - 3])
async def test_a_200_cut_before_its_iea_is_in_doubt_and_kept_even_where_http_sees_no_cut(end: int) -> None:
    outcome = await sent_into(answers(200, ANSWER[:end]), "270")
    assert isinstance(outcome, InDoubt)
    assert ANSWER[:end] == outcome.payload


async def test_a_200_whose_last_interchange_is_whole_and_the_first_is_not_is_in_doubt() -> None:
    outcome = await sent_into(answers(200, ANSWER[:TAIL] + ANSWER), "270")
    assert isinstance(outcome, InDoubt)


@pytest.mark.parametrize("body", [b"", ANSWER[:150], ANSWER])
async def test_an_answer_shorter_than_it_announced_is_in_doubt_and_kept(body: bytes) -> None:
    outcome = await sent_into(announces(len(ANSWER) + 100, body), "270")
    assert isinstance(outcome, InDoubt)
    assert body == outcome.payload


@pytest.mark.parametrize("body", [b"", HTML, b"{}", b'{"reference": 7}', b'{"reference": "\xff"}', b'{"refer'])
async def test_a_202_without_a_readable_receipt_is_in_doubt_and_kept(body: bytes) -> None:
    assert InDoubt("the receipt cannot be read", body) == await sent_into(answers(202, body))


@pytest.mark.parametrize("set_id", ["270", "276"])
async def test_a_202_to_an_inquiry_is_in_doubt(set_id: str) -> None:
    assert InDoubt("HTTP 202", RECEIPT) == await sent_into(answers(202, RECEIPT), set_id)


async def test_a_peer_that_reads_and_never_answers_is_in_doubt() -> None:
    outcome = await sent_into(silence(), deadline_seconds=0.3)
    assert isinstance(outcome, InDoubt)
    assert "Timeout" in outcome.reason


async def test_f10_an_answer_in_drops_ends_with_the_deadline_and_is_in_doubt() -> None:
    outcome = await sent_into(drips(ANSWER, seconds=0.02), "270", deadline_seconds=0.3)
    assert isinstance(outcome, InDoubt)
    assert "Timeout" in outcome.reason
    assert ANSWER.startswith(outcome.payload)


async def test_an_answer_without_end_is_in_doubt_and_not_kept() -> None:
    outcome = await sent_into(floods(b"A" * (1 << 20)), "270", deadline_seconds=30)
    assert InDoubt(f"the answer has more than {rest.ANSWER_BYTES_MAX} bytes") == outcome


async def test_a_session_that_does_not_tell_when_a_body_begins_leaves_every_failure_in_doubt() -> None:
    async with WeatherServer(cuts()) as peer, aiohttp.ClientSession() as session:
        outcome = await adapter.send(outbound(), Context({"url": peer.url}, {}, session, lambda: NOW, 5))
    assert isinstance(outcome, InDoubt)


# A verdict


@pytest.mark.parametrize(
    "body",
    [
        ANSWER,
        ANSWER.replace(b"~", b"~\r\n"),
        ANSWER.replace(b"~", b"\n"),
        b"\r\n " + ANSWER + b"\n",
        ANSWER.rstrip(b"~"),
        ANSWER.replace(b"GRETA", b"GR\xc9TA"),
        ANSWER + ANSWER,
    ],
    ids=["plain", "line breaks", "line terminators", "blanks around", "no last terminator", "latin-1", "two"],
)
@pytest.mark.parametrize("way", ["length", "chunks", "close"])
async def test_a_200_with_a_whole_interchange_is_the_reply_byte_for_byte(body: bytes, way: str) -> None:
    weather = answers(200, body, chunked=way == "chunks", bounded=way != "close")
    assert Replied(body) == await sent_into(weather, "270")


@pytest.mark.parametrize("reference", ["R-1", ""])
async def test_a_202_with_a_receipt_is_delivered(reference: str) -> None:
    body = f'{{"more": 1, "reference": "{reference}"}}'.encode()
    assert Delivered(reference) == await sent_into(answers(202, body))


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
async def test_a_no_for_good_is_refused(status: int) -> None:
    assert Refused(str(status), f"HTTP {status}") == await sent_into(answers(status, HTML))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    async with WeatherServer(answers(202, RECEIPT)) as elsewhere:
        weather = answers(status, b"", f"Location: {elsewhere.url}/x12")
        assert Refused(str(status), f"HTTP {status}") == await sent_into(weather)
    assert [] == elsewhere.received


# What leaves


async def test_the_bytes_the_key_and_the_token_leave_as_they_are_and_the_same_each_time() -> None:
    payload = INQUIRY.replace(b"GRETA", b"GR\xc9TA")
    async with WeatherServer(answers(503), answers(202, RECEIPT)) as peer:
        for _ in range(2):
            await send(peer.url + "/in/", outbound(payload=payload))
    assert [payload, payload] == [r.body for r in peer.received]
    for request in peer.received:
        assert ("POST", "/in/x12") == (request.method, request.path)
        assert KEY == request.headers["idempotency-key"]
        assert f"Bearer {TOKEN}" == request.headers["authorization"]
        assert "application/edi-x12" == request.headers["content-type"]
        assert str(len(payload)) == request.headers["content-length"]
        assert "identity" == request.headers["accept-encoding"]


async def test_a_route_without_a_token_sends_no_authorization() -> None:
    async with WeatherServer(answers(202, RECEIPT)) as peer, context(peer.url, secrets={}) as route:
        assert Delivered("R-1") == await adapter.send(outbound(), route)
    assert "authorization" not in peer.received[0].headers


async def test_a_large_batch_leaves_whole() -> None:
    payload = b"".join(b"NTE*ADD*%09d~" % i for i in range(200_000))
    async with WeatherServer(answers(202, RECEIPT)) as peer:
        assert Delivered("R-1") == await send(peer.url, outbound(payload=payload))
    assert sha256(payload).digest() == sha256(peer.received[0].body).digest()


async def test_a_failure_is_told_once_and_never_tried_again_by_the_adapter() -> None:
    async with WeatherServer(cuts()) as peer:
        await send(peer.url)
    assert 1 == len(peer.received)


# Evidence


@pytest.mark.parametrize(
    ("weather", "evidence"),
    [
        (answers(200, b'{"received":true}'), "received"),
        (answers(200, b'{ "received": true, "at": "2026-01-05" }\n'), "received"),
        (answers(404, b'{"received":false}'), "absent"),
        (answers(404, b'{"received": false}'), "absent"),
        (answers(200, b'{"received":false}'), "unknown"),
        (answers(404, b'{"received":true}'), "unknown"),
        (answers(404, HTML), "unknown"),
        (answers(404), "unknown"),
        (answers(200), "unknown"),
        (answers(200, HTML), "unknown"),
        (answers(200, b'{"received":"yes"}'), "unknown"),
        (answers(200, b'"\xff"'), "unknown"),
        (answers(401), "unknown"),
        (answers(500, b'{"received":true}'), "unknown"),
        (answers(302, b"", "Location: /elsewhere"), "unknown"),
        (announces(40, b'{"received":true}'), "unknown"),
        (cuts(), "unknown"),
        (silence(), "unknown"),
    ],
)
async def test_the_peer_is_believed_only_where_it_is_clear(weather: Weather, evidence: Evidence) -> None:
    # Long enough for a busy machine to connect: only the last of them waits for it.
    async with WeatherServer(weather) as peer, context(peer.url, deadline_seconds=2) as route:
        assert evidence == await adapter.probe(outbound(), route)
    assert {("GET", f"/x12/{KEY}")} == {(r.method, r.path) for r in peer.received}


async def test_a_peer_that_cannot_be_reached_gives_no_evidence() -> None:
    async with context("http://127.0.0.1:9") as route, context("") as unset:
        assert "unknown" == await adapter.probe(outbound(), route)
        assert "unknown" == await adapter.probe(outbound(), unset)


# The outbox


def listing(*references: str) -> Weather:
    files = ",".join(f'{{"reference": "{r}", "name": "{r}.835", "size": 1}}' for r in references)
    return answers(200, f'{{"files": [{files}]}}'.encode())


async def collected(peer: WeatherServer, deadline_seconds: float = 5) -> tuple[list[Inbound], str]:
    """What a collection gave, and how it failed, if it did."""
    got: list[Inbound] = []
    async with context(peer.url, deadline_seconds) as route:
        try:
            async for one in adapter.collect(route):
                got.append(one)  # noqa: PERF401 - what came before a failure counts
        except ExchangeFailed as failure:
            return got, str(failure)
    return got, ""


async def test_an_empty_outbox_gives_nothing() -> None:
    async with WeatherServer(listing()) as peer:
        assert ([], "") == await collected(peer)


async def test_files_come_in_the_payers_order_byte_for_byte_and_stay_until_settled() -> None:
    async with WeatherServer(listing("b", "a/../ü"), answers(200, ANSWER), answers(200, b"\xff\x00")) as peer:
        files, failure = await collected(peer)
    assert "" == failure
    assert [Inbound("b", "b.835", ANSWER), Inbound("a/../ü", "a/../ü.835", b"\xff\x00")] == files
    expected = [("GET", "/outbox"), ("GET", "/outbox/b"), ("GET", "/outbox/a%2F..%2F%C3%BC")]
    assert expected == [(r.method, r.path) for r in peer.received]
    assert {f"Bearer {TOKEN}"} == {r.headers["authorization"] for r in peer.received}


async def test_a_collection_may_be_abandoned_and_begun_again() -> None:
    async with WeatherServer(listing("a", "b"), answers(200, ANSWER), listing("a"), answers(200, ANSWER)) as peer:
        async with context(peer.url) as route:
            async for one in adapter.collect(route):
                assert "a" == one.reference
                break
        assert ([Inbound("a", "a.835", ANSWER)], "") == await collected(peer)


@pytest.mark.parametrize(
    "weather",
    [
        answers(200),
        answers(200, HTML),
        answers(200, b'{"files": [{"reference": 1}]}'),
        answers(200, b'{"files": [{"reference": "\xff"}]}'),
        answers(204),
        answers(302, b"", "Location: /elsewhere"),
        answers(401),
        answers(500),
        announces(100, b'{"files": []}'),
        cuts(),
        silence(),
    ],
)
async def test_an_outbox_that_cannot_be_listed_fails_rather_than_looks_empty(weather: Weather) -> None:
    async with WeatherServer(weather) as peer:
        files, failure = await collected(peer, deadline_seconds=0.3)
    assert [] == files
    assert failure


@pytest.mark.parametrize(
    "weather",
    [
        answers(404),
        answers(500),
        answers(302, b"", "Location: /elsewhere"),
        answers(204),
        announces(len(ANSWER), ANSWER[:-20]),
        answers(200, ANSWER[:-20], bounded=False),
    ],
    ids=["gone", "5xx", "redirect", "no content", "cut", "cut where HTTP sees none"],
)
async def test_a_file_that_cannot_be_fetched_is_told_and_does_not_keep_the_others(weather: Weather) -> None:
    async with WeatherServer(listing("bad", "good"), weather, answers(200, ANSWER)) as peer:
        files, failure = await collected(peer)
    assert [Inbound("good", "good.835", ANSWER)] == files
    assert failure


@pytest.mark.parametrize("status", [200, 204, 404])
async def test_settling_removes_the_file_and_again_is_the_same_as_once(status: int) -> None:
    async with WeatherServer(answers(204), answers(status)) as peer, context(peer.url) as route:
        for _ in range(2):
            await adapter.settle(Inbound("a/b", "x", ANSWER), route)
    assert [("DELETE", "/outbox/a%2Fb")] * 2 == [(r.method, r.path) for r in peer.received]


@pytest.mark.parametrize(
    "weather",
    [answers(s) for s in (202, 304, 400, 401, 409, 500, 503)]
    + [answers(s, b"", "Location: /elsewhere") for s in (302, 303)]
    + [cuts(), silence()],
)
async def test_a_file_that_the_peer_did_not_remove_is_not_settled(weather: Weather) -> None:
    async with WeatherServer(weather) as peer, context(peer.url, deadline_seconds=0.3) as route:
        with pytest.raises(ExchangeFailed):
            await adapter.settle(Inbound("a", "x", ANSWER), route)
    assert {"/outbox/a"} == {r.path for r in peer.received}


# Nothing leaks


def shown(value: object) -> str:
    """Whatever a log, a console or a traceback would print of a value."""
    trace = "".join(format_exception(value)) if isinstance(value, BaseException) else ""
    return f"{value!r} {value!s} {pretty_repr(value)} {trace}"


def leaks(text: str) -> list[str]:
    return [secret for secret in (PATIENT, TOKEN, "ISA*", "Bearer") if secret in text]


async def test_no_outcome_and_no_argument_shows_a_payload_or_a_secret() -> None:
    async with context("http://127.0.0.1:9") as route:
        values = (outbound(), Inbound("a", "x", ANSWER), Replied(ANSWER), InDoubt("HTTP 200", HTML + ANSWER), route)
        assert [[]] * len(values) == [leaks(shown(v)) for v in values]


@pytest.mark.parametrize(
    "weather", [answers(s, HTML) for s in (200, 202, 302, 400, 401, 429, 500)] + [cuts(), babbles()]
)
async def test_no_outcome_tells_a_payload_or_a_secret(weather: Weather) -> None:
    for set_id in ("270", "837"):
        assert [] == leaks(shown(await sent_into(weather, set_id)))


@pytest.mark.parametrize("weather", [answers(s, HTML) for s in (202, 302, 400, 401, 429, 500)] + [cuts(), babbles()])
async def test_no_error_tells_a_payload_or_a_secret(weather: Weather) -> None:
    """The client's own errors carry the request with its Authorization header; none of them may get out."""
    async with WeatherServer(weather) as peer, context(peer.url) as route:
        with pytest.raises(ExchangeFailed) as not_listed:
            await anext(adapter.collect(route))
        with pytest.raises(ExchangeFailed) as not_settled:
            await adapter.settle(Inbound("a", "x", ANSWER), route)
    assert [] == leaks(shown(not_listed.value))
    assert [] == leaks(shown(not_settled.value))


# Every adapter there is

FOLDERS = sorted(
    p.parent.name
    for p in Path(adapters.__path__[0]).glob("*/__init__.py")
    if p.parent.name not in ("contract", "transports")
)


def test_every_folder_is_an_adapter_and_transports_are_none() -> None:
    found = registry.available()
    assert {"rest", "sandbox"} <= set(FOLDERS) <= set(found)
    assert "transports" not in found


@pytest.mark.parametrize("name", sorted(registry.available()))
def test_an_adapter_is_what_the_protocol_says(name: str) -> None:
    made: Adapter = registry.load(name)
    assert name == made.name
    assert made is registry.load(name)
    assert isinstance(made.capabilities, Capabilities)
    transactions = made.capabilities.real_time | made.capabilities.batch
    assert set() < transactions <= {"270", "276", "837"}
    for method, parameters in (
        (made.send, ["outbound", "context"]),
        (made.settle, ["inbound", "context"]),
        (made.probe, ["outbound", "context"]),
    ):
        assert inspect.iscoroutinefunction(method)
        assert parameters == list(inspect.signature(method).parameters)
    assert inspect.isasyncgenfunction(made.collect)
    assert ["context"] == list(inspect.signature(made.collect).parameters)
    # Stateless: one instance serves all routes, so nothing of a route can be in it.
    assert TOKEN not in shown(made)


@pytest.mark.parametrize("name", ["", "transports", "protocol", "registry", "rest.x", "../rest", "REST", "nobody"])
def test_a_name_that_no_adapter_has_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(registry.UnknownAdapter) as error:
        registry.load(name)
    assert repr(name) in str(error.value)
    for known in FOLDERS:
        assert known in str(error.value)


async def test_f05_nothing_of_a_body_leaves_after_the_deadline_however_late_the_payer_reads() -> None:
    payer = _LateReader()
    body = INQUIRY.ljust(1 << 18)
    with socket.socket() as listening:
        # So that the system holds little of it for the payer.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with await asyncio.start_server(payer.take, sock=listening, limit=1 << 10), context(url, 0.3) as route:
            outcome = await adapter.send(outbound(payload=body), route)
            payer.goes_on.set()
            size = await payer.got
    assert isinstance(outcome, InDoubt)
    assert size < len(body)


async def test_f32_a_process_that_stood_still_right_before_the_first_byte_sends_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = BodyProgress.payload

    def stands_still(progress: BodyProgress, content: bytes) -> aiohttp.Payload:
        # All that follows happens in one turn of the loop, on a connection that is there: no timer comes between.
        time.sleep(0.4)
        return payload(progress, content)

    async with serving(RestPeer()) as payer, context(f"http://127.0.0.1:{payer.port}", 0.3, RestPeer.secrets) as route:
        assert isinstance(await adapter.send(outbound(), route), Replied)
        payer.taken.clear()
        monkeypatch.setattr(BodyProgress, "payload", stands_still)
        outcome = await adapter.send(outbound(), route)
        assert isinstance(outcome, NotSent)
        assert {} == payer.taken

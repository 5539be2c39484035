"""The dialect as an upstream: what each of its answers means, what leaves, and what its mailbox gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from traceback import format_exception
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr

from adapters import registry
from adapters.contract.samples import CANARIES, outbound, question_or_claims
from adapters.protocol import Context, Delivered, Inbound, InDoubt, NotSent, Outbound, Outcome, Refused, Replied
from adapters.transports.dialect.passed_on import without_acknowledgements
from adapters.transports.session import open_session
from adapters.transports.trouble import ExchangeFailed
from tests.contract.test_rest import NOW
from tests.contract.weather_server import Weather, WeatherServer, announces, answers, cuts
from tests.synthetic import interchange

adapter = registry.load("dialect")
KEY = "key-of-the-account"
PATIENT = CANARIES[0]
ANSWER = interchange(
    "HB", "005010X279A1", [["ST*271*{ST02}*005010X279A1", "BHT*0022*11*1*20260105*0930", f"NM1*IL*1*{PATIENT}*PERPETUA"]], 2
)  # fmt: skip
ACKNOWLEDGED = interchange(
    "FA", "005010X231A1", [["ST*999*{ST02}*005010X231A1", "AK1*HC*1*005010X222A1", "AK9*A*1*1*1"]], 3
)
REPORT = interchange("HN", "005010X214", [["ST*277*{ST02}*005010X214", "BHT*0085*08*1*20260105*0930*TH"]], 4)
REMITTANCE = interchange("HP", "005010X221A1", [["ST*835*{ST02}", "BPR*I*0*C*NON************20260105"]], 5)
CLAIMS = question_or_claims("837").decode()
SUCCESS = {"status": "SUCCESS", "claimReference": {"correlationId": "R-1"}, "errors": None}
PAGE = f"<html><body>Welcome, {PATIENT}</body></html>".encode()


def ta1(note: str) -> str:
    return ANSWER[:106] + f"TA1*000000001*260105*0930*R*{note}~IEA*0*000000002~"


def told(status: int, value: Any, *headers: str) -> Weather:
    return answers(status, msgspec.json.encode(value), *headers)


@asynccontextmanager
async def context(url: str, **changes: Any) -> AsyncGenerator[Context, None]:
    async with open_session() as session:
        yield Context({"url": url, **changes.get("settings", {})}, changes.get("secrets", {"key": KEY}), session, lambda: NOW, 5)  # fmt: skip


async def sent_into(weather: Weather, set_id: str = "837") -> Outcome:
    async with WeatherServer(weather) as peer, context(peer.url) as route:
        return await adapter.send(outbound(set_id), route)


def shown(value: object) -> str:
    trace = "".join(format_exception(value)) if isinstance(value, BaseException) else ""
    return f"{value!r} {value!s} {pretty_repr(value)} {trace}"


# --- a verdict ---


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("set_id", "said", "payload"),
    [
        ("270", {"x12": ANSWER}, ANSWER),
        ("270", {"x12": ACKNOWLEDGED, "errors": [{"code": "79"}]}, ACKNOWLEDGED),
        ("270", [{"x12": ANSWER}, {"x12": ANSWER}], ANSWER),
        ("276", {"x12": REPORT, "claims": [{"claimStatus": None}]}, REPORT),
        ("837", {**SUCCESS, "x12": ACKNOWLEDGED}, ACKNOWLEDGED),
        ("837", {"x12": ACKNOWLEDGED, "x12ClaimAcknowledgement": REPORT}, ACKNOWLEDGED + REPORT),
        ("837", {"status": "ERROR", "x12": ta1("025")}, ta1("025")),
    ],
)
async def test_an_answer_in_x12_is_the_reply_byte_for_byte(status: int, set_id: str, said: Any, payload: str) -> None:
    assert Replied(payload.encode()) == await sent_into(told(status, said), set_id)


async def test_what_came_before_is_told_in_x12_with_409() -> None:
    said = {"status": "ERROR", "x12ClaimAcknowledgement": REPORT}
    assert Replied(REPORT.encode()) == await sent_into(told(409, said))


async def test_an_answer_in_latin_1_keeps_its_bytes() -> None:
    payload = ANSWER.replace("PERPETUA", "PERPÉTUA").encode("latin-1")
    assert Replied(payload) == await sent_into(told(200, {"x12": payload.decode("latin-1")}), "270")


@pytest.mark.parametrize("x12", [None, "", CLAIMS, "no X12", ACKNOWLEDGED[:-20], ACKNOWLEDGED + CLAIMS])
async def test_claims_that_were_taken_are_delivered_whatever_else_stands_in_the_answer(x12: str | None) -> None:
    assert Delivered("R-1") == await sent_into(told(200, {**SUCCESS, "x12": x12}))


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        {"status": "ERROR"},
        {"status": "SUCCESS"},
        {"claimReference": {}},
        {"x12": CLAIMS},
        {"x12": 7},
        "SUCCESS",
    ],
)
async def test_a_200_that_does_not_say_that_claims_were_taken_is_in_doubt(said: Any) -> None:
    assert isinstance(await sent_into(told(200, said)), InDoubt)


@pytest.mark.parametrize("x12", [None, CLAIMS, ANSWER[:-30]])
async def test_a_200_without_an_answer_to_a_question_is_in_doubt(x12: str | None) -> None:
    assert isinstance(await sent_into(told(200, {**SUCCESS, "x12": x12}), "270"), InDoubt)


async def test_a_question_that_is_not_answered_yet_is_in_doubt_with_nothing_to_look_into() -> None:
    said = {"transactionId": "0198b2c0", "status": "PENDING"}
    assert InDoubt("the upstream has no answer yet") == await sent_into(told(202, said), "270")


async def test_a_request_under_way_under_the_same_key_is_in_doubt_with_nothing_to_look_into() -> None:
    said = {"status": "ERROR", "errors": [{"code": "409", "description": PATIENT, "field": "Idempotency-Key"}]}
    assert InDoubt("HTTP 409") == await sent_into(told(409, said, "Retry-After: 1"))


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_keeps_the_codes_and_none_of_the_words(status: int) -> None:
    errors = [{"code": "33"}, {"code": "33"}, {"code": f"{PATIENT} was not found"}, {"code": None}, {"code": "CW201"}]
    expected = Refused(str(status), f"HTTP {status}: 33, CW201")
    assert expected == await sent_into(told(status, {"status": "ERROR", "errors": errors}))


async def test_a_question_that_the_upstreams_own_payer_refused_is_refused_and_claims_are_in_doubt() -> None:
    weather = told(502, {"status": "ERROR", "errors": [{"code": "79"}]})
    assert Refused("502", "HTTP 502: 79") == await sent_into(weather, "270")
    assert InDoubt("HTTP 502") == await sent_into(weather)
    assert isinstance(await sent_into(answers(502, PAGE), "270"), InDoubt)


@pytest.mark.parametrize("status", [404, 405])
async def test_a_path_that_is_not_there_refuses_no_claims(status: int) -> None:
    outcome = await sent_into(told(status, {"status": "ERROR", "errors": [{"code": str(status)}]}))
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after_seconds


async def test_a_payer_that_could_not_be_reached_from_there_is_not_sent() -> None:
    said = {"status": "ERROR", "errors": [{"code": "42"}]}
    assert NotSent("HTTP 503", 7.0) == await sent_into(told(503, said, "Retry-After: 7"), "270")


@pytest.mark.parametrize("set_id", ["270", "837"])
@pytest.mark.parametrize("status", [200, 202, 302, 400, 401, 404, 409, 429, 500, 502])
async def test_no_outcome_tells_a_payload_or_the_key(status: int, set_id: str) -> None:
    for weather in (answers(status, PAGE), told(status, {"x12": ANSWER, "errors": [{"code": PATIENT}]})):
        outcome = shown(await sent_into(weather, set_id))
        assert [] == [secret for secret in (*CANARIES, KEY, "ISA*") if secret in outcome]


# --- what leaves ---


def claims_by(guide: str) -> Outbound:
    return outbound("837", CLAIMS.replace("005010X222A1", guide).encode())


@pytest.mark.parametrize("prefix", ["", "/", "/change", "/2024-04-01/change/"])
@pytest.mark.parametrize(
    ("out", "path"),
    [
        (outbound("270"), "/medicalnetwork/eligibility/v3/raw-x12"),
        (outbound("276"), "/medicalnetwork/claimstatus/v2/raw-x12"),
        (claims_by("005010X222A2"), "/medicalnetwork/professionalclaims/v3/raw-x12-submission"),
        (claims_by("005010X223A3"), "/medicalnetwork/institutionalclaims/v1/raw-x12-submission"),
        (claims_by("005010X224A2"), "/dental-claims/raw-x12-submission"),
    ],
)
async def test_what_leaves_is_the_interchange_under_its_own_id(prefix: str, out: Outbound, path: str) -> None:
    async with WeatherServer(told(200, SUCCESS)) as peer, context(peer.url + prefix) as route:
        for _ in range(2):
            await adapter.send(out, route)
    first, second = peer.received
    base = prefix.rstrip("/")
    assert (base.removesuffix("/change") if "dental" in path else base) + path == first.path
    assert {"x12": out.payload.decode()} == msgspec.json.decode(first.body)
    assert (out.idempotency_key, KEY) == (first.headers["idempotency-key"], first.headers["authorization"])
    # A retry is the same request: that is what the upstream knows it by.
    assert first == second


@pytest.mark.parametrize(
    "out", [claims_by("005010X220A1"), outbound("837", b"no X12"), outbound("837", CLAIMS.encode().replace(b"7 B", b"\xff"))]
)  # fmt: skip
async def test_what_the_dialect_cannot_carry_does_not_leave(out: Outbound) -> None:
    async with WeatherServer(told(200, SUCCESS)) as peer, context(peer.url) as route:
        outcome = await adapter.send(out, route)
    assert isinstance(outcome, NotSent)
    assert "interchange" == outcome.about
    assert [] == peer.received


async def test_a_token_is_fetched_where_the_route_says_so_and_renewed_once() -> None:
    token = told(200, {"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600})
    async with WeatherServer(token, answers(401), token, told(200, SUCCESS)) as peer:
        secrets = {"client_id": "us", "client_secret": "hush-hush"}
        async with context(peer.url, settings={"token_url": f"{peer.url}/token"}, secrets=secrets) as route:
            assert Delivered("R-1") == await adapter.send(outbound("837"), route)
    assert ["/token", "Bearer t-1"] * 2 == [
        r.path if r.path == "/token" else r.headers["authorization"] for r in peer.received
    ]
    assert b"client_id=us" in peer.received[0].body


@pytest.mark.parametrize("secrets", [{"client_id": "us"}, {"client_secret": "x"}, {"token": "x"}])
async def test_a_route_whose_secrets_cannot_be_used_sends_nothing(secrets: Mapping[str, str]) -> None:
    async with WeatherServer(told(200, SUCCESS)) as peer, context(peer.url, secrets=secrets) as route:
        assert isinstance(await adapter.send(outbound("837"), route), NotSent)
        with pytest.raises(ExchangeFailed):
            await adapter.settle(Inbound("X31", "X31", b""), route)
    assert [] == peer.received


# --- the mailbox ---


def listing(*names: str) -> Weather:
    return told(200, {"reports": names, "meta": {"senderId": "x"}})


async def collected(*weather: Weather, **settings: str) -> tuple[list[tuple[str, bytes]], str, list[str]]:
    """What a collection gave, how it failed, and what was asked for."""
    got: list[tuple[str, bytes]] = []
    failure = text = ""
    async with WeatherServer(*weather) as peer, context(peer.url, settings=settings) as route:
        try:
            async for one in adapter.collect(route):
                got.append((one.reference, one.payload))  # noqa: PERF401 - what came before a failure counts
        except ExchangeFailed as error:
            failure = str(error)
            text = shown(error)
    assert [] == [secret for secret in (*CANARIES, KEY, "ISA*") if secret in text]
    return got, failure, [r.path.removeprefix("/medicalnetwork/reports/v2") for r in peer.received]


async def test_reports_come_the_oldest_first_and_what_is_no_277_or_835_stays_there() -> None:
    report, remittance = answers(200, REPORT.encode()), answers(200, REMITTANCE.encode())
    got, failure, asked = await collected(listing("R5b", "AA1", "X3a/1"), report, remittance, listing("AA1"))
    assert ([("X3a/1", REPORT.encode()), ("R5b", REMITTANCE.encode())], "") == (got, failure)
    assert ["", "/X3a%2F1", "/R5b", ""] == asked


async def test_what_lies_behind_the_names_that_are_listed_comes_in_the_same_collection() -> None:
    file = answers(200, REPORT.encode())
    got, failure, _ = await collected(listing("X33", "X32"), file, file, listing("X33", "X31"), file, listing("X33"))
    assert (["X32", "X33", "X31"], "") == ([name for name, _ in got], failure)


async def test_a_report_in_json_is_the_x12_in_it() -> None:
    enclosed = told(200, {"report_content": REPORT.replace("*TH", "*TÜ"), "meta": None})
    got, failure, _ = await collected(listing("X31"), enclosed, listing())
    assert ([("X31", REPORT.replace("*TH", "*TÜ").encode("latin-1"))], "") == (got, failure)


@pytest.mark.parametrize(
    "bad",
    [
        answers(404),
        answers(500),
        answers(302, b"", "Location: /elsewhere"),
        answers(200, PAGE),
        answers(200),
        told(200, {"report_content": "Some content"}),
        told(200, {"message": "no"}),
        announces(len(REPORT), REPORT[:-20].encode()),
        answers(200, REPORT[:-20].encode(), bounded=False),
        answers(200, ACKNOWLEDGED.encode()),
    ],
    ids=["gone", "5xx", "redirect", "page", "empty", "text", "json", "cut", "cut where HTTP sees none", "not ours"],
)
async def test_a_report_that_cannot_be_had_is_told_is_not_settled_and_does_not_keep_the_others(bad: Weather) -> None:
    got, failure, _ = await collected(listing("X32", "X31"), bad, answers(200, REPORT.encode()), listing("X31"))
    assert [("X32", REPORT.encode())] == got
    assert failure


@pytest.mark.parametrize(
    "weather", [answers(200), answers(200, PAGE), told(200, {"reports": None}), answers(401), cuts()]
)
async def test_a_mailbox_that_cannot_be_listed_fails_rather_than_looks_empty(weather: Weather) -> None:
    got, failure, _ = await collected(weather)
    assert [] == got
    assert failure


@pytest.mark.parametrize("status", [200, 204, 404])
async def test_a_report_is_taken_out_and_again_is_the_same_as_once(status: int) -> None:
    async with WeatherServer(answers(200), answers(status)) as peer, context(peer.url) as route:
        for _ in range(2):
            await adapter.settle(Inbound("X3a/b", "x", b""), route)
    assert [("DELETE", "/medicalnetwork/reports/v2/X3a%2Fb")] * 2 == [(r.method, r.path) for r in peer.received]


# --- polling ---

BARE = REPORT[REPORT.index("ST*") : REPORT.index("GE*")]
POLLING = {"reports": "polling"}


def polled(name: str, set_id: str = "277", **changes: Any) -> dict[str, Any]:
    """An item of polling, as a hosted service has it."""
    return {
        "transactionId": name,
        "direction": "INBOUND",
        "processedAt": "2026-01-04T09:30:00.000Z",
        "x12": {
            "metadata": {"transaction": {"transactionSetIdentifier": set_id}, "functionalGroup": {"release": None}}
        },
        "artifacts": [
            {"artifactType": "application/json", "url": "https://core.clearing.example/output"},
            {"artifactType": "application/edi-x12", "url": f"https://core.clearing.example/t/{name}/input?x=1"},
        ],
    } | changes


def page(*items: dict[str, Any], token: str | None = None) -> Weather:
    return told(200, {"items": items, "nextPageToken": token})


async def polled_from(*weather: Weather, **told: str) -> tuple[list[tuple[str, bytes]], str, list[str]]:
    got, failure, asked = await collected(*weather, **POLLING, **told)
    return got, failure, [path.removeprefix("/2023-08-01") for path in asked]


async def test_polling_looks_back_and_goes_on_by_tokens_until_nothing_is_left() -> None:
    file = answers(200, REPORT.encode())
    first, second = page(polled("a"), token="7"), page(polled("b", "835"), token="8")
    got, failure, asked = await polled_from(first, file, second, file, page(token="8"), look_back_hours="24")
    assert ([("a", REPORT.encode()), ("b", REPORT.encode())], "") == (got, failure)
    assert [
        "/polling/transactions?startDateTime=2026-01-04T09:30:00Z&pageSize=100", "/t/a/input?x=1",
        "/polling/transactions?pageToken=7&pageSize=100", "/t/b/input?x=1",
        "/polling/transactions?pageToken=8&pageSize=100",
    ] == asked  # fmt: skip


async def test_a_token_that_does_not_move_ends_the_look() -> None:
    file = answers(200, REPORT.encode())
    got, failure, asked = await polled_from(page(polled("a"), token="7"), file, page(polled("b"), token="7"), file)
    assert (["a", "b"], "", 4) == ([name for name, _ in got], failure, len(asked))


STATUS = {
    "metadata": {"transaction": {"transactionSetIdentifier": "277"}, "functionalGroup": {"release": "005010X212"}}
}


@pytest.mark.parametrize(
    "other",
    [
        polled("a", "271"),
        polled("a", "837", direction="OUTBOUND"),
        polled("a", direction="OUTBOUND"),
        polled("a", x12=STATUS),
        polled("a", x12=None),
        polled("a", artifacts=None),
        polled("a", artifacts=[{"artifactType": "application/json", "url": "https://core.clearing.example/a"}]),
        polled("a", processedAt="2026-01-01T09:30:00Z"),
    ],
    ids=["271", "837", "sent", "status", "no X12", "no artifacts", "JSON", "long ago"],
)
async def test_what_is_no_report_of_that_time_is_not_fetched(other: dict[str, Any]) -> None:
    got, failure, asked = await polled_from(page(other))
    assert ([], "", 1) == (got, failure, len(asked))


async def test_of_many_transactions_in_one_file_the_file_comes_once() -> None:
    items = (polled("a", fileExecutionId="f"), polled("b", "835", fileExecutionId="f"))
    got, failure, asked = await polled_from(page(*items), answers(200, REPORT.encode()))
    assert ([("a", REPORT.encode())], "", 2) == (got, failure, len(asked))


async def test_a_set_without_its_envelope_is_asked_for_as_the_file_that_it_came_in() -> None:
    bare, file = answers(200, BARE.encode()), answers(200, REPORT.encode())
    got, failure, asked = await polled_from(page(polled("a", fileExecutionId="f/1")), bare, file)
    assert ([("a", REPORT.encode())], "", "/executions/f%2F1/input") == (got, failure, asked[-1])
    got, failure, _ = await polled_from(page(polled("a")), bare)
    assert [] == got
    assert failure


@pytest.mark.parametrize("by", ["body", "header"])
async def test_a_document_on_the_host_that_the_route_names_is_fetched_without_the_key(by: str) -> None:
    async with WeatherServer(answers(200, REPORT.encode())) as store:
        where, host = f"{store.url}/d?signed=1", store.url.removeprefix("http://")
        away = told(302, {"documentDownloadUrl": where}) if by == "body" else answers(302, b"", f"Location: {where}")
        got, failure, _ = await polled_from(page(polled("a")), away, documents_host=host)
        assert ([("a", REPORT.encode())], "") == (got, failure)
        assert [("GET", "/d?signed=1")] == [(r.method, r.path) for r in store.received]
        assert "authorization" not in store.received[0].headers


@pytest.mark.parametrize("host", ["", "elsewhere.example", "127.0.0.1"])
async def test_a_document_on_another_host_is_told_and_not_fetched(host: str) -> None:
    async with WeatherServer(answers(200, REPORT.encode())) as store:
        away = told(302, {"documentDownloadUrl": f"{store.url}/d"})
        items, file = page(polled("a"), polled("b")), answers(200, REPORT.encode())
        got, failure, _ = await polled_from(items, away, file, documents_host=host)
        assert (["b"], []) == ([name for name, _ in got], store.received)
        assert failure


@pytest.mark.parametrize(
    "weather", [answers(200), answers(200, PAGE), told(200, {"items": None}), answers(401), cuts()]
)
async def test_polling_that_cannot_be_read_fails_rather_than_looks_empty(weather: Weather) -> None:
    got, failure, _ = await polled_from(weather)
    assert [] == got
    assert failure


# --- what is passed on ---


def mixed(*groups: str, ta1: bool = False, line_end: str = "") -> bytes:
    """One interchange with the groups of others."""
    inside = [g[106 : g.index("~IEA") + 1] for g in groups]
    head, tail = REPORT[:106], f"IEA*{len(groups)}*000000004~"
    return line_end.join((head, *(["TA1*000000001*260105*0930*A*000~"] if ta1 else []), *inside, tail)).encode()


@pytest.mark.parametrize("content", [REPORT.encode(), (REPORT + REMITTANCE).encode(), REPORT.replace("~", "~\r\n").encode(),
                                     mixed(REPORT, REMITTANCE), b"", b"no X12"])  # fmt: skip
def test_a_file_without_acknowledgements_is_passed_on_as_it_came(content: bytes) -> None:
    assert content == without_acknowledgements(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (mixed(ACKNOWLEDGED, REPORT, ta1=True), mixed(REPORT)),
        (mixed(REPORT, ACKNOWLEDGED, REMITTANCE), mixed(REPORT, REMITTANCE)),
        (mixed(REPORT, ta1=True), mixed(REPORT)),
        (mixed(REPORT, ACKNOWLEDGED, line_end="\n"), mixed(REPORT)),
        ((ACKNOWLEDGED + REPORT + ACKNOWLEDGED).encode(), REPORT.encode()),
        (mixed(ACKNOWLEDGED, ta1=True), b""),
        (ACKNOWLEDGED.encode(), b""),
    ],
)
def test_acknowledgements_of_the_upstreams_interchanges_are_left_out(content: bytes, expected: bytes) -> None:
    assert expected == without_acknowledgements(content)

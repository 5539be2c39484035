"""What stands around every operation: methods, media types, limits, bodies that are too large, too slow or broken."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from gateway import serving
from gateway.api import bodies
from gateway.config import Config
from gateway.ledger import api_keys
from gateway.limits import Limits
from gateway.serving import Running
from tests.flows.contract import Contract
from tests.flows.service import NETWORK, Answer, Client, claim_body, eligibility_body, in_process
from tests.flows.test_access import key_with

ELIGIBILITY = f"{NETWORK}/eligibility/v3"
SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"
TRANSACTION = "/v1/transactions/018f3c9d-6f3a-7c1e-9b1a-3f6c2d8e4a51"
X12 = f"{NETWORK}/professionalclaims/v3/raw-x12-validation"
PATIENCE_SECONDS = 20


@asynccontextmanager
async def served(data: Path, **settings: object) -> AsyncGenerator[tuple[Client, Running]]:
    async with in_process(data, msgspec.structs.replace(Config(), **settings)) as (client, up):
        yield client, up


def refused(answer: Answer, status: int, path: str) -> str:
    """A refusal in the shape of its path; what it says."""
    assert (status, path) == (answer.status, path), answer.body
    if path.startswith("/v1"):
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert status == answer.json["status"]
        return f"{answer.json['title']} {answer.json.get('detail', '')}"
    assert "application/json" == answer.headers["Content-Type"]
    assert "ERROR" == answer.json["status"]
    assert all(e["description"] for e in answer.json["errors"])
    return answer.json["message"]


# --- methods ---------------------------------------------------------------------------------------------------------


async def test_every_path_answers_head_and_options_and_names_its_methods_otherwise(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _):
        contract = Contract((await client.get("/openapi.json")).json)
        methods: dict[str, set[str]] = {}
        for operation in contract.operations:
            methods.setdefault(operation.path, set()).add(operation.method)
        wide = [re.sub(r"\{\w+\}", "[^/]+", path) for path in methods if "{" in path]
        # A path that another one's parameter would match as well is itself, and nothing of the other one.
        assert any(re.fullmatch(pattern, path) for pattern in wide for path in methods if "{" not in path)
        for path, those in methods.items():
            concrete = re.sub(r"\{\w+\}", "x", path)
            allowed = {*those, "OPTIONS", *(("HEAD",) if "GET" in those else ())}
            asked = await client.call("OPTIONS", concrete)
            assert (204, allowed, b"") == (asked.status, set(asked.headers["Allow"].split(",")), asked.body)
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - those:
                answer = await client.call(method, concrete, b"{}" if method in ("PUT", "PATCH") else None)
                assert "method" in refused(answer, 405, concrete)
                assert allowed == set(answer.headers["Allow"].split(","))
            if "GET" in those:
                got, head = await client.get(concrete), await client.call("HEAD", concrete)
                assert (got.status, b"") == (head.status, head.body)
                assert got.headers["Content-Type"] == head.headers["Content-Type"]


_UNDER_PREFIXES = (
    *("POST /eligibility/v3", "POST /eligibility/v3/raw-x12", "POST /claimstatus/v2", "POST /claimstatus/v2/raw-x12"),
    *(f"GET /{one}/healthcheck" for one in ("eligibility/v3", "claimstatus/v2", "reports/v2")),
    *(f"GET /{one}/healthcheck" for one in ("professionalclaims/v3", "institutionalclaims/v1")),
    *(
        f"POST /{kind}/{what}"
        for kind in ("professionalclaims/v3", "institutionalclaims/v1")
        for what in ("submission", "validation", "raw-x12-submission", "raw-x12-validation")
    ),
    *("GET /reports/v2", "GET /reports/v2/x", "DELETE /reports/v2/x", "GET /reports/v2/x/277", "GET /reports/v2/x/835"),
)
# Every path of the dialect, as clients of hosted clearinghouses write them.
_DIALECT = (
    *(
        one.replace(" ", f" {prefix}/medicalnetwork")
        for one in _UNDER_PREFIXES
        for prefix in ("/2024-04-01/change", "/change", "")
    ),
    *(
        one.replace(" ", f" {prefix}")
        for one in (
            *(
                "POST /dental-claims/submission",
                "POST /dental-claims/raw-x12-submission",
                "GET /dental-claims/healthcheck",
            ),
            *("GET /payers", "GET /payers/search", "GET /payers/csv", "GET /payer/x"),
            *("POST /eligibility-manager/batch-eligibility", "GET /eligibility-manager/polling/batch-eligibility"),
            *("GET /eligibility-manager/batch/x", "GET /eligibility-manager/batch/x/items"),
        )
        for prefix in ("/2024-04-01", "")
    ),
    *("GET /2023-08-01/polling/transactions", "GET /2023-08-01/transactions", "GET /2023-08-01/transactions/x"),
    *(f"POST {prefix}/apip/auth/v2/token" for prefix in ("/2024-04-01/change", "/change", "")),
    *("POST /2026-06-01/eligibility-check", "POST /2025-06-01/protocols/caqh-core"),
    *("POST /2025-03-07/professional-claim-submissions", "GET /2025-03-07/professional-claim-submissions/x"),
    *("POST /2025-03-07/professional-claim-submissions/validate", "GET /2025-03-07/claims", "GET /2025-03-07/claims/x"),
    *("GET /2025-03-07/claims/x/timeline", "POST /2026-02-01/destinations", "GET /2026-02-01/destinations/x"),
    *("GET /2026-02-01/events", "GET /2026-02-01/events/x"),
)
# What is no operation.
_PAGES = (
    *("GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"),
    *("GET /docs", "GET /docs/style.css", "GET /docs/objects/Problem"),
)


async def test_every_path_of_the_dialect_is_served_with_and_without_a_final_slash(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        missing: list[str] = []
        for one in (*_DIALECT, *_PAGES):
            method, path = one.split()
            for slash in ("", "/"):
                asked = await client.call("OPTIONS", path + slash)
                if method not in asked.headers.get("Allow", "").split(","):
                    missing.append(f"{one}{slash}")
        assert [] == missing
        for one in _PAGES:
            path = one.removeprefix("GET ")
            assert (200, 200) == ((await client.get(path)).status, (await client.get(f"{path}/")).status)


async def test_paths_that_are_none_are_refused_in_the_shape_of_their_kind(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _):
        for path in (f"{NETWORK}/eligibility/v9", "/2024-04-01/nothing", "/v1/nothing", "/v1/transactions//"):
            assert "/docs" in refused(await client.get(path), 404, path)


# --- media types -----------------------------------------------------------------------------------------------------


async def test_bodies_of_other_kinds_are_refused_with_those_that_are_taken(tmp_path: Path) -> None:
    body = msgspec.json.encode(eligibility_body())
    wrong = (
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=a",
        "text/html",
        "application/json; charset=utf-16",
        "application/edi-x12",
    )
    good = (
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/vnd.x+json",
        "text/json",
        "text/plain",
        "nonsense",
    )
    async with served(tmp_path) as (client, _):
        for kind in wrong:
            assert "application/json" in refused(
                await client.call("POST", ELIGIBILITY, body, Content_Type=kind), 415, ELIGIBILITY
            )
        for kind in good:
            answer = await client.call("POST", ELIGIBILITY, body, Content_Type=kind)
            assert (200, kind) == (answer.status, kind)
        for kind in ("application/edi-x12", "application/EDI-X12", "application/x12", "text/plain", "application/json"):
            answer = await client.call("POST", X12, b"ISA", Content_Type=kind)
            assert (400, kind) == (answer.status, kind)
        assert "edi-x12" in refused(await client.call("POST", X12, b"ISA", Content_Type="text/csv"), 415, X12)


# --- bodies ----------------------------------------------------------------------------------------------------------


async def raw(client: Client, head: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes back when exactly these bytes are sent."""
    address = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(head.replace("\n", "\r\n").encode("latin-1"))
        for piece in pieces:
            await asyncio.sleep(pause)
            writer.write(piece)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read()
    finally:
        writer.close()


def post(client: Client, path: str, *headers: str) -> str:
    lines = (f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: {client.key}", *headers)
    return "\n".join((*lines, "", ""))


JSON = "Content-Type: application/json"


async def test_a_body_that_is_announced_too_large_is_not_waited_for(tmp_path: Path) -> None:
    async with served(tmp_path, json_bytes_max=1_000) as (client, _):
        said = await raw(client, post(client, ELIGIBILITY, JSON, "Content-Length: 1001"))
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"1000 bytes" in said
        # Chunked, so that the length is not known: as soon as too much has come.
        chunk = b"fff\r\n" + b"x" * 0xFFF + b"\r\n"
        said = await raw(client, post(client, ELIGIBILITY, JSON, "Transfer-Encoding: chunked"), chunk)
        assert said.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a":"' + b" " * 5_000_000 + b'"}')
    async with served(tmp_path, json_bytes_max=100_000) as (client, _):
        assert len(packed) < 100_000
        answer = await client.call(
            "POST", ELIGIBILITY, packed, Content_Type="application/json", Content_Encoding="gzip"
        )
        assert "too large" in refused(answer, 413, ELIGIBILITY)
        small = gzip.compress(msgspec.json.encode(eligibility_body()))
        answer = await client.call("POST", ELIGIBILITY, small, Content_Type="application/json", Content_Encoding="gzip")
        assert 200 == answer.status
        for coding in ("compress", "x-gzip", "gzip, gzip"):
            unread = await client.call(
                "POST", ELIGIBILITY, small, Content_Type="application/json", Content_Encoding=coding
            )
            refused(unread, 415, ELIGIBILITY)
            assert "gzip, deflate" == unread.headers["Accept-Encoding"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Content-Encoding: gzip", "Content-Length: 5"), b"plain"),
        (("Content-Encoding: deflate", "Content-Length: 5"), b"plain"),
        (("Transfer-Encoding: chunked",), b"ZQXCANARY\r\nplain\r\n0\r\n\r\n"),
    ],
)
async def test_a_broken_body_is_the_callers_fault(headers: tuple[str, ...], body: bytes, tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _):
        said = await raw(client, post(client, ELIGIBILITY, JSON, *headers), body)
        assert b" 400 " == said[8:13], said
        assert 200 == (await client.post(ELIGIBILITY, eligibility_body())).status


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.2)
    async with served(tmp_path) as (client, _):
        said = await raw(client, post(client, ELIGIBILITY, JSON, "Content-Length: 100"), b'{"a":')
        assert said.startswith(b"HTTP/1.1 408 ")


async def test_bodies_under_way_are_refused_before_memory_grows(tmp_path: Path) -> None:
    async with served(tmp_path, bodies_bytes_max=10_000) as (client, _):
        head = post(client, ELIGIBILITY, JSON, "Content-Length: 8000")
        address = urlsplit(client.url)
        _, held = await asyncio.open_connection(address.hostname, address.port)
        held.write(head.replace("\n", "\r\n").encode() + b" " * 100)
        await held.drain()
        await asyncio.sleep(0.2)
        answer = await client.post(ELIGIBILITY, {**eligibility_body(), "z": "z" * 5_000})
        assert "under way" in refused(answer, 503, ELIGIBILITY)
        assert 1 == int(answer.headers["Retry-After"])
        assert 200 == (await client.post(ELIGIBILITY, eligibility_body())).status
        held.close()
        for _ in range(100):
            answer = await client.post(ELIGIBILITY, {**eligibility_body(), "z": "z" * 5_000})
            if answer.status == 200:
                break
            await asyncio.sleep(0.05)
        assert 200 == answer.status


async def test_expectations_are_met_or_ignored(tmp_path: Path) -> None:
    body = msgspec.json.encode(eligibility_body())
    async with served(tmp_path) as (client, _):
        head = post(client, ELIGIBILITY, JSON, f"Content-Length: {len(body)}", "Expect: 100-continue")
        said = await raw(client, head, body, pause=0.1)
        assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        said = await raw(client, head.replace("100-continue", "miracles"), body)
        assert said.startswith(b"HTTP/1.1 200 OK")


async def test_headers_that_are_no_text_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _):
        head = post(client, ELIGIBILITY, JSON, "Content-Length: 2")
        for status, line in (
            (401, "Authorization: \xff\xfe"),
            (400, "Idempotency-Key: \xff"),
            (400, "Idempotency-Key: "),
            (400, f"Idempotency-Key: {'k' * 256}"),
            (400, "traceparent: \xff"),
            (400, "Content-Type: \xff"),
        ):
            name = line.partition(":")[0]
            lines = [h for h in head.split("\n") if h and not h.startswith(f"{name}:")]
            said = await raw(client, "\n".join((*lines, line, "", "")), b"{}")
            assert f"HTTP/1.1 {status} ".encode() == said[:13], (line, said)


# --- limits ----------------------------------------------------------------------------------------------------------

LIMITS = ("RateLimit-Policy", "RateLimit", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


async def test_every_answer_to_a_key_tells_what_is_left(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(requests_per_second=0.01, burst=50)) as (client, _):
        answers = [
            await client.get(TRANSACTION),
            await client.post(ELIGIBILITY, eligibility_body()),
            await client.post(ELIGIBILITY, {}),
            await client.post(SUBMISSION, claim_body("PAID-1")),
            await client.call("POST", ELIGIBILITY, b"", Content_Type="text/xml"),
            await client.call("HEAD", TRANSACTION),
        ]
        assert [404, 200, 400, 200, 400, 404] == [a.status for a in answers]
        assert [49, 48, 47, 46, 45, 44] == [int(a.headers["RateLimit-Remaining"]) for a in answers]
        assert all(name in a.headers for a in answers for name in LIMITS)
        # Whoever is not known has no limit to be told of.
        client.key = "cw_x"
        assert set() == set(LIMITS) & set((await client.get(TRANSACTION)).headers)


async def test_past_its_rate_a_key_is_told_which_limit_and_when(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(requests_per_second=0.5, burst=3)) as (client, _):
        answers = [await client.get(TRANSACTION) for _ in range(4)]
        assert [404, 404, 404, 429] == [a.status for a in answers]
        last = answers[-1]
        assert "'requests'" in refused(last, 429, TRANSACTION)
        assert ["requests"] == last.json["violated-policies"]
        assert "https://iana.org/assignments/http-problem-types#quota-exceeded" == last.json["type"]
        assert 1 <= int(last.headers["Retry-After"]) <= 3
        # The dialect's path refuses in the dialect's shape, and nothing was taken.
        answer = await client.post(SUBMISSION, claim_body("PAID-1"))
        assert "'requests'" in refused(answer, 429, SUBMISSION)
        assert "requests" == answer.json["errors"][0]["location"]
        assert "0" == answer.headers["RateLimit-Remaining"]


async def test_a_key_that_may_ask_more_does(tmp_path: Path) -> None:
    async with served(tmp_path / "first") as (client, _):
        assert client.key is not None
        key_id = client.key.split("_")[1]
    limits, more = Limits(requests_per_second=0.01, burst=1), Limits(requests_per_second=0.01, burst=3)
    async with served(tmp_path / "first", limits=limits, limits_of_keys={key_id: more}) as (client, _):
        assert [404, 404, 404, 429] == [(await client.get(TRANSACTION)).status for _ in range(4)]


async def holding(client: Client, head: str, times: int) -> list[asyncio.StreamWriter]:
    """Requests that are begun and not finished."""
    address = urlsplit(client.url)
    held = [(await asyncio.open_connection(address.hostname, address.port))[1] for _ in range(times)]
    for writer in held:
        writer.write(head.replace("\n", "\r\n").encode())
        await writer.drain()
    await asyncio.sleep(0.2)
    return held


async def test_a_key_that_floods_the_service_leaves_room_for_the_others(tmp_path: Path) -> None:
    async with served(tmp_path, requests_max=8) as (client, up):
        token, _ = await key_with(up.runtime, api_keys.SCOPES)
        other = Client(client.url, token)
        held = await holding(client, post(client, ELIGIBILITY, JSON, "Content-Length: 10"), 6)
        crowded = await client.get(TRANSACTION)
        assert "nothing was taken" in refused(crowded, 503, TRANSACTION)
        assert "1" == crowded.headers["Retry-After"]
        # The dialect's shape of it, and another caller's turn.
        report = await client.get(f"{NETWORK}/reports/v2")
        assert 503 == report.status
        assert 404 == (await other.get(TRANSACTION)).status
        await other.close()
        for writer in held:
            writer.close()
        async with asyncio.timeout(10):
            while (await client.get(TRANSACTION)).status != 404:  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.05)


async def test_past_so_many_at_once_a_key_waits_and_others_do_not(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(concurrent=2)) as (client, _):
        head = post(client, ELIGIBILITY, JSON, "Content-Length: 10")
        held = await holding(client, head, 2)
        answer = await client.get(TRANSACTION)
        assert "'concurrent-requests'" in refused(answer, 429, TRANSACTION)
        assert ["concurrent-requests"] == answer.json["violated-policies"]
        assert 200 == (await client.get("/healthz")).status
        for writer in held:
            writer.close()
        for _ in range(100):
            if (await client.get(TRANSACTION)).status == 404:
                break
            await asyncio.sleep(0.05)
        assert 404 == (await client.get(TRANSACTION)).status


# --- connections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\n", b"X: a\r\n"),
    ],
    ids=["silent", "half a head", "a head that drips", "idle", "a second head that drips"],
)
async def test_a_connection_without_a_request_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    """Strangers held connections for an hour, or for ever with a header a minute, until there were none left."""
    monkeypatch.setattr(serving, "IDLE_SECONDS", 0.3)
    async with served(tmp_path) as (_, up):
        where = urlsplit(up.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(first)
        ended = asyncio.create_task(reader.read(-1))
        for _ in range(10 * PATIENCE_SECONDS):
            if ended.done():
                break
            with suppress(ConnectionError):
                writer.write(then)
            await asyncio.wait([ended], timeout=0.1)
        assert ended.done()
        with suppress(ConnectionError):
            assert first.count(b"\r\n\r\n") == ended.result().count(b"HTTP/1.1 200")
        writer.close()


async def test_a_request_may_take_longer_than_a_connection_may_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "IDLE_SECONDS", 0.1)
    async with served(tmp_path) as (client, up):
        where = urlsplit(up.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        body = msgspec.json.encode(eligibility_body("ACTIVE-1"))
        head = f"POST {ELIGIBILITY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {client.key}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 200):
            await asyncio.sleep(0.1)
            writer.write(body[at : at + 200])
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 200")
        writer.close()

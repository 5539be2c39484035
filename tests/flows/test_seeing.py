"""Seeing: one trace from the caller to the payer and back, logs, metrics, the story of a transaction, and what operators type."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typer.testing import CliRunner

from gateway.cli import app
from observability import log, tracing
from observability.log import ALLOWED
from tests.flows.service import (
    NETWORK,
    Client,
    Process,
    claim_body,
    eligibility_body,
    free_port,
    in_process,
    until,
)

ELIGIBILITY, SUBMISSION = f"{NETWORK}/eligibility/v3", f"{NETWORK}/professionalclaims/v3/submission"
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


def traceparent(number: int) -> tuple[str, str]:
    """A trace context of a caller's: (header, trace id)."""
    trace_id = f"{0xABCDEF << 64 | number:032x}"
    return f"00-{trace_id}-00f067aa0ba902b7-01", trace_id


@contextmanager
def captured() -> Generator[tuple[io.StringIO, InMemorySpanExporter]]:
    """Logs and spans, until the context ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream, exporter = io.StringIO(), InMemorySpanExporter()
    log.configure("INFO", stream)
    tracing.configure([exporter])
    try:
        yield stream, exporter
    finally:
        exporter.shutdown()
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


def ids(span: ReadableSpan) -> tuple[str, str]:
    """(trace id, span id) of a span, in hexadecimal."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def trace_id_of(span: ReadableSpan) -> str:
    return ids(span)[0]


def parent_of(span: ReadableSpan) -> str:
    """The span id of a span's parent, "" where it has none."""
    return f"{span.parent.span_id:016x}" if span.parent is not None else ""


def lines_of(text: str) -> list[dict[str, Any]]:
    """Log lines, each JSON of allowed keys only."""
    lines = [msgspec.json.decode(line) for line in text.splitlines() if line]
    for line in lines:
        assert set() == set(line) - ALLOWED
        assert {"event", "level", "logger", "timestamp"} <= set(line)
    return lines


# --- traces ------------------------------------------------------------------------------------------------------------


async def test_a_callers_trace_goes_through_every_hop_of_an_inquiry(tmp_path: Path) -> None:
    with captured() as (_, spans):
        async with in_process(tmp_path) as (client, _):
            header, trace_id = traceparent(1)
            answer = await client.post(ELIGIBILITY, eligibility_body(), traceparent=header)
            given = answer.headers["traceparent"]
            assert re.fullmatch(rf"00-{trace_id}-[0-9a-f]{{16}}-01", given)
            assert given != header
            trace = await client.trace(answer.headers["X-Transaction-Id"])
            assert {trace_id} == {e["traceparent"].split("-")[1] for e in trace["events"]}
        mine = {s.name: s for s in spans.get_finished_spans() if trace_id_of(s) == trace_id}
    assert {"checkEligibility", "send"} == set(mine)
    request, send = mine["checkEligibility"], mine["send"]
    assert "00f067aa0ba902b7" == parent_of(request)
    assert ids(request)[1] == parent_of(send) == given.split("-")[2]
    attributes = dict(send.attributes or {})
    assert ("sandbox", "270") == (attributes["claimwire.route_id"], attributes["claimwire.set_id"])


async def test_a_callers_trace_goes_with_a_claim_to_the_payer_and_its_answers_lead_back(tmp_path: Path) -> None:
    with captured() as (stream, spans):
        async with in_process(tmp_path) as (client, _):
            header, trace_id = traceparent(2)
            answer = await client.post(SUBMISSION, claim_body("PAID-1"), traceparent=header)
            assert trace_id == answer.headers["traceparent"].split("-")[1]
            claim = answer.headers["X-Transaction-Id"]
            await until(client, claim, "received")
            await client.forward(2)
            await until(client, claim, "remitted")
            trace = await client.trace(claim)
            assert {trace_id} == {e["traceparent"].split("-")[1] for e in trace["events"]}
        finished = spans.get_finished_spans()
    assert {"submitProfessionalClaim", "batch", "send"} == {s.name for s in finished if trace_id_of(s) == trace_id}
    # What the payer says comes in files of many claims: each is a trace of its own, tied to those it is about.
    tied = [s for s in finished if trace_id in {f"{link.context.trace_id:032x}" for link in s.links}]
    assert {"apply"} == {s.name for s in tied}
    assert 3 == len(tied)
    collected = {ids(s)[1] for s in finished if s.name == "collect"}
    assert set() == {parent_of(s) for s in tied} - collected
    built = [line for line in lines_of(stream.getvalue()) if line["event"] == "interchange built"]
    assert [trace_id] == [line["trace_id"] for line in built]
    applied = [line for line in lines_of(stream.getvalue()) if line["event"] == "file applied"]
    assert {trace_id_of(s) for s in tied} <= {line["trace_id"] for line in applied}


async def test_callers_that_come_at_once_keep_their_own_traces(tmp_path: Path) -> None:
    """Their commits share one sync; their traces must not be shared with it."""
    with captured() as (_, spans):
        async with in_process(tmp_path) as (client, _):
            headers = [traceparent(n) for n in range(10, 30)]
            answers = await asyncio.gather(
                *(client.post(SUBMISSION, claim_body(f"PAID-{i[-4:]}"), traceparent=h) for h, i in headers)
            )
            claims = [a.headers["X-Transaction-Id"] for a in answers]
            assert [i for _, i in headers] == [a.headers["traceparent"].split("-")[1] for a in answers]
            for claim in claims:
                await until(client, claim, "received")
            traces = [await client.trace(claim) for claim in claims]
            wanted = [{i} for _, i in headers]
            assert wanted == [{e["traceparent"].split("-")[1] for e in t["events"]} for t in traces]
        finished = spans.get_finished_spans()
    linked = {f"{link.context.trace_id:032x}" for s in finished if s.name == "batch" for link in s.links}
    alone = {trace_id_of(s) for s in finished if s.name == "batch"}
    assert {i for _, i in headers} <= linked | alone


async def test_a_trace_context_that_is_none_begins_a_new_one(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for bad in (
            "",
            "x",
            "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
            "00-abc-def-01",
            "zz-" + "a" * 32 + "-" + "b" * 16 + "-01",
        ):
            answer = await client.get("/v1/transactions/x", traceparent=bad)
            assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]", answer.headers["traceparent"])


# --- metrics -----------------------------------------------------------------------------------------------------------


def sample(text: str, name: str, **labels: str) -> float:
    """The value of one sample; 0 where it is not there."""
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if found and labels == dict(re.findall(r'(\w+)="([^"]*)"', found[1])):
            return float(found[2])
    return 0


async def test_metrics_count_requests_outcomes_facts_files_and_work(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        await client.post(ELIGIBILITY, eligibility_body())
        await client.post(ELIGIBILITY, {})
        await client.post(ELIGIBILITY, {})
        claim = await client.submit(claim_body("PAID-1"))
        await until(client, claim, "received")
        await client.forward(2)
        await until(client, claim, "remitted")
        answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    assert 1 == sample(text, "claimwire_requests_total", operation="checkEligibility", status="200")
    assert 2 == sample(text, "claimwire_requests_total", operation="checkEligibility", status="400")
    assert 3 == sample(text, "claimwire_request_seconds_count", operation="checkEligibility")
    assert 1 == sample(text, "claimwire_deliveries_total", route_id="sandbox", set_id="270", outcome="Replied")
    assert 1 == sample(text, "claimwire_deliveries_total", route_id="sandbox", set_id="837", outcome="Delivered")
    assert 1 == sample(text, "claimwire_delivery_seconds_count", route_id="sandbox", set_id="837")
    assert 1 == sample(text, "claimwire_facts_total", kind="eligibility", fact="Answered")
    assert 1 == sample(text, "claimwire_facts_total", kind="claim", fact="ClaimAcknowledged")
    assert 1 == sample(text, "claimwire_facts_total", kind="claim", fact="Remitted")
    assert 3 == sample(text, "claimwire_inbound_files_total", route_id="sandbox", state="applied")
    assert 1 == sample(text, "claimwire_work_total", work_kind="send", outcome="done")
    assert 3 == sample(text, "claimwire_work_total", work_kind="apply", outcome="done")
    assert 1 == sample(text, "claimwire_transactions", kind="claim", state="remitted")
    assert 1 <= sample(text, "claimwire_work_waiting", work_kind="collect", state="waiting")
    assert 0 == sample(text, "claimwire_work_waiting", work_kind="send", state="waiting")


# --- what operators type -----------------------------------------------------------------------------------------------


async def claimwire(*arguments: str) -> tuple[int, str, str]:
    """Run a command: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "220", "NO_COLOR": "1", "TERM": "dumb"},
        cwd=ROOT,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.embedded
async def test_the_story_of_a_transaction_is_told_on_the_terminal(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(claim_body("PAID-1", "BRANDT"))
        await until(client, claim, "received")
        told = await client.trace(claim)
        data = str(tmp_path)
        # While the service runs, as an operator would.
        plain, revealed, as_json, unknown = await asyncio.gather(
            claimwire("trace", claim, "--data", data),
            claimwire("trace", claim, "--data", data, "--reveal"),
            claimwire("trace", claim, "--data", data, "--reveal", "--json"),
            claimwire("trace", "00000000-0000-7000-8000-000000000000", "--data", data),
        )
    assert [0, 0, 0] == [code for code, _, _ in (plain, revealed, as_json)]
    outgoing = told["interchanges"][0]
    number = f"-> ISA13 {outgoing['controlNumber']}/{outgoing['setControlNumber']}"
    for event in told["events"]:
        assert event["kind"] in plain[1]
    assert f"claim {claim}: received" in plain[1]
    assert number in plain[1]
    assert "<- ISA13 " in plain[1]
    assert "BRANDT" not in plain[1]
    segments = [s for i in told["interchanges"] for s in i["segments"]]
    assert [] == [s for s in segments if s not in revealed[1]]
    assert any(s.startswith("NM1*IL*1*BRANDT") for s in segments)
    assert told == msgspec.json.decode(as_json[1])
    assert 2 == unknown[0]
    assert "no" in unknown[2]
    assert "transaction" in unknown[2]
    assert "Traceback" not in unknown[2]


def spans_in(body: bytes) -> list[str]:
    """Names of the spans in an OTLP export request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [s.name for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]


@asynccontextmanager
async def collector(received: list[str]) -> AsyncGenerator[str]:
    """An OTLP collector over HTTP: its endpoint. The names of the spans it gets go into the list."""

    async def traces(request: web.Request) -> web.Response:
        assert "application/x-protobuf" == request.content_type
        received.extend(spans_in(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", traces)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.one_engine
async def test_a_service_in_its_own_process_exports_spans_logs_json_and_leaves_in_order(tmp_path: Path) -> None:
    port, data, logged = free_port(), tmp_path / "data", tmp_path / "log"
    received: list[str] = []
    async with collector(received) as endpoint:
        process = Process(
            ["serve", "--sandbox", "--port", str(port), "--data", str(data)],
            logged,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_BSP_SCHEDULE_DELAY="100",
        )
        await process.start()
        try:
            client = await process.ready(f"http://127.0.0.1:{port}", data)
            try:
                await asyncio.gather(keys_are_made_listed_and_revoked(client, data), a_second_service_is_refused(data))
                assert 200 == (await client.post(ELIGIBILITY, eligibility_body())).status
                await until(client, await client.submit(claim_body("PAID-1")), "received")
                # Both are taken before the end; the claim is sent by it or by the next start, never lost.
                last = await client.submit(claim_body("PAID-2"))
            finally:
                await client.close()
        finally:
            code = await process.stop()
        assert 0 == code
        assert {"checkEligibility", "submitProfessionalClaim", "send", "batch", "collect", "apply"} <= set(received)
    text = logged.read_text()
    json_lines = "\n".join(line for line in text.splitlines() if line.startswith("{"))
    told = lines_of(json_lines)
    events = [line["event"] for line in told]
    assert "serving" in events
    assert "leaving" == events[-1]
    assert [] == [line for line in told if line["level"] in ("error", "critical")]
    # Beside the log there are only the two lines for the person who started it.
    plain = [line for line in text.splitlines() if line and not line.startswith("{")]
    assert ["Claimwire listens on", "Key for trying things"] == [line[:21].rstrip() for line in plain]
    code, out, _ = await claimwire("trace", last, "--data", str(data), "--json")
    assert 0 == code
    assert msgspec.json.decode(out)["transaction"]["state"] in ("accepted", "sent", "built", "delivered", "received")


async def keys_are_made_listed_and_revoked(client: Client, data: Path) -> None:
    """While the service runs: a new key works at once, and stops soon after it is revoked."""
    folder = ("--data", str(data))
    code, out, _ = await claimwire("keys", "create", "desk", "--scope", "claims:read", *folder, "--json")
    assert 0 == code
    made = msgspec.json.decode(out)
    assert ["claims:read"] == made["scopes"]
    desk = Client(client.url, made["token"])
    try:
        assert 404 == (await desk.get("/v1/transactions/x")).status
        assert 403 == (await desk.post(ELIGIBILITY, {})).status
        listed, revoked, bad_scope = await asyncio.gather(
            claimwire("keys", "list", *folder, "--json"),
            claimwire("keys", "revoke", made["keyId"], *folder),
            claimwire("keys", "create", "desk", "--scope", "everything", *folder),
        )
        entry = next(k for k in msgspec.json.decode(listed[1]) if k["keyId"] == made["keyId"])
        assert ("desk", "claims:read") == (entry["name"], entry["scopes"])
        assert made["token"] not in listed[1]
        assert (0, "revoked\n") == revoked[:2]
        assert 2 == bad_scope[0]
        assert "no scope is called everything" in re.sub(r"[\s│]+", " ", bad_scope[2])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await desk.get("/v1/transactions/x")).status != 401:  # noqa: ASYNC110 - over HTTP there is nothing to wait on
                await asyncio.sleep(0.05)
        code, out, err = await claimwire("keys", "revoke", made["keyId"], *folder)
        assert (2, False) == (code, "Traceback" in out + err)
    finally:
        await desk.close()


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "command",
    ["keys create desk", "keys list", "keys revoke x", "trace x", "in-doubt list", "unmatched list", "lanes list", "alarms list", "follow-up show"],
)  # fmt: skip
def test_a_command_makes_no_installation_where_there_is_none(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty list, or a key that opens nothing, would be an answer about the wrong folder."""
    monkeypatch.setenv("COLUMNS", "220")
    told = CliRunner().invoke(app, [*command.split(), "--data", str(tmp_path / "elsewhere")])
    assert 2 == told.exit_code, told.output
    assert "nothing was ever served from" in re.sub(r"[\s│]+", " ", told.output)
    assert [] == list(tmp_path.iterdir())


async def a_second_service_is_refused(data: Path) -> None:
    code, out, err = await claimwire("serve", "--port", "0", "--data", str(data))
    assert 2 == code
    assert "another process serves from" in re.sub(r"[\s│]+", " ", err)
    assert "Traceback" not in out + err


CONFIGURATIONS = {
    "prot = 8080": "'prot' is not a key: did you mean 'port'?",
    '[[payers]]\nid = "A"\nname = "A"\nroute = ["r"]': "payers[0]: 'route' is not a key: did you mean 'routes'?",
    '[[payers]]\nid = "A"\nname = "A"\nroutes = ["r"]': "payer A: no route is called r",
    "port = 'x'": "port",
}


async def test_a_configuration_that_cannot_be_used_is_refused_with_advice(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.toml" for n in range(len(CONFIGURATIONS))]
    for path, text in zip(paths, CONFIGURATIONS, strict=True):
        path.write_text(text)
    told = await asyncio.gather(*(claimwire("serve", "--config", str(path)) for path in paths))
    for (code, out, err), path, said in zip(told, paths, CONFIGURATIONS.values(), strict=True):
        assert (2, True) == (code, said in re.sub(r"[\s│]+", " ", err)), err
        assert path.name in err
        assert "Traceback" not in out + err
    assert not (tmp_path / "claimwire-data").exists()


@pytest.mark.one_engine
async def test_a_service_that_is_told_to_leave_answers_those_who_wait(tmp_path: Path) -> None:
    """SIGTERM while an inquiry is under way: its caller still gets the payer's answer."""
    port, data = free_port(), tmp_path / "data"
    process = Process(["serve", "--sandbox", "--port", str(port), "--data", str(data)], tmp_path / "log")
    await process.start()
    client = await process.ready(f"http://127.0.0.1:{port}", data)
    try:
        asked = [asyncio.create_task(client.post(ELIGIBILITY, eligibility_body(f"ACTIVE{n}"))) for n in range(20)]
        while not [t for t in asked if t.done()]:  # noqa: ASYNC110 - any of them
            await asyncio.sleep(0)
        left = await process.stop()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await client.close()
    assert 0 == left
    told = [a for a in answers if not isinstance(a, BaseException)]
    assert {200} == {a.status for a in told}

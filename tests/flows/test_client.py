"""gateway.client against a real service, also behind a wire that loses answers and a service that says: later."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from gateway import client as module
from gateway.api import v1
from gateway.api.server import OPERATIONS
from gateway.client import (
    ApiError,
    Client,
    Conflict,
    Credentials,
    KeyReused,
    LimitExceeded,
    NoAccess,
    NotFound,
    Rejected,
    ServiceFailed,
    Unreachable,
)
from gateway.config import Config
from gateway.limits import Limits
from gateway.messages import Pending
from gateway.serving import Running, running, sandbox_key
from gateway.world import SystemWorld
from tests.flows.contract import Contract, Described
from tests.flows.sdk_bodies import small_form
from tests.flows.service import Client as Caller
from tests.flows.service import claim_body, dental_body, eligibility_body, institutional_body, until
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest

UNKNOWN = "018f3c9d-6f3a-7c1e-9b1a-3f6c2d8e4a51"


class Patient(SystemWorld):
    """A world in which nobody waits; what was waited for is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Sent:
    """A request as it came over the wire."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: object = None


@dataclass
class Wire:
    """A server before the service that fails as it is told, once for each entry, and counts what comes."""

    target: str
    faults: list[str] = field(default_factory=list[str])
    seen: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    requests: list[Sent] = field(default_factory=list[Sent])
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.pop(0) if self.faults else ""
        self.seen.append((request.path, request.headers.get("Idempotency-Key")))
        query = {n: request.query.getall(n) for n in request.query}
        text = await request.text()
        body = msgspec.json.decode(text) if text and request.content_type == "application/json" else text
        self.requests.append(Sent(request.method, request.rel_url.raw_path, query, dict(request.headers), body))
        if fault == "cut before":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.isdigit():
            return web.json_response({"status": "ERROR"}, status=int(fault), headers={"Retry-After": "7"})
        if fault == "page":
            return web.Response(text="<html>proxy</html>", content_type="text/html")
        if fault == "token":
            return web.json_response({"access_token": "T1", "expires_in": 3600, "token_type": "Bearer"})
        headers = {n: v for n, v in request.headers.items() if n not in ("Host", "Content-Length")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self.target + request.path_qs, data=await request.read(), headers=headers
            ) as answer,
        ):
            body = await answer.read()
        if fault == "cut after":
            assert request.transport is not None
            request.transport.abort()
        told = {n: v for n, v in answer.headers.items() if n not in ("Content-Length", "Transfer-Encoding", "Date")}
        return web.Response(status=answer.status, body=body, headers=told)


@asynccontextmanager
async def wired(target: str, *faults: str) -> AsyncGenerator[Wire]:
    wire = Wire(target, list(faults))
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", wire.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wire.url = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        yield wire
    finally:
        await runner.cleanup()


@asynccontextmanager
async def served(data: Path, **settings: object) -> AsyncGenerator[tuple[Client, Running, str]]:
    config = msgspec.structs.replace(Config(port=0), **settings)
    async with running(config, data, sandbox=True) as up:
        key = await sandbox_key(up.runtime, data)
        async with Client(up.url, key=key) as client:
            yield client, up, key


def snake(operation_id: str) -> str:
    """An operation's name in Python."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation_id).lower()


def coroutines() -> dict[str, Any]:
    """What callers may await, by name."""
    return {n: m for n, m in inspect.getmembers(Client, inspect.iscoroutinefunction) if not n.startswith("_")}


# Headers of requests that are arguments: what each is called, and what is given for it here.
HEADERS: dict[str, tuple[tuple[str, object, str], ...]] = {
    "Prefer": (("prefer", "wait=5", "wait=5"), ("lenient", True, "handling=lenient")),
    "X-Allow-Repeated-Claim": (("allow_repeated", True, "true"),),
    "Idempotency-Key": (("idempotency_key", "key-7", "key-7"),),
}


def test_every_operation_has_its_coroutine_and_every_coroutine_is_an_operation() -> None:
    methods = coroutines()
    for operation in (*OPERATIONS, v1.CLOCK):
        method = methods.pop(snake(operation.id))
        for status, outcome in operation.outcomes.items():
            if status < 300 and hasattr(outcome.type, "__struct_fields__"):
                assert outcome.type.__name__ in str(method.__annotations__["return"]), (operation.id, status)
    assert ["close"] == list(methods)


async def test_every_operation_of_the_document_is_asked_with_everything_that_it_takes(tmp_path: Path) -> None:
    """Each with a value for each of its parameters, through a wire that sees what left."""
    async with served(tmp_path) as (_, up, key), wired(up.url) as wire, Client(wire.url, key=key, tries=1) as client:
        async with aiohttp.ClientSession() as session, session.get(f"{up.url}/openapi.json") as answer:
            contract = Contract(await answer.json())
        faults: list[str] = []
        for operation in contract.operations:
            method = getattr(client, snake(operation.id))
            given, wanted = _given(operation, inspect.signature(method).parameters)
            try:
                await method(**given)
            except ApiError as error:
                # What was asked about is not there: what was sent counts.
                if not 400 <= error.status < 500 or (error.status in (401, 405) and operation.id != "issueToken"):
                    faults.append(f"{operation.id}: {error}")
            faults += [f"{operation.id}: {one}" for one in _unlike(wire.requests[-1], wanted)]
        assert [] == faults
        assert len(contract.operations) == len(wire.requests) >= 75


def _given(operation: Described, takes: Mapping[str, inspect.Parameter]) -> tuple[dict[str, object], Sent]:
    """Arguments for everything that an operation takes, and the request that they should make."""
    given: dict[str, object] = {}
    wanted = Sent(operation.method, operation.path)
    for parameter in operation.about["parameters"]:
        name: str = parameter["name"]
        if parameter["in"] == "header":
            argument, given_as, said = next(h for h in HEADERS[name] if h[0] in takes)
            given[argument], wanted.headers[name] = given_as, said
        elif parameter["in"] == "path":
            # One step of the path, whatever is in it.
            given[snake(name)] = f"a/{name}?b"
            wanted.path = wanted.path.replace(f"{{{name}}}", f"a%2F{name}%3Fb")
        else:
            kind = next(k for k in VALUES if k in takes[snake(name)].annotation)
            given[snake(name)], wanted.query[name] = VALUES[kind]
    left = [n for n, p in takes.items() if n not in given and n != "self" and p.default is inspect.Parameter.empty]
    if operation.id == "moveClock":
        given |= {"days": 1}
    elif "requestBody" in operation.about:
        (body,) = left or [n for n in takes if n in ("pause", "request")]
        given[body] = next((s.value for s in operation.samples()), {"why": "It was seen."})
        wanted.body = given[body]
    return given, wanted


# What a parameter of a query is given, by its annotation, and what is sent of it.
VALUES: dict[str, tuple[object, list[str]]] = {
    "Sequence[str]": (["A", "B"], ["A", "B"]),
    "bool": (True, ["true"]),
    "int": (7, ["7"]),
    "str": ("a&b", ["a&b"]),
}


def _unlike(sent: Sent, wanted: Sent) -> list[str]:
    """How a request differs from what it should be."""
    faults: list[str] = []
    if (sent.method, sent.path, sent.query) != (wanted.method, wanted.path, wanted.query):
        faults.append(f"{sent.method} {sent.path} {sent.query} is not {wanted.method} {wanted.path} {wanted.query}")
    faults += [f"{n} is {sent.headers.get(n)}" for n, v in wanted.headers.items() if sent.headers.get(n) != v]
    if wanted.body is not None and sent.body != wanted.body:
        faults.append("the body is another one")
    return faults


async def test_the_story_of_a_claim_through_the_client(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, up, key):
        assert await client.healthcheck()
        asked = msgspec.convert(eligibility_body("SANDBOX-BENEFITS-1"), EligibilityRequest)
        answer = await client.check_eligibility(asked)
        assert isinstance(answer, EligibilityResponse)
        assert answer.id is not None
        assert (await client.read_benefits(answer.id)).active is True
        lines = [{"serviceTypeCode": "98", "procedureCode": "99213", "network": "in", "allowedAmount": "118.40"}]
        assert "25.00" == (await client.estimate_share(answer.id, {"lines": lines})).amount
        assert "planStatus" in await client.read_answer(answer.id)
        taken = [
            await client.submit_professional_claim(claim_body("PAID-1")),
            await client.submit_institutional_claim(institutional_body("PAID-2")),
            await client.submit_dental_claim(dental_body("PAID-3")),
        ]
        assert "SUCCESS" == (await client.validate_dental_claim(dental_body("PAID-4"))).status
        ids = [t.claim_reference.correlation_id or "" for t in taken if t.claim_reference is not None]
        await client.move_clock(days=3)
        caller = Caller(up.url, key)
        for claim in ids:
            await until(caller, claim, "remitted")
        await caller.close()
        assert {"claim"} == {(await client.read_transaction(i)).kind for i in ids}
        assert (await client.trace_transaction(ids[0])).events
        assert (await client.read_report835(ids[0])).transactions
        assert (await client.read_report277(ids[0])).transactions
        names = (await client.list_reports()).reports
        assert (await client.read_raw_report(names[0])).startswith(b"ISA")
        seen = [item.transaction_id async for item in client.transactions(page_size=2)]
        assert set(ids) <= set(seen)
        assert len(seen) == len(set(seen))


async def test_the_directory_and_the_shapes_of_the_official_sdk_through_the_client(tmp_path: Path) -> None:
    async with served(tmp_path, webhook_networks=["127.0.0.0/8"]) as (client, _, _key):
        (found, *_) = (await client.search_payers("sandbx", eligibility_check="SUPPORTED")).items
        assert "CWSBX" == found.payer.stedi_id == (await client.read_payer("SANDBOX")).stedi_id
        assert ["CWSBX"] == [p.stedi_id for p in (await client.list_payers()).items]
        assert "SANDBOX" in await client.list_payers_csv()
        told = await client.create_event_destination(
            {"name": "B", "eventTypes": ["claim.rejected"], "destinationUrl": "https://127.0.0.1:8443/hook"}
        )
        assert isinstance(told.signing_secret, str)
        taken = await client.create_professional_claim_submission(small_form("PAID-1"))
        wrong = small_form("PAID-2")
        wrong["serviceLines"][0]["lineItemChargeAmount"] = "1.00"
        assert (await client.validate_professional_claim_submission(wrong)).errors
        refused = await client.create_professional_claim_submission(wrong)
        assert refused.errors
        assert [refused.claim_id] == [c.id async for c in client.claims(page_size=1, status=["REJECTED"])]
        assert {refused.claim_id, taken.claim_id} == {c.id async for c in client.claims(page_size=1)}
        assert "PAID-1" == (await client.get_claim(taken.claim_id)).patient_control_number
        kept = await client.get_professional_claim_submission(taken.submission_id)
        assert (taken.claim_id, taken.submission_id) == (kept.claim_id, kept.submission_id)
        (said, submitted) = (await client.get_claim_timeline(refused.claim_id)).items
        assert said.claim_acknowledgment is not None
        assert submitted.professional_claim_submission is not None
        told_of = [e async for e in client.events(page_size=1, status=["PENDING"])]
        assert ["claim.rejected"] == [e.event_type for e in told_of]
        assert (await client.get_event_destination_event(told_of[0].id)).event_payload is not None
        await client.delete_event_destination(told.id)
        with pytest.raises(NotFound, match="no such destination"):
            await client.get_event_destination(told.id)
        with pytest.raises(Rejected) as unclear:
            await client.list_claims(page_size=501)
        assert ["/pageSize"] == [f.field for f in unclear.value.findings]


async def test_a_batch_through_the_client(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _, _key):
        checks = [
            {**eligibility_body(f"SANDBOX-ACTIVE-{n}"), "submitterTransactionIdentifier": f"V{n}"} for n in range(5)
        ]
        batch = (await client.check_eligibility_batch({"items": checks})).batch_id
        results: list[dict[str, object]] = []
        for _ in range(600):
            results = [r async for r in client.batch_results(batch, page_size=2)]
            if len(results) == len(checks):
                break
            await SystemWorld().sleep(0.1)
        assert len(checks) == len(results)
        assert len(checks) == len([i async for i in client.batch_items(batch, page_size=2)])
        assert batch in [b.id for b in (await client.list_batches()).items]
        assert (await client.read_batch_eligibility(batch)).id == batch
        assert (await client.read_retry_rules()).rules
        assert await client.cancel_batch(batch)


async def test_refusals_are_raised_by_what_they_are(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, up, _):
        wrong = claim_body("PAID-1")
        wrong["claimInformation"]["claimChargeAmount"] = "999.00"
        del wrong["billing"]["npi"]
        with pytest.raises(Rejected) as rejected:
            await client.submit_professional_claim(wrong)
        assert {"claimInformation.claimChargeAmount", "billing.npi"} <= {f.field for f in rejected.value.findings}
        assert 400 == rejected.value.status
        assert "ABARA" not in str(rejected.value)
        with pytest.raises(NotFound, match="no such transaction"):
            await client.read_transaction(UNKNOWN)
        with pytest.raises(NotFound):
            await client.read_report835(UNKNOWN)
        answer = await client.check_eligibility(eligibility_body())
        assert isinstance(answer, EligibilityResponse)
        with pytest.raises(Rejected, match="cannot be made") as unclear:
            await client.estimate_share(answer.id or "", {"lines": []})
        assert ["lines"] == [f.field for f in unclear.value.findings]
        await client.submit_professional_claim(claim_body("PAID-2"), idempotency_key="k1")
        with pytest.raises(KeyReused):
            await client.submit_professional_claim(claim_body("PAID-3"), idempotency_key="k1")
        async with Client(up.url, key="cw_wrong") as nobody:
            with pytest.raises(NoAccess):
                await nobody.list_reports()


async def test_a_limit_is_waited_for_and_then_told(tmp_path: Path) -> None:
    limits = Limits(requests_per_second=0.01, burst=2)
    async with served(tmp_path, limits=limits) as (_, up, key):
        world = Patient()
        async with Client(up.url, key=key, tries=3, world=world) as client:
            await client.list_reports()
            await client.list_reports()
            with pytest.raises(LimitExceeded) as hit:
                await client.read_transaction(UNKNOWN)
            assert ["requests"] == hit.value.limits
            with pytest.raises(LimitExceeded) as again:
                await client.list_reports()
            assert ["requests"] == again.value.limits
        # 100 seconds were asked for, and nobody waits longer than half a minute for one try.
        assert [30.0] * 4 == world.slept


@pytest.mark.parametrize("fault", ["cut before", "cut after", "503", "429"])
async def test_a_write_is_sent_again_with_its_key_and_taken_once(fault: str, tmp_path: Path) -> None:
    async with served(tmp_path) as (_, up, key), wired(up.url, fault, fault) as wire:
        world = Patient()
        async with Client(wire.url, key=key, world=world) as client:
            answer = await client.submit_professional_claim(claim_body("PAID-1"))
            assert "SUCCESS" == answer.status
            keys = {key for _, key in wire.seen}
            assert (3, 1, False) == (len(wire.seen), len(keys), None in keys)
            assert 2 == len(world.slept)
            assert ([7.0, 7.0] == world.slept) == fault.isdigit()
            # Whatever was lost on the way, there is one claim.
            claims = [i async for i in client.transactions() if i.direction == "OUTBOUND"]
            assert 1 == len(claims)


async def test_after_the_last_try_the_key_is_told(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as (_, up, key),
        wired(up.url, *["cut after"] * 3) as wire,
        Client(wire.url, key=key, tries=3, world=Patient()) as client,
    ):
        with pytest.raises(Unreachable) as lost:
            await client.submit_professional_claim(claim_body("PAID-1"))
        told = lost.value.idempotency_key
        assert told == wire.seen[0][1]
        assert "SUCCESS" == (await client.submit_professional_claim(claim_body("PAID-1"), idempotency_key=told)).status
        assert 1 == len([i async for i in client.transactions() if i.direction == "OUTBOUND"])


async def test_what_is_no_answer_of_ours_is_told_and_time_does_not_pass_twice(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, up, key), wired(up.url, "page", "cut after", "409") as wire:
        async with Client(wire.url, key=key, world=Patient()) as client:
            with pytest.raises(ServiceFailed, match="no ReportListing"):
                await client.list_reports()
            began = datetime.now(UTC)
            moved = datetime.fromisoformat((await client.move_clock(days=1)).now) - began
            assert timedelta(days=1) <= moved < timedelta(days=2)
            assert 4 == len(wire.seen)
            assert (await client.list_reports()).reports == []
        async with Client(wire.url, key=key, tries=1) as client:
            wire.faults = ["409"]
            with pytest.raises(Conflict):
                await client.submit_professional_claim(claim_body("PAID-1"))


async def test_a_token_is_fetched_once_and_sent_as_bearer(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, up, _key), wired(up.url, "token", "401", "401") as wire:
        async with Client(wire.url, credentials=Credentials("id", "secret")) as client:
            for _ in range(2):
                with pytest.raises(NoAccess):
                    await client.list_reports()
        assert ["/apip/auth/v2/token"] == [p for p, _ in wire.seen if "token" in p]
        assert "secret" not in repr(Credentials("id", "secret"))


async def test_an_answer_that_is_late_is_pending(tmp_path: Path) -> None:
    async with served(tmp_path, answer_seconds=0.05) as (client, up, _key):
        assert up.sandbox is not None
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {up.sandbox.token}"}) as session:
            await session.post(f"{up.sandbox.url}/weather", json={"next": ["slow"]})
        answer = await client.check_eligibility(eligibility_body())
        assert isinstance(answer, Pending)
        assert (await client.read_transaction(answer.transaction_id)).kind == "eligibility"


def test_the_tree_of_errors_is_as_it_is_drawn() -> None:
    drawn = re.findall(r"^( *)(?:[|+\- ]*)(\w+)", (module.__doc__ or "").split("is raised:")[1], re.MULTILINE)
    named = [name for _, name in drawn if hasattr(module, name)]
    assert set(named) == {n for n in module.__all__ if n not in ("Client", "Credentials")}

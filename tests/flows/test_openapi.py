"""The OpenAPI document says what the service does: all of it in words, and its examples run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.api import v1
from gateway.api.field_words import sentences
from gateway.api.openapi import TAGS, document
from gateway.api.server import OPERATIONS
from tests.flows.contract import Contract, Described, Sample
from tests.flows.service import Answer, Client, Process, free_port, in_process, until

# What the sandbox payer needs before there is a report of a claim.
_DAYS = 3
# What there is nothing to ask about in a service whose payer behaves: their examples run in test_in_doubt.
_ELSEWHERE = (
    "readInDoubt",
    "decideInDoubt",
    "readUnmatched",
    "handleUnmatched",
    "pauseLane",
    "resumeLane",
    "acknowledgeAlarm",
    "stopFollowUp",
    "resumeFollowUp",
    "finishWorklistItem",
)


def described() -> dict[str, Any]:
    return document([*OPERATIONS, v1.CLOCK], "0")


def silent(value: Any, where: str = "#") -> Iterator[str]:
    """Places that should be described and are not."""
    match value:
        case dict():
            told: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
            for key, inner in told.items():
                if key in ("properties", "headers", "responses", "links", "schemas", "operations"):
                    for name, one in inner.items():
                        if isinstance(one, dict) and "$ref" not in one and not one.get("description"):  # pyright: ignore[reportUnknownMemberType]
                            yield f"{where}/{key}/{name}"
                if key not in ("example", "examples"):
                    yield from silent(inner, f"{where}/{key}")
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
            for index, inner in enumerate(items):
                yield from silent(inner, f"{where}/{index}")
        case _:
            return


@pytest.mark.one_engine
def test_everything_in_the_document_is_described_in_short_names() -> None:
    contract = Contract(described())
    made = contract.document
    assert [] == list(silent(made))
    for operation in contract.operations:
        assert operation.about["summary"]
        assert operation.about["description"]
        assert all(p["description"] for p in operation.about["parameters"])
        if "requestBody" in operation.about:
            assert operation.about["requestBody"]["description"]
    assert all(t["description"] for t in made["tags"])
    names = list(made["components"]["schemas"])
    assert [] == [n for n in names if not re.fullmatch(r"[A-Z][A-Za-z0-9]{2,39}", n)]
    # Names stay: a struct that is renamed or gets a namesake changes what callers generated.
    assert {"ClaimResponse", "ErrorResponse", "Problem", "InquiryClaimStatus", "DentalLineDates"} <= set(names)


@pytest.mark.one_engine
def test_the_document_calls_fields_as_json_does() -> None:
    words = " ".join(str(d) for d in texts(described()["components"]))
    # A decision, and what OAuth 2.0 calls it.
    assert {"keep_waiting", "expires_in"} == set(re.findall(r"`([a-z]*_[a-z_]+)`", words))


def texts(value: Any) -> Iterator[str]:
    """Every description in a document."""
    match value:
        case dict():
            for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                if key == "description" and isinstance(inner, str):
                    yield inner
                yield from texts(inner)
        case list():
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                yield from texts(inner)
        case _:
            return


@pytest.mark.one_engine
def test_sentences_about_fields_are_all_used() -> None:
    schemas = described()["components"]["schemas"]
    fields = {f for s in schemas.values() for f in s.get("properties", {})}
    fields |= {f"{n}.{f}" for n, s in schemas.items() for f in s.get("properties", {})}
    assert set() == {name.rstrip("?") for name in sentences()} - fields


def test_every_status_around_an_operation_is_documented_with_its_headers() -> None:
    for operation in Contract(described()).operations:
        responses = operation.about["responses"]
        keyed = operation.about.get("security") != []
        wanted = {"500", "503", *(("401", "403", "429") if keyed else ())}
        if "requestBody" in operation.about:
            wanted |= {"400", "408", "413", "415"}
        if any(p["in"] == "query" for p in operation.about["parameters"]):
            wanted.add("400")
        if "{" in operation.path:
            wanted.add("404")
        assert set() == wanted - set(responses), operation.id
        for status, response in responses.items():
            headers = set(response["headers"])
            assert "traceparent" in headers
            assert (keyed and status != "401") == ("RateLimit" in headers), (operation.id, status)
            assert "Retry-After" in headers or status not in ("409", "429", "503")
            if status == "401":
                assert "WWW-Authenticate" in headers
        if any(p["name"] == "Idempotency-Key" for p in operation.about["parameters"]):
            done = next(status for status in ("200", "201", "204") if status in responses)
            assert "Idempotency-Replayed" in responses[done]["headers"]


@pytest.mark.one_engine
def test_links_lead_to_what_answers_tell() -> None:
    """Each operation with a parameter in its path is linked to, and each link finds its value where the schema of the answer has it."""
    contract = Contract(described())
    linked: set[str] = set()
    for operation in contract.operations:
        for response in operation.about["responses"].values():
            for name, link in response.get("links", {}).items():
                ((parameter, where),) = link["parameters"].items()
                assert f"{{{parameter}}}" in contract.operation(name).path
                linked.add(name)
                if where == "$response.header.X-Transaction-Id":
                    assert "X-Transaction-Id" in response["headers"]
                    continue
                (content,) = response["content"].values()
                value = content["schema"]
                for step in where.removeprefix("$response.body#/").split("/"):
                    while "$ref" in value:
                        value = contract.document["components"]["schemas"][value["$ref"].rpartition("/")[2]]
                    value = value["items"] if step == "0" else value["properties"][step]
                assert "string" == value["type"], (operation.id, name)
    assert {o.id for o in contract.operations if "{" in o.path} == linked


async def _send(client: Client, operation: Described, path: str, sample: Sample | None) -> Answer:
    if sample is None:
        return await client.call(operation.method, path)
    body = sample.value.encode() if isinstance(sample.value, str) else msgspec.json.encode(sample.value)
    return await client.call(operation.method, path, body, Content_Type=sample.media)


class _Run:
    """Sends the examples of all operations, those first whose transactions others are about."""

    def __init__(self, client: Client, contract: Contract) -> None:
        self.client = client
        self.contract = contract
        self.faults: list[str] = []
        # Operation -> a transaction of each example that was taken.
        self.begun: dict[str, list[str]] = {}
        self.sent = 0

    async def all(self) -> None:
        # What was submitted is told as a duplicate when it is only judged afterwards.
        operations = sorted(self.contract.operations, key=lambda o: not o.id.startswith("validate"))
        for operation in (o for o in operations if "{" not in o.path):
            for sample in list(operation.samples()) or [None]:
                await self.one(operation, operation.path, sample)
        claims = [i for o, made in self.begun.items() if o.startswith("submit") for i in made]
        assert 6 <= len(claims)
        await self.client.forward(_DAYS)
        for claim in claims:
            await until(self.client, claim, "remitted")
        for operation in (o for o in operations if "{" in o.path and o.id not in _ELSEWHERE):
            await self.after(operation)

    async def one(self, operation: Described, path: str, sample: Sample | None) -> None:
        answer = await _send(self.client, operation, path, sample)
        self.sent += 1
        wanted = min(int(s) for s in operation.about["responses"]) if sample is None else sample.status
        if wanted != answer.status:
            self.faults.append(f"{operation.id} {sample and sample.name}: {answer.status} {answer.body[:300]}")
        self.faults += self.contract.faults(operation, answer)
        if answer.status in (200, 201) and "X-Transaction-Id" in answer.headers:
            self.begun.setdefault(operation.id, []).append(answer.headers["X-Transaction-Id"])

    async def after(self, operation: Described) -> None:
        """An operation about something, for one of each operation that the document links it to."""
        found = [one for link in self.links_to(operation) if (one := await self.meant(*link)) is not None]
        for meant in dict.fromkeys(found):
            path = re.sub(r"\{\w+\}", meant, operation.path)
            for sample in list(operation.samples()) or [None]:
                if operation.id == "estimateShare" and meant not in self.begun["checkEligibility"][1:2]:
                    continue
                await self.one(operation, path, sample)
        if not found:
            self.faults.append(f"{operation.id} follows nothing")

    def links_to(self, operation: Described) -> Iterator[tuple[Described, str]]:
        """Operations that lead to this one, and where in their answers they say to what."""
        for before in self.contract.operations:
            for response in before.about["responses"].values():
                if link := response.get("links", {}).get(operation.id):
                    (where,) = link["parameters"].values()
                    yield before, where

    async def meant(self, before: Described, where: str) -> str | None:
        """What an operation's answer says there: of a transaction the newest that it began, else what it answers now."""
        if where == "$response.header.X-Transaction-Id":
            return self.begun.get(before.id, [None])[-1]
        answer = await _send(self.client, before, before.path, next(before.samples(), None))
        value = answer.json
        for step in where.removeprefix("$response.body#/").split("/"):
            if step == "0" and not value:
                return None
            value = value[int(step) if isinstance(value, list) else step]
        return value


@pytest.mark.one_engine
async def test_every_example_of_the_document_runs(tmp_path: Path) -> None:
    """Against `claimwire serve --sandbox` in a process of its own: status and schema of each answer are those documented."""
    port, data = free_port(), tmp_path / "data"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], tmp_path / "log")
    await process.start()
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        contract = Contract((await client.get("/openapi.json")).json)
        run = _Run(client, contract)
        await run.all()
        await client.close()
    finally:
        await process.stop()
    assert [] == run.faults
    assert 40 <= run.sent


async def test_pages_of_the_documentation_find_and_link_everything(tmp_path: Path) -> None:
    """Without a script and without anything from elsewhere: the answers' own policy allows neither."""
    async with in_process(tmp_path) as (client, _):
        client.key = None
        contract = Contract((await client.get("/openapi.json")).json)
        pages = {"/docs": (await client.get("/docs")).body.decode()}
        assert [] == [o.id for o in contract.operations if f'id="{o.id}"' not in pages["/docs"]]
        assert [] == [
            t
            for t in TAGS
            if f"<h2>{t}</h2>" not in pages["/docs"] and t in {o.about["tags"][0] for o in contract.operations}
        ]
        names = list(contract.document["components"]["schemas"])
        for path in (
            "/docs?q=DMG02",
            "/docs?q=dental+submit",
            "/docs?q=%3Cscript%3E",
            *(f"/docs/objects/{n}" for n in names[::10]),
        ):
            answer = await client.get(path)
            assert (200, path) == (answer.status, path)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            pages[path] = answer.body.decode()
        assert "EligibilityRequestSubscriber.dateOfBirth" in pages["/docs?q=DMG02"]
        assert 'id="submitDentalClaim"' in pages["/docs?q=dental+submit"]
        assert 'id="checkEligibility"' not in pages["/docs?q=dental+submit"]
        assert "0 operations, 0 objects and 0 fields" in pages["/docs?q=%3Cscript%3E"]
        for path, page in pages.items():
            assert not re.search(r"<script|\son\w+=|style=|(src|href|action)=.?https?:", page), path
            linked = set(re.findall(r'href="/docs/objects/(\w+)', page))
            assert set() == linked - set(names), path
        assert 404 == (await client.get("/docs/objects/Nothing")).status

"""Who may do what: walked from the OpenAPI document itself, which every route of the service must be in."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from gateway.api import core
from gateway.api.server import SECURITY_HEADERS, application
from gateway.config import Config
from gateway.ledger import api_keys
from gateway.ledger.api_keys import SCOPES
from gateway.runtime import TENANT, Runtime
from tests.flows.service import NETWORK, Answer, Client, claim_body, eligibility_body, in_process, until

ID = "00000000-0000-7000-8000-000000000000"
OPEN = ("/healthz", "/readyz", "/docs", "/docs/style.css", "/openapi.json")
KEY_KNOWN_SECONDS = 1.1
# SOAP is described by CORE, not by OpenAPI.
PAGES = {*OPEN, "/metrics", "/docs/objects/{name}", core.PATH, f"{core.PATH}/"}
_SCOPE = re.compile(r"Scope: `([a-z:]+)`")


async def key_with(runtime: Runtime, scopes: Iterable[str], expires_at: int | None = None) -> tuple[str, str]:
    """A new key: (token, key id)."""
    token, made = await runtime.database.write(
        lambda tx: api_keys.create(
            tx, runtime.vault, TENANT, "test", scopes, runtime.world.micros(), expires_at=expires_at
        )
    )
    return token, made.key_id


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every operation of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def scope_of(operation: dict[str, Any]) -> str | None:
    """The scope that an operation says it needs; empty where any key will do, None where it says that it needs no key."""
    found = _SCOPE.search(operation["description"])
    if found is None:
        return None if operation.get("security") == [] else ""
    return found[1]


async def call(client: Client, method: str, path: str, token: str | None) -> Answer:
    concrete = re.sub(r"\{\w+\}", ID, path)
    headers = {} if token is None else {"Authorization": token}
    return await client.call(
        method, concrete, b"{}" if method == "POST" else None, Content_Type="application/json", **headers
    )


def denied(answer: Answer, status: int, where: str) -> None:
    """Refused, in the shape that the callers of this path expect."""
    assert (status, where) == (answer.status, where), answer.body
    if "x-amzn-errortype" in answer.headers:
        assert {"message"} == set(answer.json)
    elif where.rpartition(" ")[2].startswith(("/v1", "/metrics")):
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert status == answer.json["status"]
    else:
        assert "application/json" == answer.headers["Content-Type"]
        assert ("ERROR", str(status)) == (answer.json["status"], answer.json["errors"][0]["code"])
        assert answer.json["message"]
    assert (status == 401) == ("WWW-Authenticate" in answer.headers)


async def test_every_operation_wants_its_scope_and_no_other(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        client.key = None
        document = (await client.get("/openapi.json")).json
        only = {s: (await key_with(up.runtime, [s]))[0] for s in SCOPES}
        without = {s: (await key_with(up.runtime, set(SCOPES) - {s}))[0] for s in SCOPES}
        nothing, _ = await key_with(up.runtime, [])
        needed: set[str] = set()
        for method, path, operation in operations(document):
            scope, where = scope_of(operation), f"{method} {path}"
            if scope is None:
                assert operation["operationId"] in ("healthcheck", "issueToken")
                if operation["operationId"] == "issueToken":
                    continue
                assert (200, {"status": "ok"}) == (lambda a: (a.status, a.json))(await call(client, method, path, None))
                continue
            denied(await call(client, method, path, None), 401, where)
            if not scope:
                continue
            needed.add(scope)
            denied(await call(client, method, path, nothing), 403, where)
            denied(await call(client, method, path, without[scope]), 403, where)
            assert scope.encode() in (await call(client, method, path, without[scope])).body
            answer = await call(client, method, path, only[scope])
            assert answer.status in (200, 400, 404), (where, answer.body)
            assert str(answer.status) in operation["responses"], where
        assert set(SCOPES) == needed


async def test_keys_that_are_wrong_revoked_or_expired_open_nothing(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        good, now = client.key, up.runtime.world.micros()
        assert good is not None
        client.key = None
        _, key_id, secret = good.split("_", 2)
        revoked, revoked_id = await key_with(up.runtime, SCOPES)
        expired, _ = await key_with(up.runtime, SCOPES, expires_at=now)
        other, _ = await key_with(up.runtime, SCOPES, expires_at=now + 3_600_000_000)
        path = f"/v1/transactions/{ID}"
        assert [404, 404, 404] == [(await call(client, "GET", path, k)).status for k in (good, revoked, other)]
        assert await up.runtime.database.write(
            lambda tx: api_keys.revoke(tx, TENANT, revoked_id, up.runtime.world.micros())
        )
        # A key that was used just now is known for another second; so is its end.
        await asyncio.sleep(KEY_KNOWN_SECONDS)
        wrong = [
            *("", " ", "Key", "Bearer", "Key ", "_", "__", "cw_", f"cw_{key_id}", f"cw_{key_id}_"),
            *(good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"), good + "x", good.upper(), good[1:]),
            *(f"xx_{key_id}_{secret}", f"cw_{key_id}_{other.split('_', 2)[2]}", f"cw_{'0' * 16}_{secret}"),
            *(f"Basic {good}", f"Key {good} {good}", f"Token {good}", revoked, f"Key {revoked}", expired),
            *("%00", "' OR 1=1 --", "cw_%_%", "k" * 7_000, "\u00e9"),
        ]
        document = (await client.get("/openapi.json")).json
        for token in wrong:
            denied(await call(client, "GET", path, token), 401, path)
        for method, where, operation in operations(document):
            if scope_of(operation) is not None:
                for token in (revoked, expired, wrong[-2]):
                    denied(await call(client, method, where, token), 401, where)


async def test_a_key_is_taken_bare_or_behind_key_or_bearer(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        good = client.key
        client.key = None
        for form in ("{}", "Key {}", "Bearer {}", "key {}", "BEARER {}", "Key  {}", "  {}  "):
            answer = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body(), Authorization=form.format(good))
            assert (200, form) == (answer.status, form)


async def test_raw_segments_are_only_for_those_who_may_see_them(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        claim = await client.submit(claim_body("PAID-1", "ZQXCANARY"))
        await until(client, claim, "received")
        name = next(n for n in (await client.get(f"{NETWORK}/reports/v2")).json["reports"] if n.startswith("X3"))
        client.key, _ = await key_with(up.runtime, ["claims:read"])
        trace = await client.get(f"/v1/transactions/{claim}/trace")
        assert (200, False) == (trace.status, b"ZQXCANARY" in trace.body)
        assert [None] * 3 == [i.get("segments") for i in trace.json["interchanges"]]
        denied(await client.get(f"{NETWORK}/reports/v2/{name}"), 403, NETWORK)
        client.key, _ = await key_with(up.runtime, ["claims:read", "raw:read"])
        trace = await client.get(f"/v1/transactions/{claim}/trace")
        assert b"ZQXCANARY" in trace.body
        raw = await client.get(f"{NETWORK}/reports/v2/{name}")
        assert (200, b"ISA", "application/edi-x12") == (raw.status, raw.body[:3], raw.headers["Content-Type"])


async def test_health_and_docs_are_open_and_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async with in_process(tmp_path, Config(json_bytes_max=5_000)) as (client, _):
        key = client.key
        client.key = None
        answers = [await client.get(path) for path in (*OPEN, "/metrics")]
        assert [200] * 6 == [a.status for a in answers]
        kinds = [a.headers["Content-Type"].split(";")[0] for a in answers]
        json = "application/json"
        assert [json, json, "text/html", "text/css", json, "text/plain"] == kinds
        answers += [
            await client.call("HEAD", "/healthz"),
            await client.get("/nothing"),
            await client.call("DELETE", "/healthz"),
            await client.get("/v1/transactions/x"),
        ]
        client.key = key
        path = f"{NETWORK}/eligibility/v3"
        answers += [
            await client.post(path, eligibility_body(), Idempotency_Key="k"),
            await client.post(path, eligibility_body(), Idempotency_Key="k"),
            await client.post(path, eligibility_body("ACTIVE2"), Idempotency_Key="k"),
            await client.post(path, {}),
            await client.post(path, {"z": "z" * 6_000}),
            await client.get("/v1/transactions/x"),
        ]
        assert [200, 404, 405, 401, 200, 200, 422, 400, 413, 404] == [a.status for a in answers[6:]]
        for answer in answers:
            assert dict(SECURITY_HEADERS) == {n: answer.headers.get(n) for n in SECURITY_HEADERS}
        # The page runs under its own policy: no script, no style but its own, nothing from elsewhere.
        html = answers[2].body.decode()
        assert not re.search(r"<script|\son\w+=|style=|(src|href|action)=.?https?:", html)
        assert 'href="/docs/style.css"' in html


def own_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


async def test_metrics_are_for_this_machine_and_for_callers_with_a_key(tmp_path: Path) -> None:
    address = own_address()
    async with in_process(tmp_path, Config(host="0.0.0.0")) as (client, up):
        outside = Client(up.url.replace("0.0.0.0", address), None)
        try:
            denied(await outside.get("/metrics"), 401, "/metrics")
            denied(
                await outside.get("/metrics", X_Forwarded_For="127.0.0.1", Forwarded="for=127.0.0.1"), 401, "/metrics"
            )
            assert 200 == (await outside.get("/healthz")).status
            outside.key = client.key
            assert b"claimwire_requests_total" in (await outside.get("/metrics")).body
        finally:
            await outside.close()


# --- the document ------------------------------------------------------------------------------------------------------


def parts(value: object, where: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of every object in a JSON document."""
    if isinstance(value, dict):
        yield where, value  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from parts(inner, f"{where}/{key}")  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from parts(inner, f"{where}/{index}")  # pyright: ignore[reportUnknownArgumentType]


def resolved(document: dict[str, Any], reference: str) -> object:
    """What a local reference names; KeyError when it names nothing."""
    assert reference.startswith("#/")
    found: Any = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


async def test_the_document_is_whole(tmp_path: Path) -> None:
    """OpenAPI 3.1: references resolve, ids are unique, parameters are declared, every answer is described."""
    async with in_process(tmp_path) as (client, _):
        answer = await client.get("/openapi.json")
    document = answer.json
    parts_wanted = {"openapi", "info", "security", "tags", "paths", "components"}
    assert ("3.1.0", parts_wanted) == (document["openapi"], set(document))
    assert {"title", "version"} <= set(document["info"])
    types = {"string", "integer", "number", "boolean", "object", "array", "null"}
    used: set[str] = set()
    for where, part in parts(document):
        if isinstance(part.get("$ref"), str):
            assert resolved(document, part["$ref"]), where
            used.add(part["$ref"].rpartition("/")[2])
        kind = part.get("type")
        # A property may be called `type`, too: then this is a schema of its own.
        if where.startswith("#/components/schemas") and isinstance(kind, (str, list)):
            assert set() == set(msgspec.convert([kind] if isinstance(kind, str) else kind, list[str])) - types, where
    assert set() == set(document["components"]["schemas"]) - used
    ids = [o["operationId"] for _, _, o in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert set(re.findall(r"\{(\w+)\}", path)) == declared
        assert all(p["schema"]["type"] == "string" for p in operation["parameters"])
        assert method == "POST" or "requestBody" not in operation
        assert operation["summary"]
        assert {"200", "201", "204"} & set(operation["responses"])
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert response["description"]
            assert all("schema" in c for c in response.get("content", {}).values())
    for requirement in document["security"]:
        assert set(requirement) <= set(document["components"]["securitySchemes"])


async def test_every_route_is_in_the_document(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        document = (await client.get("/openapi.json")).json

        async def move(_: object) -> None:
            """Stands for the clock, so that its route is there."""

        app: web.Application = application(up.runtime, up.service, move)
    listed = {(method, path) for method, path, _ in operations(document)}
    also = {
        (method, path)
        for method, _, operation in operations(document)
        for path in re.findall(r"`(/[^`]+)`", operation["description"])
    }
    routes = {(r.method, r.resource.canonical) for r in app.router.routes() if r.resource is not None}
    # Whatever else comes to a path that another one's parameter would match is refused.
    refusing = {(method, path) for method, path in routes if method == "*"}
    assert {path.removesuffix("/") for _, path in refusing} <= {path for _, path in listed | also}
    routes -= refusing
    assert len(routes) > 100
    assert set() == listed - routes
    unlisted = {
        (method, path)
        for method, path in routes
        if method != "HEAD"
        and PAGES.isdisjoint((path, path.removesuffix("/")))
        and (method, path.removesuffix("/")) not in listed | also
    }
    assert set() == unlisted
    # Every path is answered with and without a final slash.
    assert set() == {(m, f"{p}/") for m, p in listed | also} - routes

"""The payer directory: the dialect's four paths, and in `/v1` how the files of payers stand and what was in force when."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web

from gateway.api.operations import Call, Operation, Outcome
from gateway.api.parameters import WrongParameter, number, refused, token, words
from gateway.api.refusals import Problem, problem
from gateway.ledger import payer_versions, payloads
from gateway.messages import ErrorItem, ErrorResponse
from gateway.payer_files import shown
from gateway.payer_records import (
    FILTERS,
    PayerPage,
    PayerRecord,
    PayerSearchPage,
    csv_of,
    record_of,
    search_page,
    together,
)
from gateway.payer_search import PayerIndex
from gateway.payers import Directory, Payer, UnknownPayer
from gateway.replies import Reply
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from queues.database import Transaction
from x12 import codes
from x12.documents.binding import Document, Text

__all__ = ["OPERATIONS"]

_ANY_KEY, _OPS = "", "ops:write"
_PREFIXES = ("/2024-04-01", "")
_QUERY_LENGTH_MAX = 200
_PAGE_MAX, _SEARCHED_MAX = 10_000, 100
_HOW = ("SUPPORTED", "NOT_SUPPORTED", "ENROLLMENT_REQUIRED", "EITHER")
_COVERAGE = ("medical", "dental", "vision")
_STATES = frozenset((*codes.table("state"), "NATIONAL"))
# A directory is searched by what was made of it once.
_INDEXES: WeakKeyDictionary[Directory, PayerIndex] = WeakKeyDictionary()


class PayerFileView(Document):
    """A file of a payer: what is wrong with it, and which payer's data hold, its own or what it said before."""

    file: str
    state: str
    payer_id: Text = None
    errors: list[str] | None = None


class PayerFiles(Document):
    """The files of the folder of payers."""

    items: list[PayerFileView]


class PayerVersion(Document):
    """What was in force of a payer from one time until another: its data, secrets left out."""

    since: str
    source: str
    sha256: str
    payer: dict[str, Any]
    routes: list[dict[str, Any]]
    until: Text = None


class PayerVersions(Document):
    """What was in force of a payer, oldest first."""

    payer_id: str
    items: list[PayerVersion]


def _index(runtime: Runtime) -> PayerIndex:
    found = _INDEXES.get(runtime.directory)
    if found is None:
        found = _INDEXES[runtime.directory] = PayerIndex(runtime.directory.payers.values())
    return found


def _record(runtime: Runtime, payer: Payer) -> PayerRecord:
    ways = runtime.directory.ways(payer)
    return record_of(payer, together(runtime.can(route) for route in ways))


async def _list(call: Call) -> Reply:
    runtime = call.service.runtime
    try:
        size, after = number(call, "pageSize", 1, _PAGE_MAX, 0), token(call, 0)
    except WrongParameter as error:
        return refused(error)
    payers = _index(runtime).payers
    # Without a size they all come: so do hosted services.
    page = payers[after : after + size] if size else payers[after:]
    more = str(after + size) if size and after + size < len(payers) else None
    return Reply(200, msgspec.json.encode(PayerPage(items=[_record(runtime, p) for p in page], next_page_token=more)))


async def _search(call: Call) -> Reply:
    runtime, query = call.service.runtime, call.request.query
    try:
        size, after = number(call, "pageSize", 1, _SEARCHED_MAX, 20), token(call, 0)
        text = query.get("query", "")
        if len(text) > _QUERY_LENGTH_MAX:
            raise WrongParameter("query", f"of {_QUERY_LENGTH_MAX} characters at most")
        wanted = {name: words(call, name, _HOW)[-1] for name in FILTERS if query.get(name)}
        coverage = words(call, "coverageTypes", _COVERAGE)
        states = words(call, "operatingStates", _STATES)
    except WrongParameter as error:
        return refused(error)
    found = [(f, _record(runtime, f.payer)) for f in _index(runtime).search(text)]
    return Reply(200, msgspec.json.encode(search_page(found, wanted, coverage, states, after, size)))


async def _csv(call: Call) -> web.Response:
    runtime = call.service.runtime
    text = csv_of([_record(runtime, p) for p in _index(runtime).payers])
    return web.Response(text=text, content_type="text/csv", charset="utf-8")


async def _one(call: Call) -> Reply:
    runtime = call.service.runtime
    try:
        payer = runtime.directory.find(call.part("payerId"))
    except UnknownPayer as error:
        item = ErrorItem(code="404", description=f"{error}.", field="payerId")
        message = "There is no such payer."
        return Reply(404, msgspec.json.encode(ErrorResponse(status="ERROR", message=message, errors=[item])))
    return Reply(200, msgspec.json.encode(_record(runtime, payer)))


async def _files(call: Call) -> Reply:
    items = [
        PayerFileView(
            file=file.name,
            state="in force" if not file.faults else "kept" if file.payer is not None else "left out",
            payer_id=file.payer.id if file.payer is not None else None,
            errors=file.faults or None,
        )
        for file in call.service.runtime.payer_files
    ]
    return Reply(200, msgspec.json.encode(PayerFiles(items=items)))


async def _versions(call: Call) -> Reply | web.Response:
    runtime, named = call.service.runtime, call.part("payerId")
    try:
        payer_id = runtime.directory.find(named).id
    except UnknownPayer:
        # One that is no longer there has a history all the same.
        payer_id = named

    async def body(tx: Transaction) -> list[PayerVersion]:
        versions = await payer_versions.of_payer(tx, TENANT, payer_id)
        return [_version(v, await payloads.load(tx, runtime.vault, TENANT, v.payload_id)) for v in versions]

    found = await runtime.database.read(body)
    if not found:
        return problem(404, "There is no such payer, and never was.")
    return Reply(200, msgspec.json.encode(PayerVersions(payer_id=payer_id, items=found)))


def _version(version: payer_versions.Version, content: bytes) -> PayerVersion:
    payer, routes = shown(content)
    return PayerVersion(
        since=moment(version.since) or "",
        until=moment(version.until),
        source=version.source,
        sha256=version.sha256,
        payer=payer,
        routes=routes,
    )


_REFUSED = Outcome("What is wrong with the query.", ErrorResponse)
_NO_PAYER = Outcome("There is no such payer.", ErrorResponse)
_NEVER = Outcome("There is no such payer, and never was.", Problem, "application/problem+json")
_FROM = "The nextPageToken of the page before."
_FILTERS = {
    name: f"Payers with this support only: {', '.join(_HOW)}. EITHER is with or without enrollment." for name in FILTERS
}
_LISTED = {"listPayers": "/items/0/primaryPayerId", "searchPayers": "/items/0/payer/primaryPayerId"}
_ID = {"payerId": "The payer's id, or an alias."}


def _paths(suffix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{suffix}" for prefix in _PREFIXES)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "listPayers", "GET", _paths("/payers"), "Every payer, by name, and what it takes.",
        _ANY_KEY, _list, {200: Outcome("A page of payers, or all of them.", PayerPage), 400: _REFUSED},
        query={"pageSize": "How many at most; all of them by itself.", "pageToken": _FROM}, tag="payers",
    ),
    Operation(
        "searchPayers", "GET", _paths("/payers/search"),
        "Payers found by name, id or alias, best first, also with a slip of the finger. All filters must hold.",
        _ANY_KEY, _search, {200: Outcome("A page of payers that match.", PayerSearchPage), 400: _REFUSED},
        query={
            "query": "A name, an id or an alias, or the beginnings of their words. Without it every payer is found.",
            **_FILTERS,
            "coverageTypes": f"Payers that have all of these: {', '.join(_COVERAGE)}.",
            "operatingStates": "Payers that operate in all of these states; NATIONAL is one of them.",
            "pageSize": f"How many at most, 1 to {_SEARCHED_MAX}; 20 by itself.",
            "pageToken": _FROM,
        },
        tag="payers",
    ),
    Operation(
        "listPayersCsv", "GET", _paths("/payers/csv"), "Every payer as a table, one a row, lists joined with `|`.",
        _ANY_KEY, _csv, {200: Outcome("The table.", str, "text/csv")}, tag="payers",
    ),
    Operation(
        "readPayer", "GET", _paths("/payer/{payerId}"), "One payer, and what it takes.",
        _ANY_KEY, _one, {200: Outcome("The payer.", PayerRecord), 404: _NO_PAYER}, tag="payers", path_words=_ID,
        found_in=_LISTED,
    ),
    Operation(
        "listPayerFiles", "GET", ("/v1/payer-files",),
        "How the files of payers stand: in force, or with what is wrong, and whether what a file said before holds in its place.",
        _OPS, _files, {200: Outcome("The files.", PayerFiles)}, tag="payers",
    ),
    Operation(
        "listPayerVersions", "GET", ("/v1/payers/{payerId}/versions",), "What was in force of a payer, and when.",
        _OPS, _versions, {200: Outcome("The versions, oldest first.", PayerVersions), 404: _NEVER},
        tag="payers", path_words=_ID, found_in=_LISTED,
    ),
)  # fmt: skip

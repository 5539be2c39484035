"""The OpenAPI 3.1 document, made from the operations and the structs they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.api.operations import X12_TYPES, Operation, Outcome
from gateway.api.refusals import Problem, Shape
from gateway.api.schemas import Components, components_of
from gateway.limits import REQUESTS

__all__ = ["TAGS", "document"]

_X12 = X12_TYPES[0]
_JSON = "application/json"
# What each group of operations is for, in the order of the documentation.
TAGS = {
    "eligibility": "Ask payers, before a visit, whether patients are covered and for what (270 and 271).",
    "batch eligibility": "Ask about many patients at once, in the background: up to 10,000 checks in a request.",
    "claims": "Submit claims, or have them judged without sending (837P, 837I, 837D).",
    "claim status": "Ask payers where claims stand (276 and 277).",
    "reports": "What payers say of claims: acknowledgements (277CA) and remittances (835).",
    "polling": "What is new, for all transactions, since a cursor.",
    "payers": "Which payers there are, found by name, id or alias, and what each of them takes.",
    "events": "Be told of changes by webhooks, and read what was told.",
    "authorization": "Tokens of limited life for keys (OAuth 2.0 client credentials).",
    "v1": "What the dialect lacks: where a transaction stands and its whole story, benefits in order, estimates.",
    "inboxes": "What waits for a person: interchanges in doubt, files that match nothing.",
    "follow-ups": "Which open claims payers are asked about, and which a person must act on.",
    "alarms": "What a person should look at, and what to do next.",
    "lanes": "How the routes to payers stand, and pausing one by hand.",
    "sandbox": "Only where the gateway runs with its own sandbox payer.",
    "operations": "Whether the service is up.",
}
_ABOUT = """
The JSON and the paths are those that clients of hosted clearinghouses send already; `/v1` is what that dialect lacks.

* **Keys**: in `Authorization`, bare or behind `Key` or `Bearer`. Each operation names the scope that its key needs.
* **Input**: one JSON object in UTF-8. Unknown keys and nulls are ignored, numbers are taken where a text is meant; a key that stands
  twice in one object is refused. Amounts are decimal strings, dates are `YYYYMMDD`.
* **Errors**: every wrong field at once, by its path, and never by its value. Refusals under `/v1` are problem details (RFC 9457).
* **Twice is once**: a write with an `Idempotency-Key` that was used with the same body gets the first answer again.
* **Later**: `Prefer: respond-async` (RFC 7240) has an eligibility or status request answered 202 at once, `Prefer: wait=5` has it wait no
  longer than that; `Location` is where to ask. The work goes on, also over a restart.
* **Limits** are those of a key. Every answer to a key tells what is left of them in `RateLimit-*`; past them it is 429, with the name of
  the limit and `Retry-After`.
* **Methods**: a path answers `HEAD` where it has `GET`, and `OPTIONS` with its methods; others are 405 with `Allow`.
* **Tracing**: send `traceparent` (W3C) and get it back; `X-Transaction-Id` is what an answer is about.
""".strip()

# Headers of answers, by name: what they are, and their schema. Source of RateLimit: draft-ietf-httpapi-ratelimit-headers.
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "traceparent": ("W3C trace context of this request.", {"type": "string"}),
    "X-Transaction-Id": ("The transaction that the answer is about, where there is one.", {"type": "string"}),
    "Idempotency-Replayed": (
        "`true` where this is the first answer to the key again, and nothing was done now.",
        {"type": "string", "enum": ["true"]},
    ),
    "Retry-After": ("After how many seconds it makes sense to ask again.", {"type": "integer", "minimum": 0}),
    "Location": ("Where to ask for the transaction.", {"type": "string"}),
    "Preference-Applied": ("What of `Prefer` was honoured.", {"type": "string"}),
    "WWW-Authenticate": ("How to show who is calling.", {"type": "string"}),
    "RateLimit-Policy": (
        "The limits of this key: so many requests at once (`q`) in that many seconds (`w`), and so many under way.",
        {"type": "string"},
    ),
    "RateLimit": ("How many requests are left (`r`), and in how many seconds all are again (`t`).", {"type": "string"}),
    "RateLimit-Limit": ("How many requests may come at once.", {"type": "integer", "minimum": 1}),
    "RateLimit-Remaining": ("How many are left of them now.", {"type": "integer", "minimum": 0}),
    "RateLimit-Reset": ("In how many seconds all of them are there again.", {"type": "integer", "minimum": 0}),
}
_LIMITS = tuple(n for n in _HEADERS if n.startswith("RateLimit"))
# What is answered around operations: status -> what it means.
_AROUND = {
    400: "The request cannot be understood.",
    401: "No valid key was given.",
    403: "The key lacks the scope.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "This Content-Type is not taken here.",
    429: "The key has hit the limit that is named.",
    500: "Something went wrong in the gateway. It was logged; nothing that was acknowledged is lost.",
    503: "Nothing can be taken now: ask again later.",
}
_WITH_BODY = (408, 413, 415)
_RETRIED = (409, 429, 503)
_PARAMETERS = {
    "transactionId": "The id of a transaction: `X-Transaction-Id` of the answer that began it.",
    "name": "A report: the id of its transaction or of its claim, or its name in the mailbox.",
}
_EXAMPLE_ID = "018f3c9d-6f3a-7c1e-9b1a-3f6c2d8e4a51"


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document. Each operation is listed under its first path; the others are named in its description."""
    gives = [r.type for o in operations for r in o.outcomes.values()] + [o.refusals.type for o in operations]
    components = components_of(
        [o.takes for o in operations if o.takes is not None], [t for t in (*gives, Problem) if t not in (None, str)]
    )
    maker = _Maker(operations, components)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.paths[0], {})[operation.method.lower()] = maker.operation(operation)
    used = dict.fromkeys(o.tag for o in operations)
    security = _security(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Claimwire",
            "version": version,
            "summary": "A self-hosted clearinghouse: eligibility, claims, claim status and remittances.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{name: []} for name in security],
        "tags": [{"name": t, "description": TAGS.get(t, "")} for t in (*TAGS, *used) if t in used],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components.schemas,
            "headers": {n: {"description": d, "schema": s} for n, (d, s) in _HEADERS.items()},
            "securitySchemes": security,
        },
    }


def _security(operations: Sequence[Operation]) -> dict[str, Any]:
    """The ways to show who is calling; OAuth2 where there is an operation that gives tokens."""
    schemes: dict[str, Any] = {
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The key by itself, or behind `Key` or `Bearer`.",
        }
    }
    token = next((o.paths[0] for o in operations if o.gives_tokens), None)
    if token is not None:
        scopes = {o.scope: "" for o in operations if o.scope}
        schemes["oauth2"] = {
            "type": "oauth2",
            "description": "A token for the id and secret of a client; it is sent as `Bearer`.",
            "flows": {"clientCredentials": {"tokenUrl": token, "scopes": scopes}},
        }
    return schemes


class _Maker:
    """Makes the parts of the document; knows which operations others follow."""

    def __init__(self, operations: Sequence[Operation], components: Components) -> None:
        self._components = components
        # Operation -> those that can be called after it, each with where in its answer their parameter stands.
        self._followers: dict[str, list[tuple[Operation, str]]] = {}
        for operation in operations:
            told = dict.fromkeys(operation.follows, "header.X-Transaction-Id")
            told |= {before: f"body#{place}" for before, place in operation.found_in.items()}
            for before, where in told.items():
                self._followers.setdefault(before, []).append((operation, where))

    def operation(self, operation: Operation) -> dict[str, Any]:
        also = [p for p in operation.paths[1:] if not p.startswith(operation.paths[0])]
        text = operation.summary + (f"\n\nAlso at: {', '.join(f'`{p}`' for p in also)}." if also else "")
        made: dict[str, Any] = {
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "description": text + (f"\n\nScope: `{operation.scope}`." if operation.scope else ""),
            "parameters": _parameters(operation),
            "responses": {str(s): self._response(operation, s, r) for s, r in sorted(_outcomes(operation).items())},
        }
        if operation.scope is None:
            made["security"] = []
        if operation.takes is not None:
            made["requestBody"] = self._body(operation)
        return made

    def _body(self, operation: Operation) -> dict[str, Any]:
        content: dict[str, Any] = {_JSON: {"schema": self._components.of(operation.takes)}}
        if operation.takes_x12:
            content[_X12] = {"schema": {"type": "string", "description": "One or more X12 interchanges."}}
        for media in operation.takes_also:
            content[media] = {"schema": self._components.of(operation.takes)}
        if operation.example is not None:
            content[_JSON]["example"] = operation.example
        for name, example in operation.examples.items():
            media = _X12 if isinstance(example.body, str) else _JSON
            told = {"summary": example.summary, "value": example.body, "x-status": example.status}
            content[media].pop("example", None)
            content[media].setdefault("examples", {})[name] = told
        text = "X12 as it is, or as `x12` of a JSON object." if operation.takes_x12 else "One JSON object in UTF-8."
        return {"required": not operation.body_optional, "description": text, "content": content}

    def _response(self, operation: Operation, status: int, outcome: Outcome) -> dict[str, Any]:
        made: dict[str, Any] = {"description": outcome.description, "headers": _headers(operation, status)}
        if outcome.type is str:
            made["content"] = {outcome.content: {"schema": {"type": "string"}}}
        elif outcome.type is not None:
            made["content"] = {outcome.content: {"schema": self._components.of(outcome.type)}}
            if outcome.example is not None:
                made["content"][outcome.content]["example"] = outcome.example
        followers = self._followers.get(operation.id, ()) if status in (200, 201, 202) else ()
        if followers:
            made["links"] = {
                o.id: {
                    "operationId": o.id,
                    "description": o.summary,
                    "parameters": {_path_names(o)[0]: f"$response.{where}"},
                }
                for o, where in followers
            }
        return made


def _outcomes(operation: Operation) -> dict[int, Outcome]:
    """All that an operation may answer: what it says itself, and what is said around it."""
    statuses = {500, 503}
    if operation.scope is not None:
        statuses |= {401, 403, 429}
    if operation.takes is not None:
        statuses |= {400, *_WITH_BODY}
    if operation.writes or operation.query:
        statuses.add(400)
    shape = operation.refusals
    around = {s: Outcome(_AROUND[s], shape.type, shape.content, _refusal(shape, s)) for s in statuses}
    return {**around, **operation.outcomes}


def _refusal(shape: Shape, status: int) -> Any:
    """What such a refusal looks like."""
    body = shape.refuse(status, _AROUND[status], limits=(REQUESTS,) if status == 429 else ()).body
    return msgspec.json.decode(body) if isinstance(body, bytes) else None


def _headers(operation: Operation, status: int) -> dict[str, Any]:
    """Which headers an answer may have, by what it is."""
    names = ["traceparent"]
    if status < 400 or status in (409, 422, 502, 503):
        names.append("X-Transaction-Id")
    if operation.writes and status not in (401, 403, 408, 413, 415, 429, 500):
        names.append("Idempotency-Replayed")
    if status in (*_RETRIED, 202) or (status == 404 and operation.follows):
        names.append("Retry-After")
    if status == 202:
        names.append("Location")
    if "Prefer" in operation.headers and status < 400:
        names.append("Preference-Applied")
    if status == 401:
        names.append("WWW-Authenticate")
    elif operation.scope is not None:
        names += _LIMITS
    return {n: {"$ref": f"#/components/headers/{n}"} for n in names}


def _path_names(operation: Operation) -> list[str]:
    return [p.strip("{}") for p in operation.paths[0].split("/") if p.startswith("{")]


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": n,
            "in": "path",
            "required": True,
            "description": operation.path_words.get(n) or _PARAMETERS.get(n, ""),
            "schema": {"type": "string", "minLength": 1},
            "example": _EXAMPLE_ID,
        }
        for n in _path_names(operation)
    ]
    found += [
        {"name": n, "in": "query", "description": d, "schema": {"type": "string"}} for n, d in operation.query.items()
    ]
    found += [
        {"name": n, "in": "header", "description": d, "schema": {"type": "string"}}
        for n, d in operation.headers.items()
    ]
    if operation.writes:
        text = "The same key with the same body gets the first answer again; with another body it is 422."
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "description": text, "schema": schema})
    return found

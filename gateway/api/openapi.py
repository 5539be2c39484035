"""The OpenAPI 3.1 document, made from the operations and the structs they take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.api.operations import Operation, Outcome
from gateway.api.v1 import Problem

__all__ = ["document"]

_REFERENCE = "#/components/schemas/{name}"
_X12 = "application/edi-x12"
_COMMON = {
    401: Outcome("No valid key was given.", Problem, "application/problem+json"),
    403: Outcome("The key lacks the scope.", Problem, "application/problem+json"),
    413: Outcome("The body is too large.", Problem, "application/problem+json"),
    503: Outcome("Nothing can be taken now: ask again later.", Problem, "application/problem+json"),
}


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document. Each operation is listed under its first path; the others are named in its description."""
    types = [t for o in operations for t in (o.takes, *(r.type for r in o.outcomes.values())) if t not in (None, str)]
    types.append(Problem)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    known = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.paths[0], {})[operation.method.lower()] = _operation(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Claimwire",
            "version": version,
            "summary": "A self-hosted clearinghouse: eligibility, claims, claim status and remittances.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The key by itself, or behind `Key` or `Bearer`.",
                }
            },
        },
    }


def _operation(operation: Operation, known: Mapping[int, Any]) -> dict[str, Any]:
    also = [p for p in operation.paths[1:] if not p.startswith(operation.paths[0])]
    text = operation.summary + (f"\n\nAlso at: {', '.join(f'`{p}`' for p in also)}." if also else "")
    made: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": text + (f"\n\nScope: `{operation.scope}`." if operation.scope else ""),
        "parameters": _parameters(operation),
        "responses": {str(s): _response(r, known) for s, r in sorted(_outcomes(operation).items())},
    }
    if operation.scope is None:
        made["security"] = []
    if operation.takes is not None:
        content: dict[str, Any] = {"application/json": {"schema": known[id(operation.takes)]}}
        if operation.example is not None:
            content["application/json"]["example"] = operation.example
        if operation.takes_x12:
            content[_X12] = {"schema": {"type": "string"}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _outcomes(operation: Operation) -> dict[int, Outcome]:
    common = {s: o for s, o in _COMMON.items() if operation.scope is not None and (s != 413 or operation.takes)}
    return {**common, **operation.outcomes}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [p.strip("{}") for p in operation.paths[0].split("/") if p.startswith("{")]
    found: list[dict[str, Any]] = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names
    ]
    found += [
        {"name": n, "in": "query", "description": d, "schema": {"type": "string"}} for n, d in operation.query.items()
    ]
    if operation.writes:
        text = "The same key with the same body gets the first answer again."
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": text,
                "schema": {"type": "string", "maxLength": 255},
            }
        )
    return found


def _response(outcome: Outcome, known: Mapping[int, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": outcome.description,
        "headers": {
            "traceparent": {"schema": {"type": "string"}, "description": "W3C trace context of this request."},
            "X-Transaction-Id": {"schema": {"type": "string"}, "description": "The transaction this is about, if any."},
        },
    }
    if outcome.type is str:
        made["content"] = {outcome.content: {"schema": {"type": "string"}}}
    elif outcome.type is not None:
        made["content"] = {outcome.content: {"schema": known[id(outcome.type)]}}
        if outcome.example is not None:
            made["content"][outcome.content]["example"] = outcome.example
    return made

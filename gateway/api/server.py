"""The aiohttp application: routes out of operations; keys, limits, traces and errors around every one of them."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web
from opentelemetry.trace import SpanKind, Status, StatusCode

from gateway.api import dialect, v1
from gateway.api.docs import page
from gateway.api.openapi import document
from gateway.api.operations import Call, MoveClock, Operation
from gateway.api.v1 import problem
from gateway.ledger import api_keys, transactions
from gateway.ledger.api_keys import ApiKey
from gateway.replies import Reply
from gateway.runtime import Runtime
from gateway.service import Service
from gateway.views import Views
from observability import log, tracing
from queues.database import DatabaseError, DatabaseFull, Transaction

__all__ = ["application"]

_LOG = log.get("gateway.api")
_SCHEMES = ("key ", "bearer ")
_KEY_LENGTH_MAX = 255
# So long a revoked key may still work, in every process (security: at most a second).
_KEY_KNOWN_SECONDS = 1.0
_KEYS_KNOWN_MAX = 1_000
_JSON = "application/json"
_UNFORESEEN = "Something went wrong here. It was logged; nothing that was acknowledged is lost."
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
}


def application(runtime: Runtime, service: Service, clock: MoveClock | None = None) -> web.Application:
    """The API over a running service. `clock` moves the clock where there is a sandbox."""
    app = web.Application(client_max_size=runtime.config.body_bytes_max)
    operations = [*dialect.OPERATIONS, *v1.OPERATIONS]
    if clock is not None:
        operations.append(v1.CLOCK)
    api = _Api(runtime, service, clock)
    for operation in operations:
        handler = api.handler(operation)
        for path in operation.paths:
            app.router.add_route(operation.method, path, handler)
            app.router.add_route(operation.method, f"{path}/", handler)
    pages = _Pages(runtime, api, operations)
    for path, handler in (("/healthz", pages.health), ("/readyz", pages.ready), ("/metrics", pages.metrics)):
        app.router.add_get(path, handler)
    for path, handler in (("/openapi.json", pages.openapi), ("/docs", pages.docs), ("/docs/style.css", pages.style)):
        app.router.add_get(path, handler)
    app.middlewares.append(_everything_else)
    return app


@web.middleware
async def _everything_else(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Paths that are none, and whatever the pages beside the operations did not foresee."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = problem(error.status, error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:
        _LOG.error("request failed", method=request.method, exc_info=error)
        response = problem(500, _UNFORESEEN)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


class _Api:
    """What stands around every operation."""

    def __init__(self, runtime: Runtime, service: Service, clock: MoveClock | None) -> None:
        self.runtime = runtime
        self.service = service
        self.clock = clock
        self.views = Views(runtime)
        self._known: dict[bytes, tuple[ApiKey, float]] = {}

    def handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            traceparent = request.headers.get("traceparent")
            with tracing.span(operation.id, traceparent, SpanKind.SERVER, operation=operation.id) as hop:
                try:
                    response = await self._answer(operation, request)
                except web.HTTPRequestEntityTooLarge:
                    response = problem(413, "The body is too large.")
                except ConnectionError:
                    raise
                except Exception as error:
                    # Caught here, so that it is counted and can be found by its trace.
                    _LOG.error("request failed", operation=operation.id, method=request.method, exc_info=error)
                    hop.set_status(Status(StatusCode.ERROR, type(error).__name__))
                    response = problem(500, _UNFORESEEN)
                response.headers["traceparent"] = tracing.current()
            self.runtime.metrics.requests(operation.id, str(response.status)).inc()
            self.runtime.metrics.request_seconds(operation.id).observe(time.perf_counter() - started)
            return response

        return handle

    async def _answer(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        caller = _NOBODY if operation.scope is None else await self.caller(request)
        if caller is None:
            return problem(401, "Give a valid key in the Authorization header.", None, {"WWW-Authenticate": "Bearer"})
        if operation.scope is not None and operation.scope not in caller.scopes:
            return problem(403, f"This key lacks the scope {operation.scope}.")
        if len(request.headers.get("Idempotency-Key", "")) > _KEY_LENGTH_MAX:
            return problem(400, f"An Idempotency-Key has at most {_KEY_LENGTH_MAX} characters.")
        body = await request.read() if request.body_exists else b""
        call = Call(self.service, self.views, request, caller, body, self.clock)
        if call.is_json and len(body) > self.runtime.config.json_bytes_max:
            return problem(413, "The body is too large.")
        try:
            reply = await operation.handler(call)
        except DatabaseFull:
            return problem(503, "Nothing can be stored now: nothing was taken.", None, {"Retry-After": "30"})
        except DatabaseError as error:
            _LOG.error("database failed", operation=operation.id, exc_info=error)
            return problem(503, "The database does not answer: nothing was taken.", None, {"Retry-After": "5"})
        if not isinstance(reply, Reply):
            return reply
        response = web.Response(status=reply.status, body=reply.body, content_type=_JSON, headers=dict(reply.headers))
        if reply.transaction_id:
            response.headers["X-Transaction-Id"] = reply.transaction_id
        return response

    async def caller(self, request: web.Request) -> ApiKey | None:
        """Whose key this is; None when there is no valid one. A key that was good is so for another second."""
        token = request.headers.get("Authorization", "").strip()
        for scheme in _SCHEMES:
            if token.lower().startswith(scheme):
                token = token[len(scheme) :].strip()
        if not token:
            return None
        runtime = self.runtime
        digest, now = hashlib.sha256(token.encode()).digest(), runtime.world.monotonic()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        found = await runtime.database.read(
            lambda tx: api_keys.resolve(tx, runtime.vault, token, runtime.world.micros())
        )
        if len(self._known) >= _KEYS_KNOWN_MAX:
            self._known.clear()
        if found is not None:
            self._known[digest] = (found, now + _KEY_KNOWN_SECONDS)
        else:
            self._known.pop(digest, None)
        return found


_NOBODY = ApiKey("", "", "", frozenset(), 0, None, None)


class _Pages:
    """What is no operation: health, metrics, and the description of the API."""

    def __init__(self, runtime: Runtime, api: _Api, operations: Sequence[Operation]) -> None:
        self.runtime = runtime
        self.api = api
        self.operations = operations

    @cached_property
    def described(self) -> dict[str, Any]:
        """The OpenAPI document, made when somebody first asks: it takes longer than all else at the start."""
        return document(self.operations, version("claimwire"))

    @cached_property
    def pages(self) -> tuple[str, str]:
        return page(self.described)

    async def health(self, _: web.Request) -> web.Response:
        """The process answers."""
        return web.Response(body=b'{"status":"ok"}', content_type=_JSON)

    async def ready(self, _: web.Request) -> web.Response:
        """The database takes writes and the service is not leaving."""
        if self.runtime.leaving.is_set():
            return problem(503, "The service is leaving.")

        async def nothing(tx: Transaction) -> None:
            await tx.execute("UPDATE tenants SET name = name WHERE tenant_id = $1", "")

        try:
            await self.runtime.database.write(nothing)
        except DatabaseError:
            return problem(503, "The database takes no writes.")
        return web.Response(body=b'{"status":"ready"}', content_type=_JSON)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text, for this machine and for callers with a key."""
        if not _is_loopback(request.remote) and await self.api.caller(request) is None:
            return problem(401, "Give a valid key in the Authorization header.", None, {"WWW-Authenticate": "Bearer"})
        await self.runtime.database.read(self._gauges)
        return web.Response(
            body=self.runtime.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _gauges(self, tx: Transaction) -> None:
        metrics, now = self.runtime.metrics, self.runtime.world.micros()
        metrics.judges.set(self.runtime.judges.ready)
        metrics.transactions.clear()
        for kind, state, count in await transactions.counts(tx):
            metrics.transactions.labels(kind, state).set(count)
        metrics.work_waiting.clear()
        rows = await tx.fetch("SELECT kind, buried_at IS NULL, count(*), min(run_at) FROM work GROUP BY 1, 2")
        for kind, waiting, count, _ in rows:
            metrics.work_waiting.labels(kind, "waiting" if waiting else "buried").set(count)
        oldest = min((r[3] for r in rows if r[1]), default=now)
        metrics.work_oldest_seconds.set(max(0, (now - oldest) / 1_000_000))

    async def openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self.described), content_type=_JSON)

    async def docs(self, _: web.Request) -> web.Response:
        return web.Response(text=self.pages[0], content_type="text/html")

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(text=self.pages[1], content_type="text/css")


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False

"""The aiohttp application: routes out of operations; keys, limits, traces and errors around every one of them."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from gateway.api import (
    alarms,
    batch_eligibility,
    core,
    core_door,
    dialect,
    follow_ups,
    inboxes,
    lanes,
    oauth,
    payers,
    sdk,
    sdk_events,
    v1,
)
from gateway.api.bodies import TOO_MUCH, Bodies, Unread
from gateway.api.certificates import fingerprint_of
from gateway.api.docs import Documentation
from gateway.api.openapi import document
from gateway.api.operations import X12_TYPES, Call, MoveClock, Operation, is_json
from gateway.api.refusals import Refuse, problem, shape_of
from gateway.ledger import api_keys, transactions
from gateway.ledger.api_keys import ApiKey
from gateway.limits import CONCURRENT, CROWDED, SMALL_BYTES, Excess, Meter, Meters
from gateway.replies import Reply
from gateway.runtime import TENANT, Runtime
from gateway.service import Service
from gateway.views import Views
from observability import log, tracing
from queues import circuits
from queues.database import DatabaseError, DatabaseFull, OutcomeUnknown, Transaction

__all__ = ["OPERATIONS", "SECURITY_HEADERS", "application"]

_LOG = log.get("gateway.api")
# Whatever is served, but for the clock of a sandbox.
OPERATIONS: tuple[Operation, ...] = (
    *dialect.OPERATIONS,
    *batch_eligibility.OPERATIONS,
    *inboxes.OPERATIONS,
    *lanes.OPERATIONS,
    *alarms.OPERATIONS,
    *follow_ups.OPERATIONS,
    *oauth.OPERATIONS,
    *payers.OPERATIONS,
    *sdk.OPERATIONS,
    *sdk_events.OPERATIONS,
    *v1.OPERATIONS,
)
_SCHEMES = ("key ", "bearer ")
_KEY_LENGTH_MAX = 255
# So long a revoked key may still work, in every process (security: at most a second).
_KEY_KNOWN_SECONDS = 1.0
_KEYS_KNOWN_MAX = 1_000
_JSON = "application/json"
_UNFORESEEN = "Something went wrong here. It was logged; nothing that was acknowledged is lost."
_AWAY = "The database does not answer: nothing was taken."
_UNKNOWN = (
    "The database does not answer, and whether this was taken is not known: ask again with the same Idempotency-Key."
)
_BODILESS = frozenset(("GET", "HEAD", "DELETE"))
_ANYTHING = frozenset(("text/plain", "application/octet-stream"))
# What aiohttp undoes. Of the last two it refuses the request itself where it lacks the library.
_ENCODINGS = frozenset(("", "identity", "gzip", "deflate", "br", "zstd"))
_CHARSETS = frozenset(("utf-8", "utf8", "us-ascii"))
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
}


def application(
    runtime: Runtime, service: Service, clock: MoveClock | None = None, certified: Mapping[bytes, str] = {}
) -> web.Application:
    """The API over a running service. `clock` moves the clock where there is a sandbox; `certified` is fingerprint -> key id."""
    app = web.Application(client_max_size=runtime.config.body_bytes_max)
    operations = list(OPERATIONS)
    if clock is not None:
        operations.append(v1.CLOCK)
    api = _Api(runtime, service, clock, certified)
    for operation in operations:
        handler = api.handler(operation)
        for path in operation.paths:
            for method in (operation.method, "HEAD") if operation.method == "GET" else (operation.method,):
                app.router.add_route(method, path, handler, expect_handler=_expected)
                app.router.add_route(method, f"{path}/", handler, expect_handler=_expected)
    for path, methods in _beside_parameters(operations).items():
        for spelled in (path, f"{path}/"):
            app.router.add_route("*", spelled, _only(methods))
    pages = _Pages(runtime, api, operations)
    for path, handler in pages.paths.items():
        app.router.add_get(path, handler)
        app.router.add_get(f"{path}/", handler)
    door = core_door.Door(api.meters, api.bodies, api.core_caller, api.known)
    core_server = core.CoreServer(runtime, service, api.views, door)
    for path in (core.PATH, f"{core.PATH}/"):
        app.router.add_post(path, core_server.handle)
    app.middlewares.append(_everything_else)
    return app


def _beside_parameters(operations: Sequence[Operation]) -> dict[str, frozenset[str]]:
    """Paths that another path with a parameter would match as well, and the methods that they have of their own."""
    methods: dict[str, set[str]] = {}
    for operation in operations:
        for path in operation.paths:
            methods.setdefault(path, set()).update((operation.method, "HEAD")[: 2 if operation.method == "GET" else 1])
    wide = [
        re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))
        for path in methods
        if "{" in path
    ]
    return {
        path: frozenset(own)
        for path, own in methods.items()
        if "{" not in path and any(pattern.fullmatch(path) for pattern in wide)
    }


def _only(methods: frozenset[str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Refuses whatever else comes to a path: it is no value of the parameter of another."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, methods)

    return refuse


async def _expected(request: web.Request) -> None:
    """Bid a caller go on that waits for it; other expectations are ignored (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # So that an error behind it is still an answer of its own.
        request.writer.output_size = 0


@web.middleware
async def _everything_else(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Paths and methods that are none, and whatever the pages beside the operations did not foresee."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _not_served(request, error)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:
        _LOG.error("request failed", method=request.method, exc_info=error)
        response = shape_of(request.path).refuse(500, _UNFORESEEN)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _not_served(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """What aiohttp refuses, in the shape of the path; OPTIONS is answered out of the methods that a path has."""
    methods = error.headers.get("Allow")
    headers = {} if methods is None else {"Allow": f"{methods},OPTIONS"}
    if methods is not None and request.method == "OPTIONS":
        return web.Response(status=204, headers=headers)
    refuse = shape_of(request.path).refuse
    if error.status == 404:
        return refuse(404, "There is no such path.", "All paths are listed at /docs and /openapi.json.")
    if error.status == 405:
        return refuse(405, "This path has no such method.", f"It has {methods}.", headers)
    return refuse(error.status, error.reason, headers=headers)


class _Api:
    """What stands around every operation."""

    def __init__(
        self, runtime: Runtime, service: Service, clock: MoveClock | None, certified: Mapping[bytes, str]
    ) -> None:
        self.runtime = runtime
        self._certified = certified
        self.service = service
        self.clock = clock
        self.views = Views(runtime)
        config = runtime.config
        self.meters = Meters(config.limits, config.limits_of_keys, config.requests_max)
        self.bodies = Bodies(runtime.config.bodies_bytes_max)
        self._known: dict[bytes, tuple[ApiKey, float]] = {}

    def handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        seconds = self.runtime.metrics.request_seconds(operation.id)

        async def handle(request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            traceparent = request.headers.get("traceparent")
            with tracing.span(operation.id, traceparent, SpanKind.SERVER, operation=operation.id) as hop:
                response = await self._answer(operation, request, hop)
                response.headers["traceparent"] = tracing.current()
            self.runtime.metrics.requests(operation.id, str(response.status)).inc()
            seconds.observe(time.perf_counter() - started)
            return response

        return handle

    async def _answer(self, operation: Operation, request: web.Request, hop: Span) -> web.StreamResponse:
        """Run an operation for a caller within its limits; whatever goes wrong is an answer, too."""
        refuse = operation.refusals.refuse
        meter: Meter | None = None
        now = 0.0
        try:
            if operation.scope is None:
                return await self._admitted(operation, request, _NOBODY)
            caller = await self.caller(request)
            if caller is None:
                return refuse(
                    401, "Give a valid key in the Authorization header.", None, {"WWW-Authenticate": "Bearer"}
                )
            if any("\0" in value for value in request.match_info.values()):
                # No id has one, and PostgreSQL takes none in a text.
                return refuse(404, "There is no such object.", "No id has a NUL in it.")
            if any("\0" in value for name in operation.query for value in request.query.getall(name, [])):
                return refuse(400, "A query parameter has a NUL in it.", "Leave it out.")
            meter, now = self.meters.of(caller.key_id), self.runtime.world.monotonic()
            excess = meter.enter(now)
            if excess is not None:
                response: web.StreamResponse = _too_much(operation, meter, excess)
            else:
                try:
                    response = await self._admitted(operation, request, caller)
                finally:
                    meter.leave()
        except ConnectionError:
            raise
        except Exception as error:
            response = self._failed(operation, request, error, hop)
        if meter is not None:
            headers = response.headers
            for name, value in meter.fields(now):
                headers[name] = value
        return response

    def _failed(self, operation: Operation, request: web.Request, error: Exception, hop: Span) -> web.Response:
        """What to answer when an operation raised. Caught here, so that it is counted and can be found by its trace."""
        refuse = operation.refusals.refuse
        match error:
            case Unread():
                wait = error.retry_after_seconds
                headers = None if wait is None else {"Retry-After": str(wait)}
                response = refuse(error.status, error.title, error.detail, headers)
                # What is left of the body would have to be read before the next request.
                response.force_close()
                return response
            case web.HTTPRequestEntityTooLarge():
                return refuse(413, "The body is too large.")
            case DatabaseFull():
                return _full(refuse)
            case DatabaseError():
                _LOG.error("database failed", operation=operation.id, exc_info=error)
                unknown = isinstance(error, OutcomeUnknown)
                return refuse(503, _UNKNOWN if unknown else _AWAY, None, {"Retry-After": "5"})
            case _:
                _LOG.error("request failed", operation=operation.id, method=request.method, exc_info=error)
                hop.set_status(Status(StatusCode.ERROR, type(error).__name__))
                return refuse(500, _UNFORESEEN)

    async def _admitted(self, operation: Operation, request: web.Request, caller: ApiKey) -> web.StreamResponse:
        """What an operation answers to a caller who may ask now."""
        refuse = operation.refusals.refuse
        if operation.scope and operation.scope not in caller.scopes:
            return refuse(403, f"This key lacks the scope {operation.scope}.")
        disk = self.runtime.disk
        if operation.brings_work and disk is not None and disk.short:
            return _full(refuse)
        key = request.headers.get("Idempotency-Key")
        if key is not None and operation.writes and not (0 < len(key) <= _KEY_LENGTH_MAX and _is_plain(key)):
            return refuse(400, f"An Idempotency-Key has 1 to {_KEY_LENGTH_MAX} characters of printable ASCII.")
        if not request.body_exists or request.method in _BODILESS:
            return _told(await operation.handler(Call(self.service, self.views, request, caller, b"", self.clock)))
        at_most = self._body_bytes_max(operation, request)
        if at_most is None:
            wanted = ", ".join((_JSON, *(X12_TYPES[:1] if operation.takes_x12 else ()), *operation.takes_also))
            return refuse(415, "This Content-Type is not taken here.", f"Send one of: {wanted}.")
        if request.headers.get("Content-Encoding", "identity").strip().lower() not in _ENCODINGS:
            # Else it would be read as if it were none (RFC 9110, 15.5.16).
            said = {"Accept-Encoding": "gzip, deflate"}
            return refuse(415, "This Content-Encoding is not taken here.", "Send gzip, deflate or none.", said)
        if operation.scope is None:
            at_most = min(at_most, SMALL_BYTES)
        held = self.bodies.hold(request, caller.key_id)
        try:
            await held.read(at_most)
            return _told(
                await operation.handler(Call(self.service, self.views, request, caller, held.content, self.clock))
            )
        finally:
            held.release()

    def _body_bytes_max(self, operation: Operation, request: web.Request) -> int | None:
        """How long the body may be, by its type; None when its type is not taken.

        A body without a type, or as text or bytes, is taken for what fits: so do hosted clearinghouses, and browsers send text.
        """
        config = self.runtime.config
        json_bytes_max = config.body_bytes_max if operation.large else config.json_bytes_max
        said = request.headers.get("Content-Type")
        if said == _JSON or operation.takes is None:
            return json_bytes_max
        media = request.content_type.lower()
        if operation.takes_x12 and media in X12_TYPES:
            return config.body_bytes_max
        if said is None or media in _ANYTHING or media in operation.takes_also:
            return json_bytes_max
        if is_json(media) and (request.charset or "utf-8").lower() in _CHARSETS:
            return json_bytes_max
        return None

    async def caller(self, request: web.Request) -> ApiKey | None:
        """Whose key a request has; None when there is no valid one."""
        token = request.headers.get("Authorization", "").strip()
        for scheme in _SCHEMES:
            if token.lower().startswith(scheme):
                token = token[len(scheme) :].strip()
        return await self.known(token)

    async def known(self, token: str) -> ApiKey | None:
        """Whose key this is; None when it is none that is valid. A key that was good is so for another second."""
        if not token or not _is_plain(token):
            return None
        runtime = self.runtime
        digest = hashlib.sha256(token.encode()).digest()
        return await self._found(digest, lambda tx: api_keys.resolve(tx, runtime.vault, token, runtime.world.micros()))

    async def core_caller(self, request: web.Request) -> ApiKey | None:
        """The same of a request over CORE, where a certificate stands for a key: only there, since browsers show one unasked."""
        shown = fingerprint_of(request) if self._certified and "Authorization" not in request.headers else None
        key_id = self._certified.get(shown) if shown is not None else None
        if shown is None or key_id is None:
            return await self.caller(request)
        now = self.runtime.world.micros()
        return await self._found(b"certificate " + shown, lambda tx: api_keys.of_id(tx, TENANT, key_id, now))

    async def _found(
        self, digest: bytes, find: Callable[[Transaction], Coroutine[Any, Any, ApiKey | None]]
    ) -> ApiKey | None:
        """A caller as found, or as known since less than a second."""
        now = self.runtime.world.monotonic()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        found = await self.runtime.database.read(find)
        if len(self._known) >= _KEYS_KNOWN_MAX:
            self._known.clear()
        if found is not None:
            self._known[digest] = (found, now + _KEY_KNOWN_SECONDS)
        else:
            self._known.pop(digest, None)
        return found


def _full(refuse: Refuse) -> web.Response:
    """There is no room on the disk, or it takes no writes."""
    return refuse(503, "Nothing can be stored now: nothing was taken.", None, {"Retry-After": "30"})


_NOBODY = ApiKey("", "", "", frozenset(), 0, None, None)


def _is_plain(text: str) -> bool:
    """Printable ASCII, as header fields should be: aiohttp hands on bytes that are none as surrogates."""
    return text.isascii() and text.isprintable()


def _told(reply: Reply | web.StreamResponse) -> web.StreamResponse:
    """A reply as HTTP."""
    if not isinstance(reply, Reply):
        return reply
    response = web.Response(status=reply.status, body=reply.body, content_type=_JSON, headers=dict(reply.headers))
    if reply.transaction_id:
        response.headers["X-Transaction-Id"] = reply.transaction_id
    return response


def _too_much(operation: Operation, meter: Meter, excess: Excess) -> web.Response:
    """429, with the name of the limit and what it is; 503 where all callers together are too many."""
    limits = meter.limits
    wait = {"Retry-After": str(excess.retry_after_seconds)}
    if excess.limit == CROWDED:
        return operation.refusals.refuse(503, TOO_MUCH, "Ask again later.", wait)
    if excess.limit == CONCURRENT:
        detail = f"It may have {limits.concurrent} requests under way."
    else:
        detail = f"It may ask {limits.requests_per_second:g} times a second, {limits.burst} times at once."
    return operation.refusals.refuse(
        429,
        f"This key has hit its limit {excess.limit!r}.",
        detail,
        wait,
        limits=(excess.limit,),
    )


class _Pages:
    """What is no operation: health, metrics, and the description of the API."""

    def __init__(self, runtime: Runtime, api: _Api, operations: Sequence[Operation]) -> None:
        self.runtime = runtime
        self.api = api
        self.operations = operations
        self._making = asyncio.Lock()
        self._made: tuple[bytes, Documentation] | None = None

    @property
    def paths(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        """Where each of the pages is."""
        return {
            "/healthz": self.health,
            "/readyz": self.ready,
            "/metrics": self.metrics,
            "/openapi.json": self.openapi,
            "/docs": self.docs,
            "/docs/style.css": self.style,
            "/docs/objects/{name}": self.one_object,
        }

    async def documentation(self) -> tuple[bytes, Documentation]:
        """The OpenAPI document and the pages about it, made when somebody first asks, and beside the loop: it takes seconds."""
        async with self._making:
            if self._made is None:
                self._made = await self.runtime.world.offload(self._make)
            return self._made

    def _make(self) -> tuple[bytes, Documentation]:
        described = document(self.operations, version("claimwire"))
        return msgspec.json.encode(described), Documentation(described)

    async def health(self, _: web.Request) -> web.Response:
        """The process answers."""
        return web.Response(body=b'{"status":"ok"}', content_type=_JSON)

    async def ready(self, _: web.Request) -> web.Response:
        """The database takes writes and the service is not leaving."""
        if self.runtime.leaving.is_set():
            return problem(503, "The service is leaving.")
        if self.runtime.disk is not None and self.runtime.disk.short:
            return problem(503, "The disk has no room for new work.")

        async def something(tx: Transaction) -> None:
            # A page must change: what changes none is not written, and goes well on a full disk, too.
            await tx.execute("INSERT INTO tenants (tenant_id, name, created_at) VALUES ($1, $1, 0)", "")
            await tx.execute("DELETE FROM tenants WHERE tenant_id = $1", "")

        try:
            await self.runtime.database.write(something)
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
        if self.runtime.disk is not None:
            metrics.disk_free_bytes.set(self.runtime.disk.room.free)
        metrics.transactions.clear()
        for kind, state, count in await transactions.counts(tx):
            metrics.transactions.labels(kind, state).set(count)
        metrics.work_waiting.clear()
        rows = await tx.fetch("SELECT kind, buried_at IS NULL, count(*), min(run_at) FROM work GROUP BY 1, 2")
        for kind, waiting, count, _ in rows:
            metrics.work_waiting.labels(kind, "waiting" if waiting else "buried").set(count)
        oldest = min((r[3] for r in rows if r[1]), default=now)
        metrics.work_oldest_seconds.set(max(0, (now - oldest) / 1_000_000))
        metrics.lanes_shut.clear()
        for standing in await circuits.unwell(tx, TENANT):
            if (state := standing.state(now)) != "closed":
                metrics.lanes_shut.labels(standing.lane, state).set(1)

    async def openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=(await self.documentation())[0], content_type=_JSON)

    async def docs(self, request: web.Request) -> web.Response:
        """All operations, or with `?q=` what its words are found in."""
        pages = (await self.documentation())[1]
        asked = request.query.get("q", "").strip()
        made = await self.runtime.world.offload(lambda: pages.found(asked) if asked else pages.overview())
        return _html(made)

    async def one_object(self, request: web.Request) -> web.Response:
        made = (await self.documentation())[1].one(request.match_info["name"])
        return problem(404, "There is no such object.") if made is None else _html(made)

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(text=(await self.documentation())[1].style, content_type="text/css")


def _html(text: str) -> web.Response:
    # Lone surrogates of a search are shown as question marks.
    return web.Response(body=text.encode("utf-8", "replace"), content_type="text/html", charset="utf-8")


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False

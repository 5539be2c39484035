"""Who comes over CORE, and how much of the message is read for them.

CORE's credentials are in the message, which may have a hundred megabytes. So little is read for somebody who is not known by the
Authorization header: what is larger must show a key of ours in its first bytes. The key is only believed when all was read and parsed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from aiohttp import web

from adapters.transports.core import server
from adapters.transports.core.server import Request, Response
from gateway.api.bodies import TOO_MUCH, Bodies, Held, Unread
from gateway.ledger.api_keys import ApiKey
from gateway.limits import CROWDED, NOBODY, SMALL_BYTES, Excess, Meter, Meters
from gateway.world import World

__all__ = ["Door", "Entered"]


class Entered(NamedTuple):
    """A message of a caller who is known and within the limits."""

    request: Request
    caller: ApiKey


class Door:
    """Lets callers in. `by_header` tells whose a request is by its Authorization header, `known` whose a password is."""

    def __init__(
        self,
        meters: Meters,
        bodies: Bodies,
        by_header: Callable[[web.Request], Awaitable[ApiKey | None]],
        known: Callable[[str], Awaitable[ApiKey | None]],
    ) -> None:
        self._meters, self._bodies, self._by_header, self._known = meters, bodies, by_header, known

    @asynccontextmanager
    async def entered(
        self, request: web.Request, world: World, at_most: int
    ) -> AsyncGenerator[tuple[Entered | Response, bool], None]:
        """A message that was let in, or what to answer to it; and whether all of it was read. Its caller's room is held meanwhile."""
        caller = await self._of_header(request)
        held = self._bodies.hold(request, NOBODY if caller is None else caller.key_id)
        meters: list[Meter] = []
        content_type = request.headers.get("Content-Type", "")
        try:
            try:
                came = await self._come(content_type, held, caller, world, at_most, meters)
            except Unread as error:
                came = server.unread(content_type, held.content[:SMALL_BYTES], error.status, f"{error} {error.detail}")
                if error.retry_after_seconds is not None:
                    came = _later(came, error.retry_after_seconds)
            # What was read of it is in the request now.
            held.content = b""
            yield came, held.is_whole
        finally:
            for meter in meters:
                meter.leave()
            held.release()

    async def _of_header(self, request: web.Request) -> ApiKey | None:
        """Whose key the Authorization header has: alone, as in the API, or as the password of a user."""
        scheme, _, said = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "basic":
            return await self._by_header(request)
        try:
            _, _, password = base64.b64decode(said.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return None
        return await self._known(password)

    async def _come(
        self, content_type: str, held: Held, caller: ApiKey | None, world: World, at_most: int, meters: list[Meter]
    ) -> Entered | Response:
        is_of_header = caller is not None
        request: Request | None = None
        if caller is None:
            await held.begin(SMALL_BYTES)
            if held.is_whole:
                read = await _parsed(content_type, held.content, world)
                if isinstance(read, Response):
                    return read
                request, caller = read, await self._known(read.password)
                if caller is None:
                    return server.unauthorized(read, world.now())
            else:
                for password in server.passwords_in(content_type, held.content):
                    caller = caller or await self._known(password)
                if caller is None:
                    return server.stranger(content_type, held.content, SMALL_BYTES, world.now())
        meter = self._meters.of(caller.key_id)
        excess = meter.enter(world.monotonic())
        if excess is not None:
            return _excessive(excess, request, content_type, held.content, world)
        meters.append(meter)
        if request is not None:
            return Entered(request, caller)
        if not is_of_header:
            held.belongs_to(caller.key_id)
        await held.read(at_most)
        read = await _parsed(content_type, held.content, world)
        if isinstance(read, Response):
            return read
        if not is_of_header:
            # What a parser finds may be somebody else's than what a look at the first bytes found.
            told = await self._known(read.password)
            if told is None or told.key_id != caller.key_id:
                return server.unauthorized(read, world.now())
        return Entered(read, caller)


async def _parsed(content_type: str, body: bytes, world: World) -> Request | Response:
    return await world.offload(lambda: server.read_request(content_type, body, world.now()))


def _excessive(excess: Excess, request: Request | None, content_type: str, head: bytes, world: World) -> Response:
    crowded = excess.limit == CROWDED
    said = TOO_MUCH if crowded else f"This key has hit its limit {excess.limit!r}."
    status = 503 if crowded else 429
    if request is None:
        refused = server.unread(content_type, head, status, said)
    else:
        refused = server.failed(request, said, world.now(), status)
    return _later(refused, excess.retry_after_seconds)


def _later(response: Response, seconds: int) -> Response:
    return msgspec.structs.replace(response, headers={**response.headers, "Retry-After": str(seconds)})

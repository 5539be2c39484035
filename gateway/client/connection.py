"""One gateway and who is calling it: requests, sent again where that is safe, and their answers as structs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from gateway.client.errors import ServiceFailed, Unreachable, failure_of, read_as
from gateway.world import SystemWorld, World

__all__ = ["Answered", "Connection", "Credentials", "Headers", "Json", "Query", "at", "must"]

A = TypeVar("A", bound=msgspec.Struct)
Json = Mapping[str, Any]
# Parameters of a query, by name: several values are sent one by one, and what is None is left out.
Query = Mapping[str, str | int | Sequence[str] | None]
Headers = Mapping[str, str | None]
_X12 = "application/edi-x12"
_AGAIN = frozenset((429, 503))
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.25, 30.0
# A token is fetched anew so long before its end.
_TOKEN_MARGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Credentials:
    """An OAuth2 client (RFC 6749, 4.4): its id and secret, and the path that gives tokens for them."""

    client_id: str
    client_secret: str = field(repr=False)
    token_path: str = "/apip/auth/v2/token"  # noqa: S105 - a path


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600


@dataclass(frozen=True)
class Answered:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Connection:
    """Sends the requests of a `Client`, which says what its arguments are."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        credentials: Credentials | None = None,
        session: aiohttp.ClientSession | None = None,
        tries: int = 5,
        timeout_seconds: float = 60.0,
        world: World | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._credentials = credentials
        self._session = session
        self._owned = session is None
        self._tries = max(1, tries)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._world = world or SystemWorld()
        self._token: tuple[str, float] = ("", 0.0)
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are this client's own."""
        if self._owned and self._session is not None:
            await self._session.close()
            self._session = None

    # --- requests ----------------------------------------------------------------------------------------------------------

    async def _get(self, kind: type[A], path: str, query: Query | None = None) -> A:
        """What a GET answers."""
        return must(await self._send("GET", path, query=query), kind)

    async def _write(
        self, kind: type[A], path: str, body: object, key: str | None, headers: Headers | None = None
    ) -> A:
        """What a write answers that is done once, however often it is sent."""
        return must(await self._send("POST", path, body, key=key, headers=headers, writes=True), kind)

    async def _send(
        self,
        method: Literal["DELETE", "GET", "POST"],
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        query: Query | None = None,
        headers: Headers | None = None,
        writes: bool = False,
    ) -> Answered:
        """Send one request, again where that is safe, until there is an answer that says yes."""
        sent = {n: v for n, v in (headers or {}).items() if v is not None}
        content: bytes | None = None
        if isinstance(body, (str, bytes)):
            content = body.encode() if isinstance(body, str) else body
            sent["Content-Type"] = _X12
        elif body is not None:
            content = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        if writes:
            sent["Idempotency-Key"] = key = key or self._world.new_id()
        params = [(n, v) for n, values in (query or {}).items() for v in _each(values)]
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                sent.update(await self._authorization())
                answer = await self._once(method, path, content, params, sent)
            except (aiohttp.ClientError, TimeoutError) as error:
                if last:
                    raise Unreachable(type(error).__name__, key) from error
                await self._pause(attempt, None)
                continue
            if answer.status < 400:
                return answer
            failure = failure_of(answer.status, answer.headers, answer.body)
            # A key under way tells when to ask again; another conflict does not.
            waits = answer.status in _AGAIN or (answer.status == 409 and failure.retry_after_seconds is not None)
            if last or not waits:
                raise failure
            await self._pause(attempt, failure.retry_after_seconds)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(
        self, method: str, path: str, content: bytes | None, params: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> Answered:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.request(
            method, self._url + path, data=content, params=params, headers=headers, timeout=self._timeout
        ) as response:
            return Answered(response.status, response.headers, await response.read())

    async def _pause(self, attempt: int, retry_after_seconds: float | None) -> None:
        """As long as was asked for, else longer each time, with some chance in it so that callers do not come back together."""
        pause = retry_after_seconds
        if pause is None:
            pause = min(_PAUSE_SECONDS * 2 ** (attempt - 1), _PAUSE_SECONDS_MAX) * (0.5 + self._world.random())
        await self._world.sleep(min(pause, _PAUSE_SECONDS_MAX))

    async def _authorization(self) -> dict[str, str]:
        if self._credentials is None:
            return {} if self._key is None else {"Authorization": self._key}
        async with self._fetching:
            if self._world.monotonic() >= self._token[1]:
                self._token = await self._fetched(self._credentials)
        return {"Authorization": f"Bearer {self._token[0]}"}

    async def _fetched(self, credentials: Credentials) -> tuple[str, float]:
        """A new token, and until when it is used."""
        asked = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        headers = {"Content-Type": "application/json"}
        answer = await self._once("POST", credentials.token_path, msgspec.json.encode(asked), [], headers)
        if answer.status >= 400:
            raise failure_of(answer.status, answer.headers, answer.body)
        token = must(answer, _Token)
        return token.access_token, self._world.monotonic() + max(0.0, token.expires_in - _TOKEN_MARGIN_SECONDS)


def at(template: str, *values: str) -> str:
    """A path with values in its places, each of them one step whatever is in it."""
    return template.format(*(quote(value, safe="") for value in values))


def must(answer: Answered, kind: type[A]) -> A:
    """The answer as a struct; ServiceFailed when it is none, such as a page of a proxy."""
    made = read_as(answer.body, kind)
    if made is None:
        raise ServiceFailed(answer.status, f"the answer is no {kind.__name__}", body=answer.body)
    return made


def _each(values: str | int | Sequence[str] | None) -> list[str]:
    if values is None:
        return []
    return [str(values)] if isinstance(values, (str, int)) else list(values)

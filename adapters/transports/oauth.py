"""Credentials of an HTTP exchange: a bearer token as configured, or one fetched by OAuth 2.0 client credentials.

A fetched token serves all exchanges of its route until shortly before it expires; requests that need one at the same time
wait for one fetch. Tokens are kept beside the session and go with it, so that an adapter stays without state.

Sources: RFC 6749 (sections 2.3.1, 4.4, 5), RFC 6750 (bearer tokens).
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

import aiohttp
import msgspec

from adapters.protocol import Context
from adapters.transports.session import read_answer
from adapters.transports.trouble import ExchangeFailed

__all__ = ["Bearer", "ClientCredentials", "Credentials", "credentials_of"]

_TOKEN_BYTES_MAX = 64 << 10
# A token that says nothing of its end is used this long (RFC 6749 leaves it to the client).
_SECONDS_DEFAULT = 300.0
# So long before its end a token is not begun with any more: a request must arrive while it is good.
_MARGIN_SECONDS = 30.0


class _Token(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: float | None = None


class _Kept(msgspec.Struct):
    lock: asyncio.Lock
    value: str = ""
    until: datetime | None = None


_TOKENS: WeakKeyDictionary[aiohttp.ClientSession, dict[tuple[str, ...], _Kept]] = WeakKeyDictionary()


class Bearer:
    """A token as it was configured; none sends no header."""

    renewable = False

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self, context: Context) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def forget(self, context: Context) -> bool:
        """Whether another token can be had: a configured one stays what it is."""
        return False

    def __repr__(self) -> str:
        return "<Bearer>"


class ClientCredentials:
    """A token fetched with a client id and a client secret, and kept while it is good."""

    renewable = True

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        scope: str = "",
        told_in: Literal["header", "body"] = "header",
    ) -> None:
        self._url, self._id, self._secret, self._scope, self._told_in = url, client_id, client_secret, scope, told_in
        self._given = ""

    def __repr__(self) -> str:
        return "<ClientCredentials>"

    async def headers(self, context: Context) -> dict[str, str]:
        """The Authorization header; ExchangeFailed when no token can be had."""
        kept = self._kept(context)
        async with kept.lock:
            if not kept.value or (kept.until is not None and kept.until <= context.now()):
                token = await self._fetched(context)
                seconds = _SECONDS_DEFAULT if token.expires_in is None else token.expires_in
                # Half of a short life: a margin longer than the token would fetch one for every request.
                good = max(seconds - _MARGIN_SECONDS, seconds / 2)
                kept.value = token.access_token
                kept.until = context.now() + timedelta(seconds=min(max(good, 0.0), 86_400.0))
            self._given = kept.value
            return {"Authorization": f"Bearer {kept.value}"}

    def forget(self, context: Context) -> bool:
        """Drop the token that was given last, which the peer did not take; whether another one can be had."""
        kept = self._kept(context)
        # Somebody else may have fetched another meanwhile: fetching one more may end that one, with some peers.
        if kept.value == self._given:
            kept.value = ""
        return True

    def _kept(self, context: Context) -> _Kept:
        of_session = _TOKENS.setdefault(context.session, {})
        return of_session.setdefault((self._url, self._id, self._secret, self._scope), _Kept(asyncio.Lock()))

    async def _fetched(self, context: Context) -> _Token:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        headers = {"Accept": "application/json"}
        if self._told_in == "header":
            pair = f"{quote_plus(self._id)}:{quote_plus(self._secret)}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        else:
            form |= {"client_id": self._id, "client_secret": self._secret}
        try:
            async with context.session.post(
                self._url, data=form, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=None)
            ) as response:
                if response.status != 200:
                    raise ExchangeFailed(f"no token: HTTP {response.status}")
                return _token(await read_answer(response, _TOKEN_BYTES_MAX))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The client's own errors carry the request, and so the secret.
            raise ExchangeFailed(f"no token: {type(error).__name__}") from None


Credentials = Bearer | ClientCredentials


def _token(body: bytes) -> _Token:
    token = msgspec.json.decode(body, type=_Token)
    if token.token_type.lower() != "bearer" or not token.access_token.isprintable() or not token.access_token:
        raise ExchangeFailed("no token: the answer has none that can be used")
    return token


def credentials_of(settings: Any, secrets: Any) -> Credentials:
    """The credentials of a route whose settings have `token_url` and `scope`, its secrets the rest."""
    if settings.token_url is None:
        return Bearer(secrets.token)
    return ClientCredentials(
        settings.token_url, secrets.client_id, secrets.client_secret, settings.scope, settings.credentials_in
    )

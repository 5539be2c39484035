"""Where a route to an upstream leads, as whom, and one exchange there that delivers nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from adapters import settings
from adapters.protocol import Context
from adapters.settings import HttpUrl, SettingsError
from adapters.transports import http
from adapters.transports.http import ExchangeFailed, UnexpectedStatus
from adapters.transports.oauth import ClientCredentials
from adapters.transports.session import read_answer

__all__ = ["DialectSecrets", "DialectSettings", "Way", "exchange", "expect", "usable_way", "way_of", "whole"]

T = TypeVar("T")


class DialectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route to an upstream is told."""

    url: Annotated[HttpUrl, msgspec.Meta(description="the upstream's address, up to what stands before `/medicalnetwork`")]  # fmt: skip
    reports: Annotated[
        Literal["mailbox", "polling"],
        msgspec.Meta(description="where 277CA and 835 come from: `mailbox`, or `polling` where the upstream has none"),
    ] = "mailbox"
    polling_url: Annotated[HttpUrl, msgspec.Meta(description="an address on the host that answers polling; by itself that of `url`")] | None = None  # fmt: skip
    look_back_hours: Annotated[float, msgspec.Meta(gt=0, le=8_784, description="how far back polling looks each time")] = 72.0  # fmt: skip
    documents_host: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-z.:-]*$", description="the host that polling's documents may be on, where the upstream gives them out by another; asked without the key, over HTTPS")] = ""  # fmt: skip
    token_url: Annotated[HttpUrl, msgspec.Meta(description="where OAuth tokens come from; without it `key` is used")] | None = None  # fmt: skip
    scope: Annotated[str, msgspec.Meta(description="the scope that OAuth tokens are asked for")] = ""
    credentials_in: Annotated[
        Literal["header", "body"],
        msgspec.Meta(description="where a request for a token has the client's id and secret"),
    ] = "body"


class DialectSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route to an upstream must keep."""

    key: Annotated[str, msgspec.Meta(description="the key, sent as `Authorization` as it stands here: with `Key ` or `Bearer ` before it where the upstream wants that")] = ""  # fmt: skip
    client_id: Annotated[str, msgspec.Meta(description="the client's id, for OAuth")] = ""
    client_secret: Annotated[str, msgspec.Meta(description="the client's secret, for OAuth")] = ""

    def __post_init__(self) -> None:
        if bool(self.client_id) != bool(self.client_secret):
            raise ValueError("client_id and client_secret: give both or neither")

    def __repr__(self) -> str:
        return "<DialectSecrets>"


class Way(NamedTuple):
    """Where a route leads, and as whom."""

    told: DialectSettings
    headers: Mapping[str, str]
    credentials: ClientCredentials | None

    def to(self, *path: str) -> str:
        """An address under the route's own; what is put together is quoted."""
        return _joined(self.told.url, *path)

    def beside(self, *path: str) -> str:
        """An address where dental claims are: they are younger than the last prefix of the other paths."""
        return _joined(self.told.url.rstrip("/").removesuffix("/change"), *path)

    def polling(self, path: str) -> str:
        """An address of polling's, by its path from the root."""
        parts = urlsplit(self.told.polling_url or self.told.url)
        return f"{parts.scheme}://{parts.netloc}{path}"


def _joined(base: str, path: str, *more: str) -> str:
    return "/".join((base.rstrip("/") + path, *(quote(part, safe="") for part in more)))


def way_of(context: Context) -> Way:
    """The way of a route; SettingsError where it cannot be used as it is configured."""
    told, secrets = settings.read(DialectSettings, context.settings), settings.read(DialectSecrets, context.secrets)
    if told.token_url is None:
        return Way(told, {"Authorization": secrets.key} if secrets.key else {}, None)
    credentials = ClientCredentials(
        told.token_url, secrets.client_id, secrets.client_secret, told.scope, told.credentials_in
    )
    return Way(told, {}, credentials)


def usable_way(context: Context) -> Way:
    """The way of a route, for what delivers nothing: ExchangeFailed where it cannot be used as it is configured."""
    try:
        return way_of(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None


async def exchange(
    context: Context, method: str, to: Callable[[Way], str], of: Callable[[aiohttp.ClientResponse], Awaitable[T]]
) -> T:
    """One request as the route's account, and what `of` reads of its answer; ExchangeFailed, whatever goes wrong."""
    way = usable_way(context)
    return await http.exchange(
        context, method, "reports", to(way), of, credentials=way.credentials, headers=way.headers
    )


async def whole(response: aiohttp.ClientResponse) -> bytes:
    """The body of a 200."""
    expect(response, 200)
    return await read_answer(response)


def expect(response: aiohttp.ClientResponse, *allowed: int) -> None:
    """UnexpectedStatus where an answer is none of these."""
    if response.status not in allowed:
        raise UnexpectedStatus(f"HTTP {response.status} to {response.method}")

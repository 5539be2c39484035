"""Another clearinghouse, or another Claimwire, as a payer's route: raw X12 in the JSON of the dialect, reports out of its mailbox.

The exchange is described in `adapters/dialect/README.md`; what its answers mean, in `answers`. Errors of collecting and settling are
`adapters.transports.http`'s ExchangeFailed and what is below it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from adapters import settings
from adapters.protocol import Capabilities, Context, Evidence, Inbound, Manifest, NotSent, Outbound, Outcome
from adapters.settings import HttpUrl, SettingsError
from adapters.transports import http
from adapters.transports.dialect.answers import outcome
from adapters.transports.dialect.passed_on import without_acknowledgements
from adapters.transports.guide import guide_of
from adapters.transports.http import Answer, AnswerCut, AnswerTooLarge, ExchangeFailed, UnexpectedStatus
from adapters.transports.oauth import ClientCredentials
from adapters.transports.session import read_answer
from adapters.transports.whole import is_whole

__all__ = ["Dialect", "DialectSecrets", "DialectSettings"]

T = TypeVar("T")

_NETWORK = "/medicalnetwork"
_REPORTS = f"{_NETWORK}/reports/v2"
_QUESTIONS = {"270": f"{_NETWORK}/eligibility/v3/raw-x12", "276": f"{_NETWORK}/claimstatus/v2/raw-x12"}
_PROFESSIONAL, _INSTITUTIONAL, _DENTAL = "005010X222", "005010X223", "005010X224"
# GS08 begins -> where its claims go.
_CLAIMS = {
    _PROFESSIONAL: f"{_NETWORK}/professionalclaims/v3/raw-x12-submission",
    _INSTITUTIONAL: f"{_NETWORK}/institutionalclaims/v1/raw-x12-submission",
    _DENTAL: "/dental-claims/raw-x12-submission",
}
# How the names of reports begin that are X12: 277CA and 835.
_READABLE = ("X3", "R5")


class DialectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route to an upstream is told."""

    url: Annotated[HttpUrl, msgspec.Meta(description="the upstream's address, up to what stands before `/medicalnetwork`")]  # fmt: skip
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


class _Listing(msgspec.Struct):
    reports: list[str]


class _Enclosed(msgspec.Struct):
    """A report as some upstreams give it: X12 in JSON."""

    report_content: str


class _Way(NamedTuple):
    """Where a route leads, and as whom."""

    url: str
    headers: Mapping[str, str]
    credentials: ClientCredentials | None

    def to(self, path: str) -> str:
        base = self.url.rstrip("/")
        # Dental claims are younger than the prefix that the other paths have.
        return (base.removesuffix("/change") if path == _CLAIMS[_DENTAL] else base) + path


def _way(context: Context) -> _Way:
    told, secrets = settings.read(DialectSettings, context.settings), settings.read(DialectSecrets, context.secrets)
    if told.token_url is None:
        return _Way(told.url, {"Authorization": secrets.key} if secrets.key else {}, None)
    credentials = ClientCredentials(
        told.token_url, secrets.client_id, secrets.client_secret, told.scope, told.credentials_in
    )
    return _Way(told.url, {}, credentials)


class Dialect:
    """The adapter over this transport."""

    name = "dialect"
    capabilities = Capabilities(real_time=frozenset(("270", "276")), batch=frozenset(("837",)), collects=True)
    manifest = Manifest(
        summary="raw X12 in a clearinghouse's JSON",
        owner="claimwire",
        settings=DialectSettings,
        secrets=DialectSecrets,
        skips={
            "probes": "no path of the dialect asks after a submission: the same request under its key is the question",
        },
    )

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        path = _QUESTIONS.get(outbound.set_id) or _CLAIMS.get(guide_of(outbound.payload)[:10])
        if path is None:
            return NotSent("the dialect has no path for this guide", about="interchange")
        try:
            body = msgspec.json.encode({"x12": outbound.payload.decode()})
        except UnicodeDecodeError:
            return NotSent("JSON cannot carry these bytes unchanged", about="interchange")
        try:
            way = _way(context)
        except SettingsError as error:
            return NotSent(str(error))
        headers = {**way.headers, "Content-Type": "application/json", "Idempotency-Key": outbound.idempotency_key}
        answer = await http.post(context, way.to(path), body, headers, credentials=way.credentials)
        return outcome(answer, outbound, context) if isinstance(answer, Answer) else answer

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        seen: set[str] = set()
        failure: ExchangeFailed | None = None
        # A long mailbox shows its newest names only: what is behind them comes when those were settled.
        while names := [name for name in await _names(context) if name not in seen]:
            for name in names:
                seen.add(name)
                # One report that cannot be fetched does not keep the others there; the caller hears of it at the end.
                try:
                    payload = await _exchange(context, "GET", name, _report)
                except (AnswerCut, AnswerTooLarge, UnexpectedStatus) as error:
                    failure = failure or error
                    continue
                yield Inbound(name, name, payload)
        if failure is not None:
            raise failure

    async def settle(self, inbound: Inbound, context: Context) -> None:
        await _exchange(context, "DELETE", inbound.reference, _settled)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return "unknown"


async def _names(context: Context) -> list[str]:
    """Names of the reports that lie there, the oldest first."""
    listing = await _exchange(context, "GET", "", _whole)
    try:
        names = msgspec.json.decode(listing, type=_Listing).reports
    except ValueError:
        raise ExchangeFailed("the list of reports cannot be read") from None
    return [name for name in reversed(names) if name.startswith(_READABLE)]


async def _exchange(
    context: Context, method: str, name: str, of: Callable[[aiohttp.ClientResponse], Awaitable[T]]
) -> T:
    """One request to the mailbox, or about one report in it."""
    try:
        way = _way(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None
    url = way.to(f"{_REPORTS}/{quote(name, safe='')}" if name else _REPORTS)
    return await http.exchange(context, method, "reports", url, of, credentials=way.credentials, headers=way.headers)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    _expect(response, 200)
    return await read_answer(response)


async def _report(response: aiohttp.ClientResponse) -> bytes:
    """A report as the payer sent it, without what is about the upstream's own interchanges."""
    content = await _whole(response)
    told = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if content.lstrip()[:1] == b"{":
        with suppress(ValueError):
            content = msgspec.json.decode(content, type=_Enclosed).report_content.encode("latin-1")
    if content.lstrip()[:3] != b"ISA":
        # A page of somebody on the way: taken for the report, it would be settled, and the report be gone.
        raise UnexpectedStatus("a report that is no X12")
    # Ended by the end of the connection: only the interchange itself can say whether all of it came (RFC 9112, 6.3).
    if not told and not is_whole(content):
        raise AnswerCut("no IEA", content)
    mine = without_acknowledgements(content)
    if not mine:
        raise UnexpectedStatus("a report that only acknowledges what the upstream sent")
    return mine


async def _settled(response: aiohttp.ClientResponse) -> None:
    _expect(response, 200, 204, 404)


def _expect(response: aiohttp.ClientResponse, *allowed: int) -> None:
    if response.status not in allowed:
        raise UnexpectedStatus(f"HTTP {response.status} to {response.method}")

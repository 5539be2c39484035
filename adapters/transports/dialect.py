"""The dialect itself as a way to payers: a hosted clearinghouse, or another Claimwire, takes the same bytes on its raw X12 paths.

Questions and claims go as X12 in JSON, so that what was frozen leaves unchanged; answers and acknowledgements come back in the answer's `x12`. Reports lie
in the mailbox of older clients. The exchange is described in `adapters/dialect/README.md`; errors are those of `adapters.transports.rest`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Final, Literal, TypeVar

import aiohttp
import msgspec

from adapters import settings
from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    Manifest,
    NotSent,
    Outbound,
    Outcome,
    Replied,
)
from adapters.settings import SettingsError
from adapters.transports import http
from adapters.transports.http import Answer, ExchangeFailed
from adapters.transports.oauth import Key, credentials_of
from adapters.transports.rest import RestSecrets, RestSettings, Way, collected, file_of, settled, whole_of
from adapters.transports.whole import is_whole

__all__ = ["DialectSettings", "DialectX12"]

T = TypeVar("T")

_NETWORK: Final = ("2024-04-01", "change", "medicalnetwork")
_QUESTIONS: Final = {
    "270": (*_NETWORK, "eligibility", "v3", "raw-x12"),
    "276": (*_NETWORK, "claimstatus", "v2", "raw-x12"),
}
# By the guide of the claims (GS08), whatever its addenda.
_CLAIMS: Final = {
    b"005010X222": (*_NETWORK, "professionalclaims", "v3", "raw-x12-submission"),
    b"005010X223": (*_NETWORK, "institutionalclaims", "v1", "raw-x12-submission"),
    b"005010X224": ("2024-04-01", "dental-claims", "raw-x12-submission"),
}
_REPORTS: Final = (*_NETWORK, "reports", "v2")
# A 200 takes, a 400 refuses: either may say so in X12.
_SPOKEN = frozenset((200, 400))


class DialectSettings(RestSettings, frozen=True, forbid_unknown_fields=True):
    """What a route over this transport is told."""

    authorization: Annotated[
        Literal["bearer", "key"],
        msgspec.Meta(description="how the header has `token`: as a bearer token, or as a key by itself"),
    ] = "bearer"


class _Reference(msgspec.Struct, rename="camel"):
    correlation_id: str = ""


class _Spoken(msgspec.Struct, rename="camel"):
    """What of an answer is looked at. A claim that is taken has a reference, a file of claims has several."""

    x12: str = ""
    x12_claim_acknowledgement: str = ""
    claim_reference: _Reference | None = None
    claim_references: list[_Reference] = []


class _Mailbox(msgspec.Struct):
    reports: list[str]


def _way(context: Context) -> Way:
    told, secrets = settings.read(DialectSettings, context.settings), settings.read(RestSecrets, context.secrets)
    by_key = told.authorization == "key" and not told.token_url
    return Way(told.url, Key(secrets.token) if by_key else credentials_of(told, secrets))


class DialectX12:
    """The adapter over this transport."""

    capabilities = Capabilities(real_time=frozenset(("270", "276")), batch=frozenset(("837",)), collects=True)

    def __init__(self, name: str, summary: str) -> None:
        self.name = name
        self.manifest = Manifest(
            summary=summary,
            owner="claimwire",
            settings=DialectSettings,
            secrets=RestSecrets,
            skips={"probes": "the dialect has no question for what became of a key: the same key is sent again"},
        )

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            way = _way(context)
            body = msgspec.json.encode({"x12": outbound.payload.decode("utf-8")})
        except SettingsError as error:
            return NotSent(str(error))
        except UnicodeDecodeError:
            return NotSent("the interchange is not UTF-8, which JSON must be", about="interchange")
        path = _QUESTIONS.get(outbound.set_id) or _CLAIMS.get(_guide(outbound.payload))
        if path is None:
            return NotSent("the dialect has no path for this guide", about="interchange")
        headers = {"Content-Type": "application/json", "Idempotency-Key": outbound.idempotency_key}
        answer = await http.post(context, way.to(*path), body, headers, credentials=way.credentials)
        return _outcome(answer, outbound, context) if isinstance(answer, Answer) else answer

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        listing = await _exchange(context, "GET", of=whole_of)
        try:
            mailbox = msgspec.json.decode(listing, type=_Mailbox)
        except ValueError:
            raise ExchangeFailed("the list of the mailbox cannot be read") from None
        # It has the newest first.
        listed = [(name, name) for name in reversed(mailbox.reports)]
        async for inbound in collected(listed, lambda name: _exchange(context, "GET", name, of=file_of)):
            yield inbound

    async def settle(self, inbound: Inbound, context: Context) -> None:
        await _exchange(context, "DELETE", inbound.reference, of=settled)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return "unknown"


async def _exchange(
    context: Context, method: str, *name: str, of: Callable[[aiohttp.ClientResponse], Awaitable[T]]
) -> T:
    try:
        way = _way(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None
    return await http.exchange(context, method, "reports", way.to(*_REPORTS, *name), of, credentials=way.credentials)


def _guide(payload: bytes) -> bytes:
    """The guide of the first group, without its addenda: GS08 of an interchange of ours."""
    group = payload[106:].lstrip().split(payload[105:106], 1)[0].split(payload[3:4])
    return group[8][:10] if len(group) > 8 else b""


def _outcome(answer: Answer, outbound: Outbound, context: Context) -> Outcome:
    if answer.status not in _SPOKEN:
        return http.verdict(answer, context)
    try:
        spoken = msgspec.json.decode(answer.body, type=_Spoken)
    except ValueError:
        return (
            InDoubt("the answer cannot be read", answer.body) if answer.status == 200 else http.verdict(answer, context)
        )
    said = [_bytes(text) for text in (spoken.x12, spoken.x12_claim_acknowledgement) if text.lstrip()[:3] == "ISA"]
    if said:
        payload = b"".join(said)
        return Replied(payload) if all(map(is_whole, said)) else InDoubt("an interchange without its IEA", payload)
    if answer.status == 400:
        return http.verdict(answer, context)
    references = [r.correlation_id for r in (spoken.claim_reference, *spoken.claim_references) if r is not None]
    if outbound.set_id == "837" and any(references):
        return Delivered(next(filter(None, references)))
    return InDoubt("the answer holds neither X12 nor a reference", answer.body)


def _bytes(text: str) -> bytes:
    """The bytes of X12 in JSON: a byte each where that is how it was told."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")

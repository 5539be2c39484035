"""Another clearinghouse, or another Claimwire, as a payer's route: raw X12 in the JSON of the dialect.

The exchange is described in `adapters/dialect/README.md`; what its answers mean, in `answers`. Errors of collecting and settling are
`adapters.transports.http`'s ExchangeFailed and what is below it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from adapters.protocol import Capabilities, Context, Evidence, Inbound, Manifest, NotSent, Outbound, Outcome
from adapters.settings import SettingsError
from adapters.transports import http
from adapters.transports.dialect import mailbox, polling
from adapters.transports.dialect.answers import outcome
from adapters.transports.dialect.way import DialectSecrets, DialectSettings, usable_way, way_of
from adapters.transports.guide import guide_of
from adapters.transports.http import Answer

__all__ = ["Dialect"]

_NETWORK = "/medicalnetwork"
_QUESTIONS = {"270": f"{_NETWORK}/eligibility/v3/raw-x12", "276": f"{_NETWORK}/claimstatus/v2/raw-x12"}
# GS08 begins -> where its claims go.
_CLAIMS = {
    "005010X222": f"{_NETWORK}/professionalclaims/v3/raw-x12-submission",
    "005010X223": f"{_NETWORK}/institutionalclaims/v1/raw-x12-submission",
    "005010X224": "/dental-claims/raw-x12-submission",
}


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
            way = way_of(context)
        except SettingsError as error:
            return NotSent(str(error))
        headers = {**way.headers, "Content-Type": "application/json", "Idempotency-Key": outbound.idempotency_key}
        url = way.to(path) if path.startswith(_NETWORK) else way.beside(path)
        answer = await http.post(context, url, body, headers, credentials=way.credentials)
        return outcome(answer, outbound, context) if isinstance(answer, Answer) else answer

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        source = polling if usable_way(context).told.reports == "polling" else mailbox
        async with aclosing(source.collect(context)) as collecting:
            async for one in collecting:
                yield one

    async def settle(self, inbound: Inbound, context: Context) -> None:
        if usable_way(context).told.reports == "mailbox":
            await mailbox.settle(inbound, context)

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        return "unknown"

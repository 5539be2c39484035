"""The mailbox of an upstream: it lists the reports that nobody took, and lets go of one when it is told to."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import msgspec

from adapters.protocol import Context, Inbound
from adapters.transports.dialect.reports import report
from adapters.transports.dialect.way import exchange, expect, whole
from adapters.transports.http import AnswerCut, AnswerTooLarge, ExchangeFailed, UnexpectedStatus

__all__ = ["collect", "settle"]

_REPORTS = "/medicalnetwork/reports/v2"
# How the names of reports begin that are X12: 277CA and 835.
_READABLE = ("X3", "R5")


class _Listing(msgspec.Struct):
    reports: list[str]


async def collect(context: Context) -> AsyncGenerator[Inbound, None]:
    """What lies there, the oldest first."""
    seen: set[str] = set()
    failure: ExchangeFailed | None = None
    # A long mailbox shows its newest names only: what is behind them comes when those were settled.
    while names := [name for name in await _names(context) if name not in seen]:
        for name in names:
            seen.add(name)
            # One report that cannot be fetched does not keep the others there; the caller hears of it at the end.
            try:
                payload = await exchange(context, "GET", lambda way, name=name: way.to(_REPORTS, name), report)
            except (AnswerCut, AnswerTooLarge, UnexpectedStatus) as error:
                failure = failure or error
                continue
            yield Inbound(name, name, payload)
    if failure is not None:
        raise failure


async def settle(inbound: Inbound, context: Context) -> None:
    """Take a report out; again is the same as once."""
    await exchange(context, "DELETE", lambda way: way.to(_REPORTS, inbound.reference), _settled)


async def _names(context: Context) -> list[str]:
    listing = await exchange(context, "GET", lambda way: way.to(_REPORTS), whole)
    try:
        names = msgspec.json.decode(listing, type=_Listing).reports
    except ValueError:
        raise ExchangeFailed("the list of reports cannot be read") from None
    return [name for name in reversed(names) if name.startswith(_READABLE)]


async def _settled(response: aiohttp.ClientResponse) -> None:
    expect(response, 200, 204, 404)

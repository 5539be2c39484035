"""One report of an upstream: the payer's 277CA or 835 in X12, read out of an answer."""

from __future__ import annotations

from contextlib import suppress

import aiohttp
import msgspec

from adapters.transports.dialect.passed_on import without_acknowledgements
from adapters.transports.dialect.way import whole
from adapters.transports.trouble import AnswerCut, UnexpectedStatus
from adapters.transports.whole import is_whole

__all__ = ["NoEnvelope", "report"]


class _Enclosed(msgspec.Struct):
    """A report as some upstreams give it: X12 in JSON."""

    report_content: str


class NoEnvelope(UnexpectedStatus):
    """A transaction set by itself: the file that it came in has more."""


async def report(response: aiohttp.ClientResponse) -> bytes:
    """A report as the payer sent it, without what is about the upstream's own interchanges; UnexpectedStatus where it is none."""
    content = await whole(response)
    if content.lstrip()[:1] == b"{":
        with suppress(ValueError):
            content = msgspec.json.decode(content, type=_Enclosed).report_content.encode("latin-1")
    if content.lstrip()[:2] == b"ST":
        raise NoEnvelope("a report without its envelope")
    if content.lstrip()[:3] != b"ISA":
        # A page of somebody on the way: taken for the report, it would be settled, and the report be gone.
        raise UnexpectedStatus("a report that is no X12")
    # Ended by the end of the connection: only the interchange itself can say whether all of it came (RFC 9112, 6.3).
    told = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if not told and not is_whole(content):
        raise AnswerCut("no IEA", content)
    mine = without_acknowledgements(content)
    if not mine:
        raise UnexpectedStatus("a report that only acknowledges what the upstream sent")
    return mine

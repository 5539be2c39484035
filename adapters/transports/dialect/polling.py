"""The polling of an upstream without a mailbox: what it processed since some time ago, looked through anew each time.

An adapter keeps no cursor, so a stretch of time is looked through: what was stored before is known by its hash and changes nothing. A
transaction's document may be one set without its envelope; then the file that it came in is asked for. Documents may lie on another
host, which an answer names: it is only believed where the route's settings name it too, and it never sees the key.

Sources: the dialect's `polling-transactions-response`; the hosted service's public reference of its paths under `/2023-08-01`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from adapters.protocol import Context, Inbound
from adapters.transports import http
from adapters.transports.dialect.reports import NoEnvelope, report
from adapters.transports.dialect.way import exchange, usable_way, whole
from adapters.transports.http import AnswerCut, AnswerTooLarge, ExchangeFailed, UnexpectedStatus
from adapters.transports.session import read_answer

__all__ = ["collect"]

_PATH = "/2023-08-01/polling/transactions"
_FILES = "/2023-08-01/executions"
_PAGE = 100
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_X12 = "application/edi-x12"
# GS08 of a 277 that answers a question: it was given in the answer.
_STATUS_ANSWER = "005010X212"


class _Artifact(msgspec.Struct, rename="camel"):
    artifact_type: str | None = None
    url: str | None = None


class _Set(msgspec.Struct, rename="camel"):
    transaction_set_identifier: str | None = None


class _Group(msgspec.Struct, rename="camel"):
    release: str | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    transaction: _Set | None = None
    functional_group: _Group | None = None


class _X12Side(msgspec.Struct):
    metadata: _Metadata | None = None


class _Item(msgspec.Struct, rename="camel"):
    transaction_id: str
    direction: str | None = None
    processed_at: str | None = None
    file_execution_id: str | None = None
    artifacts: list[_Artifact] | None = None
    x12: _X12Side | None = None

    @property
    def set_id(self) -> str:
        """277 for a claim acknowledgement, 835 for a remittance; empty for what is neither."""
        metadata = self.x12.metadata if self.x12 is not None else None
        set_id = metadata.transaction.transaction_set_identifier if metadata and metadata.transaction else None
        release = metadata.functional_group.release if metadata and metadata.functional_group else None
        is_answer = set_id == "277" and (release or "").startswith(_STATUS_ANSWER)
        return set_id if self.direction == "INBOUND" and set_id in ("277", "835") and not is_answer else ""

    @property
    def document(self) -> str:
        """Path and query of its X12 at the upstream; empty where there is none."""
        for artifact in self.artifacts or ():
            if artifact.artifact_type == _X12 and artifact.url:
                parts = urlsplit(artifact.url)
                return parts.path + (f"?{parts.query}" if parts.query else "")
        return ""

    def is_before(self, moment: datetime) -> bool:
        """Whether it was processed before a moment: not every upstream leaves such out."""
        try:
            processed = datetime.fromisoformat(self.processed_at or "")
        except ValueError:
            return False
        return (processed if processed.tzinfo else processed.replace(tzinfo=UTC)) < moment


class _Page(msgspec.Struct, rename="camel"):
    items: list[_Item]
    next_page_token: str | None = None


class _Elsewhere(msgspec.Struct, rename="camel"):
    """Where a document is that is not in the answer."""

    document_download_url: str


async def collect(context: Context) -> AsyncGenerator[Inbound, None]:
    """What came of payers since the route's `look_back_hours`, the oldest first. Nothing is settled: nothing goes away."""
    failure: ExchangeFailed | None = None
    files: set[str] = set()
    async for item in _items(context):
        # Many transactions may have come in one file.
        if item.file_execution_id in files:
            continue
        try:
            payload = await _document(context, item)
        except (AnswerCut, AnswerTooLarge, UnexpectedStatus) as error:
            failure = failure or error
            continue
        if item.file_execution_id:
            files.add(item.file_execution_id)
        yield Inbound(item.transaction_id, f"{item.set_id}-{item.transaction_id}", payload)
    if failure is not None:
        raise failure


async def _items(context: Context) -> AsyncGenerator[_Item, None]:
    """The reports and remittances among what was processed, page by page."""
    since = context.now().astimezone(UTC) - timedelta(hours=usable_way(context).told.look_back_hours)
    query = {"startDateTime": since.isoformat(timespec="seconds").replace("+00:00", "Z")}
    tokens: set[str] = set()
    while True:
        path = f"{_PATH}?{urlencode({**query, 'pageSize': _PAGE})}"
        listing = await exchange(context, "GET", lambda way, path=path: way.polling(path), whole)
        try:
            page = msgspec.json.decode(listing, type=_Page)
        except ValueError:
            raise ExchangeFailed("what polling says cannot be read") from None
        for item in page.items:
            if item.set_id and item.document and not item.is_before(since):
                yield item
        token = page.next_page_token
        if not page.items or not token or token in tokens:
            return
        tokens.add(token)
        query = {"pageToken": token}


async def _document(context: Context, item: _Item) -> bytes:
    """The X12 of a report, in its envelope."""
    try:
        return await _fetched(context, item.document)
    except NoEnvelope:
        if not item.file_execution_id:
            raise
    return await _fetched(context, f"{_FILES}/{quote(item.file_execution_id, safe='')}/input")


async def _fetched(context: Context, path: str) -> bytes:
    found = await exchange(context, "GET", lambda way: way.polling(path), _given)
    if isinstance(found, bytes):
        return found
    way, parts = usable_way(context), urlsplit(found)
    allowed = way.told.documents_host
    if not allowed or parts.netloc != allowed or parts.scheme not in ("https", urlsplit(way.told.url).scheme):
        raise UnexpectedStatus("a document on a host that the route does not name")
    return await http.exchange(context, "GET", "documents", found, report)


async def _given(response: aiohttp.ClientResponse) -> bytes | str:
    """A document, or where it is."""
    if response.status not in _REDIRECTS:
        return await report(response)
    try:
        return msgspec.json.decode(await read_answer(response), type=_Elsewhere).document_download_url
    except ValueError:
        return response.headers.get("Location", "")

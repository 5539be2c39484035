"""Reports in the dialect's JSON: claim acknowledgements (277CA) and remittances (835), as they are kept and given out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gateway.payers import Route
from x12.documents.binding import Document
from x12.documents.claim_acknowledgement import ClaimReport, read_claim_report
from x12.documents.remittance import Detail, Remittance, Report835, ReportMeta, read_remittance
from x12.envelope import TransactionSet
from x12.remittance_parts import parts

__all__ = ["Report277", "pieces_835", "report_277", "report_835"]
# Claims that are read at once where an 835 is given out piece by piece.
_PIECE_CLAIMS = 100


class Report277(Document):
    """A claim acknowledgement report."""

    meta: ReportMeta | None = None
    transactions: list[ClaimReport] | None = None


def _meta(transaction_id: str, route: Route | None, usage: str = "") -> ReportMeta:
    meta = ReportMeta(
        application_mode="production" if (route.usage if route is not None else usage) == "P" else "test",
        sender_id=route.receiver_id if route is not None else None,
        trace_id=transaction_id,
    )
    return msgspec.structs.replace(meta, transaction_id=transaction_id)


def report_277(received: TransactionSet, transaction_id: str, route: Route) -> Report277:
    """The report out of a walked 277CA."""
    return Report277(meta=_meta(transaction_id, route), transactions=[read_claim_report(received.tree())])


def report_835(received: TransactionSet, transaction_id: str, route: Route) -> Report835:
    """The report out of a walked 835."""
    return Report835(meta=_meta(transaction_id, route), transactions=[read_remittance(received.tree())])


# --- piece by piece --------------------------------------------------------------------------------------------------


def pieces_835(
    content: Iterable[bytes] | bytes, number: int, transaction_id: str, route: Route | None, usage: str
) -> Iterator[bytes]:
    """The JSON of `report_835` of the set with this number in a file, in pieces of some claims: memory does not grow with it.

    `route` is the one that the file came over, `usage` its ISA15 where there is no such route any more.
    """
    told = _Told()
    for part in parts(content, _PIECE_CLAIMS, {}):
        if part.number != number:
            continue
        some = read_remittance(part.root)
        if not told.begun:
            head = msgspec.structs.replace(some, detail_info=None, provider_adjustments=None)
            yield told.head(_meta(transaction_id, route, usage), head)
        yield b"".join(told.details(some.detail_info or [], inside=part.inside))
        if part.last:
            yield told.end(some)
            return


class _Told:
    """Where in the JSON the writing stands."""

    def __init__(self) -> None:
        self.begun = self.in_detail = self.in_claims = False
        self.empty = True

    def head(self, meta: ReportMeta, head: Remittance) -> bytes:
        """All but the claims and what follows them: objects and lists stay open."""
        self.begun = True
        text = msgspec.json.encode(Report835(meta=meta, transactions=[head]))
        self.empty = text.endswith(b"[{}]}")
        return text[: -len(b"}]}")]

    def details(self, details: list[Detail], *, inside: bool) -> Iterator[bytes]:
        """Loops 2000 and their claims; the first of them goes on with the last one that was told, where `inside`."""
        for index, detail in enumerate(details):
            if index or not inside or not self.in_detail:
                yield from self.close_detail()
                yield b"," if self.in_detail else self.key(b'"detailInfo":[')
                text = msgspec.json.encode(msgspec.structs.replace(detail, payment_info=None))
                yield text[:-1]
                self.in_detail, bare = True, text == b"{}"
            else:
                bare = False
            for claim in detail.payment_info or ():
                yield b"," if self.in_claims else (b"" if bare else b",") + b'"paymentInfo":['
                self.in_claims = True
                yield msgspec.json.encode(claim)

    def close_detail(self) -> Iterator[bytes]:
        if self.in_detail:
            yield b"]}" if self.in_claims else b"}"
            self.in_claims = False

    def key(self, name: bytes) -> bytes:
        """A further key of the remittance."""
        before, self.empty = b"" if self.empty else b",", False
        return before + name

    def end(self, last: Remittance) -> bytes:
        """What follows the claims, and the ends of all that is open."""
        text = b"".join(self.close_detail()) + (b"]" if self.in_detail else b"")
        if last.provider_adjustments:
            text += self.key(b'"providerAdjustments":') + msgspec.json.encode(last.provider_adjustments)
        return text + b"}]}"

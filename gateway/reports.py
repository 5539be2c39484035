"""Reports in the dialect's JSON: claim acknowledgements (277CA) and remittances (835), as they are kept and given out."""

from __future__ import annotations

import msgspec

from gateway.payers import Route
from x12.documents.binding import Document
from x12.documents.claim_acknowledgement import ClaimReport, read_claim_report
from x12.documents.remittance import Report835, ReportMeta, read_remittance
from x12.envelope import TransactionSet

__all__ = ["Report277", "report_277", "report_835"]


class Report277(Document):
    """A claim acknowledgement report."""

    meta: ReportMeta | None = None
    transactions: list[ClaimReport] | None = None


def _meta(transaction_id: str, route: Route) -> ReportMeta:
    meta = ReportMeta(
        application_mode="production" if route.usage == "P" else "test",
        sender_id=route.receiver_id,
        trace_id=transaction_id,
    )
    return msgspec.structs.replace(meta, transaction_id=transaction_id)


def report_277(received: TransactionSet, transaction_id: str, route: Route) -> Report277:
    """The report out of a walked 277CA."""
    return Report277(meta=_meta(transaction_id, route), transactions=[read_claim_report(received.tree())])


def report_835(received: TransactionSet, transaction_id: str, route: Route) -> Report835:
    """The report out of a walked 835."""
    return Report835(meta=_meta(transaction_id, route), transactions=[read_remittance(received.tree())])

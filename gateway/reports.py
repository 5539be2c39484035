"""Reports in the dialect's JSON: claim acknowledgements (277CA) and remittances (835), as they are kept and given out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from x12.documents.binding import Document
from x12.documents.claim_acknowledgement import ClaimReport, read_claim_report
from x12.documents.remittance import Report835, ReportMeta, read_remittance
from x12.documents.standing import StatusCode
from x12.envelope import TransactionSet

__all__ = ["Report277", "report_277", "report_835", "statuses_of"]


class Report277(Document):
    """A claim acknowledgement report."""

    meta: ReportMeta | None = None
    transactions: list[ClaimReport] | None = None


def statuses_of(codes: Sequence[StatusCode]) -> list[str]:
    """Statuses as category:status[:entity], each once."""
    return list(dict.fromkeys(f"{c.category}:{c.status}:{c.entity}".rstrip(":") for c in codes))


def _meta(transaction_id: str, usage: str, sender_id: str) -> ReportMeta:
    meta = ReportMeta(
        application_mode="production" if usage == "P" else "test",
        sender_id=sender_id,
        trace_id=transaction_id,
    )
    return msgspec.structs.replace(meta, transaction_id=transaction_id)


def report_277(received: TransactionSet, transaction_id: str, usage: str, sender_id: str) -> Report277:
    """The report out of a walked 277CA; `usage` is ISA15, `sender_id` whose report it is."""
    return Report277(meta=_meta(transaction_id, usage, sender_id), transactions=[read_claim_report(received.tree())])


def report_835(received: TransactionSet, transaction_id: str, usage: str, sender_id: str) -> Report835:
    """The report out of a walked 835; the arguments are those of `report_277`."""
    return Report835(meta=_meta(transaction_id, usage, sender_id), transactions=[read_remittance(received.tree())])

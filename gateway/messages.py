"""Messages of the API that X12 has no document for: claim responses, errors, transactions and their traces, polling.

Names are the dialect's (`claim-response`, `polling-transactions-response`); those of `/v1` follow its style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from x12 import codes
from x12.documents.binding import Document, Text
from x12.finding import Finding

__all__ = [
    "ClaimReference",
    "ClaimResponse",
    "ClaimResult",
    "EditResponse",
    "ErrorItem",
    "ErrorResponse",
    "Pending",
    "PollingPage",
    "TraceEvent",
    "TransactionView",
    "X12Body",
    "edit_responses",
    "error_items",
    "not_answered",
]


class X12Body(Document):
    """Raw X12 in JSON."""

    x12: str


class ErrorItem(Document):
    """One thing wrong with a request: a code, the field, what to do. Never the value.

    Of X12 there is no field but a `location` (loop, segment, element) and the `position` of the segment, ST being 1.
    """

    code: Text = None
    description: Text = None
    field: Text = None
    followup_action: Text = None
    location: Text = None
    possible_resolutions: Text = None
    position: int | None = None


class ErrorResponse(Document):
    """A request that was not taken. `message` says why when nothing of it was judged: no key, no such path, too much."""

    status: Text = None
    message: Text = None
    errors: list[ErrorItem] | None = None
    warnings: list[ErrorItem] | None = None
    x12: Text = None


class Pending(Document):
    """An inquiry whose answer is not there yet: ask for its transaction later."""

    transaction_id: str
    status: str = "PENDING"
    description: Text = None


class ClaimMeta(Document):
    """Where a claim response came from."""

    trace_id: Text = None
    application_mode: Text = None
    submitter_id: Text = None
    sender_id: Text = None


class ClaimPayer(Document):
    """The payer a claim goes to, under both spellings of the dialect."""

    payer_name: Text = None
    payer_id: Text = msgspec.field(default=None, name="payerID")
    payer_id_too: Text = msgspec.field(default=None, name="payerId")


class LineReference(Document):
    """A service line of a claim that was taken."""

    line_item_control_number: Text = None


class ClaimReference(Document):
    """What a claim can be found by from now on. `correlation_id` is its transaction id."""

    correlation_id: Text = None
    submitter_id: Text = None
    customer_claim_number: Text = None
    patient_control_number: Text = None
    time_of_response: Text = None
    claim_type: Text = None
    format_version: Text = None
    rhclaim_number: Text = None
    payer_id: Text = msgspec.field(default=None, name="payerID")
    payer_id_too: Text = msgspec.field(default=None, name="payerId")
    service_lines: list[LineReference] | None = None


class EditResponse(Document):
    """One finding as older clients look for it: its field, and its place in X12. Never the value."""

    edit_name: Text = None
    error_description: Text = None
    claim_core_path: Text = None
    loop: Text = None
    segment: Text = None
    element: Text = None


class ClaimResult(Document):
    """What became of one claim of a file: ACCEPTED or REJECTED, and why. `duplicate_of` is the transaction that it is the same as."""

    status: str
    patient_control_number: Text = None
    correlation_id: Text = None
    duplicate_of: Text = None
    errors: list[ErrorItem] | None = None
    warnings: list[ErrorItem] | None = None


class ClaimResponse(Document):
    """What became of a submission. A file in X12 is taken in parts: `claim_results` has every claim of it, `claim_references` those
    that were taken, both in its order; `x12` is the TA1 and the 999, `x12_claim_acknowledgement` the 277CA.
    """

    status: Text = None
    control_number: Text = None
    trading_partner_service_id: Text = None
    claim_reference: ClaimReference | None = None
    claim_references: list[ClaimReference] | None = None
    meta: ClaimMeta | None = None
    edit_status: Text = None
    edit_responses: list[EditResponse] | None = None
    payer: ClaimPayer | None = None
    errors: list[ErrorItem] | None = None
    warnings: list[ErrorItem] | None = None
    http_status_code: Text = None
    x12: Text = None
    claim_results: list[ClaimResult] | None = None
    x12_claim_acknowledgement: Text = None


class TransactionView(Document):
    """Where a transaction stands. `claim_type` is professional, institutional or dental where it is a claim."""

    transaction_id: str
    kind: str
    state: str
    claim_type: Text = None
    outcome: Text = None
    conflict: bool | None = None
    payer_id: Text = None
    route_id: Text = None
    usage_indicator: Text = None
    parent_id: Text = None
    created_at: Text = None
    updated_at: Text = None
    sent_at: Text = None
    follow_up_at: Text = None


class TraceInterchange(Document):
    """An envelope that carried a transaction, out or in, with its raw segments where the caller may see them."""

    interchange_id: Text = None
    inbound_id: Text = None
    direction: Text = None
    state: Text = None
    reason: Text = None
    set_id: Text = None
    control_number: Text = None
    set_control_number: Text = None
    sha256: Text = None
    bytes: int | None = None
    attempts: int | None = None
    times_seen: int | None = None
    at: Text = None
    segments: list[str] | None = None


class TraceEvent(Document):
    """One thing that happened."""

    at: str
    kind: str
    data: dict[str, Any] | None = None
    interchange_id: Text = None
    inbound_id: Text = None
    traceparent: Text = None


class TraceRung(Document):
    """Something that is expected to be said of a claim, and by when: said, awaited or overdue."""

    rung: str
    expected_by: str
    state: Literal["said", "awaited", "overdue"]


class Trace(Document):
    """The whole story of a transaction. `ladder` is what its payer's clocks say of a claim that was sent, in its order."""

    transaction: TransactionView
    events: list[TraceEvent]
    interchanges: list[TraceInterchange]
    ladder: list[TraceRung] | None = None


class SetIdentifier(Document):
    """ST01 and ST02."""

    transaction_set_identifier: Text = None
    control_number: Text = None


class IsaIdentifier(Document):
    """A party of an interchange: ISA05 and ISA06, or ISA07 and ISA08."""

    qualifier: Text = None
    id: Text = None


class EnvelopeParty(Document):
    """Who sends or receives: the identifiers of interchange and group."""

    application_code: Text = None
    isa: IsaIdentifier | None = None


class InterchangeMetadata(Document):
    """ISA13 and ISA14."""

    control_number: int | None = None
    acknowledgment_requested_code: Text = None


class GroupMetadata(Document):
    """GS01, GS04 to GS06 and GS08."""

    control_number: int | None = None
    date: Text = None
    time: Text = None
    functional_identifier_code: Text = None
    release: Text = None


class PollingMetadata(Document):
    """What X12 says of a polled transaction."""

    interchange: InterchangeMetadata | None = None
    functional_group: GroupMetadata | None = None
    sender: EnvelopeParty | None = None
    receiver: EnvelopeParty | None = None
    transaction: SetIdentifier | None = None


class PollingX12(Document):
    """The X12 side of a polled transaction."""

    metadata: PollingMetadata | None = None


class PollingArtifact(Document):
    """Where a document of a polled transaction is."""

    artifact_type: Text = None
    usage: Text = None
    model: Text = None
    url: Text = None
    size_bytes: int | None = None


class Profile(Document):
    """A party of a partnership, by the id that its envelopes have."""

    profile_id: Text = None


class Partnership(Document):
    """The way that a transaction takes: a route, and who is at its ends."""

    partnership_id: Text = None
    partnership_type: Text = None
    sender: Profile | None = None
    receiver: Profile | None = None


class BusinessIdentifier(Document):
    """A number in the set by which its sender knows it."""

    element: Text = None
    element_id: Text = None
    name: Text = None
    value: Text = None


class PollingItem(Document):
    """One transaction in the order in which they were committed."""

    transaction_id: str
    direction: str
    mode: str
    status: str
    processed_at: str
    artifacts: list[PollingArtifact]
    file_execution_id: Text = None
    partnership: Partnership | None = None
    business_identifiers: list[BusinessIdentifier] | None = None
    x12: PollingX12 | None = None


class PollingPage(Document):
    """Transactions, oldest first; `nextPageToken` is the cursor for the next call. A list ends where it is absent; polling has one always."""

    items: list[PollingItem]
    next_page_token: Text = None


class ReportListing(Document):
    """Names of reports in the mailbox of older clients, newest first."""

    reports: list[str]


class ReportRemoved(Document):
    """A report was taken out of the mailbox."""

    status: str
    meta: ClaimMeta | None = None


_FOLLOW_UP = "Please Correct and Resubmit"


def not_answered(code: str, description: str, route_id: str) -> ErrorItem:
    """A question that got no answer: 42 where it may be asked again, 79 where it was not taken. What to do is in words."""
    return ErrorItem(
        code=code,
        description=description,
        followup_action="Resubmission Allowed" if code == "42" else _FOLLOW_UP,
        location=route_id,
        possible_resolutions=codes.table("reject_resolution")[code],
    )


def edit_responses(findings: Sequence[Finding]) -> list[EditResponse] | None:
    """What refuses a claim, as older clients look for it; None when nothing does."""
    items = [
        EditResponse(
            edit_name=f.rule or f.code or None,
            error_description=f.message,
            claim_core_path=f.path,
            loop=f.loop,
            segment=f.segment,
            element=None if f.element is None else f"{f.element:02d}",
        )
        for f in findings
        if f.severity == "error"
    ]
    return items or None


def error_items(findings: Sequence[Finding], severity: str = "error") -> list[ErrorItem] | None:
    """Findings of one severity in the dialect's shape; None when there are none."""
    items = [
        ErrorItem(
            code=f.rule or f.code or None,
            description=f.message,
            field=f.path,
            followup_action=_FOLLOW_UP if severity == "error" else None,
            location=f.place or None,
            position=f.position if f.path is None else None,
        )
        for f in findings
        if f.severity == severity
    ]
    return items or None

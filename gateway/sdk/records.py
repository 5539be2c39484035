"""Claims, their timeline and their submissions as the official SDK reads them: documents.

Source: the operations `ListClaims`, `GetClaim`, `GetClaimTimeline`, `CreateProfessionalClaimSubmission`,
`ValidateProfessionalClaimSubmission` and `GetProfessionalClaimSubmission` of the SDK.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.ledger.claim_list import STATUSES
from gateway.sdk.form import ClaimForm
from gateway.sdk.parts import (
    SdkPartialPersonName,
)
from gateway.sdk.words import PAYMENT_STATUS, word
from x12.documents.binding import Document, Text
from x12.documents.lenient import OneOf

__all__ = [
    "ClaimPage",
    "ClaimSummary",
    "EditFault",
    "Failure",
    "FailurePart",
    "Judged",
    "KeptSubmission",
    "Taken",
    "Timeline",
    "TimelineItem",
]

_STATUS = msgspec.Meta(extra_json_schema={"enum": list(STATUSES)})
_SOURCE = msgspec.Meta(extra_json_schema={"enum": ["PAYER", "CLEARINGHOUSE"]})
_TYPE = msgspec.Meta(extra_json_schema={"enum": ["DENTAL", "INSTITUTIONAL", "PROFESSIONAL"]})
_ACKNOWLEDGED = msgspec.Meta(extra_json_schema={"enum": ["REJECTED", "ACCEPTED", "RECEIVED", "INVALID"]})


class FailurePart(Document):
    """One thing wrong with a request, and a JSON pointer to it."""

    message: str
    path: Text = None


class Failure(Document):
    """Why a request was not done. The header `x-amzn-errortype` names the type of the error."""

    message: str
    errors: list[FailurePart] | None = None


class EditFault(Document):
    """A fault that edits found with a claim."""

    description: str


class Taken(Document):
    """A submission that is kept. With `errors` it is kept as rejected, and was not sent."""

    claim_id: str
    submission_id: str
    errors: list[EditFault] | None = None


class Judged(Document):
    """What edits find wrong with a claim; nothing where it could be submitted."""

    errors: list[EditFault] | None = None


class ServiceDates(Document):
    """The days of service, CCYY-MM-DD; `end` only where there are several."""

    start: str
    end: Text = None


class ClaimSummary(Document):
    """A claim: where it stands, and its newest submission."""

    id: str
    patient_control_number: str
    status: Annotated[str, _STATUS]
    status_reported_by: Annotated[str, _SOURCE]
    type: Annotated[str, _TYPE]
    total_claim_charge_amount: str
    submitted_at: str
    stedi_payer_id: Text = None
    patient_name: SdkPartialPersonName | None = None
    total_claim_paid_amount: Text = None
    dates_of_service: ServiceDates | None = None


class ClaimPage(Document, omit_defaults=False):
    """Claims, newest first."""

    items: list[ClaimSummary]
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class SubmissionSummary(Document):
    """A submission of a claim."""

    id: str
    patient_control_number: str
    total_claim_charge_amount: str
    processed_at: str
    stedi_payer_id: Text = None
    patient_name: SdkPartialPersonName | None = None
    dates_of_service: ServiceDates | None = None


class AcknowledgmentSummary(Document):
    """What a clearinghouse or payer said before adjudication."""

    id: str
    status: Annotated[str, _ACKNOWLEDGED]
    reported_by: Annotated[str, _SOURCE]
    source_name: str
    processed_at: str


class PaymentSummary(Document):
    """What a remittance said."""

    id: str
    status_code: Annotated[str, word(PAYMENT_STATUS)]
    total_claim_charge_amount: str
    claim_payment_amount: str
    processed_at: str
    patient_responsibility_amount: Text = None
    check_or_eft_trace_number: Text = None


class TimelineItem(OneOf):
    """One thing that happened to a claim."""

    professional_claim_submission: SubmissionSummary | None = None
    dental_claim_submission: SubmissionSummary | None = None
    institutional_claim_submission: SubmissionSummary | None = None
    claim_acknowledgment: AcknowledgmentSummary | None = None
    claim_payment_information: PaymentSummary | None = None


class Timeline(Document, omit_defaults=False):
    """What happened to a claim, newest first."""

    items: list[TimelineItem]
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class KeptSubmission(Document):
    """A submission as it is kept."""

    claim_id: str
    submission_id: str
    data: ClaimForm
    processed_at: str
    stedi_payer_id: Text = None

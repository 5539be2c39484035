"""Messages of batch eligibility. Names are the dialect's (`batch-eligibility-request`, `-response`); what it lacks is in its style."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.messages import ErrorItem
from x12.documents.binding import Document, Text
from x12.documents.eligibility import Meta
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.parts import AAAError

__all__ = [
    "CHECKS_MAX",
    "NAME_PATTERN",
    "BatchCancelled",
    "BatchItem",
    "BatchItemInfo",
    "BatchItemPage",
    "BatchList",
    "BatchRequest",
    "BatchResultPage",
    "BatchStatus",
    "BatchTaken",
    "CheckInfo",
    "CheckRefused",
    "RetryRuleView",
    "RetryRules",
    "RetryStanding",
]

CHECKS_MAX = 10_000
NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,100}$"


class BatchRequest(Document):
    """Up to 10,000 eligibility checks, each with a `submitterTransactionIdentifier` of its own, by which its result is known."""

    items: Annotated[list[EligibilityRequest], msgspec.Meta(min_length=1, max_length=CHECKS_MAX)]
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)] | None = None
    max_retry_hours: Annotated[int, msgspec.Meta(ge=8, le=24)] | None = None


class BatchTaken(Document):
    """A batch that was taken. `errors` are those of checks that were left out, where the caller allowed that, by their index."""

    batch_id: str
    submitted_at: str
    total_count: int
    validation_failed_count: int | None = None
    errors: list[ErrorItem] | None = None


class BatchStatus(Document):
    """How far a batch has come. Successful is whatever the payer answered, rejections included."""

    id: str
    name: str
    batch_type: str
    source: str
    status: str
    created_at: str
    updated_at: str
    total_count: int
    validated_count: int
    validation_failed_count: int
    in_progress_count: int
    success_count: int
    error_count: int
    cancelled_count: int
    max_retry_hours: int
    cancelled: bool | None = None


class BatchList(Document):
    """Batches, newest first."""

    items: list[BatchStatus]
    next_page_token: Text = None


class BatchCancelled(Document):
    """How many checks were ended; those on their way to a payer come home, and `inProgressCount` tells how many they are.

    `cancelled` is false where all had ended before: there was nothing to cancel.
    """

    batch_id: str
    cancelled: bool
    cancelled_count: int
    in_progress_count: int


class RetryStanding(Document):
    """The story of a check's questions: how often it was asked, why it is asked again, when, and until when at the latest."""

    asked_count: int
    reason: Text = None
    next_at: Text = None
    until: Text = None


class CheckInfo(Document):
    """One check in short. `id` is its transaction: `/v1/transactions/{id}/trace` tells its whole story once it was asked."""

    id: str
    payer_id: Text = None
    submitter_transaction_identifier: Text = None
    eligibility_check_result: Text = None
    aaa_errors: list[AAAError] | None = None
    errors: list[ErrorItem] | None = None
    provider_name: Text = None
    provider_npi: Text = None
    retry: RetryStanding | None = None


class BatchItemInfo(Document):
    """What a check is about."""

    eligibility: CheckInfo


class BatchItem(Document):
    """Where one check stands."""

    batch_id: str
    index: int
    request_id: str
    state: str
    created_at: str
    updated_at: str
    additional_info: BatchItemInfo


class BatchItemPage(Document):
    """Checks of a batch in their order."""

    items: list[BatchItem]
    next_page_token: Text = None


class BatchResultPage(Document):
    """Results in the order in which they came, each an eligibility response with its `batchId` and `submitterTransactionIdentifier`.

    `nextPageToken` is where to go on, now or whenever more has come; it is absent where nothing is left.
    """

    items: list[dict[str, Any]]
    next_page_token: Text = None


class CheckRefused(Document):
    """The result of a check that got no answer: in the shape of an eligibility response, with reasons of ours."""

    id: Text = None
    meta: Meta | None = None
    status: Text = None
    trading_partner_service_id: Text = None
    errors: list[ErrorItem] | None = None


class RetryRuleView(Document):
    """What follows a rejection with this code (AAA03): asked again or not, when, until when."""

    code: str
    description: str
    asked_again: bool
    source: str
    only_if_followup_action: list[str] | None = None
    first_after_minutes: float | None = None
    at_most_every_minutes: float | None = None
    until_hours: float | None = None


class RetryRules(Document):
    """The rules in force, of a payer or, without one, of all that have none of their own."""

    rules: list[RetryRuleView]
    otherwise: str
    payer_id: Text = None

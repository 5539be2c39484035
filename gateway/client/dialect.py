"""The operations of the dialect, as coroutines: eligibility, claim status, claims, reports, polling, batches, payers, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import msgspec

from gateway.api.oauth import Token, TokenRequest
from gateway.batch_messages import BatchItem, BatchItemPage, BatchRequest, BatchResultPage, BatchStatus, BatchTaken
from gateway.client.connection import Connection, Json, at, must
from gateway.messages import ClaimResponse, Pending, PollingItem, PollingPage, ReportListing, ReportRemoved
from gateway.payer_records import PayerPage, PayerRecord, PayerSearchPage
from gateway.reports import Report277
from x12.documents.claim_status import ClaimStatusRequest, ClaimStatusResponse
from x12.documents.dental_claim import DentalClaim
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.institutional_claim import InstitutionalClaim
from x12.documents.professional_claim import ProfessionalClaim
from x12.documents.remittance import Report835

__all__ = ["DialectCalls"]

A = TypeVar("A", bound=msgspec.Struct)
_NETWORK = "/2024-04-01/change/medicalnetwork"
_REPORTS = f"{_NETWORK}/reports/v2"
_PROFESSIONAL = f"{_NETWORK}/professionalclaims/v3"
_INSTITUTIONAL = f"{_NETWORK}/institutionalclaims/v1"
_DENTAL = "/2024-04-01/dental-claims"
_BATCHES = "/2024-04-01/eligibility-manager"


class DialectCalls(Connection):
    """What clients of hosted clearinghouses ask.

    `prefer` is the `Prefer` header of a question: `respond-async` is answered `Pending` at once, `wait=5` after five seconds at most.
    `allow_repeated` has a claim taken although the very same one came before.
    """

    # --- eligibility and claim status ------------------------------------------------------------------------------------

    async def check_eligibility(
        self, request: EligibilityRequest | Json, *, idempotency_key: str | None = None, prefer: str | None = None
    ) -> EligibilityResponse | Pending:
        """Whether a patient is covered, and for what; `Pending` when the payer has not answered in time."""
        return await self._ask(EligibilityResponse, "/eligibility/v3", request, idempotency_key, prefer)

    async def check_eligibility_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None, prefer: str | None = None
    ) -> EligibilityResponse | Pending:
        """The same with a 270 in X12 that asks once."""
        return await self._ask(EligibilityResponse, "/eligibility/v3/raw-x12", content, idempotency_key, prefer)

    async def inquire_claim_status(
        self, request: ClaimStatusRequest | Json, *, idempotency_key: str | None = None, prefer: str | None = None
    ) -> ClaimStatusResponse | Pending:
        """Where a claim stands with its payer; `Pending` when the payer has not answered in time."""
        return await self._ask(ClaimStatusResponse, "/claimstatus/v2", request, idempotency_key, prefer)

    async def inquire_claim_status_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None, prefer: str | None = None
    ) -> ClaimStatusResponse | Pending:
        """The same with a 276 in X12 that asks once."""
        return await self._ask(ClaimStatusResponse, "/claimstatus/v2/raw-x12", content, idempotency_key, prefer)

    async def healthcheck(self) -> bool:
        """Whether the service answers."""
        return (await self._send("GET", f"{_NETWORK}/eligibility/v3/healthcheck")).status == 200

    # --- claims ------------------------------------------------------------------------------------------------------------

    async def submit_professional_claim(
        self, claim: ProfessionalClaim | Json, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """Submit a claim; it is durable when this returns, and `Rejected` has every finding when it cannot be sent."""
        return await self._submit(f"{_PROFESSIONAL}/submission", claim, idempotency_key, allow_repeated)

    async def validate_professional_claim(self, claim: ProfessionalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._validate(f"{_PROFESSIONAL}/validation", claim)

    async def submit_professional_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """Submit 837P claims in X12, one or many."""
        return await self._submit(f"{_PROFESSIONAL}/raw-x12-submission", content, idempotency_key, allow_repeated)

    async def validate_professional_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._validate(f"{_PROFESSIONAL}/raw-x12-validation", content)

    async def submit_institutional_claim(
        self, claim: InstitutionalClaim | Json, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """As `submit_professional_claim`, for a hospital's claim."""
        return await self._submit(f"{_INSTITUTIONAL}/submission", claim, idempotency_key, allow_repeated)

    async def validate_institutional_claim(self, claim: InstitutionalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._validate(f"{_INSTITUTIONAL}/validation", claim)

    async def submit_institutional_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """Submit 837I claims in X12, one or many."""
        return await self._submit(f"{_INSTITUTIONAL}/raw-x12-submission", content, idempotency_key, allow_repeated)

    async def validate_institutional_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._validate(f"{_INSTITUTIONAL}/raw-x12-validation", content)

    async def submit_dental_claim(
        self, claim: DentalClaim | Json, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """As `submit_professional_claim`, for a dentist's claim."""
        return await self._submit(f"{_DENTAL}/submission", claim, idempotency_key, allow_repeated)

    async def validate_dental_claim(self, claim: DentalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._validate(f"{_DENTAL}/validation", claim)

    async def submit_dental_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> ClaimResponse:
        """Submit 837D claims in X12, one or many."""
        return await self._submit(f"{_DENTAL}/raw-x12-submission", content, idempotency_key, allow_repeated)

    async def validate_dental_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._validate(f"{_DENTAL}/raw-x12-validation", content)

    # --- reports and what is new ----------------------------------------------------------------------------------------

    async def list_reports(self) -> ReportListing:
        """Names of the newest reports in the mailbox."""
        return await self._get(ReportListing, _REPORTS)

    async def read_report277(self, name: str) -> Report277:
        """A claim acknowledgement, by the id of its transaction or claim, or by its name."""
        return await self._get(Report277, at(_REPORTS + "/{}/277", name))

    async def read_report835(self, name: str) -> Report835:
        """A remittance, by the id of its transaction or claim, or by its name."""
        return await self._get(Report835, at(_REPORTS + "/{}/835", name))

    async def read_raw_report(self, name: str) -> bytes:
        """A report in X12, as the payer sent it."""
        return (await self._send("GET", at(_REPORTS + "/{}", name))).body

    async def remove_report(self, name: str, *, idempotency_key: str | None = None) -> ReportRemoved:
        """Take a report out of the mailbox; it can still be read."""
        answer = await self._send("DELETE", at(_REPORTS + "/{}", name), key=idempotency_key, writes=True)
        return must(answer, ReportRemoved)

    async def poll_transactions(
        self, page_token: str | None = None, page_size: int = 100, *, start_date_time: str | None = None
    ) -> PollingPage:
        """A page of what is new since a cursor, oldest first; later than a time in ISO 8601 where that is given.

        Its token is where to go on, also where nothing is new.
        """
        query = {"pageToken": page_token, "pageSize": page_size, "startDateTime": start_date_time}
        return await self._get(PollingPage, "/2023-08-01/polling/transactions", query)

    async def list_transactions(self, page_token: str | None = None, page_size: int = 100) -> PollingPage:
        """A page of all transactions, oldest first; the last one has no token."""
        query = {"pageToken": page_token, "pageSize": page_size}
        return await self._get(PollingPage, "/2023-08-01/transactions", query)

    async def read_polled_transaction(self, transaction_id: str) -> PollingItem:
        """One transaction as polling tells it."""
        return await self._get(PollingItem, at("/2023-08-01/transactions/{}", transaction_id))

    async def transactions(self, page_token: str | None = None, page_size: int = 100) -> AsyncIterator[PollingItem]:
        """Everything that is new since a cursor, page by page, until nothing is left."""
        while True:
            page = await self.list_transactions(page_token, page_size)
            for item in page.items:
                yield item
            if page.next_page_token is None:
                return
            page_token = page.next_page_token

    # --- batches of eligibility checks ------------------------------------------------------------------------------------

    async def check_eligibility_batch(
        self, batch: BatchRequest | Json, *, idempotency_key: str | None = None, lenient: bool = False
    ) -> BatchTaken:
        """Submit many checks that are asked in the background. `lenient` leaves out those that are wrong."""
        headers = {"Prefer": "handling=lenient" if lenient else None}
        return await self._write(BatchTaken, f"{_BATCHES}/batch-eligibility", batch, idempotency_key, headers)

    async def poll_batch_eligibility(
        self,
        batch_id: str | None = None,
        page_token: str | None = None,
        page_size: int = 10,
        *,
        start_date_time: str | None = None,
    ) -> BatchResultPage:
        """A page of results, in the order in which they came; later than a time in ISO 8601 where that is given."""
        query = {
            "batchId": batch_id,
            "pageToken": page_token,
            "pageSize": page_size,
            "startDateTime": start_date_time,
        }
        return await self._get(BatchResultPage, f"{_BATCHES}/polling/batch-eligibility", query)

    async def read_batch_eligibility(self, batch_id: str) -> BatchStatus:
        """How far a batch has come."""
        return await self._get(BatchStatus, at(_BATCHES + "/batch/{}", batch_id))

    async def list_batch_eligibility_items(
        self,
        batch_id: str,
        page_token: str | None = None,
        page_size: int = 100,
        *,
        state: str | None = None,
        eligibility_check_result: str | None = None,
    ) -> BatchItemPage:
        """A page of the checks of a batch, and where each stands; of some states or results only where told."""
        query = {
            "pageToken": page_token,
            "pageSize": page_size,
            "state": state,
            "eligibilityCheckResult": eligibility_check_result,
        }
        return await self._get(BatchItemPage, at(_BATCHES + "/batch/{}/items", batch_id), query)

    async def batch_results(self, batch_id: str, page_size: int = 10) -> AsyncIterator[dict[str, Any]]:
        """All results of a batch that are there now, as JSON, in the order in which they came."""
        page_token: str | None = None
        while True:
            page = await self.poll_batch_eligibility(batch_id, page_token, page_size)
            for item in page.items:
                yield item
            if page.next_page_token is None or not page.items:
                return
            page_token = page.next_page_token

    async def batch_items(
        self, batch_id: str, page_size: int = 100, *, state: str | None = None
    ) -> AsyncIterator[BatchItem]:
        """All checks of a batch, and where each stands; of some states only where told."""
        page_token: str | None = None
        while True:
            page = await self.list_batch_eligibility_items(batch_id, page_token, page_size, state=state)
            for item in page.items:
                yield item
            if page.next_page_token is None:
                return
            page_token = page.next_page_token

    # --- payers -----------------------------------------------------------------------------------------------------------

    async def list_payers(self, page_token: str | None = None, page_size: int | None = None) -> PayerPage:
        """Payers by name, and what each takes: all of them, or a page."""
        return await self._get(PayerPage, "/2024-04-01/payers", {"pageToken": page_token, "pageSize": page_size})

    async def search_payers(
        self,
        query: str | None = None,
        page_token: str | None = None,
        page_size: int = 20,
        *,
        coverage_types: Sequence[str] = (),
        operating_states: Sequence[str] = (),
        eligibility_check: str | None = None,
        claim_status: str | None = None,
        professional_claim_submission: str | None = None,
        institutional_claim_submission: str | None = None,
        dental_claim_submission: str | None = None,
        claim_payment: str | None = None,
        coordination_of_benefits: str | None = None,
        unsolicited_claim_attachment: str | None = None,
    ) -> PayerSearchPage:
        """Payers by name, id or alias, best first. Filters say how a transaction is supported: `SUPPORTED`, `ENROLLMENT_REQUIRED`, ..."""
        asked = {
            "query": query,
            "pageToken": page_token,
            "pageSize": page_size,
            "coverageTypes": coverage_types,
            "operatingStates": operating_states,
            "eligibilityCheck": eligibility_check,
            "claimStatus": claim_status,
            "professionalClaimSubmission": professional_claim_submission,
            "institutionalClaimSubmission": institutional_claim_submission,
            "dentalClaimSubmission": dental_claim_submission,
            "claimPayment": claim_payment,
            "coordinationOfBenefits": coordination_of_benefits,
            "unsolicitedClaimAttachment": unsolicited_claim_attachment,
        }
        return await self._get(PayerSearchPage, "/2024-04-01/payers/search", asked)

    async def list_payers_csv(self) -> str:
        """Every payer as a table, one a row."""
        return (await self._send("GET", "/2024-04-01/payers/csv")).body.decode()

    async def read_payer(self, payer_id: str) -> PayerRecord:
        """One payer by its id or an alias, and what it takes."""
        return await self._get(PayerRecord, at("/2024-04-01/payer/{}", payer_id))

    # --- tokens -----------------------------------------------------------------------------------------------------------

    async def issue_token(self, request: TokenRequest | Json) -> Token:
        """A token for the id and secret of a client. A client made with `Credentials` fetches its own."""
        return must(await self._send("POST", "/apip/auth/v2/token", request), Token)

    # --- requests ---------------------------------------------------------------------------------------------------------

    async def _ask(self, kind: type[A], path: str, body: object, key: str | None, prefer: str | None) -> A | Pending:
        headers = {"Prefer": prefer}
        answer = await self._send("POST", f"{_NETWORK}{path}", body, key=key, headers=headers, writes=True)
        return must(answer, Pending) if answer.status == 202 else must(answer, kind)

    async def _submit(self, path: str, body: object, key: str | None, allow_repeated: bool) -> ClaimResponse:
        return await self._write(
            ClaimResponse, path, body, key, {"X-Allow-Repeated-Claim": "true" if allow_repeated else None}
        )

    async def _validate(self, path: str, body: object) -> ClaimResponse:
        return must(await self._send("POST", path, body), ClaimResponse)

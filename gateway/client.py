"""A client of the API: every operation as a coroutine, with the structs that the service itself speaks.

    async with Client("http://127.0.0.1:8080", key=key) as claimwire:
        answer = await claimwire.check_eligibility(request)
        async for item in claimwire.transactions():
            ...

Requests are structs (`EligibilityRequest`, `ProfessionalClaim`, ...) or mappings with the JSON names; answers are structs. Each write
has an `Idempotency-Key`, one of its own unless the caller gives one, so that it can be sent again: after a broken connection, a 429, a
503, or a 409 that says the first is still under way, the very same request is sent again, with its key, after `Retry-After` or a
growing pause. What is no answer is raised:

    ClaimwireError
    +-- Unreachable         no answer came, although it was tried again
    +-- ApiError            an answer that says no: status, message, findings with their field paths, transaction
        +-- Rejected        400, 408, 413, 415, 422: what was sent
        |   +-- KeyReused   422: the Idempotency-Key was used with another body
        +-- NoAccess        401, 403: who was asking
        +-- NotFound        404: there is no such thing, or not yet
        +-- Conflict        409
        +-- LimitExceeded   429: with the names of the limits
        +-- ServiceFailed   5xx: the service, or the payer behind it
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp
import msgspec

from gateway.api.refusals import Problem
from gateway.api.v1 import Clock, Forward
from gateway.batch_messages import (
    BatchCancelled,
    BatchItem,
    BatchItemPage,
    BatchList,
    BatchRequest,
    BatchResultPage,
    BatchStatus,
    BatchTaken,
    RetryRules,
)
from gateway.benefits import BenefitSummary
from gateway.estimate_messages import Estimate, EstimateRequest
from gateway.messages import (
    ClaimResponse,
    ErrorItem,
    ErrorResponse,
    Pending,
    PollingItem,
    PollingPage,
    ReportListing,
    ReportRemoved,
    Trace,
    TransactionView,
)
from gateway.reports import Report277
from gateway.world import SystemWorld, World
from x12.documents.claim_status import ClaimStatusRequest, ClaimStatusResponse
from x12.documents.dental_claim import DentalClaim
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.institutional_claim import InstitutionalClaim
from x12.documents.professional_claim import ProfessionalClaim
from x12.documents.remittance import Report835

__all__ = [
    "ApiError",
    "ClaimwireError",
    "Client",
    "Conflict",
    "Credentials",
    "KeyReused",
    "LimitExceeded",
    "NoAccess",
    "NotFound",
    "Rejected",
    "ServiceFailed",
    "Unreachable",
]

A = TypeVar("A", bound=msgspec.Struct)
Json = Mapping[str, Any]
_NETWORK = "/2024-04-01/change/medicalnetwork"
_BATCHES = "/2024-04-01/eligibility-manager"
_X12 = "application/edi-x12"
_AGAIN = frozenset((429, 503))
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.25, 30.0
# A token is fetched anew so long before its end.
_TOKEN_MARGIN_SECONDS = 30.0


class ClaimwireError(Exception):
    """Whatever keeps an operation from its answer."""


class Unreachable(ClaimwireError):
    """No answer came. A write may have been taken: the same call with the same `idempotency_key` finds out."""

    def __init__(self, reason: str, idempotency_key: str | None) -> None:
        super().__init__(f"no answer: {reason}")
        self.idempotency_key = idempotency_key


@dataclass
class ApiError(ClaimwireError):
    """An answer that says no. `findings` are what is wrong, each with its field path."""

    status: int
    message: str
    findings: list[ErrorItem] = field(default_factory=list[ErrorItem])
    transaction_id: str | None = None
    traceparent: str | None = None
    retry_after_seconds: float | None = None
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"


class Rejected(ApiError):
    """What was sent cannot be taken."""


class KeyReused(Rejected):
    """The Idempotency-Key was used with another body."""


class NoAccess(ApiError):
    """The key is not valid, or lacks the scope."""


class NotFound(ApiError):
    """There is no such thing, or not yet."""


class Conflict(ApiError):
    """Another request stands in the way."""


class LimitExceeded(ApiError):
    """The key has hit a limit."""

    @property
    def limits(self) -> list[str]:
        """Names of the limits, as `RateLimit-Policy` has them."""
        problem = _read(self.body, Problem)
        told = problem.violated_policies if problem is not None else None
        return told or [i.location for i in self.findings if i.location]


class ServiceFailed(ApiError):
    """The service, or the payer behind it, did not do it."""


_ERRORS: dict[int, type[ApiError]] = {
    401: NoAccess, 403: NoAccess, 404: NotFound, 409: Conflict, 422: KeyReused, 429: LimitExceeded,
}  # fmt: skip


@dataclass(frozen=True)
class Credentials:
    """An OAuth2 client (RFC 6749, 4.4): its id and secret, and the path that gives tokens for them."""

    client_id: str
    client_secret: str = field(repr=False)
    token_path: str = "/apip/auth/v2/token"  # noqa: S105 - a path


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Client:
    """A caller of one gateway, with a key or an OAuth2 client. Use it as a context, or `close` it.

    `tries` is how many times a request is sent at most; `timeout_seconds` is for each. A session of the caller's is left open.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        credentials: Credentials | None = None,
        session: aiohttp.ClientSession | None = None,
        tries: int = 5,
        timeout_seconds: float = 60.0,
        world: World | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._credentials = credentials
        self._session = session
        self._owned = session is None
        self._tries = max(1, tries)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._world = world or SystemWorld()
        self._token: tuple[str, float] = ("", 0.0)
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are this client's own."""
        if self._owned and self._session is not None:
            await self._session.close()
            self._session = None

    # --- eligibility and claim status ------------------------------------------------------------------------------------

    async def check_eligibility(
        self, request: EligibilityRequest | Json, *, idempotency_key: str | None = None
    ) -> EligibilityResponse | Pending:
        """Whether a patient is covered, and for what; `Pending` when the payer has not answered in time."""
        return await self._ask("/eligibility/v3", request, EligibilityResponse, idempotency_key)

    async def check_eligibility_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None
    ) -> EligibilityResponse | Pending:
        """The same with a 270 in X12 that asks once."""
        return await self._ask("/eligibility/v3/raw-x12", content, EligibilityResponse, idempotency_key)

    async def inquire_claim_status(
        self, request: ClaimStatusRequest | Json, *, idempotency_key: str | None = None
    ) -> ClaimStatusResponse | Pending:
        """Where a claim stands with its payer; `Pending` when the payer has not answered in time."""
        return await self._ask("/claimstatus/v2", request, ClaimStatusResponse, idempotency_key)

    async def inquire_claim_status_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None
    ) -> ClaimStatusResponse | Pending:
        """The same with a 276 in X12 that asks once."""
        return await self._ask("/claimstatus/v2/raw-x12", content, ClaimStatusResponse, idempotency_key)

    # --- claims ------------------------------------------------------------------------------------------------------------

    async def submit_professional_claim(
        self, claim: ProfessionalClaim | Json, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """Submit a claim; it is durable when this returns, and `Rejected` has every finding when it cannot be sent."""
        return await self._claim("/medicalnetwork/professionalclaims/v3/submission", claim, idempotency_key)

    async def validate_professional_claim(self, claim: ProfessionalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._claim("/medicalnetwork/professionalclaims/v3/validation", claim, None)

    async def submit_professional_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """Submit 837P claims in X12, one or many."""
        return await self._claim("/medicalnetwork/professionalclaims/v3/raw-x12-submission", content, idempotency_key)

    async def validate_professional_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._claim("/medicalnetwork/professionalclaims/v3/raw-x12-validation", content, None)

    async def submit_institutional_claim(
        self, claim: InstitutionalClaim | Json, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """As `submit_professional_claim`, for a hospital's claim."""
        return await self._claim("/medicalnetwork/institutionalclaims/v1/submission", claim, idempotency_key)

    async def validate_institutional_claim(self, claim: InstitutionalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._claim("/medicalnetwork/institutionalclaims/v1/validation", claim, None)

    async def submit_institutional_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """Submit 837I claims in X12, one or many."""
        return await self._claim("/medicalnetwork/institutionalclaims/v1/raw-x12-submission", content, idempotency_key)

    async def validate_institutional_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._claim("/medicalnetwork/institutionalclaims/v1/raw-x12-validation", content, None)

    async def submit_dental_claim(
        self, claim: DentalClaim | Json, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """As `submit_professional_claim`, for a dentist's claim."""
        return await self._claim("/dental-claims/submission", claim, idempotency_key)

    async def validate_dental_claim(self, claim: DentalClaim | Json) -> ClaimResponse:
        """What submitting the claim would say, without sending it."""
        return await self._claim("/dental-claims/validation", claim, None)

    async def submit_dental_claim_x12(
        self, content: str | bytes, *, idempotency_key: str | None = None
    ) -> ClaimResponse:
        """Submit 837D claims in X12, one or many."""
        return await self._claim("/dental-claims/raw-x12-submission", content, idempotency_key)

    async def validate_dental_claim_x12(self, content: str | bytes) -> ClaimResponse:
        """What submitting the file would say, without sending it."""
        return await self._claim("/dental-claims/raw-x12-validation", content, None)

    # --- reports and what is new ----------------------------------------------------------------------------------------

    async def list_reports(self) -> ReportListing:
        """Names of the newest reports in the mailbox."""
        return await self._get(f"{_NETWORK}/reports/v2", ReportListing)

    async def read_report277(self, name: str) -> Report277:
        """A claim acknowledgement, by the id of its transaction or claim, or by its name."""
        return await self._get(f"{_NETWORK}/reports/v2/{name}/277", Report277)

    async def read_report835(self, name: str) -> Report835:
        """A remittance, by the id of its transaction or claim, or by its name."""
        return await self._get(f"{_NETWORK}/reports/v2/{name}/835", Report835)

    async def read_raw_report(self, name: str) -> bytes:
        """A report in X12, as the payer sent it."""
        return (await self._send("GET", f"{_NETWORK}/reports/v2/{name}")).body

    async def remove_report(self, name: str) -> ReportRemoved:
        """Take a report out of the mailbox; it can still be read."""
        return _must(await self._send("DELETE", f"{_NETWORK}/reports/v2/{name}"), ReportRemoved)

    async def poll_transactions(self, page_token: str | None = None, page_size: int = 100) -> PollingPage:
        """A page of what is new since a cursor, oldest first."""
        query = {"pageToken": page_token or "0", "pageSize": str(page_size)}
        return await self._get("/2023-08-01/polling/transactions", PollingPage, query)

    async def read_polled_transaction(self, transaction_id: str) -> PollingItem:
        """One transaction as polling tells it."""
        return await self._get(f"/2023-08-01/transactions/{transaction_id}", PollingItem)

    async def transactions(self, page_token: str | None = None, page_size: int = 100) -> AsyncIterator[PollingItem]:
        """Everything that is new since a cursor, page by page, until nothing is left."""
        while True:
            page = await self.poll_transactions(page_token, page_size)
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
        headers = {"Prefer": "handling=lenient"} if lenient else {}
        answer = await self._send(
            "POST", f"{_BATCHES}/batch-eligibility", batch, key=idempotency_key, headers=headers, write=True
        )
        return _must(answer, BatchTaken)

    async def poll_batch_eligibility(
        self, batch_id: str | None = None, page_token: str | None = None, page_size: int = 10
    ) -> BatchResultPage:
        """A page of results, in the order in which they came."""
        query = {"batchId": batch_id, "pageToken": page_token, "pageSize": str(page_size)}
        return await self._get(f"{_BATCHES}/polling/batch-eligibility", BatchResultPage, query)

    async def read_batch_eligibility(self, batch_id: str) -> BatchStatus:
        """How far a batch has come."""
        return await self._get(f"{_BATCHES}/batch/{batch_id}", BatchStatus)

    async def list_batch_eligibility_items(
        self, batch_id: str, page_token: str | None = None, page_size: int = 100, *, state: str | None = None
    ) -> BatchItemPage:
        """A page of the checks of a batch, and where each stands; of some states only where told."""
        query = {"pageToken": page_token, "pageSize": str(page_size), "state": state}
        return await self._get(f"{_BATCHES}/batch/{batch_id}/items", BatchItemPage, query)

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

    async def list_batches(self, page_token: str | None = None, page_size: int = 20) -> BatchList:
        """A page of batches, newest first."""
        query = {"pageToken": page_token, "pageSize": str(page_size)}
        return await self._get("/v1/eligibility-batches", BatchList, query)

    async def cancel_batch(self, batch_id: str) -> BatchCancelled:
        """End the checks of a batch that are not on their way to a payer. Cancelling again changes nothing."""
        return _must(await self._send("POST", f"/v1/eligibility-batches/{batch_id}/cancel"), BatchCancelled)

    async def read_retry_rules(self, payer_id: str | None = None) -> RetryRules:
        """Which rejections of batch checks are asked again, when, and until when."""
        return await self._get("/v1/eligibility-retry-rules", RetryRules, {"payerId": payer_id})

    # --- transactions, benefits, and the sandbox ---------------------------------------------------------------------------

    async def read_transaction(self, transaction_id: str) -> TransactionView:
        """Where a transaction stands."""
        return await self._get(f"/v1/transactions/{transaction_id}", TransactionView)

    async def trace_transaction(self, transaction_id: str) -> Trace:
        """The whole story of a transaction; raw segments for keys with `raw:read`."""
        return await self._get(f"/v1/transactions/{transaction_id}/trace", Trace)

    async def read_answer(self, transaction_id: str) -> dict[str, Any]:
        """The answer of a transaction as JSON; `NotFound` with `retry_after_seconds` while there is none."""
        return msgspec.json.decode((await self._send("GET", f"/v1/transactions/{transaction_id}/answer")).body)

    async def read_benefits(self, transaction_id: str, patient: int | None = None) -> BenefitSummary:
        """What the answer to an eligibility check says, in order, each figure with its EB."""
        return await self._get(f"/v1/eligibility/{transaction_id}/benefits", BenefitSummary, _patient(patient))

    async def estimate_share(
        self, transaction_id: str, request: EstimateRequest | Json, patient: int | None = None
    ) -> Estimate:
        """What the patient will owe for a visit."""
        path = f"/v1/eligibility/{transaction_id}/estimate"
        return _must(await self._send("POST", path, request, query=_patient(patient)), Estimate)

    async def move_clock(self, days: float = 0, seconds: float = 0, idempotency_key: str | None = None) -> Clock:
        """Move the clock of the sandbox, and of its gateway, ahead."""
        asked = Forward(days=days, seconds=seconds)
        return _must(await self._send("POST", "/v1/sandbox/clock", asked, key=idempotency_key, write=True), Clock)

    async def healthcheck(self) -> bool:
        """Whether the service answers."""
        return (await self._send("GET", f"{_NETWORK}/eligibility/v3/healthcheck")).status == 200

    # --- requests ----------------------------------------------------------------------------------------------------------

    async def _get(self, path: str, kind: type[A], query: Mapping[str, str | None] | None = None) -> A:
        return _must(await self._send("GET", path, query=query), kind)

    async def _ask(self, path: str, body: object, kind: type[A], key: str | None) -> A | Pending:
        answer = await self._send("POST", f"{_NETWORK}{path}", body, key=key, write=True)
        return _must(answer, Pending) if answer.status == 202 else _must(answer, kind)

    async def _claim(self, path: str, body: object, key: str | None) -> ClaimResponse:
        answer = await self._send("POST", f"/2024-04-01{_changed(path)}", body, key=key, write="submission" in path)
        return _must(answer, ClaimResponse)

    async def _send(
        self,
        method: Literal["DELETE", "GET", "POST"],
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        query: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
        write: bool = False,
    ) -> _Answer:
        """Send one request, again where that is safe, until there is an answer that says yes."""
        sent = dict(headers or {})
        content: bytes | None = None
        if isinstance(body, (str, bytes)):
            content = body.encode() if isinstance(body, str) else body
            sent["Content-Type"] = _X12
        elif body is not None:
            content = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        if write:
            sent["Idempotency-Key"] = key = key or self._world.new_id()
        params = {n: v for n, v in (query or {}).items() if v is not None}
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                sent.update(await self._authorization())
                answer = await self._once(method, path, content, params, sent)
            except (aiohttp.ClientError, TimeoutError) as error:
                if last:
                    raise Unreachable(type(error).__name__, key) from error
                await self._pause(attempt, None)
                continue
            if answer.status < 400:
                return answer
            failure = _failure(answer)
            # A key under way tells when to ask again; another conflict does not.
            waits = answer.status in _AGAIN or (answer.status == 409 and failure.retry_after_seconds is not None)
            if last or not waits:
                raise failure
            await self._pause(attempt, failure.retry_after_seconds)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(
        self, method: str, path: str, content: bytes | None, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> _Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.request(
            method, self._url + path, data=content, params=params, headers=headers, timeout=self._timeout
        ) as response:
            return _Answer(response.status, response.headers, await response.read())

    async def _pause(self, attempt: int, retry_after_seconds: float | None) -> None:
        """As long as was asked for, else longer each time, with some chance in it so that callers do not come back together."""
        pause = retry_after_seconds
        if pause is None:
            pause = min(_PAUSE_SECONDS * 2 ** (attempt - 1), _PAUSE_SECONDS_MAX) * (0.5 + self._world.random())
        await self._world.sleep(min(pause, _PAUSE_SECONDS_MAX))

    async def _authorization(self) -> dict[str, str]:
        if self._credentials is None:
            return {} if self._key is None else {"Authorization": self._key}
        async with self._fetching:
            if self._world.monotonic() >= self._token[1]:
                self._token = await self._fetched(self._credentials)
        return {"Authorization": f"Bearer {self._token[0]}"}

    async def _fetched(self, credentials: Credentials) -> tuple[str, float]:
        """A new token, and until when it is used."""
        asked = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        headers = {"Content-Type": "application/json"}
        answer = await self._once("POST", credentials.token_path, msgspec.json.encode(asked), {}, headers)
        if answer.status >= 400:
            raise _failure(answer)
        token = _must(answer, _Token)
        return token.access_token, self._world.monotonic() + max(0.0, token.expires_in - _TOKEN_MARGIN_SECONDS)


def _changed(path: str) -> str:
    """The medical network's paths have a vendor's prefix, those of dental claims have none."""
    return f"/change{path}" if path.startswith("/medicalnetwork") else path


def _patient(patient: int | None) -> dict[str, str | None]:
    return {"patient": None if patient is None else str(patient)}


def _read(body: bytes, kind: type[A]) -> A | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _must(answer: _Answer, kind: type[A]) -> A:
    """The answer as a struct; ServiceFailed when it is none, such as a page of a proxy."""
    made = _read(answer.body, kind)
    if made is None:
        raise ServiceFailed(answer.status, f"the answer is no {kind.__name__}", body=answer.body)
    return made


def _failure(answer: _Answer) -> ApiError:
    """What an answer that says no comes to, in either shape of refusals."""
    kind = _ERRORS.get(answer.status, Rejected if answer.status < 500 else ServiceFailed)
    problem, refused = _read(answer.body, Problem), _read(answer.body, ErrorResponse)
    findings = list((problem or refused or ErrorResponse()).errors or ())
    if problem is not None:
        message = f"{problem.title} {problem.detail}" if problem.detail else problem.title
    else:
        told = refused.message if refused is not None else None
        message = told or "; ".join(f.description or "" for f in findings) or "the request was refused"
    headers = answer.headers
    return kind(
        answer.status,
        message,
        findings,
        headers.get("X-Transaction-Id"),
        headers.get("traceparent"),
        _retry_after(headers.get("Retry-After"), headers.get("Date")),
        answer.body,
    )


def _retry_after(said: str | None, date: str | None) -> float | None:
    """Seconds to wait, told as such or as a date (RFC 9110, 10.2.3); None where nothing sensible was told."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        until = time.mktime(time.strptime(said, "%a, %d %b %Y %H:%M:%S GMT"))
        now = time.mktime(time.strptime(date or "", "%a, %d %b %Y %H:%M:%S GMT"))
    except (ValueError, OverflowError):
        return None
    return max(0.0, until - now)

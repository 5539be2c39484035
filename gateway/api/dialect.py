"""The paths that clients of hosted clearinghouses call, with and without their dated or vendor prefix and final slash."""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web

from gateway.api.operations import Call, Example, Operation, Outcome
from gateway.api.parameters import WrongParameter, number, refused, since, token
from gateway.claim_kinds import CLAIM_KINDS, DENTAL, INSTITUTIONAL, ClaimKind
from gateway.ledger.transactions import Unknown
from gateway.messages import (
    ClaimMeta,
    ClaimResponse,
    ErrorItem,
    ErrorResponse,
    Pending,
    PollingItem,
    PollingPage,
    ReportListing,
    ReportRemoved,
    X12Body,
)
from gateway.replies import Refusal, Reply
from gateway.reports import Report277
from observability import tracing
from queues.database import Transaction
from x12.documents.claim_status import ClaimStatusRequest, ClaimStatusResponse
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.remittance import Report835

__all__ = ["INQUIRIES", "OPERATIONS", "POLLED", "PREFIXES", "REPEATING", "SUBMISSIONS"]

PREFIXES = ("/2024-04-01/change", "/change", "")
_NETWORK = "/medicalnetwork"
# A page that is asked for is this long at most; what is given is shorter.
_SIZE_MAX = 100_000


def _paths(*suffixes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{_NETWORK}{suffix}" for suffix in suffixes for prefix in PREFIXES)


async def _eligibility(call: Call) -> Reply:
    return await call.service.check_eligibility(call.body, call.key, call.patience)


async def _eligibility_x12(call: Call) -> Reply:
    return await call.service.inquire_x12("eligibility", call.body, call.is_json, call.key, call.patience)


async def _status(call: Call) -> Reply:
    return await call.service.inquire_status(call.body, call.key, call.patience)


async def _status_x12(call: Call) -> Reply:
    return await call.service.inquire_x12("claim_status", call.body, call.is_json, call.key, call.patience)


def not_found(what: str) -> Reply:
    """404 in the dialect's shape."""
    item = ErrorItem(code="404", description=f"There is no such {what}.")
    return Reply(404, msgspec.json.encode(ErrorResponse(status="ERROR", errors=[item])))


async def _report(call: Call, kind: Literal["277", "835"]) -> Reply | web.Response:
    try:
        found = await call.views.report(call.part("name"), kind)
    except Unknown:
        found = None
    if found is None:
        return not_found("report")
    return Reply(200, found) if isinstance(found, bytes) else web.Response(body=found, content_type="application/json")


async def _report_277(call: Call) -> Reply | web.Response:
    return await _report(call, "277")


async def _report_835(call: Call) -> Reply | web.Response:
    return await _report(call, "835")


async def _reports(call: Call) -> Reply:
    return Reply(200, msgspec.json.encode(await call.views.reports()))


async def _raw_report(call: Call) -> Reply | web.Response:
    try:
        found = await call.views.raw_report(call.part("name"))
    except Unknown:
        found = None
    return not_found("report") if found is None else web.Response(body=found, content_type="application/edi-x12")


async def _remove_report(call: Call) -> Reply:
    name = call.part("name")

    async def take(tx: Transaction) -> Reply:
        if not await call.views.remove_report(tx, name):
            raise Refusal(not_found("report"))
        removed = ReportRemoved(status="success", meta=ClaimMeta(trace_id=tracing.current_trace_id() or None))
        return Reply(200, msgspec.json.encode(removed))

    try:
        return await call.service.taking("report removal", call.key, name.encode(), take)
    except Refusal as refusal:
        return refusal.reply


async def _polling(call: Call) -> Reply:
    try:
        after, size, behind = token(call, 0), number(call, "pageSize", 1, _SIZE_MAX, 100), since(call)
    except WrongParameter as error:
        return refused(error)
    found = await call.views.polling(after, size, f"{call.request.scheme}://{call.request.host}", behind)
    return Reply(200, msgspec.json.encode(found))


async def _listing(call: Call) -> Reply:
    try:
        after, size = token(call, 0), number(call, "pageSize", 1, _SIZE_MAX, 100)
    except WrongParameter as error:
        return refused(error)
    found = await call.views.polling(after, size, f"{call.request.scheme}://{call.request.host}")
    if not found.items:
        found.next_page_token = None
    return Reply(200, msgspec.json.encode(found))


async def _polled(call: Call) -> Reply:
    try:
        found = await call.views.polled(call.part("transactionId"), f"{call.request.scheme}://{call.request.host}")
    except Unknown:
        return not_found("transaction")
    return Reply(200, msgspec.json.encode(found), found.transaction_id)


async def _health(_: Call) -> Reply:
    return Reply(200, b'{"status":"ok"}')


_REFUSED = Outcome("What is wrong, all at once, with field paths.", ErrorResponse)
_CLAIM_REFUSED = Outcome("What is wrong, all at once, with field paths.", ClaimResponse)
_LATER = Outcome("The payer has not answered yet; the inquiry goes on.", Pending)
_BEFORE = Outcome("The Idempotency-Key is in use with the same body, and unanswered.", ErrorResponse)
_OTHER = Outcome("The Idempotency-Key was used with another body.", ErrorResponse)
_AWAY = Outcome("The payer could not be reached.", ErrorResponse)
_NO = Outcome("The payer refused the inquiry.", ErrorResponse)
_NOTHING = Outcome("There is no such report.", ErrorResponse)
_X12 = "application/edi-x12"
_LISTED = {"listReports": "/reports/0"}
POLLED = {"pollTransactions": "/items/0/transactionId"}
_PAGED = {
    "pageToken": "The nextPageToken of the page before.",
    "pageSize": "How many at most; 100 by itself, and never more than 200.",
}
_PREFERRING = {
    "Prefer": "`respond-async` is answered 202 at once, `wait=5` after five seconds at most (RFC 7240). The work goes on."
}
# Operations whose answers begin a transaction.
SUBMISSIONS = tuple(f"submit{k.name.capitalize()}Claim{form}" for k in CLAIM_KINDS.values() for form in ("", "X12"))
INQUIRIES = ("checkEligibility", "checkEligibilityX12", "inquireClaimStatus", "inquireClaimStatusX12")


def _inquiry(answer: type) -> dict[int, Outcome]:
    return {
        200: Outcome("The payer's answer, rejections included.", answer),
        202: _LATER,
        400: _REFUSED,
        409: _BEFORE,
        422: _OTHER,
        502: _NO,
        503: _AWAY,
    }


_REPEATED = Outcome(
    "Possible duplicate: the same claim was submitted before, as the transaction that is named. Or the Idempotency-Key is in use.",
    ClaimResponse,
)
_CLAIM = {
    200: Outcome("Taken, durably; of a file in X12 what is good in it.", ClaimResponse),
    400: _CLAIM_REFUSED,
    409: _REPEATED,
    422: _OTHER,
}
REPEATING = {
    "X-Allow-Repeated-Claim": "`true` takes a claim although the very same one was submitted before; its trace says that the caller let it pass."
}
_JUDGED = {
    200: Outcome("Nothing is wrong; or of a file in X12, not with every claim.", ClaimResponse),
    400: _CLAIM_REFUSED,
    409: _REPEATED,
}


def _claim_paths(kind: ClaimKind, *suffixes: str) -> tuple[str, ...]:
    """Where a kind's claims go. The newer paths of dental claims have a dated prefix only."""
    prefixes = ("/2024-04-01", "") if kind is DENTAL else PREFIXES
    return tuple(f"{prefix}{kind.path}{suffix}" for suffix in suffixes for prefix in prefixes)


# Bodies that run against the sandbox payer, whose scripts go by member id and patient control number: for each kind of claim
# those in JSON and those in X12.
_ELIGIBILITY = {
    "covered": Example("A member who is covered.", file="eligibility.json"),
    "benefits": Example("A member whose answer is rich in benefits.", file="benefits.json"),
    "notFound": Example("A member whom the payer does not know: an answer with errors.", file="unknown_member.json"),
}
_EXAMPLES: dict[str, tuple[dict[str, Example], dict[str, Example]]] = {
    "professional": (
        {
            "paid": Example("An office visit.", file="professional.json"),
            "wrong": Example("A claim with three things wrong.", file="professional_wrong.json", status=400),
        },
        {"paid": Example("An office visit.", file="837p.x12")},
    ),
    "institutional": (
        {"paid": Example("A stay of two days.", file="institutional.json")},
        {"paid": Example("A stay of two days.", file="837i.x12")},
    ),
    "dental": (
        {"paid": Example("A filling.", file="dental.json")},
        {"paid": Example("A filling.", file="837d.x12")},
    ),
}


def _claims(kind: ClaimKind) -> tuple[Operation, ...]:
    """Submit and validate claims of a kind, in JSON and in X12."""

    async def submit(call: Call) -> Reply:
        return await call.service.submit_claim(kind, call.body, call.key, allow_repeated=call.allows_repeated_claims)

    async def validate(call: Call) -> Reply:
        return await call.service.validate_claim(kind, call.body)

    async def submit_x12(call: Call) -> Reply:
        return await call.service.submit_claims_x12(
            kind, call.body, call.is_json, call.key, allow_repeated=call.allows_repeated_claims
        )

    async def validate_x12(call: Call) -> Reply:
        return await call.service.validate_claims_x12(kind, call.body, call.is_json)

    json, x12 = _EXAMPLES[kind.name]
    name, one = kind.name.capitalize(), "an" if kind is INSTITUTIONAL else "a"
    return (
        Operation(
            f"submit{name}Claim", "POST", _claim_paths(kind, "/submission"), f"Submit {one} {kind.name} claim.",
            "claims:write", submit, _CLAIM, kind.type, writes=True, headers=REPEATING, tag="claims", examples=json,
        ),
        Operation(
            f"validate{name}Claim", "POST", _claim_paths(kind, "/validation"), f"Judge {one} {kind.name} claim without sending it.",
            "claims:write", validate, _JUDGED, kind.type, tag="claims", examples=json,
        ),
        Operation(
            f"submit{name}ClaimX12", "POST", _claim_paths(kind, "/raw-x12-submission"), f"Submit {kind.name} claims in X12, one or many.",
            "claims:write", submit_x12, _CLAIM, X12Body, takes_x12=True, writes=True, headers=REPEATING, tag="claims", examples=x12,
        ),
        Operation(
            f"validate{name}ClaimX12", "POST", _claim_paths(kind, "/raw-x12-validation"), f"Judge {kind.name} claims in X12.",
            "claims:write", validate_x12, _JUDGED, X12Body, takes_x12=True, tag="claims", examples=x12,
        ),
    )  # fmt: skip


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "checkEligibility", "POST", _paths("/eligibility/v3"), "Ask a payer whether a patient is covered, and for what.",
        "eligibility:write", _eligibility, _inquiry(EligibilityResponse), EligibilityRequest, writes=True, headers=_PREFERRING, tag="eligibility",
        examples=_ELIGIBILITY,
    ),
    Operation(
        "checkEligibilityX12", "POST", _paths("/eligibility/v3/raw-x12"), "The same with a 270 in X12.",
        "eligibility:write", _eligibility_x12, _inquiry(EligibilityResponse), X12Body, takes_x12=True, writes=True, headers=_PREFERRING, tag="eligibility",
        examples={"covered": Example("A member who is covered.", file="270.x12")},
    ),
    Operation(
        "inquireClaimStatus", "POST", _paths("/claimstatus/v2"), "Ask a payer where a claim stands.",
        "claims:read", _status, _inquiry(ClaimStatusResponse), ClaimStatusRequest, writes=True, headers=_PREFERRING, tag="claim status",
        examples={"byNumber": Example("A claim by its patient control number.", file="claim_status.json")},
    ),
    Operation(
        "inquireClaimStatusX12", "POST", _paths("/claimstatus/v2/raw-x12"), "The same with a 276 in X12.",
        "claims:read", _status_x12, _inquiry(ClaimStatusResponse), X12Body, takes_x12=True, writes=True, headers=_PREFERRING, tag="claim status",
        examples={"byNumber": Example("A claim by its patient control number.", file="276.x12")},
    ),
    *(operation for kind in CLAIM_KINDS.values() for operation in _claims(kind)),
    Operation(
        "listReports", "GET", _paths("/reports/v2"), "Names of the newest reports: X3 for 277CA, R5 for 835.",
        "claims:read", _reports, {200: Outcome("The mailbox.", ReportListing)}, tag="reports",
    ),
    Operation(
        "readReport277", "GET", _paths("/reports/v2/{name}/277"), "A claim acknowledgement, by its transaction, its claim or its name.",
        "claims:read", _report_277, {200: Outcome("The report.", Report277), 404: _NOTHING}, tag="reports",
        follows=SUBMISSIONS,
    ),
    Operation(
        "readReport835", "GET", _paths("/reports/v2/{name}/835"), "A remittance, by its transaction, its claim or its name.",
        "claims:read", _report_835, {200: Outcome("The remittance.", Report835), 404: _NOTHING}, tag="reports",
        follows=SUBMISSIONS,
    ),
    Operation(
        "readRawReport", "GET", _paths("/reports/v2/{name}"), "A report as the payer sent it.",
        "raw:read", _raw_report, {200: Outcome("X12.", str, _X12), 404: _NOTHING}, tag="reports", found_in=_LISTED,
    ),
    Operation(
        "removeReport", "DELETE", _paths("/reports/v2/{name}"), "Take a report out of the mailbox; it can still be read.",
        "claims:write", _remove_report, {200: Outcome("It is out.", ReportRemoved), 404: _NOTHING, 409: _BEFORE, 422: _OTHER},
        writes=True, tag="reports", found_in=_LISTED,
    ),
    Operation(
        "pollTransactions", "GET", ("/2023-08-01/polling/transactions",),
        "What is new since a cursor, or since a time. Each page has a `nextPageToken`, also one with no items: keep the last, and go on there.",
        "claims:read", _polling, {200: Outcome("A page, oldest first.", PollingPage), 400: _REFUSED},
        query={
            "startDateTime": "What was processed later than this, ISO 8601; for the first page, where there is no token yet.",
            **_PAGED,
        },
        tag="polling",
    ),
    Operation(
        "listTransactions", "GET", ("/2023-08-01/transactions",), "All transactions, until a page has no `nextPageToken`.",
        "claims:read", _listing, {200: Outcome("A page, oldest first.", PollingPage), 400: _REFUSED}, query=_PAGED, tag="polling",
    ),
    Operation(
        "readPolledTransaction", "GET", ("/2023-08-01/transactions/{transactionId}",), "One transaction, as polling shows it.",
        "claims:read", _polled, {200: Outcome("The transaction.", PollingItem), 404: Outcome("There is no such transaction.", ErrorResponse)},
        tag="polling", follows=(*INQUIRIES, *SUBMISSIONS), found_in=POLLED,
    ),
    Operation(
        "healthcheck", "GET",
        (
            *_paths("/eligibility/v3/healthcheck", "/claimstatus/v2/healthcheck", "/reports/v2/healthcheck"),
            *(path for kind in CLAIM_KINDS.values() for path in _claim_paths(kind, "/healthcheck")),
        ),
        "Whether the service is up.", None, _health, {200: Outcome("It is.", dict[str, str])}, tag="operations",
    ),
)  # fmt: skip

"""Eligibility and claim status inquiries: committed to before they leave, answered in the dialect's JSON.

The caller's request and the worker that takes over after a crash or a deadline share these functions, so that an inquiry
is answered the same way whoever brings it home.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.envelopes import TRACE_ASSIGNER, commit_interchange, reference
from gateway.ledger import idempotency, interchanges, payloads, search, transactions
from gateway.ledger.interchanges import Interchange, Member
from gateway.lifecycle import Acknowledged, Answered, Built, Fact, Rerouted
from gateway.payers import Payer, Route
from gateway.retry_rules import Rejection
from gateway.runtime import TENANT, Runtime
from gateway.world import dated
from observability import tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND
from x12.discreet import Discreet
from x12.documents.acknowledgements import read_999
from x12.documents.binding import read as read_document
from x12.documents.claim_status import (
    ClaimStatusRequest,
    ClaimStatusResponse,
    ResponseError,
    StatusErrorResponse,
    read_status_responses,
    write_status_request,
)
from x12.documents.eligibility import EligibilityResponse, Meta, read_responses
from x12.documents.eligibility_request import EligibilityRequest, write_request
from x12.documents.parts import AAAError, Header
from x12.documents.writing import Written
from x12.envelope import TransactionSet, read
from x12.finding import Finding
from x12.syntax import CANONICAL

__all__ = [
    "Answer",
    "Prepared",
    "answer_of",
    "carry_over",
    "commit_answer",
    "commit_inquiry",
    "further_findings",
    "meta_of",
    "prepare_eligibility",
    "prepare_status",
    "prepare_x12",
]

Kind = Literal["eligibility", "claim_status"]
# Kind -> ST01 of question and answer, GS01 and GS08 of the question.
SETS: dict[Kind, tuple[str, str, tuple[str, str]]] = {
    "eligibility": ("270", "271", ("HS", "005010X279A1")),
    "claim_status": ("276", "277", ("HR", "005010X212")),
}
# What stands for a payer that is not known.
_NOBODY = "UNKNOWN"
# The work item that takes over when this process does not bring the answer home: after the deadline, with some room.
TAKE_OVER_SECONDS = 30.0


class Prepared(Discreet):
    """An inquiry that is ready to be committed to: one transaction set in canonical separators, and what it can be found by.

    `usage` is ISA15 where it is not the route's: a test is asked about by a test.
    """

    kind: Kind
    transaction_id: str
    interchange_id: str
    payer_id: str
    route: Route
    segments: list[str]
    trace_number: str
    member_id: str | None = None
    parent_id: str | None = None
    usage: str | None = None

    @property
    def asked(self) -> list[str]:
        """The trace numbers that it asks under, in their order: those of raw X12 may be many, or none."""
        rows = (s.split(CANONICAL.element) for s in self.segments if s.startswith(f"TRN{CANONICAL.element}"))
        return [row[2] for row in rows if len(row) > 2]


class Answer(Discreet):
    """What the payer said: the fact for the transaction, the HTTP status and the JSON for the caller.

    `rejections` are the AAA of an eligibility answer, `coverage` what it comes to: ACTIVE, INACTIVE, INVESTIGATE or FAILED.
    """

    fact: Fact
    status: int
    body: bytes
    rejections: list[Rejection] = msgspec.field(default_factory=list[Rejection])
    coverage: str = "FAILED"


def _header(runtime: Runtime, interchange_id: str) -> Header:
    return Header("0001", reference(interchange_id), *dated(runtime.world.micros()))


def _prepared(runtime: Runtime, kind: Kind, payer: Payer, transaction_id: str | None = None) -> Prepared:
    transaction_id = transaction_id or runtime.world.new_id()
    route = runtime.directory.route(payer)
    return Prepared(kind, transaction_id, runtime.world.new_id(), payer.id, route, [], reference(transaction_id))


def written_question(told: bytes, header: Header, trace: tuple[str, str]) -> Written:
    """The 270 of a request in JSON."""
    return write_request(msgspec.json.decode(told, type=EligibilityRequest), header, trace)


async def further_findings(runtime: Runtime, request: EligibilityRequest | ClaimStatusRequest) -> list[Finding]:
    """What else is wrong with a question of which it is not known to whom it goes."""
    asked = msgspec.structs.replace(request, trading_partner_service_id=_NOBODY, trading_partner_name=_NOBODY)
    header = Header("0001", _NOBODY, *dated(runtime.world.micros()))
    if isinstance(asked, ClaimStatusRequest):
        return write_status_request(asked, header, _NOBODY).findings
    told = msgspec.json.encode(asked)
    return (await runtime.judges.call(written_question, told, header, (_NOBODY, TRACE_ASSIGNER))).findings


async def prepare_eligibility(
    runtime: Runtime, payer: Payer, request: EligibilityRequest, transaction_id: str | None = None
) -> tuple[Prepared, Written]:
    """A 270 out of a request, the payer's own name and id filled in; under an id that was given out before, where there is one."""
    made = _prepared(runtime, "eligibility", payer, transaction_id)
    asked = msgspec.structs.replace(request, trading_partner_service_id=payer.id, trading_partner_name=payer.name)
    header, trace = _header(runtime, made.interchange_id), (made.trace_number, TRACE_ASSIGNER)
    written = await runtime.judges.call(written_question, msgspec.json.encode(asked), header, trace)
    made.segments = written.segments
    made.member_id = request.subscriber.member_id if request.subscriber else None
    return made, written


def prepare_status(
    runtime: Runtime, payer: Payer, request: ClaimStatusRequest, parent_id: str | None = None
) -> tuple[Prepared, Written]:
    """A 276 out of a request, the payer's own name and id filled in."""
    made = _prepared(runtime, "claim_status", payer)
    asked = msgspec.structs.replace(request, trading_partner_service_id=payer.id, trading_partner_name=payer.name)
    written = write_status_request(asked, _header(runtime, made.interchange_id), made.trace_number)
    made.segments, made.parent_id = written.segments, parent_id
    made.member_id = request.subscriber.member_id if request.subscriber else None
    return made, written


def prepare_x12(runtime: Runtime, kind: Kind, payer: Payer, segments: Sequence[str]) -> Prepared:
    """An inquiry out of a clean transaction set of the caller's, in canonical separators; it leaves as it came."""
    made = _prepared(runtime, kind, payer)
    made.segments = list(segments)
    # What the payer will repeat is the caller's own number.
    made.trace_number = next(iter(made.asked), made.trace_number)
    return made


async def commit_inquiry(
    tx: Transaction,
    runtime: Runtime,
    made: Prepared,
    request: bytes | None,
    *,
    hold_seconds: float | None,
    claimed: bool = True,
) -> tuple[Interchange, bytes]:
    """Commit to an inquiry: transaction, interchange, and the work that would bring it home; the interchange and its bytes.

    `claimed` says that the caller sends it at once, and `hold_seconds` how long the work leaves it alone: None where the caller
    brings it home by work of its own. `request` is None where it is kept already.
    """
    now, route = runtime.world.micros(), made.route
    trace = tracing.current()
    subject = transactions.Transaction(
        TENANT,
        made.transaction_id,
        made.kind,
        "accepted",
        route.id,
        made.payer_id,
        made.usage or route.usage,
        now,
        now,
        parent_id=made.parent_id,
        request_id=made.transaction_id,
        traceparent=trace,
    )
    if request is not None:
        await payloads.store(tx, runtime.vault, TENANT, made.transaction_id, "request", request, now)
    interchange, content, built = await _carried(tx, runtime, made, trace, claimed=claimed)
    await transactions.insert(tx, subject, built, runtime.profile(made.payer_id), made.interchange_id)
    found_by: dict[search.Scope, str | None] = {"trace_number": made.trace_number, "member_id": made.member_id}
    await search.add(tx, runtime.vault, TENANT, made.transaction_id, found_by)
    if hold_seconds is not None:
        await _hold(tx, made, now, hold_seconds)
    return interchange, content


async def carry_over(
    tx: Transaction, runtime: Runtime, made: Prepared, before: Interchange, reason: str, hold_seconds: float | None
) -> tuple[Interchange, bytes]:
    """Let a question of which nothing has left go over another route: a new interchange for the one `before`, which never leaves.

    `hold_seconds` is when the worker takes over, as for `commit_inquiry`.
    """
    now = runtime.world.micros()
    await interchanges.set_state(tx, before, "rejected", f"not sent, asked over another route: {reason}")
    await work.discard(tx, TENANT, "send", before.interchange_id)
    subject = await transactions.get(tx, TENANT, made.transaction_id)
    interchange, content, built = await _carried(tx, runtime, made, subject.traceparent, claimed=True)
    subject.route_id = made.route.id
    await transactions.reroute(tx, TENANT, [made.transaction_id], made.route.id)
    for fact in (Rerouted(made.route.id), built):
        await transactions.apply(tx, subject, fact, runtime.profile(made.payer_id), now, made.interchange_id)
    if hold_seconds is not None:
        await _hold(tx, made, now, hold_seconds)
    return interchange, content


async def _carried(
    tx: Transaction, runtime: Runtime, made: Prepared, trace: str, *, claimed: bool
) -> tuple[Interchange, bytes, Built]:
    """The interchange of a question, its bytes, and what that means for its transaction."""
    member = Member(made.segments[0].split(CANONICAL.element)[2], 0, made.transaction_id)
    interchange, content = await commit_interchange(
        tx,
        runtime,
        TENANT,
        made.interchange_id,
        made.route,
        SETS[made.kind][2],
        [made.segments],
        [member],
        runtime.world.micros(),
        trace,
        claimed=claimed,
        usage=made.usage,
    )
    return interchange, content, Built(interchange.control_number, member.control_number)


async def _hold(tx: Transaction, made: Prepared, now: int, seconds: float) -> None:
    """Have the work at hand that takes over where nobody brings the answer home by then."""
    run_at = now + round(seconds * SECOND)
    await work.enqueue(tx, TENANT, made.interchange_id, "send", made.interchange_id, now, run_at)


class _Numbered(msgspec.Struct, rename="camel"):
    """What a question in JSON is called by its caller."""

    control_number: str | int | None = None


def _own_number(told: bytes) -> str | None:
    """The caller's control number of a question; None where it told none, or asked in X12."""
    try:
        number = msgspec.json.decode(told, type=_Numbered).control_number
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return str(number).strip() or None if number is not None else None


def answer_of(kind: Kind, meta: Meta, payload: bytes, asked: Sequence[str], told: bytes = b"") -> Answer | None:
    """What a received interchange says to an inquiry, of which `meta` tells; None when it holds no answer to it.

    `told` is the question as it came: its control number is the caller's own, and given back.

    An interchange may answer many inquiries: the one meant is known by a trace number that it asked under, or by being
    alone. An inquiry that asked under several numbers, or under none, is answered by all that came.
    """
    for interchange in read(payload, levels=(1, 2)):
        for received in interchange.sets:
            if received.set_id == "999" and received.guide is not None:
                return _refused_by_999(kind, meta, received)
        answers = [s for s in interchange.sets if s.set_id == SETS[kind][1] and s.guide is not None]
        documents = [d for s in answers for d in _documents(kind, s)]
        mine = [d for d in documents if _trace_numbers(d) & set(asked)]
        if len(asked) == 1:
            mine = mine[:1] or (documents if len(documents) == 1 else [])
        elif mine or not asked or len(documents) == 1:
            mine = documents
        if mine:
            return _answered(meta, _own_number(told) or interchange.control_number, mine, payload)
        refusal = next((t for t in interchange.acknowledgements if len(t) > 3 and t[3] == "R"), None)
        if refusal is not None:
            return _refused(
                kind, meta, Acknowledged("TA1", False, [refusal[4] if len(refusal) > 4 else ""]), None, None
            )
    return None


def _documents(kind: Kind, received: TransactionSet) -> list[msgspec.Struct]:
    root = received.tree()
    if kind == "claim_status":
        return [*read_status_responses(root)]
    answers = read_responses(root)
    for answer in answers:
        answer.meta = read_document(Meta, root)
    return [*answers]


def _trace_numbers(document: msgspec.Struct) -> set[str | None]:
    if isinstance(document, EligibilityResponse):
        return {t.reference_identification for t in document.subscriber_trace_numbers or ()}
    claims = getattr(document, "claims", None) or ()
    return {c.claim_status.tracking_number for c in claims if c.claim_status is not None}


def meta_of(transaction_id: str, usage: str | None, route_id: str) -> Meta:
    """What an answer says of its transaction; of its mode nothing where nobody knows by which route it would have gone."""
    mode = None if usage is None else "production" if usage == "P" else "test"
    return Meta(trace_id=transaction_id, application_mode=mode, sender_id=route_id)


def _answered(meta: Meta, control_number: str, documents: Sequence[msgspec.Struct], payload: bytes) -> Answer:
    """One document as an object, several as a list."""
    rejections: list[Rejection] = []
    said: set[str] = set()
    filled = {
        "meta": meta,
        "control_number": control_number,
        "reassociation_key": control_number,
        "x12": payload.decode("latin-1"),
    }
    for document in documents:
        if isinstance(document, EligibilityResponse):
            rejections += [Rejection(e.code, e.followup_action or "") for e in document.errors or () if e.code]
            said |= {s.status_code for s in document.plan_status or () if s.status_code}
            document.id = meta.trace_id
            repeated = document.meta.outbound_trace_id if document.meta is not None else None
            filled["meta"] = msgspec.structs.replace(meta, outbound_trace_id=repeated)
        for name, value in filled.items():
            setattr(document, name, value)
    body = msgspec.json.encode(documents[0] if len(documents) == 1 else documents)
    return Answer(Answered([r.code for r in rejections]), 200, body, rejections, _coverage(rejections, said))


def _coverage(rejections: Sequence[Rejection], statuses: set[str]) -> str:
    """What an answer comes to, by the EB01 that tell of coverage: what says neither is for a person to look at."""
    if rejections:
        return "FAILED"
    if statuses & set("12345"):
        return "ACTIVE"
    return "INACTIVE" if statuses else "INVESTIGATE"


def _refused_by_999(kind: Kind, meta: Meta, received: TransactionSet) -> Answer:
    said = read_999(received.tree())
    codes = [c for s in said.sets or () for c in s.codes or ()] or list(said.codes or ())
    accepted = said.accepted is True
    return _refused(kind, meta, Acknowledged("999", accepted, codes), said.code, codes[0] if codes else None)


def _refused(kind: Kind, meta: Meta, fact: Acknowledged, code: str | None, error: str | None) -> Answer:
    """The payer did not take the question: an answer of our own words in the dialect's shape."""
    wrong = AAAError(
        code=fact.codes[0] if fact.codes else None,
        description=f"The payer did not accept the inquiry ({fact.by}).",
        followup_action="Please Correct and Resubmit",
        location=fact.by,
        possible_resolutions="Ask the payer which part of the inquiry it does not take; the trace has the acknowledgement.",
    )
    if kind == "eligibility":
        response = EligibilityResponse(id=meta.trace_id, errors=[wrong])
    else:
        said = ResponseError(
            code=wrong.code,
            description=wrong.description,
            followup_action=wrong.followup_action,
            location=wrong.location,
            possible_resolutions=wrong.possible_resolutions,
        )
        refused = StatusErrorResponse(code=wrong.code, description=wrong.description, errors=[said])
        response = ClaimStatusResponse(status="ERROR", error_response=refused)
    response.meta = meta
    response.transaction_set_acknowledgement = code or "R"
    response.implementation_transaction_set_syntax_error = error
    return Answer(fact, 400, msgspec.json.encode(response))


async def commit_answer(
    tx: Transaction,
    runtime: Runtime,
    subject: transactions.Transaction,
    answer: Answer,
    interchange_id: str | None,
    inbound_id: str | None,
) -> None:
    """Keep an answer, once: later ones become events only."""
    now = runtime.world.micros()
    answer_id = subject.answer_id
    if answer_id is None:
        answer_id = runtime.world.new_id()
        await payloads.store(tx, runtime.vault, subject.tenant_id, answer_id, "answer", answer.body, now)
        await idempotency.answer_for(tx, subject.tenant_id, subject.transaction_id, answer.status, answer_id)
    await transactions.apply(
        tx,
        subject,
        answer.fact,
        runtime.profile(subject.payer_id),
        now,
        interchange_id,
        inbound_id,
        answer_id=answer_id,
    )
    tx.after_commit(runtime.metrics.facts(subject.kind, type(answer.fact).__name__).inc)

"""Takes batches of eligibility checks: judged before anything is kept, kept before anybody is told, asked by the worker.

A batch may be large, so it is judged and stored some checks at a time, and counts only once the last commit has opened it: what
a crash leaves half stored is dropped at the next start, and nobody was told of it. One wrong check refuses the whole, as clients
of hosted services expect, unless the caller says `Prefer: handling=lenient` (RFC 7240); then it is left out and told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as made_of
from typing import Any

import msgspec

from gateway.batch_messages import CHECKS_MAX, NAME_PATTERN, BatchCancelled, BatchTaken, CheckRefused
from gateway.envelopes import TRACE_ASSIGNER
from gateway.inboxes import NotThere
from gateway.inquiries import meta_of, written_question
from gateway.ledger import checks, idempotency, payloads
from gateway.ledger.checks import Batch, Check
from gateway.messages import ErrorItem, ErrorResponse, error_items
from gateway.payers import Payer, UnknownPayer
from gateway.replies import KeyTaken, Reply, replayed
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from observability import tracing
from queues import work
from queues.database import Transaction, Unique
from x12.documents.binding import Document, Text
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import BYTE_ORDER_MARK, decode
from x12.documents.parts import Header
from x12.finding import Finding
from x12.syntax import unwritable_character

__all__ = ["RETRY_HOURS", "RETRY_HOURS_MAX", "BatchEligibility", "judged_checks"]

OPERATION = "batch eligibility"
RETRY_HOURS, RETRY_HOURS_MAX = 8, 24
# So many are judged, and so many stored, before others have their turn.
_JUDGED_AT_ONCE = 16
_STORED_AT_ONCE = 100
# Of a batch that is wrong from end to end nobody reads more.
_ERRORS_MAX = 1_000
_NO_PAYER = "the payer is not configured"
# NM109 has no more characters.
_PAYER_ID_MAX = 80


_NULL = msgspec.Raw(b"null")


class _Received(msgspec.Struct):
    """A batch as it came: its checks are read one by one."""

    items: list[msgspec.Raw] | None = None
    name: msgspec.Raw = _NULL
    max_retry_hours: msgspec.Raw = msgspec.field(default=_NULL, name="maxRetryHours")


class _Settings(Document):
    """What a batch says beside its checks, read as leniently as these."""

    name: Text = None
    max_retry_hours: int | None = None


class _Named(msgspec.Struct, rename="camel"):
    """What is asked of every check before it is judged."""

    trading_partner_service_id: Any = None
    submitter_transaction_identifier: Any = None


@dataclass
class _Taken:
    """One check that was judged: its payer, or none that is known, and what is wrong with it."""

    told: bytes
    payer: Payer | None
    payer_id: str
    findings: list[Finding]


@dataclass
class _Judged:
    """A batch that was judged."""

    name: str | None = None
    retry_hours: int = RETRY_HOURS
    taken: list[_Taken] = made_of(default_factory=list[_Taken])
    findings: list[Finding] = made_of(default_factory=list[Finding])


def judged_checks(told: list[bytes], named: list[tuple[str, str] | None]) -> list[list[Finding]]:
    """What is wrong with each of some checks, as bytes of JSON; `named` are id and name of its payer, where it is known."""
    found: list[list[Finding]] = []
    header = Header("0001", "JUDGED", "20000101", "0000")
    for one, payer in zip(told, named, strict=True):
        request, findings = decode(EligibilityRequest, one)
        if request is not None and payer is not None:
            request.trading_partner_service_id, request.trading_partner_name = payer
            written = written_question(msgspec.json.encode(request), header, ("JUDGED", TRACE_ASSIGNER))
            findings = [] if written.accepted else [f for f in written.findings if f.severity == "error"]
        found.append(findings)
    return found


class BatchEligibility:
    """Batches as callers see them come and go."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def submit(self, body: bytes, key: str | None = None, *, lenient: bool = False) -> Reply:
        """Take a batch: 200 once it is durable, or every reason why not, each with the index of its check."""
        runtime = self.runtime
        if key is not None:
            found = await runtime.database.read(lambda tx: idempotency.recall(tx, TENANT, OPERATION, key, body))
            if found is not None:
                return await replayed(runtime, found)
        judged = await self._judge(body)
        whole = judged.findings
        wrong = [f for one in judged.taken for f in one.findings]
        if whole or (wrong and not lenient) or not any(not one.findings for one in judged.taken):
            return _refused([*whole, *wrong])
        batch_id, now = runtime.world.new_id(), runtime.world.micros()
        made = Batch(
            TENANT, batch_id, judged.name or batch_id, "receiving", judged.retry_hours, tracing.current(), now, now
        )
        try:
            await runtime.database.write(lambda tx: self._begin(tx, made, key, body))
        except KeyTaken as taken:
            return await replayed(runtime, taken.remembered)
        except Unique:
            path = "name"
            return _refused([_finding(path, "is the name of another batch: choose a new one, or leave it out")], 409)
        try:
            await self._store(made, judged.taken)
            reply = await runtime.database.write(lambda tx: self._open(tx, made, judged, key))
        except BaseException:
            await runtime.database.write(lambda tx: self._forget(tx, batch_id))
            raise
        runtime.wake.set()
        return reply

    # --- judging ------------------------------------------------------------------------------------------------------

    async def _judge(self, body: bytes) -> _Judged:
        judged, body = _Judged(), body.removeprefix(BYTE_ORDER_MARK)
        try:
            received = msgspec.json.decode(body, type=_Received)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            text = (
                "must be an object with a list of items"
                if isinstance(error, msgspec.ValidationError)
                else "is not JSON"
            )
            # Of the fields, only `items` has a type here.
            judged.findings.append(_finding("items" if "$.items" in str(error) else None, text))
            return judged
        judged.findings += [*_twice(body), *_settings(received, judged)]
        items = received.items or []
        if not 1 <= len(items) <= CHECKS_MAX:
            judged.findings.append(
                _finding("items", f"must have between 1 and {CHECKS_MAX} checks: it has {len(items)}")
            )
            return judged
        seen: dict[str, int] = {}
        for first in range(0, len(items), _JUDGED_AT_ONCE):
            await self._judge_some(judged, [bytes(i) for i in items[first : first + _JUDGED_AT_ONCE]], seen)
        return judged

    async def _judge_some(self, judged: _Judged, told: list[bytes], seen: dict[str, int]) -> None:
        runtime, made = self.runtime, list[_Taken]()
        for one in told:
            index = len(judged.taken) + len(made)
            named, findings = _identified(one, index, seen)
            payer_id = str(named.trading_partner_service_id or "")
            try:
                payer = runtime.directory.find(payer_id, "eligibility_check")
            except UnknownPayer:
                payer = None
            made.append(_Taken(one, payer, payer_id[:_PAYER_ID_MAX], findings))
        known = [(t.payer.id, t.payer.name) if t.payer is not None else None for t in made]
        found = await runtime.judges.call(judged_checks, told, known)
        # Without judges this ran here: others have their turn now.
        await runtime.world.sleep(0)
        for taken, findings in zip(made, found, strict=True):
            index = len(judged.taken)
            taken.findings += [_indexed(f, index) for f in findings]
            judged.taken.append(taken)

    # --- keeping ------------------------------------------------------------------------------------------------------

    async def _begin(self, tx: Transaction, made: Batch, key: str | None, body: bytes) -> None:
        if key is not None:
            taken = await idempotency.begin(tx, TENANT, OPERATION, key, body, made.batch_id, made.created_at)
            if taken is not None:
                raise KeyTaken(taken)
        await checks.insert_batch(tx, made)

    async def _store(self, made: Batch, taken: Sequence[_Taken]) -> None:
        for first in range(0, len(taken), _STORED_AT_ONCE):
            page = taken[first : first + _STORED_AT_ONCE]
            await self.runtime.database.write(lambda tx, f=first, p=page: self._store_some(tx, made, f, p))

    async def _store_some(self, tx: Transaction, made: Batch, first: int, page: Sequence[_Taken]) -> None:
        runtime, stored = self.runtime, list[Check]()
        now = runtime.world.micros()
        for ordinal, one in enumerate(page, first):
            check_id = runtime.world.new_id()
            await payloads.store(tx, runtime.vault, TENANT, check_id, "request", one.told, now)
            route_id = runtime.directory.route(one.payer).id if one.payer is not None else ""
            payer_id = one.payer.id if one.payer is not None else ""
            state = "stored" if one.payer is not None else "failed"
            check = Check(TENANT, check_id, made.batch_id, ordinal, payer_id, route_id, state, now, now)
            if one.findings or one.payer is None:
                await self._refuse(tx, check, one)
            stored.append(check)
        await checks.insert(tx, stored)

    async def _refuse(self, tx: Transaction, check: Check, one: _Taken) -> None:
        """A check that will not be asked: its result says why, beside those of the others."""
        runtime = self.runtime
        check.state = "invalid" if one.findings else "failed"
        check.result, check.reason = "FAILED", "wrong" if one.findings else _NO_PAYER
        check.answer_id = runtime.world.new_id()
        errors = error_items(one.findings) or [_unknown_payer(one.payer_id, runtime)]
        usage = (
            runtime.directory.routes[one.payer.routes[0]].usage if one.payer is not None and one.payer.routes else None
        )
        refused = CheckRefused(
            id=check.check_id,
            meta=meta_of(check.check_id, usage, ""),
            status="ERROR",
            trading_partner_service_id=one.payer_id or None,
            errors=errors,
        )
        body = msgspec.json.encode(refused)
        await payloads.store(tx, runtime.vault, TENANT, check.answer_id, "answer", body, check.created_at)

    async def _open(self, tx: Transaction, made: Batch, judged: _Judged, key: str | None) -> Reply:
        runtime, now = self.runtime, self.runtime.world.micros()
        for route_id in await checks.open_batch(tx, TENANT, made.batch_id, now):
            await work.enqueue(tx, TENANT, runtime.world.new_id(), "check_feed", route_id, now)
        wrong = [f for one in judged.taken for f in one.findings]
        taken = BatchTaken(
            batch_id=made.batch_id,
            submitted_at=moment(made.created_at) or "",
            total_count=len(judged.taken),
            validation_failed_count=sum(bool(one.findings) for one in judged.taken) or None,
            errors=_told(wrong),
        )
        body = msgspec.json.encode(taken)
        if key is not None:
            answer_id = runtime.world.new_id()
            await payloads.store(tx, runtime.vault, TENANT, answer_id, "answer", body, now)
            await idempotency.answer(tx, TENANT, OPERATION, key, 200, answer_id)
        return Reply(200, body, made.batch_id)

    async def _forget(self, tx: Transaction, batch_id: str) -> None:
        await checks.forget(tx, TENANT, batch_id)
        await idempotency.release(tx, TENANT, batch_id)

    # --- cancelling ---------------------------------------------------------------------------------------------------

    async def cancel(self, tx: Transaction, batch_id: str) -> BatchCancelled:
        """End the checks that are not on their way; NotThere when there is no such batch. A second time, and past its end, it ends no more."""
        if await checks.batch(tx, TENANT, batch_id) is None:
            raise NotThere("there is no such batch")
        await checks.cancel(tx, TENANT, batch_id, self.runtime.world.micros())
        found, counts = await checks.batch(tx, TENANT, batch_id), await checks.counts(tx, TENANT, batch_id)
        return BatchCancelled(
            batch_id=batch_id,
            cancelled=found is not None and found.state == "cancelled",
            cancelled_count=counts.of("cancelled"),
            in_progress_count=counts.of("started"),
        )


def _settings(received: _Received, judged: _Judged) -> list[Finding]:
    told = b'{"name":%s,"maxRetryHours":%s}' % (bytes(received.name), bytes(received.max_retry_hours))
    settings, findings = decode(_Settings, told)
    if settings is None:
        return findings
    name, hours = settings.name, settings.max_retry_hours
    if name is not None:
        judged.name = name
        if not re.fullmatch(NAME_PATTERN, name):
            findings.append(_finding("name", "must have 1 to 100 letters, digits, hyphens and underscores"))
    if hours is not None:
        judged.retry_hours = hours
        if not RETRY_HOURS <= hours <= RETRY_HOURS_MAX:
            text = f"must be a whole number between {RETRY_HOURS} and {RETRY_HOURS_MAX}"
            findings.append(_finding("maxRetryHours", text))
    return findings


def _twice(body: bytes) -> list[Finding]:
    """Fields of a batch that stand in it twice. It is looked at closely only where that can be: it may be of many megabytes."""
    names = [f.encode_name for f in msgspec.structs.fields(_Received)]
    if b"\\u" not in body and all(body.count(f'"{name}"'.encode()) < 2 for name in names):
        return []
    keys: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        # The last object that ends is the whole.
        keys[:] = [key for key, _ in found]

    json.loads(body, object_pairs_hook=pairs, parse_int=str)
    return [_finding(name, "stands twice in one object") for name in names if keys.count(name) > 1]


def _identified(told: bytes, index: int, seen: dict[str, int]) -> tuple[_Named, list[Finding]]:
    """What a check says of itself; it must name itself, and as no other check of the batch does, and what can be a payer."""
    path = f"items[{index}].submitterTransactionIdentifier"
    try:
        named = msgspec.json.decode(told, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Named(), []
    findings = _of_nobody(named.trading_partner_service_id, f"items[{index}].tradingPartnerServiceId")
    identifier = named.submitter_transaction_identifier
    if identifier is None or not str(identifier).strip():
        return named, [*findings, _finding(path, "is required: it tells the results apart")]
    first = seen.setdefault(str(identifier), index)
    if first != index:
        findings.append(_finding(path, f"is that of items[{first}] too"))
    return named, findings


def _of_nobody(payer_id: Any, path: str) -> list[Finding]:
    """What is wrong with an id that no payer can have. One that some payer could have fails its check alone."""
    if payer_id is None or (isinstance(payer_id, str) and not payer_id.strip()):
        return [_finding(path, "is required: it names the payer")]
    if isinstance(payer_id, str) and (len(payer_id) > _PAYER_ID_MAX or unwritable_character(payer_id)):
        return [_finding(path, f"is the id of no payer: one has at most {_PAYER_ID_MAX} characters that X12 can carry")]
    return []


def _finding(path: str | None, message: str) -> Finding:
    return Finding(1, "element", "", f"{path or 'the body'} {message}.", path=path)


def _indexed(finding: Finding, index: int) -> Finding:
    """A finding of one check, told where it stands in the batch."""
    where = f"items[{index}]"
    path = f"{where}.{finding.path}" if finding.path else where
    message = finding.message
    if finding.path and message.startswith(finding.path):
        message = f"{path}{message[len(finding.path) :]}"
    elif finding.path is None and message.startswith("the body"):
        message = f"{where}{message[len('the body') :]}"
    return msgspec.structs.replace(finding, path=path, message=message)


def _told(findings: Sequence[Finding]) -> list[ErrorItem] | None:
    """Findings in the dialect's shape; of very many the first, and how many more there are."""
    items = error_items(findings[:_ERRORS_MAX])
    if items is not None and len(findings) > _ERRORS_MAX:
        items.append(ErrorItem(description=f"There are {len(findings) - _ERRORS_MAX} more errors."))
    return items


def _refused(findings: Sequence[Finding], status: int = 400) -> Reply:
    return Reply(status, msgspec.json.encode(ErrorResponse(status="ERROR", errors=_told(findings))))


def _unknown_payer(payer_id: str, runtime: Runtime) -> ErrorItem:
    try:
        runtime.directory.find(payer_id, "eligibility_check")
        reason = _NO_PAYER
    except UnknownPayer as error:
        reason = str(error)
    return ErrorItem(
        code="79",
        description=f"Invalid Participant Identification: {reason}.",
        field="tradingPartnerServiceId",
        followup_action="Please Correct and Resubmit",
        location="2100A",
    )

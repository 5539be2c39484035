"""What callers can ask: HTTP, the command line and later the console are thin over these functions.

Each takes the caller's bytes and gives a `Reply`: a status, a body, and the transaction it is about. A reply that says
something was taken is made after the commit that made it durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from adapters.protocol import InDoubt, NotSent, Refused, Replied
from gateway import claims
from gateway.claim_kinds import ClaimKind
from gateway.guesses import Guesses
from gateway.inquiries import (
    SETS,
    TAKE_OVER_SECONDS,
    Answer,
    Kind,
    Prepared,
    answer_of,
    carry_over,
    commit_answer,
    commit_inquiry,
    further_findings,
    meta_of,
    prepare_eligibility,
    prepare_status,
    prepare_x12,
)
from gateway.ledger import idempotency, inbound, interchanges, payloads, transactions
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import Doubted
from gateway.lifecycle import Refused as WasRefused
from gateway.messages import ErrorResponse, Pending, X12Body, error_items, not_answered
from gateway.payers import Route, UnknownPayer
from gateway.preferences import Patience
from gateway.replies import KeyTaken, Reply, envelope_findings, failed, replayed
from gateway.runtime import TENANT, Runtime
from gateway.steps.send import apply_to_members, attempt, outbound_of
from gateway.steps.waiting import written
from gateway.ways import over, way_to
from gateway.world import dated
from gateway.x12_answers import Answering, acknowledgements
from observability import log, tracing
from queues import work
from queues.database import Transaction
from queues.work import SECOND
from x12.documents.claim_status import ClaimStatusRequest
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import decode
from x12.envelope import TransactionSet, read
from x12.finding import Finding
from x12.syntax import CANONICAL, reserved_findings, translate

__all__ = ["Service"]

_LOG = log.get("gateway.service")
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
_NOT_SENT = "not_sent"
_PATIENT = Patience()
# What a payer's data call an inquiry.
_TRANSACTIONS: dict[Kind, str] = {"eligibility": "eligibility_check", "claim_status": "claim_status"}


class Service:
    """The running service as its callers see it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.claims = claims.Claims(runtime)
        self.guesses = Guesses()
        self._one_at_a_time = asyncio.Lock()
        # Inquiries whose callers have had their 202: they go on.
        self._background: set[asyncio.Task[Reply]] = set()

    async def close(self, seconds: float = TAKE_OVER_SECONDS) -> None:
        """Let inquiries under way come home, for so long; the others are asked again by whoever takes their work over."""
        if self._background:
            _, left = await asyncio.wait(self._background, timeout=max(seconds, 0.0))
            for task in left:
                task.cancel()
            # Each gives back its place on the way.
            await asyncio.gather(*left, return_exceptions=True)

    # --- eligibility and claim status ------------------------------------------------------------------------------

    async def check_eligibility(self, body: bytes, key: str | None = None, patience: Patience = _PATIENT) -> Reply:
        """A 270 out of the dialect's JSON, answered by the payer's 271."""
        before = await self.remembered("eligibility", key, body)
        if before is not None:
            return before
        request, findings = decode(EligibilityRequest, body)
        if request is None:
            return failed(400, findings)
        try:
            payer = self.runtime.directory.find(request.trading_partner_service_id or "", "eligibility_check")
        except UnknownPayer as error:
            return failed(400, [_no_payer(str(error)), *await further_findings(self.runtime, request)])
        prepared, written = await prepare_eligibility(self.runtime, payer, request)
        if not written.accepted:
            return failed(400, written.findings)
        return await self._ask("eligibility", prepared, body, key, patience)

    async def inquire_status(self, body: bytes, key: str | None = None, patience: Patience = _PATIENT) -> Reply:
        """A 276 out of the dialect's JSON, answered by the payer's 277."""
        before = await self.remembered("claim_status", key, body)
        if before is not None:
            return before
        request, findings = decode(ClaimStatusRequest, body)
        if request is None:
            return failed(400, findings)
        try:
            payer = self.runtime.directory.find(request.trading_partner_service_id or "", "claim_status")
        except UnknownPayer as error:
            return failed(400, [_no_payer(str(error)), *await further_findings(self.runtime, request)])
        prepared, written = prepare_status(self.runtime, payer, request)
        if not written.accepted:
            return failed(400, written.findings)
        return await self._ask("claim_status", prepared, body, key, patience)

    async def inquire_x12(
        self, kind: Kind, body: bytes, is_json: bool, key: str | None = None, patience: Patience = _PATIENT
    ) -> Reply:
        """Inquiries in raw X12: each transaction set is asked by itself; one answer is an object, several are a list."""
        content = x12_of(body, is_json)
        if isinstance(content, Reply):
            return content
        before = await self.remembered(f"{kind} x12", key, content)
        if before is not None:
            return before
        received = read(content, levels=(1, 2))
        findings = envelope_findings(received)
        sets = [s for i in received for s in i.sets]
        wrong = [s for s in sets if s.set_id != SETS[kind][0] or s.guide is None]
        if findings or not sets or wrong or any(not s.accepted for s in sets):
            return self._refused_x12(received, findings, f"send {SETS[kind][0]} transaction sets of {SETS[kind][2][1]}")
        try:
            asked = [self._prepared_x12(kind, s) for s in sets]
        except UnknownPayer as error:
            return failed(400, [_no_payer(str(error))])
        reserved = [f for a in asked for f in reserved_findings(a.segments)]
        if reserved:
            return failed(400, reserved)
        if len(asked) == 1:
            return await self._ask(f"{kind} x12", asked[0], content, key, patience)
        keys = [f"{key}/{n}" if key else None for n in range(len(asked))]
        replies = await asyncio.gather(
            *(self._ask(f"{kind} x12", a, content, k, patience) for a, k in zip(asked, keys, strict=True))
        )
        worst = max(r.status for r in replies)
        whole = Reply(worst, b"[" + b",".join(r.body for r in replies) + b"]", replies[0].transaction_id)
        return patience.applied(whole)

    def _prepared_x12(self, kind: Kind, received: TransactionSet) -> Prepared:
        source = received.tree().near("2100A")
        row = (source.rows().get("NM1") or [[]])[0] if source is not None else []
        payer = self.runtime.directory.for_x12(row[9] if len(row) > 9 else "", _TRANSACTIONS[kind])
        segments = [translate(s, received.delimiters, CANONICAL) for s in received.segments]
        return prepare_x12(self.runtime, kind, payer, segments)

    def _refused_x12(self, received: list[Any], findings: list[Finding], advice: str) -> Reply:
        inside = [f for i in received for s in i.sets for f in s.findings if f.severity == "error"]
        if not findings and not inside:
            findings = [Finding(1, "file", "", f"Nothing here can be asked: {advice}.")]
        acknowledgement = acknowledgements(received, Answering(*dated(self.runtime.world.micros())))
        document = ErrorResponse(status="ERROR", errors=error_items([*findings, *inside]), x12=acknowledgement)
        return Reply(400, msgspec.json.encode(document))

    async def _ask(self, operation: str, prepared: Prepared, body: bytes, key: str | None, patience: Patience) -> Reply:
        """Commit, send, answer; past the caller's patience, or ours, it gets 202 and the same work goes on."""
        before = await self.remembered(operation, key, body)
        if before is not None:
            return before
        runtime = self.runtime
        prepared.route = await self._way(prepared) or prepared.route
        hold = prepared.route.deadline_seconds + TAKE_OVER_SECONDS

        async def commit(tx: Transaction) -> tuple[Interchange, bytes]:
            if key is not None:
                taken = await idempotency.begin(
                    tx, TENANT, operation, key, body, prepared.transaction_id, runtime.world.micros()
                )
                if taken is not None:
                    raise KeyTaken(taken)
            return await commit_inquiry(tx, runtime, prepared, body, hold_seconds=hold)

        try:
            interchange, content = await runtime.database.write(commit)
        except KeyTaken as taken:
            return await replayed(runtime, taken.remembered)
        task = asyncio.create_task(self._bring_home(prepared, interchange, content, body, later=patience.respond_async))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        done, _ = await asyncio.wait((task,), timeout=patience.waits(runtime.config.answer_seconds))
        return patience.applied(task.result() if done else _pending(prepared))

    async def _way(self, prepared: Prepared, beside: Collection[str] = ()) -> Route | None:
        """The way that a question takes; None where all are shut, or it has been over those that there are."""
        payer = self.runtime.directory.payers.get(prepared.payer_id)
        if payer is None:
            return None
        set_id = SETS[prepared.kind][0]
        return await way_to(self.runtime, payer, prepared.usage or prepared.route.usage, set_id, beside=beside)

    async def _bring_home(
        self, prepared: Prepared, interchange: Interchange, content: bytes, told: bytes, *, later: bool
    ) -> Reply:
        """Send an inquiry until it is answered, refused, in doubt, or its deadline has passed.

        `told` is the question as it came. `later` says that the caller does not wait: what cannot be sent now is then left to the worker.
        """
        runtime, route = self.runtime, prepared.route
        outbound = outbound_of(interchange, content)
        been = {route.id}
        until = runtime.world.monotonic() + runtime.config.answer_seconds
        tries = iter(_RETRY_SECONDS)
        while True:
            with tracing.span(
                "send", route_id=route.id, set_id=interchange.set_id, interchange_id=interchange.interchange_id
            ):
                patience = max(until - runtime.world.monotonic(), 0.0)
                async with over(runtime, route, interchange.interchange_id, patience) as shut:
                    outcome = shut or await attempt(runtime, route, outbound)
            match outcome:
                case Replied(payload=reply):
                    meta = meta_of(prepared.transaction_id, route.usage, route.id)
                    answer = await runtime.judges.call(answer_of, prepared.kind, meta, reply, prepared.asked, told)
                    return await written(
                        runtime, lambda tx, p=prepared, i=interchange, r=reply, a=answer: self._home(tx, p, i, r, a)
                    )
                case NotSent() if (other := await self._way(prepared, been)) is not None:
                    # A question that has not left may go over another road.
                    prepared, before = msgspec.structs.replace(prepared, route=other), interchange
                    prepared.interchange_id = runtime.world.new_id()
                    hold = other.deadline_seconds + TAKE_OVER_SECONDS
                    interchange, content = await runtime.database.write(
                        lambda tx, p=prepared, b=before, r=outcome.reason, h=hold: carry_over(tx, runtime, p, b, r, h)
                    )
                    route, outbound = other, outbound_of(interchange, content)
                    been.add(other.id)
                case NotSent():
                    pause = (
                        outcome.retry_after_seconds if outcome.retry_after_seconds is not None else next(tries, None)
                    )
                    if pause is not None and runtime.world.monotonic() + pause < until:
                        await runtime.world.sleep(pause)
                        continue
                    wait = outcome.retry_after_seconds or 60.0
                    if later:
                        return await written(
                            runtime,
                            lambda tx, p=prepared, i=interchange, r=outcome.reason, w=wait: self._left_to_worker(
                                tx, p, i, r, w
                            ),
                        )
                    refused = Refused(_NOT_SENT, outcome.reason)
                    return await written(
                        runtime, lambda tx, p=prepared, i=interchange, r=refused, w=wait: self._not_home(tx, p, i, r, w)
                    )
                case Refused():
                    return await written(
                        runtime, lambda tx, p=prepared, i=interchange, r=outcome: self._not_home(tx, p, i, r, None)
                    )
                case _:
                    reason = outcome.reason if isinstance(outcome, InDoubt) else "the payer answers later"
                    return await written(
                        runtime, lambda tx, p=prepared, i=interchange, r=reason: self._in_doubt(tx, p, i, r)
                    )

    async def _home(
        self, tx: Transaction, prepared: Prepared, interchange: Interchange, content: bytes, answer: Answer | None
    ) -> Reply:
        """Keep the payer's bytes, then what they say."""
        runtime, now = self.runtime, self.runtime.world.micros()
        subject = await transactions.get(tx, TENANT, prepared.transaction_id)
        state = "stored" if answer is None else "applied"
        file, new = await inbound.store(
            tx,
            runtime.vault,
            TENANT,
            prepared.route.id,
            runtime.world.new_id(),
            content,
            now,
            subject.traceparent,
            state,
        )
        if answer is None:
            # Something else came back: the worker reads it, and asks again if it was no answer.
            if new:
                await work.enqueue(tx, TENANT, file.inbound_id, "apply", file.inbound_id, now)
            return await self._in_doubt(tx, prepared, interchange, "the reply holds no answer")
        await interchanges.set_state(tx, interchange, "confirmed")
        await commit_answer(tx, runtime, subject, answer, interchange.interchange_id, file.inbound_id)
        await work.discard(tx, TENANT, "send", interchange.interchange_id)
        return Reply(answer.status, answer.body, prepared.transaction_id)

    async def _not_home(
        self, tx: Transaction, prepared: Prepared, interchange: Interchange, refused: Refused, retry_after: float | None
    ) -> Reply:
        """The payer cannot be asked: the caller is told, and nothing is left to do."""
        await interchanges.set_state(tx, interchange, "rejected", refused.reason)
        await work.discard(tx, TENANT, "send", interchange.interchange_id)
        await apply_to_members(tx, self.runtime, interchange, WasRefused(refused.code, refused.reason))
        if refused.code == _NOT_SENT:
            item = not_answered("42", "The payer could not be reached.", prepared.route.id)
        else:
            item = not_answered("79", "The payer refused the inquiry.", prepared.route.id)
        body = msgspec.json.encode(ErrorResponse(status="ERROR", errors=[item]))
        if refused.code == _NOT_SENT:
            # Nothing was asked: the key must not keep the caller from asking again.
            await idempotency.release(tx, TENANT, prepared.transaction_id)
            headers = {"Retry-After": str(round(retry_after))} if retry_after is not None else {}
            return Reply(503, body, prepared.transaction_id, headers)
        answer_id = self.runtime.world.new_id()
        await payloads.store(tx, self.runtime.vault, TENANT, answer_id, "answer", body, self.runtime.world.micros())
        await idempotency.answer_for(tx, TENANT, prepared.transaction_id, 502, answer_id)
        return Reply(502, body, prepared.transaction_id)

    async def _left_to_worker(
        self, tx: Transaction, prepared: Prepared, interchange: Interchange, reason: str, wait_seconds: float
    ) -> Reply:
        """The payer cannot be asked now, and the caller waits for nothing: it is asked when it can be."""
        now = self.runtime.world.micros()
        await interchanges.set_state(tx, interchange, "intent", reason)
        run_at = now + round(wait_seconds * SECOND)
        await work.discard(tx, TENANT, "send", interchange.interchange_id)
        interchange_id = interchange.interchange_id
        await work.enqueue(tx, TENANT, interchange_id, "send", interchange_id, now, run_at)
        return _pending(prepared)

    async def _in_doubt(self, tx: Transaction, prepared: Prepared, interchange: Interchange, reason: str) -> Reply:
        await interchanges.set_state(tx, interchange, "in_doubt", reason)
        await apply_to_members(tx, self.runtime, interchange, Doubted(reason))
        return _pending(prepared)

    # --- what was taken before ---------------------------------------------------------------------------------------

    async def remembered(self, operation: str, key: str | None, body: bytes) -> Reply | None:
        """The answer that this key had before; None when it is new."""
        if key is None:
            return None
        found = await self.runtime.database.read(lambda tx: idempotency.recall(tx, TENANT, operation, key, body))
        return None if found is None else await replayed(self.runtime, found)

    async def taking(
        self, operation: str, key: str | None, body: bytes, take: Callable[[Transaction], Awaitable[Reply]]
    ) -> Reply:
        """Run one commit under an idempotency key: what it replies is kept with it."""
        before = await self.remembered(operation, key, body)
        if before is not None:
            return before
        runtime = self.runtime

        async def commit(tx: Transaction) -> Reply:
            now = runtime.world.micros()
            reply = await take(tx)
            if key is not None:
                taken = await idempotency.begin(tx, TENANT, operation, key, body, reply.transaction_id, now)
                if taken is not None:
                    raise KeyTaken(taken)
                answer_id = runtime.world.new_id()
                await payloads.store(tx, runtime.vault, TENANT, answer_id, "answer", reply.body, now)
                await idempotency.answer(tx, TENANT, operation, key, reply.status, answer_id)
            return reply

        try:
            return await runtime.database.write(commit)
        except KeyTaken as error:
            return await replayed(runtime, error.remembered)

    async def once(self, operation: str, key: str | None, body: bytes, act: Callable[[], Awaitable[Reply]]) -> Reply:
        """Do under an idempotency key what has its effect outside the ledger, one at a time: its answer is kept when it is done."""
        async with self._one_at_a_time:
            before = await self.remembered(operation, key, body)
            if before is not None:
                return before
            reply = await act()

            async def told(_: Transaction) -> Reply:
                return reply

            return await self.taking(operation, key, body, told)

    # --- claims --------------------------------------------------------------------------------------------------------

    async def submit_claim(
        self, kind: ClaimKind, body: bytes, key: str | None = None, *, allow_repeated: bool = False
    ) -> Reply:
        """A claim out of the dialect's JSON: judged, kept, and on its way; also one that came before where that is allowed."""
        return await self._submit(
            kind.asked, lambda: self.claims.prepare(kind, body, allowed=allow_repeated), body, key
        )

    async def submit_claims_x12(
        self, kind: ClaimKind, body: bytes, is_json: bool, key: str | None = None, *, allow_repeated: bool = False
    ) -> Reply:
        """Claims in raw X12, each a transaction of its own: a file is taken in parts, what is wrong is told claim by claim."""
        content = x12_of(body, is_json)
        if isinstance(content, Reply):
            return content
        prepare = partial(self.claims.prepare_x12, kind, content, allowed=allow_repeated)
        return await self._submit(f"{kind.asked} x12", prepare, content, key)

    async def _submit(
        self, operation: str, prepare: Callable[[], Awaitable[claims.Intake]], body: bytes, key: str | None
    ) -> Reply:
        """Judge, keep, answer. A key that has its answer gets it before anything is judged: rules and lists may have changed since."""
        before = await self.remembered(operation, key, body)
        if before is not None:
            return before
        intake = await prepare()
        while intake.accepted:
            try:
                reply = await self.taking(operation, key, body, partial(self._take, intake))
            except claims.CameBefore as came:
                # The same request may have been taken between our looking for its key and our commit.
                before = await self.remembered(operation, key, body)
                if before is not None:
                    return before
                intake = await self.claims.knowing(intake, came)
            else:
                self.runtime.wake.set()
                return reply
        return intake.reply

    async def _take(self, intake: claims.Intake, tx: Transaction) -> Reply:
        return await self.claims.take(tx, intake)

    async def validate_claim(self, kind: ClaimKind, body: bytes) -> Reply:
        """What submitting this claim would say, without taking it."""
        return (await self.claims.weighed(await self.claims.prepare(kind, body, kept=False))).reply

    async def validate_claims_x12(self, kind: ClaimKind, body: bytes, is_json: bool) -> Reply:
        """What submitting this file would say, without taking it."""
        content = x12_of(body, is_json)
        if isinstance(content, Reply):
            return content
        return (await self.claims.weighed(await self.claims.prepare_x12(kind, content, kept=False))).reply

    # --- the clock of the sandbox ----------------------------------------------------------------------------------------

    async def idle(self, running: Callable[[], int], at_most: timedelta) -> bool:
        """Wait until nothing is running here; False when it still is after that time."""
        until = self.runtime.world.monotonic() + at_most.total_seconds()
        while running() or self._background:
            if self.runtime.world.monotonic() > until:
                return False
            await self.runtime.world.sleep(0.01)
        return True


def x12_of(body: bytes, is_json: bool) -> bytes | Reply:
    """The X12 in a request: its body, or the `x12` of its JSON."""
    if not is_json:
        return body
    document, findings = decode(X12Body, body)
    if document is None:
        return failed(400, findings)
    return document.x12.encode("utf-8", "replace")


def _no_payer(reason: str) -> Finding:
    return Finding(1, "element", "79", f"tradingPartnerServiceId: {reason}.", path="tradingPartnerServiceId")


def _pending(prepared: Prepared) -> Reply:
    document = Pending(
        transaction_id=prepared.transaction_id,
        description="The payer has not answered yet: ask for this transaction later.",
    )
    headers = {"Location": f"/v1/transactions/{prepared.transaction_id}", "Retry-After": "5"}
    return Reply(202, msgspec.json.encode(document), prepared.transaction_id, headers)

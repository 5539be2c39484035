"""Reads a stored file from a payer and lets what it says happen to the transactions it names, all in one commit.

A large file of remittances is looked over first, and then posted some claims at a time (`post`): each commit keeps how far it is, so
that whoever goes on after a crash begins where the last one ended, others write in between, and memory does not grow with the file.
What matches nothing makes the file `unmatched`, what contradicts itself `quarantined`: visible, never guessed at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import msgspec

from gateway import remittance
from gateway.batch_answers import take_answer
from gateway.inquiries import Kind, answer_of, meta_of
from gateway.ledger import claim_list, evidence, inbound, interchanges, payloads, postings, search, transactions
from gateway.ledger.inbound import InboundFile
from gateway.ledger.interchanges import Interchange
from gateway.ledger.payloads import Pieces
from gateway.ledger.postings import Posting, Standing
from gateway.lifecycle import (
    Acknowledged,
    ClaimAcknowledged,
    Contradicted,
    Delivered,
    Fact,
    NumberTaken,
    Posted,
    Quarantined,
    Remitted,
    StatusReported,
)
from gateway.matching import Named, Peer, claim_meant, peer_of
from gateway.payers import Route
from gateway.reports import report_277, report_835, statuses_of
from gateway.runtime import Runtime
from gateway.steps.settling import apply_to_members, know
from gateway.steps.waiting import later
from observability import log, tracing
from queues import numbers, work
from queues.database import Transaction
from queues.work import Work
from x12.documents.acknowledgements import (
    GroupAcknowledgement,
    InterchangeAcknowledgement,
    read_997,
    read_999,
    read_ta1,
)
from x12.documents.claim_acknowledgement import ClaimVerdict, claim_verdicts
from x12.documents.claim_status import ClaimState, claim_statuses
from x12.envelope import Interchange as Received
from x12.envelope import TransactionSet, read
from x12.finding import Finding
from x12.remittance_parts import RemittancePart, RemittanceWhole, parts, surveyed
from x12.walk import Instance

__all__ = ["post", "run"]

_LOG = log.get("gateway.apply")
_CLEARINGHOUSE = "AY"
# Claim status code 54: a duplicate of a claim that the payer has.
_DUPLICATE_CLAIM = "54"
# Where a claim stands as long as nobody has said that the payer has it.
_UNPROVEN = ("built", "in_doubt", "held")
# Remittances of more bytes are posted some claims at a time: a commit of all would hold up whoever writes meanwhile.
WHOLE_BYTES = 100_000
_PART_CLAIMS = 50
_CUT_OFF = "a transaction set that was cut off before its SE"


@dataclass(frozen=True)
class _Told:
    """What a report or a remittance says, read before the commit that applies it: others write, and have their turns of the loop, meanwhile.

    `content` is what it says in JSON, as the transaction `made_id` tells it; `verdicts` are a 277CA's.
    """

    made_id: str
    digest: str
    content: bytes
    verdicts: Sequence[ClaimVerdict] = ()


@dataclass
class _Applying:
    """One file being applied: what it matched, what it did not, and what is wrong with it."""

    runtime: Runtime
    file: InboundFile
    route: Route
    payload: bytes
    matched: int = 0
    unmatched: int = 0
    faults: list[str] = field(default_factory=list[str])
    # Claims of the interchanges of ours that the file acknowledges: what else it says is said of them.
    about: set[str] = field(default_factory=set[str])
    # By the identity of the transaction set.
    told: Mapping[int, _Told] = field(default_factory=dict[int, _Told])

    @property
    def state(self) -> str:
        """What the file comes to."""
        return "quarantined" if self.faults else "unmatched" if self.unmatched else "applied"

    @cached_property
    def peer(self) -> Peer:
        """Where the file came from."""
        return peer_of(self.runtime.directory, self.route)


async def run(runtime: Runtime, item: Work) -> None:
    """Apply the file that the work names."""
    loaded = await _loaded(runtime, item)
    if loaded is None:
        return
    file, content = loaded
    with tracing.span("apply", file.traceparent, inbound_id=file.inbound_id, route_id=file.route_id):
        if file.bytes > WHOLE_BYTES and (found := await runtime.world.offload(lambda: surveyed(content))) is not None:
            ended = await runtime.database.write(lambda tx: _begin(tx, runtime, item, file, found))
        else:
            payload = content if isinstance(content, bytes) else await _whole(runtime, file)
            received = await runtime.world.offload(lambda: read(payload, levels=(1, 2, 3)))
            told = await runtime.world.offload(lambda: _told(runtime, file, received))
            ended = await runtime.database.write(lambda tx: _apply(tx, runtime, item, file, payload, received, told))
        if ended is not None:
            _tell(runtime, file, ended)
    runtime.wake.set()


async def post(runtime: Runtime, item: Work) -> None:
    """Post the claims of the file of remittances that the work names, from where it was left."""
    loaded = await _loaded(runtime, item)
    if loaded is None:
        return
    file, content = loaded
    posting = await runtime.database.read(lambda tx: postings.get(tx, item.tenant_id, file.inbound_id))
    if posting is None:
        raise LookupError("nobody has begun to post this file")
    coming = _paid_parts(content, posting.done())
    with tracing.span("post", file.traceparent, inbound_id=file.inbound_id, route_id=file.route_id):
        while (some := await runtime.world.offload(lambda: next(coming, None))) is not None:
            if runtime.leaving.is_set():
                await runtime.database.write(lambda tx: work.postpone(tx, item, item.run_at, "this node is leaving"))
                return
            ended = await runtime.database.write(lambda tx, some=some: _post(tx, runtime, item, file, *some))
            if ended is not None:
                _tell(runtime, file, ended)
    runtime.wake.set()


def _paid_parts(
    content: bytes | Pieces, done: dict[int, int]
) -> Iterator[tuple[RemittancePart, Sequence[remittance.PaidClaim]]]:
    """Claims that are to be posted, some at a time: what reads them runs beside the loop."""
    for part in parts(content, _PART_CLAIMS, done):
        yield part, list(remittance.paid_claims(part.root))


async def _loaded(runtime: Runtime, item: Work) -> tuple[InboundFile, bytes | Pieces] | None:
    """The file that work names; None, and the work is finished or put off, where there is nothing to do now."""
    loaded = await runtime.database.read(lambda tx: _load(tx, runtime, item))
    if loaded is None:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return None
    if loaded[0].route_id not in runtime.directory.routes:
        await runtime.database.write(lambda tx: work.postpone(tx, item, later(runtime, item, 60), inbound.NO_ROUTE))
        return None
    return loaded


async def _load(tx: Transaction, runtime: Runtime, item: Work) -> tuple[InboundFile, bytes | Pieces] | None:
    file = await inbound.get(tx, item.tenant_id, item.subject)
    if file is None or file.state != "stored":
        return None
    return file, await payloads.pieces(tx, runtime.database, runtime.vault, item.tenant_id, file.payload_id)


async def _whole(runtime: Runtime, file: InboundFile) -> bytes:
    return await runtime.database.read(lambda tx: payloads.load(tx, runtime.vault, file.tenant_id, file.payload_id))


def _tell(runtime: Runtime, file: InboundFile, done: _Applying) -> None:
    runtime.metrics.inbound(file.route_id, done.state).inc()
    _LOG.info("file applied", inbound_id=file.inbound_id, route_id=file.route_id, state=done.state, count=done.matched)


def _told(runtime: Runtime, file: InboundFile, received: list[Received]) -> dict[int, _Told]:
    """What the reports and remittances of a file say; what reads them runs beside the loop."""
    route, found = runtime.directory.routes[file.route_id], dict[int, _Told]()
    for one in (one for interchange in received for one in interchange.sets if not _is_cut_off(one)):
        convention = one.guide.id if one.guide is not None else ""
        if one.set_id == "835" and convention:
            report, verdicts = report_835, list[ClaimVerdict]()
        elif (one.set_id, convention) == ("277", "005010X214"):
            report, verdicts = report_277, list(claim_verdicts(one.tree()))
        else:
            continue
        made_id = runtime.world.new_id()
        content = msgspec.json.encode(report(one, made_id, route.usage, route.receiver_id))
        found[id(one)] = _Told(made_id, _digest(one), content, verdicts)
    return found


async def _apply(
    tx: Transaction,
    runtime: Runtime,
    item: Work,
    file: InboundFile,
    payload: bytes,
    received: list[Received],
    told: Mapping[int, _Told],
) -> _Applying:
    await work.finish(tx, item)
    done = _Applying(runtime, file, runtime.directory.routes[file.route_id], payload, told=told)
    if not any(i.sets or i.acknowledgements for i in received):
        done.faults.append("no interchange")
    for interchange in received:
        for elements in interchange.acknowledgements:
            await _ta1(tx, done, read_ta1(elements))
        for one in interchange.sets:
            await _set(tx, done, interchange, one)
    await _settled(tx, done)
    return done


async def _settled(tx: Transaction, done: _Applying) -> None:
    """What the file came to."""
    unmatched = f"{done.unmatched} without a match" if done.unmatched else ""
    await inbound.set_state(tx, done.file, done.state, ", ".join(dict.fromkeys(done.faults)) or unmatched)


async def _set(tx: Transaction, done: _Applying, interchange: Received, received: TransactionSet) -> None:
    """Apply one transaction set; one that is not understood stops none of the others."""
    convention = received.guide.id if received.guide is not None else ""
    if _is_cut_off(received):
        done.faults.append(_CUT_OFF)
        return
    match received.set_id, convention:
        case ("999", str(guide)) if guide:
            await _999(tx, done, read_999(received.tree()))
        case ("997", str(guide)) if guide:
            # The older acknowledgment says the same of the same rung.
            await _999(tx, done, read_997(received.tree()))
        case ("277", "005010X214"):
            await _277ca(tx, done, received)
        case ("277", "005010X212"):
            await _277(tx, done, received)
        case ("271", str(guide)) if guide:
            await _271(tx, done, received)
        case ("835", str(guide)) if guide:
            await _835(tx, done, received)
        case _:
            done.faults.append(
                f"transaction set {received.set_id if received.set_id.isalnum() else 'unknown'} is not understood"
            )


def _is_cut_off(received: TransactionSet) -> bool:
    return not received.segments[-1].startswith(f"SE{received.delimiters.element}")


async def _sent(tx: Transaction, done: _Applying, control_number: str | None) -> Interchange | None:
    """Our interchange with this number on the route the file came over."""
    if not control_number or not control_number.isdigit():
        return None
    return await interchanges.by_number(tx, done.file.tenant_id, done.route.series, int(control_number))


async def _to_members(
    tx: Transaction, done: _Applying, interchange: Interchange, fact: Fact, control_number: str | None = None
) -> None:
    done.matched += await apply_to_members(tx, done.runtime, interchange, fact, control_number, done.file.inbound_id)


async def _confirm(tx: Transaction, done: _Applying, interchange: Interchange, source: str) -> bool:
    """An answer about an interchange proves that it arrived, whatever the sending looked like from here; False where it was never sent."""
    if not interchange.attempts:
        done.faults.append("an answer to an interchange that was not sent")
        return False
    await _received(tx, done, interchange, source)
    return True


async def _received(tx: Transaction, done: _Applying, interchange: Interchange, source: str) -> None:
    """The payer has what an interchange carries."""
    if interchange.state in ("confirmed", "rejected"):
        return
    if interchange.state == "released":
        # A person let its claims go into another one: now the payer may have them twice.
        told = Contradicted("the payer has an interchange whose claims were released")
        await _to_members(tx, done, interchange, told)
    await interchanges.set_state(tx, interchange, "confirmed", f"evidence: {source}")
    await know(tx, done.runtime, interchange, source, "received")
    await _to_members(tx, done, interchange, Delivered(source))


async def _ta1(tx: Transaction, done: _Applying, said: InterchangeAcknowledgement) -> None:
    interchange = await _sent(tx, done, said.control_number)
    if interchange is None:
        done.unmatched += 1
        return
    if said.accepted is False and said.duplicate:
        # Where copies left, the second one was recognised: the first has arrived.
        if interchange.copies > 1:
            await _confirm(tx, done, interchange, "TA1 025")
        else:
            await _number_taken(tx, done, interchange)
        return
    if not await _confirm(tx, done, interchange, "TA1"):
        return
    if said.accepted is not None:
        codes = [said.note] if said.note and not said.accepted else []
        if not said.accepted:
            await interchanges.set_state(tx, interchange, "rejected", "TA1")
        await _to_members(tx, done, interchange, Acknowledged("TA1", said.accepted, codes))


async def _number_taken(tx: Transaction, done: _Applying, interchange: Interchange) -> None:
    """The payer had this number before, and we sent it once: our memory is short, as after a restored backup. A person looks."""
    runtime, reason = done.runtime, interchanges.NUMBER_TAKEN
    await numbers.advance(tx, interchange.tenant_id, interchange.series, interchange.control_number + numbers.GUARD)
    answered = await evidence.of(tx, interchange.tenant_id, interchange.interchange_id)
    if interchange.state != "rejected" and not any(one.says == "received" for one in answered):
        now = runtime.world.micros()
        await interchanges.doubt(tx, interchange, "held", reason, now, now)
    await know(tx, runtime, interchange, "TA1", "number taken", reason)
    await _to_members(tx, done, interchange, NumberTaken(reason))
    _LOG.warning("number taken", interchange_id=interchange.interchange_id, route_id=interchange.route_id)


async def _999(tx: Transaction, done: _Applying, said: GroupAcknowledgement) -> None:
    interchange = await _sent(tx, done, said.control_number)
    if interchange is None:
        done.unmatched += 1
        return
    held = await interchanges.members(tx, interchange.tenant_id, interchange.interchange_id)
    sent = list(dict.fromkeys(m.control_number for m in held))
    named = {s.control_number: s for s in said.sets or ()}
    # One that does not know what was sent proves nothing: nothing of it is applied.
    if set(named) - set(sent):
        done.faults.append("the 999 names a transaction set that was not sent")
        return
    if (said.included or len(sent)) != len(sent) or (said.accepted_sets or 0) > len(sent):
        done.faults.append("the 999 counts other transaction sets than were sent")
        return
    if not await _confirm(tx, done, interchange, "999"):
        return
    done.about |= {m.transaction_id for m in held}
    for number in sent:
        accepted = said.verdict(number)
        if accepted is not None:
            one = named.get(number)
            codes = list((one.codes if one else said.codes) or ())
            await _to_members(tx, done, interchange, Acknowledged("999", accepted, codes), number)


async def _proven(
    tx: Transaction, done: _Applying, subject: transactions.Transaction, source: str
) -> transactions.Transaction:
    """A payer that knows a claim has the interchange that carried it: the claim as it stands then."""
    if subject.state not in _UNPROVEN:
        return subject
    all_of_it = await interchanges.of_transaction(tx, subject.tenant_id, subject.transaction_id)
    # One in doubt that was not sent from here is that of a claim that may have left before a backup was restored.
    carried = [i for i in all_of_it if i.attempts or i.doubted_at is not None]
    if not carried:
        return subject
    await _received(tx, done, carried[-1], source)
    return await transactions.get(tx, subject.tenant_id, subject.transaction_id)


async def _meant(tx: Transaction, done: _Applying, named: Named, *not_in: str) -> transactions.Transaction | None:
    return await claim_meant(tx, done.runtime, done.peer, done.file.tenant_id, named, not_in=not_in, among=done.about)


async def _happen(tx: Transaction, done: _Applying, subject: transactions.Transaction, fact: Fact) -> None:
    runtime = done.runtime
    now = runtime.world.micros()
    tracing.link(subject.traceparent)
    await transactions.apply(tx, subject, fact, runtime.profile(subject.payer_id), now, None, done.file.inbound_id)
    tx.after_commit(runtime.metrics.facts(subject.kind, type(fact).__name__).inc)


async def _277ca(tx: Transaction, done: _Applying, received: TransactionSet) -> None:
    told = done.told[id(received)]
    advice = await _advised(tx, done, "claim_report", "277CA", told.digest, told.digest, told)
    if advice is None:
        return
    source = _whose(received.tree())
    matched = unmatched = 0
    for verdict in told.verdicts:
        numbers_of_it = Named(
            verdict.clearinghouse_trace_number, verdict.payer_claim_control_number, verdict.patient_control_number
        )
        subject = await _meant(tx, done, numbers_of_it)
        if subject is None:
            unmatched += 1
            continue
        matched += 1
        await _judged(tx, done, subject, verdict, advice.transaction_id, source)
    await _posted(tx, done, advice, matched, unmatched)


def _whose(root: Instance) -> Literal["payer", "clearinghouse"]:
    """Whose acknowledgement a walked 277CA is: NM101 of loop 2100A."""
    rows = (
        row for source in root.inside("2000A") for loop in source.inside("2100A") for row in loop.rows().get("NM1", ())
    )
    return "clearinghouse" if any(len(row) > 1 and row[1] == _CLEARINGHOUSE for row in rows) else "payer"


async def _judged(
    tx: Transaction,
    done: _Applying,
    subject: transactions.Transaction,
    verdict: ClaimVerdict,
    report_id: str,
    source: Literal["payer", "clearinghouse"],
) -> None:
    found_by: dict[search.Scope, str | None] = {"payer_control_number": verdict.payer_claim_control_number}
    if subject.transaction_id in done.about:
        # A clearinghouse that answers with its own acknowledgement tells what it calls the claim from here on.
        found_by["upstream_number"] = verdict.clearinghouse_trace_number
    await search.add(tx, done.runtime.vault, subject.tenant_id, subject.transaction_id, found_by)
    copied = verdict.accepted is False and {c.status for c in verdict.codes} == {_DUPLICATE_CLAIM}
    if copied and await _was_copied(tx, subject):
        # The copy was recognised: the claim that came first is the one that counts.
        await _proven(tx, done, subject, "277CA 54")
        return
    if verdict.accepted is not None:
        subject = await _proven(tx, done, subject, "277CA")
        await _happen(
            tx, done, subject, ClaimAcknowledged(verdict.accepted, statuses_of(verdict.codes), report_id, source)
        )


async def _was_copied(tx: Transaction, subject: transactions.Transaction) -> bool:
    """Whether the payer may have got the interchange of a claim more than once."""
    carried = await interchanges.of_transaction(tx, subject.tenant_id, subject.transaction_id)
    return bool(carried) and carried[-1].copies > 1


async def _277(tx: Transaction, done: _Applying, received: TransactionSet) -> None:
    """Answers to status inquiries: the inquiry is answered, and the claim it was about learns its status."""
    for said in claim_statuses(received.tree()):
        if said.level != "claim":
            continue
        inquiry = await _inquiry(tx, done, "claim_status", said.trace_number)
        if inquiry is None:
            done.unmatched += 1
            continue
        done.matched += 1
        await _answer(tx, done, "claim_status", inquiry, said.trace_number)
        if inquiry.parent_id is not None:
            claim = await transactions.get(tx, inquiry.tenant_id, inquiry.parent_id)
            await _reported(tx, done, claim, said)


async def _reported(tx: Transaction, done: _Applying, claim: transactions.Transaction, said: ClaimState) -> None:
    number = said.payer_claim_control_number
    await search.add(tx, done.runtime.vault, claim.tenant_id, claim.transaction_id, {"payer_control_number": number})
    own = [c for c in said.codes if c.line is None]
    if own and own[0].category[:1] in "APFR" and own[0].category not in ("A4", "A5"):
        claim = await _proven(tx, done, claim, "277")
    await _happen(tx, done, claim, StatusReported(own[0].category if own else "", statuses_of(own)))


async def _inquiry(tx: Transaction, done: _Applying, kind: Kind, trace_number: str) -> transactions.Transaction | None:
    found = (
        await search.find(tx, done.runtime.vault, done.file.tenant_id, "trace_number", trace_number)
        if trace_number
        else []
    )
    subjects = [await transactions.get(tx, done.file.tenant_id, i) for i in found[:2]]
    return subjects[0] if len(subjects) == 1 and subjects[0].kind == kind else None


async def _answer(
    tx: Transaction, done: _Applying, kind: Kind, inquiry: transactions.Transaction, trace_number: str
) -> None:
    meta = meta_of(inquiry.transaction_id, inquiry.usage, inquiry.route_id)
    try:
        told = await payloads.load(tx, done.runtime.vault, inquiry.tenant_id, inquiry.request_id or "")
    except payloads.PayloadMissing:
        # A question of our own about a silent claim.
        told = b""
    answer = answer_of(kind, meta, done.payload, [trace_number], told)
    if answer is not None:
        await take_answer(tx, done.runtime, inquiry, answer, None, done.file.inbound_id)


async def _271(tx: Transaction, done: _Applying, received: TransactionSet) -> None:
    """A late answer: the caller has long had its 202, or the worker has asked again after a crash."""
    root = received.tree()
    numbers = {row[2] for level in root.all("2000C", "2000D") for row in level.rows().get("TRN", ()) if len(row) > 2}
    for number in sorted(numbers):
        inquiry = await _inquiry(tx, done, "eligibility", number)
        if inquiry is not None:
            done.matched += 1
            await _answer(tx, done, "eligibility", inquiry, number)
            return
    done.unmatched += 1


async def _835(tx: Transaction, done: _Applying, received: TransactionSet) -> None:
    root = received.tree()
    told = done.told[id(received)]
    advice = await _advised(tx, done, "remittance", "835", remittance.payment_key(root), told.digest, told)
    if advice is None or not await _balances(tx, done, advice, received.findings):
        return
    matched = unmatched = 0
    for paid in remittance.paid_claims(root):
        if await _pay(tx, done, advice.transaction_id, root, paid):
            matched += 1
        else:
            unmatched += 1
    await _posted(tx, done, advice, matched, unmatched)


async def _balances(
    tx: Transaction, done: _Applying, advice: transactions.Transaction, findings: Sequence[Finding], dropped: int = 0
) -> bool:
    errors = [f for f in findings if f.severity == "error"]
    faults = [f for f in errors if f.level == 3]
    if not faults and not dropped:
        return True
    # What was not looked at may have been about the sums.
    done.faults.append(
        "the remittance does not balance" if faults else "more is wrong with the remittance than is looked at"
    )
    await _happen(tx, done, advice, Quarantined(list(dict.fromkeys(f.code for f in faults or errors))))
    return False


async def _pay(tx: Transaction, done: _Applying, advice_id: str, root: Instance, paid: remittance.PaidClaim) -> bool:
    """Post what a remittance says of one claim; whether it is one of ours."""
    number = paid.payer_control_number
    subject = await _meant(tx, done, Named("", number, paid.patient_control_number), "rejected")
    if subject is None:
        return False
    found_by: dict[search.Scope, str | None] = {"payer_control_number": number}
    await search.add(tx, done.runtime.vault, subject.tenant_id, subject.transaction_id, found_by)
    subject = await _proven(tx, done, subject, "835")
    said = Remitted(paid.status, remittance.outcome_of(paid), advice_id, remittance.paid_on(root))
    await _happen(tx, done, subject, said)
    await claim_list.keep_payment(tx, done.runtime.vault, subject, remittance.payment_of(root, paid))
    return True


async def _begin(
    tx: Transaction, runtime: Runtime, item: Work, file: InboundFile, found: Sequence[RemittanceWhole]
) -> _Applying | None:
    """Take up a large file of remittances: each is judged as a whole before any of its claims is posted. What it came to, where that is all."""
    await work.finish(tx, item)
    done = _Applying(runtime, file, runtime.directory.routes[file.route_id], b"")
    posting = Posting([], done.faults)
    for one in found:
        standing = Standing(None, one.claims, ended=True)
        posting.remittances.append(standing)
        if not one.ended:
            done.faults.append(_CUT_OFF)
            continue
        key = remittance.payment_key(one.head)
        advice = await _advised(tx, done, "remittance", "835", key, one.content, None)
        if advice is not None and await _balances(tx, done, advice, one.findings, one.dropped):
            standing.advice_id, standing.claims, standing.ended = advice.transaction_id, 0, False
    if posting.ended:
        await _settled(tx, done)
        return done
    await postings.begin(tx, file.tenant_id, file.inbound_id, posting)
    now = runtime.world.micros()
    await work.enqueue(tx, file.tenant_id, runtime.world.new_id(), "post", file.inbound_id, now)
    return None


async def _post(
    tx: Transaction,
    runtime: Runtime,
    item: Work,
    file: InboundFile,
    part: RemittancePart,
    claims: Sequence[remittance.PaidClaim],
) -> _Applying | None:
    """Post some claims, and keep how far it is; what the file came to, where these were the last."""
    await work.guard(tx, item)
    posting = await postings.get(tx, file.tenant_id, file.inbound_id)
    assert posting is not None
    standing = posting.remittances[part.number]
    if standing.ended or standing.advice_id is None:
        return None
    done = _Applying(runtime, file, runtime.directory.routes[file.route_id], b"", faults=posting.faults)
    for paid in claims:
        if await _pay(tx, done, standing.advice_id, part.root, paid):
            standing.matched += 1
        else:
            standing.unmatched += 1
    standing.claims = part.first + part.claims
    if part.last:
        standing.ended = True
        advice = await transactions.get(tx, file.tenant_id, standing.advice_id)
        await _happen(tx, done, advice, Posted(standing.matched, standing.unmatched))
    await postings.keep(tx, file.tenant_id, file.inbound_id, posting)
    if not posting.ended:
        return None
    done.matched = sum(one.matched for one in posting.remittances)
    done.unmatched = sum(one.unmatched for one in posting.remittances)
    await _settled(tx, done)
    await work.finish(tx, item)
    return done


def _digest(received: TransactionSet) -> str:
    """The content of a set, its control number aside."""
    return hashlib.sha256("\n".join(received.segments[1:-1]).encode()).hexdigest()


async def _advised(
    tx: Transaction,
    done: _Applying,
    kind: str,
    effect: str,
    subject: str,
    content: str,
    told: _Told | None,
) -> transactions.Transaction | None:
    """A transaction of its own for a report or remittance, the first time it is seen; None for a repetition.

    The same payment with another content is quarantined: it must not be posted over the first. Without `told` what it says in
    JSON is not kept: it is read out of the file when somebody asks.
    """
    runtime, file = done.runtime, done.file
    now = runtime.world.micros()
    key = runtime.vault.index(file.tenant_id, effect, subject)
    before = await inbound.claim_effect(tx, file.tenant_id, effect, key, content, file.inbound_id, now)
    if before is not None:
        if before != content:
            done.faults.append(f"another {effect} with the same key and other content came before")
        return None
    made_id = told.made_id if told is not None else runtime.world.new_id()
    if told is not None:
        await payloads.store(tx, runtime.vault, file.tenant_id, made_id, "answer", told.content, now)
    made = transactions.Transaction(
        file.tenant_id,
        made_id,
        kind,
        "stored",
        file.route_id,
        _payer_of(done),
        done.route.usage,
        now,
        now,
        request_id=file.payload_id,
        answer_id=made_id if told is not None else None,
        traceparent=file.traceparent,
    )
    await transactions.insert(tx, made)
    return made


def _payer_of(done: _Applying) -> str:
    """The payer of a route, where the route is one payer's alone."""
    payers = [p.id for p in done.runtime.directory.payers.values() if done.route.id in p.routes]
    return payers[0] if len(payers) == 1 else ""


async def _posted(
    tx: Transaction, done: _Applying, advice: transactions.Transaction, matched: int, unmatched: int
) -> None:
    done.matched += matched
    done.unmatched += unmatched
    await _happen(tx, done, advice, Posted(matched, unmatched))

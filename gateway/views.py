"""What can be seen of the ledger: where a transaction stands, its whole story, its answer, and what is new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Literal

from gateway.claim_kinds import CLAIM_KINDS
from gateway.ledger import inbound, interchanges, mailbox, payloads, postings, transactions
from gateway.ledger.inbound import InboundFile
from gateway.ledger.interchanges import Interchange
from gateway.lifecycle import is_silent, number_of
from gateway.messages import (
    PollingItem,
    PollingPage,
    ReportListing,
    Trace,
    TraceEvent,
    TraceInterchange,
    TraceRung,
    TransactionView,
)
from gateway.polling import polled
from gateway.reports import pieces_835
from gateway.runtime import TENANT, Runtime
from gateway.world import from_micros
from queues.database import Transaction
from x12.syntax import runs

__all__ = ["Views"]

_REPORTS: dict[Literal["277", "835"], str] = {"277": "claim_report", "835": "remittance"}
# What a claim's events call the report that they are from.
_NAMED = {"claim_report": "reportId", "remittance": "remittanceId"}
# Older clients tell reports by how their names begin.
_NAMES = {"claim_report": "X3", "remittance": "R5"}
_PAGE_MAX = 200
# By so much the order of commits and that of times may differ.
_SKEW_MICROS = 3_600_000_000


def moment(micros: int | None) -> str | None:
    """A database time in ISO 8601, UTC, to the millisecond."""
    return from_micros(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z") if micros is not None else None


def _certain(micros: int) -> str:
    return moment(micros) or ""


def view(subject: transactions.Transaction) -> TransactionView:
    """A transaction as it is shown."""
    return TransactionView(
        transaction_id=subject.transaction_id,
        kind=subject.kind,
        state=subject.state,
        claim_type=CLAIM_KINDS[subject.claim_kind].name if subject.claim_kind else None,
        outcome=subject.outcome,
        conflict=True if subject.conflict else None,
        payer_id=subject.payer_id,
        route_id=subject.route_id,
        usage_indicator=subject.usage,
        parent_id=subject.parent_id,
        created_at=moment(subject.created_at),
        updated_at=moment(subject.updated_at),
        sent_at=moment(subject.sent_at),
        follow_up_at=moment(subject.follow_up_at),
    )


def segments(content: bytes) -> list[str]:
    """The raw segments of an X12 file, terminators included."""
    return [s + run.delimiters.segment for run in runs(content) for s in run.segments]


class Views:
    """Reads the ledger for callers; changes nothing but what lies in the mailbox."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def transaction(self, transaction_id: str) -> TransactionView:
        """Where a transaction stands; Unknown when there is none."""
        return view(await self.runtime.database.read(lambda tx: transactions.get(tx, TENANT, transaction_id)))

    async def answer(self, transaction_id: str) -> bytes | AsyncIterator[bytes] | None:
        """The answer or report of a transaction in JSON; None while there is none, Unknown when there is no transaction.

        A remittance of many claims comes in pieces, read out of its file as they are asked for.
        """

        async def body(tx: Transaction) -> bytes | Iterator[bytes] | None:
            return await self._told(tx, await transactions.get(tx, TENANT, transaction_id))

        return self._given(await self.runtime.database.read(body))

    async def _told(self, tx: Transaction, subject: transactions.Transaction) -> bytes | Iterator[bytes] | None:
        runtime = self.runtime
        if subject.answer_id is not None:
            return await payloads.load(tx, runtime.vault, TENANT, subject.answer_id)
        if subject.kind != "remittance" or subject.request_id is None:
            return None
        posting = await postings.get(tx, TENANT, subject.request_id)
        number = posting.number(subject.transaction_id) if posting is not None else None
        if number is None:
            return None
        content = await payloads.pieces(tx, runtime.database, runtime.vault, TENANT, subject.request_id)
        route = runtime.directory.routes.get(subject.route_id)
        usage, sender_id = (route.usage, route.receiver_id) if route is not None else (subject.usage, None)
        return pieces_835(content, number, subject.transaction_id, usage, sender_id)

    def _given(self, told: bytes | Iterator[bytes] | None) -> bytes | AsyncIterator[bytes] | None:
        return told if told is None or isinstance(told, bytes) else self._pieces(told)

    async def _pieces(self, told: Iterator[bytes]) -> AsyncIterator[bytes]:
        while (piece := await self.runtime.world.offload(lambda: next(told, None))) is not None:
            yield piece

    async def eligibility_answer(self, transaction_id: str) -> bytes | None:
        """The answer of an eligibility check in JSON; None while there is none, Unknown when there is no such check."""

        async def body(tx: Transaction) -> bytes | None:
            subject = await transactions.get(tx, TENANT, transaction_id)
            if subject.kind != "eligibility":
                raise transactions.Unknown(f"there is no eligibility check {transaction_id}")
            if subject.answer_id is None:
                return None
            return await payloads.load(tx, self.runtime.vault, TENANT, subject.answer_id)

        return await self.runtime.database.read(body)

    async def trace(self, transaction_id: str, *, raw: bool) -> Trace:
        """The whole story of a transaction; with its raw segments where `raw`."""

        async def body(tx: Transaction) -> Trace:
            subject = await transactions.get(tx, TENANT, transaction_id)
            events = await transactions.events(tx, TENANT, transaction_id)
            sent = await interchanges.of_transaction(tx, TENANT, transaction_id)
            ids = list(dict.fromkeys(e.inbound_id for e in events if e.inbound_id))
            received = [f for f in [await inbound.get(tx, TENANT, i) for i in ids] if f is not None]
            also = {e.interchange_id for e in events if e.interchange_id} - {i.interchange_id for i in sent}
            sent += [i for i in [await interchanges.get(tx, TENANT, a) for a in sorted(also)] if i is not None]
            envelopes = [await self._sent(tx, i, transaction_id, raw) for i in sent]
            envelopes += [await self._received(tx, f, raw) for f in received]
            return Trace(
                transaction=view(subject),
                ladder=self._ladder(subject) or None,
                events=list(map(_event, events)),
                interchanges=envelopes,
            )

        return await self.runtime.database.read(body)

    def _ladder(self, subject: transactions.Transaction) -> list[TraceRung]:
        """What is expected to be said of a claim that was sent; what nobody waits for any more is left out."""
        payer = self.runtime.directory.payers.get(subject.payer_id)
        if subject.kind != "claim" or subject.sent_at is None or payer is None:
            return []
        now, found = self.runtime.world.micros(), list[TraceRung]()
        for rung, span in payer.expects.clocks:
            if rung == "277":
                # That is waited for from the asking on, by the inquiry.
                continue
            by = subject.sent_at + span
            if subject.heard >= number_of(rung):
                found.append(TraceRung(rung=rung, expected_by=_certain(by), state="said"))
            elif is_silent(subject.state, subject.heard, rung):
                found.append(TraceRung(rung=rung, expected_by=_certain(by), state="overdue" if by < now else "awaited"))
        return found

    async def _sent(self, tx: Transaction, sent: Interchange, transaction_id: str, raw: bool) -> TraceInterchange:
        held = await interchanges.members(tx, TENANT, sent.interchange_id)
        mine = next((m.control_number for m in held if m.transaction_id == transaction_id), None)
        content = await payloads.load(tx, self.runtime.vault, TENANT, sent.payload_id) if raw else b""
        return TraceInterchange(
            interchange_id=sent.interchange_id,
            direction="out",
            state=sent.state,
            reason=sent.reason or None,
            set_id=sent.set_id,
            control_number=f"{sent.control_number:09d}",
            set_control_number=mine,
            sha256=sent.sha256,
            bytes=sent.bytes,
            attempts=sent.attempts,
            at=moment(sent.created_at),
            segments=segments(content) if raw else None,
        )

    async def _received(self, tx: Transaction, file: InboundFile, raw: bool) -> TraceInterchange:
        if raw:
            content = await payloads.load(tx, self.runtime.vault, TENANT, file.payload_id)
        else:
            content, _ = await payloads.beginning(tx, self.runtime.vault, TENANT, file.payload_id)
        lines = segments(content) if raw else []
        first = next(chain.from_iterable(run.segments for run in runs(content)), "")
        isa = first.split(first[3]) if len(first) > 3 else []
        return TraceInterchange(
            inbound_id=file.inbound_id,
            direction="in",
            state=file.state,
            reason=file.reason or None,
            control_number=isa[13] if len(isa) > 13 else None,
            sha256=file.sha256,
            bytes=file.bytes,
            times_seen=file.times_seen,
            at=moment(file.received_at),
            segments=lines if raw else None,
        )

    async def report(self, name: str, kind: Literal["277", "835"]) -> bytes | AsyncIterator[bytes] | None:
        """A report in JSON, as `answer` gives it, by its transaction id or by that of a claim that it is about; None when there is none."""

        async def body(tx: Transaction) -> bytes | Iterator[bytes] | None:
            transaction_id = name[2:] if name[:2] in _NAMES.values() else name
            subject = await transactions.get(tx, TENANT, transaction_id)
            if subject.kind == "claim":
                subject = await self._about(tx, subject, _REPORTS[kind]) or subject
            return await self._told(tx, subject) if subject.kind == _REPORTS[kind] else None

        return self._given(await self.runtime.database.read(body))

    async def _about(
        self, tx: Transaction, claim: transactions.Transaction, kind: str
    ) -> transactions.Transaction | None:
        """The newest report of a kind that named the claim; a file may hold several, of which the event names one."""
        events = await transactions.events(tx, TENANT, claim.transaction_id)
        for event in reversed(events):
            named = event.data.get(_NAMED[kind])
            if named:
                return await transactions.get(tx, TENANT, named)
            if event.inbound_id is not None:
                found = await transactions.from_file(tx, TENANT, event.inbound_id, kind)
                if found:
                    return found[-1]
        return None

    async def raw_report(self, name: str) -> bytes | None:
        """The X12 of a report as the payer sent it; None when there is none."""

        async def body(tx: Transaction) -> bytes | None:
            subject = await transactions.get(tx, TENANT, name[2:] if name[:2] in _NAMES.values() else name)
            if subject.kind not in _NAMES or subject.request_id is None:
                return None
            return await payloads.load(tx, self.runtime.vault, TENANT, subject.request_id)

        return await self.runtime.database.read(body)

    async def raw_report_about(self, claim_id: str, kind: str) -> tuple[str, bytes] | None:
        """The newest file of a kind ("claim_report", "remittance") that named a claim, its id and X12; None when there is none."""

        async def body(tx: Transaction) -> tuple[str, bytes] | None:
            claim = await transactions.get(tx, TENANT, claim_id)
            subject = await self._about(tx, claim, kind)
            if subject is None or subject.request_id is None:
                return None
            content = await payloads.load(tx, self.runtime.vault, TENANT, subject.request_id)
            return subject.request_id, content

        return await self.runtime.database.read(body)

    async def reports(self) -> ReportListing:
        """The newest reports by the names that older clients expect."""

        async def body(tx: Transaction) -> list[transactions.Transaction]:
            return await mailbox.lying(tx, TENANT, _PAGE_MAX)

        found = await self.runtime.database.read(body)
        return ReportListing(reports=[_NAMES[t.kind] + t.transaction_id for t in found])

    async def remove_report(self, tx: Transaction, name: str) -> bool:
        """Take a report out of the mailbox; False where there is none of this name."""
        transaction_id = name[2:] if name[:2] in _NAMES.values() else name
        return await mailbox.remove(tx, TENANT, transaction_id, self.runtime.world.micros())

    async def polling(self, after: int, limit: int, base: str, since: int = 0) -> PollingPage:
        """What was committed behind a position, oldest first, and later than `since`; the token of an empty page is where more will come."""
        limit = max(1, min(limit, _PAGE_MAX))
        # Times are told to the millisecond: what was processed in the one that is named is not later.
        later = since // 1_000 * 1_000 + 999 if since else 0

        async def body(tx: Transaction) -> PollingPage:
            begin = max(after, await transactions.position_at(tx, TENANT, later - _SKEW_MICROS)) if later else after
            found = await transactions.page(tx, TENANT, begin, limit, later)
            last = found[-1].position if found else max(after, await transactions.last_position(tx, TENANT))
            return PollingPage(items=await polled(tx, self.runtime, found, base), next_page_token=str(last))

        return await self.runtime.database.read(body)

    async def polled(self, transaction_id: str, base: str) -> PollingItem:
        """One transaction as polling shows it; Unknown when there is none."""

        async def body(tx: Transaction) -> PollingItem:
            subject = await transactions.get(tx, TENANT, transaction_id)
            return (await polled(tx, self.runtime, [subject], base))[0]

        return await self.runtime.database.read(body)


def _event(event: transactions.Event) -> TraceEvent:
    return TraceEvent(
        at=_certain(event.at),
        kind=event.kind,
        data=event.data or None,
        interchange_id=event.interchange_id,
        inbound_id=event.inbound_id,
        traceparent=event.traceparent or None,
    )

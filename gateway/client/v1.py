"""The operations of `/v1`, as coroutines: stories of transactions, benefits, and what persons look after."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.alarms import AlarmPage, AlarmView
from gateway.api.payers import PayerFiles, PayerVersions
from gateway.api.v1 import Clock, Forward
from gateway.batch_messages import BatchCancelled, BatchList, RetryRules
from gateway.benefits import BenefitSummary
from gateway.client.connection import Connection, Json, Query, at, must
from gateway.estimate_messages import Estimate, EstimateRequest
from gateway.follow_ups import FollowUpBecause, FollowUpCounts, FollowUpPage, FollowUpView
from gateway.inbox_messages import (
    DoubtDecided,
    DoubtDecision,
    Handled,
    HandledBecause,
    InDoubtDetail,
    InDoubtPage,
    UnmatchedDetail,
    UnmatchedPage,
)
from gateway.lanes import LanePage, LaneView, PauseRequest
from gateway.messages import Trace, TransactionView

__all__ = ["V1Calls"]


def _page(page_token: str | None, page_size: int, **more: str | int | None) -> Query:
    return {"pageToken": page_token, "pageSize": page_size, **more}


def _told(value: bool) -> str:
    return "true" if value else "false"


class V1Calls(Connection):
    """What the dialect lacks."""

    # --- transactions, benefits, and the sandbox ---------------------------------------------------------------------------

    async def read_transaction(self, transaction_id: str) -> TransactionView:
        """Where a transaction stands."""
        return await self._get(TransactionView, at("/v1/transactions/{}", transaction_id))

    async def trace_transaction(self, transaction_id: str) -> Trace:
        """The whole story of a transaction; raw segments for keys with `raw:read`."""
        return await self._get(Trace, at("/v1/transactions/{}/trace", transaction_id))

    async def read_answer(self, transaction_id: str) -> dict[str, Any]:
        """The answer of a transaction as JSON; `NotFound` with `retry_after_seconds` while there is none."""
        return msgspec.json.decode((await self._send("GET", at("/v1/transactions/{}/answer", transaction_id))).body)

    async def read_benefits(self, transaction_id: str, patient: int | None = None) -> BenefitSummary:
        """What the answer to an eligibility check says, in order, each figure with its EB."""
        path = at("/v1/eligibility/{}/benefits", transaction_id)
        return await self._get(BenefitSummary, path, {"patient": patient})

    async def estimate_share(
        self, transaction_id: str, request: EstimateRequest | Json, patient: int | None = None
    ) -> Estimate:
        """What the patient will owe for a visit."""
        path = at("/v1/eligibility/{}/estimate", transaction_id)
        return must(await self._send("POST", path, request, query={"patient": patient}), Estimate)

    async def move_clock(self, days: float = 0, seconds: float = 0, *, idempotency_key: str | None = None) -> Clock:
        """Move the clock of the sandbox, and of its gateway, ahead."""
        return await self._write(Clock, "/v1/sandbox/clock", Forward(days=days, seconds=seconds), idempotency_key)

    # --- batches of eligibility checks ------------------------------------------------------------------------------------

    async def list_batches(self, page_token: str | None = None, page_size: int = 20) -> BatchList:
        """A page of batches, newest first."""
        return await self._get(BatchList, "/v1/eligibility-batches", _page(page_token, page_size))

    async def cancel_batch(self, batch_id: str, *, idempotency_key: str | None = None) -> BatchCancelled:
        """End the checks of a batch that are not on their way to a payer. Cancelling again changes nothing."""
        path = at("/v1/eligibility-batches/{}/cancel", batch_id)
        return await self._write(BatchCancelled, path, None, idempotency_key)

    async def read_retry_rules(self, payer_id: str | None = None) -> RetryRules:
        """Which rejections of batch checks are asked again, when, and until when."""
        return await self._get(RetryRules, "/v1/eligibility-retry-rules", {"payerId": payer_id})

    # --- what waits for a person --------------------------------------------------------------------------------------------

    async def list_in_doubt(self, page_token: str | None = None, page_size: int = 100) -> InDoubtPage:
        """A page of interchanges of which nobody knows whether the payer has them."""
        return await self._get(InDoubtPage, "/v1/in-doubt", _page(page_token, page_size))

    async def read_in_doubt(self, interchange_id: str) -> InDoubtDetail:
        """One of them: all that is known of it, its claims, and what can be decided."""
        return await self._get(InDoubtDetail, at("/v1/in-doubt/{}", interchange_id))

    async def decide_in_doubt(
        self, interchange_id: str, decision: DoubtDecision | Json, *, idempotency_key: str | None = None
    ) -> DoubtDecided:
        """Decide what becomes of it, and why."""
        path = at("/v1/in-doubt/{}/decision", interchange_id)
        return await self._write(DoubtDecided, path, decision, idempotency_key)

    async def list_unmatched(
        self, page_token: str | None = None, page_size: int = 100, *, handled: bool = False
    ) -> UnmatchedPage:
        """A page of files from payers that match nothing or contradict themselves; `handled` those that were looked after."""
        return await self._get(UnmatchedPage, "/v1/unmatched", _page(page_token, page_size, handled=_told(handled)))

    async def read_unmatched(self, inbound_id: str) -> UnmatchedDetail:
        """One of them; raw segments for keys with `raw:read`."""
        return await self._get(UnmatchedDetail, at("/v1/unmatched/{}", inbound_id))

    async def handle_unmatched(
        self, inbound_id: str, because: HandledBecause | Json, *, idempotency_key: str | None = None
    ) -> Handled:
        """Say that a file was looked after, and how."""
        return await self._write(Handled, at("/v1/unmatched/{}/handled", inbound_id), because, idempotency_key)

    async def list_alarms(
        self, page_token: str | None = None, page_size: int = 100, *, closed: bool = False
    ) -> AlarmPage:
        """A page of what a person should look at; `closed` those whose cause is gone."""
        return await self._get(AlarmPage, "/v1/alarms", _page(page_token, page_size, closed=_told(closed)))

    async def acknowledge_alarm(self, alarm_id: str, *, idempotency_key: str | None = None) -> AlarmView:
        """Say that an alarm was seen."""
        return await self._write(AlarmView, at("/v1/alarms/{}/acknowledged", alarm_id), None, idempotency_key)

    # --- follow-ups ---------------------------------------------------------------------------------------------------------

    async def count_follow_ups(self) -> FollowUpCounts:
        """How many open claims are asked about, and how many wait for a person."""
        return await self._get(FollowUpCounts, "/v1/follow-ups")

    async def list_follow_ups(
        self, page_token: str | None = None, page_size: int = 100, *, days: int = 0
    ) -> FollowUpPage:
        """A page of claims that their payers are asked about within so many days, those that are due first."""
        return await self._get(FollowUpPage, "/v1/follow-ups/due", _page(page_token, page_size, days=days))

    async def list_worklist(self, page_token: str | None = None, page_size: int = 100) -> FollowUpPage:
        """A page of claims that a person must act on."""
        return await self._get(FollowUpPage, "/v1/follow-ups/worklist", _page(page_token, page_size))

    async def stop_follow_up(
        self, transaction_id: str, because: FollowUpBecause | Json, *, idempotency_key: str | None = None
    ) -> FollowUpView:
        """A person looks after a claim: its payer is not asked about it."""
        return await self._write(FollowUpView, at("/v1/follow-ups/{}/stop", transaction_id), because, idempotency_key)

    async def resume_follow_up(self, transaction_id: str, *, idempotency_key: str | None = None) -> FollowUpView:
        """Have the payer asked about a claim now, and again at its interval."""
        return await self._write(FollowUpView, at("/v1/follow-ups/{}/resume", transaction_id), None, idempotency_key)

    async def finish_worklist_item(
        self, transaction_id: str, because: FollowUpBecause | Json, *, idempotency_key: str | None = None
    ) -> FollowUpView:
        """A person has done what was to be done about a claim at its end: it leaves the worklist."""
        return await self._write(FollowUpView, at("/v1/follow-ups/{}/done", transaction_id), because, idempotency_key)

    # --- routes and payers --------------------------------------------------------------------------------------------------

    async def list_lanes(self) -> LanePage:
        """How each route stands."""
        return await self._get(LanePage, "/v1/lanes")

    async def pause_lane(
        self, route_id: str, pause: PauseRequest | Json | None = None, *, idempotency_key: str | None = None
    ) -> LaneView:
        """Send nothing over a route for some minutes, or until it is resumed."""
        return await self._write(LaneView, at("/v1/lanes/{}/pause", route_id), pause or PauseRequest(), idempotency_key)

    async def resume_lane(self, route_id: str, *, idempotency_key: str | None = None) -> LaneView:
        """End a pause, and close the circuit."""
        return await self._write(LaneView, at("/v1/lanes/{}/resume", route_id), None, idempotency_key)

    async def list_payer_files(self) -> PayerFiles:
        """How the files of payers stand."""
        return await self._get(PayerFiles, "/v1/payer-files")

    async def list_payer_versions(self, payer_id: str) -> PayerVersions:
        """What was in force of a payer, and when, oldest first."""
        return await self._get(PayerVersions, at("/v1/payers/{}/versions", payer_id))

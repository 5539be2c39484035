"""One Claimwire is the way of another one: questions, claims, acknowledgements and remittances travel whole through both."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from adapters.protocol import Context, Inbound, InDoubt, Outbound, Outcome
from adapters.transports.dialect import DialectX12
from gateway.config import Config
from gateway.payers import Expects, Payer, Route, Transactions
from gateway.serving import Running
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, in_process, institutional_body, until
from tests.flows.test_access import key_with
from tests.flows.test_kill import until_true

SCOPES = ("eligibility:write", "claims:write", "claims:read", "raw:read")


@dataclass
class Chain:
    """A practice's Claimwire, the one that it sends by, and the sandbox payer behind that."""

    near: Client
    near_up: Running
    far: Client
    far_up: Running

    async def acknowledged(self, claim: str) -> list[dict[str, Any]]:
        """What the 277CAs said of a claim, in their order."""
        events = (await self.near.trace(claim))["events"]
        return [event["data"] for event in events if event["kind"] == "claimAcknowledged"]

    async def collected(self) -> bool:
        """Whether no report lies in the mailbox."""
        return not (await self.far.get(f"{NETWORK}/reports/v2")).json["reports"]

    async def seen(self) -> dict[str, Any]:
        """What the payer has got."""
        assert self.far_up.sandbox is not None
        payer = Client(self.far_up.sandbox.url, None)
        found = (await payer.get("/seen")).json
        await payer.close()
        return found


@asynccontextmanager
async def chain(folder: Path, authorization: str = "bearer") -> AsyncGenerator[Chain]:
    async with in_process(folder / "far") as (far, far_up):
        key, _ = await key_with(far_up.runtime, SCOPES)
        route = Route(
            id="upstream", adapter="dialect", usage="T", sender_id="PRACTICE", receiver_id="FAR",
            settings={"url": far.url, "authorization": authorization}, secrets={"token": key},
            batch_window_seconds=0.1, poll_seconds=0.2, duplicates="idempotency_key",
        )  # fmt: skip
        payer = Payer(
            id="SANDBOX-FAR", name="SANDBOX HEALTH PLAN", routes=["upstream"], aliases=["FARAWAY"],
            repeated_claims="allow", expects=Expects(acknowledgement_hours=0, claim_acknowledgement_hours=0),
        )  # fmt: skip
        async with in_process(folder / "near", Config(routes=[route], payers=[payer])) as (near, near_up):
            yield Chain(near, near_up, far, far_up)


def for_it(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"tradingPartnerServiceId": "FARAWAY"}


async def test_a_question_is_answered_through_both(tmp_path: Path) -> None:
    async with chain(tmp_path, "key") as both:
        answer = await both.near.post(f"{NETWORK}/eligibility/v3", for_it(eligibility_body()))
        assert 200 == answer.status, answer.body
        assert "1" == answer.json["benefitsInformation"][0]["code"]
        unknown = await both.near.post(f"{NETWORK}/eligibility/v3", for_it(eligibility_body("SANDBOX-NOTFOUND")))
        assert ["75"] == [error["code"] for error in unknown.json["errors"]]


async def test_claims_of_two_kinds_reach_the_payer_once_and_their_reports_come_back(tmp_path: Path) -> None:
    async with chain(tmp_path) as both:
        professional = await both.near.submit(for_it(claim_body("PAID-1")))
        answer = await both.near.post(
            f"{NETWORK}/institutionalclaims/v1/submission", for_it(institutional_body("COPAY-2"))
        )
        assert 200 == answer.status, answer.body
        claims = [professional, answer.json["claimReference"]["correlationId"]]
        for claim in claims:
            await until(both.near, claim, "received")
        await both.far.forward(3)
        for claim in claims:
            assert (await until(both.near, claim, "remitted"))["outcome"] in ("paid", "partly_paid")
            story = [event["kind"] for event in (await both.near.trace(claim))["events"]]
            assert 1 == story.count("delivered")
            # The other Claimwire took it, then the payer did.
            told = await both.acknowledged(claim)
            assert [("clearinghouse", True), ("payer", True)] == [
                (one.get("source", "payer"), one["accepted"]) for one in told
            ]
        seen = await both.seen()
        assert [1, 1] == list(seen["claims"].values())
        # What was collected lies in the mailbox no more.
        await until_true(both.collected)


async def test_a_claim_that_the_other_refuses_comes_back_rejected_with_its_reasons(tmp_path: Path) -> None:
    async with chain(tmp_path) as both:
        claim = await both.near.submit(for_it(claim_body("REJECT-1")))
        rejected = await until(both.near, claim, "rejected")
        assert "rejected" == rejected["state"]
        told = await both.acknowledged(claim)
        assert [True, False] == [one["accepted"] for one in told]
        assert told[-1]["statuses"]


class Cut(DialectX12):
    """The way on which the answer to the first claims is lost."""

    def __init__(self) -> None:
        super().__init__("dialect", "cut once")
        self.keys: list[str] = []

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        self.keys.append(outbound.idempotency_key)
        return outcome if len(self.keys) > 1 else InDoubt("the answer was lost")

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        # What the payer says would settle it before it is sent again.
        if len(self.keys) > 1:
            async for inbound in super().collect(context):
                yield inbound


async def test_claims_whose_answer_was_lost_are_sent_under_the_same_key_and_reach_the_payer_once(
    tmp_path: Path,
) -> None:
    async with chain(tmp_path) as both:
        cut, runtime = Cut(), both.near_up.runtime
        runtime.use("dialect", cut)
        # Else a 276 would settle it.
        payer = runtime.directory.payers["SANDBOX-FAR"]
        silent = msgspec.structs.replace(payer, transactions=Transactions(claim_status="not_supported"))
        runtime.directory.payers["SANDBOX-FAR"] = silent
        claim = await both.near.submit(for_it(claim_body("PAID-1")))
        await until(both.near, claim, "received")
        assert [cut.keys[0]] * 2 == cut.keys
        assert "doubted" in [event["kind"] for event in (await both.near.trace(claim))["events"]]
        await both.far.forward(3)
        await until(both.near, claim, "remitted")
        assert [1] == list((await both.seen())["claims"].values())

"""What a payer says goes to the claim that it means: a number is a payer's own, and numbers that contradict each other mean nobody."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.envelopes import claim_number
from gateway.ledger import search
from gateway.matching import Named, claim_meant, peer_of
from gateway.payers import Directory
from gateway.runtime import TENANT
from tests.flows.doubtful import Doubtful, doubtful
from tests.flows.service import claim_body, until


async def meant(payer: Doubtful, route_id: str, named: Named, *not_in: str) -> str | None:
    runtime = payer.up.runtime
    peer = peer_of(runtime.directory, runtime.directory.routes[route_id])
    found = await runtime.database.read(lambda tx: claim_meant(tx, runtime, peer, TENANT, named, not_in=not_in))
    return found.transaction_id if found is not None else None


async def sent(payer: Doubtful, payer_id: str, number: str, payers_number: str | None) -> str:
    """A claim that is with a payer, under the number that the payer gave it."""
    claim = await payer.client.submit({**claim_body(number), "tradingPartnerServiceId": payer_id})
    await until(payer.client, claim, "sent")
    runtime = payer.up.runtime
    await runtime.database.write(
        lambda tx: search.add(tx, runtime.vault, TENANT, claim, {"payer_control_number": payers_number})
    )
    return claim


def another_payer(payer: Doubtful) -> None:
    """OTHER HEALTH PLAN, elsewhere; a second route to the first mailbox; and a route of nobody's, over which files are only collected."""
    directory = payer.up.runtime.directory
    route, plan = directory.routes["sandbox"], directory.payers["SANDBOX"]
    more = [msgspec.structs.replace(route, id="second", sender_id="SECOND")]
    for name in ("other", "collected"):
        # The same way there, under another name: these tests deliver over it, too.
        payer.up.runtime.use(name, payer.up.runtime.adapter(route))
        more.append(msgspec.structs.replace(route, id=name, receiver_id=name.upper(), adapter=name))
    elsewhere = msgspec.structs.replace(plan, id="OTHER", name="OTHER HEALTH PLAN", routes=["other"], aliases=[])
    # A new one, as the service makes it: the worker may be going over the one in force.
    routes = [*directory.routes.values(), *more]
    payer.up.runtime.directory = Directory([*directory.payers.values(), elsewhere], routes)


async def test_a_payers_number_means_its_own_claim_only(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        another_payer(payer)
        here = await sent(payer, "SANDBOX", "PAID-1", "ICN-77")
        there = await sent(payer, "OTHER", "PAID-2", "ICN-77")
        for route, claim in (("sandbox", here), ("second", here), ("other", there)):
            assert claim == await meant(payer, route, Named(payer_control_number="ICN-77"))
        # The patient's number says which one where the route says nothing.
        assert None is await meant(payer, "collected", Named(payer_control_number="ICN-77"))
        named = Named(payer_control_number="ICN-77", patient_control_number="PAID-2")
        assert there == await meant(payer, "collected", named)


async def test_numbers_of_two_claims_mean_neither(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        another_payer(payer)
        one = await sent(payer, "SANDBOX", "PAID-1", "ICN-1")
        other = await sent(payer, "SANDBOX", "PAID-2", "ICN-2")
        both = Named(payer_control_number="ICN-1", patient_control_number="PAID-2")
        assert None is await meant(payer, "sandbox", both)
        # Our own number is nobody else's.
        for route in ("sandbox", "other"):
            assert other == await meant(payer, route, Named(claim_number(other), "ICN-1", "PAID-1"))
        # A payer that shortens the patient's number, or does not know it, is taken at its own.
        for said in ("", "0", "PAID"):
            assert one == await meant(payer, "sandbox", Named("", "ICN-1", said))
        assert other == await meant(payer, "sandbox", Named("", "ICN-unknown", "PAID-2"))
        assert None is await meant(payer, "sandbox", Named("", "ICN-unknown", "0"))


async def test_a_clearinghouses_number_tells_apart_and_names_nobody_by_itself(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        first = await sent(payer, "SANDBOX", "PAID-1", None)
        runtime = payer.up.runtime
        told = claim_body("PAID-1", charge="130")
        second = await payer.client.submit({**told, "tradingPartnerServiceId": "SANDBOX"})
        await until(payer.client, second, "sent")
        for claim, number in ((first, "UP-1"), (second, "UP-2"), (first, "NONE"), (second, "NONE")):
            await runtime.database.write(
                lambda tx, c=claim, n=number: search.add(tx, runtime.vault, TENANT, c, {"upstream_number": n})
            )
        assert first == await meant(payer, "sandbox", Named("UP-1", "", "PAID-1"))
        assert second == await meant(payer, "sandbox", Named("UP-2", "", "PAID-1"))
        for named in (Named("UP-1"), Named("UP-1", "", "PAID-2"), Named("NONE", "", "PAID-1"), Named("", "", "PAID-1")):
            assert None is await meant(payer, "sandbox", named)

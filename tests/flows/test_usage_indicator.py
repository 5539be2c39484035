"""Test or production: a claim is sent as production only where both the caller and the route say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.payers import Directory, Payer
from gateway.serving import Running
from tests import synthetic
from tests.flows.service import (
    NETWORK,
    Client,
    claim_body,
    dental_body,
    in_process,
    institutional_body,
    until,
    until_true,
)

PROFESSIONAL = f"{NETWORK}/professionalclaims/v3"
PATHS = {
    claim_body: PROFESSIONAL,
    institutional_body: f"{NETWORK}/institutionalclaims/v1",
    dental_body: "/dental-claims",
}
WRONG_NPI = "1999996668"


def with_ways(up: Running, *usages: str) -> None:
    """A payer with a way of each of these usages, all to the sandbox payer."""
    known = up.runtime.directory
    ways = [
        msgspec.structs.replace(known.routes["sandbox"], id=f"birch-{usage}", usage=usage, sender_id=f"BIRCH{usage}")
        for usage in usages
    ]
    payer = Payer(id="BIRCH", name="BIRCH HEALTH PLAN", routes=[way.id for way in ways])
    payers = [p for p in known.payers.values() if p.id != payer.id]
    routes = [r for r in known.routes.values() if not r.id.startswith("birch-")]
    up.runtime.directory = Directory([*payers, payer], [*routes, *ways])


def claim(made: Any, number: str, usage: str | None) -> dict[str, Any]:
    return {**made(number), "tradingPartnerServiceId": "BIRCH", "usageIndicator": usage}


async def sent(client: Client, transaction_id: str) -> tuple[str, str, str]:
    """The route of a claim, its usage in the ledger, and ISA15 of what left."""

    async def outward() -> list[dict[str, Any]]:
        return [i for i in (await client.trace(transaction_id))["interchanges"] if i["direction"] == "out"]

    async def has_left() -> bool:
        return bool(await outward())

    await until_true(has_left)
    told = await until(client, transaction_id, "built", "sent", "acknowledged", "received", "rejected")
    out = await outward()
    isa = out[0]["segments"][0]
    return told["routeId"], told["usageIndicator"], isa.split(isa[3])[15]


@pytest.mark.parametrize("made", PATHS)
async def test_a_test_never_goes_out_as_production_and_production_on_a_test_route_is_a_test(
    tmp_path: Path, made: Any
) -> None:
    async with in_process(tmp_path) as (client, up):
        for usages, asked, expected in (
            (("P",), None, ("birch-P", "P", "P")),
            (("P",), "P", ("birch-P", "P", "P")),
            (("P",), "T", ("birch-P", "T", "T")),
            (("T",), "P", ("birch-T", "T", "T")),
            (("T",), "T", ("birch-T", "T", "T")),
            # A payer with a way for tests gets them there.
            (("P", "T"), "T", ("birch-T", "T", "T")),
            (("P", "T"), "P", ("birch-P", "P", "P")),
        ):
            with_ways(up, *usages)
            number = f"PAID-{''.join(usages)}{asked}"
            answer = await client.post(f"{PATHS[made]}/submission", claim(made, number, asked))
            assert 200 == answer.status, answer.body
            mode = "production" if expected[1] == "P" else "test"
            assert mode == answer.json["meta"]["applicationMode"]
            assert expected == await sent(client, answer.json["claimReference"]["correlationId"])


async def test_a_file_says_it_in_its_isa(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        with_ways(up, "P")
        made = synthetic.claims_837p(1).replace("*PI*SYNTH~", "*PI*BIRCH~")
        for usage, seed in (("P", 1), ("T", 2)):
            text = made.replace("*0*T*:", f"*0*{usage}*:").replace("MEM0000000", f"MEM000000{seed}")
            answer = await client.post(f"{PROFESSIONAL}/raw-x12-submission", text.encode())
            assert 200 == answer.status, answer.body
            assert ("birch-P", usage, usage) == await sent(client, answer.json["claimReference"]["correlationId"])


async def test_tests_and_production_leave_in_interchanges_of_their_own_with_numbers_of_one_series(
    tmp_path: Path,
) -> None:
    async with in_process(tmp_path) as (client, up):
        with_ways(up, "P")
        answers = [
            await client.post(f"{PROFESSIONAL}/submission", claim(claim_body, f"PAID-{n}", usage))
            for n, usage in enumerate("PTPT")
        ]
        ids = [a.json["claimReference"]["correlationId"] for a in answers]
        assert list("PTPT") == [(await sent(client, transaction_id))[2] for transaction_id in ids]
        left = [
            i["controlNumber"]
            for transaction_id in ids
            for i in (await client.trace(transaction_id))["interchanges"]
            if i["direction"] == "out"
        ]
        # One number is one interchange, whichever usage it has: acknowledgements name nothing but the number.
        assert 2 <= len(set(left))
        assert {left[0], left[2]} & {left[1], left[3]} == set()
        for transaction_id in ids:
            assert "received" == (await until(client, transaction_id, "received"))["state"]


async def test_numbers_that_are_made_up_only_warn_where_it_is_a_test(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        with_ways(up, "P")
        for usage, status, told in (("P", 400, "errors"), (None, 400, "errors"), ("T", 200, "warnings")):
            body = claim(claim_body, "PAID-1", usage)
            body["billing"]["npi"] = WRONG_NPI
            answer = await client.post(f"{PROFESSIONAL}/validation", body)
            assert (usage, status) == (usage, answer.status)
            assert ["billing.npi"] == [e["field"] for e in answer.json[told]]
        answer = await client.post(f"{PROFESSIONAL}/validation", claim(claim_body, "PAID-1", "X"))
        assert (400, ["usageIndicator"]) == (answer.status, [e["field"] for e in answer.json["errors"]])


async def test_a_test_that_stays_silent_is_asked_about_by_a_test(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        with_ways(up, "P")
        answer = await client.post(f"{PROFESSIONAL}/submission", claim(claim_body, "SILENT-1", "T"))
        silent = answer.json["claimReference"]["correlationId"]
        await until(client, silent, "sent", "acknowledged")
        await client.forward(14.1)
        await until(client, silent, "pending")
        segments = [i["segments"] for i in (await client.trace(silent))["interchanges"] if i.get("setId") == "276"]
        assert ["T"] == [lines[0].split(lines[0][3])[15] for lines in segments]


@pytest.mark.parametrize(
    ("made", "name"), [(claim_body, "professional"), (institutional_body, "institutional"), (dental_body, "dental")]
)
async def test_what_kind_of_claim_it_is_is_shown(tmp_path: Path, made: Any, name: str) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(f"{PATHS[made]}/submission", made("PAID-1"))
        transaction_id = answer.json["claimReference"]["correlationId"]
        assert name == (await client.transaction(transaction_id))["claimType"]
        assert name == (await client.trace(transaction_id))["transaction"]["claimType"]

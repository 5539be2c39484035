"""Benefit summary and estimate over real sockets, against the sandbox payer; also what is refused, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gateway.api.benefit_examples import ESTIMATE_EXAMPLE, REQUEST_EXAMPLE, SUMMARY_EXAMPLE
from gateway.benefits import BenefitSummary
from gateway.estimate_messages import Estimate, EstimateRequest
from tests import synthetic
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, in_process
from tests.tidy.tree import blocks
from x12.documents.binding import Document

ELIGIBILITY = f"{NETWORK}/eligibility/v3"


async def checked(client: Client, member: str = "SANDBOX-BENEFITS-1") -> str:
    """The transaction of an answered eligibility check."""
    answer = await client.post(ELIGIBILITY, eligibility_body(member))
    assert 200 == answer.status, answer.body
    return answer.json["id"]


async def estimated(client: Client, transaction_id: str, *lines: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"/v1/eligibility/{transaction_id}/estimate", {"lines": list(lines)})
    assert 200 == answer.status, answer.body
    return answer.json


def is_part_of(part: Any, whole: Any) -> bool:
    """Whether every value of an example is in what was told, in lists in any place."""
    if isinstance(part, dict):
        items = cast("dict[str, Any]", part)
        return isinstance(whole, dict) and all(k in whole and is_part_of(v, whole[k]) for k, v in items.items())
    if isinstance(part, list):
        return all(any(is_part_of(p, w) for w in whole) for p in cast("list[Any]", part))
    return part == whole


def of_service(summary: dict[str, Any], code: str, network: str | None) -> dict[str, Any]:
    """What a summary says of one service type in one network."""
    (service,) = (s for s in summary["services"] if s.get("serviceTypeCode") == code)
    (told,) = (n for n in service["networks"] if n.get("network") == network)
    return told


async def test_every_figure_of_a_summary_leads_to_its_eb(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(ELIGIBILITY, eligibility_body("SANDBOX-BENEFITS-1"))
        found = await client.get(f"/v1/eligibility/{answer.json['id']}/benefits")
    assert (200, answer.json["id"]) == (found.status, found.json["transactionId"])
    text = answer.json["x12"]
    segments = text[text.index("ST*271") :].replace("\n", "").split("~")
    benefits = answer.json["benefitsInformation"]
    pointed = list(sources_in(found.json))
    assert set(range(len(benefits))) == {benefit for benefit, _ in pointed}
    for benefit, segment in pointed:
        assert ["EB", benefits[benefit]["code"]] == segments[segment - 1].split("*")[:2]


def sources_in(value: Any) -> Any:
    """(benefit, segment) of every source in a document."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if "benefit" in items:
            yield items["benefit"], items["segment"]
        for inner in items.values():
            yield from sources_in(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from sources_in(inner)


async def test_a_summary_tells_what_the_payer_said_and_nothing_else(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        summary = (await client.get(f"/v1/eligibility/{await checked(client)}/benefits")).json
    year = summary["since"][:4]
    assert (True, f"{year}0101", f"{year}1231") == (summary["active"], summary["since"], summary["until"])
    plan = of_service(summary, "30", "in")
    deductibles = [
        (d["coverageLevelCode"], d["total"]["amount"], d["remaining"]["amount"]) for d in plan["deductibles"]
    ]
    assert [("FAM", "3000", "2100"), ("IND", "1500", "300")] == sorted(deductibles)
    (out,) = of_service(summary, "30", "out")["deductibles"]
    assert ("3000", None) == (out["total"]["amount"], out.get("remaining"))
    assert [{"required": "yes"}] == [
        {"required": a["required"]} for a in of_service(summary, "62", "in")["authorizations"]
    ]
    assert "copays" not in of_service(summary, "62", "in")
    assert "I" == of_service(summary, "35", None)["nonCovered"][0]["code"]
    assert ["GREENE"] == [e["entityName"] for p in summary["primaryCare"] for e in p["entities"]]
    assert ["Secondary Payer"] == [e["entityIdentifier"] for p in summary["otherPayers"] for e in p["entities"]]
    assert ["Co-Payment"] == [c["what"] for c in summary["contradictions"]]


async def test_the_dialects_own_answer_stays_as_it_is(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client)
        before = (await client.get(f"/v1/transactions/{transaction_id}/answer")).body
        await client.get(f"/v1/eligibility/{transaction_id}/benefits")
        await estimated(client, transaction_id, {"serviceTypeCode": "98", "chargeAmount": "100"})
        assert before == (await client.get(f"/v1/transactions/{transaction_id}/answer")).body
    assert "benefitSummary" not in msgspec.json.decode(before)


async def test_a_visit_after_the_plan_s_year_is_not_estimated_out_of_this_one(tmp_path: Path) -> None:
    line = {"serviceTypeCode": "98", "network": "in", "chargeAmount": "180", "allowedAmount": "118.40"}
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client)
        summary = (await client.get(f"/v1/eligibility/{transaction_id}/benefits")).json
        path = f"/v1/eligibility/{transaction_id}/estimate"
        told: dict[str, Any] = {}
        for day in (summary["since"], summary["until"], f"{int(summary['until'][:4]) + 1}0105"):
            told[day] = (await client.post(path, {"lines": [line], "serviceDate": day})).json
            # A line says it as a claim's does.
            assert told[day] == (await client.post(path, {"lines": [{**line, "serviceDate": day}]})).json
    first, last, after = told.values()
    assert ("25.00", "25.00") == (first["amount"], last["amount"])
    assert ("unknown", ["serviceDate"]) == (after["basis"], [n["code"] for n in after["lines"][0]["unknown"]])
    assert "high" not in after


async def test_the_callers_reference_comes_back_with_the_answer(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        told = await client.post(ELIGIBILITY, {**eligibility_body(), "submitterTransactionIdentifier": "VISIT-77"})
        two = {**eligibility_body(), "dependents": [{"firstName": name} for name in ("ROBIN", "SAM")]}
        refused = await client.post(ELIGIBILITY, two)
    assert "VISIT-77" == told.json["meta"]["outboundTraceId"]
    assert (400, ["dependents[1]"]) == (refused.status, [e["field"] for e in refused.json["errors"]])


async def test_the_examples_of_the_openapi_document_are_what_the_sandbox_gets(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client)
        summary = (await client.get(f"/v1/eligibility/{transaction_id}/benefits")).json
        year = summary["since"][:4]
        request = {**REQUEST_EXAMPLE, "serviceDate": year + REQUEST_EXAMPLE["serviceDate"][4:]}
        estimate = await client.post(f"/v1/eligibility/{transaction_id}/estimate", request)
        described = (await client.get("/openapi.json")).json
    assert is_part_of(SUMMARY_EXAMPLE, summary)
    assert {**ESTIMATE_EXAMPLE, "transactionId": transaction_id} == estimate.json
    operation = described["paths"]["/v1/eligibility/{transactionId}/estimate"]["post"]
    assert REQUEST_EXAMPLE == operation["requestBody"]["content"]["application/json"]["example"]
    assert ESTIMATE_EXAMPLE == operation["responses"]["200"]["content"]["application/json"]["example"]


@pytest.mark.parametrize(
    ("kind", "example"),
    [(BenefitSummary, SUMMARY_EXAMPLE), (EstimateRequest, REQUEST_EXAMPLE), (Estimate, ESTIMATE_EXAMPLE)],
)
def test_examples_say_nothing_that_is_ignored(kind: type[Document], example: dict[str, Any]) -> None:
    assert example == msgspec.to_builtins(msgspec.convert(example, kind))


CASES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("a copay that no deductible comes before", {"serviceTypeCode": "98", "allowedAmount": "118.40", "network": "in"}, ("exact", "25.00")),
    ("a copay is never more than is allowed", {"serviceTypeCode": "98", "allowedAmount": "11", "network": "in"}, ("exact", "11.00")),
    ("the deductible first, then the coinsurance", {"serviceTypeCode": "5", "allowedAmount": "400", "network": "in"}, ("exact", "320.00")),
    ("at most what is left to the maximum", {"serviceTypeCode": "62", "allowedAmount": "1200", "network": "in"}, ("exact", "450.00")),
    ("halves of a cent go up", {"serviceTypeCode": "5", "allowedAmount": "300.03", "network": "in"}, ("exact", "300.01")),
    ("a copay that the deductible may come before", {"serviceTypeCode": "UC", "allowedAmount": "200", "network": "in"}, ("range", "75.00", "200.00")),
    ("a copay told in two ways", {"serviceTypeCode": "86", "allowedAmount": "900", "network": "in"}, ("range", "250.00", "450.00")),
    ("a maximum that the payer does not tell", {"serviceTypeCode": "98", "allowedAmount": "118.40", "network": "out"}, ("range", "0.00", "118.40")),
    ("only the charge is known", {"serviceTypeCode": "98", "chargeAmount": "180", "network": "in"}, ("range", "0.00", "25.00")),
    ("not covered", {"serviceTypeCode": "35", "chargeAmount": "210.5"}, ("exact", "210.50")),
    ("not covered, and no charge", {"serviceTypeCode": "35", "allowedAmount": "100"}, ("unknown",)),
    ("no visit left", {"serviceTypeCode": "AL", "chargeAmount": "90", "allowedAmount": "60", "network": "in"}, ("exact", "90.00")),
    ("visits left", {"serviceTypeCode": "33", "chargeAmount": "90", "allowedAmount": "60", "network": "in"}, ("exact", "40.00")),
    ("a procedure that is free", {"procedureCode": "99396", "serviceTypeCode": "98", "chargeAmount": "250", "network": "in"}, ("range", "0.00", "25.00")),
    ("a service that is not in the answer", {"serviceTypeCode": "47", "allowedAmount": "9000", "network": "in"}, ("unknown",)),
]  # fmt: skip


async def test_estimates_of_single_lines(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client)
        for name, line, expected in CASES:
            (told,) = (await estimated(client, transaction_id, line))["lines"]
            bounds = [told[b]["amount"] for b in ("lowest", "highest") if b in told]
            amount = [told["amount"]] if "amount" in told else []
            assert expected == (told["basis"], *amount, *bounds), name
            assert ("exact" != told["basis"]) == ("unknown" in told), name


async def test_the_estimate_in_the_readme_runs(tmp_path: Path) -> None:
    block = next(b for b in blocks("README.md", "") if "/estimate" in b)
    body = msgspec.json.decode(block.split("-d '")[1].rstrip().rstrip("'"))
    async with in_process(tmp_path) as (client, _):
        told = (await client.post(f"/v1/eligibility/{await checked(client)}/estimate", body)).json
    assert body == msgspec.to_builtins(msgspec.convert(body, EstimateRequest))
    assert ("exact", "25.00") == (told["basis"], told["amount"])


async def test_lines_of_a_visit_share_deductible_and_copay(tmp_path: Path) -> None:
    line = {"serviceTypeCode": "98", "allowedAmount": "20", "network": "in"}
    laboratory = {"serviceTypeCode": "5", "allowedAmount": "200", "network": "in"}
    async with in_process(tmp_path) as (client, _):
        told = await estimated(client, await checked(client), line, line, laboratory, laboratory)
    # 25 of copay in all; 300 of deductible in all, then a fifth of what is left.
    assert ["20.00", "5.00", "200.00", "120.00"] == [line["amount"] for line in told["lines"]]
    assert ("exact", "345.00") == (told["basis"], told["amount"])


async def test_a_member_without_coverage_owes_the_charge(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client, "SANDBOX-INACTIVE-1")
        told = await estimated(client, transaction_id, {"serviceTypeCode": "98", "chargeAmount": "100"})
        summary = (await client.get(f"/v1/eligibility/{transaction_id}/benefits")).json
    assert ("exact", "100.00") == (told["basis"], told["amount"])
    assert (False, None) == (summary["active"], summary.get("contradictions"))


async def test_a_rejected_check_has_a_summary_of_its_rejection_and_no_estimate(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        transaction_id = await checked(client, "SANDBOX-NOTFOUND-1")
        told = await estimated(client, transaction_id, {"serviceTypeCode": "98", "chargeAmount": "100"})
        summary = (await client.get(f"/v1/eligibility/{transaction_id}/benefits")).json
    assert ("unknown", ["75"]) == (told["basis"], [e["code"] for e in summary["errors"]])
    assert set() == {"active", "services", "coverage"} & set(summary)


# --- what is refused --------------------------------------------------------------------------------------------------


async def test_only_an_answered_eligibility_check_has_benefits(tmp_path: Path) -> None:
    body = {"lines": [{"serviceTypeCode": "98", "chargeAmount": "1"}]}
    async with in_process(tmp_path) as (client, _):
        claim = await client.submit(claim_body("PAID-1"))
        for transaction_id in (claim, "00000000-0000-7000-8000-000000000000", "x"):
            for answer in (
                await client.get(f"/v1/eligibility/{transaction_id}/benefits"),
                await client.post(f"/v1/eligibility/{transaction_id}/estimate", body),
            ):
                assert (404, "application/problem+json") == (answer.status, answer.headers["Content-Type"])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", [None]),
        (b"[]", [None]),
        (b"{}", ["lines"]),
        (b'{"lines": []}', ["lines"]),
        (b'{"lines": 5}', ["lines"]),
        (b'{"lines": [{}]}', ["lines[0]", "lines[0]"]),
        (b'{"lines": [{"serviceTypeCode": "98"}]}', ["lines[0]"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": "-5"}]}', ["lines[0].chargeAmount"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": "ZQXCANARY"}]}', ["lines[0].chargeAmount"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": "1.005"}]}', ["lines[0].chargeAmount"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": 1e300}]}', ["lines[0].chargeAmount"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": "1", "network": "ZQXCANARY"}]}', ["lines[0].network"]),
        (b'{"lines": [{"procedureCode": "99213", "chargeAmount": "1", "units": "ZQXCANARY"}]}', ["lines[0].units"]),
        (b'{"serviceDate": "20260230", "lines": [{"serviceTypeCode": "98", "chargeAmount": "1"}]}', ["serviceDate"]),
        (b'{"lines": [{"serviceTypeCode": "98", "chargeAmount": "1", "serviceDate": "2026-02-03"}]}', ["lines[0].serviceDate"]),
        (b'{"serviceDate": "20260203", "lines": [{"serviceTypeCode": "98", "chargeAmount": "1", "serviceDate": "20260204"}]}',
         ["lines[0].serviceDate"]),
        (b'{"lines": [{"procedureCode": "1", "chargeAmount": "1", "serviceDate": "20260203"}, {"procedureCode": "1", "chargeAmount": "1", "serviceDate": "20260204"}]}',
         ["lines[1].serviceDate"]),
        (b'{"lines": [{"serviceTypeCode": ["ZQXCANARY"], "chargeAmount": {}}]}', ["lines[0].serviceTypeCode", "lines[0].chargeAmount"]),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_estimated_is_told_all_its_faults(
    tmp_path: Path, body: bytes, fields: list[str | None]
) -> None:
    async with in_process(tmp_path) as (client, _):
        path = f"/v1/eligibility/{await checked(client)}/estimate"
        answer = await client.call("POST", path, body, Content_Type="application/json")
    assert (400, "application/problem+json") == (answer.status, answer.headers["Content-Type"])
    assert sorted(f or "" for f in fields) == sorted(e.get("field", "") for e in answer.json["errors"])
    assert b"ZQXCANARY" not in answer.body


async def test_of_an_answer_about_several_patients_one_is_named(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        answer = await client.call(
            "POST", f"{ELIGIBILITY}/raw-x12", _two_patients(), Content_Type="application/edi-x12"
        )
        assert 200 == answer.status, answer.body
        transaction_id = answer.headers["X-Transaction-Id"]
        path = f"/v1/eligibility/{transaction_id}/benefits"
        assert [400, 400, 400, 400] == [
            (await client.get(f"{path}{q}")).status for q in ("", "?patient=2", "?patient=-1", "?patient=x")
        ]
        first, second = [(await client.get(f"{path}?patient={n}")).json for n in (0, 1)]
    assert (True, False) == (first["active"], second["active"])
    assert (0, 1) == (first["patient"], second["patient"])


def _two_patients() -> bytes:
    level: list[str] = []
    for number, member in ((3, "BENEFITS-1"), (4, "INACTIVE-1")):
        level += [
            f"HL*{number}*2*22*0",
            f"TRN*1*TRACE{number}*9CLAIMWIRE",
            f"NM1*IL*1*ABARA*ADA****MI*{member}",
            "DMG*D8*19800229",
            "EQ*30",
        ]
    body = [
        "ST*270*{ST02}*005010X279A1",
        "BHT*0022*13*QUESTION1*20260105*0930",
        *("HL*1**20*1", "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX"),
        *("HL*2*1*21*1", f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{synthetic.npi(100_000_000)}"),
        *level,
    ]
    return synthetic.interchange("HS", "005010X279A1", [body]).encode()

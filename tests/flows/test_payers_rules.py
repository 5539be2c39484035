"""How strict a payer is, and what it asks for beyond the guide, is data of the payer: it decides in JSON and X12 alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.companion_files import CompanionFileError, companions_in
from gateway.config import Config
from gateway.payers import Payer
from tests import synthetic
from tests.flows.service import NETWORK, claim_body, in_process

CLAIMS = f"{NETWORK}/professionalclaims/v3"
PATCH = (
    "companion 005010X222A1 837  BIRCH HEALTH PLAN\n2010BA NM109 9/12  Member numbers have nine to twelve characters\n"
)
RULES = (
    "rules 005010X222A1  BIRCH HEALTH PLAN\n\nY-2300-001  7 error  2300\n  forbids CLM05-3 = 8\n"
    "  say Voids are asked for by telephone.\n  from the payer's guide\n"
)


def payer(payer_id: str, **data: Any) -> Payer:
    return Payer(id=payer_id, name=f"{payer_id} HEALTH PLAN", routes=["sandbox"], repeated_claims="allow", **data)


def claim(payer_id: str, **changes: Any) -> dict[str, Any]:
    body = claim_body("PAID-1")
    body["tradingPartnerServiceId"] = payer_id
    body["subscriber"]["memberId"] = "MEMBER123"
    body["claimInformation"].update(changes)
    return body


async def test_levels_at_which_a_payer_only_wants_a_warning_refuse_nothing(tmp_path: Path) -> None:
    config = Config(payers=[payer("STRICT"), payer("LENIENT", warns_at=[4])])
    x12 = synthetic.claims_837p(1).replace("DTP*472*D8*2025", "DTP*472*D8*2099")
    async with in_process(tmp_path, config) as (client, _):
        for payer_id, status, told in (("STRICT", 400, "errors"), ("LENIENT", 200, "warnings")):
            for path in ("validation", "submission"):
                answer = await client.post(f"{CLAIMS}/{path}", claim(payer_id, claimFrequencyCode="7"))
                assert (payer_id, status) == (payer_id, answer.status), answer.body
                (found,) = answer.json[told]
                assert "C-2300-001" == found["code"]
                assert "claimInformation.claimSupplementalInformation.claimControlNumber" == found["field"]
                content = x12.replace("*PI*SYNTH~", f"*PI*{payer_id}~").encode()
                answer = await client.post(f"{CLAIMS}/raw-x12-{path}", content)
                assert (payer_id, status) == (payer_id, answer.status), answer.body
                assert {("CW104", "2400 DTP03")} == {(e["code"], e["location"]) for e in answer.json[told]}
        # A sum is level 3, which this payer is strict about.
        assert 400 == (await client.post(f"{CLAIMS}/submission", claim("LENIENT", claimChargeAmount="1"))).status


async def test_a_payer_that_knows_providers_by_their_tax_number_takes_them_so_in_json_and_x12(tmp_path: Path) -> None:
    config = Config(payers=[payer("STRICT"), payer("KNOWS", warns_of=["CW117"])])
    body, x12 = claim("KNOWS"), re.sub(r"(NM1\*85\*2\*[^*~]+)\*+XX\*\d+~", r"\1~", synthetic.claims_837p(1))
    del body["billing"]["npi"]
    async with in_process(tmp_path, config) as (client, _):
        for payer_id, status, told in (("STRICT", 400, "errors"), ("KNOWS", 200, "warnings")):
            body["tradingPartnerServiceId"] = payer_id
            content = x12.replace("*PI*SYNTH~", f"*PI*{payer_id}~").encode()
            for path, sent in (("submission", body), ("raw-x12-submission", content)):
                answer = await client.post(f"{CLAIMS}/{path}", sent)
                assert (payer_id, path, status) == (payer_id, path, answer.status), answer.body
                assert ["CW117"] == [e["code"] for e in answer.json[told]]


async def test_a_payers_companions_decide_for_its_claims_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "companions"
    folder.mkdir()
    (folder / "birch.txt").write_text(PATCH, "utf-8")
    (folder / "birch-rules.txt").write_text(RULES, "utf-8")
    config = Config(payers=[payer("BIRCH", companions=["birch.txt", "birch-rules.txt"]), payer("OTHER")])
    void = {"claimFrequencyCode": "8", "claimSupplementalInformation": {"claimControlNumber": "P1"}}
    async with in_process(tmp_path, config) as (client, _):
        answer = await client.post(f"{CLAIMS}/submission", claim("BIRCH", **void))
        assert (400, ["Y-2300-001"]) == (answer.status, [e["code"] for e in answer.json["errors"]])
        assert 200 == (await client.post(f"{CLAIMS}/submission", claim("OTHER", **void))).status
        assert 200 == (await client.post(f"{CLAIMS}/submission", claim("BIRCH"))).status
        short = claim("BIRCH")
        short["subscriber"]["memberId"] = "M1"
        answer = await client.post(f"{CLAIMS}/validation", short)
        assert (400, ["subscriber.memberId"]) == (answer.status, [e["field"] for e in answer.json["errors"]])
        # In one file for both payers, each claim is judged as its payer wants it.
        made = synthetic.claims_837p(4).replace("*MI*MEM000", "*MI*M")
        first, *others = made.split("*PI*SYNTH~")
        content = f"{first}*PI*BIRCH~{'*PI*OTHER~'.join(others)}".encode()
        answer = await client.post(f"{CLAIMS}/raw-x12-submission", content)
        assert 200 == answer.status, answer.body
        assert ["REJECTED", "ACCEPTED", "ACCEPTED", "ACCEPTED"] == [r["status"] for r in answer.json["claimResults"]]
        assert {"2010BA NM109"} == {e["location"] for e in answer.json["errors"]}
        assert "BIRCH HEALTH PLAN" in answer.json["errors"][0]["description"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("companion 005010X222A1 837  BIRCH\n2010BA NM199 R\n", "birch.txt:2"),
        ("rules 005010X222A1  BIRCH\n\nY-2300-001  7 error  2300\n  forbids NOTHING\n", "birch.txt"),
        ("Dear colleagues", "birch.txt"),
        ("companion 004010X098 837  BIRCH\n2010BA NM109 R\n", "birch.txt"),
    ],
)
def test_a_companion_that_is_wrong_is_named_before_any_claim_comes(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "birch.txt").write_text(text, "utf-8")
    with pytest.raises(CompanionFileError, match="companions/") as raised:
        companions_in(tmp_path)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"companions": ["nowhere.txt"]}, r"payer BIRCH: companions: there is no 'nowhere\.txt'"),
        (
            {"warns_of": ["CW117", "C-2300-001", "CW111"]},
            "payer BIRCH: warns_of: no rule for claims is called 'CW111'$",
        ),
    ],
)
async def test_a_companion_or_rule_that_is_not_there_stops_the_start(
    tmp_path: Path, named: dict[str, list[str]], told: str
) -> None:
    config = Config(payers=[payer("BIRCH", **named)])
    with pytest.raises(CompanionFileError, match=told):
        async with in_process(tmp_path, config):
            pass

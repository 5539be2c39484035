"""Institutional and dental claims go the whole way, as professional ones do, and each kind stays with its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import synthetic
from tests.flows.service import NETWORK, Answer, Client, claim_body, dental_body, in_process, institutional_body, until
from x12.documents.acknowledgements import read_999
from x12.envelope import read

WHOLE = ["accepted", "built", "delivered", "acknowledged", "acknowledged", "claimAcknowledged", "remitted"]
Body = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of claim: where it goes, an example in JSON, many in X12, and what answers call it."""

    path: str
    prefixes: tuple[str, ...]
    body: Body
    x12: Callable[[int], str]
    guide: str
    claim_type: str


KINDS = {
    "professional": Kind(
        "/medicalnetwork/professionalclaims/v3", ("", "/change", "/2024-04-01/change"), claim_body, synthetic.claims_837p, "005010X222A1", "PRO"
    ),
    "institutional": Kind(
        "/medicalnetwork/institutionalclaims/v1", ("", "/change", "/2024-04-01/change"), institutional_body, synthetic.claims_837i, "005010X223A2", "INS"
    ),
    "dental": Kind("/dental-claims", ("", "/2024-04-01"), dental_body, synthetic.claims_837d, "005010X224A2", "DEN"),
}  # fmt: skip
NEW = ("institutional", "dental")
CODES = {"institutional": ["NU:0120", "HC:85025"], "dental": ["AD:D2150"]}


async def submit(client: Client, kind: Kind, number: str, **headers: str) -> str:
    """Submit an example; its transaction id."""
    answer = await client.post(f"{kind.path}/submission", kind.body(number), **headers)
    assert 200 == answer.status, answer.body
    reference = answer.json["claimReference"]
    assert (kind.claim_type, number) == (reference["claimType"], reference["patientControlNumber"])
    return reference["correlationId"]


def sent(trace: dict[str, Any], kind: str) -> list[str]:
    """The raw segments of the first interchange that left with this kind of set."""
    return next(i["segments"] for i in trace["interchanges"] if i["direction"] == "out" and i["setId"] == kind)


def came(trace: dict[str, Any], kind: str) -> list[list[str]]:
    """The segments, each in its elements, of the files that came with this kind of set, one behind the other."""
    files = [i["segments"] for i in trace["interchanges"] if i["direction"] == "in"]
    return [
        s.rstrip(f[0][-1]).split(f[0][3])
        for f in files
        if any(s.startswith(f"ST{f[0][3]}{kind}{f[0][3]}") for s in f)
        for s in f
    ]


def claim_of(segments: list[list[str]], number: str) -> list[list[str]]:
    """The segments of one claim of an 835, from its CLP to the next."""
    start = next(i for i, s in enumerate(segments) if s[:2] == ["CLP", number])
    end = next((i for i in range(start + 1, len(segments)) if segments[i][0] in ("CLP", "SE")), len(segments))
    return segments[start:end]


@pytest.mark.parametrize("name", NEW)
async def test_a_claim_in_json_goes_the_whole_way(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        paid, rejected, denied = [await submit(client, kind, n) for n in ("PAID-1", "REJECT-2", "DENIED-3")]
        await until(client, paid, "received")
        await until(client, denied, "received")
        await until(client, rejected, "rejected")
        await client.forward(2)
        assert "paid" == (await until(client, paid, "remitted"))["outcome"]
        assert "denied" == (await until(client, denied, "remitted"))["outcome"]
        trace = await client.trace(paid)
        assert WHOLE == [e["kind"] for e in trace["events"]]
        assert [kind.guide] == [s.rstrip("~").split("*")[8] for s in sent(trace, "837") if s.startswith("GS*")]
        remittance = came(trace, "835")
        mine, theirs = claim_of(remittance, "PAID-1"), claim_of(remittance, "DENIED-3")
        assert CODES[name] == [s[1].replace(">", ":") for s in mine if s[0] == "SVC"]
        assert Decimal(120) == sum(Decimal(s[2]) for s in mine if s[0] == "SVC")
        if name == "institutional":
            # A stay: type of bill, group, covered days; the revenue code beside the procedure.
            assert ["11", "1", "", "153"] == mine[0][8:12]
            assert [["MIA", "2"]] == [s for s in mine if s[0] in ("MIA", "MOA")]
            assert [["MIA", "0", "", "", "", "MA01"]] == [s for s in theirs if s[0] in ("MIA", "MOA")]
            assert ["0300"] == [s[4] for s in mine if s[0] == "SVC" and len(s) > 4 and s[4]]
            assert [["REF", "BLT", "111"]] == [s for s in came(trace, "277") if s[:2] == ["REF", "BLT"]][:1]
        else:
            assert [] == [s for s in (*mine, *theirs) if s[0] in ("MIA", "MOA")]
        for report in ("277", "835"):
            told = await client.get(f"{NETWORK}/reports/v2/{paid}/{report}")
            assert (200, True) == (told.status, b"PAID-1" in told.body)


@pytest.mark.parametrize("name", NEW)
async def test_raw_claims_become_a_transaction_each_and_are_all_remitted(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        answer = await client.post(f"{kind.path}/raw-x12-submission", kind.x12(10).encode())
        assert 200 == answer.status, answer.body
        references = answer.json["claimReferences"]
        assert [kind.claim_type] * 10 == [r["claimType"] for r in references]
        assert all(r["serviceLines"][0]["lineItemControlNumber"] for r in references)
        (acknowledged,) = read(answer.json["x12"].encode())
        assert [True] == [read_999(s.tree()).accepted for s in acknowledged.sets]
        for reference in references:
            await until(client, reference["correlationId"], "received")
        await client.forward(2)
        outcomes = Counter([(await until(client, r["correlationId"], "remitted"))["outcome"] for r in references])
        # Every fifth dental claim asks what would be paid.
        assert {"paid": 8, "predetermined": 2} == outcomes if name == "dental" else {"paid": 10} == outcomes


@pytest.mark.parametrize("name", NEW)
async def test_a_silent_claim_is_asked_about_by_what_its_payer_knows_it_by(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        silent = await submit(client, kind, "SILENT-1")
        await until(client, silent, "acknowledged")
        await client.forward(14.1)
        await until(client, silent, "pending")
        trace = await client.trace(silent)
        asked = sent(trace, "276")
        number = next(s for s in sent(trace, "837") if s.startswith("REF*D9"))
        assert number in asked
        if name == "institutional":
            assert {"REF*BLT*111~", "DTP*472*RD8*20251201-20251203~"} <= set(asked)
            assert ["111"] == [s[2] for s in came(trace, "277") if s[:2] == ["REF", "BLT"]]
        else:
            assert [] == [s for s in asked if s.startswith("REF*BLT")]
            assert "DTP*472*D8*20251202~" in asked


async def test_claims_of_one_batch_leave_in_an_interchange_for_each_guide(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        order = ("professional", "institutional", "dental", "institutional", "professional")
        claims = [await submit(client, KINDS[name], f"PAID-{n}") for n, name in enumerate(order)]
        for transaction_id in claims:
            await until(client, transaction_id, "received")
        numbers: dict[str, str] = {}
        for name, transaction_id in zip(order, claims, strict=True):
            trace = await client.trace(transaction_id)
            out = [i for i in trace["interchanges"] if i["direction"] == "out"]
            assert 1 == len(out)
            segments = [s.rstrip("~").split("*") for s in out[0]["segments"]]
            groups = [s for s in segments if s[0] == "GS"]
            assert [(KINDS[name].guide, out[0]["controlNumber"].lstrip("0"))] == [(s[8], s[6]) for s in groups]
            assert {KINDS[name].guide} == {s[3] for s in segments if s[0] == "ST"}
            # An interchange has one guide's claims, whichever that is.
            assert name == numbers.setdefault(out[0]["controlNumber"], name)
            assert [True, True] == [e["data"]["accepted"] for e in trace["events"] if e["kind"] == "acknowledged"]
        assert set(order) == set(numbers.values())


@pytest.mark.parametrize(
    ("name", "edition"),
    [("professional", "005010X222A2"), ("institutional", "005010X223A3"), ("dental", "005010X224A3")],
)
async def test_a_claim_of_another_edition_leaves_under_its_own(tmp_path: Path, name: str, edition: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        content = kind.x12(1).replace(kind.guide, edition).replace("CLM*PCN00000000", "CLM*SILENT-1")
        answer = await client.post(f"{kind.path}/raw-x12-submission", content.encode())
        assert 200 == answer.status, answer.body
        silent, newer = answer.json["claimReference"]["correlationId"], await submit(client, kind, "PAID-2")
        await until(client, newer, "received")
        await until(client, silent, "acknowledged")
        for transaction_id, told in ((silent, edition), (newer, kind.guide)):
            out = sent(await client.trace(transaction_id), "837")
            assert {told} == {s.rstrip("~").split("*")[8] for s in out if s.startswith("GS*")}
            assert {told} == {s.rstrip("~").split("*")[3] for s in out if s.startswith("ST*")}
        # The follow-up reads it as what it is.
        await client.forward(14.1)
        await until(client, silent, "pending")


# --- the way in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
async def test_every_prefix_and_final_slash_leads_to_the_same(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        bodies: dict[str, Any] = {"validation": kind.body("PAID-1"), "raw-x12-validation": kind.x12(2).encode()}
        for suffix, body in bodies.items():
            answers = [
                await client.post(f"{prefix}{kind.path}/{suffix}{slash}", body)
                for prefix in kind.prefixes
                for slash in ("", "/")
            ]
            assert [200] * len(answers) == [a.status for a in answers], answers[0].body
            assert {kind.claim_type} == {a.json["claimReference"]["claimType"] for a in answers}
        bad: dict[str, Any] = {"submission": {}, "raw-x12-submission": b"ISA"}
        for suffix, body in bad.items():
            answers = [await client.post(f"{prefix}{kind.path}/{suffix}", body) for prefix in kind.prefixes]
            assert [400] * len(answers) == [a.status for a in answers]
        for prefix in kind.prefixes:
            health = await client.get(f"{prefix}{kind.path}/healthcheck")
            assert (200, {"status": "ok"}) == (health.status, health.json)
        # Validating takes nothing.
        assert [] == (await client.get("/2023-08-01/polling/transactions")).json["items"]


async def test_the_description_has_each_kind_with_its_own_operations_and_document(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        described = (await client.get("/openapi.json")).json
        page = (await client.get("/docs")).body.decode()
    operations = {o["operationId"]: (p, o) for p, methods in described["paths"].items() for o in methods.values()}
    for name, kind in KINDS.items():
        for verb, suffix in (("submit", "submission"), ("validate", "validation")):
            path, operation = operations[f"{verb}{name.capitalize()}Claim"]
            assert path.endswith(f"{kind.path}/{suffix}")
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert f"#/components/schemas/{name.capitalize()}Claim" == schema["$ref"]
            assert "Scope: `claims:write`." in operation["description"]
            path, operation = operations[f"{verb}{name.capitalize()}ClaimX12"]
            assert path.endswith(f"{kind.path}/raw-x12-{suffix}")
            assert {"application/json", "application/edi-x12"} == set(operation["requestBody"]["content"])
            assert operation["summary"] in page


@pytest.mark.parametrize("name", NEW)
async def test_a_key_that_may_not_write_claims_may_write_none_of_any_kind(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        stranger = Client(client.url, None)
        try:
            for suffix in ("submission", "validation", "raw-x12-submission", "raw-x12-validation"):
                assert 401 == (await stranger.post(f"{kind.path}/{suffix}", {})).status
        finally:
            await stranger.close()


@pytest.mark.parametrize("name", KINDS)
async def test_a_path_refuses_claims_of_another_kind_and_says_where_they_go(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    async with in_process(tmp_path) as (client, _):
        for other in KINDS.values():
            if other is kind:
                continue
            for suffix in ("submission", "validation"):
                answer = await client.post(f"{kind.path}/raw-x12-{suffix}", other.x12(2).encode())
                assert (400, "ERROR") == (answer.status, answer.json["status"])
                (error,) = answer.json["errors"]
                assert "1" == error["code"]
                assert f"{other.path}/raw-x12-submission" in error["description"]
                # What was not taken must not be acknowledged as taken.
                (acknowledged,) = read(answer.json["x12"].encode())
                (said,) = [read_999(s.tree()) for s in acknowledged.sets]
                assert (False, [["1"]]) == (said.accepted, [s.codes for s in said.sets or ()])
        unknown = kind.x12(1).replace("005010X22", "005010X29")
        assert 400 == (await client.post(f"{kind.path}/raw-x12-submission", unknown.encode())).status
        assert [] == (await client.get("/2023-08-01/polling/transactions")).json["items"]


async def test_of_a_file_with_two_kinds_the_path_takes_its_own(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        mixed = synthetic.claims_837d(2) + synthetic.claims_837i(3).replace("*000000001*", "*000000002*").replace(
            "IEA*1*000000001", "IEA*1*000000002"
        )
        answer = await client.post(f"{KINDS['dental'].path}/raw-x12-submission", mixed.encode())
        assert 200 == answer.status, answer.body
        assert ["DEN", "DEN"] == [r["claimType"] for r in answer.json["claimReferences"]]
        assert ["1"] == [e["code"] for e in answer.json["errors"]]
        verdicts = [
            read_999(s.tree()).accepted for i in read(answer.json["x12"].encode()) for s in i.sets if s.set_id == "999"
        ]
        assert [True, False] == verdicts


# --- what is wrong -----------------------------------------------------------------------------------------------------

LINE = "claimInformation.serviceLines[0]"


def faulty(name: str) -> tuple[dict[str, Any], set[str]]:
    """A claim with many things wrong with it, and the field paths of all of them."""
    body = KINDS[name].body("PAID-1")
    said, line = body["claimInformation"], body["claimInformation"]["serviceLines"][0]
    del body["billing"]["npi"]
    body["subscriber"]["lastName"] = "ZQXCANARY" * 9
    said["claimFilingCode"] = "QQ"
    said["claimFrequencyCode"] = "7"
    fields = {
        "billing.npi",
        "subscriber.lastName",
        "claimInformation.claimFilingCode",
        "claimInformation.claimSupplementalInformation.claimControlNumber",
        "claimInformation.claimChargeAmount",
    }
    if name == "dental":
        said["claimDateInformation"]["serviceDate"] = "20991231"
        line["dentalService"] |= {"lineItemChargeAmount": "-120", "prosthesisCrownOrInlayCode": "Q"}
        return body, {
            *fields,
            "claimInformation.claimDateInformation.serviceDate",
            f"{LINE}.dentalService.lineItemChargeAmount",
            f"{LINE}.dentalService.prosthesisCrownOrInlayCode",
        }
    said["claimDateInformation"]["statementEndDate"] = "20991231"
    said["claimCodeInformation"]["patientStatusCode"] = "X1Z"
    line["institutionalService"] |= {"lineItemChargeAmount": "-100", "measurementUnit": "QQ"}
    return body, {
        *fields,
        "claimInformation.claimDateInformation.statementEndDate",
        "claimInformation.claimCodeInformation.patientStatusCode",
        f"{LINE}.institutionalService.lineItemChargeAmount",
        f"{LINE}.institutionalService.measurementUnit",
    }


@pytest.mark.parametrize("name", NEW)
async def test_everything_wrong_with_a_claim_is_told_at_once_with_field_paths(tmp_path: Path, name: str) -> None:
    body, fields = faulty(name)
    async with in_process(tmp_path) as (client, _):
        for suffix in ("submission", "validation"):
            answer = await client.post(f"{KINDS[name].path}/{suffix}", body)
            assert (400, "ERROR") == (answer.status, answer.json["editStatus"])
            errors = answer.json["errors"]
            assert fields == {e["field"] for e in errors}
            assert all(e["code"] and e["description"] for e in errors)
            assert b"ZQXCANARY" not in answer.body
        for bad in (b"", b"[]", b'{"claimInformation":', b'{"subscriber":["ZQXCANARY"]}', b"\xff"):
            answer = await client.call("POST", f"{KINDS[name].path}/submission", bad, Content_Type="application/json")
            assert (400, "ERROR") == (answer.status, answer.json["status"])
            assert b"ZQXCANARY" not in answer.body
        assert [] == (await client.get("/2023-08-01/polling/transactions")).json["items"]


async def test_the_report_of_a_claim_is_the_one_that_names_it_where_a_file_holds_several(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        # Two claims of one file for two payers: the sandbox payer answers each payer's with a 277CA of its own.
        content = synthetic.claims_837d(2)
        first = content.index("SYNTHETIC HEALTH PLAN*****PI*SYNTH")
        content = content[:first] + content[first:].replace("*PI*SYNTH~", "*PI*OTHER~", 1)
        answer = await client.post(f"{KINDS['dental'].path}/raw-x12-submission", content.encode())
        references = answer.json["claimReferences"]
        for reference in references:
            await until(client, reference["correlationId"], "received")
        for reference in references:
            told = (await client.get(f"{NETWORK}/reports/v2/{reference['correlationId']}/277")).body.decode()
            named = [r["patientControlNumber"] for r in references if r["patientControlNumber"] in told]
            assert [reference["patientControlNumber"]] == named


@pytest.mark.parametrize("name", KINDS)
async def test_an_attachment_that_is_said_to_lie_here_is_refused_and_not_dropped(tmp_path: Path, name: str) -> None:
    report = {"attachmentReportTypeCode": "DA", "attachmentTransmissionCode": "EL", "attachmentControlNumber": "C1"}
    body = KINDS[name].body("PAID-1")
    at = "claimInformation.claimSupplementalInformation.reportInformation"
    async with in_process(tmp_path) as (client, _):
        answers: list[Answer] = []
        for more in ({}, {"attachmentId": "d3b3e3e3"}):
            supplement = {"reportInformation": {**report, **more}}
            body["claimInformation"]["claimSupplementalInformation"] = supplement
            answers.append(await client.post(f"{KINDS[name].path}/validation", body))
    taken, refused = answers
    assert (200, True) == (taken.status, "PWK*DA*EL***AC*C1" in taken.json["x12"])
    assert (400, [f"{at}.attachmentId"]) == (refused.status, [e["field"] for e in refused.json["errors"]])

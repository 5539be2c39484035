"""Bad input: every kind is answered with a clear 4xx, a TA1 or a 999, nothing of it is kept, and the service goes on."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from tests import synthetic
from tests.flows.service import (
    NETWORK,
    Answer,
    Client,
    claim_body,
    dental_body,
    eligibility_body,
    in_process,
    institutional_body,
    until,
)
from x12.documents.acknowledgements import GroupAcknowledgement, read_999, read_ta1
from x12.envelope import Interchange, read

CLAIMS = f"{NETWORK}/professionalclaims/v3"
ELIGIBILITY, STATUS = f"{NETWORK}/eligibility/v3", f"{NETWORK}/claimstatus/v2"
SUBMISSION, VALIDATION = f"{CLAIMS}/submission", f"{CLAIMS}/validation"
INSTITUTIONAL = tuple(f"{NETWORK}/institutionalclaims/v1/{p}" for p in ("submission", "validation"))
# These have prefixes of their own.
DENTAL = tuple(f"/2024-04-01/dental-claims/{p}" for p in ("submission", "validation"))
JSON_PATHS = (ELIGIBILITY, STATUS, SUBMISSION, VALIDATION, *INSTITUTIONAL)
X12_PATHS = (
    f"{ELIGIBILITY}/raw-x12",
    f"{STATUS}/raw-x12",
    f"{CLAIMS}/raw-x12-submission",
    f"{CLAIMS}/raw-x12-validation",
)
CLAIM_PATHS = (SUBMISSION, VALIDATION, *INSTITUTIONAL, *DENTAL, *X12_PATHS[2:])
PREFIXES = ("/2024-04-01/change", "/change", "")
ERROR_KEYS = {"code", "description", "field", "followupAction", "location", "position"}
SECRET = "ZQXCANARY"
GOOD = synthetic.claims_837p(2)
QUESTION = synthetic.interchange(
    "HS",
    "005010X279A1",
    [
        [
            "ST*270*{ST02}*005010X279A1",
            "BHT*0022*13*QUESTION1*20260105*0930",
            "HL*1**20*1",
            "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX",
            "HL*2*1*21*1",
            f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{synthetic.npi(100_000_000)}",
            "HL*3*2*22*0",
            "TRN*1*TRACE1*9CLAIMWIRE",
            f"NM1*IL*1*{SECRET}*ADA****MI*ACTIVE1",
            "DMG*D8*19800229",
            "EQ*30",
        ]
    ],
)


def noise(size: int) -> bytes:
    """Bytes of every value, the same each time."""
    block = bytes((i * 7919 + i // 3) % 256 for i in range(65_536))
    return (block * (size // len(block) + 1))[:size]


def errors_of(answer: Answer, path: str = "") -> list[dict[str, str]]:
    """The errors of a refusal, whose shape is looked at."""
    assert "application/json" == answer.headers["Content-Type"], (path, answer.body)
    told = answer.json
    assert "ERROR" == told["status"]
    if path in CLAIM_PATHS:
        assert ("ERROR", "400 BAD_REQUEST") == (told["editStatus"], told["httpStatusCode"])
        assert "claimReference" not in told
    errors: list[dict[str, str]] = told["errors"]
    assert errors
    for error in errors:
        assert set() == set(error) - ERROR_KEYS
        assert error["description"]
        assert error.get("followupAction") in ("Please Correct and Resubmit", None)
    assert SECRET.encode() not in answer.body
    return errors


def acknowledged(answer: Answer) -> Interchange:
    """The acknowledgement of a refusal, read by our own reader, which finds nothing wrong with it."""
    (received,) = read(answer.json["x12"].encode())
    assert [] == received.findings
    assert [] == [f for g in received.groups for f in g.findings]
    assert [] == [f for s in received.sets for f in s.findings]
    return received


def ta1_notes(answer: Answer) -> list[tuple[str | None, str | None]]:
    said = [read_ta1(t) for t in acknowledged(answer).acknowledgements]
    return [(a.code, a.note) for a in said]


def said_999(answer: Answer) -> list[GroupAcknowledgement]:
    return [read_999(s.tree()) for s in acknowledged(answer).sets]


async def kept(client: Client) -> int:
    """How many transactions the service has; polling and metrics must agree."""
    items = (await client.get("/2023-08-01/polling/transactions?pageSize=200")).json["items"]
    text = (await client.get("/metrics")).body.decode()
    counted = sum(float(v) for v in re.findall(r"^claimwire_transactions\{.*\} (\S+)$", text, re.MULTILINE))
    assert len(items) == counted
    return len(items)


async def goes_on(client: Client) -> None:
    """The service answers a good eligibility request and takes a good claim."""
    answer = await client.post(ELIGIBILITY, eligibility_body())
    assert 200 == answer.status
    assert "Active Coverage" == answer.json["planStatus"][0]["status"]
    before = await kept(client)
    assert "accepted" == (await client.transaction(await client.submit(claim_body("PAID-GOOD"))))["state"]
    assert before + 1 == await kept(client)


def with_last_name(text: str, name: str) -> str:
    return re.sub(r"NM1\*IL\*1\*\w+", f"NM1*IL*1*{name}", text, count=1)


# --- JSON ------------------------------------------------------------------------------------------------------------

BROKEN_JSON: Mapping[str, bytes] = {
    "empty": b"",
    "cut": b'{"tradingPartnerServiceId": "SANDBOX", "subscriber": {"lastName": "ZQXCANARY',
    "a list": b"[]",
    "null": b"null",
    "a number": b"17",
    "a string": b'"ZQXCANARY"',
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"ZQXCANARY":' * 100_000,
    "lists nested in an unknown key": b'{"z":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a raw NUL": b'{"tradingPartnerServiceId":"ZQXCANARY\x00"}',
    "not UTF-8": b'{"tradingPartnerServiceId":"ZQXCANARY\xff\xfe"}',
    "not UTF-8 in an unknown key": b'{"tradingPartnerServiceId":"NOBODY","z\xff":"ZQXCANARY\xff"}',
    "half a surrogate": b'{"tradingPartnerServiceId":"ZQXCANARY\\ud800"}',
    "NaN": b'{"tradingPartnerServiceId":NaN}',
    "UTF-16": '{"tradingPartnerServiceId":"ZQXCANARY"}'.encode("utf-16"),
    "X12": GOOD.encode(),
    "a form": b"tradingPartnerServiceId=ZQXCANARY&subscriber=ZQXCANARY",
}
UNFIT_JSON: Mapping[str, tuple[bytes, list[str]]] = {
    "no payer": (b"{}", ["tradingPartnerServiceId"]),
    "an unknown payer": (b'{"tradingPartnerServiceId":"ZQXCANARY"}', ["tradingPartnerServiceId"]),
    "a NUL in the payer": (b'{"tradingPartnerServiceId":"SAND\\u0000BOX"}', ["tradingPartnerServiceId"]),
    "a huge number": (b'{"tradingPartnerServiceId":1e300}', ["tradingPartnerServiceId"]),
    "a huge whole number": (b'{"tradingPartnerServiceId":' + b"9" * 400 + b"}", ["tradingPartnerServiceId"]),
    "other types": (
        b'{"tradingPartnerServiceId":{"a":"ZQXCANARY"},"subscriber":["ZQXCANARY"]}',
        ["subscriber", "tradingPartnerServiceId"],
    ),
    "a truth for a name": (b'{"tradingPartnerServiceId":true}', ["tradingPartnerServiceId"]),
}

# Of these JSON can be read, and only nobody knows the payer.
OF_NOBODY = ("no payer", "an unknown payer", "a NUL in the payer", "a huge number", "a huge whole number")


async def test_what_is_no_json_object_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        bodies = {**BROKEN_JSON, "five megabytes of noise": noise(5 << 20)}
        for name, body in bodies.items():
            for path in (*JSON_PATHS, *DENTAL):
                answer = await client.call("POST", path, body, Content_Type="application/json")
                assert (name, 400) == (name, answer.status), (path, answer.body)
                assert 1 == len(errors_of(answer, path))
        assert 0 == await kept(client)
        await goes_on(client)


async def test_json_that_does_not_fit_is_refused_by_field_path(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for name, (body, fields) in UNFIT_JSON.items():
            for path in (*JSON_PATHS, *DENTAL):
                answer = await client.call("POST", path, body, Content_Type="application/json")
                found = sorted({e.get("field", "") for e in errors_of(answer, path)})
                # What else is missing is told with a payer that nobody knows.
                fits = set(fields) < set(found) and all(found) if name in OF_NOBODY else fields == found
                # A number with too many digits is no JSON to some readers: then the body as a whole is refused.
                fits = fits or (name == "a huge whole number" and found == [""])
                assert (400, name, True) == (answer.status, name, fits), (path, answer.body)
        for path in JSON_PATHS:
            for said in ({}, {"tradingPartnerServiceId": None}, {"tradingPartnerServiceId": " "}):
                error, *others = errors_of(await client.post(path, said), path)
                assert ("tradingPartnerServiceId", True) == (
                    error["field"],
                    "no payer is named" in error["description"],
                )
                assert error["field"] not in [other["field"] for other in others]
        near = await client.post(ELIGIBILITY, {"tradingPartnerServiceId": "SANDBX"})
        assert "SANDBOX" in errors_of(near)[0]["description"]
        assert 0 == await kept(client)


async def test_a_payer_that_nobody_knows_hides_nothing_else(tmp_path: Path) -> None:
    """All errors at once: whoever mends the payer does not come back to hear of the charge."""
    async with in_process(tmp_path) as (client, _):
        claim: dict[str, Any] = claim_body("PAID-1") | {"tradingPartnerServiceId": "NOBODY", "usageIndicator": "X"}
        claim["claimInformation"]["claimChargeAmount"] = "121"
        answer = await client.post(SUBMISSION, claim)
        wanted = {"tradingPartnerServiceId", "usageIndicator", "claimInformation.claimChargeAmount"}
        assert (400, wanted) == (answer.status, {e["field"] for e in errors_of(answer, SUBMISSION)})
        question: dict[str, Any] = eligibility_body() | {"tradingPartnerServiceId": "NOBODY"}
        question["subscriber"]["dateOfBirth"] = "19801340"
        answer = await client.post(ELIGIBILITY, question)
        wanted = {"tradingPartnerServiceId", "subscriber.dateOfBirth"}
        assert (400, wanted) == (answer.status, {e["field"] for e in errors_of(answer)})
        # Nothing is found wrong that is right.
        for path, body in ((SUBMISSION, claim_body("PAID-1")), (ELIGIBILITY, eligibility_body())):
            answer = await client.post(path, body | {"tradingPartnerServiceId": "NOBODY"})
            assert ["tradingPartnerServiceId"] == [e["field"] for e in errors_of(answer, path)]
        assert 0 == await kept(client)


async def test_every_prefix_and_final_slash_refuses_alike(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for path in (*JSON_PATHS, *X12_PATHS):
            kind = "application/edi-x12" if "raw" in path else "application/json"
            body = GOOD[: len(GOOD) // 2].encode() if "raw" in path else b'{"a": '
            suffix = path.removeprefix(PREFIXES[0])
            answers = [
                await client.call("POST", f"{prefix}{suffix}{slash}", body, Content_Type=kind)
                for prefix in PREFIXES
                for slash in ("", "/")
            ]
            assert [400] * 6 == [a.status for a in answers]
            told = [[e["description"] for e in errors_of(a, path)] for a in answers]
            assert [told[0]] * 6 == told
        assert 0 == await kept(client)


def ten_faults() -> tuple[dict[str, Any], set[str]]:
    """A claim with ten different things wrong with it, and the field paths of all ten."""
    claim = copy.deepcopy(claim_body("PAID-TEN"))
    information = claim["claimInformation"]
    line = information["serviceLines"][0]
    service = line["professionalService"]
    del claim["billing"]["npi"]
    claim["billing"]["address"]["postalCode"] = "97"
    # The dictionaries of the two addresses are one after a deep copy, too.
    claim["subscriber"]["address"] = {**claim["subscriber"]["address"], "postalCode": "972010000"}
    claim["subscriber"]["lastName"] = SECRET * 9
    claim["subscriber"]["dateOfBirth"] = "19801340"
    information["claimFilingCode"] = "QQ"
    information["claimChargeAmount"] = "999.10"
    service["compositeDiagnosisCodePointers"] = {"diagnosisCodePointers": ["3"]}
    del claim["subscriber"]["gender"]
    line["serviceDate"] = "20991231"
    service["lineItemChargeAmount"] = "-120"
    at = "claimInformation.serviceLines[0]"
    return claim, {
        "billing.npi",
        "billing.address.postalCode",
        "subscriber.lastName",
        "subscriber.dateOfBirth",
        "claimInformation.claimFilingCode",
        "claimInformation.claimChargeAmount",
        "subscriber.gender",
        f"{at}.serviceDate",
        f"{at}.professionalService.lineItemChargeAmount",
        f"{at}.professionalService.compositeDiagnosisCodePointers.diagnosisCodePointers[0]",
    }


async def test_a_claim_with_ten_faults_is_told_all_ten_at_once_with_field_paths(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        claim, fields = ten_faults()
        assert 10 == len(fields)
        for path in (SUBMISSION, VALIDATION):
            answer = await client.post(path, claim)
            assert 400 == answer.status
            errors = errors_of(answer, path)
            assert fields == {e["field"] for e in errors}
            assert 10 == len(errors)
            assert all(e["code"] for e in errors)
            assert "SANDBOX" == answer.json["tradingPartnerServiceId"]
        assert 0 == await kept(client)
        await goes_on(client)


async def test_values_that_x12_cannot_carry_are_refused_by_field_path(tmp_path: Path) -> None:
    hostile = (
        "A~B",
        "A|B",
        "A`B",
        "A\\B",
        "O\u2019BRIEN",
        "A\u2028B",
        "A\tB",
        "A\r\nNM1*IL",
        "A\x1dB",
        "\uff0aA",
        "\x00",
    )
    async with in_process(tmp_path) as (client, _):
        for value in hostile:
            for path, body in (
                (ELIGIBILITY, eligibility_body(lastName=value)),
                (SUBMISSION, claim_body("PAID-1", value)),
                (INSTITUTIONAL[0], institutional_body("PAID-1", value)),
                (DENTAL[0], dental_body("PAID-1", value)),
            ):
                answer = await client.post(path, body)
                assert (400, value) == (answer.status, value), answer.body
                assert "subscriber.lastName" in [e.get("field") for e in errors_of(answer, path)]
        assert 0 == await kept(client)


async def test_a_claim_full_of_delimiters_does_not_hold_up_the_claims_it_leaves_with(tmp_path: Path) -> None:
    """Every delimiter that data may hold, spread over claims of one batch: the file still has one of each left."""
    async with in_process(tmp_path) as (client, _):
        names = ("A*B", "A:B", "A>B<C", "A^B", "A!B", "PLAIN")
        sent = [await client.submit(claim_body(f"PAID-{n}", name)) for n, name in enumerate(names)]
        for transaction_id in sent:
            await until(client, transaction_id, "received")
        traces = [await client.trace(transaction_id) for transaction_id in sent]
        for name, trace in zip(names, traces, strict=True):
            segments: list[str] = trace["interchanges"][0]["segments"]
            separator = segments[0][3]
            assert [f"NM1{separator}IL{separator}1{separator}{name}{separator}ADA"] == [
                s[: len(name) + 13]
                for s in segments
                if s.startswith(f"NM1{separator}IL") and f"{separator}{name}{separator}" in s
            ]


async def test_nulls_unknown_keys_and_headers_of_older_clients_are_ignored(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        headers = {"X-CHC-CorrelationId": "1", "X-CHC-ReportData1": SECRET, "X-CHC-ClaimSubmission-SubmitterId": "9"}
        asked: dict[str, Any] = {
            **eligibility_body(),
            "partnerId": True,
            "dependents": None,
            "controlNumber": None,
            "future": [{"deep": [None, {}]}],
        }
        answer = await client.post(ELIGIBILITY, asked, **headers)
        assert (200, "Active Coverage") == (answer.status, answer.json["planStatus"][0]["status"])
        claim: dict[str, Any] = {
            **claim_body("PAID-1"),
            "rendering": None,
            "providers": None,
            "partnerId": True,
            "extra": {"a": [1, None]},
        }
        claim["claimInformation"] = {
            **claim["claimInformation"],
            "claimNote": None,
            "epsdtReferral": None,
            "mystery": 1.5,
        }
        # Numbers where text is meant are taken, as older clients send them.
        claim["claimInformation"]["claimChargeAmount"] = 120.0
        await until(client, await client.submit(claim, **headers), "received")


# --- X12 -------------------------------------------------------------------------------------------------------------


async def test_what_is_no_x12_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    bodies = {
        "empty": b"",
        "JSON": b'{"x12": "ZQXCANARY"}',
        "five megabytes of noise": noise(5 << 20),
        "noise behind ISA": b"ISA" + noise(1 << 20),
        "an ISA cut in the middle": GOOD[:60].encode(),
        "NUL bytes": b"\x00" * 10_000,
        "UTF-16": GOOD.encode("utf-16"),
        "a thousand beginnings": b"ISA*" * 1_000,
    }
    async with in_process(tmp_path) as (client, _):
        for name, body in bodies.items():
            for path in X12_PATHS:
                answer = await client.post(path, body)
                assert (name, 400) == (name, answer.status), (path, answer.body[:300])
                errors_of(answer, path)
                assert "x12" not in answer.json
        assert 0 == await kept(client)
        await goes_on(client)


@pytest.mark.parametrize("good", [GOOD, QUESTION], ids=["837", "270"])
async def test_a_broken_envelope_is_answered_with_the_ta1_that_names_it(tmp_path: Path, good: str) -> None:
    broken = {
        "023": good[: len(good) // 2],
        "021": good.replace("IEA*1*", "IEA*3*"),
        "001": good.replace("IEA*1*000000001", "IEA*1*000000009"),
        "017": good.replace("*00501*000000001", "*00401*000000001"),
        "018": good.replace("*00501*000000001", "*00501*00000000X").replace("IEA*1*000000001", "IEA*1*00000000X"),
        "020": good.replace("*0*T*:", "*0*X*:"),
        "014": good.replace("*260105*0930*^", "*261345*0930*^"),
        "024": good.replace("GS*", "ZZZ*1~GS*", 1),
    }
    paths = X12_PATHS[2:] if good is GOOD else X12_PATHS[:1]
    async with in_process(tmp_path) as (client, _):
        for note, body in broken.items():
            for path in paths:
                answer = await client.post(path, with_last_name(body, SECRET).encode())
                assert (note, 400) == (note, answer.status), answer.body
                assert note in [e.get("code") for e in errors_of(answer, path)]
                assert [("R", note)] == ta1_notes(answer)
        assert 0 == await kept(client)
        await goes_on(client)


@pytest.mark.parametrize("good", [GOOD, QUESTION], ids=["837", "270"])
async def test_wrong_counts_and_numbers_are_answered_with_the_999_that_names_them(tmp_path: Path, good: str) -> None:
    """Code at the set (IK502) or at the group (AK905); whatever is refused is never told to be accepted."""
    broken = {
        ("set", "4"): re.sub(r"SE\*\d+", "SE*999", good),
        ("set", "3"): re.sub(r"(SE\*\d+)\*0001", r"\1*0009", good),
        ("set", "2"): re.sub(r"SE\*\d+\*0001~", "", good),
        ("set", "7"): good.replace("*0001*005010", "*1*005010").replace("*0001~", "*1~"),
        ("group", "5"): good.replace("GE*1*1", "GE*7*1"),
        ("group", "4"): good.replace("GE*1*1", "GE*1*9"),
        ("group", "3"): good.replace("GE*1*1~", ""),
        ("group", "2"): re.sub(r"005010X\w+", "004010X098A1", good),
    }
    paths = X12_PATHS[2:] if good is GOOD else X12_PATHS[:1]
    async with in_process(tmp_path) as (client, _):
        for (scope, code), body in broken.items():
            assert body != good
            for path in paths:
                answer = await client.post(path, with_last_name(body, SECRET).encode())
                assert (scope, code, 400) == (scope, code, answer.status), answer.body
                errors_of(answer, path)
                (said,) = said_999(answer)
                codes = said.codes if scope == "group" else [c for s in said.sets or () for c in s.codes or ()]
                assert code in (codes or []), answer.json["x12"]
                assert said.accepted is not True
                assert (said.accepted is False) or any(s.accepted is False for s in said.sets or ())
        assert 0 == await kept(client)
        await goes_on(client)


async def test_a_set_number_used_twice_is_refused_the_second_time(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for good, path, status in ((GOOD, X12_PATHS[3], 200), (QUESTION, X12_PATHS[0], 400)):
            twice = re.sub(r"(ST\*.*?SE\*\d+\*0001~)GE\*1", r"\1\1GE*2", good)
            answer = await client.post(path, twice.encode())
            # Claims are judged set by set; a question with a doubtful neighbour is not asked at all.
            assert status == answer.status, answer.body
            (said,) = said_999(answer)
            assert [("A", None), ("R", ["23"])] == [(s.code, s.codes) for s in said.sets or ()]
        assert 0 == await kept(client)


async def test_characters_that_no_x12_has_are_told_by_place_and_never_repeated(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for value in (f"{SECRET}\0", f"{SECRET}\x1dB", f"{SECRET}\xc4", f"{SECRET}\n", f"{SECRET}|"):
            for path in X12_PATHS[2:]:
                answer = await client.post(path, with_last_name(synthetic.claims_837p(1), value).encode("latin-1"))
                assert (value, 400) == (value, answer.status), answer.body
                assert all("NM1" in str(e) for e in errors_of(answer, path))
            answer = await client.post(X12_PATHS[0], QUESTION.replace(SECRET, value).encode("latin-1"))
            assert (value, 400) == (value, answer.status), answer.body
            assert all("NM1" in str(e) for e in errors_of(answer))
        assert 0 == await kept(client)


async def test_other_sets_than_the_operation_takes_are_refused_with_advice(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        wrong = ((GOOD, X12_PATHS[:2], ("270", "276")), (QUESTION, X12_PATHS[1:], ("276", "837", "837")))
        for body, paths, wanted in wrong:
            for path, set_id in zip(paths, wanted, strict=True):
                answer = await client.post(path, body.encode())
                assert (400, path) == (answer.status, path)
                assert set_id in errors_of(answer, path)[0]["description"]
        assert 0 == await kept(client)


async def test_one_bad_claim_of_a_file_does_not_stop_the_others(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        body = re.sub(r"CLM\*PCN00000001\*[\d.]+", "CLM*PCN00000001*1", synthetic.claims_837p(3), count=1)
        answer = await client.post(X12_PATHS[2], body.encode())
        assert 200 == answer.status
        told = answer.json
        assert ["PCN00000000", "PCN00000002"] == [r["patientControlNumber"] for r in told["claimReferences"]]
        (error,) = told["errors"]
        assert ("I12", "2300 CLM02") == (error["code"], error["location"])
        assert ["ACCEPTED", "REJECTED", "ACCEPTED"] == [r["status"] for r in told["claimResults"]]
        assert [error] == told["claimResults"][1]["errors"]
        assert 2 == await kept(client)


async def test_the_same_file_again_is_refused_as_a_duplicate_and_other_content_is_taken(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        path = X12_PATHS[2]
        assert 200 == (await client.post(path, GOOD.encode())).status
        before = await kept(client)
        for again in (GOOD, GOOD.replace("~", "~\r\n")):
            answer = await client.post(path, again.encode())
            assert 400 == answer.status
            assert ["025"] == [e["code"] for e in errors_of(answer, path)]
            assert [("R", "025")] == ta1_notes(answer)
        answer = await client.post(path, {"x12": GOOD})
        assert (400, ["025"]) == (answer.status, [e["code"] for e in errors_of(answer, path)])
        assert before == await kept(client)
        # ISA13 came before, but with other claims: senders that begin to count anew each day are not turned away.
        other = synthetic.claims_837p(2, seed=2)
        assert GOOD.split("~")[0] == other.split("~")[0]
        assert 200 == (await client.post(path, other.encode())).status
        assert before + 2 == await kept(client)
        # The same interchange twice in one file: the second copy is refused, the first is not held up by it.
        twice = synthetic.claims_837p(1, seed=3) * 2
        answer = await client.post(path, twice.encode())
        assert (200, ["025"]) == (answer.status, [e["code"] for e in answer.json["errors"]])
        notes = [[read_ta1(t).note for t in i.acknowledgements] for i in read(answer.json["x12"].encode())]
        assert [[], ["025"]] == notes
        assert before + 3 == await kept(client)


# --- HTTP ------------------------------------------------------------------------------------------------------------


async def test_wrong_methods_and_unknown_paths_are_told_so(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for path in (*JSON_PATHS, *X12_PATHS):
            for method in ("GET", "PUT", "DELETE", "PATCH"):
                answer = await client.call(method, path)
                assert (405, "POST,OPTIONS") == (answer.status, answer.headers["Allow"])
                assert "405" == errors_of(answer)[0]["code"]
        answer = await client.post(f"{NETWORK}/reports/v2", {})
        assert (405, {"GET", "HEAD", "OPTIONS"}) == (answer.status, set(answer.headers["Allow"].split(",")))
        for path in (
            "/",
            "/nothing",
            f"{NETWORK}/eligibility/v4",
            f"{ELIGIBILITY}/{SECRET}",
            "/v1/",
            "/%00",
            "/..%2f..%2fetc",
        ):
            answer = await client.post(path, {})
            assert (404, path) == (answer.status, path)
            if path.startswith("/2024"):
                assert "404" == errors_of(answer)[0]["code"]
            else:
                assert "application/problem+json" == answer.headers["Content-Type"]
                assert 404 == answer.json["status"]
            assert SECRET.encode() not in answer.body


async def test_ids_that_are_none_and_cursors_that_are_none_are_told_so(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for name in (SECRET, "X3", "R5" + SECRET, "%00", "%27%20OR%201=1", "a" * 4_000, "\u00e9"):
            for path in (
                f"/v1/transactions/{name}",
                f"/v1/transactions/{name}/trace",
                f"/v1/transactions/{name}/answer",
                f"{NETWORK}/reports/v2/{name}",
                f"{NETWORK}/reports/v2/{name}/277",
                f"{NETWORK}/reports/v2/{name}/835",
            ):
                answer = await client.get(path)
                assert (404, path) == (answer.status, path)
                assert SECRET.encode() not in answer.body
        for query in (
            "pageToken=%00",
            "pageToken=x",
            "pageToken=-1",
            "pageSize=1e9",
            "pageToken=" + "9" * 40,
            "pageSize=%D9%A3",
        ):
            answer = await client.get(f"/2023-08-01/polling/transactions?{query}")
            assert (400, query) == (answer.status, query)
            errors_of(answer)
        # A parameter that is none is ignored, whatever is in it.
        for query, status in (("payerId=%00", 400), ("x=%00", 200)):
            assert (status, query) == ((await client.get(f"/v1/eligibility-retry-rules?{query}")).status, query)
        for body in (
            b"{}[",
            b'{"days":"x"}',
            b'{"days":-1}',
            b'{"days":1e300}',
            b'{"seconds":NaN}',
            b'{"days":1e999}',
            b"\xff",
        ):
            answer = await client.call("POST", "/v1/sandbox/clock", body, Content_Type="application/json")
            assert (400, body) == (answer.status, body)


async def test_what_is_out_of_bounds_is_told_by_its_field_or_parameter(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for path, name in (
            ("/v1/in-doubt?pageSize=0", "pageSize"),
            ("/v1/unmatched?handled=maybe", "handled"),
            ("/v1/alarms?pageToken=x", "pageToken"),
            ("/v1/follow-ups/due?days=367", "days"),
            ("/v1/eligibility-batches?pageSize=x", "pageSize"),
            ("/2023-08-01/polling/transactions?pageSize=x", "pageSize"),
            ("/2023-08-01/polling/transactions?pageSize=0", "pageSize"),
            ("/2023-08-01/polling/transactions?pageToken=x", "pageToken"),
            ("/2023-08-01/polling/transactions?startDateTime=yesterday", "startDateTime"),
            ("/2023-08-01/transactions?pageSize=0", "pageSize"),
        ):
            answer = await client.get(path)
            assert (400, path, [name]) == (answer.status, path, [e["field"] for e in answer.json["errors"]])
        for path, body, name in (
            ("/v1/lanes/sandbox/pause", {"minutes": 0}, "minutes"),
            ("/v1/lanes/sandbox/pause", {"minutes": 1e9}, "minutes"),
            ("/v1/sandbox/clock", {"days": -1}, "days"),
            ("/v1/sandbox/clock", {"seconds": 1e300}, "seconds"),
        ):
            answer = await client.post(path, body)
            assert (400, path, [name]) == (answer.status, path, [e["field"] for e in answer.json["errors"]])


async def test_a_clock_that_was_moved_as_far_as_it_goes_says_so(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        for _moved in range(10):
            await client.forward(3_660)
        for _again in range(2):
            answer = await client.post("/v1/sandbox/clock", {"days": 3_660}, Idempotency_Key="further")
            assert (400, ["days"]) == (answer.status, [e["field"] for e in answer.json["errors"]])
        await client.forward(0)


async def test_content_types_decide_how_raw_x12_is_read(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        path = X12_PATHS[3]
        for kind in ("application/edi-x12", "application/x12", "text/plain", "application/octet-stream", "no type"):
            assert (200, kind) == ((await client.call("POST", path, GOOD.encode(), Content_Type=kind)).status, kind)
        assert 200 == (await client.post(path, {"x12": GOOD})).status
        for status, kind in (
            (400, "application/json"),
            (415, "multipart/form-data; boundary=x"),
            (415, "application/xml"),
        ):
            answer = await client.call("POST", path, GOOD.encode(), Content_Type=kind)
            assert (status, kind) == (answer.status, kind)
            errors_of(answer)
        bodies: tuple[Any, ...] = ({}, {"x12": None}, {"x12": {"a": SECRET}}, {"edi": GOOD}, [])
        for body in bodies:
            answer = await client.post(path, body)
            assert 400 == answer.status, answer.body
            errors_of(answer)
        # JSON is JSON whatever it is called.
        answer = await client.call(
            "POST", ELIGIBILITY, b'{"tradingPartnerServiceId":"NOBODY"}', Content_Type="text/plain"
        )
        assert "tradingPartnerServiceId" == errors_of(answer)[0].get("field")
        assert 0 == await kept(client)


async def test_bodies_that_are_too_large_are_refused_and_the_service_goes_on(tmp_path: Path) -> None:
    async with in_process(tmp_path, Config(json_bytes_max=8_000, body_bytes_max=100_000)) as (client, _):
        for path in JSON_PATHS:
            answer = await client.call("POST", path, b'{"z":"' + b"z" * 9_000 + b'"}', Content_Type="application/json")
            assert (413, path) == (answer.status, path)
            assert "413" == errors_of(answer)[0]["code"]
        for path in (*X12_PATHS, *JSON_PATHS):
            answer = await client.call("POST", path, GOOD.encode() + b" " * 200_000, Content_Type="text/plain")
            assert (413, path) == (answer.status, path)
            assert {"traceparent", "X-Content-Type-Options"} <= set(answer.headers)
        long_key = await client.post(ELIGIBILITY, eligibility_body(), Idempotency_Key="k" * 256)
        assert 400 == long_key.status
        assert 0 == await kept(client)
        await goes_on(client)

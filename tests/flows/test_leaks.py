"""Canaries: values that occur nowhere else are planted in every field of a patient's, and looked for wherever they must not be.

Not in a log line, a span, a metric, a header, a URL, an error, a repr, nor in the clear in the data folder.
"""

from __future__ import annotations

import asyncio
import copy
import io
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.pretty import pretty_repr

import adapters
from gateway.api.operations import Call
from gateway.claim_kinds import CLAIM_KINDS, DENTAL, INSTITUTIONAL, PROFESSIONAL, ClaimKind
from gateway.claims import Claims
from gateway.config import Config
from gateway.inquiries import Answer as InquiryAnswer
from gateway.inquiries import prepare_eligibility, prepare_status
from gateway.lifecycle import Answered
from gateway.payers import Payer, Route
from gateway.replies import Reply
from gateway.reports import Report277
from gateway.runtime import Runtime
from gateway.scrubbing import looks_at
from observability import log, tracing
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
from x12.documents.claim_status import ClaimStatusRequest, ClaimStatusResponse
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.remittance import Report835
from x12.envelope import read
from x12.syntax import runs

ELIGIBILITY, STATUS = f"{NETWORK}/eligibility/v3", f"{NETWORK}/claimstatus/v2"
SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"

# What is planted. None of it is a word, number or date that anything else here could hold.
LAST, FIRST, MIDDLE = "ZQXLASTNAME", "ZQXFIRSTNAME", "ZQXMIDDLENAME"
MEMBER, GROUP, POLICY = "ZQXMEMBER77", "ZQXGROUP77", "ZQXPOLICY77"
STREET, UNIT, CITY, POSTAL = "77 ZQXSTREET", "UNIT ZQX77", "ZQXCITY", "971957731"
BIRTH, CHILD_BIRTH, SERVICE = "19190713", "20130217", "20250917"
CONTROL, LINE_NUMBER, RECORD = "PAIDZQX77", "ZQXLINE77", "ZQXRECORD77"
NOTE, LINE_NOTE = "ZQXNOTE ABOUT THE PATIENT", "ZQXLINENOTE"
PHONE, EMAIL, SECURITY_NUMBER = "5557731977", "ZQX77@EXAMPLE.ORG", "977310077"
CHILD_LAST, CHILD_FIRST = "ZQXCHILDLAST", "ZQXCHILDFIRST"
DIAGNOSIS, CHARGE = "Z9977XQ", "7731.19"
CANARIES = (
    *(LAST, FIRST, MIDDLE, MEMBER, GROUP, POLICY, STREET, UNIT, CITY, POSTAL, BIRTH, CHILD_BIRTH, SERVICE),
    *(CONTROL, LINE_NUMBER, RECORD, NOTE, LINE_NOTE, PHONE, EMAIL, SECURITY_NUMBER, CHILD_LAST, CHILD_FIRST, DIAGNOSIS, CHARGE),
)  # fmt: skip
ADDRESS = {"address1": STREET, "address2": UNIT, "city": CITY, "state": "OR", "postalCode": POSTAL}

# An adapter whose errors quote all that it was given, written as adapters are: a folder with a package.
HOSTILE = """
import logging

from adapters.protocol import Capabilities, Delivered, Manifest

SEEN = []


class Hostile:
    name = "hostile"
    manifest = Manifest(summary="tells what it got", owner="nobody")
    capabilities = Capabilities(frozenset({"270", "276"}), frozenset({"837"}), collects=True, probes=True)

    async def send(self, outbound, context):
        SEEN.append(outbound.payload.decode())
        logging.getLogger("hostile").error("cannot send %s", SEEN[-1])
        try:
            raise KeyError(SEEN[-1])
        except KeyError as error:
            raise ValueError(f"cannot send {SEEN[-1]}") from error

    async def collect(self, context):
        if SEEN:
            raise RuntimeError(f"cannot collect what answers {SEEN}")
        for nothing in ():
            yield nothing

    async def settle(self, inbound, context):
        raise RuntimeError(str(SEEN))

    async def probe(self, outbound, context):
        raise RuntimeError(outbound.payload.decode())


adapter = Hostile()
"""


def found_in(text: str | bytes) -> list[str]:
    """The canaries that stand in a text, whatever their case."""
    content = text.encode() if isinstance(text, str) else text
    upper = content.upper()
    return [c for c in CANARIES if c.encode() in upper]


@contextmanager
def captured(stream: io.StringIO) -> Generator[InMemorySpanExporter]:
    """Logs of every level go to the stream, spans to the exporter, until the context ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    exporter = InMemorySpanExporter()
    log.configure("DEBUG", stream)
    tracing.configure([exporter])
    try:
        yield exporter
    finally:
        exporter.shutdown()
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


# --- requests full of canaries -----------------------------------------------------------------------------------------


def eligibility_with_canaries(member: str = MEMBER) -> dict[str, Any]:
    body = eligibility_body(member, firstName=FIRST, lastName=LAST, dateOfBirth=BIRTH)
    body["subscriber"] |= {"middleName": MIDDLE, "groupNumber": GROUP, "ssn": SECURITY_NUMBER, "gender": "F"}
    body["subscriber"]["address"] = ADDRESS
    body["dependents"] = [{"firstName": CHILD_FIRST, "lastName": CHILD_LAST, "dateOfBirth": CHILD_BIRTH}]
    body["encounter"] |= {"dateOfService": SERVICE}
    return body


def _planted(claim: dict[str, Any]) -> dict[str, Any]:
    """A claim with canaries in what all kinds of claims have."""
    body = copy.deepcopy(claim)
    body["subscriber"] |= {
        "memberId": MEMBER,
        "firstName": FIRST,
        "middleName": MIDDLE,
        "dateOfBirth": BIRTH,
        "policyNumber": POLICY,
        "ssn": SECURITY_NUMBER,
        "address": ADDRESS,
    }
    body["submitter"]["contactInformation"] = {"name": "BILLING", "phoneNumber": PHONE, "email": EMAIL}
    body["claimInformation"]["claimSupplementalInformation"] = {"medicalRecordNumber": RECORD}
    return body


def claim_with_canaries(control: str = CONTROL) -> dict[str, Any]:
    body = _planted(claim_body(control, LAST, CHARGE))
    information = body["claimInformation"]
    information["claimNote"] = {"additionalInformation": NOTE}
    information["healthCareCodeInformation"] = [{"diagnosisTypeCode": "ABK", "diagnosisCode": DIAGNOSIS}]
    line = information["serviceLines"][0]
    line |= {"serviceDate": SERVICE, "providerControlNumber": LINE_NUMBER, "additionalNotes": LINE_NOTE}
    return body


def dependent_claim_with_canaries() -> dict[str, Any]:
    body = claim_with_canaries("DENIEDZQX77")
    body["dependent"] = {
        "firstName": CHILD_FIRST,
        "lastName": CHILD_LAST,
        "dateOfBirth": CHILD_BIRTH,
        "gender": "M",
        "relationshipToSubscriberCode": "19",
        "address": ADDRESS,
    }
    return body


def institutional_with_canaries() -> dict[str, Any]:
    """A hospital's claim; what it has of its own is full of them, too."""
    body = _planted(institutional_body(f"PAIDI{CONTROL}", LAST, CHARGE))
    information = body["claimInformation"]
    information["billingNote"] = NOTE
    information["claimDateInformation"] |= {"statementBeginDate": SERVICE, "statementEndDate": SERVICE}
    information["claimDateInformation"]["admissionDateAndHour"] = f"{SERVICE}0815"
    information["principalDiagnosis"]["principalDiagnosisCode"] = DIAGNOSIS
    information["admittingDiagnosis"]["admittingDiagnosisCode"] = DIAGNOSIS
    information["serviceLines"][0] |= {"lineItemControlNumber": LINE_NUMBER, "thirdPartyOrganizationNotes": LINE_NOTE}
    return body


def dental_with_canaries() -> dict[str, Any]:
    """A dentist's claim, as `institutional_with_canaries`."""
    body = _planted(dental_body(f"PAIDD{CONTROL}", LAST, CHARGE))
    information = body["claimInformation"]
    del information["claimSupplementalInformation"]
    information["claimNotes"] = [NOTE]
    information["claimDateInformation"]["serviceDate"] = SERVICE
    information["serviceLines"][0] |= {"providerControlNumber": LINE_NUMBER}
    return body


def status_with_canaries(payer: str = "SANDBOX") -> dict[str, Any]:
    return {
        "tradingPartnerServiceId": payer,
        "providers": [
            {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667", "providerType": "BillingProvider"}
        ],
        "subscriber": {
            "memberId": MEMBER,
            "firstName": FIRST,
            "lastName": LAST,
            "dateOfBirth": BIRTH,
            "gender": "F",
            "groupNumber": GROUP,
        },
        "encounter": {
            "beginningDateOfService": SERVICE,
            "endDateOfService": SERVICE,
            "submittedAmount": CHARGE,
            "patientAccountNumber": CONTROL,
            "medicalRecordNumber": RECORD,
        },
    }


def spoilt(body: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Bad requests made of a good one: each breaks off, or has its canaries where they do not belong."""
    text = msgspec.json.encode(body)
    at = text.index(LAST.encode())
    wrong_types = {**body, "subscriber": [LAST, FIRST, MEMBER], "claimInformation": NOTE, "encounter": CONTROL}
    no_payer = {**body, "tradingPartnerServiceId": MEMBER}
    person = {**body["subscriber"], "dateOfBirth": f"{BIRTH}{LAST}", "gender": LAST, "lastName": LAST * 9}
    person["memberId"] = MEMBER * 20
    return [
        ("cut", text[: at + len(LAST)]),
        ("not UTF-8", text.replace(LAST.encode(), LAST.encode() + b"\xff")),
        ("other types", msgspec.json.encode(wrong_types)),
        ("no such payer", msgspec.json.encode(no_payer)),
        ("values that do not fit", msgspec.json.encode({**body, "subscriber": person})),
        ("a character X12 lacks", text.replace(LAST.encode(), f"{LAST}\u2028Q".encode())),
        ("a character kept for delimiters", text.replace(LAST.encode(), f"{LAST}~".encode())),
    ]


def raw_claims(made: Callable[[int], str] = synthetic.claims_837p, control: str = f"RAW{CONTROL}") -> str:
    """Two claims of a file with canaries in them."""
    lines = made(2).split("~")
    out: list[str] = []
    for line in lines:
        parts = line.split("*")
        if line.startswith("NM1*IL"):
            parts[3], parts[4], parts[9] = LAST, FIRST, MEMBER
        elif line.startswith("NM1*QC"):
            parts[3], parts[4] = CHILD_LAST, CHILD_FIRST
        elif line.startswith("DMG"):
            parts[2] = BIRTH
        elif line.startswith("N3*") and "BIRCH" in line:
            parts[1] = STREET
        elif line.startswith("CLM"):
            parts[1] = control
        out.append("*".join(parts))
    return "~".join(out)


# The other kinds of claims: a claim in JSON and a file in X12.
OTHERS: dict[ClaimKind, tuple[dict[str, Any], str]] = {
    INSTITUTIONAL: (institutional_with_canaries(), raw_claims(synthetic.claims_837i, f"RAWI{CONTROL}")),
    DENTAL: (dental_with_canaries(), raw_claims(synthetic.claims_837d, f"RAWD{CONTROL}")),
}


class Recorder:
    """A caller that keeps every answer it got, to look through."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answers: list[Answer] = []

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        answer = await self.client.post(path, body, **headers)
        self.answers.append(answer)
        return answer

    async def refused(self, path: str, body: bytes, kind: str, name: str = "") -> None:
        """Post what is refused: no canary may stand in the answer, save in the acknowledgements of the caller's own X12 and in what
        the caller calls a claim of it.
        """
        answer = await self.client.call("POST", path, body, Content_Type=kind)
        self.answers.append(answer)
        assert 400 == answer.status, (path, name, answer.body)
        told = answer.json
        for name_of_x12 in ("x12", "x12ClaimAcknowledgement"):
            told.pop(name_of_x12, None)
        for result in told.get("claimResults", ()):
            result.pop("patientControlNumber", None)
        assert [] == found_in(msgspec.json.encode(told)), path

    def headers(self) -> str:
        return "\n".join(f"{k}: {v}" for a in self.answers for k, v in a.headers.items())


def cleartext(folder: Path) -> dict[str, list[str]]:
    """File -> canaries in it, of the data folder; the sandbox's own files are a payer's, not ours."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("sandbox.db")]
    assert "claimwire.db" in {p.name for p in files}
    return {p.name: found for p in files if (found := found_in(p.read_bytes()))}


async def good_and_bad(recorder: Recorder) -> list[str]:
    """Every kind of request with canaries in it; the transaction ids of the claims that were taken."""
    client = recorder.client
    for member in (MEMBER, f"ACTIVE{MEMBER}", f"NOTFOUND{MEMBER}", f"WRONGDOB{MEMBER}", f"DOWN{MEMBER}"):
        assert 200 == (await recorder.post(ELIGIBILITY, eligibility_with_canaries(member))).status
    claims = [(await recorder.post(SUBMISSION, b)) for b in (claim_with_canaries(), dependent_claim_with_canaries())]
    claims.append(await recorder.post(SUBMISSION, claim_with_canaries("REJECTZQX77"), Idempotency_Key="first"))
    again = await recorder.post(SUBMISSION, claim_with_canaries("REJECTZQX77"), Idempotency_Key="first")
    other = await recorder.post(SUBMISSION, claim_with_canaries(), Idempotency_Key="first")
    assert [200, 200, 200, 200, 422] == [*(a.status for a in claims), again.status, other.status]
    assert [] == found_in(other.body)
    raw = await recorder.post(f"{NETWORK}/professionalclaims/v3/raw-x12-submission", raw_claims().encode())
    assert 200 == raw.status, raw.body
    for body, path in (
        (eligibility_with_canaries(), ELIGIBILITY),
        (claim_with_canaries(), SUBMISSION),
        (claim_with_canaries(), f"{NETWORK}/professionalclaims/v3/validation"),
        (status_with_canaries(), STATUS),
    ):
        for name, content in spoilt(body):
            await recorder.refused(path, content, "application/json", name)
    others = [await good_and_bad_of(recorder, kind) for kind in OTHERS]
    text = raw_claims()
    for content in (text[: text.index(MEMBER) + 40], text.replace("SE*", "SE*9"), text.replace(LAST, f"{LAST}\x01")):
        for path in ("submission", "validation"):
            await recorder.refused(
                f"{NETWORK}/professionalclaims/v3/raw-x12-{path}", content.encode(), "application/edi-x12"
            )
    # Canaries where no reader expects them: in paths, queries, keys and headers.
    for path in (f"/v1/transactions/{MEMBER}", f"/{LAST}", f"/2023-08-01/polling/transactions?pageToken={MEMBER}"):
        answer = await client.get(path, X_CHC_CorrelationId=MEMBER, traceparent=MEMBER)
        recorder.answers.append(answer)
        assert 400 <= answer.status < 500
        assert [] == found_in(answer.body)
    denied = await client.get("/v1/transactions/1", Authorization=f"Key {MEMBER}")
    assert (401, []) == (denied.status, found_in(denied.body))
    return [a.json["claimReference"]["correlationId"] for a in (*claims, raw, *(o for some in others for o in some))]


async def good_and_bad_of(recorder: Recorder, kind: ClaimKind) -> tuple[Answer, Answer]:
    """Claims of another kind with canaries in them; the answers to what was taken: one in JSON, some in X12."""
    body, text = OTHERS[kind]
    taken = await recorder.post(f"{kind.path}/submission", body)
    raw = await recorder.post(f"{kind.path}/raw-x12-submission", text.encode())
    assert [200, 200] == [taken.status, raw.status], (taken.body, raw.body)
    for path in ("submission", "validation"):
        for name, content in spoilt(body):
            await recorder.refused(f"{kind.path}/{path}", content, "application/json", name)
        broken = (text[: text.index(MEMBER) + 40], text.replace("SE*", "SE*9"), text.replace(LAST, f"{LAST}\x01"))
        # Claims of another kind are as secret where they are refused.
        for content in (*broken, raw_claims()):
            await recorder.refused(f"{kind.path}/raw-x12-{path}", content.encode(), "application/edi-x12")
    return taken, raw


@pytest.mark.embedded
async def test_no_canary_leaves_sideways_in_the_whole_story(tmp_path: Path) -> None:
    stream = io.StringIO()
    with captured(stream) as spans:
        async with in_process(tmp_path) as (client, _):
            recorder = Recorder(client)
            paid, denied, rejected, raw, *others = await good_and_bad(recorder)
            await until(client, paid, "received")
            for other in others:
                await until(client, other, "received")
            assert 200 == (await recorder.post(STATUS, status_with_canaries())).status
            await until(client, rejected, "rejected")
            await until(client, denied, "received")
            await until(client, raw, "received")
            await client.forward(2)
            await until(client, paid, "remitted")
            await until(client, denied, "remitted")
            for claim in (paid, *others):
                await until(client, claim, "remitted")
                for name in ("277", "835"):
                    report = await client.get(f"{NETWORK}/reports/v2/{claim}/{name}")
                    recorder.answers.append(report)
                    # It went all the way: the caller's own report has the caller's own data.
                    assert {CONTROL, LAST} <= set(found_in(report.body))
            for path in ("/2023-08-01/polling/transactions", f"/v1/transactions/{paid}", f"{NETWORK}/reports/v2"):
                listed = await client.get(path)
                recorder.answers.append(listed)
                assert (200, []) == (listed.status, found_in(listed.body))
            for claim in (paid, *others):
                trace = await client.trace(claim)
                assert [] == found_in(msgspec.json.encode(trace["events"]))
            assert [] == found_in((await client.get("/metrics")).body)
            assert [] == found_in(recorder.headers())
            assert {} == cleartext(tmp_path)
        assert {} == cleartext(tmp_path)
        exported = [s.to_json() for s in spans.get_finished_spans()]
    lines = stream.getvalue().splitlines()
    assert lines
    assert [] == [line for line in lines if found_in(line)]
    assert exported
    assert [] == [span for span in exported if found_in(span)]


@pytest.mark.embedded
async def test_an_adapter_whose_errors_quote_the_payload_tells_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "outside"
    (folder / "hostile").mkdir(parents=True)
    (folder / "hostile" / "__init__.py").write_text(HOSTILE)
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
    route = Route(
        id="hostile",
        adapter="hostile",
        usage="T",
        sender_id="CLAIMWIRE",
        receiver_id="HOSTILE",
        batch_window_seconds=0.05,
        poll_seconds=0.2,
    )
    config = Config(payers=[Payer(id="HOSTILE", name="HOSTILE PLAN", routes=["hostile"])], routes=[route])
    stream = io.StringIO()
    data = tmp_path / "data"
    with captured(stream) as spans:
        async with in_process(data, config) as (client, _):
            asked = {**eligibility_with_canaries(), "tradingPartnerServiceId": "HOSTILE"}
            answers = [
                await client.post(ELIGIBILITY, asked),
                await client.post(STATUS, status_with_canaries("HOSTILE")),
            ]
            assert [202, 202] == [a.status for a in answers]
            assert [[], []] == [found_in(a.body) for a in answers]
            claim = await client.submit({**claim_with_canaries(), "tradingPartnerServiceId": "HOSTILE"})
            await until(client, claim, "in_doubt")
            while "collect failed" not in stream.getvalue():  # noqa: ASYNC110 - a log has nothing to wait on
                await asyncio.sleep(0.05)
            metrics = (await client.get("/metrics")).body
            assert [] == found_in(metrics)
            assert b'claimwire_deliveries_total{outcome="InDoubt",route_id="hostile",set_id="837"}' in metrics
            # The claim's own story, raw segments and reasons and all, quotes no error of the adapter's.
            trace = await client.trace(claim)
            reasons = [trace["events"], [i.get("reason") for i in trace["interchanges"]]]
            assert [] == found_in(msgspec.json.encode(reasons))
            # Another payer's business goes on.
            assert 200 == (await client.post(ELIGIBILITY, eligibility_with_canaries())).status
        exported = [s.to_json() for s in spans.get_finished_spans()]
    assert {} == cleartext(data)
    text = stream.getvalue()
    assert [] == found_in(text)
    assert [] == [span for span in exported if found_in(span)]
    told = [msgspec.json.decode(line) for line in text.splitlines()]
    raised = [t for t in told if t["event"] == "adapter raised"]
    assert {("ValueError", "hostile")} == {(t["exception"], t["route_id"]) for t in raised}
    assert {"RuntimeError"} == {t["exception"] for t in told if t["event"] == "collect failed"}
    assert {"hostile"} == {t["logger"] for t in told if t["event"] == "library message"}


async def structs(runtime: Runtime) -> list[object]:
    """One of everything that carries what a patient said, filled."""
    claims = {PROFESSIONAL: claim_with_canaries(), **{kind: body for kind, (body, _) in OTHERS.items()}}
    documents = [msgspec.convert(body, kind.type) for kind, body in claims.items()]
    asked = msgspec.convert(eligibility_with_canaries(), EligibilityRequest)
    about = msgspec.convert(status_with_canaries(), ClaimStatusRequest)
    payer = runtime.directory.find("SANDBOX")
    content = raw_claims().encode()
    received = read(content)
    intakes = [await Claims(runtime).prepare(kind, msgspec.json.encode(body)) for kind, body in claims.items()]
    assert [True] * len(CLAIM_KINDS) == [i.accepted for i in intakes]
    in_x12 = await Claims(runtime).prepare_x12(PROFESSIONAL, content)
    assert in_x12.accepted
    intakes.append(in_x12)
    looks = [look for i in received for s in i.sets for look in looks_at(s.nodes, s.segments, s.delimiters)]
    body = msgspec.json.encode(documents[0])
    return [
        *(part for claim in documents for part in (claim, claim.subscriber, claim.claim_information)),
        *(part for look in looks for part in (look, *look.days, *look.lines)),
        *(asked, asked.subscriber, about),
        *await prepare_eligibility(runtime, payer, asked),
        *prepare_status(runtime, payer, about),
        *(part for intake in intakes for part in (intake, intake.submissions, intake.reply)),
        *(one.claim for intake in intakes for one in intake.submissions),
        *(Reply(200, body), InquiryAnswer(Answered([]), 200, body)),
        *(received, [i.sets for i in received], [s.tree() for i in received for s in i.sets], list(runs(content))),
        *(msgspec.convert({"x12": LAST}, t) for t in (EligibilityResponse, ClaimStatusResponse)),
        *(msgspec.convert({}, t) for t in (Report277, Report835)),
        runtime,
    ]


async def test_the_repr_of_what_carries_data_shows_none_of_it(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (_, up):
        for made in await structs(up.runtime):
            assert [] == found_in(repr(made)), type(made)
            # Rich prints tracebacks of the command line; it has its own way of looking into things.
            assert [] == found_in(pretty_repr(made)), type(made)
        fields = {f.name: f.repr for f in Call.__dataclass_fields__.values()}
        assert fields["body"] is False
        secret = Route(id="r", adapter="a", usage="T", sender_id="S", receiver_id="R", secrets={"token": LAST})
        assert [] == found_in(repr(secret) + pretty_repr(Config(routes=[secret])) + repr(Config(routes=[secret])))


def fail_in_a_span(line: log.Log) -> None:
    with tracing.span("hop", member_id=MEMBER, route_id="sandbox"):
        try:
            raise ValueError(LAST)
        except ValueError as error:
            line.error("failed", exc_info=error)
            raise


async def test_log_keys_and_values_that_are_not_allowed_are_left_out_or_masked(tmp_path: Path) -> None:
    stream = io.StringIO()
    with captured(stream) as spans:
        line = log.get("tests")
        line.info("something", member_id=MEMBER, state=f"{LAST}\nSECOND", codes=["20", f"{LAST}~"], count=3)
        with pytest.raises(ValueError, match=LAST):
            fail_in_a_span(line)
        (hop,) = spans.get_finished_spans()
    assert {"claimwire.route_id": "sandbox"} == dict(hop.attributes or {})
    first, second = (msgspec.json.decode(text) for text in stream.getvalue().splitlines())
    assert [] == found_in(stream.getvalue())
    assert ("[masked]", ["20", "[masked]"], 3) == (first["state"], first["codes"], first["count"])
    assert "member_id" not in first
    assert ("ValueError", "failed") == (second["exception"], second["event"])

"""Laws of how a claim in JSON is judged: what lists, sums, rules and edits find is told once, at the caller's own field path.

An edit finds its fault in every kind of claim that can have it, and nothing that a rule says already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from gateway.claim_judging import JudgedClaim, Treatment, judged_claim
from gateway.claim_kinds import CLAIM_KINDS, addressed
from gateway.scrubbing import scrub
from gateway.scrubbing.edits import EDITS
from gateway.scrubbing.looks import looks_at
from tests import synthetic
from tests.flows.service import claim_body, dental_body, institutional_body
from tests.laws.test_claim_records import KINDS
from x12 import guides
from x12.documents.parts import Header
from x12.envelope import read
from x12.syntax import CANONICAL
from x12.table import Node
from x12.walk import Walk, compiled

TODAY = date(2026, 1, 5)
HEADER = Header("0001", "REFERENCE", "20260105", "0930")
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "837P": claim_body,
    "837I": institutional_body,
    "837D": dental_body,
}
SYNTHETIC = {"837P": synthetic.claims_837p, "837I": synthetic.claims_837i, "837D": synthetic.claims_837d}
P, I, D = "837P", "837I", "837D"  # noqa: E741 - as the guides call them
SAID, LINE = "claimInformation", "claimInformation.serviceLines.0"
DATES = f"{SAID}.claimDateInformation"
# Service and its charge on a line.
CHARGE = {
    k: f"{LINE}.{s}Service.lineItemChargeAmount" for k, s in ((P, "professional"), (I, "institutional"), (D, "dental"))
}
PAID = {P: "patientAmountPaid", I: "patientEstimatedAmountDue", D: "patientAmountPaid"}
POINTER = "compositeDiagnosisCodePointers.diagnosisCodePointers"


def judged(kind: str, changes: dict[str, Any], treatment: Treatment | None = None) -> JudgedClaim:
    """A good claim with other values at these paths, judged; None takes a field away."""
    body = msgspec.json.decode(msgspec.json.encode(BODIES[kind]("PAID-1")))
    for path, value in changes.items():
        here = body
        *above, last = path.split(".")
        for name in above:
            here = here[int(name)] if name.isdigit() else here.setdefault(name, {})
        here[last] = value
    claim = msgspec.convert(body, CLAIM_KINDS[kind].type)
    told = msgspec.json.encode(addressed(claim, "BIRCH", "BIRCH HEALTH PLAN", "ALDERFP", "BIRCHHP"))
    return judged_claim(kind, told, HEADER, TODAY, treatment or Treatment("BIRCH", "BIRCH"))


Told = tuple[str, str, str]


def told(claim: JudgedClaim) -> list[Told]:
    """What a claim's answer says: rule or code, severity, field path."""
    return [(f.rule or f.code, f.severity, f.path or "") for f in claim.findings]


def json(path: str) -> str:
    """A path as callers write it: `serviceLines[0]`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)


Case = tuple[str, str, dict[str, Any], list[Told]]


def error(code: str, path: str) -> Told:
    return code, "error", json(path)


def warning(code: str, path: str) -> Told:
    return code, "warning", json(path)


def _of_all_kinds() -> list[Case]:
    cases: list[Case] = []
    for kind in BODIES:
        cases += [
            ("a list", kind, {"billing.npi": "1999996668"}, [error("I12", "billing.npi")]),
            ("a sum", kind, {f"{SAID}.claimChargeAmount": "121"}, [error("I12", f"{SAID}.claimChargeAmount")]),
            (
                "a rule",
                kind,
                {f"{SAID}.claimFrequencyCode": "7"},
                [error("C-2300-001", f"{SAID}.claimSupplementalInformation.claimControlNumber")],
            ),
            ("the guide", kind, {"subscriber.gender": None}, [error("1", "subscriber.gender")]),
            (
                "rules",
                kind,
                {"subscriber.address": None},
                [error("C-2000B-006", "subscriber.address.address1"), error("C-2000B-007", "subscriber.address.city")],
            ),
            ("a rule", kind, {"subscriber.memberId": None}, [error("C-2010BA-001", "subscriber.memberId")]),
            ("CW117", kind, {"billing.npi": None}, [error("CW117", "billing.npi")]),
            ("nothing", kind, {"billing.npi": None, "billing.commercialNumber": "P1"}, []),
            ("nothing", kind, {"billing.npi": None, "billing.locationNumber": "P1"}, []),
        ]
    return cases


CASES: list[Case] = [
    *_of_all_kinds(),
    ("a list", I, {"attending.npi": "1234567890"}, [error("I12", "attending.npi")]),
    (
        "a rule",
        P,
        {f"{LINE}.professionalService.{POINTER}": ["2"]},
        [error("P-2300-007", f"{LINE}.professionalService.{POINTER}.0")],
    ),
    (
        "a rule",
        D,
        {f"{LINE}.dentalService.{POINTER}": ["1"]},
        [error("D-2300-002", f"{SAID}.healthCareCodeInformation.0.diagnosisTypeCode")],
    ),
    ("a rule", P, {f"{LINE}.serviceDateEnd": "20251201"}, [error("P-DTP-002", f"{LINE}.serviceDateEnd")]),
    (
        "a rule",
        I,
        {f"{LINE}.serviceLineDateInformation": {"beginServiceDate": "20251203", "endServiceDate": "20251202"}},
        [error("I-2400-004", f"{LINE}.serviceLineDateInformation.endServiceDate")],
    ),
    ("a rule", D, {f"{DATES}.serviceDate": "20251202-20251201"}, [error("D-2300-001", f"{DATES}.serviceDate")]),
    (
        "rules",
        P,
        {f"{SAID}.relatedCausesCode": ["AA"]},
        [error("PD-2300-001", f"{DATES}.accidentDate"), error("PD-2300-003", f"{SAID}.autoAccidentStateCode")],
    ),
    ("a rule", D, {f"{SAID}.relatedCausesCode": ["OA"]}, [error("PD-2300-001", f"{DATES}.accidentDate")]),
    ("nothing", P, {"billing.npi": None, "billing.stateLicenseNumber": "L1"}, []),
    ("nothing", P, {"billing.npi": None, "billing.providerUpinNumber": "U1"}, []),
    ("nothing", D, {"billing.npi": None, "billing.stateLicenseNumber": "L1"}, []),
    # Work is no accident by itself.
    ("nothing", P, {f"{SAID}.relatedCausesCode": ["EM"]}, []),
    ("nothing", I, {"subscriber.memberId": None, "subscriber.standardHealthId": "H1"}, []),
    ("CW104", P, {f"{LINE}.serviceDate": "20260106"}, [error("CW104", f"{LINE}.serviceDate")]),
    ("CW104", D, {f"{LINE}.serviceDate": "20260106"}, [error("CW104", f"{LINE}.serviceDate")]),
    ("CW104", D, {f"{DATES}.serviceDate": "20260106"}, [error("CW104", f"{DATES}.serviceDate")]),
    ("CW105", P, {"subscriber.dateOfBirth": "20251203"}, [error("CW105", f"{LINE}.serviceDate")]),
    (
        "CW105",
        I,
        {"subscriber.dateOfBirth": "20251203", f"{LINE}.serviceDate": "20251202"},
        [error("CW105", f"{LINE}.serviceDate")],
    ),
    ("CW105", D, {"subscriber.dateOfBirth": "20251203"}, [error("CW105", f"{DATES}.serviceDate")]),
    (
        "CW115",
        P,
        {CHARGE[P]: "-20", f"{SAID}.claimChargeAmount": "-20"},
        [error("C-2300-006", f"{SAID}.claimChargeAmount"), error("CW115", CHARGE[P])],
    ),
    ("CW115", I, {CHARGE[I]: "-20", f"{SAID}.claimChargeAmount": "0"}, [error("CW115", CHARGE[I])]),
    (
        "CW115",
        D,
        {CHARGE[D]: "-20", f"{SAID}.claimChargeAmount": "-20"},
        [error("C-2300-006", f"{SAID}.claimChargeAmount"), error("CW115", CHARGE[D])],
    ),
    *(
        (
            "CW119",
            kind,
            {CHARGE[kind]: amount, f"{SAID}.claimChargeAmount": total},
            [error("CW119", f"{SAID}.claimChargeAmount"), error("CW119", CHARGE[kind])],
        )
        for kind, amount, total in (
            (P, "142.505", "142.505"),
            (I, "20.0001", "40.0001"),
            (D, "100000000", "100000000"),
        )
    ),
    *(("no number", P, {CHARGE[P]: text}, [error("6", CHARGE[P])]) for text in ("NaN", "-sNaN", "Infinity", "1e9")),
    ("CW119", P, {CHARGE[P]: "142.500", f"{SAID}.claimChargeAmount": "142.5"}, []),
    *(("CW119", kind, {f"{SAID}.{PAID[kind]}": "10.005"}, [error("CW119", f"{SAID}.{PAID[kind]}")]) for kind in BODIES),
    *(
        ("CW120", kind, {f"{SAID}.claimFrequencyCode": code}, [error("CW120", f"{SAID}.claimFrequencyCode")])
        for kind in (P, D)
        for code in ("0", "2", "5", "9", "A", "Z")
    ),
    *(
        ("CW121", kind, {f"{SAID}.claimFrequencyCode": "6"}, [warning("CW121", f"{SAID}.claimFrequencyCode")])
        for kind in (P, D)
    ),
    # Of a type of bill it is the NUBC that says what there is.
    ("nothing", I, {f"{SAID}.claimFrequencyCode": "A"}, []),
    (
        "CW118",
        P,
        {f"{LINE}.professionalService.serviceUnitCount": "-1"},
        [error("CW118", f"{LINE}.professionalService.serviceUnitCount")],
    ),
    (
        "CW118",
        I,
        {f"{LINE}.institutionalService.serviceUnitCount": "-2"},
        [error("CW118", f"{LINE}.institutionalService.serviceUnitCount")],
    ),
    (
        "CW118",
        D,
        {f"{LINE}.dentalService.procedureCount": -1},
        [error("CW118", f"{LINE}.dentalService.procedureCount")],
    ),
    ("CW116", I, {f"{DATES}.statementEndDate": "20260106"}, [error("CW116", f"{DATES}.statementEndDate")]),
    (
        "a rule, and a product's",
        I,
        {f"{DATES}.statementEndDate": "20251130"},
        [error("I-2300-001", f"{DATES}.statementEndDate"), warning("I-INP-007", f"{DATES}.admissionDateAndHour")],
    ),
    ("a rule", I, {f"{LINE}.serviceDate": "20251130"}, [warning("I-2400-005", f"{DATES}.statementEndDate")]),
]


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("usage", ["P", "T"])
def test_a_good_claim_of_any_kind_has_nothing_that_is_found_wrong(kind: str, usage: str) -> None:
    assert [] == told(judged(kind, {}, Treatment("BIRCH", "BIRCH", usage)))


@pytest.mark.parametrize(("what", "kind", "changes", "findings"), CASES)
def test_what_is_wrong_is_told_once_at_its_field(
    what: str, kind: str, changes: dict[str, Any], findings: list[Told]
) -> None:
    assert (what, findings) == (what, told(judged(kind, changes)))


def test_every_edit_has_its_case() -> None:
    assert {e.id for e in EDITS} == {c[0] for c in CASES if c[0].startswith("CW")}
    assert len(EDITS) == len({e.id for e in EDITS})


@pytest.mark.parametrize("kind", BODIES)
def test_a_check_digit_only_warns_in_test(kind: str) -> None:
    found = told(judged(kind, {"billing.npi": "1999996668"}, Treatment("BIRCH", "BIRCH", "T")))
    assert [warning("I12", "billing.npi")] == found


def test_a_payer_that_only_wants_a_warning_gets_one_at_these_levels_and_no_others() -> None:
    changes = {f"{SAID}.claimFrequencyCode": "7", "billing.npi": "1999996668", f"{SAID}.claimChargeAmount": "121"}
    lenient = judged(P, changes, Treatment("BIRCH", "BIRCH", warns_at=frozenset((4, 5))))
    assert {"C-2300-001": "warning", "I12": "error"} == {c: s for c, s, path in told(lenient) if path != "billing.npi"}
    assert not lenient.accepted
    assert judged(P, changes, Treatment("BIRCH", "BIRCH", warns_at=frozenset((3, 4, 5)))).accepted
    # What the guide forbids cannot be sent, whatever a payer wants.
    assert not judged(
        P, {"subscriber.gender": None}, Treatment("BIRCH", "BIRCH", warns_at=frozenset(range(3, 8)))
    ).accepted


@pytest.mark.parametrize("kind", BODIES)
def test_a_provider_with_a_tax_number_alone_is_taken_where_its_payer_only_wants_a_warning_of_that(kind: str) -> None:
    """X12's interpretation 1301: no NPI and no number of the payer, where there is none and the payer needs none."""
    theirs, rule = Treatment("BIRCH", "BIRCH", warns_of=frozenset(("CW117",))), f"{SAID}.claimFrequencyCode"
    assert [error("CW117", "billing.npi")] == told(judged(kind, {"billing.npi": None}))
    known = judged(kind, {"billing.npi": None}, theirs)
    assert known.accepted
    assert [warning("CW117", "billing.npi")] == told(known)
    # No other rule of that level is milder for it, and what the guide wants of every provider it wants of this one.
    other = judged(kind, {"billing.npi": None, rule: "7"}, theirs)
    assert {("CW117", "warning"), ("C-2300-001", "error")} == {told[:2] for told in told(other)}
    assert not judged(kind, {"billing.npi": None, "billing.employerId": None}, theirs).accepted
    assert [] == told(judged(kind, {}, theirs))


def test_what_only_this_payer_asks_for_is_found_by_its_companion() -> None:
    companion = "companion 005010X222A1 837  BIRCH HEALTH PLAN\n2010BA NM109 9/12  Member numbers have nine to twelve characters"
    payer_rule = (
        "rules 005010X222A1  BIRCH HEALTH PLAN\n\nY-2300-001  7 error  2300\n  forbids CLM05-3 = 8\n"
        "  say Voids are asked for by telephone.\n  from the payer's guide\n"
    )
    theirs = Treatment("BIRCH", "BIRCH", companions=(companion, payer_rule))
    assert [error("4", "subscriber.memberId")] == told(judged(P, {}, theirs))
    reference = {"claimControlNumber": "PAYER1"}
    changes = {
        "subscriber.memberId": "MEMBER123",
        f"{SAID}.claimFrequencyCode": "8",
        f"{SAID}.claimSupplementalInformation": reference,
    }
    assert [error("Y-2300-001", f"{SAID}.claimFrequencyCode")] == told(judged(P, changes, theirs))
    assert {7} == {f.level for f in judged(P, changes, theirs).findings}
    assert [] == told(judged(P, changes))


def _cents_missed(nodes: Sequence[Node | None], segments: Sequence[str]) -> set[tuple[int | None, int | None]]:
    """Where CW119 finds something."""
    return {(f.position, f.element) for f in scrub(looks_at(nodes, segments), TODAY, "P") if f.rule == "CW119"}


@pytest.mark.parametrize("kind", BODIES)
def test_every_amount_of_money_is_held_to_dollars_and_cents(kind: str) -> None:
    """Wherever the guide has data element 782 and a claim tells it; rates, unit prices and quantities may have more decimals."""
    fill, write, guide_id = KINDS[kind]
    guide = guides.load(guide_id, "837")
    monetary = {
        s: [e.position for e in s.elements if e.data.number == "782" and e.usage != "N"] for s in guide.segments
    }
    seen: set[tuple[str, str]] = set()
    for seed in range(12):
        segments = write(fill(seed, 0.5), HEADER).segments
        walk = Walk(compiled(guide, CANONICAL))
        walk.feed(segments)
        changed, expected = list[str](), set[tuple[int, int]]()
        for position, (node, raw) in enumerate(zip(walk.nodes, segments, strict=True), 1):
            assert node is not None
            row = raw.split(CANONICAL.element)
            for element in monetary[node.segment]:
                if element < len(row) and row[element]:
                    row[element] = "1.001"
                    expected.add((position, element))
                    seen.add((node.segment.loop.id, row[0]))
            changed.append(CANONICAL.element.join(row))
        assert set() == _cents_missed(walk.nodes, segments)
        assert expected == _cents_missed(walk.nodes, changed)
    assert {(s.loop.id, s.id) for s, elements in monetary.items() if elements} == seen


@pytest.mark.parametrize("kind", BODIES)
def test_many_claims_in_x12_are_looked_at_one_by_one(kind: str) -> None:
    (received,) = read(SYNTHETIC[kind](60).encode())[0].sets
    looks = looks_at(received.nodes, received.segments, received.delimiters)
    assert 60 == len(looks)
    assert 60 == len({look.number for look in looks})
    assert [] == scrub(looks, TODAY, "P")
    starts = [p for p, raw in enumerate(received.segments, 1) if raw.startswith("CLM*")]
    assert starts == [look.position for look in looks]
    # Fifty to a billing provider, whose fault is told once.
    for look in looks[:50]:
        look.billing_known = False
    assert [("CW117", looks[0].billing_position)] == [(f.rule, f.position) for f in scrub(looks, TODAY, "P")]

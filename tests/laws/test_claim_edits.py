"""Laws of the claim edits: each finds its fault in every kind of claim that can have it, at the caller's own path, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from gateway.claim_kinds import CLAIM_KINDS, AnyClaim
from gateway.scrubbing import scrub
from gateway.scrubbing.edits import EDITS
from tests.flows.service import claim_body, dental_body, institutional_body

TODAY = date(2026, 1, 5)
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "837P": claim_body,
    "837I": institutional_body,
    "837D": dental_body,
}
P, I, D = "837P", "837I", "837D"  # noqa: E741 - as the guides call them
SAID, LINE = "claimInformation", "claimInformation.serviceLines.0"
DATES = f"{SAID}.claimDateInformation"
# Service and its charge on a line.
CHARGE = {
    k: f"{LINE}.{s}Service.lineItemChargeAmount" for k, s in ((P, "professional"), (I, "institutional"), (D, "dental"))
}
POINTER = "compositeDiagnosisCodePointers.diagnosisCodePointers"


def claim(kind: str, changes: dict[str, Any]) -> AnyClaim:
    """A good claim with other values at these paths; None takes a field away."""
    body = msgspec.json.decode(msgspec.json.encode(BODIES[kind]("PAID-1")))
    for path, value in changes.items():
        here = body
        *above, last = path.split(".")
        for name in above:
            here = here[int(name)] if name.isdigit() else here.setdefault(name, {})
        here[last] = value
    return msgspec.convert(body, CLAIM_KINDS[kind].type)


def found(kind: str, changes: dict[str, Any], usage: str = "P") -> list[tuple[str, str, str]]:
    """(id, severity, field path) of what the edits find."""
    told = scrub(claim(kind, changes), TODAY, usage)
    assert all(f.message.startswith(f.path or "?") for f in told)
    return [(f.code, f.severity, f.path or "") for f in told]


def json(path: str) -> str:
    """A path as callers write it: `serviceLines[0]`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)


Case = tuple[str, str, dict[str, Any], str]


def _of_all_kinds() -> list[Case]:
    cases: list[Case] = []
    for kind in BODIES:
        cases += [
            ("CW101", kind, {"billing.npi": "1999996668"}, "billing.npi"),
            ("CW102", kind, {f"{SAID}.claimChargeAmount": "121"}, f"{SAID}.claimChargeAmount"),
            (
                "CW107",
                kind,
                {f"{SAID}.claimFrequencyCode": "7"},
                f"{SAID}.claimSupplementalInformation.claimControlNumber",
            ),
            ("CW109", kind, {"subscriber.gender": None}, "subscriber.gender"),
            ("CW111", kind, {"billing.npi": None}, "billing.npi"),
            ("CW112", kind, {"subscriber.memberId": None}, "subscriber.memberId"),
        ]
    return cases


CASES: list[Case] = [
    *_of_all_kinds(),
    ("CW101", I, {"attending.npi": "1234567890"}, "attending.npi"),
    ("CW101", I, {f"{LINE}.operatingPhysician": {"npi": "1234567890"}}, f"{LINE}.operatingPhysician.npi"),
    ("CW101", I, {"providers": [{"providerType": "Referring", "npi": "1234567890"}]}, "providers[0].npi"),
    ("CW101", D, {"assistantSurgeon": {"npi": "1234567890"}}, "assistantSurgeon.npi"),
    ("CW101", D, {f"{LINE}.supervisingProvider": {"npi": "1234567890"}}, f"{LINE}.supervisingProvider.npi"),
    ("CW103", P, {f"{LINE}.professionalService.{POINTER}": ["2"]}, f"{LINE}.professionalService.{POINTER}[0]"),
    ("CW103", D, {f"{LINE}.dentalService.{POINTER}": ["1"]}, f"{LINE}.dentalService.{POINTER}[0]"),
    ("CW104", P, {f"{LINE}.serviceDate": "20260106"}, f"{LINE}.serviceDate"),
    ("CW104", D, {f"{LINE}.serviceDate": "20260106"}, f"{LINE}.serviceDate"),
    ("CW104", D, {f"{DATES}.serviceDate": "20260106"}, f"{DATES}.serviceDate"),
    ("CW105", P, {"subscriber.dateOfBirth": "20251203"}, f"{LINE}.serviceDate"),
    ("CW105", I, {"subscriber.dateOfBirth": "20251203", f"{LINE}.serviceDate": "20251202"}, f"{LINE}.serviceDate"),
    ("CW105", D, {"subscriber.dateOfBirth": "20251203"}, f"{DATES}.serviceDate"),
    ("CW106", P, {f"{LINE}.serviceDateEnd": "20251201"}, f"{LINE}.serviceDateEnd"),
    (
        "CW106",
        I,
        {f"{LINE}.serviceLineDateInformation": {"beginServiceDate": "20251203", "endServiceDate": "20251202"}},
        f"{LINE}.serviceLineDateInformation.endServiceDate",
    ),
    ("CW106", D, {f"{DATES}.serviceDate": "20251202-20251201"}, f"{DATES}.serviceDate"),
    ("CW108", P, {f"{SAID}.relatedCausesCode": ["EM"]}, f"{DATES}.accidentDate"),
    ("CW108", D, {f"{SAID}.relatedCausesCode": ["OA"]}, f"{DATES}.accidentDate"),
    ("CW113", I, {f"{DATES}.statementEndDate": "20260106"}, f"{DATES}.statementEndDate"),
    ("CW113", I, {f"{DATES}.statementEndDate": "20251130"}, f"{DATES}.statementEndDate"),
    ("CW114", I, {f"{LINE}.serviceDate": "20251130"}, f"{LINE}.serviceDate"),
]


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("usage", ["P", "T"])
def test_a_good_claim_of_any_kind_has_nothing_that_an_edit_finds(kind: str, usage: str) -> None:
    assert [] == found(kind, {}, usage)


@pytest.mark.parametrize(("code", "kind", "changes", "path"), CASES)
def test_an_edit_finds_its_fault_and_no_other_does(code: str, kind: str, changes: dict[str, Any], path: str) -> None:
    severity = next(e.severity for e in EDITS if e.id == code)
    assert [(code, severity, json(path))] == found(kind, changes)


@pytest.mark.parametrize("kind", BODIES)
def test_a_charge_below_zero_is_told_where_it_stands(kind: str) -> None:
    changes = {CHARGE[kind]: "-20", f"{SAID}.claimChargeAmount": "0" if kind == I else "-20"}
    told = found(kind, changes)
    claim_too = [] if kind == I else [("CW110", "error", f"{SAID}.claimChargeAmount")]
    assert [*claim_too, ("CW110", "error", json(CHARGE[kind]))] == told


def test_a_hospital_may_know_its_patient_by_another_number() -> None:
    assert [] == found(I, {"subscriber.memberId": None, "subscriber.standardHealthId": "H1"})


def test_every_edit_has_its_case() -> None:
    assert {e.id for e in EDITS} == {c[0] for c in CASES} | {"CW110"}
    assert len(EDITS) == len({e.id for e in EDITS})


def test_a_check_digit_only_warns_in_test() -> None:
    assert [("CW101", "warning", "billing.npi")] == found(D, {"billing.npi": "1999996668"}, "T")

"""What a claim is sent with where a field is left out is what the description of the field says, and nothing else is guessed."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from gateway.api.field_words import sentences
from tests.laws import test_dental_claim, test_institutional_claim, test_professional_claim
from tests.laws.test_eligibility import asked_about, write
from x12.documents import dental_claim, institutional_claim, professional_claim
from x12.documents.binding import Document

INFORMATION = "claimInformation"
PROFESSIONAL: tuple[Any, Any] = (test_professional_claim.claim, professional_claim.normalised)
INSTITUTIONAL: tuple[Any, Any] = (test_institutional_claim.claim, institutional_claim.normalised)
DENTAL: tuple[Any, Any] = (test_dental_claim.claim, dental_claim.normalised)
# The component and field as the document of the API calls it, the kind of claim, what holds the field, and what else is in it.
CASES: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("ProfessionalClaim.claimIdentifier", PROFESSIONAL, "", {}),
    ("InstitutionalClaim.claimIdentifier", INSTITUTIONAL, "", {}),
    ("DentalClaim.claimIdentifier", DENTAL, "", {}),
    ("ClaimSubscriber.paymentResponsibilityLevelCode", PROFESSIONAL, "subscriber", {}),
    ("InstitutionalSubscriber.paymentResponsibilityLevelCode", INSTITUTIONAL, "subscriber", {}),
    ("DentalSubscriber.paymentResponsibilityLevelCode", DENTAL, "subscriber", {}),
    ("ProfessionalService.procedureIdentifier", PROFESSIONAL, f"{INFORMATION}.serviceLines.0.professionalService", {}),
    (
        "InstitutionalService.procedureIdentifier",
        INSTITUTIONAL,
        f"{INFORMATION}.serviceLines.0.institutionalService",
        {"procedureCode": "99283"},
    ),
    *(
        (f"{component}.qualifierCode", INSTITUTIONAL, f"{INFORMATION}.{path}", {code: "Z000"})
        for component, path, code in (
            ("PrincipalDiagnosis", "principalDiagnosis", "principalDiagnosisCode"),
            ("AdmittingDiagnosis", "admittingDiagnosis", "admittingDiagnosisCode"),
            ("VisitReason", "patientReasonForVisits.0", "patientReasonForVisitCode"),
            ("ExternalCause", "externalCauseOfInjuries.0", "externalCauseOfInjury"),
            ("OtherDiagnosis", "otherDiagnosisInformationList.0.0", "otherDiagnosisCode"),
            ("PrincipalProcedure", "principalProcedureInformation", "principalProcedureCode"),
            ("OtherProcedure", "otherProcedureInformationList.0.0", "otherProcedureCode"),
        )
    ),
    ("PayToPlan.primaryIdentifierTypeCode", PROFESSIONAL, "payToPlan", {"primaryIdentifier": "P1"}),
    (
        "PayToPlanName.identificationCodeQualifier",
        INSTITUTIONAL,
        "billingPayToPlanName",
        {"identificationCode": "P1"},
    ),
    ("PayToAddress.entityTypeQualifier", INSTITUTIONAL, "billingPayToAddressName", {"address": {"city": "BX"}}),
]
OTHERS = {"Diagnosis.diagnosisTypeCode", "EligibilityEncounter.serviceTypeCodes"}


def held(within: Any, path: list[str]) -> dict[str, Any]:
    """The object at a path, made where it is not there."""
    for part, after in zip(path, [*path, "a field"][1:], strict=True):
        fresh: Any = [] if after.isdigit() else {}
        if part.isdigit():
            within += [] if within else [fresh]
            within = within[0]
        else:
            within = within.setdefault(part, fresh)
    return within


@pytest.mark.parametrize(("field", "kind", "path", "more"), CASES, ids=[c[0] for c in CASES])
def test_a_field_left_out_is_sent_as_its_description_says(
    field: str, kind: Any, path: str, more: dict[str, Any]
) -> None:
    claim, normalised = kind
    whole: Document = claim()
    said = copy.deepcopy(msgspec.to_builtins(whole))
    inner, name = held(said, path.split(".") if path else []), field.partition(".")[2]
    inner |= more
    inner.pop(name, None)
    without = msgspec.convert(said, type(whole))
    inner[name] = sentences()[f"{field}?"]
    assert normalised(without) == normalised(msgspec.convert(said, type(whole)))


def test_diagnoses_and_questions_are_completed_as_described() -> None:
    assert "ABK of the first, ABF of the others" == sentences()["Diagnosis.diagnosisTypeCode?"]
    bare = [{"diagnosisCode": code} for code in ("S93401A", "Z000", "Z001")]
    typed = [{**one, "diagnosisTypeCode": kind} for one, kind in zip(bare, ("ABK", "ABF", "ABF"), strict=True)]
    for claim, normalised in (PROFESSIONAL, DENTAL):
        made = [normalised(claim(claimInformation__healthCareCodeInformation=said)) for said in (bare, typed)]
        assert made[0] == made[1]
    generic = {"serviceTypeCodes": [sentences()["EligibilityEncounter.serviceTypeCodes?"]]}
    assert write(asked_about(encounter=generic)).segments == write(asked_about()).segments


def test_every_usual_value_is_tried() -> None:
    told = {name.removesuffix("?") for name in sentences() if name.endswith("?")}
    assert told == {case[0] for case in CASES} | OTHERS

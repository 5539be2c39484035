"""Laws of the CMS-1500 in JSON: what goes in comes back out of the X12, and faults are told under the form's own names."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from gateway.claim_kinds import kept_claim
from gateway.sdk import check_question, claim_form, words
from gateway.sdk.check import Check
from gateway.sdk.claim_form import claim_of_form, form_of_claim, told_of_form
from gateway.sdk.form import ClaimForm
from gateway.sdk.translation import Row, pointer
from tests.flows.sdk_bodies import full_form, small_form
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.parts import Header
from x12.documents.professional_claim import ProfessionalClaim, write_claim
from x12.finding import Finding

HEADER = Header("0001", "REFERENCE", "20251205", "0800")


def claim_of(form: dict[str, Any]) -> ProfessionalClaim:
    made, findings = claim_of_form(msgspec.json.encode(form))
    assert [] == [f.message for f in findings]
    # The receiver is the gateway's affair.
    receiver = {"organizationName": "SANDBOX HEALTH PLAN", "receiverId": "SANDBOX"}
    return msgspec.convert({**(made or {}), "receiver": receiver}, ProfessionalClaim)


def there_and_back(form: dict[str, Any]) -> dict[str, Any]:
    """The form out of the X12 that it makes."""
    written = write_claim(claim_of(form), HEADER)
    assert [] == [f.message for f in written.findings if f.severity == "error"]
    return told(written.segments)


def told(segments: list[str]) -> dict[str, Any]:
    """The form of a claim that is kept."""
    claim = kept_claim(segments)
    assert isinstance(claim, ProfessionalClaim)
    return form_of_claim(claim)


def differences(expected: Any, got: Any, path: str = "") -> list[str]:
    """Where two JSON values differ."""
    match expected, got:
        case dict(), dict():
            mine, theirs = cast("dict[str, Any]", expected), cast("dict[str, Any]", got)
            names = sorted({*mine, *theirs})
            return [d for n in names for d in differences(mine.get(n), theirs.get(n), f"{path}.{n}")]
        case list(), list() if len(cast("list[Any]", expected)) == len(cast("list[Any]", got)):
            pairs = enumerate(zip(cast("list[Any]", expected), cast("list[Any]", got), strict=True))
            return [d for n, (one, other) in pairs for d in differences(one, other, f"{path}[{n}]")]
        case _:
            return [] if expected == got else [f"{path}: {expected!r} is {got!r}"]


def test_everything_on_the_form_comes_back_out_of_the_x12() -> None:
    form = full_form()
    # Which payer the claim goes to on the way out is the envelope's affair.
    named = {".payer.receiverId: None is 'SANDBOX'"}
    assert named == set(differences(form, there_and_back(form)))


def test_false_is_not_said() -> None:
    form = small_form("PCN1")
    form["serviceLines"][0]["isEmergency"] = False
    back = there_and_back(form)
    assert "isEmergency" not in back["serviceLines"][0]
    none = {"isEmploymentRelated": False, "isAutoAccidentRelated": False, "isOtherAccidentRelated": False}
    assert none == back["encounter"]["patientCondition"]


def unions() -> list[tuple[str, dict[str, Any]]]:
    """Paths of unions, each with a member that the full form does not have."""
    return [
        ("billing.taxId", {"ssn": "123006789"}),
        ("insured.name", {"organization": "ABARA LLC"}),
        ("submitter.name", {"person": {"lastName": "ALDER", "firstName": "AL"}}),
        ("billing.billingProvider.name", {"person": {"lastName": "ALDER", "firstName": "AL", "suffix": "MD"}}),
        ("serviceLines.0.renderingProvider.name", {"organization": "FOX GROUP"}),
        ("serviceLines.1.drugIdentification.associationNumber", {"linkSequenceNumber": "LS1"}),
        ("otherInsured.0.name", {"organization": "HALL LLC"}),
        ("otherInsured.0.otherPayer.id", {"cmsPlanId": "PLANID"}),
        ("encounter.claimNote", {"certificationNarrative": "CERTIFIED"}),
        ("encounter.claimNote", {"goalsRehabilitationOrDischargePlans": "WALK"}),
        ("encounter.claimNote", {"diagnosisDescription": "COUGH"}),
        ("encounter.claimNote", {"thirdPartyOrganization": "TOLD BY ANOTHER"}),
    ]


@pytest.mark.parametrize(("path", "member"), unions())
def test_every_member_of_a_union_comes_back(path: str, member: dict[str, Any]) -> None:
    form = full_form()
    *way, last = (int(s) if s.isdigit() else s for s in path.split("."))
    here: Any = form
    for step in way:
        here = here[step]
    here[last] = member
    back: Any = there_and_back(form)
    for step in (*way, last):
        back = back[step]
    assert member == back


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("purpose", words.PURPOSE),
        ("insured.insuranceType", words.INSURANCE_TYPE),
        ("patient.gender", words.GENDER),
        ("patient.relationshipToInsured", words.RELATIONSHIP),
        ("authorization.patientReleasesMedicalInfo", words.RELEASE),
        ("authorization.insuredAuthorizesAssignment", words.ASSIGNMENT_OF_BENEFITS),
        ("authorization.providerAcceptsAssignment", words.ACCEPTS_ASSIGNMENT),
        ("authorization.providerSignature", words.SIGNATURE),
        ("encounter.resubmission.code", words.RESUBMISSION),
        ("encounter.attachments.0.transmissionCode", words.TRANSMISSION),
        ("serviceLines.1.drugIdentification.unitOfMeasure", words.DRUG_UNIT),
        ("serviceLines.0.purchasedService.provider.entityType", words.PURCHASED_FROM),
        ("otherInsured.0.responsibilityLevel", words.RESPONSIBILITY),
        ("otherInsured.0.relationshipToInsured", words.OTHER_RELATIONSHIP),
        ("otherInsured.0.claimFilingIndicator", words.FILING),
        ("otherInsured.0.medicareSecondaryInsuranceType", words.MEDICARE_SECONDARY),
    ],
)
def test_every_word_is_a_code_that_the_guide_has(path: str, table: words.Words) -> None:
    for said in table:
        form = full_form()
        *way, last = (int(s) if s.isdigit() else s for s in path.split("."))
        here: Any = form
        for step in way:
            here = here[step]
        here[last] = said
        written = write_claim(claim_of(form), HEADER)
        assert [] == [f.message for f in written.findings if f.severity == "error" and f.level < 3], said
        back: Any = told(written.segments)
        for step in (*way, last):
            back = back[step]
        assert said == back


def test_every_kind_of_report_is_a_code_that_the_guide_has() -> None:
    kinds = list(words.REPORT_TYPE)
    for start in range(0, len(kinds), 10):
        form = full_form()
        first = form["encounter"]["attachments"][0]
        form["encounter"]["attachments"] = [{**first, "reportTypeCode": kind} for kind in kinds[start : start + 10]]
        assert form["encounter"]["attachments"] == there_and_back(form)["encounter"]["attachments"]


def test_minutes_are_the_unit_of_anesthesia() -> None:
    form = small_form("PCN1")
    form["serviceLines"][0]["procedureCode"]["code"] = "00100"
    information = claim_of(form).claim_information
    assert information is not None
    services = [line.professional_service for line in information.service_lines or ()]
    assert ["MJ"] == [service.measurement_unit for service in services if service is not None]


def test_the_place_of_most_lines_is_that_of_the_claim() -> None:
    form = small_form("PCN1")
    del form["encounter"]["primaryPlaceOfService"]
    line = form["serviceLines"][0]
    form["serviceLines"] = [{**line, "placeOfService": place} for place in ("12", "11", "11")]
    information = claim_of(form).claim_information
    assert information is not None
    assert "11" == information.place_of_service_code
    services = [line.professional_service for line in information.service_lines or ()]
    assert ["12", None, None] == [s.place_of_service_code if s else None for s in services]


def faults(form: dict[str, Any]) -> dict[str, str]:
    """Pointer -> message of everything that is wrong with a form before it is a claim."""
    made, findings = claim_of_form(msgspec.json.encode(form))
    assert made is None
    return {pointer(f.path or ""): f.message for f in findings}


def test_all_faults_of_a_form_are_told_at_once_by_their_pointers() -> None:
    form = small_form("PCN1")
    form["insured"]["gender"] = "F"
    form["insured"]["name"] = {}
    form["billing"]["billingProvider"]["address"].pop("city")
    assert {"/billing/billingProvider/address/city", "/insured/name"} == set(faults(form))
    form = small_form("PCN1")
    form["insured"]["gender"] = "F"
    form["serviceLines"][0]["datesOfService"]["end"] = "02/12/2025"
    form["serviceLines"][0]["drugIdentification"] = {
        "nationalDrugCode": "1",
        "unitCount": "1",
        "unitOfMeasure": "GRAM",
        "originalNdc": "2",
    }
    form["encounter"]["attachments"] = [
        {"reportTypeCode": "MODELS", "transmissionCode": "EMAIL", "attachmentId": "0" * 36}
    ]
    assert {
        "/insured/gender",
        "/serviceLines/0/datesOfService/end",
        "/serviceLines/0/drugIdentification/originalNdc",
        "/encounter/attachments/0/attachmentId",
    } == set(faults(form))
    assert not any("02/12" in message for message in faults(form).values())


def test_more_than_twelve_diagnoses_are_refused_by_name() -> None:
    form = small_form("PCN1")
    form["encounter"]["additionalDiagnosisCodes"] = [f"E11{n:02d}" for n in range(12)]
    assert {"/encounter/additionalDiagnosisCodes"} == set(faults(form))


def names_of(kind: Any) -> dict[str, Any]:
    """JSON name -> type of a struct's fields, None where it is no struct."""
    options = [kind] if isinstance(kind, type) else [a for a in typing.get_args(kind) if a is not type(None)]
    found = next((o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)), None)
    if found is None:
        return {}
    hints = typing.get_type_hints(found)
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(found)}


def reached(kind: Any, path: str) -> bool:
    """Whether a struct has a field at a path."""
    for step in re.split(r"\.", re.sub(r"\[\d*\]", ".[]", path)):
        if step == "[]":
            args = [a for a in typing.get_args(kind) if typing.get_origin(a) is list] or [kind]
            kind = typing.get_args(args[0])[0]
        elif step in names_of(kind):
            kind = names_of(kind)[step]
        else:
            return False
    return True


# What functions carry, and not a row.
BY_HAND = {
    *("encounter.primaryDiagnosisCode", "encounter.additionalDiagnosisCodes[]", "serviceLines[].diagnosisCodes[]"),
    *(f"encounter.patientCondition.is{cause}Related" for cause in ("Employment", "AutoAccident", "OtherAccident")),
    *("encounter.attachments[].attachmentId", "serviceLines[].attachments[].attachmentId"),
    *(f"billing.serviceFacility.identifiers.{n}" for n in ("stateLicenseNumber", "commercialNumber", "locationNumber")),
    *(f"serviceLines[].renderingProvider.identifiers.{n}" for n in ("stateLicenseNumber", "commercialNumber", "locationNumber")),
    *(f"serviceLines[].orderingProvider.identifiers.{n}" for n in ("stateLicenseNumber", "commercialNumber")),
    *("encounter.dates.service.start", "encounter.dates.service.end"),
    *("encounter.services[].value", "encounter.services[].system"),
}  # fmt: skip


def leaves(kind: Any, path: str = "") -> Iterator[str]:
    """Every path of a struct that ends at a value."""
    inner = [a for a in typing.get_args(kind) if typing.get_origin(a) is list] or [kind]
    if typing.get_origin(inner[0]) is list:
        yield from leaves(typing.get_args(inner[0])[0], f"{path}[]")
        return
    fields = names_of(kind)
    if not fields:
        yield path
    for name, one in fields.items():
        yield from leaves(one, f"{path}.{name}" if path else name)


CLAIM_ROWS = [*claim_form._parties(), *claim_form._visit(), *claim_form._lines(), *claim_form._others()]  # pyright: ignore[reportPrivateUsage]
CHECK_ROWS = [*check_question._asker(), *check_question._asked()]  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("rows", "here"), [(CLAIM_ROWS, ClaimForm), (CHECK_ROWS, Check)])
def test_every_field_has_a_row_or_is_carried_by_hand(rows: list[Row], here: Any) -> None:
    assert set() == set(leaves(here)) - {row.here for row in rows} - BY_HAND


@pytest.mark.parametrize(
    ("rows", "here", "there"),
    [
        (CLAIM_ROWS, ClaimForm, ProfessionalClaim),
        (CHECK_ROWS, Check, EligibilityRequest),
    ],
)
def test_every_row_names_a_field_here_and_a_field_there(rows: list[Row], here: Any, there: Any) -> None:
    assert [] == [row.here for row in rows if not reached(here, row.here)]
    places = [place for row in rows for place in (row.there, *row.beside) if place]
    assert [] == [place for place in places if not reached(there, place)]


def test_faults_of_the_claim_are_told_in_the_names_of_the_form() -> None:
    for there, here in (
        ("claimInformation.serviceLines[1].professionalService.serviceUnitCount", "serviceLines[1].units"),
        ("claimInformation.serviceLines[0].professionalService", "serviceLines[0]"),
        ("subscriber.address.postalCode", "insured.address.postalCode"),
        ("claimInformation.healthCareCodeInformation[2].diagnosisCode", "encounter.primaryDiagnosisCode"),
        ("claimInformation.conditionInformation[0].conditionCodes[1]", "encounter.claimCodes[1]"),
        ("claimInformation.otherSubscriberInformation[0].otherPayerName.otherPayerIdentifier", "otherInsured[0].otherPayer.id.payerId"),
        ("dependent", "patient"),
    ):  # fmt: skip
        path, message = told_of_form(Finding(2, "element", "1", f"{there} is required.", path=there))
        assert (here, f"{here} is required.") == (path, message)

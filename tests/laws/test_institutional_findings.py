"""Laws of what is found wrong with an institutional claim: each finding names the field that the caller wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.laws.claim_values import put
from tests.laws.status_values import HEADER
from tests.laws.test_institutional_claim import LINES, claim, paths, with_line
from x12.documents.institutional_claim import InstitutionalClaim, write_claim


@pytest.mark.parametrize(
    "path",
    [
        "tradingPartnerServiceId",
        "submitter.taxId",
        "receiver.taxId",
        "billing.employerId",
        "billing.organizationName",
        "billing.address.city",
        "billing.address",
        "subscriber.lastName",
        "subscriber.gender",
        "attending.lastName",
        "claimInformation.patientControlNumber",
        "claimInformation.placeOfServiceCode",
        "claimInformation.claimDateInformation",
        "claimInformation.claimDateInformation.statementBeginDate",
        "claimInformation.claimDateInformation.statementEndDate",
        "claimInformation.claimCodeInformation",
        "claimInformation.claimCodeInformation.patientStatusCode",
        "claimInformation.principalDiagnosis",
        "claimInformation.principalDiagnosis.principalDiagnosisCode",
        "claimInformation.serviceLines",
        f"{LINES}[0].institutionalService.serviceLineRevenueCode",
        f"{LINES}[0].institutionalService.lineItemChargeAmount",
        f"{LINES}[0].institutionalService.measurementUnit",
    ],
)
def test_what_is_missing_is_told_by_its_field(path: str) -> None:
    wanted = path.replace("receiver.taxId", "receiver.receiverId")
    made = claim(claimInformation__principalDiagnosis={"qualifierCode": "ABK", "principalDiagnosisCode": "Z000"})
    said = msgspec.to_builtins(made)
    put(said, path.replace("[", ".").replace("]", "").split("."), None)
    assert any(p and p.startswith(wanted) for p in paths(msgspec.convert(said, InstitutionalClaim)))


def test_which_day_a_period_ends_is_nobody_s_guess() -> None:
    dates = "claimInformation.claimDateInformation.statementEndDate"
    span = "claimInformation.occurrenceSpanInformations[0][1].occurrenceSpanCodeEndDate"
    day = {"occurrenceSpanCodeStartDate": "20260101"}
    made = claim(
        claimInformation__claimDateInformation={"statementBeginDate": "20260105"},
        claimInformation__occurrenceSpanInformations=[
            [
                {"occurrenceSpanCode": "70", **day, "occurrenceSpanCodeEndDate": "20260103"},
                {"occurrenceSpanCode": "71", **day},
            ]
        ],
    )
    told = "is missing: it is the last day of a period, for a single day the same as the first."
    findings = [(f.path, f.message) for f in write_claim(made, HEADER).findings]
    assert [(dates, f"{dates} {told}"), (span, f"{span} {told}")] == sorted(findings)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("claimInformation.claimChargeAmount", "12,50"),
        ("claimInformation.claimFrequencyCode", "é"),
        ("claimInformation.claimDateInformation.statementEndDate", "20261301"),
        ("claimInformation.otherDiagnosisInformationList[0][1].presentOnAdmissionIndicator", "Q"),
        ("claimInformation.valueInformationList[1][0].valueCodeAmount", "A"),
        ("claimInformation.treatmentCodeInformationList[0][0]", "é"),
        (f"{LINES}[0].serviceDate", "20261301"),
        (f"{LINES}[0].assignedNumber", "7"),
        (f"{LINES}[0].institutionalService.procedureCode", "99\n283"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(path: str, value: str) -> None:
    made = claim(
        claimInformation__otherDiagnosisInformationList=[[{"otherDiagnosisCode": "A"}, {"otherDiagnosisCode": "B"}]],
        claimInformation__valueInformationList=[[{"valueCode": c, "valueCodeAmount": "1"}] for c in ("01", "02")],
        claimInformation__treatmentCodeInformationList=[["A01"]],
    )
    assert [] == paths(made)
    said = msgspec.to_builtins(made)
    put(said, path.replace("[", ".").replace("]", "").split("."), value)
    assert path in paths(msgspec.convert(said, InstitutionalClaim))


def test_findings_name_the_field_that_the_caller_wrote() -> None:
    rendering = {"providerType": "RenderingProvider", "lastName": "R", "npi": "x" * 81}
    assert ["providers[0].npi"] == paths(claim(providers=[rendering]))
    attending = {"lastName": "A", "secondaryIdentificationQualifierCode": "G2", "secondaryIdentifier": "é"}
    assert {"attending.secondaryIdentifier"} == set(paths(claim(attending=attending)))
    listed = {**attending, "providerType": "AttendingProvider"}
    assert {"providers[0].secondaryIdentifier"} == set(paths(claim(attending=None, providers=[listed])))
    older = {"pricingMethodologyCode": "01", "repricedAllowedAmount": "5", "flatRateAmount": "é"}
    assert [f"{LINES}[0].linePricingInformation.flatRateAmount"] == paths(with_line(linePricingInformation=older))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"rendering": {"lastName": "R", "address": {"city": "X"}}}, "rendering.address"),
        ({"rendering": {"lastName": "R", "taxonomyCode": "101YM0800X"}}, "rendering.taxonomyCode"),
        ({"billing__ssn": "123456789"}, "billing.ssn"),
        ({"attending__organizationName": "ORG"}, "attending.organizationName"),
        ({"claimInformation__signatureIndicator": "Y"}, "claimInformation.signatureIndicator"),
        ({"claimInformation__patientWeight": "10"}, "claimInformation.patientWeight"),
        ({"claimInformation__patientAmountPaid": "10"}, "claimInformation.patientAmountPaid"),
        ({"claimInformation__serviceLines__0__description": "X"}, f"{LINES}[0].description"),
    ],
)
def test_what_has_no_place_is_a_warning_and_the_claim_goes_on(changes: dict[str, Any], path: str) -> None:
    written = write_claim(claim(**changes), HEADER)
    assert written.accepted
    assert [(path, "warning")] == [(f.path, f.severity) for f in written.findings]


def test_more_than_a_list_holds_is_refused() -> None:
    many = [{"otherDiagnosisCode": f"A{n:02d}"} for n in range(13)]
    assert ["claimInformation.otherDiagnosisInformationList[0][12]"] == paths(
        claim(claimInformation__otherDiagnosisInformationList=[many])
    )
    codes = [f"A{n:02d}" for n in range(13)]
    assert ["claimInformation.treatmentCodeInformationList[0][12]"] == paths(
        claim(claimInformation__treatmentCodeInformationList=[codes])
    )

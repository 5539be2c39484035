"""Laws of the dental claim: one document, one form, written strictly and read back whatever its delimiters and values."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.cases import cases
from tests.laws.claim_values import numbered, put, walked
from tests.laws.filled import Filler
from tests.laws.status_values import HEADER, plain, received, seeds, tree_of
from x12 import guides
from x12.balancing import balance_837
from x12.documents.claim_parts import BillingProvider, LineIdentifier
from x12.documents.dental_claim import GUIDE_ID, DentalClaim, normalised, read_claims, write_claim
from x12.documents.dental_line import DentalLine
from x12.documents.writing import Written
from x12.syntax import CANONICAL

GUIDE = guides.load(GUIDE_ID, "837")
LINES = "claimInformation.serviceLines"
OTHERS = "claimInformation.otherSubscriberInformation"
# Delimiters, our own separators, line ends, look-alikes, four-byte characters, and a whole segment as a value.
HOSTILE = (
    "~",
    "*",
    ":",
    "^",
    "A~SE*1*0001~",
    "A\x1cB\x1dC\x1eD\x1fE",
    "A\r\nB",
    "\x00",
    "\x7f",
    "é",
    "\u2217",
    "\uff5e",
    "\U0001d7d7",
    "\u202e1",
)
OTHER: dict[str, Any] = {
    "paymentResponsibilityLevelCode": "S",
    "individualRelationshipCode": "18",
    "claimFilingIndicatorCode": "CI",
    "benefitsAssignmentCertificationIndicator": "Y",
    "releaseOfInformationCode": "Y",
    "otherSubscriberName": {
        "otherInsuredQualifier": "1",
        "otherInsuredLastName": "A",
        "otherInsuredIdentifierTypeCode": "MI",
        "otherInsuredIdentifier": "M2",
    },
    "otherPayerName": {
        "otherPayerOrganizationName": "B",
        "otherPayerIdentifierTypeCode": "PI",
        "otherPayerIdentifier": "77",
    },
}


def claim(**changes: Any) -> DentalClaim:
    """A plain claim as a dental office sends it, with other fields at these paths (`__` for a dot)."""
    said: dict[str, Any] = {
        "tradingPartnerServiceId": "9496",
        "tradingPartnerName": "A PAYER",
        "submitter": {
            "organizationName": "BILLERS",
            "submitterIdentification": "S1",
            "contactInformation": {"phoneNumber": "5551230000"},
        },
        "receiver": {"organizationName": "A PAYER", "receiverId": "9496"},
        "billing": {
            "npi": "1760854442",
            "employerId": "123456789",
            "organizationName": "HAPPY DENTISTS",
            "taxonomyCode": "1223G0001X",
            "address": {"address1": "1 MAIN ST", "city": "ALBANY", "state": "NY", "postalCode": "122070000"},
        },
        "subscriber": {
            "memberId": "M1",
            "lastName": "ONE",
            "firstName": "ANN",
            "dateOfBirth": "19800102",
            "gender": "F",
        },
        "claimInformation": {
            "claimFilingCode": "CI",
            "patientControlNumber": "P1",
            "claimChargeAmount": "150",
            "placeOfServiceCode": "11",
            "claimFrequencyCode": "1",
            "signatureIndicator": "Y",
            "planParticipationCode": "A",
            "benefitsAssignmentCertificationIndicator": "Y",
            "releaseInformationCode": "Y",
            "claimDateInformation": {"serviceDate": "20260105"},
            "serviceLines": [
                {
                    "dentalService": {"procedureCode": "D2150", "lineItemChargeAmount": "100", "procedureCount": 1},
                    "teethInformation": [{"toothCode": "12", "toothSurfaceCodes": ["M", "O"]}],
                },
                {"dentalService": {"procedureCode": "D1110", "lineItemChargeAmount": "50"}},
            ],
        },
    }
    for path, value in changes.items():
        put(said, path.split("__"), value)
    return msgspec.convert(said, DentalClaim)


def line(**changes: Any) -> dict[str, Any]:
    """A service line as JSON, with more fields."""
    lines = msgspec.to_builtins(claim())["claimInformation"]["serviceLines"]
    return {**lines[0], **changes}


def first_line(of: DentalClaim) -> DentalLine:
    assert of.claim_information is not None
    assert of.claim_information.service_lines
    return of.claim_information.service_lines[0]


def segments(of: DentalClaim) -> list[str]:
    written = write_claim(of, HEADER)
    assert [] == [f for f in written.findings if f.severity == "error"]
    return plain(written.segments)


def paths(of: DentalClaim) -> list[str | None]:
    return [f.path for f in write_claim(of, HEADER).findings]


def filled(seed: int, richness: float) -> DentalClaim:
    """A valid claim out of chance, for a dependent in half of the cases."""
    made = Filler(GUIDE, seed, richness).document(DentalClaim, "2300")
    if seed % 2:
        made.dependent = None
    information = made.claim_information
    assert information is not None
    for each in information.service_lines or ():
        each.assigned_number = None
    return made


def numbered_at_payer(billing: BillingProvider, seed: int) -> None:
    """The billing provider's numbers at the payer: its REF has room for one of the two."""
    billing.commercial_number, billing.location_number = ("C1", None) if seed % 2 else (None, "L1")


# --- there and back -------------------------------------------------------------------------------------------------


def shape(written: Written) -> list[tuple[str, int, int]]:
    """What a set is made of: of each segment its id, its elements and its components."""
    return [
        (s.split(CANONICAL.element)[0], s.count(CANONICAL.element), s.count(CANONICAL.component))
        for s in written.segments
    ]


def texts(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all texts of a JSON value."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in texts(v, (*path, str(k)))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in texts(v, (*path, str(i)))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [path] if isinstance(value, str) else []


@settings(max_examples=cases(400), deadline=None)
@given(seeds, st.sampled_from(HOSTILE), st.booleans())
def test_no_value_changes_the_structure(seed: int, value: str, alone: bool) -> None:
    made = normalised(filled(seed, 0.3))
    said = msgspec.to_builtins(made)
    found = texts(said)
    path = found[seed % len(found)]
    put(said, list(path), value if alone else f"A{value}B")
    changed = write_claim(msgspec.convert(said, DentalClaim), HEADER)
    if changed.findings:
        dotted = re.sub(r"\.(\d+)", r"[\1]", ".".join(path))
        assert dotted in [f.path for f in changed.findings]
        assert not changed.accepted
    else:
        assert shape(write_claim(made, HEADER)) == shape(changed)
        back = received(changed, "HC", GUIDE_ID)
        assert [msgspec.convert(said, DentalClaim)] == read_claims(back.tree())


# --- a claim as it is written ----------------------------------------------------------------------------------------


def test_a_plain_claim_is_written_in_the_order_of_the_guide() -> None:
    expected = [
        "ST*837*0001*005010X224A2",
        "BHT*0019*00*REF20260105*20260105*0930*CH",
        "NM1*41*2*BILLERS*****46*S1",
        "PER*IC**TE*5551230000",
        "NM1*40*2*A PAYER*****46*9496",
        "HL*20",
        "PRV*BI*PXC*1223G0001X",
        "NM1*85*2*HAPPY DENTISTS*****XX*1760854442",
        "N3*1 MAIN ST",
        "N4*ALBANY*NY*122070000",
        "REF*EI*123456789",
        "HL*22",
        "SBR*P*18*******CI",
        "NM1*IL*1*ONE*ANN****MI*M1",
        "DMG*D8*19800102*F",
        "NM1*PR*2*A PAYER*****PI*9496",
        "CLM*P1*150***11:B:1*Y*A*Y*Y",
        "DTP*472*D8*20260105",
        "LX*1",
        "SV3*AD:D2150*100****1",
        "TOO*JP*12*M:O",
        "LX*2",
        "SV3*AD:D1110*50",
    ]
    assert expected == segments(claim())
    assert [] == balance_837(walked(GUIDE, write_claim(claim(), HEADER)))


def test_a_claim_of_a_dependent_stands_under_the_dependent() -> None:
    child = {
        "lastName": "ONE",
        "firstName": "BEN",
        "dateOfBirth": "20200102",
        "gender": "M",
        "relationshipToSubscriberCode": "19",
        "address": {"address1": "1 ELM ST", "city": "ALBANY", "state": "NY", "postalCode": "12207"},
    }
    written = segments(claim(dependent=child, claimInformation__propertyCasualtyClaimNumber="PC1"))
    assert ["HL*20", "HL*22", "HL*23"] == [s for s in written if s.startswith("HL")]
    assert {"SBR*P********CI", "PAT*19"} <= set(written)
    assert written.index("NM1*QC*1*ONE*BEN") < written.index("REF*Y4*PC1") < written.index("LX*1")


def test_each_claim_of_a_file_has_all_its_levels() -> None:
    first, second = (segments(claim(claimInformation__patientControlNumber=n)) for n in ("P1", "P2"))
    at = first.index("CLM*P1*150***11:B:1*Y*A*Y*Y")
    found = read_claims(tree_of([*numbered(first), *second[at:], "SE*1*0001"], "HC", GUIDE_ID))
    expected = [normalised(claim(claimInformation__patientControlNumber=n)) for n in ("P1", "P2")]
    assert expected == found


def test_what_only_dental_claims_have_is_written() -> None:
    made = claim(
        claimInformation__predeterminationOfBenefits=True,
        claimInformation__orthodonticTotalMonthsOfTreatment={"monthsCount": 36, "monthsRemaining": 30},
        claimInformation__toothStatus=[{"toothNumber": "8", "toothStatusCode": "M"}],
        claimInformation__claimNotes=["ONE", "TWO"],
        claimInformation__claimSupplementalInformation={"predeterminationOfBenefitsIdentifier": "PRE1"},
        claimInformation__claimDateInformation={
            "serviceDate": "20260105-20260107",
            "appliancePlacementDate": "20251201",
        },
        assistantSurgeon={"lastName": "TWO", "npi": "1234567893", "taxonomyCode": "1223S0112X", "locationNumber": "L"},
        referring={"lastName": "THREE", "taxonomyCode": "1223G0001X"},
        claimInformation__serviceLines=[
            line(
                dentalService={
                    "procedureCode": "D2750",
                    "lineItemChargeAmount": "150",
                    "oralCavityDesignation": ["10", "20"],
                    "prosthesisCrownOrInlayCode": "R",
                },
                serviceLineDateInformation={"priorPlacementDate": "20200101"},
                serviceLineReferenceInformation={
                    "predeterminationOfBenefits": [
                        {"predeterminationOfBenefits": "PRE2", "otherPayerPrimaryIdentifier": "77"}
                    ]
                },
            )
        ],
    )
    wanted = {
        "CLM*P1*150***11:B:1*Y*A*Y*Y**********PB",
        "DN1*36*30",
        "DN2*8*M****JP",
        "NTE*ADD*ONE",
        "NTE*ADD*TWO",
        "REF*G3*PRE1",
        "DTP*472*RD8*20260105-20260107",
        "DTP*452*D8*20251201",
        "NM1*DD*1*TWO*****XX*1234567893",
        "PRV*AS*PXC*1223S0112X",
        "REF*LU*L",
        "PRV*RF*PXC*1223G0001X",
        "SV3*AD:D2750*150**10:20*R",
        "DTP*441*D8*20200101",
        "REF*G3*PRE2**2U:77",
    }
    assert set() == wanted - set(segments(made))
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


# --- one way to say it ----------------------------------------------------------------------------------------------


def test_normalising_leaves_its_argument_alone() -> None:
    made = claim(claimInformation__fileInformation="X", billing__naic="4")
    before = msgspec.json.encode(made)
    normalised(made)
    assert before == msgspec.json.encode(made)


def test_what_the_biller_leaves_out_gets_its_usual_value() -> None:
    codes = [{"diagnosisCode": "K02.9"}, {"diagnosisCode": "K05.1"}]
    made = normalised(claim(claimInformation__healthCareCodeInformation=codes))
    assert made.claim_information is not None
    assert made.subscriber is not None
    found = [
        (d.diagnosis_type_code, d.diagnosis_code) for d in made.claim_information.health_care_code_information or ()
    ]
    assert [("ABK", "K029"), ("ABF", "K051")] == found
    assert ("CH", "P") == (made.claim_identifier, made.subscriber.payment_responsibility_level_code)
    assert "1" == first_line(made).assigned_number


def test_what_the_biller_says_stays() -> None:
    made = claim(
        claimIdentifier="RP",
        subscriber__paymentResponsibilityLevelCode="S",
        claimInformation__healthCareCodeInformation=[{"diagnosisTypeCode": "TQ", "diagnosisCode": "1"}],
    )
    assert {"BHT*0019*00*REF20260105*20260105*0930*RP", "SBR*S*18*******CI", "HI*TQ:1"} <= set(segments(made))


def test_blank_fields_are_absent() -> None:
    blank = claim(
        dependent={"lastName": "", "address": {"city": " "}},
        rendering={"npi": "", "address": {}},
        claimInformation__toothStatus=[{"toothNumber": ""}],
        claimInformation__claimNotes=[""],
        claimInformation__claimSupplementalInformation={"reportInformation": {"attachmentControlNumber": ""}},
    )
    assert segments(claim()) == segments(blank)


@pytest.mark.parametrize("space", [chr(c) for c in range(0x110000) if chr(c).isspace()])
def test_a_text_of_spaces_only_is_blank(space: str) -> None:
    assert segments(claim()) == segments(claim(rendering={"npi": space, "lastName": space * 2}))


def test_one_report_and_one_file_information_join_their_lists() -> None:
    report = {"attachmentReportTypeCode": "RB", "attachmentTransmissionCode": "EL", "attachmentControlNumber": "A2"}
    first = {**report, "attachmentControlNumber": "A1"}
    made = claim(
        claimInformation__claimSupplementalInformation={"reportInformation": report, "reportInformations": [first]},
        claimInformation__fileInformation="SAME",
        claimInformation__fileInformationList=["SAME"],
    )
    written = segments(made)
    assert ["PWK*RB*EL***AC*A1", "PWK*RB*EL***AC*A2"] == [s for s in written if s.startswith("PWK")]
    assert ["K3*SAME"] == [s for s in written if s.startswith("K3")]


def test_the_billing_provider_has_one_tax_number_and_the_payer_its_own_numbers() -> None:
    made = claim(billing__employerId=None, billing__employerIdentificationNumber="987654321")
    assert "REF*EI*987654321" in segments(made)
    for name, value in {"payerIdentificationNumber": "2", "claimOfficeNumber": "3", "naic": "4"}.items():
        (back,) = read_claims(walked(GUIDE, write_claim(claim(**{f"billing__{name}": value}), HEADER)))
        assert {name: value} == msgspec.to_builtins(back.trading_partner_secondary_identifiers)
    written = segments(claim(billing__commercialNumber="C"))
    assert "REF*G2*C" == written[written.index("NM1*PR*2*A PAYER*****PI*9496") + 1]


def test_the_payer_has_one_number_for_the_billing_provider() -> None:
    both = write_claim(claim(billing__commercialNumber="C", billing__locationNumber="L"), HEADER)
    assert ["5"] == [f.code for f in both.findings]
    assert "2010BB REF" == both.findings[0].place


def test_the_numbers_of_a_line_s_parties_are_one_list() -> None:
    named = {"lastName": "R", "taxonomyCode": "1223G0001X", "commercialNumber": "C1", "otherIdentifier": "PAYER2"}
    provider = {**named, "secondaryIdentifier": [{"qualifier": "0B", "identifier": "N1"}]}
    place = {
        "organizationName": "F",
        "address": {"address1": "1 ST", "city": "ALBANY", "state": "NY", "postalCode": "12207"},
        "providerUpinNumber": "U1",
        "locationNumber": "L1",
    }
    made = normalised(
        claim(claimInformation__serviceLines=[line(renderingProvider=provider, serviceFacilityLocation=place)])
    )
    only = first_line(made)
    assert only.rendering_provider is not None
    assert only.service_facility_location is not None
    wanted = [
        LineIdentifier(qualifier="0B", identifier="N1"),
        LineIdentifier(qualifier="G2", identifier="C1", other_identifier="PAYER2"),
    ]
    assert wanted == only.rendering_provider.secondary_identifier
    assert ["1G", "LU"] == [i.qualifier for i in only.service_facility_location.secondary_identifier or ()]
    assert {"REF*0B*N1", "REF*G2*C1**2U:PAYER2", "REF*1G*U1", "REF*LU*L1"} <= set(segments(made))


def test_another_subscriber_s_identifiers_are_one_list() -> None:
    listed = {**OTHER["otherSubscriberName"], "otherInsuredAdditionalIdentifiers": ["123456789"]}
    misplaced = {**OTHER["otherPayerName"], "otherInsuredAdditionalIdentifier": "987654321"}
    other = {**OTHER, "otherSubscriberName": listed, "otherPayerName": misplaced}
    written = segments(claim(claimInformation__otherSubscriberInformation=[other]))
    at = written.index("NM1*IL*1*A*****MI*M2")
    assert ["REF*SY*123456789", "REF*SY*987654321"] == written[at + 1 : at + 3]


# --- what is wrong is told by its field ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "tradingPartnerServiceId",
        "submitter.submitterIdentification",
        "receiver.receiverId",
        "billing.employerId",
        "billing.organizationName",
        "billing.address.city",
        "billing.address",
        "subscriber.lastName",
        "subscriber.gender",
        "claimInformation.patientControlNumber",
        "claimInformation.placeOfServiceCode",
        "claimInformation.claimFrequencyCode",
        "claimInformation.serviceLines",
        f"{LINES}[0].dentalService.procedureCode",
        f"{LINES}[0].dentalService.lineItemChargeAmount",
        f"{LINES}[0].teethInformation[0].toothCode",
    ],
)
def test_what_is_missing_is_told_by_its_field(path: str) -> None:
    gone = {path.replace("[", "__").replace("]", "").replace(".", "__"): None}
    assert any(p and p.startswith(path) for p in paths(claim(**gone)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("claimInformation.claimChargeAmount", "12,50"),
        ("claimInformation.claimFrequencyCode", "é"),
        ("claimInformation.relatedCausesCode[0]", "ZZ"),
        ("claimInformation.planParticipationCode", "B"),
        ("claimInformation.claimDateInformation.serviceDate", "20261301"),
        ("claimInformation.toothStatus[0].toothStatusCode", "I"),
        ("claimInformation.claimNotes[0]", "x" * 81),
        (f"{LINES}[0].serviceDate", "2026-01-05"),
        (f"{LINES}[0].dentalService.procedureCode", "D2\n150"),
        (f"{LINES}[0].dentalService.prosthesisCrownOrInlayCode", "X"),
        (f"{LINES}[0].teethInformation[0].toothSurfaceCodes[1]", "X"),
        (f"{OTHERS}[0].otherPayerName.otherPayerPredeterminationIdentification", "x" * 51),
    ],
)
def test_what_is_wrong_is_told_by_its_field(path: str, value: str) -> None:
    made = claim(
        claimInformation__relatedCausesCode=["AA"],
        claimInformation__autoAccidentStateCode="NY",
        claimInformation__toothStatus=[{"toothNumber": "8", "toothStatusCode": "M"}],
        claimInformation__claimNotes=["N"],
        claimInformation__otherSubscriberInformation=[OTHER],
    )
    assert [] == paths(made)
    said = msgspec.to_builtins(made)
    put(said, path.replace("[", ".").replace("]", "").split("."), value)
    assert path in paths(msgspec.convert(said, DentalClaim))


def test_findings_name_the_field_that_the_caller_wrote() -> None:
    named = line(supervisingProvider={"lastName": "R", "commercialNumber": "é"})
    assert f"{LINES}[0].supervisingProvider.commercialNumber" in paths(claim(claimInformation__serviceLines=[named]))
    assert ["claimInformation.fileInformation"] == paths(claim(claimInformation__fileInformation="x" * 81))


def test_what_has_no_place_is_a_warning_and_the_claim_goes_on() -> None:
    rendering = {"lastName": "R", "taxonomyCode": "1223G0001X", "employerId": "1", "address": {"city": "X"}}
    made = claim(rendering=rendering, claimInformation__serviceLines__1__postageTaxAmount="1")
    written = write_claim(made, HEADER)
    assert written.accepted
    assert [
        ("rendering.address", "warning"),
        ("rendering.employerId", "warning"),
        (f"{LINES}[1].postageTaxAmount", "warning"),
    ] == sorted(((f.path or "", f.severity) for f in written.findings), key=lambda f: f[0].startswith("claim"))
    assert "NM1*82*1*R" in plain(written.segments)


def test_more_than_a_list_holds_is_refused() -> None:
    many = [{"diagnosisCode": f"A{n:02d}"} for n in range(5)]
    assert ["claimInformation.healthCareCodeInformation[4]"] == paths(
        claim(claimInformation__healthCareCodeInformation=many)
    )
    surfaces = ["B", "D", "F", "I", "L", "M"]
    made = claim(
        claimInformation__serviceLines__0__teethInformation=[{"toothCode": "3", "toothSurfaceCodes": surfaces}]
    )
    assert [f"{LINES}[0].teethInformation[0].toothSurfaceCodes[5]"] == paths(made)
    assert ["claimInformation.claimNotes[5]"] == paths(claim(claimInformation__claimNotes=["N"] * 6))

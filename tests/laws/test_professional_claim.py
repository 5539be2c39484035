"""Laws of the professional claim: one document, one form, written strictly and read back whatever its delimiters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.laws.claim_values import numbered, put, walked
from tests.laws.filled import Filler
from tests.laws.status_values import HEADER, plain, tree_of
from x12 import guides
from x12.documents.claim_parts import BillingProvider, LineIdentifier
from x12.documents.professional_claim import (
    GUIDE_ID,
    ProfessionalClaim,
    normalised,
    read_claims,
    write_claim,
)
from x12.documents.service_line import ServiceLine

GUIDE = guides.load(GUIDE_ID, "837")
LINES = "claimInformation.serviceLines"


def claim(**changes: Any) -> ProfessionalClaim:
    """A plain claim as a biller sends it, with other fields at these paths (`__` for a dot)."""
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
            "organizationName": "HAPPY DOCTORS",
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
            "claimChargeAmount": "28.75",
            "placeOfServiceCode": "11",
            "claimFrequencyCode": "1",
            "signatureIndicator": "Y",
            "planParticipationCode": "A",
            "benefitsAssignmentCertificationIndicator": "Y",
            "releaseInformationCode": "Y",
            "healthCareCodeInformation": [{"diagnosisCode": "S93.401A"}, {"diagnosisCode": "Z00.0"}],
            "serviceLines": [
                {
                    "serviceDate": "20260105",
                    "professionalService": {
                        "procedureCode": "99213",
                        "lineItemChargeAmount": "28.75",
                        "measurementUnit": "UN",
                        "serviceUnitCount": "1",
                        "compositeDiagnosisCodePointers": {"diagnosisCodePointers": ["1", "2"]},
                    },
                }
            ],
        },
    }
    for path, value in changes.items():
        put(said, path.split("__"), value)
    return msgspec.convert(said, ProfessionalClaim)


def line(**changes: Any) -> dict[str, Any]:
    """A service line as JSON, with more fields."""
    lines = msgspec.to_builtins(claim())["claimInformation"]["serviceLines"]
    return {**lines[0], **changes}


def first_line(of: ProfessionalClaim) -> ServiceLine:
    assert of.claim_information is not None
    assert of.claim_information.service_lines
    return of.claim_information.service_lines[0]


def segments(of: ProfessionalClaim) -> list[str]:
    written = write_claim(of, HEADER)
    assert [] == [f for f in written.findings if f.severity == "error"]
    return plain(written.segments)


def paths(of: ProfessionalClaim) -> list[str | None]:
    return [f.path for f in write_claim(of, HEADER).findings]


def filled(seed: int, richness: float) -> ProfessionalClaim:
    """A valid claim out of chance, for a dependent in half of the cases."""
    filler = Filler(GUIDE, seed, richness)
    made = filler.document(ProfessionalClaim, "2300")
    if seed % 2:
        made.dependent = None
    information = made.claim_information
    assert information is not None
    for each in information.service_lines or ():
        each.assigned_number = None
    return made


def numbered_at_payer(billing: BillingProvider, seed: int) -> None:
    """The billing provider's numbers at the payer, as far as the guide has room: for both, whatever the seed."""
    del seed
    billing.commercial_number, billing.location_number = "C1", "L1"


# --- who is the patient ---------------------------------------------------------------------------------------------


def test_a_claim_of_the_subscriber_stands_under_the_subscriber() -> None:
    written = segments(
        claim(claimInformation__deathDate="20260101", claimInformation__propertyCasualtyClaimNumber="PC1")
    )
    assert ["HL*20", "HL*22"] == [s for s in written if s.startswith("HL")]
    assert "SBR*P*18*******CI" in written
    assert (
        written.index("PAT*****D8*20260101")
        < written.index("REF*Y4*PC1")
        < written.index("NM1*PR*2*A PAYER*****PI*9496")
    )


def test_a_claim_of_a_dependent_stands_under_the_dependent() -> None:
    child = {
        "lastName": "ONE",
        "firstName": "BEN",
        "dateOfBirth": "20200102",
        "gender": "M",
        "relationshipToSubscriberCode": "19",
        "address": {"address1": "1 ELM ST", "city": "ALBANY", "state": "NY", "postalCode": "12207"},
    }
    made = claim(
        dependent=child, claimInformation__patientWeight="10", claimInformation__propertyCasualtyClaimNumber="PC1"
    )
    written = segments(made)
    assert ["HL*20", "HL*22", "HL*23"] == [s for s in written if s.startswith("HL")]
    assert "SBR*P********CI" in written
    assert "PAT*19******01*10" in written
    assert (
        written.index("NM1*QC*1*ONE*BEN") < written.index("REF*Y4*PC1") < written.index("CLM*P1*28.75***11:B:1*Y*A*Y*Y")
    )


def test_each_claim_of_a_file_has_all_its_levels() -> None:
    first, second = (segments(claim(claimInformation__patientControlNumber=n)) for n in ("P1", "P2"))
    at = first.index("CLM*P1*28.75***11:B:1*Y*A*Y*Y")
    both = [*numbered(first), *second[at:], "SE*1*0001"]
    found = read_claims(tree_of(both, "HC", GUIDE_ID))
    assert [claim_read("P1"), claim_read("P2")] == found


def claim_read(number: str) -> ProfessionalClaim:
    return normalised(claim(claimInformation__patientControlNumber=number))


# --- one way to say it ----------------------------------------------------------------------------------------------


def test_normalising_leaves_its_argument_alone() -> None:
    made = claim(
        providers=[{"providerType": "RenderingProvider", "lastName": "TWO"}], claimInformation__fileInformation="X"
    )
    before = msgspec.json.encode(made)
    normalised(made)
    assert before == msgspec.json.encode(made)


def test_what_the_biller_leaves_out_gets_its_usual_value() -> None:
    made = normalised(claim())
    information, subscriber = made.claim_information, made.subscriber
    assert information is not None
    assert subscriber is not None
    only = first_line(made)
    service = only.professional_service
    assert service is not None
    codes = [(d.diagnosis_type_code, d.diagnosis_code) for d in information.health_care_code_information or ()]
    assert [("ABK", "S93401A"), ("ABF", "Z000")] == codes
    assert ("CH", "P", "1") == (
        made.claim_identifier,
        subscriber.payment_responsibility_level_code,
        only.assigned_number,
    )
    assert "HC" == service.procedure_identifier


def test_what_the_biller_says_stays() -> None:
    made = claim(
        claimIdentifier="RP",
        subscriber__paymentResponsibilityLevelCode="S",
        claimInformation__healthCareCodeInformation=[{"diagnosisTypeCode": "BK", "diagnosisCode": "4011"}],
        claimInformation__serviceLines__0__professionalService__procedureIdentifier="WK",
        claimInformation__serviceLines__0__professionalService__measurementUnit="MJ",
    )
    written = segments(made)
    assert "BHT*0019*00*REF20260105*20260105*0930*RP" in written
    assert {"SBR*S*18*******CI", "HI*BK:4011", "SV1*WK:99213*28.75*MJ*1***1:2"} <= set(written)


def test_providers_of_a_list_take_their_places() -> None:
    listed = [
        {
            "providerType": "BillingProvider",
            "npi": "1760854442",
            "organizationName": "H",
            "ssn": "000000000",
            "address": {"address1": "A", "city": "BX"},
        },
        {"providerType": "RenderingProvider", "npi": "1234567893", "lastName": "R", "taxonomyCode": "101YM0800X"},
        {"providerType": "ReferringProvider", "lastName": "F", "commercialNumber": "C1"},
        {"providerType": "SupervisingProvider", "lastName": "S", "locationNumber": "L1"},
        {"providerType": "OrderingProvider", "lastName": "O", "stateLicenseNumber": "N1"},
    ]
    written = segments(claim(billing=None, providers=listed))
    wanted = {
        "NM1*85*2*H*****XX*1760854442",
        "REF*SY*000000000",
        "NM1*82*1*R*****XX*1234567893",
        "PRV*PE*PXC*101YM0800X",
        "NM1*DN*1*F",
        "REF*G2*C1",
        "NM1*DQ*1*S",
        "REF*LU*L1",
        "NM1*DK*1*O",
        "REF*0B*N1",
    }
    assert set() == wanted - set(written)
    assert written.index("LX*1") < written.index("NM1*DK*1*O")


def test_the_ordering_provider_is_that_of_the_lines_without_one() -> None:
    lines = [line(), line(orderingProvider={"lastName": "OWN"})]
    written = segments(claim(ordering={"lastName": "ALL", "firstName": "A"}, claimInformation__serviceLines=lines))
    assert ["NM1*DK*1*ALL*A", "NM1*DK*1*OWN"] == [s for s in written if s.startswith("NM1*DK")]


def test_blank_fields_are_absent() -> None:
    blank = claim(
        dependent={"lastName": "", "address": {"city": " "}},
        rendering={"npi": "", "address": {}},
        payToPlan={"organizationName": ""},
        claimInformation__claimDateInformation={"accidentDate": ""},
        claimInformation__claimSupplementalInformation={"reportInformation": {"attachmentControlNumber": ""}},
        claimInformation__fileInformationList=[""],
    )
    assert segments(claim()) == segments(blank)


def test_one_report_and_one_file_information_join_their_lists() -> None:
    report = {"attachmentReportTypeCode": "OZ", "attachmentTransmissionCode": "EL", "attachmentControlNumber": "A2"}
    first = {**report, "attachmentControlNumber": "A1"}
    made = claim(
        claimInformation__claimSupplementalInformation={"reportInformation": report, "reportInformations": [first]},
        claimInformation__fileInformation="SAME",
        claimInformation__fileInformationList=["SAME"],
    )
    written = segments(made)
    assert ["PWK*OZ*EL***AC*A1", "PWK*OZ*EL***AC*A2"] == [s for s in written if s.startswith("PWK")]
    assert ["K3*SAME"] == [s for s in written if s.startswith("K3")]


def test_the_billing_provider_has_one_tax_number_and_the_payer_its_own_numbers() -> None:
    numbers = {"payerIdentificationNumber": "2", "claimOfficeNumber": "3", "naic": "4"}
    made = claim(billing__employerId=None, billing__employerIdentificationNumber="987654321")
    assert "REF*EI*987654321" in segments(made)
    for name, value in numbers.items():
        made = claim(**{f"billing__{name}": value})
        (back,) = read_claims(walked(GUIDE, write_claim(made, HEADER)))
        assert {name: value} == msgspec.to_builtins(back.trading_partner_secondary_identifiers)
    written = segments(claim(billing__commercialNumber="C", billing__locationNumber="L"))
    payer = written.index("NM1*PR*2*A PAYER*****PI*9496")
    assert ["REF*G2*C", "REF*LU*L"] == written[payer + 1 : payer + 3]


def test_an_organization_has_no_other_name() -> None:
    assert "NM1*IL*2*FIRM*****MI*M1" in segments(claim(subscriber__organizationName="FIRM"))


def test_a_policy_number_stands_in_for_the_group_number() -> None:
    assert "SBR*P*18*POL******CI" in segments(claim(subscriber__policyNumber="POL"))
    both = claim(subscriber__policyNumber="POL", subscriber__groupNumber="GRP")
    assert "SBR*P*18*GRP******CI" in segments(both)
    assert ["subscriber.policyNumber"] == paths(both)


def test_the_identifiers_of_a_line_s_provider_are_one_list() -> None:
    named = {"lastName": "R", "commercialNumber": "C1", "otherIdentifier": "PAYER2"}
    provider = {**named, "secondaryIdentifier": [{"qualifier": "0B", "identifier": "N1"}]}
    made = normalised(claim(claimInformation__serviceLines=[line(renderingProvider=provider)]))
    only = first_line(made)
    assert only.rendering_provider is not None
    wanted = [
        LineIdentifier(qualifier="0B", identifier="N1"),
        LineIdentifier(qualifier="G2", identifier="C1", other_identifier="PAYER2"),
    ]
    assert wanted == only.rendering_provider.secondary_identifier
    assert {"REF*0B*N1", "REF*G2*C1**2U:PAYER2"} <= set(segments(made))


def test_another_subscriber_s_identifier_may_stand_with_the_payer() -> None:
    other = {
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
            "otherInsuredAdditionalIdentifier": "123456789",
        },
    }
    written = segments(claim(claimInformation__otherSubscriberInformation=[other]))
    assert written.index("REF*SY*123456789") == written.index("NM1*IL*1*A*****MI*M2") + 1


# --- places that need more than a table -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "written"),
    [
        ({"disabilityBeginDate": "20260101"}, "DTP*360*D8*20260101"),
        ({"disabilityEndDate": "20260131"}, "DTP*361*D8*20260131"),
        ({"disabilityBeginDate": "20260101", "disabilityEndDate": "20260131"}, "DTP*314*RD8*20260101-20260131"),
    ],
)
def test_disability_dates_choose_their_qualifier(dates: dict[str, str], written: str) -> None:
    made = claim(claimInformation__claimDateInformation=dates)
    assert [written] == [s for s in segments(made) if s.startswith("DTP*3")]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_four_numbers_need_two_contact_segments() -> None:
    numbers = {
        "name": "JO",
        "phoneNumber": "5551230000",
        "phoneExtension": "9",
        "faxNumber": "5551230001",
        "email": "JO@X.COM",
    }
    made = claim(submitter__contactInformation=numbers)
    wanted = ["PER*IC*JO*TE*5551230000*EX*9*FX*5551230001", "PER*IC**EM*JO@X.COM"]
    assert wanted == [s for s in segments(made) if s.startswith("PER")]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_paperwork_and_certificate_are_told_apart() -> None:
    paper = {"attachmentReportTypeCode": "CT", "attachmentTransmissionCode": "BM", "attachmentControlNumber": "A1"}
    certificate = {"attachmentTransmissionCode": "AB"}
    made = claim(
        claimInformation__serviceLines=[
            line(
                serviceLineSupplementalInformation=[paper],
                durableMedicalEquipmentCertificateOfMedicalNecessity=certificate,
            )
        ]
    )
    assert ["PWK*CT*BM***AC*A1", "PWK*CT*AB"] == [s for s in segments(made) if s.startswith("PWK")]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_equipment_repeats_the_procedure_of_its_line() -> None:
    rented = {"days": "30", "rentalPrice": "10", "purchasePrice": "100", "frequencyCode": "4"}
    assert "SV5*HC:99213*DA*30*10*100*4" in segments(
        claim(claimInformation__serviceLines=[line(durableMedicalEquipmentService=rented)])
    )


@pytest.mark.parametrize(("name", "kind"), [("lastName", "1"), ("organizationName", "2")])
def test_a_provider_without_a_name_is_still_a_person_or_an_organization(name: str, kind: str) -> None:
    bought = claim(claimInformation__serviceLines=[line(purchasedServiceProvider={"npi": "1234567893", name: "X"})])
    assert f"NM1*QB*{kind}******XX*1234567893" in segments(bought)


def test_not_employed_by_the_hospice_is_said_too() -> None:
    for value, said in ((True, "Y"), (False, "N")):
        assert f"CRC*70*{said}*65" in segments(
            claim(claimInformation__serviceLines=[line(hospiceEmployeeIndicator=value)])
        )


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
        "claimInformation.healthCareCodeInformation[0].diagnosisCode",
        "claimInformation.healthCareCodeInformation[1].diagnosisCode",
        "claimInformation.serviceLines",
        f"{LINES}[0].serviceDate",
        f"{LINES}[0].professionalService.procedureCode",
        f"{LINES}[0].professionalService.lineItemChargeAmount",
        f"{LINES}[0].professionalService.measurementUnit",
        f"{LINES}[0].professionalService.compositeDiagnosisCodePointers.diagnosisCodePointers",
    ],
)
def test_what_is_missing_is_told_by_its_field(path: str) -> None:
    typed = [{"diagnosisTypeCode": code, "diagnosisCode": "Z000"} for code in ("ABK", "ABF")]
    gone = {path.replace("[", "__").replace("]", "").replace(".", "__"): None}
    made = claim(claimInformation__healthCareCodeInformation=typed, **gone)
    assert any(p and p.startswith(path) for p in paths(made))


def test_a_line_that_ends_and_never_began_lacks_its_first_day() -> None:
    lines = "claimInformation__serviceLines__0__"
    made = claim(**{f"{lines}serviceDate": None, f"{lines}serviceDateEnd": "20260105"})
    assert [f"{LINES}[0].serviceDate"] == paths(made)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("claimInformation.claimChargeAmount", "12,50"),
        ("claimInformation.claimFrequencyCode", "é"),
        ("claimInformation.relatedCausesCode[0]", "ZZ"),
        ("claimInformation.healthCareCodeInformation[1].diagnosisTypeCode", "ABK"),
        (f"{LINES}[0].serviceDate", "20261301"),
        (f"{LINES}[0].assignedNumber", "7"),
        (f"{LINES}[0].professionalService.procedureCode", "99\n213"),
        (f"{LINES}[0].testResults[0].measurementQualifier", "XX"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(path: str, value: str) -> None:
    made = claim(
        claimInformation__relatedCausesCode=["AA"],
        claimInformation__autoAccidentStateCode="NY",
        claimInformation__serviceLines=[
            line(
                testResults=[
                    {"measurementReferenceIdentificationCode": "OG", "measurementQualifier": "HT", "testResults": "1"}
                ]
            )
        ],
    )
    assert [] == paths(made)
    said = msgspec.to_builtins(made)
    put(said, path.replace("[", ".").replace("]", "").split("."), value)
    assert path in paths(msgspec.convert(said, ProfessionalClaim))


def test_findings_name_the_field_that_the_caller_wrote() -> None:
    rendering = {"providerType": "RenderingProvider", "lastName": "R", "npi": "x" * 81}
    assert ["providers[0].npi"] == paths(claim(providers=[rendering]))
    ordering = {"lastName": "é"}
    assert {"ordering.lastName"} == set(paths(claim(ordering=ordering)))
    named = line(renderingProvider={"lastName": "R", "commercialNumber": "é"})
    assert f"{LINES}[0].renderingProvider.commercialNumber" in paths(claim(claimInformation__serviceLines=[named]))


def test_what_has_no_place_is_a_warning_and_the_claim_goes_on() -> None:
    written = write_claim(claim(rendering={"lastName": "R", "employerId": "1", "address": {"city": "X"}}), HEADER)
    assert written.accepted
    assert [("rendering.address", "warning"), ("rendering.employerId", "warning")] == [
        (f.path, f.severity) for f in written.findings
    ]
    assert "NM1*82*1*R" in plain(written.segments)


def test_a_line_s_provider_has_the_identifiers_of_its_loop() -> None:
    said = {"lastName": "R", "commercialNumber": "C", "locationNumber": "L"}
    for name, room in (("renderingProvider", True), ("supervisingProvider", True), ("referringProvider", False)):
        made = claim(claimInformation__serviceLines=[line(**{name: said})])
        assert {"REF*G2*C", *(["REF*LU*L"] if room else [])} == {
            s for s in segments(made) if s.startswith(("REF*G2", "REF*LU"))
        }
        assert ([] if room else [f"{LINES}[0].{name}.locationNumber"]) == paths(made)


def test_more_than_a_list_holds_is_refused() -> None:
    many = [{"diagnosisCode": f"A{n:02d}"} for n in range(13)]
    assert ["claimInformation.healthCareCodeInformation[12]"] == paths(
        claim(claimInformation__healthCareCodeInformation=many)
    )
    modifiers = ["25"] * 5
    made = claim(claimInformation__serviceLines__0__professionalService__procedureModifiers=modifiers)
    assert [f"{LINES}[0].professionalService.procedureModifiers[4]"] == paths(made)

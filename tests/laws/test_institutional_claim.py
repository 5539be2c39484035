"""Laws of the institutional claim: one document, one form, written strictly and read back whatever its delimiters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.cases import cases
from tests.laws.claim_values import own, put, walked
from tests.laws.filled import Filler
from tests.laws.status_values import HEADER, corpus_sets, plain, seeds
from x12 import guides
from x12.documents.claim_parts import LineIdentifier
from x12.documents.institutional_claim import (
    GUIDE_ID,
    ClaimNotes,
    InstitutionalBilling,
    InstitutionalClaim,
    InstitutionalInformation,
    normalised,
    read_claims,
    write_claim,
)
from x12.documents.institutional_line import InstitutionalLine
from x12.syntax import CANONICAL

GUIDE = guides.load(GUIDE_ID, "837")
LINES = "claimInformation.serviceLines"
NOTES_MAX = 10


def claim(**changes: Any) -> InstitutionalClaim:
    """A plain claim as a biller sends it, with other fields at these paths (`__` for a dot)."""
    said: dict[str, Any] = {
        "tradingPartnerServiceId": "9496",
        "tradingPartnerName": "A PAYER",
        "submitter": {
            "organizationName": "BILLERS",
            "taxId": "S1",
            "contactInformation": {"phoneNumber": "5551230000"},
        },
        "receiver": {"organizationName": "A PAYER", "taxId": "9496"},
        "billing": {
            "npi": "1760854442",
            "employerId": "123456789",
            "organizationName": "HAPPY HOSPITAL",
            "address": {"address1": "1 MAIN ST", "city": "ALBANY", "state": "NY", "postalCode": "122070000"},
        },
        "subscriber": {
            "memberId": "M1",
            "lastName": "ONE",
            "firstName": "ANN",
            "dateOfBirth": "19800102",
            "gender": "F",
        },
        "attending": {"lastName": "DOC", "firstName": "DEE", "npi": "1234567893"},
        "claimInformation": {
            "claimFilingCode": "CI",
            "patientControlNumber": "P1",
            "claimChargeAmount": "28.75",
            "placeOfServiceCode": "11",
            "claimFrequencyCode": "1",
            "planParticipationCode": "A",
            "benefitsAssignmentCertificationIndicator": "Y",
            "releaseInformationCode": "Y",
            "claimDateInformation": {"statementBeginDate": "20260105", "statementEndDate": "20260107"},
            "claimCodeInformation": {"admissionTypeCode": "1", "patientStatusCode": "01"},
            "principalDiagnosis": {"principalDiagnosisCode": "S93.401A"},
            "serviceLines": [
                {
                    "serviceDate": "20260105",
                    "institutionalService": {
                        "serviceLineRevenueCode": "0450",
                        "procedureCode": "99283",
                        "lineItemChargeAmount": "28.75",
                        "measurementUnit": "UN",
                        "serviceUnitCount": "1",
                    },
                }
            ],
        },
    }
    for path, value in changes.items():
        put(said, path.split("__"), value)
    return msgspec.convert(said, InstitutionalClaim)


def line(**changes: Any) -> dict[str, Any]:
    """A service line as JSON, with more fields."""
    lines = msgspec.to_builtins(claim())["claimInformation"]["serviceLines"]
    return {**lines[0], **changes}


def with_line(**changes: Any) -> InstitutionalClaim:
    return claim(claimInformation__serviceLines=[line(**changes)])


def information(of: InstitutionalClaim) -> InstitutionalInformation:
    assert of.claim_information is not None
    return of.claim_information


def first_line(of: InstitutionalClaim) -> InstitutionalLine:
    lines = information(of).service_lines
    assert lines
    return lines[0]


def segments(of: InstitutionalClaim) -> list[str]:
    written = write_claim(of, HEADER)
    assert [] == [f for f in written.findings if f.severity == "error"]
    return plain(written.segments)


def paths(of: InstitutionalClaim) -> list[str | None]:
    return [f.path for f in write_claim(of, HEADER).findings]


def filled(seed: int, richness: float) -> InstitutionalClaim:
    """A valid claim out of chance, for a dependent in half of the cases."""
    made = Filler(GUIDE, seed, richness).document(InstitutionalClaim, "2300")
    if seed % 2:
        made.dependent = None
    for each in information(made).service_lines or ():
        each.assigned_number = None
    if made.subscriber is not None and made.subscriber.member_id and made.subscriber.standard_health_id:
        setattr(made.subscriber, "standard_health_id" if seed % 3 else "member_id", None)
    notes, room = information(made).claim_notes, NOTES_MAX
    for name in ClaimNotes.__struct_fields__ if notes is not None else ():
        listed: list[str] = getattr(notes, name) or []
        setattr(notes, name, listed[:room] or None)
        room -= len(listed[:room])
    return made


def numbered_at_payer(billing: InstitutionalBilling, seed: int) -> None:
    """The billing provider's numbers at the payer: the guide has room for one of them."""
    setattr(billing, "commercial_number" if seed % 3 else "location_number", "N1")


# --- there and back -------------------------------------------------------------------------------------------------


HOSTILE = [*"*:~^|>\\\x1c\x1d\x1e\x1f\x00\r\n\té²\u2028", "\U0001f600", "\u0430", "\u202e", "NM1*85*2~", "\x1eCLM\x1d"]


@settings(max_examples=cases(200), deadline=None)
@given(seeds, st.lists(st.tuples(st.integers(0, 2**31), st.sampled_from(HOSTILE)), min_size=1, max_size=4))
def test_hostile_values_never_change_the_structure(seed: int, faults: list[tuple[int, str]]) -> None:
    """What X12 cannot carry is refused with its field; what it can is data, wherever it stands."""
    said = msgspec.to_builtins(filled(seed, 0.15))
    whole = [
        s.split(CANONICAL.element, 1)[0]
        for s in write_claim(msgspec.convert(said, InstitutionalClaim), HEADER).segments
    ]
    for place, hostile in faults:
        texts = list(holders(said))
        holder, key = texts[place % len(texts)]
        holder[key] = f"{holder[key]}{hostile}"
    written = write_claim(msgspec.convert(said, InstitutionalClaim), HEADER)
    kept = [s.split(CANONICAL.element, 1)[0] for s in written.segments]
    assert set(kept) <= set(whole)
    if written.accepted:
        assert whole == kept
    for raw in written.segments:
        assert not set(raw) & {"\x00", "\r", "\n", "\t", "é", "²", "\u2028", "\U0001f600", "\u0430", "\u202e", "\x1c"}


def holders(value: Any) -> Any:
    """Every text of a JSON value as what holds it and the key there."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for key, inner in list(pairs):
        if isinstance(inner, str):
            yield value, key
        elif isinstance(inner, (dict, list)):
            yield from holders(inner)


def test_clean_files_come_back_segment_by_segment() -> None:
    compared = 0
    for name, one in corpus_sets("837I"):
        root = one.tree()
        for loop, read in zip(root.all("2300"), read_claims(root), strict=True):
            assert read == normalised(read), name
            again = msgspec.json.decode(msgspec.json.encode(read), type=InstitutionalClaim)
            levels = [loop]
            while levels[0].parent is not None:
                levels.insert(0, levels[0].parent)
            expected = [s for level in levels[:-1] for s in own(level, ("2000A", "2000B", "2000C", "2300"))] + own(loop)
            assert comparable(plain(expected, one)) == comparable(segments(again)), name
            compared += 1
    assert compared >= 5


def comparable(lines: Sequence[str]) -> list[str]:
    """Segments without what writing sets anew: the header, and the numbers of the lines."""
    return [re.sub(r"^LX\*\d+", "LX", s) for s in lines if not s.startswith(("ST*", "BHT*"))]


# --- who is the patient ---------------------------------------------------------------------------------------------


def test_a_claim_of_the_subscriber_stands_under_the_subscriber() -> None:
    written = segments(claim(claimInformation__propertyCasualtyClaimNumber="PC1"))
    assert ["HL*20", "HL*22"] == [s for s in written if s.startswith("HL")]
    assert "SBR*P*18*******CI" in written
    assert written.index("REF*Y4*PC1") < written.index("NM1*PR*2*A PAYER*****PI*9496")


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
    assert "SBR*P********CI" in written
    assert (
        written.index("PAT*19")
        < written.index("NM1*QC*1*ONE*BEN")
        < written.index("REF*Y4*PC1")
        < written.index("CLM*P1*28.75***11:A:1**A*Y*Y")
    )


# --- one way to say it ----------------------------------------------------------------------------------------------


def test_normalising_leaves_its_argument_alone() -> None:
    made = claim(
        providers=[{"providerType": "RenderingProvider", "lastName": "TWO"}],
        claimInformation__claimNotes={"additionalInformation": ["X"]},
    )
    before = msgspec.json.encode(made)
    normalised(made)
    assert before == msgspec.json.encode(made)


def test_what_the_biller_leaves_out_gets_its_usual_value() -> None:
    made = claim(
        claimInformation__admittingDiagnosis={"admittingDiagnosisCode": "R07.9"},
        claimInformation__patientReasonForVisits=[{"patientReasonForVisitCode": "R07.9"}],
        claimInformation__externalCauseOfInjuries=[{"externalCauseOfInjury": "W01.0XXA"}],
        claimInformation__otherDiagnosisInformationList=[[{"otherDiagnosisCode": "Z00.0"}]],
        claimInformation__principalProcedureInformation={
            "principalProcedureCode": "0DTJ4ZZ",
            "principalProcedureDate": "20260105",
        },
        claimInformation__otherProcedureInformationList=[
            [{"otherProcedureCode": "0DTJ4ZZ", "otherProcedureDate": "20260106"}]
        ],
    )
    written = segments(made)
    wanted = {
        "BHT*0019*00*REF20260105*20260105*0930*CH",
        "SBR*P*18*******CI",
        "HI*ABK:S93401A",
        "HI*ABJ:R079",
        "HI*APR:R079",
        "HI*ABN:W010XXA",
        "HI*ABF:Z000",
        "HI*BBR:0DTJ4ZZ:D8:20260105",
        "HI*BBQ:0DTJ4ZZ:D8:20260106",
        "SV2*0450*HC:99283*28.75*UN*1",
    }
    assert set() == wanted - set(written)


def test_a_line_without_a_procedure_has_no_kind_of_procedure() -> None:
    service = {
        "serviceLineRevenueCode": "0120",
        "lineItemChargeAmount": "28.75",
        "measurementUnit": "DA",
        "serviceUnitCount": "2",
    }
    assert "SV2*0120**28.75*DA*2" in segments(with_line(institutionalService=service))


def test_the_inner_lists_are_the_segments() -> None:
    made = claim(
        claimInformation__valueInformationList=[
            [{"valueCode": "A2", "valueCodeAmount": "15.31"}, {"valueCode": "80", "valueCodeAmount": "3"}],
            [{"valueCode": "A1", "valueCodeAmount": "1"}],
        ],
        claimInformation__conditionCodesList=[[{"conditionCode": "09"}], [{"conditionCode": "D1"}]],
        claimInformation__treatmentCodeInformationList=[["A01", "A02"], ["A03"]],
        claimInformation__occurrenceInformationList=[
            [{"occurrenceSpanCode": "A1", "occurrenceSpanCodeDate": "20260101"}]
        ],
        claimInformation__occurrenceSpanInformations=[
            [
                {
                    "occurrenceSpanCode": "70",
                    "occurrenceSpanCodeStartDate": "20260101",
                    "occurrenceSpanCodeEndDate": "20260103",
                },
                {
                    "occurrenceSpanCode": "71",
                    "occurrenceSpanCodeStartDate": "20260101",
                    "occurrenceSpanCodeEndDate": "20260101",
                },
            ]
        ],
        claimInformation__diagnosisRelatedGroupInformation={"drugRelatedGroupCode": "470"},
    )
    wanted = [
        "HI*ABK:S93401A",
        "HI*DR:470",
        "HI*BI:70:RD8:20260101-20260103*BI:71:RD8:20260101-20260101",
        "HI*BH:A1:D8:20260101",
        "HI*BE:A2:::15.31*BE:80:::3",
        "HI*BE:A1:::1",
        "HI*BG:09",
        "HI*BG:D1",
        "HI*TC:A01*TC:A02",
        "HI*TC:A03",
    ]
    assert wanted == [s for s in segments(made) if s.startswith("HI")]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


@pytest.mark.parametrize(
    ("dates", "written"),
    [
        ({}, "DTP*434*RD8*20260105-20260105"),
        ({"statementEndDate": "20260106"}, "DTP*434*RD8*20260105-20260106"),
        ({"admissionDateAndHour": "202601042315"}, "DTP*435*DT*202601042315"),
        ({"admissionDateAndHour": "20260104"}, "DTP*435*D8*20260104"),
        ({"dischargeHour": "1130"}, "DTP*096*TM*1130"),
    ],
)
def test_dates_choose_their_format(dates: dict[str, str], written: str) -> None:
    statement = {"statementBeginDate": "20260105", "statementEndDate": "20260105"}
    made = claim(claimInformation__claimDateInformation=statement | dates)
    assert written in segments(made)
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_providers_of_a_list_take_their_places() -> None:
    listed = [
        {
            "providerType": "BillingProvider",
            "npi": "1760854442",
            "organizationName": "H",
            "employerId": "000000000",
            "secondaryIdentificationQualifierCode": "LU",
            "secondaryIdentifier": "L9",
            "address": {"address1": "A", "city": "BX"},
        },
        {"providerType": "AttendingProvider", "npi": "1234567893", "lastName": "A", "taxonomyCode": "101YM0800X"},
        {"providerType": "OperatingPhysician", "lastName": "OP", "stateLicenseNumber": "N1"},
        {"providerType": "OtherOperatingPhysician", "lastName": "OO", "providerUpinNumber": "U1"},
        {"providerType": "RenderingProvider", "lastName": "R", "locationNumber": "L1"},
        {
            "providerType": "ReferringProvider",
            "lastName": "F",
            "secondaryIdentificationQualifierCode": "G2",
            "secondaryIdentifier": "C1",
        },
    ]
    written = segments(claim(billing=None, attending=None, providers=listed))
    wanted = [
        "NM1*85*2*H*****XX*1760854442",
        "REF*EI*000000000",
        "REF*LU*L9",
        "NM1*71*1*A*****XX*1234567893",
        "PRV*AT*PXC*101YM0800X",
        "NM1*72*1*OP",
        "REF*0B*N1",
        "NM1*ZZ*1*OO",
        "REF*1G*U1",
        "NM1*82*1*R",
        "REF*LU*L1",
        "NM1*DN*1*F",
        "REF*G2*C1",
    ]
    assert wanted == [s for s in written if s in wanted]


def test_blank_fields_are_absent() -> None:
    blank = claim(
        dependent={"lastName": "", "address": {"city": " "}},
        rendering={"npi": "", "address": {}},
        billingPayToPlanName={"organizationName": ""},
        claimInformation__claimSupplementalInformation={"reportInformation": {"attachmentControlNumber": ""}},
        claimInformation__fileInformation=[""],
        claimInformation__valueInformationList=[[]],
    )
    assert segments(claim()) == segments(blank)


def test_two_names_of_one_number_are_one() -> None:
    made = normalised(claim(subscriber__policyNumber="POL"))
    assert made.subscriber is not None
    assert ("POL", None) == (made.subscriber.group_number, made.subscriber.policy_number)
    assert ["subscriber.policyNumber"] == paths(claim(subscriber__policyNumber="POL", subscriber__groupNumber="GRP"))
    assert ["receiver.taxId"] == paths(claim(receiver__receiverId="OTHER"))
    assert "NM1*40*2*A PAYER*****46*9496" in segments(claim(receiver__receiverId="9496"))


def test_the_subscriber_has_a_member_s_number_or_a_standard_one() -> None:
    standard = claim(subscriber__memberId=None, subscriber__standardHealthId="H1")
    assert "NM1*IL*1*ONE*ANN****II*H1" in segments(standard)
    assert [normalised(standard)] == read_claims(walked(GUIDE, write_claim(standard, HEADER)))
    assert "subscriber.standardHealthId" in paths(claim(subscriber__standardHealthId="H1"))


def test_the_note_of_additional_information_is_the_billing_note() -> None:
    notes = {"additionalInformation": ["BILLING"], "medications": ["ONE", "TWO"]}
    written = segments(claim(claimInformation__claimNotes=notes))
    assert ["NTE*MED*ONE", "NTE*MED*TWO", "NTE*ADD*BILLING"] == [s for s in written if s.startswith("NTE")]
    assert ["claimInformation.claimNotes.additionalInformation"] == paths(
        claim(claimInformation__claimNotes=notes, claimInformation__billingNote="OTHER")
    )


def other(**changes: Any) -> dict[str, Any]:
    return {
        "paymentResponsibilityLevelCode": "S",
        "individualRelationshipCode": "18",
        "claimFilingIndicatorCode": "CI",
        "benefitsAssignmentCertificationIndicator": "Y",
        "releaseOfInformationCode": "Y",
        "otherSubscriberName": {
            "otherInsuredQualifier": "1",
            "otherInsuredLastName": "A",
            "firstName": "FAY",
            "otherInsuredIdentifierTypeCode": "MI",
            "otherInsuredIdentifier": "M2",
        },
        "otherPayerName": {
            "otherPayerOrganizationName": "B",
            "otherPayerIdentifierTypeCode": "PI",
            "otherPayerIdentifier": "77",
            "otherInsuredAdditionalIdentifier": "123456789",
        },
        **changes,
    }


def test_another_insurance_is_said_in_its_own_names() -> None:
    made = claim(
        claimInformation__otherSubscriberInformation=other(
            policyNumber="POL",
            medicareInpatientAdjudication={
                "coveredDaysOrVisitsCount": "3",
                "claimPaymentRemarkCode": ["MA01", "N1", "N2", "N3", "N4"],
                "ppsCapitalHspDrgAmount": "9",
                "capitalHSPDRGAmount": "10",
            },
            claimLevelAdjustments=[
                {
                    "adjustmentGroupCode": "PR",
                    "claimAdjustmentDetails": [{"adjustmentReasonCode": "1", "adjustmentAmount": "5"}],
                }
            ],
            otherPayerOperatingPhysician={
                "otherPayerOperatingPhysicianIdentifier": [{"qualifier": "G2", "identifier": "X"}]
            },
        )
    )
    written = segments(made)
    wanted = [
        "SBR*S*18*POL******CI",
        "CAS*PR*1*5",
        "MIA*3****MA01****9*10**********N1*N2*N3*N4",
        "NM1*IL*1*A*FAY****MI*M2",
        "REF*SY*123456789",
        "NM1*PR*2*B*****PI*77",
        "NM1*72*1",
        "REF*G2*X",
    ]
    assert wanted == [s for s in written if s in wanted]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_further_insurances_follow_the_first() -> None:
    made = claim(
        claimInformation__otherSubscriberInformation=other(),
        claimInformation__furtherOtherSubscriberInformation=[other(paymentResponsibilityLevelCode="T")],
    )
    assert ["SBR*P*18*******CI", "SBR*S*18*******CI", "SBR*T*18*******CI"] == [
        s for s in segments(made) if s.startswith("SBR")
    ]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))
    alone = claim(claimInformation__furtherOtherSubscriberInformation=[other(), other(individualRelationshipCode="XX")])
    assert ["claimInformation.furtherOtherSubscriberInformation[1].individualRelationshipCode"] == paths(alone)


def test_the_identifiers_of_a_line_s_provider_are_one_list() -> None:
    provider = {
        "lastName": "R",
        "commercialNumber": "C1",
        "secondaryIdentificationQualifierCode": "1G",
        "secondaryIdentifier": "U1",
        "referenceIdentification": [{"qualifier": "0B", "identifier": "N1"}],
    }
    only = first_line(normalised(with_line(renderingProvider=provider)))
    assert only.rendering_provider is not None
    wanted = [
        LineIdentifier(qualifier="0B", identifier="N1"),
        LineIdentifier(qualifier="G2", identifier="C1"),
        LineIdentifier(qualifier="1G", identifier="U1"),
    ]
    assert wanted == only.rendering_provider.reference_identification
    physician = {"lastName": "O", "identificationQualifierCode": "LU", "secondaryIdentifier": "L1"}
    assert "REF*LU*L1" in segments(with_line(operatingPhysician=physician))
    assert [f"{LINES}[0].referringProvider.locationNumber"] == paths(
        with_line(referringProvider={"lastName": "F", "locationNumber": "L1"})
    )


def test_older_names_of_a_line_are_understood() -> None:
    made = claim(
        claimInformation__serviceLines=[
            {
                **{k: v for k, v in line().items() if k != "serviceDate"},
                "serviceLineDateInformation": {"beginServiceDate": "20260105", "endServiceDate": "20260106"},
                "serviceLineReferenceInformation": {
                    "providerControlNumber": "L1",
                    "repricedLineItemRefNumber": "B",
                    "adjustedRepricedLineItemRefNumber": "D",
                },
                "lineNoteText": "NOTE",
                "linePricingInformation": {
                    "pricingMethodologyCode": "01",
                    "repricedAllowedAmount": "5",
                    "flatRateAmount": "7",
                    "apgCode": "G",
                    "apgAmount": "9",
                    "measurementUnitCode": "UN",
                    "repricedApprovedServiceUnitCount": "1",
                },
                "lineAdjustmentInformation": {
                    "otherPayerPrimaryIdentifier": "77",
                    "serviceLinePaidAmount": "20",
                    "serviceIdQualifier": "HC",
                    "procedureCode": "99283",
                    "procedureModifiers": ["25"],
                    "paidServiceUnitCount": "1",
                    "claimPaidDate": "20260110",
                    "claimAdjustment": {
                        "adjustmentGroupCode": "CO",
                        "claimAdjustmentDetails": [{"adjustmentReasonCode": "45", "adjustmentAmount": "8.75"}],
                    },
                },
                "lineSupplementInformation": {
                    "reportInformation": {"attachmentReportTypeCode": "OZ", "attachmentTransmissionCode": "AA"}
                },
            }
        ]
    )
    wanted = [
        "SV2*0450*HC:99283*28.75*UN*1",
        "PWK*OZ*AA",
        "DTP*472*RD8*20260105-20260106",
        "REF*6R*L1",
        "REF*9B*B",
        "REF*9D*D",
        "NTE*TPO*NOTE",
        "HCP*01*5***7*G*9****UN*1",
        "SVD*77*20*HC:99283:25*0450*1",
        "CAS*CO*45*8.75",
        "DTP*573*D8*20260110",
    ]
    assert wanted == [s for s in segments(made) if s in wanted]
    assert [normalised(made)] == read_claims(walked(GUIDE, write_claim(made, HEADER)))


def test_reports_join_their_lists() -> None:
    report = {"attachmentReportTypeCode": "OZ", "attachmentTransmissionCode": "EL", "attachmentControlNumber": "A2"}
    first = {**report, "attachmentControlNumber": "A1"}
    made = claim(
        claimInformation__claimSupplementalInformation={"reportInformation": report, "reportInformations": [first]},
        claimInformation__serviceLines=[
            line(serviceLineSupplementalInformation=first, serviceLineSupplementalInformations=[first, report])
        ],
    )
    one, two = "PWK*OZ*EL***AC*A1", "PWK*OZ*EL***AC*A2"
    assert [one, two, one, two] == [s for s in segments(made) if s.startswith("PWK")]

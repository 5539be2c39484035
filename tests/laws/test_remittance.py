"""Laws of the remittance advice: what is written is read back, what is read is written back, nothing received makes reading fail."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.cases import cases
from tests.laws.filled import Filler, Leaf
from tests.laws.status_values import (
    HEADER,
    Draw,
    corpus_sets,
    mutated,
    plain,
    received,
    seeds,
    translated,
    tree_of,
)
from x12 import codes, guides
from x12.documents.parts import Header
from x12.documents.remittance import (
    BusinessContact,
    DeliveryMethod,
    Detail,
    Payee,
    ProviderAdjustmentItem,
    Remittance,
    RemittancePayer,
    Report835,
    TechnicalContact,
    read_remittance,
    write_remittance,
)
from x12.documents.remittance_claim import (
    Adjustment,
    ClaimContact,
    ClaimIdentification,
    ClaimPayment,
    ContactMethod,
    PatientName,
    RemarkCode,
    RenderingProvider,
    ServiceLine,
    TechnicalContactMethod,
)
from x12.envelope import read
from x12.guides import Segment
from x12.syntax import STANDARD
from x12.walk import Instance

GUIDE = guides.load("005010X221A1", "835")
VERSION = "005010X221A1"
Method = TypeVar("Method", bound=ContactMethod)
SEGMENTS: str = """
ST*835*0001
BPR*I*125*C*ACH*CCP*01*111000025*DA*123456*1512345678*123456789*01*111000025*SG*98765*20260105
TRN*1*TRACE1*1512345678*123456789
CUR*PR*CAD
REF*EV*RECEIVER
REF*F2*V7
DTM*405*20260105
N1*PR*PLAN*XV*12345
N3*100 MAIN ST*SUITE 2
N4*AUSTIN*TX*787010000
REF*2U*PAYER1
PER*CX*DESK*TE*5125550100*EX*12
PER*BL*HELP*TE*5125550101*UR*plan.example
PER*IC**UR*plan.example/policies
N1*PE*CLINIC*XX*1234567893
REF*TJ*123456789
RDM*OL**portal.example
LX*1
TS3*P1*11*20261231*1*200
CLP*ACCOUNT1*19*200*130*20*MB*ICN1*11*1
CAS*CO*45*20**253*5
NM1*QC*1*DOE*JANE****MI*MEMBER1
NM1*82*2*CLINIC*****XX*1234567893
NM1*TT*2*OTHER PLAN*****PI*PLAN2
MOA***MA01*MA18
REF*1L*GROUP1
REF*CE*GOLD
REF*CE*SILVER
DTM*232*20251201
DTM*050*20251205
PER*CX*CLAIM DESK*TE*5125550102
AMT*AU*150
QTY*CA*2
SVC*HC:99213:25*200*130**1*HC:99214:25:59:::VISIT*2
DTM*472*20251201
CAS*PR*1*20
CAS*CO*45*25*1
REF*LU*11
REF*6R*LINE1
REF*HPI*1234567893
REF*0K*POLICY1
REF*0K*POLICY2
AMT*B6*150
QTY*ZK*1
LQ*HE*N130
LQ*RX*75
PLB*1234567893*20261231*WO:CLAIM0*7*L6*-2
SE*48*0001
"""
CLAIM: dict[str, Any] = {
    "claimReceivedDate": "20251205",
    "claimStatementPeriodStart": "20251201",
    "claimPaymentInfo": {
        "patientControlNumber": "ACCOUNT1",
        "claimStatusCode": "19",
        "totalClaimChargeAmount": "200",
        "claimPaymentAmount": "130",
        "patientResponsibilityAmount": "20",
        "claimFilingIndicatorCode": "MB",
        "payerClaimControlNumber": "ICN1",
        "facilityTypeCode": "11",
        "claimFrequencyCode": "1",
    },
    "claimAdjustments": [
        {
            "claimAdjustmentGroupCode": "CO",
            "claimAdjustmentGroupCodeValue": "Contractual Obligations",
            "adjustmentReasonCode1": "45",
            "adjustmentReason1": codes.table("adjustment_reason")["45"],
            "adjustmentAmount1": "20",
            "adjustmentReasonCode2": "253",
            "adjustmentReason2": codes.table("adjustment_reason")["253"],
            "adjustmentAmount2": "5",
        }
    ],
    "patientName": {"lastName": "DOE", "firstName": "JANE", "memberId": "MEMBER1"},
    "renderingProvider": {"organizationName": "CLINIC", "npi": "1234567893"},
    "crossoverCarrier": {"organizationName": "OTHER PLAN", "payorId": "PLAN2"},
    "outpatientAdjudication": {"claimPaymentRemarkCode1": "MA01", "claimPaymentRemarkCode2": "MA18"},
    "otherClaimRelatedIdentification": {
        "groupOrPolicyNumber": "GROUP1",
        "classOfContractCode": "GOLD",
        "classOfContractCodes": ["GOLD", "SILVER"],
    },
    "claimContactInformation": [{"contactName": "CLAIM DESK", "contactMethods": [{"phone": "5125550102"}]}],
    "claimSupplementalInformation": {"coverageAmount": "150"},
    "claimSupplementalInformationQuantities": {"coveredActual": "2"},
}
LINE: dict[str, Any] = {
    "serviceDate": "20251201",
    "lineItemControlNumber": "LINE1",
    "servicePaymentInformation": {
        "productOrServiceIDQualifier": "HC",
        "productOrServiceIDQualifierValue": codes.table("remittance_procedure_qualifier")["HC"],
        "adjudicatedProcedureCode": "99213",
        "adjudicatedProcedureModifierCodes": ["25"],
        "lineItemChargeAmount": "200",
        "lineItemProviderPaymentAmount": "130",
        "unitsOfServicePaidCount": "1",
        "submittedProductOrServiceIDQualifier": "HC",
        "submittedProductOrServiceIDQualifierValue": codes.table("remittance_procedure_qualifier")["HC"],
        "submittedAdjudicatedProcedureCode": "99214",
        "submittedAdjudicatedProcedureModifierCodes": ["25", "59"],
        "submittedProcedureCodeDescription": "VISIT",
        "originalUnitsOfServiceCount": "2",
    },
    "serviceAdjustments": [
        {
            "claimAdjustmentGroupCode": "PR",
            "claimAdjustmentGroupCodeValue": "Patient Responsibility",
            "adjustmentReasonCode1": "1",
            "adjustmentReason1": "Deductible",
            "adjustmentAmount1": "20",
        },
        {
            "claimAdjustmentGroupCode": "CO",
            "claimAdjustmentGroupCodeValue": "Contractual Obligations",
            "adjustmentReasonCode1": "45",
            "adjustmentReason1": codes.table("adjustment_reason")["45"],
            "adjustmentAmount1": "25",
            "adjustmentQuantity1": "1",
        },
    ],
    "serviceIdentification": {"locationNumber": "11"},
    "renderingProviderInformation": {"npi": "1234567893"},
    "healthCarePolicyIdentification": [
        {"policyFormIdentifyingNumber": "POLICY1"},
        {"policyFormIdentifyingNumber": "POLICY2"},
    ],
    "serviceSupplementalAmounts": {"allowedActual": "150"},
    "serviceSupplementalQuantities": {"federalMedicareOrMedicaidPaymentMandateCategory1": "1"},
    "healthCareCheckRemarkCodes": [
        {
            "codeListQualifierCode": "HE",
            "codeListQualifierCodeValue": "Claim Payment Remark Codes",
            "remarkCode": "N130",
            "remark": codes.table("remark")["N130"],
        },
        {
            "codeListQualifierCode": "RX",
            "codeListQualifierCodeValue": codes.table("remark_code_list")["RX"],
            "remarkCode": "75",
        },
    ],
}


def tree(text: str = SEGMENTS) -> Instance:
    return tree_of(text.split("\n")[1:-1], "HP", VERSION)


class OneOfEach(Filler):
    """Of several names for one place (NM109 as NPI, as tax number ...) one is filled."""

    def kept(self, segment: Segment, offset: int, fields: list[Leaf]) -> list[Leaf]:
        found: dict[tuple[int, int], list[Leaf]] = {}
        for leaf in super().kept(segment, offset, fields):
            place = leaf[1].spec.place
            assert place is not None
            found.setdefault((place.element, place.component), []).append(leaf)
        return [self.random.choice(same) for same in found.values()]


def remittance(seed: int, richness: float) -> Remittance:
    """A valid remittance; the header's control number, numbers as a PER can hold them, no more REFs than a claim may have."""
    made = OneOfEach(GUIDE, seed, richness).document(Remittance, "835")
    made.control_number = HEADER.control_number
    draw = Draw(seed)
    if made.payer is not None:
        business = made.payer.business_contact_information
        if business is not None:
            business.contact_methods = methods(draw, ContactMethod) if business.contact_methods else None
        for contact in made.payer.technical_contact_information or ():
            contact.contact_methods = methods(draw, TechnicalContactMethod) if contact.contact_methods else None
    for adjustment in made.provider_adjustments or ():
        adjustment.adjustments = [a for a in adjustment.adjustments or () if a != ProviderAdjustmentItem()]
    for detail in made.detail_info or ():
        for claim in detail.payment_info or ():
            claim.patient_name = claim.patient_name or PatientName(last_name="DOE")
            for contact in claim.claim_contact_information or ():
                contact.contact_methods = methods(draw, ContactMethod)
            one_contract_class(claim)
    return made


def methods(draw: Draw, kind: type[Method]) -> list[Method]:
    """One to three numbers; an extension, and it alone where the guide wants it, stands last."""
    first = kind(**{draw.one(("email", "phone")): "5125550100"})
    return [first, kind(email="desk@plan.example"), kind(phone_extension="12")][: draw.random.randint(1, 3)]


def one_contract_class(claim: ClaimPayment) -> None:
    """Contract classes as reading gives them: the first one under both names. A claim has room for five REFs."""
    said = claim.other_claim_related_identification
    if said is None:
        return
    said.class_of_contract_codes = (said.class_of_contract_codes or [])[:1] or None
    said.class_of_contract_code = said.class_of_contract_codes[0] if said.class_of_contract_codes else None
    others = [n for n in said.__struct_fields__ if getattr(said, n) and not n.startswith("class")]
    for name in others[4:]:
        setattr(said, name, None)
    if said == ClaimIdentification():
        claim.other_claim_related_identification = None


def stripped(document: Remittance) -> Remittance:
    """The document without the fields that only say in words what a code says."""
    kept = msgspec.to_builtins(document)
    _drop_words(kept)
    return msgspec.convert(kept, Remittance)


def _drop_words(value: Any) -> None:
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            _drop_words(item)
    if isinstance(value, dict):
        held: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        for key in [k for k in held if k.endswith("Value") or k == "remark" or k[:-1] == "adjustmentReason"]:
            del held[key]
        for item in held.values():
            _drop_words(item)


@given(seeds, st.sampled_from((0.0, 0.1, 0.4, 0.8)))
@settings(max_examples=cases(700), deadline=None)
def test_what_is_written_is_read_back(seed: int, richness: float) -> None:
    made = remittance(seed, richness)
    back = received(write_remittance(made, HEADER), "HP", VERSION)
    assert made == stripped(read_remittance(back.tree()))


@given(seeds)
@settings(max_examples=cases(100), deadline=None)
def test_what_is_read_and_sent_as_json_is_written_as_it_was(seed: int) -> None:
    written = write_remittance(remittance(seed, 0.5), HEADER)
    told = msgspec.json.encode(read_remittance(received(written, "HP", VERSION).tree()))
    assert written.segments == write_remittance(msgspec.json.decode(told, type=Remittance), HEADER).segments


@given(seeds)
@settings(max_examples=cases(500), deadline=None)
def test_nothing_received_makes_reading_fail(seed: int) -> None:
    draw = Draw(seed)
    segments = translated(write_remittance(remittance(seed, 0.3), HEADER).segments) if draw.flag() else lines()
    told = msgspec.json.encode(read_remittance(tree_of(mutated(draw, segments), "HP", VERSION)))
    assert told == msgspec.json.encode(msgspec.json.decode(told, type=Remittance))


def lines() -> list[str]:
    return SEGMENTS.split("\n")[1:-1]


def normalised(texts: list[str]) -> list[str]:
    """Without separators at the end; neighbours of one id by their qualifier, whose order is the document's."""
    runs = itertools.groupby((t.rstrip("*") for t in texts), key=lambda t: t.partition("*")[0])
    return [t for name, run in runs for t in (sorted(run) if name in ("REF", "DTM", "AMT", "QTY") else run)]


def test_a_clean_file_is_written_as_it_was_read() -> None:
    sets = [(name, one) for name, one in corpus_sets("835") if one.set_id == "835"]
    assert 12 <= len(sets)
    for name, one in sets:
        told = msgspec.json.encode(read_remittance(one.tree()))
        written = write_remittance(msgspec.json.decode(told, type=Remittance), Header(one.control_number, "", "", ""))
        assert (name, normalised(plain(one.segments, one))) == (name, normalised(plain(written.segments)))


REMITTANCE = {
    "controlNumber": "0001",
    "paymentAndRemitReassociationDetails": {
        "traceTypeCode": "1",
        "checkOrEFTTraceNumber": "TRACE1",
        "originatingCompanyIdentifier": "1512345678",
        "originatingCompanySupplementalCode": "123456789",
    },
    "productionDate": "20260105",
    "receiverIdentifier": "RECEIVER",
    "versionIdentification": "V7",
    "foreignCurrency": "CAD",
    "financialInformation": {
        "transactionHandlingCode": "I",
        "totalActualProviderPaymentAmount": "125",
        "creditOrDebitFlagCode": "C",
        "paymentMethodCode": "ACH",
        "paymentFormatCode": "CCP",
        "senderAccountDetails": {
            "senderDfiIdNumberQualifier": "01",
            "senderDFIIdentifier": "111000025",
            "senderAccountNumberQualifier": "DA",
            "senderAccountNumber": "123456",
        },
        "payerIdentifier": "1512345678",
        "originatingCompanySupplementalCode": "123456789",
        "receiverAccountDetails": {
            "receiverDfiIdNumberQualifier": "01",
            "receiverDfiIdentificationNumber": "111000025",
            "receiverAccountNumberQualifier": "SG",
            "receiverAccountNumber": "98765",
        },
        "checkIssueOrEFTEffectiveDate": "20260105",
    },
    "payer": {
        "name": "PLAN",
        "centersForMedicareAndMedicaidServicesPlanId": "12345",
        "address": {
            "address1": "100 MAIN ST",
            "address2": "SUITE 2",
            "city": "AUSTIN",
            "state": "TX",
            "postalCode": "787010000",
        },
        "payerIdentificationNumber": "PAYER1",
        "businessContactInformation": {
            "contactName": "DESK",
            "contactMethods": [{"phone": "5125550100"}, {"phoneExtension": "12"}],
        },
        "technicalContactInformation": [
            {"contactName": "HELP", "contactMethods": [{"phone": "5125550101"}, {"url": "plan.example"}]}
        ],
        "payerWebSiteUrl": "plan.example/policies",
    },
    "payee": {
        "name": "CLINIC",
        "npi": "1234567893",
        "federalTaxPayersIdentificationNumber": "123456789",
        "remittanceDeliveryMethod": {"onLine": "portal.example"},
    },
    "detailInfo": [
        {
            "assignedNumber": "1",
            "providerSummaryInformation": {
                "providerIdentifier": "P1",
                "facilityTypeCode": "11",
                "fiscalPeriodDate": "20261231",
                "totalClaimCount": "1",
                "totalClaimChargeAmount": "200",
            },
            "paymentInfo": [CLAIM],
        }
    ],
    "providerAdjustments": [
        {
            "providerIdentifier": "1234567893",
            "fiscalPeriodDate": "20261231",
            "adjustments": [
                {
                    "adjustmentReasonCode": "WO",
                    "adjustmentReasonCodeValue": "Overpayment Recovery",
                    "providerAdjustmentIdentifier": "CLAIM0",
                    "providerAdjustmentAmount": "7",
                },
                {
                    "adjustmentReasonCode": "L6",
                    "adjustmentReasonCodeValue": "Interest Owed",
                    "providerAdjustmentAmount": "-2",
                },
            ],
        }
    ],
}


def test_the_names_are_those_of_the_dialect() -> None:
    told = msgspec.to_builtins(read_remittance(tree()))
    claim = told["detailInfo"][0]["paymentInfo"][0]
    assert [LINE] == claim.pop("serviceLines")
    assert claim == CLAIM
    assert REMITTANCE == told


def test_the_example_is_written_as_it_was_read() -> None:
    written = write_remittance(read_remittance(tree()), HEADER)
    assert ([], lines()) == (written.findings, translated(written.segments))


def written_lines(document: Remittance) -> list[str]:
    return translated(write_remittance(document, HEADER).segments)


def claim_of(**fields: Any) -> Remittance:
    return Remittance(detail_info=[Detail(payment_info=[ClaimPayment(**fields)])])


def test_words_are_never_written() -> None:
    line = ServiceLine(
        service_adjustments=[
            Adjustment(claim_adjustment_group_code="CO", claim_adjustment_group_code_value="nonsense")
        ],
        health_care_check_remark_codes=[RemarkCode(code_list_qualifier_code="HE", remark_code="N1", remark="nonsense")],
    )
    written = written_lines(claim_of(service_lines=[line]))
    assert ["CAS*CO", "LQ*HE*N1"] == [s for s in written if s.startswith(("CAS", "LQ"))]


def test_two_fields_with_one_place_are_refused() -> None:
    written = write_remittance(Remittance(payee=Payee(npi="1234567893", tax_id="123456789")), HEADER)
    refused = [f for f in written.findings if f.path == "payee.taxId"]
    assert ["10"] == [f.code for f in refused]
    assert not written.accepted


def test_each_number_of_a_contact_is_written_to_a_pair_of_its_own() -> None:
    contact = TechnicalContact(
        contact_name="HELP", contact_methods=[TechnicalContactMethod(phone="1", phone_extension="2", url="3")]
    )
    payer = RemittancePayer(technical_contact_information=[contact])
    assert "PER*BL*HELP*TE*1*EX*2*UR*3" in written_lines(Remittance(payer=payer))


def test_a_number_too_many_is_refused_with_its_field() -> None:
    methods = [ContactMethod(phone="1"), ContactMethod(fax="2"), ContactMethod(email="3", phone_extension="4")]
    written = write_remittance(
        Remittance(payer=RemittancePayer(business_contact_information=BusinessContact(contact_methods=methods))), HEADER
    )
    path = "payer.businessContactInformation.contactMethods[2].phoneExtension"
    assert [path] == [f.path for f in written.findings if f.code == "12"]


def test_a_delivery_method_with_a_name_alone_goes_by_mail() -> None:
    payee = Payee(remittance_delivery_method=DeliveryMethod(name="CLINIC"))
    assert "RDM*BM*CLINIC" in written_lines(Remittance(payee=payee))


def test_a_provider_known_by_number_alone_is_written_as_a_person() -> None:
    assert "NM1*82*1******XX*1234567893" in written_lines(
        claim_of(rendering_provider=RenderingProvider(npi="1234567893"))
    )


@pytest.mark.parametrize(
    ("code", "listed", "expected"),
    [
        ("GOLD", None, ["GOLD"]),
        (None, ["GOLD", "SILVER"], ["GOLD", "SILVER"]),
        ("GOLD", ["GOLD", "SILVER"], ["GOLD", "SILVER"]),
        ("GOLD", ["SILVER"], ["GOLD", "SILVER"]),
    ],
)
def test_a_contract_class_told_twice_is_written_once(
    code: str | None, listed: list[str] | None, expected: list[str]
) -> None:
    said = ClaimIdentification(class_of_contract_code=code, class_of_contract_codes=listed)
    written = written_lines(claim_of(other_claim_related_identification=said))
    assert [f"REF*CE*{c}" for c in expected] == [s for s in written if s.startswith("REF*CE")]


def test_what_is_missing_is_named_by_its_field() -> None:
    contact = ClaimContact(contact_name="DESK")
    paths = {f.path for f in write_remittance(claim_of(claim_contact_information=[contact]), HEADER).findings}
    assert {
        "financialInformation.transactionHandlingCode",
        "paymentAndRemitReassociationDetails.traceTypeCode",
        "detailInfo[0].paymentInfo[0].claimPaymentInfo.patientControlNumber",
    } <= paths
    assert not any(p is None for p in paths)


def test_unknown_keys_nulls_and_blanks_are_ignored() -> None:
    body = b"""{"meta": {"traceId": "t", "billing": null}, "transactions": [{"id": "7", "payer": null,
        "payee": {"name": "CLINIC", "npi": ""}, "detailInfo": [{"id": "8", "paymentInfo": [
        {"claimAdjustments": [{"claimAdjustmentGroupCode": "", "adjustmentAmount2": ""}]}]}]}]}"""
    report = msgspec.json.decode(body, type=Report835)
    assert report.transactions is not None
    written = written_lines(report.transactions[0])
    assert ["N1*PE*CLINIC"] == [s for s in written if s.startswith("N1*PE")]


@pytest.mark.parametrize(
    ("place", "table"),
    [
        ("CLP02", "claim_payment_status"),
        ("CLP06", "claim_filing_indicator"),
        ("CAS01", "adjustment_group"),
        ("PLB03", "provider_adjustment"),
        ("SVC01", "remittance_procedure_qualifier"),
        ("SVC06", "remittance_procedure_qualifier"),
        ("LQ01", "remark_code_list"),
    ],
)
def test_every_code_of_the_guide_has_words(place: str, table: str) -> None:
    segment = next(s for s in GUIDE.segments if s.id == place[:-2])
    element = segment.elements[int(place[-2:]) - 1]
    part = element.components[0] if element.components else element
    assert set() == set(part.codes or ()) - set(codes.table(table))


def test_a_file_in_other_delimiters_reads_the_same() -> None:
    other = [s.replace(STANDARD.element, "|").replace(STANDARD.component, ">") for s in lines()]
    interchange = read_other(other)
    assert read_remittance(tree()) == read_remittance(interchange)


def read_other(segments: list[str]) -> Instance:
    isa = "ISA|00|          |00|          |ZZ|SENDER         |ZZ|RECEIVER       |260105|0930|!|00501|000000001|0|T|>"
    body = [isa, f"GS|HP|SENDER|RECEIVER|20260105|0930|1|X|{VERSION}", *segments, "GE|1|1", "IEA|1|000000001"]
    return read("".join(f"{s}\n" for s in body).encode())[0].sets[0].tree()

"""Where each field of the CMS-1500 in JSON stands in the dialect's professional claim, both ways.

Sources: the crosswalk of the CMS-1500 (02/12) to the 837P by the National Uniform Claim Committee; 005010X222A1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.sdk import words
from gateway.sdk.form import ClaimForm
from gateway.sdk.translation import DAY, YES, Row, Table, every, first, nowhere, worded
from x12.documents.lenient import decode
from x12.documents.professional_claim import ProfessionalClaim
from x12.finding import Finding

__all__ = ["claim_of_form", "form_of_claim", "told_of_form"]

_ADDRESS = {
    "addressLine1": "address1",
    "addressLine2": "address2",
    "city": "city",
    "state": "state",
    "postalCode": "postalCode",
}
_CONTACT = ("name", "phoneNumber", "phoneExtension", "email", "faxNumber")
_PERSON = ("lastName", "firstName", "middleName", "suffix")
# Names of numbers and REF01, where the dialect has a list of qualified ones.
_QUALIFIED = {"stateLicenseNumber": "0B", "commercialNumber": "G2", "locationNumber": "LU"}


def _address(here: str, there: str) -> Iterator[Row]:
    for mine, theirs in _ADDRESS.items():
        yield Row(f"{here}.address.{mine}", f"{there}.{theirs}")


def _contact(here: str, there: str) -> Iterator[Row]:
    for name in _CONTACT:
        yield Row(f"{here}.contact.{name}", f"{there}.contactInformation.{name}")


def _named(here: str, there: str, *, organization: bool = True, names: Sequence[str] = _PERSON) -> Iterator[Row]:
    if organization:
        yield Row(f"{here}.name.organization", f"{there}.organizationName")
    for name in names:
        yield Row(f"{here}.name.person.{name}", f"{there}.{name}")


def _numbers(here: str, there: str, *names: str) -> Iterator[Row]:
    for name in names:
        yield Row(f"{here}.identifiers.{name}", f"{there}.{name}")


_DATES = {
    "onsetOfCurrentIllness": "symptomDate",
    "lastMenstrualPeriod": "lastMenstrualPeriodDate",
    "initialTreatment": "initialTreatmentDate",
    "lastSeen": "lastSeenDate",
    "acuteManifestationOfChronicCondition": "acuteManifestationDate",
    "accident": "accidentDate",
    "lastXray": "lastXRayDate",
    "prescription": "hearingAndVisionPrescriptionDate",
    "assumedCare": "assumedAndRelinquishedCareBeginDate",
    "relinquishedCare": "assumedAndRelinquishedCareEndDate",
    "firstVisitOrConsultation": "firstContactDate",
    "repricerReceived": "repricerReceivedDate",
    "lastWorked": "lastWorkedDate",
    "returnedToWork": "authorizedReturnToWorkDate",
    "unableToWork.start": "disabilityBeginDate",
    "unableToWork.end": "disabilityEndDate",
    "hospitalization.start": "admissionDate",
    "hospitalization.end": "dischargeDate",
}
_NOTES = {
    "additionalInformation": "additionalInformation",
    "certificationNarrative": "certificationNarrative",
    "goalsRehabilitationOrDischargePlans": "goalRehabOrDischargePlans",
    "diagnosisDescription": "diagnosisDescription",
    "thirdPartyOrganization": "thirdPartOrgNotes",
}
_REFERENCES = {
    "priorAuthorization": "priorAuthorizationNumber",
    "referral": "referralNumber",
    "clia": "cliaNumber",
    "mammographyCertification": "mammographyCertificationNumber",
}
_INFORMATION = "claimInformation"
_SUPPLEMENT = f"{_INFORMATION}.claimSupplementalInformation"
_LINE, _THEIR_LINE = "serviceLines[]", f"{_INFORMATION}.serviceLines[]"
_SERVICE = f"{_THEIR_LINE}.professionalService"
_OTHER, _THEIR_OTHER = "otherInsured[]", f"{_INFORMATION}.otherSubscriberInformation[]"
_OTHER_NAME = f"{_THEIR_OTHER}.otherSubscriberName"


def _attachments(here: str, there: str) -> Iterator[Row]:
    yield Row(f"{here}.reportTypeCode", f"{there}.attachmentReportTypeCode", worded(words.REPORT_TYPE))
    yield Row(f"{here}.transmissionCode", f"{there}.attachmentTransmissionCode", worded(words.TRANSMISSION))
    yield Row(f"{here}.attachmentControlNumber", f"{there}.attachmentControlNumber")


def _parties() -> Iterator[Row]:
    yield Row("purpose", "claimIdentifier", worded(words.PURPOSE))
    yield Row("payer.id", "tradingPartnerServiceId")
    yield Row("payer.name.organization", "tradingPartnerName")
    yield from _address("payer", "payerAddress")
    yield Row("payer.receiverId", "receiver.receiverId")
    yield from _named("submitter", "submitter", names=_PERSON[:3])
    yield Row("submitter.name.person.suffix", "", nowhere("leave it out"))
    yield from _contact("submitter", "submitter")
    yield Row("submitter.etin", "submitter.submitterIdentification")
    yield Row("insured.insuranceType", f"{_INFORMATION}.claimFilingCode", worded(words.INSURANCE_TYPE, "OTHER"))
    yield Row("insured.memberId", "subscriber.memberId")
    yield from _named("insured", "subscriber")
    yield from _address("insured", "subscriber.address")
    yield Row("insured.policyOrGroupNumber", "subscriber.groupNumber")
    yield Row("insured.dateOfBirth", "subscriber.dateOfBirth", DAY)
    yield Row("insured.gender", "subscriber.gender", worded(words.GENDER))
    yield Row("insured.ssn", "subscriber.ssn")
    yield Row("insured.propertyCasualtyClaimNumber", f"{_INFORMATION}.propertyCasualtyClaimNumber")
    yield Row("insured.planName", "subscriber.subscriberGroupName")
    yield Row(
        "insured.paymentResponsibilityLevelCode",
        "subscriber.paymentResponsibilityLevelCode",
        worded(words.ONLY_PRIMARY, "PRIMARY"),
    )
    yield from _named("patient", "dependent", organization=False)
    yield Row("patient.dateOfBirth", "dependent.dateOfBirth", DAY)
    yield Row("patient.gender", "dependent.gender", worded(words.GENDER))
    yield from _address("patient", "dependent.address")
    yield Row(
        "patient.relationshipToInsured",
        "dependent.relationshipToSubscriberCode",
        worded(words.RELATIONSHIP, "OTHER_RELATIONSHIP"),
    )
    for here, there, table in (
        ("patientReleasesMedicalInfo", "releaseInformationCode", words.RELEASE),
        ("insuredAuthorizesAssignment", "benefitsAssignmentCertificationIndicator", words.ASSIGNMENT_OF_BENEFITS),
        ("providerAcceptsAssignment", "planParticipationCode", words.ACCEPTS_ASSIGNMENT),
        ("providerSignature", "signatureIndicator", words.SIGNATURE),
    ):
        yield Row(f"authorization.{here}", f"{_INFORMATION}.{there}", worded(table))


def _visit() -> Iterator[Row]:
    yield Row("encounter.primaryPlaceOfService", f"{_INFORMATION}.placeOfServiceCode")
    yield Row("encounter.patientCondition.autoAccidentState", f"{_INFORMATION}.autoAccidentStateCode")
    yield Row("encounter.claimCodes[]", f"{_INFORMATION}.conditionInformation[0].conditionCodes[]")
    yield Row("encounter.epsdtReferralCodes[]", f"{_INFORMATION}.epsdtReferral.conditionCodes[]", worded(words.EPSDT))
    for here, there in _DATES.items():
        yield Row(f"encounter.clinicalDates.{here}", f"{_INFORMATION}.claimDateInformation.{there}", DAY)
    for here, there in (("referringProvider", "referring"), ("priorReferringProvider", "priorReferring")):
        yield from _named(f"encounter.{here}", there, organization=False)
        yield from _numbers(f"encounter.{here}", there, "npi", "stateLicenseNumber", "commercialNumber")
    yield from _named("encounter.supervisingProvider", "supervising", organization=False)
    yield from _numbers("encounter.supervisingProvider", "supervising", "npi", *_QUALIFIED)
    for here, there in _NOTES.items():
        yield Row(f"encounter.claimNote.{here}", f"{_INFORMATION}.claimNote.{there}")
    yield from _attachments("encounter.attachments[]", f"{_SUPPLEMENT}.reportInformations[]")
    yield Row("encounter.resubmission.code", f"{_INFORMATION}.claimFrequencyCode", worded(words.RESUBMISSION))
    yield Row("encounter.resubmission.originalReferenceNumber", f"{_SUPPLEMENT}.claimControlNumber")
    for here, there in _REFERENCES.items():
        yield Row(f"encounter.referenceNumbers.{here}", f"{_SUPPLEMENT}.{there}")
    yield Row("billing.taxId.ein", "billing.employerId")
    yield Row("billing.taxId.ssn", "billing.ssn")
    yield Row("billing.patientControlNumber", f"{_INFORMATION}.patientControlNumber")
    yield Row("billing.totalCharge", f"{_INFORMATION}.claimChargeAmount")
    yield Row("billing.amountPaid", f"{_INFORMATION}.patientAmountPaid")
    facility = f"{_INFORMATION}.serviceFacilityLocation"
    yield Row("billing.serviceFacility.name.organization", f"{facility}.organizationName")
    yield from _address("billing.serviceFacility", f"{facility}.address")
    yield from _numbers("billing.serviceFacility", facility, "npi")
    yield from _named("billing.billingProvider", "billing")
    yield from _address("billing.billingProvider", "billing.address")
    yield from _contact("billing.billingProvider", "billing")
    yield from _numbers("billing.billingProvider", "billing", "npi", "taxonomyCode", *_QUALIFIED)


def _lines() -> Iterator[Row]:
    for here, there in (
        ("placeOfService", "placeOfServiceCode"),
        ("procedureCode.code", "procedureCode"),
        ("procedureCode.modifiers[]", "procedureModifiers[]"),
        ("lineItemChargeAmount", "lineItemChargeAmount"),
        ("units", "serviceUnitCount"),
        ("narrativeForUnspecifiedCode", "description"),
    ):
        yield Row(f"{_LINE}.{here}", f"{_SERVICE}.{there}")
    for here, there in (
        ("isEmergency", "emergencyIndicator"),
        ("isEpsdtRelated", "epsdtIndicator"),
        ("isFamilyPlanning", "familyPlanningIndicator"),
    ):
        yield Row(f"{_LINE}.{here}", f"{_SERVICE}.{there}", YES)
    yield Row(f"{_LINE}.datesOfService.start", f"{_THEIR_LINE}.serviceDate", DAY)
    yield Row(f"{_LINE}.datesOfService.end", f"{_THEIR_LINE}.serviceDateEnd", DAY)
    yield from _named(f"{_LINE}.renderingProvider", f"{_THEIR_LINE}.renderingProvider")
    yield from _numbers(f"{_LINE}.renderingProvider", f"{_THEIR_LINE}.renderingProvider", "npi", "taxonomyCode")
    yield from _named(f"{_LINE}.orderingProvider", f"{_THEIR_LINE}.orderingProvider", organization=False)
    yield from _numbers(f"{_LINE}.orderingProvider", f"{_THEIR_LINE}.orderingProvider", "npi")
    bought, theirs = f"{_LINE}.purchasedService", f"{_THEIR_LINE}.purchasedServiceInformation"
    yield Row(f"{bought}.chargeAmount", f"{theirs}.purchasedServiceChargeAmount")
    yield Row(f"{bought}.provider.identifiers.npi", f"{theirs}.purchasedServiceProviderIdentifier")
    seller = f"{_THEIR_LINE}.purchasedServiceProvider"
    yield Row(f"{bought}.provider.entityType", f"{seller}.entityTypeQualifier", worded(words.PURCHASED_FROM))
    yield Row(f"{_LINE}.lineItemControlNumber", f"{_THEIR_LINE}.providerControlNumber")
    drug, their_drug = f"{_LINE}.drugIdentification", f"{_THEIR_LINE}.drugIdentification"
    yield Row(
        f"{drug}.nationalDrugCode",
        f"{their_drug}.nationalDrugCode",
        beside={f"{their_drug}.serviceIdQualifier": "N4"},
    )
    yield Row(f"{drug}.unitCount", f"{their_drug}.nationalDrugUnitCount")
    yield Row(f"{drug}.unitOfMeasure", f"{their_drug}.measurementUnitCode", worded(words.DRUG_UNIT))
    yield Row(f"{drug}.originalNdc", "", nowhere("leave it out"))
    for name in ("linkSequenceNumber", "pharmacyPrescriptionNumber"):
        yield Row(f"{drug}.associationNumber.{name}", f"{their_drug}.{name}")
    yield from _attachments(f"{_LINE}.attachments[]", f"{_THEIR_LINE}.serviceLineSupplementalInformation[]")
    prior = f"{_THEIR_LINE}.serviceLineReferenceInformation.priorAuthorization[]"
    yield Row(f"{_LINE}.priorAuthorizations[].priorAuthorizationNumber", f"{prior}.priorAuthorizationOrReferralNumber")
    yield Row(f"{_LINE}.priorAuthorizations[].otherPayerPrimaryId", f"{prior}.otherPayerPrimaryIdentifier")


def _others() -> Iterator[Row]:
    for here, there in (("organization", "2"), ("person.lastName", "1")):
        yield Row(
            f"{_OTHER}.name.{here}",
            f"{_OTHER_NAME}.otherInsuredLastName",
            beside={f"{_OTHER_NAME}.otherInsuredQualifier": there},
        )
    for here, there in (
        ("name.person.firstName", "otherInsuredFirstName"),
        ("name.person.middleName", "otherInsuredMiddleName"),
        ("name.person.suffix", "otherInsuredNameSuffix"),
        ("ssn", "otherInsuredAdditionalIdentifier"),
    ):
        yield Row(f"{_OTHER}.{here}", f"{_OTHER_NAME}.{there}")
    yield Row(
        f"{_OTHER}.memberId",
        f"{_OTHER_NAME}.otherInsuredIdentifier",
        beside={f"{_OTHER_NAME}.otherInsuredIdentifierTypeCode": "MI"},
    )
    yield from _address(_OTHER, f"{_OTHER_NAME}.otherInsuredAddress")
    payer = f"{_THEIR_OTHER}.otherPayerName"
    yield Row(f"{_OTHER}.otherPayer.name.organization", f"{payer}.otherPayerOrganizationName")
    for here, kind in (("payerId", "PI"), ("cmsPlanId", "XV")):
        yield Row(
            f"{_OTHER}.otherPayer.id.{here}",
            f"{payer}.otherPayerIdentifier",
            beside={f"{payer}.otherPayerIdentifierTypeCode": kind},
        )
    yield Row(f"{_OTHER}.policyOrGroupNumber", f"{_THEIR_OTHER}.insuranceGroupOrPolicyNumber")
    yield Row(f"{_OTHER}.planName", f"{_THEIR_OTHER}.otherInsuredGroupName")
    for here, there, table in (
        ("responsibilityLevel", "paymentResponsibilityLevelCode", words.RESPONSIBILITY),
        ("relationshipToInsured", "individualRelationshipCode", words.OTHER_RELATIONSHIP),
        ("claimFilingIndicator", "claimFilingIndicatorCode", words.FILING),
        ("medicareSecondaryInsuranceType", "insuranceTypeCode", words.MEDICARE_SECONDARY),
        (
            "authorization.insuredAuthorizesAssignment",
            "benefitsAssignmentCertificationIndicator",
            words.ASSIGNMENT_OF_BENEFITS,
        ),
        ("authorization.patientReleasesMedicalInfo", "releaseOfInformationCode", words.RELEASE),
    ):
        yield Row(f"{_OTHER}.{here}", f"{_THEIR_OTHER}.{there}", worded(table))
    yield Row(
        f"{_OTHER}.authorization.providerGeneratedPatientSignature",
        f"{_THEIR_OTHER}.patientSignatureGeneratedForPatient",
    )


_TABLE = Table([*_parties(), *_visit(), *_lines(), *_others()])
# Where findings of the dialect stand that no row has: by the path there with the places of lists left out.
_BY_HAND = {
    f"{_INFORMATION}.healthCareCodeInformation": "encounter.primaryDiagnosisCode",
    f"{_INFORMATION}.relatedCausesCode": "encounter.patientCondition",
}
_CAUSES = {"isEmploymentRelated": "EM", "isAutoAccidentRelated": "AA", "isOtherAccidentRelated": "OA"}
_DIAGNOSES_MAX = 12


# --- from the form ---------------------------------------------------------------------------------------------------


def claim_of_form(body: bytes) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The dialect's claim out of a CMS-1500 in JSON, or None with every reason why not, each under the path in the form."""
    form, findings = decode(ClaimForm, body)
    if form is None:
        return None, findings
    said: dict[str, Any] = msgspec.to_builtins(form)
    claim, findings = _TABLE.there(said)
    information = claim.setdefault(_INFORMATION, {})
    findings += _diagnoses(said, information)
    findings += _unplaced(said)
    _causes(said, information)
    _lines_there(said, information)
    _facility_there(said, information)
    referral = information.get("epsdtReferral")
    if referral is not None:
        used = referral["conditionCodes"] != ["NU"]
        referral["certificationConditionCodeAppliesIndicator"] = "Y" if used else "N"
    information.setdefault("claimFrequencyCode", "1")
    return (None if findings else claim), findings


def _code(text: str) -> str:
    return text.strip().upper().replace(".", "")


def _diagnoses(said: dict[str, Any], information: dict[str, Any]) -> list[Finding]:
    """The claim's list of diagnoses: the first, those of the visit, those of the lines; and the pointers of the lines."""
    encounter = said["encounter"]
    lines: list[list[str]] = [[_code(c) for c in line["diagnosisCodes"]] for line in said["serviceLines"]]
    listed = [encounter["primaryDiagnosisCode"], *(encounter.get("additionalDiagnosisCodes") or ())]
    codes = list(dict.fromkeys([*map(_code, listed), *(c for line in lines for c in line)]))
    information["healthCareCodeInformation"] = [
        {"diagnosisTypeCode": "ABF" if index else "ABK", "diagnosisCode": code} for index, code in enumerate(codes)
    ]
    for line, theirs in zip(lines, information.setdefault("serviceLines", []), strict=False):
        pointers = [str(codes.index(code) + 1) for code in dict.fromkeys(line)]
        theirs["professionalService"]["compositeDiagnosisCodePointers"] = {"diagnosisCodePointers": pointers}
    if len(codes) > _DIAGNOSES_MAX:
        path = "encounter.additionalDiagnosisCodes"
        message = f"{path}: a claim has at most {_DIAGNOSES_MAX} different diagnoses, those of its lines included."
        return [Finding(2, "element", "3", message, path=path)]
    return []


def _unplaced(said: dict[str, Any]) -> Iterator[Finding]:
    """Attachments that are said to lie here: none do."""
    lines: list[dict[str, Any]] = said["serviceLines"]
    listed = [("encounter.attachments", every(said, "encounter.attachments[]"))]
    listed += [(f"serviceLines[{n}].attachments", every(line, "attachments[]")) for n, line in enumerate(lines)]
    for where, attachments in listed:
        for index, attachment in enumerate(attachments):
            if attachment.get("attachmentId"):
                path = f"{where}[{index}].attachmentId"
                message = f"{path}: no attachment is kept here. Send it yourself and give its attachmentControlNumber."
                yield Finding(1, "element", "7", message, path=path)


def _causes(said: dict[str, Any], information: dict[str, Any]) -> None:
    causes = [code for name, code in _CAUSES.items() if first(said, f"encounter.patientCondition.{name}")]
    if causes:
        information["relatedCausesCode"] = causes


def _lines_there(said: dict[str, Any], information: dict[str, Any]) -> None:
    """What a line says otherwise there: one day once, minutes of anesthesia, qualified numbers; the claim's own place."""
    places = Counter(every(information, "serviceLines[].professionalService.placeOfServiceCode"))
    if places:
        information.setdefault("placeOfServiceCode", places.most_common(1)[0][0])
    for line, theirs in zip(said["serviceLines"], information["serviceLines"], strict=True):
        if theirs.get("serviceDateEnd") == theirs.get("serviceDate"):
            theirs.pop("serviceDateEnd", None)
        service = theirs["professionalService"]
        procedure = str(service.get("procedureCode", ""))
        anesthesia = len(procedure) == 5 and procedure.isdigit() and procedure < "02000"
        service["measurementUnit"] = "MJ" if anesthesia else "UN"
        # SV105 is there only where it differs from CLM05-1.
        if service.get("placeOfServiceCode") == information.get("placeOfServiceCode"):
            service.pop("placeOfServiceCode", None)
        for name in ("renderingProvider", "orderingProvider"):
            for number in _QUALIFIED:
                value = first(line, f"{name}.identifiers.{number}")
                if value:
                    theirs[name][number] = value
        seller = first(theirs, "purchasedServiceInformation.purchasedServiceProviderIdentifier")
        if seller:
            theirs["purchasedServiceProvider"]["npi"] = seller


def _facility_there(said: dict[str, Any], information: dict[str, Any]) -> None:
    numbers = {q: first(said, f"billing.serviceFacility.identifiers.{name}") for name, q in _QUALIFIED.items()}
    listed = [{"qualifier": q, "identifier": number} for q, number in numbers.items() if number]
    if listed:
        information["serviceFacilityLocation"]["secondaryIdentifier"] = listed


def told_of_form(finding: Finding) -> tuple[str | None, str]:
    """Where a finding of the dialect's claim stands in the form, and its message in the form's names."""
    if finding.path is None:
        return None, finding.message
    bare = finding.path.split("[")[0]
    path = _BY_HAND.get(bare) or _TABLE.path_here(finding.path)
    return path, finding.message.replace(finding.path, path or finding.place)


# --- to the form -----------------------------------------------------------------------------------------------------


def form_of_claim(claim: ProfessionalClaim) -> dict[str, Any]:
    """A claim as the CMS-1500 in JSON."""
    said: dict[str, Any] = msgspec.to_builtins(claim)
    form = _TABLE.here(said)
    information: dict[str, Any] = said.get(_INFORMATION) or {}
    diagnoses = every(information, "healthCareCodeInformation[].diagnosisCode")
    encounter = form.setdefault("encounter", {})
    encounter["primaryDiagnosisCode"] = diagnoses[0] if diagnoses else ""
    if diagnoses[1:]:
        encounter["additionalDiagnosisCodes"] = diagnoses[1:]
    causes = every(information, "relatedCausesCode[]")
    encounter.setdefault("patientCondition", {}).update({name: code in causes for name, code in _CAUSES.items()})
    for mine, theirs in zip(every(form, "serviceLines[]"), every(information, "serviceLines[]"), strict=True):
        _line_here(mine, theirs, diagnoses, information.get("placeOfServiceCode"))
    facility = every(information, "serviceFacilityLocation.secondaryIdentifier[]")
    _numbers_here(first(form, "billing.serviceFacility"), facility)
    return form


def _line_here(mine: dict[str, Any], theirs: dict[str, Any], diagnoses: list[str], place: str | None) -> None:
    dates = mine.setdefault("datesOfService", {})
    if "start" in dates:
        dates.setdefault("end", dates["start"])
    if place:
        mine.setdefault("placeOfService", place)
    pointers = every(theirs, "professionalService.compositeDiagnosisCodePointers.diagnosisCodePointers[]")
    numbers = [int(p) for p in pointers if str(p).isdigit()]
    mine["diagnosisCodes"] = [diagnoses[n - 1] for n in numbers if 0 < n <= len(diagnoses)]
    for name in ("renderingProvider", "orderingProvider"):
        _numbers_here(mine.get(name), every(theirs, f"{name}.secondaryIdentifier[]"))


def _numbers_here(mine: dict[str, Any] | None, listed: list[Any]) -> None:
    names = {qualifier: name for name, qualifier in _QUALIFIED.items()}
    for one in listed:
        if mine is not None and one.get("qualifier") in names and one.get("identifier"):
            mine.setdefault("identifiers", {})[names[one["qualifier"]]] = one["identifier"]

"""Bodies of the official SDK's operations: a claim with everything that the form has, one with what it must have, a check."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["check", "full_form", "small_form"]

_ADDRESS = {"addressLine1": "7 BIRCH ST", "city": "PORTLAND", "state": "OR", "postalCode": "972010000"}


def check(member_id: str = "SANDBOX-ACTIVE", **subscriber: Any) -> dict[str, Any]:
    """An eligibility check for a member of the sandbox payer."""
    return {
        "payerId": "SANDBOX",
        "provider": {"name": {"organization": "ALDER FAMILY PRACTICE"}, "npi": "1999996667"},
        "subscriber": {
            "memberId": member_id,
            "name": {"person": {"firstName": "ADA", "lastName": "ABARA"}},
            "dateOfBirth": "1980-02-29",
            **subscriber,
        },
        "encounter": {"services": [{"system": "STC", "value": "30"}, {"system": "STC", "value": "98"}]},
    }


def small_form(patient_control_number: str, charge: str = "120.00") -> dict[str, Any]:
    """A claim that the edits find nothing wrong with. The number's beginning is the sandbox payer's script."""
    form = {
        "purpose": "CHARGEABLE",
        "payer": {"id": "SANDBOX", "name": {"organization": "SANDBOX HEALTH PLAN"}},
        "submitter": {
            "name": {"organization": "ALDER FAMILY PRACTICE"},
            "contact": {"name": "BILLING", "phoneNumber": "5035550100"},
            "etin": "ALDER1",
        },
        "insured": {
            "insuranceType": "OTHER",
            "memberId": f"M{patient_control_number[-12:]}",
            "name": {"person": {"firstName": "ADA", "lastName": "ABARA"}},
            "dateOfBirth": "1980-02-29",
            "gender": "FEMALE",
            "address": _ADDRESS,
            "paymentResponsibilityLevelCode": "PRIMARY",
        },
        "authorization": {
            "patientReleasesMedicalInfo": "YES",
            "insuredAuthorizesAssignment": "YES",
            "providerAcceptsAssignment": "ASSIGNED",
            "providerSignature": "ON_FILE",
        },
        "encounter": {"primaryDiagnosisCode": "J0190", "primaryPlaceOfService": "11"},
        "billing": {
            "taxId": {"ein": "930000000"},
            "patientControlNumber": patient_control_number,
            "totalCharge": charge,
            "billingProvider": {
                "name": {"organization": "ALDER FAMILY PRACTICE"},
                "address": _ADDRESS,
                "identifiers": {"npi": "1999996667", "taxonomyCode": "207Q00000X"},
            },
        },
        "serviceLines": [
            {
                "datesOfService": {"start": "2025-12-02", "end": "2025-12-02"},
                "procedureCode": {"code": "99213"},
                "diagnosisCodes": ["J0190"],
                "lineItemChargeAmount": charge,
                "units": "1",
                "placeOfService": "11",
            }
        ],
    }
    # Parts that are alike must not be one.
    return json.loads(json.dumps(form))


def _person(last: str, first: str) -> dict[str, Any]:
    return {"person": {"lastName": last, "firstName": first, "middleName": "Q", "suffix": "JR"}}


def _numbers(npi: str, *names: str) -> dict[str, str]:
    return {"npi": npi, **{name: f"{name[:3].upper()}{n}44" for n, name in enumerate(names)}}


_THREE = ("stateLicenseNumber", "commercialNumber", "locationNumber")
_DAYS = (
    *("onsetOfCurrentIllness", "lastMenstrualPeriod", "initialTreatment", "lastSeen"),
    *(
        "acuteManifestationOfChronicCondition",
        "accident",
        "lastXray",
        "prescription",
        "assumedCare",
        "relinquishedCare",
    ),
    *("firstVisitOrConsultation", "repricerReceived", "lastWorked", "returnedToWork"),
)


def full_form(patient_control_number: str = "PCN-FULL") -> dict[str, Any]:
    """A claim with every field of the form that an 837P can carry, but for the other member of each union."""
    form = small_form(patient_control_number, "300.00")
    form["payer"]["address"] = {**_ADDRESS, "addressLine2": "SUITE 9"}
    form["submitter"]["contact"] |= {"phoneExtension": "12", "email": "billing@alder.example"}
    form["insured"] |= {
        "policyOrGroupNumber": "GRP1",
        "ssn": "123006789",
        "propertyCasualtyClaimNumber": "PC1",
        "planName": "GOLD PLAN",
    }
    form["patient"] = {
        "name": _person("ABARA", "BEA"),
        "dateOfBirth": "2015-08-21",
        "gender": "UNKNOWN",
        "address": _ADDRESS,
        "relationshipToInsured": "CHILD",
    }
    form["encounter"] |= {
        "additionalDiagnosisCodes": ["R0602", "E119"],
        "patientCondition": {
            "isEmploymentRelated": True,
            "isAutoAccidentRelated": True,
            "isOtherAccidentRelated": False,
            "autoAccidentState": "OR",
        },
        "claimCodes": ["AV", "D8"],
        "epsdtReferralCodes": ["UNDER_TREATMENT", "NEW_SERVICE_REQUESTED"],
        "clinicalDates": {
            **{name: f"2025-11-{number:02d}" for number, name in enumerate(_DAYS, 1)},
            "unableToWork": {"start": "2025-11-20", "end": "2025-11-24"},
            "hospitalization": {"start": "2025-11-20", "end": "2025-11-22"},
        },
        "referringProvider": {"name": _person("CLARK", "CY"), "identifiers": _numbers("1245319599", *_THREE[:2])},
        "priorReferringProvider": {"name": _person("DIAZ", "DEE"), "identifiers": _numbers("1083827763")},
        "supervisingProvider": {"name": _person("EVANS", "ED"), "identifiers": _numbers("1396718825", *_THREE)},
        "claimNote": {"additionalInformation": "SEEN IN OFFICE"},
        "attachments": [
            {
                "reportTypeCode": "PROGRESS_REPORT",
                "transmissionCode": "ELECTRONICALLY_ONLY",
                "attachmentControlNumber": "PWK1",
            }
        ],
        "resubmission": {"code": "REPLACEMENT_OF_PRIOR_CLAIM", "originalReferenceNumber": "ORIG1"},
        "referenceNumbers": {
            "priorAuthorization": "PA1",
            "referral": "RF1",
            "clia": "14D2089999",
            "mammographyCertification": "MC1",
        },
    }
    form["billing"] |= {
        "amountPaid": "10.00",
        "serviceFacility": {
            "name": {"organization": "ALDER CLINIC"},
            "address": _ADDRESS,
            "identifiers": _numbers("1730289013", *_THREE),
        },
    }
    billing = form["billing"]["billingProvider"]
    billing["contact"] = {"name": "BILLING", "phoneNumber": "5035550101"}
    billing["identifiers"] |= {"stateLicenseNumber": "LIC1", "commercialNumber": "COM1", "locationNumber": "LOC1"}
    form["serviceLines"] = [_full_line(), _drug_line()]
    form["otherInsured"] = [_other()]
    return form


def _full_line() -> dict[str, Any]:
    return {
        "datesOfService": {"start": "2025-12-02", "end": "2025-12-03"},
        "placeOfService": "12",
        "isEmergency": True,
        "procedureCode": {"code": "99213", "modifiers": ["25", "GT"]},
        "diagnosisCodes": ["R0602", "J0190"],
        "lineItemChargeAmount": "200.00",
        "units": "2",
        "isEpsdtRelated": True,
        "isFamilyPlanning": True,
        "renderingProvider": {
            "name": _person("FOX", "FAY"),
            "identifiers": {**_numbers("1245319599", *_THREE), "taxonomyCode": "207Q00000X"},
        },
        "orderingProvider": {"name": _person("GRAY", "GUS"), "identifiers": _numbers("1083827763", *_THREE[:2])},
        "purchasedService": {
            "chargeAmount": "50.00",
            "provider": {"entityType": "ORGANIZATION", "identifiers": {"npi": "1730289013"}},
        },
        "lineItemControlNumber": "L1",
        "narrativeForUnspecifiedCode": "OFFICE VISIT",
        "attachments": [
            {"reportTypeCode": "OPERATIVE_NOTE", "transmissionCode": "BY_FAX", "attachmentControlNumber": "PWK2"}
        ],
        "priorAuthorizations": [{"priorAuthorizationNumber": "PA2", "otherPayerPrimaryId": "OTHER1"}],
    }


def _drug_line() -> dict[str, Any]:
    return {
        "datesOfService": {"start": "2025-12-02", "end": "2025-12-02"},
        "placeOfService": "11",
        "procedureCode": {"code": "J1885"},
        "diagnosisCodes": ["E119"],
        "lineItemChargeAmount": "100.00",
        "units": "10",
        "lineItemControlNumber": "L2",
        "drugIdentification": {
            "nationalDrugCode": "00409120130",
            "unitCount": "300",
            "unitOfMeasure": "MILLIGRAM",
            "associationNumber": {"pharmacyPrescriptionNumber": "RX1"},
        },
    }


def _other() -> dict[str, Any]:
    return {
        "name": _person("HALL", "HAL"),
        "memberId": "OTHERMEMBER",
        "responsibilityLevel": "SECONDARY",
        "relationshipToInsured": "SPOUSE",
        "claimFilingIndicator": "BLUE_CROSS_BLUE_SHIELD",
        "otherPayer": {"name": {"organization": "OTHER PLAN"}, "id": {"payerId": "OTHER1"}},
        "address": _ADDRESS,
        "policyOrGroupNumber": "GRP2",
        "planName": "OTHER PPO",
        "ssn": "123006788",
        "medicareSecondaryInsuranceType": "WORKERS_COMPENSATION",
        "authorization": {
            "insuredAuthorizesAssignment": "YES",
            "providerGeneratedPatientSignature": True,
            "patientReleasesMedicalInfo": "INFORMED_CONSENT",
        },
    }

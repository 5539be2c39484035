"""Requests of a practice that there is not, in the dialect's JSON: for the demo, the simulator, tests and benches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["claim", "claim_of_lines", "eligibility"]

_PROVIDER = {"organizationName": "ALDER FAMILY PRACTICE", "npi": "1999996667"}


def eligibility(member_id: str, payer_id: str = "SANDBOX") -> dict[str, Any]:
    """A question about a member."""
    return {
        "tradingPartnerServiceId": payer_id,
        "provider": _PROVIDER,
        "subscriber": {"memberId": member_id, "firstName": "ADA", "lastName": "ABARA", "dateOfBirth": "19800229"},
        "encounter": {"serviceTypeCodes": ["30", "98"]},
    }


def claim(number: str, last_name: str, charge: str, payer_id: str = "SANDBOX") -> dict[str, Any]:
    """A professional claim of two lines that nothing is wrong with; `charge` in dollars."""
    cents = round(float(charge) * 100)
    lines = [("99213", f"{(cents - cents // 3) / 100:.2f}"), ("85025", f"{cents // 3 / 100:.2f}")]
    return claim_of_lines(number, last_name, f"{cents / 100:.2f}", lines, f"MEM{number[-4:]}", payer_id)


def claim_of_lines(
    number: str,
    last_name: str,
    charge: str,
    lines: Sequence[tuple[str, str]],
    member_id: str,
    payer_id: str = "SANDBOX",
) -> dict[str, Any]:
    """A professional claim with these lines, each a procedure and its charge in dollars."""
    address = {"address1": "7 BIRCH ST", "city": "PORTLAND", "state": "OR", "postalCode": "972010000"}
    return {
        "tradingPartnerServiceId": payer_id,
        "submitter": {
            "organizationName": "ALDER FAMILY PRACTICE",
            "contactInformation": {"name": "BILLING", "phoneNumber": "5035550100"},
        },
        "receiver": {"organizationName": "SANDBOX HEALTH PLAN"},
        "billing": {**_PROVIDER, "employerId": "930000000", "taxonomyCode": "207Q00000X", "address": address},
        "subscriber": {
            "memberId": member_id,
            "paymentResponsibilityLevelCode": "P",
            "firstName": "ADA",
            "lastName": last_name,
            "gender": "F",
            "dateOfBirth": "19800229",
            "address": address,
        },
        "claimInformation": {
            "claimFilingCode": "CI",
            "patientControlNumber": number,
            "claimChargeAmount": charge,
            "placeOfServiceCode": "11",
            "claimFrequencyCode": "1",
            "signatureIndicator": "Y",
            "planParticipationCode": "A",
            "benefitsAssignmentCertificationIndicator": "Y",
            "releaseInformationCode": "Y",
            "healthCareCodeInformation": [{"diagnosisTypeCode": "ABK", "diagnosisCode": "J0190"}],
            "serviceLines": [
                {
                    "serviceDate": "20251202",
                    "professionalService": {
                        "procedureIdentifier": "HC",
                        "procedureCode": code,
                        "lineItemChargeAmount": amount,
                        "measurementUnit": "UN",
                        "serviceUnitCount": "1",
                        "compositeDiagnosisCodePointers": {"diagnosisCodePointers": ["1"]},
                    },
                }
                for code, amount in lines
            ],
        },
    }

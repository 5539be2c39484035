"""Where each field of the official SDK's eligibility check stands in the dialect's eligibility request.

Source: 005010X279A1, loops 2100A to 2110D of the 270.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.sdk import words
from gateway.sdk.check import Check
from gateway.sdk.translation import DAY, Row, Table, Unfit, every, first, nowhere, worded
from x12.documents.lenient import decode
from x12.finding import Finding

__all__ = ["question_of_check", "told_of_check"]

_ADDRESS = {
    "addressLine1": "address1",
    "addressLine2": "address2",
    "city": "city",
    "state": "state",
    "postalCode": "postalCode",
    "country": "countryCode",
    "countrySubdivision": "countrySubDivisionCode",
}
# What the dialect calls those who ask.
_ASKER = words.Words(
    {
        "PROVIDER": "provider",
        "THIRD_PARTY_ADMINISTRATOR": "third-party administrator",
        "EMPLOYER": "employer",
        "HOSPITAL": "hospital",
        "FACILITY": "facility",
        "GATEWAY_PROVIDER": "gateway provider",
        "PLAN_SPONSOR": "plan sponsor",
    }
)
_PROVIDER_NUMBERS = {
    "npi": "npi",
    "tin": "taxId",
    "ein": "employersId",
    "ssn": "ssn",
    "serviceProviderNumber": "serviceProviderNumber",
    "pharmacyProcessorNumber": "pharmacyProcessorNumber",
}
_RECEIVER = "informationReceiverName"
_PROVIDER_MORE = {
    "stateLicense.number": f"{_RECEIVER}.stateLicenceNumber",
    "stateLicense.state": f"{_RECEIVER}.informationReceiverAdditionalIdentifierState",
    "medicareProviderNumber": f"{_RECEIVER}.medicareProviderNumber",
    "medicaidProviderNumber": f"{_RECEIVER}.medicaidProviderNumber",
    "facilityIdNumber": f"{_RECEIVER}.facilityIdNumber",
    "contractNumber": f"{_RECEIVER}.contractNumber",
    "planNetworkId": f"{_RECEIVER}.providerPlanNetworkIdNumber",
    "facilityNetworkId": f"{_RECEIVER}.facilityNetworkIdNumber",
    "personalIdentificationNumber": "portalPassword",
    "electronicDevicePin": f"{_RECEIVER}.devicePinNumber",
    "submitterId": f"{_RECEIVER}.submitterIdNumber",
    "userId": "portalUsername",
    "priorIdentifierNumber": f"{_RECEIVER}.priorIdentifierNumber",
}
_PATIENT_MORE = {
    "ssn": "ssn",
    "groupNumber": "groupNumber",
    "identityCardNumber": "idCard",
    "planNumber": "additionalIdentification.planNumber",
    "groupOrPolicyNumber": "additionalIdentification.policyNumber",
    "contractNumber": "additionalIdentification.contractNumber",
    "patientAccountNumber": "additionalIdentification.patientAccountNumber",
    "mbi": "additionalIdentification.healthInsuranceClaimNumber",
    "identificationCardSerialNumber": "additionalIdentification.identificationCardSerialNumber",
    "insurancePolicyNumber": "additionalIdentification.insurancePolicyNumber",
    "planNetworkId": "additionalIdentification.planNetworkIdentificationNumber",
    "agencyClaimNumber": "additionalIdentification.agencyClaimNumber",
    "medicalRecordId": "additionalIdentification.medicalRecordIdentificationNumber",
}
_SUBSCRIBER_MORE = {
    **_PATIENT_MORE,
    "medicaidRecipientId": "medicaidRecipientIdentificationNumber",
    "caseNumber": "caseNumber",
}
_DEPENDENT_MORE = {
    **_PATIENT_MORE,
    "eligibilityCategory": "eligibilityCategory",
    "issueNumber": "issueNumber",
    "memberId": "additionalIdentification.memberIdentificationNumber",
}


def _asker() -> Iterator[Row]:
    yield Row("payerId", "tradingPartnerServiceId")
    yield Row("payerName", "tradingPartnerName")
    yield Row("provider.name.organization", "provider.organizationName")
    yield Row("provider.name.person.lastName", "provider.lastName")
    yield Row("provider.name.person.firstName", "provider.firstName")
    for name in ("middleName", "suffix"):
        yield Row(f"provider.name.person.{name}", "", nowhere("leave it out"))
    yield Row("provider.type", "provider.providerType", worded(_ASKER))
    for here, there in _PROVIDER_NUMBERS.items():
        yield Row(f"provider.{here}", f"provider.{there}")
    for here, there in _ADDRESS.items():
        yield Row(f"provider.address.{here}", f"{_RECEIVER}.address.{there}")
    for here, there in _PROVIDER_MORE.items():
        yield Row(f"provider.additionalInformation.{here}", there)
    yield Row("provider.provider.code", "provider.providerCode", worded(words.PROVIDER_ROLE))
    yield Row("provider.provider.reference", "provider.referenceIdentification")


def _person(here: str, there: str, more: dict[str, str]) -> Iterator[Row]:
    for name in ("lastName", "firstName", "middleName", "suffix"):
        yield Row(f"{here}.name.person.{name}", f"{there}.{name}")
    yield Row(f"{here}.dateOfBirth", f"{there}.dateOfBirth", DAY)
    yield Row(f"{here}.gender", f"{there}.gender", worded(words.GENDER))
    for mine, theirs in more.items():
        yield Row(f"{here}.additionalInformation.{mine}", f"{there}.{theirs}")
    for mine, theirs in _ADDRESS.items():
        yield Row(f"{here}.address.{mine}", f"{there}.address.{theirs}")
    yield Row(f"{here}.provider.code", f"{there}.providerCode", worded(words.PROVIDER_ROLE))
    yield Row(
        f"{here}.provider.reference",
        f"{there}.providerIdentifier",
        beside={f"{there}.referenceIdentificationQualifier": "PXC"},
    )


def _asked() -> Iterator[Row]:
    yield from _person("subscriber", "subscriber", _SUBSCRIBER_MORE)
    yield Row("subscriber.name.organization", "", nowhere("name the person who is insured"))
    yield Row("subscriber.memberId", "subscriber.memberId")
    yield from _person("dependent", "dependents[0]", _DEPENDENT_MORE)
    yield Row(
        "dependent.relationToSubscriber", "dependents[0].individualRelationshipCode", worded(words.ASKED_RELATIONSHIP)
    )
    yield Row("encounter.placeOfService.code", "encounter.industryCode")
    for here, qualifier in (("priorAuthNumber", "G1"), ("referralNumber", "9F")):
        yield Row(
            f"encounter.additionalInformation.{here}",
            "encounter.priorAuthorizationOrReferralNumber",
            beside={"encounter.referenceIdentificationQualifier": qualifier},
        )
    yield Row("externalPatientId", "externalPatientId")
    yield Row("eligibilitySearchId", "eligibilitySearchId")


_TABLE = Table([*_asker(), *_asked()])
_BY_HAND = {
    "encounter.serviceTypeCodes": "encounter.services",
    "encounter.procedureCode": "encounter.services",
    "encounter.medicalProcedures": "encounter.services",
    "encounter.dateOfService": "encounter.dates.service.start",
    "encounter.beginningDateOfService": "encounter.dates.service.start",
    "encounter.endDateOfService": "encounter.dates.service.end",
}


def question_of_check(body: bytes) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The dialect's eligibility request out of a check, or None with every reason why not, each under the check's own path."""
    check, findings = decode(Check, body)
    if check is None:
        return None, findings
    said: dict[str, Any] = msgspec.to_builtins(check)
    question, findings = _TABLE.there(said)
    encounter = question.setdefault("encounter", {})
    findings += _services(said, encounter)
    findings += _days(said, encounter)
    if first(said, "encounter.additionalInformation.priorAuthNumber") and first(
        said, "encounter.additionalInformation.referralNumber"
    ):
        path = "encounter.additionalInformation.referralNumber"
        findings.append(Finding(2, "element", "3", f"{path}: a 270 has room for one of the two numbers.", path=path))
    return (None if findings else question), findings


def _services(said: dict[str, Any], encounter: dict[str, Any]) -> Iterator[Finding]:
    """Service types are asked together, procedures one by one."""
    types: list[str] = []
    procedures: list[dict[str, str]] = []
    for index, service in enumerate(every(said, "encounter.services[]")):
        system = service["system"]
        if system not in words.CODE_SYSTEM:
            path = f"encounter.services[{index}].system"
            yield Finding(1, "element", "7", f"{path} must be one of {', '.join(words.CODE_SYSTEM)}.", path=path)
        elif words.CODE_SYSTEM[system]:
            qualifier = words.CODE_SYSTEM[system]
            procedures.append({"productOrServiceIDQualifier": qualifier, "procedureCode": service["value"]})
        else:
            types.append(service["value"])
    if types:
        encounter["serviceTypeCodes"] = types
    elif procedures:
        encounter.update(procedures.pop(0))
    if procedures:
        encounter["medicalProcedures"] = procedures


def _days(said: dict[str, Any], encounter: dict[str, Any]) -> Iterator[Finding]:
    days: dict[str, str] = {}
    for name in ("start", "end"):
        value = first(said, f"encounter.dates.service.{name}")
        try:
            if value is not None:
                days[name] = DAY.there(value)
        except Unfit as error:
            path = f"encounter.dates.service.{name}"
            yield Finding(1, "element", "8", f"{path} {error}.", path=path)
    if days.get("start", "") == days.get("end", days.get("start", "")):
        if "start" in days:
            encounter["dateOfService"] = days["start"]
    elif "start" in days:
        encounter["beginningDateOfService"], encounter["endDateOfService"] = days["start"], days["end"]
    else:
        path = "encounter.dates.service.start"
        yield Finding(1, "element", "1", f"{path} is required where an end is given.", path=path)


def told_of_check(path: str | None, message: str) -> tuple[str | None, str]:
    """Where a fault of the dialect's request stands in the check, and its message in the check's names."""
    if path is None:
        return None, message
    here = _BY_HAND.get(path.split("[")[0]) or _TABLE.path_here(path)
    return here, message.replace(path, here or "the check")

"""The messages of the dialect that are transaction sets, each as the sweep needs it: rich ones by a seed, both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec

from tests.dialect.probes import Probe
from tests.dialect.sweep import Subject, Sweep
from tests.dialect.whole import whole
from tests.laws import test_claim_acknowledgement as report_277
from tests.laws import test_claim_status as status
from tests.laws import test_dental_claim as dental
from tests.laws import test_eligibility as eligibility
from tests.laws import test_institutional_claim as institutional
from tests.laws import test_professional_claim as professional
from tests.laws import test_remittance as remittance
from tests.laws.status_values import HEADER, Draw
from x12 import guides
from x12.documents import dental_claim, institutional_claim, professional_claim
from x12.documents.claim_acknowledgement import read_claim_report
from x12.documents.claim_status import (
    ClaimStatusRequest,
    read_status_requests,
    read_status_responses,
    write_status_request,
)
from x12.documents.eligibility import (
    read_responses,
)
from x12.documents.eligibility_request import EligibilityRequest, read_requests, write_request
from x12.documents.remittance import read_remittance
from x12.guides import Guide
from x12.tree import Instance

__all__ = ["PROBES", "SUBJECTS", "swept"]

SEEDS = 16


def _first(read_all: Callable[[Instance], Any]) -> Callable[[Instance], Any]:
    def read(root: Instance) -> Any:
        found = read_all(root)
        return msgspec.to_builtins(found[0] if isinstance(found, list) else found) if found else {}

    return read


def _probe(module: Any, documents: Any, kind: type[Any]) -> Probe:
    """A plain claim; a provider of a list is one that the claim has not yet, and what a code chooses has its code beside it."""
    return Probe(
        module.GUIDE,
        lambda: msgspec.to_builtins(module.claim()),
        lambda said: documents.write_claim(msgspec.convert(said, kind), HEADER),
        documents.read_claims,
        BESIDE,
    )


_LINE = r"claimInformation\.serviceLines\[\]\."
_INSURED = "claimInformation.otherSubscriberInformation."
_OTHER: dict[str, Any] = {
    _INSURED + "paymentResponsibilityLevelCode": "S",
    _INSURED + "individualRelationshipCode": "18",
    _INSURED + "claimFilingIndicatorCode": "CI",
    _INSURED + "benefitsAssignmentCertificationIndicator": "Y",
    _INSURED + "releaseOfInformationCode": "Y",
    _INSURED + "otherSubscriberName.otherInsuredQualifier": "1",
    _INSURED + "otherSubscriberName.otherInsuredLastName": "ELSE",
    _INSURED + "otherSubscriberName.otherInsuredIdentifierTypeCode": "MI",
    _INSURED + "otherSubscriberName.otherInsuredIdentifier": "M2",
    _INSURED + "otherPayerName.otherPayerOrganizationName": "PLAN TWO",
    _INSURED + "otherPayerName.otherPayerIdentifierTypeCode": "PI",
    _INSURED + "otherPayerName.otherPayerIdentifier": "7788",
}
# Pattern of a path -> what must stand beside a value there, or it could not be sent.
BESIDE: dict[str, dict[str, Any]] = {
    r"providers\[\]\..*": {"providers[0].providerType": "RenderingProvider"},
    r"ordering\..*": {"ordering.lastName": "ORDERS"},
    r"(attending|billing|referring|rendering|providers\[\])\.secondaryIdentifier": {
        "@secondaryIdentificationQualifierCode": "G2"
    },
    r".*serviceFacilityLocation\.secondaryIdentifier": {"@secondaryIdentificationQualifierCode": "G2"},
    r".*[oO]peratingPhysician\.secondaryIdentifier": {"@identificationQualifierCode": "G2"},
    _LINE + r"\w+Provider\.secondaryIdentifier": {"@secondaryIdentificationQualifierCode": "G2"},
    r".*[iI]dentificationQualifierCode": {"": "G2", "@secondaryIdentifier": "N99"},
    _LINE + r"\w+\.otherIdentifier": {"@stateLicenseNumber": "N99"},
    r".*\.countrySubDivisionCode": {"": "QC", "@countryCode": "CA", "@state": None},
    _LINE + r"serviceLineDateInformation\.serviceDate": {
        "": "20260103",
        "claimInformation.serviceLines[0].serviceDate": None,
    },
    _LINE + r"serviceLineDateInformation\.beginServiceDate": {
        "": "20260103",
        "@endServiceDate": "20260104",
        "claimInformation.serviceLines[0].serviceDate": None,
    },
    _LINE + r"serviceLineDateInformation\.endServiceDate": {
        "": "20260104",
        "@beginServiceDate": "20260103",
        "claimInformation.serviceLines[0].serviceDate": None,
    },
    r"claimInformation\.otherSubscriberInformation\..*": _OTHER,
    r"claimInformation\.otherSubscriberInformation\[\]\..*": {
        key.replace("SubscriberInformation.", "SubscriberInformation[0]."): value for key, value in _OTHER.items()
    },
}


def _claim(module: Any, documents: Any, table: str, kind: type[Any]) -> Subject:
    return Subject(
        table,
        module.GUIDE,
        lambda seed: documents.write_claim(module.filled(seed, (0.9, 0.3, 0.5)[seed % 3]), HEADER),
        _first(documents.read_claims),
        lambda told: documents.write_claim(msgspec.convert(told, kind), HEADER),
    )


def _answer(
    table: str, guide: Guide, read_all: Callable[[Instance], Any], without: Sequence[str] = (), prefix: str = ""
) -> Subject:
    """What only comes: everything its guide has; every second set is without the loops that stand beside others."""
    return Subject(
        table,
        guide,
        lambda seed: whole(guide, seed // 2, without if seed % 2 else (), loose=seed >= SEEDS - 2),
        lambda root: msgspec.to_builtins(read_all(root)),
        prefix=prefix,
    )


SUBJECTS: tuple[Subject, ...] = (
    _claim(professional, professional_claim, "professional-claim-request", professional_claim.ProfessionalClaim),
    _claim(institutional, institutional_claim, "institutional-claim-request", institutional_claim.InstitutionalClaim),
    _claim(dental, dental_claim, "dental-claim-request", dental_claim.DentalClaim),
    Subject(
        "eligibility-request",
        eligibility.ASKED,
        lambda seed: eligibility.write(eligibility.request(seed, (0.3, 0.7, 0.9)[seed % 3])),
        _first(read_requests),
        lambda told: write_request(msgspec.convert(told, EligibilityRequest), HEADER, eligibility.TRACE),
    ),
    Subject(
        "claim-status-request",
        guides.load(status.GUIDE, "276"),
        lambda seed: write_status_request(status.request(Draw(seed)), HEADER, ""),
        _first(read_status_requests),
        lambda told: write_status_request(msgspec.convert(told, ClaimStatusRequest), HEADER, ""),
    ),
    _answer("claim-status-response", guides.load(status.GUIDE, "277"), read_status_responses, ("2000E",)),
    _answer("eligibility-response", guides.load("005010X279A1", "271"), read_responses, ("2000D",)),
    _answer("report-277", guides.load(report_277.GUIDE, "277"), read_claim_report, prefix="transactions[]."),
    _answer("report-277", guides.load(status.GUIDE, "277"), read_claim_report, ("2000E",), "transactions[]."),
    _answer("report-835", remittance.GUIDE, read_remittance, prefix="transactions[]."),
)


PROBES: dict[str, Probe] = {
    "professional-claim-request": _probe(professional, professional_claim, professional_claim.ProfessionalClaim),
    "institutional-claim-request": _probe(institutional, institutional_claim, institutional_claim.InstitutionalClaim),
    "dental-claim-request": _probe(dental, dental_claim, dental_claim.DentalClaim),
    "eligibility-request": Probe(
        eligibility.ASKED,
        lambda: msgspec.to_builtins(eligibility.asked_about(dependents=[{"lastName": "ABARA", "firstName": "BEN"}])),
        lambda said: eligibility.write(msgspec.convert(said, EligibilityRequest)),
        read_requests,
        {},
    ),
    "claim-status-request": Probe(
        guides.load(status.GUIDE, "276"),
        lambda: msgspec.to_builtins(status.asked()),
        lambda said: write_status_request(msgspec.convert(said, ClaimStatusRequest), HEADER, ""),
        read_status_requests,
        {},
    ),
}


@cache
def swept(table: str) -> tuple[Sweep, ...]:
    """The sweeps over a table's transaction sets: one for each guide that has the message."""
    return tuple(
        Sweep(s).over(range(SEEDS if "claim-request" not in table else 9)) for s in SUBJECTS if s.table == table
    )

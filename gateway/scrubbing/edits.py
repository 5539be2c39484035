"""The edits for professional claims.

Sources: the NPI standard (check digit: Luhn over 80840 and the number), 005010X222A1 (CLM02, CLM05-3, CLM11, SV107, HI, DTP).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec

from x12.codes.lists import npi_is_valid
from x12.documents.claim_parts import Provider
from x12.documents.professional_claim import ClaimInformation, ProfessionalClaim

__all__ = ["EDITS", "Edit"]

Check = Callable[[ProfessionalClaim, date], Iterator[tuple[str, str]]]


class Edit(msgspec.Struct, frozen=True):
    """One rule. `level` is its SNIP level; `check` yields (field path, what to do) for each fault."""

    id: str
    level: int
    check: Check
    severity: str = "error"
    severity_in_test: str = "error"
    since: date = date(2012, 1, 1)
    until: date | None = None
    shadow: bool = False


def _information(claim: ProfessionalClaim) -> ClaimInformation:
    return claim.claim_information or ClaimInformation()


def _amount(text: str | None) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None


def _day(text: str | None) -> date | None:
    if not text or len(text) != 8 or not text.isdigit():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _providers(claim: ProfessionalClaim) -> Iterator[tuple[str, Provider]]:
    named = {
        "billing": claim.billing,
        "rendering": claim.rendering,
        "referring": claim.referring,
        "supervising": claim.supervising,
        "ordering": claim.ordering,
    }
    yield from ((path, provider) for path, provider in named.items() if provider is not None)
    yield from ((f"providers[{i}]", provider) for i, provider in enumerate(claim.providers or ()))
    for index, line in enumerate(_information(claim).service_lines or ()):
        for name in ("rendering_provider", "referring_provider", "supervising_provider", "ordering_provider"):
            provider = getattr(line, name, None)
            if isinstance(provider, Provider):
                camel = name.replace("_provider", "Provider")
                yield f"claimInformation.serviceLines[{index}].{camel}", provider


def _check_digit(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    for path, provider in _providers(claim):
        if provider.npi and not npi_is_valid(provider.npi.strip()):
            yield f"{path}.npi", "is not a National Provider Identifier: its check digit is wrong"


def _total(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    information = _information(claim)
    charge = _amount(information.claim_charge_amount)
    services = [line.professional_service for line in information.service_lines or ()]
    amounts = [_amount(s.line_item_charge_amount) if s is not None else None for s in services]
    if charge is None or not amounts or any(a is None for a in amounts):
        return
    if charge != sum((a for a in amounts if a is not None), Decimal(0)):
        yield "claimInformation.claimChargeAmount", "must be the sum of the charges of the service lines"


def _pointers(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    information = _information(claim)
    known = len(information.health_care_code_information or ())
    for index, line in enumerate(information.service_lines or ()):
        service = line.professional_service
        pointers = service.composite_diagnosis_code_pointers if service is not None else None
        for number, pointer in enumerate((pointers.diagnosis_code_pointers if pointers else None) or ()):
            if pointer.isdigit() and not 1 <= int(pointer) <= known:
                path = f"claimInformation.serviceLines[{index}].professionalService.compositeDiagnosisCodePointers"
                yield f"{path}.diagnosisCodePointers[{number}]", "points to a diagnosis that the claim does not have"


def _future(claim: ProfessionalClaim, today: date) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(_information(claim).service_lines or ()):
        for name, text in (("serviceDate", line.service_date), ("serviceDateEnd", line.service_date_end)):
            day = _day(text)
            if day is not None and day > today:
                yield f"claimInformation.serviceLines[{index}].{name}", "lies in the future"


def _before_birth(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    patient = claim.dependent or claim.subscriber
    born = _day(patient.date_of_birth) if patient is not None else None
    for index, line in enumerate(_information(claim).service_lines or ()):
        day = _day(line.service_date)
        if born is not None and day is not None and day < born:
            yield f"claimInformation.serviceLines[{index}].serviceDate", "lies before the patient's date of birth"


def _order(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(_information(claim).service_lines or ()):
        first, last = _day(line.service_date), _day(line.service_date_end)
        if first is not None and last is not None and last < first:
            yield f"claimInformation.serviceLines[{index}].serviceDateEnd", "lies before serviceDate"


def _original(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    information = _information(claim)
    supplement = information.claim_supplemental_information
    if information.claim_frequency_code in ("7", "8") and not (supplement and supplement.claim_control_number):
        path = "claimInformation.claimSupplementalInformation.claimControlNumber"
        yield path, "is required where claimFrequencyCode is 7 or 8: give the payer's number of the original claim"


def _accident(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    information = _information(claim)
    causes = set(information.related_causes_code or ())
    dates = information.claim_date_information
    if causes & {"AA", "EM", "OA"} and not (dates and dates.accident_date):
        yield (
            "claimInformation.claimDateInformation.accidentDate",
            "is required where relatedCausesCode names an accident",
        )
    if "AA" in causes and not (information.auto_accident_state_code or information.auto_accident_country_code):
        yield "claimInformation.autoAccidentStateCode", "is required where relatedCausesCode is AA"


def _subscriber(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    subscriber = claim.subscriber
    if subscriber is None or claim.dependent is not None:
        return
    for name, value in (
        ("dateOfBirth", subscriber.date_of_birth),
        ("gender", subscriber.gender),
        ("address", subscriber.address),
    ):
        if not value:
            yield f"subscriber.{name}", "is required where the subscriber is the patient"


def _negative(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    """005010X222A1: a charge is zero or more."""
    information = _information(claim)
    charge = _amount(information.claim_charge_amount)
    if charge is not None and charge < 0:
        yield "claimInformation.claimChargeAmount", "must not be negative"
    for index, line in enumerate(information.service_lines or ()):
        service = line.professional_service
        amount = _amount(service.line_item_charge_amount) if service is not None else None
        if amount is not None and amount < 0:
            path = f"claimInformation.serviceLines[{index}].professionalService.lineItemChargeAmount"
            yield path, "must not be negative"


def _billing_npi(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    billing = claim.billing
    if billing is None or billing.npi or billing.commercial_number or billing.location_number:
        return
    yield (
        "billing.npi",
        "is required; only a provider that cannot have one is known by commercialNumber or locationNumber instead",
    )


def _member(claim: ProfessionalClaim, _: date) -> Iterator[tuple[str, str]]:
    subscriber = claim.subscriber
    if subscriber is not None and subscriber.last_name and not subscriber.member_id:
        yield "subscriber.memberId", "is required where the subscriber is a person"


# An id keeps its meaning for ever; a rule that changes gets a new one.
EDITS: tuple[Edit, ...] = (
    # Numbers in test claims are often made up: there the check digit only warns.
    Edit("CW101", 5, _check_digit, severity_in_test="warning"),
    Edit("CW102", 3, _total),
    Edit("CW103", 4, _pointers),
    Edit("CW104", 4, _future),
    Edit("CW105", 4, _before_birth),
    Edit("CW106", 4, _order),
    Edit("CW107", 4, _original),
    Edit("CW108", 4, _accident),
    Edit("CW109", 4, _subscriber),
    Edit("CW110", 4, _negative),
    Edit("CW111", 4, _billing_npi),
    Edit("CW112", 4, _member),
)

"""The edits for claims of all three kinds.

Sources: the NPI standard (check digit: Luhn over 80840 and the number), 005010X222A1, 005010X223A2 and 005010X224A2 (CLM02, CLM05-3,
CLM11, SV107, SV203, SV302, SV311, HI, DTP), the UB-04 manual as Medicare's claims processing manual repeats it (chapter 25: the
days of the lines lie within those of the statement).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache

import msgspec

from gateway.claim_kinds import AnyClaim, AnyLine, lines_of, service_days, statement_days
from x12.codes.lists import npi_is_valid
from x12.documents.claim_parts import Provider
from x12.documents.dental_claim import DentalClaim, DentalClaimInformation
from x12.documents.dental_line import DentalLine
from x12.documents.institutional_claim import InstitutionalClaim, InstitutionalInformation
from x12.documents.institutional_line import InstitutionalLine
from x12.documents.professional_claim import ClaimInformation, ProfessionalClaim
from x12.documents.service_line import ServiceLine

__all__ = ["EDITS", "Edit"]

Check = Callable[[AnyClaim, date], Iterator[tuple[str, str]]]
_LINES = "claimInformation.serviceLines"
# Where the documents name providers.
_NAMED: dict[type[msgspec.Struct], tuple[str, ...]] = {
    ProfessionalClaim: ("billing", "rendering", "referring", "supervising", "ordering"),
    InstitutionalClaim: (
        "billing",
        "attending",
        "operating_physician",
        "other_operating_physician",
        "rendering",
        "referring",
    ),
    DentalClaim: ("billing", "rendering", "referring", "assistant_surgeon", "supervising"),
    ServiceLine: ("rendering_provider", "referring_provider", "supervising_provider", "ordering_provider"),
    InstitutionalLine: ("operating_physician", "other_operating_physician", "rendering_provider", "referring_provider"),
    DentalLine: ("rendering_provider", "assistant_surgeon", "supervising_provider"),
}


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


@cache
def _named(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """(field, its name in JSON) of each provider that a document names."""
    written = {f.name: f.encode_name for f in msgspec.structs.fields(kind)}
    return tuple((name, written[name]) for name in _NAMED[kind])


def _charge_of(claim: AnyClaim) -> Decimal | None:
    information = claim.claim_information
    return _amount(information.claim_charge_amount) if information is not None else None


def _line_charge(line: AnyLine) -> tuple[str, str | None]:
    """The name in JSON of a line's service, and its charge."""
    if isinstance(line, InstitutionalLine):
        name, service = "institutionalService", line.institutional_service
    elif isinstance(line, DentalLine):
        name, service = "dentalService", line.dental_service
    else:
        name, service = "professionalService", line.professional_service
    return name, service.line_item_charge_amount if service is not None else None


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


def _providers(claim: AnyClaim) -> Iterator[tuple[str, Provider]]:
    for name, path in _named(type(claim)):
        provider = getattr(claim, name)
        if provider is not None:
            yield path, provider
    if not isinstance(claim, DentalClaim):
        yield from ((f"providers[{i}]", provider) for i, provider in enumerate(claim.providers or ()))
    for index, line in enumerate(lines_of(claim)):
        for name, path in _named(type(line)):
            provider = getattr(line, name)
            if provider is not None:
                yield f"{_LINES}[{index}].{path}", provider


def _check_digit(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    for path, provider in _providers(claim):
        if provider.npi and not npi_is_valid(provider.npi.strip()):
            yield f"{path}.npi", "is not a National Provider Identifier: its check digit is wrong"


def _total(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    charge = _charge_of(claim)
    amounts = [_amount(_line_charge(line)[1]) for line in lines_of(claim)]
    if charge is None or not amounts or any(a is None for a in amounts):
        return
    if charge != sum((a for a in amounts if a is not None), Decimal(0)):
        yield "claimInformation.claimChargeAmount", "must be the sum of the charges of the service lines"


def _pointers(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    information = claim.claim_information
    if isinstance(information, InstitutionalInformation):
        return
    known = len((information.health_care_code_information if information is not None else None) or ())
    for index, line in enumerate(lines_of(claim)):
        if isinstance(line, InstitutionalLine):
            continue
        name, service = (
            ("dentalService", line.dental_service)
            if isinstance(line, DentalLine)
            else ("professionalService", line.professional_service)
        )
        pointers = service.composite_diagnosis_code_pointers if service is not None else None
        for number, pointer in enumerate((pointers.diagnosis_code_pointers if pointers else None) or ()):
            if pointer.isdigit() and not 1 <= int(pointer) <= known:
                path = f"{_LINES}[{index}].{name}.compositeDiagnosisCodePointers.diagnosisCodePointers[{number}]"
                yield path, "points to a diagnosis that the claim does not have"


def _future(claim: AnyClaim, today: date) -> Iterator[tuple[str, str]]:
    for days in service_days(claim):
        for path, text in ((days.first_path, days.first), (days.last_path, days.last)):
            day = _day(text)
            if day is not None and day > today:
                yield path, "lies in the future"


def _before_birth(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    patient = claim.dependent or claim.subscriber
    born = _day(patient.date_of_birth) if patient is not None else None
    for days in service_days(claim):
        day = _day(days.first)
        if born is not None and day is not None and day < born:
            yield days.first_path, "lies before the patient's date of birth"


def _order(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    for days in service_days(claim):
        first, last = _day(days.first), _day(days.last)
        if first is not None and last is not None and last < first:
            yield (
                days.last_path,
                "lies before serviceDate" if days.last_path != days.first_path else "ends before it begins",
            )


def _original(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    information = claim.claim_information
    if information is None or information.claim_frequency_code not in ("7", "8"):
        return
    supplement = information.claim_supplemental_information
    if not (supplement and supplement.claim_control_number):
        path = "claimInformation.claimSupplementalInformation.claimControlNumber"
        yield path, "is required where claimFrequencyCode is 7 or 8: give the payer's number of the original claim"


def _accident(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    information = claim.claim_information
    if not isinstance(information, ClaimInformation | DentalClaimInformation):
        return
    causes = set(information.related_causes_code or ())
    dates = information.claim_date_information
    if causes & {"AA", "EM", "OA"} and not (dates and dates.accident_date):
        yield (
            "claimInformation.claimDateInformation.accidentDate",
            "is required where relatedCausesCode names an accident",
        )
    if "AA" in causes and not (information.auto_accident_state_code or information.auto_accident_country_code):
        yield "claimInformation.autoAccidentStateCode", "is required where relatedCausesCode is AA"


def _subscriber(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
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


def _negative(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    """The guides: a charge is zero or more."""
    charge = _charge_of(claim)
    if charge is not None and charge < 0:
        yield "claimInformation.claimChargeAmount", "must not be negative"
    for index, line in enumerate(lines_of(claim)):
        name, text = _line_charge(line)
        amount = _amount(text)
        if amount is not None and amount < 0:
            yield f"{_LINES}[{index}].{name}.lineItemChargeAmount", "must not be negative"


def _billing_npi(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    billing = claim.billing
    if billing is None or billing.npi or billing.commercial_number or billing.location_number:
        return
    yield (
        "billing.npi",
        "is required; only a provider that cannot have one is known by commercialNumber or locationNumber instead",
    )


def _member(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    subscriber = claim.subscriber
    if subscriber is None or not subscriber.last_name or subscriber.member_id:
        return
    if not getattr(subscriber, "standard_health_id", None):
        yield "subscriber.memberId", "is required where the subscriber is a person"


def _statement(claim: AnyClaim, today: date) -> Iterator[tuple[str, str]]:
    days = statement_days(claim)
    first, last = _day(days.first), _day(days.last)
    for path, day in ((days.first_path, first), (days.last_path, last)):
        if day is not None and day > today:
            yield path, "lies in the future"
    if first is not None and last is not None and last < first:
        yield days.last_path, "lies before statementBeginDate"


def _within_statement(claim: AnyClaim, _: date) -> Iterator[tuple[str, str]]:
    statement = statement_days(claim)
    begin = _day(statement.first)
    end = _day(statement.last) or begin
    if begin is None or end is None:
        return
    for days in service_days(claim):
        for path, text in ((days.first_path, days.first), (days.last_path, days.last)):
            day = _day(text)
            if day is not None and not begin <= day <= end:
                yield path, "lies outside the days of the statement"


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
    Edit("CW113", 4, _statement),
    # Some payers let services of a series lie around the days that they bill.
    Edit("CW114", 4, _within_statement, severity="warning", severity_in_test="warning"),
)

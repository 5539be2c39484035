"""The edits for claims of all three kinds.

Sources: the NPI standard (check digit: Luhn over 80840 and the number); 005010X222A1, X223A2 and X224A2 as the tables of x12/guides have
them (CLM02, CLM05-3, CLM11, SV107, SV203, SV302, SV311, HI, DTP); X12's interpretation 2499 and a clearinghouse's published edit for all
three kinds (no charge below zero); public guides to field 6 of the UB-04 (a statement begins before it ends, ends by today, and has the
days of its lines within).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache

import msgspec

from gateway.claim_kinds import AnyClaim, ServiceDays, lines_of, service_days, statement_days
from x12.codes.lists import npi_is_valid
from x12.discreet import Discreet
from x12.documents.claim_parts import Provider
from x12.documents.dental_claim import DentalClaim, DentalClaimInformation
from x12.documents.dental_line import DentalLine
from x12.documents.institutional_claim import InstitutionalClaim, InstitutionalInformation
from x12.documents.institutional_line import InstitutionalLine
from x12.documents.professional_claim import ClaimInformation, ProfessionalClaim
from x12.documents.service_line import ServiceLine

__all__ = ["EDITS", "Edit", "Look", "look"]

Faults = Iterator[tuple[str, str]]
Check = Callable[["Look", date], Faults]
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


class Span(Discreet):
    """Days that a claim tells, None where they are none, and their paths."""

    first: date | None
    last: date | None
    first_path: str
    last_path: str


class Look(Discreet):
    """A claim, and what several edits look at in it: days of service, a statement's days, each line's service path and charge."""

    claim: AnyClaim
    days: list[Span]
    statement: Span | None
    charges: list[tuple[str, Decimal | None]]


def look(claim: AnyClaim) -> Look:
    """What the edits look at, gathered once."""
    statement = _span(statement_days(claim)) if isinstance(claim, InstitutionalClaim) else None
    return Look(claim, [_span(told) for told in service_days(claim)], statement, list(_charges(claim)))


def _span(told: ServiceDays) -> Span:
    return Span(_day(told.first), _day(told.last), told.first_path, told.last_path)


def _charges(claim: AnyClaim) -> Iterator[tuple[str, Decimal | None]]:
    for index, line in enumerate(lines_of(claim)):
        if isinstance(line, InstitutionalLine):
            name, service = "institutionalService", line.institutional_service
        elif isinstance(line, DentalLine):
            name, service = "dentalService", line.dental_service
        else:
            name, service = "professionalService", line.professional_service
        charge = _amount(service.line_item_charge_amount) if service is not None else None
        yield f"{_LINES}[{index}].{name}", charge


@cache
def _named(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """(field, its name in JSON) of each provider that a document names."""
    written = {f.name: f.encode_name for f in msgspec.structs.fields(kind)}
    return tuple((name, written[name]) for name in _NAMED[kind])


def _charge_of(claim: AnyClaim) -> Decimal | None:
    information = claim.claim_information
    return _amount(information.claim_charge_amount) if information is not None else None


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


def _check_digit(of: Look, _: date) -> Faults:
    for path, provider in _providers(of.claim):
        if provider.npi and not npi_is_valid(provider.npi.strip()):
            yield f"{path}.npi", "is not a National Provider Identifier: its check digit is wrong"


def _total(of: Look, _: date) -> Faults:
    charge = _charge_of(of.claim)
    amounts = [amount for _, amount in of.charges]
    if charge is None or not amounts or any(a is None for a in amounts):
        return
    if charge != sum((a for a in amounts if a is not None), Decimal(0)):
        yield "claimInformation.claimChargeAmount", "must be the sum of the charges of the service lines"


def _pointers(of: Look, _: date) -> Faults:
    information = of.claim.claim_information
    if isinstance(information, InstitutionalInformation):
        return
    known = len((information.health_care_code_information if information is not None else None) or ())
    for index, line in enumerate(lines_of(of.claim)):
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


def _future(of: Look, today: date) -> Faults:
    for days in of.days:
        yield from _later(days, today)


def _later(days: Span, today: date) -> Faults:
    if days.first is not None and days.first > today:
        yield days.first_path, "lies in the future"
    if days.last is not None and days.last > today:
        yield days.last_path, "lies in the future"


def _before_birth(of: Look, _: date) -> Faults:
    patient = of.claim.dependent or of.claim.subscriber
    born = _day(patient.date_of_birth) if patient is not None else None
    for days in of.days:
        if born is not None and days.first is not None and days.first < born:
            yield days.first_path, "lies before the patient's date of birth"


def _order(of: Look, _: date) -> Faults:
    for days in of.days:
        if days.first is not None and days.last is not None and days.last < days.first:
            in_one = days.last_path == days.first_path
            yield days.last_path, "ends before it begins" if in_one else "lies before serviceDate"


def _original(of: Look, _: date) -> Faults:
    information = of.claim.claim_information
    if information is None or information.claim_frequency_code not in ("7", "8"):
        return
    supplement = information.claim_supplemental_information
    if not (supplement and supplement.claim_control_number):
        path = "claimInformation.claimSupplementalInformation.claimControlNumber"
        yield path, "is required where claimFrequencyCode is 7 or 8: give the payer's number of the original claim"


def _accident(of: Look, _: date) -> Faults:
    information = of.claim.claim_information
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


def _subscriber(of: Look, _: date) -> Faults:
    subscriber = of.claim.subscriber
    if subscriber is None or of.claim.dependent is not None:
        return
    for name, value in (
        ("dateOfBirth", subscriber.date_of_birth),
        ("gender", subscriber.gender),
        ("address", subscriber.address),
    ):
        if not value:
            yield f"subscriber.{name}", "is required where the subscriber is the patient"


def _negative(of: Look, _: date) -> Faults:
    """The guides: a charge is zero or more."""
    charge = _charge_of(of.claim)
    if charge is not None and charge < 0:
        yield "claimInformation.claimChargeAmount", "must not be negative"
    for path, amount in of.charges:
        if amount is not None and amount < 0:
            yield f"{path}.lineItemChargeAmount", "must not be negative"


def _billing_npi(of: Look, _: date) -> Faults:
    billing = of.claim.billing
    if billing is None or billing.npi or billing.commercial_number or billing.location_number:
        return
    yield (
        "billing.npi",
        "is required; only a provider that cannot have one is known by commercialNumber or locationNumber instead",
    )


def _member(of: Look, _: date) -> Faults:
    subscriber = of.claim.subscriber
    if subscriber is None or not subscriber.last_name or subscriber.member_id:
        return
    if not getattr(subscriber, "standard_health_id", None):
        yield "subscriber.memberId", "is required where the subscriber is a person"


def _statement(of: Look, today: date) -> Faults:
    days = of.statement
    if days is None:
        return
    yield from _later(days, today)
    if days.first is not None and days.last is not None and days.last < days.first:
        yield days.last_path, "lies before statementBeginDate"


def _within_statement(of: Look, _: date) -> Faults:
    begin = of.statement.first if of.statement is not None else None
    end = of.statement.last if of.statement is not None else None
    if begin is None:
        return
    for days in of.days:
        for path, day in ((days.first_path, days.first), (days.last_path, days.last)):
            if day is not None and not begin <= day <= (end or begin):
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

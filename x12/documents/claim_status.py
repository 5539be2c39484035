"""Claim status: the request (276) and the answer (277) as the dialect's JSON, both ways, and the answer flat.

Source: 005010X212; names and words: the dialect's `claim-status-request` and `claim-status-response`. What the guide
carries and the dialect has no name for goes by the name that `report-277` has for the same place (listed, with what has
no place in the guide, in docs/dialect-coverage/claim-status.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from x12 import codes, guides
from x12.documents.binding import (
    Document,
    Flat,
    Text,
    at,
    by_hand,
    contact,
    each,
    end_of,
    inside,
    meaning,
    period,
    read,
    segments,
    start_of,
)
from x12.documents.eligibility import Meta, Warned
from x12.documents.parts import Header
from x12.documents.standing import StatusCode, amount, day, days, found, patients, reference, status_codes
from x12.documents.writing import DraftLoop, Writer, Written
from x12.finding import Finding
from x12.walk import Instance

__all__ = [
    "Claim",
    "ClaimState",
    "ClaimStatus",
    "ClaimStatusRequest",
    "ClaimStatusResponse",
    "RequestDependent",
    "claim_statuses",
    "read_status_requests",
    "read_status_responses",
    "write_status_request",
    "write_status_response",
]

GUIDE_ID = "005010X212"
_CATEGORY = codes.table("claim_status_category")
_STATUS = codes.table("claim_status")
_ENTITY = codes.table("entity")
_FOLLOW_UP = codes.table("follow_up")
_BILLING, _SERVICE = "BillingProvider", "ServiceProvider"
_CLAIM_LOOPS = ("2200D", "2200E")
# What a request that failed with this category asks for, as codes of AAA04.
_FOLLOW_UPS = {"E0": "C", "E1": "R", "E2": "R", "E3": "C", "E4": "C", "D0": "C"}
# And what can be done about it, in our own words.
_RESOLUTIONS = {
    "E0": "Correct what the status names and ask again.",
    "E1": "The payer's system is not available: ask again later.",
    "E2": "Nobody answered behind this payer: ask again later.",
    "E3": "Correct the fields that do not fit together and ask again.",
    "E4": "Check the payer id, the submitter's identification and the enrolment for status inquiries.",
    "D0": "Check the member id, the names and the dates; ask with wider dates, or by the payer's own claim number.",
}


# --- who -----------------------------------------------------------------------------------------------------------


class _Named(Document):
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104 NM102=1")] = None
    middle_name: Annotated[Text, at("NM105 NM102=1")] = None


class Provider(_Named):
    """Who asks (loop 2100B, `BillingProvider`) or who gave the service (loop 2100C, `ServiceProvider`)."""

    provider_type: Text = None
    suffix: Annotated[Text, at("NM107 NM102=1")] = None
    # The first is what a provider without any number is asked for: no service provider has an ETIN.
    npi: Annotated[Text, at("NM109 NM108=XX")] = None
    etin: Annotated[Text, at("NM109 NM108=46")] = None
    spn: Annotated[Text, at("NM109 NM108=SV")] = None
    tin: Annotated[Text, at("NM109 NM108=FI")] = None
    tax_id: Annotated[Text, at("NM109 NM108=FI")] = None


class _Receiver(_Named):
    """A provider written to loop 2100B, whose guide knows one kind of identifier: each of the dialect's may be the one."""

    # The first is what whoever asks without any number is asked for: one that all providers have.
    npi: Annotated[Text, at("NM109 NM108~46")] = None
    etin: Annotated[Text, at("NM109 NM108~46")] = None
    tax_id: Annotated[Text, at("NM109 NM108~46")] = None
    tin: Annotated[Text, at("NM109 NM108~46")] = None
    spn: Annotated[Text, at("NM109 NM108~46")] = None


_IDENTIFIERS = ("etin", "tax_id", "tin", "npi", "spn")


class Person(Document):
    """Subscriber or dependent: the NM1 of loop 2100D or 2100E. The answer has no place for more than the name."""

    last_name: Annotated[Text, at("NM103 NM102~1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    date_of_birth: Text = None
    gender: Text = None
    group_number: Text = None


class Subscriber(Person):
    """Loop 2100D of an answer."""

    member_id: Annotated[Text, at("NM109 NM108~MI")] = None


class RequestSubscriber(Person):
    """Loop 2100D of a request and the DMG of its level. The group number stands in the claim (REF*6P)."""

    date_of_birth: Annotated[Text, at("2000D DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("2000D DMG03")] = None
    member_id: Annotated[Text, at("NM109 NM108~MI")] = None


class RequestDependent(Person):
    """Loop 2100E of a request and the DMG of its level."""

    date_of_birth: Annotated[Text, at("2000E DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("2000E DMG03")] = None


class _Grouped(Document):
    group_number: Annotated[Text, at("REF[6P]02")] = None


def _read_providers(level: Instance) -> list[Provider] | None:
    """The providers in scope of a level: who asks first, then who gave the service."""
    providers: list[Provider] = []
    for kind, loop_id in ((_BILLING, "2100B"), (_SERVICE, "2100C")):
        nearest = level.near(loop_id)
        for loop in nearest.parent.inside(loop_id) if nearest is not None and nearest.parent is not None else ():
            provider = read(Provider, loop)
            provider.provider_type = kind
            providers.append(provider)
    return providers or None


def _one_name(provider: Provider) -> Provider:
    """An organization's name excludes a person's."""
    if provider.organization_name is None:
        return provider
    return msgspec.structs.replace(provider, last_name=None, first_name=None, middle_name=None, suffix=None)


def _given(writer: Writer, providers: Sequence[Provider]) -> list[tuple[str, Provider]]:
    """The providers with their paths; a type that is neither of the dialect's is refused."""
    given = [(f"providers[{index}]", _one_name(provider)) for index, provider in enumerate(providers)]
    for path, provider in given:
        if provider.provider_type not in (None, _BILLING, _SERVICE):
            message = f"{path}.providerType is neither {_BILLING} nor {_SERVICE}."
            writer.findings.append(Finding(1, "element", "7", message, path=f"{path}.providerType"))
    return given


def _write_receiver(writer: Writer, given: Sequence[tuple[str, Provider]], receiver: DraftLoop) -> None:
    """Loop 2100B: the billing provider, or whoever is given."""
    billing = [g for g in given if g[1].provider_type == _BILLING]
    path, asking = (billing or given or [("providers[0]", Provider())])[0]
    identifier = next((n for n in _IDENTIFIERS if getattr(asking, n)), "etin")
    names = {n: getattr(asking, n) for n in _Named.__struct_fields__}
    asks = _Receiver(**names, **{identifier: getattr(asking, identifier)})
    writer.write(asks, receiver.near(["2100B"], path), path)


def _write_service(writer: Writer, given: Sequence[tuple[str, Provider]], level: DraftLoop) -> None:
    """A loop 2100C for each service provider, or for the billing provider where no other is given."""
    service = [g for g in given if g[1].provider_type != _BILLING] or given
    for path, provider in service or [("providers[0]", Provider())]:
        writer.write(provider, level.add("2100C", path), path)


# --- the request ---------------------------------------------------------------------------------------------------


class Encounter(Document):
    """The claim asked about: loop 2200D or 2200E."""

    tracking_number: Annotated[Text, at("TRN02")] = None
    trading_partner_claim_number: Annotated[Text, at("REF[1K]02")] = None
    billing_type: Annotated[Text, at("REF[BLT]02")] = None
    location_identifier: Annotated[Text, at("REF[LU]02")] = None
    patient_account_number: Annotated[Text, at("REF[EJ]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None
    clearing_house_claim_number: Annotated[Text, at("REF[D9]02")] = None
    submitted_amount: Annotated[Text, at("AMT[T3]02")] = None
    beginning_date_of_service: Annotated[Text, start_of("DTP[472]03")] = None
    end_date_of_service: Annotated[Text, end_of("DTP[472]03", since="beginningDateOfService")] = None


class RequestLine(Document):
    """A service line asked about: loop 2210D or 2210E."""

    product_or_service_id_qualifier: Annotated[Text, at("SVC01-1")] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    procedure_code: Annotated[Text, at("SVC01-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SVC01-3", 6)] = None
    line_item_charge_amount: Annotated[Text, at("SVC02")] = None
    revenue_code: Annotated[Text, at("SVC04")] = None
    units_of_service_count: Annotated[Text, at("SVC07")] = None
    line_item_control_number: Annotated[Text, at("REF[FJ]02")] = None
    service_line_date: Annotated[Text, start_of("DTP[472]03")] = None
    service_line_end_date: Annotated[Text, end_of("DTP[472]03", since="serviceLineDate")] = None


class ClaimStatusRequest(Document):
    """A 276 about one claim: the subscriber's, or that of the dependent where one is named."""

    control_number: Text = None
    trading_partner_service_id: Annotated[Text, at("2100A NM109 NM108~PI")] = None
    trading_partner_name: Annotated[Text, at("2100A NM103")] = None
    providers: list[Provider] | None = None
    subscriber: Annotated[RequestSubscriber | None, inside("2100D")] = None
    dependent: Annotated[RequestDependent | None, inside("2100E")] = None
    encounter: Annotated[Encounter | None, inside(*_CLAIM_LOOPS)] = None
    service_line_information: Annotated[RequestLine | None, by_hand()] = None
    service_lines_information: list[RequestLine] | None = None


def read_status_requests(root: Instance) -> list[ClaimStatusRequest]:
    """The requests of a walked 276, one for each claim asked about; a patient without any claim is one, too."""
    return [
        _read_request(scope) for patient in patients(root) for scope in (patient.inside(*_CLAIM_LOOPS) or [patient])
    ]


def _read_request(scope: Instance) -> ClaimStatusRequest:
    request = read(ClaimStatusRequest, scope)
    request.providers = _read_providers(scope)
    lines = [read(RequestLine, loop) for loop in scope.inside("2210D", "2210E")]
    if len(lines) > 1:
        request.service_lines_information = lines
    elif lines:
        request.service_line_information = lines[0]
    patient = request.dependent or request.subscriber
    if patient is not None and scope.loop.id in _CLAIM_LOOPS:
        patient.group_number = read(_Grouped, scope).group_number
    return request


def write_status_request(request: ClaimStatusRequest, header: Header, trace: str) -> Written:
    """A 276 about one claim. `trace` is TRN02, by which its answer is known; "" leaves the caller's tracking number there."""
    writer = Writer(guides.load(GUIDE_ID, "276"), header.control_number)
    header.put(writer.root, "0010", "13")
    writer.root.put("BHT03", header.reference)
    level = writer.root.near(["2000A"]).near(["2000B"])
    given = _given(writer, request.providers or ())
    _write_receiver(writer, given, level)
    level = level.near(["2000C"])
    _write_service(writer, given, level)
    patient = level.near(["2000D"])
    patient.near(["2100D"], "subscriber")
    grouped, path = request.subscriber, "subscriber"
    if request.dependent is not None:
        patient = patient.near(["2000E"])
        if request.dependent.group_number or grouped is None:
            grouped, path = request.dependent, "dependent"
    claim = patient.near(_CLAIM_LOOPS, "encounter")
    encounter = request.encounter or Encounter()
    if trace:
        encounter = msgspec.structs.replace(encounter, tracking_number=trace)
    writer.write(msgspec.structs.replace(request, encounter=encounter), claim)
    if grouped is not None and grouped.group_number:
        writer.write(_Grouped(group_number=grouped.group_number), claim, path)
    lines = [(f"serviceLinesInformation[{i}]", v) for i, v in enumerate(request.service_lines_information or ())]
    single = request.service_line_information
    if single is not None and all(single != line for _, line in lines):
        lines.insert(0, ("serviceLineInformation", single))
    for path, line in lines:
        writer.write(line, claim.add("2210E" if request.dependent else "2210D", path), path)
    return writer.finish()


# --- the answer ----------------------------------------------------------------------------------------------------


class Status(Document):
    """One STC: up to three codes in words, and since when. With `RX` the status code is one of NCPDP, without words."""

    effective_date: Annotated[Text, at("STC02")] = None
    status_category_code: Annotated[Text, at("STC01-1")] = None
    status_category_code_value: Annotated[Text, meaning("STC01-1", _CATEGORY)] = None
    status_code: Annotated[Text, at("STC01-2")] = None
    status_code_value: Annotated[Text, meaning("STC01-2", _STATUS)] = None
    entity_code: Annotated[Text, at("STC01-3")] = None
    entity: Annotated[Text, meaning("STC01-3", _ENTITY)] = None
    national_council_for_prescription_drug_programs_reject_payment_codes: Annotated[Text, at("STC01-4")] = None
    secondary_status_category_code: Annotated[Text, at("STC10-1")] = None
    secondary_status_category_code_value: Annotated[Text, meaning("STC10-1", _CATEGORY)] = None
    secondary_status_code: Annotated[Text, at("STC10-2")] = None
    secondary_status_code_value: Annotated[Text, meaning("STC10-2", _STATUS)] = None
    secondary_entity_code: Annotated[Text, at("STC10-3")] = None
    secondary_entity: Annotated[Text, meaning("STC10-3", _ENTITY)] = None
    secondary_national_council_for_prescription_drug_programs_reject_payment_codes: Annotated[Text, at("STC10-4")] = (
        None
    )
    tertiary_status_category_code: Annotated[Text, at("STC11-1")] = None
    tertiary_status_category_code_value: Annotated[Text, meaning("STC11-1", _CATEGORY)] = None
    tertiary_status_code: Annotated[Text, at("STC11-2")] = None
    tertiary_status_code_value: Annotated[Text, meaning("STC11-2", _STATUS)] = None
    tertiary_entity_code: Annotated[Text, at("STC11-3")] = None
    tertiary_entity: Annotated[Text, meaning("STC11-3", _ENTITY)] = None
    tertiary_national_council_for_prescription_drug_programs_reject_payment_codes: Annotated[Text, at("STC11-4")] = None

    def __post_init__(self) -> None:
        if self.national_council_for_prescription_drug_programs_reject_payment_codes:
            self.status_code_value = None
        if self.secondary_national_council_for_prescription_drug_programs_reject_payment_codes:
            self.secondary_status_code_value = None
        if self.tertiary_national_council_for_prescription_drug_programs_reject_payment_codes:
            self.tertiary_status_code_value = None


class ClaimLevelStatus(Status):
    """An STC of loop 2200D or 2200E, with its amounts and its payment."""

    submitted_amount: Annotated[Text, at("STC04")] = None
    amount_paid: Annotated[Text, at("STC05")] = None
    paid_date: Annotated[Text, at("STC06")] = None
    check_issue_date: Annotated[Text, at("STC08")] = None
    check_number: Annotated[Text, at("STC09")] = None
    status_message: Annotated[Text, at("STC12")] = None


class ClaimStatus(ClaimLevelStatus):
    """A claim's first status and its identifiers: loop 2200D or 2200E."""

    tracking_number: Annotated[Text, at("TRN02")] = None
    trading_partner_claim_number: Annotated[Text, at("REF[1K]02")] = None
    bill_type_identifier: Annotated[Text, at("REF[BLT]02")] = None
    patient_account_number: Annotated[Text, at("REF[EJ]02")] = None
    pharmacy_prescription_number: Annotated[Text, at("REF[XZ]02")] = None
    voucher_identifier: Annotated[Text, at("REF[VV]02")] = None
    clearing_house_claim_number: Annotated[Text, at("REF[D9]02")] = None
    claim_service_date: Annotated[Text, period("DTP[472]03")] = None


class Service(Document):
    """SVC of loop 2220D or 2220E."""

    service_id_qualifier_code: Annotated[Text, at("SVC01-1")] = None
    service_id_qualifier: Annotated[Text, meaning("SVC01-1", codes.table("service_id_qualifier"))] = None
    procedure_id: Annotated[Text, at("SVC01-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SVC01-3", 6)] = None
    submitted_amount: Annotated[Text, at("SVC02")] = None
    amount_paid: Annotated[Text, at("SVC03")] = None
    revenue_code: Annotated[Text, at("SVC04")] = None
    submitted_units: Annotated[Text, at("SVC07")] = None


class ServiceDetail(Document):
    """One service line and its statuses: loop 2220D or 2220E."""

    service: Service | None = None
    status: Annotated[list[Status] | None, segments("STC")] = None
    line_item_control_number: Annotated[Text, at("REF[FJ]02")] = None
    service_line_date: Annotated[Text, period("DTP[472]03")] = None


class Claim(Document):
    """One claim of the answer. A second and later STC of the claim stands in `further_claim_statuses`."""

    claim_status: Annotated[ClaimStatus | None, by_hand()] = None
    further_claim_statuses: Annotated[list[ClaimLevelStatus] | None, by_hand()] = None
    service_details: Annotated[list[ServiceDetail] | None, inside("2220D", "2220E")] = None


class PayerContact(Document):
    """PER of loop 2100A."""

    name: Annotated[Text, at("PER02")] = None
    phone: Annotated[Text, contact("PER", "TE")] = None
    phone_extension: Annotated[Text, contact("PER", "EX")] = None
    fax: Annotated[Text, contact("PER", "FX")] = None
    email: Annotated[Text, contact("PER", "EM")] = None
    electronic_data_inter_change_access_number: Annotated[Text, contact("PER", "ED")] = None


class ResponsePayer(Document):
    """Who answers: loop 2100A."""

    organization_name: Annotated[Text, at("NM103")] = None
    payer_identification: Annotated[Text, at("NM109 NM108=PI")] = None
    centers_for_medicare_and_medicaid_service_plan_id: Annotated[Text, at("NM109 NM108=XV")] = None
    contact_information: PayerContact | None = None


class ResponseError(Document):
    """Why a request found no answer, in the words of its status codes."""

    code: Text = None
    description: Text = None
    field: Text = None
    followup_action: Text = None
    location: Text = None
    possible_resolutions: Text = None
    value: Text = None


class TransactionIdentifier(Document):
    """The request that failed, by the caller's id and ours."""

    customer_transaction_id: Text = None
    transaction_id: Text = None


class StatusErrorResponse(Document):
    """The request as a whole found no answer."""

    code: Text = None
    description: Text = None
    errors: list[ResponseError] | None = None
    transaction_identifier: TransactionIdentifier | None = None


class ClaimStatusResponse(Document):
    """A 277 about one patient's claims; about none where the request failed at the receiver or at the provider."""

    meta: Annotated[Meta | None, by_hand()] = None
    control_number: Text = None
    reassociation_key: Text = None
    trading_partner_service_id: Text = None
    payer: Annotated[ResponsePayer | None, inside("2100A")] = None
    providers: list[Provider] | None = None
    subscriber: Annotated[Subscriber | None, inside("2100D")] = None
    dependent: Annotated[Person | None, inside("2100E")] = None
    claims: list[Claim] | None = None
    claim_transaction_batch_number: Annotated[Text, at("2200B TRN02")] = None
    provider_claim_statuses: Annotated[list[Status] | None, segments("2200B STC")] = None
    provider_of_service_information_trace_identifier: Annotated[Text, at("2200C TRN02")] = msgspec.field(
        default=None, name="providerOFServiceInformationTraceIdentifier"
    )
    service_provider_claim_statuses: Annotated[list[Status] | None, segments("2200C STC")] = None
    error_response: StatusErrorResponse | None = None
    status: Text = None
    transaction_set_acknowledgement: Text = None
    implementation_transaction_set_syntax_error: Text = None
    warnings: list[Warned] | None = None
    x12: Text = None


def read_status_responses(root: Instance) -> list[ClaimStatusResponse]:
    """The answers of a walked 277, one for each patient, provider or receiver below which it goes no further."""
    return [_read_response(level) for level in _answered(root)]


def _answered(root: Instance) -> Iterator[Instance]:
    """The lowest levels of an answer; the root where there is none."""
    sources = root.inside("2000A")
    for source in sources:
        receivers = source.inside("2000B")
        for receiver in receivers:
            providers = receiver.inside("2000C")
            for provider in providers:
                yield from list(patients(provider)) or [provider]
            if not providers:
                yield receiver
        if not receivers:
            yield source
    if not sources:
        yield root


def _read_response(level: Instance) -> ClaimStatusResponse:
    response = read(ClaimStatusResponse, level)
    response.providers = _read_providers(level)
    response.claims = [_read_claim(loop) for loop in level.inside(*_CLAIM_LOOPS)] or None
    response.error_response = _error_response(response)
    if (payer := response.payer) is not None:
        response.trading_partner_service_id = (
            payer.payer_identification or payer.centers_for_medicare_and_medicaid_service_plan_id
        )
    return response


class _Further(Document):
    further_claim_statuses: Annotated[list[ClaimLevelStatus] | None, segments("STC")] = None


def _read_claim(loop: Instance) -> Claim:
    claim = read(Claim, loop)
    # A loop's field is read from wherever it comes first, which would mix several STCs.
    claim.claim_status = read(ClaimStatus, loop.with_first("STC"))
    claim.further_claim_statuses = (read(_Further, loop).further_claim_statuses or [])[1:] or None
    return claim


def _error_response(response: ClaimStatusResponse) -> StatusErrorResponse | None:
    """What the statuses above the patient say against the request: E and D categories."""
    errors = [
        ResponseError(
            code=status.status_category_code,
            description=status.status_code_value or status.status_category_code_value,
            field="STC",
            followup_action=_FOLLOW_UP.get(_FOLLOW_UPS.get(status.status_category_code or "", "")),
            location=f"Loop {loop_id}",
            possible_resolutions=_RESOLUTIONS.get(status.status_category_code or ""),
            value=status.status_code,
        )
        for loop_id, statuses in (
            ("2200B", response.provider_claim_statuses),
            ("2200C", response.service_provider_claim_statuses),
        )
        for status in statuses or ()
        if (status.status_category_code or "")[:1] in ("E", "D")
    ]
    if not errors:
        return None
    return StatusErrorResponse(code=errors[0].code, description=_CATEGORY.get(errors[0].code or ""), errors=errors)


def write_status_response(response: ClaimStatusResponse, header: Header) -> Written:
    """A 277 about one patient, or about a request that failed above any patient (`providerClaimStatuses` at the receiver,
    `serviceProviderClaimStatuses` at the provider). Words and `errorResponse` follow from the codes and are not written."""
    writer = Writer(guides.load(GUIDE_ID, "277"), header.control_number)
    header.put(writer.root, "0010", "08")
    writer.root.put("BHT03", header.reference)
    source = writer.root.near(["2000A"])
    source.near(["2100A"], "payer")
    level = source.near(["2000B"])
    about_patient = response.subscriber is not None or bool(response.claims)
    given = _given(writer, response.providers or ())
    _write_receiver(writer, given, level)
    if about_patient or response.service_provider_claim_statuses or any(p.provider_type == _SERVICE for _, p in given):
        level = level.near(["2000C"])
        _write_service(writer, given, level)
    if about_patient:
        level = level.near(["2000D"])
        level.near(["2100D"], "subscriber")
        level = level.near(["2000E"]) if response.dependent is not None else level
    writer.write(response, level)
    for index, claim in enumerate(response.claims or ()):
        _write_claim(writer, claim, level, f"claims[{index}]")
    return writer.finish()


def _write_claim(writer: Writer, claim: Claim, level: DraftLoop, path: str) -> None:
    loop = level.add("2200E" if level.loop.id == "2000E" else "2200D", path)
    if claim.claim_status is not None:
        writer.write(claim.claim_status, loop, f"{path}.claimStatus")
    writer.write(_Further(further_claim_statuses=claim.further_claim_statuses), loop, path)
    writer.write(claim, loop, path)


# --- the answer, flat ----------------------------------------------------------------------------------------------


class ClaimState(Flat, frozen=True):
    """What a 277 says of one claim, or of a whole request (`level`): the trace number tells which.

    At the receiver `trace_number` is the request's BHT03, at the provider a number of the provider's, at a claim the
    TRN02 of the request. Amounts and dates are those of the first STC that has them.
    """

    level: Literal["receiver", "provider", "claim"]
    trace_number: str
    codes: tuple[StatusCode, ...]
    payer_claim_control_number: str = ""
    patient_control_number: str = ""
    clearinghouse_trace_number: str = ""
    effective_date: date | None = None
    total_charge: Decimal | None = None
    paid_amount: Decimal | None = None
    finalized_date: date | None = None
    paid_date: date | None = None
    payment_trace_number: str = ""
    service_from: date | None = None
    service_to: date | None = None
    messages: tuple[str, ...] = ()

    @property
    def final(self) -> bool:
        """Whether the claim itself has left adjudication: only finalized categories at claim level, and at least one."""
        own = [code for code in self.codes if code.line is None]
        return bool(own) and all(code.category[:1] == "F" for code in own)

    @property
    def unanswered(self) -> bool:
        """Whether the payer could not answer: it found an error, was not available, or found no such claim (E, D)."""
        return any(code.category[:1] in ("E", "D") and code.line is None for code in self.codes)


_LEVELS: dict[str, Literal["receiver", "provider", "claim"]] = {
    "2200B": "receiver",
    "2200C": "provider",
    "2200D": "claim",
    "2200E": "claim",
}


def claim_statuses(root: Instance) -> list[ClaimState]:
    """What a walked 277 says, in file order: each claim, and each receiver or provider whose request was refused."""
    return [_state(loop) for loop in root.all(*_LEVELS)]


def _state(loop: Instance) -> ClaimState:
    said = list(status_codes(loop))
    for line in loop.inside("2220D", "2220E"):
        said += status_codes(line, reference(line, "FJ"))
    first, last = days(loop, "472")
    return ClaimState(
        level=_LEVELS[loop.loop.id],
        trace_number=found(loop, "TRN", 2),
        codes=tuple(said),
        payer_claim_control_number=reference(loop, "1K"),
        patient_control_number=reference(loop, "EJ"),
        clearinghouse_trace_number=reference(loop, "D9"),
        effective_date=day(found(loop, "STC", 2)),
        total_charge=amount(found(loop, "STC", 4)),
        paid_amount=amount(found(loop, "STC", 5)),
        finalized_date=day(found(loop, "STC", 6)),
        paid_date=day(found(loop, "STC", 8)),
        payment_trace_number=found(loop, "STC", 9),
        service_from=first,
        service_to=last,
        messages=tuple(row[12] for row in loop.rows().get("STC", ()) if len(row) > 12 and row[12]),
    )

"""Review of health care services: the request (278) and the response to it as JSON, both ways.

The dialect has no such documents: names are those of the guide, in the dialect's style. A document is one patient event, with
everything above it; a response that was rejected above any event has what it got to.

Source: 005010X217.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from x12 import codes, guides
from x12.documents.binding import (
    Document,
    Text,
    at,
    by_hand,
    coded,
    composites,
    each,
    groups,
    inside,
    meaning,
    period,
    read,
    repeats,
    segments,
    yes_no,
)
from x12.documents.parts import Contacts, Header, PostalAddress
from x12.documents.review_details import (
    Ambulance,
    DentalService,
    HomeHealth,
    HomeOxygen,
    InstitutionalService,
    ProfessionalService,
    ReviewAttachment,
    ReviewCondition,
    ReviewDiagnosis,
    ServicesDelivery,
    SpinalManipulation,
    Tooth,
)
from x12.documents.writing import DraftLoop, Writer, Written
from x12.tree import Instance

__all__ = [
    "GUIDE_ID",
    "RequestedEvent",
    "RequestedService",
    "ReviewDecision",
    "ReviewTrace",
    "ReviewedEvent",
    "ReviewedService",
    "ServicesReviewRequest",
    "ServicesReviewResponse",
    "read_review_responses",
    "read_reviews",
    "write_review",
    "write_review_response",
]

GUIDE_ID = "005010X217"
_REQUEST, _RESPONSE = "13", "11"
_SERVICE_TYPE = codes.table("service_type")
# HCR01: what came of the review.
_ACTION = {
    "A1": "certified in total",
    "A2": "certified in part",
    "A3": "not certified",
    "A4": "pended",
    "A6": "certified with changes",
    "C": "cancelled",
    "CT": "contact the payer",
    "NA": "no action required",
}
R = TypeVar("R", bound="_Review")


# --- who ---------------------------------------------------------------------------------------------------------------


class SupplementalIdentifier(Document):
    """One more identifier: REF, with the state of a licence where the guide has room for it."""

    reference_identification_qualifier: Annotated[Text, at("REF01")] = None
    reference_identification: Annotated[Text, at("REF02")] = None
    license_number_state_code: Annotated[Text, at("REF03")] = None


class RequestValidation(Document):
    """Why a request could not be processed, and what can be done about it: AAA."""

    valid_request_indicator: Annotated[Text, at("AAA01", default="N")] = None
    code: Annotated[Text, at("AAA03")] = None
    description: Annotated[Text, meaning("AAA03", codes.table("reject_reason"))] = None
    followup_action: Annotated[Text, coded("AAA04", codes.table("follow_up"))] = None
    possible_resolutions: Annotated[Text, meaning("AAA03", codes.table("reject_resolution"))] = None


class _Named(Document):
    """A person or an organization: NM1."""

    entity_type_qualifier: Annotated[Text, at("NM102")] = None
    organization_name: Annotated[Text, at("NM103 NM102=2")] = None
    last_name: Annotated[Text, at("NM103 NM102=1")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None


class _Identified(_Named):
    employers_id: Annotated[Text, at("NM109 NM108=24")] = None
    ssn: Annotated[Text, at("NM109 NM108=34")] = None
    etin: Annotated[Text, at("NM109 NM108=46")] = None
    npi: Annotated[Text, at("NM109 NM108=XX")] = None


class _Organization(_Identified):
    payor_id: Annotated[Text, at("NM109 NM108=PI")] = None
    services_plan_id: Annotated[Text, at("NM109 NM108=XV")] = msgspec.field(default=None, name="servicesPlanID")


class UtilizationManagementOrganization(_Organization):
    """Who reviews: loop 2010A."""

    entity_identifier_code: Annotated[Text, at("NM101", default="X3")] = None


class RespondingOrganization(UtilizationManagementOrganization):
    """Who has reviewed: loop 2010A of a response."""

    contact_information: Contacts | None = None
    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None


class _Specialty(Document):
    provider_code: Annotated[Text, at("PRV01")] = None
    taxonomy_code: Annotated[Text, at("PRV03 PRV02~PXC")] = None


class Requester(_Organization):
    """Who asks: loop 2010B."""

    entity_identifier_code: Annotated[Text, at("NM101", default="1P")] = None
    supplemental_identifiers: Annotated[list[SupplementalIdentifier] | None, segments("REF")] = None
    address: PostalAddress | None = None
    contact_information: Contacts | None = None
    specialty: _Specialty | None = None


class AnsweredRequester(_Identified):
    """Who had asked: loop 2010B of a response."""

    entity_identifier_code: Annotated[Text, at("NM101", default="1P")] = None
    supplemental_identifiers: Annotated[list[SupplementalIdentifier] | None, segments("REF")] = None
    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None
    specialty: _Specialty | None = None


class _Person(Document):
    last_name: Annotated[Text, at("NM103")] = None
    first_name: Annotated[Text, at("NM104")] = None
    middle_name: Annotated[Text, at("NM105")] = None
    suffix: Annotated[Text, at("NM107")] = None
    supplemental_identifiers: Annotated[list[SupplementalIdentifier] | None, segments("REF")] = None
    address: PostalAddress | None = None
    date_of_birth: Annotated[Text, at("DMG02 DMG01~D8")] = None
    gender: Annotated[Text, at("DMG03")] = None


class ReviewSubscriber(_Person):
    """Loop 2010C."""

    prefix: Annotated[Text, at("NM106")] = None
    member_id: Annotated[Text, at("NM109 NM108=MI")] = None
    health_id: Annotated[Text, at("NM109 NM108=II")] = None
    employment_status_code: Annotated[Text, at("INS08")] = None


class ReviewDependent(_Person):
    """Loop 2010D."""

    individual_relationship_code: Annotated[Text, at("INS02 INS01~N")] = None
    birth_sequence_number: Annotated[Text, at("INS17 INS01~N")] = None


class AnsweredSubscriber(ReviewSubscriber):
    """Loop 2010C of a response."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None


class AnsweredDependent(ReviewDependent):
    """Loop 2010D of a response."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None


class ReviewProvider(_Identified):
    """Who gives the service, of an event (2010EA) or of one service (2010F, 2010FA)."""

    entity_identifier_code: Annotated[Text, at("NM101")] = None
    prefix: Annotated[Text, at("NM106")] = None
    supplemental_identifiers: Annotated[list[SupplementalIdentifier] | None, segments("REF")] = None
    address: PostalAddress | None = None
    contact_information: Contacts | None = None
    specialty: _Specialty | None = None


class AnsweredProvider(ReviewProvider):
    """A provider as a response tells of him."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None


class TransportLocation(Document):
    """Where a patient is brought from or to: loop 2010EB of a request, 2010EC of a response."""

    entity_identifier_code: Annotated[Text, at("NM101")] = None
    name: Annotated[Text, at("NM103")] = None
    address: PostalAddress | None = None


class AnsweredTransportLocation(TransportLocation):
    """A transport location as a response tells of it."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None


class OtherUmo(Document):
    """Another organization that denied the same: loop 2010EC of a request."""

    entity_identifier_code: Annotated[Text, at("NM101")] = None
    name: Annotated[Text, at("NM103")] = None
    denial_reason: Annotated[Text, at("REF[ZZ]02")] = None
    second_denial_reason: Annotated[Text, at("REF[ZZ]04-2 REF04-1~ZZ")] = None
    third_denial_reason: Annotated[Text, at("REF[ZZ]04-4 REF04-3~ZZ")] = None
    denial_date: Annotated[Text, at("DTP[598]03")] = None


class InformationContact(_Organization):
    """Who takes what else is to be sent: loop 2010EB or 2010FB of a response."""

    address: PostalAddress | None = None
    contact_information: Annotated[list[Contacts] | None, segments("PER")] = None


# --- what ---------------------------------------------------------------------------------------------------------------


class ReviewTrace(Document):
    """A number by which the requester, or who answers, knows an event or a service: TRN."""

    trace_type_code: Annotated[Text, at("TRN01")] = None
    trace_number: Annotated[Text, at("TRN02")] = None
    assigning_entity_identifier: Annotated[Text, at("TRN03")] = None
    assigning_entity_additional_identifier: Annotated[Text, at("TRN04")] = None


class ReviewDecision(Document):
    """What came of the review: HCR."""

    action_code: Annotated[Text, at("HCR01")] = None
    action: Annotated[Text, meaning("HCR01", _ACTION)] = None
    review_identification_number: Annotated[Text, at("HCR02")] = None
    review_decision_reason_codes: Annotated[list[str] | None, repeats("HCR03")] = None
    second_surgical_opinion_required: Annotated[bool | None, yes_no("HCR04")] = None


class CertificationDates(Document):
    """For when a service is certified: DTP of a response."""

    certification_issue_date: Annotated[Text, at("DTP[102]03")] = None
    certification_expiration_date: Annotated[Text, at("DTP[036]03")] = None
    certification_effective_date: Annotated[Text, period("DTP[007]03")] = None


class _ReviewInformation(Document):
    """UM, as far as events and services have it in common, and what an earlier review was called."""

    request_category_code: Annotated[Text, at("UM01")] = None
    certification_type_code: Annotated[Text, at("UM02")] = None
    service_type_code: Annotated[Text, at("UM03")] = None
    service_type: Annotated[Text, meaning("UM03", _SERVICE_TYPE)] = None
    facility_type_code: Annotated[Text, at("UM04-1")] = None
    facility_code_qualifier: Annotated[Text, at("UM04-2")] = None
    previous_review_authorization_number: Annotated[Text, at("REF[BB]02")] = None


class _Asked(_ReviewInformation):
    trace_numbers: Annotated[list[ReviewTrace] | None, segments("TRN")] = None
    delivery: ServicesDelivery | None = None
    attachments: Annotated[list[ReviewAttachment] | None, segments("PWK")] = None
    message_text: Annotated[Text, at("MSG01")] = None


class _Served(_Asked):
    """One service: loop 2000F."""

    service_date: Annotated[Text, period("DTP[472]03")] = None
    professional_service: ProfessionalService | None = None
    institutional_service: InstitutionalService | None = None
    dental_service: DentalService | None = None
    teeth: Annotated[list[Tooth] | None, segments("TOO")] = None


class RequestedService(_Served):
    """One service asked for: loop 2000F of a request."""

    previous_administrative_reference_number: Annotated[Text, at("REF[NT]02")] = None
    providers: Annotated[list[ReviewProvider] | None, inside("2010F")] = None


class ReviewedService(_Served):
    """One service answered: loop 2000F of a response."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None
    level_of_service_code: Annotated[Text, at("UM06")] = None
    decision: ReviewDecision | None = None
    administrative_reference_number: Annotated[Text, at("REF[NT]02")] = None
    certification: CertificationDates | None = None
    requested_information_codes: Annotated[list[str] | None, composites("HI01", 12, "LOI")] = None
    providers: Annotated[list[AnsweredProvider] | None, inside("2010FA")] = None
    additional_information_contact: Annotated[InformationContact | None, inside("2010FB")] = None


class _Event(_Asked):
    level_of_service_code: Annotated[Text, at("UM06")] = None
    accident_date: Annotated[Text, at("DTP[439]03")] = None
    last_menstrual_period_date: Annotated[Text, at("DTP[484]03")] = None
    estimated_date_of_birth: Annotated[Text, at("DTP[ABC]03")] = None
    onset_date: Annotated[Text, at("DTP[431]03")] = None
    event_date: Annotated[Text, period("DTP[AAH]03")] = None
    admission_date: Annotated[Text, period("DTP[435]03")] = None
    discharge_date: Annotated[Text, at("DTP[096]03")] = None
    diagnoses: Annotated[list[ReviewDiagnosis] | None, groups("HI01", 1, 12)] = None
    admission_type_code: Annotated[Text, at("CL101")] = None
    admission_source_code: Annotated[Text, at("CL102")] = None
    patient_status_code: Annotated[Text, at("CL103")] = None
    nursing_home_residential_status_code: Annotated[Text, at("CL104")] = None
    ambulance: Ambulance | None = None
    spinal_manipulation: SpinalManipulation | None = None
    home_oxygen: HomeOxygen | None = None
    home_health: HomeHealth | None = None


class RequestedEvent(_Event):
    """The patient event asked about: loop 2000E of a request."""

    related_causes_codes: Annotated[list[str] | None, each("UM05-1", 3)] = None
    auto_accident_state_code: Annotated[Text, at("UM05-4")] = None
    auto_accident_country_code: Annotated[Text, at("UM05-5")] = None
    current_health_condition_code: Annotated[Text, at("UM07")] = None
    prognosis_code: Annotated[Text, at("UM08")] = None
    release_of_information_code: Annotated[Text, at("UM09")] = None
    delay_reason_code: Annotated[Text, at("UM10")] = None
    previous_administrative_reference_number: Annotated[Text, at("REF[NT]02")] = None
    conditions: Annotated[list[ReviewCondition] | None, segments("CRC")] = None
    providers: Annotated[list[ReviewProvider] | None, inside("2010EA")] = None
    transport_locations: Annotated[list[TransportLocation] | None, inside("2010EB")] = None
    other_umos: Annotated[list[OtherUmo] | None, inside("2010EC")] = None
    services: Annotated[list[RequestedService] | None, inside("2000F")] = None


class ReviewedEvent(_Event):
    """The patient event answered: loop 2000E of a response."""

    request_validations: Annotated[list[RequestValidation] | None, segments("AAA")] = None
    decision: ReviewDecision | None = None
    administrative_reference_number: Annotated[Text, at("REF[NT]02")] = None
    certification: CertificationDates | None = None
    providers: Annotated[list[AnsweredProvider] | None, inside("2010EA")] = None
    additional_information_contact: Annotated[InformationContact | None, inside("2010EB")] = None
    transport_locations: Annotated[list[AnsweredTransportLocation] | None, inside("2010EC")] = None
    services: Annotated[list[ReviewedService] | None, inside("2000F")] = None


# --- the documents ------------------------------------------------------------------------------------------------------


class _Review(Document):
    control_number: Text = None
    submitter_transaction_identifier: Annotated[Text, at("278 BHT03")] = None
    transaction_type_code: Annotated[Text, at("278 BHT06")] = None


class ServicesReviewRequest(_Review):
    """A 278 that asks: one patient event of the subscriber, or of the dependent that is named."""

    transaction_set_purpose_code: Annotated[Text, at("278 BHT02", default=_REQUEST)] = None
    utilization_management_organization: Annotated[UtilizationManagementOrganization | None, inside("2010A")] = None
    requester: Annotated[Requester | None, inside("2010B")] = None
    subscriber: Annotated[ReviewSubscriber | None, inside("2010C")] = None
    dependent: Annotated[ReviewDependent | None, inside("2010D")] = None
    patient_event: Annotated[RequestedEvent | None, inside("2000E")] = None


class ServicesReviewResponse(_Review):
    """A 278 that answers: one patient event, or how far a rejected request got."""

    request_validations: Annotated[list[RequestValidation] | None, segments("2000A AAA")] = None
    utilization_management_organization: Annotated[RespondingOrganization | None, inside("2010A")] = None
    requester: Annotated[AnsweredRequester | None, inside("2010B")] = None
    further_requesters: Annotated[list[AnsweredRequester] | None, by_hand()] = None
    subscriber: Annotated[AnsweredSubscriber | None, inside("2010C")] = None
    dependent: Annotated[AnsweredDependent | None, inside("2010D")] = None
    patient_event: Annotated[ReviewedEvent | None, inside("2000E")] = None


_LEVELS = ("2000A", "2000B", "2000C", "2000D", "2000E")


def _lowest(instance: Instance) -> Iterator[Instance]:
    """The events of a set, and the levels below which it goes no further; services belong to their event."""
    below = instance.inside(*_LEVELS)
    for level in below:
        yield from _lowest(level)
    if not below:
        yield instance


def _read(kind: type[R], root: Instance) -> list[R]:
    found = [read(kind, level) for level in _lowest(root)]
    row = [*(root.rows().get("ST") or [[]])[0], "", "", ""]
    for one in found:
        one.control_number = row[2] or None
    return found


def read_reviews(root: Instance) -> list[ServicesReviewRequest]:
    """The requests of a walked 278, one for each patient event."""
    return _read(ServicesReviewRequest, root)


def read_review_responses(root: Instance) -> list[ServicesReviewResponse]:
    """The responses of a walked 278, one for each patient event, or for each level below which it goes no further."""
    found = _read(ServicesReviewResponse, root)
    for response, level in zip(found, _lowest(root), strict=True):
        above = level.near("2000B")
        others = above.inside("2010B")[1:] if above is not None else []
        response.further_requesters = [read(AnsweredRequester, loop) for loop in others] or None
    return found


def _begun(set_purpose: str, review: _Review, header: Header) -> Writer:
    writer = Writer(guides.load(GUIDE_ID, "278", set_purpose), header.control_number)
    header.put(writer.root, "0007", set_purpose)
    if review.submitter_transaction_identifier is None:
        writer.root.put("BHT03", header.reference)
    return writer


def write_review(review: ServicesReviewRequest, header: Header) -> Written:
    """A 278 that asks about one patient event; words follow from codes and are not written."""
    writer = _begun(review.transaction_set_purpose_code or _REQUEST, review, header)
    level = writer.root.near(["2000A"])
    level.near(["2010A"], "utilizationManagementOrganization")
    level = level.near(["2000B"])
    level.near(["2010B"], "requester")
    writer.write(review, _event_level(level.near(["2000C"]), review.dependent is not None))
    return writer.finish()


def _event_level(subscriber: DraftLoop, of_dependent: bool) -> DraftLoop:
    subscriber.near(["2010C"], "subscriber")
    if of_dependent:
        return subscriber.near(["2000D"]).add("2000E", "patientEvent")
    return subscriber.add("2000E", "patientEvent")


def write_review_response(response: ServicesReviewResponse, header: Header) -> Written:
    """A 278 that answers about one patient event, or that goes as far as the document does; words are not written."""
    writer = _begun(_RESPONSE, response, header)
    level = writer.root.near(["2000A"])
    level.near(["2010A"], "utilizationManagementOrganization")
    about_patient = response.patient_event or response.dependent or response.subscriber
    if about_patient or response.requester or response.further_requesters:
        level = level.near(["2000B"])
        level.near(["2010B"], "requester")
        for index, requester in enumerate(response.further_requesters or ()):
            path = f"furtherRequesters[{index}]"
            writer.write(requester, level.add("2010B", path), path)
    if about_patient:
        level = level.near(["2000C"])
        if response.patient_event is not None:
            level = _event_level(level, response.dependent is not None)
        elif response.dependent is not None:
            level.near(["2010C"], "subscriber")
            level = level.near(["2000D"])
    writer.write(response, level)
    return writer.finish()

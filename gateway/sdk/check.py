"""An eligibility check as the official SDK asks it.

Only names and shapes of the interface are recorded here; `check_question` says where each field stands in the dialect.
Source: the operation `CreateEligibilityCheck` of the SDK.
"""

from __future__ import annotations

from typing import Annotated

from gateway.sdk.parts import (
    SdkDateRange,
    SdkName,
    SdkPartialAddress,
    SdkPartialName,
    SdkProviderNumbers,
    SdkProviderRole,
)
from gateway.sdk.words import (
    ASKED_RELATIONSHIP,
    ASKER,
    CODE_SYSTEM,
    GENDER,
    word,
)
from x12.documents.binding import Document, Text

__all__ = ["Check"]


class CheckAddress(Document):
    """An address of who asks or of a dependent."""

    address_line1: str
    city: str

    address_line2: Text = None
    state: Text = None
    postal_code: Text = None
    country: Text = None
    country_subdivision: Text = None


class CheckProvider(Document):
    """Who asks."""

    name: SdkName

    type: Annotated[Text, word(ASKER)] = None
    npi: Text = None
    tin: Text = None
    ein: Text = None
    ssn: Text = None
    service_provider_number: Text = None
    pharmacy_processor_number: Text = None
    address: CheckAddress | None = None
    additional_information: SdkProviderNumbers | None = None
    provider: SdkProviderRole | None = None


class CheckSubscriberAdditionalInformation(Document):
    """More numbers of the subscriber."""

    ssn: Text = None
    group_number: Text = None
    identity_card_number: Text = None
    medicaid_recipient_id: Text = None
    case_number: Text = None
    plan_number: Text = None
    group_or_policy_number: Text = None
    contract_number: Text = None
    patient_account_number: Text = None
    mbi: Text = None
    identification_card_serial_number: Text = None
    insurance_policy_number: Text = None
    plan_network_id: Text = None
    agency_claim_number: Text = None
    medical_record_id: Text = None


class CheckSubscriber(Document):
    """Whose policy it is."""

    name: SdkPartialName | None = None
    member_id: Text = None
    date_of_birth: Text = None
    gender: Annotated[Text, word(GENDER)] = None
    additional_information: CheckSubscriberAdditionalInformation | None = None
    address: SdkPartialAddress | None = None
    provider: SdkProviderRole | None = None


class CheckDependentPersonName(Document):
    """The name of a dependent."""

    first_name: str
    last_name: str

    middle_name: Text = None
    suffix: Text = None


class CheckDependentName(Document):
    """A dependent is a person."""

    person: CheckDependentPersonName


class CheckDependentAdditionalInformation(Document):
    """More numbers of a dependent."""

    ssn: Text = None
    group_number: Text = None
    identity_card_number: Text = None
    eligibility_category: Text = None
    plan_number: Text = None
    group_or_policy_number: Text = None
    contract_number: Text = None
    patient_account_number: Text = None
    mbi: Text = None
    identification_card_serial_number: Text = None
    insurance_policy_number: Text = None
    plan_network_id: Text = None
    agency_claim_number: Text = None
    medical_record_id: Text = None
    issue_number: Text = None
    member_id: Text = None


class CheckDependent(Document):
    """Who is asked about, where that is not the subscriber."""

    name: CheckDependentName

    relation_to_subscriber: Annotated[Text, word(ASKED_RELATIONSHIP)] = None
    date_of_birth: Text = None
    gender: Annotated[Text, word(GENDER)] = None
    additional_information: CheckDependentAdditionalInformation | None = None
    address: CheckAddress | None = None
    provider: SdkProviderRole | None = None


class CheckService(Document):
    """A service or procedure, by a code of a system."""

    value: str
    system: Annotated[str, word(CODE_SYSTEM)]


class CheckEncounterDates(Document):
    """When."""

    service: SdkDateRange | None = None


class CheckPlaceOfService(Document):
    """Where: a code of the list of places of service."""

    code: str


class CheckEncounterAdditionalInformation(Document):
    """Numbers of an authorization or referral."""

    prior_auth_number: Text = None
    referral_number: Text = None


class CheckEncounter(Document):
    """What is asked, and for when."""

    services: list[CheckService] | None = None
    dates: CheckEncounterDates | None = None
    place_of_service: CheckPlaceOfService | None = None
    additional_information: CheckEncounterAdditionalInformation | None = None


class Check(Document):
    """An eligibility check."""

    payer_id: str
    provider: CheckProvider
    subscriber: CheckSubscriber
    payer_name: Text = None
    dependent: CheckDependent | None = None
    encounter: CheckEncounter | None = None
    external_patient_id: Text = None
    eligibility_search_id: Text = None

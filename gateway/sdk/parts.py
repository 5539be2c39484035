"""Shapes that the official SDK has in several of its operations under names of their own: documents.

A partial one has nothing that must be told: what a subscriber or an answer says is what is known.
"""

from __future__ import annotations

from typing import Annotated

from gateway.sdk.words import PROVIDER_ROLE, word
from x12.documents.binding import Document, Text
from x12.documents.lenient import OneOf

__all__ = [
    "SdkDateRange",
    "SdkName",
    "SdkPartialAddress",
    "SdkPartialName",
    "SdkPartialPersonName",
    "SdkPersonName",
    "SdkProviderNumbers",
    "SdkProviderRole",
    "SdkStateLicense",
]


class SdkPersonName(Document):
    """A name of a person."""

    last_name: str

    first_name: Text = None
    middle_name: Text = None
    suffix: Text = None


class SdkName(OneOf):
    """A person or an organization."""

    organization: Text = None
    person: SdkPersonName | None = None


class SdkStateLicense(Document):
    """A license and its state."""

    number: str

    state: Text = None


class SdkProviderNumbers(Document):
    """More numbers of who asked: REF."""

    state_license: SdkStateLicense | None = None
    medicare_provider_number: Text = None
    medicaid_provider_number: Text = None
    facility_id_number: Text = None
    personal_identification_number: Text = None
    contract_number: Text = None
    electronic_device_pin: Text = None
    submitter_id: Text = None
    user_id: Text = None
    plan_network_id: Text = None
    facility_network_id: Text = None
    prior_identifier_number: Text = None


class SdkProviderRole(Document):
    """The part of a provider, and a taxonomy code: PRV."""

    code: Annotated[Text, word(PROVIDER_ROLE)] = None
    reference: Text = None


class SdkPartialPersonName(Document):
    """A name of a person."""

    first_name: Text = None
    last_name: Text = None
    middle_name: Text = None
    suffix: Text = None


class SdkPartialName(OneOf):
    """A person or an organization."""

    person: SdkPartialPersonName | None = None
    organization: Text = None


class SdkPartialAddress(Document):
    """An address: N3 and N4."""

    address_line1: Text = None
    address_line2: Text = None
    city: Text = None
    state: Text = None
    postal_code: Text = None
    country: Text = None
    country_subdivision: Text = None


class SdkDateRange(Document):
    """A day or days, CCYY-MM-DD."""

    start: Text = None
    end: Text = None

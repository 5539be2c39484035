"""Destinations and events as the official SDK reads and writes them: documents.

Source: the operations on event destinations of the SDK.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.ledger.notices import EVENT_TYPES
from x12.documents.binding import Document, Text
from x12.documents.lenient import OneOf

__all__ = [
    "DestinationPage",
    "EventDetail",
    "EventPage",
    "EventSummary",
    "MadeDestination",
    "NewDestination",
    "RotateSecret",
    "SigningSecret",
    "ToldDestination",
    "UpdatedDestination",
]

_TYPE = msgspec.Meta(extra_json_schema={"enum": list(EVENT_TYPES)})
_STATUS = msgspec.Meta(extra_json_schema={"enum": ["ENABLED", "DISABLED"]})
_DELIVERED = msgspec.Meta(extra_json_schema={"enum": ["PENDING", "DELIVERED", "FAILED"]})


class NewDestination(Document):
    """Where somebody wants to be told of changes, and of which."""

    name: str
    event_types: list[Annotated[str, _TYPE]]
    destination_url: str
    description: Text = None
    concurrency_limit: int | None = None
    status: Annotated[Text, _STATUS] = None


class UpdatedDestination(Document):
    """What is to change of a destination; what is not said stays."""

    name: Text = None
    event_types: list[Annotated[str, _TYPE]] | None = None
    destination_url: Text = None
    description: Text = None
    concurrency_limit: int | None = None
    status: Annotated[Text, _STATUS] = None


class ToldDestination(Document, omit_defaults=False):
    """A destination. Its secret is told when it is made, and by an operation of its own."""

    id: str
    created_at: str
    updated_at: str
    status: Annotated[str, _STATUS]
    name: str
    description: str
    event_types: list[Annotated[str, _TYPE]]
    destination_url: str
    last_delivery_time: str | msgspec.UnsetType = msgspec.UNSET
    concurrency_limit: int | msgspec.UnsetType = msgspec.UNSET


class MadeDestination(ToldDestination, omit_defaults=False):
    """A new destination, with the secret that signs what it gets."""

    signing_secret: str | msgspec.UnsetType = msgspec.UNSET


class DestinationPage(Document, omit_defaults=False):
    """Destinations, oldest first."""

    items: list[ToldDestination]
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class RotateSecret(Document):
    """How long the secret that is replaced still holds."""

    previous_secret_expiry_hours: int | None = None


class SigningSecret(Document):
    """What signs the deliveries to a destination; until when the one before holds too."""

    signing_secret: str
    previous_secret_expires_at: Text = None


class EventSummary(Document):
    """A change, and how far telling of it has come."""

    id: str
    status: Annotated[str, _DELIVERED]
    created_at: str
    event_type: Annotated[str, _TYPE]


class EventPage(Document, omit_defaults=False):
    """Events, newest first."""

    items: list[EventSummary]
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class Resource(Document):
    """What an event is about: ask for it by its id."""

    id: str
    type: str


class EventBody(Document):
    """What destinations get: the very body of a webhook."""

    object: str
    account: str
    environment: str
    created: str
    resource: Resource
    id: Text = None
    type: Text = None
    related_resources: list[Resource] | None = None


class EventPayload(OneOf):
    """A body of a version."""

    v1_event: EventBody | None = None


class EventDetail(EventSummary):
    """A change with the body that destinations get."""

    event_payload: EventPayload | None = None

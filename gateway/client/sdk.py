"""The operations in the shapes of the official SDK, as coroutines: eligibility checks, claims, destinations and events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from gateway.client.connection import Connection, Json, at, must
from gateway.sdk.answer import CheckAnswer
from gateway.sdk.check import Check
from gateway.sdk.events import (
    DestinationPage,
    EventDetail,
    EventPage,
    EventSummary,
    MadeDestination,
    NewDestination,
    RotateSecret,
    SigningSecret,
    ToldDestination,
    UpdatedDestination,
)
from gateway.sdk.form import ClaimForm
from gateway.sdk.records import ClaimPage, ClaimSummary, Judged, KeptSubmission, Taken, Timeline

__all__ = ["SdkCalls"]

_SUBMISSIONS = "/2025-03-07/professional-claim-submissions"
_CLAIMS = "/2025-03-07/claims"
_DESTINATIONS, _EVENTS = "/2026-02-01/destinations", "/2026-02-01/events"


def _following(token: str | msgspec.UnsetType) -> str | None:
    return None if token is msgspec.UNSET else token


class SdkCalls(Connection):
    """What clients of the official SDK ask. Lists of claims and events are newest first."""

    # --- eligibility and claims --------------------------------------------------------------------------------------------

    async def create_eligibility_check(self, check: Check | Json, *, idempotency_key: str | None = None) -> CheckAnswer:
        """Whether a patient is covered, and for what."""
        return await self._write(CheckAnswer, "/2026-06-01/eligibility-check", check, idempotency_key)

    async def create_professional_claim_submission(
        self, form: ClaimForm | Json, *, idempotency_key: str | None = None, allow_repeated: bool = False
    ) -> Taken:
        """Submit a CMS-1500; one whose `errors` name faults is kept as rejected, and was not sent."""
        headers = {"X-Allow-Repeated-Claim": "true" if allow_repeated else None}
        return await self._write(Taken, _SUBMISSIONS, form, idempotency_key, headers)

    async def validate_professional_claim_submission(
        self, form: ClaimForm | Json, *, allow_repeated: bool = False
    ) -> Judged:
        """What submitting the form would find, without sending it."""
        headers = {"X-Allow-Repeated-Claim": "true" if allow_repeated else None}
        return must(await self._send("POST", f"{_SUBMISSIONS}/validate", form, headers=headers), Judged)

    # An operation's own name of its parameter.
    async def get_professional_claim_submission(self, id: str) -> KeptSubmission:  # noqa: A002
        """A submission as a CMS-1500, by `sbm_` and its ULID or by the id of its transaction."""
        return await self._get(KeptSubmission, at(_SUBMISSIONS + "/{}", id))

    async def list_claims(
        self,
        page_token: str | None = None,
        page_size: int = 100,
        *,
        status: Sequence[str] = (),
        patient_control_numbers: Sequence[str] = (),
        submitted_after: str | None = None,
        submitted_before: str | None = None,
    ) -> ClaimPage:
        """A page of claims. Times are ISO 8601 with their zone."""
        query = {
            "pageToken": page_token,
            "pageSize": page_size,
            "status": status,
            "patientControlNumbers": patient_control_numbers,
            "submittedAfter": submitted_after,
            "submittedBefore": submitted_before,
        }
        return await self._get(ClaimPage, _CLAIMS, query)

    async def claims(self, page_size: int = 100, *, status: Sequence[str] = ()) -> AsyncIterator[ClaimSummary]:
        """All claims, page by page; of some statuses only where told."""
        page_token: str | None = None
        while True:
            page = await self.list_claims(page_token, page_size, status=status)
            for item in page.items:
                yield item
            page_token = _following(page.next_page_token)
            if page_token is None:
                return

    async def get_claim(self, id: str) -> ClaimSummary:  # noqa: A002
        """Where a claim stands, by `clm_` and its ULID or by the id of its first transaction."""
        return await self._get(ClaimSummary, at(_CLAIMS + "/{}", id))

    async def get_claim_timeline(self, id: str, page_token: str | None = None, page_size: int = 100) -> Timeline:  # noqa: A002
        """A page of what happened to a claim."""
        query = {"pageToken": page_token, "pageSize": page_size}
        return await self._get(Timeline, at(_CLAIMS + "/{}/timeline", id), query)

    # --- destinations ------------------------------------------------------------------------------------------------------

    async def create_event_destination(
        self, destination: NewDestination | Json, *, idempotency_key: str | None = None
    ) -> MadeDestination:
        """Be told of changes at an address of yours; the secret signs what is told."""
        return await self._write(MadeDestination, _DESTINATIONS, destination, idempotency_key)

    async def list_event_destinations(
        self,
        page_token: str | None = None,
        page_size: int = 25,
        *,
        status: str | None = None,
        event_type: str | None = None,
    ) -> DestinationPage:
        """A page of destinations, oldest first."""
        query = {"pageToken": page_token, "pageSize": page_size, "status": status, "eventType": event_type}
        return await self._get(DestinationPage, _DESTINATIONS, query)

    async def get_event_destination(self, destination_id: str) -> ToldDestination:
        """One destination."""
        return await self._get(ToldDestination, at(_DESTINATIONS + "/{}", destination_id))

    async def update_event_destination(
        self, destination_id: str, changes: UpdatedDestination | Json, *, idempotency_key: str | None = None
    ) -> ToldDestination:
        """Change a destination; enabling it sends what waits."""
        return await self._write(ToldDestination, at(_DESTINATIONS + "/{}", destination_id), changes, idempotency_key)

    async def delete_event_destination(self, destination_id: str, *, idempotency_key: str | None = None) -> None:
        """Delete a destination; deleted twice is deleted once."""
        await self._send("DELETE", at(_DESTINATIONS + "/{}", destination_id), key=idempotency_key, writes=True)

    async def get_event_destination_secret(self, destination_id: str) -> SigningSecret:
        """What signs the deliveries."""
        return await self._get(SigningSecret, at(_DESTINATIONS + "/{}/secret", destination_id))

    async def rotate_event_destination_secret(
        self, destination_id: str, request: RotateSecret | Json | None = None, *, idempotency_key: str | None = None
    ) -> SigningSecret:
        """A new secret; the one before holds for a while."""
        path = at(_DESTINATIONS + "/{}/secret/rotate", destination_id)
        return await self._write(SigningSecret, path, request or RotateSecret(), idempotency_key)

    # --- events ------------------------------------------------------------------------------------------------------------

    async def list_event_destination_events(
        self,
        page_token: str | None = None,
        page_size: int = 100,
        *,
        status: Sequence[str] = (),
        event_id: str | None = None,
        event_type: str | None = None,
        created: Sequence[str] = (),
    ) -> EventPage:
        """A page of what has changed. `created` are bounds such as `gte:2026-01-31T12:00:00Z`."""
        query = {
            "pageToken": page_token,
            "pageSize": page_size,
            "status": status,
            "eventId": event_id,
            "eventType": event_type,
            "created": created,
        }
        return await self._get(EventPage, _EVENTS, query)

    async def events(self, page_size: int = 100, *, status: Sequence[str] = ()) -> AsyncIterator[EventSummary]:
        """All events, page by page; of some statuses of delivery only where told."""
        page_token: str | None = None
        while True:
            page = await self.list_event_destination_events(page_token, page_size, status=status)
            for item in page.items:
                yield item
            page_token = _following(page.next_page_token)
            if page_token is None:
                return

    async def get_event_destination_event(self, event_id: str) -> EventDetail:
        """One change, with the body that destinations get."""
        return await self._get(EventDetail, at(_EVENTS + "/{}", event_id))

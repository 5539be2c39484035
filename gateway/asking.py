"""The 276 about a claim of ours: written from the claim as it is kept, so that nobody has to type it again."""

from __future__ import annotations

from datetime import date, timedelta

from gateway.claim_kinds import AnyClaim, bill_type, span_of
from gateway.inquiries import Prepared, prepare_status
from gateway.ledger import transactions
from gateway.payers import Payer
from gateway.runtime import Runtime
from x12.documents.claim_status import ClaimStatusRequest, Encounter, Provider, RequestDependent, RequestSubscriber

__all__ = ["prepare_about", "request_for"]


def prepare_about(
    runtime: Runtime,
    payer: Payer,
    subject: transactions.Transaction,
    claim: AnyClaim,
    wider: timedelta = timedelta(0),
) -> tuple[Prepared | None, str]:
    """The 276 about a claim, or why there is none. `subject` is its transaction."""
    # Claims may go as files where questions have a way of their own.
    ways = runtime.directory.ways(payer, subject.usage)
    route = next((one for one in ways if "276" in runtime.can(one).real_time), None)
    if payer.transactions.claim_status == "not_supported" or route is None:
        return None, "the payer takes no status inquiries: call it"
    request = request_for(claim, wider)
    prepared, written = prepare_status(runtime, payer, request, subject.transaction_id)
    prepared.route, prepared.usage = route, subject.usage
    if not written.accepted:
        return None, "the claim lacks what a status inquiry needs: " + ", ".join(
            sorted({f.place for f in written.findings})
        )
    return prepared, ""


def request_for(claim: AnyClaim, wider: timedelta = timedelta(0)) -> ClaimStatusRequest:
    """The status inquiry about a claim, its dates of service widened on both sides; of a hospital's with its type of bill."""
    information = claim.claim_information
    first, last = span_of(claim)
    billing, subscriber, dependent = claim.billing, claim.subscriber, claim.dependent
    person = {"last_name", "first_name", "middle_name", "suffix", "date_of_birth", "gender"}
    encounter = Encounter(
        patient_account_number=information.patient_control_number if information else None,
        submitted_amount=information.claim_charge_amount if information else None,
        clearing_house_claim_number=_claim_number(claim),
        billing_type=bill_type(claim),
        beginning_date_of_service=_shifted(first, -wider),
        end_date_of_service=_shifted(last, wider) if last != first or wider else None,
    )
    asking: list[Provider] = []
    if billing is not None:
        names = {n: getattr(billing, n) for n in ("organization_name", "last_name", "first_name", "npi")}
        asking = [Provider(provider_type="BillingProvider", **names)]
    return ClaimStatusRequest(
        providers=asking,
        subscriber=RequestSubscriber(
            member_id=subscriber.member_id if subscriber else None, **{n: getattr(subscriber, n, None) for n in person}
        ),
        dependent=RequestDependent(**{n: getattr(dependent, n, None) for n in person}) if dependent else None,
        encounter=encounter,
    )


def _claim_number(claim: AnyClaim) -> str | None:
    supplement = claim.claim_information.claim_supplemental_information if claim.claim_information else None
    return supplement.claim_number if supplement else None


def _shifted(day: str, by: timedelta) -> str | None:
    if not day or not by:
        return day or None
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:])) + by
    except ValueError:
        return day
    return f"{moved:%Y%m%d}"

"""What the sandbox payer writes about claims: the acknowledgement (277CA), the remittance (835), the status (277).

Every function gives canonical segments of one transaction set; `payer` puts them into envelopes.

Sources: 005010X214, 005010X221A1, 005010X212.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zlib import crc32

import msgspec

from adapters.sandbox.intake import Batch, Party, Submitted, money
from adapters.sandbox.scenarios import Verdict
from x12.documents.claim_acknowledgement import (
    ClaimReport,
    ClaimStatusDetail,
    ClaimStatusTransaction,
    InformationClaimStatus,
    PatientClaimStatusDetail,
    ProviderClaimStatus,
    ReportClaim,
    ReportDependent,
    ReportPayer,
    ReportReceiver,
    ReportServiceProvider,
    ReportSubscriber,
    StatusDetail,
    write_claim_report,
)
from x12.documents.claim_acknowledgement import ClaimStatus as Acknowledged
from x12.documents.claim_status import (
    Claim,
    ClaimStatus,
    ClaimStatusRequest,
    ClaimStatusResponse,
    Person,
    Provider,
    ResponsePayer,
    Status,
    Subscriber,
    write_status_response,
)
from x12.documents.parts import Header
from x12.documents.remittance import (
    BusinessContact,
    Detail,
    Payee,
    Payment,
    ProviderAdjustment,
    ProviderAdjustmentItem,
    Reassociation,
    ReceiverAccount,
    Remittance,
    RemittancePayer,
    SenderAccount,
    TechnicalContact,
    write_remittance,
)
from x12.documents.remittance import PartyAddress as Address
from x12.documents.remittance_claim import ClaimPayment, ContactMethod, TechnicalContactMethod

__all__ = ["PAYER_ID", "PAYER_NAME", "Judged", "Standing", "claim_report", "remittance", "status_response"]

PAYER_NAME, PAYER_ID = "SANDBOX HEALTH PLAN", "SANDBOX"
_NO_MEMBER = _NOT_NAMED = "UNKNOWN"
_TAX_NUMBER = "123456789"
# Numbers of banks and accounts that belong to nobody; the routing numbers have right check digits.
_PAYER_BANK, _PAYER_ACCOUNT = "999999992", "100200300"
_PAYEE_BANK, _PAYEE_ACCOUNT = "999988880", "400500600"
_PHONE = "5555550100"
_ACCEPTED, _RECEIVED = Verdict("A2", "20", "PR"), Verdict("A1", "19", "PR")


def _or_none(text: str) -> str | None:
    return text or None


# --- 277CA ---------------------------------------------------------------------------------------------------------


class Judged(msgspec.Struct):
    """A claim that the 277CA tells of: its number here, or why it is not taken; or only that it is received, and no more yet."""

    claim: Submitted
    number: str
    verdict: Verdict | None
    is_received: bool = False


def claim_report(batch: Batch, judged: Sequence[Judged], header: Header, received: str) -> list[str]:
    """The 277CA for the claims of one 837: some of them, never none. `received` is the day they came (CCYYMMDD)."""
    payer = judged[0].claim.payer
    taken = [j.claim.charge for j in judged if j.verdict is None]
    refused = [j.claim.charge for j in judged if j.verdict is not None]
    total = money(sum((*taken, *refused), Decimal(0)))
    overall = StatusDetail(health_care_claim_status_category_code="A1", status_code="19", entity_identifier_code="PR")
    said = ClaimStatusTransaction(
        provider=_receiver(batch.submitter),
        claim_transaction_batch_number=batch.reference,
        provider_claim_statuses=[
            ProviderClaimStatus(
                status_information_effective_date=header.date,
                status_information_action_code="WQ" if taken else "U",
                total_submitted_charges=total,
                provider_statuses=[overall],
            )
        ],
        total_accepted_quantity=str(len(taken)) if taken else None,
        total_rejected_quantity=str(len(refused)) if refused else None,
        total_accepted_amount=money(sum(taken, Decimal(0))) if taken else None,
        total_rejected_amount=money(sum(refused, Decimal(0))) if refused else None,
        claim_status_details=_by_provider(judged, header.date),
    )
    source = ReportPayer(
        entity_identifier_code="PR",
        organization_name=payer.last_name or PAYER_NAME,
        payer_identification=payer.number or PAYER_ID,
        transmission_receipt_control_identifier=header.reference,
        receipt_date=received,
        process_date=header.date,
        claim_status_transactions=[said],
    )
    return write_claim_report(ClaimReport(payers=[source]), header).segments


def _receiver(submitter: Party) -> ReportReceiver:
    if not submitter.is_person:
        return ReportReceiver(organization_name=submitter.last_name, etin=submitter.number)
    return ReportReceiver(
        last_name=submitter.last_name,
        first_name=_or_none(submitter.first_name),
        middle_name=_or_none(submitter.middle_name),
        etin=submitter.number,
    )


def _by_provider(judged: Sequence[Judged], today: str) -> list[ClaimStatusDetail]:
    """The claims under their billing providers, both in the order in which they came."""
    details: dict[tuple[str, str], ClaimStatusDetail] = {}
    for one in judged:
        key = (one.claim.payee_number, one.claim.billing.last_name)
        detail = details.get(key)
        if detail is None:
            detail = details[key] = ClaimStatusDetail(
                service_provider=_provider(one.claim), patient_claim_status_details=[]
            )
        assert detail.patient_claim_status_details is not None
        detail.patient_claim_status_details.append(_patient(one, today))
    return list(details.values())


def _provider(claim: Submitted) -> ReportServiceProvider:
    billing = claim.billing
    names: dict[str, str | None] = {"organization_name": billing.last_name}
    if billing.is_person:
        names = {
            "last_name": billing.last_name,
            "first_name": _or_none(billing.first_name),
            "middle_name": _or_none(billing.middle_name),
            "suffix": _or_none(billing.suffix),
        }
    number = {"npi": billing.number} if billing.number else {"tin": claim.tax_id or _TAX_NUMBER}
    return ReportServiceProvider(**names, **number)


def _patient(one: Judged, today: str) -> PatientClaimStatusDetail:
    claim, verdict = one.claim, one.verdict or (_RECEIVED if one.is_received else _ACCEPTED)
    person = claim.patient or claim.subscriber
    status = InformationClaimStatus(
        status_information_effective_date=today,
        status_information_action_code="WQ" if one.verdict is None else "U",
        total_claim_charge_amount=money(claim.charge),
        information_statuses=[
            StatusDetail(
                health_care_claim_status_category_code=verdict.category,
                status_code=verdict.status,
                entity_identifier_code=_or_none(verdict.entity),
            )
        ],
        message=_or_none(verdict.message),
    )
    first, last = claim.days
    first = first or today
    return PatientClaimStatusDetail(
        subscriber=ReportSubscriber(member_id=claim.subscriber.number or _NO_MEMBER),
        dependent=ReportDependent(
            last_name=person.last_name,
            first_name=_or_none(person.first_name),
            middle_name=_or_none(person.middle_name),
            suffix=_or_none(person.suffix),
        ),
        claims=[
            ReportClaim(
                claim_status=Acknowledged(
                    referenced_transaction_trace_number=claim.patient_control_number,
                    information_claim_statuses=[status],
                    trading_partner_claim_number=_or_none(one.number) if one.verdict is None else None,
                    clearinghouse_trace_number=_or_none(claim.clearinghouse_number),
                    bill_type_identifier=_or_none(claim.hospital.bill_type),
                    claim_service_date=first if last in ("", first) else None,
                    claim_service_begin_date=None if last in ("", first) else first,
                    claim_service_end_date=None if last in ("", first) else last,
                )
            )
        ],
    )


# --- 835 -----------------------------------------------------------------------------------------------------------


def remittance(
    claim: Submitted,
    payments: Sequence[ClaimPayment],
    amount: Decimal,
    recovered: Decimal,
    fee: Decimal,
    trace: str,
    header: Header,
    receiver: str,
) -> list[str]:
    """The 835 for one payee; `claim` is one of those it is for, and names payee and payer.

    `recovered` is what an earlier payment was too much (positive) or what this one leaves to be recovered (negative):
    the PLB. `fee` is what the way of paying costs the payee (PLB AH). `amount` is what is paid: never negative.
    """
    items = [
        ProviderAdjustmentItem(
            adjustment_reason_code=reason,
            provider_adjustment_identifier=trace,
            provider_adjustment_amount=money(withheld),
        )
        for reason, withheld in (("FB", recovered), ("AH", fee))
        if withheld
    ]
    adjustments = ProviderAdjustment(
        provider_identifier=claim.payee_number, fiscal_period_date=f"{header.date[:4]}1231", adjustments=items
    )
    company = _company(claim.payer)
    made = Remittance(
        financial_information=_financial(amount, header.date, company),
        payment_and_remit_reassociation_details=Reassociation(
            trace_type_code="1", check_or_eft_trace_number=trace, originating_company_identifier=company
        ),
        receiver_identifier=receiver,
        production_date=header.date,
        payer=_payer(claim.payer),
        payee=_payee(claim),
        detail_info=[Detail(assigned_number="1", payment_info=list(payments))] if payments else None,
        provider_adjustments=[adjustments] if items else None,
    )
    return write_remittance(made, header).segments


def _company(payer: Party) -> str:
    """TRN03 and BPR10: by them a payment is told from another payer's with the same trace number, so each payer has its own."""
    return f"1{crc32((payer.number or PAYER_ID).encode()) % 10**9:09d}"


def _financial(amount: Decimal, today: str, company: str) -> Payment:
    if not amount:
        return Payment(
            transaction_handling_code="H",
            total_actual_provider_payment_amount="0",
            credit_or_debit_flag_code="C",
            payment_method_code="NON",
            check_issue_or_eft_effective_date=today,
        )
    return Payment(
        transaction_handling_code="I",
        total_actual_provider_payment_amount=money(amount),
        credit_or_debit_flag_code="C",
        payment_method_code="ACH",
        payment_format_code="CCP",
        sender_account_details=SenderAccount(
            sender_dfi_id_number_qualifier="01",
            sender_dfi_identifier=_PAYER_BANK,
            sender_account_number_qualifier="DA",
            sender_account_number=_PAYER_ACCOUNT,
        ),
        payer_identifier=company,
        receiver_account_details=ReceiverAccount(
            receiver_dfi_id_number_qualifier="01",
            receiver_dfi_identification_number=_PAYEE_BANK,
            receiver_account_number_qualifier="DA",
            receiver_account_number=_PAYEE_ACCOUNT,
        ),
        check_issue_or_eft_effective_date=today,
    )


def _payer(payer: Party) -> RemittancePayer:
    return RemittancePayer(
        name=payer.last_name or PAYER_NAME,
        address=Address(address1="1 SANDBOX SQUARE", city="MADISON", state="WI", postal_code="537030000"),
        payer_identification_number=payer.number or PAYER_ID,
        business_contact_information=BusinessContact(
            contact_name="PROVIDER SERVICES", contact_methods=[ContactMethod(phone=_PHONE)]
        ),
        technical_contact_information=[
            TechnicalContact(contact_name="EDI DESK", contact_methods=[TechnicalContactMethod(phone=_PHONE)])
        ],
    )


def _payee(claim: Submitted) -> Payee:
    billing, number = claim.billing, claim.tax_id or _TAX_NUMBER
    name = f"{billing.last_name} {billing.first_name}".strip()[:60] if billing.is_person else billing.last_name
    if billing.number:
        return Payee(name=name, npi=billing.number, federal_tax_payers_identification_number=number)
    return Payee(name=name, tax_id=number)


# --- 277 -----------------------------------------------------------------------------------------------------------


class Standing(msgspec.Struct):
    """Where a claim stands: STC01, and its amounts and dates where they are known."""

    category: str
    status: str
    entity: str = ""
    effective: str = ""
    number: str = ""
    patient_control_number: str = ""
    clearinghouse_number: str = ""
    bill_type: str = ""
    charge: str = ""
    paid: str = ""
    finalized: str = ""
    remitted: str = ""
    trace: str = ""
    days: tuple[str, str] = ("", "")


def status_response(request: ClaimStatusRequest, standing: Standing, header: Header, asked: str) -> list[str]:
    """The 277 that answers one question of a 276. `asked` is the 276's BHT03, by which a refusal of the whole is known."""
    response = ClaimStatusResponse(
        payer=ResponsePayer(
            organization_name=request.trading_partner_name or PAYER_NAME,
            payer_identification=request.trading_partner_service_id or PAYER_ID,
        ),
        providers=[_asking(provider) for provider in request.providers or ()] or None,
    )
    if standing.category[:1] == "E":
        response.providers = (response.providers or [])[:1]
        response.claim_transaction_batch_number = asked
        response.provider_claim_statuses = [_refusal(standing, header.date)]
    else:
        subscriber = request.subscriber
        response.subscriber = Subscriber(
            **({n: getattr(subscriber, n) for n in (*_NAME, "member_id")} if subscriber is not None else {})
        )
        if request.dependent is not None:
            response.dependent = Person(**{n: getattr(request.dependent, n) for n in _NAME})
        response.claims = [Claim(claim_status=_status(request, standing, header.date))]
    return write_status_response(response, header).segments


_NAME = ("last_name", "first_name", "middle_name", "suffix")


def _asking(provider: Provider) -> Provider:
    """Who asked, or gave the service: the question may leave the name out, the answer may not."""
    named = provider.organization_name or provider.last_name
    return provider if named else msgspec.structs.replace(provider, organization_name=_NOT_NAMED)


def _refusal(standing: Standing, today: str) -> Status:
    return Status(
        status_category_code=standing.category,
        status_code=standing.status,
        entity_code=_or_none(standing.entity),
        effective_date=today,
    )


def _status(request: ClaimStatusRequest, standing: Standing, today: str) -> ClaimStatus:
    encounter = request.encounter
    first, last = standing.days
    return ClaimStatus(
        tracking_number=(encounter.tracking_number if encounter is not None else None) or "0",
        status_category_code=standing.category,
        status_code=standing.status,
        entity_code=_or_none(standing.entity),
        effective_date=standing.effective or today,
        submitted_amount=_or_none(standing.charge)
        or (encounter.submitted_amount if encounter is not None else None)
        or "0",
        amount_paid=standing.paid or "0",
        paid_date=_or_none(standing.finalized),
        check_issue_date=_or_none(standing.remitted),
        check_number=_or_none(standing.trace),
        trading_partner_claim_number=_or_none(standing.number),
        patient_account_number=_or_none(standing.patient_control_number)
        or (encounter.patient_account_number if encounter is not None else None),
        clearing_house_claim_number=_or_none(standing.clearinghouse_number)
        or (encounter.clearing_house_claim_number if encounter is not None else None),
        bill_type_identifier=_or_none(standing.bill_type),
        claim_service_date=_or_none(first if last in ("", first) else f"{first}-{last}"),
    )

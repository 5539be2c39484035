"""The remittance advice (835) as the dialect's JSON, both ways.

One transaction set is one item of the report's `transactions`. Amounts stay the strings they came as; whether they add up
is the affair of `x12.balancing`.

Source: 005010X221A1; names: the dialect's `report-835`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from x12 import codes, guides
from x12.documents.binding import Document, Text, at, groups, inside, meaning, read, segments
from x12.documents.parts import Header
from x12.documents.remittance_claim import ClaimPayment, ContactMethod, TechnicalContactMethod
from x12.documents.writing import Writer, Written
from x12.walk import Instance

__all__ = ["Detail", "ProviderAdjustment", "Remittance", "Report835", "read_remittance", "write_remittance"]

GUIDE_ID = "005010X221A1"


class SenderAccount(Document):
    """The account that pays: BPR06 to BPR09."""

    sender_dfi_id_number_qualifier: Annotated[Text, at("BPR06")] = None
    sender_dfi_identifier: Annotated[Text, at("BPR07")] = msgspec.field(default=None, name="senderDFIIdentifier")
    sender_account_number_qualifier: Annotated[Text, at("BPR08")] = None
    sender_account_number: Annotated[Text, at("BPR09")] = None


class ReceiverAccount(Document):
    """The account that is paid: BPR12 to BPR15."""

    receiver_dfi_id_number_qualifier: Annotated[Text, at("BPR12")] = None
    receiver_dfi_identification_number: Annotated[Text, at("BPR13")] = None
    receiver_account_number_qualifier: Annotated[Text, at("BPR14")] = None
    receiver_account_number: Annotated[Text, at("BPR15")] = None


class Payment(Document):
    """How much is paid and how: BPR."""

    transaction_handling_code: Annotated[Text, at("BPR01")] = None
    total_actual_provider_payment_amount: Annotated[Text, at("BPR02")] = None
    credit_or_debit_flag_code: Annotated[Text, at("BPR03")] = None
    payment_method_code: Annotated[Text, at("BPR04")] = None
    payment_format_code: Annotated[Text, at("BPR05")] = None
    sender_account_details: SenderAccount | None = None
    payer_identifier: Annotated[Text, at("BPR10")] = None
    originating_company_supplemental_code: Annotated[Text, at("BPR11")] = None
    receiver_account_details: ReceiverAccount | None = None
    check_issue_or_eft_effective_date: Annotated[Text, at("BPR16")] = msgspec.field(
        default=None, name="checkIssueOrEFTEffectiveDate"
    )


class Reassociation(Document):
    """What finds the check or transfer that belongs to the advice: TRN."""

    trace_type_code: Annotated[Text, at("TRN01")] = None
    check_or_eft_trace_number: Annotated[Text, at("TRN02")] = msgspec.field(default=None, name="checkOrEFTTraceNumber")
    originating_company_identifier: Annotated[Text, at("TRN03")] = None
    originating_company_supplemental_code: Annotated[Text, at("TRN04")] = None


class PartyAddress(Document):
    """N3 and N4 of payer or payee. The dialect names the country subdivision differently here."""

    address1: Annotated[Text, at("N301")] = None
    address2: Annotated[Text, at("N302")] = None
    city: Annotated[Text, at("N401")] = None
    state: Annotated[Text, at("N402")] = None
    postal_code: Annotated[Text, at("N403")] = None
    country_code: Annotated[Text, at("N404")] = None
    country_sub_code: Annotated[Text, at("N407")] = None


class BusinessContact(Document):
    """PER*CX of loop 1000A."""

    contact_name: Annotated[Text, at("PER[CX]02")] = None
    contact_methods: Annotated[list[ContactMethod] | None, groups("PER[CX]03", 2, 8)] = None


class TechnicalContact(Document):
    """One PER*BL of loop 1000A."""

    contact_name: Annotated[Text, at("PER02")] = None
    contact_methods: Annotated[list[TechnicalContactMethod] | None, groups("PER03", 2, 8)] = None


class RemittancePayer(Document):
    """Loop 1000A."""

    name: Annotated[Text, at("N102")] = None
    centers_for_medicare_and_medicaid_services_plan_id: Annotated[Text, at("N104 N103=XV")] = None
    address: PartyAddress | None = None
    payer_identification_number: Annotated[Text, at("REF[2U]02")] = None
    submitter_identification_number: Annotated[Text, at("REF[EO]02")] = None
    health_industry_number: Annotated[Text, at("REF[HI]02")] = None
    national_association_of_insurance_commissioners: Annotated[Text, at("REF[NF]02")] = None
    business_contact_information: BusinessContact | None = None
    technical_contact_information: Annotated[list[TechnicalContact] | None, segments("PER[BL]")] = None
    payer_web_site_url: Annotated[Text, at("PER[IC]04 PER03=UR")] = None


class DeliveryMethod(Document):
    """How the payee wants the advice delivered: RDM. With a name alone it goes by mail."""

    email: Annotated[Text, at("RDM03 RDM01=EM")] = None
    ftp: Annotated[Text, at("RDM03 RDM01=FT")] = None
    on_line: Annotated[Text, at("RDM03 RDM01=OL")] = None
    name: Annotated[Text, at("RDM02 RDM01~BM")] = None


class Payee(Document):
    """Loop 1000B."""

    name: Annotated[Text, at("N102")] = None
    npi: Annotated[Text, at("N104 N103=XX")] = None
    tax_id: Annotated[Text, at("N104 N103=FI")] = None
    centers_for_medicare_and_medicaid_services_plan_id: Annotated[Text, at("N104 N103=XV")] = None
    address: PartyAddress | None = None
    state_license_number: Annotated[Text, at("REF[0B]02")] = None
    national_council_for_prescription_drug_programs_pharmacy_number: Annotated[Text, at("REF[D3]02")] = None
    payee_identification: Annotated[Text, at("REF[PQ]02")] = None
    federal_tax_payers_identification_number: Annotated[Text, at("REF[TJ]02")] = None
    remittance_delivery_method: DeliveryMethod | None = None


class ProviderSummary(Document):
    """TS3 of loop 2000: totals of an institutional provider's claims."""

    provider_identifier: Annotated[Text, at("TS301")] = None
    facility_type_code: Annotated[Text, at("TS302")] = None
    fiscal_period_date: Annotated[Text, at("TS303")] = None
    total_claim_count: Annotated[Text, at("TS304")] = None
    total_claim_charge_amount: Annotated[Text, at("TS305")] = None
    total_msp_payer_amount: Annotated[Text, at("TS313")] = msgspec.field(default=None, name="totalMSPPayerAmount")
    total_non_lab_charge_amount: Annotated[Text, at("TS315")] = None
    total_hcpcs_reported_charge_amount: Annotated[Text, at("TS317")] = msgspec.field(
        default=None, name="totalHCPCSReportedChargeAmount"
    )
    total_hcpcs_payable_amount: Annotated[Text, at("TS318")] = msgspec.field(
        default=None, name="totalHCPCSPayableAmount"
    )
    total_professional_component_amount: Annotated[Text, at("TS320")] = None
    total_msp_patient_liability_met_amount: Annotated[Text, at("TS321")] = msgspec.field(
        default=None, name="totalMSPPatientLiabilityMetAmount"
    )
    total_patient_reimbursement_amount: Annotated[Text, at("TS322")] = None
    total_pip_claim_count: Annotated[Text, at("TS323")] = msgspec.field(default=None, name="totalPIPClaimCount")
    total_pip_adjustment_amount: Annotated[Text, at("TS324")] = msgspec.field(
        default=None, name="totalPIPAdjustmentAmount"
    )


class ProviderSupplementalSummary(Document):
    """TS2 of loop 2000: more totals of inpatient claims."""

    total_drg_amount: Annotated[Text, at("TS201")] = msgspec.field(default=None, name="totalDRGAmount")
    total_federal_specific_amount: Annotated[Text, at("TS202")] = None
    total_hospital_specific_amount: Annotated[Text, at("TS203")] = None
    total_disproportionate_share_amount: Annotated[Text, at("TS204")] = None
    total_capital_amount: Annotated[Text, at("TS205")] = None
    total_indirect_medical_education_amount: Annotated[Text, at("TS206")] = None
    total_outlier_day_count: Annotated[Text, at("TS207")] = None
    total_day_outlier_amount: Annotated[Text, at("TS208")] = None
    total_cost_outlier_amount: Annotated[Text, at("TS209")] = None
    average_drg_length_of_stay: Annotated[Text, at("TS210")] = msgspec.field(
        default=None, name="averageDRGLengthOfStay"
    )
    total_discharge_count: Annotated[Text, at("TS211")] = None
    total_cost_report_day_count: Annotated[Text, at("TS212")] = None
    total_covered_day_count: Annotated[Text, at("TS213")] = None
    total_non_covered_day_count: Annotated[Text, at("TS214")] = None
    total_msp_pass_through_amount: Annotated[Text, at("TS215")] = msgspec.field(
        default=None, name="totalMSPPassThroughAmount"
    )
    average_drg_weight: Annotated[Text, at("TS216")] = msgspec.field(default=None, name="averageDRGWeight")
    total_pps_capital_fsp_drg_amount: Annotated[Text, at("TS217")] = msgspec.field(
        default=None, name="totalPPSCapitalFSPDRGAmount"
    )
    total_pps_capital_hsp_drg_amount: Annotated[Text, at("TS218")] = msgspec.field(
        default=None, name="totalPPSCapitalHSPDRGAmount"
    )
    total_pps_dsh_drg_amount: Annotated[Text, at("TS219")] = msgspec.field(default=None, name="totalPPSDSHDRGAmount")


class Detail(Document):
    """One group of claims: loop 2000."""

    assigned_number: Annotated[Text, at("LX01")] = None
    provider_summary_information: ProviderSummary | None = None
    provider_supplemental_summary_information: ProviderSupplementalSummary | None = None
    payment_info: Annotated[list[ClaimPayment] | None, inside("2100")] = None


class ProviderAdjustmentItem(Document):
    """One of the up to six adjustments of a PLB. A positive amount lowers the payment."""

    adjustment_reason_code: Annotated[Text, at("@01-1")] = None
    adjustment_reason_code_value: Annotated[Text, meaning("@01-1", codes.table("provider_adjustment"))] = None
    provider_adjustment_identifier: Annotated[Text, at("@01-2")] = None
    provider_adjustment_amount: Annotated[Text, at("@02")] = None


class ProviderAdjustment(Document):
    """Adjustments that belong to no claim: one PLB."""

    provider_identifier: Annotated[Text, at("PLB01")] = None
    fiscal_period_date: Annotated[Text, at("PLB02")] = None
    adjustments: Annotated[list[ProviderAdjustmentItem] | None, groups("PLB03", 2, 14)] = None


class Remittance(Document):
    """An 835: one payment and the claims it is for."""

    control_number: Annotated[Text, at("ST02")] = None
    payment_and_remit_reassociation_details: Reassociation | None = None
    production_date: Annotated[Text, at("DTM[405]02")] = None
    receiver_identifier: Annotated[Text, at("REF[EV]02")] = None
    version_identification: Annotated[Text, at("REF[F2]02")] = None
    foreign_currency: Annotated[Text, at("CUR02")] = None
    financial_information: Payment | None = None
    payer: Annotated[RemittancePayer | None, inside("1000A")] = None
    payee: Annotated[Payee | None, inside("1000B")] = None
    detail_info: Annotated[list[Detail] | None, inside("2000")] = None
    provider_adjustments: Annotated[list[ProviderAdjustment] | None, segments("PLB")] = None


class ReportMeta(Document):
    """Where a report came from."""

    application_mode: Text = None
    sender_id: Text = None
    trace_id: Text = None
    transaction_id: Text = None


class Report835(Document):
    """The dialect's answer about one 835 file."""

    meta: ReportMeta | None = None
    transactions: list[Remittance] | None = None


def read_remittance(root: Instance) -> Remittance:
    """The remittance of a walked 835."""
    return read(Remittance, root)


def write_remittance(remittance: Remittance, header: Header) -> Written:
    """An 835. ST02 is the header's; fields that only say in words what a code says are not written.

    Whether the amounts balance is not judged here: `x12.balancing` does, on what was written or received.
    """
    writer = Writer(guides.load(GUIDE_ID, "835"), header.control_number)
    writer.write(_prepared(remittance), writer.root)
    return writer.finish()


def _prepared(remittance: Remittance) -> Remittance:
    """The same with each contract class once: the dialect tells the first of them twice."""
    replace = msgspec.structs.replace
    details = [
        replace(d, payment_info=[c.with_contract_classes_once() for c in d.payment_info or ()])
        for d in remittance.detail_info or ()
    ]
    return replace(remittance, detail_info=details)

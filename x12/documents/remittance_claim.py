"""One claim of a remittance advice: loops 2100 and 2110 of the 835 as the dialect's JSON.

Source: 005010X221A1; names: the dialect's `report-835`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from x12 import codes
from x12.documents.binding import Document, Text, at, contact, each, groups, inside, meaning, segments

__all__ = ["Adjustment", "ClaimPayment", "ContactMethod", "ServiceLine", "TechnicalContactMethod"]

_ADJUSTMENT_GROUP = codes.table("adjustment_group")
_ADJUSTMENT_REASON = codes.table("adjustment_reason")
_PROCEDURE_QUALIFIER = codes.table("remittance_procedure_qualifier")
_UNIQUE_HEALTH_ID = "standardUniqueHealthIdentifierForEachIndividualInTheUnitedStates"


class ContactMethod(Document):
    """One communication number of a PER under the name of its kind."""

    email: Annotated[Text, contact("@02", "EM")] = None
    fax: Annotated[Text, contact("@02", "FX")] = None
    phone: Annotated[Text, contact("@02", "TE")] = None
    phone_extension: Annotated[Text, contact("@02", "EX")] = None


class TechnicalContactMethod(ContactMethod):
    """A technical contact may have a web address too."""

    url: Annotated[Text, contact("@02", "UR")] = None


class ClaimContact(Document):
    """PER*CX of loop 2100."""

    contact_name: Annotated[Text, at("PER02")] = None
    contact_methods: Annotated[list[ContactMethod] | None, groups("PER03", 2, 8)] = None


class Adjustment(Document):
    """One CAS: up to six reasons of one group, each with its amount and, where units are adjusted, a quantity."""

    claim_adjustment_group_code: Annotated[Text, at("CAS01")] = None
    claim_adjustment_group_code_value: Annotated[Text, meaning("CAS01", _ADJUSTMENT_GROUP)] = None
    adjustment_reason_code1: Annotated[Text, at("CAS02")] = None
    adjustment_reason1: Annotated[Text, meaning("CAS02", _ADJUSTMENT_REASON)] = None
    adjustment_amount1: Annotated[Text, at("CAS03")] = None
    adjustment_quantity1: Annotated[Text, at("CAS04")] = None
    adjustment_reason_code2: Annotated[Text, at("CAS05")] = None
    adjustment_reason2: Annotated[Text, meaning("CAS05", _ADJUSTMENT_REASON)] = None
    adjustment_amount2: Annotated[Text, at("CAS06")] = None
    adjustment_quantity2: Annotated[Text, at("CAS07")] = None
    adjustment_reason_code3: Annotated[Text, at("CAS08")] = None
    adjustment_reason3: Annotated[Text, meaning("CAS08", _ADJUSTMENT_REASON)] = None
    adjustment_amount3: Annotated[Text, at("CAS09")] = None
    adjustment_quantity3: Annotated[Text, at("CAS10")] = None
    adjustment_reason_code4: Annotated[Text, at("CAS11")] = None
    adjustment_reason4: Annotated[Text, meaning("CAS11", _ADJUSTMENT_REASON)] = None
    adjustment_amount4: Annotated[Text, at("CAS12")] = None
    adjustment_quantity4: Annotated[Text, at("CAS13")] = None
    adjustment_reason_code5: Annotated[Text, at("CAS14")] = None
    adjustment_reason5: Annotated[Text, meaning("CAS14", _ADJUSTMENT_REASON)] = None
    adjustment_amount5: Annotated[Text, at("CAS15")] = None
    adjustment_quantity5: Annotated[Text, at("CAS16")] = None
    adjustment_reason_code6: Annotated[Text, at("CAS17")] = None
    adjustment_reason6: Annotated[Text, meaning("CAS17", _ADJUSTMENT_REASON)] = None
    adjustment_amount6: Annotated[Text, at("CAS18")] = None
    adjustment_quantity6: Annotated[Text, at("CAS19")] = None


# --- who: NM1 of loop 2100 -----------------------------------------------------------------------------------------


class PatientName(Document):
    """NM1*QC."""

    last_name: Annotated[Text, at("NM1[QC]03")] = None
    first_name: Annotated[Text, at("NM1[QC]04")] = None
    middle_name: Annotated[Text, at("NM1[QC]05")] = None
    suffix: Annotated[Text, at("NM1[QC]07")] = None
    ssn: Annotated[Text, at("NM1[QC]09 NM108=34")] = None
    health_insurance_claim_number: Annotated[Text, at("NM1[QC]09 NM108=HN")] = None
    unique_health_id: Annotated[Text, at("NM1[QC]09 NM108=II")] = msgspec.field(default=None, name=_UNIQUE_HEALTH_ID)
    member_id: Annotated[Text, at("NM1[QC]09 NM108=MI")] = None
    medicaid_recipient_identification_number: Annotated[Text, at("NM1[QC]09 NM108=MR")] = None


class SubscriberName(Document):
    """NM1*IL. An organization is named only by `organizationName`."""

    organization_name: Annotated[Text, at("NM1[IL]03 NM102=2")] = None
    last_name: Annotated[Text, at("NM1[IL]03 NM102=1")] = None
    first_name: Annotated[Text, at("NM1[IL]04 NM102~1")] = None
    middle_name: Annotated[Text, at("NM1[IL]05 NM102~1")] = None
    suffix: Annotated[Text, at("NM1[IL]07 NM102~1")] = None
    tax_id: Annotated[Text, at("NM1[IL]09 NM108=FI NM102~1")] = None
    unique_health_id: Annotated[Text, at("NM1[IL]09 NM108=II NM102~1")] = msgspec.field(
        default=None, name=_UNIQUE_HEALTH_ID
    )
    member_id: Annotated[Text, at("NM1[IL]09 NM108=MI NM102~1")] = None


class CorrectedName(Document):
    """NM1*74: what of the patient's or insured's name or number the payer has corrected."""

    organization_name: Annotated[Text, at("NM1[74]03 NM102=2")] = None
    last_name: Annotated[Text, at("NM1[74]03 NM102=1")] = None
    first_name: Annotated[Text, at("NM1[74]04 NM102~1")] = None
    middle_name: Annotated[Text, at("NM1[74]05 NM102~1")] = None
    suffix: Annotated[Text, at("NM1[74]07 NM102~1")] = None
    insureds_changed_unique_identification_number: Annotated[Text, at("NM1[74]09 NM108=C NM102~1")] = None


class RenderingProvider(Document):
    """NM1*82."""

    organization_name: Annotated[Text, at("NM1[82]03 NM102=2")] = None
    last_name: Annotated[Text, at("NM1[82]03 NM102=1")] = None
    first_name: Annotated[Text, at("NM1[82]04 NM102~1")] = None
    middle_name: Annotated[Text, at("NM1[82]05 NM102~1")] = None
    suffix: Annotated[Text, at("NM1[82]07 NM102~1")] = None
    blue_cross_provider_number: Annotated[Text, at("NM1[82]09 NM108=BD NM102~1")] = None
    blue_shield_provider_number: Annotated[Text, at("NM1[82]09 NM108=BS NM102~1")] = None
    tax_id: Annotated[Text, at("NM1[82]09 NM108=FI NM102~1")] = None
    medicaid_provider_number: Annotated[Text, at("NM1[82]09 NM108=MC NM102~1")] = None
    provider_commercial_number: Annotated[Text, at("NM1[82]09 NM108=PC NM102~1")] = None
    state_license_number: Annotated[Text, at("NM1[82]09 NM108=SL NM102~1")] = None
    unique_physician_identification_number: Annotated[Text, at("NM1[82]09 NM108=UP NM102~1")] = None
    npi: Annotated[Text, at("NM1[82]09 NM108=XX NM102~1")] = None


class CrossoverCarrier(Document):
    """NM1*TT: the payer that the claim was passed on to."""

    organization_name: Annotated[Text, at("NM1[TT]03")] = None
    blue_cross_blue_shield_association_plan_code: Annotated[Text, at("NM1[TT]09 NM108=AD")] = None
    tax_id: Annotated[Text, at("NM1[TT]09 NM108=FI")] = None
    national_association_of_insurance_commissioners_identification: Annotated[Text, at("NM1[TT]09 NM108=NI")] = None
    payor_id: Annotated[Text, at("NM1[TT]09 NM108=PI")] = None
    pharmacy_processor_number: Annotated[Text, at("NM1[TT]09 NM108=PP")] = None
    centers_for_medicare_and_medicaid_services_plan_id: Annotated[Text, at("NM1[TT]09 NM108=XV")] = None


class CorrectedPriorityPayer(Document):
    """NM1*PR: the payer that should have been asked first."""

    organization_name: Annotated[Text, at("NM1[PR]03")] = None
    blue_cross_blue_shield_association_plan_code: Annotated[Text, at("NM1[PR]09 NM108=AD")] = None
    tax_id: Annotated[Text, at("NM1[PR]09 NM108=FI")] = None
    national_association_of_insurance_commissioners_identification: Annotated[Text, at("NM1[PR]09 NM108=NI")] = None
    payor_id: Annotated[Text, at("NM1[PR]09 NM108=PI")] = None
    pharmacy_processor_number: Annotated[Text, at("NM1[PR]09 NM108=PP")] = None
    centers_for_medicare_and_medicaid_services_plan_id: Annotated[Text, at("NM1[PR]09 NM108=XV")] = None


class OtherSubscriber(Document):
    """NM1*GB."""

    organization_name: Annotated[Text, at("NM1[GB]03 NM102=2")] = None
    last_name: Annotated[Text, at("NM1[GB]03 NM102=1")] = None
    first_name: Annotated[Text, at("NM1[GB]04 NM102~1")] = None
    middle_name: Annotated[Text, at("NM1[GB]05 NM102~1")] = None
    suffix: Annotated[Text, at("NM1[GB]07 NM102~1")] = None
    tax_id: Annotated[Text, at("NM1[GB]09 NM108=FI NM102~1")] = None
    unique_health_id: Annotated[Text, at("NM1[GB]09 NM108=II NM102~1")] = msgspec.field(
        default=None, name=_UNIQUE_HEALTH_ID
    )
    member_id: Annotated[Text, at("NM1[GB]09 NM108=MI NM102~1")] = None


# --- what: the claim -----------------------------------------------------------------------------------------------


class ClaimPaymentInfo(Document):
    """CLP: what was charged and paid."""

    patient_control_number: Annotated[Text, at("CLP01")] = None
    claim_status_code: Annotated[Text, at("CLP02")] = None
    total_claim_charge_amount: Annotated[Text, at("CLP03")] = None
    claim_payment_amount: Annotated[Text, at("CLP04")] = None
    patient_responsibility_amount: Annotated[Text, at("CLP05")] = None
    claim_filing_indicator_code: Annotated[Text, at("CLP06")] = None
    payer_claim_control_number: Annotated[Text, at("CLP07")] = None
    facility_type_code: Annotated[Text, at("CLP08")] = None
    claim_frequency_code: Annotated[Text, at("CLP09")] = None
    diagnosis_related_group_drg_code: Annotated[Text, at("CLP11")] = msgspec.field(
        default=None, name="diagnosisRelatedGroupDRGCode"
    )
    diagnosis_related_group_drg_weight: Annotated[Text, at("CLP12")] = msgspec.field(
        default=None, name="diagnosisRelatedGroupDRGWeight"
    )
    discharge_fraction: Annotated[Text, at("CLP13")] = None


class InpatientAdjudication(Document):
    """MIA."""

    covered_days_or_visits_count: Annotated[Text, at("MIA01")] = None
    pps_operating_outlier_amount: Annotated[Text, at("MIA02")] = None
    lifetime_psychiatric_days_count: Annotated[Text, at("MIA03")] = None
    claim_drg_amount: Annotated[Text, at("MIA04")] = msgspec.field(default=None, name="claimDRGAmount")
    claim_payment_remark_code1: Annotated[Text, at("MIA05")] = None
    claim_disproportionate_share_amount: Annotated[Text, at("MIA06")] = None
    claim_msp_pass_through_amount: Annotated[Text, at("MIA07")] = msgspec.field(
        default=None, name="claimMSPPassThroughAmount"
    )
    claim_pps_capital_amount: Annotated[Text, at("MIA08")] = msgspec.field(default=None, name="claimPPSCapitalAmount")
    pps_capital_fsp_drg_amount: Annotated[Text, at("MIA09")] = msgspec.field(
        default=None, name="ppsCapitalFSPDRGAmount"
    )
    pps_capital_hsp_drg_amount: Annotated[Text, at("MIA10")] = msgspec.field(
        default=None, name="ppsCapitalHSPDRGAmount"
    )
    pps_capital_dsh_drg_amount: Annotated[Text, at("MIA11")] = msgspec.field(
        default=None, name="ppsCapitalDSHDRGAmount"
    )
    old_capital_amount: Annotated[Text, at("MIA12")] = None
    pps_capital_ime_amount: Annotated[Text, at("MIA13")] = msgspec.field(default=None, name="ppsCapitalIMEAmount")
    pps_operating_hospital_specific_drg_amount: Annotated[Text, at("MIA14")] = msgspec.field(
        default=None, name="ppsOperatingHospitalSpecificDRGAmount"
    )
    cost_report_day_count: Annotated[Text, at("MIA15")] = None
    pps_operating_federal_specific_drg_amount: Annotated[Text, at("MIA16")] = msgspec.field(
        default=None, name="ppsOperatingFederalSpecificDRGAmount"
    )
    claim_pps_capital_outlier_amount: Annotated[Text, at("MIA17")] = msgspec.field(
        default=None, name="claimPPSCapitalOutlierAmount"
    )
    claim_indirect_teaching_amount: Annotated[Text, at("MIA18")] = None
    non_payable_professional_component_amount: Annotated[Text, at("MIA19")] = None
    claim_payment_remark_code2: Annotated[Text, at("MIA20")] = None
    claim_payment_remark_code3: Annotated[Text, at("MIA21")] = None
    claim_payment_remark_code4: Annotated[Text, at("MIA22")] = None
    claim_payment_remark_code5: Annotated[Text, at("MIA23")] = None
    pps_capital_exception_amount: Annotated[Text, at("MIA24")] = None


class OutpatientAdjudication(Document):
    """MOA."""

    reimbursement_rate: Annotated[Text, at("MOA01")] = None
    claim_hcpcs_payable_amount: Annotated[Text, at("MOA02")] = msgspec.field(
        default=None, name="claimHCPCSPayableAmount"
    )
    claim_payment_remark_code1: Annotated[Text, at("MOA03")] = None
    claim_payment_remark_code2: Annotated[Text, at("MOA04")] = None
    claim_payment_remark_code3: Annotated[Text, at("MOA05")] = None
    claim_payment_remark_code4: Annotated[Text, at("MOA06")] = None
    claim_payment_remark_code5: Annotated[Text, at("MOA07")] = None
    claim_esrd_payment_amount: Annotated[Text, at("MOA08")] = msgspec.field(default=None, name="claimESRDPaymentAmount")
    non_payable_professional_component_amount: Annotated[Text, at("MOA09")] = None


class ClaimIdentification(Document):
    """Other numbers of the claim: REF of loop 2100."""

    employee_identification_number: Annotated[Text, at("REF[28]02")] = None
    group_or_policy_number: Annotated[Text, at("REF[1L]02")] = None
    member_identification_number: Annotated[Text, at("REF[1W]02")] = None
    group_number: Annotated[Text, at("REF[6P]02")] = None
    re_priced_claim_reference_number: Annotated[Text, at("REF[9A]02")] = None
    adjusted_re_priced_claim_reference_number: Annotated[Text, at("REF[9C]02")] = None
    authorization_number: Annotated[Text, at("REF[BB]02")] = None
    class_of_contract_code: Annotated[Text, at("REF[CE]02")] = None
    class_of_contract_codes: Annotated[list[str] | None, segments("REF[CE]02")] = None
    medical_record_identification_number: Annotated[Text, at("REF[EA]02")] = None
    original_reference_number: Annotated[Text, at("REF[F8]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    predetermination_of_benefits_identification_number: Annotated[Text, at("REF[G3]02")] = None
    insurance_policy_number: Annotated[Text, at("REF[IG]02")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None


class ProviderNumbers(Document):
    """Numbers of the rendering provider that claim and line both may have: REF of loop 2100 or 2110."""

    state_license_number: Annotated[Text, at("REF[0B]02")] = None
    blue_cross_provider_number: Annotated[Text, at("REF[1A]02")] = None
    blue_shield_provider_number: Annotated[Text, at("REF[1B]02")] = None
    medicare_provider_number: Annotated[Text, at("REF[1C]02")] = None
    medicaid_provider_number: Annotated[Text, at("REF[1D]02")] = None
    provider_upin_number: Annotated[Text, at("REF[1G]02")] = msgspec.field(default=None, name="providerUPINNumber")
    champus_identification_number: Annotated[Text, at("REF[1H]02")] = None
    facility_id_number: Annotated[Text, at("REF[1J]02")] = None
    national_council_for_prescription_drug_program_pharmacy_number: Annotated[Text, at("REF[D3]02")] = None
    provider_commercial_number: Annotated[Text, at("REF[G2]02")] = None


class ClaimProviderNumbers(ProviderNumbers):
    """REF of loop 2100."""

    location_number: Annotated[Text, at("REF[LU]02")] = None


class LineProviderNumbers(ProviderNumbers):
    """REF of loop 2110."""

    npi: Annotated[Text, at("REF[HPI]02")] = None
    ssn: Annotated[Text, at("REF[SY]02")] = None
    federal_taxpayer_identification_number: Annotated[Text, at("REF[TJ]02")] = None


class _MandateAmounts(Document):
    """Amounts by category of a federal Medicare or Medicaid payment mandate."""

    federal_medicare_or_medicaid_payment_mandate_category1: Annotated[Text, at("AMT[ZK]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category2: Annotated[Text, at("AMT[ZL]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category3: Annotated[Text, at("AMT[ZM]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category4: Annotated[Text, at("AMT[ZN]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category5: Annotated[Text, at("AMT[ZO]02")] = None


class ClaimAmounts(_MandateAmounts):
    """AMT of loop 2100. None of them takes part in balancing."""

    coverage_amount: Annotated[Text, at("AMT[AU]02")] = None
    discount_amount: Annotated[Text, at("AMT[D8]02")] = None
    per_day_limit: Annotated[Text, at("AMT[DY]02")] = None
    patient_amount_paid: Annotated[Text, at("AMT[F5]02")] = None
    interest: Annotated[Text, at("AMT[I]02")] = None
    negative_ledger_balance: Annotated[Text, at("AMT[NL]02")] = None
    tax: Annotated[Text, at("AMT[T]02")] = None
    total_claim_before_taxes: Annotated[Text, at("AMT[T2]02")] = None


class LineAmounts(_MandateAmounts):
    """AMT of loop 2110."""

    allowed_actual: Annotated[Text, at("AMT[B6]02")] = None
    deduction_amount: Annotated[Text, at("AMT[KH]02")] = None
    tax: Annotated[Text, at("AMT[T]02")] = None
    total_claim_before_taxes: Annotated[Text, at("AMT[T2]02")] = None


class LineQuantities(Document):
    """QTY of loop 2110: quantities by category of a federal mandate."""

    federal_medicare_or_medicaid_payment_mandate_category1: Annotated[Text, at("QTY[ZK]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category2: Annotated[Text, at("QTY[ZL]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category3: Annotated[Text, at("QTY[ZM]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category4: Annotated[Text, at("QTY[ZN]02")] = None
    federal_medicare_or_medicaid_payment_mandate_category5: Annotated[Text, at("QTY[ZO]02")] = None


class ClaimQuantities(LineQuantities):
    """QTY of loop 2100."""

    covered_actual: Annotated[Text, at("QTY[CA]02")] = None
    co_insured_actual: Annotated[Text, at("QTY[CD]02")] = None
    life_time_reserve_actual: Annotated[Text, at("QTY[LA]02")] = None
    life_time_reserve_estimated: Annotated[Text, at("QTY[LE]02")] = None
    non_covered_estimated: Annotated[Text, at("QTY[NE]02")] = None
    not_replaced_blood_units: Annotated[Text, at("QTY[NR]02")] = None
    outlier_days: Annotated[Text, at("QTY[OU]02")] = None
    prescription: Annotated[Text, at("QTY[PS]02")] = None
    visits: Annotated[Text, at("QTY[VS]02")] = None


# --- what: the service line ----------------------------------------------------------------------------------------


class ServicePayment(Document):
    """SVC: the procedure that was paid, and the one that was submitted where it was another."""

    product_or_service_id_qualifier: Annotated[Text, at("SVC01-1")] = msgspec.field(
        default=None, name="productOrServiceIDQualifier"
    )
    product_or_service_id_qualifier_value: Annotated[Text, meaning("SVC01-1", _PROCEDURE_QUALIFIER)] = msgspec.field(
        default=None, name="productOrServiceIDQualifierValue"
    )
    adjudicated_procedure_code: Annotated[Text, at("SVC01-2")] = None
    adjudicated_procedure_modifier_codes: Annotated[list[str] | None, each("SVC01-3", 6)] = None
    line_item_charge_amount: Annotated[Text, at("SVC02")] = None
    line_item_provider_payment_amount: Annotated[Text, at("SVC03")] = None
    national_uniform_billing_committee_revenue_code: Annotated[Text, at("SVC04")] = None
    units_of_service_paid_count: Annotated[Text, at("SVC05")] = None
    submitted_product_or_service_id_qualifier: Annotated[Text, at("SVC06-1")] = msgspec.field(
        default=None, name="submittedProductOrServiceIDQualifier"
    )
    submitted_product_or_service_id_qualifier_value: Annotated[Text, meaning("SVC06-1", _PROCEDURE_QUALIFIER)] = (
        msgspec.field(default=None, name="submittedProductOrServiceIDQualifierValue")
    )
    submitted_adjudicated_procedure_code: Annotated[Text, at("SVC06-2")] = None
    submitted_adjudicated_procedure_modifier_codes: Annotated[list[str] | None, each("SVC06-3", 6)] = None
    submitted_procedure_code_description: Annotated[Text, at("SVC06-7")] = None
    original_units_of_service_count: Annotated[Text, at("SVC07")] = None


class ServiceIdentification(Document):
    """Other numbers of the line: REF of loop 2110."""

    ambulatory_patient_group_number: Annotated[Text, at("REF[1S]02")] = None
    ambulatory_payment_classification: Annotated[Text, at("REF[APC]02")] = None
    authorization_number: Annotated[Text, at("REF[BB]02")] = None
    attachment_code: Annotated[Text, at("REF[E9]02")] = None
    prior_authorization_number: Annotated[Text, at("REF[G1]02")] = None
    pre_determination_of_benefits_identification_number: Annotated[Text, at("REF[G3]02")] = None
    location_number: Annotated[Text, at("REF[LU]02")] = None
    rate_code_number: Annotated[Text, at("REF[RB]02")] = None


class HealthCarePolicy(Document):
    """REF*0K: the part of the payer's policy that decided."""

    policy_form_identifying_number: Annotated[Text, at("REF02")] = None


class RemarkCode(Document):
    """LQ. Pharmacy codes (RX) have no words here."""

    code_list_qualifier_code: Annotated[Text, at("LQ01")] = None
    code_list_qualifier_code_value: Annotated[Text, meaning("LQ01", codes.table("remark_code_list"))] = None
    remark_code: Annotated[Text, at("LQ02")] = None
    remark: Annotated[Text, meaning("LQ02 LQ01=HE", codes.table("remark"))] = None


class ServiceLine(Document):
    """Loop 2110."""

    service_date: Annotated[Text, at("DTM[472]02")] = None
    service_start_date: Annotated[Text, at("DTM[150]02")] = None
    service_end_date: Annotated[Text, at("DTM[151]02")] = None
    line_item_control_number: Annotated[Text, at("REF[6R]02")] = None
    service_payment_information: ServicePayment | None = None
    service_adjustments: Annotated[list[Adjustment] | None, segments("CAS")] = None
    service_identification: ServiceIdentification | None = None
    rendering_provider_information: LineProviderNumbers | None = None
    health_care_policy_identification: Annotated[list[HealthCarePolicy] | None, segments("REF[0K]")] = None
    service_supplemental_amounts: LineAmounts | None = None
    service_supplemental_quantities: LineQuantities | None = None
    health_care_check_remark_codes: Annotated[list[RemarkCode] | None, segments("LQ")] = None


class ClaimPayment(Document):
    """Loop 2100."""

    claim_received_date: Annotated[Text, at("DTM[050]02")] = None
    claim_statement_period_start: Annotated[Text, at("DTM[232]02")] = None
    claim_statement_period_end: Annotated[Text, at("DTM[233]02")] = None
    coverage_expiration_date: Annotated[Text, at("DTM[036]02")] = None
    claim_payment_info: ClaimPaymentInfo | None = None
    claim_adjustments: Annotated[list[Adjustment] | None, segments("CAS")] = None
    patient_name: PatientName | None = None
    subscriber: SubscriberName | None = None
    corrected_patient_or_insured_name: CorrectedName | None = None
    rendering_provider: RenderingProvider | None = None
    crossover_carrier: CrossoverCarrier | None = None
    corrected_priority_payer: CorrectedPriorityPayer | None = None
    other_subscriber: OtherSubscriber | None = None
    inpatient_adjudication: InpatientAdjudication | None = None
    outpatient_adjudication: OutpatientAdjudication | None = None
    other_claim_related_identification: ClaimIdentification | None = None
    rendering_provider_identification: ClaimProviderNumbers | None = None
    claim_contact_information: Annotated[list[ClaimContact] | None, segments("PER[CX]")] = None
    claim_supplemental_information: ClaimAmounts | None = None
    claim_supplemental_information_quantities: ClaimQuantities | None = None
    service_lines: Annotated[list[ServiceLine] | None, inside("2110")] = None

    def with_contract_classes_once(self) -> ClaimPayment:
        """The same claim with `classOfContractCode` only in the list, where both are said."""
        said = self.other_claim_related_identification
        if said is None or not said.class_of_contract_code or not said.class_of_contract_codes:
            return self
        code, listed = said.class_of_contract_code, said.class_of_contract_codes
        every = listed if code in listed else [code, *listed]
        once = msgspec.structs.replace(said, class_of_contract_code=None, class_of_contract_codes=every)
        return msgspec.structs.replace(self, other_claim_related_identification=once)

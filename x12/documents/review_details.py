"""The clinical and service details of a services review (278): what one segment of an event or of a service says.

Source: 005010X217.
"""

from __future__ import annotations

from typing import Annotated

from x12.documents.binding import Document, Text, at, each, yes_no

__all__ = [
    "Ambulance",
    "DentalService",
    "HomeHealth",
    "HomeOxygen",
    "InstitutionalService",
    "ProfessionalService",
    "ReviewAttachment",
    "ReviewCondition",
    "ReviewDiagnosis",
    "ServicesDelivery",
    "SpinalManipulation",
    "Tooth",
]


class ReviewDiagnosis(Document):
    """One composite of HI: the kind of code, the code without its dot, and the day it was found."""

    diagnosis_type_code: Annotated[Text, at("@01-1")] = None
    diagnosis_code: Annotated[Text, at("@01-2")] = None
    diagnosis_date: Annotated[Text, at("@01-4 @01-3~D8")] = None


class ServicesDelivery(Document):
    """How often and in which pattern: HSD."""

    quantity_qualifier: Annotated[Text, at("HSD01")] = None
    service_unit_count: Annotated[Text, at("HSD02")] = None
    measurement_unit: Annotated[Text, at("HSD03")] = None
    sample_selection_modulus: Annotated[Text, at("HSD04")] = None
    time_period_qualifier: Annotated[Text, at("HSD05")] = None
    period_count: Annotated[Text, at("HSD06")] = None
    delivery_frequency_code: Annotated[Text, at("HSD07")] = None
    delivery_pattern_time_code: Annotated[Text, at("HSD08")] = None


class ReviewCondition(Document):
    """The patient's condition, of one category: CRC."""

    code_category: Annotated[Text, at("CRC01")] = None
    certification_condition_indicator: Annotated[bool | None, yes_no("CRC02")] = None
    condition_codes: Annotated[list[str] | None, each("CRC03", 7)] = None


class Ambulance(Document):
    """Transport by ambulance: CR1."""

    patient_weight_unit: Annotated[Text, at("CR101")] = None
    patient_weight: Annotated[Text, at("CR102")] = None
    ambulance_transport_code: Annotated[Text, at("CR103")] = None
    ambulance_transport_reason_code: Annotated[Text, at("CR104")] = None
    transport_distance_unit: Annotated[Text, at("CR105")] = None
    transport_distance: Annotated[Text, at("CR106")] = None
    round_trip_purpose_description: Annotated[Text, at("CR109")] = None
    stretcher_purpose_description: Annotated[Text, at("CR110")] = None


class SpinalManipulation(Document):
    """Chiropractic treatment: CR2. Period and monthly count are a response's, the condition a request's."""

    treatment_series_number: Annotated[Text, at("CR201")] = None
    treatment_count: Annotated[Text, at("CR202")] = None
    subluxation_level_code: Annotated[Text, at("CR203")] = None
    last_subluxation_level_code: Annotated[Text, at("CR204")] = None
    treatment_period_unit: Annotated[Text, at("CR205")] = None
    treatment_period_count: Annotated[Text, at("CR206")] = None
    monthly_treatment_count: Annotated[Text, at("CR207")] = None
    patient_condition_code: Annotated[Text, at("CR208")] = None
    complication_indicator: Annotated[bool | None, yes_no("CR209")] = None
    patient_condition_description: Annotated[Text, at("CR210")] = None
    further_patient_condition_description: Annotated[Text, at("CR211")] = None
    xray_availability_indicator: Annotated[bool | None, yes_no("CR212")] = None


class HomeOxygen(Document):
    """Oxygen therapy at home: CR5. Quantities and test results are a request's."""

    oxygen_equipment_type_code: Annotated[Text, at("CR503")] = None
    second_oxygen_equipment_type_code: Annotated[Text, at("CR504")] = None
    equipment_reason_description: Annotated[Text, at("CR505")] = None
    oxygen_flow_rate: Annotated[Text, at("CR506")] = None
    daily_oxygen_use_count: Annotated[Text, at("CR507")] = None
    oxygen_use_period_hour_count: Annotated[Text, at("CR508")] = None
    respiratory_therapist_order_text: Annotated[Text, at("CR509")] = None
    arterial_blood_gas_quantity: Annotated[Text, at("CR510")] = None
    oxygen_saturation_quantity: Annotated[Text, at("CR511")] = None
    oxygen_test_condition_code: Annotated[Text, at("CR512")] = None
    oxygen_test_findings_codes: Annotated[list[str] | None, each("CR513", 15)] = None
    portable_oxygen_system_flow_rate: Annotated[Text, at("CR516")] = None
    oxygen_delivery_system_code: Annotated[Text, at("CR517")] = None
    third_oxygen_equipment_type_code: Annotated[Text, at("CR518")] = None


class HomeHealth(Document):
    """Home health care: CR6. From the surgery on, a request's."""

    prognosis_code: Annotated[Text, at("CR601")] = None
    home_health_start_date: Annotated[Text, at("CR602")] = None
    home_health_certification_period: Annotated[Text, at("CR604 CR603~RD8")] = None
    medicare_coverage_indicator: Annotated[Text, at("CR607")] = None
    certification_type_code: Annotated[Text, at("CR608")] = None
    surgery_date: Annotated[Text, at("CR609")] = None
    product_or_service_id_qualifier: Annotated[Text, at("CR610")] = None
    surgical_procedure_code: Annotated[Text, at("CR611")] = None
    physician_order_date: Annotated[Text, at("CR612")] = None
    last_visit_date: Annotated[Text, at("CR613")] = None
    physician_contact_date: Annotated[Text, at("CR614")] = None
    last_admission_period: Annotated[Text, at("CR616 CR615~RD8")] = None
    patient_location_code: Annotated[Text, at("CR617")] = None


class ReviewAttachment(Document):
    """What is sent beside, and how: PWK."""

    attachment_report_type_code: Annotated[Text, at("PWK01")] = None
    attachment_transmission_code: Annotated[Text, at("PWK02")] = None
    attachment_control_number: Annotated[Text, at("PWK06 PWK05~AC")] = None
    attachment_description: Annotated[Text, at("PWK07")] = None


class ProfessionalService(Document):
    """A professional service: SV1."""

    procedure_identifier: Annotated[Text, at("SV101-1")] = None
    procedure_code: Annotated[Text, at("SV101-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV101-3", 6)] = None
    description: Annotated[Text, at("SV101-7")] = None
    last_procedure_code: Annotated[Text, at("SV101-8")] = None
    service_line_amount: Annotated[Text, at("SV102")] = None
    measurement_unit: Annotated[Text, at("SV103")] = None
    service_unit_count: Annotated[Text, at("SV104")] = None
    diagnosis_code_pointers: Annotated[list[str] | None, each("SV107-1", 4)] = None
    epsdt_indicator: Annotated[bool | None, yes_no("SV111")] = None
    nursing_home_level_of_care: Annotated[Text, at("SV120")] = None


class InstitutionalService(Document):
    """A service of a facility: SV2."""

    service_line_revenue_code: Annotated[Text, at("SV201")] = None
    procedure_identifier: Annotated[Text, at("SV202-1")] = None
    procedure_code: Annotated[Text, at("SV202-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV202-3", 6)] = None
    description: Annotated[Text, at("SV202-7")] = None
    last_procedure_code: Annotated[Text, at("SV202-8")] = None
    service_line_amount: Annotated[Text, at("SV203")] = None
    measurement_unit: Annotated[Text, at("SV204")] = None
    service_unit_count: Annotated[Text, at("SV205")] = None
    service_line_rate: Annotated[Text, at("SV206")] = None
    nursing_home_residential_status_code: Annotated[Text, at("SV209")] = None
    nursing_home_level_of_care: Annotated[Text, at("SV210")] = None


class DentalService(Document):
    """A dental service: SV3."""

    procedure_identifier: Annotated[Text, at("SV301-1", default="AD")] = None
    procedure_code: Annotated[Text, at("SV301-2")] = None
    procedure_modifiers: Annotated[list[str] | None, each("SV301-3", 6)] = None
    procedure_description: Annotated[Text, at("SV301-7")] = None
    last_procedure_code: Annotated[Text, at("SV301-8")] = None
    service_line_amount: Annotated[Text, at("SV302")] = None
    oral_cavity_designation_codes: Annotated[list[str] | None, each("SV304-1", 5)] = None
    prosthesis_crown_or_inlay_code: Annotated[Text, at("SV305")] = None
    service_unit_count: Annotated[Text, at("SV306")] = None
    description: Annotated[Text, at("SV307")] = None


class Tooth(Document):
    """A tooth and its surfaces: TOO."""

    tooth_code: Annotated[Text, at("TOO02 TOO01~JP")] = None
    tooth_surface_codes: Annotated[list[str] | None, each("TOO03-1", 5)] = None

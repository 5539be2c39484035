"""The form of each external code list: what its values look like, their check digits, and which day decides.

A form is what the keeper of the list publishes about all its codes, now and later; it is known where the list itself is not
(licensed, or too large to come along).

Sources: 45 CFR 162.406 and ISO/IEC 7812 (NPI: Luhn over 80840 and the number), GS1 General Specifications (EAN, UPC, GTIN),
LOINC Users' Guide (mod 10), the keepers' own descriptions of their codes; docs/codes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

__all__ = ["FORMS", "Dated", "Form", "gs1_is_valid", "list_for", "loinc_is_valid", "npi_is_valid"]

Dated = Literal["", "service", "production"]


class Form(msgspec.Struct, frozen=True):
    """What is known of a list without its codes.

    `pattern` is the source of a regular expression for whole values, None where nothing is certain. `dated` names the day a
    code must be good on: of the `service`, or of the `production` of the file; "" where codes have no days. `table` is the
    `.codes` file with its codes, where one comes along. `until` is the last day (CCYYMMDD) of a list that is no longer used.
    """

    title: str
    keeper: str
    pattern: str | None
    dated: Dated = ""
    digit: Callable[[str], bool] | None = None
    table: str | None = None
    until: str = ""


# Digits doubled, and their own digits added up, as characters.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_TRIPLED = bytes.maketrans(b"0123456789", b"0369258147")


def _weighed(digits: str, others: bytes) -> bool:
    """Whether digits add up to a multiple of ten when every second one from the right is replaced first."""
    found = digits.encode()[::-1]
    return (sum(found[::2]) + sum(found[1::2].translate(others)) - 48 * len(found)) % 10 == 0


def npi_is_valid(number: str) -> bool:
    """Whether ten digits end in the right check digit of a National Provider Identifier."""
    return len(number) == 10 and number.isascii() and number.isdigit() and _weighed("80840" + number, _DOUBLED)


def loinc_is_valid(code: str) -> bool:
    """Whether a LOINC code ends in its check digit."""
    number, dash, digit = code.partition("-")
    both = number + digit
    return bool(dash) and len(digit) == 1 and both.isascii() and both.isdigit() and _weighed(both, _DOUBLED)


def gs1_is_valid(number: str) -> bool:
    """Whether a GS1 number (EAN, UPC, GTIN) ends in its check digit."""
    return number.isascii() and number.isdigit() and _weighed(number, _TRIPLED)


# ICD-10 took its place the day after (45 CFR 162.1002; CMS).
_ICD9_UNTIL = "20150930"
_ICD9 = r"(?:\d{3,5}|V\d{2,4}|E\d{3,4})"
_FACILITY = r"[1-8][1-9]"
_CPT = r"\d{4}[0-9AFMTU]"
_UB = r"(?:\d\d|[A-Z][0-9A-Z])"

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        # People and places.
        "npi": Form("national provider identifier", "CMS", r"[12]\d{9}", digit=npi_is_valid),
        "provider_taxonomy": Form("provider taxonomy", "NUCC", r"(?:[12]\d|3[0-46-9]|40)\d[0-9A-Z]{6}[NXY]"),
        "state": Form("state or province", "USPS, Canada Post", r"[A-Z]{2}", table="state"),
        "country": Form("country, ISO 3166-1 alpha-2", "ISO", r"[A-Z]{2}", "production", table="country"),
        "country_subdivision": Form("country subdivision, ISO 3166-2", "ISO", r"(?:[A-Z]{2}-)?[0-9A-Z]{1,3}"),
        "postal_code": Form(
            "ZIP or postal code", "USPS, Canada Post", r"(?:\d{5}(?:\d{4})?|[ABCEGHJ-NPRSTVXY]\d[A-Z]\d[A-Z]\d)"
        ),
        "currency": Form("currency, ISO 4217", "ISO", r"[A-Z]{3}", "production", table="currency"),
        "place_of_service": Form("place of service", "CMS", r"\d\d", "service", table="place_of_service"),
        "entity": Form("entity identifier", "X12", r"[0-9A-Z]{2,3}", table="entity"),
        # Diagnoses and procedures.
        "icd10cm": Form("ICD-10-CM diagnosis", "NCHS, CMS", r"[A-Z]\d[0-9AB][0-9A-Z]{0,4}", "service"),
        "icd10pcs": Form("ICD-10-PCS procedure", "CMS", r"[0-9BCDFGHX][0-9A-HJ-NP-Z]{6}", "service"),
        "icd9cm": Form("ICD-9-CM diagnosis", "NCHS, CMS", _ICD9, "service", until=_ICD9_UNTIL),
        "icd9_procedure": Form("ICD-9-CM procedure", "CMS", r"\d{2,4}", "service", until=_ICD9_UNTIL),
        "hcpcs": Form("HCPCS or CPT procedure", "CMS, AMA", rf"(?:{_CPT}|[A-Z]\d{{4}})", "service"),
        "hcpcs_level_2": Form("HCPCS level II procedure", "CMS", r"[A-Z]\d{4}", "service"),
        "cpt": Form("CPT procedure", "AMA", _CPT, "service"),
        "procedure_modifier": Form("procedure modifier", "CMS, AMA", r"[0-9A-Z]{2}", "service"),
        "hcpcs_modifier": Form("HCPCS modifier", "CMS", r"[A-Z][0-9A-Z]", "service"),
        "cpt_modifier": Form("CPT modifier", "AMA", r"(?:\d[0-9A-Z]|P\d)", "service"),
        "cdt": Form("CDT dental procedure", "ADA", r"D\d{4}", "service"),
        "hipps": Form("HIPPS rate code", "CMS", r"[0-9A-Z]{5}", "service"),
        "abc": Form("Advanced Billing Concepts code", "ABC Coding Solutions", r"[A-Z]{5}", "service"),
        "loinc": Form("LOINC", "Regenstrief Institute", r"\d{1,7}-\d", digit=loinc_is_valid),
        "diagnosis_related_group": Form("diagnosis related group", "CMS, 3M", r"\d{3,4}", "service"),
        # Products.
        "ndc": Form("national drug code, eleven digits", "FDA", r"\d{11}"),
        "ean_8": Form("EAN-8", "GS1", r"\d{8}", digit=gs1_is_valid),
        "upc_12": Form("UPC-12", "GS1", r"\d{12}", digit=gs1_is_valid),
        "ean_13": Form("EAN-13", "GS1", r"\d{13}", digit=gs1_is_valid),
        "gtin_14": Form("GTIN-14", "GS1", r"\d{14}", digit=gs1_is_valid),
        # The UB-04 data specifications.
        "revenue": Form("revenue code", "NUBC", r"(?:0\d{3}|(?:10|21|31)0\d)", "service"),
        "facility_code": Form("type of facility, bill type's first digits", "NUBC", _FACILITY, table="facility_code"),
        "claim_frequency": Form("claim frequency", "NUBC", r"[0-9A-Z]", table="claim_frequency"),
        "bill_type": Form("type of bill", "NUBC", rf"0?{_FACILITY}[0-9A-Z]"),
        "facility_type": Form("place of service or type of facility", "CMS, NUBC", r"\d\d"),
        "condition": Form("condition code", "NUBC", _UB, "service"),
        "occurrence": Form("occurrence code", "NUBC", _UB, "service"),
        "occurrence_span": Form("occurrence span code", "NUBC", _UB, "service"),
        "value": Form("value code", "NUBC", _UB, "service"),
        "patient_status": Form("patient discharge status", "NUBC", r"\d\d", "service", table="patient_status"),
        "admission_type": Form("priority of admission", "NUBC", r"[1-59]", "service", table="admission_type"),
        "admission_source": Form("point of origin", "NUBC", r"[0-9A-Z]", "service", table="admission_source"),
        "treatment": Form("home health plan of treatment", "NUBC", r"[0-9A-Z]{1,3}"),
        # Teeth.
        "tooth": Form("tooth", "ADA", r"(?:[1-9]|[12]\d|3[0-2]|5[1-9]|[67]\d|8[0-2]|[A-T]S?)"),
        "oral_cavity": Form("area of the oral cavity", "ADA", r"(?:0[0-9]|[1-4]0|L|R)"),
        # Answers.
        "claim_adjustment_reason": Form(
            "claim adjustment reason",
            "X12",
            r"(?:[1-9]\d{0,2}|[ABDPWY]\d{1,2})",
            "production",
            table="adjustment_reason",
        ),
        "remittance_advice_remark": Form(
            "remittance advice remark", "CMS, X12", r"(?:MA?\d{1,3}|N\d{1,3})", "production", table="remark"
        ),
        "ncpdp_reject": Form("NCPDP reject code", "NCPDP", r"[0-9A-Z]{1,5}"),
        "claim_status_category": Form(
            "claim status category",
            "X12",
            r"(?:[A-Z]{1,2}\d{1,2}[A-Z]?|RQ)",
            "production",
            table="claim_status_category",
        ),
        "claim_status": Form("claim status", "X12", r"\d{1,3}", "production", table="claim_status"),
        "review_decision_reason": Form("review decision reason", "X12", r"[0-9A-Z]{1,3}", "production"),
        "reject_reason": Form("reject reason", "X12", r"[0-9A-Z]{2}", table="reject_reason"),
        "follow_up": Form("follow-up action", "X12", r"[A-Z]", table="follow_up"),
        "service_type": Form("service type", "X12", r"[0-9A-Z]{1,2}", table="service_type"),
        "provider_adjustment": Form("provider adjustment", "X12", r"[0-9A-Z]{2}", table="provider_adjustment"),
    }
)

# Code list qualifiers (data elements 1270 and 235) that mean one list wherever they stand.
_ICD = {
    **dict.fromkeys(("ABF", "ABJ", "ABK", "ABN", "APR", "ABU", "ABV", "DX"), "icd10cm"),
    **dict.fromkeys(("BF", "BJ", "BK", "BN", "PR"), "icd9cm"),
    **dict.fromkeys(("BBQ", "BBR"), "icd10pcs"),
    **dict.fromkeys(("BQ", "BR"), "icd9_procedure"),
    "CAH": "abc",
}
_PROCEDURE = {
    "AD": "cdt",
    "CJ": "hcpcs",
    "HC": "hcpcs",
    "HP": "hipps",
    "ID": "icd9_procedure",
    "N4": "ndc",
    "NU": "revenue",
    "WK": "abc",
    "EN": "ean_13",
    "EO": "ean_8",
    "UK": "gtin_14",
    "UP": "upc_12",
}
_HI = {
    "BE": "value",
    "BG": "condition",
    "BH": "occurrence",
    "BI": "occurrence_span",
    "BO": "hcpcs",
    "BP": "hcpcs",
    "DR": "diagnosis_related_group",
    "JO": "oral_cavity",
    "JP": "tooth",
    "LOI": "loinc",
    "NUB": "condition",
    "RET": "country_subdivision",
    "TC": "treatment",
}
_CHOSEN: Mapping[str, Mapping[str, str | None]] = {
    "icd": {**_ICD, "": None},
    "procedure": {**_PROCEDURE, **_ICD, **_HI, "": None},
    "facility_type": {"A": "facility_code", "B": "place_of_service", "": "facility_type"},
    "claim_status": {"65": "claim_status", "RX": "ncpdp_reject", "": "claim_status"},
    "remark": {"HE": "remittance_advice_remark", "RX": "ncpdp_reject", "": None},
}


def list_for(external: str, qualifier: str = "") -> str | None:
    """The list that a guide's `<external>` means behind a qualifier; None where that leaves it open, or nothing is known."""
    chosen = _CHOSEN.get(external)
    if chosen is not None:
        return chosen.get(qualifier)
    return external if external in FORMS else None

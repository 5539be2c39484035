"""Which values of an X12 file may be shown to somebody who need not know whose they are: an allow-list, by what an element is.

What is not listed here is masked: names of people, numbers that identify them or their claims, addresses, dates of birth,
free text, and anything of which nothing is known. A value is shown only when it also has the form of what its element may
hold, so that a name in an amount stays masked. Codes, amounts, counts, days of service, organizations and the numbers of
trading partners are shown.

Source: the identifiers that 45 CFR 164.514(b)(2) lists; days of service and states of residence are shown all the same, since
nothing can be explained without them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from x12.codes.lists import Lists, list_for, npi_is_valid, shipped
from x12.elements import period_is_valid
from x12.guides import Component, Segment

__all__ = ["MASK", "list_name", "may_show"]

MASK = "[masked]"

_NUMBER = re.compile(r"-?\d{0,18}(?:\.\d{1,9})?", re.ASCII)
_CHARACTER = re.compile(r"\S")
_SMALL = re.compile(r"\d{1,6}", re.ASCII)
_CONTROL = re.compile(r"\d{1,9}", re.ASCII)
_PERIOD = re.compile(r"\d{6,12}(?:-\d{6,12})?", re.ASCII)
_VERSION = re.compile(r"\d{5,6}(?:X\d{3}[A-Z0-9]{0,3})?", re.ASCII)
_SET = re.compile(r"\d{3}", re.ASCII)
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{1,2}", re.ASCII)
_LOOP = re.compile(r"\d{4}[A-Z]{0,2}", re.ASCII)
_DATA = re.compile(r"C?\d{1,4}", re.ASCII)
_PARTNER = re.compile(r"[\x20-\x7e]{1,80}")
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]{1,50}")
_HAS_DIGIT = re.compile(r"\d", re.ASCII)

# Data element -> the form that its values have wherever they stand.
_DATA_ELEMENTS = {
    **dict.fromkeys(("782", "380", "954", "332", "338", "118", "1371", "212", "649"), _NUMBER),
    **dict.fromkeys(("2", "96", "97", "123", "289", "554", "609", "616", "719", "722", "757", "1328", "1470"), _SMALL),
    **dict.fromkeys(("628", "734", "I16"), _SMALL),
    **dict.fromkeys(("28", "329", "I12"), _CONTROL),
    **dict.fromkeys(("480", "1705", "I11"), _VERSION),
    **dict.fromkeys(("I06", "I07", "142", "124"), _PARTNER),
    **dict.fromkeys(("I15", "I65"), _CHARACTER),
    "143": _SET,
    "721": _SEGMENT,
    "447": _LOOP,
    "725": _DATA,
}
# Lists of somebody else's codes whose values say nothing about who somebody is.
_LISTS = frozenset(
    (
        "state", "country", "currency", "place_of_service", "entity", "icd10cm", "icd10pcs", "icd9cm", "icd9_procedure",
        "hcpcs", "procedure_modifier", "cdt", "hipps", "diagnosis_related_group", "ndc", "revenue", "facility_code",
        "facility_type", "claim_frequency", "bill_type", "condition", "occurrence", "occurrence_span", "value",
        "patient_status", "admission_type", "admission_source", "tooth", "oral_cavity", "claim_adjustment_reason",
        "remittance_advice_remark", "claim_status_category", "claim_status", "reject_reason", "follow_up", "service_type",
        "provider_adjustment", "provider_taxonomy", "npi", "loinc",
    )
)  # fmt: skip
_CURRENCIES = frozenset(("USD", "CAD", "MXN", "EUR", "GBP"))
# Reasons of a list that leave the value what it is.
_KNOWN_FORM = frozenset((None, "unlisted", "ended", "not yet"))
# (segment, element) of dates and times that are of the file or of a payment.
_DATES = frozenset(
    (
        ("ISA", 9), ("ISA", 10), ("GS", 4), ("GS", 5), ("TA1", 2), ("TA1", 3), ("BHT", 4), ("BHT", 5), ("BPR", 16),
        ("BGN", 3), ("BGN", 4), ("PLB", 2), ("TS3", 3), ("STC", 2), ("STC", 6), ("STC", 8),
    )
)  # fmt: skip
# DTP01 and DTM01 of days of service, of coverage and of what became of a claim; birth, death and illness are not among them.
_DAYS = frozenset(
    (
        "007", "009", "036", "050", "090", "091", "096", "102", "150", "151", "193", "194", "198", "232", "233", "290",
        "291", "292", "300", "307", "318", "346", "347", "348", "349", "356", "357", "382", "405", "434", "435", "446",
        "458", "461", "472", "539", "540", "573", "607", "636", "771", "880", "881", "938",
    )
)  # fmt: skip
# NM101 and N101 of those who are not the patient's side, where they are organizations.
_ORGANIZATIONS = frozenset(
    ("PR", "PE", "40", "41", "85", "87", "2B", "P5", "1P", "80", "FA", "77", "TT", "AY", "X3", "82", "36", "PRP", "SEP",
     "74", "1I", "IN", "GP", "ACV", "AC", "2U", "TV", "1X", "R6", "L5")
)  # fmt: skip
# NM101 of those whose number is a trading partner's, and the qualifiers of such numbers.
_PARTNERS = frozenset(("PR", "40", "41", "2B", "AY", "X3", "TT", "PRP", "SEP"))
_PARTNER_NUMBERS = frozenset(("46", "PI", "XV", "NI", "AD"))
_NPI_QUALIFIER = "XX"
_ORGANIZATION = "2"


def may_show(
    segment: Segment,
    element: int,
    component: int,
    part: Component,
    value: str,
    row: Sequence[str],
    siblings: Sequence[str] = (),
) -> bool:
    """Whether a value may be shown. `row` is the segment's elements, its id first; `siblings` the components around the value.

    Whatever is in doubt is not shown.
    """
    if not value.strip():
        return True
    if part.codes is not None and value in part.codes:
        return True
    if part.external is not None and _on_list(part, value, row, element, siblings):
        return True
    form = _DATA_ELEMENTS.get(part.data.number)
    if form is not None and form.fullmatch(value):
        return True
    if part.data.type in ("DT", "TM") or part.data.number == "1251":
        return _is_shown_date(segment, element, part, value, row)
    if component:
        return False
    return _is_organization(segment, element, row) or _is_partner(segment, element, value, row)


def list_name(part: Component, row: Sequence[str], element: int, siblings: Sequence[str]) -> str | None:
    """The code list that an element's value is from, behind whichever qualifier stands beside it."""
    if part.external is None:
        return None
    before = row[element - 1] if 1 < element <= len(row) else ""
    qualifiers = siblings or (before,)
    chosen = (list_for(part.external, q) for q in (*qualifiers, ""))
    return next((name for name in chosen if name), None)


def _on_list(part: Component, value: str, row: Sequence[str], element: int, siblings: Sequence[str]) -> bool:
    name = list_name(part, row, element, siblings)
    if name not in _LISTS:
        return False
    if name == "currency":
        return value in _CURRENCIES
    if name == "npi":
        return npi_is_valid(value)
    lists: Lists = shipped()
    if lists.check(name, value) not in _KNOWN_FORM:
        return False
    # Of a list that is not known code by code, five letters may be anything.
    return len(value) <= 2 or bool(_HAS_DIGIT.search(value)) or value in lists.codes(name).words


def _is_shown_date(segment: Segment, element: int, part: Component, value: str, row: Sequence[str]) -> bool:
    if (segment.id, element) not in _DATES and not (segment.id in ("DTP", "DTM") and len(row) > 1 and row[1] in _DAYS):
        return False
    if part.data.number == "1251":
        return _PERIOD.fullmatch(value) is not None and period_is_valid(row[element - 1], value)
    return _CONTROL.fullmatch(value) is not None


def _is_organization(segment: Segment, element: int, row: Sequence[str]) -> bool:
    """The name of an organization in an NM1 or N1."""
    who = row[1] if len(row) > 1 else ""
    if segment.id == "NM1" and element == 3:
        return row[2] == _ORGANIZATION and who in _ORGANIZATIONS
    return segment.id == "N1" and element == 2 and who in ("PR", "PE")


def _is_partner(segment: Segment, element: int, value: str, row: Sequence[str]) -> bool:
    """A number of a payer, a clearinghouse or a provider, by which it is known in public; or of a payment as a whole."""
    if segment.id == "TRN" and element == 2:
        return segment.loop.parent is None and segment.loop.id == "835" and _TOKEN.fullmatch(value) is not None
    number, who = {"NM1": (9, 1), "N1": (4, 1)}.get(segment.id, (0, 0))
    if element != number or len(row) <= number:
        return False
    qualifier = row[number - 1]
    if qualifier == _NPI_QUALIFIER:
        return npi_is_valid(value)
    return row[who] in _PARTNERS and qualifier in _PARTNER_NUMBERS and _TOKEN.fullmatch(value) is not None

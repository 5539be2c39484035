"""Benefit summary and estimate out of an answered eligibility check as the ledger keeps it.

Pure: the answer's JSON and the caller's JSON in, JSON or what is wrong out; so it can run in another process.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from gateway.benefit_statements import statements
from gateway.benefits import summarise
from gateway.estimate_messages import EstimateLine, EstimateRequest
from gateway.estimates import PricedLine, estimate
from x12.documents.eligibility import EligibilityResponse, benefit_positions, read_responses
from x12.documents.lenient import decode
from x12.envelope import read
from x12.finding import Finding

__all__ = ["Asked", "ManyPatients", "asked_of", "estimate_of", "summary_of"]

LINES_MAX = 500
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_UNITS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{8}")


class ManyPatients(msgspec.Struct, frozen=True):
    """The answer is about so many patients, and the one that was asked for is none of them."""

    count: int


class Asked(msgspec.Struct, frozen=True):
    """A checked request for an estimate. `day` (CCYYMMDD) is None where the caller named none."""

    lines: list[PricedLine]
    day: str | None


class _Located(NamedTuple):
    response: EligibilityResponse
    positions: list[int | None]
    control_number: str | None


_Answers = EligibilityResponse | list[EligibilityResponse]
_ANSWERS: msgspec.json.Decoder[_Answers] = msgspec.json.Decoder(_Answers)


def _located(answer: bytes, patient: int | None) -> _Located | ManyPatients:
    """The response about a patient, with the places of its EBs in the 271 it came in; places are missing where that is."""
    told = _ANSWERS.decode(answer)
    responses = told if isinstance(told, list) else [told]
    index = 0 if patient is None and len(responses) == 1 else patient
    if index is None or not 0 <= index < len(responses):
        return ManyPatients(len(responses))
    response = responses[index]
    for interchange in read((response.x12 or "").encode("latin-1", "replace"), levels=(1,)):
        for received in interchange.sets:
            if received.set_id == "271" and received.guide is not None:
                root = received.tree()
                for other, positions in zip(read_responses(root), benefit_positions(root), strict=True):
                    if _same(response, other):
                        return _Located(response, positions, received.control_number)
    return _Located(response, [], None)


def _same(one: EligibilityResponse, other: EligibilityResponse) -> bool:
    """Whether the response kept is this one as it is read now."""
    return (
        one.benefits_information == other.benefits_information
        and one.subscriber == other.subscriber
        and one.dependents == other.dependents
        and one.subscriber_trace_numbers == other.subscriber_trace_numbers
    )


def summary_of(answer: bytes, transaction_id: str, patient: int | None) -> bytes | ManyPatients:
    """The benefit summary of a kept answer."""
    found = _located(answer, patient)
    if isinstance(found, ManyPatients):
        return found
    summary = summarise(found.response, found.positions)
    summary.transaction_id, summary.patient = transaction_id, patient
    summary.transaction_set_control_number = found.control_number
    return msgspec.json.encode(summary)


def estimate_of(
    answer: bytes, transaction_id: str, patient: int | None, asked: Asked, today: str
) -> bytes | ManyPatients:
    """What the patient will owe, out of a kept answer; `today` (CCYYMMDD) where the caller named no day."""
    found = _located(answer, patient)
    if isinstance(found, ManyPatients):
        return found
    day = asked.day or today
    said = statements(found.response, found.positions)
    made = estimate(said, asked.lines, day, _age(found.response, day), is_told=_tells_of(found, day))
    made.transaction_id = transaction_id
    return msgspec.json.encode(made)


def _tells_of(found: _Located, day: str) -> bool:
    """Whether a day lies in those for which the plan is told to be active; what is inactive is so on any day."""
    summary = summarise(found.response, found.positions)
    first, last = summary.since or day, summary.until or day
    return summary.active is not True or first <= day <= last


def _age(response: EligibilityResponse, day: str) -> int | None:
    """The patient's age in whole years on a day, where the payer tells the date of birth."""
    person = next(iter(response.dependents or ()), None) or response.subscriber
    born = (person.date_of_birth if person is not None else None) or ""
    if not _DAY.fullmatch(born) or born > day:
        return None
    return int(day[:4]) - int(born[:4]) - (day[4:] < born[4:])


# --- what is asked --------------------------------------------------------------------------------------------------------


def asked_of(body: bytes) -> Asked | list[Finding]:
    """A request for an estimate, checked; every fault with its field where it cannot be one."""
    request, findings = decode(EstimateRequest, body)
    if request is None:
        return findings
    lines = request.lines or []
    wrong: list[Finding] = []
    if not 1 <= len(lines) <= LINES_MAX:
        wrong.append(_wrong("lines", f"must be a list of 1 to {LINES_MAX} lines"))
    day = _visit_day(request, wrong)
    priced = [_priced(line, f"lines[{i}]", wrong) for i, line in enumerate(lines[:LINES_MAX])]
    return wrong or Asked(priced, day)


def _visit_day(request: EstimateRequest, wrong: list[Finding]) -> str | None:
    """The one day of a visit, wherever it stands: two days are two visits, in which a copay of a visit is owed twice (E6)."""
    said = [("serviceDate", request.service_date)]
    said += [(f"lines[{i}].serviceDate", one.service_date) for i, one in enumerate((request.lines or ())[:LINES_MAX])]
    told = [(path, day) for path, day in said if day is not None]
    for path, day in told:
        if not _is_day(day):
            wrong.append(_wrong(path, "must be a day as CCYYMMDD"))
        elif day != told[0][1]:
            wrong.append(_wrong(path, f"is another day than {told[0][0]}: ask for each day's visit by itself"))
    return told[0][1] if told else None


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date(int(text[:4]), int(text[4:6]), int(text[6:])))
    except ValueError:
        return False


def _wrong(path: str, message: str) -> Finding:
    return Finding(1, "element", "", f"{path} {message}.", path=path)


# What codes of an estimate may look like: the payer's answer decides which of them mean something.
_CODES = {
    "serviceTypeCode": (re.compile(r"[0-9A-Za-z]{0,3}"), "a service type such as 30 or 98"),
    "procedureCode": (re.compile(r"[0-9A-Za-z.-]{0,48}"), "a procedure code such as 99213"),
    "procedureModifiers": (re.compile(r"[0-9A-Za-z]{0,2}"), "a list of modifiers of two letters or digits"),
    "placeOfServiceCode": (re.compile(r"[0-9A-Za-z]{0,2}"), "a place of service such as 11"),
}


def _priced(line: EstimateLine, path: str, wrong: list[Finding]) -> PricedLine:
    def number(text: str | None, name: str, form: re.Pattern[str], message: str) -> Decimal | None:
        if text is None or form.fullmatch(text):
            return Decimal(text) if text is not None else None
        wrong.append(_wrong(f"{path}.{name}", message))
        return None

    money = "must be an amount, with at most two decimals"
    charge = number(line.charge_amount, "chargeAmount", _AMOUNT, money)
    allowed = number(line.allowed_amount, "allowedAmount", _AMOUNT, money)
    units = number(line.units, "units", _UNITS, "must be a number of units")
    if line.charge_amount is None and line.allowed_amount is None:
        wrong.append(_wrong(path, "needs a chargeAmount or an allowedAmount"))
    if not line.service_type_code and not line.procedure_code:
        wrong.append(_wrong(path, "needs a serviceTypeCode or a procedureCode"))
    codes = {"serviceTypeCode": [line.service_type_code], "procedureCode": [line.procedure_code]}
    codes |= {"procedureModifiers": line.procedure_modifiers or [], "placeOfServiceCode": [line.place_of_service_code]}
    for name, said in codes.items():
        form, what = _CODES[name]
        if not all(c is None or form.fullmatch(c.strip()) for c in said):
            wrong.append(_wrong(f"{path}.{name}", f"must be {what}"))
    if line.network not in (None, "in", "out"):
        wrong.append(_wrong(f"{path}.network", "must be in or out"))
    network: dict[str | None, Literal["in", "out"]] = {"in": "in", "out": "out"}
    return PricedLine(
        service_type=line.service_type_code or None,
        procedure=(line.procedure_code or "").strip().upper() or None,
        modifiers=frozenset(m.strip().upper() for m in line.procedure_modifiers or ()),
        network=network.get(line.network),
        place_of_service=line.place_of_service_code or None,
        charge=charge,
        allowed=allowed,
        units=units or Decimal(1),
    )

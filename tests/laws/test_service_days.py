"""Codes are good or not on the day of service, wherever the claim tells it; repeated reasons are judged without a day."""

from __future__ import annotations

import pytest

import x12
from tests import synthetic
from x12.codes.listing import parse
from x12.codes.lists import Lists, shipped


def _lists(**loaded: str) -> Lists:
    return shipped().with_loaded({name: parse(text) for name, text in loaded.items()})


def _found(text: str, lists: Lists | None = None) -> list[tuple[str, int | None, str, str]]:
    """(place, position, severity, what) of the findings of level 5; the same with and without keeping the segments."""
    kept = [f for s in x12.read(text.encode(), levels=(5,), lists=lists)[0].sets for f in s.findings if f.level == 5]
    parts = x12.stream(text.encode(), levels=(5,), lists=lists, keep=False)
    passed = [f for s in parts if isinstance(s, x12.TransactionSet) for f in s.findings if f.level == 5]
    assert kept == passed
    words = ("ended", "begins after", "not on its list")
    return [(f.place, f.position, f.severity, next(w for w in words if w in f.message)) for f in kept]


_ICD = "F411  [..2025-11-30]  Anxiety\nI10  Hypertension\n"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("20251202", "20251202", "20251202"), [("2300 HI01-2", 24, "error", "ended")]),
        (("20251130", "20251130", "20251130"), []),
        (("20251202", "20251130", "20251202"), []),
    ],
)
def test_a_diagnosis_is_good_on_one_day_of_the_claim(days: tuple[str, ...], expected: list[object]) -> None:
    text = synthetic.claims_837p(1)
    for day in days:
        text = text.replace("DTP*472*D8*20251202~", f"DTP*472*D8 *{day}~", 1)
    assert expected == _found(text.replace("D8 *", "D8*"), _lists(icd10cm=_ICD))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("D8*20150930", []),
        ("RD8*20150929-20151002", []),
        ("D8*20151001", [("2300 HI01-2", 24, "error", "ended")]),
    ],
)
def test_icd_9_is_over(days: str, expected: list[object]) -> None:
    """Since 2015-10-01 ICD-10 is used (45 CFR 162.1002)."""
    text = synthetic.claims_837p(1).replace("ABK:F411", "BK:30002").replace("DTP*472*D8*20251202", f"DTP*472*{days}")
    assert expected == _found(text)
    assert [] == _found(text.replace(f"DTP*472*{days}~", ""))


def test_a_procedure_is_good_on_the_days_of_its_line() -> None:
    lists = _lists(cpt="80053  [..2025-11-30]  a\n36415  [2025-12-02..]  b\n71046  [..2025-12-02]  c\n")
    text = synthetic.claims_837p(1).replace(
        "DTP*472*D8*20251202~REF*6R*0L2", "DTP*472*RD8*20251130-20251201~REF*6R*0L2"
    )
    expected = [("2400 SV101-2", 28, "error", "ended"), ("2400 SV101-2", 32, "error", "begins after")]
    assert expected == _found(text, lists)


def test_without_a_date_nothing_is_held_against_a_code() -> None:
    text = synthetic.claims_837p(1).replace("DTP*472*D8*20251202~", "")
    assert [] == _found(text, _lists(icd10cm=_ICD))


def test_a_stay_is_judged_by_its_statement_dates() -> None:
    text = synthetic.claims_837i(1)
    assert [] == _found(text, _lists(icd10cm="F411  [2025-12-10..]  a\nI10  [..2025-12-02]  b\n"))
    found = _found(text, _lists(icd10cm="F411  [2025-12-11..]  a\nI10  [..2025-12-01]  b\n"))
    assert ["ended", "ended", "begins after"] == [what for *_, what in found]


def test_each_claim_has_its_own_days() -> None:
    one = synthetic.claims_837p(3).replace("ABK:F411", "ABK:I10")
    day = one.split("DTP*472*D8*", 1)[1][:8]
    lists = _lists(icd10cm=f"I10  [..{int(day[:4]) - 1}-12-31]  a\nF411  b\n")
    claims = one.count("~CLM*")
    assert claims == len([f for f in _found(one, lists) if f[0] == "2300 HI01-2"])


def test_a_place_of_service_is_judged_by_its_day() -> None:
    text = synthetic.claims_837p(1).replace("*11:B:1*", "*10:B:1*")
    assert [] == _found(text)
    assert [("2300 CLM05-1", 22, "error", "begins after")] == _found(text.replace("20251202", "20211231"))


def test_a_retired_reason_is_a_fault_of_today_but_not_in_a_reversal() -> None:
    text = synthetic.remittance_835(2).replace("CAS*CO*45*", "CAS*CO*42*")
    first, second = (part for part in text.split("~CLP*")[1:])
    both = len(_found(text))
    assert both == (first + second).count("CAS*CO*42*")
    reversed_first = text.replace(first, first.replace("*1*", "*22*", 1), 1)
    assert second.count("CAS*CO*42*") == len(_found(reversed_first))


def test_a_claim_repeats_the_reasons_of_an_earlier_payer() -> None:
    text = synthetic.claims_837p(1)
    other = "SBR*S*18*******CI~CAS*CO*42*1~AMT*D*1~OI***Y***Y~NM1*IL*1*A*B****MI*1~NM1*PR*2*P*****PI*1~LX*1~"
    assert [] == _found(text.replace("LX*1~", other, 1))
    unknown = text.replace("LX*1~", other.replace("CO*42", "CO*999"), 1)
    assert [("2320 CAS02", "error")] == [(place, severity) for place, _, severity, _ in _found(unknown)]


def test_a_paid_line_is_judged_by_its_date() -> None:
    text = synthetic.remittance_835(1)
    lists = _lists(cpt="36415  [..2025-12-01]  a\n71046  b\n")
    assert [("2110 SVC01-2", 16, "error", "ended")] == _found(text, lists)

"""Level 5 of one segment: each external code is judged by the list its qualifier means, on its day, at its place."""

from __future__ import annotations

import pytest

from x12 import guides
from x12.codes.judging import Days, code_findings, code_judge, code_places
from x12.codes.listing import parse
from x12.codes.lists import Lists, shipped
from x12.guides import Segment
from x12.syntax import STANDARD


def _segment(guide: str, place: str) -> Segment:
    """`2400 SV1`, or `2300 HI ABK` for the one whose qualifier has that code."""
    loop, name, *code = place.split()
    key = next(k for k in guides.available() if k[0].startswith(guide))
    for segment in guides.load(*key).segments:
        codes = segment.qualifier.codes if segment.qualifier else None
        if (segment.loop.id, segment.id) == (loop, name) and (not code or code[0] in (codes or ())):
            return segment
    raise LookupError(place)


def _lists() -> Lists:
    return shipped().with_loaded(
        {
            "icd10cm": parse("@covers 2024-10-01..2026-09-30\nA000  Cholera\nA009  [..2025-09-30]  Cholera, ended\n"),
            "icd9cm": parse("0010  Cholera\n"),
        }
    )


def _said(guide: str, place: str, raw: str, day: str = "20260101") -> list[tuple[str, str, str]]:
    segment = _segment(guide, place)
    judge = code_judge(segment, STANDARD, _lists())
    assert judge is not None
    faults = judge(raw, Days(day, day))
    found = code_findings(segment, faults, 7, _lists())
    return [(f.place.split()[1], fault.reason, f.severity) for fault, f in zip(faults, found, strict=True)]


@pytest.mark.parametrize(
    ("guide", "place", "raw", "expected"),
    [
        ("005010X222A1", "2300 HI ABK", "HI*ABK:A000*ABF:A000", []),
        (
            "005010X222A1",
            "2300 HI ABK",
            "HI*ABK:A00.0*BF:A000",
            [("HI01-2", "form", "error"), ("HI02-2", "form", "error")],
        ),
        ("005010X222A1", "2300 HI ABK", "HI*BK:0010*BF:0011", [("HI02-2", "unknown", "error")]),
        ("005010X222A1", "2300 HI ABK", "HI*ABK:A009", [("HI01-2", "ended", "error")]),
        ("005010X222A1", "2400 SV1", "SV1*HC:99213:25:LT*100*UN*1*11**1", []),
        (
            "005010X222A1",
            "2400 SV1",
            "SV1*HC:9921:2:*100*UN*1*98**1",
            [("SV101-2", "form", "error"), ("SV101-3", "form", "error"), ("SV105", "unknown", "error")],
        ),
        ("005010X222A1", "2400 SV1", "SV1*ER:anything*100*UN*1***1", []),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567893", []),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567890", [("NM109", "check digit", "error")]),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567893 ", []),
        ("005010X222A1", "2010AA N4", "N4*TOWN*QQ*12345", [("N402", "unknown", "error")]),
        ("005010X222A1", "2010AA N4", "N4*TOWN", []),
        (
            "005010X221A1",
            "2110 CAS",
            "CAS*CO*45*1**42*2**999*3",
            [("CAS05", "ended", "error"), ("CAS08", "unknown", "error")],
        ),
        ("005010X221A1", "2110 LQ", "LQ*HE*N950", [("LQ02", "unknown", "error")]),
        ("005010X221A1", "2110 LQ", "LQ*RX*75", []),
        ("005010X221A1", "2110 SVC", "SVC*NU:450*1*1", [("SVC01-2", "form", "error")]),
        ("005010X221A1", "2110 SVC", "SVC*N4:1234567890*1*1", [("SVC01-2", "form", "error")]),
        ("005010X223A2", "2300 CLM", "CLM*1*10***11:A:1**A*Y*Y", []),
        ("005010X223A2", "2300 CLM", "CLM*1*10***99:A:1**A*Y*Y", [("CLM05-1", "form", "error")]),
        ("005010X214", "2200D STC", "STC*A1:9999*20250101*WQ*1", [("STC01-2", "form", "error")]),
        ("005010X214", "2200D STC", "STC*B1:20*20250101*WQ*1", [("STC01-1", "unknown", "error")]),
    ],
)
def test_a_code_is_judged_by_its_list_on_its_day(
    guide: str, place: str, raw: str, expected: list[tuple[str, str, str]]
) -> None:
    assert expected == _said(guide, place, raw)


def test_without_a_day_nothing_has_ended() -> None:
    assert [] == _said("005010X221A1", "2110 CAS", "CAS*CO*42*1", "")


@pytest.mark.parametrize("key", sorted(guides.available()))
def test_every_external_list_has_its_place(key: tuple[str, ...]) -> None:
    for segment in guides.load(*key).segments:
        parts = [(e, p) for e in segment.elements for p in (e.components or (e,))]
        external = {(e.position, p.position if e.components else None) for e, p in parts if p.external}
        assert external == {(p.element, p.component) for p in code_places(segment)}


def test_what_was_clean_once_is_judged_again_on_another_day() -> None:
    judge = code_judge(_segment("005010X222A1", "2300 HI ABK"), STANDARD, _lists())
    assert judge is not None
    asked = [[f.reason for f in judge("HI*ABK:A009", Days(day))] for day in ("20250930", "20251001", "20250930", "")]
    assert [[], ["ended"], [], []] == asked


def test_the_qualifier_outside_an_element_is_part_of_what_is_remembered() -> None:
    judge = code_judge(_segment("005010X221A1", "2110 LQ"), STANDARD, shipped())
    assert judge is not None
    assert [0, 1, 0] == [len(judge(raw, Days())) for raw in ("LQ*RX*75", "LQ*HE*75", "LQ*RX*75")]


def test_a_segment_without_codes_is_not_looked_at() -> None:
    assert None is code_judge(_segment("005010X222A1", "2000A HL"), STANDARD, shipped())


def test_findings_tell_their_place_and_never_the_value() -> None:
    segment = _segment("005010X222A1", "2010AA NM1")
    judge = code_judge(segment, STANDARD, shipped())
    assert judge is not None
    faults = judge("NM1*85*2*CLINIC*****XX*1234567890", Days())
    for usage, severity in (("P", "error"), ("T", "warning")):
        (finding,) = code_findings(segment, faults, 7, shipped(), usage)
        assert (5, "I12", severity, "2010AA", 7, 9, "67") == (
            finding.level,
            finding.code,
            finding.severity,
            finding.loop,
            finding.position,
            finding.element,
            finding.data,
        )
        assert "1234567890" not in finding.message
        assert finding.message.startswith("NM109 Billing Provider Identifier ends in a wrong check digit")

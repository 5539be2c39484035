"""Laws of what is judged while walking beyond syntax and guide: codes by their lists, rules as the tree would judge them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests import synthetic
from tests.laws.situation_cases import Case, all_cases
from tests.laws.test_walk import mutated, set_segments
from x12 import guides, situations
from x12.codes.listing import parse
from x12.codes.lists import Lists, shipped
from x12.finding import Finding
from x12.guides import Guide, Segment
from x12.judging import Judgement
from x12.syntax import STANDARD
from x12.table import Table
from x12.walk import Walk, tree

CASES = tuple(all_cases())
RULES = Judgement(frozenset((4, 6)))

# --- situational rules -----------------------------------------------------------------------------------------------


def judged(guide: Guide, segments: list[str], *, keep: bool, size: int = 10_000) -> tuple[Walk, list[Finding]]:
    """The walk, and the findings of rules."""
    walk = Walk(Table(guide, STANDARD, RULES), keep=keep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("x12.walk._PROVED_FROM", 2)
        for start in range(0, len(segments), size):
            walk.feed(segments[start : start + size])
            if not keep:
                walk.settle(segments[start : start + size])
    walk.end()
    walk.settle(segments if keep else ())
    return walk, [f for f in walk.findings if f.rule]


def told(findings: list[Finding]) -> list[str]:
    return sorted(repr(f) for f in findings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}@{case.line}")
def test_a_rule_is_found_broken_while_walking_as_in_the_tree(case: Case) -> None:
    for segments in (case.broken(), case.mended()):
        walk, found = judged(case.guide, segments, keep=True)
        expected = situations.judge_tree(tree(case.guide, walk.nodes, segments, STANDARD), case.guide)
        assert told(expected) == told(found)
        assert [f.rule for f in found] == [f.rule for f in judged(case.guide, segments, keep=False)[1]]
        # In pieces, what lies around a claim may be gone when its finding is worded; the rule is found all the same.
        pieces = judged(case.guide, segments, keep=False, size=5)[1]
        assert sorted(f.rule or "" for f in found) == sorted(f.rule or "" for f in pieces)


def test_each_claim_of_a_file_that_breaks_a_rule_is_told_once_and_at_its_place() -> None:
    text = synthetic.claims_837p(40).replace("*11:B:1*", "*11:B:7*")
    kept = x12.read(text.encode())[0].sets[0]
    assert 40 == sum(f.rule is not None and f.loop == "2300" for f in kept.findings)
    (passed,) = [s for s in x12.stream(text.encode(), keep=False) if isinstance(s, x12.TransactionSet)]
    assert kept.findings == passed.findings
    assert [] == x12.read(text.encode(), levels=(1, 2, 3, 5))[0].sets[0].findings


# --- code lists ------------------------------------------------------------------------------------------------------


def _key(guide: str) -> tuple[str, ...]:
    """A guide as `guides.load` takes it: `005010X221A1`, or with its set, `005010X212 277`."""
    edition, _, set_id = guide.partition(" ")
    return next(k for k in guides.available() if k[0].startswith(edition) and k[1].startswith(set_id))


def _segment(guide: str, place: str) -> Segment:
    """`2400 SV1`, or `2300 HI ABK` for the one whose qualifier has that code."""
    loop, name, *code = place.split()
    key = _key(guide)
    for segment in guides.load(*key).segments:
        codes = segment.qualifier.codes if segment.qualifier else None
        if (segment.loop.id, segment.id) == (loop, name) and (not code or code[0] in (codes or ())):
            return segment
    raise LookupError(place)


def _lists() -> Lists:
    return shipped().with_loaded(
        {"icd10cm": parse("@covers 2024-10-01..2026-09-30\nA000  Cholera\n"), "icd9cm": parse("0010  Cholera\n")}
    )


def found_in(guide: str, place: str, *raws: str, day: str = "20260101", usage: str = "P") -> list[Finding]:
    """What the codes of segments at a place are found to be wrong with, one after the other."""
    segment = _segment(guide, place)
    key = _key(guide)
    table = Table(guides.load(*key), STANDARD, Judgement(frozenset((5,)), _lists()))
    walk = Walk(table, day=day, usage=usage)
    act = table.node(segment).act
    assert act is not None
    for raw in raws:
        act(walk, raw, True)
    return walk.findings


@pytest.mark.parametrize(
    ("guide", "place", "raw", "expected"),
    [
        ("005010X222A1", "2300 HI ABK", "HI*ABK:A000*ABF:A000", []),
        ("005010X222A1", "2300 HI ABK", "HI*ABK:A00.0*BF:A000", [("HI01-2", "I12"), ("HI02-2", "I12")]),
        ("005010X222A1", "2300 HI ABK", "HI*BK:0010*BF:0011", [("HI02-2", "7")]),
        ("005010X222A1", "2400 SV1", "SV1*HC:99213:25:LT*100*UN*1*11**1", []),
        (
            "005010X222A1",
            "2400 SV1",
            "SV1*HC:9921:2:*100*UN*1*98**1",
            [("SV101-2", "I12"), ("SV101-3", "I12"), ("SV105", "7")],
        ),
        ("005010X222A1", "2400 SV1", "SV1*ER:anything*100*UN*1***1", []),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567893", []),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567890", [("NM109", "I12")]),
        ("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567893 ", []),
        ("005010X222A1", "2010BA NM1", "NM1*IL*1*DOE*J****MI*1234567890", []),
        ("005010X222A1", "2010AA N4", "N4*TOWN*QQ*12345", [("N402", "7")]),
        ("005010X222A1", "2010AA N4", "N4*TOWN*QQ*12345*MX", []),
        ("005010X222A1", "2010AA N4", "N4*TOWN", []),
        ("005010X221A1", "2110 CAS", "CAS*CO*45*1**42*2**999*3", [("CAS05", "7"), ("CAS08", "7")]),
        ("005010X221A1", "2110 LQ", "LQ*HE*N950", [("LQ02", "7")]),
        ("005010X221A1", "2110 LQ", "LQ*RX*75", []),
        ("005010X221A1", "2110 SVC", "SVC*NU:450*1*1", [("SVC01-2", "I12")]),
        ("005010X221A1", "2110 SVC", "SVC*N4:1234567890*1*1", [("SVC01-2", "I12")]),
        ("005010X221A1", "2100 NM1 82", "NM1*82*1*DOE*J****XX*1234567890", [("NM109", "I12")]),
        ("005010X223A2", "2300 CLM", "CLM*1*10***11:A:1**A*Y*Y", []),
        ("005010X223A2", "2300 CLM", "CLM*1*10***99:A:1**A*Y*Y", [("CLM05-1", "I12")]),
        ("005010X212 277", "2200D STC", "STC*F2:80::RX*20260101**85*0", []),
        ("005010X214", "2200D STC", "STC*A1:9999*20250101*WQ*1", [("STC01-2", "I12")]),
        ("005010X214", "2200D STC", "STC*B1:20*20250101*WQ*1", [("STC01-1", "7")]),
    ],
)
def test_a_code_is_judged_by_the_list_its_qualifier_means(
    guide: str, place: str, raw: str, expected: list[tuple[str, str]]
) -> None:
    found = found_in(guide, place, raw, raw)
    assert [*expected, *expected] == [(f.place.split()[1], f.code) for f in found]
    assert {5} >= {f.level for f in found}


def test_what_was_good_on_one_day_is_judged_again_on_another() -> None:
    # Reason 42 ended on 2007-06-01.
    ended = [found_in("005010X221A1", "2110 CAS", "CAS*CO*42*1", day=day) for day in ("20070101", "20260101", "")]
    assert [0, 1, 0] == [len(found) for found in ended]


@pytest.mark.parametrize(
    ("paid", "grouped", "faults"), [("20070101", "20260101", 0), ("", "20260101", 1), ("", "20070101", 0)]
)
def test_a_remittance_is_of_the_day_of_its_payment_and_without_one_of_its_group(
    paid: str, grouped: str, faults: int
) -> None:
    text = synthetic.remittance_835(1)
    head, _, rest = text.partition("~BPR*")
    payment, _, tail = rest.partition("~")
    elements = payment.split("*")
    elements[15] = paid
    group = head.split("~")[1].split("*")
    head = head.replace(f"*{group[4]}*", f"*{grouped}*")
    reason = next(s for s in tail.split("~") if s.startswith("CAS*")).split("*")[2]
    faulty = f"{head}~BPR*{'*'.join(elements)}~{tail.replace(f'~CAS*CO*{reason}*', '~CAS*CO*42*', 1)}".encode()
    found = [f for i in x12.read(faulty, levels=(5,)) for s in i.sets for f in s.findings if f.place.endswith("CAS02")]
    assert faults == len(found)


def test_the_qualifier_before_an_element_is_part_of_what_is_remembered() -> None:
    assert 1 == len(found_in("005010X221A1", "2110 LQ", "LQ*RX*75", "LQ*HE*75", "LQ*RX*75"))


def test_a_provider_number_that_is_made_up_is_only_warned_of_in_test() -> None:
    for usage, severity in (("P", "error"), ("T", "warning")):
        (found,) = found_in("005010X222A1", "2010AA NM1", "NM1*85*2*CLINIC*****XX*1234567890", usage=usage)
        assert (severity, "2010AA", 9, "67") == (found.severity, found.loop, found.element, found.data)
        assert "1234567890" not in found.message


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_an_element_that_the_guide_faults_is_not_judged_by_its_list_too(seed: int) -> None:
    random, segments = Random(seed), set_segments(synthetic.claims_837p(3))
    for at in random.sample(range(1, len(segments) - 1), 8):
        segments[at] = mutated(random, segments[at])
    table = Table(guides.load("005010X222A1", "837"), STANDARD, Judgement(frozenset((5,))))
    walk = Walk(table)
    walk.feed(segments)
    below = {(f.position, f.element) for f in walk.findings if f.level < 3 and f.element}
    assert set() == below & {(f.position, f.element) for f in walk.findings if f.level == 5}


def test_a_payers_own_rule_is_judged_at_level_7() -> None:
    rule = "rules 005010X222A1  A payer\n\nX-2300-001  7 error  2300\n  needs REF*F8\n  say Send the number.\n  from the payer\n"
    text = synthetic.claims_837p(2).encode()
    found = [f for s in x12.read(text, companions=(rule,))[0].sets for f in s.findings]
    assert [(7, "X-2300-001"), (7, "X-2300-001")] == [(f.level, f.rule) for f in found]
    assert [] == x12.read(text)[0].sets[0].findings

"""The laws of code lists: what they say of a value on a day, what their text form keeps, and that every guide is served."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from x12 import codes, guides
from x12.codes.forms import FORMS, gs1_is_valid, loinc_is_valid, npi_is_valid
from x12.codes.listing import CodeList, ListError, merge, parse, render
from x12.codes.lists import Lists, list_for, parts_of, pattern_of, shipped
from x12.guides import Component

_ROOT = Path(__file__).resolve().parents[2]
_TABLES = sorted(p.stem for p in Path(str(codes.__path__[0])).glob("*.codes"))


def _places(key: tuple[str, ...]) -> list[tuple[Component, Component | None]]:
    """The elements of a guide that have an external list, each with the coded one before it."""
    found: list[tuple[Component, Component | None]] = []
    for segment in guides.load(*key).segments:
        for element in segment.elements:
            parts: tuple[Component, ...] = element.components or (element,)
            for index, part in enumerate(parts):
                if part.external:
                    # Inside a composite its first component says which list; else the element before, or the segment's qualifier.
                    coded = [p for p in (*parts[:index], segment.elements[max(element.position - 2, 0)]) if p.codes]
                    before = coded[0] if coded else segment.qualifier
                    found.append((part, before if before is not part else None))
    return found


@pytest.mark.parametrize("key", sorted(guides.available()))
def test_every_external_list_of_a_guide_is_served(key: tuple[str, ...]) -> None:
    unserved: list[str] = []
    for part, before in _places(key):
        qualifiers = sorted((before.codes if before is not None else None) or ())
        served = [list_for(part.external or "", q) for q in ("", *qualifiers)]
        if not any(served):
            unserved.append(f"{part.external} behind {qualifiers}")
    assert [] == unserved


def _named(document: str, heading: str) -> list[set[str]]:
    """What the first column of the first table behind a heading of a document names, row by row."""
    text = (_ROOT / document).read_text("utf-8").split(heading, 1)[1]
    table = re.search(r"^\|.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert table is not None
    return [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table[0].splitlines()[2:]]


def test_the_table_of_external_lists_is_that_of_the_guides() -> None:
    used = {part.external for key in guides.available() for part, _ in _places(key)}
    assert used == set().union(*_named("docs/guides.md", "### External code lists"))


def test_the_table_of_lists_names_every_list_once() -> None:
    named = _named("docs/codes.md", "## The lists")
    assert sorted(FORMS) == sorted(name for row in named for name in row)


def test_a_name_that_is_no_list_is_nobodys() -> None:
    assert None is list_for("shoe_size", "")
    with pytest.raises(KeyError):
        shipped().check("shoe_size", "44")


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_can_stand_inside_another_pattern(name: str) -> None:
    pattern = pattern_of(name)
    if pattern is not None:
        assert 0 == re.compile(pattern).groups
        assert re.fullmatch(f"x(?:{pattern})y", "xy") is None


@pytest.mark.parametrize("name", sorted(n for n in FORMS if FORMS[n].table))
def test_every_listed_code_has_the_form_of_its_list(name: str) -> None:
    pattern = re.compile(FORMS[name].pattern or ".*")
    assert [] == [c for c in shipped().codes(name).words if not pattern.fullmatch(c)]


@pytest.mark.parametrize("name", sorted(FORMS))
def test_listed_codes_are_good_without_a_day(name: str) -> None:
    lists = shipped()
    assert [] == [c for c in lists.codes(name).words if lists.check(name, c) is not None]


# --- check digits ----------------------------------------------------------------------------------------------------


def _luhn(digits: str) -> bool:
    odd, even = digits[::-1][::2], digits[::-1][1::2]
    return (sum(map(int, odd)) + sum(sum(map(int, str(2 * int(d)))) for d in even)) % 10 == 0


@given(st.from_regex(r"\A[0-9]{10}\Z"))
def test_the_check_digit_of_an_npi_is_luhns_over_80840(number: str) -> None:
    assert _luhn("80840" + number) == npi_is_valid(number)


@given(st.from_regex(r"\A[0-9]{9}\Z"))
def test_one_of_ten_last_digits_makes_an_npi(number: str) -> None:
    assert 1 == sum(npi_is_valid(f"{number}{d}") for d in range(10))


@pytest.mark.parametrize("number", ["", "123456789", "12345678930", "１234567893", "123456789x", "-234567893"])
def test_what_is_not_ten_digits_is_no_npi(number: str) -> None:
    assert not npi_is_valid(number)


def test_check_digits_of_known_numbers() -> None:
    assert npi_is_valid("1234567893")
    assert [True, True, False] == [loinc_is_valid(c) for c in ("4548-4", "18748-4", "4548-5")]
    assert [True, True, False] == [gs1_is_valid(c) for c in ("4006381333931", "036000291452", "036000291453")]
    assert [False, False, False] == [loinc_is_valid(c) for c in ("45484", "4548-44", "-")]


# --- judging ---------------------------------------------------------------------------------------------------------

_LIST = parse(
    "@covers 2010-01-01..2020-12-31\nA10  for ever\nB20  [2012-01-01..2014-06-30,2016-01-01..]  twice\nC30  [..2015-12-31]  old\n"
)


def _icd() -> Lists:
    return shipped().with_loaded({"icd10cm": _LIST})


@pytest.mark.parametrize(
    ("value", "on", "expected"),
    [
        ("A10", "", None),
        ("A10", "19500101", None),
        ("B20", "", None),
        ("B20", "20111231", "not yet"),
        ("B20", "20120101", None),
        ("B20", "20140630", None),
        ("B20", "20140701", "not yet"),
        ("B20", "20160101", None),
        ("C30", "20151231", None),
        ("C30", "20160101", "ended"),
        ("D40", "20150101", "unknown"),
        ("D40", "", "unknown"),
        ("D40", "20091231", "unlisted"),
        ("D40", "20210101", "unlisted"),
        ("D4", "20150101", "form"),
        ("", "20150101", "form"),
        ("A10 ", "20150101", "form"),
        ("a10", "20150101", "form"),
    ],
)
def test_a_value_is_judged_by_its_day(value: str, on: str, expected: str | None) -> None:
    assert expected == _icd().check("icd10cm", value, on)


def test_where_only_the_form_is_known_it_decides() -> None:
    assert [None, "form"] == [shipped().check("icd10cm", v, "20250101") for v in ("Z9989", "99.99")]
    assert [None, "form", "check digit"] == [shipped().check("npi", v) for v in ("1234567893", "12345", "1234567890")]


def test_a_list_in_part_does_not_say_unknown() -> None:
    lists = shipped().with_loaded({"icd10cm": parse("@partial\nA10  here\n")})
    assert [None, "unlisted", "form"] == [lists.check("icd10cm", v) for v in ("A10", "B10", "1")]


def test_codes_that_come_later_follow_their_series() -> None:
    lists = shipped().with_loaded({"icd10cm": parse("@covers ..2020-12-31\n@later A[2-9][0-9]\nA10  here\n")})
    on = {"20201231": ["unknown", "unknown"], "20210101": ["unlisted", "unknown"]}
    assert on == {day: [lists.check("icd10cm", v, day) for v in ("A20", "B20")] for day in on}


def test_a_procedure_is_looked_up_in_the_list_its_form_tells() -> None:
    loaded = {
        "cpt": parse("99213  visit\n"),
        "cdt": parse("D0120  evaluation\n"),
        "hcpcs_modifier": parse("LT  left\n"),
    }
    lists = shipped().with_loaded(loaded)
    said = [lists.check("hcpcs", c) for c in ("99213", "99214", "D0120", "D0121", "A0021", "0001U", "99")]
    assert [None, "unknown", None, "unknown", None, "unknown", "form"] == said
    assert [None, "unknown", None, None, "form"] == [
        lists.check("procedure_modifier", m) for m in ("LT", "RT", "59", "P3", "L")
    ]
    assert ("cpt", "hcpcs_level_2", "cdt") == parts_of("hcpcs")
    with pytest.raises(KeyError):
        shipped().with_loaded({"hcpcs": parse("99213  visit\n")})


@pytest.mark.parametrize(
    ("name", "least", "retired"),
    [
        ("claim_adjustment_reason", 407, 110),
        ("remittance_advice_remark", 1216, 79),
        ("claim_status", 790, 100),
        ("claim_status_category", 56, 3),
        ("place_of_service", 52, 0),
        ("service_type", 187, 0),
        ("state", 75, 0),
        ("country", 249, 5),
        ("currency", 178, 30),
    ],
)
def test_lists_that_come_along_are_as_long_as_their_sources(name: str, least: int, retired: int) -> None:
    codes = shipped().codes(name)
    assert least <= len(codes.words)
    assert retired <= sum(bool(spans[-1][1]) for spans in codes.spans.values())


@pytest.mark.parametrize(
    ("name", "value", "on", "expected"),
    [
        ("claim_adjustment_reason", "45", "20251101", None),
        ("claim_adjustment_reason", "42", "20251101", "ended"),
        ("claim_adjustment_reason", "42", "20060101", None),
        ("claim_adjustment_reason", "W1", "20140701", None),
        ("claim_adjustment_reason", "W1", "20140702", "ended"),
        ("claim_adjustment_reason", "999", "20251101", "unknown"),
        ("claim_adjustment_reason", "999", "20300101", "unknown"),
        ("claim_adjustment_reason", "310", "20300101", "unlisted"),
        ("claim_adjustment_reason", "045", "20251101", "form"),
        ("remittance_advice_remark", "N411", "20120101", "not yet"),
        ("remittance_advice_remark", "N411", "20170101", None),
        ("remittance_advice_remark", "M33", "20251101", "ended"),
        ("remittance_advice_remark", "N950", "20251101", "unknown"),
        ("remittance_advice_remark", "N950", "20300101", "unlisted"),
        ("claim_status", "809", "20250601", "unlisted"),
        ("claim_status", "1000", "", "form"),
        ("claim_status_category", "A9", "20241001", "unknown"),
        ("place_of_service", "10", "20211231", "not yet"),
        ("place_of_service", "10", "20220101", None),
        ("place_of_service", "98", "20251101", "unknown"),
        ("country", "AN", "20251101", "ended"),
        ("country", "XX", "20251101", "unknown"),
        ("currency", "HRK", "20230101", "ended"),
        ("state", "QQ", "", "unknown"),
        ("state", "PR", "", None),
        ("bill_type", "861", "", None),
        ("bill_type", "911", "", "form"),
        ("facility_type", "11", "20251101", None),
        ("facility_type", "13", "20020101", None),
        ("revenue", "0450", "", None),
        ("revenue", "450", "", "form"),
        ("provider_taxonomy", "207Q00000X", "", None),
        ("provider_taxonomy", "507Q00000X", "", "form"),
        ("ndc", "00002-1433-80", "", "form"),
    ],
)
def test_what_the_lists_say_of_real_codes(name: str, value: str, on: str, expected: str | None) -> None:
    assert expected == shipped().check(name, value, on)


def test_what_may_be_right_after_all_is_a_warning() -> None:
    lists = shipped()
    assert "warning" == lists.severity("icd10cm", "unlisted")
    assert ["error"] * 4 == [lists.severity("icd10cm", r) for r in ("form", "unknown", "ended", "not yet")]
    said = [lists.severity("claim_adjustment_reason", r) for r in ("unknown", "ended", "not yet")]
    assert ["error", "error", "warning"] == said
    assert "warning" == lists.severity("claim_status", "ended")
    assert ["error", "warning"] == [lists.severity("npi", "check digit", usage) for usage in "PT"]


def test_messages_name_the_list_and_never_have_holes() -> None:
    lists = shipped()
    said = [
        lists.message(n, r) for n in FORMS for r in ("form", "check digit", "unknown", "unlisted", "ended", "not yet")
    ]
    assert [] == [m for m in said if "{" in m or not m]


def test_a_type_of_bill_is_a_facility_and_a_frequency() -> None:
    lists = shipped()
    assert [None, None] == [lists.check("bill_type", v) for v in ("131", "0131")]
    assert ["form", "form"] == [lists.check("bill_type", v) for v in ("13", "1131")]


def test_lists_are_not_changed_by_what_is_loaded_on_top() -> None:
    before = shipped()
    after = before.with_loaded({"icd10cm": _LIST})
    assert [None, "unknown"] == [x.check("icd10cm", "Z99", "20150101") for x in (before, after)]
    assert [frozenset(), frozenset({"icd10cm"})] == [before.loaded(), after.loaded()]
    with pytest.raises(KeyError):
        before.with_loaded({"shoe_size": _LIST})


def test_a_loaded_list_is_read_when_first_asked() -> None:
    asked: list[str] = []

    def read() -> CodeList:
        asked.append("read")
        return _LIST

    lists = shipped().with_loaded({"icd10cm": read})
    assert [] == asked
    assert [None, "unknown"] == [lists.check("icd10cm", v, "20150101") for v in ("A10", "A11")]
    assert ["read"] == asked


# --- qualifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("external", "qualifier", "expected"),
    [
        ("icd", "ABK", "icd10cm"),
        ("icd", "BK", "icd9cm"),
        ("icd", "BBR", "icd10pcs"),
        ("icd", "", None),
        ("procedure", "HC", "hcpcs"),
        ("procedure", "N4", "ndc"),
        ("procedure", "NU", "revenue"),
        ("procedure", "HP", "hipps"),
        ("procedure", "AD", "cdt"),
        ("procedure", "ER", None),
        ("procedure", "ZZ", None),
        ("facility_type", "B", "place_of_service"),
        ("facility_type", "", "facility_type"),
        ("remark", "HE", "remittance_advice_remark"),
        ("remark", "RX", "ncpdp_reject"),
        ("state", "", "state"),
        ("state", "HC", "state"),
    ],
)
def test_the_qualifier_chooses_the_list(external: str, qualifier: str, expected: str | None) -> None:
    assert expected == list_for(external, qualifier)


# --- the text form ---------------------------------------------------------------------------------------------------

_DAYS = st.dates().map(lambda d: d.strftime("%Y%m%d") if d.year >= 1000 else "")
_SPANS = st.tuples(_DAYS, _DAYS).map(lambda s: (min(s), max(s)) if all(s) else s).filter(any)
_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@st.composite
def _lists(draw: st.DrawFn) -> CodeList:
    words = draw(
        st.dictionaries(_TEXT.filter(lambda c: c[0] not in "#@"), _TEXT.filter(lambda w: w[0] != "["), max_size=6)
    )
    spans = {c: tuple(draw(st.lists(_SPANS, min_size=1, max_size=2))) for c in words if draw(st.booleans())}
    later = draw(st.sampled_from(("", "[0-9]+", "(?:A|B)9")))
    covers = draw(st.lists(_SPANS, min_size=1, max_size=2).map(tuple) | st.just((("", ""),)))
    return CodeList(words, spans, covers, draw(st.booleans()), later)


@given(_lists())
def test_a_list_written_and_read_is_the_same(made: CodeList) -> None:
    again = parse(render(made, "a comment\nof two lines"))
    expected = (dict(made.words), dict(made.spans), made.covers, made.partial, made.later)
    assert expected == (dict(again.words), dict(again.spans), again.covers, again.partial, again.later)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A  [2012-02-30..]  words", "line 1"),
        ("# c\nA  [2013-01-01..2012-01-01]  words", "line 2: a period ends"),
        ("A  one\nA  two", "line 2: this code stands here twice"),
        ("A  [2012-01-01..]  ", "line 1: a code without words"),
        ("A one", "line 1: a line is a code"),
        ("@covers yesterday", "line 1: a period is written"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, expected: str) -> None:
    with pytest.raises(ListError, match=re.escape(expected)):
        parse(text)


# --- editions --------------------------------------------------------------------------------------------------------


def _edition(year: int, *named: str) -> CodeList:
    return CodeList({c: f"{c} of {year}" for c in named}, covers=((f"{year - 1}1001", f"{year}0930"),))


def test_a_new_edition_ends_what_it_lacks_and_begins_what_it_adds() -> None:
    merged = merge(_edition(2025, "A", "B"), _edition(2026, "B", "C"))
    assert {"A": (("", "20250930"),), "C": (("20251001", ""),)} == dict(merged.spans)
    assert {"A": "A of 2025", "B": "B of 2026", "C": "C of 2026"} == dict(merged.words)
    assert (("20241001", "20260930"),) == merged.covers


def test_a_code_that_comes_back_is_good_on_both_sides() -> None:
    years = [_edition(2024, "A", "B"), _edition(2025, "B"), _edition(2026, "A", "B", "C")]
    merged = merge(merge(years[0], years[1]), years[2])
    assert {"A": (("", "20240930"), ("20251001", "")), "C": (("20251001", ""),)} == dict(merged.spans)


def test_between_editions_nothing_is_held_against_a_code() -> None:
    merged = merge(_edition(2020, "A00", "B00"), _edition(2026, "B00", "C00"))
    assert (("20191001", "20200930"), ("20251001", "20260930")) == merged.covers
    lists = shipped().with_loaded({"icd10cm": merged})
    days = ("20200930", "20230101", "20251001")
    judged = {code: [lists.check("icd10cm", code, on) for on in days] for code in ("A00", "B00", "C00", "D00")}
    assert {
        "A00": [None, None, "ended"],
        "B00": [None, None, None],
        "C00": ["not yet", None, None],
        "D00": ["unknown", "unlisted", "unknown"],
    } == judged


def test_the_same_edition_again_changes_nothing() -> None:
    once = merge(_edition(2025, "A", "B"), _edition(2026, "B", "C"))
    again = merge(once, _edition(2026, "B", "C"))
    assert (dict(once.words), dict(once.spans), once.covers) == (dict(again.words), dict(again.spans), again.covers)


_EDITIONS = st.lists(st.sets(st.sampled_from("ABCDE"), min_size=1), min_size=1, max_size=5)


@given(_EDITIONS)
def test_each_edition_is_the_whole_list_on_its_days(editions: list[set[str]]) -> None:
    made = [_edition(2000 + i, *(f"{c}00" for c in sorted(e))) for i, e in enumerate(editions)]
    whole = made[0]
    for one in made[1:]:
        whole = merge(whole, one)
    lists = shipped().with_loaded({"icd10cm": whole})
    for one in made:
        for on in one.covers[0]:
            good = {c for c in "ABCDE" if lists.check("icd10cm", f"{c}00", on) is None}
            assert {c[0] for c in one.words} == good


def test_a_list_that_dates_its_codes_overrides_code_by_code() -> None:
    old = parse("A  [..2019-12-31]  old\nB  kept\n")
    merged = merge(old, parse("A  [2001-01-01..2021-12-31]  new\n"))
    assert {"A": "new", "B": "kept"} == dict(merged.words)
    assert {"A": (("20010101", "20211231"),)} == dict(merged.spans)


@pytest.mark.parametrize("name", _TABLES)
def test_a_packaged_table_is_read_in_one_go(name: str) -> None:
    assert codes.table(name) == codes.packaged(name).words


def test_importing_reads_no_list_and_asking_one_reads_only_it() -> None:
    program = (
        "import x12, x12.codes, x12.codes.lists as lists;"
        "before = x12.codes.packaged.cache_info().currsize;"
        "lists.shipped().check('state', 'OR');"
        "print(before, x12.codes.packaged.cache_info().currsize)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert ["0", "1"] == told.stdout.split()

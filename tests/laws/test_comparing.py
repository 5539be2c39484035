"""Two files that say the same have no difference; one that is made is told, at its place, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import x12
from tests import synthetic
from x12.comparing import Difference, difference
from x12.syntax import Delimiters, translate

CLAIMS = synthetic.claims_837p(4)
STANDARD = Delimiters("*", ":", "^", "~")
OTHER = Delimiters("|", ">", "!", "'")


def differences(before: str, after: str, *, ignore_envelope: bool = False) -> list[Difference]:
    read = [x12.read(text.encode()) for text in (before, after)]
    return list(difference(read[0], read[1], ignore_envelope=ignore_envelope, reveal=True))


def told(found: list[Difference]) -> list[tuple[str, str, str, str]]:
    return [(d.kind, d.place, d.before, d.after) for d in found]


def moved(text: str) -> str:
    """The same claims with the third one first."""
    one, *_ = x12.read(text.encode())[0].sets
    body = one.segments[1:-1]
    starts = [n for n, s in enumerate(body) if s.startswith("HL*") and s.split("*")[3] == "22"]
    head, parts = body[: starts[0]], [body[a:b] for a, b in zip(starts, [*starts[1:], len(body)], strict=True)]
    parts.insert(0, parts.pop(2))
    lines = [*head, *(s for part in parts for s in part)]
    return synthetic.interchange("HC", "005010X222A1", [["ST*837*{ST02}*005010X222A1", *lines]])


def as_it_is(text: str) -> str:
    return text


def with_line_breaks(text: str) -> str:
    return text.replace("~", "~\n")


def with_other_delimiters(text: str) -> str:
    return translate(text, STANDARD, OTHER)


@pytest.mark.parametrize("change", [as_it_is, with_line_breaks, with_other_delimiters, moved])
def test_files_that_say_the_same_have_no_difference(change: Callable[[str], str]) -> None:
    assert [] == differences(CLAIMS, change(CLAIMS))


def test_an_element_that_changed_is_told_with_its_name_and_position() -> None:
    after = CLAIMS.replace("*CI~", "*MB~", 1)
    (found,) = differences(CLAIMS, after)
    assert ("changed", "SBR09", "CI Commercial Insurance", "MB Medicare Part B") == told([found])[0]
    assert "Claim Filing Indicator Code" == found.name
    (one,) = x12.read(CLAIMS.encode())[0].sets
    assert "SBR" == one.segments[found.position_before - 1][:3]


def test_a_component_that_changed_is_told_by_itself() -> None:
    assert [("changed", "CLM05-1", "11 Office", "12 Home")] == told(
        differences(CLAIMS, CLAIMS.replace("*11:B:1*", "*12:B:1*", 1))
    )


def test_a_segment_more_or_less_is_told_as_a_whole() -> None:
    less = CLAIMS.replace("~REF*D9*SYN000000001", "", 1)
    assert [("removed", "REF", "REF*D9*SYN000000001", "")] == told(differences(CLAIMS, less))
    assert ["added"] == [d.kind for d in differences(less, CLAIMS) if d.place == "REF"]


def test_a_claim_more_or_less_is_told_as_a_whole() -> None:
    found = differences(CLAIMS, synthetic.claims_837p(5), ignore_envelope=True)
    assert {"added"} == {d.kind for d in found}
    assert {"2000B", "HL04"} >= {d.place for d in found}


def test_a_claim_with_another_number_is_another_claim() -> None:
    found = differences(CLAIMS, CLAIMS.replace("CLM*PCN00000002", "CLM*PCN99999999"))
    assert [("removed", "2300"), ("added", "2300")] == [(d.kind, d.place) for d in found]


@pytest.mark.parametrize(
    ("before", "after"),
    [("*260105*0930*", "*260106*0931*"), ("*000000001", "*000000002"), ("~BHT*0019*00*SYNTH0001*20260105*0930", "~BHT*0019*00*OTHER*20260106*0931"),
     ("*0001*005010X222A1~", "*0009*005010X222A1~")],
)  # fmt: skip
def test_times_and_numbers_of_envelopes_can_be_left_aside(before: str, after: str) -> None:
    other = CLAIMS.replace(before, after)
    assert differences(CLAIMS, other)
    assert [] == differences(CLAIMS, other, ignore_envelope=True)


def test_an_interchange_a_group_and_a_set_more_are_told() -> None:
    assert [("added", "ISA", "", ""), ("added", "ST", "", "")] == told(differences(CLAIMS, CLAIMS + CLAIMS))


def test_sets_without_a_guide_are_compared_segment_by_segment() -> None:
    before = synthetic.interchange("BE", "005010X220A1", [["ST*834*{ST02}*005010X220A1", "INS*Y*18", "REF*0F*1"]])
    after = before.replace("REF*0F*1", "REF*0F*2").replace("~INS*Y*18", "~INS*Y*18~DTP*356*D8*20260101")
    found = [(d.kind, d.place) for d in differences(before, after)]
    assert {("added", "DTP"), ("changed", "REF02")} == set(found)

"""Laws of reading by bindings: a value is taken from its place, under its conditions, and nothing else is."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.status_values import tree_of
from x12.documents.binding import (
    Document,
    Text,
    at,
    coded,
    contact,
    each,
    groups,
    inside,
    meaning,
    read,
    segments,
)
from x12.walk import Instance

WORDS = {"MA01": "appeal", "MA18": "crossover", "CO": "contract"}
HEAD = [
    "ST*835*0001",
    "BPR*I*0*C*NON************20260105",
    "TRN*1*1*1512345678",
    "N1*PR*PLAN",
    "N3*STREET",
    "N4*AUSTIN*TX*787010000",
    "PER*BL**TE*1",
    "N1*PE*CLINIC*XX*1",
    "LX*1",
    "CLP*A*1*0*0**12*I",
]


def claim(*lines: str) -> Instance:
    """Loop 2100 of a remittance with these segments after its CLP."""
    return next(tree_of([*HEAD, *lines, "SE*1*0001"], "HP", "005010X221A1").all("2100"))


class Name(Document):
    """One segment fills it: read at once."""

    last: Annotated[Text, at("NM1[QC]03 NM102=1")] = None
    organization: Annotated[Text, at("NM1[QC]03 NM102=2")] = None
    first: Annotated[Text, at("NM1[QC]04")] = None
    member: Annotated[Text, at("NM1[QC]09 NM108=MI|II")] = None
    ssn: Annotated[Text, at("NM1[QC]09 NM108=34")] = None


class Line(Document):
    """Components, words and lists."""

    kind: Annotated[Text, at("SVC01-1")] = None
    kind_words: Annotated[Text, meaning("SVC01-1", {"HC": "procedure"})] = None
    code: Annotated[Text, at("SVC01-2")] = None
    modifiers: Annotated[list[str] | None, each("SVC01-3", 6)] = None
    units: Annotated[int | None, at("SVC05")] = None


class Number(Document):
    phone: Annotated[Text, contact("@02", "TE")] = None
    extension: Annotated[Text, contact("@02", "EX")] = None


class Call(Document):
    name: Annotated[Text, at("PER02")] = None
    numbers: Annotated[list[Number] | None, groups("PER03", 2, 8)] = None


class Reason(Document):
    group: Annotated[Text, coded("CAS01", {"CO": "contract"})] = None
    reason: Annotated[Text, at("CAS02")] = None


class Claim(Document):
    """Several segments fill it: its values are gathered."""

    start: Annotated[Text, at("DTM[232]02")] = None
    end: Annotated[Text, at("DTM[233]02")] = None
    remark: Annotated[Text, meaning("MOA03", WORDS)] = None
    account: Annotated[Text, at("CLP01")] = None
    name: Name | None = None
    calls: Annotated[list[Call] | None, segments("PER[CX]")] = None
    reasons: Annotated[list[Reason] | None, segments("CAS")] = None
    classes: Annotated[list[str] | None, segments("REF[CE]02")] = None
    lines: Annotated[list[Line] | None, inside("2110")] = None
    payer: Annotated[Text, at("1000A N102")] = None


def test_a_value_is_taken_under_its_condition_only() -> None:
    assert Name(last="DOE", first="J", member="1") == read(Name, claim("NM1*QC*1*DOE*J****MI*1"))
    assert Name(organization="DOE", member="1") == read(Name, claim("NM1*QC*2*DOE*****II*1"))
    assert Name(last="DOE", ssn="1") == read(Name, claim("NM1*QC*1*DOE*****34*1"))
    assert Name(last="DOE") == read(Name, claim("NM1*QC*1*DOE*****ZZ*1"))


def test_a_segment_with_another_qualifier_is_not_taken() -> None:
    assert Name() == read(Name, claim("NM1*IL*1*DOE*J****MI*1"))


@pytest.mark.parametrize("line", ["NM1*QC", "NM1*QC*1", "NM1*QC*1***", "NM1"])
def test_a_part_of_which_nothing_is_said_is_absent(line: str) -> None:
    assert read(Claim, claim(line)).name is None


def test_a_further_segment_of_a_kind_only_adds_what_the_first_left_out() -> None:
    twice = claim("NM1*QC*1*DOE", "NM1*QC*1*ROE*J")
    assert Name(last="DOE", first="J") == read(Name, twice)
    assert Name(last="DOE", first="J") == read(Claim, twice).name


def test_lists_keep_the_order_of_the_segments() -> None:
    found = read(Claim, claim("CAS*CO*45*1", "CAS*XX*253*1", "REF*CE*B", "REF*1L*G", "REF*CE*A"))
    assert [Reason(group="contract", reason="45"), Reason(group="XX", reason="253")] == found.reasons
    assert ["B", "A"] == found.classes


def test_each_pair_of_a_contact_is_an_item() -> None:
    found = read(Claim, claim("PER*CX*DESK*TE*1*EX*2*TE*3")).calls
    assert [Call(name="DESK", numbers=[Number(phone="1"), Number(extension="2"), Number(phone="3")])] == found


def test_components_and_their_words_are_taken_as_far_as_they_go() -> None:
    expected = Line(kind="HC", kind_words="procedure", code="99213", modifiers=["25", "59"], units=2)
    assert [expected] == read(Claim, claim("SVC*HC:99213:25::59*1*1**2")).lines
    assert [Line(kind="HC", kind_words="procedure")] == read(Claim, claim("SVC*HC*1*1**X")).lines
    assert [Line(kind="AD", code="1")] == read(Claim, claim("SVC*AD:1*1*1")).lines


def test_a_loop_elsewhere_is_found_from_inside() -> None:
    assert "PLAN" == read(Claim, claim()).payer


def test_words_without_a_code_are_absent() -> None:
    assert "appeal" == read(Claim, claim("MOA***MA01")).remark
    assert read(Claim, claim("MOA***N999")).remark is None


@given(st.lists(st.text("A1*:^ ", max_size=12), max_size=6))
def test_any_text_is_read_without_failing_and_without_blanks(texts: list[str]) -> None:
    ids = ("NM1*QC*", "DTM*232*", "SVC*HC", "CAS*", "PER*CX*", "MOA*", "REF*CE*")
    found = read(Claim, claim(*(ids[i % len(ids)] + text for i, text in enumerate(texts))))
    assert "A" == found.account
    assert "" not in [found.start, found.end, found.remark, *(r.reason for r in found.reasons or ())]

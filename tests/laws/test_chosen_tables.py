"""Laws of tables that share an edition: the segment behind ST chooses, wherever the pieces of a stream end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260105*1200*^*00501*000000001*0*T*:~"
GS = "GS*HI*SENDER*RECEIVER*20260105*1200*1*X*005010X217~"
REQUEST, RESPONSE = (
    "Health Care Services Review Information - Review",
    "Health Care Services Review Information - Response",
)


def one(*purposes: str | None) -> bytes:
    """A file with a set for each purpose: None is a set without a BHT."""
    sets = ""
    for number, purpose in enumerate(purposes, 1):
        bht = "" if purpose is None else f"BHT*0007*{purpose}*A{number}*20260105*1200~"
        sets += f"ST*278*{number:04d}*005010X217~{bht}SE*{3 if bht else 2}*{number:04d}~"
    return f"{ISA}{GS}{sets}GE*{len(purposes)}*1~IEA*1*000000001~".encode()


def chosen(pieces: list[bytes]) -> list[str | None]:
    return [s.guide and s.guide.name for s in x12.stream(pieces) if isinstance(s, x12.TransactionSet)]


@pytest.mark.parametrize(
    ("purpose", "table"),
    [
        ("01", REQUEST),
        ("13", REQUEST),
        ("36", REQUEST),
        ("11", RESPONSE),
        ("08", REQUEST),
        ("", REQUEST),
        (None, REQUEST),
    ],
)
def test_the_purpose_in_bht02_chooses_and_what_no_table_names_is_judged_by_the_first(
    purpose: str | None, table: str
) -> None:
    assert [table] == chosen([one(purpose)])
    (interchange,) = x12.read(one(purpose))
    named = {f.place for f in interchange.sets[0].findings if f.element}
    assert (purpose in ("08", "")) == ("278 BHT02" in named)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["13", "11", None]), min_size=1, max_size=4), st.data())
def test_the_choice_and_the_findings_are_the_same_wherever_the_pieces_end(
    purposes: list[str | None], data: st.DataObject
) -> None:
    whole = one(*purposes)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    expected = [(s.segments, s.findings, s.guide) for i in x12.read(whole) for s in i.sets]
    assert expected == [
        (s.segments, s.findings, s.guide) for s in x12.stream(pieces) if isinstance(s, x12.TransactionSet)
    ]
    assert [RESPONSE if p == "11" else REQUEST for p in purposes] == chosen(pieces)


@pytest.mark.parametrize("end", ["ST*278*0001*005010X217~", "ST*278*0001*005010X217"])
def test_a_set_of_which_only_the_st_arrived_is_still_a_set(end: str) -> None:
    (interchange,) = x12.read(f"{ISA}{GS}{end}".encode())
    (only,) = interchange.sets
    assert ["ST*278*0001*005010X217"] == only.segments
    assert "2" in {f.code for f in only.findings if f.scope == "set"}


def test_an_edition_without_a_table_is_not_supported_and_says_so() -> None:
    (interchange,) = x12.read(one("13").replace(b"005010X217", b"005010X215"))
    assert [None] == [s.guide for s in interchange.sets]
    assert ["This transaction set and GS08 version are not supported here."] == [
        f.message for f in interchange.sets[0].findings
    ]

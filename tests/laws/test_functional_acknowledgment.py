"""Laws of the 997, which is read and never written: it says what a 999 says, and nothing in it raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.laws.cases import cases
from x12 import codes, guides
from x12.documents.acknowledgements import GroupAcknowledgement, read_997
from x12.envelope import TransactionSet, read
from x12.transactions import KINDS, documents_of, kind_of_document

LINES = [
    "AK1*HC*17*005010X222A1",
    "AK2*837*0001",
    "AK5*A",
    "AK2*837*0002*005010X222A1",
    "AK3*CLM*22*2120*8",
    "AK4*5:3:2*1325*7*SECRET",
    "AK4*2*782*1",
    "AK3*REF*30**3",
    "AK5*R*5*7",
    "AK9*P*2*2*1*5",
]


def received(*lines: str, version: str = "005010X230") -> TransactionSet:
    text = synthetic.interchange("FA", version, [["ST*997*{ST02}", *lines]])
    return read(text.encode("latin-1"))[0].sets[0]


def group_answer(*lines: str, version: str = "005010X230") -> GroupAcknowledgement:
    return read_997(received(*lines, version=version).tree())


@pytest.mark.parametrize("version", ["005010X230", "005010", "004010", "004010X098A1"])
def test_a_997_says_what_a_999_says_whatever_its_release(version: str) -> None:
    assert [] == received(*LINES, version=version).findings
    said = group_answer(*LINES, version=version)
    assert ("HC", "17", "P", 2, 2, 1, ["5"]) == (
        said.functional_id, said.control_number, said.code, said.included, said.received, said.accepted_sets, said.codes,
    )  # fmt: skip
    assert (True, False, None) == (said.verdict("0001"), said.verdict("0002"), said.verdict("0003"))
    good, bad = said.sets or []
    assert (None, ["5", "7"], "005010X222A1") == (good.errors, bad.codes, bad.convention)
    first, second = bad.errors or []
    assert ("CLM", 22, "2120", "8", "Segment has data element errors") == (
        first.segment, first.position, first.loop, first.code, first.description,
    )  # fmt: skip
    assert ("REF", 30, None, "3", None) == (
        second.segment, second.position, second.loop, second.code, second.elements,
    )  # fmt: skip
    assert [(5, 3, 2, "1325", "7"), (2, None, None, "782", "1")] == [
        (e.element, e.component, e.repeat, e.data, e.code) for e in first.elements or ()
    ]
    assert "SECRET" not in repr(said)


def test_a_997_is_a_kind_that_is_only_read() -> None:
    one = received(*LINES)
    (said,) = documents_of(one)
    assert read_997(one.tree()) == said
    assert ("997", "999") == (KINDS["997"].name, kind_of_document(said).name)


def test_a_997_needs_no_sets() -> None:
    said = group_answer("AK1*HC*17", "AK9*R*1*1*0*3")
    assert (False, None, False) == (said.accepted, said.sets, said.verdict("0001"))


def test_every_code_of_a_997_has_words() -> None:
    guide = guides.load("005010X230", "997")
    for segment, element, table in (
        ("AK3", 4, "segment_error"), ("AK4", 3, "element_error"), ("AK5", 2, "set_error"), ("AK9", 5, "group_error"),
    ):  # fmt: skip
        listed = next(s for s in guide.segments if s.id == segment).elements[element - 1].codes
        assert listed
        assert set() == listed - set(codes.table(table))


@settings(max_examples=cases(200), deadline=None)
@given(st.integers(0, len(LINES) - 1), st.integers(1, 7), st.text("²٣A0-:^9", max_size=30))
def test_reading_a_997_never_raises(line: int, element: int, value: str) -> None:
    lines = list(LINES)
    parts = [*lines[line].split("*"), *[""] * 7][: max(element + 1, 3)]
    parts[element] = value.encode("latin-1", "replace").decode("latin-1")
    lines[line] = "*".join(parts)
    assert group_answer(*lines).accepted in (True, False, None)


@pytest.mark.parametrize("missing", range(len(LINES)))
def test_a_997_that_lacks_a_segment_is_read(missing: int) -> None:
    assert group_answer(*LINES[:missing], *LINES[missing + 1 :]).accepted in (True, False, None)


def test_every_997_of_the_corpus_is_read() -> None:
    root = os.environ.get("CLAIMWIRE_CORPUS")
    if not root:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
    said = {
        file.name: [
            read_997(one.tree()).code
            for interchange in read(file.read_bytes())
            for one in interchange.sets
            if one.guide is not None
        ]
        for file in sorted(Path(root, "997").iterdir())
    }
    assert said
    assert all(said.values())
    # One is empty on purpose; every other says what became of its group.
    assert ["xlate__empty997.edi"] == [name for name, each in said.items() if None in each]


def test_a_ta1_that_stands_alone_may_be_counted_as_a_group() -> None:
    alone = synthetic.interchange("FA", "005010X230", []).split("~")
    text = "~".join([alone[0], "TA1*000000050*200229*1200*A*000", "IEA*1*000000001"]) + "~"
    (interchange,) = read(text.encode())
    assert [("021", "warning")] == [(f.code, f.severity) for f in interchange.findings]
    assert [("000000050", "200229", "1200", "A", "000")] == interchange.acknowledgements

"""Laws of the implementation-guide tables: what must hold of every table, whatever the guide says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from x12 import guides
from x12.guides import UNBOUNDED, Component, Guide, GuideError, Loop, Segment

FILES = sorted(guides.available().items())
EDITIONS = [key for key, _ in FILES]
TABLES = sorted({file: key for key, file in reversed(FILES)}.values())
SETS = [key for key in TABLES if key[1] != "ISA"]
STANDARD = guides.standard()
DOCUMENT = Path(__file__).parents[2] / "docs" / "guides.md"


def parts(guide: Guide) -> Iterator[tuple[str, Component]]:
    """Every simple element and component of a guide with its place."""
    for segment in guide.segments:
        for element in segment.elements:
            place = f"{segment.loop.id} {segment.id}{element.position:02d}"
            if element.components:
                yield from ((f"{place}-{c.position}", c) for c in element.components if element.usage != "N")
            else:
                yield place, element


def shape(child: Segment | Loop) -> object:
    """All that a table says of a loop or segment, positions apart from their table."""
    if isinstance(child, Loop):
        return child.id, child.usage, child.repeat, child.name, [shape(c) for c in child.children]
    of = [(e.position, e.usage, e.name, e.min, e.max, e.repeat, e.codes, e.external) for e in child.elements]
    within = [
        (c.position, c.usage, c.name, c.min, c.max, c.codes, c.external) for e in child.elements for c in e.components
    ]
    return child.id, child.position % 10000, child.usage, child.repeat, child.name, of, within


def test_the_tables_of_the_guides_and_of_the_envelope_are_here() -> None:
    expected = {
        ("00501", "ISA"),
        ("005010X210", "275"),
        ("005010X212", "276"),
        ("005010X212", "277"),
        ("005010X214", "277"),
        ("005010X217", "278", "11"),
        ("005010X217", "278", "13"),
        ("005010X221A1", "835"),
        ("005010X222A1", "837"),
        ("005010X222A2", "837"),
        ("005010X223A2", "837"),
        ("005010X223A3", "837"),
        ("005010X224A2", "837"),
        ("005010X224A3", "837"),
        ("005010X231", "999"),
        ("005010X231A1", "999"),
        ("005010X279A1", "270"),
        ("005010X279", "271"),
        ("005010X279A1", "271"),
    }
    assert expected <= set(EDITIONS)


@pytest.mark.parametrize("key", EDITIONS)
def test_every_guide_loads_and_its_positions_never_go_back(key: tuple[str, ...]) -> None:
    for loop in guides.load(*key).loops():
        positions = [child.position for child in loop.children]
        assert sorted(positions) == positions, loop


@pytest.mark.parametrize("key", EDITIONS)
def test_an_edition_leads_to_the_table_that_names_it(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    assert key[0] in guide.editions
    assert key[1] == guide.set_id


@pytest.mark.parametrize("key", SETS)
def test_a_transaction_set_begins_with_its_st_and_ends_with_se(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    head, tail = guide.root.children[0], guide.root.children[-1]
    assert isinstance(head, Segment)
    assert isinstance(tail, Segment)
    expected = ("ST", "SE")
    assert expected == (head.id, tail.id)
    assert frozenset({guide.set_id}) == head.elements[0].codes
    if head.elements[2].usage != "N":
        assert frozenset(guide.editions) == head.elements[2].codes


@pytest.mark.parametrize("key", TABLES)
def test_loop_ids_are_unique_apart_from_what_a_subscriber_and_a_dependent_both_have(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    counts = Counter(loop.id for loop in guide.loops())
    twice = {loop_id for loop_id, count in counts.items() if count > 1}
    shared = {"837": "2300", "278": "2000E"}.get(key[1])
    assert ({loop.id for loop in guide.loops(guide.loop(shared))} if shared else set()) == twice


@pytest.mark.parametrize(("purpose", "repeat"), [("13", 1), ("11", UNBOUNDED)])
def test_a_patient_event_is_the_same_for_a_subscriber_and_for_a_dependent(purpose: str, repeat: int) -> None:
    guide = guides.load("005010X217", "278", purpose)
    events = [loop for loop in guide.loops() if loop.id == "2000E"]
    assert ["2000D", "2000C"] == [loop.parent.id for loop in events if loop.parent]
    assert [repeat, repeat] == [loop.repeat for loop in events]
    under_the_dependent, under_the_subscriber = ([shape(c) for c in loop.children] for loop in events)
    assert under_the_dependent == under_the_subscriber


@pytest.mark.parametrize("key", EDITIONS)
def test_tables_of_one_edition_are_told_apart_by_codes_that_both_of_them_list(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    sharing = {code for other in EDITIONS if other[:2] == key[:2] for code in other[2:]}
    assert bool(sharing) == (guide.chosen is not None)
    if guide.chosen is not None:
        second = guide.root.children[1]
        assert isinstance(second, Segment)
        assert guide.chosen.segment == second.id
        assert guide.chosen.codes == second.elements[guide.chosen.element - 1].codes
        assert guide.chosen.codes < sharing
        assert all(guides.load(key[0], key[1], code) is guide for code in guide.chosen.codes)


def test_a_code_that_no_table_names_leads_to_the_first_table_of_the_edition() -> None:
    assert guides.load("005010X217", "278") is guides.load("005010X217", "278", "13")
    assert guides.load("005010X217", "278", "08") is guides.load("005010X217", "278")
    with pytest.raises(KeyError):
        guides.load("005010X215", "278", "11")


@pytest.mark.parametrize("key", [key for key in TABLES if key[1] == "837"])
def test_a_claim_is_the_same_for_a_subscriber_and_for_a_dependent(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    claims = [loop for loop in guide.loops() if loop.id == "2300"]
    expected = ["2000B", "2000C"]
    assert expected == [loop.parent.id for loop in claims if loop.parent]
    assert shape(claims[0]) == shape(claims[1])


@pytest.mark.parametrize("key", TABLES)
def test_levels_hang_together_as_hl04_says(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    seen: dict[str, str] = {}
    for segment in guide.segments:
        if segment.id == "HL":
            (code,) = segment.elements[2].codes or frozenset()
            assert segment.loop.id == seen.setdefault(code, segment.loop.id), segment
            inner = any(isinstance(child, Loop) and child.first.id == "HL" for child in segment.loop.children)
            may = segment.elements[3].usage != "N" and "1" in (segment.elements[3].codes or ())
            assert inner == may, segment
            outer = segment.loop.parent
            assert ("R" if outer and outer.parent else "N") == segment.elements[1].usage, segment


@pytest.mark.parametrize("key", TABLES)
def test_names_are_in_title_case_and_tidy(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    names = (
        [s.name for s in guide.segments]
        + [loop.name for loop in guide.loops()]
        + [part.name for _, part in parts(guide)]
    )
    acronyms = {"CLIA", "COBRA", "EPSDT", "ESRD", "HCPCS", "UPIN"}
    for name in set(names):
        assert re.sub(r"\s+", " ", name).strip() == name
        assert name[0].isupper() or name[0] == "("
        assert acronyms >= set(re.findall(r"\b[A-Z]{4,}\b", name)), name


def test_the_standard_knows_all_it_uses_and_uses_all_it_knows() -> None:
    used = Counter(
        use.number for uses, _, _ in (*STANDARD.segments.values(), *STANDARD.composites.values()) for use in uses
    )
    known = set(STANDARD.data) | set(STANDARD.composites)
    assert known == set(used)
    placed = {s.id for key in TABLES for s in guides.load(*key).segments}
    assert set(STANDARD.segments) == placed


def test_every_data_element_has_a_type_of_x12_and_sane_lengths() -> None:
    for data in STANDARD.data.values():
        assert data.type in {"AN", "ID", "DT", "TM", "R", "N0", "N2", "B"}, data
        assert 1 <= data.min <= data.max, data
        assert data.name, data


def test_every_syntax_note_names_two_or_more_places_that_exist() -> None:
    for kind in (STANDARD.segments, STANDARD.composites):
        for name, (uses, notes, _) in kind.items():
            for note in notes:
                assert len(set(note.positions)) == len(note.positions) >= 2, name
                assert all(1 <= p <= len(uses) for p in note.positions), name


def test_every_code_list_of_a_table_is_used_and_names_no_code_twice() -> None:
    texts = {
        entry.name: entry.read_text("utf-8")
        for entry in resources.files(guides).iterdir()
        if entry.name.endswith((".guide", ".standard"))
    }
    everything = "\n".join(texts.values())
    for name, text in texts.items():
        for line in re.findall(r"^codes (.+?(?:\\\n.+?)*)$", text, re.MULTILINE):
            key, _, values = line.replace("\\\n", " ").partition("=")
            codes = values.split()
            assert len(codes) == len(set(codes)), (name, key)
            assert f"@{key.strip()}" in (everything if name.endswith(".standard") else text), (name, key)


def test_every_external_list_and_every_table_is_described_in_the_documentation() -> None:
    document = DOCUMENT.read_text("utf-8")
    lists = {part.external for key in TABLES for _, part in parts(guides.load(*key)) if part.external}
    assert set() == {name for name in lists if f"`{name}`" not in document}
    assert set() == {file for file in guides.available().values() if f"`{file}`" not in document}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("", "empty"),
        ("0100 ST R 1  Transaction Set Header\n", "first line"),
        ("guide X 270 HS  Name\n0100 QQQ R 1  Nonsense\n", "QQQ"),
        ("guide X 270 HS  Name\n0100 ST R 1  Header\n  09 R  Nonsense\n", "ST09"),
        ("guide X 270 HS  Name\n0100 ST R 1  Header\n  01 R  Code = @nothing\n", "nothing"),
        ("guide X 270 HS  Name\n0100 ST one  Header\n", "not a line"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(wrong: str, word: str) -> None:
    with pytest.raises(GuideError, match=word):
        guides.parse(wrong)


def test_positions_begin_again_where_a_table_or_an_inner_level_begins() -> None:
    guide = guides.parse(
        "guide X 270 HS  Name\n"
        "0100 ST R 1  Header\n"
        "0200 BHT R 1  Beginning\n"
        "loop 2000A R >1  Source\n"
        "  0100 HL R 1  Source Level\n"
        "  0300 NM1 R 1  Source Name\n"
        "  loop 2000B R >1  Receiver\n"
        "    0100 HL R 1  Receiver Level\n"
        "    0300 NM1 R 1  Receiver Name\n"
        "0100 SE R 1  Trailer\n"
    )
    expected = [100, 200, 10100, 10300, 20100, 20300, 10100]
    assert expected == [s.position for s in guide.segments]


def test_a_low_line_in_a_code_stands_for_a_space() -> None:
    context = guides.load("005010X231A1", "999").loop("2100").children[1]
    assert isinstance(context, Segment)
    assert frozenset({"SITUATIONAL TRIGGER"}) == context.elements[0].components[0].codes

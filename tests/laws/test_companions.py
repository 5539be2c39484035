"""Laws of companion guides: a patch narrows a guide, says so when it widens, and what only it demands has level 7."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests.synthetic import claims_837p, remittance_835, responses_271
from x12 import guides
from x12.finding import Finding
from x12.guides import Component, Guide, GuideError, Loop, Segment
from x12.guides.lint import contradictions

P = ("005010X222A1", "837")
HEAD = "companion 005010X222A1 837  Medicare Part B\n"
# After the rules that CMS publishes for professional claims to Medicare Part B, in our own words.
MEDICARE = (
    HEAD
    + """
# The subscriber is the patient: there is no dependent, and nobody else to pay to.
loop 2000C N  Everybody insured by Medicare is a subscriber
loop 2010AC N
2000B HL04 = 0  Nothing hangs below a subscriber
2000B SBR01 = P S
2000B SBR09 = MB
2010BA NM102 = 1  A beneficiary is a person
2010BA NM109 11/11  A Medicare beneficiary identifier has eleven characters
2010BB NM108 = PI
2300 CLM05-3 = 1  Medicare takes original claims only
2300 REF[F8] N  A claim that replaces none names none
2000B SBR02 R
"""
)


def judged(text: str, *companions: str) -> list[Finding]:
    return [f for i in x12.read(text.encode(), companions=companions) for s in i.sets for f in s.findings]


def seventh(text: str, line: str) -> list[Finding]:
    """What a patch of one line finds beyond the guide."""
    without, found = judged(text), judged(text, HEAD + line)
    assert without == [f for f in found if f.level != 7]
    return [f for f in found if f.level == 7]


def one_claim() -> str:
    return claims_837p(1, seed=4)


def parts_of(guide: Guide) -> list[Loop | Segment | Component]:
    found: list[Loop | Segment | Component] = [*guide.loops()]
    for segment in guide.segments:
        found += [segment, *segment.elements, *(c for e in segment.elements for c in e.components)]
    return found


def test_the_sample_of_a_public_companion_guide_narrows_and_nothing_else() -> None:
    guide = guides.load(*P)
    patched = guides.patch(guide, MEDICARE)
    assert ("Medicare Part B",) == patched.companions
    assert contradictions(guide) == contradictions(patched)
    changed = [part for part in parts_of(patched) if part.narrowed is not None]
    # The claim (2300) and its lines stand under the subscriber and under the dependent.
    assert 15 == len(changed)
    assert all("Medicare Part B" in part.narrowed.by for part in changed if part.narrowed)


def test_the_guide_itself_stays_as_it_was() -> None:
    guide = guides.load(*P)
    before = [(p.usage, p.repeat, p.narrowed) for p in parts_of(guide)]
    guides.patch(guide, MEDICARE)
    assert before == [(p.usage, p.repeat, p.narrowed) for p in parts_of(guide)]
    assert (None, None) == (guide.root.narrowed, guide.loop("2000C").narrowed)


def test_the_same_patch_is_the_same_guide_so_that_it_is_compiled_once() -> None:
    guide = guides.load(*P)
    assert guides.patch(guide, MEDICARE) is guides.patch(guide, MEDICARE)
    assert guides.patched(guide, [MEDICARE]) is guides.patch(guide, MEDICARE)


@pytest.mark.parametrize(
    ("line", "code", "place", "words"),
    [
        ("2010BA NM109 40/40  Forty characters", "4", "2010BA NM109", "shorter than 40 characters (Medicare Part B: Forty characters)"),
        ("2010BA NM109 2/3", "5", "2010BA NM109", "longer than 3 characters (Medicare Part B)"),
        ("2300 CLM05-3 = 7", "7", "2300 CLM05-3", "(Medicare Part B)"),
        ("2300 CLM05-1 = 99", "7", "2300 CLM05-1", "(Medicare Part B)"),
        ("2300 CLM07 without A", "7", "2300 CLM07", "(Medicare Part B)"),
        ("2010BA NM105 R", "1", "2010BA NM105", "is required here and missing (Medicare Part B)"),
        ("2010BA NM104 N", "I10", "2010BA NM104", "(Medicare Part B)"),
        ("2300 REF[G1] R  Always", "3", "2300 REF", "missing before this place (Medicare Part B: Always)"),
        ("loop 2310A R", "3", "2310A NM1", "missing before this place (Medicare Part B)"),
        ("2000A PRV N", "I4", "2000A PRV", "is not used for this payer (Medicare Part B)"),
        ("loop 2400 x1", "4", "2400 LX", "may occur once"),
        ("2400 SV101-3 N", "I10", "2400 SV101-3", "(Medicare Part B)"),
        # The qualifier of a segment: the segment keeps its place.
        ("2400 DTP[472]02 = RD8", "7", "2400 DTP02", "(Medicare Part B)"),
        ("2010AA REF[EI]01 = SY", "7", "2010AA REF01", "(Medicare Part B)"),
    ],
)  # fmt: skip
def test_what_only_the_payer_demands_has_level_7_and_says_who(line: str, code: str, place: str, words: str) -> None:
    text = one_claim().replace("*HC:99213*", "*HC:99213:25*", 1)
    if line.startswith("2400 SV101-3"):
        text = text.replace("SV1*HC:", "SV1*HC:", 1)
        segment = next(s for s in text.split("~") if s.strip().startswith("SV1*"))
        procedure = segment.split("*")[1]
        text = text.replace(f"SV1*{procedure}*", f"SV1*{procedure.split(':')[0]}:{procedure.split(':')[1]}:25*", 1)
    found = seventh(text, line)
    assert {(code, place)} == {(f.code, f.place) for f in found}
    assert all(words in f.message for f in found), found
    assert all("ABARA" not in f.message for f in found)


def test_a_loop_that_a_payer_does_not_take_is_found_at_its_first_segment_and_judged_inside() -> None:
    text = one_claim()
    assert [] == seventh(text, "loop 2300 x1")
    (found,) = seventh(text, "loop 2300 N  Claims come by another way")
    assert ("I4", "2300 CLM") == (found.code, found.place)
    assert "not used for this payer (Medicare Part B: Claims come by another way)" in found.message


@pytest.mark.parametrize(
    ("line", "breaks", "level"),
    [
        # Wrong by the guide too: its level.
        ("2010BA NM109 2/3", ("*MI*", "*MI*" + "X" * 90), 1),
        ("2300 CLM07 = A", ("*Y*A*Y*", "*Y*Z*Y*"), 2),
    ],
)
def test_what_the_guide_forbids_too_keeps_its_level(line: str, breaks: tuple[str, str], level: int) -> None:
    text = one_claim()
    assert breaks[0] in text
    found = [
        f
        for f in judged(text.replace(*breaks), HEAD + line)
        if f.place == line.split(" ", 2)[0] + " " + line.split(" ")[1]
    ]
    assert [level] == [f.level for f in found]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2010BA NM109 R 9/12 and more", "not a line"),
        ("2010BA NM109", "says nothing"),
        ("2010XX NM109 R", "no loop 2010XX; did you mean"),
        ("2010BA NM2 R", "loop 2010BA has no NM2, but NM1, N3"),
        ("2300 REF R", "answers to several places: name one of"),
        ("2300 REF[ZZ] R", r"REF\[ZZ\] is not there: name one of"),
        ("2010BA NM113 R", "NM1 has 12 elements"),
        ("2300 CLM05-9 R", "the element has 3 components"),
        ("2300 CLM05 = 11", "is a composite: name the component"),
        ("2010BA NM1 2/3", "belong to an element"),
        ("2010BA NM1 x0", "has usage N"),
        ("2010BA NM109 without 1", "no list of codes"),
        ("2300 CLM07 without Q", "has no code Q"),
        ("loop 837 R", "the whole transaction set"),
        # What the guide forbids.
        ("2010BA NM101 S", "the guide forbids usage S"),
        ("2010BA NM106 S", "the guide forbids usage S"),
        ("2010BA NM109 1/90", "the guide forbids lengths 1/90"),
        ("2300 CLM07 also Q", "the guide forbids code Q"),
        ("loop 2400 x51", "the guide forbids more than 50"),
        ("widen 2010BA NM109 3/4", "nothing is widened"),
        ("2010BA NM109 2/80", "that is so already"),
        ("widen 2010BA NM109 3/90", "say it on two lines"),
        # What no transaction set could keep.
        ("2300 CLM05-3 = LONG", "contradicts itself"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_and_what_may_be_meant(line: str, words: str) -> None:
    with pytest.raises(GuideError, match=words) as error:
        guides.patch(guides.load(*P), f"{HEAD}\n# because\n{line}\n", "plan.companion")
    assert str(error.value).startswith("plan.companion:4: ")


@pytest.mark.parametrize(
    "head", ["", "2300 CLM R\n", "companion 005010X222A1 837\n", "companion 005010X221A1 835  Plan\n"]
)
def test_a_patch_says_which_guide_it_is_for(head: str) -> None:
    with pytest.raises(GuideError):
        guides.patch(guides.load(*P), head)
    assert guides.load(*P) is guides.patched(guides.load(*P), [head])


def test_a_patch_of_one_of_two_tables_of_an_edition_names_its_code() -> None:
    request, response = guides.load("005010X217", "278", "13"), guides.load("005010X217", "278", "11")
    text = "companion 005010X217 278 11  Plan\n2000E HCR R\n"
    assert guides.patch(response, text) is guides.patched(response, [text])
    assert request is guides.patched(request, [text])
    with pytest.raises(GuideError, match="the guide is 005010X217 278 01"):
        guides.patch(request, text)


def test_what_a_payer_takes_although_the_guide_forbids_it_is_no_finding() -> None:
    text = one_claim()
    unknown = text.replace("*Y*A*Y*", "*Y*Q*Y*")
    assert ["2300 CLM07"] == [f.place for f in judged(unknown) if f.code == "7"]
    assert [] == [f for f in judged(unknown, HEAD + "widen 2300 CLM07 also Q\n") if f.code == "7"]
    both = HEAD + "widen 2300 CLM07 also Q\n2300 CLM07 without A\n"
    assert [] == [f for f in judged(unknown, both) if f.place == "2300 CLM07"]
    assert [7] == [f.level for f in judged(text, both) if f.place == "2300 CLM07"]


def test_patches_that_are_for_other_guides_change_nothing() -> None:
    for text in (remittance_835(2), responses_271(2)):
        assert judged(text) == judged(text, MEDICARE)


def test_several_companion_guides_apply_one_after_the_other() -> None:
    first, second = HEAD + "2010BA NM109 3/20\n", "companion 005010X222A1 837  Our plan\n2010BA NM109 3/4\n"
    patched = guides.patched(guides.load(*P), [first, second])
    assert ("Medicare Part B", "Our plan") == patched.companions
    (found,) = {f.message for f in judged(one_claim(), first, second) if f.level == 7}
    assert "longer than 4 characters (Our plan)" in found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_narrowing_never_takes_a_finding_away_and_adds_level_7_only(data: st.DataObject) -> None:
    """Whatever an element is narrowed to, what the guide finds is found, at the same level, and all else is the payer's."""
    guide = guides.load(*P)
    lines: list[str] = []
    for _ in range(data.draw(st.integers(1, 4))):
        segment = data.draw(
            st.sampled_from([s for s in guide.segments if s.id in ("NM1", "CLM", "SV1", "REF", "DTP", "SBR")])
        )
        element = data.draw(st.sampled_from([e for e in segment.elements if e.usage != "N" and not e.components]))
        place = f"{segment.loop.id} {segment.id}" + (
            f"[{min(segment.qualifier.codes or {''})}]" if segment.qualifier else ""
        )
        if element.usage == "S":
            lines.append(f"{place}{element.position:02d} {data.draw(st.sampled_from('RN'))}")
        elif element.codes:
            lines.append(
                f"{place}{element.position:02d} = {data.draw(st.sampled_from(sorted(element.codes))).replace(' ', '_')}"
            )
        else:
            lines.append(f"{place}{element.position:02d} {element.max}/{element.max}")
    text = data.draw(st.sampled_from([claims_837p(2, seed=3), claims_837p(2, seed=5, wrong=True)]))
    try:
        found = judged(text, HEAD + "\n".join(lines))
    except GuideError:
        return
    before = judged(text)
    assert before == [f for f in found if f.level != 7]


def test_positions_of_a_patched_guide_are_those_of_the_guide() -> None:
    guide, patched = guides.load(*P), guides.patch(guides.load(*P), MEDICARE)
    assert [(s.index, s.order, s.position, s.loop.id) for s in guide.segments] == [
        (s.index, s.order, s.position, s.loop.id) for s in patched.segments
    ]
    assert all(a.index < b.index for a, b in pairwise(patched.segments))
    assert all(s.loop.children[s.order] is s for s in patched.segments)

"""Laws of the walk: a pattern never lets a wrong segment pass, pieces of any size give the same findings, each fault has its code."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from x12 import guides
from x12.acknowledge import answer_ta1
from x12.elements import judge_segment
from x12.envelope import read
from x12.finding import Finding
from x12.patterns import segment_pattern
from x12.syntax import CANONICAL, STANDARD
from x12.table import Table
from x12.walk import FINDINGS_MAX, Walk, compiled, tree

FILES = {
    ("005010X222A1", "837"): synthetic.claims_837p(4),
    ("005010X221A1", "835"): synthetic.remittance_835(4),
    ("005010X214", "277"): synthetic.acknowledgement_277ca(4),
    ("005010X279A1", "271"): synthetic.responses_271(1),
}
ALPHABET = "ABZ019.-+ *:^a\x01é"


def set_segments(text: str) -> list[str]:
    segments = text.rstrip("~").split("~")
    return segments[2 : segments.index(next(s for s in segments if s.startswith("SE*"))) + 1]


def walk(key: tuple[str, str], segments: list[str], size: int = 10_000) -> Walk:
    made = Walk(compiled(guides.load(*key), STANDARD))
    for start in range(0, len(segments), size):
        made.feed(segments[start : start + size])
    made.end()
    return made


def mutated(random: Random, raw: str) -> str:
    """A segment with one to three characters, elements or separators changed."""
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(raw))
        kind = random.randrange(5)
        if kind == 0:
            raw = raw[:at] + random.choice(ALPHABET) + raw[at + 1 :]
        elif kind == 1:
            raw = raw[:at] + raw[at + 1 :]
        elif kind == 2:
            raw = raw[:at] + random.choice(ALPHABET) * random.randint(1, 4) + raw[at:]
        else:
            parts = raw.split("*")
            where = random.randrange(len(parts))
            parts[where : where + 1] = [] if kind == 3 else [parts[where], random.choice(parts)]
            raw = "*".join(parts)
        raw = raw or "X"
    return raw


@pytest.mark.parametrize("key", FILES)
def test_synthetic_files_are_clean(key: tuple[str, str]) -> None:
    interchange = read(FILES[key].encode())[0]
    assert [*interchange.findings, *interchange.groups[0].findings, *interchange.sets[0].findings] == []


@pytest.mark.parametrize("key", FILES)
def test_a_pattern_never_lets_pass_what_the_slow_road_finds_wrong(key: tuple[str, str]) -> None:
    random = Random(11)
    made = walk(key, set_segments(FILES[key]))
    proved = 0
    for node, raw in zip(made.nodes, set_segments(FILES[key]), strict=True):
        assert node is not None
        for _ in range(150):
            changed = mutated(random, raw)
            if node.plain(changed) is not None:
                proved += 1
                assert judge_segment(node.segment, changed, STANDARD, 1) == [], changed
        assert judge_segment(node.segment, raw, STANDARD, 1) == []
        assert node.plain(raw) is not None
    assert proved > 0


@pytest.mark.parametrize("key", FILES)
def test_where_faults_are_frequent_a_segment_is_judged_as_elsewhere(key: tuple[str, str]) -> None:
    random = Random(12)
    nodes = walk(key, set_segments(FILES[key])).nodes
    for node, raw in zip(nodes, set_segments(FILES[key]), strict=True):
        assert node is not None
        for _ in range(60):
            changed = mutated(random, raw)
            plainly = judge_segment(node.segment, changed, STANDARD, 1)
            assert plainly == judge_segment(node.segment, changed, STANDARD, 1, often=True), changed


def test_a_faulty_text_that_comes_again_is_found_at_its_own_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("x12.walk._FAULTS_OFTEN", 2)
    segments = set_segments(synthetic.acknowledgement_277ca(12, wrong=True))
    table = Table(guides.load("005010X214", "277"), STANDARD)
    made = Walk(table)
    made.feed(segments)
    expected = [at for at, raw in enumerate(segments, 1) if raw.startswith("STC*A2")]
    assert expected == [f.position for f in made.findings if f.element == 3]
    assert 12 == len(expected)


def test_a_segment_whose_id_begins_like_another_is_never_taken_for_it() -> None:
    key = ("005010X222A1", "837")
    segments = [raw.replace("SV1*", "SV1X*") for raw in set_segments(FILES[key])]
    wrong = [at for at, raw in enumerate(segments, 1) if raw.startswith("SV1X*")]
    table = Table(guides.load(*key), STANDARD)
    for _ in range(3):
        made = Walk(table)
        made.feed(segments)
        made.end()
        assert wrong == [f.position for f in made.findings if f.code == "1"]


@pytest.mark.parametrize("digit", ["\u0663", "\uff13"])
def test_only_the_digits_of_ascii_are_digits(digit: str) -> None:
    for key in FILES:
        for node, raw in zip(walk(key, set_segments(FILES[key])).nodes, set_segments(FILES[key]), strict=True):
            assert node is not None
            for at in (i for i, c in enumerate(raw) if c.isdigit() and i > 3):
                changed = raw[:at] + digit + raw[at + 1 :]
                assert segment_pattern(node.segment, STANDARD)(changed) is None, changed


@pytest.mark.parametrize("key", FILES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), size=st.integers(1, 9))
def test_pieces_of_any_size_give_the_same_findings_and_nothing_raises(
    key: tuple[str, str], seed: int, size: int
) -> None:
    random = Random(seed)
    segments = set_segments(FILES[key])
    for _ in range(random.randint(1, 5)):
        at = random.randrange(1, len(segments))
        kind = random.randrange(4)
        if kind == 0:
            segments[at] = mutated(random, segments[at])
        elif kind == 1:
            del segments[at]
        elif kind == 2:
            segments.insert(at, random.choice(segments))
        else:
            other = random.randrange(1, len(segments))
            segments[at], segments[other] = segments[other], segments[at]
    whole, pieces = walk(key, segments), walk(key, segments, size)
    assert whole.findings == pieces.findings
    assert [n and n.segment for n in whole.nodes] == [n and n.segment for n in pieces.nodes]


def claim_with(change: Mapping[str, str | list[str]]) -> list[Finding]:
    """Findings of the first synthetic claim file after replacing segments that begin with a key."""
    segments: list[str] = []
    done: set[str] = set()
    for raw in set_segments(synthetic.claims_837p(1)):
        prefix = next((p for p in change if raw.startswith(p) and p not in done), None)
        if prefix is None:
            segments.append(raw)
            continue
        done.add(prefix)
        new = change[prefix]
        segments += [new] if isinstance(new, str) else new
    assert set(change) == done
    segments[-1] = f"SE*{len(segments)}*0001"
    return walk(("005010X222A1", "837"), segments).findings


ONE_FAULT: list[tuple[str, dict[str, str | list[str]], tuple[str, str]]] = [
    ("required element missing", {"NM1*85": "NM1*85*2******XX*1234567893"}, ("1", "2010AA NM103")),
    ("code not allowed", {"CLM*": "CLM*A*100***11:B:1*Q*A*Y*Y"}, ("7", "2300 CLM06")),
    ("component code not allowed", {"CLM*": "CLM*A*100***11:X:1*Y*A*Y*Y"}, ("7", "2300 CLM05-2")),
    ("too long", {"NM1*40": "NM1*40*2*" + "A" * 61 + "*****46*RCV"}, ("5", "1000B NM103")),
    ("too short", {"N4*PORTLAND": "N4*P*OR*972010000"}, ("4", "2010AA N401")),
    ("too many elements", {"N3*12": "N3*12 ALDER WAY*B*C"}, ("3", "2010AA N303")),
    ("too many components", {"SV1*": "SV1*HC:99213:11:22:33:44:D::Y*100*UN*1***1"}, ("13", "2400 SV101-9")),
    ("not a date", {"DTP*472": "DTP*472*D8*20251302"}, ("8", "2400 DTP03")),
    ("not a date range", {"DTP*472": "DTP*472*RD8*20251201-2025120"}, ("8", "2400 DTP03")),
    ("not a time", {"BHT*": "BHT*0019*00*X*20260105*2530*CH"}, ("9", "837 BHT05")),
    ("not a number", {"SV1*": "SV1*HC:99213*1O0*UN*1***1"}, ("6", "2400 SV102")),
    ("spaces alone", {"NM1*IL": "NM1*IL*1* *A****MI*1234"}, ("6", "2010BA NM103")),
    ("character outside the sets", {"N3*12": "N3*12 ÄLDER"}, ("6", "2010AA N301")),
    ("element not used", {"N4*PORTLAND": "N4*PORTLAND*OR*972010000**XX"}, ("I10", "2010AA N405")),
    ("paired element missing", {"PER*": "PER*IC*DESK*TE*5035550100*EM"}, ("2", "1000A PER06")),
    ("simple element with components", {"N3*12": "N3*12:ALDER"}, ("13", "2010AA N301")),
    ("segment without data", {"N3*12": "N3**"}, ("1", "2010AA N301")),
    ("required segment missing", {"N3*12": []}, ("3", "2010AA N3")),
    ("required loop missing", {"NM1*40": []}, ("3", "1000B NM1")),
    ("segment too often", {"N3*12": ["N3*A", "N3*B"]}, ("5", "2010AA N3")),
    ("loop too often", {"NM1*40": ["NM1*40*2*A*****46*BB", "NM1*40*2*A*****46*BB"]}, ("4", "1000B NM1")),
    ("segment too late", {"N3*12": [], "N4*PORTLAND": ["N4*PORTLAND*OR*972010000", "N3*A"]}, ("7", "2010AA N3")),
    ("segment with a qualifier of no place", {"REF*D9": "REF*ZZ*A"}, ("2", "2300 REF")),
    ("segment of another transaction", {"REF*D9": "CLP*A"}, ("6", "2300 CLP")),
    ("segment of no transaction", {"REF*D9": "QQQ*A"}, ("1", "2300 QQQ")),
    ("level number", {"HL*2": "HL*7*1*22*1"}, ("7", "2000B HL01")),
    ("level parent", {"HL*2": "HL*2*9*22*1"}, ("7", "2000B HL02")),
    ("line number", {"LX*2": "LX*5"}, ("7", "2400 LX01")),
    ("wrong segment count", {"SE*": "SE*1*0001"}, ("4", "")),
]


@pytest.mark.parametrize(
    ("change", "expected"), [(c, e) for _, c, e in ONE_FAULT[:-1]], ids=[n for n, _, _ in ONE_FAULT[:-1]]
)
def test_each_fault_is_found_once_at_its_place_with_its_code(
    change: dict[str, str | list[str]], expected: tuple[str, str]
) -> None:
    found = [(f.code, f.place) for f in claim_with(change)]
    assert expected in found
    if expected[0] not in ("3", "2", "6", "1", "7"):
        assert [expected] == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"NM1*85": "NM1*85*22*A NAME"}, "is longer than 1 character."),
        ({"BHT": "BHT*0019*000*1*20251201*1200*CH"}, "is longer than 2 characters."),
        ({"SV1": "SV1*HC:99213*12345678901.50*UN*1***1"}, "is longer than 10 digits."),
    ],
)
def test_a_length_is_told_in_what_it_counts(change: Mapping[str, str | list[str]], told: str) -> None:
    found = [f.message for f in claim_with(change) if f.code == "5"]
    assert [told] == [message[message.index("is longer") :] for message in found]


def test_components_that_another_character_parts_are_told_so() -> None:
    found = claim_with({"CLM*": "CLM*A*100***11>B>1*Y*A*Y*Y", "SV1*": "SV1*HC*100*UN*1***1"})
    told = {f.place: f.message for f in found if f.code == "1"}
    assert "another character than ISA16 names" in told["2300 CLM05-2"]
    assert "ISA16" not in told["2400 SV101-2"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (synthetic.claims_837p(1).replace("HC:80053*", "HC:80053::*"), ("2400 SV101", "13", None)),
        (synthetic.claims_837p(1).replace("HC:80053*", "HC:80053" + ":" * 12 + "*"), ("2400 SV101", "13", None)),
        (synthetic.responses_271(1).replace("^MH^UC", "^MH^UC^", 1), ("2110C EB03", "12", 11)),
    ],
)
def test_separators_of_nothing_at_the_end_of_an_element_are_let_pass_and_told(
    text: str, told: tuple[str, str, int | None]
) -> None:
    (received,) = read(text.encode())[0].sets
    assert received.accepted
    found = [(f.place, f.code, f.repeat) for f in received.findings if f.level == 1]
    assert {told} == set(found)
    assert {"warning"} == {f.severity for f in received.findings if f.level == 1}


def test_wrong_counts_and_numbers_of_the_trailers_have_their_codes() -> None:
    text = synthetic.claims_837p(1)
    segments = len(set_segments(text))
    wrong = (
        text.replace(f"SE*{segments}*0001", "SE*9*0002")
        .replace("GE*1*1", "GE*4*7")
        .replace("IEA*1*000000001", "IEA*3*000000009")
    )
    interchange = read(wrong.encode())[0]
    assert [f.code for f in interchange.findings] == ["021", "001"]
    assert [f.code for f in interchange.groups[0].findings] == ["5", "4"]
    assert [f.code for f in interchange.sets[0].findings] == ["4", "3"]


@pytest.mark.parametrize("trailer", ["SE*", "GE*", "IEA*"])
def test_a_missing_trailer_is_found_and_ends_nothing(trailer: str) -> None:
    text = synthetic.claims_837p(1)
    cut = "~".join(s for s in text.split("~") if not s.startswith(trailer))
    read_back = read((cut + text).encode())
    assert len(read_back) == 2
    first = read_back[0]
    found = [*first.findings, *first.groups[0].findings, *first.sets[0].findings]
    assert {"SE*": ["2"], "GE*": ["3"], "IEA*": ["023"]}[trailer] == [f.code for f in found]
    assert read_back[1].accepted
    assert read_back[1].sets[0].accepted


def test_repeated_control_numbers_are_found() -> None:
    one = set_segments(synthetic.claims_837p(1))
    text = "ISA*00*          *00*          *ZZ*A              *ZZ*B              *260105*0930*^*00501*000000001*0*T*:"
    group = ["GS*HC*A*B*20260105*0930*1*X*005010X222A1", *one, *one, "GE*2*1"]
    interchange = read(("~".join([text, *group, *group, "IEA*2*000000001"]) + "~").encode())[0]
    assert [[f.code for f in g.findings] for g in interchange.groups] == [[], ["19"]]
    assert [[f.code for f in s.findings] for s in interchange.groups[0].sets] == [[], ["23"]]


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        ("GS*HC*SYNTHSEND*", "GS*HC**", 2),
        ("*SYNTHRECV*20260105", "*R*20260105", 3),
        ("*SYNTHRECV*20260105", "*" + "R" * 16 + "*20260105", 3),
        ("*20260105*0930*1*X*", "*20261305*0930*1*X*", 4),
        ("*20260105*0930*1*X*", "*260105*0930*1*X*", 4),
        ("*20260105*0930*1*X*", "*20260105*2530*1*X*", 5),
        ("*20260105*0930*1*X*", "*20260105*0930*1*T*", 7),
    ],
)
def test_a_wrong_gs_is_refused_with_its_interchange(old: str, new: str, element: int) -> None:
    (interchange,) = read(synthetic.claims_837p(1).replace(old, new, 1).encode())
    assert [("024", "GS", element)] == [(f.code, f.segment, f.element) for f in interchange.findings]
    assert "*R*024" in answer_ta1(interchange).replace(CANONICAL.element, "*")


@pytest.mark.parametrize("time", ["0930", "093015", "0930151", "09301500"])
def test_the_time_of_a_gs_may_have_seconds_and_parts_of_them(time: str) -> None:
    (interchange,) = read(synthetic.claims_837p(1).replace("*20260105*0930*1*X*", f"*20260105*{time}*1*X*", 1).encode())
    assert interchange.accepted


@pytest.mark.parametrize("version", ["004010X098A1", "005010X279", ""])
def test_a_gs08_of_another_guide_than_its_sets_is_refused(version: str) -> None:
    text = synthetic.claims_837p(1).replace("*X*005010X222A1~", f"*X*{version}~")
    ((group,),) = [i.groups for i in read(text.encode())]
    assert ["2"] == [f.code for f in group.findings]


@pytest.mark.parametrize(
    ("told", "elements", "severity"),
    [
        ("TA1*000000005*260101*1200*A*000", [], None),
        ("TA1*5*260101*1200*A*000", [1], "error"),
        ("TA1*000000005*261301*1200*A*000", [2], "error"),
        ("TA1*000000005*260101*1200*X*000", [4], "error"),
        ("TA1*000000005*260101*1200*R*999", [5], "error"),
    ],
)
def test_a_ta1_is_judged(told: str, elements: list[int], severity: str | None) -> None:
    (interchange,) = read(synthetic.claims_837p(1).replace("~GS*", f"~{told}~GS*", 1).encode())
    assert [("TA1", e, severity) for e in elements] == [
        (f.segment, f.element, f.severity) for f in interchange.findings
    ]


@pytest.mark.parametrize("header", ["GS*HC", "TA1*1"])
def test_a_file_of_wrong_headers_alone_is_told_its_first_errors(header: str) -> None:
    (interchange,) = read((synthetic.claims_837p(1)[:106] + f"{header}~" * 6_000).encode())
    assert FINDINGS_MAX <= len(interchange.findings) < FINDINGS_MAX + 10


def test_a_ta1_behind_a_group_is_warned_of() -> None:
    text = synthetic.claims_837p(1).replace("~IEA*", "~TA1*000000005*260101*1200*A*000~IEA*")
    (interchange,) = read(text.encode())
    assert [("TA1", None, "warning")] == [(f.segment, f.element, f.severity) for f in interchange.findings]


def test_a_guide_that_is_not_known_is_refused_as_a_group_and_as_a_set() -> None:
    text = synthetic.claims_837p(1).replace("005010X222A1", "005010X999")
    group = read(text.encode())[0].groups[0]
    assert [f.code for f in group.findings] == ["2"]
    assert [f.code for f in group.sets[0].findings] == ["1"]


@pytest.mark.parametrize("claims", [2, 120])
def test_an_id_that_only_begins_like_one_of_the_guide_is_none(claims: int) -> None:
    # Delimiters that no other test has: here the guide meets its first segments, and with many claims its patterns.
    text = synthetic.claims_837p(claims).replace("^", "!")
    last = text.rindex("~DTP*")
    (interchange,) = read((text[:last] + "~DTPX*" + text[last + 5 :]).encode())
    assert [(None, "1"), ("DTP", "3")] == [(f.segment, f.code) for f in interchange.sets[0].findings if f.level <= 2]


def test_no_finding_tells_a_value() -> None:
    canary = "ZZCANARYZZ"
    changed = {
        "NM1*IL": f"NM1*{canary}*{canary}",
        "CLM*": f"CLM*{canary * 9}*{canary}",
        "N3*1 ": f"{canary}*X",
        "DMG*": f"DMG*D8*{canary}*{canary}",
    }
    for finding in claim_with(changed):
        assert canary not in repr(finding)


def remittance_with(change: Mapping[str, str | list[str]]) -> Walk:
    """The walk of the synthetic remittance after replacing each segment that begins with a key."""
    segments: list[str] = []
    for raw in set_segments(synthetic.remittance_835(2)):
        new = next((v for p, v in change.items() if raw.startswith(p)), raw)
        segments += [new] if isinstance(new, str) else new
    segments[-1] = f"SE*{len(segments)}*0001"
    return walk(("005010X221A1", "835"), segments)


def test_a_loop_whose_first_segment_is_missing_is_found_once_and_what_lies_inside_keeps_its_place() -> None:
    whole, cut = remittance_with({}), remittance_with({"LX*": []})
    assert [("3", "2000 LX")] == [(f.code, f.place) for f in cut.findings]
    expected = [n and n.segment for n in whole.nodes if n is None or n.segment.id != "LX"]
    assert expected == [n and n.segment for n in cut.nodes]


def test_the_tree_of_a_set_without_an_opener_has_the_loop_all_the_same() -> None:
    segments = [s for s in set_segments(synthetic.remittance_835(2)) if not s.startswith("LX*")]
    made = walk(("005010X221A1", "835"), segments)
    root = tree(guides.load("005010X221A1", "835"), made.nodes, segments, STANDARD)
    assert ["2000"] == [c.loop.id for c in root.children if c.loop.id == "2000"]
    assert ["2100", "2100"] == [c.loop.id for c in root.inside("2000")[0].inside("2100")]


def test_a_loop_that_its_segment_id_alone_names_is_entered_with_an_unknown_qualifier() -> None:
    made = remittance_with({"SVC*": "SVC*ZZ:99213*100*80**1"})
    assert {("7", "2110 SVC01-1")} == {(f.code, f.place) for f in made.findings if f.level == 2 and f.code == "7"}
    assert all(node is not None for node in made.nodes)

"""Laws of acknowledging: whatever is received, the answer is valid, says what was found, and is read back as it was meant."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import synthetic
from tests.laws.cases import cases
from tests.laws.filled import Filler
from tests.laws.review_values import returned, unworded
from x12 import codes, guides
from x12.acknowledge import FINDINGS_MAX, acknowledgement, addressed, answer_999, answer_ta1
from x12.documents.acknowledgements import GroupAcknowledgement, read_999, read_ta1
from x12.elements import judge_segment
from x12.envelope import Group, Interchange, TransactionSet, read, stream
from x12.finding import Finding
from x12.guides import Guide, Segment
from x12.syntax import CANONICAL, STANDARD, InterchangeHeader, interchange_header
from x12.units import Units

HEADER = InterchangeHeader("ZZ", "CLAIMWIRE", "ZZ", "SUBMITTER", "260105", "0931", 77, "T")
FILES = {
    "837": synthetic.claims_837p(3),
    "837 wrong": synthetic.claims_837p(3, wrong=True),
    "835": synthetic.remittance_835(2),
    "277CA": synthetic.acknowledgement_277ca(3),
    "271": synthetic.responses_271(2),
}
ALPHABET = "A0 *:~^|<>`!.-é\x00"


def control() -> Guide:
    return guides.load("00501", "ISA")


def element_codes(guide: Guide, segment: str, element: int) -> frozenset[str]:
    found = next(s for s in guide.segments if s.id == segment)
    return found.elements[element - 1].codes or frozenset()


@cache
def ta1_segment() -> Segment:
    return next(s for s in control().segments if s.id == "TA1")


def everything_wrong(interchange: Interchange) -> list[Finding]:
    """All findings of an interchange, its groups and its sets."""
    groups = interchange.groups
    return [
        *interchange.findings,
        *(f for g in groups for f in g.findings),
        *(f for s in interchange.sets for f in s.findings),
    ]


def errors_of(received: TransactionSet) -> list[Finding]:
    """What a 999 tells of a set, as many as it tells."""
    wrong = [
        f
        for f in received.findings
        if (f.severity == "error" or f.level <= 2) and f.scope in ("segment", "element") and f.position
    ]
    return sorted(wrong, key=lambda f: f.severity != "error")[:FINDINGS_MAX]


def answered(interchange: Interchange) -> Interchange | None:
    """The answer to an interchange as it is read back: valid throughout, or None where nothing is answered."""
    text = acknowledgement(interchange, addressed(interchange, "260105", "0931", 77), 500)
    if not text:
        return None
    back = read(text.encode("ascii"))
    assert 1 == len(back)
    assert [] == everything_wrong(back[0])
    for elements in back[0].acknowledgements:
        raw = STANDARD.element.join(("TA1", *elements))
        assert [] == judge_segment(ta1_segment(), raw, STANDARD, 1)
    return back[0]


def check_group(said: GroupAcknowledgement, group: Group) -> None:
    """A 999 says of each set what was found in it."""
    refused = said.code == "R" and any(f.severity == "error" for f in group.findings)
    sets = said.sets or []
    assert len(group.sets) == len(sets) == said.received
    assert sum(s.accepted is True for s in sets) == said.accepted_sets
    for acknowledged, received in zip(sets, group.sets, strict=True):
        assert (received.accepted and not refused) == acknowledged.accepted
        wrong = errors_of(received)
        told = acknowledged.errors or []
        if acknowledged.accepted:
            assert ("E" if wrong or any(f.scope == "set" for f in received.findings) else "A") == acknowledged.code
        places = [(f.position, f.code) for f in wrong if f.scope == "segment"]
        noted = {f.position for f in wrong if f.scope == "segment" and f.code == "8"}
        places += [(position, "8") for position in {f.position for f in wrong if f.scope == "element"} - noted]
        assert sorted(places) == sorted((e.position, e.code) for e in told)
        assert Counter(
            (f.position, f.element, f.component, f.repeat, f.code) for f in wrong if f.scope == "element"
        ) == Counter((e.position, i.element, i.component, i.repeat, i.code) for e in told for i in e.elements or ())
    if group.accepted and all(s.accepted for s in group.sets):
        assert ("E" if any(s.code == "E" for s in sets) else "A") == said.code
    if sets and not any(s.accepted for s in sets):
        assert "R" == said.code


def check(data: bytes) -> None:
    """The answer to every interchange of a file says what was found."""
    for interchange in read(data):
        back = answered(interchange)
        if back is None:
            continue
        notes = [read_ta1(a) for a in back.acknowledgements]
        groups = [g for g in interchange.groups if g.functional_id != "FA"]
        if not interchange.accepted:
            assert [False] == [n.accepted for n in notes]
            assert [] == back.groups
            continue
        assert all(n.accepted for n in notes)
        assert len(groups) == len(back.groups)
        for group, answer in zip(groups, back.groups, strict=True):
            number = group.control_number.strip()
            fits = number.isascii() and number.isdigit() and len(number) <= 9
            assert (number if fits else "0") == answer_of(answer).control_number
            check_group(answer_of(answer), group)


def answer_of(group: Group) -> GroupAcknowledgement:
    assert 1 == len(group.sets)
    return read_999(group.sets[0].tree())


# --- the laws of writing --------------------------------------------------------------------------------------------


def test_a_clean_file_is_accepted_set_by_set() -> None:
    interchange = read(FILES["837"].encode())[0]
    back = answered(interchange)
    assert back is not None
    said = answer_of(back.groups[0])
    assert ("A", "HC", "1", "005010X222A1") == (said.code, said.functional_id, said.control_number, said.version)
    assert [("837", "0001", "A", None)] == [(s.set_id, s.control_number, s.code, s.errors) for s in said.sets or ()]
    assert True is said.verdict("0001")


def test_a_wrong_claim_is_named_as_the_business_unit() -> None:
    interchange = read(FILES["837 wrong"].encode())[0]
    claims = {s.split("*")[1] for s in interchange.sets[0].segments if s.startswith("CLM*")}
    back = answered(interchange)
    assert back is not None
    said = answer_of(back.groups[0])
    assert "R" == said.code
    errors = (said.sets or [])[0].errors or []
    units = {unit for error in errors for unit in error.units}
    assert units
    assert units <= {("CLM01", number) for number in claims}
    assert all(error.description for error in errors)


def test_the_999_of_a_partly_good_group_is_partial() -> None:
    good, bad = FILES["837"], FILES["837 wrong"]
    sets = [text.split("~")[2:-3] for text in (good, bad)]
    sets[1] = [s.replace("*0001", "*0002", 1) if s.startswith(("ST*", "SE*")) else s for s in sets[1]]
    head = good.split("~")[:2]
    text = "~".join([*head, *sets[0], *sets[1], "GE*2*1", "IEA*1*000000001"]) + "~"
    back = answered(read(text.encode())[0])
    assert back is not None
    said = answer_of(back.groups[0])
    assert ("P", 2, 1) == (said.code, said.received, said.accepted_sets)
    assert (True, False) == (said.verdict("0001"), said.verdict("0002"))


@pytest.mark.parametrize("name", FILES)
def test_a_written_acknowledgement_says_what_was_found(name: str) -> None:
    check(FILES[name].encode())


@pytest.mark.parametrize("name", FILES)
def test_an_acknowledgement_is_the_same_where_segments_are_not_kept(name: str) -> None:
    data = FILES[name].encode()
    answers = [
        acknowledgement(part, HEADER, 1)
        for keep in (True, False)
        for part in stream(data, keep=keep)
        if isinstance(part, Interchange)
    ]
    assert answers[0] == answers[1]
    assert ("wrong" in name) == ("CTX*CLM01:" in answers[0])


def test_an_acknowledgement_is_not_acknowledged() -> None:
    first = acknowledgement(read(FILES["837"].encode())[0], HEADER, 1)
    assert "" == acknowledgement(read(first.encode())[0], HEADER, 2)
    refusal = FILES["837"].replace("*00501*", "*00401*")
    note = acknowledgement(read(refusal.encode())[0], HEADER, 1)
    received = read(note.encode())[0]
    assert [("R", "017")] == [(n.code, n.note) for n in map(read_ta1, received.acknowledgements)]
    assert "" == acknowledgement(received, HEADER, 2)


def test_what_is_no_interchange_is_not_answered() -> None:
    assert [""] == [acknowledgement(i, HEADER, 1) for i in read(b"there is no envelope here")]


def test_a_ta1_is_sent_when_it_is_asked_for() -> None:
    asked = FILES["837"].replace("*0*T*:~", "*1*T*:~", 1)
    back = answered(read(asked.encode())[0])
    assert back is not None
    note = read_ta1(back.acknowledgements[0])
    assert ("000000001", "260105", "0930", "A", "000", "No error") == (
        note.control_number,
        note.date,
        note.time,
        note.code,
        note.note,
        note.description,
    )
    assert 1 == len(back.groups)


def test_values_that_contain_every_delimiter_do_not_stop_the_answer() -> None:
    hostile = "AB:C>D<E^F!G`H|I"
    text = FILES["837 wrong"].replace("~", "\n").replace("*", "\t").replace(":", ";").replace("\tT\t;", "\tT\t;")
    lines = [
        line if not line.startswith("CLM") else line.replace("CLM\t", f"CLM\t{hostile}") for line in text.split("\n")
    ]
    check("\n".join(lines).encode())


def test_ack_numbers_that_do_not_fit_are_filled_and_cut() -> None:
    for sent, told in (("1", "0001"), ("1234567890123", "123456789"), ("", "0000"), ("A|B12", "0000")):
        text = FILES["837"].replace("ST*837*0001*", f"ST*837*{sent}*").replace("*0001~GE", f"*{sent}~GE")
        group = read(text.encode())[0].groups[0]
        answer = [line.split(CANONICAL.element) for line in answer_999(group)]
        assert told == next(line for line in answer if line[0] == "AK2")[2]
        check(text.encode())


def test_the_ta1_of_a_ruined_isa_is_still_a_ta1() -> None:
    ruined = FILES["837"].replace("*260105*0930*^*00501*000000001*", "*2601AB*99:0*^*00501*00000000X*", 1)
    interchange = read(ruined.encode())[0]
    assert not interchange.accepted
    raw = answer_ta1(interchange).replace(CANONICAL.element, "*")
    assert [] == judge_segment(ta1_segment(), raw, STANDARD, 1)
    check(ruined.encode())


def test_every_code_that_may_be_written_has_words() -> None:
    guide = guides.load("005010X231A1", "999")
    lists = (
        ("IK3", 4, "segment_error"),
        ("IK4", 3, "element_error"),
        ("IK5", 2, "set_error"),
        ("AK9", 5, "group_error"),
    )
    for segment, element, table in lists:
        assert element_codes(guide, segment, element) == set(codes.table(table)), table
    assert element_codes(guide, "AK9", 1) == set(codes.table("acknowledgment"))
    assert element_codes(control(), "TA1", 5) == set(codes.table("interchange_note"))


# --- what made a rule apply, and whose it is -------------------------------------------------------------------------


def told(segments: Sequence[str], *findings: Finding, set_id: str = "837", units: Units | None = None) -> list[str]:
    """IK3 to IK5 that a 999 has for a set with these findings, with standard delimiters."""
    interchange = read(FILES["837"].encode())[0]
    group = interchange.groups[0]
    (received,) = group.sets
    received.set_id, received.findings, received.segments, received.units = (
        set_id,
        list(findings),
        list(segments),
        units,
    )
    lines = [
        line.translate({ord(a): b for a, b in zip(CANONICAL, STANDARD, strict=True)}) for line in answer_999(group)
    ]
    return lines[3:-2]


CLAIM = ["ST*837*0001", "HL*1**22*0", "CLM*PCN-1*10", "REF*F8*1", "CLM*PCN-2*10", "DTP*472", "HL*2**22*0", "SE*8*0001"]


def test_what_made_a_segment_required_is_told_after_its_ik3_and_what_made_an_element_after_its_ik4() -> None:
    segment = Finding(
        4, "segment", "I6", "", loop="2300", segment="REF", position=6, trigger="2300 CLM05-3", trigger_position=5
    )
    element = Finding(
        4, "element", "I9", "", segment="DTP", position=6, element=3, data="1251", trigger="CLM11", trigger_position=5
    )
    assert [
        "IK3*REF*6**I6", "CTX*SITUATIONAL TRIGGER*CLM*5**5:3", "CTX*CLM01:PCN-2",
        "IK3*DTP*6**8", "CTX*CLM01:PCN-2", "IK4*3*1251*I9", "CTX*SITUATIONAL TRIGGER*CLM*5**11",
        "IK5*R*I5",
    ] == told(CLAIM, element, segment)  # fmt: skip


@pytest.mark.parametrize(
    ("trigger", "position", "context"),
    [
        ("2000B SBR02", 2, ["CTX*SITUATIONAL TRIGGER*SBR*2**2"]),
        ("2300 HI", 4, ["CTX*SITUATIONAL TRIGGER*HI*4"]),
        ("N301", 4, ["CTX*SITUATIONAL TRIGGER*N3*4**1"]),
        ("2400 SV101-2", 4, ["CTX*SITUATIONAL TRIGGER*SV1*4**1:2"]),
        ("2120C NM101", 4, ["CTX*SITUATIONAL TRIGGER*NM1*4*2120*1"]),
        ("2300 CLM11", None, []),
        ("somewhere", 4, []),
        (None, 4, []),
    ],
)
def test_a_trigger_is_told_where_its_place_is_known(trigger: str, position: int, context: list[str]) -> None:
    finding = Finding(4, "segment", "I9", "", segment="REF", position=4, trigger=trigger, trigger_position=position)
    assert context == [line for line in told(CLAIM, finding) if line.startswith("CTX*SITUATIONAL")]


def test_what_is_missing_belongs_to_the_claim_before_the_place_where_it_is_noticed() -> None:
    def unit(position: int, code: str) -> list[str]:
        finding = Finding(2, "segment", code, "", segment="HI", position=position)
        return [line.partition(":")[2] for line in told(CLAIM, finding) if line.startswith("CTX*CLM01")]

    assert [["PCN-1"], ["PCN-2"], ["PCN-2"], []] == [unit(5, "3"), unit(7, "3"), unit(6, "2"), unit(7, "2")]
    assert [[], []] == [unit(3, "3"), unit(2, "8")]


def test_units_noted_while_a_set_goes_by_in_pieces_are_those_of_the_whole() -> None:
    findings = [Finding(2, "segment", code, "", segment="REF", position=p) for p in range(1, 9) for code in "23"]
    whole = told(CLAIM, *findings)
    for size in (1, 2, 3, 7):
        units = Units("837", STANDARD)
        for start in range(0, len(CLAIM), size):
            here = [f for f in findings if start < (f.position or 0) <= start + size]
            units.take(CLAIM[start : start + size], start + 1, here)
        assert whole == told([], *findings, units=units)


@pytest.mark.parametrize(("number", "unit"), [("A" * 40, "A" * 35), ("A|B", ""), ("Ä", ""), (" P 1 ", "P 1"), ("", "")])
def test_a_units_number_is_cut_or_left_out_where_it_cannot_be_told(number: str, unit: str) -> None:
    finding = Finding(2, "segment", "2", "", segment="REF", position=3)
    lines = told([*CLAIM[:1], f"CLM*{number}*10", "REF*F8*1"], finding)
    assert ([f"CTX*CLM01:{unit}"] if unit else []) == [line for line in lines if line.startswith("CTX")]


def test_a_note_on_what_was_let_pass_does_not_refuse() -> None:
    note = Finding(1, "segment", "8", "", "warning", segment="REF", position=4)
    advice = Finding(5, "element", "7", "", "warning", segment="REF", position=4, element=2)
    assert ["IK3*REF*4**8", "CTX*CLM01:PCN-1", "IK5*E*5"] == told(CLAIM, note, advice)
    assert ["IK5*A"] == told(CLAIM, advice)


def test_of_too_many_findings_the_errors_are_told_first() -> None:
    notes = [Finding(1, "segment", "8", "", "warning", segment="REF", position=4)] * (FINDINGS_MAX + 5)
    lines = told(CLAIM, *notes, Finding(2, "segment", "2", "", segment="ZZZ", position=6))
    assert ("IK3*ZZZ*6**2", "IK5*R*5") == (lines[-3], lines[-1])
    assert FINDINGS_MAX == sum(line.startswith("IK3") for line in lines)


def test_a_set_that_is_taken_in_spite_of_its_errors_is_told_so() -> None:
    group = read(FILES["837 wrong"].encode())[0].groups[0]
    lines = [line.split(CANONICAL.element) for line in answer_999(group, taken=lambda _: True)]
    assert [("E", "5")] == [tuple(line[1:]) for line in lines if line[0] == "IK5"]
    assert [("E", "1", "1", "1")] == [tuple(line[1:]) for line in lines if line[0] == "AK9"]
    assert any(line[0] == "IK4" for line in lines)


def test_a_set_in_the_wrong_kind_of_group_is_taken_with_a_note() -> None:
    text = FILES["837"].replace("GS*HC*", "GS*HP*")
    back = answered(read(text.encode())[0])
    assert back is not None
    said = answer_of(back.groups[0])
    assert ("E", "HP", [("E", ["18"])]) == (said.code, said.functional_id, [(s.code, s.codes) for s in said.sets or ()])
    check(text.encode())


def test_a_group_without_a_set_is_refused_and_the_others_are_not() -> None:
    empty = "GS*HC*AA*BB*20260105*0930*7*X*005010X222A1~GE*0*7~"
    text = FILES["837"].replace("IEA*1*", f"{empty}IEA*2*")
    interchange = read(text.encode())[0]
    assert (True, [True, False]) == (interchange.accepted, [g.accepted for g in interchange.groups])
    back = answered(interchange)
    assert back is not None
    said = [answer_of(g) for g in back.groups]
    assert [("A", "1", 1), ("R", "7", 0)] == [(s.code, s.control_number, s.received) for s in said]
    check(text.encode())


def test_ik402_is_a_number_and_left_out_of_a_composite() -> None:
    text = FILES["837"].replace("SV1*HC:", "SV1**HC:", 1)
    interchange = read(text.encode())[0]
    composites = {f.data for f in interchange.sets[0].findings if f.scope == "element" and f.element == 1}
    assert {"C003"} == composites
    lines = [s for g in interchange.groups for s in answer_999(g) if s.startswith(f"IK4{CANONICAL.element}")]
    assert f"IK4{CANONICAL.element}1{CANONICAL.element * 2}1" in lines
    numbers = [line.split(CANONICAL.element)[2] for line in lines]
    assert [] == [n for n in numbers if n and not n.isdecimal()]
    assert any(numbers)


# --- what is not X12 at all, and what is hardly ----------------------------------------------------------------------

ISA = FILES["837"][:106]
HARDLY = {
    "nothing": b"",
    "no envelope": b"there is no envelope here",
    "a cut ISA": ISA[:60].encode(),
    "an ISA alone": ISA.encode(),
    "an ISA and its IEA": (ISA + "IEA*0*000000001~").encode(),
    "an empty group": (ISA + "GS*HC*A*B*20260105*0930*1*X*005010X222A1~GE*0*1~IEA*1*000000001~").encode(),
    "a bare GS": (ISA + "GS~GE~IEA~").encode(),
    "a set without a group": (ISA + "ST*837*0001~SE*2*0001~IEA*0*000000001~").encode(),
    "a bare ST": (ISA + "GS*HC*A*B*20260105*0930*1*X*005010X222A1~ST~SE~GE*1*1~IEA*1*000000001~").encode(),
    "an unknown set": FILES["837"].replace("ST*837*", "ST*999999*").encode(),
    "an unknown group": FILES["837"].replace("GS*HC*", "GS*?*").encode(),
    "a version of nobody": FILES["837"].replace("005010X222A1", "9").encode(),
    "a version with a delimiter": FILES["837"].replace("*X*005010X222A1", "*X*0050^0|X222A1").encode(),
    "no GE": FILES["837"].replace("GE*1*1~", "").encode(),
    "no SE": FILES["837"].replace("SE*", "XX*").encode(),
    "no IEA": FILES["837"].replace("IEA*1*000000001~", "").encode(),
    "two groups of one number": (lambda t: t[:106] + t[106:-17] * 2 + "IEA*2*000000001~")(FILES["837"]).encode(),
    "two sets of one number": FILES["837"].replace("GE*1*", "ST*837*0001*005010X222A1~SE*2*0001~GE*2*").encode(),
    "NULs": FILES["837"].replace("CLM*", "CLM*\0").encode(),
    "only NULs": (ISA + "\0" * 500).encode(),
    "UTF-8": FILES["837"].replace("SYNTHETIC", "SÝNTHÉTIC").encode(),
    "Latin-1": FILES["837"].replace("SYNTHETIC", "SÝNTHÉTIC").encode("latin-1"),
    "UTF-16": FILES["837"].encode("utf-16"),
    "a mark before": b"\xef\xbb\xbf" + FILES["837"].encode(),
    "delimiters of letters": FILES["837"].replace("*", "E").encode(),
    "one delimiter for all": FILES["837"].replace(":", "*").replace("^", "*").encode(),
    "a newline that ends": FILES["837"].replace("~", "\n").encode(),
    "many repeats": FILES["271"].replace("EB*1**", "EB*1**" + "1^" * 12_000).encode(),
    "many elements": FILES["837"].replace("BHT*", "BHT" + "*A" * 12_000 + "*").encode(),
    "many components": FILES["837"].replace("HC:", "HC:" + "A:" * 12_000).encode(),
    "one long segment": FILES["837"].replace("BHT*0019", "BHT*" + "9" * 300_000).encode(),
    "a large count": FILES["837"].replace("GE*1*", "GE*999999999*").encode(),
    "no names": FILES["837"].replace("SYNTHSEND", " " * 9).replace("SYNTHRECV", "\xe9|^>`:!\x01 ").encode("latin-1"),
}


@pytest.mark.parametrize("name", HARDLY)
def test_what_is_hardly_x12_is_answered_all_the_same(name: str) -> None:
    data = HARDLY[name]
    check(data)
    interchanges = read(data)
    assert (b"ISA*" in data and len(data) >= 106) == any(i.elements[5] for i in interchanges)


@pytest.mark.parametrize("cut", range(0, 420, 7))
def test_a_file_that_is_cut_anywhere_is_answered(cut: int) -> None:
    data = FILES["837"].encode()
    check(data[:cut])
    check(data[:-cut] if cut else data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=18), min_size=16, max_size=16))
def test_an_answer_can_be_addressed_whoever_asked(elements: Sequence[str]) -> None:
    received = Interchange(elements, STANDARD)
    header = addressed(received, "260105", "0931", 7)
    (back,) = read(interchange_header(header, STANDARD).encode("ascii"))
    assert ["023"] == [f.code for f in back.findings]
    assert (header.sender, header.receiver) == (back.sender, back.receiver)


def test_an_answer_goes_back_to_its_sender() -> None:
    header = addressed(read(FILES["837"].encode())[0], "260105", "0931", 7)
    assert ("ZZ", "SYNTHRECV", "ZZ", "SYNTHSEND", "T") == (
        header.sender_qualifier, header.sender, header.receiver_qualifier, header.receiver, header.usage,
    )  # fmt: skip


# --- mutated files --------------------------------------------------------------------------------------------------

junk = st.text(ALPHABET, max_size=6)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A file with a few faults anywhere in it, envelope included."""
    segments = FILES[draw(st.sampled_from(sorted(FILES)))].rstrip("~").split("~")
    for _ in range(draw(st.integers(1, 4))):
        # The envelope is a small part of a file, so it gets its share of the faults by hand.
        ends = st.sampled_from([0, 1, 2, 3, len(segments) - 3, len(segments) - 2, len(segments) - 1])
        at = draw(st.one_of(st.integers(0, len(segments) - 1), ends)) % len(segments)
        match draw(st.sampled_from(("drop", "twice", "swap", "element", "append", "junk"))):
            case "drop" if len(segments) > 1:
                del segments[at]
            case "twice":
                segments.insert(at, segments[at])
            case "swap":
                other = draw(st.integers(0, len(segments) - 1))
                segments[at], segments[other] = segments[other], segments[at]
            case "element":
                parts = segments[at].split("*")
                parts[draw(st.integers(0, len(parts) - 1))] = draw(junk)
                segments[at] = "*".join(parts)
            case "append":
                segments[at] += "*" + draw(junk)
            case _:
                segments.insert(at, draw(junk))
    return ("~".join(segments) + "~").encode("latin-1")


@settings(max_examples=800, deadline=None)
@given(mutated())
def test_the_answer_to_a_mutated_file_says_what_was_found(data: bytes) -> None:
    check(data)


def corpus() -> list[Path]:
    folder = os.environ.get("CLAIMWIRE_CORPUS")
    if not folder:
        return []
    return sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.suffix not in (".json", ".md"))


def test_the_answer_to_each_file_of_the_corpus_says_what_was_found() -> None:
    files = corpus()
    if not files:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
    for file in files:
        check(file.read_bytes())


# --- the laws of reading --------------------------------------------------------------------------------------------


def group_answer(*lines: str) -> GroupAcknowledgement:
    text = synthetic.interchange("FA", "005010X231A1", [["ST*999*{ST02}*005010X231A1", *lines]])
    return read_999(read(text.encode("latin-1"))[0].sets[0].tree())


def test_a_group_that_is_accepted_without_its_sets_accepts_each() -> None:
    said = group_answer("AK1*HC*17*005010X222A1", "AK9*A*2*2*2")
    assert True is said.verdict("0001")


def test_a_group_that_is_rejected_rejects_each_set_whatever_is_said_of_it() -> None:
    said = group_answer("AK1*HC*17", "AK2*837*0001", "IK5*A", "AK9*R*1*1*0*3")
    assert (False, False) == (said.verdict("0001"), said.verdict("0002"))
    assert ["3"] == said.codes


def test_a_partly_accepted_group_says_nothing_of_a_set_that_it_does_not_list() -> None:
    said = group_answer("AK1*HC*17", "AK2*837*0001", "IK5*E*5", "AK9*P*2*2*1")
    assert (True, None) == (said.verdict("0001"), said.verdict("0002"))


def test_errors_carry_place_codes_and_contexts() -> None:
    said = group_answer(
        "AK1*HC*17*005010X222A1",
        "AK2*837*0002*005010X222A1",
        "IK3*CLM*22**8",
        "CTX*SITUATIONAL TRIGGER^X:2*CLM*43**5:3",
        "CTX*CLM01:PCN-1^CLM01:PCN-2",
        "IK4*5:3*1325*7*SECRET",
        "IK5*R*5",
        "AK9*R*1*1*0",
    )
    error = ((said.sets or [])[0].errors or [])[0]
    assert ("CLM", 22, "8", [("CLM01", "PCN-1")]) == (error.segment, error.position, error.code, error.units)
    trigger = (error.contexts or [])[0]
    assert ("SITUATIONAL TRIGGER", None, "CLM", 43, 5, 3) == (
        trigger.name,
        trigger.value,
        trigger.segment,
        trigger.position,
        trigger.element,
        trigger.component,
    )
    fault = (error.elements or [])[0]
    assert (5, 3, None, "1325", "7") == (fault.element, fault.component, fault.repeat, fault.data, fault.code)
    assert "SECRET" not in repr(said)


def said_by_chance(seed: int, richness: float) -> GroupAcknowledgement:
    """A 999 of any content: a trigger has no value, and no segment has a hundred elements."""
    said = Filler(guides.load("005010X231A1", "999"), seed, richness).document(GroupAcknowledgement, "999")
    for error in (e for s in said.sets or () for e in s.errors or ()):
        contexts = [*(error.contexts or ()), *(c for e in error.elements or () for c in e.contexts or ())]
        for context in contexts:
            context.value = None if context.name == "SITUATIONAL TRIGGER" else context.value
        for place in (*contexts, *(error.elements or ())):
            place.element = place.element and min(place.element, 99)
            place.component = place.component and min(place.component, 99)
    return said


@settings(max_examples=cases(150), deadline=None)
@given(st.integers(0, 1 << 32), st.floats(0, 1))
def test_a_999_that_is_written_is_read_back(seed: int, richness: float) -> None:
    said = said_by_chance(seed, richness)
    back = read_999(returned(said).tree())
    assert said == unworded(back)
    assert back == read_999(returned(back).tree())


def test_a_duplicate_number_in_a_ta1_is_a_proof_of_receipt() -> None:
    note = read_ta1(("000000905", "260105", "0930", "R", "025"))
    assert (False, True, "Duplicate interchange control number") == (note.accepted, note.duplicate, note.description)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=8))
def test_reading_a_ta1_never_raises(elements: Sequence[str]) -> None:
    assert read_ta1(elements).accepted in (True, False, None)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 7), st.integers(1, 7), st.text("²٣A0-:^9", max_size=30))
def test_reading_a_999_never_raises(line: int, element: int, value: str) -> None:
    lines = [
        "AK1*HC*17",
        "AK2*837*0002",
        "IK3*CLM*22**8",
        "CTX*CLM01:PCN-1",
        "IK4*5:3*1325*7",
        "IK5*R*5",
        "AK9*R*1*1*0",
    ]
    parts = [*lines[line % len(lines)].split("*"), *[""] * 7][: max(element + 1, 3)]
    parts[element] = value.encode("latin-1", "replace").decode("latin-1")
    lines[line % len(lines)] = "*".join(parts)
    assert group_answer(*lines).accepted in (True, False, None)

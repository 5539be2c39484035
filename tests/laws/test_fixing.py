"""What can be mended is mended, nothing else is touched, and mending again changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import x12
from tests import synthetic
from x12.finding import Finding
from x12.fixing import Fixed, fix

CLEAN = synthetic.claims_837p(2)


def findings(data: bytes) -> list[Finding]:
    parts = x12.read(data)
    return [f for i in parts for of in (i, *i.groups, *i.sets) for f in of.findings if f.severity == "error"]


def elements(data: bytes) -> list[list[str]]:
    """The elements of every set without its SE, empty ones at the end left out."""
    found: list[list[str]] = []
    for one in (s for i in x12.read(data) for s in i.sets):
        e, c = one.delimiters.element, one.delimiters.component
        found += [s.rstrip(e + c).split(e) for s in one.segments if not s.startswith("SE" + e)]
    return found


def same(text: str) -> str:
    return text


MENDABLE: dict[str, tuple[Callable[[str], str], str]] = {
    "SE01": (lambda t: t.replace("~SE*", "~SE*9"), "count"),
    "GE01": (lambda t: t.replace("~GE*1", "~GE*4"), "count"),
    "IEA01": (lambda t: t.replace("~IEA*1*", "~IEA**"), "count"),
    "SE02": (lambda t: t.replace("*0001~GE", "*0002~GE"), "control number"),
    "GE02": (lambda t: t.replace("~GE*1*1~", "~GE*1*2~"), "control number"),
    "IEA02": (lambda t: t.replace("~IEA*1*000000001~", "~IEA*1*1~"), "control number"),
    "ISA06": (lambda t: t.replace("SYNTHSEND      *ZZ", "SYNTHSEND*ZZ", 1), "ISA length"),
    "ISA13": (lambda t: t.replace("*000000001*0*T", "*1*0*T", 1), "ISA length"),
    "byte order mark": (lambda t: "\xef\xbb\xbf" + t, "byte order mark"),
    "blanks before": (lambda t: "\r\n  " + t, "white space"),
    "indents": (lambda t: t.replace("~HL", "~\n   HL").replace("~CLM", "~\nCLM"), "white space"),
    "breaks before the terminator": (lambda t: t[:106] + t[106:].replace("~", "\r\n~", 5), "white space"),
    "empty elements": (lambda t: t.replace("*207Q00000X~", "*207Q00000X***~", 1), "empty elements"),
    "two terminators": (lambda t: t.replace("~HL", "~~HL", 1), "empty segment"),
    "last terminator": (lambda t: t.removesuffix("~"), "terminator"),
    "wrapped": (lambda t: "\n".join(t[i : i + 80] for i in range(0, len(t), 80)), "line breaks"),
}


@pytest.mark.parametrize("what", MENDABLE)
def test_what_is_mendable_is_mended_and_told(what: str) -> None:
    damage, kind = MENDABLE[what]
    damaged = damage(CLEAN).encode("latin-1")
    assert CLEAN.encode() != damaged
    made = fix(damaged)
    assert ([], []) == (findings(made.data), made.left)
    assert {kind} == {c.kind for c in made.changes}
    assert elements(CLEAN.encode()) == elements(made.data)


@pytest.mark.parametrize("gap", ["", "\n", "\r\n"])
def test_a_clean_file_stays_as_it_is(gap: str) -> None:
    data = CLEAN.replace("~", "~" + gap).encode()
    made = fix(data)
    assert (data, [], []) == (made.data, made.changes, made.left)


@pytest.mark.parametrize("data", [b"", b"\n", b"nothing here", b"ISA", b"\xff\xfe\x00", b"ISA*00*"])
def test_what_holds_no_interchange_comes_back(data: bytes) -> None:
    assert data.strip() == fix(data).data.strip()


def test_a_control_number_that_occurs_twice_is_replaced_only_when_asked() -> None:
    body = x12.read(CLEAN.encode())[0].sets[0].segments[1:-1]
    twice = synthetic.interchange("HC", "005010X222A1", [["ST*837*0007*005010X222A1", *body]] * 2)
    twice = twice.replace("*0001~ST", "*0007~ST").replace("*0002~GE", "*0007~GE")
    assert ["23"] == [f.code for f in findings(fix(twice.encode()).data)]
    made = fix(twice.encode(), renumber=True)
    assert ([], ["renumbered", "control number"]) == (findings(made.data), [c.kind for c in made.changes])
    assert ["0007", "0008"] == [s.control_number for s in x12.read(made.data)[0].sets]


@pytest.mark.parametrize("trailer", ["SE", "GE", "IEA"])
def test_a_missing_trailer_is_left_and_told(trailer: str) -> None:
    without = "~".join(s for s in CLEAN.split("~") if not s.startswith(f"{trailer}*"))
    made = fix(without.encode())
    assert trailer in {c.place for c in made.left}
    assert findings(made.data)


def test_a_file_that_is_cut_off_is_not_made_to_look_whole() -> None:
    made = fix(CLEAN[:-40].encode())
    assert "cut off" in {c.kind for c in made.left}
    assert not made.data.endswith(b"~")


@pytest.mark.parametrize(
    "end",
    ["NM1*IL*1*DOE*", "NM1*IL*1*DOE***", "NM1*IL*1*DOE:", "NTE*ADD*SEEN  ", "NM1*IL*1*DOE*\r\n", "SE*1", "SE*999*00"],
)
def test_where_a_file_was_cut_off_stays_to_be_seen(end: str) -> None:
    """Separators and blanks at the end of its last segment tell how far it came; half a count is no count."""
    cut = (CLEAN.partition("~NM1*IL")[0] + f"~{end}").encode()
    made = fix(cut)
    assert (cut, []) == (made.data, made.changes)
    assert "cut off" in {c.kind for c in made.left}


def test_bytes_that_are_no_ascii_stay() -> None:
    data = CLEAN.encode().replace(b"SYNTHETIC BILLING", b"S\xc3\xa9\xe9 \xff BILLING").replace(b"~SE*", b"~SE*9")
    made = fix(data)
    assert b"S\xc3\xa9\xe9 \xff BILLING" in made.data
    assert ["count"] == [c.kind for c in made.changes]


def test_binary_data_is_not_touched() -> None:
    body = ["ST*275*{ST02}*005010X210", "BIN*12*A~ B*\r\n ~*~C", "BIN*3*~~~"]
    text = synthetic.interchange("PI", "005010X210", [body]).replace("~SE*", "~SE*9")
    made = fix(text.encode())
    assert b"BIN*12*A~ B*\r\n ~*~C~BIN*3*~~~~SE*4*" in made.data


def damaged(seed: int) -> bytes:
    """A clean file with a few strokes of chance."""
    random = Random(seed)
    data = bytearray(CLEAN.encode())
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(data))
        stroke = random.choice(("cut", "put", "change"))
        if stroke == "cut":
            del data[at : at + random.randint(1, 30)]
        elif stroke == "put":
            data[at:at] = bytes(random.choices(b"~*:\r\n ISAIEAGEST^\xff\x00", k=random.randint(1, 9)))
        else:
            data[at] = random.randrange(256)
    return bytes(data)


@settings(max_examples=150, deadline=None)
# A number in ST02 that ends in white space, which no SE02 can repeat; a group without a number; an ISA with a seventeenth element.
@example(1764)
@example(14617)
@example(17012)
@given(st.integers(0, 1 << 32))
def test_mending_again_changes_nothing_and_never_makes_it_worse(seed: int) -> None:
    data = damaged(seed)
    made = fix(data)
    again: Fixed = fix(made.data)
    assert (made.data, []) == (again.data, again.changes)
    assert bool(made.changes) == (made.data != data)
    worst = [sum(f.scope not in ("segment", "element") for f in findings(d)) for d in (made.data, data)]
    assert worst[0] <= worst[1]

"""Laws of the lexical layer: nothing is lost, whatever the delimiters, the line breaks and the size of the pieces."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests import synthetic
from x12.syntax import (
    CANONICAL,
    STANDARD,
    Delimiters,
    InterchangeHeader,
    Unwritable,
    choose_delimiters,
    interchange_header,
    runs,
    translate,
)

CLAIMS = synthetic.claims_837p(3).encode()
SEGMENTS = CLAIMS.decode().rstrip("~").split("~")


def segments_of(data: bytes, size: int | None = None) -> list[str]:
    pieces = [data[i : i + size] for i in range(0, len(data), size)] if size else data
    return [segment for run in runs(pieces) for segment in run.segments]


def with_delimiters(text: str, new: Delimiters, gap: str = "") -> str:
    return translate(text, STANDARD, new).replace(new.segment, new.segment + gap)


@pytest.mark.parametrize("gap", ["", "\n", "\r\n", "\r", " \n", "\n\n", "\r\n\t"])
@pytest.mark.parametrize(
    "new",
    [
        STANDARD,
        Delimiters("|", ">", "!", "\n"),
        Delimiters("^", "}", "\\", "'"),
        Delimiters("\x1d", "\x1f", "\x1e", "\r"),
        Delimiters("+", "/", "%", "?"),
    ],
)
def test_any_declared_delimiters_and_line_breaks_give_the_same_segments(new: Delimiters, gap: str) -> None:
    data = with_delimiters(CLAIMS.decode(), new, gap).encode("latin-1")
    read = segments_of(data)
    assert SEGMENTS == [translate(s, new, STANDARD) for s in read]


@given(
    size=st.integers(1, 500),
    gap=st.sampled_from(["", "\n", "\r\n"]),
    lead=st.sampled_from(["", "\n \t", "\ufeff", "\x00\x00"]),
)
def test_the_size_of_the_pieces_changes_nothing(size: int, gap: str, lead: str) -> None:
    many = [synthetic.claims_837p(2, seed=s) for s in range(3)]
    data = (lead + gap.join(with_delimiters(m, STANDARD, gap) for m in many)).encode()
    whole = [(r.isa, r.delimiters) for r in runs(data) if r.isa]
    assert 3 == len(whole)
    assert segments_of(data) == segments_of(data, size)


@settings(deadline=None)
@given(
    seed=st.integers(0, 1_000_000),
    size=st.integers(1, 2_000),
    ends=st.sampled_from(["~", "", "~\n", "~\r\n\r\n", "~ \n\n"]),
    lead=st.sampled_from(["", "\r\n", "\ufeff"]),
)
def test_what_is_read_is_written_to_the_byte_whatever_stands_between_segments(
    seed: int, size: int, ends: str, lead: str
) -> None:
    random = Random(seed)
    # One gap throughout, or another one after each segment; an empty segment among them.
    kinds = random.choice([[""], ["\n"], ["\r\n"], ["", "\n", "\n\n", " \r\n", "\n~", "\t"]])
    many = [synthetic.claims_837p(2, seed=s).rstrip("~").split("~") for s in range(2)]
    files = ["".join(f"{s}~{random.choice(kinds)}" for s in segments[:-1]) + segments[-1] for segments in many]
    data = (lead + f"~{random.choice(kinds)}".join(files) + ends).encode()
    interchanges = x12.read(data[i : i + size] for i in range(0, len(data), size))
    assert [2, 2] == [len(i.sets[0].tree().inside("2000A")[0].inside("2000B")) for i in interchanges]
    assert data.decode("latin-1") == "".join(i.text() for i in interchanges)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_an_empty_segment_is_skipped_and_told_once_an_interchange(size: int) -> None:
    doubled = CLAIMS.replace(b"~CLM*", b"~~\n~CLM*").replace(b"~GE*", b"~~GE*")
    data = CLAIMS + doubled + doubled
    interchanges = x12.read(data[i : i + size] for i in range(0, len(data), size))
    assert [[], ["warning"], ["warning"]] == [[f.severity for f in i.findings] for i in interchanges]
    assert [True] * 3 == [i.accepted and all(s.accepted for s in i.sets) for i in interchanges]
    assert data.decode() == "".join(i.text() for i in interchanges)


def test_an_interchange_whose_segments_were_not_kept_has_no_text() -> None:
    for part in x12.stream(CLAIMS, keep=False):
        if isinstance(part, x12.Interchange):
            with pytest.raises(ValueError, match="not kept"):
                part.text()


def test_interchanges_with_different_delimiters_stand_in_one_file() -> None:
    other = with_delimiters(CLAIMS.decode(), Delimiters("|", ">", "!", "\n")).encode()
    read = list(runs(CLAIMS + other + CLAIMS))
    assert [True, True, True] == [r.isa for r in read]
    assert ["~", "\n", "~"] == [r.delimiters.segment for r in read]


def test_an_interchange_without_iea_ends_where_the_next_begins() -> None:
    cut = CLAIMS[: CLAIMS.index(b"IEA")]
    read = [r for r in runs(cut + CLAIMS) if r.isa]
    assert 2 == len(read)
    assert SEGMENTS[:-1] == read[0].segments
    assert SEGMENTS == read[1].segments


@pytest.mark.parametrize("keep", [True, False])
def test_segments_that_belong_to_nothing_are_told_once_a_run(keep: bool) -> None:
    """A file without its GS is all such segments: what is said of it must not grow with it."""
    astray = b"NM1*1~" * 3
    without = CLAIMS.replace(b"GS*", b"gs*").replace(b"ST*", b"st*")
    between = CLAIMS.replace(b"ST*", astray + b"ST*").replace(b"GE*", astray + b"GE*")
    for data, codes in ((without, ["024", "022"]), (between, [])):
        *_, interchange = x12.stream([data[:500], data[500:]], keep=keep)
        assert isinstance(interchange, x12.Interchange)
        assert codes == [f.code for f in interchange.findings if f.code in ("024", "022")]
        assert ([] if codes else ["22", "22"]) == [f.code for g in interchange.groups for f in g.findings]


def test_noise_is_reported_and_ends_nothing() -> None:
    noise = Random(7).randbytes(5_000_000).replace(b"ISA", b"IXA")
    read = list(runs(noise + CLAIMS + noise))
    assert SEGMENTS == [s for r in read for s in r.segments if r.isa][: len(SEGMENTS)]
    assert 2 == sum(len([f for f in r.findings if f.scope == "file"]) for r in read)


@pytest.mark.parametrize(
    ("end", "severity"), [("~", "warning"), ("\n~~\r\n", "warning"), ("~X", "error"), ("*", "error")]
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_terminators_behind_the_last_iea_are_let_pass_and_told(end: str, severity: str, size: int) -> None:
    data = CLAIMS + CLAIMS + end.encode()
    first, last = x12.read(data[i : i + size] for i in range(0, len(data), size))
    assert ([], [severity]) == (first.findings, [f.severity for f in last.findings])
    assert (severity == "warning") is last.accepted
    assert data.decode() == first.text() + last.text()


@pytest.mark.parametrize("end", ["\x1a", "\r\n\x1a", "\x00\x1a\x1a\n"])
def test_the_end_of_text_of_dos_behind_an_interchange_carries_nothing(end: str) -> None:
    (interchange,) = x12.read(CLAIMS + end.encode())
    assert interchange.accepted
    assert CLAIMS + end.encode() == interchange.text().encode("latin-1")
    assert CLAIMS == x12.fix(CLAIMS + end.encode()).data.rstrip()


@pytest.mark.parametrize("blanks", [" ", "     ", "\t", "\n", " \r\n"])
def test_blanks_before_the_terminator_of_the_isa_are_told_and_taken_away(blanks: str) -> None:
    data = CLAIMS.replace(b"~", blanks.encode() + b"~", 1)
    (interchange,) = x12.read(data)
    assert ["004"] == [f.code for f in interchange.findings]
    assert [True] == [s.accepted for s in interchange.sets]
    assert data == interchange.text().encode()
    header = x12.addressed(interchange, "260105", "0930", 1)
    assert "TA1*000000001*260105*0930*R*004~" in x12.acknowledgement(interchange, header, 1)
    made = x12.fix(data)
    assert (CLAIMS, ["white space"]) == (made.data, [c.kind for c in made.changes])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_that_was_broken_into_lines_is_told_so_first(newline: str) -> None:
    text = CLAIMS.decode()
    wrapped = newline.join(text[i : i + 80] for i in range(0, len(text), 80)).encode()
    (interchange,) = x12.read(wrapped)
    assert "022" == interchange.findings[0].code
    assert "line break stands inside the ISA" in interchange.findings[0].message
    assert CLAIMS == x12.fix(wrapped).data


def test_blanks_before_a_line_break_that_ends_the_isa_are_told() -> None:
    data = CLAIMS.replace(b"~", b"  \n", 1).replace(b"~", b"\n")
    (interchange,) = x12.read(data)
    assert ("\n", ["004"]) == (interchange.delimiters.segment, [f.code for f in interchange.findings])
    assert [True] == [s.accepted for s in interchange.sets]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (CLAIMS.replace(b"*:~", b"~", 1), "an ISA without its separators"),
        (CLAIMS.replace(b"*:~", b"*:*X~", 1), "an ISA without its separators"),
        (CLAIMS.replace(b"*:~", b"*: ", 1), "an ISA without its separators"),
        (CLAIMS.decode().encode("utf-16"), "this is UTF-16"),
        (CLAIMS.decode().encode("utf-16-be"), "this is UTF-16"),
        (b"CLM*1*2~", "begins with ISA and ends with IEA"),
    ],
)
def test_what_is_no_interchange_is_told_why(data: bytes, told: str) -> None:
    (nothing,) = x12.read(data)
    assert [told in f.message for f in nothing.findings] == [True]
    assert all("to no interchange" in f.message for f in nothing.findings)


@pytest.mark.parametrize("declared", [b"U", b" "])
def test_an_isa_without_a_repetition_separator_is_warned_of(declared: bytes) -> None:
    (interchange,) = x12.read(CLAIMS.replace(b"*^*00501", b"*" + declared + b"*00501"))
    assert [("warning", 11)] == [(f.severity, f.element) for f in interchange.findings]


@given(st.binary(max_size=3000))
def test_nothing_in_a_file_raises(data: bytes) -> None:
    for content in (data, b"ISA*" + data, CLAIMS[:400] + data + CLAIMS[500:]):
        for run in runs(content):
            assert not any(run.delimiters.segment in segment for segment in run.segments)


def test_utf_8_is_read_as_utf_8_and_anything_else_as_latin_1() -> None:
    data = CLAIMS.replace(b"CLINIC", "CLÍNICA".encode()).replace(b"BILLING", b"BILL\xcdNG")
    read = " ".join(segments_of(data))
    assert "CLÍNICA" in read
    assert "BILLÍNG" in read


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_chosen_delimiters_never_occur_in_the_data(text: str) -> None:
    try:
        chosen = choose_delimiters(text)
    except Unwritable:
        assert "~" in text or set("*|") <= set(text) or set(":><") <= set(text) or set("^!`") <= set(text)
        return
    assert 4 == len(set(chosen))
    assert not set(chosen) & set(text)


def test_an_isa_has_its_106_characters() -> None:
    header = InterchangeHeader("ZZ", "SENDER", "30", "RECEIVER", "260105", "0930", 7, "T")
    written = interchange_header(header, STANDARD)
    assert 106 == len(written)
    assert [written[:-1]] == segments_of(written.encode())


def test_an_isa_field_that_does_not_fit_is_refused() -> None:
    header = InterchangeHeader("ZZ", "A SENDER THAT IS TOO LONG", "30", "RECEIVER", "260105", "0930", 7, "T")
    with pytest.raises(Unwritable):
        interchange_header(header, STANDARD)


def test_canonical_separators_are_control_characters_that_data_may_not_hold() -> None:
    assert all(not c.isprintable() for c in CANONICAL)

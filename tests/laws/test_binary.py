"""Laws of binary data: a BIN is cut by the length it says, whatever its bytes are and wherever the pieces of a stream end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from x12.acknowledge import sealed
from x12.syntax import BINARY_BYTES_MAX, CANONICAL, Delimiters, InterchangeHeader, Run, runs, split_segment

ISA = b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260105*1200*^*00501*000000001*0*T*:~"
GS = b"GS*PI*SENDER*RECEIVER*20260105*1200*1*X*005010X210~"
HEAD = (
    b"ST*275*0001*005010X210~BGN*02*A1*20260105~NM1*PR*2*PLAN*****PI*12345~NM1*41*2*CLINIC*****46*67890~"
    b"NM1*1P*2*CLINIC*****XX*1234567893~NM1*QC*1*DOE*JANE****MI*W1~REF*EJ*CONTROL1~"
)
FRONT = b"LX*%d~TRN*1*ATTACHMENT1~DTP*368*D8*20260105~CAT*AE*TX~EFI*05~"
# What would be the end of the segment, of the interchange or of everything, if it were read as X12.
HOSTILE = st.sampled_from(
    [
        b"~",
        b"*",
        b":",
        b"^",
        b"\n",
        b"~IEA*1*000000001~",
        b"~\nISA*00*",
        b"BIN*3*",
        b"~BIN*5*",
        b"\xef\xbb\xbf",
        b"\x1c\x1d",
        b"\xc3\xa9",
    ]
)
DATA = st.lists(HOSTILE | st.binary(max_size=20), min_size=1, max_size=8).map(b"".join).filter(bool)


def binary(data: bytes) -> bytes:
    return b"BIN*%d*%s" % (len(data), data)


def file_of(*datas: bytes, gap: bytes = b"") -> bytes:
    body = b"".join(FRONT % n + binary(d) + b"~" for n, d in enumerate(datas, 1))
    count = 8 + 6 * len(datas)
    whole = ISA + GS + HEAD + body + b"SE*%d*0001~GE*1*1~IEA*1*000000001~" % count
    if not gap:
        return whole
    lines = [ISA, GS, *[s + b"~" for s in HEAD.split(b"~")[:-1]]]
    for number, data in enumerate(datas, 1):
        lines += [s + b"~" for s in (FRONT % number).split(b"~")[:-1]] + [binary(data) + b"~"]
    lines += [b"SE*%d*0001~" % count, b"GE*1*1~", b"IEA*1*000000001~"]
    return gap.join(lines) + gap


def segments_of(made: list[Run]) -> list[str]:
    return [s for run in made for s in run.segments]


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted(min(c, len(whole)) for c in cuts)
    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


@settings(max_examples=150)
@given(
    st.lists(DATA, min_size=1, max_size=3),
    st.sampled_from([b"", b"\n", b"\r\n"]),
    st.lists(st.integers(0, 900), max_size=12),
)
def test_the_bytes_come_out_as_they_went_in_and_what_is_around_them_too(
    datas: list[bytes], gap: bytes, cuts: list[int]
) -> None:
    whole = file_of(*datas, gap=gap)
    (interchange,) = x12.read(cut(whole, cuts))
    (only,) = interchange.sets
    assert interchange.accepted
    assert [] == only.findings
    found = [split_segment(s, only.delimiters)[2] for s in only.segments if s.startswith("BIN*")]
    assert datas == [data.encode("latin-1") for data in found]
    assert 8 + 6 * len(datas) == len(only.segments)
    assert segments_of(list(runs(whole))) == segments_of(list(runs(cut(whole, cuts))))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 64, 1000])
def test_any_size_of_pieces_gives_the_same_segments(size: int) -> None:
    whole = file_of(b"~IEA*1*000000001~\n" * 9, b"~~~***BIN*3*abc~", gap=b"\n")
    expected = segments_of(list(runs(whole)))
    assert expected == segments_of(list(runs([whole[i : i + size] for i in range(0, len(whole), size)])))
    assert ["BIN*162*" + "~IEA*1*000000001~\n" * 9, "BIN*16*~~~***BIN*3*abc~"] == [s for s in expected if "BIN" in s]


@pytest.mark.parametrize(
    "wrong", [b"4", b"6", b"11a", b"", b"99999999", b"%d" % (BINARY_BYTES_MAX + 1), b"999999999999999"]
)
def test_a_length_that_leads_to_no_terminator_is_found_and_the_segment_ends_at_its_terminator(wrong: bytes) -> None:
    whole = file_of(b"hello").replace(b"BIN*5*", b"BIN*%s*" % wrong)
    for pieces in ([whole], [whole[i : i + 7] for i in range(0, len(whole), 7)]):
        (interchange,) = x12.read(pieces)
        (only,) = interchange.sets
        assert [f"BIN*{wrong.decode()}*hello"] == [s for s in only.segments if s.startswith("BIN")]
        assert {"2110B BIN01"} == {f.place for f in only.findings}
        assert [] == interchange.findings


def test_a_word_that_ends_in_bin_begins_no_binary_data() -> None:
    whole = file_of(b"x").replace(b"*PLAN*", b"*ROBIN*").replace(b"DOE*JANE", b"BIN*9")
    (interchange,) = x12.read(whole)
    assert interchange.sets[0].accepted
    assert "NM1*QC*1*BIN*9****MI*W1" in interchange.sets[0].segments


@settings(max_examples=100)
@given(DATA)
def test_what_is_written_is_read_as_it_was_with_delimiters_in_the_data(data: bytes) -> None:
    e = CANONICAL.element
    body = [s.decode().replace("*", e) for s in (GS + HEAD + FRONT % 1).split(b"~")[:-1]]
    body += [f"BIN{e}{len(data)}{e}{data.decode('latin-1')}", f"SE{e}14{e}0001", f"GE{e}1{e}1", f"IEA{e}1{e}000000001"]
    text = sealed(body, InterchangeHeader("ZZ", "SENDER", "ZZ", "RECEIVER", "260105", "1200", 1, "T"))
    (interchange,) = x12.read(text.encode("latin-1"))
    (only,) = interchange.sets
    assert interchange.accepted
    assert [] == only.findings
    assert data == only.tree().children[-1].children[0].children[0].rows()["BIN"][0][2].encode("latin-1")


def test_the_data_of_a_bin_is_one_element() -> None:
    delimiters = Delimiters("*", ":", "^", "~")
    assert ["BIN", "5", "a*b:c"] == split_segment("BIN*5*a*b:c", delimiters)
    assert ["BIN", "5"] == split_segment("BIN*5", delimiters)
    assert ["BINX", "a", "b", "c"] == split_segment("BINX*a*b*c", delimiters)

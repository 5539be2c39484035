"""Whatever bytes come, they are read, judged, made into documents and acknowledged: no exception, no hang.

Files are damaged by a seed: bytes flipped, cut, doubled, delimiters exchanged, two files spliced. CI takes a share of them; with
CLAIMWIRE_CAMPAIGN the run goes on for CLAIMWIRE_FUZZ_SECONDS (half an hour) and a file that takes longer than its size allows fails too.
A failure prints its seed, which CLAIMWIRE_SEED repeats. With CLAIMWIRE_CORPUS the files of the corpus are damaged as well.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

import msgspec
import pytest

from tests import synthetic
from tests.laws.status_values import HEADER
from tests.laws.test_acknowledgements import check
from tests.laws.test_functional_acknowledgment import LINES as ACKNOWLEDGED
from x12.batch import claims_of
from x12.claim_acknowledgement import Acknowledger, acknowledge_claims
from x12.claim_judgement import judge_claims, taken_in_parts
from x12.envelope import Interchange, TransactionSet, read
from x12.transactions import acknowledgements, documents_of

SEED = int(os.environ.get("CLAIMWIRE_SEED", "1"))
COUNT = 250
FUZZ_SECONDS = float(os.environ.get("CLAIMWIRE_FUZZ_SECONDS", "1800"))
# Larger files tell nothing new and take long.
BYTES_MAX = 60_000
# What a machine under load still reads in this time; a hang and a square are far beyond it.
SECONDS_A_FILE, SECONDS_A_MEGABYTE = 20.0, 200.0
SOURCE = Acknowledger("CLAIMWIRE", "CW01")


@cache
def sources() -> list[bytes]:
    """Files to be damaged, of every kind that is read."""
    texts = [
        synthetic.claims_837p(4),
        synthetic.claims_837p(3, wrong=True),
        synthetic.remittance_835(3),
        synthetic.acknowledgement_277ca(4),
        synthetic.responses_271(3),
        synthetic.interchange("FA", "005010X230", [["ST*997*{ST02}", *ACKNOWLEDGED]]),
    ]
    files = [text.encode() for text in texts]
    root = os.environ.get("CLAIMWIRE_CORPUS")
    if root:
        every = sorted(p for p in Path(root).rglob("*") if p.is_file() and p.suffix not in (".json", ".md"))
        files += [p.read_bytes() for p in every if p.stat().st_size <= BYTES_MAX]
    return files


# --- damage ----------------------------------------------------------------------------------------------------------

_DELIMITERS = b"*:^~|>!`\n\r\x1c\x1d\x1e\x1f"


def _span(random: Random, data: bytearray, most: int = 400) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.randint(1, most))


def flip(random: Random, data: bytearray) -> None:
    for _ in range(random.randint(1, 8)):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def put(random: Random, data: bytearray) -> None:
    start, _ = _span(random, data)
    data[start:start] = bytes(random.choices(range(256), k=random.randint(1, 12)))


def cut(random: Random, data: bytearray) -> None:
    start, end = _span(random, data)
    del data[start:end]


def end_early(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data) + 1) :]


def begin_late(random: Random, data: bytearray) -> None:
    del data[: random.randrange(len(data) + 1)]


def double(random: Random, data: bytearray) -> None:
    start, end = _span(random, data)
    data[end:end] = data[start:end] * random.choice((1, 1, 2, 30))


def move(random: Random, data: bytearray) -> None:
    start, end = _span(random, data)
    piece = data[start:end]
    del data[start:end]
    at, _ = _span(random, data)
    data[at:at] = piece


def exchange(random: Random, data: bytearray) -> None:
    """One character for another, throughout or once: delimiters more than others."""
    old, new = random.choice(_DELIMITERS[:4]), random.choice(_DELIMITERS + bytes([0, 0xE9, 0x41]))
    if random.random() < 0.5:
        data[:] = data.replace(bytes([old]), bytes([new]))
    elif (at := data.find(bytes([old]), random.randrange(len(data) + 1))) >= 0:
        data[at] = new


def head(random: Random, data: bytearray) -> None:
    """Somewhere in the ISA and GS."""
    if data:
        data[random.randrange(min(len(data), 180))] = random.choice(_DELIMITERS + b"0A \x00\xff")


def splice(random: Random, data: bytearray) -> None:
    other = random.choice(sources())
    start, end = sorted((random.randrange(len(other) + 1), random.randrange(len(other) + 1)))
    at, _ = _span(random, data)
    data[at:at] = other[start : min(end, start + 4000)]


def widen(random: Random, data: bytearray) -> None:
    """Each character in two bytes, or with a mark before it."""
    text = bytes(data).decode("latin-1")
    data[:] = random.choice((text.encode("utf-16"), text.encode("utf-8-sig"), text.replace("A", "Ä").encode()))


def reorder(random: Random, data: bytearray) -> None:
    """Whole segments left out, told twice, or moved."""
    segments = bytes(data).split(data[105:106] or b"~")
    for _ in range(random.randint(1, 4)):
        at, to = (random.randrange(len(segments)) for _ in range(2))
        match random.choice(("drop", "twice", "move")):
            case "drop" if len(segments) > 1:
                del segments[at]
            case "twice":
                segments.insert(to, segments[at])
            case _:
                segments.insert(to, segments.pop(at))
    data[:] = (bytes(data[105:106]) or b"~").join(segments)


# How often each is done: what spares the envelope most often, or little behind it would ever be reached.
DAMAGES: dict[Callable[[Random, bytearray], None], int] = {
    reorder: 8, flip: 3, put: 4, cut: 3, double: 3, move: 3, splice: 2, exchange: 2, head: 1, end_early: 1, begin_late: 1, widen: 1,
}  # fmt: skip


def damaged(seed: int) -> bytes:
    """The damaged file of a seed."""
    random = Random(seed)
    data = bytearray(random.choice(sources()))
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        (damage,) = random.choices(list(DAMAGES), list(DAMAGES.values()))
        damage(random, data)
    return bytes(data)


# --- what must hold --------------------------------------------------------------------------------------------------


def used(interchanges: list[Interchange]) -> None:
    """Everything that is made of what was read."""
    for interchange in interchanges:
        msgspec.json.encode(acknowledgements(interchange))
        for one in interchange.sets:
            _used(one)


def _used(one: TransactionSet) -> None:
    msgspec.json.encode(one.findings)
    msgspec.json.encode(documents_of(one))
    if one.guide is None:
        return
    if one.set_id == "837":
        claims = judge_claims(one).claims
        assert len(claims_of(one)) == len(claims)
        assert any(c.accepted for c in claims) <= taken_in_parts(one)
        assert [] == acknowledge_claims(one, SOURCE, HEADER).findings


def in_pieces(random: Random, data: bytes) -> list[bytes]:
    """The same bytes as a stream would bring them."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = random.choice((1, 7, 105, 106, 107, 400, 4000))
        pieces.append(data[at : at + size])
        at += size
    return pieces


def holds(seed: int) -> float:
    """The seconds that the damaged file of a seed took; AssertionError with the seed where a law does not hold."""
    data = damaged(seed)
    start = time.perf_counter()
    try:
        interchanges = read(data)
        used(interchanges)
        check(data)
        again = read(in_pieces(Random(seed), data))
        assert [i.elements for i in interchanges] == [i.elements for i in again]
        assert [s.findings for i in interchanges for s in i.sets] == [s.findings for i in again for s in i.sets]
    except Exception as error:
        raise AssertionError(f"the damaged file of CLAIMWIRE_SEED={seed}: {type(error).__name__}") from error
    return time.perf_counter() - start


def test_damaged_files_are_read_judged_and_acknowledged() -> None:
    for seed in range(SEED, SEED + COUNT):
        holds(seed)


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
def test_many_damaged_files_are_read_judged_and_acknowledged_in_time() -> None:
    end = time.monotonic() + FUZZ_SECONDS
    first = seed = SEED if "CLAIMWIRE_SEED" in os.environ else int(time.time()) * 1000
    longest = (0.0, seed)
    print(f"damaged files from CLAIMWIRE_SEED={first}")
    while time.monotonic() < end:
        took = holds(seed)
        allowed = SECONDS_A_FILE + SECONDS_A_MEGABYTE * len(damaged(seed)) / 1e6
        assert took < allowed, f"CLAIMWIRE_SEED={seed} took {took:.1f} s"
        longest = max(longest, (took, seed))
        seed += 1
    print(f"{seed - first} damaged files; the longest took {longest[0]:.2f} s, seed {longest[1]}")


def test_a_component_separator_that_is_another_delimiter_too_parts_nothing() -> None:
    text = synthetic.remittance_835(2).replace("*T*:~", "*T**~", 1)
    data = text.replace("SE*", "PLB*1234567890*20261231*CV*CP*-1.27~SE*").encode()
    (interchange,) = read(data)
    assert ["027"] == [f.code for f in interchange.findings if f.scope == "interchange"]
    assert ("PLB04", "6") in [(f.place[-5:], f.code) for s in interchange.sets for f in s.findings]
    used([interchange])
    check(data)


# --- no squares ------------------------------------------------------------------------------------------------------


def steps(data: bytes) -> int:
    """How many functions are called, of ours and built in, to read, use and acknowledge a file."""
    count = 0

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        used(read(data))
    finally:
        sys.setprofile(before)
    return count


ISA = synthetic.claims_837p(1)[:106]


def _claims(count: int) -> list[str]:
    return synthetic.claims_837p(count).rstrip("~").split("~")


def _without(prefix: str) -> Callable[[int], str]:
    """Claims, each of which lacks the segments with this beginning."""
    return lambda size: "~".join(s for s in _claims(size) if not s.startswith(prefix)) + "~"


HOSTILE: dict[str, Callable[[int], str]] = {
    "claims": synthetic.claims_837p,
    "wrong claims": lambda size: synthetic.claims_837p(size, wrong=True),
    "claims without levels": _without("HL*"),
    "claims without CLM": _without("CLM*"),
    "claims without lines": _without("LX*"),
    "claims without providers": _without("NM1*8"),
    "levels alone": lambda size: "~".join(s for s in _claims(size) if s[:2] in ("IS", "GS", "ST", "HL", "SE")) + "~",
    "one claim with many lines": lambda size: (
        "~".join([*_claims(1)[:-3], *("LX*1~SV1*HC:99213*1*UN*1***1" for _ in range(size)), *_claims(1)[-3:]]) + "~"
    ),
    "unknown segments": lambda size: "~".join([*_claims(1)[:-3], *["ZZZ*1"] * size, *_claims(1)[-3:]]) + "~",
    "names": lambda size: "~".join([*_claims(1)[:9], *["NM1*IL*1*A"] * size, *_claims(1)[9:]]) + "~",
    "references": lambda size: "~".join([*_claims(1)[:-3], *["REF*6R*1"] * size, *_claims(1)[-3:]]) + "~",
    "remittances": lambda size: synthetic.remittance_835(size, wrong=True),
    "remittances without CLP": lambda size: synthetic.remittance_835(size).replace("~CLP*", "~QQQ*"),
    "acknowledgements": lambda size: synthetic.acknowledgement_277ca(size, wrong=True),
    "answers": synthetic.responses_271,
    "interchanges": lambda size: ISA * size,
    "groups": lambda size: ISA + "GS*HC*A*B*20260105*0930*1*X*005010X222A1~" * size,
    "sets": lambda size: ISA + "GS*HC*A*B*20260105*0930*1*X*005010X222A1~" + "ST*837*0001~SE*2*0001~" * size,
    "heads that are none": lambda size: "ISA" * size,
    "terminators": lambda size: ISA + "~" * size,
    "elements": lambda size: ISA + "GS*HC*A*B*20260105*0930*1*X*005010X222A1~ST*837*0001~BHT" + "*A" * size + "~",
    "repeats": lambda size: synthetic.responses_271(1).replace("EB*1**", "EB*1**" + "1^" * size),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_steps_grow_with_the_file_and_not_with_its_square(name: str) -> None:
    make = HOSTILE[name]
    small, large = (make(size).encode() for size in (10, 40))
    # The guide is compiled, and what is met often is remembered, before it counts: whenever that falls due, it is once.
    assert min(steps(large) for _ in range(4)) < 6 * min(steps(small) for _ in range(4)) + 2000

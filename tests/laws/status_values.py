"""Values, and the way through bytes and back, that the laws of claim status and of claim reports share."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import strategies as st

from x12 import codes, guides
from x12.acknowledge import sealed
from x12.documents.binding import Document
from x12.documents.parts import Header
from x12.documents.writing import Written
from x12.envelope import TransactionSet, read
from x12.syntax import CANONICAL, STANDARD, Delimiters, InterchangeHeader, translate
from x12.walk import Instance

HEADER = Header("0001", "REF20260105", "20260105", "0930")
ENVELOPE = InterchangeHeader("ZZ", "SENDER", "ZZ", "RECEIVER", "260105", "0930", 1, "T")
# Some of what other files use as delimiters is data here; one of each kind stays free.
LETTERS = string.ascii_letters + string.digits + " *:^>-.,'&()/#+=$"
QUALIFIERS = ("AD", "ER", "HC", "HP", "IV", "NU", "WK")
# Fields that only say in words what a code says, or that follow from other fields.
WORDS = ("Value", "entity", "secondaryEntity", "tertiaryEntity", "serviceIdQualifier")


T = TypeVar("T")


class Draw:
    """Values out of a seed. Hypothesis chooses the seed: a document of its own drawing takes it far longer to make."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def __call__(self, make: Callable[[Draw], T]) -> T:
        return make(self)

    def one(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def maybe(self, make: Callable[[Draw], T]) -> T | None:
        return make(self) if self.flag() else None

    def several(self, make: Callable[[Draw], T], least: int, most: int) -> list[T]:
        return [make(self) for _ in range(self.random.randint(least, most))]


seeds = st.integers(0, 2**48)


def text(longest: int, shortest: int = 1) -> Callable[[Draw], str]:
    """A value of X12's character set, without spaces around it: mostly short, sometimes as long as it may be."""

    def make(draw: Draw) -> str:
        size = longest if draw.random.random() < 0.1 else draw.random.randint(shortest, max(shortest, min(longest, 9)))
        return "".join(draw.random.choices(LETTERS, k=size)).strip().ljust(shortest, "X")

    return make


def choice(values: Sequence[T]) -> Callable[[Draw], T]:
    return lambda draw: draw.one(values)


def day(draw: Draw) -> str:
    return f"{date(1950, 1, 1) + timedelta(draw.random.randrange(33_000)):%Y%m%d}"


def two_days(draw: Draw) -> tuple[str, str]:
    first, last = sorted((day(draw), day(draw)))
    return first, last


def period(draw: Draw) -> str:
    """A single date or a period."""
    return day(draw) if draw.flag() else "-".join(two_days(draw))


def amount(draw: Draw) -> str:
    cents = draw.random.randrange(10 ** draw.random.randint(1, 9))
    return f"{cents // 100}.{cents % 100:02d}" if draw.flag() else str(cents)


category = choice(sorted(codes.table("claim_status_category")))
status = choice(sorted(codes.table("claim_status")))


def modifiers(draw: Draw) -> list[str]:
    return draw.several(text(2, 2), 1, 4)


def entities(guide_id: str, loop_id: str) -> list[str]:
    """The entity codes that the guide of a 277 allows in the STC of a loop."""
    loop = guides.load(guide_id, "277").loop(loop_id)
    status = next(s for s in loop.children if isinstance(s, guides.Segment) and s.id == "STC")
    return sorted(status.elements[0].components[2].codes or ())


def received(written: Written, group: str, version: str) -> TransactionSet:
    """What is written, sent through bytes and read back: clean, and with the segments that were written."""
    assert [] == [(f.path, f.place, f.message) for f in written.findings]
    e = CANONICAL.element
    head = f"GS{e}{group}{e}SENDER{e}RECEIVER{e}20260105{e}0930{e}1{e}X{e}{version}"
    body = [head, *written.segments, f"GE{e}1{e}1", f"IEA{e}1{e}000000001"]
    interchange = read(sealed(body, ENVELOPE).encode("ascii"), levels=(1, 2))[0]
    back = interchange.sets[0]
    assert ([], [], []) == (interchange.findings, interchange.groups[0].findings, back.findings)
    return back


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path of a document with its value."""
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def paths(document: Document) -> dict[str, Any]:
    return dict(leaves(msgspec.to_builtins(document)))


def without_words(document: Document, *derived: str) -> dict[str, Any]:
    """Paths and values of a document, without what follows from others."""
    return {p: v for p, v in paths(document).items() if not p.endswith(WORDS) and not p.startswith(derived or ("\0",))}


def corpus_sets(*folders: str) -> list[tuple[str, TransactionSet]]:
    """The transaction sets of corpus folders that have a guide and no error but in the count of segments."""
    root = os.environ.get("CLAIMWIRE_CORPUS")
    if not root:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
    found: list[tuple[str, TransactionSet]] = []
    for file in sorted(f for name in folders for f in Path(root, name).iterdir()):
        for interchange in read(file.read_bytes(), levels=(1, 2)):
            for one in interchange.sets:
                right = not any(f.severity == "error" and f.code != "4" for f in one.findings)
                found += [(file.name, one)] if one.guide is not None and right else []
    return found


def header_of(received_set: TransactionSet) -> Header:
    parts = next(s for s in received_set.segments if s.startswith("BHT")).split(received_set.delimiters.element)
    return Header(received_set.control_number, parts[3], parts[4], parts[5])


def translated(segments: list[str], source: Delimiters = CANONICAL) -> list[str]:
    """Segments with standard delimiters."""
    return [translate(s, source, STANDARD) for s in segments]


def plain(segments: list[str], one: TransactionSet | None = None) -> list[str]:
    """Segments with standard delimiters, without the trailer; of an HL only the level, which is what a place says."""
    texts = translated(segments, one.delimiters if one is not None else CANONICAL)
    return [f"HL*{t.split('*')[3]}" if t.startswith("HL*") else t for t in texts if not t.startswith("SE*")]


def mutated(draw: Draw, segments: list[str], alphabet: str = "A0²-:*^é\x00") -> list[str]:
    """Segments of a set with a few faults between header and trailer."""
    changed = list(segments)
    random = draw.random
    for _ in range(random.randint(1, 4)):
        at, other = (random.randint(1, len(changed) - 2) for _ in range(2))
        match random.choice(("drop", "twice", "element", "swap")):
            case "drop" if len(changed) > 3:
                del changed[at]
            case "twice":
                changed.insert(at, changed[at])
            case "swap":
                changed[at], changed[other] = changed[other], changed[at]
            case _:
                parts = changed[at].split("*")
                parts[random.randrange(len(parts))] = "".join(random.choices(alphabet, k=random.randint(0, 9)))
                changed[at] = "*".join(parts)
    return changed


def set_of(segments: list[str], group: str, version: str, *, levels: Sequence[int] = (1, 2)) -> TransactionSet:
    """A transaction set given as segments with standard delimiters, read from bytes."""
    head = sealed([], ENVELOPE)[:106]
    lines = [f"GS*{group}*SENDER*RECEIVER*20260105*0930*1*X*{version}", *segments, "GE*1*1", "IEA*1*000000001"]
    return read((head + "~".join(lines) + "~").encode("latin-1"), levels=levels)[0].sets[0]


def tree_of(segments: list[str], group: str, version: str) -> Instance:
    return set_of(segments, group, version).tree()

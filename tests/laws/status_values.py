"""Values, and the way through bytes and back, that the laws of claim status and of claim reports share."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from x12 import codes, guides
from x12.acknowledge import sealed
from x12.documents.binding import Document
from x12.documents.parts import Header
from x12.documents.writing import Written
from x12.envelope import TransactionSet, read
from x12.syntax import CANONICAL, STANDARD, InterchangeHeader, translate
from x12.walk import Instance

HEADER = Header("0001", "REF20260105", "20260105", "0930")
ENVELOPE = InterchangeHeader("ZZ", "SENDER", "ZZ", "RECEIVER", "260105", "0930", 1, "T")
# Some of what other files use as delimiters is data here; one of each kind stays free.
LETTERS = string.ascii_letters + string.digits + " *:^>-.,'&()/#+=$"
QUALIFIERS = ("AD", "ER", "HC", "HP", "IV", "NU", "WK")
# Fields that only say in words what a code says, or that follow from other fields.
WORDS = ("Value", "entity", "secondaryEntity", "tertiaryEntity", "serviceIdQualifier")


def text(longest: int, shortest: int = 1) -> st.SearchStrategy[str]:
    """A value of X12's character set, without spaces around it."""
    drawn = st.text(LETTERS, min_size=shortest, max_size=longest)
    return drawn.map(lambda s: s.strip()).filter(lambda s: len(s) >= shortest)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


days: st.SearchStrategy[str] = st.dates(date(1950, 1, 1), date(2040, 12, 31)).map(lambda d: f"{d:%Y%m%d}")
periods: st.SearchStrategy[str] = days | st.tuples(days, days).map(lambda pair: "-".join(sorted(pair)))
amounts: st.SearchStrategy[str] = st.integers(0, 10**9 - 1).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
categories = st.sampled_from(sorted(codes.table("claim_status_category")))
statuses = st.sampled_from(sorted(codes.table("claim_status")))
modifiers = st.lists(text(2, 2), min_size=1, max_size=4)


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
    interchange = read(sealed(body, ENVELOPE).encode("ascii"))[0]
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
        for interchange in read(file.read_bytes()):
            for one in interchange.sets:
                if one.guide is not None and not any(f.severity == "error" and f.code != "4" for f in one.findings):
                    found.append((file.name, one))
    return found


def header_of(received_set: TransactionSet) -> Header:
    parts = next(s for s in received_set.segments if s.startswith("BHT")).split(received_set.delimiters.element)
    return Header(received_set.control_number, parts[3], parts[4], parts[5])


def plain(segments: list[str], one: TransactionSet | None = None) -> list[str]:
    """Segments with standard delimiters, without the trailer; of an HL only the level, which is what a place says."""
    texts = [translate(s, one.delimiters if one is not None else CANONICAL, STANDARD) for s in segments]
    return [f"HL*{t.split('*')[3]}" if t.startswith("HL*") else t for t in texts if not t.startswith("SE*")]


def mutated(draw: st.DrawFn, segments: list[str], alphabet: str = "A0²-:*^é\x00") -> list[str]:
    """Segments of a set with a few faults between header and trailer."""
    changed = list(segments)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(1, max(1, len(changed) - 2)))
        if at >= len(changed):
            continue
        match draw(st.sampled_from(("drop", "twice", "element", "swap"))):
            case "drop":
                del changed[at]
            case "twice":
                changed.insert(at, changed[at])
            case "swap":
                other = draw(st.integers(1, max(1, len(changed) - 2)))
                if other < len(changed):
                    changed[at], changed[other] = changed[other], changed[at]
            case _:
                parts = changed[at].split("*")
                parts[draw(st.integers(0, len(parts) - 1))] = draw(st.text(alphabet, max_size=9))
                changed[at] = "*".join(parts)
    return changed


def set_of(segments: list[str], group: str, version: str) -> TransactionSet:
    """A transaction set given as segments with standard delimiters, read from bytes."""
    head = sealed([], ENVELOPE)[:106]
    lines = [f"GS*{group}*SENDER*RECEIVER*20260105*0930*1*X*{version}", *segments, "GE*1*1", "IEA*1*000000001"]
    return read((head + "~".join(lines) + "~").encode("latin-1"))[0].sets[0]


def tree_of(segments: list[str], group: str, version: str) -> Instance:
    return set_of(segments, group, version).tree()

"""Laws of the guide linter: no table contradicts itself, and what a table leaves open is known, with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from x12 import guides
from x12.codes.lists import list_for
from x12.guides import Guide
from x12.guides.lint import ambiguities, contradictions, lint

TABLES = {file: key for key, file in sorted(guides.available().items(), reverse=True)}
DOCUMENT = Path(__file__).parents[2] / "docs" / "guides.md"


def documented() -> set[tuple[str, str, str]]:
    """The rows of the document: table, place, what is taken."""
    text = DOCUMENT.read_text("utf-8").partition("## What cannot be told apart")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)
    return {(file, place, taken) for file, place, taken in rows}


def known_lists(guide: Guide) -> set[str]:
    """The external lists of a guide that `x12.codes` knows, whichever code of the guide stands before them."""
    parts = [p for s in guide.segments for e in s.elements for p in (e, *e.components)]
    codes = {"", *(code for part in parts for code in part.codes or ())}
    names = {part.external for part in parts if part.external}
    return {name for name in names if any(list_for(name, code) for code in codes)}


def test_what_tables_leave_open_is_what_the_document_says() -> None:
    found = {(file, r.place, r.message) for file, key in TABLES.items() for r in ambiguities(guides.load(*key))}
    assert documented() == found


@pytest.mark.parametrize("file", TABLES)
def test_no_table_contradicts_itself(file: str) -> None:
    guide = guides.load(*TABLES[file])
    assert [] == contradictions(guide, lists=known_lists(guide))


def table(*lines: str) -> Guide:
    return guides.parse("\n".join(("guide X 270 HS  Name", "0100 ST R 1  Header", "  01 R  Code = 270", *lines)) + "\n")


def ref(codes: str, position: int = 200, name: str = "Number", usage: str = "S 1") -> list[str]:
    return [f"{position:04d} REF {usage}  {name}", f"  01 R  Qualifier{codes}", "  02 R  Value"]


@pytest.mark.parametrize(
    ("lines", "kind", "place"),
    [
        # Two places for one code, and nothing else to tell them apart.
        ([*ref(" = 1W EI"), *ref(" = EI SY", name="Other")], "hidden", "270 REF"),
        # The second position answers to a code that the first has too.
        ([*ref(" = EI"), *ref(" = EI", 300, "Later")], "hidden", "270 REF"),
        ([*ref(""), *ref("", 300, "Later")], "hidden", "270 REF"),
        ([*ref(" = EI"), *ref("", name="Any")], "rest", "270 REF"),
        (
            ["0200 PWK S 1  One", "  01 R  Kind = CT", "  02 R  Way = BM", "0200 PWK S 1  Two", "  01 R  Kind = CT", "  02 R  Way = EL"],
            "second element",
            "270 PWK",
        ),
        # A loop that repeats begins with a segment that may also stand inside it.
        (
            ["loop 2100 S >1  Names", "  0300 NM1 R 1  Name", "    01 R  Entity = PR", "  0400 NM1 S 1  Again", "    01 R  Entity = PR"],
            "inner",
            "2100 NM1",
        ),
        (["loop 2100 S 1  Names", "  0300 NM1 S 1  Name", "    01 R  Entity = PR"], "opener", "2100"),
        (["loop 2100 S 1  Names", "  0300 NM1 R 2  Name", "    01 R  Entity = PR"], "opener", "2100"),
        (ref(" = LONGER"), "code", "270 REF01"),
        (["0200 REF S 1  Number", "  01 R  Qualifier = EI", "  02 R 1/99  Value"], "length", "270 REF02"),
        (["0200 REF S 1  Number", "  01 R x2  Qualifier = EI", "  02 R  Value"], "repeat", "270 REF01"),
        (["0200 REF S 0  Number", "  01 R  Qualifier = EI", "  02 R  Value"], "repeat", "270 Number"),
        (["0200 REF S 1  Number"], "usage", "270 REF"),
        (
            ["0200 HI S 1  Codes", "  01 R  Code", "  01-1 R  Kind = BK", "  01-2 R  Code", "  02 N  Code", "  02-1 R  Kind = BK"],
            "usage",
            "270 HI02-1",
        ),
        (["0200 HI S 1  Codes", "  01 R  Code", "  01-1 S  Kind = BK", "  01-2 S  Code"], "usage", "270 HI01"),
        (["0200 NM1 S 1  Name", "  01 R  Entity = PR", "  02 R  Type = 1", "  08 R  Kind = MI"], "note", "270 NM1"),
        (["0200 REF S 1  Number", "  01 R  Qualifier = EI"], "note", "270 REF"),
        (["0200 HI S 1  Codes", "  01 R  Code", "  01-1 R  Kind = BK", "  01-2 R  Code", "  01-3 S  Format = D8"], None, ""),
        (["0200 HI S 1  Codes", "  01 R  Code", "  01-1 R  Kind = BK", "  01-2 R  Code", "  01-3 R  Format = D8"], "note", "270 HI01"),
        (["0200 DTP S 1  Day", "  01 R  Kind = 472", "  02 R  Format", "  03 R  Day"], "period", "270 DTP"),
        (["0200 REF S 1  Number", "  01 R  Qualifier = EI", "  02 R  Value = <nobody>"], "list", "270 REF02"),
        (ref(" = EI"), None, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_or_open_is_found_at_its_place(lines: list[str], kind: str | None, place: str) -> None:
    found = lint(table(*lines), lists={"state"})
    assert ([(kind, place)] if kind else []) == [(r.kind, r.place) for r in found]


def test_a_list_may_be_any_where_none_is_given() -> None:
    guide = table("0200 REF S 1  Number", "  01 R  Qualifier = EI", "  02 R  Value = <nobody>")
    assert [] == lint(guide)
    assert ["list"] == [r.kind for r in lint(guide, lists=())]

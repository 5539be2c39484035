"""The dialect's tables as values: one row a JSON path, with the place that the table names for it.

`CLAIMWIRE_DIALECT` names the folder, else it is looked for beside `CLAIMWIRE_CORPUS`. The tables are interface facts of others and
are not in this repository; without the folder the tests that walk them are skipped and say so.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Column", "Row", "folder", "leaves", "rows", "samples"]

_WHERE = re.compile(r"(?:(\d{4}[A-Z]{0,2}) )?([\w,-]+)")
_ELEMENT = re.compile(r"([A-Z][A-Z0-9]{1,2}?)(\d\d)?(?:-0?(\d+))?")
# Misspelt or cut short in the tables.
_SEGMENTS = {"MN1": "NM1", "NM": "NM1", "ATM": "AMT", "CR": "CR2", "SDV": "SVD"}


class Column(NamedTuple):
    """What the column `x12` says: a loop, "" where it says none, and elements as (segment, element, component), 0 for any."""

    loop: str
    elements: tuple[tuple[str, int, int], ...]


class Row(NamedTuple):
    """One path of a table. `told` is its column `x12`, `column` the same taken apart, None where it names no segment.

    `required` says that every answer of a service has it where what it is in is there.
    """

    path: str
    type: str
    told: str
    required: bool = False

    @property
    def column(self) -> Column | None:
        match = _WHERE.fullmatch(self.told)
        if match is None:
            return None
        found = [_ELEMENT.fullmatch(item) for item in match[2].split(",")]
        elements = tuple(_element(e) for e in found if e is not None and e[1] != "ISA")
        return Column(match[1] or "", elements) if elements else None


def _element(found: re.Match[str]) -> tuple[str, int, int]:
    # `PER04-06` are elements, and any pair of a PER may hold the number.
    segment = _SEGMENTS.get(found[1], found[1])
    return (segment, 0, 0) if segment == "PER" else (segment, int(found[2] or 0), int(found[3] or 0))


def folder() -> Path:
    """The folder of the tables; skips the test that asks where there is none."""
    named = os.environ.get("CLAIMWIRE_DIALECT")
    corpus = os.environ.get("CLAIMWIRE_CORPUS")
    found = Path(named) if named else Path(corpus).parent / "dialect" if corpus else None
    if found is None or not found.is_dir():
        pytest.skip(
            "CLAIMWIRE_DIALECT names no folder with the dialect's tables, and beside CLAIMWIRE_CORPUS there is none"
        )
    return found


@cache
def rows(table: str) -> tuple[Row, ...]:
    """Every row of a table, in its order."""
    head, *lines = (folder() / f"{table}.tsv").read_text("utf-8").splitlines()
    names = head.split("\t")
    cells = [dict(zip(names, line.split("\t"), strict=False)) for line in lines]
    return tuple(Row(c["path"], c["type"], c.get("x12", ""), bool(c.get("required"))) for c in cells)


def leaves(table: str) -> tuple[Row, ...]:
    """The rows of a table that hold values: no objects and no lists."""
    return tuple(r for r in rows(table) if r.type not in ("object", "array"))


def samples() -> Path:
    """The folder of recorded answers and requests."""
    return folder() / "samples"

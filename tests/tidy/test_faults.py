"""Each of the faults that Claimwire is built for has a test by its number: `test_f07_...`, or `test_f19_f20_...` for two of them.

What each is, and what is expected of it: docs/faults.md.
"""

from __future__ import annotations

import re
from functools import cache

from tests.tidy.tree import functions, modules, parsed, text

FAULTS = range(1, 49)
_NUMBERS = re.compile(r"test((?:_f\d{2})+)_")
_ROW = re.compile(r"^\| F(\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


@cache
def by_number() -> dict[int, list[str]]:
    """The tests of each fault."""
    found: dict[int, list[str]] = {}
    for name in modules("tests"):
        for function in functions(parsed(name)):
            named = _NUMBERS.match(function.name)
            for number in re.findall(r"\d{2}", named[1]) if named else ():
                found.setdefault(int(number), []).append(f"{name}: {function.name}")
    return found


def test_every_fault_has_a_test_by_its_number() -> None:
    assert [] == [f"F{number}" for number in FAULTS if number not in by_number()]


def test_no_test_names_a_fault_that_is_none() -> None:
    assert {} == {number: names for number, names in by_number().items() if number not in FAULTS}


def test_the_document_has_every_fault_and_no_other() -> None:
    rows = _ROW.findall(text("docs/faults.md"))
    assert [str(number) for number in FAULTS] == [row[0] for row in rows]

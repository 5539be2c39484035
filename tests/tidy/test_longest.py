"""What the list of the longest files says is there."""

from __future__ import annotations

from tests.longest import LONGEST
from tests.tidy.tree import modules


def test_the_files_that_begin_first_exist_and_are_named_once() -> None:
    assert [] == [name for name in LONGEST if name not in modules("tests")]
    assert len(LONGEST) == len(set(LONGEST))

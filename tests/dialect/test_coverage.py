"""The dialect's tables, path by path: carried both ways at a place of the guide, or left out for a reason; the pages say so."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.corpus.report import UNEXPLAINED
from tests.dialect import report, tables
from tests.dialect.subjects import PROBES, SUBJECTS

TABLES = tuple(dict.fromkeys(s.table for s in SUBJECTS))


@pytest.fixture(autouse=True)
def _tables() -> None:
    """Skips, and says so, where the tables are not at hand."""
    tables.folder()


@pytest.mark.parametrize("table", TABLES)
def test_every_path_is_carried_or_left_out_for_a_reason(table: str) -> None:
    found = report.covered(table)
    assert len(tables.leaves(table)) == len(found) > 40
    assert [] == [c.row.path for c in found if not c.carried and c.left is None]


@pytest.mark.parametrize("table", TABLES)
def test_what_is_said_to_be_filled_is_filled(table: str) -> None:
    assert [] == [c.row.path for c in report.covered(table) if c.left is not None and c.left.seen and not c.seen]
    assert [] == [c.row.path for c in report.covered(table) if c.left is not None and c.seen and not c.left.seen]


@pytest.mark.parametrize("table", PROBES)
def test_every_path_of_a_request_that_is_read_is_written_where_it_is_read_from(table: str) -> None:
    assert [] == [c.row.path for c in report.covered(table) if report.one_way(table, c) == UNEXPLAINED]
    both = Counter(c.both for c in report.covered(table) if c.places)
    assert both[True] > 40 * both[False]


@pytest.mark.parametrize("table", TABLES)
def test_a_place_is_the_one_that_the_table_names_or_there_is_a_reason(table: str) -> None:
    assert [] == [c.row.path for c in report.covered(table) if report.elsewhere(table, c) == UNEXPLAINED]


@pytest.mark.parametrize("name", report.PAGES)
def test_a_page_is_what_the_run_comes_to(name: str) -> None:
    told = (report.DOCUMENTS / f"{name}.md").read_text("utf-8")
    assert report.render(name) == told, "run python -m tests.dialect.report, and read what it changed"


def test_no_reason_speaks_of_what_is_not_there() -> None:
    assert [] == report.idle()

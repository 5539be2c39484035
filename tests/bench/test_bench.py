"""The benches run, and count right. How fast anything is is not asserted here: `make bench` does that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.bench import files, service
from tests.bench.__main__ import QUICK, ledger_rows, postgresql_rows, roads_rows, scale_rows, validation_rows
from tests.bench.processes import result_of
from tests.bench.validation import Judged
from tests.engines import postgresql_missing


def test_both_validators_accept_the_files_as_made(tmp_path: Path) -> None:
    rows = list(validation_rows(tmp_path, QUICK))
    assert [None] * 3 * len(files.FILES) == [row.fault for row in rows]
    judged = [msgspec.convert(result_of("validation", "ours", str(p)), Judged) for p in sorted(tmp_path.iterdir())]
    assert [(True, 0)] * len(files.FILES) == [(j.accepted, j.errors) for j in judged]


def test_both_validators_refuse_the_files_with_an_error_in_each_claim(tmp_path: Path) -> None:
    rows = list(validation_rows(tmp_path, QUICK, wrong=True))
    assert [None] * 2 * len(files.FILES) == [row.fault for row in rows]
    for file in files.FILES:
        judged = msgspec.convert(result_of("validation", "ours", str(tmp_path / f"{file.name}.x12")), Judged)
        assert not judged.accepted
        assert judged.errors >= round(file.claims * QUICK.share)


def test_the_other_benches_of_judging_run(tmp_path: Path) -> None:
    rows = list(scale_rows(tmp_path, QUICK))
    assert 6 <= len(rows)
    assert all(row.ours > 0 and row.peer > 0 and row.good for row in rows)


def test_every_answer_that_is_counted_is_in_the_ledger() -> None:
    for bench in service.BENCHES:
        done = service.measure(bench, 1, QUICK.seconds, QUICK.connections)
        assert 0 <= done.ours.answered <= done.told
        assert 0 < done.told == done.kept
        assert 0 < done.peer.answered <= done.peer.answers["200"]


def test_the_benches_of_the_ledger_run() -> None:
    rows = list(ledger_rows(QUICK))
    assert 7 == len(rows)
    assert all(row.ours >= 0 and row.peer > 0 and row.good for row in rows)


def test_the_benches_of_roads_run() -> None:
    rows = list(roads_rows(QUICK))
    assert 3 == len(rows)
    assert all(row.ours > 0 and row.peer > 0 and row.good for row in rows)


@pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
def test_the_benches_of_postgresql_run() -> None:
    rows = list(postgresql_rows(QUICK))
    assert 4 == len(rows)
    assert all(row.ours > 0 and row.peer > 0 and row.good for row in rows)

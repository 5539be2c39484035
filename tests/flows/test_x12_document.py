"""Every block of Python in docs/x12.md runs as it is, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import x12
from tests import synthetic
from tests.tidy.tree import blocks

pytestmark = pytest.mark.one_engine

BLOCKS = blocks("docs/x12.md", "python")


def test_the_document_has_blocks_and_the_first_reads_a_remittance_in_five_lines() -> None:
    assert 7 <= len(BLOCKS)
    assert 5 == len([line for line in BLOCKS[0].splitlines() if line.strip()])


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    claims = synthetic.claims_837p(3).encode()
    Path("835.x12").write_text(synthetic.remittance_835(2))
    Path("837.x12").write_bytes(claims)
    (interchange,) = x12.read(claims)
    known: dict[str, Any] = {"data": claims, "interchange": interchange, "received": interchange.sets[0]}
    told: list[str] = []
    for block in BLOCKS:
        exec(compile(block, "docs/x12.md", "exec"), known)
        told.append(capsys.readouterr().out)
    remittance, judged, *_ = told
    (paid,) = (s for i in x12.read(Path("835.x12").read_bytes()) for s in i.sets)
    assert paid.segments[1].split("*")[2] in remittance
    assert "837 0001 accepted" in judged
    assert 3 == next(t for t in told if "837P" in t).count("837P")
    assert "CLM*VISIT-1002*" in "".join(told)


def test_the_face_of_the_package_is_whole() -> None:
    assert [] == [name for name in x12.__all__ if not hasattr(x12, name)]
    assert set(x12.__all__) <= set(dir(x12))
    with pytest.raises(AttributeError):
        x12.nothing_of_the_kind  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # noqa: B018

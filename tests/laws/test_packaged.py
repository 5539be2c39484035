"""Laws of the files that come with our packages: they are read as `importlib.resources` reads them, from an archive too."""

from __future__ import annotations

import importlib
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from x12 import packaged

PLACES = [("x12.guides", ".guide"), ("x12.guides", ".standard"), ("x12.situations", ".rules"), ("x12.codes", ".codes")]


@pytest.mark.parametrize(("package", "ending"), PLACES)
def test_files_are_what_the_import_system_says(package: str, ending: str) -> None:
    folder = resources.files(importlib.import_module(package))
    there = {e.name: e.read_text("utf-8") for e in folder.iterdir() if e.name.endswith(ending)}
    assert there
    assert sorted(there) == packaged.names(package, ending)
    assert there == {name: packaged.text(package, name) for name in there}


def test_a_package_in_an_archive_has_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("packed_for_a_test/__init__.py", "")
        file.writestr("packed_for_a_test/b.guide", "zwei\r\nTeile ä\n")
        file.writestr("packed_for_a_test/a.guide", "eins")
        file.writestr("packed_for_a_test/a.rules", "")
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    importlib.import_module("packed_for_a_test")
    try:
        assert ["a.guide", "b.guide"] == packaged.names("packed_for_a_test", ".guide")
        assert "zwei\nTeile ä\n" == packaged.text("packed_for_a_test", "b.guide")
        with pytest.raises(OSError, match=r"c\.guide"):
            packaged.text("packed_for_a_test", "c.guide")
    finally:
        del sys.modules["packed_for_a_test"]


def test_a_file_that_is_not_there_is_missed() -> None:
    with pytest.raises(FileNotFoundError):
        packaged.text("x12.codes", "no_such_list.codes")

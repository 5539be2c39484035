"""Laws of the files that come with our packages: they are read as `importlib.resources` reads them, from an archive too."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from x12 import guides, packaged

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


class Kept:
    """A package with two files, and what is made of them and kept."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "kept_for_a_test"
        self.folder.mkdir()
        for name in ("__init__.py", "a.guide", "b.guide"):
            (self.folder / name).write_text("", "ascii")
        self.made = 0
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        monkeypatch.setattr(sys, "pycache_prefix", str(folder / "bytecode"))
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        monkeypatch.delitem(sys.modules, "kept_for_a_test", raising=False)
        importlib.invalidate_caches()
        importlib.import_module("kept_for_a_test")

    def get(self) -> dict[str, int]:
        def make() -> dict[str, int]:
            self.made += 1
            return {"made": self.made}

        return packaged.kept(
            "kept_for_a_test", "a.guide", [("kept_for_a_test", n) for n in ("a.guide", "b.guide")], make
        )

    @property
    def file(self) -> Path:
        (found,) = self.folder.parent.glob("bytecode/**/*.kept")
        return found


def test_what_was_made_is_kept_for_the_next_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, monkeypatch)
    assert [{"made": 1}] * 3 == [kept.get() for _ in range(3)]
    assert sys.implementation.cache_tag in kept.file.name


def test_it_is_made_anew_once_a_file_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, monkeypatch)
    kept.get()
    file = kept.folder / "b.guide"
    for number, text in enumerate(("more", "less"), 2):
        # As a package of the next release may have it: as long as before, and of the same time.
        file.write_text(text, "ascii")
        os.utime(file, (0, 0))
        assert [{"made": number}] * 2 == [kept.get(), kept.get()]


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_what_is_damaged_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    kept = Kept(tmp_path, monkeypatch)
    kept.get()
    content = kept.file.read_bytes()
    kept.file.write_bytes(content[:-3] if damage == "cut" else b"something else")
    assert [{"made": 2}] * 2 == [kept.get(), kept.get()]


def test_nothing_is_kept_where_bytecode_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [{"made": 1}, {"made": 2}] == [kept.get(), kept.get()]
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # A folder that is a file: nothing can be written, and nothing is said of it.
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "file"))
    assert [{"made": 3}, {"made": 4}] == [kept.get(), kept.get()]


def test_guides_and_rules_out_of_the_kept_are_those_of_the_texts(tmp_path: Path) -> None:
    """Two processes, the second of which parses nothing; what they know of every guide is the same."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    told = [
        subprocess.run(
            [sys.executable, "-c", _TOLD], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    (first, *parsed), (second, *kept) = (text.splitlines() for text in told)
    assert ["parsed", "kept"] == [first, second]
    assert parsed == kept
    assert len(guides.available()) == len(kept)


_TOLD = """
import msgspec
import x12.guides as guides, x12.situations as situations
parsed = []
for module in (guides, situations):
    def parse(*given, own=module.parse):
        parsed.append(given[-1])
        return own(*given)
    module.parse = parse
told = []
for key in sorted(guides.available()):
    guide = guides.load(*key)
    segments = [(repr(s), s.elements, s.notes, s.loop.id, s.qualifier) for s in guide.segments]
    told.append(f"{key} {msgspec.json.encode((segments, situations.rules(guide)), order='deterministic').decode()}")
print("parsed" if parsed else "kept")
print(*told, sep="\\n")
"""


def test_a_file_that_is_not_there_is_missed() -> None:
    with pytest.raises(FileNotFoundError):
        packaged.text("x12.codes", "no_such_list.codes")

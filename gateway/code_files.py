"""Loaded code lists: one `NAME.codes` file each in the data folder's `codes/`, over the lists that come with Claimwire.

It is made of the editions that were loaded, which lie in `codes/editions` as they were read.

A process reads them once, when it starts (`use`), and judges by them (`current`) until it ends.
"""

from __future__ import annotations

import os
from functools import partial, reduce
from pathlib import Path

from x12.codes.listing import CodeList, ListError, merge, parse, render
from x12.codes.lists import Lists, is_loadable, shipped
from x12.codes.published import read

__all__ = ["BYTES_MAX", "CodeFileError", "current", "lists_in", "load", "remove", "use"]

BYTES_MAX = 256 << 20
_SUFFIX = ".codes"
_EDITIONS = "editions"


class CodeFileError(ValueError):
    """A file of codes cannot be used; the message says which, and what is wrong with it."""


def _read(path: Path) -> CodeList:
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ListError) as error:
        raise CodeFileError(f"{path.name}: {error}; load the list again, or remove it") from error


def lists_in(folder: Path) -> Lists:
    """The lists in force where these were loaded; CodeFileError for a file that is damaged. Other files are left alone."""
    found = {p.stem: p for p in sorted(folder.glob(f"*{_SUFFIX}")) if is_loadable(p.stem)}
    lists = shipped().with_loaded({name: partial(_read, path) for name, path in found.items()})
    for name in found:
        lists.codes(name)
    return lists


def load(folder: Path, source: Path, name: str = "", since: str = "", until: str = "") -> dict[str, CodeList]:
    """Put a published file with what was loaded before; what is then known of each list in it, by name.

    Every edition is kept as it was read, so that they may come in any order. Nothing is changed where the file cannot be read
    as a whole. CodeFileError says why.
    """
    found: dict[str, CodeList] = {}
    for one, codes in _published(source, name, since, until).items():
        first, last = codes.covers[0]
        editions = {p.name: _read(p) for p in (folder / _EDITIONS).glob(f"{one}.*{_SUFFIX}")}
        this = f"{one}.{first or 'all'}-{last or 'on'}{_SUFFIX}"
        editions[this] = codes
        found[one] = reduce(merge, sorted(editions.values(), key=lambda c: (c.covers[0][0], c.covers[-1][1] or "9")))
        _write(folder / _EDITIONS / this, render(codes, f"Read from {source.name}."))
        _write(folder / f"{one}{_SUFFIX}", render(found[one], f"Made of the files in {_EDITIONS}."))
    return found


def _published(source: Path, name: str, since: str, until: str) -> dict[str, CodeList]:
    try:
        if source.stat().st_size > BYTES_MAX:
            raise CodeFileError(f"{source.name}: larger than {BYTES_MAX >> 20} MB: no code list is")
        content = source.read_bytes()
    except OSError as error:
        raise CodeFileError(f"{source.name}: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    try:
        return read(text, source.name, name, since, until)
    except ListError as error:
        raise CodeFileError(f"{source.name}: {error}") from error


def remove(folder: Path, name: str) -> bool:
    """Forget what was loaded of a list; whether there was any."""
    path = folder / f"{name}{_SUFFIX}"
    if not is_loadable(name) or not path.exists():
        return False
    path.unlink()
    for edition in (folder / _EDITIONS).glob(f"{name}.*{_SUFFIX}"):
        edition.unlink()
    return True


def _write(path: Path, text: str) -> None:
    """Either the whole new file is there afterwards, or the old one still is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_in_force: list[Lists] = []


def use(folder: Path) -> Lists:
    """Judge by the lists of this folder from now on, in this process."""
    lists = lists_in(folder)
    _in_force[:] = [lists]
    return lists


def current() -> Lists:
    """The lists this process judges by: those of `use`, else those that come with Claimwire."""
    return _in_force[0] if _in_force else shipped()

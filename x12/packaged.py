"""The text files that come with a package of ours: guides, rules, code lists; and what was made of them, for the next process.

`importlib.resources` says the same, but imports pathlib, tempfile, shutil and zipfile first, which takes as long as reading a guide.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterable
from importlib.util import cache_from_source
from typing import Any, TypeVar
from zlib import crc32

__all__ = ["kept", "names", "text"]

T = TypeVar("T")
# What reading a file that is not there, and unpickling one that is damaged, raises (the library's own list, and what classes add).
_UNUSABLE = (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError, ValueError)


def names(package: str, ending: str) -> list[str]:
    """The names of a package's files with this ending, sorted."""
    try:
        with os.scandir(_folder(package)) as entries:
            found = [entry.name for entry in entries]
    except OSError:
        # A package in an archive has no folder.
        from importlib import resources

        found = [entry.name for entry in resources.files(package).iterdir()]
    return sorted(name for name in found if name.endswith(ending))


def text(package: str, name: str) -> str:
    """One of its files; FileNotFoundError or another OSError where there is none."""
    spec = sys.modules[package].__spec__
    read = getattr(spec and spec.loader, "get_data", None)
    if read is None:
        raise FileNotFoundError(f"{package} cannot be asked for its files")
    content: bytes = read(f"{_folder(package)}{os.sep}{name}")
    return content.decode("utf-8").replace("\r\n", "\n")


def kept(package: str, name: str, of: Iterable[tuple[str, str]], make: Callable[[], T]) -> T:
    """What `make` makes out of files, each a package and a name: an earlier process kept it, under `name`, beside the package's bytecode.

    It is like bytecode: heeding PYTHONDONTWRITEBYTECODE and PYTHONPYCACHEPREFIX, kept nowhere where nothing can be written, and trusted
    as code is. But it is made anew once a file says something else, whatever its time: packages have files of one time in all releases.
    It must be picklable.
    """
    loader: Any = getattr(sys.modules[package].__spec__, "loader", None)
    if not hasattr(loader, "set_data"):
        return make()
    place = f"{cache_from_source(f'{_folder(package)}{os.sep}{name}.py').removesuffix('.pyc')}.kept"
    texts: list[bytes] = [loader.get_data(f"{_folder(of_package)}{os.sep}{file}") for of_package, file in of]
    mark = f"{[(len(text), crc32(text)) for text in texts]}\n".encode()
    try:
        content: bytes = loader.get_data(place)
        if content.startswith(mark):
            return pickle.loads(memoryview(content)[len(mark) :])  # noqa: S301 - from where our code is
    except _UNUSABLE:
        # Not there, or damaged: it is made, and kept in the place of that.
        pass
    made = make()
    if not sys.dont_write_bytecode:
        # Writes to another name, then renames; and not at all where that is forbidden.
        loader.set_data(place, mark + pickle.dumps(made, pickle.HIGHEST_PROTOCOL))
    return made


def _folder(package: str) -> str:
    return sys.modules[package].__path__[0]

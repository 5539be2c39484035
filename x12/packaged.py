"""The text files that come with a package of ours: guides, rules, code lists.

`importlib.resources` says the same, but imports pathlib, tempfile, shutil and zipfile first, which takes as long as reading a guide.
"""

from __future__ import annotations

import os
import sys

__all__ = ["names", "text"]


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


def _folder(package: str) -> str:
    return sys.modules[package].__path__[0]

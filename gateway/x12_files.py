"""The files that `claimwire x12` reads and writes: paths and `-`, in pieces, with progress on a terminal, and what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "ACCEPTED",
    "FINDINGS",
    "STANDARD_INPUT",
    "UNREADABLE",
    "Unreadable",
    "chunks",
    "content",
    "put",
    "shown_name",
]

# The exit codes of every x12 command.
ACCEPTED, FINDINGS, UNREADABLE = 0, 1, 2
STANDARD_INPUT = "-"
_CHUNK_BYTES = 1 << 18
# What takes less than a blink is read without a progress bar.
_PROGRESS_BYTES_MIN = 8 << 20


class Unreadable(Exception):
    """A file that cannot be read or holds no X12: says why and what to do, never what is in it."""


def shown_name(name: str) -> str:
    """What a source is called in what is printed."""
    return "<standard input>" if name == STANDARD_INPUT else name


def chunks(name: str) -> Iterator[bytes]:
    """The bytes of a file, or of standard input for `-`, piece by piece. Unreadable where it cannot be opened or read."""
    if name == STANDARD_INPUT:
        yield from _pieces(sys.stdin.buffer)
        return
    path = Path(name)
    try:
        if path.is_dir():
            raise Unreadable("is a folder: name the files in it")
        with path.open("rb") as file:
            size = path.stat().st_size
            if size >= _PROGRESS_BYTES_MIN and sys.stderr.isatty():
                yield from _watched(file, size, name)
            else:
                yield from _pieces(file)
    except FileNotFoundError:
        raise Unreadable("does not exist: check the name") from None
    except PermissionError:
        raise Unreadable("may not be read by this user") from None
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or 'an input error'}") from None


def content(name: str) -> bytes:
    """All bytes of a source."""
    return b"".join(chunks(name))


def put(path: Path, parts: Iterable[str] | Iterable[bytes]) -> None:
    """Write a file, whole or not at all: beside it first, then in its place. Unreadable where that cannot be done."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            for part in parts:
                file.write(part if isinstance(part, bytes) else part.encode("utf-8"))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Unreadable(f"cannot be written: {error.strerror or 'an output error'}") from None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK_BYTES):
        yield piece


def _watched(file: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    """The pieces, with a bar on standard error that goes away at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(Path(name).name, total=size)
        for piece in _pieces(file):
            yield piece
            progress.advance(task, len(piece))

"""What the commands of `claimwire x12` have in common: files and `-`, in pieces, with progress; options; and the exit code.

Files are read part by part and written whole or not at all. A file that cannot be read is told on standard error and does not
stop the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from gateway.terminal import pieces_of_json, plain

if TYPE_CHECKING:
    from rich.console import Console

    from x12.codes.lists import Lists
    from x12.envelope import Interchange, TransactionSet

__all__ = [
    "ACCEPTED",
    "FINDINGS",
    "NO_INTERCHANGE",
    "STANDARD_INPUT",
    "UNREADABLE",
    "AsJson",
    "Files",
    "Judged",
    "Out",
    "Unreadable",
    "complain",
    "console_of",
    "content",
    "interchanges_of",
    "parts",
    "put",
    "put_out",
    "shown_name",
    "written",
    "written_json",
]

Files = Annotated[list[str], typer.Argument(help="Files, or - for standard input.", metavar="FILE...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for each file.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")]

NO_INTERCHANGE = "holds no X12 interchange: one begins with ISA and ends with IEA"

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


# --- what commands do with them --------------------------------------------------------------------------------------


class Judged:
    """What a command has to say at its end: the worst of what it met."""

    def __init__(self) -> None:
        self.code = ACCEPTED

    def add(self, code: int) -> None:
        self.code = max(self.code, code)

    def leave(self) -> None:
        raise typer.Exit(self.code)


def console_of(*, errors: bool = False) -> Console:
    """Coloured on a terminal that wants it (NO_COLOR is honoured), plain elsewhere."""
    from rich.console import Console

    return Console(stderr=errors, highlight=False, markup=False, emoji=False)


def complain(name: str, error: Unreadable) -> None:
    """Tell on standard error what is wrong with a file."""
    typer.echo(plain(f"{shown_name(name)}: {error}."), err=True)


def written(text: str) -> None:
    """Print text as it is."""
    typer.echo(text, nl=False)


def written_json(text: str) -> None:
    """Print JSON, or a piece of it, in which what a terminal would obey is escaped."""
    written(pieces_of_json(text))


def parts(
    name: str,
    data: bytes | None = None,
    *,
    keep: bool = True,
    levels: Iterable[int] | None = None,
    lists: Lists | None = None,
    companions: Sequence[str] = (),
) -> Iterator[TransactionSet | Interchange]:
    """The parts of a file as they are complete. Unreadable, at the end, where it holds no interchange at all.

    `data` are its bytes where they were read already; the rest is as for `x12.stream`.
    """
    from x12.envelope import Interchange, stream
    from x12.judging import LEVELS

    found = False
    source = chunks(name) if data is None else data
    chosen = LEVELS if levels is None else levels
    for part in stream(source, levels=chosen, lists=lists, companions=companions, keep=keep):
        if isinstance(part, Interchange):
            found = found or any(part.elements)
        yield part
    if not found:
        raise Unreadable(NO_INTERCHANGE)


def put_out(out: Path, said: Iterable[str], judged: Judged) -> None:
    """Write the file that `--out` names."""
    try:
        put(out, said)
    except Unreadable as error:
        complain(str(out), error)
        judged.add(UNREADABLE)


def interchanges_of(name: str, *, keep: bool = True) -> Iterator[Interchange]:
    """The interchanges of a file."""
    from x12.envelope import Interchange

    for part in parts(name, keep=keep):
        if isinstance(part, Interchange) and any(part.elements):
            yield part

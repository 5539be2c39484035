"""File systems of a test's own, really full or really read-only: a small tmpfs, or an ext4 in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["errs", "filled", "image", "mounted"]

_PIECE = bytes(1 << 16)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")


@contextmanager
def mounted(place: Path, *options: str) -> Generator[Path]:
    """A file system at a place for as long as the context lasts; the test is skipped where none can be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    place.mkdir(exist_ok=True)
    try:
        _run("mount", *options, str(place))
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield place
    finally:
        _run("umount", str(place))


def image(path: Path, size: int) -> Path:
    """An ext4 in a file, which turns read-only at an error of its disk."""
    path.write_bytes(b"")
    os.truncate(path, size)
    try:
        _run("mkfs.ext4", "-q", "-F", str(path))
    except OSError as error:
        pytest.skip(f"no ext4 can be made here: {error}")
    return path


def errs(place: Path) -> None:
    """The disk under an ext4 has an error: from now on nothing can be written on it."""
    device = subprocess.run(
        ("findmnt", "-no", "SOURCE", str(place)), capture_output=True, text=True, check=True
    ).stdout.strip()
    trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    if not trigger.exists():
        pytest.skip("this kernel cannot pretend an error of an ext4")
    trigger.write_text("1")


def filled(place: Path, leaving: int = 0) -> Callable[[], None]:
    """Take all the room there is but for so many bytes; what it gives makes room again."""
    filler = place / "filler"
    if leaving:
        filler.write_bytes(bytes(shutil.disk_usage(place).free - leaving))
        return filler.unlink
    with filler.open("wb", buffering=0) as file:
        piece = _PIECE
        while piece:
            try:
                if file.write(piece) < len(piece):
                    piece = piece[: len(piece) // 2]
            except OSError:
                piece = piece[: len(piece) // 2]
    return filler.unlink

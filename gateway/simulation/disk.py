"""A disk that loses what was not synced when the power goes: a VFS of SQLite's over real files.

Writes reach the file at once, as they reach an operating system's cache. What was there before is remembered until a sync; a power cut
takes back each sector of 512 bytes that was not synced, or does not, by chance. Each file is held to be named in its folder once
it is made: losing the name too is not simulated.

Sources: sqlite.org/vfs.html; sqlite.org/atomiccommit.html, "Assumptions" (a sector is written whole or not at all).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import apsw

__all__ = ["PowerDisk"]

_SECTOR = 512
_numbers = itertools.count(1)
# Offset, what was there before, what was written. A write of nothing at an offset is a file cut there.
_Write = tuple[int, bytes, bytes | None]


class _File(apsw.VFSFile):
    """An open file. `written` is shared by all who have it open."""

    def __init__(self, disk: PowerDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name if isinstance(name, str) else name.filename()
        self._disk = disk
        self._written = disk.unsynced.setdefault(path, [])
        self._open = True
        disk.opened += 1

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.passes("write")
        size, content = self.xFileSize(), bytes(data)
        if self._disk.full and offset + len(content) > size:
            self._disk.refused += 1
            raise apsw.FullError("no space")
        before = self.xRead(min(len(content), size - offset), offset) if offset < size else b""
        super().xWrite(content, offset)  # pyright: ignore[reportUnknownMemberType] - a type of a later Python
        self._written.append((offset, before, content))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.passes("truncate")
        size = self.xFileSize()
        before = self.xRead(size - newsize, newsize) if newsize < size else b""
        super().xTruncate(newsize)
        self._written.append((newsize, before, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.passes("sync")
        if self._disk.fails():
            raise apsw.IOError("the sync failed")
        self._written.clear()

    def xClose(self) -> None:  # noqa: N802
        if self._open:
            self._open = False
            self._disk.opened -= 1
        super().xClose()


class PowerDisk(apsw.VFS):
    """A disk by its `name` for SQLite. `cut_at` counts down writes and syncs to the one at which the power goes; `goes_out` is told then.

    `full` refuses what would make a file longer, `failing` is the share of syncs that fail. After a cut nothing can be written until `restore`, which needs every file closed.
    """

    def __init__(self, random: Random, goes_out: Callable[[str], None]) -> None:
        self.name = f"claimwire-power-{next(_numbers)}"
        super().__init__(self.name, "")
        self._random = random
        self._goes_out = goes_out
        self.unsynced: dict[str, list[_Write]] = {}
        self.opened = 0
        self.cut_at: int | None = None
        self.full = False
        self.failing = 0.0
        self.out = False
        # Writes that were refused for want of space, and syncs that failed.
        self.refused = self.failed = 0

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.passes("delete")
        self.unsynced.pop(filename, None)
        super().xDelete(filename, syncdir)

    def passes(self, what: str) -> None:
        """A point at which the power may go."""
        if self.cut_at is not None:
            self.cut_at -= 1
            if self.cut_at <= 0:
                self.cut(f"at a {what}")
        if self.out:
            raise apsw.IOError("the power is out")

    def fails(self) -> bool:
        """Whether a sync fails: what it was asked for is as little on the disk as before."""
        failed = self.failing > 0 and self._random.random() < self.failing
        self.failed += failed
        return failed

    def cut(self, where: str) -> None:
        """The power goes."""
        if not self.out:
            self.out, self.cut_at = True, None
            self._goes_out(where)

    def restore(self) -> None:
        """The power is back: the files hold what was synced, and by chance some sectors of the rest."""
        assert not self.opened, "a file of a machine without power is still open"
        for path, written in self.unsynced.items():
            self._settle(Path(path), written)
        self.unsynced.clear()
        self.out = False

    def _settle(self, path: Path, written: list[_Write]) -> None:
        if not written or not path.exists():
            return
        # The index of the log is memory: it goes with the power, and the log is read anew.
        with suppress(FileNotFoundError):
            path.with_name(path.name.removesuffix("-wal") + "-shm").unlink()
        content = bytearray(path.read_bytes())
        for offset, before, data in reversed(written):
            if data is None or len(before) < len(data):
                content[offset:] = before
            else:
                content[offset : offset + len(data)] = before
        for offset, _, data in written:
            if data is None:
                if self._random.random() < 0.5:
                    del content[offset:]
                continue
            for start in range(0, len(data), _SECTOR):
                if self._random.random() < 0.5:
                    self._put(content, offset + start, data[start : start + _SECTOR])
        path.write_bytes(content)

    @staticmethod
    def _put(content: bytearray, offset: int, data: bytes) -> None:
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data

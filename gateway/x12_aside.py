"""Puts aside on disk what a command of `claimwire x12` needs again later, so that no file is held in memory.

What is put aside lies in a file without a name that only this process can read and that is gone with it. A set that was put
aside is read again when it is asked for: its segments from the file, their places by walking them once more.
"""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from x12.envelope import TransactionSet
    from x12.explaining import Explained

__all__ = ["Chapters", "SetsAside"]

# So much stays in memory after all: most files are no larger.
_MEMORY_BYTES = 4 << 20


class _Aside:
    """Values on disk, each found again by the place that `put` gave."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - it lives as long as this does
        weakref.finalize(self, self._file.close)
        self._end = 0

    def put(self, value: Any) -> int:
        """Keep a value."""
        place = self._end
        self._file.seek(place)
        pickle.dump(value, self._file, pickle.HIGHEST_PROTOCOL)
        self._end = self._file.tell()
        return place

    def get(self, place: int) -> Any:
        """A value that was put here."""
        self._file.seek(place)
        return pickle.load(self._file)  # noqa: S301 - what this process has written itself


class Chapters(Sequence["tuple[Explained, Iterator[Explained]]"]):
    """Every interchange explained, with its sets, which are read from disk one at a time."""

    def __init__(self) -> None:
        self._aside = _Aside()
        self._chapters: list[tuple[int, list[int]]] = []
        self._open: list[int] = []
        self.accepted = True

    def add_set(self, said: Explained) -> None:
        """One more set: its interchange comes behind it."""
        self._open.append(self._put(said))

    def add_interchange(self, said: Explained) -> None:
        """The interchange of the sets since the last one."""
        self._chapters.append((self._put(said), self._open))
        self._open = []

    def _put(self, said: Explained) -> int:
        self.accepted = self.accepted and said.accepted
        return self._aside.put(said)

    def __len__(self) -> int:
        return len(self._chapters)

    @overload
    def __getitem__(self, index: int) -> tuple[Explained, Iterator[Explained]]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Explained, Iterator[Explained]]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        interchange, sets = self._chapters[index]
        return self._aside.get(interchange), map(self._aside.get, sets)


class SetsAside(Sequence["TransactionSet"]):
    """The sets of a file. Of each only the verdict stays in memory; one that is asked for has its segments and their places."""

    def __init__(self) -> None:
        self._aside = _Aside()
        self._sets: list[tuple[TransactionSet, int]] = []

    def add(self, received: TransactionSet) -> None:
        """One more set, which loses its segments."""
        self._sets.append((received, self._aside.put(received.segments)))
        received.segments, received.nodes, received.findings = [], [], []

    def __len__(self) -> int:
        return len(self._sets)

    @overload
    def __getitem__(self, index: int) -> TransactionSet: ...
    @overload
    def __getitem__(self, index: slice) -> list[TransactionSet]: ...
    def __getitem__(self, index: int | slice) -> Any:
        from x12.walk import Walk, compiled

        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        received, place = self._sets[index]
        made = copy(received)
        made.segments = self._aside.get(place)
        if made.guide is not None:
            walk = Walk(compiled(made.guide, made.delimiters))
            walk.feed(made.segments)
            made.nodes = walk.nodes
        return made

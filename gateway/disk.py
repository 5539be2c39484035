"""The disk that the data is on: how much room it has, and whether that is too little to take new work.

What was taken must be able to come to its end: the last of the room is kept for outcomes, acknowledgements and remittances, and new work
is refused before it is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ["Disk", "Room"]

# A look is a system call, and good for so long.
_SEEN_SECONDS = 1.0


class Room(NamedTuple):
    """Bytes that are free for us, and that the disk has in all."""

    free: int
    total: int


class Disk:
    """Looks at the disk of a folder. `reserve` is how many bytes must stay free for new work to be taken; `clock` is in steady seconds."""

    def __init__(self, folder: Path, reserve: int, clock: Callable[[], float]) -> None:
        self._folder, self._reserve, self._clock = folder, reserve, clock
        self._seen: tuple[float, Room] | None = None

    @property
    def room(self) -> Room:
        """How much there is, as of a second ago at most."""
        now = self._clock()
        if self._seen is None or now >= self._seen[0] + _SEEN_SECONDS:
            said = os.statvfs(self._folder)
            self._seen = now, Room(said.f_bavail * said.f_frsize, said.f_blocks * said.f_frsize)
        return self._seen[1]

    @property
    def short(self) -> bool:
        """Whether the reserve is touched: no new work."""
        return self.room.free < self._reserve

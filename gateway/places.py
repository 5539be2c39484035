"""Places of the worker: what waits for payers takes its share of them, so that a slow one leaves room for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Places"]


class Places:
    """Who holds how many of so many places. A route may have more than its share as long as as many stay free for others."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._held: Counter[str] = Counter()

    @contextmanager
    def one(self, holder: str, share: int) -> Generator[bool]:
        """A place for as long as the context lasts; False where its holder has its share, and the rest is for others."""
        share = max(1, share)
        if self._held[holder] >= share and self._held.total() >= self.total - share:
            yield False
            return
        self._held[holder] += 1
        try:
            yield True
        finally:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

"""How many cases a law is tried on: its share in CI, or `CLAIMWIRE_CASES` times as many in a campaign."""

from __future__ import annotations

import os

__all__ = ["cases"]


def cases(count: int) -> int:
    """So many in CI."""
    return count * int(os.environ.get("CLAIMWIRE_CASES", "1"))

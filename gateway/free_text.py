"""What people write into fields that go into no X12: any writing of the world, but nothing that hides, or changes what stands beside it."""

from __future__ import annotations

import re

__all__ = ["unseen_character"]

# Control characters but tabs and line breaks; marks that turn the direction of what follows (Unicode annex 9); separators of lines and
# paragraphs; byte order marks. PostgreSQL takes no NUL in a text.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def unseen_character(text: str) -> str | None:
    """Name of the first character that nobody sees and that may mislead, or None."""
    bad = _UNSEEN.search(text)
    return None if bad is None else f"U+{ord(bad[0]):04X}"

"""What a transport has to know of an interchange to choose its way: by which guide its first group is written."""

from __future__ import annotations

__all__ = ["guide_of"]


def guide_of(payload: bytes) -> str:
    """GS08 of the first group of an interchange; empty where there is none."""
    element, terminator = payload[3:4], payload[105:106]
    if not terminator:
        return ""
    for segment in payload[106:2_000].split(terminator):
        parts = segment.split(element)
        if parts[0].strip() == b"GS":
            return parts[8].decode("ascii", "replace").strip() if len(parts) > 8 else ""
    return ""

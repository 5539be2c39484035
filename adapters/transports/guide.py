"""What a transport has to know of an interchange to choose its way: by which guide its first group is written."""

from __future__ import annotations

import re

__all__ = ["guide_of"]


def guide_of(payload: bytes) -> str:
    """GS08 of the first group of an interchange; empty where there is none."""
    element, terminator = re.escape(payload[3:4]), re.escape(payload[105:106])
    if len(payload) < 107:
        return ""
    found = re.search(b"(?:" + terminator + rb"\s*)GS" + element + b"([^" + terminator + b"]*)", payload[105:2_000])
    parts = found[1].split(payload[3:4]) if found is not None else []
    return parts[7].decode("ascii", "replace").strip() if len(parts) > 7 else ""

"""Structs whose values are a patient's, or secret: neither repr nor rich, which tracebacks are printed with, shows them."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Discreet"]


class Discreet(msgspec.Struct):
    """Shows its name and nothing else, so that no value gets into a log or an error by way of repr."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

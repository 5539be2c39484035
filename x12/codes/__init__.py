"""Code lists in words: one `NAME.codes` file a list, one line a code, `CODE  words`.

The words are short and ours, or the dialect's where its JSON carries them. A list says what its codes mean; which of them a
guide allows at a place is the guide's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

__all__ = ["table"]


@cache
def table(name: str) -> Mapping[str, str]:
    """Code -> words of a list; LookupError when there is no such list."""
    file = resources.files(__name__).joinpath(f"{name}.codes")
    if not file.is_file():
        raise LookupError(f"no code list is called {name!r}")
    found: dict[str, str] = {}
    for line in file.read_text("utf-8").splitlines():
        code, _, words = line.partition("  ")
        if words and not code.startswith("#"):
            found[code] = words.strip()
    return MappingProxyType(found)

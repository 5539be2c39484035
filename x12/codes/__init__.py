"""Code lists in words: one `NAME.codes` file a list; `x12.codes.listing` says what its lines look like.

The words are short and ours, or the dialect's where its JSON carries them. A list says what its codes mean; which of them a
guide allows at a place is the guide's affair. `x12.codes.lists` judges values by them; docs/codes.md tells where they are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from x12 import packaged as files
from x12.codes.listing import CodeList, parse

__all__ = ["packaged", "table"]


@cache
def packaged(name: str) -> CodeList:
    """A list that comes with Claimwire, read once; LookupError when there is no such list."""
    try:
        text = files.text(__name__, f"{name}.codes")
    except (OSError, ValueError) as error:
        raise LookupError(f"no code list is called {name!r}") from error
    return parse(text)


@cache
def table(name: str) -> Mapping[str, str]:
    """Code -> words of a list; LookupError when there is no such list."""
    return MappingProxyType(dict(packaged(name).words))

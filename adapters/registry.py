"""Which adapters there are: the folders beside this file, and outside packages by entry point `claimwire.adapters`.

A folder is an adapter when its package has a module-level `adapter`. Nothing here names one of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points

import adapters
from adapters import settings
from adapters.protocol import Adapter, Capabilities, Manifest

__all__ = ["BrokenAdapter", "UnknownAdapter", "available", "load", "problems"]

_NOT_ADAPTERS = frozenset(("transports", "contract"))
ENTRY_POINT_GROUP = "claimwire.adapters"


class UnknownAdapter(LookupError):
    """No adapter has this name; the message lists those there are."""


class BrokenAdapter(UnknownAdapter):
    """An adapter has this name and cannot be loaded; the message says why."""


def available() -> dict[str, str]:
    """Adapter name -> where it comes from, folders of this tree first."""
    found = {
        m.name: f"adapters.{m.name}"
        for m in pkgutil.iter_modules(adapters.__path__)
        if m.ispkg and m.name not in _NOT_ADAPTERS
    }
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(entry.name, entry.value)
    return found


def load(name: str) -> Adapter:
    """The adapter with this name; UnknownAdapter when there is none, BrokenAdapter when its package cannot be used."""
    found = available()
    if name not in found:
        raise UnknownAdapter(f"no adapter is called {name!r}: there are {', '.join(sorted(found)) or 'none'}")
    module, _, attribute = found[name].partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute or "adapter")
    except Exception as error:
        # Somebody else's package: whatever it raises concerns its own routes and nobody else's.
        raise BrokenAdapter(
            f"the adapter {name!r} of {found[name]} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (
        isinstance(getattr(made, "capabilities", None), Capabilities)
        and isinstance(getattr(made, "manifest", None), Manifest)
    ):
        raise BrokenAdapter(f"the adapter {name!r} of {found[name]} is none: it lacks capabilities or a manifest")
    return made


def problems(name: str, given: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """What is wrong with a route's settings and secrets, each fault with its key; UnknownAdapter for an unknown name or a broken one."""
    manifest = load(name).manifest
    found = [f"settings.{fault}" for fault in settings.problems(manifest.settings, given)]
    return found + [f"secrets.{fault}" for fault in settings.problems(manifest.secrets, secrets)]

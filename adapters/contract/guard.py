"""Sees what an adapter touches besides its Context: files that are written, other addresses, other programs.

Uses the interpreter's audit events (PEP 578). Only what is done on the adapter's own behalf counts: who does something is
told by a context variable, which tasks and callbacks inherit from whoever began them, and the payer of the test does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["watching"]

_WATCHED: ContextVar[tuple[frozenset[int], list[str]] | None] = ContextVar("_WATCHED", default=None)
_PROGRAMS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"))
_FILES = frozenset(("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.putenv", "os.unsetenv", "shutil.rmtree"))
_installed = False


def _seen(event: str, arguments: tuple[Any, ...]) -> None:
    watched = _WATCHED.get()
    if watched is None:
        return
    ports, found = watched
    # What the interpreter keeps of modules that are loaded late is its own.
    if any("__pycache__" in a for a in arguments if isinstance(a, str)):
        return
    if event in _PROGRAMS or event in _FILES:
        found.append(event)
    elif event == "open":
        path, mode, flags = (*arguments, None, None)[:3]
        writes = any(c in mode for c in "wax+") if isinstance(mode, str) else False
        if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
            found.append(f"writes {path}" if isinstance(path, str) else "writes a file")
    elif event == "socket.connect":
        address = arguments[1]
        if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1") and address[1] in ports):
            found.append("connects to another address than its route's")


@contextmanager
def watching(*ports: int) -> Generator[list[str], None, None]:
    """What is touched meanwhile besides these ports of this machine; nothing, where the adapter keeps to its Context."""
    global _installed
    if not _installed:
        # For as long as the interpreter lives: there is no way to take one away.
        sys.addaudithook(_seen)
        _installed = True
    found: list[str] = []
    token = _WATCHED.set((frozenset(ports), found))
    try:
        yield found
    finally:
        _WATCHED.reset(token)

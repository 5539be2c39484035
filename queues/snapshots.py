"""Copies of an embedded database as it is at one moment, made beside a server that goes on, and whether one is sound.

Source: sqlite.org/lang_vacuum.html (VACUUM INTO reads one moment of the database, its write-ahead log included).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apsw

from queues.database import DatabaseError, translated

__all__ = ["damages", "snapshot"]

_DAMAGES_MAX = 20


def snapshot(source: Path, target: Path) -> None:
    """Write what is committed in a database into a new file, and sync it. DatabaseError when either cannot be done."""
    try:
        connection: Any = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.execute("VACUUM INTO ?", (str(target),)).fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        raise translated(error) from error
    handle = os.open(target, os.O_RDWR)
    try:
        os.fchmod(handle, 0o600)
        os.fsync(handle)
    finally:
        os.close(handle)


def damages(path: Path) -> list[str]:
    """What SQLite finds wrong in a database file, in its words; nothing when it is sound."""
    try:
        connection: Any = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise DatabaseError(f"{path.name} cannot be opened: {type(error).__name__}") from error
    try:
        found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_DAMAGES_MAX})")]
        strays = [
            f"a row of {row[0]} names one of {row[2]} that is not there"
            for row in connection.execute("PRAGMA foreign_key_check")
        ]
    except apsw.Error as error:
        return [f"it cannot be read: {type(error).__name__}"]
    finally:
        connection.close()
    return [text for text in found if text != "ok"] + strays[:_DAMAGES_MAX]

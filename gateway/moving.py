"""Moves an installation from the database in its data folder to the PostgreSQL server that its configuration names.

Nothing serves meanwhile. All rows are copied and compared in one transaction of the target: an interrupted move leaves it empty, and the folder as it was. Afterwards the
folder's database is marked, so that no node can go on with it and send again what the other has sent. Master key and folders stay where they are: each node needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.config import Config
from gateway.runtime import DATABASE_FILE, migrations, open_server
from gateway.world import SystemWorld
from queues import moving
from queues.database import InUse, SQLite

if TYPE_CHECKING:
    # Only there with the extra.
    from queues.postgres import PostgreSQL

__all__ = ["Move", "MoveError", "move"]


class MoveError(Exception):
    """An installation cannot be moved. The message says why, and what to do."""


class Move(msgspec.Struct, frozen=True, rename="camel"):
    """What was moved: rows by table. `already` says that all of it was there, `dry_run` that nothing was written."""

    rows: dict[str, int]
    already: bool = False
    dry_run: bool = False


async def move(config: Config, data: Path, tell: Callable[[str, int], None], *, dry_run: bool = False) -> Move:
    """Move everything, or look whether it could be moved. MoveError where it cannot; then nothing has changed."""
    if config.database is None:
        raise MoveError("where to is not configured: name the PostgreSQL database ([database] url)")
    path = data / DATABASE_FILE
    if not path.exists():
        raise MoveError(f"there is no {DATABASE_FILE} in {data}: nothing is to be moved")
    try:
        source = SQLite(path, exclusive=True)
    except InUse as error:
        raise MoveError(str(error)) from error
    try:
        await source.migrate(migrations())
        which = moving.tables(source)
        target = await open_server(config)
        try:
            occupied = await target.alone(lambda tx: moving.occupied(tx, which))
            if dry_run and not occupied:
                return Move(moving.counts(source, which), dry_run=True)
            if occupied:
                return await _there_already(source, target, which, occupied, dry_run=dry_run)
            await target.migrate(migrations())
            rows = await target.alone(lambda tx: moving.copied(tx, source, which, tell))
            await _mark(source)
            return Move(rows)
        finally:
            await target.close()
    finally:
        await source.close()


async def _there_already(
    source: SQLite, target: PostgreSQL, which: Sequence[moving.Table], occupied: Sequence[str], *, dry_run: bool
) -> Move:
    """A move that was interrupted after all had arrived is done; a target with other rows is somebody else's."""
    await target.migrate(migrations())
    differing = await target.alone(lambda tx: moving.compared(tx, source, which))
    if differing:
        raise MoveError(
            f"the target has rows of its own, in {', '.join(occupied)}: name a database that is empty. Nothing was changed."
        )
    if not dry_run:
        await _mark(source)
    return Move(moving.counts(source, which), already=True, dry_run=dry_run)


async def _mark(source: SQLite) -> None:
    now = SystemWorld().micros()
    await source.write(lambda tx: moving.mark(tx, now))

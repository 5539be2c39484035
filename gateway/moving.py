"""Moves an installation from the database in its data folder to the PostgreSQL server that its configuration names.

Nothing serves meanwhile. All rows are copied and compared in one transaction of the target: an interrupted move leaves it empty. The folder's database is marked before, so that no node
can go on with it and send again what the other has sent. Master key and folders stay where they are: each node needs them.
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

__all__ = ["Move", "MoveError", "abandon", "move"]


class MoveError(Exception):
    """An installation cannot be moved. The message says why, and what to do."""


class Move(msgspec.Struct, frozen=True, rename="camel"):
    """What was moved: rows by table. `already` says that all of it was there, `dry_run` that nothing was written."""

    rows: dict[str, int]
    already: bool = False
    dry_run: bool = False


async def move(config: Config, data: Path, tell: Callable[[str, int], None], *, dry_run: bool = False) -> Move:
    """Move everything, or look whether it could be moved. MoveError where it cannot; then nothing has changed.

    The folder's database is marked before anything is copied, and the target keeps the id of the move with what it brought: wherever a move ends, one of the
    two can be served from at most, and running it again finishes it.
    """
    if config.database is None:
        raise MoveError("where to is not configured: name the PostgreSQL database ([database] url)")
    source = _opened(data)
    try:
        await source.migrate(migrations())
        which = moving.tables(source)
        target = await open_server(config)
        try:
            return await _between(source, target, which, tell, dry_run=dry_run)
        finally:
            await target.close()
    finally:
        await source.close()


async def abandon(config: Config, data: Path) -> bool:
    """Give up a move that was begun, so that the folder's database is served from again; False where none was. MoveError where it has arrived."""
    source = _opened(data)
    try:
        if await source.read(moving.moved_at) is None:
            return False
        move_id = await source.write(lambda tx: moving.begin(tx, 0, ""))
        target = await open_server(config)
        try:
            if await target.alone(lambda tx: moving.arrived(tx, move_id)):
                raise MoveError("all of it is on the server: serve from there")
        finally:
            await target.close()
        await source.write(moving.give_up)
        return True
    finally:
        await source.close()


def _opened(data: Path) -> SQLite:
    path = data / DATABASE_FILE
    if not path.exists():
        raise MoveError(f"there is no {DATABASE_FILE} in {data}: nothing is to be moved")
    try:
        return SQLite(path, exclusive=True)
    except InUse as error:
        raise MoveError(str(error)) from error


async def _between(
    source: SQLite,
    target: PostgreSQL,
    which: Sequence[moving.Table],
    tell: Callable[[str, int], None],
    *,
    dry_run: bool,
) -> Move:
    begun = await source.read(moving.moved_at) is not None
    world = SystemWorld()
    if begun:
        move_id = await source.write(lambda tx: moving.begin(tx, 0, ""))
        if await target.alone(lambda tx: moving.arrived(tx, move_id)):
            return Move(moving.counts(source, which), already=True, dry_run=dry_run)
    occupied = await target.alone(lambda tx: moving.occupied(tx, which))
    if occupied:
        raise MoveError(
            f"the target has rows of its own, in {', '.join(occupied)}: name a database that is empty. Nothing was changed."
        )
    if dry_run:
        return Move(moving.counts(source, which), dry_run=True)
    now, made_id = world.micros(), world.new_id()
    move_id = await source.write(lambda tx: moving.begin(tx, now, made_id))
    await target.migrate(migrations())
    # Whatever goes wrong here, the mark stays: the answer to a COMMIT may be lost, and its rows there.
    return Move(await target.alone(lambda tx: moving.copied(tx, source, which, move_id, tell)))

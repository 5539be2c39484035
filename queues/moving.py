"""Moves all rows of an embedded database into a PostgreSQL one that is empty, in one transaction, and shows that they are the same.

Rows are compared by a digest that does not depend on their order: the sum of the SHA-256 of each. Tables and columns are those of the
embedded database; both have had the same migrations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from queues.database import DatabaseError, Row, SQLite, Transaction, driven

__all__ = ["Moved", "Table", "arrived", "begin", "copied", "counts", "give_up", "moved_at", "occupied", "tables"]

# Kept apart by each engine, and no part of what moves.
_APART = ("migration", "moved", "commits")
_PAGE = 2_000
# Beside the names of migrations the target keeps the id of the move that filled it.
_ARRIVED = "moved here/"
_DIGEST = 1 << 256


class Moved(DatabaseError):
    """The database was moved away: whoever went on with it would have what others have too."""


class Table(NamedTuple):
    """A table of the embedded database: its columns, and those of its primary key in their order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def page(self, *, first: bool) -> str:
        """The statement for the first rows by key, or for those behind one."""
        places = ", ".join(f"${n}" for n in range(1, len(self.key) + 1))
        key = ", ".join(self.key)
        behind = "" if first else f" WHERE ({key}) > ({places})"
        return f"SELECT {', '.join(self.columns)} FROM {self.name}{behind} ORDER BY {key} LIMIT {_PAGE}"

    def insert(self) -> str:
        """The statement that puts in a row."""
        places = ", ".join(f"${n}" for n in range(1, len(self.columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places})"

    def counted(self) -> str:
        """The statement for how many rows there are."""
        return f"SELECT count(*) FROM {self.name}"

    def key_of(self, row: Row) -> tuple[str | int | bytes, ...]:
        """The values of a row's key."""
        return tuple(row[self.columns.index(name)] for name in self.key)


class Content(NamedTuple):
    """What a table holds: how many rows, and the digest of them all."""

    rows: int = 0
    digest: int = 0

    def plus(self, row: Sequence[object]) -> Content:
        """With one row more."""
        told = hashlib.sha256(repr(tuple(row)).encode())
        return Content(self.rows + 1, (self.digest + int.from_bytes(told.digest(), "big")) % _DIGEST)


def tables(source: SQLite) -> list[Table]:
    """The tables whose rows move."""

    async def body(tx: Transaction) -> list[Table]:
        found: list[Table] = []
        names = await tx.fetch(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        for (name,) in names:
            if name in _APART:
                continue
            columns = await tx.fetch(f"PRAGMA table_info({name})")
            key = sorted((column[5], column[1]) for column in columns if column[5])
            found.append(Table(name, tuple(column[1] for column in columns), tuple(column for _, column in key)))
        return found

    return driven(source.read(body))


def _pages(source: SQLite, table: Table) -> Iterator[list[Row]]:
    after: tuple[str | int | bytes, ...] = ()
    while True:

        async def body(tx: Transaction, after: tuple[str | int | bytes, ...] = after) -> list[Row]:
            return await tx.fetch(table.page(first=not after), *after)

        rows = driven(source.read(body))
        if rows:
            yield rows
        if len(rows) < _PAGE:
            return
        after = table.key_of(rows[-1])


async def _content(tx: Transaction, table: Table) -> Content:
    """What a table holds on the other side, as a transaction sees it."""
    after: tuple[str | int | bytes, ...] = ()
    content = Content()
    while True:
        rows = await tx.fetch(table.page(first=not after), *after)
        for row in rows:
            content = content.plus(row)
        if len(rows) < _PAGE:
            return content
        after = table.key_of(rows[-1])


async def occupied(tx: Transaction, which: Sequence[Table]) -> list[str]:
    """The tables that the other side has, and that have rows there."""
    found: list[str] = []
    for table in which:
        there = await tx.row(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1",
            table.name,
        )
        if there is not None and await tx.row(f"SELECT 1 FROM {table.name} LIMIT 1") is not None:
            found.append(table.name)
    return found


def counts(source: SQLite, which: Sequence[Table]) -> dict[str, int]:
    """How many rows each table has."""

    async def body(tx: Transaction) -> dict[str, int]:
        return {table.name: (await tx.fetch(table.counted()))[0][0] for table in which}

    return driven(source.read(body))


async def copied(
    tx: Transaction, source: SQLite, which: Sequence[Table], move_id: str, tell: Callable[[str, int], None]
) -> dict[str, int]:
    """Copy all rows, compare them, keep the move's id beside them, and say how many each table has; `tell` hears of a table and its rows as they are copied.

    DatabaseError where what arrived is not what left, which undoes it all.
    """
    rows_of: dict[str, int] = {}
    for table in which:
        left = Content()
        for rows in _pages(source, table):
            await tx.many(table.insert(), rows)
            for row in rows:
                left = left.plus(row)
            tell(table.name, left.rows)
        if await _content(tx, table) != left:
            raise DatabaseError(f"what arrived of the table {table.name} is not what left")
        rows_of[table.name] = left.rows
    await tx.execute("INSERT INTO migration (name) VALUES ($1)", _ARRIVED + move_id)
    return rows_of


async def begin(tx: Transaction, now: int, move_id: str) -> str:
    """Mark an embedded database as moving away, from when on nobody serves from it; the id of the move that was begun first."""
    await tx.execute("CREATE TABLE IF NOT EXISTS moved (at BIGINT NOT NULL, move_id TEXT NOT NULL)")
    await tx.execute(
        "INSERT INTO moved (at, move_id) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM moved)", now, move_id
    )
    return (await tx.fetch("SELECT move_id FROM moved"))[0][0]


async def give_up(tx: Transaction) -> None:
    """The embedded database is not moved after all."""
    await tx.execute("DROP TABLE IF EXISTS moved")


async def arrived(tx: Transaction, move_id: str) -> bool:
    """Whether the other side has all that a move brought."""
    there = await tx.row(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'migration'"
    )
    return there is not None and await tx.row("SELECT 1 FROM migration WHERE name = $1", _ARRIVED + move_id) is not None


async def moved_at(tx: Transaction) -> int | None:
    """When an embedded database was moved away, in microseconds; None where it was not."""
    if await tx.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'moved'") is None:
        return None
    row = await tx.row("SELECT at FROM moved")
    return row[0] if row else None

"""Commands that make backups, look into them, bring a data folder back, and move it to a server. Thin over `gateway.backups` and `gateway.moving`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
import typer

from gateway.configured import configured
from gateway.terminal import print_json

if TYPE_CHECKING:
    from gateway.backups import Manifest, Report
    from gateway.ledger.restorations import Restoration

__all__ = ["add_to"]

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file (TOML); it goes into the backup.")
]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")]
KeyOption = Annotated[Path, typer.Option("--key", help="The master.key that was kept apart.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of a command line."""
    app.command()(backup)
    app.command()(restore)
    app.command()(restored)
    app.command()(verify)
    app.command()(migrate)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    from gateway.backups import BackupError
    from queues.database import DatabaseError

    try:
        return asyncio.run(coroutine)
    except (BackupError, DatabaseError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _folder(config: Path | None, data: Path | None) -> Path:
    from observability import log

    loaded, folder = configured(config, data)
    log.configure(loaded.log_level)
    if loaded.database is not None:
        raise typer.BadParameter(
            "this installation is on PostgreSQL: back that up with its own tools (pg_basebackup and WAL archiving, or pg_dump),"
            " and keep master.key apart"
        )
    return folder


def backup(
    target: Annotated[Path, typer.Argument(help="A new file, or a folder in which it gets the name of its time.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A sealed backup of the data folder, also while it is served; read back before it counts. The master key is not in it."""
    from gateway.backups import back_up, file_for
    from gateway.world import SystemWorld

    made = _run(back_up(_folder(config, data), target, SystemWorld(), config))
    file = file_for(target, made.made_at)
    if as_json:
        print_json({"file": str(file), **msgspec.to_builtins(made)})
        return
    typer.echo(f"{file}: {_told(made)}. Keep master.key apart: without it this opens for nobody.")


def _told(made: Manifest) -> str:
    counts = made.counts
    return (
        f"{counts['transactions']} transactions, {counts['interchanges']} interchanges, {counts['inbound_files']} files from payers,"
        f" as of {made.made_at:%Y-%m-%d %H:%M:%S} UTC"
    )


def restore(
    file: Path,
    key: KeyOption,
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration file (TOML) to be served with.")
    ] = None,
    data: DataOption = None,
    nothing_since: Annotated[
        bool, typer.Option("--nothing-since", help="Nothing was sent after the backup was made: put nothing in doubt.")
    ] = False,
    numbers_ahead: Annotated[
        int, typer.Option("--numbers-ahead", min=1, help="How many control numbers of each series are left out.")
    ] = 10_000,
    as_json: JsonOption = False,
) -> None:
    """Bring a data folder back out of a backup, into a new folder. What may have been sent since is put in doubt, not sent again."""
    from gateway.backups import restore as run
    from gateway.world import SystemWorld

    folder = _folder(config, data)
    made, done = _run(run(file, folder, key, SystemWorld(), nothing_since=nothing_since, numbers_ahead=numbers_ahead))
    if as_json:
        print_json({"manifest": made, "restoration": done})
        return
    typer.echo(f"{folder}: {_told(made)}.")
    if done is not None:
        typer.echo(_what_to_do(made.made_at, done))


def restored(
    as_of: Annotated[
        datetime,
        typer.Option(
            "--as-of", help="As of when the database is, in UTC.", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]
        ),
    ],
    config: ConfigOption = None,
    data: DataOption = None,
    numbers_ahead: Annotated[
        int, typer.Option("--numbers-ahead", min=1, help="How many control numbers of each series are left out.")
    ] = 10_000,
    as_json: JsonOption = False,
) -> None:
    """After PostgreSQL was brought back from a backup with its own tools, and before a node starts: what may have been sent since is put in doubt."""
    from gateway.restoring import NotRestored, brought_back
    from gateway.runtime import KeyMissing, open_runtime
    from gateway.world import to_micros

    loaded, folder = configured(config, data)

    async def tell() -> Restoration:
        runtime = await open_runtime(loaded, folder, exclusive=False)
        try:
            return await brought_back(runtime, to_micros(as_of.replace(tzinfo=UTC)), numbers_ahead)
        finally:
            await runtime.close()

    try:
        done = _run(tell())
    except (NotRestored, KeyMissing) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        print_json({"restoration": done})
        return
    typer.echo(_what_to_do(as_of, done))


def _what_to_do(made_at: datetime, done: Restoration) -> str:
    return (
        f"In doubt now: {done.interchanges} interchanges, and {done.claims} claims that were in none yet; see `claimwire in-doubt list`"
        " once it is served.\n"
        f"Control numbers go on {done.numbers_ahead} ahead.\n"
        f"Not known here is what came after {made_at:%Y-%m-%d %H:%M} UTC:\n"
        "- claims that callers submitted: let them be submitted again only after the payer was asked\n"
        "- files that payers gave: ask for the 999, 277CA and 835 since then once more\n"
        "- keys that were revoked: revoke them again"
    )


def verify(
    file: Annotated[Path | None, typer.Argument(help="A backup; without one the data folder is looked into.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The master.key; of a data folder its own by itself.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether a backup, or the data folder, is sound: its pages, the rules of the ledger, every payload. Ends with 1 where not."""
    folder = _folder(config, data)
    report = _run(_verified(file, key or folder / "master.key", folder))
    if as_json:
        print_json({"sound": report.sound, **msgspec.to_builtins(report)})
    else:
        counts = report.counts
        for line in report.told:
            typer.echo(line)
        if report.sound:
            typer.echo(f"sound: {counts['transactions']} transactions, {report.payloads_opened} payloads opened")
    if not report.sound:
        raise typer.Exit(1)


async def _verified(file: Path | None, key: Path, folder: Path) -> Report:
    from gateway.backups import verify_backup, verify_folder
    from gateway.world import SystemWorld

    if file is None:
        return await verify_folder(folder, key, SystemWorld())
    return (await verify_backup(file, key, SystemWorld()))[1]


def migrate(
    source: Annotated[
        Literal["sqlite"] | None,
        typer.Option("--from", help="Move what is in the data folder's own database to the configured PostgreSQL."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look whether it can be moved, and how much it is.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--abandon", help="Give up a move that was begun and has not arrived.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to this version's schema; with --from sqlite, move the whole installation to PostgreSQL, losing nothing."""
    from gateway.moving import MoveError, abandon, move
    from gateway.runtime import migrations, open_database

    loaded, folder = configured(config, data)

    async def bring() -> list[str]:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = await open_database(loaded, folder, exclusive=loaded.database is None)
        try:
            return await database.migrate(migrations())
        finally:
            await database.close()

    if source is None:
        done = _run(bring())
        typer.echo(msgspec.json.encode(done) if as_json else f"{len(done)} migrations applied")
        return

    def tell(table: str, rows: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{table}: {rows}\033[K", err=True, nl=False)

    try:
        if give_up:
            was = _run(abandon(loaded, folder))
            typer.echo(
                msgspec.json.encode({"abandoned": was}) if as_json else "given up" if was else "no move was begun"
            )
            return
        moved = _run(move(loaded, folder, tell, dry_run=dry_run))
    except MoveError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(msgspec.json.encode(moved))
        return
    for name, count in moved.rows.items():
        typer.echo(f"{name}: {count}")
    typer.echo(
        "would be moved"
        if moved.dry_run
        else "was there already"
        if moved.already
        else "moved, and compared row by row"
    )

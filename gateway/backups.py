"""Backups: one sealed file with the database as it is at one moment, and the folders beside it; made online, and read back before it counts.

The file is a tar archive in the sealing of `gateway.sealed_files`: `manifest.json` first, then `claimwire.db` and what was put beside it.
The master key is not in it: who has the file without the key has nothing.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

import msgspec

from gateway.config import Config
from gateway.ledger import audit
from gateway.ledger.audit import Fault
from gateway.ledger.restorations import Restoration
from gateway.ledger.vault import SealBroken, Vault, master_key_from
from gateway.restoring import go_on
from gateway.runtime import DATABASE_FILE, TENANT, migrations, open_runtime
from gateway.sealed_files import NotOpened, Opening, Sealing
from gateway.world import World, to_micros
from queues.database import DatabaseFull, SQLite, Transaction
from queues.moving import moved_at
from queues.numbers import GUARD, NumbersUsedUp
from queues.snapshots import damages, snapshot

__all__ = [
    "BackupError",
    "Manifest",
    "Report",
    "back_up",
    "file_for",
    "restore",
    "verify_backup",
    "verify_database",
    "verify_folder",
]

_MANIFEST = "manifest.json"
_CONFIGURATION = "claimwire.toml"
# What stands beside the database, and is nowhere else.
_FOLDERS = ("payers", "companions", "codes")
_FORMAT = 1
_BLOCK = 1 << 20
# What a folder is called that has a copy of a database for a while: in the data folder, beside a backup that is looked into, and among
# temporary files, which others have too.
_WORK, _WORK_BESIDE, _WORK_ELSEWHERE = ".backup-", ".verify-", ".claimwire-verify-"
# What keeps a folder from being written into, whatever room it has.
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_MANIFEST_MAX = 1 << 20


class BackupError(Exception):
    """A backup could not be made, read or restored. The message says what is wrong and what to do."""


class Manifest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a backup says of itself. `counts` are rows of tables, `numbers` the next free control number of each series."""

    format: int
    version: str
    made_at: datetime
    migrations: list[str]
    counts: dict[str, int]
    numbers: dict[str, int]
    database_sha256: str
    files: list[str]


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """What looking into a database came to: `damages` in SQLite's words, `faults` of the ledger, and how many payloads opened."""

    counts: dict[str, int]
    payloads_opened: int
    damages: list[str]
    faults: list[Fault]

    @property
    def sound(self) -> bool:
        return not self.damages and not self.faults

    @property
    def told(self) -> list[str]:
        """What is wrong, a line each."""
        return self.damages + [f"not so of {f.rows}: {f.rule} ({', '.join(f.examples)})" for f in self.faults]


async def verify_database(path: Path, master: bytes, now: int) -> Report:
    """Look into a database that a server may be using: its pages, the rules of the ledger, and every payload. Nothing is changed.

    BackupError where it is no database of Claimwire, or the key is not its own.
    """
    found = damages(path)
    if found:
        return Report({}, 0, found, [])
    database, vault = SQLite(path), Vault(master)

    async def look(tx: Transaction) -> Report:
        opened, broken = await audit.unsealed(tx, vault, TENANT)
        return Report(await audit.counted(tx), opened, [], await audit.faults(tx) + broken)

    async def opens(tx: Transaction) -> None:
        if await tx.row("SELECT 1 FROM sqlite_schema WHERE name = 'migration'") is None:
            raise BackupError(f"{path.name} is no database of Claimwire")
        done = {row[0] for row in await tx.fetch("SELECT name FROM migration")}
        if done != {name for name, _ in migrations()}:
            raise BackupError(f"the tables of {path.name} are of another version: use the version that serves it")
        if await tx.row("SELECT 1 FROM data_keys WHERE tenant_id = $1", TENANT) is not None:
            await vault.open(tx, TENANT, now)

    try:
        await database.read(opens)
        return await database.read(look)
    except SealBroken as error:
        raise BackupError(str(error)) from error
    finally:
        await database.close()


async def verify_folder(data: Path, key: Path, world: World) -> Report:
    """`verify_database` for the database of a data folder, which may be served meanwhile."""
    if not (data / DATABASE_FILE).exists():
        raise BackupError(_nothing_in(data))
    return await verify_database(data / DATABASE_FILE, _key(key), world.micros())


def _nothing_in(data: Path) -> str:
    return f"there is no {DATABASE_FILE} in {data.name}: name the data folder with --data"


async def back_up(data: Path, target: Path, world: World, configuration: Path | None = None) -> Manifest:
    """Write a backup of a data folder, which may be served meanwhile, into a new file; into a folder under the name of its time.

    Nothing is there under the file's name before it was read back and found whole. BackupError where the ledger is not sound.
    """
    source = data / DATABASE_FILE
    if not source.exists():
        raise BackupError(_nothing_in(data))
    made_at = world.now()
    target = file_for(target, made_at)
    if target.exists():
        raise BackupError(f"{target.name} is there already: backups are never written over")
    master = _key(data / "master.key")
    with _work_in(data, _WORK) as work:
        copy = work / DATABASE_FILE
        try:
            snapshot(source, copy)
        except DatabaseFull as error:
            raise BackupError(
                f"no copy of the database can be made in {data}: is its disk full, or read-only? Nothing was kept ({error})"
            ) from error
        report = await verify_database(copy, master, to_micros(made_at))
        if not report.sound:
            raise BackupError("the database is not sound, nothing was written:\n" + "\n".join(report.told))
        beside = _beside(data, configuration)
        manifest = await _manifest(copy, made_at, report, beside)
        part = target.with_name(target.name + ".part")
        try:
            with _room_for(target.parent), _new(part) as file:
                _write(file, master, manifest, copy, beside)
            with part.open("rb") as file:
                _read_back(file, master, manifest)
            part.rename(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(target.parent)
    return manifest


@contextmanager
def _work_in(folder: Path, prefix: str) -> Generator[Path]:
    """A folder in another one, gone afterwards. What was left there by one that was killed goes, too: it is as large as the database, and
    out of a backup it is unsealed.

    Who works in one has its lock, which ends with the process.
    """
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as work, _locked(Path(work)):
        yield Path(work)


@contextmanager
def _work_for(file: Path) -> Generator[Path]:
    """A folder for what is in a backup, which is unsealed there, readable by its owner only: beside it; among temporary files where nothing can
    be written beside it, as on a read-only medium.
    """
    with ExitStack() as stack:
        try:
            work = stack.enter_context(_work_in(file.parent, _WORK_BESIDE))
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            work = stack.enter_context(_work_in(_temporary(file), _WORK_ELSEWHERE))
        with _room_for(work.parent):
            yield work


def _temporary(file: Path) -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise BackupError(
            f"nothing can be written beside {file.name}, nor among temporary files: name a folder with room for the database in TMPDIR"
        ) from error


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Have the lock of a folder. OSError where somebody else has it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


@contextmanager
def _room_for(folder: Path) -> Generator[None]:
    """BackupError, which says where, when the disk of a folder is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BackupError(
            f"the disk of {folder} is full: make room there, or name another place; nothing was kept"
        ) from error


def file_for(target: Path, made_at: datetime) -> Path:
    """The file that a backup is: in a folder it is named by its time."""
    return target / f"claimwire-{made_at:%Y%m%dT%H%M%SZ}.backup" if target.is_dir() else target


def _beside(data: Path, configuration: Path | None) -> dict[str, Path]:
    """The files that stand beside the database, by their names in the archive."""
    found = {
        path.relative_to(data).as_posix(): path
        for folder in _FOLDERS
        for path in sorted((data / folder).rglob("*"))
        if path.is_file()
    }
    return {**found, _CONFIGURATION: configuration} if configuration is not None else found


async def _manifest(copy: Path, made_at: datetime, report: Report, beside: dict[str, Path]) -> Manifest:
    database = SQLite(copy)

    async def body(tx: Transaction) -> tuple[list[str], dict[str, int]]:
        if await moved_at(tx) is not None:
            raise BackupError(
                "this installation was moved to PostgreSQL, or that was begun: what goes on is not in this folder. Back the server up with"
                " its own tools; a move that was not finished is given up with claimwire migrate --from sqlite --abandon"
            )
        names = [row[0] for row in await tx.fetch("SELECT name FROM migration ORDER BY name")]
        return names, await audit.numbers_next(tx)

    try:
        names, following = await database.read(body)
    finally:
        await database.close()
    return Manifest(
        format=_FORMAT,
        version=version("claimwire"),
        made_at=made_at,
        migrations=names,
        counts=report.counts,
        numbers=following,
        database_sha256=_digest(copy),
        files=list(beside),
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _new(path: Path) -> Generator[IO[bytes]]:
    """A new file, readable by its owner only, on disk when the context ends well."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Have a file or a folder on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(file: IO[bytes], master: bytes, manifest: Manifest, copy: Path, beside: dict[str, Path]) -> None:
    sealing = Sealing(file, master)
    with tarfile.open(fileobj=sealing, mode="w|", bufsize=_BLOCK) as archive:
        content = msgspec.json.encode(manifest)
        head = tarfile.TarInfo(_MANIFEST)
        head.size = len(content)
        archive.addfile(head, io.BytesIO(content))
        for name, path in {DATABASE_FILE: copy, **beside}.items():
            archive.add(path, name, recursive=False)
    sealing.finish()


@contextmanager
def _opened(file: IO[bytes], master: bytes) -> Generator[tuple[Manifest, tarfile.TarFile]]:
    """A backup's manifest, and the archive behind it. BackupError where it does not open, now or while it is read."""
    try:
        opening = Opening(file, master)
        with tarfile.open(fileobj=opening, mode="r|", bufsize=_BLOCK) as archive:
            head = archive.next()
            stream = archive.extractfile(head) if head is not None and head.name == _MANIFEST else None
            if stream is None:
                raise BackupError("it holds no manifest: it is no backup of Claimwire")
            manifest = msgspec.json.decode(stream.read(_MANIFEST_MAX), type=Manifest)
            if manifest.format != _FORMAT:
                raise BackupError(
                    f"its format is {manifest.format}: restore it with Claimwire {manifest.version} or later"
                )
            yield manifest, archive
        # An archive ends before its file does: the file's own end is proved too.
        while opening.read(_BLOCK):
            pass
    except (NotOpened, tarfile.TarError, msgspec.DecodeError) as error:
        raise BackupError(f"the backup cannot be read: {error}") from error


def _read_back(file: IO[bytes], master: bytes, manifest: Manifest) -> None:
    """Read a backup to its end as whoever restores it would. BackupError where it does not hold what was put in."""
    with _opened(file, master) as (told, archive):
        digest = hashlib.sha256()
        names: list[str] = []
        while (member := archive.next()) is not None:
            names.append(member.name)
            stream = archive.extractfile(member)
            while stream is not None and (block := stream.read(_BLOCK)):
                if member.name == DATABASE_FILE:
                    digest.update(block)
    if told != manifest or digest.hexdigest() != manifest.database_sha256 or names != [DATABASE_FILE, *manifest.files]:
        raise BackupError("what was written could not be read back as it was: is the disk sound?")


def _unpack(file: IO[bytes], master: bytes, folder: Path) -> Manifest:
    """Put what a backup holds into a folder that is there and empty."""
    with _opened(file, master) as (manifest, archive):
        known = {name for name, _ in migrations()}
        if newer := [name for name in manifest.migrations if name not in known]:
            raise BackupError(
                f"it was made by Claimwire {manifest.version}, whose tables are newer ({newer[-1]}): restore it with that version"
            )
        while (member := archive.next()) is not None:
            archive.extract(member, folder, filter="data")
    database = folder / DATABASE_FILE
    if not database.exists():
        raise BackupError("it holds no database")
    if _digest(database) != manifest.database_sha256:
        raise BackupError("its database is not the one that its manifest names")
    return manifest


async def verify_backup(file: Path, key: Path, world: World) -> tuple[Manifest, Report]:
    """Open a backup whole, and look into its database as `verify_database` does. BackupError where it is not sound."""
    master = _key(key)
    with _reading(file) as content, _work_for(file) as work:
        manifest = _unpack(content, master, work)
        return manifest, await _brought_up(work / DATABASE_FILE, master, manifest, world)


@contextmanager
def _reading(file: Path) -> Generator[IO[bytes]]:
    try:
        with file.open("rb") as content:
            yield content
    except FileNotFoundError:
        raise BackupError(f"there is no {file.name}") from None


def _key(path: Path) -> bytes:
    if not path.is_file():
        raise BackupError(
            f"there is no key {path.name}: name the master.key that the backup was made beside with --key"
        )
    try:
        return master_key_from(path)
    except ValueError as error:
        raise BackupError(str(error)) from error


async def restore(
    file: Path, data: Path, key: Path, world: World, *, nothing_since: bool = False, numbers_ahead: int = GUARD
) -> tuple[Manifest, Restoration | None]:
    """Bring a data folder back, whole or not at all; where to goes on is an absent or empty folder.

    What may have been sent after the backup was made is put in doubt (`gateway.restoring`), except where a person says that `nothing_since`
    was; then there is no Restoration. BackupError where the backup is not sound, or the folder is in use.
    """
    master = _key(key)
    making = _making(data)
    try:
        with _room_for(data.parent):
            made, done = await _restored(file, making, master, world, nothing_since, numbers_ahead)
            _becomes(making, data)
    except BaseException:
        # It holds what was unsealed, and is no data folder.
        shutil.rmtree(making, ignore_errors=True)
        raise
    return made, done


async def _restored(
    file: Path, making: Path, master: bytes, world: World, nothing_since: bool, numbers_ahead: int
) -> tuple[Manifest, Restoration | None]:
    """Fill the folder that will become the data folder."""
    with _reading(file) as content:
        manifest = _unpack(content, master, making)
    if manifest.made_at > world.now():
        raise BackupError(
            f"it was made at {manifest.made_at:%Y-%m-%d %H:%M} UTC, which is to come: set the machine's clock"
        )
    with _new(making / "master.key") as kept:
        kept.write(master)
    await _brought_up(making / DATABASE_FILE, master, manifest, world)
    runtime = await open_runtime(Config(), making, world)
    done: Restoration | None = None
    try:
        if not nothing_since:
            made_at = to_micros(manifest.made_at)
            done = await runtime.database.write(lambda tx: go_on(tx, runtime, made_at, numbers_ahead))
    except NumbersUsedUp as error:
        raise BackupError(f"{error}: skip fewer, with --numbers-ahead") from error
    finally:
        await runtime.close()
    return manifest, done


def _making(data: Path) -> Path:
    """The folder that will become the data folder, new and empty."""
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise BackupError(f"{data.name} is not empty: a backup is restored into a new folder, and never over another")
    making = data.with_name(data.name + ".restoring")
    # What a restore left that was cut short: it never became the folder.
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700, parents=True)
    return making


def _becomes(making: Path, data: Path) -> None:
    """Have it all on disk, then under its name."""
    for path in (*making.rglob("*"), making):
        _sync(path)
    if data.exists():
        data.rmdir()
    making.rename(data)
    _sync(data.parent)


async def _brought_up(path: Path, master: bytes, manifest: Manifest, world: World) -> Report:
    """Give a database out of a backup the tables of this version, and look into it. BackupError where it is not what was backed up."""
    database = SQLite(path)
    try:
        await database.migrate(migrations())
    finally:
        await database.close()
    report = await verify_database(path, master, world.micros())
    lacking = [
        f"{table}: {report.counts.get(table, 0)} rows of {rows}"
        for table, rows in manifest.counts.items()
        if report.counts.get(table, 0) != rows
    ]
    if lacking or not report.sound:
        raise BackupError("its database is not what was backed up:\n" + "\n".join([*lacking, *report.told]))
    return report

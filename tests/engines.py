"""The databases that contracts are kept on: the embedded one, and a PostgreSQL server of the tests' own where one is installed."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from queues.database import Database, Migration, SQLite, migrations_in
from queues.postgres import PostgreSQL

__all__ = ["Engine", "Server", "Standby", "postgresql_missing", "queue_migrations"]

_PLACES = ("/usr/lib/postgresql", "/usr/local", "/usr")
_USER = "postgres"
# Files in memory, where the system has that and room for it: a server that syncs nothing has no need of a disk.
_MEMORY, _MEMORY_BYTES = Path("/dev/shm"), 4 << 30


def _programs() -> Path | None:
    """The folder with the programs of the newest PostgreSQL here."""
    found = {Path(path) for path in [shutil.which("initdb") or ""] if path}
    for place in _PLACES:
        found |= set(Path(place).glob("*/bin/initdb")) | set(Path(place).glob("bin/initdb"))
    return max((path.resolve().parent for path in found), default=None)


def _place(synced: bool) -> Path | None:
    """The folder in which a server has its own; None for that of the system."""
    if synced or not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES:
        return None
    return _MEMORY


def postgresql_missing() -> str:
    """Why no server can be started here; empty where one can."""
    if _programs() is None:
        return "PostgreSQL is not installed: initdb was not found"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_USER)
        except KeyError:
            return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return ""


class Server:
    """A PostgreSQL server in a folder of its own, on a socket there. Nothing is synced: what it loses at a power cut is nobody's."""

    def __init__(self, **settings: str) -> None:
        programs = _programs()
        assert programs is not None
        self._programs = programs
        place = _place(settings.get("fsync") == "on")
        self.folder = Path(tempfile.mkdtemp(prefix="claimwire-postgresql-", dir=place))
        self._numbers = itertools.count()
        self._discarded: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._make()
        said = {"fsync": "off", "listen_addresses": "", "unix_socket_directories": str(self.folder), **settings}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in said.items())
        self.start()

    def _make(self) -> None:
        """The data that it begins with."""
        self._run("initdb", "-D", str(self.data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> str:
        """The path of the socket it listens on."""
        return str(self.folder / ".s.PGSQL.5432")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _USER, "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=120)

    def start(self) -> None:
        """Let it run; returns once it takes connections."""
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-l", log, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Let it end."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """As the system does that has no memory left."""
        process = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(process, signal.SIGKILL)

    def start_again(self) -> None:
        """Let it run after it was killed, once what it left of processes is gone."""
        for _ in range(200):
            with suppress(subprocess.CalledProcessError):
                return self.start()
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def remove(self) -> None:
        """Let it end, where it still runs, with all it holds."""
        with suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def sql(self, text: str, database: str = _USER, *before: str) -> str:
        """What a statement says, as psql prints it; `before` are run before it, each by itself."""
        command = [str(self._programs / "psql"), "-h", str(self.folder), "-U", _USER, "-d", database, "-XAtq"]
        command += [word for one in (*before, text) for word in ("-c", one)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def until(self, text: str) -> None:
        """Wait until a count is not 0."""
        while self.sql(text) == "0":
            time.sleep(0.01)

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        done, self._discarded = self._discarded, []
        self.sql(f"CREATE DATABASE {name}", _USER, *(f"DROP DATABASE {one} WITH (FORCE)" for one in done))
        return self.url(name)

    def discard(self, url: str) -> None:
        """A database of `fresh` that nobody needs any more: the next one takes its room. Hundreds would be gigabytes."""
        self._discarded.append(url.removeprefix(self.url("").split("?")[0]).split("?")[0])

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://{_USER}@/{name}?host={self.folder}"


class Standby(Server):
    """A server that follows another one by streaming, and answers who only reads, until it is promoted."""

    def __init__(self, primary: Server) -> None:
        self._primary = primary
        super().__init__(cluster_name="standby")

    def _make(self) -> None:
        where = ("-h", str(self._primary.folder), "-U", _USER, "-D", str(self.data))
        self._run("pg_basebackup", *where, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync")

    def waited_for(self) -> None:
        """From now on a COMMIT of the primary waits until it is here."""
        self._primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self._primary.sql("SELECT pg_reload_conf()")
        self._primary.until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")

    def promote(self) -> None:
        """It takes writes now."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "-w")


def queue_migrations() -> list[Migration]:
    """The tables of the queue."""
    return migrations_in(Path(__file__).parents[1] / "queues" / "schema", "queues")


class Engine:
    """One kind of database, of which new ones are opened."""

    def __init__(self, folder: Path, server: Server | None = None) -> None:
        self.name = "sqlite" if server is None else "postgresql"
        self._server, self._folder = server, folder
        self._numbers = itertools.count()
        # Where the databases are that are there, for processes that open them again: a path or a URL.
        self.places: list[str] = []
        self._open: list[Database] = []

    async def open(self, migrations: Sequence[Migration] | None = None) -> Database:
        """A new database, with the tables of the queue where none are named."""
        place = str(self._folder / f"{next(self._numbers)}.db") if self._server is None else self._server.fresh()
        self.places.append(place)
        made = await open_at(place)
        self._open.append(made)
        await made.migrate(queue_migrations() if migrations is None else migrations)
        return made

    async def open_again(self) -> Database:
        """The database that was opened last, once more, as another process has it."""
        self._open.append(await open_at(self.places[-1]))
        return self._open[-1]

    async def close(self) -> None:
        """Close all that are open."""
        while self._open:
            await self._open.pop().close()
        if self._server is not None:
            for place in self.places:
                self._server.discard(place)


async def open_at(place: str) -> Database:
    """The database at a path or a URL."""
    return await PostgreSQL.open(place) if place.startswith("postgresql:") else SQLite(Path(place))

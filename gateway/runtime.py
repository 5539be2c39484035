"""What all parts of the running service share: the world, the database, the vault, the payers, the adapters' session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

import gateway
import queues
from adapters import registry
from adapters.protocol import Adapter, Capabilities, Context
from adapters.registry import UnknownAdapter
from adapters.transports.session import open_session
from gateway import code_files
from gateway.companion_files import CompanionFileError, companions_in, missing
from gateway.config import Config
from gateway.disk import Disk
from gateway.judges import Judges
from gateway.ledger import checks, idempotency
from gateway.ledger.vault import SealBroken, Vault, master_key_from
from gateway.lifecycle import Profile
from gateway.payer_files import PayerFile
from gateway.payers import Directory, Route
from gateway.places import Places
from gateway.world import SystemWorld, World, from_micros
from observability import log
from observability.metrics import Metrics
from queues import circuits, lanes, work
from queues.database import Database, DatabaseError, Migration, SQLite, Transaction, migrations_in
from queues.moving import Moved, moved_at
from x12.codes.lists import Lists, shipped

if TYPE_CHECKING:
    # Only there with the extra.
    from queues.postgres import PostgreSQL

__all__ = [
    "DATABASE_FILE",
    "TENANT",
    "KeyMissing",
    "Runtime",
    "migrations",
    "open_database",
    "open_runtime",
    "open_server",
    "release_all",
]

# One installation serves one practice or group; the column is there for those that will serve many.
TENANT = "default"
DATABASE_FILE = "claimwire.db"
_LOG = log.get("gateway")
# A batch that other nodes may still be taking is not given up before.
_UNFINISHED_FOR = timedelta(hours=1) // timedelta(microseconds=1)

# As far from the server's as this a clock is worth a word.
_FAR = 2 * work.SECOND


class KeyMissing(Exception):
    """This folder's master key is not there, or does not open what the database has."""


@dataclass
class Runtime:
    """The parts, opened. `wake` is set when there is new work; `leaving` when the process is about to end."""

    world: World
    config: Config
    database: Database
    vault: Vault
    directory: Directory
    session: aiohttp.ClientSession
    metrics: Metrics = field(default_factory=Metrics)
    judges: Judges = field(default_factory=Judges)
    lists: Lists = field(default_factory=shipped)
    # How the files of payers stand: with what is wrong in them, and what holds of each.
    payer_files: list[PayerFile] = field(default_factory=list[PayerFile])
    # The companion guides that payers may name.
    companions: dict[str, str] = field(default_factory=dict[str, str])
    # The disk of the folder's own database, where a service runs on it.
    disk: Disk | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    # Of interchanges in doubt, by the number of their attempts: when by the steady clock their payer first said that it does not have them.
    first_absent: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])
    places: Places = field(init=False)
    _adapters: dict[str, Adapter] = field(default_factory=dict[str, Adapter])

    def __post_init__(self) -> None:
        self.places = Places(self.config.work_concurrency)

    def adapter(self, route: Route) -> Adapter:
        """The adapter of a route; UnknownAdapter where it is not installed, or cannot be loaded."""
        if route.adapter not in self._adapters:
            self._adapters[route.adapter] = registry.load(route.adapter)
        return self._adapters[route.adapter]

    def can(self, route: Route) -> Capabilities:
        """What the adapter of a route can do; nothing where it cannot be loaded, which concerns this route and no other."""
        try:
            return self.adapter(route).capabilities
        except UnknownAdapter:
            return Capabilities()

    def use(self, name: str, adapter: Adapter) -> None:
        """Have routes that name an adapter go over this one."""
        self._adapters[name] = adapter

    def adapter_context(self, route: Route) -> Context:
        """All that an adapter may touch on this route."""
        return Context(route.settings, route.secrets, self.session, self.world.now, route.deadline_seconds)

    def profile(self, payer_id: str) -> Profile:
        """What decisions need to know of a payer; the common defaults for one that is no longer configured."""
        payer = self.directory.payers.get(payer_id)
        return payer.profile if payer is not None else Profile()

    async def lease_clock(self, tx: Transaction) -> int:
        """The time by which leases of work end, which no leap of this machine's clock moves."""
        return await work.lease_clock(tx, self.database, self.world.monotonic())

    async def follow_clock(self) -> None:
        """Go by the clock of the database's server, where there is one: dates, places and pauses are read by all nodes."""
        await _follow_clock(self.database, self.world)

    async def close(self) -> None:
        await self.judges.close()
        await self.session.close()
        await self.database.close()


def migrations() -> list[Migration]:
    """Every migration, in the order in which they are applied."""
    folders = (
        (Path(str(queues.__path__[0])) / "schema", "queues"),
        (Path(str(gateway.__path__[0])) / "ledger" / "schema", "ledger"),
    )
    return [made for folder, component in folders for made in migrations_in(folder, component)]


async def open_database(config: Config, data: Path, *, exclusive: bool) -> Database:
    """The database of an installation: the one in its data folder, or the one that its configuration names.

    InUse where another process has the folder's own, Moved where that went to a server. DatabaseError where a server's cannot be reached.
    """
    if config.database is not None:
        return await open_server(config)
    embedded = SQLite(data / DATABASE_FILE, exclusive=exclusive)
    at = await embedded.read(moved_at)
    if at is not None:
        await embedded.close()
        raise Moved(
            f"this installation was moved to PostgreSQL on {from_micros(at).date()}, or that was begun: name that in the configuration ([database] url); a move"
            " that was cut off is finished by claimwire migrate --from sqlite, or given up with --abandon"
        )
    return embedded


async def open_server(config: Config) -> PostgreSQL:
    """The PostgreSQL database that a configuration names. DatabaseError where it cannot be reached."""
    assert config.database is not None
    try:
        from queues.postgres import PostgreSQL
    except ModuleNotFoundError as error:
        raise DatabaseError("for PostgreSQL install claimwire[postgresql], which brings asyncpg") from error
    return await PostgreSQL.open(config.database.url, config.database.readers)


async def open_runtime(
    config: Config,
    data: Path,
    world: World | None = None,
    *,
    exclusive: bool = True,
    opened: Callable[..., Awaitable[Database]] = open_database,
) -> Runtime:
    """Open the data folder and the database, by `opened`. `exclusive` is for those who serve: they make the folder if it is not there.

    On PostgreSQL any number of nodes serve. InUse when another process serves from the folder's own database. KeyMissing for those who only
    look where nobody has served yet: an empty installation, or a key of one, would be an answer about the wrong folder.
    """
    world = world or SystemWorld()
    if not exclusive and not await world.offload((data / "master.key").exists):
        raise KeyMissing(
            f"nothing was ever served from {data}: name the folder by --data, or by --config the file that names it"
        )
    await world.offload(lambda: data.mkdir(mode=0o700, parents=True, exist_ok=True))
    codes = data / "codes"
    lists = await world.offload(lambda: code_files.use(codes))
    companions = await world.offload(lambda: companions_in(data / "companions"))
    if faults := [fault for payer in config.payers for fault in missing(payer, companions)]:
        raise CompanionFileError("; ".join(faults))
    database = await opened(config, data, exclusive=exclusive)
    shared, here = config.database is not None, world.micros() - world.ahead
    try:
        await _follow_clock(database, world)
        done = await database.migrate(migrations())
        if done:
            _LOG.info("schema migrated", migrations=len(done))
        vault = await _vault(database, data, world.micros())
        if exclusive and not shared:
            await release_all(database, world.micros())
        elif exclusive:
            # Of those who died the leases and places end by time; others are at work.
            await database.write(lambda tx: _drop_unfinished(tx, world.micros() - _UNFINISHED_FOR))
            for warning in await database.warnings(here):
                _LOG.warning("the database server", reason=warning)
    except BaseException:
        await database.close()
        raise
    made = Runtime(
        world,
        config,
        database,
        vault,
        Directory(config.payers, config.routes),
        open_session(),
        judges=Judges(codes),
        lists=lists,
        companions=companions,
    )
    if exclusive and shared:
        # What other nodes put into the queue.
        database.listen(made.wake.set)
    return made


async def _follow_clock(database: Database, world: World) -> None:
    if not database.server_clock:
        return
    asked = world.monotonic()
    said = await database.read(lambda tx: work.lease_clock(tx, database, asked))
    off = world.follow(said, asked, world.monotonic())
    if abs(off) > _FAR:
        _LOG.warning("this clock is not the database server's, which is followed", reason=f"{off / work.SECOND:.0f} s")


async def _vault(database: Database, data: Path, now: int) -> Vault:
    """The vault under the folder's master key, which is made for a database that has no data yet. KeyMissing where it is another's."""
    path = data / "master.key"

    async def keyed(tx: Transaction) -> bool:
        return await tx.row("SELECT 1 FROM data_keys WHERE tenant_id = $1", TENANT) is not None

    if not path.exists() and await database.read(keyed):
        raise KeyMissing(
            f"{path} is missing, and the database has data sealed with it: copy it from the node that has it"
        )
    vault = Vault(master_key_from(path))
    try:
        await database.write(lambda tx: _tenant(tx, vault, now))
    except SealBroken as error:
        raise KeyMissing(f"{path}: {error}") from error
    return vault


async def release_all(database: Database, now: int) -> None:
    """The database is ours alone, so whoever held a lease, a place or a probe has died: what it had begun goes on at once."""
    await database.write(lambda tx: work.release(tx, now))
    await database.write(lanes.release)
    await database.write(circuits.release)
    await database.write(lambda tx: _drop_unfinished(tx, now))


async def _drop_unfinished(tx: Transaction, begun_by: int) -> None:
    """Batches that a process died over before anybody was told of them; their keys are free again."""
    for tenant_id, batch_id in await checks.forget_unfinished(tx, begun_by):
        await idempotency.release(tx, tenant_id, batch_id)


async def _tenant(tx: Transaction, vault: Vault, now: int) -> None:
    await tx.execute(
        "INSERT INTO tenants (tenant_id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT DO NOTHING", TENANT, now
    )
    await vault.open(tx, TENANT, now)

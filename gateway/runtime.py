"""What all parts of the running service share: the world, the database, the vault, the payers, the adapters' session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

import gateway
import queues
from adapters import registry
from adapters.protocol import Adapter, Context
from adapters.transports.session import open_session
from gateway import code_files
from gateway.companion_files import CompanionFileError, companions_in, missing
from gateway.config import Config
from gateway.judges import Judges
from gateway.ledger import checks, idempotency
from gateway.ledger.vault import Vault, master_key_from
from gateway.lifecycle import Profile
from gateway.payer_files import PayerFile
from gateway.payers import Directory, Route
from gateway.places import Places
from gateway.world import SystemWorld, World
from observability import log
from observability.metrics import Metrics
from queues import circuits, lanes, work
from queues.database import Database, SQLite, Transaction, migrations_in
from x12.codes.lists import Lists, shipped

__all__ = ["TENANT", "Runtime", "open_runtime"]

# One installation serves one practice or group; the column is there for those that will serve many.
TENANT = "default"
_LOG = log.get("gateway")


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
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    places: Places = field(init=False)
    _adapters: dict[str, Adapter] = field(default_factory=dict[str, Adapter])

    def __post_init__(self) -> None:
        self.places = Places(self.config.work_concurrency)

    def adapter(self, route: Route) -> Adapter:
        """The adapter of a route."""
        if route.adapter not in self._adapters:
            self._adapters[route.adapter] = registry.load(route.adapter)
        return self._adapters[route.adapter]

    def adapter_context(self, route: Route) -> Context:
        """All that an adapter may touch on this route."""
        return Context(route.settings, route.secrets, self.session, self.world.now, route.deadline_seconds)

    def profile(self, payer_id: str) -> Profile:
        """What decisions need to know of a payer; the common defaults for one that is no longer configured."""
        payer = self.directory.payers.get(payer_id)
        return payer.profile if payer is not None else Profile()

    async def close(self) -> None:
        await self.judges.close()
        await self.session.close()
        await self.database.close()


def migrations() -> list[tuple[Path, str]]:
    """Folders of numbered SQL with the component they belong to, in the order they are applied."""
    return [
        (Path(str(queues.__path__[0])) / "schema", "queues"),
        (Path(str(gateway.__path__[0])) / "ledger" / "schema", "ledger"),
    ]


async def open_runtime(config: Config, data: Path, world: World | None = None, *, exclusive: bool = True) -> Runtime:
    """Open the data folder, made if it is not there; InUse when another process serves from it."""
    world = world or SystemWorld()
    await world.offload(lambda: data.mkdir(mode=0o700, parents=True, exist_ok=True))
    codes = data / "codes"
    lists = await world.offload(lambda: code_files.use(codes))
    companions = await world.offload(lambda: companions_in(data / "companions"))
    if faults := [fault for payer in config.payers for fault in missing(payer, companions)]:
        raise CompanionFileError("; ".join(faults))
    database = SQLite(data / "claimwire.db", exclusive=exclusive)
    try:
        done = await database.migrate([m for folder, name in migrations() for m in migrations_in(folder, name)])
        if done:
            _LOG.info("schema migrated", migrations=len(done))
        vault = Vault(master_key_from(data / "master.key"))
        await database.write(lambda tx: _tenant(tx, vault, world.micros()))
        if exclusive:
            # The folder is ours alone, so whoever held a lease has died: what it had begun goes on at once.
            await database.write(lambda tx: work.release(tx, world.micros()))
            await database.write(lanes.release)
            await database.write(circuits.release)
            await database.write(_drop_unfinished)
    except BaseException:
        await database.close()
        raise
    return Runtime(
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


async def _drop_unfinished(tx: Transaction) -> None:
    """Batches that a process died over before anybody was told of them; their keys are free again."""
    for tenant_id, batch_id in await checks.forget_unfinished(tx):
        await idempotency.release(tx, tenant_id, batch_id)


async def _tenant(tx: Transaction, vault: Vault, now: int) -> None:
    await tx.execute(
        "INSERT INTO tenants (tenant_id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT DO NOTHING", TENANT, now
    )
    await vault.open(tx, TENANT, now)

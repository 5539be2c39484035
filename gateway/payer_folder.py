"""Keeps the payers in force: the configuration's, and one file each in a folder, read again when one changes.

A file that cannot be used keeps what it last said, also over a restart, and is told in the log and by `/v1/payer-files`. What
was in force of each payer, and when, is in the ledger.
"""

from __future__ import annotations

from pathlib import Path

from gateway import payer_files
from gateway.companion_files import missing
from gateway.ledger import payer_versions
from gateway.ledger.payer_versions import InForce
from gateway.payer_files import PayerFile, content_of, from_content
from gateway.payers import Directory
from gateway.runtime import TENANT, Runtime
from observability import log
from queues import work
from queues.database import DatabaseError, Transaction

__all__ = ["CONFIGURATION", "STANDING", "PayerFolder", "take_in"]

_LOG = log.get("gateway.payers")
LOOKED_AT_SECONDS = 1.0
# Work that there always is for a route.
STANDING = ("collect", "batch", "check_feed")
CONFIGURATION = "configuration"


class PayerFolder:
    """The folder of a running service. `Runtime.payer_files` is how its files stand: with their faults, and what holds in their place."""

    def __init__(self, runtime: Runtime, data: Path) -> None:
        self.runtime = runtime
        self.folder = data / runtime.config.payers_folder
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._good: dict[str, PayerFile] = {}

    async def watch(self) -> None:
        """Look for changes until cancelled. What cannot be read or stored now is tried again at the next look."""
        while True:
            await self.runtime.world.sleep(LOOKED_AT_SECONDS)
            try:
                await self.look()
            except (OSError, DatabaseError) as error:
                _LOG.error("payers cannot be read", exc_info=error)

    async def look(self) -> bool:
        """Take over what has changed; whether anything had."""
        world = self.runtime.world
        seen = await world.offload(lambda: payer_files.signature(self.folder))
        if seen == self._seen:
            return False
        read = await world.offload(lambda: payer_files.read_folder(self.folder))
        await self._take(read)
        self._seen = seen
        return True

    async def _take(self, read: list[PayerFile]) -> None:
        runtime = self.runtime
        directory = Directory(runtime.config.payers, runtime.config.routes)
        held = {p.id: InForce(CONFIGURATION, _content(directory, p.id)) for p in directory.payers.values()}
        told: list[PayerFile] = []
        for file in read:
            used, faults = await self._used(directory, file)
            told.append(PayerFile(file.name, used.payer if used else None, used.routes if used else [], faults))
            if used is not None and used.payer is not None:
                held[used.payer.id] = InForce(file.name, content_of(used.payer, used.routes))
            if faults:
                kept = "what it said before holds" if used is not None else "it is left out"
                _LOG.error("payer file not used", where=file.name, reason="; ".join(faults), state=kept)
        new = set(directory.routes) - set(runtime.directory.routes)
        now = runtime.world.micros()
        changed = await runtime.database.write(lambda tx: self._commit(tx, held, new, now))
        runtime.directory = directory
        runtime.payer_files = told
        if changed:
            _LOG.info("payers changed", count=changed)
        runtime.wake.set()

    async def _used(self, directory: Directory, file: PayerFile) -> tuple[PayerFile | None, list[str]]:
        """What of a file holds: itself, or what it last said; and what is wrong with it."""
        payer = file.payer
        faults = file.faults or (missing(payer, self.runtime.companions) if payer is not None else [])
        faults = faults or take_in(directory, file)
        if not faults:
            self._good[file.name] = file
            return file, []
        last = self._good.get(file.name)
        if last is None:
            vault = self.runtime.vault
            kept = await self.runtime.database.read(lambda tx: payer_versions.latest_of(tx, vault, TENANT, file.name))
            last = from_content(file.name, kept) if kept is not None else None
        if last is None or take_in(directory, last):
            return None, faults
        self._good[file.name] = last
        return last, faults

    async def _commit(self, tx: Transaction, held: dict[str, InForce], new: set[str], now: int) -> int:
        world = self.runtime.world
        ids = {payer_id: world.new_id() for payer_id in held}
        changed = await payer_versions.record(tx, self.runtime.vault, TENANT, held, now, ids)
        for route_id in new:
            for kind in STANDING:
                await work.enqueue(tx, TENANT, world.new_id(), kind, route_id, now)
        return changed


def take_in(directory: Directory, file: PayerFile) -> list[str]:
    """Add what a file says; what is wrong with it beside the others, and then nothing of it is added."""
    assert file.payer is not None
    taken = [route.id for route in file.routes if route.id in directory.routes]
    faults = directory.add_routes(file.routes) or directory.add(file.payer)
    if faults:
        for route in file.routes:
            if route.id not in taken:
                directory.routes.pop(route.id, None)
    return faults


def _content(directory: Directory, payer_id: str) -> bytes:
    payer = directory.payers[payer_id]
    return content_of(payer, [directory.routes[name] for name in payer.routes])

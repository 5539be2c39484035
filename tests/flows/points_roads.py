"""The payer at the other end of each road of `tests.flows.points`, over real sockets: the sandbox, or another Claimwire with the sandbox behind it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from adapters.sandbox.payer import Payer as SandboxPayer
from adapters.sandbox.payer import Receipt, Reply
from adapters.sandbox.server import SandboxServer
from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from gateway.serving import Running
from gateway.simulation.checks import Broken, Carried, restless
from gateway.simulation.payers import Arrival, claims_in
from tests.flows.service import Client, in_process

__all__ = ["PAYER", "ROADS", "Above", "Direct", "Road", "payer_over"]

Road = Literal["rest", "core-soap", "core-mime", "sftp", "dialect"]
ROADS: tuple[Road, ...] = get_args(Road)
# A name of the sandbox payer.
PAYER = "CWSBX"


class Witness(SandboxPayer):
    """The sandbox payer, which remembers what arrived and which files it let go of."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.arrivals: list[Arrival] = []
        self.let_go: list[str] = []

    def take(self, key: str, content: bytes) -> Receipt | Reply:
        taken = super().take(key, content)
        segments = content.decode().split("~")
        (set_id,) = {line.split("*")[1] for line in segments if line.startswith("ST*")}
        digest = hashlib.sha256(content).hexdigest()
        self.arrivals.append(Arrival(PAYER, set_id, segments[0].split("*")[13], digest, claims_in(content)))
        return taken

    def remove(self, reference: str) -> None:
        if (content := self.file(reference)) is not None:
            self.let_go.append(hashlib.sha256(content).hexdigest())
        super().remove(reference)


class Direct:
    """The payer at the other end of the road."""

    def __init__(self, road: Road, server: SandboxServer, witness: Witness) -> None:
        self.server, self.witness = server, witness
        self.routes = _routes(road, server)
        self.ports = frozenset((server.port, server.files.port if server.files is not None else server.port))

    async def forward(self, by: timedelta) -> None:
        """Time passes there."""
        await self.server.forward(by)

    def has(self, control_number: str) -> bool:
        """What it says to who calls about an interchange."""
        return any(one.control_number == control_number for one in self.witness.arrivals)

    async def left(self) -> int:
        """How many files lie there to be collected."""
        return len(await asyncio.to_thread(self.witness.files))

    async def check(self, claims: int) -> None:
        """Broken where it has other than so many claims, or one of them twice."""
        came = await asyncio.to_thread(self.witness.seen)
        _counted_once(came, claims)
        carried = Carried({PAYER: self.routes[0].duplicates})
        for arrival in self.witness.arrivals:
            carried.arrived(arrival)


class Above:
    """Another Claimwire, with the payer behind it."""

    def __init__(self, client: Client, up: Running) -> None:
        self.client, self.up = client, up
        settings = {"url": f"{client.url}/2024-04-01/change", "reports": "mailbox"}
        secrets = {"key": client.key or ""}
        self.routes = [_route("road", "dialect", settings, secrets=secrets, duplicates="idempotency_key")]
        self.ports = frozenset((int(client.url.rpartition(":")[2]),))

    async def forward(self, by: timedelta) -> None:
        await self.client.forward(by / timedelta(days=1))

    def has(self, control_number: str) -> bool:
        raise AssertionError(f"{control_number} is left to a person, where the other end knows its key")

    async def left(self) -> int:
        return 0

    async def check(self, claims: int) -> None:
        """Broken where its own ledger is not whole, or it or the payer behind it has other than so many claims."""
        assert self.up.sandbox is not None
        payer = Client(self.up.sandbox.url, None)
        try:
            _counted_once((await payer.get("/seen")).json, claims)
        finally:
            await payer.close()
        runtime: Runtime = self.up.runtime
        if found := await runtime.database.read(lambda tx: restless(tx, runtime.world.micros())):
            raise Broken("; ".join(found))
        rows = await runtime.database.read(
            lambda tx: tx.fetch("SELECT 1 FROM transactions WHERE tenant_id = $1 AND kind = 'claim'", TENANT)
        )
        if len(rows) != claims:
            raise Broken(f"the upstream has {len(rows)} claims")


def _counted_once(came: dict[str, Any], claims: int) -> None:
    if sorted(came["claims"].values()) != [1] * claims or came["duplicateClaims"]:
        raise Broken(f"the payer has {came}")


def _route(name: str, adapter: str, settings: dict[str, str], **changes: Any) -> Route:
    told: dict[str, Any] = {"batch_window_seconds": 0.05, "poll_seconds": 0.1, "deadline_seconds": 10.0}
    return Route(
        id=name,
        adapter=adapter,
        usage="T",
        sender_id="CLAIMWIRE",
        receiver_id="SANDBOX",
        settings=settings,
        **told | changes,
    )


def _routes(road: Road, server: SandboxServer) -> list[Route]:
    """The way to the payer; over SFTP questions have a way of their own, as they must."""
    core = {"url": f"{server.url}/core", "sender_id": "CLAIMWIRE", "receiver_id": "SANDBOX"}
    match road:
        case "rest":
            return [_route("road", "rest", {"url": server.url})]
        case "core-soap":
            return [_route("road", "core", core | {"settles": "all"}, duplicates="idempotency_key")]
        case "core-mime":
            return [_route("road", "core", core | {"settles": "all", "envelope": "mime"})]
        case _:
            assert server.files is not None
            files = {
                "host": "127.0.0.1",
                "port": str(server.files.port),
                "user": "alderfp",
                "host_keys": server.files.host_key,
                "upload": "/inbound",
                "download": "/outbound",
                "still_seconds": "0",
                "processed": "/inbound/processed/{name} /inbound/processed/{name}.error",
            }
            questions = _route("questions", "core", core | {"acknowledgements": "", "results": ""}, poll_seconds=3600.0)
            return [
                _route("road", "sftp", files, secrets={"password": "any"}, duplicates="filename"),
                questions,
            ]


@asynccontextmanager
async def payer_over(road: Road, folder: Path) -> AsyncGenerator[Direct | Above]:
    if road == "dialect":
        async with in_process(folder / "above") as (client, up):
            yield Above(client, up)
        return
    witness = await asyncio.to_thread(Witness, folder / "sandbox.db")
    server = SandboxServer(witness, "")
    try:
        await server.listen("127.0.0.1", 0)
        if road == "sftp":
            await server.listen_sftp("127.0.0.1", 0)
        yield Direct(road, server, witness)
    finally:
        await server.close()

"""Two Claimwires, one the upstream of the other, and the wire between them, which a test may cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp import web

from gateway.config import Config
from gateway.ledger import api_keys, claim_list, interchanges
from gateway.ledger.interchanges import Interchange
from gateway.payers import Payer, Route, Transactions
from gateway.runtime import TENANT
from gateway.serving import Running, running
from gateway.world import SystemWorld
from tests.flows.service import Client, in_process

__all__ = ["PAYER", "STRANGER", "Posted", "Upstream", "Wire", "upstream"]

# Another name of the sandbox payer at the upstream, so that here it is a payer like any other.
PAYER = "CWSBX"
# One that is configured here, and that the upstream may not know.
STRANGER = "BIRCH"
_HOPS = frozenset(("host", "content-length", "transfer-encoding", "connection", "keep-alive", "date", "server"))


@dataclass(frozen=True)
class Posted:
    """One POST as it came over the wire."""

    path: str
    key: str
    body: bytes


@dataclass
class Wire:
    """A real socket in front of the upstream. `cuts` are what befalls the next submissions: before they arrive, or after."""

    target: str
    cuts: list[Literal["before", "after"]] = field(default_factory=list[Literal["before", "after"]])
    posted: list[Posted] = field(default_factory=list[Posted])
    url: str = ""

    @property
    def submissions(self) -> list[Posted]:
        return [one for one in self.posted if one.path.endswith("raw-x12-submission")]

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        cut = None
        if request.method == "POST":
            self.posted.append(Posted(request.path, request.headers.get("Idempotency-Key", ""), body))
            if request.path.endswith("raw-x12-submission") and self.cuts:
                cut = self.cuts.pop(0)
        if cut == "before":
            return self._broken(request)
        headers = {n: v for n, v in request.headers.items() if n.lower() not in _HOPS}
        async with (
            aiohttp.ClientSession(self.target, auto_decompress=False) as session,
            session.request(request.method, request.rel_url, data=body, headers=headers) as answer,
        ):
            content = await answer.read()
            if cut == "after":
                return self._broken(request)
            kept = {n: v for n, v in answer.headers.items() if n.lower() not in _HOPS}
            return web.Response(status=answer.status, body=content, headers=kept)

    def _broken(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def _wire(target: str) -> AsyncGenerator[Wire]:
    made = Wire(target)
    app = web.Application(client_max_size=16 << 20)
    app.router.add_route("*", "/{path:.*}", made.pass_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Upstream:
    """The upstream with its sandbox payer (`above`), who asks it (`client`), and the wire between."""

    client: Client
    here: Running
    above: Client
    there: Running
    wire: Wire

    async def seen(self) -> dict[str, int]:
        """How often the payer at the far end got each claim."""
        assert self.there.sandbox is not None
        payer = Client(self.there.sandbox.url, None)
        seen = (await payer.get("/seen")).json
        await payer.close()
        return seen["claims"]

    async def carried(self, claim: str) -> list[Interchange]:
        return await self.here.runtime.database.read(lambda tx: interchanges.of_transaction(tx, TENANT, claim))

    async def weather(self, **weather: Any) -> None:
        """What befalls those who come to the payer at the far end."""
        assert self.there.sandbox is not None
        payer = Client(self.there.sandbox.url, None)
        assert 200 == (await payer.post("/weather", weather)).status
        await payer.close()

    def passes(self, seconds: float) -> None:
        """Time passes here alone."""
        world = self.here.runtime.world
        assert isinstance(world, SystemWorld)
        world.forward(timedelta(seconds=seconds))
        self.here.runtime.wake.set()

    async def comes_again(self) -> None:
        """Wait until a file was collected that had been collected before."""
        told = 'claimwire_inbound_files_total{route_id="upstream",state="repeated"}'
        async with asyncio.timeout(30):
            while True:
                if told in (await self.client.get("/metrics")).body.decode():
                    return
                await asyncio.sleep(0.05)

    async def sets_above(self) -> list[tuple[str, str]]:
        """ST01 and the transaction of everything that the upstream has to tell."""
        items = (await self.above.get("/2023-08-01/polling/transactions")).json["items"]
        return [(i["x12"]["metadata"]["transaction"]["transactionSetIdentifier"], i["transactionId"]) for i in items]

    async def claim_above(self) -> str:
        """The one claim that the upstream took; its transaction there."""
        (claim,) = [transaction_id for set_id, transaction_id in await self.sets_above() if set_id == "837"]
        return claim

    async def charges(self, claim: str) -> list[str]:
        """CLP03 of each remittance of a claim here."""
        runtime = self.here.runtime
        paid = await runtime.database.read(lambda tx: claim_list.payments(tx, runtime.vault, TENANT, claim))
        return [one.charge for one in paid.values()]

    async def submitted(self, path: str, body: dict[str, Any], payer: str = PAYER) -> str:
        """Submit a claim for a payer behind the upstream; its transaction here."""
        answer = await self.client.post(path, body | {"tradingPartnerServiceId": payer})
        assert 200 == answer.status, answer.body
        return answer.json["claimReference"]["correlationId"]


@asynccontextmanager
async def upstream(
    folder: Path, *, status: bool = True, reports: str = "mailbox", answer_seconds: float = 20, **changes: Any
) -> AsyncGenerator[Upstream]:
    """`status` says whether the payer may be asked about claims, `answer_seconds` how long the upstream waits for it."""
    waits = Config(answer_seconds=answer_seconds)
    async with in_process(folder / "above", waits) as (above, there), _wire(there.url) as wire:
        told: dict[str, Any] = {"batch_window_seconds": 0.05, "poll_seconds": 0.2, "duplicates": "idempotency_key"}
        route = Route(
            id="upstream",
            adapter="dialect",
            usage="T",
            sender_id="ALDERFP",
            receiver_id="CLEARING",
            settings={"url": f"{wire.url}/2024-04-01/change", "reports": reports},
            secrets={"key": above.key or ""},
            **told | changes,
        )
        takes = Transactions(claim_status="supported" if status else "not_supported")
        payers = [
            Payer(id=name, name="SANDBOX HEALTH PLAN", routes=["upstream"], transactions=takes)
            for name in (PAYER, STRANGER)
        ]
        config = Config(port=0, routes=[route], payers=payers)
        async with running(config, folder / "here") as here:
            runtime, now = here.runtime, here.runtime.world.micros()
            key, _ = await runtime.database.write(
                lambda tx: api_keys.create(tx, runtime.vault, TENANT, "practice", api_keys.SCOPES, now)
            )
            client = Client(here.url, key)
            try:
                yield Upstream(client, here, above, there, wire)
            finally:
                await client.close()

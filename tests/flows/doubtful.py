"""A service whose payer is hard to understand: what it says of copies, whether it can be asked, what it gives, is each test's choice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from adapters.protocol import Capabilities, Context, Delivered, Outbound, Outcome, Replied
from adapters.transports.rest import RawX12
from gateway.config import Config
from gateway.ledger import inbound, interchanges
from gateway.ledger.interchanges import Interchange
from gateway.payers import Transactions
from gateway.runtime import TENANT
from gateway.serving import Running
from gateway.world import SystemWorld
from queues import work
from queues.database import Transaction
from tests.flows.service import Client, in_process, until_true

__all__ = ["Doubtful", "doubtful", "functional", "ta1"]

_ISA = "ISA*00*          *00*          *ZZ*SANDBOX        *ZZ*CLAIMWIRE      *260105*1200*^*00501*{number:09d}*0*T*:~"


class Quiet(RawX12):
    """The sandbox payer over its own exchange, without what this route is not to have."""

    def __init__(self, *, probes: bool, collects: bool) -> None:
        super().__init__("sandbox", "the sandbox payer, quiet")
        self.capabilities = Capabilities(RawX12.capabilities.real_time, RawX12.capabilities.batch, collects, probes)
        # What is answered to a 276 where that is held back: the payer takes the question, and its 277 is to come.
        self.held_back: asyncio.Queue[bytes] | None = None

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        outcome = await super().send(outbound, context)
        if self.held_back is not None and outbound.set_id == "276" and isinstance(outcome, Replied):
            self.held_back.put_nowait(outcome.payload)
            return Delivered("taken")
        return outcome


@dataclass
class Doubtful:
    """The service, its client, and what a test does to its payer."""

    client: Client
    up: Running

    async def weather(self, *faults: str) -> None:
        """What befalls the next deliveries."""
        assert self.up.sandbox is not None
        payer = Client(self.up.sandbox.url, None)
        assert 200 == (await payer.post("/weather", {"next": list(faults)})).status
        await payer.close()

    async def seen(self) -> dict[str, Any]:
        """What the payer has got."""
        assert self.up.sandbox is not None
        payer = Client(self.up.sandbox.url, None)
        seen = (await payer.get("/seen")).json
        await payer.close()
        return seen

    async def arrives(self, content: str) -> str:
        """A file comes from the payer; the id under which it is kept, once it was read."""
        runtime = self.up.runtime

        async def store(tx: Transaction) -> str:
            now, made_id = runtime.world.micros(), runtime.world.new_id()
            file, new = await inbound.store(tx, runtime.vault, TENANT, "sandbox", made_id, content.encode(), now, "")
            if new:
                await work.enqueue(tx, TENANT, file.inbound_id, "apply", file.inbound_id, now)
            return file.inbound_id

        inbound_id = await runtime.database.write(store)
        runtime.wake.set()
        async with asyncio.timeout(30):
            while True:
                file = await runtime.database.read(lambda tx: inbound.get(tx, TENANT, inbound_id))
                if file is not None and file.state != "stored":
                    return inbound_id
                await asyncio.sleep(0.02)

    async def interchange(self, claim: str, *states: str, copies: int = 0) -> Interchange:
        """The newest interchange of a claim, once it stands in one of these states and so many copies may have arrived."""
        database = self.up.runtime.database
        async with asyncio.timeout(30):
            while True:
                found = await database.read(lambda tx: interchanges.of_transaction(tx, TENANT, claim))
                if found and (not states or found[-1].state in states) and found[-1].copies >= copies:
                    return found[-1]
                await asyncio.sleep(0.02)

    def passes(self, seconds: float) -> None:
        """Time passes here, and not at the payer."""
        world = self.up.runtime.world
        assert isinstance(world, SystemWorld)
        world.forward(timedelta(seconds=seconds))
        self.up.runtime.wake.set()

    async def passes_at_rest(self, seconds: float, kind: str = "send") -> None:
        """The same once no work of a kind is under way, nor is due: the leap would end its lease, and another would do it again."""
        runtime = self.up.runtime

        async def at_rest() -> bool:
            return not await runtime.database.read(lambda tx: work.due_by(tx, kind, runtime.world.micros()))

        await until_true(at_rest)
        self.passes(seconds)

    async def story(self, claim: str) -> list[str]:
        return [e["kind"] for e in (await self.client.trace(claim))["events"]]

    async def doubts(self) -> list[Mapping[str, Any]]:
        return (await self.client.get("/v1/in-doubt")).json["items"]

    async def decide(self, interchange_id: str, decision: str, status: int = 200, **headers: str) -> Any:
        body = {"decision": decision, "why": "the payer was called"}
        answer = await self.client.post(f"/v1/in-doubt/{interchange_id}/decision", body, **headers)
        assert status == answer.status, answer.body
        return answer.json


@asynccontextmanager
async def doubtful(
    folder: Path,
    *,
    duplicates: Literal["none", "isa13"] = "none",
    probes: bool = False,
    collects: bool = False,
    status: bool = False,
    window_seconds: float = 0.1,
    duplicates_hours: float | None = None,
    absent_seconds: float = 0.0,
    config: Config | None = None,
) -> AsyncGenerator[Doubtful]:
    """A service whose payer takes claims and, where it may, can be asked and gives files. Claims of one window leave together."""
    async with in_process(folder, config) as (client, up):
        directory = up.runtime.directory
        directory.routes["sandbox"] = msgspec.structs.replace(
            directory.routes["sandbox"],
            duplicates=duplicates,
            duplicates_hours=duplicates_hours,
            absent_seconds=absent_seconds,
            batch_window_seconds=window_seconds,
        )
        takes = Transactions(claim_status="supported" if status else "not_supported")
        directory.payers["SANDBOX"] = msgspec.structs.replace(directory.payers["SANDBOX"], transactions=takes)
        up.runtime.use("sandbox", Quiet(probes=probes, collects=collects))
        yield Doubtful(client, up)


def ta1(interchange: Interchange, code: str, note: str = "000", number: int = 1) -> str:
    """The TA1 of an interchange: A, E or R with a note."""
    said = f"TA1*{interchange.control_number:09d}*260105*1200*{code}*{note}~"
    return f"{_ISA.format(number=number)}{said}IEA*0*{number:09d}~"


def functional(
    interchange: Interchange,
    verdicts: Mapping[str, str],
    group: str = "A",
    included: int | None = None,
    number: int = 2,
) -> str:
    """The 999 of an interchange: its verdict on each set (IK501 by ST02) and on the group (AK901)."""
    count = len(verdicts) if included is None else included
    good = sum(code in "AE" for code in verdicts.values())
    body = [f"AK1*HC*{interchange.control_number}*005010X222A1"]
    for control_number, code in verdicts.items():
        body += [f"AK2*837*{control_number}*005010X222A1", f"IK5*{code}{'*5' if code in 'RM' else ''}"]
    body.append(f"AK9*{group}*{count}*{count}*{good}")
    lines = ["ST*999*0001*005010X231A1", *body, f"SE*{len(body) + 2}*0001"]
    gs = f"GS*FA*SANDBOX*CLAIMWIRE*20260105*1200*{number}*X*005010X231A1~"
    return f"{_ISA.format(number=number)}{gs}{'~'.join(lines)}~GE*1*{number}~IEA*1*{number:09d}~"


def claim_acknowledgement(patient_control_number: str, source: Literal["AY", "PR"], number: int = 3) -> str:
    """The 277CA of a clearinghouse (AY) or a payer (PR) that takes one claim."""
    body = [
        "BHT*0085*08*R1*20260105*1200*TH",
        f"HL*1**20*1~NM1*{source}*2*WHO SAYS IT*****46*WHO~TRN*1*R1~DTP*050*D8*20260105~DTP*009*D8*20260105",
        "HL*2*1*21*1~NM1*41*2*CLAIMWIRE*****46*CLAIMWIRE~TRN*2*B1~STC*A1:19:40*20260105*WQ*120~QTY*90*1~AMT*YU*120",
        "HL*3*2*19*1~NM1*85*2*SYNTHETIC CLINIC*****XX*1999999984~TRN*1*0",
        "HL*4*3*PT~NM1*QC*1*ABARA*ADA****MI*M1",
        f"TRN*2*{patient_control_number}~STC*A1:19:{source}*20260105*WQ*120~DTP*472*D8*20260105",
    ]
    lines = "~".join(["ST*277*0001*005010X214", *body])
    gs = f"GS*HN*SANDBOX*CLAIMWIRE*20260105*1200*{number}*X*005010X214~"
    end = f"SE*{lines.count('~') + 2}*0001~GE*1*{number}~IEA*1*{number:09d}~"
    return f"{_ISA.format(number=number)}{gs}{lines}~{end}"

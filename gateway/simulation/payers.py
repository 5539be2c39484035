"""Simulated payers: the sandbox payer's own logic behind a wire that loses, delays, doubles and lies as wires do.

The wire keeps what really arrived, so that what the gateway believes can be held against it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    Manifest,
    NotSent,
    Outbound,
    Outcome,
    Replied,
)
from adapters.sandbox.payer import Payer, Receipt, Reply
from gateway.simulation.machine import Fate, Machine
from gateway.simulation.world import Clock
from gateway.world import from_micros

__all__ = ["Arrival", "SimulatedAdapter", "SimulatedPayer", "Wire", "opened"]

# What can befall a sending, and how often beside the fair weather.
_FAULTS = ("refused", "busy", "cut before", "cut after", "page", "hangs", "hangs after", "takes late")
# A payer that is late has what it has read so long after we stopped waiting for its answer, at most: less than a route's `absent_seconds`.
_LATE_SECONDS = 50.0
_HTML = b"<html><body>502 Bad Gateway</body></html>"
_REALTIME, _BATCH = frozenset(("270", "276")), frozenset(("837",))


@dataclass(frozen=True)
class Arrival:
    """An interchange that reached a payer, whatever the gateway knows of it."""

    payer: str
    set_id: str
    control_number: str
    sha256: str
    claims: tuple[str, ...]


@dataclass
class SimulatedPayer:
    """A payer, how it is to talk to, and the weather on the way to it. `storm` is the share of calls that something befalls."""

    name: str
    payer: Payer
    duplicates: str
    probes: bool
    asked: bool
    storm: float = 0.0
    out_until: float = 0.0


@dataclass
class Wire:
    """All the wires, by payer, and what went over them. `settling` is told of each file before the payer lets go of it."""

    fate: Fate
    clock: Clock
    payers: Mapping[str, SimulatedPayer]
    settling: Callable[[bytes], None]
    arrivals: list[Arrival] = field(default_factory=list[Arrival])

    def knows(self, payer: str, control_number: str) -> bool:
        """Whether an interchange of this number arrived."""
        return any(a.payer == payer and a.control_number == control_number for a in self.arrivals)


def claims_in(content: bytes) -> tuple[str, ...]:
    """The patient control numbers (CLM01) of an interchange's claims."""
    return tuple(line.split("*")[1] for line in content.decode().split("~") if line.startswith("CLM*"))


class SimulatedAdapter:
    """One machine's way to all the payers; `settings` of a route say to which."""

    name = "simulated"
    manifest = Manifest(summary="a simulated payer", owner="claimwire")

    def __init__(self, machine: Machine, wire: Wire, *, probes: bool, collects: bool = True) -> None:
        self._machine = machine
        self._wire = wire
        self.capabilities = Capabilities(_REALTIME, _BATCH, collects, probes)

    @property
    def _random(self) -> Random:
        return self._wire.fate.random

    def _payer(self, context: Context) -> SimulatedPayer:
        return self._wire.payers[context.settings["payer"]]

    def _befalls(self, payer: SimulatedPayer, *faults: str) -> str:
        """What befalls this call, told; "" for nothing."""
        if self._wire.clock.loop.time() < payer.out_until:
            return "refused"
        if self._random.random() >= payer.storm:
            return ""
        fault = self._random.choice(faults)
        self._wire.fate.faults[fault] += 1
        return fault

    async def _takes_time(self, longest: float = 2.0) -> None:
        await asyncio.sleep(self._random.choice((0.0, 1.0)) * self._random.random() * longest)

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        """Deliver once, in this payer's weather."""
        payer, where = self._payer(context), f"send {outbound.set_id}"
        self._machine.passes(where, "before")
        fault = self._befalls(payer, *_FAULTS)
        await self._takes_time()
        self._wire.fate.tell(
            f"{self._machine.name} sends {outbound.set_id} {outbound.control_number} to {payer.name}: {fault or 'well'}"
        )
        match fault:
            case "refused":
                return NotSent("connection refused")
            case "busy":
                return NotSent("503", self._random.choice((None, 1.0, 30.0, 1e9)))
            case "cut before":
                return InDoubt("the connection was cut")
            case "page":
                return InDoubt("an answer that is no X12", _HTML)
            case "hangs":
                await asyncio.sleep(context.deadline_seconds)
                return InDoubt("no answer in time")
            case "takes late":
                self._machine.passes(where, "with the last byte")
                late = context.deadline_seconds + self._random.random() * _LATE_SECONDS
                # Whatever becomes of the machine meanwhile.
                self._wire.clock.loop.call_later(late, self._taken, payer, outbound)
                await asyncio.sleep(context.deadline_seconds)
                return InDoubt("no answer in time")
            case _:
                return await self._delivered(payer, outbound, context, where, fault)

    async def _delivered(
        self, payer: SimulatedPayer, outbound: Outbound, context: Context, where: str, fault: str
    ) -> Outcome:
        """The payer has all of it; whether we hear of that is another matter."""
        self._machine.passes(where, "with the last byte")
        answer = self._taken(payer, outbound)
        if fault == "hangs after":
            await asyncio.sleep(context.deadline_seconds)
        await self._takes_time()
        self._machine.passes(where, "after")
        if fault:
            return InDoubt("the connection was cut")
        return Delivered(answer.reference) if isinstance(answer, Receipt) else Replied(answer.content)

    def _taken(self, payer: SimulatedPayer, outbound: Outbound) -> Receipt | Reply:
        """The payer takes it in."""
        self._wire.arrivals.append(
            Arrival(
                payer.name,
                outbound.set_id,
                outbound.control_number,
                hashlib.sha256(outbound.payload).hexdigest(),
                claims_in(outbound.payload),
            )
        )
        key = outbound.idempotency_key if payer.duplicates == "idempotency_key" else ""
        return payer.payer.take(key, outbound.payload)

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        """The payer's files, in this weather: some twice, some in another order, some not now."""
        payer = self._payer(context)
        self._machine.passes("collect", "before")
        if self._befalls(payer, "refused"):
            raise ConnectionError("connection refused")
        files = payer.payer.files()
        how = self._befalls(payer, "twice", "shuffled", "cut short")
        if how == "twice":
            files = [one for one in files for _ in range(2)]
        elif how == "shuffled":
            self._random.shuffle(files)
        for place_of, one in enumerate(files):
            await self._takes_time()
            content = payer.payer.file(one.reference)
            if content is None:
                continue
            self._machine.passes("collect", "within")
            self._wire.fate.tell(f"{self._machine.name} is given {one.name} by {payer.name}")
            if how == "cut short" and place_of:
                raise ConnectionError("connection reset")
            yield Inbound(one.reference, one.name, content)

    async def settle(self, inbound: Inbound, context: Context) -> None:
        """The payer may let go of a file; it may not hear of it."""
        payer = self._payer(context)
        self._machine.passes("settle", "before")
        await self._takes_time(0.2)
        fault = self._befalls(payer, "unheard", "cut after")
        if fault in ("refused", "unheard"):
            raise ConnectionError("connection reset")
        self._wire.settling(inbound.payload)
        self._wire.fate.tell(f"{payer.name} lets go of {inbound.name}")
        payer.payer.remove(inbound.reference)
        self._machine.passes("settle", "after")
        if fault:
            raise ConnectionError("connection reset")

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        """What the payer says of an interchange."""
        payer = self._payer(context)
        self._machine.passes("probe", "before")
        await self._takes_time()
        if self._befalls(payer, "refused", "page"):
            return "unknown"
        return "received" if self._wire.knows(payer.name, outbound.control_number) else "absent"


def opened(name: str, clock: Clock, duplicates: str, *, probes: bool, asked: bool) -> SimulatedPayer:
    """A payer with an empty memory. It numbers claims by its clock, as the others do: their numbers may be the same."""
    return SimulatedPayer(name, Payer(":memory:", lambda: from_micros(clock.true_micros())), duplicates, probes, asked)

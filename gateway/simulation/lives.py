"""One seed's life of an installation: weeks of claims, storms, deaths and wrong clocks, then fair weather until all is at rest."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from gateway.claim_kinds import PROFESSIONAL
from gateway.config import Config
from gateway.inboxes import Inboxes, NotInDoubt
from gateway.payers import Expects, Payer, Route, Transactions
from gateway.replies import Reply
from gateway.runtime import DATABASE_FILE, Runtime
from gateway.sample_requests import claim, eligibility
from gateway.simulation.checks import Broken, Observer
from gateway.simulation.disk import PowerDisk
from gateway.simulation.loop import VirtualLoop
from gateway.simulation.machine import Fate, Machine, new_task
from gateway.simulation.payers import SimulatedAdapter, SimulatedPayer, Wire, opened
from gateway.simulation.world import Clock
from gateway.world import from_micros
from observability import log
from queues.database import DatabaseError

__all__ = ["Life", "Plan", "live"]

_NAMES = ("ABARA", "BRANDT", "CASTILLO", "DUBOIS", "EKLUND", "FISCHER", "GUPTA", "HARRIS")
_SCRIPTS = ("PAID", "COPAY", "PARTLY", "DENIED", "REJECT", "SILENT", "LOST", "PENDED")
# What a claim of a script comes to where its payer is asked by 276, and where not.
_ENDS = {"REJECT": ("rejected",), "LOST": ("acknowledged", "pending"), "SILENT": ("remitted", "acknowledged")}
_HOUR, _DAY = 3600.0, 86_400.0
_REST_DAYS = 100
# What share of the commits is told minutes later, and of which: standing still right before a sending is the worst time for it.
_STALLS = ((0.0, ""), (0.01, ""), (0.1, ""), (0.3, "steps.batch"), (0.5, "steps.send"), (0.5, "steps.send"))
# Files in memory, where the system has that: the disk is simulated.
_MEMORY = Path("/dev/shm")  # noqa: S108
# A clock that is ahead by more is doubted for an hour.
_LEAP_SECONDS = 7 * _DAY
# Fewer than those for which keys are kept, for clocks that are wrong by days.
_KEY_DAYS = 3


class Plan(msgspec.Struct, frozen=True):
    """What a life is like: of how many machines, how many days, how rough. `kill_place` is a point at which to die once; awaits are points where
    `awaits` says so.
    """

    seed: int
    days: int = 30
    machines: int = 1
    claims: int = 100
    rough: bool = True
    kill_place: tuple[str, str] | None = None
    awaits: bool = False


@dataclass
class Life:
    """What came of it. `story` is told line by line; its digest is the same whenever the seed is lived again."""

    plan: Plan
    story: list[str] = field(default_factory=list[str])
    failure: str = ""
    days: float = 0.0
    claims: int = 0
    commits: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    points: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    @property
    def digest(self) -> str:
        """SHA-256 of the story."""
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()


def live(plan: Plan) -> Life:
    """Live through a plan, from the first claim to the rest after the last; what breaks ends it, and is told."""
    life, said = Life(plan), io.StringIO()
    log.configure("INFO", said)
    loop = VirtualLoop()
    loop.set_task_factory(new_task)  # pyright: ignore[reportArgumentType]
    try:
        with tempfile.TemporaryDirectory(
            prefix="claimwire-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None
        ) as folder:
            town = _Town(life, loop, Path(folder), said)
            try:
                loop.run_until_complete(town.lives())
            except Exception as error:
                life.failure = life.failure or f"{type(error).__name__}: {error}"
            finally:
                loop.run_until_complete(town.ends())
            life.days = loop.time() / _DAY
    finally:
        loop.close()
        log.configure()
    return life


class _Town:
    """All there is in a simulation: machines, payers, callers, persons, and what befalls them."""

    def __init__(self, life: Life, loop: VirtualLoop, folder: Path, said: io.StringIO) -> None:
        self.life, self.loop, self.said = life, loop, said
        self.random = Random(life.plan.seed)  # noqa: S311 - a seed's chance is no secret
        self.clock = Clock(loop)
        self.disk = PowerDisk(Random(self.random.getrandbits(64)), self._power_goes)  # noqa: S311
        self.fate = Fate(Random(self.random.getrandbits(64)), self.tell, self.disk)  # noqa: S311
        self.payers = self._payers()
        self.observer = None
        self.folder = folder
        # Out of the seed: the order of search keys is where pages are written, and so how many are.
        (folder / "master.key").write_bytes(self.random.randbytes(32))
        self.wire = Wire(self.fate, self.clock, self.payers, self._settling)
        self.machines = [self._machine(f"node {n + 1}") for n in range(life.plan.machines)]
        self.submitted: dict[str, tuple[bytes, str]] = {}
        self.answers: dict[str, bytes] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._arrived = 0
        # How much of the log was looked at.
        self._heard = 0

    # --- what there is ---

    def _payers(self) -> dict[str, SimulatedPayer]:
        ways = [("isa13", False, True), ("none", True, False), ("none", False, True), ("idempotency_key", False, True)]
        self.random.shuffle(ways)
        names = ("ALDER", "BIRCH", "CEDAR")
        return {
            name: opened(name, self.clock, duplicates, probes=probes, asked=asked)
            for name, (duplicates, probes, asked) in zip(names, ways, strict=False)
        }

    def _config(self) -> Config:
        routes = [
            Route(
                id=f"{one.name.lower()}-road",
                adapter=f"simulated {one.name}",
                usage="T",
                sender_id="CLAIMWIRE",
                receiver_id=one.name,
                settings={"payer": one.name},
                batch_window_seconds=30,
                poll_seconds=_HOUR,
                duplicates=one.duplicates,  # pyright: ignore[reportArgumentType]
                concurrent=self.random.choice((None, 2)),
                requests_per_second=self.random.choice((None, 0.5)),
            )
            for one in self.payers.values()
        ]
        payers = [
            Payer(
                id=one.name,
                name=f"{one.name} HEALTH PLAN",
                routes=[f"{one.name.lower()}-road"],
                transactions=Transactions(claim_status="supported" if one.asked else "not_supported"),
                expects=Expects(acknowledgement_hours=24, claim_acknowledgement_hours=48, remittance_days=45),
            )
            for one in self.payers.values()
        ]
        return Config(payers=payers, routes=routes, judges=0)

    def _machine(self, name: str) -> Machine:
        alone = self.life.plan.machines == 1
        return Machine(
            name, self.folder, self._config(), self.clock, self.fate, self._fit_out, self._committed, alone=alone
        )

    def _fit_out(self, machine: Machine, runtime: Runtime) -> None:
        for one in self.payers.values():
            runtime.use(f"simulated {one.name}", SimulatedAdapter(machine, self.wire, probes=one.probes))

    # --- what is told and looked at ---

    def tell(self, line: str) -> None:
        self.life.story.append(f"{self.loop.time():14.6f} {line}")

    def _committed(self, machine: Machine, places: Sequence[str]) -> None:
        self.life.commits += 1
        self.tell(f"{machine.name} commits {', '.join(places)}")
        # A look at the clock writes nothing that the audit is of.
        if not all(where.startswith("clock:") for where in places):
            self._looked(lambda observer: observer.committed())
        for arrival in self.wire.arrivals[self._arrived :]:
            self._looked(lambda observer, a=arrival: observer.arrived(a))
        self._arrived = len(self.wire.arrivals)
        self._looked(lambda _: self._nothing_leaked())

    def _settling(self, content: bytes) -> None:
        self._looked(lambda observer: observer.settling(content))

    def _looked(self, look: Callable[[Observer], None]) -> None:
        if self.observer is None or self.life.failure:
            return
        try:
            look(self.observer)
        except Broken as broken:
            self.life.failure = str(broken)
            self.tell(f"BROKEN {broken}")

    # --- the life ---

    async def lives(self) -> None:
        self.fate.kill_place, self.fate.awaits = self.life.plan.kill_place, self.life.plan.awaits
        everything = [self._lived(), self._stuck(), *(self._kept(machine) for machine in self.machines)]
        self._tasks += (tasks := [self.loop.create_task(one) for one in everything])
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()

    async def _lived(self) -> None:
        plan = self.life.plan
        while not any(machine.worker is not None for machine in self.machines):  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(1)
        self.observer = Observer(
            self.folder / DATABASE_FILE, self.disk.name, {one.name: one.duplicates for one in self.payers.values()}
        )
        while self.loop.time() < plan.days * _DAY and not self.life.failure:
            await self._day()
        await self._rest()

    async def _stuck(self) -> None:
        """Nothing may take for ever."""
        await asyncio.sleep((self.life.plan.days + 2 * _REST_DAYS) * _DAY)
        raise Broken("the life came to no end")

    async def _kept(self, machine: Machine) -> None:
        """A machine that is started again whenever it has died."""
        while True:
            if machine.dead:
                await machine.buried()
                self._power_returns()
                await asyncio.sleep(1 + self.random.random() * 30)
                if not self.disk.out:
                    await machine.start()
            elif machine.worker is not None and machine.worker.done():
                error = machine.worker.exception() if not machine.worker.cancelled() else None
                self.life.failure = self.life.failure or f"{machine.name}'s worker ended: {error!r}"
                return
            await asyncio.sleep(1)

    def _power_goes(self, where: str) -> None:
        self.fate.faults["power cut"] += 1
        for machine in self.machines:
            machine.kill(f"by a power cut {where}")

    def _power_returns(self) -> None:
        """Once nothing that was alive before has anything open."""
        if not self.disk.out or not all(machine.gone for machine in self.machines):
            return
        if self.observer is not None:
            self.observer.close()
        self.disk.restore()
        self.tell("the power is back")
        if self.observer is not None:
            self.observer.reopen()

    async def _day(self) -> None:
        """Some busy minutes, then hours in which nobody asks for anything."""
        random, plan = self.random, self.life.plan
        if plan.rough:
            self._befall()
        for _ in range(random.choice((0, 2, 4, 8, 10))):
            if len(self.submitted) < plan.claims:
                self._tasks.append(self.loop.create_task(self._submit()))
        for _ in range(random.choice((0, 1, 2, 5))):
            self._tasks.append(self.loop.create_task(self._check()))
        if random.random() < 0.3:
            await self._decide()
        await asyncio.sleep(random.choice((60, 120, 300)))
        if self.clock.wrong_seconds > _LEAP_SECONDS:
            # Somebody has read the alarm within the hour.
            self._clock_is_wrong_by(0.0)
        self.loop.passes(random.choice((1, 6, 12, 20)) * _HOUR)

    def _befall(self) -> None:
        random, fate = self.random, self.fate
        for payer in self.payers.values():
            payer.storm = random.choice((0.0, 0.2, 0.4, 0.7))
            if random.random() < 0.05:
                payer.out_until = self.loop.time() + random.choice((0.2, 1, 3)) * _DAY
                fate.faults["outage"] += 1
        if random.random() < 0.7:
            fate.kill_at = random.randint(1, 120)
        fate.stalls, fate.stalls_in = random.choice(_STALLS)
        if random.random() < 0.2:
            self.disk.cut_at = random.randint(1, 1_000)
        elif random.random() < 0.1:
            self.loop.call_later(random.random() * 60, self.disk.cut, "at rest")
        self.disk.full = random.random() < 0.03
        self.disk.failing = random.choice((0.0, 0.0, 0.0, 0.1))
        if random.random() < 0.05:
            self._clock_is_wrong_by(random.choice((0.0, 0.0, _HOUR, -_HOUR, 3 * _DAY, 3650 * _DAY)))

    def _clock_is_wrong_by(self, seconds: float) -> None:
        if seconds != self.clock.wrong_seconds:
            self.clock.wrong_seconds = seconds
            self.fate.faults["clock jumped"] += 1
            self.tell(f"the clock is wrong by {seconds:.0f} s")

    # --- callers ---

    async def _served(self, ask: Callable[[Machine], Any]) -> Reply:
        """An answer by some machine, however often the caller has to ask."""
        while True:
            machine = self.random.choice(self.machines)
            if not machine.dead and machine.service is not None:
                task = machine.spawn(ask(machine))
                await asyncio.wait([task])
                if not task.cancelled():
                    error = task.exception()
                    if error is None and task.result().status not in (409, 503):
                        return task.result()
                    if error is not None and not isinstance(error, DatabaseError):
                        raise error
            await asyncio.sleep(0.5 + self.random.random() * 20)

    async def _submit(self) -> None:
        n = len(self.submitted)
        script, name = self.random.choice(_SCRIPTS), self.random.choice(tuple(self.payers))
        number = f"{script}-{n:04d}"
        body = msgspec.json.encode(claim(number, self.random.choice(_NAMES), f"{100 + n}", name))
        self.submitted[number] = (body, name)
        asked_at = self.loop.time()
        reply = await self._served(lambda machine: self._asked(machine, number, body))
        if reply.status != 200:
            self.life.failure = self.life.failure or f"claim {number} got {reply.status}"
            return
        self.answers[number] = reply.body
        reference = msgspec.json.decode(reply.body)["claimReference"]["correlationId"]
        self.tell(f"claim {number} is acknowledged")
        self._looked(lambda observer: observer.acknowledged(reference))
        # A caller that lost the answer asks again, within the days for which keys are kept.
        await asyncio.sleep(self.random.choice((1.0, 600.0, 2 * _DAY)))
        if self.loop.time() < asked_at + _KEY_DAYS * _DAY:
            again = await self._served(lambda machine: self._asked(machine, number, body))
            if again.body != reply.body:
                self.life.failure = self.life.failure or f"claim {number} got another answer later"

    async def _asked(self, machine: Machine, number: str, body: bytes) -> Reply:
        assert machine.service is not None
        return await machine.service.submit_claim(PROFESSIONAL, body, f"key {number}")

    async def _check(self) -> None:
        body = msgspec.json.encode(eligibility("SANDBOX-ACTIVE-1", self.random.choice(tuple(self.payers))))

        async def ask(machine: Machine) -> Reply:
            assert machine.service is not None
            reply = await machine.service.check_eligibility(body)
            # Nobody asks again for an answer that says that the payer is away.
            return Reply(200, reply.body) if reply.status == 503 else reply

        await self._served(ask)

    # --- persons ---

    async def _decide(self) -> None:
        """A person calls the payers about what is held, and says what they were told."""
        machine = self.random.choice(self.machines)
        if machine.dead or machine.runtime is None:
            return
        runtime = machine.runtime
        task = machine.spawn(self._decided(runtime))
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, DatabaseError):
            raise error

    async def _decided(self, runtime: Runtime) -> None:
        inboxes = Inboxes(runtime)
        assert self.observer is not None
        held = self.observer.rows(
            "SELECT interchange_id, route_id, control_number FROM interchanges WHERE set_id = '837' AND state = 'held'"
        )
        for interchange_id, route_id, number in held:
            payer, control_number = runtime.directory.routes[route_id].receiver_id, f"{number:09d}"
            known = self.wire.knows(payer, control_number)
            let_go: set[tuple[str, str]] = set() if known else {(payer, control_number)} - self.observer.resent
            self.observer.resent |= let_go
            decision = "confirmed" if known else "resend"
            self.tell(f"a person says of {control_number} at {payer}: {decision}")
            try:
                await runtime.database.write(
                    lambda tx, i=interchange_id, d=decision: inboxes.decide(tx, i, d, "ada", "called the payer")
                )
            except NotInDoubt:
                # It was settled while the person was on the telephone: nothing is let go again.
                self.tell(f"{control_number} at {payer} was settled meanwhile")
                self.observer.resent -= let_go
            runtime.wake.set()

    # --- the end ---

    async def _rest(self) -> None:
        """Fair weather and a right clock, day by day, until each claim is where its payer's script takes it."""
        self.tell("fair weather")
        self.fate.kill_at, self.fate.stalls, self.clock.wrong_seconds = None, 0.0, 0.0
        self.disk.cut_at, self.disk.full, self.disk.failing = None, False, 0.0
        for payer in self.payers.values():
            payer.storm, payer.out_until = 0.0, 0.0
        for _ in range(_REST_DAYS):
            if self.life.failure or self._all_at_their_ends():
                break
            await self._decide()
            await asyncio.sleep(600)
            self.loop.passes(22 * _HOUR)
        await asyncio.sleep(2 * _HOUR)
        if self.life.failure or self.observer is None:
            return
        self._ended()
        self.observer.at_rest(self.clock.micros())
        self._nothing_leaked()

    def _states(self) -> dict[str, str]:
        assert self.observer is not None
        numbers = {
            msgspec.json.decode(body)["claimReference"]["correlationId"]: number
            for number, body in self.answers.items()
        }
        rows = self.observer.rows("SELECT transaction_id, state FROM transactions WHERE kind = 'claim'")
        return {numbers.get(str(transaction_id), str(transaction_id)): str(state) for transaction_id, state in rows}

    def _wrong(self) -> list[str]:
        """Claims that are not where they must end."""
        states = self._states()
        wrong = [number for number in self.submitted if number not in states]
        for number, state in states.items():
            script = number.split("-")[0]
            if state not in _ENDS.get(script, ("remitted",)) or (
                script == "SILENT" and state != "remitted" and self.payers[self.submitted[number][1]].asked
            ):
                wrong.append(f"{number} {state}")
        return wrong

    def _all_at_their_ends(self) -> bool:
        assert self.observer is not None
        open_ones = self.observer.rows(
            "SELECT 1 FROM interchanges WHERE set_id = '837' AND state NOT IN ('confirmed', 'rejected', 'released')"
        )
        return not open_ones and len(self.answers) == len(self.submitted) and not self._wrong()

    def _ended(self) -> None:
        self.life.claims = len(self.submitted)
        wrong = self._wrong()
        if wrong:
            raise Broken(f"claims that came to no end: {', '.join(wrong[:5])}")
        for payer in self.payers.values():
            seen = payer.payer.seen()
            if any(times != 1 for times in seen["claims"].values()) or seen["duplicateClaims"]:
                raise Broken(f"{payer.name} has claims twice")
        at_payers = sum(len(payer.payer.seen()["claims"]) for payer in self.payers.values())
        if at_payers != len(self.submitted):
            raise Broken(f"{len(self.submitted)} claims were submitted, the payers have {at_payers}")

    def _nothing_leaked(self) -> None:
        """No log line has anything of a patient; and no step failed but for a database that could not write."""
        # What was written since the last look; the next line goes to the end of it.
        self.said.seek(self._heard)
        text = self.said.read()
        self._heard += len(text)
        for name in (*_NAMES, "19800229", "MEM0", "ADA"):
            if name in text:
                raise Broken(f"the log says {name}")
        for line in text.splitlines():
            entry = msgspec.json.decode(line)
            if entry.get("event") == "step failed" and not str(entry.get("exception", "")).startswith("Database"):
                raise Broken(
                    f"a step failed: {entry.get('work_kind')} {entry.get('exception')} at {entry.get('where')}"
                )

    async def ends(self) -> None:
        """Everything is put away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for machine in self.machines:
            machine.kill("at the end")
            await machine.buried()
        if self.observer is not None:
            self.observer.close()
        self.disk.unregister()
        for payer in self.payers.values():
            payer.payer.close()
        self.life.faults.update(self.fate.faults)
        self.life.faults.update({"disk full": self.disk.refused, "sync failed": self.disk.failed})
        self.life.points.update(self.fate.seen)
        self.tell(f"the end, at {from_micros(self.clock.true_micros()).date()}")

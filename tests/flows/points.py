"""A small life over real sockets and real databases, in which the gateway dies, and what must hold at its end.

An eligibility check is asked and answered; two claims leave in one 837 and are acknowledged; after fifteen days one of them is paid, the other
was asked about by 276; then that is paid, too. The payer is the sandbox, over one road; callers ask again under the same key as callers do, and a
person decides what is held, by what the payer has. The gateway (`tests.flows.mortal`) dies, once in a phase at most, and is started again on the
same data, until all of it came to its end.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import shutil
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import msgspec

from gateway.config import Config, DatabaseServer
from gateway.ledger import api_keys, audit
from gateway.payers import Expects, Payer
from gateway.runtime import TENANT, Runtime, open_runtime
from gateway.simulation.checks import Broken, restless
from gateway.world import SystemWorld, to_micros
from queues.database import Transaction
from tests.engines import Server
from tests.flows.mortal import AWAITS, Point, Seen, Spec, live
from tests.flows.points_roads import PAYER, Above, Direct, Road, payer_over
from tests.flows.service import NETWORK, Answer, Client, claim_body, eligibility_body

__all__ = ["PHASES", "Ground", "Lived", "Tally", "campaign", "life", "points_in"]

PHASES = ("starting", "check", "claims", "remittance", "follow-up", "rest")
SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"
HERE = "PRACTICE"
PATIENCE_SECONDS = 40.0
# How long it is waited, in real time, before time is let pass.
_STILL_SECONDS = 0.3
# Longer than the lease of whoever died, which ends by time where nodes share a database.
_AFTER_A_DEATH = timedelta(minutes=3)
_PORTS = range(15_000, 30_000)
# How long nothing is asked for at the end.
_REST = timedelta(hours=2)
_STANDING = frozenset(("collect", "follow_up", "watch", "certificates"))
_NAMES = ("ABARA", "BRANDT", "ADA", "19800229", "MPAID", "MSILENT")
_IN_EACH_PHASE = ("before the commit of", "after the commit of", "before", "after")
_WRITES_MAX = 40
_LIVES_TOGETHER = 2
_COUNTED_LIVES = 3
_TRIES = 8
_numbers = itertools.count()


@cache
def _forks() -> Any:
    """Where processes come from."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.flows.ready"])
    return context


# --- the ground that lives begin on ---------------------------------------------------------------------------------------


class Ground:
    """A migrated database with a key, of which each life gets a copy: a file, or a database of a server."""

    def __init__(self, folder: Path, server: Server | None) -> None:
        self.engine = "sqlite" if server is None else "postgresql"
        self._folder, self._server = folder / "template", server
        self._name = f"template_{next(_numbers)}"
        self.key = ""

    def _config(self, name: str) -> DatabaseServer | None:
        return None if self._server is None else DatabaseServer(url=self._server.url(name), readers=2)

    async def lay(self) -> None:
        """Make what is copied."""
        if self._server is not None:
            await asyncio.to_thread(self._server.sql, f"CREATE DATABASE {self._name}")
        runtime = await open_runtime(Config(database=self._config(self._name)), self._folder)
        try:
            now = runtime.world.micros()
            self.key, _ = await runtime.database.write(
                lambda tx: api_keys.create(tx, runtime.vault, TENANT, "practice", api_keys.SCOPES, now)
            )
        finally:
            await runtime.close()

    async def copied(self, data: Path) -> DatabaseServer | None:
        """A copy, in this folder."""
        await asyncio.to_thread(shutil.copytree, self._folder, data)
        if self._server is None:
            return None
        name = f"life_{next(_numbers)}"
        await asyncio.to_thread(self._server.sql, f"CREATE DATABASE {name} TEMPLATE {self._name}")
        return self._config(name)

    async def remove(self, database: DatabaseServer | None) -> None:
        """Forget a copy."""
        if database is not None and self._server is not None:
            name = database.url.partition("@/")[2].partition("?")[0]
            await asyncio.to_thread(self._server.sql, f"DROP DATABASE {name} WITH (FORCE)")


# --- the gateway ----------------------------------------------------------------------------------------------------------


class _Dead(Exception):
    """The gateway does not live any more."""


class _Gateway:
    """The process, its starts, and what is told to it."""

    def __init__(self, config: Config, data: Path, log: Path, ports: frozenset[int], dies_at: frozenset[Point]) -> None:
        self.config, self.data, self.log, self.ports, self.dies_at = config, data, log, ports, dies_at
        self.ahead = timedelta(0)
        self.phase = PHASES[0]
        # Each phase in which it died.
        self.died: list[str] = []
        self._process: Any = None
        self._told: Any = None

    async def start(self) -> None:
        """Begin a life; _Dead where it ends before it serves. It dies once in a phase at most."""
        dies_at = frozenset(one for one in self.dies_at if one.phase not in self.died)
        mine, its = _forks().Pipe()
        spec = Spec(self.config, self.data, self.log, self.ahead, self.phase, self.ports, dies_at)
        self._process = _forks().Process(target=live, args=(spec, its), daemon=True)
        await asyncio.to_thread(self._process.start)
        its.close()
        self._told = mine
        await self._heard()

    async def _heard(self) -> Any:
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._answer), PATIENCE_SECONDS + 5)
        except (EOFError, OSError):
            await self.buried()
            raise _Dead from None

    def _answer(self) -> Any:
        if not self._told.poll(PATIENCE_SECONDS):
            raise Broken("the gateway answers nothing")
        return self._told.recv()

    async def ask(self, told: Any) -> Any:
        """Tell it something; its answer."""
        try:
            self._told.send(told)
        except OSError:
            await self.buried()
            raise _Dead from None
        return await self._heard()

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.is_alive()

    async def buried(self) -> None:
        """Until nothing of it is left; Broken where it did not end by a kill."""
        process, self._process = self._process, None
        if process is None:
            return
        await asyncio.to_thread(process.join, PATIENCE_SECONDS)
        code = process.exitcode
        self._told.close()
        process.close()
        # 255 is what multiprocessing says where the fork server's word about it was not heard.
        if code not in (-9, 255):
            raise Broken(f"the gateway ended by itself: {code}")
        self.died.append(self.phase)

    async def kill(self) -> None:
        """The end of its life, by us."""
        if self._process is not None:
            self._process.kill()
            await self.buried()
            self.died.pop()


# --- the life -------------------------------------------------------------------------------------------------------------

# Patient control number -> last name, charge. The number's beginning is the payer's script.
CLAIMS = {"PAID-1": ("ABARA", "120"), "SILENT-2": ("BRANDT", "240")}


@dataclass
class Lived:
    """What came of a life: the phases in which the gateway `died`; what was `seen` where it was to die in none; how often a person decided."""

    died: list[str]
    seen: Seen
    decided: int


class _Life:
    def __init__(self, gateway: _Gateway, payer: Direct | Above, client: Client) -> None:
        self.gateway, self.payer, self.client = gateway, payer, client
        self.answers: dict[str, bytes] = {}
        self.claims: dict[str, str] = {}
        self.decided = 0
        self._pause = timedelta(minutes=1)
        self._reviving = asyncio.Lock()

    # --- time, death ---

    async def _passes(self, by: timedelta) -> None:
        """Time passes for payer and gateway."""
        await self.payer.forward(by)
        self.gateway.ahead += by
        await self._told(by)

    async def _told(self, what: Any) -> None:
        """Tell the gateway something; one that died meanwhile starts with it."""
        try:
            await self.gateway.ask(what)
        except _Dead:
            await self._revived()

    async def _revived(self) -> None:
        """Start again on the same data, once the leases of who died are over."""
        async with self._reviving:
            if self.gateway.lives:
                return
            await self.gateway.buried()
            await self.payer.forward(_AFTER_A_DEATH)
            self.gateway.ahead += _AFTER_A_DEATH
            await self.gateway.start()

    async def _phase(self, name: str) -> None:
        self.gateway.phase = name
        await self._told(name)

    async def _call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask, again after a death and where it says to."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self.client.call(method, path, body, **headers)
                if answer.status not in (409, 503):
                    return answer
            except (aiohttp.ClientError, ConnectionError):
                pass
            if time.monotonic() > deadline:
                raise Broken(f"no answer to {method} {path}")
            await (asyncio.sleep(0.02) if self.gateway.lives else self._revived())

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until something holds; time passes where nothing happens."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        still = time.monotonic()
        while not await holds():
            now = time.monotonic()
            if now > deadline:
                raise Broken(f"stuck: {what} ({await self._where()})")
            if now > still + _STILL_SECONDS:
                await self._decide()
                await self._passes(self._pause)
                self._pause = min(self._pause * 2, timedelta(hours=1))
                still = time.monotonic()
            await asyncio.sleep(0.03)
        self._pause = timedelta(minutes=1)

    async def _where(self) -> dict[str, Any]:
        return {number: (await self._transaction(one))["state"] for number, one in self.claims.items()}

    async def _transaction(self, transaction_id: str) -> dict[str, Any]:
        answer = await self._call("GET", f"/v1/transactions/{transaction_id}")
        if answer.status != 200:
            raise Broken(f"{transaction_id} was acknowledged and is answered {answer.status}")
        return answer.json

    async def _decide(self) -> None:
        """A person calls the payer about what is held, and says what they were told."""
        for item in (await self._call("GET", "/v1/in-doubt")).json["items"]:
            if item["state"] != "held":
                continue
            decision = "confirmed" if self.payer.has(item["controlNumber"]) else "resend"
            body = msgspec.json.encode({"decision": decision, "why": "called the payer"})
            await self._call("POST", f"/v1/in-doubt/{item['interchangeId']}/decision", body)
            self.decided += 1

    # --- what is asked ---

    async def _asked(self, key: str, path: str, body: dict[str, Any]) -> Answer:
        """Ask under a key until there is an answer, which is the same whenever it is asked again."""
        kinds = {"Content_Type": "application/json", "Idempotency_Key": key}
        answer = await self._call("POST", path, msgspec.json.encode(body), **kinds)
        if answer.status == 200 and self.answers.setdefault(key, answer.body) != answer.body:
            raise Broken(f"{key} got another answer later")
        return answer

    async def _check(self) -> Answer:
        body = eligibility_body() | {"tradingPartnerServiceId": HERE}
        return await self._asked("check", f"{NETWORK}/eligibility/v3", body)

    async def _checked(self) -> None:
        async def answered() -> bool:
            answer = await self._check()
            if answer.status not in (200, 202):
                raise Broken(f"the check was answered {answer.status}: {answer.body[:300]!r}")
            return answer.status == 200 and "1" == answer.json["benefitsInformation"][0]["code"]

        await self._until(answered, "the check has no answer")

    async def _submit(self, number: str) -> None:
        name, charge = CLAIMS[number]
        body = claim_body(number, name, charge) | {"tradingPartnerServiceId": HERE}
        answer = await self._asked(number, SUBMISSION, body)
        if answer.status != 200:
            raise Broken(f"{number} was answered {answer.status}: {answer.body[:300]!r}")
        self.claims[number] = answer.json["claimReference"]["correlationId"]

    async def _are(self, **states: str) -> bool:
        found = await self._where()
        return all(found[number] in states[number.partition("-")[0]].split() for number in CLAIMS)

    # --- phases ---

    async def lives(self) -> Lived:
        """From the first start to the rest after the last payment."""
        try:
            await self.gateway.start()
        except _Dead:
            await self._revived()
        await self._phase("check")
        await self._checked()
        await self._phase("claims")
        await asyncio.gather(*(self._submit(number) for number in CLAIMS))
        last = "pending finalized remitted"

        # What a clearinghouse acknowledges in its answer alone, nobody hears of who dies over that: then a 276 says that the claims are there.
        def silent() -> str:
            unheard = "sent " if isinstance(self.payer, Above) and self.gateway.died else ""
            return f"{unheard}acknowledged received {last}"

        await self._until(lambda: self._are(PAID=f"received {last}", SILENT=silent()), "no acknowledgement")
        await self._phase("remittance")
        await self._passes(timedelta(days=6))
        await self._until(lambda: self._are(PAID="remitted", SILENT=silent()), "not paid")
        await self._phase("follow-up")
        await self._passes(timedelta(days=9))
        await self._until(lambda: self._are(PAID="remitted", SILENT=last), "nobody asked")
        await self._passes(timedelta(days=5))
        await self._until(lambda: self._are(PAID="remitted", SILENT="remitted"), "not paid")
        await self._phase("rest")
        await self._rests()
        return await self._ended()

    async def _rests(self) -> None:
        async def settled() -> bool:
            text = (await self._call("GET", "/metrics")).body.decode()
            waiting = [line for line in text.splitlines() if line.startswith("claimwire_work_waiting{")]
            kinds = {line.split('work_kind="')[1].split('"')[0] for line in waiting if not line.endswith(" 0.0")}
            return kinds <= _STANDING and not await self.payer.left()

        await self._passes(_REST)
        await self._until(settled, "work or files are left")

    # --- what must hold ---

    async def _ended(self) -> Lived:
        """Callers ask once more; then the gateway ends, and its ledger and the payer's are held against each other."""
        seen: Seen = {} if self.gateway.dies_at else await self.gateway.ask(None)
        for number in CLAIMS:
            await self._submit(number)
        await self._check()
        outcomes = {number: (await self._transaction(one))["outcome"] for number, one in self.claims.items()}
        died = list(self.gateway.died)
        await self.gateway.kill()
        if set(outcomes.values()) != {"paid"}:
            raise Broken(f"claims came to another end: {outcomes}")
        await self.payer.check(len(CLAIMS))
        world = SystemWorld(self.gateway.ahead)
        runtime = await open_runtime(self.gateway.config, self.gateway.data, world, exclusive=False)
        try:
            await self._held_against(runtime)
        finally:
            await runtime.close()
        self._nothing_leaked()
        return Lived(died, seen, self.decided)

    async def _held_against(self, runtime: Runtime) -> None:
        read = runtime.database.read
        faults = await read(audit.faults)
        if faults:
            raise Broken("; ".join(f"not so: {one.rule} ({', '.join(one.examples)})" for one in faults))
        # Before the rest that was just let pass: what came due in it may be about to be done.
        rested = to_micros(runtime.world.now() - _REST)
        _broken(await read(lambda tx: restless(tx, rested)))
        _broken(await read(_once))
        if isinstance(self.payer, Direct):
            kept = {
                row[0]
                for row in await read(
                    lambda tx: tx.fetch("SELECT sha256 FROM inbound_files WHERE tenant_id = $1", TENANT)
                )
            }
            if set(self.payer.witness.let_go) - kept:
                raise Broken("a file was settled at its payer that is not kept here")

    def _nothing_leaked(self) -> None:
        """No log line has anything of a patient, and no step failed."""
        text = self.gateway.log.read_text()
        for name in _NAMES:
            if name in text:
                raise Broken(f"the log says {name}")
        for line in text.splitlines():
            if '"event": "step failed"' in line or "Traceback" in line:
                raise Broken(f"a step failed: {line}")


async def _once(tx: Transaction) -> list[str]:
    """What did not happen to each claim exactly once, and what else there is that nobody asked for."""
    found: list[str] = []
    rows = await tx.fetch(
        "SELECT e.kind, e.transaction_id, count(*) FROM events e JOIN transactions t ON t.tenant_id = e.tenant_id"
        " AND t.transaction_id = e.transaction_id WHERE t.tenant_id = $1 AND t.kind = 'claim' GROUP BY e.kind, e.transaction_id",
        TENANT,
    )
    for kind in ("accepted", "built", "remitted"):
        times = [n for told, _, n in rows if told == kind]
        if times != [1] * len(CLAIMS):
            found.append(f"{kind} {times} times")
    claims = await tx.fetch("SELECT 1 FROM transactions WHERE tenant_id = $1 AND kind = 'claim'", TENANT)
    if len(claims) != len(CLAIMS):
        found.append(f"{len(claims)} claims")
    asked = [n for told, _, n in rows if told == "followUpAsked"]
    # Who was asked about it while its sending was in doubt has said then what there is to say.
    if asked != [1] and (asked or not any(told == "doubtAsked" for told, _, _ in rows)):
        found.append(f"followUpAsked {asked} times")
    checks = await tx.fetch(
        "SELECT state, count(*) FROM transactions WHERE tenant_id = $1 AND kind = 'eligibility' GROUP BY state", TENANT
    )
    if [tuple(row) for row in checks] != [("answered", 1)]:
        found.append(f"checks {checks}")
    numbers = await tx.fetch("SELECT control_number FROM interchanges WHERE tenant_id = $1", TENANT)
    if len(set(numbers)) != len(numbers):
        found.append("a control number was used twice")
    return found


def _port() -> int:
    """A port that nobody listens on, below those that the system gives to who connects: it is to be free after a death, too."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _broken(found: list[str]) -> None:
    if found:
        raise Broken("; ".join(found))


async def life(ground: Ground, road: Road, folder: Path, dies_at: frozenset[Point] = frozenset()) -> Lived:
    """One life in a folder of its own, with a death in each phase that a point is of; Broken says what does not hold."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(folder.mkdir, parents=True)
        payer = await stack.enter_async_context(payer_over(road, folder))
        database = await ground.copied(folder / "data")
        stack.push_async_callback(ground.remove, database)
        config = Config(
            port=_port(),
            judges=0,
            database=database,
            routes=payer.routes,
            payers=[
                Payer(
                    id=HERE,
                    name="SANDBOX HEALTH PLAN",
                    routes=[route.id for route in payer.routes],
                    aliases=[PAYER],
                    expects=Expects(acknowledgement_hours=0, claim_acknowledgement_hours=0, remittance_days=0),
                )
            ],
        )
        gateway = _Gateway(config, folder / "data", folder / "gateway.log", payer.ports, dies_at)
        stack.push_async_callback(gateway.kill)
        client = Client(f"http://127.0.0.1:{config.port}", ground.key)
        stack.push_async_callback(client.close)
        return await _Life(gateway, payer, client).lives()


# --- all of them ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What came of many deaths: the points there were, those that were died at, how often a person decided, and what broke."""

    points: int
    died: set[Point] = field(default_factory=set[Point])
    lives: int = 0
    decided: int = 0
    broken: list[str] = field(default_factory=list[str])


def points_in(counted: Sequence[Seen]) -> list[Point]:
    """The points of what was seen in some lives: each commit and call in each phase, each other place in one, and there after each of the writes."""
    found: list[Point] = []
    phases: dict[tuple[str, str], list[str]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for one in counted:
        seen.update(one)
    for phase, when, where in sorted(seen):
        if when in _IN_EACH_PHASE:
            found.append(Point(phase, when, where))
        elif when:
            phases.setdefault((when, where), []).append(phase)
    taken = Counter(one.phase for one in found)
    for (when, where), places in phases.items():
        # The phase that has the fewest points of those in which it is passed most often.
        most = max(seen[phase, when, where] for phase in places)
        phase = min((one for one in places if seen[one, when, where] == most), key=lambda one: taken[one])
        writes = max(one.get((phase, when, where), 0) for one in counted)
        times = min(writes, _WRITES_MAX) if when == "with bytes gone of" else 1
        found += [Point(phase, when, where, nth) for nth in range(1, times + 1)]
        taken[phase] += times
    # Awaits last: a process that is to die at none of them looks for none.
    return sorted(found, key=lambda one: (one.when in AWAITS, one))


def _together(points: list[Point]) -> list[frozenset[Point]]:
    """The points in as few lives as there can be: each life dies in each phase once."""
    by_phase = [[one for one in points if one.phase == phase] for phase in PHASES]
    return [frozenset(one for one in some if one is not None) for some in itertools.zip_longest(*by_phase)]


async def campaign(
    ground: Ground, road: Road, folder: Path, random: Random, most: int, told: Callable[[str], None]
) -> Tally:
    """Count the points of a few lives, then die at each of them, or at so many by chance, one in each phase of a life.

    A point that a life did not come to, as time and chance are real, is tried again in others.
    """
    counted = [(await life(ground, road, folder / f"counted-{n}")).seen for n in range(_COUNTED_LIVES)]
    all_points = points_in(counted)
    chosen = all_points if most >= len(all_points) else random.sample(all_points, most)
    tally = Tally(len(all_points))
    told(f"{road} {ground.engine}: {len(all_points)} points")
    for _ in range(_TRIES):
        lives = _together([one for one in chosen if one not in tally.died])
        places = asyncio.Semaphore(_LIVES_TOGETHER)
        await asyncio.gather(*(_counted(ground, road, folder, points, tally, places, told) for points in lives))
    for point in chosen:
        if point not in tally.died:
            told(f"{road} {ground.engine}: no life came to {point} again")
    return tally


async def _counted(
    ground: Ground,
    road: Road,
    folder: Path,
    points: frozenset[Point],
    tally: Tally,
    places: asyncio.Semaphore,
    told: Callable[[str], None],
) -> None:
    """One of the lives of a campaign."""
    async with places:
        tally.lives += 1
        mine = folder / f"life-{tally.lives}"
        try:
            lived = await life(ground, road, mine, points)
        except Exception as error:
            story = f"{road} {ground.engine} {sorted(map(str, points))}: {type(error).__name__}: {error}"
            told(f"BROKEN {story}\n{(mine / 'gateway.log').read_text()[-4_000:]}")
            tally.broken.append(story)
            tally.died |= points
            return
        tally.died |= {one for one in points if one.phase in lived.died}
        tally.decided += lived.decided
        told(
            f"{road} {ground.engine}: {len(tally.died)} of {tally.points}, {tally.lives} lives, {len(tally.broken)} broken"
        )
        await asyncio.to_thread(shutil.rmtree, mine)

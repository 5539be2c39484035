"""kill -9 at random moments: no claim is lost or doubled, and no answer is forgotten.

The sandbox payer runs in a process of its own and lives on. The gateway is killed again and again while claims come in, while
batches leave, and while acknowledgements and remittances are collected; callers repeat their requests under the same
Idempotency-Key, as callers do. After each kill the ledger is copied as it was left and looked at: that tells what was hit.

`CLAIMWIRE_CAMPAIGN=3` runs three longer campaigns of random seeds instead, `CLAIMWIRE_SEED` with it one of a known seed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import aiohttp
import apsw
import msgspec
import pytest

from gateway.serving import SANDBOX_KEY_FILE
from tests import synthetic
from tests.flows.service import NETWORK, PATIENCE_SECONDS, Answer, Client, Process, claim_body, free_port, until_true

SEED = 837_835_999
CLAIMS, KILLS = 500, 20
CAMPAIGN_CLAIMS, CAMPAIGN_KILLS = 2_000, 60
SUBMITTERS = 8
# Each provider gets its own 835 of a day, so that one collection finds several.
PROVIDERS = 5
DAY_SECONDS = 86_400.0
SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"
SCRIPTS = ("PAID", "COPAY", "DEDUCT", "COINS", "PARTLY", "DENIED")
FAULTS = ("ok", "slow", "cut", "drop", "fail-500", "refuse-503", "refuse-429", "html")
# What a kill can leave in the ledger for the next start to go on with.
REMAINS = {
    "claims waiting": "transaction_id FROM transactions WHERE kind = 'claim' AND state = 'accepted'",
    "interchanges built": "interchange_id, attempts FROM interchanges WHERE state = 'intent'",
    "interchanges on the wire": "interchange_id, attempts FROM interchanges WHERE state = 'on_wire'",
    "interchanges in doubt": "interchange_id, attempts FROM interchanges WHERE state = 'in_doubt'",
    "files not applied": "inbound_id FROM inbound_files WHERE state = 'stored'",
    "files not settled": "inbound_id FROM inbound_files WHERE state IN ('stored', 'applied') AND settled_at IS NULL",
    "pieces of work under way": "work_id, attempts FROM work WHERE owner IS NOT NULL",
}
# How many kills of twenty must at least have hit each of these; the plan aims for more.
HIT_AT_LEAST = {"requests cut off": 3, "claims waiting": 3, "interchanges on the wire": 3, "files not applied": 1}

# What a statement gives.
Rows = Callable[[str], list[tuple[Any, ...]]]
Aim = Literal["starting", "any", "wire", "advice"]
AIMS: tuple[Aim, ...] = ("starting", "any", "any", "any", "wire", "wire", "wire", "advice", "advice", "advice")
# Longest wait, in seconds, between the moment that is aimed at and the kill.
SPREAD_SECONDS: dict[Aim, float] = {"starting": 2.0, "any": 1.3, "wire": 0.8, "advice": 1.1}


def campaigns(claims: int, kills: int) -> list[tuple[int, int, int]]:
    """(seed, claims, kills) of each campaign to run: one of so many of them, or the long ones that were asked for."""
    wanted = int(os.environ.get("CLAIMWIRE_CAMPAIGN", "0"))
    if not wanted:
        return [(SEED, claims, kills)]
    given = os.environ.get("CLAIMWIRE_SEED")
    seeds = [int(given)] if given else [secrets.randbits(32) for _ in range(wanted)]
    return [(seed, CAMPAIGN_CLAIMS, CAMPAIGN_KILLS) for seed in seeds]


@dataclass(frozen=True)
class Kill:
    """One kill: what it waits for, how much longer, the payer's weather until then, and whether a day passes for the payer."""

    aim: Aim
    seconds: float
    weather: list[str]
    day_passes: bool


def planned(random: Random, count: int) -> list[Kill]:
    """The kills of a campaign, each aim in turn by chance."""
    aims: list[Aim] = [AIMS[n % len(AIMS)] for n in range(count)]
    random.shuffle(aims)
    made: list[Kill] = []
    for aim in aims:
        weather: list[str] = ["slow"] * 8 if aim == "wire" else [random.choice(FAULTS) for _ in range(3)]
        passes = aim == "advice" or random.random() < 0.5
        made.append(Kill(aim, random.uniform(0, SPREAD_SECONDS[aim]), weather, passes))
    return made


def claims_of(random: Random, count: int) -> dict[str, bytes]:
    """Distinct claims, as the bytes of their requests, by Idempotency-Key."""
    made: dict[str, bytes] = {}
    for n in range(count):
        body = claim_body(f"{random.choice(SCRIPTS)}-{n:05d}", random.choice(synthetic.LAST_NAMES), f"{100 + n % 400}")
        body["billing"] = {**body["billing"], "npi": synthetic.npi(199_900_000 + n % PROVIDERS)}
        made[f"key-{random.getrandbits(64):016x}-{n}"] = msgspec.json.encode(body)
    return made


@dataclass
class Campaign:
    """A gateway that is killed, its payer, its callers, and what they saw."""

    folder: Path
    seed: int
    claims: dict[str, bytes]
    payer: Client
    gateway: Client
    process: Process
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    hits: Counter[str] = field(default_factory=Counter[str])
    left: dict[str, set[tuple[Any, ...]]] = field(default_factory=dict[str, set[tuple[Any, ...]]])
    kills: int = 0
    cut_off: int = 0
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def data(self) -> Path:
        return self.folder / "gateway"

    # --- callers ---

    async def submit(self, waiting: asyncio.Queue[str], pace: Random) -> None:
        """A caller: takes claims and submits each until it has its answer."""
        while True:
            key = await waiting.get()
            await asyncio.sleep(pace.uniform(0, 0.3))
            answer = await self.answered(key, self.claims[key])
            assert 200 == answer.status, answer.body
            assert self.answers.setdefault(key, answer.body) == answer.body
            waiting.task_done()

    async def answered(self, key: str, body: bytes) -> Answer:
        """Ask under this key until there is an answer."""
        while True:
            try:
                answer = await self.gateway.call(
                    "POST", SUBMISSION, body, Content_Type="application/json", Idempotency_Key=key
                )
            except aiohttp.ClientConnectorError:
                pass  # nobody is there now
            except (aiohttp.ClientError, ConnectionError):
                self.cut_off += 1
            else:
                if answer.status not in (409, 503):
                    return answer
            await asyncio.sleep(0.05)

    # --- the payer ---

    async def at_payer(self, path: str, body: Any = None) -> Any:
        """GET, or POST of JSON, at the payer."""
        answer = await (self.payer.get(path) if body is None else self.payer.post(path, body))
        assert 200 == answer.status, answer.body
        return answer.json

    async def day_passes(self) -> None:
        await self.at_payer("/clock", {"forwardSeconds": DAY_SECONDS})

    # --- kills ---

    async def up(self) -> None:
        """Start the gateway and wait for it to serve."""
        await self.process.start()
        await (await self.process.ready(self.gateway.url, self.data)).close()

    async def strike(self, kill: Kill) -> None:
        """Start the gateway and kill it at the moment that is planned."""
        await self.at_payer("/weather", {"next": kill.weather})
        if kill.aim == "starting":
            await self.process.start()
        else:
            await self.up()
        if kill.day_passes:
            await self.day_passes()
        if kill.aim == "wire":
            before = (await self.at_payer("/seen"))["interchanges"]
            await until_true(lambda: self.posted_since(before))
        await asyncio.sleep(kill.seconds)
        cut_off = self.cut_off
        await self.process.kill()
        left = self.autopsy()
        await asyncio.sleep(0.05)
        self.struck(f"{kill.aim} + {kill.seconds:.2f} s", left, self.cut_off - cut_off)

    def struck(self, how: str, left: dict[str, set[tuple[Any, ...]]], cut_off: int) -> None:
        """Count a kill and what it hit."""
        self.kills += 1
        # What an earlier kill had left already was not hit by this one.
        hit = {name: len(rows - self.left.get(name, set())) for name, rows in left.items()}
        hit["requests cut off"] = cut_off
        self.left = left
        self.hits.update(name for name, times in hit.items() if times)
        told = ", ".join(f"{times} {name}" for name, times in hit.items() if times)
        print(f"  kill {self.kills:2d} ({how}): {told or 'nothing'}")

    async def posted_since(self, before: int) -> bool:
        return (await self.at_payer("/seen"))["interchanges"] > before

    def autopsy(self) -> dict[str, set[tuple[Any, ...]]]:
        """What the kill left in the ledger, seen in a copy: the original is for the next start to recover."""
        copy = self.folder / "autopsy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in self.data.glob("claimwire.db*"):
            shutil.copy(file, copy)
        with ledger(copy) as rows:
            return self.remains(rows)

    def remains(self, rows: Rows) -> dict[str, set[tuple[Any, ...]]]:
        """What is to be gone on with, by its name. All answers that were given are kept."""
        kept = count(rows, "idempotency_keys", "status = 200")
        assert len(self.answers) <= kept <= len(self.claims)
        return {name: set(rows(f"SELECT {what}")) for name, what in REMAINS.items()}

    # --- the end ---

    async def come_to_rest(self) -> None:
        """Good weather, and days that pass, until every claim is remitted and every interchange has its end."""
        await self.at_payer("/weather", {"next": []})
        # The payer's weather may have opened the circuit for minutes: a person knows that it is well again.
        assert 200 == (await self.gateway.post("/v1/lanes/sandbox/resume", {})).status
        deadline = time.monotonic() + self.patience_seconds
        moved = 0.0
        while (states := await self.states()) != {"remitted": len(self.claims)}:
            assert time.monotonic() < deadline, states
            if states.keys() <= {"received", "remitted"} and time.monotonic() > moved + 2:
                await self.day_passes()
                moved = time.monotonic()
            await asyncio.sleep(0.2)
        await until_true(self._all_settled, self.patience_seconds)

    async def states(self) -> dict[str, int]:
        """How many claims are in each state, as the metrics tell."""
        text = (await self.gateway.get("/metrics")).body.decode()
        found: dict[str, int] = {}
        for line in text.splitlines():
            if line.startswith('claimwire_transactions{kind="claim",'):
                state = line.split('state="')[1].split('"')[0]
                found[state] = int(float(line.rsplit(" ", 1)[1]))
        return found

    async def _all_settled(self) -> bool:
        """Files are all collected, and no work but the standing one is left."""
        if (await self.at_payer("/outbox"))["files"]:
            return False
        text = (await self.gateway.get("/metrics")).body.decode()
        kinds = {
            line.split('work_kind="')[1].split('"')[0]
            for line in text.splitlines()
            if line.startswith("claimwire_work_waiting{")
        }
        return kinds <= {"collect", "follow_up", "watch", "certificates"}

    def log_tail(self) -> str:
        return self.process.log.read_text("utf-8", "replace")[-6_000:]


@asynccontextmanager
async def campaign(folder: Path, seed: int, claims: dict[str, bytes]) -> AsyncGenerator[Campaign]:
    """Payer and gateway, each in its process, the gateway once started so that it has its key. A failure tells all it knows."""
    # Compiled modules are kept for the restarts, but not in the tree.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    payer_port, port = free_port(), free_port()
    payer_url, url = f"http://127.0.0.1:{payer_port}", f"http://127.0.0.1:{port}"
    payer_process = Process(
        ["sandbox", "--data", str(folder / "payer"), "--port", str(payer_port)], folder / "payer.log", **compiled
    )
    data = folder / "gateway"
    arguments = ["serve", "--sandbox-url", payer_url, "--data", str(data), "--port", str(port)]
    process = Process(arguments, folder / "gateway.log", **compiled)
    await payer_process.start()
    await process.start()
    payer = Client(payer_url, None)
    clients = [payer]
    try:
        first = await process.ready(url, data)
        clients += [first, Client(url, (data / SANDBOX_KEY_FILE).read_text().strip())]
        await until_true(lambda: answers(payer))
        await process.kill()
        made = Campaign(folder, seed, claims, payer, clients[-1], process)
        try:
            yield made
        except BaseException:
            print(f"The campaign of seed {seed} failed; the gateway's log ends with:\n{made.log_tail()}")
            raise
    finally:
        for client in clients:
            await client.close()
        await process.kill()
        await payer_process.kill()


async def answers(payer: Client) -> bool:
    """Whether the payer is there."""
    try:
        return 200 == (await payer.get("/clock")).status
    except aiohttp.ClientError:
        return False


@contextmanager
def ledger(folder: Path) -> Generator[Rows]:
    """The ledger in a folder that nobody serves from, which is whole."""
    connection: Any = apsw.Connection(str(folder / "claimwire.db"))
    try:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        yield lambda sql: connection.execute(sql).fetchall()
    finally:
        connection.close()


def count(rows: Rows, table: str, condition: str) -> int:
    """How many rows of a table are so."""
    return rows(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0]


async def lived_through(run: Campaign, plan: list[Kill], random: Random) -> None:
    """Submit the claims, a share of them before each kill, some of them twice at once, and wait for their answers."""
    waiting: asyncio.Queue[str] = asyncio.Queue()
    keys = list(run.claims)
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(run.submit(waiting, Random(f"{run.seed}/{n}"))) for n in range(SUBMITTERS)]
        for n, kill in enumerate(plan):
            for key in keys[len(keys) * n // len(plan) : len(keys) * (n + 1) // len(plan)]:
                for _ in range(2 if random.random() < 0.1 else 1):
                    waiting.put_nowait(key)
            await run.strike(kill)
        await run.up()
        await asyncio.wait_for(waiting.join(), run.patience_seconds)
        for caller in callers:
            caller.cancel()


async def no_answer_is_forgotten(run: Campaign) -> dict[str, dict[str, Any]]:
    """Each key gets its first answer again, byte for byte; the transactions by their ids."""
    assert run.claims.keys() == run.answers.keys()
    found: dict[str, dict[str, Any]] = {}
    for key, body in run.claims.items():
        again = await run.answered(key, body)
        assert "true" == again.headers["Idempotency-Replayed"]
        assert run.answers[key] == again.body
        transaction_id = again.json["claimReference"]["correlationId"]
        found[transaction_id] = again.json["claimReference"]
        transaction = await run.gateway.transaction(transaction_id)
        assert "remitted" == transaction["state"]
        assert transaction["outcome"] in ("paid", "partly_paid", "denied")
        assert not transaction.get("conflict")
    assert len(run.claims) == len(found)
    return found


async def each_is_counted_once(run: Campaign, found: dict[str, dict[str, Any]]) -> None:
    """The payer knows these claims by our numbers, each once, and no other."""
    seen = await run.at_payer("/seen")
    assert {reference["rhclaimNumber"]: 1 for reference in found.values()} == seen["claims"]
    assert 0 == seen["duplicateClaims"]
    assert 0 == seen["duplicateInterchanges"]


def the_ledger_is_whole(rows: Rows, claims: int) -> dict[str, int]:
    """Nothing is open or held; what the campaign came to, in figures."""
    assert [("confirmed",)] == rows("SELECT DISTINCT state FROM interchanges")
    # What a proxy said in the payer's place is kept as it came, and is no file to collect.
    collected = "NOT (state = 'quarantined' AND reason = 'no interchange')"
    assert 0 == count(rows, "inbound_files", f"state <> 'applied' AND {collected}")
    assert 0 == count(
        rows, "work", "buried_at IS NOT NULL OR kind NOT IN ('collect', 'follow_up', 'watch', 'certificates')"
    )
    for kind in ("accepted", "built", "claimAcknowledged", "remitted"):
        held = "SELECT e.transaction_id, count(*) FROM events e JOIN transactions t USING (tenant_id, transaction_id)"
        times = rows(f"{held} WHERE t.kind = 'claim' AND e.kind = '{kind}' GROUP BY 1")
        assert (kind, claims) == (kind, len(times))
        assert {1} == {n for _, n in times}
    numbers = [n for (n,) in rows("SELECT control_number FROM interchanges")]
    assert len(numbers) == len(set(numbers))
    return {
        "interchanges": len(numbers),
        "sent more than once": count(rows, "interchanges", "attempts > 1"),
        "files": count(rows, "inbound_files", collected),
        "files given more than once": count(rows, "inbound_files", f"times_seen > 1 AND {collected}"),
        "files settled without our knowing": count(rows, "inbound_files", f"settled_at IS NULL AND {collected}"),
    }


@pytest.mark.campaign
@pytest.mark.parametrize(("seed", "claims", "kills"), campaigns(CLAIMS, KILLS))
async def test_f01_f02_whatever_moment_it_is_killed_at_each_claim_counts_once_and_no_answer_is_forgotten(
    tmp_path: Path, seed: int, claims: int, kills: int
) -> None:
    print(f"seed {seed}: {claims} claims, {kills} kills")
    began, random = time.monotonic(), Random(seed)
    plan = planned(random, kills)
    async with campaign(tmp_path, seed, claims_of(random, claims)) as run:
        await lived_through(run, plan, random)
        assert kills == run.kills
        await run.come_to_rest()
        found = await no_answer_is_forgotten(run)
        await each_is_counted_once(run, found)
        assert 0 == await run.process.stop()
        with ledger(run.data) as rows:
            figures = the_ledger_is_whole(rows, len(run.claims))
        figures["doubts probed"] = run.process.log.read_text().count('"doubt probed"')
        print(f"seed {seed}: {time.monotonic() - began:.0f} s; kills by what they hit {dict(run.hits)}; {figures}")
        # Kills that hit nothing would prove nothing.
        for name, least in HIT_AT_LEAST.items():
            assert least * kills / KILLS <= run.hits[name], name
        assert 0 < figures["doubts probed"]
        assert 0 < figures["sent more than once"]

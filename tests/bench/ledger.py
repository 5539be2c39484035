"""What a full ledger costs: acknowledging and following up the same claims beside ten thousand others and beside a million.

The claims that are measured are real ones, submitted and sent; the others are rows, made by the database itself. No worker runs: each step is
called and timed by itself. `python -m tests.bench.ledger ROWS` prints the figures of one size, for its own peak of memory.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from gateway.config import Config
from gateway.ledger import inbound, interchanges
from gateway.ledger.interchanges import Interchange
from gateway.payers import Payer, Transactions
from gateway.runtime import TENANT, Runtime, open_runtime
from gateway.serving import running, sandbox_key
from gateway.steps import apply, follow_up
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import Work
from tests.bench.lanes import rest_route, upstream_process
from tests.bench.processes import ROOT, peak_megabytes
from tests.flows.doubtful import functional
from tests.flows.service import Client, claim_body, until

__all__ = [
    "FEW",
    "GROWTH_BAR",
    "MANY",
    "MEMORY_BAR",
    "Sized",
    "any_due",
    "config_for",
    "leased",
    "memory_now",
    "middle",
    "sized",
]

FEW, MANY = 10_000, 1_000_000
GROWTH_BAR, MEMORY_BAR = 1.3, 150.0
_CLAIMS = 200

# A claim that was received, its interchange's place, and two numbers that it is found by.
_SERIES = "WITH RECURSIVE series(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM series WHERE value < $2)"
_ROWS = (
    (
        "INSERT INTO transactions (tenant_id, transaction_id, kind, state, route_id, payer_id, usage, created_at, updated_at, position, conflict,"
        " version, request_id, traceparent, sent_at, follow_up_at, claim_kind) SELECT $1, 'row-' || value, 'claim', 'received', 'GOOD', 'GOOD', 'T',"
        " value, value, 1000000 + value, 0, 1, 'row-' || value, '', value, 9000000000000000 + value, '837P' FROM series"
    ),
    (
        "INSERT INTO members (tenant_id, interchange_id, control_number, ordinal, transaction_id)"
        " SELECT $1, 'old-' || (value / 1000), printf('%04d', value % 1000), 0, 'row-' || value FROM series"
    ),
    (
        "INSERT INTO search_keys (tenant_id, scope, hash, transaction_id)"
        " SELECT $1, 'claim_number', randomblob(32), 'row-' || value FROM series"
    ),
    (
        "INSERT INTO search_keys (tenant_id, scope, hash, transaction_id)"
        " SELECT $1, 'patient_control_number', randomblob(32), 'row-' || value FROM series"
    ),
    (
        "INSERT INTO interchanges (tenant_id, interchange_id, route_id, series, control_number, set_id, state, payload_id, sha256, bytes, attempts,"
        " reason, created_at, traceparent) SELECT $1, 'old-' || value, 'GOOD', 'old', value, '837', 'confirmed', 'x', 'x', 1, 1, '', value, ''"
        " FROM series WHERE value <= $2 / 1000 + 1"
    ),
)


class Sized(msgspec.Struct):
    """Microseconds a claim to acknowledge and to follow up, and megabytes above what opening the ledger took."""

    acknowledged: float
    followed_up: float
    megabytes: float


def config_for(url: str) -> Config:
    payer = Payer(
        id="GOOD", name="GOOD HEALTH PLAN", routes=["GOOD"], repeated_claims="allow",
        transactions=Transactions(claim_status="supported"),
    )  # fmt: skip
    route = msgspec.structs.replace(rest_route("GOOD", url), batch_claims_max=_CLAIMS, batch_window_seconds=1.0)
    return Config(port=0, judges=0, routes=[route], payers=[payer])


async def _sent(config: Config, folder: Path) -> list[str]:
    """Claims that were submitted and sent, by their ids."""
    async with running(config, folder) as up:
        client = Client(up.url, await sandbox_key(up.runtime, folder))
        bodies = [claim_body(f"PAID-{n}") | {"tradingPartnerServiceId": "GOOD"} for n in range(_CLAIMS)]
        claims = list(await asyncio.gather(*(client.submit(body) for body in bodies)))
        for claim in claims:
            await until(client, claim, "sent")
        await client.close()
    return claims


async def leased(runtime: Runtime, kind: str, subject: str) -> Work:
    async def body(tx: Transaction) -> list[Work]:
        now = runtime.world.micros()
        await work.enqueue(tx, TENANT, runtime.world.new_id(), kind, subject, now, now)
        return await work.lease(tx, runtime.database, "bench", now, 600, 1, (kind,))

    (item,) = await runtime.database.write(body)
    return item


async def _acknowledged(runtime: Runtime, interchange: Interchange) -> float:
    """Microseconds a claim to apply a 999 that accepts all of an interchange."""
    held = await runtime.database.read(lambda tx: interchanges.members(tx, TENANT, interchange.interchange_id))
    content = functional(interchange, {m.control_number: "A" for m in held}).encode()

    async def store(tx: Transaction) -> str:
        now, made_id = runtime.world.micros(), runtime.world.new_id()
        return (await inbound.store(tx, runtime.vault, TENANT, "GOOD", made_id, content, now, ""))[0].inbound_id

    item = await leased(runtime, "apply", await runtime.database.write(store))
    started = time.perf_counter()
    await apply.run(runtime, item)
    return (time.perf_counter() - started) / len(held) * 1e6


async def _followed_up(runtime: Runtime) -> float:
    """Microseconds a claim to ask about all that are due."""
    now = runtime.world.micros()
    due = await runtime.database.write(
        lambda tx: tx.execute(
            "UPDATE transactions SET follow_up_at = $1 WHERE tenant_id = $2 AND kind = 'claim' AND state = 'acknowledged'",
            now,
            TENANT,
        )
    )
    assert due == _CLAIMS
    started = time.perf_counter()
    while await runtime.database.read(lambda tx: any_due(tx, now)):
        await follow_up.run(runtime, await leased(runtime, "follow_up", TENANT))
    return (time.perf_counter() - started) / due * 1e6


async def any_due(tx: Transaction, now: int) -> bool:
    row = await tx.row("SELECT 1 FROM transactions WHERE tenant_id = $1 AND follow_up_at <= $2 LIMIT 1", TENANT, now)
    return row is not None


def memory_now() -> float:
    """The memory of this moment, from which on its peak is counted: making the rows took some of its own (proc(5), clear_refs)."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5", "ascii")
    return peak_megabytes()


async def _measured(folder: Path, rows: int) -> Sized:
    log.configure("ERROR")
    with upstream_process("0") as url:
        config = config_for(url)
        claims = await _sent(config, folder)
        runtime = await open_runtime(config, folder)
        try:
            for sql in _ROWS:
                await runtime.database.write(lambda tx, s=sql: tx.execute(f"{_SERIES} {s}", TENANT, rows))
            await runtime.database.write(lambda tx: tx.execute("ANALYZE"))
            carried = {
                i.interchange_id: i
                for claim in claims
                for i in await runtime.database.read(lambda tx, c=claim: interchanges.of_transaction(tx, TENANT, c))
            }
            before = memory_now()
            spent = [await _acknowledged(runtime, one) for one in carried.values()]
            followed = await _followed_up(runtime)
            return Sized(sum(spent) / len(spent), followed, peak_megabytes() - before)
        finally:
            await runtime.close()


def sized(rows: int) -> Sized:
    """The figures beside so many other claims, in a process of their own."""
    command = [sys.executable, "-m", "tests.bench.ledger", str(rows)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Sized)


def middle(measured: Sequence[Sized]) -> Sized:
    """The median of each figure."""
    return Sized(*(median(getattr(one, name) for one in measured) for name in Sized.__struct_fields__))


def main(rows: int) -> None:
    """Measure one size."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        print(msgspec.json.encode(asyncio.run(_measured(Path(name), rows))).decode(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))

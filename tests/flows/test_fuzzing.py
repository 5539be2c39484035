"""schemathesis over the OpenAPI document, all checks: no 5xx, no undocumented status, no answer that breaks its schema.

CI runs a seeded share: every operation with its examples, the systematic cases of those that take no body and of some that do, and some
chains of operations, each called with what the answer of the one before links it to. `make campaign` runs thousands, of all
operations, from CLAIMWIRE_SEED or a seed of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.api import v1
from gateway.api.server import OPERATIONS
from tests.flows.fuzzing import fits_leniently
from tests.flows.service import Client, Process, free_port

pytestmark = pytest.mark.one_engine

SEED = int(os.environ.get("CLAIMWIRE_SEED", "1"))
# Of chains so many.
CHAINS = 3
# What is found may be told at length.
_LINE_BYTES_MAX = 1 << 26
ALL = (*OPERATIONS, v1.CLOCK)
# A route that is paused answers 503, as it should, to whatever comes next: so it is paused last.
PAUSING = "pauseLane"
# In CI what is systematically wrong is sent to operations without a body, and to these; the others are sent their examples, which
# `test_bad_fields` goes through field by field.
SYSTEMATIC = [o.id for o in ALL if o.takes is None or o.id in ("validateDentalClaimX12", PAUSING)]
# In CI these follow each other: those that begin something in X12, and whatever needs no body.
CHAINED = [o.id for o in ALL if o.takes is None or o.takes_x12 or o.id == "createEventDestination"]


def of(operations: Iterable[str]) -> str:
    """Some operations as a run has them."""
    return ",".join(o for o in operations if o != PAUSING)


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncGenerator[tuple[Client, Path]]:
    port, data, log = free_port(), tmp_path / "data", tmp_path / "log"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], log)
    await process.start()
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        yield client, log
        await client.close()
    finally:
        await process.stop()


async def fuzzed(client: Client, *arguments: object) -> AsyncGenerator[dict[str, Any]]:
    """What schemathesis found, for each of its runs as soon as it is done."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.flows.fuzzing", client.url, client.key or "", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2], limit=_LINE_BYTES_MAX,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            yield json.loads(line)
        assert 0 == await process.wait(), (await complaints).decode()[-3000:]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await complaints


def judged(found: dict[str, Any], log: Path, seed: int) -> None:
    """Nothing was found, and the service did not complain to itself either."""
    told = "\n\n".join(f"{f['where']}: {f['check']}: {f['title']}\n{f['told']}" for f in found["faults"])
    assert "" == told, f"CLAIMWIRE_SEED={seed}\n{told}"
    assert set() == {s for s in found["statuses"] if s.startswith("5")}
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [] == [line for line in lines if line["level"] == "error" and line["logger"].startswith("gateway")]


async def test_a_seeded_share_of_generated_requests_finds_nothing(tmp_path: Path) -> None:
    runs = ("examples", f"coverage={of(SYSTEMATIC)}", f"stateful={of(CHAINED)}", f"coverage={PAUSING}")
    cases: list[Counter[str]] = []
    statuses: set[str] = set()
    async with served(tmp_path) as (client, log), aclosing(fuzzed(client, SEED, CHAINS, 0, *runs)) as finds:
        async for found in finds:
            judged(found, log, SEED)
            cases.append(Counter(found["cases"]))
            statuses |= set(found["statuses"])
    examples, coverage, chains, pausing = cases
    # Every operation was sent something: its examples, or what is systematically wrong with it.
    assert set() == {f"{o.method} {o.paths[0]}" for o in ALL} - set(examples + coverage + pausing)
    assert 70 <= examples.total()
    assert 600 <= coverage.total()
    assert 10 <= chains.total()
    assert {"200", "201", "204", "400", "401", "404", "405"} <= statuses


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_thousands_of_generated_requests_find_nothing(tmp_path: Path) -> None:
    """Each operation for so many times twenty seconds, then chains of them for as long as a dozen."""
    seed = SEED if "CLAIMWIRE_SEED" in os.environ else int(time.time())
    times = int(os.environ["CLAIMWIRE_CAMPAIGN"])
    print(f"schemathesis from CLAIMWIRE_SEED={seed}")
    ids = [o.id for o in ALL]
    runs = [
        *(f"coverage,fuzzing={i}" for i in ids if i != PAUSING),
        f"stateful={of(ids)}",
        f"coverage,fuzzing={PAUSING}",
    ]
    sent, names = 0, iter(runs)
    async with (
        served(tmp_path) as (client, log),
        aclosing(fuzzed(client, seed, 10 * times, 20 * times, *runs)) as finds,
    ):
        async for found in finds:
            sent += sum(found["cases"].values())
            print(f"{next(names)[:80]}: {sum(found['cases'].values())} cases, {found['statuses']}")
            judged(found, log, seed)
    assert 2_000 <= sent


CASES: list[tuple[dict[str, Any], object, bool]] = [
    ({"type": ["string", "null"]}, 5, True),
    ({"type": "string"}, True, False),
    ({"type": "string"}, {}, False),
    ({"type": "integer"}, "12", True),
    ({"type": "integer"}, "x", False),
    ({"type": "number"}, "12", False),
    ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}, [1, None], True),
    ({"type": "array", "items": {"type": "string"}}, [{}], False),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {"a": None}, False),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {"a": 1, "b": []}, True),
]


@pytest.mark.parametrize(("schema", "value", "fits"), CASES)
def test_only_what_the_dialect_lets_pass_is_let_pass(schema: dict[str, Any], value: object, fits: bool) -> None:
    assert fits == fits_leniently({}, schema, value)

"""schemathesis over the OpenAPI document, all checks: no 5xx, no undocumented status, no answer that breaks its schema.

CI runs a seeded share: every operation with its examples, and the systematic cases of a few. `make campaign` runs
thousands, of all operations and in chains (each transaction is followed where the document links to), from CLAIMWIRE_SEED or a seed
of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.api import v1
from gateway.api.server import OPERATIONS
from tests.flows.fuzzing import fits_leniently
from tests.flows.service import Process, free_port

SEED = int(os.environ.get("CLAIMWIRE_SEED", "1"))
# Systematic cases are hundreds for one operation: in CI they are those of these.
SYSTEMATIC = "pollTransactions,readBenefits,estimateShare,readReport835,validateDentalClaimX12"
PHASES = "fuzzing,stateful"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncGenerator[tuple[str, str, Path]]:
    port, data, log = free_port(), tmp_path / "data", tmp_path / "log"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], log)
    await process.start()
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        assert client.key is not None
        yield client.url, client.key, log
        await client.close()
    finally:
        await process.stop()


async def fuzzed(url: str, key: str, *arguments: object) -> dict[str, Any]:
    """What schemathesis found."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.flows.fuzzing", url, key, *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    told, complained = await process.communicate()
    assert 0 == process.returncode, complained.decode()[-3000:]
    return json.loads(told.splitlines()[-1])


def judged(found: dict[str, Any], log: Path, seed: int) -> None:
    """Nothing was found, and the service did not complain to itself either."""
    told = "\n\n".join(f"{f['where']}: {f['check']}: {f['title']}\n{f['told']}" for f in found["faults"])
    assert "" == told, f"CLAIMWIRE_SEED={seed}\n{told}"
    assert set() == {s for s in found["statuses"] if s.startswith("5")}
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [] == [line for line in lines if line["level"] == "error" and line["logger"].startswith("gateway")]


async def test_a_seeded_share_of_generated_requests_finds_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (url, key, log):
        examples = await fuzzed(url, key, SEED, 1, 600, "examples")
        systematic = await fuzzed(url, key, SEED, 1, 600, "coverage", SYSTEMATIC)
        for found in (examples, systematic):
            judged(found, log, SEED)
    assert 40 <= sum(examples["cases"].values())
    assert 150 <= sum(systematic["cases"].values())
    assert {"200", "400", "401", "404", "405"} <= {*examples["statuses"], *systematic["statuses"]}


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_thousands_of_generated_requests_find_nothing(tmp_path: Path) -> None:
    seed = SEED if "CLAIMWIRE_SEED" in os.environ else int(time.time())
    seconds, examples = 60 * int(os.environ["CLAIMWIRE_CAMPAIGN"]), 10 * int(os.environ["CLAIMWIRE_CAMPAIGN"])
    print(f"schemathesis from CLAIMWIRE_SEED={seed}")
    sent = 0
    async with served(tmp_path) as (url, key, log):
        for operations in ("", *(o.id for o in (*OPERATIONS, v1.CLOCK))):
            phases = "coverage,fuzzing" if operations else PHASES
            found = await fuzzed(url, key, seed, examples, seconds, phases, operations)
            sent += sum(found["cases"].values())
            print(f"{operations or 'all operations'}: {sum(found['cases'].values())} cases, {found['statuses']}")
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

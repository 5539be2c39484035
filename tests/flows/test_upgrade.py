"""The release before works on the schema of this one, beside it and after it: an upgrade goes node by node, and back again."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest

from gateway.config import Config, DatabaseServer
from gateway.runtime import open_runtime
from gateway.serving import sandbox_key
from tests.engines import Server
from tests.flows.service import NETWORK, Client, Process, claim_body, eligibility_body, free_port, until

# The last commit with the schema before this one's. It moves on with each release.
PREVIOUS = "403269d"
_ROOT = Path(__file__).parents[2]
_AT_PAYER = ("received", "pending", "finalized", "remitted")


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the release before."""
    made = subprocess.run(["git", "archive", PREVIOUS], cwd=_ROOT, capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"the commit {PREVIOUS} is not in this clone: {made.stderr.decode().strip()}")
    tree = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
        archive.extractall(tree, filter="data")
    return tree


@asynccontextmanager
async def serving(tree: Path, folder: Path, data: Path, *options: str) -> AsyncGenerator[Client]:
    """A service out of a tree."""
    port = free_port()
    arguments = ["serve", "--data", str(data), "--port", str(port), *options]
    process = Process(arguments, folder / "log", tree, PYTHONDONTWRITEBYTECODE="1")
    await process.start()
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        try:
            yield client
        finally:
            await client.close()
        assert 0 == await process.stop()
    finally:
        await process.kill()


async def works(client: Client, number: str) -> str:
    """A check is answered and a claim taken, sent and heard of; its id."""
    assert 200 == (await client.post(f"{NETWORK}/eligibility/v3", eligibility_body())).status
    claim = await client.submit(claim_body(number))
    await until(client, claim, *_AT_PAYER)
    return claim


async def goes_on(client: Client, claims: list[str]) -> None:
    """Claims are known, and their stories are told, whichever release took them."""
    for claim in claims:
        assert (await client.transaction(claim))["state"] in _AT_PAYER
        assert 1 == [event["kind"] for event in (await client.trace(claim))["events"]].count("delivered")


@pytest.mark.embedded
async def test_f48_the_release_before_goes_on_with_a_folder_that_this_one_has_migrated(
    tmp_path: Path, previous: Path
) -> None:
    data = tmp_path / "data"
    async with serving(_ROOT, tmp_path, data, "--sandbox") as new:
        claims = [await works(new, "PAID-1")]
        # Taken, and left in the queue.
        waiting = await new.submit(claim_body("PAID-2"))
    async with serving(previous, tmp_path, data, "--sandbox") as old:
        await until(old, waiting, *_AT_PAYER)
        claims += [waiting, await works(old, "PAID-3")]
        await goes_on(old, claims)
        waiting = await old.submit(claim_body("PAID-4"))
    async with serving(_ROOT, tmp_path, data, "--sandbox") as new:
        await until(new, waiting, *_AT_PAYER)
        claims += [waiting, await works(new, "PAID-5")]
        await goes_on(new, claims)


@pytest.mark.embedded
async def test_f48_nodes_of_both_releases_serve_side_by_side(
    postgresql: Server, tmp_path: Path, previous: Path
) -> None:
    url, payer_port = postgresql.fresh(), free_port()
    config = tmp_path / "claimwire.toml"
    config.write_text(f'[database]\nurl = "{url}"\n', "ascii")
    data = {name: tmp_path / name for name in ("old", "new")}
    runtime = await open_runtime(Config(database=DatabaseServer(url=url)), data["new"])
    await sandbox_key(runtime, data["new"])
    await runtime.close()
    data["old"].mkdir()
    for key in ("master.key", "sandbox.key"):
        shutil.copy(data["new"] / key, data["old"])
    payer = Process(["sandbox", "--data", str(tmp_path / "payer"), "--port", str(payer_port)], tmp_path / "payer.log")
    await payer.start()
    options = ("--config", str(config), "--sandbox-url", f"http://127.0.0.1:{payer_port}")
    try:
        async with (
            serving(previous, tmp_path, data["old"], *options) as old,
            serving(_ROOT, tmp_path, data["new"], *options) as new,
        ):
            claims: list[str] = []
            for n in range(3):
                claims += [await works(old, f"PAID-{n}"), await works(new, f"COPAY-{n}")]
            # Each knows what the other took.
            await goes_on(old, claims)
            await goes_on(new, claims)
    finally:
        await payer.kill()

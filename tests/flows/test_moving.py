"""An installation moves from its folder's database to PostgreSQL: all of it or nothing, and what was under way goes on there, once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import msgspec
import pytest
from typer.testing import CliRunner

from gateway import moving
from gateway.cli import app
from gateway.config import Config, DatabaseServer
from gateway.moving import Move, MoveError, abandon, move
from gateway.runtime import DATABASE_FILE, open_runtime
from queues.moving import Moved
from queues.postgres import PostgreSQL
from tests.engines import Server
from tests.flows.service import Client, claim_body, in_process, until, until_true

pytestmark = pytest.mark.embedded
KILLS = 6
# Long enough for a remittance, and too short for the follow-up.
_DAYS = timedelta(days=12)
ROOT = Path(__file__).parents[2]


def silent(_: str, __: int) -> None:
    """Nobody looks on."""


def server_config(postgresql: Server) -> Config:
    return Config(database=DatabaseServer(url=postgresql.fresh()))


async def tables_of(config: Config) -> dict[str, int]:
    """What a server's database has, by table."""
    assert config.database is not None
    database = await PostgreSQL.open(config.database.url)

    async def body(tx: Any) -> dict[str, int]:
        names = await tx.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return {name: (await tx.fetch(f"SELECT count(*) FROM {name}"))[0][0] for (name,) in names if name != "commits"}

    try:
        return await database.read(body)
    finally:
        await database.close()


async def lived_in(folder: Path) -> dict[str, Any]:
    """An installation with claims in many states; the story of each, the sandbox payer's of all of them staying where it is."""
    async with in_process(folder) as (client, up):
        ends = {"PAID-1": "remitted", "DENIED-1": "remitted", "REJECT-1": "rejected", "SILENT-1": "acknowledged"}
        claims = {name: await client.submit(claim_body(name)) for name in ends}
        for name in ends:
            await until(client, claims[name], "received", "rejected", "acknowledged")
        await up.move_clock(_DAYS)
        for name, state in ends.items():
            await until(client, claims[name], state)
        route = up.runtime.directory.routes["sandbox"]
        up.runtime.directory.routes["sandbox"] = msgspec.structs.replace(route, batch_window_seconds=3600)
        claims["PAID-2"] = await client.submit(claim_body("PAID-2"), **{"Idempotency-Key": "moved"})
        return {claim: await client.trace(claim) for claim in claims.values()}


async def test_all_that_was_is_there_afterwards_and_what_was_under_way_goes_on_once(
    postgresql: Server, tmp_path: Path
) -> None:
    before = await lived_in(tmp_path)
    config = server_config(postgresql)
    looked = await move(config, tmp_path, silent, dry_run=True)
    assert looked.dry_run
    assert {} == await tables_of(config)
    moved = await move(config, tmp_path, silent)
    assert Move(looked.rows) == moved
    arrived = await tables_of(config)
    assert moved.rows == {name: arrived[name] for name in moved.rows}
    assert 5 <= moved.rows["transactions"]
    async with in_process(tmp_path, config) as (client, up):
        for claim, story in before.items():
            after = await client.trace(claim)
            assert story["events"] == after["events"][: len(story["events"])]
        again = await client.submit(claim_body("PAID-2"), **{"Idempotency-Key": "moved"})
        assert again == list(before)[-1]
        # Its batch waits for the window that it was taken under.
        for state in ("received", "remitted"):
            await up.move_clock(_DAYS)
            await until(client, again, state, "remitted")
        assert up.sandbox is not None
        seen = Client(up.sandbox.url, None)
        assert {1} == set((await seen.get("/seen")).json["claims"].values())
        await seen.close()


async def test_nobody_goes_on_with_what_was_moved_away(postgresql: Server, tmp_path: Path) -> None:
    await lived_in(tmp_path)
    config = server_config(postgresql)
    await move(config, tmp_path, silent)
    with pytest.raises(Moved, match="was moved to PostgreSQL"):
        await open_runtime(Config(), tmp_path)
    with pytest.raises(Moved):
        await open_runtime(Config(), tmp_path, exclusive=False)


async def test_an_installation_that_serves_is_not_moved(postgresql: Server, tmp_path: Path) -> None:
    async with in_process(tmp_path):
        with pytest.raises(MoveError, match="another process serves"):
            await move(server_config(postgresql), tmp_path, silent)


async def test_a_target_with_rows_of_its_own_is_left_as_it_is(postgresql: Server, tmp_path: Path) -> None:
    await lived_in(tmp_path / "one")
    config = server_config(postgresql)
    await (await open_runtime(config, tmp_path / "other")).close()
    before = await tables_of(config)
    with pytest.raises(MoveError, match="rows of its own, in data_keys"):
        await move(config, tmp_path / "one", silent)
    assert before == await tables_of(config)
    # It was not begun: the folder is served from as before.
    await (await open_runtime(Config(), tmp_path / "one")).close()


async def test_what_arrives_otherwise_than_it_left_is_undone(
    postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived_in(tmp_path)
    config = server_config(postgresql)
    sent = vars(moving.moving)["_content"]

    async def short(tx: Any, table: Any) -> Any:
        content = await sent(tx, table)
        return content._replace(rows=content.rows - 1) if table.name == "transactions" else content

    monkeypatch.setattr(moving.moving, "_content", short)
    with pytest.raises(Exception, match="the table transactions is not what left"):
        await move(config, tmp_path, silent)
    assert not any(count for name, count in (await tables_of(config)).items() if name != "migration")
    monkeypatch.undo()
    assert not (await move(config, tmp_path, silent)).already


async def test_wherever_a_move_is_cut_off_one_of_the_two_is_served_from_at_most(
    postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived_in(tmp_path)
    config = server_config(postgresql)
    copied = moving.moving.copied

    async def dies(*_: object) -> dict[str, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(moving.moving, "copied", dies)
    with pytest.raises(KeyboardInterrupt):
        await move(config, tmp_path, silent)
    # Nothing has arrived; until that is decided nobody serves from here.
    with pytest.raises(Moved):
        await open_runtime(Config(), tmp_path)
    assert await abandon(config, tmp_path)
    assert not await abandon(config, tmp_path)
    await (await open_runtime(Config(), tmp_path)).close()
    monkeypatch.setattr(moving.moving, "copied", copied)
    await move(config, tmp_path, silent)
    # The server's node goes on, and its rows are others now: a second run knows the move by its id.
    async with in_process(tmp_path, config) as (client, _):
        await client.submit(claim_body("PAID-9"))
    assert (await move(config, tmp_path, silent)).already
    with pytest.raises(MoveError, match="serve from there"):
        await abandon(config, tmp_path)
    with pytest.raises(Moved):
        await open_runtime(Config(), tmp_path)


def copying(postgresql: Server) -> bool:
    """Whether a move is bringing rows now, and has not committed them."""
    amid = "query LIKE 'INSERT INTO %' AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
    return postgresql.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {amid}") != "0"


async def copying_or_done(postgresql: Server, process: asyncio.subprocess.Process) -> bool:
    return process.returncode is not None or await asyncio.to_thread(copying, postgresql)


@pytest.mark.campaign
async def test_a_move_that_is_killed_at_any_time_leaves_all_or_nothing(postgresql: Server, tmp_path: Path) -> None:
    await lived_in(tmp_path)
    connection: Any = apsw.Connection(str(tmp_path / DATABASE_FILE))
    # Rows enough for a while.
    connection.execute(
        "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 60000)"
        " INSERT INTO search_keys (tenant_id, scope, hash, transaction_id) SELECT 'default', 'member_id', randomblob(32), 'row-' || n FROM series"
    ).fetchall()
    connection.close()
    config = server_config(postgresql)
    assert config.database is not None
    (tmp_path / "claimwire.toml").write_text(f'data = "."\n\n[database]\nurl = "{config.database.url}"\n')
    command = [sys.executable, "-m", "gateway", "migrate", "--from", "sqlite", "--config", str(tmp_path / "claimwire.toml"), "--json"]  # fmt: skip
    random = Random(7)
    in_the_copy = 0
    for number in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )
        if number % 2:
            await asyncio.sleep(0.6 + random.random() * 3)
        else:
            await until_true(lambda process=process: copying_or_done(postgresql, process))
            await asyncio.sleep(random.random() * 0.2)
        amid = copying(postgresql)
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()
        counts = {name: count for name, count in (await tables_of(config)).items() if name != "migration"}
        assert not any(counts.values()) or 60_000 < counts["search_keys"]
        # Rows were under way, and none of them stayed.
        in_the_copy += amid and not any(counts.values())
    assert 1 <= in_the_copy
    print(f"{in_the_copy} of {KILLS} kills fell into the copy")
    done = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, _ = await done.communicate()
    if done.returncode == 0:
        assert 60_000 < msgspec.json.decode(said, type=Move).rows["search_keys"]
    with pytest.raises(Moved):
        await open_runtime(Config(), tmp_path)
    assert 60_000 < (await tables_of(config))["search_keys"]


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["migrate", "--from", "sqlite", "--data", str(tmp_path)])
    assert 1 == done.exit_code
    assert "[database] url" in done.output
    first = runner.invoke(app, ["migrate", "--data", str(tmp_path), "--json"])
    assert 0 == first.exit_code
    assert "ledger/0001_ledger" in msgspec.json.decode(first.stdout)
    assert [] == msgspec.json.decode(runner.invoke(app, ["migrate", "--data", str(tmp_path), "--json"]).stdout)

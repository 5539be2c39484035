"""Backups: made beside a service, of use to their key's owner only, and restored without sending anything twice."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from typer.testing import CliRunner

from gateway.backups import BackupError, back_up, restore, verify_backup, verify_database
from gateway.cli import app, main
from gateway.config import Config, DatabaseServer
from gateway.ledger import restorations
from gateway.ledger.interchanges import Interchange
from gateway.runtime import DATABASE_FILE, TENANT
from gateway.serving import SANDBOX_KEY_FILE
from gateway.world import SystemWorld
from queues import moving, work
from queues.database import DatabaseFull, SQLite, Transaction, Unreachable
from queues.numbers import GUARD
from queues.postgres import PostgreSQL
from tests.engines import Server
from tests.flows.doubtful import Doubtful, doubtful, ta1
from tests.flows.service import Client, claim_body, eligibility_body, in_process, until

NOW = 4_000_000_000_000_000


async def comes_back(backup: Path, before: Path, after: Path, **how: Any) -> None:
    """Restore, beside a payer that remembers what it has got since."""
    await restore(backup, after, before / "master.key", SystemWorld(), **how)
    for name in ("sandbox.db", SANDBOX_KEY_FILE):
        shutil.copy(before / name, after / name)


async def claims_at(payer: Doubtful) -> int:
    """How many claims the payer has got, each as often as it came."""
    return sum((await payer.seen())["claims"].values())


async def begun(payer: Doubtful) -> None:
    """What the start looked for, claims that wait for their batch, it has looked for: what comes now waits for its window."""
    runtime = payer.up.runtime
    async with asyncio.timeout(30):
        while await runtime.database.read(lambda tx: work.due_by(tx, "batch", runtime.world.micros())):
            await runtime.world.sleep(0.02)


def changed(folder: Path, sql: str, *values: Any) -> None:
    """Change a database that nobody serves."""
    connection: Any = apsw.Connection(str(folder / "claimwire.db"))
    connection.execute(sql, values)
    assert connection.changes() > 0, "nothing was changed"
    connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("served") / "data"
    asyncio.run(_serve(data))
    return data


@pytest.fixture
def folder(served: Path, tmp_path: Path) -> Path:
    """A data folder that was served: with a paid claim, one that is at the payer, an answered inquiry, and payers as files."""
    return shutil.copytree(served, tmp_path / "data")


async def _serve(data: Path) -> None:
    async with in_process(data) as (client, _):
        assert 200 == (await client.post("/2024-04-01/change/medicalnetwork/eligibility/v3", eligibility_body())).status
        claims = [await client.submit(claim_body(number)) for number in ("PAID-1", "SILENT-1")]
        await until(client, claims[0], "received", "pending", "finalized", "remitted")
        await until(client, claims[1], "sent", "acknowledged", "received")
    (data / "payers").mkdir(exist_ok=True)
    (data / "payers" / "NOTE.txt").write_text("kept")


@pytest.mark.embedded
async def test_a_backup_made_while_claims_come_in_holds_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "one.backup"
    async with in_process(data) as (client, _):
        before = [await client.submit(claim_body(f"PAID-{n}")) for n in range(5)]
        going_on = asyncio.gather(*(client.submit(claim_body(f"MORE-{n}")) for n in range(20)))
        manifest = await asyncio.to_thread(lambda: asyncio.run(back_up(data, file, SystemWorld())))
        after = await going_on
    assert 5 <= manifest.counts["transactions"]
    await comes_back(file, data, tmp_path / "again", nothing_since=True)
    async with in_process(tmp_path / "again") as (client, _):
        for claim in before:
            assert "claim" == (await client.transaction(claim))["kind"]
        known = [(await client.get(f"/v1/transactions/{claim}")).status for claim in after]
        assert {200, 404} >= set(known)


async def test_it_opens_with_its_key_only_and_shows_nothing(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    await back_up(folder, file, SystemWorld())
    content = file.read_bytes()
    assert 0o600 == file.stat().st_mode & 0o777
    for word in (b"ABARA", b"SANDBOX", b"CREATE TABLE", b"claimwire.db", (folder / "master.key").read_bytes()):
        assert word not in content
    manifest, report = await verify_backup(file, folder / "master.key", SystemWorld())
    assert report.sound
    assert report.payloads_opened == report.counts["payloads"] > 0
    assert ["payers/NOTE.txt"] == manifest.files
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    with pytest.raises(BackupError, match="the key is another one"):
        await verify_backup(file, other, SystemWorld())


@pytest.mark.parametrize("where", [0, 30, 200, 0.5, -1])
async def test_a_backup_that_was_changed_is_not_restored(folder: Path, tmp_path: Path, where: float) -> None:
    file = tmp_path / "one.backup"
    await back_up(folder, file, SystemWorld())
    content = bytearray(file.read_bytes())
    content[round(where * len(content)) if isinstance(where, float) else where] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError):
        await restore(file, tmp_path / "again", folder / "master.key", SystemWorld())
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("left", [0, 10, 60, 0.5, -1])
async def test_a_backup_that_was_cut_is_not_restored(folder: Path, tmp_path: Path, left: float) -> None:
    file = tmp_path / "one.backup"
    await back_up(folder, file, SystemWorld())
    content = file.read_bytes()
    file.write_bytes(content[: round(left * len(content)) if isinstance(left, float) else left])
    with pytest.raises(BackupError):
        await restore(file, tmp_path / "again", folder / "master.key", SystemWorld())
    assert not (tmp_path / "again").exists()


async def test_more_than_a_piece_and_swapped_pieces(folder: Path, tmp_path: Path) -> None:
    (folder / "codes").mkdir(exist_ok=True)
    (folder / "codes" / "large.codes").write_bytes(bytes(range(256)) * 14_000)
    file, key = tmp_path / "one.backup", folder / "master.key"
    await back_up(folder, file, SystemWorld())
    await restore(file, tmp_path / "again", key, SystemWorld())
    assert (folder / "codes" / "large.codes").read_bytes() == (
        tmp_path / "again" / "codes" / "large.codes"
    ).read_bytes()
    content, head, piece = file.read_bytes(), 24 + 32, (1 << 20) + 16
    first, second, rest = (
        content[head : head + piece],
        content[head + piece : head + 2 * piece],
        content[head + 2 * piece :],
    )
    for swapped in (second + first + rest, first + rest, first + second + second + rest):
        file.write_bytes(content[:head] + swapped)
        with pytest.raises(BackupError, match="does not open"):
            await verify_backup(file, key, SystemWorld())


async def test_neither_a_backup_nor_a_folder_is_written_over(folder: Path, tmp_path: Path) -> None:
    file, key = tmp_path / "one.backup", folder / "master.key"
    await back_up(folder, file, SystemWorld())
    with pytest.raises(BackupError, match="never written over"):
        await back_up(folder, file, SystemWorld())
    with pytest.raises(BackupError, match="is not empty"):
        await restore(file, folder, key, SystemWorld())
    # A restore that was cut short leaves nothing that the next one would take for its own.
    left = tmp_path / "again.restoring"
    left.mkdir()
    (left / "claimwire.db").write_bytes(b"half")
    (tmp_path / "again").mkdir()
    await restore(file, tmp_path / "again", key, SystemWorld())
    assert not left.exists()
    assert (tmp_path / "again" / "payers" / "NOTE.txt").read_text() == "kept"
    assert 0o700 == (tmp_path / "again").stat().st_mode & 0o777


async def found_at_the_payer(payer: Doubtful, claim: str, before: Interchange) -> None:
    """The payer says by a 277 that it has a claim, which left after the backup: that is what counts, and nothing leaves."""
    async with asyncio.timeout(60):
        while (await payer.client.transaction(claim))["state"] in ("accepted", "built", "in_doubt"):
            payer.passes(30)
            await asyncio.sleep(0.1)
    found = await payer.interchange(claim)
    assert ("confirmed", 0) == (found.state, found.copies)
    assert found.control_number > before.control_number + GUARD - 1
    assert 1 == await claims_at(payer)


@pytest.mark.embedded
async def test_f34_what_was_sent_after_the_backup_is_found_by_asking_and_not_sent_again(tmp_path: Path) -> None:
    before, after, file = tmp_path / "before", tmp_path / "after", tmp_path / "one.backup"
    async with doubtful(before, status=True, window_seconds=3600) as payer:
        await begun(payer)
        waiting = await payer.client.submit(claim_body("PAID-1"))
        await back_up(before, file, SystemWorld())
        payer.passes(3700)
        await until(payer.client, waiting, "sent", "in_doubt")
        old = await payer.interchange(waiting, "confirmed")
        assert 1 == await claims_at(payer)
    await comes_back(file, before, after)
    async with doubtful(after, status=True) as payer:
        await found_at_the_payer(payer, waiting, old)
        assert {"doubted", "doubtAsked", "delivered"} <= set(await payer.story(waiting))


@pytest.mark.embedded
async def test_f34_what_the_payer_does_not_know_is_sent_by_a_persons_word_only(tmp_path: Path) -> None:
    before, after, file = tmp_path / "before", tmp_path / "after", tmp_path / "one.backup"
    async with doubtful(before, window_seconds=3600) as payer:
        await begun(payer)
        waiting = await payer.client.submit(claim_body("PAID-1"))
        await back_up(before, file, SystemWorld())
    await comes_back(file, before, after)
    # The payer can be asked for the interchange by its number, and knows copies: neither says anything of an earlier number.
    async with doubtful(after, probes=True, duplicates="isa13") as payer:
        for _ in range(60):
            if (await payer.interchange(waiting)).state == "held":
                break
            payer.passes(60)
            await asyncio.sleep(0.1)
        held = await payer.interchange(waiting, "held")
        assert 0 == await claims_at(payer) == held.copies
        (doubt,) = await payer.doubts()
        assert (
            "backup" in (await payer.client.get(f"/v1/in-doubt/{doubt['interchangeId']}")).json["evidence"][0]["detail"]
        )
        await payer.decide(held.interchange_id, "resend")
        await until(payer.client, waiting, "sent", "acknowledged", "received")
        assert 1 == await claims_at(payer)


@pytest.mark.embedded
async def test_f34_each_stage_of_sending_is_in_doubt_and_an_answer_to_the_old_number_counts(tmp_path: Path) -> None:
    before, after, file = tmp_path / "before", tmp_path / "after", tmp_path / "one.backup"
    async with doubtful(before) as payer:
        await payer.weather("cut", "cut", "cut")
        claims: list[str] = []
        made: list[Interchange] = []
        for n in range(3):
            claims.append(await payer.client.submit(claim_body(f"PAID-{n}")))
            made.append(await payer.interchange(claims[-1], "in_doubt", "held"))
    stages = ("intent", "safe_to_resend", "held")
    for one, stage in zip(made, stages, strict=True):
        sql = "UPDATE interchanges SET state = ?, attempts = ?, copies = ? WHERE interchange_id = ?"
        times = 0 if stage == "intent" else 1
        changed(before, sql, stage, times, times, one.interchange_id)
    await back_up(before, file, SystemWorld())
    (_, done) = await restore(file, after, before / "master.key", SystemWorld())
    assert done is not None
    assert (3, 0, GUARD) == (done.interchanges, done.claims, done.numbers_ahead)
    for name in ("sandbox.db", SANDBOX_KEY_FILE):
        shutil.copy(before / name, after / name)
    async with doubtful(after) as payer:
        database = payer.up.runtime.database
        assert done == await database.read(lambda tx: restorations.latest(tx, TENANT))
        for claim in claims:
            await payer.interchange(claim, "in_doubt", "held")
        # What was only meant to be sent may have been: a TA1 for its number is believed.
        first = await payer.interchange(claims[0])
        await payer.arrives(ta1(first, "A"))
        await until(payer.client, claims[0], "sent", "acknowledged")

        async def following(tx: Transaction) -> int:
            row = await tx.row("SELECT next FROM numbers WHERE series = $1", first.series)
            assert row is not None
            return row[0]

        assert max(one.control_number for one in made) + GUARD < await database.read(following)


async def test_a_series_without_room_is_refused_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    changed(folder, "UPDATE numbers SET next = 999999990")
    file = tmp_path / "one.backup"
    await back_up(folder, file, SystemWorld())
    with pytest.raises(BackupError, match="--numbers-ahead"):
        await restore(file, tmp_path / "again", folder / "master.key", SystemWorld())
    await restore(file, tmp_path / "again", folder / "master.key", SystemWorld(), numbers_ahead=5)


def inside(*folders: Path) -> set[Path]:
    """What is in them."""
    return {path for folder in folders for path in folder.iterdir()}


def names(folder: Path) -> list[str]:
    """What there is beside the data folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != "data")


# What a rule of the audit must find.
BROKEN = {
    "as many events as its version": "DELETE FROM events WHERE sequence = 2",
    "was answered is kept": "UPDATE transactions SET request_id = 'gone' WHERE kind = 'claim'",
    "bytes of an interchange": "UPDATE interchanges SET payload_id = 'gone'",
    "bytes of a file": "UPDATE inbound_files SET payload_id = 'gone'",
    "transactions that there are": "UPDATE members SET transaction_id = 'gone'",
    "one interchange that may be at a payer": "INSERT INTO members SELECT tenant_id, interchange_id, control_number, ordinal + 9, transaction_id FROM members"
    " WHERE interchange_id IN (SELECT interchange_id FROM interchanges WHERE set_id = '837')",
    "have work that sends them": "UPDATE interchanges SET state = 'intent' WHERE set_id = '837'",
    "have work that builds one": "UPDATE transactions SET state = 'accepted', route_id = 'other' WHERE kind = 'claim'",
    "has work that reads it": "UPDATE inbound_files SET state = 'stored'",
    "a date at which it is asked about": "UPDATE transactions SET follow_up_at = NULL, state = 'sent' WHERE kind = 'claim'",
    "no control number is taken": "UPDATE numbers SET next = 1",
    "opens with its key": "UPDATE payloads SET sealed = zeroblob(length(sealed))",
    "as its SHA-256 says": "UPDATE interchanges SET sha256 = 'other'",
}


@pytest.mark.parametrize("rule", BROKEN)
async def test_a_ledger_that_is_not_true_to_itself_is_found_and_not_backed_up(
    folder: Path, tmp_path: Path, rule: str
) -> None:
    changed(folder, BROKEN[rule])
    report = await verify_database(folder / "claimwire.db", (folder / "master.key").read_bytes(), NOW)
    assert any(rule in fault.rule for fault in report.faults), report.told
    with pytest.raises(BackupError, match="not sound"):
        await back_up(folder, tmp_path / "one.backup", SystemWorld())
    assert [] == names(tmp_path)


async def test_damaged_pages_are_found(folder: Path) -> None:
    path = folder / "claimwire.db"
    content = bytearray(path.read_bytes())
    for at in range(len(content) // 2, len(content) // 2 + 4096):
        content[at] ^= 0xFF
    path.write_bytes(content)
    report = await verify_database(path, (folder / "master.key").read_bytes(), NOW)
    assert report.damages


@pytest.mark.embedded
def test_the_commands(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    kept.mkdir()

    async def served(act: Callable[[Client], Awaitable[None]]) -> None:
        async with in_process(data) as (client, _):
            await act(client)

    async def submit(client: Client) -> None:
        await until(client, await client.submit(claim_body("PAID-1")), "received", "pending", "finalized", "remitted")

    asyncio.run(served(submit))

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert code == done.exit_code, done.output
        return done.output

    said = run("backup", str(kept), "--data", str(data))
    (file,) = kept.iterdir()
    assert said.startswith(f"{file}: ")
    assert "Keep master.key apart" in said
    assert "sound: " in run("verify", str(file), "--key", str(data / "master.key"))
    assert "sound: " in run("verify", "--data", str(data))
    told = msgspec.json.decode(run("verify", "--data", str(data), "--json"))
    assert told["sound"]
    assert 0 < told["payloadsOpened"] == told["counts"]["payloads"]
    again = tmp_path / "again"
    said = run("restore", str(file), "--key", str(data / "master.key"), "--data", str(again))
    assert "10000 ahead" in said
    assert "revoke" in said
    assert "is not empty" in run("restore", str(file), "--key", str(data / "master.key"), "--data", str(again), code=1)
    assert "there is no" in run("restore", str(file), "--key", str(tmp_path / "no.key"), "--data", "x", code=1)
    assert "there is no" in run("backup", str(kept), "--data", str(tmp_path), code=1)
    changed(again, "DELETE FROM events WHERE sequence = 1")
    assert "not so of" in run("verify", "--data", str(again), code=1)


async def test_a_backup_of_other_tables_is_refused(folder: Path, tmp_path: Path) -> None:
    changed(folder, "INSERT INTO migration (name) VALUES ('ledger/9999_to_come')")
    with pytest.raises(BackupError, match="another version"):
        await back_up(folder, tmp_path / "one.backup", SystemWorld())


async def test_a_copy_that_was_left_by_one_that_was_killed_goes_with_the_next(folder: Path, tmp_path: Path) -> None:
    lefts = [folder / ".backup-left", tmp_path / ".verify-left"]
    used = [folder / ".backup-used", tmp_path / ".verify-used"]
    for work_folder in (*lefts, *used):
        work_folder.mkdir()
        (work_folder / DATABASE_FILE).write_bytes(bytes(1_000))
    others = [os.open(each, os.O_RDONLY) for each in used]
    for other in others:
        fcntl.flock(other, fcntl.LOCK_EX)
    await back_up(folder, tmp_path / "one.backup", SystemWorld())
    await verify_backup(tmp_path / "one.backup", folder / "master.key", SystemWorld())
    for other in others:
        os.close(other)
    assert not {*lefts} & inside(folder, tmp_path)
    assert all((each / DATABASE_FILE).exists() for each in used)


@pytest.mark.parametrize("kept_from", [errno.EROFS, errno.EACCES])
async def test_a_backup_on_a_read_only_medium_is_looked_into(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_from: int
) -> None:
    shelf, elsewhere = tmp_path / "shelf", tmp_path / "elsewhere"
    for each in (shelf, elsewhere):
        each.mkdir()
    left = elsewhere / ".claimwire-verify-left"
    left.mkdir()
    await back_up(folder, shelf / "one.backup", SystemWorld())
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    make, made = tempfile.mkdtemp, list[tuple[Path, int]]()

    def mkdtemp(suffix: str | None = None, prefix: str | None = None, dir: Path | None = None) -> str:  # noqa: A002
        if dir == shelf:
            raise OSError(kept_from, os.strerror(kept_from))
        work = make(suffix, prefix, dir)
        made.append((Path(work).parent, Path(work).stat().st_mode & 0o777))
        return work

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    _, report = await verify_backup(shelf / "one.backup", folder / "master.key", SystemWorld())
    assert report.sound
    assert [(elsewhere, 0o700)] == made
    assert {shelf / "one.backup"} == inside(shelf, elsewhere)


async def test_a_backup_is_not_looked_into_where_nothing_can_be_written_at_all(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdtemp(*_: object, **__: object) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def gettempdir() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    await back_up(folder, tmp_path / "one.backup", SystemWorld())
    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setattr(tempfile, "gettempdir", gettempdir)
    with pytest.raises(BackupError, match="with room for the database in TMPDIR"):
        await verify_backup(tmp_path / "one.backup", folder / "master.key", SystemWorld())


@pytest.mark.parametrize("where", [0.5, 0.99])
async def test_nothing_of_a_backup_that_was_changed_stays_on_the_disk(
    folder: Path, tmp_path: Path, where: float
) -> None:
    backup, after = tmp_path / "one.backup", tmp_path / "after"
    await back_up(folder, backup, SystemWorld())
    changed_bytes = bytearray(backup.read_bytes())
    changed_bytes[int(len(changed_bytes) * where)] ^= 1
    backup.write_bytes(changed_bytes)
    before = inside(tmp_path)
    with pytest.raises(BackupError):
        await restore(backup, after, folder / "master.key", SystemWorld())
    assert before == inside(tmp_path)


async def test_a_full_disk_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup, after = tmp_path / "one.backup", tmp_path / "after"
    await back_up(folder, backup, SystemWorld())
    before = inside(tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gateway.backups.os.fsync", full)
    with pytest.raises(BackupError, match="is full: make room"):
        await restore(backup, after, folder / "master.key", SystemWorld())
    # The copy in the data folder has a sync of its own, and room.
    monkeypatch.setattr("gateway.backups.snapshot", shutil.copy)
    with pytest.raises(BackupError, match="is full: make room"):
        await back_up(folder, tmp_path / "other.backup", SystemWorld())
    assert before == inside(tmp_path)

    def full_as_well(source: Path, target: Path) -> None:
        raise DatabaseFull("the database cannot write: FullError")

    monkeypatch.setattr("gateway.backups.snapshot", full_as_well)
    with pytest.raises(BackupError, match=f"in {folder}: is its disk full"):
        await back_up(folder, tmp_path / "other.backup", SystemWorld())


async def test_a_folder_that_was_moved_away_is_not_backed_up_any_more(folder: Path, tmp_path: Path) -> None:
    database = SQLite(folder / DATABASE_FILE)
    await database.write(lambda tx: moving.begin(tx, NOW, "a move"))
    await database.close()
    with pytest.raises(BackupError, match="was moved to PostgreSQL"):
        await back_up(folder, tmp_path / "one.backup", SystemWorld())
    assert not {tmp_path / "one.backup"} & inside(tmp_path)


@pytest.mark.parametrize(("error", "code"), [(Unreachable("it is away"), 75), (DatabaseFull("it is full"), 1)])
def test_a_command_without_its_database_says_so_in_a_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("gateway.cli.app", fails)
    monkeypatch.setattr("os.umask", int)
    with pytest.raises(SystemExit) as ended:
        main()
    assert code == ended.value.code
    assert f"{error}\n" == capsys.readouterr().err


async def test_f34_a_server_that_was_brought_back_by_its_own_tools_sends_nothing_again(
    postgresql: Server, tmp_path: Path
) -> None:
    data, url = tmp_path / "data", postgresql.fresh()
    config = Config(database=DatabaseServer(url=url))
    async with doubtful(data, status=True, window_seconds=3600, config=config) as payer:
        await begun(payer)
        waiting = await payer.client.submit(claim_body("PAID-1"))
    name = url.split("/")[3].split("?")[0]
    postgresql.sql(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
    async with doubtful(data, status=True, window_seconds=3600, config=config) as payer:
        payer.passes(3700)
        await until(payer.client, waiting, "sent", "in_doubt")
        old = await payer.interchange(waiting, "confirmed")
        assert 1 == await claims_at(payer)
    written = tmp_path / "claimwire.toml"
    written.write_text(f'data = "data"\n[database]\nurl = "{postgresql.url(f"{name}_backup")}"\n', "utf-8")

    async def restored(as_of: str) -> Any:
        words = ["restored", "--as-of", as_of, "--config", str(written)]
        return await asyncio.to_thread(CliRunner().invoke, app, words)

    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    at_work = await PostgreSQL.open(postgresql.url(f"{name}_backup"))
    await at_work.read(lambda tx: tx.row("SELECT 1"))
    refused = await restored(now)
    await at_work.close()
    assert 1 == refused.exit_code
    assert "stop all of them first" in refused.output
    assert "is to come" in (await restored("2126-01-01T00:00:00")).output
    done = await restored(now)
    assert 0 == done.exit_code, done.output
    assert "1 claims that were in none yet" in done.output
    config = Config(database=DatabaseServer(url=postgresql.url(f"{name}_backup")))
    async with doubtful(data, status=True, config=config) as payer:
        await found_at_the_payer(payer, waiting, old)


@pytest.mark.embedded
async def test_a_folder_is_brought_back_by_restore_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where nothing for a server is installed.
    monkeypatch.setitem(sys.modules, "queues.postgres", None)
    words = ["restored", "--as-of", "2026-01-05T12:00:00Z", "--data", str(folder)]
    refused = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert 1 == refused.exit_code
    assert "claimwire restore" in refused.output

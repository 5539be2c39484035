"""The service on PostgreSQL: a claim goes its way, and nodes need the key of the database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.config import Config, DatabaseServer
from gateway.runtime import KeyMissing, open_runtime
from tests.engines import Server
from tests.flows.service import claim_body, in_process, until


async def test_a_claim_goes_its_way_on_postgresql(postgresql: Server, tmp_path: Path) -> None:
    config = Config(database=DatabaseServer(url=postgresql.fresh()))
    async with in_process(tmp_path, config) as (client, _):
        claim_id = await client.submit(claim_body("PAID-1"))
        transaction = await until(client, claim_id, "received", "remitted")
        assert transaction["state"] in ("received", "remitted")
    assert not (tmp_path / "claimwire.db").exists()


async def test_a_node_without_the_key_of_the_database_is_refused_and_makes_none(
    postgresql: Server, tmp_path: Path
) -> None:
    config = Config(database=DatabaseServer(url=postgresql.fresh()))
    await (await open_runtime(config, tmp_path / "one")).close()
    with pytest.raises(KeyMissing):
        await open_runtime(config, tmp_path / "two")
    assert not (tmp_path / "two" / "master.key").exists()
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "master.key").write_bytes(bytes(32))
    with pytest.raises(KeyMissing):
        await open_runtime(config, tmp_path / "three")
    shutil.copy(tmp_path / "one" / "master.key", tmp_path / "two")
    await (await open_runtime(config, tmp_path / "two")).close()


def test_the_url_is_never_shown() -> None:
    config = Config(database=DatabaseServer(url="postgresql://me:" + "PASSWORD@host/name"))
    assert "PASSWORD" not in repr(config)
    with pytest.raises(ValueError, match="postgresql://"):
        DatabaseServer(url="mysql://host/name")

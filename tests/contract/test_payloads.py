"""Long payloads: kept in parts, given back whole or piece by piece, and never without a part or with one of another's."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.ledger import payloads
from gateway.ledger.payloads import PART_BYTES, Pieces
from gateway.ledger.vault import SealBroken, Vault, master_key_from
from gateway.runtime import migrations
from queues.database import Database, Transaction
from tests.engines import Engine

CONTENT = os.urandom(PART_BYTES) + os.urandom(PART_BYTES) + b"the end"


async def kept(database: Database, *contents: bytes) -> Vault:
    """A ledger with these payloads, called 0, 1, ..."""
    await database.migrate(migrations())
    vault = Vault(bytes(32))

    async def store(tx: Transaction) -> None:
        await vault.open(tx, "t", 0)
        for number, content in enumerate(contents):
            await payloads.store(tx, vault, "t", str(number), "inbound", content, 0)

    await database.write(store)
    return vault


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, len(CONTENT)])
async def test_a_payload_of_any_length_is_given_back(engine: Engine, size: int) -> None:
    database = await engine.open()
    content = CONTENT[-size:] if size else b""
    vault = await kept(database, content)
    assert content == await database.read(lambda tx: payloads.load(tx, vault, "t", "0"))
    begun, length = await database.read(lambda tx: payloads.beginning(tx, vault, "t", "0"))
    assert (content[:PART_BYTES], size) == (begun, length)
    given = await database.read(lambda tx: payloads.pieces(tx, database, vault, "t", "0"))
    assert isinstance(given, Pieces) == (size > PART_BYTES)
    if isinstance(given, Pieces):
        # As often as wanted, from a thread beside the loop.
        for _ in range(2):
            assert content == await asyncio.to_thread(lambda: b"".join(given))
    else:
        assert content == given
    await database.close()


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM payload_parts WHERE payload_id = '0' AND part = 2",
        "UPDATE payload_parts SET sealed = (SELECT o.sealed FROM payload_parts o WHERE o.payload_id = '0' AND o.part = 0) WHERE part = 1",
        "UPDATE payload_parts SET sealed = (SELECT o.sealed FROM payload_parts o WHERE o.payload_id = '1' AND o.part = 0) WHERE payload_id = '0' AND part = 0",
        "UPDATE payloads SET sealed = (SELECT o.sealed FROM payloads o WHERE o.payload_id = '1') WHERE payload_id = '0'",
    ],
)
async def test_a_payload_without_one_of_its_parts_or_with_anothers_does_not_open(engine: Engine, harm: str) -> None:
    database = await engine.open()
    vault = await kept(database, CONTENT, CONTENT)
    assert await database.write(lambda tx: tx.execute(harm))
    with pytest.raises(SealBroken):
        await database.read(lambda tx: payloads.load(tx, vault, "t", "0"))
    await database.close()


def test_two_processes_that_make_a_master_key_at_once_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second put its own in the place of the first's, and what had been sealed by then opened for nobody."""
    path = tmp_path / "master.key"
    first = master_key_from(path)
    with monkeypatch.context() as late:
        # It had looked before the first one's was there.
        late.setattr(Path, "exists", lambda _: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        second = master_key_from(path)
    assert first == second == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
    assert 0o600 == path.stat().st_mode & 0o777

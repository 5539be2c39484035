"""The tenant leads every key, so that tables can be distributed by it (docs/scale.md)."""

from __future__ import annotations

from typing import Any

from gateway.runtime import migrations
from queues.database import SQLite, Transaction

# Indexes that another column leads -> why.
OTHERWISE = {
    "api_keys_by_id": "a key is presented before its tenant is known",
    "idempotency_keys_by_age": "what is kept no longer is dropped for all",
    "work_due": "a worker does the work of all tenants",
}


async def rows(database: SQLite, sql: str) -> list[tuple[Any, ...]]:
    async def body(tx: Transaction) -> list[tuple[Any, ...]]:
        return await tx.fetch(sql)

    return await database.read(body)


async def test_the_tenant_leads_every_primary_key_and_every_index() -> None:
    database = SQLite(None)
    await database.migrate(migrations())
    tables = [name for (name,) in await rows(database, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert 20 < len(tables)
    led: dict[str, str] = {}
    for table in set(tables) - {"migration"}:
        columns = await rows(database, f"PRAGMA table_info({table})")
        (first,) = [column[1] for column in columns if column[5] == 1]
        led[table] = first
        for index in await rows(database, f"PRAGMA index_list({table})"):
            led[index[1]] = (await rows(database, f"PRAGMA index_info({index[1]})"))[0][2]
    await database.close()
    assert OTHERWISE.keys() == {name for name, column in led.items() if column != "tenant_id"}

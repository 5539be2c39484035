"""What the watch asks once a minute reads no more than it tells, however many claims are told silent already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import transactions
from gateway.lifecycle import RUNGS, Rung, number_of, silent_states
from gateway.runtime import migrations
from queues.database import SQLite, Transaction, Value


class Planned:
    """A transaction that keeps how SQLite means to find what it is asked for."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.plans: list[str] = []

    async def fetch(self, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        self.plans += [row[-1] for row in await self._tx.fetch(f"EXPLAIN QUERY PLAN {sql}", *values)]
        return await self._tx.fetch(sql, *values)

    async def row(self, sql: str, *values: Value) -> tuple[Any, ...] | None:
        rows = await self.fetch(sql, *values)
        return rows[0] if rows else None

    async def execute(self, sql: str, *values: Value) -> int:
        return await self._tx.execute(sql, *values)

    async def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        await self._tx.many(sql, rows)

    def after_commit(self, call: Any) -> None:
        self._tx.after_commit(call)

    def announce(self) -> None:
        self._tx.announce()


def searched(plan: str) -> bool:
    """Whether a step of a plan goes to its rows by the whole key of an index of claims that are silent."""
    told = "state=? AND <expr>=? AND sent_at<?"
    counted = ("payer_id=? AND overdue=? AND transaction_id>?", "payer_id=? AND overdue>?", "payer_id>?")
    silent = (
        "silent_untold (tenant_id=? AND payer_id=? AND kind=? AND",
        "silent_above (tenant_id=? AND payer_id=? AND",
    )
    return any(f"INDEX {index} {told})" in plan for index in silent) or any(
        f"INDEX overdue_paged (tenant_id=? AND {key})" in plan for key in counted
    )


async def test_each_question_is_a_range_of_an_index_in_its_order(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "ledger.db")
    await database.migrate(migrations())

    async def asked(tx: Transaction) -> list[str]:
        planned = Planned(tx)
        for rung in RUNGS:
            await transactions.silent(planned, "t", "p", rung, 1, 10)
            await transactions.count_overdue(planned, "t", "p", rung, "", 10)
        await transactions.overdue_after(planned, "t", "", "")
        return planned.plans

    plans = await database.read(asked)
    await database.close()
    assert [] == [plan for plan in plans if "transactions" in plan and not searched(plan)]
    assert [] == [plan for plan in plans if "TEMP B-TREE" in plan]
    # A range for each state and rung told before, a page of counting for each rung, and the two ways to the next payer and rung.
    ranges = 0
    for rung in RUNGS:
        states, lifted = silent_states(rung)
        ranges += (len(states) + (lifted is not None)) * number_of(rung)
    assert ranges + len(RUNGS) + 2 <= sum(map(searched, plans))


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_overdue_claims_are_counted_whole_in_pages_of_any_size(tmp_path: Path, limit: int) -> None:
    database = SQLite(tmp_path / "ledger.db")
    await database.migrate(migrations())
    wanted: dict[tuple[str, Rung], int] = {("p", "277CA"): 5, ("p", "999"): 1, ("q", "835"): 4}

    async def fill(tx: Transaction) -> None:
        for (payer_id, rung), count in wanted.items():
            for number in range(count):
                made = transactions.Transaction(
                    "t", f"{payer_id}{rung}{number}", "claim", "sent", "r", payer_id, "T", 1, 1
                )
                made.overdue = rung
                await transactions.insert(tx, made)

    await database.write(fill)

    async def counted(tx: Transaction) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        at: tuple[str, str] = "", ""
        while (place := await transactions.overdue_after(tx, "t", *at)) is not None:
            last: str | None = ""
            while last is not None:
                count, last = await transactions.count_overdue(tx, "t", *place, last, limit)
                assert count <= limit
                found[place] = found.get(place, 0) + count
            at = place
        return found

    assert wanted == await database.read(counted)
    await database.close()

"""Work is set aside for a person after errors of ours in a row, and for nothing else: not for how long it waited, nor for a database that was away."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.runtime import TENANT, Runtime
from gateway.steps import STEPS
from gateway.steps.waiting import ATTEMPTS_MAX
from queues.database import DatabaseFull, OutcomeUnknown, Transaction, Unreachable
from queues.work import Work
from tests.flows.service import in_process, until_true


@pytest.mark.parametrize(
    ("error", "failures", "given_up"),
    [
        (RuntimeError("ours"), 0, False),
        (RuntimeError("ours"), ATTEMPTS_MAX - 2, False),
        (RuntimeError("ours"), ATTEMPTS_MAX - 1, True),
        (Unreachable("the server is gone"), ATTEMPTS_MAX, False),
        (OutcomeUnknown("the server went at the commit"), ATTEMPTS_MAX, False),
        (DatabaseFull("no room"), ATTEMPTS_MAX, False),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else str(given),
)
async def test_work_that_waited_for_a_payer_for_days_is_given_up_for_errors_of_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, failures: int, *, given_up: bool
) -> None:
    async def fails(runtime: Runtime, item: Work) -> None:
        raise error

    async def waits(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO work (tenant_id, work_id, kind, subject, data, created_at, run_at, attempts, failures, fence, reason)"
            " VALUES ($1, 'w', 'apply', 'x', '{}', 0, 0, 500, $2, 1, 'HTTP 503')",
            TENANT,
            failures,
        )

    async def stands(tx: Transaction) -> tuple[str, bool]:
        row = await tx.row("SELECT reason, buried_at IS NOT NULL FROM work WHERE work_id = 'w'")
        assert row is not None
        return row[0], bool(row[1])

    monkeypatch.setitem(STEPS, "apply", fails)
    async with in_process(tmp_path) as (_, up):
        await up.runtime.database.write(waits)
        up.runtime.wake.set()

        async def has_failed() -> bool:
            return (await up.runtime.database.read(stands))[0].startswith("the step failed")

        await until_true(has_failed)
        assert (await up.runtime.database.read(stands))[1] is given_up

"""Which files begin first where several processes run the tests: those that take longest, the longest first.

A file stays in one process. One that takes a minute and comes last would leave every other process idle for that long; each
here takes ten seconds or more on one engine or the other, as `--durations=250` tells. No test may mind in which order the files come.
"""

from __future__ import annotations

__all__ = ["LONGEST"]

LONGEST = (
    "tests/simulation/test_lives.py",
    "tests/simulation/test_defects.py",
    "tests/bench/test_bench.py",
    "tests/flows/test_kill_nodes.py",
    "tests/flows/test_x12_commands.py",
    "tests/flows/test_kill.py",
    "tests/contract/test_circuits.py",
    "tests/contract/test_failover.py",
    "tests/flows/test_roads.py",
    "tests/contract/test_postgresql.py",
    "tests/flows/test_moving.py",
    "tests/flows/test_upgrade.py",
    "tests/flows/test_bad_days.py",
    "tests/flows/test_upstream.py",
    "tests/flows/test_official_sdk.py",
    "tests/flows/test_bad_fields.py",
    "tests/flows/test_starting.py",
    "tests/laws/test_proofs.py",
    "tests/laws/test_claim_status.py",
    "tests/flows/test_outside_adapter.py",
    "tests/flows/test_seeing.py",
    "tests/laws/test_pyx12_equality.py",
    "tests/dialect/test_coverage.py",
    "tests/flows/test_judges.py",
    "tests/flows/test_usage_indicator.py",
    "tests/flows/test_broken_adapter.py",
    "tests/flows/test_idempotency_kill.py",
    "tests/flows/test_access.py",
    "tests/flows/test_prefer.py",
    "tests/flows/test_fuzzing.py",
    "tests/flows/test_openapi.py",
    "tests/flows/test_idempotency.py",
    "tests/flows/test_claim_kinds.py",
    "tests/flows/test_in_doubt.py",
)

"""What holds for all flows in this process."""

from __future__ import annotations

import pytest

from gateway.simulation.machine import Rehearsing


@pytest.fixture(autouse=True)
def each_body_runs_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PostgreSQL may have to run it: what a body changes outside of its transaction would show."""
    monkeypatch.setattr("gateway.runtime.SQLite", Rehearsing)

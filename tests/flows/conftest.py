"""What holds for all flows in this process.

`CLAIMWIRE_ENGINE=postgresql` runs them on PostgreSQL, each data folder with a database of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import serving
from gateway.config import Config, DatabaseServer
from gateway.simulation.machine import Rehearsing


@pytest.fixture(autouse=True)
def engine_of_flows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each body runs twice, as PostgreSQL may have to run it: what it changes outside of its transaction would show."""
    monkeypatch.setattr("gateway.runtime.SQLite", Rehearsing)
    if os.environ.get("CLAIMWIRE_ENGINE") != "postgresql":
        return
    server = request.getfixturevalue("postgresql")
    urls: dict[Path, str] = {}
    opened = serving.open_runtime

    async def open_runtime(config: Config, data: Path, *others: Any, **how: Any) -> Any:
        if config.database is None:
            if data not in urls:
                urls[data] = server.fresh()
            config = msgspec.structs.replace(config, database=DatabaseServer(url=urls[data]))
        return await opened(config, data, *others, **how)

    monkeypatch.setattr(serving, "open_runtime", open_runtime)

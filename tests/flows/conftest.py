"""What holds for all flows in this process.

`CLAIMWIRE_ENGINE=postgresql` runs them on PostgreSQL, each data folder with a database of its own.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import serving
from gateway.config import Config, DatabaseServer
from gateway.simulation.machine import Rehearsing
from queues import database
from tests.flows.tenants import WHOLE, is_of_a_tenant


@pytest.fixture(autouse=True)
def statements_name_their_tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No statement of a flow asks for rows of more than one tenant, but for those that are listed."""
    said: set[str] = set()
    numbered = vars(database)["_numbered"]

    def heard(sql: str) -> str:
        # What a test itself asks is not the gateway's.
        asking = sys._getframe(2).f_globals["__name__"]  # pyright: ignore[reportPrivateUsage]
        if not asking.startswith("tests."):
            said.add(sql)
        return numbered(sql)

    monkeypatch.setattr(database, "_numbered", heard)
    yield
    stray = [sql for sql in said if not is_of_a_tenant(sql)]
    assert [] == [sql for sql in stray if not any(re.search(pattern, sql) for pattern, _ in WHOLE)]


@pytest.fixture(autouse=True)
def engine_of_flows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each body runs twice, as PostgreSQL may have to run it: what it changes outside of its transaction would show."""
    monkeypatch.setattr("gateway.runtime.SQLite", Rehearsing)
    if os.environ.get("CLAIMWIRE_ENGINE") != "postgresql":
        yield
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
    yield
    for url in urls.values():
        server.discard(url)

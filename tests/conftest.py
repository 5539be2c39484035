"""What tests of several kinds share: the databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines import Engine, Server, postgresql_missing


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process."""
    if missing := postgresql_missing():
        pytest.skip(missing)
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """Each kind of database in turn."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    made = Engine(tmp_path, server)
    yield made
    await made.close()

"""What tests of several kinds share: the databases, and which files begin first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engines import Engine, Server, postgresql_missing
from tests.longest import LONGEST

_ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first; a file's tests stay together and in their order."""
    order = {_ROOT / name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(LONGEST)))


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

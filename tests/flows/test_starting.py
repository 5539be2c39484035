"""Nodes that start while their database does not: they wait, say so, and begin when it is there, or end so that they are started again."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import serving
from gateway.cli import app
from gateway.config import load
from gateway.runtime import open_runtime
from tests.engines import Server, postgresql_missing
from tests.flows.service import Process, free_port, until_true

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def server() -> Generator[Server, None, None]:
    """A server of this file's own: it stops and starts."""
    if missing := postgresql_missing():
        pytest.skip(missing)
    made = Server()
    yield made
    made.remove()


async def configured(folder: Path, server: Server) -> Path:
    """A configuration that nodes have served from before."""
    path = folder / "claimwire.toml"
    path.write_text(
        f'data = "{folder}"\nport = {free_port()}\njudges = 0\n\n[database]\nurl = "{server.fresh()}"\n', "utf-8"
    )
    await (await open_runtime(load(path), folder)).close()
    return path


class Node(Process):
    def __init__(self, command: str, config: Path) -> None:
        super().__init__([command, "--config", str(config)], config.parent / f"{command}.log")

    async def says(self, text: str) -> None:
        """Wait until it does, while it runs."""

        async def said() -> bool:
            assert self.runs, self.log.read_text()[-2000:]
            return text in self.log.read_text()

        await until_true(said)


async def test_a_node_that_starts_before_its_database_waits_for_it_or_leaves_when_it_is_told(
    server: Server, tmp_path: Path
) -> None:
    config = await configured(tmp_path, server)
    server.stop()
    api, worker = Node("serve", config), Node("worker", config)
    try:
        for node in (api, worker):
            await node.start()
        for node in (api, worker):
            await node.says("the database cannot be reached yet")
        assert 0 == await api.stop()
    finally:
        server.start()
    await worker.says('"working"')
    assert 0 == await worker.stop()
    assert "Traceback" not in api.log.read_text() + worker.log.read_text()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_node_that_waited_in_vain_ends_as_what_may_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(serving, "_REACHED_SECONDS", 0.0)
    config = tmp_path / "claimwire.toml"
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    config.write_text(f'data = "{tmp_path}"\njudges = 0\n\n[database]\nurl = "{url}"\n', "utf-8")
    done = CliRunner().invoke(app, [command, "--config", str(config)])
    assert os.EX_TEMPFAIL == done.exit_code
    assert "the database cannot be reached" in done.stderr
    assert "Usage" not in done.output

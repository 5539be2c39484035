"""What is shipped for running many nodes starts commands that there are, with options that they take, and a configuration that can be read."""

from __future__ import annotations

import configparser
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import load
from gateway.serving import LEAVES_SECONDS, SHUTDOWN_SECONDS
from gateway.worker import DRAIN_SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"
yaml: Any = importlib.import_module("yaml")


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    parsed.read_string((DEPLOY / name).read_text("utf-8"))
    return parsed


def takes(arguments: list[str]) -> None:
    """Each option of a command line is one that the command has."""
    told = CliRunner().invoke(app, [arguments[0], "--help"], env={"COLUMNS": "200"})
    assert 0 == told.exit_code, told.output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", told.output)
    assert [] == [option for option in arguments if option.startswith("--") and option not in plain]


def test_f48_whoever_is_told_to_leave_is_gone_in_half_a_minute() -> None:
    # The server waits twice for requests; questions under way and work come home beside and after that.
    assert 2 * SHUTDOWN_SECONDS < DRAIN_SECONDS < LEAVES_SECONDS == 30


@pytest.mark.parametrize(("name", "command"), [("claimwire.service", "serve"), ("claimwire-worker@.service", "worker")])
def test_a_unit_starts_a_node_and_lets_it_drain(name: str, command: str) -> None:
    service = unit(name)["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert "claimwire" == Path(program).name
    assert command == arguments[0]
    takes(arguments)
    assert int(service["TimeoutStopSec"]) > LEAVES_SECONDS
    # Its data folder is the one that the unit may write.
    folder = arguments[arguments.index("--data") + 1]
    assert folder == f"/var/lib/{service['StateDirectory']}"


def test_the_set_of_containers_starts_nodes_that_share_a_database() -> None:
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    services = made["services"]
    assert {"database", "api", "worker"} == set(services)
    for name, command in (("api", "serve"), ("worker", "worker")):
        service = services[name]
        assert command == service["command"][0]
        takes(service["command"])
        assert int(service["stop_grace_period"].removesuffix("s")) > LEAVES_SECONDS
        assert "service_healthy" == service["depends_on"]["database"]["condition"]
        assert {one["source"] for one in service["secrets"]} <= set(made["secrets"])
    config = load(DEPLOY / made["configs"]["claimwire"]["file"])
    assert config.database is not None
    assert config.database.url.endswith("@database/claimwire")


def test_the_image_runs_as_nobody_in_particular() -> None:
    said = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER claimwire$", said, re.MULTILINE)
    (command,) = re.findall(r"^CMD (\[.*\])$", said, re.MULTILINE)
    takes(yaml.safe_load(command))

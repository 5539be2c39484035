"""Every curl example of the README runs as it stands, in its order, against a real service."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.flows.service import Process, free_port
from tests.tidy.tree import text

pytestmark = pytest.mark.one_engine

BASH, CURL = shutil.which("bash"), shutil.which("curl")
# Status by itself on the last line, whatever the answer.
_CURL = """curl() { command curl --write-out '\\n%{http_code}\\n' "$@"; }\n"""


def commands() -> list[str]:
    """The curl commands of the README, each with what is behind its line breaks."""
    found: list[str] = []
    for block in text("README.md").split("```")[1::2]:
        lines, inside = block.strip("\n").splitlines(), False
        for line in lines:
            if line.startswith("curl "):
                found.append(line)
                inside = True
            elif inside:
                found[-1] += f"\n{line}"
    return found


async def run(command: str, environment: dict[str, str]) -> tuple[int, Any]:
    """A command's status and answer."""
    assert BASH is not None
    process = await asyncio.create_subprocess_exec(
        BASH, "-euc", _CURL + command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, complained = await process.communicate()
    assert 0 == process.returncode, (command, complained)
    body, _, status = told.rstrip(b"\n").rpartition(b"\n")
    return int(status), msgspec.json.decode(body)


@pytest.mark.skipif(BASH is None or CURL is None, reason="there is no bash or no curl here")
async def test_every_curl_example_of_the_readme_runs(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], tmp_path / "log")
    await process.start()
    told: dict[str, Any] = {}
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "KEY": client.key or ""}
        for command in commands():
            status, answer = await run(command.replace("127.0.0.1:8080", f"127.0.0.1:{port}"), environment)
            assert (200, command) == (status, command), answer
            told[command] = answer
            if "planStatus" in answer:
                environment["CHECK"] = answer["id"]
            if "claimReference" in answer:
                environment["ID"] = answer["claimReference"]["correlationId"]
        await client.close()
    finally:
        await process.stop()
    assert 8 <= len(told)
    # They do what the words around them say.
    answers = list(told.values())
    assert any(a.get("planStatus", [{}])[0].get("status") == "Active Coverage" for a in answers)
    assert any(a.get("active") is True for a in answers)
    assert any("basis" in a for a in answers)
    assert any(a.get("kind") == "claim" for a in answers)
    assert any(a.get("events") for a in answers)
    assert any(len(a.get("items", ())) >= 2 for a in answers)

"""The official SDK in a process of its own, under a Python that it runs on: what finds one, installs it there, and asks it.

A Python of 3.12 or later is looked for in `CLAIMWIRE_PYTHON312` and by its names on the path. The SDK is installed once into a
folder of the temporary directory, by this interpreter's own pip and for that one, so that only pip needs to know a registry.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Sdk", "no_python", "open_sdk"]

_PACKAGE = "stedi==1.0.0"
_NAMES = ("python3.12", "python3.13", "python3.14")
_DRIVER = Path(__file__).with_name("sdk_driver.py")
_LINE_BYTES_MAX = 1 << 24


@cache
def _python() -> tuple[str, str] | None:
    """A Python that the SDK runs on, and its version as `3.13`; None where there is none."""
    for name in (os.environ.get("CLAIMWIRE_PYTHON312", ""), *_NAMES):
        found = shutil.which(name) if name else None
        if found is None:
            continue
        asked = "import sys; print('%d.%d' % sys.version_info[:2])"
        version = subprocess.run([found, "-c", asked], capture_output=True, text=True, check=False).stdout.strip()
        if version.count(".") == 1 and tuple(map(int, version.split("."))) >= (3, 12):
            return found, version
    return None


@cache
def no_python() -> str:
    """Why the SDK cannot be run here; empty where it can."""
    if _python() is None:
        return f"the official SDK needs Python 3.12 or later: none in CLAIMWIRE_PYTHON312, and no {', '.join(_NAMES)} on the path"
    return "" if _installed() is not None else f"pip could not install {_PACKAGE} for it"


@cache
def _installed() -> Path | None:
    """The folder with the SDK and all it needs."""
    found = _python()
    assert found is not None
    version = found[1]
    folder = Path(tempfile.gettempdir()) / f"claimwire-sdk-{os.getuid()}-{version}"
    if (folder / "complete").exists():
        return folder
    made = Path(tempfile.mkdtemp(prefix="claimwire-sdk-"))
    wheel = ["--python-version", version, "--implementation", "cp", "--abi", f"cp{version.replace('.', '')}"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(made), "--only-binary", ":all:", *wheel]
    if subprocess.run([*pip, _PACKAGE], capture_output=True, check=False).returncode != 0:
        shutil.rmtree(made)
        return None
    (made / "complete").touch()
    try:
        made.rename(folder)
    except OSError:
        # Another run was sooner.
        shutil.rmtree(made)
    return folder


class Sdk:
    """The SDK's client. What it gives is JSON with the SDK's own names of fields."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.asked: set[str] = set()

    async def ask(self, operation: str, **asked: Any) -> dict[str, Any]:
        """What an operation comes to: `value`, or `error` with `message` and `errors`."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        self.asked.add(operation)
        writer.write(json.dumps({"operation": operation, "input": asked}).encode() + b"\n")
        await writer.drain()
        return json.loads(await reader.readline())

    async def call(self, operation: str, **asked: Any) -> Any:
        """The value that an operation gives, which must not fail."""
        result = await self.ask(operation, **asked)
        assert "value" in result, result
        return result["value"]

    async def fail(self, operation: str, **asked: Any) -> dict[str, Any]:
        """The error that an operation must raise."""
        result = await self.ask(operation, **asked)
        assert "error" in result, result
        return result


@asynccontextmanager
async def open_sdk(url: str, key: str) -> AsyncGenerator[Sdk]:
    """The SDK pointed at a service."""
    found, folder = _python(), _installed()
    assert found is not None
    assert folder is not None
    process = await asyncio.create_subprocess_exec(
        found[0],
        str(_DRIVER),
        url,
        key,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    try:
        yield Sdk(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()

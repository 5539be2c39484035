"""The page at /docs as a browser shows it."""

from __future__ import annotations

import asyncio
import shutil
import zlib
from pathlib import Path

import pytest

from tests.flows.service import in_process

pytestmark = pytest.mark.one_engine
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_SECONDS = 60


async def browser(*arguments: str) -> bytes:
    """What headless Chromium prints; a failure shows what it complained of."""
    assert BROWSER is not None
    process = await asyncio.create_subprocess_exec(
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        told, complained = await process.communicate()
    assert 0 == process.returncode, complained[-1000:]
    return told


def pixels(png: bytes) -> bytes:
    """The image data of a PNG, unpacked."""
    data, at = b"", 8
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return zlib.decompress(data)


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
async def test_the_documentation_page_shows_every_operation_in_a_browser(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data") as (client, _):
        described = (await client.get("/openapi.json")).json
        picture = tmp_path / "docs.png"
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        page = (await browser(profile, "--dump-dom", f"{client.url}/docs")).decode()
        await browser(profile, "--window-size=1200,1600", f"--screenshot={picture}", f"{client.url}/docs")
        operations = [o for methods in described["paths"].values() for o in methods.values()]
        assert 15 <= len(operations)
        assert [] == [o["operationId"] for o in operations if o["summary"] not in page]
        # Laid out and styled: a blank page has one colour, an unstyled one has no other background.
        assert 8 < len(set(pixels(picture.read_bytes())))

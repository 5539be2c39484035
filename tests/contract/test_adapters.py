"""Every adapter of this tree passes the contract that its authors' adapters pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters import registry
from adapters.contract import CUTS, AdapterContract, Peer, cuts_of, serving
from tests.contract.peers import CoreMimePeer, CorePeer, RestPeer, sandbox


class TestRest(AdapterContract):
    adapter = registry.load("rest")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with serving(RestPeer()) as payer:
            yield payer


class TestSandbox(AdapterContract):
    adapter = registry.load("sandbox")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with sandbox(folder) as payer:
            yield payer


class TestCoreSoap(AdapterContract):
    adapter = registry.load("core")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with sandbox(folder, CorePeer) as payer:
            yield payer


class TestCoreMime(AdapterContract):
    adapter = registry.load("core")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with sandbox(folder, CoreMimePeer) as payer:
            yield payer


PAYERS = {"rest": TestRest, "sandbox": TestSandbox, "core (SOAP)": TestCoreSoap, "core (MIME)": TestCoreMime}


async def test_the_table_of_cuts_is_what_happens(tmp_path: Path) -> None:
    """docs/adapters.md: one row an adapter, made from this very run."""
    rows = [f"| adapter | {' | '.join(CUTS)} |"]
    for name, contract in PAYERS.items():
        folder = tmp_path / name
        folder.mkdir()
        async with contract().peer(folder) as payer:
            found = await cuts_of(contract.adapter, payer)
        rows.append(f"| {name} | {' | '.join(found[place] for place in CUTS)} |")
    told = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text("utf-8").splitlines()
    assert [] == [row for row in rows if row not in told]

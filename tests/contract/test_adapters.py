"""Every adapter of this tree passes the contract that its authors' adapters pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from adapters import registry, settings
from adapters.contract import CUTS, AdapterContract, Peer, cuts_of, serving
from adapters.contract.samples import offered
from adapters.contract.trips import collected, refusing
from adapters.protocol import Inbound
from adapters.transports.trouble import ExchangeFailed
from tests.contract.peers import (
    CoreMimePeer,
    CorePeer,
    DialectPeer,
    DialectPollingPeer,
    RestPeer,
    SandboxFilesPeer,
    SftpPeer,
    openssh,
    sandbox,
)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Generator[int, None, None]:
    with openssh(tmp_path_factory.mktemp("sshd")) as port:
        yield port


class TestRest(AdapterContract):
    adapter = registry.load("rest")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with serving(RestPeer()) as payer:
            yield payer


class TestDialect(AdapterContract):
    adapter = registry.load("dialect")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with serving(DialectPeer()) as payer:
            yield payer


class TestDialectPolling(AdapterContract):
    """Where an upstream has no mailbox nothing is settled there, and so what it has stays."""

    adapter = registry.load("dialect")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with serving(DialectPollingPeer()) as payer:
            yield payer

    async def test_files_come_oldest_first_whole_and_stay_until_they_are_settled(self, tmp_path: Path) -> None:
        files = offered(3)
        async with self.on(tmp_path) as on:
            for name, payload in files.items():
                await on.peer.offer(name, payload)
            for _ in range(2):
                got = await collected(on)
                assert list(files.values()) == [one.payload for one in got]
                await self.adapter.settle(got[0], on.context)

    async def test_settling_twice_is_the_same_as_once(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            await on.peer.offer("001.x12", offered(1)["001.x12"])
            before = on.road.requests, on.road.up_bytes
            for _ in range(2):
                await self.adapter.settle(Inbound("R5001.x12", "001", b""), on.context)
            assert before == (on.road.requests, on.road.up_bytes)
            assert 1 == await on.peer.offered()

    async def test_a_payer_that_is_away_is_told_and_not_taken_for_an_empty_outbox(self, tmp_path: Path) -> None:
        async with self.on(tmp_path) as on:
            with refusing() as nobody:
                away = on.at("127.0.0.1", nobody.getsockname()[1])
                with pytest.raises(ExchangeFailed):
                    await anext(self.adapter.collect(away))


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


class TestSandboxFiles(AdapterContract):
    adapter = registry.load("sftp")

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        async with sandbox(folder, SandboxFilesPeer) as payer:
            yield payer


class TestSftp(AdapterContract):
    """Against a real OpenSSH server."""

    adapter = registry.load("sftp")
    port: ClassVar[int] = 0

    @pytest.fixture(autouse=True)
    def _served(self, sshd: int) -> None:
        type(self).port = sshd

    @asynccontextmanager
    async def peer(self, folder: Path) -> AsyncGenerator[Peer, None]:
        yield SftpPeer(self.port, folder)


PAYERS = {
    "rest": TestRest,
    "dialect": TestDialect,
    "sandbox": TestSandbox,
    "core (SOAP)": TestCoreSoap,
    "core (MIME)": TestCoreMime,
    "sftp": TestSftp,
}


DOCUMENT = Path(__file__).parents[2] / "docs" / "adapters.md"


def _keys(title: str, kind: type[msgspec.Struct]) -> list[str]:
    told = [
        f"| `{s.name}` | {'required' if s.required else f'`{s.default}`' if s.default else ''} | {s.description} |"
        for s in settings.described(kind)
    ]
    return [f"| {title} | default | meaning |", "| --- | --- | --- |", *told] if told else []


def test_the_document_lists_what_each_adapter_takes() -> None:
    """docs/adapters.md, made from the manifests: a section an adapter, a table of settings, one of secrets."""
    told = DOCUMENT.read_text("utf-8")
    for name in sorted(registry.available()):
        manifest = registry.load(name).manifest
        blocks = [_keys("setting", manifest.settings), _keys("secret", manifest.secrets)]
        section = "\n\n".join("\n".join(block) for block in blocks if block)
        assert f"\n## {name}\n\n{manifest.summary[:1].upper()}{manifest.summary[1:]}. " in told
        assert section in told


def test_the_readme_has_the_matrix_of_what_each_adapter_can() -> None:
    told = (DOCUMENT.parents[1] / "README.md").read_text("utf-8").splitlines()
    for name in sorted(registry.available()):
        made = registry.load(name)
        can = made.capabilities
        sets = " | ".join(" ".join(sorted(s)) for s in (can.real_time, can.batch))
        does = " | ".join("yes" if c else "" for c in (can.collects, can.probes))
        assert f"| [{name}](adapters/{name}/README.md) | {made.manifest.summary} | {sets} | {does} |" in told


async def test_the_table_of_cuts_is_what_happens(tmp_path: Path, sshd: int) -> None:
    """docs/adapters.md: one row an adapter, made from this very run."""
    TestSftp.port = sshd
    rows = [f"| adapter | {' | '.join(CUTS)} |"]
    for name, contract in PAYERS.items():
        folder = tmp_path / name
        folder.mkdir()
        async with contract().peer(folder) as payer:
            found = await cuts_of(contract.adapter, payer)
            rows.append(f"| {name} | {' | '.join(found[place] for place in CUTS)} |")
            if contract.adapter.manifest.wire == "http":
                found = await cuts_of(contract.adapter, payer, tls=True)
                rows.append(f"| {name}, within TLS | {' | '.join(found[place] for place in CUTS)} |")
    told = DOCUMENT.read_text("utf-8").splitlines()
    assert [] == [row for row in rows if row not in told]

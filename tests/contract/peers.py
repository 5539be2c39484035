"""Payers that behave, for the contract of our own adapters: real servers on loopback."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import asyncssh
import msgspec
from aiohttp import web

from adapters.contract import HttpPeer
from adapters.contract.samples import answer
from adapters.sandbox.payer import Payer, Receipt, Reply
from adapters.sandbox.server import SandboxServer
from tests.flows.service import free_port

__all__ = [
    "CoreMimePeer",
    "CorePeer",
    "DialectPeer",
    "DialectPollingPeer",
    "RestPeer",
    "SandboxFilesPeer",
    "SandboxPeer",
    "SftpPeer",
    "openssh",
    "public_line",
    "sandbox",
    "ssh_key",
]


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


class RestPeer(HttpPeer):
    """The exchange of `adapters/rest/README.md`, as its README says and no more."""

    secrets: Mapping[str, str] = {"token": "hush-hush"}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/x12", self._take),
            web.get("/x12/{key}", self._known),
            web.get("/outbox", self._list),
            web.get("/outbox/{name}", self._give),
            web.delete("/outbox/{name}", self._remove),
        ]

    async def _take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.secrets['token']}":
            return web.Response(status=401)
        body = await request.read()
        self.taken[request.headers["Idempotency-Key"]] = body
        if b"~ST*837" in body.replace(b"\r", b"").replace(b"\n", b""):
            return _json({"reference": "R-1"}, 202)
        return web.Response(body=answer(), content_type="application/edi-x12")

    async def _known(self, request: web.Request) -> web.Response:
        known = request.match_info["key"] in self.taken
        return _json({"received": known}, 200 if known else 404)

    async def _list(self, _: web.Request) -> web.Response:
        return _json({"files": [{"reference": name, "name": name} for name in self.files]})

    async def _give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]], content_type="application/edi-x12")

    async def _remove(self, request: web.Request) -> web.Response:
        self.files.pop(request.match_info["name"], None)
        return web.Response(status=204)


class DialectPeer(HttpPeer):
    """A clearinghouse that speaks the dialect, as `adapters/dialect/README.md` says and no more."""

    secrets: Mapping[str, str] = {"key": "hush-hush"}

    def routes(self) -> Sequence[web.RouteDef]:
        network, reports = "/change/medicalnetwork", "/change/medicalnetwork/reports/v2"
        return [
            web.post(network + "/eligibility/v3/raw-x12", self._ask),
            web.post(network + "/claimstatus/v2/raw-x12", self._ask),
            web.post(network + "/professionalclaims/v3/raw-x12-submission", self._submit),
            web.get(reports, self._list),
            web.get(reports + "/{name}", self._give),
            web.delete(reports + "/{name}", self._remove),
        ]

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {"url": f"http://{host}:{port}/change"}

    async def _take(self, request: web.Request) -> bool:
        if request.headers.get("Authorization") != self.secrets["key"]:
            return False
        told = msgspec.json.decode(await request.read(), type=dict[str, str])
        self.taken[request.headers["Idempotency-Key"]] = told["x12"].encode()
        return True

    async def _ask(self, request: web.Request) -> web.Response:
        if not await self._take(request):
            return web.Response(status=401)
        return _json({"meta": None, "controlNumber": "000000001", "x12": answer().decode()})

    async def _submit(self, request: web.Request) -> web.Response:
        if not await self._take(request):
            return web.Response(status=401)
        reference = {"correlationId": "0198b2c0", "claimType": "PRO"}
        return _json({"status": "SUCCESS", "claimReference": reference, "errors": None, "httpStatusCode": "200 OK"})

    async def offer(self, name: str, payload: bytes) -> None:
        self.files[f"R5{name}"] = payload

    async def _list(self, _: web.Request) -> web.Response:
        return _json({"reports": [*reversed(self.files)]})

    async def _give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]], content_type="application/edi-x12")

    async def _remove(self, request: web.Request) -> web.Response:
        known = self.files.pop(request.match_info["name"], None) is not None
        return _json({"status": "success"}) if known else _json({"status": "ERROR", "errors": [{"code": "404"}]}, 404)


class DialectPollingPeer(DialectPeer):
    """One without a mailbox: what it has is listed by polling, and stays."""

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            *super().routes()[:3],
            web.get("/2023-08-01/polling/transactions", self._poll),
            web.get("/2023-08-01/transactions/{name}/input", self._give),
        ]

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {**super().settings(host, port), "reports": "polling"}

    async def _poll(self, request: web.Request) -> web.Response:
        """A page has one item; there is always a token."""
        assert request.query["startDateTime" if "pageToken" not in request.query else "pageToken"]
        after = int(request.query.get("pageToken", "0"))
        items = [
            {
                "transactionId": name,
                "fileExecutionId": f"file-{name}",
                "direction": "INBOUND",
                "processedAt": "2026-01-05T08:00:00.000Z",
                "x12": {"metadata": {"transaction": {"transactionSetIdentifier": "835"}}},
                "artifacts": [{
                    "artifactType": "application/edi-x12",
                    "usage": "input",
                    "url": f"https://core.clearing.example/2023-08-01/transactions/{name}/input",
                }],
            }
            for name in [*self.files][after : after + 1]
        ]  # fmt: skip
        return _json({"items": items, "nextPageToken": str(after + len(items))})


class _Remembering(Payer):
    """The sandbox payer, which keeps no copy of what it took but for the tests."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.taken: list[bytes] = []

    def take(self, key: str, content: bytes) -> Receipt | Reply:
        taken = super().take(key, content)
        self.taken.append(content)
        return taken


class SandboxPeer:
    """The sandbox payer on its own server."""

    secrets: Mapping[str, str] = {"token": "hush-hush"}

    def __init__(self, payer: _Remembering, server: SandboxServer) -> None:
        self.port = server.port
        self._payer = payer

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {"url": f"http://{host}:{port}"}

    async def received(self) -> Sequence[bytes]:
        return list(self._payer.taken)

    async def offer(self, name: str, payload: bytes) -> None:
        await asyncio.to_thread(self._payer.offer, name, payload)

    async def offered(self) -> int:
        return len(await asyncio.to_thread(self._payer.files))


class CorePeer(SandboxPeer):
    """The sandbox payer as CORE sees it."""

    secrets: Mapping[str, str] = {"user": "ALDERFP", "password": "hush-hush"}
    told: Mapping[str, str] = {}

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        ids = {"sender_id": "ALDERFP", "receiver_id": "SANDBOX", "settles": "all"}
        return {"url": f"http://{host}:{port}/core", **ids, **self.told}


class CoreMimePeer(CorePeer):
    """The same over MIME."""

    told: Mapping[str, str] = {"envelope": "mime"}


class SandboxFilesPeer(SandboxPeer):
    """The sandbox payer over SFTP."""

    secrets: Mapping[str, str] = {"password": "hush-hush"}

    def __init__(self, payer: _Remembering, server: SandboxServer) -> None:
        super().__init__(payer, server)
        assert server.files is not None
        self.port, self._host_key = server.files.port, server.files.host_key

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        folders = {"upload": "/inbound", "download": "/outbound", "processed": "/inbound/processed/{name}"}
        return {
            "host": host,
            "port": str(port),
            "user": "alderfp",
            "host_keys": self._host_key,
            "still_seconds": "0",
            **folders,
        }


@asynccontextmanager
async def sandbox(folder: Path, face: type[SandboxPeer] = SandboxPeer) -> AsyncGenerator[SandboxPeer, None]:
    """A sandbox payer with its state in this folder."""
    payer = await asyncio.to_thread(_Remembering, folder / "sandbox.db")
    server = SandboxServer(payer, SandboxPeer.secrets["token"])
    try:
        await server.listen("127.0.0.1", 0)
        await server.listen_sftp("127.0.0.1", 0)
        yield face(payer, server)
    finally:
        await server.close()


# --- SFTP ---


@cache
def ssh_key(name: str) -> asyncssh.SSHKey:
    """A key of this run: "host", "other" or "client"."""
    return cast(Any, asyncssh).generate_private_key("ssh-ed25519", comment=name)


def public_line(key: asyncssh.SSHKey) -> str:
    """A public key as settings have it."""
    return " ".join(key.export_public_key().decode().split()[:2])


class SftpPeer:
    """A payer whose folders lie on this machine's disk, whoever serves them."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.folder = folder
        self.secrets: Mapping[str, str] = {"private_key": ssh_key("client").export_private_key().decode()}
        for name in ("in", "out"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def settings(self, host: str, port: int) -> Mapping[str, str]:
        return {
            "host": host,
            "port": str(port),
            "user": getpass.getuser(),
            "host_keys": public_line(ssh_key("host")),
            "upload": str(self.folder / "in"),
            "download": str(self.folder / "out"),
            "still_seconds": "0",
        }

    async def received(self) -> Sequence[bytes]:
        return [p.read_bytes() for p in sorted((self.folder / "in").iterdir()) if not p.name.startswith(".")]

    async def offer(self, name: str, payload: bytes) -> None:
        (self.folder / "out" / name).write_bytes(payload)

    async def offered(self) -> int:
        return len(list((self.folder / "out").iterdir()))


@contextmanager
def openssh(folder: Path) -> Generator[int, None, None]:
    """The port of a real OpenSSH server on loopback, for whoever has the client's key."""
    binary = shutil.which("sshd") or "/usr/sbin/sshd"
    host, keys, port = folder / "host", folder / "authorized", free_port()
    host.write_bytes(ssh_key("host").export_private_key())
    host.chmod(0o600)
    keys.write_bytes(ssh_key("client").export_public_key())
    told = (
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {host}", f"AuthorizedKeysFile {keys}", "StrictModes no",
        "UsePAM no", "PidFile none", "PasswordAuthentication no", "PermitRootLogin prohibit-password",
        "Subsystem sftp internal-sftp", "MaxStartups 200", "PerSourcePenalties no",
    )  # fmt: skip
    if os.geteuid() == 0:
        # Where its children give up their rights; a distribution makes it when its own service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    config = folder / "sshd_config"
    for lines in (told, told[:-1]):
        # Servers before 9.8 know no penalties, and none are needed there.
        config.write_text("\n".join(lines) + "\n", "utf-8")
        if subprocess.run([binary, "-t", "-f", str(config)], capture_output=True, check=False).returncode == 0:
            break
    with subprocess.Popen([binary, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL) as running:
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield port
        finally:
            running.terminate()

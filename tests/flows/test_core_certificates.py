"""CORE with X.509 at our own gateway: a certificate that is named stands for its key, there only; another gets no further."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner

from adapters import registry
from adapters.contract.samples import outbound, question_or_claims
from adapters.protocol import Context, Delivered, InDoubt, NotSent, Outcome, Replied
from adapters.transports.core import mime, soap
from adapters.transports.session import open_session
from gateway.api.core import PATH
from gateway.cli import app
from gateway.config import Config, Tls
from gateway.ledger import api_keys
from gateway.runtime import TENANT, open_runtime
from gateway.serving import Running, running, sandbox_key
from tests.certificates import kept
from tests.flows.test_core_server import NOW, QUESTION, message

pytestmark = pytest.mark.one_engine
ADAPTER = registry.load("core")
PASSWORD = "hush-hush"


class Papers:
    """The gateway's own certificate; a partner's, signed by an authority; and others that the same authority and another signed."""

    def __init__(self, folder: Path) -> None:
        self.authority, signer = kept(folder, "authority", None)
        self.gateway, _ = kept(folder, "gateway", signer, PASSWORD)
        self.partner, _ = kept(folder, "partner", signer)
        self.cousin, _ = kept(folder, "cousin", signer)
        self.old, _ = kept(folder, "old", signer, days=-0.5)
        self.stranger, _ = kept(folder, "stranger", None)

    def client(self, shown: Path | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=self.authority)
        if shown is not None:
            made.load_cert_chain(shown)
        return made

    def told(self, key_id: str, *shown: Path) -> Tls:
        named = [str(path) for path in shown]
        return Tls(certificate=str(self.gateway), key_password=PASSWORD, certificates_of_keys={key_id: named})


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


class Gateway:
    """A gateway with TLS of its own, at which the partner's certificate stands for the key `key_id`."""

    def __init__(self, papers: Papers, up: Running, key: str, key_id: str) -> None:
        self.papers, self.up, self.key, self.key_id = papers, up, key, key_id

    async def sent(self, shown: Path | None, set_id: str, payload: bytes | None = None, **told: str) -> Outcome:
        """What our own adapter makes of a delivery with this certificate, and without a user."""
        settings = {"url": self.up.url + PATH, "sender_id": "ALDERFP", "receiver_id": "CLAIMWIRE"}
        settings |= {"authorities": str(self.papers.authority), "certificate": str(shown or ""), **told}
        async with open_session() as session:
            return await ADAPTER.send(outbound(set_id, payload), Context(settings, {}, session, lambda: NOW, 20))

    async def asked(
        self, shown: Path | None, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        async with aiohttp.ClientSession() as session, session.request(
            "GET" if body is None else "POST", self.up.url + path, data=body, headers=headers, ssl=self.papers.client(shown)
        ) as response:  # fmt: skip
            return response.status, response.headers.get("Content-Type", ""), await response.read()


async def _new_key(folder: Path, *scopes: str) -> str:
    runtime = await open_runtime(Config(), folder)
    try:
        made = await runtime.database.write(
            lambda tx: api_keys.create(
                tx, runtime.vault, TENANT, "partner", scopes or api_keys.SCOPES, runtime.world.micros()
            )
        )
    finally:
        await runtime.close()
    return made[1].key_id


@asynccontextmanager
async def gateway(papers: Papers, folder: Path, *scopes: str) -> AsyncGenerator[Gateway, None]:
    key_id = await _new_key(folder, *scopes)
    config = Config(port=0, tls=papers.told(key_id, papers.partner, papers.old))
    async with running(config, folder, sandbox=True) as up:
        assert up.url.startswith("https://")
        yield Gateway(papers, up, await sandbox_key(up.runtime, folder), key_id)


async def test_who_shows_a_certificate_that_is_named_asks_and_submits_without_a_user(
    papers: Papers, tmp_path: Path
) -> None:
    async with gateway(papers, tmp_path) as on:
        for envelope in ("soap", "mime"):
            told = await on.sent(papers.partner, "270", QUESTION, envelope=envelope)
            assert isinstance(told, Replied), told
        assert isinstance(await on.sent(papers.partner, "837"), Delivered)
        # More than is read for somebody who is not known yet.
        large = question_or_claims("837", 2).replace(b"~SE*", b"~NTE*ADD*" + b"X" * 70_000 + b"~SE*", 1)
        assert not isinstance(await on.sent(papers.partner, "837", large), NotSent)
        # A file is retrieved by the same key that handed its claims in.
        asking = message("acknowledgement retrieval", None, payload_id="f81d4fae-7dec-41d0-a765-00a0c91e6bf7")
        wire = soap.write(asking)
        status, content_type, body = await on.asked(papers.partner, PATH, wire.body, wire.headers)
        read = soap.read(content_type, body)
        assert isinstance(read, soap.Read)
        assert (200, True) == (status, b"~ST*999*" in (read.envelope.payload or b""))


async def test_a_certificate_opens_core_alone_and_a_key_opens_as_ever(papers: Papers, tmp_path: Path) -> None:
    async with gateway(papers, tmp_path) as on:
        assert 401 == (await on.asked(papers.partner, "/v1/lanes"))[0]
        assert 200 == (await on.asked(None, "/v1/lanes", None, {"Authorization": on.key}))[0]
        wire = soap.write(message("question", QUESTION), login=("ALDERFP", on.key))
        assert 200 == (await on.asked(None, PATH, wire.body, wire.headers))[0]
        # Nobody at all: neither a certificate nor a password.
        for form, status, word in ((soap, 400, b"FailedAuthentication"), (mime, 200, b"UnAuthorized")):
            wire = form.write(message("question", QUESTION))
            got, _, body = await on.asked(None, PATH, wire.body, wire.headers)
            assert (status, True) == (got, word in body)
        # A header that is wrong is not made good by a certificate.
        wire = soap.write(message("question", QUESTION))
        headers = {**wire.headers, "Authorization": "Bearer cw_no_body"}
        assert 400 == (await on.asked(papers.partner, PATH, wire.body, headers))[0]


async def test_another_certificate_gets_no_further_whoever_signed_it(papers: Papers, tmp_path: Path) -> None:
    async with gateway(papers, tmp_path) as on:
        for other in (papers.cousin, papers.stranger, papers.old):
            assert isinstance(await on.sent(other, "837"), (NotSent, InDoubt))
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await on.asked(other, "/healthz")
        found = await on.asked(None, "/2023-08-01/polling/transactions", None, {"Authorization": on.key})
        assert [] == msgspec.json.decode(found[2])["items"]


async def test_a_certificate_does_what_its_key_may_until_that_is_revoked(papers: Papers, tmp_path: Path) -> None:
    async with gateway(papers, tmp_path, "eligibility:write") as on:
        assert isinstance(await on.sent(papers.partner, "270", QUESTION), Replied)
        refused = await on.sent(papers.partner, "837")
        assert isinstance(refused, NotSent)
        assert "UnAuthorized" in refused.reason
        runtime = on.up.runtime
        now = runtime.world.micros()
        assert await runtime.database.write(lambda tx: api_keys.revoke(tx, TENANT, on.key_id, now))
        await runtime.world.sleep(1.1)
        assert isinstance(await on.sent(papers.partner, "270", QUESTION), NotSent)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"certificate": "nowhere.pem"}, "tls.certificate: FileNotFoundError"),
        ({"key_password": "wrong"}, "tls.certificate: SSLError"),
        ({"certificates_of_keys": {"K1": ["nowhere.pem"]}}, "tls.certificates_of_keys.K1"),
        ({"certificates_of_keys": {"K1": ["{partner}"], "K2": ["{partner}"]}}, "another key's"),
    ],
)
def test_files_that_cannot_be_used_stop_the_start_by_name(
    papers: Papers, tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    told: dict[str, Any] = {"certificate": str(papers.gateway), "key_password": PASSWORD, **changes}
    owners = told.pop("certificates_of_keys", {})
    lines = ["[tls]", *(f'{name} = "{value}"' for name, value in told.items()), "[tls.certificates_of_keys]"]
    lines += [f"{name} = {[v.format(partner=papers.partner) for v in files]!r}" for name, files in owners.items()]
    path = tmp_path / "claimwire.toml"
    path.write_text("\n".join(lines), "utf-8")
    done = CliRunner().invoke(app, ["serve", "--config", str(path), "--data", str(tmp_path / "data")])
    assert 2 == done.exit_code
    said = " ".join(done.output.replace("│", " ").split())
    assert word in said
    assert PASSWORD not in said

"""CORE with X.509: the payer's authority is ours to name, our certificate is the payer's to see, and a stranger gets no byte."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from adapters import registry
from adapters.contract.samples import answer, outbound
from adapters.contract.trips import NOW
from adapters.protocol import Context, InDoubt, NotSent, Outcome, Replied
from adapters.transports.core import soap
from adapters.transports.core.envelope import Envelope, stamp
from adapters.transports.session import open_session
from tests.certificates import kept
from tests.contract.weather_server import WeatherServer, answers

ADAPTER = registry.load("core")
PASSWORD = "hush-hush"


class Papers:
    """An authority, a payer and us, and somebody whom another authority vouches for."""

    def __init__(self, folder: Path) -> None:
        self.authority, signer = kept(folder, "authority", None)
        self.payer, _ = kept(folder, "payer", signer)
        self.ours, _ = kept(folder, "ours", signer, PASSWORD)
        _, other = kept(folder, "other", None)
        self.stranger, _ = kept(folder, "stranger", other)

    def server(self) -> ssl.SSLContext:
        """The payer's TLS, which wants to see a certificate of the authority's."""
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_cert_chain(self.payer)
        return made


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


async def asked(papers: Papers, **told: str) -> tuple[Outcome, int]:
    """What a question comes to, and how many requests the payer has seen."""
    said = Envelope(
        kind="question", payload_type="X12_271_Response_005010X279A1", payload_id="1", time_stamp=stamp(NOW),
        sender_id="SANDBOX", receiver_id="ALDERFP", payload=answer(), error_code="Success",
    )  # fmt: skip
    wire = soap.write(said, is_answer=True)
    weather = answers(200, wire.body, f"Content-Type: {wire.headers['Content-Type']}")
    async with WeatherServer(weather, tls=papers.server()) as peer, open_session() as session:
        settings = {"url": peer.url, "sender_id": "ALDERFP", "receiver_id": "SANDBOX", **told}
        context = Context(settings, {"key_password": PASSWORD}, session, lambda: NOW, 5)
        return await ADAPTER.send(outbound("270"), context), len(peer.received)


async def test_our_certificate_is_shown_and_the_payers_is_checked_by_the_authority_we_name(papers: Papers) -> None:
    outcome, seen = await asked(papers, authorities=str(papers.authority), certificate=str(papers.ours))
    assert Replied(answer()) == outcome
    assert 1 == seen


async def test_a_payer_whom_nobody_we_trust_vouches_for_gets_nothing(papers: Papers) -> None:
    outcome, seen = await asked(papers, certificate=str(papers.ours))
    assert NotSent("ClientConnectorCertificateError") == outcome
    assert 0 == seen


@pytest.mark.parametrize("certificate", ["", "stranger"])
async def test_without_the_right_certificate_nothing_is_read(papers: Papers, certificate: str) -> None:
    """TLS 1.3 tells the client only after its first bytes: they are sealed, and the payer reads none of them."""
    told = {"certificate": str(papers.stranger)} if certificate else {}
    outcome, seen = await asked(papers, authorities=str(papers.authority), **told)
    assert isinstance(outcome, (NotSent, InDoubt))
    assert 0 == seen


async def test_a_certificate_that_was_replaced_is_read_anew(papers: Papers, tmp_path: Path) -> None:
    path = tmp_path / "ours.pem"
    path.write_bytes(papers.ours.read_bytes())
    assert isinstance((await asked(papers, authorities=str(papers.authority), certificate=str(path)))[0], Replied)
    path.write_bytes(b"no certificate")
    outcome, seen = await asked(papers, authorities=str(papers.authority), certificate=str(path))
    assert isinstance(outcome, NotSent)
    assert 0 == seen

"""Who a payer is: certificates of an authority made for this run, TLS at the payer's end of the road, and a host that has another key.

Sources: RFC 5280 (certificates), RFC 8446 (TLS 1.3), RFC 4253 section 8 (host keys).
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Whom", "other_host", "trusting", "whom"]

Whom = Literal["the payer", "another name", "an old certificate", "nobody we know"]


class _Signed(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _signed(by: _Signed | None, address: str, days: float) -> _Signed:
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "payer" if by else "authority")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=2))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
    )
    return _Signed(builder.sign(by.key if by else key, hashes.SHA256()), key)


@cache
def _authority() -> _Signed:
    return _signed(None, "127.0.0.1", 1)


@cache
def trusting() -> ssl.SSLContext:
    """A client's TLS that believes this run's authority and no other."""
    told = _authority().certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    return ssl.create_default_context(cadata=told)


@cache
def whom(who: Whom) -> ssl.SSLContext:
    """A server's TLS: the payer's own, or that of somebody whom a client must not talk to."""
    by = None if who == "nobody we know" else _authority()
    made = _signed(by, "127.0.0.2" if who == "another name" else "127.0.0.1", -1 if who == "an old certificate" else 1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as name:
        # The TLS library takes certificates from files alone.
        path = Path(name) / "payer.pem"
        path.write_bytes(
            made.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + made.certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context


@asynccontextmanager
async def other_host() -> AsyncGenerator[tuple[int, list[str]], None]:
    """An SSH host with a key that nobody pinned, which lets everybody in; its port, and who tried to log in."""
    import asyncssh

    logins: list[str] = []

    class Host(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            logins.append(username)
            return False

    key = cast(Any, asyncssh).generate_private_key("ssh-ed25519")
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Host, server_host_keys=[key], sftp_factory=True, config=None
    )
    async with acceptor:
        yield acceptor.get_port(), logins

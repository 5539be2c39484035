"""The server's own TLS, and callers who are known by a certificate instead of a key: pinned one by one, whoever signed them.

A certificate that a caller shows must be one of those that are named, to the last byte; who shows none is asked for a key as ever.

Sources: RFC 8446 section 4.4.2 (client certificates), CAQH CORE Connectivity Rule vC2.2.0 (X.509 instead of a UsernameToken).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.config import Tls

__all__ = ["PLAIN", "ServerTls", "fingerprint_of", "server_tls"]


class ServerTls(msgspec.Struct, frozen=True):
    """What to listen with, nothing for plain HTTP, and whose key a certificate (SHA-256 of its DER) stands for."""

    context: ssl.SSLContext | None = None
    key_ids: Mapping[bytes, str] = {}

    @property
    def scheme(self) -> str:
        return "http" if self.context is None else "https"


PLAIN = ServerTls()


def server_tls(tls: Tls) -> ServerTls:
    """The TLS that a configuration describes; ValueError names the key whose file cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password instead of none: else the library would ask for one at the terminal.
        context.load_cert_chain(tls.certificate, password=tls.key_password)
    except OSError as error:
        raise ValueError(f"tls.certificate: {type(error).__name__}, the file cannot be used") from None
    key_ids: dict[bytes, str] = {}
    for key_id, names in tls.certificates_of_keys.items():
        for name in names:
            where = f"tls.certificates_of_keys.{key_id}"
            try:
                # Of a chain the first is the caller's own; who signed it is not trusted for it.
                found = x509.load_pem_x509_certificates(Path(name).read_bytes())[0].public_bytes(Encoding.DER)
                context.load_verify_locations(cadata=found)
            except (OSError, ValueError) as error:
                raise ValueError(f"{where}: {type(error).__name__}, a file cannot be used") from None
            if key_ids.setdefault(sha256(found).digest(), key_id) != key_id:
                raise ValueError(f"{where}: a certificate is another key's, too")
    if key_ids:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return ServerTls(context, key_ids)


def fingerprint_of(request: web.Request) -> bytes | None:
    """What the certificate that a caller showed is known by; None where none was shown."""
    shown = request.get_extra_info("ssl_object")
    der = shown.getpeercert(binary_form=True) if isinstance(shown, ssl.SSLObject) else None
    return sha256(der).digest() if der else None

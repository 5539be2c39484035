"""TLS as a client: whom to trust besides the usual, and a certificate to show. Contexts are kept, since connections are by them.

Files are named in a route's settings and read by the TLS library itself; one that was replaced is read anew.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

__all__ = ["client_tls"]


def client_tls(authorities: str, certificate: str, key_password: str) -> ssl.SSLContext | None:
    """A context of these files, PEM each; None where neither is named. OSError where one cannot be read or used."""
    if not (authorities or certificate):
        return None
    changed = tuple(Path(name).stat().st_mtime_ns if name else 0 for name in (authorities, certificate))
    return _made(authorities, certificate, key_password, changed)


@lru_cache(maxsize=256)
def _made(authorities: str, certificate: str, key_password: str, _: tuple[int, ...]) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authorities or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        # An empty password instead of none: else the library would ask for one at the terminal.
        made.load_cert_chain(certificate, password=key_password)
    return made

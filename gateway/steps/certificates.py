"""Looks once a day at when certificates end: those that payers show, and ours that we show them. An alarm tells 30, 14 and 3 days before.

What a server shows is taken as it is, without a request being sent: whether it is to be trusted is decided where something is.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from gateway.ledger import signs
from gateway.ledger.signs import CERTIFICATE, Sign
from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["NOTICE_DAYS", "ends_at", "notice", "run"]

_LOG = log.get("gateway.certificates")
NOTICE_DAYS = (3, 14, 30)
_EVERY = 24 * 3600 * SECOND
_TIMEOUT_SECONDS = 10.0
_HTTPS_PORT = 443
# The setting of a route that names a PEM file of ours.
_OURS = "certificate"


async def run(runtime: Runtime, item: Work) -> None:
    """Look at each route's certificates, keep a sign of each that ends soon, and come back in a day."""
    found: list[Sign] = []
    for route in list(runtime.directory.routes.values()):
        found += await runtime.world.offload(lambda route=route: list(_of_route(runtime, route)))
    await runtime.database.write(lambda tx: _keep(tx, runtime, item, found))


def _of_route(runtime: Runtime, route: Route) -> Iterator[Sign]:
    for whose, pem in _shown(route):
        try:
            ends = ends_at(pem)
        except ValueError:
            continue
        days = notice(ends, runtime.world.now())
        if days is not None:
            # A day later it is looked at again; until then it holds.
            until = runtime.world.micros() + _EVERY + _EVERY // 12
            detail = f"{whose} ends on {ends.date()}"
            yield Sign(CERTIFICATE, f"{route.id} {whose} {days}", detail, until, route_id=route.id)


def _shown(route: Route) -> Iterator[tuple[str, str]]:
    """Whose certificates are shown on a route, each in PEM; those that cannot be had now are left out."""
    for key, value in sorted(route.settings.items()):
        if key == _OURS and value:
            try:
                yield "our certificate", Path(value).read_text("ascii", "replace")
            except OSError as error:
                _LOG.warning("certificate cannot be read", route_id=route.id, exc_info=error)
        elif value.startswith("https://"):
            url = urlsplit(value)
            try:
                address = (url.hostname or "", url.port or _HTTPS_PORT)
                yield "the certificate of the payer", ssl.get_server_certificate(address, timeout=_TIMEOUT_SECONDS)
            except (OSError, ValueError) as error:
                # Whether it can be reached is what its circuit tells.
                _LOG.info("certificate cannot be asked for", route_id=route.id, exc_info=error)


def ends_at(pem: str) -> datetime:
    """When the first certificate in a PEM text ends; ValueError where there is none."""
    return x509.load_pem_x509_certificates(pem.encode())[0].not_valid_after_utc


def notice(ends: datetime, now: datetime) -> int | None:
    """Which of the notices is due for a certificate that ends then: 30, 14 or 3 days before; None where it is none yet."""
    left = (ends - now).total_seconds() / 86_400
    return next((days for days in NOTICE_DAYS if left <= days), None)


async def _keep(tx: Transaction, runtime: Runtime, item: Work, found: list[Sign]) -> None:
    await work.finish(tx, item)
    for sign in found:
        await signs.see(tx, TENANT, sign)
    now = runtime.world.micros()
    await work.enqueue(tx, TENANT, runtime.world.new_id(), "certificates", TENANT, now, now + _EVERY)

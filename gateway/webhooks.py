"""How callers are told of changes over HTTP: what is sent, how it is signed, and where it may go.

A body has ids and a kind, never data of a patient. It is signed as Standard Webhooks asks: `webhook-id`, `webhook-timestamp` and
`webhook-signature`, with every secret that holds. Addresses are resolved once, every one of them is looked at, and the connection
is made to what was looked at; redirects are not followed.

Sources: Standard Webhooks 1.0; the schedule of retries is the one that it recommends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.identities import ulid
from gateway.ledger.notices import Notice
from gateway.world import from_micros

__all__ = [
    "DELAYS_SECONDS",
    "TIMEOUT_SECONDS",
    "Attempt",
    "Refused",
    "check_url",
    "open_webhooks",
    "payload_of",
    "post",
    "signatures",
]

# After each failed try, the tenth being the last: 75 hours in all.
DELAYS_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
TIMEOUT_SECONDS = 15.0
_RETRY_AFTER_MAX = 24 * 3600
_PORTS = (443, 8443)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Global unicast (RFC 4291, 2.5.4): what is outside, such as site-local or translated addresses, stays within a network.
_GLOBAL_6 = ipaddress.ip_network("2000::/3")
# IETF assignments, in which a cloud has its metadata: `ipaddress` calls most of them global.
_ASSIGNED_4 = ipaddress.ip_network("192.0.0.0/24")
_RESPONSE_BYTES_MAX = 64 << 10

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(ValueError):
    """An address that nothing is sent to; the message says why and what could be."""


class Attempt(NamedTuple):
    """What one try came to. `gone` says that the receiver wants no more."""

    delivered: bool
    reason: str
    gone: bool = False
    retry_after_seconds: float = 0.0


# --- what is sent ---------------------------------------------------------------------------------------------------


def payload_of(notice: Notice, account: str) -> dict[str, Any]:
    """The body of a notice: what has changed, not how."""
    kind = notice.event_type.partition(".")[0]
    resource = {"id": notice.transaction_id, "type": kind}
    payload: dict[str, Any] = {
        "object": "v1.event",
        "id": f"evt_{notice.event_id}",
        "type": notice.event_type,
        "account": account,
        "environment": "PRODUCTION" if notice.usage == "P" else "TEST",
        "created": from_micros(notice.created_at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "resource": resource,
    }
    if kind == "claim":
        payload["resource"] = {"id": ulid("clm_", notice.first_id), "type": "claim"}
        payload["relatedResources"] = [
            {"id": ulid("sbm_", notice.transaction_id), "type": "claim_submission"},
            {"id": notice.transaction_id, "type": "transaction"},
        ]
    elif kind == "eligibility":
        payload["resource"] = {"id": f"ec_{notice.transaction_id}", "type": "eligibility_check"}
        payload["relatedResources"] = [{"id": notice.transaction_id, "type": "transaction"}]
    return payload


def signatures(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature`: one for each secret."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets)
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


# --- where it may go ------------------------------------------------------------------------------------------------


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
    return address


def _may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    meant = _meant(address)
    if any(meant in network for network in allowed):
        return True
    is_public = meant in _GLOBAL_6 if meant.version == 6 else meant not in _ASSIGNED_4
    return is_public and meant.is_global and not meant.is_multicast


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Refused, where a URL cannot be one that webhooks go to, whatever its name resolves to."""
    if not (url.isascii() and url.isprintable()) or "\\" in url:
        # Clients make plain digits of such characters, and so an address of what looks like a name here.
        raise Refused("must be plain ASCII without a backslash: write a name with other letters in its xn-- form")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("is not a URL") from None
    if not host or parts.scheme not in ("https", "http"):
        raise Refused("must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise Refused("must not hold a name or password")
    literal = _literal(host)
    if literal is not None and not _may_reach(literal, allowed):
        raise Refused("names an address inside a private or local network, which webhooks do not go to")
    if literal is not None and any(_meant(literal) in network for network in allowed):
        return
    if parts.scheme != "https":
        raise Refused("must begin with https://")
    if (port or 443) not in _PORTS:
        raise Refused(f"must be on port {' or '.join(map(str, _PORTS))}")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class _Resolver(AbstractResolver):
    """Resolves a name, and gives an address only where all of its addresses may be reached."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses or not all(_may_reach(a, self._allowed) for a in addresses):
            raise OSError("the name leads into a private or local network")
        return [
            ResolveResult(
                hostname=host, host=str(a), port=port, family=entry[0], proto=entry[2], flags=socket.AI_NUMERICHOST
            )
            for a, entry in zip(addresses, found, strict=True)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def open_webhooks(allowed: Sequence[Network]) -> aiohttp.ClientSession:
    """A session that reaches only what webhooks may go to."""

    def socket_for(to: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        # The last look, at the very address: what the client takes for one by itself never comes to the resolver.
        if not _may_reach(ipaddress.ip_address(str(to[4][0]).partition("%")[0]), allowed):
            raise OSError("the address is inside a private or local network")
        return socket.socket(*to[:3])

    connector = aiohttp.TCPConnector(
        resolver=_Resolver(allowed), use_dns_cache=False, force_close=True, socket_factory=socket_for
    )
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Claimwire"},
    )


# --- one try --------------------------------------------------------------------------------------------------------


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], allowed: Sequence[Network]
) -> Attempt:
    """Send a body once. Whatever goes wrong is an attempt that failed, with its reason in our own words."""
    try:
        check_url(url, allowed)
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await response.content.read(_RESPONSE_BYTES_MAX)
            status = response.status
            after = response.headers.get("Retry-After", "")
    except Refused as error:
        return Attempt(False, f"the address {error}")
    except TimeoutError:
        return Attempt(False, f"no answer within {TIMEOUT_SECONDS:g} seconds")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Attempt(False, f"the receiver could not be reached: {type(error).__name__}")
    if 200 <= status < 300:
        return Attempt(True, "")
    seconds = (
        float(min(int(after), _RETRY_AFTER_MAX)) if after.isascii() and after.isdigit() and len(after) < 12 else 0.0
    )
    return Attempt(False, f"the receiver answered {status}", gone=status == 410, retry_after_seconds=seconds)


def encoded(payload: dict[str, Any]) -> bytes:
    """A body as it is signed and sent."""
    return msgspec.json.encode(payload)

"""What an adapter is: it delivers frozen bytes, collects what the payer has for us, and says honestly what it knows.

The one rule that everything rests on: an adapter says `NotSent` only when no byte of the body can have arrived. What it
cannot classify is `InDoubt`; an exception that escapes it counts as `InDoubt` too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from aiohttp import ClientSession

__all__ = [
    "Adapter",
    "Capabilities",
    "Context",
    "Delivered",
    "Evidence",
    "InDoubt",
    "Inbound",
    "Manifest",
    "NotSent",
    "Outbound",
    "Outcome",
    "Refused",
    "Replied",
]


class Capabilities(msgspec.Struct, frozen=True):
    """What an adapter can do. Transaction names are ST01 values: 270, 276, 837."""

    real_time: frozenset[str] = frozenset()
    batch: frozenset[str] = frozenset()
    collects: bool = False
    probes: bool = False


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An adapter that takes none."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of an adapter besides its code: who cares for it, what it must be told, what it cannot do.

    `settings` and `secrets` are structs of what a route's tables may hold, each field with its description
    (`adapters.settings`). `wire` chooses the tests of the contract that play its weather. `skips` has a reason for each
    capability that it lacks ("collects", "probes", "real_time", "batch") and for each test of the contract it cannot pass.
    """

    summary: str
    owner: str
    wire: Literal["http", "ssh"] = "http"
    settings: type[msgspec.Struct] = NoSettings
    secrets: type[msgspec.Struct] = NoSettings
    skips: Mapping[str, str] = {}


class _Discreet(msgspec.Struct, frozen=True):
    """Shows no field but those of its own repr: rich, which tracebacks are printed with, would else show them all."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Outbound(_Discreet, frozen=True):
    """One interchange to deliver, exactly these bytes. `idempotency_key` names it for all attempts."""

    idempotency_key: str
    set_id: str
    control_number: str
    payload: bytes
    sha256: str

    def __repr__(self) -> str:
        return f"<Outbound {self.set_id} {self.control_number} {len(self.payload)} bytes>"


class Replied(_Discreet, frozen=True):
    """The payer answered within the call; `payload` is its interchange as received."""

    payload: bytes

    def __repr__(self) -> str:
        return f"<Replied {len(self.payload)} bytes>"


class Delivered(msgspec.Struct, frozen=True):
    """The payer has it; answers come later. `reference` is its receipt, if it gave one."""

    reference: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The payer read it and said no, for good: sending it again would get the same answer."""

    code: str
    reason: str


class NotSent(msgspec.Struct, frozen=True):
    """No byte of the body left, or the payer's answer says that it took none of it: credentials, too many requests.

    `retry_after_seconds` is how long to leave the payer alone, where its answer says so. `about` says whether that is so of whatever
    is sent to this payer, or of this interchange only.
    """

    reason: str
    retry_after_seconds: float | None = None
    about: Literal["payer", "interchange"] = "payer"


class InDoubt(_Discreet, frozen=True):
    """Some of the body may have arrived. `payload` is whatever came back that could not be understood."""

    reason: str
    payload: bytes = b""

    def __repr__(self) -> str:
        return f"<InDoubt {self.reason} {len(self.payload)} bytes>"


Outcome = Replied | Delivered | Refused | NotSent | InDoubt
Evidence = Literal["received", "absent", "unknown"]


class Inbound(_Discreet, frozen=True):
    """One file the payer has for us. `reference` is what settles it there; `name` is only a label."""

    reference: str
    name: str
    payload: bytes

    def __repr__(self) -> str:
        return f"<Inbound {self.name} {len(self.payload)} bytes>"


async def _no_acknowledgement(_: bytes) -> bytes:
    return b""


class Context(_Discreet, frozen=True):
    """All that an adapter may touch: its route's settings and secrets, one HTTP session, the time, a deadline.

    `acknowledgement` gives X12's answer to a collected file, TA1 and 999, for payers that are told by it that the file is
    stored; empty where there is none to give.
    """

    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    session: ClientSession
    now: Callable[[], datetime]
    deadline_seconds: float
    acknowledgement: Callable[[bytes], Awaitable[bytes]] = _no_acknowledgement

    def __repr__(self) -> str:
        return f"<Context {sorted(self.settings)}>"


class Adapter(Protocol):
    """One way to talk to a payer or to another clearinghouse. Stateless: one instance serves all its routes."""

    name: str
    capabilities: Capabilities
    manifest: Manifest

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        """Deliver once, within the deadline. Never retries after the first byte of the body."""
        ...

    def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        """What the payer has for us now, oldest first. May be abandoned between items and begun again."""
        ...

    async def settle(self, inbound: Inbound, context: Context) -> None:
        """Tell the payer that we have it. Settling twice is the same as once."""
        ...

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        """What the payer says about an interchange whose sending is in doubt."""
        ...

"""Builds an interchange once: numbers, bytes and destination are fixed in the transaction that commits to sending it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gateway.ledger import interchanges, payloads
from gateway.ledger.interchanges import Interchange, Member
from gateway.payers import Route
from gateway.runtime import Runtime
from gateway.world import dated
from queues import numbers
from queues.database import Transaction
from x12.acknowledge import sealed
from x12.syntax import CANONICAL, InterchangeHeader

__all__ = ["TRACE_ASSIGNER", "claim_number", "commit_interchange", "reference"]

_E = CANONICAL.element
# TRN03: ten characters that name whoever assigned the trace number.
TRACE_ASSIGNER = "9CLAIMWIRE"
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def reference(made_id: str) -> str:
    """An id of ours in 26 characters that X12 can carry: for BHT03 and TRN02."""
    return _base32(int(made_id.replace("-", ""), 16) << 2, 26)


def claim_number(made_id: str) -> str:
    """An id of ours in the 20 characters that REF*D9 has room for: its time and the last 52 of its random bits."""
    value = int(made_id.replace("-", ""), 16)
    return _base32((value >> 80) << 52 | value & (1 << 52) - 1, 20)


def _base32(value: int, digits: int) -> str:
    """The last digits of a number in base 32 (RFC 4648), two at a time."""
    return "".join([_PAIRS[value >> shift & 0x3FF] for shift in range(5 * digits - 10, -1, -10)])


async def commit_interchange(
    tx: Transaction,
    runtime: Runtime,
    tenant_id: str,
    interchange_id: str,
    route: Route,
    group: tuple[str, str],
    sets: Sequence[Sequence[str]],
    held: list[Member],
    now: int,
    traceparent: str,
    *,
    claimed: bool = False,
    usage: str | None = None,
) -> tuple[Interchange, bytes]:
    """Commit to an interchange of canonical transaction sets; what is kept of it, and its bytes.

    `group` is GS01 and GS08; `held` says what each set carries; `claimed` that the caller sends it as soon as this is durable. `usage` is
    ISA15 where it is not the route's: tests take their numbers from the route's own series too, so that one number is one interchange.
    """
    number = await numbers.mint(tx, tenant_id, route.series)
    date, hour = dated(now)
    header = InterchangeHeader(
        route.sender_qualifier,
        route.sender_id,
        route.receiver_qualifier,
        route.receiver_id,
        date[2:],
        hour,
        number,
        usage or route.usage,
        acknowledgement_requested=group[0] == "HC",
    )
    gs = ("GS", group[0], route.sender_id, route.receiver_id, date, hour, str(number), "X")
    body = [_E.join((*gs, group[1]))]
    for segments in sets:
        body += segments
    body += [f"GE{_E}{len(sets)}{_E}{number}", f"IEA{_E}1{_E}{number:09d}"]
    content = sealed(body, header).encode("ascii")
    made = Interchange(
        tenant_id,
        interchange_id,
        route.id,
        route.series,
        number,
        sets[0][0].split(_E)[1],
        "on_wire" if claimed else "intent",
        interchange_id,
        hashlib.sha256(content).hexdigest(),
        len(content),
        now,
        attempts=int(claimed),
        copies=int(claimed),
        sent_at=now if claimed else None,
        traceparent=traceparent,
    )
    await payloads.store(tx, runtime.vault, tenant_id, interchange_id, "outbound", content, now)
    await interchanges.insert(tx, made, held)
    return made, content

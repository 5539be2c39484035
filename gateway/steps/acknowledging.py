"""The answer of X12 to a file of a payer's, for the payers that are told by it that we have the file: TA1 where it is due, a 999 a group.

It tells what comes of the file here: a transaction set that is whole and of a guide that is known is taken, with whatever is wrong
with it noted (IK501 E); one that is cut off or unknown is not.

Source: 005010X231A1 (IK501 and AK901: A, E, R).
"""

from __future__ import annotations

from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from gateway.world import dated
from gateway.x12_answers import Answering, acknowledgements
from queues import numbers
from x12.envelope import Interchange, TransactionSet, stream

__all__ = ["acknowledgement"]

# What does not balance is told to people here, and is no fault of form that a 999 would tell.
_LEVELS = (1, 2)
_CUT_OFF = "2"


async def acknowledgement(runtime: Runtime, route: Route, payload: bytes) -> bytes:
    """What answers the interchanges of a file, under control numbers of the route's; empty where X12 has no answer to it."""
    element = payload.lstrip()[3:4]
    # Each interchange takes a number, and so does each of its groups. Counted before they are read: some may be left over.
    most = payload.count(b"ISA" + element) + payload.count(b"GS" + element) if element else 0
    if not most:
        return b""
    first = await runtime.database.write(lambda tx: numbers.mint(tx, TENANT, route.series, most))
    answering = Answering(*dated(runtime.world.micros()))
    return await runtime.world.offload(lambda: _answers(payload, answering, first))


def _answers(payload: bytes, answering: Answering, first: int) -> bytes:
    read = [part for part in stream(payload, levels=_LEVELS, keep=False) if isinstance(part, Interchange)]
    return (acknowledgements(read, answering, _taken, first) or "").encode("latin-1", "replace")


def _taken(received: TransactionSet) -> bool:
    return received.guide is not None and not any(f.scope == "set" and f.code == _CUT_OFF for f in received.findings)

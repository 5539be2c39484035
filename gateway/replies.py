"""What a caller gets: a status, a body in JSON, and the transaction it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.ledger import payloads
from gateway.ledger.idempotency import Remembered
from gateway.messages import ErrorItem, ErrorResponse, error_items
from gateway.runtime import TENANT, Runtime
from x12.envelope import Interchange
from x12.finding import Finding

__all__ = ["KeyTaken", "Refusal", "Reply", "conflict", "envelope_findings", "failed", "replayed"]


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is JSON."""

    status: int
    body: bytes = field(repr=False)
    transaction_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Refusal(Exception):
    """A write that is not done: nothing of it may be kept, and the caller gets the reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("refused")
        self.reply = reply


class KeyTaken(Exception):
    """Another request has this Idempotency-Key: undo this one."""

    def __init__(self, remembered: Remembered) -> None:
        super().__init__("the idempotency key is taken")
        self.remembered = remembered


def failed(status: int, findings: Sequence[Finding]) -> Reply:
    """A request that was not taken, in the dialect's shape, every reason at once."""
    return Reply(status, msgspec.json.encode(ErrorResponse(status="ERROR", errors=error_items(findings))))


def conflict(found: Remembered) -> Reply:
    """The key is known, but the body is another one (422) or the answer is not there yet (409)."""
    if not found.same_body:
        message, status, headers = "This Idempotency-Key was used with another body: use a new key.", 422, {}
    else:
        message, status = "A request with this Idempotency-Key is under way: ask again.", 409
        headers = {"Retry-After": "1"}
    item = ErrorItem(code=str(status), description=message, field="Idempotency-Key")
    body = msgspec.json.encode(ErrorResponse(status="ERROR", errors=[item]))
    return Reply(status, body, found.transaction_id, headers)


async def replayed(runtime: Runtime, found: Remembered) -> Reply:
    """The answer that a key had before, as it was given; or why there is none to give."""
    if not found.same_body or found.payload_id is None or found.status is None:
        return conflict(found)
    payload_id = found.payload_id
    body = await runtime.database.read(lambda tx: payloads.load(tx, runtime.vault, TENANT, payload_id))
    return Reply(found.status, body, found.transaction_id, {"Idempotency-Replayed": "true"})


def envelope_findings(received: Sequence[Interchange]) -> list[Finding]:
    """What is wrong with interchanges and groups, whatever is in them."""
    found = [f for i in received for f in i.findings if f.severity == "error"]
    return found + [f for i in received for g in i.groups for f in g.findings if f.severity == "error"]

"""Transactions as the dialect's polling shows them: what came or left, in which envelope, and where its documents are.

One claim becomes many transactions: the claim itself, each 277CA and each 835, in the order in which they were committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger import interchanges, payloads, transactions
from gateway.messages import (
    BusinessIdentifier,
    EnvelopeParty,
    GroupMetadata,
    InterchangeMetadata,
    IsaIdentifier,
    Partnership,
    PollingArtifact,
    PollingItem,
    PollingMetadata,
    PollingX12,
    Profile,
    SetIdentifier,
)
from gateway.runtime import TENANT, Runtime
from gateway.world import from_micros
from queues.database import Transaction

__all__ = ["polled"]

# Kind of a transaction -> ST01 that its item tells, and whether it came to us or left.
_SETS: dict[str, tuple[str, str]] = {
    "eligibility": ("271", "INBOUND"),
    "claim_status": ("277", "INBOUND"),
    "claim": ("837", "OUTBOUND"),
    "claim_report": ("277", "INBOUND"),
    "remittance": ("835", "INBOUND"),
}
_REPORTS = {"claim_report": "X3", "remittance": "R5"}
_HEAD_BYTES = 4_000
_ISA_BYTES = 106
_X12, _JSON = "application/edi-x12", "application/json"


async def polled(
    tx: Transaction, runtime: Runtime, found: Sequence[transactions.Transaction], base: str
) -> list[PollingItem]:
    """Transactions as polling shows them; `base` is where the service is called."""
    heads: dict[str, tuple[bytes, int]] = {}
    return [await _item(tx, runtime, subject, base, heads) for subject in found]


async def _item(
    tx: Transaction, runtime: Runtime, subject: transactions.Transaction, base: str, heads: dict[str, tuple[bytes, int]]
) -> PollingItem:
    set_id, direction = _SETS[subject.kind]
    payload_id, file_id, set_number = await _carrier(tx, subject)
    if payload_id is not None and payload_id not in heads:
        content, size = await payloads.beginning(tx, runtime.vault, TENANT, payload_id)
        heads[payload_id] = content[:_HEAD_BYTES], size
    head, size = heads.get(payload_id or "", (b"", 0))
    metadata, reference = _metadata(head, set_id, set_number)
    route = runtime.directory.routes.get(subject.route_id)
    ours, theirs = (route.sender_id, route.receiver_id) if route is not None else (None, None)
    sender, receiver = (ours, theirs) if direction == "OUTBOUND" else (theirs, ours)
    return PollingItem(
        transaction_id=subject.transaction_id,
        file_execution_id=file_id,
        direction=direction,
        mode="production" if subject.usage == "P" else "test",
        status="failed" if subject.state in ("rejected", "quarantined") else "succeeded",
        processed_at=from_micros(subject.created_at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        artifacts=_artifacts(subject, base, size),
        partnership=Partnership(
            partnership_id=subject.route_id,
            partnership_type="x12",
            sender=Profile(profile_id=sender),
            receiver=Profile(profile_id=receiver),
        ),
        business_identifiers=[BusinessIdentifier(element="BHT03", element_id="127", name="reference", value=reference)]
        if reference
        else None,
        x12=PollingX12(metadata=metadata),
    )


async def _carrier(tx: Transaction, subject: transactions.Transaction) -> tuple[str | None, str | None, str | None]:
    """The payload of the envelope that carries a transaction, the file's id, and ST02 where it is not the first set's."""
    if subject.kind in _REPORTS:
        return subject.request_id, subject.request_id, None
    if subject.kind == "claim":
        sent = await interchanges.of_transaction(tx, TENANT, subject.transaction_id)
        if not sent:
            return None, None, None
        held = await interchanges.members(tx, TENANT, sent[-1].interchange_id)
        number = next((m.control_number for m in held if m.transaction_id == subject.transaction_id), None)
        return sent[-1].payload_id, sent[-1].interchange_id, number
    told = await transactions.events(tx, TENANT, subject.transaction_id)
    answered = next((event.inbound_id for event in reversed(told) if event.inbound_id), None)
    return answered, answered, None


def _metadata(head: bytes, set_id: str, set_number: str | None) -> tuple[PollingMetadata, str | None]:
    """What the first segments of an envelope say, and BHT03 of its first set where that is the one meant."""
    bare = PollingMetadata(transaction=SetIdentifier(transaction_set_identifier=set_id, control_number=set_number))
    text = head.decode("latin-1")
    if len(text) < _ISA_BYTES or not text.startswith("ISA"):
        return bare, None
    lines = [line.strip().split(text[3]) for line in text.split(text[_ISA_BYTES - 1])]
    isa = lines[0]
    group = next((line for line in lines if line[0] == "GS" and len(line) > 8), None)
    first = next((line for line in lines if line[0] == "ST" and len(line) > 2), None)
    purpose = next((line for line in lines if line[0] == "BHT" and len(line) > 3), None)
    is_first = first is not None and set_number in (None, first[2])
    metadata = PollingMetadata(
        interchange=InterchangeMetadata(acknowledgment_requested_code=isa[14], control_number=_number(isa[13])),
        sender=EnvelopeParty(
            application_code=group[2] if group else None, isa=IsaIdentifier(qualifier=isa[5], id=isa[6].strip())
        ),
        receiver=EnvelopeParty(
            application_code=group[3] if group else None, isa=IsaIdentifier(qualifier=isa[7], id=isa[8].strip())
        ),
        functional_group=GroupMetadata(
            control_number=_number(group[6]),
            date=group[4],
            time=group[5],
            functional_identifier_code=group[1],
            release=group[8],
        )
        if group
        else None,
        transaction=SetIdentifier(
            transaction_set_identifier=first[1] if first else set_id,
            control_number=set_number or (first[2] if first else None),
        ),
    )
    return metadata, purpose[3] if purpose is not None and is_first else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _artifacts(subject: transactions.Transaction, base: str, size: int) -> list[PollingArtifact]:
    """Where the documents are: in JSON once there is one, and what a payer sent as it came."""
    found: list[PollingArtifact] = []
    if subject.answer_id is not None or subject.kind == "remittance":
        url = f"{base}/v1/transactions/{subject.transaction_id}/answer"
        found.append(PollingArtifact(artifact_type=_JSON, usage="output", model="transaction", url=url))
    prefix = _REPORTS.get(subject.kind)
    if prefix is not None:
        url = f"{base}/medicalnetwork/reports/v2/{prefix}{subject.transaction_id}"
        found.append(PollingArtifact(artifact_type=_X12, usage="input", model="transaction", url=url, size_bytes=size))
    return found

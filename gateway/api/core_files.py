"""What callers retrieve over CORE: the files of a submission, or whatever is new to their key, one a call, until they confirm it.

A retrieval whose PayloadID names a submission, or a file that the key was handed before, gives that. One that names neither means
"whatever is new", for a PayloadID is made anew for each message. A file stays new until a BatchResultsAckSubmit confirms it.

Sources: CAQH CORE Connectivity Rule vC2.2.0 (results are retrieved, then acknowledged) and the CORE 153 questions and answers: "batch
processing" (a file should be had again for a month), "payload ID" (unique to each message). What a retrieval gives that names nothing
is our own choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.transports.core.envelope import Envelope
from adapters.transports.guide import guide_of
from gateway.ledger import payloads, pickups
from gateway.ledger.api_keys import ApiKey
from gateway.ledger.pickups import Acknowledgement, Handed, Wanted
from gateway.runtime import TENANT, Runtime
from observability import log
from queues.database import Transaction
from x12.syntax import runs

__all__ = ["REPORTS", "CoreFiles", "Picked", "acknowledged_as", "wanted_in"]

_LOG = log.get("gateway.api.core")
_ACKNOWLEDGED = "X12_999_Response_005010X231A1"
_REFUSED = "X12_TA1_Response_00501X231A1"
# The kind of a file -> the PayloadType that it goes under.
REPORTS = {
    "claim_report": "X12_277CA_Response_005010X214",
    "remittance": "X12_835_Response_005010X221A1",
}


def acknowledged_as(content: bytes) -> str:
    """The PayloadType under which an acknowledgement goes out: that of a 999, or of a TA1 where the whole interchange is refused."""
    return _ACKNOWLEDGED if guide_of(content) else _REFUSED


class Picked(NamedTuple):
    """A file that goes out: under which PayloadType and PayloadID, and its X12."""

    payload_type: str
    payload_id: str
    content: bytes


def wanted_in(envelope: Envelope) -> Wanted:
    """What a retrieval is for, by its message and its PayloadType."""
    named = envelope.payload_type
    if envelope.kind == "acknowledgement retrieval":
        return "claim_report" if "277" in named else "acknowledgements"
    if "835" in named:
        return "remittance"
    return "claim_report" if "277" in named else "results"


class CoreFiles:
    """Hands files out to keys, and keeps what each has confirmed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def retrieved(self, envelope: Envelope, caller: ApiKey) -> Picked | None:
        """What a retrieval gives that names no submission: a file that the key had under this PayloadID, else the oldest new one; or None."""
        runtime, now = self._runtime, self._runtime.world.micros()

        async def body(tx: Transaction) -> Picked | None:
            wanted = wanted_in(envelope)
            if envelope.payload_id:
                before = await pickups.by_name(tx, TENANT, caller.key_id, envelope.payload_id)
                kept = [h for h in before if (h.payload_type == _ACKNOWLEDGED) == (wanted == "acknowledgements")]
                if kept:
                    parts = [(await self._content(tx, h))[1] for h in kept if h.payload_type == kept[0].payload_type]
                    return _picked(kept[0].payload_type, envelope.payload_id, b"".join(parts))
            found = await pickups.oldest_new(tx, TENANT, caller.key_id, wanted, now)
            if found is None:
                return None
            payload_type = REPORTS.get(found.kind, _ACKNOWLEDGED)
            name, content = await self._content(tx, Handed(found.file_id, payload_type, ()))
            handed = Handed(found.file_id, payload_type, _groups(content))
            await pickups.hand_out(tx, TENANT, caller.key_id, name, handed, now)
            return _picked(payload_type, name, content)

        return await runtime.database.write(body)

    async def _content(self, tx: Transaction, handed: Handed) -> tuple[str, bytes]:
        """The PayloadID and the X12 of a file."""
        vault = self._runtime.vault
        if handed.payload_type == _ACKNOWLEDGED:
            told = await pickups.acknowledgement(tx, vault, TENANT, handed.file_id)
            return told.payload_id, told.x12.encode("latin-1", "replace")
        return handed.file_id, await payloads.load(tx, vault, TENANT, handed.file_id)

    async def handed(self, caller: ApiKey, payload_id: str, files: Sequence[tuple[str, str, bytes]]) -> None:
        """Note files (id, PayloadType, X12) that go out under the PayloadID of a submission, so that it confirms them."""
        runtime, now = self._runtime, self._runtime.world.micros()

        async def body(tx: Transaction) -> None:
            for file_id, payload_type, content in files:
                handed = Handed(file_id, payload_type, _groups(content))
                await pickups.hand_out(tx, TENANT, caller.key_id, payload_id, handed, now)

        await runtime.database.write(body)

    async def handed_acknowledgement(self, caller: ApiKey, payload_id: str, content: bytes) -> None:
        """Note that the 999 of a submission goes out under its PayloadID."""
        file_id = await self._runtime.database.read(lambda tx: pickups.acknowledgement_of(tx, TENANT, payload_id))
        if file_id is not None:
            await self.handed(caller, payload_id, [(file_id, _ACKNOWLEDGED, content)])

    async def acknowledge(self, tx: Transaction, payload_id: str, x12: str) -> None:
        """Keep the 999 of a submission as a file for everybody."""
        runtime = self._runtime
        told, file_id = Acknowledgement(payload_id, x12), runtime.world.new_id()
        await pickups.acknowledge(tx, runtime.vault, TENANT, file_id, told, runtime.world.micros())

    async def confirmed(self, envelope: Envelope, caller: ApiKey) -> bool:
        """Let go what an acknowledgement of results names: by the file's PayloadID, else by the groups in its 999. False where it names nothing.

        One that rejects says as well that the file came: the same bytes again would be rejected again.
        """
        runtime, now = self._runtime, self._runtime.world.micros()
        told = _acknowledged(envelope.payload or b"")

        async def body(tx: Transaction) -> bool:
            named = await pickups.by_name(tx, TENANT, caller.key_id, envelope.payload_id)
            found = [handed for handed in named if not handed.confirmed]
            if told and not named:
                still_open = await pickups.open_of(tx, TENANT, caller.key_id)
                found = [handed for handed in still_open if told.intersection(handed.groups)][:1]
            # A submission's 999 and its results go under one PayloadID, and it is results that the message is for.
            results = [handed for handed in found if handed.payload_type != _ACKNOWLEDGED]
            found = [handed for handed in found if told.intersection(handed.groups)] or results or found
            for handed in found:
                await pickups.confirm(tx, TENANT, caller.key_id, handed.file_id, now)
            return bool(found or named)

        confirmed = await runtime.database.write(body)
        if not confirmed:
            _LOG.warning("an acknowledgement names no file", key_id=caller.key_id)
        return confirmed


def _picked(payload_type: str, payload_id: str, content: bytes) -> Picked:
    told = acknowledged_as(content) if payload_type == _ACKNOWLEDGED else payload_type
    return Picked(told, payload_id, content)


def _groups(content: bytes) -> list[str]:
    """The groups of a file, as the AK1 of a 999 names them: GS01 and GS06."""
    return _told(content, "GS", 1, 6)


def _acknowledged(content: bytes) -> frozenset[str]:
    """The groups that a 999 acknowledges."""
    return frozenset(_told(content, "AK1", 1, 2))


def _told(content: bytes, segment_id: str, first: int, second: int) -> list[str]:
    """Two elements of each segment of an id; without commas, which separate them where they are kept."""
    found: list[str] = []
    for run in runs(content):
        for segment in run.segments:
            parts = segment.split(run.delimiters.element)
            if parts[0].strip() == segment_id and len(parts) > second:
                found.append(f"{parts[first].strip()} {parts[second].strip()}".replace(",", " "))
    return found[:1_000]

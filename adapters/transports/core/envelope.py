"""What a CORE message says, however it is written: the metadata of the rule, the payload, and what it answers.

Five messages and their answers: a question in real time, and of a batch its submission, the retrieval of its acknowledgement,
the retrieval of results, and the acknowledgement of results. The names are those of the rule's schema and WSDL; the schema's
order of elements is kept.

Sources: CAQH CORE Connectivity Rule vC2.2.0 (sections 4.2, 4.4 and its tables), the WSDL as payers publish it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from adapters.transports.guide import guide_of

__all__ = [
    "ENVELOPE_ERROR",
    "MESSAGES",
    "NAMESPACE",
    "NO_ACKNOWLEDGEMENT",
    "NO_RESULTS",
    "RECEIPT",
    "RULE_VERSION",
    "SUCCESS",
    "TEXTS",
    "Envelope",
    "Kind",
    "Message",
    "answer",
    "check_sum",
    "fields",
    "kind_in_mime",
    "made_of",
    "payload_id",
    "payload_type_of",
    "stamp",
    "sums_up",
    "wrong",
]

NAMESPACE = "http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd"
RULE_VERSION = "2.2.0"
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SUCCESS = "Success"
ENVELOPE_ERROR = "CoreEnvelopeError"
RECEIPT = "X12_BatchReceiptConfirmation"
NO_ACKNOWLEDGEMENT = "X12_005010_Response_NoBatchAckFile"
NO_RESULTS = "X12_005010_Response_NoBatchResultsFile"
_ID_MAX = 50

Kind = Literal["question", "submission", "acknowledgement retrieval", "results retrieval", "results acknowledgement"]


class Message(msgspec.Struct, frozen=True):
    """One of the five: its element, its action, and the element of its answer."""

    element: str
    action: str
    answer: str
    mode: Literal["RealTime", "Batch"] = "Batch"


MESSAGES: dict[Kind, Message] = {
    "question": Message(
        "COREEnvelopeRealTimeRequest", "RealTimeTransaction", "COREEnvelopeRealTimeResponse", "RealTime"
    ),
    "submission": Message(
        "COREEnvelopeBatchSubmission", "BatchSubmitTransaction", "COREEnvelopeBatchSubmissionResponse"
    ),
    "acknowledgement retrieval": Message(
        "COREEnvelopeBatchSubmissionAckRetrievalRequest",
        "BatchSubmitAckRetrievalTransaction",
        "COREEnvelopeBatchSubmissionAckRetrievalResponse",
    ),
    "results retrieval": Message(
        "COREEnvelopeBatchResultsRetrievalRequest",
        "BatchResultsRetrievalTransaction",
        "COREEnvelopeBatchResultsRetrievalResponse",
    ),
    "results acknowledgement": Message(
        "COREEnvelopeBatchResultsAckSubmission",
        "BatchResultsAckSubmitTransaction",
        "COREEnvelopeBatchResultsAckSubmissionResponse",
    ),
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a message and its payload. Texts are as they came, without the blanks around them."""

    kind: Kind
    payload_type: str
    payload_id: str
    time_stamp: str
    sender_id: str
    receiver_id: str
    processing_mode: str = ""
    rule_version: str = RULE_VERSION
    payload: bytes | None = None
    payload_length: str = ""
    check_sum: str = ""
    error_code: str = ""
    error_message: str = ""

    @property
    def message(self) -> Message:
        return MESSAGES[self.kind]

    def __repr__(self) -> str:
        return f"<Envelope {self.kind} {self.payload_type} {len(self.payload or b'')} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("kind", self.kind)]


# Each part of a message that is text, in the schema's words -> its field.
TEXTS = {
    "PayloadType": "payload_type",
    "ProcessingMode": "processing_mode",
    "PayloadID": "payload_id",
    "PayloadLength": "payload_length",
    "TimeStamp": "time_stamp",
    "SenderID": "sender_id",
    "ReceiverID": "receiver_id",
    "CORERuleVersion": "rule_version",
    "CheckSum": "check_sum",
    "ErrorCode": "error_code",
    "ErrorMessage": "error_message",
}
_NOTHING = dict.fromkeys(TEXTS.values(), "")


def made_of(kind: Kind, said: Mapping[str, str], payload: bytes | None) -> Envelope:
    """The envelope of a message that came: its texts by the names of their fields; one that it lacks is empty."""
    return Envelope(**{**_NOTHING, **said}, kind=kind, payload=payload)


def fields(envelope: Envelope, *, is_answer: bool) -> list[tuple[str, str]]:
    """Name and text of each element before the payload, in the schema's order."""
    is_batch = envelope.message.mode == "Batch"
    told = [
        ("PayloadType", envelope.payload_type),
        ("ProcessingMode", envelope.processing_mode or envelope.message.mode),
        ("PayloadID", envelope.payload_id),
    ]
    payload = envelope.payload
    if is_batch and payload is not None:
        told.append(("PayloadLength", str(len(payload))))
    told += [
        ("TimeStamp", envelope.time_stamp),
        ("SenderID", envelope.sender_id),
        ("ReceiverID", envelope.receiver_id),
        ("CORERuleVersion", envelope.rule_version),
    ]
    if is_batch and payload is not None:
        told.append(("CheckSum", check_sum(payload)))
    return told


def stamp(moment: datetime) -> str:
    """A TimeStamp: UTC, whole seconds."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def payload_id(key: str) -> str:
    """The PayloadID of a delivery: its key where that is a UUID, else one that is made of it, the same each time."""
    if _UUID.fullmatch(key) is not None:
        return key
    try:
        return str(UUID(key))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, key))


def check_sum(payload: bytes) -> str:
    """SHA-1 in hex, which the rule asks for; it guards against damage, not against people."""
    return hashlib.sha1(payload, usedforsecurity=False).hexdigest()


def answer(
    to: Envelope,
    payload_type: str,
    at: datetime,
    payload: bytes | None = None,
    error: tuple[str, str] = (SUCCESS, ""),
    payload_id: str = "",
) -> Envelope:
    """The answer to a message: sender and receiver changed over, the PayloadID the same but where a file has its own."""
    return Envelope(
        kind=to.kind,
        payload_type=payload_type,
        payload_id=payload_id or to.payload_id,
        time_stamp=stamp(at),
        sender_id=to.receiver_id,
        receiver_id=to.sender_id,
        payload=payload,
        error_code=error[0],
        error_message=error[1],
    )


# --- what is wrong with a message -------------------------------------------------------------------------------------


def wrong(envelope: Envelope) -> tuple[str, str] | None:
    """The first thing wrong with an envelope, as ErrorCode and ErrorMessage, or None.

    Lenient where clients are known to be: any text is a PayloadID and a TimeStamp, and "v2.2.0" is 2.2.0.
    """
    required = (
        ("PayloadType", envelope.payload_type),
        ("ProcessingMode", envelope.processing_mode),
        ("PayloadID", envelope.payload_id),
        ("SenderID", envelope.sender_id),
        ("ReceiverID", envelope.receiver_id),
        ("CORERuleVersion", envelope.rule_version),
    )
    # A retrieval that names nothing asks for whatever is new.
    may_lack = "PayloadID" if envelope.kind.endswith(" retrieval") else ""
    for name, text in required:
        if not text and name != may_lack:
            return f"{name}Required", f"{name} is missing."
    if envelope.rule_version.lower().lstrip("v") != RULE_VERSION:
        return "VersionMismatch", f"CORERuleVersion must be {RULE_VERSION}."
    if envelope.processing_mode != envelope.message.mode:
        return "ProcessingModeIllegal", f"ProcessingMode must be {envelope.message.mode} here."
    for name, text in (("SenderID", envelope.sender_id), ("ReceiverID", envelope.receiver_id)):
        if len(text) > _ID_MAX:
            return f"{name}Illegal", f"{name} has at most {_ID_MAX} characters."
    return _wrong_payload(envelope)


def _wrong_payload(envelope: Envelope) -> tuple[str, str] | None:
    payload = envelope.payload
    if not payload:
        needs = envelope.kind in ("question", "submission")
        return ("PayloadRequired", "The payload is missing.") if needs else None
    if envelope.payload_length and envelope.payload_length != str(len(payload)):
        return "PayloadLengthIllegal", f"PayloadLength says otherwise: the payload has {len(payload)} bytes."
    if envelope.check_sum and not sums_up(envelope):
        return "CheckSumMismatched", "CheckSum does not match the payload: SHA-1 of its bytes, in hex."
    return None


def sums_up(envelope: Envelope) -> bool:
    """Whether the CheckSum is that of the payload: SHA-1, as the rule says, or SHA-256, as some send."""
    payload = envelope.payload or b""
    told = envelope.check_sum.replace(" ", "").lower()
    made = hashlib.sha256(payload).hexdigest() if len(told) == 64 else check_sum(payload)
    return hmac.compare_digest(told.encode(), made.encode())


# --- payload types ----------------------------------------------------------------------------------------------------

# GS08 -> what the rule's tables call a request in it. The tables name the first two editions of the 837I and D together.
_REQUESTS = {
    "005010X279A1": "X12_270_Request_005010X279A1",
    "005010X212": "X12_276_Request_005010X212",
    "005010X222A1": "X12_837_Request_005010X222A1",
    "005010X222A2": "X12_837_Request_005010X222A1",
    "005010X223A2": "X12_837_Request_005010X223A1_2",
    "005010X223A3": "X12_837_Request_005010X223A1_2",
    "005010X224A2": "X12_837_Request_005010X224A1_2",
    "005010X224A3": "X12_837_Request_005010X224A1_2",
}


def payload_type_of(payload: bytes) -> str:
    """The PayloadType that a request with this interchange has; empty for one that the rule has no name for."""
    return _REQUESTS.get(guide_of(payload), "")


def kind_in_mime(mode: str, payload_type: str, has_payload: bool) -> Kind:
    """Which message a multipart form is, which does not say so itself: the rule's payload types tell it."""
    if mode.lower() == "realtime":
        return "question"
    name = payload_type.lower()
    if "retrievalrequest" in name or name.endswith("_acks"):
        return "acknowledgement retrieval"
    if "submissionrequest" in name or payload_type == RECEIPT:
        return "results acknowledgement"
    if ("results" in name and "submission" not in name) or ("_835_request" in name and not has_payload):
        return "results retrieval"
    return "submission"

"""The sender's half of CORE: questions in real time, batches, and whatever the payer has for us.

The exchange, and what each answer means, is described in `adapters/core/README.md`.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import aiohttp
import msgspec

from adapters import settings
from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    Manifest,
    NotSent,
    Outbound,
    Outcome,
    Refused,
    Replied,
)
from adapters.settings import HttpUrl, SettingsError
from adapters.transports import http
from adapters.transports.core import mime, multipart, soap
from adapters.transports.core.envelope import (
    RECEIPT,
    SUCCESS,
    Envelope,
    Kind,
    payload_id,
    payload_type_of,
    stamp,
    sums_up,
)
from adapters.transports.core.soap import Fault, NoMessage, Read, Unwritable, Version, Wire
from adapters.transports.guide import guide_of
from adapters.transports.http import CREDENTIALS_RETRY_SECONDS, Answer
from adapters.transports.session import read_answer
from adapters.transports.tls import client_tls
from adapters.transports.trouble import ExchangeFailed
from adapters.transports.whole import is_whole

__all__ = ["Core", "CoreSecrets", "CoreSettings"]

_FILES_MAX = 1_000
_ACKNOWLEDGEMENT = "X12_999_RetrievalRequest_005010X231A1"
_ACCEPTED = "X12_999_SubmissionRequest_005010X231A1"
# Of an interchange that is refused, nothing but the TA1 is told.
_REFUSED = "X12_TA1_SubmissionRequest_00501X231A1"
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
# Faults that stand for "I do not know you", in WS-Security's words.
_NOBODY = frozenset(("FailedAuthentication", "InvalidSecurityToken", "FailedCheck", "InvalidSecurity", "SecurityTokenUnavailable"))  # fmt: skip
# The message was not looked into at all: SOAP says these come before any processing.
_UNREAD = frozenset(("VersionMismatch", "MustUnderstand"))
_NOT_OURS = ("Illegal", "Required", "NotUnderstood", "Mismatch", "NotSupported")


class CoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over CORE is told."""

    url: Annotated[HttpUrl, msgspec.Meta(description="the payer's CORE address")]
    sender_id: Annotated[_Id, msgspec.Meta(description="SenderID of the envelope, as the payer knows us")]
    receiver_id: Annotated[_Id, msgspec.Meta(description="ReceiverID of the envelope, as the payer calls itself")]
    envelope: Annotated[
        Literal["soap", "mime"],
        msgspec.Meta(description="how messages are written: soap, or mime (multipart/form-data)"),
    ] = "soap"
    soap_version: Annotated[Version, msgspec.Meta(description="1.2, or 1.1 for old stacks")] = "1.2"
    rule_version: Annotated[
        str, msgspec.Meta(pattern=r"^v?\d+\.\d+\.\d+$", description="CORERuleVersion of the envelope")
    ] = "2.2.0"
    mtom: Annotated[bool, msgspec.Meta(description="whether a batch goes as MTOM; else as base64 in the envelope")] = (
        True
    )
    acknowledgements: Annotated[
        str,
        msgspec.Meta(
            description="payload types that acknowledgements are asked for by, with blanks between; none: empty"
        ),
    ] = _ACKNOWLEDGEMENT
    results: Annotated[
        str, msgspec.Meta(description="payload types that results are asked for by, with blanks between; none: empty")
    ] = "X12_005010_Request_BatchResultsMixed"
    settles: Annotated[
        Literal["all", "results", "none"],
        msgspec.Meta(description="which files the payer is told of when they are stored, by BatchResultsAckSubmit"),
    ] = "results"
    acknowledges: Annotated[
        bool, msgspec.Meta(description="whether a file is settled with its 999 or TA1; else by its PayloadID alone")
    ] = True
    authorities: Annotated[
        str, msgspec.Meta(description="a PEM file of the authorities that the payer's certificate is checked by")
    ] = ""
    certificate: Annotated[str, msgspec.Meta(description="a PEM file with our certificate and its key, for X.509")] = ""


class CoreSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over CORE must keep."""

    user: Annotated[str, msgspec.Meta(description="user name of the UsernameToken; none with X.509 alone")] = ""
    password: Annotated[str, msgspec.Meta(description="password of the UsernameToken")] = ""
    key_password: Annotated[str, msgspec.Meta(description="password of the key in `certificate`")] = ""

    def __repr__(self) -> str:
        return "<CoreSecrets>"


class _Way(NamedTuple):
    """A route, read."""

    told: CoreSettings
    secrets: CoreSecrets
    tls: ssl.SSLContext | None

    def envelope(self, kind: Kind, payload_type: str, identity: str, at: datetime, payload: bytes | None) -> Envelope:
        return Envelope(
            kind=kind,
            payload_type=payload_type,
            payload_id=identity,
            time_stamp=stamp(at),
            sender_id=self.told.sender_id,
            receiver_id=self.told.receiver_id,
            rule_version=self.told.rule_version,
            payload=payload,
        )

    def written(self, envelope: Envelope) -> Wire:
        login = (self.secrets.user, self.secrets.password) if self.secrets.user else None
        if self.told.envelope == "mime":
            return mime.write(envelope, login=login)
        return soap.write(envelope, version=self.told.soap_version, login=login, mtom=self.told.mtom)


def _way(context: Context) -> _Way:
    """The route's way; SettingsError for what it cannot be made of, files that cannot be read too."""
    told = settings.read(CoreSettings, context.settings)
    secrets = settings.read(CoreSecrets, context.secrets)
    try:
        return _Way(told, secrets, client_tls(told.authorities, told.certificate, secrets.key_password))
    except OSError as error:
        raise SettingsError([f"authorities, certificate: {type(error).__name__}, the file cannot be used"]) from None


class Core:
    """The adapter over this transport."""

    capabilities = Capabilities(
        real_time=frozenset(("270", "276")), batch=frozenset(("837",)), collects=True, probes=True
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.manifest = Manifest(
            summary="CAQH CORE vC2.2.0 over SOAP or MIME", owner="claimwire", settings=CoreSettings, secrets=CoreSecrets
        )

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        is_batch = outbound.set_id in self.capabilities.batch
        payload_type = payload_type_of(outbound.payload)
        if not payload_type:
            return Refused("PayloadType", "CORE has no payload type for the guide of this interchange")
        try:
            way = _way(context)
            kind: Kind = "submission" if is_batch else "question"
            identity = payload_id(outbound.idempotency_key)
            wire = way.written(way.envelope(kind, payload_type, identity, context.now(), outbound.payload))
        except SettingsError as error:
            return NotSent(str(error))
        except Unwritable as error:
            return Refused("Payload", str(error))
        answer = await http.post(context, way.told.url, wire.body, wire.headers, tls=way.tls)
        return _outcome(answer, is_batch, context) if isinstance(answer, Answer) else answer

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        way = _read_way(context)
        asked: list[tuple[Kind, str]] = []
        asked.extend(("acknowledgement retrieval", t) for t in way.told.acknowledgements.split())
        asked.extend(("results retrieval", t) for t in way.told.results.split())
        seen: set[tuple[str, str]] = set()
        failure: ExchangeFailed | None = None
        for kind, payload_type in asked:
            # CORE has no list: each retrieval gives one file, the next one only when the payer lets go of this one.
            for number in range(_FILES_MAX):
                try:
                    got = await _retrieved(way, context, kind, payload_type, number)
                except ExchangeFailed as error:
                    failure = failure or error
                    break
                if got is None or (got.reference, sha256(got.payload).hexdigest()) in seen:
                    break
                seen.add((got.reference, sha256(got.payload).hexdigest()))
                yield got
        if failure is not None:
            raise failure

    async def settle(self, inbound: Inbound, context: Context) -> None:
        way = _read_way(context)
        kind, _, identity = inbound.reference.partition(" ")
        if way.told.settles == "none" or (way.told.settles == "results" and kind != "result"):
            return
        said = await context.acknowledgement(inbound.payload) if way.told.acknowledges else b""
        if said:
            with suppress(ExchangeFailed):
                if await _settled(way, context, identity, said) is None:
                    return
        # Also where the payer wants no 999, or breaks over it: it gives no other file before it lets go of this one.
        if (code := await _settled(way, context, identity, None)) is not None:
            raise ExchangeFailed(f"settling: ErrorCode {code}")

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        """Received where the payer has an acknowledgement; that it has none yet says nothing."""
        try:
            way = _read_way(context)
            identity = payload_id(outbound.idempotency_key)
            message = way.envelope("acknowledgement retrieval", _ACKNOWLEDGEMENT, identity, context.now(), None)
            envelope = (await _exchanged(way, context, message)).envelope
        except ExchangeFailed:
            return "unknown"
        tells = bool(envelope.payload) or envelope.payload_type == RECEIPT
        ours = envelope.payload_id.lower() == identity.lower()
        return "received" if envelope.error_code == SUCCESS and tells and ours else "unknown"


# --- what is asked for ------------------------------------------------------------------------------------------------


def _read_way(context: Context) -> _Way:
    try:
        return _way(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None


async def _retrieved(way: _Way, context: Context, kind: Kind, payload_type: str, number: int) -> Inbound | None:
    """One file, or None where there is none; ExchangeFailed for one that did not come whole."""
    now = context.now()
    identity = payload_id(f"{way.told.receiver_id} {payload_type} {now:%Y%m%d%H%M%S%f} {number}")
    envelope = (await _exchanged(way, context, way.envelope(kind, payload_type, identity, now, None))).envelope
    payload = envelope.payload
    if envelope.error_code not in ("", SUCCESS):
        raise ExchangeFailed(f"retrieving: ErrorCode {_code(envelope)}")
    if not payload:
        return None
    if envelope.payload_length and envelope.payload_length != str(len(payload)):
        raise ExchangeFailed("retrieving: PayloadLength does not match")
    if envelope.check_sum and not sums_up(envelope):
        raise ExchangeFailed("retrieving: CheckSum does not match")
    if payload.lstrip()[:3] == b"ISA" and not is_whole(payload):
        raise ExchangeFailed("retrieving: the file has no IEA")
    rung = "acknowledgement" if kind == "acknowledgement retrieval" else "result"
    return Inbound(f"{rung} {envelope.payload_id}", _label(envelope.payload_type), payload)


async def _settled(way: _Way, context: Context, identity: str, said: bytes | None) -> str | None:
    """Tell the payer of a file that is stored; None where it took that, else its ErrorCode."""
    told = _REFUSED if said and not guide_of(said) else _ACCEPTED
    message = way.envelope("results acknowledgement", told, identity, context.now(), said)
    envelope = (await _exchanged(way, context, message)).envelope
    return None if envelope.error_code in ("", SUCCESS) else _code(envelope)


async def _exchanged(way: _Way, context: Context, envelope: Envelope) -> Read:
    """A message that delivers nothing, and its answer; ExchangeFailed for anything but an answer."""
    wire = way.written(envelope)

    async def answered(response: aiohttp.ClientResponse) -> Answer:
        return Answer(response.status, response.headers, await read_answer(response))

    answer = await http.exchange(
        context, "POST", envelope.kind, way.told.url, answered, tls=way.tls, body=wire.body, headers=wire.headers
    )
    if answer.status not in (200, 202):
        raise ExchangeFailed(f"{envelope.kind}: HTTP {answer.status}")
    read = _read(answer)
    if read is None or isinstance(read, Fault) or not read.is_answer:
        raise ExchangeFailed(f"{envelope.kind}: the answer is none of CORE's")
    return read


def _read(answer: Answer) -> Read | Fault | None:
    content_type = answer.headers.get("Content-Type", "")
    media, _ = multipart.parameters(content_type)
    try:
        if media == "multipart/form-data":
            return mime.read(content_type, answer.body)
        return soap.read(content_type, answer.body)
    except NoMessage:
        return None


# --- what an answer means ---------------------------------------------------------------------------------------------


def _outcome(answer: Answer, is_batch: bool, context: Context) -> Outcome:
    """HTTP first, then the envelope's ErrorCode, then the payload, as the rule wants it."""
    read = _read(answer)
    if isinstance(read, Fault):
        return _faulted(read, answer, context)
    if answer.status not in (200, 202):
        return http.verdict(answer, context)
    if read is None or not read.is_answer:
        return InDoubt("the answer is none of CORE's", answer.body)
    envelope = read.envelope
    if envelope.error_code != SUCCESS:
        return _refused(envelope, answer)
    payload = envelope.payload or b""
    if payload.lstrip()[:3] == b"ISA":
        return Replied(payload) if is_whole(payload) else InDoubt("an interchange without its IEA", answer.body)
    if is_batch and not payload:
        return Delivered(envelope.payload_id)
    return InDoubt("an answer without an interchange", answer.body)


def _faulted(fault: Fault, answer: Answer, context: Context) -> Outcome:
    """A fault is believed where SOAP says that nothing was processed; another one says no more than its status."""
    if fault.subcode in _NOBODY:
        return NotSent(f"{fault.subcode}: credentials refused", CREDENTIALS_RETRY_SECONDS)
    if fault.code in _UNREAD:
        return Refused(fault.code, f"SOAP fault {fault.code}")
    return http.verdict(answer, context)


def _refused(envelope: Envelope, answer: Answer) -> Outcome:
    code = _code(envelope)
    if code.lower() == "unauthorized":
        return NotSent(f"{code}: credentials refused", CREDENTIALS_RETRY_SECONDS)
    if code.lower().startswith("checksummismatch"):
        return NotSent(f"{code}: damaged on the way", about="interchange")
    if code == "Sender" or code.endswith(_NOT_OURS):
        return Refused(code, f"ErrorCode {code}")
    return InDoubt(f"ErrorCode {code}", answer.body)


def _code(envelope: Envelope) -> str:
    """An ErrorCode in letters only, since it goes into messages and logs."""
    return "".join(c for c in envelope.error_code[:60] if c.isascii() and c.isalpha()) or "none"


def _label(payload_type: str) -> str:
    return "".join(c for c in payload_type[:60] if c.isascii() and (c.isalnum() or c == "_")) or "core"

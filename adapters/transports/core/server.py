"""The receiver's half of CORE: from headers and bytes to a request, and from an answer back to headers and bytes.

Pure: who listens, who the caller is and what is answered is the business of whoever uses it. What cannot be read, or whose
envelope is wrong, is answered here, in the order of the rule: HTTP, then the envelope's ErrorCode, then what X12 says.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Literal

import msgspec

from adapters.transports.core import mime, multipart, soap
from adapters.transports.core.envelope import ENVELOPE_ERROR, Envelope, answer, wrong
from adapters.transports.core.soap import Fault, NoMessage, Read, Unwritable, Version

__all__ = [
    "Request",
    "Response",
    "failed",
    "passwords_in",
    "read_request",
    "refused",
    "stranger",
    "unauthorized",
    "unread",
    "write_response",
]

# Controls that XML cannot carry, one byte each in latin-1.
_NO_TEXT = {code: " " for code in range(32) if code not in (9, 10, 13)}
_SOAP_11 = b"http://schemas.xmlsoap.org/soap/envelope/"
# A Password of a UsernameToken, without a parser: it is looked for in what is no document yet. Bounded, since strangers write it.
_PASSWORD = re.compile(
    rb"<(?:[\w.-]{1,60}:)?Password(?:\s[^<>]{0,300})?>([^<]{0,400})<(?:!\[CDATA\[([^\]<]{0,400})\]\]>)?"
)
_PASSWORDS_MAX = 4


class Response(msgspec.Struct, frozen=True):
    """What goes back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Response {self.status} {len(self.body)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status)]


class Request(msgspec.Struct, frozen=True):
    """A message that can be answered: what it says, who says it, and how it wants its answer."""

    envelope: Envelope
    user: str
    password: str
    form: Literal["soap", "mime"]
    version: Version = "1.2"
    mtom: bool = False

    def __repr__(self) -> str:
        return f"<Request {self.envelope!r}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("envelope", self.envelope)]


def read_request(content_type: str, body: bytes, now: datetime) -> Request | Response:
    """A request whose envelope is sound; else the answer that says what is wrong with it.

    Whether the caller may is asked first by whoever wants to: `unauthorized` answers for them. An envelope that is wrong is
    told so even to callers who are nobody, since nothing of theirs is looked at for it.
    """
    media, _ = multipart.parameters(content_type)
    try:
        if media == "multipart/form-data":
            read: Read | Fault = mime.read(content_type, body)
        else:
            read = soap.read(content_type, body)
    except NoMessage as error:
        if media == "multipart/form-data":
            return Response(400, {"Content-Type": "text/plain; charset=utf-8"}, f"{error}\n".encode())
        version = _version(body)
        wire = soap.fault(version, "Sender", f"The message cannot be read: {error}.")
        return Response(500 if version == "1.1" else 400, wire.headers, wire.body)
    if isinstance(read, Fault) or read.is_answer:
        wire = soap.fault("1.2", "Sender", "This is an answer, not a request.")
        return Response(400, wire.headers, wire.body)
    form: Literal["soap", "mime"] = "mime" if media == "multipart/form-data" else "soap"
    request = Request(read.envelope, read.user, read.password, form, read.version, read.mtom)
    fault = wrong(request.envelope)
    return request if fault is None else refused(request, fault, now)


def passwords_in(content_type: str, head: bytes) -> list[str]:
    """The passwords that stand in the first bytes of a message, to know early whose it is; what it says is believed when all of it was read."""
    media, _ = multipart.parameters(content_type)
    if media == "multipart/form-data":
        found = mime.begun(content_type, head).get("password", "")
        return [found] if found else []
    said = [plain.strip() or marked for plain, marked in islice(_PASSWORD.findall(head), _PASSWORDS_MAX)]
    return [html.unescape(one.decode("utf-8", "replace")).strip() for one in said if one]


def stranger(content_type: str, head: bytes, at_most: int, now: datetime) -> Response:
    """An answer to a message that is too large to be read for somebody who is not known by its first bytes."""
    said = f"Who sends more than {at_most} bytes is known by a user name and a password within them, or in the Authorization header."
    media, _ = multipart.parameters(content_type)
    if media == "multipart/form-data":
        told = mime.envelope_of(mime.begun(content_type, head))
        return refused(Request(told, "", "", "mime"), ("UnAuthorized", said), now)
    version = _version(head)
    wire = soap.fault(version, "Sender", said, "FailedAuthentication")
    return Response(500 if version == "1.1" else 400, wire.headers, wire.body)


def unread(content_type: str, head: bytes, status: int, said: str) -> Response:
    """An answer to a message that was not read to its end, for the reason that the status tells."""
    media, _ = multipart.parameters(content_type)
    if media == "multipart/form-data":
        return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, f"{said}\n".encode())
    wire = soap.fault(_version(head), "Receiver" if status >= 500 else "Sender", said)
    return Response(status, wire.headers, wire.body)


def _version(head: bytes) -> Version:
    return "1.1" if _SOAP_11 in head[:4_000] else "1.2"


def write_response(request: Request, envelope: Envelope) -> Response:
    """The answer in the form in which the request came; a payload that text cannot carry goes as a part of the message."""
    if request.form == "mime":
        wire = mime.write(envelope, is_answer=True)
        return Response(200, wire.headers, wire.body)
    try:
        wire = soap.write(envelope, is_answer=True, version=request.version, mtom=request.mtom)
    except Unwritable:
        # A payer's single bytes beyond ASCII: as text they say the same, which is more than no answer does.
        text = (envelope.payload or b"").decode("latin-1").translate(_NO_TEXT)
        envelope = msgspec.structs.replace(envelope, payload=text.encode())
        wire = soap.write(envelope, is_answer=True, version=request.version, mtom=request.mtom)
    return Response(200, wire.headers, wire.body)


def refused(request: Request, error: tuple[str, str], now: datetime) -> Response:
    """An answer with an ErrorCode of the envelope."""
    return write_response(request, answer(request.envelope, ENVELOPE_ERROR, now, error=error))


def unauthorized(request: Request, now: datetime) -> Response:
    """The caller is nobody known. SOAP says it with a fault of WS-Security, MIME with the envelope's ErrorCode."""
    said = "The user name or the password is not known."
    if request.form == "mime":
        return refused(request, ("UnAuthorized", said), now)
    wire = soap.fault(request.version, "Sender", said, "FailedAuthentication")
    return Response(500 if request.version == "1.1" else 400, wire.headers, wire.body)


def failed(request: Request, said: str, now: datetime, status: int = 500) -> Response:
    """Something went wrong here after the request was understood."""
    if request.form == "mime":
        response = refused(request, ("Receiver", said), now)
        return msgspec.structs.replace(response, status=status)
    wire = soap.fault(request.version, "Receiver", said)
    return Response(status, wire.headers, wire.body)

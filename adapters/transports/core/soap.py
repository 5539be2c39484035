"""CORE envelopes as SOAP: 1.2 and, for old stacks, 1.1; WS-Security UsernameToken; MTOM for the payload of a batch.

Written by hand, since there is little of it and its form is fixed; read as trees, by local names, since clients differ in their
prefixes. A payload in MTOM is found in the message itself and nowhere else.

Sources: SOAP 1.1 and 1.2, WS-Security 1.0 UsernameToken Profile (PasswordText), XOP 1.0 and MTOM (W3C), CORE vC2.2.0 section 4.2.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote
from xml.sax.saxutils import escape

import msgspec

from adapters.transports.core import multipart, xml
from adapters.transports.core.envelope import MESSAGES, NAMESPACE, TEXTS, Envelope, Kind, fields, made_of
from adapters.transports.core.multipart import NotMultipart, Part
from adapters.transports.core.xml import Element, NotXml

__all__ = ["Fault", "NoMessage", "Read", "Unwritable", "Version", "Wire", "fault", "read", "write"]

Version = Literal["1.1", "1.2"]
_NAMESPACES: dict[Version, str] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
_ROOTS: dict[str, Version] = {f"{{{namespace}}}Envelope": version for version, namespace in _NAMESPACES.items()}
_MEDIA: dict[Version, str] = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_PASSWORD_TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"  # noqa: S105
_XOP = "http://www.w3.org/2004/08/xop/include"
_ROOT_ID, _PAYLOAD_ID = "envelope@claimwire", "payload@claimwire"
# What XML 1.0 cannot carry; X12 with such separators must go by MTOM or MIME.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_KINDS: dict[str, tuple[Kind, bool]] = {}
for _kind, _message in MESSAGES.items():
    _KINDS[_message.element] = (_kind, False)
    _KINDS[_message.answer] = (_kind, True)


class NoMessage(ValueError):
    """The body is no CORE message over SOAP; the message says what kind of trouble it is."""


class Unwritable(ValueError):
    """The payload cannot be carried in text of XML as it is."""


class Wire(NamedTuple):
    """Headers and body as they go over HTTP."""

    headers: dict[str, str]
    body: bytes


class Fault(msgspec.Struct, frozen=True):
    """A SOAP fault: its code and subcode, local names only, for its text may say anything."""

    code: str
    subcode: str = ""


class Read(msgspec.Struct, frozen=True):
    """One message as it came. `mtom` says how its payload came; user and password are those of a UsernameToken."""

    envelope: Envelope
    version: Version
    is_answer: bool
    mtom: bool = False
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"<Read {self.envelope!r}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("envelope", self.envelope)]


# --- writing ----------------------------------------------------------------------------------------------------------


def write(
    envelope: Envelope,
    *,
    is_answer: bool = False,
    version: Version = "1.2",
    login: tuple[str, str] | None = None,
    mtom: bool = True,
) -> Wire:
    """A message over SOAP; Unwritable where its payload is no text that XML can carry and goes as text."""
    message, payload = envelope.message, envelope.payload
    attached = mtom and message.mode == "Batch" and payload is not None
    inner = "".join(f"<{name}>{escape(said)}</{name}>" for name, said in fields(envelope, is_answer=is_answer))
    if attached:
        inner += f'<Payload><xop:Include xmlns:xop="{_XOP}" href="cid:{_PAYLOAD_ID}"/></Payload>'
    elif payload is not None:
        carried = base64.b64encode(payload).decode() if message.mode == "Batch" else _text(payload)
        inner += f"<Payload>{carried}</Payload>"
    if is_answer:
        code, said = escape(envelope.error_code), escape(envelope.error_message)
        inner += f"<ErrorCode>{code}</ErrorCode><ErrorMessage>{said}</ErrorMessage>"
    name = message.answer if is_answer else message.element
    body = _document(version, _login(login), f'<c:{name} xmlns:c="{NAMESPACE}">{inner}</c:{name}>')
    return _sent(version, body, payload if attached else None, "" if is_answer else message.action)


def fault(version: Version, code: Literal["Sender", "Receiver"], said: str, subcode: str = "") -> Wire:
    """A fault; `subcode` is a name of WS-Security."""
    if version == "1.1":
        name = {"Sender": "Client", "Receiver": "Server"}[code]
        told = f"wsse:{subcode}" if subcode else f"s:{name}"
        inner = f'<s:Fault xmlns:wsse="{_SECURITY}"><faultcode>{told}</faultcode><faultstring>{escape(said)}</faultstring></s:Fault>'
    else:
        below = f"<s:Subcode><s:Value>wsse:{subcode}</s:Value></s:Subcode>" if subcode else ""
        inner = (
            f'<s:Fault xmlns:wsse="{_SECURITY}"><s:Code><s:Value>s:{code}</s:Value>{below}</s:Code>'
            f'<s:Reason><s:Text xml:lang="en">{escape(said)}</s:Text></s:Reason></s:Fault>'
        )
    return _sent(version, _document(version, "", inner), None, "")


def _document(version: Version, header: str, body: str) -> bytes:
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_NAMESPACES[version]}">{head}'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _login(login: tuple[str, str] | None) -> str:
    if login is None:
        return ""
    user, password = (escape(part) for part in login)
    return (
        f'<wsse:Security xmlns:wsse="{_SECURITY}" s:mustUnderstand="true"><wsse:UsernameToken>'
        f'<wsse:Username>{user}</wsse:Username><wsse:Password Type="{_PASSWORD_TEXT}">{password}</wsse:Password>'
        "</wsse:UsernameToken></wsse:Security>"
    )


def _text(payload: bytes) -> str:
    """A payload as text of XML that reads back as the same bytes."""
    try:
        said = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Unwritable("the interchange is not UTF-8, which SOAP carries a question in") from None
    if _NO_XML.search(said) is not None:
        raise Unwritable("the interchange has characters that XML cannot carry") from None
    # Readers of XML turn CR LF into LF but where it is a reference, and a reference cannot stand in CDATA.
    if "\r" in said or "]]>" in said:
        return escape(said, {"\r": "&#13;"})
    return f"<![CDATA[{said}]]>"


def _sent(version: Version, body: bytes, payload: bytes | None, action: str) -> Wire:
    told = f'; action="{action}"' if action and version == "1.2" else ""
    headers = {"SOAPAction": f'"{action}"'} if action and version == "1.1" else {}
    if payload is None:
        headers["Content-Type"] = f"{_MEDIA[version]}; charset=utf-8{told}"
        return Wire(headers, body)
    media = _MEDIA[version]
    boundary = multipart.boundary_for((body, payload))
    headers["Content-Type"] = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<{_ROOT_ID}>"; '
        f'start-info="{media}"{told}'
    )
    root = (
        f'Content-Type: application/xop+xml; charset=utf-8; type="{media}"',
        "Content-Transfer-Encoding: 8bit",
        f"Content-ID: <{_ROOT_ID}>",
    )
    attached = (
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: <{_PAYLOAD_ID}>",
    )
    return Wire(headers, multipart.written(((root, body), (attached, payload)), boundary))


# --- reading ----------------------------------------------------------------------------------------------------------


def read(content_type: str, body: bytes) -> Read | Fault:
    """A message or a fault; NoMessage for anything else."""
    try:
        root, parts = _taken_apart(content_type, body)
        envelope = xml.parse(root)
    except (NotMultipart, NotXml) as error:
        raise NoMessage(str(error)) from None
    version = _ROOTS.get(envelope.tag)
    if version is None:
        raise NoMessage("no SOAP envelope")
    told = xml.child(envelope, "Body")
    message = next(iter(told), None) if told is not None else None
    if message is None:
        raise NoMessage("no message in the body")
    name = xml.local(message)
    if name == "Fault":
        return _fault(message, version)
    if name not in _KINDS:
        raise NoMessage("the message is none of CORE's")
    kind, is_answer = _KINDS[name]
    user, password = _user(xml.child(envelope, "Header"))
    told = {xml.local(c): c for c in message}
    payload, attached = _payload(told.pop("Payload", None), kind, parts)
    said = {TEXTS[name]: xml.text(c) for name, c in told.items() if name in TEXTS}
    return Read(made_of(kind, said, payload), version, is_answer, attached, user, password)


def _taken_apart(content_type: str, body: bytes) -> tuple[bytes, list[Part]]:
    """The document of a message, and the parts beside it."""
    media, told = multipart.parameters(content_type)
    if media != "multipart/related":
        return body, []
    parts = multipart.split(body, told.get("boundary", ""))
    if not parts:
        raise NotMultipart("no part")
    start = _bare(told.get("start", ""))
    root = next((p for p in parts if start and _bare(p.headers.get("content-id", "")) == start), parts[0])
    return root.body, [p for p in parts if p is not root]


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")


def _payload(element: Element | None, kind: Kind, parts: list[Part]) -> tuple[bytes | None, bool]:
    """The payload's bytes, and whether they came as a part of the message."""
    if element is None:
        return None, False
    include = xml.child(element, "Include")
    if include is not None:
        href = include.attrib.get("href", "")
        if not href.startswith("cid:"):
            raise NoMessage("the payload is said to be outside of the message")
        wanted = unquote(href.removeprefix("cid:"))
        found = [p for p in parts if _bare(p.headers.get("content-id", "")) == wanted]
        if len(found) != 1:
            raise NoMessage("the part with the payload is not there, or more than once")
        return _decoded(found[0]), True
    said = element.text or ""
    if not said.strip():
        return None, False
    if MESSAGES[kind].mode == "Batch" and not said.lstrip().startswith("ISA"):
        try:
            return base64.b64decode("".join(said.split()), validate=True), False
        except (binascii.Error, ValueError):
            raise NoMessage("the payload is neither base64 nor X12") from None
    return _unpadded(said.encode("utf-8")), False


def _unpadded(payload: bytes) -> bytes:
    """X12 without the blanks that clients put around it; a terminator that is a line break is kept."""
    content = payload.lstrip()
    bare = content.rstrip()
    terminator = content[105:106]
    kept = content[len(bare) : len(bare) + 1]
    return bare + kept if terminator in (b"\n", b"\r") and kept == terminator else _with_line_end(content, bare)


def _with_line_end(content: bytes, bare: bytes) -> bytes:
    """A line break that ends every segment ends the last one too; anything more is a client's padding."""
    for line_end in (b"\r\n", b"\n"):
        if content[106 : 106 + len(line_end)] == line_end and content[len(bare) :].startswith(line_end):
            return bare + line_end
    return bare


def _decoded(part: Part) -> bytes:
    if part.headers.get("content-transfer-encoding", "").lower() != "base64":
        return part.body
    try:
        return base64.b64decode(part.body)
    except (binascii.Error, ValueError):
        raise NoMessage("a part is not base64, as it says") from None


def _user(header: Element | None) -> tuple[str, str]:
    token = xml.child(xml.child(header, "Security"), "UsernameToken")
    password = xml.child(token, "Password")
    return xml.text(xml.child(token, "Username")), (password.text or "") if password is not None else ""


def _fault(element: Element, version: Version) -> Fault:
    if version == "1.1":
        said = _name(xml.text(xml.child(element, "faultcode")))
        named = {"Client": "Sender", "Server": "Receiver"}
        # SOAP 1.1 has no subcodes: a code after a dot, or one of another specification, is what stands in their place.
        first, _, second = said.partition(".")
        return Fault(
            named.get(first, first if first in ("VersionMismatch", "MustUnderstand") else "Sender"), second or said
        )
    code = xml.child(element, "Code")
    subcode = xml.child(xml.child(code, "Subcode"), "Value")
    return Fault(_name(xml.text(xml.child(code, "Value"))), _name(xml.text(subcode)))


def _name(said: str) -> str:
    """The local part of a qualified name, of letters only: it goes into messages."""
    return re.sub(r"[^A-Za-z.]", "", said.rpartition(":")[2])[:60]

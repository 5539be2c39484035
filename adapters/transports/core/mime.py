"""CORE envelopes as HTTP MIME multipart: one part of form-data for each field, in any order.

Sources: CORE vC2.2.0 section 4.2.2; what clients in use really send (bare LF, boundaries and names without quotes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.transports.core import multipart
from adapters.transports.core.envelope import TEXTS, Envelope, fields, kind_in_mime, made_of
from adapters.transports.core.multipart import NotMultipart, Part
from adapters.transports.core.soap import NoMessage, Read, Wire

__all__ = ["begun", "envelope_of", "read", "write"]

# The names of a form's fields are understood in any case.
_TEXTS = {name.lower(): field for name, field in TEXTS.items()}


def write(envelope: Envelope, *, is_answer: bool = False, login: tuple[str, str] | None = None) -> Wire:
    """A message as a form. The content type's boundary comes first and bare: some readers look for it just there."""
    told = [(name, said.encode()) for name, said in fields(envelope, is_answer=is_answer)]
    if login is not None:
        told += [("UserName", login[0].encode()), ("Password", login[1].encode())]
    if is_answer:
        told += [("ErrorCode", envelope.error_code.encode()), ("ErrorMessage", envelope.error_message.encode())]
    if envelope.payload is not None:
        told.append(("Payload", envelope.payload))
    boundary = multipart.boundary_for(content for _, content in told)
    parts = [((f'Content-Disposition: form-data; name="{name}"',), content) for name, content in told]
    return Wire({"Content-Type": f"multipart/form-data; boundary={boundary}"}, multipart.written(parts, boundary))


def read(content_type: str, body: bytes) -> Read:
    """A message out of a form; NoMessage for anything else."""
    _, told = multipart.parameters(content_type)
    try:
        parts = multipart.split(body, told.get("boundary", ""))
    except NotMultipart as error:
        raise NoMessage(str(error)) from None
    found = _fields(parts)
    said, payload = _texts(found), found.get("payload")
    if not {"payloadtype", "processingmode", "payloadid"} & set(said):
        raise NoMessage("none of CORE's fields is there")
    envelope = envelope_of(said, payload)
    password = found.get("password", b"").decode("utf-8", "replace").strip()
    return Read(envelope, "1.2", "errorcode" in said, False, said.get("username", ""), password)


def begun(content_type: str, head: bytes) -> dict[str, str]:
    """The fields that are whole in the first bytes of a form, by their names in lower case; none where it cannot be told."""
    _, told = multipart.parameters(content_type)
    mark = b"--" + told.get("boundary", "").encode("latin-1", "replace")
    try:
        return _texts(
            _fields(multipart.split(head[: max(head.rfind(mark), 0)] + mark + b"--", told.get("boundary", "")))
        )
    except (NotMultipart, NoMessage):
        return {}


def envelope_of(said: Mapping[str, str], payload: bytes | None = None) -> Envelope:
    """The envelope that the fields of a form make."""
    kind = kind_in_mime(said.get("processingmode", ""), said.get("payloadtype", ""), bool(payload))
    return made_of(kind, {_TEXTS[name]: text for name, text in said.items() if name in _TEXTS}, payload or None)


def _fields(parts: Iterable[Part]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in parts:
        _, disposition = multipart.parameters(part.headers.get("content-disposition", ""))
        name = disposition.get("name", "").lower()
        if name in found:
            raise NoMessage("a field is there twice")
        found[name] = part.body
    return found


def _texts(found: Mapping[str, bytes]) -> dict[str, str]:
    return {name: content.decode("utf-8", "replace").strip() for name, content in found.items() if name != "payload"}

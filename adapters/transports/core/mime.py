"""CORE envelopes as HTTP MIME multipart: one part of form-data for each field, in any order.

Sources: CORE vC2.2.0 section 4.2.2; what clients in use really send (bare LF, boundaries and names without quotes).
"""

from __future__ import annotations

from adapters.transports.core import multipart
from adapters.transports.core.envelope import Envelope, fields, kind_in_mime
from adapters.transports.core.multipart import NotMultipart
from adapters.transports.core.soap import NoMessage, Read, Wire

__all__ = ["read", "write"]


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
    found: dict[str, bytes] = {}
    for part in parts:
        _, disposition = multipart.parameters(part.headers.get("content-disposition", ""))
        name = disposition.get("name", "").lower()
        if name in found:
            raise NoMessage("a field is there twice")
        found[name] = part.body
    said = {name: content.decode("utf-8", "replace").strip() for name, content in found.items() if name != "payload"}
    payload = found.get("payload")
    if not {"payloadtype", "processingmode", "payloadid"} & set(said):
        raise NoMessage("none of CORE's fields is there")
    envelope = Envelope(
        kind=kind_in_mime(said.get("processingmode", ""), said.get("payloadtype", ""), bool(payload)),
        payload_type=said.get("payloadtype", ""),
        processing_mode=said.get("processingmode", ""),
        payload_id=said.get("payloadid", ""),
        payload_length=said.get("payloadlength", ""),
        time_stamp=said.get("timestamp", ""),
        sender_id=said.get("senderid", ""),
        receiver_id=said.get("receiverid", ""),
        rule_version=said.get("coreruleversion", ""),
        check_sum=said.get("checksum", ""),
        error_code=said.get("errorcode", ""),
        error_message=said.get("errormessage", ""),
        payload=payload or None,
    )
    return Read(
        envelope,
        "1.2",
        "errorcode" in said,
        False,
        said.get("username", ""),
        found.get("password", b"").decode("utf-8", "replace").strip(),
    )

"""Names of files at a payer: ours made from a template, theirs looked at with suspicion.

A name of ours follows from the interchange alone, so that a resend and a probe mean the same file. A name of theirs is only a
label: nothing is ever written under it here.
"""

from __future__ import annotations

import re
from string import Formatter

from adapters.protocol import Outbound

__all__ = ["FIELDS", "fault_of", "label", "name_of", "usable"]

NAME_BYTES_MAX = 255
_UNFINISHED = (b".part", b".partial", b".filepart", b".tmp", b".temp", b".writing", b".crdownload", b".lock")
_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f/\\]")


def _elements(payload: bytes) -> list[str]:
    """The elements of the ISA; empty ones where there is none."""
    return (
        [e.strip() for e in payload[:106].decode("latin-1").split(chr(payload[3]))] if len(payload) > 105 else [""] * 17
    )


def _fields(outbound: Outbound) -> dict[str, str]:
    isa = [*_elements(outbound.payload), *([""] * 17)]
    return {
        "set_id": outbound.set_id,
        "control_number": outbound.control_number,
        "key": outbound.idempotency_key,
        "sender": isa[6],
        "receiver": isa[8],
        "date": f"20{isa[9]}" if isa[9] else "",
        "time": isa[10],
        "usage": isa[15],
    }


FIELDS = ("set_id", "control_number", "key", "sender", "receiver", "date", "time", "usage")


def fault_of(template: str) -> str:
    """What is wrong with a template; empty when it can be used."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        return "its braces do not match"
    named = {name for _, name, _, _ in parts if name is not None}
    unknown = named - set(FIELDS)
    if unknown or any(spec or conversion for _, _, spec, conversion in parts):
        return f"it may name {', '.join(FIELDS)} in braces and nothing else"
    if not named & {"control_number", "key"}:
        return "it needs {control_number} or {key}, or two files would have one name"
    said = "".join(text for text, _, _, _ in parts)
    return "only letters, digits and . _ - may stand around its braces" if re.search(r"[^A-Za-z0-9._-]", said) else ""


def name_of(template: str, outbound: Outbound) -> str:
    """The name of an interchange's file: the template with its fields, of which only harmless characters are kept."""
    said = {name: re.sub(r"[^A-Za-z0-9_-]", "_", value) for name, value in _fields(outbound).items()}
    return template.format(**said)


def usable(name: bytes) -> bool:
    """Whether a name that the payer gives is one of a finished file: no path, no control character, none of those in work."""
    if not 0 < len(name) <= NAME_BYTES_MAX or name.startswith(b".") or _FORBIDDEN.search(name) is not None:
        return False
    return not name.lower().endswith(_UNFINISHED)


def label(name: bytes) -> str:
    """A payer's name as it may be shown: printable ASCII, the rest told by number."""
    said = name.decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in said)

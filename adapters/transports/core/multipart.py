"""MIME multipart as CORE uses it: related (MTOM) and form-data, strict when written, lenient when read.

Lenient: lines may end in LF alone, the boundary may be quoted or not, names may lack their quotes, parts may have no headers but
the one that names them. Bounded: so many parts, headers of such a size.

Sources: RFC 2046 section 5.1, RFC 2387, RFC 7578.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["NotMultipart", "Part", "boundary_for", "parameters", "split", "written"]

_PARTS_MAX = 64
_HEAD_BYTES_MAX = 16 << 10
_PARAMETER = re.compile(r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)')


class NotMultipart(ValueError):
    """The body is not what its content type says."""


class Part(NamedTuple):
    """One part. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


@lru_cache(64)  # A peer says the same with each message.
def parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """A header such as Content-Type: what it says, and its parameters with names in lower case."""
    main, _, _ = value.partition(";")
    found = {
        name.lower(): re.sub(r"\\(.)", r"\1", given[1:-1]) if given.startswith('"') else given.strip()
        for name, given in _PARAMETER.findall(value[:4_000])
    }
    return main.strip().lower(), found


def split(body: bytes, boundary: str) -> list[Part]:
    """The parts of a body; NotMultipart where there are none, too many, or the last one is not closed."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    if len(mark) < 3:
        raise NotMultipart("a multipart body without a boundary")
    parts: list[Part] = []
    at = _next(body, mark, 0)
    while at >= 0:
        after = at + len(mark)
        if body[after : after + 2] == b"--":
            return parts
        begin = body.find(b"\n", after) + 1
        end = _next(body, mark, begin - 1) if begin else -1
        if end < 0 or len(parts) == _PARTS_MAX:
            break
        parts.append(_part(body, begin, end))
        at = end
    raise NotMultipart("a multipart body without its end, or with too many parts")


def _next(body: bytes, mark: bytes, start: int) -> int:
    """Where the next line begins that is a boundary, from a line's start or the line break before one; -1: nowhere."""
    while (at := body.find(mark, start)) >= 0:
        after = at + len(mark)
        # Another boundary may begin like this one.
        ends = body[after : after + 2] == b"--" or body[after : after + 80].lstrip(b" \t")[:1] in (b"\r", b"\n", b"")
        if ends and (at == 0 or body[at - 1 : at] == b"\n"):
            return at
        start = after
    return -1


def _part(body: bytes, begin: int, end: int) -> Part:
    # The line break before the boundary belongs to the boundary.
    end -= 2 if body[end - 2 : end] == b"\r\n" else 1
    end = max(end, begin)
    if body[begin : begin + 1] == b"\n" or body[begin : begin + 2] == b"\r\n":
        return Part({}, body[begin + (1 if body[begin : begin + 1] == b"\n" else 2) : end])
    head = re.compile(rb"\r?\n\r?\n").search(body, begin, min(end, begin + _HEAD_BYTES_MAX))
    if head is None:
        raise NotMultipart("a part without the end of its headers")
    headers: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", body[begin : head.start()].decode("latin-1")).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return Part(headers, body[head.end() : end])


def boundary_for(contents: Iterable[bytes]) -> str:
    """A boundary that occurs in none of the contents, the same for the same contents."""
    seed = hashlib.sha256()
    held = list(contents)
    for content in held:
        seed.update(content)
    while True:
        boundary = f"claimwire-{seed.hexdigest()[:40]}"
        if not any(boundary.encode() in content for content in held):
            return boundary
        seed.update(b"again")


def written(parts: Sequence[tuple[Sequence[str], bytes]], boundary: str) -> bytes:
    """Parts, each with its header lines, as one body with CRLF."""
    pieces: list[bytes] = []
    for headers, content in parts:
        head = "".join(f"{line}\r\n" for line in (f"--{boundary}", *headers, ""))
        pieces += (head.encode("utf-8"), content, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces)

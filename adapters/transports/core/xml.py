"""XML from strangers, read safely: no document type, no entities, no network, bounded size and depth (256, libxml2's own).

Sources: the defaults that libxml2 has for untrusted input, and what defusedxml refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol, cast

from lxml import etree as _lxml  # pyright: ignore[reportMissingTypeStubs, reportAttributeAccessIssue, reportUnknownVariableType]

__all__ = ["BYTES_MAX", "Element", "NotXml", "child", "local", "parse", "text"]

BYTES_MAX = 16 << 20
_MARKS_MAX = 20_000
# What an element or a declaration begins with, a byte order mark before it or not.
_BEGINNINGS = (b"<", b"\0<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([^\"']{0,60})")
_ENCODINGS = re.compile(rb"utf-?8|utf-?16(le|be)?|(us-)?ascii|latin-?1|iso-?8859-\d+|windows-125\d", re.IGNORECASE)
_etree = cast(Any, _lxml)
# It keeps nothing of a document, and threads take turns with it.
_PARSER = _etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


class NotXml(ValueError):
    """This is no XML that is read here; the message says what kind of trouble it is, never what stands in it."""


class Element(Protocol):
    """The part of lxml's element that is used here."""

    tag: str
    text: str | None
    attrib: Mapping[str, str]

    def __iter__(self) -> Iterator[Element]: ...
    def __len__(self) -> int: ...


def parse(body: bytes) -> Element:
    """The root of a document; NotXml for what is none, has a document type, or is larger or deeper than a message is."""
    if len(body) > BYTES_MAX:
        raise NotXml("too large")
    body = body.lstrip()
    if not _is_readable(body[: body.find(b">", 8, 400) + 1] or body[:400]):
        raise NotXml("its encoding is not read here")
    # In every encoding that is read a document type begins so; a parser that never sees one has no entities to expand.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"<\x00!\x00D\x00" in body or b"\x00<\x00!\x00D" in body:
        raise NotXml("a document type is not allowed")
    # Counted before there is a tree: a small element takes many times its bytes in memory.
    if body.count(b"<") > _MARKS_MAX:
        raise NotXml("too many elements")
    try:
        return cast(Element, _etree.fromstring(body, _PARSER))
    except (_etree.XMLSyntaxError, ValueError, LookupError):
        raise NotXml("this is no XML") from None


@lru_cache(64)  # A peer's messages begin alike.
def _is_readable(head: bytes) -> bool:
    """Whether a document is in an encoding in which a document type shows in its bytes: UTF-16, or one that has ASCII in it as it is.

    UTF-32, EBCDIC and UTF-7, which the parser reads too, would hide one.
    """
    if b"\0\0" in head[:8] or not head.startswith(_BEGINNINGS):
        return False
    declared = _DECLARED.match(head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe"))
    return declared is None or _ENCODINGS.fullmatch(declared[1]) is not None


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def child(element: Element | None, name: str) -> Element | None:
    """The first child of this local name."""
    if element is not None:
        for one in element:
            if local(one) == name:
                return one
    return None


def text(element: Element | None) -> str:
    """What an element says, without the blanks around it."""
    return (element.text or "").strip() if element is not None else ""

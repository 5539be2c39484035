"""What others wrote, as a terminal may show it.

A payer's file may hold what a terminal obeys: sequences that clear it, rename its window, or write over what stands there. Each such
character is shown as a sign of its own. In JSON it is escaped, which changes nothing for who reads that.

Sources: ECMA-48 (C0 and C1 control functions), Unicode annex 9, Unicode's block of control pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import typer

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["cells", "made_plain", "pieces_of_json", "plain", "print_json"]

# What is obeyed, and marks that turn the direction of what follows.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def plain(text: str) -> str:
    """A text on one line, with a sign in the place of each character that a terminal would obey."""
    return text if text.isascii() and text.isprintable() else _OBEYED.sub(_sign, text)


def made_plain(text: Text) -> Text:
    """The same of a text with colours of ours, which stay where they are: a sign is as long as what it stands for."""
    text.plain = plain(text.plain)
    return text


def cells(row: Iterable[str]) -> list[Text]:
    """The cells of a row of a table, whose brackets are brackets and no colours."""
    from rich.text import Text

    return [Text(plain(cell)) for cell in row]


def print_json(value: object) -> None:
    """Print a value as JSON over several lines."""
    typer.echo(pieces_of_json(msgspec.json.format(msgspec.json.encode(value)).decode()))


def pieces_of_json(text: str) -> str:
    """JSON, or a piece of it, in which what a terminal would obey is escaped; line breaks between its values stay."""
    return text if text.isascii() else _OBEYED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Below that only line breaks of the layout are left: the encoder escapes the others.
    return found[0] if code < 0x20 else f"\\u{code:04x}"

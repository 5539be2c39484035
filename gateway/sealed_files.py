"""Seals a file of any length under the master key, so that a change, a cut, or another key shows before anything of it is used.

A file is a line that names the format, a salt, and sealed pieces of one MiB. Each file has a key of its own out of master key and salt; a
piece's nonce is its number and whether it is the last one, so that pieces cannot be left out, swapped or added.

Sources: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (STREAM); RFC 5869.
"""

from __future__ import annotations

import io
import os
from typing import IO, TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["NotOpened", "Opening", "Sealing"]

_MAGIC = b"claimwire sealed file 1\n"
_SALT = 32
_TAG = 16
_PIECE = 1 << 20


class NotOpened(Exception):
    """The file is not a sealed one, was changed or cut short, or the key is another one. The message says which."""


def _key(master: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"claimwire sealed file").derive(master))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class Sealing(io.RawIOBase):
    """Writes a sealed file. What was written counts once `finish` has returned; without it the file never opens to its end."""

    def __init__(self, file: IO[bytes], master: bytes) -> None:
        super().__init__()
        salt = os.urandom(_SALT)
        self._file = file
        self._head = _MAGIC + salt
        self._key = _key(master, salt)
        self._kept = bytearray()
        self._number = 0
        file.write(self._head)

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        """Add to the content."""
        added = memoryview(content)
        self._kept += added
        # A full piece is kept back until more comes: it may be the last one.
        while len(self._kept) > _PIECE:
            self._put(self._kept[:_PIECE], last=False)
            del self._kept[:_PIECE]
        return added.nbytes

    def finish(self) -> None:
        """Write the last piece."""
        self._put(self._kept, last=True)
        self._kept.clear()

    def _put(self, piece: bytes | bytearray, *, last: bool) -> None:
        self._file.write(self._key.encrypt(_nonce(self._number, last), bytes(piece), self._head))
        self._number += 1


class Opening(io.RawIOBase):
    """Reads a sealed file. NotOpened as soon as a piece is not as it was sealed; nothing of that piece is given."""

    def __init__(self, file: IO[bytes], master: bytes) -> None:
        super().__init__()
        head = file.read(len(_MAGIC) + _SALT)
        if len(head) != len(_MAGIC) + _SALT or not head.startswith(_MAGIC):
            raise NotOpened("this is no sealed file of Claimwire")
        self._file = file
        self._head = head
        self._key = _key(master, head[len(_MAGIC) :])
        self._kept = memoryview(b"")
        self._number = 0
        self._next = file.read(_PIECE + _TAG)
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The next bytes of the content; 0 at its end, which is proved by then."""
        while not self._kept and not self._ended:
            self._kept = memoryview(self._piece())
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._kept))
        into[:size] = self._kept[:size]
        self._kept = self._kept[size:]
        return size

    def _piece(self) -> bytes:
        sealed, self._next = self._next, self._file.read(_PIECE + _TAG)
        last = not self._next
        try:
            piece = self._key.decrypt(_nonce(self._number, last), sealed, self._head)
        except InvalidTag:
            where = f"its piece {self._number + 1}"
            why = (
                "the key is another one, or the file was changed"
                if self._number == 0
                else "it was changed or cut short"
            )
            raise NotOpened(f"{where} does not open: {why}") from None
        self._number += 1
        self._ended = last
        return piece

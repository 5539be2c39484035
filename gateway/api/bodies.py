"""Bodies of requests: read as far as there is room for them and for their caller, and refused before memory grows."""

from __future__ import annotations

import asyncio

from aiohttp import http_exceptions, web

from gateway.limits import NOBODY, Room

__all__ = ["TOO_MUCH", "Bodies", "Held", "Unread"]

TOO_MUCH = "Too much is under way here: nothing was taken."

# A caller that sends nothing for so long is not waited for; nor is one who is not known and has not sent its little by then.
_PATIENCE_SECONDS = 30.0
_PIECE_BYTES = 256 << 10


class Unread(Exception):
    """A body that is not taken: the status to answer with, why, and what to do. Nothing of it is kept."""

    def __init__(self, status: int, title: str, detail: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Held:
    """A body on its way in, and the room that it has. `release` must be called when nobody needs it any more.

    `content` is what came of it, decompressed; `is_whole` says whether that is all.
    """

    __slots__ = ("_caller", "_request", "_room", "_taken", "content", "is_whole")

    def __init__(self, room: Room, request: web.Request, caller: str) -> None:
        self._room = room
        self._request = request
        self._caller = caller
        self._taken = 0
        self.content = b""
        self.is_whole = False
        room.enter(caller)

    async def read(self, at_most: int) -> None:
        """All of the body; Unread where it is too large, too slow, broken, or there is no room for it now."""
        said = self._request.content_length or 0
        if said > at_most:
            raise _too_large(at_most)
        # Room is taken for what was announced at once: else a thousand callers would each get the last piece.
        self._grow(said - self._taken)
        await self._more(at_most)
        if not self.is_whole:
            raise _too_large(at_most)
        self._room.give(self._caller, self._taken - len(self.content))
        self._taken = len(self.content)

    async def begin(self, length: int) -> None:
        """The whole body where it has at most so many bytes, else one byte more of it than that; Unread as in `read`."""
        try:
            # In all, not for each piece: a piece a minute would hold its place for days.
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._more(length)
        except TimeoutError:
            raise _too_slow() from None

    def belongs_to(self, caller: str) -> None:
        """Count the body as this caller's from now on. Unread where the caller has no room for it."""
        size, self._taken = self._taken, 0
        self._room.leave(self._caller, size)
        self._caller = caller
        self._room.enter(caller)
        self._grow(size)

    def release(self) -> None:
        """Give the room back."""
        self._room.leave(self._caller, self._taken)
        self._taken = 0

    async def _more(self, at_most: int) -> None:
        """Read on to the end, or until there is more than that."""
        content = self._request.content
        parts, have = [self.content], len(self.content)
        try:
            while have <= at_most:
                wanted = min(_PIECE_BYTES, at_most + 1 - have)
                if content.is_eof():
                    part = await content.read(wanted)
                else:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        part = await content.read(wanted)
                if not part:
                    self.is_whole = True
                    break
                have += len(part)
                self._grow(have - self._taken)
                parts.append(part)
        except TimeoutError:
            raise _too_slow() from None
        except (http_exceptions.HttpProcessingError, web.RequestPayloadError):
            raise Unread(
                400, "The body cannot be read.", "Its Transfer-Encoding or Content-Encoding is broken."
            ) from None
        self.content = parts[1] if len(parts) == 2 and not parts[0] else b"".join(parts)

    def _grow(self, size: int) -> None:
        if size > 0:
            if not self._room.take(self._caller, size, self._taken + size):
                raise Unread(503, TOO_MUCH, "Ask again later.", 1)
            self._taken += size


class Bodies:
    """The bodies under way in this process, in a room of so many bytes."""

    def __init__(self, under_way_max: int) -> None:
        self.room = Room(under_way_max)

    def hold(self, request: web.Request, caller: str = NOBODY) -> Held:
        """A body of which nothing was read yet, of the key with this id. It must be released."""
        return Held(self.room, request, caller)


def _too_slow() -> Unread:
    return Unread(408, "The body did not come.", "Send the whole body without long pauses.")


def _too_large(at_most: int) -> Unread:
    return Unread(413, "The body is too large.", f"It may have {at_most} bytes at most: send it in parts.")

"""Bodies of requests: read as far as there is room for them, and refused before memory grows."""

from __future__ import annotations

import asyncio

from aiohttp import http_exceptions, web

__all__ = ["TOO_MUCH", "Bodies", "Unread"]

TOO_MUCH = "Too much is under way here: nothing was taken."

# A caller that sends nothing for so long is not waited for.
_PATIENCE_SECONDS = 30.0


class Unread(Exception):
    """A body that is not taken: the status to answer with, why, and what to do. Nothing of it is kept."""

    def __init__(self, status: int, title: str, detail: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Bodies:
    """Counts the bytes of all bodies under way. What `read` gave must be given back with `release`."""

    def __init__(self, under_way_max: int) -> None:
        self.under_way = 0
        self._under_way_max = under_way_max

    async def read(self, request: web.Request, at_most: int) -> bytes:
        """The whole body, decompressed; Unread where it is too large, too slow, broken, or there is no room now."""
        said = request.content_length or 0
        if said > at_most:
            raise _too_large(at_most)
        content, taken = request.content, 0
        parts: list[bytes] = []
        try:
            # Room is taken for what was announced at once: else a thousand callers would each get the last piece.
            taken += self._take(said)
            length = 0
            while True:
                if content.is_eof():
                    part = await content.readany()
                else:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        part = await content.readany()
                if not part:
                    break
                length += len(part)
                if length > at_most:
                    raise _too_large(at_most)
                if length > taken:
                    taken += self._take(length - taken)
                parts.append(part)
            if length < taken:
                self.release(taken - length)
            return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException as error:
            self.release(taken)
            if isinstance(error, TimeoutError):
                raise Unread(408, "The body did not come.", "Send the whole body without long pauses.") from None
            if isinstance(error, (http_exceptions.HttpProcessingError, web.RequestPayloadError)):
                raise Unread(
                    400, "The body cannot be read.", "Its Transfer-Encoding or Content-Encoding is broken."
                ) from None
            raise

    def release(self, size: int) -> None:
        """Give back the room of a body that was read."""
        self.under_way -= size

    def _take(self, size: int) -> int:
        if self.under_way + size > self._under_way_max:
            raise Unread(503, TOO_MUCH, "Ask again later.", 1)
        self.under_way += size
        return size


def _too_large(at_most: int) -> Unread:
    return Unread(413, "The body is too large.", f"It may have {at_most} bytes at most: send it in parts.")

"""What goes wrong in exchanges that deliver nothing: collecting, settling, probing, fetching a token.

ExchangeFailed          the peer, the way to it, or the route's settings; never tells a payload, a secret or a URL
    AnswerTooLarge
    AnswerCut           `payload` is what had arrived
    UnexpectedStatus
"""

from __future__ import annotations

__all__ = ["AnswerCut", "AnswerTooLarge", "ExchangeFailed", "UnexpectedStatus"]


class ExchangeFailed(Exception):
    """An exchange with the peer came to nothing; the message is safe to log."""


class AnswerTooLarge(ExchangeFailed):
    """The peer sent more than an answer may have."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"the answer has more than {bytes_max} bytes")


class AnswerCut(ExchangeFailed):
    """The answer ended before its end. `payload` is what had arrived."""

    def __init__(self, why: str, payload: bytes) -> None:
        super().__init__(f"the answer was cut off: {why}")
        self.payload = payload


class UnexpectedStatus(ExchangeFailed):
    """The peer answered with a status that the exchange does not have."""

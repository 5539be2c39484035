"""What a caller prefers (RFC 7240): to be answered later, to wait no longer than so, to have the good ones taken.

A preference may be ignored; one that was honoured is told in `Preference-Applied`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.replies import Reply

__all__ = ["Patience", "patience_of", "preferences"]

_DIGITS_MAX = 6


class Patience(msgspec.Struct, frozen=True):
    """How long a caller waits: `seconds` at most where it says so, not at all where it would rather be answered later."""

    respond_async: bool = False
    seconds: int | None = None

    def waits(self, longest: float) -> float:
        """For how many seconds to wait where `longest` is what anybody waits."""
        if self.seconds is None:
            return 0.0 if self.respond_async else longest
        return min(float(self.seconds), longest)

    def applied(self, reply: Reply) -> Reply:
        """The reply with what of this was honoured."""
        honoured = ["respond-async"] if self.respond_async and reply.status == 202 else []
        if self.seconds is not None and reply.status in (200, 202):
            honoured.append(f"wait={self.seconds}")
        if not honoured:
            return reply
        headers = {**reply.headers, "Preference-Applied": ", ".join(honoured)}
        return Reply(reply.status, reply.body, reply.transaction_id, headers)


def preferences(values: Sequence[str]) -> Mapping[str, str]:
    """The preferences of a request's `Prefer` headers: names and values in lower case, the first of each."""
    found: dict[str, str] = {}
    for part in ",".join(values).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return found


def patience_of(values: Sequence[str]) -> Patience:
    """How long a caller waits, by its `Prefer` headers; a `wait` that is no number of seconds is none."""
    found = preferences(values)
    wait = found.get("wait", "")
    seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) <= _DIGITS_MAX else None
    return Patience("respond-async" in found, seconds)

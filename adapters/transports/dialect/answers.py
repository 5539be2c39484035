"""What an upstream's JSON says of an interchange that was posted to it: the X12 in it, and else whether it was taken.

An answer is known by the X12 that it holds: a 271 or 277 to a question, TA1, 999 and 277CA to claims. An upstream may as well give the
claims back as it sends them on, so what is in the field `x12` is looked at before it is believed to be an answer.

Sources: the dialect's `eligibility-response`, `claim-status-response` and `claim-response`; 005010X231A1, 005010X214.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from adapters.protocol import Context, Delivered, InDoubt, NotSent, Outbound, Outcome, Refused, Replied
from adapters.transports import http
from adapters.transports.http import Answer
from adapters.transports.whole import is_whole
from x12.syntax import runs

__all__ = ["outcome"]

# ST01 of what may answer, and TA1. Which of them answers what is seen when they are read.
_ANSWERS = frozenset(("TA1", "997", "999", "271", "277"))
# Statuses whose body may hold an answer: the request was read. 409 also says that the same claim came before.
_READ = frozenset((200, 400, 409, 422))
_NO_SUCH_PATH = frozenset((404, 405))
_CODE = re.compile(r"[A-Z]{0,3}[0-9]{1,4}")
_CODES_MAX = 5


class _Reference(msgspec.Struct, rename="camel"):
    correlation_id: str | None = None


class _Error(msgspec.Struct):
    code: str | None = None


class _Said(msgspec.Struct, rename="camel"):
    """The part of an answer's JSON that says what became of the request."""

    x12: str | None = None
    x12_claim_acknowledgement: str | None = None
    status: str | None = None
    claim_reference: _Reference | None = None
    errors: list[_Error] | None = None

    @property
    def is_taken(self) -> bool:
        return (self.status or "").upper() == "SUCCESS" and self.claim_reference is not None


def outcome(answer: Answer, outbound: Outbound, context: Context) -> Outcome:
    """What an answer means for the interchange that was posted."""
    said = _said(answer.body)
    if said and answer.status in _READ:
        held = _x12_in(said)
        found = _sets_in(held)
        if found and found <= _ANSWERS and is_whole(held):
            return Replied(held)
    is_question = outbound.set_id != "837"
    if answer.status == 200 and not is_question and said and said[0].is_taken:
        reference = said[0].claim_reference
        return Delivered((reference.correlation_id if reference is not None else None) or "")
    if answer.status == 202 and is_question:
        # It goes on asking; the same request under the same key gets what it hears.
        return InDoubt("the upstream has no answer yet")
    codes = _codes(said)
    if codes and (answer.status in (400, 422) or (answer.status == 502 and is_question)):
        # A gateway that is broken says no codes: this upstream asked, and tells what its own payer said.
        return Refused(str(answer.status), f"HTTP {answer.status}: {', '.join(codes)}")
    if answer.status in _NO_SUCH_PATH:
        # It says something about the route and nothing about the claims: one wrong letter in `url` must not reject a day of them.
        return NotSent(f"HTTP {answer.status}: there is no such path", http.CREDENTIALS_RETRY_SECONDS)
    meant = http.verdict(answer, context)
    # Words that were understood hold nothing for a person to look into.
    return InDoubt(meant.reason) if isinstance(meant, InDoubt) and codes else meant


def _said(body: bytes) -> list[_Said]:
    """One answer or, to several questions, a list; nothing where the body is none of the dialect's."""
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[_Said])
        return [msgspec.json.decode(body, type=_Said)]
    except ValueError:
        return []


def _x12_in(said: Sequence[_Said]) -> bytes:
    """The interchanges in the fields, each once."""
    texts = (text for one in said for text in (one.x12, one.x12_claim_acknowledgement) if text)
    whole = "".join(dict.fromkeys(texts))
    try:
        return whole.encode("latin-1")
    except UnicodeEncodeError:
        return whole.encode("utf-8", "replace")


def _sets_in(content: bytes) -> set[str]:
    """ST01 of the sets, and TA1."""
    found: set[str] = set()
    for run in runs(content):
        rows = (segment.split(run.delimiters.element, 2) for segment in run.segments)
        found |= {row[1] if row[0] == "ST" else row[0] for row in rows if row[0] in ("ST", "TA1") and len(row) > 1}
    return found


def _codes(said: Sequence[_Said]) -> list[str]:
    """The codes of errors, where they are codes: what is said in words may name a patient."""
    codes = (error.code or "" for one in said for error in one.errors or ())
    return list(dict.fromkeys(c for c in codes if _CODE.fullmatch(c)))[:_CODES_MAX]

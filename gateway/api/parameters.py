"""Parameters of the query: numbers between bounds, tokens of pages, lists of known words; what is wrong names its parameter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from gateway.api.operations import Call
from gateway.api.refusals import problem
from gateway.messages import ErrorItem, ErrorResponse
from gateway.replies import Reply
from gateway.world import to_micros

__all__ = ["TOKEN_DIGITS", "WrongParameter", "number", "problem_of", "refused", "since", "token", "words"]

TOKEN_DIGITS = 18


class WrongParameter(ValueError):
    """A parameter of the query is wrong: its name, and what it must be."""

    def __init__(self, name: str, must: str) -> None:
        super().__init__(f"{name} must be {must}.")
        self.name = name


def number(call: Call, name: str, least: int, most: int, default: int) -> int:
    """A number between two bounds."""
    text = call.request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise WrongParameter(name, f"a number between {least} and {most}")
    return int(text)


def token(call: Call, first: int) -> int:
    """Where to go on: a position of ours, or before the first."""
    text = call.request.query.get("pageToken")
    if text is None:
        return first
    if not (text.isascii() and text.isdigit() and len(text) <= TOKEN_DIGITS):
        raise WrongParameter("pageToken", "the nextPageToken of the page before")
    return int(text)


def since(call: Call) -> int:
    """The time behind which is asked for (`startDateTime`) in microseconds; 0 where none is named."""
    text = call.request.query.get("startDateTime")
    if text is None:
        return 0
    try:
        moment = datetime.fromisoformat(text)
        return to_micros(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise WrongParameter("startDateTime", "a time in ISO 8601, such as 2026-01-05T00:00:00Z") from None


def words(call: Call, name: str, known: Iterable[str]) -> list[str]:
    """A list of known words, repeated or with commas."""
    given = [word for text in call.request.query.getall(name, []) for word in text.split(",") if word]
    if any(word not in known for word in given):
        raise WrongParameter(name, f"of {', '.join(known)}")
    return given


def _item(error: WrongParameter) -> ErrorItem:
    return ErrorItem(code="400", description=str(error), field=error.name)


def refused(error: WrongParameter) -> Reply:
    """400 in the dialect's shape."""
    return Reply(400, msgspec.json.encode(ErrorResponse(status="ERROR", errors=[_item(error)])))


def problem_of(error: WrongParameter) -> web.Response:
    """400 as problem details."""
    return problem(400, str(error), errors=[_item(error)])

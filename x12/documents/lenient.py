"""Reads the dialect's JSON as callers really send it: unknown keys and nulls ignored, numbers taken where text is meant.

What cannot be taken is told all at once, each fault with its field path, and never by its value. A key that stands twice in
one object is refused: whoever judged the first and whoever acts on the last would have seen two different requests (RFC 8259, 4).
A byte order mark before it, as .NET writes one, is passed over (RFC 8259, 8.1).
"""

from __future__ import annotations

import json
import math
import typing
from base64 import b64decode
from functools import cache
from typing import Any, TypeVar

import msgspec

from x12.documents.binding import Document
from x12.finding import Finding

__all__ = ["BYTE_ORDER_MARK", "OneOf", "decode"]

D = TypeVar("D", bound=Document)
_DEPTH_MAX = 64
_NUMBER_MAX = 1e15
_DIGITS_MAX = 300
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class OneOf(Document):
    """An object of which exactly one member is given."""

    def __post_init__(self) -> None:
        if sum(value is not None for value in msgspec.structs.astuple(self)) != 1:
            raise ValueError("must have exactly one of its members")


def decode(cls: type[D], body: bytes) -> tuple[D | None, list[Finding]]:
    """A document out of JSON, or None with every reason why not."""
    made: D | None = None
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        made = _decoder(cls).decode(body)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, [_finding("", _syntax(error))]
    try:
        value = _value(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return None, [_finding("", _syntax(error))]
    # One `":` for each key, but where space stands between, or a text holds one: then it is looked at closely.
    findings = [] if body.count(b'":') - body.count(b'\\":') == _keys(value) else _repeated(cls, body)
    if made is not None:
        return (None, findings) if findings else (made, findings)
    fitted = _fit(value, cls, "", findings)
    if findings or fitted is None:
        return None, findings or [_finding("", "must be an object")]
    return msgspec.convert(fitted, cls), []


class _Beyond:
    """A number that is larger than any that can be meant."""


def _value(body: bytes) -> Any:
    """JSON as it stands. Only one number that is too large must not make all of it unreadable."""
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError:
        return json.loads(body, parse_int=_whole, parse_float=_fraction, parse_constant=_no_number)


def _whole(digits: str) -> int | _Beyond:
    return int(digits) if len(digits) <= _DIGITS_MAX else _Beyond()


def _fraction(text: str) -> float | _Beyond:
    number = float(text)
    return number if math.isfinite(number) else _Beyond()


def _no_number(_: str) -> Any:
    raise ValueError("JSON has no such number")


def _keys(value: Any) -> int:
    """How many keys all objects in a JSON value have together."""
    if type(value) is dict:
        inner: Any = value.values()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        count = len(value)  # pyright: ignore[reportUnknownArgumentType]
    else:
        inner, count = value if type(value) is list else (), 0  # pyright: ignore[reportUnknownVariableType]
    for one in inner:
        if type(one) is dict or type(one) is list:
            count += _keys(one)
    return count


class _Pairs(dict[str, Any]):
    """An object with the keys that stand in it more than once."""

    twice: frozenset[str] = frozenset()


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    made = _Pairs(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        made.twice = frozenset(name for name in names if names.count(name) > 1)
    return made


def _repeated(cls: type[Document], body: bytes) -> list[Finding]:
    """Keys that stand twice in one object. A key that is no field of ours is not named: it may be anything."""
    found: list[str] = []

    def visit(value: Any, hint: Any, path: str) -> None:
        kind = _options(hint)[0] if hint is not None else None
        if isinstance(value, _Pairs):
            fields = _fields(kind) if isinstance(kind, type) and issubclass(kind, Document) else {}
            for name, inner in value.items():
                known = name in fields
                at = f"{path}.{name}".lstrip(".") if known else path
                if name in value.twice:
                    found.append(at)
                visit(inner, fields.get(name), at)
        elif isinstance(value, list):
            item = typing.get_args(kind)[0] if typing.get_origin(kind) is list else None
            for index, inner in enumerate(typing.cast("list[Any]", value)):
                visit(inner, item, f"{path}[{index}]" if item is not None else path)

    try:
        visit(json.loads(body, object_pairs_hook=_pairs, parse_int=_whole), cls, "")
    except (ValueError, RecursionError) as error:
        return [_finding("", _syntax(error))]
    return [
        _finding(path, "has a key twice" if not path else "stands twice in one object") for path in dict.fromkeys(found)
    ]


def _syntax(error: Exception) -> str:
    """Where JSON breaks off, without quoting it."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    text = str(error)
    at = text.rpartition("byte ")[2].rstrip(")")
    where = f" at byte {at}" if at.isdigit() else ""
    return f"is not JSON{where}: send one object in UTF-8"


def _finding(path: str, message: str) -> Finding:
    return Finding(1, "element", "", f"{path or 'the body'} {message}.", path=path or None)


@cache
def _decoder(cls: type[D]) -> msgspec.json.Decoder[D]:
    return msgspec.json.Decoder(cls)


@cache
def _fields(cls: type[Document]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(cls)}


def _options(hint: Any) -> list[Any]:
    if typing.get_origin(hint) is list:
        return [hint]
    return [a for a in typing.get_args(hint) if a is not type(None)] or [hint]


def _fit(value: Any, hint: Any, path: str, findings: list[Finding], depth: int = 0) -> Any:
    """The value as the hint wants it, or None after reporting why it cannot be."""
    kind = _options(hint)[0]
    if value is None:
        return None
    if depth > _DEPTH_MAX:
        findings.append(_finding(path, "is nested too deeply"))
        return None
    if typing.get_origin(kind) is list:
        return _fit_list(value, typing.get_args(kind)[0], path, findings, depth)
    if isinstance(kind, type) and issubclass(kind, Document):
        return _fit_object(value, kind, path, findings, depth)
    return _fit_scalar(value, kind, path, findings)


def _fit_list(value: Any, item: Any, path: str, findings: list[Finding], depth: int) -> list[Any] | None:
    if not isinstance(value, list):
        findings.append(_finding(path, "must be a list"))
        return None
    items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
    fitted = (_fit(v, item, f"{path}[{i}]", findings, depth + 1) for i, v in enumerate(items))
    return [v for v in fitted if v is not None]


def _fit_object(
    value: Any, kind: type[Document], path: str, findings: list[Finding], depth: int
) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        findings.append(_finding(path, "must be an object"))
        return None
    given: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    out: dict[str, Any] = {}
    for name, hint in _fields(kind).items():
        if given.get(name) is not None:
            fitted = _fit(given[name], hint, f"{path}.{name}" if path else name, findings, depth + 1)
            if fitted is not None:
                out[name] = fitted
    within = f"{path}." if path else ""
    missing = (f.encode_name for f in msgspec.structs.fields(kind) if f.required)
    findings += [_finding(f"{within}{name}", "is required") for name in missing if given.get(name) is None]
    if issubclass(kind, OneOf) and sum(given.get(name) is not None for name in _fields(kind)) != 1:
        findings.append(_finding(path, f"must have exactly one of {', '.join(_fields(kind))}"))
    return out


def _fit_scalar(value: Any, kind: Any, path: str, findings: list[Finding]) -> Any:
    if isinstance(value, _Beyond):
        findings.append(_finding(path, "is too large a number"))
    elif kind is str:
        if isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _digits(value)
        findings.append(_finding(path, "must be a string"))
    elif kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.strip().isdigit():
            return int(value)
        findings.append(_finding(path, "must be a whole number"))
    elif kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _NUMBER_MAX:
            return float(value)
        findings.append(_finding(path, "must be a number"))
    elif kind is bytes:
        try:
            if isinstance(value, str):
                return b64decode(value, validate=True)
        except ValueError:
            pass
        findings.append(_finding(path, "must be Base64"))
    elif kind is bool:
        if isinstance(value, bool):
            return value
        findings.append(_finding(path, "must be true or false"))
    return None


def _digits(number: float) -> str:
    """A JSON number as the text that was meant: no exponent, no `.0`."""
    if isinstance(number, int) or number.is_integer():
        return str(int(number))
    return format(number, "f").rstrip("0")

"""Reads tables of a configuration into structs: every fault at once, each with the place of its key and what to do."""

from __future__ import annotations

import difflib
import types
import typing
from functools import cache
from typing import Any, TypeVar

import msgspec

__all__ = ["read_table", "read_texts"]

S = TypeVar("S", bound=msgspec.Struct)


def read_table(raw: dict[str, Any], kind: type[S], where: str = "") -> tuple[S | None, list[str]]:
    """A struct out of a table, or None with every reason why not. `where` is the place of the table in its file."""
    values: dict[str, Any] = {}
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    faults = [_said(where, f"{key!r} is not a key{_hint(key, fields)}") for key in raw if key not in fields]
    for key, field in fields.items():
        if key in raw:
            values[field.name] = _value(raw[key], _hints(kind)[field.name], _at(where, key), faults)
        elif field.required:
            faults.append(_said(where, f"{key!r} is missing"))
    if faults:
        return None, faults
    try:
        return kind(**values), []
    except ValueError as error:
        return None, [_said(where, str(error))]


def read_texts(raw: dict[str, Any], where: str, faults: list[str]) -> dict[str, str]:
    """A table of texts, such as what an adapter is told. TOML writes a number or a truth value without quotes: here it is that text."""
    texts: dict[str, str] = {}
    for key, value in raw.items():
        if isinstance(value, str):
            texts[key] = value
        elif isinstance(value, bool | int | float):
            texts[key] = str(value).lower()
        else:
            faults.append(f"{_at(where, key)}: this is no text, no number, and neither true nor false")
    return texts


def _said(where: str, text: str) -> str:
    return f"{where}: {text}" if where else text


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _hint(key: str, fields: dict[str, Any]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    return f": did you mean {near[0]!r}?" if near else f": the keys are {', '.join(sorted(fields))}"


def _value(value: Any, hint: Any, where: str, faults: list[str]) -> Any:
    """A value of a table, read into what the struct wants there."""
    inner = _struct_in(hint)
    if inner is not None and isinstance(value, dict):
        made, found = read_table(value, inner, where)  # pyright: ignore[reportUnknownArgumentType]
        faults += found
        return made
    if _bare(hint) == dict[str, str] and isinstance(value, dict):
        return read_texts(value, where, faults)  # pyright: ignore[reportUnknownArgumentType]
    if inner is None and typing.get_origin(_bare(hint)) is list and isinstance(value, list):
        (of,) = typing.get_args(_bare(hint))
        if _struct_in(of) is not None:
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
            return [_value(one, of, f"{where}[{index}]", faults) for index, one in enumerate(items)]
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        faults.append(f"{where}: {_worded(str(error))}")
        return None


def _worded(message: str) -> str:
    """A message of msgspec's with its own idea of a path as ours."""
    text, _, path = message.partition(" - at `$")
    return f"{text} (at {path.rstrip('`')})" if path.rstrip("`") else text


def _bare(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or that it is beside None."""
    hint = _bare(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        found = [one for one in map(_struct_in, typing.get_args(hint)) if one is not None]
        return found[0] if len(found) == 1 else None
    return hint if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else None

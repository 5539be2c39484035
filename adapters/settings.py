"""Settings and secrets of a route, typed: an adapter says what it takes as a struct, and every fault is told at once.

Configuration is text; a field of another type is read from it as JSON would be ("30" is a number). What a field is for is
its `description`, and the tables of the documents are made from it.

Errors:
    SettingsError           a route cannot be used as it is configured; tells keys and what to do, never a value
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

__all__ = ["HttpUrl", "Setting", "SettingsError", "described", "problems", "read"]

S = TypeVar("S", bound=msgspec.Struct)

# Whole, with a host, and without a login: that would end up in the messages of the HTTP client.
HttpUrl = Annotated[
    str,
    msgspec.Meta(pattern=r"^https?://[^\s/@?#]{1,255}(/[^\s?#]*)?(\?[^\s#]*)?$", max_length=2_000),
]
# JSON's own words for what a text may hold, in ours.
_WORDED = (("Expected `int`, got `str`", "this is no whole number"), ("Expected `float`, got `str`", "this is no number"),
           ("Expected `bool`, got `str`", "say true or false"))  # fmt: skip


class SettingsError(ValueError):
    """The settings of a route cannot be used. `problems` has every fault, each naming its key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class Setting(msgspec.Struct, frozen=True):
    """One key as the documents show it."""

    name: str
    required: bool
    default: str
    description: str


def read(kind: type[S], given: Mapping[str, str]) -> S:
    """What was configured, as the adapter's own struct; SettingsError with every fault."""
    # Asked for with every delivery: what cannot be changed is read once.
    return _read_once(kind, tuple(given.items())) if kind.__struct_config__.frozen else _read(kind, given)


@lru_cache(256)
def _read_once(kind: type[S], given: tuple[tuple[str, str], ...]) -> S:
    return _read(kind, dict(given))


def _read(kind: type[S], given: Mapping[str, str]) -> S:
    values, faults = _converted(kind, given)
    if faults:
        raise SettingsError(faults)
    try:
        return kind(**values)
    except ValueError as error:
        # From __post_init__: what the fields must be to each other, in the adapter's own words.
        raise SettingsError([str(error)]) from None


def problems(kind: type[msgspec.Struct], given: Mapping[str, str]) -> list[str]:
    """Every fault of what was configured; none when it can be used."""
    try:
        read(kind, given)
    except SettingsError as error:
        return list(error.problems)
    return []


def described(kind: type[msgspec.Struct]) -> list[Setting]:
    """The keys that an adapter takes, in its own order."""
    found: list[Setting] = []
    for field in msgspec.structs.fields(kind):
        default = "" if field.default in (msgspec.NODEFAULT, None, "") else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        hint = _hints(kind)[field.name]
        found.append(Setting(field.name, field.required, default, _description(hint)))
    return found


def _converted(kind: type[msgspec.Struct], given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    fields = _fields(kind)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for key, text in given.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(fields) or 'none'}"
            faults.append(f"{key}: not known, {known}")
            continue
        try:
            values[key] = msgspec.convert(text, _hints(kind)[key], strict=False)
        except msgspec.ValidationError as error:
            faults.append(f"{key}: {_worded(str(error), _description(_hints(kind)[key]))}")
    faults.extend(f"{f.name}: missing, needed for {_description(_hints(kind)[f.name]) or 'this adapter'}"
                  for f in fields.values() if f.required and f.name not in given)  # fmt: skip
    return values, faults


def _worded(said: str, description: str) -> str:
    for theirs, ours in _WORDED:
        if said.startswith(theirs):
            said = ours
    # msgspec repeats no value in its messages but the pattern, and nobody reads those.
    said = "this is not of the right form" if "regex" in said else said.replace("Expected ", "expected ")
    said = "none of its choices" if said.startswith("Invalid enum value") else said
    return f"{said} ({description})" if description else said


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    # Asked for with every delivery, and msgspec reads the types anew each time.
    return {f.name: f for f in msgspec.structs.fields(kind)}


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _description(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return next((d for part in get_args(hint) if (d := _description(part))), "")
    if get_origin(hint) is not Annotated:
        return ""
    said = [m.description for m in get_args(hint)[1:] if isinstance(m, msgspec.Meta) and m.description]
    return said[-1] if said else ""

"""What a field of a struct is, in words: from `fields.txt`, from its place in X12, or from the struct that it holds.

`fields.txt` is the one place for words that cannot be derived: `name<TAB>sentence` for a field of that name anywhere,
`Component.name<TAB>sentence` for that of one component, which goes before all else, and `Component.name?<TAB>value` for what is
meant where a request does not have the field.
"""

from __future__ import annotations

import re
import typing
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from x12.documents.binding import Place, spec_of

__all__ = ["described", "hints_of", "is_described", "sentences"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ABBREVIATIONS: dict[str, str] = {
    "npi": "NPI", "ssn": "SSN", "id": "identifier", "naic": "NAIC", "upin": "UPIN", "epsdt": "EPSDT", "ein": "EIN",
    "x12": "X12", "hcpcs": "HCPCS", "drg": "DRG", "apg": "APG", "esrd": "ESRD", "cob": "COB", "ref": "reference",
    "isa": "ISA", "tax": "tax", "amt": "amount", "qty": "quantity", "ids": "identifiers",
}  # fmt: skip
_SHOWN_MAX = 12


@cache
def sentences() -> dict[str, str]:
    """The sentences of `fields.txt` by field, or by component and field."""
    text = resources.files("gateway.api").joinpath("fields.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: sentence for name, _, sentence in (line.partition("\t") for line in lines)}


@cache
def hints_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The annotations of a struct's fields by their JSON names; cached, since working them out is slow."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.encode_name: hints[f.name] for f in msgspec.structs.fields(cls)}


def is_described(cls: type[msgspec.Struct], component: str, field: str) -> bool:
    """Whether more is known of a field than its name."""
    return _found(cls, component, field) is not None


def described(cls: type[msgspec.Struct], component: str, field: str) -> str:
    """What a field is, in a sentence or two."""
    text = _found(cls, component, field) or f"{words(field)}."
    usual = sentences().get(f"{component}.{field}?")
    return f"{text} Where it is not given: {usual}." if usual else text


def _found(cls: type[msgspec.Struct], component: str, field: str) -> str | None:
    told = sentences()
    said = told.get(f"{component}.{field}")
    if said is not None:
        return said
    hint = hints_of(cls)[field]
    placed = _placed(hint)
    if placed is not None:
        return f"{words(field)}. {placed}"
    if field in told:
        return told[field]
    inner = _inner(hint)
    return None if inner is None else (inner.__doc__ or "").strip().partition("\n")[0]


def words(name: str) -> str:
    """A camelCase name as words, the first with a capital."""
    parts: list[str] = _WORD.findall(name)
    text = " ".join(_ABBREVIATIONS.get(w.lower(), w if w.isupper() and len(w) > 1 else w.lower()) for w in parts)
    return text[:1].upper() + text[1:]


def _inner(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds, alone or in a list."""
    if isinstance(hint, type):
        return hint if issubclass(hint, msgspec.Struct) else None
    return next((found for a in typing.get_args(hint) if (found := _inner(a)) is not None), None)


def _placed(hint: Any) -> str | None:
    """Where a field stands in X12, and how."""
    spec = spec_of(hint)
    if spec is None or spec.kind == "by hand" or (spec.kind == "nowhere" and spec.value):
        return None
    if spec.kind == "nowhere":
        return "The guide has no room for it: it is taken, not sent, and warned of."
    if spec.kind == "inside":
        return f"X12: loop {' or '.join(spec.loops)}."
    assert spec.place is not None
    how = _VALUED.get(spec.kind, "").format(spec.value) or _KINDS.get(spec.kind, "")
    return f"{how}X12: {_where(spec.place)}.{_table(spec.table)}"


# What a binding means beyond its place.
_KINDS = {
    "binary": "Base64. ",
    "start": "The first day, CCYYMMDD. ",
    "end": "The last day, CCYYMMDD. ",
    "period": "A day (CCYYMMDD), a minute (CCYYMMDDHHMM), or two days with a hyphen between. ",
    "each": "In order. ",
    "composites": "In order. ",
    "repeats": "In order. ",
    "groups": "In order. ",
    "rows": "A list for each segment. ",
    "segments": "One for each segment. ",
    "meaning": "In words. ",
}
_VALUED = {
    "contact": "The number behind the qualifier {}. ",
    "flag": "True is sent as {}. ",
    "yes or no": "True is Y, false N. ",
}


def _where(place: Place) -> str:
    segment = "" if place.segment == "@" else place.segment
    element = f"{place.element:02d}" if place.element else ""
    component = f"-{place.component}" if place.component else ""
    told = f"{segment}{element}{component}" if segment else f"element {element}{component} of its group"
    if place.loops:
        told = f"loop {' or '.join(place.loops)}, {told}"
    conditions = [f"{segment}01 is {place.qualifiers[0]}"] if place.qualifiers and place.qualifiers[0] else []
    conditions += [
        f"{segment or 'element '}{e:02d}{f'-{c}' if c else ''} is {v.replace('|', ' or ')}"
        for e, c, v in {*place.conditions, *place.written}
    ]
    return told + (f" where {' and '.join(sorted(set(conditions)))}" if conditions else "")


def _table(table: Any) -> str:
    if not table or len(table) > _SHOWN_MAX:
        return ""
    return " One of: " + ", ".join(dict.fromkeys(table.values())) + "."

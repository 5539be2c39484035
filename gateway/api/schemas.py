"""JSON schemas of the structs that operations take and give: short stable names, and a description of every field."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from gateway.api.field_words import described, hints_of

__all__ = ["Components", "components_of"]

_REFERENCE = "#/components/schemas/{name}"
# What stands before the name of a struct whose name another struct has, too: by the module it is from.
_PREFIXES = {
    "claim_acknowledgement": "Report",
    "claim_parts": "Claim",
    "claim_status": "Inquiry",
    "dental_claim": "Dental",
    "dental_line": "Dental",
    "eligibility": "Eligibility",
    "eligibility_request": "Eligibility",
    "institutional_claim": "Institutional",
    "institutional_line": "Institutional",
    "institutional_parts": "Institutional",
    "professional_claim": "Professional",
    "remittance_claim": "Remittance",
    "service_line": "Professional",
}


@dataclass(frozen=True)
class Components:
    """Schemas by name, and the schema that stands for each type that was asked for."""

    schemas: dict[str, Any]
    _of: Mapping[int, Any]

    def of(self, kind: Any) -> Any:
        """The schema of a type, one of those that the components were made of."""
        return self._of[id(kind)]


def components_of(takes: Iterable[Any], gives: Iterable[Any]) -> Components:
    """The components of all types that operations take and give. Only what is taken may be null: nulls are ignored there."""
    taken = list(takes)
    types = [*taken, *gives]
    made, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    classes = _classes(types)
    names = _names(classes)
    accepted = {names[c] for c in _classes(taken)}
    out: dict[str, Any] = {}
    called = {f.name: f.encode_name for cls in classes for f in msgspec.structs.fields(cls)}
    for cls in classes:
        name = names[cls]
        schema = schemas.get(cls.__name__) or schemas[f"{cls.__module__}.{cls.__qualname__}"]
        out[name] = _component(cls, name, schema, called, nullable=name in accepted)
    renamed = {f"{c.__module__}.{c.__qualname__}": n for c, n in names.items()}
    out = {n: _referring(s, renamed) for n, s in sorted(out.items())}
    return Components(out, {id(t): _referring(s, renamed) for t, s in zip(types, made, strict=True)})


def _classes(types: Iterable[Any]) -> list[type[msgspec.Struct]]:
    """All structs in these types, in the order in which they are met."""
    found: dict[type[msgspec.Struct], None] = {}

    def visit(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            if hint not in found:
                found[hint] = None
                for inner in hints_of(hint).values():
                    visit(inner)
        else:
            for inner in typing.get_args(hint):
                visit(inner)

    for kind in types:
        visit(kind)
    return list(found)


def _names(classes: Iterable[type[msgspec.Struct]]) -> dict[type[msgspec.Struct], str]:
    """A name for each struct: its own, behind a word for its module where another one has the same."""
    same: dict[str, list[type[msgspec.Struct]]] = {}
    for cls in classes:
        same.setdefault(cls.__name__, []).append(cls)
    names: dict[type[msgspec.Struct], str] = {}
    for name, those in same.items():
        for cls in those:
            names[cls] = name if len(those) == 1 else _prefix(cls) + name
    if len(set(names.values())) < len(names):
        twice = sorted(n for n in names.values() if list(names.values()).count(n) > 1)
        raise ValueError(f"two components would be called {', '.join(twice)}: add a word for a module to _PREFIXES")
    return names


def _prefix(cls: type) -> str:
    module = cls.__module__.rpartition(".")[2]
    return _PREFIXES.get(module) or "".join(w.capitalize() for w in module.split("_"))


def _component(
    cls: type[msgspec.Struct], name: str, schema: dict[str, Any], called: Mapping[str, str], *, nullable: bool
) -> dict[str, Any]:
    """A struct's schema with its fields described, and without what says nothing: titles, defaults of null.

    `called` has the JSON names of fields: sentences about structs are docstrings, which call fields as Python does.
    """
    made = {k: v for k, v in schema.items() if k != "title"}
    own = {**called, **{f.name: f.encode_name for f in msgspec.structs.fields(cls)}}
    if "description" in made:
        made["description"] = _in_json(inspect.cleandoc(made["description"]), own)
    properties: dict[str, Any] = {}
    for field, one in made.get("properties", {}).items():
        text = _in_json(described(cls, name, field), own)
        properties[field] = {"description": text, **_plain(one, nullable=nullable)}
    if properties:
        made["properties"] = properties
    return made


def _in_json(text: str, called: Mapping[str, str]) -> str:
    """A sentence with the JSON names of the fields that it names."""
    return re.sub(r"`(\w+)`", lambda found: f"`{called.get(found[1], found[1])}`", text)


def _plain(schema: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """`anyOf` of one schema and null as that schema, nullable or not; nulls are no defaults."""
    out = {k: v for k, v in schema.items() if not (k == "default" and v is None)}
    options = [o for o in out.get("anyOf", ()) if o != {"type": "null"}]
    if len(options) != 1:
        return out
    del out["anyOf"]
    only = options[0]
    if not nullable:
        return {**out, **only}
    if isinstance(only.get("type"), str) and "enum" not in only:
        return {**out, **only, "type": [only["type"], "null"]}
    return {**out, "anyOf": [only, {"type": "null"}]}


_TARGET = re.compile(r"^#/components/schemas/(.+)$")


def _referring(value: Any, renamed: Mapping[str, str]) -> Any:
    """A copy whose references have the names that components have now."""
    if isinstance(value, dict):
        return {k: _referring(v, renamed) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_referring(v, renamed) for v in cast("list[Any]", value)]
    if isinstance(value, str) and (found := _TARGET.match(value)):
        return _REFERENCE.format(name=renamed.get(found[1], found[1]))
    return value

"""What the bindings of a document mean when it is read, followed field by field and segment by segment: the reference for the reader.

A field is read from the nearest loop that its place names, out of the first segment of its id and qualifiers that has a value; a
struct without a value is absent. Nothing is prepared, remembered or generated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from x12.documents.binding import Bound, Document, Place, Plan, plan_of
from x12.syntax import Delimiters
from x12.tree import Instance

__all__ = ["plainly_read"]


def plainly_read(cls: type[Document], instance: Instance) -> Document | None:
    """The struct that a loop and what is in its scope hold; None where that is nothing."""
    return _struct(plan_of(cls), instance)


def _struct(plan: Plan, instance: Instance) -> Document | None:
    return _made(plan, {field.name: _found(field, instance) for field in plan.fields})


def _made(plan: Plan, values: dict[str, Any]) -> Document | None:
    told = {name: value for name, value in values.items() if value is not None}
    return plan.cls(**told) if told else None


def _found(field: Bound, instance: Instance) -> Any:
    spec, plan = field.spec, field.plan
    if spec.kind == "part" and plan is not None:
        return _struct(plan, instance)
    if spec.kind == "inside" and plan is not None:
        if field.many:
            return [_struct(plan, child) or plan.cls() for child in instance.inside(*spec.loops)] or None
        where = instance.near(*spec.loops)
        return None if where is None else _struct(plan, where)
    if spec.place is None:
        return None
    where = instance.near(*spec.place.loops) if spec.place.loops else instance
    rows = where.rows().get(spec.place.segment, []) if where is not None else []
    delimiters = instance.delimiters
    values = [
        value
        for row in rows
        if _is_for(spec.place, row, delimiters) and (value := _value(field, row, delimiters)) is not None
    ]
    if spec.kind in ("segments", "rows"):
        return values or None
    return values[0] if values else None


def _is_for(place: Place, row: Sequence[str], delimiters: Delimiters) -> bool:
    """Whether a segment has one of the place's qualifiers as its first element, or as that one's first component."""
    first = row[1] if len(row) > 1 else ""
    return not place.qualifiers or first in place.qualifiers or first.split(delimiters.component)[0] in place.qualifiers


def _get(row: Sequence[str], element: int, component: int, delimiters: Delimiters) -> str:
    value = row[element] if element < len(row) else ""
    if not component:
        return value
    parts = value.split(delimiters.component)
    return parts[component - 1] if component <= len(parts) else ""


def _row(plan: Plan, row: Sequence[str], delimiters: Delimiters) -> Document | None:
    """The struct that one segment, or a group of elements, holds."""
    values = {
        field.name: _row(field.plan, row, delimiters)
        if field.spec.kind == "part" and field.plan is not None
        else _value(field, row, delimiters)
        if field.spec.place is not None and _is_for(field.spec.place, row, delimiters)
        else None
        for field in plan.fields
    }
    return _made(plan, values)


def _groups(field: Bound, row: Sequence[str], delimiters: Delimiters) -> list[Any]:
    spec, place = field.spec, field.spec.place
    assert place is not None
    starts = spec.starts or range(place.element, min(spec.last + 1, len(row)), spec.size)
    if field.plan is None:
        return [row[e] for e in starts if e < len(row) and row[e]]
    made = [_row(field.plan, ["@", *row[first : first + spec.size]], delimiters) for first in starts]
    return [item for item in made if item is not None]


def _value(field: Bound, row: Sequence[str], delimiters: Delimiters) -> Any:
    """What a segment says of a field; None for nothing."""
    spec, place = field.spec, field.spec.place
    assert place is not None
    if any(_get(row, e, c, delimiters) not in codes.split("|") for e, c, codes in place.conditions):
        return None
    value, table = _get(row, place.element, place.component, delimiters), spec.table or {}
    repeated = value.split(delimiters.repetition) if value and delimiters.repetition else [value]
    match spec.kind:
        case "segments" if field.plan is not None:
            return _row(field.plan, row, delimiters) or field.plan.cls()
        case "at" if field.integer:
            return int(value) if len(value) < 19 and value.isascii() and value.isdigit() else None
        case "at" | "period" | "segments":
            return value or None
        case "groups":
            return _groups(field, row, delimiters) or None
        case "rows" if field.plan is not None:
            return _groups(field, row, delimiters) or None
        case "rows" | "composites":
            return [p for e in range(place.element, spec.last + 1) if (p := _get(row, e, 2, delimiters))] or None
        case "each" if place.component:
            return [
                p for c in range(place.component, spec.last + 1) if (p := _get(row, place.element, c, delimiters))
            ] or None
        case "each":
            return [p for e in range(place.element, spec.last + 1) if (p := _get(row, e, 0, delimiters))] or None
        case "meaning" if field.many:
            return [table[code] for code in repeated if code in table] or None
        case _:
            return _single(field, row, value, repeated)


def _single(field: Bound, row: Sequence[str], value: str, repeated: list[str]) -> Any:
    spec = field.spec
    assert spec.place is not None
    table = spec.table or {}
    match spec.kind:
        case "meaning":
            return table.get(value)
        case "coded":
            return table.get(value, value) or None
        case "start":
            return value.partition("-")[0] or None
        case "end":
            return value.partition("-")[2] or None
        case "flag":
            return True if value == spec.value else None
        case "yes or no":
            return {"Y": True, "N": False}.get(value)
        case "repeats":
            return repeated if value else None
        case "contact":
            pairs = (1,) if spec.place.segment == "@" else (3, 5, 7)
            told = [row[at + 1] for at in pairs if at + 1 < len(row) and row[at] == spec.value]
            return told[0] or None if told else None
        case "binary":
            return _bytes(value)
        case kind:
            raise AssertionError(kind)


def _bytes(value: str) -> bytes | None:
    try:
        return value.encode("latin-1") or None
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")

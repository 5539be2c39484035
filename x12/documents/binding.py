"""Binds the fields of a typed document to their places in a guide, once, for both directions.

A document is a msgspec struct whose JSON names are the dialect's. Each field says where it lives in X12 with one of the
functions below, for example `member_id: Annotated[Text, at("2010BA NM109 NM108=MI")] = None`. Reading fills the struct
from a walked transaction set; writing makes segments of it, in the guide's order, with every element that only one code
can fill added from the guide, and remembers which field each element came from, so that a finding names the field.

A place is `[loop ]segment[[qualifiers]]element[-component][ condition...]`: `REF[EI]02` is element 02 of the REF whose first
element is EI; a condition such as `NM108=MI` must hold when reading and is written when writing, `NM108~MI` is only written, and `PWK02=AB|NS` (one of
several) only must hold.
Without a loop, the place is in the loop that the struct is bound to; a loop elsewhere (`2100C|2100D` for either) is looked
for inside, beside and above it, nearest first. `x12.documents.writing` goes the other way.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from x12.guides import Loop
from x12.syntax import Delimiters
from x12.walk import Instance

__all__ = [
    "Bound",
    "Document",
    "Place",
    "Plan",
    "Text",
    "at",
    "by_hand",
    "coded",
    "composites",
    "contact",
    "each",
    "end_of",
    "flag",
    "groups",
    "inside",
    "meaning",
    "nowhere",
    "parse_place",
    "period",
    "plan_of",
    "read",
    "repeats",
    "segments",
    "spread",
    "start_of",
    "without_blanks",
    "yes_no",
]

Text = str | None
D = TypeVar("D", bound="Document")
Out = dict[str, Any]


class Document(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A JSON object of the dialect. Absent and null are the same; unknown keys are ignored."""


class Place(NamedTuple):
    """Where a value stands. `component` 0 means the whole element; a relative place has segment `@`."""

    loops: tuple[str, ...]
    segment: str
    qualifiers: tuple[str, ...]
    element: int
    component: int
    conditions: tuple[tuple[int, int, str], ...]
    written: tuple[tuple[int, int, str], ...]

    def __str__(self) -> str:
        qualifiers = f"[{','.join(self.qualifiers)}]" if self.qualifiers else ""
        element = f"{self.element:02d}" if self.element else ""
        component = f"-{self.component}" if self.component else ""
        return f"{'|'.join(self.loops)} {self.segment}{qualifiers}{element}{component}".strip()


_PLACE = re.compile(
    r"(?:(\d[0-9A-Z|]{2,}) )?(@|[A-Z]{2,3}|[A-Z]{1,2}\d|[A-Z]\d|[A-Z]{2}\d)(?:\[([^\]]+)\])?(\d\d)?(?:-(\d+))?((?: \S+)*)"
)
_CONDITION = re.compile(r"(?:@|[A-Z]{2,3}|[A-Z]{1,2}\d)(\d\d)(?:-(\d+))?([=~])(\S+)")


@cache
def parse_place(text: str) -> Place:
    """A place out of its notation; ValueError when it is not one."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a place: {text!r}")
    conditions: list[tuple[int, int, str]] = []
    written: list[tuple[int, int, str]] = []
    for word in match[6].split():
        found = _CONDITION.fullmatch(word)
        if found is None:
            raise ValueError(f"not a condition: {word!r} in {text!r}")
        value = (int(found[1]), int(found[2] or 0), found[4])
        if "|" not in found[4]:
            written.append(value)
        if found[3] == "=":
            conditions.append(value)
    loops = tuple(match[1].split("|")) if match[1] else ()
    qualifiers = tuple(match[3].split(",")) if match[3] else ()
    return Place(loops, match[2], qualifiers, int(match[4] or 0), int(match[5] or 0), tuple(conditions), tuple(written))


@dataclass(frozen=True, slots=True)
class Spec:
    """How one field meets X12; made by the functions below."""

    kind: str
    place: Place | None = None
    last: int = 0
    size: int = 1
    starts: tuple[int, ...] = ()
    loops: tuple[str, ...] = ()
    table: Mapping[str, str] | None = None
    value: str = ""
    default: str = ""
    codes: tuple[str, ...] = ()


def _meta(spec: Spec) -> msgspec.Meta:
    return msgspec.Meta(extra={"x12": spec})


def at(place: str, default: str = "") -> msgspec.Meta:
    """The element or component at a place, `default` written where the field is absent. On an integer field the digits."""
    return _meta(Spec("at", parse_place(place), default=default))


def coded(place: str, table: Mapping[str, str], default: str = "") -> msgspec.Meta:
    """The words for the code at a place; written back as the code. `default` is the code where the field is absent."""
    return _meta(Spec("coded", parse_place(place), table=table, default=default))


def start_of(place: str) -> msgspec.Meta:
    """The first (or only) date of a period: element 1251 behind its 1250, D8 or RD8. `place` is the 1251's."""
    return _meta(Spec("start", parse_place(place)))


def end_of(place: str) -> msgspec.Meta:
    """The last date of the period that a `start_of` field before this one begins."""
    return _meta(Spec("end", parse_place(place)))


def period(place: str) -> msgspec.Meta:
    """A date (CCYYMMDD, D8) or a period (CCYYMMDD-CCYYMMDD, RD8) as one string: the element 1251 behind its 1250."""
    return _meta(Spec("period", parse_place(place)))


def contact(place: str, qualifier: str) -> msgspec.Meta:
    """The communication number behind this qualifier (EM, FX, TE, EX, ...) in a PER, in whichever pair it stands."""
    return _meta(Spec("contact", parse_place(place), value=qualifier))


def flag(place: str, value: str = "Y") -> msgspec.Meta:
    """A boolean: true is this value at the place, false or absent writes nothing."""
    return _meta(Spec("flag", parse_place(place), value=value))


def each(place: str, last: int) -> msgspec.Meta:
    """A list of strings in consecutive components (or elements, for a place without one), from the place up to number `last`."""
    return _meta(Spec("each", parse_place(place), last=last))


def yes_no(place: str) -> msgspec.Meta:
    """A boolean: Y for true, N for false; absent writes nothing."""
    return _meta(Spec("yes or no", parse_place(place)))


def composites(place: str, last: int, *codes: str) -> msgspec.Meta:
    """A list of strings: component 2 of consecutive composites, from the place's element up to number `last`.

    Component 1 is its code: the first of `codes` for the first item, and so on, the last one for all the rest.
    """
    return _meta(Spec("composites", parse_place(place), last=last, codes=codes))


def repeats(place: str) -> msgspec.Meta:
    """A list of strings: one element, repeated with the repetition separator."""
    return _meta(Spec("repeats", parse_place(place)))


def segments(place: str) -> msgspec.Meta:
    """A list with one item for each segment: structs whose places are in that segment, or strings at the place's element."""
    return _meta(Spec("segments", parse_place(place)))


def groups(place: str, size: int, last: int) -> msgspec.Meta:
    """A list of structs, each bound to `size` consecutive elements from the place's element up to `last`; their places say `@01`, `@02-1`."""
    return _meta(Spec("groups", parse_place(place), last=last, size=size))


def spread(place: str, *further: int) -> msgspec.Meta:
    """A list of structs, each bound to one element: the place's own, then the further ones; their places say `@01-1`."""
    first = parse_place(place)
    return _meta(Spec("groups", first, last=max(further), starts=(first.element, *further)))


def inside(*loops: str) -> msgspec.Meta:
    """A struct bound to the loop with one of these ids, or a list of structs for a loop that repeats."""
    return _meta(Spec("inside", loops=loops))


def nowhere() -> msgspec.Meta:
    """A field for which this place of the guide has no room: it is never read, and writing warns that it was not sent."""
    return _meta(Spec("nowhere"))


def by_hand() -> msgspec.Meta:
    """A struct that the document's own functions read and write; without it, a struct is part of the same loop."""
    return _meta(Spec("by hand"))


def meaning(place: str, table: Mapping[str, str]) -> msgspec.Meta:
    """The words for the code at a place, when reading; nothing is written. On a list, the words for each repetition."""
    return _meta(Spec("meaning", parse_place(place), table=table))


# --- plans: what a struct type asks for, prepared once --------------------------------------------------------------

Op = Callable[[list[str], Out, Delimiters], None]


class Bound(NamedTuple):
    """One field of a struct: attribute, JSON name, how it is bound, and the plan of its struct type if it has one."""

    name: str
    json: str
    spec: Spec
    plan: Plan | None
    many: bool
    integer: bool


class Plan:
    """A struct type's bindings: by segment for reading, in field order for writing."""

    def __init__(self, cls: type[Document]) -> None:
        self.cls = cls
        self.fields: list[Bound] = []
        hints = typing.get_type_hints(cls, include_extras=True)
        for info in msgspec.structs.fields(cls):
            spec, inner, many, integer = _unwrap(hints[info.name])
            plan = plan_of(inner) if inner is not None else None
            if spec is None and plan is not None and not many:
                spec = Spec("part")
            if spec is not None and spec.kind != "by hand":
                self.fields.append(Bound(info.name, info.encode_name, spec, plan, many, integer))
        self.groups = self._reading()

    def _reading(self) -> list[tuple[tuple[str, ...], str, list[Op], dict[str, list[Op]]]]:
        """(loops, segment id, operations on each such segment, operations by its first element)."""
        found: dict[tuple[tuple[str, ...], str], tuple[list[Op], dict[str, list[Op]]]] = {}
        for field in self.fields:
            place = field.spec.place
            if place is None:
                continue
            general, qualified = found.setdefault((place.loops, place.segment), ([], {}))
            op = _reading_op(field)
            if not place.qualifiers:
                general.append(op)
            for qualifier in place.qualifiers:
                qualified.setdefault(qualifier, []).append(op)
        return [(loops, segment, *ops) for (loops, segment), ops in found.items()]

    def read(self, instance: Instance) -> Out:
        """Field values from a loop."""
        out: Out = {}
        delimiters = instance.delimiters
        for loops, segment, general, qualified in self.groups:
            where = _nearest(instance, loops) if loops else instance
            rows = where.rows().get(segment) if where is not None else None
            if rows is None:
                continue
            for row in rows:
                for op in general:
                    op(row, out, delimiters)
                if qualified and len(row) > 1:
                    for op in qualified.get(row[1], ()) or qualified.get(row[1].split(delimiters.component, 1)[0], ()):
                        op(row, out, delimiters)
        for field in self.fields:
            plan = field.plan
            if plan is None or field.spec.kind not in ("inside", "part"):
                continue
            if field.spec.kind == "part":
                values = plan.read(instance)
                if values:
                    out[field.name] = plan.cls(**values)
            elif field.many:
                made = [plan.cls(**plan.read(i)) for i in instance.children if i.loop.id in field.spec.loops]
                if made:
                    out[field.name] = made
            else:
                where = _nearest(instance, field.spec.loops)
                values = plan.read(where) if where is not None else None
                if values:
                    out[field.name] = plan.cls(**values)
        return out

    def read_row(self, row: list[str], delimiters: Delimiters) -> Out:
        """Field values from one segment, or from a group of elements (`@`)."""
        out: Out = {}
        for _, _, general, qualified in self.groups:
            for op in general:
                op(row, out, delimiters)
            for op in qualified.get(row[1], ()) if qualified and len(row) > 1 else ():
                op(row, out, delimiters)
        for field in self.fields:
            if field.spec.kind == "part" and field.plan is not None:
                values = field.plan.read_row(row, delimiters)
                if values:
                    out[field.name] = field.plan.cls(**values)
        return out


@cache
def _route(loop: Loop, ids: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where the guide has loops with these ids, seen from a loop: levels up, and the last child to look at (-1: that loop itself)."""
    route: list[tuple[int, int]] = []
    here: Loop | None = loop
    up = 0
    while here is not None:
        if here.id in ids:
            return [*route, (up, -1)]
        orders = [c.order for c in here.children if isinstance(c, Loop) and c.id in ids]
        if orders:
            route.append((up, max(orders)))
        here, up = here.parent, up + 1
    return route


def _nearest(instance: Instance, ids: tuple[str, ...]) -> Instance | None:
    """What `Instance.near` finds, without looking where the guide has no such loop: a file may have thousands of loops beside."""
    here, climbed = instance, 0
    for up, last in _route(instance.loop, ids):
        while climbed < up and here.parent is not None:
            here, climbed = here.parent, climbed + 1
        if last < 0:
            return here
        for child in here.children:
            if child.loop.id in ids:
                return child
            if child.loop.order > last:
                break
    return None


@cache
def plan_of(cls: type[Document]) -> Plan:
    """The plan of a document type."""
    return Plan(cls)


def _unwrap(hint: Any) -> tuple[Spec | None, type[Document] | None, bool, bool]:
    """(spec, document type, is it a list, is it an integer) of a field's annotation."""
    spec: Spec | None = None
    if hasattr(hint, "__metadata__"):
        for meta in hint.__metadata__:
            if isinstance(meta, msgspec.Meta) and meta.extra:
                spec = meta.extra.get("x12", spec)
        hint = hint.__origin__
    options = (
        [a for a in typing.get_args(hint) if a is not type(None)] if typing.get_origin(hint) is not list else [hint]
    )
    inner: Any = options[0] if options else hint
    many = typing.get_origin(inner) is list
    item: Any = typing.get_args(inner)[0] if many else inner
    document = item if isinstance(item, type) and issubclass(item, Document) else None
    return spec, document, many, inner is int


def _get(row: list[str], element: int, component: int, separator: str) -> str:
    if element >= len(row):
        return ""
    value = row[element]
    if not component:
        return value
    parts = value.split(separator)
    return parts[component - 1] if component <= len(parts) else ""


def _holds(place: Place) -> Callable[[list[str], str], bool] | None:
    if not place.conditions:
        return None
    conditions = [(e, c, frozenset(v.split("|"))) for e, c, v in place.conditions]
    return lambda row, separator: all(_get(row, e, c, separator) in values for e, c, values in conditions)


def _reading_op(field: Bound) -> Op:
    """The operation that takes a field's value out of a segment."""
    place = field.spec.place
    assert place is not None
    take = _TAKERS[field.spec.kind](field, place)
    holds = _holds(place)
    name = field.name
    many = field.spec.kind == "segments"

    def op(row: list[str], out: Out, delimiters: Delimiters) -> None:
        if holds is not None and not holds(row, delimiters.component):
            return
        value = take(row, delimiters)
        if value is None:
            return
        if many:
            out.setdefault(name, []).append(value)
        elif name not in out:
            out[name] = value

    if field.spec.kind == "at" and holds is None and not field.integer:
        element, component = place.element, place.component

        def plain(row: list[str], out: Out, delimiters: Delimiters) -> None:
            if element < len(row) and row[element] and name not in out:
                value = row[element] if not component else _get(row, element, component, delimiters.component)
                if value:
                    out[name] = value

        return plain
    return op


Take = Callable[[list[str], Delimiters], Any]


def _take_at(field: Bound, place: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, place.component, delimiters.component)
        if field.integer:
            return int(value) if value.isdigit() else None
        return value or None

    return take


def _take_start(_: Bound, place: Place) -> Take:
    return lambda row, delimiters: (
        _get(row, place.element, place.component, delimiters.component).partition("-")[0] or None
    )


def _take_end(_: Bound, place: Place) -> Take:
    return lambda row, delimiters: (
        _get(row, place.element, place.component, delimiters.component).partition("-")[2] or None
    )


def _take_contact(field: Bound, _: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        for index in (3, 5, 7):
            if index + 1 < len(row) and row[index] == field.spec.value:
                return row[index + 1] or None
        return None

    return take


def _take_flag(field: Bound, place: Place) -> Take:
    return lambda row, delimiters: (
        True if _get(row, place.element, place.component, delimiters.component) == field.spec.value else None
    )


def _take_each(field: Bound, place: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        if place.component:
            parts = row[place.element].split(delimiters.component) if place.element < len(row) else []
            return [p for p in parts[place.component - 1 : field.spec.last] if p] or None
        return [p for p in row[place.element : field.spec.last + 1] if p] or None

    return take


_YES_NO = {"Y": True, "N": False}


def _take_yes_no(_: Bound, place: Place) -> Take:
    return lambda row, delimiters: _YES_NO.get(_get(row, place.element, place.component, delimiters.component))


def _take_composites(field: Bound, place: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        parts = (value.split(delimiters.component) for value in row[place.element : field.spec.last + 1])
        return [p[1] for p in parts if len(p) > 1 and p[1]] or None

    return take


def _take_repeats(_: Bound, place: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, place.component, delimiters.component)
        if not value:
            return None
        return value.split(delimiters.repetition) if delimiters.repetition else [value]

    return take


def _take_meaning(field: Bound, place: Place) -> Take:
    table = field.spec.table or {}

    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, place.component, delimiters.component)
        if field.many:
            codes = value.split(delimiters.repetition) if delimiters.repetition else [value]
            return [table[c] for c in codes if c in table] or None
        return table.get(value)

    return take


def _take_coded(field: Bound, place: Place) -> Take:
    table = field.spec.table or {}

    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, place.component, delimiters.component)
        return table.get(value, value) or None

    return take


def _take_segments(field: Bound, place: Place) -> Take:
    plan = field.plan
    if plan is None:
        return _take_at(field, place)

    def take(row: list[str], delimiters: Delimiters) -> Any:
        return plan.cls(**plan.read_row(row, delimiters))

    return take


def _take_groups(field: Bound, place: Place) -> Take:
    plan, spec = field.plan, field.spec
    assert plan is not None

    def take(row: list[str], delimiters: Delimiters) -> Any:
        made: list[Any] = []
        for first in spec.starts or range(place.element, min(spec.last + 1, len(row)), spec.size):
            values = plan.read_row(["@", *row[first : first + spec.size]], delimiters)
            if values:
                made.append(plan.cls(**values))
        return made or None

    return take


_TAKERS: dict[str, Callable[[Bound, Place], Take]] = {
    "at": _take_at,
    "period": _take_at,
    "start": _take_start,
    "end": _take_end,
    "contact": _take_contact,
    "flag": _take_flag,
    "yes or no": _take_yes_no,
    "composites": _take_composites,
    "each": _take_each,
    "repeats": _take_repeats,
    "coded": _take_coded,
    "meaning": _take_meaning,
    "segments": _take_segments,
    "groups": _take_groups,
}


def read(cls: type[D], instance: Instance) -> D:
    """The document that a loop and what is in its scope hold. Never raises on content: what is not there is absent."""
    return cls(**plan_of(cls).read(instance))


def without_blanks(document: D) -> D | None:
    """A copy, through all levels, without blank texts, empty lists and structs that say nothing; None where nothing is left.

    Older clients send every key of an object that they do not use with an empty text.
    """
    made = copy(document)
    said = False
    for name in made.__struct_fields__:
        value = getattr(made, name)
        if value is None:
            continue
        kind = type(value)
        if kind is str:
            kept = value if value and not value.isspace() else None
        elif kind is list:
            kept = [k for v in value if (k := _without_blanks(v)) is not None] or None
        else:
            kept = _without_blanks(value)
        said = said or kept is not None
        if kept is not value:
            setattr(made, name, kept)
    return made if said else None


def _without_blanks(value: Any) -> Any:
    if isinstance(value, Document):
        return without_blanks(value)
    return None if isinstance(value, str) and (not value or value.isspace()) else value

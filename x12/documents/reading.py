"""Reads typed documents out of a walked transaction set: how the bindings of `x12.documents.binding` are followed.

Each struct type gets one reader, made once. A struct and the structs that are parts of it (bound to the same loop) are
filled in a single pass over the loop's segments: the segment's id and first element choose what to do. A struct that one
segment fills is made at once, any other gathers its values first. Nothing in the content raises: what cannot be
understood is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from x12.guides import Loop
from x12.syntax import BINARY, Delimiters, split_segment
from x12.walk import Instance

if TYPE_CHECKING:
    from x12.documents.binding import Bound, Document, Place, Plan

__all__ = ["Reader"]

Out = dict[str, Any]
Take = Callable[[list[str], Delimiters], Any]
Function = Callable[[list[str], Out | None, Delimiters], Any]
# What has one item for each segment.
_MANY = ("segments", "rows")


class Reader:
    """Reads one struct type, with its parts, from a loop or from one segment."""

    def __init__(self, plan: Plan) -> None:
        self.cls = plan.cls
        # The struct itself, then its parts, each after the one that it is a part of: (type, number of that one, attribute).
        self._structs: list[tuple[type[Document], int, str]] = []
        self._inside: list[tuple[int, Bound]] = []
        placed: list[tuple[int, Bound]] = []
        self._collect(plan, -1, "", placed)
        self._parts = [(number, *self._structs[number]) for number in range(len(self._structs) - 1, 0, -1)]
        self._blank: list[Any] = [None] * len(self._structs)
        whole = self._filled_at_once(placed)
        tables: dict[tuple[str, ...], dict[str, list[tuple[int, Bound]]]] = {}
        for number, field in placed:
            place = _place(field)
            tables.setdefault(place.loops, {}).setdefault(place.segment, []).append((number, field))
        made = {loops: {s: _Actions(f, whole) for s, f in table.items()} for loops, table in tables.items()}
        self._here = made.pop((), {})
        self._elsewhere = list(made.items())
        self._row = _Actions(placed, whole)
        every = [field for _, field in placed]
        alike = 0 in whole and not any(_place(field).qualifiers for field in every)
        self.at_once = _Generated(every, plan.cls) if alike else None
        self._empty = plan.cls()

    def _collect(self, plan: Plan, parent: int, name: str, placed: list[tuple[int, Bound]]) -> None:
        number = len(self._structs)
        self._structs.append((plan.cls, parent, name))
        for field in plan.fields:
            if field.spec.kind == "part" and field.plan is not None:
                self._collect(field.plan, number, field.name, placed)
            elif field.spec.kind == "inside":
                self._inside.append((number, field))
            elif field.spec.place is not None:
                placed.append((number, field))

    def _filled_at_once(self, placed: Sequence[tuple[int, Bound]]) -> dict[int, type[Document]]:
        """The structs that one segment fills: no loops or parts inside, every field at the same segment."""
        composed = {parent for _, parent, _ in self._structs} | {number for number, _ in self._inside}
        found: dict[int, type[Document]] = {}
        for number, (cls, _, _) in enumerate(self._structs):
            fields = [field for n, field in placed if n == number]
            sources = {_place(field)[:3] for field in fields}
            if number not in composed and len(sources) == 1 and not any(f.spec.kind in _MANY for f in fields):
                found[number] = cls
        return found

    def read(self, instance: Instance) -> Document | None:
        """The struct that a loop and what is in its scope hold; None where that is nothing."""
        outs = self._blank.copy()
        if self._here:
            _pass(self._here, instance, outs)
        for loops, table in self._elsewhere:
            where = _nearest(instance, loops)
            if where is not None:
                _pass(table, where, outs)
        for number, field in self._inside:
            plan, loops = field.plan, field.spec.loops
            assert plan is not None
            reader = plan.reader
            found: Any
            if field.many:
                found = [reader.read(c) or reader.cls() for c in instance.children if c.loop.id in loops]
            else:
                where = _nearest(instance, loops)
                found = where and reader.read(where)
            if found:
                if outs[number] is None:
                    outs[number] = {}
                outs[number][field.name] = found
        return self._assembled(outs)

    def read_row(self, row: list[str], delimiters: Delimiters) -> Document | None:
        """The struct that one segment, or a group of elements (`@`), holds; None where that is nothing."""
        if self.at_once is not None:
            made: Document = self.at_once.run(row, None, delimiters)
            return None if made == self._empty else made
        outs = self._blank.copy()
        _fill(self._row.chosen(row, delimiters), row, outs, delimiters)
        return self._assembled(outs)

    def _assembled(self, outs: list[Any]) -> Document | None:
        for number, cls, parent, name in self._parts:
            made = outs[number]
            if made:
                if outs[parent] is None:
                    outs[parent] = {}
                outs[parent][name] = cls(**made) if isinstance(made, dict) else made
        whole: Document | Out | None = outs[0]
        if isinstance(whole, dict):
            return self.cls(**whole) if whole else None
        return whole


class _Actions:
    """What to do with the segments of one id, chosen by their first element."""

    __slots__ = ("_always", "_by_first")

    def __init__(self, fields: Iterable[tuple[int, Bound]], whole: Mapping[int, type[Document]]) -> None:
        every = list(fields)
        codes = {code for _, field in every for code in _place(field).qualifiers}
        self._always = _chosen([(n, f) for n, f in every if not _place(f).qualifiers], whole)
        self._by_first = {
            code: _chosen([(n, f) for n, f in every if code in (_place(f).qualifiers or codes)], whole)
            for code in codes
        }

    def chosen(self, row: list[str], delimiters: Delimiters) -> Chosen:
        if not self._by_first or len(row) < 2:
            return self._always
        first = row[1]
        found = self._by_first.get(first)
        if found is None and delimiters.component in first:
            found = self._by_first.get(first.partition(delimiters.component)[0])
        return self._always if found is None else found


# (number of the struct, its empty value where the segment fills it at once, how).
Chosen = list[tuple[int, Any, "_Generated"]]


def _chosen(fields: Sequence[tuple[int, Bound]], whole: Mapping[int, type[Document]]) -> Chosen:
    by_struct: dict[int, list[Bound]] = {}
    for number, field in fields:
        by_struct.setdefault(number, []).append(field)
    return [(n, whole[n]() if n in whole else None, _Generated(f, whole.get(n))) for n, f in by_struct.items()]


def _pass(table: Mapping[str, _Actions], instance: Instance, outs: list[Any]) -> None:
    delimiters = instance.delimiters
    element = delimiters.element
    for segment, raw in instance.segments:
        actions = table.get(segment.id)
        if actions is not None:
            row = raw.split(element) if segment.id != BINARY else split_segment(raw, delimiters)
            _fill(actions.chosen(row, delimiters), row, outs, delimiters)


def _fill(chosen: Chosen, row: list[str], outs: list[Any], delimiters: Delimiters) -> None:
    """Gather the values of the structs that a segment is for, or make those that it fills at once; the first value stays."""
    for number, empty, generated in chosen:
        if empty is None:
            values: Out | None = outs[number]
            if values is None:
                values = outs[number] = {}
            generated.run(row, values, delimiters)
            continue
        made = generated.run(row, None, delimiters)
        if made == empty:
            continue
        if outs[number] is None:
            outs[number] = made
        else:
            _complete(outs[number], made)


def _complete(made: Document, again: Document) -> None:
    """Give a struct the values that only a further segment of its kind has."""
    for name in made.__struct_fields__:
        if getattr(made, name) is None:
            setattr(made, name, getattr(again, name))


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


# --- generated functions: what one segment says -------------------------------------------------------------------


class _Generated:
    """A function of (segment, target, delimiters) for each length of the segment, written as source when first needed.

    As `dataclasses` does it: a remittance has millions of values, and source is several times as fast as following the
    bindings value by value. Into the source go names and numbers of the bindings, nothing of the content.
    """

    __slots__ = ("_by_size", "_fields", "_size_max", "_whole")

    def __init__(self, fields: Sequence[Bound], whole: type[Document] | None) -> None:
        self._fields = fields
        self._whole = whole
        self._by_size: dict[int, Function] = {}
        self._size_max = 1 + max(max(_place(f).element, _first(f), *_watched(f)) for f in fields)

    def run(self, row: list[str], out: Out | None, delimiters: Delimiters) -> Any:
        """The struct, or the values put into `out`."""
        size = len(row)
        if size > self._size_max:
            size = self._size_max
        function = self._by_size.get(size)
        if function is None:
            function = self._by_size[size] = self._function(size)
        return function(row, out, delimiters)

    def _function(self, size: int) -> Function:
        known: dict[str, Any] = {"cls": self._whole}
        parts: set[int] = set()
        values = [(field, value) for field in self._fields if (value := _source(field, size, known, parts))]
        lines = [f"parts{element} = row[{element}].split(delimiters.component)" for element in sorted(parts)]
        if self._whole is not None:
            lines.append(f"return cls({', '.join(f'{field.name}={value}' for field, value in values)})")
        for field, value in values if self._whole is None else ():
            name = repr(field.name)
            if field.spec.kind in _MANY:
                lines += [f"value = {value}", f"if value is not None: out.setdefault({name}, []).append(value)"]
            else:
                lines += [f"if {name} not in out:", f" value = {value}", f" if value is not None: out[{name}] = value"]
        source = "\n ".join(["def function(row, out, delimiters):", *lines, "return None"])
        exec(source, known)  # noqa: S102 - see above
        return known["function"]


def _watched(field: Bound) -> list[int]:
    return [element for element, _, _ in _place(field).conditions]


def _first(field: Bound) -> int:
    """The element that must be there for the field to have a value; 0 where there is no single one."""
    if field.spec.kind in ("contact", "segments"):
        return 0
    return min(field.spec.starts, default=_place(field).element)


def _source(field: Bound, size: int, known: dict[str, Any], parts: set[int]) -> str:
    """The expression for a field's value in a segment of this many elements, "" where it cannot have one.

    It may use what it puts into `known`, and the components of the elements that it puts into `parts`.
    """
    spec, place = field.spec, _place(field)
    if max(_first(field), *_watched(field), 0) >= size:
        return ""
    one = spec.kind in ("at", "meaning") and not (field.many or field.integer)
    several = spec.kind == "each" and place.component > 0
    if not (one or several) or any(component for _, component, _ in place.conditions):
        known[f"take_{field.name}"] = _taking(field)
        return f"take_{field.name}(row, delimiters)"
    value, at = f"row[{place.element}]", place.component - 1
    if place.component:
        parts.add(place.element)
        value = f"parts{place.element}"
    if several:
        value = f"[part for part in {value}[{at}:{spec.last}] if part] or None"
    elif spec.kind == "meaning":
        known[f"words_{field.name}"] = dict(spec.table or {}).get
        value = f"words_{field.name}({value}[{at}])" if place.component else f"words_{field.name}({value})"
    else:
        value = f"{value}[{at}] or None" if place.component else f"{value} or None"
    tests = [f"row[{element}] in {tuple(codes.split('|'))!r}" for element, _, codes in place.conditions]
    tests += [f"len(parts{place.element}) > {at}"] if place.component > 1 else []
    return f"({value}) if {' and '.join(tests)} else None" if tests else value


# --- values that take more than an expression ---------------------------------------------------------------------


def _taking(field: Bound) -> Take:
    """Gives any field's value, or None where the segment has none or a condition does not hold."""
    place = _place(field)
    take = _TAKERS[field.spec.kind](field, place)
    if not place.conditions:
        return take
    conditions = [(e, c, frozenset(v.split("|"))) for e, c, v in place.conditions]

    def conditional(row: list[str], delimiters: Delimiters) -> Any:
        for element, component, values in conditions:
            if _get(row, element, component, delimiters.component) not in values:
                return None
        return take(row, delimiters)

    return conditional


def _place(field: Bound) -> Place:
    assert field.spec.place is not None
    return field.spec.place


def _get(row: list[str], element: int, component: int, separator: str) -> str:
    if element >= len(row):
        return ""
    value = row[element]
    if not component:
        return value
    parts = value.split(separator)
    return parts[component - 1] if component <= len(parts) else ""


def _take_at(field: Bound, place: Place) -> Take:
    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, place.component, delimiters.component)
        if field.integer:
            return int(value) if len(value) < 19 and value.isascii() and value.isdigit() else None
        return value or None

    return take


def _take_binary(_: Bound, place: Place) -> Take:
    """As received, a character is a byte; what somebody made of other text is taken as UTF-8."""

    def take(row: list[str], delimiters: Delimiters) -> Any:
        value = _get(row, place.element, 0, delimiters.component)
        try:
            return value.encode("latin-1") or None
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace")

    return take


def _take_start(_: Bound, place: Place) -> Take:
    return lambda row, delimiters: (
        _get(row, place.element, place.component, delimiters.component).partition("-")[0] or None
    )


def _take_end(_: Bound, place: Place) -> Take:
    return lambda row, delimiters: (
        _get(row, place.element, place.component, delimiters.component).partition("-")[2] or None
    )


def _take_contact(field: Bound, place: Place) -> Take:
    pairs = (1,) if place.segment == "@" else (3, 5, 7)

    def take(row: list[str], delimiters: Delimiters) -> Any:
        for index in pairs:
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
    reader = plan.reader
    if reader.at_once is not None:
        run = reader.at_once.run
        return lambda row, delimiters: run(row, None, delimiters)
    return lambda row, delimiters: reader.read_row(row, delimiters) or reader.cls()


def _take_rows(field: Bound, place: Place) -> Take:
    return _take_composites(field, place) if field.plan is None else _take_groups(field, place)


def _take_groups(field: Bound, place: Place) -> Take:
    plan, spec = field.plan, field.spec
    if plan is None:
        return lambda row, _: [row[e] for e in spec.starts if e < len(row) and row[e]] or None
    reader = plan.reader

    def take(row: list[str], delimiters: Delimiters) -> Any:
        made: list[Any] = []
        for first in spec.starts or range(place.element, min(spec.last + 1, len(row)), spec.size):
            item = reader.read_row(["@", *row[first : first + spec.size]], delimiters)
            if item is not None:
                made.append(item)
        return made or None

    return take


_TAKERS: dict[str, Callable[[Bound, Place], Take]] = {
    "at": _take_at,
    "binary": _take_binary,
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
    "rows": _take_rows,
}

"""The values of one segment's fields as Python expressions, which `x12.documents.compiled` makes functions of.

Into the source go names and numbers of the bindings, nothing of the content; what takes more than an expression is a function
that the source calls. Nothing in the content raises: what cannot be understood is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from x12.syntax import Delimiters

if TYPE_CHECKING:
    from x12.documents.binding import Bound, Document, Place, Plan

__all__ = ["Expressions", "Value", "place_of", "reach"]

_Take = Callable[[list[str], Delimiters], Any]


def place_of(field: Bound) -> Place:
    """The place of a field that has one."""
    assert field.spec.place is not None
    return field.spec.place


def _first(field: Bound) -> int:
    """The element that must be there for the field to have a value; 0 where there is no single one."""
    if field.spec.kind == "contact" or (field.spec.kind == "segments" and field.plan is not None):
        return 0
    return min(field.spec.starts, default=place_of(field).element)


def reach(field: Bound) -> int:
    """The last element that the field's value may come from."""
    spec, place = field.spec, place_of(field)
    last = spec.last if spec.kind in ("groups", "rows") or not place.component else 0
    found = [place.element, last, *spec.starts, *(element for element, _, _ in place.conditions)]
    if spec.kind in ("groups", "rows"):
        found.append(max(found) + spec.size - 1)
    if spec.kind == "contact":
        found.append(_PAIRS[-1] + 1)
    if spec.kind == "segments" and field.plan is not None:
        found += [reach(inner) for inner in field.plan.fields if inner.spec.place is not None]
    return max(found)


class Value(NamedTuple):
    """The expression for a value, which is None where it is absent.

    `sure` is a shorter one for where `test` holds, which it does just where there is a value. Without a test only the value tells.
    """

    text: str
    test: str = ""
    sure: str = ""


class Expressions:
    """The expressions for fields of a segment with this many elements, of `row`, `component` and `delimiters`.

    `known` gets the things that they name. `before` are lines that are to run before them, of which `splits` come first.
    """

    def __init__(self, size: int, known: dict[str, Any]) -> None:
        self._size = size
        self._known = known
        self._split: set[int] = set()
        self.before: list[str] = []

    @property
    def splits(self) -> list[str]:
        """The lines that split composites."""
        return [f"parts{element} = row[{element}].split(component)" for element in sorted(self._split)]

    def value(self, field: Bound, shift: int = 0) -> Value | None:
        """A field's value; None where a segment of this length cannot have one. `shift` is where a group of elements begins."""
        place = place_of(field)
        watched = [element + shift for element, _, _ in place.conditions]
        if max(_first(field) + shift, *watched, 0) >= self._size:
            return None
        conditions = [self._condition(e + shift, c, codes.split("|")) for e, c, codes in place.conditions]
        made = self._unconditional(field, shift)
        if made is None or not conditions:
            return made
        held = " and ".join(conditions)
        return Value(f"({made.text}) if {held} else None", f"({held} and {made.test})" if made.test else "", made.sure)

    def _condition(self, element: int, component: int, codes: Sequence[str]) -> str:
        value = f"row[{element}]"
        if component:
            self._split.add(element)
            value = f"parts{element}[{component - 1}]"
        test = f"{value} == {codes[0]!r}" if len(codes) == 1 else f"{value} in {tuple(codes)!r}"
        return f"len(parts{element}) >= {component} and {test}" if component > 1 else test

    def _unconditional(self, field: Bound, shift: int) -> Value | None:
        spec, place = field.spec, place_of(field)
        if field.plan is not None:
            return self._structs_of(field, field.plan, shift)
        if spec.kind == "contact":
            return self._contact(field, shift)
        listed = field.many and (spec.kind == "meaning" or (spec.kind == "each" and not place.component))
        if field.integer or listed or spec.kind in _TAKEN:
            return Value(f"{self.knows(_taker(field, shift), 't')}(row, delimiters)")
        element, at = place.element + shift, place.component - 1
        value = f"row[{element}]"
        there = value
        if place.component:
            self._split.add(element)
            value = f"parts{element}[{at}]"
            there = f"(len(parts{element}) > {at} and {value})" if at else value
        if spec.kind == "each":
            listed = f"[part for part in parts{element}[{at}:{spec.last}] if part] or None"
            return Value(f"{listed} if len(parts{element}) > {at} else None")
        return self._one(field, value, there)

    def _one(self, field: Bound, value: str, there: str) -> Value:
        """A value out of one element or component; `there` tells whether that is there and not empty."""
        spec = field.spec
        match spec.kind:
            case "coded":
                words = self.knows(_words(field), "w")
                return Value(f"{words}({value}, {value}) if {there} else None", there, f"{words}({value}, {value})")
            case "meaning":
                words = self.knows(_words(field), "w")
                return Value(f"{words}({value})" if there == value else f"{words}({value}) if {there} else None")
            case "flag":
                held = f"{there} == {spec.value!r}"
                return Value(f"True if {there} == {spec.value!r} else None", held, "True")
            case "yes or no":
                words = self.knows(_YES_NO.get, "w")
                return Value(f"{words}({there})")
            case "start":
                return Value(f"{value}.partition('-')[0] or None if {there} else None")
            case "end":
                return Value(f"{value}.partition('-')[2] or None if {there} else None")
            case _:
                return Value(f"{value} or None" if there == value else f"{there} or None", there, value)

    def _contact(self, field: Bound, shift: int) -> Value | None:
        """The number behind a qualifier, in whichever pair it stands."""
        pairs = [shift + 1] if place_of(field).segment == "@" else _PAIRS
        text = "None"
        for at in reversed([at for at in pairs if at + 1 < self._size]):
            text = f"(row[{at + 1}] or None) if row[{at}] == {field.spec.value!r} else {text}"
        return Value(text) if text != "None" else None

    def _structs_of(self, field: Bound, plan: Plan, shift: int) -> Value | None:
        """A struct that the segment fills, or a list of those that groups of its elements fill."""
        reader, spec = plan.reader, field.spec
        if spec.kind == "segments":
            if not reader.at_once:
                return Value(f"{self.knows(reader.item, 'r')}(row, delimiters)")
            values = [(f.name, v) for f in plan.fields if f.spec.place and (v := self.value(f, shift))]
            # Of a segment there is always an item, an empty one for one that says nothing.
            made = self.together(plan.cls, values, "")[0]
            return Value(made, "True", made)
        listed = f"l_{len(self.before)}"
        self.before.append(f"{listed} = []")
        for first in spec.starts or range(place_of(field).element, min(spec.last + 1, self._size), spec.size):
            if first >= self._size:
                continue
            if not reader.at_once:
                row = f"['@', *row[{first}:{first + spec.size}]]"
                self.before.append(f"item = {self.knows(reader.read_row, 'r')}({row}, delimiters)")
                self.before.append(f"if item is not None: {listed}.append(item)")
                continue
            values = [(f.name, v) for f in plan.fields if f.spec.place and (v := self.value(f, first - 1))]
            if values:
                whole, test = self.together(plan.cls, values, "item")
                self.before += [f"item = {whole}", f"if {test}: {listed}.append(item)"]
        return Value(f"{listed} or None", listed, listed)

    def together(self, cls: type[Document], values: Sequence[tuple[str, Value]], name: str) -> tuple[str, str]:
        """A struct with these values, and the test whether it has one, once it is there under a name."""
        whole = f"{self.knows(cls, 'c')}({', '.join(f'{n}={value.text}' for n, value in values)})"
        tests = list(dict.fromkeys(value.test for _, value in values if value.test))
        if not all(value.test for _, value in values):
            tests.append(f"{name} != {self.knows(cls(), 'e')}")
        return whole, " or ".join(tests)

    def knows(self, thing: Any, letter: str) -> str:
        """The name that something has in the source."""
        for name, known in self._known.items():
            if known is thing or (letter == "e" and type(known) is type(thing) and known == thing):
                return name
        name = f"{letter}_{len(self._known)}"
        self._known[name] = thing
        return name


# --- values that take more than an expression -----------------------------------------------------------------------

_PAIRS = (3, 5, 7)
_YES_NO = {"Y": True, "N": False}
_TAKEN = frozenset(("binary", "composites", "repeats", "groups", "rows"))


# By the identity of a table of words, which lives as long as the type that is bound to it: how to look a code up in a copy of it.
_LOOKUPS: dict[int, Callable[[str], str | None]] = {}


def _words(field: Bound) -> Callable[[str], str | None]:
    table = field.spec.table
    assert table is not None
    found = _LOOKUPS.get(id(table))
    if found is None:
        found = _LOOKUPS[id(table)] = dict(table).get
    return found


def _taker(field: Bound, shift: int) -> _Take:
    """What gives a field's value, out of elements that begin behind `shift`."""
    spec, place = field.spec, place_of(field)
    element, last = place.element + shift, spec.last + shift
    if field.integer:
        return _integer(element, place.component)
    match spec.kind:
        case "binary":
            return lambda row, _: _bytes(row[element])
        case "composites" | "rows":
            return lambda row, delimiters: _composites(row[element : last + 1], delimiters.component)
        case "each":
            return lambda row, _: [part for part in row[element : last + 1] if part] or None
        case "groups":
            return lambda row, _: [row[e] for e in spec.starts if e < len(row) and row[e]] or None
        case "repeats":
            return lambda row, delimiters: (
                _repeats(_part(row, element, place.component, delimiters), delimiters) or None
            )
        case _:
            words = spec.table or {}

            def meanings(row: list[str], delimiters: Delimiters) -> Any:
                said = _repeats(_part(row, element, place.component, delimiters), delimiters)
                return [words[code] for code in said if code in words] or None

            return meanings


def _part(row: list[str], element: int, component: int, delimiters: Delimiters) -> str:
    value = row[element] if element < len(row) else ""
    if not component:
        return value
    parts = value.split(delimiters.component)
    return parts[component - 1] if component <= len(parts) else ""


def _repeats(value: str, delimiters: Delimiters) -> list[str]:
    if not value:
        return []
    return value.split(delimiters.repetition) if delimiters.repetition else [value]


def _composites(values: Sequence[str], separator: str) -> list[str] | None:
    """Component 2 of each."""
    parts = (value.split(separator) for value in values)
    return [part[1] for part in parts if len(part) > 1 and part[1]] or None


def _integer(element: int, component: int) -> _Take:
    def take(row: list[str], delimiters: Delimiters) -> int | None:
        value = _part(row, element, component, delimiters)
        return int(value) if len(value) < 19 and value.isascii() and value.isdigit() else None

    return take


def _bytes(value: str) -> bytes | None:
    """As received, a character is a byte; what somebody made of other text is taken as UTF-8."""
    try:
        return value.encode("latin-1") or None
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")

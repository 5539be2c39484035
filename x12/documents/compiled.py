"""What segments say, as functions written as source out of the bindings: segments and the struct so far in, the struct out.

As `dataclasses` does it: a remittance has millions of values, and source is several times as fast as following the bindings
value by value. At first there is a function for each choice of fields (by the segment's id and first element) and each length of
the segment, written when the first such segment is met. A loop that occurs often gets one for all of its segments, of the kinds
that were met until then; what that one does not know goes the first way, so it changes how long reading takes and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

from x12.documents.expressions import Expressions, Value, place_of, reach
from x12.syntax import BINARY, Delimiters, split_segment

if TYPE_CHECKING:
    from x12.documents.binding import Bound, Document

__all__ = ["Choices", "Pass", "Sized", "Struct", "functions"]

# (elements of the segment with its id at index 0, the struct so far or None, delimiters) -> the struct, None while it has no value.
Function = Callable[[list[str], Any, Delimiters], Any]
# The functions for one choice of fields, by the number of elements; the last one is for all that are longer.
Sized = list[Function]
# The same with the segments of a loop as they came.
_Whole = Callable[[Sequence[str], Any, Delimiters], Any]
# Fields, each with the number of its struct.
_Placed = Sequence[tuple[int, "Bound"]]
# What has one item for each segment.
_MANY = ("segments", "rows")
# What a function for whole loops gives where it met what it was not written for.
_UNKNOWN = object()
# A loop gets its function from this occurrence on, and a new one after four times as many that it did not know.
_WHOLE_FROM = 100


class Struct(NamedTuple):
    """A struct type, and of which other one it is a part under which attribute: the first of several is no part."""

    cls: type[Document]
    parent: int
    attribute: str


@final
class Choices(dict[str, Sized]):
    """The functions by the segment's first element, `otherwise` those for all others."""

    __slots__ = ("otherwise",)

    def __init__(self, otherwise: Sized) -> None:
        super().__init__()
        self.otherwise = otherwise

    def among(self, first: str, delimiters: Delimiters) -> Sized:
        """Those for a first element that is none of the keys: its first component may be."""
        return self.get(first.partition(delimiters.component)[0], self.otherwise)


class Pass:
    """Fills one struct, and those that are its parts, from the segments of one loop.

    `begins` tells that there is no struct yet when it comes to this loop. `fields` are by the ids of their segments.
    """

    __slots__ = ("_again", "_begins", "_fields", "_structs", "_table", "_uses", "_whole")

    def __init__(self, structs: Sequence[Struct], fields: Mapping[str, _Placed], *, begins: bool) -> None:
        self._structs = structs
        self._fields = fields
        self._begins = begins
        # By the segments that were met.
        self._table: dict[str, Sized | Choices] = {}
        self._whole: _Whole | None = None
        self._uses, self._again = 0, _WHOLE_FROM

    def run(self, raws: Sequence[str], top: Any, delimiters: Delimiters) -> Any:
        """The struct so far, or None, with what these segments say; None while that is nothing."""
        if self._whole is not None:
            made = self._whole(raws, top, delimiters)
            if made is not _UNKNOWN:
                return made
        self._uses += 1
        if self._uses == self._again:
            self._again *= 4
            self._whole = _whole(self._structs, self._fields, self._table, begins=self._begins)
        table, element = self._table, delimiters.element
        for raw in raws:
            row = raw.split(element)
            chosen = table.get(row[0])
            if chosen is None:
                if row[0] not in self._fields:
                    continue
                chosen = table[row[0]] = functions(self._structs, self._fields[row[0]])
            size = len(row)
            if type(chosen) is Choices:
                found = chosen.get(row[1]) if size > 1 else chosen.otherwise
                chosen = chosen.among(row[1], delimiters) if found is None else found
            top = chosen[size if size < len(chosen) else -1](row, top, delimiters)
        return top


# --- a function for each kind of segment ----------------------------------------------------------------------------


def functions(structs: Sequence[Struct], placed: Iterable[tuple[int, Bound]]) -> Sized | Choices:
    """The functions for the fields that are bound to segments of one id."""
    every = list(placed)
    codes = {code for _, field in every for code in place_of(field).qualifiers}
    if any(place_of(field).segment == BINARY for _, field in every):
        return [_binary(_sized(structs, every))]
    made = Choices(_sized(structs, _asked(every, None)))
    for code in codes:
        made[code] = _sized(structs, _asked(every, code))
    return made if codes else made.otherwise


def _asked(placed: _Placed, code: str | None) -> list[tuple[int, Bound]]:
    """The fields that a segment with this first element is for; those without qualifiers are for any."""
    return [(n, f) for n, f in placed if not place_of(f).qualifiers or code in place_of(f).qualifiers]


def _sized(structs: Sequence[Struct], placed: _Placed) -> Sized:
    made: Sized = []
    most = max((reach(field) for _, field in placed), default=-1)
    made += [_Late(made, size, structs, placed) for size in range(most + 2)]
    return made


def _binary(sized: Sized) -> Function:
    """The data of a BIN is one element, whatever is in it."""

    def function(row: list[str], top: Any, delimiters: Delimiters) -> Any:
        row = split_segment(delimiters.element.join(row), delimiters)
        return sized[min(len(row), len(sized) - 1)](row, top, delimiters)

    return function


@final
class _Late:
    """Stands in a function's place until it is first called."""

    def __init__(self, place: Sized, size: int, structs: Sequence[Struct], placed: _Placed) -> None:
        self._place, self._size, self._structs, self._placed = place, size, structs, placed

    def __call__(self, row: list[str], top: Any, delimiters: Delimiters) -> Any:
        source = _Source(self._structs, {})
        lines = source.segment(self._size, self._placed)
        parts = [_loading(self._structs, number) for number in source.parts]
        made = source.function("row, s0, delimiters", ["component = delimiters.component", *parts, *lines, "return s0"])
        self._place[self._size] = made
        return made(row, top, delimiters)


# --- a function for a whole loop ------------------------------------------------------------------------------------


def _whole(
    structs: Sequence[Struct], fields: Mapping[str, _Placed], table: Mapping[str, Sized | Choices], *, begins: bool
) -> _Whole | None:
    """The function for all segments of a loop, of the kinds that were met; None where it could not be begun again.

    Nothing is lost where it is left half way: the struct is its own, or of each field the first value stays.
    """
    several = any(field.spec.kind in _MANY for placed in fields.values() for _, field in placed)
    if BINARY in fields or (several and not begins):
        return None
    source = _Source(structs, {"UNKNOWN": _UNKNOWN})
    met = [segment for segment in fields if segment in table and _met(table[segment])]
    branches: list[str] = []
    for segment in met:
        lines = _branch(source, table[segment], fields[segment])
        branches += [f"  {'elif' if branches else 'if'} name == {segment!r}:", *(f"   {line}" for line in lines)]
    unmet = tuple(segment for segment in fields if segment not in met)
    branches += [f"  {'elif' if branches else 'if'} name in {unmet!r}: return UNKNOWN"] if unmet else []
    heads = ["element, component = delimiters.element, delimiters.component"]
    if begins:
        heads.append(" = ".join(["s0", *(f"s{number}" for number in source.parts), "None"]))
    else:
        heads += [_loading(structs, number) for number in source.parts]
    walk = ["try:", " for raw in raws:", "  row = raw.split(element)", "  name = row[0]", *branches]
    late = ["except IndexError: return UNKNOWN", "return s0"]
    made: _Whole = source.function("raws, s0, delimiters", [*heads, *walk, *late])
    return made


def _met(chosen: Sized | Choices) -> bool:
    every = (*chosen.values(), chosen.otherwise) if isinstance(chosen, Choices) else (chosen,)
    return any(not isinstance(function, _Late) for sized in every for function in sized)


def _branch(source: _Source, chosen: Sized | Choices, placed: _Placed) -> list[str]:
    """The lines for the segments of one id."""
    if not isinstance(chosen, Choices):
        return _lengths(source, chosen, placed)
    codes = source.knows(frozenset(chosen))
    # The code of a composite is its first component.
    composite = any(place_of(field).element == 1 and place_of(field).component for _, field in placed)
    lines: list[str] = []
    for code, sized in chosen.items():
        if _met(sized):
            inner = _lengths(source, sized, _asked(placed, code))
            lines += [f"{'elif' if lines else 'if'} first == {code!r}:", *(f" {line}" for line in inner)]
    lines += [f"{'elif' if lines else 'if'} first.partition(component)[0] in {codes}: return UNKNOWN"]
    if unqualified := _asked(placed, None):
        lines += ["else:", *(f" {line}" for line in _lengths(source, chosen.otherwise, unqualified))]
    return ["first = row[1].partition(component)[0]" if composite else "first = row[1]", *lines]


def _lengths(source: _Source, sized: Sized, placed: _Placed) -> list[str]:
    """The lines for one choice of fields. What reaches for an element that is not there raises IndexError."""
    met = [size for size, function in enumerate(sized) if not isinstance(function, _Late)]
    if met == [len(sized) - 1]:
        return source.segment(met[0], placed) or ["pass"]
    lines: list[str] = []
    for size in met:
        test = f"len(row) == {size}" if size < len(sized) - 1 else f"len(row) >= {size}"
        inner = source.segment(size, placed) or ["pass"]
        lines += [f"{'elif' if lines else 'if'} {test}:", *(f" {line}" for line in inner)]
    return [*lines, "else: return UNKNOWN"] if lines else ["return UNKNOWN"]


# --- source ---------------------------------------------------------------------------------------------------------


def _loading(structs: Sequence[Struct], number: int) -> str:
    _, parent, attribute = structs[number]
    return f"s{number} = s{parent}.{attribute} if s{parent} is not None else None"


class _Source:
    """Lines that put what a segment says into structs: `s0` is the whole, `s1` and so on are its parts. `known` are the things they name."""

    def __init__(self, structs: Sequence[Struct], known: dict[str, Any]) -> None:
        self._structs = structs
        self._known = known
        self._used: set[int] = set()
        self._lines: list[str] = []

    @property
    def parts(self) -> list[int]:
        """The numbers of the parts that the lines are about, each after the one that it is a part of."""
        return sorted(self._used - {0})

    def function(self, arguments: str, lines: Sequence[str]) -> Any:
        """The function of these lines."""
        exec("\n ".join([f"def function({arguments}):", *lines]), self._known)  # noqa: S102 - see above
        return self._known["function"]

    def knows(self, thing: Any) -> str:
        """The name that something has in the lines."""
        return Expressions(0, self._known).knows(thing, "k")

    def segment(self, size: int, placed: _Placed) -> list[str]:
        """The lines for a segment with this many elements; [] where it says nothing of these fields."""
        expressions = Expressions(size, self._known)
        by_struct: dict[int, list[Bound]] = {}
        for number, field in placed:
            by_struct.setdefault(number, []).append(field)
        self._lines = []
        for number, fields in by_struct.items():
            scalars = [(f.name, v) for f in fields if f.spec.kind not in _MANY and (v := expressions.value(f))]
            items = [(f.name, v) for f in fields if f.spec.kind in _MANY and (v := expressions.value(f))]
            if scalars or items:
                self._use(number)
            if scalars:
                self._scalars(number, scalars, expressions)
            for name, value in items:
                self._item(number, name, value)
        return [*expressions.splits, *expressions.before, *self._lines]

    def _use(self, number: int) -> None:
        if number >= 0:
            self._used.add(number)
            self._use(self._structs[number].parent)

    def _made(self, number: int, values: str) -> str:
        """The expression for a struct with these values."""
        return f"{self.knows(self._structs[number].cls)}({values})"

    def _attached(self, number: int, indent: str) -> list[str]:
        """A new part is put into the struct that it is a part of, which is made where there is none yet."""
        _, parent, attribute = self._structs[number]
        if parent < 0:
            return []
        return [
            f"{indent}if s{parent} is None:",
            f"{indent} s{parent} = {self._made(parent, f'{attribute}=s{number}')}",
            *self._attached(parent, indent + " "),
            f"{indent}else: s{parent}.{attribute} = s{number}",
        ]

    def _scalars(self, number: int, values: Sequence[tuple[str, Value]], expressions: Expressions) -> None:
        """Values of which the first one of its name stays."""
        name, one = values[0]
        struct = f"s{number}"
        if len(values) == 1:
            test, sure = (one.test, one.sure) if one.test else ("value is not None", "value")
            self._lines += [] if one.test else [f"value = {one.text}"]
            self._lines += [
                f"if {test}:",
                f" if {struct} is None:",
                f"  {struct} = {self._made(number, f'{name}={sure}')}",
                *self._attached(number, "  "),
                f" elif {struct}.{name} is None: {struct}.{name} = {sure}",
            ]
            return
        whole, test = expressions.together(self._structs[number].cls, values, "made")
        self._lines += [
            f"if {struct} is None:",
            f" made = {whole}",
            f" if {test}:",
            f"  {struct} = made",
            *self._attached(number, "  "),
            "else:",
            *(f" if {struct}.{name} is None: {struct}.{name} = {value.text}" for name, value in values),
        ]

    def _item(self, number: int, name: str, value: Value) -> None:
        """One more item of a list."""
        struct = f"s{number}"
        self._lines += [
            f"value = {value.text}",
            f"if {'value is not None' if value.test != 'True' else 'True'}:",
            f" if {struct} is None:",
            f"  {struct} = {self._made(number, f'{name}=[value]')}",
            *self._attached(number, "  "),
            f" elif {struct}.{name} is None: {struct}.{name} = [value]",
            f" else: {struct}.{name}.append(value)",
        ]

"""Binds the fields of a typed document to their places in a guide, once, for both directions.

A document is a msgspec struct whose JSON names are the dialect's. Each field says where it lives in X12 with one of the
functions below, for example `member_id: Annotated[Text, at("2010BA NM109 NM108=MI")] = None`. Reading fills the struct
from a walked transaction set; writing makes segments of it, in the guide's order, with every element that only one code
can fill added from the guide, and remembers which field each element came from, so that a finding names the field.

A place is `[loop ]segment[[qualifiers]]element[-component][ condition...]`: `REF[EI]02` is element 02 of the REF whose first
element is EI; a condition such as `NM108=MI` must hold when reading and is written when writing, `NM108~MI` is only written, and `PWK02=AB|NS` (one of
several) only must hold.
Without a loop, the place is in the loop that the struct is bound to; a loop elsewhere (`2100C|2100D` for either) is looked
for inside, beside and above it, nearest first. `x12.documents.reading` follows the bindings, `x12.documents.writing` goes
the other way.
"""

from __future__ import annotations

import gc
import re
import typing
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from x12.discreet import Discreet
from x12.documents.reading import Reader
from x12.walk import Instance

__all__ = [
    "Bound",
    "Document",
    "Flat",
    "Place",
    "Plan",
    "Spec",
    "Text",
    "at",
    "binary",
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
    "rows",
    "segments",
    "spec_of",
    "spread",
    "start_of",
    "without_blanks",
    "yes_no",
]

Text = str | None
D = TypeVar("D", bound="Document")
Out = dict[str, Any]


class Document(Discreet, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """A JSON object of the dialect. Absent and null are the same; unknown keys are ignored.

    No type of document holds itself at any depth, so that the collector of cycles need not look at them: a remittance has a
    hundred thousand.
    """


class Flat(msgspec.Struct, frozen=True):
    """A flat view of what X12 says, for matching; as a document's, its repr shows no values."""

    __repr__ = Discreet.__repr__
    __rich_repr__ = Discreet.__rich_repr__


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


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """How one field meets X12; made by the functions below.

    Compared by identity: `typing` keeps annotations in a cache and would compare each field with a hundred others.
    """

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


def at(place: str, default: str = "") -> Spec:
    """The element or component at a place, `default` written where the field is absent. On an integer field the digits."""
    return Spec("at", parse_place(place), default=default)


def binary(place: str) -> Spec:
    """The bytes of a BIN02, in JSON as Base64; its length goes to the element before it. `place` is the BIN02's."""
    return Spec("binary", parse_place(place))


def coded(place: str, table: Mapping[str, str], default: str = "") -> Spec:
    """The words for the code at a place; written back as the code. `default` is the code where the field is absent."""
    return Spec("coded", parse_place(place), table=table, default=default)


def start_of(place: str, until: str = "") -> Spec:
    """The first (or only) date of a period: element 1251 behind its 1250, D8 or RD8. `place` is the 1251's.

    Where the guide has periods only, RD8, `until` is the JSON name of the last date: without it the first is refused.
    """
    return Spec("start", parse_place(place), value=until)


def end_of(place: str, since: str = "") -> Spec:
    """The last date of the period that a `start_of` field before this one begins; `since` is that field's JSON name."""
    return Spec("end", parse_place(place), value=since)


def period(place: str) -> Spec:
    """A date (CCYYMMDD, D8), a moment (CCYYMMDDHHMM, DT) or a period (CCYYMMDD-CCYYMMDD, RD8) as one string.

    It is the element 1251 behind its 1250.
    """
    return Spec("period", parse_place(place))


def contact(place: str, qualifier: str) -> Spec:
    """The communication number behind this qualifier (EM, FX, TE, EX, ...) in a PER, in whichever pair it stands.

    `@02` in a group of two elements: each number is an item of a list, written to the next free pair.
    """
    return Spec("contact", parse_place(place), value=qualifier)


def flag(place: str, value: str = "Y") -> Spec:
    """A boolean: true is this value at the place, false or absent writes nothing."""
    return Spec("flag", parse_place(place), value=value)


def each(place: str, last: int) -> Spec:
    """A list of strings in consecutive components (or elements, for a place without one), from the place up to number `last`."""
    return Spec("each", parse_place(place), last=last)


def yes_no(place: str) -> Spec:
    """A boolean: Y for true, N for false; absent writes nothing."""
    return Spec("yes or no", parse_place(place))


def composites(place: str, last: int, *codes: str) -> Spec:
    """A list of strings: component 2 of consecutive composites, from the place's element up to number `last`.

    Component 1 is its code: the first of `codes` for the first item, and so on, the last one for all the rest.
    """
    return Spec("composites", parse_place(place), last=last, codes=codes)


def repeats(place: str) -> Spec:
    """A list of strings: one element, repeated with the repetition separator."""
    return Spec("repeats", parse_place(place))


def segments(place: str) -> Spec:
    """A list with one item for each segment: structs whose places are in that segment, or strings at the place's element."""
    return Spec("segments", parse_place(place))


def groups(place: str, size: int, last: int) -> Spec:
    """A list of structs, each bound to `size` consecutive elements from the place's element up to `last`; their places say `@01`, `@02-1`."""
    return Spec("groups", parse_place(place), last=last, size=size)


def rows(place: str, last: int, *codes: str) -> Spec:
    """A list of lists: one segment for each, whose composites from the place's element up to number `last` are its items.

    Items are structs whose places say `@01-2`, or strings: component 2, behind the code that `composites` tells of.
    """
    return Spec("rows", parse_place(place), last=last, codes=codes)


def spread(place: str, *further: int) -> Spec:
    """A list of strings or structs, each bound to one element: the place's own, then the further ones; structs say `@01-1`."""
    first = parse_place(place)
    return Spec("groups", first, last=max(further), starts=(first.element, *further))


def inside(*loops: str) -> Spec:
    """A struct bound to the loop with one of these ids, or a list of structs for a loop that repeats."""
    return Spec("inside", loops=loops)


def nowhere(refused: str = "") -> Spec:
    """A field for which this place of the guide has no room: it is never read, and writing warns that it was not sent.

    Where what is meant would not happen without it, it is refused instead: `refused` says why and what to do.
    """
    return Spec("nowhere", value=refused)


def by_hand() -> Spec:
    """A struct that the document's own functions read and write; without it, a struct is part of the same loop."""
    return Spec("by hand")


def meaning(place: str, table: Mapping[str, str]) -> Spec:
    """The words for the code at a place, when reading; nothing is written. On a list, the words for each repetition."""
    return Spec("meaning", parse_place(place), table=table)


# --- plans: what a struct type asks for, prepared once --------------------------------------------------------------


class Bound(NamedTuple):
    """One field of a struct: attribute, JSON name, how it is bound, and the plan of its struct type if it has one."""

    name: str
    json: str
    spec: Spec
    plan: Plan | None
    many: bool
    integer: bool


class Plan:
    """A struct type's bindings in field order, and its reader."""

    def __init__(self, cls: type[Document]) -> None:
        self.cls = cls
        self.fields: list[Bound] = []
        for info in msgspec.structs.fields(cls):
            spec, inner, many, integer = _unwrap(info.type)
            plan = plan_of(inner) if inner is not None else None
            if spec is None and plan is not None and not many:
                spec = Spec("part")
            if spec is not None and spec.kind != "by hand":
                self.fields.append(Bound(info.name, info.encode_name, spec, plan, many, integer))
        self.reader = Reader(self)


@cache
def plan_of(cls: type[Document]) -> Plan:
    """The plan of a document type."""
    return Plan(cls)


def spec_of(hint: Any) -> Spec | None:
    """How a field with this annotation meets X12; None where it says nothing of that."""
    spec: Spec | None = None
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, Spec):
            spec = meta
    return spec


def _unwrap(hint: Any) -> tuple[Spec | None, type[Document] | None, bool, bool]:
    """(spec, document type, is it a list, is it an integer) of a field's annotation."""
    spec = spec_of(hint)
    if hasattr(hint, "__metadata__"):
        hint = hint.__origin__
    options = (
        [a for a in typing.get_args(hint) if a is not type(None)] if typing.get_origin(hint) is not list else [hint]
    )
    inner: Any = options[0] if options else hint
    many = typing.get_origin(inner) is list
    item: Any = typing.get_args(inner)[0] if many else inner
    if typing.get_origin(item) is list:
        item = typing.get_args(item)[0]
    document = item if isinstance(item, type) and issubclass(item, Document) else None
    return spec, document, many, inner is int


def read(cls: type[D], instance: Instance) -> D:
    """The document that a loop and what is in its scope hold. Never raises on content: what is not there is absent."""
    # What is made has no cycles, and a remittance of ten thousand claims has 36,000 lists: looking for some meanwhile finds nothing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        found = plan_of(cls).reader.read(instance)
    finally:
        if collecting:
            gc.enable()
    return found if isinstance(found, cls) else cls()


# In JSON: a blank text, an empty list, an object that says nothing. Absent fields are not in it. What `str.isspace` calls a
# space is also what JSON escapes (from \t to \x1f), and what takes two or three bytes.
_SPACE = rb"\s|\\[tnrf]|\\u00(?:0b|1[c-f])|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
_BLANK = re.compile(rb'"(?:' + _SPACE + rb')*"|\[\]|\{\}')


def without_blanks(document: D) -> D | None:
    """A copy, through all levels, without blank texts, empty lists and structs that say nothing; None where nothing is left.

    Older clients send every key of an object that they do not use with an empty text.
    """
    told = msgspec.json.encode(document)
    if not _BLANK.search(told):
        # The rule: nothing to leave out, and JSON is the fastest way to a copy.
        return msgspec.json.decode(told, type=type(document))
    made = copy(document)
    said = False
    for name in made.__struct_fields__:
        value: Any = getattr(made, name)
        if value is None:
            continue
        kept = _without_blanks(value)
        said = said or kept is not None
        if kept is not value:
            setattr(made, name, kept)
    return made if said else None


def _without_blanks(value: Any) -> Any:
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, Document):
        return without_blanks(value)
    if isinstance(value, list):
        return [kept for v in cast("list[Any]", value) if (kept := _without_blanks(v)) is not None] or None
    return value

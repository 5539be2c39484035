"""Reads typed documents out of a walked transaction set: how the bindings of `x12.documents.binding` are followed.

Each struct type gets one reader, made once. A struct and the structs that are parts of it (bound to the same loop) are
filled in a single pass over the loop's segments: the segment's id and first element choose a function that was written for them
(`x12.documents.compiled`). Of several segments for one field the first that has a value is taken. Nothing in the content raises:
what cannot be understood is absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from x12.documents.compiled import Choices, Pass, Sized, Struct, functions
from x12.documents.expressions import place_of
from x12.guides import Loop
from x12.syntax import Delimiters
from x12.tree import Instance

if TYPE_CHECKING:
    from x12.documents.binding import Bound, Document, Plan

__all__ = ["Reader"]

# Where the guide has loops with certain ids, seen from a loop: levels up, and whether it is that loop itself or inside it.
_Route = list[tuple[int, bool]]
_Way = tuple[_Route, tuple[str, ...]]

# So many combinations of loops in a set are remembered; for further ones it is looked for every loop of the guide.
_SCOPES_MAX = 256


class Reader:
    """Reads one struct type, with its parts, from a loop or from one segment. `at_once`: it has no parts, and one segment fills it."""

    def __init__(self, plan: Plan) -> None:
        self.cls = plan.cls
        # The struct itself, then its parts, each after the one that it is a part of.
        self._structs: list[Struct] = []
        self._inside: list[tuple[int, Bound]] = []
        placed: list[tuple[int, Bound]] = []
        self._collect(plan, -1, "", placed)
        places = [place_of(field) for _, field in placed]
        several = any(field.spec.kind in ("segments", "rows") for _, field in placed)
        alike = len({place[:3] for place in places}) == 1 and not any(place.qualifiers for place in places)
        self.at_once = alike and not several and not self._inside and len(self._structs) == 1
        tables: dict[tuple[str, ...], dict[str, list[tuple[int, Bound]]]] = {}
        for number, field in placed:
            place = place_of(field)
            tables.setdefault(place.loops, {}).setdefault(place.segment, []).append((number, field))
        here = tables.pop((), None)
        self._here = Pass(self._structs, here, begins=True) if here else None
        self._elsewhere = [(ids, Pass(self._structs, table, begins=False)) for ids, table in tables.items()]
        # Structs that have something to do when they are made have it again when all their values are there.
        self._completed = [n for n, struct in enumerate(self._structs) if hasattr(struct.cls, "__post_init__")]
        self._placed = placed
        # For segments and groups of elements, once one of them is read.
        self._row: Sized | Choices | None = None
        self._scopes: dict[tuple[Loop, frozenset[str] | None], _Scope] = {}

    def _collect(self, plan: Plan, parent: int, name: str, placed: list[tuple[int, Bound]]) -> None:
        number = len(self._structs)
        self._structs.append(Struct(plan.cls, parent, name))
        for field in plan.fields:
            if field.spec.kind == "part" and field.plan is not None:
                self._collect(field.plan, number, field.name, placed)
            elif field.spec.kind == "inside":
                self._inside.append((number, field))
            elif field.spec.place is not None:
                placed.append((number, field))

    def read(self, instance: Instance) -> Document | None:
        """The struct that a loop and what is in its scope hold; None where that is nothing."""
        scope = self._scopes.get((instance.loop, instance.loops))
        if scope is None:
            scope = self._scope(instance.loop, instance.loops)
        top: Any = None
        if self._here is not None:
            top = self._here.run(instance.raws(), None, instance.delimiters)
        if scope.bare:
            return top
        for way, there in scope.elsewhere:
            where = _nearest(instance, *way)
            if where is not None:
                top = there.run(where.raws(), top, where.delimiters)
        for number, name, reader, ids in scope.lists:
            found = reader.read_each(child for child in instance.children if child.loop.id in ids)
            if found:
                top = self._held(number, top, name, found)
        for number, name, reader, way in scope.singles:
            where = _nearest(instance, *way)
            if where is not None and (one := reader.read(where)) is not None:
                top = self._held(number, top, name, one)
        for number in self._completed:
            if (part := self._part(number, top)) is not None:
                part.__post_init__()
        return top

    def read_each(self, instances: Iterable[Instance]) -> list[Document]:
        """The struct of each loop, empty where that is nothing."""
        here, scopes = self._here, self._scopes
        made: list[Document] = []
        for instance in instances:
            scope = scopes.get((instance.loop, instance.loops))
            if scope is not None and scope.bare and here is not None:
                one = here.run(instance.raws(), None, instance.delimiters)
            else:
                one = self.read(instance)
            made.append(self.cls() if one is None else one)
        return made

    def _scope(self, loop: Loop, there: frozenset[str]) -> _Scope:
        """What the reader looks for, seen from a loop in a set that has these loops."""
        key = loop, (there if len(self._scopes) < _SCOPES_MAX else None)
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = self._new_scope(*key)
        return scope

    def _new_scope(self, loop: Loop, there: frozenset[str] | None) -> _Scope:
        scope = _Scope()
        children = {child.id for child in loop.children if isinstance(child, Loop)}
        for loops, around in self._elsewhere:
            if (there is None or not there.isdisjoint(loops)) and (route := _route(loop, loops)):
                scope.elsewhere.append(((route, loops), around))
        for number, field in self._inside:
            plan, loops = field.plan, field.spec.loops
            assert plan is not None
            if there is not None and there.isdisjoint(loops):
                continue
            if field.many and not children.isdisjoint(loops):
                scope.lists.append((number, field.name, plan.reader, loops))
            elif not field.many and (route := _route(loop, loops)):
                scope.singles.append((number, field.name, plan.reader, (route, loops)))
        scope.bare = not (scope.elsewhere or scope.lists or scope.singles or self._completed)
        return scope

    def read_row(self, row: list[str], delimiters: Delimiters) -> Document | None:
        """The struct that one segment, or a group of elements (`@`), holds; None where that is nothing."""
        chosen = self._row
        if chosen is None:
            chosen = self._row = functions(self._structs, self._placed)
        if isinstance(chosen, Choices):
            found = chosen.get(row[1]) if len(row) > 1 else chosen.otherwise
            chosen = chosen.among(row[1], delimiters) if found is None else found
        return chosen[min(len(row), len(chosen) - 1)](row, None, delimiters)

    def item(self, row: list[str], delimiters: Delimiters) -> Document:
        """The same, empty where that is nothing."""
        return self.read_row(row, delimiters) or self.cls()

    def _held(self, number: int, top: Any, name: str, value: Any) -> Any:
        """The whole struct, with a value in it or in that of its parts which has this number."""
        cls, parent, attribute = self._structs[number]
        if parent < 0:
            if top is None:
                return cls(**{name: value})
            setattr(top, name, value)
            return top
        held = self._part(number, top)
        if held is None:
            return self._held(parent, top, attribute, cls(**{name: value}))
        setattr(held, name, value)
        return top

    def _part(self, number: int, top: Any) -> Any:
        _, parent, attribute = self._structs[number]
        if parent < 0 or top is None:
            return top
        above = self._part(parent, top)
        return None if above is None else getattr(above, attribute)


class _Scope:
    """What a reader looks for, seen from a loop: tables of the segments elsewhere, lists of loops inside, single loops nearby.

    What the guide or the set has not at all is not looked for. `bare` tells that there is nothing of them.
    """

    def __init__(self) -> None:
        self.elsewhere: list[tuple[_Way, Pass]] = []
        self.lists: list[tuple[int, str, Reader, tuple[str, ...]]] = []
        self.singles: list[tuple[int, str, Reader, _Way]] = []
        self.bare = False


def _route(loop: Loop, ids: tuple[str, ...]) -> _Route:
    route: _Route = []
    here: Loop | None = loop
    up = 0
    while here is not None:
        if here.id in ids:
            return [*route, (up, True)]
        if any(isinstance(child, Loop) and child.id in ids for child in here.children):
            route.append((up, False))
        here, up = here.parent, up + 1
    return route


def _nearest(instance: Instance, route: _Route, ids: tuple[str, ...]) -> Instance | None:
    """What `Instance.near` finds, without looking where the guide has no such loop."""
    here, climbed = instance, 0
    for up, itself in route:
        while climbed < up and here.parent is not None:
            here, climbed = here.parent, climbed + 1
        if itself:
            return here
        if here.children and (found := here.first(ids)) is not None:
            return found
    return None

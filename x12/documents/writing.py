"""Writes typed documents as segments of a guide: the other direction of `x12.documents.binding`.

Fields go to their places in draft loops; the guide gives the order, the hierarchical levels and every element that only
one code can fill. What comes out is walked like anything received, and each finding is given the field it comes from.

What a binding asks for is made into a step once for each struct type and loop: a document then costs what it says, not what
its type could say. X12 has no escape character: a value that X12 cannot carry is refused with its field's path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from x12.discreet import Discreet
from x12.documents.binding import Bound, Document, Place, Plan, plan_of
from x12.documents.drafts import DraftLoop, DraftSegment, lines_of, way
from x12.documents.field_paths import ANY_NUMBER, index_of, path_of
from x12.documents.judged import judged_set
from x12.finding import Finding
from x12.guides import Guide, Loop
from x12.judging import Manner
from x12.syntax import CANONICAL, RESERVED, unwritable_character
from x12.units import is_missing

__all__ = ["DraftLoop", "Writer", "Written", "told_once"]

# CCYYMMDDHHMM
_MOMENT_LENGTH = 12
# CCYYMMDD
_DAY_LENGTH = 8


class Written(Discreet):
    """A transaction set as segments with CANONICAL separators, and what is wrong with it, each finding with its field path."""

    segments: list[str]
    findings: list[Finding]

    @property
    def accepted(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


# IK403: an element that is required, or that others beside it require, is not there.
_LACKING = frozenset({"1", "2"})


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of what was written: a value that was given and refused is not missing, too."""
    refused = {f.path for f in findings if f.severity == "error" and f.segment is None}
    return [
        f for f in findings if f.segment is None or f.path not in refused or not (is_missing(f) or f.code in _LACKING)
    ]


class Writer:
    """Writes documents into one transaction set of a guide.

    Fill `root` (and the loops under it) with `write`, then `finish` gives the segments, judged. The caller adds what no
    document carries (BHT, levels without fields) with `put` and `add`.
    """

    def __init__(self, guide: Guide, control_number: str = "0001") -> None:
        self.guide = guide
        self.root = DraftLoop(guide.root)
        self.control_number = control_number
        self.findings: list[Finding] = []
        self._plans: dict[tuple[Plan, str, str], None] = {}
        # Periods that have begun and must end, with the field that says when.
        self.begun: dict[tuple[int, int, int], tuple[DraftSegment, tuple[str, str]]] = {}

    def write(self, document: Document, loop: DraftLoop, path: str = "") -> None:
        """Write a document's fields, `loop` being the one that its type is bound to; `path` is its own JSON path."""
        plan = plan_of(type(document))
        self._plans[plan, loop.loop.id, ANY_NUMBER.sub("[]", path)] = None
        _in_loop(plan, loop.loop).write(self, document, loop, f"{path}." if path else "")

    def finish(self, manner: Manner | None = None) -> Written:
        """The segments from ST to SE, in the guide's order, with their findings: of syntax and guide, or judged in a manner."""
        self.root.put("ST02", self.control_number)
        self._end_periods()
        lines = lines_of(self.root)
        texts = [text for text, _, _ in lines]
        e = CANONICAL.element
        texts.append(f"SE{e}{len(texts) + 1}{e}{self.control_number}")
        found: list[Finding] = []
        if judged := judged_set(self.guide, texts, manner):
            index = index_of(tuple(self._plans))
            found = [
                f if f.path else msgspec.structs.replace(f, path=path_of(f, lines, index, self.guide)) for f in judged
            ]
        return Written(texts, told_once(self.findings + found))

    def _end_periods(self) -> None:
        """Refuse each period without an end: which day that is nobody but the caller knows. It ends as it began, so that it is told once."""
        for (_, element, component), (segment, path) in self.begun.items():
            day = segment.get(element, component)
            segment.set(element, component, 0, f"{day}-{day}")
            segment.set(*_before(element, component), 0, "RD8")
            self.refuse("1", "is missing: it is the last day of a period, for a single day the same as the first", path)

    def put(
        self, segment: DraftSegment, element: int, component: int, repetition: int, value: str, path: tuple[str, str]
    ) -> None:
        """Write the value of a field, unless X12 cannot carry it or another field has another one for the same place."""
        value = value.strip()
        if not value:
            return
        if not (value.isascii() and value.isprintable() and RESERVED.isdisjoint(value)):
            bad = unwritable_character(value)
            text = f"contains {bad}, which X12 cannot carry: use letters, digits and punctuation of ASCII"
            self.refuse("6", text, path)
            return
        key = (element, component, repetition)
        paths = segment.paths
        if key in paths and segment.get(element, component, repetition) != value:
            self.refuse("10", f"cannot be sent beside {''.join(paths[key])}: X12 has one place for both", path)
            return
        paths[key] = path
        elements = segment.elements
        if component or repetition or element >= len(elements):
            segment.set(element, component, repetition, value)
        else:
            elements[element] = value

    def unsent(self, path: str, value: object, refused: str) -> None:
        """A field that has no place here was given: it is told, or refused where there are words for that."""
        if value is False:
            return
        if refused:
            self.refuse("7", refused, ("", path))
            return
        message = f"{path} has no place in {self.guide.set_id} {self.guide.id}: it was not sent."
        self.findings.append(Finding(2, "element", "I10", message, "warning", path=path))

    def refuse(self, code: str, message: str, path: tuple[str, str]) -> None:
        """A field cannot be written."""
        joined = "".join(path)
        self.findings.append(Finding(1, "element", code, f"{joined} {message}.", path=joined))


# --- steps: what is done with the value of a field -------------------------------------------------------------------

# Writes a value into a segment; the text is the prefix of its path, the number what to add to the element of its place.
_IntoSegment = Callable[[Writer, Any, DraftSegment, str, int], None]
# Writes a value into a loop or what is in its scope.
_IntoLoop = Callable[[Writer, Any, DraftLoop, str], None]
# Stands for the value of an absent field that has a code of its own for that.
_ABSENT = object()


class _Values:
    """The values of the fields that are written, absent ones as None."""

    def __init__(self, fields: Sequence[Bound]) -> None:
        names = [f.name for f in fields]
        self._get: Callable[[Any], tuple[Any, ...]] = (
            attrgetter(*names) if len(names) > 1 else lambda document: tuple(getattr(document, n) for n in names)
        )
        self._defaults = [i for i, f in enumerate(fields) if f.spec.default]

    def of(self, document: Document) -> Sequence[Any]:
        values = self._get(document)
        if not self._defaults:
            return values
        filled = list(values)
        for index in self._defaults:
            if filled[index] is None or filled[index] == "":
                filled[index] = _ABSENT
        return filled


def _written(plan: Plan) -> list[Bound]:
    return [f for f in plan.fields if f.spec.kind != "meaning"]


class _InLoop:
    """The fields of a struct that is bound to a loop."""

    def __init__(self, plan: Plan, loop: Loop) -> None:
        fields = _written(plan)
        self._values = _Values(fields)
        self._steps = [_into_loop(field, loop) for field in fields]

    def write(self, writer: Writer, document: Any, loop: DraftLoop, prefix: str) -> None:
        for step, value in zip(self._steps, self._values.of(document), strict=True):
            if value is not None and value != "" and value != []:
                step(writer, value, loop, prefix)


class _InSegment:
    """The fields of a struct that is bound to one segment, or to a group of its elements."""

    def __init__(self, plan: Plan) -> None:
        fields = _written(plan)
        self._values = _Values(fields)
        self._steps = [_into_segment(field) for field in fields]

    def write(self, writer: Writer, document: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        for step, value in zip(self._steps, self._values.of(document), strict=True):
            if value is not None and value != "" and value != []:
                step(writer, value, segment, prefix, offset)


@cache
def _in_loop(plan: Plan, loop: Loop) -> _InLoop:
    return _InLoop(plan, loop)


@cache
def _in_segment(plan: Plan) -> _InSegment:
    return _InSegment(plan)


def _into_loop(field: Bound, loop: Loop) -> _IntoLoop:
    """The step of a field of a struct that is bound to a loop."""
    kind, json = field.spec.kind, field.json
    if kind == "nowhere":
        return lambda writer, value, _, prefix: writer.unsent(prefix + json, value, field.spec.value)
    if kind == "part":
        assert field.plan is not None
        inner, inside = _in_loop(field.plan, loop), f"{json}."
        return lambda writer, value, draft, prefix: inner.write(writer, value, draft, prefix + inside)
    if kind == "inside":
        return _inside_many(field, loop) if field.many else _inside(field, loop)
    where = _whither(loop, _placed(field).loops)
    if kind == "segments":
        return _segments(field, where)
    if kind == "rows":
        return _rows(field, where)
    place = _placed(field)
    if kind == "at" and not (place.written or place.loops or field.spec.default or field.integer):
        return _at_own(place, json)
    step = _into_segment(field)
    segment_id, qualifiers, shared = place.segment, place.qualifiers, kind == "contact"

    def into_one(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        if value is False and kind == "flag":
            return
        at = where(draft)
        segment = at.segment(segment_id, qualifiers)
        step(writer, value, at.with_room(segment) if shared else segment, prefix, 0)

    return into_one


def _at_own(place: Place, json: str) -> _IntoLoop:
    """Most fields: a text that goes to one place of the loop's own, and nothing else with it."""
    key = (place.segment, place.qualifiers)
    element, component = place.element, place.component

    def at_own(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        segment = draft.single.get(key) or draft.segment(*key)
        writer.put(segment, element, component, 0, value, (prefix, json))

    return at_own


def _whither(loop: Loop, loop_ids: tuple[str, ...]) -> Callable[[DraftLoop], DraftLoop]:
    """From a draft of this loop to the nearest one with one of these ids; itself without any."""
    if not loop_ids:
        return lambda draft: draft
    try:
        known = way(loop, loop_ids)
    except KeyError:
        # A struct that is bound to several loops has fields that only some of them can hold: told when one is given.
        return lambda draft: draft.near(loop_ids)
    return lambda draft: draft.along(known)


def _inside(field: Bound, loop: Loop) -> _IntoLoop:
    plan, json, loops = field.plan, field.json, field.spec.loops
    assert plan is not None

    def inside(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        path = prefix + json
        there = draft.near(loops, path)
        _in_loop(plan, there.loop).write(writer, value, there, f"{path}.")

    return inside


def _inside_many(field: Bound, loop: Loop) -> _IntoLoop:
    plan, json = field.plan, field.json
    assert plan is not None
    inner = next((c for c in loop.children if isinstance(c, Loop) and c.id in field.spec.loops), None)
    if inner is None:
        raise KeyError("|".join(field.spec.loops))
    steps, loop_id = _in_loop(plan, inner), inner.id

    def inside(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        for index, item in enumerate(value):
            path = f"{prefix}{json}[{index}]"
            steps.write(writer, item, draft.add(loop_id, path), f"{path}.")

    return inside


def _segments(field: Bound, where: Callable[[DraftLoop], DraftLoop]) -> _IntoLoop:
    place, json = _placed(field), field.json
    row = _in_segment(field.plan) if field.plan is not None else None

    def segments(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        there = where(draft)
        for index, item in enumerate(value):
            segment = there.another(place.segment, place.qualifiers)
            path = f"{prefix}{json}[{index}]"
            _conditions(segment, place, 0)
            if row is None:
                writer.put(segment, place.element, place.component, 0, item, ("", path))
            else:
                row.write(writer, item, segment, f"{path}.", 0)

    return segments


def _rows(field: Bound, where: Callable[[DraftLoop], DraftLoop]) -> _IntoLoop:
    place, json = _placed(field), field.json
    step = _composites if field.plan is None else _groups

    def rows(writer: Writer, value: Any, draft: DraftLoop, prefix: str) -> None:
        there = where(draft)
        for index, items in enumerate(value):
            segment = there.another(place.segment, place.qualifiers)
            step(field, f"{json}[{index}]")(writer, items, segment, prefix, 0)

    return rows


def _into_segment(field: Bound) -> _IntoSegment:
    """The step of a field whose place is in a segment at hand."""
    kind, json = field.spec.kind, field.json
    if kind == "nowhere":
        return lambda writer, value, _segment, prefix, _: writer.unsent(prefix + json, value, field.spec.value)
    if kind == "part":
        assert field.plan is not None
        inner, inside = _in_segment(field.plan), f"{json}."
        return lambda writer, value, segment, prefix, offset: inner.write(
            writer, value, segment, prefix + inside, offset
        )
    step = _STEPS[kind](field, json)
    place, default = _placed(field), field.spec.default
    if not place.written and not default:
        return step

    def conditioned(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        if value is _ABSENT:
            _conditions(segment, place, offset)
            segment.fill(place.element + offset, place.component, default)
            return
        _conditions(segment, place, offset, (prefix, json))
        step(writer, value, segment, prefix, offset)

    return conditioned


def _conditions(segment: DraftSegment, place: Place, offset: int, path: tuple[str, str] | None = None) -> None:
    """What a field's place asks for beside it, such as the qualifier of its identifier: that field is to blame for it."""
    for element, component, value in place.written:
        segment.fill(element + offset, component, value)
        if path is not None:
            segment.paths.setdefault((element + offset, component, 0), path)


def _at(field: Bound, json: str) -> _IntoSegment:
    element, component, integer = *_place(field), field.integer

    def at(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        text = str(value) if integer else value
        writer.put(segment, element + offset, component, 0, text, (prefix, json))

    return at


def _binary(field: Bound, json: str) -> _IntoSegment:
    element, _ = _place(field)

    def binary(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        if value:
            for position, text in (
                (element - 1 + offset, str(len(value))),
                (element + offset, value.decode("latin-1")),
            ):
                segment.set(position, 0, 0, text)
                segment.paths[position, 0, 0] = (prefix, json)

    return binary


def _coded(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)
    codes: dict[Any, Any] = {}
    for code, words in (field.spec.table or {}).items():
        codes.setdefault(words, code)

    def coded(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        writer.put(segment, element + offset, component, 0, codes.get(value, value), (prefix, json))

    return coded


def _flag(field: Bound, json: str) -> _IntoSegment:
    element, component, code = *_place(field), field.spec.value

    def flag(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        if value is not False:
            writer.put(segment, element + offset, component, 0, code, (prefix, json))

    return flag


def _yes_no(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)

    def yes_no(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        writer.put(segment, element + offset, component, 0, "Y" if value else "N", (prefix, json))

    return yes_no


def _period(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)

    def period(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        writer.put(segment, element + offset, component, 0, value, (prefix, json))
        form = "RD8" if "-" in value else "DT" if len(value) == _MOMENT_LENGTH else "D8"
        segment.set(*_before(element + offset, component), 0, form)

    return period


def _start(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)
    until = field.spec.value

    def start(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        writer.put(segment, element + offset, component, 0, value, (prefix, json))
        segment.fill(*_before(element + offset, component), "D8")
        if until:
            writer.begun[id(segment), element + offset, component] = segment, (prefix, until)

    return start


def _end(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)
    since = field.spec.value

    def end(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        writer.begun.pop((id(segment), element + offset, component), None)
        begun = segment.get(element + offset, component)
        if since and not begun:
            writer.refuse("1", "is missing: it is the first day of a period", (prefix, since))
            begun = value
        began = segment.paths.pop((element + offset, component, 0), None)
        writer.put(segment, element + offset, component, 0, f"{begun}-{value}", (prefix, json))
        if began is not None and not _is_day(begun):
            # What is wrong with the period is its beginning.
            segment.paths[element + offset, component, 0] = began
        segment.set(*_before(element + offset, component), 0, "RD8")

    return end


def _contact(field: Bound, json: str) -> _IntoSegment:
    qualifier = field.spec.value

    def contact(writer: Writer, value: Any, segment: DraftSegment, prefix: str, _: int) -> None:
        free = segment.pair()
        if free:
            segment.set(free, 0, 0, qualifier)
            writer.put(segment, free + 1, 0, 0, value, (prefix, json))
        else:
            writer.refuse("12", "does not fit: a PER holds three communication numbers", (prefix, json))

    return contact


def _each(field: Bound, json: str) -> _IntoSegment:
    (element, component), last = _place(field), field.spec.last

    def each(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        first = component or element + offset
        for index, item in enumerate(value):
            path = (prefix, f"{json}[{index}]")
            if first + index > last:
                writer.refuse("3", f"does not fit: there is room for {last - first + 1}", path)
            elif component:
                writer.put(segment, element + offset, first + index, 0, item, path)
            else:
                writer.put(segment, first + index, 0, 0, item, path)

    return each


def _repeats(field: Bound, json: str) -> _IntoSegment:
    element, component = _place(field)

    def repeats(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        for index, item in enumerate(value):
            writer.put(segment, element + offset, component, index, item, (prefix, f"{json}[{index}]"))

    return repeats


def _composites(field: Bound, json: str) -> _IntoSegment:
    (element, _), codes, last = _place(field), field.spec.codes, field.spec.last

    def composites(writer: Writer, value: Any, segment: DraftSegment, prefix: str, offset: int) -> None:
        first = element + offset
        for index, item in enumerate(value):
            path = (prefix, f"{json}[{index}]")
            if first + index > last:
                writer.refuse("3", f"does not fit: there is room for {last - first + 1}", path)
            else:
                segment.set(first + index, 1, 0, codes[min(index, len(codes) - 1)])
                writer.put(segment, first + index, 2, 0, item, path)

    return composites


def _groups(field: Bound, json: str) -> _IntoSegment:
    spec, (element, _) = field.spec, _place(field)
    starts = spec.starts or range(element, spec.last + 1, spec.size)
    row = _in_segment(field.plan) if field.plan is not None else None

    def groups(writer: Writer, value: Any, segment: DraftSegment, prefix: str, _: int) -> None:
        for index, item in enumerate(value):
            path = f"{json}[{index}]"
            if index >= len(starts):
                writer.refuse("3", "does not fit: the segment has no room for more", (prefix, path))
            elif row is None:
                writer.put(segment, starts[index], 0, 0, item, (prefix, path))
            else:
                row.write(writer, item, segment, f"{prefix}{path}.", starts[index] - 1)

    return groups


_STEPS: dict[str, Callable[[Bound, str], _IntoSegment]] = {
    "at": _at,
    "binary": _binary,
    "coded": _coded,
    "composites": _composites,
    "contact": _contact,
    "each": _each,
    "end": _end,
    "flag": _flag,
    "groups": _groups,
    "period": _period,
    "repeats": _repeats,
    "start": _start,
    "yes or no": _yes_no,
}


def _placed(field: Bound) -> Place:
    assert field.spec.place is not None
    return field.spec.place


def _place(field: Bound) -> tuple[int, int]:
    """Element and component of a field's place."""
    place = _placed(field)
    return place.element, place.component


def _is_day(text: str) -> bool:
    """Whether this is a day that exists, CCYYMMDD."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == _DAY_LENGTH and text.isdecimal()


def _before(element: int, component: int) -> tuple[int, int]:
    """The element and component of the 1250 in front of a 1251."""
    return (element, component - 1) if component else (element - 1, 0)

"""Which field of a document a finding is about: bindings looked at from their places.

An element that was written remembers its field; what is missing, or was filled in for the guide's sake, is told by the
bindings of the documents that were written, the closest one to the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from x12.documents.binding import Bound, Document, Place, Plan, plan_of
from x12.documents.drafts import DraftLoop, Line
from x12.documents.judged import blamed_by
from x12.finding import Finding
from x12.guides import Guide, Loop, Segment
from x12.units import is_missing

__all__ = ["ANY_NUMBER", "Index", "index_of", "path_of", "places"]

ANY_NUMBER = re.compile(r"\[\d+\]")
# Lists whose items share a segment.
_LISTED = ("groups", "rows")
# (loop, segment, element, component) -> JSON path, list positions as `[]`, and qualifiers. Less exact keys have 0 and "";
# of what is only written beside a field, as its qualifier is, the element is negative.
_Key = tuple[str, str, int, int]
Index = dict[_Key, list[tuple[str, tuple[str, ...]]]]


@lru_cache(256)
def index_of(plans: tuple[tuple[Plan, str, str], ...]) -> Index:
    """Everything that is bound, by place: `_bound_places` of the documents that were written."""
    index: Index = {}
    for plan, loop_id, prefix in plans:
        for key, path, qualifiers in _bound_places(plan.cls, loop_id, f"{prefix}." if prefix else ""):
            index.setdefault(key, []).append((path, qualifiers))
    return index


@cache
def _bound_places(cls: type[Document], loop_id: str, prefix: str) -> list[tuple[_Key, str, tuple[str, ...]]]:
    """What a type binds, under its own place, its element's, its segment's and its loop's."""
    found: list[tuple[_Key, str, tuple[str, ...]]] = []
    for path, place in places(cls, loop_id, prefix, spread=True):
        for loop in place.loops:
            exact = (loop, place.segment, place.element, place.component)
            whole = [(loop, place.segment, place.element, 0)] if place.component else []
            keys = (exact, *whole, (loop, place.segment, 0, 0), (loop, "", 0, 0))
            found += [(key, path, place.qualifiers) for key in keys]
            found += [((loop, place.segment, -e, c), path, place.qualifiers) for e, c, _ in place.written]
    return found


def places(cls: type[Document], loop_id: str, prefix: str = "", *, spread: bool = False) -> Iterator[tuple[str, Place]]:
    """Every bound path of a document type with its place, `loop_id` being the loop that the type is bound to.

    With `spread`, a list whose items stand in one segment gives each item's place, else the first item's.
    """
    for field in plan_of(cls).fields:
        spec, path = field.spec, prefix + field.json + ("[]" if field.spec.kind == "rows" else "")
        many = "[]" if field.many else ""
        if spec.kind == "part" and field.plan is not None:
            yield from places(field.plan.cls, loop_id, f"{path}.", spread=spread)
        elif spec.kind == "inside" and field.plan is not None:
            for loop in spec.loops:
                yield from places(field.plan.cls, loop, f"{path}{many}.", spread=spread)
        elif spec.place is not None:
            place = spec.place._replace(loops=spec.place.loops or (loop_id,))
            if field.plan is None:
                yield from _item_places(field, path, place) if spread else [(path + many, place)]
            else:
                starts = (
                    (spec.starts or range(place.element, spec.last + 1, spec.size)) if spec.kind in _LISTED else (1,)
                )
                for index, start in enumerate(starts if spread else starts[:1]):
                    item = f"{path}[{index}]." if spread and spec.kind in _LISTED else f"{path}{many}."
                    for inner, at_place in places(field.plan.cls, loop_id, item, spread=spread):
                        yield inner, _within(place, at_place, start - 1)


def _within(segment: Place, inner: Place, offset: int) -> Place:
    """The place, in a segment of a list, of what a struct of that list binds."""
    return segment._replace(
        element=inner.element + offset,
        component=inner.component,
        conditions=inner.conditions,
        written=inner.written,
    )


def _item_places(field: Bound, path: str, place: Place) -> Iterator[tuple[str, Place]]:
    """The places of the items of a list of strings in one segment; of any other field its own."""
    match field.spec.kind:
        case "each" if place.component:
            for index in range(field.spec.last - place.component + 1):
                yield f"{path}[{index}]", place._replace(component=place.component + index)
        case "each":
            for index in range(field.spec.last - place.element + 1):
                yield f"{path}[{index}]", place._replace(element=place.element + index)
        case "groups":
            for index, start in enumerate(field.spec.starts):
                yield f"{path}[{index}]", place._replace(element=start)
        case "composites" | "rows":
            for index in range(field.spec.last - place.element + 1):
                yield f"{path}[{index}]", place._replace(element=place.element + index, component=2)
        case _:
            yield f"{path}[]" if field.many else path, place


def path_of(finding: Finding, lines: Sequence[Line], index: Index, guide: Guide) -> str | None:
    """The JSON path of a finding: the field its element was written from, or the field that would fill the missing place."""
    if finding.position is None:
        return None
    at_line = min(finding.position, len(lines)) - 1
    loop, segment = finding.loop or "", finding.segment or ""
    context = _context(lines, at_line, loop)
    around = index.get((loop, segment, 0, 0)) or index.get((loop, "", 0, 0))
    if blamed := blamed_by(guide).get((finding.rule or "", loop, segment)):
        around = [b for b in around or () if blamed.intersection(b[1])] or around
    if finding.element is None:
        if finding.scope == "segment" and finding.code == "3":
            return _filled(_missing(guide.loop(loop), segment, index, context), context) or None
        own = lines[at_line][1]
        if own.id == segment and own.paths and not (is_missing(finding) and blamed):
            return "".join(next(iter(own.paths.values())))
        return _filled(_chosen(around, context), context) or None
    element, component = finding.element, finding.component or 0
    paths = lines[at_line][1].paths
    exact = paths.get((element, component, (finding.repeat or 1) - 1))
    if exact is not None:
        return "".join(exact)
    same = next((p for (e, _, _), p in paths.items() if e == element), None)
    bound = index.get((loop, segment, element, component)) or index.get((loop, segment, element, 0)) or []
    asked = set(lines[at_line][1].qualifiers)
    bound = [b for b in bound if asked.intersection(b[1])] or bound
    if not bound and same is not None:
        return "".join(same)
    beside = same or next(iter(paths.values()), None)
    # A qualifier is missing because the field is that it would have been written for.
    bound = bound or index.get((loop, segment, -element, component)) or []
    return _filled(_chosen(bound or around, context), "".join(beside) if beside else context) or None


def _chosen(candidates: Sequence[tuple[str, tuple[str, ...]]] | None, context: str) -> str:
    """The path of a field of the struct that fills the loop, of one that stands once, else the first; the context without any."""
    paths = [path for path, _ in candidates or ()]
    within = ANY_NUMBER.sub("[]", context) + "."
    paths = [p for p in paths if p.startswith(within)] or paths
    return next((p for p in paths if "[]" not in p), paths[0] if paths else context)


def _missing(loop: Loop, segment_id: str, index: Index, context: str) -> str:
    """The path that would fill what is missing: a loop's struct, or the first field of a required segment."""
    inside = index.get((loop.id, "", 0, 0), [])
    if inside and loop.parent is not None and loop.first.id == segment_id:
        return _chosen(inside, context).rpartition(".")[0].removesuffix("[]")
    required = [s for s in loop.children if isinstance(s, Segment) and s.id == segment_id and s.usage == "R"]
    codes = {code for s in required if s.qualifier is not None for code in s.qualifier.codes or ()}
    found = index.get((loop.id, segment_id, 0, 0), [])
    return _chosen([f for f in found if codes.intersection(f[1])] or found or inside, context)


def _context(lines: Sequence[Line], at_line: int, loop_id: str) -> str:
    """The JSON path of the loop at a line, or of the nearest one before it that is, or contains, the loop looked for."""
    for number in range(at_line, -1, -1):
        draft: DraftLoop | None = lines[number][2]
        while draft is not None:
            if draft.loop.id == loop_id or any(isinstance(c, Loop) and c.id == loop_id for c in draft.loop.children):
                return draft.path
            draft = draft.parent
    return ""


def _filled(pattern: str, context: str) -> str:
    """List positions of a pattern taken from the context's path where it is the same list, else 0."""
    numbers = re.findall(r"\[(\d+)\]", context)
    out, used = "", 0
    for part in pattern.split("[]"):
        if out:
            number = numbers[used] if used < len(numbers) else "0"
            out += f"[{number}]"
            used += 1
        out += part
    return out

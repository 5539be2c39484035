"""Companion guides: what one payer asks for on top of a guide, as a patch on the guide's table.

A patch is a text whose first line names the guide and the payer; every other line is a place, what is different there, and,
after two spaces, why:

    companion 005010X222A1 837  Sample Health Plan
    2010BA NM109 9/12  Member numbers have nine to twelve characters
    2010BB NM109 = 12345
    2300 CLM05-3 without 8  Voids are asked for by telephone
    2300 REF[G1] R  Every claim needs its authorization number
    2400 PWK N
    loop 2310B R
    loop 2400 x50
    widen 2400 SV104 1/15

A place is written as in findings: loop, segment, element, component; the qualifier of the segment in brackets where the loop
has several with its id. Behind it stand usage (R, S, N), repeat (`xN`), lengths (`min/max`) and codes (`= these`, `without
these`, `also these`), those that differ. What stands twice in a guide, as the claim of an 837 does, is patched in both places.

A patch may only narrow. What the guide forbids and this payer takes is said on a line that begins with `widen`. A place that
was narrowed remembers what the guide says of it, so that a finding that is the payer's, and not the guide's, has level 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, TypeVar

from msgspec.structs import replace

from x12.guides import UNBOUNDED, Component, Element, Guide, GuideError, Loop, Narrowed, Segment
from x12.guides.lint import contradictions

__all__ = ["apply", "is_for"]

Part = TypeVar("Part", Loop, Segment, Component, Element)

_HEAD = re.compile(r"companion (\S+) (\S+)(?: (\S+))?  (.+)")
_LINE = re.compile(
    r"(?P<widen>widen )?(?:loop (?P<only>\S+)|(?P<loop>\S+) (?P<segment>[A-Z][A-Z0-9]{1,2}?)(?:\[(?P<qualifier>\S+?)\])?"
    r"(?P<element>\d\d)?(?:-(?P<component>\d+))?)"
    r"(?: (?P<usage>[RSN]))?(?: x(?P<repeat>>1|\d+))?(?: (?P<min>\d+)/(?P<max>\d+))?"
    r"(?: (?P<how>=|without|also) (?P<codes>\S+(?: \S+)*))?(?:  (?P<why>\S.*))?"
)
# A usage may become one that allows less: what may be absent may be asked for or left out.
_NARROWER = {"R": "R", "S": "RSN", "N": "N"}


@dataclass(frozen=True, slots=True)
class _Change:
    """One line of a patch: where, and what is different there."""

    line: int
    widen: bool
    loop: str
    segment: str
    qualifier: str
    element: int
    component: int
    usage: str
    repeat: int
    lengths: tuple[int, int] | None
    how: str
    codes: frozenset[str]
    why: str

    @property
    def place(self) -> str:
        if not self.segment:
            return f"loop {self.loop}"
        name = self.segment + (f"[{self.qualifier}]" if self.qualifier else "")
        element = f"{self.element:02d}" if self.element else ""
        return f"{self.loop} {name}{element}" + (f"-{self.component}" if self.component else "")


def apply(guide: Guide, text: str, source: str = "<companion>") -> Guide:
    """A new guide with the patch of a companion guide; GuideError names the line that is wrong, and what may be meant."""
    return _applied(guide, text, source)


@lru_cache(256)
def _applied(guide: Guide, text: str, source: str) -> Guide:
    return _Patch(guide, source).apply(text)


def is_for(guide: Guide, text: str) -> bool:
    """Whether the head of a patch names this guide; a text without a head is for none."""
    lines = (line.strip() for line in text.split("\n"))
    match = _HEAD.fullmatch(next((line for line in lines if line and not line.startswith("#")), ""))
    if match is None:
        return False
    code, choice = match[3], guide.chosen
    chosen = code is None if choice is None else code in choice.codes
    return match[1] in guide.editions and match[2] == guide.set_id and chosen


class _Patch:
    def __init__(self, guide: Guide, source: str) -> None:
        self.source = source
        self.guide = _copied(guide)
        self.before = guide
        self.name = ""
        self.changed = False

    def fail(self, line: int, message: str) -> GuideError:
        return GuideError(f"{self.source}:{line}: {message}")

    def apply(self, text: str) -> Guide:
        lines = [(number, line) for number, raw in enumerate(text.split("\n"), 1) if (line := raw.strip())]
        lines = [(number, line) for number, line in lines if not line.startswith("#")]
        self._head(*(lines[0] if lines else (1, "")))
        for number, line in lines[1:]:
            self._change(self._parsed(number, line))
        known = set(contradictions(self.before))
        broken = [r for r in contradictions(self.guide) if r not in known]
        if broken:
            raise self.fail(
                lines[-1][0], f"the patched table contradicts itself: {broken[0].place} {broken[0].message}"
            )
        return self.guide

    def _head(self, line: int, said: str) -> None:
        match = _HEAD.fullmatch(said)
        if match is None:
            raise self.fail(line, f"the first line of a patch is: companion GS08 ST01  Name; not {said[:60]!r}")
        if not is_for(self.before, said):
            choice = self.before.chosen
            wanted = f"{self.before.id} {self.before.set_id}" + (f" {min(choice.codes)}" if choice else "")
            raise self.fail(line, f"this patch is for {said.partition('  ')[0][10:]}, the guide is {wanted}")
        self.name = match[4]
        self.guide.companions = (*self.before.companions, self.name)

    def _parsed(self, line: int, said: str) -> _Change:
        match = _LINE.fullmatch(said)
        if match is None:
            raise self.fail(line, f"not a line of a patch: {said[:60]!r}")
        got = match.groupdict(default="")
        repeat = UNBOUNDED if got["repeat"] == ">1" else int(got["repeat"] or 0)
        lengths = (int(got["min"]), int(got["max"])) if got["max"] else None
        codes = frozenset(code.replace("_", " ") for code in got["codes"].split())
        if not (got["usage"] or got["repeat"] or lengths or codes):
            raise self.fail(line, f"says nothing of the place: {said[:60]!r}")
        if got["repeat"] and not repeat:
            raise self.fail(line, "a place that must not occur has usage N")
        if (lengths or codes) and not got["element"]:
            raise self.fail(line, "lengths and codes belong to an element: name its number")
        return _Change(
            line,
            bool(got["widen"]),
            got["loop"] or got["only"],
            got["segment"],
            got["qualifier"],
            int(got["element"] or 0),
            int(got["component"] or 0),
            got["usage"],
            repeat,
            lengths,
            got["how"],
            codes,
            got["why"].strip(),
        )

    # --- where --------------------------------------------------------------------------------------------------------

    def _change(self, change: _Change) -> None:
        loops = [loop for loop in self.guide.loops() if loop.id == change.loop]
        if not loops:
            raise self.fail(
                change.line, f"no loop {change.loop}" + _meant(change.loop, (x.id for x in self.guide.loops()))
            )
        self.changed = False
        for loop in loops:
            if not change.segment:
                self._loop(change, loop)
                continue
            segment = self._segment(change, loop)
            if not change.element:
                self._set(segment, self._patched(change, segment))
                continue
            elements = list(segment.elements)
            elements[change.element - 1] = self._element(change, segment)
            segment.elements = tuple(elements)
        if not self.changed:
            raise self.fail(change.line, f"{change.place}: that is so already")

    def _loop(self, change: _Change, loop: Loop) -> None:
        if loop.parent is None:
            raise self.fail(change.line, f"{loop.id} is the whole transaction set: it has no usage and repeat")
        self._set(loop, self._patched(change, loop))
        head = loop.first
        if loop.usage == "N":
            # A loop that must not be there is one whose first segment must not.
            head.usage, head.narrowed = "N", Narrowed(replace(head, usage="R"), self._by(change))

    def _segment(self, change: _Change, loop: Loop) -> Segment:
        same = [c for c in loop.children if isinstance(c, Segment) and c.id == change.segment]
        if not same:
            there = dict.fromkeys(c.id for c in loop.children if isinstance(c, Segment))
            raise self.fail(change.line, f"loop {loop.id} has no {change.segment}, but {', '.join(there)}")
        if not change.qualifier and len(same) == 1:
            return same[0]
        found = [s for s in same if s.qualifier is not None and change.qualifier in (s.qualifier.codes or ())]
        if len(found) == 1:
            return found[0]
        names = [f"{s.id}[{c}]" for s in same if s.qualifier for c in sorted(s.qualifier.codes or ())]
        wanted = f"{change.segment}[{change.qualifier}]" if change.qualifier else change.segment
        said = "answers to several places" if not change.qualifier or found else "is not there"
        raise self.fail(change.line, f"{loop.id} {wanted} {said}: name one of {', '.join(names) or change.segment}")

    def _element(self, change: _Change, segment: Segment) -> Element:
        if change.element > len(segment.elements) or not change.element:
            raise self.fail(change.line, f"{change.place}: {segment.id} has {len(segment.elements)} elements")
        element = segment.elements[change.element - 1]
        if not change.component:
            if element.components and (change.lengths or change.codes):
                raise self.fail(change.line, f"{change.place} is a composite: name the component")
            return self._patched(change, element)
        if change.component > len(element.components):
            raise self.fail(change.line, f"{change.place}: the element has {len(element.components)} components")
        parts = list(element.components)
        parts[change.component - 1] = self._patched(change, parts[change.component - 1])
        return replace(element, components=tuple(parts))

    # --- what ---------------------------------------------------------------------------------------------------------

    def _set(self, thing: Loop | Segment, patched: Any) -> None:
        """Loops and segments are known by others, so they are changed where they are."""
        thing.usage, thing.repeat, thing.narrowed = patched.usage, patched.repeat, patched.narrowed

    def _patched(self, change: _Change, part: Part) -> Part:
        """The part as the payer wants it; with `widen` the payer's is what the guide would have to say."""
        before: Part = part.narrowed.before if part.narrowed else part
        wanted = self._with(change, part)
        allowed = self._with(change, before) if change.widen else before
        wider = self._wider(wanted, before)
        if wider and not change.widen:
            raise self.fail(
                change.line,
                f"{change.place}: the guide forbids {wider}; begin the line with `widen` if the payer takes it",
            )
        if change.widen and not wider:
            raise self.fail(change.line, f"{change.place}: nothing is widened: leave `widen` out")
        if change.widen and self._wider(before, wanted):
            raise self.fail(change.line, f"{change.place}: widens one thing and narrows another: say it on two lines")
        same = self._wider(allowed, wanted) is None
        self.changed = self.changed or self._wider(part, wanted) is not None or self._wider(wanted, part) is not None
        return replace(wanted, narrowed=None if same else Narrowed(replace(allowed, narrowed=None), self._by(change)))

    def _by(self, change: _Change) -> str:
        return f"{self.name}: {change.why}" if change.why else self.name

    def _with(self, change: _Change, part: Part) -> Part:
        made = replace(part, usage=change.usage or part.usage, repeat=change.repeat or part.repeat)
        if not isinstance(made, Component):
            return made
        if change.lengths:
            made = replace(made, min=change.lengths[0], max=change.lengths[1])
        if change.codes:
            made = replace(made, codes=self._codes(change, made), external=None if change.how == "=" else made.external)
        return made

    def _codes(self, change: _Change, part: Component) -> frozenset[str]:
        if change.how == "=":
            return change.codes
        if part.codes is None:
            raise self.fail(change.line, f"{change.place} has no list of codes: say all of them with `=`")
        if change.how == "also":
            return part.codes | change.codes
        unknown = sorted(change.codes - part.codes)
        if unknown:
            raise self.fail(change.line, f"{change.place} has no code {unknown[0]}" + _meant(unknown[0], part.codes))
        return part.codes - change.codes

    def _wider(self, one: Part, other: Part) -> str | None:
        """What a part allows that another one does not; None for nothing."""
        if one.usage not in _NARROWER[other.usage]:
            return f"usage {one.usage} (it says {other.usage})"
        if one.repeat > other.repeat:
            return f"more than {other.repeat}"
        if not (isinstance(one, Component) and isinstance(other, Component)):
            return None
        if one.min < other.min or one.max > other.max:
            return f"lengths {one.min}/{one.max} (it says {other.min}/{other.max})"
        if other.codes is not None and other.external is None and (one.codes is None or one.codes - other.codes):
            return f"code {min((one.codes or frozenset()) - other.codes, default='')}"
        if one.codes is None and other.codes is not None:
            return "any code"
        return None


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(dict.fromkeys(known)), 3, 0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _copied(guide: Guide) -> Guide:
    """The same guide with loops and segments of its own. Elements are shared: they are replaced, never changed."""
    segments: list[Segment] = []

    def copy(loop: Loop, parent: Loop | None) -> Loop:
        made = replace(loop, parent=parent, children=[])
        for child in loop.children:
            if isinstance(child, Loop):
                made.children.append(copy(child, made))
            else:
                segment = replace(child, loop=made)
                segments.append(segment)
                made.children.append(segment)
        return made

    made = replace(guide, root=copy(guide.root, None))
    index: Callable[[Segment], int] = lambda segment: segment.index  # noqa: E731
    made.segments = tuple(sorted(segments, key=index))
    return made

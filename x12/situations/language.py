"""The language of situational rules: what its lines mean, read against the guide whose places they name.

A file begins with the guide it belongs to and goes on with rules, one block each:

    rules 005010X222A1  Professional claims
    codes anesthesia = 00100..01999

    P-2300-001  4 error  2300
      when CLM11-1 = AA or CLM11-2 = AA
      needs DTP*439
      say An auto accident (CLM11 AA) needs its date: send DTP*439.
      from DTP*439

The head of a rule is `id level severity loop[,loop] [product]`; level 6 names its product. `when` lines must all hold; then comes
one of `needs`, `forbids`, `points` and `order`. docs/situations.md has the whole language on a page.

Source: the guides' situational rules; the language is ours.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import msgspec

from x12.finding import Scope, Severity
from x12.guides import Component, Guide, GuideError, Loop, Segment

__all__ = [
    "ANY_ELEMENT",
    "COMPARISONS",
    "PRESENT",
    "Place",
    "Rule",
    "Side",
    "Statement",
    "Term",
    "Test",
    "parse",
    "read_values",
]

ANY_ELEMENT = -1
# Of a date with a time only the date is compared.
_DATE_LENGTH = 8
_FORM = str.maketrans("123456789BCDEFGHIJKLMNOPQRSTUVWXYZ", "0" * 9 + "A" * 25)


class RuleError(GuideError):
    """A rule file is wrong: names the file and the line."""


class Rule(msgspec.Struct, frozen=True, gc=False):
    """What a finding says of a rule that is broken.

    It is judged when an occurrence of the loop `judged_at` ends. `loop`, `segment`, `element` and `component` are the place of
    the fault, `code` is IK304 or IK403 by `scope`, `trigger` the place that made the rule apply, `product` what level 6 is about,
    `source` the guide and its note.
    """

    id: str
    level: int
    severity: Severity
    judged_at: str
    loop: str
    scope: Scope
    code: str
    segment: str
    element: int | None
    component: int | None
    data: str | None
    message: str
    trigger: str | None
    product: str | None
    source: str


# --- values --------------------------------------------------------------------------------------------------------


class Test(msgspec.Struct, frozen=True, gc=False):
    """What is asked of one value. An empty value passes no test, a negated one neither. A range holds values of its form: not 0001A."""

    kind: str = "present"
    negated: bool = False
    codes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    ranges: tuple[tuple[str, str, str], ...] = ()
    text: str = ""

    def holds(self, value: str) -> bool:
        return bool(value) and (self.kind == "present" or self._fits(value) is not self.negated)

    def _fits(self, value: str) -> bool:
        match self.kind:
            case "in":
                return (
                    value in self.codes
                    or value.startswith(self.prefixes)
                    or any(low <= value <= high and form == value.translate(_FORM) for low, high, form in self.ranges)
                )
            case "like":
                return re.fullmatch(self.text, value) is not None
            case "ordered":
                first, dash, last = value.partition("-")
                return not dash or len(first) != len(last) or first <= last
            case "spanning":
                first, dash, last = value.partition("-")
                return bool(dash) and first != last
            case _:
                return _compared(_number(value), self.kind, Decimal(self.text))


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _compared(one: Decimal | None, sign: str, other: Decimal | None) -> bool:
    """Whether the comparison is known to hold; what is not a number holds nowhere, nor is found."""
    if one is None or other is None:
        return False
    return COMPARISONS[sign](one, other)


PRESENT = Test()
COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


# --- places --------------------------------------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True, gc=False):
    """A place of the guide: the children of a loop that it means, and an element of them where it is one.

    `children` are (loop id, order) pairs: loops with one id are the same loop standing twice. `whole` is False where the
    qualifiers are only some of those that a child takes; then its presence alone says nothing.
    """

    loop: str
    segment: str
    children: tuple[tuple[str, int], ...]
    qualifiers: frozenset[str] = frozenset()
    whole: bool = True
    element: int | None = None
    component: int | None = None
    composite: bool = False
    repeats: bool = False
    is_loop: bool = False
    data: str | None = None

    def __str__(self) -> str:
        name = self.segment
        if self.element == ANY_ELEMENT:
            name += "xx"
        elif self.element:
            name += f"{self.element:02d}"
        return f"{self.loop} {name}" + (f"-{self.component}" if self.component else "")


def read_values(place: Place, row: Sequence[str], component: str, repetition: str) -> Iterator[str]:
    """The values at a place of one segment split into elements: one, or more where the element repeats or is any."""
    if place.element is None:
        yield row[0]
        return
    elements = row[1:] if place.element == ANY_ELEMENT else row[place.element : place.element + 1]
    for text in elements:
        for value in text.split(repetition) if place.repeats and repetition else (text,):
            if place.component is None:
                yield value
            else:
                parts = value.split(component)
                yield parts[place.component - 1] if place.component <= len(parts) else ""


def qualifies(place: Place, row: Sequence[str], component: str, repetition: str) -> bool:
    """Whether one segment has a qualifier that the place names."""
    if place.whole:
        return True
    at = 3 if row[0] == "HL" else 1
    value = row[at] if len(row) > at else ""
    if place.composite:
        value = (value.split(repetition, 1)[0] if repetition else value).split(component, 1)[0]
    return value in place.qualifiers


def gap(row: Sequence[str]) -> int | None:
    """The first element that is empty although a later one is not."""
    empty = 0
    for number, text in enumerate(row):
        if not text:
            empty = empty or number
        elif empty:
            return empty
    return None


class Term(msgspec.Struct, frozen=True, gc=False):
    """A place and what is asked of it, or that nothing there passes (`negated`)."""

    place: Place
    test: Test
    negated: bool = False

    def of_segment(self, row: Sequence[str], component: str, repetition: str) -> bool:
        """Whether this one segment fulfils it, apart from negation."""
        if not qualifies(self.place, row, component, repetition):
            return False
        if self.test.kind == "gapless":
            return gap(row) is None
        return any(self.test.holds(value) for value in read_values(self.place, row, component, repetition))


class Side(msgspec.Struct, frozen=True, gc=False):
    """One side of a comparison: the value at a place, or the date that it is or that a range starts or ends with."""

    edge: str
    place: Place

    def value(self, row: Sequence[str], component: str, repetition: str) -> str:
        text = next(read_values(self.place, row, component, repetition), "")
        if not self.edge:
            return text
        first, dash, last = text.partition("-")
        return (last if self.edge == "end" and dash else first)[:_DATE_LENGTH]


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A rule as written: when all groups of `when` have a term that holds, then one of the rest must be so.

    `blamed` is the place that a finding names; of several alternatives the first.
    """

    rule: Rule
    loop: str
    line: int
    blamed: Place
    each: Place | None = None
    when: tuple[tuple[Term, ...], ...] = ()
    needs: tuple[Term, ...] = ()
    forbids: tuple[Term, ...] = ()
    points: tuple[Place, Place] | None = None
    order: tuple[Side, str, Side] | None = None
    kind: str = ""

    def is_out_of_order(self, left: str, right: str) -> bool:
        """Whether two values are known to break the order; what has not the form of a date or number is not judged."""
        assert self.order is not None
        sign = self.order[1]
        if self.kind == "number":
            one, other = _number(left), _number(right)
            return one is not None and other is not None and not _compared(one, sign, other)
        if sign in ("==", "!="):
            return (left == right) is (sign == "!=")
        if len(left) != len(right) or not (left.isdigit() and right.isdigit()):
            return False
        return not (left <= right if sign == "<=" else left < right)


# --- reading -------------------------------------------------------------------------------------------------------

_HEAD = re.compile(r"([A-Z]{1,3}-[0-9A-Z]+-\d{3})  ([467]) (error|warning)  ([\w,]+)(?:  (.+))?")
_PLACE = re.compile(
    r"(?:(?P<loop>\d{3,4}[A-Z]{0,2}) )?"
    r"(?:loop (?P<child>\w+)|(?P<segment>[A-Z][A-Z0-9]{1,2}?)(?P<element>\d\d|xx)?(?:-(?P<component>\d+))?"
    r"(?:\*(?P<qualifiers>[A-Z0-9,]+))?)(?: (?P<test>(?:=|in|not|>|<|>=|<=|like|ordered|spanning|gapless).*))?"
)
_ORDER = re.compile(r"(?:(start|end) )?(.+?) (<=|<|==|!=) (?:(start|end) )?(.+)")
_WORDS = ("when", "needs", "forbids", "points", "order", "each", "say", "from")


class _Block(msgspec.Struct):
    """A rule's lines before they are understood."""

    line: int
    head: re.Match[str]
    said: dict[str, list[tuple[int, str]]] = msgspec.field(default_factory=dict[str, list[tuple[int, str]]])

    def all(self, word: str) -> Sequence[tuple[int, str]]:
        return self.said.get(word, ())


@lru_cache(64)
def _listed(guide: Guide) -> dict[str, list[Loop]]:
    """The loops of a guide by id; those with one id are one loop that stands in several places."""
    found: dict[str, list[Loop]] = {}
    for loop in guide.loops():
        found.setdefault(loop.id, []).append(loop)
    for loop_id, loops in found.items():
        if len({tuple(child.id for child in loop.children) for loop in loops}) > 1:
            raise RuleError(f"{guide.id}: loops called {loop_id} differ, so a rule cannot name one")
    return found


@lru_cache(4096)
def _inside(loop: Loop) -> frozenset[str]:
    """The ids of a loop and of all loops inside it."""
    inner = [_inside(child) for child in loop.children if isinstance(child, Loop)]
    return frozenset((loop.id,)).union(*inner)


_Asked = tuple[
    dict[tuple[str | None, ...], Place],
    dict[tuple[str, tuple[tuple[str, int], ...]], bool],
    dict[int, frozenset[str] | None],
]


@lru_cache(64)
def _asked(_: Guide) -> _Asked:
    """What is remembered for all files of a guide: places, what a loop knows when it ends, codes of qualifiers."""
    return {}, {}, {}


class _Parser:
    def __init__(self, source: str, guide: Guide) -> None:
        self.source = source
        self.guide = guide
        self.lists: dict[str, tuple[str, ...]] = {}
        self.loops = _listed(guide)
        # Files name the same places again and again.
        self.places, self.known, self.qualifiers = _asked(guide)

    def fail(self, line: int, message: str) -> RuleError:
        return RuleError(f"{self.source}:{line}: {message}")

    def parse(self, text: str) -> tuple[Statement, ...]:
        statements: list[Statement] = []
        seen: set[str] = set()
        for block in self._blocks(text):
            if block.head[1] in seen:
                raise self.fail(block.line, f"rule {block.head[1]} is there twice")
            seen.add(block.head[1])
            statements += [self._statement(block, loop_id) for loop_id in block.head[4].split(",")]
        return tuple(statements)

    def _blocks(self, text: str) -> Iterator[_Block]:
        block: _Block | None = None
        last: list[tuple[int, str]] = []
        for number, line in enumerate(text.split("\n"), 1):
            bare = line.strip()
            if not bare or bare.startswith("#"):
                continue
            if line.startswith("    ") and block and last:
                at, before = last[-1]
                last[-1] = at, f"{before} {bare}"
            elif line.startswith("  ") and block:
                word, _, rest = bare.partition(" ")
                if word not in _WORDS or not rest:
                    raise self.fail(number, f"not a line of a rule: {bare[:60]!r}")
                last = block.said.setdefault(word, [])
                last.append((number, rest.strip()))
            elif bare.startswith("codes "):
                key, _, values = bare[6:].partition("=")
                self.lists[key.strip()] = tuple(values.split())
            elif bare.startswith("rules "):
                continue
            elif head := _HEAD.fullmatch(bare):
                if block:
                    yield block
                block, last = _Block(number, head), []
            else:
                raise self.fail(
                    number, f"not the head of a rule, as `Y-2300-001  7 error  2300` with two blanks: {bare[:60]!r}"
                )
        if block:
            yield block

    def _statement(self, block: _Block, loop_id: str) -> Statement:
        name, level, severity, _, product = block.head.groups()
        if loop_id not in self.loops:
            raise self.fail(block.line, f"{name}: the guide has no loop {loop_id}")
        if (level == "6") is not (product is not None):
            raise self.fail(block.line, f"{name}: a rule of level 6 names its product, others name none")
        consequences = [word for word in ("needs", "forbids", "points", "order") if block.all(word)]
        if len(consequences) != 1 or any(len(block.all(word)) != 1 for word in ("say", "from", *consequences)):
            raise self.fail(
                block.line, f"{name}: a rule has one of needs, forbids, points and order, one say and one from"
            )
        each = [self._each(line, loop_id, text) for line, text in block.all("each")]
        when = tuple(self._free_terms(line, loop_id, text) for line, text in block.all("when"))
        needs = tuple(t for line, text in block.all("needs") for t in self._free_terms(line, loop_id, text))
        forbids = tuple(t for line, text in block.all("forbids") for t in self._free_terms(line, loop_id, text))
        points = next((self._points(line, loop_id, text) for line, text in block.all("points")), None)
        order = next((self._order(line, loop_id, text) for line, text in block.all("order")), None)
        blamed, code = self._blame(block, needs, forbids, points, order)
        element = None if blamed.element == ANY_ELEMENT else blamed.element
        whens = [term for group in when for term in group if not term.negated]
        rule = Rule(
            name,
            int(level),
            "error" if severity == "error" else "warning",
            loop_id,
            blamed.loop,
            "element" if blamed.element else "segment",
            code,
            blamed.segment,
            element,
            blamed.component,
            blamed.data,
            block.all("say")[0][1],
            str(whens[0].place) if whens else str(order[2].place) if order else str(points[0]) if points else None,
            product,
            f"{self.guide.id} {block.all('from')[0][1]}",
        )
        kind = ""
        if order:
            part = self._part(order[0].place)
            kind = "number" if part is not None and part.data.type[0] in "RN" else "text"
        made = Statement(
            rule, loop_id, block.line, blamed, each[0] if each else None, when, needs, forbids, points, order, kind
        )
        self._check(made)
        return made

    def _blame(
        self,
        block: _Block,
        needs: Sequence[Term],
        forbids: Sequence[Term],
        points: tuple[Place, Place] | None,
        order: tuple[Side, str, Side] | None,
    ) -> tuple[Place, str]:
        """The place that a finding names, and its code for the 999: IK304 where it is a segment, IK403 where an element."""
        if points:
            return points[0], "7"
        if order:
            part = self._part(order[0].place)
            dated = part is not None and part.data.number in ("1251", "373")
            return order[0].place, "8" if dated else "7" if order[1] == "!=" else "I12"
        term = (*needs, *forbids)[0]
        if term.negated:
            raise self.fail(block.line, "needs and forbids name what must or must not be there, without `no`")
        if term.place.element is None:
            return term.place, "I6" if needs else "I9"
        if term.test.kind == "present":
            return term.place, "I9" if needs else "I13"
        return term.place, {"in": "7", "ordered": "8", "gapless": "I9"}.get(term.test.kind, "I12")

    def _must_be_free(self, line: int, place: Place) -> None:
        """What the guide requires is there, or found missing by the walk: its presence says nothing to a rule."""
        if place.element is None and place.whole:
            for loop_id, order in place.children:
                if self.loops[loop_id][0].children[order].usage == "R":
                    raise self.fail(line, f"{place} is required by the guide itself: name an element of it")

    def _check(self, statement: Statement) -> None:
        """Every place that a rule names must be known when its loop closes."""
        places = [t.place for group in (*statement.when, statement.needs, statement.forbids) for t in group]
        places += [*(statement.points or ())]
        places += [side.place for side in (statement.order[0], statement.order[2])] if statement.order else []
        for place in places:
            if not self._knows(statement.loop, place.children):
                raise self.fail(
                    statement.line, f"{place} is not known when loop {statement.loop} ends: name an outer loop"
                )
        if statement.each:
            local = {*statement.each.children}
            terms = (*statement.needs, *statement.forbids)
            if not terms or any(not {*t.place.children} <= local for t in terms):
                raise self.fail(statement.line, "a rule on each segment needs or forbids elements of that segment")
        if statement.order:
            for place in places:
                for loop_id, order in place.children:
                    if self.loops[loop_id][0].children[order].repeat != 1:
                        raise self.fail(statement.line, f"{place} repeats: only single segments are compared")

    def _knows(self, name: str, children: tuple[tuple[str, int], ...]) -> bool:
        """Whether a loop of this name knows one of these children when it ends."""
        known = self.known.get((name, children))
        if known is None:
            # One of two standings may be enough: only a claim below a patient has a patient loop around it.
            known = any(self._is_known(loop, *child) for loop in self.loops[name] for child in children)
            self.known[name, children] = known
        return known

    def _is_known(self, loop: Loop, loop_id: str, order: int) -> bool:
        """Whether a loop's facts are complete, as far as `loop` may see them, when `loop` ends."""
        if loop_id in _inside(loop):
            return True
        branch, around = loop, loop.parent
        while around is not None:
            if around.id == loop_id:
                return order < branch.order
            for child in around.children:
                if isinstance(child, Loop) and loop_id in _inside(child):
                    return child.order < branch.order
            branch, around = around, around.parent
        return False

    # --- pieces of lines

    def _each(self, line: int, loop_id: str, text: str) -> Place:
        match = _PLACE.fullmatch(text)
        if match is None or match["element"] or match["test"] or match["child"]:
            raise self.fail(line, f"each names a segment: {text!r}")
        return self._place(line, loop_id, match)

    def _terms(self, line: int, loop_id: str, text: str) -> tuple[Term, ...]:
        terms: list[Term] = []
        for piece in text.split(" or "):
            negated = piece.startswith("no ")
            match = _PLACE.fullmatch(piece.removeprefix("no ").strip())
            if match is None:
                raise self.fail(line, f"not a place with a test: {piece!r}")
            place = self._place(line, loop_id, match)
            test = self._test(line, match["test"] or "")
            if test.kind != "present" and place.element is None:
                raise self.fail(line, f"{place} is a segment: only an element has a value")
            if test.kind == "gapless" and place.element != ANY_ELEMENT:
                raise self.fail(line, f"{place}: gapless is said of all elements of a segment, with xx")
            self._codes_exist(line, place, test)
            terms.append(Term(place, test, negated))
        return tuple(terms)

    def _free_terms(self, line: int, loop_id: str, text: str) -> tuple[Term, ...]:
        terms = self._terms(line, loop_id, text)
        for term in terms:
            self._must_be_free(line, term.place)
        return terms

    def _points(self, line: int, loop_id: str, text: str) -> tuple[Place, Place]:
        left, _, right = text.partition(" at ")
        made = [self._terms(line, loop_id, side)[0].place for side in (left, right)]
        if made[0].element is None or made[1].element is not None:
            raise self.fail(line, "points names an element of numbers and the segment that they point into")
        return made[0], made[1]

    def _order(self, line: int, loop_id: str, text: str) -> tuple[Side, str, Side]:
        match = _ORDER.fullmatch(text)
        if match is None:
            raise self.fail(line, f"not a comparison of two places: {text!r}")
        left, right = (self._terms(line, loop_id, match[k])[0].place for k in (2, 5))
        if left.element is None or right.element is None:
            raise self.fail(line, "only elements can be compared")
        return Side(match[1] or "", left), match[3], Side(match[4] or "", right)

    def _place(self, line: int, loop_id: str, match: re.Match[str]) -> Place:
        where, child, *rest = match.groups()[:-1]
        key = (where, child, loop_id, *rest) if child else (where or loop_id, *rest)
        place = self.places.get(key)
        if place is None:
            place = self.places[key] = self._new_place(line, loop_id, match)
        return place

    def _new_place(self, line: int, loop_id: str, match: re.Match[str]) -> Place:
        where = match["loop"] or loop_id
        if match["child"]:
            children = [(loop.parent.id, loop.order) for loop in self.loops.get(match["child"], []) if loop.parent]
            if match["loop"] or any(parent == loop_id for parent, _ in children):
                children = [pair for pair in children if pair[0] == where]
            if not children:
                raise self.fail(line, f"the guide has no loop {match['child']} there")
            first = self.loops[match["child"]][0].first
            return Place(match["child"], first.id, tuple(dict.fromkeys(children)), is_loop=True)
        if where not in self.loops:
            raise self.fail(line, f"the guide has no loop {where}")
        wanted = frozenset(match["qualifiers"].split(",")) if match["qualifiers"] else frozenset[str]()
        name = match["segment"]
        same = [c for c in self.loops[where][0].children if c.id == name and isinstance(c, Segment)]
        found = [child for child in same if self._fits(child, wanted)]
        if not found:
            raise self.fail(line, f"loop {where} has no {match['segment']}*{','.join(sorted(wanted))}".rstrip("*"))
        qualifiers = [codes for child in found if (codes := self._codes_of(child)) is not None]
        for code in wanted:
            if not any(code in codes for codes in qualifiers):
                raise self.fail(line, f"{where} {match['segment']} has no qualifier {code}")
        element = ANY_ELEMENT if match["element"] == "xx" else int(match["element"]) if match["element"] else None
        component = int(match["component"]) if match["component"] else None
        composite = bool(found[0].elements[0].components) if found[0].elements else False
        whole = not wanted or all(codes <= wanted for codes in qualifiers)
        repeats, number = False, None
        if element is not None:
            # Of the segments that qualify, only those that use the element are looked at.
            found = [c for c in found if (part := _part((c,), element, component)) is not None and part.usage != "N"]
            around, part = _part(found, element, None), _part(found, element, component)
            if around is None or part is None:
                raise self.fail(
                    line,
                    f"{Place(where, match['segment'], (), element=element, component=component)}: the guide does not use this element",
                )
            repeats, number = around.repeat > 1, None if part.data.type == "C" else part.data.number
        children = tuple((where, child.order) for child in found)
        return Place(
            where, match["segment"], children, wanted, whole, element, component, composite, repeats, data=number
        )

    def _codes_of(self, child: Segment) -> frozenset[str] | None:
        """The codes of its qualifier; None where it has none."""
        if child.index not in self.qualifiers:
            qualifier = child.qualifier
            self.qualifiers[child.index] = None if qualifier is None else qualifier.codes or frozenset()
        return self.qualifiers[child.index]

    def _fits(self, child: Segment, wanted: frozenset[str]) -> bool:
        return not wanted or not wanted.isdisjoint(self._codes_of(child) or ())

    def _part(self, place: Place) -> Component | None:
        """The guide's element or component at a place; of the first segment that uses it."""
        return _part(self._segments(place), place.element, place.component)

    def _segments(self, place: Place) -> list[Segment]:
        children = (self.loops[loop_id][0].children[order] for loop_id, order in place.children)
        return [child for child in children if isinstance(child, Segment)]

    def _test(self, line: int, text: str) -> Test:
        if not text:
            return PRESENT
        negated = text.startswith("not ")
        text = text.removeprefix("not ")
        match text.split(maxsplit=1) if text.startswith("like ") else text.split():
            case [("ordered" | "spanning" | "gapless") as kind]:
                return Test(kind, negated)
            case ["like", pattern]:
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise self.fail(line, f"not a regular expression: {pattern!r}") from error
                return Test("like", negated, text=pattern)
            case [(">" | ">=" | "<" | "<=" | "==") as sign, number] if _number(number) is not None:
                return Test(sign, negated, text=number)
            case [("in" | "=") as sign, *items] if items and (sign == "in" or len(items) == 1):
                return self._set(line, items, negated)
            case _:
                raise self.fail(line, f"not a test of a value: {text!r}")

    def _set(self, line: int, items: Sequence[str], negated: bool) -> Test:
        codes: set[str] = set()
        prefixes: list[str] = []
        ranges: list[tuple[str, str, str]] = []
        listed: list[str] = []
        for item in items:
            if item.startswith("@"):
                if item[1:] not in self.lists:
                    raise self.fail(line, f"no code list {item}")
                listed += self.lists[item[1:]]
            else:
                listed.append(item)
        for item in listed:
            low, dots, high = item.partition("..")
            if dots:
                if len(low) != len(high) or low > high:
                    raise self.fail(line, f"not a range: {item!r}")
                ranges.append((low, high, low.translate(_FORM)))
            elif item.endswith("*"):
                prefixes.append(item[:-1])
            else:
                codes.add(item)
        return Test("in", negated, frozenset(codes), tuple(prefixes), tuple(ranges))

    def _codes_exist(self, line: int, place: Place, test: Test) -> None:
        """A code that the guide does not allow at a place can never be there: the rule has a misprint."""
        if place.element in (None, ANY_ELEMENT) or not test.codes:
            return
        allowed: set[str] = set()
        for segment in self._segments(place):
            part = _part((segment,), place.element, place.component)
            if part is None or part.codes is None or part.external is not None:
                return
            allowed |= part.codes
        if test.codes - allowed:
            raise self.fail(line, f"{place} never has {' '.join(sorted(test.codes - allowed))}")


def _part(segments: Iterable[Segment], number: int | None, component: int | None) -> Component | None:
    """The element of a segment or the component of it that the first of these uses; else one that none uses."""
    at = 1 if number is None or number == ANY_ELEMENT else number
    unused: Component | None = None
    for segment in segments:
        if at > len(segment.elements):
            continue
        part: Component = segment.elements[at - 1]
        if component is not None:
            components = segment.elements[at - 1].components
            if component > len(components):
                continue
            part = components[component - 1]
        if part.usage != "N":
            return part
        unused = part
    return unused


def parse(text: str, guide: Guide, source: str = "<rules>") -> tuple[Statement, ...]:
    """Read one file of rules for a guide; GuideError names file and line of what is wrong or of a place the guide lacks."""
    return _Parser(source, guide).parse(text)

"""A guide compiled for walking: nodes (segments), scopes (loops) and the steps between them.

Every segment of the guide becomes a node with one regular expression; a match proves the segment clean. From node to node
leads a table of steps, filled as it is needed and keyed by segment id and qualifier. What levels 3 to 5 do with a segment is
its node's `act`, and what they do when a loop ends is its scope's `close`; most have neither.

Sources: X12.6 (application control structure).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

from x12.elements import judge_segment
from x12.guides import UNBOUNDED, Guide, Loop, Segment
from x12.numbering import numbering
from x12.patterns import never, segment_pattern
from x12.stages import Stages
from x12.syntax import STANDARD, Delimiters

if TYPE_CHECKING:
    from x12.balancing import Entry
    from x12.codes.checking import CodePlace
    from x12.codes.service_days import Teller
    from x12.finding import Finding
    from x12.proofs import Proof
    from x12.situations import Rule
    from x12.situations.facts import LoopFacts, Situations, Watcher
    from x12.walk import Walk

__all__ = ["Act", "Close", "Judging", "Meaning", "Node", "Scope", "Step", "StepsByValue", "Table", "compiled"]

# A pattern takes as long to make as the slow road does for some fifty segments.
_PATTERN_FROM = 24
# What a segment means beyond levels 1 and 2: called with the walk, the raw segment, and whether it was proved clean.
Act = Callable[["Walk", str, bool], None]
Close = Callable[["Walk"], None]


class Meaning(NamedTuple):
    """What the segments at a place of a guide mean beyond levels 1 and 2.

    `facts` finds what rules see of them, `kept` says from which element on rules compare their texts, `places` have codes, `entry` is
    how sums take them, and `tell` takes what they say of days of service.
    """

    facts: Watcher | None = None
    kept: int | None = None
    places: Sequence[CodePlace] = ()
    entry: Entry | None = None
    tell: Teller | None = None


class Judging(Protocol):
    """What is judged beyond levels 1 and 2. Hashable, since compiled guides are kept by it."""

    def act(self, segment: Segment, table: Table) -> Act | None:
        """What to do with each segment at this place."""
        ...

    def meaning(self, segment: Segment, table: Table) -> Meaning:
        """What the segments at this place mean, of which `act` is what to do."""
        ...

    def close(self, loop: Loop, table: Table) -> Close | None:
        """What to do when an occurrence of this loop ends; the transaction set itself ends last."""
        ...

    def situations(self, guide: Guide, delimiters: Delimiters) -> Situations | None:
        """The situational rules of the guide that are judged; None where there are none."""
        ...

    def begin(self, walk: Walk) -> None:
        """A transaction set begins."""
        ...


class Node:
    """One segment of a guide, compiled for one set of delimiters.

    `plain` tells whether a raw segment is clean, `match` the same but for the trailer, which the slow road takes. A pattern is
    made when it has been asked for some times: until then the slow road answers, which a single document is sooner done with.
    `most` is how often it was seen in a row when a loop that it is in was proved, `faults` how many of them were at fault. `faulty`
    has what is wrong with texts that came where faults are frequent.
    """

    __slots__ = (
        "_delimiters",
        "_uses",
        "act",
        "bit",
        "faults",
        "faulty",
        "loop",
        "match",
        "most",
        "next",
        "opens",
        "plain",
        "prefix",
        "scope",
        "segment",
        "stays_in",
    )

    def __init__(self, segment: Segment, table: Table) -> None:
        self.segment = segment
        self.loop = segment.loop
        self.scope = table.scope(segment.loop)
        self.opens = segment.opens
        # The loop that was open before it.
        self.stays_in = None if segment.opens else segment.loop
        self.bit = 1 << segment.order
        self.prefix = segment.id + table.delimiters.element
        self._delimiters, self._uses = table.delimiters, 0
        self.plain: Callable[[str], object] = self._late
        # The trailer ends the walk, which the slow road does.
        self.match: Callable[[str], object] = never if segment.id == "SE" else self._late
        judging = table.judging
        self.act = _together(numbering(self, table), judging.act(segment, table) if judging is not None else None)
        self.most = 1
        self.faults = 0
        self.faulty: dict[str, Sequence[Finding]] = {}
        self.next: dict[str, Step | StepsByValue] = {}

    def _late(self, raw: str) -> object:
        self._uses += 1
        if self._uses > _PATTERN_FROM:
            self.plain = segment_pattern(self.segment, self._delimiters)
            self.match = never if self.segment.id == "SE" else self.plain
            return self.plain(raw)
        # The walk has looked at three characters, of which a longer id can be the beginning.
        named = raw.partition(self._delimiters.element)[0] == self.segment.id and self.segment.usage != "N"
        return True if named and not judge_segment(self.segment, raw, self._delimiters, 0) else None

    def __repr__(self) -> str:
        return repr(self.segment)


def _together(one: Act | None, other: Act | None) -> Act | None:
    if one is None or other is None:
        return one or other

    def both(walk: Walk, raw: str, clean: bool) -> None:
        one(walk, raw, clean)
        other(walk, raw, clean)

    return both


class Scope:
    """One loop of a guide, compiled: what must be in it, what happens when it ends, and the proof of its own segments.

    `opened` counts its occurrences while it is `unproved`, `outgrown` those since its proof was outgrown. What situational rules
    know of it: `rules`, and of those at hand `base`, `presence`, `relevant` and `known` as in `x12.situations`; `compare` tells the
    rules whose texts do not agree. What rules here or further in look at that lies around (`outlook`), and whether one of them
    compares texts (`compares`).
    """

    __slots__ = (
        "base",
        "bit",
        "close",
        "compare",
        "compares",
        "heard",
        "known",
        "loop",
        "opened",
        "outgrown",
        "outlook",
        "patience",
        "presence",
        "proof",
        "relevant",
        "required",
        "rules",
        "unproved",
    )

    def __init__(self, loop: Loop, table: Table) -> None:
        self.loop = loop
        self.required = _required(loop)
        self.rules: LoopFacts | None = table.situated.loop(loop) if table.situated else None
        self.compare = table.situated.compare(loop) if table.situated else None
        self.bit = 1 << loop.order if loop.parent is not None else 0
        self.base = self.presence = self.outlook = self.relevant = 0
        self.known: Mapping[int, tuple[Rule, ...]] = {}
        if self.rules is not None:
            self.base, self.presence = self.rules.base, self.rules.presence
            self.relevant, self.known = self.rules.relevant, self.rules.known
        self.compares = False
        if table.situated:
            within = list(table.guide.loops(loop))
            known = [facts for inner in within if (facts := table.situated.loop(inner))]
            own = self.rules.own if self.rules is not None else 0
            for facts in known:
                self.outlook |= facts.inherits & ~own
            self.compares = any(table.situated.compare(inner) for inner in within)
        # The facts of it and of what is in it that rules of other loops look at.
        self.heard = _heard(loop, table)
        self.close = table.judging.close(loop, table) if table.judging is not None else None
        self.proof: Proof | None = None
        self.unproved = True
        self.opened = self.outgrown = self.patience = 0


def _heard(loop: Loop, table: Table) -> int:
    """The facts that rules of the loops around this one look at, and rules of any loop around themselves."""
    if table.situated is None:
        return 0
    heard, above = table.looked_around, loop.parent
    while above is not None:
        facts = table.situated.loop(above)
        heard |= facts.relevant if facts is not None else 0
        above = above.parent
    return heard


class Step:
    """How to get from one node to the next: loops to leave, bits that must have been seen, loops to enter."""

    __slots__ = ("bit", "child", "into", "limited", "moves", "must", "node", "opens", "ups")

    def __init__(self, node: Node, ups: int, must: int, child: Segment | Loop, inside: tuple[Scope, ...] = ()) -> None:
        self.node = node
        self.ups = ups
        self.must = must
        self.child = child
        self.bit = 1 << child.order
        self.limited = self.bit if child.repeat < UNBOUNDED else 0
        # The loops to enter, outermost first: one, or more where the segments that begin the outer ones are missing.
        self.opens = inside
        self.into = inside[0] if len(inside) == 1 else None
        self.moves = bool(ups) or bool(self.opens)

    def is_like(self, other: Step) -> bool:
        """Whether it leads the same way."""
        same = self.node is other.node and self.child is other.child and self.opens == other.opens
        return same and self.ups == other.ups and self.must == other.must


@final
class StepsByValue(dict[str, Step]):
    """Steps told apart by the qualifier: element `element`, its first component where `composite`.

    `sole` is the step where there is but one, to a segment of which any code of the guide leads there.
    """

    __slots__ = ("composite", "element", "plain", "sole")

    def __init__(self, element: int, composite: bool) -> None:
        super().__init__()
        self.element = element
        self.composite = composite
        self.plain = element == 1 and not composite
        self.sole: Step | None = None


def _required(loop: Loop, before: int | None = None) -> int:
    """Bits of the children that must be present, all or only those that stand before a position."""
    mask = 0
    for child in loop.children:
        if child.usage == "R" and (before is None or child.position < before):
            mask |= 1 << child.order
    return mask


class Table:
    """A guide compiled for one set of delimiters."""

    def __init__(self, guide: Guide, delimiters: Delimiters, judging: Judging | None = None) -> None:
        self.guide = guide
        self.delimiters = delimiters
        self.judging = judging
        self.situated = judging.situations(guide, delimiters) if judging is not None else None
        # What rules of any loop look at that lies around it.
        self.looked_around = 0
        if self.situated is not None:
            for loop in guide.loops():
                facts = self.situated.loop(loop)
                self.looked_around |= facts.inherits if facts is not None else 0
        self.nodes: dict[int, Node] = {}
        self.scopes: dict[int, Scope] = {}
        self.stages = Stages()
        self.depth_max = _depth(guide.root)
        self.ids = frozenset(s.id for s in guide.segments)
        self.start = self.node(guide.segments[0])
        self.qualifiers = {
            s.id: (3 if s.id == "HL" else 1, bool(s.elements and s.elements[0].components))
            for s in guide.segments
            if s.qualifier
        }

    def node(self, segment: Segment) -> Node:
        node = self.nodes.get(segment.index)
        if node is None:
            node = self.nodes[segment.index] = Node(segment, self)
        return node

    def scope(self, loop: Loop) -> Scope:
        scope = self.scopes.get(id(loop))
        if scope is None:
            scope = self.scopes[id(loop)] = Scope(loop, self)
        return scope

    def meaning(self, segment: Segment) -> Meaning:
        """What the segments at this place mean beyond levels 1 and 2."""
        return self.judging.meaning(segment, self) if self.judging is not None else Meaning()

    def value(self, segment_id: str, raw: str) -> str | None:
        """The qualifier's value in a raw segment, or None when this id has no qualifier."""
        where = self.qualifiers.get(segment_id)
        return None if where is None else self.qualifier(raw, *where)

    def qualifier(self, raw: str, element: int, composite: bool) -> str:
        parts = raw.split(self.delimiters.element, element + 1)
        value = parts[element] if len(parts) > element else ""
        if composite:
            value = value.split(self.delimiters.component, 1)[0]
            value = value.split(self.delimiters.repetition, 1)[0] if self.delimiters.repetition else value
        return value

    def find(self, here: Node, segment_id: str, value: str | None, raw: str) -> tuple[Step | None, bool]:
        """The step from `here` to the next place where this segment may stand, searching forwards and outwards.

        The second value tells whether id and qualifier alone decided, so that the step may be remembered for them.
        """
        loop: Loop = here.loop
        after = here.segment.position
        ups = 0
        while True:
            found = _candidates(loop, after, segment_id, value)
            if found:
                child = found[0]
                if len(found) > 1:
                    # Two places with one qualifier (837 PWK of 2400): the one that finds nothing wrong is meant.
                    child = next((c for c in found if self.node(_first(c)).plain(raw) is not None), child)
                return self._step(loop, child, ups), len(found) == 1
            if loop.parent is None:
                return None, False
            after, loop, ups = loop.position, loop.parent, ups + 1

    def certain_step(self, here: Node, raw: str) -> Step | None:
        """The step that id and qualifier of a raw segment alone decide; None where there is no such one."""
        segment_id = raw.split(self.delimiters.element, 1)[0]
        step, certain = self.find(here, segment_id, self.value(segment_id, raw), raw)
        return step if certain else None

    def _step(self, loop: Loop, child: Segment | Loop, ups: int) -> Step:
        inside = (self.scope(child),) if isinstance(child, Loop) else ()
        return Step(self.node(_first(child)), ups, _required(loop, child.position), child, inside)

    def leap(self, here: Node, segment_id: str, raw: str) -> Step | None:
        """The step into a loop that lies inside others which were not begun: their first segments are missing."""
        value = self.value(segment_id, raw)
        loop: Loop = here.loop
        after = here.segment.position
        ups = 0
        while True:
            for child in loop.children:
                if isinstance(child, Loop) and child.position >= after and (path := _path_to(child, segment_id, value)):
                    must = _required(loop, child.position)
                    return Step(self.node(path[-1].first), ups, must, child, tuple(map(self.scope, path)))
            if loop.parent is None:
                return None
            after, loop, ups = loop.position, loop.parent, ups + 1

    def step(self, here: Node, raw: str) -> Step | None:
        """Find and remember the step for a raw segment; None when it has no place after `here`."""
        segment_id = raw.split(self.delimiters.element, 1)[0]
        if segment_id not in self.ids:
            return None
        value = self.value(segment_id, raw)
        step, certain = self.find(here, segment_id, value, raw)
        if step is None:
            return None
        key = (segment_id + self.delimiters.element)[:3]
        if value is None:
            here.next[key] = step
            return step
        table = here.next.get(key)
        if not isinstance(table, StepsByValue):
            table = here.next[key] = StepsByValue(*self.qualifiers[segment_id])
        # A value that no code list names must not fill the table: a hostile file would grow it without end.
        qualifier = step.node.segment.qualifier
        if certain and qualifier is not None and value in (qualifier.codes or ()):
            step = next((known for known in table.values() if known.is_like(step)), step)
            table[value] = step
            alone = all(known is step for known in table.values())
            table.sole = step if alone and self.deciding_qualifier(step.node.segment) is None else None
        return step

    def deciding_qualifier(self, segment: Segment) -> int | None:
        """The element of which some values, but not all, may lead to another place; 0 where it is part of one, None where none does."""
        codes = segment.qualifier.codes if segment.qualifier is not None else None
        if not codes or len(codes) == 1:
            return None
        others = (s.qualifier.codes or frozenset() for s in self.guide.segments if s.id == segment.id and s.qualifier)
        if all(codes <= other or codes.isdisjoint(other) for other in others):
            return None
        at, composite = self.qualifiers[segment.id]
        return 0 if composite else at


def _depth(loop: Loop) -> int:
    """How many loops may be open at once in one, itself too."""
    return 1 + max((_depth(child) for child in loop.children if isinstance(child, Loop)), default=0)


def _first(child: Segment | Loop) -> Segment:
    return child.first if isinstance(child, Loop) else child


def _candidates(loop: Loop, after: int, segment_id: str, value: str | None) -> list[Segment | Loop]:
    """The children of a loop, not before a position, that this segment may fill or open; those whose codes name the value first."""
    named: list[Segment | Loop] = []
    unnamed: list[Segment | Loop] = []
    others: list[Segment | Loop] = []
    for child in loop.children:
        segment = _first(child)
        # The segment that begins this very loop would begin another one, which is the parent's affair.
        if child.position < after or segment.id != segment_id or (child is segment and segment.opens):
            continue
        qualifier = segment.qualifier
        if qualifier is None:
            unnamed.append(child)
        elif value in (qualifier.codes or ()):
            named.append(child)
        elif isinstance(child, Segment) or child.alone:
            others.append(child)
    if named:
        return [c for c in named if c.position == named[0].position and type(c) is type(named[0])]
    # An unknown qualifier still has a place where only one segment of this id can stand: then the code is what is wrong.
    return unnamed[:1] or (others if len(others) == 1 else [])


def _path_to(loop: Loop, segment_id: str, value: str | None) -> tuple[Loop, ...]:
    """The loops from this one down to one inside it that the segment begins; () where there is none."""
    for child in loop.children:
        if not isinstance(child, Loop):
            continue
        qualifier = child.first.qualifier
        if child.first.id == segment_id and (qualifier is None or value in (qualifier.codes or ())):
            return (loop, child)
        if path := _path_to(child, segment_id, value):
            return (loop, *path)
    return ()


@lru_cache(64)
def compiled(guide: Guide, delimiters: Delimiters = STANDARD, judging: Judging | None = None) -> Table:
    """The guide compiled for these delimiters and what is judged beyond level 2; kept for the next file."""
    return Table(guide, delimiters, judging)

"""Walks the segments of a transaction set along a guide: which place each segment has, and what is wrong with it.

A guide is compiled once for each set of delimiters (`x12.table`). Only a segment that its node's pattern does not prove clean,
or that has no step from the one before, takes the slow road that words the finding. Loops that occur often are proved as a
whole (`x12.proofs`). The guide's loops are frames on a stack; each frame remembers as bits which of its children it has seen.

Sources: X12.6 (data element types, syntax notes), 005010X231A1 (codes of IK304 and IK403).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from x12 import guides
from x12.codes.checking import Known
from x12.codes.service_days import Service
from x12.elements import judge_segment
from x12.finding import Finding
from x12.guides import Loop, Narrowed, Segment
from x12.proofs import Frame, Passage, Proof, prove
from x12.situations import Rule
from x12.syntax import number_of
from x12.table import Node, Scope, Step, StepsByValue, Table, compiled
from x12.tree import Instance, tree
from x12.ways import along
from x12.wording import Broken, Past, worded

if TYPE_CHECKING:
    from x12.situations.facts import Watcher
    from x12.stages import Mark, Stage

__all__ = ["FINDINGS_MAX", "Instance", "Node", "Table", "Walk", "compiled", "tree"]

# A ruined file is told its first errors; more would help nobody.
FINDINGS_MAX = 5_000
# An open loop below the innermost: its scope, what it has seen, how often, and `missed`, `facts`, `around`, `texts`, `begun`.
_Frame = tuple[Scope, int, dict[int, int] | None, int, int, int, dict[int, str], int]
_ENVELOPE = frozenset(("ISA", "GS", "ST", "GE", "IEA", "TA1"))
# A loop is proved as a whole from this occurrence on: making the proof costs about as much as walking it so often.
_PROVED_FROM = 100
# From so many segments at fault on, a place gets patterns of its elements, so that only the one at fault is judged slowly.
_FAULTS_OFTEN = 50
# So many faulty texts of a place are remembered, of so many characters at most, with what is wrong with them.
_FAULTY_MAX, _FAULTY_LENGTH = 256, 160
# A loop that has come so often since segments became known that its proof has not gets a new one; then four times as often.
_PATIENCE = 100
# How far back a new proof looks how often segments come in a row.
_LOOKED_BACK = 4096


class Walk:
    """Walks one transaction set, from ST to SE, in as many pieces as it arrives in.

    `nodes` gets one entry a segment (None where the segment has no place), `findings` what is wrong. `ended` is True after
    the SE; `position` is the number of segments so far. With `keep=False` there are no nodes, and of the findings the first
    `FINDINGS_MAX`; `dropped` counts the others and `refused` tells whether any of all is an error.
    """

    # Its state is read and written with every segment, and an instance dictionary of so many names would not be a shared one.
    __slots__ = (
        "_past",
        "around",
        "at",
        "begun",
        "broken",
        "control_number",
        "counts",
        "day",
        "delimiters",
        "dropped",
        "ended",
        "facts",
        "faulted",
        "findings",
        "here",
        "keep",
        "known",
        "levels",
        "lines",
        "missed",
        "nodes",
        "open_levels",
        "position",
        "refused",
        "scope",
        "seen",
        "service",
        "stack",
        "sums",
        "table",
        "texts",
        "usage",
    )

    def __init__(self, table: Table, *, keep: bool = True, day: str = "", usage: str = "P") -> None:
        self.table = table
        self.delimiters = table.delimiters
        self.keep = keep
        self.findings: list[Finding] = []
        self.dropped = 0
        self.refused = False
        self.nodes: list[Node | None] = []
        self.position: int = 0
        self.ended: bool = False
        self.control_number = ""
        self.levels = 0
        self.lines = 0
        self.open_levels: dict[int, str] = {}
        # Where in the text the segment after the last one begins.
        self.at = 0
        # What the judging of higher levels adds up and looks back to.
        self.sums: Any = None
        # The day of the file's production, and what was found good for it. Of a segment at fault, its elements that are.
        self.day = day
        # ISA15: what a file for test may have, one for production may not.
        self.usage = usage
        self.known = Known()
        # Codes of the open claim that wait for its dates.
        self.service: Service | None = None
        self.faulted: set[int] = set()
        # What situational rules look at: facts of the open loop and of those around it, texts that are compared, which
        # children were only told missing, and where the loop began; then the rules that were broken and are to be worded.
        self.facts = self.around = self.missed = 0
        self.texts: dict[int, str] = {}
        self.begun = 1
        self.broken: list[Broken] = []
        self._past = Past()
        self.here: Node = table.start
        self.scope: Scope = table.scope(table.guide.root)
        self.seen: int = 0
        self.counts: dict[int, int] | None = None
        # Of each open loop around the innermost: what it has seen so far.
        self.stack: list[_Frame] = []
        if table.judging is not None:
            table.judging.begin(self)

    def feed(self, segments: Sequence[str], start: int = 0, text: str | None = None, at: int = 0) -> int:
        """Walk segments from `start`; gives the index after the last one taken: past the SE, or at a foreign ISA, GS, ST, GE, IEA.

        `text` is all the segments, each with its terminator and nothing between, and `at` where in it the first one to walk
        begins; it is made where it is not given.
        """
        if self.ended:
            return start
        terminator = self.delimiters.segment
        if text is None:
            text, at = terminator.join(segments[start:]) + terminator, 0
        if not self.position and start < len(segments):
            self._begin(segments[start])
            at += len(segments[start]) + 1
            start += 1
        element, place = self.delimiters.element, self.nodes.append
        here, seen = self.here, self.seen
        offset, count, index, failed = self.position + 1 - start, len(segments), start, -1
        while index < count:
            raw = segments[index]
            step = here.next.get(raw[:3])
            if type(step) is StepsByValue:
                plain = step.plain and element in raw
                step = step.get(raw.split(element, 2)[1]) if plain else self.by_value(step, raw)
            if step is not None:
                node = step.node
                if step.into is not None:
                    proof = node.scope.proof
                    if proof is None and node.scope.unproved:
                        proof = self._opened(node.scope)
                    if proof is not None and at != failed and (match := proof.match(text, at)) is not None:
                        self.here, self.seen, self.position = here, seen, offset + index
                        index, at, failed = along(self, segments, index, text, at, step, proof, match)
                        here, seen = self.here, self.seen
                        continue
                if node.match(raw) is not None:
                    here = node
                    place(node)
                    if step.moves or step.must & ~seen or seen & step.limited:
                        self.seen, self.position = seen, offset + index
                        self.take(step)
                        seen = self.seen
                    else:
                        seen |= step.bit
                    if node.act is not None:
                        self.position = offset + index
                        node.act(self, raw, True)
                    index += 1
                    at += len(raw) + 1
                    continue
            self.here, self.seen, self.position = here, seen, offset + index
            self._detour(step, raw)
            if self.ended:
                taken = self.position - offset + 1
                self.at = at + len(raw) + 1 if taken > index else at
                return taken
            here, seen = self.here, self.seen
            index += 1
            at += len(raw) + 1
        self.here, self.seen, self.position, self.at = here, seen, offset + count - 1, at
        return count

    def _opened(self, scope: Scope) -> Proof | None:
        """Once more a loop that has no proof; the one it gets."""
        scope.opened += 1
        if scope.opened >= _PROVED_FROM:
            scope.proof = prove(scope.loop, self.table, self.nodes[-_LOOKED_BACK:])
            scope.patience, scope.unproved = _PATIENCE, False
            for node in scope.proof.known if scope.proof is not None else ():
                # What is proved with it seldom comes by itself from now on.
                node.scope.opened = 0
        return scope.proof

    def outgrown(self, scope: Scope) -> None:
        """Once more a loop whose proof was made when fewer segments were known."""
        scope.outgrown += 1
        if scope.outgrown == scope.patience:
            scope.patience *= 4
            scope.proof = prove(scope.loop, self.table, self.nodes[-_LOOKED_BACK:], scope.proof)

    def begin_loop(self, node: Node, text: str, at: int) -> int:
        """The way into a loop is taken, and its first segment, which is there in the text, still to be judged; where that ends."""
        self.here, self.seen = node, node.bit
        raw = text[at : text.index(self.delimiters.segment, at)]
        self.nodes.append(node)
        self._judge(node, raw)
        return at + len(raw) + 1

    def stand(self, passage: Passage, begun: int) -> None:
        """Be where a passage ends whose first segment had this position; its loop is entered already."""
        *outer, last = passage.frames
        for scope, seen, counts, facts, around, offset in outer:
            copied = counts and counts.copy()
            self.stack.append((scope, seen, copied, 0, facts, around, self.texts, begun + offset))
        self.scope, self.seen, counts, self.facts, self.around, offset = last
        self.counts = counts and counts.copy()
        self.missed, self.begun = 0, begun + offset
        self.here = passage.nodes[-1]
        self.position = begun + passage.size - 1

    def marks(self) -> list[Mark]:
        """Of each open loop, outermost first, what does not decide where the walk may go (see `x12.ways`), with room for as many as there may be."""
        made = [(frame[7], frame[2], frame[6]) for frame in self.stack]
        mark = (self.begun, self.counts, self.texts)
        return made + [mark] * (self.table.depth_max - len(made))

    def resume(self, stage: Stage, marks: Sequence[Mark], position: int) -> None:
        """Be at a stage whose loops have these marks, at this position."""
        frames = [
            (scope, seen, counts, missed, facts, around, texts, begun)
            for (scope, seen, missed, facts, around), (begun, counts, texts) in zip(stage.open, marks, strict=False)
        ]
        self.scope, self.seen, self.counts, self.missed, self.facts, self.around, self.texts, self.begun = frames.pop()
        self.stack, self.here, self.position = frames, stage.here, position

    def rehearse(self, nodes: Sequence[Node], segments: Sequence[str], offsets: tuple[int, ...]) -> Passage | None:
        """What clean segments at these places come to, the first of which has just begun the innermost loop.

        None where that is not clean as far as levels 2 and 4 judge it, or a place is not told by id and qualifier alone.
        """
        table, scope = self.table, nodes[0].scope
        watched: Mapping[int, Watcher] = table.situated.watched if table.situated else {}
        other = Walk(table)
        root = table.scope(table.guide.root)
        other.stack.append((root, 0, None, 0, 0, 0, {}, 1))
        other.scope, other.around, other.here = scope, self.around, nodes[0]
        other.seen, other.position = nodes[0].bit, 1
        for node, raw in zip(nodes, segments, strict=False):
            if node is not nodes[0] or other.position > 1:
                step = table.certain_step(other.here, raw)
                if step is None or step.node is not node:
                    return None
                other.here = node
                other.take(step)
            if (watcher := watched.get(node.segment.index)) is not None:
                other.facts |= watcher(raw.split(self.delimiters.element))
            other.position += 1
        if other.findings or other.broken:
            return None
        now = (
            other.scope,
            other.seen,
            other.counts,
            other.missed,
            other.facts,
            other.around,
            other.texts,
            other.begun,
        )
        frames = tuple(
            Frame(frame[0], frame[1], frame[2] and frame[2].copy(), frame[4], frame[5], frame[7] - 1)
            for frame in [*other.stack[1:], now]
        )
        return Passage(list(nodes), frames, offsets)

    def take(self, step: Step) -> None:
        """Go a step: leave loops, see that nothing was left out or came too often, enter a loop."""
        if step.ups:
            self._leave(step.ups)
        if step.must & ~self.seen:
            self._missing(self.scope.loop, step.must & ~self.seen)
        if self.seen & step.limited:
            self._again(step)
        self.seen |= step.bit
        if step.into is not None:
            self._enter(step.into)
            self.seen = step.node.bit
        elif step.opens:
            last = step.opens[-1]
            for scope in step.opens:
                self._enter(scope)
                self.seen = 0
                if scope is not last:
                    # Of a loop that is only passed through, the first segment is missing here and nowhere later.
                    self._missing(scope.loop, 1 << scope.loop.first.order)
                    self.seen |= 1 << step.opens[step.opens.index(scope) + 1].loop.order
            self.seen = step.node.bit

    def _enter(self, scope: Scope) -> None:
        """One loop further in."""
        outer, seen, facts, texts = self.scope, self.seen, self.facts, self.texts
        self.stack.append((outer, seen, self.counts, self.missed, facts, self.around, texts, self.begun))
        outlook = scope.outlook
        if outlook:
            there = (seen & ~self.missed & ~scope.bit) << outer.base & outer.presence
            self.around = (self.around | facts | there) & outlook
        if scope.compares:
            self.texts = texts.copy()
        self.scope, self.counts, self.missed, self.facts, self.begun = scope, None, 0, 0, self.position

    def _detour(self, step: Step | None, raw: str) -> None:
        """A segment without a known step, or one that its pattern does not prove clean."""
        segment_id = raw.split(self.delimiters.element, 1)[0]
        if step is None:
            step = self.table.step(self.here, raw)
        if step is None or step.node.segment.id != segment_id:
            self._unplaced(segment_id, raw)
            return
        node = self.here = step.node
        if step.into is not None:
            # Outer loops are to be proved sooner than those inside them, and there are more ways into them.
            node.scope.opened += 1
        self.nodes.append(node)
        self.take(step)
        self._judge(node, raw)
        if self.ended:
            self._close()

    def end(self) -> None:
        """The set stops here although no SE came."""
        if not self.ended:
            self.ended = True
            self.find_set("2", "The transaction set has no SE trailer.")
            self._close()

    def _begin(self, raw: str) -> None:
        node = self.table.start
        self.position = 1
        self.seen = node.bit
        self.nodes.append(node)
        parts = raw.split(self.delimiters.element)
        self.control_number = parts[2] if len(parts) > 2 else ""
        self._judge(node, raw)

    def by_value(self, steps: StepsByValue, raw: str) -> Step | None:
        """The step for the qualifier of a raw segment."""
        element = self.delimiters.element
        if steps.plain and element in raw:
            return steps.get(raw.split(element, 2)[1])
        if steps.composite and steps.element == 1:
            # A code of the guide is told by its first component, and holds none of the separators.
            first, _, rest = raw.partition(self.delimiters.component)
            step = steps.get(first.rpartition(element)[2]) if rest else None
            if step is not None and first.count(element) == 1:
                return step
        return steps.get(self.table.qualifier(raw, steps.element, steps.composite))

    def _unplaced(self, segment_id: str, raw: str) -> None:
        """A segment that has no place after the one before."""
        if segment_id in _ENVELOPE and segment_id not in self.table.ids - {"ST"}:
            self.position -= 1
            self.end()
            return
        earlier = self._earlier(segment_id, raw)
        leap = None if earlier is not None else self.table.leap(self.here, segment_id, raw)
        if leap is not None:
            self.here = leap.node
            self.nodes.append(leap.node)
            self.take(leap)
            self._judge(leap.node, raw)
            return
        self.nodes.append(earlier)
        if earlier is not None:
            self.seen |= earlier.bit
            self.missed &= ~earlier.bit
            self.find_segment("7", f"{segment_id} stands after segments that it must precede.", earlier.segment)
            self._judge(earlier, raw)
        else:
            # A level counts wherever it stands, or every level behind it would be out of count too.
            self.levels += segment_id == "HL"
            self._nowhere(segment_id)

    def _nowhere(self, segment_id: str) -> None:
        if segment_id in self.table.ids:
            message = f"{segment_id} has no place in or after loop {self.scope.loop.id}, or not with this qualifier."
            self.find_segment("2", message, segment_id)
        elif segment_id in guides.standard().segments:
            message = f"{segment_id} is not part of {self.table.guide.set_id} {self.table.guide.id}."
            self.find_segment("6", message, segment_id)
        else:
            shown = segment_id if segment_id.isalnum() and len(segment_id) <= 3 else None
            known = (
                "The segment id is not one of X12." if shown else "Here stands something that is not a segment of X12."
            )
            self.find_segment("1", known, shown)

    def _earlier(self, segment_id: str, raw: str) -> Node | None:
        """The place of a segment that comes too late, within the open loop."""
        value = self.table.value(segment_id, raw)
        for child in self.scope.loop.children:
            if (
                isinstance(child, Segment)
                and child.id == segment_id
                and not child.opens
                and child.position < self.here.segment.position
            ):
                codes = child.qualifier.codes if child.qualifier else None
                if codes is None or value in codes:
                    return self.table.node(child)
        return None

    def _leave(self, ups: int) -> None:
        """So many loops further out."""
        stack = self.stack
        scope, seen, facts = self.scope, self.seen, self.facts
        for _ in range(ups):
            if scope.required & ~seen:
                self._missing(scope.loop, scope.required & ~seen)
                seen |= scope.required
            if scope.close is not None:
                scope.close(self)
            rules = scope.rules
            if rules is not None:
                facts |= (seen & ~self.missed) << scope.base & scope.presence
                judged = facts | self.around
                broken = scope.known.get(judged & scope.relevant)
                if broken is None:
                    broken = rules.broken(judged)
                if broken:
                    self._breaks(scope, broken)
            if scope.compare is not None and (broken := scope.compare(self.texts)):
                self._breaks(scope, broken)
            below = facts & scope.heard
            scope, seen, self.counts, self.missed, facts, self.around, self.texts, self.begun = stack.pop()
            facts |= below
        self.scope, self.seen, self.facts = scope, seen, facts

    def _close(self) -> None:
        self._leave(len(self.stack))
        scope = self.scope
        gone = scope.required & ~self.seen
        last = scope.loop.children[-1]
        self._missing(scope.loop, gone & ~(1 << last.order))
        if scope.close is not None:
            scope.close(self)
        if scope.rules is not None:
            facts = self.facts | self.present() << scope.base & scope.presence
            self._breaks(scope, scope.rules.broken(facts | self.around))
        if scope.compare is not None:
            self._breaks(scope, scope.compare(self.texts))

    def _breaks(self, scope: Scope, rules: Iterable[Rule]) -> None:
        """The open loop breaks these rules."""
        assert self.table.situated is not None
        statements = self.table.situated.statements
        self.broken += [(statements[rule], scope.loop, self.begun) for rule in rules]

    def _missing(self, loop: Loop, gone: int) -> None:
        self.seen |= gone
        self.missed |= gone
        for child in loop.children:
            if gone >> child.order & 1:
                first = child.first if isinstance(child, Loop) else child
                what = f"Loop {child.id} ({child.name})" if isinstance(child, Loop) else f"{child.id} ({child.name})"
                payer = child.narrowed if child.narrowed and child.narrowed.before.usage != "R" else None
                message = f"{what} is required in loop {loop.id} and missing before this place."
                self.find_segment("3", message, first, payer)

    def _again(self, step: Step) -> None:
        counts = self.counts
        if counts is None:
            counts = self.counts = {}
        count = counts[step.bit] = counts.get(step.bit, 1) + 1
        child = step.child
        if count > child.repeat:
            payer = child.narrowed if child.narrowed and count <= child.narrowed.before.repeat else None
            times = "once" if child.repeat == 1 else f"{child.repeat} times"
            if isinstance(child, Loop):
                message = f"Loop {child.id} ({child.name}) may occur {times}; this is one more."
                self.find_segment("4", message, step.node.segment, payer)
            else:
                message = f"{child.id} ({child.name}) may occur {times} here; this is one more."
                self.find_segment("5", message, child, payer)

    def _judge(self, node: Node, raw: str) -> None:
        """The slow road: find out what is wrong, if anything."""
        segment, clean = node.segment, node.plain(raw) is not None
        if not clean:
            if segment.usage == "N":
                payer = segment.narrowed if segment.narrowed and segment.narrowed.before.usage != "N" else None
                where = "for this payer" if payer else "in this guide"
                self.find_segment("I4", f"{segment.id} ({segment.name}) is not used {where}.", segment, payer)
            for finding in self._faults(node, raw):
                self.found(finding)
                self.faulted.add(finding.element or 0)
        if node.act is not None:
            node.act(self, raw, clean)
        self.faulted.clear()
        if segment.id == "SE":
            self._trailer(raw)

    def _faults(self, node: Node, raw: str) -> Iterable[Finding]:
        """What is wrong with the elements of a segment; where faults are frequent the same text comes again."""
        known = node.faulty.get(raw)
        if known is not None:
            return [replace(finding, position=self.position) for finding in known]
        node.faults += 1
        often = node.faults > _FAULTS_OFTEN
        found = judge_segment(node.segment, raw, self.delimiters, self.position, often=often)
        if often and len(raw) <= _FAULTY_LENGTH:
            if len(node.faulty) >= _FAULTY_MAX:
                node.faulty.clear()
            node.faulty[raw] = found
        return found

    def _trailer(self, raw: str) -> None:
        """SE01 counts the segments with ST and SE; SE02 repeats ST02 (X12.6)."""
        self.ended = True
        parts = raw.split(self.delimiters.element)
        count, number = (*parts[1:3], "", "")[:2]
        if number_of(count) != self.position:
            self.find_set("4", f"SE01 must be the number of segments from ST to SE, which is {self.position}.")
        if number != self.control_number:
            self.find_set("3", "SE02 must repeat the control number in ST02.")

    def found(self, finding: Finding) -> None:
        """One more finding."""
        if self.keep:
            self.findings.append(finding)
            return
        self.refused = self.refused or finding.severity == "error"
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.dropped += 1

    def find_set(self, code: str, message: str) -> None:
        """Something is wrong with the set as a whole."""
        self.found(Finding(1, "set", code, message, position=self.position))

    def present(self) -> int:
        """The children of the innermost loop that are there, as bits by their order."""
        return self.seen & ~self.missed

    def settle(self, segments: Sequence[str]) -> None:
        """Word what is still to be worded. `segments` are all since the last time: the whole set where nodes are kept."""
        first = self.position - len(segments) + 1
        if self.keep:
            if self.broken:
                past = Past()
                past.add(first, self.nodes, segments)
                self._word(past)
            return
        if self.table.situated and (self.broken or not self.ended):
            self._past.add(first, self.nodes, segments)
            if self.broken:
                self._word(self._past)
            frames = [(frame[0].loop, frame[7]) for frame in self.stack]
            self._past.keep([*frames, (self.scope.loop, self.begun)])
        self.nodes.clear()

    def _word(self, past: Past) -> None:
        if not self.keep and len(self.findings) >= FINDINGS_MAX:
            # Nobody will read them.
            self.refused = self.refused or any(s.rule.severity == "error" for s, _, _ in self.broken)
            self.dropped += len(self.broken)
            self.broken.clear()
            return
        for finding in worded(self.broken, past, self.table.guide, self.delimiters):
            self.found(finding)
        self.broken.clear()

    def find_segment(
        self, code: str, message: str, segment: Segment | str | None, payer: Narrowed | None = None
    ) -> None:
        """Something is wrong with the segment here, its place or its number; `payer` says who wants it so, if not the guide."""
        loop = segment.loop.id if isinstance(segment, Segment) else self.scope.loop.id
        name = segment.id if isinstance(segment, Segment) else segment
        level = 1 if code in ("1", "6") else 2
        if payer is not None:
            level, message = 7, f"{message.rstrip('.')} ({payer.by})."
        self.found(Finding(level, "segment", code, message, loop=loop, segment=name, position=self.position))

    def find_element(self, node: Node, element: int, code: str, message: str) -> None:
        """Something is wrong with an element of the segment here that its pattern cannot tell."""
        segment = node.segment
        data = segment.elements[element - 1].data.number
        self.found(
            Finding(
                2,
                "element",
                code,
                message,
                loop=segment.loop.id,
                segment=segment.id,
                position=self.position,
                element=element,
                data=data,
            )
        )

"""The ways from one proved loop to the next, remembered: what it comes to to leave loops and enter another is looked up.

Between two passages (`x12.proofs`) a walk leaves loops, sees that nothing was left out and that no rule is broken, and enters a loop. All
of it is decided by the loops that are open, what was seen in them and their facts: the `Stage`. Claims are like one another, so there are
few stages. The first time that a step is gone from one the walk does what it always does; if nothing was found on the way, it is a
`Way` from then on. What differs each time, sums and codes when a loop ends, texts that are compared and how often a loop came, is
still done and asked each time.

What is not known, or not free of findings, is walked as ever, so a way changes how long judging takes and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from x12.stages import Mark, Stage, Stages, Way
from x12.table import StepsByValue

if TYPE_CHECKING:
    from x12.proofs import Passage, Proof
    from x12.table import Step
    from x12.walk import Walk

__all__ = ["along"]


def along(
    walk: Walk, segments: Sequence[str], index: int, text: str, at: int, step: Step, proof: Proof, match: re.Match[str]
) -> tuple[int, int, int]:
    """Go a step into a loop whose segments its proof matched, and on from loop to loop as long as they are proved.

    `index` and `at` are where the loop begins in the segments and in their text; so is what is given, where it ends. The last number is where
    in the text a proof that stands for the next segment did not match, -1 where that was not asked.
    """
    position = walk.position
    walk.take(step)
    passage = proof.read(walk, match, position)
    if passage is None:
        return index + 1, walk.begin_loop(step.node, text, at), -1
    walk.stand(passage, position)
    walk.nodes += passage.nodes
    index, at = index + passage.size, match.end()
    if index < len(segments):
        following = _following(walk, walk.here.next, segments[index])
        if following is not None and following.into is not None and (found := following.into.proof) is not None:
            if (again := found.match(text, at)) is not None:
                return _on(walk, segments, index, text, at, following, found, again)
            return index, at, at
    if proof.met != len(walk.table.nodes):
        # Perhaps it could go on by now.
        walk.outgrown(step.node.scope)
    return index, at, -1


def _on(
    walk: Walk, segments: Sequence[str], index: int, text: str, at: int, step: Step, proof: Proof, match: re.Match[str]
) -> tuple[int, int, int]:
    """The same from the end of one passage on."""
    table, stages, count, nodes = walk.table, walk.table.stages, len(segments), walk.nodes
    stage, marks, first, failed = stages.of(walk), walk.marks(), walk.position - index + 1, -1
    way, depth, position, texts = stage.ways.get(step), 0, 0, walk.texts
    held: Passage | None = None
    while True:
        if held is not None and (way is None or way.reach >= depth):
            # Of several loops that were entered at once it is seldom asked where they began.
            _mark(marks, depth, held, position, texts)
            held = None
        if way is not None and (way.free or is_open(way, marks)):
            held = None
            for close in way.closes:
                close(walk)
            texts = marks[way.around_it][2]
            if way.copies:
                texts = texts.copy()
            walk.texts, walk.around = texts, way.around
            position = first + index
            passage = proof.read(walk, match, position)
            depth = way.depth
            marks[depth] = (position, None, texts)
            behind = way.behind.get(passage) if passage is not None else None
            if passage is None or behind is None:
                walk.resume(way.entered, marks, position)
                if passage is None:
                    return index + 1, walk.begin_loop(step.node, text, at), -1
                walk.stand(passage, position)
                stage, marks = _remembered(way, passage, stages, walk), walk.marks()
            else:
                stage = behind
                if not passage.plain:
                    held = passage
        else:
            if held is not None:
                _mark(marks, depth, held, position, texts)
                held = None
            walk.resume(stage, marks, first + index)
            passage, stage = explored(walk, stages, stage, step, proof, match)
            if passage is None:
                return index + 1, walk.begin_loop(step.node, text, at), -1
            marks = walk.marks()
        nodes += passage.nodes
        index += passage.size
        at = match.end()
        if index < count:
            raw = segments[index]
            way = stage.sure.get(raw[:3])
            if way is not None and (found := way.scope.proof) and (again := found.match(text, at)) is not None:
                step, proof, match = way.step, found, again
                continue
            following = _following(walk, stage.next, raw, stage)
            if way is not None and following is way.step:
                failed = at
            elif following is not None and following.into is not None and (found := following.into.proof) is not None:
                if (again := found.match(text, at)) is not None:
                    way, step, proof, match = stage.ways.get(following), following, found, again
                    continue
                failed = at
            if proof.met != len(table.nodes):
                walk.outgrown(step.node.scope)
        if held is not None:
            _mark(marks, depth, held, position, texts)
        walk.resume(stage, marks, first + index - 1)
        return index, at, failed


def _mark(marks: list[Mark], depth: int, passage: Passage, position: int, texts: dict[int, str]) -> None:
    """The loops of a passage that began at a position, the first of them at this depth."""
    for offset, counts in passage.marks:
        marks[depth] = (position + offset, counts and counts.copy(), texts)
        depth += 1


def _following(
    walk: Walk, steps: Mapping[str, Step | StepsByValue], raw: str, stage: Stage | None = None
) -> Step | None:
    """The step that a segment goes, as far as it is known; from a stage, one that was sure is no longer so where there are others."""
    step = steps.get(raw[:3])
    if type(step) is not StepsByValue:
        return step
    if stage is not None and step.sole is None:
        stage.sure.pop(raw[:3], None)
    return walk.by_value(step, raw)


def is_open(way: Way, marks: list[Mark]) -> bool:
    """Whether the texts of the loops that end agree and the outer loop may have one more of the inner, which is counted then."""
    for at, compare in way.compares:
        if marks[at][2] and compare(marks[at][2]):
            return False
    bit = way.bit
    if bit:
        begun, counts, texts = marks[way.around_it]
        if counts is None:
            if way.repeat < 2:
                return False
            marks[way.around_it] = (begun, {bit: 2}, texts)
            return True
        number = counts.get(bit, 1) + 1
        if number > way.repeat:
            return False
        counts[bit] = number
    return True


def explored(
    walk: Walk, stages: Stages, stage: Stage, step: Step, proof: Proof, match: re.Match[str]
) -> tuple[Passage | None, Stage]:
    """Goes a way that is not known, and remembers it if nothing was found: the passage, None where it must be walked, and the stage behind."""
    position, found = walk.position, _found(walk)
    walk.take(step)
    walk.here = step.node
    entered = stages.of(walk) if found == _found(walk) else None
    passage = proof.read(walk, match, position)
    if passage is None:
        return None, stage
    walk.stand(passage, position)
    if entered is None:
        return passage, stages.of(walk)
    way = stage.ways[step] = Way(stage, step, entered)
    beginning = step.node.prefix[:3]
    known = stage.next.get(beginning)
    if known is step or (type(known) is StepsByValue and known.sole is step):
        stage.sure[beginning] = way
    return passage, _remembered(way, passage, stages, walk)


def _found(walk: Walk) -> int:
    return len(walk.findings) + walk.dropped + len(walk.broken)


def _remembered(way: Way, passage: Passage, stages: Stages, walk: Walk) -> Stage:
    """The stage at which the walk stands behind a passage."""
    stages.learned()
    stage = way.behind[passage] = stages.of(walk)
    return stage

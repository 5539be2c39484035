"""Judges a set that was just written, and knows what its rules miss: for the writer, who gives each finding its field.

Sources: those of `x12.walk` and `x12.situations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from x12 import guides
from x12.finding import Finding
from x12.guides import Guide
from x12.judging import Manner
from x12.situations import rules
from x12.syntax import CANONICAL
from x12.walk import Walk, compiled

__all__ = ["blamed_by", "judged_set"]


def judged_set(guide: Guide, texts: Sequence[str], manner: Manner | None) -> list[Finding]:
    """What is wrong with the canonical segments of a set: by syntax and guide, or as a manner says."""
    if manner is None:
        walk = Walk(compiled(guide, CANONICAL))
    else:
        table = compiled(guides.patched(guide, manner.patches), CANONICAL, manner.judgement)
        walk = Walk(table, day=manner.day, usage=manner.usage)
    walk.feed(texts)
    walk.end()
    walk.settle(texts)
    if manner is not None and manner.further is not None:
        walk.findings += manner.further(walk.nodes, texts)
    return walk.findings


@cache
def blamed_by(guide: Guide) -> dict[tuple[str, str, str], frozenset[str]]:
    """Qualifiers of the segment that a situational rule misses, by the rule, loop and segment."""
    places = [(statement.rule.id, statement.blamed) for statement in rules(guide)]
    return {(rule, place.loop, place.segment): frozenset(place.qualifiers) for rule, place in places}

"""Situational rules (SNIP levels 4 and 6): what a guide requires or forbids where something else is so.

The rules are text, one `*.rules` file a guide and one for what several guides say alike, to be read beside the printed guides;
`language` reads them, `facts` compiles them for the walk, `tree` judges them plainly. Rules of a payer (level 7) are written in
the same language and handed in as text.

Sources: docs/situations.md, which also lists every rule.
"""

from __future__ import annotations

from functools import cache, lru_cache

from x12 import guides, packaged
from x12.finding import Finding
from x12.guides import Guide
from x12.situations.facts import LoopFacts, Situations
from x12.situations.language import Rule, Statement, parse
from x12.situations.tree import finding
from x12.situations.tree import judge_tree as _judge_tree
from x12.syntax import STANDARD, Delimiters
from x12.tree import Instance

__all__ = ["LoopFacts", "Rule", "Situations", "Statement", "finding", "judge_tree", "parse", "rules", "situations"]


@cache
def _files() -> dict[str, str]:
    """The rule files of this folder by name, in the order in which they are read."""
    return {name: packaged.text(__name__, name) for name in packaged.names(__name__, ".rules")}


def _is_for(guide: Guide, text: str) -> bool:
    """Whether the `rules` line of a text names this guide: by id, or by id and set where two sets share it."""
    named = next((line.split()[1].split(",") for line in text.split("\n") if line.startswith("rules ")), list[str]())
    return guide.id in named or f"{guide.id}/{guide.set_id}" in named


@lru_cache(64)
def rules(guide: Guide, payer: tuple[str, ...] = ()) -> tuple[Statement, ...]:
    """The situational rules of a guide and those of the payer's texts that are for it; () where there are none.

    GuideError names file and line of a rule that is wrong. A guide that a companion has patched has the rules of the guide.
    """
    table = _unpatched(guide)
    found = [*_of_guide(table)]
    for text in payer:
        if _is_for(guide, text):
            found += parse(text, table, "<payer>")
    return tuple(found)


@lru_cache(64)
def _of_guide(table: Guide) -> list[Statement]:
    def read() -> list[Statement]:
        return [s for name, text in _files().items() if _is_for(table, text) for s in parse(text, table, name)]

    name = guides.file_of(table)
    if name is None:
        return read()
    own = [*packaged.names(__name__, ".rules"), "language.py", "__init__.py"]
    return packaged.kept(__name__, name, [*guides.files_of(name), *((__name__, file) for file in own)], read)


def _unpatched(guide: Guide) -> Guide:
    """The table that rules are written for: a companion narrows what a place takes, not which places there are."""
    if not guide.companions:
        return guide
    chosen = min(guide.chosen.codes) if guide.chosen else ""
    return guides.load(guide.id, guide.set_id, chosen)


@lru_cache(64)
def situations(
    guide: Guide,
    delimiters: Delimiters = STANDARD,
    payer: tuple[str, ...] = (),
    levels: frozenset[int] = frozenset((4, 6, 7)),
) -> Situations:
    """The rules of a guide, and of a payer, that are of these levels, compiled for these delimiters; kept for the next file."""
    return Situations(guide, delimiters, [s for s in rules(guide, payer) if s.rule.level in levels])


def judge_tree(root: Instance, guide: Guide, payer: tuple[str, ...] = ()) -> list[Finding]:
    """What the loops of a walked set break of the rules: plainly, rule by rule, as a reference."""
    return _judge_tree(root, rules(guide, payer))

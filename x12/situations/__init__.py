"""Situational rules (SNIP levels 4 and 6): what a guide requires or forbids where something else is so.

The rules are text, one `*.rules` file a guide, to be read beside the printed guide; `language` reads them, `facts` compiles
them for the walk, `tree` judges them plainly. Rules of a payer (level 7) are written in the same language.

Sources: docs/situations.md, which also lists every rule.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from x12.finding import Finding
from x12.guides import Guide
from x12.situations.facts import LoopFacts, Situations
from x12.situations.language import Rule, Statement, parse
from x12.situations.tree import finding
from x12.situations.tree import judge_tree as _judge_tree
from x12.syntax import STANDARD, Delimiters
from x12.walk import Instance

__all__ = ["LoopFacts", "Rule", "Situations", "Statement", "finding", "judge_tree", "parse", "rules", "situations"]


@cache
def _files() -> dict[str, tuple[str, ...]]:
    """Guide id -> its rule files in this folder; a file may serve several guides, and a guide may have several files."""
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(entry.name for entry in resources.files(__name__).iterdir() if entry.name.endswith(".rules")):
        with resources.files(__name__).joinpath(name).open("r", encoding="utf-8") as file:
            guide_ids = next(line for line in file if line.startswith("rules ")).split()[1]
        for guide_id in guide_ids.split(","):
            found[guide_id] = (*found.get(guide_id, ()), name)
    return found


@lru_cache(64)
def rules(guide: Guide) -> tuple[Statement, ...]:
    """The situational rules of a guide, in file order; () where there are none."""
    found: list[Statement] = []
    for name in (*_files().get(guide.id, ()), *_files().get(f"{guide.id}/{guide.set_id}", ())):
        found += parse(resources.files(__name__).joinpath(name).read_text("utf-8"), guide, name)
    return tuple(found)


@lru_cache(64)
def situations(guide: Guide, delimiters: Delimiters = STANDARD) -> Situations:
    """The rules of a guide compiled for these delimiters; kept for the next file."""
    return Situations(guide, delimiters, rules(guide))


def judge_tree(root: Instance, guide: Guide) -> list[Finding]:
    """What the loops of a walked set break of their guide's situational rules: the plain reference."""
    return _judge_tree(root, rules(guide))

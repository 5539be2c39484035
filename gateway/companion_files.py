"""Companion guides of payers: texts in the data folder's `companions`, which payers name in the configuration.

A text is a patch on a guide (`x12.guides.companions`) or rules of the payer's own (`x12.situations`). Each is read and tried when a
service starts, so that a wrong line is told then and not when a claim comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.claim_judging import rule_ids
from gateway.payers import Payer
from x12 import guides
from x12.guides import GuideError, companions
from x12.judging import judgement_of
from x12.situations import rules

__all__ = ["NO_GUIDE", "CompanionFileError", "companions_in", "missing", "tried"]

# What is said of a text that is not `tried` by any guide.
NO_GUIDE = "it names no guide that is judged here: its first line is companion GS08 ST01  Name, or rules GS08  Name"


class CompanionFileError(ValueError):
    """A companion guide cannot be used; the message says which, and what is wrong with it."""


def companions_in(folder: Path) -> dict[str, str]:
    """Every text in the folder, by the name of its file; CompanionFileError for one that is wrong. Hidden files are left alone."""
    if not folder.is_dir():
        return {}
    return {path.name: _read(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."}


def missing(payer: Payer, companions: Mapping[str, str]) -> list[str]:
    """What is to be said of companions, and of rules to be warned of, that a payer names and that are not there."""
    names = [name for name in payer.companions if name not in companions]
    found = [f"payer {payer.id}: companions: there is no {name!r} in the data folder's companions" for name in names]
    # Where no payer names a rule none is read: that takes a while.
    nowhere = sorted(set(payer.warns_of) - rule_ids()) if payer.warns_of else []
    return found + [f"payer {payer.id}: warns_of: no rule for claims is called {name!r}" for name in nowhere]


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
        used = tried(text, path.name)
    except UnicodeDecodeError as error:
        raise CompanionFileError(f"companions/{path.name}: it is not UTF-8") from error
    except OSError as error:
        raise CompanionFileError(f"companions/{path.name}: {error.strerror}") from error
    except GuideError as error:
        raise CompanionFileError(f"companions/{error}") from error
    if not used:
        raise CompanionFileError(f"companions/{path.name}: {NO_GUIDE}")
    return text


def tried(text: str, name: str) -> bool:
    """Whether a text is for any guide; GuideError for a line that is wrong, with the name and the line."""
    try:
        return _tried(text, name)
    except GuideError as error:
        raise GuideError(str(error).replace("<payer>", name)) from error


def _tried(text: str, name: str) -> bool:
    _, patches = judgement_of((7,), companions=(text,))
    used = False
    for key in guides.available():
        guide = guides.load(*key)
        if patches and companions.is_for(guide, text):
            guides.patch(guide, text, name)
            used = True
        elif not patches:
            used = used or len(rules(guide, (text,))) > len(rules(guide))
    return used

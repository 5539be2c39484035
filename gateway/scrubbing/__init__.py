"""Claim edits: what payers reject claims for and the guide alone does not tell, checked before a claim leaves.

Each edit is versioned data with a pure check: an id that never changes its meaning, the dates between which it applies, its
severity in production and in test, and whether it only watches (shadow). One that is about what a kind of claim does not have
finds nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.claim_kinds import AnyClaim
from gateway.scrubbing.edits import EDITS, Edit, look
from x12.finding import Finding

__all__ = ["Edit", "scrub"]


def scrub(claim: AnyClaim, today: date, usage: str, edits: Sequence[Edit] | None = None) -> list[Finding]:
    """Every fault that the edits in force find, at once, as findings with field paths; `code` is the edit's id."""
    found: list[Finding] = []
    seen = look(claim)
    for edit in EDITS if edits is None else edits:
        if edit.shadow or today < edit.since or (edit.until is not None and today > edit.until):
            continue
        severity = edit.severity if usage == "P" else edit.severity_in_test
        for path, advice in edit.check(seen, today):
            kind = "warning" if severity == "warning" else "error"
            found.append(Finding(edit.level, "element", edit.id, f"{path} {advice}.", kind, path=path))
    return found

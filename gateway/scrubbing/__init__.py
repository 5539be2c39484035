"""Claim edits: what payers reject claims for and the guide alone does not tell, checked before a claim leaves.

Each edit is versioned data with a pure check: an id that never changes its meaning, the dates between which it applies, its
severity in production and in test, and whether it only watches (shadow). One that is about what a kind of claim does not have
finds nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.scrubbing.edits import EDITS, Edit
from gateway.scrubbing.looks import Look, looks_at
from x12.finding import Finding

__all__ = ["Edit", "Look", "looks_at", "scrub"]


def scrub(claims: Sequence[Look], today: date, usage: str, edits: Sequence[Edit] | None = None) -> list[Finding]:
    """Every fault that the edits in force find, at once, each in its place; `rule` is the edit's id.

    What lies above several claims, such as their provider, is told once. `usage` is ISA15.
    """
    found: dict[Finding, None] = {}
    day = f"{today:%Y%m%d}"
    for edit in EDITS if edits is None else edits:
        if edit.shadow or today < edit.since or (edit.until is not None and today > edit.until):
            continue
        severity = "warning" if (edit.severity if usage == "P" else edit.severity_in_test) == "warning" else "error"
        for claim in claims:
            for position, loop, segment, element, message, path in edit.check(claim, day):
                finding = Finding(
                    edit.level,
                    "element",
                    edit.code,
                    f"{segment}{element:02d}: {message}",
                    severity,
                    loop,
                    segment,
                    position,
                    element,
                    path=path,
                    rule=edit.id,
                )
                found[finding] = None
    return list(found)

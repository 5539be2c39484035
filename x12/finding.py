"""What is wrong with one place of an interchange: a value, never an exception, and never the patient's data."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Finding", "Scope", "Severity"]

Scope = Literal["file", "interchange", "group", "set", "segment", "element"]
Severity = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One thing wrong with one place.

    `level` is the SNIP level (1 syntax, 2 guide, 3 balancing, 4 situation, 5 code set, 6 product, 7 payer). `code` is the
    code of the acknowledgement element that reports this scope: TA105, AK905, IK502, IK304 or IK403. `position` counts
    the segments of the transaction set from ST as 1 (IK302); `element`, `component`, `repeat` count from 1 (IK401).
    `data` is the reference number of the data element (IK402). `path` is the JSON field the place was written from. A
    situational rule names itself in `rule` and tells what made it apply: `trigger` is that place as `place` writes it, and
    `trigger_position` its segment, counted like `position` (CTX of the 999).
    """

    level: int
    scope: Scope
    code: str
    message: str
    severity: Severity = "error"
    loop: str | None = None
    segment: str | None = None
    position: int | None = None
    element: int | None = None
    component: int | None = None
    repeat: int | None = None
    data: str | None = None
    path: str | None = None
    rule: str | None = None
    trigger: str | None = None
    trigger_position: int | None = None

    @property
    def place(self) -> str:
        """The place as the guides write it: `2010BA NM109`, `2400 SV101-2`, `ISA13`."""
        name = self.segment or ""
        if self.element:
            name += f"{self.element:02d}" + (f"-{self.component}" if self.component else "")
        return f"{self.loop} {name}".strip() if self.loop else name

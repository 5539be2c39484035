"""X12 5010 for healthcare: reads, judges, writes and acknowledges. Pure: no I/O, no clock, no log.

import x12

for interchange in x12.read(data):
    for received in interchange.sets:
        print(received.set_id, received.accepted, received.findings)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from x12.acknowledge import acknowledgement
from x12.claim_judgement import judge_claims, taken_in_parts
from x12.envelope import Group, Interchange, TransactionSet, read, stream
from x12.finding import Finding
from x12.syntax import Delimiters, Unwritable

if TYPE_CHECKING:
    from x12.claim_acknowledgement import acknowledge_claims

__all__ = [
    "Delimiters",
    "Finding",
    "Group",
    "Interchange",
    "TransactionSet",
    "Unwritable",
    "acknowledge_claims",
    "acknowledgement",
    "judge_claims",
    "read",
    "stream",
    "taken_in_parts",
]


def __getattr__(name: str) -> Any:
    # The documents that a 277CA is made of are loaded when one is first written.
    if name == "acknowledge_claims":
        return import_module("x12.claim_acknowledgement").acknowledge_claims
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

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
    from x12.claim_records import Claim, claims

__all__ = [
    "Claim",
    "Delimiters",
    "Finding",
    "Group",
    "Interchange",
    "TransactionSet",
    "Unwritable",
    "acknowledge_claims",
    "acknowledgement",
    "claims",
    "judge_claims",
    "read",
    "stream",
    "taken_in_parts",
]


# What is made of documents is loaded when it is first asked for.
_LATER = {
    "Claim": "x12.claim_records",
    "acknowledge_claims": "x12.claim_acknowledgement",
    "claims": "x12.claim_records",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is not None:
        return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

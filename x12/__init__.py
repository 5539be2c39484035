"""X12 5010 for healthcare: reads, judges, explains, writes and acknowledges. Pure: no I/O, no clock, no log.

    import x12

    for interchange in x12.read(data):
        for received in interchange.sets:
            print(received.set_id, received.accepted, received.findings)
            for document in x12.documents_of(received):
                print(document.patient_control_number)

Reading never raises on content: what is wrong is a `Finding`, at its place. `stream` gives the parts of a file of any size as
they are complete. What `documents_of` gives is typed, with the JSON names of the industry's dialect, and `write` makes an interchange of
them, or refuses with the path of what is wrong. `acknowledgement` answers with TA1 and 999. `explain` tells anything in plain
words, `difference` how two files differ, `fix` mends what needs no knowledge of what was meant. More in docs/x12.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from x12.acknowledge import acknowledgement, addressed
from x12.claim_judgement import judge_claims, taken_in_parts
from x12.envelope import Group, Interchange, TransactionSet, read, stream
from x12.finding import Finding
from x12.syntax import Delimiters, InterchangeHeader, Unwritable

if TYPE_CHECKING:
    from x12.claim_acknowledgement import acknowledge_claims
    from x12.claim_records import Claim, claims
    from x12.comparing import difference
    from x12.explaining import explain
    from x12.fixing import fix
    from x12.transactions import document_of, documents_of, write

__all__ = [
    "Claim",
    "Delimiters",
    "Finding",
    "Group",
    "Interchange",
    "InterchangeHeader",
    "TransactionSet",
    "Unwritable",
    "acknowledge_claims",
    "acknowledgement",
    "addressed",
    "claims",
    "difference",
    "document_of",
    "documents_of",
    "explain",
    "fix",
    "judge_claims",
    "read",
    "stream",
    "taken_in_parts",
    "write",
]

# Whoever only reads, judges and acknowledges does not wait for these: each is loaded when it is first asked for.
_LATER = {
    "Claim": "x12.claim_records",
    "acknowledge_claims": "x12.claim_acknowledgement",
    "claims": "x12.claim_records",
    "difference": "x12.comparing",
    "document_of": "x12.transactions",
    "documents_of": "x12.transactions",
    "explain": "x12.explaining",
    "fix": "x12.fixing",
    "write": "x12.transactions",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

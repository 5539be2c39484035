"""X12 5010 for healthcare: reads, judges, writes and acknowledges. Pure: no I/O, no clock, no log.

import x12

for interchange in x12.read(data):
    for received in interchange.sets:
        print(received.set_id, received.accepted, received.findings)
"""

from __future__ import annotations

from x12.acknowledge import acknowledgement
from x12.envelope import Group, Interchange, TransactionSet, read, stream
from x12.finding import Finding
from x12.syntax import Delimiters, Unwritable

__all__ = [
    "Delimiters",
    "Finding",
    "Group",
    "Interchange",
    "TransactionSet",
    "Unwritable",
    "acknowledgement",
    "read",
    "stream",
]

"""The corpus of real files as its manifest tells of it, and what docs/corpus.md says is wrong with some of them.

The document is read here and nowhere repeated: what it lists is what the tests expect, to the finding.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from x12.envelope import Interchange, read
from x12.finding import Finding
from x12.judging import LEVELS

__all__ = [
    "DOCUMENT",
    "Entry",
    "content",
    "entries",
    "faulted",
    "findings",
    "invalid",
    "placed",
    "received",
    "valid",
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "corpus.md"
# Directory of the corpus -> the GS08 that we have a guide for.
_GUIDES = {
    "270": {"005010X279A1"},
    "271": {"005010X279A1", "005010X279"},
    "276": {"005010X212"},
    "277": {"005010X212"},
    "277CA": {"005010X214"},
    "278": {"005010X217"},
    "835": {"005010X221A1"},
    "837D": {"005010X224A2", "005010X224A3"},
    "837I": {"005010X223A2", "005010X223A3"},
    "837P": {"005010X222A1", "005010X222A2"},
}


class Structure(msgspec.Struct):
    """What the manifest says of the envelopes."""

    envelope_ok: bool


class PeerError(msgspec.Struct):
    """One error of pyx12; its message may tell a value."""

    level: str
    code: str
    msg: str
    seg: str | None = None


class PeerVerdict(msgspec.Struct):
    """What pyx12 4.0 says of a file: accept, reject, unsupported or exception."""

    result: str
    errors: list[PeerError] = []


class Entry(msgspec.Struct):
    """What the manifest says of a file. `validity` is its source's word; `claims` counts CLM and CLP segments."""

    file: str
    transaction: str
    version: str | None
    validity: str
    transactions: int
    claims: int
    structure: Structure
    expected: dict[str, Any] | None
    pyx12: PeerVerdict

    def __str__(self) -> str:
        return self.file


def corpus() -> Path:
    """The folder of the corpus; a module that needs it is skipped without one."""
    folder = os.environ.get("CLAIMWIRE_CORPUS")
    if not folder:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files", allow_module_level=True)
    return Path(folder)


def entries() -> list[Entry]:
    """Every file of the corpus, in the manifest's order."""
    return msgspec.json.decode((corpus() / "manifest.json").read_bytes(), type=list[Entry])


def valid(*transactions: str) -> list[Entry]:
    """The files in these folders that their source calls valid, with a right envelope and a guide that we have."""
    return [
        e
        for e in entries()
        if e.validity == "valid"
        and e.structure.envelope_ok
        and e.file.split("/")[0] in transactions
        and e.version in _GUIDES[e.transaction]
    ]


def invalid() -> list[Entry]:
    """The files that are wrong on purpose."""
    return [e for e in entries() if e.file.startswith("invalid/")]


def content(entry: Entry) -> bytes:
    return (corpus() / entry.file).read_bytes()


def received(entry: Entry, levels: Iterable[int] = LEVELS) -> list[Interchange]:
    """What the reader makes of a file."""
    return read(content(entry), levels=levels)


def findings(interchanges: list[Interchange]) -> list[Finding]:
    """All that is wrong with interchanges, their groups and their sets."""
    groups = [g for i in interchanges for g in i.groups]
    everything = [*interchanges, *groups, *(s for g in groups for s in g.sets)]
    return [f for one in everything for f in one.findings]


def placed(found: list[Finding]) -> Counter[str]:
    """Findings as the document writes them: place and code, and how often."""
    return Counter(f"{f.place or f.scope} {f.code}" for f in found)


def faulted(*transactions: str) -> dict[str, Counter[str]]:
    """File -> what the gateway refuses it for, sent to its sandbox payer, of the valid files where anything is.

    They are examples for other payers: claims are refused for syntax, guide and sums, questions for syntax and guide.
    """
    found: dict[str, list[Finding]] = {}
    for entry in valid(*transactions):
        levels = (1, 2, 3) if entry.transaction.startswith("837") else (1, 2)
        judged = read(content(entry), levels=levels, usage="T")
        found[entry.file] = [f for f in findings(judged) if f.severity == "error"]
    return {file: placed(errors) for file, errors in found.items() if errors}

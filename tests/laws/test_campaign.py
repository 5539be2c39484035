"""The campaign of `make campaign` is as long as is said of it: more than 20,000 documents are written and read back, of every guide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

from tests.laws.cases import cases

HERE = Path(__file__).parent
MAKEFILE = HERE.parents[1] / "Makefile"
# Module of this folder -> the guides whose documents it writes and reads back.
GUIDES = {
    "test_acknowledgements": "999",
    "test_claim_acknowledgement": "277CA",
    "test_claim_attachment": "275",
    "test_claim_documents": "837P, 837I and 837D",
    "test_claim_status": "276 and 277",
    "test_eligibility": "270 and 271",
    "test_remittance": "835",
    "test_services_review": "278, both",
}


def laws(module: str) -> Iterator[Callable[..., Any]]:
    """The laws of a module by which a document is written and is read back as it was."""
    for name, law in vars(import_module(f"tests.laws.{module}")).items():
        if re.match(r"test_\w+_(written_is_read_back|written_and_read_as_the_same)$", name):
            yield law


def documents(module: str) -> int:
    """How many documents these laws are tried on in this run, those of each kind where a law holds for several."""
    return sum(law._hypothesis_internal_use_settings.max_examples * kinds(law) for law in laws(module))  # type: ignore[attr-defined]


def kinds(law: Callable[..., Any]) -> int:
    """How many kinds of documents a law is tried on."""
    return prod(len(mark.args[1]) for mark in getattr(law, "pytestmark", ()) if mark.name == "parametrize")


def test_a_campaign_writes_and_reads_back_twenty_thousand_documents_of_all_guides() -> None:
    found = re.search(
        r"CLAIMWIRE_CASES:-(\d+)\} \$\(RUN\) -m pytest tests/laws -k \"written or read_back", MAKEFILE.read_text()
    )
    assert found is not None
    made = {module: documents(module) // cases(1) for module in GUIDES}
    assert [] == [module for module, count in made.items() if not count]
    assert sum(made.values()) * int(found[1]) >= 20_000

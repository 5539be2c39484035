"""Claims of other people's files come back from JSON as they were: the same segments in the same order."""

from __future__ import annotations

import pytest

from tests.corpus.report import verdicts
from tests.corpus.rewritten import CLAIM_KINDS, NORMALISATIONS, Rewritten, rewritten


def name(one: Rewritten) -> str:
    return f"{one.entry.file}-{one.control_number}"


@pytest.mark.parametrize("one", rewritten(), ids=name)
def test_a_clean_claim_file_is_the_same_after_json(one: Rewritten) -> None:
    assert () == one.refused
    assert one.expected == one.written


def test_every_clean_file_of_claims_was_there_and_back() -> None:
    clean = {v.entry.file for v in verdicts() if v.accepted and v.entry.transaction in CLAIM_KINDS}
    done = rewritten()
    assert len(clean) > 25
    assert clean <= {one.entry.file for one in done}
    assert set(CLAIM_KINDS) == {one.kind.name for one in done}


def test_every_normalisation_is_needed_by_some_file() -> None:
    assert {n.name for n in NORMALISATIONS} == {used for one in rewritten() for used in one.used}

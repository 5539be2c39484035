"""Laws of the synthetic files: the same seed gives the same bytes, and our own judgement finds nothing, or one fault a claim."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import synthetic
from x12.balancing import balance_835, balance_837
from x12.batch import claims_of
from x12.envelope import TransactionSet, read
from x12.finding import Finding
from x12.situations import judge_tree
from x12.transactions import documents_of, kind_of

COUNT = 210
CLAIMS = {"837P": synthetic.claims_837p, "837I": synthetic.claims_837i, "837D": synthetic.claims_837d}
FILES: dict[str, Callable[[int, int], str]] = {
    **CLAIMS,
    "270": synthetic.requests_270,
    "271": synthetic.responses_271,
    "277CA": synthetic.acknowledgement_277ca,
    "835": synthetic.remittance_835,
}
BALANCED = {"837": balance_837, "835": balance_835}


def judged(one: TransactionSet) -> list[Finding]:
    """All that we find: syntax, guide, balance, situations."""
    assert one.guide is not None
    root = one.tree()
    balance = BALANCED.get(one.set_id)
    return [*one.findings, *(balance(root) if balance else ()), *judge_tree(root, one.guide)]


def sets(text: str) -> list[TransactionSet]:
    (interchange,) = read(text.encode("ascii"))
    assert [] == [*interchange.findings, *interchange.groups[0].findings]
    return interchange.sets


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_file_is_clean(name: str, seed: int) -> None:
    found = [(f.place, f.rule, f.message) for one in sets(FILES[name](COUNT, seed)) for f in judged(one)]
    assert [] == found


@pytest.mark.parametrize("name", FILES)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    assert FILES[name](COUNT, 5) == FILES[name](COUNT, 5)
    assert FILES[name](COUNT, 5) != FILES[name](COUNT, 6)


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_what_was_asked_for(name: str) -> None:
    whole = sets(FILES[name](COUNT, 1))
    kinds = [kind_of(one) for one in whole]
    assert [name] * len(whole) == [kind.name for kind in kinds if kind is not None]
    made = [d for one in whole for d in documents_of(one)]
    assert (1 if name in ("835", "277CA") else COUNT) == len(made)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_wrong_file_has_one_fault_in_each_claim(name: str) -> None:
    whole = sets(CLAIMS[name](COUNT, 1, wrong=True))
    found = [f for one in whole for f in one.findings if f.level <= 2]
    assert ["2300 CLM05-1"] * COUNT == [f.place for f in found]
    assert COUNT == sum(len(claims_of(one)) for one in whole)

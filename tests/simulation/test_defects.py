"""The simulator is proved: each planted defect is found by its seed, and without it the same seed comes to its end."""

from __future__ import annotations

import os
import re

import pytest

from gateway.simulation.campaign import plan_of
from gateway.simulation.lives import live
from tests.simulation.defects import DEFECTS, Defect
from tests.simulation.finding import first_found, known, shown, table

DEFECTS_MIN, SEEDS_NEAR = 20, 40
CAMPAIGN = bool(int(os.environ.get("CLAIMWIRE_CAMPAIGN", "0")))
# Their seeds live longest: CI leaves them to `make simulate`, which finds all.
LONG = (
    "gives_up_while_the_disk_is_full",
    "marks_before_it_sends",
    "posts_to_any_claim_with_the_number",
    "takes_any_page_for_a_receipt",
)
SHARE = [plant for plant in DEFECTS if CAMPAIGN or plant.__name__ not in LONG]


@pytest.mark.campaign
@pytest.mark.parametrize("plant", SHARE, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found_by_its_seed(plant: Defect) -> None:
    # Whatever changes the order of events changes what a seed lives through: others near it are looked at before this fails.
    seed = known()[plant.__name__]
    tried = (first_found(plant, range(near, near + 1)) for near in (seed, *range(1, SEEDS_NEAR)))
    found = next((one for one in tried if one is not None), None)
    assert found is not None
    # A defect that fits the gateway no more fails by itself, and would prove nothing.
    assert not re.search(r"\b(Type|Attribute|Name|Key)Error\b", found.failure), found.failure


@pytest.mark.campaign
@pytest.mark.parametrize("seed", sorted(set(known().values()) - set(range(1, 7))))
def test_without_the_defect_the_same_seed_comes_to_its_end(seed: int) -> None:
    assert "" == live(plan_of(seed, 15)).failure


def test_the_page_lists_the_defects_and_their_seeds() -> None:
    assert DEFECTS_MIN <= len(DEFECTS) == len(known())
    assert DEFECTS_MIN <= len(SHARE) in (len(DEFECTS), len(DEFECTS) - len(LONG))
    assert table(known()) == shown()

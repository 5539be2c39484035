"""The gateway lives through weeks of storms, deaths and wrong clocks, and loses, doubles and forgets nothing; a seed replays to the byte."""

from __future__ import annotations

import pytest

from gateway.simulation.lives import Plan, live


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 7))
def test_whatever_befalls_it_each_claim_counts_once_and_comes_to_its_end(seed: int) -> None:
    life = live(Plan(seed=seed, days=20, machines=1 + seed % 2))
    assert "" == life.failure, "\n".join(life.story[-60:])
    assert life.claims
    assert life.faults["killed"] > 3


def test_a_seed_is_lived_the_same_way_again() -> None:
    first, again = (live(Plan(seed=8, days=8, claims=8)) for _ in range(2))
    assert first.story == again.story
    assert first.digest == again.digest
    assert first.digest != live(Plan(seed=9, days=8, claims=8)).digest

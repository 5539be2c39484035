"""The gateway dies at each commit, read, call, write to a payer, sleep, thread and await, over every road and on both databases.

By itself this takes a life for each road, on one engine or the other, with deaths by a seed in two of its phases. `CLAIMWIRE_CAMPAIGN=N` dies at N points of each road and engine that a life
passes, or at all of them where there are fewer, one in each phase of a life (`make simulate`); `CLAIMWIRE_SEED` says which.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from random import Random

import pytest

from tests.engines import Server
from tests.flows.mortal import Point
from tests.flows.points import PHASES, Ground, campaign, life
from tests.flows.points_roads import ROADS, Road

CAMPAIGN = int(os.environ.get("CLAIMWIRE_CAMPAIGN", "0"))
SEED = int(os.environ.get("CLAIMWIRE_SEED", "276_835"))
# Each phase passes more points.
DEEPEST = 40
ENGINES = ("sqlite", "postgresql")
ALL = list(itertools.product(ROADS, ENGINES))
# Each road on one engine, and the first on both.
SHARE = [("rest", "postgresql"), *((road, ENGINES[n % 2]) for n, road in enumerate(ROADS))]


def told(line: str) -> None:
    print(line, flush=True)


@pytest.fixture
async def ground(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    server: Server | None = request.getfixturevalue("postgresql") if engine_name == "postgresql" else None
    made = Ground(tmp_path, server)
    await made.lay()
    return made


@pytest.mark.campaign
@pytest.mark.parametrize(("road", "engine_name"), ALL if CAMPAIGN else SHARE)
async def test_f01_f02_f03_the_gateway_may_die_at_any_point(ground: Ground, road: Road, tmp_path: Path) -> None:
    random = Random(f"{SEED} {road} {ground.engine}")
    if not CAMPAIGN:
        points = frozenset(Point(phase, "", "", random.randint(1, DEEPEST)) for phase in random.sample(PHASES[1:], 2))
        lived = await life(ground, road, tmp_path / "life", points)
        # A phase that came to its end before is as well.
        assert {one.phase for one in points} >= set(lived.died) != set()
        return
    tally = await campaign(ground, road, tmp_path, random, CAMPAIGN, told)
    told(
        f"{road} {ground.engine}: {tally.points} points, {len(tally.died)} died at, in {tally.lives} lives; a person decided {tally.decided} times"
    )
    assert [] == tally.broken
    # What depends on which of two things comes first is not there in each life.
    assert len(tally.died) >= 0.97 * min(tally.points, CAMPAIGN)

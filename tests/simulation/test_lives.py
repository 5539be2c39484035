"""The gateway lives through weeks of storms, deaths, power cuts and wrong clocks, and loses, doubles and forgets nothing; a seed replays to
the byte.

That the checks bite is shown by defects that are planted, one at a time (`defects.py`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.simulation.campaign import Lived, Total, campaign, plan_of, plans_of_points
from gateway.simulation.lives import Plan, live
from tests.simulation.defects import sends_again_when_in_doubt

POINTS = 24


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 7))
def test_whatever_befalls_it_each_claim_counts_once_and_comes_to_its_end(seed: int) -> None:
    life = live(plan_of(seed, 15))
    assert "" == life.failure, "\n".join(life.story[-60:])
    assert life.claims
    assert life.faults["killed"] > 3
    assert life.faults["power cut"]


@pytest.mark.campaign
def test_a_machine_may_die_at_any_commit_call_and_await() -> None:
    plans = plans_of_points([1])
    # Commits, calls and awaits are all among them; CI takes a share.
    assert {"before", "after", "at", "with the last byte"} <= {
        plan.kill_place[1] for plan in plans if plan.kill_place is not None
    }
    for one in campaign(Random(1).sample(plans, POINTS), 1):
        assert "" == one.failure, f"dead {one.point}:\n" + "\n".join(one.story[-60:])


def test_a_machine_dies_at_the_point_that_was_asked_for() -> None:
    plan = next(plan for plan in plans_of_points([2]) if plan.kill_place and plan.kill_place[1] == "with the last byte")
    where, when = plan.kill_place or ("", "")
    assert any(line.endswith(f"is killed {when} {where}") for line in live(plan).story)


def test_a_seed_is_lived_the_same_way_again() -> None:
    first, again = (live(Plan(seed=8, days=8, claims=20)) for _ in range(2))
    assert first.story == again.story
    assert first.digest == again.digest
    assert first.digest != live(Plan(seed=9, days=8, claims=20)).digest


def test_a_life_that_breaks_is_told_with_its_seed_and_its_story(monkeypatch: pytest.MonkeyPatch) -> None:
    sends_again_when_in_doubt(monkeypatch)
    done = CliRunner().invoke(app, ["simulate", "--seeds", "1", "--processes", "1"])
    assert 1 == done.exit_code
    assert "seed 1: BROKEN" in done.output
    assert "left twice" in done.output
    assert "claimwire simulate --first-seed 1 --seeds 1 --days 15 --story" in done.output


def test_the_command_tells_what_came_of_each_seed() -> None:
    done = CliRunner().invoke(app, ["simulate", "--seeds", "2", "--days", "2", "--processes", "1", "--json"])
    assert 0 == done.exit_code, done.output
    lines = done.output.splitlines()
    lives = [msgspec.json.decode(line, type=Lived) for line in lines[:-1]]
    total = msgspec.json.decode(lines[-1], type=Total)
    assert [1, 2] == [one.seed for one in lives]
    assert (2, []) == (total.lives, total.failed)
    assert sum(one.claims for one in lives) == total.claims


# One seed is lived at once, the others for longer than anybody waits.
ENDED = """
import signal
from gateway.simulation.campaign import campaign, plan_of

if __name__ == "__main__":
    # What begins a process in the background has it ignore this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for one in campaign([plan_of(1, 1), *(plan_of(seed, 100_000) for seed in range(2, 5))], 2):
        print(one.seed, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_its_processes_end_with_a_campaign_that_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "campaign.py"
    script.write_text(ENDED)
    # All its processes have our end of its standard error: it is at its end once the last one is gone.
    words = [sys.executable, str(script)]
    begun = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert begun.stdout is not None
        assert "1\n" == begun.stdout.readline()
        begun.send_signal(how)
        _, told = begun.communicate(timeout=60)
        assert begun.returncode
        assert "BrokenProcessPool" not in told
    finally:
        # Where the law does not hold they would go on for days.
        with suppress(ProcessLookupError):
            os.killpg(begun.pid, signal.SIGKILL)

"""Many seeds' lives, over the processors there are; what came of each, and of all."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

import msgspec

from gateway.simulation.lives import Plan, live

__all__ = ["DAYS", "Lived", "Total", "campaign", "days_for", "plan_of", "plans_of_points"]

DAYS = 15
_YEAR = 365.25
# Short lives: there are many points, and each is passed within days.
_POINT_DAYS, _POINT_CLAIMS = 5, 10


class Lived(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of one seed. `story` is there where it broke, or was asked for; `digest` is the same whenever it is lived again,
    `point` where a machine was to die once more.
    """

    seed: int
    point: str = ""
    days: float
    claims: int
    commits: int
    faults: dict[str, int]
    digest: str
    failure: str = ""
    story: list[str] = []


class Total(msgspec.Struct, rename="camel"):
    """What came of all lives so far. `failed` has the seeds of those that broke."""

    lives: int = 0
    failed: list[int] = []
    years: float = 0.0
    claims: int = 0
    commits: int = 0
    faults: dict[str, int] = {}

    def add(self, one: Lived) -> None:
        self.lives += 1
        self.years += one.days / _YEAR
        self.claims += one.claims
        self.commits += one.commits
        self.faults = dict(Counter(self.faults) + Counter(one.faults))
        if one.failure:
            self.failed = sorted([*self.failed, one.seed])


def days_for(seeds: int, years: float) -> int:
    """The rough days of each seed, for so many years of all together; the calm ones afterwards come on top."""
    return max(DAYS, math.ceil(years * _YEAR / seeds))


def plan_of(seed: int, days: int) -> Plan:
    """What a seed lives through: every other one on two nodes."""
    return Plan(seed=seed, days=days, machines=1 + seed % 2)


def plans_of_points(seeds: Iterable[int]) -> list[Plan]:
    """Plans that each die once more than their seed does by itself: one for every commit, call and await that these seeds pass.

    A seed is lived the same way up to there, so each of them comes to the point that it is to die at.
    """
    found: dict[tuple[str, str], Plan] = {}
    for seed in seeds:
        plan = Plan(seed=seed, days=_POINT_DAYS, machines=1 + seed % 2, claims=_POINT_CLAIMS, awaits=True)
        for point in live(plan).points:
            found.setdefault(point, msgspec.structs.replace(plan, kill_place=point))
    return [plan for _, plan in sorted(found.items())]


def _lived(plan: Plan, told: bool) -> Lived:
    life = live(plan)
    where, when = plan.kill_place or ("", "")
    return Lived(
        seed=plan.seed,
        point=f"{when} {where}" if when else "",
        days=life.days,
        claims=life.claims,
        commits=life.commits,
        faults={name: times for name, times in sorted(life.faults.items()) if times},
        digest=life.digest,
        failure=life.failure,
        story=life.story if told or life.failure else [],
    )


def campaign(plans: Sequence[Plan], processes: int, *, told: bool = False) -> Iterator[Lived]:
    """Live through every plan, so many at a time; each as it ends. Its processes end with whoever goes through it, however that ends."""
    if processes == 1:
        yield from (_lived(plan, told) for plan in plans)
        return
    context = get_context("spawn")
    # Nobody writes to it. Only this process has the end to write to, so it closes with the process, too.
    watched, held = context.Pipe(duplex=False)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with, initargs=(watched,)) as pool:
        try:
            for future in as_completed([pool.submit(_lived, plan, told) for plan in plans]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            held.close()
            raise
    held.close()
    watched.close()


def _end_with(watched: Connection) -> None:
    """End this process, whatever it is at, once the other end of a pipe is closed."""
    # Whoever presses Ctrl-C means the campaign, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with suppress(EOFError, OSError):
            watched.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, name="claimwire-campaign", daemon=True).start()

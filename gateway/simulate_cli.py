"""The simulator from the command line. Thin over `gateway.simulation.campaign`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from gateway.simulation.campaign import Lived, Total

__all__ = ["simulate"]

_TAIL = 60


def simulate(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds are lived through.")] = 20,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="The first of them; the others follow.")] = 1,
    years: Annotated[
        float, typer.Option("--years", min=0, help="How many simulated years all of them together take, at least.")
    ] = 0,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="The rough days of each seed, instead of --years.")
    ] = None,
    points: Annotated[
        bool,
        typer.Option(
            "--points", help="Instead, die once at each commit, call and await that these seeds pass in some days."
        ),
    ] = False,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="How many at a time; as many as processors by itself.")
    ] = None,
    story: Annotated[bool, typer.Option("--story", help="Print all that happened, of each seed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one object a seed, then the total.")] = False,
) -> None:
    """Live through weeks of claims, storms, deaths, power cuts and wrong clocks in virtual time, each out of its seed.

    After every event it is checked that nothing is lost, doubled, stuck or forgotten. A seed replays to the byte. Exit 1 where one broke.
    """
    from gateway.simulation.campaign import Total, campaign, days_for, plan_of, plans_of_points

    rough = days or days_for(seeds, years)
    numbers = range(first_seed, first_seed + seeds)
    plans = plans_of_points(numbers) if points else [plan_of(seed, rough) for seed in numbers]
    total = Total()
    for one in campaign(plans, processes or os.cpu_count() or 1, told=story):
        total.add(one)
        if as_json:
            typer.echo(msgspec.json.encode(one))
        else:
            _tell(one, total, len(plans), story)
            if one.failure:
                which = "--points" if points else f"--days {rough} --story"
                typer.echo(f"  again: claimwire simulate --first-seed {one.seed} --seeds 1 {which}")
    typer.echo(msgspec.json.encode(total) if as_json else _summed(total))
    if total.failed:
        raise typer.Exit(1)


def _tell(one: Lived, total: Total, lives: int, story: bool) -> None:
    if story:
        typer.echo("\n".join(one.story))
    outcome = "BROKEN" if one.failure else "well"
    point = f", dead {one.point}" if one.point else ""
    typer.echo(
        f"{total.lives}/{lives} seed {one.seed}{point}: {outcome}; {one.days:.0f} days, {one.claims} claims,"
        f" {sum(one.faults.values())} faults, {one.digest[:12]}",
        err=not one.failure,
    )
    if one.failure:
        typer.echo(f"  {one.failure}")
        if not story:
            typer.echo("\n".join(f"  {line}" for line in one.story[-_TAIL:]))


def _summed(total: Total) -> str:
    faults = ", ".join(f"{name} {times}" for name, times in sorted(total.faults.items()))
    broken = f"broken: {', '.join(map(str, total.failed))}" if total.failed else "none broken"
    return (
        f"{total.lives} lives, {broken}; {total.years:.1f} simulated years, {total.claims} claims, {total.commits} commits,"
        f" {sum(total.faults.values())} faults: {faults}"
    )

"""By which seed each planted defect is found, as it is kept in `seeds.toml` and shown in docs/simulation.md."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.simulation.campaign import DAYS, plan_of
from gateway.simulation.lives import live
from tests.simulation.defects import DEFECTS, Defect

__all__ = ["PAGE", "SEEDS_MAX", "Found", "first_found", "first_of_all", "known", "shown", "table", "write"]

SEEDS_MAX = 500
PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_KEPT = Path(__file__).with_name("seeds.toml")
_BEGIN, _END = "<!-- defects: python -m tests.simulation -->", "<!-- end of defects -->"


class Found(NamedTuple):
    """A seed in which a defect showed, and how."""

    seed: int
    failure: str


def first_found(plant: Defect, seeds: range) -> Found | None:
    """The first of these seeds that a planted defect breaks; None where it breaks none."""
    for seed in seeds:
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            life = live(plan_of(seed, DAYS))
        if life.failure:
            return Found(seed, life.failure)
    return None


def first_of_all(plant: Defect) -> Found | None:
    """The first of all seeds that a planted defect breaks."""
    return first_found(plant, range(1, SEEDS_MAX + 1))


def known() -> dict[str, int]:
    """The seed of each defect, as it is kept."""
    return tomllib.loads(_KEPT.read_text()) if _KEPT.exists() else {}


def table(found: dict[str, int]) -> str:
    """The list of the defects and their seeds, in Markdown."""
    rows = [
        f"| `{plant.__name__}` | {' '.join((plant.__doc__ or '').split())} | {found.get(plant.__name__, 'not found')} |"
        for plant in DEFECTS
    ]
    return "\n".join(["| defect | what is wrong | seed |", "|---|---|---|", *rows])


def shown() -> str:
    """The list as the page has it."""
    page = PAGE.read_text()
    return page[page.index(_BEGIN) + len(_BEGIN) : page.index(_END)].strip()


def write(found: dict[str, int]) -> None:
    """Keep the seeds, and show them on the page."""
    _KEPT.write_text("".join(f"{p.__name__} = {found[p.__name__]}\n" for p in DEFECTS if p.__name__ in found))
    page = PAGE.read_text()
    before, after = page[: page.index(_BEGIN) + len(_BEGIN)], page[page.index(_END) :]
    PAGE.write_text(f"{before}\n{table(found)}\n{after}")

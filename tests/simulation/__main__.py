"""Looks for the first seed that finds each planted defect, and writes them to `seeds.toml` and into docs/simulation.md.

`python -m tests.simulation` looks for all of them, `python -m tests.simulation NAME...` for some; the others keep their seeds.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.defects import DEFECTS
from tests.simulation.finding import first_of_all, known, write

if __name__ == "__main__":
    found = known()
    chosen = [plant for plant in DEFECTS if not sys.argv[1:] or plant.__name__ in sys.argv[1:]]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for plant, one in zip(chosen, pool.map(first_of_all, chosen), strict=True):
            print(plant.__name__, one or "NOT FOUND", flush=True)
            found.pop(plant.__name__, None)
            if one is not None:
                found[plant.__name__] = one.seed
            write(found)
    sys.exit(any(plant.__name__ not in found for plant in DEFECTS))

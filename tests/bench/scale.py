"""What judging costs beyond segments a second, each in a process of its own: `python -m tests.bench.scale KIND FILE`.

`cold` is import and first document, `warm` one document after that, `passed` a file that is judged without being kept, `typed` and
`oxedi` an 835 as typed values with balancing, `prototype` the prototype of a compiled walk that lies beside the corpus.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tests.bench.processes import ROOT, peak_megabytes

__all__ = ["Measured", "prototype_path"]

_READ_BYTES = 1 << 16
_WARM_TIMES = 200


class Measured(msgspec.Struct):
    """How long it took, how many segments (or claims) that was, and the most memory above what the interpreter had before."""

    seconds: float
    count: int
    megabytes: float


def prototype_path() -> Path | None:
    """Where the prototype lies: beside the folder that CLAIMWIRE_CORPUS names; None where it does not."""
    corpus = os.environ.get("CLAIMWIRE_CORPUS")
    path = Path(corpus).parent / "bench" / "prototype_walker.py" if corpus else None
    return path if path is not None and path.is_file() else None


def _timed(work: Callable[[], int]) -> Measured:
    before, started = peak_megabytes(), time.perf_counter()
    count = work()
    return Measured(time.perf_counter() - started, count, peak_megabytes() - before)


# Nothing that we import may be there before the clock starts: not even what this module needs.
_FIRST = """
import sys, time
started = time.perf_counter()
import x12
with open(sys.argv[1], "rb") as file:
    content = file.read()
count = sum(len(s.segments) for i in x12.read(content) for s in i.sets)
print(time.perf_counter() - started, count)
"""


def cold(path: Path) -> Measured:
    """The first thing that a program does with us, in an interpreter that has done nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, count = done.stdout.split()
    return Measured(float(seconds), int(count), 0.0)


def warm(path: Path) -> Measured:
    """One document, judged when everything is compiled: the median of many."""
    import x12

    content, times = path.read_bytes(), list[float]()
    count = 0
    for _ in range(_WARM_TIMES):
        done = _timed(lambda: sum(len(s.segments) for i in x12.read(content) for s in i.sets))
        times.append(done.seconds)
        count = done.count
    return Measured(median(times[_WARM_TIMES // 2 :]), count, 0.0)


def passed(path: Path) -> Measured:
    """A file as it is judged when nothing of it is to be kept; memory is counted from before the import."""

    def work() -> int:
        import x12

        count = 0
        with path.open("rb") as file:
            for part in x12.stream(iter(lambda: file.read(_READ_BYTES), b""), keep=False):
                count += part.count if isinstance(part, x12.TransactionSet) else 0
        return count

    return _timed(work)


def typed(path: Path) -> Measured:
    """Remittances as typed documents, judged at all levels; the count is of claims."""
    import x12
    from x12.documents.remittance import read_remittance

    def work() -> int:
        claims = 0
        for interchange in x12.read(path.read_bytes()):
            for received in interchange.sets:
                made = read_remittance(received.tree())
                claims += sum(len(detail.payment_info or ()) for detail in made.detail_info or ())
        return claims

    return _timed(work)


def oxedi(path: Path) -> Measured:
    """What oxedi does with the same file: typed tables and balancing; the count is of claims."""
    peer: Any = importlib.import_module("oxedi")

    def work() -> int:
        result = peer.parse(path.read_bytes())
        assert result is not None
        return path.read_bytes().count(b"~CLP*")

    return _timed(work)


def prototype(path: Path) -> Measured:
    """The prototype on the file, its maps compiled on the way."""
    where = prototype_path()
    assert where is not None
    spec = importlib.util.spec_from_file_location("prototype_walker", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _timed(lambda: int(module.validate(str(path), None, {})[1]))


_KINDS: dict[str, Callable[[Path], Measured]] = {
    "cold": cold,
    "warm": warm,
    "passed": passed,
    "typed": typed,
    "oxedi": oxedi,
    "prototype": prototype,
}

if __name__ == "__main__":
    print(msgspec.json.encode(_KINDS[sys.argv[1]](Path(sys.argv[2]))).decode())

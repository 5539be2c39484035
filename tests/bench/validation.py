"""Full validation of one file, in a process of its own: `python -m tests.bench.validation ours|sums|pyx12 FILE`.

Both read the file from disk, judge it against the guide, and write the acknowledgement; ours at more levels.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.bench.processes import peak_megabytes

__all__ = ["Judged", "ours", "pyx12", "sums"]

_READ_BYTES = 1 << 16


class Judged(msgspec.Struct):
    """What came of judging a file. `errors` is how many were found, -1 where the library does not count them."""

    accepted: bool
    errors: int
    seconds: float
    acknowledgement_bytes: int
    peak_megabytes: float


def ours(path: Path, levels: Sequence[int] = (1, 2, 3, 4, 5)) -> Judged:
    """Read and judged at these levels without keeping, and TA1 and 999."""
    import x12
    from x12.syntax import InterchangeHeader

    header = InterchangeHeader("ZZ", "SYNTHRECV", "ZZ", "SYNTHSEND", "260106", "0930", 1, "T")
    started = time.perf_counter()
    written = errors = 0
    accepted = True
    with path.open("rb") as file:
        for part in x12.stream(iter(lambda: file.read(_READ_BYTES), b""), levels=levels, keep=False):
            if isinstance(part, x12.TransactionSet):
                errors += part.dropped + sum(f.severity == "error" for f in part.findings)
                accepted = accepted and part.accepted
                continue
            errors += len(part.findings) + sum(len(g.findings) for g in part.groups)
            accepted = accepted and part.accepted
            written += len(x12.acknowledgement(part, header, 1))
    seconds = time.perf_counter() - started
    return Judged(accepted and written > 0, errors, seconds, written, peak_megabytes())


def sums(path: Path) -> Judged:
    """The same as far as sums: without situations and code lists, of which pyx12 knows little."""
    return ours(path, (1, 2, 3))


def pyx12(path: Path) -> Judged:
    """What its command line `x12valid` does with a file."""
    import pyx12.params  # pyright: ignore[reportMissingTypeStubs]
    import pyx12.x12n_document  # pyright: ignore[reportMissingTypeStubs]

    # Its 999 for an 835 breaks off with an error in its log.
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="ascii") as answer:
        accepted = pyx12.x12n_document.x12n_document(
            param=pyx12.params.params(), src_file=str(path), fd_997=answer, fd_html=None
        )
        written = answer.tell()
    return Judged(bool(accepted), -1, time.perf_counter() - started, written, peak_megabytes())


if __name__ == "__main__":
    judge = {"ours": ours, "sums": sums, "pyx12": pyx12}[sys.argv[1]]
    print(msgspec.json.encode(judge(Path(sys.argv[2]))).decode())

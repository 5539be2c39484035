"""Full validation of one file, in a process of its own: `python -m tests.bench.validation ours|pyx12 FILE`.

Both read the file from disk, judge it against the guide, and write the acknowledgement; ours checks the amounts too.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.bench.processes import peak_megabytes

__all__ = ["Judged", "ours", "pyx12"]

_READ_BYTES = 1 << 16


class Judged(msgspec.Struct):
    """What came of judging a file. `errors` is how many were found, -1 where the library does not count them."""

    accepted: bool
    errors: int
    seconds: float
    acknowledgement_bytes: int
    peak_megabytes: float


def ours(path: Path) -> Judged:
    """Read with findings, balancing, and TA1 and 999."""
    import x12
    from x12.balancing import balance_835, balance_837
    from x12.syntax import InterchangeHeader

    balance = {"835": balance_835, "837": balance_837}
    header = InterchangeHeader("ZZ", "SYNTHRECV", "ZZ", "SYNTHSEND", "260106", "0930", 1, "T")
    started = time.perf_counter()
    written = errors = 0
    with path.open("rb") as file:
        received = x12.read(iter(lambda: file.read(_READ_BYTES), b""))
    for interchange in received:
        errors += len(interchange.findings) + sum(len(g.findings) for g in interchange.groups)
        for judged in interchange.sets:
            if judged.set_id in balance:
                judged.findings += balance[judged.set_id](judged.tree())
            errors += sum(f.severity == "error" for f in judged.findings)
        written += len(x12.acknowledgement(interchange, header, 1))
    seconds = time.perf_counter() - started
    accepted = bool(received) and all(i.accepted and all(s.accepted for s in i.sets) for i in received)
    return Judged(accepted, errors, seconds, written, peak_megabytes())


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
    judge = {"ours": ours, "pyx12": pyx12}[sys.argv[1]]
    print(msgspec.json.encode(judge(Path(sys.argv[2]))).decode())

"""All benches: `python -m tests.bench [--quick]`. Exits with 1 when a bar is missed or two do not do the same work.

Absolute figures belong to the machine of the run; the ratios are what is compared with the bars.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec

from tests import synthetic
from tests.bench import files, jobs, lanes, ledger, queued, roads, scale, service, shared_jobs
from tests.bench.processes import result_of
from tests.bench.validation import Judged
from tests.engines import Server, postgresql_missing

__all__ = ["Effort", "Row", "all_rows", "ledger_rows", "postgresql_rows", "roads_rows", "scale_rows", "validation_rows"]

# Times as many segments a second as pyx12, at levels 1 to 5 and at 1 to 3; with an error in each claim; and the 271 as the prototype of a walk does the 837P.
VALIDATION_BARS = {"835": 40.0, "837P": 40.0, "277CA": 60.0}
SUMS_BAR = 25.0
WRONG_BAR = 20.0
_SYNC_TIMES = 40
_ADDED_MILLISECONDS = 15.0
_TOGETHER, _PAYER_SECONDS = 100, 2.0


class Effort(msgspec.Struct, frozen=True):
    """How much is done. `share` is that of the files' full number of claims."""

    share: float = 1.0
    repeats: int = 3
    rounds: int = 3
    seconds: float = 3.0
    connections: int = 32
    # Bars are for the full effort: with little work the fixed costs of starting are most of it.
    judged: bool = True


FULL = Effort()
QUICK = Effort(share=0.01, repeats=1, rounds=1, seconds=1.0, connections=4, judged=False)


class Row(msgspec.Struct):
    """One line of the table: ours, the peer's, and the bar for ours divided by the peer's, where there is one."""

    what: str
    ours: float
    peer: float
    unit: str
    bar: float | None = None
    # Where the peer is a limit, ours divided by it is to be no more than one.
    limit: bool = False
    # Why the two did not do the same work.
    fault: str | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else 0.0

    @property
    def good(self) -> bool:
        if self.limit and self.bar is not None and self.ratio > self.bar:
            return False
        return self.fault is None and (self.bar is None or self.limit or self.ratio >= self.bar)

    def text(self) -> str:
        verdict = (
            ""
            if self.bar is None
            else f"{'<=' if self.limit else '>='} {self.bar:g}".ljust(9) + ("PASS" if self.good else "BELOW")
        )
        line = f"{self.what:<44}{_number(self.ours):>10}{_number(self.peer):>10} {self.unit:<11}{self.ratio:>8.3g}  {verdict}"
        return line.rstrip() + (f"\n    {self.fault}" if self.fault else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def validation_rows(folder: Path, effort: Effort, *, wrong: bool = False) -> Iterator[Row]:
    """Full validation against pyx12: the same file, each time in a new process; ours the median of `repeats`."""
    made = result_of("files", str(folder), str(effort.share), *(["wrong"] if wrong else []))
    bars = dict.fromkeys(made, WRONG_BAR) if wrong else VALIDATION_BARS
    for name, (claims, segments) in made.items():
        path = str(folder / f"{name}.x12")
        # Half of ours before and half after, so that a machine that slows down does so for both.
        runs = [_judged("ours", path) for _ in range((effort.repeats + 1) // 2)]
        theirs = _judged("pyx12", path)
        runs += [_judged("ours", path) for _ in range(effort.repeats // 2)]
        ours = median(segments / run.seconds for run in runs)
        same = all(run.accepted is theirs.accepted for run in runs)
        yield Row(
            f"{name}, {claims:,} claims, {segments:,} segments",
            ours,
            segments / theirs.seconds,
            "segments/s",
            bars.get(name) if effort.judged else None,
            fault=None if same else "one accepts the file, the other does not",
        )
        yield Row("  peak memory", max(run.peak_megabytes for run in runs), theirs.peak_megabytes, "MB")
        if not wrong:
            bar = SUMS_BAR if effort.judged else None
            first = _judged("sums", path)
            yield Row("  as far as sums", segments / first.seconds, segments / theirs.seconds, "segments/s", bar)


def _judged(who: str, path: str) -> Judged:
    return msgspec.convert(result_of("validation", who, path), Judged)


def scale_rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """Start, one document, memory, growth, many interchanges, and the peers that do part of it."""
    bar = 1.0 if effort.judged else None
    one, small, large = (folder / f"{name}.x12" for name in ("one", "small", "large"))
    one.write_text(synthetic.claims_837p(1), "ascii")
    cold, warm = _cold(one), _measured("warm", one)
    yield Row("Import and first document", cold.seconds * 1000, 150.0, "ms", bar, limit=True)
    yield Row("One claim, warm", warm.seconds * 1000, 0.5, "ms", bar, limit=True)
    claims = max(20, round(10_000 * effort.share))
    for name, make in (("835", synthetic.remittance_835), ("271", synthetic.responses_271)):
        small.write_text(make(claims), "ascii")
        large.write_text(make(2 * claims), "ascii")
        half, whole = _measured("passed", small), _measured("passed", large)
        yield Row(f"{name}, twice as long: seconds", whole.seconds, 2.2 * half.seconds, "s", bar, limit=True)
    text = synthetic.responses_271(1)
    with large.open("w", encoding="ascii") as file:
        file.writelines(text.replace("000000001", f"{n:09d}") for n in range(1, claims + 1))
    many = _measured("passed", large)
    yield Row(
        f"{claims:,} interchanges: seconds a segment, 271",
        many.seconds / many.count,
        2.2 * half.seconds / half.count,
        "s",
        bar,
        limit=True,
    )
    _repeat(synthetic.remittance_835(claims), large, round(200e6 * effort.share))
    yield Row(
        f"One set of {large.stat().st_size / 1e6:,.0f} MB: peak memory",
        _measured("passed", large).megabytes,
        80.0,
        "MB",
        bar,
        limit=True,
    )
    yield from _peer_rows(folder, claims, effort)


def _peer_rows(folder: Path, claims: int, effort: Effort) -> Iterator[Row]:
    """The prototype of a compiled walk, and oxedi, where they are here."""
    remittance, responses, professional = (folder / f"{name}.x12" for name in ("835", "271", "837P"))
    remittance.write_text(synthetic.remittance_835(claims), "ascii")
    responses.write_text(synthetic.responses_271(claims), "ascii")
    professional.write_text(synthetic.claims_837p(max(10, claims // 2)), "ascii")
    if scale.prototype_path() is None:
        print("CLAIMWIRE_CORPUS has no ../bench/prototype_walker.py: the row against the prototype is left out")
    else:
        ours, peer = _measured("passed", responses), _measured("prototype", professional)
        bar = 0.8 if effort.judged else None
        yield Row(
            "271 against the prototype's 837P", ours.count / ours.seconds, peer.count / peer.seconds, "segments/s", bar
        )
    if importlib.util.find_spec("oxedi") is None:
        print("oxedi is not installed: the row against it is left out")
    else:
        ours, peer = _measured("typed", remittance), _measured("oxedi", remittance)
        bar = 0.35 if effort.judged else None
        yield Row("Typed 835 against oxedi", ours.count / ours.seconds, peer.count / peer.seconds, "claims/s", bar)


def _repeat(text: str, path: Path, size: int) -> None:
    """A file whose one transaction set is as long as that: the claims of a remittance again and again, its SE01 made right."""
    segments = text.rstrip("~").split("~")
    start = next(i for i, s in enumerate(segments) if s.startswith("CLP*"))
    body, head = segments[start:-3], segments[:start]
    times = max(1, size // len(text))
    with path.open("w", encoding="ascii") as file:
        file.write("~".join(head) + "~")
        for _ in range(times):
            file.write("~".join(body) + "~")
        file.write(f"SE*{len(head) - 2 + times * len(body) + 1}*0001~" + "~".join(segments[-2:]) + "~")


def _measured(kind: str, path: Path) -> scale.Measured:
    return msgspec.convert(result_of("scale", kind, str(path)), scale.Measured)


def _cold(path: Path) -> scale.Measured:
    """The middle of five runs after a first one, which sees to the bytecode."""
    runs = [_measured("cold", path) for _ in range(6)]
    return sorted(runs[1:], key=lambda run: run.seconds)[2]


_TITLES = {"eligibility": "Eligibility, JSON to 271 and back", "claim": "Claims accepted, durable when answered"}


def service_rows(effort: Effort) -> Iterator[Row]:
    """The gateway against a bare proxy and a bare echo: throughput, latency, memory."""
    for bench in service.BENCHES:
        done = service.measure(bench, effort.rounds, effort.seconds, effort.connections)
        ours, peer = done.ours, done.peer
        kept = done.kept == done.told
        fault = None if kept else f"{done.told} were answered with 200, {done.kept} are in the ledger"
        yield Row(
            _TITLES[bench.kind],
            ours.per_second,
            peer.per_second,
            "per second",
            bench.bar if effort.judged else None,
            fault=fault,
        )
        yield Row("  latency p50", ours.p50_milliseconds, peer.p50_milliseconds, "ms")
        yield Row("  latency p99", ours.p99_milliseconds, peer.p99_milliseconds, "ms")
        yield Row("  peak memory", done.ours_megabytes, done.peer_megabytes, "MB")
        if bench.kind == "eligibility":
            yield from _waiting_rows(bench, ours.per_second, effort)


def _waiting_rows(bench: service.Bench, per_second: float, effort: Effort) -> Iterator[Row]:
    """What a call waits for: at half the load that the gateway can bear, and at a slow payer."""
    bar = 1.0 if effort.judged else None
    ours, peer = service.added(bench, per_second / 2, effort.seconds, effort.connections)
    late = ours.p99_milliseconds - peer.p99_milliseconds
    yield Row("  latency p99 added, half the load", late, _ADDED_MILLISECONDS, "ms", bar, limit=True)
    took = service.together(bench, _TOGETHER, _PAYER_SECONDS)
    yield Row(f"  {_TOGETHER} at once, the payer takes {_PAYER_SECONDS:g} s", took, 3.0, "s", bar, limit=True)


def roads_rows(effort: Effort) -> Iterator[Row]:
    """Transports against the libraries that they are made of."""
    ours, peer = roads.core(effort.rounds, effort.seconds)
    yield Row(
        "CORE SOAP, a question and its answer", ours, peer, "per second", roads.CORE_BAR if effort.judged else None
    )
    claims = next(f for f in files.FILES if f.name == "837P")
    batch = claims.make(max(1, round(5_000 * effort.share)), False).encode()
    ours, peer = roads.sftp(batch, 2 * effort.rounds)
    yield Row("SFTP, a batch of 5,000 claims", ours, peer, "per second", roads.SFTP_BAR if effort.judged else None)
    ours, peer = lanes.isolation(effort.rounds, effort.seconds)
    bar = lanes.ISOLATION_BAR if effort.judged else None
    yield Row("checks beside a dead and a slow payer, against alone", ours, peer, "per second", bar)


def ledger_rows(effort: Effort) -> Iterator[Row]:
    """The same claims beside few others and beside many."""
    few, many = (ledger.FEW, ledger.MANY) if effort.judged else (200, 2_000)
    pairs = [(ledger.sized(few), ledger.sized(many)) for _ in range(effort.rounds)]
    small, large = (ledger.middle([pair[n] for pair in pairs]) for n in (0, 1))
    bar = ledger.GROWTH_BAR if effort.judged else None
    beside = f"beside {many:,} claims, against beside {few:,}"
    yield Row(f"a 999 applied, {beside}", large.acknowledged, small.acknowledged, "us a claim", bar, limit=True)
    yield Row(f"follow-up, {beside}", large.followed_up, small.followed_up, "us a claim", bar, limit=True)
    bar = 1.0 if effort.judged else None
    yield Row("memory of both above the ledger's", large.megabytes, ledger.MEMORY_BAR, "MB", bar, limit=True)
    yield from _queued_rows(effort)


def _queued_rows(effort: Effort) -> Iterator[Row]:
    """Much that waits: a sweep, a start, and the queue itself."""
    open_claims, due = round(ledger.MANY * effort.share), round(50_000 * effort.share)
    bar = 1.0 if effort.judged else None
    small, large = queued.swept(open_claims // 10, due // 10), queued.swept(open_claims, due)
    what = f"a sweep, {due:,} due of {open_claims:,}"
    each = (10 * small.seconds / due * 1e6, large.seconds / due * 1e6)
    growth = ledger.GROWTH_BAR if effort.judged else None
    yield Row(f"{what}, against a tenth of both", each[1], each[0], "us a claim", growth, limit=True)
    yield Row("  its memory above the ledger's", large.megabytes, queued.SWEEP_MEGABYTES, "MB", bar, limit=True)
    claims = round(100_000 * effort.share)
    took = queued.started(claims).seconds
    yield Row(f"from start to sending, {claims:,} queued", took, queued.START_BAR_SECONDS, "s", bar, limit=True)
    pairs = [jobs.compared(round(20_000 * effort.share)) for _ in range(effort.rounds)]
    ours, peer = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    bar = jobs.JOBS_BAR if effort.judged else None
    yield Row("jobs, against bare apsw in as many commits", ours, peer, "per second", bar)


def postgresql_rows(effort: Effort) -> Iterator[Row]:
    """The queue against the better of two others, each of which is told; then claims with one, two and four processes."""
    if why := postgresql_missing():
        print(f"{why}: the rows of PostgreSQL are left out")
        return
    # It syncs: what a commit costs is what groups of them save.
    server = Server(fsync="on")
    try:
        number = round(4_000 * effort.share)
        rounds = [
            {queue: shared_jobs.jobs(server, queue, number) for queue in ("ours", *shared_jobs.PEERS)}
            for _ in range(effort.rounds)
        ]
        rates = {queue: median([each[queue] for each in rounds]) for queue in rounds[0]}
        best = max(shared_jobs.PEERS, key=lambda peer: rates[peer])
        for peer in shared_jobs.PEERS:
            bar = shared_jobs.JOBS_BAR if effort.judged and peer == best else None
            yield Row(f"jobs, against {peer}", rates["ours"], rates[peer], "per second", bar)
        alone = service.nodes(server.fresh(), 1, effort.seconds, effort.connections)
        for number in (2, 4):
            more = service.nodes(server.fresh(), number, effort.seconds, effort.connections)
            fault = (
                None if more.told == more.kept else f"{more.told} were answered with 200, {more.kept} are in the ledger"
            )
            what = f"claims taken by {number} processes, against one"
            yield Row(what, more.per_second, alone.per_second, "per second", fault=fault)
    finally:
        server.remove()


def all_rows(effort: Effort) -> Iterator[tuple[str, Iterator[Row]]]:
    """Each bench with its title."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as folder:
        yield "Full validation, ours against pyx12's command line", validation_rows(Path(folder), effort)
        yield "The same with an error in each claim", validation_rows(Path(folder), effort, wrong=True)
        yield "One document, large files, other work: ours against a peer or a limit", scale_rows(Path(folder), effort)
    title = (
        f"Gateway, {effort.connections} connections, ours against a bare aiohttp proxy (eligibility) or echo (claims)"
    )
    yield title, service_rows(effort)
    yield "Roads, ours against bare aiohttp (CORE) and bare asyncssh (SFTP)", roads_rows(effort)
    yield "The ledger: as quick when it is full", ledger_rows(effort)
    yield "PostgreSQL: the queue against others, and more nodes", postgresql_rows(effort)


def sync_milliseconds() -> float:
    """How long a written page takes to be on disk where the gateway's data will be: 0 means that nothing is durable there."""
    times: list[float] = []
    with tempfile.TemporaryFile(prefix="claimwire-bench-", buffering=0) as file:
        for _ in range(_SYNC_TIMES):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return median(times) * 1000


def main() -> int:
    """Print the table; 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Claimwire against its peers.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: do the benches run and count right?")
    effort = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as bytecode:
        # As where Claimwire, and its peers, are installed: what Python compiled is kept, whatever the environment says.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        return _print_all(effort)


def _print_all(effort: Effort) -> int:
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}; a sync takes ", end="")
    print(f"{sync_milliseconds():.2f} ms. Take the ratios, not the absolute figures.")
    good = True
    for title, rows in all_rows(effort):
        print(f"\n{title}\n{'':<44}{'ours':>10}{'peer':>10} {'':<11}{'ratio':>8}  bar", flush=True)
        for row in rows:
            print(row.text(), flush=True)
            good = good and row.good
    if effort.judged or not good:
        print("\n" + ("Every bar is met." if good else "Not every bar is met."))
    else:
        print("\nThe benches run and count right. Bars are judged without --quick.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

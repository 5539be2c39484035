"""The gateway under load, against the least that any service in its place does. Everything runs in processes of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

import msgspec

from gateway.judges import count_for
from tests.bench.load import Load
from tests.bench.processes import Server, result_of, server

__all__ = ["BENCHES", "Bench", "NodesLoad", "Rounds", "added", "measure", "nodes", "together"]

_NETWORK = "/change/medicalnetwork"
_GATEWAY = "from gateway.cli import main; main()"
_START_SECONDS = 30.0
# What a further node must have of the first.
_KEYS = ("master.key", "sandbox.key")


class Bench(msgspec.Struct, frozen=True):
    """One load: what is sent where, and which bare server stands against the gateway. `state` is the one in which the
    ledger must show what was answered with 200; None where several are right.
    """

    kind: str
    path: str
    peer: str
    bar: float
    state: str | None


BENCHES = (
    Bench("eligibility", f"{_NETWORK}/eligibility/v3", "proxy", 0.35, "answered"),
    Bench("claim", f"{_NETWORK}/professionalclaims/v3/submission", "echo", 0.25, None),
)


class Rounds(msgspec.Struct):
    """What all rounds of a bench came to: the round with the median ratio, the most memory of any."""

    bench: Bench
    ours: Load
    peer: Load
    ours_megabytes: float
    peer_megabytes: float
    # 200s told to callers, and transactions in the ledgers.
    told: int
    kept: int


class NodesLoad(msgspec.Struct):
    """What nodes took of claims a second; `told` were answered with 200, `kept` are in the ledger."""

    per_second: float
    told: int
    kept: int


def measure(bench: Bench, rounds: int, seconds: float, connections: int) -> Rounds:
    """Peer and gateway in turn, each round with processes and a data folder that are new."""
    loads: list[tuple[Load, Load]] = []
    megabytes: list[tuple[float, float]] = []
    kept = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
            folder = Path(name)
            with server(["-m", "tests.bench.servers", "upstream"], folder) as payer:
                arguments = [payer.url] if bench.peer == "proxy" else []
                with server(["-m", "tests.bench.servers", bench.peer, *arguments], folder) as peer:
                    theirs = _load(bench, peer.url, connections, seconds, "none")
                    peer_megabytes = peer.peak_megabytes
                with _gateway(payer.url, folder, folder / "data") as (up, key):
                    ours = _load(bench, up.url, connections, seconds, key)
                    kept += _kept(bench, up.url)
                    megabytes.append((up.peak_megabytes, peer_megabytes))
                loads.append((ours, theirs))
    told = sum(ours.answers.get("200", 0) for ours, _ in loads)
    # The two of a round ran one after the other: a machine that was busy then was so for both.
    ordered = sorted(loads, key=lambda pair: pair[0].per_second / max(pair[1].per_second, 1e-9))
    ours, theirs = ordered[(len(ordered) - 1) // 2]
    return Rounds(bench, ours, theirs, max(m for m, _ in megabytes), max(m for _, m in megabytes), told, kept)


@contextlib.contextmanager
def _gateway(payer_url: str, folder: Path, data: Path, *more: str) -> Generator[tuple[Server, str]]:
    """Our service as an operator starts it, with `more` options, and a key for it."""
    arguments = ["-c", _GATEWAY, "serve", "--data", str(data), "--port", "0", "--sandbox-url", payer_url, *more]
    with server(arguments, folder, lines=2) as up:
        _until_judges(up.url)
        yield up, up.said[1].split()[-1]


def _until_judges(url: str) -> None:
    """Wait until the processes beside the server are there: a load measures what runs, not what starts."""
    deadline = time.monotonic() + _START_SECONDS
    while f"claimwire_judges {float(count_for(os.cpu_count()))}" not in _metrics(url):
        if time.monotonic() > deadline:
            raise RuntimeError("the judges did not start")
        time.sleep(0.1)


def added(bench: Bench, per_second: float, seconds: float, connections: int) -> tuple[Load, Load]:
    """The same number of requests a second to the gateway and to its peer: what the gateway adds to a call."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        folder = Path(name)
        with server(["-m", "tests.bench.servers", "upstream"], folder) as payer:
            with server(["-m", "tests.bench.servers", bench.peer, payer.url], folder) as peer:
                theirs = _load(bench, peer.url, connections, seconds, "none", per_second)
            with _gateway(payer.url, folder, folder / "data") as (up, key):
                return _load(bench, up.url, connections, seconds, key, per_second), theirs


def together(bench: Bench, requests: int, payer_seconds: float) -> float:
    """Seconds until all of so many requests at once are answered, where the payer takes so long for each."""
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name:
        folder = Path(name)
        with (
            server(["-m", "tests.bench.servers", "upstream", str(payer_seconds)], folder) as payer,
            _gateway(payer.url, folder, folder / "data") as (up, key),
        ):
            return _load(bench, up.url, requests, 0.0, key).seconds


def nodes(database: str, number: int, seconds: float, connections: int) -> NodesLoad:
    """Claims that so many processes of the service take a second on one database, among which the connections are dealt out."""
    bench = next(one for one in BENCHES if one.kind == "claim")
    with tempfile.TemporaryDirectory(prefix="claimwire-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        config = folder / "claimwire.toml"
        config.write_text(f'[database]\nurl = "{database}"\n', "ascii")
        payer = stack.enter_context(server(["-m", "tests.bench.servers", "upstream"], folder))
        urls: list[str] = []
        key = ""
        for data in (folder / f"node-{n}" for n in range(number)):
            if urls:
                data.mkdir()
                for file in _KEYS:
                    shutil.copy(folder / "node-0" / file, data)
            up, key = stack.enter_context(_gateway(payer.url, folder, data, "--config", str(config)))
            urls.append(up.url)
        load = _load(bench, " ".join(urls), connections, seconds, key)
        return NodesLoad(load.per_second, load.answers["200"], _kept(bench, urls[0]))


def _load(bench: Bench, url: str, connections: int, seconds: float, key: str, per_second: float = 0.0) -> Load:
    asked = (bench.kind, url, bench.path, str(connections), str(seconds), key, str(per_second))
    made = msgspec.convert(result_of("load", *asked), Load)
    if set(made.answers) != {"200"}:
        raise RuntimeError(f"{bench.kind}: not every answer was 200: {made.answers}: {made.first_refusal}")
    return made


def _kept(bench: Bench, url: str) -> int:
    """How many transactions of this kind the ledger holds, as the gateway's own metrics tell it."""
    found = re.findall(r'^claimwire_transactions\{kind="(\w+)",state="(\w+)"\} ([\d.]+)$', _metrics(url), re.MULTILINE)
    wanted = [n for kind, state, n in found if kind == bench.kind and bench.state in (None, state)]
    return sum(round(float(number)) for number in wanted)


def _metrics(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics") as response:
        return response.read().decode()

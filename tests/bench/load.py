"""Sends requests over kept connections, each sending its next one when its last is answered.

`python -m tests.bench.load KIND URL PATH CONNECTIONS SECONDS KEY [RATE]` prints a `Load` as JSON. It speaks just enough HTTP/1.1
itself, so that a bare server, not this process, is what is measured. With a RATE requests are due so many a second, and what
is late counts from when it was due; SECONDS of 0 is one request on each connection, all at once. URL may be several, with spaces
between: the connections are dealt out.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import chain, count, cycle, islice
from urllib.parse import urlsplit

import msgspec

from tests.bench.bodies import BODIES

__all__ = ["Load", "run"]

_WARM_SHARE = 0.25
_PREPARED = 4_000
_PATIENCE_SECONDS = 30.0


class Load(msgspec.Struct):
    """What came of a load. `answered` and the times are of the measured part, after the warm-up; `answers` by status are of
    the whole run.
    """

    answered: int
    seconds: float
    p50_milliseconds: float
    p99_milliseconds: float
    answers: dict[str, int]
    first_refusal: str | None = None

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds


class _Pace:
    """What all connections share: the next request, the clock, and what was answered."""

    def __init__(self, requests: Iterator[bytes], seconds: float, connections: int, rate: float = 0.0) -> None:
        self.requests = requests
        self.begun = now = time.perf_counter()
        self.measured_from = now + seconds * _WARM_SHARE
        self.until = self.measured_from + seconds if seconds else float("inf")
        # How many may still be sent, where that and not the clock ends the load.
        self.left = connections if not seconds else -1
        self.apart = 1 / rate if rate else 0.0
        self.due = now
        self.latencies: list[float] = []
        self.answers: dict[str, int] = {}
        self.first_refusal: str | None = None
        self.open = connections
        self.done = asyncio.Event()

    def answered(self, began: float, status: str, body: bytes) -> None:
        now = time.perf_counter()
        self.answers[status] = self.answers.get(status, 0) + 1
        if status != "200" and self.first_refusal is None:
            self.first_refusal = body[:500].decode("latin-1")
        if self.measured_from <= now < self.until:
            self.latencies.append(now - began)

    def turn(self) -> float:
        """When the next request is due."""
        self.due = self.due + self.apart if self.apart else time.perf_counter()
        return self.due

    def leave(self) -> None:
        self.open -= 1
        if not self.open:
            self.done.set()


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, pace: _Pace) -> None:
        self.pace = pace
        self.received = b""
        self.wanted = 0
        self.began = 0.0
        self.left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        pace = self.pace
        self.began = pace.turn()
        if self.began >= pace.until or pace.left == 0:
            self.transport.close()
            return
        pace.left -= 1
        early = self.began - time.perf_counter()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self.write)
        else:
            self.write()

    def write(self) -> None:
        self.transport.write(next(self.pace.requests))

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.wanted:
            head, end, _ = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            length = next(x for x in head.split(b"\r\n") if x[:15].lower() == b"content-length:")
            self.wanted = len(head) + 4 + int(length[15:])
        if len(self.received) >= self.wanted:
            self.pace.answered(self.began, self.received[9:12].decode(), self.received.partition(b"\r\n\r\n")[2])
            self.received, self.wanted = b"", 0
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.left:
            self.left = True
            self.pace.leave()


def _prepared(kind: str, host: str, path: str, key: str) -> Iterator[bytes]:
    """Requests without end, each its own. The first thousands are made here, before any clock runs."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n"
    made: list[bytes] = []
    for index in range(_PREPARED):
        body = BODIES[kind](index)
        made.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return chain(made, (_renumbered(made[index % _PREPARED], index) for index in count(_PREPARED)))


def _renumbered(request: bytes, index: int) -> bytes:
    """The same request for another member and claim: numbers of the same length."""
    old = index % _PREPARED
    return request.replace(b"MEM%07d" % old, b"MEM%07d" % index).replace(b"PAID-%08d" % old, b"PAID-%08d" % index)


async def run(kind: str, url: str, path: str, connections: int, seconds: float, key: str, rate: float = 0.0) -> Load:
    """Load servers for `seconds` after a warm-up of a quarter of them; 0 seconds: once on each connection."""
    addresses = [urlsplit(one).netloc for one in url.split()]
    requests = _prepared(kind, addresses[0], path, key)
    pace = _Pace(requests, seconds, connections, rate)
    loop = asyncio.get_running_loop()
    for address in islice(cycle(addresses), connections):
        host, _, port = address.rpartition(":")
        await loop.create_connection(lambda: _Connection(pace), host, int(port))
    async with asyncio.timeout(seconds * (1 + _WARM_SHARE) + _PATIENCE_SECONDS):
        await pace.done.wait()
    ordered = sorted(pace.latencies)
    middle, late = (ordered[round((len(ordered) - 1) * q)] * 1000 if ordered else 0.0 for q in (0.5, 0.99))
    took = seconds or time.perf_counter() - pace.begun
    return Load(len(ordered), took, middle, late, pace.answers, pace.first_refusal)


if __name__ == "__main__":
    _, _kind, _url, _path, _connections, _seconds, _key, *_rate = sys.argv
    _load = asyncio.run(run(_kind, _url, _path, int(_connections), float(_seconds), _key, *map(float, _rate)))
    print(msgspec.json.encode(_load).decode())

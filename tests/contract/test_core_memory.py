"""What a hostile message costs in memory, that of the XML library too, which Python does not count."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec

from adapters.transports.core import server
from tests.contract.test_core import HOSTILE, NOW, SOAP

ROOT = Path(__file__).parents[2]
_MEGABYTE = 1 << 20
# What reading may take besides the message itself and a few copies of it.
_GROWTH_MAX = 24 * _MEGABYTE


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _grown(content_type: str, body: bytes) -> int:
    """By how many bytes a process of its own has grown at most while it read a message."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        before = _peak()
        server.read_request(content_type, body, NOW)
        os.write(writer, str(_peak() - before).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 100)
    os.close(reader)
    return int(said or -1)


def main() -> None:
    """Print what each hostile message costs: name -> bytes it has, bytes that the process grew by."""
    # Read once, so that what is loaded late is not counted.
    server.read_request(SOAP, b"<a/>", NOW)
    told: dict[str, tuple[int, int]] = {}
    for name, made in HOSTILE.items():
        content_type, body = made()
        told[name] = (len(body), _grown(content_type, body))
    print(msgspec.json.encode(told).decode())


def test_a_hostile_message_is_read_in_flat_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.test_core_memory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, tuple[int, int]])
    assert set(HOSTILE) == set(told)
    assert {} == {n: grown for n, (size, grown) in told.items() if not 0 <= grown < _GROWTH_MAX + 3 * size}


if __name__ == "__main__":
    main()

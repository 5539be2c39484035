"""Starts what is measured in processes of their own, and reads the most memory that each had."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

__all__ = ["ROOT", "Server", "peak_megabytes", "result_of", "server"]

ROOT = Path(__file__).resolve().parents[2]
_LEAVE_SECONDS = 20.0


def peak_megabytes(process_id: int | str = "self") -> float:
    """The most memory a process had resident; 0 where the system does not tell it of a process that runs.

    `VmHWM` counts from exec on, where `ru_maxrss` starts with the memory of the parent that forked.
    """
    status = Path(f"/proc/{process_id}/status")
    if status.exists():
        line = next(x for x in status.read_text("ascii").splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    if process_id != "self":
        return 0.0
    # Kilobytes, on macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def result_of(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this folder to its end; the JSON that it printed last."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments[:1])} failed: {done.stderr[-2000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1])


class Server:
    """A process that listens. `said` are the lines by which it told that it does."""

    def __init__(self, process: subprocess.Popen[str], said: list[str]) -> None:
        self.process = process
        self.said = said

    @property
    def url(self) -> str:
        return next(word for word in self.said[0].split() if word.startswith("http://"))

    @property
    def peak_megabytes(self) -> float:
        """That of the process and of the processes that it started and that still run."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        started = children.read_text("ascii").split() if children.exists() else []
        return sum(peak_megabytes(int(number)) for number in (self.process.pid, *started))


@contextlib.contextmanager
def server(arguments: Sequence[str], folder: Path, lines: int = 1) -> Generator[Server]:
    """A Python process that prints `lines` lines once it listens; ended with the context. Its errors go to `folder`."""
    errors = folder / "stderr.txt"
    with errors.open("a") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            said = [_line(process.stdout, errors) for _ in range(lines)]
            yield Server(process, said)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LEAVE_SECONDS)
            process.kill()
            process.communicate()


def _line(stream: IO[str], errors: Path) -> str:
    line = stream.readline()
    if not line:
        raise RuntimeError(f"a server did not start: {errors.read_text()[-2000:]}")
    return line

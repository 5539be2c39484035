"""Processes that write and read X12 beside the one that serves, so that callers do not wait for one core alone.

What is asked of them is a function of ours and its arguments; they hold no state, no database and no socket. One that ends,
however it ends, is replaced, and what it was asked is done here instead: without any of them everything works, only slower.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from gateway import code_files
from gateway.claim_kinds import CLAIM_KINDS
from observability import log
from x12 import guides
from x12.documents.binding import plan_of
from x12.documents.claim_status import ClaimStatusRequest, ClaimStatusResponse
from x12.documents.eligibility import EligibilityResponse
from x12.documents.eligibility_request import EligibilityRequest
from x12.syntax import CANONICAL, STANDARD
from x12.walk import compiled

__all__ = ["Judges", "count_for", "make_ready"]

T = TypeVar("T")
_LOG = log.get("gateway.judges")
_LENGTH = 4
_READ_BYTES = 1 << 16
_TOLD_TOGETHER = 4
_MOST = 4
_AGAIN_SECONDS = 1.0
# Requests leave no cycles behind: to look for some after every 700 objects costs more than it finds.
_COLLECTED_AFTER = (5_000, 20, 20)
_CHILD = "import sys; from gateway.judges import judge; judge(*sys.argv[1:])"


def count_for(cores: int | None) -> int:
    """How many judges a machine with so many cores has: one core is the server's."""
    return max(0, min(_MOST, (cores or 1) - 1))


def make_ready() -> None:
    """Do once, before anybody waits for it, what would else be done as it is needed: compile guides, plan documents."""
    claims = [kind.type for kind in CLAIM_KINDS.values()]
    for kind in (*claims, EligibilityRequest, EligibilityResponse, ClaimStatusRequest, ClaimStatusResponse):
        plan_of(kind)
    for key in guides.available():
        if key[0].startswith("005010"):
            compiled(guides.load(*key), CANONICAL)
            compiled(guides.load(*key), STANDARD)
    gc.collect()
    # The guides stay for as long as the process does: the garbage collector need not look at them again and again.
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


class _Gone(Exception):
    """The process has ended, or the work failed in it."""


class _Judge(asyncio.SubprocessProtocol):
    """One process, and what it was asked and has not answered yet, in order."""

    def __init__(self) -> None:
        self.asked: deque[asyncio.Future[Any]] = deque()
        self.ready = False
        self.ended = asyncio.get_running_loop().create_future()
        self._pipe: asyncio.WriteTransport | None = None
        self._heard = bytearray()
        self._unsaid: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        pipe = transport.get_pipe_transport(0)
        assert isinstance(pipe, asyncio.WriteTransport)
        self._pipe = pipe

    def ask(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self.asked.append(answer)
        if not self._unsaid:
            loop.call_soon(self._say)
        self._unsaid.append(_framed((work, arguments)))
        return answer

    def _say(self) -> None:
        """One write for whatever was asked in one turn of the loop."""
        assert self._pipe is not None
        self._pipe.write(b"".join(self._unsaid))
        self._unsaid.clear()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand its answers to whoever asked."""
        self._heard += data
        for good, answer in _unframed(self._heard):
            if not self.ready:
                self.ready = True
                continue
            asked = self.asked.popleft()
            if not asked.done():
                asked.set_result(answer) if good else asked.set_exception(_Gone())

    def process_exited(self) -> None:
        self.ready = False
        for asked in self.asked:
            if not asked.done():
                asked.set_exception(_Gone())
        if not self.ended.done():
            self.ended.set_result(None)


class Judges:
    """Some processes; none until `start`. They judge by the code lists of the folder, as the server does."""

    def __init__(self, codes: Path | None = None) -> None:
        self._arguments = [str(codes)] if codes is not None else []
        self._judges: list[_Judge] = []
        self._keepers: list[asyncio.Task[None]] = []

    def start(self, count: int) -> None:
        """Begin so many; they are used as soon as they are ready."""
        self._keepers += [asyncio.create_task(self._keep(), name="judge") for _ in range(count)]

    @property
    def ready(self) -> int:
        """How many can be asked now."""
        return sum(judge.ready for judge in self._judges)

    async def call(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a function of a module gives for picklable arguments; it must be pure, for it may be done twice."""
        ready = [judge for judge in self._judges if judge.ready]
        if ready:
            judge = min(ready, key=lambda j: len(j.asked))
            with suppress(_Gone):
                return await judge.ask(work, arguments)
        return work(*arguments)

    async def close(self) -> None:
        """End them all."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()

    async def _keep(self) -> None:
        """One place: a process in it, and another one when it has ended."""
        while True:
            transport, judge = await asyncio.get_running_loop().subprocess_exec(
                _Judge, sys.executable, "-c", _CHILD, *self._arguments, stderr=None
            )
            self._judges.append(judge)
            try:
                await asyncio.shield(judge.ended)
            finally:
                self._judges.remove(judge)
                judge.ready = False
                # Closing a transport kills a process that has not ended.
                transport.close()
                await judge.ended
            _LOG.warning("judge ended", status=transport.get_returncode())
            await asyncio.sleep(_AGAIN_SECONDS)


def _framed(content: object) -> bytes:
    told = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(told).to_bytes(_LENGTH, "big") + told


def _unframed(heard: bytearray) -> Iterator[Any]:
    """What was heard in whole, taken off the front of what was heard."""
    while len(heard) >= _LENGTH and len(heard) >= (end := _LENGTH + int.from_bytes(heard[:_LENGTH], "big")):
        told = bytes(heard[_LENGTH:end])
        del heard[:end]
        yield pickle.loads(told)  # noqa: S301 - from a process of our own


def judge(codes: str = "") -> None:
    """What the process does: answer until nobody asks any more. Signals are for the server, which then lets go of us."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever prints must not get between the answers.
    os.dup2(2, 1)
    importlib.import_module("gateway.service")
    if codes:
        code_files.use(Path(codes))
    make_ready()
    answers.write(_framed((True, None)))
    answers.flush()
    heard = bytearray()
    while received := os.read(0, _READ_BYTES):
        heard += received
        for told, (work, arguments) in enumerate(_unframed(heard), 1):
            try:
                answer = (True, work(*arguments))
            except Exception as error:
                answer = (False, type(error).__name__)
            answers.write(_framed(answer))
            # What was asked together is answered together, so that the server is woken, and commits, for several at once.
            if told % _TOLD_TOGETHER == 0:
                answers.flush()
        answers.flush()

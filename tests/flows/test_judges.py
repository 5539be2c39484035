"""Processes beside the server: they change who does the work, never what comes of it."""

from __future__ import annotations

import asyncio
import math
import operator
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import code_files
from gateway.judges import Judges, count_for
from tests.flows.service import (
    NETWORK,
    PATIENCE_SECONDS,
    Client,
    Process,
    claim_body,
    eligibility_body,
    free_port,
    in_process,
)


@asynccontextmanager
async def judges(count: int, codes: Path | None = None) -> AsyncGenerator[Judges]:
    """So many judges that can be asked."""
    made = Judges(codes)
    made.start(count)
    try:
        await ready(made, count)
        yield made
    finally:
        await made.close()


async def test_a_judge_judges_by_the_code_lists_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "cdt.codes").write_text("D0120  evaluation\n", "utf-8")
    async with judges(1, tmp_path) as made:
        asked = [await made.call(_known, code) for code in ("D0120", "D9999")]
    assert [None, "unknown"] == asked
    assert None is _known("D9999")


def _known(code: str) -> str | None:
    return code_files.current().check("cdt", code)


async def eventually(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def ready(made: Judges, count: int) -> None:
    """Wait until so many can be asked."""
    await eventually(lambda: made.ready == count)


async def ready_in(client: Client, count: int) -> None:
    """Wait until the service says that so many can be asked."""

    async def told() -> bool:
        return f"claimwire_judges {float(count)}" in (await client.get("/metrics")).body.decode()

    await eventually(told)


def children(process_id: int) -> list[int]:
    """The processes that one started and that still run."""
    found = Path(f"/proc/{process_id}/task/{process_id}/children")
    if not found.exists():
        pytest.skip("this system does not tell a process's children")
    return [int(number) for number in found.read_text("ascii").split()]


def stable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one request to the next: ids, times, control numbers."""
    left_out = {"id", "meta", "controlNumber", "claimReference", "subscriberTraceNumbers", "x12"}
    return {k: v for k, v in answer.items() if k not in left_out}


@pytest.mark.one_engine
def test_one_core_is_the_servers() -> None:
    assert [0, 0, 1, 3, 4] == [count_for(n) for n in (None, 1, 2, 4, 64)]


@pytest.mark.one_engine
async def test_without_judges_the_work_is_done_here() -> None:
    made = Judges()
    assert 0 == made.ready
    assert 12 == await made.call(operator.mul, 3, 4)
    await made.close()


@pytest.mark.one_engine
async def test_each_caller_gets_the_answer_to_its_own_question() -> None:
    async with judges(2) as made:
        asked = [made.call(math.factorial, n) for n in range(200)]
        assert [math.factorial(n) for n in range(200)] == await asyncio.gather(*asked)


@pytest.mark.one_engine
async def test_the_work_is_done_in_another_process() -> None:
    async with judges(1) as made:
        assert os.getpid() != await made.call(os.getpid)


@pytest.mark.one_engine
async def test_an_error_of_the_work_is_the_callers_and_the_judge_goes_on() -> None:
    async with judges(1) as made:
        with pytest.raises(ValueError, match="math domain"):
            await made.call(math.sqrt, -1)
        assert 1 == made.ready
        assert os.getpid() != await made.call(os.getpid)


@pytest.mark.one_engine
async def test_what_a_judge_was_asked_when_it_ended_is_done_here_and_it_is_replaced() -> None:
    async with judges(1) as made:
        first = await made.call(os.getpid)
        # It ends in the middle of this one, which is pure enough to be done again here, where it ends nobody.
        ended = made.call(end_if, os.getpid())
        behind = made.call(os.getpid)
        assert ["here", os.getpid()] == list(await asyncio.gather(ended, behind))
        await ready(made, 1)
        assert await made.call(os.getpid) not in (first, os.getpid())


def end_if(spared: int) -> str:
    """Kill the process that runs this, but for one."""
    if os.getpid() != spared:
        os.kill(os.getpid(), signal.SIGKILL)
    return "here"


@pytest.mark.one_engine
async def test_a_caller_that_gives_up_moves_nobody_elses_answer() -> None:
    async with judges(1) as made:
        given_up = asyncio.create_task(made.call(math.factorial, 20_000))
        await asyncio.sleep(0)
        given_up.cancel()
        assert 24 == await made.call(math.factorial, 4)


async def test_answers_are_the_same_with_judges_and_without(tmp_path: Path) -> None:
    bodies = [
        (f"{NETWORK}/eligibility/v3", eligibility_body()),
        (f"{NETWORK}/eligibility/v3", eligibility_body(dateOfBirth="19801399")),
        (f"{NETWORK}/professionalclaims/v3/submission", claim_body("PAID-1")),
        (f"{NETWORK}/professionalclaims/v3/submission", claim_body("PAID-2", charge="much")),
    ]
    answers: list[list[tuple[int, dict[str, Any]]]] = []
    for count in (0, 1):
        async with in_process(tmp_path / str(count)) as (client, up):
            up.runtime.judges.start(count)
            await ready(up.runtime.judges, count)
            replies = [await client.post(path, body) for path, body in bodies]
            answers.append([(r.status, stable(r.json)) for r in replies])
    assert [200, 400, 200, 400] == [status for status, _ in answers[0]]
    assert answers[0] == answers[1]


@pytest.mark.one_engine
async def test_judges_may_be_killed_while_claims_come_and_end_with_their_server(tmp_path: Path) -> None:
    config, url, data = tmp_path / "claimwire.toml", f"http://127.0.0.1:{(port := free_port())}", tmp_path / "data"
    config.write_text(f'port = {port}\ndata = "data"\njudges = 2\n')
    process = Process(["serve", "--config", str(config), "--sandbox"], tmp_path / "log")
    await process.start()
    client = await process.ready(url, data)
    try:
        await ready_in(client, 2)
        first = children(process.process_id)
        claims = [asyncio.create_task(client.submit(claim_body(f"PAID-{n}"))) for n in range(40)]
        await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
        for number in first:
            os.kill(number, signal.SIGKILL)
        assert 40 == len(set(await asyncio.gather(*claims)))
        await ready_in(client, 2)
        second = children(process.process_id)
        assert 2 == len(second)
        assert not set(first) & set(second)
    finally:
        await client.close()
        await process.kill()
    await eventually(lambda: not any(Path(f"/proc/{number}").exists() for number in second))

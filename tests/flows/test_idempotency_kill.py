"""kill -9 in the middle of every write: whoever repeats a request under its key gets one answer, and there is one effect."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import aiohttp
import pytest

from gateway.api import dialect, v1
from gateway.ledger.idempotency import KEEP_MICROSECONDS
from tests.flows.service import PATIENCE_SECONDS, Answer, Client, Process, free_port, in_process
from tests.flows.test_idempotency import INQUIRIES, OPERATIONS, same

_DAY = 24 * 3600 * 1_000_000


def test_keys_are_kept_for_longer_than_a_week() -> None:
    assert KEEP_MICROSECONDS >= 7 * _DAY


def test_every_operation_that_writes_is_tried_here() -> None:
    """One that takes a key is told so in the API's description, and none is left out of these tests."""
    paths = {o.path.removeprefix("/2024-04-01").removeprefix("/change") for o in OPERATIONS.values()}
    writing = [o for o in (*dialect.OPERATIONS, v1.CLOCK) if o.writes]
    tried = [o.id for o in writing if any(p in paths for p in o.paths)]
    # These two are idempotent by what they do, and have tests of their own.
    assert {"moveClock", "removeReport"} == {o.id for o in writing} - set(tried)


async def posted(client: Client, name: str, number: int) -> Answer | None:
    """One request under its key; None when the service was gone before it answered."""
    operation = OPERATIONS[name]
    try:
        return await client.post(operation.path, operation.body(number), Idempotency_Key=f"key-{number}")
    except aiohttp.ClientError:
        return None


async def answered(client: Client, name: str, number: int) -> Answer:
    """The answer under a key, asked for until it is there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await posted(client, name, number)
            if answer is not None and answer.status in (200, 422):
                return answer
            assert answer is None or answer.status in (202, 409, 503), (name, answer.status, answer.body)
            await asyncio.sleep(0.1)


async def claims_kept(client: Client) -> int:
    text = (await client.get("/metrics")).body.decode()
    return int(
        sum(float(v) for v in re.findall(r'^claimwire_transactions\{kind="claim",.*\} (\S+)$', text, re.MULTILINE))
    )


async def killed(tmp_path: Path, rounds: int, *, patient: bool) -> None:
    """Every write, so many times cut off by a kill, then repeated under its key.

    An inquiry that the payer may have is not asked again for a minute: `patient` waits for its answer too, on a clock that is moved.
    """
    config, url, data = tmp_path / "claimwire.toml", f"http://127.0.0.1:{(port := free_port())}", tmp_path / "data"
    config.write_text(f'port = {port}\ndata = "data"\njudges = 0\n')
    process = Process(["serve", "--config", str(config), "--sandbox"], tmp_path / "log")
    first: dict[tuple[str, int], Answer] = {}
    asked: list[tuple[str, int]] = []
    await process.start()
    client = await process.ready(url, data)
    try:
        for number in range(1, rounds + 1):
            mine = [(name, number) for name in OPERATIONS]
            asked += mine
            under_way = {asyncio.create_task(posted(client, *one)): one for one in mine}
            # Some have their answer by then, some are anywhere between.
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.02 * number)
            await process.kill()
            for task, one in under_way.items():
                answer = await task
                if answer is not None and answer.status == 200:
                    first[one] = answer
            await client.close()
            await process.start()
            client = await process.ready(url, data)
        if patient:
            await client.forward(0.01)
        for name, number in asked:
            if not patient and name in INQUIRIES and (name, number) not in first:
                again = await posted(client, name, number)
                assert again is not None
                assert (name, again.status) in [(name, status) for status in (200, 202, 409)]
                continue
            answer = await answered(client, name, number)
            before = first.setdefault((name, number), answer)
            assert (name, before.status, before.body) == (name, answer.status, answer.body)
            same(before, await answered(client, name, number))
        assert sum(OPERATIONS[name].claims for name, _ in asked) == await claims_kept(client)
    finally:
        await client.close()
        await process.kill()


@pytest.mark.one_engine
async def test_what_was_under_way_when_the_service_was_killed_has_one_answer_and_one_effect(tmp_path: Path) -> None:
    await killed(tmp_path, 1, patient=False)


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_after_many_kills_every_write_has_one_answer_and_one_effect(tmp_path: Path) -> None:
    await killed(tmp_path, 5, patient=True)


@pytest.mark.parametrize("days", [1, 3])
async def test_the_clock_moves_once_for_a_key(tmp_path: Path, days: int) -> None:
    async with in_process(tmp_path) as (client, up):
        before = up.runtime.world.now()
        asked = [client.post("/v1/sandbox/clock", {"days": days}, Idempotency_Key="on") for _ in range(5)]
        answers = await asyncio.gather(*asked)
        assert [200] * 5 == [a.status for a in answers]
        assert 1 == len({a.body for a in answers})
        assert days == (up.runtime.world.now() - before).days
        other = await client.post("/v1/sandbox/clock", {"days": days + 1}, Idempotency_Key="on")
        assert (422, "application/problem+json") == (other.status, other.headers["Content-Type"])
    async with in_process(tmp_path) as (client, _):
        again = await client.post("/v1/sandbox/clock", {"days": days}, Idempotency_Key="on")
        assert (200, answers[0].body, "true") == (again.status, again.body, again.headers["Idempotency-Replayed"])


async def test_an_answer_outlives_what_would_be_answered_now(tmp_path: Path) -> None:
    """A payer that is gone, a rule that is new: the request was answered, and is answered so again."""
    async with in_process(tmp_path) as (client, up):
        answers = {n: await posted(client, n, 1) for n in OPERATIONS}
        directory = up.runtime.directory
        up.runtime.directory = type(directory)([], directory.routes.values())
        try:
            for name, before in answers.items():
                assert before is not None
                same(before, await answered(client, name, 1))
        finally:
            up.runtime.directory = directory

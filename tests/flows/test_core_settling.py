"""What a payer over CORE is told of the files that it gives: a 999 or a TA1 that says what came of each, under a number of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.contract.samples import answer
from adapters.sandbox.payer import NotX12
from adapters.sandbox.payer import Payer as SandboxPayer
from adapters.sandbox.server import SandboxServer
from gateway.config import Config
from gateway.payers import Payer, Route
from gateway.serving import Running
from tests.flows.service import Client, claim_body, in_process, until_true
from x12.envelope import Interchange, read


class Hearing(SandboxPayer):
    """Remembers the acknowledgements themselves."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.heard: list[bytes] = []
        self.trouble: Exception | None = None
        self.refused = 0

    def acknowledged(self, content: bytes) -> None:
        if self.trouble is not None:
            self.refused += 1
            raise self.trouble
        super().acknowledged(content)
        self.heard.append(content)


@dataclass
class Settling:
    """A service and its payer, which is reached over CORE."""

    client: Client
    up: Running
    payer: Hearing
    server: SandboxServer
    at: Client
    names: list[str] = field(default_factory=list[str])

    async def gives(self, content: bytes) -> dict[str, int]:
        """Have the payer lay out a file; what it was told by the time it has let go of it."""
        before = await self.told()
        self.names.append(f"{len(self.names)}.835")
        await asyncio.to_thread(self.payer.offer, self.names[-1], content)
        await self.let_go()
        return {
            said: times - before.get(said, 0)
            for said, times in (await self.told()).items()
            if times != before.get(said)
        }

    async def let_go(self) -> None:
        async def is_empty() -> bool:
            self.up.runtime.wake.set()
            return not await asyncio.to_thread(self.payer.files)

        await until_true(is_empty)

    async def told(self) -> dict[str, int]:
        return (await self.at.get("/seen")).json["acknowledgements"]

    def heard(self) -> list[Interchange]:
        return [one for content in self.payer.heard for one in read(content)]


@asynccontextmanager
async def settling(folder: Path, **changes: str) -> AsyncGenerator[Settling]:
    payer = await asyncio.to_thread(Hearing, folder / "payer.db")
    server = SandboxServer(payer, "")
    await server.listen("127.0.0.1", 0)
    settings = {
        "url": f"{server.url}/core",
        "sender_id": "CLAIMWIRE",
        "receiver_id": "SANDBOX",
        "settles": "all",
        **changes,
    }
    told: dict[str, Any] = {"batch_window_seconds": 0.05, "poll_seconds": 0.2, "deadline_seconds": 10.0}
    ids = {"sender_id": "CLAIMWIRE", "receiver_id": "SANDBOX"}
    route = Route(id="core", adapter="core", usage="T", settings=settings, duplicates="none", **ids, **told)
    config = Config(routes=[route], payers=[Payer(id="OVERCORE", name="OVER CORE HEALTH PLAN", routes=["core"])])
    at = Client(server.url, None)
    try:
        async with in_process(folder / "data", config) as (client, up):
            yield Settling(client, up, payer, server, at)
    finally:
        await at.close()
        await server.close()


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_a_report_and_a_remittance_are_accepted_with_999s_that_their_guide_allows(
    tmp_path: Path, form: str
) -> None:
    async with settling(tmp_path, envelope=form) as on:
        claim = await on.client.submit(claim_body("PAID-1") | {"tradingPartnerServiceId": "OVERCORE"})

        async def is_accepted() -> bool:
            on.up.runtime.wake.set()
            return "999 A" in await on.told()

        await until_true(is_accepted)
        await on.server.forward(timedelta(days=2))
        await on.client.forward(2)

        async def is_remitted() -> bool:
            on.up.runtime.wake.set()
            return (await on.client.transaction(claim))["state"] == "remitted"

        await until_true(is_remitted)
        await on.let_go()
        assert {"999 A": 2} == await on.told()
        said = on.heard()
        # The 277CA and the 835, each by the number of its own group, in interchanges that no number is used twice in.
        assert ["HN", "HP"] == [one.sets[0].segments[1].split(one.sets[0].delimiters.element)[1] for one in said]
        carried = await on.up.runtime.database.read(
            lambda tx: tx.fetch("SELECT control_number FROM interchanges WHERE route_id = 'core'")
        )
        numbers = [one.control_number for one in said] + [f"{row[0]:09d}" for row in carried]
        assert len(numbers) == len(set(numbers)) >= 3
        assert [("CLAIMWIRE", "SANDBOX")] * 2 == [(one.sender, one.receiver) for one in said]


async def test_what_is_wrong_with_a_file_is_told_and_the_file_is_let_go_all_the_same(tmp_path: Path) -> None:
    async with settling(tmp_path) as on:
        assert {"999 A": 1} == await on.gives(answer(1))
        # An error of form in a set that is whole is noted: the file is worked on here.
        assert {"999 E": 1} == await on.gives(answer(2).replace(b"~AAA*Y**42*", b"~AAA*Q**42*"))
        cut, unknown, refused = answer(3), answer(4).replace(b"005010X279A1", b"005010X999A1"), answer(5)
        # A set that is cut off is not, nor is one of no guide that is known.
        assert {"999 R": 1} == await on.gives(cut[: cut.index(b"SE*")] + cut[cut.index(b"GE*") :])
        assert {"999 R": 1} == await on.gives(unknown)
        # Of an interchange that is refused as a whole there is nothing but a TA1.
        assert {"TA1 R": 1} == await on.gives(refused.replace(b"*00501*", b"*00401*", 1))
        # And nothing at all to what is no X12, or acknowledges itself.
        assert {} == await on.gives(b"There is nothing for you today.")
        assert {} == await on.gives(on.payer.heard[0])
        told = [one.sets[0].segments[1].split(one.sets[0].delimiters.element)[2] for one in on.heard() if one.sets]
        assert ["1", "2", "3", "4"] == told


async def test_a_payer_that_wants_none_gets_none(tmp_path: Path) -> None:
    async with settling(tmp_path, acknowledges="false") as on:
        assert {} == await on.gives(answer())


@pytest.mark.parametrize("trouble", [NotX12(), RuntimeError("it breaks over a 999")])
async def test_a_payer_that_refuses_acknowledgements_is_told_without_them_and_holds_up_nothing(
    tmp_path: Path, trouble: Exception
) -> None:
    async with settling(tmp_path) as on:
        on.payer.trouble = trouble
        assert {} == await on.gives(answer(1))
        assert {} == await on.gives(answer(2))
        assert 2 == on.payer.refused

"""Long files: a remittance of very many claims is posted once whatever dies, and no file makes the service large or silent.

CI takes a share; `CLAIMWIRE_CAMPAIGN=1` takes a remittance of 100,000 claims and a file of 200 MB.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
import pytest

from gateway.config import load
from gateway.ledger import search, transactions
from gateway.runtime import DATABASE_FILE, TENANT, Runtime
from queues.database import SQLite, Transaction
from tests import synthetic
from tests.contract.peers import SftpPeer, openssh
from tests.flows.service import NETWORK, Client, Process, eligibility_body, free_port, in_process, until_true
from tests.flows.test_seeing import sample

# Processes that keep their ledger in the data folder.
pytestmark = pytest.mark.embedded
CAMPAIGN = bool(int(os.environ.get("CLAIMWIRE_CAMPAIGN", "0")))
CLAIMS = 100_000 if CAMPAIGN else 600
FILE_BYTES = 200 << 20 if CAMPAIGN else 1 << 20
CLAIM_BYTES = (99 << 20, 200 << 20) if CAMPAIGN else (4 << 20, 101 << 20)
PEAK_BYTES_MAX = 512 << 20
# For each 10,000 claims; the machine may be busy with other tests.
PATIENCE_SECONDS = 60.0 + CLAIMS / 50
_ROUTE = """
judges = 1

[[routes]]
id = "birch"
adapter = "sftp"
usage = "T"
sender_id = "ALDERFP"
receiver_id = "BIRCHHP"
poll_seconds = 1
deadline_seconds = 120
settings = {settings}
secrets = {secrets}

[[payers]]
id = "BIRCH"
name = "BIRCH HEALTH PLAN"
routes = ["birch"]
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Generator[int, None, None]:
    with openssh(tmp_path_factory.mktemp("sshd")) as port:
        yield port


def inline(values: Mapping[str, str]) -> str:
    """A TOML table in one line."""
    return "{ " + ", ".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()) + " }"


class Node:
    """`claimwire serve` with a payer that gives its files over SFTP: killed and started again as a test likes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.peer = SftpPeer(port, folder / "payer")
        self.data = folder / "data"
        self.config = folder / "claimwire.toml"
        told = _ROUTE.format(settings=inline(self.peer.settings("127.0.0.1", port)), secrets=inline(self.peer.secrets))
        self.config.write_text(told, "utf-8")
        self.port = free_port()
        words = ["serve", "--sandbox", "--config", str(self.config), "--data", str(self.data), "--port", str(self.port)]
        self.process = Process(words, folder / "log")
        self.client: Client | None = None
        self.peak_bytes = 0

    async def start(self) -> Client:
        await self.process.start()
        self.client = await self.process.ready(f"http://127.0.0.1:{self.port}", self.data)
        return self.client

    def look(self) -> None:
        """Keep how large the process has been."""
        status = Path(f"/proc/{self.process.process_id}/status").read_text()
        (line,) = (one for one in status.splitlines() if one.startswith("VmHWM"))
        self.peak_bytes = max(self.peak_bytes, int(line.split()[1]) << 10)

    async def kill(self) -> None:
        assert self.client is not None
        self.look()
        await self.process.kill()
        await self.client.close()

    async def stop(self) -> None:
        assert self.client is not None
        self.look()
        assert 0 == await self.process.stop()
        await self.client.close()

    async def sampled(self, name: str, **labels: str) -> float:
        assert self.client is not None
        return sample((await self.client.get("/metrics")).body.decode(), name, **labels)

    async def posted(self, claims: int) -> None:
        """Wait until so many claims are remitted."""

        async def holds() -> bool:
            return await self.sampled("claimwire_transactions", kind="claim", state="remitted") >= claims

        await until_true(holds, PATIENCE_SECONDS)

    async def applied(self, state: str) -> None:
        """Wait until a file came to this."""

        async def holds() -> bool:
            return 1 == await self.sampled("claimwire_inbound_files_total", route_id="birch", state=state)

        await until_true(holds, PATIENCE_SECONDS)


@pytest.fixture
async def node(tmp_path: Path, sshd: int) -> AsyncGenerator[Node, None]:
    made = Node(tmp_path, sshd)
    yield made
    if made.process.runs:
        await made.process.kill()


@asynccontextmanager
async def asking(node: Node) -> AsyncGenerator[list[int], None]:
    """Another caller, who asks about a patient again and again; what it was answered."""
    answers: list[int] = []

    async def ask() -> None:
        client = node.client
        assert client is not None
        while True:
            answer = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body())
            answers.append(answer.status)
            await asyncio.sleep(0.1)

    asked = asyncio.create_task(ask())
    try:
        yield answers
    finally:
        asked.cancel()
        with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
            await asked


async def sent_claims(runtime: Runtime, count: int) -> None:
    """Claims that were sent to the payer, as many as a remittance pays."""

    async def some(tx: Transaction, first: int) -> None:
        now = runtime.world.micros()
        for n in range(first, min(first + 500, count)):
            claim = transactions.Transaction(
                TENANT, runtime.world.new_id(), "claim", "sent", "birch", "BIRCH", "T", now, now, sent_at=now
            )
            claim.claim_kind = "837P"
            await transactions.insert(tx, claim)
            numbers: Mapping[search.Scope, str] = {"patient_control_number": f"PCN{n:08d}"}
            await search.add(tx, runtime.vault, TENANT, claim.transaction_id, numbers)

    for first in range(0, count, 500):
        await runtime.database.write(lambda tx, first=first: some(tx, first))


async def test_f27_a_remittance_of_very_many_claims_is_posted_once_though_its_reader_dies(
    tmp_path: Path, node: Node
) -> None:
    async with in_process(node.data, load(node.config)) as (_, up):
        await sent_claims(up.runtime, CLAIMS)
    text = synthetic.remittance_835(CLAIMS)
    await node.peer.offer("advice.835", text.encode())
    for share in (0.2, 0.5, 0.8) if CAMPAIGN else (0.4,):
        await node.start()
        async with asking(node) as answers:
            await node.posted(int(CLAIMS * share))
        assert {200} == set(answers)
        await node.kill()
        assert CLAIMS > await remitted(node.data)
    client = await node.start()
    async with asking(node) as answers:
        await node.applied("applied")
    assert {200} == set(answers)
    (name,) = (await client.get(f"{NETWORK}/reports/v2")).json["reports"]
    report = await client.get(f"{NETWORK}/reports/v2/{name}/835")
    assert CLAIMS == report.body.count(b'"claimPaymentInfo"')
    await node.stop()
    assert node.peak_bytes < PEAK_BYTES_MAX
    print(f"{CLAIMS} claims, {len(text) >> 20} MB: peak {node.peak_bytes >> 20} MB")
    assert [(CLAIMS, CLAIMS, CLAIMS)] == await rows(
        node.data,
        "SELECT count(*), count(DISTINCT transaction_id), (SELECT count(*) FROM claim_payments) FROM events WHERE kind = 'remitted'",
    )
    assert [(f'{{"matched":{CLAIMS}}}',)] == await rows(node.data, "SELECT data FROM events WHERE kind = 'posted'")
    assert [] == await rows(node.data, "SELECT kind FROM work WHERE kind IN ('apply', 'post')")
    paid = sum(Decimal(line.split("*")[4]) for line in text.split("~") if line.startswith("CLP*"))
    assert Decimal(text.split("BPR*I*", 1)[1].split("*", 1)[0]) == paid


def long_remittance(path: Path, size: int) -> int:
    """A file with one balanced remittance of about so many bytes; how many claims it has. None of them is ours."""
    head, rest = synthetic.remittance_835(1_000).split("LX*1~", 1)
    claims = rest[: rest.index("SE*")]
    times = max(1, size // len(claims))
    paid = Decimal(head.split("BPR*I*", 1)[1].split("*", 1)[0])
    before, after = head.split("BPR*I*", 1)
    with path.open("w") as file:
        file.write(f"{before}BPR*I*{paid * times}*{after.split('*', 1)[1]}LX*1~")
        for _ in range(times):
            file.write(claims)
        segments = head.count("~") - 1 + claims.count("~") * times + 1
        file.write(f"SE*{segments}*0001~GE*1*1~IEA*1*000000001~")
    return 1_000 * times


async def test_f40_long_files_make_the_service_neither_large_nor_silent(tmp_path: Path, node: Node) -> None:
    claims = long_remittance(tmp_path / "long.835", FILE_BYTES)
    client = await node.start()
    node.look()
    before = node.peak_bytes
    (tmp_path / "long.835").rename(node.peer.folder / "out" / "long.835")
    async with asking(node) as answers:
        await node.applied("unmatched")
    (name,) = (await client.get(f"{NETWORK}/reports/v2")).json["reports"]
    assert claims == await counted(client, f"{NETWORK}/reports/v2/{name}/835", b'"claimPaymentInfo"')
    node.look()
    print(f"{FILE_BYTES >> 20} MB, {claims} claims: peak {node.peak_bytes >> 20} MB, {before >> 20} MB before")
    # Of the file itself there is one copy, while it is taken, and one in a part that is sealed.
    assert node.peak_bytes - before < 2 * FILE_BYTES + (64 << 20)
    async with asking(node) as more:
        await refused_claims(client)
    assert {200} == {*answers, *more}
    await node.stop()
    print(f"with claims of {CLAIM_BYTES[0] >> 20} and {CLAIM_BYTES[1] >> 20} MB: peak {node.peak_bytes >> 20} MB")
    assert node.peak_bytes < PEAK_BYTES_MAX
    told = f'{{"matched":0,"unmatched":{claims}}}'
    assert [(told,)] == await rows(node.data, "SELECT data FROM events WHERE kind = 'posted'")
    assert [(0,)] == await rows(node.data, "SELECT count(*) FROM transactions WHERE kind = 'claim'")


async def refused_claims(client: Client) -> None:
    """A file of claims as large as a body may be, with more claims than any file may have; and one that is larger."""
    path = f"{NETWORK}/professionalclaims/v3/raw-x12-submission"
    answer = await client.post(path, long_claims(CLAIM_BYTES[0]))
    assert (413, "ERROR", True) == (answer.status, answer.json["status"], b"too many claims" in answer.body)
    # Refused by its length alone: whoever goes on sending is cut off.
    with suppress(aiohttp.ClientConnectionError):
        assert 413 == (await client.post(path, long_claims(CLAIM_BYTES[1]))).status


def long_claims(size: int) -> bytes:
    """A file of about so many bytes with one set of claims, again and again the same."""
    one = synthetic.claims_837p(1_000)
    start, end = one.index("HL*1*"), one.index("SE*")
    return (one[:start] + one[start:end] * (size // (end - start)) + one[end:]).encode()


async def counted(client: Client, path: str, word: bytes) -> int:
    """How often a word stands in a long answer, which is not held as a whole."""
    found, rest = 0, b""
    async with client.session.get(path, headers={"Authorization": client.key or ""}) as response:
        assert 200 == response.status
        async for chunk in response.content.iter_chunked(1 << 20):
            found += (rest + chunk).count(word) - rest.count(word)
            rest = chunk[-len(word) + 1 :]
    return found


async def rows(data: Path, sql: str) -> list[tuple[object, ...]]:
    """What the ledger of a node that does not run says."""
    database = SQLite(data / DATABASE_FILE)
    try:
        return [tuple(row) for row in await database.read(lambda tx: tx.fetch(sql))]
    finally:
        await database.close()


async def remitted(data: Path) -> int:
    ((count,),) = await rows(data, "SELECT count(*) FROM transactions WHERE kind = 'claim' AND state = 'remitted'")
    assert isinstance(count, int)
    return count

"""How much a stranger may make the service hold, over real sockets: little without a key in the first bytes, and of a key no more than its share."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from adapters.transports.core import envelope as core
from adapters.transports.core import mime, soap
from adapters.transports.core.envelope import Envelope
from adapters.transports.core.soap import Fault, Read, Wire
from gateway import serving
from gateway.api import bodies
from gateway.api.core import PATH
from gateway.config import Config
from gateway.ledger import api_keys
from gateway.limits import NOBODY, SMALL_BYTES, Room
from gateway.runtime import TENANT
from gateway.serving import Running
from tests.flows.service import Client, in_process, until_true
from tests.flows.test_core_server import QUESTION, message, said

# No X12, so that a caller who is known is told that, when all of it was read.
pytestmark = pytest.mark.one_engine
LARGE = b"x" * 200_000
READ = "PayloadTypeIllegal"


def batch(payload: bytes) -> Envelope:
    return message("submission", payload, payload_type="X12_837_Request_005010X222A1")


class Watched(Room):
    """The room of the service under test, with the most that anybody had."""

    made: Watched
    __slots__ = ("peaks",)

    def __init__(self, at_most: int) -> None:
        super().__init__(at_most)
        self.peaks: dict[str, int] = {}
        Watched.made = self

    def take(self, caller: str, size: int, length: int) -> bool:
        taken = super().take(caller, size, length)
        self.peaks[caller] = max(self.peaks.get(caller, 0), self.held(caller))
        return taken


@asynccontextmanager
async def gateway(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bodies_bytes_max: int = 4 << 20
) -> AsyncGenerator[tuple[Client, Running, str, Watched], None]:
    monkeypatch.setattr(bodies, "Room", Watched)
    # Clients here have gone when they have their answer.
    monkeypatch.setattr(serving, "LINGER_SECONDS", 0.1)
    async with in_process(folder, Config(bodies_bytes_max=bodies_bytes_max)) as (client, up):
        assert client.key is not None
        yield client, up, client.key, Watched.made
        # Whatever happened, all room is free again.
        await until_true(lambda: is_free(Watched.made))


async def is_free(room: Watched) -> bool:
    return room.taken == 0


def written(told: Envelope, password: str | None, form: str) -> Wire:
    login = None if password is None else ("ALDERFP", password)
    return mime.write(told, login=login) if form == "mime" else soap.write(told, login=login)


def head_of(up: Running, headers: Mapping[str, str], length: int) -> bytes:
    lines = [
        f"POST {PATH} HTTP/1.1",
        "Host: x",
        f"Content-Length: {length}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join((*lines, "", "")).encode()


async def opened(up: Running, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(up.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def answered(
    up: Running, wire: Wire, length: int | None = None
) -> tuple[int, Mapping[str, str], Read | Fault | None]:
    """The answer to a message; where a length is given, to one that says it is so long, of which no more ever comes."""
    reader, writer = await opened(up, head_of(up, wire.headers, length or len(wire.body)) + wire.body)
    async with asyncio.timeout(20):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    content_type = headers["content-type"]
    if content_type.startswith("text/plain"):
        return int(lines[0].split(" ")[1]), headers, None
    reading = mime.read if content_type.startswith("multipart/form-data") else soap.read
    return int(lines[0].split(" ")[1]), headers, reading(content_type, body)


@pytest.mark.parametrize("form", ["soap", "mime"])
@pytest.mark.parametrize("password", [None, "cw_nobody_at_all"])
async def test_a_large_body_of_a_stranger_is_refused_when_its_first_bytes_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, password: str | None
) -> None:
    async with gateway(tmp_path, monkeypatch) as (_, up, _, room):
        wire = written(batch(LARGE), password, form)
        # The rest of it, to 100 MB, never comes.
        status, headers, said = await answered(up, Wire(wire.headers, wire.body[: SMALL_BYTES + 1]), 100 << 20)
        if form == "mime":
            assert isinstance(said, Read)
            assert (200, "UnAuthorized", core.ENVELOPE_ERROR) == (
                status,
                said.envelope.error_code,
                said.envelope.payload_type,
            )
        else:
            assert (400, Fault("Sender", "FailedAuthentication")) == (status, said)
        assert "close" == headers["connection"]
        assert SMALL_BYTES + 1 == room.peaks[NOBODY]
        assert {NOBODY} == room.peaks.keys()


@pytest.mark.parametrize("form", ["soap", "mime"])
async def test_a_large_body_is_read_for_a_key_in_its_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    async with gateway(tmp_path, monkeypatch) as (_, up, key, room):
        assert READ == (await said(up, key, batch(LARGE), form)).error_code
        assert SMALL_BYTES + 1 == room.peaks[NOBODY]
        assert len(LARGE) < room.peaks[key.split("_")[1]] < len(LARGE) + 10_000


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "Key"])
async def test_a_key_in_the_header_needs_none_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with gateway(tmp_path, monkeypatch) as (_, up, key, room):
        shown = base64.b64encode(f"ALDERFP:{key}".encode()).decode() if scheme == "Basic" else key
        for told, code in ((message("question", QUESTION), "Success"), (batch(LARGE), READ)):
            wire = written(told, None, "mime")
            wire.headers["Authorization"] = f"{scheme} {shown}"
            _, _, read = await answered(up, wire)
            assert isinstance(read, Read)
            assert code == read.envelope.error_code
        assert NOBODY not in room.peaks
        # One that is no key is not looked at: the message has one.
        wire = written(message("question", QUESTION), key, "soap")
        wire.headers["Authorization"] = f"{scheme} b64?"
        _, _, read = await answered(up, wire)
        assert isinstance(read, Read)
        assert "Success" == read.envelope.error_code


async def test_a_password_behind_a_large_payload_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path, monkeypatch) as (_, up, key, _):
        wire = written(batch(LARGE), key, "mime")
        boundary = b"--" + wire.headers["Content-Type"].partition("boundary=")[2].encode()
        parts = wire.body.split(boundary)
        late = boundary.join([parts[0], *parts[-2:-1], *parts[1:-2], parts[-1]])
        _, _, read = await answered(up, Wire(wire.headers, late))
        assert isinstance(read, Read)
        assert "UnAuthorized" == read.envelope.error_code


async def test_who_is_let_in_by_the_first_bytes_must_be_who_sends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path, monkeypatch) as (_, up, key, _):
        runtime = up.runtime
        other, _ = await runtime.database.write(
            lambda tx: api_keys.create(
                tx, runtime.vault, TENANT, "other", ["claims:write"], runtime.world.micros(), None
            )
        )
        wire = written(batch(LARGE), key, "soap")
        decoy = wire.body.replace(b"<s:Header>", f"<s:Header><!--<Password>{other}</Password>-->".encode())
        assert decoy != wire.body
        status, _, told = await answered(up, Wire(wire.headers, decoy))
        assert (400, Fault("Sender", "FailedAuthentication")) == (status, told)


async def test_strangers_together_have_a_small_part_of_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path, monkeypatch, 1 << 20) as (_, up, key, room):
        begun = written(batch(LARGE), None, "soap")
        held = [await opened(up, head_of(up, begun.headers, 60_000) + begun.body[:59_000]) for _ in range(2)]
        await until_true(lambda: holds(room, NOBODY, 118_000))
        status, headers, _ = await answered(up, Wire(begun.headers, begun.body[:59_000]))
        assert (503, "1") == (status, headers["retry-after"])
        # Who is known is not among them.
        wire = written(message("question", QUESTION), None, "mime")
        wire.headers["Authorization"] = f"Bearer {key}"
        assert 200 == (await answered(up, wire))[0]
        for _, writer in held:
            writer.close()
        await until_true(lambda: is_free(room))
        assert (1 << 20) // 8 >= room.peaks[NOBODY]


async def holds(room: Watched, caller: str, size: int) -> bool:
    return room.held(caller) == size


async def test_a_key_has_a_share_of_the_room_and_leaves_the_rest_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path, monkeypatch, 1 << 20) as (_, up, key, room):
        runtime = up.runtime
        other, _ = await runtime.database.write(
            lambda tx: api_keys.create(
                tx, runtime.vault, TENANT, "other", ["claims:write"], runtime.world.micros(), None
            )
        )
        wire = written(batch(LARGE * 2), None, "mime")
        mine = {**wire.headers, "Authorization": f"Bearer {key}"}
        _, writer = await opened(up, head_of(up, mine, len(wire.body)) + wire.body[:1_000])
        await until_true(lambda: holds(room, key.split("_")[1], len(wire.body)))
        status, headers, _ = await answered(up, Wire(mine, wire.body))
        assert (503, "1") == (status, headers["retry-after"])
        status, _, read = await answered(up, Wire({**wire.headers, "Authorization": f"Bearer {other}"}, wire.body))
        assert isinstance(read, Read)
        assert (200, READ) == (status, read.envelope.error_code)
        writer.close()


async def test_a_stranger_who_sends_a_byte_now_and_then_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.3)
    async with gateway(tmp_path, monkeypatch) as (_, up, _, _):
        wire = written(message("question", QUESTION), None, "soap")
        reader, writer = await opened(up, head_of(up, wire.headers, len(wire.body)))
        status = asyncio.create_task(reader.readline())
        for number in range(100):
            if status.done():
                break
            writer.write(wire.body[number : number + 1])
            await asyncio.sleep(0.05)
        assert b"HTTP/1.1 408 " == (await status)[:13]
        writer.close()


async def test_what_anybody_may_send_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path, monkeypatch) as (client, _, _, _), aiohttp.ClientSession(client.url) as session:
        form = {"grant_type": "client_credentials", "client_id": "x" * SMALL_BYTES}
        async with session.post("/apip/auth/v2/token", data=form) as response:
            assert 413 == response.status

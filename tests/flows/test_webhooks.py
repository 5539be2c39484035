"""Webhooks over real sockets: signed, tried again, given up, never sent where they may not go, and never with a patient in them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import itertools
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from gateway import webhooks
from gateway.config import Config
from gateway.ledger import destinations, notices
from gateway.ledger.destinations import Destination
from gateway.ledger.notices import Notice
from gateway.runtime import TENANT
from gateway.serving import Running
from gateway.steps import notify
from queues import work
from queues.database import Transaction
from queues.work import Work
from tests.flows.receiver import Receiver, receiving
from tests.flows.service import Client, claim_body, in_process, until

LOOPBACK = Config(webhook_networks=["127.0.0.0/8"])
DESTINATIONS, EVENTS = "/2026-02-01/destinations", "/2026-02-01/events"
HOUR = 3600


async def destination(client: Client, url: str, *types: str) -> dict[str, Any]:
    body = {"name": "test", "eventTypes": list(types or ("claim.received",)), "destinationUrl": url}
    answer = await client.post(DESTINATIONS, body)
    assert 201 == answer.status, answer.body
    return answer.json


async def statuses(client: Client) -> list[str]:
    listed = await client.get(f"{EVENTS}?eventType=claim.received")
    return [event["status"] for event in listed.json["items"]]


async def settled(client: Client, expected: list[str]) -> None:
    for _ in range(600):
        if expected == await statuses(client):
            return
        await asyncio.sleep(0.05)
    assert expected == await statuses(client)


def signed(secret: str, one: Any) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
    return f"v1,{base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()}"


async def test_f44_a_receiver_that_fails_for_days_is_tried_ten_times_and_then_disabled(tmp_path: Path) -> None:
    async def failing(_: int) -> web.StreamResponse:
        return web.Response(status=500)

    async with receiving() as receiver, in_process(tmp_path, LOOPBACK) as (client, up):
        receiver.answer = failing
        made = await destination(client, receiver.url)
        await until(client, await client.submit(claim_body("PAID-1", "ZQXCANARY")), "received")
        for tries, seconds in enumerate((*webhooks.DELAYS_SECONDS, 0), 1):
            await receiver.wait_for(tries)
            await client.forward(1.11 * seconds / (24 * HOUR))
        await settled(client, ["FAILED"])
        await client.forward(10)
        assert 10 == len(receiver.got)
        assert 1 == len({one.headers["webhook-id"] for one in receiver.got})
        assert 75 * HOUR <= sum(webhooks.DELAYS_SECONDS) <= 76 * HOUR
        assert 10 == len({one.headers["webhook-timestamp"] for one in receiver.got})
        assert all(signed(made["signingSecret"], one) == one.headers["webhook-signature"] for one in receiver.got)
        assert not any(b"ZQXCANARY" in one.body or b"PAID-1" in one.body for one in receiver.got)
        told = (await client.get(f"{DESTINATIONS}/{made['id']}")).json
        assert "DISABLED" == told["status"]
        assert up.runtime.world.micros() > 0


async def test_one_that_is_gone_is_disabled_at_once_and_gets_what_waits_when_it_is_enabled(tmp_path: Path) -> None:
    async def gone_once(number: int) -> web.StreamResponse:
        return web.Response(status=410 if number == 1 else 204)

    async with receiving() as receiver, in_process(tmp_path, LOOPBACK) as (client, _):
        receiver.answer = gone_once
        made = await destination(client, receiver.url)
        await until(client, await client.submit(claim_body("PAID-1")), "received")
        await settled(client, ["FAILED"])
        await until(client, await client.submit(claim_body("PAID-2")), "received")
        await settled(client, ["DELIVERED", "FAILED"])
        assert 1 == len(receiver.got)
        enabled = await client.post(f"{DESTINATIONS}/{made['id']}", {"status": "ENABLED"})
        assert "ENABLED" == enabled.json["status"]
        await until(client, await client.submit(claim_body("PAID-3")), "received")
        await receiver.wait_for(2)
        await settled(client, ["DELIVERED", "DELIVERED", "FAILED"])


async def test_f44_redirects_are_not_followed_and_a_receiver_that_hangs_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 1.0)
    over = asyncio.Event()
    async with receiving() as trap, receiving() as sly, receiving() as hanging, receiving() as good:

        async def elsewhere(_: int) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": trap.url})

        async def never(_: int) -> web.StreamResponse:
            await over.wait()
            return web.Response()

        sly.answer, hanging.answer = elsewhere, never
        async with in_process(tmp_path, LOOPBACK) as (client, _):
            for receiver in (sly, hanging, good):
                await destination(client, receiver.url)
            await until(client, await client.submit(claim_body("PAID-1")), "received")
            for receiver in (sly, good, hanging):
                await receiver.wait_for(1)
            # The next one goes out while the first still hangs there.
            await until(client, await client.submit(claim_body("PAID-2")), "received")
            await good.wait_for(2)
            await settled(client, ["PENDING", "PENDING"])
            assert [] == trap.got
        # A receiver that ends waits for what it still answers.
        over.set()


async def test_f45_what_was_delivered_and_not_noted_is_delivered_again_under_the_same_id(tmp_path: Path) -> None:
    """The process dies between the receiver's 2xx and our commit."""
    async with receiving() as receiver, in_process(tmp_path, LOOPBACK) as (client, up):
        runtime = up.runtime
        made = await destination(client, receiver.url)
        name = made["id"].removeprefix("dst_")
        await until(client, await client.submit(claim_body("PAID-1")), "received")
        await receiver.wait_for(1)
        await settled(client, ["DELIVERED"])

        async def as_before(tx: Transaction) -> Work:
            """The ledger as it was before the attempt was noted."""
            now = runtime.world.micros()
            (notice,) = await notices.page(tx, TENANT, None, 1, event_type="claim.received")
            delivery = notices.Delivery(name, notice.event_id, -1)
            await notices.settle(tx, TENANT, delivery, "pending", now, "", now)
            await work.enqueue(tx, TENANT, runtime.world.new_id(), "notify", name, now)
            leased = await work.lease(tx, runtime.database, "test", now, 60, 10, ("notify",))
            return next(item for item in leased if item.subject == name)

        item = await runtime.database.write(as_before)
        await notify.run(runtime, item)
        await settled(client, ["DELIVERED"])
        first, second = receiver.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body


async def test_both_secrets_sign_as_long_as_the_one_before_holds(tmp_path: Path) -> None:
    async with receiving() as receiver, in_process(tmp_path, LOOPBACK) as (client, _):
        made = await destination(client, receiver.url)
        rotated = await client.post(f"{DESTINATIONS}/{made['id']}/secret/rotate", {"previousSecretExpiryHours": 2})
        assert 200 == rotated.status
        secrets = [rotated.json["signingSecret"], made["signingSecret"]]
        await until(client, await client.submit(claim_body("PAID-1")), "received")
        (one,) = await receiver.wait_for(1)
        assert [signed(secret, one) for secret in secrets] == one.headers["webhook-signature"].split(" ")
        await client.forward(0.1)
        await until(client, await client.submit(claim_body("PAID-2")), "received")
        (_, other) = await receiver.wait_for(2)
        assert signed(secrets[0], other) == other.headers["webhook-signature"]


async def test_secrets_are_sealed_in_the_ledger(tmp_path: Path) -> None:
    async with in_process(tmp_path, LOOPBACK) as (client, up):
        made = await destination(client, "https://billing.example.com/hook")
        secret = base64.b64decode(made["signingSecret"].removeprefix("whsec_"))
        await _synced(up)
    kept = await asyncio.to_thread(lambda: b"".join(f.read_bytes() for f in tmp_path.iterdir() if f.is_file()))
    assert secret not in kept
    assert made["signingSecret"].encode() not in kept


async def _synced(up: Running) -> None:
    found = await up.runtime.database.read(lambda tx: destinations.page(tx, TENANT, 0, 10, None, None))
    assert all(isinstance(one, Destination) for one in found)


# Written as clients understand them and `ipaddress` does not: full-width and circled digits, ideographic stops.
DISGUISED = ["\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460"]
INSIDE = [
    *("127.0.0.1", "0.0.0.0", "[::1]", "[::]", "localhost", "127.1", "2130706433", "0x7f000001", "017700000001"),
    *("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[ff02::1]"),
    # IPv4-compatible, translated, NAT64 of a network of one's own, site-local; the metadata of a cloud.
    *("[::7f00:1]", "[::ffff:0:7f00:1]", "[64:ff9b:1::7f00:1]", "[fec0::1]", "192.0.0.192", "169.254.169.254"),
    *DISGUISED,
]


@pytest.mark.parametrize("host", INSIDE)
async def test_nothing_is_sent_inside_unless_it_is_configured(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        for url in (f"https://{host}/hook", f"https://{host}:8443/hook", f"http://{host}:{port}"):
            async with webhooks.open_webhooks([]) as session:
                attempt = await webhooks.post(session, url, b"{}", {}, [])
            assert not attempt.delivered
            assert "private or local" in attempt.reason or "must" in attempt.reason or "reached" in attempt.reason
        assert [] == receiver.got


@pytest.mark.parametrize("host", INSIDE)
async def test_no_connection_is_even_begun_inside(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one where the look at the URL lets it pass: the client makes addresses of hosts in its own way."""
    begun: list[Any] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", lambda _, to: begun.append(to))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    async with webhooks.open_webhooks([]) as session:
        assert not (await webhooks.post(session, f"https://{host}/hook", b"{}", {}, [])).delivered
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await session.post(f"https://{host}/hook", data=b"{}")
    assert [] == begun


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "https://",
            "ftp://billing.example.com/",
            "//billing.example.com",
            f"https://a:{'b'}@billing.example.com/",
        ),
        *("http://billing.example.com/hook", "https://billing.example.com:22/", "https://[::1", "javascript:alert(1)"),
        *(
            "https://billing.example.com\\.inside/",
            "https://billing.example.com/\thook",
            *(f"https://{h}/" for h in DISGUISED),
        ),
    ],
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(webhooks.Refused):
        webhooks.check_url(url, [ipaddress.ip_network("127.0.0.0/8")])


def test_signatures_are_those_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0, worked out here: HMAC-SHA256 over id, timestamp and body."""
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    body, name, time = b'{"test": 2432232314}', "evt_1", 1614265330
    digest = hmac.new(b"0123456789abcdef0123456789abcdef", f"{name}.{time}.".encode() + body, "sha256").digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    assert expected == webhooks.signatures([secret], name, time, body)
    assert f"{expected} {expected}" == webhooks.signatures([secret, secret], name, time, body)


def test_a_body_holds_ids_and_a_kind_and_nothing_else() -> None:
    notice = Notice(
        "018f3c9d-6f3a-7c1e-9b1a-3f6c2d8e4a51",
        1,
        "claim.remitted",
        "0" * 8 + "-0000-7000-8000-" + "0" * 12,
        "0" * 8 + "-0000-7000-8000-" + "0" * 12,
        "T",
        0,
    )
    body = msgspec.json.decode(webhooks.encoded(webhooks.payload_of(notice, "account")))
    assert {"object", "id", "type", "account", "environment", "created", "resource", "relatedResources"} == set(body)
    assert ("v1.event", "claim.remitted", "TEST") == (body["object"], body["type"], body["environment"])


def test_the_receiver_listens_only_here() -> None:
    assert "" == Receiver().url


@pytest.mark.parametrize("field", ["name", "description"])
async def test_characters_that_nobody_sees_are_refused_in_what_is_said_of_a_destination(
    tmp_path: Path, field: str
) -> None:
    """PostgreSQL takes no NUL, others turn what stands beside them; and the caller must hear which field it is."""
    path = "/2026-02-01/destinations"
    body = {"name": "B", "eventTypes": ["claim.remitted"], "destinationUrl": "https://billing.example.com/hook"}
    async with in_process(tmp_path) as (client, _):
        made = await client.post(path, {**body, field: "ABARA\nand tabs\t"})
        assert 201 == made.status
        for where, bad in itertools.product(
            (path, f"{path}/{made.json['id']}"), ("\x00", "\u202e", "\u2028", "\ufeff")
        ):
            refused = await client.post(where, {**body, field: f"ABARA{bad}"})
            assert (400, [f"/{field}"]) == (refused.status, [e["path"] for e in refused.json["errors"]])
            assert b"ABARA" not in refused.body

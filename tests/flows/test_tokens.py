"""OAuth 2.0 client credentials over real sockets: JSON, form and Basic; limited life, scopes, the end of a key, wrong guesses."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from gateway.guesses import FAILURES_MAX, WINDOW_SECONDS, Guesses
from gateway.ledger import api_keys
from gateway.runtime import TENANT
from tests.flows.service import NETWORK, Answer, Client, eligibility_body, in_process

PATH = "/apip/auth/v2/token"
FORM = "application/x-www-form-urlencoded"
KEY_KNOWN_SECONDS = 1.1


async def asked(
    client: Client, body: dict[str, Any], *, form: bool = False, path: str = PATH, **headers: str
) -> Answer:
    """Ask for a token without a key of one's own."""
    content = urlencode(body).encode() if form else msgspec.json.encode(body)
    kind = FORM if form else "application/json"
    return await client.call("POST", path, content, **{"Content_Type": kind, "Authorization": "", **headers})


def credentials(key: str, **more: str) -> dict[str, str]:
    _, key_id, secret = key.split("_", 2)
    return {"grant_type": "client_credentials", "client_id": key_id, "client_secret": secret, **more}


async def test_a_token_opens_what_its_key_opens_until_it_ends(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        key = client.key or ""
        body = credentials(key)
        ways = [
            await asked(client, body),
            await asked(client, body, form=True),
            await asked(client, body, form=True, path=f"{PATH}/"),
            await asked(client, {**body, "client_secret": key, "client_id": f"cw_{body['client_id']}"}),
        ]
        basic = base64.b64encode(f"{body['client_id']}:{body['client_secret']}".encode()).decode()
        alone = {"grant_type": "client_credentials"}
        ways.append(await asked(client, alone, form=True, Authorization=f"Basic {basic}"))
        for answer in ways:
            assert 200 == answer.status, answer.body
            assert ("Bearer", 3600) == (answer.json["token_type"], answer.json["expires_in"])
            assert set(api_keys.SCOPES) == set(answer.json["scope"].split())
            assert "no-store" == answer.headers["Cache-Control"]
        token = ways[0].json["access_token"]
        assert token != ways[1].json["access_token"] or key not in token
        for header in (f"Bearer {token}", token, f"Key {token}"):
            taken = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body(), Authorization=header)
            assert 200 == taken.status
        await client.forward(timedelta(hours=1) / timedelta(days=1))
        await asyncio.sleep(KEY_KNOWN_SECONDS)
        late = await client.post(f"{NETWORK}/eligibility/v3", eligibility_body(), Authorization=f"Bearer {token}")
        assert 401 == late.status
        assert up.runtime.world.micros() > 0


async def test_a_token_has_its_keys_scopes_or_fewer_and_ends_with_it(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        runtime = up.runtime
        now = runtime.world.micros()
        wanted = ["claims:read", "eligibility:write"]
        key, made = await runtime.database.write(
            lambda tx: api_keys.create(tx, runtime.vault, TENANT, "few", wanted, now, now + 600_000_000)
        )
        whole = (await asked(client, credentials(key))).json
        assert set(wanted) == set(whole["scope"].split())
        assert 590 <= whole["expires_in"] <= 600
        less = (await asked(client, credentials(key, scope="claims:read"))).json
        assert "claims:read" == less["scope"]
        client.key = f"Bearer {less['access_token']}"
        assert 200 == (await client.get("/2025-03-07/claims")).status
        assert 403 == (await client.post(f"{NETWORK}/eligibility/v3", eligibility_body())).status
        more = await asked(client, credentials(key, scope="ops:write"))
        assert (400, "invalid_scope") == (more.status, more.json["error"])
        await runtime.database.write(lambda tx: api_keys.revoke(tx, TENANT, made.key_id, runtime.world.micros()))
        await asyncio.sleep(KEY_KNOWN_SECONDS)
        assert 401 == (await client.get("/2025-03-07/claims")).status
        assert 401 == (await asked(client, credentials(key))).status


@pytest.mark.parametrize("place", range(1, 4))
async def test_a_token_that_was_changed_anywhere_opens_nothing(tmp_path: Path, place: int) -> None:
    async with in_process(tmp_path) as (client, _):
        token = (await asked(client, credentials(client.key or ""))).json["access_token"]
        parts = token.split("_")
        parts[place] = parts[place][:-1] + ("0" if parts[place][-1] != "0" else "1")
        client.key = f"Bearer {'_'.join(parts)}"
        assert 401 == (await client.get("/2025-03-07/claims")).status


async def test_errors_have_the_shape_of_the_rfc(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        body = credentials(client.key or "")
        wrong = {**body, "client_secret": body["client_secret"][:-1] + "x"}
        cases = [
            (400, "invalid_request", {**body, "grant_type": None}),
            (400, "invalid_request", {**body, "client_id": ""}),
            (400, "unsupported_grant_type", {**body, "grant_type": "password"}),
            (401, "invalid_client", wrong),
            (401, "invalid_client", {**body, "client_id": "0" * 16}),
            (401, "invalid_client", {**body, "client_id": "\u00e9"}),
        ]
        for status, error, said in cases:
            answer = await asked(client, said)
            assert (status, error) == (answer.status, answer.json["error"])
            assert {"error", "error_description"} == set(answer.json)
            assert (status == 401) == ("WWW-Authenticate" in answer.headers)
            assert body["client_secret"] not in answer.body.decode()
        for content in (b"{", b"[]", b"\xff"):
            answer = await client.call("POST", PATH, content, Content_Type="application/json", Authorization="")
            assert (400, "invalid_request") == (answer.status, answer.json["error"])
        twice = b"grant_type=client_credentials&client_id=a&client_id=b&client_secret=c"
        answer = await client.call("POST", PATH, twice, Content_Type=FORM, Authorization="")
        assert (400, "invalid_request") == (answer.status, answer.json["error"])


async def test_guesses_are_counted_and_end(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, _):
        body = credentials(client.key or "", client_secret="wrong")
        statuses = [(await asked(client, body)).status for _ in range(FAILURES_MAX + 2)]
        assert [401] * FAILURES_MAX + [429] * 2 == statuses
        answer = await asked(client, body)
        assert (429, "invalid_client") == (answer.status, answer.json["error"])
        assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW_SECONDS


async def test_strangers_who_guess_do_not_keep_a_client_from_its_token(tmp_path: Path) -> None:
    """They are wrong in its name, and behind one proxy all come from one address."""
    async with in_process(tmp_path) as (client, _):
        wrong = credentials(client.key or "", client_secret="wrong")
        while (await asked(client, wrong)).status != 429:
            pass
        assert 200 == (await asked(client, credentials(client.key or ""))).status
        assert 429 == (await asked(client, wrong)).status


def test_a_minute_later_somebody_may_guess_again() -> None:
    guesses = Guesses()
    for second in range(FAILURES_MAX):
        assert 0 == guesses.wait_seconds(float(second), "client a", "from b")
        guesses.failed(float(second), "client a", "from b")
    assert WINDOW_SECONDS - FAILURES_MAX == guesses.wait_seconds(float(FAILURES_MAX), "client a")
    assert 0 < guesses.wait_seconds(float(FAILURES_MAX), "client other", "from b")
    assert 0 == guesses.wait_seconds(float(FAILURES_MAX), "client other", "from other")
    assert 0 == guesses.wait_seconds(WINDOW_SECONDS, "client a")

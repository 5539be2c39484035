"""Payers as data: files that are taken over while the service runs, what they refuse, the directory, the command line."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from gateway.cli import app
from gateway.serving import Running
from queues.work import due_by
from tests.flows.service import NETWORK, Client, claim_body, eligibility_body, in_process, until, until_true

PATIENCE_SECONDS = 30.0
DIRECTORY = "/2024-04-01"


def payer_text(up: Running, payer_id: str = "ALDER", more: str = "", on_route: str = "") -> str:
    """A payer behind the sandbox, on a route of its own."""
    route = up.runtime.directory.routes["sandbox"]
    return f"""
id = "{payer_id}"
name = "{payer_id.title()} Mutual"
aliases = ["{payer_id}-2"]
{more}

[[routes]]
id = "{payer_id.lower()}"
adapter = "sandbox"
usage = "T"
sender_id = "CLAIMWIRE"
receiver_id = "{payer_id}"
poll_seconds = 1
settings = {{ url = "{route.settings["url"]}" }}
secrets = {{ token = "{route.secrets["token"]}" }}
{on_route}
"""


def put(data: Path, name: str, text: str) -> None:
    folder = data / "payers"
    folder.mkdir(exist_ok=True)
    part = folder / f"{name}.part"
    part.write_text(text)
    part.rename(folder / f"{name}.toml")


async def file_state(client: Client, name: str, *states: str) -> dict[str, Any]:
    """Wait until a file stands so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        found = (await client.get("/v1/payer-files")).json["items"]
        for one in found:
            if one["file"] == f"{name}.toml" and one["state"] in states:
                return one
        await asyncio.sleep(0.05)
    raise AssertionError(found)


def eligibility(payer_id: str) -> dict[str, Any]:
    return {**eligibility_body("SANDBOX-ACTIVE-1"), "tradingPartnerServiceId": payer_id}


async def test_a_file_makes_a_payer_while_the_service_runs_and_its_history_is_kept(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        asked = f"{NETWORK}/eligibility/v3"
        assert 400 == (await client.post(asked, eligibility("ALDER"))).status
        put(tmp_path, "alder", payer_text(up))
        await file_state(client, "alder", "in force")
        answer = await client.post(asked, eligibility("alder-2"))
        assert (200, "1") == (answer.status, answer.json["planStatus"][0]["statusCode"])
        # Broken: what it said before holds, and what is wrong is told, all of it.
        put(tmp_path, "alder", payer_text(up, more='alias = ["X"]\nfollow_up_days = "soon"').replace("url =", "uri ="))
        told = await file_state(client, "alder", "kept")
        assert "ALDER" == told["payerId"]
        assert 3 <= len(told["errors"])
        assert any("did you mean 'aliases'" in e for e in told["errors"])
        assert any("settings" in e for e in told["errors"])
        assert 200 == (await client.post(asked, eligibility("ALDER"))).status
        # Mended, and with another name.
        put(tmp_path, "alder", payer_text(up).replace("Alder Mutual", "Alder United"))
        await file_state(client, "alder", "in force")
        assert "Alder United" == (await client.get(f"{DIRECTORY}/payer/ALDER")).json["displayName"]
        (tmp_path / "payers" / "alder.toml").unlink()

        async def is_unknown() -> bool:
            return 400 == (await client.post(asked, eligibility("ALDER"))).status

        await until_true(is_unknown, PATIENCE_SECONDS)
        history = (await client.get("/v1/payers/ALDER/versions")).json["items"]
        assert ["Alder Mutual", "Alder United"] == [v["payer"]["name"] for v in history]
        assert history[0]["until"] <= history[1]["since"]
        assert all("until" in v for v in history)
        assert {"token": "(kept)"} == history[0]["routes"][0]["secrets"]
        assert 404 == (await client.get("/v1/payers/NEVER/versions")).status


async def test_what_a_broken_file_said_before_holds_over_a_restart_and_one_bad_file_stops_none(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        put(tmp_path, "alder", payer_text(up))
        await file_state(client, "alder", "in force")
        texts = payer_text(up, "BIRCH"), payer_text(up, "CEDAR").replace("CEDAR-2", "ALDER-2")
    put(tmp_path, "alder", "this is no TOML")
    put(tmp_path, "never", "nor is this")
    put(tmp_path, "birch", texts[0])
    put(tmp_path, "cedar", texts[1])
    async with in_process(tmp_path) as (client, _):
        files = {f["file"]: f for f in (await client.get("/v1/payer-files")).json["items"]}
        assert {"alder.toml": "kept", "never.toml": "left out", "birch.toml": "in force", "cedar.toml": "left out"} == {
            name: f["state"] for name, f in files.items()
        }
        assert "belongs to another payer too: ALDER" in files["cedar.toml"]["errors"][0]
        found = (await client.get(f"{DIRECTORY}/payers")).json["items"]
        assert {"CWSBX", "ALDER", "BIRCH"} == {p["stediId"] for p in found}


async def test_what_a_payer_does_not_take_is_refused_with_its_field(tmp_path: Path) -> None:
    more = '[transactions]\neligibility_check = "not_supported"\nprofessional_claim = "not_supported"\n'
    more += 'claim_payment = "enrollment_required"'
    async with in_process(tmp_path) as (client, up):
        put(tmp_path, "alder", payer_text(up, more=more))
        await file_state(client, "alder", "in force")
        refused = await client.post(f"{NETWORK}/eligibility/v3", eligibility("ALDER"))
        (error,) = refused.json["errors"]
        assert (400, "tradingPartnerServiceId") == (refused.status, error["field"])
        assert "takes no eligibility checks" in error["description"]
        claim = {**claim_body("PAID-1"), "tradingPartnerServiceId": "ALDER"}
        refused = await client.post(f"{NETWORK}/professionalclaims/v3/submission", claim)
        assert (400, True) == (refused.status, "takes no professional claims" in refused.body.decode())
        support = (await client.get(f"{DIRECTORY}/payer/ALDER")).json["transactionSupport"]
        assert ("NOT_SUPPORTED", "SUPPORTED", "ENROLLMENT_REQUIRED") == (
            support["eligibilityCheck"],
            support["claimStatus"],
            support["claimPayment"],
        )


async def test_the_directory_is_listed_searched_and_told_as_a_table(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        names = ("ALDER", "BIRCH", "CEDAR")
        for name in names:
            put(tmp_path, name.lower(), payer_text(up, name, 'coverage_types = ["dental"]\noperating_states = ["OR"]'))
        for name in names:
            await file_state(client, name.lower(), "in force")
        found = (await client.get(f"{DIRECTORY}/payers/search?query=ceder+mutaul")).json
        assert (["CEDAR"], 1) == ([i["payer"]["stediId"] for i in found["items"]], found["stats"]["total"])
        assert "<b>Cedar</b> <b>Mutual</b>" == found["items"][0]["matches"]["displayName"]
        (sandbox,) = (await client.get(f"{DIRECTORY}/payers/search?query=cwsbx")).json["items"]
        assert ("CWSBX", "SANDBOX") == (sandbox["payer"]["stediId"], sandbox["payer"]["primaryPayerId"])
        assert {"stediId": "<b>CWSBX</b>", "aliases": ["<b>CWSBX</b>"]} == sandbox["matches"]
        listed: list[str] = []
        token = ""
        while True:
            page = (await client.get(f"{DIRECTORY}/payers?pageSize=3{token}")).json
            listed += [p["stediId"] for p in page["items"]]
            if "nextPageToken" not in page:
                break
            token = f"&pageToken={page['nextPageToken']}"
        assert [*names, "CWSBX"] == listed
        filtered = await client.get(
            f"{DIRECTORY}/payers/search?coverageTypes=dental&operatingStates=OR&eligibilityCheck=EITHER"
        )
        assert list(names) == [i["payer"]["stediId"] for i in filtered.json["items"]]
        table = await client.get(f"{DIRECTORY}/payers/csv")
        assert "text/csv" == table.headers["Content-Type"].partition(";")[0]
        assert [*names, "CWSBX"] == [r["StediId"] for r in csv.DictReader(io.StringIO(table.body.decode()))]
        assert 404 == (await client.get(f"{DIRECTORY}/payer/NOBODY")).status
        for query in ("eligibilityCheck=YES", "coverageTypes=pets", "operatingStates=XX", "pageSize=0", "pageToken=-1",
                      f"query={'x' * 201}"):  # fmt: skip
            wrong = await client.get(f"{DIRECTORY}/payers/search?{query}")
            assert (400, query.partition("=")[0]) == (wrong.status, wrong.json["errors"][0]["field"])


def test_the_command_line_makes_shows_and_checks_payers(tmp_path: Path) -> None:
    runner, config = CliRunner(), tmp_path / "claimwire.toml"
    config.write_text('data = "data"\n')

    def run(*arguments: str, code: int = 0) -> Any:
        done = runner.invoke(app, ["payers", *arguments, "--config", str(config), "--json"])
        assert code == done.exit_code, done.output
        return msgspec.json.decode(done.stdout)

    made = run("new", "BIRCH", "--name", "BIRCH HEALTH PLAN")
    assert [] == made["errors"]
    path = Path(made["file"])
    assert 0o600 == path.stat().st_mode & 0o777
    assert [{"file": "birch.toml", "payer": "BIRCH", "errors": []}] == run("check")
    assert ("BIRCH", "birch.toml") == (run("list")[0]["id"], run("list")[0]["source"])
    assert "supported" == run("list")[0]["transactions"]["eligibility_check"]
    # Its route can be tried before anything is sent over it, wherever it is described.
    tried = runner.invoke(app, ["adapters", "check", "birch", "--config", str(config), "--json"])
    assert (0, "can be used") == (tried.exit_code, msgspec.json.decode(tried.stdout)[0]["result"])
    path.write_text(path.read_text().replace("# secrets", "secrets"))
    assert {"token": "(kept)"} == run("show", "birch")["routes"][0]["secrets"]
    path.write_text(path.read_text().replace("aliases", "alias").replace('usage = "T"', 'usage = "X"'))
    (told,) = run("check", code=1)
    assert 2 == len(told["errors"])
    assert [] == run("list")
    untried = runner.invoke(app, ["adapters", "check", "birch", "--config", str(config)])
    assert (2, True) == (untried.exit_code, "birch.toml left out" in " ".join(untried.output.replace("│", " ").split()))
    for arguments in (["new", "BIRCH", "--name", "AGAIN"], ["new", "a/b", "--name", "X"], ["show", "BIRCH"]):
        assert 2 == runner.invoke(app, ["payers", *arguments, "--config", str(config)]).exit_code


async def test_a_closed_way_holds_what_may_wait_and_tells_who_may_not(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        now = up.runtime.world.now()
        begins, ends = now - timedelta(minutes=30), now + timedelta(minutes=30)
        window = f'maintenance = [{{ begins = "{begins:%H:%M}", ends = "{ends:%H:%M}" }}]'
        put(tmp_path, "alder", payer_text(up, on_route=f"{window}\nbatch_window_seconds = 0"))
        await file_state(client, "alder", "in force")
        refused = await client.post(f"{NETWORK}/eligibility/v3", eligibility("ALDER"))
        assert 503 == refused.status
        assert 1_700 <= int(refused.headers["Retry-After"]) <= 1_860
        claim = {**claim_body("PAID-1"), "tradingPartnerServiceId": "ALDER"}
        claim_id = await client.submit(claim)
        await until(client, claim_id, "built")
        await client.forward(0.3 / 24)

        async def is_watched() -> bool:
            due = await up.runtime.database.read(lambda tx: due_by(tx, "watch", up.runtime.world.micros()))
            return not due

        # Nobody is told of what was announced.
        await until_true(is_watched)
        assert "built" == (await client.transaction(claim_id))["state"]
        assert [] == (await client.get("/v1/alarms")).json["items"]
        lane = next(i for i in (await client.get("/v1/lanes")).json["items"] if i["routeId"] == "alder")
        assert ("closed", 0) == (lane["state"], lane["failures"])
        await client.forward(1 / 24)
        await until(client, claim_id, "sent", "acknowledged", "received", "pending", "remitted")
        story = await client.trace(claim_id)
        assert 1 == story["interchanges"][0]["attempts"]


async def test_the_payers_limits_hold_for_callers_and_none_is_refused_who_can_wait(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (client, up):
        put(tmp_path, "alder", payer_text(up, on_route="requests_per_second = 20\nconcurrent = 2"))
        await file_state(client, "alder", "in force")
        started = up.runtime.world.micros()
        answers = await asyncio.gather(
            *(client.post(f"{NETWORK}/eligibility/v3", eligibility("ALDER")) for _ in range(12))
        )
        assert {200} == {a.status for a in answers}
        sent = await up.runtime.database.read(
            lambda tx: tx.fetch("SELECT paid_at FROM lanes WHERE tenant_id = 'default' AND lane = 'alder'")
        )
        # Eleven intervals and one that is owed.
        assert started + 12 * 50_000 <= sent[0][0]
        left = await up.runtime.database.read(
            lambda tx: tx.fetch("SELECT holder FROM lane_holds WHERE tenant_id = 'default'")
        )
        assert [] == left

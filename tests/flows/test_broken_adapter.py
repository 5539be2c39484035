"""An outside package that cannot be loaded concerns its own routes: nothing of theirs is in doubt, and nobody else notices."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from adapters import registry
from gateway.cli import app
from gateway.config import Config
from tests.flows.service import eligibility_body, in_process, until, until_true
from tests.flows.test_payers import DIRECTORY, NETWORK, eligibility, file_state, payer_text, put
from tests.flows.test_roads import roads, route

pytestmark = pytest.mark.one_engine
MENDED = "from adapters.rest import adapter\n"
BROKEN = {
    "raises": "import nothing_of_this_name\n",
    "has none": "thing = 1\n",
    "has another": "adapter = object()\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose adapter `hazel` cannot be loaded; the path of its module."""
    site = tmp_path / "site"
    told = site / "claimwire_hazel-1.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: claimwire-hazel\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[claimwire.adapters]\nhazel = claimwire_hazel\n")
    module = site / "claimwire_hazel.py"
    module.write_text(BROKEN["raises"])
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "claimwire_hazel", raising=False)
    return module


def mend(module: Path) -> None:
    """As installing a release does that has no such error: the next import finds it."""
    sys.modules.pop("claimwire_hazel", None)
    module.with_suffix(".py").write_text(MENDED + "# mended\n")
    importlib.invalidate_caches()


async def test_its_claims_wait_until_it_is_mended_and_none_is_in_doubt(package: Path, tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False, ways=1, circuit_seconds=0.2, circuit_seconds_max=0.2) as on:
        directory = on.up.runtime.directory
        directory.routes["FIRST"] = msgspec.structs.replace(directory.routes["FIRST"], adapter="hazel")
        claim = await on.submit("PAID-1")
        await until(on.client, claim, "built")
        assert 503 == (await on.check()).status

        async def is_down() -> bool:
            return (await on.lane())["failures"] >= 2

        await until_true(is_down)
        assert "the adapter cannot be loaded" == (await on.lane())["reason"]
        assert ("built", 0) == ((await on.client.transaction(claim))["state"], await on.at(on.first))
        # The directory tells of it and of the others.
        assert 2 == len((await on.client.get(f"{DIRECTORY}/payers")).json["items"])
        assert 200 == (await on.client.post(f"{NETWORK}/eligibility/v3", eligibility_body())).status
        mend(package)

        async def is_answered() -> bool:
            return 200 == (await on.check()).status

        await until_true(is_answered)
        # What failed before comes back in its time.
        await on.client.forward(5 / 1440)
        await until(on.client, claim, "received", "pending", "finalized", "remitted")
        assert 1 == await on.at(on.first)


async def test_its_questions_go_over_the_next_road(package: Path, tmp_path: Path) -> None:
    async with roads(tmp_path, dead=False) as on:
        directory = on.up.runtime.directory
        directory.routes["FIRST"] = msgspec.structs.replace(directory.routes["FIRST"], adapter="hazel")
        assert 200 == (await on.check()).status
        await until(on.client, await on.submit("PAID-1"), "received", "pending", "finalized", "remitted")
        assert 1 == await on.at(on.second)


async def test_a_file_that_names_it_is_left_out_and_other_files_are_taken_while_the_service_runs(
    package: Path, tmp_path: Path
) -> None:
    async with in_process(tmp_path) as (client, up):
        put(tmp_path, "hazel", payer_text(up, "HAZEL").replace('"sandbox"', '"hazel"', 1))
        told = await file_state(client, "hazel", "left out")
        assert "hazel" in told["errors"][0]
        put(tmp_path, "birch", payer_text(up, "BIRCH"))
        await file_state(client, "birch", "in force")
        assert 200 == (await client.post(f"{NETWORK}/eligibility/v3", eligibility("BIRCH"))).status


@pytest.mark.parametrize("how", BROKEN)
def test_the_commands_name_it_and_go_on(package: Path, tmp_path: Path, how: str) -> None:
    package.write_text(BROKEN[how])
    with pytest.raises(registry.BrokenAdapter, match="hazel"):
        registry.load("hazel")
    run = CliRunner().invoke
    rows = msgspec.json.decode(run(app, ["adapters", "list", "--json"]).stdout)
    assert {"core", "dialect", "hazel", "rest", "sandbox", "sftp"} == {row["adapter"] for row in rows}
    config = tmp_path / "claimwire.toml"
    config.write_text(
        '[[routes]]\nid = "one"\nadapter = "hazel"\nusage = "T"\nsender_id = "A"\nreceiver_id = "B"\n'
        '[[payers]]\nid = "ONE"\nname = "ONE"\nroutes = ["one"]\n'
    )
    checked = run(app, ["adapters", "check", "one", "--config", str(config), "--json"])
    assert 1 == checked.exit_code
    assert "hazel" in msgspec.json.decode(checked.stdout)[0]["result"]
    listed = run(app, ["payers", "list", "--config", str(config), "--json"])
    assert {"not_supported"} == set(msgspec.json.decode(listed.stdout)[0]["transactions"].values())


async def test_a_service_starts_beside_a_configured_route_that_has_it(package: Path, tmp_path: Path) -> None:
    made = msgspec.structs.replace(route("one", "http://127.0.0.1:9"), adapter="hazel")
    async with in_process(tmp_path, Config(routes=[made])) as (client, _):
        assert 200 == (await client.post(f"{NETWORK}/eligibility/v3", eligibility_body())).status

"""docs/adding-a-payer.md, followed to the letter in an empty folder: what it promises is so."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from adapters.contract import HttpPeer, serving
from adapters.contract.samples import answer, question_or_claims
from gateway.adapters_cli import written
from gateway.cli import app
from gateway.config import load
from gateway.payer_files import read_file
from tests.contract.peers import RestPeer
from tests.flows.service import claim_body, in_process, until
from tests.tidy.tree import ROOT, blocks, files, text

pytestmark = pytest.mark.one_engine
DOCUMENT = "docs/adding-a-payer.md"
LINES_MAX = 120


def follow(folder: Path, commands: str) -> str:
    """Run lines of the document in a shell, as somebody would who has Claimwire and nothing else."""
    tools, site = folder / "tools", folder / "site"
    tools.mkdir(exist_ok=True)
    shim = tools / "claimwire"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway "$@"\n', "utf-8")
    shim.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{site}",
        # The package goes into a folder of the test instead of the environment, and needs no network.
        "PIP_TARGET": str(site),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def the_tree() -> dict[str, str]:
    """Every file of this tree, and what is in it."""
    return {name: sha256((ROOT / name).read_bytes()).hexdigest() for name in files()}


def test_a_new_adapter_made_by_the_document_passes_the_contract(tmp_path: Path) -> None:
    making, checking = blocks(DOCUMENT, "")
    before = the_tree()
    said = follow(tmp_path, making)
    assert " passed" in said
    assert " failed" not in said
    package = tmp_path / "claimwire-birch"
    own = [package / name for name in written("birch")]
    assert LINES_MAX > sum(1 for p in own for line in p.read_text("utf-8").splitlines() if line.strip())
    (code,) = blocks(DOCUMENT, "python")
    assert code == (package / "claimwire_birch" / "__init__.py").read_text("utf-8")
    (toml,) = blocks(DOCUMENT, "toml")
    (tmp_path / "claimwire.toml").write_text(toml, "utf-8")
    assert "can be used" in follow(tmp_path, checking)
    # What its author changes is what is tried, before it is installed again.
    (package / "claimwire_birch" / "__init__.py").write_text("raise LookupError('changed')\n", "utf-8")
    assert "LookupError: changed" in follow(package, "pytest --collect-only || true")
    assert before == the_tree()


async def test_a_new_payer_behind_a_new_adapter_is_looked_at_live_and_gets_its_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last steps of the document, against the payer that the new package is tried with."""
    making, _ = blocks(DOCUMENT, "")
    before = the_tree()
    commands = "\n".join(line for line in making.splitlines() if line != "pytest")
    await asyncio.to_thread(follow, tmp_path, commands)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    importlib.invalidate_caches()
    package = tmp_path / "claimwire-birch"
    told: dict[str, Any] = {}
    exec(compile((package / "tests" / "test_contract.py").read_text("utf-8"), "birch", "exec"), told)
    payer: HttpPeer = told["BirchPeer"]()
    (toml,) = blocks(DOCUMENT, "toml")
    (live,) = re.findall(r"`(claimwire adapters check [^`]*--live)`", text(DOCUMENT))
    async with serving(payer):
        toml = toml.replace("https://files.birch.example", f"http://127.0.0.1:{payer.port}").replace("...", "hush-hush")
        (tmp_path / "claimwire.toml").write_text(toml, "utf-8")
        said = await asyncio.to_thread(follow, tmp_path, live)
        assert "left where they are" in said
        config = load(tmp_path / "claimwire.toml")
        quick = msgspec.structs.replace(config.routes[0], batch_window_seconds=0.05)
        config = msgspec.structs.replace(config, routes=[quick])
        async with in_process(tmp_path / "data", config) as (client, _):
            claim = await client.submit({**claim_body("PAID-1"), "tradingPartnerServiceId": "BIRCH"})
            await until(client, claim, "sent")
        (sent,) = payer.taken.values()
        assert b"*BIRCHHP" in sent
        assert b"~CLM*" in sent
    assert before == the_tree()


def test_what_the_new_package_is_tried_with_is_installed_with_it() -> None:
    """Claimwire itself needs no pytest, so an environment that has just Claimwire has none."""
    making, _ = blocks(DOCUMENT, "")
    (installed,) = re.findall(r'pip install "\.\[(\w+)\]"', making)
    project = tomllib.loads(written("birch")["pyproject.toml"])["project"]
    assert ["pytest", "pytest-asyncio"] == [one.split(">=")[0] for one in project["optional-dependencies"][installed]]


def test_what_is_written_is_named_after_it() -> None:
    files = written("north_star")
    assert {
        "pyproject.toml",
        "claimwire_north_star/__init__.py",
        "claimwire_north_star/README.md",
        "tests/test_contract.py",
    } == set(files)
    assert "class NorthStar:" in files["claimwire_north_star/__init__.py"]
    assert [] == [name for name, said in files.items() if "NAME" in said or "CLASS" in said]


@pytest.mark.parametrize("name", ["rest", "Birch", "9lives", "a-b", "", "../x"])
def test_a_name_that_cannot_be_is_told_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    told = CliRunner().invoke(app, ["adapters", "new", name, "--into", str(tmp_path)])
    assert 2 == told.exit_code
    assert [] == list(tmp_path.iterdir())


def configured(folder: Path, url: str, token: str = "hush-hush", **more: str) -> Path:
    settings = ", ".join(f'{k} = "{v}"' for k, v in {"url": url, **more}.items())
    path = folder / "claimwire.toml"
    path.write_text(
        f'[[routes]]\nid = "one"\nadapter = "rest"\nusage = "T"\nsender_id = "ALDERFP"\nreceiver_id = "BIRCHHP"\n'
        f'settings = {{ {settings} }}\nsecrets = {{ token = "{token}" }}\n'
        '[[payers]]\nid = "BIRCH"\nname = "BIRCH HEALTH PLAN"\nroutes = ["one"]\n',
        "utf-8",
    )
    return path


def checked(*words: str) -> tuple[int, list[dict[str, str]]]:
    told = CliRunner().invoke(app, ["adapters", "check", *words, "--json"])
    return told.exit_code, msgspec.json.decode(told.stdout)


def test_every_fault_of_a_routes_settings_is_told(tmp_path: Path) -> None:
    path = configured(tmp_path, "ftp://x", uri="y", credentials_in="foot")
    code, rows = checked("one", "--config", str(path))
    assert 1 == code
    assert ["settings.url", "settings.uri", "settings.credentials_in"] == [r["result"].partition(":")[0] for r in rows]


def test_a_server_with_a_route_that_cannot_be_used_does_not_start_and_says_why(tmp_path: Path) -> None:
    path = configured(tmp_path, "ftp://x", uri="y")
    told = CliRunner().invoke(app, ["serve", "--config", str(path), "--data", str(tmp_path / "data")])
    assert 2 == told.exit_code
    said = " ".join(told.output.split())
    assert "settings.url" in said
    assert "settings.uri" in said
    assert not (tmp_path / "data").exists()


def test_a_payer_that_is_away_is_told_without_the_token(tmp_path: Path) -> None:
    code, rows = checked("rest", "--config", str(configured(tmp_path, "http://127.0.0.1:9")), "--live")
    assert 1 == code
    assert ["settings", "outbox", "probe"] == [r["step"] for r in rows]
    assert "hush-hush" not in str(rows)


@pytest.fixture
def payer() -> RestPeer:
    return RestPeer()


async def test_a_payer_that_is_there_can_be_trusted_and_keeps_what_it_has(tmp_path: Path, payer: RestPeer) -> None:
    question = tmp_path / "question.x12"
    question.write_bytes(question_or_claims("270"))
    async with serving(payer):
        await payer.offer("a.835", answer())
        path = configured(tmp_path, f"http://127.0.0.1:{payer.port}")
        words = ("one", "--config", str(path), "--live", "--question", str(question))
        code, rows = await asyncio.to_thread(checked, *words)
    assert (0, ["yes"] * 4) == (code, [r["ok"] for r in rows])
    assert ["settings", "outbox", "probe", "question"] == [r["step"] for r in rows]
    assert ["a.835"] == list(payer.files)
    assert 1 == len(payer.taken)


def test_a_setting_may_be_written_as_toml_writes_numbers_and_truth_values(tmp_path: Path) -> None:
    """The tables of docs/adapters.md have `true` and `22`: so may a configuration and a payer's file, with quotes or without."""
    settings = (
        'url = "https://x.example", sender_id = "A", receiver_id = "B", mtom = {}, acknowledges = {}, soap_version = {}'
    )
    route = (
        '[[routes]]\nid = "one"\nadapter = "core"\nusage = "T"\nsender_id = "ALDERFP"\nreceiver_id = "BIRCHHP"\n'
        'settings = {{ {} }}\nsecrets = {{ user = "u", password = 12345 }}\n'
    )
    payer = 'id = "BIRCH"\nname = "BIRCH HEALTH PLAN"\n'
    path, own = tmp_path / "claimwire.toml", tmp_path / "birch.toml"
    read: list[dict[str, str]] = []
    for values in (("true", "false", "1.2"), ('"true"', '"false"', '"1.2"')):
        made = route.format(settings.format(*values))
        path.write_text(f'{made}[[payers]]\n{payer}routes = ["one"]\n', "utf-8")
        own.write_text(f"{payer}{made}", "utf-8")
        file = read_file(own)
        assert [] == file.faults
        read += [load(path).routes[0].settings, file.routes[0].settings]
        assert "12345" == load(path).routes[0].secrets["password"]
    assert [read[0]] * 4 == read
    own.write_text(payer + route.format(settings.format("true", "[1]", "1.2")), "utf-8")
    assert ["routes[0].settings.acknowledges: this is no text, no number, and neither true nor false"] == read_file(
        own
    ).faults

"""Who may import whom, and that the tables load."""

from __future__ import annotations

import sys
import tomllib
from typing import Any

import pytest
from importlinter.cli import lint_imports

from tests.tidy.tree import PACKAGES, ROOT, files, text
from x12 import codes, guides

PROJECT: dict[str, Any] = tomllib.loads(text("pyproject.toml"))
CONTRACTS: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
CODES = [n.rpartition("/")[2].removesuffix(".codes") for n in files() if n.endswith(".codes")]
GUIDES = [n.rpartition("/")[2] for n in files() if n.endswith(".guide")]


def test_the_floors_are_those_of_the_design() -> None:
    layers = next(c for c in CONTRACTS if c["type"] == "layers")
    assert ["tests", "gateway", "adapters | queues", "x12 | observability"] == layers["layers"]


def test_x12_is_forbidden_whatever_is_not_pure() -> None:
    forbidden = {
        m
        for c in CONTRACTS
        if c["type"] == "forbidden" and c["source_modules"] == ["x12"]
        for m in c["forbidden_modules"]
    }
    assert {
        "asyncio",
        "aiohttp",
        "apsw",
        "logging",
        "socket",
        "structlog",
        "time",
        "random",
        "subprocess",
        "threading",
    } <= forbidden


def test_the_floors_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    status = lint_imports(no_cache=True, no_logo=True)
    assert (0, "") == (status, "" if status == 0 else capsys.readouterr().out)


def test_the_wheel_holds_the_five_packages_and_no_tests() -> None:
    assert sorted(PACKAGES) == sorted(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert f"{package}/py.typed" in files()


@pytest.mark.parametrize("name", CODES)
def test_a_code_list_has_codes_with_words(name: str) -> None:
    table = codes.table(name)
    assert table
    assert [] == [code for code, words in table.items() if not code.strip() or not words.strip()]


def test_no_code_stands_in_a_list_twice() -> None:
    found: list[str] = []
    for name in CODES:
        said = [line.partition("  ")[0] for line in text(f"x12/codes/{name}.codes").splitlines() if "  " in line]
        said = [code for code in said if not code.startswith("#")]
        found += [f"{name}: {code}" for code in sorted({c for c in said if said.count(c) > 1})]
    assert [] == found


def test_every_guide_in_the_folder_is_available() -> None:
    assert set(GUIDES) == set(guides.available().values())


@pytest.mark.parametrize("key", sorted(guides.available()))
def test_a_guide_loads(key: tuple[str, ...]) -> None:
    guide = guides.load(*key)
    assert guide.root.children

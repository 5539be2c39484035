"""What the documents say is so: links lead somewhere, commands exist, tables are those of the code."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
import typer
from typer.main import get_command

from adapters.protocol import Adapter, Capabilities, Outcome
from gateway import alarms, cli, lifecycle
from gateway.api import v1
from gateway.api.server import OPERATIONS
from gateway.config import Config, DatabaseServer, Mail, Tls, load
from gateway.hours import CutOff, Maintenance
from gateway.ledger.api_keys import SCOPES
from gateway.limits import Limits
from gateway.payer_files import read_file
from gateway.payers import Expects, Payer, Route
from gateway.retry_rules import RetryRule
from observability.metrics import Metrics
from tests.tidy.tree import DOCUMENTS, PACKAGES, ROOT, blocks, files, text
from x12.documents.binding import Document
from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import decode
from x12.documents.professional_claim import ProfessionalClaim

_LINK = re.compile(r"\[[^\]]*\]\(\s*([^)\s]+)\s*\)")
_PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)}|tests|docs)/[\w./-]+)`")
_NAMED = re.compile(r"\bdocs/[\w/-]+\.md\b|(?<=\.\./)docs/[\w/-]+\.md\b")


def _anchors(name: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(name: str) -> None:
    broken: list[str] = []
    for link in _LINK.findall(text(name)):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent.joinpath(path).resolve() if path else ROOT / name
        if not target.exists() or (anchor and anchor not in _anchors(target.relative_to(ROOT).as_posix())):
            broken.append(link)
    assert [] == broken


@pytest.mark.parametrize("name", [n for n in DOCUMENTS if n != "CHANGELOG.md"])
def test_paths_that_a_document_names_exist(name: str) -> None:
    named = (p.rstrip("./") for p in _PATH.findall(text(name)))
    assert [] == [p for p in named if not (ROOT / p).exists() and "<" not in p]


def test_documents_that_the_source_names_exist() -> None:
    named = {
        (n, d) for n in files() if n.endswith((".py", ".sql", ".guide", ".codes")) for d in _NAMED.findall(text(n))
    }
    assert [] == sorted(f"{n}: {d}" for n, d in named if not (ROOT / d).exists())


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "README.md", "docs/why.md", "docs/glossary.md", "docs/nongoals.md",
                                  "docs/operations.md", "docs/adding-a-payer.md"])  # fmt: skip
def test_the_house_has_its_documents(name: str) -> None:
    assert name in files()


def test_entries_of_the_changelog_begin_with_a_package() -> None:
    entries = [line for line in text("CHANGELOG.md").splitlines() if line.startswith(("-", "*"))]
    allowed = (*PACKAGES, "tests", "docs")
    assert entries
    assert [] == [e for e in entries if not e.startswith(tuple(f"- {p}: " for p in allowed))]


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = {w for n in DOCUMENTS for w in re.findall(r"(?:^|`)make ([a-z]+)\b", text(n), re.MULTILINE)}
    assert {"demo", "test", "check", "bench"} <= named
    assert set() == named - targets


# --- the command line ----------------------------------------------------------------------------------------------------


def _commands() -> dict[tuple[str, ...], set[str]]:
    """Every command of the command line with its options."""
    found: dict[tuple[str, ...], set[str]] = {}

    def enter(command: Any, path: tuple[str, ...]) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            enter(inner, (*path, name))
        found[path] = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}

    enter(get_command(cli.app), ())
    return found


def _said_commands() -> list[tuple[str, list[str]]]:
    lines = [
        (name, line)
        for name in DOCUMENTS
        for block in blocks(name, "")
        for line in block.splitlines()
        if re.match(r"(\.venv/bin/)?claimwire\s", line)
    ]
    lines += [(name, said) for name in DOCUMENTS for said in re.findall(r"`(claimwire [^`]+)`", text(name))]
    return [(name, shlex.split(line, comments=True)[1:]) for name, line in lines]


def test_commands_in_documents_exist_with_their_options() -> None:
    known = _commands()
    wrong: list[str] = []
    for name, words in _said_commands():
        path = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known), None)
        options = {w for w in words if w.startswith("--")}
        if path is None or options - known[path]:
            wrong.append(f"{name}: claimwire {' '.join(words)}")
    assert _said_commands()
    assert [] == wrong


def test_commands_that_documents_name_are_seen() -> None:
    assert isinstance(cli.app, typer.Typer)
    assert {("serve",), ("demo",), ("trace",), ("keys", "create")} <= set(_commands())


def test_extras_that_documents_name_exist() -> None:
    there = set(tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"])
    installing = text("docs/operations.md").split("## Installing", 1)[1].split("##", 1)[0]
    assert there == set(re.findall(r"`(\w+)`\s\(", installing))
    named = {
        e
        for n in DOCUMENTS
        for said in re.findall(r"(?:claimwire|pip install [^\s]*\.)\[([\w,]+)\]", text(n))
        for e in said.split(",")
    }
    # `test` is of the package that `claimwire adapters new` writes.
    assert set() == named - there - {"test"}


# --- tables --------------------------------------------------------------------------------------------------------------


def _rows(name: str, heading: str) -> dict[str, tuple[str, ...]]:
    """The rows of the first table behind a line of a document, by their first cell."""
    behind = text(name).split(heading, 1)[1]
    found = re.search(r"^\|.*?(?=\n\n|\Z)", behind, re.MULTILINE | re.DOTALL)
    assert found is not None
    cells = [[c.strip().strip("`") for c in line.strip("|").split("|")] for line in found[0].splitlines()[2:]]
    return {row[0]: tuple(row[1:]) for row in cells}


TABLES: list[tuple[str, str, type[msgspec.Struct]]] = [
    ("docs/operations.md", "## Configuration", Config),
    ("docs/operations.md", "The limits of a key", Limits),
    ("docs/operations.md", "A payer:", Payer),
    ("docs/operations.md", "A route:", Route),
    ("docs/operations.md", "### TLS of its own", Tls),
    ("docs/operations.md", "During `maintenance`", Maintenance),
    ("docs/operations.md", "A batch leaves before a cut-off", CutOff),
    ("docs/operations.md", "## PostgreSQL and more nodes", DatabaseServer),
    ("docs/operations.md", "What a payer is expected to say", Expects),
    ("docs/operations.md", "Who is written to:", Mail),
    ("docs/batch-eligibility.md", "A payer may have rules of its own", RetryRule),
]


@pytest.mark.parametrize(("name", "heading", "kind"), TABLES)
def test_the_table_of_settings_is_that_of_the_code(name: str, heading: str, kind: type[msgspec.Struct]) -> None:
    expected: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        expected[field.encode_name] = "required" if field.required else msgspec.json.encode(default).decode()
    assert expected == {key: row[0] for key, row in _rows(name, heading).items()}


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The tables that may stand in a table, and itself."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for hint in get_type_hints(kind, include_extras=True).values():
            yield from _structs(hint)
    for inner in get_args(kind):
        yield from _structs(inner)


def test_every_key_of_the_configuration_is_in_a_document() -> None:
    tabled = {kind for _, _, kind in TABLES}
    said = set(re.findall(r"`(\w+)`", text("docs/operations.md")))
    assert (
        set() == {f.encode_name for kind in {*_structs(Config)} - tabled for f in msgspec.structs.fields(kind)} - said
    )


def test_the_table_of_scopes_is_that_of_the_code() -> None:
    found: dict[str, set[str]] = {scope: set() for scope in SCOPES}
    for one in (*OPERATIONS, v1.CLOCK):
        if one.scope:
            found[one.scope].add(one.tag)
    told = _rows("docs/operations.md", "## Keys of callers")
    assert found == {scope: set(row[0].split(", ")) for scope, row in told.items()}


def test_the_table_of_alarms_is_that_of_the_code() -> None:
    assert list(alarms.KINDS) == list(_rows("docs/operations.md", "## Alarms"))


def test_stories_are_told_in_the_words_of_the_code() -> None:
    """What a trace ends in, by the table for troubleshooting, is a fact of the life of a transaction, or its first event."""
    told = {re.match(r"\w+", row) for row in _rows("docs/operations.md", "## Troubleshooting")}
    facts = {n[0].lower() + n[1:] for n in lifecycle.__all__ if isinstance(getattr(lifecycle, n), type)}
    assert set() == {found[0] for found in told if found} - facts - {"accepted", "conflict"}


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    expected: dict[str, set[str]] = {}
    for made in vars(Metrics().registry)["_collector_to_names"]:
        for family in made.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            expected[name] = set(made._labelnames)
    told = {n: set(re.findall(r"[a-z_]+", row[0])) for n, row in _rows("docs/operations.md", "## Health").items()}
    assert expected == told


def test_paths_in_the_readme_are_served() -> None:
    served = {p for o in (*OPERATIONS, v1.CLOCK) for p in o.paths}
    served |= {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
    patterns = [re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(p)) + "/?") for p in served]
    said = re.findall(r"(?:127\.0\.0\.1:8080|`)(/[\w./$-]+)", text("README.md"))
    assert said
    assert [] == [p for p in said if not any(pattern.fullmatch(p) for pattern in patterns)]


# --- examples ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "kind"), [("eligibility/v3", EligibilityRequest), ("submission", ProfessionalClaim)])
def test_bodies_in_the_readme_are_read_without_a_finding(path: str, kind: type[Document]) -> None:
    block = next(b for b in blocks("README.md", "") if path in b and "-d '" in b)
    document, findings = decode(kind, block.split("-d '")[1].rstrip().rstrip("'").encode())
    assert (True, []) == (document is not None, list(findings))


def test_bodies_in_the_readme_say_nothing_that_is_ignored() -> None:
    for path, kind in (("eligibility/v3", EligibilityRequest), ("submission", ProfessionalClaim)):
        block = next(b for b in blocks("README.md", "") if path in b and "-d '" in b)
        said = msgspec.json.decode(block.split("-d '")[1].rstrip().rstrip("'"))
        assert said == _without_absent(msgspec.to_builtins(msgspec.convert(said, kind)))


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_absent(v) for k, v in value.items() if v is not None}  # pyright: ignore[reportUnknownVariableType]
    return [_without_absent(v) for v in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


@pytest.mark.parametrize("name", [n for n in DOCUMENTS if blocks(n, "toml")])
def test_configurations_in_a_document_load(name: str, tmp_path: Path) -> None:
    for block in blocks(name, "toml"):
        if "project" in tomllib.loads(block):
            continue
        path = tmp_path / "claimwire.toml"
        path.write_text(block, "utf-8")
        if "id" in tomllib.loads(block):
            assert [] == read_file(path).faults
            continue
        loaded = load(path)
        assert loaded.directory.payers or loaded.tls or loaded.database


def test_the_adapter_in_the_walk_through_is_one() -> None:
    (source,) = blocks("docs/adding-a-payer.md", "python")
    made: dict[str, Any] = {"__name__": "birch"}
    exec(compile(source, "docs/adding-a-payer.md", "exec"), made)
    assert isinstance(made["adapter"].name, str)
    assert isinstance(made["adapter"].capabilities, Capabilities)
    for method in ("send", "collect", "settle", "probe"):
        promised, kept = (inspect.signature(getattr(one, method)) for one in (Adapter, made["Birch"]))
        assert promised == kept


def test_the_table_of_outcomes_is_that_of_the_protocol() -> None:
    told = set(_rows("docs/adding-a-payer.md", "## 3. One honest answer"))
    assert {o.__name__ for o in get_args(Outcome)} == {t.partition("(")[0] for t in told}

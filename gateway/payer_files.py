"""Payers as files: one TOML a payer, read with every fault at once. Its routes are named, or stand in the file as tables.

A file says of a payer what `Payer` has; each of its `routes` is the id of a route of the configuration, or a table with what
`Route` has, whose id is then its own.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from adapters import registry
from gateway.payers import Payer, Route
from gateway.tables import read_table, read_texts

__all__ = ["PayerFile", "content_of", "from_content", "read_file", "read_folder", "shown", "signature", "template"]

_BYTES_MAX = 1 << 20


class PayerFile(msgspec.Struct, frozen=True):
    """One file: the payer it describes and the routes of its own, or why it cannot be used."""

    name: str
    payer: Payer | None
    routes: list[Route]
    faults: list[str]


class _Content(msgspec.Struct):
    payer: Payer
    routes: list[Route]


def signature(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells whether a file of the folder has changed: names, times and sizes. An absent folder is an empty one."""
    try:
        found = [(p.name, p.stat()) for p in folder.iterdir() if p.suffix == ".toml"]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in found))


def read_folder(folder: Path) -> list[PayerFile]:
    """Every file of the folder, by name."""
    return [read_file(folder / name) for name, _, _ in signature(folder)]


def read_file(path: Path) -> PayerFile:
    """One file, judged by itself: keys, values, and the settings of its adapters."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            return PayerFile(path.name, None, [], [f"the file has more than {_BYTES_MAX} bytes"])
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        return PayerFile(path.name, None, [], [f"{error.strerror}"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return PayerFile(path.name, None, [], [f"this is no TOML: {error}"])
    return _read(path.name, raw)


def _read(name: str, raw: dict[str, Any]) -> PayerFile:
    routes: list[Route] = []
    faults: list[str] = []
    told: Any = raw.get("routes")
    if isinstance(told, list):
        named: list[Any] = []
        for index, one in enumerate(told):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if not isinstance(one, dict):
                named.append(one)
                continue
            where = f"routes[{index}]"
            route, found = read_table(one, Route, where)  # pyright: ignore[reportUnknownArgumentType]
            faults += found
            named.append(str(one.get("id", where)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            if route is not None:
                routes.append(route)
            faults += _adapter_faults(one, where)  # pyright: ignore[reportUnknownArgumentType]
        raw = {**raw, "routes": named}
    payer, found = read_table(raw, Payer)
    faults = [*found, *faults]
    return PayerFile(name, None if faults else payer, [] if faults else routes, faults)


class _Adapted(msgspec.Struct):
    """What of a route is the affair of its adapter."""

    adapter: str
    settings: dict[str, Any] = {}
    secrets: dict[str, Any] = {}


def _adapter_faults(raw: dict[str, Any], where: str) -> list[str]:
    """What the adapter of a route says of its settings and secrets, also where other keys are wrong."""
    try:
        said = msgspec.convert(raw, _Adapted)
        faults: list[str] = []
        settings, secrets = read_texts(said.settings, "settings", faults), read_texts(said.secrets, "secrets", faults)
        # What is no text is told where the route is read.
        return [] if faults else [f"{where}.{fault}" for fault in registry.problems(said.adapter, settings, secrets)]
    except msgspec.ValidationError:
        return []
    except registry.UnknownAdapter as error:
        return [f"{where}.adapter: {error}"]


def content_of(payer: Payer, routes: list[Route]) -> bytes:
    """What holds of a payer, in one order of keys, so that the same data are the same bytes."""
    return msgspec.json.encode(_Content(payer, sorted(routes, key=lambda r: r.id)), order="sorted")


def from_content(name: str, content: bytes) -> PayerFile | None:
    """What a file said when it was last good; None where this release cannot read it any more."""
    try:
        kept = msgspec.json.decode(content, type=_Content)
    except msgspec.DecodeError:
        return None
    return PayerFile(name, kept.payer, kept.routes, [])


def template(payer_id: str, name: str) -> str:
    """A file to begin with: what must be said, and what is worth saying."""
    return f'''# {name}: docs/operations.md says what every key means.
id = "{payer_id}"
name = "{name}"
aliases = []                    # other ids that callers use for it
names = []                      # other names that it is looked for by
# coverage_types = ["medical"]
# operating_states = ["OR", "WA"]

# The ways to it, in order: a table here, or the id of a route of the configuration.
[[routes]]
id = "{payer_id.lower()}"
adapter = "rest"
usage = "T"                     # "P" once the payer has agreed
sender_id = "YOURID"            # as the payer knows you
receiver_id = "{payer_id}"
duplicates = "none"             # how the payer knows a copy: none, isa13, idempotency_key
settings = {{ url = "https://payer.example/x12" }}
# secrets = {{ token = "..." }}
# requests_per_second = 5
# concurrent = 4
# maintenance = [{{ days = ["sun"], begins = "01:00", ends = "05:00", time_zone = "America/New_York" }}]
# cut_offs = [{{ at = "21:00", time_zone = "America/New_York" }}]

# [transactions]
# claim_status = "not_supported"
# claim_payment = "enrollment_required"

# [[eligibility_retries]]
# codes = ["42"]
# first_minutes = 15
'''


def shown(content: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What was kept of a payer and its routes, as it may be shown: of a secret its name alone."""
    kept = msgspec.json.decode(content)
    for route in kept["routes"]:
        route["secrets"] = dict.fromkeys(route.get("secrets", {}), "(kept)")
    return kept["payer"], kept["routes"]

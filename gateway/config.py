"""The configuration: one TOML file, every key checked, a suggestion for each that is not known."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gateway.limits import Limits
from gateway.payers import Directory, Payer, Route

__all__ = ["Config", "ConfigError", "load"]


class ConfigError(ValueError):
    """The configuration cannot be used; the message says which key and what to do."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How this installation runs. Folders are relative to the file."""

    data: str = "claimwire-data"
    host: str = "127.0.0.1"
    port: int = 8080
    log_level: str = "INFO"
    body_bytes_max: int = 100 << 20
    json_bytes_max: int = 10 << 20
    # Of all requests together: past this, bodies are refused with 503 instead of filling the memory.
    bodies_bytes_max: int = 256 << 20
    # What each key may ask; and keys, by their id, that may ask more or less.
    limits: Limits = Limits()
    limits_of_keys: dict[str, Limits] = {}
    # Past this an eligibility or status request is answered 202, and goes on.
    answer_seconds: float = 20
    work_concurrency: int = 16
    # Processes that write and read X12 beside the server; by default one for each core but one, at most four.
    judges: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = None
    payers: list[Payer] = []
    routes: list[Route] = []

    @property
    def directory(self) -> Directory:
        return Directory(self.payers, self.routes)


def load(path: Path | None) -> Config:
    """The configuration in a file, or the defaults without one. ConfigError says what is wrong and where."""
    if path is None:
        return Config()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path.name}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: {error}") from error
    _known(raw, Config, path.name)
    for name, kind in (("payers", Payer), ("routes", Route)):
        for index, item in enumerate(raw.get(name, [])):
            _known(item, kind, f"{path.name}: {name}[{index}]")
    try:
        config = msgspec.convert(raw, Config)
        Directory(config.payers, config.routes)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{path.name}: {error}") from error
    return config


def _known(item: dict[str, Any], kind: type[msgspec.Struct], where: str) -> None:
    fields = {f.encode_name for f in msgspec.structs.fields(kind)}
    for key in item:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f": did you mean {near[0]!r}?" if near else f": the keys are {', '.join(sorted(fields))}"
            raise ConfigError(f"{where}: {key!r} is not a key{hint}")

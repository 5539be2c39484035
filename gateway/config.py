"""The configuration: one TOML file, every key checked, a suggestion for each that is not known."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.limits import Limits
from gateway.payers import Directory, Payer, Route
from gateway.tables import read_table

__all__ = ["Config", "ConfigError", "DatabaseServer", "Mail", "Tls", "load"]


class ConfigError(ValueError):
    """The configuration cannot be used; the message says which key and what to do."""


class Mail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is written to about alarms, and by which server (SMTP)."""

    host: str
    sender: str
    to: Annotated[list[str], msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"<Mail {self.host}>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        # Rich, which tracebacks are printed with, would else show the password.
        return [("host", self.host)]


class DatabaseServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where ledger and queue are kept, shared by all nodes: a PostgreSQL database, as a URL (libpq's form)."""

    url: str
    # Connections of each node that only read; beside them it has one that writes and one that listens.
    readers: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4

    def __post_init__(self) -> None:
        if not self.url.startswith(("postgresql://", "postgres://")):
            raise ValueError("url is not postgresql://user@host:5432/name")

    def __repr__(self) -> str:
        return "<DatabaseServer>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        # The URL may hold a password.
        return []


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS of the server's own, and callers over CORE who are known by a certificate. Files are PEM, and read at the start."""

    # The server's certificate with its chain, and its key.
    certificate: str
    key_password: str = ""
    # Id of a key -> files of the certificates by which a caller is taken for who has that key.
    certificates_of_keys: dict[str, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}

    def __repr__(self) -> str:
        return f"<Tls {self.certificate}>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        # Rich, which tracebacks are printed with, would else show the password.
        return [("certificate", self.certificate)]


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
    # Claims of one file of raw X12: what it is judged in, and answered with, grows with them.
    file_claims_max: Annotated[int, msgspec.Meta(ge=1)] = 5_000
    # Requests of all keys under way together; past this, and past a key's share where it is crowded, they are refused with 503.
    requests_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2_000
    # So much room on the data folder's disk is kept for what was taken: with less no new work is.
    disk_reserve_bytes: Annotated[int, msgspec.Meta(ge=0)] = 64 << 20
    # What each key may ask; and keys, by their id, that may ask more or less.
    limits: Limits = Limits()
    limits_of_keys: dict[str, Limits] = {}
    # Past this an eligibility or status request is answered 202, and goes on.
    answer_seconds: float = 20
    work_concurrency: int = 16
    # Processes that write and read X12 beside the server; by default one for each core but one, at most four.
    judges: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = None
    # A PostgreSQL server that many nodes share; without one, the data folder has a database of its own, for one process.
    database: DatabaseServer | None = None
    # TLS without a proxy in front, and callers over CORE who show a certificate; by itself plain HTTP.
    tls: Tls | None = None
    # Who is written to about alarms; nobody by itself.
    mail: Mail | None = None
    # Networks inside which webhooks may go to, also without TLS: by default none but public ones are reached.
    webhook_networks: list[str] = []
    # One file a payer, read again when one changes; in the data folder where the path is relative.
    payers_folder: str = "payers"
    payers: list[Payer] = []
    routes: list[Route] = []

    @property
    def webhook_reach(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """`webhook_networks` as networks; ValueError names one that is none."""
        return [ipaddress.ip_network(text) for text in self.webhook_networks]

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
    config, faults = read_table(raw, Config)
    if config is not None:
        try:
            _ = config.directory, config.webhook_reach
        except ValueError as error:
            faults.append(str(error))
    if config is None or faults:
        raise ConfigError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return config

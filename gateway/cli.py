"""The command line: thin over the service. Every command that prints data takes `--json`."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Coroutine
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gateway.adapters_cli import app as adapters
from gateway.backup_cli import add_to as add_backups
from gateway.codes_cli import app as codes
from gateway.configured import configured
from gateway.follow_up_cli import app as follow_up
from gateway.ops_cli import alarms, in_doubt, lanes, unmatched
from gateway.payers_cli import app as payers
from gateway.simulate_cli import simulate
from gateway.terminal import cells, print_json
from gateway.x12_cli import app as x12

if TYPE_CHECKING:
    from gateway.config import Config

__all__ = ["main"]

# Frames with their locals would show what requests carry.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Claimwire: a self-hosted clearinghouse.",
)
keys = typer.Typer(no_args_is_help=True, help="Keys of callers.")
app.add_typer(keys, name="keys")
app.add_typer(x12, name="x12")
app.add_typer(codes, name="codes")
app.add_typer(adapters, name="adapters")
app.add_typer(payers, name="payers")
app.add_typer(in_doubt, name="in-doubt")
app.add_typer(unmatched, name="unmatched")
app.add_typer(lanes, name="lanes")
app.add_typer(alarms, name="alarms")
app.add_typer(follow_up, name="follow-up")
add_backups(app)
app.command()(simulate)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file (TOML).")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OURS = ("gateway", "adapters", "x12", "queues", "observability")


def main() -> None:
    """The entry point: refuses to start beside somebody else's packages of the same names."""
    stray = foreign_packages()
    if stray:
        names = ", ".join(stray)
        sys.exit(
            f"Another distribution installed a package called {names}: install Claimwire into an environment of its own."
        )
    # What is made here holds keys and sealed data: it is for its owner only. A core would hold them, and patients' data, open.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        app()
    except Exception as error:
        from queues.database import DatabaseError, Unreachable

        if not isinstance(error, DatabaseError):
            raise
        sys.stderr.write(f"{error}\n")
        sys.exit(os.EX_TEMPFAIL if isinstance(error, Unreachable) else 1)


def foreign_packages() -> list[str]:
    """Which of the five package names belong to somebody else here."""
    home = Path(__file__).resolve().parent.parent
    found: list[str] = []
    for name in OURS:
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        if not places or Path(places[0]).resolve().parent != home:
            found.append(name)
    return found


def _configured(
    config: Path | None, data: Path | None, host: str | None = None, port: int | None = None
) -> tuple[Config, Path]:
    from observability import log

    loaded, folder = configured(config, data)
    changes = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    loaded = msgspec.structs.replace(loaded, **changes)
    log.configure(loaded.log_level)
    return loaded, folder


def _usable(config: Config) -> None:
    """Every fault of every route's settings, before anything is opened. One whose adapter is gone or broken keeps its work waiting."""
    from adapters import registry

    faults: list[str] = []
    for route in config.routes:
        with contextlib.suppress(registry.UnknownAdapter):
            found = registry.problems(route.adapter, route.settings, route.secrets)
            faults += [f"route {route.id}: {fault}" for fault in found]
    if config.tls is not None:
        from gateway.api.certificates import server_tls

        try:
            server_tls(config.tls)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise typer.BadParameter("\n".join(faults))


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    # Who only looks at a file does not wait for what a service needs.
    import asyncio

    from gateway.code_files import CodeFileError
    from gateway.companion_files import CompanionFileError
    from gateway.runtime import KeyMissing
    from queues.database import DatabaseError, Unreachable

    try:
        asyncio.run(coroutine)
    except Unreachable as error:
        # Nothing is wrong with how it was called: whoever starts services may start it again.
        typer.echo(f"claimwire: {error}. It may be well at another start.", err=True)
        raise typer.Exit(os.EX_TEMPFAIL) from error
    except (DatabaseError, KeyMissing, CodeFileError, CompanionFileError) as error:
        raise typer.BadParameter(str(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def serve(
    config: ConfigOption = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one.")] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="With a sandbox payer, and a key to try it.")] = False,
    sandbox_url: Annotated[str | None, typer.Option(help="Use a sandbox payer that runs elsewhere.")] = None,
) -> None:
    """API and worker in one process."""
    from gateway.serving import serve as run

    loaded, folder = _configured(config, data, host, port)
    _usable(loaded)
    _run(run(loaded, folder, sandbox=sandbox, sandbox_url=sandbox_url))


@app.command()
def worker(config: ConfigOption = None, data: DataOption = None) -> None:
    """A worker without the API: one more node on the PostgreSQL database that the configuration names."""
    from gateway.serving import work

    loaded, folder = _configured(config, data)
    if loaded.database is None:
        raise typer.BadParameter("more than one node needs PostgreSQL: name it in the configuration ([database] url)")
    _usable(loaded)
    _run(work(loaded, folder))


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Where to keep the demo; a fresh folder by default.")
    ] = None,
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.")] = 8080,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Go on serving afterwards (default: on a terminal).")
    ] = None,
) -> None:
    """The whole story against the sandbox payer, over real sockets, in a minute."""
    from gateway.demo import run

    _run(run(data, port, sys.stdout.isatty() if keep is None else keep))


@app.command()
def sandbox(
    data: Annotated[Path, typer.Option("--data", help="Where the sandbox payer keeps its state.")] = Path(
        "claimwire-sandbox"
    ),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.")] = 8090,
    sftp_port: Annotated[
        int | None, typer.Option(help="A port for SFTP, too; 0 takes a free one. Without it there is none.")
    ] = None,
) -> None:
    """The sandbox payer by itself, to point any clearinghouse software at."""
    from adapters.sandbox.server import serve as run

    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run(run(data / "sandbox.db", host, port, sftp_port))


@app.command()
def trace(
    transaction_id: str,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show raw segments with patients' data.")] = False,
) -> None:
    """The story of a transaction: events, envelopes and, with --reveal, raw segments."""
    from gateway.telling import trace as run

    loaded, folder = _configured(config, data)
    _run(run(loaded, folder, transaction_id, as_json=as_json, reveal=reveal))


@keys.command("create")
def keys_create(
    name: str,
    scope: Annotated[list[str] | None, typer.Option(help="What the key may do; all by default.")] = None,
    days: Annotated[float | None, typer.Option(help="For how long; without end by default.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A new key. Its token is told this once."""
    from gateway.ledger import api_keys

    loaded, folder = _configured(config, data)
    scopes = scope or list(api_keys.SCOPES)

    async def run() -> None:
        from gateway.runtime import TENANT, open_runtime

        runtime = await open_runtime(loaded, folder, exclusive=False)
        now = runtime.world.micros()
        expires = now + timedelta(days=days) // timedelta(microseconds=1) if days is not None else None
        try:
            token, made = await runtime.database.write(
                lambda tx: api_keys.create(tx, runtime.vault, TENANT, name, scopes, now, expires)
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        finally:
            await runtime.close()
        if as_json:
            print_json({"token": token, "keyId": made.key_id, "scopes": sorted(made.scopes)})
        else:
            typer.echo(token)

    _run(run())


@keys.command("list")
def keys_list(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Keys and what they may do."""
    loaded, folder = _configured(config, data)

    async def run() -> None:
        from gateway.ledger import api_keys
        from gateway.runtime import TENANT, open_runtime
        from gateway.views import moment

        runtime = await open_runtime(loaded, folder, exclusive=False)
        try:
            found = await runtime.database.read(lambda tx: api_keys.keys_of(tx, TENANT))
        finally:
            await runtime.close()
        rows = [
            (k.key_id, k.name, " ".join(sorted(k.scopes)), moment(k.expires_at) or "", moment(k.revoked_at) or "")
            for k in found
        ]
        if as_json:
            print_json([dict(zip(("keyId", "name", "scopes", "expiresAt", "revokedAt"), r, strict=True)) for r in rows])
            return
        from rich.console import Console
        from rich.table import Table

        table = Table("key", "name", "scopes", "expires", "revoked")
        for row in rows:
            table.add_row(*cells(row))
        Console().print(table)

    _run(run())


@keys.command("revoke")
def keys_revoke(key_id: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """End a key at once."""
    loaded, folder = _configured(config, data)

    async def run() -> None:
        from gateway.ledger import api_keys
        from gateway.runtime import TENANT, open_runtime

        runtime = await open_runtime(loaded, folder, exclusive=False)
        try:
            ended = await runtime.database.write(lambda tx: api_keys.revoke(tx, TENANT, key_id, runtime.world.micros()))
        finally:
            await runtime.close()
        if not ended:
            raise typer.BadParameter("there is no such key, or it has ended")
        typer.echo("revoked")

    _run(run())

"""`claimwire payers`: which payers there are, what holds of one, whether their files can be used, and a file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.configured import configured
from gateway.terminal import cells, print_json

if TYPE_CHECKING:
    from adapters.protocol import Capabilities
    from gateway.config import Config
    from gateway.payer_files import PayerFile
    from gateway.payers import Directory, Payer, Route, Support

__all__ = ["app", "read_payers"]

app = typer.Typer(no_args_is_help=True, help="Payers: which there are, and the files that describe them.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file (TOML).")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _configured(config: Path | None, data: Path | None) -> tuple[Config, Path]:
    """The configuration, and the folder of payers."""
    loaded, folder = configured(config, data)
    return loaded, folder / loaded.payers_folder


def read_payers(config: Path | None, data: Path | None) -> tuple[Directory, list[PayerFile], dict[str, str]]:
    """The directory as a server would have it, the files with their faults, and where each payer is from."""
    from gateway.payer_files import read_folder
    from gateway.payer_folder import CONFIGURATION, take_in

    loaded, folder = _configured(config, data)
    directory = loaded.directory
    sources = dict.fromkeys(directory.payers, CONFIGURATION)
    files: list[PayerFile] = []
    for file in read_folder(folder):
        faults = file.faults or take_in(directory, file)
        files.append(msgspec.structs.replace(file, faults=faults))
        if not faults and file.payer is not None:
            sources[file.payer.id] = file.name
    return directory, files, sources


def _can(route: Route) -> Capabilities:
    """What the adapter of a route can do; nothing where it cannot be loaded."""
    from adapters import registry
    from adapters.protocol import Capabilities

    try:
        return registry.load(route.adapter).capabilities
    except registry.UnknownAdapter:
        return Capabilities()


@app.command("list")
def payers_list(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Every payer, its ways, and what it takes."""
    from rich.console import Console
    from rich.table import Column, Table

    from gateway.payer_records import supports, together

    directory, files, sources = read_payers(config, data)

    def taken_by(payer: Payer) -> dict[str, Support]:
        ways = directory.ways(payer)
        return supports(payer, together(_can(route) for route in ways))

    rows = [
        {
            "id": payer.id,
            "name": payer.name,
            "aliases": list(payer.aliases),
            "routes": list(payer.routes),
            "transactions": taken_by(payer),
            "source": sources[payer.id],
        }
        for payer in sorted(directory.payers.values(), key=lambda p: p.id)
    ]
    if as_json:
        print_json(rows)
    else:
        table = Table(Column("id", no_wrap=True), "name", "aliases", "routes", "takes", "from")
        for row, payer in zip(rows, sorted(directory.payers.values(), key=lambda p: p.id), strict=True):
            taken = taken_by(payer)
            takes = ", ".join(name.replace("_", " ") for name, how in taken.items() if how != "not_supported")
            aliases, routes = ", ".join(payer.aliases), ", ".join(payer.routes)
            table.add_row(*cells((payer.id, payer.name, aliases, routes, takes, str(row["source"]))))
        Console().print(table)
    for file in files:
        if file.faults:
            typer.echo(f"{file.name} is left out: see claimwire payers check", err=True)


@app.command("show")
def payers_show(
    payer_id: Annotated[str, typer.Argument(metavar="PAYER", help="Its id, or an alias.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What holds of a payer, its ways included; of a secret its name alone."""
    from gateway.payer_files import content_of, shown
    from gateway.payers import UnknownPayer

    directory, _, sources = read_payers(config, data)
    try:
        payer = directory.find(payer_id)
    except UnknownPayer as error:
        raise typer.BadParameter(str(error)) from error
    told, routes = shown(content_of(payer, [directory.routes[name] for name in payer.routes]))
    value = {"source": sources[payer.id], "payer": told, "routes": routes}
    if as_json:
        print_json(value)
        return
    typer.echo(f"{payer.id}  {payer.name}  (from {sources[payer.id]})")
    for key, said in told.items():
        typer.echo(f"  {key} = {msgspec.json.encode(said).decode()}")
    for route in routes:
        typer.echo(f"  route {route['id']}")
        for key, said in route.items():
            if key != "id":
                typer.echo(f"    {key} = {msgspec.json.encode(said).decode()}")


@app.command("check")
def payers_check(
    files: Annotated[list[Path] | None, typer.Argument(help="Files to check; those of the folder by default.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether files of payers can be used, every fault at once. Exit code 1 where one cannot."""
    from gateway.payer_files import read_file
    from gateway.payer_folder import take_in

    if files:
        loaded, _ = _configured(config, data)
        directory, read = loaded.directory, [read_file(path) for path in files]
        read = [msgspec.structs.replace(f, faults=f.faults or take_in(directory, f)) for f in read]
    else:
        _, read, _ = read_payers(config, data)
    if as_json:
        print_json([{"file": f.name, "payer": f.payer.id if f.payer else None, "errors": f.faults} for f in read])
    else:
        for file in read:
            typer.echo(f"{file.name}: {'good' if not file.faults else f'{len(file.faults)} errors'}")
            for fault in file.faults:
                typer.echo(f"  {fault}")
        if not read:
            typer.echo("there are no files of payers")
    if any(f.faults for f in read):
        raise typer.Exit(1)


@app.command("new")
def payers_new(
    payer_id: Annotated[str, typer.Argument(metavar="ID", help="The id that callers and X12 name.")],
    name: Annotated[str, typer.Option(help="As it stands in NM103.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A file for a payer, to fill in. A server that runs takes it as soon as it is there."""
    import re

    from gateway.payer_files import read_file, template

    _, folder = _configured(config, data)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", payer_id):
        raise typer.BadParameter("an id has letters, digits, hyphens and underscores, 80 at most")
    if re.search(r'[\x00-\x1f"\\]', name):
        raise typer.BadParameter("a name has no quotes, backslashes or control characters")
    path = folder / f"{payer_id.lower()}.toml"
    if path.exists():
        raise typer.BadParameter(f"{path.name} is there already")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A server may look at any moment: the file is whole when it gets its name.
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(template(payer_id, name), "utf-8")
    part.rename(path)
    faults = read_file(path).faults
    if as_json:
        print_json({"file": str(path), "errors": faults})
    else:
        typer.echo(f"{path}: fill it in, then claimwire payers check")

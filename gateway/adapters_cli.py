"""`claimwire adapters`: which there are, a folder for a new one, and whether a configured one can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.terminal import print_json

if TYPE_CHECKING:
    from adapters.protocol import Adapter, Context, Outcome
    from gateway.payers import Route

__all__ = ["app", "written"]

app = typer.Typer(no_args_is_help=True, help="How payers are reached.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_TEMPLATES = Path(__file__).parent / "templates" / "adapter"
# Where each template goes in the new package.
_PLACES = {
    "pyproject.toml.txt": "pyproject.toml",
    "adapter.py.txt": "claimwire_NAME/__init__.py",
    "README.md.txt": "claimwire_NAME/README.md",
    "test_contract.py.txt": "tests/test_contract.py",
}


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every adapter there is, of this tree and of installed packages, and what it can do."""
    from adapters import registry
    from adapters.protocol import Capabilities

    rows: list[dict[str, str]] = []
    for name, where in sorted(registry.available().items()):
        try:
            made = registry.load(name)
        except registry.BrokenAdapter as error:
            can, summary = Capabilities(), str(error)
        else:
            can, summary = made.capabilities, made.manifest.summary
        rows.append(
            {
                "adapter": name,
                "summary": summary,
                "realTime": " ".join(sorted(can.real_time)),
                "batch": " ".join(sorted(can.batch)),
                "collects": "yes" if can.collects else "",
                "probes": "yes" if can.probes else "",
                "from": where,
            }
        )
    _print(rows, as_json)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What routes will call it: lower case letters, digits and _.")],
    into: Annotated[Path, typer.Option(help="The folder that gets the new package.")] = Path(),
) -> None:
    """A package of your own with an adapter that passes the contract; what is yours to fill in is told."""
    from adapters import registry

    if not (name.isidentifier() and name.isascii() and name == name.lower()):
        raise typer.BadParameter("a name has lower case letters, digits and _, and begins with a letter")
    if name in registry.available():
        raise typer.BadParameter(f"there is an adapter {name!r} already")
    folder = into / f"claimwire-{name}"
    if folder.exists():
        raise typer.BadParameter(f"{folder} is there already: nothing was written")
    for place, content in written(name).items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    typer.echo(f"{folder} has an adapter that passes the contract: cd {folder} && pip install '.[test]' && pytest")
    typer.echo(f"Yours to fill in: claimwire_{name}/README.md (the exchange), claimwire_{name}/__init__.py (its code),")
    typer.echo("tests/test_contract.py (the payer as it behaves). Then: docs/adding-a-payer.md, from 3.")


def written(name: str) -> Mapping[str, str]:
    """Path in the new package -> content."""
    spoken = "".join(part.capitalize() for part in name.split("_"))
    return {
        place.replace("NAME", name): (_TEMPLATES / template)
        .read_text("utf-8")
        .replace("NAME", name)
        .replace("CLASS", spoken)
        for template, place in _PLACES.items()
    }


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="An adapter, or the id of a route.")],
    config: Annotated[Path | None, typer.Option("--config", help="The configuration file (TOML).")] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the payer itself; changes nothing there.")] = False,
    question: Annotated[
        Path | None, typer.Option(help="With --live: a 270 or 276 to ask, in X12. Claims are never sent.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether the routes of an adapter can be used, those in files of payers too: their settings, and with --live the payer itself. Exit 1: one cannot."""
    from adapters import registry
    from gateway.payers_cli import read_payers

    directory, files, _ = read_payers(config, data)
    routes = [r for r in directory.routes.values() if name in (r.id, r.adapter)]
    broken = [file.name for file in files if file.faults]
    if not routes:
        left_out = f"; {', '.join(broken)} left out: see claimwire payers check" if broken else ""
        raise typer.BadParameter(f"no route is called {name!r} or has such an adapter{left_out}")
    asked = question.read_bytes() if question is not None else None
    rows: list[dict[str, str]] = []
    for route in routes:
        try:
            faults = registry.problems(route.adapter, route.settings, route.secrets)
        except registry.UnknownAdapter as error:
            faults = [str(error)]
        rows += [{"route": route.id, "step": "settings", "result": fault, "ok": ""} for fault in faults]
        if not faults:
            rows.append({"route": route.id, "step": "settings", "result": "can be used", "ok": "yes"})
        if live and not faults:
            rows += asyncio.run(_asked(route, asked))
    _print(rows, as_json)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


async def _asked(route: Route, question: bytes | None) -> list[dict[str, str]]:
    """What the payer says: its outbox, looked at and left as it is; whether it knows what it never got; an answer."""
    from adapters import registry
    from adapters.protocol import Context
    from adapters.transports.session import open_session
    from gateway.world import SystemWorld

    adapter = registry.load(route.adapter)
    async with open_session() as session:
        context = Context(route.settings, route.secrets, session, SystemWorld().now, route.deadline_seconds)
        steps = [await _collected(adapter, context), await _probed(adapter, context)]
        if question is not None:
            steps.append(await _answered(adapter, context, question))
    return [
        {"route": route.id, "step": step, "result": said, "ok": "yes" if ok else ""} for step, said, ok in steps if said
    ]


async def _collected(adapter: Adapter, context: Context) -> tuple[str, str, bool]:
    if not adapter.capabilities.collects:
        return "outbox", "", True
    count = size = 0
    try:
        async with aclosing(adapter.collect(context)) as files:
            async for one in files:
                count, size = count + 1, size + len(one.payload)
    except Exception as error:
        return "outbox", f"{type(error).__name__}: {error}", False
    return "outbox", f"{count} files of {size} bytes, left where they are", True


async def _probed(adapter: Adapter, context: Context) -> tuple[str, str, bool]:
    if not adapter.capabilities.probes:
        return "probe", "", True
    from adapters.protocol import Outbound

    never = Outbound("00000000-0000-7000-8000-000000000000", "837", "000000000", b"", sha256(b"").hexdigest())
    evidence = await adapter.probe(never, context)
    # Who says that it has what nobody sent would have claims taken for delivered that are not.
    return "probe", f"of something never sent: {evidence}", evidence != "received"


async def _answered(adapter: Adapter, context: Context, question: bytes) -> tuple[str, str, bool]:
    from adapters.protocol import Outbound, Replied
    from x12.envelope import read

    sets = [s for i in read(question, levels=(1,)) for s in i.sets]
    kinds = {s.set_id for s in sets}
    if not sets or len(kinds) > 1 or not kinds <= adapter.capabilities.real_time:
        return "question", "send one interchange of 270 or 276 that this adapter asks in real time", False
    digest = sha256(question).hexdigest()
    number = sets[0].group.interchange.control_number if sets[0].group is not None else ""
    outcome: Outcome = await adapter.send(
        Outbound(f"check-{digest[:24]}", kinds.pop(), number, question, digest), context
    )
    return "question", repr(outcome), isinstance(outcome, Replied)


def _print(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(rows[0] if rows else ("nothing",)))
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)

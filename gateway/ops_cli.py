"""Commands for whoever is on call: interchanges in doubt, and files that match nothing. Thin over the inboxes."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.configured import configured
from gateway.terminal import cells, plain, print_json

if TYPE_CHECKING:
    from gateway.runtime import Runtime

__all__ = [
    "ByOption",
    "ConfigOption",
    "DataOption",
    "JsonOption",
    "LimitOption",
    "WhyOption",
    "alarms",
    "beside",
    "in_doubt",
    "lanes",
    "table",
    "unmatched",
    "who",
]

T = TypeVar("T")
_LINE_MAX = 10_000

in_doubt = typer.Typer(no_args_is_help=True, help="Interchanges of which nobody knows whether the payer has them.")
alarms = typer.Typer(no_args_is_help=True, help="What a person should look at.")
lanes = typer.Typer(no_args_is_help=True, help="How the routes to payers stand.")
unmatched = typer.Typer(no_args_is_help=True, help="Files from payers that match nothing, or contradict themselves.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file (TOML).")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why, in a sentence; it is kept sealed.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who decides; the user of the machine by itself.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]


def beside(config: Path | None, data: Path | None, act: Callable[[Runtime], Awaitable[T]]) -> T:
    """Do something with the ledger, beside a server that may be running on the same folder."""
    from gateway.alarms import NoAlarm
    from gateway.follow_ups import NoClaim, NotListed, NotOpen
    from gateway.inboxes import NotInDoubt, NotThere
    from gateway.lanes import NoRoute
    from gateway.payers_cli import read_payers
    from gateway.runtime import KeyMissing, open_runtime
    from observability import log

    loaded, folder = configured(config, data)
    log.configure(loaded.log_level)

    async def run() -> T:
        runtime = await open_runtime(loaded, folder, exclusive=False)
        try:
            runtime.directory, _, _ = read_payers(config, data)
            return await act(runtime)
        finally:
            await runtime.close()

    try:
        return asyncio.run(run())
    except (KeyMissing, NotThere, NotInDoubt, NoRoute, NoAlarm, NoClaim, NotListed, NotOpen, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows under their names: what does not fit a terminal is folded, never cut; elsewhere each row is a line."""
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for name in names:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*cells(row))
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=_LINE_MAX)).print(made)


def who(by: str | None) -> str:
    """Who decides: the user of the machine where nobody is named."""
    return by or getpass.getuser()


@in_doubt.command("list")
def in_doubt_list(
    config: ConfigOption = None, data: DataOption = None, limit: LimitOption = 200, as_json: JsonOption = False
) -> None:
    """What is in doubt or held, longest first; those whose time to decide has passed are marked."""
    from gateway.inboxes import Inboxes

    page = beside(config, data, lambda runtime: Inboxes(runtime).in_doubt(limit=limit))
    if as_json:
        print_json(page)
        return
    rows = [
        (
            i.interchange_id,
            i.control_number,
            i.route_id,
            i.state,
            str(i.claims),
            i.since,
            i.decide_by + (" (overdue)" if i.overdue else ""),
        )
        for i in page.items
    ]
    table(("interchange", "ISA13", "route", "state", "claims", "since", "decide by"), rows)


@in_doubt.command("show")
def in_doubt_show(
    interchange_id: str, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """All that is known of one, and what can be decided."""
    from gateway.inboxes import Inboxes

    found = beside(config, data, lambda runtime: Inboxes(runtime).doubt(interchange_id))
    if as_json:
        print_json(found)
        return
    typer.echo(
        plain(f"ISA13 {found.control_number} on {found.route_id}: {found.state}, {found.claims} claims. {found.reason}")
    )
    rows = [(k.at, k.source, k.says, " ".join(t for t in (k.detail, k.by, k.why) if t)) for k in found.evidence]
    table(("when", "source", "says", "details"), rows)
    for decision, meaning in found.can.items():
        typer.echo(f"  {decision}: {meaning}")


@in_doubt.command("decide")
def in_doubt_decide(
    interchange_id: str,
    decision: Annotated[str, typer.Argument(help="confirmed, resend, rebuild or keep_waiting.")],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide what becomes of one. A server that runs on the folder goes on from there."""
    from gateway.inboxes import Inboxes, decision_of, reason

    made = beside(
        config,
        data,
        lambda runtime: runtime.database.write(
            lambda tx: Inboxes(runtime).decide(tx, interchange_id, decision_of(decision), who(by), reason(why))
        ),
    )
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{made.state.replace('_', ' ')}: {made.claims} claims")


@unmatched.command("list")
def unmatched_list(
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 200,
    handled: Annotated[bool, typer.Option("--handled", help="Those that were looked after.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Files that match nothing or contradict themselves, oldest first."""
    from gateway.inboxes import Inboxes

    page = beside(config, data, lambda runtime: Inboxes(runtime).unmatched(limit=limit, handled=handled))
    if as_json:
        print_json(page)
        return
    rows = [(i.inbound_id, i.received_at, i.route_id, i.state, i.reason) for i in page.items]
    table(("file", "received", "route", "state", "reason"), rows)


@unmatched.command("show")
def unmatched_show(
    inbound_id: str,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show raw segments with patients' data.")] = False,
) -> None:
    """One of them; with --reveal its raw segments."""
    from gateway.inboxes import Inboxes

    found = beside(config, data, lambda runtime: Inboxes(runtime).file(inbound_id, reveal=reveal))
    if as_json:
        print_json(found)
        return
    typer.echo(
        plain(f"{found.state} on {found.route_id} at {found.received_at}: {found.reason} ({', '.join(found.sets)})")
    )
    for segment in found.segments or ():
        typer.echo(plain(f"  {segment}"))


@unmatched.command("handled")
def unmatched_handled(
    inbound_id: str,
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that one was looked after, and how."""
    from gateway.inboxes import Inboxes, reason

    made = beside(
        config,
        data,
        lambda runtime: runtime.database.write(
            lambda tx: Inboxes(runtime).handle(tx, inbound_id, who(by), reason(why))
        ),
    )
    if as_json:
        print_json(made)
    else:
        typer.echo(f"handled at {made.handled_at} by {made.handled_by}")


@lanes.command("list")
def lanes_list(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """How each route stands."""
    from gateway.lanes import Lanes

    page = beside(config, data, lambda runtime: Lanes(runtime).all())
    if as_json:
        print_json(page)
        return
    rows = [
        (i.route_id, i.state, str(i.failures), i.since or "", i.until or "", i.reason or "", i.paused_by or "")
        for i in page.items
    ]
    table(("route", "state", "failures", "since", "until", "reason", "paused by"), rows)


@lanes.command("pause")
def lanes_pause(
    route: str,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, help="For how long; until it is resumed by itself.")
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send nothing over a route."""
    from gateway.lanes import Lanes

    view = beside(
        config,
        data,
        lambda runtime: runtime.database.write(lambda tx: Lanes(runtime).pause(tx, route, minutes, who(by))),
    )
    if as_json:
        print_json(view)
    else:
        typer.echo(f"paused until {view.until or 'it is resumed'}")


@lanes.command("resume")
def lanes_resume(route: str, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End a pause, and close the circuit."""
    from gateway.lanes import Lanes

    view = beside(config, data, lambda runtime: runtime.database.write(lambda tx: Lanes(runtime).resume(tx, route)))
    if as_json:
        print_json(view)
    else:
        typer.echo("it goes on")


@alarms.command("list")
def alarms_list(
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 200,
    closed: Annotated[bool, typer.Option("--closed", help="Those whose cause is gone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What a person should look at, oldest first, each with what to do next."""
    from gateway.alarms import Alarms

    page = beside(config, data, lambda runtime: Alarms(runtime).page(limit=limit, closed=closed))
    if as_json:
        print_json(page)
        return
    rows = [(i.alarm_id, i.raised_at, i.says, i.advice, i.acknowledged_by or "") for i in page.items]
    table(("alarm", "since", "what", "next", "seen by"), rows)


@alarms.command("acknowledge")
def alarms_acknowledge(
    alarm_id: str,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an alarm was seen; it closes by itself when its cause is gone."""
    from gateway.alarms import Alarms

    view = beside(
        config,
        data,
        lambda runtime: runtime.database.write(lambda tx: Alarms(runtime).acknowledge(tx, alarm_id, who(by))),
    )
    if as_json:
        print_json(view)
    else:
        typer.echo(f"seen by {view.acknowledged_by}")

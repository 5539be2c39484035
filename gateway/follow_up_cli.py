"""The follow-up from the command line: what is asked about next, what a person must act on, and doing it now. Thin over `gateway.follow_ups`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.ops_cli import (
    ByOption,
    ConfigOption,
    DataOption,
    JsonOption,
    LimitOption,
    WhyOption,
    beside,
    table,
    who,
)
from gateway.terminal import print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from gateway.follow_ups import FollowUpPage, FollowUps, FollowUpView
    from queues.database import Transaction

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Open claims that payers are asked about, or persons must act on.")


def _shown(page: FollowUpPage) -> None:
    rows = [
        (
            i.transaction_id,
            i.payer_id,
            i.state,
            i.sent_at or "",
            i.follow_up_at or "",
            i.silent_on or "",
            i.reason or "",
            i.act_by or "",
            "" if i.days_left is None else str(i.days_left),
        )
        for i in page.items
    ]
    table(("claim", "payer", "state", "sent", "asked about at", "silent on", "reason", "act by", "days left"), rows)


def _decided(
    config: Path | None, data: Path | None, act: Callable[[FollowUps, Transaction], Coroutine[Any, Any, FollowUpView]]
) -> FollowUpView:
    """What comes of a person's decision, in one commit."""
    from gateway.follow_ups import FollowUps

    return beside(config, data, lambda runtime: runtime.database.write(lambda tx: act(FollowUps(runtime), tx)))


@app.command("show")
def show(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """How many claims are due, will be within a week, are asked about and unanswered, and wait for a person."""
    from gateway.follow_ups import FollowUps

    counts = beside(config, data, lambda runtime: FollowUps(runtime).counts())
    if as_json:
        print_json(counts)
        return
    typer.echo(
        f"due now: {counts.due}; within a week: {counts.due_soon}; asked and unanswered: {counts.asked};"
        f" for persons: {counts.worklist}"
    )


@app.command("due")
def due(
    days: Annotated[float, typer.Option("--days", min=0, max=366, help="Within how many days; now by itself.")] = 0,
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """Claims that are asked about next, those that are due first."""
    from gateway.follow_ups import FollowUps

    page = beside(config, data, lambda runtime: FollowUps(runtime).due(days, limit=limit))
    print_json(page) if as_json else _shown(page)


@app.command("worklist")
def worklist(
    config: ConfigOption = None, data: DataOption = None, limit: LimitOption = 200, as_json: JsonOption = False
) -> None:
    """Claims that a person must act on, those with the fewest days left first."""
    from gateway.follow_ups import FollowUps

    page = beside(config, data, lambda runtime: FollowUps(runtime).worklist(limit=limit))
    print_json(page) if as_json else _shown(page)


@app.command("run")
def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be asked about, and ask nothing.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """Have the server that runs on the folder, or will, ask now about every claim that is due."""
    from gateway.follow_ups import FollowUps

    page = beside(config, data, lambda runtime: FollowUps(runtime).due(limit=limit))
    if not dry_run:
        beside(config, data, lambda runtime: runtime.database.write(lambda tx: FollowUps(runtime).run(tx)))
    print_json(page) if as_json else _shown(page)


@app.command("stop")
def stop(
    claim: str,
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A person looks after a claim: its payer is not asked about it."""
    from gateway.inboxes import reason

    view = _decided(config, data, lambda of, tx: of.stop(tx, claim, who(by), reason(why)))
    print_json(view) if as_json else typer.echo("on the worklist")


@app.command("done")
def done(
    claim: str,
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a claim at its end was on the worklist for is done, such as an appeal: it leaves the worklist."""
    from gateway.inboxes import reason

    view = _decided(config, data, lambda of, tx: of.done(tx, claim, who(by), reason(why)))
    print_json(view) if as_json else typer.echo("off the worklist")


@app.command("resume")
def resume(
    claim: str,
    by: ByOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the payer asked about a claim now, and again at its interval."""
    view = _decided(config, data, lambda of, tx: of.resume(tx, claim, who(by)))
    print_json(view) if as_json else typer.echo("asked about now")

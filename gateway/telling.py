"""Tells the story of a transaction on the terminal."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.config import Config
from gateway.ledger.transactions import Unknown
from gateway.messages import Trace, TraceInterchange
from gateway.runtime import open_runtime
from gateway.terminal import cells, plain, print_json
from gateway.views import Views

__all__ = ["tell", "trace"]


async def trace(config: Config, data: Path, transaction_id: str, *, as_json: bool, reveal: bool) -> None:
    """Print a transaction's story; an error when there is none."""
    runtime = await open_runtime(config, data, exclusive=False)
    try:
        found = await Views(runtime).trace(transaction_id, raw=reveal)
    except Unknown as error:
        raise typer.BadParameter(str(error)) from error
    finally:
        await runtime.close()
    if as_json:
        print_json(found)
    else:
        tell(found, Console())


def tell(found: Trace, console: Console) -> None:
    """The timeline with envelope numbers, what is expected and by when, then each envelope with its raw segments where they were asked for."""
    subject = found.transaction
    state = f"{subject.state}, {subject.outcome}" if subject.outcome else subject.state
    console.print(Text(plain(f"{subject.kind} {subject.transaction_id}: {state}"), style="bold"))
    table = Table("when", "what", "envelope", "details", box=None, pad_edge=False)
    numbers = {e.interchange_id or e.inbound_id: e for e in found.interchanges}
    for event in found.events:
        envelope = numbers.get(event.interchange_id or event.inbound_id)
        data = ", ".join(f"{k}: {_short(v)}" for k, v in (event.data or {}).items())
        table.add_row(*cells((event.at, event.kind, _number(envelope), data)))
    console.print(table)
    if found.ladder:
        rungs = Table("expected", "by", "", box=None, pad_edge=False)
        for rung in found.ladder:
            rungs.add_row(*cells((rung.rung, rung.expected_by, rung.state)))
        console.print()
        console.print(rungs)
    for envelope in found.interchanges:
        console.print()
        console.print(Text(plain(_headline(envelope)), style="bold"))
        for segment in envelope.segments or ():
            console.print(Text(plain(f"  {segment}")))


def _short(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _number(envelope: TraceInterchange | None) -> str:
    if envelope is None:
        return ""
    sign = "->" if envelope.direction == "out" else "<-"
    numbers = "/".join(n for n in (envelope.control_number, envelope.set_control_number) if n)
    return f"{sign} ISA13 {numbers}"


def _headline(envelope: TraceInterchange) -> str:
    times = f", seen {envelope.times_seen} times" if (envelope.times_seen or 0) > 1 else ""
    tries = f", {envelope.attempts} attempts" if (envelope.attempts or 0) > 1 else ""
    return f"{_number(envelope)} {envelope.set_id or ''} {envelope.state}, {envelope.bytes} bytes, SHA-256 {(envelope.sha256 or '')[:16]}{tries}{times}"

"""`claimwire codes`: which code lists are known, and loading licensed or newer ones as they are published."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.configured import configured
from gateway.terminal import print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from x12.codes.listing import CodeList, Span
    from x12.codes.lists import Lists

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Code lists: what is known, and loading licensed or newer ones.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file (TOML).")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data folder; overrides the configuration's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DayOption = Annotated[str | None, typer.Option(help="A day, CCYY-MM-DD.")]


def _folder(config: Path | None, data: Path | None) -> Path:
    return configured(config, data)[1] / "codes"


def _day(text: str | None) -> str:
    try:
        return date.fromisoformat(text).strftime("%Y%m%d") if text else ""
    except ValueError:
        raise typer.BadParameter(f"{text} is not a day: write it as 2026-01-31") from None


def _shown(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else ""


@app.command("load")
def codes_load(
    file: Annotated[Path, typer.Argument(help="A list as its keeper publishes it, or a .codes file.")],
    name: Annotated[str, typer.Option("--as", help="Which list it is, where the file does not tell.")] = "",
    since: DayOption = None,
    until: DayOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load a list: ICD-10, HCPCS, CPT, CDT, taxonomy, X12's and CMS's, or any table of codes. Older codes are kept with their dates."""
    from gateway.code_files import CodeFileError, load

    folder = _folder(config, data)
    try:
        loaded = load(folder, file, name, _day(since), _day(until))
    except CodeFileError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        print_json([_told(one, codes, "loaded") for one, codes in loaded.items()])
        return
    for one, codes in loaded.items():
        ended = sum(bool(spans[-1][1]) for spans in codes.spans.values())
        typer.echo(f"{one}: {len(codes.words)} codes, {ended} of them ended; its days: {_periods(codes.covers)}.")
    typer.echo(f"In {folder}: a server of that folder takes them when it starts again.")


@app.command("list")
def codes_list(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Every list there is, and how much of it is known."""
    from rich.console import Console
    from rich.table import Column, Table

    from x12.codes.forms import FORMS

    lists = _lists(config, data)
    told = [_told(name, lists.codes(name), _source(lists, name)) for name in sorted(FORMS)]
    if as_json:
        print_json(told)
        return
    table = Table(Column("list", no_wrap=True), "what", "kept by", "codes", "known for", "from")
    for one in told:
        name = str(one["name"])
        known = _periods(lists.codes(name).covers) if one["codes"] else ""
        source = f"{one['source']}, in part" if one["partial"] else str(one["source"])
        table.add_row(name, FORMS[name].title, FORMS[name].keeper, str(one["codes"] or ""), known, source)
    Console().print(table)


@app.command("show")
def codes_show(
    name: Annotated[str, typer.Argument(help="The list.")],
    code: Annotated[str | None, typer.Argument(help="One code of it; all by default.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The codes of a list, or one of them, with their words and days."""
    lists = _lists(config, data)
    try:
        codes = lists.codes(name)
    except KeyError:
        raise typer.BadParameter(f"no list is called {name}: see claimwire codes list") from None
    if code is not None and code not in codes.words:
        said = lists.check(name, code)
        raise typer.BadParameter(
            f"{code} is not listed: it {lists.message(name, said) if said else 'has the form of one'}"
        )
    wanted = codes.words if code is None else {code: codes.words[code]}
    if as_json:
        print_json(
            [{"code": c, "words": words, "days": _told_days(codes.spans.get(c, ()))} for c, words in wanted.items()]
        )
        return
    for c, words in wanted.items():
        days = _periods(codes.spans.get(c, ()))
        typer.echo(f"{c}  {words}" + (f"  ({days})" if days else ""))


@app.command("remove")
def codes_remove(
    name: Annotated[str, typer.Argument(help="The list.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget what was loaded of a list; what comes with Claimwire stays."""
    from gateway.code_files import remove

    if not remove(_folder(config, data), name):
        raise typer.BadParameter(f"nothing was loaded of a list called {name}")
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo("removed")


def _lists(config: Path | None, data: Path | None) -> Lists:
    from gateway.code_files import CodeFileError, lists_in

    try:
        return lists_in(_folder(config, data))
    except CodeFileError as error:
        raise typer.BadParameter(str(error)) from error


def _source(lists: Lists, name: str) -> str:
    from x12.codes.lists import parts_of

    if parts_of(name):
        return f"made of {', '.join(parts_of(name))}"
    if name in lists.loaded():
        return "loaded"
    return "shipped" if lists.codes(name).words else "form only"


def _told(name: str, codes: CodeList, source: str) -> dict[str, object]:
    return {
        "name": name,
        "source": source,
        "codes": len(codes.words),
        "ended": sum(bool(spans[-1][1]) for spans in codes.spans.values()),
        "partial": codes.partial,
        "covers": _told_days(codes.covers),
    }


def _told_days(spans: Iterable[Span]) -> list[dict[str, str | None]]:
    return [{"since": _shown(a) or None, "until": _shown(b) or None} for a, b in spans]


def _periods(spans: Iterable[Span]) -> str:
    return ", ".join(map(_period, spans))


def _period(span: Span) -> str:
    first, last = map(_shown, span)
    if first and last:
        return f"{first} to {last}"
    return f"from {first}" if first else f"until {last}" if last else "all days"

"""Lays out explanations of X12: as text for a terminal and as one page of HTML that needs nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from gateway.x12_verdicts import finding_lines, put_line
from x12.comparing import Difference
from x12.explaining import Block, Explained, Line, Value
from x12.finding import Finding
from x12.fixing import Fixed

__all__ = ["Chapter", "html_page", "overview", "tell", "tell_changes", "tell_difference"]

# An interchange with its transaction sets, which may be read from disk one at a time.
Chapter = tuple[Explained, Iterable[Explained]]

# Longer sets begin with their loops closed, but for those in which something is wrong.
_SPREAD_SEGMENTS_MAX = 300
_INDENT = "  "


def overview(chapters: Sequence[Chapter]) -> str:
    """How much there is, in a sentence without its full stop."""
    return _counted(chapters)[0]


def _counted(chapters: Sequence[Chapter]) -> tuple[str, bool]:
    """How much there is, and whether all of it is accepted; every chapter is gone through once."""
    sets = errors = 0
    accepted = True
    for interchange, inside in chapters:
        accepted, errors = accepted and interchange.accepted, errors + interchange.errors
        for said in inside:
            sets += 1
            accepted, errors = accepted and said.accepted, errors + said.errors
    counted = f"{len(chapters)} interchange{'' if len(chapters) == 1 else 's'}, {sets} transaction set{'' if sets == 1 else 's'}"
    return f"{counted}, {errors} error{'' if errors == 1 else 's'}" if errors else f"{counted}, no error", accepted


# --- HTML ----------------------------------------------------------------------------------------------------------


def html_page(name: str, chapters: Sequence[Chapter], *, reveal: bool) -> Iterator[str]:
    """The page, piece by piece. Whatever stands in the file is escaped, and a strict policy forbids scripts and loading."""
    environment = Environment(
        loader=PackageLoader("gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tests = cast("dict[str, Any]", environment.tests)
    tests |= {"loop_of_segments": _is_block, "flagged": _is_flagged, "short": _is_short}
    told, accepted = _counted(chapters)
    style = resources.files("gateway").joinpath("templates", "explanation.css").read_text("utf-8")
    yield from environment.get_template("explanation.html").generate(
        name=name,
        interchanges=chapters,
        overview=told,
        accepted=accepted,
        reveal=reveal,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def _is_block(item: Line | Block) -> bool:
    return isinstance(item, Block)


def _is_flagged(item: Line | Block) -> bool:
    """Whether something is wrong in here."""
    if isinstance(item, Line):
        return bool(item.findings)
    return any(_is_flagged(inner) for inner in item.items)


def _size(block: Block) -> int:
    return sum(_size(item) if isinstance(item, Block) else 1 for item in block.items)


def _is_short(said: Explained) -> bool:
    return _size(said.body) <= _SPREAD_SEGMENTS_MAX


# --- text ----------------------------------------------------------------------------------------------------------


def tell(said: Explained, console: Console) -> None:
    """One transaction set or interchange on the terminal."""

    def put(text: Text) -> None:
        put_line(console, text)

    head = Text()
    head.append(f"{said.kind} " if said.kind != "interchange" else "", style="bold cyan")
    head.append(said.title, style="bold").append(f" {said.control_number}  ", style="bright_black")
    head.append("accepted" if said.accepted else "rejected", style="bold green" if said.accepted else "bold red")
    put(head)
    if said.headline:
        put(Text(f"{said.headline}."))
    width = max((len(name) for name, _ in said.facts), default=0)
    for name, fact in said.facts:
        put(Text(f"{_INDENT}{name:<{width}}  ", style="bright_black").append(fact, style="not bright_black bold"))
    for finding in said.findings:
        for line in finding_lines(finding, _INDENT):
            put(line)
    _tell_block(said.body, put, 1)
    put(Text())


def _tell_block(block: Block, put: object, depth: int) -> None:
    assert callable(put)
    margin = _INDENT * depth
    for item in block.items:
        if isinstance(item, Block):
            line = Text(f"{margin}{item.id} ", style="bold cyan").append(item.name, style="bold not cyan")
            put(line.append(f"  {item.gist}" if item.gist else "", style="not bold bright_black"))
            _tell_block(item, put, depth + 1)
            continue
        put(Text(margin).append(f"{item.id:<4}", style="cyan").append(item.name))
        for value in item.values:
            put(_value_line(value, margin))
        for finding in item.findings:
            for line in finding_lines(finding, f"{margin}    "):
                put(line)


def _value_line(value: Value, margin: str) -> Text:
    line = Text(f"{margin}    {value.place:<8} ", style="bright_black").append(
        f"{value.name}: ", style="not bright_black"
    )
    if value.masked:
        return line.append(value.text, style="bright_black italic")
    line.append(value.text, style="bold not bright_black")
    return line.append(f"  {value.meaning}", style="green not bold") if value.meaning else line


_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def tell_difference(one: Difference, console: Console) -> None:
    """One difference: where it is, what it is called, what it was and is."""
    sign, style = _SIGNS[one.kind]
    line = Text(f"{sign} ", style=f"bold {style}")
    line.append(f"{one.place} {one.name}", style="bold not green not red not yellow")
    numbers = [f"{n}" for n in (one.position_before, one.position_after) if n]
    line.append(f"  {one.where}", style="not bold bright_black")
    line.append(f", segment {' -> '.join(dict.fromkeys(numbers))}" if numbers else "", style="not bold bright_black")
    put_line(console, line)
    if one.before:
        put_line(console, Text(f"    - {one.before}", style="red"))
    if one.after:
        put_line(console, Text(f"    + {one.after}", style="green"))


def tell_changes(name: str, made: Fixed, remaining: Sequence[Finding], console: Console) -> None:
    """What was mended, what was left, and what is still wrong."""

    def put(text: Text) -> None:
        put_line(console, text)

    put(Text(name, style="bold"))
    for title, style, changes in (("mended", "green", made.changes), ("left", "yellow", made.left)):
        for change in changes:
            line = Text(f"{_INDENT}{title:<7}", style=style)
            where = f"{change.place}, segment {change.segment}" if change.segment and change.place else change.place
            line.append(where or f"segment {change.segment}", style="bold cyan").append(
                f"  {change.message}", style="not bold default"
            )
            put(line)
    for finding in remaining:
        for line in finding_lines(finding, _INDENT):
            put(line)
    errors = sum(f.severity == "error" for f in remaining)
    count = len(made.changes)
    said = f"{count} change{'' if count == 1 else 's'}; " if count else "nothing to mend; "
    verdict = Text(_INDENT + said)
    left = f"{errors} error{'' if errors == 1 else 's'} left" if errors else "accepted"
    put(verdict.append(left, style="bold red" if errors else "bold green"))

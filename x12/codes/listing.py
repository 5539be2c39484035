"""One code list as a value: codes, their words, the days they are good for; and its text form.

The text form, `NAME.codes`, has one line a code, `CODE  words`, or `CODE  [since..until]  words` where days are known: both
inclusive, written 2012-01-31, either may be left out; `[a..b,c..d]` for a code that came back. `#` begins a comment. Three
directives may stand before the codes:

    @covers 1995-01-01..2025-11-01     the days, or several periods, that the list is known for: outside, a code may be newer or older
    @later 3[0-9][0-9]                 what codes can look like that were added later; without this line, like any other
    @partial                           not every code of the list is here
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import msgspec

__all__ = ["CodeList", "ListError", "Span", "merge", "parse", "render"]

Span = tuple[str, str]
"""First and last day, CCYYMMDD, inclusive; "" where it is open."""

_OPEN: Span = ("", "")
_DATED = re.compile(r"\[([\d.,-]+)\](?: +|$)")
_SPAN = re.compile(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?")


class ListError(ValueError):
    """A list cannot be read; the message says which lines and what is wrong with them."""


class CodeList(msgspec.Struct, frozen=True, eq=False):
    """A list of codes: `words` of every code, `spans` of those that are not good for ever, the periods it `covers`.

    `later` is a regular expression for codes that may have come after those days, "" for any. `partial`: more codes exist than
    are listed.
    """

    words: Mapping[str, str]
    spans: Mapping[str, tuple[Span, ...]] = msgspec.field(default_factory=dict[str, tuple[Span, ...]])
    covers: tuple[Span, ...] = (_OPEN,)
    partial: bool = False
    later: str = ""


def _day(text: str | None) -> str:
    """CCYYMMDD of CCYY-MM-DD; ValueError when the calendar has no such day."""
    return date.fromisoformat(text).strftime("%Y%m%d") if text else ""


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("a period is written 2012-01-31..2020-12-31, with either day left out where it is open")
    since, until = _day(found[1]), _day(found[2])
    if since and until and until < since:
        raise ValueError("a period ends before it begins")
    return since, until


def _periods(text: str) -> tuple[Span, ...]:
    return tuple(map(_span, text.split(",")))


def parse(text: str) -> CodeList:
    """The list in the text form; ListError names the first lines that are wrong."""
    words: dict[str, str] = {}
    spans: dict[str, tuple[Span, ...]] = {}
    covers: tuple[Span, ...] = (_OPEN,)
    partial, later = False, ""
    known: dict[str, tuple[Span, ...]] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        code, gap, said = line.partition("  ")
        if not gap or code[:1] in ("#", ""):
            try:
                if line.startswith("@covers "):
                    covers = _periods(line[8:].strip())
                elif line.startswith("@later "):
                    later = re.compile(line[7:].strip()).pattern
                elif line.strip() == "@partial":
                    partial = True
                elif line.strip() and not line.startswith("#"):
                    raise ValueError("a line is a code, two spaces and words")
            except (ValueError, re.error) as error:
                wrong.append(f"line {number}: {error}")
            continue
        said = said.strip()
        if said[:1] == "[" and (dated := _DATED.match(said)):
            said = said[dated.end() :]
            try:
                # A list has few different periods.
                if (days := known.get(dated[1])) is None:
                    days = known[dated[1]] = _periods(dated[1])
                spans[code] = days
            except ValueError as error:
                wrong.append(f"line {number}: {error}")
        if code in words or not said:
            wrong.append(f"line {number}: {'this code stands here twice' if said else 'a code without words'}")
        words[code] = said
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ListError("; ".join(wrong[:5]) + more)
    return CodeList(words, spans, covers, partial, later)


def _shown(span: Span) -> str:
    return "..".join(f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else "" for day in span)


def render(codes: CodeList, comment: str = "") -> str:
    """The text form, codes in the list's order; `parse(render(x))` says the same as x."""
    lines = [f"# {line}" for line in comment.splitlines()]
    if codes.covers != (_OPEN,):
        lines.append(f"@covers {','.join(map(_shown, codes.covers))}")
    if codes.later:
        lines.append(f"@later {codes.later}")
    if codes.partial:
        lines.append("@partial")
    spans = codes.spans
    for code, words in codes.words.items():
        dated = f"[{','.join(map(_shown, spans[code]))}]  " if code in spans else ""
        lines.append(f"{code}  {dated}{words}")
    return "\n".join(lines) + "\n"


def _moved(day: str, by: int) -> str:
    """The day so many days later, CCYYMMDD."""
    return date.fromordinal(date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() + by).strftime("%Y%m%d")


def merge(old: CodeList, new: CodeList) -> CodeList:
    """What is known when a list comes after another, of which it is a later edition or a correction.

    An edition covers days from some day on and is the whole list there: the old codes it lacks end on the day before, those it has
    in common go on, those it adds begin on its first day, or right after the old list where no edition is known between. A list
    that covers every day before some day dates its codes by itself, and overrides the old one code by code.
    """
    if not old.words:
        return new
    edition = new.covers[0][0]
    spans = dict(new.spans)
    if edition:
        _go_on(old, new, edition, spans)
    words = dict(new.words)
    for code, said in old.words.items():
        if code in words:
            continue
        words[code] = said
        days = old.spans.get(code, (_OPEN,))
        if edition and not new.partial and (not days[-1][1] or days[-1][1] >= edition):
            days = (*days[:-1], (days[-1][0], _moved(edition, -1)))
        if days != (_OPEN,):
            spans[code] = days
    covers = _joined((*old.covers, *new.covers))
    return CodeList(words, spans, covers, new.partial and old.partial, new.later or old.later)


def _go_on(old: CodeList, new: CodeList, edition: str, spans: dict[str, tuple[Span, ...]]) -> None:
    """Put the days of the codes of an edition into `spans`, where it does not date them itself."""
    known = old.covers[-1][1]
    # Without an edition for the days between, nobody knows when a code came: it is not held against it.
    since = min(edition, _moved(known, 1)) if known else ""
    for code in new.words:
        if code in new.spans:
            continue
        days = old.spans.get(code, (_OPEN,)) if code in old.words else None
        if days is None:
            if since and not old.partial:
                spans[code] = ((since, ""),)
        elif days[-1][1] and days[-1][1] < _moved(edition, -1):
            spans[code] = (*days, (since or edition, ""))
        elif days[-1][0]:
            spans[code] = (*days[:-1], (days[-1][0], ""))
        elif len(days) > 1:
            spans[code] = days


def _joined(periods: tuple[Span, ...]) -> tuple[Span, ...]:
    """Periods in order, those that touch made one."""
    found: list[Span] = []
    for since, until in sorted(periods):
        if found and (not found[-1][1] or since <= _moved(found[-1][1], 1)):
            ends = (found[-1][1], until)
            found[-1] = (found[-1][0], max(ends) if all(ends) else "")
        else:
            found.append((since, until))
    return tuple(found)

"""One code list as a value: codes, their words, the days they are good for; and its text form.

The text form, `NAME.codes`, has one line a code, `CODE  words`, or `CODE  [since..until]  words` where days are known: both
inclusive, written 2012-01-31, either may be left out; `[a..b,c..d]` for a code that came back. `#` begins a comment. Three
directives may stand before the codes:

    @covers 1995-01-01..2025-11-01     what is known of the list: outside, an unknown code may be a newer or an older one
    @later 3[0-9][0-9]                 what codes can look like that were added later; without this line, like any other
    @partial                           not every code of the list is here
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

__all__ = ["CodeList", "ListError", "Span", "merge", "parse", "render"]

Span = tuple[str, str]
"""First and last day, CCYYMMDD, inclusive; "" where it is open."""

_OPEN: Span = ("", "")
_DATED = re.compile(r"\[([\d.,-]+)\](?: +|$)")
_SPAN = re.compile(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?")


class ListError(ValueError):
    """A list cannot be read; the message says which lines and what is wrong with them."""


@dataclass(frozen=True, slots=True, eq=False)
class CodeList:
    """A list of codes: `words` of every code, `spans` of those that are not good for ever, the days it `covers`.

    `later` is a regular expression for codes that may have come after those days, "" for any. `partial`: more codes exist than
    are listed.
    """

    words: Mapping[str, str]
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict[str, tuple[Span, ...]])
    covers: Span = _OPEN
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


def parse(text: str) -> CodeList:
    """The list in the text form; ListError names the first lines that are wrong."""
    words: dict[str, str] = {}
    spans: dict[str, tuple[Span, ...]] = {}
    covers, partial, later = _OPEN, False, ""
    known: dict[str, tuple[Span, ...]] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        code, gap, said = line.partition("  ")
        if not gap or code[:1] in ("#", ""):
            try:
                if line.startswith("@covers "):
                    covers = _span(line[8:].strip())
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
                    days = known[dated[1]] = tuple(_span(s) for s in dated[1].split(","))
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
    if codes.covers != _OPEN:
        lines.append(f"@covers {_shown(codes.covers)}")
    if codes.later:
        lines.append(f"@later {codes.later}")
    if codes.partial:
        lines.append("@partial")
    spans = codes.spans
    for code, words in codes.words.items():
        dated = f"[{','.join(map(_shown, spans[code]))}]  " if code in spans else ""
        lines.append(f"{code}  {dated}{words}")
    return "\n".join(lines) + "\n"


def _before(day: str) -> str:
    """The day before, CCYYMMDD."""
    return date.fromordinal(date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() - 1).strftime("%Y%m%d")


def merge(old: CodeList, new: CodeList) -> CodeList:
    """The new list with what the old one knows on top of it.

    A list that covers days from some day on, and does not say of its codes when they began (a yearly edition), ends the old
    codes it lacks on the day before; those it has in common go on; those it adds begin on its first day. A list that dates its
    codes by itself overrides the old code by code; codes it lacks stay as they were.
    """
    if not old.words:
        return new
    if new.covers[0] and new.covers[0] < old.covers[0]:
        # An older edition that comes later still lies below.
        old, new = new, old
    edition = new.covers[0]
    words = dict(new.words)
    spans = dict(new.spans)
    for code in new.words:
        if code in spans or not edition:
            continue
        before = old.spans.get(code, (_OPEN,) if code in old.words else None)
        if before is None:
            # What a partial or later list lacks may be older than this edition.
            known = not old.partial and old.words and (not old.covers[0] or old.covers[0] < edition)
            if known:
                spans[code] = ((edition, ""),)
        elif before[-1][1] and before[-1][1] < _before(edition):
            spans[code] = (*before, (edition, ""))
        elif before[-1][0]:
            spans[code] = (*before[:-1], (before[-1][0], ""))
    for code, said in old.words.items():
        if code in words:
            continue
        words[code] = said
        ended = old.spans.get(code, (_OPEN,))
        if edition and not new.partial and (not ended[-1][1] or ended[-1][1] >= edition):
            ended = (*ended[:-1], (ended[-1][0], _before(edition)))
        if ended != (_OPEN,):
            spans[code] = ended
    first = min(old.covers[0], new.covers[0]) if old.covers[0] and new.covers[0] else ""
    last = max(old.covers[1], new.covers[1]) if new.covers[1] else ""
    return CodeList(words, spans, (first, last), new.partial and old.partial, new.later or old.later)

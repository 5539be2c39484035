"""Walks the dialect's tables path by path and tells what became of each: docs/dialect-coverage/*.md.

`python -m tests.dialect.report` writes the pages. What they say of a path comes from the run (`x12.documents` read and written
along the guides, `tests.dialect.sweep`, `tests.dialect.probes`); why a path is left out, and why a place is not the one that the
table names, comes from `reasons.toml` beside. A path that is neither carried nor explained is shown as such, and fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.corpus.report import UNEXPLAINED
from tests.dialect.probes import Probed, probe
from tests.dialect.subjects import PROBES, SUBJECTS, swept
from tests.dialect.sweep import Place
from tests.dialect.tables import Row, leaves

__all__ = ["DOCUMENTS", "PAGES", "Covered", "covered", "elsewhere", "idle", "main", "one_way", "reasons", "render"]

REASONS = Path(__file__).parent / "reasons.toml"
DOCUMENTS = Path(__file__).parents[2] / "docs" / "dialect-coverage"


class Left(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why paths (regular expressions) of some tables are left out or come from elsewhere; all tables where none is named.

    `seen`: the run fills them all the same, out of no element in particular.
    """

    paths: list[str]
    why: str
    tables: list[str] = []
    seen: bool = False

    def explains(self, table: str, path: str) -> bool:
        return (not self.tables or table in self.tables) and any(re.fullmatch(p, path) for p in self.paths)


class Elsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a place is another than a table's column says: regular expressions over the column and over the place."""

    told: str
    place: str
    why: str
    tables: list[str] = []

    def explains(self, table: str, told: str, place: str) -> bool:
        right_table = not self.tables or table in self.tables
        return right_table and bool(re.fullmatch(self.told, told) and re.fullmatch(self.place, place))


class OneWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why what paths of a request are read from is not written as the caller says."""

    paths: list[str]
    why: str


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page: its tables, its title, what stands before the tables and after them."""

    title: str
    tables: list[str]
    before: str
    after: str = ""


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reasons.toml`."""

    page: dict[str, Page]
    left: list[Left] = []
    elsewhere: list[Elsewhere] = []
    one_way: list[OneWay] = []


class Covered(NamedTuple):
    """What became of one path: its places, whether they hold in both directions, else what a probe showed, else why it is left out."""

    row: Row
    places: tuple[Place, ...]
    both: bool
    seen: bool
    probed: Probed | None
    left: Left | None

    @property
    def carried(self) -> bool:
        return bool(self.places) or (self.probed is not None and self.probed.kind == "as")


@cache
def reasons() -> Reasons:
    return msgspec.toml.decode(REASONS.read_bytes(), type=Reasons)


PAGES: tuple[str, ...] = tuple(reasons().page)


@cache
def covered(table: str) -> tuple[Covered, ...]:
    """Every path of a table that holds a value, in the table's order."""
    sweeps = swept(table)
    prefix = next(s.prefix for s in SUBJECTS if s.table == table)
    made: list[Covered] = []
    for row in leaves(table):
        own = row.path.removeprefix(prefix)
        places = tuple(dict.fromkeys(p for sweep in sweeps for p in sweep.places.get(own, ())))
        how = PROBES.get(table)
        probed = probe(how, row.path) if not places and how is not None else None
        left = next((r for r in reasons().left if r.explains(table, row.path)), None) if not places else None
        both, seen = any(own in s.both for s in sweeps), any(own in s.seen for s in sweeps)
        if probed is not None and probed.path == row.path and probed.place is not None:
            places, both, left = (probed.place,), True, None
        made.append(Covered(row, places, both, seen, probed, left))
    return tuple(made)


def agrees(row: Row, places: Iterable[Place]) -> bool:
    """Whether a place is one that the table's column names."""
    column = row.column
    return column is None or any(
        p.loop.startswith(column.loop)
        and any(p.segment == s and e in (0, p.element) and c in (0, p.component) for s, e, c in column.elements)
        for p in places
    )


def elsewhere(table: str, one: Covered) -> str | None:
    """Why a path's place is not the one that the table names; None where it is, `UNEXPLAINED` where nothing says why."""
    if not one.places or agrees(one.row, one.places):
        return None
    place = str(one.places[0])
    found = (r.why for r in reasons().elsewhere if r.explains(table, one.row.told, place))
    return next(found, UNEXPLAINED)


def one_way(table: str, one: Covered) -> str | None:
    """Why a path of a request is only read; None where it is written too, `UNEXPLAINED` where nothing says why."""
    if one.both or not one.places or table not in PROBES:
        return None
    found = (r.why for r in reasons().one_way if any(re.fullmatch(p, one.row.path) for p in r.paths))
    return next(found, UNEXPLAINED)


def idle() -> list[str]:
    """Reasons that nothing in the run asked for."""
    tables = {t for page in reasons().page.values() for t in page.tables}
    left = {id(c.left) for t in tables for c in covered(t) if c.left is not None and not c.carried}
    told = {elsewhere(t, c) for t in tables for c in covered(t)}
    return [r.why for r in reasons().left if id(r) not in left] + [
        r.why for r in reasons().elsewhere if r.why not in told
    ]


# --- what a page says ------------------------------------------------------------------------------------------------


def render(name: str) -> str:
    """A page, as it should be."""
    page = reasons().page[name]
    parts = [
        f"# Dialect coverage: {page.title}\n\n",
        "This page is made by `python -m tests.dialect.report` from a run over the dialect's tables and from\n",
        "`tests/dialect/reasons.toml`. Each path was found at its places by changing what stands there",
        " and reading it"
        + (", and was written\nto where it came from" if any(t in PROBES for t in page.tables) else "")
        + ".\n\n",
        page.before.strip() + "\n",
    ]
    for table in page.tables:
        parts += _told(table, several=len(page.tables) > 1)
    parts += ["\n", page.after.strip() + "\n"] if page.after else []
    return "".join(parts)


def _told(table: str, *, several: bool) -> Iterator[str]:
    found = covered(table)
    of = f" of `{table}`" if several else ""
    placed = [c for c in found if c.places]
    other = [c for c in found if not c.places and c.carried]
    out = [c for c in found if not c.carried]
    yield f"\n## Paths{of}\n"
    counts: list[Sequence[object]] = [
        ("carried at a place of the guide", len(placed)),
        ("carried under another name", len(other)),
    ]
    filled = [c for c in out if c.left is not None and c.left.seen]
    counts += [
        ("filled out of what else is there", len(filled)),
        ("left out, or the API's", len(out) - len(filled)),
        ("all", len(found)),
    ]
    yield "\n" + _table(("", "paths"), [c for c in counts if c[1]])
    yield f"\n## Left out{of}\n\n" + (_table(("paths", "reason"), list(_reasons(out))) if out else "Nothing.\n")
    if other:
        yield f"\n## Other names{of}\nRead back under the name beside it.\n\n"
        yield _table(("path", "read back as", "place"), [(f"`{c.row.path}`", *_as(c)) for c in other])
    otherwise = list(_elsewhere(table, found))
    if otherwise:
        yield f"\n## Where the table's column `x12` is not the guide{of}\n\n" + _table(
            ("column", "here", "why"), otherwise
        )
    only = [(f"`{c.row.path}`", why) for c in placed if (why := one_way(table, c)) is not None]
    if only:
        yield f"\n## Read, and written otherwise{of}\n\n" + _table(("path", "why"), only)
    yield f"\n## Places{of}\n\n" + _table(("path", "place"), [(f"`{c.row.path}`", _places(c.places)) for c in placed])


def _as(one: Covered) -> tuple[str, str]:
    assert one.probed is not None
    name = f"`{one.probed.path}`" if one.probed.path else "the name of the number that it qualifies"
    return name, f"`{one.probed.place}`"


def _reasons(out: Sequence[Covered]) -> Iterator[tuple[str, str]]:
    by_why: dict[str, list[Covered]] = {}
    for one in out:
        why = one.left.why if one.left is not None else UNEXPLAINED
        if one.probed is not None and one.probed.kind == "told":
            why += " Not sent; a warning names the path."
        by_why.setdefault(why, []).append(one)
    for why, some in by_why.items():
        yield ", ".join(f"`{c.row.path}`" for c in some), why


def _elsewhere(table: str, found: Sequence[Covered]) -> Iterator[tuple[str, str, str]]:
    rows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in found:
        why = elsewhere(table, one)
        if why is not None:
            rows.setdefault((why, one.places[0].loop), []).append((one.row.told, str(one.places[0])))
    for (why, _), some in rows.items():
        columns, places = (list(dict.fromkeys(s[n] for s in some)) for n in (0, 1))
        more = " and others" if len(columns) > 3 or len(places) > 3 else ""
        yield ", ".join(f"`{c}`" for c in columns[:3]) + more, ", ".join(f"`{p}`" for p in places[:3]) + more, why


def _places(places: Sequence[Place]) -> str:
    """Places in the guide's notation, those that differ in element, component or code alone told together."""
    by_segment: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        by_segment.setdefault((place.loop, place.segment), []).append(place)
    told: list[str] = []
    for (loop, segment), some in sorted(by_segment.items()):
        codes = sorted({p.qualifier for p in some} - {""})
        ends = sorted({f"{p.element:02d}" + (f"-{p.component}" if p.component else "") for p in some})
        code = f"[{','.join(codes)}]" if codes and len(codes) <= 6 else ""
        told.append(f"{loop} {segment}{code}" + (",".join(ends) if len(ends) <= 3 else f"{ends[0]} to {ends[-1]}"))
    shown = told if len(told) <= 4 else [*told[:4], f"{len(told) - 4} more"]
    return ", ".join(f"`{t}`" for t in shown)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    lines += [f"| {' | '.join(str(c).replace('|', chr(92) + '|') for c in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    for name in PAGES:
        (DOCUMENTS / f"{name}.md").write_text(render(name), "utf-8")


if __name__ == "__main__":
    main()

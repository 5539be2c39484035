"""Translates between two JSON shapes by one table, both ways, so that a fault found in the one is told in the names of the other.

A row says that a field here is a field there: `insured.memberId` is `subscriber.memberId`. A list is written `[]`, and the lists
of a row go together: `serviceLines[].units` is `claimInformation.serviceLines[].professionalService.serviceUnitCount`. What one row
cannot say is for the functions of whoever has the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from gateway.sdk.words import Words
from x12.finding import Finding

__all__ = [
    "DAY",
    "TEXT",
    "YES",
    "Codec",
    "Row",
    "Table",
    "Unfit",
    "every",
    "first",
    "iso_day",
    "nowhere",
    "pointer",
    "worded",
]

Step = str | int


class Unfit(ValueError):
    """A value that cannot be said on the other side; the message says what could be."""


class Codec(NamedTuple):
    """How a value is said there, and here again: `back` gives None for what has no word here."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(str(value).strip()).strftime("%Y%m%d")
    except ValueError:
        raise Unfit("must be a day, CCYY-MM-DD") from None


def iso_day(value: Any) -> str | None:
    """CCYYMMDD as CCYY-MM-DD; None where it is no day."""
    try:
        return date.fromisoformat(str(value)).isoformat() if len(str(value)) == 8 else None
    except ValueError:
        return None


TEXT = Codec(_same, _same)
DAY = Codec(_day, iso_day)


def _yes(value: Any) -> str | None:
    return "Y" if value else None


def _is_yes(value: Any) -> bool | None:
    return True if value == "Y" else None


# True is Y, false is not said.
YES = Codec(_yes, _is_yes)


def worded(table: Words, default: str | None = None) -> Codec:
    """Words here, codes there. `default` is the word of a code that the table has not."""

    def there(value: Any) -> str:
        if value not in table:
            raise Unfit(f"must be one of {', '.join(table)}")
        return table[value]

    def here(code: Any) -> str | None:
        return table.back.get(code, default)

    return Codec(there, here)


def nowhere(what: str) -> Codec:
    """A field that there is no place for there: it is refused, since it must not be lost without a word."""

    def refuse(_: Any) -> str:
        raise Unfit(f"has no place in X12: {what}")

    return Codec(refuse, _same)


class Row(NamedTuple):
    """One field: its path here, its path there, how its value changes, and what is said there beside it."""

    here: str
    there: str
    codec: Codec = TEXT
    beside: Mapping[str, str] = {}


def _steps(path: str) -> list[str]:
    """`a.b[].c` as `a`, `b`, `[]`, `c`; a list's fixed place is `[0]`."""
    return [step for step in re.split(r"\.|(\[\d*\])", path) if step]


def found(document: Any, steps: Sequence[str], taken: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every value at a path, with its places in the lists of the path."""
    if not steps:
        if document is not None:
            yield taken, document
        return
    step, rest = steps[0], steps[1:]
    if step == "[]":
        for index, item in enumerate(document if isinstance(document, list) else ()):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from found(item, rest, (*taken, index))
    elif step[0] == "[":
        if isinstance(document, list) and int(step[1:-1]) < len(document):  # pyright: ignore[reportUnknownArgumentType]
            yield from found(document[int(step[1:-1])], rest, taken)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(document, dict) and step in document:
        yield from found(document[step], rest, taken)  # pyright: ignore[reportUnknownArgumentType]


def first(document: Any, path: str) -> Any:
    """The first value at a path; None where there is none."""
    return next((value for _, value in found(document, _steps(path))), None)


def every(document: Any, path: str) -> list[Any]:
    """All values at a path; those of a list where the path ends with one."""
    return [value for _, value in found(document, _steps(path))]


def put(document: dict[str, Any], steps: Sequence[str], places: Sequence[int], value: Any) -> None:
    """Set a value at a path, with what is missing on the way; `places` fill its lists."""
    left = list(places)
    way: list[Step] = [s if s[0] != "[" else left.pop(0) if s == "[]" else int(s[1:-1]) for s in steps]
    here: Any = document
    for step, after in zip(way, [*way[1:], None], strict=True):
        empty: Any = value if after is None else [] if isinstance(after, int) else {}
        if isinstance(step, int):
            while len(here) <= step:
                here.append(None)
            if after is None or here[step] is None:
                here[step] = empty
            here = here[step]
        else:
            if after is None or here.get(step) is None:
                here[step] = empty
            here = here[step]


def pointer(path: str) -> str:
    """A field path as a JSON pointer (RFC 6901): `a.b[0].c` is `/a/b/0/c`."""
    return "".join(f"/{step.strip('[]')}" for step in _steps(path))


def _filled(steps: Sequence[str], places: Sequence[int]) -> str:
    """A path with the places of its lists in it."""
    left, out = list(places), ""
    for step in steps:
        if step == "[]":
            out += f"[{left.pop(0)}]" if left else ""
        else:
            out += step if step[0] == "[" else f".{step}"
    return out.lstrip(".")


class Table:
    """Rows, and what follows from them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = [(row, _steps(row.here), _steps(row.there)) for row in rows]
        self._named: dict[str, str] = {}
        for row in rows:
            for there in (row.there, *row.beside):
                self._named.setdefault(there, row.here)

    def there(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
        """What is said here in the shape of there, and each value that cannot be."""
        made: dict[str, Any] = {}
        findings: list[Finding] = []
        for row, here, there in self._rows:
            for places, value in found(document, here):
                try:
                    said = row.codec.there(value)
                except Unfit as error:
                    path = _filled(here, places)
                    findings.append(Finding(1, "element", "7", f"{path} {error}.", path=path))
                    continue
                if said is None:
                    continue
                put(made, there, places, said)
                for beside, constant in row.beside.items():
                    put(made, _steps(beside), places, constant)
        return made, findings

    def here(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What is said there in the shape of here. A row with something beside it is read only where that is said too."""
        made: dict[str, Any] = {}
        for row, here, there in (one for one in self._rows if one[2]):
            besides = {b: dict(found(document, _steps(b))) for b in row.beside}
            for places, value in found(document, there):
                if any(besides[b].get(places) != constant for b, constant in row.beside.items()):
                    continue
                said = row.codec.back(value)
                if said is not None:
                    put(made, here, places, said)
        return made

    def path_here(self, path: str) -> str | None:
        """The path here of a field there, or of the nearest field above that has one; None where there is none."""
        steps = [step for step in re.split(r"\.|(\[\d+\])", path) if step]
        while steps:
            places = [int(s[1:-1]) for s in steps if s[0] == "["]
            for name in _ways(steps):
                here = self._named.get(name) or self._above(name)
                if here is not None:
                    # Lists that have a fixed place there have none here.
                    fixed = len(places) - name.count("[]")
                    return _filled(_steps(here), places[fixed:])
            steps.pop()
        return None

    def _above(self, name: str) -> str | None:
        """What the rows below a path there have in common here."""
        below = [here for there, here in self._named.items() if there.startswith((f"{name}.", f"{name}["))]
        if not below:
            return None
        common = _steps(below[0])[:-1]
        for here in below[1:]:
            steps = _steps(here)
            common = [a for n, a in enumerate(common) if steps[: n + 1] == common[: n + 1]]
        return _joined(common) or None


def _ways(steps: Sequence[str]) -> Iterator[str]:
    """A path with places of lists as rows may write it: all left open, the first ones fixed, all fixed."""
    lists = [n for n, step in enumerate(steps) if step[0] == "["]
    for fixed in range(len(lists) + 1):
        kept = set(lists[:fixed])
        yield "".join(
            "[]" if s[0] == "[" and n not in kept else s if s[0] == "[" else f".{s}" for n, s in enumerate(steps)
        ).lstrip(".")


def _joined(steps: Sequence[str]) -> str:
    """Steps as a path again."""
    return "".join(step if step[0] == "[" else f".{step}" for step in steps).lstrip(".")

"""Where a request path goes that is read back by no name of its own: said alone in a plain request, written, and read back.

The dialect has several names for some places. A probe puts a value at one path; the set that is written shows whether the value is
in it, reading back shows under which path, and the findings show whether the caller is told that it is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from tests.dialect.sweep import Place, flat, pattern, where
from tests.laws.claim_values import walked
from x12.documents.writing import Written
from x12.guides import Guide
from x12.syntax import CANONICAL
from x12.tree import Instance

__all__ = ["Probe", "Probed", "probe"]

_VALUES: tuple[Any, ...] = (
    "Q123456789", "123456789", "20260102", "OR", "Y", True,
    # Codes, of which some place has each.
    "OZ", "EL", "CO", "0B", "LU", "07", "4", "T6", "DA", "ER", "AV", "77", "QQ",
)  # fmt: skip


class Probed(NamedTuple):
    """What became of a value: `kind` is `as` (sent, and read back as `path`), `told` (not sent, and a warning says so) or `ignored`.

    `place` is where it stood in the set that was sent.
    """

    kind: str
    path: str = ""
    place: Place | None = None


@dataclass(frozen=True)
class Probe:
    """A plain request as JSON, how one is written, how it is read back; what must stand beside paths of a pattern.

    Beside: values by path, in which `@` stands for the object that the probed path is in; under `""` the value to try first.
    """

    guide: Guide
    base: Callable[[], dict[str, Any]]
    write: Callable[[Any], Written]
    read: Callable[[Instance], Any]
    beside: Mapping[str, Mapping[str, Any]]


def probe(how: Probe, path: str) -> Probed:
    """What becomes of a value at a path of the table; lists are filled at their first item."""
    names = re.sub(r"\[\]", "[0]", path)
    plain, first = how.base(), list[Any]()
    for key, values in how.beside.items():
        if re.fullmatch(key, path):
            for name, value in values.items():
                if not name:
                    first.append(value)
                    continue
                _put(plain, name.replace("@", names.rpartition(".")[0] + "."), value)
    known = _told(how.write(plain))
    for value in (*first, *_VALUES):
        said = deepcopy(plain)
        _put(said, names, value)
        try:
            written = how.write(said)
        except (TypeError, ValueError):
            continue
        about = [
            f
            for f in written.findings
            if f.path and (pattern(f.path) == path or path.startswith(f"{pattern(f.path)}."))
        ]
        if any(f.severity == "warning" for f in about):
            return Probed("told")
        if not about and isinstance(value, str) and value not in known and value in _told(written):
            told = msgspec.to_builtins(how.read(walked(how.guide, written)))
            found = [p for p, v in flat(told) if v == value]
            return Probed("as", pattern(found[0]) if found else "", where(how.guide, written.segments, value))
    return Probed("ignored")


def _told(written: Written) -> set[str]:
    """Every value in a set; of a period its two days."""
    apart = f"[{CANONICAL.element}{CANONICAL.component}{CANONICAL.repetition}-]"
    return {value for segment in written.segments for value in re.split(apart, segment)}


def _put(into: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a path such as `a.b[0].c`."""
    here: Any = into
    names = re.findall(r"[^.\[\]]+", path)
    for name, following in zip(names, [*names[1:], ""], strict=True):
        key: Any = int(name) if name.isdigit() else name
        empty: Any = [] if following.isdigit() else {}
        if isinstance(key, int):
            while len(here) <= key:
                here.append({} if not following.isdigit() else [])
            if not following:
                here[key] = value
        elif not following:
            here[key] = value
        elif here.get(key) is None:
            here[key] = empty
        here = here[key]

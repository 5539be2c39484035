"""What pyx12 says of a file, in the terms of a 999: what its tests and the comparison with ours need of it.

pyx12 reads its map anew for each file, which takes most of its time; here each map is read once. It forgets nothing by that:
its counters live elsewhere (a test compares).
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pyx12.map_if  # pyright: ignore[reportMissingTypeStubs]
import pyx12.params  # pyright: ignore[reportMissingTypeStubs]
import pyx12.x12n_document  # pyright: ignore[reportMissingTypeStubs]

from x12.documents.acknowledgements import read_999
from x12.envelope import read

__all__ = ["CHANCE", "Note", "Opinion", "opinion"]

# Its own lists of what others keep, which are older than the lists they copy.
CHANCE = "states,country,currency,remark_code,pos"
_IK3 = frozenset(("1", "2", "3", "4", "5", "6", "7", "8"))
_TRAILING = "SEG1"
_load = pyx12.map_if.load_map_file


class Note(NamedTuple):
    """One IK3 (element 0) or IK4: where and which code."""

    position: int
    segment: str
    element: int
    component: int
    code: str


class Opinion(NamedTuple):
    """What a 999 says of a file with one set: its notes, IK501 and IK502 to 506, AK901 to 904 and AK905 to 909.

    `told` is False where pyx12 breaks off before it comes to IK5.
    """

    notes: frozenset[Note]
    told: bool
    set_code: str
    set_errors: frozenset[str]
    group: tuple[str, int, int, int]
    group_errors: frozenset[str]


@cache
def _params() -> Any:
    params: Any = pyx12.params.params()
    params.set("exclude_external_codes", CHANCE)
    return params


@cache
def _map(name: str) -> Any:
    return _load(name, _params())


def _cached(name: str, params: Any, path: Any = None) -> Any:
    return _map(name)


def opinion(text: str, *, afresh: bool = False) -> Opinion | None:
    """pyx12's opinion of a file; None where it raises, or calls it no X12. `afresh` reads the map again."""
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)
    acknowledged, told = io.StringIO(), io.StringIO()
    module: Any = pyx12.x12n_document
    module.pyx12.map_if.load_map_file = _load if afresh else _cached
    try:
        pyx12.x12n_document.x12n_document(_params(), io.StringIO(text), acknowledged, None, fd_json=told)
    except Exception:
        return None
    finally:
        module.pyx12.map_if.load_map_file = _load
    if not told.getvalue():
        return None
    return _made(json.loads(told.getvalue()), acknowledged.getvalue())


def _made(document: Any, acknowledged: str) -> Opinion:
    notes = frozenset(_notes(document))
    sets = [s for i in read(acknowledged.encode("ascii", "replace")) for s in i.sets if s.guide is not None]
    said = read_999(sets[0].tree()) if sets else None
    if said is None or not said.sets or not said.code:
        return Opinion(notes, False, "", frozenset(), ("", 0, 0, 0), frozenset())
    group = (said.code, said.included or 0, said.received or 0, said.accepted_sets or 0)
    one = said.sets[0]
    return Opinion(notes, True, one.code or "", frozenset(one.codes or ()), group, frozenset(said.codes or ()))


def _notes(document: Any) -> Iterator[Note]:
    sets = [t for i in document["interchanges"] for g in i["groups"] for t in g["transactions"]]
    for segment in (s for t in sets for s in t["segments"]):
        place = segment["seg_count"], segment["seg_id"]
        for error in segment["errors"]:
            code = "8" if error["err_cde"] == _TRAILING else error["err_cde"]
            if code in _IK3:
                yield Note(*place, 0, 0, code)
        for element in segment["elements"]:
            for error in element["errors"]:
                yield Note(*place, element["ele_pos"], element["subele_pos"] or 0, error["err_cde"])

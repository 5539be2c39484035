"""Recorded reports that are there both as X12 and as JSON: ours out of the X12 has every value of the JSON, where the JSON has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

import x12
from gateway.reports import report_277, report_835
from tests.dialect.tables import samples
from x12.envelope import TransactionSet

Report = Callable[[TransactionSet, str, str, str], msgspec.Struct]
PAIRS: dict[str, Report] = {"R5000000.XY": report_835, "X3000000.XX": report_277}
# What ours says beyond the recorded answers, and why.
MORE = {
    r".*\.adjustmentReason\d": "the reason in words, which later answers of this dialect have beside its code",
    r"\.payers\[0\]\.entityIdentifierCode(Value)?": "NM101 of the payer, which the table of the 277CA has",
}


def recorded(name: str) -> Any:
    path = samples() / "change_health" / "claim" / "report" / f"report.{name}.response.json"
    return msgspec.json.decode(path.read_bytes())


def values(document: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path."""
    if isinstance(document, dict):
        for name, inner in document.items():  # pyright: ignore[reportUnknownVariableType]
            yield from values(inner, f"{place}.{name}" if place else str(name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(document, list):
        for index, inner in enumerate(document):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from values(inner, f"{place}[{index}]")
    else:
        yield place, document


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_report_as_x12_and_as_json_has_the_same_values(name: str) -> None:
    (interchange,) = x12.read(recorded(f"{name}.edi")["report_content"].encode())
    (received,) = interchange.sets
    made = msgspec.json.decode(msgspec.json.encode(PAIRS[name](received, "transaction", "T", "B")))
    ours = dict(values(made["transactions"]))
    theirs = dict(values(recorded(f"{name}.json")["transactions"]))
    assert len(theirs) > 20
    assert theirs == {place: ours.get(place) for place in theirs}
    more = [place for place in ours if place not in theirs]
    assert [] == [place for place in more if not any(re.fullmatch(f"\\[0\\]{known}", place) for known in MORE)]


def test_each_difference_that_is_named_is_one() -> None:
    found: set[str] = set()
    for name, report in PAIRS.items():
        (interchange,) = x12.read(recorded(f"{name}.edi")["report_content"].encode())
        made = msgspec.json.decode(msgspec.json.encode(report(interchange.sets[0], "transaction", "T", "B")))
        theirs = dict(values(recorded(f"{name}.json")["transactions"]))
        for place, _ in values(made["transactions"]):
            found |= {known for known in MORE if place not in theirs and re.fullmatch(f"\\[0\\]{known}", place)}
    assert set(MORE) == found

"""Bodies with one thing wrong, made of the examples of the OpenAPI document; and whether what was sent of such a body is what was said."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.envelopes import claim_number
from tests.flows.contract import Contract, Described

__all__ = ["SECRET", "Body", "Case", "bodies", "cases", "changes_of", "is_sent", "named", "patient_values", "said_of"]

SECRET = "ZQXCANARY"
HOSTILE = {
    "a segment of its own": f"{SECRET}~NM1*IL*1*{SECRET}",
    "a NUL": f"{SECRET}\x00",
    "a line break": f"{SECRET}\r\n{SECRET}",
    "a right-to-left mark": f"{SECRET}\u202e{SECRET}",
    "a line separator": f"{SECRET}\u2028{SECRET}",
    "full-width stars": f"{SECRET}\uff0a{SECRET}",
    "an emoji": f"{SECRET}\U0001f600",
    "a typographic apostrophe": f"{SECRET}\u2019{SECRET}",
}
# Longer than any element that the examples fill, and as long as nobody means it.
LONG = {"longer than its element": SECRET * 40, "too long": SECRET * 5_000}
BEYOND = {"beyond all bounds": 10**30, "below zero": -1}
# Fields that are taken and go nowhere: whatever is in them is not sent, not kept in a log, and not told.
UNSENT = frozenset(("controlNumber", "usageIndicator"))
# The payer's own name, and the number by which this gateway is known to it, go out in the place of these.
FILLED_IN = frozenset(("payer.name.organization", "submitter.etin"))
# What people write for people, which goes into no X12: it may have these in it.
FREE_TEXT = frozenset(("name", "description", "why"))
HARMLESS = frozenset(
    ("a segment of its own", "a line break", "full-width stars", "an emoji", "a typographic apostrophe")
)
# Whose answers begin a transaction with X12 of ours.
_SENT = ("eligibility", "batch eligibility", "claims", "claim status")
_PATIENTS = frozenset(("subscriber", "insured", "patient", "dependent", "dependents"))
_IDENTIFYING = frozenset(
    (
        "memberId",
        "firstName",
        "lastName",
        "dateOfBirth",
        "address1",
        "addressLine1",
        "patientControlNumber",
        "patientAccountNumber",
    )
)
# What differs between two sendings of the same.
_ENVELOPE = frozenset(("ISA", "GS", "ST", "BHT", "TRN", "SE", "GE", "IEA"))
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Body:
    """An example: of which operation, under which name, what it says, and whether it is taken as it is."""

    operation: Described
    name: str
    value: Any
    is_taken: bool = True

    def __str__(self) -> str:
        return f"{self.operation.id} {self.name}"


@dataclass(frozen=True)
class Case:
    """One request with at most one thing wrong with it."""

    body: Body
    kind: str
    path: str
    content: bytes
    # What is told must name this field; False where it may be taken.
    must_name: bool

    @property
    def is_free_text(self) -> bool:
        """Whether it is a text for people that is told again as it came."""
        return self.path in FREE_TEXT and self.kind in HOSTILE and not self.must_name

    @property
    def lacks(self) -> bool:
        """Whether the field is only not there: what is left must be sent all the same."""
        return self.kind in ("missing", "null")

    def __str__(self) -> str:
        return f"{self.body} {self.kind}: {self.path}"


def bodies(contract: Contract, *, every: bool) -> list[Body]:
    """The examples in JSON; without `every` one of each operation that is taken, and of those that take the same only the first."""
    found: list[Body] = []
    for operation in contract.operations:
        for sample in operation.samples():
            body = Body(operation, sample.name, sample.value, sample.status in (200, 201))
            if sample.media != "application/json" or not (every or body.is_taken):
                continue
            if every or all(sample.value != other.value for other in found):
                found.append(body)
            if not every:
                break
    # The same in JSON for those that take X12: what is wrong inside is told by its place in X12.
    found += [
        Body(operation, sample.name, {"x12": sample.value})
        for operation in contract.operations
        for sample in operation.samples()
        if isinstance(sample.value, str)
    ]
    return found


def is_sent(operation: Described) -> bool:
    """Whether what this operation takes goes out as X12 under the transaction of its answer."""
    return (
        operation.about["tags"][0] in _SENT
        and operation.id != "checkEligibilityBatch"
        and "{" not in operation.path
        and "alidate" not in operation.id
    )


def places(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field of a body with what stands there, from the outside in."""
    if at:
        yield at, value
    if isinstance(value, dict):
        for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from places(inner, (*at, name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from places(inner, (*at, index))


def named(path: Path) -> str:
    """A place as findings call it."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def patient_values(value: Any) -> Iterator[str]:
    """What a body tells of patients that says who they are."""
    for path, inner in places(value):
        of_patient = path[0] in _PATIENTS or (path[0] == "items" and path[2:3] == ("subscriber",))
        says_who = path[-1] in _IDENTIFYING and (of_patient or str(path[-1]).startswith("patient"))
        if says_who and isinstance(inner, str) and len(inner) > 3:
            yield inner


def changed(body: Any, path: Path, value: Any) -> bytes:
    """The body with something else at a place, or nothing where the value is `...`."""
    made = copy.deepcopy(body)
    inner = made
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return msgspec.json.encode(made)


def _of_wrong_type(value: Any) -> Iterator[Any]:
    yield True
    if not isinstance(value, dict):
        yield {"a": SECRET}
    if not isinstance(value, list):
        yield [SECRET]
    if not isinstance(value, str):
        yield SECRET


def cases(body: Body, *, every: bool) -> Iterator[Case]:
    """A body as it is, and all that can be wrong with it; of the long and hostile texts some for each field in turn, or every one.

    Of one that is refused as it is, only what is always wrong.
    """
    return (case for case in _cases(body, every=every) if case.must_name or body.is_taken)


def _cases(body: Body, *, every: bool) -> Iterator[Case]:
    texts, longs = itertools.cycle(HOSTILE.items()), itertools.cycle(LONG.items())
    if is_sent(body.operation) and "x12" not in body.value:
        yield Case(body, "as it is", "", msgspec.json.encode(body.value), False)
    for path, value in places(body.value):
        name = named(path)

        def case(kind: str, made: Any, path: Path = path, name: str = name, *, must: bool = True) -> Case:
            return Case(body, kind, name, changed(body.value, path, made), must)

        yield case("missing", ..., must=False)
        if every:
            yield case("null", None, must=False)
        for one in _of_wrong_type(value):
            yield case(f"of the type {type(one).__name__}", one)
        if isinstance(value, int):
            for kind, number in BEYOND.items():
                yield case(kind, number)
        if isinstance(value, str) and value.isdigit() and not value.startswith("0"):
            yield case("as a number", int(value), must=False)
        if isinstance(value, str) and not value.startswith("ISA"):
            may = path[-1] in UNSENT or name in FILLED_IN
            for kind, text in itertools.islice(longs, len(LONG) if every else 1):
                yield case(kind, text, must=not may)
            free = name in FREE_TEXT and body.operation.about["tags"][0] not in _SENT
            for kind, text in itertools.islice(texts, len(HOSTILE) if every else 2):
                yield case(kind, text, must=not (may or (free and kind in HARMLESS)))


# --- what was sent ----------------------------------------------------------------------------------------------------


def said_of(interchange: dict[str, Any], transaction_id: str) -> list[list[str]]:
    """The elements of the segments that tell a transaction, out of an interchange of its trace; without what differs each time.

    Of claims, which share a set, those of this one and of what it hangs on.
    """
    first, *_ = segments = interchange["segments"]
    element, terminator = first[3], first[-1]
    rows = [segment.strip().removesuffix(terminator).split(element) for segment in segments]
    begins = next(n for n, row in enumerate(rows) if row[0] == "ST" and row[2] == interchange["setControlNumber"])
    ends = next(n for n, row in enumerate(rows) if n > begins and row[0] == "SE")
    rows = rows[begins:ends]
    if any(row[0] == "CLM" for row in rows):
        rows = _of_claim(rows, ["REF", "D9", claim_number(transaction_id)])
    # Levels are counted over all claims of the set; a day is a period of one day.
    rows = [["HL", *row[3:]] if row[0] == "HL" else row for row in rows]
    rows = [[*row[:2], "RD8", f"{row[3]}-{row[3]}"] if row[0] == "DTP" and row[2] == "D8" else row for row in rows]
    return [row for row in rows if row[0] not in _ENVELOPE and row[:2] != ["REF", "D9"]]


def _of_claim(rows: list[list[str]], reference: list[str]) -> list[list[str]]:
    """The header of a set, and what is told of the claim with this number: its provider, its subscriber, itself."""
    at = rows.index(reference)
    claim = max(n for n, row in enumerate(rows[:at]) if row[0] == "CLM")
    level = max(n for n, row in enumerate(rows[:claim]) if row[0] == "HL")
    billing = max(n for n, row in enumerate(rows[:level]) if row[0] == "HL" and row[3] == "20")
    begins = {n for n, row in enumerate(rows) if row[0] in ("HL", "CLM")} | {len(rows)}
    parts = (0, billing, level, claim)
    return [row for part in parts for row in rows[part : min(n for n in begins if n > part)]]


def changes_of(case: Case, before: Sequence[list[str]], after: Sequence[list[str]]) -> Iterator[str]:
    """What is in the X12 of a body that was taken and should not be, or is missing and should not. `before` is of the body as it is."""
    if not case.lacks:
        if before != after:
            yield f"is sent otherwise: {[row for row in after if row not in before]}"
        return
    left = iter(before)
    for row in after:
        moved = case.path.endswith("]")
        if not any(_is_within(row, other, moved) for other in left):
            yield f"is sent with a segment that nobody said: {row}"
            return
    told, kept = _atoms(before), _atoms(after)
    for path, value in places(msgspec.json.decode(case.content)):
        if isinstance(value, str) and len(value) > 2:
            said = {value, value.replace("-", "")}
            if said & told and not said & kept:
                yield f"loses {named(path)}"


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[:>^]", text) if part]


def _atoms(rows: Sequence[list[str]]) -> set[str]:
    return {part for row in rows for element in row[1:] for part in (element, *_parts(element))}


def _is_within(row: list[str], other: list[str], moved: bool) -> bool:
    """Whether a segment says nothing but what another says, at the same places; or in the same order, where an item of a list is gone."""
    if row[0] != other[0] or len(row) > len(other):
        return False
    if moved:
        left = iter([part for element in other[1:] for part in _parts(element)])
        return all(part in left for element in row[1:] for part in _parts(element))
    return all(set(_parts(mine)) <= set(_parts(theirs)) for mine, theirs in zip(row, other, strict=False))

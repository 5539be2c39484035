"""Every request example, each field in turn missing, of a wrong type, too long, or with characters that nobody should send.

Over a real socket, against `claimwire serve --sandbox` in a process of its own whose log is read afterwards. The cases are made
from the examples of the OpenAPI document, so that an operation that is added is looked at, too.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import os
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.flows.contract import Contract, Described
from tests.flows.service import Answer, Client, Process, free_port

SECRET = "ZQXCANARY"
AT_ONCE = 8
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
# Fields that are taken and go nowhere: whatever is in them is not sent, not kept in a log, and not told.
UNSENT = frozenset(("controlNumber", "usageIndicator"))
# The payer's own name, and the number by which this gateway is known to it, go out in the place of these.
FILLED_IN = frozenset(("payer.name.organization", "submitter.etin"))
# Diagnoses of lines become those of the claim, the first of which is called so.
CALLED = {"serviceLines[0].diagnosisCodes[0]": "encounter.primaryDiagnosisCode"}
# A payer that is not known is told as the result of that check: the others of its batch are asked.
LATER = frozenset(("items[0].tradingPartnerServiceId",))
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Case:
    """One request with one thing wrong with it."""

    operation: Described
    kind: str
    path: str
    body: bytes
    # What is told must name this field; "" where it may be taken.
    must_name: bool

    def __str__(self) -> str:
        return f"{self.operation.id} {self.kind}: {self.path}"


def places(value: Any, at: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every field of a body with what stands there, from the outside in."""
    if at:
        yield at, value
    if isinstance(value, dict):
        for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from places(inner, (*at, name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            yield from places(inner, (*at, index))


def named(path: Path_) -> str:
    """A place as findings call it."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def changed(body: Any, path: Path_, value: Any) -> bytes:
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


def cases(operation: Described, body: Any, *, every: bool) -> Iterator[Case]:
    """All that can be wrong with a body; of the hostile texts two for each field in turn, or every one of them."""
    texts = itertools.cycle(HOSTILE.items())
    for path, value in places(body):
        name = named(path)

        def case(kind: str, made: Any, path: Path_ = path, name: str = name, *, must: bool = True) -> Case:
            return Case(operation, kind, name, changed(body, path, made), must)

        yield case("missing", ..., must=False)
        wrong: list[Any] = [True]
        if not isinstance(value, dict):
            wrong.append({"a": SECRET})
        if not isinstance(value, list):
            wrong.append([SECRET])
        if not isinstance(value, str):
            wrong.append(SECRET)
        for one in wrong:
            yield case(f"of the type {type(one).__name__}", one)
        if isinstance(value, str) and path[-1] not in UNSENT and not value.startswith("ISA"):
            must = name not in LATER | FILLED_IN
            yield case("too long", SECRET * 5_000, must=must)
            for kind, text in itertools.islice(texts, len(HOSTILE) if every else 2):
                yield case(f"with {kind}", text, must=must)


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncGenerator[tuple[Client, Path]]:
    port, data, log = free_port(), tmp_path / "data", tmp_path / "log"
    process = Process(["serve", "--sandbox", "--data", str(data), "--port", str(port)], log)
    await process.start()
    try:
        client = await process.ready(f"http://127.0.0.1:{port}", data)
        yield client, log
        await client.close()
    finally:
        await process.stop()


def fields_of(answer: Answer) -> set[str]:
    """The fields that a refusal names: by their path, or on the SDK's paths by a pointer (RFC 6901)."""
    found: set[str] = set()
    for error in answer.json.get("errors") or ():
        pointer = [int(p) if p.isdigit() else p for p in error.get("path", "").split("/")[1:]]
        found.add(error.get("field") or named(tuple(pointer)))
    return found


def names(found: set[str], path: str) -> bool:
    """Whether one of these fields is the one at fault, what it stands in, or what stands in it."""
    return any(
        f and (f == path or path.startswith((f"{f}.", f"{f}[")) or f.startswith((f"{path}.", f"{path}[")))
        for f in found
    )


def beside(found: set[str], path: str) -> bool:
    """Whether one of these fields stands beside the one that is missing: one of several that could be given."""
    around = re.sub(r"(\.?\w+|\[\d+\])$", "", path)
    return any(f.startswith(around) for f in found)


class _Matrix:
    def __init__(self, client: Client, contract: Contract, transaction_id: str) -> None:
        self.client = client
        self.contract = contract
        self.transaction_id = transaction_id
        self.faults: list[str] = []
        self.sent = 0
        self.taken: list[str] = []

    async def run(self, todo: Iterator[Case]) -> None:
        """Send all cases, a few at once."""
        waiting = asyncio.Queue[Case | None](AT_ONCE)

        async def sender() -> None:
            while (case := await waiting.get()) is not None:
                await self.one(case)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(sender())
            for case in todo:
                await waiting.put(case)
            for _ in range(AT_ONCE):
                await waiting.put(None)

    async def one(self, case: Case) -> None:
        path = re.sub(r"\{\w+\}", self.transaction_id, case.operation.path)
        answer = await self.client.call(case.operation.method, path, case.body, Content_Type="application/json")
        self.sent += 1
        faults = self.contract.faults(case.operation, answer)
        if SECRET.encode() in answer.body:
            faults.append("the answer repeats the value")
        if 400 <= answer.status < 500:
            faults += self._refusal(case, answer)
        elif answer.status != 200:
            faults.append(f"answered {answer.status}")
        elif case.must_name:
            faults.append("was taken")
        else:
            self.taken.append(str(case))
        self.faults += [f"{case}: {fault} {answer.body[:300]!r}" for fault in faults]

    def _refusal(self, case: Case, answer: Answer) -> Iterator[str]:
        found = fields_of(answer)
        if answer.status == 404 and "{" in case.operation.path:
            # What is missing may be left out; what the path names is not there.
            return
        if CALLED.get(case.path) in found:
            return
        if case.kind == "missing":
            # One of several of a kind may be left out: then only what they come to can be wrong.
            if not (case.path.endswith("]") or names(found, case.path) or beside(found, case.path)):
                yield f"does not name the field but {sorted(found)}"
        elif not names(found, case.path):
            yield f"does not name the field but {sorted(found)}"
        if not all(e.get("description") or e.get("message") for e in answer.json.get("errors", ())):
            yield "does not say why"


def operations(contract: Contract, *, every: bool) -> list[tuple[Described, Any]]:
    """Operations with a JSON body that is taken: for CI, of those that take the same body only the first."""
    found: list[tuple[Described, Any]] = []
    bodies: list[Any] = []
    for operation in contract.operations:
        for sample in operation.samples():
            if sample.media == "application/json" and sample.status == 200 and (every or sample.value not in bodies):
                bodies.append(sample.value)
                found.append((operation, sample.value))
                break
    # The same in JSON for those that take X12: what is wrong inside is told by its place in X12.
    found += [
        (operation, {"x12": sample.value})
        for operation in contract.operations
        for sample in operation.samples()
        if isinstance(sample.value, str)
    ]
    return found


async def look(tmp_path: Path, *, every: bool) -> None:
    async with served(tmp_path) as (client, log):
        contract = Contract((await client.get("/openapi.json")).json)
        benefits = next(s for s in contract.operation("checkEligibility").samples() if s.name == "benefits")
        answer = await client.post(contract.operation("checkEligibility").path, benefits.value)
        assert 200 == answer.status
        matrix = _Matrix(client, contract, answer.headers["X-Transaction-Id"])
        todo = operations(contract, every=every)
        assert {"estimateShare", "moveClock", "checkEligibility", "inquireClaimStatus"} <= {o.id for o, _ in todo}
        assert 7 <= len(todo)
        await matrix.run(case for operation, body in todo for case in cases(operation, body, every=every))
        written = log.read_text("utf-8", "replace")
    print(f"{matrix.sent} requests, {len(matrix.taken)} taken without a field")
    assert SECRET not in written
    print("\n".join(matrix.faults))
    assert 0 == len(matrix.faults)
    # What may be left out is a part of what is there: the rest must have been refused.
    assert 800 < matrix.sent
    assert len(matrix.taken) < matrix.sent / 6


async def test_every_field_of_every_example_is_refused_by_its_name(tmp_path: Path) -> None:
    await look(tmp_path, every=False)


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_every_operation_refuses_every_field_by_its_name(tmp_path: Path) -> None:
    await look(tmp_path, every=True)

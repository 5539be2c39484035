"""Every request example, each field in turn missing, of a wrong type, too long, or with characters that nobody should send.

Over a real socket, against `claimwire serve --sandbox` in a process of its own whose log is read afterwards. The cases are made
from the examples of the OpenAPI document, so that an operation that is added is looked at, too. What is refused must name its field and
no value; what is taken must go out as what was said of it.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.flows.bad_fields import (
    SECRET,
    Body,
    Case,
    bodies,
    cases,
    changes_of,
    is_sent,
    named,
    patient_values,
    said_of,
)
from tests.flows.contract import Contract
from tests.flows.service import PATIENCE_SECONDS, Answer, Client, Process, free_port

pytestmark = pytest.mark.one_engine

AT_ONCE = 8
# Diagnoses of lines become those of the claim, the first of which is called so.
CALLED = {"serviceLines[0].diagnosisCodes[0]": "encounter.primaryDiagnosisCode"}


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
    def __init__(self, client: Client, contract: Contract, ids: dict[str, str], patients: Iterable[str]) -> None:
        self.client = client
        self.contract = contract
        self.ids = ids
        self.patients = [p.encode() for p in patients]
        self.faults: list[str] = []
        self.sent = 0
        self.taken: list[str] = []
        # What went out as X12, by the transaction: the bodies as they are, and those that were taken with something wrong.
        self.whole: dict[str, str] = {}
        self.changed: list[tuple[Case, str]] = []

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
        operation = case.body.operation
        path = re.sub(r"\{(\w+)\}", lambda m: self.ids.get(m[1], self.ids["transactionId"]), operation.path)
        answer = await self.client.call(operation.method, path, case.content, Content_Type="application/json")
        self.sent += 1
        faults = self.contract.faults(operation, answer)
        if case.is_free_text and answer.status in (200, 201):
            if answer.json[case.path] != msgspec.json.decode(case.content)[case.path]:
                faults.append("was not kept as it is")
        elif SECRET.encode() in answer.body:
            faults.append("the answer repeats the value")
        if 400 <= answer.status < 500:
            faults += self._refusal(case, answer)
        elif answer.status not in (200, 201):
            faults.append(f"answered {answer.status}")
        elif case.must_name:
            faults.append("was taken")
        else:
            self._taken(case, answer)
        self.faults += [f"{case}: {fault} {answer.body[:300]!r}" for fault in faults]

    def _taken(self, case: Case, answer: Answer) -> None:
        transaction_id = answer.headers.get("X-Transaction-Id")
        # A claim that is taken with errors is kept and not sent; an inquiry that has some was answered so by the payer.
        kept = answer.status == 201 and answer.json.get("errors")
        if is_sent(case.body.operation) and transaction_id is not None and not kept:
            if case.kind == "as it is":
                self.whole[str(case.body)] = transaction_id
            else:
                self.changed.append((case, transaction_id))
        if case.kind != "as it is":
            self.taken.append(str(case))

    def _refusal(self, case: Case, answer: Answer) -> Iterator[str]:
        found = fields_of(answer)
        if any(value in answer.body for value in self.patients):
            yield "tells who the patient is"
        if answer.status in (404, 409) and "{" in case.body.operation.path:
            # What is missing may be left out; what the path names is not there, or not to be changed now.
            return
        if "error" in answer.json:
            # As OAuth has it (RFC 6749): in words, and not which of a client's credentials is wrong.
            told = answer.json["error"], answer.json["error_description"]
            if told[0] != "invalid_client" and case.path not in told[1]:
                yield f"does not name the field but says {told}"
            return
        if CALLED.get(case.path) in found:
            return
        if case.lacks:
            # One of several of a kind may be left out: then only what they come to can be wrong.
            if not (case.path.endswith("]") or names(found, case.path) or beside(found, case.path)):
                yield f"does not name the field but {sorted(found)}"
        elif not names(found, case.path):
            yield f"does not name the field but {sorted(found)}"
        if not all(e.get("description") or e.get("message") for e in answer.json.get("errors", ())):
            yield "does not say why"

    async def look_at_what_was_sent(self) -> None:
        """Compare the X12 of what was taken with something wrong with that of the body as it is."""
        whole = {body: await self._set_of(transaction_id) for body, transaction_id in self.whole.items()}
        for case, transaction_id in self.changed:
            made = await self._set_of(transaction_id)
            self.faults += [f"{case}: {fault}" for fault in changes_of(case, whole[str(case.body)], made)]

    async def _set_of(self, transaction_id: str) -> list[list[str]]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for one in (await self.client.trace(transaction_id))["interchanges"]:
                if one["direction"] == "out" and "setControlNumber" in one:
                    return said_of(one, transaction_id)
            assert time.monotonic() < deadline, f"{transaction_id} was not sent"
            await asyncio.sleep(0.1)


async def _ids(client: Client, contract: Contract) -> dict[str, str]:
    """What parameters of paths stand for: a transaction, and a destination of events."""
    benefits = next(s for s in contract.operation("checkEligibility").samples() if s.name == "benefits")
    answer = await client.post(contract.operation("checkEligibility").path, benefits.value)
    assert 200 == answer.status
    making = contract.operation("createEventDestination")
    made = await client.post(making.path, next(making.samples()).value)
    assert 201 == made.status
    return {"transactionId": answer.headers["X-Transaction-Id"], "destinationId": made.json["id"]}


async def look(tmp_path: Path, *, every: bool) -> None:
    async with served(tmp_path) as (client, log):
        contract = Contract((await client.get("/openapi.json")).json)
        todo: list[Body] = bodies(contract, every=every)
        wanted = {"estimateShare", "moveClock", "checkEligibility", "inquireClaimStatus", "createEventDestination"}
        assert {*wanted, "createProfessionalClaimSubmission"} <= {b.operation.id for b in todo}
        patients = {value for body in todo for value in patient_values(body.value)}
        matrix = _Matrix(client, contract, await _ids(client, contract), patients)
        await matrix.run(case for body in todo for case in cases(body, every=every))
        await matrix.look_at_what_was_sent()
        written = log.read_text("utf-8", "replace")
    print(f"{matrix.sent} requests, {len(matrix.taken)} taken, {len(matrix.changed)} of them sent")
    assert [] == [value for value in (SECRET, *patients) if value in written]
    print("\n".join(matrix.faults))
    assert 0 == len(matrix.faults)
    # What may be left out is a part of what is there: the rest must have been refused.
    assert 800 < matrix.sent
    assert 6 <= len(patients)
    assert 6 <= len(matrix.whole)
    assert 40 < len(matrix.changed)
    assert len(matrix.taken) < matrix.sent / 5


async def test_every_field_of_every_example_is_refused_by_its_name_or_sent_as_it_is(tmp_path: Path) -> None:
    await look(tmp_path, every=False)


@pytest.mark.campaign
@pytest.mark.skipif("CLAIMWIRE_CAMPAIGN" not in os.environ, reason="the long run: CLAIMWIRE_CAMPAIGN=1")
async def test_every_operation_refuses_every_field_by_its_name_or_sends_it_as_it_is(tmp_path: Path) -> None:
    await look(tmp_path, every=True)

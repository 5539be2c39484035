"""The messages of the dialect that are no transaction set: every path is filled in answers of a running service, or left out for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.payers import Payer
from tests import synthetic
from tests.dialect import messages, report, tables
from tests.dialect.messages import LEFT, TABLES, why
from tests.dialect.tables import leaves, rows
from tests.flows.service import NETWORK, claim_body, eligibility_body, in_process, until

SUBMISSION = f"{NETWORK}/professionalclaims/v3/submission"
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
# What the sandbox payer needs before there is a remittance.
_DAYS = 5


@pytest.fixture(autouse=True)
def _tables() -> None:
    """Skips, and says so, where the tables are not at hand."""
    tables.folder()


def values(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with the path that the tables have for it."""
    if isinstance(document, dict):
        for name, inner in document.items():  # pyright: ignore[reportUnknownVariableType]
            yield from values(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(document, list):
        for inner in document:  # pyright: ignore[reportUnknownVariableType]
            yield from values(inner, f"{path}[]")
    else:
        yield path, document


async def answered(tmp_path: Path) -> dict[str, list[Any]]:
    """Answers of a running service, by the table of their message."""
    payer = Payer(
        id="BIRCH", name="BIRCH HEALTH PLAN", routes=["sandbox"], aliases=["BHP"], names=["BIRCHWOOD"],
        website="https://birch.example.com", coverage_types=["medical"], operating_states=["OR"],
    )  # fmt: skip
    async with in_process(tmp_path, Config(payers=[payer])) as (client, _):
        wrong = claim_body("PAID-2")
        wrong["claimInformation"]["claimChargeAmount"] = "999.00"
        del wrong["subscriber"]["gender"]
        taken = await client.post(SUBMISSION, claim_body("PAID-1") | {"controlNumber": "000000007"})
        again = await client.post(SUBMISSION, claim_body("PAID-1"))
        refused = await client.post(SUBMISSION, wrong)
        file = await client.post(
            f"{NETWORK}/professionalclaims/v3/raw-x12-submission", synthetic.claims_837p(2).encode()
        )
        assert [200, 200, 400, 200] == [a.status for a in (taken, again, refused, file)]
        assert again.json["warnings"]
        check = {**eligibility_body("SANDBOX-ACTIVE-1"), "submitterTransactionIdentifier": "V1"}
        batch = await client.post("/2024-04-01/eligibility-manager/batch-eligibility", {"items": [check]})
        assert 200 == batch.status
        claim = taken.headers["X-Transaction-Id"]
        await until(client, claim, "received")
        await client.forward(_DAYS)
        await until(client, claim, "remitted")
        found = [
            await client.get(f"/2024-04-01/payers/search?query={q}&pageSize=1") for q in ("", "bir", "bhp", "birchwood")
        ]
        return {
            "claim-response": [a.json for a in (taken, again, refused, file)],
            "payer-search-response": [a.json for a in found],
            "polling-transactions-response": [(await client.get("/2023-08-01/polling/transactions")).json],
            "batch-eligibility-response": [batch.json],
        }


async def test_every_path_is_filled_in_an_answer_or_left_out_for_a_reason(tmp_path: Path) -> None:
    faults: list[str] = []
    for table, answers in (await answered(tmp_path)).items():
        kinds = {r.path: r.type for r in leaves(table)}
        seen: set[str] = set()
        for path, value in (pair for answer in answers for pair in values(answer)):
            seen.add(path)
            if path in kinds and not isinstance(value, KINDS[kinds[path]]):
                faults.append(f"{table} {path} is a {type(value).__name__}, not a {kinds[path]}")
        faults += [f"{table} {p} is not filled" for p in kinds if p not in seen and why(table, p) is None]
        faults += [f"{table} {p} is filled, although it is left out" for p in kinds if p in seen and why(table, p)]
        faults += _missing(table, answers)
    assert [] == faults


def _missing(table: str, answers: list[Any]) -> Iterator[str]:
    """What must be there wherever the object that it is in is, and is not."""
    for row in rows(table):
        above, _, name = row.path.rpartition(".")
        if not row.required or why(table, row.path) is not None or name.endswith("[]"):
            continue
        for answer in answers:
            for one in objects(answer, [s for s in re.split(r"\.|(\[\])", above) if s]):
                if one.get(name) is None:
                    yield f"{table} {row.path} is missing in {sorted(one)}"


def objects(document: Any, steps: list[str]) -> Iterator[dict[str, Any]]:
    """Every object at a path."""
    if not steps:
        if isinstance(document, dict):
            yield document  # pyright: ignore[reportUnknownVariableType]
    elif steps[0] == "[]":
        for inner in document:
            yield from objects(inner, steps[1:])
    elif document.get(steps[0]) is not None:
        yield from objects(document[steps[0]], steps[1:])


def test_a_batch_takes_of_each_check_what_a_question_takes() -> None:
    """Both are read as one document, whose paths have a page of their own."""
    table = "batch-eligibility-request"
    asked = {one.row.path: one for one in report.covered("eligibility-request")}
    for path in (r.path for r in leaves(table) if why(table, r.path) is None):
        own = path.removeprefix("items[].")
        if own in ("name", "maxRetryHours"):
            continue
        assert asked[own].carried or asked[own].left is not None, path


def test_every_reason_has_a_path_and_the_page_is_what_they_come_to() -> None:
    for table in TABLES:
        for pattern in LEFT[table]:
            assert [r for r in leaves(table) if re.fullmatch(pattern, r.path)], (table, pattern)
    told = (report.DOCUMENTS / f"{messages.PAGE}.md").read_text("utf-8")
    assert messages.render() == told, "run python -m tests.dialect.messages, and read what it changed"

"""The contract of the sandbox payer for hospitals' and dentists' claims: the same scripts, and an 835 as their guides see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.remittance import outcome_of
from tests import synthetic
from tests.contract.test_sandbox import DAY, SCRIPTS, Practice, coded, opened, read_clean
from tests.contract.test_sandbox import claims as professional
from tests.contract.test_sandbox import status as question
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.documents.claim_status import ClaimState, claim_statuses
from x12.envelope import TransactionSet

MADE: dict[str, Callable[[int], str]] = {"837I": synthetic.claims_837i, "837D": synthetic.claims_837d}


def claims(kind: str, *numbers: str, isa13: int = 1) -> bytes:
    """A file with one claim for each patient control number, all of one member; the kind's first example is a stay, or a check-up."""
    text = MADE[kind](len(numbers))
    for index, number in enumerate(numbers):
        text = text.replace(f"CLM*PCN{index:08d}*", f"CLM*{number}*").replace(f"D9*SYN{index:09d}", f"D9*D9{number}")
        text = text.replace(f"MI*MEM{index:07d}", "MI*MEM1")
    return (
        text.replace("*000000001*0*T*", f"*{isa13:09d}*0*T*").replace("IEA*1*000000001", f"IEA*1*{isa13:09d}").encode()
    )


def about(content: bytes) -> bytes:
    """A question about the patient of the first claim of an 837, who may be a dependent of the member."""
    rows = [s.split("*") for s in content.decode().split("~")]
    (number, *_) = (r[1] for r in rows if r[0] == "CLM")
    patient = next((r[3:5] for r in rows if r[:2] == ["NM1", "QC"]), None)
    asked = question(number)
    return of_a_dependent(asked, *patient) if patient is not None else asked


def of_a_dependent(asked: bytes, last: str, first: str) -> bytes:
    """A question about a subscriber as one about a dependent."""
    text = asked.decode().replace("*22*0~DMG*D8*19800229*F~", "*22*1~").replace("SE*16*", "SE*18*")
    return text.replace("~TRN*", f"~HL*5*4*23~DMG*D8*20150607*M~NM1*QC*1*{last}*{first}~TRN*").encode()


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with opened(tmp_path / "sandbox.db") as made:
        yield made


def claim_of(received: TransactionSet, number: str) -> list[list[str]]:
    """The elements of the segments from a claim's CLP to the next."""
    rows = [s.split(received.delimiters.element) for s in received.segments]
    start = next(i for i, r in enumerate(rows) if r[:2] == ["CLP", number])
    return rows[start : next(i for i in range(start + 1, len(rows)) if rows[i][0] in ("CLP", "PLB", "SE"))]


async def standing(practice: Practice, asked: bytes) -> ClaimState:
    (received,) = read_clean(await practice.ask(asked))
    (state,) = claim_statuses(received.tree())
    return state


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("script", list(SCRIPTS))
async def test_a_claim_fares_as_scripted(practice: Practice, kind: str, script: str) -> None:
    accepted, said, days, outcome = SCRIPTS[script]
    number = f"{script}-1"
    sent = claims(kind, number)
    await practice.submit(sent)
    files = await practice.collect()
    assert ["999"] + ["277CA"] * (accepted is not None) == [name for name, _ in files]
    told = [a for n, c in files if n == "277CA" for s in read_clean(c) for a in claim_verdicts(s.tree())]
    assert ([] if accepted is None else [accepted]) == [a.accepted for a in told]
    assert coded(await standing(practice, about(sent))).startswith(said)
    await practice.server.forward(days * DAY - timedelta(minutes=1))
    assert [] == await practice.collect()
    await practice.server.forward(timedelta(minutes=1))
    paid = await practice.remitted()
    assert ([] if outcome is None else [(number, outcome)]) == [(c.patient_control_number, outcome_of(c)) for c in paid]
    assert {f"D9{number}": 1} == (await practice.json("/seen"))["claims"]


@pytest.mark.parametrize("kind", MADE)
async def test_the_same_claim_again_is_denied_as_a_duplicate(practice: Practice, kind: str) -> None:
    for isa13 in (1, 2):
        await practice.submit(claims(kind, "PAID-1", isa13=isa13))
    assert 1 == (await practice.json("/seen"))["duplicateClaims"]
    await practice.server.forward(DAY)
    assert ["paid", "denied"] == [outcome_of(c) for c in await practice.remitted()]


async def test_a_stay_has_covered_days_and_its_group_and_a_visit_has_neither(practice: Practice) -> None:
    await practice.submit(claims("837I", "PAID-1", "PAID-2", "DENIED-3", "DENIED-4"))
    (report,) = await practice.collected("277CA")
    assert ["111", "131", "111", "131"] == [s.split("*")[2] for s in report.segments if s.startswith("REF*BLT")]
    await practice.server.forward(DAY)
    (received,) = await practice.collected("835")
    stay, visit, stayed, visited = (
        claim_of(received, f"{s}-{n}") for s, n in zip(("PAID", "PAID", "DENIED", "DENIED"), (1, 2, 3, 4), strict=True)
    )
    asked = [s for s in synthetic.claims_837i(1).split("~") if s.startswith("HI*BE:80")]
    assert [asked[0].rpartition(":")[2]] == [r[1] for r in stay if r[0] == "MIA"]
    assert ("470", "MA01") == (stay[0][11], next(r for r in stayed if r[0] == "MIA")[5])
    assert [[], ["MA01"]] == [[r[3] for r in c if r[0] == "MOA"] for c in (visit, visited)]
    assert [] == [r for r in (*visit, *visited) if r[0] == "MIA"]
    services = [r for r in (*stay, *visit) if r[0] == "SVC"]
    # A revenue code by itself is the procedure; beside a procedure it has an element of its own.
    assert {("NU", False), ("HC", True)} == {(r[1].split(":")[0], len(r) > 4 and bool(r[4])) for r in services}


async def test_what_a_predetermination_would_be_paid_is_an_adjustment(practice: Practice) -> None:
    numbers = ("PAID-1", "PAID-2", "PAID-3", "PAID-4", "PAID-5")
    await practice.submit(claims("837D", *numbers))
    await practice.server.forward(DAY)
    (received,) = await practice.collected("835")
    told = claim_of(received, "PAID-5")
    charge = sum(Decimal(r[2]) for r in told if r[0] == "SVC")
    assert (["25", str(charge), "0"]) == told[0][2:5]
    adjusted = {(r[1], r[2]): Decimal(r[3]) for r in told if r[0] == "CAS"}
    assert {("CO", "45"), ("OA", "101")} == set(adjusted)
    assert all(r[1].split(":")[0] == "AD" for r in told if r[0] == "SVC")
    assert ["1"] * 4 == [claim_of(received, n)[0][2] for n in numbers[:4]]


async def test_a_status_names_the_type_of_bill(practice: Practice) -> None:
    sent = claims("837I", "PAID-1")
    await practice.submit(sent)
    (received,) = read_clean(await practice.ask(about(sent)))
    assert ["REF*BLT*111"] == [s for s in received.segments if s.startswith("REF*BLT")]


async def test_a_status_is_that_of_the_patient_who_is_asked_about(practice: Practice) -> None:
    """A subscriber and a dependent may have claims with the same number of the provider's."""
    sent = claims("837D", "PAID-1")
    patient = next(s.split("*")[3:5] for s in sent.decode().split("~") if s.startswith("NM1*QC*"))
    await practice.submit(professional("PAID-1", isa13=2))
    assert "P1:20" == coded(await standing(practice, question("PAID-1")))
    assert "A4:35" == coded(await standing(practice, of_a_dependent(question("PAID-1"), *patient)))
    await practice.server.forward(DAY)
    await practice.submit(sent)
    assert "F1:65" == coded(await standing(practice, question("PAID-1")))
    assert "P1:20" == coded(await standing(practice, about(sent)))
    assert "P1:20" == coded(await standing(practice, of_a_dependent(question("PAID-1"), *(n.lower() for n in patient))))
    assert "A4:35" == coded(await standing(practice, of_a_dependent(question("PAID-1"), patient[0], "NOBODY")))

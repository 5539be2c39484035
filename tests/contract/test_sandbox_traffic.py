"""The sandbox payer behaves as payers do in production traffic: each fact that is known of it, by what comes back.

Source of the facts: one published analysis of 10,432 files, as README.md of the sandbox lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sandbox.scenarios import DUPLICATES, claim_script
from tests.contract.test_sandbox import DAY, Practice, claims, codes, eligibility, opened, read_clean, refused
from x12.balancing import balance_835
from x12.documents.acknowledgements import read_999
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.envelope import TransactionSet


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with opened(tmp_path / "sandbox.db") as made:
        yield made


def rows(received: TransactionSet, *ids: str) -> list[list[str]]:
    split = [s.split(received.delimiters.element) for s in received.segments]
    return [row for row in split if row[0] in ids]


async def paid(practice: Practice, *numbers: str, isa13: int = 1) -> list[TransactionSet]:
    """The 835s of a day for these claims."""
    await practice.submit(claims(*numbers, isa13=isa13))
    await practice.server.forward(DAY)
    sets = await practice.collected("835")
    assert [] == [f for s in sets for f in balance_835(s.tree())]
    return sets


async def test_delimiters_that_are_rare_elsewhere(practice: Practice) -> None:
    await practice.json("/habits", {"delimiters": "|^}~"})
    await practice.submit(claims("PAID-1"))
    for _, content in await practice.collect():
        assert ("|", "^", "}") == (chr(content[3]), chr(content[82]), chr(content[104]))
    answer = await practice.ask(eligibility("MANYTYPES-1", isa13=2))
    assert b"|30^" not in answer
    assert b"EB|A|IND|1^" in answer


async def test_eb03_repeats_dozens_of_codes(practice: Practice) -> None:
    (received,) = read_clean(await practice.ask(eligibility("MANYTYPES-1")))
    counts = [len(row[3].split("^")) for row in rows(received, "EB") if row[1] in ("1", "A")]
    assert max(counts) > 36
    # Nothing is said twice, and every type of the plan is there.
    alike = Counter(tuple(row[:3] + row[4:]) for row in rows(received, "EB"))
    assert 1 == max(alike.values())


async def test_a_999_that_never_rejects_leaves_it_to_the_277ca(practice: Practice) -> None:
    await practice.json("/habits", {"lenient": True})
    whole = claims("PAID-1", "PAID-2", "PAID-3")
    # One claim is wrong by the guide; then what stands above all claims.
    for isa13, wrong, told, taken in (
        (1, (b"CLM*PAID-2*160.5***11:B:1*Y*A*Y*Y", b"CLM*PAID-2*160.5***11:B:1*Y*A*Y*Z"), ["A7:21"], 2),
        (2, (b"BHT*0019*00", b"BHT*0099*00"), ["A3:21"] * 3, 0),
    ):
        content = whole.replace(*wrong).replace(b"*000000001*0*T*", b"*%09d*0*T*" % isa13)
        assert content != whole
        await practice.submit(content.replace(b"IEA*1*000000001", b"IEA*1*%09d" % isa13))
        files = await practice.collect()
        assert ["999", "277CA"] == [name for name, _ in files]
        (said,) = read_clean(files[0][1])
        assert (True, told) == (read_999(said.tree()).accepted, refused(files))
        verdicts = [v for s in read_clean(files[1][1]) for v in claim_verdicts(s.tree())]
        assert taken == sum(v.accepted is True for v in verdicts)
    await practice.server.forward(DAY)
    assert ["PAID-1", "PAID-3"] == [c.patient_control_number for c in await practice.remitted()]


@pytest.mark.parametrize("wrong", [(b"CLM*PAID-1*", b"CLM**"), (b"CLM*", b"CLX*")])
async def test_claims_that_a_277ca_cannot_name_are_rejected_by_the_999_of_a_lenient_payer_too(
    practice: Practice, wrong: tuple[bytes, bytes]
) -> None:
    await practice.json("/habits", {"lenient": True})
    await practice.submit(claims("PAID-1").replace(*wrong))
    ((name, content),) = await practice.collect()
    assert ("999", False) == (name, read_999(read_clean(content)[0].tree()).accepted)


async def test_a1_19_is_what_277cas_say_most(practice: Practice) -> None:
    await practice.submit(claims("RECEIVED-1"))
    (received,) = await practice.collected("277CA")
    assert ["A1:19:PR"] * 2 == [row[1] for row in rows(received, "STC")]
    # For every batch that comes it is said once, whatever becomes of the claims.
    said = Counter[str]()
    for isa13, script in enumerate(("PAID", "DENIED", "REJECT", "PENDED"), 2):
        await practice.submit(claims(f"{script}-{isa13}", isa13=isa13))
        said.update(row[1][:5].replace(">", ":") for s in await practice.collected("277CA") for row in rows(s, "STC"))
    assert ("A1:19", 4) == said.most_common(1)[0]


async def test_a_provider_who_is_not_known_is_aaa_43(practice: Practice) -> None:
    assert {"43"} == codes(await practice.coverage(eligibility("WRONGNPI-1")))
    assert {"43"} == codes(await practice.coverage(eligibility("ACTIVE-1", isa13=2, by="1999996668")))


async def test_a_duplicate_is_oa_18_three_times_as_often_as_co_18(practice: Practice) -> None:
    numbers = [f"PAID-{n}" for n in range(80)]
    await practice.submit(claims(*numbers))
    sets = await paid(practice, *numbers, isa13=2)
    # Both lines of a claim say the same.
    groups = Counter(row[1] for s in sets for row in rows(s, "CAS") if row[2] == "18")
    assert 160 == groups.total()
    assert groups["OA"] > 2 * groups["CO"] > 0
    assert {"OA": 3, "CO": 1} == Counter(denial.group for denial in DUPLICATES)


async def test_n381_is_the_remark_that_is_made_most_and_stands_beside_what_the_contract_takes_away(
    practice: Practice,
) -> None:
    sets = await paid(practice, "PAID-1", "COPAY-2", "DENIED-3", "PARTLY-4", *(f"ORDINARY-{n}" for n in range(8)))
    remarks = Counter[str]()
    reduced = False
    for row in (r for s in sets for r in rows(s, "SVC", "CAS", "LQ")):
        if row[0] == "SVC":
            reduced = False
        elif row[0] == "CAS":
            reduced = reduced or row[1:3] == ["CO", "45"]
        else:
            remarks[row[2]] += 1
            assert row[2] != "N381" or reduced
    assert "N381" == remarks.most_common(1)[0][0]


async def test_a_fee_for_the_way_of_paying_is_the_adjustment_that_providers_see_most(practice: Practice) -> None:
    (received,) = await paid(practice, "FEE-1", "PAID-2")
    (plb,) = rows(received, "PLB")
    told = {row[1]: row[4] for row in rows(received, "CLP")}
    assert ("AH", f"{round(float(told['FEE-1']) * 0.02, 2):g}") == (plb[3].partition(":")[0], plb[4])
    # Of what nobody scripted, too; without a fee there is no PLB.
    bearing = [n for n in (f"ORDINARY-{i}" for i in range(40)) if claim_script(n, "MEM1", {}) == "FEE"]
    assert 2 < len(bearing) < 15
    (other,) = await paid(practice, bearing[0], isa13=2)
    assert ["AH"] == [row[3].partition(":")[0] for row in rows(other, "PLB")]
    (none,) = await paid(practice, "PAID-9", isa13=3)
    assert [] == rows(none, "PLB")


async def test_a_fee_is_never_more_than_what_is_paid(practice: Practice) -> None:
    (first,) = await paid(practice, "PAID-1")
    number = next(row[7] for row in rows(first, "CLP"))
    await practice.submit(claims("PAID-1", isa13=2, frequency="8", original=number))
    (void,) = await paid(practice, "FEE-2", isa13=3)
    # What is owed eats the payment up: nothing is left to take a fee of, or the fee is of the rest.
    amount = float(rows(void, "BPR")[0][2])
    withheld = {row[3].partition(":")[0]: float(row[4]) for row in rows(void, "PLB")}
    assert amount >= 0
    assert ("AH" in withheld) == (amount > 0)

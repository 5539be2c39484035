"""Laws of acknowledging claims: one bad claim stops no other, and the 277CA of whatever was received is clean and says it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import x12
from tests import synthetic
from tests.laws.status_values import ENVELOPE, HEADER
from x12 import codes
from x12.acknowledge import addressed, sealed
from x12.balancing import balance_837
from x12.batch import claims_of
from x12.claim_acknowledgement import Acknowledger, Numbers, acknowledge_claims
from x12.claim_judgement import judge_claims, taken_in_parts
from x12.claim_reasons import ENTITIES, STATUSES, reasons
from x12.documents.claim_acknowledgement import BatchVerdict, ClaimVerdict, batch_verdicts, claim_verdicts
from x12.documents.standing import StatusCode
from x12.envelope import TransactionSet, read
from x12.finding import Finding
from x12.syntax import CANONICAL, STANDARD
from x12.walk import Instance

SOURCE = Acknowledger("CLAIMWIRE", "CW01")
PAYER = Acknowledger("SYNTHETIC HEALTH PLAN", "SYNTH", "PR", "PI")
# Two providers (a new one every fifty claims), every fourth patient a dependent.
CLAIMS = 53
LINES = synthetic.claims_837p(CLAIMS).rstrip("~").split("~")


def received(lines: Sequence[str]) -> TransactionSet:
    return read(("~".join(lines) + "~").encode("latin-1"))[0].sets[0]


def at(pcn: int) -> int:
    """Where the CLM of a claim stands."""
    return next(i for i, line in enumerate(LINES) if line.startswith(f"CLM*PCN{pcn:08d}*"))


def read_back(
    one: TransactionSet, source: Acknowledger = SOURCE, numbers: dict[int, Numbers] | None = None
) -> Instance:
    """The 277CA of a set, sent through bytes: nothing is wrong with it by standard and guide."""
    written = acknowledge_claims(one, source, HEADER, numbers=numbers)
    assert [] == written.findings
    e = CANONICAL.element
    head = f"GS{e}HN{e}SENDER{e}RECEIVER{e}20260105{e}0930{e}1{e}X{e}005010X214"
    body = [head, *written.segments, f"GE{e}1{e}1", f"IEA{e}1{e}000000001"]
    (interchange,) = read(sealed(body, ENVELOPE).encode("ascii"))
    (back,) = interchange.sets
    assert [] == [f for f in back.findings if f.level <= 2]
    assert [] == [*interchange.findings, *interchange.groups[0].findings]
    return back.tree()


def verdicts(one: TransactionSet, source: Acknowledger = SOURCE) -> list[ClaimVerdict]:
    """What the 277CA says of each claim, which is what was judged."""
    root = read_back(one, source)
    told, judged = claim_verdicts(root), judge_claims(one).claims
    by_patient = {id(c.claim): c for c in judged}
    assert len(by_patient) == len(told)
    assert sorted(c.accepted for c in judged) == sorted(v.accepted is True for v in told)
    check_totals(batch_verdicts(root), told)
    return told


def check_totals(batches: Sequence[BatchVerdict], told: Sequence[ClaimVerdict]) -> None:
    """Totals of the batch and of its providers are those of the claims."""
    for level in ("2200B", "2200C"):
        some = [b for b in batches if b.level == level]
        assert sum(v.accepted is True for v in told) == sum(b.accepted_quantity or 0 for b in some)
        assert sum(v.accepted is not True for v in told) == sum(b.rejected_quantity or 0 for b in some)
        for accepted in (True, False):
            charges = sum((v.total_charge or Decimal(0) for v in told if v.accepted is accepted), Decimal(0))
            amounts = [b.accepted_amount if accepted else b.rejected_amount for b in some]
            assert charges == sum((a or Decimal(0) for a in amounts), Decimal(0))


def rejected(lines: Sequence[str]) -> list[int]:
    """The numbers of the claims that are rejected, the others being accepted."""
    return [int(v.patient_control_number[3:]) for v in verdicts(received(lines)) if not v.accepted]


def changed(index: int, *lines: str) -> list[str]:
    """The file with other lines in place of one."""
    made = [*LINES[:index], *lines, *LINES[index + 1 :]]
    return [f"SE*{len(made) - 4}*0001" if line.startswith("SE*") else line for line in made]


# --- one bad claim ---------------------------------------------------------------------------------------------------


def test_clean_claims_are_all_accepted() -> None:
    assert [] == rejected(LINES)
    root = read_back(received(LINES))
    assert [("A1", "20")] * CLAIMS == [(c.category, c.status) for v in claim_verdicts(root) for c in v.codes]
    assert {("A2", "20")} == {(c.category, c.status) for v in verdicts(received(LINES), PAYER) for c in v.codes}
    batch, first, second = batch_verdicts(root)
    assert (CLAIMS, 50, 3) == (batch.accepted_quantity, first.accepted_quantity, second.accepted_quantity)
    assert ("SYNTH0001", True) == (batch.batch_number, batch.accepted)


@pytest.mark.parametrize("claim", [0, 1, 4, 49, 50, 52])
def test_what_is_wrong_in_a_claim_rejects_that_claim_alone(claim: int) -> None:
    start = at(claim)
    assert [claim] == rejected(changed(start, LINES[start].replace(":B:1", ":Q:1")))
    hi = next(i for i in range(start, len(LINES)) if LINES[i].startswith("HI*"))
    assert [claim] == rejected(changed(hi))
    sv1 = next(i for i in range(start, len(LINES)) if LINES[i].startswith("SV1*"))
    assert [claim] == rejected(changed(sv1))
    # The last line of the claim lacks its SV1, which is noticed where the next claim begins.
    end = next((i for i in range(start + 1, len(LINES)) if LINES[i].startswith(("HL*", "SE*"))), len(LINES))
    last = max(i for i in range(start, end) if LINES[i].startswith("SV1*"))
    short = changed(last)
    assert [claim] == rejected([*short[: end - 3], *short[end - 1 :]][: end - 3] + short[end - 3 :])


def test_what_is_wrong_above_rejects_what_is_below_it_alone() -> None:
    billing = [i for i, line in enumerate(LINES) if line.startswith("NM1*85*")]
    assert list(range(50)) == rejected(changed(billing[0], LINES[billing[0]].replace("*XX*", "*??*")))
    assert [50, 51, 52] == rejected(changed(billing[1]))
    member = next(i for i, line in enumerate(LINES) if "*MI*MEM0000005" in line)
    assert [5] == rejected(changed(member, LINES[member].replace("MEM0000005", "")))
    submitter = next(i for i, line in enumerate(LINES) if line.startswith("NM1*41*"))
    assert list(range(CLAIMS)) == rejected(changed(submitter))
    count = [*LINES[:-3], "SE*7*0001", *LINES[-2:]]
    assert list(range(CLAIMS)) == rejected(count)


def test_a_lost_level_rejects_the_claims_behind_it_up_to_the_next() -> None:
    level = next(i for i in range(at(5), 0, -1) if LINES[i].startswith("HL*"))
    lost = rejected(changed(level, LINES[level].replace("*22*", "*99*")))
    # Whose claim 5 is cannot be told, and where it stands now the one before it goes on.
    assert [4, 5] == lost


def test_of_two_claims_of_one_patient_one_may_be_rejected() -> None:
    start, end = at(1), next(i for i in range(at(1), len(LINES)) if LINES[i].startswith("HL*"))
    other = [line.replace("PCN00000001", "PCN99000001") for line in LINES[start:end]]
    made = changed(end - 1, LINES[end - 1], *other)
    wrong = [line.replace(":B:1", ":Q:1") if "PCN99000001" in line else line for line in made]
    assert ([], [99_000_001]) == (rejected(made), rejected(wrong))


def test_a_set_is_taken_in_parts_while_one_claim_is_good() -> None:
    some = received(changed(at(3), LINES[at(3)].replace(":B:1", ":Q:1")))
    none = received([*LINES[:-3], "SE*7*0001", *LINES[-2:]])
    assert [(True, True), (False, True), (False, False)] == [
        (one.accepted, taken_in_parts(one)) for one in (received(LINES), some, none)
    ]
    other = read(synthetic.remittance_835(1, wrong=True).encode())[0].sets[0]
    assert (False, False) == (other.accepted, taken_in_parts(other))


def test_the_claims_that_are_judged_are_those_that_are_taken_apart_in_their_order() -> None:
    one = received(LINES)
    apart = [next(s for s in claim if s.startswith("CLM")).split(CANONICAL.element)[1] for claim in claims_of(one)]
    judged = judge_claims(one)
    assert apart == [c.claim.rows()["CLM"][0][1] for c in judged.claims]
    assert [True] * CLAIMS == [
        one.segments[c.positions[0] - 1].startswith("CLM*") and one.segments[c.positions[1] - 1].startswith("REF*6R")
        for c in judged.claims
    ]
    assert (CLAIMS, 0) == (len(judged.accepted), len(judged.rejected))


# --- why -------------------------------------------------------------------------------------------------------------


def why(lines: Sequence[str], claim: int) -> set[tuple[str, str, str, bool]]:
    """Category, status, entity of what is said of a claim, and whether it is said of one of its lines."""
    told = next(v for v in verdicts(received(lines)) if v.patient_control_number == f"PCN{claim:08d}")
    return {(c.category, c.status, c.entity, c.line is not None) for c in told.codes}


def test_a_reason_names_what_is_wrong_and_whose_it_is() -> None:
    start = at(1)
    hi = next(i for i in range(start, len(LINES)) if LINES[i].startswith("HI*"))
    rendering = next(i for i in range(start, len(LINES)) if LINES[i].startswith("NM1*82*"))
    sv1 = next(i for i in range(start, len(LINES)) if LINES[i].startswith("SV1*"))
    born = max(i for i in range(start) if LINES[i].startswith("DMG*"))
    billing = next(i for i, line in enumerate(LINES) if line.startswith("NM1*85*"))
    fee = LINES[sv1].split("*")[2]
    cases = [
        (changed(hi), {("A6", "254", "", False)}),
        (changed(start, LINES[start].replace(":B:1", ":B:7")), {("A6", "464", "", False)}),
        (changed(start, LINES[start].replace(":B:1", ":Q:1")), {("A7", "567", "", False)}),
        (changed(born, "DMG*D8*20261350*F"), {("A7", "158", "IL", False)}),
        (changed(rendering, LINES[rendering].replace("*XX*", "**")), {("A6", "745", "", False)}),
        (changed(sv1, LINES[sv1].replace("*UN*", "**")), {("A6", "659", "", True), ("A7", "21", "", False)}),
        (changed(sv1, LINES[sv1].replace(f"*{fee}*", "**")), {("A6", "583", "", False)}),
        (changed(start, LINES[start], "ZZZ*1"), {("A3", "481", "", False)}),
        (changed(billing, LINES[billing].replace("*2*", "*7*")), {("A7", "775", "85", False)}),
        (changed(billing), {("A6", "125", "85", False)}),
    ]
    for lines, expected in cases:
        assert expected <= why(lines, 1)


def test_a_claim_out_of_balance_is_told_so() -> None:
    one = received(changed(at(2), LINES[at(2)].replace("PCN00000002*", "PCN00000002*9")))
    one.findings += balance_837(one.tree())
    told = [v for v in verdicts(one) if not v.accepted]
    assert [("PCN00000002", (StatusCode("A8", "400"),))] == [(v.patient_control_number, v.codes) for v in told]
    assert ["CLM02 must be the sum of the charges of its service lines."] == [m for v in told for m in v.messages]


def test_a_provider_at_fault_is_told_so_at_its_own_level() -> None:
    billing = next(i for i, line in enumerate(LINES) if line.startswith("NM1*85*"))
    root = read_back(received(changed(billing)))
    batch, first, second = batch_verdicts(root)
    assert (True, False, True) == (batch.accepted, first.accepted, second.accepted)
    assert ("A6", "125", "85") in [(c.category, c.status, c.entity) for c in first.codes]
    assert {"2200C"} == {v.rejected_above for v in claim_verdicts(root) if not v.accepted}
    assert (50, 3) == (batch.rejected_quantity, batch.accepted_quantity)


def test_a_day_that_no_date_of_x12_is_is_told_of_and_left_out() -> None:
    day = next(i for i, line in enumerate(LINES) if line.startswith("DTP*472*"))
    root = read_back(received(changed(day, "DTP*472*D8*11960911")))
    assert [0] == rejected(changed(day, "DTP*472*D8*11960911"))
    assert not [raw for loop in root.all("2220D") for _, raw in loop.segments if "472" in raw]


def test_numbers_of_the_acknowledger_are_told() -> None:
    numbers = {1: Numbers("ICN1", "TRACE1"), 2: Numbers(trace_number="A|B")}
    told = claim_verdicts(read_back(received(LINES), PAYER, numbers))
    assert [("", "SYN000000000"), ("ICN1", "TRACE1"), ("", "AB")] == [
        (v.payer_claim_control_number, v.clearinghouse_trace_number) for v in told[:3]
    ]


def test_every_status_of_the_table_is_one_and_no_reason_names_an_entity_that_is_not_allowed() -> None:
    listed, categories = codes.table("claim_status"), codes.table("claim_status_category")
    assert set() == {status for status in STATUSES.values() if status not in listed}
    one = received(LINES)
    judged = judge_claims(one)
    assert one.guide is not None
    for segment in one.guide.segments:
        for element in (None, *segment.elements):
            for code in ("1", "3", "5", "7", "I9", "I13", "2"):
                scope = "element" if element else "segment"
                position = element.position if element else None
                finding = Finding(2, scope, code, "", loop=segment.loop.id, segment=segment.id, element=position)
                for level, entities in ENTITIES.items():
                    for said in reasons(finding, judged.claims[0].claim, one.guide, level):
                        assert said.status in listed
                        assert said.category in categories
                        assert said.entity in entities or not said.entity
                        assert bool(said.entity) == ("entity" in re.split(r"\W", listed[said.status].lower()))


# --- whatever comes --------------------------------------------------------------------------------------------------


def damaged(random: Random, lines: Sequence[str], faults: int) -> list[str]:
    """A file with a few faults between ST and SE."""
    made = list(lines)
    for _ in range(faults):
        index = random.randrange(3, len(made) - 3)
        match random.choice(("drop", "twice", "swap", "element", "append")):
            case "drop":
                del made[index]
            case "twice":
                made.insert(index, made[index])
            case "swap":
                other = random.randrange(3, len(made) - 3)
                made[index], made[other] = made[other], made[index]
            case "element":
                parts = made[index].split("*")
                parts[random.randrange(len(parts))] = "".join(random.choices("A0²-:*^é\x00|`", k=random.randint(0, 9)))
                made[index] = "*".join(parts)
            case _:
                made[index] += "*" + "X" * random.randint(1, 200)
    return made


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_is_wrong_the_277ca_is_clean_and_tells_of_every_claim(seed: int) -> None:
    random = Random(seed)
    lines = synthetic.claims_837p(random.randint(1, 6), seed % 97).rstrip("~").split("~")
    one = received(damaged(random, lines, random.randint(1, 5)))
    if one.guide is not None:
        told = verdicts(one)
        assert all(not v.accepted for v in told) or any(v.accepted for v in told)
        assert taken_in_parts(one) == (one.accepted or any(v.accepted for v in told))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_wrong_in_one_claim_never_rejects_another(seed: int) -> None:
    random = Random(seed)
    claim = random.randrange(CLAIMS)
    start = at(claim)
    end = next(i for i in range(start, len(LINES)) if LINES[i].startswith(("HL*", "SE*")))
    index = random.randrange(start + 1, end)
    parts = LINES[index].split("*")
    parts[random.randrange(1, len(parts))] = "".join(random.choices("A0-:*é", k=random.randint(0, 9)))
    assert set(rejected(changed(index, "*".join(parts)))) <= {claim}


def corpus() -> Iterator[TransactionSet]:
    root = os.environ.get("CLAIMWIRE_CORPUS")
    if not root:
        pytest.skip("CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
    for folder in ("837P", "837I", "837D", "invalid"):
        for file in sorted(Path(root, folder).iterdir()):
            for interchange in read(file.read_bytes()):
                yield from (s for s in interchange.sets if s.set_id == "837" and s.guide is not None)


def test_the_claims_of_the_corpus_are_acknowledged_each() -> None:
    kinds: set[str] = set()
    for one in corpus():
        assert one.guide is not None
        told = verdicts(one)
        kinds.add(one.guide.id)
        assert one.accepted <= all(v.accepted for v in told)
        assert len(claims_of(one)) == len(told)
    assert {"005010X222A1", "005010X223A2", "005010X224A2"} == kinds


def test_only_claims_are_acknowledged_claim_by_claim() -> None:
    other = read(synthetic.remittance_835(1).encode())[0].sets[0]
    with pytest.raises(ValueError, match="only claims"):
        acknowledge_claims(other, SOURCE, HEADER)
    strange = read(synthetic.claims_837p(1).replace("005010X222A1", "005010X299").encode())[0].sets[0]
    with pytest.raises(ValueError, match="without a guide"):
        acknowledge_claims(strange, SOURCE, HEADER)


def test_the_999_of_claims_taken_in_parts_says_so() -> None:
    (interchange,) = read(("~".join(changed(at(3), LINES[at(3)].replace(":B:1", ":Q:1"))) + "~").encode())
    header = addressed(interchange, "260105", "0931", 1)
    whole = x12.acknowledgement(interchange, header, 1)
    parts = x12.acknowledgement(interchange, header, 1, taken=x12.taken_in_parts)
    assert ("IK5*R*I5~AK9*R*1*1*0~" in whole, "IK5*E*I5~AK9*E*1*1*1~" in parts) == (True, True)
    assert STANDARD == interchange.delimiters
    assert x12.acknowledge_claims is acknowledge_claims

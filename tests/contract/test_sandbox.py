"""The contract of the sandbox payer, over real sockets: scripts, acknowledgements, money, clock, duplicates and weather."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import adapters.sandbox
import x12
from adapters.sandbox.scenarios import CLAIM_SCRIPTS, MEMBER_SCRIPTS, claim_script
from adapters.sandbox.server import SandboxServer, start
from gateway.remittance import PaidClaim, outcome_of, paid_claims
from tests.synthetic import interchange, npi
from x12.balancing import balance_835
from x12.documents.acknowledgements import read_999
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.documents.claim_status import ClaimState, claim_statuses
from x12.documents.eligibility import EligibilityResponse, read_responses
from x12.envelope import TransactionSet

DAY = timedelta(days=1)
ROOT = Path(adapters.sandbox.__file__).parents[2]
CLINIC = npi(199_999_666)


# --- what is sent --------------------------------------------------------------------------------------------------


def claims(
    *numbers: str,
    isa13: int = 1,
    member: str = "MEM1",
    frequency: str = "1",
    original: str = "",
    charges: Sequence[str] = ("100", "60.5"),
    provider: str = CLINIC,
    asks_ta1: bool = False,
) -> bytes:
    """An 837P with one claim of two lines for each patient control number."""
    body = [
        "ST*837*{ST02}*005010X222A1",
        "BHT*0019*00*BATCH1*20260105*0930*CH",
        "NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND",
        "PER*IC*EDI DESK*TE*5035550100",
        "NM1*40*2*SANDBOX HEALTH PLAN*****46*SANDBOX",
        "HL*1**20*1",
        f"NM1*85*2*SYNTHETIC CLINIC*****XX*{provider}",
        *("N3*12 ALDER WAY", "N4*PORTLAND*OR*972010000", "REF*EI*930000000"),
    ]
    total = sum(map(Decimal, charges))
    for level, number in enumerate(numbers, 2):
        body += [f"HL*{level}*1*22*0", "SBR*P*18*******CI", f"NM1*IL*1*ABARA*ADA****MI*{member}"]
        body += ["N3*1 BIRCH ST", "N4*RENO*NV*895010000", "DMG*D8*19800229*F"]
        body += ["NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX", f"CLM*{number}*{total}***11:B:{frequency}*Y*A*Y*Y"]
        body += [f"REF*F8*{original}"] if original else []
        body += [f"REF*D9*D9{number}", "HI*ABK:J0190"]
        for line, charge in enumerate(charges, 1):
            body += [f"LX*{line}", f"SV1*HC:99213*{charge}*UN*1***1", "DTP*472*D8*20251202", f"REF*6R*{number}L{line}"]
    content = interchange("HC", "005010X222A1", [body], isa13)
    return (content.replace("*0*T*:", "*1*T*:", 1) if asks_ta1 else content).encode()


def eligibility(member: str, *, born: str = "19800229", first: str = "", isa13: int = 1, by: str = CLINIC) -> bytes:
    """A 270 about a member, or about a dependent with this first name."""
    dependent = [f"NM1*03*1*ABARA*{first}", f"DMG*D8*{born}"] if first else []
    asked = ["EQ*30^98"]
    body = [
        "ST*270*{ST02}*005010X279A1",
        "BHT*0022*13*QUESTION1*20260105*0930",
        *("HL*1**20*1", "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX"),
        *("HL*2*1*21*1", f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{by}"),
        f"HL*3*2*22*{int(bool(first))}",
        *([] if first else ["TRN*1*TRACE1*9CLAIMWIRE"]),
        f"NM1*IL*1*ABARA*ADA****MI*{member}",
        *(["HL*4*3*23*0", "TRN*1*TRACE1*9CLAIMWIRE", *dependent] if first else [f"DMG*D8*{born}"]),
        *asked,
    ]
    return interchange("HS", "005010X279A1", [body], isa13).encode()


def status(number: str, member: str = "MEM1", isa13: int = 1) -> bytes:
    """A 276 about one claim, known by its patient control number."""
    body = [
        "ST*276*{ST02}*005010X212",
        "BHT*0010*13*ASKED1*20260105*0930",
        *("HL*1**20*1", "NM1*PR*2*SANDBOX HEALTH PLAN*****PI*SANDBOX"),
        *("HL*2*1*21*1", "NM1*41*2*SYNTHETIC BILLING*****46*SYNTHSEND"),
        *("HL*3*2*19*1", f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{CLINIC}"),
        *("HL*4*3*22*0", "DMG*D8*19800229*F", f"NM1*IL*1*ABARA*ADA****MI*{member}"),
        *("TRN*1*TRACE1", f"REF*EJ*{number}", "AMT*T3*160.5", "DTP*472*D8*20251202"),
    ]
    return interchange("HR", "005010X212", [body], isa13).encode()


# --- who sends it, and reads what comes back -------------------------------------------------------------------------


def read_clean(content: bytes) -> list[TransactionSet]:
    """The sets of what the payer sent; it never sends anything in which our own reader finds something."""
    found: list[TransactionSet] = []
    for received in x12.read(content, levels=(1, 2, 3)):
        assert [] == received.findings
        assert [] == [f for g in received.groups for f in g.findings]
        assert [] == [f for s in received.sets for f in s.findings]
        found += received.sets
    return found


class Practice:
    """A client of the payer."""

    def __init__(self, server: SandboxServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def post(self, content: bytes, key: str = "") -> tuple[int, bytes]:
        headers = {"Idempotency-Key": key} if key else {}
        async with self.session.post("/x12", data=content, headers=headers) as response:
            return response.status, await response.read()

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self.session.get(path) as response:
            return response.status, await response.read()

    async def json(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        call = self.session.get(path) if body is None else self.session.post(path, json=body)
        async with call as response:
            assert 200 == response.status
            return await response.json()

    async def submit(self, content: bytes) -> None:
        assert 202 == (await self.post(content))[0]

    async def ask(self, content: bytes) -> bytes:
        code, answer = await self.post(content)
        assert 200 == code
        return answer

    async def names(self) -> list[str]:
        return [f["name"].rpartition(".")[2] for f in (await self.json("/outbox"))["files"]]

    async def collect(self) -> list[tuple[str, bytes]]:
        """Take everything out of the outbox: (kind, content)."""
        files: list[tuple[str, bytes]] = []
        for listed in (await self.json("/outbox"))["files"]:
            code, content = await self.get(f"/outbox/{listed['reference']}")
            assert 200 == code
            read_clean(content)
            files.append((listed["name"].rpartition(".")[2], content))
            async with self.session.delete(f"/outbox/{listed['reference']}") as response:
                assert 204 == response.status
        return files

    async def collected(self, kind: str) -> list[TransactionSet]:
        """The sets of one kind of file; the outbox is empty afterwards."""
        return [s for name, content in await self.collect() if name == kind for s in read_clean(content)]

    async def remitted(self) -> list[PaidClaim]:
        sets = await self.collected("835")
        for received in sets:
            assert [] == balance_835(received.tree())
        return [c for s in sets for c in paid_claims(s.tree())]

    async def standing(self, number: str, member: str = "MEM1") -> ClaimState:
        (received,) = read_clean(await self.ask(status(number, member)))
        assert "277" == received.set_id
        (state,) = claim_statuses(received.tree())
        return state

    async def coverage(self, content: bytes) -> EligibilityResponse:
        (received,) = read_clean(await self.ask(content))
        assert "271" == received.set_id
        (response,) = read_responses(received.tree())
        return response


@asynccontextmanager
async def opened(path: Path, token: str | None = None) -> AsyncGenerator[Practice]:
    server = await start(path, token=token)
    try:
        async with aiohttp.ClientSession(server.url) as session:
            yield Practice(server, session)
    finally:
        await server.close()


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with opened(tmp_path / "sandbox.db") as made:
        yield made


def coded(state: ClaimState) -> str:
    return f"{state.codes[0].category}:{state.codes[0].status}"


def refused(files: Sequence[tuple[str, bytes]]) -> list[str]:
    """Category, status and entity of every claim that a 277CA among these files rejects."""
    sets = [s for name, content in files if name == "277CA" for s in read_clean(content)]
    told = [v for s in sets for v in claim_verdicts(s.tree()) if v.accepted is False]
    return [f"{c.category}:{c.status}:{c.entity}".rstrip(":") for v in told for c in v.codes]


def codes(response: EligibilityResponse) -> set[str | None]:
    return {e.code for e in response.errors or ()}


# --- members ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "first_benefit", "errors"),
    [
        ("ACTIVE-1", "1", set[str]()),
        ("SANDBOX-ACTIVE-1", "1", set[str]()),
        ("BENEFITS-1", "1", set[str]()),
        ("MANYTYPES-1", "1", set[str]()),
        ("INACTIVE-1", "6", set[str]()),
        ("NOTFOUND-1", None, {"75"}),
        ("DEPENDENT-1", "1", set[str]()),
        ("DOWN-1", None, {"42"}),
        ("BADPROVIDER-1", None, {"51"}),
        ("WRONGNPI-1", None, {"43"}),
        ("WRONGDOB-1", None, {"71"}),
        ("ANYBODY", "1", set[str]()),
    ],
)
async def test_a_member_is_answered_as_scripted(
    practice: Practice, member: str, first_benefit: str | None, errors: set[str]
) -> None:
    response = await practice.coverage(eligibility(member))
    benefits = response.benefits_information or []
    assert first_benefit == (benefits[0].code if benefits else None)
    assert errors == codes(response)


def test_every_member_script_is_tested_above() -> None:
    mark = next(m for m in getattr(test_a_member_is_answered_as_scripted, "pytestmark", ()) if m.name == "parametrize")
    assert set(MEMBER_SCRIPTS) <= {member.rpartition("-")[0] for member, _, _ in mark.args[1]}


async def test_the_right_date_of_birth_finds_the_member(practice: Practice) -> None:
    assert set() == codes(await practice.coverage(eligibility("WRONGDOB-1", born="19750401")))


@pytest.mark.parametrize(
    ("first", "born", "errors"),
    [("ROBIN", "19850315", set[str]()), ("ROBIN", "19850316", {"71"}), ("NOBODY", "19850315", {"77"})],
)
async def test_a_dependent_is_known_by_name_and_birth(
    practice: Practice, first: str, born: str, errors: set[str]
) -> None:
    assert errors == codes(await practice.coverage(eligibility("DEPENDENT-1", first=first, born=born)))


async def test_a_provider_number_with_a_wrong_check_digit_is_not_taken(practice: Practice) -> None:
    wrong = CLINIC[:9] + str((int(CLINIC[9]) + 1) % 10)
    assert {"43"} == codes(await practice.coverage(eligibility("ACTIVE-1", by=wrong)))


async def test_the_answer_repeats_the_trace_number(practice: Practice) -> None:
    response = await practice.coverage(eligibility("ACTIVE-1"))
    assert ["TRACE1"] == [t.reference_identification for t in response.subscriber_trace_numbers or ()]


async def test_answers_never_share_a_control_number(practice: Practice) -> None:
    async def number(index: int) -> str:
        return x12.read(await practice.ask(eligibility(f"ACTIVE-{index}", isa13=index + 1)))[0].control_number

    numbers = await asyncio.gather(*(number(i) for i in range(30)))
    assert 30 == len(set(numbers))


async def test_a_refused_question_gets_a_999_and_a_refused_envelope_a_ta1(practice: Practice) -> None:
    (refused,) = read_clean(await practice.ask(eligibility("ACTIVE-1").replace(b"BHT*0022*13", b"BHT*0099*13")))
    assert "999" == refused.set_id
    assert read_999(refused.tree()).accepted is False
    answer = x12.read(await practice.ask(eligibility("ACTIVE-1").replace(b"*00501*", b"*00401*", 1)))
    assert ["R", "017"] == list(answer[0].acknowledgements[0][3:5])
    assert [] == answer[0].sets


async def test_a_ta1_comes_with_the_answer_where_isa14_asks(practice: Practice) -> None:
    (answer,) = x12.read(await practice.ask(eligibility("ACTIVE-1").replace(b"*0*T*:", b"*1*T*:", 1)))
    assert [("A", "000")] == [tuple(a[3:5]) for a in answer.acknowledgements]
    assert ["271"] == [s.set_id for s in answer.sets]


# --- claims ------------------------------------------------------------------------------------------------------------

# script -> accepted by the 277CA (None: not in it), what a 276 says, days to the 835, its outcome (None: no 835).
SCRIPTS: dict[str, tuple[bool | None, str, int, str | None]] = {
    "PAID": (True, "P1:20", 1, "paid"),
    "COPAY": (True, "P1:20", 1, "paid"),
    "DEDUCT": (True, "P1:20", 1, "paid"),
    "COINS": (True, "P1:20", 1, "paid"),
    "PARTLY": (True, "P1:20", 1, "partly_paid"),
    "DENIED": (True, "P1:20", 1, "denied"),
    "FEE": (True, "P1:20", 1, "paid"),
    "PENDED": (True, "P2:46", 15, "paid"),
    "RECEIVED": (True, "P1:20", 1, "paid"),
    "REJECT": (False, "A", 30, None),
    "SILENT": (None, "P1:20", 5, "paid"),
    "LOST": (None, "A4:35", 30, None),
}
SHARES = {"COPAY": ("PR", "3"), "DEDUCT": ("PR", "1"), "COINS": ("PR", "2")}


def test_every_claim_script_is_tested_below() -> None:
    assert set(CLAIM_SCRIPTS) == set(SCRIPTS)


@pytest.mark.parametrize("script", list(SCRIPTS))
async def test_a_claim_fares_as_scripted(practice: Practice, script: str) -> None:
    accepted, said, days, outcome = SCRIPTS[script]
    number = f"{script}-1"
    await practice.submit(claims(number))
    files = await practice.collect()
    assert ["999"] + ["277CA"] * (accepted is not None) == [name for name, _ in files]
    told = [a for n, c in files if n == "277CA" for s in read_clean(c) for a in claim_verdicts(s.tree())]
    assert ([] if accepted is None else [accepted]) == [a.accepted for a in told]
    assert coded(await practice.standing(number)).startswith(said)
    await practice.server.forward(days * DAY - timedelta(minutes=1))
    assert [] == await practice.collect()
    await practice.server.forward(timedelta(minutes=1))
    paid = await practice.remitted()
    assert ([] if outcome is None else [(number, outcome)]) == [(c.patient_control_number, outcome_of(c)) for c in paid]
    if outcome is not None:
        state = await practice.standing(number)
        assert state.final
        assert ("F2:585" if outcome == "denied" else "F1:65", paid[0].paid) == (coded(state), state.paid_amount)


@pytest.mark.parametrize("script", list(SHARES))
async def test_a_patients_share_is_told_by_its_reason(practice: Practice, script: str) -> None:
    await practice.submit(claims(f"{script}-1"))
    await practice.server.forward(DAY)
    (received,) = await practice.collected("835")
    reasons = {tuple(s.split("*")[1:3]) for s in received.segments if s.startswith("CAS*")}
    assert {("CO", "45"), SHARES[script]} == reasons


@pytest.mark.parametrize(("member", "paid"), [("INACTIVE-1", True), ("NOTFOUND-1", False)])
async def test_a_members_script_decides_where_no_claim_script_does(practice: Practice, member: str, paid: bool) -> None:
    await practice.submit(claims("ORDINARY-1", member=member))
    await practice.server.forward(DAY)
    files = await practice.collect()
    assert paid == ("835" in [name for name, _ in files])
    assert ([] if paid else ["A7:164:IL"]) == refused(files)
    assert paid == any(b"CAS*CO*27*" in content for _, content in files)


async def test_a_member_that_is_down_or_unknown_has_no_status(practice: Practice) -> None:
    assert "E1:484" == coded(await practice.standing("PAID-1", "DOWN-1"))
    assert "D0:33" == coded(await practice.standing("PAID-1", "NOTFOUND-1"))
    assert "A4:35" == coded(await practice.standing("NEVER-SENT"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (claims("PAID-1", provider="1999996668").replace(b"*0*T*:", b"*0*P*:", 1), "A7:562:85"),
        (claims("PAID-1").replace(b"CLM*PAID-1*160.5*", b"CLM*PAID-1*160.4*"), "A7:400"),
        (claims("PAID-1", charges=("9999999", "1")), "A7:178"),
        (claims("PAID-1", frequency="7", original="UNHEARDOF"), "A7:464"),
    ],
)
async def test_a_claim_that_breaks_a_rule_is_rejected_by_the_277ca(
    practice: Practice, content: bytes, said: str
) -> None:
    await practice.submit(content)
    assert [said] == refused(await practice.collect())
    await practice.server.forward(30 * DAY)
    assert [] == await practice.collect()


async def test_one_payment_a_day_for_a_provider_with_all_its_claims(practice: Practice) -> None:
    await practice.submit(claims("PAID-1", "PAID-2", "DENIED-3", "REJECT-4", "SILENT-5"))
    await practice.submit(claims("PAID-6", isa13=2))
    await practice.server.forward(DAY)
    (received,) = await practice.collected("835")
    assert ["PAID-1", "PAID-2", "DENIED-3", "PAID-6"] == [
        c.patient_control_number for c in paid_claims(received.tree())
    ]


async def test_unscripted_claims_are_paid_one_way_or_another(practice: Practice) -> None:
    numbers = [f"ORDINARY-{n}" for n in range(12)]
    await practice.submit(claims(*numbers))
    await practice.server.forward(DAY)
    assert numbers == [c.patient_control_number for c in await practice.remitted() if c.paid > 0]
    assert len({claim_script(n, "MEM1", {}) for n in numbers}) > 1


# --- acknowledgements and duplicates ---------------------------------------------------------------------------------


async def test_a_ta1_comes_where_isa14_asks_and_where_the_envelope_is_refused(practice: Practice) -> None:
    await practice.submit(claims("PAID-1", asks_ta1=True))
    files = dict(await practice.collect())
    assert [("A", "000")] == [tuple(a[3:5]) for i in x12.read(files["999"]) for a in i.acknowledgements]
    await practice.submit(claims("PAID-2", isa13=2).replace(b"IEA*1*", b"IEA*2*"))
    ((kind, content),) = await practice.collect()
    assert ("TA1", [("R", "021")]) == (kind, [tuple(a[3:5]) for i in x12.read(content) for a in i.acknowledgements])
    assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]


async def test_a_refused_interchange_uses_up_no_number(practice: Practice) -> None:
    await practice.submit(claims("PAID-1").replace(b"IEA*1*", b"IEA*2*"))
    await practice.submit(claims("PAID-1"))
    assert ["TA1", "999", "277CA"] == await practice.names()


async def test_a_set_that_the_999_rejects_goes_no_further(practice: Practice) -> None:
    await practice.submit(claims("PAID-1").replace(b"BHT*0019*00", b"BHT*0099*00"))
    (received,) = await practice.collected("999")
    assert read_999(received.tree()).accepted is False
    await practice.server.forward(DAY)
    assert [] == await practice.names()


async def test_acknowledgements_are_not_acknowledged(practice: Practice) -> None:
    said = ["ST*999*{ST02}*005010X231A1", "AK1*HC*1*005010X222A1", "AK9*A*1*1*1"]
    await practice.submit(interchange("FA", "005010X231A1", [said]).encode())
    assert [] == await practice.names()


async def test_the_same_isa13_again_is_refused_by_a_ta1_and_nothing_is_taken(practice: Practice) -> None:
    await practice.submit(claims("PAID-1"))
    await practice.collect()
    await practice.submit(claims("PAID-2"))
    ((kind, content),) = await practice.collect()
    assert ("TA1", [("R", "025")]) == (kind, [tuple(a[3:5]) for i in x12.read(content) for a in i.acknowledgements])
    seen = await practice.json("/seen")
    assert ({"D9PAID-1": 1}, 1, 1) == (seen["claims"], seen["interchanges"], seen["duplicateInterchanges"])


async def test_the_same_claim_again_is_counted_and_denied_as_a_duplicate(practice: Practice) -> None:
    await practice.submit(claims("PAID-1"))
    await practice.submit(claims("PAID-1", isa13=2))
    seen = await practice.json("/seen")
    assert ({"D9PAID-1": 2}, 1) == (seen["claims"], seen["duplicateClaims"])
    await practice.server.forward(DAY)
    files = await practice.collect()
    paid = [c for n, f in files if n == "835" for s in read_clean(f) for c in paid_claims(s.tree())]
    assert ["paid", "denied"] == [outcome_of(c) for c in paid]
    assert 2 == sum(f.count(b"CAS*OA*18*") for n, f in files if n == "835")
    assert "F1:65" == coded(await practice.standing("PAID-1"))


# --- replacements and voids ------------------------------------------------------------------------------------------


async def payer_number(practice: Practice, number: str) -> str:
    return (await practice.standing(number)).payer_claim_control_number


@pytest.mark.parametrize(("frequency", "then"), [("7", ["reversed", "paid"]), ("8", ["reversed"])])
async def test_what_was_paid_is_taken_back_for_a_replacement_or_a_void(
    practice: Practice, frequency: str, then: list[str]
) -> None:
    await practice.submit(claims("PAID-1"))
    await practice.server.forward(DAY)
    (first,) = await practice.remitted()
    original = first.payer_control_number
    await practice.submit(claims("PAID-1", isa13=2, frequency=frequency, original=original, charges=("40", "30")))
    await practice.server.forward(DAY)
    later = await practice.remitted()
    assert then == [outcome_of(c) for c in later]
    assert (original, -first.paid) == (later[0].payer_control_number, later[0].paid)


async def test_money_that_is_owed_is_held_back_from_later_payments(practice: Practice) -> None:
    await practice.submit(claims("PAID-1"))
    await practice.server.forward(DAY)
    (first,) = await practice.remitted()
    await practice.submit(claims("PAID-1", isa13=2, frequency="8", original=first.payer_control_number))
    await practice.server.forward(DAY)
    (void,) = await practice.collected("835")
    assert ("H", "0") == tuple(void.segments[1].split("*")[1:3])
    await practice.submit(claims("PAID-2", isa13=3, charges=("1000", "500")))
    await practice.server.forward(DAY)
    (later,) = await practice.collected("835")
    (paid,) = paid_claims(later.tree())
    assert paid.paid - first.paid == Decimal(later.segments[1].split("*")[2])
    assert [] == balance_835(void.tree()) + balance_835(later.tree())


@pytest.mark.parametrize(("frequency", "paid", "said"), [("7", ["PAID-2"], "F3:101"), ("8", list[str](), "F4:686")])
async def test_what_was_not_yet_paid_never_will_be(
    practice: Practice, frequency: str, paid: list[str], said: str
) -> None:
    await practice.submit(claims("PAID-1"))
    original = await payer_number(practice, "PAID-1")
    await practice.submit(claims("PAID-2", isa13=2, frequency=frequency, original=original))
    await practice.server.forward(DAY)
    assert paid == [c.patient_control_number for c in await practice.remitted()]
    assert said == coded(await practice.standing("PAID-1"))
    await practice.submit(claims("PAID-3", isa13=3, frequency=frequency, original=original))
    assert ["A7:464"] == refused(await practice.collect())


# --- clock, silence, outbox -------------------------------------------------------------------------------------------


async def test_nothing_is_heard_of_a_silent_claim_until_somebody_asks(practice: Practice) -> None:
    await practice.submit(claims("SILENT-1"))
    await practice.server.forward(40 * DAY)
    assert ["999"] == await practice.names()
    assert "P1:20" == coded(await practice.standing("SILENT-1"))
    await practice.server.forward(3 * DAY)
    assert "P1:20" == coded(await practice.standing("SILENT-1"))
    await practice.server.forward(2 * DAY)
    assert ["999", "835"] == await practice.names()


async def test_the_clock_moves_ahead_only(practice: Practice) -> None:
    await practice.submit(claims("PAID-1"))
    assert 86_400.0 == (await practice.json("/clock", {"forwardSeconds": 86_400}))["offsetSeconds"]
    assert DAY == practice.server.offset
    assert ["999", "277CA", "835"] == await practice.names()
    for wrong in (b'{"forwardSeconds": -1}', b'{"forwardSeconds": 1e99}', b'{"forwardSeconds": "x"}', b"[]", b"\xff"):
        async with practice.session.post("/clock", data=wrong) as response:
            assert (400, ["error"]) == (response.status, list(await response.json()))
    assert 86_400.0 == (await practice.json("/clock"))["offsetSeconds"]


async def test_a_file_stays_until_it_is_deleted_and_deleting_again_is_the_same(practice: Practice) -> None:
    await practice.submit(claims("LOST-1"))
    ((listed),) = (await practice.json("/outbox"))["files"]
    path = f"/outbox/{listed['reference']}"
    assert (await practice.get(path)) == (await practice.get(path))
    for _ in range(2):
        async with practice.session.delete(path) as response:
            assert 204 == response.status
    assert 404 == (await practice.get(path))[0]
    assert [] == await practice.names()


# --- HTTP ------------------------------------------------------------------------------------------------------------


async def test_a_key_makes_a_post_count_once(practice: Practice) -> None:
    first = await practice.post(claims("PAID-1"), "key-1")
    assert first == await practice.post(claims("PAID-1"), "key-1")
    assert 409 == (await practice.post(claims("PAID-2", isa13=2), "key-1"))[0]
    assert 409 == (await practice.post(eligibility("ACTIVE-1"), "key-1"))[0]
    seen = await practice.json("/seen")
    assert ({"D9PAID-1": 1}, 0) == (seen["claims"], seen["duplicateInterchanges"])


async def test_the_same_post_at_the_same_time_counts_once(practice: Practice) -> None:
    answers = await asyncio.gather(*(practice.post(claims("PAID-1"), "key-1") for _ in range(8)))
    assert 1 == len(set(answers))
    assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]


async def test_it_tells_whether_a_post_arrived(practice: Practice) -> None:
    assert (404, b'{"received":false}') == await practice.get("/x12/key-1")
    await practice.post(claims("PAID-1"), "key-1")
    await practice.post(eligibility("ACTIVE-1"), "a/b c")
    assert (200, b'{"received":true}') == await practice.get("/x12/key-1")
    assert (200, b'{"received":true}') == await practice.get("/x12/a%2Fb%20c")


@pytest.mark.parametrize("content", [b"", b"hello", b'{"claim": 1}', b"ISA", b"\x00\xff" * 50, b"GS*HC*A*B~"])
async def test_what_is_no_x12_is_refused_without_an_echo(practice: Practice, content: bytes) -> None:
    code, answer = await practice.post(content)
    assert (400, b'{"error":"this is no X12: send an interchange that begins with ISA"}') == (code, answer)


async def test_an_interchange_that_was_cut_off_is_answered_by_a_ta1(practice: Practice) -> None:
    content = claims("PAID-1")
    await practice.submit(content[: len(content) // 2])
    assert ["TA1"] == await practice.names()
    assert {} == (await practice.json("/seen"))["claims"]


async def test_a_wrong_key_a_wrong_path_and_a_wrong_method_are_refused_in_json(practice: Practice) -> None:
    for method, path, key, wanted in (
        ("POST", "/x12", "x" * 256, 400),
        ("GET", "/nowhere", "", 404),
        ("PUT", "/x12", "", 405),
        ("POST", "/weather", "", 400),
    ):
        headers = {"Idempotency-Key": key}
        async with practice.session.request(method, path, data=claims("PAID-1"), headers=headers) as response:
            assert (wanted, ["error"]) == (response.status, list(await response.json()))


async def test_with_a_token_nothing_is_told_without_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "sandbox.db", "secret") as practice:
        assert "secret" == practice.server.token
        for path in ("/outbox", "/seen", "/clock", "/weather", "/x12/k", "/nowhere"):
            assert 401 == (await practice.get(path))[0]
        assert 401 == (await practice.post(claims("PAID-1")))[0]
        for given, wanted in (("Bearer secret", 200), ("Bearer other", 401), ("secret", 401)):
            async with practice.session.get("/outbox", headers={"Authorization": given}) as response:
                assert wanted == response.status


# --- weather -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seen", "status_seen"),
    [
        ("ok", True, 202),
        ("refuse-429", False, 429),
        ("refuse-503", False, 503),
        ("drop", False, None),
        ("html", False, 200),
        ("fail-500", True, 500),
        ("cut", True, None),
        ("hang", True, None),
        ("slow", True, 202),
    ],
)
async def test_weather_befalls_one_post_and_then_it_is_over(
    practice: Practice, fault: str, seen: bool, status_seen: int | None
) -> None:
    await practice.json("/weather", {"next": [fault]})
    patience = aiohttp.ClientTimeout(total=0.5 if fault == "hang" else 20)
    got: int | None = None
    headers = {"Idempotency-Key": "key-1"}
    try:
        # A client of its own: a connection that is closed on it is not tried again.
        async with (
            aiohttp.ClientSession(practice.server.url) as session,
            session.post("/x12", data=claims("PAID-1"), headers=headers, timeout=patience) as response,
        ):
            got = response.status
            if fault.startswith("refuse"):
                assert "1" == response.headers["Retry-After"]
    except (aiohttp.ClientError, TimeoutError):
        got = None
    assert (status_seen, seen) == (got, 200 == (await practice.get("/x12/key-1"))[0])
    assert [] == (await practice.json("/weather"))["next"]
    assert 202 == (await practice.post(claims("PAID-1"), "key-1"))[0]
    assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]


# --- crash -----------------------------------------------------------------------------------------------------------


async def launched(path: Path) -> tuple[asyncio.subprocess.Process, str]:
    """The payer in a process of its own, and its URL."""
    code = f"import asyncio, pathlib\nfrom adapters.sandbox.server import serve\nasyncio.run(serve(pathlib.Path({str(path)!r}), '127.0.0.1', 0))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    return process, line.split()[-1]


async def ended(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    process.send_signal(number)
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_what_was_promised_outlives_kill_9(tmp_path: Path) -> None:
    process, url = await launched(tmp_path / "sandbox.db")
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/clock", json={"forwardSeconds": 3600}) as response:
            assert 200 == response.status
        async with session.post("/x12", data=claims("PAID-1"), headers={"Idempotency-Key": "key-1"}) as response:
            assert 202 == response.status
            receipt = await response.read()
    assert -signal.SIGKILL == await ended(process, signal.SIGKILL)
    async with opened(tmp_path / "sandbox.db") as practice:
        assert timedelta(hours=1) == practice.server.offset
        assert (202, receipt) == await practice.post(claims("PAID-1"), "key-1")
        before = await practice.names()
        await practice.server.forward(DAY)
        assert (["999", "277CA"], ["999", "277CA", "835"]) == (before, await practice.names())
        assert {"D9PAID-1": 1} == (await practice.json("/seen"))["claims"]
        numbers = [x12.read(content)[0].control_number for _, content in await practice.collect()]
        assert 3 == len(set(numbers))


async def test_it_leaves_when_it_is_told_to(tmp_path: Path) -> None:
    process, _ = await launched(tmp_path / "sandbox.db")
    assert 0 == await ended(process, signal.SIGTERM)
